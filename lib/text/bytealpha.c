#include "text/bytealpha.h"

#include "base/utf8.h"

uint32_t tsl_bytealpha_char(uint8_t b)
{
    if (b <= 0x20)
        return 0x100U + b;
    if (b >= 0x7f && b <= 0xa0)
        return 0x121U + b - 0x7f;
    return b == 0xad ? 0x143 : b;
}

int tsl_bytealpha_byte(uint32_t cp)
{
    if (cp >= 0x100)
        return cp <= 0x120   ? (int)(cp - 0x100)
               : cp <= 0x142 ? (int)(cp - 0x121 + 0x7f)
               : cp == 0x143 ? 0xad
                             : -1;
    return tsl_bytealpha_char((uint8_t)cp) == cp ? (int)cp : -1;
}

size_t tsl_bytealpha_encode(struct tsl_slice bytes, uint8_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        uint32_t cp = tsl_bytealpha_char(bytes.data[i]);
        if (cp >= 0x80) {
            out[n++] = (uint8_t)(0xc0 | cp >> 6);
            out[n++] = (uint8_t)(0x80 | (cp & 0x3f));
        } else {
            out[n++] = (uint8_t)cp;
        }
    }
    return n;
}

bool tsl_bytealpha_decode(struct tsl_slice s, uint8_t *out, size_t *len)
{
    const uint8_t *p = s.data, *end = p ? p + s.len : p;
    size_t n = 0;
    while (p < end) {
        uint32_t cp;
        p += tsl_utf8_decode(p, end, &cp);
        int b = tsl_bytealpha_byte(cp);
        if (b < 0)
            return false;
        out[n++] = (uint8_t)b;
    }
    *len = n;
    return true;
}

#include "text/charsmap.h"

#include <string.h>

#include "base/endian.h"
#include "base/utf8.h"

int tsl_charsmap_open(struct tsl_charsmap *m, struct tsl_slice blob, struct tsl_err *err)
{
    *m = (struct tsl_charsmap){ 0 };
    if (blob.len == 0)
        return 0;
    if (blob.len < 4)
        return tsl_err_set(err, TSL_EFORMAT, "character map: %zu bytes, too short",
                           blob.len);
    size_t trie = tsl_load32(blob.data);
    if (trie > blob.len - 4 || trie % 4 != 0)
        return tsl_err_set(err, TSL_EFORMAT,
                           "character map: a trie of %zu bytes in a blob of %zu", trie,
                           blob.len);
    m->units = blob.data + 4;
    m->nunits = trie / 4;
    m->pool = (struct tsl_slice){ m->units + trie, blob.len - 4 - trie };

    const uint8_t *p = m->pool.data, *end = p + m->pool.len;
    while (p < end) {
        uint32_t cp;
        const uint8_t *at = p;
        p += tsl_utf8_decode(p, end, &cp);
        if (cp == TSL_UTF8_BAD)
            return tsl_err_set(err, TSL_EFORMAT,
                               "character map: not UTF-8 at byte %zu of its strings",
                               (size_t)(at - m->pool.data));
    }
    return 0;
}

/* Units of Darts-clone: value in 31 bits, or label in the low byte with bit 31 (set in
 * values, so that no byte is like it), "has a value" in bit 8, offset in the rest. */
static uint32_t unit_label(uint32_t unit)
{
    return unit & 0x800000ffU;
}

static size_t unit_offset(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 0x200) >> 6);
}

static bool replacement_at(const struct tsl_charsmap *m, uint32_t at,
                           struct tsl_slice *replacement)
{
    if (at >= m->pool.len || (m->pool.data[at] & 0xc0) == 0x80)
        return false;
    const uint8_t *p = m->pool.data + at;
    const uint8_t *nul = memchr(p, 0, m->pool.len - at);
    *replacement = (struct tsl_slice){ p, nul ? (size_t)(nul - p) : m->pool.len - at };
    return true;
}

static bool match(const struct tsl_charsmap *m, const uint8_t *p, size_t len,
                  bool shortest, size_t *used, struct tsl_slice *replacement)
{
    bool found = false;
    if (m->nunits == 0)
        return false;
    size_t pos = unit_offset(tsl_load32(m->units));
    for (size_t i = 0; i < len; i++) {
        pos ^= p[i];
        if (pos >= m->nunits)
            break;
        uint32_t unit = tsl_load32(m->units + 4 * pos);
        if (unit_label(unit) != p[i])
            break;
        pos ^= unit_offset(unit);
        if (pos >= m->nunits)
            break;
        if (unit & 0x100) {
            uint32_t value = tsl_load32(m->units + 4 * pos) & 0x7fffffffU;
            if (!replacement_at(m, value, replacement))
                break;
            *used = i + 1;
            found = true;
            if (shortest)
                break;
        }
    }
    return found;
}

bool tsl_charsmap_match(const struct tsl_charsmap *m, const uint8_t *p, size_t len,
                        size_t *used, struct tsl_slice *replacement)
{
    return match(m, p, len, false, used, replacement);
}

bool tsl_charsmap_match_shortest(const struct tsl_charsmap *m, const uint8_t *p,
                                 size_t len, size_t *used, struct tsl_slice *replacement)
{
    return match(m, p, len, true, used, replacement);
}

/* utf8.h - characters of UTF-8: where one ends, reading one, writing one.
 * Threads: pure. */
#ifndef TSL_UTF8_H
#define TSL_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of the well-formed sequence at p (Unicode 15, table 3-7), 0 if there is none.
 * Reads no further than the first byte that does not fit: a terminating NUL ends it. */
static inline size_t tsl_utf8_len(const unsigned char *p)
{
    unsigned char a = p[0], lo = 0x80, hi = 0xbf;
    size_t n = 0;
    if (a < 0x80)
        n = 1;
    else if (a >= 0xc2 && a < 0xe0)
        n = 2;
    else if (a >= 0xe0 && a < 0xf0)
        n = 3;
    else if (a >= 0xf0 && a < 0xf5)
        n = 4;
    if (a == 0xe0)
        lo = 0xa0;
    if (a == 0xed)
        hi = 0x9f;
    if (a == 0xf0)
        lo = 0x90;
    if (a == 0xf4)
        hi = 0x8f;
    for (size_t i = 1; i < n; i++, lo = 0x80, hi = 0xbf)
        if (p[i] < lo || p[i] > hi)
            return 0;
    return n;
}

enum {
    TSL_UTF8_BAD = 0x110000, /* no code point: what decode gives for ill-formed bytes */
    TSL_UTF8_REPLACEMENT = 0xFFFD
};

/* The code point at p < end in *cp and the bytes it takes; for ill-formed bytes
 * TSL_UTF8_BAD and the bytes of the maximal ill-formed part (WHATWG: what one U+FFFD
 * replaces), at least 1.  Reads nothing from end on. */
static inline size_t tsl_utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *cp)
{
    uint32_t a = p[0], c;
    unsigned lo = 0x80, hi = 0xbf;
    size_t n;
    *cp = a;
    if (a < 0x80)
        return 1;
    *cp = TSL_UTF8_BAD;
    if (a < 0xc2 || a > 0xf4)
        return 1;
    n = a < 0xe0 ? 2 : a < 0xf0 ? 3 : 4;
    c = a & (0xffU >> (n + 1));
    if (a == 0xe0)
        lo = 0xa0;
    if (a == 0xed)
        hi = 0x9f;
    if (a == 0xf0)
        lo = 0x90;
    if (a == 0xf4)
        hi = 0x8f;
    for (size_t i = 1; i < n; i++, lo = 0x80, hi = 0xbf) {
        if (p + i >= end || p[i] < lo || p[i] > hi)
            return i;
        c = c << 6 | (p[i] & 0x3fU);
    }
    *cp = c;
    return n;
}

/* Bytes at the end of p[0, n) that may be the begin of a character whose rest is not there. */
static inline size_t tsl_utf8_open(const uint8_t *p, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++)
        if (p[n - k] >= 0xc0)
            return p[n - k] >= (k == 1 ? 0xc0 : k == 2 ? 0xe0 : 0xf0) ? k : 0;
        else if (p[n - k] < 0x80)
            return 0;
    return 0;
}

/* Writes cp (a scalar value) and returns its bytes: 1 to 4. */
static inline size_t tsl_utf8_encode(uint8_t out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xc0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xe0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (cp & 0x3f));
    return 4;
}

#endif

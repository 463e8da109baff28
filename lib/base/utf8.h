/* utf8.h - where a character of UTF-8 ends.
 * Threads: pure. */
#ifndef TSL_UTF8_H
#define TSL_UTF8_H

#include <stddef.h>

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

#endif

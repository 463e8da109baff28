/* recmend.h - checksums of a native record file, whatever it holds, put right: so that a test or
 * a fuzzer gets past them.  Reads and writes nothing outside of p[0, n). */
#ifndef TSL_RECMEND_H
#define TSL_RECMEND_H

#include "base/endian.h"
#include "base/hash.h"

static inline void recmend(uint8_t *p, size_t n)
{
    if (n < 24)
        return;
    uint64_t head = (16 + (uint64_t)tsl_load32(p + 8) + tsl_load32(p + 12) + 7) / 8 * 8;
    if (head > n - 8)
        return;
    size_t begin = (size_t)head + 8, at = begin, nblocks = 0;
    uint64_t sum = tsl_hash64(p, begin - 8, 0);
    tsl_store64(p + begin - 8, sum);
    while (n - at >= 56 && tsl_load32(p + at) == 0x4b4c4252) {
        size_t stored = (tsl_load32(p + at + 32) + (size_t)7) / 8 * 8;
        if (stored > n - at - 56)
            return;
        tsl_store64(p + at + 48,
                    tsl_hash64(p + at + 56, stored, tsl_hash64(p + at, 48, sum)));
        at += 56 + stored;
        nblocks++;
    }
    /* the index's last entries are those of the blocks */
    if (n - at < 56 + 16 + 24 * nblocks)
        return;
    tsl_store64(p + at + 48, sum);
    uint8_t *e = p + n - 16 - 24 * nblocks;
    for (size_t b = begin; b < at; e += 24) {
        memcpy(e + 16, p + b + 48, 8);
        b += 56 + (tsl_load32(p + b + 32) + (size_t)7) / 8 * 8;
    }
    tsl_store64(p + n - 8, tsl_hash64(p + at, n - at - 8, sum));
}

#endif

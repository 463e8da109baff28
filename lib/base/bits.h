/* bits.h - bits that are a byte each in memory, packed eight to a byte and back: bit i is bit
 * i % 8 of byte i / 8.
 *
 * Source: the gathering and spreading products are known ones (Hacker's Delight, 7-1).
 * Memory: none.  Threads: pure. */
#ifndef TSL_BITS_H
#define TSL_BITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/endian.h"

static inline size_t tsl_bits_bytes(size_t n)
{
    return n / 8 + (n % 8 != 0);
}

/* Packs bit 0 of each of src's n bytes into tsl_bits_bytes(n) at dst; bits behind the last
 * are 0. */
static inline void tsl_bits_pack(uint8_t *dst, const uint8_t *src, size_t n)
{
    size_t i = 0;
    for (; n - i >= 8; i += 8) {
        /* the lowest bit of each of eight bytes, gathered in the product's top byte */
        uint64_t x = tsl_load64(src + i) & UINT64_C(0x0101010101010101);
        *dst++ = (uint8_t)((x * UINT64_C(0x0102040810204080)) >> 56);
    }
    if (i < n) {
        unsigned x = 0;
        for (size_t k = 0; i + k < n; k++)
            x |= (src[i + k] & 1U) << k;
        *dst = (uint8_t)x;
    }
}

/* Eight bits as eight bytes of 0 or 1. */
static inline uint64_t tsl_bits_spread(unsigned x)
{
    /* each byte keeps a bit of its own, and what is added carries it to the byte's top */
    uint64_t y = (x & 0xff) * UINT64_C(0x0101010101010101) & UINT64_C(0x8040201008040201);
    return (y + UINT64_C(0x00406070787c7e7f)) >> 7 & UINT64_C(0x0101010101010101);
}

/* Bits at to at + n of src as bytes of 0 or 1. */
static inline void tsl_bits_unpack(uint8_t *dst, const uint8_t *src, size_t at, size_t n)
{
    unsigned shift = at % 8;
    size_t i = 0;
    src += at / 8;
    if (shift == 0)
        for (; n - i >= 8; i += 8)
            tsl_store64(dst + i, tsl_bits_spread(*src++));
    else
        for (; n - i >= 8; i += 8, src++)
            tsl_store64(dst + i,
                        tsl_bits_spread((src[0] | (unsigned)src[1] << 8) >> shift));
    for (size_t k = shift; i < n; i++, k++)
        dst[i] = src[k / 8] >> k % 8 & 1;
}

#endif

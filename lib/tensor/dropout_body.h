/* dropout_body.h - dropout whose mask is drawn again wherever it is needed; part of each of the
 * three kernels_*.c.  The draws are those of kernel_args.h.
 * Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox).
 * Order: none: a number's fate depends on the key and its index alone.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_DROPOUT_BODY_H
#define TSL_DROPOUT_BODY_H

#include "tensor/kernel_args.h"
#include "tensor/vecmath_body.h"

/* The fewest that pass BigCrush, by the paper's tables. */
enum { PHILOX_ROUNDS = 7 };

/* Sixteen counters of four words become as many of random bits. */
V16_INLINE void v16_philox(v16i c[4], uint32_t key0, uint32_t key1, unsigned rounds)
{
    const v16i m0 = v16i_set(0xd2511f53), m1 = v16i_set(0xcd9e8d57);
    for (unsigned i = 0; i < rounds; i++) {
        v16i high0 = v16i_mulhi(m0, c[0]), low0 = v16i_mul(m0, c[0]);
        v16i high1 = v16i_mulhi(m1, c[2]), low1 = v16i_mul(m1, c[2]);
        c[0] = v16i_xor(v16i_xor(high1, c[1]), v16i_set(key0));
        c[1] = low1;
        c[2] = v16i_xor(v16i_xor(high0, c[3]), v16i_set(key1));
        c[3] = low0;
        key0 += 0x9e3779b9;
        key1 += 0xbb67ae85;
    }
}
V16_INLINE v16i dropout_lanes(void)
{
    static const uint32_t lane[V16] = { 0, 1, 2,  3,  4,  5,  6,  7,
                                        8, 9, 10, 11, 12, 13, 14, 15 };
    return v16i_load(lane);
}
/* Bit i: number 64 group + i is kept. */
V16_MATH uint64_t dropout_group(const struct tsl_dropout *d, uint64_t group)
{
    uint64_t counter = group << 4;
    v16i c[4] = { v16i_or(dropout_lanes(), v16i_set((uint32_t)counter)),
                  v16i_set((uint32_t)(counter >> 32)), v16i_set(d->key[2]),
                  v16i_set(d->key[3]) };
    v16_philox(c, d->key[0], d->key[1], PHILOX_ROUNDS);
    v16i below = v16i_set(d->below);
    uint64_t drop = 0;
    for (unsigned w = 0; w < 4; w++)
        drop |= (uint64_t)v16_bits(v16i_ltu(c[w], below)) << (16 * w);
    return ~drop;
}
/* Bit i: number at + i is kept, i < 64. */
V16_INLINE uint64_t dropout_bits(const struct tsl_dropout *d, uint64_t at)
{
    uint64_t bits = dropout_group(d, at / 64);
    unsigned shift = at % 64;
    return shift ? bits >> shift | dropout_group(d, at / 64 + 1) << (64 - shift) : bits;
}
/* The first sixteen bits as a choice of lanes. */
V16_INLINE v16m dropout_mask(uint64_t bits)
{
    static const uint32_t one[V16] = { 1,       1 << 1,  1 << 2,  1 << 3,
                                       1 << 4,  1 << 5,  1 << 6,  1 << 7,
                                       1 << 8,  1 << 9,  1 << 10, 1 << 11,
                                       1 << 12, 1 << 13, 1 << 14, 1 << 15 };
    v16i lane = v16i_load(one);
    return v16i_eq(v16i_and(v16i_set((uint32_t)bits), lane), lane);
}
/* y[i] = base[i] + x[i] scale where number at + i is kept, else base[i]; base NULL: 0.  y may be
 * x or base. */
V16_INLINE void dropout_into(float *y, const float *base, const float *x, size_t n,
                             const struct tsl_dropout *d, uint64_t at)
{
    const v16 scale = v16_set(d->scale), zero = v16_set(0);
    for (size_t i = 0; i < n;) {
        unsigned shift = (at + i) % 64;
        uint64_t bits = dropout_group(d, (at + i) / 64) >> shift;
        size_t end = n - i < 64 - shift ? n : i + 64 - shift;
        for (; i < end; i += V16, bits >>= V16) {
            unsigned some = end - i < V16 ? (unsigned)(end - i) : V16;
            v16 v = v16_mul(v16_load_n(x + i, some), scale);
            v = v16_where(dropout_mask(bits), v, zero);
            v16_store_n(y + i, base ? v16_add(v16_load_n(base + i, some), v) : v, some);
        }
        i = end;
    }
}
static __attribute__((unused)) void dropout(float *y, const float *x, size_t n,
                                            const struct tsl_dropout *d, uint64_t at)
{
    dropout_into(y, NULL, x, n, d, at);
}
static __attribute__((unused)) void dropout_kept(uint64_t *bits, size_t n,
                                                 const struct tsl_dropout *d, uint64_t at)
{
    unsigned shift = at % 64;
    uint64_t group = at / 64, now = dropout_group(d, group);
    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = now >> shift;
        if (n - i > 64 - shift)
            now = dropout_group(d, ++group);
        if (shift)
            word |= now << (64 - shift);
        bits[i / 64] = word;
    }
}

#define DROPOUT_MEMBERS .dropout = dropout, .dropout_kept = dropout_kept

#endif

/* hash.h - XXH3, and an order-independent sum of row hashes.  The only includer of
 * xxhash.h.
 *
 * Source: xxHash (BSD-2), XXH3 64 and 128 bits.  The sum is the sum modulo 2^128 of the
 *   128-bit hashes of the rows (tsl_hash_row): equal multisets of rows give equal sums in any
 *   order, and an accidental difference goes unseen with probability 2^-128.
 * What is long is hashed 32 bytes at a time where the processor can (hash.c): 27 GB/s instead of
 *   11 on an Ice Lake at 2.8 GHz, and the same values.
 * Threads: pure functions; a state or a sum has one owner. */
#ifndef TSL_HASH_H
#define TSL_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

struct tsl_u128 {
    uint64_t lo, hi;
};

/* XXH3 treats up to so many bytes in ways that wide registers do not help. */
enum { TSL_HASH_SHORT = 240 };

/* As tsl_hash64, tsl_hash128, tsl_hasher64_add and tsl_hasher_add; for many bytes. */
uint64_t tsl_hash64_long(const void *p, size_t n, uint64_t seed);
struct tsl_u128 tsl_hash128_long(const void *p, size_t n);
void tsl_hash64_add_long(XXH3_state_t *s, const void *p, size_t n);
void tsl_hash128_add_long(XXH3_state_t *s, const void *p, size_t n);

/* What these call on x86-64 with AVX2. */
uint64_t tsl_hash64_avx2(const void *p, size_t n, uint64_t seed);
struct tsl_u128 tsl_hash128_avx2(const void *p, size_t n);
void tsl_hash64_add_avx2(XXH3_state_t *s, const void *p, size_t n);
void tsl_hash128_add_avx2(XXH3_state_t *s, const void *p, size_t n);

static inline uint64_t tsl_hash64(const void *p, size_t n, uint64_t seed)
{
    return n > TSL_HASH_SHORT ? tsl_hash64_long(p, n, seed)
                              : XXH3_64bits_withSeed(p, n, seed);
}

static inline struct tsl_u128 tsl_hash128(const void *p, size_t n)
{
    if (n > TSL_HASH_SHORT)
        return tsl_hash128_long(p, n);
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (struct tsl_u128){ h.low64, h.high64 };
}

/* What a row adds to a sum of rows: tsl_hash128 of more than 16 bytes; of fewer, of the
 * bytes, zeros up to 16 and their number, so that no branch depends on the length of
 * short rows.  slack: 16 bytes may be read at p. */
TSL_INLINE struct tsl_u128 tsl_hash_row(const void *p, size_t n, bool slack)
{
    static const uint8_t ones[32] = { 255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255, 255 };
    uint64_t w[3] = { 0, 0, TSL_LE64(n) }, mask[2];
    if (n > 16)
        return tsl_hash128(p, n);
    if (slack) {
        memcpy(w, p, 16);
        memcpy(mask, ones + 16 - n, 16);
        w[0] &= mask[0];
        w[1] &= mask[1];
    } else if (n) {
        memcpy(w, p, n);
    }
    return tsl_hash128(w, sizeof w);
}

static inline void tsl_u128_add(struct tsl_u128 *sum, struct tsl_u128 x)
{
    sum->lo += x.lo;
    sum->hi += x.hi + (sum->lo < x.lo);
}

static inline void tsl_u128_subtract(struct tsl_u128 *sum, struct tsl_u128 x)
{
    sum->hi -= x.hi + (sum->lo < x.lo);
    sum->lo -= x.lo;
}

static inline int tsl_u128_equal(struct tsl_u128 a, struct tsl_u128 b)
{
    return a.lo == b.lo && a.hi == b.hi;
}

/* A hash of bytes that arrive in pieces; the same value as tsl_hash128, or tsl_hash64 with
 * seed 0, of the whole. */
struct tsl_hasher {
    XXH3_state_t state;
};

static inline void tsl_hasher_init(struct tsl_hasher *h)
{
    XXH3_INITSTATE(&h->state);
    (void)XXH3_128bits_reset(&h->state);
}

static inline void tsl_hasher_add(struct tsl_hasher *h, const void *p, size_t n)
{
    if (n > TSL_HASH_SHORT)
        tsl_hash128_add_long(&h->state, p, n);
    else
        (void)XXH3_128bits_update(&h->state, p, n);
}

static inline struct tsl_u128 tsl_hasher_end(const struct tsl_hasher *h)
{
    XXH128_hash_t x = XXH3_128bits_digest(&h->state);
    return (struct tsl_u128){ x.low64, x.high64 };
}

/* The same of 64 bits: tsl_hash64 of the whole with that seed. */
struct tsl_hasher64 {
    XXH3_state_t state;
    uint64_t nbytes; /* so far */
};

static inline void tsl_hasher64_init(struct tsl_hasher64 *h, uint64_t seed)
{
    XXH3_INITSTATE(&h->state);
    (void)XXH3_64bits_reset_withSeed(&h->state, seed);
    h->nbytes = 0;
}

static inline void tsl_hasher64_add(struct tsl_hasher64 *h, const void *p, size_t n)
{
    if (n > TSL_HASH_SHORT)
        tsl_hash64_add_long(&h->state, p, n);
    else
        (void)XXH3_64bits_update(&h->state, p, n);
    h->nbytes += n;
}

static inline uint64_t tsl_hasher64_end(const struct tsl_hasher64 *h)
{
    return XXH3_64bits_digest(&h->state);
}

/* The older XXH64, seed 0, which other formats store; of bytes that arrive in pieces. */
struct tsl_xxh64 {
    XXH64_state_t state;
};

static inline void tsl_xxh64_init(struct tsl_xxh64 *h)
{
    (void)XXH64_reset(&h->state, 0);
}

static inline void tsl_xxh64_add(struct tsl_xxh64 *h, const void *p, size_t n)
{
    (void)XXH64_update(&h->state, p, n);
}

static inline uint64_t tsl_xxh64_end(const struct tsl_xxh64 *h)
{
    return XXH64_digest(&h->state);
}

#endif

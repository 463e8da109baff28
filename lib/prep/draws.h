/* draws.h - as many random numbers as a sample needs, from one key: pure functions of
 * (seed, purpose, epoch, address) and of how many were drawn before.
 *
 * base/key.h gives two words for (epoch, address); what follows are their mixtures with a
 * counter (splitmix64's steps, Steele et al. 2014, the second word between them), 1.5 ns
 * each.  So two samples whose counters meet by chance still draw different numbers.
 * Order: what is drawn is part of the output's definition.
 * Memory: 16 bytes, the caller's.  Threads: a struct tsl_draws has one owner. */
#ifndef TSL_DRAWS_H
#define TSL_DRAWS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/key.h"

struct tsl_draws {
    uint64_t at, salt;
};

static inline struct tsl_draws tsl_draws_make(const struct tsl_key *k, uint64_t epoch,
                                              uint64_t address)
{
    uint64_t at = tsl_key_at128(k, (struct tsl_u128){ .lo = address, .hi = epoch });
    return (struct tsl_draws){ at, tsl_key_at(k, at) };
}

/* 64 uniform bits. */
static inline uint64_t tsl_draws_next(struct tsl_draws *d)
{
    uint64_t z = d->at += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9) ^ d->salt;
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* Uniform in [0, n), 0 < n < 2^32, of 32 uniform bits and, once in 2^32 / n times, of
 * more (Lemire, arXiv 1805.10941). */
static inline uint32_t tsl_draws_below_of(struct tsl_draws *d, uint32_t bits, uint32_t n)
{
    uint64_t m = (uint64_t)bits * n;
    if ((uint32_t)m < n) {
        uint32_t reject = -n % n;
        while ((uint32_t)m < reject)
            m = (tsl_draws_next(d) >> 32) * n;
    }
    return (uint32_t)(m >> 32);
}

static inline uint32_t tsl_draws_below(struct tsl_draws *d, uint32_t n)
{
    return tsl_draws_below_of(d, (uint32_t)(tsl_draws_next(d) >> 32), n);
}

/* Uniform in [0, n), n > 0. */
static inline uint64_t tsl_draws_below64(struct tsl_draws *d, uint64_t n)
{
    __extension__ unsigned __int128 m = (unsigned __int128)tsl_draws_next(d) * n;
    if ((uint64_t)m < n) {
        uint64_t reject = -n % n;
        while ((uint64_t)m < reject) {
            __extension__ typedef unsigned __int128 wide;
            m = (wide)tsl_draws_next(d) * n;
        }
    }
    return (uint64_t)(m >> 64);
}

static inline bool tsl_draws_coin(struct tsl_draws *d)
{
    return tsl_draws_next(d) >> 63;
}

/* Of 32 uniform bits, bits < tsl_draws_threshold(p) holds with probability p, to 2^-33. */
static inline uint64_t tsl_draws_threshold(double p)
{
    return p <= 0 ? 0 : p >= 1 ? UINT64_C(1) << 32 : (uint64_t)rint(ldexp(p, 32));
}

static inline bool tsl_draws_less(struct tsl_draws *d, uint64_t threshold)
{
    return tsl_draws_next(d) >> 32 < threshold;
}

#endif

/* key.h - keyed randomness: every random decision is a pure function of (seed, purpose,
 * index).
 *
 * No generator is ever advanced, so any thread, host or resumed job computes its part
 * alone, and what one purpose draws says nothing about another's.
 *
 * The seed enters three times: as two words that multiply the index in full (128-bit
 * products) and as XXH3's own seed.  Seeding XXH3 of an 8-byte message alone would only
 * XOR the seed in before a bijection, and two seeds would then give the same order with
 * rows swapped in pairs wherever rows have a power-of-two size (tests/shuf/test_uniform.c
 * looks for just that).
 * Threads: pure functions. */
#ifndef TSL_KEY_H
#define TSL_KEY_H

#include <stdint.h>

#include "base/endian.h"
#include "base/hash.h"

struct tsl_key {
    uint64_t seed, before, after;
};

/* purpose: what is drawn, as a word; part of the output's definition, so never change
 * one. */
struct tsl_key tsl_key_make(uint64_t seed, const char *purpose);

/* 64 uniform bits for index: always the same ones. */
TSL_INLINE uint64_t tsl_key_at(const struct tsl_key *k, uint64_t index)
{
    uint64_t m[3] = { TSL_LE64(k->before), TSL_LE64(index), TSL_LE64(k->after) };
    return tsl_hash64(m, sizeof m, k->seed);
}

/* 64 uniform bits for a 128-bit index (a content hash). */
static inline uint64_t tsl_key_at128(const struct tsl_key *k, struct tsl_u128 index)
{
    return tsl_key_at(k, tsl_key_at(k, index.lo) ^ index.hi);
}

/* Uniform in [0, n), n > 0, without bias: rejection by Lemire's method (arXiv
 * 1805.10941), each further try keyed by the one before. */
uint64_t tsl_key_below(const struct tsl_key *k, uint64_t index, uint64_t n);

/* 64 bits from the system's generator, for a seed nobody chose.  Never fails: falls back
 * to the clock and the process where the system has none. */
uint64_t tsl_key_random_seed(void);

#endif

/* mt19937.h - the generator of CPython's random, and what Python makes of its words.
 *
 * For the compat_ files alone: there a peer's own generator is the specification.  All
 * else draws from base/key.h.
 * Order: the words follow from the seed.  Memory: 5 KB, the caller's.
 * Threads: a struct tsl_mt19937 has one owner.
 * Source: Matsumoto and Nishimura 1998; CPython's Lib/random.py and
 * Modules/_randommodule.c. */
#ifndef TSL_MT19937_H
#define TSL_MT19937_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TSL_MT19937_WORDS = 624 };

struct tsl_mt19937 {
    uint32_t key[TSL_MT19937_WORDS];
    uint32_t out[TSL_MT19937_WORDS]; /* tempered */
    unsigned at;                     /* the next of out */
};

/* The authors' init_genrand: what numpy.random.seed(n) does with a number. */
void tsl_mt19937_seed_word(struct tsl_mt19937 *g, uint32_t seed);

/* The authors' init_by_array; n > 0. */
void tsl_mt19937_seed_words(struct tsl_mt19937 *g, const uint32_t *words, size_t n);

/* random.seed(seed), as Python 2 and 3 do it with a number. */
void tsl_mt19937_seed_python(struct tsl_mt19937 *g, uint64_t seed);

/* The next 624 words into out. */
void tsl_mt19937_refill(struct tsl_mt19937 *g);

static inline uint32_t tsl_mt19937_next(struct tsl_mt19937 *g)
{
    if (g->at == TSL_MT19937_WORDS)
        tsl_mt19937_refill(g);
    return g->out[g->at++];
}

/* What random() is times 2^53. */
static inline uint64_t tsl_mt19937_bits53(struct tsl_mt19937 *g)
{
    uint64_t high = tsl_mt19937_next(g) >> 5;
    return high << 26 | tsl_mt19937_next(g) >> 6;
}

/* random() < .5: the first of its two words decides. */
static inline bool tsl_mt19937_coin(struct tsl_mt19937 *g)
{
    uint32_t high = tsl_mt19937_next(g);
    tsl_mt19937_next(g);
    return !(high >> 31);
}

/* random(): uniform in [0, 1). */
static inline double tsl_mt19937_random(struct tsl_mt19937 *g)
{
    return (double)tsl_mt19937_bits53(g) * 0x1p-53;
}

/* random() < p is tsl_mt19937_bits53() < tsl_mt19937_threshold(p): no rounding in it. */
static inline uint64_t tsl_mt19937_threshold(double p)
{
    return p <= 0 ? 0 : p >= 1 ? UINT64_C(1) << 53 : (uint64_t)ceil(ldexp(p, 53));
}

/* getrandbits(nbits), 1 to 64. */
uint64_t tsl_mt19937_getrandbits(struct tsl_mt19937 *g, unsigned nbits);

/* Uniform in [0, n), 0 < n < 2^53: Python 3's by rejection, Python 2's int(random() *
 * n). */
uint64_t tsl_mt19937_below(struct tsl_mt19937 *g, uint64_t n, bool python2);

/* randint(low, high): both ends are in it. */
static inline uint64_t tsl_mt19937_randint(struct tsl_mt19937 *g, uint64_t low,
                                           uint64_t high, bool python2)
{
    return low + tsl_mt19937_below(g, high - low + 1, python2);
}

/* random.shuffle. */
void tsl_mt19937_shuffle16(struct tsl_mt19937 *g, uint16_t *a, size_t n, bool python2);
void tsl_mt19937_shuffle32(struct tsl_mt19937 *g, uint32_t *a, size_t n, bool python2);
void tsl_mt19937_shuffle64(struct tsl_mt19937 *g, uint64_t *a, size_t n, bool python2);

#endif

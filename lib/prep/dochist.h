/* dochist.h - how much each document gives: documents by how many samples they have, and by the
 * tokens of those.
 *
 * Order: sums; the order of what is counted is nothing to them.
 * Memory: fixed.
 * Threads: plain data; each thread counts for itself, and sums are added. */
#ifndef TSL_DOCHIST_H
#define TSL_DOCHIST_H

#include <stdint.h>

/* Bin 0: none; bin k: 2^(k - 1) to 2^k - 1; the last: that and more. */
enum { TSL_DOCHIST_BINS = 33 };

struct tsl_dochist {
    uint64_t samples[TSL_DOCHIST_BINS], tokens[TSL_DOCHIST_BINS];
};

static inline unsigned tsl_dochist_bin(uint64_t n)
{
    unsigned k = n ? 64 - (unsigned)__builtin_clzll(n) : 0;
    return k < TSL_DOCHIST_BINS ? k : TSL_DOCHIST_BINS - 1;
}

/* One more document. */
static inline void tsl_dochist_put(struct tsl_dochist *h, uint64_t samples,
                                   uint64_t tokens)
{
    h->samples[tsl_dochist_bin(samples)]++;
    h->tokens[tsl_dochist_bin(tokens)]++;
}

static inline void tsl_dochist_add(struct tsl_dochist *sum, const struct tsl_dochist *h)
{
    for (int i = 0; i < TSL_DOCHIST_BINS; i++) {
        sum->samples[i] += h->samples[i];
        sum->tokens[i] += h->tokens[i];
    }
}

#endif

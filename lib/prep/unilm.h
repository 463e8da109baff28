/* unilm.h - which tokens of a sample may see which: bidirectional, left to right, right to
 * left, or a prefix that all see and a rest that is left to right.  A rule and a prefix
 * length a sample; nobody stores a matrix.
 *
 * UniLM mixes the kinds, a third, a third (prefix), a sixth and a sixth; a prefix language
 * model has one kind.  Where the prefix ends, a separator can be put in, as bert4keras
 * does, whose loader draws the split.
 *
 * Order: a pure function of (seed, epoch, the sample's address) and its length.
 * Memory: none.  Threads: a struct tsl_unilm is read-only.
 * Sources: Dong et al. 2019 (UniLM); bert4keras pretraining/pretraining.py; Raffel et al.
 * 2019 (prefix language models, a prefix of 1 .. n - 1 tokens). */
#ifndef TSL_UNILM_H
#define TSL_UNILM_H

#include "prep/draws.h"
#include "prep/sample.h"

struct tsl_unilm_opts {
    uint64_t seed;
    double weights[4]; /* by enum tsl_sample_kind */
    /* A prefix has low .. n - high tokens, uniformly; a sample too short for that is left
     * to right. */
    uint32_t low, high;
    int64_t separator; /* an id put in behind the prefix; -1: none */
    uint32_t
        tokens_max; /* with separator: the last token gives way where it does not fit */
};

struct tsl_unilm {
    struct tsl_unilm_opts o;
    struct tsl_key key;
    uint64_t below[4];
};

struct tsl_unilm_opts tsl_unilm_defaults(void); /* UniLM's mixture */
struct tsl_unilm_opts tsl_unilm_prefix(void);   /* prefixes only */
struct tsl_unilm_opts tsl_unilm_bert4keras(int64_t sep, uint32_t tokens_max);

int tsl_unilm_init(struct tsl_unilm *u, const struct tsl_unilm_opts *o,
                   struct tsl_err *err);

/* Sets kind and prefix; with a separator, the sample's first is what ends with it. */
void tsl_unilm_apply(const struct tsl_unilm *u, uint64_t epoch, struct tsl_sample *s);

/* May the token at i see the one at j?  The rule of kind, prefix and ends, for those who
 * want a matrix, and for tests. */
bool tsl_unilm_sees(const struct tsl_sample *s, uint32_t i, uint32_t j);

#endif

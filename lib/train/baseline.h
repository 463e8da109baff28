/* baseline.h - what counting alone finds out of a held-out set: the floor that a model has to
 * leave below.
 *
 *   unigram   always the token that the training set asks for most often
 *   bigram    the token that is most frequent behind the left neighbour; where that is masked or
 *             was never seen, before the right one (of masked tokens only); else the unigram's
 * Neighbours are what a model sees: of the training set the tokens as they were, of the held-out
 * one the tokens as they are masked.  Special tokens are never the answer.  The smallest id wins
 * where counts are the same.
 * Order: none: counts are exact, however often the training set is gone through.
 * Memory: opts.memory for pairs; a training set with more different ones is gone through several
 *   times, each time for a range of neighbours.  Beside it some 40 bytes an id, and the loaders'.
 * Threads: one caller; the loaders' own threads. */
#ifndef TSL_BASELINE_H
#define TSL_BASELINE_H

#include "train/loader.h"

struct tsl_baseline_opts {
    struct tsl_loader_opts train, held; /* what says an order is not looked at */
    uint64_t batches;                   /* of the held-out set, at most; 0: all */
    size_t memory;                      /* 0: 256 MiB */
};

struct tsl_baseline_out {
    uint64_t counted;  /* labels of the training set */
    uint64_t pairs;    /* neighbours of tokens that were counted */
    unsigned passes;   /* over the training set, for pairs */
    uint32_t frequent; /* the unigram's answer */
    uint64_t labels;   /* of the held-out set */
    uint64_t unigram_right, bigram_right;
    uint64_t by_left, by_right; /* answers that a neighbour gave */
};

/* 0; TSL_EUSAGE for sets that do not go together or have nothing of the kind; TSL_EFORMAT, TSL_EIO,
 * TSL_ENOMEM. */
int tsl_baseline_run(const struct tsl_baseline_opts *o, struct tsl_baseline_out *out,
                     struct tsl_err *err);

#endif

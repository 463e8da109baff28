/* bpemerge.h - words as symbols, the pairs of symbols that stand side by side, and which of
 * them is best: what byte pair encoding does over and over (bpetrain.h).
 *
 * Symbols lie in one array.  A merged pair keeps its place: its first slot has the new id,
 * the others are holes, of which the first and the last tell its length, so that both
 * neighbours are a step away.  Words are cut into units of at most some dozen slots; a
 * pair's occurrences are numbers of units, ascending, written once when the pair comes up,
 * and checked when they are used.  So one merge costs a short scan for each unit that has
 * the pair, however long words are.
 *
 * With a bound only pairs at or above it are kept.  The caller may then cut words between
 * symbols whose pair is below, and words that are the same become one: pairs that are below
 * stay there, as ids only grow (but see tsl_bpemerge_apply).
 *
 * Order: of pairs, as tsl_bpemerge_opts says; ids are the caller's.
 * Memory: 4 bytes a slot, 12 a unit, 4 an occurrence, about 80 a pair.
 * Threads: one owner. */
#ifndef TSL_BPEMERGE_H
#define TSL_BPEMERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TSL_BPEMERGE_ID_MAX = (1 << 30) - 1 };

struct tsl_bpemerge;

struct tsl_bpemerge_pair {
    uint32_t left, right;
    uint64_t count;
    size_t batch; /* which occurrences; merge.c's business */
};

struct tsl_bpemerge_opts {
    /* Pairs that come up by merging are left out where they are of so many symbols, as words
     * had them at first, or more; 0: no limit. */
    size_t slots_limit;
    const uint32_t *const *len; /* by id: of how many it is; NULL: each is one at first */
    bool
        likelihood; /* best by count(pair) / (count(left) * count(right)), then by count */
    void *ctx;
    /* Asked once for each pair and merge that brings it up; NULL: all are. */
    bool (*allowed)(void *ctx, uint32_t left, uint32_t right);
    /* Of pairs of one count the one with the smallest key is best, and where keys are equal
     * the one that compare puts first.  NULL: left, then right. */
    uint64_t (*key)(void *ctx, uint32_t left, uint32_t right);
    int (*compare)(void *ctx, uint32_t left1, uint32_t right1, uint32_t left2,
                   uint32_t right2);
    uint64_t bound; /* pairs of a lower count are left out; 0: none are */
    bool
        same_words; /* words may come again: they are looked for, and their counts added */
    /* NULL, or what a pair's count is more than its occurrences: where it was merged before. */
    int64_t (*excess)(void *ctx, uint32_t left, uint32_t right);
    void *excess_ctx;
    /* Bytes; 0: no limit.  Words and start are refused beyond it; apply is not, see
     * tsl_bpemerge_is_over. */
    size_t memory;
};

int tsl_bpemerge_create(struct tsl_bpemerge **m, const struct tsl_bpemerge_opts *o,
                        struct tsl_err *err);
void tsl_bpemerge_destroy(struct tsl_bpemerge *m);

/* A word of n symbols, 2 at least, none above TSL_BPEMERGE_ID_MAX.  Words first. */
int tsl_bpemerge_word(struct tsl_bpemerge *m, const uint32_t *ids, size_t n,
                      uint64_t count, struct tsl_err *err);

/* All words are there: counts pairs.  count: how often each id came in all, nids of them;
 * only for likelihood, else NULL. */
int tsl_bpemerge_start(struct tsl_bpemerge *m, const uint64_t *count, size_t nids,
                       struct tsl_err *err);

/* 1 and the best pair, which is gone then from those that wait; 0 where none is left. */
int tsl_bpemerge_best(struct tsl_bpemerge *m, struct tsl_bpemerge_pair *best,
                      struct tsl_err *err);

/* Makes id of each occurrence of pair, what best gave last.  As in Hugging Face's trainer
 * id may be one that there is already, and then pairs with it may come up again; where pairs
 * were left out they may then rise above the bound, so that no more can be merged here. */
int tsl_bpemerge_apply(struct tsl_bpemerge *m, const struct tsl_bpemerge_pair *pair,
                       uint32_t id, struct tsl_err *err);

/* A pair was left out because of the bound. */
bool tsl_bpemerge_is_partial(const struct tsl_bpemerge *m);
/* Memory is more than opts.memory, or symbols are too many: what an error was about, and
 * after apply a sign that it is better to begin anew, with a higher bound. */
bool tsl_bpemerge_is_over(const struct tsl_bpemerge *m);
void tsl_bpemerge_limit(struct tsl_bpemerge *m, size_t memory); /* another opts.memory */
/* A pair's count: of one that was merged what it is more than its occurrences, if no merge
 * gave an id that there was, or after uncount. */
int64_t tsl_bpemerge_count(const struct tsl_bpemerge *m, uint32_t left, uint32_t right);
/* Takes occurrences off all counts.  Only these can be asked for from then on. */
void tsl_bpemerge_uncount(struct tsl_bpemerge *m);

uint64_t tsl_bpemerge_pairs(const struct tsl_bpemerge *m); /* that there ever were */
uint64_t tsl_bpemerge_peak_bytes(const struct tsl_bpemerge *m);

#endif

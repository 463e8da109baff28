/* bperounds.h - byte pair encoding of more words than fit in memory, exactly: bpemerge.h in
 * rounds.
 *
 * Between rounds words lie in a store (wordstore.h).  In a round only pairs that are at or
 * above a bound are looked at.  A pass over the words adds up counts in buckets of a sketch,
 * which are never less than any pair's, so that the bound can be chosen such that what is
 * above it fits; a second pass cuts words wherever the pair is below, and hands over what is
 * left of them, the same pieces once.  This is far less than the words: the more merges
 * there were, the rarer are the pairs that rare words still have.  When the best pair falls
 * below the bound the round is over, the stored words are merged, too, and the next one
 * begins with a lower bound.  A pair that is below stays there, with one exception: where a
 * merge gives an id that there was before.  This ends the round.
 *
 * So memory decides how many rounds there are, not what is merged.
 * Order: as bpemerge.h.
 * Memory: opts.memory, but at least some MiB for words of any length: see
 *   tsl_bperounds_best.  Likelihood, which has no bound, takes all pairs in one round.
 * Threads: one owner. */
#ifndef TSL_BPEROUNDS_H
#define TSL_BPEROUNDS_H

#include "text/bpemerge.h"

struct tsl_bperounds;

struct tsl_bperounds_opts {
    struct tsl_bpemerge_opts pairs; /* bounds, excess, len, memory: not the caller's */
    uint64_t least;                 /* pairs of a lower count are not asked for; 0 is 1 */
    size_t ids;                     /* how many there will be: merges go on up to here */
    size_t memory;                  /* bytes; 0: no limit */
    size_t pairs_max;               /* that a round begins with; 0: as it suits */
    const char *const *dirs;        /* for temporary space; none: words stay in memory */
    size_t ndirs;
};

struct tsl_bperounds_stats {
    uint64_t rounds, pairs; /* pairs: different ones that were looked at, at most */
    uint64_t peak_bytes;
};

int tsl_bperounds_create(struct tsl_bperounds **r, const struct tsl_bperounds_opts *o,
                         struct tsl_err *err);
/* NULL is fine. */
void tsl_bperounds_destroy(struct tsl_bperounds *r);

/* As tsl_bpemerge_word. */
int tsl_bperounds_word(struct tsl_bperounds *r, const uint32_t *ids, size_t n,
                       uint64_t count, struct tsl_err *err);
/* All words are there.  As tsl_bpemerge_start; count: lent until destroy. */
int tsl_bperounds_start(struct tsl_bperounds *r, const uint64_t *count, size_t nids,
                        struct tsl_err *err);
/* As tsl_bpemerge_best, and none of a lower count than opts.least.  TSL_ENOMEM where not
 * even the pieces that have the best pair fit, and how much it takes; TSL_EIO. */
int tsl_bperounds_best(struct tsl_bperounds *r, struct tsl_bpemerge_pair *best,
                       struct tsl_err *err);
int tsl_bperounds_apply(struct tsl_bperounds *r, const struct tsl_bpemerge_pair *pair,
                        uint32_t id, struct tsl_err *err);

struct tsl_bperounds_stats tsl_bperounds_stats(const struct tsl_bperounds *r);

#endif

/* shufrange.h - the numbers of a range in random order, of any range, in constant memory.
 *
 * Order: base/permute.h's.  Position i's number needs no other number, so the head of the
 *   order costs its own length and nothing else.  With repeat, independent uniform draws.
 * Memory: a few batches.
 * Threads: one caller; starts its own. */
#ifndef TSL_SHUFRANGE_H
#define TSL_SHUFRANGE_H

#include "shuf/shufjob.h"

/* Ranges up to this many numbers are better shuffled as rows: exactly uniform by
 * sorting. */
#define TSL_SHUFRANGE_SMALL (UINT64_C(1) << 20)

struct tsl_shufrange {
    uint64_t lo, hi; /* hi - lo + 1 of them; not 0 to 2^64-1 */
    bool repeat;     /* draw with replacement, for ever or o->head */
};

/* Of o: seed, nthreads, frame, head, sample, out, progress.  Returns as tsl_shufjob_run
 * does. */
int tsl_shufrange_run(const struct tsl_shufrange *r, const struct tsl_shufjob_opts *o,
                      struct tsl_shufjob_stats *st, struct tsl_err *err);

#endif

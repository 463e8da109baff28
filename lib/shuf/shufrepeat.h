/* shufrepeat.h - rows drawn with replacement: row i of the output is a uniform draw keyed
 * by i.
 *
 * Order: by seed and rows alone.
 * Memory: o->memory; rows beyond it are kept in temporary space, and draws are answered
 *   in rounds, each in one walk over the blocks it needs.
 * Threads: one caller; the store writes on threads of its own. */
#ifndef TSL_SHUFREPEAT_H
#define TSL_SHUFREPEAT_H

#include "shuf/shufjob.h"

/* Of o: paths or rows_given, frames, header_rows, seed, memory, nthreads, dirs, temp_*,
 * head, out, progress.  No rows to draw from is an error unless head is 0.
 * Returns as tsl_shufjob_run; without a head only a failing output ends it. */
int tsl_shufrepeat_run(const struct tsl_shufjob_opts *o, struct tsl_shufjob_stats *st,
                       struct tsl_err *err);

#endif

/* schedule.h - the learning rate over time: a pure function of the step.
 *
 * What comes out is a multiplier of the optimizer's own rate.  Steps count from 0: at(0) is for
 * the first update.  No state, so a resumed run has nothing to restore, and the same bits on
 * every machine (base/fixmath.h).
 * Order: none.
 * Memory: a plain struct.
 * Threads: pure. */
#ifndef TSL_SCHEDULE_H
#define TSL_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* X(enumerator, name); W: warmup, N: total, f: final.  Warming up is step / W everywhere. */
#define TSL_SCHEDULE_KINDS(X)                                                            \
    X(TSL_SCHEDULE_CONSTANT, "constant") /* 1 */                                         \
    X(TSL_SCHEDULE_LINEAR, "linear")     /* from 1 at W straight to f at N */            \
    X(TSL_SCHEDULE_COSINE, "cosine") /* f + (1 - f) (1 + cos(pi (t-W) / (N-W))) / 2 */   \
    X(TSL_SCHEDULE_RSQRT, "rsqrt")   /* sqrt(W / t); 1 / sqrt(t) without warming up */   \
    X(TSL_SCHEDULE_BERT, "bert") /* 1 - t / N from the first step on: after warming \
                                            up it jumps to 1 - W / N */    \
    X(TSL_SCHEDULE_PIECEWISE, "piecewise") /* straight between points */

enum tsl_schedule_kind {
#define X(id, name) id,
    TSL_SCHEDULE_KINDS(X)
#undef X
};

enum { TSL_SCHEDULE_POINTS = 32 };

/* All zero: constant 1. */
struct tsl_schedule {
    enum tsl_schedule_kind kind;
    uint64_t warmup, total; /* in steps */
    double final;           /* what is left from step total on */
    /* piecewise: steps rise; before the first of them, if it is not 0, straight from 0 at step
     * 0; after the last as there (bert4keras' lr_schedule). */
    size_t npoints;
    struct {
        uint64_t step;
        double value;
    } point[TSL_SCHEDULE_POINTS];
};

/* From "constant", "linear:warmup=1000,total=100000", "cosine:warmup=1%,total=20000,final=0.1",
 * "rsqrt:warmup=4000", "bert:warmup=10000,total=100000", "piecewise:1000=1,2000=0.1".
 * total: taken from total_steps where the text has none; a warmup in percent is of it.
 * 0, or TSL_EUSAGE that shows the part that is wrong. */
int tsl_schedule_parse(struct tsl_schedule *s, const char *text, uint64_t total_steps,
                       struct tsl_err *err);

/* The multiplier for the update after step others. */
double tsl_schedule_at(const struct tsl_schedule *s, uint64_t step);

#endif

/* pool.h - fixed workers and a parallel for: work is split by index, never by thread
 * count.
 *
 * Order: none between indexes; run returns when all are done, and everything done happens
 *   before it returns.
 * Memory: nothing per run.
 * Threads: the caller works too, so a pool of n has n - 1 threads of its own; one
 *   caller. */
#ifndef TSL_POOL_H
#define TSL_POOL_H

#include "base/err.h"

struct tsl_pool;

/* n: at least 1.  0 or TSL_ENOMEM; a pool that could start fewer threads works with
 * those. */
int tsl_pool_create(struct tsl_pool **p, unsigned n, struct tsl_err *err);
/* Joins the threads.  Not during a run; NULL is fine. */
void tsl_pool_destroy(struct tsl_pool *p);
/* How many work in a run, the caller among them: what needs memory of its own for each. */
unsigned tsl_pool_threads(const struct tsl_pool *p);

/* fn(ctx, i) once for each i in [0, n); returns when all are back.  Does not nest. */
void tsl_pool_run(struct tsl_pool *p, unsigned n, void (*fn)(void *ctx, unsigned i),
                  void *ctx);

#endif

/* pipeline.h - read items in order, work on them in parallel, write them in order.
 *
 * Order: read and write see the items one at a time and in the same order; work sees each
 *   item once, several at a time.  So a result depends on nothing but the items.
 * Memory: the caller's items circulate; nothing is allocated per item.
 * Threads: one for read, nthreads for work, and the caller's own for write.  An item has
 *   one owner at any moment; handing it on is a happens-before edge.
 * Errors: the first one wins.  After it no callback is started again, cancel is called
 *   once (it must wake whoever waits inside a callback), and run returns when all
 *   callbacks are back. */
#ifndef TSL_PIPELINE_H
#define TSL_PIPELINE_H

#include "base/err.h"

struct tsl_pipeline {
    /* Fills item: 1 when filled, 0 at the end, negative on failure. */
    int (*read)(void *ctx, void *item, struct tsl_err *err);
    /* Both 0, or negative on failure.  worker: 0 .. nthreads - 1, for scratch memory. */
    int (*work)(void *ctx, unsigned worker, void *item, struct tsl_err *err);
    int (*write)(void *ctx, void *item, struct tsl_err *err); /* may be NULL */
    void (*cancel)(void *ctx);                                /* may be NULL */
    void *ctx;
    void **items; /* nitems of them; the depth of the pipeline */
    unsigned nitems, nthreads;
};

/* 0 when every item was written, else the first error (TSL_ENOMEM or TSL_EIO when a
 * thread cannot be started). */
int tsl_pipeline_run(const struct tsl_pipeline *p, struct tsl_err *err);

#endif

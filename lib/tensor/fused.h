/* fused.h - what fused operations share.
 * Order: by the shapes alone.
 * Memory: as op.h.
 * Threads: as op.h. */
#ifndef TSL_FUSED_H
#define TSL_FUSED_H

#include "tensor/gemm.h"
#include "tensor/kernel_args.h"
#include "tensor/op.h"
#include "tensor/ops.h"

/* a b as matrices [rows, last axis] of contiguous tensors, each turned where asked, seen with
 * rank axes dim; in bf16 where the graph's options say so.  Can be added to. */
struct tsl_tensor *tsl_fused_product(struct tsl_graph *g, struct tsl_tensor *a,
                                     bool turn_a, struct tsl_tensor *b, bool turn_b,
                                     unsigned rank, const int64_t *dim);
/* dy f'(x); lies where dy lies where that is not needed any more. */
struct tsl_tensor *tsl_fused_unary_backward(struct tsl_graph *g, enum tsl_unary f,
                                            struct tsl_tensor *dy, struct tsl_tensor *x);
/* x, dropped as site says. */
struct tsl_tensor *tsl_fused_drop(struct tsl_graph *g, struct tsl_tensor *x, double p,
                                  int64_t site);

/* An attention: q [batch, tq, heads * width], k, v as in ops.h, and its mask. */
struct tsl_fused_attention {
    struct tsl_tensor *q, *k, *v, *who, *lengths, *docs,
        *bias;           /* from who on, NULL is fine */
    int64_t heads, mask; /* mask: attention.h's */
    double scale, drop;
    int64_t site;
};
/* Its result by primitives. */
struct tsl_tensor *tsl_fused_attention_expand(struct tsl_graph *g,
                                              const struct tsl_fused_attention *a);

/* Of a cross entropy.  How many labels there are, or what said says; at least 1, so that none
 * gives 0. */
double tsl_fused_divisor(const int32_t *labels, size_t n, const struct tsl_tensor *said);
/* Does each row of x have a label?  The graph has failed where not. */
bool tsl_fused_labels_fit(struct tsl_graph *g, const struct tsl_tensor *x,
                          const struct tsl_tensor *labels, const struct tsl_tensor *said);

/* y = f(x), n numbers, while running. */
void tsl_fused_unary(const struct tsl_run *r, enum tsl_unary f, float *y, const float *x,
                     size_t n);
/* What decides which numbers a dropout site drops in this step. */
uint64_t tsl_fused_drop_key(const struct tsl_draw *draw, uint64_t site);
/* The same for the kernels. */
struct tsl_dropout tsl_fused_dropout(const struct tsl_draw *draw, uint64_t site,
                                     double p);

#endif

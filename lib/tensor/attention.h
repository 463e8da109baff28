/* attention.h - y = softmax(q k^T scale + bias, masked) v, head by head, without its scores
 * ever being whole in memory; and its gradients.
 *
 * Forward keeps y and one number a row, the logarithm of its sum of exponentials; backward
 * computes the probabilities again from those, some rows at a time (Dao et al. 2022,
 * FlashAttention).  Whom a query sees is a run of keys in every mask that is here, so nothing
 * outside of a row's run is computed, and no mask is ever written down.
 * A query that sees no key gives zeros, and no gradient; its lse is -infinity.
 * Order: sums over keys and over queries run in their order, from the first seen to the last;
 *   maxima and sums of exponentials in sixteen lanes, key j in lane j % 16.  So the same bits
 *   for any number of threads and on every processor.
 * Memory: scratch is the caller's: tsl_attention_scratch_bytes, at a multiple of 64, its
 *   contents of no use afterwards; some floats times (tk + tq) for each thread.
 * Threads: work is split by batch, head and, forward, queries over a pool; one caller a
 *   pool. */
#ifndef TSL_ATTENTION_H
#define TSL_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tsl_kernels;
struct tsl_pool;

/* Which keys a query sees, before lengths and docs. */
enum tsl_attention_mask {
    TSL_ATTENTION_ALL,
    TSL_ATTENTION_CAUSAL, /* i sees j <= i */
    TSL_ATTENTION_PREFIX, /* i sees j <= i, and j < prefix[b] */
    TSL_ATTENTION_UNILM,  /* i sees j where sums[b,j] <= sums[b,i] (Dong et al. 2019) */
};

/* From one batch row, position and head to the next, in floats; a head's numbers lie side by
 * side. */
struct tsl_attention_at {
    size_t batch, position, head;
};

/* All zero but for shapes, q, k, v, y and scale: everybody sees everybody. */
struct tsl_attention {
    size_t batch, heads, tq, tk; /* any may be 0 */
    size_t dim, dim_v;           /* widths of q and k, of v and y; at least 1 */
    const float *q, *k, *v;      /* [batch, tq or tk, heads, dim or dim_v] by strides */
    struct tsl_attention_at q_at, k_at, v_at, y_at;
    float *y; /* [batch, tq, heads, dim_v]; forward writes it, backward reads it */
    float
        *lse; /* [batch, heads, tq], contiguous; likewise.  Forward: NULL if not wanted */
    float scale;
    enum tsl_attention_mask mask;
    const int32_t *prefix; /* [batch] */
    const int32_t *sums;   /* [batch, tk], running sums of segment ids, which do not fall;
                               tq is tk */
    const int32_t *lengths; /* [batch] or NULL: keys from there on are not seen */
    const int32_t
        *docs;         /* [batch, tk] or NULL: a query sees only the run of equal numbers
                               that it stands in; tq is tk */
    const float *bias; /* [tq, tk] by batch and head, or NULL: added to the scaled scores;
                               -infinity hides a key */
    size_t bias_batch, bias_head; /* strides; 0: the same for all */
    float drop; /* probabilities are 0 with this chance, else divided by 1 - drop */
    uint64_t
        drop_key; /* which: number ((b heads + h) tq + i) tk + j of kernel_args.h's draws */
    bool bf16;    /* factors of all products are rounded to bfloat16; sums are not */
    const struct tsl_kernels *kernels; /* NULL: tsl_kernels(), the fastest */
};

/* Gradients by the strides of what they are gradients of, unless told otherwise: all are
 * written, none added to. */
struct tsl_attention_grads {
    const float *dy;
    float *dq, *dk, *dv;
    struct tsl_attention_at dy_at, dq_at, dk_at, dv_at;
    float *dbias; /* [heads, tq, tk], summed over the batch in its order; or NULL */
};

/* For forward and backward on a pool of at most nthreads. */
size_t tsl_attention_scratch_bytes(const struct tsl_attention *a, unsigned nthreads);

/* pool: NULL for the caller's thread alone. */
void tsl_attention_forward(const struct tsl_attention *a, struct tsl_pool *pool,
                           void *scratch);
/* a as forward had it, y and lse included. */
void tsl_attention_backward(const struct tsl_attention *a,
                            const struct tsl_attention_grads *g, struct tsl_pool *pool,
                            void *scratch);

/* The keys [from, to) that query i of batch row b sees; from is to if there are none. */
struct tsl_attention_run {
    uint32_t from, to;
};
/* runs[i - first] for i in [first, last): what forward and backward go by. */
void tsl_attention_runs(const struct tsl_attention *a, size_t b, size_t first,
                        size_t last, struct tsl_attention_run *runs);

#endif

/* ops.h - the operations: each records a node of a graph and returns what it will compute.
 *
 * NULL in, NULL out: the graph keeps the first error (graph.h).  Shapes are written [rows,
 * cols]; "..." are any axes.  Numbers are f32 where nothing is said.
 * Order: sums run in an order that shapes alone decide.
 * Memory: what a fused operation keeps for its backward is said with it.
 * Threads: recording has one owner. */
#ifndef TSL_OPS_H
#define TSL_OPS_H

#include "tensor/graph.h"
#include "tensor/unary.h"

/* ---- numbers, one by one ---- */

/* "gelu", "gelu_new", "relu", "silu" ... as in config.json; TSL_UNARIES when unknown. */
enum tsl_unary tsl_ops_unary_named(const char *name);

struct tsl_tensor *tsl_ops_unary(struct tsl_graph *g, enum tsl_unary f,
                                 struct tsl_tensor *x);
/* a x + b */
struct tsl_tensor *tsl_ops_affine(struct tsl_graph *g, struct tsl_tensor *x, double a,
                                  double b);
/* With broadcasting as NumPy's: shapes are aligned at the last axis. */
struct tsl_tensor *tsl_ops_add(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b);
struct tsl_tensor *tsl_ops_sub(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b);
struct tsl_tensor *tsl_ops_mul(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b);
struct tsl_tensor *tsl_ops_div(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b);
/* x, from which no gradient flows back. */
struct tsl_tensor *tsl_ops_detach(struct tsl_graph *g, struct tsl_tensor *x);
/* To f32 or bf16 (to nearest, even). */
struct tsl_tensor *tsl_ops_cast(struct tsl_graph *g, struct tsl_tensor *x,
                                enum tsl_num type);
/* Each number is dropped with probability p, else divided by 1 - p.  Which ones is a pure function
 * of the draw (graph.h), of this site, and of the number's index: nothing is stored.  x itself
 * where p is 0 or the graph is not for training. */
struct tsl_tensor *tsl_ops_dropout(struct tsl_graph *g, struct tsl_tensor *x, double p);

/* ---- shapes ---- */

struct tsl_tensor *tsl_ops_fill(struct tsl_graph *g, float value, unsigned rank,
                                const int64_t *dim);
/* A view where x is contiguous, else a copy.  As many numbers as x. */
struct tsl_tensor *tsl_ops_reshape(struct tsl_graph *g, struct tsl_tensor *x,
                                   unsigned rank, const int64_t *dim);
/* Axis i of the result is axis axes[i] of x: a view. */
struct tsl_tensor *tsl_ops_permute(struct tsl_graph *g, struct tsl_tensor *x,
                                   const unsigned *axes);
/* The two last axes exchanged: a view. */
struct tsl_tensor *tsl_ops_transpose(struct tsl_graph *g, struct tsl_tensor *x);
/* Broadcast to a shape: a view. */
struct tsl_tensor *tsl_ops_expand(struct tsl_graph *g, struct tsl_tensor *x,
                                  unsigned rank, const int64_t *dim);
/* count of the axis, from on: a view. */
struct tsl_tensor *tsl_ops_slice(struct tsl_graph *g, struct tsl_tensor *x, unsigned axis,
                                 int64_t from, int64_t count);
/* The reverse of slice: zeros of length total along the axis, x at from. */
struct tsl_tensor *tsl_ops_pad(struct tsl_graph *g, struct tsl_tensor *x, unsigned axis,
                               int64_t from, int64_t total);
/* One behind the other along an axis, n of them, at most 8. */
struct tsl_tensor *tsl_ops_concat(struct tsl_graph *g, struct tsl_tensor *const *x,
                                  unsigned n, unsigned axis);
/* Contiguous, in a storage of its own. */
struct tsl_tensor *tsl_ops_copy(struct tsl_graph *g, struct tsl_tensor *x);
/* x, or a copy where it is not contiguous. */
struct tsl_tensor *tsl_ops_contiguous(struct tsl_graph *g, struct tsl_tensor *x);

/* ---- reductions ---- */

/* Over the axes of the mask (bit i: axis i), which keep a length of 1. */
struct tsl_tensor *tsl_ops_sum(struct tsl_graph *g, struct tsl_tensor *x, unsigned axes);
struct tsl_tensor *tsl_ops_mean(struct tsl_graph *g, struct tsl_tensor *x, unsigned axes);
/* To a scalar. */
struct tsl_tensor *tsl_ops_sum_all(struct tsl_graph *g, struct tsl_tensor *x);
struct tsl_tensor *tsl_ops_mean_all(struct tsl_graph *g, struct tsl_tensor *x);
/* Summed over the axes that broadcasting like's shape to x's would add or lengthen. */
struct tsl_tensor *tsl_ops_sum_to(struct tsl_graph *g, struct tsl_tensor *x,
                                  unsigned rank, const int64_t *dim);
/* The largest of the last axis [..., n] -> [...]; the gradient goes to the first largest. */
struct tsl_tensor *tsl_ops_max(struct tsl_graph *g, struct tsl_tensor *x);

/* ---- products ---- */

/* [..., m, k] [..., k, n] -> [..., m, n]; any strides, leading axes broadcast. */
struct tsl_tensor *tsl_ops_matmul(struct tsl_graph *g, struct tsl_tensor *a,
                                  struct tsl_tensor *b);
/* f(x w^T + b): x [..., k], w [n, k] (in_out: [k, n], as GPT-2's Conv1D), b [n] or NULL.  Keeps
 * the value before f where f is not the identity.  Multiplies in bf16 where the graph's
 * options say so. */
struct tsl_tensor *tsl_ops_linear(struct tsl_graph *g, struct tsl_tensor *x,
                                  struct tsl_tensor *w, struct tsl_tensor *b,
                                  enum tsl_unary f, bool in_out);

/* ---- indexes ---- */

/* w[ids[...], :]: w [v, n], ids i32 [...] -> [..., n].  A negative id gives zeros. */
struct tsl_tensor *tsl_ops_gather(struct tsl_graph *g, struct tsl_tensor *w,
                                  struct tsl_tensor *ids);
/* The reverse: y [v, n] of zeros, y[ids[r], :] += x[r, :] in order of r. */
struct tsl_tensor *tsl_ops_scatter(struct tsl_graph *g, struct tsl_tensor *x,
                                   struct tsl_tensor *ids, int64_t v);
/* y[r] = x[r, ids[r]]: x [..., n], ids i32 [...]; 0 for a negative id. */
struct tsl_tensor *tsl_ops_pick(struct tsl_graph *g, struct tsl_tensor *x,
                                struct tsl_tensor *ids);
/* The reverse: [..., n] of zeros but for y[r, ids[r]] = x[r]. */
struct tsl_tensor *tsl_ops_put(struct tsl_graph *g, struct tsl_tensor *x,
                               struct tsl_tensor *ids, int64_t n);

/* ---- rows ---- */

/* Over the last axis.  A row of -inf alone gives zeros.  Keeps its result. */
struct tsl_tensor *tsl_ops_softmax(struct tsl_graph *g, struct tsl_tensor *x);
struct tsl_tensor *tsl_ops_log_softmax(struct tsl_graph *g, struct tsl_tensor *x);
/* (x - mean) / sqrt(var + eps) * w + b over the last axis, biased variance: Ba et al. 2016.
 * w, b [n].  Keeps mean and 1 / sqrt of each row. */
struct tsl_tensor *tsl_ops_layernorm(struct tsl_graph *g, struct tsl_tensor *x,
                                     struct tsl_tensor *w, struct tsl_tensor *b,
                                     double eps);
/* The same of x + dropout(h, p): what ends each half of a block.  *sum (may be NULL):
 * x + dropout(h, p) itself, which pre-norm models go on with.  Keeps that sum. */
struct tsl_tensor *tsl_ops_residual_norm(struct tsl_graph *g, struct tsl_tensor *x,
                                         struct tsl_tensor *h, double p,
                                         struct tsl_tensor *w, struct tsl_tensor *b,
                                         double eps, struct tsl_tensor **sum);
/* x / sqrt(mean(x^2) + eps) * w: Zhang and Sennrich 2019, as in T5. */
struct tsl_tensor *tsl_ops_rmsnorm(struct tsl_graph *g, struct tsl_tensor *x,
                                   struct tsl_tensor *w, double eps);

/* ---- attention ---- */

enum tsl_attn_mask {
    TSL_ATTN_ALL,
    TSL_ATTN_CAUSAL, /* i sees j <= i */
    TSL_ATTN_PREFIX, /* i sees j < prefix or j <= i; who: i32 [batch], the prefixes */
    TSL_ATTN_UNILM, /* c[j] <= c[i], c the running sum of segment ids; who: i32 [batch, t] */
};

struct tsl_attn {
    unsigned heads;
    double scale; /* of the scores; 0: 1 / sqrt(width of a head) */
    enum tsl_attn_mask mask;
    struct tsl_tensor *who; /* what the mask looks at, see there */
    struct tsl_tensor
        *lengths;            /* i32 [batch]: keys from there on are not seen; or NULL */
    struct tsl_tensor *docs; /* i32 [batch, t]: only equal ones see each other; or NULL */
    struct tsl_tensor *bias; /* [heads, tq, tk], added before the mask; or NULL */
    double dropout;          /* of the probabilities */
};

/* softmax(q k^T scale + bias, masked) v, head by head (Vaswani et al. 2017): q [batch, tq,
 * heads * width], k [batch, tk, heads * width], v [batch, tk, heads * width of v] -> [batch, tq,
 * heads * width of v].  q, k and v may be slices of one tensor.  No tq x tk tensor is kept:
 * backward computes the scores again (Dao et al. 2022); a query that sees no key gives
 * zeros. */
struct tsl_tensor *tsl_ops_attention(struct tsl_graph *g, struct tsl_tensor *q,
                                     struct tsl_tensor *k, struct tsl_tensor *v,
                                     const struct tsl_attn *a);
/* The same of qkv [batch, t, 3 * heads * width]: q, k and v of one position lie together. */
struct tsl_tensor *tsl_ops_attention_packed(struct tsl_graph *g, struct tsl_tensor *qkv,
                                            const struct tsl_attn *a);
/* Turns pairs of x [batch, t, heads * width] by angles position * 10000^(-2i/width): Su et al.
 * 2021.  half: pairs (i, i + width/2) instead of (2i, 2i + 1).  positions: i32 [batch, t] or
 * NULL, 0 .. t-1. */
struct tsl_tensor *tsl_ops_rotary(struct tsl_graph *g, struct tsl_tensor *x,
                                  unsigned heads, bool half,
                                  struct tsl_tensor *positions);
/* T5's bias (Raffel et al. 2020): w [buckets, heads] -> [heads, tq, tk], by the distance of key
 * and query, both counted from 0. */
struct tsl_tensor *tsl_ops_relative_bias(struct tsl_graph *g, struct tsl_tensor *w,
                                         int64_t tq, int64_t tk, bool bidirectional,
                                         int64_t max_distance);
/* The row of w for a distance, key minus query.  bidirectional: half of the buckets are for keys
 * behind the query; else those have distance 0. */
int32_t tsl_ops_relative_bucket(int64_t distance, int64_t buckets, bool bidirectional,
                                int64_t max_distance);

/* ---- losses ---- */

/* The mean over labels >= 0 of -log softmax(x)[label]: x [..., n], labels i32 [...].
 * smoothing s: (1 - s) of it plus s times the mean over classes of -log p.  denominator: a
 * scalar to divide the sum by instead of the number of labels >= 0, or NULL.  0 labels: 0. */
struct tsl_tensor *tsl_ops_cross_entropy(struct tsl_graph *g, struct tsl_tensor *x,
                                         struct tsl_tensor *labels, double smoothing,
                                         struct tsl_tensor *denominator);
/* The same of x w^T + b (b may be NULL) with the logits never whole in memory: forward and
 * gradients are computed together, some rows at a time.  *right (may be NULL): a scalar, how
 * many labels had the largest logit. */
struct tsl_tensor *tsl_ops_linear_cross_entropy(
    struct tsl_graph *g, struct tsl_tensor *x, struct tsl_tensor *w, struct tsl_tensor *b,
    struct tsl_tensor *labels, struct tsl_tensor *denominator, struct tsl_tensor **right);

#endif

/* kernels.h - the raw loops: the one door to a faster processor or a device.
 *
 * The same kernels are compiled three times from the same source (simd.h): with AVX-512, with
 * AVX2 and FMA, and in plain C; the plain ones are the definition of right, and the others
 * give the same bits.  Which table is used is chosen once, by the processor; TSL_CPU=ref,
 * avx2 or avx512 in the environment overrides it where the processor has that.
 *
 * A family of kernels is one file FAMILY_body.h, included by kernels_ref.c, kernels_avx2.c
 * and kernels_avx512.c, and its members in the table below.
 * Order: sums run in an order that the shapes alone decide.
 * Memory: none of their own; scratch is the caller's.
 * Threads: pure functions; who splits work among threads is above. */
#ifndef TSL_KERNELS_H
#define TSL_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/kernel_args.h"
#include "tensor/unary.h"

struct tsl_gemm_block;
struct tsl_gemm_source;
struct tsl_attention;
struct tsl_attention_grads;
struct tsl_attention_piece;

struct tsl_kernels {
    const char *name; /* "avx512", "avx2", "ref" */

    /* ---- elementwise_body.h; results may lie where an operand lies ---- */
    /* y[i] = f(x[i]), i < n.  NULL for TSL_IDENTITY. */
    void (*unary[TSL_UNARIES])(float *y, const float *x, size_t n);
    /* y[i] = dy[i] f'(x[i]); for the activations, else NULL. */
    void (*unary_grad[TSL_UNARIES])(float *y, const float *dy, const float *x, size_t n);
    /* c[i] = a[i] + - * / b[i], in this order. */
    void (*binary[4])(float *c, const float *a, const float *b, size_t n);
    /* y[i] = a x[i] + b, rounded twice; y[i] + that where adds. */
    void (*affine)(float *y, const float *x, float a, float b, bool adds, size_t n);
    /* y[c] += x[0, c] + x[1, c] + ..., row after row, for c < cols; rows of x are row apart. */
    void (*add_rows)(float *y, const float *x, size_t rows, size_t cols, size_t row);

    /* ---- rows_body.h; (rows, cols), contiguous; sums over a row in its order ----
     * adds: dx gets the gradient added, else is set to it; dw and db (NULL: not wanted) always
     * get theirs added, row after row, so a caller gives a fixed stretch of rows to each of its
     * partial sums. */
    void (*rows_sum)(float *y, const float *x, size_t rows, size_t cols); /* y (rows) */
    void (*rows_max)(float *y, const float *x, size_t rows, size_t cols);
    /* y may be x.  A row of -inf alone gives zeros. */
    void (*softmax)(float *y, const float *x, size_t rows, size_t cols);
    void (*log_softmax)(float *y, const float *x, size_t rows, size_t cols);
    /* dx = y (dy - sum of dy y), and dy - e^y sum of dy; dx may be dy. */
    void (*softmax_grad)(float *dx, const float *dy, const float *y, bool adds,
                         size_t rows, size_t cols);
    void (*log_softmax_grad)(float *dx, const float *dy, const float *y, bool adds,
                             size_t rows, size_t cols);
    /* loss (rows): (1 - smoothing) of -log softmax(x)[label], and smoothing of its mean over
     * all classes; 0 for a label < 0; labels < cols.  stats (rows, 2): the largest of the row,
     * and 1 / sum of e^(x - that). */
    void (*cross_entropy)(float *loss, float *stats, const float *x,
                          const int32_t *labels, float smoothing, size_t rows,
                          size_t cols);
    /* dx = (softmax - target) scale, by those stats; zeros for a label < 0.  dx may be x. */
    void (*cross_entropy_grad)(float *dx, const float *x, const float *stats,
                               const int32_t *labels, float smoothing, float scale,
                               size_t rows, size_t cols);
    /* A cross entropy of rows that are cut into parts; those of a part lie row apart.  First for
     * each part: top, its rows' largest numbers; x becomes e^(x - top); sum: of those. */
    void (*entropy_part)(float *top, float *sum, float *x, size_t row, size_t rows,
                         size_t cols);
    /* Then of all parts; top, sum (parts, rows): most, the largest of each row; loss, where right
     * is the label's logit; sum becomes scale e^(top - most) / the whole row's sum. */
    void (*entropy_join)(float *loss, float *most, const float *right, const float *top,
                         float *sum, float scale, size_t rows, size_t parts);
    /* Last for each part: x becomes x by, and less by scale at its label: (softmax - target)
     * scale.  labels count from the part's first column, and may lie outside.  db, where not
     * NULL: the sums of columns are added. */
    void (*entropy_part_grad)(float *x, float *db, const float *by, const int32_t *labels,
                              int32_t first, float scale, size_t row, size_t rows,
                              size_t cols);
    /* y = (x - mean) rstd w + b, rstd = 1 / sqrt(var + eps), or 0 where that root is 0; w, b
     * (cols) may be NULL, y may be x.  mean, rstd (rows): of each row. */
    void (*layernorm)(float *y, float *mean, float *rstd, const float *x, const float *w,
                      const float *b, float eps, size_t rows, size_t cols);
    void (*layernorm_grad)(float *dx, float *dw, float *db, const float *dy,
                           const float *x, const float *mean, const float *rstd,
                           const float *w, bool adds, size_t rows,
                           size_t cols); /* dx may be dy */
    /* y = x rstd w, rstd = 1 / sqrt(mean(x^2) + eps). */
    void (*rmsnorm)(float *y, float *rstd, const float *x, const float *w, float eps,
                    size_t rows, size_t cols);
    void (*rmsnorm_grad)(float *dx, float *dw, const float *dy, const float *x,
                         const float *rstd, const float *w, bool adds, size_t rows,
                         size_t cols);
    /* sum = x + dropout(h), y = layernorm(sum); the first number of h has index at.  sum may be x
     * or h. */
    void (*residual_norm)(float *y, float *sum, float *mean, float *rstd, const float *x,
                          const float *h, const struct tsl_dropout *d, uint64_t at,
                          const float *w, const float *b, float eps, size_t rows,
                          size_t cols);
    /* dx: the gradient of sum, and so of x (adds: to what reached sum otherwise); dh, where not
     * NULL: dropout(dx).  dx may be dy. */
    void (*residual_norm_grad)(float *dx, float *dh, float *dw, float *db,
                               const float *dy, const float *sum, const float *mean,
                               const float *rstd, const struct tsl_dropout *d,
                               uint64_t at, const float *w, bool adds, size_t rows,
                               size_t cols);

    /* ---- dropout_body.h; number i of an array has index at + i ---- */
    /* y[i] = x[i] scale where that is kept, else 0; y may be x.  Its own backward. */
    void (*dropout)(float *y, const float *x, size_t n, const struct tsl_dropout *d,
                    uint64_t at);
    /* Bit i % 64 of bits[i / 64]: number at + i is kept.  Bits behind n are any. */
    void (*dropout_kept)(uint64_t *bits, size_t n, const struct tsl_dropout *d,
                         uint64_t at);

    /* ---- step_body.h; kernel_args.h has the formulas ---- */
    void (*step_adamw)(float *x, float *m, float *v, const float *grad, size_t n,
                       const struct tsl_step_adamw *s);
    void (*step_lion)(float *x, float *m, const float *grad, size_t n,
                      const struct tsl_step_lion *s);
    /* m NULL: no momentum, x -= rate g + decay x. */
    void (*step_sgd)(float *x, float *m, const float *grad, size_t n,
                     const struct tsl_step_sgd *s);
    /* e = keep e + add x. */
    void (*step_average)(float *e, const float *x, float keep, float add, size_t n);
    /* The sum of squares, in double: 16 sums, the i-th of numbers i, i + 16, ..., then halves
     * added. */
    double (*step_squares)(const float *x, size_t n);

    /* ---- adapt_body.h ---- */
    /* m and v as in step_adamw; u = rate m / (sqrt(v correct2) + eps) + decay x. */
    void (*adapt_moments)(float *u, const float *x, float *m, float *v, const float *grad,
                          size_t n, const struct tsl_step_adamw *s);
    /* x -= by u. */
    void (*adapt_lamb)(float *x, const float *m, const float *v, float by, size_t n,
                       const struct tsl_step_adamw *s);
    /* col[i] += (grad[i] scale)^2, in double; their sum: 8 sums, the i-th of numbers i, i + 8,
     * ..., then one after the other. */
    double (*adapt_squares)(double *col, const float *grad, float scale, size_t n);
    /* u = grad scale / sqrt(a c + eps). */
    void (*adapt_root)(float *u, const float *grad, float scale, float a, const float *c,
                       float eps, size_t n);
    /* step = clip u;  where there is m: m = beta1 m + rest1 step, step = m;
     * x -= rate step + decay x. */
    void (*adapt_apply)(float *x, float *m, const float *u,
                        const struct tsl_step_adapt *s, size_t n);

    /* ---- gemm_body.h; for gemm.c alone ---- */
    unsigned gemm_rows, gemm_cols; /* of a panel of a, and of b */
    void (*gemm_pack)(float *to, const struct tsl_gemm_source *s);
    void (*gemm_block)(const struct tsl_gemm_block *g);

    /* ---- attention_body.h ---- */
    void (*attention_forward)(const struct tsl_attention *a,
                              const struct tsl_attention_piece *piece);
    /* Gradients of the piece, which is a whole head; g's dbias is added to. */
    void (*attention_backward)(const struct tsl_attention *a,
                               const struct tsl_attention_grads *g,
                               const struct tsl_attention_piece *piece);
};

/* The table in use.  Never NULL. */
const struct tsl_kernels *tsl_kernels(void);
/* The one of that name; NULL where this processor or build has none. */
const struct tsl_kernels *tsl_kernels_named(const char *name);

#endif

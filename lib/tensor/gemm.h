/* gemm.h - the product of two matrices: c = a b, or c += a b.
 *
 * a is (m, k), b is (k, n), c is (m, n).  Each element of c is a sum of plain chains
 * acc = fmaf(a[i,k], b[k,j], acc) from 0, over tsl_gemm_chain numbers of k each: the first chain,
 * or c and the first chain, and the others after each other.  So it is the same whatever the
 * processor, the threads and the sizes of blocks are.  The error of a chain grows with its length.
 * Where NaN comes out, which of the NaNs is not said.
 * Order: by the shapes alone.
 * Memory: scratch is the caller's: tsl_gemm_scratch_bytes, at a multiple of 64, its contents
 *   of no use afterwards.
 * Threads: work is split into parts of c over a pool; one caller a pool. */
#ifndef TSL_GEMM_H
#define TSL_GEMM_H

#include <stdbool.h>
#include <stddef.h>

#include "tensor/unary.h"

struct tsl_kernels;
struct tsl_pool;

/* How a and b are multiplied; sums are of floats always. */
enum tsl_gemm_multiply {
    TSL_GEMM_F32,
    TSL_GEMM_BF16, /* a and b rounded to bfloat16 first, to nearest, half to even */
};

/* All zero but for shapes and matrices: a plain product of floats.  a and b may share memory
 * with each other, c with neither. */
struct tsl_gemm {
    size_t m, n, k; /* any may be 0 */
    const float *a; /* a[i,k] is a[i * a_row + k * a_col]: transposed, or a part */
    ptrdiff_t a_row, a_col; /* in floats; likewise below */
    const float *b;
    ptrdiff_t b_row, b_col;
    float *c; /* columns lie side by side */
    ptrdiff_t c_row;
    bool add;             /* the chains start from c */
    float *a_sum;         /* [m] or NULL: takes the sums of a's rows, where a_row is 1 */
    const float *bias;    /* [n] or NULL: added to each row when its chains are through */
    enum tsl_unary after; /* applied to finished elements */
    float *before; /* (m, n) or NULL: takes what `after` is applied to, for backward */
    ptrdiff_t before_row;
    enum tsl_gemm_multiply multiply;
    const struct tsl_kernels *kernels; /* NULL: tsl_kernels(), the fastest */
};

/* The same product many times over: number (o, i) of outer * inner works on a + o * a_outer +
 * i * a_inner, likewise for b, c and before; bias is shared.  The c do not overlap. */
struct tsl_gemm_batch {
    size_t outer, inner;
    ptrdiff_t a_outer, a_inner;
    ptrdiff_t b_outer, b_inner;
    ptrdiff_t c_outer, c_inner;
    ptrdiff_t before_outer, before_inner;
};

/* How long the chains are, by the shapes of one product alone: about 256, for then what is in
 * caches lasts; of products too small for that to matter, 8. */
size_t tsl_gemm_chain(size_t m, size_t n, size_t k);

/* What tsl_gemm_run and tsl_gemm_run_batch need for a pool of nthreads; may be 0. */
size_t tsl_gemm_scratch_bytes(const struct tsl_gemm *g, unsigned nthreads);

/* pool: NULL for the caller's thread alone. */
void tsl_gemm_run(const struct tsl_gemm *g, struct tsl_pool *pool, void *scratch);
void tsl_gemm_run_batch(const struct tsl_gemm *g, const struct tsl_gemm_batch *batch,
                        struct tsl_pool *pool, void *scratch);

#endif

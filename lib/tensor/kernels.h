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

#include "tensor/unary.h"

struct tsl_gemm_block;
struct tsl_gemm_source;

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
    /* y[c] += x[0, c] + x[1, c] + ..., row after row: x (rows, cols), contiguous. */
    void (*add_rows)(float *y, const float *x, size_t rows, size_t cols);

    /* ---- gemm_body.h; for gemm.c alone ---- */
    unsigned gemm_rows, gemm_cols; /* of a panel of a, and of b */
    void (*gemm_pack)(float *to, const struct tsl_gemm_source *s);
    void (*gemm_block)(const struct tsl_gemm_block *g);
};

/* The table in use.  Never NULL. */
const struct tsl_kernels *tsl_kernels(void);
/* The one of that name; NULL where this processor or build has none. */
const struct tsl_kernels *tsl_kernels_named(const char *name);

#endif

/* elementwise_body.h - kernels that work number by number; included by kernels_*.c.
 * Order: none between numbers.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_ELEMENTWISE_BODY_H
#define TSL_ELEMENTWISE_BODY_H

#include "tensor/kernels.h"
#include "tensor/simd.h"
#include "tensor/vecmath_body.h"

V16_INLINE v16 v16_recip(v16 x)
{
    return v16_div(v16_set(1), x);
}
V16_INLINE v16 v16_step(v16 x)
{
    return v16_where(v16_lt(v16_set(0), x), v16_set(1), v16_set(0));
}
V16_INLINE v16 v16_signum(v16 x)
{
    return v16_sub(v16_step(x), v16_step(v16_neg(x)));
}

/* y[i] = F(x[i]) for i < n; y may be x. */
#define UNARY(name, F)                                                                   \
    static void unary_##name(float *y, const float *x, size_t n)                         \
    {                                                                                    \
        size_t i = 0;                                                                    \
        for (; i + V16 <= n; i += V16)                                                   \
            v16_store(y + i, F(v16_load(x + i)));                                        \
        if (i < n)                                                                       \
            v16_store_n(y + i, F(v16_load_n(x + i, (unsigned)(n - i))),                  \
                        (unsigned)(n - i));                                              \
    }

/* y[i] = dy[i] F'(x[i]); y may be dy or x. */
#define UNARY_GRAD(name, F)                                                              \
    static void unary_grad_##name(float *y, const float *dy, const float *x, size_t n)   \
    {                                                                                    \
        size_t i = 0;                                                                    \
        for (; i + V16 <= n; i += V16)                                                   \
            v16_store(y + i, v16_mul(v16_load(dy + i), F(v16_load(x + i))));             \
        if (i < n) {                                                                     \
            unsigned rest = (unsigned)(n - i);                                           \
            v16_store_n(y + i,                                                           \
                        v16_mul(v16_load_n(dy + i, rest), F(v16_load_n(x + i, rest))),   \
                        rest);                                                           \
        }                                                                                \
    }

#define LEAKY(x) v16_leaky_relu(x, 0.2f)
#define LEAKY_GRAD(x) v16_leaky_relu_grad(x, 0.2f)

UNARY(neg, v16_neg)
UNARY(exp, v16_exp)
UNARY(log, v16_log)
UNARY(sqrt, v16_sqrt)
UNARY(recip, v16_recip)
UNARY(tanh, v16_tanh)
UNARY(erf, v16_erf)
UNARY(sigmoid, v16_sigmoid)
UNARY(softplus, v16_softplus)
UNARY(relu, v16_relu)
UNARY(abs, v16_abs)
UNARY(sin, v16_sin)
UNARY(cos, v16_cos)
UNARY(step, v16_step)
UNARY(signum, v16_signum)
UNARY(gelu_erf, v16_gelu_erf)
UNARY(gelu_tanh, v16_gelu_tanh)
UNARY(gelu_sigmoid, v16_gelu_sigmoid)
UNARY(swish, v16_swish)
UNARY(squareplus, v16_squareplus)
UNARY(leaky_relu, LEAKY)
UNARY_GRAD(tanh, v16_tanh_grad)
UNARY_GRAD(sigmoid, v16_sigmoid_grad)
UNARY_GRAD(relu, v16_relu_grad)
UNARY_GRAD(gelu_erf, v16_gelu_erf_grad)
UNARY_GRAD(gelu_tanh, v16_gelu_tanh_grad)
UNARY_GRAD(gelu_sigmoid, v16_gelu_sigmoid_grad)
UNARY_GRAD(swish, v16_swish_grad)
UNARY_GRAD(squareplus, v16_squareplus_grad)
UNARY_GRAD(leaky_relu, LEAKY_GRAD)

/* c[i] = F(a[i], b[i]) for i < n; c may be a or b. */
#define BINARY(name, F)                                                                  \
    static void binary_##name(float *c, const float *a, const float *b, size_t n)        \
    {                                                                                    \
        size_t i = 0;                                                                    \
        for (; i + V16 <= n; i += V16)                                                   \
            v16_store(c + i, F(v16_load(a + i), v16_load(b + i)));                       \
        if (i < n) {                                                                     \
            unsigned rest = (unsigned)(n - i);                                           \
            v16_store_n(c + i, F(v16_load_n(a + i, rest), v16_load_n(b + i, rest)),      \
                        rest);                                                           \
        }                                                                                \
    }

BINARY(add, v16_add)
BINARY(sub, v16_sub)
BINARY(mul, v16_mul)
BINARY(div, v16_div)

/* y[i] = a x[i] + b, rounded twice; with adds y[i] + that. */
static void affine(float *y, const float *x, float a, float b, bool adds, size_t n)
{
    v16 va = v16_set(a), vb = v16_set(b);
    for (size_t i = 0; i < n; i += V16) {
        unsigned rest = n - i < V16 ? (unsigned)(n - i) : V16;
        v16 v = v16_add(v16_mul(va, v16_load_n(x + i, rest)), vb);
        if (adds)
            v = v16_add(v16_load_n(y + i, rest), v);
        v16_store_n(y + i, v, rest);
    }
}

/* y[c] += sum over rows of x[r, c], row after row; row: from one to the next.  64 columns at a
 * time: rows as wide as a vocabulary are far apart, and 16 of a row are too few for a visit. */
static void add_rows(float *y, const float *x, size_t rows, size_t cols, size_t row)
{
    const size_t two = (size_t)2 * V16, three = (size_t)3 * V16, four = (size_t)4 * V16;
    size_t c = 0;
    for (; c + four <= cols; c += four) {
        v16 s0 = v16_load(y + c), s1 = v16_load(y + c + V16), s2 = v16_load(y + c + two),
            s3 = v16_load(y + c + three);
        const float *from = x + c;
        for (size_t r = 0; r < rows; r++, from += row) {
            s0 = v16_add(s0, v16_load(from));
            s1 = v16_add(s1, v16_load(from + V16));
            s2 = v16_add(s2, v16_load(from + two));
            s3 = v16_add(s3, v16_load(from + three));
        }
        v16_store(y + c, s0);
        v16_store(y + c + V16, s1);
        v16_store(y + c + two, s2);
        v16_store(y + c + three, s3);
    }
    for (; c < cols; c += V16) {
        unsigned rest = cols - c < V16 ? (unsigned)(cols - c) : V16;
        v16 sum = v16_load_n(y + c, rest);
        for (size_t r = 0; r < rows; r++)
            sum = v16_add(sum, v16_load_n(x + r * row + c, rest));
        v16_store_n(y + c, sum, rest);
    }
}

#define ELEMENTWISE_MEMBERS                                                              \
    .unary = { [TSL_NEG] = unary_neg,                                                    \
               [TSL_EXP] = unary_exp,                                                    \
               [TSL_LOG] = unary_log,                                                    \
               [TSL_SQRT] = unary_sqrt,                                                  \
               [TSL_RECIP] = unary_recip,                                                \
               [TSL_TANH] = unary_tanh,                                                  \
               [TSL_ERF] = unary_erf,                                                    \
               [TSL_SIGMOID] = unary_sigmoid,                                            \
               [TSL_SOFTPLUS] = unary_softplus,                                          \
               [TSL_RELU] = unary_relu,                                                  \
               [TSL_ABS] = unary_abs,                                                    \
               [TSL_SIN] = unary_sin,                                                    \
               [TSL_COS] = unary_cos,                                                    \
               [TSL_STEP] = unary_step,                                                  \
               [TSL_SIGN] = unary_signum,                                                \
               [TSL_GELU_ERF] = unary_gelu_erf,                                          \
               [TSL_GELU_TANH] = unary_gelu_tanh,                                        \
               [TSL_GELU_SIGMOID] = unary_gelu_sigmoid,                                  \
               [TSL_SWISH] = unary_swish,                                                \
               [TSL_SQUAREPLUS] = unary_squareplus,                                      \
               [TSL_LEAKY_RELU] = unary_leaky_relu },                                    \
    .unary_grad = { [TSL_TANH] = unary_grad_tanh,                                        \
                    [TSL_SIGMOID] = unary_grad_sigmoid,                                  \
                    [TSL_RELU] = unary_grad_relu,                                        \
                    [TSL_GELU_ERF] = unary_grad_gelu_erf,                                \
                    [TSL_GELU_TANH] = unary_grad_gelu_tanh,                              \
                    [TSL_GELU_SIGMOID] = unary_grad_gelu_sigmoid,                        \
                    [TSL_SWISH] = unary_grad_swish,                                      \
                    [TSL_SQUAREPLUS] = unary_grad_squareplus,                            \
                    [TSL_LEAKY_RELU] = unary_grad_leaky_relu },                          \
    .binary = { binary_add, binary_sub, binary_mul, binary_div }, .affine = affine,      \
    .add_rows = add_rows

#endif

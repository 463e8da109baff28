/* adapt_body.h - steps whose length depends on the whole tensor (LAMB, AdaFactor), a stretch of
 * it at a time; part of each of the three kernels_*.c.  Every operation is rounded by itself;
 * kernels.h has the formulas.
 * Order: number by number; adapt_squares adds up 8 sums in double, then those one by one.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_ADAPT_BODY_H
#define TSL_ADAPT_BODY_H

#include "tensor/kernel_args.h"
#include "tensor/simd.h"

V16_INLINE v16 adapt_load(const float *x, size_t i, size_t n)
{
    return n - i >= V16 ? v16_load(x + i) : v16_load_n(x + i, (unsigned)(n - i));
}
V16_INLINE void adapt_store(float *x, v16 v, size_t i, size_t n)
{
    if (n - i >= V16)
        v16_store(x + i, v);
    else
        v16_store_n(x + i, v, (unsigned)(n - i));
}
/* rate m / (sqrt(v correct2) + eps) + decay x */
V16_INLINE v16 adapt_of(v16 x, v16 m, v16 v, const struct tsl_step_adamw *s)
{
    v16 root = v16_sqrt(v16_mul(v, v16_set(s->correct2)));
    v16 step = v16_div(v16_mul(v16_set(s->rate), m), v16_add(root, v16_set(s->eps)));
    return v16_add(step, v16_mul(v16_set(s->decay), x));
}
static void adapt_moments(float *u, const float *x, float *m, float *v, const float *grad,
                          size_t n, const struct tsl_step_adamw *s)
{
    for (size_t i = 0; i < n; i += V16) {
        v16 g = v16_mul(adapt_load(grad, i, n), v16_set(s->scale));
        v16 mean = v16_add(v16_mul(v16_set(s->beta1), adapt_load(m, i, n)),
                           v16_mul(v16_set(s->rest1), g));
        v16 square = v16_add(v16_mul(v16_set(s->beta2), adapt_load(v, i, n)),
                             v16_mul(v16_mul(v16_set(s->rest2), g), g));
        adapt_store(m, mean, i, n);
        adapt_store(v, square, i, n);
        adapt_store(u, adapt_of(adapt_load(x, i, n), mean, square, s), i, n);
    }
}
static void adapt_lamb(float *x, const float *m, const float *v, float by, size_t n,
                       const struct tsl_step_adamw *s)
{
    for (size_t i = 0; i < n; i += V16) {
        v16 p = adapt_load(x, i, n);
        v16 u = adapt_of(p, adapt_load(m, i, n), adapt_load(v, i, n), s);
        adapt_store(x, v16_sub(p, v16_mul(v16_set(by), u)), i, n);
    }
}
static double adapt_squares(double *col, const float *grad, float scale, size_t n)
{
    enum { LANES = 8 };
    double sum[LANES] = { 0 }, all = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (unsigned k = 0; k < LANES; k++) {
            double g = grad[i + k] * scale, q = g * g;
            col[i + k] += q;
            sum[k] += q;
        }
    for (unsigned k = 0; i < n; i++, k++) {
        double g = grad[i] * scale, q = g * g;
        col[i] += q;
        sum[k] += q;
    }
    for (unsigned k = 0; k < LANES; k++)
        all += sum[k];
    return all;
}
static void adapt_root(float *u, const float *grad, float scale, float a, const float *c,
                       float eps, size_t n)
{
    for (size_t i = 0; i < n; i += V16) {
        v16 square = v16_add(v16_mul(v16_set(a), adapt_load(c, i, n)), v16_set(eps));
        v16 g = v16_mul(adapt_load(grad, i, n), v16_set(scale));
        adapt_store(u, v16_div(g, v16_sqrt(square)), i, n);
    }
}
static void adapt_apply(float *x, float *m, const float *u,
                        const struct tsl_step_adapt *s, size_t n)
{
    for (size_t i = 0; i < n; i += V16) {
        v16 p = adapt_load(x, i, n),
            step = v16_mul(v16_set(s->clip), adapt_load(u, i, n));
        if (m) {
            step = v16_add(v16_mul(v16_set(s->beta1), adapt_load(m, i, n)),
                           v16_mul(v16_set(s->rest1), step));
            adapt_store(m, step, i, n);
        }
        step = v16_add(v16_mul(v16_set(s->rate), step), v16_mul(v16_set(s->decay), p));
        adapt_store(x, v16_sub(p, step), i, n);
    }
}

#define ADAPT_MEMBERS                                                                    \
    .adapt_moments = adapt_moments, .adapt_lamb = adapt_lamb,                            \
    .adapt_squares = adapt_squares, .adapt_root = adapt_root, .adapt_apply = adapt_apply

#endif

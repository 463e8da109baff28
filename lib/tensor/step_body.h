/* step_body.h - an optimizer's step over a stretch of one parameter; part of each of the three
 * kernels_*.c.  The formulas are those of kernel_args.h, every operation rounded by itself.
 * One pass: these wait for memory.
 * Order: number by number; step_squares adds up 16 sums in double, then those by halves.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_STEP_BODY_H
#define TSL_STEP_BODY_H

#include "tensor/kernel_args.h"
#include "tensor/simd.h"

V16_INLINE v16 step_load(const float *x, size_t i, size_t n)
{
    return n - i >= V16 ? v16_load(x + i) : v16_load_n(x + i, (unsigned)(n - i));
}
V16_INLINE void step_store(float *x, v16 v, size_t i, size_t n)
{
    if (n - i >= V16)
        v16_store(x + i, v);
    else
        v16_store_n(x + i, v, (unsigned)(n - i));
}
/* a x + b y, three roundings. */
V16_INLINE v16 step_mix(float a, v16 x, float b, v16 y)
{
    return v16_add(v16_mul(v16_set(a), x), v16_mul(v16_set(b), y));
}
static void step_adamw(float *x, float *m, float *v, const float *grad, size_t n,
                       const struct tsl_step_adamw *s)
{
    for (size_t i = 0; i < n; i += V16) {
        v16 g = v16_mul(step_load(grad, i, n), v16_set(s->scale));
        v16 p = step_load(x, i, n), mean = step_load(m, i, n),
            square = step_load(v, i, n);
        mean = step_mix(s->beta1, mean, s->rest1, g);
        square = v16_add(v16_mul(v16_set(s->beta2), square),
                         v16_mul(v16_mul(v16_set(s->rest2), g), g));
        v16 root = v16_sqrt(v16_mul(square, v16_set(s->correct2)));
        v16 step =
            v16_div(v16_mul(v16_set(s->rate), mean), v16_add(root, v16_set(s->eps)));
        /* Lanes behind the end may divide 0 by 0, and are not stored. */
        step_store(m, mean, i, n);
        step_store(v, square, i, n);
        step_store(x, v16_sub(p, v16_add(step, v16_mul(v16_set(s->decay), p))), i, n);
    }
}
static void step_lion(float *x, float *m, const float *grad, size_t n,
                      const struct tsl_step_lion *s)
{
    const v16 rate = v16_set(s->rate), back = v16_set(-s->rate), zero = v16_set(0);
    for (size_t i = 0; i < n; i += V16) {
        v16 g = v16_mul(step_load(grad, i, n), v16_set(s->scale));
        v16 p = step_load(x, i, n), mean = step_load(m, i, n);
        v16 c = step_mix(s->beta1, mean, s->rest1, g);
        v16 step = v16_where(v16_lt(c, zero), back, zero);
        step = v16_where(v16_lt(zero, c), rate, step);
        step_store(m, step_mix(s->beta2, mean, s->rest2, g), i, n);
        step_store(x, v16_sub(p, v16_add(step, v16_mul(v16_set(s->decay), p))), i, n);
    }
}
/* m NULL: x -= rate g + decay x. */
static void step_sgd(float *x, float *m, const float *grad, size_t n,
                     const struct tsl_step_sgd *s)
{
    const v16 rate = v16_set(s->rate);
    for (size_t i = 0; i < n; i += V16) {
        v16 g = v16_mul(step_load(grad, i, n), v16_set(s->scale)), p = step_load(x, i, n);
        if (m) {
            v16 mean = v16_add(v16_mul(v16_set(s->momentum), step_load(m, i, n)), g);
            step_store(m, mean, i, n);
            g = step_mix(s->own, g, s->of_m, mean);
        }
        v16 step = v16_add(v16_mul(rate, g), v16_mul(v16_set(s->decay), p));
        step_store(x, v16_sub(p, step), i, n);
    }
}
static void step_average(float *e, const float *x, float keep, float add, size_t n)
{
    for (size_t i = 0; i < n; i += V16)
        step_store(e, step_mix(keep, step_load(e, i, n), add, step_load(x, i, n)), i, n);
}
static double step_squares(const float *x, size_t n)
{
    double sum[V16] = { 0 };
    size_t i = 0;
    for (; i + V16 <= n; i += V16)
        for (unsigned k = 0; k < V16; k++)
            sum[k] += (double)x[i + k] * (double)x[i + k]; /* exact, but for the sum */
    for (unsigned k = 0; i < n; i++, k++)
        sum[k] += (double)x[i] * (double)x[i];
    for (unsigned half = V16 / 2; half; half /= 2)
        for (unsigned k = 0; k < half; k++)
            sum[k] += sum[k + half];
    return sum[0];
}

#define STEP_MEMBERS                                                                     \
    .step_adamw = step_adamw, .step_lion = step_lion, .step_sgd = step_sgd,              \
    .step_average = step_average, .step_squares = step_squares

#endif

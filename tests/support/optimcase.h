/* optimcase.h - small sets of parameters for tests of optimizers. */
#ifndef TSL_OPTIMCASE_H
#define TSL_OPTIMCASE_H

#include "support/test.h"

#include <math.h>
#include <string.h>

#include "optim/optim.h"
#include "support/gendata.h"

struct optimcase {
    struct tsl_params p;
    struct tsl_optim *o;
    struct tsl_pool *pool;
};

static inline void case_add(struct optimcase *c, const char *name, unsigned rank,
                            int64_t rows, int64_t cols)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_params_add(&c->p, name, rank,
                             rank == 1 ? &cols : (int64_t[]){ rows, cols }, &err),
              &err);
}

static inline void case_start(struct optimcase *c, const struct tsl_optim_opts *opts,
                              unsigned nthreads)
{
    struct tsl_err err = { 0 };
    if (!c->p.values)
        assert_ok(tsl_params_alloc(&c->p, &err), &err);
    if (nthreads)
        assert_ok(tsl_pool_create(&c->pool, nthreads, &err), &err);
    assert_ok(tsl_optim_create(&c->o, &c->p, opts, c->pool, &err), &err);
}

static inline void case_end(struct optimcase *c)
{
    tsl_optim_destroy(c->o);
    tsl_pool_destroy(c->pool);
    tsl_params_fini(&c->p);
    *c = (struct optimcase){ 0 };
}

static inline void case_put(float *to, const double *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (float)from[i];
}

/* One step of parameter 0 with that gradient. */
static inline void case_step(struct optimcase *c, const double *grad)
{
    struct tsl_err err = { 0 };
    case_put(c->p.item[0].grad, grad, c->p.item[0].n);
    assert_ok(tsl_optim_step(c->o, 1, 1, NULL, &err), &err);
}

#define assert_near(got, want, tolerance)                                                \
    do {                                                                                 \
        double got_ = (got), want_ = (want);                                             \
        if (!(fabs(got_ - want_) <= (tolerance)))                                        \
            fail_msg("%s is %.12g, not %.12g", #got, got_, want_);                       \
    } while (0)

static inline void case_is(const struct optimcase *c, const double *want)
{
    for (size_t i = 0; i < c->p.item[0].n; i++)
        assert_near(c->p.item[0].value[i], want[i], 2e-6 * fmax(fabs(want[i]), .1));
}

/* Two numbers named w, which begin as [1, -2]. */
static inline void case_pair(struct optimcase *c, const struct tsl_optim_opts *opts)
{
    case_add(c, "w", 1, 1, 2);
    case_start(c, opts, 0);
    case_put(c->p.item[0].value, (double[]){ 1, -2 }, 2);
}

static inline float case_number(struct gen *g)
{
    return (float)((double)gen_below(g, UINT64_C(1) << 24) * 0x1p-23 - 1);
}

/* A matrix of several blocks, a wide and a tall one, and small ones; numbers from -1 to 1. */
static inline void case_large(struct optimcase *c)
{
    struct tsl_err err = { 0 };
    struct gen g = { 11 };
    case_add(c, "tall.weight", 2, 1301, 67);
    case_add(c, "tall.bias", 1, 1, 67);
    case_add(c, "wide.weight", 2, 3, 30011);
    case_add(c, "norm.weight", 1, 1, 5);
    case_add(c, "long.bias", 1, 1, 70001);
    assert_ok(tsl_params_alloc(&c->p, &err), &err);
    for (size_t i = 0; i < c->p.n; i++)
        for (size_t j = 0; j < c->p.item[i].n; j++)
            c->p.item[i].value[j] = case_number(&g);
}

static inline void case_large_grads(struct optimcase *c, uint64_t seed)
{
    struct gen g = { seed };
    for (size_t i = 0; i < c->p.n; i++)
        for (size_t j = 0; j < c->p.item[i].n; j++)
            c->p.item[i].grad[j] = .1f * case_number(&g);
}

#endif

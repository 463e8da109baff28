#include "tensor/gemm.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "par/pool.h"

struct job {
    const struct tsl_gemm *g;
    const struct tsl_gemm_batch *batch;
    unsigned parts; /* of each product */
};

static float rounded(float x, enum tsl_gemm_multiply how)
{
    if (how == TSL_GEMM_F32)
        return x;
    uint32_t u;
    memcpy(&u, &x, 4);
    u = x != x ? u | 0x400000 : u + 0x7fff + (u >> 16 & 1);
    u &= 0xffff0000;
    memcpy(&x, &u, 4);
    return x;
}

static void work(void *ctx, unsigned index)
{
    const struct job *job = ctx;
    const struct tsl_gemm *g = job->g;
    const struct tsl_gemm_batch *s = job->batch;
    size_t nth = index / job->parts, part = index % job->parts;
    ptrdiff_t o = (ptrdiff_t)(nth / s->inner), in = (ptrdiff_t)(nth % s->inner);
    const float *a = g->a + o * s->a_outer + in * s->a_inner;
    const float *b = g->b + o * s->b_outer + in * s->b_inner;
    float *c = g->c + o * s->c_outer + in * s->c_inner;
    float *before =
        g->before ? g->before + o * s->before_outer + in * s->before_inner : NULL;
    for (size_t i = part; i < g->m; i += job->parts)
        for (size_t j = 0; j < g->n; j++) {
            float *to = c + (ptrdiff_t)i * g->c_row + (ptrdiff_t)j;
            float acc = g->add ? *to : 0;
            for (size_t k = 0; k < g->k; k++)
                acc = fmaf(rounded(a[(ptrdiff_t)i * g->a_row + (ptrdiff_t)k * g->a_col],
                                   g->multiply),
                           rounded(b[(ptrdiff_t)k * g->b_row + (ptrdiff_t)j * g->b_col],
                                   g->multiply),
                           acc);
            if (g->bias)
                acc += g->bias[j];
            if (before)
                before[(ptrdiff_t)i * g->before_row + (ptrdiff_t)j] = acc;
            *to = g->after == TSL_GEMM_RELU && 0 > acc ? 0 : acc;
        }
}

size_t tsl_gemm_scratch_bytes(const struct tsl_gemm *g, unsigned nthreads)
{
    (void)g;
    return 64 * (size_t)nthreads;
}

void tsl_gemm_run_batch(const struct tsl_gemm *g, const struct tsl_gemm_batch *batch,
                        struct tsl_pool *pool, void *scratch)
{
    (void)scratch;
    struct job job = { g, batch, pool ? 16 : 1 };
    size_t n = batch->outer * batch->inner * job.parts;
    assert(n <= UINT32_MAX);
    if (pool)
        tsl_pool_run(pool, (unsigned)n, work, &job);
    else
        for (unsigned i = 0; i < n; i++)
            work(&job, i);
}

void tsl_gemm_run(const struct tsl_gemm *g, struct tsl_pool *pool, void *scratch)
{
    tsl_gemm_run_batch(g, &(struct tsl_gemm_batch){ .outer = 1, .inner = 1 }, pool,
                       scratch);
}

#include "optim/grads.h"

#include <string.h>

#include "tensor/kernels.h"

struct job {
    float *grads;
    size_t n;
    float by;
};

static void scale_block(void *ctx, unsigned i)
{
    const struct job *j = ctx;
    size_t at = (size_t)i * TSL_GRADS_BLOCK;
    size_t n = j->n - at < TSL_GRADS_BLOCK ? j->n - at : TSL_GRADS_BLOCK;
    if (j->by == 0)
        memset(j->grads + at, 0, n * sizeof *j->grads);
    else
        for (size_t k = at; k < at + n; k++)
            j->grads[k] *= j->by;
}

/* All of them lie in one block of memory, with zeros between and where one is frozen. */
static void scale_all(const struct tsl_params *p, float by, struct tsl_pool *pool)
{
    struct job j = { p->grads, p->numbers, by };
    unsigned n = (unsigned)((j.n + TSL_GRADS_BLOCK - 1) / TSL_GRADS_BLOCK);
    if (pool)
        tsl_pool_run(pool, n, scale_block, &j);
    else
        for (unsigned i = 0; i < n; i++)
            scale_block(&j, i);
}

void tsl_grads_zero(const struct tsl_params *p, struct tsl_pool *pool)
{
    scale_all(p, 0, pool);
}

void tsl_grads_scale(const struct tsl_params *p, float by, struct tsl_pool *pool)
{
    scale_all(p, by, pool);
}

double tsl_grads_squares(const float *x, size_t n)
{
    return tsl_kernels()->step_squares(x, n);
}

double tsl_grads_clip(double norm, double most)
{
    return most > 0 && norm > most ? most / norm : 1;
}

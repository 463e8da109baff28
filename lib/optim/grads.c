#include "optim/grads.h"

#include <stdbool.h>
#include <string.h>

#include "tensor/kernels.h"

struct job {
    float *to;
    const float *from;
    size_t n;
    bool adds;
};

static void block(void *ctx, unsigned i)
{
    const struct job *j = ctx;
    size_t at = (size_t)i * TSL_GRADS_BLOCK;
    size_t n = j->n - at < TSL_GRADS_BLOCK ? j->n - at : TSL_GRADS_BLOCK;
    if (j->adds)
        tsl_kernels()->binary[0](j->to + at, j->to + at, j->from + at, n);
    else
        memcpy(j->to + at, j->from + at, n * sizeof *j->to);
}

/* All of them lie in one block of memory, with zeros between and where one is frozen. */
static void all_blocks(struct job j, struct tsl_pool *pool)
{
    unsigned n = (unsigned)((j.n + TSL_GRADS_BLOCK - 1) / TSL_GRADS_BLOCK);
    if (pool)
        tsl_pool_run(pool, n, block, &j);
    else
        for (unsigned i = 0; i < n; i++)
            block(&j, i);
}

void tsl_grads_keep(const struct tsl_params *p, float *kept, struct tsl_pool *pool)
{
    all_blocks((struct job){ kept, p->grads, p->numbers, false }, pool);
}

void tsl_grads_add(const struct tsl_params *p, const float *kept, struct tsl_pool *pool)
{
    all_blocks((struct job){ p->grads, kept, p->numbers, true }, pool);
}

double tsl_grads_squares(const float *x, size_t n)
{
    return tsl_kernels()->step_squares(x, n);
}

double tsl_grads_clip(double norm, double most)
{
    return most > 0 && norm > most ? most / norm : 1;
}

/* bench_optim - how fast optimizers change parameters, beside a plain copy of as many.
 *
 *   bench_optim [MILLIONS [THREADS]]     11.2 million numbers (BERT-mini's) and 2 threads
 *
 * For each method the milliseconds of a step, the bytes that it has to read and write, and these
 * per second; the same of memcpy between the rounds.  Medians of rounds that take turns. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "optim/optim.h"

enum { ROUNDS = 15, CHUNK = 1 << 15, ROWS = 1024, COLS = 512 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, size_t n)
{
    qsort(x, n, sizeof *x, by_size);
    return x[n / 2];
}

static void die(const struct tsl_err *err)
{
    fprintf(stderr, "bench_optim: %s\n", err->msg);
    exit(1);
}

struct copy {
    float *to;
    const float *from;
    size_t n;
};

static void copy_chunk(void *ctx, unsigned i)
{
    const struct copy *c = ctx;
    size_t at = (size_t)i * CHUNK;
    memcpy(c->to + at, c->from + at,
           (c->n - at < CHUNK ? c->n - at : CHUNK) * sizeof(float));
}

/* Matrices of ROWS x COLS, each with a bias. */
static void fill(struct tsl_params *p, size_t numbers)
{
    struct tsl_err err = { 0 };
    for (size_t i = 0; p->numbers < numbers; i++) {
        char name[32];
        int64_t dim[2] = { ROWS, COLS };
        snprintf(name, sizeof name, "%zu.weight", i);
        if (tsl_params_add(p, name, 2, dim, &err) < 0)
            die(&err);
        snprintf(name, sizeof name, "%zu.bias", i);
        if (tsl_params_add(p, name, 1, dim, &err) < 0)
            die(&err);
    }
    if (tsl_params_alloc(p, &err) < 0)
        die(&err);
    for (size_t i = 0; i < p->numbers; i++) {
        p->values[i] = (float)(i % 1001) * .001f - .5f;
        p->grads[i] = (float)(i % 997) * 1e-5f - .005f;
    }
}

/* bytes: read and written for a number. */
static void measure(const char *name, struct tsl_optim_opts opts, double bytes,
                    struct tsl_params *p, struct tsl_pool *pool)
{
    struct tsl_optim *o = NULL;
    struct tsl_err err = { 0 };
    double step[ROUNDS], copy[ROUNDS], n = (double)p->numbers;
    struct copy c = { malloc(p->numbers * 4), p->grads, p->numbers };
    if (tsl_optim_create(&o, p, &opts, pool, &err) < 0)
        die(&err);
    for (int r = -2; r < ROUNDS; r++) {
        double begin = now();
        if (tsl_optim_step(o, 1, 1, NULL, &err) < 0)
            die(&err);
        double middle = now();
        tsl_pool_run(pool, (unsigned)((c.n + CHUNK - 1) / CHUNK), copy_chunk, &c);
        if (r >= 0) {
            copy[r] = now() - middle;
            step[r] = middle - begin;
        }
    }
    double s = median(step, ROUNDS), k = median(copy, ROUNDS);
    printf("%-22s %7.2f ms  %5.0f MB  %6.2f GB/s   memcpy %6.2f GB/s\n", name, s * 1e3,
           n * bytes * 1e-6, n * bytes / s * 1e-9, n * 8 / k * 1e-9);
    tsl_optim_destroy(o);
    free(c.to);
}

int main(int argc, char **argv)
{
    double millions = argc > 1 ? atof(argv[1]) : 11.2;
    unsigned nthreads = argc > 2 ? (unsigned)atoi(argv[2]) : 2;
    struct tsl_params p = { 0 };
    struct tsl_pool *pool = NULL;
    struct tsl_err err = { 0 };
    fill(&p, (size_t)(millions * 1e6));
    if (tsl_pool_create(&pool, nthreads, &err) < 0)
        die(&err);
    struct tsl_optim_opts o = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    measure("adamw", o, 32, &p, pool);
    o.clip_norm = 1;
    o.update_norm = true;
    measure("adamw, update's norm", o, 32, &p, pool);
    o.update_norm = false;
    o.ema_decay = .999;
    measure("adamw, ema", o, 40, &p, pool);
    measure("lamb", tsl_optim_defaults(TSL_OPTIM_LAMB), 44, &p, pool);
    measure("adafactor", tsl_optim_defaults(TSL_OPTIM_ADAFACTOR), 24, &p, pool);
    measure("lion", tsl_optim_defaults(TSL_OPTIM_LION), 24, &p, pool);
    measure("sgd", tsl_optim_defaults(TSL_OPTIM_SGD), 16, &p, pool);
    tsl_pool_destroy(pool);
    tsl_params_fini(&p);
    return 0;
}

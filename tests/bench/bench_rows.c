/* bench_rows - nanoseconds a number of the kernels that work number by number or row by row.
 *
 *   bench_rows [TABLE]...    avx512, avx2, ref; else all that there are
 *
 * The least of many tries of CPU time, numbers in the second cache (rows x cols below) and, for
 * what waits for memory, in none. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tensor/kernels.h"

enum { ROWS = 64, COLS = 768, N = ROWS * COLS, MANY = 1 << 24, TRIES = 20 };

struct data {
    float *x, *y, *z, *u, *mean, *rstd, *loss, *stats;
    int32_t labels[ROWS];
    struct tsl_dropout drop;
    uint64_t *bits;
};
typedef void kernel(const struct tsl_kernels *k, struct data *d, size_t n);

static double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static void measure(const struct tsl_kernels *k, const char *name, kernel *f,
                    struct data *d, size_t n)
{
    double least = 1e9;
    for (unsigned i = 0; i < TRIES; i++) {
        double from = cpu_now();
        size_t times = n < MANY ? 20 : 1;
        for (size_t j = 0; j < times; j++)
            f(k, d, n);
        double t = (cpu_now() - from) / (double)(n * times);
        least = t < least ? t : least;
    }
    printf("%-7s %-22s %8zu numbers  %7.3f ns\n", k->name, name, n, 1e9 * least);
}

#define FORWARD(name, id)                                                                \
    static void name(const struct tsl_kernels *k, struct data *d, size_t n)              \
    {                                                                                    \
        k->unary[id](d->y, d->x, n);                                                     \
    }
#define BACKWARD(name, id)                                                               \
    static void name(const struct tsl_kernels *k, struct data *d, size_t n)              \
    {                                                                                    \
        k->unary_grad[id](d->y, d->z, d->x, n);                                          \
    }
FORWARD(exps, TSL_EXP)
FORWARD(logs, TSL_LOG)
FORWARD(tanhs, TSL_TANH)
FORWARD(erfs, TSL_ERF)
FORWARD(sigmoids, TSL_SIGMOID)
FORWARD(sines, TSL_SIN)
FORWARD(gelu_erf, TSL_GELU_ERF)
FORWARD(gelu_tanh, TSL_GELU_TANH)
FORWARD(relu, TSL_RELU)
BACKWARD(gelu_erf_grad, TSL_GELU_ERF)
BACKWARD(gelu_tanh_grad, TSL_GELU_TANH)

static void softmax(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->softmax(d->y, d->x, n / COLS, COLS);
}
static void softmax_grad(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->softmax_grad(d->y, d->x, d->z, false, n / COLS, COLS);
}
static void layernorm(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->layernorm(d->y, d->mean, d->rstd, d->x, d->z, d->z, 1e-5f, n / COLS, COLS);
}
static void layernorm_grad(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->layernorm_grad(d->y, d->stats, d->loss, d->z, d->x, d->mean, d->rstd, d->z, false,
                      n / COLS, COLS);
}
static void residual_norm(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->residual_norm(d->y, d->u, d->mean, d->rstd, d->x, d->z, &d->drop, 0, d->z, d->z,
                     1e-5f, n / COLS, COLS);
}
static void entropy(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->cross_entropy(d->loss, d->stats, d->x, d->labels, 0, n / COLS, COLS);
    k->cross_entropy_grad(d->y, d->x, d->stats, d->labels, 0, 1, n / COLS, COLS);
}
static void add_rows(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->add_rows(d->y, d->x, n / COLS, COLS, COLS);
}
static void add(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->binary[0](d->y, d->x, d->z, n);
}
static void dropout(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->dropout(d->y, d->x, n, &d->drop, 0);
}
static void dropout_kept(const struct tsl_kernels *k, struct data *d, size_t n)
{
    k->dropout_kept(d->bits, n, &d->drop, 0);
}
static void adamw(const struct tsl_kernels *k, struct data *d, size_t n)
{
    static const struct tsl_step_adamw s = { 1,     0.9f, 0.1f,  0.999f, 0.001f,
                                             1e-4f, 1,    1e-8f, 0 };
    k->step_adamw(d->x, d->y, d->u, d->z, n, &s);
}
static double sum;
static void squares(const struct tsl_kernels *k, struct data *d, size_t n)
{
    sum += k->step_squares(d->z, n);
}

static const struct {
    const char *name;
    kernel *f;
    bool large;
} kernels[] = {
    { "exp", exps, false },
    { "log", logs, false },
    { "tanh", tanhs, false },
    { "erf", erfs, false },
    { "sigmoid", sigmoids, false },
    { "sin", sines, false },
    { "gelu_erf", gelu_erf, false },
    { "gelu_erf backward", gelu_erf_grad, false },
    { "gelu_tanh", gelu_tanh, false },
    { "gelu_tanh backward", gelu_tanh_grad, false },
    { "softmax", softmax, false },
    { "softmax backward", softmax_grad, false },
    { "layernorm", layernorm, false },
    { "layernorm backward", layernorm_grad, false },
    { "residual norm", residual_norm, false },
    { "cross entropy, both", entropy, false },
    { "add rows", add_rows, false },
    { "dropout", dropout, false },
    { "dropout, bits", dropout_kept, false },
    { "relu", relu, true },
    { "add", add, true },
    { "adamw", adamw, true },
    { "sum of squares", squares, true },
};

static float *numbers(size_t n, float size)
{
    float *x = malloc(n * sizeof *x);
    if (!x)
        exit(1);
    uint32_t s = 1;
    for (size_t i = 0; i < n; i++) {
        s = s * 1664525 + 1013904223;
        x[i] = size * ((float)(s >> 8) * 0x1p-23f - 1);
    }
    return x;
}
static void table(const struct tsl_kernels *k, struct data *d)
{
    for (size_t i = 0; i < sizeof kernels / sizeof *kernels; i++) {
        measure(k, kernels[i].name, kernels[i].f, d, N);
        if (kernels[i].large)
            measure(k, kernels[i].name, kernels[i].f, d, MANY);
    }
}

int main(int argc, char **argv)
{
    struct data d = { .drop = tsl_dropout_make(0.1, 1, 2) };
    float **each[] = { &d.x, &d.y, &d.z, &d.u };
    for (size_t i = 0; i < 4; i++)
        *each[i] = numbers(MANY, 4);
    for (size_t i = 0; i < MANY; i++)
        d.u[i] = d.u[i] < 0 ? -d.u[i] : d.u[i];
    d.mean = numbers(N, 0.1f);
    d.rstd = numbers(N, 1);
    d.loss = numbers(N, 1);
    d.stats = numbers(N, 1);
    d.bits = malloc(N / 8);
    for (int i = 1; i < argc; i++) {
        const struct tsl_kernels *k = tsl_kernels_named(argv[i]);
        if (k)
            table(k, &d);
    }
    for (size_t i = 0; argc < 2 && i < 3; i++) {
        const struct tsl_kernels *k =
            tsl_kernels_named((const char *[]){ "avx512", "avx2", "ref" }[i]);
        if (k)
            table(k, &d);
    }
    for (size_t i = 0; i < 4; i++)
        free(*each[i]);
    free(d.mean);
    free(d.rstd);
    free(d.loss);
    free(d.stats);
    free(d.bits);
    return sum < 0;
}

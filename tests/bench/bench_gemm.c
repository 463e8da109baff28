/* bench_gemm - products of matrices in the shapes that models have.
 *   bench_gemm [--peer] [--cpu] [--cold] [--only WORD] [--rounds N] [--threads N]
 * Told are GF/s, the best of some rounds, and the share of what a loop of nothing but
 * multiply-adds gives on as many threads, measured in turn with each round; with --peer,
 * OpenBLAS's cblas_sgemm in turn as well, where libopenblas.so.0 can be loaded.  --cpu takes the
 * processors' time for the clock's, for machines that are not left alone: of several threads
 * it does not see that one waits.  --cold takes other a and c each time, as many as caches do not
 * hold: so it is in a step. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "par/pool.h"
#include "tensor/gemm.h"
#include "tensor/kernels.h"

static bool by_cpu, cold;
static unsigned sharers = 1; /* threads that work while time passes */

static double now(void)
{
    struct timespec t;
    clock_gettime(by_cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) / sharers;
}

/* ---- the peak ------------------------------------------------------------------------------ */

enum { CHAINS = 12, PEAK_STEPS = 1 << 19 };

#define STEPS                                                                            \
    STEP(a)                                                                              \
    STEP(b)                                                                              \
    STEP(c)                                                                              \
    STEP(d)                                                                              \
    STEP(e)                                                                              \
    STEP(f)                                                                              \
    STEP(g)                                                                              \
    STEP(h)                                                                              \
    STEP(i)                                                                              \
    STEP(j)                                                                              \
    STEP(k)                                                                              \
    STEP(l)
#define PEAK(name, width, flags)                                                         \
    typedef float name##_v __attribute__((vector_size(4 * (width)), aligned(4)));        \
    flags static float name(void)                                                        \
    {                                                                                    \
        name##_v x = { 0 };                                                              \
        x += 0.999f;                                                                     \
        name##_v a = x, b = x, c = x, d = x, e = x, f = x;                               \
        name##_v g = x, h = x, i = x, j = x, k = x, l = x;                               \
        for (unsigned n = 0; n < PEAK_STEPS; n++) {                                      \
            STEPS                                                                        \
        }                                                                                \
        return (a + b + c + d + e + f + g + h + i + j + k + l)[0];                       \
    }
#ifdef __clang__
#define AT_O2
#else /* also in a build without optimisation: a peak is one */
#define AT_O2 __attribute__((optimize("O2")))
#endif
#ifdef __x86_64__
#define STEP(y) __asm__("vfmadd132ps %1, %1, %0" : "+v"(y) : "v"(x));
PEAK(peak_512, 16, __attribute__((target("avx512f"))) AT_O2)
PEAK(peak_256, 8, __attribute__((target("avx2,fma"))) AT_O2)
#undef STEP
#endif
#define STEP(y) y = y * x + x;
PEAK(peak_128, 4, )

static volatile float sink;

static void peak_work(void *width, unsigned i)
{
    (void)width; /* one kind of register, where others are not known */
    (void)i;
#ifdef __x86_64__
    if (*(unsigned *)width == 16)
        sink = peak_512();
    else if (*(unsigned *)width == 8)
        sink = peak_256();
    else
#endif
        sink = peak_128();
}

static double peak(struct tsl_pool *pool, unsigned nthreads)
{
    const char *name = tsl_kernels()->name;
    unsigned width = !strcmp(name, "avx512") ? 16 : !strcmp(name, "avx2") ? 8 : 4;
    double t = now();
    tsl_pool_run(pool, nthreads, peak_work, &width);
    return 2e-9 * nthreads * (double)PEAK_STEPS * CHAINS * width / (now() - t);
}

/* ---- the shapes ---------------------------------------------------------------------------- */

struct shape {
    const char *name;
    size_t m, n, k;
    char a, b; /* 't': stored transposed */
    bool add;
};

static const struct shape shapes[] = {
    { "forward H256", 4096, 256, 256, 'n', 't', false },
    { "forward QKV", 4096, 768, 256, 'n', 't', false },
    { "forward up", 4096, 1024, 256, 'n', 't', false },
    { "forward down", 4096, 256, 1024, 'n', 't', false },
    { "forward vocabulary", 614, 30522, 256, 'n', 't', false },
    { "data gradient H256", 4096, 256, 256, 'n', 'n', false },
    { "data gradient up", 4096, 256, 1024, 'n', 'n', false },
    { "data gradient down", 4096, 1024, 256, 'n', 'n', false },
    { "data gradient vocabulary", 614, 256, 30522, 'n', 'n', false },
    { "weight gradient H256", 256, 256, 4096, 't', 'n', true },
    { "weight gradient up", 1024, 256, 4096, 't', 'n', true },
    { "weight gradient down", 256, 1024, 4096, 't', 'n', true },
    { "weight gradient vocabulary", 30522, 256, 614, 't', 'n', true },
    { "gpt forward QKV", 4096, 1152, 384, 'n', 't', false },
    { "gpt forward down", 4096, 384, 1536, 'n', 't', false },
    { "gpt forward vocabulary", 512, 50257, 384, 'n', 't', false },
    { "gpt data gradient vocabulary", 512, 384, 50257, 'n', 'n', false },
    { "gpt weight gradient up", 1536, 384, 4096, 't', 'n', true },
    { "gpt weight gradient vocabulary", 50257, 384, 512, 't', 'n', true },
    { "generation m1 t", 1, 1024, 1024, 'n', 't', false },
    { "generation m1 n", 1, 1024, 1024, 'n', 'n', false },
    { "generation m8 t", 8, 1024, 1024, 'n', 't', false },
    { "generation m8 n", 8, 1024, 1024, 'n', 'n', false },
    { "generation m1 vocabulary t", 1, 50257, 384, 'n', 't', false },
    { "square 64", 64, 64, 64, 'n', 'n', false },
};

typedef void sgemm_fn(int order, int ta, int tb, int m, int n, int k, float alpha,
                      const float *a, int lda, const float *b, int ldb, float beta,
                      float *c, int ldc);
typedef void threads_fn(int n);

static sgemm_fn *peer;
static threads_fn *peer_threads;

static void run_peer(const struct shape *s, const float *a, const float *b, float *c)
{
    enum { ROWS = 101, PLAIN = 111, TURNED = 112 };
    peer(ROWS, s->a == 't' ? TURNED : PLAIN, s->b == 't' ? TURNED : PLAIN, (int)s->m,
         (int)s->n, (int)s->k, 1, a, (int)(s->a == 't' ? s->m : s->k), b,
         (int)(s->b == 't' ? s->k : s->n), s->add, c, (int)s->n);
}

static float *numbers(size_t n)
{
    struct tsl_err err;
    float *p = tsl_pages_map(n * sizeof *p, "a matrix", &err);
    if (!p) {
        fprintf(stderr, "bench_gemm: %s\n", err.msg);
        exit(1);
    }
    tsl_pages_want_huge(p, n * sizeof *p);
    for (size_t i = 0; i < n; i++)
        p[i] = (float)(i * 2654435761u % 1024) / 1024 - .5f;
    return p;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static void measure(const struct shape *s, struct tsl_pool *pool, unsigned nthreads,
                    unsigned rounds)
{
    size_t na = s->m * s->k, nb = s->k * s->n, nc = s->m * s->n;
    enum { COLD = 256 << 20 };
    size_t sets = cold ? COLD / (4 * (na + nc)) + 1 : 1;
    float *a = numbers(sets * na), *b = numbers(nb), *c = numbers(sets * nc);
    struct tsl_gemm g = { .m = s->m, .n = s->n, .k = s->k, .a = a, .b = b, .c = c };
    g.a_row = s->a == 't' ? 1 : (ptrdiff_t)s->k;
    g.a_col = s->a == 't' ? (ptrdiff_t)s->m : 1;
    g.b_row = s->b == 't' ? 1 : (ptrdiff_t)s->n;
    g.b_col = s->b == 't' ? (ptrdiff_t)s->k : 1;
    g.c_row = (ptrdiff_t)s->n;
    g.add = s->add;
    size_t room = tsl_gemm_scratch_bytes(&g, nthreads);
    float *scratch = numbers(room / sizeof *scratch + 1);
    double flops = 2e-9 * (double)s->m * (double)s->n * (double)s->k;
    unsigned times = (unsigned)((cold ? 20 : .2) / flops) + 1;
    double ours = 1e9, theirs = 1e9, top = 0;
    for (unsigned r = 0; r < rounds; r++) {
        double t = peak(pool, nthreads);
        top = t > top ? t : top;
        t = now();
        for (unsigned i = 0; i < times; i++) {
            g.a = a + i % sets * na;
            g.c = c + i % sets * nc;
            tsl_gemm_run(&g, pool, scratch);
        }
        ours = least(ours, (now() - t) / times);
        if (!peer)
            continue;
        t = now();
        for (unsigned i = 0; i < times; i++)
            run_peer(s, a, b, c);
        theirs = least(theirs, (now() - t) / times);
    }
    printf("%-30s %5zu %5zu %5zu  %u thread%s %8.1f GF/s %5.1f %%", s->name, s->m, s->n,
           s->k, nthreads, nthreads > 1 ? "s" : " ", flops / ours,
           100 * flops / ours / top);
    if (peer)
        printf("   peer %8.1f %5.1f %%", flops / theirs, 100 * flops / theirs / top);
    printf("   peak %.0f\n", top);
    fflush(stdout);
    tsl_pages_unmap(a, sets * na * sizeof *a);
    tsl_pages_unmap(b, nb * sizeof *b);
    tsl_pages_unmap(c, sets * nc * sizeof *c);
    tsl_pages_unmap(scratch, (room / sizeof *scratch + 1) * sizeof *scratch);
}

static void find_peer(void)
{
    void *lib = dlopen("libopenblas.so.0", RTLD_NOW);
    if (lib) {
        *(void **)&peer = dlsym(lib, "cblas_sgemm");
        *(void **)&peer_threads = dlsym(lib, "openblas_set_num_threads");
    }
    if (!peer || !peer_threads) {
        peer = NULL;
        printf("no libopenblas.so.0 here: no peer\n");
    }
}

int main(int argc, char **argv)
{
    const char *only = "";
    unsigned rounds = 7, threads = 0;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--peer"))
            find_peer();
        else if (!strcmp(argv[i], "--cpu"))
            by_cpu = true;
        else if (!strcmp(argv[i], "--cold"))
            cold = true;
        else if (!strcmp(argv[i], "--only") && i + 1 < argc)
            only = argv[++i];
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = (unsigned)atoi(argv[++i]);
        else if (!strcmp(argv[i], "--threads") && i + 1 < argc)
            threads = (unsigned)atoi(argv[++i]);
    }
    printf("kernels: %s\n", tsl_kernels()->name);
    for (unsigned n = threads ? threads : 1; n <= (threads ? threads : 2); n++) {
        struct tsl_pool *pool;
        if (tsl_pool_create(&pool, n, NULL) < 0)
            return 1;
        sharers = by_cpu ? n : 1;
        if (peer)
            peer_threads((int)n);
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
            if (strstr(shapes[i].name, only))
                measure(&shapes[i], pool, n, rounds);
        tsl_pool_destroy(pool);
    }
    return 0;
}

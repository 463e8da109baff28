/* bench_attention - how fast attention is, beside what the processor could do.
 *
 *   bench_attention [THREADS [KERNELS [bf16]]]
 *
 * For BERT's and GPT's shapes: best of several runs of forward and of backward, in
 * milliseconds and GFLOP/s (2 products forward, 5 backward; of causal ones, the lower half)
 * and as a share of the peak, which is measured by a loop of fused multiply-adds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "par/pool.h"
#include "tensor/attention.h"
#include "tensor/kernels.h"

/* One thread's own time, which others disturb less; of several, everybody's. */
static clockid_t watch = CLOCK_THREAD_CPUTIME_ID;

static double now(void)
{
    struct timespec t;
    clock_gettime(watch, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#ifdef __x86_64__
/* 2^22 fused multiply-adds of 16 floats, in 16 chains. */
__attribute__((target("avx512f"), noinline)) static void chains(void)
{
#define STEP(c) "vfmadd231ps %%zmm16, %%zmm16, %%zmm" #c "\n"
    unsigned n = 1 << 18;
    __asm__ volatile(
        "1:\n" STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) STEP(8)
            STEP(9) STEP(10) STEP(11) STEP(12) STEP(13) STEP(14) STEP(15) "dec %0\njnz 1b"
        : "+r"(n)
        :
        : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16");
#undef STEP
}
#endif

/* GFLOP/s of one thread; 0: unknown. */
static double peak(void)
{
    double best = 0;
#ifdef __x86_64__
    if (!__builtin_cpu_supports("avx512f"))
        return 0;
    for (int i = 0; i < 3; i++) {
        double t = now();
        chains();
        double rate = 32.0 * (1 << 22) / (now() - t) * 1e-9;
        best = rate > best ? rate : best;
    }
#endif
    return best;
}

struct shape {
    const char *name;
    size_t batch, heads, t, dim;
    enum tsl_attention_mask mask;
    float drop;
};

static float *numbers(size_t n)
{
    float *x = tsl_pages_map(n * sizeof *x, "numbers", NULL);
    if (!x)
        exit(1);
    tsl_pages_want_huge(x, n * sizeof *x); /* as a graph's are */
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        x[i] = (float)(int32_t)seed * 0x1p-31f;
    }
    return x;
}

static void measure(const struct shape *s, struct tsl_pool *pool, const char *kernels,
                    bool bf16)
{
    size_t wide = s->heads * s->dim, n = s->batch * s->t * wide;
    float *qkv = numbers(3 * n), *grads = numbers(3 * n), *y = numbers(n),
          *dy = numbers(n);
    float *lse = numbers(s->batch * s->heads * s->t);
    struct tsl_attention_at in = { 3 * s->t * wide, 3 * wide, s->dim },
                            out = { s->t * wide, wide, s->dim };
    struct tsl_attention a = { .batch = s->batch,
                               .heads = s->heads,
                               .tq = s->t,
                               .tk = s->t,
                               .dim = s->dim,
                               .dim_v = s->dim,
                               .q = qkv,
                               .k = qkv + wide,
                               .v = qkv + 2 * wide,
                               .q_at = in,
                               .k_at = in,
                               .v_at = in,
                               .y = y,
                               .y_at = out,
                               .lse = lse,
                               .scale = 0.125f,
                               .mask = s->mask,
                               .drop = s->drop,
                               .bf16 = bf16 };
    a.kernels = kernels ? tsl_kernels_named(kernels) : NULL;
    struct tsl_attention_grads g = { .dy = dy,
                                     .dy_at = out,
                                     .dq = grads,
                                     .dk = grads + wide,
                                     .dv = grads + 2 * wide,
                                     .dq_at = in,
                                     .dk_at = in,
                                     .dv_at = in };
    void *scratch =
        aligned_alloc(64, tsl_attention_scratch_bytes(&a, tsl_pool_threads(pool)));
    double peak_rate = 0, best[2] = { 1e9, 1e9 }, end = now() + 0.7;
    for (int i = 0; i < 3 || now() < end; i++) {
        double rate_now = peak() * tsl_pool_threads(pool);
        peak_rate = rate_now > peak_rate ? rate_now : peak_rate;
        double t0 = now();
        tsl_attention_forward(&a, pool, scratch);
        double t1 = now();
        tsl_attention_backward(&a, &g, pool, scratch);
        double t2 = now();
        best[0] = t1 - t0 < best[0] ? t1 - t0 : best[0];
        best[1] = t2 - t1 < best[1] ? t2 - t1 : best[1];
    }
    double product = 2.0 * (double)(s->batch * s->heads * s->t) * (double)(s->t * s->dim);
    if (s->mask == TSL_ATTENTION_CAUSAL)
        product *= (double)(s->t + 1) / (double)(2 * s->t);
    double rate[2] = { 2 * product / best[0] * 1e-9, 5 * product / best[1] * 1e-9 };
    printf("%-22s %8.3f %7.1f %4.0f %%  %8.3f %7.1f %4.0f %%  (peak %.0f)\n", s->name,
           best[0] * 1e3, rate[0], 100 * rate[0] / peak_rate, best[1] * 1e3, rate[1],
           100 * rate[1] / peak_rate, peak_rate);
    tsl_pages_unmap(qkv, 3 * n * sizeof *qkv);
    tsl_pages_unmap(grads, 3 * n * sizeof *grads);
    tsl_pages_unmap(y, n * sizeof *y);
    tsl_pages_unmap(dy, n * sizeof *dy);
    tsl_pages_unmap(lse, s->batch * s->heads * s->t * sizeof *lse);
    free(scratch);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {
        { "32x128 A4 d64", 32, 4, 128, 64, TSL_ATTENTION_ALL, 0 },
        { "8x512 A4 d64", 8, 4, 512, 64, TSL_ATTENTION_ALL, 0 },
        { "32x128 A8 d32", 32, 8, 128, 32, TSL_ATTENTION_ALL, 0 },
        { "8x512 A8 d32", 8, 8, 512, 32, TSL_ATTENTION_ALL, 0 },
        { "32x128 A4 d64 causal", 32, 4, 128, 64, TSL_ATTENTION_CAUSAL, 0 },
        { "8x512 A4 d64 causal", 8, 4, 512, 64, TSL_ATTENTION_CAUSAL, 0 },
        { "1x4096 A4 d64 causal", 1, 4, 4096, 64, TSL_ATTENTION_CAUSAL, 0 },
        { "32x128 A4 d64 drop", 32, 4, 128, 64, TSL_ATTENTION_ALL, 0.1f },
        { "8x512 A4 d64 drop", 8, 4, 512, 64, TSL_ATTENTION_ALL, 0.1f },
    };
    struct tsl_pool *pool = NULL;
    unsigned nthreads = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    if (tsl_pool_create(&pool, nthreads ? nthreads : 1, NULL) < 0)
        return 1;
    if (nthreads > 1)
        watch = CLOCK_MONOTONIC;
    printf("%u threads\n", tsl_pool_threads(pool));
    printf("%-22s %8s %16s %10s\n", "", "forward", "", "backward");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        measure(&shapes[i], pool, argc > 2 && argv[2][0] ? argv[2] : NULL, argc > 3);
    tsl_pool_destroy(pool);
}

/* The oracle is three nested loops; what is compared is bits. */
#include "tensor/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "par/pool.h"
#include "support/test.h"
#include "tensor/kernels.h"

static uint64_t state = 1;

static uint64_t draw(uint64_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % n;
}

static const char *const tables[] = { "ref", "avx2", "avx512" };
static const unsigned threads[] = { 1, 2, 3, 5 };
static struct tsl_pool *pools[4];

static int start_pools(void **s)
{
    (void)s;
    for (unsigned i = 0; i < 4; i++)
        if (tsl_pool_create(&pools[i], threads[i], NULL) < 0)
            return -1;
    return 0;
}

static int end_pools(void **s)
{
    (void)s;
    for (unsigned i = 0; i < 4; i++)
        tsl_pool_destroy(pools[i]);
    return 0;
}

static float *floats(size_t n, bool tiny)
{
    float *p = malloc((n + 1) * sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        p[i] = ((float)draw(1 << 24) / (1 << 23) - 1) * (float)(1 << draw(4));
        if (tiny) /* products of two are denormal, or vanish */
            p[i] = ldexpf(p[i], -60 - (int)draw(20));
    }
    return p;
}

static float to_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, 4);
    if (isnan(x))
        u |= 1 << 22;
    else
        u += 0x7fff + (u >> 16 & 1);
    u &= 0xffff0000;
    memcpy(&x, &u, 4);
    return x;
}

/* A product with matrices of its own. */
struct problem {
    struct tsl_gemm g;
    struct tsl_gemm_batch batch;
    size_t c_floats;
    float *a, *b, *bias;
    float *c, *before;           /* as they were */
    float *want_c, *want_before; /* as they ought to be */
};

/* A matrix of (rows, cols), of any layout; how many floats it needs. */
static size_t lay_out(size_t rows, size_t cols, ptrdiff_t *row, ptrdiff_t *col)
{
    size_t gap = draw(3), apart = 1 + (draw(8) == 0);
    if (draw(2)) {
        *col = (ptrdiff_t)apart;
        *row = (ptrdiff_t)(cols * apart + gap);
        return rows * (cols * apart + gap);
    }
    *row = (ptrdiff_t)apart;
    *col = (ptrdiff_t)(rows * apart + gap);
    return cols * (rows * apart + gap);
}

/* One of each kind; the others go the same way. */
static const enum tsl_unary afters[] = { TSL_RELU, TSL_GELU_ERF, TSL_GELU_TANH,
                                         TSL_TANH, TSL_SWISH,    TSL_EXP };

static void solve(struct problem *p)
{
    const struct tsl_gemm *g = &p->g;
    const struct tsl_gemm_batch *s = &p->batch;
    bool bf16 = g->multiply == TSL_GEMM_BF16;
    ptrdiff_t chain = (ptrdiff_t)tsl_gemm_chain(g->m, g->n, g->k);
    for (ptrdiff_t nth = 0; nth < (ptrdiff_t)(s->outer * s->inner); nth++) {
        ptrdiff_t o = nth / (ptrdiff_t)s->inner, in = nth % (ptrdiff_t)s->inner;
        for (ptrdiff_t i = 0; i < (ptrdiff_t)g->m; i++)
            for (ptrdiff_t j = 0; j < (ptrdiff_t)g->n; j++) {
                float *c =
                    p->want_c + o * s->c_outer + in * s->c_inner + i * g->c_row + j;
                float acc = 0, sum = 0;
                bool some = g->add;
                if (g->add)
                    sum = *c;
                for (ptrdiff_t k = 0; k < (ptrdiff_t)g->k; k++) {
                    float x = p->a[o * s->a_outer + in * s->a_inner + i * g->a_row +
                                   k * g->a_col];
                    float y = p->b[o * s->b_outer + in * s->b_inner + k * g->b_row +
                                   j * g->b_col];
                    acc = fmaf(bf16 ? to_bf16(x) : x, bf16 ? to_bf16(y) : y, acc);
                    if ((k + 1) % chain && k + 1 < (ptrdiff_t)g->k)
                        continue;
                    sum = some ? sum + acc : acc;
                    some = true;
                    acc = 0;
                }
                acc = sum;
                if (g->bias)
                    acc += g->bias[j];
                if (g->before)
                    p->want_before[o * s->before_outer + in * s->before_inner +
                                   i * g->before_row + j] = acc;
                if (g->after != TSL_IDENTITY)
                    tsl_kernels_named("ref")->unary[g->after](&acc, &acc, 1);
                *c = acc;
            }
    }
}

static struct problem make(size_t m, size_t n, size_t k, size_t outer, size_t inner)
{
    struct problem p = { .g = { .m = m, .n = n, .k = k } };
    struct tsl_gemm *g = &p.g;
    bool tiny = draw(8) == 0;
    size_t nbatch = outer * inner, each;
    p.batch = (struct tsl_gemm_batch){ .outer = outer, .inner = inner };
    each = lay_out(m, k, &g->a_row, &g->a_col);
    p.batch.a_outer = (ptrdiff_t)(each * inner);
    p.batch.a_inner = (ptrdiff_t)each;
    g->a = p.a = floats(each * nbatch, tiny);
    each = lay_out(k, n, &g->b_row, &g->b_col);
    p.batch.b_outer = (ptrdiff_t)(each * inner);
    p.batch.b_inner = (ptrdiff_t)each;
    g->b = p.b = floats(each * nbatch, tiny);
    g->c_row = g->before_row = (ptrdiff_t)(n + draw(3));
    each = m * (size_t)g->c_row;
    p.batch.c_outer = p.batch.before_outer = (ptrdiff_t)(each * inner);
    p.batch.c_inner = p.batch.before_inner = (ptrdiff_t)each;
    p.c_floats = each * nbatch;
    p.c = floats(p.c_floats, tiny);
    p.want_c = floats(p.c_floats, false);
    memcpy(p.want_c, p.c, p.c_floats * sizeof(float));
    p.before = floats(p.c_floats, false);
    p.want_before = floats(p.c_floats, false);
    memcpy(p.want_before, p.before, p.c_floats * sizeof(float));
    p.bias = floats(n, tiny);
    g->bias = draw(2) ? p.bias : NULL;
    g->before = draw(2) ? p.before : NULL;
    g->add = draw(2);
    g->after = draw(2) ? afters[draw(sizeof afters / sizeof *afters)] : TSL_IDENTITY;
    g->multiply = draw(4) ? TSL_GEMM_F32 : TSL_GEMM_BF16;
    solve(&p);
    return p;
}

static void drop(struct problem *p)
{
    float *all[] = { p->a, p->b, p->bias, p->c, p->before, p->want_c, p->want_before };
    for (unsigned i = 0; i < 7; i++)
        free(all[i]);
}

static void try_once(const struct problem *p, const char *table, unsigned pool)
{
    struct tsl_gemm g = p->g;
    size_t bytes = p->c_floats * sizeof(float);
    float *c = floats(p->c_floats, false), *before = floats(p->c_floats, false);
    memcpy(c, p->c, bytes);
    memcpy(before, p->before, bytes);
    g.c = c;
    g.before = g.before ? before : NULL;
    g.kernels = tsl_kernels_named(table);
    size_t room = tsl_gemm_scratch_bytes(&g, threads[pool]);
    void *scratch = aligned_alloc(64, (room + 127) / 64 * 64);
    assert_non_null(scratch);
    if (p->batch.outer * p->batch.inner == 1)
        tsl_gemm_run(&g, pools[pool], scratch);
    else
        tsl_gemm_run_batch(&g, &p->batch, pools[pool], scratch);
    if (memcmp(c, p->want_c, bytes) || memcmp(before, p->want_before, bytes))
        fail_msg(
            "%s, %u threads: (%zu, %zu, %zu), a %td %td, b %td %td, c %td, add %d, after "
            "%d, before %d, multiply %d",
            table, threads[pool], g.m, g.n, g.k, g.a_row, g.a_col, g.b_row, g.b_col,
            g.c_row, g.add, (int)g.after, !!g.before, (int)g.multiply);
    free(scratch);
    free(c);
    free(before);
}

static void check(size_t m, size_t n, size_t k, size_t outer, size_t inner)
{
    struct problem p = make(m, n, k, outer, inner);
    for (unsigned t = 0; t < 3; t++)
        if (tsl_kernels_named(tables[t])) {
            if (!t && draw(4)) /* the plain kernels are slow */
                continue;
            try_once(&p, tables[t], 0);
            try_once(&p, tables[t], 1 + (unsigned)draw(3));
        }
    drop(&p);
}

static const size_t sizes[] = { 0,  1,  2,  3,  5,  7,  8,   15, 16,
                                17, 31, 33, 48, 63, 65, 100, 129 };
enum { NSIZES = sizeof sizes / sizeof *sizes };

static void any_shape_is_the_plain_chain(void **s)
{
    (void)s;
    for (unsigned i = 0; i < 600 / test_thrift(); i++)
        check(sizes[draw(NSIZES)], sizes[draw(NSIZES)], sizes[draw(NSIZES)], 1, 1);
}

static void any_layout_of_small_shapes_is_the_plain_chain(void **s)
{
    (void)s;
    for (unsigned i = 0; i < 3000 / test_thrift(); i++)
        check(draw(20), draw(70), draw(40), 1, 1);
}

static void chains_longer_than_a_part_go_on_where_they_stopped(void **s)
{
    (void)s;
    static const size_t ks[] = { 511, 512, 513, 1023, 1025, 1600 };
    for (unsigned i = 0; i < 24 / test_thrift(); i++)
        check(1 + draw(40), 1 + draw(120), ks[i % 6], 1, 1);
}

static void what_needs_many_parts_is_the_plain_chain(void **s)
{
    (void)s;
    check(300, 700, 70, 1, 1);
    check(9, 5000, 30, 1, 1);
    check(3000, 20, 30, 1, 1);
    check(520, 50, 520, 1, 1);
    for (unsigned i = 0; i < 8 / test_thrift(); i++)
        check(90 + draw(150), 90 + draw(150), 120 + draw(60), 1, 1);
}

static void a_batch_is_each_product_alone(void **s)
{
    (void)s;
    for (unsigned i = 0; i < 60 / test_thrift(); i++)
        check(draw(40), draw(40), draw(40), 1 + draw(4), 1 + draw(4));
    check(47, 61, 59, 3, 5);
}

/* The sums of a's rows, whatever is cut: the same bits, near the sums in double. */
static void sums_of_rows_come_with_the_product(void **s)
{
    (void)s;
    enum { M = 150, N = 70, K = 700 };
    float *a = floats(M * K, false), *b = floats(K * N, false);
    float *c = malloc(M * N * sizeof *c), first[M], sum[M];
    assert_non_null(c);
    struct tsl_gemm g = { .m = M, .n = N, .k = K, .a = a, .b = b, .c = c };
    g.a_row = 1, g.a_col = M, g.b_row = N, g.b_col = 1, g.c_row = N;
    for (unsigned t = 0; t < 3; t++)
        for (unsigned pool = 0; pool < 4; pool++) {
            g.kernels = tsl_kernels_named(tables[t]);
            if (!g.kernels)
                continue;
            size_t bytes = tsl_gemm_scratch_bytes(&g, threads[pool]);
            void *scratch = aligned_alloc(64, (bytes + 127) / 64 * 64);
            assert_non_null(scratch);
            g.a_sum = t + pool ? sum : first;
            tsl_gemm_run(&g, pools[pool], scratch);
            free(scratch);
            assert_memory_equal(g.a_sum, first, sizeof first);
        }
    for (size_t i = 0; i < M; i++) {
        double want = 0, size = 0;
        for (size_t k = 0; k < K; k++) {
            want += (double)a[k * M + i];
            size += fabs((double)a[k * M + i]);
        }
        assert_true(fabs((double)first[i] - want) <= 1e-6 * size);
    }
    free(a);
    free(b);
    free(c);
}

static void nan_stays_nan(void **s)
{
    (void)s;
    for (unsigned t = 0; t < 6; t++) {
        float a[2] = { NAN, 1 }, b[2] = { 1, 2 }, c[2] = { 0, 0 };
        struct tsl_gemm g = { .m = 2,
                              .n = 1,
                              .k = 1,
                              .a = a,
                              .a_row = 1,
                              .a_col = 1,
                              .b = b,
                              .b_row = 1,
                              .b_col = 1,
                              .c = c,
                              .c_row = 1 };
        g.after = TSL_RELU;
        g.kernels = tsl_kernels_named(tables[t / 2]);
        g.multiply = t % 2 ? TSL_GEMM_BF16 : TSL_GEMM_F32;
        void *scratch =
            aligned_alloc(64, 64 + (tsl_gemm_scratch_bytes(&g, 1) + 63) / 64 * 64);
        tsl_gemm_run(&g, NULL, scratch);
        assert_true(isnan(c[0]) && c[1] == 1);
        free(scratch);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(any_shape_is_the_plain_chain),
        TEST(any_layout_of_small_shapes_is_the_plain_chain),
        TEST(chains_longer_than_a_part_go_on_where_they_stopped),
        TEST(what_needs_many_parts_is_the_plain_chain),
        TEST(a_batch_is_each_product_alone),
        TEST(sums_of_rows_come_with_the_product),
        TEST(nan_stays_nan),
    };
    return cmocka_run_group_tests(tests, start_pools, end_pools);
}

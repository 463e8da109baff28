#include "nn/crf.h"

#include <math.h>
#include <string.h>

#include "support/fault.h"
#include "support/test.h"

/* Three places, two labels, worked by hand. */
static const float emissions[] = { 1, 0.2f, 0.5f, 1.5f, 0.3f, 0.1f };
static const float transitions[] = { 0.4f, -0.3f, -0.6f, 0.8f };

static struct tsl_tensor *given(struct tsl_graph *g, enum tsl_num type, unsigned rank,
                                const int64_t *dim, const void *from)
{
    struct tsl_tensor *t = tsl_graph_input(g, "given", type, rank, dim);
    assert_non_null(t);
    memcpy(tsl_tensor_data(t), from, tsl_tensor_count(t) * 4);
    return t;
}

static void the_worked_example_comes_out(void **state)
{
    (void)state;
    struct tsl_graph *g;
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    struct tsl_crf c = {
        .emissions = given(g, TSL_F32, 3, (int64_t[]){ 1, 3, 2 }, emissions),
        .labels = given(g, TSL_I32, 2, (int64_t[]){ 1, 3 }, (int32_t[]){ 0, 1, 1 }),
        .transitions = given(g, TSL_F32, 2, (int64_t[]){ 2, 2 }, transitions),
    };
    struct tsl_tensor *crf = tsl_crf_loglik(g, &c), *memm = tsl_crf_memm_loglik(g, &c);
    struct tsl_tensor *d;
    assert_ok(tsl_graph_gradient(g, tsl_ops_sum_all(g, crf), &c.transitions, 1, false, &d,
                                 &err),
              &err);
    tsl_graph_keep(g, d = tsl_ops_contiguous(g, d));
    tsl_graph_keep(g, crf);
    tsl_graph_keep(g, memm);
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
    assert_float_equal(*tsl_tensor_f32(crf), -1.399154156014, 1e-6);
    assert_float_equal(*tsl_tensor_f32(memm), -1.188738377754, 1e-6);
    assert_float_equal(tsl_tensor_f32(d)[1], 0.607936074773, 1e-6);
    tsl_pool_destroy(pool);
    tsl_graph_destroy(g);
}

static double score_of(const float *e, const float *a, const float *start,
                       const float *end, size_t t, size_t k, const size_t *y)
{
    double s = (double)start[y[0]] + (double)end[y[t - 1]];
    for (size_t i = 0; i < t; i++)
        s += (double)e[i * k + y[i]] + (i ? (double)a[y[i - 1] * k + y[i]] : 0);
    return s;
}

static void the_best_path_is_the_best_of_all(void **state)
{
    (void)state;
    enum { T = 5, K = 3 };
    uint64_t seed = 1;
    for (unsigned trial = 0; trial < 50; trial++) {
        float x[T * K + K * K + 2 * K];
        for (size_t i = 0; i < sizeof x / sizeof *x; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            x[i] = (float)(seed >> 40) * 0x1p-23f - 1;
        }
        const float *e = x, *a = x + T * K, *start = a + K * K, *end = start + K;
        double best = -INFINITY;
        size_t y[T], top[T] = { 0 };
        for (size_t n = 0; n < 243; n++) { /* K^T */
            for (size_t i = 0, rest = n; i < T; i++, rest /= K)
                y[i] = rest % K;
            double s = score_of(e, a, start, end, T, K, y);
            if (s > best) {
                best = s;
                memcpy(top, y, sizeof y);
            }
        }
        int32_t path[T];
        double score;
        struct tsl_err err = { 0 };
        assert_ok(tsl_crf_best(e, T, K, a, start, end, path, &score, &err), &err);
        for (size_t i = 0; i < T; i++)
            assert_int_equal(path[i], top[i]);
        assert_true(fabs(score - best) < 1e-12);
    }
}

static void shapes_that_do_not_fit_are_told(void **state)
{
    (void)state;
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    struct tsl_crf c = {
        .emissions = given(g, TSL_F32, 3, (int64_t[]){ 1, 2, 3 }, emissions),
        .labels = given(g, TSL_I32, 2, (int64_t[]){ 1, 2 }, (int32_t[]){ 0, 1 }),
        .transitions = given(g, TSL_F32, 2, (int64_t[]){ 2, 2 }, transitions),
    };
    assert_null(tsl_crf_loglik(g, &c));
    assert_err(tsl_graph_plan(g, 1, &err), TSL_EUSAGE, &err, "transitions f32 [2,2]");
    tsl_graph_destroy(g);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct tsl_err err = { 0 };
        int32_t path[3];
        fault_arm(nth, "calloc");
        int rc = tsl_crf_best(emissions, 3, 2, transitions, NULL, NULL, path, NULL, &err);
        assert_non_null(fault_disarm());
        assert_err(rc, TSL_ENOMEM, &err, "best path");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_worked_example_comes_out),
        TEST(the_best_path_is_the_best_of_all),
        TEST(shapes_that_do_not_fit_are_told),
        TEST(running_out_of_memory_is_reported),
    };
    return cmocka_run_group_tests_name("crf", tests, NULL, NULL);
}

#include "support/test.h"

#include <math.h>
#include <string.h>

#include "support/trainlittle.h"
#include "train/infer.h"

enum { V = 31 };

static const float *ask(struct tsl_infer *x, const int32_t *ids, uint32_t n,
                        const struct tsl_infer_place *places, size_t nplaces)
{
    const float *logits;
    struct tsl_err err = { 0 };
    struct tsl_infer_row row = { ids, n, n, n };
    assert_ok(tsl_infer_run(x, &row, 1, places, nplaces, &logits, &err), &err);
    return logits;
}

static struct tsl_infer *open_one(const struct tsl_weights *w, enum tsl_attn_mask mask,
                                  unsigned nthreads, struct tsl_pool **pool)
{
    struct tsl_infer *x;
    struct tsl_err err = { 0 };
    assert_ok(tsl_pool_create(pool, nthreads, &err), &err);
    struct tsl_infer_opts o = {
        .weights = w, .mask = mask, .pool = *pool, .nthreads = nthreads
    };
    assert_ok(tsl_infer_open(&x, &o, &err), &err);
    return x;
}

static void padding_and_threads_change_nothing(void **state)
{
    struct tsl_weights w;
    struct tsl_pool *one, *three;
    int32_t ids[33];
    (void)state;
    trainlittle_open(&w, "bert-tiny", V, 2);
    struct tsl_infer *x = open_one(&w, TSL_ATTN_ALL, 1, &one),
                     *y = open_one(&w, TSL_ATTN_ALL, 3, &three);
    for (uint32_t i = 0; i < 33; i++)
        ids[i] = (int32_t)(i * 7 % V);
    static const uint32_t lengths[] = { 1, 15, 16, 17, 33 };
    for (unsigned k = 0; k < 5; k++) {
        struct tsl_infer_place p[] = { { 0, 0 }, { 0, lengths[k] - 1 }, { 0, 0 } };
        const float *a = ask(x, ids, lengths[k], p, 3),
                    *b = ask(y, ids, lengths[k], p, 3);
        assert_memory_equal(a, b, 3 * V * sizeof *a);
        assert_memory_equal(a, a + 2 * V, V * sizeof *a);
    }
    tsl_infer_destroy(x);
    tsl_infer_destroy(y);
    tsl_pool_destroy(one);
    tsl_pool_destroy(three);
    tsl_weights_close(&w);
}

static void a_causal_model_does_not_see_what_comes(void **state)
{
    struct tsl_weights w;
    struct tsl_pool *pool;
    int32_t ids[20] = { 3, 1, 4, 1, 5, 9, 2, 6 };
    (void)state;
    trainlittle_open(&w, "gpt2-tiny", V, 2);
    struct tsl_infer *x = open_one(&w, TSL_ATTN_CAUSAL, 1, &pool);
    struct tsl_infer_place p = { 0, 4 };
    float before[V];
    memcpy(before, ask(x, ids, 5, &p, 1), sizeof before);
    const float *after = ask(x, ids, 8, &p, 1);
    assert_memory_equal(before, after, sizeof before);
    after = ask(x, ids, 20, &p, 1);
    for (int i = 0; i < V; i++)
        assert_true(fabsf(after[i] - before[i]) < 1e-4F);
    tsl_infer_destroy(x);
    tsl_pool_destroy(pool);
    tsl_weights_close(&w);
}

static void a_parameter_that_is_missing_is_named(void **state)
{
    struct tsl_weights w;
    struct tsl_pool *pool;
    const float *logits;
    struct tsl_err err = { 0 };
    (void)state;
    trainlittle_open(&w, "bert-tiny", V, 2);
    w.found[tsl_params_find(&w.params, "cls.predictions.bias") - w.params.item] = false;
    struct tsl_infer *x = open_one(&w, TSL_ATTN_ALL, 1, &pool);
    const int32_t ids[] = { 1 };
    struct tsl_infer_row row = { ids, 1, 1, 1 };
    struct tsl_infer_place p = { 0, 0 };
    for (int i = 0; i < 2; i++)
        assert_err(tsl_infer_run(x, &row, 1, &p, 1, &logits, &err), TSL_EFORMAT, &err,
                   "little: there is no cls.predictions.bias");
    tsl_infer_destroy(x);
    tsl_pool_destroy(pool);
    tsl_weights_close(&w);
}

static void chances_add_up_to_one(void **state)
{
    const float x[] = { 1, 3, -1000, 2 };
    double p[4], log_sum;
    (void)state;
    tsl_infer_chances(x, 4, p, &log_sum);
    assert_true(fabs(p[0] + p[1] + p[2] + p[3] - 1) < 1e-15);
    assert_true(fabs(log_sum - log(exp(1) + exp(3) + exp(2))) < 1e-14);
    assert_true(fabs(p[1] - exp(3 - log_sum)) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(padding_and_threads_change_nothing),
        TEST(a_causal_model_does_not_see_what_comes),
        TEST(a_parameter_that_is_missing_is_named),
        TEST(chances_add_up_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/optimcase.h"

#include "optim/grads.h"

static void a_long_gradient_is_clipped(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    struct tsl_optim_stats stats;
    struct tsl_err err = { 0 };
    (void)state;
    opts.lr = 1;
    opts.clip_norm = 1;
    opts.update_norm = true;
    case_add(&c, "a", 1, 1, 2);
    case_add(&c, "b", 1, 1, 1);
    case_start(&c, &opts, 0);
    case_put(c.p.item[0].grad, (double[]){ 3, 4 }, 2);
    c.p.item[1].grad[0] = 12;
    assert_ok(tsl_optim_step(c.o, 1, 1, &stats, &err), &err);
    assert_true(stats.grad_norm == 13);
    assert_near(stats.clip_factor, 1. / 13, 1e-15);
    assert_near(stats.update_norm, 1, 1e-7);
    case_is(&c, (double[]){ -.230769230769, -.307692307692 });
    assert_near(c.p.item[1].value[0], -.923076923077, 1e-7);
    assert_ok(tsl_optim_step(c.o, 1, -1 / 26., &stats, &err), &err); /* short enough */
    assert_near(stats.grad_norm, .5, 1e-15);
    assert_true(stats.clip_factor == 1);
    assert_near(c.p.item[1].value[0], -.923076923077 + 12 / 26., 1e-7);
    case_end(&c);
}

/* A loss that is a mean: three batches of two are one of six. */
static void small_batches_add_up_to_a_large_one(void **state)
{
    static const double target[6] = { .3, -.5, 1, 2, -.25, .125 };
    struct optimcase whole = { 0 }, parts = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    struct tsl_err err = { 0 };
    (void)state;
    case_pair(&whole, &opts);
    case_pair(&parts, &opts);
    for (int t = 0; t < 5; t++) {
        tsl_grads_zero(&whole.p, NULL);
        tsl_grads_zero(&parts.p, NULL);
        for (int i = 0; i < 6; i++)
            for (int k = 0; k < 2; k++) {
                whole.p.item[0].grad[k] += whole.p.item[0].value[k] - (float)target[i];
                parts.p.item[0].grad[k] += parts.p.item[0].value[k] - (float)target[i];
            }
        tsl_grads_scale(&whole.p, 1.f / 6, NULL);
        assert_ok(tsl_optim_step(whole.o, 1, 1, NULL, &err), &err);
        assert_ok(tsl_optim_step(parts.o, 1, 1.f / 6, NULL, &err), &err);
        assert_memory_equal(whole.p.values, parts.p.values, 2 * sizeof(float));
    }
    case_end(&whole);
    case_end(&parts);
}

static void micro_gradients_are_averaged(void **state)
{
    static const float micro[] = { .3f, .6f, -.3f };
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    (void)state;
    case_add(&c, "w", 1, 1, 1);
    case_start(&c, &opts, 0);
    for (int i = 0; i < 3; i++)
        c.p.item[0].grad[0] += micro[i];
    tsl_grads_scale(&c.p, 1.f / 3, NULL);
    assert_near(c.p.item[0].grad[0], .2, 1e-7);
    case_end(&c);
}

static void all_threads_reach_all_gradients(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    (void)state;
    case_large(&c);
    case_start(&c, &opts, 3);
    case_large_grads(&c, 4);
    c.p.item[4].grad[70000] = NAN; /* zeroed all the same */
    tsl_grads_zero(&c.p, c.pool);
    for (size_t i = 0; i < c.p.numbers; i++)
        assert_true(c.p.grads[i] == 0);
    for (size_t i = 0; i < c.p.numbers; i++)
        c.p.grads[i] = 3;
    tsl_grads_scale(&c.p, .5f, c.pool);
    for (size_t i = 0; i < c.p.numbers; i++)
        assert_true(c.p.grads[i] == 1.5f);
    case_end(&c);
}

static void squares_are_summed_in_double(void **state)
{
    float x[100];
    (void)state;
    for (unsigned n = 0; n <= 100; n++) {
        double want = 0;
        for (unsigned i = 0; i < n; i++) {
            x[i] = (float)i + .5f;
            want += (double)x[i] * x[i];
        }
        assert_true(tsl_grads_squares(x, n) == want);
    }
    x[0] = 3e38f;
    assert_true(tsl_grads_squares(x, 1) == (double)x[0] * x[0]);
    x[99] = NAN;
    assert_true(isnan(tsl_grads_squares(x, 100)));
    x[99] = -INFINITY;
    assert_true(isinf(tsl_grads_squares(x, 100)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_long_gradient_is_clipped),   TEST(small_batches_add_up_to_a_large_one),
        TEST(micro_gradients_are_averaged), TEST(all_threads_reach_all_gradients),
        TEST(squares_are_summed_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

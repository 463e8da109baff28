#include "support/optimcase.h"

#include "base/mem.h"
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

/* A loss that is a mean: three batches of two are one of six, if all is divided by six. */
static void small_batches_add_up_to_a_large_one(void **state)
{
    static const double target[6] = { .3, -.5, 1, 2, -.25, .125 };
    struct optimcase whole = { 0 }, parts = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    struct tsl_err err = { 0 };
    float kept[64];
    (void)state;
    case_pair(&whole, &opts);
    case_pair(&parts, &opts);
    assert_true(parts.p.numbers <= 64);
    for (int t = 0; t < 5; t++) {
        float *w = whole.p.item[0].grad, *p = parts.p.item[0].grad;
        w[0] = w[1] = 0;
        for (int i = 0; i < 6; i++) {
            for (int k = 0; k < 2; k++) {
                float d = (whole.p.item[0].value[k] - (float)target[i]) / 8;
                w[k] += d;
                p[k] = i % 2 ? p[k] + d : d; /* a backward pass sets */
            }
            if (i % 2 && i > 1)
                tsl_grads_add(&parts.p, kept, NULL);
            if (i % 2 && i < 5)
                tsl_grads_keep(&parts.p, kept, NULL);
        }
        for (int k = 0; k < 2; k++)
            assert_near(w[k], p[k], 1e-6);
        assert_ok(tsl_optim_step(whole.o, 1, 8 / 6., NULL, &err), &err);
        assert_ok(tsl_optim_step(parts.o, 1, 8 / 6., NULL, &err), &err);
        for (int k = 0; k < 2; k++)
            assert_near(whole.p.item[0].value[k], parts.p.item[0].value[k], 1e-6);
    }
    case_end(&whole);
    case_end(&parts);
}

static void all_threads_reach_all_gradients(void **state)
{
    struct optimcase c = { 0 };
    struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_SGD);
    struct tsl_err err = { 0 };
    (void)state;
    case_large(&c);
    case_start(&c, &opts, 3);
    float *kept = tsl_mem_alloc(c.p.numbers, sizeof *kept, "gradients", &err);
    assert_non_null(kept);
    for (size_t i = 0; i < c.p.numbers; i++)
        c.p.grads[i] = (float)(i % 1000);
    tsl_grads_keep(&c.p, kept, c.pool);
    assert_memory_equal(kept, c.p.grads, c.p.numbers * sizeof *kept);
    tsl_grads_add(&c.p, kept, c.pool);
    for (size_t i = 0; i < c.p.numbers; i++)
        assert_true(c.p.grads[i] == 2 * (float)(i % 1000));
    tsl_mem_free(kept);
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
        TEST(a_long_gradient_is_clipped),
        TEST(small_batches_add_up_to_a_large_one),
        TEST(all_threads_reach_all_gradients),
        TEST(squares_are_summed_in_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tensor/graph.h"

#include <string.h>

#include "support/test.h"
#include "tensor/ops.h"

static struct tsl_graph *begin(void)
{
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ .training = true }, &err),
              &err);
    return g;
}

static struct tsl_tensor *number(struct tsl_graph *g, float value)
{
    struct tsl_tensor *t = tsl_graph_variable(g, "x", 0, NULL);
    assert_non_null(t);
    *tsl_tensor_f32(t) = value;
    return t;
}

static void run(struct tsl_graph *g)
{
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
    tsl_pool_destroy(pool);
}

/* x^n as a product of n factors. */
static struct tsl_tensor *power(struct tsl_graph *g, struct tsl_tensor *x, unsigned n)
{
    struct tsl_tensor *y = x;
    for (unsigned i = 1; i < n; i++)
        y = tsl_ops_mul(g, y, x);
    return y;
}

static void what_is_used_often_gets_the_sum(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *x = number(g, 3), *dx;
    struct tsl_tensor *y = tsl_ops_add(g, power(g, x, 5), tsl_ops_add(g, x, x));
    assert_ok(tsl_graph_gradient(g, y, &x, 1, false, &dx, &err), &err);
    tsl_graph_keep(g, dx);
    run(g);
    assert_float_equal(*tsl_tensor_f32(dx), 5 * 81 + 2, 0);
    tsl_graph_destroy(g);
}

static void derivatives_are_derived_as_often_as_one_likes(void **state)
{
    (void)state;
    static const float want[] = { 32, 80, 160, 240, 240, 120 }; /* of x^5 at 2 */
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *x = number(g, 2), *y[6] = { power(g, x, 5) };
    for (unsigned i = 1; i < 6; i++)
        assert_ok(tsl_graph_gradient(g, y[i - 1], &x, 1, true, &y[i], &err), &err);
    for (unsigned i = 0; i < 6; i++)
        tsl_graph_keep(g, y[i]);
    run(g);
    for (unsigned i = 0; i < 6; i++)
        assert_float_equal(*tsl_tensor_f32(y[i]), want[i], 0);
    tsl_graph_destroy(g);
}

/* A fused operation's derivative has none unless it was made of primitives. */
static void a_second_derivative_wants_to_be_announced(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    int64_t n = 3;
    struct tsl_tensor *x = tsl_graph_variable(g, "x", 1, &n), *dx, *ddx;
    struct tsl_tensor *y = tsl_ops_sum_all(g, power(g, tsl_ops_softmax(g, x), 2));
    assert_ok(tsl_graph_gradient(g, y, &x, 1, false, &dx, &err), &err);
    struct tsl_tensor *z = tsl_ops_sum_all(g, tsl_ops_mul(g, dx, dx));
    assert_err(tsl_graph_gradient(g, z, &x, 1, false, &ddx, &err), TSL_EUSAGE, &err,
               "ask for differentiable gradients first");
    tsl_graph_destroy(g);
}

static void parameters_that_are_not_used_get_zeros_and_frozen_ones_nothing(void **state)
{
    (void)state;
    struct tsl_params p = { 0 };
    struct tsl_err err = { 0 };
    static const char *const names[] = { "used", "unused", "frozen", "span.a", "span.b" };
    for (unsigned i = 0; i < 5; i++)
        assert_ok(tsl_params_add(&p, names[i], 1, (int64_t[]){ 16 }, &err), &err);
    tsl_params_find(&p, "frozen")->frozen = true;
    assert_ok(tsl_params_alloc(&p, &err), &err);
    for (unsigned i = 0; i < 5; i++)
        for (unsigned k = 0; k < 16; k++)
            p.item[i].value[k] = (float)(i + 1);
    struct tsl_graph *g = begin();
    struct tsl_tensor *a = tsl_graph_param(g, &p, "used");
    struct tsl_tensor *f = tsl_graph_param(g, &p, "frozen");
    struct tsl_tensor *both = tsl_graph_param_span(g, &p, "span.a", 2);
    assert_non_null(tsl_graph_param(g, &p, "unused"));
    assert_true(a == tsl_graph_param(g, &p, "used"));
    assert_non_null(both);
    assert_int_equal(both->dim[0], 32);
    struct tsl_tensor *y = tsl_ops_sum_all(g, tsl_ops_mul(g, a, f));
    y = tsl_ops_add(g, y, tsl_ops_sum_all(g, power(g, both, 2)));
    assert_ok(tsl_graph_derive(g, y, &err), &err);
    tsl_params_find(&p, "unused")->grad[3] = 9; /* of a step before */
    run(g);
    assert_null(tsl_params_find(&p, "frozen")->grad);
    for (unsigned k = 0; k < 16; k++) {
        assert_float_equal(tsl_params_find(&p, "used")->grad[k], 3, 0);
        assert_float_equal(tsl_params_find(&p, "unused")->grad[k], 0, 0);
        assert_float_equal(tsl_params_find(&p, "span.a")->grad[k], 8, 0);
        assert_float_equal(tsl_params_find(&p, "span.b")->grad[k], 10, 0);
    }
    tsl_graph_destroy(g);
    tsl_params_fini(&p);
}

static void a_parameter_is_used_alone_or_with_others_not_both(void **state)
{
    (void)state;
    struct tsl_params p = { 0 };
    struct tsl_err err = { 0 };
    assert_ok(tsl_params_add(&p, "a", 1, (int64_t[]){ 16 }, &err), &err);
    assert_ok(tsl_params_add(&p, "b", 1, (int64_t[]){ 16 }, &err), &err);
    assert_ok(tsl_params_alloc(&p, &err), &err);
    struct tsl_graph *g = begin();
    assert_non_null(tsl_graph_param_span(g, &p, "a", 2));
    assert_null(tsl_graph_param(g, &p, "b"));
    assert_err(tsl_graph_plan(g, 1, &err), TSL_EUSAGE, &err, "b is used alone");
    tsl_graph_destroy(g);
    g = begin();
    assert_null(tsl_graph_param(g, &p, "c"));
    assert_err(tsl_graph_plan(g, 1, &err), TSL_EUSAGE, &err, "no parameter c");
    tsl_graph_destroy(g);
    tsl_params_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_used_often_gets_the_sum),
        TEST(derivatives_are_derived_as_often_as_one_likes),
        TEST(a_second_derivative_wants_to_be_announced),
        TEST(parameters_that_are_not_used_get_zeros_and_frozen_ones_nothing),
        TEST(a_parameter_is_used_alone_or_with_others_not_both),
    };
    return cmocka_run_group_tests_name("derive", tests, NULL, NULL);
}

#include <math.h>
#include <string.h>

#include "support/test.h"
#include "tensor/ops.h"

static struct tsl_graph *begin(void)
{
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    return g;
}

static void run(struct tsl_graph *g, unsigned nthreads)
{
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_pool_create(&pool, nthreads, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
    tsl_pool_destroy(pool);
}

/* Element i of t, whatever its strides. */
static float at(const struct tsl_tensor *t, const int64_t *index)
{
    int64_t where = 0;
    for (unsigned k = 0; k < t->rank; k++)
        where += index[k] * t->stride[k];
    return tsl_tensor_f32(t)[where];
}

static void next(const struct tsl_tensor *t, int64_t *index)
{
    for (unsigned k = t->rank; k-- > 0;) {
        if (++index[k] < t->dim[k])
            return;
        index[k] = 0;
    }
}

/* The sums of y's axes of length 1, by the definition. */
static void check_sum(const struct tsl_tensor *x, const struct tsl_tensor *y)
{
    double sums[256] = { 0 };
    int64_t index[TSL_RANK_MAX] = { 0 };
    for (size_t i = 0; i < tsl_tensor_count(x); i++, next(x, index)) {
        size_t to = 0;
        for (unsigned k = 0; k < x->rank; k++)
            to = to * (size_t)y->dim[k] + (size_t)(y->dim[k] == 1 ? 0 : index[k]);
        sums[to] += (double)at(x, index);
    }
    for (size_t i = 0; i < tsl_tensor_count(y); i++)
        assert_float_equal(tsl_tensor_f32(y)[i], sums[i], 2e-5);
}

static void sums_over_any_axes_of_any_strides_are_right(void **state)
{
    (void)state;
    static const unsigned orders[][3] = { { 0, 1, 2 }, { 2, 0, 1 }, { 1, 2, 0 } };
    for (unsigned axes = 1; axes < 8; axes++)
        for (unsigned o = 0; o < 3; o++) {
            struct tsl_err err = { 0 };
            struct tsl_graph *g = begin();
            struct tsl_tensor *x = tsl_graph_variable(g, "x", 3, (int64_t[]){ 5, 3, 9 });
            for (int i = 0; i < 135; i++)
                tsl_tensor_f32(x)[i] = (float)(i * 37 % 101) / 50 - 1;
            x = tsl_ops_permute(g, x, orders[o]);
            struct tsl_tensor *y = tsl_ops_sum(g, x, axes);
            tsl_graph_keep(g, y);
            assert_ok(tsl_graph_plan(g, 3, &err), &err);
            run(g, 3);
            check_sum(x, y);
            tsl_graph_destroy(g);
        }
}

static void long_sums_have_the_same_bits_on_any_threads(void **state)
{
    (void)state;
    enum { ROWS = 3001, COLS = 19 };
    struct tsl_err err = { 0 };
    struct tsl_graph *g = begin();
    struct tsl_tensor *x = tsl_graph_variable(g, "x", 2, (int64_t[]){ ROWS, COLS });
    for (int i = 0; i < ROWS * COLS; i++)
        tsl_tensor_f32(x)[i] = sinf((float)i);
    struct tsl_tensor *y[] = { tsl_ops_sum(g, x, 1), tsl_ops_sum(g, x, 2),
                               tsl_ops_sum_all(g, x) };
    float one[3][ROWS];
    for (unsigned i = 0; i < 3; i++)
        tsl_graph_keep(g, y[i]);
    assert_ok(tsl_graph_plan(g, 5, &err), &err);
    for (unsigned n = 1; n < 6; n++) {
        run(g, n);
        for (unsigned i = 0; i < 3; i++) {
            size_t bytes = tsl_tensor_count(y[i]) * sizeof(float);
            if (n == 1)
                memcpy(one[i], tsl_tensor_f32(y[i]), bytes);
            assert_memory_equal(one[i], tsl_tensor_f32(y[i]), bytes);
        }
    }
    tsl_graph_destroy(g);
}

static void of_equal_ones_the_first_is_the_largest(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_graph *g = begin();
    struct tsl_tensor *x = tsl_graph_variable(g, "x", 2, (int64_t[]){ 2, 4 }), *dx;
    memcpy(tsl_tensor_f32(x), (float[]){ 1, 3, 3, 2, -1, -1, -2, -1 }, 32);
    struct tsl_tensor *y = tsl_ops_max(g, x);
    assert_ok(tsl_graph_gradient(g, tsl_ops_sum_all(g, y), &x, 1, false, &dx, &err),
              &err);
    tsl_graph_keep(g, y);
    tsl_graph_keep(g, dx);
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    run(g, 1);
    assert_memory_equal(tsl_tensor_f32(y), ((float[]){ 3, -1 }), 8);
    assert_memory_equal(tsl_tensor_f32(dx), ((float[]){ 0, 1, 0, 0, 1, 0, 0, 0 }), 32);
    tsl_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_over_any_axes_of_any_strides_are_right),
        TEST(long_sums_have_the_same_bits_on_any_threads),
        TEST(of_equal_ones_the_first_is_the_largest),
    };
    return cmocka_run_group_tests_name("op_reduce", tests, NULL, NULL);
}

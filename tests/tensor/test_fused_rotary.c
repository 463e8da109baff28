#include <math.h>
#include <string.h>

#include "support/test.h"
#include "tensor/ops.h"

enum { T = 7, WIDTH = 10 };

/* x [1, t, width] of one head, turned; into y. */
static void turned(const float *x, const int32_t *positions, bool half, float *y)
{
    struct tsl_graph *g;
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    struct tsl_tensor *in = tsl_graph_variable(g, "x", 3, (int64_t[]){ 1, T, WIDTH });
    struct tsl_tensor *at =
        positions ? tsl_graph_input(g, "at", TSL_I32, 2, (int64_t[]){ 1, T }) : NULL;
    struct tsl_tensor *out = tsl_ops_rotary(g, in, 1, half, at);
    tsl_graph_keep(g, out);
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    memcpy(tsl_tensor_f32(in), x, T * WIDTH * sizeof *x);
    if (at)
        memcpy(tsl_tensor_i32(at), positions, T * sizeof *positions);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
    memcpy(y, tsl_tensor_f32(out), T * WIDTH * sizeof *y);
    tsl_pool_destroy(pool);
    tsl_graph_destroy(g);
}

static void numbers(float *x)
{
    for (unsigned i = 0; i < T * WIDTH; i++)
        x[i] = (float)(i * 37 % 101) / 50 - 1;
}

static double dot(const float *a, const float *b)
{
    double s = 0;
    for (unsigned i = 0; i < WIDTH; i++)
        s += (double)a[i] * (double)b[i];
    return s;
}

static void only_the_distance_of_two_tokens_counts(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 2; half++) {
        float x[T * WIDTH], y[T * WIDTH], z[T * WIDTH];
        int32_t later[T];
        numbers(x);
        for (int32_t i = 0; i < T; i++)
            later[i] = i + 1000; /* beyond what the table has */
        turned(x, NULL, half, y);
        turned(x, later, half, z);
        assert_memory_equal(x, y, WIDTH * sizeof *x); /* position 0 */
        for (unsigned i = 0; i < T; i++)
            for (unsigned k = 0; k < T; k++)
                assert_float_equal(dot(y + i * WIDTH, y + k * WIDTH),
                                   dot(z + i * WIDTH, z + k * WIDTH), 2e-6);
    }
}

static void positions_that_are_given_are_those_that_count(void **state)
{
    (void)state;
    float x[T * WIDTH], y[T * WIDTH], z[T * WIDTH];
    static const int32_t same[T] = { 0, 1, 2, 3, 4, 5, 6 };
    static const int32_t none[T] = { 0 };
    numbers(x);
    turned(x, NULL, false, y);
    turned(x, same, false, z);
    assert_memory_equal(y, z, sizeof y);
    turned(x, none, false, z);
    assert_memory_equal(x, z, sizeof x);
    /* the second pair of the second token, by its angle */
    double angle = pow(10000, -0.2), a = (double)x[12], b = (double)x[13];
    assert_float_equal(y[12], a * cos(angle) - b * sin(angle), 1e-6);
    assert_float_equal(y[13], b * cos(angle) + a * sin(angle), 1e-6);
}

static void buckets_grow_with_the_distance(void **state)
{
    (void)state;
    for (unsigned both = 0; both < 2; both++) {
        int32_t before = -1;
        for (int64_t far = 0; far < 300; far++) {
            int32_t b = tsl_ops_relative_bucket(-far, 32, both, 128);
            assert_true(b >= before && b < (both ? 16 : 32));
            before = b;
        }
        assert_int_equal(before, both ? 15 : 31);
        assert_int_equal(tsl_ops_relative_bucket(5, 32, both, 128), both ? 21 : 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(only_the_distance_of_two_tokens_counts),
        TEST(positions_that_are_given_are_those_that_count),
        TEST(buckets_grow_with_the_distance),
    };
    return cmocka_run_group_tests_name("fused_rotary", tests, NULL, NULL);
}

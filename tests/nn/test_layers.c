#include "nn/layers.h"

#include <math.h>
#include <string.h>

#include "support/test.h"

static struct tsl_graph *begin(void)
{
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    return g;
}

/* Three layers side by side: biases of a width that leaves gaps, and of one that does not. */
static void layers_side_by_side_are_each_by_itself(void **state)
{
    (void)state;
    static const char *const names[] = { "q", "k", "v" };
    for (int64_t n = 5; n <= 16; n += 11) {
        struct tsl_modelconfig c = { .initializer_range = 1 };
        struct tsl_params p = { 0 };
        struct tsl_err err = { 0 };
        struct tsl_pool *pool;
        struct tsl_layers l = { .c = &c, .p = &p, .err = &err };
        assert_null(tsl_layers_linears(&l, names, 3, NULL, 7, n, true));
        assert_ok(l.rc, &err);
        assert_int_equal(p.n, 6);
        assert_ok(tsl_params_alloc(&p, &err), &err);
        tsl_params_init(&p, 1);
        for (size_t i = 0; i < p.n; i++)
            for (size_t k = 0; p.item[i].rank == 1 && k < p.item[i].n; k++)
                p.item[i].value[k] = (float)(i * 10 + k);
        struct tsl_graph *g = l.g = begin();
        struct tsl_tensor *x =
            tsl_graph_input(g, "x", TSL_F32, 3, (int64_t[]){ 2, 3, 7 });
        for (unsigned i = 0; i < 42; i++)
            tsl_tensor_f32(x)[i] = (float)(i % 11) - 5;
        struct tsl_tensor *y = tsl_layers_linears(&l, names, 3, x, 7, n, true);
        tsl_graph_keep(g, y);
        assert_ok(tsl_graph_plan(g, 1, &err), &err);
        assert_ok(tsl_pool_create(&pool, 1, &err), &err);
        tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
        tsl_pool_destroy(pool);
        for (int64_t r = 0; r < 6; r++)
            for (int64_t i = 0; i < 3 * n; i++) {
                const float *w = p.item[i / n].value + i % n * 7;
                float sum = 0;
                for (unsigned k = 0; k < 7; k++)
                    sum += w[k] * tsl_tensor_f32(x)[r * 7 + k];
                sum += p.item[3 + i / n].value[i % n];
                assert_float_equal(tsl_tensor_f32(y)[r * 3 * n + i], sum, 1e-4);
            }
        tsl_graph_destroy(g);
        tsl_params_fini(&p);
    }
}

static void waves_come_in_pairs(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *t = tsl_layers_sinusoidal(g, 100, 6);
    assert_non_null(t);
    for (int i = 0; i < 100; i++)
        for (int k = 0; k < 3; k++) {
            double angle = i * pow(10000, -k / 3.0);
            assert_float_equal(tsl_tensor_f32(t)[i * 6 + 2 * k], sin(angle), 1e-6);
            assert_float_equal(tsl_tensor_f32(t)[i * 6 + 2 * k + 1], cos(angle), 1e-6);
        }
    assert_null(tsl_layers_sinusoidal(g, 3, 5));
    assert_err(tsl_graph_plan(g, 1, &err), TSL_EUSAGE, &err, "pairs");
    tsl_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(layers_side_by_side_are_each_by_itself),
        TEST(waves_come_in_pairs),
    };
    return cmocka_run_group_tests_name("layers", tests, NULL, NULL);
}

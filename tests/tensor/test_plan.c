#include <string.h>

#include "support/test.h"
#include "tensor/op.h"
#include "tensor/ops.h"

static unsigned nruns;

static void counted_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    memcpy(tsl_tensor_f32(n->out[0]), tsl_tensor_f32(n->in[0]),
           tsl_tensor_count(n->out[0]) * sizeof(float));
    nruns++;
}

static const struct tsl_op op_counted = { .name = "counted", .run = counted_run };

static struct tsl_tensor *counted(struct tsl_graph *g, struct tsl_tensor *x)
{
    return tsl_op_output_like(g, tsl_op_record(g, &op_counted, 1, &x, 0), x);
}

static struct tsl_graph *begin(void)
{
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    return g;
}

static void plan_and_run(struct tsl_graph *g)
{
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
    tsl_pool_destroy(pool);
}

static void what_nobody_looks_at_is_not_computed(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    int64_t n = 5;
    struct tsl_tensor *x = tsl_graph_variable(g, "x", 1, &n);
    struct tsl_tensor *seen = counted(g, counted(g, x));
    counted(g, counted(g, seen));
    tsl_graph_keep(g, seen);
    nruns = 0;
    plan_and_run(g);
    assert_int_equal(nruns, 2);
    tsl_graph_destroy(g);
}

/* A chain needs two places whatever its length, or one where results lie in their operands'. */
static void memory_is_used_again(void **state)
{
    (void)state;
    for (unsigned in_place = 0; in_place < 2; in_place++) {
        struct tsl_graph *g = begin();
        struct tsl_graph_stats s;
        int64_t n = 1024;
        struct tsl_tensor *x = tsl_graph_variable(g, "x", 1, &n);
        for (unsigned i = 0; i < 9; i++)
            x = in_place ? tsl_ops_affine(g, x, 1, 1) : counted(g, x);
        tsl_graph_keep(g, x);
        plan_and_run(g);
        tsl_graph_stats(g, &s);
        assert_int_equal(s.arena_bytes, (in_place ? 1 : 2) * 4096);
        assert_float_equal(tsl_tensor_f32(x)[7], in_place ? 9 : 0, 0);
        tsl_graph_destroy(g);
    }
}

static void what_is_kept_and_what_is_given_stay(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    int64_t n = 16;
    struct tsl_tensor *x = tsl_graph_variable(g, "x", 1, &n);
    struct tsl_tensor *a = tsl_ops_affine(g, x, 1, 1), *b = tsl_ops_affine(g, a, 1, 1);
    struct tsl_tensor *view = tsl_ops_slice(g, b, 0, 3, 2);
    struct tsl_tensor *c = tsl_ops_affine(g, tsl_ops_affine(g, b, 1, 1), 1, 1);
    tsl_graph_keep(g, a);
    tsl_graph_keep(g, view);
    tsl_graph_keep(g, c);
    plan_and_run(g);
    assert_float_equal(tsl_tensor_f32(x)[3], 0, 0);
    assert_float_equal(tsl_tensor_f32(a)[3], 1, 0);
    assert_float_equal(tsl_tensor_f32(view)[1], 2, 0);
    assert_float_equal(tsl_tensor_f32(c)[3], 4, 0);
    tsl_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_nobody_looks_at_is_not_computed),
        TEST(memory_is_used_again),
        TEST(what_is_kept_and_what_is_given_stay),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}

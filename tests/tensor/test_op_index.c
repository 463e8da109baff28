#include <string.h>

#include "support/test.h"
#include "tensor/ops.h"

static const float rows[] = { 1, 2, 3, 4, 5, 6 }; /* [3, 2] */
static const int32_t chosen[] = { 2, -1, 0, 2 };

static struct tsl_tensor *given(struct tsl_graph *g, enum tsl_num type, unsigned rank,
                                const int64_t *dim, const void *from)
{
    struct tsl_tensor *t = tsl_graph_input(g, "given", type, rank, dim);
    assert_non_null(t);
    memcpy(tsl_tensor_data(t), from, tsl_tensor_count(t) * 4);
    return t;
}

static struct tsl_graph *begin(void)
{
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ 0 }, &err), &err);
    return g;
}

static void is(struct tsl_graph *g, struct tsl_tensor *y, size_t n, const float *want)
{
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    tsl_graph_keep(g, y);
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ 0, 0 });
    tsl_pool_destroy(pool);
    assert_int_equal(tsl_tensor_count(y), n);
    assert_memory_equal(tsl_tensor_f32(y), want, n * sizeof *want);
    tsl_graph_destroy(g);
}

static void rows_are_gathered_and_a_negative_id_gives_zeros(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_tensor *w = given(g, TSL_F32, 2, (int64_t[]){ 3, 2 }, rows);
    struct tsl_tensor *ids = given(g, TSL_I32, 2, (int64_t[]){ 2, 2 }, chosen);
    struct tsl_tensor *y = tsl_ops_gather(g, w, ids);
    assert_int_equal(y->rank, 3);
    is(g, y, 8, (float[]){ 5, 6, 0, 0, 1, 2, 5, 6 });
}

static void rows_are_scattered_where_they_add_up(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_tensor *x =
        given(g, TSL_F32, 2, (int64_t[]){ 4, 1 }, (float[]){ 1, 2, 4, 8 });
    struct tsl_tensor *ids = given(g, TSL_I32, 1, (int64_t[]){ 4 }, chosen);
    is(g, tsl_ops_scatter(g, x, ids, 4), 4, (float[]){ 4, 0, 9, 0 });
}

static void numbers_are_picked_from_rows_and_put_back(void **state)
{
    (void)state;
    static const int32_t which[] = { 1, -1, 0 };
    struct tsl_graph *g = begin();
    struct tsl_tensor *x = given(g, TSL_F32, 2, (int64_t[]){ 3, 2 }, rows);
    struct tsl_tensor *ids = given(g, TSL_I32, 1, (int64_t[]){ 3 }, which);
    is(g, tsl_ops_pick(g, x, ids), 3, (float[]){ 2, 0, 5 });
    g = begin();
    x = given(g, TSL_F32, 1, (int64_t[]){ 3 }, rows);
    ids = given(g, TSL_I32, 1, (int64_t[]){ 3 }, which);
    is(g, tsl_ops_put(g, x, ids, 2), 6, (float[]){ 0, 1, 0, 0, 3, 0 });
}

static void ids_are_whole_numbers_one_for_each(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct tsl_err err = { 0 };
        struct tsl_graph *g = begin();
        struct tsl_tensor *x = given(g, TSL_F32, 2, (int64_t[]){ 3, 2 }, rows);
        struct tsl_tensor *ids = given(g, TSL_I32, 1, (int64_t[]){ 4 }, chosen);
        assert_null(i == 0   ? tsl_ops_gather(g, x, x)
                    : i == 1 ? tsl_ops_pick(g, x, ids)
                             : tsl_ops_put(g, x, ids, 9));
        assert_err(tsl_graph_plan(g, 1, &err), TSL_EUSAGE, &err,
                   i == 0 ? "i32" : "needs an id");
        tsl_graph_destroy(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_gathered_and_a_negative_id_gives_zeros),
        TEST(rows_are_scattered_where_they_add_up),
        TEST(numbers_are_picked_from_rows_and_put_back),
        TEST(ids_are_whole_numbers_one_for_each),
    };
    return cmocka_run_group_tests_name("op_index", tests, NULL, NULL);
}

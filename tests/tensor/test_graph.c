#include "tensor/graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support/fault.h"
#include "support/test.h"
#include "tensor/op.h"
#include "tensor/ops.h"

#define DIM(...)                                                                         \
    (sizeof((int64_t[]){ __VA_ARGS__ }) / 8), (int64_t[])                                \
    {                                                                                    \
        __VA_ARGS__                                                                      \
    }

static struct tsl_graph *begin(void)
{
    struct tsl_graph *g;
    struct tsl_err err = { 0 };
    assert_ok(tsl_graph_create(&g, &(struct tsl_graph_opts){ .training = true }, &err),
              &err);
    return g;
}

static struct tsl_tensor *numbers(struct tsl_graph *g, unsigned rank, const int64_t *dim,
                                  uint64_t seed)
{
    struct tsl_tensor *t = tsl_graph_variable(g, "x", rank, dim);
    for (size_t i = 0; t && i < tsl_tensor_count(t); i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        tsl_tensor_f32(t)[i] = (float)(seed >> 40) * 0x1p-23f - 1;
    }
    return t;
}

static void run(struct tsl_graph *g, uint64_t seed, uint64_t step)
{
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    assert_ok(tsl_pool_create(&pool, 2, &err), &err);
    tsl_graph_run(g, pool, &(struct tsl_draw){ seed, step });
    tsl_pool_destroy(pool);
}

/* ---- errors ---- */

static struct tsl_tensor *bad_add(struct tsl_graph *g)
{
    return tsl_ops_add(g, numbers(g, DIM(3, 5), 1), numbers(g, DIM(4, 5), 2));
}
static struct tsl_tensor *bad_matmul(struct tsl_graph *g)
{
    return tsl_ops_matmul(g, numbers(g, DIM(3, 5), 1), numbers(g, DIM(4, 5), 2));
}
static struct tsl_tensor *bad_linear(struct tsl_graph *g)
{
    return tsl_ops_linear(g, numbers(g, DIM(3, 5), 1), numbers(g, DIM(5, 4), 2), NULL,
                          TSL_IDENTITY, false);
}
static struct tsl_tensor *bad_reshape(struct tsl_graph *g)
{
    return tsl_ops_reshape(g, numbers(g, DIM(3, 5), 1), DIM(4, 4));
}
static struct tsl_tensor *bad_slice(struct tsl_graph *g)
{
    return tsl_ops_slice(g, numbers(g, DIM(3, 5), 1), 1, 4, 2);
}
static struct tsl_tensor *bad_concat(struct tsl_graph *g)
{
    struct tsl_tensor *x[] = { numbers(g, DIM(3, 5), 1), numbers(g, DIM(3, 4), 2) };
    return tsl_ops_concat(g, x, 2, 0);
}
static struct tsl_tensor *bad_norm(struct tsl_graph *g)
{
    struct tsl_tensor *w = numbers(g, DIM(4), 1);
    return tsl_ops_layernorm(g, numbers(g, DIM(3, 5), 2), w, w, 1e-5);
}
static struct tsl_tensor *bad_rotary(struct tsl_graph *g)
{
    return tsl_ops_rotary(g, numbers(g, DIM(1, 3, 5), 2), 1, false, NULL);
}
static struct tsl_tensor *bad_attention(struct tsl_graph *g)
{
    struct tsl_tensor *q = numbers(g, DIM(2, 3, 8), 1), *k = numbers(g, DIM(2, 3, 4), 2);
    return tsl_ops_attention(g, q, k, k, &(struct tsl_attn){ .heads = 2 });
}

static void shapes_that_do_not_fit_are_told_with_the_place(void **state)
{
    (void)state;
    static const struct {
        struct tsl_tensor *(*record)(struct tsl_graph *);
        const char *says;
    } bad[] = {
        { bad_add, "[3,5]" },         { bad_matmul, "f32 [3,5]" },
        { bad_linear, "[5,4]" },      { bad_reshape, "[3,5]" },
        { bad_slice, "[3,5]" },       { bad_concat, "[3,4]" },
        { bad_norm, "[4]" },          { bad_rotary, "[1,3,5]" },
        { bad_attention, "[2,3,8]" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_graph *g = begin();
        struct tsl_err err = { 0 };
        tsl_graph_scope(g, "layer %u", (unsigned)i);
        struct tsl_tensor *y = bad[i].record(g);
        assert_null(y);
        /* what comes of it fails quietly: the first error stays */
        assert_null(tsl_ops_add(g, y, tsl_graph_constant(g, 1)));
        int rc = tsl_graph_plan(g, 1, &err);
        char place[16];
        snprintf(place, sizeof place, "layer %u: ", (unsigned)i);
        assert_non_null(strstr(err.msg, place));
        assert_err(rc, TSL_EUSAGE, &err, bad[i].says);
        tsl_graph_destroy(g);
    }
}

static const struct tsl_op op_bare = { .name = "bare" };

static void a_gradient_that_is_missing_is_an_error(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *x = numbers(g, DIM(3), 1), *dx;
    struct tsl_tensor *y = tsl_op_view(g, tsl_op_record(g, &op_bare, 1, &x, 0), x);
    assert_err(tsl_graph_gradient(g, tsl_ops_sum_all(g, y), &x, 1, false, &dx, &err),
               TSL_EUSAGE, &err, "bare has no derivative");
    tsl_graph_destroy(g);
    g = begin();
    x = numbers(g, DIM(3), 1);
    assert_err(tsl_graph_gradient(g, x, &x, 1, false, &dx, &err), TSL_EUSAGE, &err,
               "one number");
    tsl_graph_destroy(g);
}

static void what_is_not_depended_on_has_no_gradient(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *x[] = { numbers(g, DIM(3), 1), numbers(g, DIM(3), 2) }, *dx[2];
    struct tsl_tensor *y = tsl_ops_sum_all(
        g, tsl_ops_mul(g, x[0], tsl_ops_detach(g, tsl_ops_mul(g, x[1], x[0]))));
    assert_ok(tsl_graph_gradient(g, y, x, 2, false, dx, &err), &err);
    assert_non_null(dx[0]);
    assert_null(dx[1]);
    tsl_graph_destroy(g);
}

/* ---- a small layer with all that the plan does ---- */

static struct tsl_tensor *layer(struct tsl_graph *g, struct tsl_tensor **x, bool keep_all)
{
    struct tsl_tensor *h = x[0], *kept[8];
    unsigned n = 0;
    for (unsigned i = 0; i < 2; i++) {
        h = kept[n++] = tsl_ops_linear(g, h, x[1], x[2], TSL_GELU_ERF, false);
        h = kept[n++] = tsl_ops_dropout(g, h, 0.2);
        h = kept[n++] = tsl_ops_softmax(g, h);
        h = kept[n++] = tsl_ops_affine(g, tsl_ops_add(g, h, x[0]), 2, 0.5);
    }
    for (unsigned i = 0; keep_all && i < n; i++)
        tsl_graph_keep(g, kept[i]);
    return tsl_ops_mean_all(g, tsl_ops_mul(g, h, h));
}

/* Loss and gradients, one behind the other. */
static void layer_numbers(bool keep_all, float *out, size_t *arena)
{
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *x[] = { numbers(g, DIM(33, 17), 1), numbers(g, DIM(17, 17), 2),
                               numbers(g, DIM(17), 3) };
    struct tsl_tensor *dx[3], *y = layer(g, x, keep_all);
    assert_ok(tsl_graph_gradient(g, y, x, 3, false, dx, &err), &err);
    tsl_graph_keep(g, y);
    for (unsigned i = 0; i < 3; i++)
        tsl_graph_keep(g, dx[i] = tsl_ops_contiguous(g, dx[i]));
    assert_ok(tsl_graph_plan(g, 2, &err), &err);
    for (unsigned again = 0; again < 2; again++)
        run(g, 3, 4);
    *out++ = *tsl_tensor_f32(y);
    for (unsigned i = 0; i < 3; out += tsl_tensor_count(dx[i++]))
        memcpy(out, tsl_tensor_f32(dx[i]), tsl_tensor_count(dx[i]) * sizeof *out);
    struct tsl_graph_stats s;
    tsl_graph_stats(g, &s);
    *arena = s.arena_bytes;
    tsl_graph_destroy(g);
}

static void memory_that_is_used_again_changes_nothing(void **state)
{
    (void)state;
    enum { N = 1 + 33 * 17 + 17 * 17 + 17 };
    static float a[N], b[N];
    size_t tight, loose;
    layer_numbers(false, a, &tight);
    layer_numbers(true, b, &loose);
    assert_memory_equal(a, b, sizeof a);
    assert_true(tight < loose);
}

static void running_out_of_memory_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_graph *g = NULL;
        struct tsl_err err = { 0 };
        fault_arm(nth, "calloc realloc mmap");
        int rc = tsl_graph_create(&g, &(struct tsl_graph_opts){ .training = true }, &err);
        struct tsl_tensor *x[3] = { 0 }, *dx[3];
        for (unsigned i = 0; rc == 0 && i < 3; i++)
            x[i] = i < 2 ? numbers(g, DIM(17, 17), i) : numbers(g, DIM(17), i);
        if (rc == 0)
            rc = tsl_graph_gradient(g, layer(g, x, false), x, 3, false, dx, &err);
        if (rc == 0)
            rc = tsl_graph_plan(g, 1, &err);
        const char *call = fault_disarm();
        tsl_graph_destroy(g);
        if (!call) {
            assert_ok(rc, &err);
            return;
        }
        assert_err(rc, TSL_ENOMEM, &err, "");
    }
}

static void a_number_that_is_not_finite_is_found_where_it_began(void **state)
{
    (void)state;
    struct tsl_graph *g = begin();
    struct tsl_pool *pool;
    struct tsl_err err = { 0 };
    struct tsl_tensor *x = numbers(g, DIM(3), 1);
    tsl_graph_scope(g, "the logarithm");
    struct tsl_tensor *y = tsl_ops_unary(g, TSL_LOG, x);
    tsl_graph_scope(g, "after it");
    y = tsl_ops_affine(g, y, 2, 0);
    tsl_graph_keep(g, y);
    assert_ok(tsl_graph_plan(g, 1, &err), &err);
    assert_ok(tsl_pool_create(&pool, 1, &err), &err);
    tsl_tensor_f32(x)[0] = tsl_tensor_f32(x)[1] = tsl_tensor_f32(x)[2] = 1;
    assert_ok(tsl_graph_run_checked(g, pool, &(struct tsl_draw){ 0, 0 }, &err), &err);
    tsl_tensor_f32(x)[1] = -1;
    assert_err(tsl_graph_run_checked(g, pool, &(struct tsl_draw){ 0, 0 }, &err),
               TSL_EFORMAT, &err, "the logarithm");
    tsl_pool_destroy(pool);
    tsl_graph_destroy(g);
}

/* ---- dropout ---- */

static void dropout_is_by_seed_step_and_site(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct tsl_graph *g = begin();
    struct tsl_err err = { 0 };
    struct tsl_tensor *x = tsl_ops_fill(g, 3, DIM(N)), *y[2];
    for (unsigned i = 0; i < 2; i++)
        tsl_graph_keep(g, y[i] = tsl_ops_dropout(g, x, 0.25));
    assert_ok(tsl_graph_plan(g, 2, &err), &err);
    static float first[N];
    run(g, 7, 5);
    memcpy(first, tsl_tensor_f32(y[0]), sizeof first);
    size_t dropped = 0, alike = 0;
    for (size_t i = 0; i < N; i++) {
        dropped += first[i] == 0;
        alike += (first[i] == 0) == (tsl_tensor_f32(y[1])[i] == 0);
        assert_true(first[i] == 0 || fabsf(first[i] - 4) < 1e-6f);
    }
    assert_true(dropped > N / 4 - 400 && dropped < N / 4 + 400);
    assert_true(alike > N * 5 / 8 - 500 && alike < N * 5 / 8 + 500); /* p^2 + q^2 */
    run(g, 7, 5);
    assert_memory_equal(first, tsl_tensor_f32(y[0]), sizeof first);
    run(g, 7, 6);
    assert_memory_not_equal(first, tsl_tensor_f32(y[0]), sizeof first);
    run(g, 8, 5);
    assert_memory_not_equal(first, tsl_tensor_f32(y[0]), sizeof first);
    tsl_graph_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(shapes_that_do_not_fit_are_told_with_the_place),
        TEST(a_gradient_that_is_missing_is_an_error),
        TEST(what_is_not_depended_on_has_no_gradient),
        TEST(memory_that_is_used_again_changes_nothing),
        TEST(running_out_of_memory_is_reported),
        TEST(a_number_that_is_not_finite_is_found_where_it_began),
        TEST(dropout_is_by_seed_step_and_site),
    };
    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}

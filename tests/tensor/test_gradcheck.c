#include "tensor/gradcheck.h"

#include <math.h>
#include <string.h>

#include "support/test.h"
#include "tensor/op.h"
#include "tensor/ops.h"

/* ---- a graph with some variables of odd sizes ---- */

struct small {
    struct tsl_graph *g;
    struct tsl_tensor *x[4];
    size_t n;
    uint64_t seed;
};

static float uniform(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (float)(*seed >> 40) * 0x1p-23f - 1;
}

/* Numbers in [-1, 1), or that far above `above`. */
static struct tsl_tensor *var(struct small *s, unsigned rank, const int64_t *dim,
                              float above)
{
    struct tsl_tensor *t = tsl_graph_variable(s->g, "x", rank, dim);
    assert_non_null(t);
    for (size_t i = 0; i < tsl_tensor_count(t); i++)
        tsl_tensor_f32(t)[i] = uniform(&s->seed) + above;
    return s->x[s->n++] = t;
}

static struct tsl_tensor *ids(struct small *s, unsigned rank, const int64_t *dim,
                              int32_t below)
{
    struct tsl_tensor *t = tsl_graph_input(s->g, "ids", TSL_I32, rank, dim);
    assert_non_null(t);
    for (size_t i = 0; i < tsl_tensor_count(t); i++)
        tsl_tensor_i32(t)[i] = (int32_t)((uniform(&s->seed) + 1) / 2 * (float)below);
    return t;
}

#define DIM(...)                                                                         \
    (sizeof((int64_t[]){ __VA_ARGS__ }) / 8), (int64_t[])                                \
    {                                                                                    \
        __VA_ARGS__                                                                      \
    }

/* The sum of y times numbers that are no variable. */
static struct tsl_tensor *total(struct small *s, struct tsl_tensor *y)
{
    assert_non_null(y);
    struct tsl_tensor *w = tsl_graph_input(s->g, "w", TSL_F32, y->rank, y->dim);
    for (size_t i = 0; i < tsl_tensor_count(w); i++)
        tsl_tensor_f32(w)[i] = uniform(&s->seed);
    return tsl_ops_sum_all(s->g, tsl_ops_mul(s->g, y, w));
}

/* ---- operations ---- */

typedef struct tsl_tensor *make(struct small *s);

static struct tsl_tensor *
binary(struct small *s, struct tsl_tensor *(*f)(struct tsl_graph *, struct tsl_tensor *,
                                                struct tsl_tensor *))
{
    struct tsl_tensor *a = var(s, DIM(3, 1, 5), 0), *b = var(s, DIM(7, 5), 3);
    return f(s->g, a, b);
}
static struct tsl_tensor *add(struct small *s)
{
    return binary(s, tsl_ops_add);
}
static struct tsl_tensor *sub(struct small *s)
{
    return binary(s, tsl_ops_sub);
}
static struct tsl_tensor *mul(struct small *s)
{
    return binary(s, tsl_ops_mul);
}
static struct tsl_tensor *quotient(struct small *s)
{
    return binary(s, tsl_ops_div);
}
static struct tsl_tensor *affine(struct small *s)
{
    return tsl_ops_affine(s->g, var(s, DIM(17), 0), -2, 3);
}
static struct tsl_tensor *shapes(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(3, 5, 7), 0), *y;
    y = tsl_ops_permute(s->g, x, (unsigned[]){ 2, 0, 1 });
    y = tsl_ops_slice(s->g, y, 2, 1, 3);
    y = tsl_ops_reshape(s->g, y, DIM(7, 9));
    y = tsl_ops_concat(s->g, (struct tsl_tensor *[]){ y, tsl_ops_affine(s->g, y, 2, 0) },
                       2, 1);
    y = tsl_ops_pad(s->g, y, 0, 2, 11);
    y = tsl_ops_expand(s->g, tsl_ops_reshape(s->g, y, DIM(11, 1, 18)), DIM(2, 11, 3, 18));
    return tsl_ops_copy(s->g, tsl_ops_transpose(s->g, y));
}
static struct tsl_tensor *sums(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(3, 5, 7), 0);
    struct tsl_tensor *y = tsl_ops_sum(s->g, x, 5), *z = tsl_ops_mean(s->g, x, 2);
    y = tsl_ops_mul(s->g, y, z);
    return tsl_ops_add(s->g, tsl_ops_sum_to(s->g, y, DIM(1, 7)),
                       tsl_ops_mean_all(s->g, x));
}
static struct tsl_tensor *largest(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(5, 3), 0);
    for (int i = 0; i < 15; i++) /* none near another */
        tsl_tensor_f32(x)[i] = 0.2f * (float)(i * 7 % 15);
    return tsl_ops_max(s->g, x);
}
static struct tsl_tensor *matmul(struct small *s)
{
    struct tsl_tensor *a = var(s, DIM(2, 1, 3, 5), 0), *b = var(s, DIM(4, 7, 5), 0);
    return tsl_ops_matmul(s->g, a, tsl_ops_transpose(s->g, b));
}
static struct tsl_tensor *linear(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(2, 3, 5), 0), *w = var(s, DIM(7, 5), 0);
    return tsl_ops_linear(s->g, x, w, var(s, DIM(7), 0), TSL_GELU_ERF, false);
}
static struct tsl_tensor *linear_in_out(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(3, 5), 0), *w = var(s, DIM(5, 7), 0);
    return tsl_ops_linear(s->g, x, w, NULL, TSL_TANH, true);
}
static struct tsl_tensor *gather(struct small *s)
{
    struct tsl_tensor *w = var(s, DIM(4, 5), 0), *at = ids(s, DIM(2, 7), 4);
    tsl_tensor_i32(at)[3] = -1;
    return tsl_ops_gather(s->g, w, at);
}
static struct tsl_tensor *scatter(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(7, 5), 0);
    return tsl_ops_scatter(s->g, x, ids(s, DIM(7), 4), 4);
}
static struct tsl_tensor *pick_and_put(struct small *s)
{
    struct tsl_tensor *at = ids(s, DIM(7), 5);
    return tsl_ops_put(s->g, tsl_ops_pick(s->g, var(s, DIM(7, 5), 0), at), at, 5);
}
static struct tsl_tensor *softmax(struct small *s)
{
    return tsl_ops_softmax(s->g, var(s, DIM(3, 7), 0));
}
static struct tsl_tensor *log_softmax(struct small *s)
{
    return tsl_ops_log_softmax(s->g, var(s, DIM(3, 7), 0));
}
static struct tsl_tensor *layernorm(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(3, 2, 9), 0), *w = var(s, DIM(9), 0);
    return tsl_ops_layernorm(s->g, x, w, var(s, DIM(9), 0), 0.1);
}
static struct tsl_tensor *residual_norm(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(3, 9), 0), *h = var(s, DIM(3, 9), 0);
    struct tsl_tensor *w = var(s, DIM(9), 0), *b = var(s, DIM(9), 0), *sum;
    struct tsl_tensor *y = tsl_ops_residual_norm(s->g, x, h, 0.3, w, b, 0.1, &sum);
    return tsl_ops_add(s->g, y, sum);
}
static struct tsl_tensor *rmsnorm(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(5, 7), 0);
    return tsl_ops_rmsnorm(s->g, x, var(s, DIM(7), 0), 0.1);
}
static struct tsl_tensor *dropout(struct small *s)
{
    return tsl_ops_dropout(s->g, var(s, DIM(5, 7), 0), 0.4);
}
static struct tsl_tensor *rotary(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(2, 5, 12), 0), *at = ids(s, DIM(2, 5), 9);
    return tsl_ops_add(s->g, tsl_ops_rotary(s->g, x, 2, false, at),
                       tsl_ops_rotary(s->g, x, 3, true, NULL));
}
static struct tsl_tensor *relative_bias(struct small *s)
{
    return tsl_ops_relative_bias(s->g, var(s, DIM(8, 3), 0), 5, 7, true, 20);
}
static struct tsl_tensor *attention(struct small *s)
{
    struct tsl_tensor *q = var(s, DIM(2, 3, 10), 0), *k = var(s, DIM(2, 5, 10), 0);
    struct tsl_tensor *v = var(s, DIM(2, 5, 6), 0);
    struct tsl_attn a = { .heads = 2, .bias = var(s, DIM(2, 3, 5), 0), .dropout = 0.2 };
    return tsl_ops_attention(s->g, q, k, v, &a);
}
static struct tsl_tensor *attention_packed(struct small *s)
{
    struct tsl_attn a = { .heads = 3, .mask = TSL_ATTN_CAUSAL };
    return tsl_ops_attention_packed(s->g, var(s, DIM(2, 5, 27), 0), &a);
}
/* A row that sees nothing among them. */
static struct tsl_tensor *lengths_of(struct small *s, int32_t a, int32_t b)
{
    struct tsl_tensor *t = tsl_graph_input(s->g, "lengths", TSL_I32, DIM(2));
    tsl_tensor_i32(t)[0] = a;
    tsl_tensor_i32(t)[1] = b;
    return t;
}
static struct tsl_tensor *attention_prefix(struct small *s)
{
    struct tsl_attn a = { .heads = 2, .mask = TSL_ATTN_PREFIX, .dropout = 0.3 };
    a.who = lengths_of(s, 3, 0);
    a.lengths = lengths_of(s, 4, 0);
    return tsl_ops_attention_packed(s->g, var(s, DIM(2, 5, 18), 0), &a);
}
static struct tsl_tensor *attention_unilm(struct small *s)
{
    struct tsl_attn a = { .heads = 1, .mask = TSL_ATTN_UNILM };
    a.who = ids(s, DIM(2, 5), 2);
    struct tsl_tensor *q = tsl_ops_rotary(s->g, var(s, DIM(2, 5, 4), 0), 1, false, NULL);
    struct tsl_tensor *k = tsl_ops_rotary(s->g, var(s, DIM(2, 5, 4), 0), 1, false, NULL);
    return tsl_ops_attention(s->g, q, k, var(s, DIM(2, 5, 3), 0), &a);
}
static struct tsl_tensor *attention_documents(struct small *s)
{
    static const int32_t docs[] = { 0, 0, 1, 1, 1, 0, 1, 1, 2, 2 };
    struct tsl_attn a = { .heads = 2, .mask = TSL_ATTN_CAUSAL };
    a.docs = tsl_graph_input(s->g, "docs", TSL_I32, DIM(2, 5));
    memcpy(tsl_tensor_i32(a.docs), docs, sizeof docs);
    a.bias = tsl_ops_relative_bias(s->g, var(s, DIM(8, 2), 0), 5, 5, false, 20);
    return tsl_ops_attention_packed(s->g, var(s, DIM(2, 5, 24), 0), &a);
}
static struct tsl_tensor *cross_entropy_by(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(2, 3, 7), 0), *at = ids(s, DIM(2, 3), 7);
    struct tsl_tensor *by = tsl_graph_input(s->g, "by", TSL_F32, 0, NULL);
    tsl_tensor_i32(at)[2] = -1;
    *tsl_tensor_f32(by) = 3;
    return tsl_ops_cross_entropy(s->g, x, at, 0, by);
}
static struct tsl_tensor *cross_entropy(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(5, 7), 0), *at = ids(s, DIM(5), 7);
    tsl_tensor_i32(at)[2] = -100;
    return tsl_ops_cross_entropy(s->g, x, at, 0.1, NULL);
}
static struct tsl_tensor *linear_cross_entropy(struct small *s)
{
    struct tsl_tensor *x = var(s, DIM(5, 3), 0), *w = var(s, DIM(7, 3), 0);
    struct tsl_tensor *b = var(s, DIM(7), 0), *at = ids(s, DIM(5), 7);
    return tsl_ops_linear_cross_entropy(s->g, x, w, b, at, NULL, NULL);
}

static const struct {
    const char *name;
    make *make;
} operations[] = {
    { "add", add },
    { "sub", sub },
    { "mul", mul },
    { "div", quotient },
    { "affine", affine },
    { "shapes", shapes },
    { "sums", sums },
    { "max", largest },
    { "matmul", matmul },
    { "linear", linear },
    { "linear in out", linear_in_out },
    { "gather", gather },
    { "scatter", scatter },
    { "pick and put", pick_and_put },
    { "softmax", softmax },
    { "log softmax", log_softmax },
    { "layernorm", layernorm },
    { "residual norm", residual_norm },
    { "rmsnorm", rmsnorm },
    { "dropout", dropout },
    { "rotary", rotary },
    { "relative bias", relative_bias },
    { "attention", attention },
    { "attention packed", attention_packed },
    { "attention, prefixes", attention_prefix },
    { "attention, UniLM's", attention_unilm },
    { "attention, documents", attention_documents },
    { "cross entropy", cross_entropy },
    { "cross entropy by a number", cross_entropy_by },
    { "linear cross entropy", linear_cross_entropy },
};

/* ---- tests ---- */

static struct tsl_pool *pool;

static void begin(struct small *s)
{
    struct tsl_err err = { 0 };
    *s = (struct small){ .seed = 5 };
    assert_ok(tsl_graph_create(&s->g, &(struct tsl_graph_opts){ .training = true }, &err),
              &err);
}

static double off(struct small *s, struct tsl_tensor *y, bool differentiable)
{
    struct tsl_err err = { 0 };
    struct tsl_gradcheck c = { .step = 0.02,
                               .differentiable = differentiable,
                               .floor = 0.05 };
    assert_ok(tsl_gradcheck_run(s->g, y, s->x, s->n, pool, &c, &err), &err);
    tsl_graph_destroy(s->g);
    return c.worst;
}

static void every_operation_has_the_gradients_of_its_numbers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        for (unsigned expanded = 0; expanded < 2; expanded++) {
            struct small s;
            begin(&s);
            struct tsl_tensor *y = operations[i].make(&s);
            double worst = off(&s, total(&s, y), expanded);
            if (!(worst < 1e-3))
                fail_msg("%s%s: off by %g", operations[i].name,
                         expanded ? ", expanded" : "", worst);
        }
}

/* The gradients of a sum of what gradients are, squared: by primitives first, then as fast as
 * may be. */
static void every_operation_has_second_derivatives(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        struct small s;
        struct tsl_err err = { 0 };
        struct tsl_tensor *dx[4], *z = NULL;
        begin(&s);
        struct tsl_tensor *y = operations[i].make(&s);
        y = total(&s, tsl_ops_mul(s.g, y, y)); /* so that what is linear has some, too */
        assert_ok(tsl_graph_gradient(s.g, y, s.x, s.n, true, dx, &err), &err);
        for (size_t k = 0; k < s.n; k++)
            if (dx[k]) {
                struct tsl_tensor *t = total(&s, dx[k]);
                z = z ? tsl_ops_add(s.g, z, t) : t;
            }
        double worst = off(&s, z, false);
        if (!(worst < 2e-3))
            fail_msg("%s: off by %g", operations[i].name, worst);
    }
}

static void every_function_of_one_number_has_its_derivative(void **state)
{
    (void)state;
    for (unsigned f = TSL_IDENTITY + 1; f < TSL_UNARIES; f++) {
        bool positive = f == TSL_LOG || f == TSL_SQRT || f == TSL_RECIP;
        bool kinked = f == TSL_RELU || f == TSL_ABS || f == TSL_LEAKY_RELU ||
                      f == TSL_STEP || f == TSL_SIGN;
        if (f == TSL_STEP || f == TSL_SIGN)
            continue; /* no gradient flows, and that is no error */
        for (unsigned expanded = 0; expanded < 2; expanded++) {
            struct small s;
            begin(&s);
            struct tsl_tensor *x = var(&s, DIM(37), positive ? 2.5f : 0);
            for (size_t i = 0; kinked && i < 37; i++)
                if (fabsf(tsl_tensor_f32(x)[i]) < 0.1f)
                    tsl_tensor_f32(x)[i] = 0.5f;
            struct tsl_tensor *y = tsl_ops_unary(s.g, (enum tsl_unary)f, x);
            double worst = off(&s, total(&s, y), expanded);
            if (!(worst < 1e-3))
                fail_msg("function %u%s: off by %g", f, expanded ? ", expanded" : "",
                         worst);
        }
    }
}

/* ---- an operation whose derivative is wrong ---- */

static void twice_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    for (size_t i = 0; i < tsl_tensor_count(n->out[0]); i++)
        tsl_tensor_f32(n->out[0])[i] = 2 * tsl_tensor_f32(n->in[0])[i];
}

static void wrong_grad(struct tsl_graph *g, struct tsl_node *n,
                       struct tsl_tensor *const *dout, const bool *need,
                       struct tsl_tensor **din)
{
    (void)n, (void)need;
    din[0] = tsl_ops_affine(g, dout[0], 1.99, 0);
}

static const struct tsl_op op_wrong = { .name = "twice",
                                        .run = twice_run,
                                        .grad = wrong_grad };

static void a_wrong_derivative_is_found(void **state)
{
    (void)state;
    struct small s;
    begin(&s);
    struct tsl_tensor *x = var(&s, DIM(5), 0);
    struct tsl_node *n = tsl_op_record(s.g, &op_wrong, 1, &x, 0);
    double worst = off(&s, total(&s, tsl_op_output_like(s.g, n, x)), false);
    assert_true(worst > 2e-3);
}

static int make_pool(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    return tsl_pool_create(&pool, 2, &err);
}

static int end_pool(void **state)
{
    (void)state;
    tsl_pool_destroy(pool);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_operation_has_the_gradients_of_its_numbers),
        TEST(every_operation_has_second_derivatives),
        TEST(every_function_of_one_number_has_its_derivative),
        TEST(a_wrong_derivative_is_found),
    };
    return cmocka_run_group_tests_name("gradcheck", tests, make_pool, end_pool);
}

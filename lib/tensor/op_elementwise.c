/* op_elementwise.c - what is done number by number, with broadcasting. */
#include <assert.h>
#include <string.h>

#include "tensor/fused.h"
#include "tensor/strided.h"

enum { ELEMENT_BLOCK = 16 << 10 };

/* ---- unary ---- */

struct unary_work {
    const struct tsl_kernels *k;
    enum tsl_unary f;
    float *y;
    const float *x, *dy; /* dy: y = dy f'(x) */
};

static void unary_part(void *ctx, size_t from, size_t to)
{
    const struct unary_work *w = ctx;
    if (w->dy)
        w->k->unary_grad[w->f](w->y + from, w->dy + from, w->x + from, to - from);
    else
        w->k->unary[w->f](w->y + from, w->x + from, to - from);
}

void tsl_fused_unary(const struct tsl_run *r, enum tsl_unary f, float *y, const float *x,
                     size_t n)
{
    struct unary_work w = { .k = r->kernels, .f = f, .y = y, .x = x };
    tsl_op_split(r, n, ELEMENT_BLOCK, unary_part, &w);
}

static void unary_run(const struct tsl_node *n, const struct tsl_run *r)
{
    tsl_fused_unary(r, (enum tsl_unary)n->attr[0].i, tsl_tensor_f32(n->out[0]),
                    tsl_tensor_f32(n->in[0]), tsl_tensor_count(n->out[0]));
}

/* Derivatives that are one product of primitives, so that they can be derived again. */
static struct tsl_tensor *primitive_grad(struct tsl_graph *g, enum tsl_unary f,
                                         struct tsl_tensor *x, struct tsl_tensor *y)
{
    const double two_by_sqrt_pi = 1.1283791670955126;
    switch (f) {
    case TSL_EXP: return y;
    case TSL_LOG: return tsl_ops_unary(g, TSL_RECIP, x);
    case TSL_SQRT: return tsl_ops_affine(g, tsl_ops_unary(g, TSL_RECIP, y), 0.5, 0);
    case TSL_RECIP: return tsl_ops_affine(g, tsl_ops_mul(g, y, y), -1, 0);
    case TSL_TANH: return tsl_ops_affine(g, tsl_ops_mul(g, y, y), -1, 1);
    case TSL_SIGMOID: return tsl_ops_mul(g, y, tsl_ops_affine(g, y, -1, 1));
    case TSL_SOFTPLUS: return tsl_ops_unary(g, TSL_SIGMOID, x);
    case TSL_RELU: return tsl_ops_unary(g, TSL_STEP, x);
    case TSL_ABS: return tsl_ops_unary(g, TSL_SIGN, x);
    case TSL_SIN: return tsl_ops_unary(g, TSL_COS, x);
    case TSL_COS: return tsl_ops_affine(g, tsl_ops_unary(g, TSL_SIN, x), -1, 0);
    case TSL_ERF: {
        struct tsl_tensor *square = tsl_ops_affine(g, tsl_ops_mul(g, x, x), -1, 0);
        return tsl_ops_affine(g, tsl_ops_unary(g, TSL_EXP, square), two_by_sqrt_pi, 0);
    }
    default: return NULL;
    }
}

static void unary_grad(struct tsl_graph *g, struct tsl_node *n,
                       struct tsl_tensor *const *dout, const bool *need,
                       struct tsl_tensor **din)
{
    (void)need;
    enum tsl_unary f = (enum tsl_unary)n->attr[0].i;
    if (f == TSL_NEG)
        din[0] = tsl_ops_affine(g, dout[0], -1, 0);
    else if (f < TSL_STEP)
        din[0] = tsl_ops_mul(g, dout[0], primitive_grad(g, f, n->in[0], n->out[0]));
    else
        din[0] = tsl_fused_unary_backward(g, f, dout[0], n->in[0]);
}

/* The activations as primitives. */
static void unary_expand(struct tsl_graph *g, const struct tsl_node *n,
                         struct tsl_tensor **out)
{
    struct tsl_tensor *x = n->in[0], *t;
    switch ((enum tsl_unary)n->attr[0].i) {
    case TSL_GELU_ERF:
        t = tsl_ops_unary(g, TSL_ERF, tsl_ops_affine(g, x, 0.70710678118654752, 0));
        out[0] = tsl_ops_mul(g, x, tsl_ops_affine(g, t, 0.5, 0.5));
        break;
    case TSL_GELU_TANH:
        t = tsl_ops_affine(g, tsl_ops_mul(g, x, x), 0.044715, 1);
        t = tsl_ops_affine(g, tsl_ops_mul(g, x, t), 0.79788456080286536, 0);
        t = tsl_ops_affine(g, tsl_ops_unary(g, TSL_TANH, t), 0.5, 0.5);
        out[0] = tsl_ops_mul(g, x, t);
        break;
    case TSL_GELU_SIGMOID:
        t = tsl_ops_unary(g, TSL_SIGMOID, tsl_ops_affine(g, x, 1.702, 0));
        out[0] = tsl_ops_mul(g, x, t);
        break;
    case TSL_SWISH: out[0] = tsl_ops_mul(g, x, tsl_ops_unary(g, TSL_SIGMOID, x)); break;
    case TSL_SQUAREPLUS:
        t = tsl_ops_unary(g, TSL_SQRT, tsl_ops_affine(g, tsl_ops_mul(g, x, x), 1, 4));
        out[0] = tsl_ops_affine(g, tsl_ops_add(g, x, t), 0.5, 0);
        break;
    case TSL_LEAKY_RELU:
        t = tsl_ops_unary(g, TSL_RELU, tsl_ops_affine(g, x, -1, 0));
        out[0] =
            tsl_ops_sub(g, tsl_ops_unary(g, TSL_RELU, x), tsl_ops_affine(g, t, 0.2, 0));
        break;
    default: break;
    }
}

static const struct tsl_op op_unary = { .name = "unary",
                                        .run = unary_run,
                                        .grad = unary_grad };
static const struct tsl_op op_step = { .name = "step", .run = unary_run, .flat = true };
static const struct tsl_op op_activation = {
    .name = "activation", .run = unary_run, .grad = unary_grad, .expand = unary_expand
};

struct tsl_tensor *tsl_ops_unary(struct tsl_graph *g, enum tsl_unary f,
                                 struct tsl_tensor *x)
{
    if (f == TSL_IDENTITY)
        return x;
    x = tsl_ops_contiguous(g, x);
    const struct tsl_op *op = f < TSL_STEP                     ? &op_unary
                              : f == TSL_STEP || f == TSL_SIGN ? &op_step
                                                               : &op_activation;
    struct tsl_node *n = tsl_op_record(g, op, 1, &x, 0);
    if (!n)
        return NULL;
    n->attr[0].i = f;
    return tsl_op_output_like(g, n, x);
}

enum tsl_unary tsl_ops_unary_named(const char *name)
{
    static const struct {
        const char *name;
        enum tsl_unary f;
    } known[] = {
        { "gelu", TSL_GELU_ERF },
        { "gelu_python", TSL_GELU_ERF },
        { "gelu_new", TSL_GELU_TANH },
        { "gelu_fast", TSL_GELU_TANH },
        { "gelu_pytorch_tanh", TSL_GELU_TANH },
        { "quick_gelu", TSL_GELU_SIGMOID },
        { "relu", TSL_RELU },
        { "silu", TSL_SWISH },
        { "swish", TSL_SWISH },
        { "squareplus", TSL_SQUAREPLUS },
        { "leaky_relu", TSL_LEAKY_RELU },
        { "tanh", TSL_TANH },
        { "sigmoid", TSL_SIGMOID },
        { "linear", TSL_IDENTITY },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name))
            return known[i].f;
    return TSL_UNARIES;
}

static void unary_backward_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct unary_work w = { .k = r->kernels,
                            .f = (enum tsl_unary)n->attr[0].i,
                            .y = tsl_tensor_f32(n->out[0]),
                            .x = tsl_tensor_f32(n->in[1]),
                            .dy = tsl_tensor_f32(n->in[0]) };
    tsl_op_split(r, tsl_tensor_count(n->out[0]), ELEMENT_BLOCK, unary_part, &w);
}

static const struct tsl_op op_unary_backward = { .name = "activation backward",
                                                 .run = unary_backward_run,
                                                 .in_place = true };

struct tsl_tensor *tsl_fused_unary_backward(struct tsl_graph *g, enum tsl_unary f,
                                            struct tsl_tensor *dy, struct tsl_tensor *x)
{
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, dy), x };
    struct tsl_node *n = tsl_op_record(g, &op_unary_backward, 2, in, 0);
    if (!n)
        return NULL;
    n->attr[0].i = f;
    return tsl_op_output_like(g, n, x);
}

/* ---- a x + b ---- */

struct affine_work {
    const struct tsl_kernels *k;
    float *y;
    const float *x;
    float a, b;
    bool adds;
};

static void affine_part(void *ctx, size_t from, size_t to)
{
    const struct affine_work *w = ctx;
    w->k->affine(w->y + from, w->x + from, w->a, w->b, w->adds, to - from);
}

static void affine_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct affine_work w = {
        r->kernels,          tsl_tensor_f32(n->out[0]), tsl_tensor_f32(n->in[0]),
        (float)n->attr[0].f, (float)n->attr[1].f,       n->adds
    };
    tsl_op_split(r, tsl_tensor_count(n->out[0]), ELEMENT_BLOCK, affine_part, &w);
}

static void affine_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_affine(g, dout[0], n->attr[0].f, 0);
}

static const struct tsl_op op_affine = { .name = "affine",
                                         .run = affine_run,
                                         .grad = affine_grad,
                                         .can_add = true,
                                         .in_place = true };

struct tsl_tensor *tsl_ops_affine(struct tsl_graph *g, struct tsl_tensor *x, double a,
                                  double b)
{
    x = tsl_ops_contiguous(g, x);
    struct tsl_node *n = tsl_op_record(g, &op_affine, 1, &x, 0);
    if (!n)
        return NULL;
    n->attr[0].f = a;
    n->attr[1].f = b;
    return tsl_op_output_like(g, n, x);
}

/* ---- binary ---- */

enum binary { ADD, SUB, MUL, DIV };

struct binary_work {
    const struct tsl_node *n;
    const struct tsl_kernels *k;
    enum binary f;
};

/* Numbers [from, to) of three contiguous tensors. */
static void binary_flat(void *ctx, size_t from, size_t to)
{
    const struct binary_work *w = ctx;
    w->k->binary[w->f](tsl_tensor_f32(w->n->out[0]) + from,
                       tsl_tensor_f32(w->n->in[0]) + from,
                       tsl_tensor_f32(w->n->in[1]) + from, to - from);
}

static float binary_of(enum binary f, float a, float b)
{
    switch (f) {
    case ADD: return a + b;
    case SUB: return a - b;
    case MUL: return a * b;
    default: return a / b;
    }
}

/* Rows [from, to) of the last axis, by strides. */
static void binary_rows(void *ctx, size_t from, size_t to)
{
    const struct binary_work *w = ctx;
    const struct tsl_tensor *a = w->n->in[0], *b = w->n->in[1], *c = w->n->out[0];
    size_t cols = tsl_tensor_cols(c);
    int64_t as = tsl_strided_step(a), bs = tsl_strided_step(b);
    for (size_t r = from; r < to; r++) {
        const float *x = tsl_tensor_f32(a) + tsl_strided_row(a, r);
        const float *z = tsl_tensor_f32(b) + tsl_strided_row(b, r);
        float *y = tsl_tensor_f32(c) + r * cols;
        if (as == 1 && bs == 1)
            w->k->binary[w->f](y, x, z, cols);
        else
            for (size_t i = 0; i < cols; i++)
                y[i] = binary_of(w->f, x[(int64_t)i * as], z[(int64_t)i * bs]);
    }
}

static void binary_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct binary_work w = { n, r->kernels, (enum binary)n->attr[0].i };
    const struct tsl_tensor *a = n->in[0], *b = n->in[1], *c = n->out[0];
    if (tsl_tensor_contiguous(a) && tsl_tensor_contiguous(b))
        tsl_op_split(r, tsl_tensor_count(c), ELEMENT_BLOCK, binary_flat, &w);
    else
        tsl_op_split(r, tsl_tensor_rows(c), ELEMENT_BLOCK / tsl_tensor_cols(c) + 1,
                     binary_rows, &w);
}

static void binary_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    struct tsl_tensor *a = n->in[0], *b = n->in[1], *dy = dout[0], *da = dy, *db = dy;
    switch ((enum binary)n->attr[0].i) {
    case ADD: break;
    case SUB: db = need[1] ? tsl_ops_affine(g, dy, -1, 0) : NULL; break;
    case MUL:
        da = need[0] ? tsl_ops_mul(g, dy, b) : NULL;
        db = need[1] ? tsl_ops_mul(g, dy, a) : NULL;
        break;
    case DIV:
        da = need[0] || need[1] ? tsl_ops_div(g, dy, b) : NULL;
        db = need[1] ? tsl_ops_affine(g, tsl_ops_mul(g, da, n->out[0]), -1, 0) : NULL;
        break;
    }
    if (need[0] && da)
        din[0] = da;
    if (need[1] && db)
        din[1] = db;
}

static const struct tsl_op op_binary[] = {
    { .name = "add", .run = binary_run, .grad = binary_grad, .in_place = true },
    { .name = "subtract", .run = binary_run, .grad = binary_grad, .in_place = true },
    { .name = "multiply", .run = binary_run, .grad = binary_grad, .in_place = true },
    { .name = "divide", .run = binary_run, .grad = binary_grad, .in_place = true },
};

static struct tsl_tensor *binary(struct tsl_graph *g, enum binary f, struct tsl_tensor *a,
                                 struct tsl_tensor *b)
{
    if (!a || !b)
        return NULL;
    unsigned rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dim[TSL_RANK_MAX] = { 0 };
    for (unsigned i = 0; i < rank; i++) {
        int64_t x = i + a->rank >= rank ? a->dim[i + a->rank - rank] : 1;
        int64_t y = i + b->rank >= rank ? b->dim[i + b->rank - rank] : 1;
        dim[i] = x > y ? x : y;
    }
    struct tsl_tensor *in[] = { a, b };
    for (unsigned i = 0; i < 2; i++)
        if (in[i]->rank != rank || memcmp(in[i]->dim, dim, rank * sizeof *dim) != 0)
            in[i] = tsl_ops_expand(g, in[i], rank, dim);
    struct tsl_node *n = tsl_op_record(g, &op_binary[f], 2, in, 0);
    if (!n)
        return NULL;
    n->attr[0].i = f;
    return tsl_op_output(g, n, TSL_F32, rank, dim);
}

struct tsl_tensor *tsl_ops_add(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b)
{
    return binary(g, ADD, a, b);
}
struct tsl_tensor *tsl_ops_sub(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b)
{
    return binary(g, SUB, a, b);
}
struct tsl_tensor *tsl_ops_mul(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b)
{
    return binary(g, MUL, a, b);
}
struct tsl_tensor *tsl_ops_div(struct tsl_graph *g, struct tsl_tensor *a,
                               struct tsl_tensor *b)
{
    return binary(g, DIV, a, b);
}

/* ---- cast ---- */

/* bfloat16 is the upper half of a float, rounded to nearest, half to even; a NaN stays
 * one. */
static uint16_t to_bf16(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

static void cast_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    size_t count = tsl_tensor_count(n->out[0]);
    if (n->out[0]->type == TSL_BF16) {
        const float *x = tsl_tensor_f32(n->in[0]);
        uint16_t *y = tsl_tensor_data(n->out[0]);
        for (size_t i = 0; i < count; i++)
            y[i] = to_bf16(x[i]);
    } else {
        const uint16_t *x = tsl_tensor_data(n->in[0]);
        float *y = tsl_tensor_f32(n->out[0]);
        for (size_t i = 0; i < count; i++) {
            uint32_t u = (uint32_t)x[i] << 16;
            memcpy(&y[i], &u, sizeof u);
        }
    }
}

static void cast_grad(struct tsl_graph *g, struct tsl_node *n,
                      struct tsl_tensor *const *dout, const bool *need,
                      struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_cast(g, dout[0], n->in[0]->type);
}

static const struct tsl_op op_cast = { .name = "cast",
                                       .run = cast_run,
                                       .grad = cast_grad };

struct tsl_tensor *tsl_ops_cast(struct tsl_graph *g, struct tsl_tensor *x,
                                enum tsl_num type)
{
    x = tsl_ops_contiguous(g, x);
    if (!x || x->type == type)
        return x;
    if (type == TSL_I32 || x->type == TSL_I32)
        return tsl_op_fail(g, "integers are not cast");
    struct tsl_node *n = tsl_op_record(g, &op_cast, 1, &x, 0);
    return n ? tsl_op_output(g, n, type, x->rank, x->dim) : NULL;
}

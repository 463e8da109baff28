/* trainops.h - how each fixture of an operation is recorded.
 * Threads: one. */
#ifndef TRAINOPS_H
#define TRAINOPS_H

#include "support/trainfix.h"

#define IN(name) struct tsl_tensor *name = trainfix_in(f, #name)

static inline void trainop_unary(struct trainfix *f, enum tsl_unary u)
{
    IN(x);
    trainfix_out(f, "y", tsl_ops_unary(f->g, u, x));
}

static inline void trainop_batched_matmul(struct trainfix *f)
{
    IN(a);
    IN(b);
    trainfix_out(f, "y", tsl_ops_matmul(f->g, a, tsl_ops_transpose(f->g, b)));
}

static inline void trainop_bce(struct trainfix *f)
{
    IN(x);
    IN(t);
    struct tsl_tensor *y =
        tsl_ops_sub(f->g, tsl_ops_unary(f->g, TSL_SOFTPLUS, x), tsl_ops_mul(f->g, t, x));
    trainfix_out(f, "loss", tsl_ops_mean_all(f->g, y));
}

static inline void trainop_mse(struct trainfix *f)
{
    IN(x);
    IN(t);
    struct tsl_tensor *d = tsl_ops_sub(f->g, x, t);
    trainfix_out(f, "loss", tsl_ops_mean_all(f->g, tsl_ops_mul(f->g, d, d)));
}

static inline void trainop_broadcast(struct trainfix *f)
{
    IN(x);
    IN(a);
    IN(b);
    trainfix_out(f, "y", tsl_ops_mul(f->g, tsl_ops_add(f->g, x, a), b));
}

static inline void trainop_embedding(struct trainfix *f)
{
    IN(w);
    IN(ids);
    trainfix_out(f, "y", tsl_ops_gather(f->g, w, ids));
}

static inline void trainop_gather(struct trainfix *f)
{
    IN(x);
    IN(rows);
    trainfix_out(f, "y", tsl_ops_gather(f->g, x, rows));
}

static inline void trainop_linear(struct trainfix *f, enum tsl_unary u)
{
    IN(x);
    IN(w);
    IN(b);
    trainfix_out(f, "y", tsl_ops_linear(f->g, x, w, b, u, false));
}

static inline void trainop_layernorm(struct trainfix *f, double eps)
{
    IN(x);
    IN(w);
    IN(b);
    trainfix_out(f, "y", tsl_ops_layernorm(f->g, x, w, b, eps));
}

static inline void trainop_rmsnorm(struct trainfix *f)
{
    IN(x);
    IN(w);
    trainfix_out(f, "y", tsl_ops_rmsnorm(f->g, x, w, 1e-6));
}

static inline void trainop_softmax(struct trainfix *f)
{
    IN(x);
    trainfix_out(f, "y", tsl_ops_softmax(f->g, x));
}

static inline void trainop_log_softmax(struct trainfix *f)
{
    IN(x);
    trainfix_out(f, "y", tsl_ops_log_softmax(f->g, x));
}

static inline void trainop_cross_entropy(struct trainfix *f, double smoothing)
{
    IN(x);
    IN(labels);
    trainfix_out(f, "loss", tsl_ops_cross_entropy(f->g, x, labels, smoothing, NULL));
}

/* q, k, v [B, A, T, d] as the operation has them: [B, T, A d]. */
static inline struct tsl_tensor *trainop_heads(struct trainfix *f, struct tsl_tensor *t)
{
    if (!t)
        return NULL;
    struct tsl_tensor *x = tsl_ops_permute(f->g, t, (unsigned[]){ 0, 2, 1, 3 });
    int64_t dim[] = { t->dim[0], t->dim[2], t->dim[1] * t->dim[3] };
    return tsl_ops_reshape(f->g, x, 3, dim);
}

static inline void trainop_attention(struct trainfix *f, enum tsl_attn_mask mask)
{
    struct tsl_tensor *q0 = trainfix_in(f, "q"), *k0 = trainfix_in(f, "k");
    struct tsl_tensor *v0 = trainfix_in(f, "v");
    if (!q0 || !k0 || !v0)
        return;
    int64_t b = q0->dim[0], a = q0->dim[1], t = q0->dim[2], d = v0->dim[3];
    struct tsl_attn o = { .heads = (unsigned)a, .mask = mask };
    const struct tsl_safetensors_entry *keep = tsl_safetensors_find(f->file, "keep");
    if (mask == TSL_ATTN_UNILM)
        o.who = trainfix_in(f, "segment");
    if (mask == TSL_ATTN_ALL && keep) { /* padding is at the end of each row */
        int32_t *seen = calloc(keep->n, sizeof *seen);
        o.lengths = tsl_graph_input(f->g, "lengths", TSL_I32, 1, &b);
        tsl_safetensors_read_i32(f->file, keep, seen, &f->err);
        for (int64_t i = 0; o.lengths && i < b * t; i++)
            tsl_tensor_i32(o.lengths)[i / t] += seen[i];
        free(seen);
    }
    struct tsl_tensor *bias = trainfix_in(f, "bias");
    if (bias)
        o.bias = tsl_ops_reshape(f->g, bias, 3, bias->dim + 1);
    struct tsl_tensor *y = tsl_ops_attention(
        f->g, trainop_heads(f, q0), trainop_heads(f, k0), trainop_heads(f, v0), &o);
    y = tsl_ops_reshape(f->g, y, 4, (int64_t[]){ b, t, a, d });
    trainfix_out(f, "y", tsl_ops_permute(f->g, y, (unsigned[]){ 0, 2, 1, 3 }));
}

static inline void trainop_attention_padding(struct trainfix *f)
{
    trainop_attention(f, TSL_ATTN_ALL);
}

static inline void trainop_attention_causal(struct trainfix *f)
{
    trainop_attention(f, TSL_ATTN_CAUSAL);
}

static inline void trainop_attention_unilm(struct trainfix *f)
{
    trainop_attention(f, TSL_ATTN_UNILM);
}

static inline void trainop_sum_mean_max(struct trainfix *f)
{
    IN(x);
    if (!x)
        return;
    struct tsl_tensor *sum = tsl_ops_sum(f->g, x, 2), *mean = tsl_ops_mean(f->g, x, 1);
    trainfix_out(f, "sum", tsl_ops_reshape(f->g, sum, 1, &x->dim[0]));
    trainfix_out(f, "mean", tsl_ops_reshape(f->g, mean, 1, &x->dim[1]));
    trainfix_out(f, "max", tsl_ops_max(f->g, x));
}

/* The gradient of a gradient: dx = J^T dy, s = <v, dx>, derived by x and dy. */
static inline void trainop_second(struct trainfix *f,
                                  struct tsl_tensor *(*op)(struct tsl_graph *,
                                                           struct tsl_tensor *))
{
    IN(x);
    IN(dy);
    IN(v);
    struct tsl_tensor *y = op(f->g, x), *dx = NULL, *by[2] = { x, dy },
                      *second[2] = { 0 };
    struct tsl_tensor *total = tsl_ops_sum_all(f->g, tsl_ops_mul(f->g, y, dy));
    f->rc = tsl_graph_gradient(f->g, total, &x, 1, true, &dx, &f->err);
    struct tsl_tensor *s = tsl_ops_sum_all(f->g, tsl_ops_mul(f->g, v, dx));
    if (f->rc == 0)
        f->rc = tsl_graph_gradient(f->g, s, by, 2, false, second, &f->err);
    trainfix_out(f, "dx", dx);
    trainfix_out(f, "v_hess_x", second[0]);
    trainfix_out(f, "v_hess_dy", second[1]);
}

static inline struct tsl_tensor *trainop_tanh(struct tsl_graph *g, struct tsl_tensor *x)
{
    return tsl_ops_unary(g, TSL_TANH, x);
}
static inline struct tsl_tensor *trainop_swish(struct tsl_graph *g, struct tsl_tensor *x)
{
    return tsl_ops_unary(g, TSL_SWISH, x);
}
static inline struct tsl_tensor *trainop_gelu_erf(struct tsl_graph *g,
                                                  struct tsl_tensor *x)
{
    return tsl_ops_unary(g, TSL_GELU_ERF, x);
}
static inline struct tsl_tensor *trainop_gelu_tanh(struct tsl_graph *g,
                                                   struct tsl_tensor *x)
{
    return tsl_ops_unary(g, TSL_GELU_TANH, x);
}

static inline struct tsl_tensor *trainop_plain_norm(struct tsl_graph *g,
                                                    struct tsl_tensor *x)
{
    int64_t n = x ? x->dim[x->rank - 1] : 1;
    return tsl_ops_layernorm(g, x, tsl_ops_fill(g, 1, 1, &n), tsl_ops_fill(g, 0, 1, &n),
                             1e-5);
}

/* critic(x) = gelu(tanh(x w1^T + b1) w2^T + b2) w3: [n] */
struct trainop_critic {
    struct tsl_tensor *w1, *b1, *w2, *b2, *w3;
};
static inline struct tsl_tensor *trainop_criticise(struct trainfix *f,
                                                   const struct trainop_critic *c,
                                                   struct tsl_tensor *x)
{
    struct tsl_tensor *h = tsl_ops_linear(f->g, x, c->w1, c->b1, TSL_TANH, false);
    h = tsl_ops_linear(f->g, h, c->w2, c->b2, TSL_GELU_ERF, false);
    if (!h)
        return NULL;
    struct tsl_tensor *w3 =
        tsl_ops_reshape(f->g, c->w3, 2, (int64_t[]){ c->w3->dim[0], 1 });
    return tsl_ops_matmul(f->g, h, w3);
}

/* WGAN-GP: the loss holds a gradient, so its derivative is of second order. */
static inline void trainop_gradient_penalty(struct trainfix *f)
{
    IN(real);
    IN(fake);
    IN(eps);
    struct trainop_critic c = { trainfix_in(f, "w1"), trainfix_in(f, "b1"),
                                trainfix_in(f, "w2"), trainfix_in(f, "b2"),
                                trainfix_in(f, "w3") };
    struct tsl_tensor *rest = tsl_ops_affine(f->g, eps, -1, 1);
    struct tsl_tensor *x_hat =
        tsl_ops_add(f->g, tsl_ops_mul(f->g, eps, real), tsl_ops_mul(f->g, rest, fake));
    struct tsl_tensor *input_grad = NULL;
    struct tsl_tensor *y = trainop_criticise(f, &c, x_hat);
    f->rc = tsl_graph_gradient(f->g, tsl_ops_sum_all(f->g, y), &x_hat, 1, true,
                               &input_grad, &f->err);
    struct tsl_tensor *norm =
        tsl_ops_sum(f->g, tsl_ops_mul(f->g, input_grad, input_grad), 2);
    struct tsl_tensor *off =
        tsl_ops_affine(f->g, tsl_ops_unary(f->g, TSL_SQRT, norm), 1, -1);
    struct tsl_tensor *penalty = tsl_ops_mean_all(f->g, tsl_ops_mul(f->g, off, off));
    struct tsl_tensor *wasserstein =
        tsl_ops_sub(f->g, tsl_ops_mean_all(f->g, trainop_criticise(f, &c, fake)),
                    tsl_ops_mean_all(f->g, trainop_criticise(f, &c, real)));
    trainfix_out(f, "loss",
                 tsl_ops_add(f->g, wasserstein, tsl_ops_affine(f->g, penalty, 10, 0)));
}

/* false: not an operation that is known here. */
static inline bool trainop_record(struct trainfix *f, const char *name)
{
    static const struct {
        const char *name;
        void (*record)(struct trainfix *f);
    } plain[] = {
        { "attention_bias", trainop_attention_padding },
        { "attention_causal", trainop_attention_causal },
        { "attention_padding", trainop_attention_padding },
        { "attention_unilm", trainop_attention_unilm },
        { "batched_matmul", trainop_batched_matmul },
        { "bce_with_logits", trainop_bce },
        { "broadcast_add_mul", trainop_broadcast },
        { "embedding", trainop_embedding },
        { "gather_rows", trainop_gather },
        { "gradient_penalty", trainop_gradient_penalty },
        { "log_softmax", trainop_log_softmax },
        { "mse", trainop_mse },
        { "rmsnorm", trainop_rmsnorm },
        { "softmax", trainop_softmax },
        { "sum_mean_max", trainop_sum_mean_max },
    };
    static const struct {
        const char *name;
        enum tsl_unary f;
    } unary[] = {
        { "gelu_erf", TSL_GELU_ERF }, { "gelu_tanh", TSL_GELU_TANH },
        { "relu", TSL_RELU },         { "leaky_relu", TSL_LEAKY_RELU },
        { "sigmoid", TSL_SIGMOID },   { "softplus", TSL_SOFTPLUS },
        { "swish", TSL_SWISH },       { "squareplus", TSL_SQUAREPLUS },
        { "tanh", TSL_TANH },
    };
    static const struct {
        const char *name;
        struct tsl_tensor *(*op)(struct tsl_graph *, struct tsl_tensor *);
    } second[] = {
        { "second_layernorm", trainop_plain_norm },
        { "second_softmax", tsl_ops_softmax },
        { "second_tanh", trainop_tanh },
        { "second_swish", trainop_swish },
        { "second_gelu_erf", trainop_gelu_erf },
        { "second_gelu_tanh", trainop_gelu_tanh },
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!strcmp(plain[i].name, name))
            return plain[i].record(f), true;
    for (size_t i = 0; i < sizeof unary / sizeof *unary; i++)
        if (!strcmp(unary[i].name, name))
            return trainop_unary(f, unary[i].f), true;
    for (size_t i = 0; i < sizeof second / sizeof *second; i++)
        if (!strcmp(second[i].name, name))
            return trainop_second(f, second[i].op), true;
    if (!strcmp(name, "layernorm"))
        return trainop_layernorm(f, 1e-5), true;
    if (!strcmp(name, "layernorm_eps12"))
        return trainop_layernorm(f, 1e-12), true;
    if (!strcmp(name, "cross_entropy"))
        return trainop_cross_entropy(f, 0), true;
    if (!strcmp(name, "cross_entropy_smooth"))
        return trainop_cross_entropy(f, 0.1), true;
    if (!strcmp(name, "linear"))
        return trainop_linear(f, TSL_IDENTITY), true;
    if (!strcmp(name, "linear_gelu"))
        return trainop_linear(f, TSL_GELU_ERF), true;
    return false;
}

#undef IN

#endif

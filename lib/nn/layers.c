#include "nn/layers.h"

#include <assert.h>
#include <stdio.h>

#include "base/fixmath.h"

struct tsl_tensor *tsl_layers_param(struct tsl_layers *l, const char *prefix,
                                    const char *suffix, unsigned rank, const int64_t *dim,
                                    double std, double value)
{
    char name[TSL_LAYERS_NAME];
    snprintf(name, sizeof name, "%s%s%s", prefix, *suffix ? "." : "", suffix);
    if (l->g)
        return tsl_graph_param(l->g, l->p, name);
    if (l->rc < 0)
        return NULL;
    int index = tsl_params_add(l->p, name, rank, dim, l->err);
    if (index < 0) {
        l->rc = index;
        return NULL;
    }
    l->p->item[index].init_std = (float)std;
    l->p->item[index].init_value = (float)value;
    return NULL;
}

struct tsl_tensor *tsl_layers_linear(struct tsl_layers *l, const char *name,
                                     struct tsl_tensor *x, int64_t k, int64_t n,
                                     bool bias, enum tsl_unary f)
{
    struct tsl_tensor *w = tsl_layers_param(l, name, "weight", 2, (int64_t[]){ n, k },
                                            l->c->initializer_range, 0);
    struct tsl_tensor *b =
        bias ? tsl_layers_param(l, name, "bias", 1, (int64_t[]){ n }, 0, 0) : NULL;
    if (l->g)
        tsl_graph_scope(l->g, "%s", name);
    return l->g ? tsl_ops_linear(l->g, x, w, b, f, false) : NULL;
}

/* Each layer by itself, then side by side: what tsl_layers_linears is in one product. */
static struct tsl_tensor *linears_apart(struct tsl_layers *l, const char *const *names,
                                        unsigned count, struct tsl_tensor *x, bool bias)
{
    struct tsl_tensor *y[8];
    assert(count <= 8);
    char name[TSL_LAYERS_NAME];
    for (unsigned i = 0; i < count; i++) {
        struct tsl_tensor *w = tsl_layers_weight(l, names[i]);
        snprintf(name, sizeof name, "%s.bias", names[i]);
        struct tsl_tensor *b = bias ? tsl_graph_param(l->g, l->p, name) : NULL;
        y[i] = tsl_ops_linear(l->g, x, w, b, TSL_IDENTITY, false);
    }
    return x ? tsl_ops_concat(l->g, y, count, x->rank - 1) : NULL;
}

struct tsl_tensor *tsl_layers_linears(struct tsl_layers *l, const char *const *names,
                                      unsigned count, struct tsl_tensor *x, int64_t k,
                                      int64_t n, bool bias)
{
    if (!l->g) { /* weights together, biases together */
        for (unsigned i = 0; i < count; i++)
            tsl_layers_param(l, names[i], "weight", 2, (int64_t[]){ n, k },
                             l->c->initializer_range, 0);
        for (unsigned i = 0; i < count && bias; i++)
            tsl_layers_param(l, names[i], "bias", 1, (int64_t[]){ n }, 0, 0);
        return NULL;
    }
    char name[TSL_LAYERS_NAME];
    snprintf(name, sizeof name, "%s.weight", names[0]);
    tsl_graph_scope(l->g, "%s", names[0]);
    /* Biases of a width that is no multiple of sixteen have gaps between them. */
    if (n % 16 != 0 && bias)
        return linears_apart(l, names, count, x, bias);
    struct tsl_tensor *w = tsl_graph_param_span(l->g, l->p, name, count);
    snprintf(name, sizeof name, "%s.bias", names[0]);
    struct tsl_tensor *b = bias ? tsl_graph_param_span(l->g, l->p, name, count) : NULL;
    if (!w || (bias && !b))
        return linears_apart(l, names, count, x, bias);
    return tsl_ops_linear(l->g, x, w, b, TSL_IDENTITY, false);
}

/* The two vectors of a norm. */
static void norm_params(struct tsl_layers *l, const char *name, int64_t n,
                        struct tsl_tensor **w, struct tsl_tensor **b)
{
    *w = tsl_layers_param(l, name, "weight", 1, (int64_t[]){ n }, 0, 1);
    *b = tsl_layers_param(l, name, "bias", 1, (int64_t[]){ n }, 0, 0);
    if (l->g)
        tsl_graph_scope(l->g, "%s", name);
}

struct tsl_tensor *tsl_layers_norm(struct tsl_layers *l, const char *name,
                                   struct tsl_tensor *x, int64_t n)
{
    struct tsl_tensor *w, *b;
    norm_params(l, name, n, &w, &b);
    return l->g ? tsl_ops_layernorm(l->g, x, w, b, l->c->layer_norm_eps) : NULL;
}

struct tsl_tensor *tsl_layers_residual_norm(struct tsl_layers *l, const char *name,
                                            struct tsl_tensor *x, struct tsl_tensor *h,
                                            int64_t n, struct tsl_tensor **sum)
{
    struct tsl_tensor *w, *b;
    norm_params(l, name, n, &w, &b);
    return l->g ? tsl_ops_residual_norm(l->g, x, h, l->c->hidden_dropout_prob, w, b,
                                        l->c->layer_norm_eps, sum)
                : NULL;
}

struct tsl_tensor *tsl_layers_embedding(struct tsl_layers *l, const char *name,
                                        struct tsl_tensor *ids, int64_t v, int64_t n)
{
    struct tsl_tensor *w = tsl_layers_param(l, name, "weight", 2, (int64_t[]){ v, n },
                                            l->c->initializer_range, 0);
    if (l->g)
        tsl_graph_scope(l->g, "%s", name);
    return l->g && ids ? tsl_ops_gather(l->g, w, ids) : w;
}

struct tsl_tensor *tsl_layers_weight(struct tsl_layers *l, const char *name)
{
    char full[TSL_LAYERS_NAME];
    snprintf(full, sizeof full, "%s.weight", name);
    return l->g ? tsl_graph_param(l->g, l->p, full) : NULL;
}

struct tsl_tensor *tsl_layers_sinusoidal(struct tsl_graph *g, int64_t t, int64_t n)
{
    const double pi = 3.14159265358979323846;
    if (n % 2 != 0) {
        tsl_graph_refuse(g, "waves of %lld numbers: sines and cosines are pairs",
                         (long long)n);
        return NULL;
    }
    struct tsl_tensor *table =
        tsl_graph_input(g, "positions", TSL_F32, 2, (int64_t[]){ t, n });
    for (int64_t k = 0; table && k < n / 2; k++) {
        double rate =
            tsl_fixmath_exp(-2 * (double)k / (double)n * tsl_fixmath_log(10000));
        for (int64_t i = 0; i < t; i++) {
            double turns = (double)i * rate / pi;
            float *to = tsl_tensor_f32(table) + i * n + 2 * k;
            to[0] = (float)tsl_fixmath_cospi(turns - 0.5);
            to[1] = (float)tsl_fixmath_cospi(turns);
        }
    }
    return table;
}

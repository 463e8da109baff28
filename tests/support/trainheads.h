/* trainheads.h - how fixtures of losses, of training by perturbed inputs and of odd attentions are
 * recorded: what is made of operations and is none itself.
 * Threads: one. */
#ifndef TRAINHEADS_H
#define TRAINHEADS_H

#include "nn/crf.h"
#include "nn/layers.h"
#include "support/trainfix.h"

#define IN(name) struct tsl_tensor *name = trainfix_in(f, #name)

/* ---- labels in a row ---- */

/* Of the fixture's emissions and so on, which are there before anything runs. */
static inline void trainhead_best(struct trainfix *f, const struct tsl_crf *c)
{
    int64_t b = c->emissions->dim[0], t = c->emissions->dim[1], k = c->emissions->dim[2];
    struct tsl_tensor *path =
        tsl_graph_input(f->g, "path", TSL_I32, 2, (int64_t[]){ b, t });
    struct tsl_tensor *score = tsl_graph_input(f->g, "score", TSL_F32, 1, &b);
    for (int64_t i = 0; path && score && i < b; i++) {
        int32_t *to = tsl_tensor_i32(path) + i * t;
        double s = 0;
        for (int64_t j = 0; j < t; j++)
            to[j] = -1;
        f->rc = tsl_crf_best(tsl_tensor_f32(c->emissions) + i * t * k,
                             (size_t)tsl_tensor_i32(c->lengths)[i], (size_t)k,
                             tsl_tensor_f32(c->transitions),
                             c->start ? tsl_tensor_f32(c->start) : NULL,
                             c->end ? tsl_tensor_f32(c->end) : NULL, to, &s, &f->err);
        tsl_tensor_f32(score)[i] = (float)s;
    }
    trainfix_out(f, "viterbi_path", path);
    trainfix_out(f, "viterbi_score", score);
}

static inline struct tsl_crf trainhead_crf_in(struct trainfix *f)
{
    IN(emissions);
    IN(labels);
    IN(lengths);
    IN(transitions);
    return (struct tsl_crf){ emissions,
                             labels,
                             lengths,
                             transitions,
                             trainfix_in(f, "start"),
                             trainfix_in(f, "end") };
}

static inline void trainhead_crf(struct trainfix *f)
{
    struct tsl_crf c = trainhead_crf_in(f);
    trainfix_out(f, "loglik", tsl_crf_loglik(f->g, &c));
    trainhead_best(f, &c);
}

static inline void trainhead_memm(struct trainfix *f)
{
    struct tsl_crf c = trainhead_crf_in(f);
    trainfix_out(f, "loglik", tsl_crf_memm_loglik(f->g, &c));
}

/* ---- noise contrastive estimation ---- */

/* softplus(sign s), all of it summed. */
static inline struct tsl_tensor *trainhead_softplus(struct trainfix *f,
                                                    struct tsl_tensor *s, double sign)
{
    s = tsl_ops_unary(f->g, TSL_SOFTPLUS, tsl_ops_affine(f->g, s, sign, 0));
    return tsl_ops_sum_all(f->g, s);
}

static inline void trainhead_nce(struct trainfix *f)
{
    IN(h);
    IN(w);
    IN(b);
    IN(logkq);
    IN(ids);
    IN(noise);
    if (!h || !ids || !noise)
        return;
    struct tsl_graph *g = f->g;
    struct tsl_tensor *more =
        tsl_ops_reshape(g, tsl_ops_sub(g, b, logkq), 2, (int64_t[]){ w->dim[0], 1 });
    struct tsl_tensor *right =
        tsl_ops_sum(g, tsl_ops_mul(g, h, tsl_ops_gather(g, w, ids)), 2);
    right = tsl_ops_add(g, right, tsl_ops_gather(g, more, ids));
    struct tsl_tensor *wrong =
        tsl_ops_matmul(g, h, tsl_ops_transpose(g, tsl_ops_gather(g, w, noise)));
    wrong = tsl_ops_add(g, wrong, tsl_ops_transpose(g, tsl_ops_gather(g, more, noise)));
    struct tsl_tensor *loss =
        tsl_ops_add(g, trainhead_softplus(f, right, -1), trainhead_softplus(f, wrong, 1));
    trainfix_out(f, "loss", tsl_ops_affine(g, loss, 1 / (double)h->dim[0], 0));
}

/* ---- perturbed inputs ---- */

/* The mean of tanh(e[ids]) over places, times w^T; its cross entropy. */
static inline struct tsl_tensor *
trainhead_classify(struct trainfix *f, struct tsl_tensor *e, struct tsl_tensor *ids,
                   struct tsl_tensor *w, struct tsl_tensor *labels)
{
    struct tsl_tensor *x = tsl_ops_unary(f->g, TSL_TANH, tsl_ops_gather(f->g, e, ids));
    if (!x)
        return NULL;
    x = tsl_ops_reshape(f->g, tsl_ops_mean(f->g, x, 2), 2,
                        (int64_t[]){ x->dim[0], x->dim[2] });
    x = tsl_ops_linear(f->g, x, w, NULL, TSL_IDENTITY, false);
    return tsl_ops_cross_entropy(f->g, x, labels, 0, NULL);
}

/* The square root of the sum of squares, a scalar. */
static inline struct tsl_tensor *trainhead_norm(struct tsl_graph *g, struct tsl_tensor *x)
{
    return tsl_ops_unary(g, TSL_SQRT, tsl_ops_sum_all(g, tsl_ops_mul(g, x, x)));
}

static inline void trainhead_fgm(struct trainfix *f)
{
    IN(E);
    IN(w);
    IN(ids);
    IN(labels);
    struct tsl_graph *g = f->g;
    struct tsl_tensor *by[] = { E, w }, *clean[2], *worse[2];
    struct tsl_tensor *loss = trainhead_classify(f, E, ids, w, labels);
    f->rc = tsl_graph_gradient(g, loss, by, 2, false, clean, &f->err);
    if (f->rc < 0)
        return;
    struct tsl_tensor *unit = tsl_ops_div(g, clean[0], trainhead_norm(g, clean[0]));
    struct tsl_tensor *r = tsl_ops_detach(g, tsl_ops_affine(g, unit, 0.5, 0));
    struct tsl_tensor *moved = tsl_ops_add(g, E, r);
    struct tsl_tensor *adv = trainhead_classify(f, moved, ids, w, labels);
    f->rc = tsl_graph_gradient(g, adv, by, 2, false, worse, &f->err);
    if (f->rc < 0)
        return;
    trainfix_out(f, "loss_clean", loss);
    trainfix_out(f, "loss_adv", adv);
    trainfix_out(f, "perturbation", r);
    trainfix_out(f, "dE_clean", clean[0]);
    trainfix_out(f, "dw_clean", clean[1]);
    trainfix_out(f, "dE_adv", worse[0]);
    trainfix_out(f, "dw_adv", worse[1]);
    trainfix_out(f, "dE_total", tsl_ops_add(g, clean[0], worse[0]));
    trainfix_out(f, "dw_total", tsl_ops_add(g, clean[1], worse[1]));
}

/* r, shortened to a norm of at most limit: r min(1, limit / |r|). */
static inline struct tsl_tensor *trainhead_project(struct tsl_graph *g,
                                                   struct tsl_tensor *r, double limit)
{
    struct tsl_tensor *s = tsl_ops_unary(g, TSL_RECIP, trainhead_norm(g, r));
    s = tsl_ops_unary(g, TSL_RELU, tsl_ops_affine(g, s, -limit, 1));
    return tsl_ops_mul(g, r, tsl_ops_affine(g, s, -1, 1));
}

static inline void trainhead_pgd(struct trainfix *f)
{
    IN(E);
    IN(w);
    IN(ids);
    IN(labels);
    if (!E)
        return;
    struct tsl_graph *g = f->g;
    struct tsl_tensor *steps[3], *r = NULL;
    for (unsigned i = 0; i < 3; i++) {
        struct tsl_tensor *at = r ? tsl_ops_add(g, E, r) : E, *d = NULL;
        struct tsl_tensor *loss = trainhead_classify(f, at, ids, w, labels);
        f->rc = tsl_graph_gradient(g, loss, &at, 1, false, &d, &f->err);
        if (f->rc < 0)
            return;
        d = tsl_ops_affine(g, tsl_ops_div(g, d, trainhead_norm(g, d)), 0.3, 0);
        r = trainhead_project(g, r ? tsl_ops_add(g, r, d) : d, 0.5);
        r = tsl_ops_detach(g, r);
        steps[i] = tsl_ops_reshape(g, r, 3, (int64_t[]){ 1, E->dim[0], E->dim[1] });
    }
    trainfix_out(f, "perturbation_steps", tsl_ops_concat(g, steps, 3, 0));
}

/* ---- weights and noise ---- */

static inline void trainhead_spectral_norm(struct trainfix *f)
{
    IN(w);
    IN(u);
    if (!w || !u)
        return;
    struct tsl_graph *g = f->g;
    struct tsl_tensor *row = tsl_ops_reshape(g, u, 2, (int64_t[]){ 1, u->dim[0] });
    struct tsl_tensor *v = tsl_ops_matmul(g, row, w); /* [1, cols] */
    v = tsl_ops_detach(g, tsl_ops_div(g, v, trainhead_norm(g, v)));
    struct tsl_tensor *u2 = tsl_ops_matmul(g, w, tsl_ops_transpose(g, v)); /* [rows, 1] */
    u2 = tsl_ops_detach(g, tsl_ops_div(g, u2, trainhead_norm(g, u2)));
    struct tsl_tensor *sigma = tsl_ops_matmul(
        g, tsl_ops_transpose(g, u2), tsl_ops_matmul(g, w, tsl_ops_transpose(g, v)));
    sigma = tsl_ops_reshape(g, sigma, 0, NULL);
    trainfix_out(f, "v", tsl_ops_reshape(g, v, 1, &w->dim[1]));
    trainfix_out(f, "u2", tsl_ops_reshape(g, u2, 1, &w->dim[0]));
    trainfix_out(f, "sigma", sigma);
    trainfix_out(f, "y", tsl_ops_div(g, w, sigma));
}

static inline void trainhead_vae(struct trainfix *f)
{
    IN(mu);
    IN(logvar);
    IN(noise);
    if (!mu)
        return;
    struct tsl_graph *g = f->g;
    struct tsl_tensor *sd = tsl_ops_unary(g, TSL_EXP, tsl_ops_affine(g, logvar, 0.5, 0));
    trainfix_out(f, "z", tsl_ops_add(g, mu, tsl_ops_mul(g, sd, noise)));
    struct tsl_tensor *k =
        tsl_ops_sub(g, tsl_ops_affine(g, logvar, 1, 1), tsl_ops_mul(g, mu, mu));
    k = tsl_ops_sum_all(g, tsl_ops_sub(g, k, tsl_ops_unary(g, TSL_EXP, logvar)));
    trainfix_out(f, "kl", tsl_ops_affine(g, k, -0.5 / (double)mu->dim[0], 0));
}

static inline void trainhead_cond_layernorm(struct trainfix *f)
{
    IN(x);
    IN(c);
    IN(g);
    IN(b);
    IN(wg);
    IN(wb);
    if (!x || !c)
        return;
    int64_t n = x->dim[2], dim[] = { x->dim[0], 1, n };
    struct tsl_tensor *y = tsl_ops_layernorm(f->g, x, tsl_ops_fill(f->g, 1, 1, &n),
                                             tsl_ops_fill(f->g, 0, 1, &n), 1e-12);
    struct tsl_tensor *by = tsl_ops_add(f->g, g, tsl_ops_matmul(f->g, c, wg));
    struct tsl_tensor *more = tsl_ops_add(f->g, b, tsl_ops_matmul(f->g, c, wb));
    y = tsl_ops_mul(f->g, y, tsl_ops_reshape(f->g, by, 3, dim));
    trainfix_out(f, "y", tsl_ops_add(f->g, y, tsl_ops_reshape(f->g, more, 3, dim)));
}

static inline void trainhead_sinusoidal(struct trainfix *f)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(f->file, "y");
    if (e)
        trainfix_out(f, "y", tsl_layers_sinusoidal(f->g, e->dim[0], e->dim[1]));
}

/* ---- attentions that are no softmax of q k^T ---- */

static inline void trainhead_rotary(struct trainfix *f, bool half)
{
    IN(x); /* [batch, heads, t, width] */
    if (!x)
        return;
    int64_t b = x->dim[0], a = x->dim[1], t = x->dim[2], w = x->dim[3];
    struct tsl_tensor *y = tsl_ops_permute(f->g, x, (unsigned[]){ 0, 2, 1, 3 });
    y = tsl_ops_reshape(f->g, y, 3, (int64_t[]){ b, t, a * w });
    y = tsl_ops_rotary(f->g, y, (unsigned)a, half, NULL);
    y = tsl_ops_reshape(f->g, y, 4, (int64_t[]){ b, t, a, w });
    trainfix_out(f, "y", y ? tsl_ops_permute(f->g, y, (unsigned[]){ 0, 2, 1, 3 }) : NULL);
}

static inline void trainhead_rotary_half(struct trainfix *f)
{
    trainhead_rotary(f, true);
}

static inline void trainhead_rotary_interleaved(struct trainfix *f)
{
    trainhead_rotary(f, false);
}

static inline void trainhead_t5_bias(struct trainfix *f)
{
    IN(w);
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(f->file, "y");
    const char *max = tsl_safetensors_meta(f->file, "max_distance");
    const char *both = tsl_safetensors_meta(f->file, "bidirectional");
    if (w && e && max && both)
        trainfix_out(f, "y",
                     tsl_ops_relative_bias(f->g, w, e->dim[1], e->dim[2], *both == '1',
                                           atoll(max)));
}

static inline void trainhead_t5_buckets(struct trainfix *f)
{
    IN(relative_position);
    if (!relative_position)
        return;
    int64_t n = relative_position->dim[0];
    const char *const names[] = { "causal_32_128", "bidirectional_32_128" };
    for (unsigned k = 0; k < 2; k++) {
        struct tsl_tensor *y = tsl_graph_input(f->g, names[k], TSL_I32, 1, &n);
        for (int64_t i = 0; y && i < n; i++)
            tsl_tensor_i32(y)[i] =
                tsl_ops_relative_bucket(tsl_tensor_i32(relative_position)[i], 32, k, 128);
        trainfix_out(f, names[k], y);
    }
}

/* 0 where the fixture's keep is 1, else -inf: [batch, 1, t] or [batch, 1, 1, t]. */
static inline struct tsl_tensor *trainhead_mask(struct trainfix *f, unsigned rank)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(f->file, "keep");
    if (!e)
        return NULL;
    struct tsl_tensor *m = tsl_graph_input(
        f->g, "keep", TSL_F32, rank,
        (int64_t[]){ e->dim[0], 1, rank == 4 ? 1 : e->dim[3], e->dim[3] });
    float *to = m ? tsl_tensor_f32(m) : NULL;
    if (to && tsl_safetensors_read_f32(f->file, e, to, &f->err) == 0)
        for (size_t i = 0; i < e->n; i++)
            to[i] = to[i] > 0 ? 0 : -INFINITY;
    return m;
}

static inline void trainhead_synthesizer_dense(struct trainfix *f)
{
    IN(x);
    IN(w1);
    IN(b1);
    IN(w2);
    IN(b2);
    IN(v);
    if (!x)
        return;
    struct tsl_tensor *s = tsl_ops_linear(f->g, x, w1, b1, TSL_RELU, true);
    s = tsl_ops_linear(f->g, s, w2, b2, TSL_IDENTITY, true);
    s = tsl_ops_slice(f->g, s, 2, 0, x->dim[1]);
    s = tsl_ops_softmax(f->g, tsl_ops_add(f->g, s, trainhead_mask(f, 3)));
    trainfix_out(f, "y", tsl_ops_matmul(f->g, s, v));
}

static inline void trainhead_synthesizer_random(struct trainfix *f)
{
    IN(r);
    IN(v);
    if (!v)
        return;
    struct tsl_tensor *s = tsl_ops_slice(f->g, r, 1, 0, v->dim[2]);
    s = tsl_ops_slice(f->g, s, 2, 0, v->dim[2]);
    s = tsl_ops_softmax(f->g, tsl_ops_add(f->g, s, trainhead_mask(f, 4)));
    trainfix_out(f, "y", tsl_ops_matmul(f->g, s, v));
}

/* x [batch, heads, t, t] over heads: y[:, j] = sum over i of x[:, i] w[i, j]. */
static inline struct tsl_tensor *trainhead_mix(struct trainfix *f, struct tsl_tensor *x,
                                               struct tsl_tensor *w)
{
    if (!x)
        return NULL;
    int64_t flat[] = { x->dim[0], x->dim[1], x->dim[2] * x->dim[3] };
    struct tsl_tensor *y = tsl_ops_matmul(f->g, tsl_ops_transpose(f->g, w),
                                          tsl_ops_reshape(f->g, x, 3, flat));
    return tsl_ops_reshape(f->g, y, 4, x->dim);
}

static inline void trainhead_talking(struct trainfix *f)
{
    IN(q);
    IN(k);
    IN(v);
    IN(pl);
    IN(pw);
    if (!q)
        return;
    struct tsl_tensor *s = tsl_ops_matmul(f->g, q, tsl_ops_transpose(f->g, k));
    s = tsl_ops_affine(f->g, s, 1 / sqrt((double)q->dim[3]), 0);
    s = tsl_ops_add(f->g, trainhead_mix(f, s, pl), trainhead_mask(f, 4));
    s = trainhead_mix(f, tsl_ops_softmax(f->g, s), pw);
    trainfix_out(f, "y", tsl_ops_matmul(f->g, s, v));
}

/* false: none of them. */
static inline bool trainhead_record(struct trainfix *f, const char *name)
{
    static const struct {
        const char *name;
        void (*record)(struct trainfix *f);
    } all[] = {
        { "attention_synthesizer_dense", trainhead_synthesizer_dense },
        { "attention_synthesizer_random", trainhead_synthesizer_random },
        { "attention_talking_heads", trainhead_talking },
        { "cond_layernorm", trainhead_cond_layernorm },
        { "crf", trainhead_crf },
        { "crf_start_end", trainhead_crf },
        { "fgm", trainhead_fgm },
        { "memm", trainhead_memm },
        { "nce", trainhead_nce },
        { "pgd", trainhead_pgd },
        { "rotary_half", trainhead_rotary_half },
        { "rotary_interleaved", trainhead_rotary_interleaved },
        { "sinusoidal", trainhead_sinusoidal },
        { "spectral_norm", trainhead_spectral_norm },
        { "t5_bias", trainhead_t5_bias },
        { "t5_buckets", trainhead_t5_buckets },
        { "vae_kl_reparam", trainhead_vae },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(all[i].name, name))
            return all[i].record(f), true;
    return false;
}

#undef IN

#endif

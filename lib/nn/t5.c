/* t5.c - T5 (Raffel et al. 2020): an encoder and a decoder of pre-norm blocks without biases, RMS
 * norms, a bias by distance that the first layer of each stack has for all of it, scores that
 * are not scaled.  1.1 (Shazeer 2020): gated feed-forward, an output layer of its own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/families.h"

/* One stack while it is being written down. */
struct stack {
    struct tsl_layers *l;
    const char *name; /* "encoder", "decoder" */
    bool decodes;
    struct tsl_tensor *bias;    /* [heads, t, t], once the first layer has made it */
    struct tsl_tensor *lengths; /* of what is attended to by itself; or NULL */
    struct tsl_tensor *docs;
    struct tsl_tensor *said, *said_lengths; /* the encoder's, for the decoder */
};

/* Standard deviations: those of Mesh TensorFlow, as initializer_range says times one. */
static double spread(const struct tsl_layers *l, int64_t inputs)
{
    return l->c->initializer_range / sqrt((double)inputs);
}

static int64_t inner(const struct tsl_modelconfig *c)
{
    return c->num_attention_heads * c->d_kv;
}

/* PREFIX.SUFFIX.weight [n, k] of x. */
static struct tsl_tensor *dense(struct tsl_layers *l, const char *prefix,
                                const char *suffix, struct tsl_tensor *x, int64_t k,
                                int64_t n, enum tsl_unary f, double std)
{
    char name[TSL_LAYERS_NAME];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    struct tsl_tensor *w =
        tsl_layers_param(l, name, "weight", 2, (int64_t[]){ n, k }, std, 0);
    if (!l->g)
        return NULL;
    tsl_graph_scope(l->g, "%s", name);
    return tsl_ops_linear(l->g, x, w, NULL, f, false);
}

static struct tsl_tensor *normed(struct tsl_layers *l, const char *prefix,
                                 const char *suffix, struct tsl_tensor *x)
{
    char name[TSL_LAYERS_NAME];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    struct tsl_tensor *w =
        tsl_layers_param(l, name, "weight", 1, (int64_t[]){ l->c->hidden_size }, 0,
                         l->c->initializer_range);
    if (!l->g)
        return NULL;
    tsl_graph_scope(l->g, "%s", name);
    return tsl_ops_rmsnorm(l->g, x, w, l->c->layer_norm_eps);
}

static struct tsl_tensor *drop(struct tsl_layers *l, struct tsl_tensor *x)
{
    return l->g ? tsl_ops_dropout(l->g, x, l->c->hidden_dropout_prob) : NULL;
}

/* x + dropout(h) */
static struct tsl_tensor *add(struct tsl_layers *l, struct tsl_tensor *x,
                              struct tsl_tensor *h)
{
    return l->g ? tsl_ops_add(l->g, x, drop(l, h)) : NULL;
}

/* q of x, k and v of y; one product where x and y are one and the weights lie together. */
static void project(struct tsl_layers *l, const char *prefix, struct tsl_tensor *x,
                    struct tsl_tensor *y, struct tsl_tensor **qkv)
{
    const struct tsl_modelconfig *c = l->c;
    int64_t h = c->hidden_size, n = inner(c);
    static const char *const names[] = { "q", "k", "v" };
    char first[TSL_LAYERS_NAME];
    unsigned from = x == y ? 0 : 1, count = 3 - from;
    struct tsl_tensor *w = NULL;
    if (l->g) {
        snprintf(first, sizeof first, "%s.%s.weight", prefix, names[from]);
        tsl_graph_scope(l->g, "%s.%s", prefix, names[from]);
        w = h * n % 16 ? NULL : tsl_graph_param_span(l->g, l->p, first, count);
    }
    struct tsl_tensor *all =
        w ? tsl_ops_linear(l->g, y, w, NULL, TSL_IDENTITY, false) : NULL;
    for (unsigned i = 0; i < 3; i++)
        if (w && i >= from)
            qkv[i] = tsl_ops_slice(l->g, all, 2, (i - from) * n, n);
        else
            qkv[i] = dense(l, prefix, names[i], i ? y : x, h, n, TSL_IDENTITY,
                           spread(l, i ? h : h * c->d_kv));
}

/* What a stack's tokens see of themselves.  number: the layer's. */
static struct tsl_tensor *see_own(struct stack *s, const char *prefix, unsigned number,
                                  struct tsl_tensor *x)
{
    struct tsl_layers *l = s->l;
    const struct tsl_modelconfig *c = l->c;
    char name[TSL_LAYERS_NAME];
    struct tsl_tensor *qkv[3];
    snprintf(name, sizeof name, "%s.SelfAttention", prefix);
    struct tsl_tensor *y = normed(l, prefix, "layer_norm", x);
    project(l, name, y, y, qkv);
    if (number == 0) {
        char own[TSL_LAYERS_NAME];
        int64_t dim[] = { c->relative_attention_num_buckets, c->num_attention_heads };
        snprintf(own, sizeof own, "%.200s.relative_attention_bias", name);
        struct tsl_tensor *w =
            tsl_layers_param(l, own, "weight", 2, dim, spread(l, c->hidden_size), 0);
        if (l->g && x)
            s->bias = tsl_ops_relative_bias(l->g, w, x->dim[1], x->dim[1], !s->decodes,
                                            c->relative_attention_max_distance);
    }
    struct tsl_attn a = { .heads = (unsigned)c->num_attention_heads,
                          .scale = 1,
                          .mask = s->decodes ? TSL_ATTN_CAUSAL : TSL_ATTN_ALL,
                          .lengths = s->lengths,
                          .docs = s->docs,
                          .bias = s->bias,
                          .dropout = c->attention_probs_dropout_prob };
    if (l->g)
        y = tsl_ops_attention(l->g, qkv[0], qkv[1], qkv[2], &a);
    y = dense(l, name, "o", y, inner(c), c->hidden_size, TSL_IDENTITY,
              spread(l, inner(c)));
    return add(l, x, y);
}

/* What the decoder's tokens see of what the encoder said. */
static struct tsl_tensor *see_said(struct stack *s, const char *prefix,
                                   struct tsl_tensor *x)
{
    struct tsl_layers *l = s->l;
    const struct tsl_modelconfig *c = l->c;
    char name[TSL_LAYERS_NAME];
    struct tsl_tensor *qkv[3];
    snprintf(name, sizeof name, "%s.EncDecAttention", prefix);
    struct tsl_tensor *y = normed(l, prefix, "layer_norm", x);
    project(l, name, y, s->said, qkv);
    struct tsl_attn a = { .heads = (unsigned)c->num_attention_heads,
                          .scale = 1,
                          .mask = TSL_ATTN_ALL,
                          .lengths = s->said_lengths,
                          .dropout = c->attention_probs_dropout_prob };
    if (l->g)
        y = tsl_ops_attention(l->g, qkv[0], qkv[1], qkv[2], &a);
    y = dense(l, name, "o", y, inner(c), c->hidden_size, TSL_IDENTITY,
              spread(l, inner(c)));
    return add(l, x, y);
}

static struct tsl_tensor *feed_forward(struct tsl_layers *l, const char *prefix,
                                       struct tsl_tensor *x)
{
    const struct tsl_modelconfig *c = l->c;
    int64_t h = c->hidden_size, n = c->intermediate_size;
    char name[TSL_LAYERS_NAME];
    snprintf(name, sizeof name, "%s.DenseReluDense", prefix);
    struct tsl_tensor *in = normed(l, prefix, "layer_norm", x);
    struct tsl_tensor *y =
        dense(l, name, c->gated ? "wi_0" : "wi", in, h, n, c->hidden_act, spread(l, h));
    if (c->gated) {
        struct tsl_tensor *by =
            dense(l, name, "wi_1", in, h, n, TSL_IDENTITY, spread(l, h));
        y = l->g ? tsl_ops_mul(l->g, y, by) : NULL;
    }
    y = dense(l, name, "wo", drop(l, y), n, h, TSL_IDENTITY, spread(l, n));
    return add(l, x, y);
}

static struct tsl_tensor *run_stack(struct stack *s, int64_t layers, struct tsl_tensor *x)
{
    struct tsl_layers *l = s->l;
    char prefix[TSL_LAYERS_NAME / 2];
    x = drop(l, x);
    for (unsigned i = 0; i < layers; i++) {
        unsigned part = 0;
        snprintf(prefix, sizeof prefix, "%s.block.%u.layer.%u", s->name, i, part++);
        x = see_own(s, prefix, i, x);
        snprintf(prefix, sizeof prefix, "%s.block.%u.layer.%u", s->name, i, part++);
        if (s->decodes) {
            x = see_said(s, prefix, x);
            snprintf(prefix, sizeof prefix, "%s.block.%u.layer.%u", s->name, i, part);
        }
        x = feed_forward(l, prefix, x);
    }
    return drop(l, normed(l, s->name, "final_layer_norm", x));
}

/* The loss on what the decoder says, or its logits. */
static void say(struct tsl_layers *l, const struct tsl_model_task *t,
                const struct tsl_model_inputs *in, struct tsl_tensor *x,
                struct tsl_model_outputs *out)
{
    const struct tsl_modelconfig *c = l->c;
    int64_t h = c->hidden_size, all = t->batch * t->target;
    struct tsl_tensor *w;
    if (c->tie_word_embeddings)
        w = tsl_layers_weight(l, "shared");
    else
        w = tsl_layers_param(l, "lm_head", "weight", 2, (int64_t[]){ c->vocab_size, h },
                             c->initializer_range, 0);
    if (!l->g || !x)
        return;
    tsl_graph_scope(l->g, "what the decoder says");
    x = tsl_ops_reshape(l->g, x, 2, (int64_t[]){ all, h });
    if (t->masked) /* the logits at some places only, to sample from */
        x = tsl_ops_gather(l->g, x, in->masked_positions);
    if (c->tie_word_embeddings)
        x = tsl_ops_affine(l->g, x, 1 / sqrt((double)h), 0);
    if (t->logits)
        out->logits = tsl_ops_linear(l->g, x, w, NULL, TSL_IDENTITY, false);
    else
        out->label_loss = tsl_ops_linear_cross_entropy(
            l->g, x, w, NULL, tsl_ops_reshape(l->g, in->target_labels, 1, &all),
            in->label_count, &out->label_right);
}

void tsl_t5_write(struct tsl_layers *l, const struct tsl_model_task *t,
                  const struct tsl_model_inputs *in, struct tsl_model_outputs *out)
{
    const struct tsl_modelconfig *c = l->c;
    if (l->g && t->target < 1) {
        tsl_graph_refuse(l->g, "T5 needs a target for its decoder");
        return;
    }
    struct tsl_tensor *w = tsl_layers_param(l, "shared", "weight", 2,
                                            (int64_t[]){ c->vocab_size, c->hidden_size },
                                            c->initializer_range, 0);
    struct tsl_tensor *x = NULL, *y = NULL;
    if (l->g) {
        tsl_graph_scope(l->g, "shared");
        x = out->embeddings = tsl_ops_gather(l->g, w, in->input_ids);
        y = tsl_ops_gather(l->g, w, in->target_ids);
    }
    struct stack encoder = {
        .l = l, .name = "encoder", .lengths = in->lengths, .docs = in->doc_ids
    };
    x = run_stack(&encoder, c->num_hidden_layers, x);
    struct stack decoder = {
        .l = l, .name = "decoder", .decodes = true, .said = x, .said_lengths = in->lengths
    };
    out->hidden = x;
    say(l, t, in, run_stack(&decoder, c->num_decoder_layers, y), out);
}

bool tsl_t5_public_name(const struct tsl_modelconfig *c, const char *theirs, char *name)
{
    /* The stacks' tables are the shared one; published checkpoints carry a bias of cross
     * attention that nothing reads. */
    if (!strcmp(theirs, "encoder.embed_tokens.weight") ||
        !strcmp(theirs, "decoder.embed_tokens.weight") ||
        strstr(theirs, "EncDecAttention.relative_attention_bias"))
        return false;
    if (!strcmp(theirs, "lm_head.weight") && c->tie_word_embeddings)
        return false;
    snprintf(name, TSL_LAYERS_NAME, "%s", theirs);
    return true;
}

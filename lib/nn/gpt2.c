/* gpt2.c - GPT-2 (Radford et al. 2019): pre-norm blocks, learned positions, weights that are
 * stored [in, out], the embedding as output layer. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "nn/families.h"

/* A layer whose weight is [k, n].  scale: of the standard deviation that it starts with. */
static struct tsl_tensor *conv(struct tsl_layers *l, const char *prefix, const char *name,
                               struct tsl_tensor *x, int64_t k, int64_t n,
                               enum tsl_unary f, double scale)
{
    char full[TSL_LAYERS_NAME];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    struct tsl_tensor *w = tsl_layers_param(l, full, "weight", 2, (int64_t[]){ k, n },
                                            l->c->initializer_range * scale, 0);
    struct tsl_tensor *b = tsl_layers_param(l, full, "bias", 1, (int64_t[]){ n }, 0, 0);
    if (l->g)
        tsl_graph_scope(l->g, "%s", full);
    return l->g ? tsl_ops_linear(l->g, x, w, b, f, true) : NULL;
}

/* What the residual stream is after attention, and its norm in *normed. */
static void block(struct tsl_layers *l, const struct tsl_model_task *t,
                  const struct tsl_model_inputs *in, unsigned i,
                  struct tsl_tensor **stream, struct tsl_tensor **branch)
{
    const struct tsl_modelconfig *c = l->c;
    int64_t h = c->hidden_size;
    /* what flows into the stream starts smaller, so that depth does not add up */
    double scale = 1 / sqrt(2.0 * (double)c->num_hidden_layers);
    char prefix[64], name[TSL_LAYERS_NAME];
    snprintf(prefix, sizeof prefix, "h.%u", i);
    struct tsl_tensor *x = *stream, *y;
    snprintf(name, sizeof name, "%s.ln_1", prefix);
    y = *branch ? tsl_layers_residual_norm(l, name, x, *branch, h, &x)
                : tsl_layers_norm(l, name, x, h);
    y = conv(l, prefix, "attn.c_attn", y, h, 3 * h, TSL_IDENTITY, 1);
    struct tsl_attn a = { .heads = (unsigned)c->num_attention_heads,
                          .mask = t->mask == TSL_ATTN_ALL ? TSL_ATTN_CAUSAL : t->mask,
                          .who = t->mask == TSL_ATTN_PREFIX ? in->prefix : NULL,
                          .lengths = in->lengths,
                          .docs = in->doc_ids,
                          .dropout = c->attention_probs_dropout_prob };
    y = l->g ? tsl_ops_attention_packed(l->g, y, &a) : NULL;
    y = conv(l, prefix, "attn.c_proj", y, h, h, TSL_IDENTITY, scale);
    snprintf(name, sizeof name, "%s.ln_2", prefix);
    y = tsl_layers_residual_norm(l, name, x, y, h, &x);
    y = conv(l, prefix, "mlp.c_fc", y, h, c->intermediate_size, c->hidden_act, 1);
    y = conv(l, prefix, "mlp.c_proj", y, c->intermediate_size, h, TSL_IDENTITY, scale);
    *stream = x;
    *branch = y;
}

void tsl_gpt2_write(struct tsl_layers *l, const struct tsl_model_task *t,
                    const struct tsl_model_inputs *in, struct tsl_model_outputs *out)
{
    const struct tsl_modelconfig *c = l->c;
    int64_t h = c->hidden_size, all = t->batch * t->seq;
    struct tsl_tensor *x =
        tsl_layers_embedding(l, "wte", in->input_ids, c->vocab_size, h);
    struct tsl_tensor *w =
        tsl_layers_embedding(l, "wpe", NULL, c->max_position_embeddings, h);
    if (l->g) {
        struct tsl_tensor *at = in->position_ids
                                    ? tsl_ops_gather(l->g, w, in->position_ids)
                                    : tsl_ops_slice(l->g, w, 0, 0, t->seq);
        x = tsl_ops_add(l->g, x, at);
        x = out->embeddings = tsl_ops_dropout(l->g, x, c->hidden_dropout_prob);
    }
    struct tsl_tensor *branch = NULL, *sum = NULL;
    for (unsigned i = 0; i < c->num_hidden_layers; i++)
        block(l, t, in, i, &x, &branch);
    x = tsl_layers_residual_norm(l, "ln_f", x, branch, h, &sum);
    out->hidden = x;
    if (!l->g || !x)
        return;
    x = tsl_ops_reshape(l->g, x, 2, (int64_t[]){ all, h });
    if (t->masked) /* the logits at some places only, to sample from */
        x = tsl_ops_gather(l->g, x, in->masked_positions);
    w = tsl_layers_weight(l, "wte");
    tsl_graph_scope(l->g, "next tokens");
    if (t->logits)
        out->logits = tsl_ops_linear(l->g, x, w, NULL, TSL_IDENTITY, false);
    else
        out->label_loss = tsl_ops_linear_cross_entropy(
            l->g, x, w, NULL, tsl_ops_reshape(l->g, in->labels, 1, &all), in->label_count,
            &out->label_right);
}

bool tsl_gpt2_public_name(const struct tsl_modelconfig *c, const char *theirs, char *name)
{
    (void)c;
    if (!strncmp(theirs, "transformer.", 12))
        theirs += 12;
    size_t n = strlen(theirs);
    /* the causal mask, once kept with the weights; the output layer is the embedding */
    if ((n > 10 && !strcmp(theirs + n - 10, ".attn.bias")) ||
        strstr(theirs, ".attn.masked_bias") || !strcmp(theirs, "lm_head.weight"))
        return false;
    snprintf(name, TSL_LAYERS_NAME, "%s", theirs);
    return true;
}

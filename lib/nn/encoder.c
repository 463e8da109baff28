/* encoder.c - BERT (Devlin et al. 2019) and its relatives: RoBERTa, ALBERT, RoFormer, UniLM.
 *
 * One body: embeddings, blocks of post-norm attention and feed-forward, a head that finds masked
 * tokens out through the embedding, and one of two classes on the first token.  What differs is
 * what parameters are called, and the few choices in struct dialect. */
#include "nn/families.h"

#include <stdio.h>
#include <string.h>

/* How a family spells it. */
struct dialect {
    const char *body;  /* before all of the body's names */
    const char *block; /* printf: of layer or group %u, before the following */
    const char *query, *key, *value, *attended, *attended_norm;
    const char *wide, *narrow, *narrow_norm;     /* the feed-forward's two layers */
    const char *pooler;                          /* NULL: no head for pairs */
    const char *found, *found_norm, *found_bias; /* the head for masked tokens */
    const char *pair;
    bool positions; /* learned ones; else rotary */
    bool from_pad;  /* positions count from behind the padding's id */
};

static const struct dialect dialects[] = {
    [TSL_MODEL_BERT] = { "bert", "bert.encoder.layer.%u", "attention.self.query",
                         "attention.self.key", "attention.self.value",
                         "attention.output.dense", "attention.output.LayerNorm",
                         "intermediate.dense", "output.dense", "output.LayerNorm",
                         "bert.pooler.dense", "cls.predictions.transform.dense",
                         "cls.predictions.transform.LayerNorm", "cls.predictions.bias",
                         "cls.seq_relationship", true, false },
    [TSL_MODEL_ROBERTA] = { "roberta", "roberta.encoder.layer.%u", "attention.self.query",
                            "attention.self.key", "attention.self.value",
                            "attention.output.dense", "attention.output.LayerNorm",
                            "intermediate.dense", "output.dense", "output.LayerNorm",
                            NULL, "lm_head.dense", "lm_head.layer_norm", "lm_head.bias",
                            NULL, true, true },
    [TSL_MODEL_ALBERT] = { "albert",
                           "albert.encoder.albert_layer_groups.%u.albert_layers.0",
                           "attention.query", "attention.key", "attention.value",
                           "attention.dense", "attention.LayerNorm", "ffn", "ffn_output",
                           "full_layer_layer_norm", "albert.pooler", "predictions.dense",
                           "predictions.LayerNorm", "predictions.bias",
                           "sop_classifier.classifier", true, false },
    [TSL_MODEL_ROFORMER] = { "roformer", "roformer.encoder.layer.%u",
                             "attention.self.query", "attention.self.key",
                             "attention.self.value", "attention.output.dense",
                             "attention.output.LayerNorm", "intermediate.dense",
                             "output.dense", "output.LayerNorm", NULL,
                             "cls.predictions.transform.dense",
                             "cls.predictions.transform.LayerNorm",
                             "cls.predictions.bias", NULL, false, false },
};

static const struct dialect *dialect_of(const struct tsl_modelconfig *c)
{
    return &dialects[c->kind == TSL_MODEL_UNILM ? TSL_MODEL_BERT : c->kind];
}

/* BODY.embeddings.WHICH */
static const char *of_embeddings(const struct dialect *d, const char *which, char *name)
{
    snprintf(name, TSL_LAYERS_NAME, "%s.embeddings.%s", d->body, which);
    return name;
}

static struct tsl_tensor *embeddings(struct tsl_layers *l, const struct tsl_model_task *t,
                                     const struct tsl_model_inputs *in)
{
    const struct tsl_modelconfig *c = l->c;
    const struct dialect *d = dialect_of(c);
    char name[TSL_LAYERS_NAME];
    int64_t e = c->embedding_size;
    struct tsl_tensor *x = tsl_layers_embedding(
        l, of_embeddings(d, "word_embeddings", name), in->input_ids, c->vocab_size, e);
    if (d->positions) {
        struct tsl_tensor *w =
            tsl_layers_embedding(l, of_embeddings(d, "position_embeddings", name), NULL,
                                 c->max_position_embeddings, e);
        int64_t first = d->from_pad ? c->pad_token_id + 1 : 0;
        if (l->g && in->position_ids && first)
            w = tsl_ops_slice(l->g, w, 0, first, c->max_position_embeddings - first);
        if (l->g && in->position_ids)
            x = tsl_ops_add(l->g, x, tsl_ops_gather(l->g, w, in->position_ids));
        else if (l->g)
            x = tsl_ops_add(l->g, x, tsl_ops_slice(l->g, w, 0, first, t->seq));
    }
    if (c->type_vocab_size > 0) {
        struct tsl_tensor *s =
            tsl_layers_embedding(l, of_embeddings(d, "token_type_embeddings", name),
                                 in->segment_ids, c->type_vocab_size, e);
        if (l->g)
            x = tsl_ops_add(l->g, x, s);
    }
    x = tsl_layers_norm(l, of_embeddings(d, "LayerNorm", name), x, e);
    return l->g ? tsl_ops_dropout(l->g, x, c->hidden_dropout_prob) : NULL;
}

static struct tsl_tensor *attend(struct tsl_layers *l, const struct tsl_model_task *t,
                                 const struct tsl_model_inputs *in,
                                 struct tsl_tensor *qkv)
{
    const struct tsl_modelconfig *c = l->c;
    struct tsl_attn a = {
        .heads = (unsigned)c->num_attention_heads,
        .mask = t->mask,
        .who = t->mask == TSL_ATTN_PREFIX  ? in->prefix
               : t->mask == TSL_ATTN_UNILM ? in->segment_ids
                                           : NULL,
        .lengths = in->lengths,
        .docs = in->doc_ids,
        .dropout = c->attention_probs_dropout_prob,
    };
    if (dialect_of(c)->positions || !qkv)
        return tsl_ops_attention_packed(l->g, qkv, &a);
    struct tsl_tensor *part[3];
    for (unsigned i = 0; i < 3; i++)
        part[i] = tsl_ops_slice(l->g, qkv, 2, i * c->hidden_size, c->hidden_size);
    for (unsigned i = 0; i < 2; i++)
        part[i] = tsl_ops_rotary(l->g, part[i], a.heads, false, in->position_ids);
    return tsl_ops_attention(l->g, part[0], part[1], part[2], &a);
}

static struct tsl_tensor *block(struct tsl_layers *l, const struct tsl_model_task *t,
                                const struct tsl_model_inputs *in, unsigned which,
                                struct tsl_tensor *x)
{
    const struct tsl_modelconfig *c = l->c;
    const struct dialect *d = dialect_of(c);
    char prefix[TSL_LAYERS_NAME / 2], names[8][TSL_LAYERS_NAME];
    const char *suffixes[8] = { d->query,         d->key,  d->value,  d->attended,
                                d->attended_norm, d->wide, d->narrow, d->narrow_norm };
    snprintf(prefix, sizeof prefix, d->block, which);
    for (unsigned i = 0; i < 8; i++)
        snprintf(names[i], sizeof names[i], "%s.%s", prefix, suffixes[i]);
    int64_t h = c->hidden_size;
    struct tsl_tensor *qkv = tsl_layers_linears(
        l, (const char *[]){ names[0], names[1], names[2] }, 3, x, h, h, true);
    struct tsl_tensor *y = l->g ? attend(l, t, in, qkv) : NULL;
    y = tsl_layers_linear(l, names[3], y, h, h, true, TSL_IDENTITY);
    x = tsl_layers_residual_norm(l, names[4], x, y, h, NULL);
    y = tsl_layers_linear(l, names[5], x, h, c->intermediate_size, true, c->hidden_act);
    y = tsl_layers_linear(l, names[6], y, c->intermediate_size, h, true, TSL_IDENTITY);
    return tsl_layers_residual_norm(l, names[7], x, y, h, NULL);
}

static struct tsl_tensor *body(struct tsl_layers *l, const struct tsl_model_task *t,
                               const struct tsl_model_inputs *in, struct tsl_tensor *x)
{
    const struct tsl_modelconfig *c = l->c;
    int64_t layers = c->num_hidden_layers, groups = layers;
    if (c->kind == TSL_MODEL_ALBERT) {
        x = tsl_layers_linear(l, "albert.encoder.embedding_hidden_mapping_in", x,
                              c->embedding_size, c->hidden_size, true, TSL_IDENTITY);
        groups = c->num_hidden_groups;
    }
    for (int64_t i = 0; i < (l->g ? layers : groups); i++)
        x = block(l, t, in, (unsigned)(l->g ? i * groups / layers : i), x);
    return x;
}

/* The head for masked tokens: what it says of rows x, before the embedding. */
static struct tsl_tensor *finding(struct tsl_layers *l, struct tsl_tensor *x)
{
    const struct tsl_modelconfig *c = l->c;
    const struct dialect *d = dialect_of(c);
    x = tsl_layers_linear(l, d->found, x, c->hidden_size, c->embedding_size, true,
                          c->hidden_act);
    return tsl_layers_norm(l, d->found_norm, x, c->embedding_size);
}

static void masked_head(struct tsl_layers *l, const struct tsl_model_task *t,
                        const struct tsl_model_inputs *in, struct tsl_model_outputs *out)
{
    const struct tsl_modelconfig *c = l->c;
    const struct dialect *d = dialect_of(c);
    char name[TSL_LAYERS_NAME];
    struct tsl_tensor *x = NULL;
    int64_t all = t->batch * t->seq;
    if (l->g && out->hidden)
        x = tsl_ops_reshape(l->g, out->hidden, 2, (int64_t[]){ all, c->hidden_size });
    if (l->g && t->masked)
        x = tsl_ops_gather(l->g, x, in->masked_positions);
    x = finding(l, x);
    struct tsl_tensor *b =
        tsl_layers_param(l, d->found_bias, "", 1, (int64_t[]){ c->vocab_size }, 0, 0);
    if (!l->g)
        return;
    struct tsl_tensor *w =
        tsl_layers_weight(l, of_embeddings(d, "word_embeddings", name));
    tsl_graph_scope(l->g, "masked tokens");
    if (t->logits) {
        out->logits = tsl_ops_linear(l->g, x, w, b, TSL_IDENTITY, false);
        return;
    }
    struct tsl_tensor *labels = t->masked ? in->masked_labels : in->labels;
    if (!t->masked)
        labels = tsl_ops_reshape(l->g, labels, 1, &all);
    struct tsl_tensor **right = t->masked ? &out->masked_right : &out->label_right;
    *(t->masked ? &out->masked_loss : &out->label_loss) = tsl_ops_linear_cross_entropy(
        l->g, x, w, b, labels, t->masked ? in->masked_count : in->label_count, right);
}

static void pair_head(struct tsl_layers *l, const struct tsl_model_inputs *in,
                      const struct tsl_model_task *t, struct tsl_model_outputs *out)
{
    const struct tsl_modelconfig *c = l->c;
    const struct dialect *d = dialect_of(c);
    int64_t h = c->hidden_size;
    struct tsl_tensor *x = NULL;
    if (!d->pooler) {
        if (l->g)
            tsl_graph_refuse(l->g, "%s has no head for pairs", d->body);
        return;
    }
    if (l->g && out->hidden) {
        x = tsl_ops_slice(l->g, out->hidden, 1, 0, 1);
        x = tsl_ops_reshape(l->g, x, 2, (int64_t[]){ t->batch, h });
    }
    x = tsl_layers_linear(l, d->pooler, x, h, h, true, TSL_TANH);
    if (l->g)
        x = tsl_ops_dropout(l->g, x,
                            c->kind == TSL_MODEL_ALBERT ? c->hidden_dropout_prob : 0);
    x = tsl_layers_linear(l, d->pair, x, h, 2, true, TSL_IDENTITY);
    if (!l->g)
        return;
    out->pair_logits = x;
    if (!t->logits)
        out->pair_loss =
            tsl_ops_cross_entropy(l->g, x, in->pair_labels, 0, in->pair_count);
}

void tsl_encoder_write(struct tsl_layers *l, const struct tsl_model_task *t,
                       const struct tsl_model_inputs *in, struct tsl_model_outputs *out)
{
    out->embeddings = embeddings(l, t, in);
    out->hidden = body(l, t, in, out->embeddings);
    if (!l->g || t->masked || t->next)
        masked_head(l, t, in, out);
    if (!l->g || t->pairs)
        pair_head(l, in, t, out);
}

bool tsl_encoder_has_pairs(const struct tsl_modelconfig *c)
{
    return dialect_of(c)->pooler;
}

/* Checkpoints of 2018 say gamma and beta; tied weights may be there twice. */
bool tsl_encoder_public_name(const struct tsl_modelconfig *c, const char *theirs,
                             char *name)
{
    static const char *const doubles[] = {
        "cls.predictions.decoder.weight", "cls.predictions.decoder.bias",
        "lm_head.decoder.weight",         "lm_head.decoder.bias",
        "predictions.decoder.weight",     "predictions.decoder.bias",
    };
    (void)c;
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        if (!strcmp(theirs, doubles[i]))
            return false;
    size_t n = strlen(theirs);
    if (strstr(theirs, "position_ids") || strstr(theirs, "embed_positions"))
        return false;
    if (n > 6 && !strcmp(theirs + n - 6, ".gamma"))
        snprintf(name, TSL_LAYERS_NAME, "%.*s.weight", (int)(n - 6), theirs);
    else if (n > 5 && !strcmp(theirs + n - 5, ".beta"))
        snprintf(name, TSL_LAYERS_NAME, "%.*s.bias", (int)(n - 5), theirs);
    else
        snprintf(name, TSL_LAYERS_NAME, "%s", theirs);
    return true;
}

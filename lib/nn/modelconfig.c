#include "nn/modelconfig.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonread.h"
#include "base/mem.h"
#include "tensor/ops.h"

/* The deepest models that were published have 1,000 (Wang et al. 2022); the names of this many
 * layers are still told apart in seconds. */
enum { LAYERS_MAX = 1024 };

/* ---- what a family is unless told otherwise ---- */

static const struct {
    const char *model_type, *architecture;
    struct tsl_modelconfig defaults; /* those of transformers */
} kinds[TSL_MODEL_KINDS] = {
#define BERT_SIZES                                                                       \
    .vocab_size = 30522, .hidden_size = 768, .num_hidden_layers = 12,                    \
    .num_attention_heads = 12, .intermediate_size = 3072,                                \
    .max_position_embeddings = 512, .type_vocab_size = 2, .hidden_dropout_prob = 0.1,    \
    .attention_probs_dropout_prob = 0.1, .layer_norm_eps = 1e-12,                        \
    .initializer_range = 0.02, .hidden_act = TSL_GELU_ERF, .tie_word_embeddings = true
    [TSL_MODEL_BERT] = { "bert",
                         "BertForPreTraining",
                         { .kind = TSL_MODEL_BERT, BERT_SIZES } },
    [TSL_MODEL_UNILM] = { "unilm",
                          "BertForPreTraining",
                          { .kind = TSL_MODEL_UNILM, BERT_SIZES } },
    [TSL_MODEL_ROFORMER] = { "roformer",
                             "RoFormerForMaskedLM",
                             { .kind = TSL_MODEL_ROFORMER, BERT_SIZES } },
    [TSL_MODEL_ROBERTA] = { "roberta",
                            "RobertaForMaskedLM",
                            { .kind = TSL_MODEL_ROBERTA,
                              .vocab_size = 50265,
                              .hidden_size = 768,
                              .num_hidden_layers = 12,
                              .num_attention_heads = 12,
                              .intermediate_size = 3072,
                              .max_position_embeddings = 514,
                              .type_vocab_size = 1,
                              .pad_token_id = 1,
                              .hidden_dropout_prob = 0.1,
                              .attention_probs_dropout_prob = 0.1,
                              .layer_norm_eps = 1e-5,
                              .initializer_range = 0.02,
                              .hidden_act = TSL_GELU_ERF,
                              .tie_word_embeddings = true } },
    [TSL_MODEL_ALBERT] = { "albert",
                           "AlbertForPreTraining",
                           { .kind = TSL_MODEL_ALBERT,
                             .vocab_size = 30000,
                             .hidden_size = 768,
                             .embedding_size = 128,
                             .num_hidden_layers = 12,
                             .num_hidden_groups = 1,
                             .num_attention_heads = 12,
                             .intermediate_size = 3072,
                             .max_position_embeddings = 512,
                             .type_vocab_size = 2,
                             .layer_norm_eps = 1e-12,
                             .initializer_range = 0.02,
                             .hidden_act = TSL_GELU_TANH,
                             .tie_word_embeddings = true } },
    [TSL_MODEL_GPT2] = { "gpt2",
                         "GPT2LMHeadModel",
                         { .kind = TSL_MODEL_GPT2,
                           .vocab_size = 50257,
                           .hidden_size = 768,
                           .num_hidden_layers = 12,
                           .num_attention_heads = 12,
                           .max_position_embeddings = 1024,
                           .hidden_dropout_prob = 0.1,
                           .attention_probs_dropout_prob = 0.1,
                           .layer_norm_eps = 1e-5,
                           .initializer_range = 0.02,
                           .hidden_act = TSL_GELU_TANH,
                           .tie_word_embeddings = true } },
    [TSL_MODEL_T5] = { "t5",
                       "T5ForConditionalGeneration",
                       { .kind = TSL_MODEL_T5,
                         .vocab_size = 32128,
                         .hidden_size = 512,
                         .num_hidden_layers = 6,
                         .num_attention_heads = 8,
                         .intermediate_size = 2048,
                         .d_kv = 64,
                         .relative_attention_num_buckets = 32,
                         .relative_attention_max_distance = 128,
                         .hidden_dropout_prob = 0.1,
                         .attention_probs_dropout_prob = 0.1,
                         .layer_norm_eps = 1e-6,
                         .initializer_range = 1,
                         .hidden_act = TSL_RELU,
                         .tie_word_embeddings = true } },
};

/* What follows from other members where it was not said. */
static void fill_in(struct tsl_modelconfig *c)
{
    if (!c->embedding_size)
        c->embedding_size = c->hidden_size;
    if (!c->intermediate_size)
        c->intermediate_size = 4 * c->hidden_size;
    if (!c->num_hidden_groups)
        c->num_hidden_groups = c->num_hidden_layers;
    if (!c->num_decoder_layers)
        c->num_decoder_layers = c->num_hidden_layers;
}

/* ---- presets ---- */

static const struct {
    const char *name;
    int64_t layers, hidden, heads;
} sizes[] = {
    /* Turc et al. 2019, "Well-Read Students Learn Better" */
    { "tiny", 2, 128, 2 },   { "mini", 4, 256, 4 },   { "small", 4, 512, 8 },
    { "medium", 8, 512, 8 }, { "base", 12, 768, 12 }, { "large", 24, 1024, 16 },
};

const char *const *tsl_modelconfig_presets(void)
{
    static const char *const names[] = {
        "bert-tiny",     "bert-mini",      "bert-small",
        "bert-medium",   "bert-base",      "bert-large",
        "roberta-tiny",  "roberta-mini",   "roberta-small",
        "roberta-base",  "albert-tiny",    "albert-mini",
        "albert-small",  "albert-base",    "roformer-tiny",
        "roformer-mini", "roformer-small", "roformer-base",
        "unilm-tiny",    "unilm-mini",     "unilm-small",
        "unilm-base",    "gpt2-tiny",      "gpt2-mini",
        "gpt2-small",    "gpt2-medium",    "gpt2-base",
        "gpt2",          "t5-tiny",        "t5-mini",
        "t5-small",      "t5-base",        NULL,
    };
    return names;
}

bool tsl_modelconfig_preset(struct tsl_modelconfig *c, const char *name)
{
    const char *dash = strrchr(name, '-'), *size = dash ? dash + 1 : "base";
    size_t n = dash ? (size_t)(dash - name) : strlen(name);
    for (unsigned k = 0; k < TSL_MODEL_KINDS; k++) {
        if (strlen(kinds[k].model_type) != n || memcmp(kinds[k].model_type, name, n) != 0)
            continue;
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            if (strcmp(sizes[i].name, size))
                continue;
            *c = kinds[k].defaults;
            c->num_hidden_layers = sizes[i].layers;
            c->hidden_size = sizes[i].hidden;
            c->num_attention_heads = sizes[i].heads;
            c->intermediate_size = 4 * sizes[i].hidden;
            if (c->d_kv)
                c->d_kv = sizes[i].hidden / sizes[i].heads;
            if (c->embedding_size > c->hidden_size)
                c->embedding_size = c->hidden_size;
            fill_in(c);
            return true;
        }
    }
    return false;
}

/* ---- config.json ---- */

static const struct member {
    const char *name, *gpt2, *t5; /* NULL: by the same name; "": it has none */
    size_t at;
    bool real;
} members[] = {
#define AT(m) offsetof(struct tsl_modelconfig, m)
    { "vocab_size", NULL, NULL, AT(vocab_size), false },
    { "hidden_size", "n_embd", "d_model", AT(hidden_size), false },
    { "num_hidden_layers", "n_layer", "num_layers", AT(num_hidden_layers), false },
    { "num_attention_heads", "n_head", "num_heads", AT(num_attention_heads), false },
    { "intermediate_size", "n_inner", "d_ff", AT(intermediate_size), false },
    { "max_position_embeddings", "n_positions", "", AT(max_position_embeddings), false },
    { "type_vocab_size", "", "", AT(type_vocab_size), false },
    { "embedding_size", "", "", AT(embedding_size), false },
    { "num_hidden_groups", "", "", AT(num_hidden_groups), false },
    { "d_kv", "", NULL, AT(d_kv), false },
    { "num_decoder_layers", "", NULL, AT(num_decoder_layers), false },
    { "relative_attention_num_buckets", "", NULL, AT(relative_attention_num_buckets),
      false },
    { "relative_attention_max_distance", "", NULL, AT(relative_attention_max_distance),
      false },
    { "pad_token_id", NULL, NULL, AT(pad_token_id), false },
    { "hidden_dropout_prob", "resid_pdrop", "dropout_rate", AT(hidden_dropout_prob),
      true },
    { "attention_probs_dropout_prob", "attn_pdrop", "", AT(attention_probs_dropout_prob),
      true },
    { "layer_norm_eps", "layer_norm_epsilon", "layer_norm_epsilon", AT(layer_norm_eps),
      true },
    { "initializer_range", NULL, "initializer_factor", AT(initializer_range), true },
};

static const char *spelled(const struct member *m, enum tsl_model_kind kind)
{
    const char *name = kind == TSL_MODEL_GPT2 ? m->gpt2
                       : kind == TSL_MODEL_T5 ? m->t5
                                              : NULL;
    return name ? name : m->name;
}

/* Only ALBERT has these two, only T5 these four; BERT's family the rest. */
static bool has(const struct member *m, enum tsl_model_kind kind)
{
    if (!*spelled(m, kind))
        return false;
    if (m->at == AT(embedding_size))
        return kind == TSL_MODEL_ALBERT || kind == TSL_MODEL_ROFORMER;
    if (m->at == AT(num_hidden_groups))
        return kind == TSL_MODEL_ALBERT;
    if (m->at == AT(d_kv) || m->at == AT(num_decoder_layers) ||
        m->at == AT(relative_attention_num_buckets) ||
        m->at == AT(relative_attention_max_distance))
        return kind == TSL_MODEL_T5;
    return true;
}

static int read_members(struct tsl_modelconfig *c, const struct tsl_jsonval *root,
                        const char *name, struct tsl_err *err)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct member *m = &members[i];
        const struct tsl_jsonval *v = tsl_jsonread_get(root, spelled(m, c->kind));
        enum tsl_jsonread_kind kind = tsl_jsonread_kind(v);
        if (!has(m, c->kind) || kind == TSL_JSON_NONE || kind == TSL_JSON_NULL)
            continue;
        void *to = (char *)c + m->at;
        int64_t whole = 0;
        if (m->real ? !tsl_jsonread_num(v, to) : !tsl_jsonread_int(v, &whole))
            return tsl_err_set(err, TSL_EFORMAT, "%s: %s is %s, not a number", name,
                               spelled(m, c->kind), tsl_jsonread_kind_name(v));
        if (whole < 0 || whole > INT32_MAX)
            return tsl_err_set(err, TSL_EFORMAT, "%s: %s is %" PRId64, name,
                               spelled(m, c->kind), whole);
        if (!m->real)
            memcpy(to, &whole, sizeof whole);
    }
    if (c->kind == TSL_MODEL_T5)
        c->attention_probs_dropout_prob = c->hidden_dropout_prob;
    return 0;
}

static int read_activation(struct tsl_modelconfig *c, const struct tsl_jsonval *root,
                           const char *name, struct tsl_err *err)
{
    const char *key = c->kind == TSL_MODEL_GPT2 ? "activation_function"
                      : c->kind == TSL_MODEL_T5 ? "feed_forward_proj"
                                                : "hidden_act";
    const struct tsl_jsonval *v = tsl_jsonread_get(root, key);
    struct tsl_slice said;
    char text[64];
    if (!v)
        return 0;
    if (!tsl_jsonread_str(v, &said) || said.len >= sizeof text)
        return tsl_err_set(err, TSL_EFORMAT, "%s: %s is %s, not a name", name, key,
                           tsl_jsonread_kind_name(v));
    memcpy(text, said.data, said.len);
    text[said.len] = 0;
    const char *plain = text;
    c->gated = c->kind == TSL_MODEL_T5 && !strncmp(text, "gated-", 6);
    if (c->gated)
        plain += 6;
    c->hidden_act = tsl_ops_unary_named(plain);
    /* T5's "gated-gelu" is the tanh form. */
    if (c->gated && c->hidden_act == TSL_GELU_ERF)
        c->hidden_act = TSL_GELU_TANH;
    if (c->hidden_act == TSL_UNARIES)
        return tsl_err_set(err, TSL_EFORMAT, "%s: the activation \"%s\" is not known",
                           name, text);
    return 0;
}

static int read_kind(struct tsl_modelconfig *c, const struct tsl_jsonval *root,
                     const char *name, struct tsl_err *err)
{
    struct tsl_slice said;
    if (!tsl_jsonread_str(tsl_jsonread_get(root, "model_type"), &said))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: no \"model_type\", which says what kind of model it is",
                           name);
    for (unsigned k = 0; k < TSL_MODEL_KINDS; k++)
        if (said.len == strlen(kinds[k].model_type) &&
            !memcmp(said.data, kinds[k].model_type, said.len)) {
            *c = kinds[k].defaults;
            return 0;
        }
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: model_type \"%.*s\" is not known: bert, roberta, albert, "
                       "roformer, unilm, gpt2 and t5 are",
                       name, (int)(said.len < 64 ? said.len : 64),
                       (const char *)said.data);
}

int tsl_modelconfig_parse(struct tsl_modelconfig *c, struct tsl_slice text,
                          const char *name, struct tsl_err *err)
{
    struct tsl_jsonread *doc;
    struct tsl_modelconfig made;
    int rc = tsl_jsonread_parse(&doc, text, name, err);
    if (rc < 0)
        return rc;
    const struct tsl_jsonval *root = tsl_jsonread_root(doc);
    rc = read_kind(&made, root, name, err);
    if (rc == 0)
        rc = read_members(&made, root, name, err);
    if (rc == 0)
        rc = read_activation(&made, root, name, err);
    if (rc == 0) {
        tsl_jsonread_bool(tsl_jsonread_get(root, "tie_word_embeddings"),
                          &made.tie_word_embeddings);
        fill_in(&made);
        struct tsl_err why = { 0 };
        rc = tsl_modelconfig_check(&made, &why);
        if (rc < 0)
            rc = tsl_err_set(err, TSL_EFORMAT, "%s: %s", name, why.msg);
    }
    if (rc == 0)
        *c = made;
    tsl_jsonread_destroy(doc);
    return rc;
}

/* As transformers calls it, without "gated-". */
static const char *activation_name(const struct tsl_modelconfig *c)
{
    static const char *const names[TSL_UNARIES] = {
        [TSL_TANH] = "tanh",          [TSL_SIGMOID] = "sigmoid",
        [TSL_RELU] = "relu",          [TSL_GELU_ERF] = "gelu",
        [TSL_GELU_TANH] = "gelu_new", [TSL_GELU_SIGMOID] = "quick_gelu",
        [TSL_SWISH] = "silu",         [TSL_SQUAREPLUS] = "squareplus",
        [TSL_IDENTITY] = "linear",    [TSL_LEAKY_RELU] = "leaky_relu",
    };
    if (c->gated && c->hidden_act == TSL_GELU_TANH)
        return "gelu";
    return names[c->hidden_act] ? names[c->hidden_act] : "gelu";
}

/* transformers takes no 1 where it wants a fraction: that is 1.0. */
static void put_real(struct tsl_json *j, const char *key, double x)
{
    char text[32];
    if (!(x > -1e9 && x < 1e9) || x != (double)(int32_t)x) {
        tsl_json_exact(j, key, x);
        return;
    }
    int n = snprintf(text, sizeof text, "%d.0", (int)x);
    tsl_json_raw(j, key, (struct tsl_slice){ (const uint8_t *)text, (size_t)n });
}

int tsl_modelconfig_text(const struct tsl_modelconfig *c, char **text,
                         struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    bool t5 = c->kind == TSL_MODEL_T5, gpt2 = c->kind == TSL_MODEL_GPT2;
    tsl_json_open(&j, NULL, '{');
    tsl_json_open(&j, "architectures", '[');
    tsl_json_str(&j, NULL, kinds[c->kind].architecture);
    tsl_json_close(&j, ']');
    tsl_json_str(&j, "model_type", kinds[c->kind].model_type);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        const struct member *m = &members[i];
        const void *at = (const char *)c + m->at;
        if (!has(m, c->kind))
            continue;
        double real;
        int64_t number;
        memcpy(&real, at, sizeof real);
        memcpy(&number, at, sizeof number);
        if (m->real)
            put_real(&j, spelled(m, c->kind), real);
        else
            tsl_json_u64(&j, spelled(m, c->kind), (uint64_t)number);
    }
    if (gpt2)
        put_real(&j, "embd_pdrop", c->hidden_dropout_prob);
    if (c->kind == TSL_MODEL_ALBERT) /* of the head for pairs */
        put_real(&j, "classifier_dropout_prob", c->hidden_dropout_prob);
    if (t5) /* the decoder begins with padding */
        tsl_json_u64(&j, "decoder_start_token_id", (uint64_t)c->pad_token_id);
    char activation[40];
    snprintf(activation, sizeof activation, "%s%s", c->gated ? "gated-" : "",
             activation_name(c));
    tsl_json_str(&j,
                 gpt2 ? "activation_function"
                 : t5 ? "feed_forward_proj"
                      : "hidden_act",
                 activation);
    if (c->kind == TSL_MODEL_ROFORMER)
        tsl_json_bool(&j, "rotary_value", false);
    tsl_json_bool(&j, "tie_word_embeddings", c->tie_word_embeddings);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    *text = rc == 0 ? tsl_mem_strdup(j.text, err) : NULL;
    tsl_json_fini(&j);
    return *text ? 0 : TSL_ENOMEM;
}

int64_t tsl_modelconfig_positions(const struct tsl_modelconfig *c)
{
    if (c->kind == TSL_MODEL_ROFORMER || c->kind == TSL_MODEL_T5)
        return INT64_MAX;
    /* RoBERTa's first ones, up to that of padding, are never taken */
    return c->max_position_embeddings -
           (c->kind == TSL_MODEL_ROBERTA ? c->pad_token_id + 1 : 0);
}

int tsl_modelconfig_check(const struct tsl_modelconfig *c, struct tsl_err *err)
{
    const struct {
        const char *name;
        int64_t value, least;
    } sizes_of[] = {
        { "vocab_size", c->vocab_size, 1 },
        { "hidden_size", c->hidden_size, 1 },
        { "num_hidden_layers", c->num_hidden_layers, 1 },
        { "num_attention_heads", c->num_attention_heads, 1 },
        { "intermediate_size", c->intermediate_size, 1 },
        { "max_position_embeddings", c->max_position_embeddings,
          c->kind != TSL_MODEL_T5 },
        { "type_vocab_size", c->type_vocab_size, 0 },
        { "embedding_size", c->embedding_size, 1 },
        { "num_hidden_groups", c->num_hidden_groups, 1 },
        { "pad_token_id", c->pad_token_id, 0 },
        { "d_kv", c->d_kv, c->kind == TSL_MODEL_T5 },
        { "relative_attention_num_buckets", c->relative_attention_num_buckets,
          c->kind == TSL_MODEL_T5 ? 4 : 0 },
        { "relative_attention_max_distance", c->relative_attention_max_distance, 0 },
        { "num_decoder_layers", c->num_decoder_layers, c->kind == TSL_MODEL_T5 },
    };
    for (size_t i = 0; i < sizeof sizes_of / sizeof *sizes_of; i++)
        if (sizes_of[i].value < sizes_of[i].least || sizes_of[i].value > INT32_MAX)
            return tsl_err_set(err, TSL_EUSAGE, "%s is %" PRId64, sizes_of[i].name,
                               sizes_of[i].value);
    if (c->num_hidden_layers > LAYERS_MAX || c->num_decoder_layers > LAYERS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d layers", LAYERS_MAX);
    if (c->kind != TSL_MODEL_T5 && c->hidden_size % c->num_attention_heads != 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "hidden_size %" PRId64
                           " cannot be divided among num_attention_heads %" PRId64,
                           c->hidden_size, c->num_attention_heads);
    if (c->num_hidden_layers % c->num_hidden_groups != 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "num_hidden_layers %" PRId64
                           " cannot be divided among num_hidden_groups %" PRId64,
                           c->num_hidden_layers, c->num_hidden_groups);
    if (c->embedding_size != c->hidden_size && c->kind != TSL_MODEL_ALBERT)
        return tsl_err_set(err, TSL_EUSAGE,
                           "embedding_size differs from hidden_size: only albert may");
    if (!(c->hidden_dropout_prob >= 0 && c->hidden_dropout_prob < 1) ||
        !(c->attention_probs_dropout_prob >= 0 && c->attention_probs_dropout_prob < 1))
        return tsl_err_set(err, TSL_EUSAGE, "a dropout is a number from 0 to below 1");
    if (!(c->layer_norm_eps > 0) || !(c->initializer_range >= 0))
        return tsl_err_set(err, TSL_EUSAGE,
                           "layer_norm_eps must be above 0, initializer_range not below");
    return 0;
}

/* modelconfig.h - what a model is: sizes and choices, in the terms of Hugging Face's
 * config.json.
 *
 * Order: none.
 * Memory: a plain struct.
 * Threads: pure. */
#ifndef TSL_MODELCONFIG_H
#define TSL_MODELCONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "tensor/unary.h"

enum tsl_model_kind {
    TSL_MODEL_BERT,
    TSL_MODEL_ROBERTA,
    TSL_MODEL_ALBERT,
    TSL_MODEL_ROFORMER,
    TSL_MODEL_UNILM, /* BERT's body, and its masked language model's head at the target's tokens */
    TSL_MODEL_GPT2,
    TSL_MODEL_T5,
    TSL_MODEL_KINDS
};

struct tsl_modelconfig {
    enum tsl_model_kind kind;
    int64_t vocab_size, hidden_size, num_hidden_layers, num_attention_heads,
        intermediate_size, max_position_embeddings, type_vocab_size;
    int64_t embedding_size;     /* ALBERT's factorised embedding; else hidden_size */
    int64_t num_hidden_groups;  /* ALBERT: layers that share weights form a group */
    int64_t d_kv;               /* T5: width of a head */
    int64_t num_decoder_layers; /* T5 */
    int64_t relative_attention_num_buckets;  /* T5 */
    int64_t relative_attention_max_distance; /* T5 */
    int64_t pad_token_id;                    /* RoBERTa counts positions from it on */
    enum tsl_unary hidden_act;
    bool gated; /* T5 1.1: two projections, one of them through hidden_act */
    bool tie_word_embeddings; /* the output layer is the embedding */
    double hidden_dropout_prob, attention_probs_dropout_prob;
    double layer_norm_eps, initializer_range;
};

/* "bert-tiny", "bert-mini", "bert-small", "bert-medium", "bert-base", "bert-large",
 * "roberta-base", "albert-base", "roformer-base", "unilm-...", "gpt2-tiny", "gpt2", "t5-small"
 * ...: false for a name that is not known. */
bool tsl_modelconfig_preset(struct tsl_modelconfig *c, const char *name);
/* All names of presets, one after the other, NULL at the end. */
const char *const *tsl_modelconfig_presets(void);

/* From the text of a config.json; name stands in messages.  What it does not say is what
 * transformers would take.  TSL_EFORMAT, also for a model_type, an activation or a value that is
 * not known here. */
int tsl_modelconfig_parse(struct tsl_modelconfig *c, struct tsl_slice text,
                          const char *name, struct tsl_err *err);
/* The text of a config.json that transformers opens, on the heap. */
int tsl_modelconfig_text(const struct tsl_modelconfig *c, char **text,
                         struct tsl_err *err);
/* Do the numbers fit each other?  0, or TSL_EUSAGE and what does not. */
int tsl_modelconfig_check(const struct tsl_modelconfig *c, struct tsl_err *err);
/* How many positions it has learned, which count from 0; INT64_MAX: it takes any. */
int64_t tsl_modelconfig_positions(const struct tsl_modelconfig *c);

#endif

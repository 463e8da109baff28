/* ctrain_text.h - text for models: what commands that take a vocabulary share.
 *
 * Order: none of its own: texts keep theirs.
 * Memory: the vocabulary's.
 * Threads: main's only. */
#ifndef TSL_CTRAIN_TEXT_H
#define TSL_CTRAIN_TEXT_H

#include "cli_vocab.h"
#include "ctrain.h"
#include "text/tokenizer.h"
#include "train/weights.h"

struct ctrain_text_options {
    struct cli_vocab vocabulary;
    bool averaged, json;
};
extern struct ctrain_text_options ctrain_text_given;

#define CTRAIN_TEXT                                                                      \
    CTRAIN_HEADING("The model and its vocabulary:"),                                     \
        CLI_VOCAB(ctrain_text_given.vocabulary),                                         \
        CTRAIN_OPT(0, "ema", NULL, CLI_FLAG, &ctrain_text_given.averaged,                \
                   "the model's averaged weights, which train --ema keeps"),             \
        CTRAIN_OPT(0, "dtype", "NAME", CLI_STR, &ctrain_given.dtype,                     \
                   "f32 (the default), or bf16: products of rounded factors")

/* A model that texts are put to.  All zero is closed. */
struct ctrain_text {
    struct tsl_weights weights;
    struct tsl_tokenizer *tokenizer;
    struct tsl_coder *coder;
    struct tsl_pool *pool;
    unsigned nthreads;
    bool bf16;
    uint8_t *text; /* what decode gave last */
    size_t len, cap;
};

/* The model at path, and the vocabulary of the options; misuse ends the process. */
int ctrain_text_open(struct ctrain_text *t, const char *path, struct tsl_err *err);
void ctrain_text_close(struct ctrain_text *t);

/* The ids of a text, on the heap for tsl_mem_free; wrap: with [CLS] and [SEP], or what else the
 * vocabulary puts around.  Room for one id more is behind them. */
int ctrain_text_encode(struct ctrain_text *t, const char *text, size_t len, bool wrap,
                       int32_t **ids, uint32_t *n, struct tsl_err *err);
/* What ids say, to text and len; special tokens left out. */
int ctrain_text_decode(struct ctrain_text *t, const int32_t *ids, uint32_t n,
                       struct tsl_err *err);
/* A string of JSON to standard output. */
int ctrain_text_quote(const void *s, size_t n, struct tsl_err *err);

#endif

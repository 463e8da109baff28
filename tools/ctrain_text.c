#include "ctrain_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/quote.h"

struct ctrain_text_options ctrain_text_given;

enum { CODER_BYTES = 4 << 20 };

int ctrain_text_open(struct ctrain_text *t, const char *path, struct tsl_err *err)
{
    const struct ctrain_text_options *o = &ctrain_text_given;
    struct tsl_tokenizer_opts opts = cli_vocab_opts(&o->vocabulary);
    t->bf16 = cli_choose("dtype", ctrain_given.dtype, "f32\0bf16\0") == 1;
    t->nthreads = cli_threads(ctrain_given.nthreads);
    int rc = tsl_weights_open(&t->weights, path, o->averaged, err);
    if (rc == 0 && *t->weights.damaged)
        cli_warn("passed over: %s", t->weights.damaged);
    if (rc == 0)
        rc = tsl_tokenizer_open(&t->tokenizer, o->vocabulary.vocab, &opts, err);
    int64_t knows = t->weights.config.vocab_size;
    if (rc == 0 && tsl_tokenizer_size(t->tokenizer) > knows)
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "%s has %" PRIu32 " tokens, the model knows %" PRId64
                         ": is this its vocabulary?",
                         tsl_quote(o->vocabulary.vocab).s,
                         tsl_tokenizer_size(t->tokenizer), knows);
    if (rc == 0 && !(t->coder = tsl_coder_create(t->tokenizer, CODER_BYTES, err)))
        rc = TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_pool_create(&t->pool, t->nthreads, err);
    return rc;
}

void ctrain_text_close(struct ctrain_text *t)
{
    tsl_coder_destroy(t->coder);
    tsl_tokenizer_destroy(t->tokenizer);
    tsl_pool_destroy(t->pool);
    tsl_weights_close(&t->weights);
    tsl_mem_free(t->text);
    *t = (struct ctrain_text){ .nthreads = 0 };
}

int ctrain_text_encode(struct ctrain_text *t, const char *text, size_t len, bool wrap,
                       int32_t **ids, uint32_t *n, struct tsl_err *err)
{
    struct tsl_tokens plain, whole;
    uint8_t *types = NULL;
    size_t used, cap = 0;
    tsl_tokens_init(&plain, TSL_WANT_MARKS);
    tsl_tokens_init(&whole, TSL_WANT_MARKS);
    int rc = tsl_coder_encode(t->coder, (struct tsl_slice){ (const uint8_t *)text, len },
                              true, true, &used, &plain, err);
    if (rc == 0 && wrap)
        rc = tsl_coder_wrap(t->coder, &plain, NULL, &whole, &types, &cap, err);
    const struct tsl_tokens *from = wrap ? &whole : &plain;
    *ids = rc == 0 ? tsl_mem_alloc(from->n + 1, sizeof **ids, "ids", err) : NULL;
    if (rc == 0 && !*ids)
        rc = TSL_ENOMEM;
    for (size_t i = 0; rc == 0 && i < from->n; i++)
        (*ids)[i] = (int32_t)from->ids[i];
    *n = (uint32_t)from->n;
    tsl_mem_free(types);
    tsl_tokens_fini(&plain);
    tsl_tokens_fini(&whole);
    return rc;
}

int ctrain_text_decode(struct ctrain_text *t, const int32_t *ids, uint32_t n,
                       struct tsl_err *err)
{
    t->len = 0;
    return tsl_coder_decode(t->coder, (const uint32_t *)ids, n, true, &t->text, &t->len,
                            &t->cap, err);
}

int ctrain_text_quote(const void *s, size_t n, struct tsl_err *err)
{
    char *text = tsl_mem_alloc(6 * n + 1, 1, "a string", err);
    if (!text)
        return TSL_ENOMEM;
    char *end = tsl_json_escape(text, s, n);
    putchar('"');
    fwrite(text, 1, (size_t)(end - text), stdout);
    putchar('"');
    tsl_mem_free(text);
    return 0;
}

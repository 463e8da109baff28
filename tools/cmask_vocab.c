#include "cmask_vocab.h"

#include <string.h>

#include "base/mem.h"
#include "prep/compat_albert.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

static bool begins(struct tsl_slice s, const char *with)
{
    size_t n = strlen(with);
    return s.len >= n && memcmp(s.data, with, n) == 0;
}

/* Does a token of this kind of vocabulary stand inside a word? */
static bool continues(enum tsl_tokenizer_kind kind, struct tsl_slice token)
{
    switch (kind) {
    case TSL_TOKENIZER_BERT:
    case TSL_TOKENIZER_HF: return begins(token, "##");
    case TSL_TOKENIZER_SPM: return !begins(token, "\xe2\x96\x81"); /* U+2581 */
    default: return false;
    }
}

int cmask_vocab_open(struct cmask_vocab *v, const char *path, bool albert,
                     struct tsl_err *err)
{
    struct tsl_tokenizer_opts o = { 0 };
    struct tsl_tokenizer *t;
    int rc = tsl_tokenizer_open(&t, path, &o, err);
    if (rc < 0)
        return rc;
    struct tsl_special_tokens s = tsl_tokenizer_specials(t);
    uint32_t n = tsl_tokenizer_size(t);
    v->specials = (struct tsl_special_ids){ s.pad, s.unk, s.cls, s.sep, s.mask,
                                            s.bos, s.eos, NULL,  n };
    v->continues = tsl_mem_alloc(n / 8 + 1, 1, "a vocabulary", err);
    v->reserved = tsl_mem_alloc(n / 8 + 1, 1, "a vocabulary", err);
    rc = v->continues && v->reserved ? 0 : TSL_ENOMEM;
    const struct tsl_vocab *words = tsl_tokenizer_vocab(t);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        struct tsl_slice token = tsl_vocab_token(words, i);
        enum tsl_tokenizer_kind kind = tsl_tokenizer_kind(t);
        bool inside = token.data && (albert && kind == TSL_TOKENIZER_SPM
                                         ? !tsl_compat_albert_is_start(token)
                                         : continues(kind, token));
        if (inside)
            v->continues[i / 8] |= (uint8_t)(1 << i % 8);
        if (!token.data || begins(token, "[unused") || begins(token, "<unused"))
            v->reserved[i / 8] |= (uint8_t)(1 << i % 8);
    }
    v->specials.reserved = v->reserved;
    tsl_tokenizer_destroy(t);
    return rc;
}

void cmask_vocab_close(struct cmask_vocab *v)
{
    tsl_mem_free(v->continues);
    tsl_mem_free(v->reserved);
}

#include "text/wordlevel.h"

#include "text/tokfile.h"

void tsl_wordlevel_init(struct tsl_wordlevel *w, const struct tsl_vocab *v,
                        struct tsl_slice unk)
{
    *w = (struct tsl_wordlevel){ .vocab = v,
                                 .unk = tsl_vocab_find(v, unk),
                                 .unk_name = tsl_tokfile_quote(unk) };
}

int tsl_wordlevel_encode(const struct tsl_wordlevel *w, struct tsl_slice piece,
                         struct tsl_tokens *out, struct tsl_err *err)
{
    int64_t id = tsl_vocab_find(w->vocab, piece);
    unsigned marks = 0;
    if (id == TSL_VOCAB_NONE) {
        id = w->unk;
        marks = TSL_TOKEN_UNKNOWN;
    }
    if (id == TSL_VOCAB_NONE)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s is not in the vocabulary, nor is %s, the token for "
                           "unknown words",
                           tsl_tokfile_quote(piece).s, w->unk_name.s);
    return tsl_tokens_add(out, (uint32_t)id, 0, (uint32_t)piece.len, marks, err);
}

/* wordlevel.h - Hugging Face's WordLevel model: a piece is one token or unknown.
 *
 * Order: one token a piece.
 * Memory: none of its own; the vocabulary is lent.
 * Threads: read-only once it is filled. */
#ifndef TSL_WORDLEVEL_H
#define TSL_WORDLEVEL_H

#include "base/err.h"
#include "base/quote.h"
#include "base/slice.h"
#include "text/tokens.h"
#include "text/vocab.h"

struct tsl_wordlevel {
    const struct tsl_vocab *vocab; /* lent */
    int64_t unk;                   /* TSL_VOCAB_NONE: v does not have it */
    struct tsl_quoted unk_name;
};

void tsl_wordlevel_init(struct tsl_wordlevel *w, const struct tsl_vocab *v,
                        struct tsl_slice unk);

/* Adds the piece's token, spans relative to the piece.  TSL_EFORMAT where it is unknown
 * and the vocabulary does not have the token for that.  Source: HF tokenizers 0.23.2. */
int tsl_wordlevel_encode(const struct tsl_wordlevel *w, struct tsl_slice piece,
                         struct tsl_tokens *out, struct tsl_err *err);

#endif

/* tokens.h - what encoding gives: parallel arrays that grow, one item a token.
 *
 * Order: as in the text.
 * Memory: on the heap; reset keeps it for the next text.
 * Threads: one owner. */
#ifndef TSL_TOKENS_H
#define TSL_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tsl_token_mark {
    TSL_TOKEN_WORD_START = 1, /* the first token of a word: whole-word masking needs it */
    TSL_TOKEN_UNKNOWN = 2,    /* stands for text that the vocabulary does not have */
    TSL_TOKEN_SPECIAL = 4,    /* put in by a template, or special text taken as such */
    /* Until the text is wrapped (postproc.h): how many bytes trimming took off the front of
     * its span that it would have left to the first token, and whether the end went along. */
    TSL_TOKEN_TRIMMED = 8, /* times 0 to 15 */
    TSL_TOKEN_TRIMMED_END = 128
};

enum tsl_tokens_want {
    TSL_WANT_SPANS = 1, /* begin and end, too */
    TSL_WANT_MARKS = 2, /* marks, too */
    TSL_WANT_TEXTS = 4  /* texts, too; where the engine gives them (tokenizer.h) */
};

/* Texts of tokens that are not as the vocabulary spells them: unknown text, an added token
 * with white space around it.  Each is its length in 4 bytes and its bytes. */
struct tsl_tokens_store {
    uint8_t *bytes;
    size_t len, cap;
};
void tsl_tokens_store_fini(struct tsl_tokens_store *s);

/* How many tokens can have a name of their file's post-processor. */
enum { TSL_TOKENS_NAMES = 4096 };

struct tsl_tokens {
    uint32_t *ids;
    /* Bytes of the text that token i stands for, [begin[i], end[i]): where the text was
     * normalised, the source bytes.  Only with TSL_WANT_SPANS. */
    uint32_t *begin, *end;
    uint8_t *marks; /* enum tsl_token_mark; only with TSL_WANT_MARKS */
    /* 0: as the vocabulary has it; UINT32_MAX - k: the post-processor's name k (postproc.h);
     * else 1 + its place in store.  Only with TSL_WANT_TEXTS; the store is the caller's,
     * many lists may share it. */
    uint32_t *texts;
    struct tsl_tokens_store *store;
    size_t n, cap;
    unsigned want; /* enum tsl_tokens_want; set by init */
};

void tsl_tokens_init(struct tsl_tokens *t, unsigned want);

/* Room for n more behind t->n, so that a loop may store without asking. */
int tsl_tokens_reserve(struct tsl_tokens *t, size_t n, struct tsl_err *err);

int tsl_tokens_add(struct tsl_tokens *t, uint32_t id, uint32_t begin, uint32_t end,
                   unsigned marks, struct tsl_err *err);

/* Says the last token's text (more: adds to it, if it was the last text said).  Nothing
 * without TSL_WANT_TEXTS. */
int tsl_tokens_say(struct tsl_tokens *t, struct tsl_slice text, bool more,
                   struct tsl_err *err);
/* What was said of token i; data NULL: nothing, or it has a name.  Lent until the store changes. */
struct tsl_slice tsl_tokens_text(const struct tsl_tokens *t, size_t i);

/* Adds tokens [from, from + n) of t, whose store is the same; spans and marks that t does
 * not have are 0. */
int tsl_tokens_append(struct tsl_tokens *out, const struct tsl_tokens *t, size_t from,
                      size_t n, struct tsl_err *err);
/* Tokens [from, to) of t as they lie: valid until t changes. */
struct tsl_tokens tsl_tokens_view(const struct tsl_tokens *t, size_t from, size_t to);

/* Leaves the store alone. */
void tsl_tokens_reset(struct tsl_tokens *t);
void tsl_tokens_fini(struct tsl_tokens *t);

#endif

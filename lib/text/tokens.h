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

enum tsl_token_mark {
    TSL_TOKEN_WORD_START = 1, /* the first token of a word: whole-word masking needs it */
    TSL_TOKEN_UNKNOWN = 2,    /* stands for text that the vocabulary does not have */
    TSL_TOKEN_SPECIAL = 4     /* put in by a template, or special text taken as such */
};

enum tsl_tokens_want {
    TSL_WANT_SPANS = 1, /* begin and end, too */
    TSL_WANT_MARKS = 2  /* marks, too */
};

struct tsl_tokens {
    uint32_t *ids;
    /* Bytes of the text that token i stands for, [begin[i], end[i]): where the text was
     * normalised, the source bytes.  Only with TSL_WANT_SPANS. */
    uint32_t *begin, *end;
    uint8_t *marks; /* enum tsl_token_mark; only with TSL_WANT_MARKS */
    size_t n, cap;
    unsigned want; /* enum tsl_tokens_want; set by init */
};

void tsl_tokens_init(struct tsl_tokens *t, unsigned want);

/* Room for n more behind t->n, so that a loop may store without asking. */
int tsl_tokens_reserve(struct tsl_tokens *t, size_t n, struct tsl_err *err);

int tsl_tokens_add(struct tsl_tokens *t, uint32_t id, uint32_t begin, uint32_t end,
                   unsigned marks, struct tsl_err *err);
void tsl_tokens_reset(struct tsl_tokens *t);
void tsl_tokens_fini(struct tsl_tokens *t);

#endif

/* addedtok.h - added tokens: text that is one token, cut out before the model sees it.
 *
 * Two matchers, each leftmost and then longest: one for tokens looked for in the raw text,
 * one for those looked for in the normalised text, by their own normalised content.
 * Source: huggingface/tokenizers 0.23, added_vocabulary.rs.
 * Order: tokens as added; special ones before others where two contents normalise alike (of
 *   such the peer takes either, from one run to the next: its matcher is made of a hash map).
 * Memory: the contents, and a trie of them.
 * Threads: read-only once built. */
#ifndef TSL_ADDEDTOK_H
#define TSL_ADDEDTOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/vocab.h"

struct tsl_addedtok_def {
    struct tsl_slice content;
    struct tsl_slice
        shown;           /* by build: as it is decoded, normalised where it is so found */
    uint32_t id;         /* set by add: what the file says is not trusted */
    bool single_word;    /* only where no word character is beside it */
    bool lstrip, rstrip; /* takes the white space before, behind it, too */
    bool normalized;     /* looked for in the normalised text */
    bool was_normalized; /* by put: it was so once, and is still shown as it was then */
    bool special;
};

struct tsl_addedtok;

struct tsl_addedtok *tsl_addedtok_create(struct tsl_err *err);
void tsl_addedtok_destroy(struct tsl_addedtok *a);

/* Adds a copy.  Its id: the one of the same content in the model's vocabulary v (may be
 * NULL), else the next behind v_count and all added so far.  The same content again
 * replaces what was said of it, but once special it stays so, and once normalised it is shown
 * so; empty content is ignored.  *id: the id, or TSL_VOCAB_NONE.  TSL_EFORMAT where there is
 * no room for an id. */
int tsl_addedtok_add(struct tsl_addedtok *a, const struct tsl_vocab *v, size_t v_count,
                     const struct tsl_addedtok_def *def, int64_t *id,
                     struct tsl_err *err);

/* The same with the id that def says. */
int tsl_addedtok_put(struct tsl_addedtok *a, const struct tsl_addedtok_def *def,
                     struct tsl_err *err);

/* Normalises content into *out, lent until the next call. */
typedef int tsl_addedtok_normalize(void *ctx, struct tsl_slice content,
                                   struct tsl_slice *out, struct tsl_err *err);

/* Builds the matchers after the last add.  normalize NULL: text is not normalised. */
int tsl_addedtok_build(struct tsl_addedtok *a, tsl_addedtok_normalize *normalize,
                       void *ctx, struct tsl_err *err);

size_t tsl_addedtok_count(const struct tsl_addedtok *a);
/* i below count, in the order of adding; lent. */
const struct tsl_addedtok_def *tsl_addedtok_at(const struct tsl_addedtok *a, size_t i);
/* By id or by content; NULL: none. */
const struct tsl_addedtok_def *tsl_addedtok_by_id(const struct tsl_addedtok *a,
                                                  uint32_t id);
const struct tsl_addedtok_def *tsl_addedtok_find(const struct tsl_addedtok *a,
                                                 struct tsl_slice content);
/* The highest id + 1; 0 without tokens. */
uint32_t tsl_addedtok_size(const struct tsl_addedtok *a);
/* Whether any token is looked for in the raw (normalized: the normalised) text. */
bool tsl_addedtok_any(const struct tsl_addedtok *a, bool normalized);

struct tsl_addedtok_piece {
    int64_t id; /* of an added token; TSL_VOCAB_NONE: text between them */
    size_t begin, end;
};

struct tsl_addedtok_pieces {
    struct tsl_addedtok_piece *list;
    size_t n, cap;
};
void tsl_addedtok_pieces_fini(struct tsl_addedtok_pieces *p);

/* Cuts text (well-formed UTF-8) at the tokens of one matcher; p is emptied first.  No
 * piece of text is empty.  plain_specials: special tokens are ordinary text.  A token that
 * strips may begin before the end of the one before it, as with the peer. */
int tsl_addedtok_split(const struct tsl_addedtok *a, bool normalized,
                       struct tsl_slice text, bool plain_specials,
                       struct tsl_addedtok_pieces *p, struct tsl_err *err);

#endif

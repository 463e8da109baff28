/* detok.h - Hugging Face's decoders: from a list of tokens back to text.
 *
 * A chain of components; each makes a new list of strings from the one before, and the
 * last one's strings are the text.  (decoder is the name of codec.h's.)
 * Source: huggingface/tokenizers 0.23, decoders/.
 * Order: as the tokens.
 * Memory: the chain copies what it is given; a list keeps its memory when it is emptied.
 * Threads: a chain is read-only once it is made; a list has one owner. */
#ifndef TSL_DETOK_H
#define TSL_DETOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* Strings, one behind the other. */
struct tsl_detok_list {
    uint8_t *bytes;
    size_t len, cap;
    size_t *ends; /* string i ends here, and begins where i - 1 ends */
    size_t n, ends_cap;
};

int tsl_detok_list_add(struct tsl_detok_list *l, struct tsl_slice s, struct tsl_err *err);
struct tsl_slice tsl_detok_list_at(const struct tsl_detok_list *l, size_t i);
void tsl_detok_list_reset(struct tsl_detok_list *l);
void tsl_detok_list_fini(struct tsl_detok_list *l);

struct tsl_detok;

/* No component: tokens are joined with blanks, as by the peer without a decoder. */
struct tsl_detok *tsl_detok_create(struct tsl_err *err);
void tsl_detok_destroy(struct tsl_detok *d);

/* Whether there is no component. */
bool tsl_detok_is_empty(const struct tsl_detok *d);

/* Each puts one component at the end of the chain. */
int tsl_detok_add_wordpiece(struct tsl_detok *d, struct tsl_slice prefix, bool cleanup,
                            struct tsl_err *err);
int tsl_detok_add_byte_level(struct tsl_detok *d, struct tsl_err *err);
/* replacement: one character, UTF-8.  never: prepend_scheme is never, so that blanks of the
 * first token stay. */
int tsl_detok_add_metaspace(struct tsl_detok *d, struct tsl_slice replacement, bool never,
                            struct tsl_err *err);
int tsl_detok_add_bpe(struct tsl_detok *d, struct tsl_slice suffix, struct tsl_err *err);
int tsl_detok_add_byte_fallback(struct tsl_detok *d, struct tsl_err *err);
int tsl_detok_add_fuse(struct tsl_detok *d, struct tsl_err *err);
/* content: one character.  Takes up to start and stop of it off each token's ends. */
int tsl_detok_add_strip(struct tsl_detok *d, struct tsl_slice content, size_t start,
                        size_t stop, struct tsl_err *err);
/* regex: the pattern is one.  An empty pattern is TSL_EFORMAT. */
int tsl_detok_add_replace(struct tsl_detok *d, struct tsl_slice pattern, bool regex,
                          struct tsl_slice content, struct tsl_err *err);
int tsl_detok_add_ctc(struct tsl_detok *d, struct tsl_slice pad, struct tsl_slice word,
                      bool cleanup, struct tsl_err *err);

/* Joins tokens to one text: tokens->bytes[0, tokens->len).  scratch: another list, changed.
 * raw: bytes that are not UTF-8 stay as they are, instead of U+FFFD for each maximal part.
 * TSL_EFORMAT where Strip is to take the same characters off both ends (there the peer
 * aborts). */
int tsl_detok_run(const struct tsl_detok *d, struct tsl_detok_list *tokens,
                  struct tsl_detok_list *scratch, bool raw, struct tsl_err *err);

/* Joins the strings as they are, with U+FFFD for each maximal part that is not UTF-8. */
int tsl_detok_lossy(struct tsl_detok_list *tokens, struct tsl_detok_list *scratch,
                    struct tsl_err *err);

#endif

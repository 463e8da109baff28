/* normalizer.h - Hugging Face's normalizers: what is done to text before it is cut.
 *
 * A tree of components, built once by the calls below, one for each "type" of a
 * tokenizer.json.
 * Order: as in the text.
 * Memory: the tree copies all that it is given.
 * Threads: a built tree is read-only. */
#ifndef TSL_NORMALIZER_H
#define TSL_NORMALIZER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/atext.h"
#include "text/normform.h"

struct tsl_normalizer;

/* Each gives a component, or NULL and err (TSL_ENOMEM, or what is said beside it). */

/* BertNormalizer.  strip_accents: as it is resolved; a null in the file means lowercase. */
struct tsl_normalizer *tsl_normalizer_create_bert(bool clean_text,
                                                  bool handle_chinese_chars,
                                                  bool strip_accents, bool lowercase,
                                                  struct tsl_err *err);
/* NFC, NFD, NFKC, NFKD */
struct tsl_normalizer *tsl_normalizer_create_form(enum tsl_normform form,
                                                  struct tsl_err *err);
struct tsl_normalizer *tsl_normalizer_create_lowercase(struct tsl_err *err);
struct tsl_normalizer *tsl_normalizer_create_strip(bool left, bool right,
                                                   struct tsl_err *err);
struct tsl_normalizer *tsl_normalizer_create_strip_accents(struct tsl_err *err);
struct tsl_normalizer *tsl_normalizer_create_nmt(struct tsl_err *err);
/* TSL_EFORMAT for a blob that is none (charsmap.h). */
struct tsl_normalizer *tsl_normalizer_create_precompiled(struct tsl_slice charsmap,
                                                         struct tsl_err *err);
struct tsl_normalizer *tsl_normalizer_create_prepend(struct tsl_slice prepend,
                                                     struct tsl_err *err);
/* Replace {"String": pattern} */
struct tsl_normalizer *tsl_normalizer_create_replace(struct tsl_slice pattern,
                                                     struct tsl_slice content,
                                                     struct tsl_err *err);
/* Replace {"Regex": pattern}; TSL_EFORMAT for a pattern that splitregex.h refuses. */
struct tsl_normalizer *tsl_normalizer_create_replace_regex(struct tsl_slice pattern,
                                                           struct tsl_slice content,
                                                           struct tsl_err *err);
struct tsl_normalizer *tsl_normalizer_create_byte_level(struct tsl_err *err);
/* Sequence, empty at first. */
struct tsl_normalizer *tsl_normalizer_create_sequence(struct tsl_err *err);

/* Puts part at the end of sequence, which owns it then; on failure part is destroyed.
 * part NULL (its creation failed): returns err's code and does nothing. */
int tsl_normalizer_append(struct tsl_normalizer *sequence, struct tsl_normalizer *part,
                          struct tsl_err *err);

void tsl_normalizer_destroy(struct tsl_normalizer *n);

/* Normalizes text in place, with scratch to work in: the two may change their buffers.
 * n NULL: nothing to do.  Contents given as strings must be UTF-8 (TSL_EFORMAT when they
 * were given). */
int tsl_normalizer_apply(const struct tsl_normalizer *n, struct tsl_atext *text,
                         struct tsl_atext *scratch, struct tsl_err *err);

/* The same for text in front of which there was more that has been normalized before: what
 * is done at a text's begin is not done. */
int tsl_normalizer_go_on(const struct tsl_normalizer *n, struct tsl_atext *text,
                         struct tsl_atext *scratch, struct tsl_err *err);

/* Whether text can be cut in front of a blank that stands between two letters of ASCII, and
 * normalized in two parts, the second with go_on.  What is not understood is said to be
 * not; hfcut.c tries out what letters and blanks become. */
bool tsl_normalizer_is_local(const struct tsl_normalizer *n);

#endif

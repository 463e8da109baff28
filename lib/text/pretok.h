/* pretok.h - Hugging Face's pre-tokenizers: text is cut into pieces, each of which the
 * model takes by itself.
 *
 * A tree of components, built once by the calls below, one for each "type" of a
 * tokenizer.json.  A piece is a range of one struct tsl_atext, so that each of its bytes
 * knows its source; components that rewrite (ByteLevel, Metaspace) rewrite the whole text
 * and move the pieces.
 * Order: pieces stand in the order of the text; none is empty.
 * Memory: the tree copies all that it is given; 24 bytes a piece.
 * Threads: a built tree is read-only. */
#ifndef TSL_PRETOK_H
#define TSL_PRETOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/atext.h"

struct tsl_piece {
    uint32_t begin, end; /* bytes of the text */
    /* The byte of the original where it begins; text->begin[begin] once it has been cut,
     * before that what the caller said.  Metaspace "first" asks whether it is 0. */
    uint32_t origin;
};

struct tsl_pieces {
    struct tsl_piece *p;
    size_t n, cap;
    struct tsl_piece *spare; /* scratch */
    size_t spare_cap;
};

void tsl_pieces_init(struct tsl_pieces *a);
/* One piece, [0, len), or none where len is 0. */
int tsl_pieces_set(struct tsl_pieces *a, size_t len, uint32_t origin,
                   struct tsl_err *err);
void tsl_pieces_fini(struct tsl_pieces *a);

/* What becomes of what a pattern matches: SplitDelimiterBehavior. */
enum tsl_split_behavior {
    TSL_SPLIT_REMOVED,
    TSL_SPLIT_ISOLATED,
    TSL_SPLIT_MERGED_WITH_PREVIOUS,
    TSL_SPLIT_MERGED_WITH_NEXT,
    TSL_SPLIT_CONTIGUOUS
};

enum tsl_prepend_scheme { TSL_PREPEND_ALWAYS, TSL_PREPEND_FIRST, TSL_PREPEND_NEVER };

struct tsl_pretok;

/* Each gives a component, or NULL and err (TSL_ENOMEM, or what is said beside it). */

struct tsl_pretok *tsl_pretok_create_bert(struct tsl_err *err);
struct tsl_pretok *tsl_pretok_create_byte_level(bool add_prefix_space, bool use_regex,
                                                struct tsl_err *err);
struct tsl_pretok *tsl_pretok_create_whitespace(struct tsl_err *err);
struct tsl_pretok *tsl_pretok_create_whitespace_split(struct tsl_err *err);
struct tsl_pretok *tsl_pretok_create_punctuation(enum tsl_split_behavior behavior,
                                                 struct tsl_err *err);
struct tsl_pretok *tsl_pretok_create_digits(bool individual, struct tsl_err *err);
/* CharDelimiterSplit; delimiter is a code point. */
struct tsl_pretok *tsl_pretok_create_delimiter(uint32_t delimiter, struct tsl_err *err);
/* Metaspace; replacement is a code point. */
struct tsl_pretok *tsl_pretok_create_metaspace(uint32_t replacement,
                                               enum tsl_prepend_scheme scheme, bool split,
                                               struct tsl_err *err);
/* Split {"String": pattern} */
struct tsl_pretok *tsl_pretok_create_split(struct tsl_slice pattern,
                                           enum tsl_split_behavior behavior, bool invert,
                                           struct tsl_err *err);
/* Split {"Regex": pattern}: by hand where splitpat.h knows it, else through splitregex.h;
 * TSL_EFORMAT for a pattern that is refused there. */
struct tsl_pretok *tsl_pretok_create_split_regex(struct tsl_slice pattern,
                                                 enum tsl_split_behavior behavior,
                                                 bool invert, struct tsl_err *err);
struct tsl_pretok *tsl_pretok_create_scripts(struct tsl_err *err);
/* FixedLength, in code points; TSL_EFORMAT for 0. */
struct tsl_pretok *tsl_pretok_create_fixed_length(size_t length, struct tsl_err *err);
/* Sequence, empty at first. */
struct tsl_pretok *tsl_pretok_create_sequence(struct tsl_err *err);

/* Puts part at the end of sequence, which owns it then; on failure part is destroyed.
 * part NULL (its creation failed): returns err's code and does nothing. */
int tsl_pretok_append(struct tsl_pretok *sequence, struct tsl_pretok *part,
                      struct tsl_err *err);

void tsl_pretok_destroy(struct tsl_pretok *p);

/* What happens between a letter of ASCII and a blank that a letter follows, whatever else
 * stands in the text. */
enum tsl_pretok_blank {
    TSL_PRETOK_UNKNOWN, /* this depends on more, or is not understood */
    TSL_PRETOK_STAYS,   /* nothing: the piece goes on */
    TSL_PRETOK_CUTS,    /* a piece ends, and pieces behind are those of the rest alone */
};
/* underline: the text has U+2581 where the blank was. */
enum tsl_pretok_blank tsl_pretok_at_blank(const struct tsl_pretok *p, bool underline);

/* Cuts pieces further.  text may be rewritten, with scratch to work in: the two may
 * change their buffers.  Bytes of a rewritten text that were in no piece are gone.
 * p NULL: nothing to do. */
int tsl_pretok_apply(const struct tsl_pretok *p, struct tsl_atext *text,
                     struct tsl_atext *scratch, struct tsl_pieces *pieces,
                     struct tsl_err *err);

#endif

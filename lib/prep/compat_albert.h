/* compat_albert.h - the instances of google-research/albert's create_pretraining_data.py,
 * draw for draw.
 *
 * The script draws the lengths of what it masks from numpy's global generator and never
 * seeds it; np_seed says what numpy.random.seed() would have been called with.  Kept are
 * BERT's quirks (compat_bert.h) and the script's own: a chunk of one sentence gets a
 * random partner and label 1 in sentence order prediction, too.
 * A sample's starts are the script's token_boundary.
 * Order: the script's.  Memory, Threads: as compat_pair.h.
 * Source: google-research/albert b772393 (Apache-2.0): the algorithm, not its code. */
#ifndef TSL_COMPAT_ALBERT_H
#define TSL_COMPAT_ALBERT_H

#include "base/slice.h"
#include "prep/compat_pair.h"

struct tsl_compat_albert_opts {
    struct tsl_compat_pair_opts
        pair; /* half_random and half_swapped are set from below */
    uint32_t np_seed;
    uint32_t ngram;    /* the longest run of words: 1 to 64 */
    bool favor_longer; /* --nofavor_shorter_ngram */
    bool random_next;  /* random_next_sentence */
    bool permute;      /* do_permutation: up to twice masks_max places */
};

/* The script's defaults; pair.special is to be set. */
struct tsl_compat_albert_opts tsl_compat_albert_defaults(void);

/* Makes all instances; take them with tsl_compat_pair_at. */
int tsl_compat_albert_create(struct tsl_compat_pair **out,
                             const struct tsl_compat_albert_opts *o,
                             const struct tsl_docs *docs, struct tsl_err *err);

/* Does a SentencePiece piece start a word, by the script's rule?  One with U+2581 or "<"
 * in front, a mark of its list, or one with a character that is neither an English letter
 * nor such a mark.  For pair.continues, whose bits are 1 where this is false. */
bool tsl_compat_albert_is_start(struct tsl_slice piece);

#endif

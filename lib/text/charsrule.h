/* charsrule.h - SentencePiece's normalisation rules by name, as a precompiled character map:
 * nfkc, nmt_nfkc and the two with folded case.
 *
 * NFKC here is a list of strings and what they become, longest first: each character, and each
 * sequence of characters that composes to one, however its parts are written (a letter in
 * full width, a Jamo in half).  nmt adds controls, which vanish, and blanks, which are
 * U+0020, and leaves U+FF5E alone.  What shorter rules do alike is left out.
 * Source: SentencePiece 0.1.97, builder.cc (which strings), with Unicode 13 as in its
 *   normalization_rule.h; case: C and S of Unicode 13's CaseFolding.txt.
 * Order: the bytes depend on the name alone.
 * Memory: 32 MiB while a map is made.
 * Threads: pure. */
#ifndef TSL_CHARSRULE_H
#define TSL_CHARSRULE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tsl_charsrule {
    TSL_CHARSRULE_IDENTITY, /* no map at all */
    TSL_CHARSRULE_NFKC,
    TSL_CHARSRULE_NMT_NFKC, /* SentencePiece's default */
    TSL_CHARSRULE_NFKC_CF,
    TSL_CHARSRULE_NMT_NFKC_CF
};

/* Its name, as in a .model. */
struct tsl_slice tsl_charsrule_name(enum tsl_charsrule rule);

/* The map in *blob, to be freed with tsl_mem_free; NULL and 0 for IDENTITY.  TSL_ENOMEM. */
int tsl_charsrule_map(enum tsl_charsrule rule, uint8_t **blob, size_t *nblob,
                      struct tsl_err *err);

#endif

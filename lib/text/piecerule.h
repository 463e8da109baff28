/* piecerule.h - which strings may be pieces of a SentencePiece vocabulary.
 *
 * Source: IsValidSentencePiece in trainer_interface.cc of SentencePiece 0.1.97 (the same
 *   in 0.2.3); scripts are those of uniprop.h.
 * Order: each string by itself.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_PIECERULE_H
#define TSL_PIECERULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tsl_piecerule {
    size_t max_chars;             /* 16 */
    bool split_by_unicode_script; /* a piece is of one script */
    bool split_by_number;         /* digits are a script */
    bool split_digits;            /* a digit is a piece of its own */
    bool split_by_whitespace;     /* U+2581 is only where a piece begins (or ends) */
    bool whitespace_suffix;       /* U+2581 ends pieces */
    bool whitespace_only_pieces;  /* pieces of several U+2581 and nothing else */
};

/* SentencePiece's defaults. */
struct tsl_piecerule tsl_piecerule_defaults(void);

/* Whether no piece has cp: U+0000, TAB, blank and U+2585, which have other uses there, and
 * what is no scalar value. */
bool tsl_piecerule_reserved(uint32_t cp);

/* Whether the n code points may be a piece. */
bool tsl_piecerule_allows(const struct tsl_piecerule *r, const uint32_t *cp, size_t n);

#endif

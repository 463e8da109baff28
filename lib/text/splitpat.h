/* splitpat.h - the split patterns of well-known byte-level tokenizers, each known by its
 * exact spelling and matched by hand, without a regex engine.
 *
 * The obvious form, and so the oracle of the fast ones.
 * Order: left to right; every byte of text is in one piece.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_SPLITPAT_H
#define TSL_SPLITPAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum tsl_splitpat {
    TSL_SPLITPAT_UNKNOWN,
    TSL_SPLITPAT_GPT2,     /* also r50k, p50k, RoBERTa, GPT-NeoX, StarCoder */
    TSL_SPLITPAT_CL100K,   /* as Hugging Face's files spell it: also Llama 3, GLM-4 */
    TSL_SPLITPAT_CL100K_T, /* as tiktoken spells it: white space at the end is one piece */
    TSL_SPLITPAT_QWEN2,    /* cl100k with single digits */
    TSL_SPLITPAT_O200K,    /* also Llama 4 */
    TSL_SPLITPAT_TEKKEN,   /* Mistral: o200k without contractions, with single digits */
    TSL_SPLITPAT_DEEPSEEK, /* the third of DeepSeek V2's and V3's three; has gaps */
    TSL_SPLITPAT_DIGITS3,  /* \p{N}{1,3}, their first; has gaps */
    TSL_SPLITPAT_CJK,      /* [一-龥぀-ゟ゠-ヿ]+, their second; has gaps */
    /* tiktoken's spelling of cl100k as Oniguruma reads it: \p{N}{1,3}+ is any number of
     * digits there. */
    TSL_SPLITPAT_CL100K_ONIG
};

/* Which pattern this regex is, told by its exact text, for Oniguruma, that is in a
 * tokenizer.json. */
enum tsl_splitpat tsl_splitpat_find(struct tsl_slice regex);

/* The regex in its most usual spelling, for messages and tests. */
const char *tsl_splitpat_regex(enum tsl_splitpat pat);

/* Bytes of the next piece of text p[0, len), len > 0; at least 1.  *matched: whether it
 * is a match of pat, else it is the gap up to the next match or the end.  Gaps only where
 * the list above says so.
 *
 * p[0, len) goes to the end of the text, for what follows decides where white space is
 * cut; nothing before p matters.  Ill-formed UTF-8 is neither white space, letter nor
 * number: one character for each maximal part. */
size_t tsl_splitpat_next(enum tsl_splitpat pat, const uint8_t *p, size_t len,
                         bool *matched);

#endif

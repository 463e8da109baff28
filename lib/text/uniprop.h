/* uniprop.h - what Unicode says of a code point, as the peers' own tables have it.
 *
 * Several versions of Unicode are at work in one tokenizer: Hugging Face's BertNormalizer
 * has tables of Unicode 8, its split patterns those of 16.  Each bit below names its peer;
 * the tables are read out of it, code point by code point (tests/data/unicode-tables).
 * Order: each code point by itself.
 * Memory: constant tables.
 * Threads: pure. */
#ifndef TSL_UNIPROP_H
#define TSL_UNIPROP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tsl_uniprop {
    TSL_UNI_L = 1 << 0, /* letter: \p{L} of the split patterns (Oniguruma, tiktoken) */
    TSL_UNI_N = 1 << 1, /* number: \p{N} */
    TSL_UNI_M = 1 << 2, /* mark: \p{M} */
    TSL_UNI_P = 1 << 3, /* punctuation: \p{P} */
    TSL_UNI_S = 1 << 4, /* symbol: \p{S} */
    TSL_UNI_SPACE = 1 << 5,       /* \s of the split patterns: 25 code points */
    TSL_UNI_UPPER = 1 << 6,       /* Lu Lt Lm Lo M: o200k's first set */
    TSL_UNI_LOWER = 1 << 7,       /* Ll Lm Lo M: o200k's second set */
    TSL_UNI_WORD = 1 << 8,        /* \w of the pre-tokenizers (Rust's regex) */
    TSL_UNI_NUMERIC = 1 << 9,     /* Rust's char::is_numeric: the Digits pre-tokenizer */
    TSL_UNI_WHITE = 1 << 10,      /* Rust's char::is_whitespace */
    TSL_UNI_BERT_DROP = 1 << 11,  /* BertNormalizer's clean_text removes it */
    TSL_UNI_BERT_SPACE = 1 << 12, /* ... or makes it U+0020 */
    TSL_UNI_BERT_PUNCT = 1 << 13, /* BertPreTokenizer isolates it */
    TSL_UNI_BERT_CJK = 1 << 14,   /* handle_chinese_chars isolates it */
    TSL_UNI_BERT_MARK =
        1 << 15,            /* strip_accents of BertNormalizer drops it (after NFD) */
    TSL_UNI_MARK = 1 << 16, /* the StripAccents normalizer drops it */
    TSL_UNI_LL = 1 << 17,
    TSL_UNI_LU = 1 << 18,
    TSL_UNI_NMT_DROP = 1 << 19,  /* the Nmt normalizer removes it */
    TSL_UNI_NMT_SPACE = 1 << 20, /* ... or makes it U+0020 */
    TSL_UNI_FALLS = 1 << 21,     /* NFKD of the peer (Unicode 12) changes it */
    TSL_UNI_CLASS = 1 << 22,     /* its canonical combining class there is not 0 */
    /* Of grapheme clusters (the Precompiled normalizer): */
    TSL_UNI_EXTEND = 1 << 23,  /* Extend, SpacingMark or ZWJ */
    TSL_UNI_PREPEND = 1 << 24, /* Prepend */
    TSL_UNI_CONTROL = 1 << 25, /* Control, from U+0080 to U+FFFF */
    TSL_UNI_PICTURE = 1 << 26, /* Extended_Pictographic */
};

/* The bits of cp; 0 beyond U+10FFFF and for surrogates. */
uint32_t tsl_uniprop(uint32_t cp);

/* Lower case by code point without context (Rust's char::to_lowercase): 1 to 3 code points
 * in out. */
size_t tsl_uni_lower(uint32_t cp, uint32_t out[3]);

enum { TSL_UNI_STRIP_MAX = 3 }; /* code points that strip_accents makes of one */

/* What BertNormalizer's strip_accents (NFD, then without TSL_UNI_BERT_MARK) makes of cp
 * alone: 0 to TSL_UNI_STRIP_MAX code points in out; Hangul syllables fall into Jamo.  What
 * it leaves may still have to be put in canonical order: see normform.h. */
size_t tsl_uni_bert_strip(uint32_t cp, uint32_t out[TSL_UNI_STRIP_MAX]);

/* A number for the script of cp as the UnicodeScripts pre-tokenizer has it: Hiragana,
 * Katakana and Han are one.  0: joins any (U+0020, and what has no script there). */
unsigned tsl_uni_script(uint32_t cp);

/* The place of cp among count ascending keys, or count. */
static inline unsigned tsl_uni_find(const uint32_t *keys, unsigned count, uint32_t cp)
{
    unsigned at = 0, n = count;
    while (n > 0) {
        unsigned half = n / 2;
        if (keys[at + half] < cp) {
            at += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return at < count && keys[at] == cp ? at : count;
}

/* Hangul syllables come apart by the arithmetic of the Unicode Standard, section 3.12, into 2
 * or 3 code points. */
static inline bool tsl_uni_is_hangul(uint32_t cp)
{
    return cp >= 0xac00 && cp <= 0xd7a3;
}

static inline size_t tsl_uni_hangul(uint32_t cp, uint32_t out[3])
{
    uint32_t s = cp - 0xac00, t = s % 28;
    out[0] = 0x1100 + s / (21 * 28);
    out[1] = 0x1161 + s / 28 % 21;
    out[2] = 0x11a7 + t;
    return t ? 3 : 2;
}

#endif

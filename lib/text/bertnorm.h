/* bertnorm.h - BERT's way from text to words: clean, Chinese characters, accents, case,
 * white space, punctuation.
 *
 * Two forms that agree.  tsl_bertnorm_chars goes step by step over the whole text, as the
 * peers do, and knows for each character where it came from.  tsl_bertfold says what all
 * steps together make of one code point: that is what a table can hold.  Where a code point
 * cannot be taken by itself the fold says TSL_BERTFOLD_MIXED, and the text around it, from
 * one blank or Chinese character to the next, has to go the long way.
 *
 * Sources: BertNormalizer and BertPreTokenizer of Hugging Face's tokenizers 0.23, whose
 * tables uniprop.h has; tokenization.py of google-research/bert and tokenizers.py of
 * bert4keras under Python 3.11 (Unicode 14.0), whose tables unitables_py.h has.
 * Order: as in the text.
 * Memory: chars: 16 bytes for each character, kept by reset.
 * Threads: pure, but for what the caller owns. */
#ifndef TSL_BERTNORM_H
#define TSL_BERTNORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/tokenizer.h"

struct tsl_bertnorm {
    enum tsl_rules rules;
    /* Google's script and bert4keras always clean and handle Chinese characters, and strip
     * accents if and only if they make lower case; tsl_bertnorm_make sees to it. */
    bool clean_text, handle_chinese_chars, strip_accents, lowercase;
};

/* n as its rules have it. */
struct tsl_bertnorm tsl_bertnorm_make(struct tsl_bertnorm n);

struct tsl_bertchar {
    uint32_t cp;
    uint32_t begin, end; /* the bytes of the text that it came from */
    bool first; /* begins a word; what follows, up to the next such, belongs to it */
};

struct tsl_bertchars {
    struct tsl_bertchar *c;
    size_t n, cap;
    uint64_t invalid;           /* ill-formed parts met, summed over calls */
    struct tsl_bertchar *order; /* scratch */
    size_t order_cap;
};

/* What Python's lower case of U+03A3 needs to know of the rest of a row: whether the nearest
 * character there that is not "case-ignorable" is cased. */
struct tsl_bertcontext {
    bool cased_before, cased_after;
};

/* The characters of text's words, in place of what *chars held.  text is shorter than
 * 4 GiB and begins and ends where words do.  around: of the row around text. */
int tsl_bertnorm_chars(const struct tsl_bertnorm *n, struct tsl_slice text,
                       struct tsl_bertcontext around, struct tsl_bertchars *chars,
                       struct tsl_err *err);
void tsl_bertchars_fini(struct tsl_bertchars *chars);

/* Lower case of U+03A3 at text.data[at] under Python's rule for the end of a word. */
uint32_t tsl_bertnorm_sigma(const struct tsl_bertnorm *n, struct tsl_slice text,
                            size_t at, struct tsl_bertcontext around);

/* What is around text.data[begin, end) in its row, text being a part of it with that
 * around. */
struct tsl_bertcontext tsl_bertnorm_context(const struct tsl_bertnorm *n,
                                            struct tsl_slice text, size_t begin,
                                            size_t end, struct tsl_bertcontext around);

/* Whether cp is a Chinese character or punctuation: what stands alone. */
bool tsl_bertnorm_is_sign(const struct tsl_bertnorm *n, uint32_t cp);

enum tsl_bertfold_kind {
    TSL_BERTFOLD_SAME,  /* part of a word, as it is */
    TSL_BERTFOLD_DROP,  /* as if it were not there */
    TSL_BERTFOLD_SPACE, /* ends a word */
    TSL_BERTFOLD_ALONE, /* becomes cp, a word by itself */
    TSL_BERTFOLD_WORD,  /* becomes bytes, part of a word */
    TSL_BERTFOLD_MIXED, /* needs what is around it */
    TSL_BERTFOLD_SIGMA  /* U+03A3 under Python's lower case */
};

enum { TSL_BERTFOLD_BYTES = 16 };

struct tsl_bertfold {
    enum tsl_bertfold_kind kind;
    uint32_t cp;
    uint8_t len, bytes[TSL_BERTFOLD_BYTES]; /* UTF-8 */
    bool cut;                               /* of SPACE and ALONE: tsl_bertnorm_cuts */
};

/* Of a cp that ends words: no rule looks from one side of it to the other. */
bool tsl_bertnorm_cuts(const struct tsl_bertnorm *n, uint32_t cp);

/* What n makes of cp, a scalar value.  *f is set.  t: room, lost, kept from call to call. */
int tsl_bertnorm_fold(const struct tsl_bertnorm *n, uint32_t cp, struct tsl_bertchars *t,
                      struct tsl_bertfold *f, struct tsl_err *err);

#endif

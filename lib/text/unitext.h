/* unitext.h - counted words as symbols: what a Unigram vocabulary is trained on
 * (unitrain.h's own).
 *
 * A symbol is a character that has to be a piece, numbered by code point; 0 ends a word, 1
 * stands for all that no piece holds.
 * Source: SentencePiece 0.1.97, TrainerInterface::LoadSentences (which characters).
 * Order: words as in the list.
 * Memory: 4 bytes a character, 24 bytes a word, 20 a different character; while it is made,
 *   up to 13 MiB more.
 * Threads: read-only once it is made. */
#ifndef TSL_UNITEXT_H
#define TSL_UNITEXT_H

#include "base/err.h"
#include "text/unitrain.h"
#include "text/wordlist.h"

enum { TSL_UNI_END = 0, TSL_UNI_UNK = 1, TSL_UNI_FIRST = 2 };

/* Memory that is counted against a limit. */
struct tsl_unimem {
    size_t limit;
    _Atomic(size_t) held, peak;
};

/* Zeroed; to be given back with the same number of bytes.  NULL and err set: TSL_ENOMEM. */
void *tsl_unimem_take(struct tsl_unimem *m, size_t count, size_t size, const char *what,
                      struct tsl_err *err);
/* p NULL: nothing happens. */
void tsl_unimem_give(struct tsl_unimem *m, void *p, size_t count, size_t size);

struct tsl_unichar {
    uint64_t count; /* how often it came */
    uint32_t cp;
    uint32_t piece; /* for unitrain.c's use */
    bool wanted;    /* among opts.required_chars */
    bool kept;      /* it has to be a piece */
};

struct tsl_unitext {
    uint32_t *syms; /* nsyms of them: words, each with TSL_UNI_END behind it */
    size_t nsyms;
    uint32_t *begin;        /* of the nwords words in syms, and of one behind the last */
    uint64_t *count, *last; /* how often each came; in last, at the end of a text */
    size_t nwords, longest; /* symbols of the longest word, without its end */
    uint64_t total;         /* of counts */
    struct tsl_unichar *chars; /* by symbol, from TSL_UNI_FIRST on */
    size_t nchars;
    double covered;
    size_t nsyms_taken, nchars_taken, nlist; /* what memory was taken for */
};

/* 0, TSL_EUSAGE (no words), TSL_EFORMAT (too much of them) or TSL_ENOMEM. */
int tsl_unitext_init(struct tsl_unitext *t, const struct tsl_wordlist *list,
                     const struct tsl_unitrain_opts *o, struct tsl_unimem *mem,
                     struct tsl_err *err);
/* All zero is fine. */
void tsl_unitext_fini(struct tsl_unitext *t, struct tsl_unimem *mem);

/* For qsort on pointers to them: characters as SentencePiece orders them, wanted ones first,
 * then by falling count, then by code point. */
int tsl_unichar_compare(const void *a, const void *b);

#endif

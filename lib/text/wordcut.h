/* wordcut.h - text into the words that a vocabulary is trained on, by the same code that
 * encode uses.
 *
 * A cut says how; a cutter is one thread's.  Four kinds:
 *   bert     BERT's words: bertnorm.h's way from text to words, for WordPiece
 *   bytes    byte-level BPE: pieces of a split pattern, raw bytes (not GPT-2's letters)
 *   spm      SentencePiece: its normal form, cut in front of each U+2581, which stands for
 *            a blank, so that a word is "▁word"; white space as a suffix: behind it
 *   hf       any normalizer and pre-tokenizer of Hugging Face's, one after the other
 *
 * Order: words as in the text.
 * Memory: a cutter: some times the longest text; without a blank or a cut in sight, that is
 *   a row.  A row may come in stretches, as for tsl_engine.encode; hf takes it whole.
 * Threads: a cut is read-only once made; a cutter has one owner.
 * Words of more than TSL_WORDCOUNT_WORD_MAX bytes (64 KiB) are left out and counted: no
 *   vocabulary gains by them, and memory stays bounded.  All shorter ones are whole, as in
 *   Hugging Face's trainers, which know no limit; SentencePiece's leave out long lines, see
 *   line_max.
 * Ill-formed UTF-8 is U+FFFD each maximal part, for spm each byte, as in encode; bytes with
 *   keep_bad keeps it.
 * Sources: tokenizers 0.23 (trainers: process_words), SentencePiece 0.1.97
 *   (trainer_interface.cc: LoadSentences, SplitSentencesByWhitespace). */
#ifndef TSL_WORDCUT_H
#define TSL_WORDCUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/bertnorm.h"
#include "text/normalizer.h"
#include "text/pretok.h"
#include "text/splitpat.h"
#include "text/tokfile_spm.h"

/* A word, lent for the call; 16 bytes may be read at word.data, whatever its length. */
typedef int tsl_wordcut_emit(void *ctx, struct tsl_slice word, struct tsl_err *err);

struct tsl_wordcut_counts {
    uint64_t invalid;    /* ill-formed parts, each now U+FFFD */
    uint64_t long_words; /* left out for their length, and their bytes */
    uint64_t long_bytes;
    uint64_t skipped; /* texts left out: spm's line_max and reserved characters */
};

/* What each kind of cut is to the others: see tsl_engine for cut's first, last and *used. */
struct tsl_wordcut_ops {
    void *(*create)(const void *model, struct tsl_err *err);
    int (*cut)(void *cutter, struct tsl_slice text, bool first, bool last, size_t *used,
               tsl_wordcut_emit *emit, void *ctx, struct tsl_err *err);
    void (*counts)(const void *cutter, struct tsl_wordcut_counts *sum); /* adds */
    void (*destroy)(void *cutter);                                      /* NULL is fine */
    void (*model_destroy)(void *model);
};

struct tsl_wordcut {
    const struct tsl_wordcut_ops *ops;
    void *model;
    /* What was done to the text, for people and to tell unlike counts apart; one line. */
    char describe[240];
};

/* Each makes *cut, which is to be freed with tsl_wordcut_fini; on failure it is all zero. */

int tsl_wordcut_bert(struct tsl_wordcut *cut, const struct tsl_bertnorm *norm,
                     struct tsl_err *err);

struct tsl_wordcut_bytes_opts {
    enum tsl_splitpat pattern; /* TSL_SPLITPAT_UNKNOWN: a text is one word */
    bool prefix_space; /* a blank in front of a text that does not begin with one */
    bool keep_bad;     /* ill-formed UTF-8 stays */
};
/* TSL_EUSAGE for a pattern without a fast form (splitscan.h). */
int tsl_wordcut_bytes(struct tsl_wordcut *cut, const struct tsl_wordcut_bytes_opts *o,
                      struct tsl_err *err);

struct tsl_wordcut_spm_opts {
    struct tsl_spm_normalizer normalizer; /* its slices are copied */
    bool whitespace_suffix;
    bool whole;      /* split_by_whitespace false: a text is one word */
    size_t line_max; /* bytes; a longer text is left out; 0: none is (peer: 4192) */
    /* User-defined and control symbols: words end before and begin behind them. */
    const struct tsl_slice *symbols;
    size_t nsymbols;
};
int tsl_wordcut_spm(struct tsl_wordcut *cut, const struct tsl_wordcut_spm_opts *o,
                    struct tsl_err *err);

/* Takes both over, on failure too; either may be NULL.  what: names them in describe. */
int tsl_wordcut_hf(struct tsl_wordcut *cut, struct tsl_normalizer *normalizer,
                   struct tsl_pretok *pretok, const char *what, struct tsl_err *err);

void tsl_wordcut_fini(struct tsl_wordcut *cut);

#endif

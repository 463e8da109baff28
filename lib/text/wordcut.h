/* wordcut.h - text into the words that a vocabulary is trained on, by the same code that
 * encode uses.
 *
 * A cut says how; a cutter is one thread's.  Four kinds:
 *   bert     BERT's words: bertnorm.h's way from text to words, for WordPiece
 *   bytes    byte-level BPE: pieces of a split pattern, raw bytes (not GPT-2's letters)
 *   spm      SentencePiece: its normal form, cut in front of each U+2581, which stands for
 *            a blank, so that a word is "▁word"; or behind it
 *   hf       any normalizer and pre-tokenizer of Hugging Face's, one after the other
 *
 * Order: words as in the text.
 * Memory: a cutter: some times the longest text that it is given at once.  A row may come in
 *   stretches, as for tsl_engine.encode; hf takes it whole.
 * Threads: a cut is read-only once made; a cutter has one owner.
 *
 * Words of more than TSL_WORDCOUNT_WORD_MAX bytes (64 KiB) are left out and counted: no
 * vocabulary gains by them, and memory stays bounded.  So is, for bert, text of more than 1
 * MiB without a place where it can be cut.  All other words are whole, as in Hugging Face's
 * trainers, which know no limit; SentencePiece's leaves out long lines, see line_max.
 * Ill-formed UTF-8 is U+FFFD each maximal part, for spm each byte, as in encode; bytes with
 * keep_bad keeps it.
 *
 * Sources: tokenizers 0.23 (trainers are fed with what pre-tokenizers give), SentencePiece
 *   0.1.97 (trainer_interface.cc: LoadSentences, SplitSentencesByWhitespace; model_interface.cc:
 *   SplitIntoWords). */
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
    uint64_t skipped; /* texts left out by spm's line_max */
};

/* What a kind of cut is.  cut: see tsl_engine.encode for first, last and *used; 16 bytes may be
 * read behind text. */
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
    unsigned factor; /* bytes that a cutter takes for each byte of a text, about */
    bool line_ends;  /* see tsl_wordcut_keep_line_ends */
    /* What was done to the text, for people and to tell unlike counts apart; one line. */
    char describe[240];
};

/* A row's end, where it is a newline, belongs to the text: so Hugging Face's trainers read
 * files (but not iterators).  It is up to who reads the rows (countjob.h) to see to it. */
void tsl_wordcut_keep_line_ends(struct tsl_wordcut *cut);

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
    struct tsl_spm_normalizer normalizer; /* copied */
    bool whitespace_suffix;               /* treat_whitespace_as_suffix */
    bool
        whitespace_only; /* allow_whitespace_only_pieces: a run of blanks stays together */
    bool whole;          /* split_by_whitespace false: a text is one word */
    /* Bytes; a longer text is left out, as one with the reserved U+2585 is; 0: all texts are
     * taken.  The peer: 4192. */
    size_t line_max;
    bool
        text_ends; /* a text's last word has a NUL byte behind it: unitrain.h's line_ends */
    /* Control and user-defined symbols: words end before them and begin behind them, and a tab
     * is left in their place, behind what came before.  Copied. */
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

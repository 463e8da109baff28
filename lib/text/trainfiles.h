/* trainfiles.h - a vocabulary that was trained, as the files that tools load.
 *
 *   WordPiece        vocab.txt, tokenizer.json
 *   byte-level BPE   vocab.json, merges.txt, tokenizer.json
 *   SentencePiece    tokenizer.model, tokenizer.json (not with whitespace_suffix)
 *
 * Order: the files' bytes depend on vocabulary and spec alone.
 * Memory: the files, in memory.
 * Threads: pure. */
#ifndef TSL_TRAINFILES_H
#define TSL_TRAINFILES_H

#include "io/outfolder.h"
#include "text/bertnorm.h"
#include "text/bpetrain.h"
#include "text/splitpat.h"
#include "text/tokfile.h"
#include "text/tokfile_spm.h"
#include "text/unitrain.h"

enum tsl_train_kind {
    TSL_TRAIN_WORDPIECE, /* BERT's */
    TSL_TRAIN_BYTEBPE,   /* GPT-2's */
    TSL_TRAIN_SPMBPE,    /* SentencePiece's BPE */
    TSL_TRAIN_UNIGRAM    /* SentencePiece's Unigram */
};

/* What kind of tokenizer is trained: all that its files say beside the tokens. */
struct tsl_trainspec {
    enum tsl_train_kind kind;
    /* Ids from 0, specials first; each once.  SentencePiece's: <unk>, which has to be there,
     * <s>, </s> and <pad> (or what spm calls them) have the uses of these names, others are
     * control symbols. */
    const struct tsl_slice *specials, *symbols;
    size_t nspecials, nsymbols; /* symbols: always one token */
    struct tsl_bertnorm norm;   /* WORDPIECE */
    enum tsl_splitpat pattern;  /* BYTEBPE */
    bool prefix_space;          /* BYTEBPE */
    bool keep_bad;              /* BYTEBPE: ill-formed UTF-8 is trained on as it is */
    bool line_ends; /* BYTEBPE: a row's newline belongs to its text (wordcut.h) */
    /* SentencePiece's: all is taken but ids, algorithm and size, which are set here.  The use
     * of a special token is told by unk_piece, bos_piece and so on. */
    struct tsl_spm_options spm;
    size_t line_max; /* SentencePiece's: longer texts, in bytes, are left out; 0: none */
    bool whitespace_only; /* SentencePiece's: pieces of several U+2581 and nothing else */
    bool whole_words;     /* UNIGRAM: unitrain.h's other seeds */
    struct tsl_slice
        required_chars;  /* SentencePiece's: UTF-8; in the vocabulary always */
    const char *made_by; /* for people; may be empty */
};

enum { TSL_TRAINFILES_MAX = 3 };

/* The name that a .model of ours says it was trained under: where a tokenizer.json lies beside
 * such a one, the .model is meant, which it was made from. */
#define TSL_TRAINFILES_PREFIX "made by ctok train"

struct tsl_trainfiles {
    struct tsl_outfolder_file file[TSL_TRAINFILES_MAX];
    size_t n;
    struct tsl_tokfile_out out[TSL_TRAINFILES_MAX]; /* their bytes */
};

/* The names of its files, NULL at the end; the one that our readers look for first stands
 * last. */
const char *const *tsl_trainfiles_names(const struct tsl_trainspec *spec);

/* What can be told before hours of work.  0, TSL_EIO for a folder in which no file can be made
 * (outfolder.h), TSL_EUSAGE where another kind's vocabulary lies there (readers would not
 * know which of the two is meant) and for special tokens that are missing or that no file
 * of the kind can hold. */
int tsl_trainfiles_check(const char *dir, const struct tsl_trainspec *spec,
                         struct tsl_err *err);

/* The files in f, all zero before; to be freed with tsl_trainfiles_fini, on failure too.
 * TSL_EUSAGE for tokens that a format cannot hold.  t, u: the kind's; UNIGRAM takes u. */
int tsl_trainfiles_make(struct tsl_trainfiles *f, const struct tsl_trainspec *spec,
                        const struct tsl_bpetrain *t, const struct tsl_unitrain *u,
                        struct tsl_err *err);
void tsl_trainfiles_fini(struct tsl_trainfiles *f);

#endif

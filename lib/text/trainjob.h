/* trainjob.h - files of text into a vocabulary: what `ctok train` runs.
 *
 * Words are counted (countjob.h), then the vocabulary is trained on them (bpetrain.h,
 * unitrain.h), then its files are written (trainfiles.h).
 * Order: the vocabulary depends on the words' counts and the options alone: not on memory,
 *   threads, the order of the files, or on which of them were counted before.
 * Memory: opts.count.memory, with what the process holds already.  While words are counted,
 *   half of it.  BPE and WordPiece train in as much as there is, with words in temporary
 *   space (bperounds.h); Unigram and WordPiece by likelihood hold all words, and what does
 *   not fit is TSL_ENOMEM that says how much it takes.
 * Threads: as countjob.h's and the trainers'. */
#ifndef TSL_TRAINJOB_H
#define TSL_TRAINJOB_H

#include "text/countjob.h"
#include "text/trainfiles.h"

enum tsl_trainjob_step {
    TSL_TRAINJOB_COUNT, /* progress.count */
    TSL_TRAINJOB_MERGE, /* sorted runs of words become one list */
    TSL_TRAINJOB_TRAIN, /* progress.bpe, or uni */
    TSL_TRAINJOB_WRITE
};

/* Where the job is; anyone may read it. */
struct tsl_trainjob_progress {
    _Atomic(int) step;
    struct tsl_progress count;
    _Atomic(uint64_t) words; /* different ones, while they are listed and after */
    struct tsl_bpetrain_progress bpe;
    struct tsl_unitrain_progress uni;
};

struct tsl_trainjob_opts {
    struct tsl_trainspec spec;
    size_t size;            /* of the vocabulary, all included */
    uint64_t min_count;     /* words that came fewer times are left out; 0 is 1 */
    uint64_t min_frequency; /* BPE: pairs of a lower count are not merged; 0 is 1 */
    size_t alphabet_limit;  /* 0: none */
    double coverage;        /* of all characters, by the vocabulary's */
    /* WORDPIECE and BYTEBPE: Hugging Face's max_token_length, bpetrain.h; 0: no limit. */
    size_t max_token_length;
    bool hard_limit;   /* SentencePiece's: fewer tokens than size are an error */
    size_t seed_size;  /* UNIGRAM, as unitrain.h has them; 0: its default */
    double shrink;     /* the same */
    unsigned em_steps; /* the same */
    bool likelihood;   /* WordPiece: bpetrain.h's other score */
    struct tsl_countjob_opts count; /* its cut is set here, progress from progress */
    const char *dir;                /* of the vocabulary's files */
    struct tsl_trainjob_progress *progress; /* may be NULL */
};

struct tsl_trainjob_stats {
    struct tsl_countjob_stats count;
    struct tsl_wordcount_stats sort;
    uint64_t words, rare_words; /* different ones; left out by min_count */
    uint64_t list_bytes;
    uint64_t alphabet_all, alphabet; /* different characters (bytes); in the vocabulary */
    double covered;                  /* share of all characters that these are */
    uint64_t tokens;                 /* of the vocabulary */
    uint64_t merges;                 /* BPE */
    uint64_t last_count;             /* BPE: of the last pair merged; 0: none was */
    uint64_t seeds, rounds;          /* Unigram */
    uint64_t train_bytes;            /* memory that training took */
    double train_seconds, seconds;
};

/* The way that texts are cut into words for spec: counts of the same description may be
 * added.  To be freed with tsl_wordcut_fini. */
int tsl_trainjob_cut(const struct tsl_trainspec *spec, struct tsl_wordcut *cut,
                     struct tsl_err *err);

/* TSL_EUSAGE for options that do not fit, no words, and a size that has no room for the
 * alphabet.  No file is left where it fails. */
int tsl_trainjob_run(const struct tsl_trainjob_opts *o, struct tsl_trainjob_stats *st,
                     struct tsl_err *err);

#endif

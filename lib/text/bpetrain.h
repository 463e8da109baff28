/* bpetrain.h - a vocabulary by byte pair encoding from counted words: for BPE, byte-level
 * BPE, WordPiece and SentencePiece's BPE.
 *
 * Words begin as their symbols; the best pair of symbols side by side becomes one symbol,
 * everywhere, again and again until the vocabulary has its size.  A pair's count is the sum
 * of its words' counts for each place it stands at ("aaa" has "aa" twice).
 *
 * Order: which pair is best is a total order, so that the vocabulary is the same for any
 *   memory, threads and run:
 *   TSL_BPETRAIN_HF   highest count, then smallest left id, then smallest right id.  Ids:
 *     specials, the alphabet by code point, then symbols with prefix or suffix in byte
 *     order (Hugging Face's are random there), then merges.  Pairs that make the same
 *     string have one id.  A character that is not in the alphabet vanishes and its
 *     neighbours meet.
 *   TSL_BPETRAIN_SPM  highest count, then fewest characters, then smallest bytes, then the
 *     longest left part.
 *     Ids: specials, merges, then the alphabet by falling count, then code point.  Of pairs
 *     that make the same string only the first is merged.  Nothing is merged across a
 *     character that is not in the alphabet.
 * Memory: opts.memory, however many words there are (bperounds.h); but tokens take some 50
 *   bytes each on top.  TSL_ENOMEM, and how much it takes, where it is too little for the
 *   pieces of words that have one pair: some MiB will do for any text.  With
 *   TSL_BPETRAIN_LIKELIHOOD all pairs of all words must fit.
 * Time: n log n in the words' symbols, for words of any length.
 * Threads: one; the words of 100 MB of English take less than a second.
 * Sources: Gage 1994 (A New Algorithm for Data Compression); Sennrich 2016 (Neural Machine
 *   Translation of Rare Words with Subword Units).  Compared with BpeTrainer of Hugging
 *   Face's tokenizers 0.23.3 and with SentencePiece 0.2.3: the same vocabularies.
 *   SentencePiece 0.1.97 counts only some of the overlaps, and looks for the best pair among
 *   "active" ones: the same where "..." or "III" play no part.  Differences: where no pair
 *   is left SentencePiece goes on with pairs that come nowhere; Hugging Face's counts have
 *   32 bits. */
#ifndef TSL_BPETRAIN_H
#define TSL_BPETRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/piecerule.h"
#include "text/wordlist.h"

enum tsl_bpetrain_ties { TSL_BPETRAIN_HF, TSL_BPETRAIN_SPM };

enum tsl_bpetrain_symbols {
    TSL_BPETRAIN_CHARS,  /* words are UTF-8, a character a symbol */
    TSL_BPETRAIN_BYTES,  /* words are any bytes, a byte a symbol and spelled as it is */
    TSL_BPETRAIN_LETTERS /* the same, spelled in GPT-2's letters (bytealpha.h), by whose
                          * code points the alphabet stands */
};

enum tsl_bpetrain_score {
    TSL_BPETRAIN_COUNT,
    TSL_BPETRAIN_LIKELIHOOD /* count(pair) / (count(left) * count(right)), as it stands when
                             * the pair is merged; of equal ones as for COUNT */
};

/* Where training is; anyone may read it. */
struct tsl_bpetrain_progress {
    _Atomic(uint64_t) tokens; /* that there are */
    _Atomic(uint64_t) target; /* 0: pairs are being counted */
};

struct tsl_bpetrain_opts {
    size_t size;            /* of the vocabulary, specials and alphabet included */
    uint64_t min_frequency; /* pairs of a lower count are not merged; 0 is 1 */
    enum tsl_bpetrain_ties ties;
    enum tsl_bpetrain_symbols symbols;
    enum tsl_bpetrain_score score;

    /* Come first, as they stand; one that was given before is left out. */
    const struct tsl_slice *specials;
    size_t nspecials;
    bool byte_pieces; /* behind them "<0x00>" to "<0xFF>", for byte fallback */

    /* Symbols that are in the alphabet whether they are in the words or not: characters,
     * UTF-8.  For bytes and letters: all_bytes. */
    struct tsl_slice initial_alphabet;
    bool all_bytes;
    size_t
        alphabet_limit; /* the most frequent symbols are kept, initial ones before others;
                            * 0: no limit */
    double coverage;    /* share of all symbols that the alphabet has to cover, the most
                            * frequent first; 1: all are in it */

    struct tsl_slice prefix; /* of all symbols of a word but the first: "##" */
    struct tsl_slice suffix; /* of a word's last symbol: "</w>" */
    /* Hugging Face's limit: a pair is merged if it is of fewer than so many symbols (its
     * comparison is <), or of two.  0: no limit. */
    size_t max_token_length;
    const struct tsl_piecerule *rule; /* SentencePiece's for pieces; NULL: none */

    size_t memory;    /* bytes, the list's not included; 0: no limit */
    size_t pairs_max; /* that a round begins with, see bperounds.h; 0: as it suits */
    const char *const *dirs; /* for temporary space; none: words stay in memory */
    size_t ndirs;
    unsigned nthreads;                      /* may be used; so far one is enough */
    struct tsl_bpetrain_progress *progress; /* may be NULL */
};

/* 30,000 entries, Hugging Face's ties, characters, no limits, one thread. */
struct tsl_bpetrain_opts tsl_bpetrain_defaults(void);

struct tsl_bpetrain_merge {
    uint32_t left, right, id; /* left and right become id */
    uint64_t count;           /* of the pair when it was merged */
};

struct tsl_bpetrain_stats {
    uint64_t words, symbols;         /* that took part: words of two symbols and more */
    uint64_t symbols_all;            /* in all texts: counts summed */
    uint64_t symbols_covered;        /* of them, those that the alphabet has */
    uint64_t alphabet_all, alphabet; /* different symbols in the words; taken */
    uint64_t pairs;                  /* different ones that were looked at in a round */
    uint64_t rounds;                 /* see bperounds.h */
    uint64_t peak_bytes;             /* of memory */
    double count_seconds, merge_seconds;
};

struct tsl_bpetrain {
    size_t n;              /* tokens */
    const uint8_t *bytes;  /* theirs, one behind the other, in the order of ids */
    const uint64_t *end;   /* n: where each ends */
    const uint64_t *count; /* n: how often it came when it was made; 0 for specials */
    size_t nspecials;      /* byte pieces included */
    size_t nmerges;
    /* By rank.  Where a pair was merged twice, only the later one is left, as in files. */
    const struct tsl_bpetrain_merge *merges;
    struct tsl_bpetrain_stats stats;
};

static inline struct tsl_slice tsl_bpetrain_token(const struct tsl_bpetrain *t, size_t id)
{
    uint64_t begin = id ? t->end[id - 1] : 0;
    return (struct tsl_slice){ t->bytes + begin, (size_t)(t->end[id] - begin) };
}

/* Trains on list.  *out is to be freed with tsl_bpetrain_destroy and does not need list any
 * more.  Fewer tokens than size where no pair is left (see n); more where specials and
 * alphabet are more already, and then no merges.
 * TSL_EUSAGE: options that do not fit together; with TSL_BPETRAIN_SPM a size that is too
 * small for specials and alphabet; too many symbols (2^31).  TSL_EFORMAT: a word that is not
 * UTF-8 where symbols are characters; counts that add up to 2^62 or more.  TSL_ENOMEM. */
int tsl_bpetrain_run(struct tsl_bpetrain **out, const struct tsl_wordlist *list,
                     const struct tsl_bpetrain_opts *o, struct tsl_err *err);
/* Words one by one: 1 and a word, lent until the next call, 0 behind the last, or an error. */
struct tsl_bpetrain_words {
    int (*next)(void *ctx, struct tsl_slice *word, uint64_t *count, struct tsl_err *err);
    void *ctx;
};
/* The same of words that are asked for once, and need not be in memory. */
int tsl_bpetrain_stream(struct tsl_bpetrain **out, const struct tsl_bpetrain_words *words,
                        const struct tsl_bpetrain_opts *o, struct tsl_err *err);

/* NULL is fine. */
void tsl_bpetrain_destroy(struct tsl_bpetrain *t);

#endif

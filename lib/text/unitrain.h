/* unitrain.h - a Unigram vocabulary from counted words, as SentencePiece trains it.
 *
 * Each word can be cut into pieces in many ways; a piece has a probability, a way the
 * product of its pieces'.  Many pieces to begin with (every substring that comes often
 * enough and more than one thing follows), then in turns: probabilities from expected
 * counts (EM, with the digamma function against rare pieces), and a quarter of the pieces,
 * those that cost the least likelihood, left out, until the vocabulary has its size.
 *
 * Source: Kudo 2018 (Subword Regularization, section 3.2); rules for seeds, losses, ties and
 *   limits as in SentencePiece 0.1.97 (unigram_model_trainer.cc, trainer_interface.cc), slips
 *   included, with two differences: sums are in 64 bits, and we see words where it sees texts
 *   (line_ends below).  Measured with line_ends: of 8000 pieces for 6 MB of English all but
 *   2, of 16000 for 6 MB of Chinese all but 1, their scores within 0.0004.
 * Order: by falling score, then bytes.  The same for any memory, threads, run and machine:
 *   sums are taken in parts whose number depends on the words alone, and added in one order,
 *   exp and log are our own (base/fixmath.h).
 * Memory: while seeds are looked for, 12 bytes a character of the list's words, 20 bytes a
 *   word, 24 to 72 bytes a substring that could be a seed (half as many as characters in
 *   English, a fifth in Chinese), and for each thread 16 bytes for each time that the most
 *   frequent character is in the list; later 8 bytes a character and 160 bytes a seed, or
 *   96 and 32 MiB.  If this is more than opts.memory: TSL_ENOMEM, and what for.
 * Time: linear in the words' characters times max_piece_chars: a word of any length is
 *   taken whole (texts that are to be skipped for their length are not counted in the
 *   first place, see wordcut.h).
 * Threads: opts.nthreads while it runs; one caller. */
#ifndef TSL_UNITRAIN_H
#define TSL_UNITRAIN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/wordlist.h"

enum {
    TSL_UNITRAIN_CHARS_MAX = 512 /* SentencePiece's limit for max_piece_chars */
};

/* Where training is; anyone may read it. */
struct tsl_unitrain_progress {
    _Atomic(uint64_t) pieces; /* still in the race; 0: seeds are looked for */
    _Atomic(uint64_t) target; /* where the rounds end */
    _Atomic(uint64_t) rounds; /* of EM and pruning, behind us */
};

struct tsl_unitrain_opts {
    size_t size;            /* of the vocabulary, what the caller puts first included */
    size_t seed_size;       /* pieces to begin with, characters included; 1,000,000 */
    double shrink;          /* share of the pieces that a round keeps; 0.75 */
    unsigned em_steps;      /* in a round; 2 */
    size_t max_piece_chars; /* 16 */
    double coverage;        /* share of all characters that have to be pieces; 0.9995 */
    struct tsl_slice required_chars; /* UTF-8: these have to be pieces in any case */
    /* Pieces that the caller puts first (unknown, control, user-defined): they count within
     * size, and no other piece is spelled like one of them. */
    const struct tsl_slice *specials;
    size_t nspecials;
    bool byte_fallback;           /* 256 pieces more that the caller puts first */
    bool split_digits;            /* a digit is a piece of its own */
    bool split_by_number;         /* digits are a script */
    bool split_by_unicode_script; /* a piece is of one script */
    bool split_by_whitespace;     /* U+2581 is only where a piece begins (or ends) */
    bool whitespace_suffix;       /* words are "word▁", U+2581 ends pieces */
    bool whitespace_only_pieces;  /* pieces of several U+2581 and nothing else */
    bool hard_vocab_limit;        /* fewer pieces than size are an error */
    /* SentencePiece looks for seeds in whole texts, where a word is followed by U+2581 or by
     * the text's end.  What is followed by one thing alone is no seed: its vocabularies lack
     * words and endings that never stand at a text's end (▁hav + e).
     * line_ends: words that stood at the end of a text are counted apart, with a NUL byte
     *   behind them (▁word NUL): the seeds are then SentencePiece's.  false: a word is
     *   always followed by the same thing.  Measured on 6 MB of English, other text makes at
     *   most 0.13 % more tokens than with SentencePiece's vocabulary, for sizes from 1000 to
     *   16000, and as many for Chinese.
     * whole_words: a word's end counts as more than one thing, so that every word and every
     *   ending that comes twice is a seed: 0.5 % more tokens with 1000 pieces, 0.4 % fewer
     *   with 16000. */
    bool line_ends, whole_words;
    size_t memory;                          /* bytes, the list's not included */
    unsigned nthreads;                      /* at least 1 */
    struct tsl_unitrain_progress *progress; /* may be NULL */
};

/* SentencePiece's defaults; size, memory and nthreads are the caller's to set. */
struct tsl_unitrain_opts tsl_unitrain_defaults(void);

struct tsl_unitrain_piece {
    struct tsl_slice text; /* UTF-8 */
    float score;           /* the logarithm of its probability */
};

struct tsl_unitrain_stats {
    uint64_t chars;      /* different ones that must be pieces */
    uint64_t seeds;      /* pieces at the beginning, characters included */
    uint64_t rounds;     /* of EM and pruning */
    double covered;      /* share of all characters that have pieces */
    double nats_a_word;  /* minus the mean log likelihood of a word, at the end */
    uint64_t tokens;     /* that the counted words make, cut the most likely way, with the
                          * pieces before the final cut */
    uint64_t peak_bytes; /* of memory */
    double seed_seconds, em_seconds;
};

struct tsl_unitrain {
    struct tsl_unitrain_piece *pieces;
    size_t n;
    uint8_t *bytes; /* the pieces' text */
    struct tsl_unitrain_stats stats;
};

/* Trains on list, whose words are UTF-8 with U+2581 for blanks (wordcut.h, spm); ill-formed
 * bytes, blanks, NULs, U+2585 and characters beyond the coverage are text that no piece
 * holds.  *out is to be freed with tsl_unitrain_destroy and does not need list any more.
 * TSL_EUSAGE: options out of range, no words, a size that is too small for all required
 * characters, or too large for the words (hard_vocab_limit).  TSL_EFORMAT: counts that add
 * up to 2^62 or more.  TSL_ENOMEM. */
int tsl_unitrain_run(struct tsl_unitrain **out, const struct tsl_wordlist *list,
                     const struct tsl_unitrain_opts *o, struct tsl_err *err);
/* NULL is fine. */
void tsl_unitrain_destroy(struct tsl_unitrain *u);

#endif

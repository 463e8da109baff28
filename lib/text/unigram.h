/* unigram.h - the Unigram model as Hugging Face has it: of all ways to cut a piece into
 * tokens, the one with the highest sum of scores.
 *
 * SentencePiece's own form of it adds in 32 bits and breaks ties elsewhere: spm.h.
 * Order: as in the text.
 * Memory: the trie and 8 bytes a token; a scratch has 16 bytes for each byte of the longest
 * stretch that tokens bridge.
 * Threads: read-only once it is filled; a scratch has one owner. */
#ifndef TSL_UNIGRAM_H
#define TSL_UNIGRAM_H

#include "base/err.h"
#include "base/slice.h"
#include "text/tokens.h"
#include "text/trie.h"
#include "text/vocab.h"

struct tsl_unigram {
    struct tsl_trie trie; /* its values are ids */
    double *scores;       /* by id */
    double unk_score;
    int64_t unk;        /* TSL_VOCAB_NONE: none */
    int64_t bytes[256]; /* ids of <0x00> to <0xFF>; TSL_VOCAB_NONE: none */
    bool byte_fallback;
};

/* scores: one for each id, copied.  unk: the id for unknown text, or TSL_VOCAB_NONE; one
 * that is no id is TSL_EFORMAT.  v may go afterwards. */
int tsl_unigram_init(struct tsl_unigram *u, const struct tsl_vocab *v,
                     const double *scores, int64_t unk, bool byte_fallback,
                     struct tsl_err *err);
void tsl_unigram_fini(struct tsl_unigram *u);

struct tsl_unigram_node;

struct tsl_unigram_scratch {
    struct tsl_unigram_node *nodes;
    size_t cap;
};

void tsl_unigram_scratch_init(struct tsl_unigram_scratch *s);
void tsl_unigram_scratch_fini(struct tsl_unigram_scratch *s);

/* Adds a piece's tokens (UTF-8), spans relative to it.  Unknown characters side by side are
 * one token; with byte_fallback they are tokens of their bytes, where the vocabulary has
 * all of these, each with the span of the whole.  Of two sums that are equal the one with
 * the longer last token is taken.  TSL_EFORMAT where a character has no token of its own
 * and there is none for unknown text.
 * Source: Kudo 2018 (Subword Regularization); HF tokenizers 0.23.2, encode_optimized. */
int tsl_unigram_encode(const struct tsl_unigram *u, struct tsl_unigram_scratch *s,
                       struct tsl_slice piece, struct tsl_tokens *out,
                       struct tsl_err *err);

#endif

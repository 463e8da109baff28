/* uniseed.h - the pieces that Unigram training begins with (unitrain.h's own).
 *
 * Each substring that may be a piece, comes twice or more, and is followed by more than one
 * thing: the inner nodes of the words' suffix tree, found by sorting what follows each
 * character, no further than a piece may reach.  Of these the seed_size that cover the most
 * characters, and all characters.
 * Source: SentencePiece 0.1.97, MakeSeedSentencePieces and IsValidSentencePiece; sorting
 *   strings by several characters at a time: Ng and Kakehi 2007 (cache efficient radix sort
 *   for string sorting), here with quicksort.
 * Order: pieces stand in the order of their symbols, so that a piece comes behind those that
 *   it begins with; rank tells SentencePiece's order.
 * Memory: unitrain.h.
 * Threads: opts.nthreads; one caller. */
#ifndef TSL_UNISEED_H
#define TSL_UNISEED_H

#include "base/err.h"
#include "par/pool.h"
#include "text/unitext.h"

static const uint32_t TSL_UNI_NONE = UINT32_MAX; /* no piece */

struct tsl_uniseed {
    uint64_t score;  /* characters that it covers; of a single character: its count */
    uint32_t at;     /* in the text's symbols, where it comes */
    uint32_t parent; /* the longest piece that it begins with, TSL_UNI_NONE: none */
    uint32_t rank;   /* characters by falling count, then the rest by falling score */
    uint32_t len;    /* symbols */
};

struct tsl_uniseeds {
    struct tsl_uniseed *seeds;
    size_t n;
    uint32_t *longest; /* by symbol of the text: the longest piece that begins there */
};

/* 0 or TSL_ENOMEM. */
int tsl_uniseed_find(struct tsl_uniseeds *s, const struct tsl_unitext *t,
                     const struct tsl_unitrain_opts *o, struct tsl_pool *pool,
                     struct tsl_unimem *mem, struct tsl_err *err);
/* longest may have been taken away: NULL. */
void tsl_uniseed_fini(struct tsl_uniseeds *s, const struct tsl_unitext *t,
                      struct tsl_unimem *mem);

/* A key and what it is for. */
struct tsl_unikey {
    uint64_t key;
    uint32_t value;
};

/* Sorts by key, then value; values differ.  Never slower than n log n. */
void tsl_unikey_sort(struct tsl_unikey *k, size_t n);

#endif

/* wordblock.h - counted words in byte order, packed into blocks: what runs on disk
 * (wordcount.h) and files of counts (countfile.h) are made of.
 *
 * A word is stored as the number of bytes that it shares with the word before it in the
 * block (of the first: none), the number of its own bytes, these bytes, its count; numbers
 * are LEB128.
 * Order: strictly rising by bytes, from block to block too.
 * Memory: a writer and a reader hold one word each beside the block.
 * Threads: one owner. */
#ifndef TSL_WORDBLOCK_H
#define TSL_WORDBLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
    TSL_WORDBLOCK_WORD_MAX = 64 << 10, /* bytes */
    /* a word's longest record: two lengths, the bytes, a count */
    TSL_WORDBLOCK_RECORD_MAX = TSL_WORDBLOCK_WORD_MAX + 3 + 3 + 10
};

struct tsl_wordblock_writer {
    uint8_t *p; /* the caller's: room for cap bytes, cap >= TSL_WORDBLOCK_RECORD_MAX */
    size_t cap, len;
    uint32_t nwords;
    uint8_t *last; /* the caller's: room for the longest word */
    size_t last_len;
};

/* Begins a new block in p. */
void tsl_wordblock_begin(struct tsl_wordblock_writer *w, uint8_t *p, size_t cap);
/* false: the block is full, and the word not in it.  word: behind the last one; count: not
 * 0. */
bool tsl_wordblock_put(struct tsl_wordblock_writer *w, struct tsl_slice word,
                       uint64_t count);

struct tsl_wordblock_reader {
    const uint8_t *p, *end;
    uint32_t left; /* words */
    bool first;    /* of its block */
    uint8_t *word; /* the caller's: room for word_max bytes; the word read last */
    size_t len, word_max;
    uint64_t count;
};

/* Begins with a block's n words in p[0, len).  r->word and len stay: the word before. */
void tsl_wordblock_open(struct tsl_wordblock_reader *r, const uint8_t *p, size_t len,
                        uint32_t n);
/* 1 and the next word in r->word, len and count; 0 behind the last, all bytes used up; or
 * TSL_EFORMAT: what is wrong with the block, to be completed by the caller. */
int tsl_wordblock_next(struct tsl_wordblock_reader *r, struct tsl_err *err);

#endif

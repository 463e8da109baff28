/* wordstore.h - words as symbols, with their counts: written once, read again and again from
 * the first to the last, in memory while there is room and in temporary space beyond it.
 *
 * There are two lots: what is read, and what is put meanwhile, which takes its place by
 * tsl_wordstore_turn.  So words are rewritten in one pass, and their memory goes round.
 * Order: words come out as they went in.
 * Memory: opts.memory for the words, about a byte or two a symbol and 3 a word; and some
 *   blocks of 64 KiB.
 * Threads: one owner. */
#ifndef TSL_WORDSTORE_H
#define TSL_WORDSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tsl_wordstore;

struct tsl_wordstore_opts {
    size_t memory;           /* bytes of both lots; what is more goes to dirs */
    const char *const *dirs; /* for temporary space; lent */
    size_t ndirs;            /* 0: all stays in memory */
};

/* 0 or TSL_ENOMEM.  Makes no file yet. */
int tsl_wordstore_create(struct tsl_wordstore **s, const struct tsl_wordstore_opts *o,
                         struct tsl_err *err);
/* NULL is fine. */
void tsl_wordstore_destroy(struct tsl_wordstore *s);

/* Copies a word of n symbols into the new lot.  0, TSL_ENOMEM or TSL_EIO. */
int tsl_wordstore_put(struct tsl_wordstore *s, const uint32_t *ids, size_t n,
                      uint64_t count, struct tsl_err *err);
/* The new lot is what will be read, from the first word; the old one is dropped. */
int tsl_wordstore_turn(struct tsl_wordstore *s, struct tsl_err *err);

/* Begins with the first word.  last: for the last time, so that memory and temporary space
 * are given back on the way. */
void tsl_wordstore_rewind(struct tsl_wordstore *s, bool last);
/* 1 and a word, lent until the next call and the caller's to change; 0 behind the last.
 * TSL_EIO, TSL_ENOMEM. */
int tsl_wordstore_next(struct tsl_wordstore *s, uint32_t **ids, size_t *n,
                       uint64_t *count, struct tsl_err *err);

/* Of the lot that is read. */
uint64_t tsl_wordstore_words(const struct tsl_wordstore *s);
uint64_t tsl_wordstore_symbols(const struct tsl_wordstore *s);
/* Bytes of memory held at most. */
size_t tsl_wordstore_peak(const struct tsl_wordstore *s);

#endif

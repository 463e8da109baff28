/* wordtable.h - words and their counts in a hash table of bounded size, and sorted.
 *
 * A word of up to 15 bytes lies in its slot (wordcache.h has the key); longer ones in an
 * arena beside the slots.  Words wait in a short queue until their slots have come from
 * memory.  The table begins small and grows as words come; slots and arena share the memory
 * by how long the words turn out to be.
 * Order: of tsl_wordtable_at, by bytes.
 * Memory: what init was given, while it grows too; touched as it is needed.
 * Threads: one owner.
 * Source: the sort is P. McIlroy, K. Bostic, D. McIlroy, "Engineering Radix Sort", 1993
 *   (American flag sort), in place. */
#ifndef TSL_WORDTABLE_H
#define TSL_WORDTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/wordcache.h"

enum {
    TSL_WORDTABLE_WORD_MAX = 64 << 10, /* bytes of a word */
    TSL_WORDTABLE_MIN_BYTES = 256 << 10,
    TSL_WORDTABLE_QUEUE = 32
};

struct tsl_wordcell {
    struct tsl_wordkey key; /* hi 0: empty */
    uint64_t count;
};

struct tsl_wordtable {
    size_t share; /* bytes that all may take */
    struct tsl_wordcell *cells;
    size_t ncells, nused;
    uint8_t *arena; /* u32 length and bytes of each long word */
    size_t arena_len;
    size_t longest; /* bytes of the longest word so far */
    struct tsl_wordcell queue[TSL_WORDTABLE_QUEUE];
    uint64_t hash[TSL_WORDTABLE_QUEUE];
    unsigned nqueue;
    bool sorted;
};

/* share: at least TSL_WORDTABLE_MIN_BYTES.  0 or TSL_ENOMEM. */
int tsl_wordtable_init(struct tsl_wordtable *t, size_t share, struct tsl_err *err);
void tsl_wordtable_fini(struct tsl_wordtable *t);

/* true: the word came count times more; copied.  false: the table is full, and nothing was
 * done: empty it and try again.  word: 1 to TSL_WORDTABLE_WORD_MAX bytes, of which 16 may be
 * read whatever its length.  No word's count may pass 2^64. */
bool tsl_wordtable_add(struct tsl_wordtable *t, struct tsl_slice word, uint64_t count);
/* Takes in what waits.  false: the table is full; some may wait still. */
bool tsl_wordtable_flush(struct tsl_wordtable *t);

/* Sorts the words that do not wait.  Then the table can only be read or emptied. */
void tsl_wordtable_sort(struct tsl_wordtable *t);
/* The ith word, i < nused, of a sorted table, lent until the next call with this buf. */
struct tsl_slice tsl_wordtable_at(const struct tsl_wordtable *t, size_t i,
                                  uint8_t buf[16], uint64_t *count);
/* No words but those that wait. */
void tsl_wordtable_clear(struct tsl_wordtable *t);

#endif

/* wordcount.h - how often each word came: exact, in bounded memory, out of core.
 *
 * Words go into adders, one for each thread: a hash table in its share of the memory.  A
 * table that is full becomes a sorted run in temporary space (spill.h), and is empty again.
 * At the end runs and tables are merged, equal words added.  What was written is checked
 * when it comes back: a block that is not, bit for bit, what was written is an error that
 * names the folder.
 *
 * Order: words come out in byte order, each once, whatever the threads, the memory, and the
 *   order they were added in.
 * Memory: opts.memory, the words of tsl_wordcount_list on top.  Temporary space: some 10
 *   bytes a different word and adder, again for each pass where runs are too many to be
 *   merged at once.
 * Threads: different adders may be used at the same time; all else has one owner, after
 *   they have come to rest.
 * Source: external sorting by runs and merges, Knuth, The Art of Computer Programming 3,
 *   5.4. */
#ifndef TSL_WORDCOUNT_H
#define TSL_WORDCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "io/progress.h"
#include "text/wordlist.h"

enum {
    TSL_WORDCOUNT_WORD_MAX = 64 << 10,     /* bytes of the longest word that is counted */
    TSL_WORDCOUNT_ADDER_BYTES = 512 << 10, /* the least memory for each adder */
    TSL_WORDCOUNT_MIN_BYTES = 1 << 20      /* and for all together */
};

struct tsl_wordcount_opts {
    size_t memory;           /* bytes, shared out evenly among the adders */
    unsigned nadders;        /* at least 1 */
    const char *const *dirs; /* for temporary space; lent for the count's life */
    size_t ndirs;
    struct tsl_progress *progress; /* temp_bytes; may be NULL */
};

struct tsl_wordcount_stats {
    uint64_t added;     /* words put in: the sum of what was given to add */
    uint64_t runs;      /* written, those of merges included */
    unsigned passes;    /* over the temporary data, the last one included; 0: none */
    uint64_t temp_peak; /* bytes of temporary space at most */
    uint64_t words;     /* different ones; known when next has returned 0, or by list */
};

struct tsl_wordcount;

/* 0, TSL_ENOMEM, or TSL_EUSAGE where the memory is too little, and how much it takes.  Makes
 * no file yet. */
int tsl_wordcount_create(struct tsl_wordcount **wc, const struct tsl_wordcount_opts *o,
                         struct tsl_err *err);
/* NULL is fine. */
void tsl_wordcount_destroy(struct tsl_wordcount *wc);

/* The word came count times more; copied.  It has 1 to TSL_WORDCOUNT_WORD_MAX bytes, any
 * bytes.  count 0: nothing happens.  0, TSL_EIO or TSL_ENOMEM, or TSL_EFORMAT where all
 * counts together would be 2^64 or more: this may be told as late as by finish.  After an
 * error the count can only be destroyed. */
int tsl_wordcount_add(struct tsl_wordcount *wc, unsigned adder, struct tsl_slice word,
                      uint64_t count, struct tsl_err *err);
/* The same where 16 bytes may be read at word.data, whatever its length: faster. */
int tsl_wordcount_add_slack(struct tsl_wordcount *wc, unsigned adder,
                            struct tsl_slice word, uint64_t count, struct tsl_err *err);

/* All words were added: sorts what is in memory, merges runs until one more pass will do. */
int tsl_wordcount_finish(struct tsl_wordcount *wc, struct tsl_err *err);

/* After finish: 1 and the next word in byte order with its count, 0 behind the last, or an
 * error.  The word is lent until the next call.  One time through. */
int tsl_wordcount_next(struct tsl_wordcount *wc, struct tsl_slice *word, uint64_t *count,
                       struct tsl_err *err);

/* After finish and instead of next: all words of at least min_count, in memory.  The list is
 * to be freed with tsl_wordlist_fini. */
int tsl_wordcount_list(struct tsl_wordcount *wc, uint64_t min_count,
                       struct tsl_wordlist *list, struct tsl_err *err);

struct tsl_wordcount_stats tsl_wordcount_stats(const struct tsl_wordcount *wc);

#endif

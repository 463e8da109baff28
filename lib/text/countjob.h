/* countjob.h - files of text into counted words: what `ctok train` and `ctok count` begin
 * with.
 *
 * A row is a text; it is cut into words (wordcut.h), which are counted (wordcount.h).  Files
 * of counts made before (countfile.h) may be added, or taken alone.
 * Order: words come out in byte order.  The counts depend on input and options alone, not on
 *   memory, threads or batches.
 * Memory: opts.memory, with what the process holds already; at least what plan says.  A row
 *   longer than a batch goes through in stretches; where it is needed as a whole (JSON
 *   lines, wordcut.h's hf, a word without end), what plan says is the limit.
 * Threads: opts.nthreads that cut and count, one that reads, the caller's waits. */
#ifndef TSL_COUNTJOB_H
#define TSL_COUNTJOB_H

#include "io/inputs.h"
#include "text/wordcount.h"
#include "text/wordcut.h"

struct tsl_countjob_opts {
    char *const *paths; /* as for inputs.h; none: only counts are read */
    size_t npaths;
    struct tsl_frame frame;
    const char *field; /* of JSON lines; NULL: rows are text */
    const struct tsl_wordcut *cut;
    char *const *counts; /* files of counts, which must have been cut in the same way */
    size_t ncounts;
    size_t memory;
    size_t held; /* bytes that the process holds already */
    unsigned nthreads;
    const char *const *dirs; /* for temporary space */
    size_t ndirs;
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_countjob_plan {
    size_t memory, batch_bytes;
    size_t whole_max;   /* bytes of a row that is needed as a whole */
    size_t count_bytes; /* of the word count: tables, then buffers of the merge */
    unsigned nthreads, nbatches;
};

struct tsl_countjob_stats {
    struct tsl_countjob_plan plan;
    uint64_t rows, bytes;          /* texts, and their bytes */
    uint64_t words;                /* all of them: the sum of the counts */
    struct tsl_wordcut_counts cut; /* what was left out or replaced */
    double seconds; /* up to the merge's last pass, which is next's or list's */
};

/* How memory is shared out; TSL_EUSAGE when there is too little, and how much it takes. */
int tsl_countjob_plan(const struct tsl_countjob_opts *o, struct tsl_countjob_plan *p,
                      struct tsl_err *err);

/* *wc is finished: for tsl_wordcount_list or next, or tsl_countfile_write; to be destroyed.
 * Only then is the memory given back. */
int tsl_countjob_run(const struct tsl_countjob_opts *o, struct tsl_wordcount **wc,
                     struct tsl_countjob_stats *st, struct tsl_err *err);

#endif

/* shardjob.h - a whole run: record files of any format into a set of shards of one.
 *
 * Order: the inputs one after the other, their records as they lie.  The output depends on
 *   inputs and options alone.
 * Memory: opts.memory: a reader's block and a writer's buffers (record.h, shardset.h).
 * Threads: opts.nthreads, and one that puts bytes into files. */
#ifndef TSL_SHARDJOB_H
#define TSL_SHARDJOB_H

#include "record/shardset.h"
#include "samples/samplemap.h"

struct tsl_shardjob_opts {
    char *const *paths; /* "-": standard input */
    size_t npaths;
    const char *input_format; /* NULL: told apart by content */
    uint64_t memory;          /* 0: 64 MiB */
    unsigned nthreads;        /* that encode and pack; 0: 1 */
    struct tsl_shardset_opts
        set; /* records, job, writer.memory and writer.help are the job's to fill */
    const struct tsl_samplemap_opts *map; /* NULL: records go out as they are */
    const char *job; /* what else the run depends on, as JSON members; or NULL */
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_shardjob_stats {
    uint64_t records, resumed, shards, files, bytes_out;
    double seconds;
};

/* 0 when the set is whole, or an error and no manifest. */
int tsl_shardjob_run(const struct tsl_shardjob_opts *o, struct tsl_shardjob_stats *st,
                     struct tsl_err *err);

#endif

/* shufplan.h - how a shuffle will use its memory: passes, buckets, buffers.
 *
 * The plan changes how fast a shuffle is and what it needs, never what comes out.
 * Memory: none.
 * Threads: pure; numbers in, numbers out. */
#ifndef TSL_SHUFPLAN_H
#define TSL_SHUFPLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tsl_shufplan_in {
    uint64_t memory; /* bytes for everything */
    unsigned nthreads;
    size_t nparts;
    uint64_t input_bytes; /* decompressed; 0: not known */
};

struct tsl_shufplan {
    uint64_t memory;
    unsigned nthreads, nwriters; /* workers; threads that write temporary data */
    size_t batch_bytes, batch_rows, nbatches;
    size_t batches_bytes; /* all of them, with their row tables */
    size_t chunk_bytes;
    unsigned log_buckets;
    size_t store_bytes;  /* for rows in memory while the input is read */
    uint64_t long_bytes; /* of long rows stored; what is beyond may stay in its file */
    size_t window_max;   /* for decompression */
    size_t out_bytes;    /* collected for each output that is not compressed */
    /* what is expected; 0 where the input's size is not known */
    uint64_t bucket_bytes, temp_bytes;
    /* over the data: 1 in memory, 2 with temporary space, 3 if split again */
    unsigned passes;
};

/* For any numbers: what is too little is raised to what works at all. */
struct tsl_shufplan tsl_shufplan_make(const struct tsl_shufplan_in *in);

#endif

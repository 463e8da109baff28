/* shufjob.h - a whole shuffle: files in, files out.  What the command cshuf runs.
 *
 * Order: rows ascending by (keyed hash of the row's address, address), see inputs.h for
 *   addresses; by content instead of address with unique.  It depends on the input's
 *   bytes, the options and the seed alone.
 * Memory: opts.memory and a fixed part below 16 MiB, whatever the rows are like.
 * Threads: one caller; starts its own.
 * Result: 0 only when every row that was read is accounted for in what was written. */
#ifndef TSL_SHUFJOB_H
#define TSL_SHUFJOB_H

#include "io/inputs.h"
#include "io/outset.h"
#include "io/progress.h"
#include "shuf/scatter.h"
#include "shuf/shufplan.h"

struct tsl_shufjob_opts {
    uint64_t seed, memory;
    unsigned nthreads;
    char *const *paths; /* "-": standard input */
    size_t npaths;
    const uint8_t *rows_given; /* instead of paths: bytes framed by frame_in; lent */
    size_t rows_given_len;
    char *const *aligned; /* files whose row i goes where row i of the input goes */
    size_t naligned;      /* at most TSL_ALIGNED_MAX */
    struct tsl_frame frame_in, frame; /* of the inputs; of what is written */
    uint64_t header_rows;
    bool unique, verify;
    uint64_t head;           /* write only so many rows; UINT64_MAX: all */
    double sample;           /* keep this share of the rows; 1: all */
    const char *const *dirs; /* for temporary data */
    size_t ndirs;
    enum tsl_codec temp_codec;
    int temp_level;
    bool temp_auto;     /* block by block: temppack.h */
    bool temp_in_haste; /* for time alone: space that is too small raw is refused */
    struct tsl_outset_opts out;    /* nparts and nthreads are filled in */
    struct tsl_progress *progress; /* may be NULL */
    uint64_t key_mask;             /* 0: all of the key; tests only */
};

enum { TSL_ALIGNED_MAX = 62 };

struct tsl_shufjob_stats {
    struct tsl_tally in; /* rows read that were wanted: all but for head and sample */
    uint64_t rows_read, bytes_read; /* all */
    uint64_t rows_out, row_bytes_out;
    struct tsl_u128 sum_out; /* equals in.sum when all rows were written */
    bool verified;           /* rows written were compared with rows read */
    bool summed;             /* the sums mean something */
    uint64_t rows_dropped;   /* equal rows, with unique */
    struct tsl_u128 sum_dropped;
    uint64_t files_out, bytes_out;
    uint64_t temp_bytes, temp_peak_bytes, blocks_spilled, splits;
    bool temp_compressed;
    struct tsl_shufplan plan;
    double seconds_in, seconds_out;
    uint64_t split_rows[64];
};

/* 0 when all outputs have their names, else an error and no output.  *st: as far as it
 * came. */
int tsl_shufjob_run(const struct tsl_shufjob_opts *o, struct tsl_shufjob_stats *st,
                    struct tsl_err *err);

/* The plan that run would follow, without reading more than the files' first bytes: 0, or
 * the error that run would begin with. */
int tsl_shufjob_plan(const struct tsl_shufjob_opts *o, struct tsl_shufplan *plan,
                     struct tsl_inputs_size *size, struct tsl_err *err);

/* Writes and reads 32 MiB of temporary data in folder dir: bytes a second of each. */
int tsl_shufjob_probe(const char *dir, double *write_rate, double *read_rate,
                      struct tsl_err *err);

#endif

/* rowstream.h - inputs row by row, for whoever needs one row after the other on one
 * thread: files read in step with another one, or rows kept for drawing.
 *
 * Order: the rows as they come.  A row longer than a batch comes in pieces.
 * Memory: one batch.
 * Threads: one owner. */
#ifndef TSL_ROWSTREAM_H
#define TSL_ROWSTREAM_H

#include "io/inputs.h"

struct tsl_rowpiece {
    const uint8_t *data; /* lent until the next call */
    size_t len;
    uint64_t addr;    /* of the row */
    bool first, last; /* both: the row is whole */
};

struct tsl_rowstream {
    struct tsl_inputs *in;
    struct tsl_frame frame;
    struct tsl_rowbatch batch;
    size_t at, row; /* split so far; next row */
    bool loaded;
};

enum { TSL_ROWSTREAM_ROWS = 512 };

/* 0 or TSL_ENOMEM; opens no file yet. */
int tsl_rowstream_init(struct tsl_rowstream *r, const struct tsl_inputs_opts *o,
                       struct tsl_err *err);
void tsl_rowstream_fini(struct tsl_rowstream *r);

/* 1 and a piece, 0 at the end, or an error that names the file. */
int tsl_rowstream_next(struct tsl_rowstream *r, struct tsl_rowpiece *p,
                       struct tsl_err *err);

#endif

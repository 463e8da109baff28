/* inputs.h - many files as one numbered stream of batches of rows.
 *
 * Order: the files as given, their bytes as they lie.  A row's address is its byte offset
 *   in the concatenation of all files, decompressed, with a missing end of a file's last
 *   row supplied: the same for files, a pipe or any batch size.
 * Memory: one carry buffer of batch_bytes and what source.h says.
 * Threads: one owner. */
#ifndef TSL_INPUTS_H
#define TSL_INPUTS_H

#include "base/rowbatch.h"
#include "io/frame.h"
#include "io/progress.h"
#include "io/source.h"

struct tsl_inputs_opts {
    char *const *paths; /* "-": standard input; lent for the inputs' life */
    size_t npaths;
    const uint8_t *memory; /* instead of paths: these bytes; lent */
    size_t memory_len;
    struct tsl_frame frame;
    uint64_t header_rows;          /* of each file: kept once, not part of the rows */
    size_t batch_bytes;            /* every batch given to next has this cap */
    size_t window_max;             /* see codec.h */
    bool by_file;                  /* no batch holds rows of two files */
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_inputs;

/* Opens nothing yet.  0 or TSL_ENOMEM. */
int tsl_inputs_create(struct tsl_inputs **in, const struct tsl_inputs_opts *o,
                      struct tsl_err *err);

/* 1 and b's bytes, len, addr, kind (and for a piece rows[0]: where its bytes are), 0 at
 * the end, or an error that names the file.  Rows are not yet split: see
 * tsl_frame_split.  Allocates nothing. */
int tsl_inputs_next(struct tsl_inputs *in, struct tsl_rowbatch *b, struct tsl_err *err);

/* Where a row lies: plain bytes in a regular file. */
struct tsl_place {
    const struct tsl_file *file; /* lent until the row's last piece has come */
    size_t number;               /* of the file among the paths */
    uint64_t at;                 /* of the row's first byte, behind its frame's head */
};

/* Where the long row lies whose first piece next returned last; false: its bytes cannot be
 * had again (a pipe, standard input, compressed). */
bool tsl_inputs_place(const struct tsl_inputs *in, struct tsl_place *p);

/* Which path the batch is from that next returned last; with by_file. */
size_t tsl_inputs_file(const struct tsl_inputs *in);

/* The header's bytes, lent for the inputs' life; known after the first next. */
void tsl_inputs_header(const struct tsl_inputs *in, const uint8_t **bytes, size_t *len);

/* NULL is fine. */
void tsl_inputs_destroy(struct tsl_inputs *in);

/* What can be told without reading: opens each file and looks at its first bytes. */
struct tsl_inputs_size {
    uint64_t plain_bytes;  /* of plain regular files */
    uint64_t packed_bytes; /* of compressed regular files, as they lie on disk */
    bool unknown;          /* a pipe or a device is among them */
};
int tsl_inputs_measure(char *const *paths, size_t npaths, struct tsl_inputs_size *out,
                       struct tsl_err *err);

#endif

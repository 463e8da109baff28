/* bigrow.h - rows longer than a block: kept as a chain of blocks of plain bytes, or left
 * where they lie.
 *
 * Nothing here needs a row's length in memory: a row of gigabytes goes in and comes out
 * in pieces of a chunk.  What lies plain in a regular file need not be written anywhere
 * until it is written to its place: beyond what memory is meant to hold, a row's first MiB
 * is stored (a disk that seeks should not do so for less), and the rest is read once more.
 * Order: a row's pieces in the order of add.
 * Files: at most TSL_BIGROW_FILES of the input's are held open; rows of others are stored.
 * Memory: two chunks for a row that is being added, up to an eighth of the store's
 *   chunks for one that is streamed, and about 60 bytes a row for the table.
 * Threads: begin holds a lock until end or abandon; streaming has one caller. */
#ifndef TSL_BIGROW_H
#define TSL_BIGROW_H

#include "base/hash.h"
#include "io/inputs.h"
#include "par/thread.h"
#include "shuf/blockstore.h"

struct tsl_bigrow {
    uint64_t len;
    struct tsl_u128 hash, part_hash; /* of all bytes; of the first part's */
    uint64_t *part_len;              /* nparts of them; NULL when there is one part */
    size_t block, nblocks;
    size_t file;      /* the rest lies in files[file - 1]; 0: there is none */
    uint64_t file_at; /* where the row begins in it */
};

enum { TSL_BIGROW_FILES = 16 };

struct tsl_bigrows {
    struct tsl_store *store;
    size_t chunk_bytes, nparts;
    uint64_t store_max; /* bytes of all rows to store; others may stay in their files */
    struct tsl_blocklist list;
    struct tsl_bigrow *rows;
    size_t nrows, cap;
    struct tsl_mutex lock;  /* from begin to end: one row at a time */
    struct tsl_mutex table; /* guards rows and nrows; taken inside lock */
    struct tsl_file files[TSL_BIGROW_FILES];
    size_t numbers[TSL_BIGROW_FILES], nfiles; /* see inputs.h */
    /* the row being added */
    uint8_t *chunk;
    uint32_t filled;
    struct tsl_bigrow now;
    struct tsl_hasher hasher, part_hasher;
    size_t part;
};

void tsl_bigrows_init(struct tsl_bigrows *b, struct tsl_store *store, size_t chunk_bytes,
                      size_t nparts);
void tsl_bigrows_fini(struct tsl_bigrows *b);

int tsl_bigrows_begin(struct tsl_bigrows *b, struct tsl_err *err);
/* Where the row just begun lies, one part: it may be left there.  The file must be the one
 * of this number each time. */
void tsl_bigrows_lies(struct tsl_bigrows *b, const struct tsl_place *place);
int tsl_bigrows_add(struct tsl_bigrows *b, const uint8_t *p, size_t n,
                    struct tsl_err *err);
/* The bytes added from here on belong to the row's next part. */
void tsl_bigrows_next_part(struct tsl_bigrows *b);
/* *row: a copy of what the table holds under *id. */
int tsl_bigrows_end(struct tsl_bigrows *b, uint64_t *id, struct tsl_bigrow *row,
                    struct tsl_err *err);
void tsl_bigrows_abandon(struct tsl_bigrows *b);

struct tsl_bigrow tsl_bigrows_get(struct tsl_bigrows *b, uint64_t id);

/* Hands the row's bytes to sink, in order, and checks them against the hash taken on the
 * way in: TSL_EVERIFY, also where the file it lay in was changed.  Unless keep, the blocks
 * are used up: the row can be streamed once. */
int tsl_bigrows_stream(struct tsl_bigrows *b, uint64_t id, bool keep,
                       int (*sink)(void *ctx, size_t part, const uint8_t *p, size_t n,
                                   struct tsl_err *err),
                       void *ctx, struct tsl_err *err);

#endif

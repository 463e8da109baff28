/* recindex.h - the header and the trailer of the native format: what stands before and behind
 * its blocks (FORMAT.md).
 *
 * Memory: 24 bytes a block.  Threads: one owner. */
#ifndef TSL_RECINDEX_H
#define TSL_RECINDEX_H

#include "record/recblock.h"
#include "record/record.h"

extern const char tsl_recindex_magic[8];
enum {
    TSL_RECINDEX_SCHEMA_MAX = 64 << 10,
    TSL_RECINDEX_META_MAX = 4 << 20,
    TSL_RECINDEX_ENTRY = 24 /* bytes of a block's entry */
};

/* The header as bytes, on the heap; its last 8 are its sum. */
int tsl_recindex_head_write(uint8_t **bytes, size_t *n, const struct tsl_rechead *head,
                            uint32_t block_bytes, struct tsl_err *err);
/* Bytes of the header whose first 16 are at p, or 0 where they are none. */
size_t tsl_recindex_head_bytes(const uint8_t *p);
/* The inverse of write; name stands in messages. */
int tsl_recindex_head_read(struct tsl_rechead *head, uint32_t *block_bytes,
                           const uint8_t *p, size_t n, const char *name, bool no_check,
                           struct tsl_err *err);

struct tsl_recindex {
    uint64_t nblocks, nrecords, raw_bytes, first;
    uint64_t nvalues[TSL_COLUMNS_MAX];
    size_t ncolumns;
    struct tsl_recindex_entry {
        uint64_t at;    /* place of its first byte */
        uint64_t first; /* number of the first record that begins in it or later */
        uint64_t sum;
    } * entries;
    size_t cap;
};
void tsl_recindex_fini(struct tsl_recindex *x);
/* A block that is at a place of the file; nvalues are the caller's to count. */
int tsl_recindex_add(struct tsl_recindex *x, const struct tsl_recblock_head *h,
                     uint64_t at, struct tsl_err *err);

/* Bytes of a trailer. */
uint64_t tsl_recindex_bytes(uint64_t nblocks, size_t ncolumns);
/* The trailer as bytes, on the heap, for place at; seed: the header's sum. */
int tsl_recindex_write(const struct tsl_recindex *x, uint64_t at, uint64_t seed,
                       uint8_t **bytes, size_t *n, struct tsl_err *err);
bool tsl_recindex_is(const uint8_t *p);
/* A trailer of n bytes that stands at a place of the file, behind blocks from begin on: 0,
 * TSL_ENOMEM, or TSL_EFORMAT and then *why, err left alone. */
int tsl_recindex_read(struct tsl_recindex *x, const uint8_t *p, size_t n, uint64_t at,
                      uint64_t begin, uint64_t seed, const char **why,
                      struct tsl_err *err);

#endif

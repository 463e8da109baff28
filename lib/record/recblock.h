/* recblock.h - a block of the native format: its head, where its columns lie, and whether they
 * are what they say (FORMAT.md).
 *
 * Memory: none; a view borrows the payload.  Threads: pure. */
#ifndef TSL_RECBLOCK_H
#define TSL_RECBLOCK_H

#include "record/schema.h"

enum {
    TSL_RECBLOCK_HEAD = 56,     /* bytes of a block's head, and of the trailer's */
    TSL_RECBLOCK_MAX = 1 << 20, /* bytes of a payload, at most */
    TSL_RECBLOCK_PLAIN = 1024   /* a fixed count of more bytes is laid out as a list */
};

/* Flags. */
enum { TSL_RECBLOCK_ZSTD = 1, TSL_RECBLOCK_CONTINUED = 2, TSL_RECBLOCK_GOES_ON = 4 };

/* What the schema means for the layout. */
struct tsl_reclayout {
    size_t ncolumns;
    struct tsl_reclayout_column {
        bool listed;    /* each record's values have an end of their own */
        bool text;      /* and so do each value's bytes */
        unsigned bits;  /* of a value in the file; 0: any number of bytes */
        unsigned size;  /* bytes of a value in memory; 1 for bytes of a string */
        uint32_t count; /* values in each record; 0: any number */
    } columns[TSL_COLUMNS_MAX];
    uint64_t record_bits; /* of a record, without what is in its lists */
    uint64_t lists_bits;  /* of that, the ends of lists */
    size_t slack_bytes;   /* that padding may take in a block, at most */
};
void tsl_reclayout_init(struct tsl_reclayout *l, const struct tsl_schema *s);

struct tsl_recblock_head {
    uint32_t flags, nrecords, raw, stored;
    uint64_t number; /* of the block */
    uint64_t first;  /* number of the first record of which anything is here */
    uint64_t cut;    /* bit c: the last string of column c goes on in the next block */
    uint64_t sum;
};
/* Writes the head, its sum included: seed is the file header's sum; payload as stored, padded
 * to a multiple of 8. */
void tsl_recblock_put(uint8_t *p, struct tsl_recblock_head *h, const uint8_t *payload,
                      uint64_t seed);
/* 0, or what is wrong with it.  raw_max: what the file's header promises. */
const char *tsl_recblock_get(struct tsl_recblock_head *h, const uint8_t *p,
                             uint32_t raw_max);
uint64_t tsl_recblock_sum(const uint8_t *head, const uint8_t *payload, size_t stored,
                          uint64_t seed);
bool tsl_recblock_is(const uint8_t *p);

static inline uint64_t tsl_pad8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

/* Where a block's columns lie. */
struct tsl_recblock {
    struct tsl_recblock_head head;
    bool continued, goes_on;
    struct tsl_recblock_column {
        const uint32_t *ends;  /* [nrecords], of a listed column */
        const uint32_t *sends; /* [nvalues], of strings */
        const uint8_t *values; /* bits are packed */
        uint32_t nvalues;
        uint32_t nbytes; /* of values */
    } columns[TSL_COLUMNS_MAX];
};

/* Finds the columns in payload (head.raw bytes, aligned to 8): NULL, or what is wrong. */
const char *tsl_recblock_view(struct tsl_recblock *b, const struct tsl_reclayout *l,
                              const struct tsl_recblock_head *h, const uint8_t *payload);
/* Checks all that a view takes for granted: ends that ascend, counts, padding.  NULL, or what is
 * wrong. */
const char *tsl_recblock_check(const struct tsl_recblock *b,
                               const struct tsl_reclayout *l);

#endif

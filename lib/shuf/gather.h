/* gather.h - one bucket into its final order: loaded, sorted by key, and laid out as the
 * bytes that will be written.
 *
 * Order: ascending (key, address), which is the shuffle's order.  A bucket holds all rows
 *   whose keys begin with its prefix, so buckets laid end to end are the whole shuffle.
 * Memory: tsl_gather_need tells what a bucket takes besides its chunks; init sets it
 *   aside once and it is used for one bucket after the other.
 * Threads: one owner at a time.
 * Source: distribution by the key's next bits, then insertion into a handful of
 *   neighbours; linear for keys that are uniform. */
#ifndef TSL_GATHER_H
#define TSL_GATHER_H

#include "base/key.h"
#include "base/slice.h"
#include "io/frame.h"
#include "shuf/bigrow.h"
#include "shuf/scatter.h"

struct tsl_gather_opts {
    struct tsl_store *store;
    struct tsl_bigrows *bigs;
    size_t chunk_bytes;
    struct tsl_key key;
    struct tsl_frame frame;
    size_t nparts;   /* a row's parts: 1, or 1 + the files aligned with it */
    bool by_content; /* keys are of contents; equal rows are dropped but for the first */
    bool want_ends;  /* rows will be told apart by whoever writes */
    bool verify;
    uint64_t key_mask; /* all ones; tests clear low bits to force ties */
};

/* A long row among the others: its bytes belong at image[p] + at[p] for its parts p. */
struct tsl_gather_gap {
    size_t row; /* rank in this bucket */
    uint64_t id;
    uint32_t *at; /* nparts of them */
};

struct tsl_gather {
    const struct tsl_gather_opts *o;
    uint8_t *memory; /* need bytes, carved up anew for each bucket */
    size_t memory_bytes;
    /* the result */
    size_t nrows;
    uint8_t **image; /* nparts of them */
    size_t *image_len;
    uint32_t **ends; /* with want_ends: [part][row], where the row ends in the image */
    struct tsl_gather_gap *gaps;
    size_t ngaps, gaps_cap;
    uint32_t *gap_at;
    size_t gap_at_cap;
    struct tsl_tally dropped; /* by_content: the later ones of equal rows */
};

/* Bytes for a bucket of that tally, in nblocks blocks; SIZE_MAX when it is too large to
 * be gathered at all and must be split. */
size_t tsl_gather_need(const struct tsl_gather_opts *o, const struct tsl_tally *t,
                       size_t nblocks);

int tsl_gather_init(struct tsl_gather *g, const struct tsl_gather_opts *o, size_t bytes,
                    struct tsl_err *err);
void tsl_gather_fini(struct tsl_gather *g);

/* Uses the bucket up.  claimed: see tsl_store_load.  The result stays good until the
 * next. */
int tsl_gather_run(struct tsl_gather *g, struct tsl_bucket *b, bool claimed,
                   struct tsl_err *err);

/* by_content only: drops equal rows and scatters the others, instead of laying them out;
 * for who must know how many there are before the first one is written.  g->dropped and
 * g->nrows tell; the bucket is used up. */
int tsl_gather_distinct(struct tsl_gather *g, struct tsl_bucket *b, bool claimed,
                        struct tsl_scatter *to, struct tsl_err *err);

/* A row of several parts as it is stored: the lengths of parts 1.., then all bytes.
 * Returns the bytes of the lengths; part_len[0 .. nparts). */
size_t tsl_parts_read(const uint8_t *row, size_t len, size_t nparts, size_t *part_len);
/* The inverse: writes the lengths to p (at most 5 bytes a part), returns their bytes. */
size_t tsl_parts_write(uint8_t *p, const size_t *part_len, size_t nparts);

#endif

/* scatter.h - rows into buckets by the high bits of their keys.
 *
 * Order: within a bucket by nothing in particular; the bucket a row goes to depends on
 *   its key alone.
 * Memory: one chunk a bucket for each scatter, taken from the store when first needed.
 * Threads: each thread scatters with a tsl_scatter of its own into the same buckets. */
#ifndef TSL_SCATTER_H
#define TSL_SCATTER_H

#include "base/hash.h"
#include "base/rowbatch.h"
#include "shuf/blockstore.h"
#include "shuf/rowblock.h"

/* What went into a bucket. */
struct tsl_tally {
    uint64_t rows, bytes,
        refs;            /* bytes: of the rows themselves; refs: rows stored elsewhere */
    uint64_t ref_bytes;  /* of bytes, what the refs account for */
    struct tsl_u128 sum; /* of the rows' hashes */
};

static inline void tsl_tally_add(struct tsl_tally *t, const struct tsl_tally *x)
{
    t->rows += x->rows;
    t->bytes += x->bytes;
    t->refs += x->refs;
    t->ref_bytes += x->ref_bytes;
    tsl_u128_add(&t->sum, x->sum);
}

/* Rows whose keys begin with the same bits. */
struct tsl_bucket {
    struct tsl_blocklist blocks;
    struct tsl_tally tally;
    uint64_t prefix; /* the keys' common high bits, at the top; the rest 0 */
    unsigned bits;   /* how many */
};

struct tsl_scatter {
    struct tsl_store *store;
    struct tsl_bucket *buckets; /* 1 << log_n of them */
    unsigned log_n, bits; /* the key's bits [bits, bits + log_n) choose the bucket */
    size_t chunk_bytes;
    struct tsl_rowwriter *writers;
    struct tsl_tally *tallies;
    struct tsl_block_tune tune; /* of blocks begun from now on */
};

int tsl_scatter_init(struct tsl_scatter *s, struct tsl_store *store, size_t chunk_bytes,
                     struct tsl_bucket *buckets, unsigned log_n, unsigned bits,
                     struct tsl_err *err);

TSL_INLINE size_t tsl_scatter_bucket(const struct tsl_scatter *s, uint64_t key)
{
    return s->log_n ? (size_t)(key << s->bits >> (64 - s->log_n)) : 0;
}

/* A row with this key will be put soon: its bucket's writer is wanted. */
TSL_INLINE void tsl_scatter_prefetch(const struct tsl_scatter *s, uint64_t key)
{
    const struct tsl_rowwriter *w = &s->writers[tsl_scatter_bucket(s, key)];
    TSL_PREFETCH(&s->tallies[tsl_scatter_bucket(s, key)]);
    if (w->chunk) {
        TSL_PREFETCH(w->chunk + w->head);
        TSL_PREFETCH(w->chunk + w->head + 64);
        TSL_PREFETCH(w->chunk + w->tail - 8);
    }
}

/* Puts the bucket's full chunk into the store and begins another. */
int tsl_scatter_turn(struct tsl_scatter *s, size_t bucket, uint64_t addr,
                     struct tsl_err *err);

/* One row of at most tsl_rowwriter_max bytes.  slack: see tsl_rowwriter_put. */
TSL_INLINE int tsl_scatter_row(struct tsl_scatter *s, uint64_t key, uint64_t addr,
                               const uint8_t *p, uint32_t len, struct tsl_u128 hash,
                               bool slack, struct tsl_err *err)
{
    size_t b = tsl_scatter_bucket(s, key);
    struct tsl_rowwriter *w = &s->writers[b];
    if (TSL_UNLIKELY(!w->chunk || !tsl_rowwriter_fits(w, len))) {
        int rc = tsl_scatter_turn(s, b, addr, err);
        if (rc < 0)
            return rc;
    }
    tsl_rowwriter_put(w, addr, p, len, slack);
    struct tsl_tally *t = &s->tallies[b];
    t->rows++;
    t->bytes += len;
    tsl_u128_add(&t->sum, hash);
    return 0;
}

/* A row that is stored elsewhere: id tells where, len and hash are the whole row's. */
int tsl_scatter_ref(struct tsl_scatter *s, uint64_t key, uint64_t addr, uint64_t id,
                    uint64_t len, struct tsl_u128 hash, struct tsl_err *err);

/* Puts the begun chunks into the store and adds the tallies to the buckets.  Not at the
 * same time for two scatters into the same buckets. */
int tsl_scatter_finish(struct tsl_scatter *s, struct tsl_err *err);

/* Gives begun chunks back. */
void tsl_scatter_fini(struct tsl_scatter *s);

#endif

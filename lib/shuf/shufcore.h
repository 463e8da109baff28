/* shufcore.h - the shuffle itself, between rows coming in and buckets going out.
 *
 * Private to this room: shuffler.h is the face for programs, shufjob.h the one for whole
 * files.
 * Life: init, then scatters (one a thread) until each is finished, then begin_output,
 *   then next until it returns 0, each bucket gathered by whoever got it.
 * Order and memory: as in scatter.h, gather.h and blockstore.h.
 * Threads: next has one caller; scatters and gathers run beside each other. */
#ifndef TSL_SHUFCORE_H
#define TSL_SHUFCORE_H

#include <stdatomic.h>

#include "shuf/gather.h"
#include "shuf/shufplan.h"

struct tsl_shufcore_opts {
    uint64_t seed;
    struct tsl_frame frame;
    size_t nparts;
    bool by_content, want_ends, verify;
    uint64_t key_mask; /* see gather.h */
    const char *const *dirs;
    size_t ndirs;
    enum tsl_codec temp_codec;
    int temp_level;
    bool temp_auto, temp_scarce;
    uint64_t head; /* only so many first rows are wanted; UINT64_MAX: all */
    uint64_t cut;  /* rows with larger keys are not wanted */
    struct tsl_progress *progress;
};

/* Counts rows by the size of their keys, finely enough to tell which keys the head can do
 * without: 64 bins for each power of two. */
enum { TSL_CUT_BINS = 64 * 64 };

struct tsl_shufcore {
    struct tsl_shufcore_opts o;
    struct tsl_shufplan plan;
    struct tsl_store *store;
    struct tsl_bigrows bigs;
    struct tsl_gather_opts gather;
    struct tsl_bucket *buckets; /* the first ones, 1 << plan.log_buckets */
    struct tsl_bucket_group {
        struct tsl_bucket *buckets;
        size_t n;
    } * groups; /* all there ever were */
    size_t ngroups, groups_cap;
    _Atomic(uint64_t) cut;     /* falls while rows come in */
    struct tsl_mutex cut_lock; /* guards bins */
    uint64_t *bins;            /* NULL without a head */
    /* output: buckets still to come, the next one last */
    struct tsl_bucket **stack;
    size_t nstack, stack_cap;
    size_t gather_bytes; /* of each of the njobs gathers */
    size_t job_bytes;    /* what one of them may take together with its chunks */
    size_t job_blocks;   /* a bucket of more blocks, or of more gather_bytes, is split */
    unsigned njobs;
    struct tsl_tally dropped; /* equal rows dropped while splitting */
    uint64_t splits;
};

int tsl_shufcore_init(struct tsl_shufcore *c, const struct tsl_shufcore_opts *o,
                      const struct tsl_shufplan *plan, struct tsl_err *err);
void tsl_shufcore_fini(struct tsl_shufcore *c);

int tsl_shufcore_scatter(struct tsl_shufcore *c, struct tsl_scatter *s,
                         struct tsl_err *err);

/* The key of a row; contents is used only by_content (the hash of its first part). */
TSL_INLINE uint64_t tsl_shufcore_key(const struct tsl_shufcore *c, uint64_t addr,
                                     struct tsl_u128 content)
{
    uint64_t k = c->o.by_content ? tsl_key_at128(&c->gather.key, content)
                                 : tsl_key_at(&c->gather.key, addr);
    return k & c->o.key_mask;
}

TSL_INLINE bool tsl_shufcore_wants(const struct tsl_shufcore *c, uint64_t key)
{
    return key <= atomic_load_explicit(&c->cut, memory_order_relaxed);
}

static inline size_t tsl_cut_bin(uint64_t key)
{
    unsigned e = key ? 63 - (unsigned)__builtin_clzll(key) : 0;
    return e < 6 ? (size_t)key : (size_t)(e - 5) * 64 + (size_t)(key >> (e - 6) & 63);
}

/* Adds what a thread has counted (and clears it), and lowers the cut. */
void tsl_shufcore_lower_cut(struct tsl_shufcore *c, uint64_t *bins);

/* Stores a row too long for a block; parts as in gather.h. */
int tsl_shufcore_put_long(struct tsl_shufcore *c, struct tsl_scatter *s, uint64_t key,
                          uint64_t addr, const uint8_t *row, size_t len,
                          struct tsl_err *err);

/* Stores a row of any length.  hash: of the row as stored. */
TSL_INLINE int tsl_shufcore_put(struct tsl_shufcore *c, struct tsl_scatter *s,
                                uint64_t key, uint64_t addr, const uint8_t *row,
                                size_t len, struct tsl_u128 hash, bool slack,
                                struct tsl_err *err)
{
    if (TSL_UNLIKELY(len > tsl_rowwriter_max(c->plan.chunk_bytes)))
        return tsl_shufcore_put_long(c, s, key, addr, row, len, err);
    return tsl_scatter_row(s, key, addr, row, (uint32_t)len, hash, slack, err);
}

/* A hint for the blocks begun next, from the rows of a batch. */
void tsl_shufcore_tune(struct tsl_scatter *s, const struct tsl_row *rows, size_t n,
                       size_t span_bytes);

/* All scatters are finished.  freed: bytes that the input side no longer holds; used:
 * bytes that the output side will hold.  nthreads: gathers that may run at the same time.
 */
int tsl_shufcore_begin_output(struct tsl_shufcore *c, int64_t freed, int64_t used,
                              unsigned nthreads, struct tsl_err *err);

/* The next bucket, its chunks claimed: 1, or 0 at the end.  Good until fini. */
int tsl_shufcore_next(struct tsl_shufcore *c, struct tsl_bucket **b, struct tsl_err *err);
/* by_content only, after begin_output: drops all equal rows now, so that c->dropped is
 * known before the first next.  Costs one more pass over what is on disk. */
int tsl_shufcore_settle(struct tsl_shufcore *c, struct tsl_err *err);

/* Gives back what the bucket still holds. */
void tsl_shufcore_drop(struct tsl_shufcore *c, struct tsl_bucket *b);

/* What all rows that are stored add up to. */
struct tsl_tally tsl_shufcore_stored(const struct tsl_shufcore *c);

#endif

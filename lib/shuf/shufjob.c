#include "shuf/shufjob.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "io/rowstream.h"
#include "par/pipeline.h"
#include "par/thread.h"
#include "shuf/shufcore.h"

/* What goes down the input pipeline: rows, or one long row that is stored already. */
struct batch {
    struct tsl_rowbatch b;
    bool is_ref;
    uint64_t ref_id, ref_addr;
    struct tsl_bigrow ref;
};

/* Of one worker of the input pipeline. */
struct worker {
    struct tsl_scatter scatter;
    uint64_t *bins; /* see shufcore.h; NULL without a head */
    uint64_t rows, bytes;
};

struct job {
    const struct tsl_shufjob_opts *o;
    struct tsl_shufjob_stats *st;
    struct tsl_shufcore core;
    struct tsl_outset *out;
    size_t nparts;
    /* input: one stream of batches, or several read in step */
    struct tsl_inputs *in;
    struct tsl_rowstream *streams;
    struct tsl_rowpiece *pending; /* the next row of each stream */
    bool has_pending;
    uint64_t step_rows;
    struct worker *workers;
    /* output */
    _Atomic(uint64_t) rows_left; /* of head; the writer counts, the reader looks */
    const uint8_t *header[TSL_ALIGNED_MAX + 1];
    size_t header_len[TSL_ALIGNED_MAX + 1];
};

static void set_phase(const struct tsl_shufjob_opts *o, enum tsl_phase phase)
{
    if (o->progress)
        atomic_store(&o->progress->phase, (int)phase);
}

/* ---- input ---- */

/* A long row goes into the store on the reader's thread, piece by piece. */
static int store_long(struct job *j, struct batch *x, struct tsl_err *err)
{
    struct tsl_bigrows *bigs = &j->core.bigs;
    int rc = tsl_bigrows_begin(bigs, err);
    if (rc < 0)
        return rc;
    struct tsl_place place;
    if (tsl_inputs_place(j->in, &place))
        tsl_bigrows_lies(bigs, &place);
    x->is_ref = true;
    x->ref_addr = x->b.addr;
    for (;;) {
        rc = tsl_bigrows_add(bigs, x->b.bytes + x->b.rows[0].at, x->b.rows[0].len, err);
        if (rc < 0 || x->b.last)
            break;
        rc = tsl_inputs_next(j->in, &x->b, err);
        if (rc < 0)
            break;
        assert(rc == 1 && x->b.kind == TSL_BATCH_PIECE);
    }
    if (rc < 0) {
        tsl_bigrows_abandon(bigs);
        return rc;
    }
    rc = tsl_bigrows_end(bigs, &x->ref_id, &x->ref, err);
    return rc < 0 ? rc : 1;
}

static int read_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct batch *x = item;
    x->is_ref = false;
    x->b.addrs = NULL;
    int rc = tsl_inputs_next(j->in, &x->b, err);
    if (rc == 1 && x->b.kind == TSL_BATCH_PIECE)
        rc = store_long(j, x, err);
    return rc;
}

static struct tsl_quoted shown(const char *path)
{
    struct tsl_quoted q = { "standard input" };
    return strcmp(path, "-") == 0 ? q : tsl_quote(path);
}

/* Gets the next row of each stream: 1, or 0 when all have ended at the same row. */
static int step(struct job *j, struct tsl_err *err)
{
    size_t ended = 0, first_ended = 0, first_more = 0;
    if (j->has_pending)
        return 1;
    for (size_t p = 0; p < j->nparts; p++) {
        int rc = tsl_rowstream_next(&j->streams[p], &j->pending[p], err);
        if (rc < 0)
            return rc;
        if (rc == 0 && ended++ == 0)
            first_ended = p;
        if (rc == 1 && p - ended == 0)
            first_more = p;
    }
    if (ended == j->nparts)
        return 0;
    if (ended) {
        const char *shorter = first_ended ? j->o->aligned[first_ended - 1] : NULL;
        const char *longer = first_more ? j->o->aligned[first_more - 1] : NULL;
        const char *input = j->o->npaths == 1 ? j->o->paths[0] : "the input";
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s has %" PRIu64 " rows, %s has more: they are not aligned",
                           shown(shorter ? shorter : input).s, j->step_rows,
                           shown(longer ? longer : input).s);
    }
    j->step_rows++;
    j->has_pending = true;
    return 1;
}

/* The pending rows, at least one of them too long for a batch: each is a part of a long
 * row. */
static int store_long_parts(struct job *j, struct batch *x, struct tsl_err *err)
{
    struct tsl_bigrows *bigs = &j->core.bigs;
    int rc = tsl_bigrows_begin(bigs, err);
    if (rc < 0)
        return rc;
    x->is_ref = true;
    x->ref_addr = j->pending[0].addr;
    for (size_t p = 0; p < j->nparts && rc >= 0; p++) {
        struct tsl_rowpiece *piece = &j->pending[p];
        if (p > 0)
            tsl_bigrows_next_part(bigs);
        for (;;) {
            rc = tsl_bigrows_add(bigs, piece->data, piece->len, err);
            if (rc < 0 || piece->last)
                break;
            rc = tsl_rowstream_next(&j->streams[p], piece, err);
            if (rc < 0)
                break;
            assert(rc == 1 && !piece->first);
        }
    }
    if (rc < 0) {
        tsl_bigrows_abandon(bigs);
        return rc;
    }
    j->has_pending = false;
    rc = tsl_bigrows_end(bigs, &x->ref_id, &x->ref, err);
    return rc < 0 ? rc : 1;
}

/* A batch of rows of several parts: row i of every stream, stored as one. */
static int read_aligned(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct batch *x = item;
    struct tsl_rowbatch *b = &x->b;
    b->len = b->nrows = 0;
    x->is_ref = false;
    for (;;) {
        int rc = step(j, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            return b->nrows > 0;
        size_t total = 5 * j->nparts, len[TSL_ALIGNED_MAX + 1];
        bool whole = true;
        for (size_t p = 0; p < j->nparts; p++) {
            whole &= j->pending[p].last;
            total += j->pending[p].len;
            len[p] = j->pending[p].len;
        }
        if (!whole || total > b->cap) {
            if (b->nrows > 0)
                return 1; /* what came before it goes first */
            return store_long_parts(j, x, err);
        }
        if (total > b->cap - b->len || b->nrows == b->rows_cap)
            return 1;
        size_t at = b->len;
        b->len += tsl_parts_write(b->bytes + b->len, len, j->nparts);
        for (size_t p = 0; p < j->nparts; p++) {
            memcpy(b->bytes + b->len, j->pending[p].data, len[p]);
            b->len += len[p];
        }
        b->addrs[b->nrows] = j->pending[0].addr;
        b->rows[b->nrows++] = (struct tsl_row){ (uint32_t)at, (uint32_t)(b->len - at) };
        j->has_pending = false;
    }
}

static struct tsl_u128 content_hash(const struct job *j, const uint8_t *p, size_t len)
{
    if (j->nparts > 1) {
        size_t part_len[TSL_ALIGNED_MAX + 1];
        size_t at = tsl_parts_read(p, len, j->nparts, part_len);
        return tsl_hash128(p + at, part_len[0]);
    }
    return tsl_hash128(p, len);
}

/* How many of a stored row's bytes are its parts' lengths. */
static inline size_t lengths_bytes(const struct job *j, const uint8_t *p, size_t len)
{
    size_t part_len[TSL_ALIGNED_MAX + 1];
    return j->nparts > 1 ? tsl_parts_read(p, len, j->nparts, part_len) : 0;
}

/* scatter_rows for what most runs are: all rows wanted, keyed by address.  Keys of a
 * group first, so that the places they lead to are on their way before they are needed. */
static int scatter_plain(struct job *j, struct worker *w, const struct tsl_rowbatch *b,
                         struct tsl_err *err)
{
    enum { GROUP = 32 };
    struct tsl_shufcore *c = &j->core;
    struct tsl_scatter *s = &w->scatter;
    const size_t head = tsl_frame_head(&j->o->frame_in), nrows = b->nrows;
    const bool verify = j->o->verify;
    const struct tsl_u128 none = { 0, 0 };
    const struct tsl_row *rows = b->rows;
    const uint8_t *bytes = b->bytes;
    uint64_t total = 0, keys[GROUP];
    for (size_t from = 0; from < nrows; from += GROUP) {
        size_t n = nrows - from < GROUP ? nrows - from : GROUP;
        for (size_t i = 0; i < n; i++) {
            keys[i] = tsl_shufcore_key(c, b->addr + rows[from + i].at - head, none);
            tsl_scatter_prefetch(s, keys[i]);
        }
        for (size_t i = 0; i < n; i++) {
            struct tsl_row r = rows[from + i];
            struct tsl_u128 hash = none;
            if (verify)
                hash = tsl_hash_row(bytes + r.at, r.len, true);
            int rc = tsl_shufcore_put(c, s, keys[i], b->addr + r.at - head, bytes + r.at,
                                      r.len, hash, true, err);
            if (rc < 0)
                return rc;
            total += r.len;
        }
    }
    w->rows += nrows;
    w->bytes += total;
    return 0;
}

/* Rows that are split already, into buckets. */
static int scatter_rows(struct job *j, struct worker *w, const struct tsl_rowbatch *b,
                        struct tsl_err *err)
{
    struct tsl_shufcore *c = &j->core;
    const struct tsl_shufjob_opts *o = j->o;
    size_t head = tsl_frame_head(&o->frame_in);
    struct tsl_u128 hash = { 0, 0 }, content = { 0, 0 };
    if (!o->unique && !w->bins && !b->addrs && tsl_shufcore_wants(c, UINT64_MAX))
        return scatter_plain(j, w, b, err);
    w->rows += b->nrows;
    for (size_t i = 0; i < b->nrows; i++) {
        const uint8_t *p = b->bytes + b->rows[i].at;
        uint32_t len = b->rows[i].len;
        uint64_t addr = b->addrs ? b->addrs[i] : b->addr + b->rows[i].at - head;
        w->bytes += len - lengths_bytes(j, p, len);
        if (o->unique)
            content = content_hash(j, p, len);
        uint64_t key = tsl_shufcore_key(c, addr, content);
        if (!tsl_shufcore_wants(c, key))
            continue;
        if (w->bins)
            w->bins[tsl_cut_bin(key)]++;
        if (o->verify)
            hash = tsl_hash_row(p, len, true);
        int rc = tsl_shufcore_put(c, &w->scatter, key, addr, p, len, hash, true, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int work_batch(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct worker *w = &j->workers[worker];
    struct batch *x = item;
    struct tsl_rowbatch *b = &x->b;
    uint64_t rows = w->rows, bytes = w->bytes;
    int rc = 0;
    if (x->is_ref) {
        uint64_t key = tsl_shufcore_key(&j->core, x->ref_addr, x->ref.part_hash);
        w->rows++;
        w->bytes += x->ref.len;
        if (tsl_shufcore_wants(&j->core, key)) {
            if (w->bins)
                w->bins[tsl_cut_bin(key)]++;
            rc = tsl_scatter_ref(&w->scatter, key, x->ref_addr, x->ref_id, x->ref.len,
                                 x->ref.hash, err);
        }
    } else if (b->addrs) {
        tsl_shufcore_tune(&w->scatter, b->rows, b->nrows, b->len);
        rc = scatter_rows(j, w, b, err);
    } else {
        for (size_t at = 0; at < b->len && rc == 0;) {
            size_t from = at;
            at = tsl_frame_split(&j->o->frame_in, b->bytes, b->len, at, b->rows,
                                 b->rows_cap, &b->nrows);
            tsl_shufcore_tune(&w->scatter, b->rows, b->nrows, at - from);
            rc = scatter_rows(j, w, b, err);
        }
    }
    if (w->bins)
        tsl_shufcore_lower_cut(&j->core, w->bins);
    if (j->o->progress) {
        atomic_fetch_add_explicit(&j->o->progress->rows_in, w->rows - rows,
                                  memory_order_relaxed);
        atomic_fetch_add_explicit(&j->o->progress->bytes_in, w->bytes - bytes,
                                  memory_order_relaxed);
    }
    return rc;
}

static void wake(void *ctx)
{
    struct job *j = ctx;
    tsl_store_cancel(j->core.store);
}

static void free_batches(struct batch *x, size_t n)
{
    for (size_t i = 0; x && i < n; i++) {
        tsl_pages_unmap(x[i].b.bytes, x[i].b.cap + TSL_BATCH_SLACK);
        tsl_pages_unmap(x[i].b.rows, x[i].b.rows_cap * sizeof *x[i].b.rows);
        tsl_mem_free(x[i].b.addrs);
    }
    tsl_mem_free(x);
}

static int make_batches(const struct job *j, struct batch **out, struct tsl_err *err)
{
    const struct tsl_shufplan *plan = &j->core.plan;
    struct batch *x = tsl_mem_alloc(plan->nbatches, sizeof *x, "batches", err);
    bool ok = x != NULL;
    for (size_t i = 0; ok && i < plan->nbatches; i++) {
        struct tsl_rowbatch *b = &x[i].b;
        b->cap = plan->batch_bytes;
        b->rows_cap = plan->batch_rows;
        b->bytes = tsl_pages_map(b->cap + TSL_BATCH_SLACK, "a batch", err);
        b->rows = tsl_pages_map(b->rows_cap * sizeof *b->rows, "a batch", err);
        if (j->nparts > 1)
            b->addrs = tsl_mem_alloc(b->rows_cap, sizeof *b->addrs, "a batch", err);
        ok = b->bytes && b->rows && (b->addrs || j->nparts == 1);
    }
    if (!ok) {
        free_batches(x, plan->nbatches);
        return TSL_ENOMEM;
    }
    *out = x;
    return 0;
}

static struct tsl_inputs_opts inputs_opts(const struct job *j, char *const *paths,
                                          size_t n)
{
    return (struct tsl_inputs_opts){
        .paths = paths,
        .npaths = n,
        .frame = j->o->frame_in,
        .header_rows = j->o->header_rows,
        .batch_bytes = j->core.plan.batch_bytes,
        .window_max = j->core.plan.window_max,
        .progress = j->o->progress,
    };
}

static int open_inputs(struct job *j, struct tsl_err *err)
{
    const struct tsl_shufjob_opts *o = j->o;
    struct tsl_inputs_opts io = inputs_opts(j, o->paths, o->npaths);
    io.memory = o->rows_given;
    io.memory_len = o->rows_given_len;
    if (j->nparts == 1)
        return tsl_inputs_create(&j->in, &io, err);
    j->streams = tsl_mem_alloc(j->nparts, sizeof *j->streams, "aligned files", err);
    j->pending = tsl_mem_alloc(j->nparts, sizeof *j->pending, "aligned files", err);
    int rc = j->streams && j->pending ? 0 : TSL_ENOMEM;
    for (size_t p = 0; p < j->nparts && rc == 0; p++) {
        if (p > 0)
            io = inputs_opts(j, o->aligned + p - 1, 1);
        rc = tsl_rowstream_init(&j->streams[p], &io, err);
    }
    return rc;
}

static void close_workers(struct job *j)
{
    for (unsigned i = 0; j->workers && i < j->core.plan.nthreads; i++) {
        if (j->workers[i].scatter.store)
            tsl_scatter_fini(&j->workers[i].scatter);
        tsl_mem_free(j->workers[i].bins);
    }
    tsl_mem_free(j->workers);
    j->workers = NULL;
}

/* Everything that is wanted, into buckets. */
static int take_in(struct job *j, struct tsl_err *err)
{
    struct tsl_shufcore *c = &j->core;
    unsigned n = c->plan.nthreads;
    struct batch *batches = NULL;
    void **items = tsl_mem_alloc(c->plan.nbatches, sizeof *items, "batches", err);
    int rc = TSL_ENOMEM;
    j->workers = tsl_mem_alloc(n, sizeof *j->workers, "workers", err);
    if (!items || !j->workers)
        goto out;
    rc = make_batches(j, &batches, err);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = tsl_shufcore_scatter(c, &j->workers[i].scatter, err);
        if (rc == 0 && c->bins) {
            j->workers[i].bins =
                tsl_mem_alloc(TSL_CUT_BINS, sizeof(uint64_t), "workers", err);
            rc = j->workers[i].bins ? 0 : TSL_ENOMEM;
        }
    }
    if (rc == 0)
        rc = open_inputs(j, err);
    if (rc < 0)
        goto out;
    for (size_t i = 0; i < c->plan.nbatches; i++)
        items[i] = &batches[i];
    struct tsl_pipeline p = {
        .read = j->nparts > 1 ? read_aligned : read_batch,
        .work = work_batch,
        .cancel = wake,
        .ctx = j,
        .items = items,
        .nitems = (unsigned)c->plan.nbatches,
        .nthreads = n,
    };
    set_phase(j->o, TSL_PHASE_READ);
    rc = tsl_pipeline_run(&p, err);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = tsl_scatter_finish(&j->workers[i].scatter, err);
        j->st->rows_read += j->workers[i].rows;
        j->st->bytes_read += j->workers[i].bytes;
    }
out:
    close_workers(j);
    free_batches(batches, c->plan.nbatches);
    tsl_mem_free(items);
    return rc;
}

/* ---- output ---- */

struct bucket_job {
    struct tsl_gather gather;
    struct tsl_bucket *bucket;
};

static int next_bucket(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct bucket_job *x = item;
    if (atomic_load(&j->rows_left) == 0)
        return 0; /* the head is out: the rest need not be loaded */
    return tsl_shufcore_next(&j->core, &x->bucket, err);
}

static int gather_bucket(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct bucket_job *x = item;
    (void)worker, (void)j;
    return tsl_gather_run(&x->gather, x->bucket, true, err);
}

static int write_piece(void *ctx, size_t part, const uint8_t *p, size_t n,
                       struct tsl_err *err)
{
    struct job *j = ctx;
    return tsl_outset_write(j->out, part, p, n, err);
}

/* Part p of rows [from, to): their stretch of the image, long rows put in at their gaps.
 */
static int write_part(struct job *j, const struct tsl_gather *g, size_t p, size_t start,
                      size_t end, size_t from, size_t to, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < g->ngaps && rc == 0; i++) {
        const struct tsl_gather_gap *gap = &g->gaps[i];
        if (gap->row < from || gap->row >= to)
            continue;
        rc = tsl_outset_write(j->out, p, g->image[p] + start, gap->at[p] - start, err);
        start = gap->at[p];
        /* with several parts a long row's pieces come part by part: the caller sends them
         */
        if (rc == 0)
            rc = tsl_bigrows_stream(&j->core.bigs, gap->id, false, write_piece, j, err);
    }
    return rc < 0 ? rc
                  : tsl_outset_write(j->out, p, g->image[p] + start, end - start, err);
}

/* With several parts: rows [from, to) in stretches without a long row, and the long ones
 * by themselves, heads, bytes and tails of all parts at once. */
static int write_parts(struct job *j, const struct tsl_gather *g, size_t from, size_t to,
                       struct tsl_err *err)
{
    size_t np = j->nparts, start[TSL_ALIGNED_MAX + 1];
    int rc = 0;
    for (size_t p = 0; p < np; p++)
        start[p] = from ? g->ends[p][from - 1] : 0;
    for (size_t i = 0; i < g->ngaps && rc == 0; i++) {
        const struct tsl_gather_gap *gap = &g->gaps[i];
        if (gap->row < from || gap->row >= to)
            continue;
        for (size_t p = 0; p < np && rc == 0; p++) {
            rc = tsl_outset_write(j->out, p, g->image[p] + start[p],
                                  gap->at[p] - start[p], err);
            start[p] = gap->at[p];
        }
        if (rc == 0)
            rc = tsl_bigrows_stream(&j->core.bigs, gap->id, false, write_piece, j, err);
    }
    for (size_t p = 0; p < np && rc == 0; p++)
        rc = tsl_outset_write(j->out, p, g->image[p] + start[p],
                              g->ends[p][to - 1] - start[p], err);
    return rc;
}

/* Bytes of part 0 of rows [from, to), long rows included. */
static uint64_t bytes_between(struct job *j, const struct tsl_gather *g, size_t from,
                              size_t to)
{
    uint64_t n = g->ends[0][to - 1] - (from ? g->ends[0][from - 1] : 0);
    for (size_t i = 0; i < g->ngaps; i++)
        if (g->gaps[i].row >= from && g->gaps[i].row < to) {
            struct tsl_bigrow b = tsl_bigrows_get(&j->core.bigs, g->gaps[i].id);
            n += b.part_len ? b.part_len[0] : b.len;
        }
    return n;
}

/* The most rows from from on, up to to, that take at most bytes. */
static size_t rows_within(struct job *j, const struct tsl_gather *g, size_t from,
                          size_t to, uint64_t bytes)
{
    size_t lo = from, hi = to; /* rows [from, lo) fit */
    while (lo < hi) {
        size_t mid = lo + (hi - lo + 1) / 2;
        if (bytes_between(j, g, from, mid) <= bytes)
            lo = mid;
        else
            hi = mid - 1;
    }
    return lo;
}

static int write_rows(struct job *j, const struct tsl_gather *g, size_t n,
                      struct tsl_err *err)
{
    for (size_t from = 0; from < n;) {
        uint64_t rows, bytes;
        int rc = tsl_outset_room(j->out, &rows, &bytes, err);
        if (rc < 0)
            return rc;
        size_t to = n - from > rows ? from + (size_t)rows : n;
        if (bytes != UINT64_MAX) {
            size_t fit = rows_within(j, g, from, to, bytes);
            if (fit == from && bytes < j->o->out.shard_bytes) {
                rc = tsl_outset_turn(j->out, err);
                if (rc < 0)
                    return rc;
                continue;
            }
            to = fit > from ? fit : from + 1; /* a row larger than a shard has its own */
        }
        rc = write_parts(j, g, from, to, err);
        if (rc < 0)
            return rc;
        tsl_outset_count(j->out, to - from);
        from = to;
    }
    return 0;
}

/* Bytes of the first n rows themselves, all parts, long rows included. */
static uint64_t row_bytes(struct job *j, const struct tsl_gather *g, size_t n)
{
    uint64_t bytes = 0,
             edges = tsl_frame_head(&j->o->frame) + tsl_frame_tail(&j->o->frame);
    for (size_t p = 0; p < j->nparts; p++)
        bytes += (n == g->nrows ? g->image_len[p] : g->ends[p][n - 1]) - n * edges;
    for (size_t i = 0; i < g->ngaps && g->gaps[i].row < n; i++)
        bytes += tsl_bigrows_get(&j->core.bigs, g->gaps[i].id).len;
    return bytes;
}

static int write_bucket(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct bucket_job *x = item;
    const struct tsl_gather *g = &x->gather;
    struct tsl_shufjob_stats *st = j->st;
    uint64_t left = atomic_load(&j->rows_left);
    size_t n = g->nrows < left ? g->nrows : (size_t)left;
    int rc;
    if (left != UINT64_MAX)
        atomic_store(&j->rows_left, left - n);
    st->rows_dropped += g->dropped.rows;
    if (n == 0)
        return 0;
    if (j->core.gather.want_ends) {
        rc = write_rows(j, g, n, err);
    } else {
        rc = write_part(j, g, 0, 0, g->image_len[0], 0, g->nrows, err);
        if (rc == 0)
            tsl_outset_count(j->out, n);
    }
    st->rows_out += n;
    st->row_bytes_out += row_bytes(j, g, n);
    tsl_u128_add(&st->sum_dropped, g->dropped.sum);
    if (n == g->nrows) {
        /* the gather has compared what it laid out with what went in */
        tsl_u128_add(&st->sum_out, x->bucket->tally.sum);
        tsl_u128_subtract(&st->sum_out, g->dropped.sum);
    }
    return rc;
}

/* Opens the first output, now that it is known how many rows there will be. */
static int begin_files(struct job *j, struct tsl_err *err)
{
    const struct tsl_shufjob_opts *o = j->o;
    uint64_t rows = j->st->in.rows - j->core.dropped.rows;
    rows = rows < o->head ? rows : o->head;
    if (o->progress)
        atomic_store(&o->progress->bytes_to_write,
                     j->st->in.bytes +
                         j->st->in.rows *
                             (tsl_frame_head(&o->frame) + tsl_frame_tail(&o->frame)) *
                             j->nparts);

    for (size_t p = 0; p < j->nparts; p++)
        tsl_inputs_header(j->nparts > 1 ? j->streams[p].in : j->in, &j->header[p],
                          &j->header_len[p]);
    return tsl_outset_begin(j->out, rows, j->header, j->header_len, err);
}

static int give_out(struct job *j, struct tsl_err *err)
{
    struct tsl_shufcore *c = &j->core;
    const struct tsl_shufjob_opts *o = j->o;
    unsigned n = c->plan.nthreads;
    struct bucket_job *jobs = NULL;
    void **items = NULL;
    int64_t used = tsl_outset_packs(j->out) ? (int64_t)n * 2 * TSL_CODEC_FRAME : 0;
    int rc = tsl_shufcore_begin_output(c, (int64_t)c->plan.batches_bytes, used, n, err);
    /* shares and equal shards are of the rows that will be left */
    if (rc == 0 && o->unique && (o->out.nsplits || o->out.shards))
        rc = tsl_shufcore_settle(c, err);
    if (rc == 0)
        rc = begin_files(j, err);
    if (rc < 0)
        return rc;
    jobs = tsl_mem_alloc(c->njobs, sizeof *jobs, "buckets", err);
    items = tsl_mem_alloc(c->njobs, sizeof *items, "buckets", err);
    rc = jobs && items ? 0 : TSL_ENOMEM;
    for (unsigned i = 0; i < c->njobs && rc == 0; i++) {
        rc = tsl_gather_init(&jobs[i].gather, &c->gather, c->gather_bytes, err);
        items[i] = &jobs[i];
    }
    if (rc == 0) {
        struct tsl_pipeline p = {
            .read = next_bucket,
            .work = gather_bucket,
            .write = write_bucket,
            .cancel = wake,
            .ctx = j,
            .items = items,
            .nitems = c->njobs,
            .nthreads = n + 2 < c->njobs ? n + 2 : c->njobs,
        };
        set_phase(o, TSL_PHASE_WRITE);
        rc = tsl_pipeline_run(&p, err);
    }
    for (unsigned i = 0; jobs && i < c->njobs; i++)
        if (jobs[i].gather.memory)
            tsl_gather_fini(&jobs[i].gather);
    tsl_mem_free(jobs);
    tsl_mem_free(items);
    return rc;
}

/* ---- the whole ---- */

int tsl_shufjob_plan(const struct tsl_shufjob_opts *o, struct tsl_shufplan *plan,
                     struct tsl_inputs_size *size, struct tsl_err *err)
{
    struct tsl_inputs_size more;
    int rc = 0;
    *size = (struct tsl_inputs_size){ 0 };
    if (o->rows_given)
        size->plain_bytes = o->rows_given_len;
    else if (o->head > 0) /* else nothing is opened, as shuf does it */
        rc = tsl_inputs_measure(o->paths, o->npaths, size, err);
    if (rc == 0 && o->naligned && o->head > 0) {
        rc = tsl_inputs_measure(o->aligned, o->naligned, &more, err);
        if (rc == 0) {
            size->plain_bytes += more.plain_bytes;
            size->packed_bytes += more.packed_bytes;
            size->unknown |= more.unknown;
        }
    }
    if (rc < 0)
        return rc;
    /* text shrinks to a third or a quarter; a wrong guess costs time, nothing else */
    uint64_t n = size->plain_bytes + 4 * size->packed_bytes;
    struct tsl_shufplan_in in = {
        .memory = o->memory,
        .nthreads = o->nthreads,
        .nparts = 1 + o->naligned,
        .input_bytes = size->unknown ? 0
                       : n           ? n
                                     : 1,
    };
    *plan = tsl_shufplan_make(&in);
    return 0;
}

static int check_space(const struct tsl_shufjob_opts *o, const struct tsl_shufplan *plan,
                       bool *scarce, struct tsl_err *err)
{
    uint64_t have = tsl_spill_free_bytes(o->dirs, o->ndirs);
    *scarce = plan->temp_bytes > have;
    bool all = o->head == UINT64_MAX && o->sample >= 1;
    bool raw = o->temp_auto ? o->temp_in_haste : o->temp_codec == TSL_CODEC_NONE;
    if (*scarce && all && raw)
        return tsl_err_set(
            err, TSL_EIO,
            "%s: about %" PRIu64 " MiB of temporary space needed, %" PRIu64
            " MiB free; name other folders with -T, give more memory with -m, "
            "or --compress-temp=zstd",
            tsl_quote(o->dirs[0]).s, plan->temp_bytes >> 20, have >> 20);
    return 0;
}

static int check_result(const struct job *j, struct tsl_err *err)
{
    const struct tsl_shufjob_stats *st = j->st;
    uint64_t want = st->in.rows - st->rows_dropped;
    if (want > j->o->head)
        want = j->o->head;
    if (st->rows_out != want)
        return tsl_err_set(err, TSL_EVERIFY,
                           "%" PRIu64 " rows written where %" PRIu64 " were due",
                           st->rows_out, want);
    bool all = st->rows_dropped == 0 && want == st->rows_read;
    if ((all && st->bytes_read != st->row_bytes_out) ||
        (j->o->verify && all && !tsl_u128_equal(st->in.sum, st->sum_out)))
        return tsl_err_set(err, TSL_EVERIFY, "the rows written are not the rows read");
    return 0;
}

static int open_core(struct job *j, bool scarce, struct tsl_err *err)
{
    const struct tsl_shufjob_opts *o = j->o;
    struct tsl_shufcore_opts co = {
        .seed = o->seed,
        .frame = o->frame,
        .nparts = j->nparts,
        .by_content = o->unique,
        .want_ends = tsl_outset_divides(j->out) || o->head != UINT64_MAX || j->nparts > 1,
        .verify = o->verify,
        .key_mask = o->key_mask ? o->key_mask : UINT64_MAX,
        .dirs = o->dirs,
        .ndirs = o->ndirs,
        .temp_codec = o->temp_codec,
        .temp_level = o->temp_level,
        .temp_auto = o->temp_auto,
        .temp_scarce = scarce,
        .head = o->head,
        .progress = o->progress,
        .cut = UINT64_MAX,
    };
    if (o->sample < 1)
        co.cut = (uint64_t)ldexp(o->sample, 64);
    return tsl_shufcore_init(&j->core, &co, &j->st->plan, err);
}

/* All rows in, all rows out, and the outputs named.  start: when the job began. */
static int shuffle(struct job *j, double start, struct tsl_err *err)
{
    const struct tsl_shufjob_opts *o = j->o;
    struct tsl_shufjob_stats *st = j->st;
    /* no row at all is wanted: nothing is read, as shuf does it */
    bool read = o->head > 0;
    int rc = read ? take_in(j, err) : open_inputs(j, err);
    if (rc < 0)
        return rc;
    st->in = tsl_shufcore_stored(&j->core);
    st->seconds_in = tsl_seconds() - start;
    rc = read ? give_out(j, err) : begin_files(j, err);
    st->rows_dropped += j->core.dropped.rows;
    tsl_u128_add(&st->sum_dropped, j->core.dropped.sum);
    st->verified = st->summed = o->verify;
    if (rc == 0)
        rc = check_result(j, err);
    set_phase(o, TSL_PHASE_FINISH);
    if (rc == 0)
        rc = tsl_outset_commit(j->out, err);
    st->seconds_out = tsl_seconds() - start - st->seconds_in;
    return rc;
}

static void tell(struct job *j)
{
    struct tsl_shufjob_stats *st = j->st;
    struct tsl_store_stats ss = tsl_store_stats(j->core.store);
    st->files_out = tsl_outset_files(j->out);
    st->bytes_out = tsl_outset_bytes(j->out);
    for (size_t i = 0; i < j->o->out.nsplits && i < 64; i++)
        st->split_rows[i] = tsl_outset_split_rows(j->out, i);
    st->temp_bytes = ss.disk.written;
    st->temp_peak_bytes = ss.disk.peak;
    st->blocks_spilled = ss.blocks_spilled;
    st->temp_compressed = ss.compressed;
    st->splits = j->core.splits;
}

static void close_all(struct job *j)
{
    tsl_inputs_destroy(j->in);
    for (size_t p = 0; j->streams && p < j->nparts; p++)
        tsl_rowstream_fini(&j->streams[p]);
    tsl_mem_free(j->streams);
    tsl_mem_free(j->pending);
    tsl_shufcore_fini(&j->core);
    tsl_outset_destroy(j->out);
}

int tsl_shufjob_run(const struct tsl_shufjob_opts *o, struct tsl_shufjob_stats *st,
                    struct tsl_err *err)
{
    struct job j = { .o = o, .st = st, .nparts = 1 + o->naligned, .rows_left = o->head };
    struct tsl_outset_opts oo = o->out;
    struct tsl_inputs_size size;
    double start = tsl_seconds();
    bool scarce;
    *st = (struct tsl_shufjob_stats){ 0 };
    assert(o->naligned <= TSL_ALIGNED_MAX);
    int rc = tsl_shufjob_plan(o, &st->plan, &size, err);
    if (rc == 0)
        rc = check_space(o, &st->plan, &scarce, err);
    if (rc < 0)
        return rc;
    if (o->progress && !size.unknown)
        atomic_store(&o->progress->file_bytes_total,
                     size.plain_bytes + size.packed_bytes);
    oo.nparts = j.nparts;
    oo.nthreads = st->plan.nthreads;
    oo.buffer_bytes = st->plan.out_bytes;
    oo.progress = o->progress;
    rc = tsl_outset_create(&j.out, &oo, err);
    if (rc == 0)
        rc = open_core(&j, scarce, err);
    if (rc == 0) {
        rc = shuffle(&j, start, err);
        tell(&j);
    }
    close_all(&j);
    return rc;
}

int tsl_shufjob_probe(const char *dir, double *write_rate, double *read_rate,
                      struct tsl_err *err)
{
    enum { BLOCK = 4 << 20, BLOCKS = 8 };
    struct tsl_file f;
    int rc = tsl_file_temp(&f, dir, true, err);
    uint8_t *p = rc == 0 ? tsl_pages_map(BLOCK, "a probe of the disk", err) : NULL;
    if (rc == 0 && !p)
        rc = TSL_ENOMEM;
    if (p)
        memset(p, 0x5a, BLOCK);
    double start = tsl_seconds();
    for (uint64_t i = 0; i < BLOCKS && rc == 0; i++)
        rc = tsl_file_pwrite(&f, p, BLOCK, i * BLOCK, err);
    if (rc == 0)
        rc = tsl_file_sync(&f, err);
    double middle = tsl_seconds();
    for (uint64_t i = 0; i < BLOCKS && rc == 0; i++)
        rc = tsl_file_pread(&f, p, BLOCK, i * BLOCK, err);
    double end = tsl_seconds();
    tsl_pages_unmap(p, BLOCK);
    tsl_file_close(&f, NULL);
    *write_rate = (double)BLOCK * BLOCKS / (middle - start + 1e-9);
    *read_rate = (double)BLOCK * BLOCKS / (end - middle + 1e-9);
    return rc;
}

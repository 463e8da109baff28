#include "shuf/bigrow.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "shuf/rowblock.h"

enum { STORED_MIN = 1 << 20 }; /* of a row that is left in its file */

/* Of a row, in a block. */
static size_t room_of(const struct tsl_bigrows *b)
{
    return b->chunk_bytes - TSL_BLOCK_HEAD;
}

void tsl_bigrows_init(struct tsl_bigrows *b, struct tsl_store *store, size_t chunk_bytes,
                      size_t nparts)
{
    *b = (struct tsl_bigrows){ .store = store,
                               .chunk_bytes = chunk_bytes,
                               .nparts = nparts,
                               .store_max = UINT64_MAX };
    tsl_mutex_init(&b->lock);
    tsl_mutex_init(&b->table);
}

void tsl_bigrows_fini(struct tsl_bigrows *b)
{
    if (!b->store)
        return;
    for (size_t i = 0; i < b->nrows; i++)
        tsl_mem_free(b->rows[i].part_len);
    tsl_mem_free(b->rows);
    for (size_t i = 0; i < b->nfiles; i++)
        tsl_file_close(&b->files[i], NULL);
    tsl_store_drop(b->store, &b->list);
    tsl_mutex_fini(&b->table);
    tsl_mutex_fini(&b->lock);
    *b = (struct tsl_bigrows){ 0 };
}

int tsl_bigrows_begin(struct tsl_bigrows *b, struct tsl_err *err)
{
    tsl_mutex_lock(&b->lock);
    b->now = (struct tsl_bigrow){ .block = b->list.n };
    b->part = 0;
    b->filled = 0;
    tsl_hasher_init(&b->hasher);
    tsl_hasher_init(&b->part_hasher);
    if (b->nparts > 1) {
        b->now.part_len = tsl_mem_alloc(b->nparts, sizeof(uint64_t), "a long row", err);
        if (!b->now.part_len) {
            tsl_mutex_unlock(&b->lock);
            return TSL_ENOMEM;
        }
    }
    return 0;
}

void tsl_bigrows_lies(struct tsl_bigrows *b, const struct tsl_place *place)
{
    size_t i = 0;
    assert(b->nparts == 1 && b->now.len == 0);
    if (b->store_max == UINT64_MAX)
        return;
    while (i < b->nfiles && b->numbers[i] != place->number)
        i++;
    if (i == TSL_BIGROW_FILES)
        return;
    if (i == b->nfiles) {
        if (tsl_file_dup(&b->files[i], place->file, NULL) < 0)
            return; /* no descriptor left, say: it is stored, then */
        b->numbers[i] = place->number;
        b->nfiles++;
    }
    b->now.file = i + 1;
    b->now.file_at = place->at;
}

/* Does what comes next of the row stay in its file?  Once it does, all of the rest does. */
static bool stays(const struct tsl_bigrows *b)
{
    uint64_t room = room_of(b);
    return b->now.file && !b->chunk && b->now.nblocks * room >= STORED_MIN &&
           b->list.n * room >= b->store_max;
}

static int put_piece(struct tsl_bigrows *b, struct tsl_err *err)
{
    uint8_t *chunk = b->chunk;
    tsl_block_plain(chunk, b->filled);
    b->chunk = NULL;
    b->filled = 0;
    b->now.nblocks++;
    return tsl_store_put(b->store, &b->list, chunk, err);
}

int tsl_bigrows_add(struct tsl_bigrows *b, const uint8_t *p, size_t n,
                    struct tsl_err *err)
{
    size_t room = room_of(b);
    tsl_hasher_add(&b->hasher, p, n);
    if (b->nparts > 1 && b->part == 0)
        tsl_hasher_add(&b->part_hasher, p, n);
    if (b->now.part_len)
        b->now.part_len[b->part] += n;
    b->now.len += n;
    while (n > 0 && !stays(b)) {
        if (!b->chunk) {
            b->chunk = tsl_store_take(b->store, err);
            if (!b->chunk)
                return err && err->code ? err->code : TSL_ENOMEM;
        }
        size_t k = room - b->filled < n ? room - b->filled : n;
        memcpy(b->chunk + TSL_BLOCK_HEAD + b->filled, p, k);
        b->filled += (uint32_t)k;
        p += k;
        n -= k;
        if (b->filled == room) {
            int rc = put_piece(b, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

void tsl_bigrows_next_part(struct tsl_bigrows *b)
{
    b->part++;
    assert(b->part < b->nparts);
}

int tsl_bigrows_end(struct tsl_bigrows *b, uint64_t *id, struct tsl_bigrow *row,
                    struct tsl_err *err)
{
    int rc = b->chunk ? put_piece(b, err) : 0;
    if (rc == 0) {
        b->now.hash = tsl_hasher_end(&b->hasher);
        b->now.part_hash = b->nparts > 1 ? tsl_hasher_end(&b->part_hasher) : b->now.hash;
        tsl_mutex_lock(&b->table);
        if (b->now.len <= b->now.nblocks * (uint64_t)room_of(b))
            b->now.file = 0;
        rc = tsl_mem_grow(&b->rows, &b->cap, b->nrows + 1, sizeof *b->rows, "long rows",
                          err);
        if (rc == 0) {
            *id = b->nrows;
            *row = b->rows[b->nrows++] = b->now;
            b->now.part_len = NULL;
        }
        tsl_mutex_unlock(&b->table);
    }
    if (rc < 0) {
        tsl_bigrows_abandon(b);
        return rc;
    }
    tsl_mutex_unlock(&b->lock);
    return 0;
}

void tsl_bigrows_abandon(struct tsl_bigrows *b)
{
    if (b->chunk)
        tsl_store_give(b->store, b->chunk);
    b->chunk = NULL;
    tsl_mem_free(b->now.part_len);
    b->now.part_len = NULL;
    tsl_mutex_unlock(&b->lock);
}

struct tsl_bigrow tsl_bigrows_get(struct tsl_bigrows *b, uint64_t id)
{
    tsl_mutex_lock(&b->table);
    assert(id < b->nrows);
    struct tsl_bigrow row = b->rows[id];
    tsl_mutex_unlock(&b->table);
    return row;
}

struct stream {
    struct tsl_bigrows *b;
    const struct tsl_bigrow *row;
    int (*sink)(void *ctx, size_t part, const uint8_t *p, size_t n, struct tsl_err *err);
    void *ctx;
    struct tsl_hasher hasher;
    size_t part;
    uint64_t left, total; /* of this part still to come; of the row so far */
};

/* One block's bytes, cut where a part ends. */
static int pass_on(struct stream *s, const uint8_t *chunk, struct tsl_err *err)
{
    struct tsl_block_head h;
    memcpy(&h, chunk, sizeof h);
    const uint8_t *p = chunk + TSL_BLOCK_HEAD;
    size_t n = h.row_bytes;
    int rc = 0;
    s->total += n;
    tsl_hasher_add(&s->hasher, p, n);
    while (n > 0 && rc == 0) {
        for (; s->left == 0 && s->part + 1 < s->b->nparts;
             s->left = s->row->part_len[s->part])
            s->part++;
        size_t k = s->left < n ? (size_t)s->left : n;
        if (k == 0)
            break; /* more bytes than the parts have: the row's sum will tell */
        rc = s->sink(s->ctx, s->part, p, k, err);
        p += k;
        n -= k;
        s->left -= k;
    }
    return rc;
}

/* Some of a row's blocks in memory. */
struct batch {
    uint8_t *own[TSL_SPILL_EXTENT];
    size_t n;
    int rc; /* of loading them */
    bool full;
};

/* A thread that loads one batch while the other is passed on: what comes from the disk
 * and what goes there then share its time. */
struct loader {
    struct tsl_bigrows *b;
    const struct tsl_bigrow *row;
    size_t most;           /* blocks in a batch */
    struct tsl_mutex lock; /* guards all below */
    struct tsl_cond changed;
    struct batch batch[2];
    bool stop;
    struct tsl_err err;
    struct tsl_thread thread;
};

static void give_batch(struct tsl_bigrows *b, struct batch *x)
{
    for (size_t k = 0; k < x->n; k++)
        if (x->own[k])
            tsl_store_give(b->store, x->own[k]);
    x->n = 0;
}

/* The row's pieces: its blocks, and those that its file holds. */
static size_t pieces_of(const struct tsl_bigrows *b, const struct tsl_bigrow *row)
{
    return row->file ? (size_t)((row->len + room_of(b) - 1) / room_of(b)) : row->nblocks;
}

/* Pieces [at, at + n) of the row, which its file holds. */
static int read_pieces(struct tsl_bigrows *b, const struct tsl_bigrow *row, size_t at,
                       size_t n, uint8_t **own, struct tsl_err *err)
{
    struct iovec v[TSL_SPILL_EXTENT];
    const struct tsl_file *f = &b->files[row->file - 1];
    uint64_t room = room_of(b), from = at * room, end = (at + n) * room;
    end = end < row->len ? end : row->len;
    for (size_t k = 0; k < n; k++) {
        uint64_t left = end - from - k * room;
        v[k].iov_base = own[k] + TSL_BLOCK_HEAD;
        v[k].iov_len = (size_t)(left < room ? left : room);
        tsl_block_plain(own[k], (uint32_t)v[k].iov_len);
    }
    int rc = tsl_file_preadv(f, v, (int)n, row->file_at + from, err);
    tsl_file_drop(f, row->file_at + from, end - from);
    return rc;
}

/* Pieces [at, at + n) of the row, or the first ones of them; x->n tells how many. */
static int load_batch(struct tsl_bigrows *b, const struct tsl_bigrow *row, size_t at,
                      size_t n, struct batch *x, struct tsl_err *err)
{
    x->n = 0;
    if (at >= row->nblocks) {
        for (; x->n < n; x->n++) {
            x->own[x->n] = tsl_store_take(b->store, err);
            if (!x->own[x->n])
                return err && err->code ? err->code : TSL_ENOMEM;
        }
        return read_pieces(b, row, at, n, x->own, err);
    }
    n = row->nblocks - at < n ? row->nblocks - at : n;
    x->n = n;
    return tsl_store_load(b->store, &b->list, row->block + at, n, x->own, false, err);
}

static int pass_batch(struct stream *st, struct batch *x, struct tsl_err *err)
{
    int rc = 0;
    for (size_t k = 0; k < x->n && rc == 0; k++)
        rc = pass_on(st, x->own[k], err);
    give_batch(st->b, x);
    return rc;
}

static void loader_main(void *arg)
{
    struct loader *l = arg;
    size_t at = 0;
    int rc = 0;
    tsl_mutex_lock(&l->lock);
    size_t end = pieces_of(l->b, l->row);
    for (unsigned turn = 0; at < end && rc == 0; turn ^= 1) {
        struct batch *x = &l->batch[turn];
        while (x->full && !l->stop)
            tsl_cond_wait(&l->changed, &l->lock);
        if (l->stop)
            break;
        tsl_mutex_unlock(&l->lock);
        size_t left = end - at;
        rc = load_batch(l->b, l->row, at, left < l->most ? left : l->most, x, &l->err);
        at += x->n;
        tsl_mutex_lock(&l->lock);
        x->rc = rc;
        x->full = true;
        tsl_cond_broadcast(&l->changed);
    }
    tsl_mutex_unlock(&l->lock);
}

/* The whole row by way of a loader; *started false: there is none, and nothing has been
 * loaded. */
static int stream_ahead(struct stream *st, size_t most, bool *started,
                        struct tsl_err *err)
{
    struct loader l = { .b = st->b, .row = st->row, .most = most };
    int rc = 0;
    tsl_mutex_init(&l.lock);
    tsl_cond_init(&l.changed);
    *started = tsl_thread_start(&l.thread, loader_main, &l, NULL) == 0;
    size_t at = 0;
    tsl_mutex_lock(&l.lock);
    size_t end = pieces_of(st->b, st->row);
    for (unsigned turn = 0; *started && at < end && rc == 0; turn ^= 1) {
        struct batch *x = &l.batch[turn];
        while (!x->full)
            tsl_cond_wait(&l.changed, &l.lock);
        tsl_mutex_unlock(&l.lock);
        at += x->n;
        rc = x->rc < 0 ? tsl_err_pass(err, &l.err) : pass_batch(st, x, err);
        tsl_mutex_lock(&l.lock);
        x->full = false;
        tsl_cond_broadcast(&l.changed);
    }
    l.stop = true;
    tsl_cond_broadcast(&l.changed);
    tsl_mutex_unlock(&l.lock);
    tsl_thread_join(&l.thread);
    for (unsigned i = 0; i < 2; i++)
        give_batch(st->b, &l.batch[i]);
    tsl_cond_fini(&l.changed);
    tsl_mutex_fini(&l.lock);
    return rc;
}

/* One block after the other, each left where it is. */
static int stream_kept(struct stream *st, struct tsl_err *err)
{
    struct tsl_bigrows *b = st->b;
    int rc = 0;
    for (size_t i = 0; i < pieces_of(b, st->row) && rc == 0; i++) {
        const uint8_t *chunk = NULL;
        uint8_t *own = tsl_store_take(b->store, err);
        if (!own)
            return TSL_ENOMEM;
        if (i < st->row->nblocks) {
            rc = tsl_store_peek(b->store, &b->list, st->row->block + i, own, &chunk, err);
        } else {
            rc = read_pieces(b, st->row, i, 1, &own, err);
            chunk = own;
        }
        if (rc == 0)
            rc = pass_on(st, chunk, err);
        tsl_store_give(b->store, own);
    }
    return rc;
}

static int stream_used_up(struct stream *st, struct tsl_err *err)
{
    /* as many at a time as can be read in one call, where there are chunks for it */
    size_t most = tsl_store_chunks(st->b->store) / 16;
    most = most < 1 ? 1 : most > TSL_SPILL_EXTENT ? TSL_SPILL_EXTENT : most;
    struct batch x = { .n = 0 };
    bool started = false;
    int rc = 0;
    size_t end = pieces_of(st->b, st->row);
    if (end > 2 * most) {
        rc = stream_ahead(st, most, &started, err);
        if (started)
            return rc;
    }
    for (size_t i = 0, n; i < end && rc == 0; i += n) {
        rc = load_batch(st->b, st->row, i, end - i < most ? end - i : most, &x, err);
        n = x.n;
        if (rc == 0)
            rc = pass_batch(st, &x, err);
        else
            give_batch(st->b, &x);
    }
    return rc;
}

int tsl_bigrows_stream(struct tsl_bigrows *b, uint64_t id, bool keep,
                       int (*sink)(void *ctx, size_t part, const uint8_t *p, size_t n,
                                   struct tsl_err *err),
                       void *ctx, struct tsl_err *err)
{
    struct tsl_bigrow row = tsl_bigrows_get(b, id);
    struct stream st = { .b = b,
                         .row = &row,
                         .sink = sink,
                         .ctx = ctx,
                         .left = row.part_len ? row.part_len[0] : row.len };
    tsl_hasher_init(&st.hasher);
    int rc = keep ? stream_kept(&st, err) : stream_used_up(&st, err);
    if (rc < 0 ||
        (st.total == row.len && tsl_u128_equal(tsl_hasher_end(&st.hasher), row.hash)))
        return rc;
    if (row.file)
        return tsl_err_set(err, TSL_EVERIFY,
                           "%s: the row of %" PRIu64 " bytes at byte %" PRIu64
                           " was changed while it was shuffled",
                           b->files[row.file - 1].name, row.len, row.file_at);
    return tsl_err_set(
        err, TSL_EVERIFY,
        "a row of %" PRIu64 " bytes came back from temporary space altered", row.len);
}

#include "shuf/bigrow.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "shuf/rowblock.h"

void tsl_bigrows_init(struct tsl_bigrows *b, struct tsl_store *store, size_t chunk_bytes,
                      size_t nparts)
{
    *b = (struct tsl_bigrows){ .store = store,
                               .chunk_bytes = chunk_bytes,
                               .nparts = nparts };
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
    size_t room = b->chunk_bytes - TSL_BLOCK_HEAD;
    tsl_hasher_add(&b->hasher, p, n);
    if (b->part == 0)
        tsl_hasher_add(&b->part_hasher, p, n);
    if (b->now.part_len)
        b->now.part_len[b->part] += n;
    b->now.len += n;
    while (n > 0) {
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
        b->now.part_hash = tsl_hasher_end(&b->part_hasher);
        tsl_mutex_lock(&b->table);
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
    int rc = 0;
    tsl_hasher_init(&st.hasher);
    /* as many at a time as can be read in one call, where there are chunks for it */
    size_t most = keep ? 1 : tsl_store_chunks(b->store) / 8;
    most = most < 1 ? 1 : most > TSL_SPILL_EXTENT ? TSL_SPILL_EXTENT : most;
    for (size_t i = 0, n; i < row.nblocks && rc == 0; i += n) {
        uint8_t *own[TSL_SPILL_EXTENT] = { NULL };
        n = row.nblocks - i < most ? row.nblocks - i : most;
        if (keep) {
            const uint8_t *chunk = NULL;
            own[0] = tsl_store_take(b->store, err);
            rc = own[0] ? tsl_store_peek(b->store, &b->list, row.block + i, own[0],
                                         &chunk, err)
                        : TSL_ENOMEM;
            if (rc == 0)
                rc = pass_on(&st, chunk, err);
        } else {
            rc = tsl_store_load(b->store, &b->list, row.block + i, n, own, false, err);
            for (size_t k = 0; k < n && rc == 0; k++)
                rc = pass_on(&st, own[k], err);
        }
        for (size_t k = 0; k < n; k++)
            if (own[k])
                tsl_store_give(b->store, own[k]);
    }
    if (rc == 0 &&
        (st.total != row.len || !tsl_u128_equal(tsl_hasher_end(&st.hasher), row.hash)))
        rc = tsl_err_set(err, TSL_EVERIFY,
                         "a row of %llu bytes came back from temporary space altered",
                         (unsigned long long)row.len);
    return rc;
}

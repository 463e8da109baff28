#include "shuf/gather.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* An item is 40 bits of key above 24 bits of index: rows are sorted as plain integers.
 * Rows that agree in those 40 bits (one pair in 16 buckets of 2^18 rows) are put right
 * afterwards. */
enum { INDEX_BITS = 24, SLOT_ROWS_LOG = 2, TOP_LOG = 8, AHEAD = 16, PREFETCH_MAX = 512 };
#define INDEX_MASK ((UINT64_C(1) << INDEX_BITS) - 1)

/* How the memory is carved. */
struct layout {
    uint64_t *items, *addrs;
    uint32_t *at, *counts, **ends;
    uint8_t **chunks, *refs, *images;
    size_t nslots_log, image_bytes, total;
};

static void *carve(uint8_t *base, size_t *at, size_t bytes)
{
    uint8_t *p = base ? base + *at : NULL;
    *at += (bytes + 63) & ~(size_t)63;
    return p;
}

/* With base NULL only total counts. */
static void lay_out(struct layout *l, uint8_t *base, const struct tsl_gather_opts *o,
                    const struct tsl_tally *t, size_t nblocks)
{
    size_t n = (size_t)t->rows, at = 0,
           edge = tsl_frame_head(&o->frame) + tsl_frame_tail(&o->frame);
    *l = (struct layout){ 0 };
    while (n >> (l->nslots_log + SLOT_ROWS_LOG))
        l->nslots_log++;
    /* the images hold the unsorted items first */
    l->image_bytes = (size_t)(t->bytes - t->ref_bytes) + n * edge * o->nparts;
    if (l->image_bytes < n * sizeof *l->items)
        l->image_bytes = n * sizeof *l->items;
    l->image_bytes += TSL_BATCH_SLACK * (o->nparts + 1);
    l->items = carve(base, &at, n * sizeof *l->items);
    l->at = carve(base, &at, (n + nblocks) * sizeof *l->at);
    l->counts = carve(base, &at, (((size_t)1 << l->nslots_log) + 1) * sizeof *l->counts);
    l->chunks = carve(base, &at, nblocks * sizeof *l->chunks);
    if (o->by_content)
        l->addrs = carve(base, &at, (n + nblocks) * sizeof *l->addrs);
    if (t->refs)
        l->refs = carve(base, &at, (n + nblocks) / 8 + 1);
    l->ends = carve(base, &at, o->nparts * sizeof *l->ends);
    for (size_t p = 0; o->want_ends && p < o->nparts; p++) {
        uint32_t *e = carve(base, &at, n * sizeof *e);
        if (base)
            l->ends[p] = e;
    }
    /* each part has an image of its own, as large as they could be together: only what is
     * written costs memory, but the budget counts all of it; one part is the common case
     */
    l->images = carve(base, &at, l->image_bytes * o->nparts);
    l->total = at;
}

size_t tsl_gather_need(const struct tsl_gather_opts *o, const struct tsl_tally *t,
                       size_t nblocks)
{
    struct layout l;
    if (t->rows + nblocks >= INDEX_MASK || t->bytes - t->ref_bytes > INT32_MAX / 2 ||
        nblocks * o->chunk_bytes > UINT32_MAX)
        return SIZE_MAX;
    lay_out(&l, NULL, o, t, nblocks);
    return l.total;
}

int tsl_gather_init(struct tsl_gather *g, const struct tsl_gather_opts *o, size_t bytes,
                    struct tsl_err *err)
{
    *g = (struct tsl_gather){ .o = o, .memory_bytes = bytes };
    g->image = tsl_mem_alloc(o->nparts, sizeof *g->image, "a bucket", err);
    g->image_len = tsl_mem_alloc(o->nparts, sizeof *g->image_len, "a bucket", err);
    g->memory = tsl_pages_map(bytes ? bytes : 1, "a bucket", err);
    if (!g->image || !g->image_len || !g->memory) {
        tsl_gather_fini(g);
        return TSL_ENOMEM;
    }
    if (bytes >= 4 << 20)
        tsl_pages_want_huge(g->memory, bytes);
    return 0;
}

void tsl_gather_fini(struct tsl_gather *g)
{
    tsl_pages_unmap(g->memory, g->memory_bytes ? g->memory_bytes : 1);
    tsl_mem_free(g->image);
    tsl_mem_free(g->image_len);
    tsl_mem_free(g->gaps);
    tsl_mem_free(g->gap_at);
    *g = (struct tsl_gather){ 0 };
}

size_t tsl_parts_read(const uint8_t *row, size_t len, size_t nparts, size_t *part_len)
{
    size_t at = 0, rest = 0;
    for (size_t p = 1; p < nparts; p++) {
        size_t v = 0;
        for (unsigned shift = 0;; shift += 7) {
            assert(at < len && shift < 35);
            uint8_t c = row[at++];
            v |= (size_t)(c & 0x7f) << shift;
            if (c < 0x80)
                break;
        }
        part_len[p] = v;
        rest += v;
    }
    assert(at + rest <= len);
    part_len[0] = len - at - rest;
    return at;
}

size_t tsl_parts_write(uint8_t *out, const size_t *part_len, size_t nparts)
{
    size_t at = 0;
    for (size_t p = 1; p < nparts; p++) {
        size_t v = part_len[p];
        for (; v >= 0x80; v >>= 7)
            out[at++] = (uint8_t)(v | 0x80);
        out[at++] = (uint8_t)v;
    }
    return at;
}

struct work {
    struct tsl_gather *g;
    const struct tsl_gather_opts *o;
    struct tsl_bucket *b;
    struct layout l;
    size_t nblocks, n;
    unsigned chunk_shift; /* chunk_bytes is a power of two */
};

TSL_INLINE const uint8_t *byte_at(const struct work *w, uint32_t at)
{
    return w->l.chunks[at >> w->chunk_shift] + (at & (w->o->chunk_bytes - 1));
}

TSL_INLINE struct tsl_slice row_at(const struct work *w, size_t index)
{
    uint32_t at = w->l.at[index], next = w->l.at[index + 1];
    return (struct tsl_slice){ byte_at(w, at), next - at };
}

static bool is_ref(const struct work *w, size_t index)
{
    return w->l.refs && (w->l.refs[index / 8] >> (index % 8) & 1);
}

static struct tsl_bigrow big_at(const struct work *w, size_t index)
{
    uint64_t id;
    memcpy(&id, row_at(w, index).data, sizeof id);
    return tsl_bigrows_get(w->o->bigs, id);
}

/* The first part of a stored row: what rows are told apart by. */
static struct tsl_slice content_of(const struct tsl_gather_opts *o, struct tsl_slice row)
{
    if (o->nparts > 1) {
        size_t len[64];
        size_t head = tsl_parts_read(row.data, row.len, o->nparts, len);
        return (struct tsl_slice){ row.data + head, len[0] };
    }
    return row;
}

static uint64_t key_of(const struct work *w, size_t index, uint64_t addr)
{
    const struct tsl_gather_opts *o = w->o;
    uint64_t key;
    if (!o->by_content) {
        key = tsl_key_at(&o->key, addr);
    } else if (is_ref(w, index)) {
        key = tsl_key_at128(&o->key, big_at(w, index).part_hash);
    } else {
        struct tsl_slice c = content_of(o, row_at(w, index));
        key = tsl_key_at128(&o->key, tsl_hash128(c.data, c.len));
    }
    return key & o->key_mask;
}

/* A row of the bucket: where it is, and its key's next bits as an unsorted item. */
TSL_INLINE uint64_t note_row(const struct work *w, size_t index,
                             const struct tsl_rowref *row, uint32_t base)
{
    struct layout l = w->l;
    l.at[index] = base + row->at;
    l.at[index + 1] = base + row->at + row->len;
    if (row->ref)
        l.refs[index / 8] |= (uint8_t)(1 << index % 8);
    if (l.addrs)
        l.addrs[index] = row->addr;
    return key_of(w, index, row->addr);
}

/* Slots are in order already, so nothing moves farther than its slot is long.  Rows of
 * equal keys come with ascending indexes: a slot full of them costs nothing. */
static void insertion_sort(uint64_t *v, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        uint64_t x = v[i];
        size_t j = i;
        for (; j > 0 && v[j - 1] > x; j--)
            v[j] = v[j - 1];
        v[j] = x;
    }
}

/* The log_n bits of an item behind its first skip bits. */
TSL_INLINE size_t slot_of(uint64_t item, unsigned skip, unsigned log_n)
{
    return log_n ? (size_t)(item << skip >> (64 - log_n)) : 0;
}

static void counts_to_starts(uint32_t *counts, size_t n)
{
    uint32_t sum = 0;
    for (size_t s = 0; s < n; s++) {
        uint32_t c = counts[s];
        counts[s] = sum;
        sum += c;
    }
}

/* Sorts n items, equal in their first skip bits, from from to to: by slots of a few. */
static void sort_slots(const uint64_t *from, uint64_t *to, size_t n, unsigned skip,
                       unsigned slots_log, uint32_t *counts)
{
    memset(counts, 0, sizeof *counts << slots_log);
    for (size_t i = 0; i < n; i++)
        counts[slot_of(from[i], skip, slots_log)]++;
    counts_to_starts(counts, (size_t)1 << slots_log);
    for (size_t i = 0; i < n; i++)
        to[counts[slot_of(from[i], skip, slots_log)]++] = from[i];
    insertion_sort(to, n);
}

/* Where each row is, and its item, in the order in which rows came in; counts: items by
 * the top_log highest bits of their keys. */
static void decode_rows(struct work *w, uint64_t *items, uint32_t *counts,
                        unsigned top_log)
{
    const struct tsl_gather_opts *o = w->o;
    uint32_t *at = w->l.at;
    const unsigned bits = w->b->bits;
    const struct tsl_key key = o->key;
    const uint64_t key_mask = o->key_mask;
    const bool plain = !o->by_content && !w->l.refs;
    size_t index = 0, n = 0;
    if (w->l.refs)
        memset(w->l.refs, 0, (w->n + w->nblocks) / 8 + 1);
    for (size_t i = 0; i < w->nblocks; i++) {
        struct tsl_rowreader r;
        struct tsl_rowref row;
        uint32_t base = (uint32_t)(i << w->chunk_shift);
        tsl_rowreader_begin(&r, w->l.chunks[i]);
        assert(r.left <= w->n - n);
        while (tsl_rowreader_next(&r, &row)) {
            uint64_t k;
            if (plain) {
                at[index] = base + row.at;
                k = tsl_key_at(&key, row.addr) & key_mask;
            } else {
                k = note_row(w, index, &row, base);
            }
            k = bits < 64 ? k << bits : 0;
            items[n++] = (k & ~INDEX_MASK) | index++;
            counts[slot_of(k, 0, top_log)]++;
        }
        at[index++] = base + r.at; /* where the block's last row ends */
    }
    assert(n == w->n);
}

/* The items in order.  Many are first dealt into parts that the first-level cache holds:
 * rows of 10 bytes, 800,000 to a bucket, are sorted in two thirds of the time. */
static void sort_items(struct work *w)
{
    uint64_t *scratch = (uint64_t *)(void *)w->l.images, *items = w->l.items;
    unsigned slots_log = (unsigned)w->l.nslots_log;
    unsigned top_log = slots_log < TOP_LOG + 2 ? 0 : TOP_LOG;
    uint32_t counts[(1 << TOP_LOG) + 1] = { 0 };
    decode_rows(w, top_log ? items : scratch, counts, top_log);
    if (top_log) {
        uint32_t next[1 << TOP_LOG];
        counts_to_starts(counts, (size_t)1 << top_log);
        memcpy(next, counts, sizeof next);
        for (size_t i = 0; i < w->n; i++)
            scratch[next[slot_of(items[i], 0, top_log)]++] = items[i];
        counts[1 << top_log] = (uint32_t)w->n;
        for (size_t t = 0; t < (size_t)1 << top_log; t++)
            sort_slots(scratch + counts[t], items + counts[t], counts[t + 1] - counts[t],
                       top_log, slots_log - top_log, w->l.counts);
    } else {
        sort_slots(scratch, items, w->n, 0, slots_log, w->l.counts);
    }
}

struct tied {
    uint64_t key, addr, item;
};

static int by_key_and_addr(const void *a, const void *b)
{
    const struct tied *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static uint64_t addr_of(const struct work *w, size_t index)
{
    if (w->l.addrs)
        return w->l.addrs[index];
    struct tsl_rowreader r;
    struct tsl_rowref row = { 0 };
    /* empty rows share a place: count indexes from the block's first row instead */
    size_t block = w->l.at[index] >> w->chunk_shift, first = index;
    while (first > 0 && w->l.at[first - 1] >> w->chunk_shift == block)
        first--;
    tsl_rowreader_begin(&r, w->l.chunks[block]);
    for (size_t i = first; i <= index; i++)
        if (!tsl_rowreader_next(&r, &row))
            break;
    return row.addr;
}

/* Equal rows among items[first, end): keeps the one with the lowest address of each, in
 * front. Returns the end of those. */
static size_t drop_equal(struct work *w, size_t first, size_t end)
{
    uint64_t *v = w->l.items;
    size_t kept = first;
    for (size_t i = first; i < end; i++) {
        size_t index = v[i] & INDEX_MASK, j = first;
        struct tsl_slice mine = row_at(w, index);
        bool big = is_ref(w, index);
        for (; j < kept; j++) {
            size_t other = v[j] & INDEX_MASK;
            if (big != is_ref(w, other))
                continue;
            if (big) {
                struct tsl_bigrow a = big_at(w, index), b = big_at(w, other);
                uint64_t la = a.part_len ? a.part_len[0] : a.len;
                uint64_t lb = b.part_len ? b.part_len[0] : b.len;
                /* 128 bits of hash and the length: bytes of long rows are not compared */
                if (la == lb && tsl_u128_equal(a.part_hash, b.part_hash))
                    break;
            } else {
                struct tsl_slice x = content_of(w->o, mine);
                struct tsl_slice y = content_of(w->o, row_at(w, other));
                if (x.len == y.len && memcmp(x.data, y.data, x.len) == 0)
                    break;
            }
        }
        if (j == kept) {
            v[kept++] = v[i];
            continue;
        }
        uint64_t gone = v[i];
        if (w->l.addrs[index] < w->l.addrs[v[j] & INDEX_MASK]) {
            gone = v[j];
            v[j] = v[i];
        }
        size_t g = gone & INDEX_MASK;
        struct tsl_tally t = { .rows = 1, .bytes = row_at(w, g).len };
        if (is_ref(w, g)) {
            struct tsl_bigrow b = big_at(w, g);
            t.bytes = b.len;
            t.sum = b.hash;
        } else if (w->o->verify) {
            t.sum = tsl_hash_row(row_at(w, g).data, row_at(w, g).len, true);
        }
        tsl_tally_add(&w->g->dropped, &t);
    }
    return kept;
}

/* Puts rows right that agree in an item's 40 bits of key. */
static int settle_ties(struct work *w, struct tsl_err *err)
{
    uint64_t *v = w->l.items;
    size_t out = 0;
    for (size_t i = 0; i < w->n;) {
        size_t end = i + 1;
        while (end < w->n && v[end] >> INDEX_BITS == v[i] >> INDEX_BITS)
            end++;
        size_t kept = end;
        if (end - i > 1 && w->o->by_content)
            kept = drop_equal(w, i, end);
        if (kept - i > 1) {
            struct tied *t = tsl_mem_alloc(kept - i, sizeof *t, "tied rows", err);
            if (!t)
                return TSL_ENOMEM;
            for (size_t j = i; j < kept; j++) {
                size_t index = v[j] & INDEX_MASK;
                uint64_t addr = addr_of(w, index);
                t[j - i] = (struct tied){ key_of(w, index, addr), addr, v[j] };
            }
            qsort(t, kept - i, sizeof *t, by_key_and_addr);
            for (size_t j = i; j < kept; j++)
                v[j] = t[j - i].item;
            tsl_mem_free(t);
        }
        if (out != i)
            memmove(v + out, v + i, (kept - i) * sizeof *v);
        out += kept - i;
        i = end;
    }
    w->n = out;
    return 0;
}

static int add_gap(struct work *w, size_t row, uint64_t id, struct tsl_err *err)
{
    struct tsl_gather *g = w->g;
    size_t np = w->o->nparts;
    int rc = tsl_mem_grow(&g->gaps, &g->gaps_cap, g->ngaps + 1, sizeof *g->gaps,
                          "long rows", err);
    if (rc == 0)
        rc = tsl_mem_grow(&g->gap_at, &g->gap_at_cap, (g->ngaps + 1) * np,
                          sizeof *g->gap_at, "long rows", err);
    if (rc < 0)
        return rc;
    for (size_t p = 0; p < np; p++)
        g->gap_at[g->ngaps * np + p] =
            (uint32_t)(g->image_len[p] + tsl_frame_head(&w->o->frame));
    g->gaps[g->ngaps++] = (struct tsl_gather_gap){ .row = row, .id = id };
    return 0;
}

/* One row of one part into its image. */
static inline void emit(struct tsl_gather *g, size_t p, const struct tsl_frame *f,
                        size_t head, size_t tail, const uint8_t *data, size_t len,
                        uint64_t told_len)
{
    uint8_t *to = g->image[p] + g->image_len[p];
    if (head)
        tsl_frame_put_head(f, to, told_len);
    to += head;
    if (len <= 32)
        memcpy(to, data, 32); /* images and chunks have slack behind them */
    else
        memcpy(to, data, len);
    if (tail == 1)
        to[len] = f->kind == TSL_FRAME_NUL ? '\0' : '\n';
    else if (tail)
        tsl_frame_put_tail(f, to + len);
    g->image_len[p] += head + len + tail;
}

/* The first lines of a row: the rest the processor fetches by itself. */
TSL_INLINE void prefetch_row(const uint8_t *p, uint32_t len)
{
    TSL_PREFETCH(p);
    for (uint32_t at = 64; at < 64 + len && at < PREFETCH_MAX; at += 64)
        TSL_PREFETCH(p + at);
}

/* emit_all for what nearly all buckets are: one part, lines, no long row, nobody who asks
 * for ends.  Everything is in locals: stores of bytes could change any member otherwise.
 */
static void emit_plain(struct work *w, struct tsl_u128 *total)
{
    const uint64_t *items = w->l.items;
    const uint32_t *at = w->l.at;
    uint8_t *const *chunks = w->l.chunks;
    const size_t n = w->n;
    const unsigned shift = w->chunk_shift;
    const uint32_t mask = (uint32_t)w->o->chunk_bytes - 1;
    const uint8_t end = w->o->frame.kind == TSL_FRAME_NUL ? '\0' : '\n';
    const bool verify = w->o->verify;
    struct tsl_u128 sum = { 0, 0 };
    uint8_t *to = w->l.images;
    for (size_t i = 0; i < n; i++) {
        if (i + 2 * AHEAD < n) {
            /* two steps ahead: where the row is, then the row */
            TSL_PREFETCH(&at[items[i + 2 * AHEAD] & INDEX_MASK]);
            size_t k = items[i + AHEAD] & INDEX_MASK;
            prefetch_row(chunks[at[k] >> shift] + (at[k] & mask), at[k + 1] - at[k]);
        }
        size_t index = items[i] & INDEX_MASK;
        uint32_t a = at[index], len = at[index + 1] - a;
        const uint8_t *p = chunks[a >> shift] + (a & mask);
        if (verify)
            tsl_u128_add(&sum, tsl_hash_row(p, len, true));
        if (len <= 32)
            memcpy(to, p, 32); /* images and chunks have slack behind them */
        else
            memcpy(to, p, len);
        to[len] = end;
        to += len + 1;
    }
    w->g->image[0] = w->l.images;
    w->g->image_len[0] = (size_t)(to - w->l.images);
    *total = sum;
}

static int emit_all(struct work *w, struct tsl_u128 *sum, struct tsl_err *err)
{
    struct tsl_gather *g = w->g;
    const struct tsl_gather_opts *o = w->o;
    const struct tsl_frame *f = &o->frame;
    size_t head = tsl_frame_head(f), tail = tsl_frame_tail(f), np = o->nparts;
    if (np == 1 && tail == 1 && !w->l.refs && !o->want_ends) {
        emit_plain(w, sum);
        return 0;
    }
    for (size_t p = 0; p < np; p++) {
        g->image[p] = w->l.images + p * w->l.image_bytes;
        g->image_len[p] = 0;
    }
    for (size_t i = 0; i < w->n; i++) {
        /* two steps ahead: where the row is, then the row */
        if (i + 2 * AHEAD < w->n)
            TSL_PREFETCH(&w->l.at[w->l.items[i + 2 * AHEAD] & INDEX_MASK]);
        if (i + AHEAD < w->n) {
            const uint8_t *p = byte_at(w, w->l.at[w->l.items[i + AHEAD] & INDEX_MASK]);
            TSL_PREFETCH(p);
        }
        size_t index = w->l.items[i] & INDEX_MASK;
        struct tsl_slice row = row_at(w, index);
        if (TSL_UNLIKELY(is_ref(w, index))) {
            uint64_t id;
            memcpy(&id, row.data, sizeof id);
            int rc = add_gap(w, i, id, err);
            if (rc < 0)
                return rc;
            struct tsl_bigrow big = tsl_bigrows_get(o->bigs, id);
            tsl_u128_add(sum, big.hash);
            for (size_t p = 0; p < np; p++)
                emit(g, p, f, head, tail, row.data, 0,
                     big.part_len ? big.part_len[p] : big.len);
        } else {
            if (o->verify)
                tsl_u128_add(sum, tsl_hash_row(row.data, row.len, true));
            if (np == 1) {
                emit(g, 0, f, head, tail, row.data, row.len, row.len);
            } else {
                size_t len[64], at = tsl_parts_read(row.data, row.len, np, len);
                for (size_t p = 0; p < np; at += len[p++])
                    emit(g, p, f, head, tail, row.data + at, len[p], len[p]);
            }
        }
        if (o->want_ends)
            for (size_t p = 0; p < np; p++)
                w->l.ends[p][i] = (uint32_t)g->image_len[p];
    }
    for (size_t i = 0; i < g->ngaps; i++)
        g->gaps[i].at = g->gap_at + i * np;
    return 0;
}

/* Loads the bucket and sorts it: w.l.items are the rows to keep, in order. */
static int sort_bucket(struct work *w, struct tsl_gather *g, struct tsl_bucket *b,
                       bool claimed, struct tsl_err *err)
{
    const struct tsl_gather_opts *o = g->o;
    *w = (struct work){ .g = g,
                        .o = o,
                        .b = b,
                        .nblocks = b->blocks.n,
                        .n = (size_t)b->tally.rows,
                        .chunk_shift = (unsigned)__builtin_ctzll(o->chunk_bytes) };
    g->ngaps = 0;
    g->dropped = (struct tsl_tally){ 0 };
    lay_out(&w->l, g->memory, o, &b->tally, w->nblocks);
    assert(w->l.total <= g->memory_bytes);
    int rc =
        tsl_store_load(o->store, &b->blocks, 0, w->nblocks, w->l.chunks, claimed, err);
    if (rc < 0)
        return rc;
    sort_items(w);
    return settle_ties(w, err);
}

/* Gives the bucket's chunks back and checks that the rows kept, whose hashes add up to
 * sum, and those dropped are the rows that went in. */
static int end_bucket(struct work *w, struct tsl_u128 sum, int rc, struct tsl_err *err)
{
    struct tsl_gather *g = w->g;
    struct tsl_bucket *b = w->b;
    for (size_t i = 0; i < w->nblocks; i++)
        if (w->l.chunks[i])
            tsl_store_give(w->o->store, w->l.chunks[i]);
    tsl_store_drop(w->o->store, &b->blocks);
    if (rc < 0)
        return rc;
    tsl_u128_add(&sum, g->dropped.sum);
    if (w->n + g->dropped.rows != b->tally.rows ||
        (w->o->verify && !tsl_u128_equal(sum, b->tally.sum)))
        return tsl_err_set(err, TSL_EVERIFY,
                           "rows came back from the row store other than they went in "
                           "(bucket %016llx): the memory or the disk is faulty",
                           (unsigned long long)b->prefix);
    g->nrows = w->n;
    return 0;
}

int tsl_gather_run(struct tsl_gather *g, struct tsl_bucket *b, bool claimed,
                   struct tsl_err *err)
{
    struct work w;
    struct tsl_u128 sum = { 0, 0 };
    int rc = sort_bucket(&w, g, b, claimed, err);
    if (rc == 0)
        rc = emit_all(&w, &sum, err);
    g->ends = w.l.ends;
    return end_bucket(&w, sum, rc, err);
}

/* Rows [0, n) of the items, in the order in which they came in: then addresses mostly
 * ascend, and blocks stay small. */
static int scatter_kept(struct work *w, struct tsl_scatter *to, const uint8_t *kept,
                        size_t nindexes, struct tsl_u128 *sum, struct tsl_err *err)
{
    int rc = 0;
    for (size_t i = 0; i < nindexes && rc == 0; i++) {
        if (!(kept[i / 8] >> (i % 8) & 1))
            continue;
        struct tsl_slice row = row_at(w, i);
        uint64_t addr = w->l.addrs[i], key = key_of(w, i, addr);
        struct tsl_u128 hash = { 0, 0 };
        if (is_ref(w, i)) {
            uint64_t id;
            struct tsl_bigrow big = big_at(w, i);
            memcpy(&id, row.data, sizeof id);
            hash = big.hash;
            rc = tsl_scatter_ref(to, key, addr, id, big.len, hash, err);
        } else {
            if (w->o->verify)
                hash = tsl_hash_row(row.data, row.len, true);
            rc = tsl_scatter_row(to, key, addr, row.data, (uint32_t)row.len, hash, true,
                                 err);
        }
        tsl_u128_add(sum, hash);
    }
    return rc;
}

int tsl_gather_distinct(struct tsl_gather *g, struct tsl_bucket *b, bool claimed,
                        struct tsl_scatter *to, struct tsl_err *err)
{
    struct work w;
    struct tsl_u128 sum = { 0, 0 };
    assert(g->o->by_content);
    int rc = sort_bucket(&w, g, b, claimed, err);
    size_t nindexes = (size_t)b->tally.rows + w.nblocks;
    uint8_t *kept = rc == 0 ? tsl_mem_alloc(nindexes / 8 + 1, 1, "a bitmap", err) : NULL;
    if (rc == 0 && !kept)
        rc = TSL_ENOMEM;
    for (size_t i = 0; i < w.n && rc == 0; i++) {
        size_t index = w.l.items[i] & INDEX_MASK;
        kept[index / 8] |= (uint8_t)(1 << index % 8);
    }
    if (rc == 0)
        rc = scatter_kept(&w, to, kept, nindexes, &sum, err);
    tsl_mem_free(kept);
    return end_bucket(&w, sum, rc, err);
}

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/mem.h"
#include "record/rec_native.h"
#include "record/recindex.h"

enum {
    BLOCK_BYTES = 256 << 10,
    STRING_PART = 1024 /* a string is cut only where a block has room for so much of it */
};

/* A column of the block that is being filled. */
struct column {
    uint32_t *ends, *lens; /* of records; of strings */
    uint8_t *values;       /* bits are a byte each */
    size_t nvalues, nbytes;
    size_t open_values, open_bytes; /* where the open record begins */
};

struct tsl_recnative_writer {
    struct tsl_sink *sink;
    struct tsl_reclayout layout;
    struct tsl_schema schema;
    uint32_t block_bytes;
    uint64_t room_bits; /* that the payload of a block has without its padding */
    uint64_t used_bits, open_bits; /* of them; of these, the open record's */
    struct column columns[TSL_COLUMNS_MAX];
    size_t nrecords; /* whole ones in the block, and the last piece of one */
    bool open, continued;
    uint64_t cut;   /* of the open record, to be said in its block */
    uint64_t first; /* number of the block's first record */
    uint64_t at;    /* bytes written so far */
    uint64_t sum;   /* of the header */
    struct tsl_recindex index;
    struct tsl_packer *packer;
    uint8_t *block, *packed;
    size_t packed_cap;
};

static int emit(struct tsl_recnative_writer *w, const void *p, size_t n,
                struct tsl_err *err)
{
    w->at += n;
    return tsl_sink_write(w->sink, p, n, err);
}

/* ---- setting up ---- */

static size_t values_cap(const struct tsl_recnative_writer *w, size_t i)
{
    return (size_t)w->block_bytes * (w->layout.columns[i].bits == 1 ? 8 : 1) + 8;
}

static int map_columns(struct tsl_recnative_writer *w, struct tsl_err *err)
{
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        struct column *c = &w->columns[i];
        c->values = tsl_pages_map(values_cap(w, i), "a block", err);
        if (!c->values)
            return TSL_ENOMEM;
        if (l->listed && !(c->ends = tsl_pages_map(w->block_bytes, "a block", err)))
            return TSL_ENOMEM;
        if (l->text && !(c->lens = tsl_pages_map(w->block_bytes, "a block", err)))
            return TSL_ENOMEM;
    }
    w->block = tsl_pages_map(TSL_RECBLOCK_HEAD + w->block_bytes, "a block", err);
    return w->block ? 0 : TSL_ENOMEM;
}

static int write_head(struct tsl_recnative_writer *w, const struct tsl_rechead *head,
                      struct tsl_err *err)
{
    uint8_t *bytes;
    size_t n;
    int rc = tsl_recindex_head_write(&bytes, &n, head, w->block_bytes, err);
    if (rc < 0)
        return rc;
    w->sum = tsl_load64(bytes + n - 8);
    rc = emit(w, bytes, n, err);
    tsl_mem_free(bytes);
    return rc;
}

/* A block holds four records without what is in their lists, so that there is room for some
 * values of lists, too. */
static void size_block(struct tsl_recnative_writer *w, uint32_t wanted)
{
    uint64_t least =
        4 * (w->layout.record_bits / 8 + STRING_PART) + w->layout.slack_bytes;
    uint64_t bytes = wanted ? wanted : BLOCK_BYTES;
    bytes = bytes < least ? least : bytes;
    bytes = bytes > TSL_RECBLOCK_MAX ? TSL_RECBLOCK_MAX : bytes;
    w->block_bytes = (uint32_t)(bytes & ~(uint64_t)7);
    w->room_bits = 8 * (w->block_bytes - (uint64_t)w->layout.slack_bytes);
}

int tsl_recnative_writer_create(struct tsl_recnative_writer **out, struct tsl_sink *sink,
                                const struct tsl_rechead *head,
                                const struct tsl_recnative_opts *o, struct tsl_err *err)
{
    if (head->schema.ncolumns == 0)
        return tsl_err_set(err, TSL_EUSAGE, "records without columns cannot be written");
    struct tsl_recnative_writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->sink = sink;
    w->first = w->index.first = head->first;
    w->index.ncolumns = head->schema.ncolumns;
    w->schema = head->schema;
    tsl_reclayout_init(&w->layout, &head->schema);
    size_block(w, o->block_bytes);
    int rc = map_columns(w, err);
    if (rc == 0 && o->zstd_level) {
        rc = tsl_packer_create(&w->packer, TSL_CODEC_ZSTD, o->zstd_level, err);
        if (rc == 0) {
            w->packed_cap =
                TSL_RECBLOCK_HEAD + 8 + tsl_packer_bound(w->packer, w->block_bytes);
            w->packed = tsl_pages_map(w->packed_cap, "a block", err);
            rc = w->packed ? 0 : TSL_ENOMEM;
        }
    }
    if (rc == 0)
        rc = write_head(w, head, err);
    if (rc == 0)
        *out = w;
    else
        tsl_recnative_writer_destroy(w);
    return rc;
}

void tsl_recnative_writer_destroy(struct tsl_recnative_writer *w)
{
    if (!w)
        return;
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        tsl_pages_unmap(w->columns[i].values, values_cap(w, i));
        tsl_pages_unmap(w->columns[i].ends, w->block_bytes);
        tsl_pages_unmap(w->columns[i].lens, w->block_bytes);
    }
    tsl_pages_unmap(w->block, TSL_RECBLOCK_HEAD + w->block_bytes);
    tsl_pages_unmap(w->packed, w->packed_cap);
    tsl_packer_destroy(w->packer);
    tsl_recindex_fini(&w->index);
    tsl_mem_free(w);
}

/* ---- blocks ---- */

static uint8_t *pad(uint8_t *begin, uint8_t *p)
{
    for (; (p - begin) % 8; p++)
        *p = 0;
    return p;
}

/* Lays the first nrecords of each column out behind the block's head, without what is open
 * unless all; returns the payload's bytes. */
static uint32_t lay_out(const struct tsl_recnative_writer *w, size_t nrecords, bool all)
{
    uint8_t *begin = w->block + TSL_RECBLOCK_HEAD, *p = begin;
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        const struct column *c = &w->columns[i];
        size_t nvalues = all ? c->nvalues : c->open_values;
        size_t nbytes = all ? c->nbytes : c->open_bytes;
        if (l->listed) {
            memcpy(p, c->ends, 4 * nrecords);
            p = pad(begin, p + 4 * nrecords);
        }
        if (l->text) {
            uint32_t end = 0;
            for (size_t v = 0; v < nvalues; v++, p += 4)
                tsl_store32(p, end += c->lens[v]);
            p = pad(begin, p);
        }
        if (l->bits == 1) {
            tsl_bits_pack(p, c->values, nvalues);
            p += tsl_bits_bytes(nvalues);
        } else {
            memcpy(p, c->values, nbytes);
            p += nbytes;
        }
        p = pad(begin, p);
    }
    return (uint32_t)(p - begin);
}

/* Writes the whole records as a block; with TSL_RECBLOCK_GOES_ON, what is open, alone. */
static int write_block(struct tsl_recnative_writer *w, unsigned flags,
                       struct tsl_err *err)
{
    bool all = flags & TSL_RECBLOCK_GOES_ON || !w->open;
    size_t nrecords = flags & TSL_RECBLOCK_GOES_ON ? 1 : w->nrecords;
    uint8_t *block = w->block;
    struct tsl_recblock_head h = { .nrecords = (uint32_t)nrecords,
                                   .number = w->index.nblocks,
                                   .first = w->first,
                                   .cut = flags & TSL_RECBLOCK_GOES_ON ? w->cut : 0 };
    h.raw = h.stored = lay_out(w, nrecords, all);
    h.flags = flags | (w->continued ? TSL_RECBLOCK_CONTINUED : 0);
    assert(h.raw <= w->block_bytes);
    if (w->packer) {
        size_t packed;
        int rc = tsl_packer_run(w->packer, w->packed + TSL_RECBLOCK_HEAD,
                                w->packed_cap - TSL_RECBLOCK_HEAD - 8,
                                w->block + TSL_RECBLOCK_HEAD, h.raw, &packed, err);
        if (rc < 0)
            return rc;
        if (packed < h.raw) {
            block = w->packed;
            h.stored = (uint32_t)packed;
            h.flags |= TSL_RECBLOCK_ZSTD;
            memset(block + TSL_RECBLOCK_HEAD + packed, 0, 8);
        }
    }
    tsl_recblock_put(block, &h, block + TSL_RECBLOCK_HEAD, w->sum);
    int rc = tsl_recindex_add(&w->index, &h, w->at, err);
    if (rc < 0)
        return rc;
    w->first += w->nrecords;
    return emit(w, block, TSL_RECBLOCK_HEAD + (size_t)tsl_pad8(h.stored), err);
}

/* What is open moves to the block's front; all else was written. */
static void keep_open(struct tsl_recnative_writer *w)
{
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        struct column *c = &w->columns[i];
        c->nvalues -= c->open_values;
        c->nbytes -= c->open_bytes;
        memmove(c->values, c->values + c->open_bytes, c->nbytes);
        if (l->text)
            memmove(c->lens, c->lens + c->open_values, 4 * c->nvalues);
        c->open_values = c->open_bytes = 0;
    }
    w->nrecords = 0;
    w->used_bits = w->open_bits;
}

static void clear(struct tsl_recnative_writer *w)
{
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        struct column *c = &w->columns[i];
        c->nvalues = c->nbytes = c->open_values = c->open_bytes = 0;
    }
    w->nrecords = 0;
    w->used_bits = 0;
}

/* Notes in each list where the record that ends now, or goes on in the next block, ends. */
static void note_ends(struct tsl_recnative_writer *w)
{
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        struct column *c = &w->columns[i];
        if (c->ends)
            c->ends[w->nrecords] = (uint32_t)c->nvalues;
    }
}

/* Makes room: whole records go first, so that one that is cut lies alone in its blocks. */
int tsl_recnative_writer_spill(struct tsl_recnative_writer *w, struct tsl_err *err)
{
    int rc;
    if (w->nrecords) {
        rc = write_block(w, 0, err);
        if (rc < 0)
            return rc;
        if (w->open)
            keep_open(w);
        else
            clear(w);
        w->continued = false;
        return 0;
    }
    assert(w->open);
    note_ends(w);
    rc = write_block(w, TSL_RECBLOCK_GOES_ON, err);
    if (rc < 0)
        return rc;
    clear(w);
    w->continued = true;
    w->cut = 0;
    w->used_bits = w->open_bits = w->layout.lists_bits;
    return 0;
}

/* ---- records ---- */

static void append(struct column *c, const struct tsl_reclayout_column *l,
                   const struct tsl_value *v, size_t nbytes)
{
    if (nbytes)
        memcpy(c->values + c->nbytes, v->data, nbytes);
    if (l->text && v->n)
        memcpy(c->lens + c->nvalues, v->lens, 4 * (size_t)v->n);
    c->nbytes += nbytes;
    c->nvalues += v->n;
}

static void mark_open(struct tsl_recnative_writer *w)
{
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        struct column *c = &w->columns[i];
        c->open_values = c->nvalues;
        c->open_bytes = c->nbytes;
    }
    w->open = true;
}

int tsl_recnative_writer_begin(struct tsl_recnative_writer *w, struct tsl_err *err)
{
    assert(!w->open);
    if (w->used_bits + w->layout.record_bits > w->room_bits) {
        int rc = tsl_recnative_writer_spill(w, err);
        if (rc < 0)
            return rc;
    }
    mark_open(w);
    w->open_bits = w->layout.record_bits;
    w->used_bits += w->open_bits;
    return 0;
}

uint64_t tsl_recnative_writer_room(const struct tsl_recnative_writer *w)
{
    return w->room_bits - w->used_bits;
}

void tsl_recnative_writer_add(struct tsl_recnative_writer *w,
                              const struct tsl_value *values)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        assert(!l->text && l->listed);
        bits += (uint64_t)values[i].n * l->bits;
        append(&w->columns[i], l, &values[i], (size_t)values[i].n * l->size);
        w->index.nvalues[i] += values[i].n;
    }
    w->used_bits += bits;
    w->open_bits += bits;
    assert(w->used_bits <= w->room_bits);
}

void tsl_recnative_writer_end(struct tsl_recnative_writer *w)
{
    assert(w->open);
    note_ends(w);
    w->nrecords++;
    w->open = false;
}

static int add_numbers(struct tsl_recnative_writer *w, size_t i, struct tsl_value v,
                       struct tsl_err *err)
{
    const struct tsl_reclayout_column *l = &w->layout.columns[i];
    w->index.nvalues[i] += v.n;
    while (v.n) {
        uint64_t room = tsl_recnative_writer_room(w) / l->bits;
        struct tsl_value part = { v.data, NULL, room < v.n ? (uint32_t)room : v.n };
        if (part.n == 0) {
            int rc = tsl_recnative_writer_spill(w, err);
            if (rc < 0)
                return rc;
            continue;
        }
        append(&w->columns[i], l, &part, (size_t)part.n * l->size);
        w->used_bits += (uint64_t)part.n * l->bits;
        w->open_bits += (uint64_t)part.n * l->bits;
        v.data = (const uint8_t *)v.data + (size_t)part.n * l->size;
        v.n -= part.n;
    }
    return 0;
}

static int add_string(struct tsl_recnative_writer *w, size_t i, const uint8_t *p,
                      uint32_t len, struct tsl_err *err)
{
    for (;;) {
        uint64_t room = tsl_recnative_writer_room(w), need = 32 + 8 * (uint64_t)len;
        bool cut = need > room;
        uint32_t part = cut && room >= 32 ? (uint32_t)((room - 32) / 8) : len;
        if (!cut || (room >= 32 && part >= STRING_PART)) {
            struct tsl_value v = { p, &part, 1 };
            append(&w->columns[i], &w->layout.columns[i], &v, part);
            w->used_bits += 32 + 8 * (uint64_t)part;
            w->open_bits += 32 + 8 * (uint64_t)part;
            if (!cut)
                return 0;
            w->cut = (uint64_t)1 << i;
            p += part;
            len -= part;
        }
        int rc = tsl_recnative_writer_spill(w, err);
        if (rc < 0)
            return rc;
    }
}

/* A record that fits into no block: as much of each column after the other as fits. */
static int put_large(struct tsl_recnative_writer *w, const struct tsl_value *values,
                     struct tsl_err *err)
{
    int rc = tsl_recnative_writer_begin(w, err);
    /* small columns lie in the first piece: their place is taken */
    for (size_t i = 0; rc == 0 && i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        if (!l->listed) {
            append(&w->columns[i], l, &values[i], (size_t)values[i].n * l->size);
            w->index.nvalues[i] += values[i].n;
        }
    }
    for (size_t i = 0; rc == 0 && i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        const uint8_t *p = values[i].data;
        if (l->listed && !l->text)
            rc = add_numbers(w, i, values[i], err);
        for (uint32_t v = 0; rc == 0 && l->text && v < values[i].n; v++) {
            rc = add_string(w, i, p, values[i].lens[v], err);
            p += values[i].lens[v];
            w->index.nvalues[i]++;
        }
    }
    if (rc == 0)
        tsl_recnative_writer_end(w);
    return rc;
}

int tsl_recnative_writer_put(struct tsl_recnative_writer *w,
                             const struct tsl_value *values, struct tsl_err *err)
{
    uint64_t bits = w->layout.record_bits;
    uint64_t nbytes[TSL_COLUMNS_MAX];
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        const struct tsl_value *v = &values[i];
        nbytes[i] = (uint64_t)v->n * l->size;
        if (l->text) {
            nbytes[i] = 0;
            for (uint32_t k = 0; k < v->n; k++)
                nbytes[i] += v->lens[k];
            bits += 32 * (uint64_t)v->n + 8 * nbytes[i];
        } else if (l->listed) {
            bits += (uint64_t)v->n * l->bits;
        }
    }
    if (w->used_bits + bits > w->room_bits) {
        int rc = w->nrecords ? tsl_recnative_writer_spill(w, err) : 0;
        if (rc < 0)
            return rc;
        if (bits > w->room_bits)
            return put_large(w, values, err);
    }
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        append(&w->columns[i], &w->layout.columns[i], &values[i], (size_t)nbytes[i]);
        w->index.nvalues[i] += values[i].n;
    }
    w->used_bits += bits;
    note_ends(w);
    w->nrecords++;
    return 0;
}

/* Bits that the first n rows take, in the sum that put makes. */
static uint64_t rows_bits(const struct tsl_recnative_writer *w,
                          const struct tsl_recrows *rows, uint32_t n)
{
    uint64_t bits = n * w->layout.record_bits;
    for (size_t i = 0; n && i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        const struct tsl_recrows_column *c = &rows->columns[i];
        if (l->listed)
            bits +=
                (uint64_t)l->bits * (c->ends ? c->ends[n - 1] - c->begin : n * l->count);
    }
    return bits;
}

/* How many of them fit in what the block has left. */
static uint32_t rows_fitting(const struct tsl_recnative_writer *w,
                             const struct tsl_recrows *rows)
{
    uint64_t room = w->room_bits - w->used_bits;
    uint32_t low = 0, high = rows->n; /* low of them fit; more than high do not */
    while (low < high) {
        uint32_t mid = high - (high - low) / 2;
        if (rows_bits(w, rows, mid) <= room)
            low = mid;
        else
            high = mid - 1;
    }
    return low;
}

/* The first n rows, which fit, column by column. */
static void append_rows(struct tsl_recnative_writer *w, const struct tsl_recrows *rows,
                        uint32_t n)
{
    w->used_bits += rows_bits(w, rows, n);
    for (size_t i = 0; i < w->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &w->layout.columns[i];
        const struct tsl_recrows_column *from = &rows->columns[i];
        struct column *c = &w->columns[i];
        uint32_t begin = from->ends ? from->begin : 0;
        struct tsl_value v = { from->values + (size_t)begin * l->size, NULL,
                               from->ends ? from->ends[n - 1] - begin : n * l->count };
        uint32_t before = (uint32_t)c->nvalues;
        for (uint32_t k = 0; c->ends && k < n; k++)
            c->ends[w->nrecords + k] =
                before + (from->ends ? from->ends[k] - begin : (k + 1) * l->count);
        append(c, l, &v, (size_t)v.n * l->size);
        w->index.nvalues[i] += v.n;
    }
    w->nrecords += n;
}

static int put_row(struct tsl_recnative_writer *w, const struct tsl_recrows *rows,
                   struct tsl_err *err)
{
    struct tsl_value values[TSL_COLUMNS_MAX];
    for (size_t i = 0; i < w->layout.ncolumns; i++)
        values[i] = tsl_recrows_value(rows, i, &w->schema.columns[i], 0);
    return tsl_recnative_writer_put(w, values, err);
}

int tsl_recnative_writer_put_rows(struct tsl_recnative_writer *w,
                                  const struct tsl_recrows *all, struct tsl_err *err)
{
    struct tsl_recrows rows = *all;
    while (rows.n) {
        uint32_t n = rows_fitting(w, &rows);
        if (n) {
            append_rows(w, &rows, n);
        } else { /* the next one ends the block, or is larger than any */
            int rc = put_row(w, &rows, err);
            if (rc < 0)
                return rc;
            n = 1;
        }
        tsl_recrows_skip(&rows, &w->schema, n);
    }
    return 0;
}

/* ---- the end ---- */

int tsl_recnative_writer_finish(struct tsl_recnative_writer *w, struct tsl_err *err)
{
    uint8_t *t;
    size_t n;
    assert(!w->open);
    int rc = w->nrecords ? tsl_recnative_writer_spill(w, err) : 0;
    if (rc == 0)
        rc = tsl_recindex_write(&w->index, w->at, w->sum, &t, &n, err);
    if (rc < 0)
        return rc;
    rc = emit(w, t, n, err);
    tsl_mem_free(t);
    return rc;
}

void tsl_recnative_writer_counts(const struct tsl_recnative_writer *w,
                                 struct tsl_recnative_counts *n)
{
    n->nblocks = w->index.nblocks;
    n->nrecords = w->index.nrecords + w->nrecords - w->continued;
    n->raw_bytes = w->index.raw_bytes;
    memcpy(n->nvalues, w->index.nvalues, sizeof n->nvalues);
}

uint64_t tsl_recnative_writer_bytes(const struct tsl_recnative_writer *w)
{
    bool more = w->nrecords || w->open;
    return w->at +
           (more ? TSL_RECBLOCK_HEAD + w->used_bits / 8 + w->layout.slack_bytes : 0) +
           tsl_recindex_bytes(w->index.nblocks + more, w->layout.ncolumns);
}

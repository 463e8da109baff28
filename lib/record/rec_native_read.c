#include <inttypes.h>
#include <string.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "record/rec_native.h"
#include "record/recindex.h"

enum { WINDOW_MAX = 128 << 20, CHUNK_BYTES = 48 << 10, NO_SLOT = 0 };

/* A record that lies in several blocks, put together. */
struct whole {
    uint8_t *data;
    uint32_t *lens;
    size_t nbytes, nbytes_cap, n, lens_cap;
};

struct slot {
    uint8_t *raw;
    uint64_t block, used;
};

struct tsl_recnative_reader {
    struct tsl_source src;
    char *name;
    struct tsl_rechead head;
    struct tsl_reclayout layout;
    struct tsl_recreader_opts o;
    uint32_t block_bytes;
    uint64_t sum;   /* of the header */
    uint64_t begin; /* place of the first block */

    /* as a stream: all up to at, and the block's head behind it, was read */
    uint8_t *stored;
    size_t stored_cap;
    uint8_t ahead[TSL_RECBLOCK_HEAD];
    size_t nahead;
    uint64_t at;
    bool ended;                  /* the trailer was met, and was right */
    struct tsl_hasher64 entries; /* of all blocks seen, as the trailer has them */
    struct tsl_recindex seen;    /* its entries only where they are kept */
    bool keep, broken;

    /* by number */
    const uint8_t *map; /* of the file; or the memory that was given */
    uint64_t map_bytes;
    bool mapped;
    bool random;
    struct tsl_recindex index;
    uint64_t trailer_at;
    /* What blocks that were checked are, so that a record costs only the bytes of its own:
     * [nblocks], raw 0: not yet; [nblocks][ncolumns], places in the payload. */
    struct tsl_recblock_head *heads;
    struct place {
        uint32_t ends, sends, values, nvalues, nbytes;
    } * places;
    size_t heads_bytes, places_bytes;
    struct slot *slots;
    uint32_t *slot_of; /* [nblocks]: slot + 1 */
    size_t nslots;
    uint64_t clock;

    /* the block at hand */
    struct tsl_packer *packer;
    uint8_t *raw;
    struct tsl_recblock b;
    size_t row;     /* next in it */
    uint64_t block; /* number of the next one */
    bool goes_on;   /* said the block before */
    bool fresh;     /* there is none before: we were sent here */
    uint64_t cut;   /* of the block before */
    struct scratch {
        uint8_t *bits;
        uint32_t *lens;
        size_t bits_cap, lens_cap;
    } scratch[TSL_COLUMNS_MAX];
    struct tsl_value values[TSL_COLUMNS_MAX];
    struct whole whole[TSL_COLUMNS_MAX];
};

static int damaged(const struct tsl_recnative_reader *r, uint64_t at, const char *why,
                   struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: byte %" PRIu64 ": %s", r->name, at, why);
}

/* ---- opening ---- */

/* Up to n bytes of the stream. */
static int64_t get(struct tsl_recnative_reader *r, void *p, size_t n, struct tsl_err *err)
{
    if (r->name && r->map && !r->mapped) {
        n = n < r->map_bytes - r->at ? n : (size_t)(r->map_bytes - r->at);
        memcpy(p, r->map + r->at, n);
        r->at += n;
        return (int64_t)n;
    }
    int64_t k = tsl_source_read(&r->src, p, n, err);
    r->at += k > 0 ? (uint64_t)k : 0;
    return k;
}

static int cut_short(const struct tsl_recnative_reader *r, struct tsl_err *err)
{
    uint64_t n = r->seen.nrecords - r->goes_on;
    if (n == 0)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: input ended early, before the end of its first record",
                           r->name);
    return tsl_err_set(err, TSL_EFORMAT, "%s: input ended early after record %" PRIu64,
                       r->name, r->head.first + n - 1);
}

static int read_head(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    uint8_t first[16], *p = NULL;
    int64_t k = get(r, first, sizeof first, err);
    if (k < 0)
        return (int)k;
    if (k < 8 || memcmp(first, tsl_recindex_magic, 8) != 0)
        return damaged(r, 0, "these are no native records", err);
    size_t n = (size_t)k < sizeof first ? 1 : tsl_recindex_head_bytes(first);
    if (n == 0)
        return damaged(r, 8, "no header of records is that long", err);
    if (n > 1) {
        p = tsl_mem_alloc(n, 1, "a header", err);
        if (!p)
            return TSL_ENOMEM;
        memcpy(p, first, sizeof first);
        k = get(r, p + sizeof first, n - sizeof first, err);
    }
    int rc = k < 0 ? (int)k : 0;
    if (rc == 0 && (n == 1 || (size_t)k < n - sizeof first))
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: input ended early, in the header",
                         r->name);
    if (rc == 0)
        rc = tsl_recindex_head_read(&r->head, &r->block_bytes, p, n, r->name,
                                    r->o.no_check, err);
    if (rc == 0)
        r->sum = tsl_load64(p + n - 8);
    tsl_mem_free(p);
    r->begin = r->at;
    return rc;
}

static int set_up(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    int rc = read_head(r, err);
    if (rc < 0)
        return rc;
    tsl_reclayout_init(&r->layout, &r->head.schema);
    r->seen.ncolumns = r->index.ncolumns = r->layout.ncolumns;
    tsl_hasher64_init(&r->entries, r->sum);
    r->stored_cap = r->block_bytes + 8 + TSL_RECBLOCK_HEAD;
    if (r->stored_cap < CHUNK_BYTES)
        r->stored_cap = CHUNK_BYTES;
    r->stored = tsl_pages_map(r->stored_cap, "a block", err);
    r->raw = tsl_pages_map(r->block_bytes, "a block", err);
    if (!r->stored || !r->raw)
        return TSL_ENOMEM;
    int64_t k = get(r, r->ahead, sizeof r->ahead, err);
    r->nahead = k > 0 ? (size_t)k : 0;
    return k < 0 ? (int)k : 0;
}

/* Pages: the hash's state wants 64-byte alignment, which the heap does not promise. */
static struct tsl_recnative_reader *reader_alloc(const struct tsl_recreader_opts *o,
                                                 struct tsl_err *err)
{
    struct tsl_recnative_reader *r = tsl_pages_map(sizeof *r, "a reader", err);
    if (r) {
        r->src = TSL_SOURCE_CLOSED;
        r->o = *o;
        if (!r->o.memory)
            r->o.memory = 64 << 20;
    }
    return r;
}

static int reader_start(struct tsl_recnative_reader **out, struct tsl_recnative_reader *r,
                        const char *name, struct tsl_err *err)
{
    r->name = tsl_mem_strdup(name, err);
    int rc = r->name ? set_up(r, err) : TSL_ENOMEM;
    if (rc == 0)
        *out = r;
    else
        tsl_recnative_reader_destroy(r);
    return rc;
}

int tsl_recnative_reader_of_source(struct tsl_recnative_reader **out,
                                   struct tsl_source *src,
                                   const struct tsl_recreader_opts *o,
                                   struct tsl_err *err)
{
    struct tsl_recnative_reader *r = reader_alloc(o, err);
    if (!r) {
        tsl_source_close(src, NULL);
        return TSL_ENOMEM;
    }
    r->src = *src;
    *src = TSL_SOURCE_CLOSED;
    return reader_start(out, r, r->src.file.name, err);
}

int tsl_recnative_reader_open(struct tsl_recnative_reader **out, const char *path,
                              const struct tsl_recreader_opts *o, struct tsl_err *err)
{
    struct tsl_source src;
    int rc = tsl_source_open(&src, path, WINDOW_MAX, err);
    return rc < 0 ? rc : tsl_recnative_reader_of_source(out, &src, o, err);
}

int tsl_recnative_reader_of_memory(struct tsl_recnative_reader **out, const char *name,
                                   const uint8_t *p, size_t n,
                                   const struct tsl_recreader_opts *o,
                                   struct tsl_err *err)
{
    struct tsl_recnative_reader *r = reader_alloc(o, err);
    if (!r)
        return TSL_ENOMEM;
    r->map = p;
    r->map_bytes = n;
    return reader_start(out, r, name, err);
}

void tsl_recnative_reader_destroy(struct tsl_recnative_reader *r)
{
    if (!r)
        return;
    tsl_source_close(&r->src, NULL);
    if (r->mapped)
        tsl_pages_unmap((void *)(uintptr_t)r->map, (size_t)r->map_bytes);
    tsl_pages_unmap(r->stored, r->stored_cap);
    tsl_pages_unmap(r->raw, r->block_bytes);
    tsl_packer_destroy(r->packer);
    for (size_t i = 0; i < r->layout.ncolumns; i++) {
        tsl_mem_free(r->scratch[i].bits);
        tsl_mem_free(r->scratch[i].lens);
        tsl_mem_free(r->whole[i].data);
        tsl_mem_free(r->whole[i].lens);
    }
    for (size_t i = 0; i < r->nslots; i++)
        tsl_pages_unmap(r->slots[i].raw, r->block_bytes);
    tsl_mem_free(r->slots);
    tsl_mem_free(r->slot_of);
    tsl_pages_unmap(r->heads, r->heads_bytes);
    tsl_pages_unmap(r->places, r->places_bytes);
    tsl_recindex_fini(&r->index);
    tsl_recindex_fini(&r->seen);
    tsl_rechead_fini(&r->head);
    tsl_mem_free(r->name);
    tsl_pages_unmap(r, sizeof *r);
}

const struct tsl_rechead *tsl_recnative_reader_head(const struct tsl_recnative_reader *r)
{
    return &r->head;
}

/* ---- a block, wherever it comes from ---- */

static int undo(struct tsl_recnative_reader *r, const struct tsl_recblock_head *h,
                const uint8_t *stored, uint8_t *raw, uint64_t place, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    int rc = r->packer ? 0 : tsl_packer_create(&r->packer, TSL_CODEC_ZSTD, 0, err);
    if (rc < 0)
        return rc;
    rc = tsl_packer_undo(r->packer, raw, h->raw, stored, h->stored, &why);
    return rc < 0
               ? tsl_err_set(err, rc, "%s: byte %" PRIu64 ": %s", r->name, place, why.msg)
               : 0;
}

static int check_sum(const struct tsl_recnative_reader *r,
                     const struct tsl_recblock_head *h, const uint8_t *head,
                     const uint8_t *payload, uint64_t place, struct tsl_err *err)
{
    uint64_t sum =
        r->o.no_check ? h->sum : tsl_recblock_sum(head, payload, h->stored, r->sum);
    if (sum == h->sum)
        return 0;
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: byte %" PRIu64 ": block %" PRIu64 " has checksum %016" PRIx64
                       ", expected %016" PRIx64,
                       r->name, place, h->number, sum, h->sum);
}

/* Is this block the one that follows the last? */
static const char *follows(const struct tsl_recnative_reader *r,
                           const struct tsl_recblock *b)
{
    if (b->head.number != r->block)
        return "a block has another's number";
    if (r->fresh)
        return NULL;
    if (r->goes_on != b->continued)
        return "a record goes on, but not where it should";
    for (size_t i = 0; i < r->layout.ncolumns; i++)
        if (r->cut >> i & 1 && b->columns[i].ends[0] == 0)
            return "a string goes on, but not where it should";
    return NULL;
}

/* Room for what a block, or a record, has of bits and strings. */
static int reserve(struct scratch *s, const struct tsl_reclayout_column *l, size_t n,
                   struct tsl_err *err)
{
    if (l->bits == 1)
        return tsl_mem_grow(&s->bits, &s->bits_cap, n + 1, 1, "a block", err);
    return l->text ? tsl_mem_grow(&s->lens, &s->lens_cap, n + 1, sizeof *s->lens,
                                  "a block", err)
                   : 0;
}

static void lens_of(uint32_t *lens, const uint32_t *ends, size_t from, size_t n)
{
    uint32_t before = from ? ends[from - 1] : 0;
    for (size_t i = 0; i < n; i++) {
        lens[i] = ends[from + i] - before;
        before = ends[from + i];
    }
}

static int changed(const struct tsl_recnative_reader *r, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EIO, "%s: it changed while it was read", r->name);
}

/* Brings values from on into the form that they have in memory. */
static int unpack(struct tsl_recnative_reader *r, size_t i, size_t from, size_t n,
                  struct tsl_err *err)
{
    const struct tsl_reclayout_column *l = &r->layout.columns[i];
    struct scratch *s = &r->scratch[i];
    int rc = reserve(s, l, n, err);
    if (rc < 0)
        return rc;
    if (l->text && n) {
        const uint32_t *sends = r->b.columns[i].sends;
        lens_of(s->lens, sends, from, n);
        uint64_t end = from ? sends[from - 1] : 0;
        for (size_t k = 0; r->random && k < n; k++)
            end += s->lens[k];
        if (end > r->b.columns[i].nbytes)
            return changed(r, err);
    } else if (n)
        tsl_bits_unpack(s->bits, r->b.columns[i].values, from, n);
    return 0;
}

static void took_block(struct tsl_recnative_reader *r)
{
    r->row = 0;
    r->block++;
    r->goes_on = r->b.goes_on;
    r->cut = r->b.head.cut;
    r->fresh = false;
}

static int count_block(struct tsl_recnative_reader *r, uint64_t place, uint64_t cut,
                       struct tsl_err *err)
{
    const struct tsl_recblock *b = &r->b;
    uint8_t entry[TSL_RECINDEX_ENTRY];
    tsl_store64(entry, place);
    tsl_store64(entry + 8, b->head.first + b->continued);
    tsl_store64(entry + 16, b->head.sum);
    tsl_hasher64_add(&r->entries, entry, sizeof entry);
    if (r->keep) {
        int rc = tsl_recindex_add(&r->seen, &b->head, place, err);
        if (rc < 0)
            return rc;
    } else {
        r->seen.nblocks++;
        r->seen.nrecords += b->head.nrecords - b->continued;
        r->seen.raw_bytes += b->head.raw;
    }
    for (size_t i = 0; i < r->layout.ncolumns; i++)
        r->seen.nvalues[i] += b->columns[i].nvalues - (cut >> i & 1);
    if (r->o.progress) {
        struct tsl_progress *p = r->o.progress;
        atomic_fetch_add(&p->rows_in, b->head.nrecords - b->continued);
        atomic_fetch_add(&p->bytes_in, b->head.raw);
        atomic_store(&p->file_bytes_read, r->src.file.done);
    }
    return 0;
}

/* ---- as a stream ---- */

/* n bytes of the trailer, hashed. */
static int trailer_get(struct tsl_recnative_reader *r, struct tsl_hasher64 *h, size_t n,
                       struct tsl_err *err)
{
    int64_t k = get(r, r->stored, n, err);
    if (k < 0)
        return (int)k;
    if ((size_t)k < n)
        return cut_short(r, err);
    tsl_hasher64_add(h, r->stored, n);
    return 0;
}

static int trailer_entries(struct tsl_recnative_reader *r, struct tsl_hasher64 *h,
                           uint64_t *sum, struct tsl_err *err)
{
    _Alignas(64) struct tsl_hasher64 entries;
    const size_t most = CHUNK_BYTES / TSL_RECINDEX_ENTRY;
    tsl_hasher64_init(&entries, r->sum);
    for (uint64_t n = r->seen.nblocks; n;) {
        size_t k = n < most ? (size_t)n : most;
        int rc = trailer_get(r, h, k * TSL_RECINDEX_ENTRY, err);
        if (rc < 0)
            return rc;
        tsl_hasher64_add(&entries, r->stored, k * TSL_RECINDEX_ENTRY);
        n -= k;
    }
    *sum = tsl_hasher64_end(&entries);
    return 0;
}

/* The trailer, whose head was read, against what was seen. */
static int read_trailer(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    _Alignas(64) struct tsl_hasher64 h;
    uint64_t place = r->at - TSL_RECBLOCK_HEAD, entries = 0, sum;
    const uint8_t *p = r->ahead;
    bool other;
    uint8_t more;
    if (r->goes_on)
        return damaged(r, place, "the last record has no end", err);
    if (tsl_load32(p + 4) != 0 || tsl_load64(p + 8) != r->seen.nblocks ||
        tsl_load64(p + 16) != r->head.first || tsl_load64(p + 24) != r->seen.nrecords ||
        tsl_load64(p + 32) != r->seen.raw_bytes ||
        tsl_load64(p + 40) != r->layout.ncolumns || tsl_load64(p + 48) != r->sum)
        return damaged(r, place,
                       "the trailer counts other blocks or records than there are", err);
    tsl_hasher64_init(&h, r->sum);
    tsl_hasher64_add(&h, p, TSL_RECBLOCK_HEAD);
    int rc = trailer_get(r, &h, 8 * r->layout.ncolumns, err);
    if (rc < 0)
        return rc;
    other = false;
    for (size_t i = 0; i < r->layout.ncolumns; i++)
        other |= tsl_load64(r->stored + 8 * i) != r->seen.nvalues[i];
    rc = trailer_entries(r, &h, &entries, err);
    if (rc == 0)
        rc = trailer_get(r, &h, 8, err);
    if (rc < 0)
        return rc;
    other |= entries != tsl_hasher64_end(&r->entries) || tsl_load64(r->stored) != place;
    sum = tsl_hasher64_end(&h);
    rc = trailer_get(r, &h, 8, err);
    if (rc < 0)
        return rc;
    if (tsl_load64(r->stored) != sum)
        return damaged(r, place, "the trailer's checksum is wrong", err);
    if (other)
        return damaged(r, place, "the trailer's index is not that of the blocks", err);
    int64_t k = get(r, &more, 1, err);
    if (k < 0)
        return (int)k;
    if (k > 0)
        return damaged(r, r->at - 1, "more behind the end of the records", err);
    if (r->src.file.fd >= 0 && (rc = tsl_file_unchanged(&r->src.file, err)) < 0)
        return rc;
    r->ended = true;
    return 0;
}

/* Finds the block's columns, checks them, and that it follows the one before. */
static int take_block(struct tsl_recnative_reader *r, const struct tsl_recblock_head *h,
                      const uint8_t *payload, bool check, uint64_t place,
                      struct tsl_err *err)
{
    const char *why = tsl_recblock_view(&r->b, &r->layout, h, payload);
    if (!why && check)
        why = tsl_recblock_check(&r->b, &r->layout);
    if (!why)
        why = follows(r, &r->b);
    return why ? damaged(r, place, why, err) : 0;
}

static int next_of_stream(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    struct tsl_recblock_head h;
    uint64_t place = r->at - r->nahead, cut = r->cut;
    uint8_t head[TSL_RECBLOCK_HEAD];
    if (r->nahead < sizeof r->ahead)
        return cut_short(r, err);
    if (tsl_recindex_is(r->ahead))
        return read_trailer(r, err);
    const char *why = tsl_recblock_get(&h, r->ahead, r->block_bytes);
    if (why)
        return damaged(r, place, why, err);
    memcpy(head, r->ahead, sizeof head);
    size_t n = (size_t)tsl_pad8(h.stored);
    int64_t k = get(r, r->stored, n + sizeof r->ahead, err); /* and the next one's head */
    if (k < 0)
        return (int)k;
    if ((size_t)k < n)
        return cut_short(r, err);
    r->nahead = (size_t)k - n;
    memcpy(r->ahead, r->stored + n, r->nahead);
    int rc = check_sum(r, &h, head, r->stored, place, err);
    if (rc == 0 && h.flags & TSL_RECBLOCK_ZSTD)
        rc = undo(r, &h, r->stored, r->raw, place, err);
    if (rc == 0)
        rc = take_block(r, &h, h.flags & TSL_RECBLOCK_ZSTD ? r->raw : r->stored, true,
                        place, err);
    if (rc == 0 && h.first + r->b.continued != r->head.first + r->seen.nrecords)
        rc = damaged(r, place, "a block's first record has another's number", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < r->layout.ncolumns; i++)
        if (r->layout.columns[i].text || r->layout.columns[i].bits == 1)
            rc = unpack(r, i, 0, r->b.columns[i].nvalues, err);
    if (rc < 0)
        return rc;
    rc = count_block(r, place, cut, err);
    if (rc < 0)
        return rc;
    took_block(r);
    return 1;
}

/* ---- by number ---- */

static int load_index(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    const struct tsl_file *f = &r->src.file;
    int rc = 0;
    if (r->index.entries)
        return 0;
    if (!r->map) {
        if (!f->regular || f->borrowed || r->src.decoder || f->size == 0)
            return tsl_err_set(err, TSL_EUSAGE,
                               "%s: records can be counted and picked in a regular file "
                               "only that is not compressed as a whole",
                               r->name);
        rc = tsl_file_unchanged(f, err);
        if (rc == 0)
            rc = tsl_pages_map_file(&r->map, f->fd, (size_t)f->size, r->name, err);
        if (rc < 0)
            return rc;
        r->map_bytes = f->size;
        r->mapped = true;
    }
    uint64_t size = r->map_bytes, place;
    if (size < r->begin + tsl_recindex_bytes(0, r->layout.ncolumns))
        return damaged(r, size, "input ended early", err);
    place = tsl_load64(r->map + size - 16);
    if (place < r->begin || place > size || place % 8)
        return damaged(r, size - 16,
                       "this is no end of records: the file was cut short or changed",
                       err);
    struct tsl_recindex x = { .ncolumns = r->layout.ncolumns };
    const char *why = NULL;
    rc = tsl_recindex_read(&x, r->map + place, (size_t)(size - place), place, r->begin,
                           r->sum, &why, err);
    if (rc == 0 && x.first != r->head.first)
        why = "the trailer is that of another file";
    if (rc == 0 && !why) {
        r->heads_bytes = ((size_t)x.nblocks + 1) * sizeof *r->heads;
        r->places_bytes = ((size_t)x.nblocks + 1) * x.ncolumns * sizeof *r->places;
        r->heads = tsl_pages_map(r->heads_bytes, "the index of records", err);
        r->places = tsl_pages_map(r->places_bytes, "the index of records", err);
        rc = r->heads && r->places ? 0 : TSL_ENOMEM;
    }
    if (rc < 0 || why) {
        tsl_pages_unmap(r->heads, r->heads_bytes);
        tsl_pages_unmap(r->places, r->places_bytes);
        r->heads = NULL;
        r->places = NULL;
        tsl_recindex_fini(&x);
        return why ? damaged(r, place, why, err) : rc;
    }
    r->index = x;
    r->trailer_at = place;
    return 0;
}

/* Where unpacked blocks are kept. */
static int open_cache(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    uint64_t n = r->o.memory / r->block_bytes;
    n = n < 2 ? 2 : n;
    n = n > r->index.nblocks ? r->index.nblocks : n;
    r->slot_of = tsl_mem_alloc((size_t)r->index.nblocks, sizeof *r->slot_of,
                               "the index of records", err);
    r->slots = tsl_mem_alloc((size_t)n, sizeof *r->slots, "unpacked blocks", err);
    if (!r->slot_of || !r->slots)
        return TSL_ENOMEM;
    r->nslots = (size_t)n;
    return 0;
}

/* The block's payload, from the cache or into it. */
static int cached(struct tsl_recnative_reader *r, uint64_t block,
                  const struct tsl_recblock_head *h, const uint8_t *stored,
                  uint64_t place, const uint8_t **raw, struct tsl_err *err)
{
    int rc = r->slots && r->slot_of ? 0 : open_cache(r, err);
    if (rc < 0)
        return rc;
    uint32_t known = r->slot_of[block];
    struct slot *s = known ? &r->slots[known - 1] : &r->slots[0];
    if (!known) {
        for (size_t i = 0; i < r->nslots; i++)
            if (r->slots[i].used < s->used)
                s = &r->slots[i];
        if (s->used)
            r->slot_of[s->block] = NO_SLOT;
        s->used = 0;
        if (!s->raw && !(s->raw = tsl_pages_map(r->block_bytes, "unpacked blocks", err)))
            return TSL_ENOMEM;
        rc = undo(r, h, stored, s->raw, place, err);
        if (rc < 0)
            return rc;
        s->block = block;
        r->slot_of[block] = (uint32_t)(s - r->slots) + 1;
    }
    s->used = ++r->clock;
    *raw = s->raw;
    return 0;
}

/* Is the block what the index says of it? */
static bool indexed(const struct tsl_recnative_reader *r, uint64_t block,
                    const struct tsl_recblock_head *h)
{
    const struct tsl_recindex *x = &r->index;
    const struct tsl_recindex_entry *e = &x->entries[block];
    bool last = block + 1 == x->nblocks;
    uint64_t continued = !!(h->flags & TSL_RECBLOCK_CONTINUED);
    return h->number == block && h->sum == e->sum && h->first + continued == e->first &&
           e->first + h->nrecords - continued ==
               (last ? x->first + x->nrecords : e[1].first) &&
           e->at + TSL_RECBLOCK_HEAD + tsl_pad8(h->stored) ==
               (last ? r->trailer_at : e[1].at);
}

/* Notes where the columns of the block at hand lie. */
static void note_block(struct tsl_recnative_reader *r, uint64_t block,
                       const uint8_t *payload)
{
    struct place *to = r->places + block * r->layout.ncolumns;
    for (size_t i = 0; i < r->layout.ncolumns; i++) {
        const struct tsl_recblock_column *c = &r->b.columns[i];
        to[i] = (struct place){
            .ends = c->ends ? (uint32_t)((const uint8_t *)c->ends - payload) : 0,
            .sends = c->sends ? (uint32_t)((const uint8_t *)c->sends - payload) : 0,
            .values = (uint32_t)(c->values - payload),
            .nvalues = c->nvalues,
            .nbytes = c->nbytes
        };
    }
    r->heads[block] = r->b.head;
}

/* The block at hand becomes one that was checked before: nothing of it is touched. */
static void recall_block(struct tsl_recnative_reader *r, uint64_t block,
                         const uint8_t *payload)
{
    const struct place *p = r->places + block * r->layout.ncolumns;
    r->b.head = r->heads[block];
    r->b.continued = r->b.head.flags & TSL_RECBLOCK_CONTINUED;
    r->b.goes_on = r->b.head.flags & TSL_RECBLOCK_GOES_ON;
    for (size_t i = 0; i < r->layout.ncolumns; i++)
        r->b.columns[i] = (struct tsl_recblock_column){
            .ends =
                r->layout.columns[i].listed ? (const void *)(payload + p[i].ends) : NULL,
            .sends =
                r->layout.columns[i].text ? (const void *)(payload + p[i].sends) : NULL,
            .values = payload + p[i].values,
            .nvalues = p[i].nvalues,
            .nbytes = p[i].nbytes
        };
}

static int check_block(struct tsl_recnative_reader *r, uint64_t block, const uint8_t *p,
                       struct tsl_recblock_head *h, struct tsl_err *err)
{
    uint64_t place = r->index.entries[block].at;
    const char *why = tsl_recblock_get(h, p, r->block_bytes);
    if (!why && !indexed(r, block, h))
        why = "the index is that of other blocks";
    return why ? damaged(r, place, why, err)
               : check_sum(r, h, p, p + TSL_RECBLOCK_HEAD, place, err);
}

static int next_of_random(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    uint64_t block = r->block;
    if (block == r->index.nblocks)
        return r->goes_on ? damaged(r, r->trailer_at, "the last record has no end", err)
                          : 0;
    uint64_t place = r->index.entries[block].at;
    const uint8_t *p = r->map + place, *payload = p + TSL_RECBLOCK_HEAD;
    struct tsl_recblock_head h = r->heads[block];
    bool known = h.raw;
    int rc = known ? 0 : check_block(r, block, p, &h, err);
    if (rc == 0 && h.flags & TSL_RECBLOCK_ZSTD)
        rc = cached(r, block, &h, payload, place, &payload, err);
    if (rc < 0)
        return rc;
    if (known) {
        recall_block(r, block, payload);
        const char *why = follows(r, &r->b);
        rc = why ? damaged(r, place, why, err) : 0;
    } else {
        rc = take_block(r, &h, payload, true, place, err);
        if (rc == 0)
            note_block(r, block, payload);
    }
    if (rc < 0)
        return rc;
    took_block(r);
    return 1;
}

int tsl_recnative_reader_count(struct tsl_recnative_reader *r,
                               struct tsl_recnative_counts *n, struct tsl_err *err)
{
    int rc = load_index(r, err);
    if (rc < 0)
        return rc;
    n->nblocks = r->index.nblocks;
    n->nrecords = r->index.nrecords;
    n->raw_bytes = r->index.raw_bytes;
    memcpy(n->nvalues, r->index.nvalues, sizeof n->nvalues);
    return 0;
}

/* The block in which record number begins: the last one that does not begin behind it. */
static uint64_t block_of(const struct tsl_recindex *x, uint64_t number)
{
    const struct tsl_recindex_entry *e = x->entries;
    uint64_t n = x->nblocks;
    while (n > 1) {
        uint64_t half = n / 2;
        e = e[half].first <= number ? e + half : e;
        n -= half;
    }
    return (uint64_t)(e - x->entries);
}

int tsl_recnative_reader_seek(struct tsl_recnative_reader *r, uint64_t i,
                              struct tsl_err *err)
{
    int rc = load_index(r, err);
    if (rc < 0)
        return rc;
    if (i > r->index.nrecords)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: record %" PRIu64 ", but there are %" PRIu64, r->name, i,
                           r->index.nrecords);
    uint64_t number = r->head.first + i;
    const struct tsl_recblock *b = &r->b;
    /* the block at hand, perhaps */
    if (r->random && !r->fresh && number >= b->head.first + b->continued &&
        number - b->head.first < b->head.nrecords) {
        r->row = (size_t)(number - b->head.first);
        return 0;
    }
    r->random = r->fresh = true;
    r->goes_on = false;
    r->b.head.nrecords = 0;
    r->row = 0;
    if (i == r->index.nrecords) {
        r->block = r->index.nblocks;
        return 0;
    }
    r->block = block_of(&r->index, number);
    rc = next_of_random(r, err);
    if (rc < 0) {
        r->fresh = true;
        r->b.head.nrecords = 0;
        return rc;
    }
    r->row = (size_t)(number - b->head.first);
    /* the columns' ends are fetched side by side, not one after the other */
    for (size_t c = 0; c < r->layout.ncolumns; c++)
        if (b->columns[c].ends)
            TSL_PREFETCH(b->columns[c].ends + r->row);
    return 0;
}

int tsl_recnative_reader_at(struct tsl_recnative_reader *r, uint64_t i,
                            struct tsl_record *rec, struct tsl_err *err)
{
    int rc = tsl_recnative_reader_seek(r, i, err);
    if (rc < 0)
        return rc;
    if (i == r->index.nrecords)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: record %" PRIu64 ", but there are %" PRIu64, r->name, i,
                           r->index.nrecords);
    rc = tsl_recnative_reader_next(r, rec, err);
    return rc < 0 ? rc : 0;
}

/* ---- records ---- */

/* Column i of the block's record row. */
static int slice(struct tsl_recnative_reader *r, size_t i, size_t row,
                 struct tsl_err *err)
{
    const struct tsl_reclayout_column *l = &r->layout.columns[i];
    const struct tsl_recblock_column *c = &r->b.columns[i];
    struct tsl_value *v = &r->values[i];
    uint32_t from, to;
    if (l->listed) {
        from = row ? c->ends[row - 1] : 0;
        to = c->ends[row];
    } else {
        from = (uint32_t)(row - r->b.continued) * l->count;
        to = from + l->count;
        if (row < r->b.continued)
            from = to = 0;
    }
    v->n = to - from;
    v->lens = NULL;
    /* a map is another's: what was checked may have changed since */
    if (r->random && (to > c->nvalues || from > to))
        return changed(r, err);
    if (l->bits > 1) {
        v->data = c->values + (size_t)from * l->size;
        if (r->random)
            TSL_PREFETCH(v->data);
        return 0;
    }
    if (r->random) {
        int rc = unpack(r, i, from, v->n, err);
        if (rc < 0)
            return rc;
    }
    size_t at = r->random ? 0 : from;
    if (l->text) {
        v->data = c->values + (from ? c->sends[from - 1] : 0);
        v->lens = r->scratch[i].lens + at;
    } else {
        v->data = r->scratch[i].bits + at;
    }
    return 0;
}

static int next_block(struct tsl_recnative_reader *r, struct tsl_err *err)
{
    int rc = 0;
    if (r->random)
        rc = next_of_random(r, err);
    else if (r->broken)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: reading it has failed before", r->name);
    else if (!r->ended)
        rc = next_of_stream(r, err);
    if (rc < 0) {
        r->b.head.nrecords = 0; /* nothing of it is to be lent */
        r->row = 0;
        r->broken = !r->random;
    }
    return rc;
}

int tsl_recnative_reader_rows(struct tsl_recnative_reader *r, struct tsl_recrows *rows,
                              struct tsl_err *err)
{
    rows->n = 0;
    if (r->random)
        return 1;
    if (r->row == r->b.head.nrecords) {
        int rc = next_block(r, err);
        if (rc <= 0)
            return rc;
    }
    const struct tsl_recblock *b = &r->b;
    if (b->goes_on || (b->continued && r->row == 0))
        return 1;
    for (size_t i = 0; i < r->layout.ncolumns; i++) {
        const struct tsl_reclayout_column *l = &r->layout.columns[i];
        const struct tsl_recblock_column *c = &b->columns[i];
        struct tsl_recrows_column *to = &rows->columns[i];
        if (l->text)
            return 1;
        to->values = l->bits == 1 ? r->scratch[i].bits : c->values;
        to->ends = NULL;
        if (l->listed) {
            to->ends = c->ends + r->row;
            to->begin = r->row ? c->ends[r->row - 1] : 0;
        } else {
            to->values += (r->row - b->continued) * l->count * (size_t)l->size;
        }
    }
    rows->first = b->head.first + r->row;
    rows->n = (uint32_t)(b->head.nrecords - r->row);
    r->row = b->head.nrecords;
    return 1;
}

int tsl_recnative_reader_block(struct tsl_recnative_reader *r,
                               const struct tsl_recblock **b, struct tsl_err *err)
{
    int rc = next_block(r, err);
    if (rc == 1) {
        r->row = r->b.head.nrecords;
        *b = &r->b;
    }
    return rc;
}

void tsl_recnative_reader_keep_index(struct tsl_recnative_reader *r)
{
    r->keep = true;
    r->seen.first = r->head.first;
}

const struct tsl_recindex *tsl_recnative_reader_seen(const struct tsl_recnative_reader *r,
                                                     uint64_t *end, uint64_t *sum)
{
    *end = r->at - r->nahead;
    *sum = r->sum;
    return &r->seen;
}

int tsl_recnative_reader_piece(struct tsl_recnative_reader *r,
                               struct tsl_recnative_piece *p, struct tsl_err *err)
{
    uint64_t cut = r->cut;
    if (r->row == r->b.head.nrecords) {
        int rc = next_block(r, err);
        if (rc <= 0)
            return rc;
    }
    size_t row = r->row++;
    bool last = row + 1 == r->b.head.nrecords;
    p->first = row > 0 || !r->b.continued;
    p->last = !(last && r->b.goes_on);
    p->continues = p->first ? 0 : cut;
    p->cut = p->last ? 0 : r->b.head.cut;
    p->rec = (struct tsl_record){ r->b.head.first + row, r->values };
    for (size_t i = 0; i < r->layout.ncolumns; i++) {
        int rc = slice(r, i, row, err);
        if (rc < 0)
            return rc;
    }
    return 1;
}

/* Puts a piece's column behind those of the same record. */
static int gather(struct whole *w, const struct tsl_column *c, const struct tsl_value *v,
                  bool joined, struct tsl_err *err)
{
    size_t nbytes = (size_t)tsl_value_bytes(c, v);
    int rc = tsl_mem_grow(&w->data, &w->nbytes_cap, w->nbytes + nbytes + 1, 1, "a record",
                          err);
    if (rc == 0 && v->lens)
        rc = tsl_mem_grow(&w->lens, &w->lens_cap, w->n + v->n + 1, sizeof *w->lens,
                          "a record", err);
    if (rc < 0)
        return rc;
    if (nbytes)
        memcpy(w->data + w->nbytes, v->data, nbytes);
    w->nbytes += nbytes;
    if (v->lens && joined && v->n && w->n)
        w->lens[w->n - 1] += v->lens[0];
    else
        joined = false;
    if (v->lens)
        memcpy(w->lens + w->n, v->lens + joined, (v->n - joined) * sizeof *v->lens);
    w->n += v->n - joined;
    return 0;
}

/* Adds a piece to what was gathered; *held counts its bytes. */
static int gather_piece(struct tsl_recnative_reader *r,
                        const struct tsl_recnative_piece *p, uint64_t *held,
                        struct tsl_err *err)
{
    for (size_t i = 0; i < r->layout.ncolumns; i++) {
        const struct tsl_column *c = &r->head.schema.columns[i];
        const struct tsl_value *v = &p->rec.values[i];
        *held += tsl_value_bytes(c, v) + (v->lens ? 4 * (uint64_t)v->n : 0);
        if (*held > r->o.memory || *held > UINT32_MAX)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: record %" PRIu64 " takes more than %" PRIu64 " bytes",
                               r->name, p->rec.number,
                               r->o.memory < UINT32_MAX ? r->o.memory : UINT32_MAX);
        int rc = gather(&r->whole[i], c, v, p->continues >> i & 1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int assemble(struct tsl_recnative_reader *r, struct tsl_recnative_piece *p,
                    struct tsl_err *err)
{
    uint64_t held = 0, number = p->rec.number;
    for (size_t i = 0; i < r->layout.ncolumns; i++)
        r->whole[i].n = r->whole[i].nbytes = 0;
    for (;;) {
        int rc = gather_piece(r, p, &held, err);
        if (rc < 0)
            return rc;
        if (p->last)
            break;
        rc = tsl_recnative_reader_piece(r, p, err);
        if (rc <= 0)
            return rc < 0 ? rc : damaged(r, r->at, "the last record has no end", err);
    }
    for (size_t i = 0; i < r->layout.ncolumns; i++) {
        const struct tsl_column *c = &r->head.schema.columns[i];
        const struct whole *w = &r->whole[i];
        if (c->count && w->n != c->count)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: record %" PRIu64
                               " has %zu values in column %s, not %u",
                               r->name, number, w->n, c->name, c->count);
        r->values[i] =
            (struct tsl_value){ w->data, r->layout.columns[i].text ? w->lens : NULL,
                                (uint32_t)w->n };
    }
    p->rec = (struct tsl_record){ number, r->values };
    return 0;
}

int tsl_recnative_reader_next(struct tsl_recnative_reader *r, struct tsl_record *rec,
                              struct tsl_err *err)
{
    struct tsl_recnative_piece p;
    int rc = tsl_recnative_reader_piece(r, &p, err);
    if (rc <= 0)
        return rc;
    if (!(p.first && p.last)) {
        rc = assemble(r, &p, err);
        if (rc < 0)
            return rc;
    }
    *rec = p.rec;
    return 1;
}

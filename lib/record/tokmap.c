#include "record/tokmap.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/mem.h"
#include "record/rec_native.h"
#include "record/recindex.h"

enum { SENTS, IDS, STARTS, NCOLUMNS };
/* What a fault brings in around a place, at most. */
enum { TOUCH_BYTES = 64 << 10 };

/* One line of the cache. */
struct block {
    uint64_t first;   /* number of the first document that begins here or later */
    uint64_t payload; /* its place in the file */
    uint64_t
        record; /* of the file: number of the first record of which anything is here */
    uint32_t ends[NCOLUMNS], values[NCOLUMNS]; /* places in the payload */
    uint32_t nrecords;
    uint16_t continued, goes_on;
    uint16_t holes; /* documents without tokens are among its records */
};

struct tsl_tokmap {
    struct tsl_file file;
    char *path;
    const uint8_t *map;
    size_t bytes;
    struct tsl_tokstream_head head;
    struct tsl_rechead rechead;
    int column[NCOLUMNS];
    uint64_t sum; /* of the header */
    uint32_t block_bytes;
    struct block *blocks; /* and one behind the last */
    size_t nblocks;
    struct tsl_tokmap_counts n;
    uint64_t raw_bytes, nvalues[NCOLUMNS]; /* as the trailer has to count them */
    uint64_t memory;
    _Atomic uint64_t touched;
};

/* ---- checking ---- */

/* A document that goes on: what was seen of it. */
struct open_doc {
    uint64_t tokens, in_sents, nsents;
};

static bool ids_below(const struct tsl_recblock_column *c, unsigned id_bytes, uint32_t n)
{
    uint32_t highest = 0;
    if (id_bytes == 2) {
        /* eight at a time: one by one took a fifteenth of all that cmask nsp does */
        typedef uint16_t half8 __attribute__((vector_size(16)));
        typedef int16_t mask8 __attribute__((vector_size(16)));
        half8 most = { 0 }, v;
        uint32_t i = 0;
        for (; i + 8 <= c->nvalues; i += 8) {
            memcpy(&v, c->values + 2 * (size_t)i, sizeof v);
            mask8 more = v > most;
            most = (v & (half8)more) | (most & ~(half8)more);
        }
        for (int k = 0; k < 8; k++)
            highest = most[k] > highest ? most[k] : highest;
        for (; i < c->nvalues; i++) {
            uint32_t id = ((const uint16_t *)(const void *)c->values)[i];
            highest = id > highest ? id : highest;
        }
    } else {
        const uint32_t *ids = (const void *)c->values;
        for (uint32_t i = 0; i < c->nvalues; i++)
            highest = ids[i] > highest ? ids[i] : highest;
    }
    return !c->nvalues || highest < n;
}

/* The sentences of a record's piece; false: they have other tokens than it. */
static bool take_piece(struct open_doc *d, const uint32_t *sents, uint32_t nsents,
                       uint32_t ntokens, bool last)
{
    uint64_t sum = 0;
    bool none = false;
    for (uint32_t i = 0; i < nsents; i++) {
        sum += sents[i];
        none |= sents[i] == 0;
    }
    bool begins =
        nsents && sents[0] <= d->tokens - d->in_sents && d->tokens > d->in_sents;
    d->tokens += ntokens;
    d->in_sents += sum;
    d->nsents += nsents;
    return !none && !begins && d->in_sents <= d->tokens &&
           (!last || d->in_sents == d->tokens) && d->tokens <= UINT32_MAX;
}

/* Counts the block's documents. */
static bool take_records(struct tsl_tokmap *m, struct block *to,
                         const struct tsl_recblock *b, struct open_doc *open)
{
    const struct tsl_recblock_column *c[NCOLUMNS];
    for (int i = 0; i < NCOLUMNS; i++)
        c[i] = &b->columns[m->column[i]];
    const uint32_t *sents = (const void *)c[SENTS]->values;
    uint32_t sent = 0, token = 0, n = b->head.nrecords;
    for (uint32_t i = 0; i < n; i++) {
        bool last = i + 1 < n || !b->goes_on;
        uint32_t send = c[SENTS]->ends[i], tend = c[IDS]->ends[i];
        if (i > 0 || !b->continued)
            *open = (struct open_doc){ .tokens = 0 };
        if (c[STARTS]->ends[i] != tend ||
            !take_piece(open, sents + sent, send - sent, tend - token, last))
            return false;
        sent = send;
        token = tend;
        if (!last)
            continue;
        if (open->tokens == 0 && i == 0 && b->continued) /* its number was counted */
            return false;
        m->n.ndocs += open->tokens > 0;
        m->n.empty += open->tokens == 0;
        m->n.lone += open->nsents == 1;
        m->n.nsents += open->nsents;
        m->n.ntokens += open->tokens;
        to->holes |= open->tokens == 0;
    }
    return true;
}

/* Checks block i and notes where its columns lie; *next: the record that follows. */
static bool take_block(struct tsl_tokmap *m, const struct tsl_reclayout *layout,
                       const struct tsl_recindex *x, size_t i, uint64_t end,
                       struct open_doc *open, uint64_t *next)
{
    const struct tsl_recindex_entry *e = &x->entries[i];
    struct tsl_recblock_head h;
    struct tsl_recblock b;
    struct block *to = &m->blocks[i];
    const uint8_t *p = m->map + e->at, *payload = p + TSL_RECBLOCK_HEAD;
    if (tsl_recblock_get(&h, p, m->block_bytes) || h.flags & TSL_RECBLOCK_ZSTD ||
        e->at + TSL_RECBLOCK_HEAD + tsl_pad8(h.stored) != end || h.number != i ||
        h.sum != e->sum || tsl_recblock_sum(p, payload, h.stored, m->sum) != h.sum ||
        tsl_recblock_view(&b, layout, &h, payload) || tsl_recblock_check(&b, layout) ||
        h.first + b.continued != *next || e->first != *next ||
        b.continued != (i > 0 && m->blocks[i - 1].goes_on))
        return false;
    *to = (struct block){ .first = m->n.ndocs,
                          .payload = e->at + TSL_RECBLOCK_HEAD,
                          .record = h.first,
                          .nrecords = h.nrecords,
                          .continued = b.continued,
                          .goes_on = b.goes_on };
    for (int k = 0; k < NCOLUMNS; k++) {
        const struct tsl_recblock_column *c = &b.columns[m->column[k]];
        to->ends[k] = (uint32_t)((const uint8_t *)c->ends - payload);
        to->values[k] = (uint32_t)(c->values - payload);
        m->nvalues[k] += c->nvalues;
    }
    m->raw_bytes += h.stored; /* not compressed */
    *next = h.first + h.nrecords;
    if (!take_records(m, to, &b, open) ||
        !ids_below(&b.columns[m->column[IDS]], m->head.id_bytes, m->head.vocab_size))
        return false;
    /* a document that began before begins there; one that goes on counts where it ends */
    to->first += b.continued;
    return true;
}

/* The pages that were looked at go back: they are in the system's cache, where they were. */
static void touch(const struct tsl_tokmap *of, uint64_t n)
{
    struct tsl_tokmap *m = (struct tsl_tokmap *)(uintptr_t)of; /* a count alone changes */
    if (m->bytes <= m->memory)
        return;
    uint64_t now = atomic_fetch_add_explicit(&m->touched, n, memory_order_relaxed) + n;
    if (now > m->memory) {
        atomic_store_explicit(&m->touched, 0, memory_order_relaxed);
        tsl_pages_drop((void *)(uintptr_t)m->map, m->bytes);
    }
}

static int check_blocks(struct tsl_tokmap *m, const struct tsl_reclayout *layout,
                        const struct tsl_recindex *x, uint64_t trailer,
                        struct tsl_err *err)
{
    struct open_doc open = { .tokens = 0 };
    uint64_t next = m->rechead.first;
    _Static_assert(sizeof(struct block) == 64, "a block is a line of the cache");
    m->nblocks = (size_t)x->nblocks;
    m->blocks = tsl_mem_alloc(m->nblocks + 1, sizeof *m->blocks, "an index", err);
    if (!m->blocks)
        return TSL_ENOMEM;
    for (size_t i = 0; i < m->nblocks; i++) {
        uint64_t end = i + 1 < m->nblocks ? x->entries[i + 1].at : trailer;
        if (end <= m->bytes && x->entries[i].at < end)
            tsl_pages_want(m->map + x->entries[i].at, end - x->entries[i].at);
        if (!take_block(m, layout, x, i, end, &open, &next))
            return 0;
        touch(m, end - x->entries[i].at);
    }
    m->blocks[m->nblocks].first = m->n.ndocs;
    for (int k = 0; k < NCOLUMNS; k++)
        if (x->nvalues[m->column[k]] != m->nvalues[k])
            return 0;
    return x->raw_bytes == m->raw_bytes && next == m->rechead.first + x->nrecords &&
           !(m->nblocks && m->blocks[m->nblocks - 1].goes_on);
}

/* ---- opening ---- */

static bool find_columns(struct tsl_tokmap *m)
{
    static const char *const names[] = { "sents", "ids", "starts" };
    for (int i = 0; i < NCOLUMNS; i++)
        if ((m->column[i] = tsl_schema_find(&m->rechead.schema, names[i])) < 0)
            return false;
    return true;
}

/* Header and trailer: 1, 0 or an error. */
static int read_ends(struct tsl_tokmap *m, struct tsl_recindex *x, uint64_t *trailer,
                     struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    const char *bad = NULL;
    size_t n = m->bytes >= 16 && memcmp(m->map, tsl_recindex_magic, 8) == 0
                   ? tsl_recindex_head_bytes(m->map)
                   : 0;
    if (n == 0 || n > m->bytes)
        return 0;
    int rc =
        tsl_recindex_head_read(&m->rechead, &m->block_bytes, m->map, n, "", false, &why);
    if (rc < 0)
        return rc == TSL_ENOMEM ? tsl_err_pass(err, &why) : 0;
    x->ncolumns = m->rechead.schema.ncolumns;
    m->sum = tsl_load64(m->map + n - 8);
    if (!find_columns(m) || m->bytes < n + tsl_recindex_bytes(0, x->ncolumns))
        return 0;
    *trailer = tsl_load64(m->map + m->bytes - 16);
    if (*trailer < n || *trailer > m->bytes || *trailer % 8)
        return 0;
    rc = tsl_recindex_read(x, m->map + *trailer, (size_t)(m->bytes - *trailer), *trailer,
                           n, m->sum, &bad, err);
    if (rc < 0 || bad)
        return rc == TSL_EFORMAT ? 0 : rc;
    return x->first == m->rechead.first;
}

static int open_map(struct tsl_tokmap *m, const char *path, struct tsl_err *err)
{
    struct tsl_recindex x = { .ncolumns = 0 };
    struct tsl_reclayout layout;
    struct tsl_tokstream_reader *r;
    uint64_t trailer = 0;
    int rc = strcmp(path, "-") == 0 ? 0 : tsl_file_open(&m->file, path, err);
    if (rc < 0 || !m->file.regular || m->file.size < 16 || m->file.size > SIZE_MAX)
        return rc;
    m->bytes = (size_t)m->file.size;
    rc = tsl_pages_map_file(&m->map, m->file.fd, m->bytes, m->file.name, err);
    if (rc == 0)
        rc = read_ends(m, &x, &trailer, err);
    if (rc == 1) { /* now it is no pipe that would be used up */
        rc = tsl_tokstream_reader_open(&r, path, err);
        if (rc == 0) {
            m->head = *tsl_tokstream_reader_head(r);
            tsl_tokstream_reader_destroy(r);
            tsl_reclayout_init(&layout, &m->rechead.schema);
            rc = check_blocks(m, &layout, &x, trailer, err);
        }
    }
    tsl_recindex_fini(&x);
    return rc;
}

int tsl_tokmap_open(struct tsl_tokmap **out, const char *path, uint64_t memory,
                    struct tsl_err *err)
{
    struct tsl_tokmap *m = tsl_mem_alloc(1, sizeof *m, "a map of tokens", err);
    if (!m)
        return TSL_ENOMEM;
    m->file = (struct tsl_file)TSL_FILE_INIT;
    m->memory = memory;
    m->path = tsl_mem_strdup(path, err);
    int rc = m->path ? open_map(m, path, err) : TSL_ENOMEM;
    if (rc == 1)
        *out = m;
    else
        tsl_tokmap_destroy(m);
    return rc;
}

void tsl_tokmap_destroy(struct tsl_tokmap *m)
{
    if (!m)
        return;
    tsl_pages_unmap((void *)(uintptr_t)m->map, m->bytes);
    tsl_file_close(&m->file, NULL);
    tsl_mem_free(m->path);
    tsl_rechead_fini(&m->rechead);
    tsl_mem_free(m->blocks);
    tsl_mem_free(m);
}

const struct tsl_tokstream_head *tsl_tokmap_head(const struct tsl_tokmap *m)
{
    return &m->head;
}

struct tsl_tokmap_counts tsl_tokmap_counts(const struct tsl_tokmap *m)
{
    return m->n;
}

int tsl_tokmap_unchanged(const struct tsl_tokmap *m, struct tsl_err *err)
{
    return tsl_file_unchanged(&m->file, err);
}

/* ---- documents ---- */

static size_t find_block(const struct tsl_tokmap *m, uint64_t number)
{
    size_t at = 0, n = m->nblocks;
    while (n > 1) {
        size_t half = n / 2;
        at = m->blocks[at + half].first <= number ? at + half : at;
        n -= half;
    }
    return at;
}

/* The record of the block that is its nth document, of those that begin here. */
static uint32_t find_record(const struct block *b, const uint32_t *ends, uint64_t nth)
{
    uint32_t i = b->continued;
    if (!b->holes)
        return i + (uint32_t)nth;
    for (; i + 1 < b->nrecords; i++)
        if (ends[i] > (i ? ends[i - 1] : 0) && nth-- == 0)
            break;
    return i;
}

static int changed(const struct tsl_tokmap *m, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EIO, "%s: it changed while it was read", m->file.name);
}

/* Of several blocks. */
static int put_together(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *c,
                        uint64_t record, struct tsl_tokmap_doc *d, struct tsl_err *err)
{
    struct tsl_tokstream_doc t;
    int rc = 0;
    if (!c->pieces)
        rc = tsl_tokstream_reader_open(&c->pieces, m->path, err);
    if (rc == 0)
        rc = tsl_tokstream_reader_seek(c->pieces, record, err);
    if (rc == 0)
        rc = tsl_tokstream_reader_next(c->pieces, UINT32_MAX, &t, err);
    if (rc <= 0)
        return rc < 0 ? rc : changed(m, err);
    *d = (struct tsl_tokmap_doc){ .sents = t.sents,
                                  .nsents = (uint32_t)t.nsents,
                                  .ntokens = (uint32_t)t.ntokens,
                                  .ids = t.ids,
                                  .id_bytes = 4,
                                  .flags = t.starts };
    return 0;
}

/* The values of record i in a column: a map is another's, so what was checked may have changed
 * since. */
static bool slice(const struct tsl_tokmap *m, const struct block *b, int column,
                  uint32_t i, size_t bits, uint32_t *from, uint32_t *n)
{
    const uint32_t *ends = (const void *)(m->map + b->payload + b->ends[column]);
    uint32_t to = ends[i];
    *from = i ? ends[i - 1] : 0;
    *n = to - *from;
    return *from <= to && b->payload + b->values[column] + to * bits / 8 <= m->bytes;
}

/* Its sentences, which must still be what they were. */
static bool find_sents(const struct tsl_tokmap *m, const struct block *b, uint32_t i,
                       struct tsl_tokmap_doc *d)
{
    typedef uint32_t word4 __attribute__((vector_size(16)));
    word4 sums = { 0 }, v;
    uint32_t from, sum = 0, k = 0;
    if (!slice(m, b, SENTS, i, 32, &from, &d->nsents))
        return false;
    d->sents =
        (const uint32_t *)(const void *)(m->map + b->payload + b->values[SENTS]) + from;
    for (; k + 4 <= d->nsents; k += 4) {
        memcpy(&v, d->sents + k, sizeof v);
        sums += v;
    }
    for (; k < d->nsents; k++)
        sum += d->sents[k];
    return sum + sums[0] + sums[1] + sums[2] + sums[3] == d->ntokens;
}

int tsl_tokmap_doc(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *c,
                   uint64_t number, bool sents, struct tsl_tokmap_doc *d,
                   struct tsl_err *err)
{
    const struct block *b = &m->blocks[c->block];
    uint64_t near = 4 * TOUCH_BYTES;
    if (number < b->first || number >= b[1].first) {
        c->block = find_block(m, number);
        b = &m->blocks[c->block];
    } else {
        near = TSL_PAGE_BYTES;
    }
    const uint8_t *payload = m->map + b->payload;
    uint32_t i =
        find_record(b, (const void *)(payload + b->ends[IDS]), number - b->first);
    if (b->goes_on && i + 1 == b->nrecords)
        return put_together(m, c, b->record + i, d, err);
    unsigned id_bytes = m->head.id_bytes;
    uint32_t id, bit, nbits;
    *d = (struct tsl_tokmap_doc){ .sents = NULL };
    if (!slice(m, b, IDS, i, 8 * id_bytes, &id, &d->ntokens) ||
        !slice(m, b, STARTS, i, 1, &bit, &nbits) || nbits != d->ntokens ||
        (sents && !find_sents(m, b, i, d)))
        return changed(m, err);
    d->ids = payload + b->values[IDS] + (size_t)id * id_bytes;
    d->id_bytes = id_bytes;
    d->bits = payload + b->values[STARTS];
    d->bit = bit;
    touch(m, near + (uint64_t)d->ntokens * (id_bytes + 1));
    return 0;
}

void tsl_tokmap_soon(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *c,
                     uint64_t number, size_t at, size_t len)
{
    enum { LINE = 64, LINES_MAX = 16 };
    const struct block *b = &m->blocks[c->block];
    uint32_t id, n;
    if (m->bytes > m->memory) /* a page that is not there is not worth asking for */
        return;
    if (number < b->first || number >= b[1].first) {
        c->block = find_block(m, number);
        b = &m->blocks[c->block];
    }
    const uint32_t *ends = (const void *)(m->map + b->payload + b->ends[IDS]);
    uint32_t i = find_record(b, ends, number - b->first);
    if (!slice(m, b, IDS, i, 8 * m->head.id_bytes, &id, &n) || at >= n)
        return;
    len = len < n - at ? len : n - at;
    const uint8_t *p =
        m->map + b->payload + b->values[IDS] + (id + at) * m->head.id_bytes;
    for (size_t k = 0; k < len * m->head.id_bytes && k < LINE * LINES_MAX; k += LINE)
        TSL_PREFETCH(p + k);
}

void tsl_tokmap_soon_near(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *c,
                          uint64_t number, uint32_t share, size_t len)
{
    enum { LINE = 64, LINES_MAX = 8, BEFORE = 32 }; /* a sentence begins before it */
    const struct block *b = &m->blocks[c->block];
    if (m->bytes > m->memory)
        return;
    if (number < b->first || number >= b[1].first) {
        c->block = find_block(m, number);
        b = &m->blocks[c->block];
    }
    const uint8_t *payload = m->map + b->payload;
    uint32_t i =
        find_record(b, (const void *)(payload + b->ends[IDS]), number - b->first);
    uint32_t id, n, sent, nsents, id_bytes = m->head.id_bytes;
    TSL_PREFETCH(payload + b->ends[SENTS] + 4 * (size_t)i);
    TSL_PREFETCH(payload + b->ends[STARTS] + 4 * (size_t)i);
    if (!slice(m, b, IDS, i, 8 * id_bytes, &id, &n) ||
        !slice(m, b, SENTS, i, 32, &sent, &nsents))
        return;
    size_t at = (size_t)((uint64_t)share * n >> 32);
    at -= at < BEFORE ? at : BEFORE;
    len = len + 2 * BEFORE < n - at ? len + 2 * BEFORE : n - at;
    const uint8_t *p = payload + b->values[IDS] + (id + at) * id_bytes;
    for (size_t k = 0; k < len * id_bytes && k < LINE * LINES_MAX; k += LINE)
        TSL_PREFETCH(p + k);
    TSL_PREFETCH(payload + b->values[STARTS] + (id + at) / 8);
    p = payload + b->values[SENTS] + 4 * (size_t)sent;
    for (size_t k = 0; k < 4 * (size_t)nsents && k < LINE * LINES_MAX; k += LINE)
        TSL_PREFETCH(p + k);
}

void tsl_tokmap_cursor_fini(struct tsl_tokmap_cursor *c)
{
    tsl_tokstream_reader_destroy(c->pieces);
    *c = (struct tsl_tokmap_cursor){ .block = 0 };
}

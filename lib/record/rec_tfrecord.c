#include "record/rec_tfrecord.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/crc32c.h"
#include "io/source.h"
#include "record/recout.h"
#include "record/tfexample.h"
#include "record/varints.h"

enum { HEAD = 12, TAIL = 4, BUFFER = 256 << 10 };

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    (void)path;
    return n >= HEAD && tsl_crc32c_masked(bytes, 8) == tsl_load32(bytes + 8);
}

/* ---- reading ---- */

struct reader {
    struct tsl_source source;
    char *name;
    uint64_t memory, at, number; /* at: the record's first byte, of the plain stream */
    uint8_t *buf;                /* bytes read and not yet used: [from, to) */
    size_t from, to, cap;
    struct tsl_schema schema;
    struct tsl_tfexample_reader example;
    bool raw, check, ended;
    uint32_t raw_len;
    struct tsl_value raw_value;
};

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    tsl_source_close(&r->source, NULL);
    tsl_tfexample_reader_fini(&r->example);
    tsl_mem_free(r->name);
    tsl_mem_free(r->buf);
    tsl_mem_free(r);
}

static int damaged(const struct reader *r, uint64_t at, const char *what,
                   struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: record %" PRIu64 " at byte %" PRIu64 ": %s",
                       tsl_quote(r->name).s, r->number, at, what);
}

/* Has n bytes in the buffer: 1, or 0 where the file ends first. */
static int need(struct reader *r, size_t n, struct tsl_err *err)
{
    if (r->to - r->from >= n)
        return 1;
    if (r->from)
        memmove(r->buf, r->buf + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    size_t want = n > BUFFER ? n : BUFFER;
    if (want > r->cap) {
        uint8_t *buf = tsl_mem_resize(r->buf, want, 1, "a record", err);
        if (!buf)
            return TSL_ENOMEM;
        r->buf = buf;
        r->cap = want;
    }
    int64_t got = tsl_source_read(&r->source, r->buf + r->to, r->cap - r->to, err);
    if (got < 0)
        return (int)got;
    r->to += (size_t)got;
    return r->to >= n;
}

/* 1 and the bytes of the next record, 0 at the end. */
static int next_bytes(struct reader *r, const uint8_t **bytes, size_t *n,
                      struct tsl_err *err)
{
    int rc = need(r, HEAD, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return r->to == r->from ? 0
                                : damaged(r, r->at, "the file ends in its length", err);
    const uint8_t *head = r->buf + r->from;
    uint64_t len = tsl_load64(head);
    if (r->check && tsl_crc32c_masked(head, 8) != tsl_load32(head + 8))
        return damaged(r, r->at, "the checksum of its length does not fit", err);
    if (len > r->memory || len > UINT32_MAX - HEAD - TAIL)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: record %" PRIu64 " at byte %" PRIu64 ": %" PRIu64
                           " bytes, more than may be held (%" PRIu64 ")",
                           tsl_quote(r->name).s, r->number, r->at, len, r->memory);
    rc = need(r, HEAD + (size_t)len + TAIL, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return damaged(r, r->at, "the file ends in it", err);
    *bytes = r->buf + r->from + HEAD;
    *n = (size_t)len;
    if (r->check && tsl_crc32c_masked(*bytes, *n) != tsl_load32(*bytes + *n))
        return damaged(r, r->at + HEAD, "its checksum does not fit", err);
    return 1;
}

static void used(struct reader *r, size_t n)
{
    r->from += HEAD + n + TAIL;
    r->at += HEAD + n + TAIL;
    r->number++;
}

/* The columns, from the first record, which stays to be read. */
static int find_schema(struct reader *r, struct tsl_err *err)
{
    const uint8_t *p;
    size_t n;
    int rc = next_bytes(r, &p, &n, err);
    if (rc <= 0)
        return rc;
    if (tsl_tfexample_is(p, n)) {
        rc = tsl_tfexample_schema(&r->schema, p, n, tsl_quote(r->name).s, err);
        tsl_tfexample_reader_init(&r->example, &r->schema);
        return rc;
    }
    r->raw = true;
    return tsl_schema_add(&r->schema, "record", TSL_BYTES, false, 0, NULL, err);
}

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    struct reader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    if (!r)
        return TSL_ENOMEM;
    r->source = *src;
    *src = TSL_SOURCE_CLOSED;
    r->memory = o->memory;
    r->check = !o->no_check;
    r->name = tsl_mem_strdup(path, err);
    int rc = r->name ? 0 : TSL_ENOMEM;
    if (rc == 0)
        rc = find_schema(r, err);
    if (rc < 0) {
        reader_destroy(r);
        return rc;
    }
    head->schema = r->schema;
    *out = r;
    return 0;
}

static int next(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    const uint8_t *bytes;
    size_t n;
    if (r->ended)
        return 0;
    int rc = next_bytes(r, &bytes, &n, err);
    if (rc == 0) {
        rc = tsl_source_close(&r->source, err);
        r->ended = true;
    }
    if (rc <= 0)
        return rc;
    rec->number = r->number;
    if (r->raw) {
        r->raw_len = (uint32_t)n;
        r->raw_value = (struct tsl_value){ bytes, &r->raw_len, 1 };
        rec->values = &r->raw_value;
    } else {
        struct tsl_err inner = { 0 };
        rc = tsl_tfexample_read(&r->example, bytes, n, "its Example", rec, &inner);
        if (rc == TSL_EFORMAT)
            return damaged(r, r->at, inner.msg, err);
        if (rc < 0)
            return tsl_err_pass(err, &inner);
    }
    used(r, n);
    return 1;
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    struct tsl_schema schema;
    struct tsl_tfexample_writer example;
    struct tsl_recout out;
    bool gzip, raw;
};

static void writer_destroy(void *p)
{
    struct writer *w = p;
    if (!w)
        return;
    tsl_recout_close(&w->out);
    tsl_tfexample_writer_fini(&w->example);
    tsl_mem_free(w);
}

static int writer_create(void **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    const struct tsl_column *first = head->schema.columns;
    if (o->zstd_level)
        return tsl_err_set(err, TSL_EUSAGE,
                           "tfrecord files are compressed by gzip, not by zstd");
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->help = o->help;
    w->schema = head->schema;
    w->gzip = o->gzip;
    /* what a reader found to be no Example goes out as it came in */
    w->raw = head->schema.ncolumns == 1 && first->type == TSL_BYTES &&
             first->count == 1 && strcmp(first->name, "record") == 0;
    int rc = tsl_tfexample_writer_init(&w->example, &w->schema, err);
    if (rc == 0)
        *out = w;
    else
        writer_destroy(w);
    return rc;
}

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    tsl_recout_close(&w->out);
    return tsl_recout_open(&w->out, stem, w->gzip ? ".tfrecord.gz" : ".tfrecord",
                           w->gzip ? TSL_CODEC_GZIP : TSL_CODEC_NONE, 0, &w->help, err);
}

static void put_head(uint8_t *to, size_t n)
{
    tsl_store64(to, n);
    tsl_store32(to + 8, tsl_crc32c_masked(to, 8));
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    uint8_t *to;
    size_t n = 0;
    if (w->raw)
        n = rec->values[0].lens[0];
    else
        n = tsl_tfexample_bound(&w->example, rec) + TSL_TFEXAMPLE_SLACK;
    int rc = tsl_recout_room(&w->out, HEAD + n + TAIL, &to, err);
    if (rc < 0)
        return rc;
    uint8_t *begin = to + HEAD;
    if (!w->raw)
        n = (size_t)(tsl_tfexample_write(&w->example, rec, begin) - begin);
    else if (n)
        memcpy(begin, rec->values[0].data, n);
    put_head(to, n);
    tsl_store32(begin + n, tsl_crc32c_masked(begin, n));
    return tsl_recout_took(&w->out, HEAD + n + TAIL, err);
}

/* Bytes that three rows of numbers take at most. */
static size_t rows_bound(const struct writer *w, const struct tsl_recrows *rows)
{
    size_t n = 3 * (HEAD + TAIL + 16) + TSL_TFEXAMPLE_SLACK;
    for (size_t i = 0; i < w->schema.ncolumns; i++) {
        const struct tsl_recrows_column *l = &rows->columns[i];
        uint32_t values =
            l->ends ? l->ends[2] - l->begin : 3 * w->schema.columns[i].count;
        n += 3 * (TSL_COLUMN_NAME_MAX + 64) + TSL_VARINT_BYTES * (size_t)values;
    }
    return n;
}

static int put_rows(void *p, const struct tsl_recrows *all, struct tsl_err *err)
{
    struct writer *w = p;
    struct tsl_recrows rows = *all;
    struct tsl_value values[TSL_COLUMNS_MAX];
    struct tsl_record rec = { 0, values };
    while (rows.n >= 3) {
        uint8_t *begin, *to;
        const void *records[3];
        size_t n[3];
        uint32_t crc[3];
        int rc = tsl_recout_room(&w->out, rows_bound(w, &rows), &begin, err);
        to = begin;
        if (rc < 0)
            return rc;
        for (uint32_t k = 0; k < 3; k++) {
            for (size_t i = 0; i < w->schema.ncolumns; i++)
                values[i] = tsl_recrows_value(&rows, i, &w->schema.columns[i], k);
            records[k] = to + HEAD;
            n[k] =
                (size_t)(tsl_tfexample_write(&w->example, &rec, to + HEAD) - to - HEAD);
            put_head(to, n[k]);
            to += HEAD + n[k] + TAIL;
        }
        tsl_crc32c_masked3(crc, records, n);
        to = begin;
        for (uint32_t k = 0; k < 3; k++, to += TAIL)
            tsl_store32(to += HEAD + n[k], crc[k]);
        rc = tsl_recout_took(&w->out, (size_t)(to - begin), err);
        if (rc < 0)
            return rc;
        tsl_recrows_skip(&rows, &w->schema, 3);
    }
    return rows.n ? tsl_recrows_each(&rows, &w->schema, p, put, err) : 0;
}

static struct tsl_recout *only_file(void *p)
{
    return &((struct writer *)p)->out;
}

const struct tsl_recformat tsl_rec_tfrecord = {
    .name = "tfrecord",
    .suffix = ".tfrecord",
    .is = is,
    .reader_open = reader_open,
    .reader_destroy = reader_destroy,
    .next = next,
    .writer_create = writer_create,
    .writer_destroy = writer_destroy,
    .begin = begin,
    .put = put,
    .put_rows = put_rows,
    .only_file = only_file,
};

#include "record/rec_jsonl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/half.h"
#include "base/mem.h"
#include "base/quote.h"
#include "record/recjson.h"
#include "record/recout.h"

enum { CHUNK = 256 << 10 };

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    (void)path;
    size_t i = 0;
    while (bytes && i < n && strchr(" \t\r\n", bytes[i]))
        i++;
    return bytes && i < n && bytes[i] == '{';
}

/* ---- reading ---- */

/* Values of one column, as they come. */
struct cells {
    uint8_t *data;
    uint32_t *lens;
    size_t bytes, cap, n, lens_cap;
};

struct reader {
    struct tsl_source src;
    uint64_t memory, number, line;
    uint8_t *buf;
    size_t from, to, cap;
    bool ended;
    bool big; /* a line may have numbers of 2^63 and more */
    struct tsl_schema schema;
    uint8_t *quoted; /* a line that has them */
    size_t quoted_cap, nquoted;
    bool doubtful; /* a string in it may look like such a number */
    struct cells cells[TSL_COLUMNS_MAX];
    struct tsl_value values[TSL_COLUMNS_MAX];
};

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    tsl_source_close(&r->src, NULL);
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++) {
        tsl_mem_free(r->cells[i].data);
        tsl_mem_free(r->cells[i].lens);
    }
    tsl_mem_free(r->buf);
    tsl_mem_free(r->quoted);
    tsl_mem_free(r);
}

static int more(struct reader *r, struct tsl_err *err)
{
    if (r->from) {
        memmove(r->buf, r->buf + r->from, r->to - r->from);
        r->to -= r->from;
        r->from = 0;
    }
    if (r->to > r->memory / 2)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: line %" PRIu64 ": more than %zu bytes; give more memory",
                           r->src.file.name, r->line + 1, r->to);
    int rc = tsl_mem_grow(&r->buf, &r->cap, r->to + CHUNK, 1, "a line", err);
    if (rc < 0)
        return rc;
    int64_t got = tsl_source_read(&r->src, r->buf + r->to, CHUNK, err);
    if (got < 0)
        return (int)got;
    r->to += (size_t)got;
    r->ended = got < CHUNK;
    return 0;
}

/* 1 and the next line that is not blank, 0 at the end.  Lent until the next call. */
static int next_line(struct reader *r, struct tsl_slice *line, struct tsl_err *err)
{
    size_t seen = 0;
    for (;;) {
        const uint8_t *p = r->buf ? r->buf + r->from : NULL;
        const uint8_t *end = r->to > r->from + seen
                                 ? memchr(p + seen, '\n', r->to - r->from - seen)
                                 : NULL;
        if (!end && !r->ended) {
            seen = r->to - r->from;
            int rc = more(r, err);
            if (rc < 0)
                return rc;
            continue;
        }
        size_t n = end ? (size_t)(end - p) : r->to - r->from;
        if (!end && n == 0)
            return 0;
        r->from += n + (end != NULL);
        r->line++;
        seen = 0;
        while (n && p[n - 1] && strchr(" \t\r", p[n - 1]))
            n--;
        if (n) {
            *line = (struct tsl_slice){ p, n };
            return 1;
        }
    }
}

/* ---- numbers of 2^63 and more: JSON has them, parsers of JSON have not ---- */

/* How such a number is given to the parser: as a string that begins so.  A line's own strings
 * cannot be taken for one where no number was: nquoted is 0. */
static const char mark[] = "\\u0001u64:";
enum { MARK_READ = 5 };

/* Is the number a whole one, more than 2^63 - 1, and less than 2^64? */
static bool is_big(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return (n == 19 && memcmp(p, "9223372036854775807", 19) > 0) ||
           (n == 20 && memcmp(p, "18446744073709551615", 20) <= 0 && p[0] != '0');
}

/* May a string of the line begin as a mark does?  That has its \\u0001 in one way only. */
static bool may_have_mark(struct tsl_slice line)
{
    return memmem(line.data, line.len, "\\u0001u", 7) ||
           memmem(line.data, line.len, "\\u0001\\", 7);
}

/* Gives the line those numbers as marked strings. */
static int quote_big(struct reader *r, struct tsl_slice *line, struct tsl_err *err)
{
    const uint8_t *p = line->data, *end = p + line->len, *done = p;
    size_t n = 0;
    bool text = false;
    r->nquoted = 0;
    while (p < end) {
        if (*p == '"') {
            text = !text;
        } else if (*p == '\\' && text) {
            p++;
        } else if (!text && *p >= '0' && *p <= '9') {
            const uint8_t *begin = p;
            while (p < end && ((*p >= '0' && *p <= '9') || strchr("+-.eE", *p)))
                p++;
            size_t len = (size_t)(p - begin);
            if (begin > line->data && begin[-1] != '-' && is_big(begin, len)) {
                size_t plain = (size_t)(begin - done);
                int rc =
                    tsl_mem_grow(&r->quoted, &r->quoted_cap,
                                 n + plain + len + sizeof mark + 2 + (size_t)(end - p), 1,
                                 "a line", err);
                if (rc < 0)
                    return rc;
                memcpy(r->quoted + n, done, plain);
                n += plain;
                n += (size_t)sprintf((char *)r->quoted + n, "\"%s%.*s\"", mark, (int)len,
                                     (const char *)begin);
                done = p;
                r->nquoted++;
            }
            continue;
        }
        p++;
    }
    if (r->nquoted == 0)
        return 0;
    memcpy(r->quoted + n, done, (size_t)(end - done));
    r->doubtful = may_have_mark(*line);
    *line = (struct tsl_slice){ r->quoted, n + (size_t)(end - done) };
    return 0;
}

/* The number that a marked string is. */
static bool big_of(const struct reader *r, const struct tsl_jsonval *v, uint64_t *to)
{
    struct tsl_slice s;
    if (!r->nquoted || !tsl_jsonread_str(v, &s) || s.len <= MARK_READ ||
        memcmp(s.data, "\001u64:", MARK_READ) != 0)
        return false;
    *to = 0;
    for (size_t i = MARK_READ; i < s.len; i++)
        if (s.data[i] < '0' || s.data[i] > '9')
            return false;
    for (size_t i = MARK_READ; i < s.len; i++)
        *to = *to * 10 + (uint64_t)(s.data[i] - '0');
    return true;
}

/* The same in a JSON text: what was marked is a number again. */
static void unmark(char *text)
{
    const size_t n = sizeof mark - 1;
    char *to = text;
    for (const char *p = text; *p;) {
        bool string = *p == '"', number = string && strncmp(p + 1, mark, n) == 0;
        if (!number)
            *to++ = *p;
        p += number ? 1 + n : 1;
        while (string && *p != '"') {
            if (*p == '\\')
                *to++ = *p++;
            *to++ = *p++;
        }
        if (string && !number)
            *to++ = '"';
        p += string;
    }
    *to = '\0';
}

/* ---- columns from values ---- */

static bool is_bytes(const struct tsl_jsonval *v)
{
    return tsl_jsonread_kind(v) == TSL_JSON_OBJECT && tsl_jsonread_size(v) == 1 &&
           tsl_jsonread_kind(tsl_jsonread_get(v, "base64")) == TSL_JSON_STRING;
}

static enum tsl_dtype type_of(const struct reader *r, const struct tsl_jsonval *v)
{
    uint64_t big;
    if (big_of(r, v, &big))
        return TSL_U64;
    switch (tsl_jsonread_kind(v)) {
    case TSL_JSON_INT: return TSL_I64;
    case TSL_JSON_DOUBLE: return TSL_F64;
    case TSL_JSON_BOOL: return TSL_BIT;
    case TSL_JSON_STRING: return TSL_STR;
    default: return is_bytes(v) ? TSL_BYTES : TSL_JSON;
    }
}

static int add_column(struct reader *r, const char *name, const struct tsl_jsonval *v,
                      struct tsl_err *err)
{
    char where[600];
    snprintf(where, sizeof where, "%s: line %" PRIu64, r->src.file.name, r->line);
    if (tsl_jsonread_kind(v) != TSL_JSON_ARRAY)
        return tsl_schema_take(&r->schema, name, type_of(r, v), false, 0, NULL, where,
                               err);
    size_t n = tsl_jsonread_size(v);
    enum tsl_dtype t = n ? type_of(r, tsl_jsonread_at(v, 0)) : TSL_I64;
    for (size_t i = 1; i < n; i++) {
        enum tsl_dtype u = type_of(r, tsl_jsonread_at(v, i));
        if (u != t)
            t = (u == TSL_I64 && t == TSL_F64) || (u == TSL_F64 && t == TSL_I64) ? TSL_F64
                : (u == TSL_I64 && t == TSL_U64) || (u == TSL_U64 && t == TSL_I64)
                    ? TSL_U64
                    : TSL_JSON;
    }
    return tsl_schema_take(&r->schema, name, t, true, 0, NULL, where, err);
}

static int bad(const struct reader *r, const char *name, const char *what,
               struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 ": %s: %s", r->src.file.name,
                       r->line, tsl_quote(name).s, what);
}

static int find_schema(struct reader *r, const struct tsl_jsonval *root,
                       struct tsl_err *err)
{
    struct tsl_jsonread_member m = { 0 };
    int rc = 0;
    while (rc == 0 && tsl_jsonread_next(root, &m)) {
        char name[TSL_COLUMN_NAME_MAX + 1];
        if (m.key.len > TSL_COLUMN_NAME_MAX)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: line %" PRIu64
                               ": a member's name has %zu bytes, more "
                               "than %d",
                               r->src.file.name, r->line, m.key.len, TSL_COLUMN_NAME_MAX);
        memcpy(name, m.key.data, m.key.len);
        name[m.key.len] = 0;
        rc = add_column(r, name, m.value, err);
    }
    return rc;
}

/* ---- cells ---- */

static int add_bytes(struct cells *c, const void *p, size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&c->data, &c->cap, c->bytes + n + 1, 1, "a value", err);
    if (rc == 0 && n) {
        memcpy(c->data + c->bytes, p, n);
        c->bytes += n;
    }
    return rc;
}

static int add_string(struct cells *c, struct tsl_slice s, struct tsl_err *err)
{
    int rc =
        tsl_mem_grow(&c->lens, &c->lens_cap, c->n + 1, sizeof *c->lens, "a value", err);
    if (rc == 0)
        rc = add_bytes(c, s.data, s.len, err);
    if (rc == 0)
        c->lens[c->n++] = (uint32_t)s.len;
    return rc;
}

static int digit64(uint8_t c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* Decodes in place; -1: that is no base64. */
static int64_t from_base64(uint8_t *p, size_t n)
{
    uint8_t *to = p;
    if (n % 4)
        return -1;
    for (size_t i = 0; i < n; i += 4) {
        int pad =
            i + 4 == n ? (p[i + 3] == '=') + (p[i + 3] == '=' && p[i + 2] == '=') : 0;
        uint32_t w = 0;
        for (int k = 0; k < 4; k++) {
            int d = k >= 4 - pad ? 0 : digit64(p[i + (size_t)k]);
            if (d < 0)
                return -1;
            w = w << 6 | (uint32_t)d;
        }
        uint8_t three[3] = { (uint8_t)(w >> 16), (uint8_t)(w >> 8), (uint8_t)w };
        memcpy(to, three, (size_t)(3 - pad));
        to += 3 - pad;
    }
    return to - p;
}

static int add_base64(struct cells *c, const struct tsl_jsonval *v, struct tsl_err *err)
{
    struct tsl_slice s = { NULL, 0 };
    size_t at = c->bytes;
    tsl_jsonread_str(tsl_jsonread_get(v, "base64"), &s);
    int rc = add_string(c, s, err);
    if (rc < 0)
        return rc;
    int64_t n = from_base64(c->data + at, s.len);
    if (n < 0)
        return TSL_EFORMAT;
    c->bytes = at + (size_t)n;
    c->lens[c->n - 1] = (uint32_t)n;
    return 0;
}

/* Does i fit an integer of that type? */
static bool fits(enum tsl_dtype t, int64_t i)
{
    switch (t) {
    case TSL_BIT: return i == 0 || i == 1;
    case TSL_U8: return i >= 0 && i <= UINT8_MAX;
    case TSL_U16: return i >= 0 && i <= UINT16_MAX;
    case TSL_U32: return i >= 0 && i <= UINT32_MAX;
    case TSL_U64: return i >= 0;
    case TSL_I8: return i >= INT8_MIN && i <= INT8_MAX;
    case TSL_I16: return i >= INT16_MIN && i <= INT16_MAX;
    case TSL_I32: return i >= INT32_MIN && i <= INT32_MAX;
    default: return true;
    }
}

static int add_number(const struct reader *r, struct cells *c, enum tsl_dtype t,
                      const struct tsl_jsonval *v, struct tsl_err *err)
{
    int64_t i = 0;
    double d = 0;
    bool b = false;
    if (t == TSL_F16 || t == TSL_F32 || t == TSL_F64) {
        if (!tsl_jsonread_num(v, &d) && tsl_jsonread_kind(v) != TSL_JSON_NULL)
            return TSL_EFORMAT;
        if (tsl_jsonread_kind(v) == TSL_JSON_NULL)
            d = (double)__builtin_nanf("");
        float f = (float)d;
        uint16_t h = tsl_half_of(f);
        c->n++;
        if (t == TSL_F16) /* what was written is f exactly, and h: no second rounding */
            return add_bytes(c, &h, 2, err);
        return t == TSL_F32 ? add_bytes(c, &f, 4, err) : add_bytes(c, &d, 8, err);
    }
    uint64_t big;
    if (t == TSL_U64 && big_of(r, v, &big)) {
        c->n++;
        return add_bytes(c, &big, 8, err);
    }
    if (tsl_jsonread_bool(v, &b))
        i = b;
    else if (!tsl_jsonread_int(v, &i))
        return TSL_EFORMAT;
    if (!fits(t, i))
        return TSL_EFORMAT;
    c->n++;
    return add_bytes(c, &i, tsl_dtype_bytes(t), err); /* little-endian: its low bytes */
}

static int add_value(const struct reader *r, struct cells *c, enum tsl_dtype t,
                     const struct tsl_jsonval *v, struct tsl_err *err)
{
    struct tsl_slice s;
    uint64_t big;
    switch (t) {
    case TSL_STR:
        if (big_of(r, v, &big))
            return TSL_EFORMAT;
        return tsl_jsonread_str(v, &s) ? add_string(c, s, err) : TSL_EFORMAT;
    case TSL_BYTES: return is_bytes(v) ? add_base64(c, v, err) : TSL_EFORMAT;
    case TSL_JSON: {
        if (r->nquoted && r->doubtful)
            return TSL_EFORMAT;
        char *text = tsl_jsonread_text(v, err);
        if (!text)
            return TSL_ENOMEM;
        if (r->nquoted)
            unmark(text);
        int rc = add_string(c, (struct tsl_slice){ (uint8_t *)text, strlen(text) }, err);
        tsl_mem_free(text);
        return rc;
    }
    default: return add_number(r, c, t, v, err);
    }
}

/* The numbers of arrays in arrays, one after the other. */
static int add_nested(const struct reader *r, struct cells *c,
                      const struct tsl_column *column, uint32_t dim,
                      const struct tsl_jsonval *v, struct tsl_err *err)
{
    if (dim == column->ndims && column->count)
        return add_value(r, c, column->type, v, err);
    size_t n = tsl_jsonread_size(v);
    if (tsl_jsonread_kind(v) != TSL_JSON_ARRAY ||
        (column->count && n != column->dims[dim]))
        return TSL_EFORMAT;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = column->count ? add_nested(r, c, column, dim + 1, tsl_jsonread_at(v, i), err)
                           : add_value(r, c, column->type, tsl_jsonread_at(v, i), err);
    return rc;
}

static int read_cells(struct reader *r, const struct tsl_jsonval *root,
                      struct tsl_err *err)
{
    size_t found = 0;
    for (size_t i = 0; i < r->schema.ncolumns; i++) {
        const struct tsl_column *column = &r->schema.columns[i];
        const struct tsl_jsonval *v = tsl_jsonread_get(root, column->name);
        struct cells *c = &r->cells[i];
        c->n = c->bytes = 0;
        found += v != NULL;
        if (!v && column->count)
            return bad(r, column->name, "this member is missing", err);
        struct tsl_err why = { 0 };
        int rc = v ? add_nested(r, c, column, 0, v, &why) : 0;
        if (rc < 0)
            return why.code
                       ? tsl_err_pass(err, &why)
                       : bad(r, column->name,
                             "its value is not what the first line, or the manifest, "
                             "has",
                             err);
        r->values[i] = (struct tsl_value){ c->data, c->lens, (uint32_t)c->n };
    }
    struct tsl_jsonread_member m = { 0 };
    while (found != tsl_jsonread_size(root) && tsl_jsonread_next(root, &m)) {
        char name[TSL_COLUMN_NAME_MAX + 1] = "";
        memcpy(name, m.key.data, m.key.len < sizeof name ? m.key.len : sizeof name - 1);
        if (tsl_schema_find(&r->schema, name) < 0)
            return bad(r, name, "the first line has no such member", err);
    }
    return 0;
}

static int parse(struct reader *r, struct tsl_slice line, struct tsl_jsonread **doc,
                 struct tsl_err *err)
{
    char where[600];
    snprintf(where, sizeof where, "%s: record %" PRIu64 ", at line %" PRIu64,
             r->src.file.name, r->number, r->line);
    int rc = r->big ? quote_big(r, &line, err) : 0;
    if (rc == 0)
        rc = tsl_jsonread_parse(doc, line, where, err);
    if (rc == 0 && tsl_jsonread_kind(tsl_jsonread_root(*doc)) != TSL_JSON_OBJECT) {
        tsl_jsonread_destroy(*doc);
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: no object", where);
    }
    return rc;
}

/* The columns, from the first line, which stays to be read. */
static int first_line(struct reader *r, struct tsl_err *err)
{
    struct tsl_jsonread *doc;
    struct tsl_slice line;
    int rc = next_line(r, &line, err);
    if (rc <= 0)
        return rc;
    r->big = true;
    rc = parse(r, line, &doc, err);
    if (rc < 0)
        return rc;
    rc = find_schema(r, tsl_jsonread_root(doc), err);
    tsl_jsonread_destroy(doc);
    r->from = (size_t)(line.data - r->buf);
    r->line--;
    return rc;
}

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    struct reader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    (void)path;
    if (!r)
        return TSL_ENOMEM;
    r->src = *src;
    *src = TSL_SOURCE_CLOSED;
    r->memory = o->memory;
    int rc = 0;
    if (o->schema)
        r->schema = *o->schema;
    else
        rc = first_line(r, err);
    if (rc < 0) {
        reader_destroy(r);
        return rc;
    }
    r->big = false;
    for (size_t i = 0; i < r->schema.ncolumns; i++)
        r->big |= r->schema.columns[i].type == TSL_U64;
    head->schema = r->schema;
    *out = r;
    return 0;
}

static int next(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    struct tsl_jsonread *doc;
    struct tsl_slice line;
    int rc = r->src.file.fd < 0 ? 0 : next_line(r, &line, err);
    if (rc == 0 && r->src.file.fd >= 0)
        rc = tsl_source_close(&r->src, err);
    if (rc <= 0)
        return rc;
    rc = parse(r, line, &doc, err);
    if (rc < 0)
        return rc;
    rc = read_cells(r, tsl_jsonread_root(doc), err);
    tsl_jsonread_destroy(doc);
    if (rc < 0)
        return rc;
    rec->number = r->number++;
    rec->values = r->values;
    return 1;
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    struct tsl_schema schema;
    struct tsl_recout out;
    int level;
    bool gzip;
};

static void writer_destroy(void *p)
{
    struct writer *w = p;
    if (!w)
        return;
    tsl_recout_close(&w->out);
    tsl_mem_free(w);
}

static int writer_create(void **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->help = o->help;
    w->schema = head->schema;
    w->level = o->zstd_level;
    w->gzip = o->gzip;
    *out = w;
    return 0;
}

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    tsl_recout_close(&w->out);
    return w->level  ? tsl_recout_open(&w->out, stem, ".jsonl.zst", TSL_CODEC_ZSTD,
                                       w->level, &w->help, err)
           : w->gzip ? tsl_recout_open(&w->out, stem, ".jsonl.gz", TSL_CODEC_GZIP, 0,
                                       &w->help, err)
                     : tsl_recout_open(&w->out, stem, ".jsonl", TSL_CODEC_NONE, 0,
                                       &w->help, err);
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    uint8_t *to;
    int rc = tsl_recjson_check(&w->schema, rec, err);
    if (rc == 0)
        rc = tsl_recout_room(&w->out, tsl_recjson_bound(&w->schema, rec) + 1, &to, err);
    if (rc < 0)
        return rc;
    char *end = tsl_recjson_write((char *)to, &w->schema, rec);
    *end++ = '\n';
    return tsl_recout_took(&w->out, (size_t)(end - (char *)to), err);
}

static struct tsl_recout *only_file(void *p)
{
    return &((struct writer *)p)->out;
}

const struct tsl_recformat tsl_rec_jsonl = {
    .name = "jsonl",
    .suffix = ".jsonl",
    .is = is,
    .reader_open = reader_open,
    .reader_destroy = reader_destroy,
    .next = next,
    .writer_create = writer_create,
    .writer_destroy = writer_destroy,
    .begin = begin,
    .put = put,
    .only_file = only_file,
};

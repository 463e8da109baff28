#include "record/rec_npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "record/npyhead.h"
#include "record/recout.h"

enum { WINDOW = 256 << 10, PATTERN = 6 }; /* ".*.npy" */

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    (void)path;
    return bytes && n >= 6 && memcmp(bytes, "\x93NUMPY", 6) == 0;
}

/* ---- reading ---- */

/* One array, its values wherever they are asked for. */
struct array {
    struct tsl_file file;
    struct tsl_npyhead head;
    size_t size; /* bytes of a value */
    uint8_t *window;
    uint64_t at;
    size_t len, cap; /* of the window: bytes from at on */
    uint8_t *whole;  /* a column-major array, turned into rows */
};

struct reader {
    struct tsl_schema schema;
    struct array arrays[TSL_COLUMNS_MAX], ends[TSL_COLUMNS_MAX];
    uint64_t n, next, memory;
    struct tsl_value values[TSL_COLUMNS_MAX];
};

static void array_close(struct array *a)
{
    tsl_file_close(&a->file, NULL);
    tsl_mem_free(a->window);
    tsl_mem_free(a->whole);
}

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++) {
        array_close(&r->arrays[i]);
        array_close(&r->ends[i]);
    }
    tsl_mem_free(r);
}

static void swap_bytes(uint8_t *p, size_t n, size_t size)
{
    for (; n; n--, p += size)
        for (size_t i = 0; i < size / 2; i++) {
            uint8_t b = p[i];
            p[i] = p[size - 1 - i];
            p[size - 1 - i] = b;
        }
}

/* NumPy takes any byte that is not 0 for true. */
static void to_bits(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = p[i] != 0;
}

/* count values from value first on; lent until the next call. */
static int array_get(struct array *a, uint64_t first, uint64_t count, uint64_t memory,
                     const uint8_t **p, struct tsl_err *err)
{
    if (a->whole) {
        *p = a->whole + first * a->size;
        return 0;
    }
    uint64_t from = a->head.bytes + first * a->size, n = count * a->size;
    if (n > memory)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: a record of %" PRIu64 " bytes is more than may be held",
                           a->file.name, n);
    if (from < a->at || from + n > a->at + a->len) {
        uint64_t end = a->head.bytes + a->head.count * a->size;
        uint64_t want = n > WINDOW ? n : WINDOW;
        want = want / a->size * a->size;
        if (want > end - from)
            want = end - from;
        int rc =
            tsl_mem_grow(&a->window, &a->cap, (size_t)want + 1, 1, "a read buffer", err);
        if (rc == 0)
            rc = tsl_file_pread(&a->file, a->window, (size_t)want, from, err);
        if (rc < 0)
            return rc;
        if (a->head.swapped)
            swap_bytes(a->window, (size_t)want / a->size, a->size);
        if (a->head.type == TSL_BIT)
            to_bits(a->window, (size_t)want);
        a->at = from;
        a->len = (size_t)want;
    }
    *p = a->window + (from - a->at);
    return 0;
}

/* A column-major array as one of rows. */
static int array_turn(struct array *a, uint64_t memory, struct tsl_err *err)
{
    const struct tsl_npyhead *h = &a->head;
    size_t n = (size_t)(h->count * a->size);
    if (h->count * a->size > memory / 2)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: a column-major array of %" PRIu64
                           " bytes must fit in half of the memory (%" PRIu64 ")",
                           a->file.name, h->count * a->size, memory / 2);
    uint8_t *raw = tsl_mem_alloc(n + 1, 1, "an array", err);
    a->whole = raw ? tsl_mem_alloc(n + 1, 1, "an array", err) : NULL;
    int rc = a->whole ? tsl_file_pread(&a->file, raw, n, h->bytes, err) : TSL_ENOMEM;
    if (rc == 0 && h->swapped)
        swap_bytes(raw, (size_t)h->count, a->size);
    if (rc == 0 && h->type == TSL_BIT)
        to_bits(raw, n);
    uint64_t index[TSL_NPY_DIMS_MAX] = { 0 };
    for (uint64_t k = 0; rc == 0 && k < h->count; k++) {
        uint64_t to = 0;
        for (unsigned d = 0; d < h->ndims; d++)
            to = to * h->dims[d] + index[d];
        memcpy(a->whole + to * a->size, raw + k * a->size, a->size);
        for (unsigned d = 0; d < h->ndims && ++index[d] == h->dims[d]; d++)
            index[d] = 0;
    }
    tsl_mem_free(raw);
    return rc;
}

static int array_open(struct array *a, const char *path, uint64_t memory,
                      struct tsl_err *err)
{
    uint8_t front[16], *head = NULL;
    size_t bytes = 0;
    int rc = tsl_file_open(&a->file, path, err);
    if (rc < 0)
        return rc;
    if (!a->file.regular)
        return tsl_err_set(err, TSL_EUSAGE, "%s: not a regular file", a->file.name);
    size_t n = a->file.size < sizeof front ? (size_t)a->file.size : sizeof front;
    rc = tsl_file_pread(&a->file, front, n, 0, err);
    if (rc == 0)
        rc = tsl_npyhead_measure(front, n, &bytes, path, err);
    if (rc == 0 && bytes > a->file.size)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: it ends in its head", a->file.name);
    if (rc == 0)
        rc = (head = tsl_mem_alloc(bytes, 1, "a head", err))
                 ? tsl_file_pread(&a->file, head, bytes, 0, err)
                 : TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_npyhead_read(&a->head, head, bytes, path, err);
    tsl_mem_free(head);
    if (rc < 0)
        return rc;
    a->size = tsl_dtype_bytes(a->head.type);
    if (a->file.size - bytes != a->head.count * a->size)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu64 " bytes of values; its shape says %" PRIu64,
                           a->file.name, a->file.size - bytes, a->head.count * a->size);
    return a->head.fortran && a->head.ndims > 1 ? array_turn(a, memory, err) : 0;
}

static uint64_t rows_of(const struct tsl_npyhead *h)
{
    return h->ndims ? h->dims[0] : 1;
}

/* The name between the last two dots of NAME.COLUMN.npy, else "data". */
static void column_name(const char *path, char name[TSL_COLUMN_NAME_MAX + 1])
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    size_t end = tsl_ends_with(base, ".npy") ? strlen(base) - 4 : 0, at = end;
    while (at && base[at - 1] != '.')
        at--;
    strcpy(name, "data");
    if (at && end > at && end - at <= TSL_COLUMN_NAME_MAX) {
        memcpy(name, base + at, end - at);
        name[end - at] = 0;
    }
}

/* One file: its rows are the records. */
static int open_single(struct reader *r, const char *path, struct tsl_err *err)
{
    char name[TSL_COLUMN_NAME_MAX + 1];
    uint32_t dims[TSL_COLUMN_DIMS_MAX];
    struct array *a = &r->arrays[0];
    int rc = array_open(a, path, r->memory, err);
    if (rc < 0)
        return rc;
    column_name(path, name);
    unsigned ndims = a->head.ndims ? a->head.ndims - 1 : 0;
    if (ndims > TSL_COLUMN_DIMS_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "%s: %u dimensions, more than %d",
                           a->file.name, a->head.ndims, TSL_COLUMN_DIMS_MAX + 1);
    for (unsigned i = 0; i < ndims; i++) {
        if (a->head.dims[i + 1] > UINT32_MAX)
            return tsl_err_set(err, TSL_EFORMAT, "%s: a dimension above 2^32",
                               a->file.name);
        dims[i] = (uint32_t)a->head.dims[i + 1];
    }
    r->n = rows_of(&a->head);
    return tsl_schema_take(&r->schema, name, a->head.type, false, ndims, dims,
                           a->file.name, err);
}

static char *file_name(const char *stem, size_t n, const char *column, const char *end,
                       struct tsl_err *err)
{
    size_t cap = n + strlen(column) + strlen(end) + 2;
    char *s = tsl_mem_alloc(cap, 1, "a name", err);
    if (s)
        snprintf(s, cap, "%.*s.%s%s", (int)n, stem, column, end);
    return s;
}

static int open_named(struct array *a, const char *stem, size_t n, const char *column,
                      const char *end, uint64_t memory, struct tsl_err *err)
{
    char *name = file_name(stem, n, column, end, err);
    int rc = name ? array_open(a, name, memory, err) : TSL_ENOMEM;
    tsl_mem_free(name);
    return rc;
}

/* A column's files are what the schema says, and have as many rows as the others. */
static int open_column(struct reader *r, size_t i, const char *stem, size_t n,
                       struct tsl_err *err)
{
    const struct tsl_column *c = &r->schema.columns[i];
    struct array *a = &r->arrays[i], *e = &r->ends[i];
    bool list = c->count == 0;
    int rc = open_named(a, stem, n, c->name, ".npy", r->memory, err);
    if (rc == 0 && list)
        rc = open_named(e, stem, n, c->name, ".ends.npy", r->memory, err);
    if (rc < 0)
        return rc;
    uint64_t rows = rows_of(list ? &e->head : &a->head);
    if (a->head.type != c->type || (list && e->head.type != TSL_U64) ||
        (!list && a->head.count != rows * c->count))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: its type or shape is not what the manifest says",
                           a->file.name);
    if (i && rows != r->n)
        return tsl_err_set(err, TSL_EFORMAT, "%s: %" PRIu64 " rows, but %s has %" PRIu64,
                           a->file.name, rows, r->arrays[0].file.name, r->n);
    r->n = rows;
    return 0;
}

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    struct reader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    int rc = 0;
    (void)src;
    if (!r)
        return TSL_ENOMEM;
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++)
        r->arrays[i].file = r->ends[i].file = (struct tsl_file)TSL_FILE_INIT;
    r->memory = o->memory;
    if (!tsl_ends_with(path, ".*.npy")) {
        rc = open_single(r, path, err);
    } else if (!o->schema) {
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "%s: the columns of a shard are told by its manifest.json",
                         tsl_quote(path).s);
    } else {
        r->schema = *o->schema;
        for (size_t i = 0; rc == 0 && i < r->schema.ncolumns; i++)
            rc = open_column(r, i, path, strlen(path) - PATTERN, err);
    }
    if (rc < 0) {
        reader_destroy(r);
        return rc;
    }
    head->schema = r->schema;
    *out = r;
    return 0;
}

/* Where record i's values of a list lie. */
static int list_range(struct reader *r, size_t c, uint64_t i, uint64_t *first,
                      uint64_t *end, struct tsl_err *err)
{
    const uint8_t *p;
    int rc = array_get(&r->ends[c], i ? i - 1 : 0, i ? 2 : 1, r->memory, &p, err);
    if (rc < 0)
        return rc;
    *first = i ? tsl_load64(p) : 0;
    *end = tsl_load64(p + (i ? 8 : 0));
    if (*first > *end || *end > r->arrays[c].head.count || *end - *first > UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: record %" PRIu64 " lies from %" PRIu64 " to %" PRIu64
                           " of %" PRIu64 " values",
                           r->ends[c].file.name, i, *first, *end,
                           r->arrays[c].head.count);
    return 0;
}

static int at(void *p, uint64_t i, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    if (i >= r->n)
        return tsl_err_set(err, TSL_EUSAGE, "record %" PRIu64 " of %" PRIu64, i, r->n);
    for (size_t c = 0; c < r->schema.ncolumns; c++) {
        uint64_t count = r->schema.columns[c].count, first = i * count;
        const uint8_t *data;
        int rc = 0;
        if (count == 0) {
            uint64_t end = first;
            rc = list_range(r, c, i, &first, &end, err);
            count = end - first;
        }
        if (rc == 0)
            rc = array_get(&r->arrays[c], first, count, r->memory, &data, err);
        if (rc < 0)
            return rc;
        r->values[c] = (struct tsl_value){ data, NULL, (uint32_t)count };
    }
    rec->number = i;
    rec->values = r->values;
    r->next = i + 1;
    return 1;
}

static int next(void *p, struct tsl_record *rec, struct tsl_err *err)
{
    struct reader *r = p;
    if (r->next < r->n)
        return at(p, r->next, rec, err);
    int rc = 0;
    for (size_t c = 0; rc == 0 && c < r->schema.ncolumns; c++) {
        rc = tsl_file_unchanged(&r->arrays[c].file, err);
        if (rc == 0 && r->schema.columns[c].count == 0)
            rc = tsl_file_unchanged(&r->ends[c].file, err);
    }
    return rc;
}

static int count(void *p, uint64_t *n, struct tsl_err *err)
{
    (void)err;
    *n = ((struct reader *)p)->n;
    return 0;
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    struct tsl_schema schema;
    struct tsl_recout values[TSL_COLUMNS_MAX], ends[TSL_COLUMNS_MAX];
    uint64_t totals[TSL_COLUMNS_MAX], n;
    struct tsl_recfile files[TSL_RECOUT_FILES_MAX];
};

static void close_files(struct writer *w)
{
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++) {
        tsl_recout_close(&w->values[i]);
        tsl_recout_close(&w->ends[i]);
    }
}

static void writer_destroy(void *p)
{
    if (!p)
        return;
    close_files(p);
    tsl_mem_free(p);
}

/* The ends of a list are in a file of their own, that could be another column's. */
static int check_names(const struct tsl_schema *s, struct tsl_err *err)
{
    for (size_t i = 0; i < s->ncolumns; i++) {
        char name[TSL_COLUMN_NAME_MAX + 8];
        snprintf(name, sizeof name, "%s.ends", s->columns[i].name);
        int other = s->columns[i].count ? -1 : tsl_schema_find(s, name);
        if (other >= 0)
            return tsl_err_set(err, TSL_EUSAGE,
                               "column %s: its file is that of column %s",
                               tsl_quote(name).s, tsl_quote(s->columns[i].name).s);
    }
    return 0;
}

static int writer_create(void **out, const struct tsl_rechead *head,
                         const struct tsl_recwriter_opts *o, struct tsl_err *err)
{
    if (o->zstd_level || o->gzip)
        return tsl_err_set(err, TSL_EUSAGE, ".npy files are mapped, not compressed");
    for (size_t i = 0; i < head->schema.ncolumns; i++)
        if (tsl_dtype_bytes(head->schema.columns[i].type) == 0)
            return tsl_err_set(err, TSL_EUSAGE,
                               "column %s: .npy has no strings of different lengths",
                               tsl_quote(head->schema.columns[i].name).s);
    int rc = check_names(&head->schema, err);
    if (rc < 0)
        return rc;
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->schema = head->schema;
    w->help = o->help;
    *out = w;
    return 0;
}

/* A file with room for its head, which end fills in. */
static int open_out(const struct writer *w, struct tsl_recout *o, const char *stem,
                    const char *column, const char *end, struct tsl_err *err)
{
    uint8_t blank[TSL_NPY_HEAD_BYTES] = { 0 };
    char suffix[TSL_COLUMN_NAME_MAX + 16];
    snprintf(suffix, sizeof suffix, ".%s%s", column, end);
    int rc = tsl_recout_open(o, stem, suffix, TSL_CODEC_NONE, 0, &w->help, err);
    return rc < 0 ? rc : tsl_recout_write(o, blank, sizeof blank, err);
}

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    int rc = 0;
    close_files(w);
    w->n = 0;
    memset(w->totals, 0, sizeof w->totals);
    if (!stem)
        return tsl_err_set(err, TSL_EUSAGE,
                           "npy shards are a file for each column: they need a folder");
    for (size_t i = 0; rc == 0 && i < w->schema.ncolumns; i++) {
        const struct tsl_column *c = &w->schema.columns[i];
        if (strchr(c->name, '/'))
            return tsl_err_set(err, TSL_EUSAGE, "column %s: no name for a file",
                               tsl_quote(c->name).s);
        rc = open_out(w, &w->values[i], stem, c->name, ".npy", err);
        if (rc == 0 && c->count == 0)
            rc = open_out(w, &w->ends[i], stem, c->name, ".ends.npy", err);
    }
    return rc;
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    for (size_t i = 0; i < w->schema.ncolumns; i++) {
        const struct tsl_column *c = &w->schema.columns[i];
        const struct tsl_value *v = &rec->values[i];
        w->totals[i] += v->n;
        int rc = tsl_recout_write(&w->values[i], v->data, v->n * tsl_dtype_bytes(c->type),
                                  err);
        if (rc == 0 && c->count == 0) {
            uint8_t end[8];
            tsl_store64(end, w->totals[i]);
            rc = tsl_recout_write(&w->ends[i], end, 8, err);
        }
        if (rc < 0)
            return rc;
    }
    w->n++;
    return 0;
}

/* The ends of n rows of a list, counted in the shard. */
static int put_ends(struct writer *w, size_t i, const struct tsl_recrows_column *l,
                    uint32_t n, struct tsl_err *err)
{
    uint8_t *to;
    uint64_t base = w->totals[i] - l->begin;
    for (uint32_t k = 0, part; k < n; k += part) {
        part = n - k < 4096 ? n - k : 4096;
        int rc = tsl_recout_room(&w->ends[i], 8 * (size_t)part, &to, err);
        for (uint32_t j = 0; rc == 0 && j < part; j++)
            tsl_store64(to + 8 * (size_t)j, base + l->ends[k + j]);
        if (rc == 0)
            rc = tsl_recout_took(&w->ends[i], 8 * (size_t)part, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int put_rows(void *p, const struct tsl_recrows *rows, struct tsl_err *err)
{
    struct writer *w = p;
    for (size_t i = 0; i < w->schema.ncolumns; i++) {
        const struct tsl_column *c = &w->schema.columns[i];
        const struct tsl_recrows_column *l = &rows->columns[i];
        size_t size = tsl_dtype_bytes(c->type);
        uint32_t begin = l->ends ? l->begin : 0;
        uint64_t n =
            l->ends ? l->ends[rows->n - 1] - begin : (uint64_t)rows->n * c->count;
        int rc = tsl_recout_write(&w->values[i], l->values + begin * size,
                                  (size_t)n * size, err);
        if (rc == 0 && c->count == 0)
            rc = put_ends(w, i, l, rows->n, err);
        if (rc < 0)
            return rc;
        w->totals[i] += n;
    }
    w->n += rows->n;
    return 0;
}

static uint64_t bytes(const void *p)
{
    const struct writer *w = p;
    uint64_t n = 0;
    for (size_t i = 0; i < w->schema.ncolumns; i++)
        n += tsl_recout_bytes(&w->values[i]) +
             (w->schema.columns[i].count ? 0 : tsl_recout_bytes(&w->ends[i]));
    return n;
}

static int end_out(struct tsl_recout *o, enum tsl_dtype type, unsigned ndims,
                   const uint64_t *dims, struct tsl_err *err)
{
    uint8_t head[TSL_NPY_HEAD_BYTES];
    tsl_npyhead_write(head, type, ndims, dims);
    int rc = tsl_recout_patch(o, 0, head, sizeof head, err);
    return rc < 0 ? rc : tsl_recout_done(o, err);
}

static int end(void *p, struct tsl_err *err)
{
    struct writer *w = p;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < w->schema.ncolumns; i++) {
        const struct tsl_column *c = &w->schema.columns[i];
        uint64_t dims[TSL_COLUMN_DIMS_MAX + 1] = { c->count ? w->n : w->totals[i] };
        for (uint32_t d = 0; d < c->ndims; d++)
            dims[d + 1] = c->dims[d];
        rc = end_out(&w->values[i], c->type, 1 + (c->count ? c->ndims : 0), dims, err);
        if (rc == 0 && c->count == 0)
            rc = end_out(&w->ends[i], TSL_U64, 1, &w->n, err);
    }
    return rc;
}

static int commit(void *p, const struct tsl_recfile **files, size_t *nfiles,
                  struct tsl_err *err)
{
    struct writer *w = p;
    struct tsl_recout *all[TSL_RECOUT_FILES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < w->schema.ncolumns; i++) {
        all[n++] = &w->values[i];
        if (w->schema.columns[i].count == 0)
            all[n++] = &w->ends[i];
    }
    *files = w->files;
    *nfiles = n;
    return tsl_recout_commit_all(all, n, w->files, err);
}

const struct tsl_recformat tsl_rec_npy = {
    .name = "npy",
    .suffix = ".*.npy",
    .several_files = true,
    .is = is,
    .reader_open = reader_open,
    .reader_destroy = reader_destroy,
    .next = next,
    .count = count,
    .at = at,
    .writer_create = writer_create,
    .writer_destroy = writer_destroy,
    .begin = begin,
    .put = put,
    .put_rows = put_rows,
    .bytes = bytes,
    .end = end,
    .commit = commit,
};

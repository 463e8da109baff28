#include "record/rec_webdataset.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "record/npyhead.h"
#include "record/npz.h"
#include "record/recout.h"
#include "record/tar.h"

static bool is(const char *path, const uint8_t *bytes, size_t n)
{
    (void)path;
    return bytes && tsl_tar_is(bytes, n);
}

/* ---- reading ---- */

/* What one column of a sample is made of. */
struct cell {
    bool seen;
    uint32_t len;
    int64_t number;
    struct tsl_value value;
};

struct reader {
    struct tsl_tar tar;
    bool opened, waiting; /* waiting: the file at hand belongs to the next sample */
    uint64_t memory, number;
    char key[TSL_TAR_NAME_MAX];
    uint8_t *bytes; /* of the sample's files */
    size_t len, cap;
    struct part {
        char name[TSL_COLUMN_NAME_MAX + 1]; /* what follows the key, lower case */
        size_t at, len;
    } * parts;
    size_t nparts, parts_cap;
    struct tsl_schema schema;
    bool known; /* the schema is */
    struct cell cells[TSL_COLUMNS_MAX];
    struct tsl_value values[TSL_COLUMNS_MAX];
};

static void reader_destroy(void *p)
{
    struct reader *r = p;
    if (!r)
        return;
    tsl_source_close(&r->tar.src, NULL);
    tsl_mem_free(r->bytes);
    tsl_mem_free(r->parts);
    tsl_mem_free(r);
}

static int in_sample(const struct reader *r, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: sample %" PRIu64 " (%s): %s",
                       r->tar.src.file.name, r->number, tsl_quote(r->key).s, what);
}

/* Of ASCII alone, whatever the program's locale. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

static bool same_lower(const char *a, const char *b)
{
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

/* Cuts the name of the file at hand into key and field; false: it is no sample's. */
static bool cut_name(struct reader *r, char *key, char field[TSL_COLUMN_NAME_MAX + 1])
{
    const char *name = r->tar.name, *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name, *dot = strchr(base, '.');
    if (!dot || strncmp(base, "__", 2) == 0 || strlen(dot + 1) > TSL_COLUMN_NAME_MAX ||
        !dot[1])
        return false;
    memcpy(key, name, (size_t)(dot - name));
    key[dot - name] = 0;
    for (size_t i = 0; i <= strlen(dot + 1); i++)
        field[i] = lower(dot[1 + i]);
    return true;
}

static int take_part(struct reader *r, const char *field, struct tsl_err *err)
{
    size_t n = (size_t)r->tar.size;
    for (size_t i = 0; i < r->nparts; i++)
        if (strcmp(r->parts[i].name, field) == 0)
            return in_sample(r, "a field that comes twice", err);
    if (r->tar.size > r->memory || r->len + n > r->memory)
        return in_sample(r, "larger than the memory that may be used", err);
    int rc = tsl_mem_grow(&r->bytes, &r->cap, r->len + n + 8, 1, "a sample", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->parts, &r->parts_cap, r->nparts + 1, sizeof *r->parts,
                          "a sample", err);
    if (rc == 0)
        rc = tsl_tar_read(&r->tar, r->bytes + r->len, err);
    if (rc < 0)
        return rc;
    struct part *p = &r->parts[r->nparts++];
    snprintf(p->name, sizeof p->name, "%s", field);
    p->at = r->len;
    p->len = n;
    r->len += (n + 7) & ~(size_t)7;
    return 0;
}

/* 1 and all files of the next sample, 0 at the end. */
static int read_sample(struct reader *r, struct tsl_err *err)
{
    char key[TSL_TAR_NAME_MAX], field[TSL_COLUMN_NAME_MAX + 1];
    r->len = r->nparts = 0;
    for (;;) {
        int rc = r->waiting ? 1 : tsl_tar_next(&r->tar, err);
        if (rc <= 0)
            return rc < 0 ? rc : r->nparts > 0;
        r->waiting = false;
        if (!cut_name(r, key, field)) {
            if (r->tar.size > r->memory)
                return in_sample(r, "larger than the memory that may be used", err);
            rc = tsl_mem_grow(&r->bytes, &r->cap, r->len + (size_t)r->tar.size + 8, 1,
                              "a sample", err);
            if (rc == 0) /* passed over */
                rc = tsl_tar_read(&r->tar, r->bytes + r->len, err);
        } else if (r->nparts && strcmp(key, r->key) != 0) {
            r->waiting = true;
            return 1;
        } else {
            if (r->nparts == 0)
                strcpy(r->key, key);
            rc = take_part(r, field, err);
        }
        if (rc < 0)
            return rc;
    }
}

/* The field without an end that only says what it is. */
static void column_name(const char *field, char name[TSL_COLUMN_NAME_MAX + 1])
{
    static const char *const ends[] = { ".npy", ".txt", ".json", ".bin" };
    snprintf(name, TSL_COLUMN_NAME_MAX + 1, "%s", field);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (tsl_ends_with(field, ends[i]))
            name[strlen(field) - strlen(ends[i])] = 0;
}

static enum tsl_dtype text_type(const char *field)
{
    if (strcmp(field, "txt") == 0 || tsl_ends_with(field, ".txt"))
        return TSL_STR;
    if (strcmp(field, "json") == 0 || tsl_ends_with(field, ".json"))
        return TSL_JSON;
    if (strcmp(field, "cls") == 0 || strcmp(field, "id") == 0 ||
        strcmp(field, "index") == 0)
        return TSL_I64;
    return TSL_BYTES;
}

/* The column of that name: of a manifest's, which may have capital letters, where files' names
 * have lost theirs. */
static int find_column(const struct reader *r, const char *name)
{
    int c = tsl_schema_find(&r->schema, name);
    for (size_t i = 0; c < 0 && r->known && i < r->schema.ncolumns; i++)
        if (tsl_dtype_bytes(r->schema.columns[i].type) == 0 &&
            same_lower(r->schema.columns[i].name, name))
            c = (int)i;
    return c;
}

/* The cell of a column; while the schema is being found it is made. */
static int cell_of(struct reader *r, const char *name, enum tsl_dtype type, bool list,
                   uint32_t ndims, const uint32_t *dims, struct cell **cell,
                   struct tsl_err *err)
{
    int c = find_column(r, name);
    if (c < 0 && !r->known) {
        struct tsl_err why = { 0 };
        if (tsl_schema_add(&r->schema, name, type, list, ndims, dims, &why) < 0)
            return in_sample(r, why.msg, err);
        c = (int)r->schema.ncolumns - 1;
    }
    if (c < 0 || r->schema.columns[c].type != type || r->cells[c].seen)
        return in_sample(r, "its fields are not those of the first sample", err);
    *cell = &r->cells[c];
    (*cell)->seen = true;
    return 0;
}

static int take_npy(struct reader *r, const char *name, struct tsl_slice npy,
                    struct tsl_err *err)
{
    struct tsl_npyhead h;
    struct tsl_err why = { 0 };
    struct cell *cell;
    uint32_t dims[TSL_COLUMN_DIMS_MAX] = { 0 };
    size_t bytes;
    int rc = tsl_npyhead_measure(npy.data, npy.len, &bytes, name, &why);
    if (rc == 0 && bytes > npy.len)
        rc = tsl_err_set(&why, TSL_EFORMAT, "%s: it ends in its head", name);
    if (rc == 0)
        rc = tsl_npyhead_read(&h, npy.data, npy.len, name, &why);
    if (rc < 0)
        return in_sample(r, why.msg, err);
    if (h.swapped || (h.fortran && h.ndims > 1) || h.ndims > TSL_COLUMN_DIMS_MAX ||
        h.count > UINT32_MAX || h.count * tsl_dtype_bytes(h.type) != npy.len - bytes)
        return in_sample(
            r,
            "an array that is big-endian, column-major or of another size than "
            "its shape says",
            err);
    for (unsigned i = 0; i < h.ndims; i++)
        dims[i] = (uint32_t)h.dims[i];
    if (h.type == TSL_BIT) /* NumPy takes any byte that is not 0 for true */
        for (size_t i = bytes; i < npy.len; i++)
            if (npy.data[i] > 1)
                return in_sample(r, "a bool that is neither 0 nor 1", err);
    bool list = h.ndims == 1;
    rc = cell_of(r, name, h.type, list, list ? 0 : h.ndims, dims, &cell, err);
    if (rc == 0)
        cell->value = (struct tsl_value){ npy.data + bytes, NULL, (uint32_t)h.count };
    return rc;
}

static int take_npz(struct reader *r, struct tsl_slice file, struct tsl_err *err)
{
    struct tsl_npz_member m;
    struct tsl_err why = { 0 };
    size_t at = 0;
    int rc;
    while ((rc = tsl_npz_next(file, &at, &m, &why)) == 1) {
        char name[TSL_COLUMN_NAME_MAX + 1];
        if (m.name.len > TSL_COLUMN_NAME_MAX)
            return in_sample(r, "an array with a name of more than 63 bytes", err);
        memcpy(name, m.name.data, m.name.len);
        name[m.name.len] = 0;
        rc = take_npy(r, name, m.npy, err);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? in_sample(r, why.msg, err) : 0;
}

static int take_field(struct reader *r, const struct part *p, struct tsl_err *err)
{
    struct tsl_slice s = { r->bytes + p->at, p->len };
    char name[TSL_COLUMN_NAME_MAX + 1];
    struct cell *cell;
    column_name(p->name, name);
    if (strcmp(p->name, "npz") == 0 || tsl_ends_with(p->name, ".npz"))
        return take_npz(r, s, err);
    if (strcmp(p->name, "npy") == 0 || tsl_ends_with(p->name, ".npy"))
        return take_npy(r, name, s, err);
    enum tsl_dtype type = text_type(p->name);
    int rc = cell_of(r, name, type, false, 0, NULL, &cell, err);
    if (rc < 0)
        return rc;
    cell->len = (uint32_t)s.len;
    cell->value = (struct tsl_value){ s.data, &cell->len, 1 };
    if (type != TSL_I64)
        return 0;
    char digits[24] = "", *end;
    memcpy(digits, s.data, s.len < sizeof digits - 1 ? s.len : sizeof digits - 1);
    errno = 0;
    cell->number = strtoll(digits, &end, 10);
    if (end == digits || errno || (*end && *end != '\n') || s.len >= sizeof digits)
        return in_sample(r, "a .cls that is no whole number", err);
    cell->value = (struct tsl_value){ &cell->number, NULL, 1 };
    return 0;
}

/* A field that a sample does not have: an empty string, or null; false for numbers. */
static bool absent(const struct tsl_column *c, struct cell *cell)
{
    if (tsl_dtype_bytes(c->type))
        return false;
    cell->len = c->type == TSL_JSON ? 4 : 0;
    cell->value = (struct tsl_value){ "null", &cell->len, 1 };
    return true;
}

/* The values of the sample whose files have been read. */
static int take_fields(struct reader *r, struct tsl_err *err)
{
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++)
        r->cells[i].seen = false;
    for (size_t i = 0; i < r->nparts; i++) {
        int rc = take_field(r, &r->parts[i], err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < r->schema.ncolumns; i++) {
        const struct tsl_column *c = &r->schema.columns[i];
        if (!r->cells[i].seen && !absent(c, &r->cells[i]))
            return in_sample(r, "a number that the first sample has is missing", err);
        r->values[i] = r->cells[i].value;
        if (c->count && r->values[i].n != c->count)
            return in_sample(r, "an array of another shape than in the first sample",
                             err);
    }
    return 0;
}

static int reader_open(void **out, struct tsl_rechead *head, const char *path,
                       struct tsl_source *src, const struct tsl_recreader_opts *o,
                       struct tsl_err *err)
{
    struct reader *r = tsl_mem_alloc(1, sizeof *r, "a reader", err);
    (void)path;
    if (!r)
        return TSL_ENOMEM;
    r->tar.src = *src;
    *src = TSL_SOURCE_CLOSED;
    r->memory = o->memory;
    if (o->schema) {
        r->schema = *o->schema;
        r->known = true;
    }
    int rc = read_sample(r, err);
    r->opened = rc == 1; /* the first sample waits to be given */
    if (rc == 1)
        rc = take_fields(r, err);
    r->known = true;
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
    int rc = 0;
    if (!r->opened) {
        rc = r->tar.src.file.fd < 0 ? 0 : read_sample(r, err);
        if (rc == 0 && r->tar.src.file.fd >= 0)
            rc = tsl_source_close(&r->tar.src, err);
        if (rc <= 0)
            return rc;
        rc = take_fields(r, err);
    }
    if (rc < 0)
        return rc;
    r->opened = false;
    rec->number = r->number++;
    rec->values = r->values;
    return 1;
}

/* ---- writing ---- */

struct writer {
    struct tsl_rechelp help;
    struct tsl_schema schema;
    struct tsl_recout out;
    bool gzip, numbers; /* numbers: there are columns for the .npz */
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
    if (o->zstd_level)
        return tsl_err_set(err, TSL_EUSAGE,
                           "webdataset archives are compressed by gzip, not by zstd");
    for (size_t i = 0; i < head->schema.ncolumns; i++) {
        const struct tsl_column *c = &head->schema.columns[i];
        if (tsl_dtype_bytes(c->type) == 0 && (c->count != 1 || strchr(c->name, '/')))
            return tsl_err_set(
                err, TSL_EUSAGE,
                "column %s: a file of an archive is one string, and named by "
                "its column",
                tsl_quote(c->name).s);
        for (size_t k = 0; k < i && tsl_dtype_bytes(c->type) == 0; k++)
            if (tsl_dtype_bytes(head->schema.columns[k].type) == 0 &&
                same_lower(head->schema.columns[k].name, c->name))
                return tsl_err_set(err, TSL_EUSAGE,
                                   "column %s: of names that differ by capital letters "
                                   "alone readers of archives see one",
                                   tsl_quote(c->name).s);
    }
    struct writer *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    w->help = o->help;
    w->schema = head->schema;
    w->gzip = o->gzip;
    for (size_t i = 0; i < w->schema.ncolumns; i++)
        w->numbers |= tsl_dtype_bytes(w->schema.columns[i].type) != 0;
    *out = w;
    return 0;
}

static int begin(void *p, const char *stem, struct tsl_err *err)
{
    struct writer *w = p;
    tsl_recout_close(&w->out);
    return tsl_recout_open(&w->out, stem, w->gzip ? ".tar.gz" : ".tar",
                           w->gzip ? TSL_CODEC_GZIP : TSL_CODEC_NONE, 0, &w->help, err);
}

/* Room for a file of n bytes, its header written: *to is where its bytes go. */
static int put_head(struct writer *w, const char *name, size_t n, uint8_t **at,
                    uint8_t **to, struct tsl_err *err)
{
    size_t all = TSL_TAR_BLOCK + n + tsl_tar_padding(n);
    int rc = tsl_recout_room(&w->out, all, at, err);
    if (rc == 0)
        rc = tsl_tar_head(*at, name, n, err);
    if (rc < 0)
        return rc;
    *to = *at + TSL_TAR_BLOCK;
    memset(*to + n, 0, tsl_tar_padding(n));
    return 0;
}

static int put_string(struct writer *w, const struct tsl_column *c,
                      const struct tsl_value *v, uint64_t number, struct tsl_err *err)
{
    const char *end = c->type == TSL_STR ? "txt" : c->type == TSL_JSON ? "json" : "bin";
    char name[TSL_COLUMN_NAME_MAX + 40];
    uint8_t *at, *to;
    size_t n = v->lens[0];
    snprintf(name, sizeof name, "%09" PRIu64 ".%s.%s", number, c->name, end);
    int rc = put_head(w, name, n, &at, &to, err);
    if (rc < 0)
        return rc;
    if (n)
        memcpy(to, v->data, n);
    return tsl_recout_took(&w->out, TSL_TAR_BLOCK + n + tsl_tar_padding(n), err);
}

/* "%09" PRIu64 and suffix: of every sample. */
static void put_key(char *to, uint64_t number, const char *suffix)
{
    char digits[20], *at = digits + sizeof digits;
    while (number || at > digits + sizeof digits - 9) {
        *--at = (char)('0' + number % 10);
        number /= 10;
    }
    size_t n = (size_t)(digits + sizeof digits - at);
    memcpy(to, at, n);
    strcpy(to + n, suffix);
}

static int put(void *p, const struct tsl_record *rec, struct tsl_err *err)
{
    struct writer *w = p;
    int rc = 0;
    if (w->numbers) {
        char name[40];
        uint8_t *at, *to;
        size_t n = tsl_npz_bytes(&w->schema, rec);
        put_key(name, rec->number, ".npz");
        rc = put_head(w, name, n, &at, &to, err);
        if (rc < 0)
            return rc;
        tsl_npz_write(to, &w->schema, rec);
        rc = tsl_recout_took(&w->out, TSL_TAR_BLOCK + n + tsl_tar_padding(n), err);
    }
    for (size_t i = 0; rc == 0 && i < w->schema.ncolumns; i++)
        if (tsl_dtype_bytes(w->schema.columns[i].type) == 0)
            rc = put_string(w, &w->schema.columns[i], &rec->values[i], rec->number, err);
    return rc;
}

static struct tsl_recout *only_file(void *p)
{
    return &((struct writer *)p)->out;
}

/* Two blocks of zeros, and more up to a multiple of 20 blocks. */
static int end(void *p, struct tsl_err *err)
{
    struct writer *w = p;
    uint8_t zeros[TSL_TAR_BLOCK] = { 0 };
    uint64_t n = tsl_recout_bytes(&w->out) + 2 * (uint64_t)TSL_TAR_BLOCK;
    uint64_t blocks =
        2 + (TSL_TAR_RECORD - n % TSL_TAR_RECORD) % TSL_TAR_RECORD / TSL_TAR_BLOCK;
    int rc = 0;
    for (uint64_t i = 0; rc == 0 && i < blocks; i++)
        rc = tsl_recout_write(&w->out, zeros, sizeof zeros, err);
    return rc;
}

const struct tsl_recformat tsl_rec_webdataset = {
    .name = "webdataset",
    .suffix = ".tar",
    .is = is,
    .reader_open = reader_open,
    .reader_destroy = reader_destroy,
    .next = next,
    .writer_create = writer_create,
    .writer_destroy = writer_destroy,
    .begin = begin,
    .put = put,
    .end = end,
    .only_file = only_file,
};

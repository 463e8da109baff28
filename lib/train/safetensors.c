#include "train/safetensors.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/jsonread.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "io/outfile.h"

/* Arrays are written as they are in memory. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "safetensors.c: little-endian");

enum {
    LENGTH = 8,
    CHUNK_BYTES = 64 << 10,
    SMALL_BYTES = 32 << 20 /* a file that may stay in the page cache */
};

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
#define X(id, name, size) { name, size },
    TSL_SAFETENSORS_TYPES(X)
#undef X
};

struct string {
    const char *key, *value;
};

struct tsl_safetensors {
    struct tsl_file file;
    struct tsl_jsonread *doc; /* names and strings are its */
    struct tsl_safetensors_entry *entries;
    const struct tsl_safetensors_entry **by_name;
    size_t n;
    struct string *meta;
    size_t nmeta;
    uint8_t *chunk;
};

const char *tsl_safetensors_type_name(enum tsl_safetensors_type type)
{
    return types[type].name;
}

size_t tsl_safetensors_type_bytes(enum tsl_safetensors_type type)
{
    return types[type].bytes;
}

/* ---- the header ---- */

static int bad(const struct tsl_safetensors *s, const char *tensor, const char *what,
               struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: tensor %s: %s", s->file.name,
                       tsl_quote(tensor).s, what);
}

static int read_type(const struct tsl_safetensors *s, struct tsl_safetensors_entry *e,
                     const struct tsl_jsonval *v, struct tsl_err *err)
{
    struct tsl_slice name;
    if (!tsl_jsonread_str(tsl_jsonread_get(v, "dtype"), &name))
        return bad(s, e->name, "its dtype is no string", err);
    for (int t = 0; t < TSL_ST_NTYPES; t++)
        if (strcmp((const char *)name.data, types[t].name) == 0) {
            e->type = (enum tsl_safetensors_type)t;
            return 0;
        }
    return tsl_err_set(err, TSL_EFORMAT, "%s: tensor %s: numbers of type %s are not read",
                       s->file.name, tsl_quote(e->name).s,
                       tsl_quote((const char *)name.data).s);
}

/* Also the sizes, which must not overflow even where a dimension is 0. */
static int read_shape(const struct tsl_safetensors *s, struct tsl_safetensors_entry *e,
                      const struct tsl_jsonval *v, struct tsl_err *err)
{
    const struct tsl_jsonval *shape = tsl_jsonread_get(v, "shape");
    size_t rank = tsl_jsonread_size(shape), n = 1, product = 1;
    if (tsl_jsonread_kind(shape) != TSL_JSON_ARRAY)
        return bad(s, e->name, "its shape is no array", err);
    if (rank > TSL_ST_RANK_MAX)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: tensor %s: %zu dimensions; at most %d are read",
                           s->file.name, tsl_quote(e->name).s, rank, TSL_ST_RANK_MAX);
    e->rank = (unsigned)rank;
    for (size_t i = 0; i < rank; i++) {
        if (!tsl_jsonread_int(tsl_jsonread_at(shape, i), &e->dim[i]) || e->dim[i] < 0)
            return bad(s, e->name, "a dimension that is no whole number from 0 on", err);
        n *= e->dim[i] != 0;
        if (e->dim[i] && (__builtin_mul_overflow(product, (size_t)e->dim[i], &product) ||
                          product > INT64_MAX / 8))
            return bad(s, e->name, "a shape of more numbers than a file can hold", err);
    }
    e->n = n * product;
    e->bytes = e->n * types[e->type].bytes;
    return 0;
}

static int read_entry(const struct tsl_safetensors *s, struct tsl_safetensors_entry *e,
                      const struct tsl_jsonval *v, uint64_t data, struct tsl_err *err)
{
    const struct tsl_jsonval *place = tsl_jsonread_get(v, "data_offsets");
    int64_t from, to;
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return bad(s, e->name, "its entry is no object", err);
    int rc = read_type(s, e, v, err);
    if (rc == 0)
        rc = read_shape(s, e, v, err);
    if (rc < 0)
        return rc;
    if (tsl_jsonread_kind(place) != TSL_JSON_ARRAY || tsl_jsonread_size(place) != 2 ||
        !tsl_jsonread_int(tsl_jsonread_at(place, 0), &from) ||
        !tsl_jsonread_int(tsl_jsonread_at(place, 1), &to) || from < 0 || to < from)
        return bad(s, e->name, "its data_offsets are not two ascending whole numbers",
                   err);
    if ((uint64_t)to > s->file.size - data)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: tensor %s ends at byte %" PRId64
                           " of the data, of which there are %" PRIu64,
                           s->file.name, tsl_quote(e->name).s, to, s->file.size - data);
    if ((uint64_t)(to - from) != e->bytes)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: tensor %s: %" PRId64
                           " bytes of data, but its shape and type want %" PRIu64,
                           s->file.name, tsl_quote(e->name).s, to - from, e->bytes);
    e->at = data + (uint64_t)from;
    return 0;
}

static int read_meta(struct tsl_safetensors *s, const struct tsl_jsonval *v,
                     struct tsl_err *err)
{
    struct tsl_jsonread_member m = { 0 };
    struct tsl_slice value;
    if (tsl_jsonread_kind(v) != TSL_JSON_OBJECT)
        return tsl_err_set(err, TSL_EFORMAT, "%s: __metadata__ is no object",
                           s->file.name);
    s->meta =
        tsl_mem_alloc(tsl_jsonread_size(v) + 1, sizeof *s->meta, "a file's strings", err);
    if (!s->meta)
        return TSL_ENOMEM;
    while (tsl_jsonread_next(v, &m)) {
        const char *key = (const char *)m.key.data;
        if (!tsl_jsonread_str(m.value, &value) || memchr(value.data, 0, value.len))
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: __metadata__: %s is no string without NUL",
                               s->file.name, tsl_quote(key).s);
        s->meta[s->nmeta++] = (struct string){ key, (const char *)value.data };
    }
    return 0;
}

static int compare_places(const void *a, const void *b)
{
    const struct tsl_safetensors_entry *x = *(
                                           const struct tsl_safetensors_entry *const *)a,
                                       *y = *(
                                           const struct tsl_safetensors_entry *const *)b;
    return x->at != y->at         ? (x->at > y->at) - (x->at < y->at)
           : x->bytes != y->bytes ? (x->bytes > y->bytes) - (x->bytes < y->bytes)
                                  : (x > y) - (x < y);
}

static int compare_names(const void *a, const void *b)
{
    const struct tsl_safetensors_entry *x = *(
                                           const struct tsl_safetensors_entry *const *)a,
                                       *y = *(
                                           const struct tsl_safetensors_entry *const *)b;
    return strcmp(x->name, y->name);
}

/* Each byte of the data belongs to one tensor. */
static int check_places(struct tsl_safetensors *s, uint64_t data, struct tsl_err *err)
{
    uint64_t at = data;
    for (size_t i = 0; i < s->n; i++)
        s->by_name[i] = &s->entries[i];
    qsort(s->by_name, s->n, sizeof *s->by_name, compare_places);
    for (size_t i = 0; i < s->n; i++) {
        const struct tsl_safetensors_entry *e = s->by_name[i];
        if (e->at != at)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: tensor %s begins at byte %" PRIu64
                               " of the data, the one before ends at %" PRIu64,
                               s->file.name, tsl_quote(e->name).s, e->at - data,
                               at - data);
        at += e->bytes;
    }
    if (at != s->file.size)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: %" PRIu64 " bytes behind the last tensor", s->file.name,
                           s->file.size - at);
    qsort(s->by_name, s->n, sizeof *s->by_name, compare_names);
    return 0;
}

static int read_entries(struct tsl_safetensors *s, uint64_t data, struct tsl_err *err)
{
    const struct tsl_jsonval *root = tsl_jsonread_root(s->doc);
    struct tsl_jsonread_member m = { 0 };
    size_t cap = tsl_jsonread_size(root) + 1;
    if (tsl_jsonread_kind(root) != TSL_JSON_OBJECT)
        return tsl_err_set(err, TSL_EFORMAT, "%s: its header is no object", s->file.name);
    s->entries = tsl_mem_alloc(cap, sizeof *s->entries, "tensors of a file", err);
    s->by_name = tsl_mem_alloc(cap, sizeof *s->by_name, "tensors of a file", err);
    int rc = s->entries && s->by_name ? 0 : TSL_ENOMEM;
    while (rc == 0 && tsl_jsonread_next(root, &m)) {
        const char *name = (const char *)m.key.data;
        if (strcmp(name, "__metadata__") == 0) {
            rc = read_meta(s, m.value, err);
            continue;
        }
        s->entries[s->n] = (struct tsl_safetensors_entry){ .name = name };
        rc = read_entry(s, &s->entries[s->n++], m.value, data, err);
    }
    return rc < 0 ? rc : check_places(s, data, err);
}

static int read_header(struct tsl_safetensors *s, struct tsl_err *err)
{
    uint8_t length[LENGTH];
    char what[32];
    struct tsl_slice text = { 0 };
    const char *name = s->file.name;
    if (s->file.size < LENGTH)
        return tsl_err_set(err, TSL_EFORMAT, "%s: no safetensors file: %" PRIu64 " bytes",
                           name, s->file.size);
    int rc = tsl_file_pread(&s->file, length, LENGTH, 0, err);
    uint64_t n = rc == 0 ? tsl_load64(length) : 0;
    if (rc == 0 && n > TSL_ST_HEADER_MAX)
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: no safetensors file: a header of %" PRIu64 " bytes", name,
                         n);
    if (rc == 0 && n > s->file.size - LENGTH)
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: cut short: a header of %" PRIu64
                         " bytes in a file of %" PRIu64,
                         name, n, s->file.size);
    if (rc < 0)
        return rc;
    snprintf(what, sizeof what, "a header of %d bytes", (int)n);
    uint8_t *p = tsl_mem_alloc(n + 1, 1, what, err);
    rc = p ? tsl_file_pread(&s->file, p, n, LENGTH, err) : TSL_ENOMEM;
    text = (struct tsl_slice){ p, n };
    if (rc == 0 && p[0] != '{')
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "%s: no safetensors file: its header does not begin with {",
                         name);
    if (rc == 0)
        rc = tsl_jsonread_parse_unique(&s->doc, text, name, err);
    tsl_mem_free(p);
    return rc < 0 ? rc : read_entries(s, LENGTH + n, err);
}

/* ---- reading ---- */

int tsl_safetensors_open(struct tsl_safetensors **out, const char *path,
                         struct tsl_err *err)
{
    struct tsl_safetensors *s = tsl_mem_alloc(1, sizeof *s, "a reader of tensors", err);
    if (!s)
        return TSL_ENOMEM;
    s->file = (struct tsl_file)TSL_FILE_INIT;
    int rc = tsl_file_open(&s->file, path, err);
    if (rc == 0 && !s->file.regular)
        rc = tsl_err_set(err, TSL_EUSAGE, "%s: tensors are read from regular files only",
                         s->file.name);
    if (rc == 0)
        rc = read_header(s, err);
    if (rc == 0) {
        s->chunk = tsl_mem_alloc(CHUNK_BYTES, 1, "a reader of tensors", err);
        rc = s->chunk ? 0 : TSL_ENOMEM;
    }
    if (rc < 0)
        tsl_safetensors_close(s);
    else
        *out = s;
    return rc;
}

void tsl_safetensors_close(struct tsl_safetensors *s)
{
    if (!s)
        return;
    tsl_file_close(&s->file, NULL);
    tsl_jsonread_destroy(s->doc);
    tsl_mem_free(s->entries);
    tsl_mem_free(s->by_name);
    tsl_mem_free(s->meta);
    tsl_mem_free(s->chunk);
    tsl_mem_free(s);
}

size_t tsl_safetensors_count(const struct tsl_safetensors *s)
{
    return s->n;
}

const struct tsl_safetensors_entry *tsl_safetensors_at(const struct tsl_safetensors *s,
                                                       size_t i)
{
    assert(i < s->n);
    return &s->entries[i];
}

const struct tsl_safetensors_entry *tsl_safetensors_find(const struct tsl_safetensors *s,
                                                         const char *name)
{
    size_t from = 0, to = s->n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        int c = strcmp(name, s->by_name[mid]->name);
        if (c == 0)
            return s->by_name[mid];
        if (c < 0)
            to = mid;
        else
            from = mid + 1;
    }
    return NULL;
}

const struct tsl_safetensors_entry *tsl_safetensors_need(const struct tsl_safetensors *s,
                                                         const char *name,
                                                         struct tsl_err *err)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(s, name);
    if (!e)
        tsl_err_set(err, TSL_EFORMAT, "%s: there is no tensor %s", s->file.name,
                    tsl_quote(name).s);
    return e;
}

const char *tsl_safetensors_meta(const struct tsl_safetensors *s, const char *key)
{
    for (size_t i = 0; i < s->nmeta; i++)
        if (strcmp(s->meta[i].key, key) == 0)
            return s->meta[i].value;
    return NULL;
}

const char *tsl_safetensors_meta_at(const struct tsl_safetensors *s, size_t i,
                                    const char **value)
{
    if (i >= s->nmeta)
        return NULL;
    *value = s->meta[i].value;
    return s->meta[i].key;
}

/* Number i of p, whatever its type. */
static double real_at(enum tsl_safetensors_type type, const uint8_t *p, size_t i)
{
    uint64_t bits = 0;
    size_t size = types[type].bytes;
    float f;
    double d;
    memcpy(&bits, p + i * size, size);
    uint32_t word = (uint32_t)bits;
    switch (type) {
    case TSL_ST_F64: memcpy(&d, &bits, 8); return d;
    case TSL_ST_BF16:
        word <<= 16;
        memcpy(&f, &word, 4);
        return f;
    case TSL_ST_F32: memcpy(&f, &word, 4); return f;
    case TSL_ST_F16: return tsl_half_float((uint16_t)bits);
    case TSL_ST_I64: return (double)(int64_t)bits;
    case TSL_ST_I32: return (int32_t)word;
    case TSL_ST_I16: return (int16_t)bits;
    case TSL_ST_I8: return (int8_t)bits;
    case TSL_ST_BOOL: return bits != 0;
    default: return (double)bits;
    }
}

/* The same as a whole number; false where it does not fit in 64 bits. */
static bool whole_at(enum tsl_safetensors_type type, const uint8_t *p, size_t i,
                     int64_t *to)
{
    uint64_t bits = 0;
    size_t size = types[type].bytes;
    memcpy(&bits, p + i * size, size);
    switch (type) {
    case TSL_ST_I32: *to = (int32_t)bits; return true;
    case TSL_ST_I16: *to = (int16_t)bits; return true;
    case TSL_ST_I8: *to = (int8_t)bits; return true;
    case TSL_ST_U64: *to = (int64_t)bits; return bits <= INT64_MAX;
    case TSL_ST_BOOL: *to = bits != 0; return true;
    default: *to = (int64_t)bits; return true;
    }
}

/* The next numbers of e, from number i on: how many are in s->chunk, or an error. */
static int64_t next_chunk(struct tsl_safetensors *s,
                          const struct tsl_safetensors_entry *e, size_t i,
                          struct tsl_err *err)
{
    size_t size = types[e->type].bytes, n = CHUNK_BYTES / size;
    n = n < e->n - i ? n : e->n - i;
    int rc = tsl_file_pread(&s->file, s->chunk, n * size, e->at + i * size, err);
    return rc < 0 ? rc : (int64_t)n;
}

int tsl_safetensors_read_f64(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, double *to,
                             struct tsl_err *err)
{
    if (e->type == TSL_ST_F64)
        return tsl_safetensors_read_raw(s, e, to, err);
    for (size_t i = 0; i < e->n;) {
        int64_t n = next_chunk(s, e, i, err);
        if (n < 0)
            return (int)n;
        for (size_t k = 0; k < (size_t)n; k++)
            to[i + k] = real_at(e->type, s->chunk, k);
        i += (size_t)n;
    }
    return 0;
}

int tsl_safetensors_read_f32(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, float *to,
                             struct tsl_err *err)
{
    if (e->type == TSL_ST_F32)
        return tsl_safetensors_read_raw(s, e, to, err);
    for (size_t i = 0; i < e->n;) {
        int64_t n = next_chunk(s, e, i, err), whole;
        if (n < 0)
            return (int)n;
        /* 64 bits by way of a double would be rounded twice */
        for (size_t k = 0; k < (size_t)n; k++)
            to[i + k] = e->type == TSL_ST_I64 && whole_at(e->type, s->chunk, k, &whole)
                            ? (float)whole
                        : e->type == TSL_ST_U64 ? (float)tsl_load64(s->chunk + 8 * k)
                                                : (float)real_at(e->type, s->chunk, k);
        i += (size_t)n;
    }
    return 0;
}

int tsl_safetensors_read_i32(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, int32_t *to,
                             struct tsl_err *err)
{
    if (e->type <= TSL_ST_BF16)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: tensor %s is %s; whole numbers are wanted", s->file.name,
                           tsl_quote(e->name).s, types[e->type].name);
    for (size_t i = 0; i < e->n;) {
        int64_t n = next_chunk(s, e, i, err), whole;
        if (n < 0)
            return (int)n;
        for (size_t k = 0; k < (size_t)n; k++) {
            if (!whole_at(e->type, s->chunk, k, &whole) || whole < INT32_MIN ||
                whole > INT32_MAX)
                return tsl_err_set(err, TSL_EFORMAT,
                                   "%s: tensor %s: number %zu does not fit in 32 bits",
                                   s->file.name, tsl_quote(e->name).s, i + k);
            to[i + k] = (int32_t)whole;
        }
        i += (size_t)n;
    }
    return 0;
}

int tsl_safetensors_read_raw(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, void *to,
                             struct tsl_err *err)
{
    return tsl_file_pread(&s->file, to, e->bytes, e->at, err);
}

/* ---- writing ---- */

static bool is_utf8(const char *s)
{
    const uint8_t *p = (const uint8_t *)s, *end = p + strlen(s);
    for (uint32_t cp; p < end;) {
        size_t n = tsl_utf8_decode(p, end, &cp);
        if (cp == TSL_UTF8_BAD)
            return false;
        p += n;
    }
    return true;
}

static int unusable(const char *path, const char *name, const char *what,
                    struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE, "%s: tensor %s: %s", tsl_quote(path).s,
                       tsl_quote(name).s, what);
}

static int measure(const char *path, const struct tsl_safetensors_array *a,
                   uint64_t *bytes, struct tsl_err *err)
{
    uint64_t product = types[a->type].bytes;
    bool none = false;
    if (!a->name[0] || !is_utf8(a->name) || strcmp(a->name, "__metadata__") == 0)
        return unusable(path, a->name, "not a name for a tensor", err);
    if (a->rank > TSL_ST_RANK_MAX)
        return unusable(path, a->name, "too many dimensions", err);
    for (unsigned i = 0; i < a->rank; i++) {
        if (a->dim[i] < 0)
            return unusable(path, a->name, "a dimension below 0", err);
        none |= a->dim[i] == 0;
        if (a->dim[i] &&
            (__builtin_mul_overflow(product, (uint64_t)a->dim[i], &product) ||
             product > INT64_MAX / 8))
            return unusable(path, a->name, "more numbers than a file can hold", err);
    }
    *bytes = none ? 0 : product;
    return 0;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_names(const char *path, const struct tsl_safetensors_array *arrays,
                       size_t n, struct tsl_err *err)
{
    int rc = 0;
    const char **names = tsl_mem_alloc(n + 1, sizeof *names, "names of tensors", err);
    if (!names)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        names[i] = arrays[i].name;
    qsort(names, n, sizeof *names, compare_strings);
    for (size_t i = 1; i < n && rc == 0; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            rc = unusable(path, names[i], "given twice", err);
    tsl_mem_free(names);
    return rc;
}

static void put_entry(struct tsl_json *j, const struct tsl_safetensors_array *a,
                      uint64_t from, uint64_t to)
{
    char s[TSL_ST_RANK_MAX * 21 + 128];
    size_t n = (size_t)snprintf(s, sizeof s, "{\"dtype\":\"%s\",\"shape\":[",
                                types[a->type].name);
    for (unsigned i = 0; i < a->rank; i++)
        n += (size_t)snprintf(s + n, sizeof s - n, "%s%" PRId64, i ? "," : "", a->dim[i]);
    n += (size_t)snprintf(s + n, sizeof s - n,
                          "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", from, to);
    tsl_json_raw(j, a->name, (struct tsl_slice){ (const uint8_t *)s, n });
}

/* The header as j->text[0, j->len), blanks at its end included. */
static int make_header(struct tsl_json *j, const char *path,
                       const struct tsl_safetensors_array *arrays, size_t n,
                       const struct tsl_safetensors_string *meta, size_t nmeta,
                       struct tsl_err *err)
{
    uint64_t at = 0, bytes;
    int rc = check_names(path, arrays, n, err);
    tsl_json_open(j, NULL, '{');
    if (nmeta) {
        tsl_json_open(j, "__metadata__", '{');
        for (size_t i = 0; i < nmeta; i++)
            tsl_json_str(j, meta[i].key, meta[i].value);
        tsl_json_close(j, '}');
    }
    for (size_t i = 0; i < n && rc == 0; i++, at += bytes) {
        rc = measure(path, &arrays[i], &bytes, err);
        if (rc == 0)
            put_entry(j, &arrays[i], at, at + bytes);
    }
    tsl_json_close(j, '}');
    if (rc == 0)
        rc = tsl_json_end(j, err);
    if (rc < 0)
        return rc;
    size_t len = (j->len + 7) / 8 * 8;
    if (len > TSL_ST_HEADER_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "%s: a header of %zu bytes; %d are allowed",
                           tsl_quote(path).s, len, TSL_ST_HEADER_MAX);
    rc = tsl_mem_grow(&j->text, &j->cap, len, 1, "a header", err);
    if (rc < 0)
        return rc;
    j->len--; /* the newline */
    memset(j->text + j->len, ' ', len - j->len);
    j->len = len;
    return 0;
}

static int write_arrays(struct tsl_file *f, const struct tsl_json *head,
                        const struct tsl_safetensors_array *arrays, size_t n,
                        struct tsl_err *err)
{
    uint8_t length[LENGTH];
    uint64_t bytes, all = 0;
    for (size_t i = 0; i < n && measure(f->name, &arrays[i], &bytes, err) == 0; i++)
        all += bytes;
    f->nodrop = all < SMALL_BYTES;
    tsl_store64(length, head->len);
    int rc = tsl_file_write(f, length, LENGTH, err);
    if (rc == 0)
        rc = tsl_file_write(f, head->text, head->len, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = measure(f->name, &arrays[i], &bytes, err);
        if (rc == 0)
            rc = tsl_file_write(f, arrays[i].data, bytes, err);
    }
    return rc;
}

int tsl_safetensors_write(const char *path, const struct tsl_safetensors_array *arrays,
                          size_t n, const struct tsl_safetensors_string *meta,
                          size_t nmeta, uint64_t *hash, struct tsl_err *err)
{
    struct tsl_outfile o = { .file = TSL_FILE_INIT };
    struct tsl_json head = { 0 };
    struct tsl_hasher64 sum;
    tsl_hasher64_init(&sum, 0);
    int rc = make_header(&head, path, arrays, n, meta, nmeta, err);
    if (rc == 0)
        rc = tsl_outfile_open(&o, path, false, err);
    if (rc == 0) {
        o.file.hash = &sum;
        rc = write_arrays(&o.file, &head, arrays, n, err);
    }
    if (rc == 0)
        rc = tsl_outfile_done(&o, err);
    if (rc == 0)
        rc = tsl_outfile_commit(&o, err);
    if (rc == 0 && hash)
        *hash = tsl_hasher64_end(&sum);
    tsl_outfile_close(&o);
    tsl_json_fini(&head);
    return rc;
}

#include "record/schema.h"

#include <string.h>

#include "base/quote.h"
#include "base/utf8.h"

static const char *const dtypes[TSL_NDTYPES] = {
#define X(id, name, size) [id] = name,
    TSL_DTYPES(X)
#undef X
};

const char *tsl_dtype_name(enum tsl_dtype t)
{
    return dtypes[t];
}

int tsl_dtype_of(const char *name)
{
    for (int i = 0; i < TSL_NDTYPES; i++)
        if (strcmp(name, dtypes[i]) == 0)
            return i;
    return -1;
}

int tsl_schema_find(const struct tsl_schema *s, const char *name)
{
    for (size_t i = 0; i < s->ncolumns; i++)
        if (strcmp(s->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

static bool is_name(const char *name)
{
    size_t n = 0, k;
    while (name[n] && n <= TSL_COLUMN_NAME_MAX &&
           (k = tsl_utf8_len((const void *)(name + n))))
        n += k;
    return n > 0 && n <= TSL_COLUMN_NAME_MAX && !name[n];
}

int tsl_schema_add(struct tsl_schema *s, const char *name, enum tsl_dtype type, bool list,
                   uint32_t ndims, const uint32_t *dims, struct tsl_err *err)
{
    struct tsl_column c = { .type = type, .ndims = list ? 0 : ndims };
    uint64_t count = !list;
    if (!is_name(name))
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: no name of a column: it has 1 to %d bytes of UTF-8",
                           tsl_quote(name).s, TSL_COLUMN_NAME_MAX);
    if (tsl_schema_find(s, name) >= 0)
        return tsl_err_set(err, TSL_EUSAGE, "a second column %s", tsl_quote(name).s);
    if (s->ncolumns == TSL_COLUMNS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d columns", TSL_COLUMNS_MAX);
    if (ndims > TSL_COLUMN_DIMS_MAX || (list && ndims))
        return tsl_err_set(err, TSL_EUSAGE, "column %s: %s", tsl_quote(name).s,
                           list ? "a list has no dimensions" : "too many dimensions");
    for (uint32_t i = 0; i < ndims; i++) {
        c.dims[i] = dims[i];
        count *= dims[i];
        if (count == 0 || count > TSL_COLUMN_COUNT_MAX)
            return tsl_err_set(
                err, TSL_EUSAGE,
                "column %s: its dimensions give no values, or more than %d",
                tsl_quote(name).s, TSL_COLUMN_COUNT_MAX);
    }
    c.count = (uint32_t)count;
    memcpy(c.name, name, strlen(name) + 1);
    s->columns[s->ncolumns++] = c;
    return 0;
}

int tsl_schema_take(struct tsl_schema *s, const char *name, enum tsl_dtype type,
                    bool list, uint32_t ndims, const uint32_t *dims, const char *where,
                    struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    if (tsl_schema_add(s, name, type, list, ndims, dims, &why) == 0)
        return 0;
    return tsl_err_set(err, TSL_EFORMAT, "%s%s%s", where ? where : "", where ? ": " : "",
                       why.msg);
}

bool tsl_schema_equal(const struct tsl_schema *a, const struct tsl_schema *b)
{
    if (a->ncolumns != b->ncolumns)
        return false;
    for (size_t i = 0; i < a->ncolumns; i++) {
        const struct tsl_column *x = &a->columns[i], *y = &b->columns[i];
        if (strcmp(x->name, y->name) != 0 || x->type != y->type || x->count != y->count ||
            x->ndims != y->ndims ||
            memcmp(x->dims, y->dims, x->ndims * sizeof *x->dims) != 0)
            return false;
    }
    return true;
}

void tsl_schema_write(const struct tsl_schema *s, const char *key, struct tsl_json *j)
{
    tsl_json_open(j, key, '[');
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        tsl_json_open(j, NULL, '{');
        tsl_json_str(j, "name", c->name);
        tsl_json_str(j, "type", dtypes[c->type]);
        if (c->count == 0)
            tsl_json_bool(j, "list", true);
        if (c->ndims) {
            tsl_json_open(j, "dims", '[');
            for (uint32_t d = 0; d < c->ndims; d++)
                tsl_json_u64(j, NULL, c->dims[d]);
            tsl_json_close(j, ']');
        }
        tsl_json_close(j, '}');
    }
    tsl_json_close(j, ']');
}

/* A text as a C string; false where it is none or does not fit. */
static bool text_of(const struct tsl_jsonval *v, char *to, size_t cap)
{
    struct tsl_slice s;
    if (!tsl_jsonread_str(v, &s) || s.len >= cap || memchr(s.data, 0, s.len))
        return false;
    memcpy(to, s.data, s.len);
    to[s.len] = '\0';
    return true;
}

/* Column i: 0, or why not. */
static const char *read_column(struct tsl_schema *s, const struct tsl_jsonval *v,
                               struct tsl_err *err)
{
    char name[TSL_COLUMN_NAME_MAX + 1], type[8];
    uint32_t dims[TSL_COLUMN_DIMS_MAX];
    bool list = false;
    const struct tsl_jsonval *l = tsl_jsonread_get(v, "list"),
                             *d = tsl_jsonread_get(v, "dims");
    if (!text_of(tsl_jsonread_get(v, "name"), name, sizeof name))
        return "its name is no text of 1 to 63 bytes";
    if (!text_of(tsl_jsonread_get(v, "type"), type, sizeof type) ||
        tsl_dtype_of(type) < 0)
        return "its type is none that is known here";
    if (l && !tsl_jsonread_bool(l, &list))
        return "its \"list\" is neither true nor false";
    size_t ndims = tsl_jsonread_size(d);
    if (d && (tsl_jsonread_kind(d) != TSL_JSON_ARRAY || ndims > TSL_COLUMN_DIMS_MAX))
        return "its \"dims\" are no array of at most 4 numbers";
    for (size_t i = 0; i < ndims; i++) {
        int64_t n;
        if (!tsl_jsonread_int(tsl_jsonread_at(d, i), &n) || n < 1 || n > UINT32_MAX)
            return "a dimension is no number from 1 on";
        dims[i] = (uint32_t)n;
    }
    return tsl_schema_add(s, name, (enum tsl_dtype)tsl_dtype_of(type), list,
                          (uint32_t)ndims, dims, err) < 0
               ? err->msg
               : NULL;
}

int tsl_schema_read(struct tsl_schema *s, const struct tsl_jsonval *v, const char *name,
                    struct tsl_err *err)
{
    struct tsl_schema got = { .ncolumns = 0 };
    size_t n = tsl_jsonread_size(v);
    if (tsl_jsonread_kind(v) != TSL_JSON_ARRAY)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: the schema is %s, but should be an array of columns",
                           name, tsl_jsonread_kind_name(v));
    for (size_t i = 0; i < n; i++) {
        struct tsl_err bad = { 0 };
        const char *why = read_column(&got, tsl_jsonread_at(v, i), &bad);
        if (why)
            return tsl_err_set(err, TSL_EFORMAT, "%s: the schema: column %zu: %s", name,
                               i, why);
    }
    *s = got;
    return 0;
}

#include "record/mdscolumn.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "record/recjson.h"

/* MDS's names of numbers, and the byte that stands for one in front of an ndarray. */
static const struct {
    const char *name;
    enum tsl_dtype type;
    uint8_t code;
} numbers[] = {
    { "uint8", TSL_U8, 8 },     { "int8", TSL_I8, 9 },      { "uint16", TSL_U16, 16 },
    { "int16", TSL_I16, 17 },   { "uint32", TSL_U32, 32 },  { "int32", TSL_I32, 33 },
    { "uint64", TSL_U64, 64 },  { "int64", TSL_I64, 65 },   { "float16", TSL_F16, 18 },
    { "float32", TSL_F32, 34 }, { "float64", TSL_F64, 66 },
};
enum { NNUMBERS = sizeof numbers / sizeof numbers[0] };

static const char *number_name(enum tsl_dtype t)
{
    if (t == TSL_BIT)
        t = TSL_U8;
    for (size_t i = 0; i < NNUMBERS; i++)
        if (numbers[i].type == t)
            return numbers[i].name;
    return NULL;
}

/* ---- names ---- */

int tsl_mdscolumn_of(struct tsl_mdscolumn *m, const struct tsl_column *c,
                     char encoding[TSL_MDS_ENCODING_MAX], struct tsl_err *err)
{
    size_t size = tsl_dtype_bytes(c->type);
    *m = (struct tsl_mdscolumn){ .n = c->count };
    if (size == 0) {
        if (c->count != 1)
            return tsl_err_set(err, TSL_EUSAGE, "column %s: MDS has no lists of strings",
                               tsl_quote(c->name).s);
        m->kind = TSL_MDS_STRING;
        snprintf(encoding, TSL_MDS_ENCODING_MAX, "%s", tsl_dtype_name(c->type));
        return 0;
    }
    const char *name = number_name(c->type);
    if (c->count == 0) {
        m->kind = TSL_MDS_SHAPED;
        snprintf(encoding, TSL_MDS_ENCODING_MAX, "ndarray:%s", name);
        return 0;
    }
    m->bytes = c->count * (uint32_t)size;
    m->kind = c->ndims ? TSL_MDS_FIXED : TSL_MDS_SCALAR;
    int n =
        snprintf(encoding, TSL_MDS_ENCODING_MAX, c->ndims ? "ndarray:%s" : "%s", name);
    for (uint32_t i = 0; i < c->ndims; i++)
        n += snprintf(encoding + n, TSL_MDS_ENCODING_MAX - (size_t)n, "%c%" PRIu32,
                      i ? ',' : ':', c->dims[i]);
    return 0;
}

static int unknown(const char *name, const char *encoding, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "column %s: unknown encoding %s",
                       tsl_quote(name).s, tsl_quote(encoding).s);
}

static int shape_of(const char *text, uint32_t dims[TSL_COLUMN_DIMS_MAX])
{
    int n = 0;
    for (;;) {
        char *end;
        if (n == TSL_COLUMN_DIMS_MAX || *text < '0' || *text > '9')
            return -1;
        unsigned long long d = strtoull(text, &end, 10);
        if (d == 0 || d > 1 << 28)
            return -1;
        dims[n++] = (uint32_t)d;
        if (*end == 0)
            return n;
        if (*end != ',')
            return -1;
        text = end + 1;
    }
}

static int ndarray_named(struct tsl_mdscolumn *m, struct tsl_schema *schema,
                         const char *name, const char *encoding, struct tsl_err *err)
{
    char type[16] = "";
    uint32_t dims[TSL_COLUMN_DIMS_MAX];
    const char *at = encoding + strlen("ndarray");
    if (*at == 0) {
        m->kind = TSL_MDS_ANY;
        return tsl_schema_take(schema, name, TSL_JSON, false, 0, NULL, NULL, err);
    }
    at++;
    size_t len = strcspn(at, ":");
    if (len < sizeof type)
        memcpy(type, at, len);
    for (size_t i = 0; i < NNUMBERS; i++) {
        if (strcmp(type, numbers[i].name) != 0)
            continue;
        if (at[len] == 0) {
            m->kind = TSL_MDS_SHAPED;
            return tsl_schema_take(schema, name, numbers[i].type, true, 0, NULL, NULL,
                                   err);
        }
        int ndims = shape_of(at + len + 1, dims);
        if (ndims < 0)
            break;
        m->kind = TSL_MDS_FIXED;
        int rc = tsl_schema_take(schema, name, numbers[i].type, false, (uint32_t)ndims,
                                 dims, NULL, err);
        if (rc == 0) {
            m->n = schema->columns[schema->ncolumns - 1].count;
            m->bytes = m->n * (uint32_t)tsl_dtype_bytes(numbers[i].type);
        }
        return rc;
    }
    return unknown(name, encoding, err);
}

int tsl_mdscolumn_named(struct tsl_mdscolumn *m, struct tsl_schema *schema,
                        const char *name, const char *encoding, struct tsl_err *err)
{
    /* Pictures are bytes to us; a number as digits is the text that it is. */
    static const struct {
        const char *name;
        enum tsl_dtype type;
    } strings[] = {
        { "bytes", TSL_BYTES },     { "str", TSL_STR },
        { "json", TSL_JSON },       { "str_int", TSL_STR },
        { "str_float", TSL_STR },   { "str_decimal", TSL_STR },
        { "jpeg", TSL_BYTES },      { "png", TSL_BYTES },
        { "pil", TSL_BYTES },       { "list[jpeg]", TSL_BYTES },
        { "list[png]", TSL_BYTES }, { "list[pil]", TSL_BYTES },
    };
    *m = (struct tsl_mdscolumn){ 0 };
    if (strcmp(encoding, "pkl") == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "column %s is pickled: reading it would run what it says",
                           tsl_quote(name).s);
    for (size_t i = 0; i < sizeof strings / sizeof strings[0]; i++)
        if (strcmp(encoding, strings[i].name) == 0)
            return tsl_schema_take(schema, name, strings[i].type, false, 0, NULL, NULL,
                                   err);
    bool is_int = strcmp(encoding, "int") == 0;
    for (size_t i = 0; i < NNUMBERS; i++)
        if (is_int ? numbers[i].type == TSL_I64
                   : strcmp(encoding, numbers[i].name) == 0) {
            m->kind = TSL_MDS_SCALAR;
            m->n = 1;
            m->bytes = (uint32_t)tsl_dtype_bytes(numbers[i].type);
            return tsl_schema_take(schema, name, numbers[i].type, false, 0, NULL, NULL,
                                   err);
        }
    if (strncmp(encoding, "ndarray", 7) == 0 && (encoding[7] == 0 || encoding[7] == ':'))
        return ndarray_named(m, schema, name, encoding, err);
    return unknown(name, encoding, err);
}

/* ---- writing ---- */

size_t tsl_mdscolumn_measure(const struct tsl_mdscolumn *m, const struct tsl_column *c,
                             const struct tsl_value *v)
{
    switch (m->kind) {
    case TSL_MDS_STRING: return v->lens[0];
    case TSL_MDS_SHAPED:
        return 1 + ((size_t)1 << tsl_mdscolumn_shape_log(v->n)) +
               v->n * tsl_dtype_bytes(c->type);
    default: return m->bytes;
    }
}

void tsl_mdscolumn_write(const struct tsl_mdscolumn *m, const struct tsl_column *c,
                         const struct tsl_value *v, uint8_t *p)
{
    size_t n = m->bytes;
    assert(m->kind != TSL_MDS_ANY); /* a JSON column is written as json */
    if (m->kind == TSL_MDS_STRING) {
        n = v->lens[0];
    } else if (m->kind == TSL_MDS_SHAPED) {
        p = tsl_mdscolumn_put_shape(p, v->n);
        n = v->n * tsl_dtype_bytes(c->type);
    }
    if (n)
        memcpy(p, v->data, n);
}

/* ---- reading ---- */

struct shape {
    unsigned ndims;
    uint64_t dims[64], n;
};

/* The shape in front of *bytes, which it takes off; size: bytes of a value. */
static int read_shape(struct tsl_slice *bytes, size_t size, struct shape *s,
                      struct tsl_err *err)
{
    if (bytes->len < 1)
        return tsl_err_set(err, TSL_EFORMAT, "an array without a shape");
    unsigned log = bytes->data[0] & 3;
    s->ndims = bytes->data[0] >> 2;
    s->n = 1;
    if (bytes->len - 1 < (size_t)s->ndims << log)
        return tsl_err_set(err, TSL_EFORMAT, "an array of %u dimensions in %zu bytes",
                           s->ndims, bytes->len);
    const uint8_t *p = bytes->data + 1;
    for (unsigned i = 0; i < s->ndims; i++) {
        uint64_t d = 0;
        for (unsigned k = 0; k < 1u << log; k++)
            d |= (uint64_t)*p++ << 8 * k;
        s->dims[i] = d;
        if (__builtin_mul_overflow(s->n, d, &s->n))
            s->n = UINT64_MAX / 2; /* more than any bytes that follow */
    }
    bytes->len -= (size_t)(p - bytes->data);
    bytes->data = p;
    if (s->n > UINT32_MAX || s->n * size != bytes->len)
        return tsl_err_set(err, TSL_EFORMAT,
                           "an array of %" PRIu64 " values of %zu bytes in %zu bytes",
                           s->n, size, bytes->len);
    return 0;
}

/* {"dtype":"int32","shape":[2,3],"data":[...]} */
static int read_any(struct tsl_slice bytes, struct tsl_mdsvalue *keep,
                    struct tsl_value *v, struct tsl_err *err)
{
    struct shape s;
    size_t i = 0;
    while (bytes.len && i < NNUMBERS && numbers[i].code != bytes.data[0])
        i++;
    if (bytes.len == 0 || i == NNUMBERS)
        return tsl_err_set(err, TSL_EFORMAT, "an array of unknown type %u",
                           bytes.len ? bytes.data[0] : 0);
    size_t size = tsl_dtype_bytes(numbers[i].type);
    bytes.data++;
    bytes.len--;
    int rc = read_shape(&bytes, size, &s, err);
    if (rc < 0)
        return rc;
    size_t need = 64 + (s.n + s.ndims) * (TSL_RECJSON_NUMBER + 1);
    rc = tsl_mem_grow(&keep->text, &keep->cap, need, 1, "an array's text", err);
    if (rc < 0)
        return rc;
    char *p = keep->text;
    p += sprintf(p, "{\"dtype\":\"%s\",\"shape\":[", numbers[i].name);
    p = tsl_recjson_numbers(p, TSL_U64, s.dims, s.ndims);
    p += sprintf(p, "],\"data\":[");
    p = tsl_recjson_numbers(p, numbers[i].type, bytes.data, (size_t)s.n);
    p += sprintf(p, "]}");
    keep->len = (uint32_t)(p - keep->text);
    *v = (struct tsl_value){ keep->text, &keep->len, 1 };
    return 0;
}

int tsl_mdscolumn_read(const struct tsl_mdscolumn *m, const struct tsl_column *c,
                       struct tsl_slice bytes, struct tsl_mdsvalue *keep,
                       struct tsl_value *v, struct tsl_err *err)
{
    struct shape s;
    int rc;
    switch (m->kind) {
    case TSL_MDS_STRING:
        keep->len = (uint32_t)bytes.len;
        *v = (struct tsl_value){ bytes.data, &keep->len, 1 };
        return 0;
    case TSL_MDS_SHAPED:
        rc = read_shape(&bytes, tsl_dtype_bytes(c->type), &s, err);
        if (rc == 0 && s.ndims != 1)
            return tsl_err_set(err, TSL_EFORMAT,
                               "an array of %u dimensions; of arrays whose shape varies, "
                               "only those of one can be read",
                               s.ndims);
        *v = (struct tsl_value){ bytes.data, NULL, rc < 0 ? 0 : (uint32_t)s.n };
        return rc;
    case TSL_MDS_ANY: return read_any(bytes, keep, v, err);
    default:
        assert(bytes.len == m->bytes);
        *v = (struct tsl_value){ bytes.data, NULL, m->n };
        return 0;
    }
}

#include "record/tfexample.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/half.h"
#include "base/mem.h"
#include "base/protobuf.h"
#include "base/quote.h"
#include "record/varints.h"

/* Field numbers of feature.proto. */
enum { FEATURES = 1, ENTRY = 1, KEY = 1, FEATURE = 2, VALUES = 1 };
enum { BYTES_LIST = 1, FLOAT_LIST = 2, INT64_LIST = 3 };

static unsigned kind_of(enum tsl_dtype t)
{
    switch (t) {
    case TSL_BYTES:
    case TSL_STR:
    case TSL_JSON: return BYTES_LIST;
    case TSL_F16:
    case TSL_F32:
    case TSL_F64: return FLOAT_LIST;
    default: return INT64_LIST;
    }
}

/* ---- writing ---- */

void tsl_tfexample_writer_init(struct tsl_tfexample_writer *w,
                               const struct tsl_schema *schema)
{
    w->schema = schema;
    for (size_t i = 0; i < schema->ncolumns; i++) {
        size_t at = i, n = strlen(schema->columns[i].name);
        for (; at && strcmp(schema->columns[w->keys[at - 1].column].name,
                            schema->columns[i].name) > 0;
             at--)
            w->keys[at] = w->keys[at - 1];
        struct tsl_tfexample_key *key = &w->keys[at];
        *key =
            (struct tsl_tfexample_key){ .column = (uint32_t)i, .n = (uint32_t)(2 + n) };
        uint8_t *to = key->bytes + sizeof key->bytes - key->n;
        to[0] = KEY << 3 | TSL_PROTOBUF_BYTES;
        to[1] = (uint8_t)n; /* below 128 */
        memcpy(to + 2, schema->columns[i].name, n);
    }
}

static unsigned varint_bytes(uint64_t v)
{
    return (9 * (63 - (unsigned)__builtin_clzll(v | 1)) + 73) / 64; /* bits / 7 + 1 */
}

static uint8_t *put_varint(uint8_t *p, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *p++ = (uint8_t)(v | 128);
    *p++ = (uint8_t)v;
    return p;
}

static void put_floats(uint8_t *p, enum tsl_dtype t, const uint8_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++, p += 4) {
        float f;
        if (t == TSL_F32) {
            memcpy(&f, v + 4 * i, 4);
        } else if (t == TSL_F64) {
            double d;
            memcpy(&d, v + 8 * i, 8);
            f = (float)d;
        } else {
            uint16_t h;
            memcpy(&h, v + 2 * i, 2);
            f = tsl_half_float(h);
        }
        uint32_t u;
        memcpy(&u, &f, 4);
        tsl_store32(p, u);
    }
}

static void put_strings(uint8_t *p, const struct tsl_value *v)
{
    const uint8_t *s = v->data;
    for (uint32_t i = 0; i < v->n; i++) {
        *p++ = VALUES << 3 | TSL_PROTOBUF_BYTES;
        p = put_varint(p, v->lens[i]);
        memcpy(p, s, v->lens[i]);
        p += v->lens[i];
        s += v->lens[i];
    }
}

/* ---- lengths stand in front of what they measure: written from the values backwards ---- */

/* Floats' and strings' bytes; numbers are coded, which tells, too. */
static size_t values_bytes(enum tsl_dtype t, const struct tsl_value *v)
{
    size_t n = 0;
    if (kind_of(t) == FLOAT_LIST)
        return 4 * (size_t)v->n;
    for (uint32_t i = 0; i < v->n; i++)
        n += 1 + varint_bytes(v->lens[i]) + v->lens[i];
    return n;
}

/* Puts field, a length of bytes, in front of p: where it begins. */
static inline uint8_t *front_of(uint8_t *p, unsigned field, size_t bytes)
{
    if (bytes < 1 << 7) {
        *--p = (uint8_t)bytes;
    } else if (bytes < 1 << 14) {
        *--p = (uint8_t)(bytes >> 7);
        *--p = (uint8_t)(bytes | 128);
    } else {
        p -= varint_bytes(bytes);
        put_varint(p, bytes);
    }
    *--p = (uint8_t)(field << 3 | TSL_PROTOBUF_BYTES);
    return p;
}

/* Everything in front of a column's n bytes of values, to end at p: where it begins. */
static uint8_t *put_entry(uint8_t *p, const struct tsl_tfexample_key *key, unsigned kind,
                          size_t n)
{
    const uint8_t *values = p;
    if (kind != BYTES_LIST && n)
        p = front_of(p, VALUES, n);
    p = front_of(p, kind, (size_t)(values - p) + n);
    p = front_of(p, FEATURE, (size_t)(values - p) + n);
    /* as many bytes for every key: what lies before it is room, and is written over */
    memcpy(p - sizeof key->bytes, key->bytes, sizeof key->bytes);
    p -= key->n;
    return front_of(p, ENTRY, (size_t)(values - p) + n);
}

/* The most that put_entry puts. */
enum { ENTRY_BYTES = 4 * (1 + TSL_VARINT_BYTES) + TSL_COLUMN_NAME_MAX + 2 };

int tsl_tfexample_measure(struct tsl_tfexample_writer *w, const struct tsl_record *rec,
                          size_t *n, struct tsl_err *err)
{
    const struct tsl_schema *s = w->schema;
    size_t features = 0, most = TSL_VARINTS_SLACK + ENTRY_BYTES * s->ncolumns;
    for (size_t i = 0; i < s->ncolumns; i++)
        if (kind_of(s->columns[i].type) == INT64_LIST)
            most += TSL_VARINT_BYTES * (size_t)rec->values[i].n;
    int rc = tsl_mem_grow(&w->codes, &w->codes_cap, most, 1, "a record", err);
    if (rc < 0)
        return rc;
    uint8_t *end = w->codes;
    for (size_t k = 0; k < s->ncolumns; k++) {
        const struct tsl_tfexample_key *key = &w->keys[k];
        const struct tsl_value *v = &rec->values[key->column];
        struct tsl_tfexample_part *part = &w->parts[k];
        enum tsl_dtype type = s->columns[key->column].type;
        unsigned kind = kind_of(type);
        uint8_t *at = end + ENTRY_BYTES;
        end = kind == INT64_LIST ? tsl_varints_put(at, type, v->data, v->n) : at;
        part->values = kind == INT64_LIST ? 0 : values_bytes(type, v);
        part->data = put_entry(at, key, kind, (size_t)(end - at) + part->values);
        part->n = (size_t)(end - part->data);
        features += part->n + part->values;
    }
    w->features = features;
    *n = 1 + varint_bytes(features) + features;
    return 0;
}

void tsl_tfexample_writer_fini(struct tsl_tfexample_writer *w)
{
    tsl_mem_free(w->codes);
    w->codes = NULL;
    w->codes_cap = 0;
}

void tsl_tfexample_write(const struct tsl_tfexample_writer *w,
                         const struct tsl_record *rec, uint8_t *p)
{
    *p++ = FEATURES << 3 | TSL_PROTOBUF_BYTES;
    p = put_varint(p, w->features);
    for (size_t k = 0; k < w->schema->ncolumns; k++) {
        const struct tsl_tfexample_part *part = &w->parts[k];
        memcpy(p, part->data, part->n);
        p += part->n;
        if (part->values == 0)
            continue;
        uint32_t i = w->keys[k].column;
        if (kind_of(w->schema->columns[i].type) == FLOAT_LIST)
            put_floats(p, w->schema->columns[i].type, rec->values[i].data,
                       rec->values[i].n);
        else
            put_strings(p, &rec->values[i]);
        p += part->values;
    }
}

/* ---- reading ---- */

/* The features of an Example: TSL_EFORMAT, or each entry in turn to found. */
typedef int found_fn(void *ctx, struct tsl_slice key, const struct tsl_protobuf *entry,
                     const struct tsl_protobuf_field *feature, struct tsl_err *err);

static int read_entry(const struct tsl_protobuf *features,
                      const struct tsl_protobuf_field *e, found_fn *found, void *ctx,
                      struct tsl_err *err)
{
    struct tsl_protobuf entry;
    struct tsl_protobuf_field f, feature = { 0 };
    struct tsl_slice key = { (const uint8_t *)"", 0 };
    int rc;
    tsl_protobuf_enter(&entry, features, e);
    while ((rc = tsl_protobuf_next(&entry, &f, err)) == 1)
        if (f.number == KEY && (rc = tsl_protobuf_bytes(&entry, &f, &key, err)) < 0)
            return rc;
        else if (f.number == FEATURE && f.wire == TSL_PROTOBUF_BYTES)
            feature = f;
    return rc < 0 ? rc : found(ctx, key, &entry, feature.number ? &feature : NULL, err);
}

static int read_features(const uint8_t *p, size_t n, const char *where, found_fn *found,
                         void *ctx, struct tsl_err *err)
{
    struct tsl_protobuf example, features;
    struct tsl_protobuf_field f, e;
    int rc, rc2 = 0;
    tsl_protobuf_init(&example, (struct tsl_slice){ p, n }, 0, where);
    while ((rc = tsl_protobuf_next(&example, &f, err)) == 1) {
        if (f.number != FEATURES || f.wire != TSL_PROTOBUF_BYTES)
            continue;
        tsl_protobuf_enter(&features, &example, &f);
        while ((rc2 = tsl_protobuf_next(&features, &e, err)) == 1)
            if (e.number == ENTRY && e.wire == TSL_PROTOBUF_BYTES &&
                (rc2 = read_entry(&features, &e, found, ctx, err)) < 0)
                break;
        if (rc2 < 0)
            return rc2;
    }
    return rc;
}

/* The kind of list in a feature; the last one counts (a oneof); 0: none. */
static int feature_list(const struct tsl_protobuf *entry,
                        const struct tsl_protobuf_field *feature,
                        struct tsl_protobuf *list, unsigned *kind, struct tsl_err *err)
{
    struct tsl_protobuf in;
    struct tsl_protobuf_field f;
    int rc;
    *kind = 0;
    if (!feature)
        return 0;
    tsl_protobuf_enter(&in, entry, feature);
    while ((rc = tsl_protobuf_next(&in, &f, err)) == 1)
        if (f.number >= BYTES_LIST && f.number <= INT64_LIST &&
            f.wire == TSL_PROTOBUF_BYTES) {
            *kind = f.number;
            tsl_protobuf_enter(list, &in, &f);
        }
    return rc;
}

static int always(void *ctx, struct tsl_slice key, const struct tsl_protobuf *entry,
                  const struct tsl_protobuf_field *feature, struct tsl_err *err)
{
    struct tsl_protobuf list;
    unsigned kind;
    (void)key;
    *(bool *)ctx = true;
    return feature_list(entry, feature, &list, &kind, err);
}

bool tsl_tfexample_is(const uint8_t *p, size_t n)
{
    bool any = false;
    struct tsl_protobuf r;
    struct tsl_protobuf_field f;
    int rc;
    if (read_features(p, n, "", always, &any, NULL) < 0)
        return false;
    tsl_protobuf_init(&r, (struct tsl_slice){ p, n }, 0, "");
    while ((rc = tsl_protobuf_next(&r, &f, NULL)) == 1)
        if (f.number != FEATURES) /* 2: a SequenceExample's feature lists */
            return false;
    return rc == 0 && any;
}

struct naming {
    struct tsl_schema *schema;
    const char *where;
};

static int name_it(void *ctx, struct tsl_slice key, const struct tsl_protobuf *entry,
                   const struct tsl_protobuf_field *feature, struct tsl_err *err)
{
    static const enum tsl_dtype types[] = { TSL_I64, TSL_BYTES, TSL_F32, TSL_I64 };
    struct naming *g = ctx;
    struct tsl_protobuf list;
    char name[TSL_COLUMN_NAME_MAX + 1];
    unsigned kind;
    if (key.len == 0 || key.len > TSL_COLUMN_NAME_MAX || memchr(key.data, 0, key.len))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: a feature's name has %zu bytes, not 1 to %d, or a NUL",
                           g->where, key.len, TSL_COLUMN_NAME_MAX);
    memcpy(name, key.data, key.len);
    name[key.len] = 0;
    int rc = feature_list(entry, feature, &list, &kind, err);
    if (rc < 0)
        return rc;
    int old = tsl_schema_find(g->schema, name);
    if (old >= 0) {
        g->schema->columns[old].type = types[kind];
        return 0;
    }
    return tsl_schema_take(g->schema, name, types[kind], true, 0, NULL, g->where, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tsl_column *)a)->name,
                  ((const struct tsl_column *)b)->name);
}

int tsl_tfexample_schema(struct tsl_schema *s, const uint8_t *p, size_t n,
                         const char *where, struct tsl_err *err)
{
    struct naming g = { s, where };
    *s = (struct tsl_schema){ 0 };
    int rc = read_features(p, n, where, name_it, &g, err);
    if (rc == 0)
        qsort(s->columns, s->ncolumns, sizeof s->columns[0], by_name);
    return rc;
}

void tsl_tfexample_reader_init(struct tsl_tfexample_reader *r,
                               const struct tsl_schema *schema)
{
    r->schema = schema;
}

void tsl_tfexample_reader_fini(struct tsl_tfexample_reader *r)
{
    for (size_t i = 0; i < TSL_COLUMNS_MAX; i++) {
        tsl_mem_free(r->data[i]);
        tsl_mem_free(r->lens[i]);
    }
    *r = (struct tsl_tfexample_reader){ 0 };
}

struct reading {
    struct tsl_tfexample_reader *r;
    const char *where;
    size_t next; /* the column that most likely comes now */
};

static int column_of(struct reading *g, struct tsl_slice key)
{
    const struct tsl_schema *s = g->r->schema;
    for (size_t k = 0; k < s->ncolumns; k++) {
        size_t i = (g->next + k) % s->ncolumns;
        if (strlen(s->columns[i].name) == key.len &&
            memcmp(s->columns[i].name, key.data, key.len) == 0) {
            g->next = i + 1;
            return (int)i;
        }
    }
    return -1;
}

/* The varints of [p, end) behind those that d holds; NULL if they are none. */
static int64_t *get_varints(int64_t *d, const uint8_t *p, const uint8_t *end)
{
    while (p < end) {
        uint64_t v = *p++;
        if (v >= 128) {
            v &= 127;
            for (unsigned shift = 7;; shift += 7) {
                if (p == end || shift > 63)
                    return NULL;
                uint8_t b = *p++;
                v |= (uint64_t)(b & 127) << shift;
                if (b < 128)
                    break;
            }
        }
        *d++ = (int64_t)v;
    }
    return d;
}

static int bad_list(const char *where, const char *name, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: feature %s: its values are damaged", where,
                       tsl_quote(name).s);
}

static int get_ints(struct tsl_tfexample_reader *r, int c, struct tsl_protobuf *list,
                    const char *where, struct tsl_err *err)
{
    const char *name = r->schema->columns[c].name;
    struct tsl_protobuf_field f;
    size_t n = 0;
    int rc;
    while ((rc = tsl_protobuf_next(list, &f, err)) == 1) {
        if (f.number != VALUES)
            continue;
        bool packed = f.wire == TSL_PROTOBUF_BYTES;
        if (!packed && f.wire != TSL_PROTOBUF_VARINT)
            return bad_list(where, name, err);
        rc = tsl_mem_grow(&r->data[c], &r->cap[c], n + (packed ? f.bytes.len : 0) + 1, 8,
                          "a feature", err);
        if (rc < 0)
            return rc;
        int64_t *d = (int64_t *)r->data[c] + n, *end = d + 1;
        if (packed)
            end = get_varints(d, f.bytes.data, f.bytes.data + f.bytes.len);
        else
            *d = (int64_t)f.value;
        if (!end)
            return bad_list(where, name, err);
        n += (size_t)(end - d);
    }
    r->values[c].n = (uint32_t)n;
    return rc;
}

static int get_floats(struct tsl_tfexample_reader *r, int c, struct tsl_protobuf *list,
                      const char *where, struct tsl_err *err)
{
    struct tsl_protobuf_field f;
    size_t n = 0;
    int rc;
    while ((rc = tsl_protobuf_next(list, &f, err)) == 1) {
        if (f.number != VALUES)
            continue;
        bool packed = f.wire == TSL_PROTOBUF_BYTES;
        if ((!packed && f.wire != TSL_PROTOBUF_32) || (packed && f.bytes.len % 4))
            return bad_list(where, r->schema->columns[c].name, err);
        size_t more = packed ? f.bytes.len / 4 : 1;
        rc = tsl_mem_grow(&r->data[c], &r->cap[c], n + more + 1, 4, "a feature", err);
        if (rc < 0)
            return rc;
        uint32_t *d = (uint32_t *)r->data[c] + n;
        if (!packed)
            *d = (uint32_t)f.value;
        for (size_t i = 0; packed && i < more; i++)
            d[i] = tsl_load32(f.bytes.data + 4 * i);
        n += more;
    }
    r->values[c].n = (uint32_t)n;
    return rc;
}

static int get_strings(struct tsl_tfexample_reader *r, int c, struct tsl_protobuf *list,
                       const char *where, struct tsl_err *err)
{
    struct tsl_protobuf_field f;
    size_t n = 0, bytes = 0;
    int rc;
    while ((rc = tsl_protobuf_next(list, &f, err)) == 1) {
        if (f.number != VALUES)
            continue;
        if (f.wire != TSL_PROTOBUF_BYTES)
            return bad_list(where, r->schema->columns[c].name, err);
        rc = tsl_mem_grow(&r->lens[c], &r->lens_cap[c], n + 1, sizeof(uint32_t),
                          "a feature", err);
        if (rc == 0)
            rc = tsl_mem_grow(&r->data[c], &r->cap[c], bytes + f.bytes.len + 1, 1,
                              "a feature", err);
        if (rc < 0)
            return rc;
        if (f.bytes.len)
            memcpy((uint8_t *)r->data[c] + bytes, f.bytes.data, f.bytes.len);
        bytes += f.bytes.len;
        r->lens[c][n++] = (uint32_t)f.bytes.len;
    }
    r->values[c].n = (uint32_t)n;
    return rc;
}

static int take_it(void *ctx, struct tsl_slice key, const struct tsl_protobuf *entry,
                   const struct tsl_protobuf_field *feature, struct tsl_err *err)
{
    static const char *const lists[] = { "no list", "bytes", "floats", "int64s" };
    struct reading *g = ctx;
    struct tsl_protobuf list;
    unsigned kind;
    int c = column_of(g, key);
    if (c < 0) {
        char name[TSL_COLUMN_NAME_MAX + 1] = "";
        memcpy(name, key.data, key.len < sizeof name ? key.len : sizeof name - 1);
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: feature %s: the first record has none of that name",
                           g->where, tsl_quote(name).s);
    }
    int rc = feature_list(entry, feature, &list, &kind, err);
    if (rc < 0)
        return rc;
    g->r->values[c].n = 0;
    if (kind == 0)
        return 0;
    enum tsl_dtype t = g->r->schema->columns[c].type;
    if (kind != kind_of(t))
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: feature %s has %s; in the first record it has %s",
                           g->where, tsl_quote(g->r->schema->columns[c].name).s,
                           lists[kind], lists[kind_of(t)]);
    switch (kind) {
    case BYTES_LIST: return get_strings(g->r, c, &list, g->where, err);
    case FLOAT_LIST: return get_floats(g->r, c, &list, g->where, err);
    default: return get_ints(g->r, c, &list, g->where, err);
    }
}

int tsl_tfexample_read(struct tsl_tfexample_reader *r, const uint8_t *p, size_t n,
                       const char *where, struct tsl_record *rec, struct tsl_err *err)
{
    struct reading g = { r, where, 0 };
    for (size_t i = 0; i < r->schema->ncolumns; i++)
        r->values[i].n = 0;
    int rc = read_features(p, n, where, take_it, &g, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < r->schema->ncolumns; i++) {
        r->values[i].data = r->data[i];
        r->values[i].lens = r->lens[i];
    }
    rec->values = r->values;
    return 0;
}

#include "record/tfexample.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
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

enum { FRONTS = 1024, FRONT_KEPT = sizeof((struct tsl_tfexample_front *)0)->bytes };

int tsl_tfexample_writer_init(struct tsl_tfexample_writer *w,
                              const struct tsl_schema *schema, struct tsl_err *err)
{
    w->fronts =
        tsl_mem_alloc(schema->ncolumns * FRONTS + 1, sizeof *w->fronts, "fronts", err);
    if (!w->fronts)
        return TSL_ENOMEM;
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
        key->kind = kind_of(schema->columns[i].type);
        key->put = tsl_varints_coder(schema->columns[i].type);
    }
    w->nlength = 2;
    return 0;
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

static uint8_t *put_strings(uint8_t *p, const struct tsl_value *v)
{
    const uint8_t *s = v->data;
    for (uint32_t i = 0; i < v->n; i++) {
        *p++ = VALUES << 3 | TSL_PROTOBUF_BYTES;
        p = tsl_varint_put(p, v->lens[i]);
        memcpy(p, s, v->lens[i]);
        p += v->lens[i];
        s += v->lens[i];
    }
    return p;
}

/* ---- lengths stand in front of what they measure, and are as short as they can be ---- */

/* The most that a column's values take. */
static size_t values_bound(enum tsl_dtype t, const struct tsl_value *v)
{
    size_t n = 0;
    if (kind_of(t) == INT64_LIST)
        return TSL_VARINT_BYTES * (size_t)v->n;
    if (kind_of(t) == FLOAT_LIST)
        return 4 * (size_t)v->n;
    for (uint32_t i = 0; i < v->n; i++)
        n += 1 + tsl_varint_bytes(v->lens[i]) + v->lens[i];
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
        for (unsigned n = tsl_varint_bytes(bytes); n--;)
            *--p =
                (uint8_t)(bytes >> 7 * n | (n + 1 == tsl_varint_bytes(bytes) ? 0 : 128));
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
    p -= key->n;
    memcpy(p, key->bytes + sizeof key->bytes - key->n, key->n);
    return front_of(p, ENTRY, (size_t)(values - p) + n);
}

/* The most that put_entry puts. */
enum { ENTRY_BYTES = 4 * (1 + TSL_VARINT_BYTES) + TSL_COLUMN_NAME_MAX + 2 };
size_t tsl_tfexample_bound(const struct tsl_tfexample_writer *w,
                           const struct tsl_record *rec)
{
    const struct tsl_schema *s = w->schema;
    size_t n = 1 + TSL_VARINT_BYTES;
    for (size_t i = 0; i < s->ncolumns; i++)
        n += ENTRY_BYTES + values_bound(s->columns[i].type, &rec->values[i]);
    return n;
}

void tsl_tfexample_writer_fini(struct tsl_tfexample_writer *w)
{
    tsl_mem_free(w->fronts);
    w->fronts = NULL;
}

/* n bytes of which a kept front has no more; without a call for the common ones. */
TSL_INLINE void copy_front(uint8_t *to, const uint8_t *from, size_t n)
{
    if (n >= 16) {
        memcpy(to, from, 16);
        memcpy(to + n - 16, from + n - 16, 16);
    } else {
        memcpy(to, from, n);
    }
}

/* Behind a gap at p of key->nfront bytes, values take n: what belongs in front of them goes
 * there, and they are moved where it takes another number of bytes.  Where they end. */
TSL_INLINE uint8_t *close_gap(struct tsl_tfexample_writer *w, size_t k, uint8_t *p,
                              size_t n)
{
    struct tsl_tfexample_key *key = &w->keys[k];
    struct tsl_tfexample_front *kept = n < FRONTS ? &w->fronts[k * FRONTS + n] : NULL;
    uint8_t own[ENTRY_BYTES], *front = kept ? kept->bytes : own;
    size_t nfront = kept ? kept->n : 0;
    if (nfront == 0) {
        front = put_entry(own + sizeof own, key, key->kind, n);
        nfront = (size_t)(own + sizeof own - front);
        if (kept && nfront <= FRONT_KEPT) {
            kept->n = (uint8_t)nfront;
            memcpy(kept->bytes, front, nfront);
        }
    }
    if (nfront != key->nfront) {
        memmove(p + nfront, p + key->nfront, n);
        key->nfront = nfront;
    }
    if (nfront <= FRONT_KEPT)
        copy_front(p, front, nfront);
    else
        memcpy(p, front, nfront);
    return p + nfront + n;
}

/* A column of one whole number. */
TSL_INLINE uint64_t number(enum tsl_dtype t, const void *p)
{
    uint16_t x;
    switch (t) {
    case TSL_BIT:
    case TSL_U8: return *(const uint8_t *)p;
    case TSL_I8: return (uint64_t) * (const int8_t *)p;
    case TSL_U16: return memcpy(&x, p, 2), x;
    case TSL_I16: return memcpy(&x, p, 2), (uint64_t)(int16_t)x;
    case TSL_U32: return tsl_load32(p);
    case TSL_I32: return (uint64_t)(int32_t)tsl_load32(p);
    default: return tsl_load64(p);
    }
}

TSL_INLINE uint8_t *put_values(const struct tsl_tfexample_key *key, enum tsl_dtype type,
                               const struct tsl_value *v, uint8_t *p)
{
    if (key->kind == INT64_LIST)
        return v->n == 1 ? tsl_varint_put(p, number(type, v->data))
                         : key->put(p, type, v->data, v->n);
    if (key->kind == BYTES_LIST)
        return put_strings(p, v);
    put_floats(p, type, v->data, v->n);
    return p + 4 * (size_t)v->n;
}

uint8_t *tsl_tfexample_write(struct tsl_tfexample_writer *w, const struct tsl_record *rec,
                             uint8_t *p)
{
    uint8_t *begin = p;
    p += 1 + w->nlength;
    for (size_t k = 0; k < w->schema->ncolumns; k++) {
        const struct tsl_tfexample_key *key = &w->keys[k];
        uint8_t *values = p + key->nfront;
        uint8_t *end = put_values(key, w->schema->columns[key->column].type,
                                  &rec->values[key->column], values);
        p = close_gap(w, k, p, (size_t)(end - values));
    }
    size_t features = (size_t)(p - begin) - 1 - w->nlength;
    size_t nlength = tsl_varint_bytes(features);
    if (nlength != w->nlength) {
        memmove(begin + 1 + nlength, begin + 1 + w->nlength, features);
        w->nlength = nlength;
    }
    uint8_t length[TSL_VARINT_BYTES];
    tsl_varint_put(length, features);
    *begin++ = FEATURES << 3 | TSL_PROTOBUF_BYTES;
    if (nlength == 2)
        memcpy(begin, length, 2);
    else
        memcpy(begin, length, nlength);
    return begin + nlength + features;
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

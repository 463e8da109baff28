#include "support/rectrip.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/test.h"

void rectrip_columns(struct tsl_schema *s, const char *types, const char *kinds)
{
    static const uint32_t dims[] = { 2, 3 };
    char text[200], name[40], *state = NULL;
    snprintf(text, sizeof text, "%s", types);
    for (char *t = strtok_r(text, " ", &state); t; t = strtok_r(NULL, " ", &state))
        for (const char *k = kinds; *k; k++) {
            snprintf(name, sizeof name, "%s_%c", t, *k);
            assert_ok(tsl_schema_add(s, name, (enum tsl_dtype)tsl_dtype_of(t), *k == 'l',
                                     *k == 'd' ? 2 : 0, dims, NULL),
                      NULL);
        }
}

static void put_number(uint8_t *p, enum tsl_dtype t, unsigned k)
{
    const uint16_t halves[] = { 0, 0x7bff, 0x8001 };
    const float floats[] = { 0, 0x1.fffffep127F, -0x1p-149F };
    const double doubles[] = { 0, 0x1.fffffffffffffp1023, -0x1p-1074 };
    size_t n = tsl_dtype_bytes(t);
    bool sign = t == TSL_I8 || t == TSL_I16 || t == TSL_I32 || t == TSL_I64;
    memset(p, k == 1 ? 0xff : 0, n);
    if (t == TSL_BIT)
        *p = k == 1;
    else if (t == TSL_F16)
        memcpy(p, &halves[k], n);
    else if (t == TSL_F32)
        memcpy(p, &floats[k], n);
    else if (t == TSL_F64)
        memcpy(p, &doubles[k], n);
    else if (sign && k)
        p[n - 1] = k == 1 ? 0x7f : 0x80;
}

static const char *corner_text(enum tsl_dtype t, unsigned k, uint32_t i)
{
    static const char *const strs[] = { "", "plain", "\"\\\n\t\x01/\x7f" };
    static const char *const others[] = { "", "\xf0\x9f\x98\x80", "\xc3\xa9 b\r" };
    static const char *const jsons[] = { "0", "{\"a\":[1,null,\"x\"]}", "[]" };
    return t == TSL_JSON ? jsons[k] : i ? others[k] : strs[k];
}

void rectrip_corner(struct recdata *r, const struct tsl_schema *s, unsigned k)
{
    if (k > 2) {
        recdata_record(r, s, k, 40);
        return;
    }
    *r = (struct recdata){ .ncolumns = s->ncolumns };
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        size_t size = tsl_dtype_bytes(c->type), len = 0;
        uint32_t n = c->count ? c->count : k ? 2 : 0;
        r->data[i] = malloc((n + 1) * (size ? size : 40));
        r->lens[i] = size ? NULL : malloc((n + 1) * sizeof(uint32_t));
        for (uint32_t v = 0; v < n; v++)
            if (size) {
                put_number(r->data[i] + v * size, c->type, k);
            } else {
                const char *text = corner_text(c->type, k, v);
                r->lens[i][v] = (uint32_t)strlen(text);
                memcpy(r->data[i] + len, text, strlen(text));
                len += strlen(text);
            }
        r->values[i] = (struct tsl_value){ r->data[i], r->lens[i], n };
    }
}

static int write_all(const struct rectrip *t, struct tsl_recwriter *w, const char *stem,
                     struct tsl_err *err)
{
    const struct tsl_recfile *files;
    const char *name = NULL;
    char *text = NULL;
    size_t nfiles, len;
    int rc = tsl_recwriter_begin(w, stem, err);
    for (size_t i = 0; rc == 0 && i < t->n; i++) {
        struct tsl_record rec = { t->head.first + i, t->records[i].values };
        rc = tsl_recwriter_put(w, &rec, err);
    }
    if (rc == 0)
        rc = tsl_recwriter_end(w, err);
    if (rc == 0)
        rc = tsl_recwriter_commit(w, &files, &nfiles, err);
    if (rc == 0)
        rc = tsl_recwriter_index(w, &name, &text, &len, err);
    if (rc == 0 && text)
        file_put(name, text, len);
    tsl_mem_free(text);
    return rc;
}

int rectrip_write(const struct rectrip *t, const char *stem, struct tsl_err *err)
{
    struct tsl_recwriter *w;
    int rc = tsl_recwriter_create(&w, &t->head, &t->opts, err);
    if (rc < 0)
        return rc;
    rc = write_all(t, w, stem, err);
    tsl_recwriter_destroy(w);
    return rc;
}

/* Touches each byte of the record; false: it is not record i. */
static bool is_record(const struct rectrip *t, const struct tsl_schema *s,
                      const struct tsl_record *rec, size_t i)
{
    volatile uint8_t seen = 0;
    for (size_t c = 0; c < s->ncolumns; c++) {
        const uint8_t *p = rec->values[c].data;
        for (uint64_t k = tsl_value_bytes(&s->columns[c], &rec->values[c]); k; k--)
            seen ^= *p++;
    }
    (void)seen;
    return i < t->n && s->ncolumns == t->head.schema.ncolumns &&
           recdata_equal(s, rec->values, t->records[i].values);
}

void rectrip_is_as(const struct rectrip *t, const char *path,
                   const struct tsl_recreader_opts *o, const struct tsl_schema *wanted)
{
    struct tsl_recreader_opts own = { .format = t->opts.format };
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    uint64_t n;
    int rc;
    assert_ok(tsl_recreader_open(&r, path, o ? o : &own, &err), &err);
    const struct tsl_rechead *h = tsl_recreader_head(r);
    for (size_t i = 0; i < wanted->ncolumns && i < h->schema.ncolumns; i++) {
        assert_string_equal(h->schema.columns[i].name, wanted->columns[i].name);
        assert_string_equal(tsl_dtype_name(h->schema.columns[i].type),
                            tsl_dtype_name(wanted->columns[i].type));
        assert_int_equal(h->schema.columns[i].count, wanted->columns[i].count);
    }
    assert_true(tsl_schema_equal(&h->schema, wanted));
    for (size_t i = 0; i < t->n; i++) {
        rc = tsl_recreader_next(r, &rec, &err);
        assert_ok(rc, &err);
        assert_int_equal(rc, 1);
        assert_int_equal(rec.number, h->first + i);
        if (!is_record(t, &h->schema, &rec, i))
            fail_msg("%s: record %zu is another", path, i);
    }
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0); /* and stays at the end */
    if (tsl_recreader_count(r, &n, NULL) == 0)
        assert_int_equal(n, t->n);
    for (size_t k = 0; k < t->n; k++) {
        size_t i = k * 7 % t->n;
        rc = tsl_recreader_at(r, i, &rec, &err);
        if (rc == TSL_EUSAGE) {
            err = (struct tsl_err){ 0 };
            break;
        }
        assert_ok(rc, &err);
        assert_int_equal(rec.number, h->first + i);
        assert_true(is_record(t, &h->schema, &rec, i));
        if (i + 1 < t->n && k < 20) { /* and next goes on behind it */
            assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
            assert_int_equal(rec.number, h->first + i + 1);
            assert_true(is_record(t, &h->schema, &rec, i + 1));
        }
    }
    assert_err(tsl_recreader_at(r, t->n, &rec, &err), TSL_EUSAGE, &err, "record");
    tsl_recreader_destroy(r);
}

void rectrip_is(const struct rectrip *t, const char *path,
                const struct tsl_recreader_opts *o)
{
    rectrip_is_as(t, path, o, &t->head.schema);
}

void rectrip_both(const struct rectrip *t, const char *path)
{
    struct tsl_err err = { 0 };
    assert_ok(rectrip_write(t, "a", &err), &err);
    rectrip_is(t, path, NULL);
}

/* ---- damage ---- */

/* What reading says: 0 and *same (how many records were as they are, until one was not). */
static int read_all(const struct rectrip *t, const char *path,
                    const struct tsl_recreader_opts *o, size_t *nsame, size_t *n,
                    struct tsl_err *err)
{
    struct tsl_recreader_opts own = { .format = t->opts.format, .memory = 1 << 20 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    *nsame = *n = 0;
    int rc = tsl_recreader_open(&r, path, o ? o : &own, err);
    if (rc < 0)
        return rc;
    const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
    bool same = true;
    while ((rc = tsl_recreader_next(r, &rec, err)) == 1 && *n < 100000) {
        same = is_record(t, s, &rec, *n) && same;
        *nsame += same;
        ++*n;
    }
    tsl_recreader_destroy(r);
    return rc;
}

static void read_damaged(const struct rectrip *t, const char *path,
                         const struct tsl_recreader_opts *o, enum rectrip_damage may,
                         const char *file, const char *what, size_t at)
{
    struct tsl_err err = { 0 };
    size_t nsame, n;
    int rc = read_all(t, path, o, &nsame, &n, &err);
    if (rc == 1)
        fail_msg("%s: %s %zu: there is no end of records", path, what, at);
    /* a name that is another is that of no file */
    if (rc < 0 && rc != TSL_EFORMAT && (rc != TSL_EIO || may != RECTRIP_OTHER))
        fail_msg("%s: %s %zu: it is no error of its format: %s", path, what, at, err.msg);
    if (rc < 0 && err.code != rc)
        fail_msg("%s: %s %zu: nothing is told", path, what, at);
    /* what is told may come behind records that are other: sums stand at the end */
    bool good = may == RECTRIP_OTHER || rc < 0 ||
                (nsame == n && (n == t->n || may == RECTRIP_PREFIX));
    if (!good)
        fail_msg("%s: %s %zu of %s was not noticed: %zu records, %zu as they were", path,
                 what, at, file, n, nsame);
}

/* Some file systems wait for the disk where a file is cut to nothing and written again. */
static void put_anew(const char *name, const uint8_t *p, size_t n)
{
    assert_int_equal(unlink(name), 0);
    file_put(name, p, n);
}

void rectrip_damage(const struct rectrip *t, const char *path,
                    const struct tsl_recreader_opts *o, const char *file,
                    enum rectrip_damage cut, enum rectrip_damage flip)
{
    enum { ALL = 600, MORE = 60 };
    size_t n;
    uint8_t *p = file_get(file, &n);
    size_t step = n > ALL ? (n - ALL) / MORE + 1 : 1;
    step *= test_thrift();
    assert_non_null(p);
    for (size_t k = 0; k < n; k += k < ALL ? test_thrift() : step) {
        put_anew(file, p, k);
        read_damaged(t, path, o, cut, file, "a cut at", k);
    }
    for (size_t k = 0; k < n; k += k < ALL ? test_thrift() : step) {
        /* a bit, another one, and all: texts become ill-formed, numbers large */
        const uint8_t changes[] = { (uint8_t)(1 << k % 8), (uint8_t)(1 << k * 5 / 8 % 8),
                                    0xff };
        for (size_t c = 0; c < 3; c++) {
            p[k] ^= changes[c];
            put_anew(file, p, n);
            read_damaged(t, path, o, flip, file, "a change at", k);
            p[k] ^= changes[c];
        }
    }
    put_anew(file, p, n);
    free(p);
}

/* ---- faults ---- */

struct run {
    const struct rectrip *t;
    const char *path;
};

static int run_write(void *ctx, struct tsl_err *err)
{
    const struct run *run = ctx;
    return rectrip_write(run->t, "a", err);
}

static int run_read(void *ctx, struct tsl_err *err)
{
    const struct run *run = ctx;
    size_t nsame, n;
    return read_all(run->t, run->path, NULL, &nsame, &n, err);
}

void rectrip_faults(const struct rectrip *t, const char *path)
{
    struct run run = { t, path };
    struct tsl_err err = { 0 };
    assert_true(folder_is_empty("."));
    fault_skip_syncs(true);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        fault_arm(nth, "open mkostemp fstat write pwritev fsync linkat rename");
        int rc = rectrip_write(t, "a", &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        if (rc == 0)
            fail_msg("%s: failure %u, of %s, was not told", path, nth, call);
        assert_err(rc, TSL_EIO, &err, "");
        if (!folder_is_empty("."))
            fail_msg("%s: failure %u, of %s, left files", path, nth, call);
    }
    fault_each_allocation(run_write, &run);
    rectrip_is(t, path, NULL);
    fault_each_allocation(run_read, &run);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        size_t nsame, n;
        fault_arm(nth, "open fstat read preadv");
        int rc = read_all(t, path, NULL, &nsame, &n, &err);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        if (rc == 0)
            fail_msg("%s: failure %u, of %s, was not told", path, nth, call);
        assert_err(rc, TSL_EIO, &err, "");
        assert_int_equal(nsame, n);
    }
    fault_skip_syncs(false);
}

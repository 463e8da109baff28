#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record/npyhead.h"
#include "support/fixture.h"
#include "support/rectrip.h"

static struct rectrip trip(const struct recdata *records, size_t n)
{
    return (struct rectrip){ .opts = { .format = "npy" }, .records = records, .n = n };
}

static void every_type_comes_back_with_its_schema(void **state)
{
    (void)state;
    struct recdata records[12];
    struct tsl_err err = { 0 };
    struct rectrip t = trip(records, 12);
    rectrip_columns(&t.head.schema, "u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64 bit",
                    "sld");
    assert_ok(tsl_schema_add(&t.head.schema, "\xc3\xa9.x y", TSL_U8, true, 0, NULL, NULL),
              NULL);
    for (unsigned k = 0; k < 12; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    struct tsl_recreader_opts o = { .format = "npy", .schema = &t.head.schema };
    assert_ok(rectrip_write(&t, "a", &err), &err);
    assert_int_equal(folder_count("."), 36 + 12 + 2);
    rectrip_is(&t, "a.*.npy", &o);
    for (unsigned k = 0; k < 12; k++)
        recdata_free(&records[k]);
    t.n = 0;
    assert_ok(rectrip_write(&t, "b", &err), &err);
    rectrip_is(&t, "b.*.npy", &o);
}

static void one_file_is_a_column_named_by_it(void **state)
{
    (void)state;
    struct recdata records[5];
    struct rectrip t = trip(records, 5);
    rectrip_columns(&t.head.schema, "i16", "d");
    for (unsigned k = 0; k < 5; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    rectrip_both(&t, "a.i16_d.npy");
    assert_int_equal(rename("a.i16_d.npy", "b"), 0);
    strcpy(t.head.schema.columns[0].name, "data");
    rectrip_is(&t, "b", NULL);
    for (unsigned k = 0; k < 5; k++)
        recdata_free(&records[k]);
}

/* The values of a fixture, row by row, as one text. */
static void holds(const char *name, enum tsl_dtype type, uint32_t count, const void *want,
                  size_t bytes)
{
    struct tsl_recreader_opts o = { .format = "npy" };
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    char path[80];
    size_t n, at = 0;
    int rc;
    snprintf(path, sizeof path, "formats/npy/%s", name);
    uint8_t *p = fixture_get(path, &n);
    file_put(name, p, n);
    free(p);
    assert_ok(tsl_recreader_open(&r, name, &o, &err), &err);
    const struct tsl_column *c = &tsl_recreader_head(r)->schema.columns[0];
    assert_int_equal(c->type, type);
    assert_int_equal(c->count, count);
    while ((rc = tsl_recreader_next(r, &rec, &err)) == 1) {
        size_t k = (size_t)tsl_value_bytes(c, rec.values);
        assert_true(at + k <= bytes);
        assert_memory_equal(rec.values[0].data, (const uint8_t *)want + at, k);
        at += k;
    }
    assert_ok(rc, &err);
    assert_int_equal(at, bytes);
    tsl_recreader_destroy(r);
}

static void arrays_of_numpy_are_read_in_any_order(void **state)
{
    (void)state;
    size_t n;
    uint8_t *p;
    p = fixture_get("formats/npy/u16_1d.npy", &n); /* version 1, 128 bytes of head */
    holds("u16_1d.npy", TSL_U16, 1, p + 128, n - 128);
    free(p);
    p = fixture_get("formats/npy/be_i4.npy", &n);
    for (size_t i = 128; i < n; i += 4) {
        uint8_t a = p[i], b = p[i + 1];
        p[i] = p[i + 3];
        p[i + 1] = p[i + 2];
        p[i + 2] = b;
        p[i + 3] = a;
    }
    holds("be_i4.npy", TSL_I32, 1, p + 128, n - 128);
    free(p);
    p = fixture_get("formats/npy/i64_fortran.npy", &n);
    struct tsl_npyhead h;
    assert_ok(tsl_npyhead_read(&h, p, n, "x", NULL), NULL);
    assert_int_equal(h.ndims, 2);
    uint64_t rows = h.dims[0], columns = h.dims[1];
    uint8_t *turned = malloc(n);
    for (uint64_t r = 0; r < rows; r++)
        for (uint64_t c = 0; c < columns; c++)
            memcpy(turned + 8 * (r * columns + c), p + h.bytes + 8 * (c * rows + r), 8);
    holds("i64_fortran.npy", TSL_I64, (uint32_t)columns, turned, n - h.bytes);
    free(turned);
    free(p);
}

static void strings_are_refused_and_so_are_pipes(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct rectrip t = trip(NULL, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "s", TSL_STR, false, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "column s: .npy has no");
    t.head.schema.ncolumns = 0;
    assert_ok(tsl_schema_add(&t.head.schema, "a/b", TSL_U8, false, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "column a/b: no name");
    assert_err(rectrip_write(&t, NULL, &err), TSL_EUSAGE, &err, "need a folder");
    t.opts.zstd_level = 3;
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "not compressed");
    assert_true(folder_is_empty("."));
}

static void two_columns_do_not_share_a_file(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct rectrip t = trip(NULL, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "x.ends", TSL_U64, false, 0, NULL, NULL),
              NULL);
    assert_ok(tsl_schema_add(&t.head.schema, "x", TSL_U8, true, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err,
               "column x.ends: its file is that of column x");
    assert_true(folder_is_empty("."));
}

static void shapes_that_are_no_records_are_told_by_name(void **state)
{
    (void)state;
    static const struct {
        unsigned ndims;
        uint64_t dims[6];
        const char *told;
    } cases[] = {
        { 2, { 3, 0 }, "x.npy: column data: its dimensions" },
        { 6, { 0, 1, 1, 1, 1, 1 }, "x.npy: 6 dimensions" },
        { 2, { 0, UINT64_C(1) << 33 }, "x.npy: a dimension above 2^32" },
        { 2, { 0, 1 << 30 }, "x.npy: column data: its dimensions" },
        { 3, { UINT64_C(1) << 62, 4, 4 }, "x.npy: " },
        { 1, { UINT64_MAX }, "x.npy: " },
        { 1, { UINT64_C(1) << 61 }, "x.npy: " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t head[TSL_NPY_HEAD_BYTES];
        struct tsl_recreader_opts o = { .format = "npy" };
        struct tsl_recreader *r;
        struct tsl_err err = { 0 };
        tsl_npyhead_write(head, TSL_U64, cases[i].ndims, cases[i].dims);
        file_put("x.npy", head, sizeof head);
        assert_err(tsl_recreader_open(&r, "x.npy", &o, &err), TSL_EFORMAT, &err,
                   cases[i].told);
    }
}

static struct rectrip small(struct recdata records[3])
{
    struct rectrip t = trip(records, 3);
    rectrip_columns(&t.head.schema, "u16", "l");
    rectrip_columns(&t.head.schema, "u8", "s");
    for (unsigned k = 0; k < 3; k++)
        rectrip_corner(&records[k], &t.head.schema, k + 3);
    return t;
}

static void a_shard_that_does_not_fit_its_schema_is_refused(void **state)
{
    (void)state;
    struct recdata records[3];
    struct tsl_err err = { 0 };
    struct rectrip t = small(records);
    struct tsl_schema other = t.head.schema;
    struct tsl_recreader_opts o = { .format = "npy", .schema = &other };
    struct tsl_recreader *r;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    other.columns[1].type = TSL_I8;
    assert_err(tsl_recreader_open(&r, "a.*.npy", &o, &err), TSL_EFORMAT, &err,
               "a.u8_s.npy: its type or shape");
    other = t.head.schema;
    other.columns[0].count = 2;
    assert_err(tsl_recreader_open(&r, "a.*.npy", &o, &err), TSL_EFORMAT, &err,
               "a.u16_l.npy: ");
    o.schema = NULL;
    assert_err(tsl_recreader_open(&r, "a.*.npy", &o, &err), TSL_EUSAGE, &err,
               "manifest.json");
    o.schema = &t.head.schema;
    t.n = 2;
    assert_ok(rectrip_write(&t, "b", &err), &err);
    assert_int_equal(rename("b.u8_s.npy", "a.u8_s.npy"), 0);
    assert_err(tsl_recreader_open(&r, "a.*.npy", &o, &err), TSL_EFORMAT, &err,
               "a.u8_s.npy: 2 rows, but a.u16_l.npy has 3");
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

static void damage_does_no_harm(void **state)
{
    (void)state;
    struct recdata records[3];
    struct tsl_err err = { 0 };
    struct rectrip t = small(records);
    struct tsl_recreader_opts o = { .format = "npy",
                                    .schema = &t.head.schema,
                                    .memory = 1 << 20 };
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_damage(&t, "a.*.npy", &o, "a.u16_l.npy", RECTRIP_SAME, RECTRIP_OTHER);
    rectrip_damage(&t, "a.*.npy", &o, "a.u16_l.ends.npy", RECTRIP_SAME, RECTRIP_OTHER);
    rectrip_damage(&t, "a.*.npy", &o, "a.u8_s.npy", RECTRIP_SAME, RECTRIP_OTHER);
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct recdata records[3];
    struct rectrip t = trip(records, 3);
    rectrip_columns(&t.head.schema, "u16", "d");
    for (unsigned k = 0; k < 3; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    rectrip_faults(&t, "a.u16_d.npy");
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_comes_back_with_its_schema),
        TEST(one_file_is_a_column_named_by_it),
        TEST(arrays_of_numpy_are_read_in_any_order),
        TEST(strings_are_refused_and_so_are_pipes),
        TEST(two_columns_do_not_share_a_file),
        TEST(shapes_that_are_no_records_are_told_by_name),
        TEST(a_shard_that_does_not_fit_its_schema_is_refused),
        TEST(damage_does_no_harm),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/tar.h"
#include "support/rectrip.h"

static struct rectrip trip(const struct recdata *records, size_t n)
{
    return (
        struct rectrip){ .opts = { .format = "webdataset" }, .records = records, .n = n };
}

/* Columns of one dimension come back as lists, unless the schema is known. */
static void every_type_comes_back(void **state)
{
    (void)state;
    struct recdata records[12];
    struct tsl_err err = { 0 };
    struct rectrip t = trip(records, 12);
    rectrip_columns(&t.head.schema, "u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64 bit",
                    "sld");
    rectrip_columns(&t.head.schema, "bytes str json", "s");
    for (unsigned k = 0; k < 12; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    for (int gzip = 0; gzip < 2; gzip++) {
        t.opts.gzip = gzip;
        rectrip_both(&t, gzip ? "a.tar.gz" : "a.tar");
    }
    struct tsl_recreader_opts o = { .format = "webdataset", .schema = &t.head.schema };
    rectrip_is(&t, "a.tar", &o);
    for (unsigned k = 0; k < 12; k++)
        recdata_free(&records[k]);
    t.n = 0;
    assert_ok(rectrip_write(&t, "b", &err), &err);
    rectrip_is(&t, "b.tar.gz", &o);
}

static void names_of_any_letters_come_back_in_a_set(void **state)
{
    (void)state;
    static const char *const names[] = { "Label",  "\xc3\x84.Txt", "a.npy", "npz", "cls",
                                         "x.json", "__meta__",     "A b",   "txt" };
    struct recdata records[4];
    struct tsl_err err = { 0 };
    struct rectrip t = trip(records, 4);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_ok(tsl_schema_add(&t.head.schema, names[i], i % 2 ? TSL_STR : TSL_BYTES,
                                 false, 0, NULL, NULL),
                  NULL);
    assert_ok(tsl_schema_add(&t.head.schema, "Ids/x", TSL_U16, true, 0, NULL, NULL),
              NULL);
    for (unsigned k = 0; k < 4; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    struct tsl_recreader_opts o = { .format = "webdataset", .schema = &t.head.schema };
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_is(&t, "a.tar", &o);
    for (unsigned k = 0; k < 4; k++)
        recdata_free(&records[k]);
}

static void what_an_archive_cannot_hold_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct rectrip t = trip(NULL, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "s", TSL_STR, true, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "column s: a file");
    t.head.schema.ncolumns = 0;
    assert_ok(tsl_schema_add(&t.head.schema, "a/b", TSL_STR, false, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "column a/b: a file");
    t.opts.zstd_level = 1;
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "gzip, not by zstd");
    t = trip(NULL, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "Label", TSL_STR, false, 0, NULL, NULL),
              NULL);
    assert_ok(tsl_schema_add(&t.head.schema, "lABEL", TSL_STR, false, 0, NULL, NULL),
              NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err,
               "column lABEL: of names that differ by capital letters alone");
    assert_true(folder_is_empty("."));
}

/* An archive of files: name, bytes, name, bytes, ..., NULL. */
static void archive(const char *const *files)
{
    uint8_t *p = calloc(64, 1024);
    size_t n = 0;
    for (; *files; files += 2) {
        size_t len = strlen(files[1]);
        assert_ok(tsl_tar_head(p + n, files[0], len, NULL), NULL);
        memcpy(p + n + TSL_TAR_BLOCK, files[1], len);
        n += TSL_TAR_BLOCK + len + tsl_tar_padding(len);
    }
    file_put("x.tar", p, n + 1024);
    free(p);
}

static void samples_are_files_of_one_name_up_to_the_first_dot(void **state)
{
    (void)state;
    static const char *const files[] = {
        "d/__index__",  "x", "d/a.TXT", "one", "d/a.cls", "-7\n", "d/a.left.jpg", "ab",
        "nodot",        "z", "d/b.cls", "12",  "d/b.txt", "two",  "e/b.cls",      "3",
        "e/b.left.jpg", "",  NULL
    };
    struct tsl_recreader_opts o = { .memory = 1 << 20 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    archive(files);
    assert_ok(tsl_recreader_open(&r, "x.tar", &o, &err), &err);
    assert_string_equal(tsl_recreader_format(r), "webdataset");
    const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
    assert_int_equal(s->ncolumns, 3);
    assert_string_equal(s->columns[0].name, "txt");
    assert_int_equal(s->columns[0].type, TSL_STR);
    assert_int_equal(s->columns[1].type, TSL_I64);
    assert_string_equal(s->columns[2].name, "left.jpg");
    static const int64_t numbers[] = { -7, 12, 3 };
    static const char *const texts[] = { "one", "two", "" }, *const left[] = { "ab", "",
                                                                               "" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
        assert_int_equal(*(const int64_t *)rec.values[1].data, numbers[i]);
        assert_int_equal(rec.values[0].lens[0], strlen(texts[i]));
        assert_memory_equal(rec.values[0].data, texts[i], strlen(texts[i]));
        assert_int_equal(rec.values[2].lens[0], strlen(left[i]));
    }
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0);
    tsl_recreader_destroy(r);
}

static void samples_that_do_not_agree_are_told_with_their_key(void **state)
{
    (void)state;
    static const struct {
        const char *files[9], *told;
        int at;
    } cases[] = {
        { { "a.txt", "1", "a.txt", "2", NULL },
          "x.tar: sample 0 (a): a field that comes",
          0 },
        { { "a.txt", "1", "b.txt", "1", "b.bin", "2", NULL },
          "x.tar: sample 1 (b): its",
          2 },
        { { "a.cls", "1", "b.txt", "1", NULL }, "x.tar: sample 1 (b): its fields", 2 },
        { { "a.cls", "1", "a.bin", "", "b.bin", "", NULL },
          "x.tar: sample 1 (b): a number that the first sample has is missing",
          2 },
        { { "a.cls", "x", NULL }, "no whole number", 0 },
        { { "a.cls", "", NULL }, "no whole number", 0 },
        { { "a.cls", "99999999999999999999", NULL }, "no whole number", 0 },
        { { "a.npy", "\x93NUMPY", NULL }, "x.tar: sample 0 (a): ", 0 },
        { { "a.npz", "PK", NULL }, "x.tar: sample 0 (a): ", 0 },
        { { "a.\xff", "1", NULL }, "x.tar: sample 0 (a): ", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tsl_recreader_opts o = { .format = "webdataset", .memory = 1 << 20 };
        struct tsl_recreader *r;
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        archive(cases[i].files);
        int rc = tsl_recreader_open(&r, "x.tar", &o, &err);
        if (cases[i].at) {
            assert_ok(rc, &err);
            for (int k = 0; k < cases[i].at; k++)
                rc = tsl_recreader_next(r, &rec, &err);
            tsl_recreader_destroy(r);
        }
        assert_err(rc, TSL_EFORMAT, &err, cases[i].told);
    }
}

static struct rectrip small(struct recdata records[3])
{
    struct rectrip t = trip(records, 3);
    rectrip_columns(&t.head.schema, "u16", "ls");
    rectrip_columns(&t.head.schema, "str", "s");
    for (unsigned k = 0; k < 3; k++)
        rectrip_corner(&records[k], &t.head.schema, k + 3);
    return t;
}

static void damage_does_no_harm(void **state)
{
    (void)state;
    struct recdata records[3];
    struct tsl_err err = { 0 };
    struct rectrip t = small(records);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    struct tsl_recreader_opts o = { .format = "webdataset",
                                    .schema = &t.head.schema,
                                    .memory = 1 << 20 };
    /* a sample cut between its files lacks strings: so its last one may be another */
    rectrip_damage(&t, "a.tar", &o, "a.tar", RECTRIP_OTHER, RECTRIP_OTHER);
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct recdata records[3];
    struct rectrip t = small(records);
    rectrip_faults(&t, "a.tar");
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_comes_back),
        TEST(names_of_any_letters_come_back_in_a_set),
        TEST(what_an_archive_cannot_hold_is_refused),
        TEST(samples_are_files_of_one_name_up_to_the_first_dot),
        TEST(samples_that_do_not_agree_are_told_with_their_key),
        TEST(damage_does_no_harm),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

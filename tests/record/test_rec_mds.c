#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endian.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "support/rectrip.h"

#define STRINGS "bytes str json"

static struct rectrip trip(const struct recdata *records, size_t n, int level)
{
    return (struct rectrip){ .opts = { .format = "mds", .zstd_level = level },
                             .records = records,
                             .n = n };
}

/* What is written comes by name, so columns come back in another order: names in order are
 * given. */
static void mds_columns(struct tsl_schema *s)
{
    rectrip_columns(s, "bytes", "s");
    rectrip_columns(s, "f16", "dls");
    rectrip_columns(s, "i64", "dls");
    rectrip_columns(s, "json str", "s");
    rectrip_columns(s, "u16 u32", "l");
    rectrip_columns(s, "u8", "s");
    assert_ok(tsl_schema_add(s, "\xc3\xa9t\xc3\xa9 \"1\"", TSL_F64, false, 0, NULL, NULL),
              NULL);
}

static void every_type_comes_back(void **state)
{
    (void)state;
    struct recdata records[12];
    for (int level = 0; level < 2; level++) {
        struct rectrip t = trip(records, 12, level ? 3 : 0);
        mds_columns(&t.head.schema);
        for (unsigned k = 0; k < 12; k++) {
            unsigned seed = k + 1;
            do { /* an empty list is what MDS cannot hold */
                rectrip_corner(&records[k], &t.head.schema, seed);
                seed += 100;
                bool any = false;
                for (size_t i = 0; i < t.head.schema.ncolumns; i++)
                    any |= records[k].values[i].n == 0;
                if (!any)
                    break;
                recdata_free(&records[k]);
            } while (true);
        }
        rectrip_both(&t, level ? "a.mds.zstd" : "a.mds");
        rectrip_is(&t, "index.json", NULL);
        rectrip_is(&t, ".", NULL);
        for (unsigned k = 0; k < 12; k++)
            recdata_free(&records[k]);
    }
}

static void columns_are_written_by_name(void **state)
{
    (void)state;
    const uint16_t ids[] = { 1, 2 };
    const uint8_t one = 7;
    uint8_t *p;
    size_t n;
    struct tsl_err err = { 0 };
    struct recdata r = { .ncolumns = 2,
                         .values = { { ids, NULL, 2 }, { &one, NULL, 1 } } };
    struct rectrip t = trip(&r, 1, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "b", TSL_U16, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&t.head.schema, "a", TSL_U8, false, 0, NULL, NULL), NULL);
    assert_ok(rectrip_write(&t, "s", &err), &err);
    p = file_get("s.mds", &n);
    assert_int_equal(tsl_load32(p), 1);
    size_t first = tsl_load32(p + 4);
    /* u32 size of b; a; b: one dimension of one byte, 2, and its values */
    assert_int_equal(n - first, 4 + 1 + 6);
    assert_int_equal(tsl_load32(p + 8), n);
    assert_memory_equal(p + first, "\6\0\0\0\7\4\2\1\0\2\0", 11);
    free(p);
}

/* Reads a fixture, writes it, and the shard's samples are the same bytes. */
static void what_streaming_wrote_is_written_again_with_the_same_samples(void **state)
{
    (void)state;
    static const char *const sets[] = { "llmfoundry_tokens_i32" };
    for (size_t k = 0; k < 1; k++) {
        struct tsl_recreader_opts ro = { .format = "mds" };
        struct tsl_recwriter_opts wo = { .format = "mds" };
        struct tsl_recreader *r;
        struct tsl_recwriter *w;
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        const struct tsl_recfile *files;
        size_t n, m, nfiles;
        char name[80];
        int rc;
        snprintf(name, sizeof name, "formats/mds/%s/shard.00000.mds", sets[k]);
        uint8_t *p = fixture_get(name, &n);
        file_put("x.mds", p, n);
        assert_ok(tsl_recreader_open(&r, "x.mds", &ro, &err), &err);
        rc = tsl_recwriter_create(&w, tsl_recreader_head(r), &wo, &err);
        assert_ok(rc, &err);
        assert_ok(tsl_recwriter_begin(w, "y", &err), &err);
        while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
            assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
        assert_ok(rc, &err);
        assert_ok(tsl_recwriter_end(w, &err), &err);
        assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
        tsl_recwriter_destroy(w);
        tsl_recreader_destroy(r);
        uint8_t *q = file_get("y.mds", &m);
        size_t a = tsl_load32(p + 4), b = tsl_load32(q + 4);
        assert_int_equal(tsl_load32(p), tsl_load32(q));
        assert_int_equal(n - a, m - b);
        assert_memory_equal(p + a, q + b, n - a);
        free(p);
        free(q);
    }
}

static void lists_of_no_values_are_refused_with_their_names(void **state)
{
    (void)state;
    struct recdata r;
    struct tsl_err err = { 0 };
    struct rectrip t = trip(&r, 1, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "ids", TSL_U16, true, 0, NULL, NULL), NULL);
    rectrip_corner(&r, &t.head.schema, 0);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err,
               "record 0: column ids is empty");
    recdata_free(&r);
    assert_true(folder_is_empty("."));
}

static void what_mds_cannot_hold_is_refused_before_a_file_is_opened(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct rectrip t = trip(NULL, 0, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "s", TSL_STR, true, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err,
               "column s: MDS has no list");
    t.head.schema.ncolumns = 0;
    assert_ok(tsl_schema_add(&t.head.schema, "s", TSL_STR, false, 0, NULL, NULL), NULL);
    t.opts.gzip = true;
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "not by gzip");
    t.opts.gzip = false;
    assert_err(rectrip_write(&t, NULL, &err), TSL_EUSAGE, &err, "need a folder");
    assert_true(folder_is_empty("."));
}

static void a_shard_beyond_half_of_the_memory_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct recdata r = { .ncolumns = 1 };
    uint32_t len = 70000;
    uint8_t *p = calloc(len, 1);
    r.values[0] = (struct tsl_value){ p, &len, 1 };
    struct rectrip t = trip(&r, 1, 0);
    t.opts.memory = 128 << 10;
    assert_ok(tsl_schema_add(&t.head.schema, "s", TSL_BYTES, false, 0, NULL, NULL), NULL);
    assert_err(rectrip_write(&t, "a", &err), TSL_EUSAGE, &err, "half of it (65536)");
    t.opts.memory = 256 << 10;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    free(p);
}

static void a_set_without_records_has_an_index(void **state)
{
    (void)state;
    struct rectrip t = trip(NULL, 0, 0);
    assert_ok(tsl_schema_add(&t.head.schema, "s", TSL_STR, false, 0, NULL, NULL), NULL);
    struct tsl_err err = { 0 };
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_is(&t, "index.json", NULL);
}

/* One shard of three records in two columns. */
static struct rectrip small(struct recdata records[3], int level)
{
    struct rectrip t = trip(records, 3, level);
    rectrip_columns(&t.head.schema, "str", "s");
    rectrip_columns(&t.head.schema, "u16", "l");
    for (unsigned k = 0; k < 3; k++) {
        unsigned seed = 3 + k;
        for (;; seed += 10) {
            rectrip_corner(&records[k], &t.head.schema, seed);
            if (records[k].values[1].n)
                break;
            recdata_free(&records[k]);
        }
    }
    return t;
}

static void damage_is_found_by_the_index(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    for (int level = 0; level < 2; level++) {
        struct recdata records[3];
        struct rectrip t = small(records, level);
        assert_ok(rectrip_write(&t, "a", &err), &err);
        const char *file = level ? "a.mds.zstd" : "a.mds";
        rectrip_damage(&t, "index.json", NULL, file, RECTRIP_SAME, RECTRIP_SAME);
        rectrip_damage(&t, file, NULL, file, RECTRIP_SAME, RECTRIP_OTHER);
        rectrip_damage(&t, "index.json", NULL, "index.json", RECTRIP_SAME, RECTRIP_OTHER);
        for (size_t i = 0; i < 3; i++)
            recdata_free(&records[i]);
    }
}

static void a_packed_shard_is_compared_as_it_lies(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct recdata records[3];
    struct rectrip t = small(records, 1);
    struct tsl_recreader_opts o = { .no_check = false };
    struct tsl_recreader *r;
    struct tsl_record rec;
    size_t n;
    int rc;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    uint8_t *p = file_get("a.mds.zstd", &n);
    /* an empty frame behind it has no samples */
    p = realloc(p, n + 9);
    memcpy(p + n, "\x28\xb5\x2f\xfd\x20\x00\x01\x00\x00", 9);
    file_put("a.mds.zstd", p, n + 9);
    free(p);
    for (int check = 0; check < 2; check++) {
        o.no_check = !check;
        assert_ok(tsl_recreader_open(&r, "index.json", &o, &err), &err);
        while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
            ;
        if (check)
            assert_err(rc, TSL_EFORMAT, &err, "as it lies");
        else
            assert_ok(rc, &err);
        tsl_recreader_destroy(r);
    }
    for (size_t i = 0; i < 3; i++)
        recdata_free(&records[i]);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    for (int level = 0; level < 2; level++) {
        struct recdata records[3];
        struct rectrip t = small(records, level);
        assert_int_equal(mkdir(level ? "1" : "0", 0700), 0);
        assert_int_equal(chdir(level ? "1" : "0"), 0);
        rectrip_faults(&t, level ? "a.mds.zstd" : "a.mds");
        assert_int_equal(chdir(".."), 0);
        for (size_t i = 0; i < 3; i++)
            recdata_free(&records[i]);
    }
}

static int open_index(const char *shards, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .format = "mds" };
    struct tsl_recreader *r;
    char text[1000];
    snprintf(text, sizeof text, "{\"version\": 2, \"shards\": [%s]}", shards);
    file_put_text("index.json", text);
    int rc = tsl_recreader_open(&r, "index.json", &o, err);
    if (rc == 0)
        tsl_recreader_destroy(r);
    return rc;
}

static void an_index_that_is_wrong_says_where(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
#define COLUMNS(n, e) "\"column_names\": [" n "], \"column_encodings\": [" e "]"
#define SHARD(columns, base)                                                             \
    "{" columns ", \"format\": \"mds\", \"samples\": 1, \"zip_data\": null, "            \
    "\"raw_data\": {\"basename\": \"" base "\", \"bytes\": 9, \"hashes\": {}}}"
    static const struct {
        const char *shards, *told;
        int rc;
    } cases[] = {
        { SHARD(COLUMNS("\"a\"", "\"int\""), "../x"), "outside of the folder",
          TSL_EFORMAT },
        { SHARD(COLUMNS("\"a\"", "\"int\""), "/x"), "outside of the folder",
          TSL_EFORMAT },
        { SHARD(COLUMNS("\"a\"", "\"pkl\""), "x"),
          "index.json: shard 0: column a is pick", TSL_EUSAGE },
        { SHARD(COLUMNS("\"a\"", "\"ndarray:int16:0\""), "x"),
          "index.json: shard 0: column a: unknown encoding", TSL_EFORMAT },
        { SHARD(COLUMNS("\"a\"", "\"ndarray:int16:70000,70000\""), "x"),
          "index.json: shard 0: column a: its dimensions", TSL_EFORMAT },
        { SHARD(COLUMNS("\"a\", \"a\"", "\"int\", \"str\""), "x"),
          "index.json: shard 0: a second column a", TSL_EFORMAT },
        { SHARD(COLUMNS("\"\"", "\"int\""), "x"), "index.json: shard 0:", TSL_EFORMAT },
        { SHARD(COLUMNS("", ""), "x"), "not two arrays", TSL_EFORMAT },
        { SHARD(COLUMNS("\"a\"", "\"int\", \"int\""), "x"), "not two arrays",
          TSL_EFORMAT },
        { "{}", "not two arrays", TSL_EFORMAT },
        { "7", "not two arrays", TSL_EFORMAT },
        { SHARD(COLUMNS("\"a\"", "\"int\""), "x") "," SHARD(COLUMNS("\"b\"", "\"int\""),
                                                            "y"),
          "shard 1: its columns are not those of shard 0", TSL_EFORMAT },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_err(open_index(cases[i].shards, &err), cases[i].rc, &err, cases[i].told);
    assert_ok(open_index(SHARD(COLUMNS("\"a\"", "\"int\""), "x"), &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_comes_back),
        TEST(columns_are_written_by_name),
        TEST(what_streaming_wrote_is_written_again_with_the_same_samples),
        TEST(lists_of_no_values_are_refused_with_their_names),
        TEST(what_mds_cannot_hold_is_refused_before_a_file_is_opened),
        TEST(a_shard_beyond_half_of_the_memory_is_refused),
        TEST(a_set_without_records_has_an_index),
        TEST(damage_is_found_by_the_index),
        TEST(a_packed_shard_is_compared_as_it_lies),
        TEST(any_failure_is_told_and_leaves_nothing),
        TEST(an_index_that_is_wrong_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

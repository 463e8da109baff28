#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/rectrip.h"

static struct rectrip trip(const struct recdata *records, size_t n)
{
    return (struct rectrip){ .opts = { .format = "jsonl" }, .records = records, .n = n };
}

static void every_type_comes_back_with_its_schema(void **state)
{
    (void)state;
    struct recdata records[12];
    struct tsl_err err = { 0 };
    static const char *const files[] = { "a.jsonl", "a.jsonl.zst", "a.jsonl.gz" };
    struct rectrip t = trip(records, 12);
    rectrip_columns(&t.head.schema, "u8 i8 u16 i16 u32 i32 i64 f16 f32 f64 bit", "sld");
    rectrip_columns(&t.head.schema, "bytes str", "sld");
    assert_ok(
        tsl_schema_add(&t.head.schema, "\xc3\xa9\" \\", TSL_STR, false, 0, NULL, NULL),
        NULL);
    for (unsigned k = 0; k < 12; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    struct tsl_recreader_opts o = { .format = "jsonl", .schema = &t.head.schema };
    for (int i = 0; i < 3; i++) {
        t.opts.zstd_level = i == 1 ? 3 : 0;
        t.opts.gzip = i == 2;
        assert_ok(rectrip_write(&t, "a", &err), &err);
        rectrip_is(&t, files[i], &o);
    }
    for (unsigned k = 0; k < 12; k++)
        recdata_free(&records[k]);
    t.head.schema.ncolumns = 0;
    t.opts.gzip = false;
    t.n = 3;
    rectrip_columns(&t.head.schema, "json", "sld");
    for (unsigned k = 0; k < 3; k++)
        rectrip_corner(&records[k], &t.head.schema, k);
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_is(&t, "a.jsonl", &o);
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
    t.n = 0;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_is(&t, "a.jsonl", &o);
}

static int open_text(const char *text, const struct tsl_schema *schema,
                     struct tsl_recreader **r, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .format = "jsonl",
                                    .schema = schema,
                                    .memory = 1 << 20 };
    file_put_text("x.jsonl", text);
    return tsl_recreader_open(r, "x.jsonl", &o, err);
}

static void columns_are_those_of_the_first_line(void **state)
{
    (void)state;
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    assert_ok(
        open_text("\n  \r\n{\"i\":-3,\"f\":2.0,\"b\":true,\"s\":\"a\\u0000b\",\"n\":null,"
                  "\"x\":{\"base64\":\"AP8=\"},\"e\":[],\"is\":[1,2],\"fs\":[1,2.5],"
                  "\"ss\":[\"\",\"q\"],\"m\":[1,\"a\"],\"o\":{\"k\": 1}}\r\n\n"
                  "{\"o\":1,\"i\":4,\"f\":3,\"b\":false,\"s\":\"\",\"n\":[1],"
                  "\"x\":{\"base64\":\"\"}}",
                  NULL, &r, &err),
        &err);
    static const struct {
        const char *name;
        enum tsl_dtype type;
        uint32_t count;
    } want[] = { { "i", TSL_I64, 1 },  { "f", TSL_F64, 1 },  { "b", TSL_BIT, 1 },
                 { "s", TSL_STR, 1 },  { "n", TSL_JSON, 1 }, { "x", TSL_BYTES, 1 },
                 { "e", TSL_I64, 0 },  { "is", TSL_I64, 0 }, { "fs", TSL_F64, 0 },
                 { "ss", TSL_STR, 0 }, { "m", TSL_JSON, 0 }, { "o", TSL_JSON, 1 } };
    const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
    assert_int_equal(s->ncolumns, 12);
    for (size_t i = 0; i < 12; i++) {
        assert_string_equal(s->columns[i].name, want[i].name);
        assert_int_equal(s->columns[i].type, want[i].type);
        assert_int_equal(s->columns[i].count, want[i].count);
    }
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
    assert_int_equal(rec.values[3].lens[0], 3);
    assert_memory_equal(rec.values[3].data, "a\0b", 3);
    assert_int_equal(rec.values[5].lens[0], 2);
    assert_memory_equal(rec.values[5].data, "\0\xff", 2);
    assert_memory_equal(rec.values[11].data, "{\"k\":1}", rec.values[11].lens[0]);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
    assert_int_equal(rec.values[7].n, 0); /* a list that is not there */
    assert_int_equal(*(const int64_t *)rec.values[0].data, 4);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0);
    tsl_recreader_destroy(r);
}

static void numbers_of_64_bits_come_back(void **state)
{
    (void)state;
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    /* strings are strings, whatever they look like */
    assert_ok(open_text("{\"a\":18446744073709551615,\"s\":\"9223372036854775808\\\"\","
                        "\"l\":[1,9223372036854775808],\"i\":-9223372036854775808}\n"
                        "{\"a\":0,\"s\":\"\\u0001u64:1\",\"l\":[],"
                        "\"i\":9223372036854775807}",
                        NULL, &r, &err),
              &err);
    const struct tsl_schema *s = &tsl_recreader_head(r)->schema;
    assert_int_equal(s->columns[0].type, TSL_U64);
    assert_int_equal(s->columns[1].type, TSL_STR);
    assert_int_equal(s->columns[2].type, TSL_U64);
    assert_int_equal(s->columns[3].type, TSL_I64);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
    assert_true(*(const uint64_t *)rec.values[0].data == UINT64_MAX);
    assert_memory_equal(rec.values[1].data, "9223372036854775808\"", 20);
    assert_true(((const uint64_t *)rec.values[2].data)[0] == 1);
    assert_true(((const uint64_t *)rec.values[2].data)[1] == UINT64_C(1) << 63);
    assert_true(*(const int64_t *)rec.values[3].data == INT64_MIN);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
    assert_memory_equal(rec.values[1].data, "\1u64:1", 6);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 0);
    tsl_recreader_destroy(r);
    /* numbers with as many characters that are not whole */
    assert_ok(open_text("{\"a\":9223372036854775808,\"f\":[1.0901151165279476e-9,"
                        "1.079011511652794e-9,9.99011511652794e-9]}\n",
                        NULL, &r, &err),
              &err);
    assert_int_equal(tsl_recreader_head(r)->schema.columns[1].type, TSL_F64);
    assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
    assert_true(*(const double *)rec.values[1].data == 1.0901151165279476e-9);
    tsl_recreader_destroy(r);
    /* 2^64 */
    assert_err(open_text("{\"a\":18446744073709551616}", NULL, &r, &err), TSL_EFORMAT,
               &err, "line 1");
}

static void numbers_of_64_bits_stay_in_texts_of_json(void **state)
{
    (void)state;
    struct tsl_recreader *r;
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    static const char *const texts[] = {
        "{\"x\":[9223372036854775808,\"\\\"\",18446744073709551615]}",
        "{\"k\":9223372036854775809}", "18446744073709551615", "\"\\u0001a\""
    };
    char lines[400] = "";
    for (size_t i = 0; i < 4; i++)
        sprintf(lines + strlen(lines), "{\"a\":9223372036854775808,\"o\":%s}\n",
                texts[i]);
    /* a string that looks like what such a number is kept as */
    strcat(lines,
           "{\"a\":9223372036854775808,\"o\":\"\\u0001u64:9223372036854775808\"}\n");
    assert_ok(open_text(lines, NULL, &r, &err), &err);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(tsl_recreader_next(r, &rec, &err), 1);
        assert_int_equal(rec.values[1].lens[0], strlen(texts[i]));
        assert_memory_equal(rec.values[1].data, texts[i], strlen(texts[i]));
    }
    assert_err(tsl_recreader_next(r, &rec, &err), TSL_EFORMAT, &err, "line 5: o");
    tsl_recreader_destroy(r);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told;
        int at; /* the record at which it is told; 0: when it is opened */
    } cases[] = {
        { "{\"a\":1}\n\n{\"a\":\"x\"}\n", "x.jsonl: line 3: a: its value", 2 },
        { "{\"a\":1}\n{}\n", "x.jsonl: line 2: a: this member is missing", 2 },
        { "{\"a\":1}\n{\"a\":2,\"b\":3}\n", "line 2: b: the first line has no such", 2 },
        { "{\"a\":1}\n[1]\n", "no object", 2 },
        { "{\"a\":1}\n{\"a\":1", "x.jsonl: record 1, at line 2", 2 },
        { "{\"a\":1}\n{\"a\":9223372036854775808}\n", "at line 2", 2 },
        { "{\"a\":1}\n{\"a\":1.5}\n", "line 2: a: its value", 2 },
        { "{\"a\":[1]}\n{\"a\":1}\n", "line 2: a: its value", 2 },
        { "{\"a\":{\"base64\":\"AP8\"}}\n", "line 1: a: its value", 1 },
        { "{\"a\":{\"base64\":\"A===\"}}\n", "line 1: a: its value", 1 },
        { "{\"a\":{\"base64\":\"=AAA\"}}\n", "line 1: a: its value", 1 },
        { "{\"a\":{\"base64\":\"AA=A\"}}\n", "line 1: a: its value", 1 },
        { "\n{\"\":1}\n", "x.jsonl: line 2: '': no name of a column", 0 },
        { "{\"12345678901234567890123456789012345678901234567890123456789012345\":1}",
          "x.jsonl: line 1: a member's name has 65 bytes", 0 },
        { "{\"a\":\"\xff\"}\n", "x.jsonl: record 0, at line 1", 0 },
        { "{\"a\":1} 2\n", "x.jsonl: record 0, at line 1", 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tsl_recreader *r;
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        int rc = open_text(cases[i].text, NULL, &r, &err);
        if (cases[i].at) {
            assert_ok(rc, &err);
            for (int k = 0; k < cases[i].at; k++)
                rc = tsl_recreader_next(r, &rec, &err);
            tsl_recreader_destroy(r);
        }
        assert_err(rc, TSL_EFORMAT, &err, cases[i].told);
    }
}

static void numbers_outside_of_their_type_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum tsl_dtype type;
        const char *least, *most, *below, *above;
    } types[] = {
        { TSL_U8, "0", "255", "-1", "256" },
        { TSL_I8, "-128", "127", "-129", "128" },
        { TSL_U16, "0", "65535", "-1", "65536" },
        { TSL_I16, "-32768", "32767", "-32769", "32768" },
        { TSL_U32, "0", "4294967295", "-1", "4294967296" },
        { TSL_I32, "-2147483648", "2147483647", "-2147483649", "2147483648" },
        { TSL_U64, "0", "18446744073709551615", "-1", "18446744073709551616" },
        { TSL_I64, "-9223372036854775808", "9223372036854775807", "-9223372036854775809",
          "9223372036854775808" },
        { TSL_BIT, "0", "1", "-1", "2" },
        { TSL_F16, "-65504", "65504", "\"a\"", "[1]" },
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        for (int k = 0; k < 4; k++) {
            const char *number = (&types[i].least)[k];
            struct tsl_schema s = { .ncolumns = 0 };
            struct tsl_recreader *r;
            struct tsl_record rec;
            struct tsl_err err = { 0 };
            char line[80];
            assert_ok(tsl_schema_add(&s, "a", types[i].type, false, 0, NULL, NULL), NULL);
            snprintf(line, sizeof line, "{\"a\":%s}\n", number);
            assert_ok(open_text(line, &s, &r, &err), &err);
            int rc = tsl_recreader_next(r, &rec, &err);
            if (k < 2)
                assert_ok(rc, &err);
            else
                assert_err(rc, TSL_EFORMAT, &err, "line 1");
            tsl_recreader_destroy(r);
        }
}

static void a_line_beyond_the_memory_is_refused(void **state)
{
    (void)state;
    size_t n = 3 << 20;
    char *p = malloc(n);
    struct tsl_recreader_opts o = { .format = "jsonl", .memory = 1 << 20 };
    struct tsl_recreader *r;
    struct tsl_err err = { 0 };
    memset(p, ' ', n);
    memcpy(p, "{\"a\":", 5);
    file_put("x", p, n);
    assert_err(tsl_recreader_open(&r, "x", &o, &err), TSL_EFORMAT, &err,
               "x: line 1: more than");
    /* but lines across what is read at once are no matter */
    for (size_t i = 0; i + 8 <= n; i += 8)
        memcpy(p + i, "{\"a\":1}\n", 8);
    file_put("x", p, n / 8 * 8);
    assert_ok(tsl_recreader_open(&r, "x", &o, &err), &err);
    struct tsl_record rec;
    size_t count = 0;
    int rc;
    while ((rc = tsl_recreader_next(r, &rec, &err)) == 1)
        count++;
    assert_ok(rc, &err);
    assert_int_equal(count, n / 8);
    tsl_recreader_destroy(r);
    free(p);
}

static struct rectrip small(struct recdata records[3])
{
    struct rectrip t = trip(records, 3);
    rectrip_columns(&t.head.schema, "i64", "sl");
    rectrip_columns(&t.head.schema, "str bytes", "s");
    for (unsigned k = 0; k < 3; k++)
        rectrip_corner(&records[k], &t.head.schema, k + 1);
    return t;
}

static void damage_does_no_harm(void **state)
{
    (void)state;
    struct recdata records[3];
    struct tsl_err err = { 0 };
    struct rectrip t = small(records);
    struct tsl_recreader_opts o = { .format = "jsonl",
                                    .schema = &t.head.schema,
                                    .memory = 1 << 20 };
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_is(&t, "a.jsonl", NULL); /* the first line tells these columns */
    rectrip_damage(&t, "a.jsonl", NULL, "a.jsonl", RECTRIP_PREFIX, RECTRIP_OTHER);
    rectrip_damage(&t, "a.jsonl", &o, "a.jsonl", RECTRIP_PREFIX, RECTRIP_OTHER);
    t.opts.zstd_level = 3;
    assert_ok(rectrip_write(&t, "a", &err), &err);
    rectrip_damage(&t, "a.jsonl.zst", &o, "a.jsonl.zst", RECTRIP_PREFIX, RECTRIP_OTHER);
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct recdata records[3];
    struct rectrip t = small(records);
    rectrip_faults(&t, "a.jsonl");
    for (unsigned k = 0; k < 3; k++)
        recdata_free(&records[k]);
}

/* As files of webdataset have them. */
static void texts_of_json_stay_on_their_line_or_are_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "{\r\n \"a\": 1\n}", "not json", "", "1\n2" };
    for (size_t i = 0; i < 4; i++) {
        uint32_t len = (uint32_t)strlen(texts[i]);
        const struct recdata one = { .ncolumns = 1, .values = { { texts[i], &len, 1 } } };
        struct rectrip t = { .opts = { .format = "jsonl" }, .records = &one, .n = 1 };
        struct tsl_err err = { 0 };
        assert_ok(tsl_schema_add(&t.head.schema, "j", TSL_JSON, false, 0, NULL, NULL),
                  NULL);
        int rc = rectrip_write(&t, "a", &err);
        if (i)
            assert_err(rc, TSL_EFORMAT, &err, "record 0: column j: no JSON");
        else
            assert_true(file_is_text("a.jsonl", "{\"j\":{   \"a\": 1 }}\n"));
        (void)unlink("a.jsonl");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_comes_back_with_its_schema),
        TEST(columns_are_those_of_the_first_line),
        TEST(numbers_of_64_bits_come_back),
        TEST(numbers_of_64_bits_stay_in_texts_of_json),
        TEST(texts_of_json_stay_on_their_line_or_are_refused),
        TEST(what_is_wrong_is_told_with_its_line),
        TEST(numbers_outside_of_their_type_are_refused),
        TEST(a_line_beyond_the_memory_is_refused),
        TEST(damage_does_no_harm),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

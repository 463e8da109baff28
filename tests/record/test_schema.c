#include "support/test.h"

#include <string.h>

#include "record/schema.h"

static void a_schema_comes_back_from_its_json(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 }, back;
    struct tsl_err err = { 0 };
    char name[] = "c0";
    for (int t = 0; t < TSL_NDTYPES; t++, name[1]++) {
        uint32_t dims[4] = { 3, 5, 7, (uint32_t)t + 1 };
        assert_ok(tsl_schema_add(&s, name, (enum tsl_dtype)t, t % 3 == 0,
                                 t % 3 ? t % 5 : 0, dims, &err),
                  &err);
    }
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    tsl_schema_write(&s, "columns", &j);
    tsl_json_close(&j, '}');
    assert_ok(tsl_json_end(&j, &err), &err);
    struct tsl_jsonread *doc;
    assert_ok(tsl_jsonread_parse(&doc, (struct tsl_slice){ (uint8_t *)j.text, j.len },
                                 "x", &err),
              &err);
    assert_ok(tsl_schema_read(&back, tsl_jsonread_get(tsl_jsonread_root(doc), "columns"),
                              "x", &err),
              &err);
    assert_true(tsl_schema_equal(&s, &back));
    back.columns[4].dims[0]++;
    assert_false(tsl_schema_equal(&s, &back));
    tsl_jsonread_destroy(doc);
    tsl_json_fini(&j);
}

static void columns_are_found_by_name(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    assert_ok(tsl_schema_add(&s, "ids", TSL_U16, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "label", TSL_U8, false, 0, NULL, NULL), NULL);
    assert_int_equal(tsl_schema_find(&s, "label"), 1);
    assert_int_equal(tsl_schema_find(&s, "id"), -1);
    assert_int_equal(s.columns[0].count, 0);
    assert_int_equal(s.columns[1].count, 1);
}

static void what_is_no_column_is_refused(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    struct tsl_err err = { 0 };
    uint32_t dims[4] = { 1 << 20, 1 << 20, 0, 1 };
    char name[80];
    memset(name, 'x', sizeof name);
    name[64] = '\0';
    assert_err(tsl_schema_add(&s, name, TSL_U8, true, 0, NULL, &err), TSL_EUSAGE, &err,
               "1 to 63 bytes");
    assert_err(tsl_schema_add(&s, "", TSL_U8, true, 0, NULL, &err), TSL_EUSAGE, &err,
               "1 to 63 bytes");
    assert_err(tsl_schema_add(&s, "a\xff", TSL_U8, true, 0, NULL, &err), TSL_EUSAGE, &err,
               "UTF-8");
    assert_err(tsl_schema_add(&s, "a", TSL_U8, false, 2, dims, &err), TSL_EUSAGE, &err,
               "dimensions");
    assert_err(tsl_schema_add(&s, "a", TSL_U8, false, 1, dims + 2, &err), TSL_EUSAGE,
               &err, "dimensions");
    assert_err(tsl_schema_add(&s, "a", TSL_U8, true, 1, dims, &err), TSL_EUSAGE, &err,
               "a list");
    name[63] = '\0';
    assert_ok(tsl_schema_add(&s, name, TSL_U8, true, 0, NULL, &err), &err);
    assert_err(tsl_schema_add(&s, name, TSL_U8, true, 0, NULL, &err), TSL_EUSAGE, &err,
               "second");
    for (int i = 1; i < TSL_COLUMNS_MAX; i++) {
        char c[3] = { (char)('a' + i % 26), (char)('a' + i / 26), 0 };
        assert_ok(tsl_schema_add(&s, c, TSL_U8, true, 0, NULL, &err), &err);
    }
    assert_err(tsl_schema_add(&s, "zz", TSL_U8, true, 0, NULL, &err), TSL_EUSAGE, &err,
               "64");
}

static void json_that_is_no_schema_is_refused(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[1]",
        "[{\"name\":\"a\"}]",
        "[{\"type\":\"u8\"}]",
        "[{\"name\":\"a\",\"type\":\"u7\"}]",
        "[{\"name\":\"a\",\"type\":\"a type of many letters\"}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"list\":1}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"dims\":1}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"dims\":[0]}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"dims\":[1,1,1,1,1]}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"dims\":[268435457]}]",
        "[{\"name\":\"a\",\"type\":\"u8\",\"dims\":[2],\"list\":true}]",
        "[{\"name\":\"a\",\"type\":\"u8\"},{\"name\":\"a\",\"type\":\"u8\"}]",
        "[{\"name\":\"a\\u0000\",\"type\":\"u8\"}]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_err err = { 0 };
        struct tsl_schema s;
        struct tsl_jsonread *doc;
        struct tsl_slice text = { (const uint8_t *)bad[i], strlen(bad[i]) };
        assert_ok(tsl_jsonread_parse(&doc, text, "x", &err), &err);
        assert_err(tsl_schema_read(&s, tsl_jsonread_root(doc), "x", &err), TSL_EFORMAT,
                   &err, "x: the schema");
        tsl_jsonread_destroy(doc);
    }
}

static void types_have_names_and_sizes(void **state)
{
    (void)state;
    for (int t = 0; t < TSL_NDTYPES; t++)
        assert_int_equal(tsl_dtype_of(tsl_dtype_name((enum tsl_dtype)t)), t);
    assert_int_equal(tsl_dtype_of("int"), -1);
    assert_int_equal(tsl_dtype_bytes(TSL_F16), 2);
    assert_int_equal(tsl_dtype_bytes(TSL_STR), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_schema_comes_back_from_its_json), TEST(columns_are_found_by_name),
        TEST(what_is_no_column_is_refused),      TEST(json_that_is_no_schema_is_refused),
        TEST(types_have_names_and_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonread.h"
#include "base/mem.h"

static int parse(struct tsl_jsonread **d, const char *s, struct tsl_err *err)
{
    return tsl_jsonread_parse(d, (struct tsl_slice){ (const uint8_t *)s, strlen(s) }, "f",
                              err);
}

static bool is(struct tsl_slice s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.data, text, s.len) == 0;
}

static void every_kind_of_value_is_read(void **state)
{
    struct tsl_jsonread *d;
    struct tsl_err err = { 0 };
    struct tsl_slice s;
    int64_t i;
    double x;
    bool b;
    (void)state;
    assert_ok(parse(&d,
                    "{\"n\":null,\"t\":true,\"f\":false,\"i\":-9223372036854775808,"
                    "\"d\":1.5e3,\"s\":\"\\u0120\\ud83d\\ude00\",\"a\":[1,[]],\"o\":{}}",
                    &err),
              &err);
    const struct tsl_jsonval *r = tsl_jsonread_root(d);
    assert_int_equal(tsl_jsonread_kind(r), TSL_JSON_OBJECT);
    assert_int_equal(tsl_jsonread_size(r), 8);
    assert_int_equal(tsl_jsonread_kind(tsl_jsonread_get(r, "n")), TSL_JSON_NULL);
    assert_int_equal(tsl_jsonread_kind(tsl_jsonread_get(r, "none")), TSL_JSON_NONE);
    assert_true(tsl_jsonread_bool(tsl_jsonread_get(r, "t"), &b) && b);
    assert_true(tsl_jsonread_bool(tsl_jsonread_get(r, "f"), &b) && !b);
    assert_true(tsl_jsonread_int(tsl_jsonread_get(r, "i"), &i) && i == INT64_MIN);
    assert_true(tsl_jsonread_num(tsl_jsonread_get(r, "d"), &x) && x == 1500);
    assert_false(tsl_jsonread_int(tsl_jsonread_get(r, "d"), &i));
    assert_true(tsl_jsonread_str(tsl_jsonread_get(r, "s"), &s));
    assert_true(is(s, "\xc4\xa0\xf0\x9f\x98\x80"));
    const struct tsl_jsonval *a = tsl_jsonread_get(r, "a");
    assert_int_equal(tsl_jsonread_size(a), 2);
    assert_true(tsl_jsonread_num(tsl_jsonread_at(a, 0), &x) && x == 1);
    assert_int_equal(tsl_jsonread_kind(tsl_jsonread_at(a, 1)), TSL_JSON_ARRAY);
    assert_null(tsl_jsonread_at(a, 2));
    assert_null(tsl_jsonread_get(a, "x"));
    assert_null(tsl_jsonread_at(r, 0));
    tsl_jsonread_destroy(d);
}

static void members_come_in_file_order_and_the_last_of_two_counts(void **state)
{
    struct tsl_jsonread *d;
    struct tsl_err err = { 0 };
    struct tsl_jsonread_member m = { 0 };
    char seen[64] = "";
    int64_t i;
    (void)state;
    assert_ok(parse(&d, "{\"z\":1,\"y\":2,\"a\":3,\"y\":4,\"\":5}", &err), &err);
    while (tsl_jsonread_next(tsl_jsonread_root(d), &m)) {
        size_t at = strlen(seen);
        assert_true(tsl_jsonread_int(m.value, &i));
        snprintf(seen + at, sizeof seen - at, "%.*s%d ", (int)m.key.len, m.key.data,
                 (int)i);
    }
    assert_string_equal(seen, "z1 y4 a3 5 ");
    tsl_jsonread_destroy(d);
}

static void a_string_may_hold_nul_and_any_value_may_stand_alone(void **state)
{
    struct tsl_jsonread *d;
    struct tsl_err err = { 0 };
    struct tsl_slice s;
    (void)state;
    assert_ok(parse(&d, " \"a\\u0000b\" ", &err), &err);
    assert_true(tsl_jsonread_str(tsl_jsonread_root(d), &s));
    assert_int_equal(s.len, 3);
    assert_memory_equal(s.data, "a\0b", 3);
    tsl_jsonread_destroy(d);
}

/* 0.1 + 0.2 has 17 digits; the largest double with 15 of them would be none. */
static void a_text_written_again_has_the_same_values(void **state)
{
    static const char *const same[] = {
        "0.30000000000000004",
        "0.1",
        "1.7976931348623157e+308",
        "4.94066e-324",
        "-0.0",
        "1.0",
        "-9223372036854775808",
        "9223372036854775807",
        "true",
        "null",
        "false",
        "[]",
        "{}",
        "{\"z\":[1,{\"\":[]}],\"a\\\"\":\"\\n\\u001f\\\\/\xc3\xa9\"}"
    };
    struct tsl_err err = { 0 };
    struct tsl_jsonread *d;
    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_ok(parse(&d, same[i], &err), &err);
        char *text = tsl_jsonread_text(tsl_jsonread_root(d), &err);
        assert_string_equal(text, same[i]);
        tsl_mem_free(text);
        tsl_jsonread_destroy(d);
    }
    assert_ok(parse(&d, " { \"a\" : [ 1E2 , \"\\u00e9\\/\" ] } ", &err), &err);
    char *text = tsl_jsonread_text(tsl_jsonread_root(d), &err);
    assert_string_equal(text, "{\"a\":[100.0,\"\xc3\xa9/\"]}");
    tsl_mem_free(text);
    tsl_jsonread_destroy(d);
}

static void what_is_not_json_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        { "", "f: line 1" },
        { "{\n  \"a\": x}", "line 2" },
        { "{\"a\":1", "not JSON" },
        { "[1e999]", "real number overflow" },
        { "[9223372036854775808]", "too big integer" },
        { "[1] 2", "end of file" },
        { "[\"\xff\"]", "byte 0xff" },
        { "[\"\\ud800\"]", "not JSON" },
        { "{\"a\\u0000\":1}", "NUL" },
        { "\xef\xbb\xbf{}", "not JSON" },
    };
    struct tsl_jsonread *d = NULL;
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(parse(&d, bad[i].text, &err), TSL_EFORMAT, &err, bad[i].part);
    assert_null(d);
}

static void deep_nesting_is_refused(void **state)
{
    enum { DEEP = 100000 };
    char *s = malloc(DEEP + 1);
    struct tsl_jsonread *d;
    struct tsl_err err = { 0 };
    (void)state;
    memset(s, '[', DEEP);
    s[DEEP] = '\0';
    assert_err(parse(&d, s, &err), TSL_EFORMAT, &err, "depth");
    free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_value_is_read),
        TEST(members_come_in_file_order_and_the_last_of_two_counts),
        TEST(a_string_may_hold_nul_and_any_value_may_stand_alone),
        TEST(a_text_written_again_has_the_same_values),
        TEST(what_is_not_json_is_refused_with_its_place),
        TEST(deep_nesting_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

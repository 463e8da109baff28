#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "support/fault.h"
#include "support/gendata.h"

static void commas_and_nesting_come_by_themselves(void **state)
{
    struct tsl_json j = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    tsl_json_open(&j, NULL, '{');
    tsl_json_str(&j, "name", "x");
    tsl_json_u64(&j, "n", UINT64_MAX);
    tsl_json_open(&j, "list", '[');
    tsl_json_u64(&j, NULL, 1);
    tsl_json_num(&j, NULL, 0.5);
    tsl_json_close(&j, ']');
    tsl_json_open(&j, "none", '[');
    tsl_json_close(&j, ']');
    tsl_json_bool(&j, "yes", true);
    tsl_json_bool(&j, "no", false);
    tsl_json_close(&j, '}');
    assert_ok(tsl_json_end(&j, &err), &err);
    char flat[400];
    size_t n = 0;
    for (const char *p = j.text; *p; p++)
        if (*p != '\n' && *p != ' ')
            flat[n++] = *p;
    flat[n] = '\0';
    assert_string_equal(flat,
                        "{\"name\":\"x\",\"n\":18446744073709551615,\"list\":[1,0.5],"
                        "\"none\":[],\"yes\":true,\"no\":false}");
    assert_int_equal(j.text[j.len - 1], '\n');
    assert_int_equal(strlen(j.text), j.len);
    tsl_json_fini(&j);
}

static void check_string(const char *value, const char *want)
{
    struct tsl_json j = { 0 };
    struct tsl_err err = { 0 };
    tsl_json_str(&j, NULL, value);
    assert_ok(tsl_json_end(&j, &err), &err);
    j.text[j.len - 1] = '\0';
    assert_string_equal(j.text, want);
    tsl_json_fini(&j);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    check_string("", "\"\"");
    check_string("a\"b\\c", "\"a\\\"b\\\\c\"");
    check_string("\n\t\x01\x1f", "\"\\n\\t\\u0001\\u001f\"");
    check_string("\xe4\xb8\xad\xf0\x9f\x98\x80\xc3\xa9",
                 "\"\xe4\xb8\xad\xf0\x9f\x98\x80\xc3\xa9\"");
}

static void texts_of_any_bytes_are_names_and_values(void **state)
{
    struct tsl_json j = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    tsl_json_open(&j, NULL, '{');
    tsl_json_entry(&j, (struct tsl_slice){ (const uint8_t *)"a\0\"", 3 }, 7);
    tsl_json_entry(&j, (struct tsl_slice){ NULL, 0 }, 8);
    tsl_json_slice(&j, "s", (struct tsl_slice){ (const uint8_t *)"x\0yz", 3 });
    tsl_json_null(&j, "none");
    tsl_json_close(&j, '}');
    assert_ok(tsl_json_end(&j, &err), &err);
    assert_string_equal(j.text,
                        "{\n\"a\\u0000\\\"\": 7,\n\"\": 8,\n\"s\": \"x\\u0000y\",\n"
                        "\"none\": null\n}\n");
    tsl_json_fini(&j);
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
#define BAD "\xef\xbf\xbd"
    check_string("a\xff"
                 "b",
                 "\"a" BAD "b\"");
    check_string("\xc0\xaf", "\"" BAD BAD "\"");                 /* overlong */
    check_string("\xed\xa0\x80", "\"" BAD BAD BAD "\"");         /* a surrogate */
    check_string("\xf4\x90\x80\x80", "\"" BAD BAD BAD BAD "\""); /* beyond U+10FFFF */
    check_string("\xe4\xb8", "\"" BAD "\"");                     /* cut short */
    check_string("\xe4\xb8\"", "\"" BAD "\\\"\"");
    check_string("\x80", "\"" BAD "\"");
#undef BAD
}

/* Well-formed UTF-8, by another way than the library's: decodes and checks the ranges. */
static bool is_utf8(const char *s)
{
    const unsigned char *p = (const unsigned char *)s;
    while (*p) {
        int more = *p < 0x80       ? 0
                   : *p >> 5 == 6  ? 1
                   : *p >> 4 == 14 ? 2
                   : *p >> 3 == 30 ? 3
                                   : -1;
        if (more < 0)
            return false;
        uint32_t c = more ? *p & (0x3f >> more) : *p;
        p++;
        for (int i = 0; i < more; i++) {
            if (*p >> 6 != 2)
                return false;
            c = c << 6 | (*p++ & 0x3f);
        }
        static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return false;
    }
    return true;
}

static void the_text_is_utf8_whatever_comes(void **state)
{
    struct gen g = { 2 };
    (void)state;
    for (int i = 0; i < 3000; i++) {
        char s[16] = { 0 };
        size_t n = gen_below(&g, 12);
        for (size_t k = 0; k < n; k++)
            s[k] = (char)(0x80 | gen_below(&g, 128));
        struct tsl_json j = { 0 };
        struct tsl_err err = { 0 };
        tsl_json_str(&j, NULL, s);
        assert_ok(tsl_json_end(&j, &err), &err);
        assert_true(is_utf8(j.text));
        if (is_utf8(s)) /* and then nothing was changed */
            assert_non_null(strstr(j.text, s));
        tsl_json_fini(&j);
    }
}

static void numbers_that_json_lacks_are_null(void **state)
{
    struct tsl_json j = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    tsl_json_open(&j, NULL, '[');
    tsl_json_num(&j, NULL, NAN);
    tsl_json_num(&j, NULL, -INFINITY);
    tsl_json_num(&j, NULL, -1.25);
    tsl_json_close(&j, ']');
    assert_ok(tsl_json_end(&j, &err), &err);
    assert_string_equal(j.text, "[\nnull,\nnull,\n-1.25\n]\n");
    tsl_json_fini(&j);
}

static void a_failed_allocation_is_told_at_the_end(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_json j = { 0 };
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        tsl_json_open(&j, NULL, '[');
        for (int i = 0; i < 100; i++)
            tsl_json_str(&j, NULL, "some words");
        tsl_json_close(&j, ']');
        int rc = tsl_json_end(&j, &err);
        const char *call = fault_disarm();
        tsl_json_fini(&j);
        if (!call) {
            assert_ok(rc, &err);
            assert_true(nth > 3);
            break;
        }
        assert_err(rc, TSL_ENOMEM, &err, "JSON");
    }
}

static bool is_json(const char *text)
{
    return tsl_json_is((struct tsl_slice){ (const uint8_t *)text, strlen(text) });
}

static void json_is_told_from_what_is_none(void **state)
{
    static const char *const good[] = { "0",
                                        "-0",
                                        "-1.5e+10",
                                        "1E5",
                                        "99999999999999999999999",
                                        "true",
                                        "null",
                                        "\"\"",
                                        "\"\\u00e9\\\"\\/\xc3\xa9\"",
                                        " [ ] ",
                                        "\r\n{\t}",
                                        "[1,[2,{}],\"a\"]",
                                        "{\"a\":1,\"a\":{\"b\":[false]}}" };
    static const char *const bad[] = {
        "",           " ",       "not json",    "01",        "-",        "1.",
        ".5",         "1e",      "+1",          "tru",       "nulll",    "\"",
        "\"\n\"",     "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\xff\"", "[",
        "[1,]",       "[,]",     "[1 2]",       "{\"a\"}",   "{1:2}",    "{\"a\":}",
        "{\"a\":1,}", "{]",      "[}",          "1 2",       "[1]]",     "\"a\" b",
        "'a'",        "NaN"
    };
    char deep[5000];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        if (!is_json(good[i]))
            fail_msg("it is JSON: %s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (is_json(bad[i]))
            fail_msg("it is no JSON: %s", bad[i]);
    assert_false(tsl_json_is((struct tsl_slice){ (const uint8_t *)"1\0", 2 }));
    for (int n = 2048; n < 2050; n++) {
        memset(deep, '[', (size_t)n);
        memset(deep + n, ']', (size_t)n);
        deep[2 * n] = '\0';
        assert_int_equal(is_json(deep), n == 2048);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(commas_and_nesting_come_by_themselves),
        TEST(strings_are_escaped),
        TEST(texts_of_any_bytes_are_names_and_values),
        TEST(what_is_not_utf8_is_replaced),
        TEST(the_text_is_utf8_whatever_comes),
        TEST(numbers_that_json_lacks_are_null),
        TEST(json_is_told_from_what_is_none),
        TEST(a_failed_allocation_is_told_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/jsonread.h"
#include "support/gendata.h"
#include "text/jsonl.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static int find(const char *line, const char *spec, struct tsl_jsonl_value *v,
                struct tsl_err *err)
{
    struct tsl_jsonl_path path;
    char storage[64];
    assert_ok(tsl_jsonl_path_init(&path, spec, storage, err), err);
    return tsl_jsonl_find(slice(line), &path, 1, v, err);
}

/* The field is this text. */
static void is_text(const char *line, const char *spec, const char *want)
{
    struct tsl_jsonl_value v;
    struct tsl_err err = { 0 };
    assert_ok(find(line, spec, &v, &err), &err);
    assert_int_equal(v.kind, TSL_JSONL_STRING);
    uint8_t *text = malloc(v.raw.len + 1); /* as large as promised */
    size_t n = tsl_jsonl_decode(v.raw, text);
    assert_true(n <= v.raw.len);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(text, want, n);
    free(text);
}

static void is_none(const char *line, const char *spec)
{
    struct tsl_jsonl_value v;
    struct tsl_err err = { 0 };
    assert_ok(find(line, spec, &v, &err), &err);
    assert_int_equal(v.kind, TSL_JSONL_NONE);
}

static void fields_are_found_wherever_they_stand(void **state)
{
    (void)state;
    is_text("{\"text\":\"x\"}", "text", "x");
    is_text(" { \"a\" : [1,{\"text\":\"no\"}] , \"text\" : \"yes\" } \n", "text", "yes");
    is_text("{\"text\":\"\"}", "text", "");
    is_text("{\"a\":{\"text\":\"no\",\"b\":{\"c\":\"yes\"}},\"c\":\"no\"}", "a.b.c",
            "yes");
    is_text("{\"a.b\":\"yes\",\"a\":{\"b\":\"no\"}}", "a\\.b", "yes");
    is_text("{\"t\\u0065xt\":\"yes\"}", "text", "yes");
    is_text("{\"\\u4f60\":\"yes\"}", "你", "yes");
    is_none("{}", "text");
    is_none("{\"a\\u0000\":\"no\"}", "a");
    is_none("[{\"text\":1}]", "text");
    is_none("{\"a\":[{\"b\":\"no\"}]}", "a.b");
    is_none("{\"a\":\"b\"}", "a.b");
}

static void of_a_key_given_twice_the_last_counts(void **state)
{
    (void)state;
    is_text("{\"a\":\"1\",\"a\":\"2\"}", "a", "2");
    is_text("{\"a\":{\"b\":\"1\"},\"a\":{\"b\":\"2\"}}", "a.b", "2");
    is_none("{\"a\":{\"b\":\"1\"},\"a\":{}}", "a.b");
    is_none("{\"a\":{\"b\":\"1\"},\"a\":[]}", "a.b");
}

static void escapes_are_decoded(void **state)
{
    (void)state;
    is_text("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "a", "\"\\/\b\f\n\r\t");
    is_text("{\"a\":\"x\\u0041\\u00e9\\u4f60\\ud83d\\uDE00y\"}", "a", "xA\xc3\xa9你😀y");
}

static void what_is_wrong_is_told_with_its_column(void **state)
{
    static const struct {
        const char *line, *why;
    } bad[] = { { "", "column 1: the line is empty" },
                { "x", "column 1: an object should begin here" },
                { "{\"a\":1} x", "column 9: more behind the end" },
                { "{\"a\":\"x", "column 8: the line ends inside a string" },
                { "{\"a\":", "column 6: the line ends where a value" },
                { "{\"a\"", "column 5: a colon" },
                { "{\"a\":1", "column 7: the line ends inside an object" },
                { "{\"a\":[1", "column 8: the line ends inside an array" },
                { "{\"a\":1,}", "column 8: a key in quotes" },
                { "{\"a\":1 2}", "column 8: a comma" },
                { "{\"a\":01}", "column 6: a number that begins with 0" },
                { "{\"a\":1.}", "column 6: a number without digits behind its point" },
                { "{\"a\":-}", "column 6: a number without digits" },
                { "{\"a\":1e}", "column 6: a number without digits in its exponent" },
                { "{\"a\":1e999}", "column 6: a number too large" },
                { "{\"a\":99999999999999999999}", "column 6: a whole number" },
                { "{\"a\":nul}", "column 6: no JSON value" },
                { "{\"a\":\"\\x\"}", "column 7: an escape that JSON" },
                { "{\"a\":\"\\ud800\"}", "column 7: an escape \\u" },
                { "{\"a\":\"\t\"}", "column 7: a control character" },
                { "{\"a\":\"xy\xff\"}", "column 9: bytes that are not UTF-8" } };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_jsonl_value v;
        struct tsl_err err = { 0 };
        assert_err(find(bad[i].line, "a", &v, &err), TSL_EFORMAT, &err, bad[i].why);
    }
}

static void paths_that_make_no_sense_are_refused(void **state)
{
    struct tsl_jsonl_path p;
    struct tsl_err err = { 0 };
    char storage[64];
    (void)state;
    assert_err(tsl_jsonl_path_init(&p, "", storage, &err), TSL_EUSAGE, &err, "empty");
    assert_err(tsl_jsonl_path_init(&p, "a..b", storage, &err), TSL_EUSAGE, &err, "empty");
    assert_err(tsl_jsonl_path_init(&p, "a.", storage, &err), TSL_EUSAGE, &err, "empty");
    assert_err(tsl_jsonl_path_init(&p, "a.b.c.d.e.f.g.h.i", storage, &err), TSL_EUSAGE,
               &err, "8 names");
}

static void arrays_of_numbers_are_read_item_by_item(void **state)
{
    struct tsl_jsonl_value v;
    struct tsl_err err = { 0 };
    uint64_t n;
    size_t at = 0;
    (void)state;
    assert_ok(find("{\"ids\":[ 1,22 , 4294967295 ]}", "ids", &v, &err), &err);
    assert_int_equal(v.kind, TSL_JSONL_ARRAY);
    assert_int_equal(tsl_jsonl_item(v.raw, &at, UINT32_MAX, &n, &err), 1);
    assert_int_equal(n, 1);
    assert_int_equal(tsl_jsonl_item(v.raw, &at, UINT32_MAX, &n, &err), 1);
    assert_int_equal(n, 22);
    assert_int_equal(tsl_jsonl_item(v.raw, &at, UINT32_MAX, &n, &err), 1);
    assert_int_equal(n, UINT32_MAX);
    assert_int_equal(tsl_jsonl_item(v.raw, &at, UINT32_MAX, &n, &err), 0);
    static const char *const bad[] = {
        "[4294967296]", "[-1]",   "[1.5]", "[1e3]",  "[\"1\"]",
        "[[1]]",        "[true]", "[{}]",  "[[],1]", "[99999999999999999999999]"
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        at = 0;
        assert_err(tsl_jsonl_item(slice(bad[i]), &at, UINT32_MAX, &n, &err), TSL_EFORMAT,
                   &err, "item at byte 1 is");
    }
}

/* Random lines of pieces that matter, valid or nearly so. */
static void lines_are_taken_and_read_as_by_jansson(void **state)
{
    static const char *const parts[] = { "{",
                                         "}",
                                         "[",
                                         "]",
                                         ",",
                                         ":",
                                         "\"a\"",
                                         "\"b\"",
                                         "\"a\":",
                                         "\"b\":",
                                         "1",
                                         "-0.5",
                                         "1e5",
                                         "true",
                                         "null",
                                         "\"x\\n\"",
                                         "\"\\u4f60\\ud83d\\ude00\"",
                                         "\"é\"",
                                         " ",
                                         "{\"a\":\"v\"}",
                                         "[1,2]",
                                         "\"\\\"\"" };
    struct gen g = { 99 };
    unsigned ntaken = 0;
    (void)state;
    for (int round = 0; round < 60000; round++) {
        char line[200] = "{\"a\":";
        size_t len = gen_below(&g, 3) ? strlen(line) : 0;
        for (size_t k = gen_below(&g, 8); k > 0; k--) {
            const char *s = parts[gen_below(&g, sizeof parts / sizeof *parts)];
            memcpy(line + len, s, strlen(s));
            len += strlen(s);
        }
        if (gen_below(&g, 3))
            line[len++] = '}';
        line[len] = '\0';
        struct tsl_jsonread *doc;
        struct tsl_jsonl_value v;
        struct tsl_err why = { 0 };
        int want = tsl_jsonread_parse(&doc, slice(line), "it", &why);
        if (want < 0 && strstr(why.msg, "NUL byte in object key"))
            continue; /* a NUL in a key is JSON, and jansson does not take it */
        const struct tsl_jsonval *root = want == 0 ? tsl_jsonread_root(doc) : NULL;
        bool takes = tsl_jsonread_kind(root) == TSL_JSON_OBJECT ||
                     tsl_jsonread_kind(root) == TSL_JSON_ARRAY;
        struct tsl_err err = { 0 };
        if ((find(line, "a", &v, &err) == 0) != takes)
            fail_msg("%s: %s", line, takes ? err.msg : "taken");
        struct tsl_slice s;
        if (takes) {
            ntaken++;
            bool text = tsl_jsonread_str(tsl_jsonread_get(root, "a"), &s);
            assert_int_equal(v.kind == TSL_JSONL_STRING, text);
            uint8_t got[200];
            if (text) {
                assert_int_equal(tsl_jsonl_decode(v.raw, got), s.len);
                assert_memory_equal(got, s.data, s.len);
            }
        }
        if (want == 0)
            tsl_jsonread_destroy(doc);
    }
    assert_true(ntaken > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_are_found_wherever_they_stand),
        TEST(of_a_key_given_twice_the_last_counts),
        TEST(escapes_are_decoded),
        TEST(what_is_wrong_is_told_with_its_column),
        TEST(paths_that_make_no_sense_are_refused),
        TEST(arrays_of_numbers_are_read_item_by_item),
        TEST(lines_are_taken_and_read_as_by_jansson),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

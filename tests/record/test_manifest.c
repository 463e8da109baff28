#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/manifest.h"
#include "support/fault.h"

static char *no_const(const char *s)
{
    return (char *)(uintptr_t)s;
}

/* Two shards, of two files and of one. */
static int make(struct tsl_manifest *m, struct tsl_err *err)
{
    static struct tsl_recfile files[] = {
        { .bytes = 7, .xxh3 = 1 }, { .bytes = UINT64_C(1) << 40, .xxh3 = UINT64_MAX }
    };
    *m = (struct tsl_manifest){ .head.first = 50 };
    int rc = tsl_schema_add(&m->head.schema, "\xc3\xa9", TSL_U16, true, 0, NULL, err);
    m->format = tsl_mem_strdup("native", err);
    m->made_by = tsl_mem_strdup("a \"test\"", err);
    m->job = tsl_mem_strdup("{\"seed\":7}", err);
    m->head.meta = tsl_mem_strdup("{\"v\":[1]}", err);
    if (rc < 0 || !m->format || !m->made_by || !m->job || !m->head.meta)
        return TSL_ENOMEM;
    files[0].name = no_const("a-0.bin");
    files[1].name = no_const("a-0.\xc3\xa9");
    struct tsl_shard s = { no_const("a-0"), 50, 3, files, 2 };
    rc = tsl_manifest_add(m, &s, err);
    s = (struct tsl_shard){ no_const("a-1"), 53, 1, files + 1, 1 };
    if (rc == 0)
        rc = tsl_manifest_add(m, &s, err);
    m->index = (struct tsl_recfile){ tsl_mem_strdup("index.json", err), 9, 0xabc };
    return rc == 0 && !m->index.name ? TSL_ENOMEM : rc;
}

static int write_it(const struct tsl_manifest *m, char **text, size_t *n,
                    struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    tsl_manifest_write(m, &j);
    int rc = tsl_json_end(&j, err);
    if (rc == 0 && text) {
        *text = malloc(j.len + 1);
        memcpy(*text, j.text, j.len + 1);
        *n = j.len;
    }
    tsl_json_fini(&j);
    return rc;
}

static int read_it(struct tsl_manifest *m, const char *path, struct tsl_err *err)
{
    struct tsl_source src;
    int rc = tsl_source_open(&src, path, 0, err);
    if (rc < 0)
        return rc;
    rc = tsl_manifest_read(m, path, &src, 1 << 20, err);
    tsl_source_close(&src, NULL);
    return rc;
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    struct tsl_manifest m, got;
    struct tsl_err err = { 0 };
    char *text, *again;
    size_t n, k;
    for (int dealt = 0; dealt < 2; dealt++) {
        assert_ok(make(&m, &err), &err);
        m.dealt = dealt;
        assert_int_equal(m.records, 4);
        assert_ok(write_it(&m, &text, &n, &err), &err);
        assert_true(tsl_manifest_is((uint8_t *)text, n));
        file_put("m", text, n);
        assert_ok(read_it(&got, "m", &err), &err);
        assert_true(tsl_schema_equal(&got.head.schema, &m.head.schema));
        assert_string_equal(got.made_by, m.made_by);
        assert_string_equal(got.head.meta, m.head.meta);
        assert_int_equal(got.head.first, 50);
        assert_int_equal(got.records, 4);
        assert_int_equal(got.dealt, dealt);
        assert_int_equal(got.nshards, 2);
        assert_int_equal(got.shards[1].first, 53);
        assert_true(got.shards[0].files[1].xxh3 == UINT64_MAX);
        assert_true(got.shards[0].files[1].bytes == UINT64_C(1) << 40);
        assert_ok(write_it(&got, &again, &k, &err), &err);
        assert_string_equal(again, text);
        tsl_manifest_fini(&got);
        tsl_manifest_fini(&m);
        free(text);
        free(again);
    }
}

/* The manifest with what stands once in it replaced. */
static int changed(const char *from, const char *to, struct tsl_err *err)
{
    struct tsl_manifest m;
    char *text, *now = NULL;
    size_t n;
    assert_ok(make(&m, err), err);
    assert_ok(write_it(&m, &text, &n, err), err);
    tsl_manifest_fini(&m);
    char *at = strstr(text, from);
    assert_non_null(at);
    now = malloc(n + strlen(to) + 1);
    size_t front = (size_t)(at - text);
    memcpy(now, text, front);
    strcpy(now + front, to);
    strcat(now, at + strlen(from));
    file_put("m", now, strlen(now));
    int rc = read_it(&m, "m", err);
    if (rc == 0)
        tsl_manifest_fini(&m);
    free(text);
    free(now);
    return rc;
}

static void what_does_not_add_up_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to, *told;
    } cases[] = {
        { "\"records 1\"", "\"records 2\"",
          "m: it describes 'records 2', not 'records 1'" },
        { "\"records\": 4", "\"records\": 5", "m: \"records\" is 5, its shards have 4" },
        { "\"records\": 4", "\"records\": -1", "m: " },
        { "\"records\": 4", "\"records\": 4.0", "m: " },
        { "\"records\": 3", "\"records\": 2", "m: shard 1: its first record is 53" },
        { "\"records\": 3", "\"records\": 9223372036854775807", "m: shard 1: its first" },
        { "\"first\": 53", "\"first\": 54", "m: shard 1: its first record is 54" },
        { "\"first\": 50", "\"first\": 51", "m: shard 0: its first record is 50" },
        { "\"a-0\"", "\"../a-0\"", "m: shard 0: ../a-0: a name that leads out" },
        { "\"a-0\"", "\"/a\"", "m: shard 0: /a: a name that leads out" },
        { "\"a-0\"", "\"\"", "m: shard 0: " },
        { "\"a-0.bin\"", "\"x/../../y\"",
          "m: shard 0: x/../../y: a name that leads out" },
        { "\"a-0.bin\"", "\"a\\u0000b\"", "m: shard 0: " },
        { "\"index.json\"", "\"../index.json\"", "m: ../index.json: a name that leads" },
        { "0000000000000001", "000000000000001", "m: shard 0: xxh3 is not 16 hexa" },
        { "0000000000000001", "00000000000000g1", "m: shard 0: xxh3 is not 16 hexa" },
        { "0000000000000001", "+000000000000001", "m: shard 0: xxh3 is not 16 hexa" },
        { "0000000000000001", "0x00000000000001", "m: shard 0: xxh3 is not 16 hexa" },
        { "\"u16\"", "\"u17\"", "m: the schema: column 0: its type" },
        { "\"meta\": {", "\"mate\": {", "m: meta, job or shards is missing" },
        { "\"shards\": [", "\"shard\": [", "m: meta, job or shards is missing" },
        { "\"format\": \"native\"", "\"format\": 1", "m: " },
        { "{", "[", "m: " },
    };
    struct tsl_err err = { 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_err(changed(cases[i].from, cases[i].to, &err), TSL_EFORMAT, &err,
                   cases[i].told);
    assert_ok(changed("\"seed\"", "\"deed\"", &err), &err);
}

static void cuts_and_changes_are_told_or_do_no_harm(void **state)
{
    (void)state;
    struct tsl_manifest m;
    struct tsl_err err = { 0 };
    char *text;
    size_t n;
    assert_ok(make(&m, &err), &err);
    assert_ok(write_it(&m, &text, &n, &err), &err);
    tsl_manifest_fini(&m);
    for (size_t k = 0; k < n - 1; k++) { /* the last byte is a newline */
        (void)remove("m");
        file_put("m", text, k);
        assert_err(read_it(&m, "m", &err), TSL_EFORMAT, &err, "m");
    }
    for (size_t k = 0; k < 3 * n; k++) {
        uint8_t was = (uint8_t)text[k / 3];
        text[k / 3] = (char)(was ^ (k % 3 == 0 ? 1 : k % 3 == 1 ? 0x20 : 0xff));
        (void)remove("m");
        file_put("m", text, n);
        int rc = read_it(&m, "m", &err);
        if (rc == 0)
            tsl_manifest_fini(&m);
        else
            assert_err(rc, TSL_EFORMAT, &err, "m");
        text[k / 3] = (char)was;
    }
    free(text);
}

static void one_that_is_larger_than_may_be_held_is_refused(void **state)
{
    (void)state;
    size_t n = 1 << 20;
    char *p = malloc(n);
    struct tsl_manifest m;
    struct tsl_err err = { 0 };
    memset(p, ' ', n);
    p[0] = '{';
    file_put("m", p, n);
    assert_err(read_it(&m, "m", &err), TSL_EFORMAT, &err, "m: a manifest of more than");
    free(p);
}

static void shards_are_one_line_of_a_journal(void **state)
{
    (void)state;
    struct tsl_manifest m;
    struct tsl_json j = { 0 };
    struct tsl_jsonread *doc;
    struct tsl_shard s;
    struct tsl_err err = { 0 };
    assert_ok(make(&m, &err), &err);
    tsl_manifest_write_shard(&m.shards[0], NULL, &j);
    assert_false(j.failed);
    struct tsl_slice text = { (const uint8_t *)j.text, j.len };
    assert_ok(tsl_jsonread_parse(&doc, text, "x", &err), &err);
    assert_ok(tsl_manifest_read_shard(&s, tsl_jsonread_root(doc), "x", &err), &err);
    assert_string_equal(s.stem, "a-0");
    assert_int_equal(s.nfiles, 2);
    assert_string_equal(s.files[1].name, "a-0.\xc3\xa9");
    tsl_shard_fini(&s);
    tsl_jsonread_destroy(doc);
    tsl_json_fini(&j);
    tsl_manifest_fini(&m);
}

static void only_ours_is_one(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is;
    } cases[] = { { "{\"teasel\"", true },
                  { "{ \n \"teasel\": 1", true },
                  { "\"teasel\"", false },
                  { "{\"teasel", false },
                  { "{\"a\":1,\"teasel\"", false },
                  { "", false },
                  { "{", false } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            tsl_manifest_is((const uint8_t *)cases[i].text, strlen(cases[i].text)),
            cases[i].is);
}

static int all_of_it(void *ctx, struct tsl_err *err)
{
    struct tsl_manifest m = { .nshards = 0 }, got;
    (void)ctx;
    int rc = make(&m, err);
    if (rc == 0)
        rc = write_it(&m, NULL, NULL, err);
    tsl_manifest_fini(&m);
    if (rc < 0)
        return rc;
    rc = read_it(&got, "m", err);
    if (rc == 0)
        tsl_manifest_fini(&got);
    return rc;
}

static void any_allocation_that_fails_is_told(void **state)
{
    (void)state;
    struct tsl_manifest m;
    struct tsl_err err = { 0 };
    char *text;
    size_t n;
    assert_ok(make(&m, &err), &err);
    assert_ok(write_it(&m, &text, &n, &err), &err);
    tsl_manifest_fini(&m);
    file_put("m", text, n);
    free(text);
    fault_each_allocation(all_of_it, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_again),
        TEST(what_does_not_add_up_is_told),
        TEST(cuts_and_changes_are_told_or_do_no_harm),
        TEST(one_that_is_larger_than_may_be_held_is_refused),
        TEST(shards_are_one_line_of_a_journal),
        TEST(only_ours_is_one),
        TEST(any_allocation_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/tokfile.h"
#include "text/vocab.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static void a_whole_file_is_read_and_a_missing_one_is_named(void **state)
{
    enum { N = 3 << 20 };
    uint8_t *p = malloc(N), *got;
    size_t n;
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < N; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 9));
    file_put("big", p, N);
    file_put("empty", "", 0);
    assert_ok(tsl_tokfile_read(&got, &n, "big", &err), &err);
    assert_int_equal(n, N);
    assert_memory_equal(got, p, N);
    tsl_mem_free(got);
    assert_ok(tsl_tokfile_read(&got, &n, "empty", &err), &err);
    assert_int_equal(n, 0);
    tsl_mem_free(got);
    assert_err(tsl_tokfile_read(&got, &n, "none", &err), TSL_EIO, &err, "none");
    free(p);
}

static void lines_have_numbers_and_an_empty_last_one_is_none(void **state)
{
    struct tsl_tokfile_lines l = { .rest = slice("a\r\n\nb") };
    struct tsl_slice line;
    (void)state;
    assert_true(tsl_tokfile_line(&l, &line) && line.len == 2 && l.number == 1);
    assert_true(tsl_tokfile_line(&l, &line) && line.len == 0 && l.number == 2);
    assert_true(tsl_tokfile_line(&l, &line) && line.len == 1 && l.number == 3);
    assert_false(tsl_tokfile_line(&l, &line));
    l = (struct tsl_tokfile_lines){ .rest = slice("a\n") };
    assert_true(tsl_tokfile_line(&l, &line));
    assert_false(tsl_tokfile_line(&l, &line));
}

static void ill_formed_utf8_is_found_where_it_begins(void **state)
{
    (void)state;
    assert_int_equal(tsl_tokfile_utf8_end(slice("a\xc3\xa9")), 3);
    assert_int_equal(tsl_tokfile_utf8_end(slice("a\xc3\xa9\xc3")), 3);
    assert_int_equal(tsl_tokfile_utf8_end(slice("\xed\xa0\x80")), 0);
}

static void a_merge_joins_its_parts_less_the_prefix(void **state)
{
    static const char *const tokens[] = { "a", "##b", "ab", "b", "##ab" };
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    struct tsl_tokfile_merges m = { 0 };
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        assert_ok(tsl_vocab_add(v, i, slice(tokens[i]), &err), &err);
    assert_ok(tsl_tokfile_merges_add(&m, v, slice("a"), slice("##b"), 2, "f", &err),
              &err);
    assert_ok(tsl_tokfile_merges_add(&m, v, slice("a"), slice("b"), 0, "f", &err), &err);
    assert_int_equal(m.n, 2);
    assert_true(m.list[0].left == 0 && m.list[0].right == 1 && m.list[0].merged == 2);
    assert_true(m.list[1].left == 0 && m.list[1].right == 3 && m.list[1].merged == 2);
    assert_err(tsl_tokfile_merges_add(&m, v, slice("x"), slice("b"), 0, "f: 3", &err),
               TSL_EFORMAT, &err, "f: 3: the merge's part x");
    assert_err(tsl_tokfile_merges_add(&m, v, slice("b"), slice("b"), 0, "f: 3", &err),
               TSL_EFORMAT, &err, "result bb");
    tsl_tokfile_merges_fini(&m);
    tsl_vocab_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_file_is_read_and_a_missing_one_is_named),
        TEST(lines_have_numbers_and_an_empty_last_one_is_none),
        TEST(ill_formed_utf8_is_found_where_it_begins),
        TEST(a_merge_joins_its_parts_less_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

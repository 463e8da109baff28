#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "support/gendata.h"
#include "text/tokfile_gpt2.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static const char vocab_text[] = "{\"a\":0,\"\\u0120\":1,\"b\":2,\"\\u0120a\":3,"
                                 "\"\\u0120ab\":7,\"\\u2581x\":9}";

static void a_vocabulary_and_its_merges_are_read(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v, *bytes;
    struct tsl_tokfile_merges m = { 0 };
    (void)state;
    assert_ok(tsl_tokfile_gpt2_vocab(&v, slice(vocab_text), "v", &err), &err);
    assert_int_equal(tsl_vocab_size(v), 10);
    assert_int_equal(tsl_vocab_find(v, slice("\xc4\xa0"
                                             "a")),
                     3);
    assert_ok(tsl_tokfile_gpt2_merges(&m, v,
                                      slice("#version: 0.2\n\xc4\xa0 a\r\n#version\n"
                                            "\xc4\xa0"
                                            "a b\n"),
                                      "m", &err),
              &err);
    assert_int_equal(m.n, 2);
    assert_true(m.list[0].left == 1 && m.list[0].right == 0 && m.list[0].merged == 3);
    assert_true(m.list[1].left == 3 && m.list[1].right == 2 && m.list[1].merged == 7);
    bytes = tsl_tokfile_gpt2_bytes(v, &err);
    assert_int_equal(tsl_vocab_find(bytes, slice(" ab")), 7);
    assert_int_equal(tsl_vocab_count(bytes), 5); /* U+2581 is not of the alphabet */
    tsl_vocab_destroy(bytes);
    tsl_vocab_destroy(v);
    tsl_tokfile_merges_fini(&m);
}

static void a_bad_vocabulary_is_refused(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = { { "", "not JSON" },
                { "[]", "must be an object" },
                { "{}", "no tokens" },
                { "{\"a\":-1}", "token a" },
                { "{\"a\":1.0}", "token a" },
                { "{\"a\":\"1\"}", "token a" },
                { "{\"a\":1099511627776}", "token a" },
                { "{\"a\":4294967295}", "id 4294967295" },
                { "{\"a\":1,\"b\":1}", "same id" },
                { "{\"a\":1", "not JSON" } };
    struct tsl_err err = { 0 };
    struct tsl_vocab *v;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_err(tsl_tokfile_gpt2_vocab(&v, slice(bad[i].text), "f", &err), TSL_EFORMAT,
                   &err, bad[i].part);
}

/* Random members, good ones and others: what is read without a tree is what the tree has. */
static void a_plain_object_is_read_as_its_tree_is(void **state)
{
    static const char *const keys[] = { "",         "a",    "b",
                                        "\\u0120a", "\\\\", "\\\"\\n",
                                        "\xc4\xa0", "x y",  "\\ud83d\\ude00",
                                        "{}," };
    static const char *const ids[] = { "0",   "1",   "2",   "3",          "4",
                                       "5 ",  "\n6", "777", "99999",      "16777216",
                                       "-1",  "1.0", "1e1", "1234567890", "null",
                                       "[1]", "{}" };
    static const char *const blanks[] = { "", "", "", " ", "\n\t", "\r\n" };
    struct gen g = { 5 };
    unsigned nread = 0;
    (void)state;
    for (int round = 0; round < 4000; round++) {
        char text[400];
        struct tsl_err err = { 0 };
        struct tsl_vocab *v = NULL, *want = NULL;
        struct tsl_jsonread *doc;
        size_t len = (size_t)sprintf(text, "%s{", blanks[gen_below(&g, 6)]);
        for (size_t n = gen_below(&g, 5), i = 0; i < n; i++)
            len += (size_t)sprintf(text + len, "%s%s\"%s\"%s:%s%s%s", i ? "," : "",
                                   blanks[gen_below(&g, 6)], keys[gen_below(&g, 10)],
                                   blanks[gen_below(&g, 6)], blanks[gen_below(&g, 6)],
                                   ids[gen_below(&g, gen_below(&g, 4) ? 9 : 17)],
                                   blanks[gen_below(&g, 6)]);
        sprintf(text + len, "}%s", blanks[gen_below(&g, 6)]);
        int rc = tsl_tokfile_gpt2_flat(&v, slice(text), &err);
        assert_ok(tsl_jsonread_parse(&doc, slice(text), "it", &err), &err);
        int tree = tsl_tokfile_gpt2_object(&want, tsl_jsonread_root(doc), "it", &err);
        tsl_jsonread_destroy(doc);
        assert_true(rc == 0 || (rc == 1 && tree == 0));
        for (uint32_t id = 0; rc == 1 && id < tsl_vocab_size(want); id++) {
            struct tsl_slice a = tsl_vocab_token(v, id), b = tsl_vocab_token(want, id);
            assert_true(!a.data == !b.data && a.len == b.len);
            assert_memory_equal(a.data ? a.data : b.data, b.data, b.len);
        }
        if (rc == 1) {
            nread++;
            assert_int_equal(tsl_vocab_size(v), tsl_vocab_size(want));
            tsl_vocab_destroy(v);
        }
        if (tree == 0)
            tsl_vocab_destroy(want);
    }
    assert_true(nread > 500);
}

static void a_bad_merge_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = { { "a b\n", "line 1: the merge's result ab" },
                { "#version\n\nx y\n", "line 2" },
                { "\xc4\xa0 a b", "line 1" },
                { "\xc4\xa0 z\n", "part z" },
                { "\xc4\xa0 ", "part ''" },
                { "ab", "line 1" } };
    struct tsl_err err = { 0 };
    struct tsl_vocab *v;
    (void)state;
    assert_ok(tsl_tokfile_gpt2_vocab(&v, slice(vocab_text), "v", &err), &err);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_tokfile_merges m = { 0 };
        assert_err(tsl_tokfile_gpt2_merges(&m, v, slice(bad[i].text), "f", &err),
                   TSL_EFORMAT, &err, bad[i].part);
        tsl_tokfile_merges_fini(&m);
    }
    tsl_vocab_destroy(v);
}

static void what_is_written_is_read_again(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_slice tokens[] = { slice("<|endoftext|>"), slice("\""),
                                        slice("\xc4\xa0"), slice("\xc4\xa0\"") };
    const struct tsl_tokfile_merge merge = { 2, 1, 3 };
    const struct tsl_tokfile_def def = {
        .tokens = tokens, .ntokens = 4, .nspecials = 1, .merges = &merge, .nmerges = 1
    };
    struct tsl_tokfile_out vocab = { 0 }, merges = { 0 };
    struct tsl_tokfile_merges m = { 0 };
    struct tsl_vocab *v;
    (void)state;
    assert_ok(tsl_tokfile_gpt2_write_vocab(&vocab, &def, &err), &err);
    assert_ok(tsl_tokfile_gpt2_write_merges(&merges, &def, "by us", &err), &err);
    assert_int_equal(merges.len, strlen("#version: 0.2 by us\n\xc4\xa0 \"\n"));
    assert_memory_equal(merges.bytes, "#version: 0.2 by us\n\xc4\xa0 \"\n", merges.len);
    assert_ok(tsl_tokfile_gpt2_vocab(&v, (struct tsl_slice){ vocab.bytes, vocab.len },
                                     "v", &err),
              &err);
    for (int i = 0; i < 4; i++)
        assert_int_equal(tsl_vocab_find(v, tokens[i]), i);
    assert_ok(tsl_tokfile_gpt2_merges(
                  &m, v, (struct tsl_slice){ merges.bytes, merges.len }, "m", &err),
              &err);
    assert_true(m.n == 1 && m.list[0].left == 2 && m.list[0].merged == 3);
    tsl_tokfile_merges_fini(&m);
    tsl_vocab_destroy(v);
    tsl_tokfile_out_fini(&vocab);
    tsl_tokfile_out_fini(&merges);
}

static void what_the_files_cannot_hold_is_refused(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_slice tokens[] = { slice("a b"), slice("\xff"), slice("") };
    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        const struct tsl_tokfile_merge merge = { i, i, 0 };
        const struct tsl_tokfile_def def = {
            .tokens = tokens, .ntokens = 3, .merges = &merge, .nmerges = 1
        };
        struct tsl_tokfile_out f = { 0 };
        assert_err(tsl_tokfile_gpt2_write_vocab(&f, &def, &err), TSL_EUSAGE, &err,
                   "not UTF-8");
        if (i != 1)
            assert_err(tsl_tokfile_gpt2_write_merges(&f, &def, "", &err), TSL_EUSAGE,
                       &err, "part of a merge");
        tsl_tokfile_out_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_vocabulary_and_its_merges_are_read),
        TEST(a_bad_vocabulary_is_refused),
        TEST(a_plain_object_is_read_as_its_tree_is),
        TEST(a_bad_merge_is_refused_with_its_line),
        TEST(what_is_written_is_read_again),
        TEST(what_the_files_cannot_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

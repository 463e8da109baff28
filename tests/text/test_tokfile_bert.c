#include "support/test.h"

#include <string.h>

#include "text/tokfile_bert.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static struct tsl_vocab *parse(const char *s, enum tsl_rules rules)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v;
    assert_ok(tsl_tokfile_bert_parse(&v, slice(s), "f", rules, &err), &err);
    return v;
}

static void an_id_is_the_number_of_the_line(void **state)
{
    struct tsl_vocab *v = parse("[PAD]\n[UNK]\n\nthe\n##s", TSL_RULES_HF);
    (void)state;
    assert_int_equal(tsl_vocab_size(v), 5);
    assert_int_equal(tsl_vocab_find(v, slice("[PAD]")), 0);
    assert_int_equal(tsl_vocab_find(v, slice("")), 2);
    assert_int_equal(tsl_vocab_find(v, slice("##s")), 4);
    struct tsl_special_tokens s = tsl_tokfile_bert_specials(v);
    assert_true(s.pad == 0 && s.unk == 1 && s.cls == -1 && s.sep == -1 && s.mask == -1);
    tsl_vocab_destroy(v);
}

static void white_space_goes_as_each_reader_has_it(void **state)
{
    static const char text[] = " a b \xe3\x80\x80\r\n\xc2\xa0x\x1f\n";
    static const struct {
        enum tsl_rules rules;
        const char *first, *second;
    } want[] = { { TSL_RULES_HF, " a b", "\xc2\xa0x\x1f" },
                 { TSL_RULES_GOOGLE, "a b", "x" },
                 { TSL_RULES_BERT4KERAS, "a", "x" } };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tsl_vocab *v = parse(text, want[i].rules);
        assert_int_equal(tsl_vocab_size(v), 2);
        assert_int_equal(tsl_vocab_find(v, slice(want[i].first)), 0);
        assert_int_equal(tsl_vocab_find(v, slice(want[i].second)), 1);
        tsl_vocab_destroy(v);
    }
}

static void a_token_given_twice_has_the_later_id(void **state)
{
    struct tsl_vocab *v = parse("a\nb\na\n", TSL_RULES_HF);
    (void)state;
    assert_int_equal(tsl_vocab_find(v, slice("a")), 2);
    assert_int_equal(tsl_vocab_duplicates(v), 1);
    tsl_vocab_destroy(v);
}

static void a_file_without_tokens_or_not_utf8_is_refused(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v;
    (void)state;
    assert_err(tsl_tokfile_bert_parse(&v, slice(""), "f", TSL_RULES_HF, &err),
               TSL_EFORMAT, &err, "f: no tokens");
    assert_err(tsl_tokfile_bert_parse(&v, slice("a\nb\xe9\n"), "f", TSL_RULES_HF, &err),
               TSL_EFORMAT, &err, "line 2 is not UTF-8");
}

static void a_vocabulary_is_cased_where_lower_case_would_change_a_token(void **state)
{
    static const struct {
        const char *text;
        bool cased;
    } want[] = { { "[CLS]\nthe\n<S>\n\xe2\x84\x9d\n", false },
                 { "[CLS]\nThe\n", true },
                 { "##\xc3\x89\n", true },
                 { "[\nA\n", true } };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct tsl_vocab *v = parse(want[i].text, TSL_RULES_HF);
        assert_int_equal(tsl_tokfile_bert_cased(v), want[i].cased);
        tsl_vocab_destroy(v);
    }
}

static void what_is_written_is_read_again(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_slice tokens[] = { slice("[PAD]"), slice("[UNK]"), slice("the"),
                                        slice("##\xe4\xbd\xa0"), slice("a b") };
    const struct tsl_tokfile_def def = { .tokens = tokens, .ntokens = 5 };
    (void)state;
    for (int rules = TSL_RULES_HF; rules <= TSL_RULES_GOOGLE; rules++) {
        struct tsl_tokfile_out f = { 0 };
        assert_ok(tsl_tokfile_bert_write(&f, &def, &err), &err);
        struct tsl_vocab *v;
        assert_ok(tsl_tokfile_bert_parse(&v, (struct tsl_slice){ f.bytes, f.len }, "f",
                                         (enum tsl_rules)rules, &err),
                  &err);
        assert_int_equal(tsl_vocab_size(v), 5);
        for (int i = 0; i < 5; i++)
            assert_int_equal(tsl_vocab_find(v, tokens[i]), i);
        tsl_vocab_destroy(v);
        tsl_tokfile_out_fini(&f);
    }
}

static void what_no_line_can_hold_is_refused(void **state)
{
    static const char *const bad[] = { "",     " a",   "a ",    "a\n",         "\n",
                                       "a\nb", "\xff", "a\x1c", "\xe3\x80\x80" };
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct tsl_slice token = slice(bad[i]);
        const struct tsl_tokfile_def def = { .tokens = &token, .ntokens = 1 };
        struct tsl_tokfile_out f = { 0 };
        assert_err(tsl_tokfile_bert_write(&f, &def, &err), TSL_EUSAGE, &err,
                   "cannot be a line");
        tsl_tokfile_out_fini(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_the_number_of_the_line),
        TEST(white_space_goes_as_each_reader_has_it),
        TEST(a_token_given_twice_has_the_later_id),
        TEST(a_file_without_tokens_or_not_utf8_is_refused),
        TEST(a_vocabulary_is_cased_where_lower_case_would_change_a_token),
        TEST(what_is_written_is_read_again),
        TEST(what_no_line_can_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

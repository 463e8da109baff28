#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokfile_tiktoken.h"

/* The 256 bytes, and n more tokens of three bytes each. */
static char *file_of(unsigned n)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc(32 * (256 + (size_t)n) + 1), *p = text;
    for (unsigned b = 0; b < 256; b++)
        p += sprintf(p, "%c%c== %u\n", digits[b >> 2], digits[(b & 3) << 4], b);
    for (unsigned i = 0; i < n; i++)
        p += sprintf(p, "%c%c%c%c %u\n", digits[i >> 18 & 63], digits[i >> 12 & 63],
                     digits[i >> 6 & 63], digits[i & 63], 256 + i);
    return text;
}

static int parse(struct tsl_tokfile_tiktoken *t, const char *text, const char *encoding,
                 struct tsl_err *err)
{
    return tsl_tokfile_tiktoken_parse(
        t, (struct tsl_slice){ (const uint8_t *)text, strlen(text) }, "f", encoding, err);
}

static void ranks_are_ids_and_the_pattern_is_told_by_name_or_size(void **state)
{
    static const struct {
        unsigned ranks;
        const char *name, *found;
        enum tsl_splitpat pattern;
        size_t nspecials;
    } want[] = { { 50256, NULL, "r50k", TSL_SPLITPAT_GPT2, 1 },
                 { 50280, NULL, "p50k", TSL_SPLITPAT_GPT2, 1 },
                 { 100256, NULL, "cl100k", TSL_SPLITPAT_CL100K_T, 5 },
                 { 199998, NULL, "o200k", TSL_SPLITPAT_O200K, 2 },
                 { 300, "cl100k", "cl100k", TSL_SPLITPAT_CL100K_T, 0 },
                 { 50256, "gpt2", "gpt2", TSL_SPLITPAT_GPT2, 1 } };
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char *text = file_of(want[i].ranks - 256);
        struct tsl_tokfile_tiktoken t;
        assert_ok(parse(&t, text, want[i].name, &err), &err);
        assert_int_equal(tsl_vocab_count(t.vocab), want[i].ranks);
        for (unsigned b = 0; b < 256; b++) {
            struct tsl_slice s = tsl_vocab_token(t.vocab, b);
            assert_true(s.len == 1 && s.data[0] == b);
        }
        assert_string_equal(t.encoding, want[i].found);
        assert_int_equal(t.pattern, want[i].pattern);
        assert_int_equal(t.nspecials, want[i].nspecials);
        tsl_vocab_destroy(t.vocab);
        free(text);
    }
}

static void a_line_that_is_not_a_token_and_a_rank_is_refused(void **state)
{
    static const char *const bad[] = { "QUJD",     "QUJD x",
                                       "QUJ 300",  "QU=D 300",
                                       "==== 300", "QUJD 300 1",
                                       "QUJD -1",  "QUJD 4294967296",
                                       "QUJD 5",   "QUJD 99999999999999999999",
                                       "Q-JD 300", "QUJD 20000000" };
    char *good = file_of(44), *text = malloc(strlen(good) + 64);
    struct tsl_tokfile_tiktoken t;
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sprintf(text, "%s\n%s\n", good, bad[i]);
        assert_err(parse(&t, text, "cl100k", &err), TSL_EFORMAT, &err, "f: line 302");
    }
    free(text);
    free(good);
}

static void a_file_cut_short_and_an_unknown_pattern_are_refused(void **state)
{
    char *text = file_of(10);
    struct tsl_tokfile_tiktoken t;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(parse(&t, "", NULL, &err), TSL_EFORMAT, &err, "no tokens");
    assert_err(parse(&t, text, NULL, &err), TSL_EUSAGE, &err, "266 ranks");
    assert_err(parse(&t, text, "k9", &err), TSL_EUSAGE, &err, "pattern k9");
    text[35] = '\0';
    assert_err(parse(&t, text, "r50k", &err), TSL_EFORMAT, &err, "byte 0x0");
    free(text);
}

static void such_a_file_is_known_by_its_first_line(void **state)
{
    static const struct {
        const char *text;
        bool is;
    } want[] = {
        { "IQ== 0\nIg== 1\n", true }, { "\nIQ== 0", true },   { "", false },
        { "[PAD]\n", false },         { "{\"a\":1}", false }, { "a 1\n", false }
    };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_int_equal(tsl_tokfile_tiktoken_is((struct tsl_slice){
                             (const uint8_t *)want[i].text, strlen(want[i].text) }),
                         want[i].is);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranks_are_ids_and_the_pattern_is_told_by_name_or_size),
        TEST(a_line_that_is_not_a_token_and_a_rank_is_refused),
        TEST(a_file_cut_short_and_an_unknown_pattern_are_refused),
        TEST(such_a_file_is_known_by_its_first_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

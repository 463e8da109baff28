#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "support/fixture.h"
#include "support/gendata.h"
#include "text/splitpat.h"
#include "text/splitregex.h"

static struct tsl_slice text_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* The fixture's first row names the patterns. */
struct patterns {
    struct {
        char name[16];
        enum tsl_splitpat pat;
    } p[8];
    size_t n;
};

static void check_row(const struct tsl_jsonval *row, void *ctx)
{
    struct patterns *known = ctx;
    if (known->n == 0) {
        struct tsl_jsonread_member m = { 0 };
        while (tsl_jsonread_next(tsl_jsonread_get(row, "patterns"), &m)) {
            struct tsl_slice regex;
            assert_true(tsl_jsonread_str(m.value, &regex));
            snprintf(known->p[known->n].name, sizeof known->p->name, "%.*s",
                     (int)m.key.len, (const char *)m.key.data);
            known->p[known->n].pat = tsl_splitpat_find(regex);
            assert_int_not_equal(known->p[known->n].pat, TSL_SPLITPAT_UNKNOWN);
            known->n++;
        }
        return;
    }
    struct tsl_slice name = fixture_str(row, "p"), text = fixture_str(row, "text");
    const struct tsl_jsonval *ends = tsl_jsonread_get(row, "ends");
    size_t which = 0, count = 0, chars = 0;
    while (strncmp(known->p[which].name, (const char *)name.data, name.len) != 0)
        which++;
    for (size_t at = 0; at < text.len; count++) {
        bool matched;
        size_t n = tsl_splitpat_next(known->p[which].pat, text.data + at, text.len - at,
                                     &matched);
        for (size_t i = at; i < at + n; i++)
            chars += (text.data[i] & 0xc0) != 0x80;
        at += n;
        if ((int64_t)chars != fixture_int_at(ends, count))
            fail_msg("%s: %.*s: piece %zu", known->p[which].name, (int)text.len,
                     (const char *)text.data, count);
    }
    assert_int_equal(count, tsl_jsonread_size(ends));
}

static void pieces_are_those_of_the_peer(void **state)
{
    struct patterns known = { .n = 0 };
    (void)state;
    assert_int_equal(
        fixture_each("tokenizers/hf-components/expected/split_patterns.jsonl", check_row,
                     &known),
        1301);
    assert_int_equal(known.n, 5);
}

/* The pieces, with "|" between them and "~" before those that are gaps. */
static void assert_pieces_n(enum tsl_splitpat pat, const char *text, size_t n,
                            const char *want)
{
    char got[256];
    size_t len = 0;
    for (size_t at = 0; at < n;) {
        bool matched;
        size_t piece =
            tsl_splitpat_next(pat, (const uint8_t *)text + at, n - at, &matched);
        assert_true(piece > 0 && piece <= n - at);
        if (at > 0)
            got[len++] = '|';
        if (!matched)
            got[len++] = '~';
        memcpy(got + len, text + at, piece);
        len += piece;
        at += piece;
    }
    got[len] = '\0';
    assert_string_equal(got, want);
}

static void assert_pieces(enum tsl_splitpat pat, const char *text, const char *want)
{
    assert_pieces_n(pat, text, strlen(text), want);
}

static void spellings_are_told_apart(void **state)
{
    (void)state;
    for (enum tsl_splitpat p = TSL_SPLITPAT_GPT2; p <= TSL_SPLITPAT_CL100K_ONIG; p++)
        if (p != TSL_SPLITPAT_CL100K_T)
            assert_int_equal(tsl_splitpat_find(text_of(tsl_splitpat_regex(p))), p);
    assert_int_equal(
        tsl_splitpat_find(text_of("'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++|"
                                  " ?[^\\s\\p{L}\\p{N}]++|\\s++$|"
                                  "\\s+(?!\\S)|\\s")),
        TSL_SPLITPAT_GPT2);
    assert_int_equal(tsl_splitpat_find(text_of("\\p{N}{1,4}")), TSL_SPLITPAT_UNKNOWN);
    assert_int_equal(tsl_splitpat_find(text_of("")), TSL_SPLITPAT_UNKNOWN);
}

static void only_tiktokens_cl100k_takes_white_space_at_the_end_as_one(void **state)
{
    (void)state;
    assert_pieces(TSL_SPLITPAT_CL100K, "a \n  ", "a| \n|  ");
    assert_pieces(TSL_SPLITPAT_CL100K_T, "a \n  ", "a| \n  ");
    assert_pieces(TSL_SPLITPAT_CL100K_T, "a \n  b", "a| \n| | b");
    assert_pieces(TSL_SPLITPAT_CL100K_T, "12345", "123|45");
    assert_pieces(TSL_SPLITPAT_CL100K_ONIG, "12345", "12345");
}

static void contractions_fold_only_where_the_pattern_says(void **state)
{
    (void)state;
    assert_pieces(TSL_SPLITPAT_GPT2, "I'll I'LL 's'S", "I|'ll| I|'|LL| '|s|'|S");
    assert_pieces(TSL_SPLITPAT_CL100K, "I'LL'\u017f'\u017ft", "I|'LL|'\u017f|'\u017f|t");
    assert_pieces(TSL_SPLITPAT_O200K, "I'LLx", "I'LL|x");
    assert_pieces(TSL_SPLITPAT_TEKKEN, "I'LLx", "I|'LLx");
}

static void case_divides_words_of_o200k(void **state)
{
    (void)state;
    assert_pieces(TSL_SPLITPAT_O200K, "fooBarBAZqux HTTPServer",
                  "foo|Bar|BAZqux| HTTPServer");
    assert_pieces(TSL_SPLITPAT_O200K, "ABC\u4e2dDEF", "ABC\u4e2d|DEF");
    /* A mark may lead a word, or be one. */
    assert_pieces(TSL_SPLITPAT_O200K, "\u0301ABC", "\u0301|ABC");
    assert_pieces(TSL_SPLITPAT_O200K, "\u0301abc", "\u0301abc");
}

static void some_patterns_leave_gaps(void **state)
{
    (void)state;
    assert_pieces(TSL_SPLITPAT_DIGITS3, "ab1234c", "~ab|123|4|~c");
    assert_pieces(TSL_SPLITPAT_CJK, "ab\u4e2d\u30a2c", "~ab|\u4e2d\u30a2|~c");
    assert_pieces(TSL_SPLITPAT_DEEPSEEK, "12 3", "~12| |~3");
}

static void ill_formed_parts_are_neither_letters_nor_numbers_nor_space(void **state)
{
    (void)state;
    assert_pieces(TSL_SPLITPAT_GPT2, "a\xff\xf0\x9f b", "a|\xff\xf0\x9f| b");
    assert_pieces(TSL_SPLITPAT_GPT2, " \xff", " \xff");
    assert_pieces(TSL_SPLITPAT_CL100K,
                  "\xe4\xb8"
                  "abc",
                  "\xe4\xb8"
                  "abc");
    /* what is cut off at the end is not read beyond it */
    assert_pieces_n(TSL_SPLITPAT_GPT2, "a\xe4\xb8\xad", 3, "a|\xe4\xb8");
}

/* Of characters that PCRE2 and the peer have alike. */
static void the_hand_written_scanners_agree_with_the_regex_engine(void **state)
{
    static const char *const alphabet[] = {
        "a",      "b",      "S",          "T",      "l",      "e",      "v",
        "'",      "'",      " ",          " ",      "\t",     "\n",     "\r",
        "1",      "9",      "\u00b2",     ".",      "/",      "$",      "\u00e9",
        "\u4e2d", "\u30a2", "\u0301",     "\u01c5", "\u02b0", "\u00a0", "\u3000",
        "\x01",   "\u216b", "\U0001f600",
    };
    struct gen g = { 11 };
    (void)state;
    for (enum tsl_splitpat p = TSL_SPLITPAT_GPT2; p <= TSL_SPLITPAT_CL100K_ONIG; p++) {
        struct tsl_err err = { 0 };
        struct tsl_splitregex *re;
        if (p == TSL_SPLITPAT_CL100K_T)
            continue; /* its text means Oniguruma's reading there */
        re = tsl_splitregex_create(text_of(tsl_splitpat_regex(p)), &err);
        assert_ok(re ? 0 : err.code, &err);
        for (int round = 0; round < 400; round++) {
            char text[160] = "";
            size_t n = 1 + gen_below(&g, 24);
            for (size_t i = 0; i < n; i++)
                strcat(text, alphabet[gen_below(&g, sizeof alphabet / sizeof *alphabet)]);
            size_t len = strlen(text), at = 0, begin, end;
            struct tsl_splitregex_scan scan;
            bool matched;
            assert_ok(tsl_splitregex_begin(&scan, re, text_of(text), &err), &err);
            while (tsl_splitregex_next(&scan, &begin, &end, &err) > 0) {
                size_t piece;
                if (at < begin) {
                    piece =
                        tsl_splitpat_next(p, (uint8_t *)text + at, len - at, &matched);
                    assert_false(matched);
                    assert_int_equal(at + piece, begin);
                    at = begin;
                }
                piece = tsl_splitpat_next(p, (uint8_t *)text + at, len - at, &matched);
                if (!matched || at + piece != end)
                    fail_msg("pattern %d, text %s: at %zu", (int)p, text, at);
                at = end;
            }
            if (at < len) {
                assert_int_equal(
                    at + tsl_splitpat_next(p, (uint8_t *)text + at, len - at, &matched),
                    len);
                assert_false(matched);
            }
            assert_int_equal(err.code, 0);
            tsl_splitregex_end(&scan);
        }
        tsl_splitregex_destroy(re);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_are_those_of_the_peer),
        TEST(spellings_are_told_apart),
        TEST(only_tiktokens_cl100k_takes_white_space_at_the_end_as_one),
        TEST(contractions_fold_only_where_the_pattern_says),
        TEST(case_divides_words_of_o200k),
        TEST(some_patterns_leave_gaps),
        TEST(ill_formed_parts_are_neither_letters_nor_numbers_nor_space),
        TEST(the_hand_written_scanners_agree_with_the_regex_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/splitregex.h"

static struct tsl_slice text_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* All matches as "begin-end " each. */
static void assert_matches(const char *pattern, const char *text, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_splitregex_scan scan;
    struct tsl_splitregex *re = tsl_splitregex_create(text_of(pattern), &err);
    char got[256] = "";
    size_t begin, end;
    int rc;
    assert_ok(re ? 0 : err.code, &err);
    assert_ok(tsl_splitregex_begin(&scan, re, text_of(text), &err), &err);
    while ((rc = tsl_splitregex_next(&scan, &begin, &end, &err)) > 0)
        snprintf(got + strlen(got), sizeof got - strlen(got), "%zu-%zu ", begin, end);
    assert_ok(rc, &err);
    assert_int_equal(tsl_splitregex_next(&scan, &begin, &end, &err), 0); /* stays so */
    tsl_splitregex_end(&scan);
    tsl_splitregex_destroy(re);
    assert_string_equal(got, want);
}

static void assert_refused(const char *pattern, const char *why)
{
    struct tsl_err err = { 0 };
    assert_null(tsl_splitregex_create(text_of(pattern), &err));
    assert_err(err.code, TSL_EFORMAT, &err, why);
}

static void matches_are_found_from_left_to_right(void **state)
{
    (void)state;
    assert_matches("ab?", "abxa", "0-2 3-4 ");
    assert_matches("\u00e9", "e\u00e9\u00e9", "1-3 3-5 ");
    assert_matches("x", "", "");
    assert_matches("(?<=a)b", "bab", "2-3 "); /* what is before the match counts */
}

static void an_empty_match_is_taken_only_where_none_ended(void **state)
{
    (void)state;
    assert_matches("a*", "baac\u00e9", "0-0 1-3 4-4 6-6 ");
    assert_matches("", "\u00e9z", "0-0 2-2 3-3 ");
    assert_matches("", "", "0-0 ");
}

static void lines_end_as_in_oniguruma(void **state)
{
    (void)state;
    assert_matches("^a", "ab\nab", "0-1 3-4 ");
    assert_matches("b$", "ab\nab\n", "1-2 4-5 ");
    assert_matches("a$", "a\r\n", "");
    assert_matches(".+", "a\nb", "0-1 2-3 ");
}

static void classes_are_those_of_oniguruma(void **state)
{
    (void)state;
    assert_matches("\\s", "\u180e \u00a0\xc2\x85\x1c", "3-4 4-6 6-8 ");
    assert_matches("[\\s]", "\u180e ", "3-4 ");
    assert_matches("\\S", "\u180e ", "0-3 ");
    assert_matches("\\w+", "a\u0301_\u00bd.\u2460",
                   "0-6 "); /* marks and Latin-1's numbers */
    assert_matches("\\W", "\u2460", "0-3 ");
    assert_matches("\\h+", " \tfA0g", "2-5 ");
    assert_matches("\\b", "a\u0301 ", "0-0 3-3 ");
    assert_matches("\\B", "a\u0301 ", "1-1 4-4 ");
    assert_matches("[[:punct:]]+", "a+\u20ac.", "1-6 ");
    assert_matches("[[:space:]x]+", " x\u180e", "0-2 ");
    assert_matches("\\d", "\u0663\u00b2", "0-2 ");
}

static void a_class_within_a_class_is_a_part_of_it(void **state)
{
    (void)state;
    assert_matches("[a[bc]d]+", "xabcdx", "1-5 ");
    assert_matches(" ?[^(\\s|[.,!?\u2026])]+", "a b.c(d", "0-1 1-3 4-5 6-7 ");
    assert_matches("[]a]+", "a]b", "0-2 ");
    assert_matches("[^]a]+", "a]b", "2-3 ");
    assert_matches("[\\]\\[]", "[]", "0-1 1-2 ");
}

static void classes_are_negated_and_intersected(void **state)
{
    (void)state;
    assert_matches("[\\p{L}&&[^\\p{Han}]]+", "ab\u4e2dc", "0-2 5-6 ");
    assert_matches("[a-z&&[aeiou]&&[a-e]]", "abcdei", "0-1 4-5 ");
    assert_matches("[^a-z&&[aeiou]]", "ab1", "1-2 2-3 ");
    assert_matches("[x[^a-z]]+", "abx1y", "2-4 ");
    assert_matches("[^x[^a-z]]+", "abx1y", "0-2 4-5 ");
    assert_matches("[^\\W_]+", "ab_c ", "0-2 3-4 ");
    assert_matches("[^\\S\n]+", " \t\n ", "0-2 3-4 ");
    assert_matches("[[:^alpha:]]", "a1", "1-2 ");
    assert_matches("[[:alpha:]]+", "a\u0363z1", "0-4 ");
    assert_matches("[a[\\p{N}&&[^5]]]+", "a15b", "0-2 ");
    /* a side of && with nothing in it has no members */
    assert_matches("[&&a]", "a&", "");
    assert_matches("[a&&]", "a&", "");
    assert_matches("[^a&&]", "a&", "0-1 1-2 ");
    assert_matches("[b[&&a]]", "ab", "1-2 ");
    assert_matches("[a[^&&b]]", "b", "0-1 ");
}

static void a_hyphen_that_is_no_range_stays_none_in_another_class(void **state)
{
    (void)state;
    assert_matches("[[a-]z]", "bz-a", "1-2 2-3 3-4 ");
    assert_matches("[a[-z]]", "bz-a", "1-2 2-3 3-4 ");
    assert_matches("[\\p{L}-]+", "a-b,", "0-3 ");
    assert_matches("[a-c-e]", "bd-", "0-1 2-3 ");
    assert_matches("[+--]", "+,-.", "0-1 1-2 2-3 ");
    assert_matches("[]-a]", "^]b", "0-1 1-2 ");
    assert_matches("[\\x41-\\x43]+", "ABCD", "0-3 ");
    assert_refused("[a-[z]]", "ends with a class");
}

static void a_cluster_is_that_of_unicode_16(void **state)
{
    (void)state;
    assert_matches("\\X", "\U0001f4bb\U0001f4bb", "0-4 4-8 ");
    assert_matches("\\X", "\U0001f4bb\u200d\U0001f4bba", "0-11 11-12 ");
    assert_matches("\\X", "\U0001f4bb\u200d\u200d\U0001f4bb", "0-10 10-14 ");
    assert_matches("\\X", "\U0001f44d\U0001f3fde\u0301", "0-8 8-11 ");
    assert_matches("\\X", "\U0001f1e9\U0001f1ea\U0001f1eb", "0-8 8-12 ");
    assert_matches("\\X", "\r\n\u0301", "0-2 2-4 ");
    assert_matches("\\X", "\u0600a\u0600\n", "0-3 3-5 5-6 ");
    assert_matches("\\X", "\u1100\u1161\u11a8\uac00\uac01\u1161",
                   "0-9 9-12 12-15 15-18 ");
    assert_matches("\\X", "a\u0897\u0e33\u102b", "0-7 7-10 "); /* new in 16; none */
}

static void properties_are_those_of_unicode_16_without_extensions(void **state)
{
    (void)state;
    assert_matches("\\p{Greek}", "\u0345\u03b1", "2-4 "); /* its script is Inherited */
    assert_matches("\\p{Han}", "\u32ff\U00031350\u4e2d", "3-7 7-10 ");
    assert_matches("\\p{N}\\d", "\U000116db\U000116da", "0-8 ");
    assert_matches("\\p{^L}\\P{Letter}", "a12", "1-3 ");
    assert_matches("\\p{Alnum}+\\p{Punct}", "a1$b2.", "3-6 ");
    assert_matches("\\u00e9[\\u4e00-\\u9fff]", "\u00e9\u4e2d", "0-5 ");
    assert_matches("(?m)a.b", "a\nb", "0-3 "); /* Ruby's m */
    assert_matches("x{,2}y", "xxy", "0-3 ");
}

static void categories_and_scripts_know_what_unicode_15_and_16_added(void **state)
{
    (void)state;
    assert_matches("\\p{Lo}", "\U00016d40\U00010d4a", "4-8 ");
    assert_matches("\\p{Lm}", "\U00016d40\U00010d4a", "0-4 ");
    assert_matches("\\p{Mn}", "\u0897\u0301\U0001171e", "0-3 3-5 ");
    assert_matches("\\p{Spacing Mark}", "\u0cf3\U0001171e", "0-3 3-7 ");
    assert_matches("\\p{Pd}", "-\U00010d6e", "0-1 1-5 ");
    assert_matches("\\p{So}", "\u2427", "0-3 ");
    assert_matches("\\p{Cn}", "\u0897\u0378", "3-5 ");
    assert_matches("\\P{C}", "\u0897\u0378\u200b", "0-3 ");
    assert_matches("\\p{Cf}", "\U00013439a", "0-4 ");
    assert_matches("\\p{Arabic}", "\u0897", "0-3 ");
    assert_matches("\\p{Devanagari}", "\U00011b00", "0-4 ");
    assert_matches("\\p{Common}", "\u2427a", "0-3 ");
    assert_matches("\\p{Emoji}", "\U0001fae9x", "0-4 ");
    assert_matches("[[:graph:]]", "a \n\u0897\u0378", "0-1 3-6 ");
    assert_matches("\\p{Print}", "a \n\U00013439", "0-1 1-2 3-7 ");
    assert_matches("\\p{Word}", "\u00b2", "0-2 ");
    assert_matches("[\\p{Word}]", "\u00b2", "");
}

static void a_plus_behind_an_interval_repeats_it(void **state)
{
    (void)state;
    assert_matches("\\d{1,3}+", "12345", "0-5 ");
    assert_matches("\\d{1,3}", "12345", "0-3 3-5 ");
    assert_matches("a{2}", "aaaaa", "0-2 2-4 ");
    assert_matches("a{2,}", "aaaaa", "0-5 ");
    assert_matches("a++b", "aab", "0-3 ");
    assert_matches("x{,y{", "x{,y{", "0-5 ");
}

static void what_is_no_pattern_is_refused_with_its_text(void **state)
{
    (void)state;
    assert_refused("a(b", "'a(b'");
    assert_refused("[a", "a class without its ]");
    assert_refused("a\\", "a backslash at the end");
    assert_refused("*a", "quantifier");
    assert_refused("\xff", "UTF-8");
}

static void what_would_mean_something_else_is_refused(void **state)
{
    (void)state;
    assert_refused("[[:emoji:]]", "[:class:]");
    assert_refused("[\\K]", "within a class");
    assert_refused("\\p{L", "without its }");
    assert_refused("\\pL", "without its {");
    assert_refused("a{2,3}+", "n above 1");
    assert_refused("a\\Kb", "escape");
    assert_refused("\\Qa\\E", "escape");
    assert_refused("(*UCP)a", "group");
}

static void a_pattern_of_many_classes_within_classes_is_refused(void **state)
{
    char *deep = calloc(100001, 1);
    (void)state;
    memset(deep, '[', 60000);
    assert_refused(deep, "too deep");
    memset(deep, '(', 60000);
    assert_refused(deep, "parentheses");
    memset(deep, 'a', 100000);
    assert_refused(deep, "100000 bytes");
    free(deep);
}

static void parts_of_a_class_that_overlap_take_no_more_steps(void **state)
{
    (void)state;
    assert_matches("[\\w\\H]*!",
                   "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz?",
                   "");
}

static void too_many_steps_are_an_error_and_no_hang(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_splitregex_scan scan;
    char text[64];
    size_t begin, end;
    (void)state;
    memset(text, 'a', 40);
    strcpy(text + 40, "!");
    struct tsl_splitregex *re = tsl_splitregex_create(text_of("(a+a+)+(b|c)"), &err);
    assert_non_null(re);
    assert_ok(tsl_splitregex_begin(&scan, re, text_of(text), &err), &err);
    int rc = tsl_splitregex_next(&scan, &begin, &end, &err);
    assert_err(rc, TSL_EFORMAT, &err, "match limit");
    tsl_splitregex_end(&scan);
    tsl_splitregex_destroy(re);
}

static void a_long_match_does_not_depend_on_the_stack(void **state)
{
    enum { N = 200000 };
    struct tsl_err err = { 0 };
    struct tsl_splitregex_scan scan;
    char *text = malloc(N + 1);
    size_t begin, end;
    (void)state;
    for (size_t i = 0; i < N; i++)
        text[i] = "ab"[i % 2];
    text[N] = '\0';
    struct tsl_splitregex *re = tsl_splitregex_create(text_of("(?:ab|cd)+"), &err);
    assert_non_null(re);
    assert_ok(tsl_splitregex_begin(&scan, re, text_of(text), &err), &err);
    int rc = tsl_splitregex_next(&scan, &begin, &end, &err);
    assert_ok(rc, &err);
    assert_int_equal(end, N);
    tsl_splitregex_end(&scan);
    tsl_splitregex_destroy(re);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(matches_are_found_from_left_to_right),
        TEST(an_empty_match_is_taken_only_where_none_ended),
        TEST(lines_end_as_in_oniguruma),
        TEST(classes_are_those_of_oniguruma),
        TEST(a_class_within_a_class_is_a_part_of_it),
        TEST(classes_are_negated_and_intersected),
        TEST(a_hyphen_that_is_no_range_stays_none_in_another_class),
        TEST(a_cluster_is_that_of_unicode_16),
        TEST(properties_are_those_of_unicode_16_without_extensions),
        TEST(categories_and_scripts_know_what_unicode_15_and_16_added),
        TEST(a_plus_behind_an_interval_repeats_it),
        TEST(what_is_no_pattern_is_refused_with_its_text),
        TEST(what_would_mean_something_else_is_refused),
        TEST(a_pattern_of_many_classes_within_classes_is_refused),
        TEST(parts_of_a_class_that_overlap_take_no_more_steps),
        TEST(too_many_steps_are_an_error_and_no_hang),
        TEST(a_long_match_does_not_depend_on_the_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

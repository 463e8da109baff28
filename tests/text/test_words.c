#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fakewords.h"
#include "support/fault.h"
#include "support/gendata.h"

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static struct tsl_words *parsed(const char *list)
{
    struct tsl_err err = { 0 };
    struct tsl_words *w = NULL;
    assert_ok(tsl_words_parse(&w, str(list), "words.txt", &fakewords, NULL, &err), &err);
    return w;
}

static struct tsl_tokens tokens_of(const char *text)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    size_t used;
    tsl_tokens_init(&t, TSL_WANT_MARKS);
    assert_ok(fakewords_encode(NULL, str(text), true, true, &used, &t, &err), &err);
    return t;
}

/* The words of t, a blank before each. */
static void print(const struct tsl_tokens *t, char *out)
{
    for (size_t i = 0; i < t->n; i++) {
        if (i && t->marks[i] & TSL_TOKEN_WORD_START)
            *out++ = ' ';
        *out++ = (char)t->ids[i];
    }
    *out = '\0';
}

static void marks(const struct tsl_words *w, const char *text, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_words_scratch s = { 0 };
    struct tsl_tokens t = tokens_of(text);
    char got[400];
    size_t done = 0;
    assert_ok(tsl_words_mark(w, &s, &t, 0, true, &done, &err), &err);
    assert_int_equal(done, t.n);
    print(&t, got);
    assert_string_equal(got, want);
    tsl_words_scratch_fini(&s);
    tsl_tokens_fini(&t);
}

static void without_counts_the_longest_word_from_the_left_is_taken(void **state)
{
    struct tsl_words *w = parsed("ab\nabc\nbcd\ncd\nxyz\n");
    (void)state;
    assert_int_equal(tsl_words_count(w), 5);
    marks(w, "", "");
    marks(w, "a", "a");
    marks(w, "ab", "ab");
    marks(w, "abcd", "abc d"); /* not ab cd */
    marks(w, "bcdab", "bcd ab");
    marks(w, "xyab", "x y ab"); /* a word's beginning is none */
    marks(w, "xyzxyz", "xyz xyz");
    marks(w, "abab cd", "ab abc d"); /* blanks are no tokens */
    marks(w, "abab", "ab ab");
    tsl_words_destroy(w);
}

static void a_word_ends_where_another_begins(void **state)
{
    struct tsl_words *w = parsed("ab\na#b\n");
    (void)state;
    marks(w, "ab#", "a b#"); /* ab would end inside b# */
    marks(w, "a#b", "a#b");
    marks(w, "a#ab", "a# ab");
    tsl_words_destroy(w);
}

/* Its probability: the product of count / all, 1 / all for what is in no word. */
static void with_counts_the_most_probable_path_is_taken(void **state)
{
    (void)state;
    struct tsl_words *w = parsed("ab\t100\ncd\t100\nabc\t1\nbc\t3\n");
    marks(w, "abcd", "ab cd"); /* abc d: two words met once */
    marks(w, "abc", "abc");    /* 1 of 204, ab c: 100 of 204 and 1 of 204 */
    tsl_words_destroy(w);
    w = parsed("ab\t2\nabc\t2000\nbcd\t2\n");
    marks(w, "abcd", "abc d");
    tsl_words_destroy(w);
    w = parsed("ab\t5\nbc\t7\n");
    marks(w, "abc", "a bc");
    marks(w, "abcbc", "a bc bc");
    tsl_words_destroy(w);
    w = parsed("ab\t5\nbc\t5\n"); /* equal: the longer first word */
    marks(w, "abc", "ab c");
    tsl_words_destroy(w);
}

static void words_that_cannot_be_met_are_left_out(void **state)
{
    struct tsl_words *w = parsed("\n   \na?\n#b\nab\r\n\nab\n");
    (void)state;
    assert_int_equal(tsl_words_count(w), 2); /* ab, twice */
    marks(w, "ab#b", "a b# b");
    marks(w, "a?", "a ?");
    tsl_words_destroy(w);
    w = parsed("ab\t0\ncd\t1\n"); /* never met */
    marks(w, "abcd", "a b cd");
    tsl_words_destroy(w);
    w = parsed(""); /* no words at all change nothing */
    assert_int_equal(tsl_words_count(w), 0);
    marks(w, "abcd", "a b c d");
    tsl_words_destroy(w);
}

static void only_marks_of_starts_are_taken_away(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_words_scratch s = { 0 };
    struct tsl_words *w = parsed("ab\n");
    struct tsl_tokens t = tokens_of("xab?");
    size_t done;
    (void)state;
    t.marks[2] |= TSL_TOKEN_SPECIAL;
    assert_ok(tsl_words_mark(w, &s, &t, 1, true, &done, &err), &err);
    assert_int_equal(t.marks[0], TSL_TOKEN_WORD_START);
    assert_int_equal(t.marks[1], TSL_TOKEN_WORD_START);
    assert_int_equal(t.marks[2], TSL_TOKEN_SPECIAL);
    assert_int_equal(t.marks[3], TSL_TOKEN_WORD_START | TSL_TOKEN_UNKNOWN);
    tsl_tokens_fini(&t);
    tsl_words_scratch_fini(&s);
    tsl_words_destroy(w);
}

static void a_text_in_parts_is_marked_as_a_whole_one(void **state)
{
    static const char *const lists[] = { "ab\nabc\nbca\ncabab\naa\n",
                                         "ab\t9\nabc\t3\nbca\t8\ncabab\t1\naa\t2\n" };
    struct gen g = { 3 };
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct tsl_err err = { 0 };
        struct tsl_words_scratch s = { 0 };
        struct tsl_words *w = parsed(lists[round % 2]);
        char text[80];
        size_t n = gen_below(&g, sizeof text), done = 0;
        for (size_t i = 0; i < n; i++)
            text[i] = "abcab#"[gen_below(&g, 6)];
        text[n ? n : 0] = '\0';
        text[0] = n ? 'a' : '\0';
        struct tsl_tokens whole = tokens_of(text), all = tokens_of(text);
        assert_ok(tsl_words_mark(w, &s, &whole, 0, true, &done, &err), &err);
        done = 0;
        for (size_t have = 0; done < n;) {
            have += 1 + gen_below(&g, n - have ? n - have : 1);
            bool last = have >= n;
            size_t before = done;
            all.n = last ? n : have; /* what is there so far */
            uint8_t copy[80];
            memcpy(copy, all.marks, n);
            assert_ok(tsl_words_mark(w, &s, &all, done, last, &done, &err), &err);
            assert_true(done >= before && done <= all.n);
            assert_memory_equal(all.marks, whole.marks, done);
            assert_memory_equal(all.marks + done, copy + done, n - done);
            if (last)
                assert_int_equal(done, n);
        }
        tsl_tokens_fini(&whole);
        tsl_tokens_fini(&all);
        tsl_words_scratch_fini(&s);
        tsl_words_destroy(w);
    }
}

static void a_list_that_is_none_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *list, *part;
    } bad[] = {
        { "ab\nc\xff\n", "w.txt: line 2 is not UTF-8" },
        { "ab\xe4\xb8", "line 1 is not UTF-8" },
        { "ab\t\n", "line 1: behind the TAB stands no whole number" },
        { "ab\t-1\n", "line 1: behind the TAB" },
        { "ab\t1.5\n", "line 1: behind the TAB" },
        { "ab\t1 \n", "line 1: behind the TAB" },
        { "ab\t1\t2\n", "line 1: behind the TAB" },
        { "ab\t18446744073709551616\n", "line 1: behind the TAB" },
        { "ab\t1\n\ncd\n", "line 3 has no count, but lines before it have one" },
        { "ab\ncd\t1\n", "line 2 has a count, but lines before it have none" },
        { "ab\t18446744073709551615\ncd\t1\n", "add up to more than" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_err err = { 0 };
        struct tsl_words *w = NULL;
        assert_err(tsl_words_parse(&w, str(bad[i].list), "w.txt", &fakewords, NULL, &err),
                   TSL_EFORMAT, &err, bad[i].part);
        assert_null(w);
    }
    /* as many as there can be are fine */
    struct tsl_words *w = parsed("ab\t18446744073709551614\ncd\t1\n");
    marks(w, "abcd", "ab cd");
    tsl_words_destroy(w);
}

static int parse_and_mark(void *ctx, struct tsl_err *err)
{
    struct tsl_words_scratch s = { 0 };
    struct tsl_words *w = NULL;
    struct tsl_tokens t;
    size_t done, used;
    tsl_tokens_init(&t, TSL_WANT_MARKS);
    int rc = tsl_words_parse(&w, str(ctx), "w.txt", &fakewords, NULL, err);
    if (rc == 0)
        rc = fakewords_encode(NULL, str("abcd"), true, true, &used, &t, err);
    if (rc == 0)
        rc = tsl_words_mark(w, &s, &t, 0, true, &done, err);
    tsl_tokens_fini(&t);
    tsl_words_scratch_fini(&s);
    tsl_words_destroy(w);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    char counted[] = "ab\t2\nbc\t3\ncd\t2\n", plain[] = "ab\nbc\n";
    (void)state;
    fault_each_allocation(parse_and_mark, counted);
    fault_each_allocation(parse_and_mark, plain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_counts_the_longest_word_from_the_left_is_taken),
        TEST(a_word_ends_where_another_begins),
        TEST(with_counts_the_most_probable_path_is_taken),
        TEST(words_that_cannot_be_met_are_left_out),
        TEST(only_marks_of_starts_are_taken_away),
        TEST(a_text_in_parts_is_marked_as_a_whole_one),
        TEST(a_list_that_is_none_is_refused_with_its_line),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

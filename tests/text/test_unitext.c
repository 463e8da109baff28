#include "support/test.h"

#include <string.h>

#include "support/randtext.h"
#include "support/wordsof.h"
#include "text/unitext.h"

static struct tsl_unitrain_opts opts(double coverage, bool line_ends)
{
    struct tsl_unitrain_opts o = tsl_unitrain_defaults();
    o.coverage = coverage;
    o.line_ends = line_ends;
    return o;
}

static struct tsl_wordlist some_words(void)
{
    struct wordsof w = { 0 };
    wordsof_add_text(&w, "~ab", 5);
    wordsof_add_text(&w, "~ab|", 2);
    wordsof_add_text(&w, "~abc", 1);
    wordsof_add_text(&w, "|", 9);
    wordsof_add_text(&w, "~b|", 4);
    return wordsof_list(&w);
}

/* Symbol of cp, TSL_UNI_UNK: it has none. */
static uint32_t sym(const struct tsl_unitext *t, uint32_t cp)
{
    for (size_t i = 0; i < t->nchars; i++)
        if (t->chars[i].cp == cp)
            return (uint32_t)i + TSL_UNI_FIRST;
    return TSL_UNI_UNK;
}

static void marked_words_are_the_same_words(void **state)
{
    (void)state;
    struct tsl_unimem mem = { .limit = 1 << 28 };
    struct tsl_wordlist list = some_words();
    struct tsl_unitext t;
    struct tsl_err err = { 0 };
    struct tsl_unitrain_opts o = opts(1, true);
    assert_ok(tsl_unitext_init(&t, &list, &o, &mem, &err), &err);
    assert_int_equal(t.nwords, 3);
    assert_int_equal(t.total, 12);
    assert_int_equal(t.longest, 4);
    const uint32_t a = sym(&t, 'a'), b = sym(&t, 'b'), c = sym(&t, 'c');
    const uint32_t s = sym(&t, 0x2581);
    const uint32_t want[] = { s, a, b, 0, s, a, b, c, 0, s, b, 0 };
    assert_true(a < b && b < c && c < s);
    assert_int_equal(t.nsyms, sizeof want / sizeof *want);
    assert_memory_equal(t.syms, want, sizeof want);
    const uint64_t count[] = { 7, 1, 4 }, last[] = { 2, 0, 4 };
    const uint32_t begin[] = { 0, 4, 9, 12 };
    assert_memory_equal(t.count, count, sizeof count);
    assert_memory_equal(t.last, last, sizeof last);
    assert_memory_equal(t.begin, begin, sizeof begin);
    tsl_unitext_fini(&t, &mem);
    assert_int_equal(mem.held, 0);

    o.line_ends = false; /* NUL is then a character that no piece holds */
    assert_ok(tsl_unitext_init(&t, &list, &o, &mem, &err), &err);
    assert_int_equal(t.nwords, 5);
    assert_int_equal(t.total, 21);
    assert_int_equal(t.syms[0], TSL_UNI_UNK);
    tsl_unitext_fini(&t, &mem);
    tsl_wordlist_fini(&list);
}

static void the_most_frequent_characters_cover(void **state)
{
    (void)state;
    struct wordsof w = { 0 };
    struct tsl_unimem mem = { .limit = 1 << 28 };
    struct tsl_unitext t;
    struct tsl_err err = { 0 };
    wordsof_add(&w, "aaaaaaaabbbbbbcccdd\xc3\xa9", 21, 1); /* 8 6 3 2 1 of 20 */
    struct tsl_wordlist list = wordsof_list(&w);
    for (size_t n = 1; n <= 5; n++) {
        static const double shares[] = { 0.3, 0.41, 0.7, 0.86, 0.96 };
        static const double covered[] = { 0.4, 0.7, 0.85, 0.95, 1 };
        struct tsl_unitrain_opts o = opts(n == 3 ? 0.71 : shares[n - 1], false);
        assert_ok(tsl_unitext_init(&t, &list, &o, &mem, &err), &err);
        assert_int_equal(t.nchars, n);
        assert_true(t.covered > covered[n - 1] - 1e-9 &&
                    t.covered < covered[n - 1] + 1e-9);
        size_t unknown = 0;
        for (size_t i = 0; i < t.nsyms; i++)
            unknown += t.syms[i] == TSL_UNI_UNK;
        assert_int_equal(unknown, (size_t)(20 - covered[n - 1] * 20 + 0.5));
        tsl_unitext_fini(&t, &mem);
    }
    /* The share is reached at 0.7 just so, compared in 32 bits as there. */
    struct tsl_unitrain_opts o = opts(0.7, false);
    assert_ok(tsl_unitext_init(&t, &list, &o, &mem, &err), &err);
    assert_int_equal(t.nchars, 2);
    tsl_unitext_fini(&t, &mem);
    tsl_wordlist_fini(&list);
}

static void a_tab_and_what_is_no_character_are_unknown(void **state)
{
    (void)state;
    struct wordsof w = { 0 };
    struct tsl_unimem mem = { .limit = 1 << 28 };
    struct tsl_unitext t;
    struct tsl_err err = { 0 };
    wordsof_add(&w, "a\tb c\xff\xe2\x96\x85", 9, 2);
    struct tsl_wordlist list = wordsof_list(&w);
    struct tsl_unitrain_opts o = opts(1, false);
    o.required_chars = (struct tsl_slice){ (const uint8_t *)"\t \0zz\xff", 6 };
    assert_ok(tsl_unitext_init(&t, &list, &o, &mem, &err), &err);
    assert_int_equal(t.nchars, 4); /* a b c z */
    const uint32_t want[] = { 2, 1, 3, 1, 4, 1, 1, 0 };
    assert_int_equal(t.nsyms, 8);
    assert_memory_equal(t.syms, want, sizeof want);
    tsl_unitext_fini(&t, &mem);
    tsl_wordlist_fini(&list);
}

static void memory_has_a_limit_and_is_all_given_back(void **state)
{
    (void)state;
    struct tsl_wordlist list = some_words();
    struct tsl_unitrain_opts o = opts(1, true);
    struct tsl_unitext t;
    struct tsl_unimem mem = { .limit = 1 << 28 };
    assert_int_equal(tsl_unitext_init(&t, &list, &o, &mem, NULL), 0);
    size_t peak = mem.peak;
    tsl_unitext_fini(&t, &mem);
    for (size_t limit = 0; limit < peak + peak / 16; limit += peak / 16) {
        struct tsl_err err = { 0 };
        mem = (struct tsl_unimem){ .limit = limit };
        int rc = tsl_unitext_init(&t, &list, &o, &mem, &err);
        if (limit >= peak) {
            assert_ok(rc, &err);
            tsl_unitext_fini(&t, &mem);
        } else {
            assert_err(rc, TSL_ENOMEM, &err, "memory");
        }
        assert_int_equal(mem.held, 0);
        assert_true(mem.peak <= limit);
    }
    tsl_wordlist_fini(&list);
}

static void no_words_are_an_error(void **state)
{
    (void)state;
    struct wordsof w = { 0 };
    struct tsl_wordlist list = { 0 };
    struct tsl_unitrain_opts o = opts(1, true);
    struct tsl_unimem mem = { .limit = 1 << 28 };
    struct tsl_unitext t;
    struct tsl_err err = { 0 };
    assert_err(tsl_unitext_init(&t, &list, &o, &mem, &err), TSL_EUSAGE, &err, "no words");
    wordsof_add_text(&w, "|", 1);
    wordsof_add_text(&w, " ", 1);
    list = wordsof_list(&w);
    assert_err(tsl_unitext_init(&t, &list, &o, &mem, &err), TSL_EUSAGE, &err, "no words");
    assert_int_equal(mem.held, 0);
    tsl_wordlist_fini(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(marked_words_are_the_same_words),
        TEST(the_most_frequent_characters_cover),
        TEST(a_tab_and_what_is_no_character_are_unknown),
        TEST(memory_has_a_limit_and_is_all_given_back),
        TEST(no_words_are_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

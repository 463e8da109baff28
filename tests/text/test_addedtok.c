#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "support/fault.h"
#include "support/randtext.h"
#include "text/addedtok.h"

static struct tsl_addedtok *made(const struct tsl_addedtok_def *defs, size_t n)
{
    struct tsl_err err = { 0 };
    struct tsl_addedtok *a = tsl_addedtok_create(&err);
    int64_t id;
    assert_non_null(a);
    for (size_t i = 0; i < n; i++)
        assert_ok(tsl_addedtok_add(a, NULL, 10, &defs[i], &id, &err), &err);
    assert_ok(tsl_addedtok_build(a, NULL, NULL, &err), &err);
    return a;
}

/* Pieces with bars between them; those that are tokens in brackets, with their id. */
static void assert_splits(const struct tsl_addedtok *a, bool normalized, const char *text,
                          bool plain, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_addedtok_pieces p = { 0 };
    char got[400];
    size_t n = 0;
    assert_ok(tsl_addedtok_split(a, normalized, str(text), plain, &p, &err), &err);
    got[0] = '\0';
    for (size_t i = 0; i < p.n; i++) {
        const struct tsl_addedtok_piece *k = &p.list[i];
        n += (size_t)snprintf(got + n, sizeof got - n, k->id < 0 ? "%s%.*s" : "%s<%.*s>",
                              i ? "|" : "", (int)(k->end - k->begin), text + k->begin);
        if (k->id >= 0)
            n += (size_t)snprintf(got + n, sizeof got - n, "%d", (int)k->id);
    }
    assert_string_equal(got, want);
    tsl_addedtok_pieces_fini(&p);
}

static void
an_id_is_that_of_the_vocabulary_or_the_next_one_whatever_the_file_says(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    struct tsl_addedtok *a = tsl_addedtok_create(&err);
    struct tsl_addedtok_def d = { .content = str("known"), .id = 77 };
    int64_t id;
    (void)state;
    assert_ok(tsl_vocab_add(v, 3, str("known"), &err), &err);
    assert_ok(tsl_addedtok_add(a, v, 8, &d, &id, &err), &err);
    assert_int_equal(id, 3);
    d.content = str("new");
    assert_ok(tsl_addedtok_add(a, v, 8, &d, &id, &err), &err);
    assert_int_equal(id, 8);
    d.content = str("newer");
    assert_ok(tsl_addedtok_add(a, v, 8, &d, &id, &err), &err);
    assert_int_equal(id, 9);
    d.content = str("new"); /* again: what is said last counts */
    d.special = d.lstrip = true;
    assert_ok(tsl_addedtok_add(a, v, 8, &d, &id, &err), &err);
    assert_int_equal(id, 8);
    assert_true(tsl_addedtok_by_id(a, 8)->special && tsl_addedtok_by_id(a, 8)->lstrip);
    d.special = d.lstrip = false; /* but what was special stays so */
    assert_ok(tsl_addedtok_add(a, v, 8, &d, &id, &err), &err);
    assert_true(tsl_addedtok_by_id(a, 8)->special && !tsl_addedtok_by_id(a, 8)->lstrip);
    d.content = str("");
    assert_ok(tsl_addedtok_add(a, v, 8, &d, &id, &err), &err);
    assert_int_equal(id, TSL_VOCAB_NONE);
    assert_int_equal(tsl_addedtok_count(a), 3);
    assert_int_equal(tsl_addedtok_size(a), 10);
    assert_null(tsl_addedtok_by_id(a, 77));
    assert_null(tsl_addedtok_find(a, str("")));
    tsl_addedtok_destroy(a);
    tsl_vocab_destroy(v);
}

static void the_leftmost_and_then_the_longest_is_taken(void **state)
{
    static const struct tsl_addedtok_def defs[] = {
        { .content = { (const uint8_t *)"<a>", 3 } },
        { .content = { (const uint8_t *)"<a><b>", 6 } },
        { .content = { (const uint8_t *)"b><", 3 } },
        { .content = { (const uint8_t *)"\xe4\xb8\xad", 3 }, .special = true },
    };
    struct tsl_addedtok *a = made(defs, 4);
    (void)state;
    assert_true(tsl_addedtok_any(a, false) && !tsl_addedtok_any(a, true));
    assert_splits(a, false, "x<a><a><b>< y", false, "x|<<a>>10|<<a><b>>11|< y");
    assert_splits(a, false, "<b><a>", false, "<|<b><>12|a>");
    assert_splits(a, false, "\xe4\xb8\xad\xe4\xb8", false, "<\xe4\xb8\xad>13|\xe4\xb8");
    assert_splits(a, false, "a\xe4\xb8\xad", true, "a\xe4\xb8\xad");
    assert_splits(a, false, "", false, "");
    assert_splits(a, true, "<a>", false, "<a>");
    tsl_addedtok_destroy(a);
}

static void white_space_goes_with_a_token_that_strips_but_not_twice(void **state)
{
    static const struct tsl_addedtok_def defs[] = {
        { .content = { (const uint8_t *)"L", 1 }, .lstrip = true },
        { .content = { (const uint8_t *)"R", 1 }, .rstrip = true },
    };
    struct tsl_addedtok *a = made(defs, 2);
    (void)state;
    assert_splits(a, false, "x \t\xe3\x80\x80L y", false, "x|< \t\xe3\x80\x80L>10| y");
    assert_splits(a, false, "x R \n y", false, "x |<R \n >11|y");
    assert_splits(a, false, "R  L", false, "<R  >11|<L>10");
    assert_splits(a, false, " L", false, "< L>10");
    tsl_addedtok_destroy(a);
}

static void a_single_word_has_no_letter_beside_it(void **state)
{
    static const struct tsl_addedtok_def defs[] = {
        { .content = { (const uint8_t *)"ab", 2 }, .single_word = true },
        { .content = { (const uint8_t *)"b", 1 } },
    };
    struct tsl_addedtok *a = made(defs, 2);
    (void)state;
    assert_splits(a, false, "ab-ab", false, "<ab>10|-|<ab>10");
    assert_splits(a, false,
                  "ab_ xab \xe4\xb8\xad"
                  "ab ab\xc3\xa9",
                  false,
                  "ab_ xab \xe4\xb8\xad"
                  "ab ab\xc3\xa9");
    /* what is not taken is passed over: nothing in it is looked for */
    assert_splits(a, false, "abc b", false, "abc |<b>11");
    tsl_addedtok_destroy(a);
}

static int upper(void *ctx, struct tsl_slice content, struct tsl_slice *out,
                 struct tsl_err *err)
{
    char *buf = ctx;
    (void)err;
    for (size_t i = 0; i < content.len; i++)
        buf[i] =
            (char)(content.data[i] >= 'a' && content.data[i] <= 'z' ? content.data[i] - 32
                                                                    : content.data[i]);
    *out = (struct tsl_slice){ (const uint8_t *)buf, content.len };
    return 0;
}

static void a_normalized_token_is_looked_for_by_its_normalized_content(void **state)
{
    static const struct tsl_addedtok_def defs[] = {
        { .content = { (const uint8_t *)"hi", 2 }, .normalized = true },
        { .content = { (const uint8_t *)"HI", 2 }, .normalized = true, .special = true },
        { .content = { (const uint8_t *)"raw", 3 } },
    };
    struct tsl_err err = { 0 };
    char buf[16];
    struct tsl_addedtok *a = made(defs, 3);
    (void)state;
    assert_ok(tsl_addedtok_build(a, upper, buf, &err), &err);
    assert_splits(a, true, "HI hi raw", false,
                  "<HI>11| hi raw"); /* the special one wins */
    assert_splits(a, false, "HI raw", false, "HI |<raw>12");
    tsl_addedtok_destroy(a);
}

/* Asked of 0.23.2: it keeps what it had normalised. */
static void a_token_that_was_normalized_once_is_shown_so(void **state)
{
    static const struct tsl_addedtok_def defs[] = {
        { .content = { (const uint8_t *)"hi", 2 }, .normalized = true },
        { .content = { (const uint8_t *)"hi", 2 } },
    };
    struct tsl_err err = { 0 };
    char buf[16];
    struct tsl_addedtok *a = made(defs, 2);
    (void)state;
    assert_ok(tsl_addedtok_build(a, upper, buf, &err), &err);
    assert_splits(a, true, "HI hi", false, "HI hi");
    assert_splits(a, false, "HI hi", false, "HI |<hi>10");
    assert_memory_equal(tsl_addedtok_by_id(a, 10)->shown.data, "HI", 2);
    tsl_addedtok_destroy(a);
}

static void any_text_is_cut_as_the_slow_way_cuts_it(void **state)
{
    static const char *const contents[] = { "a",   "ab", "aba",      "bb",
                                            "b b", "cc", "\xc3\xa9", "ba" };
    enum { N = 8 };
    struct rnd r = rnd_make(3, "added");
    struct tsl_addedtok_def defs[N];
    (void)state;
    for (int round = 0; round < 400; round++) {
        char text[200];
        size_t n = 0;
        struct tsl_err err = { 0 };
        struct tsl_addedtok_pieces p = { 0 };
        for (size_t i = 0; i < N; i++)
            if (rnd_below(&r, 2))
                defs[n++] = (struct tsl_addedtok_def){ .content = str(contents[i]) };
        struct tsl_addedtok *a = made(defs, n);
        struct tsl_slice s = rnd_text(&r, text, 40, 5);
        assert_ok(tsl_addedtok_split(a, false, s, false, &p, &err), &err);
        size_t at = 0, k = 0, done = 0;
        while (at < s.len) {
            size_t best = 0, len = 0;
            for (size_t i = 0; i < n; i++)
                if (defs[i].content.len > len && defs[i].content.len <= s.len - at &&
                    memcmp(defs[i].content.data, s.data + at, defs[i].content.len) == 0) {
                    best = i;
                    len = defs[i].content.len;
                }
            if (!len) {
                at++;
                continue;
            }
            if (done < at) {
                assert_true(p.list[k].id < 0 && p.list[k].begin == done);
                k++;
            }
            assert_true(k < p.n && p.list[k].id == (int64_t)(10 + best));
            assert_true(p.list[k].begin == at && p.list[k].end == at + len);
            k++;
            done = at += len;
        }
        assert_int_equal(p.n, k + (done < s.len));
        tsl_addedtok_pieces_fini(&p);
        tsl_addedtok_destroy(a);
    }
}

static void any_failed_allocation_is_reported(void **state)
{
    const struct tsl_addedtok_def d = { .content = str("ab") };
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_addedtok_pieces p = { 0 };
        int64_t id;
        fault_arm(nth, "calloc realloc mmap");
        struct tsl_addedtok *a = tsl_addedtok_create(&err);
        int rc = a ? tsl_addedtok_add(a, NULL, 0, &d, &id, &err) : TSL_ENOMEM;
        if (rc == 0)
            rc = tsl_addedtok_build(a, NULL, NULL, &err);
        if (rc == 0)
            rc = tsl_addedtok_split(a, false, str("xab"), false, &p, &err);
        const char *call = fault_disarm();
        assert_int_equal(rc, call ? TSL_ENOMEM : 0);
        assert_int_equal(err.code, rc);
        tsl_addedtok_pieces_fini(&p);
        tsl_addedtok_destroy(a);
        if (!call)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_id_is_that_of_the_vocabulary_or_the_next_one_whatever_the_file_says),
        TEST(the_leftmost_and_then_the_longest_is_taken),
        TEST(white_space_goes_with_a_token_that_strips_but_not_twice),
        TEST(a_single_word_has_no_letter_beside_it),
        TEST(a_normalized_token_is_looked_for_by_its_normalized_content),
        TEST(a_token_that_was_normalized_once_is_shown_so),
        TEST(any_text_is_cut_as_the_slow_way_cuts_it),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

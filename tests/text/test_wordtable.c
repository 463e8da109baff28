#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/randtext.h"
#include "text/wordtable.h"

/* A word of n bytes that is told by its number, with NULs and bytes above 0x7f in it;
 * readable 16 bytes beyond. */
static struct tsl_slice word_of(uint64_t number, size_t n, uint8_t *buf)
{
    memset(buf, 0, n + 16);
    for (size_t i = 0; i < n; i++)
        buf[i] = i < 4 ? (uint8_t)(number >> 8 * i) : (uint8_t)(number * i % 3 * 127);
    return (struct tsl_slice){ buf, n };
}

static int compare(struct tsl_slice a, struct tsl_slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static void words_come_out_sorted_with_their_counts(void **state)
{
    static const size_t lengths[] = { 1, 2, 7, 8, 9, 14, 15, 16, 17, 40 };
    struct tsl_wordtable t;
    struct tsl_err err = { 0 };
    uint8_t buf[80], cell[16];
    (void)state;
    assert_ok(tsl_wordtable_init(&t, 2 << 20, &err), &err);
    for (int round = 0; round < 3; round++) {
        uint64_t sum = 0, got = 0, count;
        for (uint64_t i = 0; i < 20000; i++) {
            struct tsl_slice w = word_of(i % 5000, lengths[i % 10], buf);
            assert_true(tsl_wordtable_add(&t, w, i + 1));
            sum += i + 1;
        }
        assert_true(tsl_wordtable_flush(&t));
        tsl_wordtable_sort(&t);
        uint8_t last[80];
        struct tsl_slice before = { last, 0 };
        for (size_t i = 0; i < t.nused; i++) {
            struct tsl_slice w = tsl_wordtable_at(&t, i, cell, &count);
            assert_true(compare(before, w) < 0);
            memcpy(last, w.data, w.len);
            before.len = w.len;
            got += count;
        }
        assert_true(got == sum);
        assert_int_equal(t.longest, 40);
        tsl_wordtable_clear(&t);
        assert_int_equal(t.nused, 0);
    }
    tsl_wordtable_fini(&t);
}

/* Fills it to the brim several times with words of one length. */
static void fill(struct tsl_wordtable *t, size_t len, size_t least_words)
{
    uint8_t *buf = malloc(len + 16);
    uint64_t number = 0;
    for (int round = 0; round < 4; round++) {
        size_t n = 0;
        while (tsl_wordtable_add(t, word_of(number, len, buf), 1)) {
            number++;
            n++;
            assert_true(t->ncells * sizeof *t->cells + t->arena_len <= t->share);
        }
        if (round > 0 && t->nused < least_words)
            fail_msg("%zu words of %zu bytes, expected %zu", t->nused, len, least_words);
        tsl_wordtable_sort(t);
        assert_true(t->nused > 0);
        tsl_wordtable_clear(t);
        assert_true(tsl_wordtable_flush(t));
    }
    free(buf);
}

static void most_of_its_share_is_used_whatever_the_words(void **state)
{
    static const size_t lengths[] = { 4, 12, 16, 30, 300, 5000, TSL_WORDTABLE_WORD_MAX };
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct tsl_wordtable t;
        struct tsl_err err = { 0 };
        size_t n = lengths[i], share = 1 << 20;
        assert_ok(tsl_wordtable_init(&t, share, &err), &err);
        size_t each = sizeof(struct tsl_wordcell) * 5 / 4 + (n > 15 ? n + 4 : 0);
        fill(&t, n, n < TSL_WORDTABLE_WORD_MAX ? share * 3 / 4 / each : 8);
        tsl_wordtable_fini(&t);
    }
}

static void words_with_much_in_common_sort_as_well(void **state)
{
    struct tsl_wordtable t;
    struct tsl_err err = { 0 };
    char word[64], last[64] = "";
    uint8_t cell[16];
    uint64_t count;
    (void)state;
    assert_ok(tsl_wordtable_init(&t, 4 << 20, &err), &err);
    for (int i = 0; i < 20000; i++) {
        int n = snprintf(word, sizeof word, "https://www.example/%d", i * 7919 % 20000);
        assert_true(tsl_wordtable_add(
            &t, (struct tsl_slice){ (uint8_t *)word, (size_t)n }, (uint64_t)i + 1));
    }
    assert_true(tsl_wordtable_flush(&t));
    tsl_wordtable_sort(&t);
    assert_int_equal(t.nused, 20000);
    for (size_t i = 0; i < t.nused; i++) {
        struct tsl_slice w = tsl_wordtable_at(&t, i, cell, &count);
        assert_true(compare(str(last), w) < 0);
        memcpy(last, w.data, w.len);
        last[w.len] = '\0';
    }
    tsl_wordtable_fini(&t);
}

static void without_memory_it_stays_small(void **state)
{
    struct tsl_wordtable t;
    struct tsl_err err = { 0 };
    uint8_t buf[64];
    (void)state;
    for (unsigned nth = 1; nth < 3; nth++) {
        fault_arm(nth, NULL);
        assert_err(tsl_wordtable_init(&t, 8 << 20, &err), TSL_ENOMEM, &err, "words");
        assert_non_null(fault_disarm());
    }
    assert_ok(tsl_wordtable_init(&t, 8 << 20, &err), &err);
    size_t small = t.ncells;
    fault_arm(1, "mmap");
    uint64_t n = 0;
    while (tsl_wordtable_add(&t, word_of(n, 8, buf), 1))
        n++;
    assert_non_null(fault_disarm());
    assert_int_equal(t.ncells, small);
    assert_true(t.nused >= small * 3 / 4);
    tsl_wordtable_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_come_out_sorted_with_their_counts),
        TEST(most_of_its_share_is_used_whatever_the_words),
        TEST(words_with_much_in_common_sort_as_well),
        TEST(without_memory_it_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

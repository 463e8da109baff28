#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "support/fault.h"
#include "support/randtext.h"
#include "text/wordlist.h"

static void words_come_back_as_they_were_put(void **state)
{
    struct tsl_wordlist_maker m = { 0 };
    struct tsl_wordlist l;
    struct tsl_err err = { 0 };
    char word[32];
    (void)state;
    for (int i = 0; i < 1000; i++) {
        snprintf(word, sizeof word, "%04d%.*s", i, i % 7, "abcdefg");
        assert_ok(tsl_wordlist_put(&m, str(word), (uint64_t)i + 1, &err), &err);
    }
    tsl_wordlist_finish(&m, &l);
    assert_int_equal(l.n, 1000);
    for (int i = 0; i < 1000; i++) {
        struct tsl_slice s = tsl_wordlist_at(&l, (size_t)i);
        snprintf(word, sizeof word, "%04d%.*s", i, i % 7, "abcdefg");
        assert_int_equal(s.len, strlen(word));
        assert_memory_equal(s.data, word, s.len);
        assert_int_equal(l.count[i], i + 1);
    }
    assert_int_equal(tsl_wordlist_bytes(&l), l.end[999] + 16 * 1000);
    tsl_wordlist_fini(&l);
    assert_int_equal(l.n, 0);
}

static void an_empty_list_is_one_too(void **state)
{
    struct tsl_wordlist_maker m = { 0 };
    struct tsl_wordlist l;
    (void)state;
    tsl_wordlist_finish(&m, &l);
    assert_int_equal(l.n, 0);
    assert_int_equal(tsl_wordlist_bytes(&l), 0);
    tsl_wordlist_fini(&l);
}

static void without_memory_it_is_what_it_was(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_wordlist_maker m = { 0 };
        struct tsl_err err = { 0 };
        int rc = 0;
        size_t n = 0;
        fault_arm(nth, NULL);
        for (; n < 40 && rc == 0; n += rc == 0)
            rc = tsl_wordlist_put(&m, str("word"), 1, &err);
        bool failed = fault_disarm() != NULL;
        assert_int_equal(m.n, n);
        assert_int_equal(rc, failed ? TSL_ENOMEM : 0);
        tsl_wordlist_drop(&m);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_come_back_as_they_were_put),
        TEST(an_empty_list_is_one_too),
        TEST(without_memory_it_is_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

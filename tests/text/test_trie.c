#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/key.h"
#include "text/trie.h"

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* The value of the last of the keys that equal s; -1: none. */
static int64_t slow_find(const struct tsl_slice *keys, const uint32_t *values, size_t n,
                         struct tsl_slice s)
{
    for (size_t i = n; i-- > 0;)
        if (keys[i].len == s.len && memcmp(keys[i].data, s.data, s.len) == 0)
            return values[i];
    return -1;
}

/* true: some key is longer than s and begins with it. */
static bool slow_goes_on(const struct tsl_slice *keys, size_t n, struct tsl_slice s)
{
    for (size_t i = 0; i < n; i++)
        if (keys[i].len > s.len && memcmp(keys[i].data, s.data, s.len) == 0)
            return true;
    return false;
}

static void what_was_put_in_is_found(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const struct tsl_slice keys[] = { str("b"), str("a"), str("abc"), str("ab"),
                                      str("\xe4\xb8\xad") };
    const uint32_t values[] = { 7, 0, UINT32_MAX - 1, 5, 9 };
    struct tsl_trie t;
    assert_ok(tsl_trie_build(&t, keys, values, 5, &err), &err);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(tsl_trie_find(&t, keys[i]), values[i]);
    assert_int_equal(tsl_trie_find(&t, str("")), TSL_TRIE_NONE);
    assert_int_equal(tsl_trie_find(&t, str("ac")), TSL_TRIE_NONE);
    assert_int_equal(tsl_trie_find(&t, str("abcd")), TSL_TRIE_NONE);
    assert_int_equal(tsl_trie_find(&t, str("\xe4\xb8")), TSL_TRIE_NONE);
    uint64_t at = tsl_trie_root(&t);
    assert_false(tsl_trie_is_leaf(at));
    assert_true(tsl_trie_step(&t, &at, 'a'));
    assert_false(tsl_trie_is_leaf(at));
    assert_int_equal(tsl_trie_value(&t, at), 0);
    assert_false(tsl_trie_step(&t, &at, 'a'));
    assert_int_equal(tsl_trie_value(&t, at), 0); /* a failed step changes nothing */
    assert_true(tsl_trie_step(&t, &at, 'b'));
    assert_true(tsl_trie_step(&t, &at, 'c'));
    assert_true(tsl_trie_is_leaf(at));
    tsl_trie_fini(&t);
}

static void no_byte_leads_out_of_a_dead_state(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_slice keys[256];
    uint8_t bytes[256];
    for (unsigned i = 0; i < 256; i++) {
        bytes[i] = (uint8_t)i;
        keys[i] = (struct tsl_slice){ &bytes[i], 1 };
    }
    for (size_t n = 0; n <= 256; n++) {
        struct tsl_trie t;
        assert_ok(tsl_trie_build(&t, keys, NULL, n, &err), &err);
        for (unsigned c = 0; c < 256; c++) {
            uint64_t dead = TSL_TRIE_DEAD, at = tsl_trie_root(&t);
            assert_false(tsl_trie_step(&t, &dead, (uint8_t)c));
            assert_int_equal(tsl_trie_step(&t, &at, (uint8_t)c), c < n);
            assert_int_equal(tsl_trie_value(&t, at), c < n ? (int64_t)c : -1);
            for (unsigned d = 0; c < n && d < 256; d++)
                assert_false(tsl_trie_step(&t, &at, (uint8_t)d));
        }
        tsl_trie_fini(&t);
    }
}

static void the_empty_key_and_no_key_at_all_work(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const struct tsl_slice keys[] = { { NULL, 0 }, { (const uint8_t *)"", 1 } };
    struct tsl_trie t;
    assert_ok(tsl_trie_build(&t, NULL, NULL, 0, &err), &err);
    assert_int_equal(tsl_trie_find(&t, str("")), TSL_TRIE_NONE);
    assert_int_equal(tsl_trie_find(&t, keys[1]), TSL_TRIE_NONE);
    tsl_trie_fini(&t);
    assert_ok(tsl_trie_build(&t, keys, NULL, 2, &err), &err);
    assert_int_equal(tsl_trie_find(&t, str("")), 0);
    assert_int_equal(tsl_trie_find(&t, keys[1]), 1); /* one NUL */
    tsl_trie_fini(&t);
}

static void random_sets_of_keys_agree_with_a_list(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    for (uint64_t round = 0; round < 400; round++) {
        struct tsl_key k = tsl_key_make(round, "trie");
        uint8_t pool[2000];
        struct tsl_slice keys[300];
        uint32_t values[300];
        uint64_t at = 0, alphabet = 1 + tsl_key_below(&k, at++, 256);
        size_t n = tsl_key_below(&k, at++, 300), longest = 1 + tsl_key_below(&k, at++, 9);
        for (size_t i = 0; i < sizeof pool; i++)
            pool[i] = (uint8_t)(tsl_key_below(&k, at++, alphabet) * 37);
        for (size_t i = 0; i < n; i++) {
            keys[i].len = tsl_key_below(&k, at++, longest + 1);
            keys[i].data = pool + tsl_key_below(&k, at++, sizeof pool - keys[i].len);
            values[i] = (uint32_t)tsl_key_below(&k, at++, 1000);
        }
        struct tsl_trie t;
        assert_ok(tsl_trie_build(&t, keys, values, n, &err), &err);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(tsl_trie_find(&t, keys[i]),
                             slow_find(keys, values, n, keys[i]));
        for (size_t begin = 0; begin < 200; begin++) {
            uint64_t s = tsl_trie_root(&t);
            for (size_t len = 0; len < longest + 2; len++) {
                struct tsl_slice part = { pool + begin, len };
                if (len > 0 && !tsl_trie_step(&t, &s, pool[begin + len - 1])) {
                    assert_int_equal(slow_find(keys, values, n, part), -1);
                    assert_false(slow_goes_on(keys, n, part));
                    break;
                }
                assert_int_equal(tsl_trie_value(&t, s), slow_find(keys, values, n, part));
                assert_int_equal(tsl_trie_is_leaf(s), !slow_goes_on(keys, n, part));
            }
        }
        tsl_trie_fini(&t);
    }
}

static void a_key_of_a_million_bytes_needs_no_deep_stack(void **state)
{
    (void)state;
    enum { LEN = 1000000 };
    struct tsl_err err = { 0 };
    uint8_t *p = calloc(LEN, 1);
    assert_non_null(p);
    const struct tsl_slice keys[] = { { p, LEN }, { p, LEN - 1 } };
    struct tsl_trie t;
    assert_ok(tsl_trie_build(&t, keys, NULL, 2, &err), &err);
    assert_int_equal(tsl_trie_find(&t, keys[0]), 0);
    assert_int_equal(tsl_trie_find(&t, keys[1]), 1);
    assert_true(t.nunits < LEN + LEN / 50);
    tsl_trie_fini(&t);
    free(p);
}

static void a_vocabulary_beyond_the_limit_is_refused(void **state)
{
    (void)state;
    enum { LEN = (1 << 24) + 1 };
    struct tsl_err err = { 0 };
    uint8_t *p = calloc(LEN, 1);
    assert_non_null(p);
    const struct tsl_slice keys[] = { { p, LEN } };
    struct tsl_trie t;
    assert_err(tsl_trie_build(&t, keys, NULL, 1, &err), TSL_EFORMAT, &err,
               "more than 16777216 nodes");
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_in_is_found),
        TEST(no_byte_leads_out_of_a_dead_state),
        TEST(the_empty_key_and_no_key_at_all_work),
        TEST(random_sets_of_keys_agree_with_a_list),
        TEST(a_key_of_a_million_bytes_needs_no_deep_stack),
        TEST(a_vocabulary_beyond_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

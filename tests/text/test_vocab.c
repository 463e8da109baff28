#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "text/vocab.h"

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool is(struct tsl_slice s, const char *want)
{
    return s.data && s.len == strlen(want) && memcmp(s.data, want, s.len) == 0;
}

static void tokens_are_found_both_ways(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    char name[32];
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(name, sizeof name, "token%u", i * 7919);
        assert_ok(tsl_vocab_add(v, i, str(name), &err), &err);
    }
    for (unsigned i = 0; i < 50000; i++) {
        snprintf(name, sizeof name, "token%u", i * 7919);
        assert_int_equal(tsl_vocab_find(v, str(name)), i);
        assert_true(is(tsl_vocab_token(v, i), name));
    }
    assert_int_equal(tsl_vocab_find(v, str("token")), TSL_VOCAB_NONE);
    assert_int_equal(tsl_vocab_find(v, str("")), TSL_VOCAB_NONE);
    assert_int_equal(tsl_vocab_size(v), 50000);
    assert_int_equal(tsl_vocab_count(v), 50000);
    assert_int_equal(tsl_vocab_duplicates(v), 0);
    assert_int_equal(tsl_vocab_longest(v), strlen("token395942081"));
    tsl_vocab_destroy(v);
}

static void bytes_of_any_kind_are_tokens(void **state)
{
    (void)state;
    static const uint8_t nul[] = { 0 }, nuls[] = { 0, 0 }, high[] = { 0xff, 0, 0xfe };
    static uint8_t large[200000];
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_ok(tsl_vocab_add(v, 0, (struct tsl_slice){ nul, 1 }, &err), &err);
    assert_ok(tsl_vocab_add(v, 1, (struct tsl_slice){ nuls, 2 }, &err), &err);
    assert_ok(tsl_vocab_add(v, 2, (struct tsl_slice){ high, 3 }, &err), &err);
    assert_ok(tsl_vocab_add(v, 3, (struct tsl_slice){ NULL, 0 }, &err), &err);
    assert_ok(tsl_vocab_add(v, 4, (struct tsl_slice){ large, sizeof large }, &err), &err);
    assert_int_equal(tsl_vocab_find(v, (struct tsl_slice){ nul, 1 }), 0);
    assert_int_equal(tsl_vocab_find(v, (struct tsl_slice){ nuls, 2 }), 1);
    assert_int_equal(tsl_vocab_find(v, (struct tsl_slice){ high, 3 }), 2);
    assert_int_equal(tsl_vocab_find(v, (struct tsl_slice){ high, 2 }), TSL_VOCAB_NONE);
    assert_int_equal(tsl_vocab_find(v, str("")), 3);
    assert_int_equal(tsl_vocab_find(v, (struct tsl_slice){ large, sizeof large }), 4);
    assert_true(is(tsl_vocab_token(v, 3), "")); /* a token, and no hole */
    tsl_vocab_destroy(v);
}

static void ids_may_have_holes(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_int_equal(tsl_vocab_size(v), 0);
    assert_null(tsl_vocab_token(v, 0).data);
    assert_ok(tsl_vocab_add(v, 100000, str("high"), &err), &err);
    assert_ok(tsl_vocab_add(v, 7, str("low"), &err), &err);
    assert_int_equal(tsl_vocab_size(v), 100001);
    assert_int_equal(tsl_vocab_count(v), 2);
    assert_null(tsl_vocab_token(v, 8).data);
    assert_null(tsl_vocab_token(v, 100001).data);
    assert_null(tsl_vocab_token(v, UINT32_MAX).data);
    assert_true(is(tsl_vocab_token(v, 7), "low"));
    tsl_vocab_destroy(v);
}

static void the_later_of_two_equal_tokens_is_found(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_ok(tsl_vocab_add(v, 9, str("same"), &err), &err);
    assert_ok(tsl_vocab_add(v, 3, str("other"), &err), &err);
    assert_ok(tsl_vocab_add(v, 5, str("same"), &err), &err);
    for (unsigned i = 10; i < 500; i++) { /* it stays so when the table grows */
        char name[32];
        snprintf(name, sizeof name, "%u", i);
        assert_ok(tsl_vocab_add(v, i, str(name), &err), &err);
    }
    assert_int_equal(tsl_vocab_find(v, str("same")), 5);
    assert_true(is(tsl_vocab_token(v, 9), "same"));
    assert_true(is(tsl_vocab_token(v, 5), "same"));
    assert_int_equal(tsl_vocab_duplicates(v), 1);
    tsl_vocab_destroy(v);
}

static void an_id_given_twice_and_one_too_high_are_errors(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_ok(tsl_vocab_add(v, 1, str("one"), &err), &err);
    assert_err(tsl_vocab_add(v, 1, str("a\nb"), &err), TSL_EFORMAT, &err,
               "one and $'a\\012b' have the same id 1");
    assert_err(tsl_vocab_add(v, 1, str("one"), &err), TSL_EFORMAT, &err, "same id 1");
    assert_err(tsl_vocab_add(v, UINT32_MAX, str("far"), &err), TSL_EFORMAT, &err,
               "token far has id 4294967295");
    assert_int_equal(tsl_vocab_count(v), 1);
    assert_int_equal(tsl_vocab_find(v, str("far")), TSL_VOCAB_NONE);
    tsl_vocab_destroy(v);
    tsl_vocab_destroy(NULL);
}

static void lent_bytes_stay_while_tokens_are_added(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_ok(tsl_vocab_add(v, 0, str("first"), &err), &err);
    struct tsl_slice lent = tsl_vocab_token(v, 0);
    for (unsigned i = 1; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "token%u", i);
        assert_ok(tsl_vocab_add(v, i, str(name), &err), &err);
    }
    assert_ptr_equal(lent.data, tsl_vocab_token(v, 0).data);
    assert_true(is(lent, "first"));
    tsl_vocab_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_are_found_both_ways),
        TEST(bytes_of_any_kind_are_tokens),
        TEST(ids_may_have_holes),
        TEST(the_later_of_two_equal_tokens_is_found),
        TEST(an_id_given_twice_and_one_too_high_are_errors),
        TEST(lent_bytes_stay_while_tokens_are_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/fault.h"
#include "support/test.h"

#include "text/tokens.h"

static void tokens_come_back_as_they_were_put(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
    for (uint32_t i = 0; i < 10000; i++)
        assert_ok(tsl_tokens_add(&t, i * 3, i, i + 1, i & 7, &err), &err);
    assert_int_equal(t.n, 10000);
    for (uint32_t i = 0; i < 10000; i++) {
        assert_int_equal(t.ids[i], i * 3);
        assert_int_equal(t.begin[i], i);
        assert_int_equal(t.end[i], i + 1);
        assert_int_equal(t.marks[i], i & 7);
    }
    tsl_tokens_fini(&t);
}

static void what_is_not_wanted_is_not_there(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    for (unsigned want = 0; want < 4; want++) {
        struct tsl_tokens t;
        tsl_tokens_init(&t, want);
        assert_ok(tsl_tokens_add(&t, 7, 1, 2, TSL_TOKEN_UNKNOWN, &err), &err);
        assert_int_equal(t.ids[0], 7);
        assert_int_equal(t.begin != NULL, (want & TSL_WANT_SPANS) != 0);
        assert_int_equal(t.end != NULL, (want & TSL_WANT_SPANS) != 0);
        assert_int_equal(t.marks != NULL, (want & TSL_WANT_MARKS) != 0);
        tsl_tokens_fini(&t);
        assert_int_equal(t.want, want);
    }
}

static void a_text_that_was_said_goes_where_its_token_goes(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_tokens_store store = { 0 };
    struct tsl_tokens t, all;
    const struct tsl_slice x = { (const uint8_t *)"xyz", 3 };
    tsl_tokens_init(&t, TSL_WANT_TEXTS);
    tsl_tokens_init(&all, TSL_WANT_TEXTS | TSL_WANT_SPANS);
    t.store = all.store = &store;
    assert_ok(tsl_tokens_say(&t, x, false, &err), &err); /* of no token */
    for (uint32_t i = 0; i < 4; i++) {
        assert_ok(tsl_tokens_add(&t, i, 0, 0, 0, &err), &err);
        for (uint32_t k = 0; k < i; k++)
            assert_ok(tsl_tokens_say(&t, x, k > 0, &err), &err);
    }
    struct tsl_tokens v = tsl_tokens_view(&t, 1, 4);
    assert_ok(tsl_tokens_append(&all, &v, 0, 3, &err), &err);
    assert_null(tsl_tokens_text(&t, 0).data);
    assert_int_equal(all.n, 3);
    for (size_t i = 0; i < 3; i++) {
        struct tsl_slice s = tsl_tokens_text(&all, i);
        assert_int_equal(s.len, 3 * (i + 1));
        assert_memory_equal(s.data, "xyzxyzxyz", s.len);
        assert_int_equal(all.ids[i], i + 1);
        assert_int_equal(all.begin[i], 0); /* t has none */
    }
    tsl_tokens_fini(&t);
    tsl_tokens_fini(&all);
    tsl_tokens_store_fini(&store);
}

static void room_is_there_once_it_was_reserved(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    tsl_tokens_init(&t, 0);
    for (size_t n = 1; n < 5000; n += n / 2 + 1) {
        assert_ok(tsl_tokens_reserve(&t, n, &err), &err);
        assert_true(t.cap - t.n >= n);
        for (size_t i = 0; i < n; i++)
            t.ids[t.n++] = (uint32_t)i;
    }
    tsl_tokens_fini(&t);
}

static void reset_keeps_the_memory(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    tsl_tokens_init(&t, 0);
    assert_ok(tsl_tokens_reserve(&t, 1000, &err), &err);
    size_t cap = t.cap;
    tsl_tokens_reset(&t);
    assert_int_equal(t.n, 0);
    assert_int_equal(t.cap, cap);
    tsl_tokens_fini(&t);
}

static void nothing_is_lost_where_memory_is_short(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_tokens t;
        tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
        size_t n = 0;
        fault_arm(nth, NULL);
        while (n < 300 && tsl_tokens_add(&t, (uint32_t)n, 1, 2, 3, &err) == 0)
            n++;
        bool failed = fault_disarm() != NULL;
        assert_int_equal(failed, n < 300);
        assert_int_equal(t.n, n);
        for (size_t i = 0; i < n; i++)
            assert_true(t.ids[i] == i && t.begin[i] == 1 && t.end[i] == 2 &&
                        t.marks[i] == 3);
        tsl_tokens_fini(&t);
        if (!failed)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tokens_come_back_as_they_were_put),
        TEST(what_is_not_wanted_is_not_there),
        TEST(a_text_that_was_said_goes_where_its_token_goes),
        TEST(room_is_there_once_it_was_reserved),
        TEST(reset_keeps_the_memory),
        TEST(nothing_is_lost_where_memory_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

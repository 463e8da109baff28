#include "support/test.h"

#include <errno.h>
#include <string.h>

static void the_first_message_wins(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(tsl_err_set(&err, TSL_EIO, "first %d", 1), TSL_EIO);
    assert_int_equal(tsl_err_set(&err, TSL_EUSAGE, "second"), TSL_EUSAGE);
    assert_int_equal(err.code, TSL_EIO);
    assert_string_equal(err.msg, "first 1");
}

static void no_err_is_needed(void **state)
{
    struct tsl_err from = { TSL_EVERIFY, "why" };
    (void)state;
    assert_int_equal(tsl_err_set(NULL, TSL_EFORMAT, "x"), TSL_EFORMAT);
    assert_int_equal(tsl_err_sys(NULL, EIO, "x"), TSL_EIO);
    assert_int_equal(tsl_err_nomem(NULL, 1, "x"), TSL_ENOMEM);
    assert_int_equal(tsl_err_pass(NULL, &from), TSL_EVERIFY);
}

static void the_system_s_reason_is_told(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(tsl_err_sys(&err, ENOSPC, "%s", "out"), TSL_EIO);
    assert_string_equal(err.msg, "out: No space left on device");
}

static void the_system_s_lack_of_memory_is_ours(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_int_equal(tsl_err_sys(&err, ENOMEM, "x"), TSL_ENOMEM);
    assert_int_equal(err.code, TSL_ENOMEM);
    assert_int_equal(tsl_err_nomem(&err, 5, "y"), TSL_ENOMEM);
    assert_string_equal(err.msg, "x: Cannot allocate memory");
}

static void lack_of_memory_tells_bytes_and_purpose(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(tsl_err_nomem(&err, 4096, "a batch"), TSL_ENOMEM, &err,
               "out of memory: 4096 bytes for a batch");
}

static void passing_on_keeps_what_was_there(void **state)
{
    struct tsl_err from = { TSL_EVERIFY, "why" }, none = { 0 },
                   had = { TSL_EIO, "before" };
    (void)state;
    assert_int_equal(tsl_err_pass(&none, &from), TSL_EVERIFY);
    assert_string_equal(none.msg, "why");
    assert_int_equal(none.code, TSL_EVERIFY);
    assert_int_equal(tsl_err_pass(&had, &from), TSL_EVERIFY);
    assert_string_equal(had.msg, "before");
}

static void a_message_too_long_is_cut_and_ended(void **state)
{
    struct tsl_err err = { 0 };
    char s[2000];
    (void)state;
    memset(s, 'x', sizeof s - 1);
    s[sizeof s - 1] = '\0';
    for (size_t n = sizeof err.msg - 40; n < sizeof err.msg + 40; n++) {
        err = (struct tsl_err){ 0 };
        memset(err.msg, 'y', sizeof err.msg);
        s[n] = '\0';
        assert_int_equal(tsl_err_sys(&err, EIO, "%s", s), TSL_EIO);
        s[n] = 'x';
        size_t len = strnlen(err.msg, sizeof err.msg);
        assert_in_range(len, sizeof err.msg - 40, sizeof err.msg - 1);
    }
}

static void codes_are_negative_and_different(void **state)
{
#define X(name, value, text) name,
    static const int codes[] = { TSL_ERR_CODES(X) };
#undef X
    (void)state;
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        assert_true(codes[i] < 0);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(codes[i], codes[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_message_wins),
        TEST(no_err_is_needed),
        TEST(the_system_s_reason_is_told),
        TEST(the_system_s_lack_of_memory_is_ours),
        TEST(lack_of_memory_tells_bytes_and_purpose),
        TEST(passing_on_keeps_what_was_there),
        TEST(a_message_too_long_is_cut_and_ended),
        TEST(codes_are_negative_and_different),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

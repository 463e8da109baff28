#include "support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

static void whole_numbers_are_read(void **state)
{
    static const struct {
        const char *s;
        uint64_t v;
    } good[] = { { "0", 0 },
                 { "7", 7 },
                 { "007", 7 },
                 { "4294967296", UINT64_C(1) << 32 },
                 { "18446744073709551615", UINT64_MAX },
                 { "000000000000000000000000018446744073709551615", UINT64_MAX } };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t v = 99;
        bool over = true;
        assert_true(tsl_parse_u64(good[i].s, &v, &over));
        assert_true(v == good[i].v);
        assert_false(over);
    }
}

static void what_is_not_a_whole_number_is_refused(void **state)
{
    static const char *const bad[] = { "",     " 1",  "1 ", "+1", "-1",      "1.0",
                                       "0x10", "1e3", "a",  "1a", "\xd9\xa1" };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t v = 99;
        bool over = true;
        assert_false(tsl_parse_u64(bad[i], &v, &over));
        assert_false(over);
        assert_false(tsl_parse_u64(bad[i], &v, NULL));
        assert_int_equal(v, 99);
    }
}

static void too_large_is_told_from_junk(void **state)
{
    static const char *const large[] = { "18446744073709551616",
                                         "99999999999999999999999999",
                                         "184467440737095516150",
                                         "36893488147419103232" };
    (void)state;
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        uint64_t v = 99;
        bool over = false;
        assert_false(tsl_parse_u64(large[i], &v, &over));
        assert_true(over);
        assert_int_equal(v, 99);
    }
    bool over = true;
    uint64_t v;
    assert_false(tsl_parse_u64("18446744073709551616x", &v, &over));
    assert_false(over);
}

static void sizes_are_read(void **state)
{
    static const struct {
        const char *s;
        uint64_t v;
    } good[] = {
        { "0", 0 },
        { "1", 1 },
        { "4096", 4096 },
        { "1b", 512 },
        { "1K", 1024 },
        { "1k", 1024 },
        { "1KiB", 1024 },
        { "1kiB", 1024 },
        { "1KB", 1000 },
        { "1kB", 1000 },
        { "5B", 5 },
        { "3M", 3 << 20 },
        { "2MB", 2000000 },
        { "4G", UINT64_C(4) << 30 },
        { "1T", UINT64_C(1) << 40 },
        { "1P", UINT64_C(1) << 50 },
        { "15E", UINT64_C(15) << 60 },
        { "18EB", UINT64_C(18000000000000000000) },
        { "1.5K", 1536 },
        { ".5K", 512 },
        { "1.K", 1024 },
        { "0.5", 1 },
        { "0.0001", 1 },
        { "0.0", 0 },
        { "0K", 0 },
        { "1.9", 1 },
        { "18446744073709551615", UINT64_MAX },
        { "1.00048828125K", 1024 },
        { "9007199254740993", UINT64_C(9007199254740993) },
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t v = 99;
        assert_true(tsl_parse_size(good[i].s, 0, &v));
        if (v != good[i].v)
            print_error("%s is %" PRIu64 "\n", good[i].s, v);
        assert_true(v == good[i].v);
    }
}

static void decimal_fractions_are_exact(void **state)
{
    (void)state;
    for (unsigned whole = 0; whole < 30; whole++)
        for (unsigned f = 0; f < 1000; f++) {
            char s[40];
            uint64_t v;
            snprintf(s, sizeof s, "%u.%03uKB", whole, f);
            assert_true(tsl_parse_size(s, 0, &v));
            if (v != 1000 * whole + f)
                print_error("%s is %" PRIu64 "\n", s, v);
            assert_int_equal(v, 1000 * whole + f);
        }
}

static void what_is_not_a_size_is_refused(void **state)
{
    static const char *const bad[] = {
        "",       ".",   "K",    "-1",   "+1",   " 1",    "1 ",
        "1 K",    "1KK", "1Q",   "1Kb",  "1KBB", "1KiBx", "1Ki",
        "1.2.3",  "1e3", "0x10", "16E",  "1%%",  "10%",   "18446744073709551616",
        "18.5EB", "nan", "inf",  "1,5K", "1B ",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t v = 99;
        if (tsl_parse_size(bad[i], 0, &v))
            print_error("\"%s\" is %" PRIu64 "\n", bad[i], v);
        assert_false(tsl_parse_size(bad[i], 0, &v));
        assert_int_equal(v, 99);
    }
    char digits[6000];
    uint64_t v;
    memset(digits, '9', sizeof digits);
    digits[sizeof digits - 1] = '\0';
    assert_false(tsl_parse_size(digits, 0, &v));
    digits[1] = '.';
    assert_true(tsl_parse_size(digits, 0, &v));
    assert_in_range(v, 9, 10);
}

static void percentages_are_of_the_whole(void **state)
{
    uint64_t v;
    (void)state;
    assert_true(tsl_parse_size("50%", 1000, &v));
    assert_int_equal(v, 500);
    assert_true(tsl_parse_size("0.1%", 1000, &v));
    assert_int_equal(v, 1);
    assert_true(tsl_parse_size("100%", UINT64_MAX, &v));
    assert_true(v == UINT64_MAX);
    assert_true(tsl_parse_size("0%", 1000, &v));
    assert_int_equal(v, 0);
    assert_true(tsl_parse_size("0.01%", 100, &v)); /* less than a byte, but not none */
    assert_int_equal(v, 1);
    assert_false(tsl_parse_size("50%x", 1000, &v));
}

static void shares_are_read(void **state)
{
    static const struct {
        const char *s;
        double v;
    } good[] = { { "0", 0 },      { "1", 1 },         { "0.25", 0.25 }, { ".25", 0.25 },
                 { "25%", 0.25 }, { "100%", 1 },      { "0%", 0 },      { "1.0", 1 },
                 { "0.1", 0.1 },  { "12.5%", 0.125 }, { "0.7", 0.7 },   { "33%", 0.33 } };
    static const char *const bad[] = { "",     "1.01", "101%", "-0.1", "x", "0.5x",
                                       "50 %", "1/2",  "50%%", "nan",  "2", "%" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double v = -1;
        assert_true(tsl_parse_share(good[i].s, &v));
        assert_true(v == good[i].v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double v = -1;
        assert_false(tsl_parse_share(bad[i], &v));
        assert_true(v == -1);
    }
}

static void numbers_are_read_as_the_nearest_double(void **state)
{
    static const struct {
        const char *s;
        double v;
    } good[] = { { "0", 0 },
                 { "3", 3 },
                 { ".5", .5 },
                 { "1e-4", 1e-4 },
                 { "0.1", .1 },
                 { "1.76E-3", 1.76e-3 },
                 { "5.", 5 },
                 { "1e+22", 1e22 },
                 { "00012.50", 12.5 },
                 { "0e999", 0 },
                 { "0.000", 0 },
                 { "999999999999999", 999999999999999 },
                 { "123.456e-2", 1.23456 },
                 { "1e-22", 1e-22 },
                 { "1e-30", 1e-30 },
                 { "1e23", 1e23 },
                 { "123456789012345e-40", 123456789012345e-40 },
                 { "1.7e299", 1.7e299 },
                 { "2e-299", 2e-299 },
                 { "0.0000001", 1e-7 } };
    static const char *const bad[] = { "",
                                       ".",
                                       "-1",
                                       "+1",
                                       " 1",
                                       "1 ",
                                       "1e",
                                       "1e+",
                                       "e5",
                                       "1.2.",
                                       "1e1.5",
                                       "nan",
                                       "inf",
                                       "0x1p3",
                                       "1,5",
                                       "1e305",
                                       "1e-301",
                                       "1e1000",
                                       "1234567890123456" };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double v = -1;
        assert_true(tsl_parse_number(good[i].s, &v));
        assert_true(v == good[i].v);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double v = -1;
        if (tsl_parse_number(bad[i], &v))
            fail_msg("%s is read as %g", bad[i], v);
        assert_true(v == -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(whole_numbers_are_read),
        TEST(what_is_not_a_whole_number_is_refused),
        TEST(too_large_is_told_from_junk),
        TEST(sizes_are_read),
        TEST(decimal_fractions_are_exact),
        TEST(what_is_not_a_size_is_refused),
        TEST(percentages_are_of_the_whole),
        TEST(shares_are_read),
        TEST(numbers_are_read_as_the_nearest_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

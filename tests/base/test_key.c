#include "support/test.h"

#include <math.h>

#include "base/key.h"

/* How many sigmas too far from uniform the counts are (Wilson and Hilferty 1931). */
static double excess(const uint64_t *counts, size_t n, double expected)
{
    double chi2 = 0, df = (double)n - 1;
    for (size_t i = 0; i < n; i++)
        chi2 +=
            ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    return (cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

static void a_key_is_a_function_of_seed_purpose_and_index(void **state)
{
    (void)state;
    struct tsl_key a = tsl_key_make(7, "x"), b = tsl_key_make(7, "x");
    for (uint64_t i = 0; i < 1000; i++) {
        assert_true(tsl_key_at(&a, i) == tsl_key_at(&b, i));
        assert_true(tsl_key_below(&a, i, 10) == tsl_key_below(&b, i, 10));
    }
}

/* What is drawn is part of the output's definition: this fails when the order of a seed
 * changes, on whatever machine. */
static void the_keys_of_version_1_stay(void **state)
{
    (void)state;
    struct tsl_key k = tsl_key_make(1, "shuffle rows");
    assert_int_equal(tsl_key_at(&k, 0), UINT64_C(0x7af05c99960ddc91));
    assert_int_equal(tsl_key_at(&k, 1), UINT64_C(0x136978c7941a28ac));
    assert_int_equal(tsl_key_at(&k, UINT64_MAX), UINT64_C(0x8d1538a75066b24d));
    assert_int_equal(tsl_key_below(&k, 5, 1000000), 221653);
}

static void bounds_hold(void **state)
{
    static const uint64_t bounds[] = {
        1, 2, 3, 10, 1000, UINT64_C(1) << 32, UINT64_C(3) << 62, UINT64_MAX
    };
    struct tsl_key k = tsl_key_make(3, "bounds");
    (void)state;
    for (size_t b = 0; b < sizeof bounds / sizeof *bounds; b++)
        for (uint64_t i = 0; i < 2000; i++)
            assert_true(tsl_key_below(&k, i, bounds[b]) < bounds[b]);
}

static void bounded_draws_are_uniform(void **state)
{
    (void)state;
    for (uint64_t n = 2; n < 40; n++) {
        struct tsl_key k = tsl_key_make(n, "uniform");
        uint64_t counts[40] = { 0 };
        for (uint64_t i = 0; i < 20000; i++)
            counts[tsl_key_below(&k, i, n)]++;
        assert_true(excess(counts, n, 20000.0 / (double)n) < 5);
    }
}

/* With n = 3 * 2^62 a draw by a plain product or remainder would hit a third of the
 * values twice as often as the rest. */
static void draws_below_a_large_bound_are_not_biased(void **state)
{
    const uint64_t n = UINT64_C(3) << 62;
    struct tsl_key k = tsl_key_make(4, "bias");
    uint64_t thirds[3] = { 0 }, mod[3] = { 0 }, N = 300000;
    (void)state;
    for (uint64_t i = 0; i < N; i++) {
        uint64_t v = tsl_key_below(&k, i, n);
        thirds[v >> 62]++;
        mod[v % 3]++;
    }
    assert_true(excess(thirds, 3, (double)N / 3) < 5);
    assert_true(excess(mod, 3, (double)N / 3) < 5);
}

/* Each bit of two functions of the same index agrees in half of the cases. */
static void assert_unrelated(const struct tsl_key *a, const struct tsl_key *b,
                             uint64_t xor, uint64_t step)
{
    enum { N = 20000 };
    unsigned agree[64] = { 0 };
    for (uint64_t i = 0; i < N; i++) {
        uint64_t same = ~(tsl_key_at(a, i * step) ^ tsl_key_at(b, i * step ^ xor));
        for (unsigned bit = 0; bit < 64; bit++)
            agree[bit] += same >> bit & 1;
    }
    for (unsigned bit = 0; bit < 64; bit++)
        assert_true(fabs(agree[bit] - N / 2.0) < 5.5 * sqrt(N / 4.0));
}

static void purposes_say_nothing_about_each_other(void **state)
{
    struct tsl_key a = tsl_key_make(1, "shuffle rows"),
                   b = tsl_key_make(1, "shuffle range");
    struct tsl_key c = tsl_key_make(1, "draw rows");
    (void)state;
    assert_unrelated(&a, &b, 0, 1);
    assert_unrelated(&b, &c, 0, 1);
    assert_unrelated(&a, &c, 0, 128);
}

static void seeds_say_nothing_about_each_other(void **state)
{
    static const uint64_t seeds[][2] = { { 0, 1 },
                                         { 1, 2 },
                                         { 1, UINT64_C(1) << 63 },
                                         { 5, ~UINT64_C(5) },
                                         { 0, UINT64_MAX } };
    (void)state;
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        struct tsl_key a = tsl_key_make(seeds[s][0], "rows");
        struct tsl_key b = tsl_key_make(seeds[s][1], "rows");
        assert_unrelated(&a, &b, 0, 128);
        /* the trap: one seed's order is the other's with rows swapped in pairs */
        assert_unrelated(&a, &b, seeds[s][0] ^ seeds[s][1], 128);
    }
}

static void neighbouring_indexes_have_unrelated_keys(void **state)
{
    struct tsl_key a = tsl_key_make(9, "rows");
    (void)state;
    for (unsigned bit = 0; bit < 64; bit += 7)
        assert_unrelated(&a, &a, UINT64_C(1) << bit, 1);
}

static void both_halves_of_a_wide_index_count(void **state)
{
    struct tsl_key k = tsl_key_make(2, "wide");
    struct tsl_u128 a = { 1, 2 }, b = { 1, 3 }, c = { 2, 2 }, d = { 2, 1 };
    (void)state;
    uint64_t v[] = { tsl_key_at128(&k, a), tsl_key_at128(&k, b), tsl_key_at128(&k, c),
                     tsl_key_at128(&k, d) };
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            assert_true(v[i] != v[j]);
    assert_true(tsl_key_at128(&k, a) == v[0]);
}

static void a_seed_that_nobody_chose_differs_each_time(void **state)
{
    (void)state;
    uint64_t a = tsl_key_random_seed(), b = tsl_key_random_seed();
    assert_true(a != b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_a_function_of_seed_purpose_and_index),
        TEST(the_keys_of_version_1_stay),
        TEST(bounds_hold),
        TEST(bounded_draws_are_uniform),
        TEST(draws_below_a_large_bound_are_not_biased),
        TEST(purposes_say_nothing_about_each_other),
        TEST(seeds_say_nothing_about_each_other),
        TEST(neighbouring_indexes_have_unrelated_keys),
        TEST(both_halves_of_a_wide_index_count),
        TEST(a_seed_that_nobody_chose_differs_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

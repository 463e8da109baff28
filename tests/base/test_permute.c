#include "support/test.h"

#include <math.h>
#include <stdlib.h>

#include "base/permute.h"

static bool is_permutation(uint64_t seed, uint64_t n)
{
    struct tsl_permute p = tsl_permute_make(seed, "shuffle range", n);
    uint8_t *seen = calloc(n, 1);
    bool good = true;
    for (uint64_t i = 0; i < n && good; i++) {
        uint64_t v = tsl_permute_at(&p, i);
        good = v < n && !seen[v];
        if (good)
            seen[v] = 1;
    }
    free(seen);
    return good;
}

static void every_number_comes_once(void **state)
{
    (void)state;
    for (uint64_t n = 1; n <= 2000; n++)
        assert_true(is_permutation(n * 7, n));
    assert_true(is_permutation(3, (1 << 20) + 7));
}

static void numbers_stay_within_ranges_of_any_size(void **state)
{
    (void)state;
    for (unsigned log = 21; log < 64; log++)
        for (int64_t off = -1; off <= 1; off++) {
            uint64_t n = (UINT64_C(1) << log) + (uint64_t)off, last = UINT64_MAX;
            struct tsl_permute p = tsl_permute_make(log, "shuffle range", n);
            for (uint64_t i = 0; i < 20; i++) {
                uint64_t v = tsl_permute_at(&p, i * (n / 20));
                assert_true(v < n && v != last);
                last = v;
            }
        }
    struct tsl_permute p = tsl_permute_make(1, "shuffle range", UINT64_MAX);
    assert_true(tsl_permute_at(&p, UINT64_MAX - 1) < UINT64_MAX);
}

static void seeds_give_different_orders(void **state)
{
    enum { N = 100000 };
    (void)state;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct tsl_permute a = tsl_permute_make(seed, "shuffle range", N),
                           b = tsl_permute_make(seed + 1, "shuffle range", N);
        unsigned same = 0;
        for (uint64_t i = 0; i < N; i++)
            same += tsl_permute_at(&a, i) == tsl_permute_at(&b, i);
        assert_true(same < 12); /* one is to be expected */
    }
}

static void every_order_of_three_or_four_is_as_likely(void **state)
{
    (void)state;
    for (uint64_t n = 3; n <= 4; n++) {
        enum { SEEDS = 24000 };
        unsigned counts[256] = { 0 }, norders = n == 3 ? 6 : 24;
        double chi2 = 0, expected = (double)SEEDS / norders, df = norders - 1;
        for (uint64_t seed = 0; seed < SEEDS; seed++) {
            struct tsl_permute p = tsl_permute_make(seed, "shuffle range", n);
            uint64_t number = 0;
            for (uint64_t i = 0; i < n; i++)
                number = number * n + tsl_permute_at(&p, i);
            counts[number]++;
        }
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
            if (counts[i]) /* an order that never came leaves too many for the others */
                chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
        assert_true((cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df)) < 5);
    }
}

static void every_number_is_as_likely_in_every_place(void **state)
{
    enum { N = 50, SEEDS = 10000 };
    static unsigned counts[N][N];
    double chi2 = 0, expected = (double)SEEDS / N, df = (N - 1.0) * (N - 1);
    (void)state;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct tsl_permute p = tsl_permute_make(seed, "shuffle range", N);
        for (uint64_t i = 0; i < N; i++)
            counts[i][tsl_permute_at(&p, i)]++;
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            chi2 += (counts[i][j] - expected) * (counts[i][j] - expected) / expected;
    chi2 *= (N - 1.0) / N;
    assert_true(fabs((cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df))) < 5);
}

static void epochs_have_orders_of_their_own(void **state)
{
    enum { N = 1000 };
    (void)state;
    struct tsl_permute a = tsl_permute_epoch(1, 0, N), b = tsl_permute_epoch(1, 1, N),
                       c = tsl_permute_epoch(2, 0, N);
    unsigned same = 0;
    for (uint64_t i = 0; i < N; i++)
        same += (tsl_permute_at(&a, i) == tsl_permute_at(&b, i)) +
                (tsl_permute_at(&a, i) == tsl_permute_at(&c, i));
    assert_in_range(same, 0, 12);
    /* part of what is promised: never change it */
    const uint64_t first[] = { 322, 160, 105, 155 };
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(tsl_permute_at(&a, i), first[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_comes_once),
        TEST(numbers_stay_within_ranges_of_any_size),
        TEST(seeds_give_different_orders),
        TEST(every_order_of_three_or_four_is_as_likely),
        TEST(every_number_is_as_likely_in_every_place),
        TEST(epochs_have_orders_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

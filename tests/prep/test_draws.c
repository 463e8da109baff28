#include "support/test.h"

#include "prep/draws.h"
#include "support/chisquare.h"

static void bounded_draws_are_uniform_over_addresses_and_along_a_sample(void **state)
{
    (void)state;
    for (uint32_t n = 2; n < 50; n += 3) {
        struct tsl_key key = tsl_key_make(n, "test");
        uint64_t first[50] = { 0 }, third[50] = { 0 }, along[50] = { 0 },
                 wide[50] = { 0 };
        struct tsl_draws one = tsl_draws_make(&key, 1, 2);
        for (uint64_t i = 0; i < 20000; i++) {
            struct tsl_draws d = tsl_draws_make(&key, 0, i);
            first[tsl_draws_below(&d, n)]++;
            tsl_draws_next(&d);
            third[tsl_draws_below(&d, n)]++;
            along[tsl_draws_below(&one, n)]++;
            wide[tsl_draws_below64(&one, n)]++;
        }
        assert_true(chisquare_uniform(first, n) < 4.5);
        assert_true(chisquare_uniform(third, n) < 4.5);
        assert_true(chisquare_uniform(along, n) < 4.5);
        assert_true(chisquare_uniform(wide, n) < 4.5);
    }
}

/* Neighbours in any of seed, epoch and address have nothing in common. */
static void neighbours_agree_in_half_of_their_bits(void **state)
{
    (void)state;
    uint64_t same[3] = { 0 };
    enum { N = 4000 };
    for (uint64_t i = 0; i < N; i++) {
        struct tsl_key k = tsl_key_make(i, "test"), next = tsl_key_make(i + 1, "test");
        struct tsl_draws a = tsl_draws_make(&k, i, i);
        struct tsl_draws b[] = { tsl_draws_make(&next, i, i),
                                 tsl_draws_make(&k, i + 1, i),
                                 tsl_draws_make(&k, i, i + 1) };
        uint64_t x = tsl_draws_next(&a);
        for (unsigned j = 0; j < 3; j++)
            same[j] += (uint64_t)__builtin_popcountll(~(x ^ tsl_draws_next(&b[j])));
    }
    for (unsigned j = 0; j < 3; j++)
        assert_true(fabs((double)same[j] - 32. * N) < 5 * 4 * sqrt(N));
}

/* What is drawn is part of the output's definition. */
static void the_draws_of_version_1_stay(void **state)
{
    (void)state;
    struct tsl_key key = tsl_key_make(1, "mask tokens");
    struct tsl_draws d = tsl_draws_make(&key, 2, 3);
    assert_true(tsl_draws_next(&d) == UINT64_C(0x5df9eba42c0dfd4b));
    assert_true(tsl_draws_next(&d) == UINT64_C(0x5dac3595df00adba));
    assert_int_equal(tsl_draws_below(&d, 1000), 634);
    assert_int_equal(tsl_draws_below64(&d, UINT64_C(1) << 40), 512130148554);
}

static void thresholds_are_shares_of_32_bits(void **state)
{
    (void)state;
    assert_true(tsl_draws_threshold(0) == 0 && tsl_draws_threshold(-1) == 0);
    assert_true(tsl_draws_threshold(1) == UINT64_C(1) << 32);
    assert_true(tsl_draws_threshold(2) == UINT64_C(1) << 32);
    assert_true(tsl_draws_threshold(.25) == UINT64_C(1) << 30);
    struct tsl_draws d = { 1, 2 };
    assert_true(tsl_draws_less(&d, UINT64_C(1) << 32));
    assert_false(tsl_draws_less(&d, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bounded_draws_are_uniform_over_addresses_and_along_a_sample),
        TEST(neighbours_agree_in_half_of_their_bits),
        TEST(the_draws_of_version_1_stay),
        TEST(thresholds_are_shares_of_32_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

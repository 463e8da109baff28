#include "support/test.h"

#include "prep/npyrandom.h"

static void choices_are_those_of_numpy(void **state)
{
    (void)state;
    static const uint8_t want[] = { 3, 1, 1, 1, 2, 2, 3, 2, 2, 2, 2, 3, 1, 1,
                                    1, 2, 2, 3, 3, 2, 2, 2, 1, 1, 1, 2, 3, 2,
                                    2, 1, 1, 2, 3, 1, 1, 1, 2, 1, 3, 2 };
    struct tsl_npyrandom r;
    double p[3] = { 1, 1. / 2, 1. / 3 }, cdf[3];
    for (unsigned again = 0; again < 2; again++) {
        double sum = tsl_npyrandom_sum(p, 3);
        for (size_t i = 0; i < 3; i++)
            p[i] /= sum;
    }
    tsl_npyrandom_cdf(p, 3, cdf);
    tsl_npyrandom_seed(&r, 12345);
    for (size_t i = 0; i < sizeof want; i++)
        assert_int_equal(tsl_npyrandom_choice(&r, cdf, 3) + 1, want[i]);
    assert_int_equal(tsl_mt19937_next(&r.mt), 3514786552);
}

/* 1/1 .. 1/n, divided by their sum, and summed again: bits that the order of adding
 * decides.  Said by numpy 2.4.6. */
static void sums_are_added_in_the_order_of_numpy(void **state)
{
    (void)state;
    static const struct {
        size_t n;
        double sum, reversed;
    } want[] = {
        { 7, 0x1.0000000000000p+0, 0x1.0000000000001p+0 },
        { 8, 0x1.0000000000001p+0, 0x1.0000000000001p+0 },
        { 13, 0x1.ffffffffffffep-1, 0x1.0000000000000p+0 },
        { 16, 0x1.fffffffffffffp-1, 0x1.fffffffffffffp-1 },
        { 20, 0x1.ffffffffffffep-1, 0x1.fffffffffffffp-1 },
        { 33, 0x1.0000000000000p+0, 0x1.0000000000000p+0 },
    };
    for (size_t w = 0; w < sizeof want / sizeof *want; w++) {
        double p[40], q[40];
        size_t n = want[w].n;
        for (size_t i = 0; i < n; i++)
            p[i] = 1. / (double)(i + 1);
        double sum = tsl_npyrandom_sum(p, n);
        for (size_t i = 0; i < n; i++)
            q[n - 1 - i] = p[i] /= sum;
        assert_true(tsl_npyrandom_sum(p, n) == want[w].sum);
        assert_true(tsl_npyrandom_sum(q, n) == want[w].reversed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(choices_are_those_of_numpy),
        TEST(sums_are_added_in_the_order_of_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

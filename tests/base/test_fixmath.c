#include "support/test.h"

#include <math.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/hash.h"
#include "support/gendata.h"

static double unit(struct gen *g)
{
    return (double)gen_below(g, UINT64_C(1) << 53) * 0x1p-53;
}

/* Distance from the C library's, in units in the last place of it. */
static double ulps(double got, double want)
{
    int e;
    frexp(want, &e);
    return fabs(got - want) / ldexp(1, e - 53 < -1074 ? -1074 : e - 53);
}

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Both round, so neighbours may be met: 1 each, and what frexp's step adds. */
static void results_are_those_of_the_c_library_but_for_the_last_bit(void **state)
{
    struct gen g = { 7 };
    double most_exp = 0, most_log = 0;
    (void)state;
    for (int i = 0; i < 300000; i++) {
        double u = unit(&g);
        double x = i % 3 == 0 ? (u - 0.5) * 1450 : i % 3 == 1 ? u - 0.5 : -40 * u;
        double y = i % 3 == 0   ? ldexp(0.5 + u, (int)gen_below(&g, 2096) - 1074)
                   : i % 3 == 1 ? 0.5 + 1.5 * u
                                : 1e9 * u;
        if (x < 709.7)
            most_exp = fmax(most_exp, ulps(tsl_fixmath_exp(x), exp(x)));
        if (y > 0)
            most_log = fmax(most_log, ulps(tsl_fixmath_log(y), log(y)));
    }
    assert_true(most_exp <= 2);
    assert_true(most_log <= 2);
}

static void the_ends_of_the_range_are_met(void **state)
{
    (void)state;
    assert_true(tsl_fixmath_exp(0) == 1);
    assert_true(tsl_fixmath_exp(-0.0) == 1);
    assert_true(isinf(tsl_fixmath_exp(710)) && isinf(tsl_fixmath_exp(INFINITY)));
    assert_true(isfinite(tsl_fixmath_exp(709.78)));
    assert_true(tsl_fixmath_exp(-746) == 0 && tsl_fixmath_exp(-INFINITY) == 0);
    assert_true(tsl_fixmath_exp(-745) == 0x1p-1074);
    assert_true(isnan(tsl_fixmath_exp(NAN)));
    assert_true(tsl_fixmath_log(1) == 0);
    assert_true(tsl_fixmath_log(0) == -INFINITY && tsl_fixmath_log(-0.0) == -INFINITY);
    assert_true(isnan(tsl_fixmath_log(-1)) && isnan(tsl_fixmath_log(NAN)));
    assert_true(tsl_fixmath_log(INFINITY) == INFINITY);
    assert_true(ulps(tsl_fixmath_log(0x1p-1074), log(0x1p-1074)) <= 1);
    assert_true(tsl_fixmath_digamma(0) == -INFINITY && isnan(tsl_fixmath_digamma(-1)));
}

/* digamma(n) is minus Euler's constant and 1 + 1/2 + ... + 1/(n - 1). */
static void digamma_is_that_of_the_harmonic_numbers(void **state)
{
    double sum = -0.57721566490153286061;
    (void)state;
    for (int n = 1; n < 3000; n++) {
        assert_true(fabs(tsl_fixmath_digamma(n) - sum) <= 1e-10);
        sum += 1.0 / n;
    }
    assert_true(fabs(tsl_fixmath_digamma(0.5) + 1.96351002602142347944) < 1e-10);
    assert_true(fabs(tsl_fixmath_digamma(1e15) - log(1e15)) < 1e-13);
}

/* What any machine has to give: a hash of the bits of 300,000 results. */
static void bits_are_the_same_everywhere(void **state)
{
    static uint64_t r[300000];
    struct gen g = { 99 };
    (void)state;
    for (size_t i = 0; i < 300000; i += 3) {
        double u = unit(&g);
        r[i] = bits_of(tsl_fixmath_exp((u - 0.5) * (i % 2 ? 1500 : 30)));
        r[i + 1] = bits_of(tsl_fixmath_log(i % 2 ? u : u * 1e12));
        r[i + 2] = bits_of(tsl_fixmath_digamma(i % 2 ? 20 * u : 1e9 * u));
    }
    uint64_t sum = tsl_hash64(r, sizeof r, 0);
    if (sum != UINT64_C(0xd4a1b7f8e713b8c4))
        fail_msg("%llx", (unsigned long long)sum);
}

static void the_cosine_is_that_of_the_c_library(void **state)
{
    static const double pi = 3.14159265358979323846;
    static const double turns[][2] = { { 0, 1 },    { 1, -1 },   { .5, 0 },
                                       { 1.5, 0 },  { 2, 1 },    { -1, -1 },
                                       { 1e15, 1 }, { -2.5, 0 }, { 101, -1 } };
    uint64_t r[1000];
    (void)state;
    for (size_t i = 0; i < sizeof turns / sizeof *turns; i++)
        assert_true(tsl_fixmath_cospi(turns[i][0]) == turns[i][1]);
    for (int i = -1000; i < 3000; i++) {
        double x = i / 1000. + 1e-5;
        assert_true(fabs(tsl_fixmath_cospi(x) - cos(pi * x)) < 4e-15);
        if (i >= 0 && i < 1000) {
            assert_true(fabs(tsl_fixmath_cospi(x) - cos(pi * x)) < 4e-16);
            r[i] = bits_of(tsl_fixmath_cospi(x));
        }
    }
    assert_true(isnan(tsl_fixmath_cospi(INFINITY)) && isnan(tsl_fixmath_cospi(NAN)));
    uint64_t sum = tsl_hash64(r, sizeof r, 0);
    if (sum != UINT64_C(0x53485f7a4f866ea3))
        fail_msg("%llx", (unsigned long long)sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(results_are_those_of_the_c_library_but_for_the_last_bit),
        TEST(the_ends_of_the_range_are_met),
        TEST(digamma_is_that_of_the_harmonic_numbers),
        TEST(bits_are_the_same_everywhere),
        TEST(the_cosine_is_that_of_the_c_library),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

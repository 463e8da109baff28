#include "support/test.h"

#include "prep/mt19937.h"

static void numbers_are_those_of_python_3(void **state)
{
    (void)state;
    static const uint64_t first[] = { 3752578205500684, 91595735555041,
                                      7432799455157731 };
    static const uint32_t order[] = { 6, 0, 8, 1, 7, 9, 2, 3, 5, 4 };
    static const uint64_t ints[] = { 28644, 14186, 8555, 18418, 20552, 5712 };
    static const uint16_t later[] = { 247, 28, 71, 243, 184, 169, 151, 36, 0, 105 };
    struct tsl_mt19937 g;
    uint32_t a[10];
    uint16_t b[300];
    tsl_mt19937_seed_python(&g, 12345);
    for (size_t i = 0; i < 3; i++)
        assert_true(tsl_mt19937_bits53(&g) == first[i]);
    for (uint32_t i = 0; i < 10; i++)
        a[i] = i;
    tsl_mt19937_shuffle32(&g, a, 10, false);
    assert_memory_equal(a, order, sizeof order);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(tsl_mt19937_randint(&g, 0, 30521, false), ints[i]);
    for (size_t i = 0; i < 2000; i++)
        tsl_mt19937_random(&g);
    for (uint16_t i = 0; i < 300; i++)
        b[i] = i;
    tsl_mt19937_shuffle16(&g, b, 300, false);
    assert_memory_equal(b, later, sizeof later);
    assert_int_equal(tsl_mt19937_getrandbits(&g, 32), 3320203922);
    assert_int_equal(tsl_mt19937_getrandbits(&g, 45), 25233149677183);
    assert_int_equal(tsl_mt19937_getrandbits(&g, 1), 1);
    assert_true(tsl_mt19937_getrandbits(&g, 64) == UINT64_C(12326862397147285733));
}

static void numbers_are_those_of_python_2(void **state)
{
    (void)state;
    static const uint32_t order[] = { 9, 4, 6, 7, 5, 0, 8, 1, 3, 2 };
    static const uint64_t ints[] = { 16885, 10832, 29242, 2786, 29870, 12578 };
    static const uint16_t later[] = { 15, 157, 127, 276, 33, 179, 97, 3, 148, 85 };
    struct tsl_mt19937 g;
    uint32_t a[10];
    uint16_t b[300];
    tsl_mt19937_seed_python(&g, 12345);
    for (size_t i = 0; i < 3; i++)
        tsl_mt19937_random(&g);
    for (uint32_t i = 0; i < 10; i++)
        a[i] = i;
    tsl_mt19937_shuffle32(&g, a, 10, true);
    assert_memory_equal(a, order, sizeof order);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(tsl_mt19937_randint(&g, 0, 30521, true), ints[i]);
    for (size_t i = 0; i < 2000; i++)
        tsl_mt19937_random(&g);
    for (uint16_t i = 0; i < 300; i++)
        b[i] = i;
    tsl_mt19937_shuffle16(&g, b, 300, true);
    assert_memory_equal(b, later, sizeof later);
}

static void seeds_beyond_32_bits_have_two_words(void **state)
{
    (void)state;
    struct tsl_mt19937 g;
    tsl_mt19937_seed_python(&g, 0);
    assert_int_equal(tsl_mt19937_next(&g), 3626764237);
    tsl_mt19937_seed_python(&g, (UINT64_C(7) << 32) + 5);
    assert_int_equal(tsl_mt19937_next(&g), 1425139611);
}

/* The shuffle without branches against the loop that Python has. */
static void shuffles_of_any_length_are_the_plain_loops(void **state)
{
    (void)state;
    for (size_t n = 0; n < 140; n++) {
        struct tsl_mt19937 g, h;
        uint64_t a[140], b[140];
        tsl_mt19937_seed_python(&g, n);
        h = g;
        for (size_t i = 0; i < n; i++)
            a[i] = b[i] = i;
        tsl_mt19937_shuffle64(&g, a, n, false);
        for (size_t i = n ? n - 1 : 0; i > 0; i--) {
            size_t j = (size_t)tsl_mt19937_below(&h, i + 1, false);
            uint64_t t = b[i];
            b[i] = b[j];
            b[j] = t;
        }
        assert_memory_equal(a, b, n * sizeof *a);
        assert_int_equal(tsl_mt19937_next(&g), tsl_mt19937_next(&h));
    }
}

static void thresholds_decide_as_the_comparison_of_doubles(void **state)
{
    (void)state;
    static const double p[] = { 0, .1, .15, .5, .8, 1, 1.5, 0x1p-53, 1 - 0x1p-53 };
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        uint64_t t = tsl_mt19937_threshold(p[i]);
        for (uint64_t x = t > 2 ? t - 2 : 0; x < t + 2 && x >> 53 == 0; x++)
            assert_true(((double)x * 0x1p-53 < p[i]) == (x < t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_those_of_python_3),
        TEST(numbers_are_those_of_python_2),
        TEST(seeds_beyond_32_bits_have_two_words),
        TEST(shuffles_of_any_length_are_the_plain_loops),
        TEST(thresholds_decide_as_the_comparison_of_doubles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

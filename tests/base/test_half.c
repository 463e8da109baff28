#include "support/test.h"

#include <math.h>

#include "base/half.h"

static void every_half_is_its_float_again(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float f = tsl_half_float((uint16_t)h);
        bool nan = (h & 0x7c00) == 0x7c00 && (h & 0x3ff);
        int e = h >> 10 & 31, m = h & 1023;
        double want = nan       ? NAN
                      : e == 31 ? INFINITY
                      : e       ? ldexp(1024 + m, e - 25)
                                : ldexp(m, -24);
        if (nan) {
            assert_true(isnan(f));
            assert_int_equal(tsl_half_of(f), (h & 0x8000) | 0x7e00);
            continue;
        }
        assert_true((double)f == (h & 0x8000 ? -want : want));
        assert_int_equal(tsl_half_of(f), h);
    }
}

/* Between two halves: below the middle the lower one, at it the even one, above the upper one. */
static void a_float_becomes_the_nearest_half(void **state)
{
    (void)state;
    for (uint16_t h = 0; h < 0x7bff; h++) {
        float low = tsl_half_float(h), high = tsl_half_float((uint16_t)(h + 1));
        float middle = low + (high - low) / 2;
        for (int sign = 0; sign < 2; sign++) {
            float s = sign ? -1 : 1;
            int base = sign ? 0x8000 : 0;
            assert_int_equal(tsl_half_of(s * nextafterf(middle, 0)), base | h);
            assert_int_equal(tsl_half_of(s * middle), base | (h + (h & 1)));
            assert_int_equal(tsl_half_of(s * nextafterf(middle, INFINITY)),
                             base | (h + 1));
        }
    }
    assert_int_equal(tsl_half_of(nextafterf(65520, 0)), 0x7bff);
    assert_int_equal(tsl_half_of(65520), 0x7c00);
    assert_int_equal(tsl_half_of(-INFINITY), 0xfc00);
    assert_int_equal(tsl_half_of(1e-30f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_half_is_its_float_again),
        TEST(a_float_becomes_the_nearest_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

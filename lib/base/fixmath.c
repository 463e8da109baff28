#include "base/fixmath.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* ln 2 in two parts: the first has 32 bits, so that its product with an exponent is exact. */
static const double LN2_HIGH = 0x1.62e42feep-1, LN2_LOW = 0x1.a39ef35793c76p-33;
static const double LN2_INVERSE = 0x1.71547652b82fep+0;

enum { EXPONENT_BIAS = 1023, FRACTION_BITS = 52 };

/* 2^e, for e of normal numbers. */
static double power_of_2(int e)
{
    uint64_t bits = (uint64_t)(e + EXPONENT_BIAS) << FRACTION_BITS;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

double tsl_fixmath_exp(double x)
{
    /* 1 / n!, from n = 2 on: with |r| below 0.35 what is left out is below 2^-60 */
    static const double c[] = {
        0.5,           1.0 / 6,        1.0 / 24,        1.0 / 120,
        1.0 / 720,     1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
        1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
    };
    if (isnan(x))
        return x;
    if (x > 709.79)
        return INFINITY;
    if (x < -745.14)
        return 0;
    /* x = k ln 2 + high + low */
    double t = x * LN2_INVERSE;
    int k = (int)(t < 0 ? t - 0.5 : t + 0.5);
    double high = x - k * LN2_HIGH, low = -(k * LN2_LOW), r = high + low, sum = 0;
    for (unsigned i = sizeof c / sizeof *c; i-- > 0;)
        sum = sum * r + c[i];
    sum = 1 + (high + (low + r * r * sum));
    /* in two steps: 2^k itself may be no normal number */
    int half = k / 2;
    return sum * power_of_2(half) * power_of_2(k - half);
}

double tsl_fixmath_log(double x)
{
    uint64_t bits;
    int k = 0;
    if (!(x > 0))
        return x == 0 ? -INFINITY : NAN;
    if (isinf(x))
        return x;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        k = -54;
    }
    /* x = 2^k (1 + f), with 1 + f from sqrt(1/2) to sqrt(2) */
    memcpy(&bits, &x, sizeof bits);
    k += (int)(bits >> FRACTION_BITS) - EXPONENT_BIAS;
    bits = (bits & (((uint64_t)1 << FRACTION_BITS) - 1)) | (uint64_t)EXPONENT_BIAS
                                                               << FRACTION_BITS;
    memcpy(&x, &bits, sizeof x);
    if (x > 0x1.6a09e667f3bcdp+0) {
        x *= 0.5;
        k++;
    }
    /* log(1 + f) = 2 artanh(s) with s = f / (2 + f), and 2 s is f - s f: nearly all of the
     * result is then f, which is exact.  s^2 is below 0.0295: what is left out is below
     * 2^-61 of the result. */
    double f = x - 1, s = f / (2 + f), z = s * s, sum = 0;
    for (int n = 21; n >= 3; n -= 2)
        sum = (sum + 2.0 / n) * z;
    return k * LN2_HIGH + (f - (s * (f - sum) - k * LN2_LOW));
}

double tsl_fixmath_digamma(double x)
{
    double sum = 0;
    if (!(x > 0))
        return x == 0 ? -INFINITY : NAN;
    for (; x < 7; x++) /* the recurrence */
        sum -= 1 / x;
    x -= 0.5; /* the asymptotic series in 1 / (x - 1/2) */
    double r = 1 / (x * x);
    return sum + tsl_fixmath_log(x) +
           r * (1.0 / 24 - r * (7.0 / 960 - r * (31.0 / 8064 - r * (127.0 / 30720))));
}

/* cos(y) - 1 and sin(y) by their series, for y from 0 to pi / 4: what is left out is below
 * 2^-60. */
static double cosine(double y)
{
    double z = y * y, sum = 0;
    for (int n = 18; n >= 2; n -= 2)
        sum = (1 - sum) * z / (n * (n - 1));
    return 1 - sum;
}

static double sine(double y)
{
    double z = y * y, sum = 0;
    for (int n = 17; n >= 3; n -= 2)
        sum = (1 - sum) * z / (n * (n - 1));
    return y - y * sum;
}

double tsl_fixmath_cospi(double x)
{
    static const double pi = 0x1.921fb54442d18p+1;
    if (!isfinite(x))
        return NAN;
    x = fabs(fmod(x, 2)); /* exact, as are the differences below */
    if (x > 1)
        x = 2 - x;
    double sign = x > 0.5 ? -1 : 1;
    if (x > 0.5)
        x = 1 - x;
    return sign * (x <= 0.25 ? cosine(pi * x) : sine(pi * (0.5 - x)));
}

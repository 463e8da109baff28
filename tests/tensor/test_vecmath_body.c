/* Sixteen values at a time against the C library in double: the largest error met, in units
 * in the last place, over a sweep of all floats and one of the range that matters. */
#include "tensor/vecmath_body.h"

#include <float.h>
#include <stdio.h>

#include "support/test.h"

typedef double real(double x);

struct function {
    const char *name;
    v16 (*of)(v16 x);
    real *right;
    double ulps; /* no more than this */
    float low;   /* below it the error is less than 1e-30 */
    bool dips;
};

#define ONE_OF(f)                                                                        \
    static v16 f##_of(v16 x)                                                             \
    {                                                                                    \
        return v16_##f(x);                                                               \
    }
ONE_OF(exp)
ONE_OF(log)
ONE_OF(tanh)
ONE_OF(erf)
ONE_OF(sigmoid)
ONE_OF(softplus)
ONE_OF(sin)
ONE_OF(cos)
ONE_OF(gelu_erf)
ONE_OF(gelu_tanh)
ONE_OF(gelu_sigmoid)
ONE_OF(swish)
ONE_OF(squareplus)
ONE_OF(gelu_erf_grad)
ONE_OF(gelu_tanh_grad)
ONE_OF(gelu_sigmoid_grad)
ONE_OF(swish_grad)
ONE_OF(squareplus_grad)
ONE_OF(tanh_grad)
ONE_OF(sigmoid_grad)

static const double root_half = 0.70710678118654752440,
                    root_two_pi = 2.50662827463100050242;

static double sigmoid(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}
static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double gelu_erf(double x)
{
    return x * erfc(-x * root_half) / 2;
}
static double gelu_erf_grad(double x)
{
    return erfc(-x * root_half) / 2 + x * exp(-x * x / 2) / root_two_pi;
}
static double inner(double x)
{
    return 4 / root_two_pi * (x + 0.044715 * x * x * x);
}
static double gelu_tanh(double x)
{
    return x * sigmoid(inner(x));
}
static double gelu_tanh_grad(double x)
{
    double s = sigmoid(inner(x)), rest = sigmoid(-inner(x));
    return s + x * s * rest * 4 / root_two_pi * (1 + 3 * 0.044715 * x * x);
}
static double gelu_sigmoid(double x)
{
    return x * sigmoid(1.702 * x);
}
static double gelu_sigmoid_grad(double x)
{
    return sigmoid(1.702 * x) * (1 + 1.702 * x * sigmoid(-1.702 * x));
}
static double swish(double x)
{
    return x * sigmoid(x);
}
static double swish_grad(double x)
{
    return sigmoid(x) * (1 + x * sigmoid(-x));
}
static double squareplus(double x)
{
    return x < 0 ? 2 / (sqrt(x * x + 4) - x) : (x + sqrt(x * x + 4)) / 2;
}
static double squareplus_grad(double x)
{
    return squareplus(x) / sqrt(x * x + 4);
}
static double tanh_grad(double x)
{
    return 1 / (cosh(x) * cosh(x));
}
static double sigmoid_grad(double x)
{
    return sigmoid(x) * sigmoid(-x);
}

/* The gap between floats at y. */
static double ulp(double y)
{
    int e;
    frexp(y, &e);
    return ldexp(1, (e < -125 ? -125 : e) - 24);
}
/* In units in the last place of want, or of least where that is more. */
static double error_of(float got, double want, double least)
{
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got) ? 0 : INFINITY;
    if (isinf((float)want) || isinf(got))
        return (float)want == got || fabs(want) > FLT_MAX * 0.9999999 ? 0 : INFINITY;
    return fabs(got - want) / ulp(fabs(want) < least ? least : want);
}

/* Of 16 floats. */
static double error_at(const struct function *f, const float *x, float *worst,
                       double most)
{
    float y[V16];
    v16_store(y, f->of(v16_load(x)));
    for (unsigned i = 0; i < V16; i++) {
        /* The slopes of what dips below 0 have a zero there. */
        bool zero = f->dips && -2.5f < x[i] && x[i] < -0.25f;
        double e = error_of(y[i], f->right(x[i]), zero ? 0.125 : 0);
        if (x[i] < f->low && fabs(y[i] - f->right(x[i])) < 1e-30)
            e = 0;
        if (e > most)
            most = e, *worst = x[i];
    }
    return most;
}
static void sweep(const struct function *f)
{
    double most = 0;
    float x[V16], worst = 0;
    unsigned step = 20011 * test_thrift();
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += V16 * step) {
        for (unsigned i = 0; i < V16; i++) {
            uint32_t b = (uint32_t)(bits + i * step);
            memcpy(&x[i], &b, sizeof x[i]);
        }
        most = error_at(f, x, &worst, most);
    }
    unsigned n = 200000 / test_thrift();
    for (unsigned at = 0; at < n; at += V16) {
        for (unsigned i = 0; i < V16; i++)
            x[i] = (float)(-16 + 32.0 * (at + i) / n);
        most = error_at(f, x, &worst, most);
    }
    if (most > f->ulps)
        fail_msg("%s: %.3f ulp at %a, more than %g", f->name, most, (double)worst,
                 f->ulps);
}
#define FUNCTION(f, right, ulps, low)                                                    \
    {                                                                                    \
#f, f##_of, right, ulps, low, false                                              \
    }
#define DIPPING(f, right, ulps, low)                                                     \
    {                                                                                    \
#f, f##_of, right, ulps, low, true                                               \
    }
static void functions_are_as_precise_as_they_say(void **state)
{
    (void)state;
    const float all = INFINITY;
    const struct function functions[] = {
        FUNCTION(exp, exp, 1.1, -all),
        FUNCTION(log, log, 0.8, -all),
        FUNCTION(tanh, tanh, 2.2, -all),
        FUNCTION(erf, erf, 1, -all),
        FUNCTION(sigmoid, sigmoid, 2.4, -all),
        FUNCTION(softplus, softplus, 1.7, -all),
        FUNCTION(sin, sin, 1.6, -all),
        FUNCTION(cos, cos, 1.6, -all),
        FUNCTION(gelu_erf, gelu_erf, 6, -12),
        FUNCTION(gelu_tanh, gelu_tanh, 3.4, -10),
        FUNCTION(gelu_sigmoid, gelu_sigmoid, 3.4, -50),
        FUNCTION(swish, swish, 3.3, -80),
        FUNCTION(squareplus, squareplus, 2.8, -all),
        DIPPING(gelu_erf_grad, gelu_erf_grad, 5, -12),
        DIPPING(gelu_tanh_grad, gelu_tanh_grad, 6.4, -10),
        DIPPING(gelu_sigmoid_grad, gelu_sigmoid_grad, 6.4, -50),
        DIPPING(swish_grad, swish_grad, 5.7, -80),
        FUNCTION(squareplus_grad, squareplus_grad, 5.2, -1e9f),
        FUNCTION(tanh_grad, tanh_grad, 4.1, -all),
        FUNCTION(sigmoid_grad, sigmoid_grad, 4.1, -all),
    };
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        sweep(&functions[i]);
}

static void infinities_nan_and_zeros_give_their_limits(void **state)
{
    (void)state;
    const float inf = INFINITY, in[V16] = { inf, -inf, NAN, 0, -0.0f };
    const struct {
        v16 (*of)(v16 x);
        float want[5];
    } right[] = {
        { exp_of, { inf, 0, NAN, 1, 1 } },
        { log_of, { inf, NAN, NAN, -inf, -inf } },
        { tanh_of, { 1, -1, NAN, 0, -0.0f } },
        { erf_of, { 1, -1, NAN, 0, -0.0f } },
        { sigmoid_of, { 1, 0, NAN, 0.5f, 0.5f } },
        { softplus_of, { inf, 0, NAN, 0.693147180559945f, 0.693147180559945f } },
        { sin_of, { NAN, NAN, NAN, 0, 0 } },
        { cos_of, { NAN, NAN, NAN, 1, 1 } },
        { gelu_erf_of, { inf, -0.0f, NAN, 0, -0.0f } },
        { gelu_tanh_of, { inf, -0.0f, NAN, 0, -0.0f } },
        { gelu_sigmoid_of, { inf, -0.0f, NAN, 0, -0.0f } },
        { swish_of, { inf, -0.0f, NAN, 0, -0.0f } },
        { squareplus_of, { inf, 0, NAN, 1, 1 } },
        { gelu_erf_grad_of, { 1, 0, NAN, 0.5f, 0.5f } },
        { gelu_tanh_grad_of, { 1, 0, NAN, 0.5f, 0.5f } },
        { gelu_sigmoid_grad_of, { 1, 0, NAN, 0.5f, 0.5f } },
        { swish_grad_of, { 1, 0, NAN, 0.5f, 0.5f } },
        { squareplus_grad_of, { 1, 0, NAN, 0.5f, 0.5f } },
        { tanh_grad_of, { 0, 0, NAN, 1, 1 } },
        { sigmoid_grad_of, { 0, 0, NAN, 0.25f, 0.25f } },
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        float y[V16];
        v16_store(y, right[i].of(v16_load(in)));
        for (unsigned k = 0; k < 5; k++) {
            float want = right[i].want[k];
            if (isnan(want) ? !isnan(y[k])
                            : fabsf(y[k] - want) > 0 && !(k < 2 && fabsf(y[k]) < 1e-25f))
                fail_msg("%zu of %g is %g, not %g", i, (double)in[k], (double)y[k],
                         (double)want);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(functions_are_as_precise_as_they_say),
        TEST(infinities_nan_and_zeros_give_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

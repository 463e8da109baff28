/* vecmath_body.h - exp, log, tanh, erf and the like of sixteen floats at once.
 *
 * Part of each of the three kernels_*.c, behind simd.h: made of v16_* operations alone, so the
 * same bits on every processor.  The largest errors met in a sweep of the floats, in units in
 * the last place of the true result, or of the smallest denormal (asserted by
 * tests/tensor/test_vecmath_body.c):
 *
 *   log .8, exp 1, erf 1, sin and cos 1.6 (of any angle), softplus 1.7, tanh 2.2, sigmoid 2.4,
 *   squareplus 2.8, swish, gelu_tanh and gelu_sigmoid 3.4, gelu_erf 3.5 above -1 and 6 down to
 *   -12; their slopes 4.1 to 6.4, near a slope's zero in units of what is 1/8.
 *
 * NaN gives NaN; the value at an infinity is the limit there.
 * Sources: reductions of Cody and Waite 1980; Payne and Hanek 1983 for huge angles; erfc as
 *   exp(-a^2) times a polynomial in a/(a+3), after Shepherd and Laframboise 1981.  The
 *   polynomials are our own: weighted minimax fits, coefficients rounded one by one.
 * Order: lane by lane.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_VECMATH_BODY_H
#define TSL_VECMATH_BODY_H

#include <math.h>

#include "tensor/simd.h"

/* In plain C a loop a step, each inlined, costs minutes to compile; these are called there. */
#if defined TSL_SIMD_PLAIN || !(defined __AVX512F__ || defined __AVX2__)
#define V16_MATH static __attribute__((noinline, unused))
#else
#define V16_MATH V16_INLINE
#endif

V16_INLINE v16 v16_abs(v16 x)
{
    return v16_as_float(v16i_and(v16_as_int(x), v16i_set(0x7fffffff)));
}
V16_INLINE v16 v16_neg(v16 x)
{
    return v16_as_float(v16i_xor(v16_as_int(x), v16i_set(0x80000000)));
}
/* size, which is not negative, with the sign of x. */
V16_INLINE v16 v16_sign_of(v16 size, v16 x)
{
    return v16_as_float(
        v16i_or(v16_as_int(size), v16i_and(v16_as_int(x), v16i_set(0x80000000))));
}
/* c[0] + x c[1] + x^2 c[2] + ... of n terms, by Horner. */
V16_INLINE v16 v16_poly(v16 x, const float *c, unsigned n)
{
    v16 y = v16_set(c[n - 1]);
    for (unsigned i = n - 1; i-- > 0;)
        y = v16_fma(y, x, v16_set(c[i]));
    return y;
}

/* ---- exponential -----------------------------------------------------------------------

 * Adding 1.5 * 2^23 rounds to an integer, which then stands in the lower bits. */
#define VECMATH_ROUNDER 0x1.8p23f
enum { VECMATH_ROUNDER_BITS = 0x4b400000 };

/* x is n ln 2 + r, |r| <= ln 2 / 2; returns r, *steps is n + VECMATH_ROUNDER. */
V16_MATH v16 v16_exp_reduce(v16 x, v16 *steps)
{
    *steps = v16_fma(x, v16_set(0x1.715476p0f), v16_set(VECMATH_ROUNDER));
    v16 n = v16_sub(*steps, v16_set(VECMATH_ROUNDER));
    v16 r = v16_fma(n, v16_set(-0x1.62e43p-1f), x); /* exact */
    return v16_fma(n, v16_set(0x1.05c61p-29f), r);
}
/* e^r - 1 for |r| <= ln 2 / 2. */
V16_MATH v16 v16_exp_poly(v16 r)
{
    static const float c[] = { 0x1.fffffcp-2f, 0x1.555492p-3f, 0x1.5558b4p-5f,
                               0x1.12399cp-7f, 0x1.6a48fep-10f };
    return v16_fma(v16_mul(r, r), v16_poly(r, c, 5), r);
}
/* e^r 2^n, in two halves, for 2^n alone may be no float. */
V16_MATH v16 v16_exp_finish(v16 r, v16 steps)
{
    v16 y = v16_add(v16_set(1), v16_exp_poly(r));
    v16i n = v16i_sub(v16_as_int(steps), v16i_set(VECMATH_ROUNDER_BITS - 254));
    v16i half = v16i_shr(n, 1);
    y = v16_mul(y, v16_as_float(v16i_shl(half, 23)));
    return v16_mul(y, v16_as_float(v16i_shl(v16i_sub(n, half), 23)));
}
/* What e^x is computed of: beyond these it is 0 or infinity.  NaN stays. */
V16_INLINE v16 v16_exp_clamp(v16 x)
{
    return v16_min(v16_set(89), v16_max(v16_set(-104), x));
}
/* e^x. */
V16_MATH v16 v16_exp(v16 x)
{
    v16 steps, r = v16_exp_reduce(v16_exp_clamp(x), &steps);
    return v16_exp_finish(r, steps);
}
/* e^(x + low), where low is what rounding took from x, and finite. */
V16_MATH v16 v16_exp_sum(v16 x, v16 low)
{
    v16 steps, r = v16_exp_reduce(v16_exp_clamp(x), &steps);
    return v16_exp_finish(v16_add(r, low), steps);
}

/* ---- logarithm ------------------------------------------------------------------------- */

/* log(1 + f) + e ln 2 for 1 + f from sqrt(1/2) to sqrt(2). */
V16_MATH v16 v16_log_poly(v16 f, v16 e)
{
    static const float c[] = { 0x1.555548p-2f,  -0x1.000006p-2f, 0x1.99a476p-3f,
                               -0x1.555c44p-3f, 0x1.233ba2p-3f,  -0x1.fc28cap-4f,
                               0x1.e6c00ap-4f,  -0x1.de01d8p-4f, 0x1.147334p-4f };
    v16 f2 = v16_mul(f, f);
    v16 y = v16_mul(v16_mul(f, f2), v16_poly(f, c, 9));
    y = v16_fma(e, v16_set(-0x1.05c61p-29f), y);
    y = v16_add(f, v16_fma(v16_set(-0.5f), f2, y));
    return v16_fma(e, v16_set(0x1.62e43p-1f), y);
}
/* The natural logarithm; -infinity for 0, NaN below. */
V16_MATH v16 v16_log(v16 x)
{
    v16m tiny = v16_lt(x, v16_set(0x1p-126f));
    v16i bits = v16_as_int(v16_where(tiny, v16_mul(x, v16_set(0x1p23f)), x));
    bits = v16i_add(bits, v16i_set(0x3f800000 - 0x3f3504f3));
    v16 e = v16_from_int(v16i_sub(v16i_shr(bits, 23), v16i_set(127)));
    e = v16_sub(e, v16_where(tiny, v16_set(23), v16_set(0)));
    bits = v16i_add(v16i_and(bits, v16i_set(0x7fffff)), v16i_set(0x3f3504f3));
    v16 y = v16_log_poly(v16_sub(v16_as_float(bits), v16_set(1)), e);
    v16 zero = v16_set(0);
    y = v16_where(v16_lt(x, v16_set(INFINITY)), y, x);
    v16 below = v16_where(v16_lt(x, zero), v16_set(NAN), v16_set(-INFINITY));
    return v16_where(v16_le(x, zero), below, y);
}
/* log(1 + u) for u from 0 to 1: e^-|x|, as a rule. */
V16_MATH v16 v16_log1p_unit(v16 u)
{
    v16m big = v16_lt(v16_set(0x1.a8279ap-2f), u);
    v16 f = v16_where(big, v16_fma(v16_set(0.5f), u, v16_set(-0.5f)), u);
    return v16_log_poly(f, v16_where(big, v16_set(1), v16_set(0)));
}

/* ---- tanh, sigmoid, softplus ----------------------------------------------------------- */

/* tanh(|x|) = -m / (1 + e), and 1 - 2e / (1 + e), where e = e^(-2|x|) and m = e - 1. */
V16_MATH v16 v16_tanh(v16 x)
{
    v16 z = v16_mul(v16_set(-2), v16_abs(x));
    v16 steps, r = v16_exp_reduce(v16_max(v16_set(-20), z), &steps);
    v16i n = v16i_sub(v16_as_int(steps), v16i_set(VECMATH_ROUNDER_BITS - 127));
    v16 scale = v16_as_float(v16i_shl(n, 23));
    v16 p = v16_exp_poly(r), e = v16_fma(scale, p, scale);
    v16 m = v16_fma(scale, p, v16_sub(scale, v16_set(1)));
    v16m far = v16_lt(z, v16_set(-1.1f));
    v16 y = v16_div(v16_where(far, v16_add(e, e), m), v16_add(v16_set(1), e));
    return v16_sign_of(v16_where(far, v16_sub(v16_set(1), y), v16_abs(y)), x);
}
/* 1 / (1 + e^-x), e being e^-|x|. */
V16_MATH v16 v16_sigmoid_of(v16 x, v16 e)
{
    v16 top = v16_where(v16_lt(x, v16_set(0)), e, v16_set(1));
    return v16_div(top, v16_add(v16_set(1), e));
}
V16_MATH v16 v16_sigmoid(v16 x)
{
    return v16_sigmoid_of(x, v16_exp(v16_neg(v16_abs(x))));
}
/* log(1 + e^x). */
V16_MATH v16 v16_softplus(v16 x)
{
    v16 e = v16_exp(v16_neg(v16_abs(x)));
    return v16_add(v16_max(v16_set(0), x), v16_log1p_unit(e));
}

/* ---- the normal distribution: erf, and gelu's parts ------------------------------------ */

/* e^(a^2 / 2) times the normal distribution's tail beyond a, for a from 0 to 15. */
V16_MATH v16 v16_mills(v16 a)
{
    static const float c[] = { 0x1.8p0f,        -0x1.0b94ep1f,   0x1.11ad9cp0f,
                               0x1.a77d82p-3f,  -0x1.06ef8cp-2f, -0x1.1ab20cp-3f,
                               0x1.d1bb6p-4f,   -0x1.c24186p-4f, 0x1.0975a4p-2f,
                               -0x1.ae212ep-3f, 0x1.c5e272p-5f };
    v16 inverse = v16_div(v16_set(1), v16_add(a, v16_set(3)));
    return v16_mul(v16_poly(v16_mul(a, inverse), c, 11), inverse);
}
/* e^(-a^2 k), k a power of 2: the square is not rounded. */
V16_MATH v16 v16_exp_square(v16 a, float k)
{
    v16 square = v16_mul(a, a);
    v16 low = v16_fma(a, a, v16_neg(square));
    return v16_exp_sum(v16_mul(v16_set(-k), square), v16_mul(v16_set(-k), low));
}
V16_MATH v16 v16_erf(v16 x)
{
    static const float c[] = { 0x1.06eba8p-3f,  -0x1.81273ep-2f, 0x1.ce2ce6p-4f,
                               -0x1.b7f71ap-6f, 0x1.53f224p-8f,  -0x1.a3515ep-11f,
                               0x1.4771fcp-14f };
    v16 a = v16_min(v16_set(10), v16_abs(x));
    v16 small = v16_fma(x, v16_poly(v16_mul(a, a), c, 7), x);
    v16 tail =
        v16_mul(v16_exp_square(a, 1), v16_mills(v16_mul(a, v16_set(0x1.6a09e6p0f))));
    v16 big = v16_sign_of(v16_fma(v16_set(-2), tail, v16_set(1)), x);
    return v16_where(v16_lt(a, v16_set(1)), small, big);
}

/* ---- sine and cosine ------------------------------------------------------------------- */

/* One lane of v16_turns for |x| >= 2^17, by Payne and Hanek.  Infinity gives NaN. */
static __attribute__((noinline, unused)) float vecmath_turns(float x, uint32_t *quarter)
{
    __extension__ typedef unsigned __int128 wide;
    static const uint32_t two_over_pi[] = { 0,          0xa2f9836e, 0x4e441529,
                                            0xfc2757d1, 0xf534ddc0, 0xdb629599,
                                            0x3c439041, 0xfe5163ab, 0xdebbc561 };
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    unsigned exponent = bits >> 23 & 255;
    if (exponent == 255)
        return NAN;
    /* x = m 2^e, e = exponent - 150.  The digits of 2/pi before the one of weight 2^(1-e) give
     * whole turns of four quarters; 128 from there on leave more than 60 behind the point
     * and the longest run of zeros. */
    unsigned first = exponent - 120, word = first / 32, shift = first % 32;
    wide digits = 0;
    for (unsigned i = 0; i < 4; i++)
        digits =
            digits << 32 |
            (uint32_t)(((uint64_t)two_over_pi[word + i] << 32 | two_over_pi[word + i + 1])
                           << shift >>
                       32);
    digits *= (bits & 0x7fffff) | 0x800000; /* 2^126 are a quarter turn */
    uint64_t top = (uint64_t)(digits >> 64);
    uint32_t n = (uint32_t)((top + (UINT64_C(1) << 61)) >> 62);
    double rest = (double)(int64_t)(top - ((uint64_t)n << 62)) * 0x1p-62;
    float r = (float)(rest * 0x1.921fb54442d18p0);
    *quarter = bits >> 31 ? 0u - n : n;
    return bits >> 31 ? -r : r;
}
/* x is n pi/2 + r, |r| <= pi/4; returns r, *n is right in its last two bits. */
V16_MATH v16 v16_turns(v16 x, v16i *n)
{
    v16 steps = v16_fma(x, v16_set(0x1.45f306p-1f), v16_set(VECMATH_ROUNDER));
    v16 turns = v16_sub(steps, v16_set(VECMATH_ROUNDER));
    v16 r = v16_fma(turns, v16_set(-0x1.921fb6p0f), x); /* exact */
    r = v16_fma(turns, v16_set(0x1.777a5cp-25f), r);
    r = v16_fma(turns, v16_set(0x1.ee59dap-50f), r);
    *n = v16_as_int(steps);
    unsigned huge = v16_bits(v16_lt(v16_set(0x1p17f), v16_abs(x)));
    if (__builtin_expect(huge, 0)) {
        float xs[V16], rs[V16];
        uint32_t ns[V16];
        v16_store(xs, x);
        v16_store(rs, r);
        v16i_store(ns, *n);
        for (unsigned i = 0; i < V16; i++)
            if (huge >> i & 1)
                rs[i] = vecmath_turns(xs[i], &ns[i]);
        r = v16_load(rs);
        *n = v16i_load(ns);
    }
    return r;
}
/* The sine of r + n pi/2. */
V16_MATH v16 v16_sin_turned(v16 r, v16i n)
{
    static const float s[] = { -0x1.555544p-3f, 0x1.1106c6p-7f, -0x1.991c1ap-13f };
    static const float c[] = { 0x1.55554ap-5f, -0x1.6c0c26p-10f, 0x1.99e714p-16f };
    v16 z = v16_mul(r, r);
    v16 sine = v16_fma(v16_mul(r, z), v16_poly(z, s, 3), r);
    v16 half = v16_fma(v16_set(-0.5f), z, v16_set(1));
    v16 cosine = v16_fma(v16_mul(z, z), v16_poly(z, c, 3), half);
    v16m odd = v16i_eq(v16i_and(n, v16i_set(1)), v16i_set(1));
    v16i sign = v16i_shl(v16i_and(n, v16i_set(2)), 30);
    return v16_as_float(v16i_xor(v16_as_int(v16_where(odd, cosine, sine)), sign));
}
V16_MATH v16 v16_sin(v16 x)
{
    v16i n;
    v16 r = v16_turns(x, &n);
    return v16_sin_turned(r, n);
}
V16_MATH v16 v16_cos(v16 x)
{
    v16i n;
    v16 r = v16_turns(x, &n);
    return v16_sin_turned(r, v16i_add(n, v16i_set(1)));
}

/* ---- activations, and their derivatives ------------------------------------------------ */

/* x Phi(x), Phi the normal distribution: small x keep their precision on both sides. */
V16_MATH v16 v16_gelu_erf(v16 x)
{
    v16 a = v16_min(v16_set(15), v16_abs(x));
    v16 tail = v16_mul(v16_exp_square(a, 0.5f), v16_mills(a));
    v16m below = v16_lt(x, v16_set(0));
    v16 phi = v16_where(below, tail, v16_sub(v16_set(1), tail));
    return v16_mul(v16_max(v16_set(-15), x), phi);
}
/* Phi(x) + x Phi'(x). */
V16_MATH v16 v16_gelu_erf_grad(v16 x)
{
    v16 a = v16_min(v16_set(15), v16_abs(x));
    v16 slope = v16_fma(a, v16_set(-0x1.988454p-2f), v16_mills(a));
    v16 tail = v16_mul(v16_exp_square(a, 0.5f), slope);
    return v16_where(v16_lt(x, v16_set(0)), tail, v16_sub(v16_set(1), tail));
}
/* The sigmoid of y + low, and 1 less it. */
struct v16_sigmoids {
    v16 s, rest;
};
V16_MATH struct v16_sigmoids v16_sigmoid_sum(v16 y, v16 low)
{
    v16i sign = v16i_and(v16_as_int(y), v16i_set(0x80000000));
    v16 outwards = v16_as_float(v16i_xor(v16_as_int(low), sign));
    v16 e = v16_exp_sum(v16_neg(v16_abs(y)), v16_neg(outwards));
    v16 big = v16_div(v16_set(1), v16_add(v16_set(1), e)), small = v16_mul(e, big);
    v16m below = v16_lt(y, v16_set(0));
    struct v16_sigmoids r = { v16_where(below, small, big),
                              v16_where(below, big, small) };
    return r;
}
/* 2 sqrt(2/pi) (x + 0.044715 x^3) as *y + *low; |x| <= 100. */
V16_MATH struct v16_sigmoids v16_gelu_tanh_parts(v16 x)
{
    v16 square = v16_mul(x, x), square_low = v16_fma(x, x, v16_neg(square));
    v16 k0 = v16_set(0x1.988454p0f), k1 = v16_set(0x1.2444f2p-4f);
    v16 bent = v16_mul(k1, square), w = v16_add(k0, bent), back = v16_sub(w, bent);
    v16 low = v16_add(v16_sub(bent, v16_sub(w, back)), v16_sub(k0, back)); /* w's error */
    low = v16_add(low, v16_fma(k1, square, v16_neg(bent)));
    low = v16_fma(k1, square_low, v16_add(low, v16_set(-0x1.857936p-25f)));
    low = v16_fma(v16_set(0x1.49b16ap-29f), square, low);
    v16 y = v16_mul(x, w);
    return v16_sigmoid_sum(y, v16_fma(x, low, v16_fma(x, w, v16_neg(y))));
}
/* x as far as a gelu's or swish's slope bends; NaN stays. */
V16_INLINE v16 v16_bend(v16 x)
{
    return v16_min(v16_set(120), v16_max(v16_set(-120), x));
}
/* x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2. */
V16_MATH v16 v16_gelu_tanh(v16 x)
{
    v16 s = v16_gelu_tanh_parts(v16_bend(x)).s;
    return v16_mul(v16_max(v16_set(-120), x), s);
}
V16_MATH v16 v16_gelu_tanh_grad(v16 x)
{
    x = v16_bend(x);
    struct v16_sigmoids p = v16_gelu_tanh_parts(x);
    v16 slope = v16_fma(v16_set(0x1.b6676cp-3f), v16_mul(x, x), v16_set(0x1.988454p0f));
    v16 turn = v16_mul(v16_mul(x, slope), p.rest);
    return v16_fma(p.s, turn, p.s);
}
V16_MATH struct v16_sigmoids v16_gelu_sigmoid_parts(v16 x)
{
    v16 k = v16_set(0x1.b3b646p0f), y = v16_mul(k, x);
    v16 low = v16_fma(k, x, v16_neg(y));
    return v16_sigmoid_sum(y, v16_fma(v16_set(-0x1.78d4fep-26f), x, low));
}
/* x sigmoid(1.702 x). */
V16_MATH v16 v16_gelu_sigmoid(v16 x)
{
    v16 s = v16_gelu_sigmoid_parts(v16_bend(x)).s;
    return v16_mul(v16_max(v16_set(-120), x), s);
}
V16_MATH v16 v16_gelu_sigmoid_grad(v16 x)
{
    x = v16_bend(x);
    struct v16_sigmoids p = v16_gelu_sigmoid_parts(x);
    v16 turn = v16_mul(v16_mul(x, v16_set(0x1.b3b646p0f)), p.rest);
    return v16_fma(p.s, turn, p.s);
}
/* x sigmoid(x). */
V16_MATH v16 v16_swish(v16 x)
{
    return v16_mul(v16_max(v16_set(-120), x), v16_sigmoid(x));
}
V16_MATH v16 v16_swish_grad(v16 x)
{
    x = v16_bend(x);
    struct v16_sigmoids p = v16_sigmoid_sum(x, v16_set(0));
    return v16_fma(p.s, v16_mul(x, p.rest), p.s);
}
/* sqrt(x^2 + 4), a being |x|. */
V16_INLINE v16 v16_squareplus_root(v16 a)
{
    v16 root = v16_sqrt(v16_fma(a, a, v16_set(4)));
    return v16_where(v16_lt(v16_set(1e9f), a), a, root);
}
/* (x + sqrt(x^2 + 4)) / 2, which is 2 / (|x| + sqrt(x^2 + 4)) below 0. */
V16_MATH v16 v16_squareplus(v16 x)
{
    v16 half = v16_set(0.5f), a = v16_abs(x);
    v16 y = v16_fma(half, a, v16_mul(half, v16_squareplus_root(a)));
    return v16_where(v16_lt(x, v16_set(0)), v16_div(v16_set(1), y), y);
}
/* (1 + x / sqrt(x^2 + 4)) / 2. */
V16_MATH v16 v16_squareplus_grad(v16 x)
{
    v16 half = v16_set(0.5f), a = v16_min(v16_set(1e18f), v16_abs(x));
    v16 root = v16_squareplus_root(a), y = v16_fma(half, a, v16_mul(half, root));
    v16m below = v16_lt(x, v16_set(0));
    v16 q = v16_div(v16_where(below, v16_set(1), v16_mul(half, a)),
                    v16_where(below, v16_mul(y, root), root));
    return v16_where(below, q, v16_add(half, q));
}
V16_INLINE v16 v16_relu(v16 x)
{
    return v16_max(v16_set(0), x);
}
/* 1 above 0, else 0; NaN stays. */
V16_INLINE v16 v16_relu_grad(v16 x)
{
    v16 y = v16_where(v16_lt(v16_set(0), x), v16_set(1), v16_set(0));
    return v16_where(v16_isnan(x), x, y);
}
V16_INLINE v16 v16_leaky_relu(v16 x, float slope)
{
    return v16_where(v16_lt(v16_set(0), x), x, v16_mul(v16_set(slope), x));
}
V16_INLINE v16 v16_leaky_relu_grad(v16 x, float slope)
{
    v16 y = v16_where(v16_lt(v16_set(0), x), v16_set(1), v16_set(slope));
    return v16_where(v16_isnan(x), x, y);
}
/* 4 e / (1 + e)^2, e = e^(-2|x|). */
V16_MATH v16 v16_tanh_grad(v16 x)
{
    v16 e = v16_exp(v16_mul(v16_set(-2), v16_abs(x))), sum = v16_add(v16_set(1), e);
    return v16_div(v16_mul(v16_set(4), e), v16_mul(sum, sum));
}
V16_MATH v16 v16_sigmoid_grad(v16 x)
{
    v16 e = v16_exp(v16_neg(v16_abs(x))), sum = v16_add(v16_set(1), e);
    return v16_div(e, v16_mul(sum, sum));
}

#endif

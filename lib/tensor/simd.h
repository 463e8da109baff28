/* simd.h - sixteen floats at once, the same bits on every processor.
 *
 * Included only by kernels_avx512.c, kernels_avx2.c and kernels_ref.c (through the families
 * that they are made of): each is compiled with its own flags, and this header chooses by
 * them.  Sixteen is the width everywhere: one register with AVX-512, two with AVX2, a loop
 * in plain C, which is the definition of what the others do.
 *
 * Every operation is one of IEEE 754's, rounded once, lane by lane; a sum over lanes has one
 * fixed tree (v16_sum).  So a kernel written with these gives the same bits everywhere.
 * v16_fma has one rounding, by instruction or by the C library's fmaf.
 * Order: lane by lane.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_SIMD_H
#define TSL_SIMD_H

#include <stdint.h>
#include <string.h>

/* In plain C each of these is a loop; all of them in each other's place cost minutes to
 * compile, and only arm64 has instructions that make it worth that. */
#if !defined TSL_SIMD_PLAIN || defined __aarch64__
#define V16_INLINE static inline __attribute__((always_inline, unused))
#else
#define V16_INLINE static __attribute__((noinline, unused))
#endif

enum { V16 = 16 };

/* A table of one-liners. */
/* clang-format off */

#if defined __AVX512F__ && defined __AVX512DQ__ && defined __AVX512BW__ && !defined TSL_SIMD_PLAIN

#include <immintrin.h>

typedef __m512 v16;     /* 16 floats */
typedef __m512i v16i;   /* 16 integers of 32 bits */
typedef __mmask16 v16m; /* 16 times yes or no */

#define V16_N(n) ((__mmask16)((1u << (n)) - 1)) /* the first n lanes, n <= 16 */

V16_INLINE v16 v16_set(float x) { return _mm512_set1_ps(x); }
V16_INLINE v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
V16_INLINE void v16_store(float *p, v16 x) { _mm512_storeu_ps(p, x); }
/* The first n, n <= 16; the other lanes are 0.  Nothing behind them is touched. */
V16_INLINE v16 v16_load_n(const float *p, unsigned n) { return _mm512_maskz_loadu_ps(V16_N(n), p); }
V16_INLINE void v16_store_n(float *p, v16 x, unsigned n) { _mm512_mask_storeu_ps(p, V16_N(n), x); }
V16_INLINE v16 v16_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
V16_INLINE v16 v16_sub(v16 a, v16 b) { return _mm512_sub_ps(a, b); }
V16_INLINE v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
V16_INLINE v16 v16_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
V16_INLINE v16 v16_sqrt(v16 a) { return _mm512_sqrt_ps(a); }
/* a > b ? a : b, so b where either is NaN. */
V16_INLINE v16 v16_max(v16 a, v16 b) { return _mm512_max_ps(a, b); }
V16_INLINE v16 v16_min(v16 a, v16 b) { return _mm512_min_ps(a, b); }
V16_INLINE v16m v16_lt(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
V16_INLINE v16m v16_le(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
V16_INLINE v16m v16_isnan(v16 a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
V16_INLINE v16 v16_where(v16m m, v16 yes, v16 no) { return _mm512_mask_blend_ps(m, no, yes); }
V16_INLINE v16m v16_first(unsigned n) { return V16_N(n); }
V16_INLINE unsigned v16_bits(v16m m) { return m; }
V16_INLINE v16i v16i_set(uint32_t x) { return _mm512_set1_epi32((int)x); }
V16_INLINE v16i v16i_load(const void *p) { return _mm512_loadu_si512(p); }
V16_INLINE void v16i_store(void *p, v16i x) { _mm512_storeu_si512(p, x); }
V16_INLINE v16i v16i_add(v16i a, v16i b) { return _mm512_add_epi32(a, b); }
V16_INLINE v16i v16i_sub(v16i a, v16i b) { return _mm512_sub_epi32(a, b); }
V16_INLINE v16i v16i_mul(v16i a, v16i b) { return _mm512_mullo_epi32(a, b); }
/* The upper 32 bits of the products of unsigned numbers. */
V16_INLINE v16i v16i_mulhi(v16i a, v16i b)
{
    __m512i even = _mm512_srli_epi64(_mm512_mul_epu32(a, b), 32);
    __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_blend_epi32(0xaaaa, even, odd);
}
V16_INLINE v16i v16i_and(v16i a, v16i b) { return _mm512_and_si512(a, b); }
V16_INLINE v16i v16i_or(v16i a, v16i b) { return _mm512_or_si512(a, b); }
V16_INLINE v16i v16i_xor(v16i a, v16i b) { return _mm512_xor_si512(a, b); }
V16_INLINE v16i v16i_shl(v16i a, unsigned n) { return _mm512_slli_epi32(a, n); }
V16_INLINE v16i v16i_shr(v16i a, unsigned n) { return _mm512_srli_epi32(a, n); }
V16_INLINE v16m v16i_ltu(v16i a, v16i b) { return _mm512_cmplt_epu32_mask(a, b); }
V16_INLINE v16m v16i_eq(v16i a, v16i b) { return _mm512_cmpeq_epi32_mask(a, b); }
V16_INLINE v16i v16i_where(v16m m, v16i yes, v16i no) { return _mm512_mask_blend_epi32(m, no, yes); }
/* To the nearest integer, half to even; for |x| < 2^31. */
V16_INLINE v16i v16_round_int(v16 a) { return _mm512_cvtps_epi32(a); }
V16_INLINE v16 v16_from_int(v16i a) { return _mm512_cvtepi32_ps(a); }
V16_INLINE v16i v16_as_int(v16 a) { return _mm512_castps_si512(a); }
V16_INLINE v16 v16_as_float(v16i a) { return _mm512_castsi512_ps(a); }
/* Lane j of r[i] becomes lane i of r[j]: pairs, fours, then halves and quarters of registers. */
V16_INLINE void v16_transpose(v16 *r)
{
    v16 a[16];
    for (unsigned i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (unsigned i = 0; i < 16; i += 4)
        for (unsigned j = 0; j < 2; j++) {
            __m512d x = _mm512_castps_pd(a[i + j]), y = _mm512_castps_pd(a[i + j + 2]);
            r[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y));
            r[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
    for (unsigned i = 0; i < 16; i += 8)
        for (unsigned j = 0; j < 4; j++) {
            a[i + j] = _mm512_shuffle_f32x4(r[i + j], r[i + j + 4], 0x88);
            a[i + j + 4] = _mm512_shuffle_f32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    for (unsigned j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_f32x4(a[j], a[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_f32x4(a[j], a[j + 8], 0xdd);
    }
}

#elif defined __AVX2__ && defined __FMA__ && !defined TSL_SIMD_PLAIN

#include <immintrin.h>

typedef struct {
    __m256 a, b;
} v16;
typedef struct {
    __m256i a, b;
} v16i;
typedef v16i v16m; /* all bits of a lane, or none */

#define V16_EACH(f, x)                                                                                       \
    {                                                                                                        \
        f((x).a), f((x).b)                                                                                   \
    }
#define V16_PAIR(f, x, y)                                                                                    \
    {                                                                                                        \
        f((x).a, (y).a), f((x).b, (y).b)                                                                     \
    }

V16_INLINE v16m v16_first(unsigned n)
{
    static const int32_t ones[32] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
    const int32_t *p = ones + V16 - n;
    return (v16m){ _mm256_loadu_si256((const __m256i *)p), _mm256_loadu_si256((const __m256i *)(p + 8)) };
}
V16_INLINE v16 v16_set(float x) { return (v16){ _mm256_set1_ps(x), _mm256_set1_ps(x) }; }
V16_INLINE v16 v16_load(const float *p) { return (v16){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) }; }
V16_INLINE void v16_store(float *p, v16 x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
V16_INLINE v16 v16_load_n(const float *p, unsigned n)
{
    v16m m = v16_first(n);
    return (v16){ _mm256_maskload_ps(p, m.a), n > 8 ? _mm256_maskload_ps(p + 8, m.b) : _mm256_setzero_ps() };
}
V16_INLINE void v16_store_n(float *p, v16 x, unsigned n)
{
    v16m m = v16_first(n);
    _mm256_maskstore_ps(p, m.a, x.a);
    if (n > 8)
        _mm256_maskstore_ps(p + 8, m.b, x.b);
}
V16_INLINE v16 v16_add(v16 a, v16 b) { return (v16)V16_PAIR(_mm256_add_ps, a, b); }
V16_INLINE v16 v16_sub(v16 a, v16 b) { return (v16)V16_PAIR(_mm256_sub_ps, a, b); }
V16_INLINE v16 v16_mul(v16 a, v16 b) { return (v16)V16_PAIR(_mm256_mul_ps, a, b); }
V16_INLINE v16 v16_div(v16 a, v16 b) { return (v16)V16_PAIR(_mm256_div_ps, a, b); }
V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c)
{
    return (v16){ _mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b) };
}
V16_INLINE v16 v16_sqrt(v16 a) { return (v16)V16_EACH(_mm256_sqrt_ps, a); }
V16_INLINE v16 v16_max(v16 a, v16 b) { return (v16)V16_PAIR(_mm256_max_ps, a, b); }
V16_INLINE v16 v16_min(v16 a, v16 b) { return (v16)V16_PAIR(_mm256_min_ps, a, b); }
#define V16_CMP(x, y, how)                                                                                   \
    {                                                                                                        \
        _mm256_castps_si256(_mm256_cmp_ps((x).a, (y).a, how)),                                               \
            _mm256_castps_si256(_mm256_cmp_ps((x).b, (y).b, how))                                            \
    }
V16_INLINE v16m v16_lt(v16 a, v16 b) { return (v16m)V16_CMP(a, b, _CMP_LT_OQ); }
V16_INLINE v16m v16_le(v16 a, v16 b) { return (v16m)V16_CMP(a, b, _CMP_LE_OQ); }
V16_INLINE v16m v16_isnan(v16 a) { return (v16m)V16_CMP(a, a, _CMP_UNORD_Q); }
V16_INLINE v16 v16_where(v16m m, v16 yes, v16 no)
{
    return (v16){ _mm256_blendv_ps(no.a, yes.a, _mm256_castsi256_ps(m.a)),
                  _mm256_blendv_ps(no.b, yes.b, _mm256_castsi256_ps(m.b)) };
}
V16_INLINE unsigned v16_bits(v16m m)
{
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(m.a)) |
           (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(m.b)) << 8;
}
V16_INLINE v16i v16i_set(uint32_t x)
{
    return (v16i){ _mm256_set1_epi32((int)x), _mm256_set1_epi32((int)x) };
}
V16_INLINE v16i v16i_load(const void *p)
{
    return (v16i){ _mm256_loadu_si256(p), _mm256_loadu_si256((const __m256i *)p + 1) };
}
V16_INLINE void v16i_store(void *p, v16i x)
{
    _mm256_storeu_si256(p, x.a);
    _mm256_storeu_si256((__m256i *)p + 1, x.b);
}
V16_INLINE v16i v16i_add(v16i a, v16i b) { return (v16i)V16_PAIR(_mm256_add_epi32, a, b); }
V16_INLINE v16i v16i_sub(v16i a, v16i b) { return (v16i)V16_PAIR(_mm256_sub_epi32, a, b); }
V16_INLINE v16i v16i_mul(v16i a, v16i b) { return (v16i)V16_PAIR(_mm256_mullo_epi32, a, b); }
V16_INLINE __m256i v8i_mulhi(__m256i a, __m256i b)
{
    __m256i even = _mm256_srli_epi64(_mm256_mul_epu32(a, b), 32);
    __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    return _mm256_blend_epi32(even, odd, 0xaa);
}
V16_INLINE v16i v16i_mulhi(v16i a, v16i b) { return (v16i)V16_PAIR(v8i_mulhi, a, b); }
V16_INLINE v16i v16i_and(v16i a, v16i b) { return (v16i)V16_PAIR(_mm256_and_si256, a, b); }
V16_INLINE v16i v16i_or(v16i a, v16i b) { return (v16i)V16_PAIR(_mm256_or_si256, a, b); }
V16_INLINE v16i v16i_xor(v16i a, v16i b) { return (v16i)V16_PAIR(_mm256_xor_si256, a, b); }
V16_INLINE v16i v16i_shl(v16i a, unsigned n)
{
    return (v16i){ _mm256_slli_epi32(a.a, (int)n), _mm256_slli_epi32(a.b, (int)n) };
}
V16_INLINE v16i v16i_shr(v16i a, unsigned n)
{
    return (v16i){ _mm256_srli_epi32(a.a, (int)n), _mm256_srli_epi32(a.b, (int)n) };
}
V16_INLINE v16m v16i_ltu(v16i a, v16i b)
{
    v16i top = v16i_set(1u << 31);
    a = v16i_xor(a, top);
    b = v16i_xor(b, top);
    return (v16m){ _mm256_cmpgt_epi32(b.a, a.a), _mm256_cmpgt_epi32(b.b, a.b) };
}
V16_INLINE v16m v16i_eq(v16i a, v16i b) { return (v16m)V16_PAIR(_mm256_cmpeq_epi32, a, b); }
V16_INLINE v16i v16i_where(v16m m, v16i yes, v16i no)
{
    return (v16i){ _mm256_blendv_epi8(no.a, yes.a, m.a), _mm256_blendv_epi8(no.b, yes.b, m.b) };
}
V16_INLINE v16i v16_round_int(v16 a) { return (v16i)V16_EACH(_mm256_cvtps_epi32, a); }
V16_INLINE v16 v16_from_int(v16i a) { return (v16)V16_EACH(_mm256_cvtepi32_ps, a); }
V16_INLINE v16i v16_as_int(v16 a) { return (v16i)V16_EACH(_mm256_castps_si256, a); }
V16_INLINE v16 v16_as_float(v16i a) { return (v16)V16_EACH(_mm256_castsi256_ps, a); }
V16_INLINE void v8_transpose(__m256 *r)
{
    __m256 a[8];
    for (unsigned i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (unsigned i = 0; i < 8; i += 4)
        for (unsigned j = 0; j < 2; j++) {
            r[i + 2 * j] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0x44);
            r[i + 2 * j + 1] = _mm256_shuffle_ps(a[i + j], a[i + j + 2], 0xee);
        }
    for (unsigned j = 0; j < 4; j++) {
        a[j] = _mm256_permute2f128_ps(r[j], r[j + 4], 0x20);
        a[j + 4] = _mm256_permute2f128_ps(r[j], r[j + 4], 0x31);
    }
    for (unsigned i = 0; i < 8; i++)
        r[i] = a[i];
}
V16_INLINE void v16_transpose(v16 *r)
{
    __m256 q[4][8];
    for (unsigned i = 0; i < 8; i++) {
        q[0][i] = r[i].a;
        q[1][i] = r[i].b;
        q[2][i] = r[i + 8].a;
        q[3][i] = r[i + 8].b;
    }
    for (unsigned i = 0; i < 4; i++)
        v8_transpose(q[i]);
    for (unsigned i = 0; i < 8; i++) {
        r[i] = (v16){ q[0][i], q[2][i] };
        r[i + 8] = (v16){ q[1][i], q[3][i] };
    }
}

#else

typedef struct {
    float f[16];
} v16;
typedef struct {
    uint32_t u[16];
} v16i;
typedef v16i v16m;

/* r, lane by lane. */
#define V16_MAP(type, lane, expression)                                                                      \
    type r;                                                                                                  \
    for (unsigned i = 0; i < V16; i++)                                                                       \
        r.lane[i] = expression;                                                                              \
    return r

V16_INLINE v16 v16_set(float x) { V16_MAP(v16, f, x); }
V16_INLINE v16 v16_load(const float *p) { V16_MAP(v16, f, p[i]); }
V16_INLINE void v16_store(float *p, v16 x) { memcpy(p, x.f, sizeof x.f); }
V16_INLINE v16 v16_load_n(const float *p, unsigned n) { V16_MAP(v16, f, i < n ? p[i] : 0); }
V16_INLINE void v16_store_n(float *p, v16 x, unsigned n) { memcpy(p, x.f, n * sizeof *p); }
V16_INLINE v16 v16_add(v16 a, v16 b) { V16_MAP(v16, f, a.f[i] + b.f[i]); }
V16_INLINE v16 v16_sub(v16 a, v16 b) { V16_MAP(v16, f, a.f[i] - b.f[i]); }
V16_INLINE v16 v16_mul(v16 a, v16 b) { V16_MAP(v16, f, a.f[i] * b.f[i]); }
V16_INLINE v16 v16_div(v16 a, v16 b) { V16_MAP(v16, f, a.f[i] / b.f[i]); }
V16_INLINE v16 v16_fma(v16 a, v16 b, v16 c) { V16_MAP(v16, f, __builtin_fmaf(a.f[i], b.f[i], c.f[i])); }
V16_INLINE v16 v16_sqrt(v16 a) { V16_MAP(v16, f, __builtin_sqrtf(a.f[i])); }
V16_INLINE v16 v16_max(v16 a, v16 b) { V16_MAP(v16, f, a.f[i] > b.f[i] ? a.f[i] : b.f[i]); }
V16_INLINE v16 v16_min(v16 a, v16 b) { V16_MAP(v16, f, a.f[i] < b.f[i] ? a.f[i] : b.f[i]); }
V16_INLINE v16m v16_lt(v16 a, v16 b) { V16_MAP(v16m, u, a.f[i] < b.f[i] ? UINT32_MAX : 0); }
V16_INLINE v16m v16_le(v16 a, v16 b) { V16_MAP(v16m, u, a.f[i] <= b.f[i] ? UINT32_MAX : 0); }
V16_INLINE v16m v16_isnan(v16 a) { V16_MAP(v16m, u, a.f[i] != a.f[i] ? UINT32_MAX : 0); }
V16_INLINE v16 v16_where(v16m m, v16 yes, v16 no) { V16_MAP(v16, f, m.u[i] ? yes.f[i] : no.f[i]); }
V16_INLINE v16m v16_first(unsigned n) { V16_MAP(v16m, u, i < n ? UINT32_MAX : 0); }
V16_INLINE unsigned v16_bits(v16m m)
{
    unsigned bits = 0;
    for (unsigned i = 0; i < V16; i++)
        bits |= (m.u[i] & 1) << i;
    return bits;
}
V16_INLINE v16i v16i_set(uint32_t x) { V16_MAP(v16i, u, x); }
V16_INLINE v16i v16i_load(const void *p)
{
    v16i r;
    memcpy(r.u, p, sizeof r.u);
    return r;
}
V16_INLINE void v16i_store(void *p, v16i x) { memcpy(p, x.u, sizeof x.u); }
V16_INLINE v16i v16i_add(v16i a, v16i b) { V16_MAP(v16i, u, a.u[i] + b.u[i]); }
V16_INLINE v16i v16i_sub(v16i a, v16i b) { V16_MAP(v16i, u, a.u[i] - b.u[i]); }
V16_INLINE v16i v16i_mul(v16i a, v16i b) { V16_MAP(v16i, u, a.u[i] * b.u[i]); }
V16_INLINE v16i v16i_mulhi(v16i a, v16i b) { V16_MAP(v16i, u, (uint32_t)((uint64_t)a.u[i] * b.u[i] >> 32)); }
V16_INLINE v16i v16i_and(v16i a, v16i b) { V16_MAP(v16i, u, a.u[i] & b.u[i]); }
V16_INLINE v16i v16i_or(v16i a, v16i b) { V16_MAP(v16i, u, a.u[i] | b.u[i]); }
V16_INLINE v16i v16i_xor(v16i a, v16i b) { V16_MAP(v16i, u, a.u[i] ^ b.u[i]); }
V16_INLINE v16i v16i_shl(v16i a, unsigned n) { V16_MAP(v16i, u, a.u[i] << n); }
V16_INLINE v16i v16i_shr(v16i a, unsigned n) { V16_MAP(v16i, u, a.u[i] >> n); }
V16_INLINE v16m v16i_ltu(v16i a, v16i b) { V16_MAP(v16m, u, a.u[i] < b.u[i] ? UINT32_MAX : 0); }
V16_INLINE v16m v16i_eq(v16i a, v16i b) { V16_MAP(v16m, u, a.u[i] == b.u[i] ? UINT32_MAX : 0); }
V16_INLINE v16i v16i_where(v16m m, v16i yes, v16i no) { V16_MAP(v16i, u, m.u[i] ? yes.u[i] : no.u[i]); }
V16_INLINE v16i v16_round_int(v16 a) { V16_MAP(v16i, u, (uint32_t)(int32_t)__builtin_rintf(a.f[i])); }
V16_INLINE v16 v16_from_int(v16i a) { V16_MAP(v16, f, (float)(int32_t)a.u[i]); }
V16_INLINE v16i v16_as_int(v16 a)
{
    v16i r;
    memcpy(&r, &a, sizeof r);
    return r;
}
V16_INLINE v16 v16_as_float(v16i a)
{
    v16 r;
    memcpy(&r, &a, sizeof r);
    return r;
}
V16_INLINE void v16_transpose(v16 *r)
{
    for (unsigned i = 0; i < V16; i++)
        for (unsigned j = 0; j < i; j++) {
            float f = r[i].f[j];
            r[i].f[j] = r[j].f[i];
            r[j].f[i] = f;
        }
}

#endif
/* clang-format on */

#if defined __AVX512F__ && defined __AVX512DQ__ && defined __AVX512BW__ &&               \
    !defined TSL_SIMD_PLAIN
#define V16_UPPER(x) _mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1)
#elif defined __AVX2__ && defined __FMA__ && !defined TSL_SIMD_PLAIN
#define V16_UPPER(x) (x).a, (x).b
#endif

#ifdef V16_UPPER
/* What v16_sum and v16_top do with the lower and the upper half. */
#define V16_FOLD(name, op)                                                               \
    V16_INLINE float name(__m256 low, __m256 high)                                       \
    {                                                                                    \
        __m256 x = _mm256_##op##_ps(low, high);                                          \
        __m128 y =                                                                       \
            _mm_##op##_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));       \
        y = _mm_##op##_ps(y, _mm_movehl_ps(y, y));                                       \
        return _mm_cvtss_f32(_mm_##op##_ss(y, _mm_movehdup_ps(y)));                      \
    }
V16_FOLD(v16_fold_add, add)
V16_FOLD(v16_fold_max, max)
#undef V16_FOLD
#endif

/* The sum of the lanes: halves are added until one is left. */
V16_INLINE float v16_sum(v16 x)
{
#ifdef V16_UPPER
    return v16_fold_add(V16_UPPER(x));
#else
    float f[16];
    v16_store(f, x);
    for (unsigned half = 8; half; half /= 2)
        for (unsigned i = 0; i < half; i++)
            f[i] += f[i + half];
    return f[0];
#endif
}
/* The largest, none of them NaN. */
V16_INLINE float v16_top(v16 x)
{
#ifdef V16_UPPER
    return v16_fold_max(V16_UPPER(x));
#else
    float f[16];
    v16_store(f, x);
    for (unsigned half = 8; half; half /= 2)
        for (unsigned i = 0; i < half; i++)
            f[i] = f[i] > f[i + half] ? f[i] : f[i + half];
    return f[0];
#endif
}

#endif

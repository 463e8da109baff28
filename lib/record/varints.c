#include "record/varints.h"

#include <string.h>

#include "base/endian.h"

#if defined __x86_64__
#include <immintrin.h>
#define AVX512                                                                           \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512cd,avx512vbmi,"      \
                          "avx512vbmi2,popcnt")))
#endif

static uint8_t *put_one(uint8_t *p, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        *p++ = (uint8_t)(v | 128);
    *p++ = (uint8_t)v;
    return p;
}

/* A number below 2^21 without a branch that its size decides: token ids of one to three
 * bytes follow each other without a pattern. */
static inline uint8_t *put_small(uint8_t *p, uint32_t v)
{
    uint32_t two = v >= 1u << 7, three = v >= 1u << 14;
    uint32_t x = (v & 0x7f) | (v & 0x3f80) << 1 | (v & 0x1fc000) << 2;
    tsl_store32(p, x | two << 7 | three << 15);
    return p + 1 + two + three;
}

#define NUMBERS(type)                                                                    \
    for (size_t i = 0; i < n; i++) {                                                     \
        type x;                                                                          \
        memcpy(&x, (const uint8_t *)v + i * sizeof x, sizeof x);                         \
        uint64_t u = (uint64_t)x; /* negative ones as 64 bits */                         \
        to = u < 1 << 21 ? put_small(to, (uint32_t)u) : put_one(to, u);                  \
    }                                                                                    \
    return to;

uint8_t *tsl_varints_put_plain(uint8_t *to, enum tsl_dtype t, const void *v, size_t n)
{
    switch (t) {
    case TSL_BIT:
    case TSL_U8: NUMBERS(uint8_t)
    case TSL_I8: NUMBERS(int8_t)
    case TSL_U16: NUMBERS(uint16_t)
    case TSL_I16: NUMBERS(int16_t)
    case TSL_U32: NUMBERS(uint32_t)
    case TSL_I32: NUMBERS(int32_t)
    default: NUMBERS(uint64_t) /* i64: the same bits */
    }
}

/* Masks, labels, segments: the values are their own code. */
static bool are_small(const uint8_t *v, size_t n)
{
    uint64_t any = 0;
    size_t i = 0;
    for (; n - i >= 8; i += 8)
        any |= tsl_load64(v + i);
    for (; i < n; i++)
        any |= v[i];
    return !(any & UINT64_C(0x8080808080808080));
}

#ifdef AVX512

/* By how many leading zeros a number of 32 bits has, 32 and 0 alike as its low five bits tell
 * them: bit 7 of each byte of its code behind which there is one. */
static const uint32_t more_by_zeros[32] = {
    0 /* of 0 */, 0,          0,          0,          0x00808080, 0x00808080, 0x00808080,
    0x00808080,   0x00808080, 0x00808080, 0x00808080, 0x00008080, 0x00008080, 0x00008080,
    0x00008080,   0x00008080, 0x00008080, 0x00008080, 0x00000080, 0x00000080, 0x00000080,
    0x00000080,   0x00000080, 0x00000080, 0x00000080, /* 25 zeros: below 128 */
};

/* Sixteen numbers below 2^28, of one to four bytes: each spread over the bytes of its lane, then
 * the bytes that are none are squeezed out. */
AVX512 static inline uint8_t *put_lanes(uint8_t *p, __m512i x, __mmask16 lanes)
{
    const __m512i shifts = _mm512_set1_epi64(0x352e2720150e0700); /* bits */
    const __m512i low = _mm512_loadu_si512(more_by_zeros);
    const __m512i high = _mm512_loadu_si512(more_by_zeros + 16);
    __m512i more = _mm512_permutex2var_epi32(low, _mm512_lzcnt_epi32(x), high);
    __m512i code = _mm512_multishift_epi64_epi8(shifts, x);
    /* code & 0x7f | more */
    code = _mm512_ternarylogic_epi32(code, _mm512_set1_epi8(0x7f), more, 0xea);
    __mmask64 kept = _mm512_movepi8_mask(_mm512_maskz_or_epi32(
        lanes, _mm512_slli_epi32(more, 8), _mm512_set1_epi32(0x80)));
    _mm512_storeu_si512(p, _mm512_maskz_compress_epi8(kept, code));
    return p + _mm_popcnt_u64(kept);
}

/* Ids of 16 bits. */
AVX512 static uint8_t *put_u16(uint8_t *p, enum tsl_dtype t, const void *values, size_t n)
{
    const uint8_t *v = values;
    (void)t;
    for (; n >= 16; n -= 16, v += 32)
        p = put_lanes(p, _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)v)),
                      0xffff);
    if (n == 0)
        return p;
    __mmask16 lanes = (__mmask16)((1u << n) - 1);
    return put_lanes(p, _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, v)), lanes);
}

AVX512 static uint8_t *put_fast(uint8_t *p, enum tsl_dtype t, const uint8_t *v, size_t n)
{
    const size_t size = tsl_dtype_bytes(t);
    const __m512i most = _mm512_set1_epi32(t == TSL_I16 ? 1 << 15 : 1 << 28);
    const __m512i most64 = _mm512_set1_epi64(1 << 28);
    for (size_t i = 0; i < n; i += 16) {
        const uint8_t *at = v + i * size;
        size_t left = n - i < 16 ? n - i : 16;
        __mmask16 lanes = (__mmask16)((1u << left) - 1);
        __m512i x;
        bool fits = true;
        if (size == 2) { /* signed ones */
            x = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(lanes, at));
        } else if (size == 4) {
            x = _mm512_maskz_loadu_epi32(lanes, at);
        } else {
            __m512i low = _mm512_maskz_loadu_epi64((__mmask8)lanes, at);
            __m512i high = _mm512_maskz_loadu_epi64((__mmask8)(lanes >> 8), at + 64);
            fits = _mm512_cmplt_epu64_mask(low, most64) == 0xff &&
                   _mm512_cmplt_epu64_mask(high, most64) == 0xff;
            x = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi64_epi32(low)),
                                   _mm512_cvtepi64_epi32(high), 1);
        }
        if (fits && _mm512_cmplt_epu32_mask(x, most) == 0xffff)
            p = put_lanes(p, x, lanes);
        else
            p = tsl_varints_put_plain(p, t, at, left);
    }
    return p;
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2") && __builtin_cpu_supports("popcnt");
}

#endif

uint8_t *tsl_varints_put(uint8_t *to, enum tsl_dtype t, const void *v, size_t n)
{
    if (tsl_dtype_bytes(t) == 1 && are_small(v, n)) {
        if (n)
            memcpy(to, v, n);
        return to + n;
    }
#ifdef AVX512
    if (t == TSL_U16 && n >= 4 && has_avx512())
        return put_u16(to, t, v, n);
    if (tsl_dtype_bytes(t) > 1 && n >= 4 && has_avx512())
        return put_fast(to, t, v, n);
#endif
    return tsl_varints_put_plain(to, t, v, n);
}

tsl_varints_put_fn *tsl_varints_coder(enum tsl_dtype t)
{
#ifdef AVX512
    if (t == TSL_U16 && has_avx512())
        return put_u16;
#endif
    (void)t;
    return tsl_varints_put;
}

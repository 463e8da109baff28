#include "io/crc32.h"

#include "io/codec.h"

#if defined __x86_64__
#include <immintrin.h>
#define PCLMUL __attribute__((target("pclmul,sse4.1")))

PCLMUL static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

/* x, moved on by as many bits as the two powers of k stand for, and what lies there. */
PCLMUL static inline __m128i fold(__m128i x, __m128i k, __m128i next)
{
    __m128i low = _mm_clmulepi64_si128(x, k, 0x00),
            high = _mm_clmulepi64_si128(x, k, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* Of n bytes, a multiple of 16 and at least 64; crc is inverted, and so is the result.  Powers of
 * x modulo the polynomial, reflected: of 512 and 128 bits, and what the last two steps take. */
PCLMUL static uint32_t by_products(uint32_t crc, const uint8_t *p, size_t n)
{
    const __m128i by64 = _mm_set_epi64x(0x1c6e41596, 0x154442bd4);
    const __m128i by16 = _mm_set_epi64x(0x0ccaa009e, 0x1751997d0);
    const __m128i by4 = _mm_set_epi64x(0, 0x163cd6124);
    const __m128i barrett = _mm_set_epi64x(0x1f7011641, 0x1db710641);
    const __m128i low32 = _mm_set_epi32(0, -1, 0, -1);
    __m128i a = _mm_xor_si128(load(p), _mm_cvtsi32_si128((int)crc));
    __m128i b = load(p + 16), c = load(p + 32), d = load(p + 48);
    for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
        a = fold(a, by64, load(p));
        b = fold(b, by64, load(p + 16));
        c = fold(c, by64, load(p + 32));
        d = fold(d, by64, load(p + 48));
    }
    a = fold(fold(fold(a, by16, b), by16, c), by16, d);
    for (; n; p += 16, n -= 16)
        a = fold(a, by16, load(p));
    /* 128 bits to 96, to 64, to 32 */
    a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by16, 0x10));
    b = _mm_clmulepi64_si128(_mm_and_si128(a, low32), by4, 0x00);
    a = _mm_xor_si128(_mm_srli_si128(a, 4), b);
    b = _mm_clmulepi64_si128(_mm_and_si128(a, low32), barrett, 0x10);
    b = _mm_clmulepi64_si128(_mm_and_si128(b, low32), barrett, 0x00);
    return (uint32_t)_mm_extract_epi32(_mm_xor_si128(a, b), 1);
}
#endif

uint32_t tsl_crc32(uint32_t crc, const void *p, size_t n)
{
#if defined __x86_64__
    if (n >= 64 && __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1")) {
        size_t most = n & ~(size_t)15;
        crc = ~by_products(~crc, p, most);
        if (most == n)
            return crc;
        p = (const uint8_t *)p + most;
        n -= most;
    }
#endif
    return tsl_codec_crc32(crc, p, n);
}

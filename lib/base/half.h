/* half.h - IEEE 754's 16-bit floats as 32-bit ones, and back.
 *
 * Memory: none.  Threads: pure. */
#ifndef TSL_HALF_H
#define TSL_HALF_H

#include <stdint.h>
#include <string.h>

/* Exact. */
static inline float tsl_half_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, e = h >> 10 & 31, m = h & 1023;
    uint32_t bits = e == 31 ? 0x7f800000 | m << 13 : (e + 112) << 23 | m << 13;
    float f;
    if (e == 0) { /* m * 2^-24 */
        f = (float)m * 0x1p-24f;
        memcpy(&bits, &f, 4);
    }
    bits |= sign;
    memcpy(&f, &bits, 4);
    return f;
}

/* The nearest, of two that are as near the even one; infinity from 65520 on. */
static inline uint16_t tsl_half_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint32_t sign = bits >> 16 & 0x8000, a = bits & 0x7fffffff;
    if (a > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (a >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00);
    if (a < 0x38800000) { /* multiples of 2^-24, as the last bits of sums with 0.5 are */
        memcpy(&f, &a, 4);
        f += 0.5f;
        memcpy(&a, &f, 4);
        return (uint16_t)(sign | (a - 0x3f000000));
    }
    a += 0xfff + (a >> 13 & 1);
    return (uint16_t)(sign | (a - 0x38000000) >> 13);
}

#endif

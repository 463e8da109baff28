/* half.h - IEEE 754's 16-bit floats as 32-bit ones.
 * Threads: pure. */
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

#endif

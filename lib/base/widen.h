/* widen.h - numbers of 16 bits into 32 and back, eight at a time: ids as they are kept and as
 * they are worked on.
 * Order: of the numbers.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_WIDEN_H
#define TSL_WIDEN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t tsl_u16x8 __attribute__((vector_size(16)));
typedef uint32_t tsl_u32x8 __attribute__((vector_size(32)));

/* from: n numbers of 16 bits, aligned or not. */
static inline void tsl_widen(uint32_t *to, const void *from, size_t n)
{
    const uint8_t *p = from;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        tsl_u16x8 v;
        memcpy(&v, p + 2 * i, sizeof v);
        tsl_u32x8 w = __builtin_convertvector(v, tsl_u32x8);
        memcpy(to + i, &w, sizeof w);
    }
    for (; i < n; i++) {
        uint16_t x;
        memcpy(&x, p + 2 * i, 2);
        to[i] = x;
    }
}

/* The low 16 bits of each. */
static inline void tsl_narrow(void *to, const uint32_t *from, size_t n)
{
    uint8_t *p = to;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        tsl_u32x8 w;
        memcpy(&w, from + i, sizeof w);
        tsl_u16x8 v = __builtin_convertvector(w, tsl_u16x8);
        memcpy(p + 2 * i, &v, sizeof v);
    }
    for (; i < n; i++) {
        uint16_t x = (uint16_t)from[i];
        memcpy(p + 2 * i, &x, 2);
    }
}

#endif

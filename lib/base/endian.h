/* endian.h - little-endian loads and stores at any address.
 * Threads: pure. */
#ifndef TSL_ENDIAN_H
#define TSL_ENDIAN_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TSL_LE32(x) __builtin_bswap32(x)
#define TSL_LE64(x) __builtin_bswap64(x)
#else
#define TSL_LE32(x) (x)
#define TSL_LE64(x) (x)
#endif

/* The 4 or 8 bytes from p on, aligned or not, as a number. */
static inline uint32_t tsl_load32(const void *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return TSL_LE32(v);
}

static inline uint64_t tsl_load64(const void *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return TSL_LE64(v);
}

/* Writes v as the 4 or 8 bytes from p on. */
static inline void tsl_store32(void *p, uint32_t v)
{
    v = TSL_LE32(v);
    memcpy(p, &v, sizeof v);
}

static inline void tsl_store64(void *p, uint64_t v)
{
    v = TSL_LE64(v);
    memcpy(p, &v, sizeof v);
}

#endif

/* varints.h - whole numbers as protocol buffers have them: seven bits a byte, the lowest first,
 * bit 7 where more follow; negative ones as 64 bits, ten bytes.
 *
 * Source: the encoding guide of protocol buffers, "base 128 varints".
 * Order: as the numbers lie.
 * Memory: none.
 * Threads: pure functions. */
#ifndef TSL_VARINTS_H
#define TSL_VARINTS_H

#include "base/endian.h"
#include "record/schema.h"

enum { TSL_VARINT_BYTES = 10, TSL_VARINTS_SLACK = 64 };

/* n numbers of type t (integers and bits) one after the other at to, where there is room for
 * TSL_VARINT_BYTES each and TSL_VARINTS_SLACK: where they end. */
uint8_t *tsl_varints_put(uint8_t *to, enum tsl_dtype t, const void *v, size_t n);
/* The same without vector instructions: the oracle of the fast one. */
uint8_t *tsl_varints_put_plain(uint8_t *to, enum tsl_dtype t, const void *v, size_t n);
/* What puts numbers of type t fastest, for who has many lists to put. */
typedef uint8_t *tsl_varints_put_fn(uint8_t *to, enum tsl_dtype t, const void *v,
                                    size_t n);
tsl_varints_put_fn *tsl_varints_coder(enum tsl_dtype t);

/* Bytes that v takes. */
static inline unsigned tsl_varint_bytes(uint64_t v)
{
    return (9 * (63 - (unsigned)__builtin_clzll(v | 1)) + 73) / 64; /* bits / 7 + 1 */
}

/* One number, likewise; where there is room for TSL_VARINT_BYTES. */
static inline uint8_t *tsl_varint_put(uint8_t *to, uint64_t v)
{
    for (; v >> 56; v >>= 7)
        *to++ = (uint8_t)(v | 128);
    /* 56 bits at once: halves, quarters and eighths are moved apart */
    unsigned n = tsl_varint_bytes(v);
    uint64_t x = (v & 0xfffffff) | v >> 28 << 32;
    x = (x & 0x00003fff00003fff) | (x & 0x0fffc0000fffc000) << 2;
    x = (x & 0x007f007f007f007f) | (x & 0x3f803f803f803f80) << 1;
    tsl_store64(to, x | (UINT64_C(0x8080808080808080) & ~(UINT64_MAX << 8 * (n - 1))));
    return to + n;
}

#endif

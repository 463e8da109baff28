/* varints.h - whole numbers as protocol buffers have them: seven bits a byte, the lowest first,
 * bit 7 where more follow; negative ones as 64 bits, ten bytes.
 *
 * Source: the encoding guide of protocol buffers, "base 128 varints".
 * Order: as the numbers lie.
 * Memory: none.
 * Threads: pure functions. */
#ifndef TSL_VARINTS_H
#define TSL_VARINTS_H

#include "record/schema.h"

enum { TSL_VARINT_BYTES = 10, TSL_VARINTS_SLACK = 64 };

/* n numbers of type t (integers and bits) one after the other at to, where there is room for
 * TSL_VARINT_BYTES each and TSL_VARINTS_SLACK: where they end. */
uint8_t *tsl_varints_put(uint8_t *to, enum tsl_dtype t, const void *v, size_t n);
/* The same without vector instructions: the oracle of the fast one. */
uint8_t *tsl_varints_put_plain(uint8_t *to, enum tsl_dtype t, const void *v, size_t n);

#endif

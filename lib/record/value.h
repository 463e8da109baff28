/* value.h - one number of a record's column, whatever its type and wherever it lies.
 *
 * A column's values begin at any byte (record.h), so they are never read through a pointer of
 * their type.
 * Order: of its arguments alone.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_VALUE_H
#define TSL_VALUE_H

#include <string.h>

#include "base/endian.h"
#include "base/half.h"
#include "record/record.h"

/* Value i of a column of whole numbers or bits; 64 bits without a sign come out as those bits. */
static inline int64_t tsl_value_whole(enum tsl_dtype t, const struct tsl_value *v,
                                      uint32_t i)
{
    const uint8_t *p = v->data;
    uint16_t x;
    switch (t) {
    case TSL_I8: return (int8_t)p[i];
    case TSL_U16: memcpy(&x, p + 2 * (size_t)i, 2); return x;
    case TSL_I16: memcpy(&x, p + 2 * (size_t)i, 2); return (int16_t)x;
    case TSL_U32: return tsl_load32(p + 4 * (size_t)i);
    case TSL_I32: return (int32_t)tsl_load32(p + 4 * (size_t)i);
    case TSL_U64:
    case TSL_I64: return (int64_t)tsl_load64(p + 8 * (size_t)i);
    default: return p[i];
    }
}

/* Value i of a column of floats. */
static inline double tsl_value_real(enum tsl_dtype t, const struct tsl_value *v,
                                    uint32_t i)
{
    const uint8_t *p = v->data;
    uint16_t half;
    float single;
    double x;
    switch (t) {
    case TSL_F16:
        memcpy(&half, p + 2 * (size_t)i, 2);
        return (double)tsl_half_float(half);
    case TSL_F32: memcpy(&single, p + 4 * (size_t)i, 4); return (double)single;
    default: memcpy(&x, p + 8 * (size_t)i, 8); return x;
    }
}

#endif

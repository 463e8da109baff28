/* strided.h - where the numbers of a tensor lie, for loops over any strides.
 * Order: none.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_STRIDED_H
#define TSL_STRIDED_H

#include "tensor/tensor.h"

/* Row r of the last axis begins that many numbers behind the tensor's first. */
static inline int64_t tsl_strided_row(const struct tsl_tensor *t, size_t r)
{
    int64_t at = 0;
    for (unsigned i = t->rank > 0 ? t->rank - 1 : 0; i-- > 0;) {
        at += (int64_t)(r % (size_t)t->dim[i]) * t->stride[i];
        r /= (size_t)t->dim[i];
    }
    return at;
}

/* The stride of its last axis; 1 for a scalar. */
static inline int64_t tsl_strided_step(const struct tsl_tensor *t)
{
    return t->rank ? t->stride[t->rank - 1] : 1;
}

#endif

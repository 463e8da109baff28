/* kernelset.h - every table of kernels that this machine has, and numbers for them to work on. */
#ifndef TSL_KERNELSET_H
#define TSL_KERNELSET_H

#include <stdlib.h>
#include <string.h>

#include "support/test.h"
#include "tensor/kernels.h"

/* Up to three, the plain one first; *n: how many. */
static inline const struct tsl_kernels *const *kernelset(size_t *n)
{
    static const struct tsl_kernels *set[3];
    *n = 0;
    for (size_t i = 0; i < 3; i++) {
        set[*n] = tsl_kernels_named((const char *[]){ "ref", "avx2", "avx512" }[i]);
        *n += set[*n] != NULL;
    }
    return set;
}
/* Numbers in [-size, size), always the same for a seed. */
static inline void kernelset_fill(float *x, size_t n, uint64_t seed, float size)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t z = (seed << 32) + i * UINT64_C(0x9e3779b97f4a7c15);
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        x[i] = size * ((float)((z ^ z >> 31) >> 40) * 0x1p-23f - 1);
    }
}
/* The same bits, but for the bits of NaN. */
static inline bool kernelset_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0 && !(a[i] != a[i] && b[i] != b[i]))
            return false;
    return true;
}

#endif

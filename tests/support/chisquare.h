/* chisquare.h - how far counts are from what is expected of them. */
#ifndef TSL_CHISQUARE_H
#define TSL_CHISQUARE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* Sigmas above what chance gives, for expected counts (Wilson and Hilferty 1931). */
static inline double chisquare_sigmas(const uint64_t *counts, const double *expected,
                                      size_t n)
{
    double chi2 = 0, df = (double)n - 1;
    for (size_t i = 0; i < n; i++)
        chi2 += ((double)counts[i] - expected[i]) * ((double)counts[i] - expected[i]) /
                expected[i];
    return (cbrt(chi2 / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

static inline double chisquare_uniform(const uint64_t *counts, size_t n)
{
    double expected[4096], sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)counts[i];
    for (size_t i = 0; i < n && i < 4096; i++)
        expected[i] = sum / (double)n;
    return chisquare_sigmas(counts, expected, n);
}

#endif

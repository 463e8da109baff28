/* npyrandom.h - numpy.random.choice(n, p=) after numpy.random.seed(), as ALBERT's script
 * draws the length of what it masks.
 *
 * Order: the draws follow from the seed.  Memory: the caller's.
 * Threads: a struct tsl_npyrandom has one owner.
 * Source: numpy's legacy RandomState (random/mtrand.pyx), whose stream is frozen. */
#ifndef TSL_NPYRANDOM_H
#define TSL_NPYRANDOM_H

#include "prep/mt19937.h"

struct tsl_npyrandom {
    struct tsl_mt19937 mt;
};

/* numpy.random.seed(seed). */
void tsl_npyrandom_seed(struct tsl_npyrandom *r, uint32_t seed);

/* What choice(p=) compares its draw with: the running sums of p, divided by the last. */
void tsl_npyrandom_cdf(const double *p, size_t n, double *cdf);

/* An index of [0, n), as choice draws one by that cdf; n > 0. */
size_t tsl_npyrandom_choice(struct tsl_npyrandom *r, const double *cdf, size_t n);

/* a.sum() of n doubles, added in numpy's order (pairwise beyond 7 of them). */
double tsl_npyrandom_sum(const double *a, size_t n);

#endif

#include "prep/npyrandom.h"

void tsl_npyrandom_seed(struct tsl_npyrandom *r, uint32_t seed)
{
    tsl_mt19937_seed_word(&r->mt, seed);
}

void tsl_npyrandom_cdf(const double *p, size_t n, double *cdf)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        cdf[i] = sum += p[i];
    for (size_t i = 0; i < n; i++)
        cdf[i] /= sum;
}

size_t tsl_npyrandom_choice(struct tsl_npyrandom *r, const double *cdf, size_t n)
{
    double u = tsl_mt19937_random(&r->mt);
    size_t i = 0;
    while (i < n - 1 && cdf[i] <= u)
        i++;
    return i;
}

double tsl_npyrandom_sum(const double *a, size_t n)
{
    if (n < 8) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += a[i];
        return sum;
    }
    if (n > 128) {
        size_t half = n / 2 - n / 2 % 8;
        return tsl_npyrandom_sum(a, half) + tsl_npyrandom_sum(a + half, n - half);
    }
    double r[8];
    size_t i = 8;
    for (size_t j = 0; j < 8; j++)
        r[j] = a[j];
    for (; i + 8 <= n; i += 8)
        for (size_t j = 0; j < 8; j++)
            r[j] += a[i + j];
    double sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += a[i];
    return sum;
}

/* fixmath.h - exp, log, digamma and a cosine that give the same bits on every machine.
 *
 * The C library's may differ in the last bit between versions and processors; a vocabulary
 * that is trained with them would, too.  These are additions, multiplications and divisions
 * of IEEE doubles in a fixed order, each rounded by itself (the Makefile says
 * -ffp-contract=off), so that they are what they are anywhere.
 * Source: Cody and Waite 1980 (reduction by a ln 2 in two parts); Abramowitz and Stegun 4.1.27
 *   (artanh's series for the logarithm), 6.3.5 and 6.3.18 (digamma).
 * Order: none.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_FIXMATH_H
#define TSL_FIXMATH_H

/* e^x within 1 unit in the last place.  0 and
 * infinity beyond the range of doubles; NaN for NaN. */
double tsl_fixmath_exp(double x);

/* The natural logarithm within 1 unit in the last place.  -infinity for 0, NaN below. */
double tsl_fixmath_log(double x);

/* The derivative of the logarithm of the gamma function, for x > 0: within 1e-10, by the same
 * terms as in SentencePiece.  -infinity for 0, NaN below. */
double tsl_fixmath_digamma(double x);

/* cos(pi x), within 2^-52 of it; exact where it is 1, 0 or -1.  NaN for what is not finite. */
double tsl_fixmath_cospi(double x);

#endif

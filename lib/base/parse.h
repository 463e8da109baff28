/* parse.h - numbers as users write them: whole, in range, nothing after them.
 * Threads: pure. */
#ifndef TSL_PARSE_H
#define TSL_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal integer in [0, 2^64).  false when s is anything else; *overflow (may be NULL)
 * tells a number that is only too large. */
bool tsl_parse_u64(const char *s, uint64_t *out, bool *overflow);

/* A size: digits, perhaps a fraction, perhaps a unit.  b 512; K M G T P E (or KiB ...)
 * powers of 1024, either case; KB MB ... powers of 1000; N% of whole.  Rounded down to
 * bytes; at least 1 unless the number is 0.  whole 0 refuses percentages.  false when
 * s is anything else or 2^64 bytes or more. */
bool tsl_parse_size(const char *s, uint64_t whole, uint64_t *out);

/* A share of one: 0.25, .25, 25%, 1.  false when s is anything else or not in [0, 1]. */
bool tsl_parse_share(const char *s, double *out);

/* A number of at least 0: digits, perhaps a fraction, perhaps an exponent: 3, .5, 1e-4.  The
 * double nearest to it, the same on every machine.  false when s is anything else, has more
 * than 15 digits that count, or is not from 1e-300 to 1e300 (0 is fine). */
bool tsl_parse_number(const char *s, double *out);

#endif

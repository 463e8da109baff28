/* jsonnum.h - the numbers of a JSON text as serde_json reads them.
 *
 * Without its feature float_roundtrip, with which Hugging Face's tokenizers is not built,
 * serde_json takes the first digits that 64 bits hold and multiplies or divides by a power of
 * ten: each step rounds, and one number in five of 17 digits is off by one in the last place.
 * Two ways to cut a text whose scores add up to nearly the same then change places.
 * Source: serde_json 1.0, de.rs (f64_from_parts); 20,000 numbers through PyPI's tokenizers.
 * Order: as in the text.
 * Memory: a copy of the text where a number changes.
 * Threads: none of its own. */
#ifndef TSL_JSONNUM_H
#define TSL_JSONNUM_H

#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* The value of s, a JSON number. */
double tsl_jsonnum_value(struct tsl_slice s);

/* Numbers of *text whose value is not the nearest double are spelled so that it is.  *made:
 * the copy that *text is then, for tsl_mem_free; NULL where nothing changed.  What is no JSON
 * stays as it is.  0 or TSL_ENOMEM. */
int tsl_jsonnum_spell(struct tsl_slice *text, uint8_t **made, struct tsl_err *err);

#endif

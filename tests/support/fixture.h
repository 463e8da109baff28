/* fixture.h - files of tests/data, from any folder of the project. */
#ifndef TSL_FIXTURE_H
#define TSL_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/jsonread.h"
#include "base/slice.h"

/* tests/data/NAME, one more byte (NUL) behind it; to be freed with free.  A file that is
 * not there fails the test. */
uint8_t *fixture_get(const char *name, size_t *n);

/* Calls each for each line of a JSONL file and returns how many there were. */
size_t fixture_each(const char *name,
                    void (*each)(const struct tsl_jsonval *row, void *ctx), void *ctx);

/* A member that must be there and of the kind asked for. */
struct tsl_slice fixture_str(const struct tsl_jsonval *row, const char *key);
int64_t fixture_int(const struct tsl_jsonval *row, const char *key);
/* missing: what it is where it is not there or null. */
int fixture_bool(const struct tsl_jsonval *row, const char *key, int missing);

/* Items of an array of integers. */
int64_t fixture_int_at(const struct tsl_jsonval *array, size_t i);

#endif

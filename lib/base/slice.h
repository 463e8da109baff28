/* slice.h - bytes borrowed from somebody else, and how a name ends.
 * Threads: plain data; pure. */
#ifndef TSL_SLICE_H
#define TSL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct tsl_slice {
    const uint8_t *data; /* any bytes, NUL and 0xFF included; not terminated */
    size_t len;
};

/* Does the name s end with end, and have something in front of it? */
static inline bool tsl_ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

#endif

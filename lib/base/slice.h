/* slice.h - bytes borrowed from somebody else. */
#ifndef TSL_SLICE_H
#define TSL_SLICE_H

#include <stddef.h>
#include <stdint.h>

struct tsl_slice {
    const uint8_t *data; /* any bytes, NUL and 0xFF included; not terminated */
    size_t len;
};

#endif

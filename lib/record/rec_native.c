#include "record/record.h"

#include <string.h>

static bool is_native(const char *path, const uint8_t *p, size_t n)
{
    (void)path;
    return p && n >= 8 && memcmp(p, "TSLREC1\n", 8) == 0;
}

const struct tsl_recformat tsl_rec_native = { .name = "native",
                                              .suffix = ".tslrec",
                                              .is = is_native };

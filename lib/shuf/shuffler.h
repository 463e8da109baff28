/* shuffler.h - the shuffle for other programs: put rows in, take them out in random
 * order.
 *
 *     struct tsl_shuffler_opts o = tsl_shuffler_defaults();
 *     tsl_shuffler_create(&s, &o, &err);
 *     while (there is a row) tsl_shuffler_put(s, row, len, &err);
 *     while (tsl_shuffler_next(s, &row, &err) == 1) use(row);
 *     tsl_shuffler_destroy(s);
 *
 * Order: by seed and rows alone; the same as the command's, for rows that are lines
 *   without their newline.
 * Memory: opts.memory, spilled to opts.dirs beyond it, and the row lent last if it is
 *   longer than a block.
 * Threads: one caller; writes temporary data on threads of its own. */
#ifndef TSL_SHUFFLER_H
#define TSL_SHUFFLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_shuffler_opts {
    uint64_t seed, memory;   /* bytes */
    const char *const *dirs; /* for temporary data; lent */
    size_t ndirs;
    bool unique; /* of equal rows keep the first */
};

struct tsl_shuffler;

/* Seed 0, 256 MiB, /tmp. */
struct tsl_shuffler_opts tsl_shuffler_defaults(void);

/* 0, TSL_ENOMEM or TSL_EIO. */
int tsl_shuffler_create(struct tsl_shuffler **s, const struct tsl_shuffler_opts *o,
                        struct tsl_err *err);

/* Copies the row.  Not after the first next.  0, TSL_ENOMEM or TSL_EIO. */
int tsl_shuffler_put(struct tsl_shuffler *s, const void *row, size_t len,
                     struct tsl_err *err);

/* 1 and a row, 0 after the last (and then all rows have been checked to be those put in),
 * or an error.  *row is lent until the next call. */
int tsl_shuffler_next(struct tsl_shuffler *s, struct tsl_slice *row, struct tsl_err *err);

/* At any time; temporary data is gone with it.  NULL is fine. */
void tsl_shuffler_destroy(struct tsl_shuffler *s);

#endif

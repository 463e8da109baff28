/* growfile.h - bytes that grow: in memory as far as the budget goes, then in a temporary file
 * without a name; and read anywhere.
 *
 * Order: offsets are where bytes were put.
 * Memory: up to memory bytes; once that is too little, none but what get's callers bring.
 * Threads: put has one caller; get may be called by many, once nothing is put any more. */
#ifndef TSL_GROWFILE_H
#define TSL_GROWFILE_H

#include "io/file.h"

struct tsl_growfile {
    const char *dir; /* lent */
    uint8_t *pages;  /* reserved at once, touched as it grows; NULL: in the file */
    size_t cap;
    uint64_t len;
    struct tsl_file file;
};

/* dir: where a temporary file would lie.  TSL_ENOMEM. */
int tsl_growfile_init(struct tsl_growfile *g, size_t memory, const char *dir,
                      struct tsl_err *err);
int tsl_growfile_put(struct tsl_growfile *g, const void *p, size_t n,
                     struct tsl_err *err);
/* n bytes from at on, which were put: where they lie, or copied to buf. */
int tsl_growfile_get(const struct tsl_growfile *g, uint64_t at, size_t n, void *buf,
                     const uint8_t **p, struct tsl_err *err);
static inline bool tsl_growfile_in_memory(const struct tsl_growfile *g)
{
    return g->pages != NULL;
}
void tsl_growfile_fini(struct tsl_growfile *g);

#endif

/* filemem.h - memory that lies in a temporary file: for what is rarely needed and larger
 * than the memory there is.
 *
 * A home as base/mem.h has them: the large blocks of threads that use it lie in a file
 * without a name.  A thread of its own looks every millisecond how much memory the process
 * holds; when it is too much, the file's pages leave it, to come back when they are
 * touched.
 * Order: none.
 * Memory: the process stays near the resident_max bytes that it is told, as long as what
 *   lies elsewhere does; the disk has what the blocks need.  Of addresses it takes 4 TiB, or
 *   what there is down to 16 GiB; a block may have a 64th of them.
 * Threads: any; one is made. */
#ifndef TSL_FILEMEM_H
#define TSL_FILEMEM_H

#include <stdint.h>

#include "base/err.h"

struct tsl_filemem;

/* In folder dir.  resident_max: of the process, in bytes.  TSL_EUSAGE where the process has
 * one already, TSL_EIO, or TSL_ENOMEM. */
int tsl_filemem_create(struct tsl_filemem **m, const char *dir, uint64_t resident_max,
                       struct tsl_err *err);
/* Its blocks have all been freed.  NULL is fine. */
void tsl_filemem_destroy(struct tsl_filemem *m);

#endif

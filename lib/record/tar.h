/* tar.h - the archive that WebDataset is made of: ustar, with pax's and GNU's long names.
 *
 * Source: POSIX.1-2017, pax interchange format; GNU tar's type L.
 * Memory: a name.  Threads: one owner. */
#ifndef TSL_TAR_H
#define TSL_TAR_H

#include "io/source.h"

enum { TSL_TAR_BLOCK = 512, TSL_TAR_NAME_MAX = 4096, TSL_TAR_RECORD = 10240 };

/* A header for a file of n bytes, so that the same members give the same bytes: no time, owner
 * bigdata, mode 0444, as webdataset's writer has them.  TSL_EUSAGE for a name that ustar cannot
 * hold (100 bytes, or 155 and 100 around a slash). */
int tsl_tar_head(uint8_t p[TSL_TAR_BLOCK], const char *name, uint64_t n,
                 struct tsl_err *err);
/* Bytes of zeros behind a file of n bytes. */
static inline size_t tsl_tar_padding(uint64_t n)
{
    return (size_t)(-n & (TSL_TAR_BLOCK - 1));
}

/* Does it begin like an archive? */
bool tsl_tar_is(const uint8_t *p, size_t n);

struct tsl_tar {
    struct tsl_source src;
    char name[TSL_TAR_NAME_MAX]; /* of the file at hand */
    uint64_t size, at; /* its bytes; where the next header lies in the archive */
    bool ended;
};

/* 1 and the next regular file's name and size, 0 at the end; all of the one before must have
 * been read.  TSL_EFORMAT for damaged headers, ends in the middle, and names that lead out of a
 * folder. */
int tsl_tar_next(struct tsl_tar *t, struct tsl_err *err);
/* The file's t->size bytes, and what is behind them. */
int tsl_tar_read(struct tsl_tar *t, uint8_t *p, struct tsl_err *err);

#endif

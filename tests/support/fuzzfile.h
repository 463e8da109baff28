/* fuzzfile.h - how fuzz targets give their bytes to what reads files: a folder of their own, in
 * memory where the system has such, which is gone at the end. */
#ifndef TSL_FUZZFILE_H
#define TSL_FUZZFILE_H

#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

static inline void must(bool good)
{
    if (!good)
        abort();
}

/* An error of a reader: only such that say something, and no lack of memory. */
static inline void must_tell(int rc, const struct tsl_err *err)
{
    must(rc >= 0 || (err->code == rc && err->msg[0] && rc != TSL_ENOMEM));
}

static char fuzz_dir[40];

static inline int fuzz_unlink(const char *path, const struct stat *st, int kind,
                              struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static inline void fuzz_leave(void)
{
    nftw(fuzz_dir, fuzz_unlink, 8, FTW_DEPTH | FTW_PHYS);
}

/* The path of a file of the folder; good for four calls. */
static inline const char *fuzz_path(const char *name)
{
    static char path[4][128];
    static unsigned i;
    char *p = path[i++ % 4];
    if (!fuzz_dir[0]) {
        snprintf(fuzz_dir, sizeof fuzz_dir, "%s/fuzz.XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        must(mkdtemp(fuzz_dir) != NULL && atexit(fuzz_leave) == 0);
    }
    snprintf(p, sizeof path[0], "%s/%s", fuzz_dir, name);
    return p;
}

/* A file that holds these bytes. */
static inline const char *fuzz_file(const char *name, const void *bytes, size_t n)
{
    const char *path = fuzz_path(name);
    FILE *f = fopen(path, "wb");
    must(f && fwrite(bytes, 1, n, f) == n);
    must(fclose(f) == 0);
    return path;
}

/* All of a file, for free. */
static inline uint8_t *fuzz_content(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    must(f && fseek(f, 0, SEEK_END) == 0);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *p = malloc(*n + 1);
    must(p && fread(p, 1, *n, f) == *n);
    p[*n] = 0;
    fclose(f);
    return p;
}

#endif

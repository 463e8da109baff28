/* writebehind.h - a thread that writes what others have filled: while it copies one buffer into
 * the page cache, its owner fills the next one.
 *
 * Order: of each file, as put.  Errors of a file are told to who puts next, or waits.
 * Memory: TSL_WRITEBEHIND_BUFFERS buffers, when they are first needed; the thread, too, starts
 *   with the first one that is put.  Where none can be started, put writes.
 * Threads: its own, and one owner. */
#ifndef TSL_WRITEBEHIND_H
#define TSL_WRITEBEHIND_H

#include "io/file.h"

enum { TSL_WRITEBEHIND_BUFFERS = 4, TSL_WRITEBEHIND_BYTES = 256 << 10 };

struct tsl_writebehind;

/* What it knows of a file: all zero before the first put. */
struct tsl_writebehind_file {
    unsigned waiting; /* buffers not yet written */
    int rc;
    struct tsl_err err;
};

int tsl_writebehind_create(struct tsl_writebehind **w, struct tsl_err *err);
/* Every file was waited for.  NULL is fine. */
void tsl_writebehind_destroy(struct tsl_writebehind *w);
/* Writes the first n bytes of *buf, which came from tsl_pages_map(TSL_WRITEBEHIND_BYTES), behind
 * what was put of the file before; *buf is then another one, for the caller to fill.  0, or an
 * error and *buf as it was. */
int tsl_writebehind_put(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                        struct tsl_file *file, uint8_t **buf, size_t n,
                        struct tsl_err *err);
/* The same of n bytes that lie anywhere, and stay as they are until they were waited for. */
int tsl_writebehind_lend(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                         struct tsl_file *file, const uint8_t *p, size_t n,
                         struct tsl_err *err);
/* tsl_file_expect, beside the owner's work; where there is no thread, nothing. */
void tsl_writebehind_expect(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                            struct tsl_file *file, uint64_t at, uint64_t n);
/* tsl_pages_want_to_fill, likewise; before the memory goes, wait. */
void tsl_writebehind_want(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                          void *p, size_t n);
/* All that was put of the file is written: 0, or the first error. */
int tsl_writebehind_wait(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                         struct tsl_err *err);

#endif

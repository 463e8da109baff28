/* npyhead.h - the head of a .npy file: type, order and shape of an array.
 *
 * Source: numpy/lib/format.py, versions 1.0, 2.0 and 3.0: "\x93NUMPY", two bytes of version, u16
 *   (1.0) or u32 length, a Python dictionary {'descr', 'fortran_order', 'shape'} padded with
 *   blanks and a newline to a multiple of 64 bytes.
 * Memory: none.  Threads: pure functions. */
#ifndef TSL_NPYHEAD_H
#define TSL_NPYHEAD_H

#include "record/schema.h"

enum { TSL_NPY_DIMS_MAX = 32, TSL_NPY_HEAD_BYTES = 128, TSL_NPY_HEAD_MAX = 1 << 20 };

struct tsl_npyhead {
    enum tsl_dtype type;
    bool swapped; /* big-endian */
    bool fortran;
    unsigned ndims;
    uint64_t dims[TSL_NPY_DIMS_MAX], count; /* count: the product of dims */
    size_t bytes;                           /* of the head: where the values begin */
};

/* How many bytes the head has, told by the first n (12 are enough): TSL_EFORMAT for what is
 * no .npy file. */
int tsl_npyhead_measure(const uint8_t *p, size_t n, size_t *bytes, const char *name,
                        struct tsl_err *err);
/* Reads the head of n bytes.  TSL_EFORMAT, also for a type that is no number (structures,
 * strings, objects: to read these is to unpickle). */
int tsl_npyhead_read(struct tsl_npyhead *h, const uint8_t *p, size_t n, const char *name,
                     struct tsl_err *err);

/* Version 1.0, C order; p has TSL_NPY_HEAD_BYTES, which are always enough for 6
 * dimensions. */
void tsl_npyhead_write(uint8_t *p, enum tsl_dtype type, unsigned ndims,
                       const uint64_t *dims);

#endif

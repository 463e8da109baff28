/* npz.h - a record's numbers as one .npz, NumPy's zip of arrays; and back.
 *
 * Source: numpy.savez; PKWARE's APPNOTE 6.3, sections 4.3 to 4.4: members are stored, not
 *   deflated, so that reading one is finding it.
 * Memory: none; the caller's buffers.  Threads: pure functions. */
#ifndef TSL_NPZ_H
#define TSL_NPZ_H

#include "base/slice.h"
#include "record/record.h"

/* Bytes of the .npz of all columns that are numbers. */
size_t tsl_npz_bytes(const struct tsl_schema *s, const struct tsl_record *rec);
/* Writes it. */
void tsl_npz_write(uint8_t *p, const struct tsl_schema *s, const struct tsl_record *rec);

/* A member, lent from the file. */
struct tsl_npz_member {
    struct tsl_slice name; /* without .npy */
    struct tsl_slice npy;
};
/* 1 and the member behind *at bytes of the central directory (0 at first), 0 at the end;
 * TSL_EFORMAT (without where) for what is no zip, lies, or is compressed. */
int tsl_npz_next(struct tsl_slice file, size_t *at, struct tsl_npz_member *m,
                 struct tsl_err *err);

#endif

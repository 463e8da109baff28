/* rec_npy.h - NumPy's arrays: a file for each column, mapped by np.load(mmap_mode="r").
 *
 * Source: see npyhead.h.  A shard STEM has STEM.COLUMN.npy of shape [N] or [N, ...]; a list
 *   column has its values in STEM.COLUMN.npy [total] and where each record's end in
 *   STEM.COLUMN.ends.npy, u64 [N].  Strings are refused: NumPy has them of one length only.
 * Read: one .npy, whose rows are the records (any version, byte order and memory order; a
 *   column-major array of several dimensions must fit in opts.memory), or, with the schema
 *   that a manifest keeps, all files of a shard ("STEM.*.npy").
 * Memory: writing, as recout.h for each file; reading, 256 KiB a file and the largest value.
 * Threads: one owner. */
#ifndef TSL_REC_NPY_H
#define TSL_REC_NPY_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_npy;

#endif

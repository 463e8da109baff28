/* rec_mds.h - Mosaic's MDS: what StreamingDataset reads.
 *
 * Source: mosaicml/streaming, format version 2 (base/format/mds/{writer,encodings}.py).  A
 *   shard is u32 n, u32 offset[n + 1] from the shard's first byte, a JSON text of its
 *   columns, and the samples: u32 size of each column without a fixed one, then the values,
 *   columns by name.  index.json lists shards, sizes and hashes.
 * Written: fixed numbers as uint16, ndarray:uint16:L and so on, lists as ndarray:uint16, bits
 *   as uint8, strings as bytes, str, json; compressed shards (.mds.zstd) are one zstd frame
 *   that tells its size, for Python's reader takes no other; xxh64 of every file.  Arrays of no
 *   values are refused, as MDS cannot tell them, and so are lists of strings.
 * Read: index.json (then sizes and xxh64 of shards are compared, of compressed ones as they lie,
 *   too), its folder, or one shard, plain or compressed.  pkl is refused: to unpickle is to run
 *   what a stranger wrote.  An ndarray whose type is another in each sample becomes a JSON text
 *   {"dtype","shape","data"}; one whose shape varies must have one dimension.
 * Memory: writing, a shard (its index stands in front of it), so opts.memory / 2 is the most
 *   that one may have; reading, its offsets and the largest sample, or a whole shard that is
 *   compressed where at is asked for.
 * Threads: one owner. */
#ifndef TSL_REC_MDS_H
#define TSL_REC_MDS_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_mds;

#endif

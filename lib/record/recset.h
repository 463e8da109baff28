/* recset.h - a set of shards as one sequence of records: a folder with a manifest.json.
 *
 * Order: shard after shard as the manifest lists them; each record has its number in the set,
 *   which round robin sets (record i in shard i modulo their number) do not rise with.
 * Memory: of one shard's reader, and the manifest; records picked by number, of up to 129 that share opts.memory.
 * Threads: one owner. */
#ifndef TSL_RECSET_H
#define TSL_RECSET_H

#include "record/record.h"

/* A format to the face only: sets are written by shardset.h. */
extern const struct tsl_recformat tsl_rec_set;

#endif

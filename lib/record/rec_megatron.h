/* rec_megatron.h - Megatron's .bin and .idx: token ids, and where documents begin.
 *
 * Source: Megatron-LM, megatron/core/datasets/indexed_dataset.py.  The .idx: "MMIDIDX\0\0", u64
 *   version 1, u8 type, u64 S sequences, u64 D document entries, i32 length[S], i64 byte[S], i64
 *   document[D] (from 0 to S, one more than documents); the .bin: the ids.
 * Written: from a schema with a column of ids and, with layout "sentence", one "sents" (the
 *   tokens of each sentence: a sequence is a sentence); with "document", the usual one, a
 *   sequence is a record.  u16 where vocab_size in the meta is below 65500, or the column is
 *   u16 and the meta says none; else i32.
 * Read: a .idx (the .bin beside it) or a .bin (the .idx beside it).  Columns: ids, and sents
 *   where a document has several sequences or none.  What looks alike but is not is refused
 *   by what its sizes say: fairseq's index, a .bin shorter than the .idx says.
 * Memory: writing, 4 bytes a sequence and 8 a document; reading, the index.
 * Threads: one owner. */
#ifndef TSL_REC_MEGATRON_H
#define TSL_REC_MEGATRON_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_megatron;

#endif

/* rec_raw.h - token ids and little else: the files of llm.c, nanoGPT, datatrove.
 *
 *   llmc       256 x i32 head {20240520, 1, count} and u16 ids, or {20240801, 7, count} and u32
 *              (karpathy/llm.c, dev/data/data_common.py); count < 2^31
 *   u16, u32   ids without a head (nanoGPT's .bin, OLMo's raw .npy)
 *   datatrove  .ds of u16 or u32 ids, .ds.index with each document's end in tokens, u64, and
 *              .ds.metadata (huggingface/datatrove, pipeline/tokens/tokenizer.py)
 * Written: the ids of each record behind those of the one before; 16 bits where vocab_size in
 *   the meta, or the column's type, allows it.
 * Read: datatrove's documents are the records; the others do not say where one begins, and are
 *   read in pieces of 65536 tokens, which can be counted and picked in a plain file.  u16 and
 *   u32 are told by --from alone.
 * Memory: writing, as recout.h, of datatrove 8 bytes a record; reading, one record.
 * Threads: one owner. */
#ifndef TSL_REC_RAW_H
#define TSL_REC_RAW_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_llmc, tsl_rec_u16, tsl_rec_u32,
    tsl_rec_datatrove;

#endif

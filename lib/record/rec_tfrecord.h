/* rec_tfrecord.h - TFRecord files: what TensorFlow reads, each record a tf.train.Example.
 *
 * Source: tensorflow/core/lib/io/record_writer.h.  A record is u64 length, u32 masked CRC-32C
 *   of these 8 bytes, the bytes, u32 masked CRC-32C of them; no header and no end, so a file
 *   cut between records is a whole one: sets have a manifest against that.
 * Written: see tfexample.h.  --gzip makes .tfrecord.gz (compression_type GZIP).
 * Read: plain, gzip or zstd; the columns are the features of the first record; where that is
 *   no Example, there is one column "record" with the bytes as they are.
 * Memory: the largest record, twice.
 * Threads: one owner. */
#ifndef TSL_REC_TFRECORD_H
#define TSL_REC_TFRECORD_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_tfrecord;

#endif

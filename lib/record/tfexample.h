/* tfexample.h - tf.train.Example: a record as TensorFlow's protocol buffer, both ways.
 *
 * Source: tensorflow/core/example/{example,feature}.proto.  Example { 1: Features { 1: map
 *   entries { 1: key, 2: Feature { one of 1: bytes, 2: floats, 3: int64s, each { 1: values }
 *   } } } }.  Written: keys sorted, numbers packed, so the bytes depend on the record alone;
 *   every integer and bit column becomes int64s, f16, f32 and f64 become floats (of f64 the
 *   nearest), strings become bytes.
 *   Read: any order of keys, packed or not, unknown fields skipped, of a key given twice the
 *   last one counts (as protobuf's maps have it).
 * Memory: reading, 8 bytes a number of one record; writing, up to 32 KiB a column.
 * Threads: one owner. */
#ifndef TSL_TFEXAMPLE_H
#define TSL_TFEXAMPLE_H

#include "base/slice.h"
#include "record/record.h"
#include "record/varints.h"

/* Bytes behind an Example that may be written before what follows. */
enum { TSL_TFEXAMPLE_SLACK = 64 };

struct tsl_tfexample_writer {
    const struct tsl_schema *schema; /* lent */
    struct tsl_tfexample_key {
        uint32_t column, n;
        uint8_t bytes[TSL_COLUMN_NAME_MAX + 2]; /* the last n: its name, as a key */
        unsigned kind;
        tsl_varints_put_fn *put;
        size_t nfront; /* bytes in front of its values in the last record: a guess */
    } keys[TSL_COLUMNS_MAX]; /* columns by name */
    size_t nlength;          /* bytes of the last record's length: a guess */
    /* What stands in front of a column's values depends on how many bytes these take; by both,
     * as far as they were met: rows have the same ones again and again. */
    struct tsl_tfexample_front {
        uint8_t n, bytes[31];
    } * fronts;
};

/* *w all zero before. */
int tsl_tfexample_writer_init(struct tsl_tfexample_writer *w,
                              const struct tsl_schema *schema, struct tsl_err *err);
void tsl_tfexample_writer_fini(struct tsl_tfexample_writer *w);
/* Bytes that rec takes as an Example at most; of whole numbers ten each. */
size_t tsl_tfexample_bound(const struct tsl_tfexample_writer *w,
                           const struct tsl_record *rec);
/* Writes rec to p, where there is room for its bound and TSL_TFEXAMPLE_SLACK bytes more: where
 * it ends. */
uint8_t *tsl_tfexample_write(struct tsl_tfexample_writer *w, const struct tsl_record *rec,
                             uint8_t *p);

/* Does it look like an Example (not a SequenceExample, nor anything else)? */
bool tsl_tfexample_is(const uint8_t *p, size_t n);
/* The features of the Example at p: lists of i64, f32 or bytes by name, sorted. */
int tsl_tfexample_schema(struct tsl_schema *s, const uint8_t *p, size_t n,
                         const char *where, struct tsl_err *err);

struct tsl_tfexample_reader {
    const struct tsl_schema *schema; /* lent */
    struct tsl_value values[TSL_COLUMNS_MAX];
    void *data[TSL_COLUMNS_MAX]; /* what the values point to */
    uint32_t *lens[TSL_COLUMNS_MAX];
    size_t cap[TSL_COLUMNS_MAX], lens_cap[TSL_COLUMNS_MAX];
};

/* schema's columns are lists of i64, f32 or bytes.  All zero before. */
void tsl_tfexample_reader_init(struct tsl_tfexample_reader *r,
                               const struct tsl_schema *schema);
/* rec->values is lent until the next call; a feature that is not there has no values.  where
 * stands in messages.  TSL_EFORMAT for what is no Example, or has a feature that schema does
 * not know, or knows otherwise. */
int tsl_tfexample_read(struct tsl_tfexample_reader *r, const uint8_t *p, size_t n,
                       const char *where, struct tsl_record *rec, struct tsl_err *err);
void tsl_tfexample_reader_fini(struct tsl_tfexample_reader *r);

#endif

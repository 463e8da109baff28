/* mdscolumn.h - a column of an MDS sample: its encoding's name, and its values as bytes.
 *
 * Source: mosaicml/streaming, base/format/mds/encodings.py.
 * Memory: decoding, what one value needs; grows on the heap.
 * Threads: one owner. */
#ifndef TSL_MDSCOLUMN_H
#define TSL_MDSCOLUMN_H

#include "base/slice.h"
#include "record/record.h"

enum tsl_mds_kind {
    TSL_MDS_STRING, /* bytes, str, json and the like: as they are */
    TSL_MDS_SCALAR, /* one number of column.type */
    TSL_MDS_FIXED,  /* ndarray:type:shape */
    TSL_MDS_SHAPED, /* ndarray:type: its shape stands in front */
    TSL_MDS_ANY     /* ndarray: type and shape stand in front; a JSON text to us */
};

struct tsl_mdscolumn {
    enum tsl_mds_kind kind;
    uint32_t bytes; /* of a value; 0: it varies */
    uint32_t n;     /* values, of SCALAR and FIXED */
};

enum { TSL_MDS_ENCODING_MAX = 96 };

/* How column is written: its encoding's name goes to encoding.  TSL_EUSAGE for what MDS has
 * no way to hold. */
int tsl_mdscolumn_of(struct tsl_mdscolumn *m, const struct tsl_column *column,
                     char encoding[TSL_MDS_ENCODING_MAX], struct tsl_err *err);
/* What an encoding's name means: adds the column.  TSL_EFORMAT, and for pkl TSL_EUSAGE. */
int tsl_mdscolumn_named(struct tsl_mdscolumn *m, struct tsl_schema *schema,
                        const char *name, const char *encoding, struct tsl_err *err);

/* Bytes that v takes; 0 and err for an array of no values. */
size_t tsl_mdscolumn_measure(const struct tsl_mdscolumn *m, const struct tsl_column *c,
                             const struct tsl_value *v);
/* Writes them. */
void tsl_mdscolumn_write(const struct tsl_mdscolumn *m, const struct tsl_column *c,
                         const struct tsl_value *v, uint8_t *p);

/* A value being read. */
struct tsl_mdsvalue {
    uint32_t len; /* of a string, or of the text */
    char *text;   /* of ANY; freed by tsl_mem_free */
    size_t cap;
};

/* The value in bytes, which must be all of it; *v is lent until the next call with the same
 * keep, or as long as bytes.  TSL_EFORMAT says what is wrong, without where. */
int tsl_mdscolumn_read(const struct tsl_mdscolumn *m, const struct tsl_column *c,
                       struct tsl_slice bytes, struct tsl_mdsvalue *keep,
                       struct tsl_value *v, struct tsl_err *err);

#endif

/* mdscolumn.h - a column of an MDS sample: its encoding's name, and its values as bytes.
 *
 * Source: mosaicml/streaming, base/format/mds/encodings.py.
 * Memory: decoding, what one value needs; grows on the heap.
 * Threads: one owner. */
#ifndef TSL_MDSCOLUMN_H
#define TSL_MDSCOLUMN_H

#include "base/compiler.h"
#include "base/endian.h"
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

/* The shape that stands in front of an array of n values in one dimension: a byte, and n in
 * as many bytes as it needs, as a power of two. */
TSL_INLINE unsigned tsl_mdscolumn_shape_log(uint64_t n)
{
    return n < 1 << 8 ? 0 : n < 1 << 16 ? 1 : n <= UINT32_MAX ? 2 : 3;
}

/* Writes it: where it ends. */
TSL_INLINE uint8_t *tsl_mdscolumn_put_shape(uint8_t *p, uint64_t n)
{
    unsigned log = tsl_mdscolumn_shape_log(n);
    *p++ = (uint8_t)(1 << 2 | log);
    if (log == 3)
        tsl_store64(p, n);
    else if (log == 2)
        tsl_store32(p, (uint32_t)n);
    else
        p[0] = (uint8_t)n;
    if (log == 1)
        p[1] = (uint8_t)(n >> 8);
    return p + (1u << log);
}

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

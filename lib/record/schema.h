/* schema.h - what a record consists of: named columns of numbers, bits or byte strings.
 *
 * The one description that every format is written from and read into, so that any two
 * convert into each other.
 * Memory: fixed.  Threads: plain data. */
#ifndef TSL_SCHEMA_H
#define TSL_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/jsonread.h"

enum {
    TSL_COLUMNS_MAX = 64,
    TSL_COLUMN_NAME_MAX = 63,
    TSL_COLUMN_DIMS_MAX = 4,
    TSL_COLUMN_COUNT_MAX = 1 << 28 /* values of a fixed count */
};

/* X(enumerator, name in files, bytes of a value in memory; 0: any number of bytes) */
#define TSL_DTYPES(X)                                                                    \
    X(TSL_U8, "u8", 1)                                                                   \
    X(TSL_I8, "i8", 1)                                                                   \
    X(TSL_U16, "u16", 2)                                                                 \
    X(TSL_I16, "i16", 2)                                                                 \
    X(TSL_U32, "u32", 4)                                                                 \
    X(TSL_I32, "i32", 4)                                                                 \
    X(TSL_U64, "u64", 8)                                                                 \
    X(TSL_I64, "i64", 8)                                                                 \
    X(TSL_F16, "f16", 2)                                                                 \
    X(TSL_F32, "f32", 4)                                                                 \
    X(TSL_F64, "f64", 8)                                                                 \
    X(TSL_BIT, "bit", 1) /* in memory a byte, 0 or 1; packed where a format packs */     \
    X(TSL_BYTES, "bytes", 0)                                                             \
    X(TSL_STR, "str", 0)   /* UTF-8 */                                                   \
    X(TSL_JSON, "json", 0) /* a JSON text */

enum tsl_dtype {
#define X(id, name, size) id,
    TSL_DTYPES(X)
#undef X
        TSL_NDTYPES
};

struct tsl_column {
    char name[TSL_COLUMN_NAME_MAX + 1]; /* 1 to 63 bytes, no NUL, UTF-8 */
    enum tsl_dtype type;
    /* Values in each record: 0, any number (a list); else the product of dims, or 1. */
    uint32_t count;
    uint32_t ndims, dims[TSL_COLUMN_DIMS_MAX]; /* of a fixed count; ndims 0: one value */
};

struct tsl_schema {
    struct tsl_column columns[TSL_COLUMNS_MAX];
    size_t ncolumns;
};

/* Adds a column; dims as above, count 0 for a list (ndims 0).  TSL_EUSAGE for a bad or
 * second name, a dimension of 0, too many columns. */
int tsl_schema_add(struct tsl_schema *s, const char *name, enum tsl_dtype type, bool list,
                   uint32_t ndims, const uint32_t *dims, struct tsl_err *err);
/* The same of what a file says: TSL_EFORMAT, and where, if it is not NULL, stands in front of the
 * message. */
int tsl_schema_take(struct tsl_schema *s, const char *name, enum tsl_dtype type,
                    bool list, uint32_t ndims, const uint32_t *dims, const char *where,
                    struct tsl_err *err);
/* The column of that name, or -1. */
int tsl_schema_find(const struct tsl_schema *s, const char *name);
bool tsl_schema_equal(const struct tsl_schema *a, const struct tsl_schema *b);

/* As a member of an object: [{"name":"ids","type":"u16","list":true}, ...]. */
void tsl_schema_write(const struct tsl_schema *s, const char *key, struct tsl_json *j);
/* name stands in messages.  TSL_EFORMAT. */
int tsl_schema_read(struct tsl_schema *s, const struct tsl_jsonval *v, const char *name,
                    struct tsl_err *err);

static inline size_t tsl_dtype_bytes(enum tsl_dtype t)
{
    static const uint8_t bytes[TSL_NDTYPES] = {
#define X(id, name, size) [id] = size,
        TSL_DTYPES(X)
#undef X
    };
    return bytes[t];
}
const char *tsl_dtype_name(enum tsl_dtype t);
/* -1: there is none of that name. */
int tsl_dtype_of(const char *name);

#endif

/* safetensors.h - tensors with names in one file: what checkpoints and fixtures are made of.
 *
 * Eight bytes of length, a JSON header, the numbers row by row; no alignment, no holes.
 * Source: github.com/huggingface/safetensors, README, "Format": names once only, every byte of
 *   the data belongs to one tensor, a header of at most 100,000,000 bytes.  Like the peer we
 *   ignore members of an entry that we do not know; unlike it we refuse a name given twice.
 * Order: reading, that of the header; writing, the caller's, and the same arrays give the same
 *   bytes.
 * Memory: reading, some 1.5 KiB a tensor and 64 KiB; writing, the header.
 * Threads: a reader has one owner. */
#ifndef TSL_SAFETENSORS_H
#define TSL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* X(enumerator, name in the file, bytes of a number) */
#define TSL_SAFETENSORS_TYPES(X)                                                         \
    X(TSL_ST_F64, "F64", 8)                                                              \
    X(TSL_ST_F32, "F32", 4)                                                              \
    X(TSL_ST_F16, "F16", 2)                                                              \
    X(TSL_ST_BF16, "BF16", 2)                                                            \
    X(TSL_ST_I64, "I64", 8)                                                              \
    X(TSL_ST_I32, "I32", 4)                                                              \
    X(TSL_ST_I16, "I16", 2)                                                              \
    X(TSL_ST_I8, "I8", 1)                                                                \
    X(TSL_ST_U64, "U64", 8)                                                              \
    X(TSL_ST_U32, "U32", 4)                                                              \
    X(TSL_ST_U16, "U16", 2)                                                              \
    X(TSL_ST_U8, "U8", 1)                                                                \
    X(TSL_ST_BOOL, "BOOL", 1)

enum tsl_safetensors_type {
#define X(id, name, size) id,
    TSL_SAFETENSORS_TYPES(X)
#undef X
        TSL_ST_NTYPES
};

enum { TSL_ST_RANK_MAX = 8, TSL_ST_HEADER_MAX = 100000000 };

/* "F32", and 4. */
const char *tsl_safetensors_type_name(enum tsl_safetensors_type type);
size_t tsl_safetensors_type_bytes(enum tsl_safetensors_type type);

/* ---- reading ---- */

struct tsl_safetensors;

/* A tensor of a file; lent for the reader's life. */
struct tsl_safetensors_entry {
    const char *name;
    enum tsl_safetensors_type type;
    unsigned rank; /* 0: one number */
    int64_t dim[TSL_ST_RANK_MAX];
    size_t n;           /* product of dim */
    uint64_t at, bytes; /* where it is in the file */
};

/* Reads and checks the header; the numbers come when they are asked for.  TSL_EIO, TSL_ENOMEM,
 * or TSL_EFORMAT for whatever the format forbids, a type or rank that we do not have, and a NUL
 * in a string. */
int tsl_safetensors_open(struct tsl_safetensors **out, const char *path,
                         struct tsl_err *err);
/* NULL is fine. */
void tsl_safetensors_close(struct tsl_safetensors *s);

size_t tsl_safetensors_count(const struct tsl_safetensors *s);
/* i < count, in the header's order. */
const struct tsl_safetensors_entry *tsl_safetensors_at(const struct tsl_safetensors *s,
                                                       size_t i);
/* NULL: there is none of that name. */
const struct tsl_safetensors_entry *tsl_safetensors_find(const struct tsl_safetensors *s,
                                                         const char *name);
/* The same; not being there is a TSL_EFORMAT that names file and tensor. */
const struct tsl_safetensors_entry *tsl_safetensors_need(const struct tsl_safetensors *s,
                                                         const char *name,
                                                         struct tsl_err *err);

/* The string that the file's __metadata__ has for key, lent for the reader's life; NULL: none. */
const char *tsl_safetensors_meta(const struct tsl_safetensors *s, const char *key);
/* The i-th key in the file's order, and its string; NULL after the last. */
const char *tsl_safetensors_meta_at(const struct tsl_safetensors *s, size_t i,
                                    const char **value);

/* All numbers of e, of s, as doubles or floats (rounded to the nearest) to[e->n]; a BOOL is 0 or
 * 1.  TSL_EIO. */
int tsl_safetensors_read_f64(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, double *to,
                             struct tsl_err *err);
int tsl_safetensors_read_f32(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, float *to,
                             struct tsl_err *err);
/* Whole numbers; TSL_EFORMAT for a type with fractions and for a number that does not fit. */
int tsl_safetensors_read_i32(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, int32_t *to,
                             struct tsl_err *err);
/* The numbers as the file has them, e->bytes of them.  TSL_EIO. */
int tsl_safetensors_read_raw(struct tsl_safetensors *s,
                             const struct tsl_safetensors_entry *e, void *to,
                             struct tsl_err *err);

/* ---- writing ---- */

/* Numbers of the caller's, as they are in memory. */
struct tsl_safetensors_array {
    const char *name;
    enum tsl_safetensors_type type;
    unsigned rank;
    const int64_t *dim; /* rank of them; NULL is fine for rank 0 */
    const void *data;   /* as many numbers as the product of dim */
};

struct tsl_safetensors_string {
    const char *key, *value;
};

/* Writes a whole file, which gets its name when it is on the disk (io/outfile.h).  hash, if not
 * NULL, becomes XXH3-64 of the file.  0; TSL_EUSAGE for a name that is empty, not UTF-8, given
 * twice or __metadata__, and for a dimension below 0 or a rank that is too large; TSL_EIO,
 * TSL_ENOMEM.  On failure there is no new file, and an old one stays. */
int tsl_safetensors_write(const char *path, const struct tsl_safetensors_array *arrays,
                          size_t n, const struct tsl_safetensors_string *meta,
                          size_t nmeta, uint64_t *hash, struct tsl_err *err);

#endif

/* recbatch.h - records that wait for their turn to be written: copies, one after the other.
 *
 * Order: as put.
 * Memory: grows on the heap; reset keeps it.
 * Threads: one owner; handing it on hands on all of it. */
#ifndef TSL_RECBATCH_H
#define TSL_RECBATCH_H

#include "record/record.h"

/* All zero: empty. */
struct tsl_recbatch {
    uint8_t *bytes; /* of each record: u64 number, of each value u32 n and its data */
    size_t len, cap;
    uint64_t n;
};

/* A cursor over it. */
struct tsl_recbatch_at {
    size_t at;
    struct tsl_value values[TSL_COLUMNS_MAX];
};

/* For columns of numbers alone. */
int tsl_recbatch_put(struct tsl_recbatch *b, const struct tsl_schema *s,
                     const struct tsl_record *rec, struct tsl_err *err);
/* The next record; false at the end.  cur all zero before the first.  Lent until put or
 * reset. */
bool tsl_recbatch_next(const struct tsl_recbatch *b, const struct tsl_schema *s,
                       struct tsl_recbatch_at *cur, struct tsl_record *rec);
void tsl_recbatch_reset(struct tsl_recbatch *b);
void tsl_recbatch_fini(struct tsl_recbatch *b);

#endif

/* recids.h - the token ids of a record, for formats that hold nothing else.
 *
 * Memory: none.  Threads: as recout.h. */
#ifndef TSL_RECIDS_H
#define TSL_RECIDS_H

#include "record/recout.h"

/* The column of ids: "ids", "input_ids" or "tokens", or the only one there is; TSL_EUSAGE
 * where there is none, or it holds no whole numbers. */
int tsl_recids_column(const struct tsl_schema *s, struct tsl_err *err);
/* vocab_size of the meta; 0: it does not say. */
uint64_t tsl_recids_vocab(const struct tsl_rechead *head);
/* Does each of v's ids, of type from, fit a number of 2 or 4 bytes as put has it? */
bool tsl_recids_fit(enum tsl_dtype from, const struct tsl_value *v, unsigned bytes);
/* v's ids, of type from, as numbers of 2 or 4 bytes.  TSL_EUSAGE names record and id where
 * one does not fit (4 bytes: 31 bits, which all readers take). */
int tsl_recids_put(struct tsl_recout *o, enum tsl_dtype from, const struct tsl_value *v,
                   unsigned bytes, uint64_t number, struct tsl_err *err);

#endif

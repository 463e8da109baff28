/* rec_jsonl.h - JSON Lines: a record a line, for people, jq, and exchange.
 *
 * Written: see recjson.h; a column json goes in as it is, on one line;
 *   what is no JSON text is refused.
 * Read: plain or compressed.  Columns are what the schema of a manifest says, or else the
 *   members of the first line: whole numbers i64, others f64, true and false bit, strings
 *   str, arrays of one kind of these lists of it ({"base64":...}: bytes), all else json.  A
 *   member that is not there has no value where the column is a list, and is an error where
 *   it is not; a member that the first line did not have is an error.  Whole numbers of 2^63 and
 *   more are read where the manifest or the first line's own number makes a column u64.
 * Memory: the longest line, and what Jansson makes of it.
 * Threads: one owner. */
#ifndef TSL_REC_JSONL_H
#define TSL_REC_JSONL_H

#include "record/record.h"

extern const struct tsl_recformat tsl_rec_jsonl;

#endif

/* recjson.h - records as JSON: for people, for diff, and for the format of that name.
 *
 * A record is one line: an object, its members the columns in order: a number, or an array of
 * them (nested by its dimensions), strings as strings, json as it is (with blanks where lines
 * end in it), bits as 0 and 1, numbers
 * that are not finite as null.  JSON's strings cannot hold any bytes: a value of a column of
 * bytes is {"base64":"..."}.  Floats have as many digits as tell them from their neighbours.
 * Memory: none; the caller's buffer has room for the bound.
 * Threads: pure functions. */
#ifndef TSL_RECJSON_H
#define TSL_RECJSON_H

#include "record/record.h"

/* Bytes that the record may take, at most. */
size_t tsl_recjson_bound(const struct tsl_schema *s, const struct tsl_record *rec);
/* Are its values of type json JSON texts, as they come from anywhere?  TSL_EFORMAT names record
 * and column of one that is not. */
int tsl_recjson_check(const struct tsl_schema *s, const struct tsl_record *rec,
                      struct tsl_err *err);
/* Writes it, on one line, without a newline: where it ends. */
char *tsl_recjson_write(char *p, const struct tsl_schema *s,
                        const struct tsl_record *rec);

/* n numbers of type t at v with commas between; each takes at most TSL_RECJSON_NUMBER. */
enum { TSL_RECJSON_NUMBER = 28 };
char *tsl_recjson_numbers(char *p, enum tsl_dtype t, const void *v, size_t n);

#endif

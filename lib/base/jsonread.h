/* jsonread.h - a JSON reader: a whole text becomes a tree of values.  The only includer of
 * jansson.h.
 *
 * Order: members in file order; of a key given twice the last value counts, at the first
 * one's place (as serde_json and Python have it).
 * Memory: jansson's, some 100 bytes a value; nesting deeper than 2048 is refused.
 * Threads: a document is read-only once parsed. */
#ifndef TSL_JSONREAD_H
#define TSL_JSONREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_jsonread; /* a document: owns all of its values */
struct tsl_jsonval;  /* one value, lent for the document's life */

enum tsl_jsonread_kind {
    TSL_JSON_NONE, /* no value at all (a NULL pointer) */
    TSL_JSON_NULL,
    TSL_JSON_BOOL,
    TSL_JSON_INT, /* fits in int64; a larger one is an error when it is parsed */
    TSL_JSON_DOUBLE,
    TSL_JSON_STRING,
    TSL_JSON_ARRAY,
    TSL_JSON_OBJECT
};

/* name stands in messages, which tell line, column and byte.  Strings may hold NUL; keys
 * may not.  TSL_EFORMAT for all that is not JSON, numbers out of range included. */
int tsl_jsonread_parse(struct tsl_jsonread **doc, struct tsl_slice text, const char *name,
                       struct tsl_err *err);
/* The same; a key that an object has twice is TSL_EFORMAT. */
int tsl_jsonread_parse_unique(struct tsl_jsonread **doc, struct tsl_slice text,
                              const char *name, struct tsl_err *err);
void tsl_jsonread_destroy(struct tsl_jsonread *doc);
const struct tsl_jsonval *tsl_jsonread_root(const struct tsl_jsonread *doc);

/* v may be NULL: TSL_JSON_NONE. */
enum tsl_jsonread_kind tsl_jsonread_kind(const struct tsl_jsonval *v);
/* For messages: "an object", "a string", "nothing". */
const char *tsl_jsonread_kind_name(const struct tsl_jsonval *v);

/* The member; NULL where there is none, or v is no object. */
const struct tsl_jsonval *tsl_jsonread_get(const struct tsl_jsonval *v, const char *key);

struct tsl_jsonread_member {
    struct tsl_slice key;
    const struct tsl_jsonval *value;
    void *at; /* ours */
};
/* false after the last member, or where v is no object.  *m is zeroed before the first
 * call. */
bool tsl_jsonread_next(const struct tsl_jsonval *v, struct tsl_jsonread_member *m);

/* Items of an array or members of an object; 0 for all else. */
size_t tsl_jsonread_size(const struct tsl_jsonval *v);
/* NULL beyond the end, or where v is no array. */
const struct tsl_jsonval *tsl_jsonread_at(const struct tsl_jsonval *v, size_t i);

/* Each sets *out and returns true where v is of that kind, else leaves *out alone. */
bool tsl_jsonread_str(const struct tsl_jsonval *v, struct tsl_slice *out);
bool tsl_jsonread_int(const struct tsl_jsonval *v, int64_t *out);
bool tsl_jsonread_num(const struct tsl_jsonval *v, double *out); /* integers, too */
bool tsl_jsonread_bool(const struct tsl_jsonval *v, bool *out);

/* The value as JSON again, on one line, members in their order, every number the same; on the
 * heap, NULL and err where memory ran out. */
char *tsl_jsonread_text(const struct tsl_jsonval *v, struct tsl_err *err);

#endif

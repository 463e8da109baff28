/* jsonl.h - fields of one line of JSON Lines, found without building a tree.
 *
 * A line is refused where jansson refuses it (RFC 8259, strict UTF-8, no lone surrogates,
 * integers of 64 bits, reals that are finite, at most 2048 values deep, no NUL outside
 * strings), so that a corpus means the same to every reader; but a NUL in a key is taken.
 * Of a key given twice the last counts, as there.  tests/fuzz/fuzz_jsonl.c compares the two.
 * Order: as asked for.
 * Memory: none to find; decoding needs room for as many bytes as the string's raw form.
 * Threads: pure functions. */
#ifndef TSL_JSONL_H
#define TSL_JSONL_H

#include <stdbool.h>

#include "base/err.h"
#include "base/slice.h"

enum { TSL_JSONL_KEYS = 8, TSL_JSONL_PATHS = 4, TSL_JSONL_DEPTH = 2048 };

/* Which field: keys from the outside in. */
struct tsl_jsonl_path {
    const char *spec; /* lent */
    struct tsl_slice keys[TSL_JSONL_KEYS];
    size_t nkeys;
};

/* spec: "text", or "doc.body.text" for objects inside objects; "\." is a dot within a
 * key.  storage: at least strlen(spec) + 1 bytes, as long-lived as the path. */
int tsl_jsonl_path_init(struct tsl_jsonl_path *p, const char *spec, char *storage,
                        struct tsl_err *err);

enum tsl_jsonl_kind {
    TSL_JSONL_NONE, /* the line has no such field */
    TSL_JSONL_STRING,
    TSL_JSONL_NUMBER,
    TSL_JSONL_LITERAL, /* true, false, null */
    TSL_JSONL_OBJECT,
    TSL_JSONL_ARRAY
};

struct tsl_jsonl_value {
    enum tsl_jsonl_kind kind;
    struct tsl_slice raw; /* as it stands in the line; a string without its quotes */
    bool escaped;         /* a string that must be decoded */
};

/* Checks the whole line, an object or an array, and finds npaths fields of it.  An error
 * (TSL_EFORMAT) begins with "column N: ", bytes counted from 1. */
int tsl_jsonl_find(struct tsl_slice line, const struct tsl_jsonl_path *paths,
                   size_t npaths, struct tsl_jsonl_value *values, struct tsl_err *err);

/* The bytes of a string's raw form that tsl_jsonl_find has checked; returns how many.
 * out: room for raw.len; it may be where raw lies. */
size_t tsl_jsonl_decode(struct tsl_slice raw, uint8_t *out);

/* A number that is a whole one in [0, most]. */
bool tsl_jsonl_u64(const struct tsl_jsonl_value *v, uint64_t most, uint64_t *out);

/* The next whole number of a checked array of numbers: 1 and *out, 0 behind the last, or
 * TSL_EFORMAT for an item that is none in [0, most].  *at: 0 at first. */
int tsl_jsonl_item(struct tsl_slice array, size_t *at, uint64_t most, uint64_t *out,
                   struct tsl_err *err);

#endif

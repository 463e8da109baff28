/* json.h - a JSON writer: into a growing buffer, commas and escapes by itself; and the escapes
 * alone.
 *
 * Bytes that are not UTF-8 are written as U+FFFD: the output is always valid JSON.
 * Memory: grows on the heap; a failed allocation is remembered and told by tsl_json_end.
 * Threads: one owner. */
#ifndef TSL_JSON_H
#define TSL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* s as it stands between the quotes of a JSON string, at p, which has room for
 * TSL_JSON_ESCAPED_MAX bytes for each of its n; returns where it ends.  Of ill-formed UTF-8 each
 * maximal part becomes one U+FFFD.  The one place where strings become JSON. */
enum { TSL_JSON_ESCAPED_MAX = 6 };
char *tsl_json_escape(char *p, const uint8_t *s, size_t n);

/* Is s one JSON text, by RFC 8259, nested by at most 2048?  Numbers may have any size. */
bool tsl_json_is(struct tsl_slice s);

/* All zero: empty. */
struct tsl_json {
    char *text;
    size_t len, cap; /* bytes */
    bool comma, failed;
};

/* Begins an object ('{') or an array ('['), and ends it ('}' or ']').  key: the member's
 * name; NULL inside an array and for the outermost value. */
void tsl_json_open(struct tsl_json *j, const char *key, char bracket);
void tsl_json_close(struct tsl_json *j, char bracket);

/* One member, or with key NULL one item of an array.  num: of six digits, for what was measured;
 * exact: of as many as give the same double back, for what is read again.  Both: null when not
 * finite. */
void tsl_json_str(struct tsl_json *j, const char *key, const char *value);
void tsl_json_u64(struct tsl_json *j, const char *key, uint64_t value);
void tsl_json_num(struct tsl_json *j, const char *key, double value);
void tsl_json_exact(struct tsl_json *j, const char *key, double value);
void tsl_json_bool(struct tsl_json *j, const char *key, bool value);
void tsl_json_null(struct tsl_json *j, const char *key);

/* The same for texts that may hold any bytes, NUL too: a string, and a member's name with
 * a number. */
void tsl_json_slice(struct tsl_json *j, const char *key, struct tsl_slice value);
void tsl_json_entry(struct tsl_json *j, struct tsl_slice name, uint64_t value);

/* As tsl_json_exact writes it, in to; at least six digits where there are so many.  Returns
 * to. */
enum { TSL_JSON_NUMBER = 32 };
char *tsl_json_shortest(char *to, double value);

/* A value that is JSON already. */
void tsl_json_raw(struct tsl_json *j, const char *key, struct tsl_slice value);

/* Adds a newline and checks that nothing failed: 0 or TSL_ENOMEM.  j->text[0, j->len) is
 * the text until tsl_json_fini. */
int tsl_json_end(struct tsl_json *j, struct tsl_err *err);
/* Frees the text and empties j. */
void tsl_json_fini(struct tsl_json *j);

#endif

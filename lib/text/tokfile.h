/* tokfile.h - what the readers of vocabulary files share: a whole file in memory, lines
 * with numbers, the list of merges.
 *
 * Order: lines and merges as the file has them.
 * Memory: the file, decompressed; at most 1 GiB.
 * Threads: pure, but for the reading. */
#ifndef TSL_TOKFILE_H
#define TSL_TOKFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/quote.h"
#include "base/slice.h"

/* The whole file (decompressed if it is), to be freed with tsl_mem_free; never NULL. */
int tsl_tokfile_read(uint8_t **data, size_t *len, const char *path, struct tsl_err *err);

struct tsl_tokfile_lines {
    struct tsl_slice rest;
    uint64_t number; /* of the line last given, from 1 */
};

/* The next line without its newline (a CR before it stays); false at the end.  What
 * follows the last newline is a line unless it is empty. */
bool tsl_tokfile_line(struct tsl_tokfile_lines *l, struct tsl_slice *line);

/* Bytes of a file for a message: quoted, cut where long. */
struct tsl_quoted tsl_tokfile_quote(struct tsl_slice s);

/* The index of the first byte that is not well-formed UTF-8; s.len where all is. */
size_t tsl_tokfile_utf8_end(struct tsl_slice s);

/* The bytes of padded base64 in out, which has room for s.len / 4 * 3; how many, or -1
 * where s is none or empty. */
int64_t tsl_tokfile_base64(struct tsl_slice s, uint8_t *out);

/* One rule of byte pair encoding: tokens left and right, side by side, become merged.
 * Its rank is its place in the list; of two rules for one pair the later one counts. */
struct tsl_tokfile_merge {
    uint32_t left, right, merged;
};

struct tsl_tokfile_merges {
    struct tsl_tokfile_merge *list;
    size_t n, cap;
};
void tsl_tokfile_merges_fini(struct tsl_tokfile_merges *m);

/* A new file on its way, in memory: writers give it whole, to be freed with tsl_mem_free. */
struct tsl_tokfile_out {
    uint8_t *bytes;
    size_t len, cap;
};
int tsl_tokfile_put(struct tsl_tokfile_out *f, const void *p, size_t n,
                    struct tsl_err *err);
void tsl_tokfile_out_fini(struct tsl_tokfile_out *f);

/* A vocabulary as the writers take it: tokens by id, spelled as the file has them (##ing,
 * Ġthe), the special ones first, then those that a user wants to be one token always. */
struct tsl_tokfile_def {
    const struct tsl_slice *tokens;
    size_t ntokens, nspecials, nsymbols;
    const struct tsl_tokfile_merge *merges; /* by rank */
    size_t nmerges;
};

struct tsl_vocab;

/* Looks up left, right and their concatenation (right without its first skip bytes: a
 * prefix of continuing tokens), and adds the rule.  where: names the place in messages. */
int tsl_tokfile_merges_add(struct tsl_tokfile_merges *m, const struct tsl_vocab *v,
                           struct tsl_slice left, struct tsl_slice right, size_t skip,
                           const char *where, struct tsl_err *err);

#endif

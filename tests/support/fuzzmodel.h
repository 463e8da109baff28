/* fuzzmodel.h - how the fuzz targets of the models read their input: a vocabulary in lines,
 * an empty line, and a piece to encode. */
#ifndef TSL_FUZZMODEL_H
#define TSL_FUZZMODEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "text/tokens.h"
#include "text/tokfile.h"
#include "text/vocab.h"

static inline void must(bool good)
{
    if (!good)
        abort();
}

static inline struct tsl_slice fuzz_str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static inline bool fuzz_is_utf8(struct tsl_slice s)
{
    return tsl_tokfile_utf8_end(s) == s.len;
}

/* The token's id, a new one where it is not there yet. */
static inline uint32_t fuzz_token(struct tsl_vocab *v, struct tsl_slice s)
{
    int64_t id = tsl_vocab_find(v, s);
    if (id >= 0)
        return (uint32_t)id;
    must(tsl_vocab_add(v, tsl_vocab_size(v), s, NULL) == 0);
    return tsl_vocab_size(v) - 1;
}

/* The next line of the vocabulary; false at its end, where the rest is the piece, in memory
 * that ends with it. */
static inline bool fuzz_line(struct tsl_tokfile_lines *l, struct tsl_slice *line)
{
    return tsl_tokfile_line(l, line) && line->len > 0;
}

static inline uint8_t *fuzz_piece(const struct tsl_tokfile_lines *l,
                                  struct tsl_slice *piece)
{
    uint8_t *copy = malloc(l->rest.len ? l->rest.len : 1);
    must(copy != NULL);
    if (l->rest.len)
        memcpy(copy, l->rest.data, l->rest.len);
    *piece = (struct tsl_slice){ copy, l->rest.len };
    return copy;
}

/* Spans lie in the piece. */
static inline void fuzz_check(const struct tsl_tokens *t, struct tsl_slice piece)
{
    for (size_t i = 0; i < t->n; i++)
        must(t->begin[i] <= t->end[i] && t->end[i] <= piece.len);
}

static inline void fuzz_same(const struct tsl_tokens *a, const struct tsl_tokens *b)
{
    must(a->n == b->n);
    for (size_t i = 0; i < a->n; i++)
        must(a->ids[i] == b->ids[i] && a->begin[i] == b->begin[i] &&
             a->end[i] == b->end[i] && a->marks[i] == b->marks[i]);
}

#endif

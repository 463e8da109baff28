/* attention_parts.h - what attention.c and the attention kernels tell each other.
 *
 * Order: of pieces none; within one, as attention.h.
 * Memory: a piece's scratch is its own while it runs.
 * Threads: pieces may run at once. */
#ifndef TSL_ATTENTION_PARTS_H
#define TSL_ATTENTION_PARTS_H

#include "tensor/attention.h"

/* Queries that are worked on together: their scores are what scratch holds.  Sums do not
 * depend on it.  Products are of ATTENTION_SOME at once. */
enum { ATTENTION_SOME = 6, ATTENTION_ROWS = 6 * ATTENTION_SOME };

/* Queries [first, last) of head h of batch row b. */
struct tsl_attention_piece {
    size_t b, h, first, last;
    struct tsl_attention_run *runs; /* room for tq of them */
    float *scratch; /* attention_floats() of them, at a multiple of 64 bytes */
};

static inline size_t attention_up(size_t n, size_t multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}
static inline size_t attention_up16(size_t n)
{
    return attention_up(n, 16);
}
/* Room for the keys: their number is a multiple of sixteen and of ATTENTION_SOME. */
static inline size_t attention_keys(const struct tsl_attention *a)
{
    return attention_up(a->tk, (size_t)8 * ATTENTION_SOME);
}
/* A panel is 16 keys, number by number; 16 floats are left between two, for lines at a power
 * of two from each other would share a set of the cache. */
static inline size_t attention_panel(size_t dim)
{
    return (dim + 1) * 16;
}
/* From a row of scores to the next; likewise not a power of two. */
static inline size_t attention_score_row(const struct tsl_attention *a)
{
    return attention_keys(a) + 16;
}
/* A bit for each key, in words of 64 bits; some more, as rows begin at a multiple of 16. */
static inline size_t attention_kept_floats(const struct tsl_attention *a)
{
    return (a->tk / 64 + 2) * 2;
}
/* Scratch of a piece: all that attention_body.h takes from it. */
static inline size_t attention_floats(const struct tsl_attention *a)
{
    size_t keys = attention_keys(a), panels = keys / 16;
    size_t dim = attention_up16(a->dim), dim_v = attention_up16(a->dim_v);
    return panels * (attention_panel(a->dim) + attention_panel(a->dim_v)) +
           keys * (2 * dim + dim_v) + ATTENTION_ROWS * (2 * dim + 2 * dim_v) +
           ATTENTION_ROWS * 2 * attention_score_row(a) + attention_kept_floats(a);
}

#endif

/* gemm_block.h - what gemm.c and its kernels (gemm_body.h) tell each other.
 *
 * Packed, a matrix is a row of panels.  A panel has so many items (columns of b, rows of a) side
 * by side for the first k, then for the next: [k][items].
 * Order: none.
 * Memory: the caller's.
 * Threads: nothing but types. */
#ifndef TSL_GEMM_BLOCK_H
#define TSL_GEMM_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to be packed: element (line, item) is from[line * .line + item * .item]. */
struct tsl_gemm_source {
    const float *from;
    ptrdiff_t line, item;
    size_t lines, items;
    size_t width; /* of a panel */
    size_t panel; /* floats from a panel to the next, at least lines * width */
    size_t unit;  /* the last panel is filled up with zeros to a multiple of this */
    bool bf16;
};

/* Lines of memory that come next, to be fetched into the second level of caches meanwhile, one
 * after the other.  Where there is nothing left, the same again and again. */
struct tsl_gemm_fetch {
    uintptr_t at, end, line; /* of this line: where fetching is, its end and its begin */
    ptrdiff_t step;          /* to the next line; all in bytes */
    size_t lines;
    const struct tsl_gemm_fetch *then; /* what follows, or NULL */
};

/* Some rows and columns of c, and a part of their chains. */
struct tsl_gemm_block {
    size_t m, n, k;
    const float *a; /* packed or not: rows of a panel are a_row apart, panels a_panel */
    ptrdiff_t a_row, a_col, a_panel;
    const float *b; /* packed */
    size_t b_panel;
    float *c;
    ptrdiff_t c_row;
    bool from_c; /* c gets the chains added */
    /* The last part: what follows the chains. */
    const float *bias;
    void (*after)(float *y, const float *x, size_t n); /* NULL: nothing */
    float *before;
    ptrdiff_t before_row;
    /* What to fetch into the second level of caches meanwhile.  Packed a: what is packed next;
     * else two rows of the panel of a that comes, for each tile the next two.  In bytes. */
    struct tsl_gemm_fetch *fetch;
    ptrdiff_t next_tile, next_other;
};

#endif

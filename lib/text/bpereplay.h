/* bpereplay.h - merges that were found, done once more on words that were not at hand.
 *
 * Order: as the merges were added; a pair that was added again is merged again, where it
 *   came up since.
 * Memory: some 16 to 32 bytes a merge, 24 a symbol of the longest word.
 * Threads: tsl_bpereplay_apply by many at once, each with its own scratch. */
#ifndef TSL_BPEREPLAY_H
#define TSL_BPEREPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tsl_bpereplay_merge {
    uint32_t left, right, id;
    uint32_t again; /* the same pair's next merge; UINT32_MAX: none */
};

/* All zero: empty. */
struct tsl_bpereplay {
    struct tsl_bpereplay_merge *merge;
    size_t n, cap;
    uint32_t *slots; /* of a hash table of merges + 1: each pair's first */
    size_t mask;
};

struct tsl_bpereplay_scratch {
    uint32_t *rank, *next, *back;
    uint64_t *heap;
    size_t cap, nheap, heap_cap;
};

int tsl_bpereplay_add(struct tsl_bpereplay *r, uint32_t left, uint32_t right, uint32_t id,
                      struct tsl_err *err);
void tsl_bpereplay_clear(struct tsl_bpereplay *r);
void tsl_bpereplay_fini(struct tsl_bpereplay *r);

/* Merges the n symbols where they stand; *n: how many are left. */
int tsl_bpereplay_apply(const struct tsl_bpereplay *r, struct tsl_bpereplay_scratch *s,
                        uint32_t *ids, size_t *n, struct tsl_err *err);
void tsl_bpereplay_scratch_fini(struct tsl_bpereplay_scratch *s);

#endif

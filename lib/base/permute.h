/* permute.h - the numbers of a range in a random order that needs no memory: which one stands
 * at any position is computed alone.
 *
 * Order: the permutation that a Feistel network of 12 keyed rounds makes of the positions
 *   (Luby and Rackoff 1988; walked until it falls inside the range, Black and Rogaway
 *   2002).
 * Memory: none.  Threads: pure functions. */
#ifndef TSL_PERMUTE_H
#define TSL_PERMUTE_H

#include "base/key.h"

/* A permutation of [0, n). */
struct tsl_permute {
    struct tsl_key key;
    uint64_t n;
    unsigned left_bits, right_bits;
};

/* n > 0; purpose: as tsl_key_make has it. */
struct tsl_permute tsl_permute_make(uint64_t seed, const char *purpose, uint64_t n);
/* The order of records in one epoch: what `crec order` tells and every reader of ours
 * follows. */
struct tsl_permute tsl_permute_epoch(uint64_t seed, uint64_t epoch, uint64_t n);
/* The number in [0, n) that stands at position i < n. */
uint64_t tsl_permute_at(const struct tsl_permute *p, uint64_t i);

#endif

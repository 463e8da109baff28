/* datamix.h - which of several data sets the sample at a position of a run comes from, and how
 * many that set has given before.
 *
 * The sets stand at the leaves of a balanced tree, and a node deals the positions that reach it
 * to its two sides by their weights: of q positions the left one has had round(q * left / both).
 * So any position is found alone, each set has its exact share of every stretch of as many
 * positions as the weights' sum that begins at a multiple of it, and elsewhere is never off by
 * more than one position for each level of the tree.
 * Order: a pure function of weights and position; the same for every seed.
 * Memory: 8 bytes a set.
 * Threads: read-only once made. */
#ifndef TSL_DATAMIX_H
#define TSL_DATAMIX_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tsl_datamix {
    uint64_t *sums; /* [n + 1]: the weights before each set */
    size_t n;
};

/* n > 0 sets.  TSL_EUSAGE where no weight is more than 0, or their sum is 2^63 or more. */
int tsl_datamix_init(struct tsl_datamix *m, const uint64_t *weights, size_t n,
                     struct tsl_err *err);
void tsl_datamix_fini(struct tsl_datamix *m);

/* The set that position (below 2^63) draws from; *turn: how many positions before it drew from
 * that set, too. */
size_t tsl_datamix_at(const struct tsl_datamix *m, uint64_t position, uint64_t *turn);

#endif

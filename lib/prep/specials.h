/* specials.h - is an id one that no objective may mask or draw?  One comparison for most
 * ids of a vocabulary whose specials lie at its ends, as they do.
 *
 * Memory: one bit an id.  Threads: read-only once made. */
#ifndef TSL_SPECIALS_H
#define TSL_SPECIALS_H

#include "prep/sample.h"

struct tsl_specials {
    uint8_t *bits;
    uint32_t low, high; /* all specials are below low, or high and above */
    uint32_t vocab_size, nfree;
};

/* The ids that special names, and its reserved ones; beyond the vocabulary all are. */
int tsl_specials_init(struct tsl_specials *x, const struct tsl_special_ids *special,
                      struct tsl_err *err);
void tsl_specials_fini(struct tsl_specials *x);

static inline bool tsl_specials_has(const struct tsl_specials *x, uint32_t id)
{
    if (id >= x->low && id < x->high)
        return false;
    return id >= x->vocab_size || (x->bits[id / 8] >> (id % 8) & 1);
}

/* Bit i of set: ids[i] is special. [(n + 63) / 64] */
void tsl_specials_find(const struct tsl_specials *x, const uint32_t *ids, uint32_t n,
                       uint64_t *set);

#endif

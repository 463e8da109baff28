/* samplestore.h - all samples of a data set in memory, any of them at any time: for sets that
 * are small, and for formats in which no record can be picked.
 *
 * Order: as put.
 * Memory: a sample's tokens, 2 bytes each where 16 bits hold them all, else 4; word starts a
 *   byte each where they are kept; its other numbers; 48 bytes beside it.  Grows by half.
 * Threads: put has one owner; then get may be called by many. */
#ifndef TSL_SAMPLESTORE_H
#define TSL_SAMPLESTORE_H

#include "prep/sample.h"

/* All zero: empty. */
struct tsl_samplestore {
    uint8_t *bytes;
    size_t len, cap;
    uint64_t *at; /* where each begins */
    size_t n, at_cap;
    bool starts; /* they are kept; else every token starts a word */
};

int tsl_samplestore_put(struct tsl_samplestore *p, const struct tsl_sample *s,
                        struct tsl_err *err);
/* Sample i < n; s, which init made, grows as need be. */
int tsl_samplestore_get(const struct tsl_samplestore *p, size_t i, struct tsl_sample *s,
                        struct tsl_err *err);
uint64_t tsl_samplestore_bytes(const struct tsl_samplestore *p);
void tsl_samplestore_fini(struct tsl_samplestore *p);

#endif

/* sample.h - one training sample, before and after masking, and the ids that have a meaning.
 *
 * Every objective is a pure function of (seed, epoch, the sample's address): what it draws
 * comes from base/key.h with a purpose of its own and these numbers as the index, never from
 * a generator that somebody advanced.
 * Memory: the arrays have room for cap tokens and are the caller's; nothing is allocated per
 *   sample.
 * Threads: a sample has one owner. */
#ifndef TSL_SAMPLE_H
#define TSL_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What a vocabulary says beside its size; -1: there is none. */
struct tsl_special_ids {
    int64_t pad, unk, cls, sep, mask, bos, eos;
    /* One bit an id (bit i % 8 of byte i / 8): never drawn as a random replacement, never
     * chosen for masking.  NULL: only the ids above. */
    const uint8_t *reserved;
    uint32_t vocab_size;
};

enum { TSL_SAMPLE_NO_LABEL = 255 };

struct tsl_sample {
    uint64_t address; /* its number in the whole set: what randomness is keyed by */
    uint32_t *ids;    /* [n]: specials included, padding not */
    uint8_t *starts;  /* [n]: 1 where a word starts, and at specials */
    uint32_t n;
    uint32_t
        first; /* tokens of the first segment, its specials included; n: there is one */
    uint8_t label; /* nsp: 1 random next; sop: 1 swapped; else TSL_SAMPLE_NO_LABEL */
    /* what masking adds: places ascending, and what stood there */
    uint32_t *places, *targets; /* [nmasked] */
    uint32_t nmasked;
    uint32_t cap; /* of each array */
};

/* Allocates the arrays, 0 or TSL_ENOMEM; fini frees them. */
int tsl_sample_init(struct tsl_sample *s, uint32_t cap, struct tsl_err *err);
void tsl_sample_fini(struct tsl_sample *s);

#endif

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
#include <string.h>

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

/* Places must fit into 16 bits and bitmaps on the stack: no objective makes longer ones. */
enum { TSL_SAMPLE_TOKENS_MAX = 65536 };

/* Which tokens a token may attend to: a rule, never a matrix. */
enum tsl_sample_kind {
    TSL_SAMPLE_BOTH_WAYS, /* all of them (of its piece, where there are pieces) */
    TSL_SAMPLE_LEFT_TO_RIGHT,
    TSL_SAMPLE_RIGHT_TO_LEFT,
    TSL_SAMPLE_PREFIX /* the first prefix ones and those before it */
};

struct tsl_sample {
    uint64_t address; /* its number in the whole set: what randomness is keyed by */
    uint32_t *ids;    /* [n]: specials included, padding not */
    uint8_t *starts;  /* [n]: 1 where a word starts, and at specials */
    uint32_t n;
    uint32_t first;  /* tokens of the first segment with its specials; n: there is one */
    uint8_t label;   /* nsp: 1 random next; sop: 1 swapped; else TSL_SAMPLE_NO_LABEL */
    uint8_t kind;    /* enum tsl_sample_kind */
    uint32_t prefix; /* of TSL_SAMPLE_PREFIX */
    /* what masking adds: places ascending, and what stood there */
    uint32_t *places, *targets; /* [nmasked] */
    uint32_t nmasked;
    /* packing: where each document's piece ends, the last at n; nends 0: one piece */
    uint32_t *ends; /* [nends] */
    uint32_t nends;
    /* positions[i] is token i's where has_positions, else it is i */
    uint32_t *positions; /* [n] */
    bool has_positions;
    /* span corruption: what the decoder is to say */
    uint32_t *outs; /* [nouts] */
    uint32_t nouts;
    uint32_t cap; /* of each array */
};

/* Allocates the arrays, 0 or TSL_ENOMEM; fini frees them. */
int tsl_sample_init(struct tsl_sample *s, uint32_t cap, struct tsl_err *err);
void tsl_sample_fini(struct tsl_sample *s);

/* Empty but for its address: no tokens, masks, pieces or label. */
void tsl_sample_clear(struct tsl_sample *s, uint64_t address);

/* A stretch of a document, or one special token, behind what there is; there must be
 * room. */
static inline void tsl_sample_add(struct tsl_sample *s, const uint32_t *ids,
                                  const uint8_t *starts, size_t n)
{
    memcpy(s->ids + s->n, ids, n * sizeof *ids);
    memcpy(s->starts + s->n, starts, n);
    s->n += (uint32_t)n;
}

static inline void tsl_sample_add_special(struct tsl_sample *s, uint32_t id)
{
    s->ids[s->n] = id;
    s->starts[s->n++] = 1;
}

#endif

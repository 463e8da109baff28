/* trie.h - a set of byte strings, walked byte by byte, with a number for each.
 *
 * A double array: one load a byte, and the value comes with it.
 * Order: none.
 * Memory: 8 bytes a node, of which there can be 2^24; while it is built, 64 bytes a key
 * more.
 * Threads: read-only once it is built. */
#ifndef TSL_TRIE_H
#define TSL_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

/* A unit is a node: the byte that leads to it in bits 0 to 7, its base in bits 8 to 31, its
 * value + 1 in bits 32 to 63 (0: no key ends here).  The child for byte c is at base ^ c if
 * the unit there has the byte c.  Bases are unique, so no other parent's child passes. */
struct tsl_trie {
    uint64_t *units; /* the root first; a multiple of 256 of them */
    size_t nunits;
};

enum {
    TSL_TRIE_DEAD = 0, /* a state without value that no byte leads out of */
    TSL_TRIE_NONE = -1
};

/* t is made anew.  Keys are any bytes, in any order; of two that are equal the later one
 * counts.  values: below UINT32_MAX each; NULL: a key's value is its index.
 * Aoe 1989 (An efficient digital search algorithm by using a double-array structure), with
 * exclusive or in place of the sum. */
int tsl_trie_build(struct tsl_trie *t, const struct tsl_slice *keys,
                   const uint32_t *values, size_t n, struct tsl_err *err);
void tsl_trie_fini(struct tsl_trie *t);

/* The state before the first byte. */
static inline uint64_t tsl_trie_root(const struct tsl_trie *t)
{
    return t->units[0];
}

/* true and the next state; false where no key goes on with this byte, and *state stays. */
static inline bool tsl_trie_step(const struct tsl_trie *t, uint64_t *state, uint8_t byte)
{
    uint64_t unit = t->units[(uint32_t)*state >> 8 ^ byte];
    if ((uint8_t)unit != byte)
        return false;
    *state = unit;
    return true;
}

/* The value of the key that ends here, or TSL_TRIE_NONE. */
static inline int64_t tsl_trie_value(const struct tsl_trie *t, uint64_t state)
{
    (void)t;
    return (int64_t)(state >> 32) - 1;
}

/* true: no key goes on from here. */
static inline bool tsl_trie_is_leaf(uint64_t state)
{
    return (uint32_t)state >> 8 == 0;
}

/* The state after all bytes of s, or TSL_TRIE_DEAD. */
uint64_t tsl_trie_walk(const struct tsl_trie *t, uint64_t state, struct tsl_slice s);

/* The value of a whole key, or TSL_TRIE_NONE. */
int64_t tsl_trie_find(const struct tsl_trie *t, struct tsl_slice key);

#endif

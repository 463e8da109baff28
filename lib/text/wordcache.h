/* wordcache.h - the ids of words met before: a table of fixed size, two ways, in front of
 * any encoder that goes word by word.
 *
 * A word of up to 15 bytes is its own key: its bytes, zeros, and the length in the last
 * byte, 16 in all, so that finding one is two 64-bit compares.  A slot has 32 bytes, a line
 * of the CPU's cache has the two slots that a word may be in.  Up to three ids lie in the
 * slot, more of them in an array beside it.  A full place is overwritten: what is in the
 * cache never shows in what comes out, only in how soon.
 * Order: none to see: a word is there or not.
 * Memory: what init was given, touched as it is needed: a table that is a quarter full of
 * words grows to four times its size, in its place.
 * Threads: one owner. */
#ifndef TSL_WORDCACHE_H
#define TSL_WORDCACHE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "base/endian.h"
#include "base/err.h"

enum {
    TSL_WORDKEY_MAX = 15,   /* bytes of the longest word that has a key */
    TSL_WORDSLOT_INLINE = 3 /* ids that fit into a slot */
};

__extension__ typedef unsigned __int128 tsl_wordcache_u128;

struct tsl_wordkey {
    uint64_t lo, hi; /* never 0, 0 */
};

struct tsl_wordslot {
    struct tsl_wordkey key;
    uint32_t ids[TSL_WORDSLOT_INLINE]; /* n > 3: ids[0] is a place in wordcache.more */
    uint16_t n;                        /* ids of the word; it may be 0 */
    uint16_t flags;                    /* the owner's */
};

struct tsl_wordcache {
    struct tsl_wordslot *slots;
    uint64_t mask; /* pairs in use - 1: grows, while the slots stay where they are */
    uint64_t mask_max;
    size_t nput; /* since the mask was last set */
    uint32_t *more;
    size_t more_n, more_cap;
    void *pages;
    size_t pages_bytes;
};

/* Takes at most memory bytes (1 MiB or more), and no more than is of use. */
int tsl_wordcache_init(struct tsl_wordcache *c, size_t memory, struct tsl_err *err);
void tsl_wordcache_fini(struct tsl_wordcache *c);

/* Forgets all words. */
void tsl_wordcache_clear(struct tsl_wordcache *c);

/* Remembers that key (with this hash) has n ids, n <= UINT16_MAX.  What slots found
 * before hold may have moved. */
void tsl_wordcache_put(struct tsl_wordcache *c, struct tsl_wordkey key, uint64_t hash,
                       const uint32_t *ids, size_t n, unsigned flags);

/* The key of n bytes at p, 1 <= n <= TSL_WORDKEY_MAX.  Reads 16 bytes at p, whatever
 * follows the word. */
TSL_INLINE struct tsl_wordkey tsl_wordkey_make(const uint8_t *p, size_t n)
{
    static const uint8_t keep[32] = { 255, 255, 255, 255, 255, 255, 255, 255,
                                      255, 255, 255, 255, 255, 255, 255 };
    uint64_t lo, hi, keep_lo, keep_hi;
    memcpy(&lo, p, 8);
    memcpy(&hi, p + 8, 8);
    memcpy(&keep_lo, keep + TSL_WORDKEY_MAX - n, 8);
    memcpy(&keep_hi, keep + TSL_WORDKEY_MAX - n + 8, 8);
    return (struct tsl_wordkey){ lo & keep_lo,
                                 (hi & keep_hi) | TSL_LE64((uint64_t)n << 56) };
}

/* One multiplication of 64 to 128 bits, folded. */
TSL_INLINE uint64_t tsl_wordkey_hash(struct tsl_wordkey k)
{
    tsl_wordcache_u128 p = (tsl_wordcache_u128)(k.lo ^ UINT64_C(0x9e3779b97f4a7c15)) *
                           (k.hi ^ UINT64_C(0xd1b54a32d192ed03));
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

TSL_INLINE void tsl_wordcache_prefetch(const struct tsl_wordcache *c, uint64_t hash)
{
    TSL_PREFETCH(&c->slots[2 * (hash & c->mask)]);
}

/* The one of a pair's slots that has k; NULL: none. */
TSL_INLINE const struct tsl_wordslot *tsl_wordslot_find(const struct tsl_wordslot *pair,
                                                        struct tsl_wordkey k)
{
    if (TSL_LIKELY(((pair[0].key.lo ^ k.lo) | (pair[0].key.hi ^ k.hi)) == 0))
        return pair;
    if (((pair[1].key.lo ^ k.lo) | (pair[1].key.hi ^ k.hi)) == 0)
        return pair + 1;
    return NULL;
}

/* The word's slot, lent until the next put; NULL: not known. */
TSL_INLINE const struct tsl_wordslot *
tsl_wordcache_find(const struct tsl_wordcache *c, struct tsl_wordkey k, uint64_t hash)
{
    return tsl_wordslot_find(&c->slots[2 * (hash & c->mask)], k);
}

/* The slot's n ids. */
TSL_INLINE const uint32_t *tsl_wordcache_ids(const struct tsl_wordcache *c,
                                             const struct tsl_wordslot *s)
{
    return s->n <= TSL_WORDSLOT_INLINE ? s->ids : c->more + s->ids[0];
}

#endif

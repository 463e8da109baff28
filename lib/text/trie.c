#include "text/trie.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"

enum {
    BLOCK = 256,        /* units that the children of one node may be in */
    BLOCKS_MAX = 65536, /* bases have 24 bits */
    WORDS = BLOCK / 64,
    /* Blocks that are tried for a place; older ones keep their holes.  32 fill 99 % of the
     * units with the vocabularies of BERT and cl100k. */
    OPEN = 32
};

struct key {
    const uint8_t *data;
    size_t len;
    uint32_t value, index;
};

struct block {
    uint64_t used[WORDS];  /* units that are nodes */
    uint64_t bases[WORDS]; /* bases that are taken */
    unsigned nfree;
};

/* A node whose children have no place yet: keys [lo, hi) share its first depth bytes. */
struct node {
    size_t lo, hi, depth;
    uint32_t unit;
};

struct builder {
    struct key *keys;
    struct block *blocks;
    size_t nblocks, blocks_cap, units_cap;
    uint64_t *units;
    uint32_t open[OPEN];
    unsigned nopen;
    struct node *stack; /* disjoint ranges of keys: never more than keys */
    size_t nstack, stack_cap;
};

/* ---- keys in order ------------------------------------------------------------------- */

/* A key's first bytes, as a number: nearly all that sorting looks at. */
struct head {
    uint64_t bytes;
    uint32_t index;
};

static int compare(const void *x, const void *y)
{
    const struct key *a = x, *b = y;
    size_t n = a->len < b->len ? a->len : b->len;
    int c = n ? memcmp(a->data, b->data, n) : 0;
    if (c)
        return c;
    if (a->len != b->len)
        return a->len < b->len ? -1 : 1;
    return a->index < b->index ? -1 : 1;
}

/* Zeros stand for what is not there: where two heads differ, so do the keys. */
static uint64_t head_of(struct tsl_slice s)
{
    uint64_t head = 0;
    if (s.len >= 8)
        return __builtin_bswap64(tsl_load64(s.data)); /* the first byte on top */
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < s.len ? s.data[i] : 0);
    return head;
}

/* Byte by byte from the last one; spare has room for n, too.  Returns where they are. */
static struct head *sort_heads(struct head *from, struct head *spare, size_t n)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        size_t at[257] = { 0 };
        for (size_t i = 0; i < n; i++)
            at[(from[i].bytes >> shift & 255) + 1]++;
        if (n && at[(from[0].bytes >> shift & 255) + 1] == n)
            continue; /* the same in all */
        for (size_t b = 1; b < 256; b++)
            at[b] += at[b - 1];
        for (size_t i = 0; i < n; i++)
            spare[at[from[i].bytes >> shift & 255]++] = from[i];
        struct head *sorted = spare;
        spare = from;
        from = sorted;
    }
    return from;
}

/* Sets sorted[0, n): by bytes, of equal keys the later one last. */
static int sort_keys(struct key *sorted, const struct tsl_slice *keys,
                     const uint32_t *values, size_t n, struct tsl_err *err)
{
    struct head *room = tsl_mem_alloc(2 * n, sizeof *room, "a trie", err);
    if (!room)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        room[i] = (struct head){ head_of(keys[i]), (uint32_t)i };
    const struct head *heads = sort_heads(room, room + n, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t k = heads[i].index;
        sorted[i] = (struct key){ keys[k].data, keys[k].len, values ? values[k] : k, k };
    }
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && heads[end].bytes == heads[i].bytes;)
            end++;
        if (end - i > 1)
            qsort(sorted + i, end - i, sizeof *sorted, compare);
    }
    tsl_mem_free(room);
    return 0;
}

/* ---- places ---------------------------------------------------------------------------- */

/* The bits of a block's 256 units. */
typedef uint64_t bits256 __attribute__((vector_size(32)));

/* Of *bits keeps those whose place i ^ by is in *from. */
static inline void keep_exchanged(bits256 *bits, const bits256 *from, unsigned by)
{
    bits256 w = *from;
    if (by & 1)
        w = (w >> 1 & UINT64_C(0x5555555555555555)) | (w & UINT64_C(0x5555555555555555))
                                                          << 1;
    if (by & 2)
        w = (w >> 2 & UINT64_C(0x3333333333333333)) | (w & UINT64_C(0x3333333333333333))
                                                          << 2;
    if (by & 4)
        w = (w >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (w & UINT64_C(0x0f0f0f0f0f0f0f0f))
                                                          << 4;
    if (by & 8)
        w = (w >> 8 & UINT64_C(0x00ff00ff00ff00ff)) | (w & UINT64_C(0x00ff00ff00ff00ff))
                                                          << 8;
    if (by & 16)
        w = (w >> 16 & UINT64_C(0x0000ffff0000ffff)) | (w & UINT64_C(0x0000ffff0000ffff))
                                                           << 16;
    if (by & 32)
        w = w >> 32 | w << 32;
    if (by & 64)
        w = (bits256){ w[1], w[0], w[3], w[2] };
    if (by & 128)
        w = (bits256){ w[2], w[3], w[0], w[1] };
    *bits &= w;
}

static void bit_set(uint64_t *bits, unsigned i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

static bool bit_is_set(const uint64_t *bits, unsigned i)
{
    return bits[i >> 6] >> (i & 63) & 1;
}

/* A base in the block where the label falls on a free unit; -1: none. */
static int block_fits_one(const struct block *b, uint8_t label)
{
    for (unsigned w = 0; w < WORDS; w++)
        for (uint64_t left = ~b->used[w]; left; left &= left - 1) {
            unsigned base = (w * 64 + (unsigned)__builtin_ctzll(left)) ^ label;
            if (!bit_is_set(b->bases, base))
                return (int)base;
        }
    return -1;
}

/* A base in the block where all labels fall on free units; -1: none. */
static int block_fits(const struct block *b, const uint8_t *labels, size_t n)
{
    bits256 used, fits;
    if (n == 1)
        return block_fits_one(b, *labels);
    memcpy(&used, b->used, sizeof used);
    memcpy(&fits, b->bases, sizeof fits);
    used = ~used;
    fits = ~fits;
    for (size_t i = 0; i < n; i++) {
        keep_exchanged(&fits, &used, labels[i]);
        if (!(fits[0] | fits[1] | fits[2] | fits[3]))
            return -1;
    }
    for (int w = 0; w < WORDS; w++)
        if (fits[w])
            return w * 64 + __builtin_ctzll(fits[w]);
    return -1;
}

static int block_add(struct builder *b, struct tsl_err *err)
{
    if (b->nblocks == BLOCKS_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "a vocabulary that needs more than %d nodes",
                           BLOCKS_MAX * BLOCK);
    int rc = tsl_mem_grow(&b->blocks, &b->blocks_cap, b->nblocks + 1, sizeof *b->blocks,
                          "a trie", err);
    if (rc == 0)
        rc = tsl_mem_grow(&b->units, &b->units_cap, (b->nblocks + 1) * BLOCK,
                          sizeof *b->units, "a trie", err);
    if (rc < 0)
        return rc;
    if (b->nopen == OPEN)
        memmove(b->open, b->open + 1, --b->nopen * sizeof *b->open);
    b->open[b->nopen++] = (uint32_t)b->nblocks;
    memset(&b->units[b->nblocks * BLOCK], 0, BLOCK * sizeof *b->units);
    b->blocks[b->nblocks++] = (struct block){ .nfree = BLOCK };
    return 0;
}

/* A base for a node at unit that has these labels; the block of the node itself is tried
 * first, so that a walk stays on few pages. */
static int place(struct builder *b, uint32_t unit, const uint8_t *labels, size_t n,
                 uint32_t *base, struct tsl_err *err)
{
    uint32_t at = unit / BLOCK;
    int low = b->blocks[at].nfree < n ? -1 : block_fits(&b->blocks[at], labels, n);
    for (unsigned i = 0; low < 0 && i < b->nopen; i++) {
        at = b->open[i];
        if (b->blocks[at].nfree >= n)
            low = block_fits(&b->blocks[at], labels, n);
    }
    if (low < 0) {
        int rc = block_add(b, err);
        if (rc < 0)
            return rc;
        at = (uint32_t)b->nblocks - 1;
        low = block_fits(&b->blocks[at], labels, n);
    }
    struct block *k = &b->blocks[at];
    bit_set(k->bases, (unsigned)low);
    for (size_t i = 0; i < n; i++)
        bit_set(k->used, (unsigned)low ^ labels[i]);
    k->nfree -= (unsigned)n;
    if (k->nfree == 0)
        for (unsigned i = 0; i < b->nopen; i++)
            if (b->open[i] == at) {
                memmove(b->open + i, b->open + i + 1, (--b->nopen - i) * sizeof *b->open);
                break;
            }
    *base = at * BLOCK + (uint32_t)low;
    return 0;
}

static void set_value(struct builder *b, uint32_t unit, const struct key *k)
{
    b->units[unit] = (b->units[unit] & UINT32_MAX) | ((uint64_t)k->value + 1) << 32;
}

/* What is left of a key that shares it with no other. */
static int expand_tail(struct builder *b, struct node node, struct tsl_err *err)
{
    const struct key *k = &b->keys[node.lo];
    for (; node.depth < k->len; node.depth++) {
        uint8_t label = k->data[node.depth];
        uint32_t base;
        int rc = place(b, node.unit, &label, 1, &base, err);
        if (rc < 0)
            return rc;
        b->units[node.unit] |= (uint64_t)base << 8;
        node.unit = base ^ label;
        b->units[node.unit] = label;
    }
    set_value(b, node.unit, k);
    return 0;
}

/* Gives a node its value and its children their places. */
static int expand(struct builder *b, struct node node, struct tsl_err *err)
{
    uint8_t labels[256];
    size_t ends[256], n = 0, i = node.lo;
    if (node.hi - node.lo == 1)
        return expand_tail(b, node, err);
    for (; i < node.hi && b->keys[i].len == node.depth; i++)
        set_value(b, node.unit, &b->keys[i]);
    node.lo = i;
    while (i < node.hi) {
        uint8_t c = b->keys[i].data[node.depth];
        while (i < node.hi && b->keys[i].data[node.depth] == c)
            i++;
        labels[n] = c;
        ends[n++] = i;
    }
    if (n == 0)
        return 0; /* base 0 */
    uint32_t base;
    int rc = place(b, node.unit, labels, n, &base, err);
    if (rc == 0)
        rc = tsl_mem_grow(&b->stack, &b->stack_cap, b->nstack + n, sizeof *b->stack,
                          "a trie", err);
    if (rc < 0)
        return rc;
    b->units[node.unit] |= (uint64_t)base << 8;
    for (size_t k = 0; k < n; k++) {
        struct node child = { node.lo, ends[k], node.depth + 1, base ^ labels[k] };
        b->units[child.unit] = labels[k];
        b->stack[b->nstack + n - 1 - k] = child; /* the first child is on top */
        node.lo = ends[k];
    }
    b->nstack += n;
    return 0;
}

/* Gives each unit that is no node a byte that does not lead to it from any base in use. */
static void close_free(struct builder *b)
{
    for (size_t at = 0; at < b->nblocks; at++) {
        struct block *k = &b->blocks[at];
        /* Each base has a child, so where a unit is free, a base is. */
        unsigned base = 0;
        while (base < BLOCK - 1 && bit_is_set(k->bases, base))
            base++;
        if (at == 0)
            base = 1;
        for (unsigned i = 0; i < BLOCK; i++)
            if (!bit_is_set(k->used, i))
                b->units[at * BLOCK + i] = i ^ base;
    }
}

static int build(struct builder *b, size_t n, struct tsl_err *err)
{
    int rc = block_add(b, err);
    if (rc == 0)
        rc = tsl_mem_grow(&b->stack, &b->stack_cap, 1, sizeof *b->stack, "a trie", err);
    if (rc < 0)
        return rc;
    /* Base 0 is that of all leaves and has no child; base 1 is never used, so that free
     * units of the first block and the root can name it. */
    bit_set(b->blocks[0].bases, 0);
    bit_set(b->blocks[0].bases, 1);
    bit_set(b->blocks[0].used, 0);
    b->blocks[0].nfree--;
    b->units[0] = 0 ^ 1;
    b->stack[b->nstack++] = (struct node){ .hi = n };
    while (rc == 0 && b->nstack > 0)
        rc = expand(b, b->stack[--b->nstack], err);
    if (rc == 0)
        close_free(b);
    return rc;
}

int tsl_trie_build(struct tsl_trie *t, const struct tsl_slice *keys,
                   const uint32_t *values, size_t n, struct tsl_err *err)
{
    struct builder b = { 0 };
    int rc = TSL_ENOMEM;
    if (n >= UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "a vocabulary of more than %lu tokens",
                           (unsigned long)UINT32_MAX);
    b.keys = tsl_mem_alloc(n, sizeof *b.keys, "a trie", err);
    if (!b.keys)
        goto out;
    rc = sort_keys(b.keys, keys, values, n, err);
    if (rc == 0)
        rc = build(&b, n, err);
    if (rc < 0)
        goto out;
    *t = (struct tsl_trie){ b.units, b.nblocks * BLOCK };
    b.units = NULL; /* handed over */
out:
    tsl_mem_free(b.keys);
    tsl_mem_free(b.blocks);
    tsl_mem_free(b.stack);
    tsl_mem_free(b.units);
    return rc;
}

void tsl_trie_fini(struct tsl_trie *t)
{
    tsl_mem_free(t->units);
    *t = (struct tsl_trie){ 0 };
}

uint64_t tsl_trie_walk(const struct tsl_trie *t, uint64_t state, struct tsl_slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!tsl_trie_step(t, &state, s.data[i]))
            return TSL_TRIE_DEAD;
    return state;
}

int64_t tsl_trie_find(const struct tsl_trie *t, struct tsl_slice key)
{
    return tsl_trie_value(t, tsl_trie_walk(t, tsl_trie_root(t), key));
}

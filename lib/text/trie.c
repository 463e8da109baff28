#include "text/trie.h"

#include <stdlib.h>
#include <string.h>

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
    uint64_t head; /* the first bytes, as a number: nearly all that sorting looks at */
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

static int compare(const void *x, const void *y)
{
    const struct key *a = x, *b = y;
    if (a->head != b->head)
        return a->head < b->head ? -1 : 1;
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
    for (size_t i = 0; i < 8; i++)
        head = head << 8 | (i < s.len ? s.data[i] : 0);
    return head;
}

/* Bit i of the result is bit i ^ by of w. */
static uint64_t exchange(uint64_t w, unsigned by)
{
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
    return by & 32 ? w >> 32 | w << 32 : w;
}

/* The lowest base in the block where all labels fall on free units; -1: none. */
static int block_fits(const struct block *b, const uint8_t *labels, size_t n)
{
    uint64_t fits[WORDS];
    for (unsigned w = 0; w < WORDS; w++)
        fits[w] = ~b->bases[w];
    for (size_t i = 0; i < n; i++) {
        uint64_t any = 0;
        for (unsigned w = 0; w < WORDS; w++)
            any |= fits[w] &= exchange(~b->used[w ^ labels[i] >> 6], labels[i] & 63);
        if (!any)
            return -1;
    }
    for (unsigned w = 0; w < WORDS; w++)
        if (fits[w])
            return (int)(w * 64 + (unsigned)__builtin_ctzll(fits[w]));
    return -1;
}

static void bit_set(uint64_t *bits, unsigned i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

static bool bit_is_set(const uint64_t *bits, unsigned i)
{
    return bits[i >> 6] >> (i & 63) & 1;
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

/* Gives a node its value and its children their places. */
static int expand(struct builder *b, struct node node, struct tsl_err *err)
{
    uint8_t labels[256];
    size_t ends[256], n = 0, i = node.lo;
    for (; i < node.hi && b->keys[i].len == node.depth; i++)
        b->units[node.unit] =
            (b->units[node.unit] & UINT32_MAX) | ((uint64_t)b->keys[i].value + 1) << 32;
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
    for (size_t i = 0; i < n; i++)
        b.keys[i] = (struct key){ head_of(keys[i]), keys[i].data, keys[i].len,
                                  values ? values[i] : (uint32_t)i, (uint32_t)i };
    qsort(b.keys, n, sizeof *b.keys, compare);
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

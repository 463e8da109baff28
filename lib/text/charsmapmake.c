#include "text/charsmapmake.h"

#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    BLOCK = 256, /* units that the children of one node may be in */
    WORDS = BLOCK / 64,
    OPEN = 16, /* blocks that are tried for a place; older ones keep their holes */
    NONE = -1
};

/* A state of the automaton; equal ones are one. */
struct node {
    uint32_t edges; /* the first of them */
    uint32_t nedges;
    int64_t value; /* NONE: no key ends here */
    uint32_t base; /* 0: it has no place yet */
};

struct edge {
    uint32_t node;
    uint8_t label;
};

struct block {
    uint64_t used[WORDS];  /* units that are taken */
    uint64_t bases[WORDS]; /* bases that are */
};

struct maker {
    const struct tsl_charsmapmake_rule *rules;
    struct node *nodes;
    struct edge *edges;
    size_t nnodes, nodes_cap, nedges, edges_cap;
    uint32_t *table; /* nodes by what they are, + 1; 0: empty */
    size_t mask;
    struct block *blocks;
    size_t nblocks, blocks_cap;
    uint32_t *units;
    size_t units_cap;
};

/* ---- the automaton ---- */

static bool same_node(const struct maker *m, const struct node *a, const struct edge *e,
                      size_t n, int64_t value)
{
    if (a->value != value || a->nedges != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (m->edges[a->edges + i].label != e[i].label ||
            m->edges[a->edges + i].node != e[i].node)
            return false;
    return true;
}

static uint64_t hash_node(const struct edge *e, size_t n, int64_t value)
{
    uint64_t h = tsl_hash64(&value, sizeof value, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = (uint64_t)e[i].node << 8 | e[i].label;
        h = tsl_hash64(&x, sizeof x, h);
    }
    return h;
}

static int grow_table(struct maker *m, struct tsl_err *err)
{
    size_t size = m->mask ? 2 * (m->mask + 1) : 1024;
    uint32_t *table = tsl_mem_alloc(size, sizeof *table, "a character map", err);
    if (!table)
        return TSL_ENOMEM;
    for (size_t i = 0; i < m->nnodes; i++) {
        const struct node *k = &m->nodes[i];
        size_t at = hash_node(m->edges + k->edges, k->nedges, k->value) & (size - 1);
        while (table[at])
            at = (at + 1) & (size - 1);
        table[at] = (uint32_t)i + 1;
    }
    tsl_mem_free(m->table);
    m->table = table;
    m->mask = size - 1;
    return 0;
}

/* The node with these edges and this value, which may be new. */
static int find_node(struct maker *m, const struct edge *e, size_t n, int64_t value,
                     uint32_t *id, struct tsl_err *err)
{
    if (m->nnodes * 2 >= m->mask) {
        int rc = grow_table(m, err);
        if (rc < 0)
            return rc;
    }
    size_t at = hash_node(e, n, value) & m->mask;
    for (; m->table[at]; at = (at + 1) & m->mask)
        if (same_node(m, &m->nodes[m->table[at] - 1], e, n, value)) {
            *id = m->table[at] - 1;
            return 0;
        }
    int rc = tsl_mem_grow(&m->nodes, &m->nodes_cap, m->nnodes + 1, sizeof *m->nodes,
                          "a character map", err);
    if (rc == 0)
        rc = tsl_mem_grow(&m->edges, &m->edges_cap, m->nedges + n + 1, sizeof *m->edges,
                          "a character map", err);
    if (rc < 0)
        return rc;
    memcpy(m->edges + m->nedges, e, n * sizeof *e);
    m->nodes[m->nnodes] = (struct node){ .edges = (uint32_t)m->nedges,
                                         .nedges = (uint32_t)n,
                                         .value = value };
    m->nedges += n;
    *id = (uint32_t)m->nnodes++;
    m->table[at] = *id + 1;
    return 0;
}

/* The node of rules [lo, hi), which share their first depth bytes. */
static int make_node(struct maker *m, size_t lo, size_t hi, size_t depth, uint32_t *id,
                     struct tsl_err *err)
{
    struct edge edges[BLOCK];
    size_t n = 0;
    int64_t value = NONE;
    if (lo < hi && m->rules[lo].from.len == depth)
        value = m->rules[lo++].to;
    while (lo < hi) {
        uint8_t label = m->rules[lo].from.data[depth];
        size_t end = lo;
        while (end < hi && m->rules[end].from.data[depth] == label)
            end++;
        edges[n].label = label;
        int rc = make_node(m, lo, end, depth + 1, &edges[n++].node, err);
        if (rc < 0)
            return rc;
        lo = end;
    }
    return find_node(m, edges, n, value, id, err);
}

/* ---- its places ---- */

static bool get(const uint64_t *bits, unsigned i)
{
    return bits[i >> 6] >> (i & 63) & 1;
}

static void set(uint64_t *bits, unsigned i)
{
    bits[i >> 6] |= UINT64_C(1) << (i & 63);
}

/* The lowest base in b where all labels fall on free units; NONE: there is none.  The last base
 * of a block is no node's: units that stay free get labels that lead there. */
static int fit(const struct block *b, const uint8_t *labels, size_t n)
{
    for (unsigned base = 0; base < BLOCK - 1; base++) {
        size_t i = 0;
        if (get(b->bases, base))
            continue;
        while (i < n && !get(b->used, base ^ labels[i]))
            i++;
        if (i == n)
            return (int)base;
    }
    return NONE;
}

static int add_block(struct maker *m, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&m->blocks, &m->blocks_cap, m->nblocks + 1, sizeof *m->blocks,
                          "a character map", err);
    if (rc == 0)
        rc = tsl_mem_grow(&m->units, &m->units_cap, (m->nblocks + 1) * BLOCK,
                          sizeof *m->units, "a character map", err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < BLOCK; i++)
        m->units[m->nblocks * BLOCK + i] = i ^ (BLOCK - 1);
    m->blocks[m->nblocks] = (struct block){ 0 };
    if (m->nblocks == 0) { /* the root's unit; and base 0 says that a node has none */
        set(m->blocks[0].used, 0);
        set(m->blocks[0].bases, 0);
    }
    m->nblocks++;
    return 0;
}

static int place(struct maker *m, struct node *k, struct tsl_err *err)
{
    uint8_t labels[BLOCK + 1];
    size_t n = 0, at = m->nblocks > OPEN ? m->nblocks - OPEN : 0;
    int base = NONE;
    if (k->value != NONE)
        labels[n++] = 0;
    for (size_t i = 0; i < k->nedges; i++)
        labels[n++] = m->edges[k->edges + i].label;
    for (; at < m->nblocks && base == NONE; at++)
        base = fit(&m->blocks[at], labels, n);
    if (base == NONE) {
        int rc = add_block(m, err);
        if (rc < 0)
            return rc;
        at = m->nblocks;
        base = fit(&m->blocks[at - 1], labels, n);
    }
    struct block *b = &m->blocks[at - 1];
    for (size_t i = 0; i < n; i++)
        set(b->used, (unsigned)base ^ labels[i]);
    set(b->bases, (unsigned)base);
    k->base = (uint32_t)((at - 1) * BLOCK) + (uint32_t)base;
    return 0;
}

/* A unit's way to a base: bits 10 to 30, or with bit 9 set those without their last eight. */
static uint32_t offset_bits(uint32_t offset)
{
    return offset < UINT32_C(1) << 21 ? offset << 10 : offset << 2 | 0x200;
}

/* Gives node id and all that follow their places. */
static int put_node(struct maker *m, uint32_t id, struct tsl_err *err)
{
    int rc = place(m, &m->nodes[id], err);
    for (size_t i = 0; rc == 0 && i < m->nodes[id].nedges; i++) {
        struct edge e = m->edges[m->nodes[id].edges + i];
        uint32_t at = m->nodes[id].base ^ e.label;
        if (m->nodes[e.node].base == 0)
            rc = put_node(m, e.node, err);
        if (rc == 0)
            m->units[at] = offset_bits(m->nodes[e.node].base ^ at) | e.label |
                           (m->nodes[e.node].value != NONE ? 0x100U : 0U);
    }
    if (rc == 0 && m->nodes[id].value != NONE)
        m->units[m->nodes[id].base] = (uint32_t)m->nodes[id].value | UINT32_C(0x80000000);
    return rc;
}

static int write_blob(const struct maker *m, struct tsl_slice pool, uint8_t **blob,
                      size_t *nblob, struct tsl_err *err)
{
    size_t nunits = m->nblocks * BLOCK;
    *nblob = 4 + 4 * nunits + pool.len;
    *blob = tsl_mem_alloc(*nblob, 1, "a character map", err);
    if (!*blob)
        return TSL_ENOMEM;
    tsl_store32(*blob, (uint32_t)(4 * nunits));
    for (size_t i = 0; i < nunits; i++)
        tsl_store32(*blob + 4 + 4 * i, m->units[i]);
    if (pool.len)
        memcpy(*blob + 4 + 4 * nunits, pool.data, pool.len);
    return 0;
}

int tsl_charsmapmake_build(uint8_t **blob, size_t *nblob,
                           const struct tsl_charsmapmake_rule *rules, size_t n,
                           struct tsl_slice pool, struct tsl_err *err)
{
    struct maker m = { .rules = rules };
    uint32_t root;
    int rc = make_node(&m, 0, n, 0, &root, err);
    if (rc == 0)
        rc = add_block(&m, err);
    if (rc == 0)
        rc = put_node(&m, root, err);
    if (rc == 0) {
        m.units[0] = offset_bits(m.nodes[root].base);
        rc = write_blob(&m, pool, blob, nblob, err);
    }
    tsl_mem_free(m.nodes);
    tsl_mem_free(m.edges);
    tsl_mem_free(m.table);
    tsl_mem_free(m.blocks);
    tsl_mem_free(m.units);
    return rc;
}

#include "prep/instlog.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"

enum {
    BLOCK_BITS = 24, /* touched as it fills; large pages, as it is read in any order */
    HEAD_BYTES = 64  /* more than seven numbers and a byte can take */
};

/* an instance's first bits */
enum { LABEL = 1, ONE_DOCUMENT = 2 };

/* A masked place is one byte, (places since the last one) << 2 | what is shown; a gap of
 * FAR or more follows as a number, as does the id of OTHER. */
enum { SHOWS_MASK, SHOWS_OWN, SHOWS_OTHER };
enum { FAR = 63 };
enum { AHEAD = 3 };

struct tsl_instlog {
    struct tsl_special_ids special;
    uint32_t tokens_max;
    uint8_t **blocks;
    size_t nblocks, cap_blocks;
    uint32_t block_bytes, used; /* of the last block */
    uint64_t *order;            /* block << 32 | byte within it */
    size_t n, cap;
};

int tsl_instlog_create(struct tsl_instlog **log, const struct tsl_special_ids *special,
                       uint32_t tokens_max, struct tsl_err *err)
{
    assert(tokens_max <= TSL_SAMPLE_TOKENS_MAX);
    struct tsl_instlog *l = tsl_mem_alloc(1, sizeof *l, "a log of instances", err);
    if (!l)
        return TSL_ENOMEM;
    l->special = *special;
    l->tokens_max = tokens_max;
    l->block_bytes = 1u << BLOCK_BITS;
    if (l->block_bytes < HEAD_BYTES + 16 * tokens_max)
        l->block_bytes = HEAD_BYTES + 16 * tokens_max;
    *log = l;
    return 0;
}

void tsl_instlog_destroy(struct tsl_instlog *log)
{
    if (!log)
        return;
    for (size_t i = 0; i < log->nblocks; i++)
        tsl_pages_unmap(log->blocks[i], log->block_bytes);
    tsl_mem_free(log->blocks);
    tsl_mem_free(log->order);
    tsl_mem_free(log);
}

static uint8_t *put_number(uint8_t *p, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static uint64_t get_number(const uint8_t **p)
{
    uint64_t v = **p & 0x7f;
    for (unsigned shift = 7; *(*p)++ & 0x80; shift += 7)
        v |= (uint64_t)(**p & 0x7f) << shift;
    return v;
}

static uint8_t *put_masks(uint8_t *p, const struct tsl_instance *inst, uint32_t n,
                          uint32_t mask)
{
    uint32_t last = 0;
    for (uint32_t w = 0; w < (n + 63) / 64; w++) {
        for (uint64_t bits = inst->chosen[w]; bits; bits &= bits - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits), gap = i - last;
            uint32_t id = inst->shown[i];
            uint8_t what = id == TSL_INSTANCE_KEPT ? SHOWS_OWN
                           : id == mask            ? SHOWS_MASK
                                                   : SHOWS_OTHER;
            *p++ = (uint8_t)((gap < FAR ? gap : FAR) << 2 | what);
            if (gap >= FAR)
                p = put_number(p, gap);
            if (what == SHOWS_OTHER)
                p = put_number(p, id);
            last = i;
        }
    }
    return p;
}

static int new_block(struct tsl_instlog *l, struct tsl_err *err)
{
    if (tsl_mem_grow(&l->blocks, &l->cap_blocks, l->nblocks + 1, sizeof *l->blocks,
                     "a log of instances", err) < 0)
        return TSL_ENOMEM;
    uint8_t *block = tsl_pages_map(l->block_bytes, "a log of instances", err);
    if (!block)
        return TSL_ENOMEM;
    tsl_pages_want_huge(block, l->block_bytes);
    l->blocks[l->nblocks++] = block;
    l->used = 0;
    return 0;
}

int tsl_instlog_put(struct tsl_instlog *l, const struct tsl_instance *inst,
                    struct tsl_err *err)
{
    uint32_t n = inst->a.len + inst->b.len + 3, nmasks = 0;
    assert(n <= l->tokens_max);
    for (uint32_t w = 0; w < (n + 63) / 64; w++)
        nmasks += (uint32_t)__builtin_popcountll(inst->chosen[w]);
    if ((!l->nblocks || l->block_bytes - l->used < HEAD_BYTES + 11 * nmasks) &&
        new_block(l, err) < 0)
        return TSL_ENOMEM;
    if (tsl_mem_grow(&l->order, &l->cap, l->n + 1, sizeof *l->order,
                     "the order of instances", err) < 0)
        return TSL_ENOMEM;

    uint8_t *block = l->blocks[l->nblocks - 1], *p = block + l->used;
    l->order[l->n++] = (uint64_t)(l->nblocks - 1) << 32 | l->used;
    bool one = inst->a.doc == inst->b.doc;
    *p++ = (uint8_t)((inst->label ? LABEL : 0) | (one ? ONE_DOCUMENT : 0));
    p = put_number(p, inst->a.doc);
    p = put_number(p, inst->a.at);
    p = put_number(p, inst->a.len);
    if (!one)
        p = put_number(p, inst->b.doc);
    p = put_number(p, inst->b.at);
    p = put_number(p, inst->b.len);
    p = put_number(p, nmasks);
    p = put_masks(p, inst, n, (uint32_t)l->special.mask);
    l->used = (uint32_t)(p - block);
    return 0;
}

uint64_t tsl_instlog_count(const struct tsl_instlog *l)
{
    return l->n;
}

uint64_t tsl_instlog_bytes(const struct tsl_instlog *l)
{
    uint64_t full = l->nblocks ? (l->nblocks - 1) * (uint64_t)l->block_bytes : 0;
    return full + l->used + l->cap * sizeof *l->order + l->cap_blocks * sizeof *l->blocks;
}

uint64_t *tsl_instlog_order(struct tsl_instlog *l)
{
    return l->order;
}

static int add_stretch(const struct tsl_stretch *x, const struct tsl_docs *docs,
                       const struct tsl_instlog_starts *starts, struct tsl_sample *s,
                       struct tsl_err *err)
{
    uint32_t *ids = s->ids + s->n;
    uint8_t *to = s->starts + s->n;
    bool lent = starts->wanted && !starts->continues;
    int rc = tsl_docs_copy(docs, x->doc, x->at, x->len, ids, lent ? to : NULL, err);
    if (rc < 0)
        return rc;
    s->n += x->len;
    for (uint32_t i = 0; starts->wanted && !lent && i < x->len; i++)
        to[i] = !(starts->continues[ids[i] / 8] >> (ids[i] % 8) & 1);
    return 0;
}

static void add_masks(const uint8_t *p, uint32_t nmasks, uint32_t mask,
                      struct tsl_sample *s)
{
    uint32_t i = 0;
    for (uint32_t k = 0; k < nmasks; k++) {
        unsigned head = *p++;
        i += head >> 2 < FAR ? head >> 2 : (uint32_t)get_number(&p);
        s->places[k] = i;
        s->targets[k] = s->ids[i];
        if ((head & 3) == SHOWS_MASK)
            s->ids[i] = mask;
        else if ((head & 3) == SHOWS_OTHER)
            s->ids[i] = (uint32_t)get_number(&p);
    }
    s->nmasked = nmasks;
}

static const uint8_t *find(const struct tsl_instlog *l, uint64_t i)
{
    return l->blocks[l->order[i] >> 32] + (uint32_t)l->order[i];
}

/* The two stretches of the instance at *p, which goes on behind them; its first bits. */
static unsigned get_stretches(const uint8_t **p, struct tsl_stretch *a,
                              struct tsl_stretch *b)
{
    unsigned bits = *(*p)++;
    a->doc = b->doc = get_number(p);
    a->at = (uint32_t)get_number(p);
    a->len = (uint32_t)get_number(p);
    if (!(bits & ONE_DOCUMENT))
        b->doc = get_number(p);
    b->at = (uint32_t)get_number(p);
    b->len = (uint32_t)get_number(p);
    return bits;
}

/* Instances are mostly taken one after the other, and what they are made of lies anywhere. */
static void look_ahead(const struct tsl_instlog *l, uint64_t i,
                       const struct tsl_docs *docs)
{
    struct tsl_stretch a, b;
    if (i + 2 * AHEAD >= l->n)
        return;
    const uint8_t *p = find(l, i + 2 * AHEAD);
    TSL_PREFETCH(p);
    TSL_PREFETCH(p + 64);
    if (!docs->soon)
        return;
    p = find(l, i + AHEAD);
    get_stretches(&p, &a, &b);
    docs->soon(docs->ctx, a.doc, a.at, a.len);
    docs->soon(docs->ctx, b.doc, b.at, b.len);
}

int tsl_instlog_at(const struct tsl_instlog *l, uint64_t i, const struct tsl_docs *docs,
                   const struct tsl_instlog_starts *starts, struct tsl_sample *s,
                   struct tsl_err *err)
{
    static const struct tsl_instlog_starts of_docs = { true, NULL };
    assert(i < l->n && s->cap >= l->tokens_max);
    const uint8_t *p = find(l, i);
    starts = starts ? starts : &of_docs;
    look_ahead(l, i, docs);
    struct tsl_stretch a, b;
    unsigned bits = get_stretches(&p, &a, &b);
    uint32_t nmasks = (uint32_t)get_number(&p);
    tsl_sample_clear(s, i);
    tsl_sample_add_special(s, (uint32_t)l->special.cls);
    int rc = add_stretch(&a, docs, starts, s, err);
    if (rc < 0)
        return rc;
    tsl_sample_add_special(s, (uint32_t)l->special.sep);
    s->first = s->n;
    if ((rc = add_stretch(&b, docs, starts, s, err)) < 0)
        return rc;
    tsl_sample_add_special(s, (uint32_t)l->special.sep);
    s->label = bits & LABEL;
    add_masks(p, nmasks, (uint32_t)l->special.mask, s);
    return 0;
}

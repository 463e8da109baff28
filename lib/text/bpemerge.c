#include "text/bpemerge.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/compiler.h"
#include "base/hash.h"
#include "base/mem.h"

/* A slot: an id; a hole, with a length in the first and the last of its symbol; or the end
 * of a word. */
#define HOLE (UINT32_C(1) << 31)
#define WORD_END (HOLE - 1)
#define NONE UINT32_MAX

enum { PAGES_MIN = 4 << 10 /* bytes that an array begins with */ };

/* Slots that a unit has at most: long words are cut, so that a pair in one place costs no
 * scan of all. */
enum { UNIT_SLOTS = 64, HEAP_WIDTH = 4 };

/* How far ahead memory is asked for: pairs of the table, units. */
enum { AHEAD_PAIRS = 8, AHEAD_UNITS = 8, SLOTS_SLACK = 2 + AHEAD_PAIRS };

struct pair {
    uint32_t left, right; /* left NONE: a free place of the table */
    int64_t count;
};

/* Occurrences of a pair that came up in one merge. */
struct batch {
    uint32_t left, right;
    uint64_t begin; /* in the pool */
    uint32_t n;     /* 0: merged */
};

struct entry {
    uint64_t rank; /* the count, or a likelihood's bits: the higher the better */
    uint64_t key;  /* the lower the better */
    uint32_t batch;
};

/* What a merge does to a symbol's pairs: with the merged one to its right (l), to its left
 * (r). */
struct neighbour {
    uint32_t id;
    int64_t lost_l, won_l, lost_r, won_r;
    uint64_t at_l, at_r; /* in the pool */
    uint32_t n_l, n_r;   /* units */
    uint32_t last_l, last_r;
    uint8_t asked_l, asked_r; /* 1: allowed, 2: not */
};

struct tsl_bpemerge {
    struct tsl_bpemerge_opts o;
    uint32_t *slot;
    size_t nslots;
    uint32_t *unit; /* where each begins, and the end */
    uint64_t *unit_count;
    size_t nunits, slots_cap, unit_cap, unit_count_cap;
    uint32_t *words; /* a hash table of words' first units + 1 */
    size_t nwords, words_mask;
    bool partial, over;
    bool merging; /* nothing is refused on the way */

    struct pair *table;
    size_t npairs, table_mask;
    unsigned table_shift;
    struct batch *batch;
    size_t nbatches, batch_cap;
    uint32_t *pool;
    size_t npool, pool_cap;
    struct entry *heap;
    size_t nheap, heap_cap;

    uint32_t *seat; /* by id: its number in nb + 1; 0: this merge has not met it */
    struct neighbour *nb;
    size_t nnb, seat_cap, nb_cap;
    uint32_t *found; /* of one merge: twice nb's number (+ 1: to the right), and unit */
    size_t nfound, found_cap;
    uint64_t merged_count;

    /* For likelihood: counts of symbols, and each symbol's batches, as lists. */
    uint64_t *count;
    uint32_t *list_first; /* by id: a link + 1 */
    struct link {
        uint32_t batch, next;
    } * link;
    size_t nids, ids_cap, first_cap, nlinks, link_cap;

    size_t bytes, peak;
    uint64_t pairs_ever;
};

/* ---- memory ---------------------------------------------------------------------------- */

/* Bytes more, or less, that are held. */
static int charge(struct tsl_bpemerge *m, size_t bytes, struct tsl_err *err)
{
    m->bytes += bytes;
    if (m->bytes > m->peak)
        m->peak = m->bytes;
    if (m->o.memory && m->bytes > m->o.memory) {
        m->over = true;
        if (m->merging)
            return 0;
        return tsl_err_set(err, TSL_ENOMEM,
                           "training takes more than %zu bytes of memory: %zu at least; "
                           "rare words could be left out",
                           m->o.memory, m->bytes);
    }
    return 0;
}

/* As tsl_mem_grow, within the limit, and of pages, that grow without being copied: by an
 * eighth only. */
static int grow(struct tsl_bpemerge *m, void *array, size_t *cap, size_t need,
                size_t size, const char *what, struct tsl_err *err)
{
    if (need <= *cap)
        return 0;
    size_t n = need + need / 8;
    if (n * size < PAGES_MIN)
        n = PAGES_MIN / size;
    void *old;
    memcpy(&old, array, sizeof old);
    void *p = tsl_pages_resize(old, *cap * size, n * size, what, err);
    if (!p)
        return TSL_ENOMEM;
    memcpy(array, &p, sizeof p);
    size_t more = (n - *cap) * size;
    *cap = n;
    return charge(m, more, err);
}

/* ---- the table of pairs ---------------------------------------------------------------- */

static size_t place(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93) >> m->table_shift);
}

static void foresee(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    TSL_PREFETCH(&m->table[place(m, left, right)]);
}

static struct pair *find(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    for (size_t i = place(m, left, right);; i = (i + 1) & m->table_mask) {
        struct pair *p = &m->table[i];
        if (p->left == left && p->right == right)
            return p;
        if (p->left == NONE)
            return NULL;
    }
}

static int table_resize(struct tsl_bpemerge *m, unsigned bits, struct tsl_err *err)
{
    size_t size = (size_t)1 << bits, before = m->table ? m->table_mask + 1 : 0;
    struct pair *old = m->table;
    struct pair *table = tsl_pages_map(size * sizeof *table, "pairs", err);
    if (!table)
        return TSL_ENOMEM;
    for (size_t i = 0; i < size; i++)
        table[i].left = NONE;
    m->table = table;
    m->table_mask = size - 1;
    m->table_shift = 64 - bits;
    for (size_t i = 0; i < before; i++) {
        if (old[i].left == NONE)
            continue;
        size_t at = place(m, old[i].left, old[i].right);
        while (table[at].left != NONE)
            at = (at + 1) & m->table_mask;
        table[at] = old[i];
    }
    int rc = charge(m, size * sizeof *table, err);
    m->bytes -= before * sizeof *table;
    tsl_pages_unmap(old, before * sizeof *table);
    return rc;
}

/* Room for n pairs more. */
static int table_room(struct tsl_bpemerge *m, size_t n, struct tsl_err *err)
{
    unsigned bits = 64 - m->table_shift;
    if (m->npairs + n <= (m->table_mask + 1) / 8 * 5)
        return 0;
    while (m->npairs + n > ((size_t)1 << bits) / 8 * 5)
        bits++;
    return table_resize(m, bits, err);
}

/* The pair, a new one with count 0 if need be; there is room. */
static struct pair *find_or_add(struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    size_t i = place(m, left, right);
    for (;; i = (i + 1) & m->table_mask) {
        struct pair *p = &m->table[i];
        if (p->left == left && p->right == right)
            return p;
        if (p->left == NONE)
            break;
    }
    m->table[i] = (struct pair){ left, right, 0 };
    m->npairs++;
    return &m->table[i];
}

/* ---- the heap -------------------------------------------------------------------------- */

/* Equal ranks and keys. */
static bool before_slow(const struct tsl_bpemerge *m, const struct entry *a,
                        const struct entry *b)
{
    const struct batch *x = &m->batch[a->batch], *y = &m->batch[b->batch];
    if (m->o.compare) {
        int c = m->o.compare(m->o.ctx, x->left, x->right, y->left, y->right);
        if (c)
            return c < 0;
    }
    return a->batch < b->batch;
}

static bool before(const struct tsl_bpemerge *m, const struct entry *a,
                   const struct entry *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    if (a->key != b->key)
        return a->key < b->key;
    return before_slow(m, a, b);
}

static void sift_up(struct tsl_bpemerge *m, size_t i)
{
    struct entry e = m->heap[i];
    while (i > 0) {
        size_t up = (i - 1) / HEAP_WIDTH;
        if (!before(m, &e, &m->heap[up]))
            break;
        m->heap[i] = m->heap[up];
        i = up;
    }
    m->heap[i] = e;
}

static void sift_down(struct tsl_bpemerge *m, size_t i)
{
    struct entry e = m->heap[i];
    for (;;) {
        size_t first = i * HEAP_WIDTH + 1, best = first, end = first + HEAP_WIDTH;
        if (first >= m->nheap)
            break;
        if (end > m->nheap)
            end = m->nheap;
        for (size_t k = first + 1; k < end; k++)
            if (before(m, &m->heap[k], &m->heap[best]))
                best = k;
        if (!before(m, &m->heap[best], &e))
            break;
        m->heap[i] = m->heap[best];
        i = best;
    }
    m->heap[i] = e;
}

static void heap_pop(struct tsl_bpemerge *m)
{
    m->heap[0] = m->heap[--m->nheap];
    if (m->nheap)
        sift_down(m, 0);
}

/* ---- words ----------------------------------------------------------------------------- */

/* Room for n slots more, and for as many units as they make. */
static int slot_room(struct tsl_bpemerge *m, size_t n, struct tsl_err *err)
{
    size_t units = m->nunits + n / UNIT_SLOTS + 2;
    if (n >= HOLE - 64 - m->nslots) {
        m->over = true;
        return tsl_err_set(err, TSL_EUSAGE,
                           "words of %zu symbols in all are too many: 2^31 is the limit; "
                           "rare words could be left out",
                           m->nslots + n);
    }
    int rc = grow(m, &m->slot, &m->slots_cap, m->nslots + n + SLOTS_SLACK,
                  sizeof *m->slot, "symbols", err);
    if (rc == 0)
        rc = grow(m, &m->unit, &m->unit_cap, units, sizeof *m->unit, "words", err);
    if (rc == 0)
        rc = grow(m, &m->unit_count, &m->unit_count_cap, units, sizeof *m->unit_count,
                  "words", err);
    return rc;
}

int tsl_bpemerge_create(struct tsl_bpemerge **out, const struct tsl_bpemerge_opts *o,
                        struct tsl_err *err)
{
    struct tsl_bpemerge *m = tsl_mem_alloc(1, sizeof *m, "pairs", err);
    int rc = TSL_ENOMEM;
    if (!m)
        return rc;
    m->o = *o;
    rc = slot_room(m, 2, err);
    if (rc < 0)
        goto fail;
    m->slot[0] = WORD_END;
    m->nslots = 1;
    rc = table_resize(m, 12, err);
    if (rc < 0)
        goto fail;
    *out = m;
    return 0;
fail:
    tsl_bpemerge_destroy(m);
    return rc;
}

static void words_drop(struct tsl_bpemerge *m)
{
    size_t bytes = m->words ? (m->words_mask + 1) * sizeof *m->words : 0;
    m->bytes -= bytes;
    tsl_pages_unmap(m->words, bytes);
    m->words = NULL;
}

void tsl_bpemerge_destroy(struct tsl_bpemerge *m)
{
    if (!m)
        return;
    words_drop(m);
    tsl_pages_unmap(m->table, (m->table_mask + 1) * sizeof *m->table);
    tsl_pages_unmap(m->slot, m->slots_cap * sizeof *m->slot);
    tsl_pages_unmap(m->unit, m->unit_cap * sizeof *m->unit);
    tsl_pages_unmap(m->unit_count, m->unit_count_cap * sizeof *m->unit_count);
    tsl_pages_unmap(m->batch, m->batch_cap * sizeof *m->batch);
    tsl_pages_unmap(m->pool, m->pool_cap * sizeof *m->pool);
    tsl_pages_unmap(m->heap, m->heap_cap * sizeof *m->heap);
    tsl_pages_unmap(m->seat, m->seat_cap * sizeof *m->seat);
    tsl_pages_unmap(m->nb, m->nb_cap * sizeof *m->nb);
    tsl_pages_unmap(m->found, m->found_cap * sizeof *m->found);
    tsl_pages_unmap(m->count, m->ids_cap * sizeof *m->count);
    tsl_pages_unmap(m->list_first, m->first_cap * sizeof *m->list_first);
    tsl_pages_unmap(m->link, m->link_cap * sizeof *m->link);
    tsl_mem_free(m);
}

/* ---- words that come again ---- */

static size_t word_hash(const uint32_t *ids, size_t n)
{
    return (size_t)tsl_hash64(ids, n * sizeof *ids, 0);
}

/* Symbols of the word that begins with unit u. */
static size_t word_len(const struct tsl_bpemerge *m, uint32_t u)
{
    size_t n = 0;
    for (const uint32_t *p = m->slot + m->unit[u]; p[n] != WORD_END; n++)
        ;
    return n;
}

static int words_resize(struct tsl_bpemerge *m, size_t size, struct tsl_err *err)
{
    uint32_t *old = m->words;
    size_t before = old ? m->words_mask + 1 : 0;
    uint32_t *words = tsl_pages_map(size * sizeof *words, "words", err);
    if (!words)
        return TSL_ENOMEM;
    m->words = words;
    m->words_mask = size - 1;
    for (size_t i = 0; i < before; i++) {
        if (!old[i])
            continue;
        uint32_t u = old[i] - 1;
        size_t at = word_hash(m->slot + m->unit[u], word_len(m, u)) & m->words_mask;
        while (words[at])
            at = (at + 1) & m->words_mask;
        words[at] = old[i];
    }
    int rc = charge(m, size * sizeof *words, err);
    m->bytes -= before * sizeof *words;
    tsl_pages_unmap(old, before * sizeof *words);
    return rc;
}

/* 1: the word is there, and has count more; 0: it is not, and its first unit will be the
 * next one. */
static int word_again(struct tsl_bpemerge *m, const uint32_t *ids, size_t n,
                      uint64_t count, struct tsl_err *err)
{
    int rc = 0;
    if (!m->words || m->nwords >= (m->words_mask + 1) / 8 * 5)
        rc = words_resize(m, m->words ? 2 * (m->words_mask + 1) : 1024, err);
    if (rc < 0)
        return rc;
    size_t i = word_hash(ids, n) & m->words_mask;
    for (; m->words[i]; i = (i + 1) & m->words_mask) {
        uint32_t u = m->words[i] - 1;
        const uint32_t *p = m->slot + m->unit[u];
        size_t same = 0;
        while (same < n && p[same] == ids[same]) /* no id is WORD_END */
            same++;
        if (same < n || p[n] != WORD_END)
            continue;
        size_t units = (n + UNIT_SLOTS - 1) / UNIT_SLOTS;
        for (size_t k = 0; k < units; k++)
            m->unit_count[u + k] += count;
        return 1;
    }
    m->words[i] = (uint32_t)m->nunits + 1;
    m->nwords++;
    return 0;
}

int tsl_bpemerge_word(struct tsl_bpemerge *m, const uint32_t *ids, size_t n,
                      uint64_t count, struct tsl_err *err)
{
    assert(n >= 2);
    int rc = slot_room(m, n + 1, err);
    if (rc == 0 && m->o.same_words)
        rc = word_again(m, ids, n, count, err);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    memcpy(m->slot + m->nslots, ids, n * sizeof *ids);
    for (size_t i = 0; i < n; i += UNIT_SLOTS) {
        m->unit[m->nunits] = (uint32_t)(m->nslots + i);
        m->unit_count[m->nunits++] = count;
    }
    m->nslots += n;
    m->slot[m->nslots++] = WORD_END;
    m->unit[m->nunits] = (uint32_t)m->nslots;
    return 0;
}

/* ---- pairs come up --------------------------------------------------------------------- */

static double likelihood(const struct tsl_bpemerge *m, const struct pair *p)
{
    double left = (double)m->count[p->left], right = (double)m->count[p->right];
    return (double)p->count / (left * right);
}

static uint64_t rank(const struct tsl_bpemerge *m, const struct pair *p)
{
    uint64_t bits = (uint64_t)p->count;
    if (m->o.likelihood) {
        double score = likelihood(m, p); /* above 0: its bits are in its order */
        memcpy(&bits, &score, sizeof bits);
    }
    return bits;
}

static bool is_below(const struct tsl_bpemerge *m, int64_t count)
{
    return (count > 0 ? (uint64_t)count : 0) < m->o.bound;
}

static void push(struct tsl_bpemerge *m, size_t batch, const struct pair *p)
{
    uint64_t key = m->o.key ? m->o.key(m->o.ctx, p->left, p->right)
                            : (uint64_t)p->left << 32 | p->right;
    m->heap[m->nheap] = (struct entry){ rank(m, p), key, (uint32_t)batch };
    sift_up(m, m->nheap++);
}

/* Likelihood: the batch joins the lists of both symbols. */
static void link_batch(struct tsl_bpemerge *m, size_t batch)
{
    struct batch *b = &m->batch[batch];
    for (int side = 0; side < (b->left == b->right ? 1 : 2); side++) {
        uint32_t id = side ? b->right : b->left;
        m->link[m->nlinks] = (struct link){ (uint32_t)batch, m->list_first[id] };
        m->list_first[id] = (uint32_t)++m->nlinks;
    }
}

/* Room for n batches more, and all that goes with them. */
static int batch_room(struct tsl_bpemerge *m, size_t n, struct tsl_err *err)
{
    if (m->nbatches + n >= NONE / 2)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "words have more than 2^31 pairs; rare words could be left out");
    int rc = table_room(m, n, err);
    if (rc == 0)
        rc = grow(m, &m->batch, &m->batch_cap, m->nbatches + n, sizeof *m->batch, "pairs",
                  err);
    if (rc == 0)
        rc = grow(m, &m->heap, &m->heap_cap, m->nheap + n, sizeof *m->heap, "pairs", err);
    if (rc == 0 && m->o.likelihood)
        rc = grow(m, &m->link, &m->link_cap, m->nlinks + 2 * n, sizeof *m->link, "pairs",
                  err);
    return rc;
}

/* Arrays by id have room for id. */
static int id_room(struct tsl_bpemerge *m, uint32_t id, struct tsl_err *err)
{
    size_t had = m->seat_cap, need = (size_t)id + 1;
    int rc = grow(m, &m->seat, &m->seat_cap, need, sizeof *m->seat, "symbols", err);
    if (rc < 0)
        return rc;
    if (m->seat_cap > had)
        memset(m->seat + had, 0, (m->seat_cap - had) * sizeof *m->seat);
    if (!m->o.likelihood)
        return 0;
    rc = grow(m, &m->count, &m->ids_cap, need, sizeof *m->count, "symbols", err);
    if (rc == 0)
        rc = grow(m, &m->list_first, &m->first_cap, need, sizeof *m->list_first,
                  "symbols", err);
    for (; rc == 0 && m->nids < need; m->nids++) {
        m->count[m->nids] = 0;
        m->list_first[m->nids] = 0;
    }
    return rc;
}

/* Length of the symbol at slot p. */
static uint32_t length(const uint32_t *slot, size_t p)
{
    uint32_t next = slot[p + 1];
    return next & HOLE ? next & ~HOLE : 1;
}

static bool is_allowed(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    return !m->o.allowed || m->o.allowed(m->o.ctx, left, right);
}

/* What the first pass knows of a pair. */
struct fresh {
    uint32_t left, right, last, n;
    int64_t count;
};

/* Longer than slots_limit allows; at first all pairs were allowed. */
static bool is_too_long(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    if (!m->o.slots_limit || !m->o.len)
        return false;
    size_t len = (size_t)(*m->o.len)[left] + (*m->o.len)[right];
    return len > 2 && len >= m->o.slots_limit;
}

static int64_t excess(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    return m->o.excess ? m->o.excess(m->o.excess_ctx, left, right) : 0;
}

/* The first pass: which pairs there are, their counts, and in how many units they stand.  A
 * pair's number is in its count's place meanwhile; not allowed: -1. */
static int count_pairs(struct tsl_bpemerge *m, struct fresh **fresh, size_t *cap,
                       struct tsl_err *err)
{
    for (size_t u = 0; u < m->nunits; u++) {
        for (size_t p = m->unit[u]; p < m->unit[u + 1]; p++) {
            uint32_t left = m->slot[p], right = m->slot[p + 1];
            foresee(m, m->slot[p + AHEAD_PAIRS], m->slot[p + AHEAD_PAIRS + 1]);
            if (left == WORD_END || right == WORD_END)
                continue;
            int rc = table_room(m, 1, err);
            if (rc < 0)
                return rc;
            size_t had = m->npairs;
            struct pair *pair = find_or_add(m, left, right);
            if (m->npairs > had) {
                pair->count = -1;
                if (is_too_long(m, left, right) || !is_allowed(m, left, right))
                    continue;
                rc = grow(m, fresh, cap, m->nbatches + 1, sizeof **fresh, "pairs", err);
                if (rc < 0)
                    return rc;
                pair->count = (int64_t)m->nbatches;
                (*fresh)[m->nbatches++] =
                    (struct fresh){ left, right, NONE, 0, excess(m, left, right) };
            }
            if (pair->count < 0)
                continue;
            struct fresh *f = &(*fresh)[pair->count];
            f->count += (int64_t)m->unit_count[u];
            f->n += f->last != u;
            f->last = (uint32_t)u;
        }
    }
    return 0;
}

/* The second pass: each pair's units. */
static void list_units(struct tsl_bpemerge *m)
{
    for (size_t u = 0; u < m->nunits; u++) {
        for (size_t p = m->unit[u]; p < m->unit[u + 1]; p++) {
            uint32_t left = m->slot[p], right = m->slot[p + 1];
            foresee(m, m->slot[p + AHEAD_PAIRS], m->slot[p + AHEAD_PAIRS + 1]);
            if (left == WORD_END || right == WORD_END)
                continue;
            int64_t i = find(m, left, right)->count;
            if (i < 0)
                continue;
            struct batch *b = &m->batch[i];
            if (b->n && m->pool[b->begin + b->n - 1] == u)
                continue;
            m->pool[b->begin + b->n++] = (uint32_t)u;
        }
    }
}

/* Leaves pairs out that are below the bound. */
static void drop_fresh(struct tsl_bpemerge *m, struct fresh *fresh)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->nbatches; i++) {
        const struct fresh f = fresh[i];
        bool below = is_below(m, f.count);
        find(m, f.left, f.right)->count = below ? -1 : (int64_t)kept;
        m->partial |= below;
        if (!below)
            fresh[kept++] = f;
    }
    m->nbatches = kept;
}

static int first_batches(struct tsl_bpemerge *m, struct fresh *fresh, struct tsl_err *err)
{
    if (m->o.bound)
        drop_fresh(m, fresh);
    size_t n = m->nbatches;
    m->nbatches = 0;
    int rc = batch_room(m, n, err);
    for (size_t i = 0; i < n; i++)
        m->npool += fresh[i].n;
    if (rc == 0)
        rc = grow(m, &m->pool, &m->pool_cap, m->npool, sizeof *m->pool, "occurrences",
                  err);
    if (rc < 0)
        return rc;
    uint64_t at = 0;
    for (; m->nbatches < n; at += fresh[m->nbatches++].n)
        m->batch[m->nbatches] =
            (struct batch){ fresh[m->nbatches].left, fresh[m->nbatches].right, at, 0 };
    list_units(m);
    for (size_t i = 0; i < n; i++) {
        struct pair *p = find(m, m->batch[i].left, m->batch[i].right);
        p->count = fresh[i].count;
        if (m->o.likelihood)
            link_batch(m, i);
        push(m, i, p);
    }
    m->pairs_ever = n;
    return 0;
}

int tsl_bpemerge_start(struct tsl_bpemerge *m, const uint64_t *count, size_t nids,
                       struct tsl_err *err)
{
    struct fresh *fresh = NULL;
    size_t cap = 0;
    int rc = nids ? id_room(m, (uint32_t)(nids - 1), err) : 0;
    memset(m->slot + m->nslots, 0, SLOTS_SLACK * sizeof *m->slot); /* is looked at */
    words_drop(m);
    if (rc == 0 && m->o.likelihood && nids)
        memcpy(m->count, count, nids * sizeof *count);
    if (rc == 0)
        rc = count_pairs(m, &fresh, &cap, err);
    if (rc == 0)
        rc = first_batches(m, fresh, err);
    m->bytes -= cap * sizeof *fresh;
    tsl_pages_unmap(fresh, cap * sizeof *fresh);
    return rc;
}

/* ---- the best pair ----------------------------------------------------------------------- */

int tsl_bpemerge_best(struct tsl_bpemerge *m, struct tsl_bpemerge_pair *best,
                      struct tsl_err *err)
{
    (void)err;
    while (m->nheap) {
        struct entry e = m->heap[0];
        const struct batch *b = &m->batch[e.batch];
        const struct pair *p = find(m, b->left, b->right);
        if (b->n == 0 || p->count <= 0) {
            heap_pop(m);
            continue;
        }
        if (m->o.bound && is_below(m, p->count)) {
            m->batch[e.batch].n = 0;
            m->partial = true;
            heap_pop(m);
            continue;
        }
        uint64_t now = rank(m, p);
        if (now == e.rank) {
            heap_pop(m);
            *best = (struct tsl_bpemerge_pair){ b->left, b->right, (uint64_t)p->count,
                                                e.batch };
            return 1;
        }
        /* The count has fallen since.  A likelihood that changed was put in anew. */
        if (m->o.likelihood) {
            heap_pop(m);
            continue;
        }
        m->heap[0].rank = now;
        sift_down(m, 0);
    }
    return 0;
}

/* ---- merging ----------------------------------------------------------------------------- */

struct merge {
    uint32_t left, right, id;
    uint32_t unit;
    int64_t count; /* of the unit's word */
};

static struct neighbour *touch(struct tsl_bpemerge *m, uint32_t id)
{
    if (!m->seat[id]) {
        m->nb[m->nnb] = (struct neighbour){ .id = id }; /* room: merge_unit's */
        m->seat[id] = (uint32_t)++m->nnb;
    }
    return &m->nb[m->seat[id] - 1];
}

/* The unit of slot p, which is in unit u or before. */
static uint32_t unit_of(const struct tsl_bpemerge *m, size_t p, uint32_t u)
{
    if (p >= m->unit[u])
        return u;
    uint32_t low = 0, high = u; /* unit[low] <= p < unit[high] */
    if (p >= m->unit[u - 1])
        return u - 1;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (m->unit[mid] <= p)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* A pair with the new symbol stands at slot p, on side l (the neighbour is to the left) or
 * r: notes the unit, once. */
static void note(struct tsl_bpemerge *m, const struct merge *g, uint32_t id, bool right,
                 size_t p)
{
    struct neighbour *nb = touch(m, id);
    uint32_t u = unit_of(m, p, g->unit);
    uint32_t *n = right ? &nb->n_r : &nb->n_l, *last = right ? &nb->last_r : &nb->last_l;
    if (*n && *last == u)
        return;
    ++*n;
    *last = u;
    m->found[2 * m->nfound] = (m->seat[id] - 1) << 1 | right;
    m->found[2 * m->nfound++ + 1] = u;
}

/* id stands left of the new symbol, at slot p; both have len slots. */
static void meet_left(struct tsl_bpemerge *m, const struct merge *g, uint32_t id,
                      size_t p, size_t len)
{
    struct neighbour *nb = touch(m, id);
    nb->lost_l += g->count;
    if (m->o.slots_limit && m->o.len)
        len = (size_t)(*m->o.len)[id] + (*m->o.len)[g->id];
    if (m->o.slots_limit && len >= m->o.slots_limit)
        return;
    if (!nb->asked_l)
        nb->asked_l = is_allowed(m, id, g->id) ? 1 : 2;
    if (nb->asked_l == 2)
        return;
    nb->won_l += g->count;
    note(m, g, id, false, p);
}

/* id stands right of the new symbol, which is at slot p. */
static void meet_right(struct tsl_bpemerge *m, const struct merge *g, uint32_t id,
                       size_t p, size_t len)
{
    struct neighbour *nb = touch(m, id);
    nb->lost_r += g->count;
    if (m->o.slots_limit && m->o.len)
        len = (size_t)(*m->o.len)[id] + (*m->o.len)[g->id];
    if (m->o.slots_limit && len >= m->o.slots_limit)
        return;
    if (!nb->asked_r)
        nb->asked_r = is_allowed(m, g->id, id) ? 1 : 2;
    if (nb->asked_r == 2)
        return;
    if (id == g->id) { /* the same pair as from the left */
        nb->won_l += g->count;
        note(m, g, id, false, p);
        return;
    }
    nb->won_r += g->count;
    note(m, g, id, true, p);
}

/* Merges all of one unit. */
static int merge_unit(struct tsl_bpemerge *m, struct merge *g, struct tsl_err *err)
{
    uint32_t *slot = m->slot;
    size_t p = m->unit[g->unit], end = m->unit[g->unit + 1];
    int rc = grow(m, &m->found, &m->found_cap, 2 * m->nfound + 4 * UNIT_SLOTS,
                  sizeof *m->found, "occurrences", err);
    if (rc == 0)
        rc = grow(m, &m->nb, &m->nb_cap, m->nnb + 2 * UNIT_SLOTS + 2, sizeof *m->nb,
                  "symbols", err);
    if (rc < 0)
        return rc;
    g->count = (int64_t)m->unit_count[g->unit];
    while (p < end) {
        if (slot[p] != g->left) {
            p++; /* a hole, too */
            continue;
        }
        uint32_t a = length(slot, p);
        size_t q = p + a;
        if (slot[q] != g->right) {
            p = q;
            continue;
        }
        uint32_t b = length(slot, q), len = a + b;
        uint32_t before = slot[p - 1], after = slot[q + b];
        slot[p] = g->id;
        slot[q] = HOLE;
        slot[p + 1] = HOLE | len;
        slot[p + len - 1] = HOLE | len;
        m->merged_count += (uint64_t)g->count;
        if (before != WORD_END) {
            uint32_t back = before & HOLE ? before & ~HOLE : 1;
            meet_left(m, g, slot[p - back], p - back, (size_t)back + len);
        }
        if (after != WORD_END)
            meet_right(m, g, after, p, (size_t)len + length(slot, q + b));
        p += len;
    }
    return 0;
}

/* Drops occurrences that are used up, or makes room: for n more. */
static int pool_room(struct tsl_bpemerge *m, size_t n, struct tsl_err *err)
{
    if (m->npool + n <= m->pool_cap)
        return 0;
    size_t live = 0;
    for (size_t i = 0; i < m->nbatches; i++) {
        struct batch *b = &m->batch[i];
        if (b->n && find(m, b->left, b->right)->count <= 0)
            b->n = 0;
        live += b->n;
    }
    if (live + n <= m->pool_cap / 2) {
        m->npool = 0;
        for (size_t i = 0; i < m->nbatches; i++) {
            struct batch *b = &m->batch[i]; /* begin ascends */
            memmove(m->pool + m->npool, m->pool + b->begin, b->n * sizeof *m->pool);
            b->begin = m->npool;
            m->npool += b->n;
        }
        return 0;
    }
    return grow(m, &m->pool, &m->pool_cap, m->npool + n, sizeof *m->pool, "occurrences",
                err);
}

static void foresee_merge(const struct tsl_bpemerge *m, const struct merge *g,
                          const struct neighbour *nb)
{
    if (nb->lost_l)
        foresee(m, nb->id, g->left);
    if (nb->lost_r)
        foresee(m, g->right, nb->id);
    if (nb->n_l)
        foresee(m, nb->id, g->id);
    if (nb->n_r)
        foresee(m, g->id, nb->id);
}

/* Pairs that are no longer there. */
static void lose(struct tsl_bpemerge *m, const struct merge *g)
{
    uint32_t left = m->seat[g->left];
    for (size_t i = 0; i < m->nnb; i++) {
        const struct neighbour *nb = &m->nb[i];
        struct pair *p;
        if (i + AHEAD_PAIRS < m->nnb)
            foresee_merge(m, g, &m->nb[i + AHEAD_PAIRS]);
        /* "abab": the first ab came next to the second's a, for a moment. */
        if (nb->id == g->id && left && m->nb[left - 1].n_r)
            m->nb[left - 1].won_r -= nb->lost_l;
        else if (nb->lost_l && (p = find(m, nb->id, g->left)))
            p->count -= nb->lost_l;
        if (nb->lost_r && (p = find(m, g->right, nb->id)))
            p->count -= nb->lost_r;
    }
}

/* A pair that came up, in n units; returns where they go. */
static uint64_t win(struct tsl_bpemerge *m, uint32_t left, uint32_t right, int64_t count,
                    uint32_t n)
{
    size_t had = m->npairs;
    struct pair *p = m->o.bound || m->o.excess ? find(m, left, right) : NULL;
    if (!p) {
        count += excess(m, left, right);
        if (m->o.bound && is_below(m, count)) {
            m->partial |= count > 0;
            return UINT64_MAX;
        }
        p = find_or_add(m, left, right);
    }
    m->pairs_ever += m->npairs - had;
    p->count += count;
    if (p->count <= 0) /* all of it went into overlaps ("aaaa") */
        return UINT64_MAX;
    uint64_t at = m->npool;
    m->batch[m->nbatches] = (struct batch){ left, right, at, n };
    m->npool += n;
    if (m->o.likelihood)
        link_batch(m, m->nbatches);
    else
        push(m, m->nbatches, p);
    m->nbatches++;
    return at;
}

/* Brings counts, occurrences and the heap up to date with what merging found. */
static int settle(struct tsl_bpemerge *m, const struct merge *g, struct tsl_err *err)
{
    int rc = batch_room(m, 2 * m->nnb, err);
    if (rc == 0)
        rc = pool_room(m, m->nfound, err);
    if (rc < 0)
        return rc;
    lose(m, g);
    for (size_t i = 0; i < m->nnb; i++) {
        struct neighbour *nb = &m->nb[i];
        if (nb->n_l)
            nb->at_l = win(m, nb->id, g->id, nb->won_l, nb->n_l);
        if (nb->n_r)
            nb->at_r = win(m, g->id, nb->id, nb->won_r, nb->n_r);
    }
    for (size_t i = 0; i < m->nfound; i++) {
        uint32_t id = m->found[2 * i], unit = m->found[2 * i + 1];
        struct neighbour *nb = &m->nb[id >> 1];
        uint64_t *at = id & 1 ? &nb->at_r : &nb->at_l;
        if (*at != UINT64_MAX)
            m->pool[(*at)++] = unit;
    }
    return 0;
}

/* All pairs once: what the heap is made of when stale entries are many. */
static void heap_rebuild(struct tsl_bpemerge *m)
{
    m->nheap = 0;
    for (size_t i = 0; i < m->nbatches; i++) {
        const struct batch *b = &m->batch[i];
        const struct pair *p = b->n ? find(m, b->left, b->right) : NULL;
        if (p && p->count > 0)
            push(m, i, p);
    }
}

/* Likelihood: the count of id has changed, so all its pairs are weighed anew. */
static int weigh(struct tsl_bpemerge *m, uint32_t id, struct tsl_err *err)
{
    for (uint32_t *at = &m->list_first[id]; *at;) {
        struct link *k = &m->link[*at - 1];
        const struct batch *b = &m->batch[k->batch];
        const struct pair *p = b->n ? find(m, b->left, b->right) : NULL;
        if (!p || p->count <= 0) {
            *at = k->next;
            continue;
        }
        int rc =
            grow(m, &m->heap, &m->heap_cap, m->nheap + 1, sizeof *m->heap, "pairs", err);
        if (rc < 0)
            return rc;
        push(m, k->batch, p);
        at = &k->next;
    }
    return 0;
}

static int apply_likelihood(struct tsl_bpemerge *m, const struct merge *g,
                            struct tsl_err *err)
{
    m->count[g->left] -= m->merged_count;
    m->count[g->right] -= m->merged_count;
    m->count[g->id] += m->merged_count;
    find(m, g->left, g->right)->count = 0;
    if (m->nheap > 2 * m->nbatches + 1024) {
        heap_rebuild(m);
        return 0;
    }
    int rc = weigh(m, g->left, err);
    if (rc == 0 && g->right != g->left)
        rc = weigh(m, g->right, err);
    if (rc == 0)
        rc = weigh(m, g->id, err);
    return rc;
}

static int merge_batch(struct tsl_bpemerge *m, struct merge *g, size_t batch,
                       struct tsl_err *err)
{
    struct batch *b = &m->batch[batch];
    const uint32_t *unit = m->pool + b->begin;
    int rc = 0;
    for (uint32_t i = 0; i < b->n && rc == 0; i++) {
        g->unit = unit[i];
        if (i + 2 * AHEAD_UNITS < b->n)
            TSL_PREFETCH(&m->unit[unit[i + 2 * AHEAD_UNITS]]);
        if (i + AHEAD_UNITS < b->n) {
            TSL_PREFETCH(&m->unit_count[unit[i + AHEAD_UNITS]]);
            TSL_PREFETCH(&m->slot[m->unit[unit[i + AHEAD_UNITS]]]);
        }
        rc = merge_unit(m, g, err);
    }
    b->n = 0;
    return rc;
}

int tsl_bpemerge_apply(struct tsl_bpemerge *m, const struct tsl_bpemerge_pair *pair,
                       uint32_t id, struct tsl_err *err)
{
    struct merge g = { .left = pair->left, .right = pair->right, .id = id };
    assert(id <= TSL_BPEMERGE_ID_MAX);
    m->merging = true;
    int rc = id_room(m, id, err);
    m->nfound = 0;
    m->nnb = 0;
    m->merged_count = 0;
    if (rc == 0 && !m->o.likelihood)
        rc = merge_batch(m, &g, pair->batch, err);
    if (rc == 0 && m->o.likelihood)
        for (uint32_t at = m->list_first[g.left]; at && rc == 0;
             at = m->link[at - 1].next) {
            const struct batch *b = &m->batch[m->link[at - 1].batch];
            if (b->n && b->left == g.left && b->right == g.right)
                rc = merge_batch(m, &g, m->link[at - 1].batch, err);
        }
    if (rc == 0)
        rc = settle(m, &g, err);
    for (size_t i = 0; i < m->nnb; i++)
        m->seat[m->nb[i].id] = 0;
    if (rc == 0 && m->o.likelihood)
        rc = apply_likelihood(m, &g, err);
    return rc;
}

bool tsl_bpemerge_is_partial(const struct tsl_bpemerge *m)
{
    return m->partial;
}

void tsl_bpemerge_limit(struct tsl_bpemerge *m, size_t memory)
{
    m->o.memory = memory;
}

bool tsl_bpemerge_is_over(const struct tsl_bpemerge *m)
{
    return m->over;
}

void tsl_bpemerge_uncount(struct tsl_bpemerge *m)
{
    for (size_t u = 0; u < m->nunits; u++) {
        for (size_t p = m->unit[u]; p < m->unit[u + 1]; p++) {
            uint32_t left = m->slot[p];
            if (left & HOLE || left == WORD_END)
                continue;
            uint32_t right = m->slot[p + length(m->slot, p)];
            struct pair *pair = right == WORD_END ? NULL : find(m, left, right);
            if (pair)
                pair->count -= (int64_t)m->unit_count[u];
        }
    }
}

int64_t tsl_bpemerge_count(const struct tsl_bpemerge *m, uint32_t left, uint32_t right)
{
    const struct pair *p = find(m, left, right);
    return p ? p->count : 0;
}

uint64_t tsl_bpemerge_pairs(const struct tsl_bpemerge *m)
{
    return m->pairs_ever;
}

uint64_t tsl_bpemerge_peak_bytes(const struct tsl_bpemerge *m)
{
    return m->peak;
}

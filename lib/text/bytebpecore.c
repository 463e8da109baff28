#include "text/bytebpecore.h"

#include <inttypes.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"

/* A place in a short piece and a rank share 32 bits. */
enum { ID_BITS = 20, RANK_BITS = 24, PLACE_BITS = 6 };
#define NO_RANK UINT32_MAX
#define EMPTY UINT64_MAX

struct tsl_bytebpecore {
    void *pages; /* of slots and grid */
    size_t pages_bytes;
    uint64_t *slots; /* left id, right id, rank: 20 + 20 + 24 bits; at most half taken */
    unsigned shift;  /* 64 - log2 of their number */
    size_t nslots, npairs;
    uint32_t *merged; /* by rank; NULL: the rank and first_merged are the id */
    uint32_t first_merged;
    uint32_t byte_id[256];
    uint32_t (*grid)[256]; /* ranks of pairs of single bytes, by the bytes */
};

static inline uint64_t pair_key(uint32_t left, uint32_t right)
{
    return (uint64_t)left << ID_BITS | right;
}

static inline size_t slot_of(const struct tsl_bytebpecore *c, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> c->shift);
}

/* The rank of the pair with this key, whose slot is at or behind i. */
static inline uint32_t rank_at(const struct tsl_bytebpecore *c, uint64_t key, size_t i)
{
    for (;; i = (i + 1) & (c->nslots - 1)) {
        uint64_t slot = c->slots[i];
        if (slot >> RANK_BITS == key)
            return (uint32_t)(slot & ((1U << RANK_BITS) - 1));
        if (slot == EMPTY)
            return NO_RANK;
    }
}

static inline uint32_t rank_of(const struct tsl_bytebpecore *c, uint32_t left,
                               uint32_t right)
{
    uint64_t key = pair_key(left, right);
    return rank_at(c, key, slot_of(c, key));
}

static inline uint32_t merged_of(const struct tsl_bytebpecore *c, uint32_t rank)
{
    return c->merged ? c->merged[rank] : rank + c->first_merged;
}

/* Words that are met for the first time are seldom enough for nothing of this to be in a
 * near cache by then: large pages save the misses of the TLB, at least. */
static int slots_make(struct tsl_bytebpecore *c, size_t npairs, struct tsl_err *err)
{
    const size_t huge = 2 << 20;
    size_t n = 256, bytes;
    unsigned bits = 8;
    for (; n < 2 * npairs; n *= 2)
        bits++;
    bytes = n * sizeof *c->slots + 256 * sizeof *c->grid;
    c->pages_bytes = (bytes + huge - 1) / huge * huge;
    c->pages = tsl_pages_map(c->pages_bytes, "merges", err);
    if (!c->pages)
        return TSL_ENOMEM;
    tsl_pages_want_huge(c->pages, c->pages_bytes);
    c->slots = c->pages;
    c->grid = (uint32_t(*)[256])(c->slots + n);
    memset(c->slots, 0xff, bytes);
    c->nslots = n;
    c->shift = 64 - bits;
    return 0;
}

static void pair_put(struct tsl_bytebpecore *c, uint32_t left, uint32_t right,
                     uint32_t rank)
{
    uint64_t key = pair_key(left, right);
    size_t i = slot_of(c, key);
    while (c->slots[i] != EMPTY && c->slots[i] >> RANK_BITS != key)
        i = (i + 1) & (c->nslots - 1);
    c->slots[i] = key << RANK_BITS | rank;
}

/* The pairs of single bytes, where most look-ups are. */
static void grid_fill(struct tsl_bytebpecore *c)
{
    for (size_t a = 0; a < 256; a++)
        for (size_t b = 0; b < 256; b++)
            c->grid[a][b] = (c->byte_id[a] | c->byte_id[b]) > TSL_BYTEBPE_ID_MAX
                                ? NO_RANK
                                : rank_of(c, c->byte_id[a], c->byte_id[b]);
}

/* A rank and its place in one number: the least of them is the leftmost of the lowest. */
static inline uint32_t placed(uint32_t rank, size_t at)
{
    return rank == NO_RANK ? NO_RANK : rank << PLACE_BITS | (uint32_t)at;
}

/* Tokens stay where their first bytes are; live has a bit for each. */
static int64_t merge_short(const struct tsl_bytebpecore *c, const uint8_t *p, size_t n,
                           uint32_t *out)
{
    uint32_t ids[TSL_BYTEBPE_SHORT_BYTES], ranks[TSL_BYTEBPE_SHORT_BYTES + 4];
    uint64_t live = ~UINT64_C(0) >> (TSL_BYTEBPE_SHORT_BYTES - n);
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        ids[i] = c->byte_id[p[i]];
    for (size_t i = 0; i + 1 < n; i++)
        ranks[i] = placed(c->grid[p[i]][p[i + 1]], i);
    for (size_t i = n - 1; i < n + 3; i++)
        ranks[i] = NO_RANK; /* the last token has no neighbour */
    for (;;) {
        uint32_t best[4] = { NO_RANK, NO_RANK, NO_RANK, NO_RANK };
        for (size_t i = 0; i + 1 < n; i += 4)
            for (size_t j = 0; j < 4; j++)
                best[j] = ranks[i + j] < best[j] ? ranks[i + j] : best[j];
        best[0] = best[1] < best[0] ? best[1] : best[0];
        best[2] = best[3] < best[2] ? best[3] : best[2];
        uint32_t least = best[2] < best[0] ? best[2] : best[0];
        if (least == NO_RANK)
            break;
        size_t at = least & ((1U << PLACE_BITS) - 1);
        uint64_t behind = live & (~UINT64_C(1) << at), before;
        size_t right = (size_t)__builtin_ctzll(behind);
        uint32_t id = merged_of(c, least >> PLACE_BITS);
        live &= ~(UINT64_C(1) << right);
        behind &= behind - 1;
        before = live & ((UINT64_C(1) << at) - 1);
        ids[at] = id;
        ranks[right] = NO_RANK;
        ranks[at] = NO_RANK;
        /* both are fetched before either is looked at */
        size_t left = before ? 63 - (size_t)__builtin_clzll(before) : 0;
        uint64_t key = pair_key(ids[left], id);
        size_t slot = slot_of(c, key);
        TSL_PREFETCH(&c->slots[slot]);
        if (behind)
            ranks[at] = placed(rank_of(c, id, ids[__builtin_ctzll(behind)]), at);
        if (before)
            ranks[left] = placed(rank_at(c, key, slot), left);
    }
    for (; live; live &= live - 1)
        out[k++] = ids[__builtin_ctzll(live)];
    return (int64_t)k;
}

/* A long piece: tokens in a doubly linked list over their first bytes, and a heap of
 * (rank, place).  An entry is stale when the rank at its place is another by now. */
struct longpiece {
    uint32_t *id, *rank, *prev, *next;
    uint64_t *heap;
    size_t nheap, cap;
};

static void heap_down(uint64_t *h, size_t n, size_t i)
{
    uint64_t x = h[i];
    for (size_t child; (child = 4 * i + 1) < n; i = child) {
        size_t stop = child + 4 < n ? child + 4 : n;
        for (size_t k = child + 1; k < stop; k++)
            if (h[k] < h[child])
                child = k;
        if (h[child] >= x)
            break;
        h[i] = h[child];
    }
    h[i] = x;
}

static void heap_make(struct longpiece *l)
{
    if (l->nheap > 1)
        for (size_t i = (l->nheap - 2) / 4 + 1; i-- > 0;)
            heap_down(l->heap, l->nheap, i);
}

static void heap_put(struct longpiece *l, uint32_t rank, uint32_t at)
{
    if (rank == NO_RANK)
        return;
    if (l->nheap == l->cap) { /* at least a fifth of it is stale */
        size_t kept = 0;
        for (size_t i = 0; i < l->nheap; i++)
            if (l->rank[(uint32_t)l->heap[i]] == l->heap[i] >> 32)
                l->heap[kept++] = l->heap[i];
        l->nheap = kept;
        heap_make(l);
    }
    uint64_t x = (uint64_t)rank << 32 | at;
    size_t i = l->nheap++;
    for (size_t up; i && l->heap[up = (i - 1) / 4] > x; i = up)
        l->heap[i] = l->heap[up];
    l->heap[i] = x;
}

/* A place never sees the same rank twice, as its token and the next only grow: an entry
 * with the rank that the place has now is not stale. */
static void rank_set(struct longpiece *l, uint32_t at, uint32_t rank)
{
    l->rank[at] = rank;
    heap_put(l, rank, at);
}

static int64_t merge_long(const struct tsl_bytebpecore *c, struct tsl_bytebpe_scratch *s,
                          const uint8_t *p, size_t n, uint32_t *out, struct tsl_err *err)
{
    size_t cap = n + n / 4, need = 4 * n * sizeof(uint32_t) + cap * sizeof(uint64_t) + 64;
    if (n > UINT32_MAX / 2 || need > s->max_bytes)
        return tsl_err_set(err, TSL_ENOMEM,
                           "a word of %zu bytes needs %zu bytes of memory to be taken "
                           "apart, there are %zu: give more (-m)",
                           n, need, s->max_bytes);
    if (need > s->cap_bytes) {
        if (s->pages)
            tsl_pages_unmap(s->pages, s->cap_bytes);
        s->cap_bytes = 0;
        s->pages = tsl_pages_map(need, "a long word", err);
        if (!s->pages)
            return TSL_ENOMEM;
        s->cap_bytes = need;
    }
    struct longpiece l = { .heap = s->pages, .cap = cap };
    l.id = (uint32_t *)(l.heap + cap);
    l.rank = l.id + n;
    l.prev = l.rank + n;
    l.next = l.prev + n;
    for (size_t i = 0; i < n; i++) {
        l.id[i] = c->byte_id[p[i]];
        l.prev[i] = (uint32_t)i - 1; /* of the first: UINT32_MAX */
        l.next[i] = (uint32_t)i + 1;
        l.rank[i] = i + 1 < n ? c->grid[p[i]][p[i + 1]] : NO_RANK;
        if (l.rank[i] != NO_RANK)
            l.heap[l.nheap++] = (uint64_t)l.rank[i] << 32 | i;
    }
    heap_make(&l);
    while (l.nheap) {
        uint64_t top = l.heap[0];
        uint32_t at = (uint32_t)top, rank = (uint32_t)(top >> 32), right, after;
        l.heap[0] = l.heap[--l.nheap];
        if (l.nheap)
            heap_down(l.heap, l.nheap, 0);
        if (l.rank[at] != rank)
            continue;
        right = l.next[at];
        after = l.next[right];
        l.id[at] = merged_of(c, rank);
        l.next[at] = after;
        l.rank[right] = NO_RANK;
        l.rank[at] = NO_RANK;
        if (after < n) {
            l.prev[after] = at;
            rank_set(&l, at, rank_of(c, l.id[at], l.id[after]));
        }
        if (at)
            rank_set(&l, l.prev[at], rank_of(c, l.id[l.prev[at]], l.id[at]));
    }
    size_t k = 0;
    for (size_t i = 0; i < n; i = l.next[i])
        out[k++] = l.id[i];
    return (int64_t)k;
}

int64_t tsl_bytebpecore_merge(const struct tsl_bytebpecore *c,
                              struct tsl_bytebpe_scratch *s, struct tsl_slice piece,
                              uint32_t *out, struct tsl_err *err)
{
    if (piece.len == 0)
        return 0;
    if (piece.len <= TSL_BYTEBPE_SHORT_BYTES)
        return merge_short(c, piece.data, piece.len, out);
    return merge_long(c, s, piece.data, piece.len, out, err);
}

void tsl_bytebpe_scratch_fini(struct tsl_bytebpe_scratch *s)
{
    if (s->pages)
        tsl_pages_unmap(s->pages, s->cap_bytes);
    s->pages = NULL;
    s->cap_bytes = 0;
}

static int from_merges(struct tsl_bytebpecore *c, const struct tsl_vocab *vocab,
                       const struct tsl_tokfile_merge *merges, size_t n,
                       struct tsl_err *err)
{
    bool in_order = true;
    if (n >= 1U << RANK_BITS)
        return tsl_err_set(err, TSL_EUSAGE, "%zu merges; at most %u are supported", n,
                           (1U << RANK_BITS) - 1);
    int rc = slots_make(c, n, err);
    if (rc < 0)
        return rc;
    c->merged = tsl_mem_alloc(n ? n : 1, sizeof *c->merged, "merges", err);
    if (!c->merged)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct tsl_tokfile_merge *m = &merges[i];
        struct tsl_slice a = tsl_vocab_token(vocab, m->left);
        struct tsl_slice b = tsl_vocab_token(vocab, m->right);
        struct tsl_slice ab = tsl_vocab_token(vocab, m->merged);
        if (!a.len || !b.len || ab.len != a.len + b.len ||
            memcmp(ab.data, a.data, a.len) != 0 ||
            memcmp(ab.data + a.len, b.data, b.len) != 0)
            return tsl_err_set(err, TSL_EFORMAT,
                               "merge %zu: token %" PRIu32 " is not tokens %" PRIu32
                               " and %" PRIu32 " joined",
                               i, m->merged, m->left, m->right);
        c->merged[i] = m->merged;
        pair_put(c, m->left, m->right, (uint32_t)i);
        in_order = in_order && m->merged == merges[0].merged + i;
    }
    if (in_order) { /* as in GPT-2 */
        c->first_merged = n ? merges[0].merged : 0;
        tsl_mem_free(c->merged);
        c->merged = NULL;
    }
    grid_fill(c);
    return 0;
}

/* Ids of tokens of two bytes and more, the shorter ones first.  NULL and err: no memory. */
static uint32_t *by_length(const struct tsl_vocab *vocab, size_t *n, struct tsl_err *err)
{
    uint32_t size = tsl_vocab_size(vocab);
    size_t longest = tsl_vocab_longest(vocab), sum = 0;
    bool unique = tsl_vocab_duplicates(vocab) == 0;
    uint32_t *ids = tsl_mem_alloc((size_t)size + 1, sizeof *ids, "merges", err);
    uint32_t *place = tsl_mem_alloc(longest + 1, sizeof *place, "merges", err);
    for (unsigned pass = 0; pass < 2 && ids && place; pass++) {
        for (uint32_t id = 0; id < size; id++) {
            struct tsl_slice t = tsl_vocab_token(vocab, id);
            if (t.len < 2 || (!unique && tsl_vocab_find(vocab, t) != (int64_t)id))
                continue;
            if (pass)
                ids[place[t.len]] = id;
            place[t.len]++;
        }
        for (size_t len = 0; pass == 0 && len <= longest; len++) {
            uint32_t here = place[len];
            place[len] = (uint32_t)sum;
            sum += here;
        }
    }
    *n = sum;
    if (!place) {
        tsl_mem_free(ids);
        ids = NULL;
    }
    tsl_mem_free(place);
    return ids;
}

/* From ranks: each token has at most one pair of parts that ever merges into it.  For as
 * long as nothing merges across its ends, the bytes of a token go through the same merges
 * inside a text as alone; and what they are when two parts are left is that pair.  Until
 * then only shorter tokens are made of them: so the pairs are found in the order of
 * lengths, whatever the ranks, and other splits of a token need no entry. */
static int from_ranks(struct tsl_bytebpecore *c, const struct tsl_vocab *vocab,
                      bool *proper, struct tsl_err *err)
{
    struct tsl_bytebpe_scratch s = { .max_bytes = SIZE_MAX };
    uint32_t *order = NULL, *ids = NULL;
    size_t ntokens = 0;
    int rc = slots_make(c, tsl_vocab_count(vocab), err);
    if (rc < 0)
        return rc;
    order = by_length(vocab, &ntokens, err);
    ids = tsl_mem_alloc(tsl_vocab_longest(vocab) + 1, sizeof *ids, "merges", err);
    rc = order && ids ? 0 : TSL_ENOMEM;
    for (size_t i = 0; i < ntokens && rc >= 0; i++) {
        struct tsl_slice t = tsl_vocab_token(vocab, order[i]);
        int64_t n = tsl_bytebpecore_merge(c, &s, t, ids, err);
        if (n < 0)
            rc = (int)n;
        if (n != 2) {
            *proper = false;
        } else {
            pair_put(c, ids[0], ids[1], order[i]);
            if (t.len == 2)
                c->grid[t.data[0]][t.data[1]] = order[i];
        }
    }
    tsl_bytebpe_scratch_fini(&s);
    tsl_mem_free(order);
    tsl_mem_free(ids);
    return rc;
}

static int proper_check(const struct tsl_bytebpecore *c, const struct tsl_vocab *vocab,
                        bool *proper, struct tsl_err *err)
{
    struct tsl_bytebpe_scratch s = { .max_bytes = SIZE_MAX };
    size_t longest = tsl_vocab_longest(vocab);
    int64_t n = 1;
    uint32_t *ids = tsl_mem_alloc(longest + 1, sizeof *ids, "merges", err);
    if (!ids)
        return TSL_ENOMEM;
    for (uint32_t id = 0; id < tsl_vocab_size(vocab) && n == 1; id++) {
        struct tsl_slice t = tsl_vocab_token(vocab, id);
        if (t.len >= 2 && tsl_vocab_find(vocab, t) == (int64_t)id)
            n = tsl_bytebpecore_merge(c, &s, t, ids, err);
    }
    *proper = n == 1;
    tsl_bytebpe_scratch_fini(&s);
    tsl_mem_free(ids);
    return n < 0 ? (int)n : 0;
}

struct tsl_bytebpecore *tsl_bytebpecore_create(const struct tsl_vocab *vocab,
                                               const struct tsl_tokfile_merge *merges,
                                               size_t nmerges, bool *proper,
                                               struct tsl_err *err)
{
    bool ranks_proper = true;
    if (tsl_vocab_size(vocab) > TSL_BYTEBPE_ID_MAX) {
        (void)tsl_err_set(err, TSL_EUSAGE, "token ids up to %" PRIu32 "; at most %d here",
                          tsl_vocab_size(vocab) - 1, TSL_BYTEBPE_ID_MAX - 1);
        return NULL;
    }
    struct tsl_bytebpecore *c = tsl_mem_alloc(1, sizeof *c, "merges", err);
    if (!c)
        return NULL;
    int rc = 0;
    for (unsigned b = 0; b < 256 && rc == 0; b++) {
        uint8_t byte = (uint8_t)b;
        int64_t id = tsl_vocab_find(vocab, (struct tsl_slice){ &byte, 1 });
        c->byte_id[b] = (uint32_t)id;
        /* Bytes that no UTF-8 has may be missing, as in GPT-NeoX: nothing asks for them. */
        if (id < 0 && b != 0xc0 && b != 0xc1 && b < 0xf5)
            rc = tsl_err_set(err, TSL_EUSAGE, "no token for the byte 0x%02x alone", b);
    }
    if (rc == 0)
        rc = merges ? from_merges(c, vocab, merges, nmerges, err)
                    : from_ranks(c, vocab, &ranks_proper, err);
    if (rc == 0 && proper)
        rc = merges ? proper_check(c, vocab, proper, err) : (*proper = ranks_proper, 0);
    if (rc < 0) {
        tsl_bytebpecore_destroy(c);
        return NULL;
    }
    return c;
}

void tsl_bytebpecore_destroy(struct tsl_bytebpecore *c)
{
    if (!c)
        return;
    if (c->pages)
        tsl_pages_unmap(c->pages, c->pages_bytes);
    tsl_mem_free(c->merged);
    tsl_mem_free(c);
}

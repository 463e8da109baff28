#include "text/bpe.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

#define NO_RANK UINT32_MAX
#define NO_ID UINT32_MAX
#define NOWHERE UINT32_MAX

enum {
    ID_MASK = (1 << 24) - 1, /* ids are below 2^24 (vocab.h) */
    UNKNOWN = 1 << 24,       /* set beside the id of a symbol for unknown text */
    /* Up to so many symbols, looking at all of them for each merge beats a heap. */
    SCAN_MAX = 32,
    KEEP_SYMBOLS = 1 << 18, /* a scratch that grew larger is given back after the piece */
    PAGES = (0x110000 >> 8) + 1 /* the last one for what is no character */
};

/* From code point to id + 1, 0: none.  Page 0 has no characters. */
struct chars {
    uint16_t pages[PAGES];
    uint32_t (*ids)[256];
    size_t n, cap;
};

struct pair {
    uint64_t key;  /* left << 32 | right; NO_PAIR: free */
    uint32_t rank; /* NO_RANK: no rule, but some token holds these symbols side by side */
    uint32_t merged;
};

#define NO_PAIR UINT64_MAX

struct tsl_bpe {
    const struct tsl_vocab *vocab;
    struct tsl_bpe_opts opts; /* its slices are not used after creation */
    bool has_unk;
    int64_t unk;
    struct tsl_quoted unk_name;
    int64_t bytes[256]; /* ids of <0x00> to <0xFF>; TSL_VOCAB_NONE: none */
    bool has_all_bytes;
    uint8_t *prefix, *suffix;
    size_t prefix_len, suffix_len;
    struct chars chars[4]; /* bare, with prefix, with suffix, with both */
    struct pair *pairs;
    size_t pairs_mask, npairs;
    /* A bit for each pair's hash, 1 in 16 or fewer set: most questions are for pairs that
     * are not there, and this answers them out of a cache that pairs do not fit into. */
    uint64_t *filter;
    uint64_t filter_mask; /* bits - 1 */
    uint32_t *merged;     /* by rank */
    /* Any two symbols that have no pair are a place to cut. */
    bool has_cuts;
};

struct tsl_bpe_symbol {
    uint32_t id;         /* perhaps UNKNOWN beside it */
    uint32_t rank;       /* of the rule for it and the next one */
    uint32_t begin, end; /* bytes of the piece */
};

struct tsl_bpe_link {
    uint32_t prev, next; /* NOWHERE: none */
};

/* ---- tables ------------------------------------------------------------------------- */

static uint32_t chars_get(const struct chars *c, uint32_t cp)
{
    return c->ids[c->pages[cp >> 8]][cp & 255];
}

static int chars_page(struct chars *c, uint32_t cp, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&c->ids, &c->cap, c->n + 1, sizeof *c->ids, "characters", err);
    if (rc < 0)
        return rc;
    memset(c->ids[c->n], 0, sizeof *c->ids);
    c->pages[cp >> 8] = (uint16_t)c->n++;
    return 0;
}

static int chars_put(struct chars *c, uint32_t cp, uint32_t id, struct tsl_err *err)
{
    int rc = c->pages[cp >> 8] ? 0 : chars_page(c, cp, err);
    if (rc == 0)
        c->ids[c->pages[cp >> 8]][cp & 255] = id + 1;
    return rc;
}

static uint64_t pair_hash(uint64_t key)
{
    return (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32;
}

static struct pair *pair_slot(const struct tsl_bpe *b, uint64_t key)
{
    size_t i = (size_t)pair_hash(key) & b->pairs_mask;
    while (b->pairs[i].key != key && b->pairs[i].key != NO_PAIR)
        i = (i + 1) & b->pairs_mask;
    return &b->pairs[i];
}

static uint64_t pair_key(uint32_t left, uint32_t right)
{
    return (uint64_t)(left & ID_MASK) << 32 | (right & ID_MASK);
}

/* NULL: no token holds them side by side. */
static inline const struct pair *pair_find(const struct tsl_bpe *b, uint32_t left,
                                           uint32_t right)
{
    uint64_t key = pair_key(left, right), bit = pair_hash(key) & b->filter_mask;
    if (!(b->filter[bit >> 6] >> (bit & 63) & 1))
        return NULL;
    const struct pair *p = pair_slot(b, key);
    return p->key == NO_PAIR ? NULL : p;
}

static inline uint32_t pair_rank(const struct tsl_bpe *b, uint32_t left, uint32_t right)
{
    const struct pair *p = pair_find(b, left, right);
    return p ? p->rank : NO_RANK;
}

static int pairs_resize(struct tsl_bpe *b, size_t n, struct tsl_err *err)
{
    struct pair *old = b->pairs, *p = tsl_mem_alloc(n, sizeof *p, "merges", err);
    size_t nold = old ? b->pairs_mask + 1 : 0;
    if (!p)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++)
        p[i].key = NO_PAIR;
    b->pairs = p;
    b->pairs_mask = n - 1;
    for (size_t i = 0; i < nold; i++)
        if (old[i].key != NO_PAIR)
            *pair_slot(b, old[i].key) = old[i];
    tsl_mem_free(old);
    return 0;
}

/* The slot of a pair, perhaps a new one without rule. */
static int pair_add(struct tsl_bpe *b, uint32_t left, uint32_t right, struct pair **slot,
                    struct tsl_err *err)
{
    int rc = 0;
    if (b->npairs > b->pairs_mask / 2)
        rc = pairs_resize(b, 2 * (b->pairs_mask + 1), err);
    if (rc < 0)
        return rc;
    struct pair *p = pair_slot(b, pair_key(left, right));
    if (p->key == NO_PAIR) {
        *p = (struct pair){ pair_key(left, right), NO_RANK, NO_ID };
        b->npairs++;
    }
    *slot = p;
    return 0;
}

/* ---- making ------------------------------------------------------------------------- */

static bool begins_with(struct tsl_slice s, const uint8_t *p, size_t n)
{
    return s.len >= n && (!n || memcmp(s.data, p, n) == 0);
}

static int chars_make(struct tsl_bpe *b, struct tsl_err *err)
{
    int rc = 0;
    for (unsigned k = 0; rc == 0 && k < 4; k++) {
        rc = chars_page(&b->chars[k], 0, err); /* no characters */
        b->chars[k].pages[0] = 0;
    }
    for (uint32_t id = 0; rc == 0 && id < tsl_vocab_size(b->vocab); id++) {
        struct tsl_slice s = tsl_vocab_token(b->vocab, id);
        if (!s.data || tsl_vocab_find(b->vocab, s) != id)
            continue;
        for (unsigned k = 0; rc == 0 && k < 4; k++) {
            size_t before = k & 1 ? b->prefix_len : 0, behind = k & 2 ? b->suffix_len : 0;
            uint32_t cp;
            if (s.len <= before + behind || !begins_with(s, b->prefix, before))
                continue;
            struct tsl_slice c = { s.data + before, s.len - before - behind };
            struct tsl_slice tail = { c.data + c.len, behind };
            if (begins_with(tail, b->suffix, behind) &&
                tsl_utf8_decode(c.data, c.data + c.len, &cp) == c.len &&
                cp != TSL_UTF8_BAD)
                rc = chars_put(&b->chars[k], cp, id, err);
        }
    }
    return rc;
}

static void bytes_find(struct tsl_bpe *b)
{
    static const char hex[] = "0123456789ABCDEF";
    b->has_all_bytes = true;
    for (unsigned i = 0; i < 256; i++) {
        const uint8_t name[] = {
            '<', '0', 'x', (uint8_t)hex[i >> 4], (uint8_t)hex[i & 15], '>'
        };
        b->bytes[i] = tsl_vocab_find(b->vocab, (struct tsl_slice){ name, sizeof name });
        b->has_all_bytes &= b->bytes[i] != TSL_VOCAB_NONE;
    }
}

static int pairs_make(struct tsl_bpe *b, const struct tsl_tokfile_merge *merges, size_t n,
                      struct tsl_err *err)
{
    size_t size = 64;
    while (size < 2 * n)
        size *= 2;
    int rc = pairs_resize(b, size, err);
    b->merged = tsl_mem_alloc(n, sizeof *b->merged, "merges", err);
    if (rc < 0 || !b->merged)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct pair *p;
        const struct tsl_tokfile_merge *m = &merges[i];
        rc = pair_add(b, m->left, m->right, &p, err);
        if (rc < 0)
            return rc;
        p->rank = (uint32_t)i;
        p->merged = b->merged[i] = m->merged;
    }
    return 0;
}

/* Which symbols that a piece begins with can be at a token's edge: one of them, or NO_ID
 * where none was found, or MANY. */
struct edges {
    uint32_t *edge;  /* by id */
    uint32_t *heads; /* first rule that has id on this side; NOWHERE: none */
    uint32_t *nexts; /* by rule */
    uint32_t *todo;
    size_t ntodo;
};

#define MANY (UINT32_MAX - 1)

/* An edge goes from unknown to one to many: todo never has more than two a token. */
static void edge_set(struct edges *e, uint32_t id, uint32_t edge)
{
    if (e->edge[id] == edge || e->edge[id] == MANY)
        return;
    e->edge[id] = e->edge[id] == NO_ID ? edge : MANY;
    e->todo[e->ntodo++] = id;
}

static int edges_make(struct edges *e, const struct tsl_bpe *b,
                      const struct tsl_tokfile_merge *merges, size_t n, bool of_right,
                      struct tsl_err *err)
{
    uint32_t size = tsl_vocab_size(b->vocab);
    e->edge = tsl_mem_alloc(size, sizeof *e->edge, "merges", err);
    e->heads = tsl_mem_alloc(size, sizeof *e->heads, "merges", err);
    e->nexts = tsl_mem_alloc(n, sizeof *e->nexts, "merges", err);
    e->todo = tsl_mem_alloc(2 * (size_t)size, sizeof *e->todo, "merges", err);
    if (!e->edge || !e->heads || !e->nexts || !e->todo)
        return TSL_ENOMEM;
    for (uint32_t id = 0; id < size; id++)
        e->edge[id] = e->heads[id] = NO_ID;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = of_right ? merges[i].right : merges[i].left;
        e->nexts[i] = e->heads[id];
        e->heads[id] = (uint32_t)i;
    }
    for (unsigned k = 0; k < 4; k++)
        for (size_t page = 0; page < b->chars[k].n; page++)
            for (unsigned i = 0; i < 256; i++) {
                uint32_t id = b->chars[k].ids[page][i];
                if (id)
                    edge_set(e, id - 1, id - 1);
            }
    if (b->unk != TSL_VOCAB_NONE)
        edge_set(e, (uint32_t)b->unk, (uint32_t)b->unk);
    for (unsigned i = 0; b->opts.byte_fallback && i < 256; i++)
        if (b->bytes[i] != TSL_VOCAB_NONE)
            edge_set(e, (uint32_t)b->bytes[i], (uint32_t)b->bytes[i]);
    while (e->ntodo > 0) {
        uint32_t id = e->todo[--e->ntodo];
        for (uint32_t i = e->heads[id]; i != NOWHERE; i = e->nexts[i])
            edge_set(e, merges[i].merged, e->edge[id]);
    }
    return 0;
}

static void edges_fini(struct edges *e)
{
    tsl_mem_free(e->edge);
    tsl_mem_free(e->heads);
    tsl_mem_free(e->nexts);
    tsl_mem_free(e->todo);
}

/* Adds all pairs of first symbols that a token can hold side by side: the last one of a
 * rule's left part and the first one of its right part.  Where there is no such pair, no
 * rule can ever reach across, and the piece can be cut. */
static int cuts_make(struct tsl_bpe *b, const struct tsl_tokfile_merge *merges, size_t n,
                     struct tsl_err *err)
{
    struct edges first = { 0 }, last = { 0 };
    int rc = edges_make(&first, b, merges, n, false, err);
    if (rc == 0)
        rc = edges_make(&last, b, merges, n, true, err);
    b->has_cuts = true;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct pair *p;
        uint32_t l = last.edge[merges[i].left], r = first.edge[merges[i].right];
        if (l == NO_ID || r == NO_ID)
            continue; /* nothing leads to one of the parts */
        if (l == MANY || r == MANY)
            b->has_cuts = false;
        else
            rc = pair_add(b, l, r, &p, err);
    }
    edges_fini(&first);
    edges_fini(&last);
    return rc;
}

static int filter_make(struct tsl_bpe *b, struct tsl_err *err)
{
    size_t nbits = 1024;
    while (nbits < 16 * b->npairs && nbits < (size_t)1 << 32)
        nbits *= 2;
    b->filter = tsl_mem_alloc(nbits / 64, sizeof *b->filter, "merges", err);
    if (!b->filter)
        return TSL_ENOMEM;
    b->filter_mask = nbits - 1;
    for (size_t i = 0; i <= b->pairs_mask; i++)
        if (b->pairs[i].key != NO_PAIR) {
            uint64_t bit = pair_hash(b->pairs[i].key) & b->filter_mask;
            b->filter[bit >> 6] |= UINT64_C(1) << (bit & 63);
        }
    return 0;
}

static int bytes_copy(uint8_t **to, size_t *len, struct tsl_slice s, struct tsl_err *err)
{
    *to = tsl_mem_alloc(s.len, 1, "a prefix", err);
    if (!*to)
        return TSL_ENOMEM;
    if (s.len)
        memcpy(*to, s.data, s.len);
    *len = s.len;
    return 0;
}

int tsl_bpe_check(size_t n, const struct tsl_bpe_opts *o, struct tsl_err *err)
{
    if (o->dropout != 0)
        return tsl_err_set(err, TSL_EFORMAT,
                           "a BPE model with dropout %g: its tokens would be random",
                           o->dropout);
    if (n >= NO_RANK / 4)
        return tsl_err_set(err, TSL_EFORMAT, "a BPE model with %zu merges", n);
    return 0;
}

struct tsl_bpe *tsl_bpe_create(const struct tsl_vocab *v,
                               const struct tsl_tokfile_merge *merges, size_t n,
                               const struct tsl_bpe_opts *o, struct tsl_err *err)
{
    if (tsl_bpe_check(n, o, err) < 0)
        return NULL;
    struct tsl_bpe *b = tsl_mem_alloc(1, sizeof *b, "a BPE model", err);
    if (!b)
        return NULL;
    b->vocab = v;
    b->opts = *o;
    b->has_unk = o->unk.data != NULL;
    b->unk = b->has_unk ? tsl_vocab_find(v, o->unk) : TSL_VOCAB_NONE;
    if (b->has_unk)
        b->unk_name = tsl_tokfile_quote(o->unk);
    bytes_find(b);
    int rc = bytes_copy(&b->prefix, &b->prefix_len, o->prefix, err);
    if (rc == 0)
        rc = bytes_copy(&b->suffix, &b->suffix_len, o->suffix, err);
    if (rc == 0)
        rc = chars_make(b, err);
    if (rc == 0)
        rc = pairs_make(b, merges, n, err);
    if (rc == 0)
        rc = cuts_make(b, merges, n, err);
    if (rc == 0)
        rc = filter_make(b, err);
    if (rc < 0) {
        tsl_bpe_destroy(b);
        return NULL;
    }
    return b;
}

void tsl_bpe_destroy(struct tsl_bpe *b)
{
    if (!b)
        return;
    for (unsigned k = 0; k < 4; k++)
        tsl_mem_free(b->chars[k].ids);
    tsl_mem_free(b->prefix);
    tsl_mem_free(b->suffix);
    tsl_mem_free(b->pairs);
    tsl_mem_free(b->filter);
    tsl_mem_free(b->merged);
    tsl_mem_free(b);
}

void tsl_bpe_scratch_init(struct tsl_bpe_scratch *s)
{
    *s = (struct tsl_bpe_scratch){ 0 };
}

void tsl_bpe_scratch_fini(struct tsl_bpe_scratch *s)
{
    tsl_mem_free(s->symbols);
    tsl_mem_free(s->links);
    tsl_mem_free(s->heap);
    tsl_bpe_scratch_init(s);
}

/* ---- merging ------------------------------------------------------------------------ */

/* A stretch [0, n) of symbols between two cuts. */
struct run {
    const struct tsl_bpe *b;
    struct tsl_bpe_scratch *s;
    struct tsl_tokens *out;
    size_t n;
};

static int put(struct run *r, const struct tsl_bpe_symbol *s, struct tsl_err *err)
{
    return tsl_tokens_add(r->out, s->id & ID_MASK, s->begin, s->end,
                          s->id & UNKNOWN ? TSL_TOKEN_UNKNOWN : 0, err);
}

/* Few symbols: look at all of them for each merge.  Returns how many are left. */
static size_t by_scan(const struct tsl_bpe *b, struct tsl_bpe_symbol *s, size_t n)
{
    for (;;) {
        size_t at = 0;
        uint32_t best = NO_RANK;
        for (size_t i = 0; i + 1 < n; i++)
            if (s[i].rank < best) {
                best = s[i].rank;
                at = i;
            }
        if (best == NO_RANK)
            return n;
        s[at].id = b->merged[best];
        s[at].end = s[at + 1].end;
        n--;
        memmove(&s[at + 1], &s[at + 2], (n - at - 1) * sizeof *s);
        s[at].rank = at + 1 < n ? pair_rank(b, s[at].id, s[at + 1].id) : NO_RANK;
        if (at > 0)
            s[at - 1].rank = pair_rank(b, s[at - 1].id, s[at].id);
    }
}

/* A heap of four children a node, the smallest on top: rank << 32 | place of the left
 * symbol, so that of equal ranks the leftmost comes first. */
static void heap_down(uint64_t *heap, size_t n, size_t at, uint64_t x)
{
    for (;;) {
        size_t child = 4 * at + 1, end = child + 4 < n ? child + 4 : n, least = child;
        if (child >= n)
            break;
        for (size_t i = child + 1; i < end; i++)
            least = heap[i] < heap[least] ? i : least;
        if (heap[least] >= x)
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = x;
}

static void heap_up(uint64_t *heap, size_t at, uint64_t x)
{
    while (at > 0 && heap[(at - 1) / 4] > x) {
        heap[at] = heap[(at - 1) / 4];
        at = (at - 1) / 4;
    }
    heap[at] = x;
}

/* The rank of the pair at place i has changed: noted in the symbol, and in the heap. */
static int pair_push(struct run *r, size_t i, size_t *n, struct tsl_err *err)
{
    struct tsl_bpe_symbol *s = r->s->symbols;
    s[i].rank = pair_rank(r->b, s[i].id, s[r->s->links[i].next].id);
    if (s[i].rank == NO_RANK)
        return 0;
    int rc = tsl_mem_grow(&r->s->heap, &r->s->heap_cap, *n + 1, sizeof *r->s->heap,
                          "a piece", err);
    if (rc == 0)
        heap_up(r->s->heap, (*n)++, (uint64_t)s[i].rank << 32 | i);
    return rc;
}

static int merge_at(struct run *r, size_t i, uint32_t rank, size_t *n,
                    struct tsl_err *err)
{
    struct tsl_bpe_symbol *s = r->s->symbols;
    struct tsl_bpe_link *links = r->s->links;
    uint32_t right = links[i].next;
    int rc = 0;
    s[i].id = r->b->merged[rank];
    s[i].end = s[right].end;
    s[i].rank = s[right].rank = NO_RANK;
    links[i].next = links[right].next;
    if (links[i].next != NOWHERE) {
        links[links[i].next].prev = (uint32_t)i;
        rc = pair_push(r, i, n, err);
    }
    if (rc == 0 && links[i].prev != NOWHERE)
        rc = pair_push(r, links[i].prev, n, err);
    return rc;
}

/* Many symbols: a heap, where entries for pairs that are gone stay until they come up. */
static int by_heap(struct run *r, struct tsl_err *err)
{
    struct tsl_bpe_symbol *s = r->s->symbols;
    size_t n = 0;
    int rc = tsl_mem_grow(&r->s->links, &r->s->links_cap, r->n, sizeof *r->s->links,
                          "a piece", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->s->heap, &r->s->heap_cap, r->n, sizeof *r->s->heap,
                          "a piece", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < r->n; i++) {
        r->s->links[i] =
            (struct tsl_bpe_link){ i ? (uint32_t)i - 1 : NOWHERE,
                                   i + 1 < r->n ? (uint32_t)i + 1 : NOWHERE };
        if (s[i].rank != NO_RANK)
            r->s->heap[n++] = (uint64_t)s[i].rank << 32 | i;
    }
    for (size_t i = n; i-- > 0;)
        heap_down(r->s->heap, n, i, r->s->heap[i]);
    while (rc == 0 && n > 0) {
        uint64_t top = r->s->heap[0];
        n--;
        if (n > 0)
            heap_down(r->s->heap, n, 0, r->s->heap[n]);
        if (s[(uint32_t)top].rank == top >> 32) /* else the pair is gone */
            rc = merge_at(r, (uint32_t)top, (uint32_t)(top >> 32), &n, err);
    }
    for (uint32_t i = 0; rc == 0 && i != NOWHERE; i = r->s->links[i].next)
        rc = put(r, &s[i], err);
    return rc;
}

static int flush(struct run *r, struct tsl_err *err)
{
    int rc = 0;
    if (r->n > SCAN_MAX) {
        rc = by_heap(r, err);
    } else {
        size_t n = by_scan(r->b, r->s->symbols, r->n);
        for (size_t i = 0; rc == 0 && i < n; i++)
            rc = put(r, &r->s->symbols[i], err);
    }
    r->n = 0;
    return rc;
}

/* ---- from characters to symbols ------------------------------------------------------- */

static int symbol_add(struct run *r, uint32_t id, size_t begin, size_t end,
                      struct tsl_err *err)
{
    int rc = 0;
    if (r->n > 0) {
        struct tsl_bpe_symbol *left = &r->s->symbols[r->n - 1];
        const struct pair *p = pair_find(r->b, left->id, id);
        left->rank = p ? p->rank : NO_RANK;
        if (!p && r->b->has_cuts)
            rc = flush(r, err);
    }
    if (rc == 0)
        rc = tsl_mem_grow(&r->s->symbols, &r->s->symbols_cap, r->n + 1,
                          sizeof *r->s->symbols, "a piece", err);
    if (rc == 0)
        r->s->symbols[r->n++] =
            (struct tsl_bpe_symbol){ id, NO_RANK, (uint32_t)begin, (uint32_t)end };
    return rc;
}

static bool has_bytes(const struct tsl_bpe *b, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (b->bytes[p[i]] == TSL_VOCAB_NONE)
            return false;
    return true;
}

/* Unknown characters that wait for what follows, since they may be one token with it. */
struct unknown {
    bool waits;
    size_t begin, end;
};

static int unknown_put(struct run *r, struct unknown *u, struct tsl_err *err)
{
    if (!u->waits)
        return 0;
    u->waits = false;
    return symbol_add(r, (uint32_t)r->b->unk | UNKNOWN, u->begin, u->end, err);
}

/* 1: the character (with its prefix and suffix) was added as bytes; 0: it cannot be. */
static int bytes_put(struct run *r, struct tsl_slice piece, size_t begin, size_t end,
                     unsigned kind, struct tsl_err *err)
{
    const struct tsl_bpe *b = r->b;
    size_t before = kind & 1 ? b->prefix_len : 0, behind = kind & 2 ? b->suffix_len : 0;
    int rc = 0;
    if (!b->opts.byte_fallback || !has_bytes(b, b->prefix, before) ||
        !has_bytes(b, piece.data + begin, end - begin) ||
        !has_bytes(b, b->suffix, behind))
        return 0;
    for (size_t i = 0; rc == 0 && i < before; i++)
        rc = symbol_add(r, (uint32_t)b->bytes[b->prefix[i]], begin, begin, err);
    for (size_t i = begin; rc == 0 && i < end; i++)
        rc = symbol_add(r, (uint32_t)b->bytes[piece.data[i]], i, i + 1, err);
    for (size_t i = 0; rc == 0 && i < behind; i++)
        rc = symbol_add(r, (uint32_t)b->bytes[b->suffix[i]], end, end, err);
    return rc < 0 ? rc : 1;
}

static int unknown_add(struct run *r, struct unknown *u, struct tsl_slice piece,
                       size_t begin, size_t end, struct tsl_err *err)
{
    const struct tsl_bpe *b = r->b;
    int rc = 0;
    if (!b->has_unk)
        return 0; /* it vanishes */
    if (b->unk == TSL_VOCAB_NONE)
        return tsl_err_set(
            err, TSL_EFORMAT,
            "the vocabulary has no token for %s, and not %s, the token for "
            "unknown characters",
            tsl_tokfile_quote((struct tsl_slice){ piece.data + begin, end - begin }).s,
            b->unk_name.s);
    if (u->waits && b->opts.fuse_unk) {
        u->end = end;
        return 0;
    }
    rc = unknown_put(r, u, err);
    *u = (struct unknown){ true, begin, end };
    return rc;
}

static int encode(struct run *r, struct tsl_slice piece, struct tsl_err *err)
{
    const uint8_t *p = piece.data, *stop = p + piece.len;
    struct unknown unknown = { 0 };
    int rc = 0;
    for (size_t begin = 0, end; rc == 0 && begin < piece.len; begin = end) {
        uint32_t cp;
        end = begin + tsl_utf8_decode(p + begin, stop, &cp);
        unsigned kind = (begin > 0 ? 1U : 0U) | (end == piece.len ? 2U : 0U);
        uint32_t id = chars_get(&r->b->chars[kind], cp);
        if (id) {
            rc = unknown_put(r, &unknown, err);
            if (rc == 0)
                rc = symbol_add(r, id - 1, begin, end, err);
            continue;
        }
        /* HF puts bytes in front of the unknown characters that wait, and so must we. */
        rc = bytes_put(r, piece, begin, end, kind, err);
        if (rc == 0)
            rc = unknown_add(r, &unknown, piece, begin, end, err);
        else if (rc > 0)
            rc = 0;
    }
    if (rc == 0)
        rc = unknown_put(r, &unknown, err);
    return rc < 0 ? rc : flush(r, err);
}

int tsl_bpe_encode(const struct tsl_bpe *b, struct tsl_bpe_scratch *s,
                   struct tsl_slice piece, struct tsl_tokens *out, struct tsl_err *err)
{
    struct run r = { .b = b, .s = s, .out = out };
    if (piece.len >= NOWHERE)
        return tsl_err_set(err, TSL_EFORMAT, "a piece of %zu bytes; at most %lu",
                           piece.len, (unsigned long)NOWHERE - 1);
    if (!piece.len)
        return 0;
    if (b->opts.ignore_merges && piece.len <= tsl_vocab_longest(b->vocab)) {
        int64_t id = tsl_vocab_find(b->vocab, piece);
        if (id != TSL_VOCAB_NONE)
            return tsl_tokens_add(out, (uint32_t)id, 0, (uint32_t)piece.len, 0, err);
    }
    int rc = encode(&r, piece, err);
    if (s->symbols_cap > KEEP_SYMBOLS || s->heap_cap > KEEP_SYMBOLS)
        tsl_bpe_scratch_fini(s);
    return rc;
}

/* ---- cuts --------------------------------------------------------------------------- */

bool tsl_bpe_may_join(const struct tsl_bpe *b, uint32_t left, uint32_t right)
{
    return !b->has_cuts || pair_find(b, left, right);
}

/* The symbol that a character of the piece ends (or begins) with; NO_ID: not to be told
 * without its neighbours. */
static uint32_t edge_of(const struct tsl_bpe *b, const uint8_t *p, size_t n, uint32_t cp,
                        bool of_left)
{
    uint32_t id = chars_get(&b->chars[0], cp);
    if (id)
        return id - 1;
    /* Where some bytes are missing, an unknown character may come behind the bytes of the
     * next one: see encode. */
    if (b->opts.byte_fallback && b->has_unk && !b->has_all_bytes)
        return NO_ID;
    if (b->opts.byte_fallback)
        return has_bytes(b, p, n) ? (uint32_t)b->bytes[p[of_left ? n - 1 : 0]] : NO_ID;
    return b->unk == TSL_VOCAB_NONE ? NO_ID : (uint32_t)b->unk | UNKNOWN;
}

bool tsl_bpe_may_cut(const struct tsl_bpe *b, struct tsl_slice piece, size_t at)
{
    const uint8_t *p = piece.data;
    size_t before = at;
    uint32_t left_cp, right_cp;
    if (!b->has_cuts || b->prefix_len || b->suffix_len || b->opts.ignore_merges)
        return false;
    do
        before--;
    while (before > 0 && at - before < 4 && (p[before] & 0xc0) == 0x80);
    size_t left_len = tsl_utf8_decode(p + before, p + at, &left_cp);
    size_t right_len = tsl_utf8_decode(p + at, p + piece.len, &right_cp);
    if (left_cp == TSL_UTF8_BAD || right_cp == TSL_UTF8_BAD || left_len != at - before)
        return false;
    uint32_t left = edge_of(b, p + before, left_len, left_cp, true);
    uint32_t right = edge_of(b, p + at, right_len, right_cp, false);
    if (left == NO_ID || right == NO_ID)
        return false;
    if (b->opts.fuse_unk && left & right & UNKNOWN)
        return false;
    return !pair_find(b, left, right);
}

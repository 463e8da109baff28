/* BPE as SentencePiece has it: of all neighbours that put together are a piece the ones
 * with the highest score are joined, the leftmost first, until there are none.
 *
 * A symbol is a character or a piece.  All ways to make a piece of two symbols are known
 * beforehand, so that a pair of numbers decides.  An agenda's entry needs no more than rank
 * and place: where an entry is stale but its rank is that of the pair which stands at its
 * place now, that pair has an equal entry of its own.
 *
 * Pieces of type UNUSED take part in joining, and are taken apart again in the end, the way
 * in which they were put together last, anywhere in the text.  Where a model has UNUSED
 * pieces that can be put together in more than one way, a row is never cut. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/spmmodel.h"

enum { SMALL = 24 };

static uint64_t mix(uint64_t pair)
{
    pair *= UINT64_C(0x9e3779b97f4a7c15);
    return pair ^ pair >> 32;
}

/* ---- the pairs ------------------------------------------------------------------------ */

struct scored {
    float score;
    uint32_t id;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return x->score > y->score ? -1 : x->score < y->score;
}

static int rank_pieces(const struct tsl_spm *m, uint32_t **ranks, struct tsl_err *err)
{
    struct scored *s = tsl_mem_alloc(m->npieces, sizeof *s, "ranks", err);
    uint32_t *r = tsl_mem_alloc(m->npieces, sizeof *r, "ranks", err), rank = 0;
    *ranks = r;
    if (!s || !r) {
        tsl_mem_free(s);
        return TSL_ENOMEM;
    }
    for (uint32_t i = 0; i < m->npieces; i++)
        s[i] = (struct scored){ m->file->pieces[i].score, i };
    qsort(s, m->npieces, sizeof *s, by_score);
    for (uint32_t i = 0; i < m->npieces; i++) {
        rank += i && s[i].score < s[i - 1].score;
        r[s[i].id] = rank;
    }
    tsl_mem_free(s);
    return 0;
}

struct pairs {
    struct tsl_spm_merge *list;
    size_t n, cap;
};

/* The symbol that text is: a character or a piece; SPM_NONE. */
static uint32_t symbol_of(const struct tsl_spm *m, struct tsl_slice text)
{
    uint32_t cp;
    if (tsl_spm_char(text.data, &cp) == text.len)
        return tsl_spm_cell(m, cp) & SPM_NONE;
    int64_t id = tsl_trie_find(&m->trie, text);
    return id < 0 ? SPM_NONE : (uint32_t)id;
}

static bool is_user(const struct tsl_spm *m, uint32_t sym)
{
    return sym < m->npieces && m->file->pieces[sym].type == TSL_SPM_USER_DEFINED;
}

/* Adds all ways to make piece id, whose text is given, of two symbols. */
static int split_piece(const struct tsl_spm *m, struct tsl_slice text, uint32_t id,
                       uint32_t rank, struct pairs *out, struct tsl_err *err)
{
    uint64_t state = tsl_trie_root(&m->trie);
    unsigned ways = 0;
    for (size_t at = 0; at < text.len;) {
        uint32_t cp;
        size_t len = tsl_spm_char(text.data + at, &cp);
        for (size_t i = 0; i < len; i++)
            tsl_trie_step(&m->trie, &state, text.data[at + i]);
        uint32_t left = at == 0 ? tsl_spm_cell(m, cp) & SPM_NONE
                        : tsl_trie_value(&m->trie, state) < 0
                            ? SPM_NONE
                            : (uint32_t)tsl_trie_value(&m->trie, state);
        at += len;
        if (at == text.len || left == SPM_NONE || is_user(m, left))
            continue;
        uint32_t right =
            symbol_of(m, (struct tsl_slice){ text.data + at, text.len - at });
        if (right == SPM_NONE || is_user(m, right))
            continue;
        int rc = tsl_mem_grow(&out->list, &out->cap, out->n + 1, sizeof *out->list,
                              "pairs of pieces", err);
        if (rc < 0)
            return rc;
        out->list[out->n++] =
            (struct tsl_spm_merge){ (uint64_t)left << 32 | right, id, rank };
        ways++;
    }
    return ways > 1 && m->file->pieces[id].type == TSL_SPM_UNUSED;
}

int tsl_spm_bpe_init(struct tsl_spm *m, const struct tsl_slice *texts,
                     const uint32_t *ids, size_t n, struct tsl_err *err)
{
    struct pairs all = { 0 };
    uint32_t *ranks = NULL;
    int rc = rank_pieces(m, &ranks, err);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        m->has_unused |= m->file->pieces[ids[i]].type == TSL_SPM_UNUSED;
        rc = split_piece(m, texts[i], ids[i], ranks[ids[i]], &all, err);
        m->whole |= rc > 0;
    }
    if (rc >= 0) {
        size_t slots = 1024;
        while (slots < all.n * 2)
            slots *= 2;
        m->merges = tsl_mem_alloc(slots, sizeof *m->merges, "pairs of pieces", err);
        rc = m->merges ? 0 : TSL_ENOMEM;
        m->merges_mask = slots - 1;
        for (size_t i = 0; i < slots && m->merges; i++)
            m->merges[i].pair = UINT64_MAX;
    }
    for (size_t i = 0; i < all.n && rc >= 0; i++) {
        size_t at = mix(all.list[i].pair) & m->merges_mask;
        while (m->merges[at].pair != UINT64_MAX)
            at = (at + 1) & m->merges_mask;
        m->merges[at] = all.list[i];
    }
    m->may_stream = !m->has_unused; /* which hang on the whole text */
    tsl_mem_free(all.list);
    tsl_mem_free(ranks);
    return rc < 0 ? rc : 0;
}

TSL_INLINE const struct tsl_spm_merge *merge_of(const struct tsl_spm *m, uint32_t left,
                                                uint32_t right)
{
    uint64_t pair = (uint64_t)left << 32 | right;
    for (size_t at = mix(pair) & m->merges_mask;; at = (at + 1) & m->merges_mask) {
        const struct tsl_spm_merge *p = &m->merges[at];
        if (p->pair == pair)
            return p;
        if (p->pair == UINT64_MAX)
            return NULL;
    }
}

/* ---- joining -------------------------------------------------------------------------- */

/* The symbol that s begins with, and its bytes. */
TSL_INLINE uint32_t first_symbol(const struct tsl_spm *m, const uint8_t *s, size_t n,
                                 size_t *len)
{
    uint32_t cp;
    if (TSL_UNLIKELY(m->has_user)) {
        uint64_t state = tsl_trie_root(&m->user);
        int64_t found = -1;
        for (size_t i = 0; i < n && tsl_trie_step(&m->user, &state, s[i]); i++) {
            if (tsl_trie_value(&m->user, state) >= 0) {
                found = tsl_trie_value(&m->user, state);
                *len = i + 1;
            }
        }
        if (found >= 0)
            return (uint32_t)found | SPM_FROZEN;
    }
    *len = tsl_spm_char(s, &cp);
    if (TSL_UNLIKELY(*len > n))
        *len = n;
    return tsl_spm_cell(m, cp) & SPM_NONE;
}

TSL_INLINE const struct tsl_spm_merge *look(struct tsl_spm_coder *c, uint32_t left,
                                            uint32_t right)
{
    const struct tsl_spm_merge *p = merge_of(c->m, left, right);
    if (TSL_UNLIKELY(c->m->has_unused) && p)
        c->unjoin[p->to] = p->pair;
    return p;
}

/* Adds sym, of len bytes, taken apart if it is UNUSED. */
static int add_symbol(struct tsl_spm_coder *c, uint32_t sym, const uint8_t *s, size_t len,
                      struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    if (sym & SPM_FROZEN)
        return tsl_spm_add_hit(c, sym & ~(uint32_t)SPM_FROZEN, len, err);
    if (sym == SPM_NONE)
        return tsl_spm_add_hit(c, m->unk, len, err);
    if (TSL_LIKELY(!m->has_unused))
        return tsl_spm_add_hit(c, m->final[sym], len, err);
    size_t n = 0;
    int rc = tsl_mem_grow(&c->stack, &c->stack_cap, 1, sizeof *c->stack, "symbols", err);
    if (rc == 0)
        c->stack[n++] = sym;
    while (n && rc == 0) {
        sym = c->stack[--n];
        size_t bytes = 0;
        if (sym < m->npieces && m->final[sym] == sym &&
            m->file->pieces[sym].type == TSL_SPM_UNUSED && c->unjoin[sym] != UINT64_MAX) {
            rc = tsl_mem_grow(&c->stack, &c->stack_cap, n + 2, sizeof *c->stack,
                              "symbols", err);
            if (rc == 0) {
                c->stack[n++] = (uint32_t)c->unjoin[sym];
                c->stack[n++] = (uint32_t)(c->unjoin[sym] >> 32);
            }
            continue;
        }
        if (sym < m->npieces) {
            struct tsl_slice t = m->file->pieces[sym].text;
            for (size_t i = 0; i < t.len; i++, bytes++)
                if (m->escape && t.len - i >= 3 &&
                    memcmp(t.data + i, "\xe2\x96\x81", 3) == 0)
                    i += 2;
        } else {
            uint32_t cp;
            bytes = tsl_spm_char(s, &cp);
        }
        rc = tsl_spm_add_hit(c, m->final[sym], bytes, err);
        s += bytes;
    }
    return rc;
}

/* A few symbols: the best pair is looked for in all of them. */
static int encode_small(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                        struct tsl_err *err)
{
    const struct tsl_spm *m = c->m;
    uint32_t sym[SMALL + 1], to[SMALL + 1], rank[SMALL + 1], at[SMALL + 2];
    size_t k = 0, len;
    int rc = 0;
    for (size_t i = 0; i < n; i += len) {
        sym[k] = first_symbol(m, s + i, n - i, &len);
        at[k++] = (uint32_t)i;
    }
    at[k] = (uint32_t)n;
    for (size_t i = 0; i + 1 < k; i++) {
        const struct tsl_spm_merge *p = look(c, sym[i], sym[i + 1]);
        rank[i] = p ? p->rank : UINT32_MAX;
        to[i] = p ? p->to : 0;
    }
    while (k > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < k; i++)
            best = rank[i] < rank[best] ? i : best;
        if (rank[best] == UINT32_MAX)
            break;
        sym[best] = to[best];
        k--;
        for (size_t i = best + 1; i < k; i++) {
            sym[i] = sym[i + 1];
            at[i] = at[i + 1];
            rank[i - 1] = rank[i];
            to[i - 1] = to[i];
        }
        at[k] = (uint32_t)n;
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < k; i++) {
            const struct tsl_spm_merge *p = look(c, sym[i], sym[i + 1]);
            rank[i] = p ? p->rank : UINT32_MAX;
            to[i] = p ? p->to : 0;
        }
    }
    for (size_t i = 0; i < k && rc == 0; i++)
        rc = add_symbol(c, sym[i], s + at[i], at[i + 1] - at[i], err);
    return rc;
}

static int push(struct tsl_spm_coder *c, uint64_t x, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&c->heap, &c->heap_cap, c->nheap + 1, sizeof *c->heap,
                          "an agenda", err);
    if (rc < 0)
        return rc;
    size_t i = c->nheap++;
    for (; i > 0 && c->heap[(i - 1) / 2] > x; i = (i - 1) / 2)
        c->heap[i] = c->heap[(i - 1) / 2];
    c->heap[i] = x;
    return 0;
}

static uint64_t pop(struct tsl_spm_coder *c)
{
    uint64_t *h = c->heap, top = h[0], x = h[--c->nheap];
    size_t n = c->nheap, i = 0;
    for (size_t k; (k = 2 * i + 1) < n; i = k) {
        k += k + 1 < n && h[k + 1] < h[k];
        if (h[k] >= x)
            break;
        h[i] = h[k];
    }
    h[i] = x;
    return top;
}

/* The pair that begins at symbol i, if there is one, onto the agenda. */
static int consider(struct tsl_spm_coder *c, size_t i, struct tsl_err *err)
{
    const struct tsl_spm_symbol *a = &c->symbols[i];
    if (a->next == UINT32_MAX)
        return 0;
    const struct tsl_spm_merge *p = look(c, a->sym, c->symbols[a->next].sym);
    return p ? push(c, (uint64_t)p->rank << 32 | i, err) : 0;
}

static int encode_large(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                        struct tsl_err *err)
{
    enum { GONE = -1 };
    const struct tsl_spm *m = c->m;
    size_t k = 0, len;
    int rc = 0;
    for (size_t i = 0; i < n; i += len, k++) {
        uint32_t sym = first_symbol(m, s + i, n - i, &len);
        rc = tsl_mem_grow(&c->symbols, &c->symbols_cap, k + 1, sizeof *c->symbols,
                          "symbols", err);
        if (rc < 0)
            return rc;
        c->symbols[k] =
            (struct tsl_spm_symbol){ sym, (uint32_t)i, (uint32_t)k - 1, (uint32_t)k + 1 };
    }
    struct tsl_spm_symbol *a = c->symbols;
    a[0].prev = UINT32_MAX;
    a[k - 1].next = UINT32_MAX;
    c->nheap = 0;
    for (size_t i = 0; i < k && rc == 0; i++)
        rc = consider(c, i, err);
    while (c->nheap && rc == 0) {
        uint64_t top = pop(c);
        uint32_t i = (uint32_t)top, next = a[i].next;
        if (a[i].sym == (uint32_t)GONE || next == UINT32_MAX)
            continue;
        const struct tsl_spm_merge *p = merge_of(m, a[i].sym, a[next].sym);
        if (!p || p->rank != top >> 32)
            continue;
        a[i].sym = p->to;
        a[i].next = a[next].next;
        a[next].sym = (uint32_t)GONE;
        if (a[i].next != UINT32_MAX)
            a[a[i].next].prev = i;
        if (a[i].prev != UINT32_MAX)
            rc = consider(c, a[i].prev, err);
        if (rc == 0)
            rc = consider(c, i, err);
    }
    for (uint32_t i = 0; i != UINT32_MAX && rc == 0; i = a[i].next) {
        size_t end = a[i].next == UINT32_MAX ? n : a[a[i].next].at;
        rc = add_symbol(c, a[i].sym, s + a[i].at, end - a[i].at, err);
    }
    return rc;
}

int tsl_spm_bpe_encode(struct tsl_spm_coder *c, const uint8_t *s, size_t n,
                       struct tsl_err *err)
{
    return n <= SMALL ? encode_small(c, s, n, err) : encode_large(c, s, n, err);
}

static int64_t merge_few(void *ctx, const uint8_t *p, size_t n, size_t *first,
                         struct tsl_err *err)
{
    struct tsl_spm_coder *c = ctx;
    size_t before = c->nhits;
    int rc = tsl_spm_bpe_encode(c, p, n, err);
    size_t k = c->nhits - before;
    if (rc < 0)
        return rc;
    *first = c->hits[before].len;
    c->nhits = before;
    return (int64_t)k;
}

static int put_hits(void *ctx, const uint8_t *p, const struct tsl_longbpe_token *tokens,
                    size_t n, struct tsl_err *err)
{
    struct tsl_spm_coder *c = ctx;
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; p += tokens[i++].len) {
        uint32_t sym = tokens[i].id, cp;
        if (sym == TSL_LONGBPE_NONE) {
            tsl_spm_char(p, &cp);
            sym = tsl_spm_cell(c->m, cp) & SPM_NONE;
        }
        rc = add_symbol(c, sym, p, tokens[i].len, err);
    }
    return rc;
}

/* The first user-defined symbol in s[at, n): where it begins, its bytes and id; n and -1 if
 * there is none.  Where s goes on, only what is certain. */
static size_t next_user(const struct tsl_spm *m, const uint8_t *s, size_t at, size_t n,
                        bool open, size_t *len, int64_t *id)
{
    uint32_t cp;
    *id = -1;
    *len = 0;
    if (!m->has_user)
        return n;
    for (; at < n; at += tsl_spm_char(s + at, &cp)) {
        uint64_t state = tsl_trie_root(&m->user);
        if (open && n - at < m->longest)
            return at;
        for (size_t i = at; i < n && tsl_trie_step(&m->user, &state, s[i]); i++) {
            if (tsl_trie_value(&m->user, state) >= 0) {
                *id = tsl_trie_value(&m->user, state);
                *len = i + 1 - at;
            }
        }
        if (*id >= 0)
            return at;
    }
    return n;
}

int tsl_spm_bpe_huge(struct tsl_spm_coder *c, const uint8_t *s, size_t n, bool begins,
                     bool open, struct tsl_err *err)
{
    struct tsl_longbpe_opts o = { .trie = &c->m->trie,
                                  .longest = c->m->longest,
                                  .chars = true,
                                  .merge = merge_few,
                                  .put = put_hits,
                                  .ctx = c };
    size_t used, len = 0;
    int rc = 0;
    if (!c->huge)
        c->huge = tsl_longbpe_create(&o, err);
    if (!c->huge)
        return TSL_ENOMEM;
    for (size_t at = 0; at < n && rc == 0; at += len) {
        int64_t user;
        size_t to = next_user(c->m, s, at, n, open, &len, &user);
        bool goes_on = open && user < 0;
        if (begins)
            tsl_longbpe_begin(c->huge);
        rc = tsl_longbpe_run(c->huge, s + at, to - at, goes_on, &used, err);
        if (goes_on)
            break;
        if (rc == 0 && user >= 0)
            rc = tsl_spm_add_hit(c, (uint32_t)user, len, err);
        begins = true;
        at = to;
    }
    return rc;
}

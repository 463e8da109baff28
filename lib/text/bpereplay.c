#include "text/bpereplay.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define NONE UINT32_MAX

/* Up to here the best pair is looked for, beyond it stands in a heap. */
enum { SHORT = 48 };

/* ---- the merges ------------------------------------------------------------------------ */

static size_t place(const struct tsl_bpereplay *r, uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)((h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93) >> 32) & r->mask;
}

/* The slot of a pair: it has the pair, or is free. */
static uint32_t *slot_of(const struct tsl_bpereplay *r, uint32_t left, uint32_t right)
{
    for (size_t i = place(r, left, right);; i = (i + 1) & r->mask) {
        uint32_t *s = &r->slots[i];
        if (!*s || (r->merge[*s - 1].left == left && r->merge[*s - 1].right == right))
            return s;
    }
}

static int table_room(struct tsl_bpereplay *r, struct tsl_err *err)
{
    if (r->slots && (r->n + 1) * 2 <= r->mask)
        return 0;
    size_t size = r->slots ? 2 * (r->mask + 1) : 256;
    uint32_t *slots = tsl_mem_alloc(size, sizeof *slots, "merges", err);
    if (!slots)
        return TSL_ENOMEM;
    tsl_mem_free(r->slots);
    r->slots = slots;
    r->mask = size - 1;
    for (size_t i = 0; i < r->n; i++) {
        uint32_t *s = slot_of(r, r->merge[i].left, r->merge[i].right);
        if (!*s)
            *s = (uint32_t)i + 1;
    }
    return 0;
}

int tsl_bpereplay_add(struct tsl_bpereplay *r, uint32_t left, uint32_t right, uint32_t id,
                      struct tsl_err *err)
{
    int rc = tsl_mem_grow(&r->merge, &r->cap, r->n + 1, sizeof *r->merge, "merges", err);
    if (rc == 0)
        rc = table_room(r, err);
    if (rc < 0)
        return rc;
    uint32_t *s = slot_of(r, left, right), i = (uint32_t)r->n;
    r->merge[r->n++] = (struct tsl_bpereplay_merge){ left, right, id, NONE };
    if (!*s) {
        *s = i + 1;
        return 0;
    }
    uint32_t at = *s - 1;
    while (r->merge[at].again != NONE)
        at = r->merge[at].again;
    r->merge[at].again = i;
    return 0;
}

void tsl_bpereplay_clear(struct tsl_bpereplay *r)
{
    r->n = 0;
    if (r->slots)
        memset(r->slots, 0, (r->mask + 1) * sizeof *r->slots);
}

void tsl_bpereplay_fini(struct tsl_bpereplay *r)
{
    tsl_mem_free(r->merge);
    tsl_mem_free(r->slots);
    *r = (struct tsl_bpereplay){ 0 };
}

void tsl_bpereplay_scratch_fini(struct tsl_bpereplay_scratch *s)
{
    tsl_mem_free(s->rank);
    tsl_mem_free(s->next);
    tsl_mem_free(s->back);
    tsl_mem_free(s->heap);
    *s = (struct tsl_bpereplay_scratch){ 0 };
}

/* The first merge of the pair that is not before from. */
static inline uint32_t rank_of(const struct tsl_bpereplay *r, uint32_t left,
                               uint32_t right, uint32_t from)
{
    uint32_t i = *slot_of(r, left, right) - 1; /* 0 - 1 is NONE */
    while (i < from)
        i = r->merge[i].again;
    return i;
}

/* ---- short words ----------------------------------------------------------------------- */

/* rank[i]: of the pair that begins at i. */
static size_t apply_short(const struct tsl_bpereplay *r, uint32_t *ids, size_t n)
{
    uint32_t rank[SHORT];
    uint32_t best = NONE;
    for (size_t i = 0; i + 1 < n; i++) {
        rank[i] = rank_of(r, ids[i], ids[i + 1], 0);
        best = rank[i] < best ? rank[i] : best;
    }
    while (best != NONE) {
        uint32_t now = best, id = r->merge[now].id;
        size_t out = 0;
        best = NONE;
        /* all places of this merge, from the left; what comes up waits for a later one */
        for (size_t i = 0; i < n; out++) {
            bool hit = i + 1 < n && rank[i] == now;
            ids[out] = hit ? id : ids[i];
            rank[out] = hit || i + 1 >= n ? NONE : rank[i];
            i += hit ? 2 : 1;
        }
        for (size_t i = 0; i + 1 < out; i++) {
            if (ids[i] == id || ids[i + 1] == id)
                rank[i] = rank_of(r, ids[i], ids[i + 1], now + 1);
            best = rank[i] < best ? rank[i] : best;
        }
        n = out;
    }
    return n;
}

/* ---- long words ------------------------------------------------------------------------ */

static void push(struct tsl_bpereplay_scratch *s, uint64_t e)
{
    size_t i = s->nheap++;
    for (; i > 0 && e < s->heap[(i - 1) / 2]; i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

static uint64_t pop(struct tsl_bpereplay_scratch *s)
{
    uint64_t top = s->heap[0], e = s->heap[--s->nheap];
    size_t i = 0;
    for (size_t k; (k = 2 * i + 1) < s->nheap; i = k) {
        if (k + 1 < s->nheap && s->heap[k + 1] < s->heap[k])
            k++;
        if (e <= s->heap[k])
            break;
        s->heap[i] = s->heap[k];
    }
    s->heap[i] = e;
    return top;
}

static void weigh(const struct tsl_bpereplay *r, struct tsl_bpereplay_scratch *s,
                  const uint32_t *ids, uint32_t i, uint32_t from)
{
    s->rank[i] = s->next[i] == NONE ? NONE : rank_of(r, ids[i], ids[s->next[i]], from);
    if (s->rank[i] != NONE)
        push(s, (uint64_t)s->rank[i] << 32 | i);
}

static int room(struct tsl_bpereplay_scratch *s, size_t n, struct tsl_err *err)
{
    size_t cap[3] = { s->cap, s->cap, s->cap };
    int rc = tsl_mem_grow(&s->rank, &cap[0], n, sizeof *s->rank, "a word", err);
    if (rc == 0)
        rc = tsl_mem_grow(&s->next, &cap[1], n, sizeof *s->next, "a word", err);
    if (rc == 0)
        rc = tsl_mem_grow(&s->back, &cap[2], n, sizeof *s->back, "a word", err);
    if (rc == 0)
        s->cap = cap[0];
    /* each symbol once, and two for each merge */
    return rc < 0 ? rc
                  : tsl_mem_grow(&s->heap, &s->heap_cap, 3 * n, sizeof *s->heap, "a word",
                                 err);
}

/* Entries are (merge, place), so that a merge goes from left to right; one whose place has
 * another rank by now is stale. */
static int apply_long(const struct tsl_bpereplay *r, struct tsl_bpereplay_scratch *s,
                      uint32_t *ids, size_t *n, struct tsl_err *err)
{
    int rc = room(s, *n, err);
    if (rc < 0)
        return rc;
    s->nheap = 0;
    for (uint32_t i = 0; i < *n; i++) {
        s->next[i] = i + 1 < *n ? i + 1 : NONE;
        s->back[i] = i - 1; /* of the first: NONE */
    }
    for (uint32_t i = 0; i < *n; i++)
        weigh(r, s, ids, i, 0);
    while (s->nheap) {
        uint64_t e = pop(s);
        uint32_t now = (uint32_t)(e >> 32), i = (uint32_t)e, k = s->next[i];
        if (s->rank[i] != now)
            continue;
        ids[i] = r->merge[now].id;
        ids[k] = NONE;
        s->rank[k] = NONE;
        s->next[i] = s->next[k];
        if (s->next[i] != NONE)
            s->back[s->next[i]] = i;
        weigh(r, s, ids, i, now + 1);
        if (s->back[i] != NONE)
            weigh(r, s, ids, s->back[i], now + 1);
    }
    size_t out = 0;
    for (size_t i = 0; i < *n; i++)
        if (ids[i] != NONE)
            ids[out++] = ids[i];
    *n = out;
    return 0;
}

int tsl_bpereplay_apply(const struct tsl_bpereplay *r, struct tsl_bpereplay_scratch *s,
                        uint32_t *ids, size_t *n, struct tsl_err *err)
{
    if (r->n == 0)
        return 0;
    if (*n > SHORT)
        return apply_long(r, s, ids, n, err);
    *n = apply_short(r, ids, *n);
    return 0;
}

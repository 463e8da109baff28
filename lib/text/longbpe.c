#include "text/longbpe.h"

#include <string.h>

#include "base/mem.h"

enum {
    WINDOW_BYTES = 16 << 10, /* a few times the longest tokens: less is done twice */
    SETS = 1 << 13,          /* of pairs of tokens that were tried before */
    WAYS = 8                 /* a line of the CPU's cache */
};

#define UNREACHED UINT32_MAX

/* The last token of a prefix: where it begins, in the window. */
struct node {
    uint32_t from, id;
};

/* What came before the window. */
struct before {
    uint8_t *bytes; /* of the token there; room for two */
    size_t len;     /* 0: the piece begins with the window */
    uint32_t id;
};

struct tsl_longbpe {
    struct tsl_longbpe_opts o;
    struct before before, saved;
    struct node *nodes;
    struct tsl_longbpe_token *tokens;
    size_t nodes_cap, tokens_cap;
    uint64_t answers[SETS][WAYS]; /* left, right, whether: 31 + 32 + 1 bits; 0: none */
};

struct tsl_longbpe *tsl_longbpe_create(const struct tsl_longbpe_opts *o,
                                       struct tsl_err *err)
{
    struct tsl_longbpe *l = tsl_mem_alloc(1, sizeof *l, "a long word", err);
    if (!l)
        return NULL;
    size_t longest = o->longest > 4 ? o->longest : 4;
    l->o = *o;
    l->o.longest = longest;
    l->before.bytes = tsl_mem_alloc(2 * longest, 1, "a long word", err);
    l->saved.bytes = tsl_mem_alloc(2 * longest, 1, "a long word", err);
    if (!l->before.bytes || !l->saved.bytes) {
        tsl_longbpe_destroy(l);
        return NULL;
    }
    return l;
}

void tsl_longbpe_destroy(struct tsl_longbpe *l)
{
    if (!l)
        return;
    tsl_mem_free(l->before.bytes);
    tsl_mem_free(l->saved.bytes);
    tsl_mem_free(l->nodes);
    tsl_mem_free(l->tokens);
    tsl_mem_free(l);
}

void tsl_longbpe_begin(struct tsl_longbpe *l)
{
    l->before.len = 0;
}

static void copy_before(struct before *to, const struct before *from)
{
    memcpy(to->bytes, from->bytes, from->len);
    to->len = from->len;
    to->id = from->id;
}

void tsl_longbpe_save(struct tsl_longbpe *l)
{
    copy_before(&l->saved, &l->before);
}

void tsl_longbpe_restore(struct tsl_longbpe *l)
{
    copy_before(&l->before, &l->saved);
}

/* 1: token id over p[at, end) may follow the one that ends at at. */
static int follows(struct tsl_longbpe *l, const uint8_t *p, size_t at, size_t end,
                   uint32_t id, struct tsl_err *err)
{
    const struct node *node = &l->nodes[at];
    uint32_t left = node->id;
    size_t cut = at - node->from, first;
    const uint8_t *pair = p + node->from;
    if (at == 0) {
        left = l->before.len ? l->before.id : TSL_LONGBPE_NONE;
        cut = l->before.len;
        memcpy(l->before.bytes + cut, p, end);
        pair = l->before.bytes;
    }
    size_t n = cut + end - at;
    uint64_t *set = NULL, key = 0;
    if (left != TSL_LONGBPE_NONE && id != TSL_LONGBPE_NONE) {
        key = ((uint64_t)left + 1) << 32 | id;
        set = l->answers[key * UINT64_C(0x9e3779b97f4a7c15) >> 51];
        for (size_t i = 0; i < WAYS; i++)
            if (set[i] >> 1 == key)
                return (int)(set[i] & 1);
    }
    int64_t k = l->o.merge(l->o.ctx, pair, n, &first, err);
    if (k < 0)
        return (int)k;
    int is = cut ? k == 2 && first == cut : k == 1;
    if (set) {
        memmove(set + 1, set, (WAYS - 1) * sizeof *set);
        set[0] = key << 1 | (uint64_t)is;
    }
    return is;
}

static int offer(struct tsl_longbpe *l, const uint8_t *p, size_t at, size_t end,
                 uint32_t id, struct tsl_err *err)
{
    if (l->nodes[end].from != UNREACHED)
        return 0; /* there is only one */
    int rc = follows(l, p, at, end, id, err);
    if (rc > 0)
        l->nodes[end] = (struct node){ (uint32_t)at, id };
    return rc < 0 ? rc : 0;
}

/* Bytes of the symbol that merging begins with at p. */
static size_t symbol_len(const struct tsl_longbpe *l, uint8_t first)
{
    if (!l->o.chars || first < 0xc0)
        return 1;
    return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/* The last token of each prefix of p[0, n). */
static int find_nodes(struct tsl_longbpe *l, const uint8_t *p, size_t n,
                      struct tsl_err *err)
{
    const struct tsl_trie *t = l->o.trie;
    l->nodes[0] = (struct node){ 0, 0 };
    for (size_t i = 1; i <= n; i++)
        l->nodes[i].from = UNREACHED;
    for (size_t at = 0; at < n; at++) {
        if (l->nodes[at].from == UNREACHED)
            continue;
        uint64_t state = tsl_trie_root(t);
        size_t single = at + symbol_len(l, p[at]);
        bool has_single = single > n;
        for (size_t end = at; end < n && tsl_trie_step(t, &state, p[end]);) {
            int64_t id = tsl_trie_value(t, state);
            end++;
            if (id < 0)
                continue;
            has_single |= end == single;
            int rc = offer(l, p, at, end, (uint32_t)id, err);
            if (rc < 0)
                return rc;
        }
        int rc = has_single ? 0 : offer(l, p, at, single, TSL_LONGBPE_NONE, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The last place that all ways pass which can go on behind n: they come from the places
 * that a token can begin at which reaches behind n.  As in spmunigram.c. */
static size_t meeting(struct tsl_longbpe *l, size_t n)
{
    size_t reach = l->o.longest, low = n + 1 > reach ? n + 1 - reach : 0, nmarked = 0;
    struct tsl_longbpe_token *marks = l->tokens; /* len: marked */
    for (size_t i = 0; i <= n; i++) {
        marks[i].len = i >= low && l->nodes[i].from != UNREACHED;
        nmarked += marks[i].len;
    }
    for (size_t at = n; at > 0; at--) {
        if (!marks[at].len)
            continue;
        if (nmarked == 1)
            return at;
        uint32_t *before = &marks[l->nodes[at].from].len;
        nmarked -= *before;
        *before = 1;
    }
    return 0;
}

/* The tokens up to end, in l->tokens; returns how many. */
static size_t way_to(struct tsl_longbpe *l, size_t end)
{
    size_t n = 0;
    for (size_t at = end; at > 0; at = l->nodes[at].from)
        l->tokens[n++] = (struct tsl_longbpe_token){ l->nodes[at].id,
                                                     (uint32_t)(at - l->nodes[at].from) };
    for (size_t i = 0, j = n; i + 1 < j; i++) {
        struct tsl_longbpe_token x = l->tokens[i];
        l->tokens[i] = l->tokens[--j];
        l->tokens[j] = x;
    }
    return n;
}

/* p[0, n) as far as it is certain; the text goes on behind it if open.  Sets *used. */
static int run_window(struct tsl_longbpe *l, const uint8_t *p, size_t n, bool open,
                      size_t *used, struct tsl_err *err)
{
    *used = 0;
    int rc = tsl_mem_grow(&l->nodes, &l->nodes_cap, n + 1, sizeof *l->nodes,
                          "a long word", err);
    if (rc == 0)
        rc = tsl_mem_grow(&l->tokens, &l->tokens_cap, n + 1, sizeof *l->tokens,
                          "a long word", err);
    if (rc == 0)
        rc = find_nodes(l, p, n, err);
    if (rc < 0)
        return rc;
    size_t end = open ? meeting(l, n) : n, k = way_to(l, end);
    while (open && k && (p[end] & 0xc0) == 0x80)
        end -= l->tokens[--k].len;
    if (k == 0)
        return 0;
    const struct tsl_longbpe_token *last = &l->tokens[k - 1];
    memcpy(l->before.bytes, p + end - last->len, last->len);
    l->before.len = last->len;
    l->before.id = last->id;
    *used = end;
    return l->o.put(l->o.ctx, p, l->tokens, k, err);
}

int tsl_longbpe_run(struct tsl_longbpe *l, const uint8_t *p, size_t n, bool open,
                    size_t *used, struct tsl_err *err)
{
    size_t at = 0, window = WINDOW_BYTES + 4 * l->o.longest;
    int rc = 0;
    while (at < n && rc == 0) {
        size_t len = n - at < window ? n - at : window, done;
        bool goes_on = open || at + len < n;
        if (goes_on && at + len == n)
            len--; /* p[at + len] is looked at */
        while (goes_on && l->o.chars && len > 0 && (p[at + len] & 0xc0) == 0x80)
            len--;
        if (len == 0)
            break;
        rc = run_window(l, p + at, len, goes_on, &done, err);
        at += done;
        if (done == 0 && open && len + 4 >= n - at)
            break;
        window = done ? WINDOW_BYTES + 4 * l->o.longest : 2 * window;
    }
    *used = at;
    return rc;
}

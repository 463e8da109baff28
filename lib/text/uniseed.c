#include "text/uniseed.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/piecerule.h"

enum {
    SYM_BITS = 21,
    KEY_SYMS = 3, /* symbols in a key of 64 bits */
    SYM_MASK = (1 << SYM_BITS) - 1,
    SMALL_SORT = 16 /* below it insertion is the fastest */
};

/* A substring that may become a seed: a node of the suffix tree. */
struct node {
    uint64_t score;
    uint32_t begin, end; /* in the suffix array */
    uint32_t len;
};

/* What one thread has. */
struct worker {
    struct node *nodes; /* found by it, bucket after bucket */
    size_t nnodes, cap;
    struct tsl_unikey *keys; /* room for the largest bucket: its suffixes, its seeds */
    size_t nkeys;
    struct open *stack;
    struct tsl_err err;
};

/* The suffixes that begin with one symbol. */
struct bucket {
    uint32_t begin; /* in the suffix array; the next one's begin is its end */
    unsigned worker;
    size_t first, nnodes; /* its nodes among the worker's */
    size_t nkept;         /* of them, those that become seeds */
    size_t index;         /* of its first seed */
};

struct finder {
    const struct tsl_unitext *t;
    const struct tsl_unitrain_opts *o;
    struct tsl_unimem *mem;
    uint32_t *sa;      /* suffixes in order: where they begin in t->syms */
    uint32_t *word_of; /* by symbol: its word; later the longest piece */
    struct tsl_piecerule rule;
    struct bucket *buckets; /* by symbol - TSL_UNI_FIRST, one more behind */
    size_t largest;         /* bucket */
    struct worker *workers;
    unsigned nworkers;
    _Atomic(size_t) next; /* bucket to work on */
    _Atomic(bool) failed;
    uint64_t score_min; /* of the nodes that are taken */
    size_t nequal;      /* how many with just this score are */
    struct tsl_uniseeds *out;
};

static bool key_less(const struct tsl_unikey *a, const struct tsl_unikey *b)
{
    return a->key != b->key ? a->key < b->key : a->value < b->value;
}

static void key_swap(struct tsl_unikey *a, struct tsl_unikey *b)
{
    struct tsl_unikey x = *a;
    *a = *b;
    *b = x;
}

static void key_insert(struct tsl_unikey *k, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct tsl_unikey x = k[i];
        size_t j = i;
        for (; j && key_less(&x, &k[j - 1]); j--)
            k[j] = k[j - 1];
        k[j] = x;
    }
}

static void key_sift(struct tsl_unikey *k, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && key_less(&k[child], &k[child + 1]))
            child++;
        if (!key_less(&k[i], &k[child]))
            return;
        key_swap(&k[i], &k[child]);
    }
}

static void key_heapsort(struct tsl_unikey *k, size_t n)
{
    for (size_t i = n / 2; i--;)
        key_sift(k, i, n);
    while (n-- > 1) {
        key_swap(&k[0], &k[n]);
        key_sift(k, 0, n);
    }
}

/* Puts the median of three where the pivot is taken from, and splits around it: what is in
 * front of the result is not greater, what is behind not smaller. */
static size_t key_split(struct tsl_unikey *k, size_t n)
{
    struct tsl_unikey *a = &k[1], *b = &k[n / 2], *c = &k[n - 1];
    struct tsl_unikey *mid = key_less(a, b) ? (key_less(b, c)   ? b
                                               : key_less(a, c) ? c
                                                                : a)
                                            : (key_less(a, c)   ? a
                                               : key_less(b, c) ? c
                                                                : b);
    key_swap(&k[0], mid);
    struct tsl_unikey pivot = k[0];
    size_t i = 0, j = n;
    for (;;) {
        do
            i++;
        while (i < n && key_less(&k[i], &pivot));
        do
            j--;
        while (key_less(&pivot, &k[j]));
        if (i >= j)
            break;
        key_swap(&k[i], &k[j]);
    }
    key_swap(&k[0], &k[j]);
    return j;
}

static void key_sort(struct tsl_unikey *k, size_t n, unsigned depth)
{
    while (n > SMALL_SORT) {
        if (depth-- == 0) {
            key_heapsort(k, n);
            return;
        }
        size_t m = key_split(k, n);
        if (m < n - m) {
            key_sort(k, m, depth);
            k += m + 1;
            n -= m + 1;
        } else {
            key_sort(k + m + 1, n - m - 1, depth);
            n = m;
        }
    }
    key_insert(k, n);
}

void tsl_unikey_sort(struct tsl_unikey *k, size_t n)
{
    unsigned depth = 2;
    for (size_t m = n; m > 1; m >>= 1)
        depth += 2;
    key_sort(k, n, depth);
}

/* May these symbols be a piece? */
static bool is_valid(const struct finder *f, const uint32_t *s, size_t len)
{
    uint32_t cp[TSL_UNITRAIN_CHARS_MAX];
    for (size_t i = 0; i < len; i++)
        cp[i] = f->t->chars[s[i] - TSL_UNI_FIRST].cp;
    return tsl_piecerule_allows(&f->rule, cp, len);
}

static struct tsl_piecerule piecerule(const struct tsl_unitrain_opts *o)
{
    return (struct tsl_piecerule){
        .max_chars = o->max_piece_chars,
        .split_by_unicode_script = o->split_by_unicode_script,
        .split_by_number = o->split_by_number,
        .split_digits = o->split_digits,
        .split_by_whitespace = o->split_by_whitespace,
        .whitespace_suffix = o->whitespace_suffix,
        .whitespace_only_pieces = o->whitespace_only_pieces,
    };
}

/* The next KEY_SYMS symbols, zero from the end of the word or what no piece holds. */
static uint64_t key_at(const uint32_t *s)
{
    uint64_t key = 0;
    size_t i = 0;
    for (; i < KEY_SYMS && s[i] >= TSL_UNI_FIRST; i++)
        key = key << SYM_BITS | s[i];
    return key << (KEY_SYMS - i) * SYM_BITS;
}

/* Sorts suffixes that agree in depth symbols; depth_max: further need not be looked. */
static void sort_suffixes(const uint32_t *syms, struct tsl_unikey *k, size_t n,
                          size_t depth, size_t depth_max)
{
    for (size_t i = 0; i < n; i++)
        k[i].key = key_at(syms + k[i].value + depth);
    tsl_unikey_sort(k, n);
    depth += KEY_SYMS;
    if (depth >= depth_max)
        return;
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i + 1; j < n && k[j].key == k[i].key;)
            j++;
        if (j - i > 1 && (k[i].key & SYM_MASK))
            sort_suffixes(syms, k + i, j - i, depth, depth_max);
    }
}

/* A node that is not closed yet, from the root downwards. */
struct open {
    uint64_t weight, ends, lasts, unks; /* occurrences, and what follows them */
    uint32_t begin, len, nchildren;
};

static int close_node(const struct finder *f, struct worker *w, const struct open *n,
                      uint32_t end)
{
    const struct tsl_unitrain_opts *o = f->o;
    uint64_t follow = (uint64_t)n->nchildren + (n->unks > 0);
    if (o->whole_words)
        follow += n->ends;
    else
        follow += (n->ends > n->lasts) + (n->lasts > 0);
    if (n->len > 1 && (n->weight < 2 || follow < 2 || n->len > o->max_piece_chars ||
                       !is_valid(f, f->t->syms + f->sa[n->begin], n->len)))
        return 0;
    if (w->nnodes == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 1024;
        struct node *grown =
            tsl_unimem_take(f->mem, cap, sizeof *grown, "substrings", &w->err);
        if (!grown)
            return TSL_ENOMEM;
        if (w->nnodes)
            memcpy(grown, w->nodes, w->nnodes * sizeof *grown);
        tsl_unimem_give(f->mem, w->nodes, w->cap, sizeof *w->nodes);
        w->nodes = grown;
        w->cap = cap;
    }
    w->nodes[w->nnodes++] = (struct node){ n->weight * n->len, n->begin, end, n->len };
    return 0;
}

static size_t common_len(const uint32_t *a, const uint32_t *b, size_t max)
{
    size_t i = 0;
    while (i < max && a[i] == b[i] && a[i] >= TSL_UNI_FIRST)
        i++;
    return i;
}

/* Closes the nodes deeper than len, all but the first; a node in between comes up if need
 * be. */
static int close_deeper(const struct finder *f, struct worker *w, size_t *depth,
                        size_t len, uint32_t end)
{
    struct open *s = w->stack;
    while (*depth > 1 && s[*depth - 1].len > len) {
        struct open done = s[--*depth], *up = &s[*depth - 1];
        int rc = close_node(f, w, &done, end);
        if (rc < 0)
            return rc;
        if (up->len < len) { /* the branch that was not there yet */
            s[*depth] = (struct open){ .begin = done.begin, .len = (uint32_t)len };
            up = &s[(*depth)++];
        }
        up->weight += done.weight;
        up->nchildren++;
    }
    return 0;
}

/* The nodes of a bucket whose suffixes are sorted, children before parents. */
static int find_nodes(const struct finder *f, struct worker *w, uint32_t begin,
                      uint32_t end)
{
    const uint32_t *syms = f->t->syms;
    const size_t len_max = f->o->max_piece_chars + 1;
    struct open *s = w->stack;
    size_t depth = 1;
    s[0] = (struct open){ .begin = begin, .len = 1 };
    for (uint32_t i = begin; i < end; i++) {
        const uint32_t *p = syms + f->sa[i];
        uint32_t word = f->word_of[f->sa[i]];
        size_t len = i == begin ? 1 : common_len(syms + f->sa[i - 1], p, len_max);
        int rc = close_deeper(f, w, &depth, len, i);
        if (rc < 0)
            return rc;
        while (len < len_max && p[len] >= TSL_UNI_FIRST)
            len++;
        if (len > s[depth - 1].len)
            s[depth++] = (struct open){ .begin = i, .len = (uint32_t)len };
        s[depth - 1].weight += f->t->count[word];
        if (p[len] == TSL_UNI_UNK) {
            s[depth - 1].unks += f->t->count[word];
        } else if (p[len] == TSL_UNI_END) {
            s[depth - 1].ends += f->t->count[word];
            s[depth - 1].lasts += f->t->last[word];
        }
    }
    int rc = close_deeper(f, w, &depth, 1, end);
    return rc < 0 ? rc : close_node(f, w, &s[0], end);
}

/* A worker's run through the buckets: sorts them and finds their nodes. */
static void search_buckets(void *ctx, unsigned i)
{
    struct finder *f = ctx;
    struct worker *w = &f->workers[i];
    for (size_t b; (b = atomic_fetch_add(&f->next, 1)) < f->t->nchars;) {
        struct bucket *bucket = &f->buckets[b];
        size_t n = bucket[1].begin - bucket->begin;
        uint32_t *sa = f->sa + bucket->begin;
        if (atomic_load(&f->failed))
            return;
        bucket->worker = i;
        bucket->first = w->nnodes;
        if (!n)
            continue;
        for (size_t j = 0; j < n; j++)
            w->keys[j].value = sa[j];
        sort_suffixes(f->t->syms, w->keys, n, 1, f->o->max_piece_chars + 1);
        for (size_t j = 0; j < n; j++)
            sa[j] = w->keys[j].value;
        if (find_nodes(f, w, bucket->begin, bucket[1].begin) < 0)
            atomic_store(&f->failed, true);
        bucket->nnodes = w->nnodes - bucket->first;
    }
}

/* Suffixes by their first symbol, and each symbol's word. */
static void fill_buckets(struct finder *f)
{
    const struct tsl_unitext *t = f->t;
    struct bucket *b = f->buckets;
    uint32_t sum = 0;
    for (size_t i = 0; i < t->nsyms; i++)
        if (t->syms[i] >= TSL_UNI_FIRST)
            b[t->syms[i] - TSL_UNI_FIRST].begin++;
    for (size_t i = 0; i <= t->nchars; i++) {
        uint32_t n = b[i].begin;
        b[i].begin = sum;
        sum += n;
        if (n > f->largest)
            f->largest = n;
    }
    for (size_t w = 0; w < t->nwords; w++)
        for (uint32_t i = t->begin[w]; i < t->begin[w + 1]; i++) {
            f->word_of[i] = (uint32_t)w;
            if (t->syms[i] >= TSL_UNI_FIRST)
                f->sa[b[t->syms[i] - TSL_UNI_FIRST].begin++] = i;
        }
    for (size_t i = t->nchars; i--;) /* each has moved to its end */
        b[i + 1].begin = b[i].begin;
    b[0].begin = 0;
}

static struct node *bucket_nodes(const struct finder *f, const struct bucket *b)
{
    return f->workers[b->worker].nodes + b->first;
}

/* The score of the node with the nth highest one (from 1 on), characters aside, and how
 * many with just this one are among the n; a byte of it at a time. */
static void find_threshold(struct finder *f, size_t n)
{
    uint64_t prefix = 0;
    for (int shift = 56; shift >= 0; shift -= 8) {
        size_t hist[256] = { 0 };
        for (size_t b = 0; b < f->t->nchars; b++) {
            const struct node *k = bucket_nodes(f, &f->buckets[b]);
            for (size_t i = 0; i + 1 < f->buckets[b].nnodes; i++)
                if (shift == 56 || k[i].score >> (shift + 8) == prefix)
                    hist[k[i].score >> shift & 255]++;
        }
        unsigned byte = 255;
        for (; byte && hist[byte] < n; byte--)
            n -= hist[byte];
        prefix = prefix << 8 | byte;
    }
    f->score_min = prefix;
    f->nequal = n;
}

/* Leaves seed_size nodes, all characters among them; of equal ones the first. */
static size_t keep_nodes(struct finder *f)
{
    size_t all = 0, kept = 0, nequal, room = f->o->seed_size;
    for (size_t b = 0; b < f->t->nchars && room; b++)
        room -= f->buckets[b].nnodes > 0;
    for (size_t b = 0; b < f->t->nchars; b++)
        all += f->buckets[b].nnodes ? f->buckets[b].nnodes - 1 : 0;
    f->score_min = 0;
    f->nequal = SIZE_MAX;
    if (all > room && room)
        find_threshold(f, room);
    else if (all > room)
        f->score_min = UINT64_MAX;
    nequal = f->nequal;
    for (size_t b = 0; b < f->t->nchars; b++) {
        struct bucket *bucket = &f->buckets[b];
        struct node *k = bucket_nodes(f, bucket);
        bucket->index = kept;
        bucket->nkept = 0;
        for (size_t i = 0; i < bucket->nnodes; i++) {
            bool take = k[i].score > f->score_min || i + 1 == bucket->nnodes;
            if (!take && k[i].score == f->score_min && nequal) {
                nequal--;
                take = true;
            }
            if (take)
                k[bucket->nkept++] = k[i];
        }
        kept += bucket->nkept;
    }
    return kept;
}

/* Makes seeds of a bucket's nodes and notes where they begin in the text. */
static void make_seeds(struct finder *f, struct worker *w, const struct bucket *b)
{
    const struct node *nodes = bucket_nodes(f, b);
    struct tsl_uniseed *seeds = f->out->seeds + b->index;
    uint32_t end = b[1].begin;
    size_t next = 0, depth = 0;
    for (size_t i = 0; i < b->nkept; i++)
        w->keys[i] = (struct tsl_unikey){ (uint64_t)nodes[i].begin << 32 | nodes[i].len,
                                          (uint32_t)i };
    tsl_unikey_sort(w->keys, b->nkept);
    for (uint32_t i = b->begin; i < end; i++) {
        while (depth && w->stack[depth - 1].len <= i) /* here: its end */
            depth--;
        for (; next < b->nkept && nodes[w->keys[next].value].begin == i; next++) {
            const struct node *n = &nodes[w->keys[next].value];
            seeds[next] = (struct tsl_uniseed){
                .score = n->score,
                .at = f->sa[i],
                .parent = depth ? w->stack[depth - 1].begin : TSL_UNI_NONE,
                .rank = (uint32_t)b->index + w->keys[next].value,
                .len = n->len,
            };
            w->stack[depth++] =
                (struct open){ .begin = (uint32_t)(b->index + next), .len = n->end };
        }
        f->word_of[f->sa[i]] = w->stack[depth - 1].begin;
    }
}

static void seed_buckets(void *ctx, unsigned i)
{
    struct finder *f = ctx;
    for (size_t b; (b = atomic_fetch_add(&f->next, 1)) < f->t->nchars;)
        if (f->buckets[b].nnodes)
            make_seeds(f, &f->workers[i], &f->buckets[b]);
}

/* Ranks: so far a seed's number among all, children before parents. */
static int rank_seeds(struct finder *f, struct tsl_err *err)
{
    size_t n = f->out->n, nchars = 0, k = 0;
    struct tsl_uniseed *seeds = f->out->seeds;
    struct tsl_unikey *keys =
        tsl_unimem_take(f->mem, n, sizeof *keys, "seeds in order", err);
    uint32_t *seed_of = tsl_unimem_take(f->mem, n, sizeof *seed_of, "seeds", err);
    if (keys && seed_of) {
        for (size_t i = 0; i < n; i++) {
            nchars += seeds[i].len == 1;
            seed_of[seeds[i].rank] = (uint32_t)i;
        }
        for (size_t i = 0; i < n; i++) /* characters: by code point where equal */
            if (seeds[i].len == 1)
                keys[k++] = (struct tsl_unikey){ ~seeds[i].score, seeds[i].rank };
        for (size_t i = 0; i < n; i++)
            if (seeds[i].len > 1)
                keys[k++] = (struct tsl_unikey){ ~seeds[i].score, seeds[i].rank };
        tsl_unikey_sort(keys, nchars);
        tsl_unikey_sort(keys + nchars, n - nchars);
        for (size_t i = 0; i < n; i++)
            seeds[seed_of[keys[i].value]].rank = (uint32_t)i;
    }
    tsl_unimem_give(f->mem, seed_of, n, sizeof *seed_of);
    int rc = keys && seed_of ? 0 : TSL_ENOMEM;
    tsl_unimem_give(f->mem, keys, n, sizeof *keys);
    return rc;
}

static size_t largest_kept(const struct finder *f)
{
    size_t n = 0;
    for (size_t b = 0; b < f->t->nchars; b++)
        n = f->buckets[b].nkept > n ? f->buckets[b].nkept : n;
    return n;
}

/* Room for n keys in each worker, which it does not keep. */
static int take_keys(struct finder *f, size_t n, struct tsl_err *err)
{
    for (unsigned i = 0; i < f->nworkers; i++) {
        struct worker *w = &f->workers[i];
        if (n <= w->nkeys)
            continue;
        tsl_unimem_give(f->mem, w->keys, w->nkeys, sizeof *w->keys);
        w->keys = tsl_unimem_take(f->mem, n, sizeof *w->keys, "suffixes", err);
        if (!w->keys)
            return TSL_ENOMEM;
        w->nkeys = n;
    }
    return 0;
}

static int open_workers(struct finder *f, struct tsl_err *err)
{
    f->workers = tsl_unimem_take(f->mem, f->nworkers, sizeof *f->workers, "threads", err);
    if (!f->workers)
        return TSL_ENOMEM;
    for (unsigned i = 0; i < f->nworkers; i++) {
        struct worker *w = &f->workers[i];
        w->stack = tsl_unimem_take(f->mem, f->o->max_piece_chars + 3, sizeof *w->stack,
                                   "suffixes", err);
        if (!w->stack)
            return TSL_ENOMEM;
    }
    return take_keys(f, f->largest, err);
}

static void close_workers(struct finder *f)
{
    for (unsigned i = 0; f->workers && i < f->nworkers; i++) {
        struct worker *w = &f->workers[i];
        tsl_unimem_give(f->mem, w->keys, w->nkeys, sizeof *w->keys);
        tsl_unimem_give(f->mem, w->stack, f->o->max_piece_chars + 3, sizeof *w->stack);
        tsl_unimem_give(f->mem, w->nodes, w->cap, sizeof *w->nodes);
    }
    tsl_unimem_give(f->mem, f->workers, f->nworkers, sizeof *f->workers);
}

static int find_seeds(struct finder *f, struct tsl_pool *pool, struct tsl_err *err)
{
    const struct tsl_unitext *t = f->t;
    f->sa = tsl_unimem_take(f->mem, t->nsyms, sizeof *f->sa, "suffixes", err);
    f->word_of = tsl_unimem_take(f->mem, t->nsyms, sizeof *f->word_of, "suffixes", err);
    f->out->longest = f->word_of; /* owned there from now on */
    f->buckets =
        tsl_unimem_take(f->mem, t->nchars + 1, sizeof *f->buckets, "characters", err);
    if (!f->sa || !f->word_of || !f->buckets)
        return TSL_ENOMEM;
    fill_buckets(f);
    if (open_workers(f, err) < 0)
        return TSL_ENOMEM;
    tsl_pool_run(pool, f->nworkers, search_buckets, f);
    for (unsigned i = 0; i < f->nworkers; i++)
        if (f->workers[i].err.code)
            return tsl_err_pass(err, &f->workers[i].err);
    f->out->n = keep_nodes(f);
    f->out->seeds =
        tsl_unimem_take(f->mem, f->out->n, sizeof *f->out->seeds, "seeds", err);
    if (!f->out->seeds || take_keys(f, largest_kept(f), err) < 0)
        return TSL_ENOMEM;
    atomic_store(&f->next, 0);
    tsl_pool_run(pool, f->nworkers, seed_buckets, f);
    for (size_t i = 0; i < t->nsyms; i++)
        if (t->syms[i] < TSL_UNI_FIRST)
            f->word_of[i] = TSL_UNI_NONE;
    return 0;
}

int tsl_uniseed_find(struct tsl_uniseeds *s, const struct tsl_unitext *t,
                     const struct tsl_unitrain_opts *o, struct tsl_pool *pool,
                     struct tsl_unimem *mem, struct tsl_err *err)
{
    *s = (struct tsl_uniseeds){ 0 };
    struct finder f = { .t = t,
                        .o = o,
                        .mem = mem,
                        .rule = piecerule(o),
                        .nworkers = o->nthreads,
                        .out = s };
    int rc = find_seeds(&f, pool, err);
    tsl_unimem_give(mem, f.sa, t->nsyms, sizeof *f.sa);
    tsl_unimem_give(mem, f.buckets, t->nchars + 1, sizeof *f.buckets);
    close_workers(&f);
    if (rc == 0)
        rc = rank_seeds(&f, err);
    if (rc < 0)
        tsl_uniseed_fini(s, t, mem);
    return rc;
}

void tsl_uniseed_fini(struct tsl_uniseeds *s, const struct tsl_unitext *t,
                      struct tsl_unimem *mem)
{
    tsl_unimem_give(mem, s->seeds, s->n, sizeof *s->seeds);
    tsl_unimem_give(mem, s->longest, t->nsyms, sizeof *s->longest);
    *s = (struct tsl_uniseeds){ 0 };
}

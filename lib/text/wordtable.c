#include "text/wordtable.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    CELL = sizeof(struct tsl_wordcell),
    LONG = 0xff, /* where a short word has its length: the rest of hi is a place */
    LEN_BYTES = 4,
    FIRST_CELLS = 1 << 10,
    GROWTH = 8, /* a table that grows is copied: seldom, and from a small one */
    ARENA_MIN = TSL_WORDTABLE_WORD_MAX + LEN_BYTES, /* any word finds room */
    SMALL_SORT = 32,
    HUGE_BYTES = 4 << 20 /* so large a table is worth large pages */
};

/* ---- the table ------------------------------------------------------------------------- */

static size_t cells_max(size_t ncells)
{
    return ncells - ncells / 5; /* four fifths: probes stay short */
}

/* How many cells fill up together with the arena, words being as long as they were. */
static size_t cells_wanted(const struct tsl_wordtable *t)
{
    double per_word = t->nused ? (double)t->arena_len / (double)t->nused : 0;
    size_t room = t->share - ARENA_MIN;
    double n = (double)t->share / (CELL + per_word * 4 / 5);
    size_t most = room / CELL < UINT32_MAX ? room / CELL : UINT32_MAX;
    return n < (double)most ? (size_t)n : most;
}

static struct tsl_wordcell *map_cells(size_t n, struct tsl_err *err)
{
    struct tsl_wordcell *cells = tsl_pages_map(n * CELL, "a table of words", err);
    /* every word is somewhere else: with pages of 4 KiB two thirds of the time went to
     * finding them (120 MB of English, 440,000 different words) */
    if (cells && n * CELL >= HUGE_BYTES)
        tsl_pages_want_huge(cells, n * CELL);
    return cells;
}

/* Bytes of cells are rounded up to pages, those of the arena too: two of them are kept. */
static size_t arena_room(const struct tsl_wordtable *t, size_t ncells)
{
    return t->share - ncells * CELL;
}

int tsl_wordtable_init(struct tsl_wordtable *t, size_t share, struct tsl_err *err)
{
    assert(share >= TSL_WORDTABLE_MIN_BYTES);
    *t = (struct tsl_wordtable){ .share = share - 2 * (size_t)TSL_PAGE_BYTES };
    /* sizes that end in the whole share by steps of GROWTH */
    size_t n = cells_wanted(t) / 8 * 7;
    while (n / GROWTH >= FIRST_CELLS)
        n /= GROWTH;
    t->ncells = n;
    t->cells = map_cells(n, err);
    t->arena = tsl_pages_map(t->share, "a table of words", err);
    if (t->cells && t->arena)
        return 0;
    tsl_wordtable_fini(t);
    return TSL_ENOMEM;
}

void tsl_wordtable_fini(struct tsl_wordtable *t)
{
    tsl_pages_unmap(t->cells, t->ncells * CELL);
    tsl_pages_unmap(t->arena, t->share);
    *t = (struct tsl_wordtable){ 0 };
}

static uint64_t hash_short(struct tsl_wordkey k)
{
    return tsl_hash64(&k, sizeof k, 0);
}

static bool is_long(struct tsl_wordkey k)
{
    return TSL_LE64(k.hi) >> 56 == LONG;
}

static size_t place_of(struct tsl_wordkey k)
{
    return (size_t)(TSL_LE64(k.hi) & UINT64_C(0xffffffffffffff));
}

static struct tsl_slice long_at(const struct tsl_wordtable *t, size_t place)
{
    return (struct tsl_slice){ t->arena + place + LEN_BYTES,
                               tsl_load32(t->arena + place) };
}

static size_t home(const struct tsl_wordtable *t, uint64_t hash)
{
    return (size_t)((hash >> 32) * t->ncells >> 32);
}

/* Puts all cells into a table of n; false: there is no memory for it. */
static bool move_to(struct tsl_wordtable *t, size_t n)
{
    struct tsl_wordcell *old = t->cells;
    size_t nold = t->ncells;
    struct tsl_wordcell *cells = map_cells(n, NULL);
    if (!cells)
        return false;
    t->cells = cells;
    t->ncells = n;
    for (size_t k = 0; k < nold && t->nused; k++) {
        if (!old[k].key.hi)
            continue;
        size_t i = home(t, is_long(old[k].key) ? old[k].key.lo : hash_short(old[k].key));
        while (cells[i].key.hi)
            i = i + 1 < n ? i + 1 : 0;
        cells[i] = old[k];
    }
    tsl_pages_unmap(old, nold * CELL);
    return true;
}

/* false: it cannot, within its share. */
static bool grow(struct tsl_wordtable *t)
{
    size_t n = t->ncells, most = cells_wanted(t), next = n * GROWTH;
    if (next > most / 8 * 7)
        next = most;
    /* old and new table are there at the same time */
    size_t left = t->share - n * CELL - t->arena_len;
    if (next > left / CELL)
        next = left / CELL;
    if (next < n + n / 4)
        return false;
    tsl_pages_drop(t->arena + t->arena_len, t->share - t->arena_len);
    return move_to(t, next);
}

static bool is_full(const struct tsl_wordtable *t)
{
    return t->nused >= cells_max(t->ncells);
}

static bool add_short(struct tsl_wordtable *t, const struct tsl_wordcell *w,
                      uint64_t hash)
{
    for (;;) {
        size_t i = home(t, hash);
        for (;; i = i + 1 < t->ncells ? i + 1 : 0) {
            struct tsl_wordcell *c = &t->cells[i];
            if (TSL_LIKELY(((c->key.lo ^ w->key.lo) | (c->key.hi ^ w->key.hi)) == 0)) {
                c->count += w->count;
                return true;
            }
            if (!c->key.hi)
                break;
        }
        if (!is_full(t)) {
            t->cells[i] = *w;
            t->nused++;
            return true;
        }
        if (!grow(t))
            return false;
    }
}

static bool add_long(struct tsl_wordtable *t, struct tsl_slice word, uint64_t count)
{
    uint64_t hash = tsl_hash64(word.data, word.len, 0);
    size_t need = LEN_BYTES + word.len;
    for (;;) {
        size_t i = home(t, hash);
        for (;; i = i + 1 < t->ncells ? i + 1 : 0) {
            struct tsl_wordcell *c = &t->cells[i];
            if (c->key.lo == hash && is_long(c->key)) {
                struct tsl_slice s = long_at(t, place_of(c->key));
                if (s.len == word.len && memcmp(s.data, word.data, s.len) == 0) {
                    c->count += count;
                    return true;
                }
            }
            if (!c->key.hi)
                break;
        }
        if (t->arena_len + need > arena_room(t, t->ncells))
            return false;
        if (!is_full(t)) {
            uint64_t hi = (uint64_t)LONG << 56 | t->arena_len;
            tsl_store32(t->arena + t->arena_len, (uint32_t)word.len);
            memcpy(t->arena + t->arena_len + LEN_BYTES, word.data, word.len);
            t->arena_len += need;
            t->cells[i] = (struct tsl_wordcell){ { hash, TSL_LE64(hi) }, count };
            t->nused++;
            return true;
        }
        if (!grow(t))
            return false;
    }
}

bool tsl_wordtable_flush(struct tsl_wordtable *t)
{
    while (t->nqueue) {
        if (!add_short(t, &t->queue[t->nqueue - 1], t->hash[t->nqueue - 1]))
            return false;
        t->nqueue--;
    }
    return true;
}

bool tsl_wordtable_add(struct tsl_wordtable *t, struct tsl_slice word, uint64_t count)
{
    assert(word.len > 0 && word.len <= TSL_WORDTABLE_WORD_MAX && !t->sorted);
    t->longest = word.len > t->longest ? word.len : t->longest;
    if (word.len > TSL_WORDKEY_MAX)
        return add_long(t, word, count);
    if (t->nqueue == TSL_WORDTABLE_QUEUE && !tsl_wordtable_flush(t))
        return false;
    struct tsl_wordkey k = tsl_wordkey_make(word.data, word.len);
    uint64_t hash = hash_short(k);
    TSL_PREFETCH(&t->cells[home(t, hash)]);
    t->queue[t->nqueue] = (struct tsl_wordcell){ k, count };
    t->hash[t->nqueue++] = hash;
    return true;
}

void tsl_wordtable_clear(struct tsl_wordtable *t)
{
    size_t want = cells_wanted(t), n = t->ncells;
    bool ill_sized = is_full(t) || t->arena_len > arena_room(t, n) / 2;
    t->nused = 0;
    t->arena_len = 0;
    t->sorted = false;
    /* it has been full: next time both parts are to be full together */
    if (ill_sized && (want < n - n / 8 || want > n + n / 8) && move_to(t, want))
        tsl_pages_drop(t->arena + arena_room(t, want), want * CELL);
    else
        memset(t->cells, 0, n * CELL);
}

/* ---- sorting --------------------------------------------------------------------------- */

/* A cell to be sorted: lo and hi become numbers that have the word's first byte on top; of
 * hi the lowest byte is the length, or LONG. */
static uint64_t big_endian(uint64_t x)
{
    return __builtin_bswap64(TSL_LE64(x));
}

static bool sorts_as_long(const struct tsl_wordcell *c)
{
    return (c->key.hi & 0xff) == LONG;
}

static struct tsl_slice cell_word(const struct tsl_wordtable *t,
                                  const struct tsl_wordcell *c, uint8_t buf[16])
{
    if (sorts_as_long(c))
        return long_at(t, (size_t)(c->key.hi >> 8));
    uint64_t lo = big_endian(c->key.lo), hi = big_endian(c->key.hi);
    memcpy(buf, &lo, 8);
    memcpy(buf + 8, &hi, 8);
    return (struct tsl_slice){ buf, (size_t)(c->key.hi & 0xff) };
}

static bool before(const struct tsl_wordtable *t, const struct tsl_wordcell *a,
                   const struct tsl_wordcell *b)
{
    uint8_t x[16], y[16];
    if (a->key.lo != b->key.lo)
        return a->key.lo < b->key.lo;
    if (!sorts_as_long(a) && !sorts_as_long(b))
        return a->key.hi < b->key.hi;
    struct tsl_slice v = cell_word(t, a, x), w = cell_word(t, b, y);
    int order = memcmp(v.data, w.data, v.len < w.len ? v.len : w.len);
    return order < 0 || (order == 0 && v.len < w.len);
}

static void sort_few(const struct tsl_wordtable *t, struct tsl_wordcell *c, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct tsl_wordcell x = c[i];
        size_t k = i;
        for (; k > 0 && before(t, &x, &c[k - 1]); k--)
            c[k] = c[k - 1];
        c[k] = x;
    }
}

/* What many long words have in common at their begin must not cost more than a compare. */
static void sort_heap(const struct tsl_wordtable *t, struct tsl_wordcell *c, size_t n)
{
    for (size_t i = n / 2, end = n; end > 1;) {
        struct tsl_wordcell x;
        if (i > 0) {
            x = c[--i];
        } else {
            x = c[--end];
            c[end] = c[0];
        }
        size_t at = i;
        for (size_t k; (k = 2 * at + 1) < end; at = k) {
            if (k + 1 < end && before(t, &c[k], &c[k + 1]))
                k++;
            if (!before(t, &x, &c[k]))
                break;
            c[at] = c[k];
        }
        c[at] = x;
    }
}

/* Byte d < 15 of a word; 0 behind its end, which is where the length decides. */
static unsigned byte_of(const struct tsl_wordtable *t, const struct tsl_wordcell *c,
                        unsigned d)
{
    if (d < 8)
        return (unsigned)(c->key.lo >> (56 - 8 * d)) & 0xff;
    if (sorts_as_long(c))
        return t->arena[(size_t)(c->key.hi >> 8) + LEN_BYTES + d];
    return (unsigned)(c->key.hi >> (120 - 8 * d)) & 0xff;
}

static void sort_from(const struct tsl_wordtable *t, struct tsl_wordcell *c, size_t n,
                      unsigned d)
{
    size_t next[256] = { 0 }, end[256];
    if (n <= SMALL_SORT) {
        sort_few(t, c, n);
        return;
    }
    if (d == TSL_WORDKEY_MAX) {
        sort_heap(t, c, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        next[byte_of(t, &c[i], d)]++;
    for (size_t b = 0, at = 0; b < 256; b++) {
        size_t count = next[b];
        next[b] = at;
        end[b] = at += count;
    }
    for (unsigned b = 0; b < 256; b++)
        while (next[b] < end[b]) {
            struct tsl_wordcell x = c[next[b]];
            for (unsigned k; (k = byte_of(t, &x, d)) != b;) {
                struct tsl_wordcell y = c[next[k]];
                c[next[k]++] = x;
                x = y;
            }
            c[next[b]++] = x;
        }
    for (size_t b = 0, at = 0; b < 256; at = end[b++])
        if (end[b] - at > 1)
            sort_from(t, c + at, end[b] - at, d + 1);
}

void tsl_wordtable_sort(struct tsl_wordtable *t)
{
    size_t n = 0;
    assert(!t->sorted);
    for (size_t i = 0; i < t->ncells; i++) {
        struct tsl_wordcell c = t->cells[i];
        if (!c.key.hi)
            continue;
        if (is_long(c.key)) {
            size_t place = place_of(c.key);
            uint64_t first;
            memcpy(&first, t->arena + place + LEN_BYTES, 8);
            c.key.lo = big_endian(first);
            c.key.hi = (uint64_t)place << 8 | LONG;
        } else {
            c.key.lo = big_endian(c.key.lo);
            c.key.hi = big_endian(c.key.hi);
        }
        t->cells[n++] = c;
    }
    assert(n == t->nused);
    sort_from(t, t->cells, n, 0);
    t->sorted = true;
}

struct tsl_slice tsl_wordtable_at(const struct tsl_wordtable *t, size_t i,
                                  uint8_t buf[16], uint64_t *count)
{
    assert(t->sorted && i < t->nused);
    *count = t->cells[i].count;
    return cell_word(t, &t->cells[i], buf);
}

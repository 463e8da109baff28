#include "text/wordcount.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"
#include "io/spill.h"
#include "par/thread.h"
#include "text/wordblock.h"
#include "text/wordtable.h"

enum {
    SLOT = 128 << 10, /* a block on disk: holds any word's record */
    HEAD = 16,        /* u64 XXH3 of the rest, u32 payload, u32 words */
    FANIN_MAX = 1024, /* beyond it a merge gains nothing by having more at once */
    SOURCE_EXTRA = 256
};

static_assert((int)TSL_WORDBLOCK_RECORD_MAX + HEAD <= SLOT, "a word fits in a block");
static_assert((int)TSL_WORDBLOCK_WORD_MAX == (int)TSL_WORDCOUNT_WORD_MAX, "one limit");
static_assert((int)TSL_WORDTABLE_WORD_MAX == (int)TSL_WORDCOUNT_WORD_MAX, "one limit");
static_assert(TSL_WORDCOUNT_ADDER_BYTES - SLOT - TSL_WORDCOUNT_WORD_MAX >=
                  TSL_WORDTABLE_MIN_BYTES,
              "an adder's least share holds a table, a block and a word");

/* Sorted words in temporary space. */
struct run {
    uint32_t *extents; /* first slots */
    size_t nextents, cap, released;
    uint64_t nblocks;
    size_t last_bytes; /* of the last block; the others fill their slots */
    uint64_t serial;
    unsigned level; /* merges behind it */
};

/* A run on its way: a block is filled, then written. */
struct run_writer {
    struct run run;
    uint8_t *block; /* SLOT bytes; NULL until the first run */
    uint8_t *last;  /* longest word */
    struct tsl_wordblock_writer w;
};

struct adder {
    struct tsl_wordtable table;
    struct run_writer out;
    uint64_t added;
    bool failed;
};

/* What a merge draws from: a run, or a sorted table. */
struct source {
    struct run *run; /* NULL: a table */
    uint64_t next_block;
    uint8_t *block;
    struct tsl_wordblock_reader r;
    const struct tsl_wordtable *table;
    size_t next_word;
    uint8_t buf[16];

    struct tsl_slice word; /* the current one */
    uint64_t count;
    uint64_t first; /* its first 8 bytes, zeros behind its end, as a number */
};

struct merge {
    struct source *sources;
    struct source **heap; /* the smallest word on top */
    size_t nsources, nheap;
    uint8_t *pages; /* blocks and words of runs */
    size_t pages_bytes;
    uint8_t *word; /* the one that was given out */
};

struct tsl_wordcount {
    struct tsl_wordcount_opts o;
    struct tsl_spill *spill;
    struct adder *adders;
    struct tsl_mutex lock; /* guards runs, serial and stats while adders work */
    struct run *runs;      /* the oldest first */
    size_t nruns, runs_cap;
    uint64_t serial;
    size_t longest;
    bool finished;
    struct merge m;
    struct tsl_wordcount_stats stats;
};

/* ---- runs ------------------------------------------------------------------------------ */

static void note_temp(struct tsl_wordcount *wc)
{
    if (wc->o.progress)
        atomic_store_explicit(&wc->o.progress->temp_bytes, tsl_spill_stats(wc->spill).now,
                              memory_order_relaxed);
}

static void run_release(struct tsl_wordcount *wc, struct run *r, size_t nextents)
{
    for (; r->released < nextents; r->released++)
        tsl_spill_release(wc->spill, r->extents[r->released]);
    note_temp(wc);
}

static void run_drop(struct tsl_wordcount *wc, struct run *r)
{
    run_release(wc, r, r->nextents);
    tsl_mem_free(r->extents);
    *r = (struct run){ 0 };
}

static uint32_t slot_of(const struct run *r, uint64_t block)
{
    return r->extents[block / TSL_SPILL_EXTENT] + (uint32_t)(block % TSL_SPILL_EXTENT);
}

/* Run and block are part of the sum, so that a block that was written and did not arrive is
 * found where an older one lies. */
static uint64_t sum_of(const struct run *r, uint64_t block, const uint8_t *p, size_t n)
{
    return tsl_hash64(p + 8, n - 8, r->serial << 32 ^ block);
}

/* Only the run's last block may leave its slot in part empty. */
static int write_block(struct tsl_wordcount *wc, struct run_writer *o, bool last,
                       struct tsl_err *err)
{
    struct run *r = &o->run;
    size_t used = HEAD + o->w.len;
    size_t n = last ? (used + TSL_PAGE_BYTES - 1) & ~(size_t)(TSL_PAGE_BYTES - 1) : SLOT;
    int rc = 0;
    memset(o->block + used, 0, n - used);
    tsl_store32(o->block + 8, (uint32_t)o->w.len);
    tsl_store32(o->block + 12, o->w.nwords);
    tsl_store64(o->block, sum_of(r, r->nblocks, o->block, used));
    if (r->nblocks % TSL_SPILL_EXTENT == 0) {
        rc = tsl_mem_grow(&r->extents, &r->cap, r->nextents + 1, sizeof *r->extents,
                          "the temporary space", err);
        if (rc == 0)
            rc = tsl_spill_extent(wc->spill, (uint32_t)r->serial,
                                  &r->extents[r->nextents], err);
        if (rc == 0)
            r->nextents++;
    }
    if (rc == 0)
        rc = tsl_spill_write(wc->spill, slot_of(r, r->nblocks), o->block, n, err);
    if (rc < 0)
        return rc;
    r->nblocks++;
    r->last_bytes = n;
    note_temp(wc);
    return 0;
}

static int writer_begin(struct tsl_wordcount *wc, struct run_writer *o, unsigned level,
                        struct tsl_err *err)
{
    if (!o->block)
        o->block = tsl_pages_map(SLOT, "a block of words", err);
    if (!o->last)
        o->last = tsl_pages_map(TSL_WORDCOUNT_WORD_MAX, "a word", err);
    if (!o->block || !o->last)
        return TSL_ENOMEM;
    tsl_mutex_lock(&wc->lock);
    o->run = (struct run){ .serial = wc->serial++, .level = level };
    tsl_mutex_unlock(&wc->lock);
    o->w.last = o->last;
    tsl_wordblock_begin(&o->w, o->block + HEAD, SLOT - HEAD);
    return 0;
}

static int writer_put(struct tsl_wordcount *wc, struct run_writer *o,
                      struct tsl_slice word, uint64_t count, struct tsl_err *err)
{
    if (tsl_wordblock_put(&o->w, word, count))
        return 0;
    int rc = write_block(wc, o, false, err);
    if (rc < 0)
        return rc;
    tsl_wordblock_begin(&o->w, o->block + HEAD, SLOT - HEAD);
    bool fits = tsl_wordblock_put(&o->w, word, count);
    assert(fits);
    return 0;
}

/* The run is among the others; on failure its space is given back. */
static int writer_end(struct tsl_wordcount *wc, struct run_writer *o, int rc,
                      struct tsl_err *err)
{
    if (rc == 0)
        rc = write_block(wc, o, true, err);
    tsl_mutex_lock(&wc->lock);
    if (rc == 0)
        rc = tsl_mem_grow(&wc->runs, &wc->runs_cap, wc->nruns + 1, sizeof *wc->runs,
                          "runs of words", err);
    if (rc == 0) {
        wc->runs[wc->nruns++] = o->run;
        wc->stats.runs++;
        o->run = (struct run){ 0 };
    }
    tsl_mutex_unlock(&wc->lock);
    if (rc < 0)
        run_drop(wc, &o->run);
    return rc;
}

static void writer_fini(struct tsl_wordcount *wc, struct run_writer *o)
{
    run_drop(wc, &o->run);
    tsl_pages_unmap(o->block, SLOT);
    tsl_pages_unmap(o->last, TSL_WORDCOUNT_WORD_MAX);
    *o = (struct run_writer){ 0 };
}

/* ---- adding ---------------------------------------------------------------------------- */

int tsl_wordcount_create(struct tsl_wordcount **out, const struct tsl_wordcount_opts *o,
                         struct tsl_err *err)
{
    assert(o->nadders > 0 && o->ndirs > 0);
    size_t least = (size_t)o->nadders * TSL_WORDCOUNT_ADDER_BYTES;
    if (least < TSL_WORDCOUNT_MIN_BYTES)
        least = TSL_WORDCOUNT_MIN_BYTES;
    if (o->memory < least)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%zu KiB of memory are too little to count words: it takes at "
                           "least %zu",
                           o->memory >> 10, least >> 10);
    struct tsl_wordcount *wc = tsl_mem_alloc(1, sizeof *wc, "the word count", err);
    if (!wc)
        return TSL_ENOMEM;
    wc->o = *o;
    tsl_mutex_init(&wc->lock);
    wc->adders = tsl_mem_alloc(o->nadders, sizeof *wc->adders, "the word count", err);
    int rc = wc->adders ? tsl_spill_create(&wc->spill, o->dirs, o->ndirs, SLOT,
                                           TSL_SPILL_EXTENT, err)
                        : TSL_ENOMEM;
    size_t share = o->memory / o->nadders - SLOT - TSL_WORDCOUNT_WORD_MAX;
    for (unsigned i = 0; i < o->nadders && rc == 0; i++)
        rc = tsl_wordtable_init(&wc->adders[i].table, share, err);
    if (rc < 0) {
        tsl_wordcount_destroy(wc);
        return rc;
    }
    *out = wc;
    return 0;
}

static void merge_fini(struct merge *m)
{
    tsl_pages_unmap(m->pages, m->pages_bytes);
    tsl_mem_free(m->sources);
    tsl_mem_free(m->heap);
    *m = (struct merge){ 0 };
}

void tsl_wordcount_destroy(struct tsl_wordcount *wc)
{
    if (!wc)
        return;
    merge_fini(&wc->m);
    for (unsigned i = 0; wc->adders && i < wc->o.nadders; i++) {
        tsl_wordtable_fini(&wc->adders[i].table);
        writer_fini(wc, &wc->adders[i].out);
    }
    for (size_t i = 0; i < wc->nruns; i++)
        run_drop(wc, &wc->runs[i]);
    tsl_mem_free(wc->runs);
    tsl_mem_free(wc->adders);
    tsl_spill_destroy(wc->spill);
    if (wc->o.progress)
        atomic_store(&wc->o.progress->temp_bytes, 0);
    tsl_mutex_fini(&wc->lock);
    tsl_mem_free(wc);
}

/* The table's words become a run. */
static int spill_table(struct tsl_wordcount *wc, struct adder *a, struct tsl_err *err)
{
    struct tsl_wordtable *t = &a->table;
    int rc = writer_begin(wc, &a->out, 0, err);
    if (rc < 0)
        return rc;
    tsl_wordtable_sort(t);
    for (size_t i = 0; i < t->nused && rc == 0; i++) {
        uint8_t buf[16];
        uint64_t count;
        struct tsl_slice word = tsl_wordtable_at(t, i, buf, &count);
        rc = writer_put(wc, &a->out, word, count, err);
    }
    rc = writer_end(wc, &a->out, rc, err);
    tsl_wordtable_clear(t);
    return rc;
}

static int overflow(struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "the counts of all words add up to 2^64 or more");
}

int tsl_wordcount_add_slack(struct tsl_wordcount *wc, unsigned adder,
                            struct tsl_slice word, uint64_t count, struct tsl_err *err)
{
    struct adder *a = &wc->adders[adder];
    if (count == 0)
        return 0;
    if (__builtin_add_overflow(a->added, count, &a->added)) {
        a->failed = true;
        return overflow(err);
    }
    while (!tsl_wordtable_add(&a->table, word, count)) {
        int rc = spill_table(wc, a, err);
        if (rc < 0) {
            a->failed = true;
            return rc;
        }
    }
    return 0;
}

int tsl_wordcount_add(struct tsl_wordcount *wc, unsigned adder, struct tsl_slice word,
                      uint64_t count, struct tsl_err *err)
{
    uint8_t copy[16] = { 0 };
    if (word.len <= TSL_WORDKEY_MAX) {
        memcpy(copy, word.data, word.len);
        word.data = copy;
    }
    return tsl_wordcount_add_slack(wc, adder, word, count, err);
}

/* ---- merging --------------------------------------------------------------------------- */

static int came_back_other(const struct tsl_wordcount *wc, const struct run *r,
                           uint64_t block, struct tsl_err *err)
{
    uint32_t slot = slot_of(r, block);
    const char *dir = tsl_spill_folder(wc->spill, slot);
    return tsl_err_set(err, TSL_EIO,
                       "%s: temporary block %u came back other than it was written: the "
                       "disk or the memory is faulty",
                       tsl_quote(dir).s, slot);
}

static int load_block(struct tsl_wordcount *wc, struct source *s, struct tsl_err *err)
{
    struct run *r = s->run;
    uint64_t b = s->next_block++;
    struct iovec v = { s->block, b + 1 < r->nblocks ? SLOT : r->last_bytes };
    int rc = tsl_spill_read(wc->spill, slot_of(r, b), &v, 1, err);
    if (rc < 0)
        return rc;
    size_t payload = tsl_load32(s->block + 8);
    if (payload > SLOT - HEAD ||
        tsl_load64(s->block) != sum_of(r, b, s->block, HEAD + payload))
        return came_back_other(wc, r, b, err);
    tsl_wordblock_open(&s->r, s->block + HEAD, payload, tsl_load32(s->block + 12));
    if ((b + 1) % TSL_SPILL_EXTENT == 0)
        run_release(wc, r, (size_t)((b + 1) / TSL_SPILL_EXTENT));
    return 0;
}

static uint64_t first_bytes(struct tsl_slice w)
{
    uint8_t b[8] = { 0 };
    if (w.len >= 8)
        return __builtin_bswap64(tsl_load64(w.data));
    memcpy(b, w.data, w.len);
    return __builtin_bswap64(tsl_load64(b));
}

/* 1: s has its next word; 0: there is none. */
static int source_next(struct tsl_wordcount *wc, struct source *s, struct tsl_err *err)
{
    if (s->run) {
        struct tsl_err why = { 0 };
        int rc;
        while ((rc = tsl_wordblock_next(&s->r, &why)) == 0) {
            if (s->next_block == s->run->nblocks)
                return 0;
            rc = load_block(wc, s, err);
            if (rc < 0)
                return rc;
        }
        if (rc < 0) /* its sum was right: it was not the disk */
            return came_back_other(wc, s->run, s->next_block - 1, err);
        s->word = (struct tsl_slice){ s->r.word, s->r.len };
        s->count = s->r.count;
    } else {
        if (s->next_word == s->table->nused)
            return 0;
        s->word = tsl_wordtable_at(s->table, s->next_word++, s->buf, &s->count);
    }
    s->first = first_bytes(s->word);
    return 1;
}

static bool less(const struct source *a, const struct source *b)
{
    if (a->first != b->first)
        return a->first < b->first;
    size_t n = a->word.len < b->word.len ? a->word.len : b->word.len;
    int order = memcmp(a->word.data, b->word.data, n);
    return order < 0 || (order == 0 && a->word.len < b->word.len);
}

/* Puts s, which may be larger than what is below it, where the top was. */
static void sink_top(struct merge *m, struct source *s)
{
    size_t at = 0;
    for (size_t k; (k = 2 * at + 1) < m->nheap; at = k) {
        if (k + 1 < m->nheap && less(m->heap[k + 1], m->heap[k]))
            k++;
        if (!less(m->heap[k], s))
            break;
        m->heap[at] = m->heap[k];
    }
    m->heap[at] = s;
}

static void heap_push(struct merge *m, struct source *s)
{
    size_t at = m->nheap++;
    for (; at > 0 && less(s, m->heap[(at - 1) / 2]); at = (at - 1) / 2)
        m->heap[at] = m->heap[(at - 1) / 2];
    m->heap[at] = s;
}

/* Bytes of a word's buffer. */
static size_t word_room(const struct tsl_wordcount *wc)
{
    return (wc->longest + 63) & ~(size_t)63;
}

/* A merge of nruns runs, or of all tables. */
static int merge_begin(struct tsl_wordcount *wc, struct run *runs, size_t nruns,
                       struct tsl_err *err)
{
    struct merge *m = &wc->m;
    size_t room = word_room(wc), n = nruns ? nruns : wc->o.nadders;
    *m = (struct merge){ .nsources = n };
    m->pages_bytes = nruns * ((size_t)SLOT + room) + room + 64;
    m->pages = tsl_pages_map(m->pages_bytes, "buffers of a merge", err);
    m->sources = tsl_mem_alloc(n, sizeof *m->sources, "a merge", err);
    m->heap = tsl_mem_alloc(n, sizeof *m->heap, "a merge", err);
    int rc = m->pages && m->sources && m->heap ? 0 : TSL_ENOMEM;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct source *s = &m->sources[i];
        if (nruns) {
            s->run = &runs[i];
            s->block = m->pages + i * SLOT;
            s->r.word = m->pages + nruns * SLOT + i * room;
            s->r.word_max = room;
        } else {
            s->table = &wc->adders[i].table;
        }
        rc = source_next(wc, s, err);
        if (rc == 1) {
            heap_push(m, s);
            rc = 0;
        }
    }
    if (rc < 0)
        merge_fini(m);
    else
        m->word = m->pages + m->pages_bytes - 64 - room;
    return rc;
}

static int top_next(struct tsl_wordcount *wc, struct tsl_err *err)
{
    struct merge *m = &wc->m;
    struct source *s = m->heap[0];
    int rc = source_next(wc, s, err);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        if (--m->nheap == 0)
            return 0;
        s = m->heap[m->nheap];
    }
    sink_top(m, s);
    return 0;
}

/* 1 and the next word, lent until the next call; 0 behind the last. */
static int merge_next(struct tsl_wordcount *wc, struct tsl_slice *word, uint64_t *count,
                      struct tsl_err *err)
{
    struct merge *m = &wc->m;
    if (m->nheap == 0)
        return 0;
    struct source *s = m->heap[0];
    uint64_t first = s->first, sum = s->count;
    *word = (struct tsl_slice){ m->word, s->word.len };
    memcpy(m->word, s->word.data, s->word.len);
    for (;;) {
        int rc = top_next(wc, err);
        if (rc < 0)
            return rc;
        s = m->nheap ? m->heap[0] : NULL;
        if (!s || s->first != first || s->word.len != word->len ||
            memcmp(s->word.data, m->word, word->len) != 0)
            break;
        if (__builtin_add_overflow(sum, s->count, &sum))
            return overflow(err);
    }
    *count = sum;
    return 1;
}

/* Runs that can be merged at once. */
static size_t fan_in(const struct tsl_wordcount *wc)
{
    size_t room = word_room(wc);
    size_t fixed = SLOT + TSL_WORDCOUNT_WORD_MAX + room + TSL_PAGE_BYTES;
    size_t n = (wc->o.memory - fixed) / (SLOT + room + SOURCE_EXTRA);
    return n < FANIN_MAX ? n : FANIN_MAX;
}

static_assert(sizeof(struct source) + sizeof(void *) <= SOURCE_EXTRA, "counted");

/* The n oldest runs become one, the youngest. */
static int merge_runs(struct tsl_wordcount *wc, size_t n, struct run_writer *out,
                      struct tsl_err *err)
{
    struct run *old = tsl_mem_alloc(n, sizeof *old, "runs of words", err);
    struct tsl_slice word;
    uint64_t count;
    unsigned level = 0;
    if (!old)
        return TSL_ENOMEM;
    memcpy(old, wc->runs, n * sizeof *old);
    wc->nruns -= n;
    memmove(wc->runs, wc->runs + n, wc->nruns * sizeof *wc->runs);
    for (size_t i = 0; i < n; i++)
        level = old[i].level > level ? old[i].level : level;
    int rc = merge_begin(wc, old, n, err);
    if (rc == 0) {
        rc = writer_begin(wc, out, level + 1, err);
        if (rc == 0) {
            while ((rc = merge_next(wc, &word, &count, err)) == 1) {
                rc = writer_put(wc, out, word, count, err);
                if (rc < 0)
                    break;
            }
            rc = writer_end(wc, out, rc, err);
        }
        merge_fini(&wc->m);
    }
    for (size_t i = 0; i < n; i++)
        run_drop(wc, &old[i]);
    tsl_mem_free(old);
    return rc;
}

static int merge_down(struct tsl_wordcount *wc, size_t most, struct tsl_err *err)
{
    struct run_writer out = { 0 };
    int rc = 0;
    while (rc == 0 && wc->nruns > most) {
        /* just as many as leave what one more merge takes, if that is not too many */
        size_t n = wc->nruns - most + 1;
        rc = merge_runs(wc, n < most ? n : most, &out, err);
    }
    writer_fini(wc, &out);
    return rc;
}

/* Empties all tables into runs, and gives their memory to the merge. */
static int spill_rest(struct tsl_wordcount *wc, struct tsl_err *err)
{
    int rc = 0;
    for (unsigned i = 0; i < wc->o.nadders && rc == 0; i++) {
        struct adder *a = &wc->adders[i];
        if (a->table.nused)
            rc = spill_table(wc, a, err);
        writer_fini(wc, &a->out);
        tsl_wordtable_fini(&a->table);
    }
    return rc;
}

int tsl_wordcount_finish(struct tsl_wordcount *wc, struct tsl_err *err)
{
    assert(!wc->finished);
    int rc = 0;
    for (unsigned i = 0; i < wc->o.nadders && rc == 0; i++) {
        struct adder *a = &wc->adders[i];
        assert(!a->failed);
        if (__builtin_add_overflow(wc->stats.added, a->added, &wc->stats.added))
            rc = overflow(err);
        while (rc == 0 && !tsl_wordtable_flush(&a->table))
            rc = spill_table(wc, a, err);
        wc->longest = a->table.longest > wc->longest ? a->table.longest : wc->longest;
    }
    if (rc == 0 && wc->nruns) {
        rc = spill_rest(wc, err);
        if (rc == 0)
            rc = merge_down(wc, fan_in(wc), err);
        if (rc == 0)
            rc = merge_begin(wc, wc->runs, wc->nruns, err);
        for (size_t i = 0; i < wc->nruns; i++)
            if (wc->stats.passes < wc->runs[i].level + 1)
                wc->stats.passes = wc->runs[i].level + 1;
    } else if (rc == 0) {
        for (unsigned i = 0; i < wc->o.nadders; i++)
            tsl_wordtable_sort(&wc->adders[i].table);
        rc = merge_begin(wc, NULL, 0, err);
    }
    wc->finished = rc == 0;
    return rc;
}

int tsl_wordcount_next(struct tsl_wordcount *wc, struct tsl_slice *word, uint64_t *count,
                       struct tsl_err *err)
{
    assert(wc->finished);
    int rc = merge_next(wc, word, count, err);
    wc->stats.words += rc == 1;
    return rc;
}

int tsl_wordcount_list(struct tsl_wordcount *wc, uint64_t min_count,
                       struct tsl_wordlist *list, struct tsl_err *err)
{
    struct tsl_wordlist_maker maker = { 0 };
    struct tsl_slice word;
    uint64_t count;
    int rc;
    while ((rc = tsl_wordcount_next(wc, &word, &count, err)) == 1) {
        if (count >= min_count)
            rc = tsl_wordlist_put(&maker, word, count, err);
        if (rc < 0)
            break;
    }
    if (rc < 0)
        tsl_wordlist_drop(&maker);
    else
        tsl_wordlist_finish(&maker, list);
    return rc;
}

struct tsl_wordcount_stats tsl_wordcount_stats(const struct tsl_wordcount *wc)
{
    struct tsl_wordcount_stats st = wc->stats;
    st.temp_peak = tsl_spill_stats(wc->spill).peak;
    return st;
}

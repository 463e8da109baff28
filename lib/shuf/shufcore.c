#include "shuf/shufcore.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

/* Buckets with so many first bits in common are read one after another, and share regions
 * of the temporary space: it is given back in steps of 1/128 of the rows.  Group 0 is the
 * long rows'. */
enum { GROUP_BITS = 7 };

/* 1 << log_n empty buckets that stay where they are until fini: the store's threads hold
 * on to their lists. */
static struct tsl_bucket *new_group(struct tsl_shufcore *c, unsigned log_n,
                                    uint64_t prefix, unsigned bits, struct tsl_err *err)
{
    size_t n = (size_t)1 << log_n;
    if (tsl_mem_grow(&c->groups, &c->groups_cap, c->ngroups + 1, sizeof *c->groups,
                     "buckets", err) < 0)
        return NULL;
    struct tsl_bucket *b = tsl_mem_alloc(n, sizeof *b, "buckets", err);
    if (!b)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        b[i].bits = bits + log_n;
        b[i].prefix = prefix | (b[i].bits ? (uint64_t)i << (64 - b[i].bits) : 0);
        b[i].blocks.group = 1 + (uint32_t)(b[i].prefix >> (64 - GROUP_BITS));
    }
    c->groups[c->ngroups++] = (struct tsl_bucket_group){ b, n };
    return b;
}

int tsl_shufcore_init(struct tsl_shufcore *c, const struct tsl_shufcore_opts *o,
                      const struct tsl_shufplan *plan, struct tsl_err *err)
{
    *c = (struct tsl_shufcore){ .o = *o, .plan = *plan };
    size_t n = (size_t)1 << plan->log_buckets;
    atomic_init(&c->cut, o->cut);
    tsl_mutex_init(&c->cut_lock);
    struct tsl_store_opts so = {
        .bytes = plan->store_bytes,
        .chunk_bytes = plan->chunk_bytes,
        .nwriters = plan->nwriters,
        .nthreads = plan->nthreads,
        .dirs = o->dirs,
        .ndirs = o->ndirs,
        .compress = o->temp_auto ? TSL_CODEC_ZSTD : o->temp_codec,
        .level = o->temp_auto ? TSL_CODEC_LIGHT : o->temp_level,
        .measure = o->temp_auto,
        .scarce = o->temp_scarce,
        .progress = o->progress,
    };
    /* the whole budget: what the input side holds is set aside, and comes back later */
    so.bytes = plan->memory;
    int rc = tsl_store_create(&c->store, &so, err);
    if (rc < 0)
        return rc;
    rc = tsl_store_set_aside(c->store, (int64_t)(plan->memory - plan->store_bytes), err);
    if (rc < 0)
        return rc;
    tsl_bigrows_init(&c->bigs, c->store, plan->chunk_bytes, o->nparts);
    c->bigs.store_max = plan->long_bytes;
    c->buckets = new_group(c, plan->log_buckets, 0, 0, err);
    struct tsl_blocklist **rank = tsl_mem_alloc(n + 1, sizeof *rank, "buckets", err);
    if (o->head != UINT64_MAX && !o->by_content)
        c->bins = tsl_mem_alloc(TSL_CUT_BINS, sizeof *c->bins, "a histogram", err);
    if (!c->buckets || !rank || (!c->bins && o->head != UINT64_MAX && !o->by_content)) {
        tsl_mem_free(rank);
        return TSL_ENOMEM;
    }
    rank[0] = &c->bigs.list;
    for (size_t i = 0; i < n; i++)
        rank[n - i] = &c->buckets[i].blocks;
    rc = tsl_store_rank(c->store, rank, n + 1, err);
    tsl_mem_free(rank);
    c->gather = (struct tsl_gather_opts){
        .store = c->store,
        .bigs = &c->bigs,
        .chunk_bytes = plan->chunk_bytes,
        .key = tsl_key_make(o->seed, o->by_content ? "shuffle contents" : "shuffle rows"),
        .frame = o->frame,
        .nparts = o->nparts,
        .by_content = o->by_content,
        .want_ends = o->want_ends,
        .verify = o->verify,
        .key_mask = o->key_mask,
    };
    return rc;
}

void tsl_shufcore_drop(struct tsl_shufcore *c, struct tsl_bucket *b)
{
    tsl_store_drop(c->store, &b->blocks);
}

void tsl_shufcore_fini(struct tsl_shufcore *c)
{
    if (c->store) {
        for (size_t g = 0; g < c->ngroups; g++)
            for (size_t i = 0; i < c->groups[g].n; i++)
                tsl_shufcore_drop(c, &c->groups[g].buckets[i]);
        tsl_bigrows_fini(&c->bigs);
        tsl_store_destroy(c->store);
        tsl_mutex_fini(&c->cut_lock);
    }
    for (size_t g = 0; g < c->ngroups; g++)
        tsl_mem_free(c->groups[g].buckets);
    tsl_mem_free(c->groups);
    tsl_mem_free(c->stack);
    tsl_mem_free(c->bins);
    *c = (struct tsl_shufcore){ 0 };
}

int tsl_shufcore_scatter(struct tsl_shufcore *c, struct tsl_scatter *s,
                         struct tsl_err *err)
{
    return tsl_scatter_init(s, c->store, c->plan.chunk_bytes, c->buckets,
                            c->plan.log_buckets, 0, err);
}

/* The largest key of a bin. */
static uint64_t bin_top(size_t bin)
{
    if (bin < 64)
        return bin;
    unsigned e = (unsigned)(bin / 64) + 5;
    uint64_t base = UINT64_C(1) << e | (uint64_t)(bin % 64) << (e - 6);
    return base | ((UINT64_C(1) << (e - 6)) - 1);
}

void tsl_shufcore_lower_cut(struct tsl_shufcore *c, uint64_t *bins)
{
    if (!c->bins)
        return;
    tsl_mutex_lock(&c->cut_lock);
    uint64_t sum = 0;
    bool found = false;
    for (size_t i = 0; i < TSL_CUT_BINS; i++) {
        c->bins[i] += bins[i];
        bins[i] = 0;
        if (found)
            continue;
        sum += c->bins[i];
        if (sum >= c->o.head) {
            uint64_t top = bin_top(i);
            if (top < atomic_load(&c->cut))
                atomic_store(&c->cut, top);
            found = true;
        }
    }
    tsl_mutex_unlock(&c->cut_lock);
}

int tsl_shufcore_put_long(struct tsl_shufcore *c, struct tsl_scatter *s, uint64_t key,
                          uint64_t addr, const uint8_t *row, size_t len,
                          struct tsl_err *err)
{
    uint64_t id;
    struct tsl_bigrow big;
    int rc = tsl_bigrows_begin(&c->bigs, err);
    if (rc < 0)
        return rc;
    if (c->o.nparts == 1) {
        rc = tsl_bigrows_add(&c->bigs, row, len, err);
    } else {
        size_t part_len[64], at = tsl_parts_read(row, len, c->o.nparts, part_len);
        for (size_t p = 0; p < c->o.nparts && rc == 0; at += part_len[p++]) {
            if (p > 0)
                tsl_bigrows_next_part(&c->bigs);
            rc = tsl_bigrows_add(&c->bigs, row + at, part_len[p], err);
        }
    }
    if (rc < 0) {
        tsl_bigrows_abandon(&c->bigs);
        return rc;
    }
    rc = tsl_bigrows_end(&c->bigs, &id, &big, err);
    return rc < 0 ? rc : tsl_scatter_ref(s, key, addr, id, big.len, big.hash, err);
}

void tsl_shufcore_tune(struct tsl_scatter *s, const struct tsl_row *rows, size_t n,
                       size_t span_bytes)
{
    if (n == 0)
        return;
    uint64_t sum = 0, dev = 0;
    for (size_t i = 0; i < n; i++)
        sum += rows[i].len;
    uint64_t mean = sum / n;
    for (size_t i = 0; i < n; i++)
        dev += rows[i].len > mean ? rows[i].len - mean : mean - rows[i].len;
    double nbuckets = (double)((uint64_t)1 << s->log_n);
    s->tune = tsl_block_tune_for((double)mean, (double)dev / (double)n,
                                 (double)span_bytes / (double)n * nbuckets);
}

struct tsl_tally tsl_shufcore_stored(const struct tsl_shufcore *c)
{
    struct tsl_tally t = { 0 };
    for (size_t i = 0; i < (size_t)1 << c->plan.log_buckets; i++)
        tsl_tally_add(&t, &c->buckets[i].tally);
    return t;
}

static int push(struct tsl_shufcore *c, struct tsl_bucket *b, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&c->stack, &c->stack_cap, c->nstack + 1, sizeof *c->stack,
                          "buckets", err);
    if (rc == 0)
        c->stack[c->nstack++] = b;
    return rc;
}

/* Tells the store which blocks are needed last: long rows, then the bottom of the stack;
 * [sub, sub + nsub) come before all of the stack, and now, which may be NULL, before
 * those. */
static int rank(struct tsl_shufcore *c, struct tsl_bucket *sub, size_t nsub,
                struct tsl_bucket *now, struct tsl_err *err)
{
    struct tsl_blocklist **r =
        tsl_mem_alloc(2 + c->nstack + nsub, sizeof *r, "buckets", err);
    if (!r)
        return TSL_ENOMEM;
    size_t n = 0;
    r[n++] = &c->bigs.list;
    for (size_t i = 0; i < c->nstack; i++)
        r[n++] = &c->stack[i]->blocks;
    for (size_t i = nsub; i-- > 0;)
        r[n++] = &sub[i].blocks;
    if (now)
        r[n++] = &now->blocks;
    int rc = tsl_store_rank(c->store, r, n, err);
    tsl_mem_free(r);
    return rc;
}

/* While equal rows are dropped: what is done is needed last, its first buckets soonest.
 */
static int rank_settling(struct tsl_shufcore *c, struct tsl_bucket **done, size_t n,
                         struct tsl_err *err)
{
    struct tsl_blocklist **r =
        tsl_mem_alloc(1 + n + c->nstack, sizeof *r, "buckets", err);
    if (!r)
        return TSL_ENOMEM;
    size_t k = 0;
    r[k++] = &c->bigs.list;
    for (size_t i = n; i-- > 0;)
        r[k++] = &done[i]->blocks;
    for (size_t i = 0; i < c->nstack; i++)
        r[k++] = &c->stack[i]->blocks;
    int rc = tsl_store_rank(c->store, r, k, err);
    tsl_mem_free(r);
    return rc;
}

/* Memory that gathering b takes: its own, and the chunks it will be loaded into. */
static size_t job_need(const struct tsl_shufcore *c, const struct tsl_bucket *b,
                       size_t *gather)
{
    *gather = tsl_gather_need(&c->gather, &b->tally, b->blocks.n);
    if (*gather == SIZE_MAX)
        return SIZE_MAX;
    return *gather + b->blocks.n * c->plan.chunk_bytes;
}

int tsl_shufcore_begin_output(struct tsl_shufcore *c, int64_t freed, int64_t used,
                              unsigned nthreads, struct tsl_err *err)
{
    size_t n = (size_t)1 << c->plan.log_buckets;
    int rc = 0;
    /* the last bucket first: the stack's top is what comes next */
    for (size_t i = n; i-- > 0 && rc == 0;)
        if (c->buckets[i].tally.rows)
            rc = push(c, &c->buckets[i], err);
    if (rc == 0)
        rc = rank(c, NULL, 0, NULL, err);
    if (rc < 0)
        return rc;
    int64_t total = (int64_t)c->plan.store_bytes + freed - used;
    if (total <
        (int64_t)c->plan.store_bytes / 2) /* the fixed part beside the budget helps */
        total = (int64_t)c->plan.store_bytes / 2;
    /* a few chunks stay free for long rows and for splitting */
    size_t spare = 8 * c->plan.chunk_bytes;
    size_t room = (size_t)total > 2 * spare ? (size_t)total - spare : (size_t)total / 2;
    for (c->njobs = nthreads + 4;; c->njobs--) {
        bool all = true;
        c->job_bytes = room / c->njobs;
        c->gather_bytes = 0;
        for (size_t i = 0; i < c->nstack; i++) {
            size_t gather, need = job_need(c, c->stack[i], &gather);
            if (need > c->job_bytes)
                all = false;
            else if (gather > c->gather_bytes)
                c->gather_bytes = gather;
        }
        if (all || c->njobs == 1)
            break;
    }
    if (c->njobs == 1) {
        /* some will be split, into halves of what a job may take */
        c->gather_bytes =
            c->gather_bytes > c->job_bytes / 2 ? c->gather_bytes : c->job_bytes / 2;
    }
    int64_t aside = (int64_t)(c->gather_bytes * c->njobs);
    rc = tsl_store_set_aside(c->store, aside + (int64_t)c->plan.store_bytes - total, err);
    c->job_blocks = tsl_store_chunks(c->store);
    return rc;
}

/* Rows that were let through lately, to recognise their equals among later ones: without
 * it a row that makes up most of a corpus would fill a bucket that no splitting makes
 * smaller. */
enum { SEEN_SLOTS = 1024 };

struct seen {
    struct tsl_u128 hash;
    uint64_t addr, len;
    bool used;
};

struct splitter {
    struct tsl_shufcore *c;
    struct tsl_bucket *sub;
    struct tsl_scatter scatter;
    struct seen *seen;
};

/* By content: is the row equal to one that was let through and comes before it? */
static bool seen_before(struct splitter *s, struct tsl_u128 content, uint64_t addr,
                        uint64_t len)
{
    struct seen *e = &s->seen[content.lo % SEEN_SLOTS];
    if (e->used && tsl_u128_equal(e->hash, content) && e->len == len) {
        if (e->addr < addr)
            return true;
        e->addr = addr;
        return false;
    }
    *e = (struct seen){ content, addr, len, true };
    return false;
}

static int split_row(struct splitter *s, const struct tsl_rowref *r, const uint8_t *p,
                     struct tsl_tally *in, struct tsl_err *err)
{
    struct tsl_shufcore *c = s->c;
    struct tsl_u128 content = { 0, 0 }, hash = { 0, 0 };
    struct tsl_bigrow big = { 0 };
    uint64_t len = r->len, content_len = r->len, id = 0;
    if (r->ref) {
        memcpy(&id, p, sizeof id);
        big = tsl_bigrows_get(&c->bigs, id);
        hash = big.hash;
        content = big.part_hash;
        len = big.len;
        content_len = big.part_len ? big.part_len[0] : big.len;
    } else {
        if (c->o.verify)
            hash = tsl_hash_row(p, r->len, true);
        if (c->o.by_content) {
            size_t part_len[64] = { r->len }, at = 0;
            if (c->o.nparts > 1)
                at = tsl_parts_read(p, r->len, c->o.nparts, part_len);
            content = tsl_hash128(p + at, part_len[0]);
            content_len = part_len[0];
        }
    }
    struct tsl_tally one = { 1, len, r->ref, r->ref ? len : 0, hash };
    tsl_tally_add(in, &one);
    uint64_t key = tsl_shufcore_key(c, r->addr, content);
    if (s->seen && seen_before(s, content, r->addr, content_len)) {
        tsl_tally_add(&c->dropped, &one);
        return 0;
    }
    if (r->ref)
        return tsl_scatter_ref(&s->scatter, key, r->addr, id, len, hash, err);
    return tsl_scatter_row(&s->scatter, key, r->addr, p, r->len, hash, true, err);
}

/* Into how many buckets, as a power of two, a bucket is split: such of half a job; no more
 * at a time than half of the chunks: one is being read, some are on their way to the disk.
 * 0: its rows differ in no further bit. */
static unsigned split_log(const struct tsl_shufcore *c, const struct tsl_bucket *b)
{
    size_t want = c->gather_bytes / 4 + 1, most = c->job_blocks / 2;
    unsigned log_n = 1, left = 64 - b->bits;
    uint64_t bytes = b->blocks.n * (uint64_t)c->plan.chunk_bytes + 12 * b->tally.rows;
    while (log_n < 8 && bytes >> log_n > want && (size_t)2 << log_n <= most)
        log_n++;
    return log_n < left ? log_n : left;
}

/* Block i of b into the splitter's buckets; in: what was read. */
static int split_block(struct splitter *s, struct tsl_bucket *b, size_t i, unsigned log_n,
                       struct tsl_tally *in, struct tsl_err *err)
{
    struct tsl_shufcore *c = s->c;
    struct tsl_rowreader r;
    struct tsl_rowref row;
    struct tsl_block_head h;
    uint8_t *chunk;
    int rc = tsl_store_load(c->store, &b->blocks, i, 1, &chunk, false, err);
    if (rc < 0)
        return rc;
    memcpy(&h, chunk, sizeof h);
    s->scatter.tune = (struct tsl_block_tune){
        h.typical_len,
        (uint8_t)(h.addr_shift + log_n < 39 ? h.addr_shift + log_n : 39),
        h.len_shift,
    };
    tsl_rowreader_begin(&r, chunk);
    while (rc == 0 && tsl_rowreader_next(&r, &row))
        rc = split_row(s, &row, chunk + row.at, in, err);
    tsl_store_give(c->store, chunk);
    return rc;
}

/* The n parts hold what was read of b (in) and was not dropped since `before`. */
static int split_check(const struct splitter *s, const struct tsl_bucket *b, size_t n,
                       struct tsl_tally in, const struct tsl_tally *before,
                       struct tsl_err *err)
{
    const struct tsl_tally *dropped = &s->c->dropped;
    struct tsl_tally out = { 0 };
    for (size_t i = 0; i < n; i++)
        tsl_tally_add(&out, &s->sub[i].tally);
    tsl_u128_add(&out.sum, dropped->sum);
    tsl_u128_add(&in.sum, before->sum);
    if (in.rows != b->tally.rows || out.rows + dropped->rows - before->rows != in.rows ||
        !tsl_u128_equal(in.sum, out.sum))
        return tsl_err_set(err, TSL_EVERIFY,
                           "rows were altered while a bucket was split");
    return 0;
}

/* Scatters a bucket that is too large by the bits that come next; puts the parts on the
 * stack in its place.  Uses b up. */
static int split(struct tsl_shufcore *c, struct tsl_bucket *b, struct tsl_err *err)
{
    unsigned log_n = split_log(c, b);
    size_t n = (size_t)1 << log_n;
    struct tsl_tally in = { 0 }, before = c->dropped;
    struct splitter s = { .c = c };
    int rc = TSL_ENOMEM;
    if (log_n == 0)
        return tsl_err_set(err, TSL_ENOMEM,
                           "%llu rows share one key; give more memory (-m)",
                           (unsigned long long)b->tally.rows);
    s.sub = new_group(c, log_n, b->prefix, b->bits, err);
    if (c->o.by_content)
        s.seen = tsl_mem_alloc(SEEN_SLOTS, sizeof *s.seen, "buckets", err);
    if (!s.sub || (c->o.by_content && !s.seen))
        goto out;
    rc = tsl_scatter_init(&s.scatter, c->store, c->plan.chunk_bytes, s.sub, log_n,
                          b->bits, err);
    if (rc == 0)
        rc = rank(c, s.sub, n, b, err);
    for (size_t i = 0; i < b->blocks.n && rc == 0; i++)
        rc = split_block(&s, b, i, log_n, &in, err);
    if (rc == 0)
        rc = tsl_scatter_finish(&s.scatter, err);
    if (rc == 0)
        rc = split_check(&s, b, n, in, &before, err);
    for (size_t i = n; i-- > 0 && rc == 0;)
        if (s.sub[i].tally.rows)
            rc = push(c, &s.sub[i], err);
    c->splits++;
out:
    tsl_scatter_fini(&s.scatter);
    if (rc == 0)
        rc = rank(c, NULL, 0, NULL, err);
    tsl_mem_free(s.seen);
    tsl_shufcore_drop(c, b);
    return rc;
}

int tsl_shufcore_next(struct tsl_shufcore *c, struct tsl_bucket **out,
                      struct tsl_err *err)
{
    while (c->nstack > 0) {
        struct tsl_bucket *b = c->stack[--c->nstack];
        size_t gather = tsl_gather_need(&c->gather, &b->tally, b->blocks.n);
        int rc = rank(c, NULL, 0, NULL, err);
        if (rc == 0 && (gather > c->gather_bytes || b->blocks.n > c->job_blocks)) {
            rc = split(c, b, err);
            if (rc < 0)
                return rc;
            continue;
        }
        if (rc == 0)
            rc = tsl_store_claim(c->store, tsl_blocklist_on_disk(c->store, &b->blocks),
                                 err);
        if (rc < 0) {
            tsl_shufcore_drop(c, b);
            return rc;
        }
        *out = b;
        return 1;
    }
    return 0;
}

int tsl_shufcore_settle(struct tsl_shufcore *c, struct tsl_err *err)
{
    struct tsl_gather g;
    struct tsl_bucket **done = NULL, *b;
    size_t ndone = 0, cap = 0;
    int rc = tsl_gather_init(&g, &c->gather, c->gather_bytes, err);
    if (rc < 0)
        return rc;
    while (rc == 0 && (rc = tsl_shufcore_next(c, &b, err)) == 1) {
        struct tsl_scatter to = { 0 };
        struct tsl_bucket *kept = new_group(c, 0, b->prefix, b->bits, err);
        rc = kept ? tsl_mem_grow(&done, &cap, ndone + 1, sizeof *done, "buckets", err)
                  : TSL_ENOMEM;
        if (rc == 0)
            rc = tsl_scatter_init(&to, c->store, c->plan.chunk_bytes, kept, 0, b->bits,
                                  err);
        if (rc == 0) {
            done[ndone++] = kept;
            rc = rank_settling(c, done, ndone, err);
        }
        if (rc == 0)
            rc = tsl_gather_distinct(&g, b, true, &to, err);
        if (rc == 0)
            rc = tsl_scatter_finish(&to, err);
        tsl_tally_add(&c->dropped, &g.dropped);
        if (to.store)
            tsl_scatter_fini(&to);
    }
    for (size_t i = ndone; i-- > 0 && rc == 0;)
        rc = push(c, done[i], err);
    if (rc == 0)
        rc = rank(c, NULL, 0, NULL, err);
    tsl_mem_free(done);
    tsl_gather_fini(&g);
    return rc;
}

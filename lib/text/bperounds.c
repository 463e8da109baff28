#include "text/bperounds.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "base/mem.h"
#include "text/bpereplay.h"
#include "text/wordstore.h"

/* Words of so few symbols are taken whole. */
enum { WHOLE_SYMBOLS = 1 << 16 };

/* Classes of counts: each by itself below 2^CLASS_BITS, then 2^CLASS_BITS of each power of
 * two. */
enum { CLASS_BITS = 2, CLASSES = (64 - CLASS_BITS + 1) << CLASS_BITS };

static_assert(CLASSES <= 256, "a class is a byte");

enum { BUCKETS_MIN = 1 << 10, BUCKETS_MAX = 1 << 26, PLACES_BITS = 20 };

/* What a place of a pair takes in memory, to begin with; and a pair. */
enum { PLACE_BYTES = 28, PAIR_BYTES = 128 };

/* What a round takes at most of plenty of memory. */
enum { SYMBOL_BYTES = 16, ENOUGH_BYTES = 8 << 20 };

#define NONE UINT32_MAX

struct excess {
    uint32_t left, right;
    int64_t excess;
    uint32_t round; /* that it was put into the sketch for */
};

struct tsl_bperounds {
    struct tsl_bperounds_opts o;
    struct tsl_wordstore *store;
    struct tsl_bpemerge *m; /* NULL between rounds */
    uint64_t bound;         /* of its counts */
    bool whole;             /* there is no bound */
    bool cut;               /* words are not whole in this round */
    const uint64_t *count;
    size_t nids;
    struct tsl_bpereplay log; /* merges of this round */
    struct tsl_bpereplay_scratch scratch;
    uint32_t *len; /* by id, where the length of pairs has a limit */
    size_t len_cap;
    bool shared, shared_now; /* a merge gave an id that there was: ever, in this round */

    struct excess *excess; /* of pairs that were merged; a hash table */
    size_t nexcess, excess_mask;

    /* While pairs are counted a number each: the sum of counts in units, and of how many
     * places.  Then only each one's class is kept, in the first of these bytes. */
    uint64_t *bucket;
    uint8_t *klass;
    size_t nbuckets;
    unsigned bound_class;
    uint64_t class_places[CLASSES], class_pairs[CLASSES];
    unsigned unit_log; /* of a unit */
    uint64_t unit_mask;
    uint64_t total; /* of all counts of symbols */

    double places; /* of pairs above the bound that fitted */
    struct tsl_bperounds_stats stats;
};

/* ---- memory ---------------------------------------------------------------------------- */

static size_t store_bytes(const struct tsl_bperounds *r)
{
    return r->o.memory / 4;
}

static size_t sketch_bytes(const struct tsl_bperounds *r)
{
    return r->nbuckets;
}

static size_t other_bytes(const struct tsl_bperounds *r)
{
    return r->log.cap * (sizeof *r->log.merge + 8) + r->len_cap * sizeof *r->len +
           (r->excess ? r->excess_mask + 1 : 0) * sizeof *r->excess;
}

/* What is left for a round. */
static size_t round_bytes(const struct tsl_bperounds *r)
{
    size_t held = sketch_bytes(r) + tsl_wordstore_peak(r->store) + other_bytes(r);
    if (!r->o.memory)
        return 0;
    size_t left = r->o.memory > held + 4096 ? r->o.memory - held : 4096;
    /* as few words do not need much: more would be a little faster */
    size_t enough = (size_t)tsl_wordstore_symbols(r->store) * SYMBOL_BYTES;
    enough = enough < ENOUGH_BYTES ? ENOUGH_BYTES : enough;
    return left < enough ? left : enough;
}

static size_t held_bytes(const struct tsl_bperounds *r)
{
    return sketch_bytes(r) + tsl_wordstore_peak(r->store) + other_bytes(r) +
           (r->m ? tsl_bpemerge_peak_bytes(r->m) : 0);
}

int tsl_bperounds_create(struct tsl_bperounds **out, const struct tsl_bperounds_opts *o,
                         struct tsl_err *err)
{
    struct tsl_bperounds *r = tsl_mem_alloc(1, sizeof *r, "pairs", err);
    if (!r)
        return TSL_ENOMEM;
    r->o = *o;
    if (!r->o.least)
        r->o.least = 1;
    struct tsl_wordstore_opts s = { store_bytes(r), o->dirs, o->memory ? o->ndirs : 0 };
    int rc = tsl_wordstore_create(&r->store, &s, err);
    if (rc < 0) {
        tsl_mem_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

static void round_end(struct tsl_bperounds *r)
{
    if (!r->m)
        return;
    r->stats = tsl_bperounds_stats(r);
    tsl_bpemerge_destroy(r->m);
    r->m = NULL;
}

static void sketch_fini(struct tsl_bperounds *r)
{
    tsl_pages_unmap(r->bucket, r->nbuckets * sizeof *r->bucket);
    r->bucket = NULL;
    r->klass = NULL;
    r->nbuckets = 0;
}

void tsl_bperounds_destroy(struct tsl_bperounds *r)
{
    if (!r)
        return;
    round_end(r);
    sketch_fini(r);
    tsl_wordstore_destroy(r->store);
    tsl_bpereplay_fini(&r->log);
    tsl_bpereplay_scratch_fini(&r->scratch);
    tsl_mem_free(r->len);
    tsl_mem_free(r->excess);
    tsl_mem_free(r);
}

int tsl_bperounds_word(struct tsl_bperounds *r, const uint32_t *ids, size_t n,
                       uint64_t count, struct tsl_err *err)
{
    r->total += n * count;
    return tsl_wordstore_put(r->store, ids, n, count, err);
}

/* ---- counts of pairs that were merged before ------------------------------------------- */

static uint64_t hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
}

/* The pair's place, which is free (left NONE) or its own. */
static struct excess *excess_at(const struct tsl_bperounds *r, uint32_t left,
                                uint32_t right)
{
    size_t i = (size_t)(hash_pair(left, right) >> 32) & r->excess_mask;
    for (;; i = (i + 1) & r->excess_mask) {
        struct excess *e = &r->excess[i];
        if (e->left == NONE || (e->left == left && e->right == right))
            return e;
    }
}

static int excess_room(struct tsl_bperounds *r, struct tsl_err *err)
{
    struct excess *old = r->excess;
    size_t before = old ? r->excess_mask + 1 : 0;
    if (old && (r->nexcess + 1) * 2 <= before)
        return 0;
    size_t size = before ? 2 * before : 1024;
    struct excess *e = tsl_mem_resize(NULL, size, sizeof *e, "merges", err);
    if (!e)
        return TSL_ENOMEM;
    for (size_t i = 0; i < size; i++)
        e[i].left = NONE;
    r->excess = e;
    r->excess_mask = size - 1;
    for (size_t i = 0; i < before; i++)
        if (old[i].left != NONE)
            *excess_at(r, old[i].left, old[i].right) = old[i];
    tsl_mem_free(old);
    return 0;
}

/* Hugging Face's counts of a pair are not lowered when it is merged, and may come to matter
 * again when it comes up again. */
static int keep_excess(struct tsl_bperounds *r, struct tsl_err *err)
{
    if (r->o.pairs.key || r->o.pairs.likelihood)
        return 0;
    if (r->shared_now) /* else what was merged did not come up again */
        tsl_bpemerge_uncount(r->m);
    for (size_t i = 0; i < r->log.n; i++) {
        const struct tsl_bpereplay_merge *g = &r->log.merge[i];
        int rc = excess_room(r, err);
        if (rc < 0)
            return rc;
        struct excess *e = excess_at(r, g->left, g->right);
        r->nexcess += e->left == NONE;
        *e = (struct excess){ g->left, g->right,
                              tsl_bpemerge_count(r->m, g->left, g->right), 0 };
    }
    return 0;
}

static int64_t excess_of(void *ctx, uint32_t left, uint32_t right)
{
    const struct tsl_bperounds *r = ctx;
    const struct excess *e = excess_at(r, left, right);
    return e->left == NONE ? 0 : e->excess;
}

/* ---- the sketch ------------------------------------------------------------------------ */

static inline size_t bucket_of(const struct tsl_bperounds *r, uint32_t left,
                               uint32_t right)
{
    return (size_t)(hash_pair(left, right) >> 20) & (r->nbuckets - 1);
}

/* The sum of a bucket's counts is at most this. */
static inline uint64_t bucket_sum(const struct tsl_bperounds *r, size_t b)
{
    return (r->bucket[b] >> PLACES_BITS) << r->unit_log;
}

static inline void bucket_add(struct tsl_bperounds *r, size_t b, uint64_t count)
{
    const uint64_t places = (UINT64_C(1) << PLACES_BITS) - 1;
    uint64_t units = (count >> r->unit_log) + ((count & r->unit_mask) != 0);
    r->bucket[b] += (units << PLACES_BITS) + ((r->bucket[b] & places) < places);
}

/* The pair cannot be merged, nor can any that has it within. */
static inline bool is_too_long(const struct tsl_bperounds *r, uint32_t left,
                               uint32_t right)
{
    if (!r->len)
        return false;
    size_t len = (size_t)r->len[left] + r->len[right];
    return len > 2 && len >= r->o.pairs.slots_limit; /* at first all are asked for */
}

static void sketch_word(struct tsl_bperounds *r, const uint32_t *ids, size_t n,
                        uint64_t count)
{
    for (size_t i = 0; i + 1 < n; i++) {
        if (is_too_long(r, ids[i], ids[i + 1]))
            continue;
        size_t b = bucket_of(r, ids[i], ids[i + 1]);
        bucket_add(r, b, count);
        if (!r->shared || !r->excess)
            continue;
        struct excess *e = excess_at(r, ids[i], ids[i + 1]);
        if (e->left != NONE && e->round != r->stats.rounds && e->excess > 0) {
            e->round = (uint32_t)r->stats.rounds;
            bucket_add(r, b, (uint64_t)e->excess);
        }
    }
}

/* As many buckets as there is memory, and as make sense. */
static int sketch_begin(struct tsl_bperounds *r, struct tsl_err *err)
{
    sketch_fini(r);
    size_t n = BUCKETS_MIN, most = round_bytes(r);
    uint64_t symbols = tsl_wordstore_symbols(r->store);
    while (n < BUCKETS_MAX && n < symbols && (!most || 2 * n * sizeof *r->bucket <= most))
        n *= 2;
    /* all of them, and what was merged before, fit in the other bits in each bucket */
    r->unit_log = 0;
    while (2 * (r->total >> r->unit_log) >> (63 - PLACES_BITS))
        r->unit_log++;
    r->unit_mask = (UINT64_C(1) << r->unit_log) - 1;
    r->bucket = tsl_pages_map(n * sizeof *r->bucket, "pairs", err);
    r->nbuckets = n;
    return r->bucket ? 0 : TSL_ENOMEM;
}

static unsigned class_of(uint64_t v)
{
    if (v < 1U << CLASS_BITS)
        return (unsigned)v;
    unsigned log = 63 - (unsigned)__builtin_clzll(v);
    return ((log - CLASS_BITS + 1) << CLASS_BITS) +
           (unsigned)(v >> (log - CLASS_BITS) & ((1U << CLASS_BITS) - 1));
}

/* The smallest count of a class. */
static uint64_t class_least(unsigned c)
{
    if (c < 1U << CLASS_BITS)
        return c;
    unsigned log = (c >> CLASS_BITS) - 1;
    return ((uint64_t)(1U << CLASS_BITS) + (c & ((1U << CLASS_BITS) - 1))) << log;
}

/* All words were seen: seven eighths of the memory are given back. */
static void sketch_end(struct tsl_bperounds *r)
{
    const uint64_t mask = (UINT64_C(1) << PLACES_BITS) - 1;
    memset(r->class_places, 0, sizeof r->class_places);
    memset(r->class_pairs, 0, sizeof r->class_pairs);
    r->klass = (uint8_t *)r->bucket;
    for (size_t i = 0; i < r->nbuckets; i++) {
        uint64_t b = r->bucket[i];
        unsigned c = class_of(bucket_sum(r, i));
        r->class_places[c] += b & mask;
        r->class_pairs[c] += b != 0;
        r->klass[i] = (uint8_t)c;
    }
    tsl_pages_drop(r->klass + r->nbuckets, r->nbuckets * (sizeof *r->bucket - 1));
}

/* ---- a round begins -------------------------------------------------------------------- */

/* Merges what this round merged in the stored words. */
static int rewrite(struct tsl_bperounds *r, bool sketch, struct tsl_err *err)
{
    uint32_t *ids;
    size_t n;
    uint64_t count;
    int rc;
    tsl_wordstore_rewind(r->store, true);
    while ((rc = tsl_wordstore_next(r->store, &ids, &n, &count, err)) > 0) {
        rc = tsl_bpereplay_apply(&r->log, &r->scratch, ids, &n, err);
        if (rc == 0 && n >= 2) {
            if (sketch)
                sketch_word(r, ids, n, count);
            rc = tsl_wordstore_put(r->store, ids, n, count, err);
        }
        if (rc < 0)
            break;
    }
    tsl_bpereplay_clear(&r->log);
    return rc < 0 ? rc : tsl_wordstore_turn(r->store, err);
}

static int sketch_all(struct tsl_bperounds *r, struct tsl_err *err)
{
    uint32_t *ids;
    size_t n;
    uint64_t count;
    int rc;
    tsl_wordstore_rewind(r->store, false);
    while ((rc = tsl_wordstore_next(r->store, &ids, &n, &count, err)) > 0)
        sketch_word(r, ids, n, count);
    return rc;
}

static int create_pairs(struct tsl_bperounds *r, struct tsl_err *err)
{
    struct tsl_bpemerge_opts p = r->o.pairs;
    /* what merging takes on top comes within the rest, see fill */
    p.memory = round_bytes(r) / 10 * 7;
    p.len = r->len && r->stats.rounds > 1 ? (const uint32_t *const *)&r->len : NULL;
    p.excess = r->shared && r->excess ? excess_of : NULL;
    p.excess_ctx = r;
    p.same_words = !r->whole;
    p.bound = r->whole ? 0 : r->bound;
    return tsl_bpemerge_create(&r->m, &p, err);
}

static bool is_cut(const struct tsl_bperounds *r, uint32_t left, uint32_t right)
{
    return r->klass[bucket_of(r, left, right)] < r->bound_class ||
           is_too_long(r, left, right);
}

/* Hands a word over, cut where pairs are below the bound; *places: how many are not. */
static int hand_over(struct tsl_bperounds *r, const uint32_t *ids, size_t n,
                     uint64_t count, uint64_t *places, struct tsl_err *err)
{
    size_t from = 0;
    int rc = 0;
    for (size_t i = 1; i <= n && rc == 0; i++) {
        if (i < n && !is_cut(r, ids[i - 1], ids[i])) {
            ++*places;
            continue;
        }
        r->cut |= i < n;
        if (i - from >= 2)
            rc = tsl_bpemerge_word(r->m, ids + from, i - from, count, err);
        from = i;
    }
    return rc;
}

/* All words, or what is left of them, into r->m.  *share: of the words that were. */
static int fill(struct tsl_bperounds *r, double *share, struct tsl_err *err)
{
    uint32_t *ids;
    size_t n;
    uint64_t count, places = 0, words = 0;
    int rc = create_pairs(r, err);
    if (rc < 0)
        return rc;
    r->cut = false;
    tsl_wordstore_rewind(r->store, false);
    while ((rc = tsl_wordstore_next(r->store, &ids, &n, &count, err)) > 0) {
        words++;
        if (r->whole)
            rc = tsl_bpemerge_word(r->m, ids, n, count, err);
        else
            rc = hand_over(r, ids, n, count, &places, err);
        if (rc < 0)
            break;
    }
    *share = (double)words / ((double)tsl_wordstore_words(r->store) + 1);
    if (rc == 0) {
        *share = 1;
        rc = tsl_bpemerge_start(r->m, r->count, r->nids, err);
    }
    if (rc == 0)
        tsl_bpemerge_limit(r->m, round_bytes(r) / 100 * 85);
    return rc;
}

/* The lowest bound of which so many places and pairs, or fewer, are above; below: a bound
 * that was too high.  Returns how many places are above. */
static uint64_t choose_bound(struct tsl_bperounds *r, double places_max,
                             uint64_t pairs_max, uint64_t below)
{
    uint64_t places = 0, pairs = 0;
    r->bound = UINT64_MAX;
    for (unsigned c = CLASSES; c-- > 0 && r->bound > r->o.least;) {
        places += r->class_places[c];
        pairs += r->class_pairs[c];
        if (r->bound < below && ((double)places > places_max || pairs > pairs_max))
            return places - r->class_places[c];
        if (!r->class_pairs[c] && class_least(c) > r->o.least)
            continue;
        r->bound_class = c;
        r->bound = class_least(c) > r->o.least ? class_least(c) : r->o.least;
    }
    return places;
}

/* Pairs that it is worth to look at: in the first round, when words are still long, few. */
static uint64_t pairs_wanted(const struct tsl_bperounds *r, size_t memory)
{
    uint64_t most = memory ? memory / 3 / PAIR_BYTES : UINT64_MAX;
    uint64_t want = r->o.pairs_max;
    if (!want && r->stats.rounds == 1)
        want = 1000;
    if (!want)
        want = r->o.ids > r->nids ? 3 * (uint64_t)(r->o.ids - r->nids) + 1000 : 1000;
    return want < most ? want : most;
}

/* Words are cut so that they fit; below: a bound that was too high.  How much memory places
 * take depends on how often what is left of words is the same, so it is tried out. */
static int begin_bounded(struct tsl_bperounds *r, uint64_t below, struct tsl_err *err)
{
    size_t memory = round_bytes(r);
    uint64_t wanted = pairs_wanted(r, memory);
    double places = memory ? (double)memory / PLACE_BYTES : 1e18;
    bool over = false;
    if (places < 2 * r->places)
        places = 2 * r->places;
    for (double tried = 0;;) {
        struct tsl_err why = { 0 };
        double share = 0, above = (double)choose_bound(r, places, wanted, below);
        int rc = fill(r, &share, &why);
        if (rc == 0) {
            size_t used = tsl_bpemerge_peak_bytes(r->m);
            r->places = above;
            if (over || used > memory / 4 || r->bound <= r->o.least)
                return 0;
            uint64_t bound = r->bound;
            bool more = (double)choose_bound(r, 4 * places, wanted, below) > above;
            if (!more) {
                assert(r->bound == bound);
                return 0;
            }
            round_end(r);
            places *= 4;
            continue;
        }
        over = r->m && tsl_bpemerge_is_over(r->m);
        round_end(r);
        if (!over || above < 2 || above == tried)
            return tsl_err_set(err, rc, "%s", why.msg);
        tried = above;
        places = above * (share < 0.7 ? share * 0.8 : 0.5);
    }
}

static int begin_round(struct tsl_bperounds *r, uint64_t below, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    bool few = tsl_wordstore_symbols(r->store) <= WHOLE_SYMBOLS && !r->o.pairs_max;
    bool whole = r->o.pairs.likelihood || (few && below == UINT64_MAX);
    int rc = 0;
    r->stats.rounds++;
    r->shared_now = false;
    if (whole) {
        double share;
        if (r->log.n)
            rc = rewrite(r, false, err);
        r->whole = true;
        if (rc < 0)
            return rc;
        rc = fill(r, &share, &why);
        if (rc == 0)
            return 0;
        bool over = r->m && tsl_bpemerge_is_over(r->m);
        round_end(r);
        if (!over || r->o.pairs.likelihood)
            return tsl_err_set(err, rc, "%s", why.msg);
        rc = 0;
    }
    r->whole = false;
    if (below == UINT64_MAX || r->log.n) {
        rc = sketch_begin(r, err);
        if (rc == 0)
            rc = r->log.n ? rewrite(r, true, err) : sketch_all(r, err);
        if (rc == 0)
            sketch_end(r);
    }
    return rc < 0 ? rc : begin_bounded(r, below, err);
}

int tsl_bperounds_start(struct tsl_bperounds *r, const uint64_t *count, size_t nids,
                        struct tsl_err *err)
{
    r->count = count;
    r->nids = nids;
    int rc = 0;
    if (r->o.pairs.slots_limit)
        rc = tsl_mem_grow(&r->len, &r->len_cap, nids + 1, sizeof *r->len, "symbols", err);
    for (size_t i = 0; rc == 0 && r->len && i < nids; i++)
        r->len[i] = 1;
    if (rc == 0)
        rc = tsl_wordstore_turn(r->store, err);
    return rc < 0 ? rc : begin_round(r, UINT64_MAX, err);
}

/* ---- merging --------------------------------------------------------------------------- */

/* This round's words are dropped; the stored ones will be merged as they were. */
static int leave_round(struct tsl_bperounds *r, struct tsl_err *err)
{
    int rc = keep_excess(r, err);
    round_end(r);
    return rc;
}

/* There are pairs that this round does not know. */
static bool is_partial(const struct tsl_bperounds *r)
{
    return r->cut || tsl_bpemerge_is_partial(r->m);
}

int tsl_bperounds_best(struct tsl_bperounds *r, struct tsl_bpemerge_pair *best,
                       struct tsl_err *err)
{
    int rc = r->m ? 0 : begin_round(r, UINT64_MAX, err);
    while (rc == 0) {
        rc = tsl_bpemerge_best(r->m, best, err);
        if (rc != 0 || !is_partial(r))
            return rc;
        if (r->bound <= r->o.least)
            return 0;
        /* a sketch may say more than there is: the bound was too high */
        uint64_t below = r->log.n ? UINT64_MAX : r->bound;
        rc = leave_round(r, err);
        if (rc == 0)
            rc = begin_round(r, below, err);
    }
    return rc;
}

int tsl_bperounds_apply(struct tsl_bperounds *r, const struct tsl_bpemerge_pair *pair,
                        uint32_t id, struct tsl_err *err)
{
    bool shared = id < r->nids;
    int rc = tsl_bpereplay_add(&r->log, pair->left, pair->right, id, err);
    if (rc == 0 && r->len)
        rc = tsl_mem_grow(&r->len, &r->len_cap, (size_t)id + 1, sizeof *r->len, "symbols",
                          err);
    if (rc == 0 && r->len && !shared)
        r->len[id] = r->len[pair->left] + r->len[pair->right];
    if (rc == 0)
        rc = tsl_bpemerge_apply(r->m, pair, id, err);
    if (rc < 0)
        return rc;
    if (!shared)
        r->nids = (size_t)id + 1;
    r->shared |= shared;
    r->shared_now |= shared;
    if (tsl_bpemerge_is_over(r->m))
        r->places /= 4;
    if (tsl_bpemerge_is_over(r->m) || (shared && is_partial(r)))
        return leave_round(r, err);
    return 0;
}

struct tsl_bperounds_stats tsl_bperounds_stats(const struct tsl_bperounds *r)
{
    struct tsl_bperounds_stats st = r->stats;
    if (r->m && tsl_bpemerge_pairs(r->m) > st.pairs)
        st.pairs = tsl_bpemerge_pairs(r->m);
    if (held_bytes(r) > st.peak_bytes)
        st.peak_bytes = held_bytes(r);
    return st;
}

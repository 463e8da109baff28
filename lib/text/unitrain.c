#include "text/unitrain.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "par/thread.h"
#include "text/uniseed.h"
#include "text/unitext.h"

/* As there: a piece that is expected less often is dropped; an unknown character costs so
 * much more than the least likely piece; room above the size before the final cut; what
 * keeps required characters without a score apart. */
static const double EXPECTED_MIN = 0.5;
static const float UNKNOWN_PENALTY = 10.0F;
static const double SPARE = 1.1;
static const float PENALTY_STEP = 0.0001F;

enum {
    PARTS_MIN = 8, /* that sums are taken in */
    PARTS_MAX = 64,
    PARTS_CELLS = 1 << 22, /* of all parts' sums together, where PARTS_MIN allows */
    RANGE = 8192,          /* pieces that one call works on */
    SCALE_BITS = 256       /* what small numbers are scaled by, as often as need be */
};

/* What walking a lattice needs of a piece. */
struct piece {
    double p;        /* its probability */
    uint32_t parent; /* the longest piece that it begins with */
    uint32_t len;    /* symbols */
};

/* And the rest. */
struct fact {
    float score;   /* log p */
    uint32_t at;   /* in the text's symbols, where it comes */
    uint32_t rank; /* SentencePiece's order, in which ties are broken */
};

/* What one thread has: arrays by place in a word. */
struct scratch {
    double *alpha, *beta;
    int32_t *scaled; /* how often alpha was */
    float *best;
    uint32_t *back; /* the piece that the best way to a place ends with */
};

struct trainer {
    const struct tsl_unitrain_opts *o;
    struct tsl_unitext text;
    struct tsl_uniseeds seeds;
    struct tsl_unimem mem;
    struct tsl_pool *pool;
    uint32_t *longest; /* by symbol: the longest piece that begins there */
    struct piece *pieces;
    struct fact *facts;
    size_t n, cap; /* pieces now and at first */
    size_t desired;
    uint32_t first; /* the piece of rank 0 */
    float score_min;
    double unk_p;
    float unk_score;
    size_t scratch_len;
    struct scratch *scratch;
    unsigned nscratch;
    /* Sums are taken by parts of the words; part i begins at word part[i]. */
    size_t nparts;
    size_t part[PARTS_MAX + 1];
    double part_nats[PARTS_MAX];
    double *sums; /* nparts times n; then the first n: all */
    size_t sums_cap;
    uint32_t *map, *by_rank; /* scratch: an entry a piece */
    struct tsl_unikey *keys;
    double *losses;
    double best_all; /* pieces on the best ways of all words */
    double digamma_all;
    bool pruning; /* which of two passes over the words this is */
    _Atomic(size_t) next;
    uint64_t rounds;
};

struct tsl_unitrain_opts tsl_unitrain_defaults(void)
{
    return (struct tsl_unitrain_opts){
        .size = 8000,
        .seed_size = 1000000,
        .shrink = 0.75,
        .em_steps = 2,
        .max_piece_chars = 16,
        .coverage = 0.9995,
        .split_by_number = true,
        .split_by_unicode_script = true,
        .split_by_whitespace = true,
        .hard_vocab_limit = true,
        .memory = SIZE_MAX,
        .nthreads = 1,
    };
}

static void run_ranges(struct trainer *t, void (*fn)(void *, unsigned))
{
    tsl_pool_run(t->pool, (unsigned)((t->n + RANGE - 1) / RANGE), fn, t);
}

static size_t range_end(const struct trainer *t, unsigned i)
{
    size_t end = ((size_t)i + 1) * RANGE;
    return end < t->n ? end : t->n;
}

/* Forward: alpha[i] is the sum over all ways to place i, times 2^(SCALE_BITS * scaled[i]).
 * What a window holds is scaled when all of it has become small: what gets lost then is
 * below 2^-700 of the rest. */
static void forward(const struct trainer *t, struct scratch *s, const uint32_t *longest,
                    size_t n)
{
    const double small = ldexp(1, -SCALE_BITS), large = ldexp(1, SCALE_BITS);
    const size_t window = t->o->max_piece_chars + 1;
    double *alpha = s->alpha;
    int32_t scaled = 0;
    memset(alpha, 0, (n + window + 1) * sizeof *alpha);
    alpha[0] = 1;
    for (size_t i = 0; i < n; i++) {
        if (alpha[i] < small) {
            double max = 0;
            for (size_t j = i; j < i + window; j++)
                max = alpha[j] > max ? alpha[j] : max;
            for (size_t j = i; max < small && j < i + window; j++)
                alpha[j] *= large;
            scaled += max < small;
        }
        s->scaled[i] = scaled;
        double a = alpha[i];
        uint32_t len = 0;
        for (uint32_t id = longest[i]; id != TSL_UNI_NONE; id = t->pieces[id].parent) {
            const struct piece *p = &t->pieces[id];
            len = p->len;
            alpha[i + len] += a * p->p;
        }
        if (len != 1)
            alpha[i + 1] += a * t->unk_p;
    }
    s->scaled[n] = scaled;
}

/* Backward, and each piece's share of count into sums.  Returns the word's log
 * likelihood. */
static double backward(const struct trainer *t, struct scratch *s,
                       const uint32_t *longest, size_t n, double count, double *sums)
{
    const double small = ldexp(1, -SCALE_BITS), large = ldexp(1, SCALE_BITS);
    const size_t window = t->o->max_piece_chars + 1;
    double *beta = s->beta, z = s->alpha[n];
    int32_t scaled = 0;
    memset(beta + n + 1, 0, window * sizeof *beta);
    beta[n] = 1;
    for (size_t i = n; i-- > 0;) {
        double sum = 0, share = s->alpha[i] * (count / z);
        int32_t e = s->scaled[n] - s->scaled[i] - scaled;
        uint32_t len = 0;
        if (e)
            share = ldexp(share, SCALE_BITS * e);
        for (uint32_t id = longest[i]; id != TSL_UNI_NONE; id = t->pieces[id].parent) {
            const struct piece *p = &t->pieces[id];
            len = p->len;
            double x = p->p * beta[i + len];
            sum += x;
            sums[id] += share * x;
        }
        if (len != 1) { /* an unknown character is counted for the first piece, sic */
            double x = t->unk_p * beta[i + 1];
            sum += x;
            sums[t->first] += share * x;
        }
        beta[i] = sum;
        if (sum < small) {
            double max = 0;
            for (size_t j = i; j < i + window; j++)
                max = beta[j] > max ? beta[j] : max;
            for (size_t j = i; max < small && j < i + window; j++)
                beta[j] *= large;
            scaled += max < small;
        }
    }
    return tsl_fixmath_log(z) - s->scaled[n] * (SCALE_BITS * 0.693147180559945309417);
}

/* The best way: s->back[i] is the piece that ends at i, TSL_UNI_NONE for an unknown
 * character, s->best[n] its score.  no_whole: not by one piece from 0 to n.  Adds and compares in float, and of equal ways the one whose last piece is
 * longest wins: so does SentencePiece. */
static void best_way(const struct trainer *t, struct scratch *s, const uint32_t *longest,
                     size_t n, bool no_whole)
{
    float *best = s->best;
    for (size_t i = 1; i <= n; i++)
        best[i] = -INFINITY;
    best[0] = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t len = 0;
        for (uint32_t id = longest[i]; id != TSL_UNI_NONE; id = t->pieces[id].parent) {
            len = t->pieces[id].len;
            float score = best[i] + t->facts[id].score;
            if (i + len > n || (no_whole && len == n) || !(score > best[i + len]))
                continue;
            best[i + len] = score;
            s->back[i + len] = id;
        }
        float score = best[i] + t->unk_score;
        if (len != 1 && score > best[i + 1]) {
            best[i + 1] = score;
            s->back[i + 1] = TSL_UNI_NONE;
        }
    }
}

/* Adds how often each piece is on a word's best way. */
static void count_best(const struct trainer *t, struct scratch *s,
                       const uint32_t *longest, size_t n, double count, double *sums)
{
    best_way(t, s, longest, n, false);
    while (n) {
        uint32_t id = s->back[n];
        sums[id == TSL_UNI_NONE ? t->first : id] += count;
        n -= id == TSL_UNI_NONE ? 1 : t->pieces[id].len;
    }
}

/* One thread's run through the parts. */
static void work_parts(void *ctx, unsigned worker)
{
    struct trainer *t = ctx;
    struct scratch *s = &t->scratch[worker];
    for (size_t k; (k = atomic_fetch_add(&t->next, 1)) < t->nparts;) {
        double nats = 0, *sums = t->sums + k * t->n;
        memset(sums, 0, t->n * sizeof *sums);
        for (size_t w = t->part[k]; w < t->part[k + 1]; w++) {
            const uint32_t *longest = t->longest + t->text.begin[w];
            size_t n = t->text.begin[w + 1] - t->text.begin[w] - 1;
            double count = (double)t->text.count[w];
            if (t->pruning) {
                count_best(t, s, longest, n, count, sums);
                continue;
            }
            forward(t, s, longest, n);
            nats += count * backward(t, s, longest, n, count, sums);
        }
        t->part_nats[k] = nats;
    }
}

static void add_parts(void *ctx, unsigned i)
{
    struct trainer *t = ctx;
    for (size_t k = 1; k < t->nparts; k++)
        for (size_t j = (size_t)i * RANGE, end = range_end(t, i); j < end; j++)
            t->sums[j] += t->sums[k * t->n + j];
}

/* A pass over all words; t->sums are then the sums by piece. */
static void work_words(struct trainer *t, bool pruning)
{
    t->pruning = pruning;
    size_t n = PARTS_CELLS / (t->n + 1), nsyms = t->text.nsyms;
    t->nparts = n < PARTS_MIN ? PARTS_MIN : n > PARTS_MAX ? PARTS_MAX : n;
    for (size_t k = 0, w = 0; k <= t->nparts; k++) {
        size_t at = nsyms / t->nparts * k;
        while (w < t->text.nwords && (k == t->nparts || t->text.begin[w] < at))
            w++;
        t->part[k] = w;
    }
    atomic_store(&t->next, 0);
    tsl_pool_run(t->pool, t->nscratch, work_parts, t);
    run_ranges(t, add_parts);
}

/* Keeps the pieces whose map entry is 1, in their order; the rest's words' places go to the
 * longest that is left. */
static void compact(struct trainer *t)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        uint32_t parent = t->pieces[i].parent;
        if (parent != TSL_UNI_NONE) /* in front of i: done */
            parent = t->map[parent];
        if (!t->map[i]) {
            t->map[i] = parent;
            continue;
        }
        t->map[i] = (uint32_t)n;
        t->pieces[n] = t->pieces[i];
        t->facts[n] = t->facts[i];
        t->pieces[n++].parent = parent;
    }
    for (size_t i = 0; i < t->text.nsyms; i++)
        if (t->longest[i] != TSL_UNI_NONE)
            t->longest[i] = t->map[t->longest[i]];
    t->n = n;
}

/* After scores have changed. */
static void set_scores(struct trainer *t)
{
    uint32_t rank = UINT32_MAX;
    t->score_min = FLT_MAX;
    for (size_t i = 0; i < t->n; i++) {
        if (t->facts[i].score < t->score_min)
            t->score_min = t->facts[i].score;
        if (t->facts[i].rank <= rank) {
            rank = t->facts[i].rank;
            t->first = (uint32_t)i;
        }
    }
    t->unk_score = t->score_min - UNKNOWN_PENALTY;
    t->unk_p = tsl_fixmath_exp((double)t->unk_score);
    if (t->o->progress)
        atomic_store(&t->o->progress->pieces, t->n);
}

static void score_range(void *ctx, unsigned i)
{
    struct trainer *t = ctx;
    for (size_t j = (size_t)i * RANGE, end = range_end(t, i); j < end; j++) {
        float score = (float)(tsl_fixmath_digamma(t->sums[j]) - t->digamma_all);
        t->facts[j].score = score;
        t->pieces[j].p = tsl_fixmath_exp((double)score);
    }
}

/* Expectation and maximization. */
static double em_step(struct trainer *t)
{
    double sum = 0, nats = 0;
    size_t n = 0;
    work_words(t, false);
    for (size_t k = 0; k < t->nparts; k++)
        nats -= t->part_nats[k];
    for (size_t i = 0; i < t->n; i++) {
        t->map[i] = t->sums[i] >= EXPECTED_MIN;
        if (t->map[i]) {
            sum += t->sums[i];
            t->sums[n++] = t->sums[i];
        }
    }
    if (!n) /* a few rare words: nothing can be learned from them */
        return nats / (double)t->text.total;
    if (n < t->n)
        compact(t);
    t->digamma_all = tsl_fixmath_digamma(sum);
    run_ranges(t, score_range);
    set_scores(t);
    return nats / (double)t->text.total;
}

/* What the likelihood loses, about, when a piece goes and the second best way to cut it
 * takes its place.  INFINITY: it stays; -INFINITY: it goes. */
static double loss_of(const struct trainer *t, struct scratch *s, uint32_t id)
{
    const struct piece *p = &t->pieces[id];
    double count = t->sums[id], alternative = 0, nsteps = 0;
    if (count == 0)
        return -INFINITY;
    if (p->len == 1)
        return INFINITY;
    best_way(t, s, t->longest + t->facts[id].at, p->len, true);
    if (s->best[p->len] > t->facts[id].score)
        return -INFINITY; /* it is not its own best way */
    for (size_t n = p->len; n;) {
        uint32_t step = s->back[n];
        n -= step == TSL_UNI_NONE ? 1 : t->pieces[step].len;
        alternative +=
            tsl_fixmath_log(t->sums[step == TSL_UNI_NONE ? t->first : step] + count);
        nsteps++;
    }
    /* t->n: sic, where nsteps is meant; 0.2 has it right, and with it a vocabulary of Chinese
     * has 0.1 % better likelihood on other text, but makes 0.4 % more tokens of it. */
    alternative -= nsteps * tsl_fixmath_log(t->best_all + count * ((double)t->n - 1));
    return count / (double)t->text.total *
           (tsl_fixmath_log(count) - tsl_fixmath_log(t->best_all) - alternative);
}

static void find_losses(void *ctx, unsigned worker)
{
    struct trainer *t = ctx;
    size_t nranges = (t->n + RANGE - 1) / RANGE;
    for (size_t k; (k = atomic_fetch_add(&t->next, 1)) < nranges;)
        for (size_t i = k * RANGE, end = range_end(t, (unsigned)k); i < end; i++)
            t->losses[i] = loss_of(t, &t->scratch[worker], (uint32_t)i);
}

/* A number that is the smaller, the larger x is. */
static uint64_t falling(double x)
{
    uint64_t bits;
    x += 0.0; /* no minus zero */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? bits : ~bits & ~((uint64_t)1 << 63);
}

/* Leaves the characters that are used, and of the rest those with the largest losses, as
 * many as belong to a round.  Ranks are then by falling loss. */
static void prune(struct trainer *t)
{
    size_t keep = (size_t)((float)t->o->shrink * (float)t->n), n = 0;
    if (keep < t->desired)
        keep = t->desired;
    work_words(t, true);
    t->best_all = 0;
    for (size_t i = 0; i < t->n; i++)
        t->best_all += t->sums[i];
    atomic_store(&t->next, 0);
    tsl_pool_run(t->pool, t->nscratch, find_losses, t);
    for (size_t i = 0; i < t->n; i++) {
        t->map[i] = 0;
        if (t->losses[i] == -INFINITY)
            continue;
        t->keys[n++] = (struct tsl_unikey){ falling(t->losses[i]), t->facts[i].rank };
        t->by_rank[t->facts[i].rank] = (uint32_t)i;
    }
    tsl_unikey_sort(t->keys, n);
    for (size_t k = 0; k < n && (k < keep || t->keys[k].key == falling(INFINITY)); k++) {
        uint32_t id = t->by_rank[t->keys[k].value];
        t->map[id] = 1;
        t->facts[id].rank = (uint32_t)k;
    }
    compact(t);
    set_scores(t);
}

/* Room for working on t->cap pieces, and sums in the number of parts that is most. */
static int take_memory(struct trainer *t, struct tsl_err *err)
{
    size_t cells = t->cap * PARTS_MIN > PARTS_CELLS ? t->cap * PARTS_MIN : PARTS_CELLS;
    if (cells > t->cap * PARTS_MAX)
        cells = t->cap * PARTS_MAX;
    t->sums_cap = cells;
    t->nscratch = t->o->nthreads;
    t->scratch_len = t->text.longest + t->o->max_piece_chars + 2;
    t->sums = tsl_unimem_take(&t->mem, cells, sizeof *t->sums, "sums by piece", err);
    t->map = tsl_unimem_take(&t->mem, t->cap, sizeof *t->map, "pieces", err);
    t->by_rank = tsl_unimem_take(&t->mem, t->cap, sizeof *t->by_rank, "pieces", err);
    t->keys = tsl_unimem_take(&t->mem, t->cap, sizeof *t->keys, "pieces", err);
    t->losses = tsl_unimem_take(&t->mem, t->cap, sizeof *t->losses, "pieces", err);
    t->scratch =
        tsl_unimem_take(&t->mem, t->nscratch, sizeof *t->scratch, "threads", err);
    if (!t->sums || !t->map || !t->by_rank || !t->keys || !t->losses || !t->scratch)
        return TSL_ENOMEM;
    for (unsigned i = 0; i < t->nscratch; i++) {
        struct scratch *s = &t->scratch[i];
        size_t n = t->scratch_len;
        s->alpha = tsl_unimem_take(&t->mem, n, sizeof *s->alpha, "a lattice", err);
        s->beta = tsl_unimem_take(&t->mem, n, sizeof *s->beta, "a lattice", err);
        s->scaled = tsl_unimem_take(&t->mem, n, sizeof *s->scaled, "a lattice", err);
        s->best = tsl_unimem_take(&t->mem, n, sizeof *s->best, "a lattice", err);
        s->back = tsl_unimem_take(&t->mem, n, sizeof *s->back, "a lattice", err);
        if (!s->alpha || !s->beta || !s->scaled || !s->best || !s->back)
            return TSL_ENOMEM;
    }
    return 0;
}

static void give_memory(struct trainer *t)
{
    struct tsl_unimem *m = &t->mem;
    for (unsigned i = 0; t->scratch && i < t->nscratch; i++) {
        struct scratch *s = &t->scratch[i];
        tsl_unimem_give(m, s->alpha, t->scratch_len, sizeof *s->alpha);
        tsl_unimem_give(m, s->beta, t->scratch_len, sizeof *s->beta);
        tsl_unimem_give(m, s->scaled, t->scratch_len, sizeof *s->scaled);
        tsl_unimem_give(m, s->best, t->scratch_len, sizeof *s->best);
        tsl_unimem_give(m, s->back, t->scratch_len, sizeof *s->back);
    }
    tsl_unimem_give(m, t->scratch, t->nscratch, sizeof *t->scratch);
    tsl_unimem_give(m, t->pieces, t->cap, sizeof *t->pieces);
    tsl_unimem_give(m, t->facts, t->cap, sizeof *t->facts);
    tsl_unimem_give(m, t->sums, t->sums_cap, sizeof *t->sums);
    tsl_unimem_give(m, t->map, t->cap, sizeof *t->map);
    tsl_unimem_give(m, t->by_rank, t->cap, sizeof *t->by_rank);
    tsl_unimem_give(m, t->keys, t->cap, sizeof *t->keys);
    tsl_unimem_give(m, t->losses, t->cap, sizeof *t->losses);
    tsl_unimem_give(m, t->longest, t->text.nsyms, sizeof *t->longest);
    tsl_uniseed_fini(&t->seeds, &t->text, m);
    tsl_unitext_fini(&t->text, m);
}

static size_t text_len(const struct trainer *t, uint32_t at, uint32_t len)
{
    uint8_t utf8[4];
    size_t n = 0;
    for (uint32_t i = 0; i < len; i++)
        n +=
            tsl_utf8_encode(utf8, t->text.chars[t->text.syms[at + i] - TSL_UNI_FIRST].cp);
    return n;
}

static size_t put_text(const struct trainer *t, uint32_t at, uint32_t len, uint8_t *out)
{
    size_t n = 0;
    for (uint32_t i = 0; i < len; i++)
        n += tsl_utf8_encode(out + n,
                             t->text.chars[t->text.syms[at + i] - TSL_UNI_FIRST].cp);
    return n;
}

/* A piece's text against another: as bytes, or by code points, which is the same. */
static int compare_text(const struct trainer *t, uint32_t id, struct tsl_slice other)
{
    uint8_t text[4 * TSL_UNITRAIN_CHARS_MAX];
    size_t len = put_text(t, t->facts[id].at, t->pieces[id].len, text);
    int c = memcmp(text, other.data, len < other.len ? len : other.len);
    return c ? c : len < other.len ? -1 : len > other.len;
}

/* Takes seeds that are spelled like specials out; longer ones with them in stay. */
static void drop_specials(struct trainer *t)
{
    bool found = false;
    for (size_t i = 0; i < t->n; i++)
        t->map[i] = 1;
    for (size_t i = 0; i < t->o->nspecials; i++) {
        struct tsl_slice text = t->o->specials[i];
        size_t low = 0, high = t->n;
        while (low < high) { /* seeds stand in the order of their text */
            size_t mid = (low + high) / 2;
            if (compare_text(t, (uint32_t)mid, text) < 0)
                low = mid + 1;
            else
                high = mid;
        }
        if (low == t->n || compare_text(t, (uint32_t)low, text) != 0)
            continue;
        found = true;
        t->map[low] = 0;
        if (t->pieces[low].len == 1)
            t->text.chars[t->text.syms[t->facts[low].at] - TSL_UNI_FIRST].kept = false;
    }
    if (found)
        compact(t);
}

/* Seeds become pieces, their probabilities proportional to what they cover.  Added up in
 * float as there: it moves the sum by a percent, and all pieces alike. */
static int begin(struct trainer *t, struct tsl_err *err)
{
    struct tsl_uniseeds *s = &t->seeds;
    float sum = 0;
    t->n = t->cap = s->n;
    t->longest = s->longest;
    s->longest = NULL;
    t->pieces = tsl_unimem_take(&t->mem, t->cap, sizeof *t->pieces, "pieces", err);
    t->facts = tsl_unimem_take(&t->mem, t->cap, sizeof *t->facts, "pieces", err);
    if (!t->pieces || !t->facts || take_memory(t, err) < 0)
        return TSL_ENOMEM;
    for (size_t i = 0; i < t->n; i++)
        t->by_rank[s->seeds[i].rank] = (uint32_t)i;
    for (size_t k = 0; k < t->n; k++)
        sum += (float)s->seeds[t->by_rank[k]].score;
    float logsum = (float)tsl_fixmath_log((double)sum);
    for (size_t i = 0; i < t->n; i++) {
        const struct tsl_uniseed *seed = &s->seeds[i];
        float score = (float)(tsl_fixmath_log((double)(float)seed->score) - logsum);
        t->pieces[i] =
            (struct piece){ tsl_fixmath_exp((double)score), seed->parent, seed->len };
        t->facts[i] = (struct fact){ score, seed->at, seed->rank };
    }
    tsl_uniseed_fini(s, &t->text, &t->mem);
    drop_specials(t);
    set_scores(t);
    return 0;
}

/* A piece of the result before it has its text. */
struct final {
    float score;
    uint32_t cp;      /* a required character: 0: none, */
    uint32_t at, len; /* else a piece of the text */
};

static int by_count(const void *a, const void *b)
{
    const struct tsl_unichar *x = *(const struct tsl_unichar *const *)a;
    const struct tsl_unichar *y = *(const struct tsl_unichar *const *)b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->cp < y->cp ? -1 : x->cp > y->cp;
}

/* All required characters into out; those that are no piece any more get the lowest scores,
 * the rarer the higher, sic.  Returns how many. */
static size_t final_chars(struct trainer *t, struct tsl_unichar **order,
                          struct final *out)
{
    size_t nchars = t->text.nchars, n = 0;
    float penalty = 0;
    for (size_t i = 0; i < nchars; i++) {
        order[i] = &t->text.chars[i];
        order[i]->piece = TSL_UNI_NONE;
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].len == 1)
            t->text.chars[t->text.syms[t->facts[i].at] - TSL_UNI_FIRST].piece =
                (uint32_t)i;
    qsort(order, nchars, sizeof *order, by_count);
    for (size_t i = 0; i < nchars; i++) {
        if (!order[i]->kept)
            continue;
        out[n] = (struct final){ .cp = order[i]->cp };
        if (order[i]->piece != TSL_UNI_NONE) {
            out[n++].score = t->facts[order[i]->piece].score;
        } else {
            out[n++].score = t->score_min + penalty;
            penalty += PENALTY_STEP;
        }
    }
    return n;
}

/* Adds the best of the longer pieces up to max. */
static size_t final_pieces(struct trainer *t, struct final *out, size_t n, size_t max)
{
    size_t nkeys = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].len > 1)
            t->keys[nkeys++] =
                (struct tsl_unikey){ falling((double)t->facts[i].score), (uint32_t)i };
    tsl_unikey_sort(t->keys, nkeys);
    for (size_t k = 0; k < nkeys && n < max; k++) {
        uint32_t id = t->keys[k].value;
        out[n++] = (struct final){ .score = t->facts[id].score,
                                   .at = t->facts[id].at,
                                   .len = t->pieces[id].len };
    }
    return n;
}

static int by_score(const void *a, const void *b)
{
    const struct tsl_unitrain_piece *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int c = memcmp(x->text.data, y->text.data, n);
    return c ? c : x->text.len < y->text.len ? -1 : x->text.len > y->text.len;
}

/* Gives the pieces their text and order. */
static int write_pieces(const struct trainer *t, const struct final *f, size_t n,
                        struct tsl_unitrain *u, struct tsl_err *err)
{
    size_t nbytes = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        nbytes += f[i].cp ? 4 : text_len(t, f[i].at, f[i].len);
    u->pieces = tsl_mem_alloc(n, sizeof *u->pieces, "a vocabulary", err);
    u->bytes = tsl_mem_alloc(nbytes, 1, "a vocabulary", err);
    if (!u->pieces || !u->bytes)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        uint8_t *p = u->bytes + at;
        size_t len =
            f[i].cp ? tsl_utf8_encode(p, f[i].cp) : put_text(t, f[i].at, f[i].len, p);
        u->pieces[i] = (struct tsl_unitrain_piece){ { p, len }, f[i].score };
        at += len;
    }
    u->n = n;
    qsort(u->pieces, n, sizeof *u->pieces, by_score);
    return 0;
}

/* The final cut. */
static int finish(struct trainer *t, struct tsl_unitrain *u, struct tsl_err *err)
{
    size_t reserved = t->o->nspecials + (t->o->byte_fallback ? 256 : 0);
    size_t max = t->o->size - reserved, cap = t->n + t->text.nchars, n;
    struct final *f = tsl_unimem_take(&t->mem, cap, sizeof *f, "a vocabulary", err);
    struct tsl_unichar **order =
        tsl_unimem_take(&t->mem, t->text.nchars, sizeof *order, "a vocabulary", err);
    int rc = TSL_ENOMEM;
    if (f && order) {
        n = final_chars(t, order, f);
        n = final_pieces(t, f, n, max);
        if (t->o->hard_vocab_limit && n < max)
            rc = tsl_err_set(err, TSL_EUSAGE,
                             "training a vocabulary: a size of %zu is too large: the "
                             "words give %zu pieces, %zu with the special ones",
                             t->o->size, n, n + reserved);
        else
            rc = write_pieces(t, f, n, u, err);
    }
    tsl_unimem_give(&t->mem, f, cap, sizeof *f);
    tsl_unimem_give(&t->mem, order, t->text.nchars, sizeof *order);
    return rc;
}

static int bad(struct tsl_err *err, const char *what)
{
    return tsl_err_set(err, TSL_EUSAGE, "training a vocabulary: %s", what);
}

static int check_opts(const struct tsl_unitrain_opts *o, struct tsl_err *err)
{
    if (o->size < 1 || o->size > (size_t)1 << 30)
        return bad(err, "the size is to be 1 to 2^30");
    if (!(o->shrink >= 0.1 && o->shrink <= 0.99))
        return bad(err, "the share of pieces that a round keeps is to be 0.1 to 0.99");
    if (o->em_steps < 1 || o->em_steps > 100)
        return bad(err, "a round is to have 1 to 100 steps");
    if (o->max_piece_chars < 1 || o->max_piece_chars > TSL_UNITRAIN_CHARS_MAX)
        return bad(err, "pieces are to be of at most 1 to 512 characters");
    if (!(o->coverage > 0 && o->coverage <= 1))
        return bad(err, "the character coverage is to be above 0 and at most 1");
    if (o->seed_size > (size_t)1 << 30)
        return bad(err, "the pieces to begin with are to be at most 2^30");
    if (o->nthreads < 1)
        return bad(err, "it takes at least one thread");
    return 0;
}

/* Do all characters and the special pieces fit? */
static int check_room(const struct trainer *t, struct tsl_err *err)
{
    size_t specials = t->o->nspecials + (t->o->byte_fallback ? 256 : 0);
    if (t->text.nchars + specials <= t->o->size)
        return 0;
    return tsl_err_set(err, TSL_EUSAGE,
                       "training a vocabulary: a size of %zu is too small for %zu "
                       "characters and %zu special pieces; raise it, or lower the "
                       "character coverage",
                       t->o->size, t->text.nchars, specials);
}

static int train(struct trainer *t, const struct tsl_wordlist *list,
                 struct tsl_unitrain *u, struct tsl_err *err)
{
    const struct tsl_unitrain_opts *o = t->o;
    double start = tsl_seconds();
    int rc = tsl_unitext_init(&t->text, list, o, &t->mem, err);
    if (rc == 0)
        rc = check_room(t, err);
    if (rc == 0)
        rc = tsl_uniseed_find(&t->seeds, &t->text, o, t->pool, &t->mem, err);
    u->stats.seeds = t->seeds.n;
    if (rc == 0)
        rc = begin(t, err);
    if (rc < 0)
        return rc;
    u->stats.chars = t->text.nchars;
    u->stats.covered = t->text.covered;
    u->stats.seed_seconds = tsl_seconds() - start;
    t->desired = (size_t)((double)o->size * SPARE);
    if (o->progress)
        atomic_store(&o->progress->target, t->desired);
    for (;; prune(t)) {
        for (unsigned i = 0; i < o->em_steps; i++)
            u->stats.nats_a_word = em_step(t);
        u->stats.rounds++;
        if (o->progress)
            atomic_store(&o->progress->rounds, u->stats.rounds);
        if (t->n <= t->desired)
            break;
    }
    work_words(t, true);
    for (size_t i = 0; i < t->n; i++)
        u->stats.tokens += (uint64_t)t->sums[i];
    u->stats.em_seconds = tsl_seconds() - start - u->stats.seed_seconds;
    return finish(t, u, err);
}

int tsl_unitrain_run(struct tsl_unitrain **out, const struct tsl_wordlist *list,
                     const struct tsl_unitrain_opts *o, struct tsl_err *err)
{
    struct trainer t = { .o = o, .mem = { .limit = o->memory } };
    int rc = check_opts(o, err);
    if (rc < 0)
        return rc;
    struct tsl_unitrain *u = tsl_mem_alloc(1, sizeof *u, "a vocabulary", err);
    if (!u)
        return TSL_ENOMEM;
    rc = tsl_pool_create(&t.pool, o->nthreads, err);
    if (rc == 0)
        rc = train(&t, list, u, err);
    give_memory(&t);
    tsl_pool_destroy(t.pool);
    u->stats.peak_bytes = atomic_load(&t.mem.peak);
    if (rc < 0) {
        tsl_unitrain_destroy(u);
        return rc;
    }
    *out = u;
    return 0;
}

void tsl_unitrain_destroy(struct tsl_unitrain *u)
{
    if (!u)
        return;
    tsl_mem_free(u->pieces);
    tsl_mem_free(u->bytes);
    tsl_mem_free(u);
}

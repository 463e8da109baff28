#include "prep/mlm.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"
#include "prep/draws.h"
#include "prep/specials.h"

enum { SET_WORDS = TSL_SAMPLE_TOKENS_MAX / 64 };

struct tsl_mlm {
    struct tsl_mlm_opts o;
    struct tsl_key key;
    struct tsl_specials specials;
    uint64_t below_rate;
    uint64_t below_mask, below_random; /* of 32 bits: mask, else random, else kept */
    uint64_t below_weight[TSL_MLM_WEIGHTS_MAX]; /* running sums */
    uint32_t *words; /* of synonyms: word + 1 at its hash, or 0; [words_mask + 1] */
    uint32_t words_mask;
};

struct tsl_mlm_opts tsl_mlm_defaults(void)
{
    return (struct tsl_mlm_opts){ .rate = .15, .mask_share = .8, .random_share = .1 };
}

void tsl_mlm_weights_albert(struct tsl_mlm_opts *o, unsigned n)
{
    assert(n <= TSL_MLM_WEIGHTS_MAX);
    o->nweights = n;
    for (unsigned i = 0; i < n; i++)
        o->weights[i] = 1. / (i + 1);
}

void tsl_mlm_weights_macbert(struct tsl_mlm_opts *o)
{
    o->nweights = 4;
    for (unsigned i = 0; i < 4; i++)
        o->weights[i] = .1 * (4 - i);
}

void tsl_mlm_weights_geometric(struct tsl_mlm_opts *o, double p, unsigned n)
{
    double w = p;
    assert(n <= TSL_MLM_WEIGHTS_MAX);
    o->nweights = n;
    for (unsigned i = 0; i < n; i++, w *= 1 - p)
        o->weights[i] = w;
}

static int check_opts(const struct tsl_mlm_opts *o, struct tsl_err *err)
{
    if (!(o->rate >= 0 && o->rate <= 1))
        return tsl_err_set(err, TSL_EUSAGE, "a mask rate of %g is not 0 to 1", o->rate);
    if (!(o->mask_share >= 0 && o->random_share >= 0 &&
          o->mask_share + o->random_share <= 1 + 1e-9))
        return tsl_err_set(
            err, TSL_EUSAGE,
            "shares of %g for the mask and %g for random ids: each is 0 or "
            "more, and both together 1 at most",
            o->mask_share, o->random_share);
    if (o->special.mask < 0 && o->mask_share > 0 && !o->synonyms)
        return tsl_err_set(err, TSL_EUSAGE, "the vocabulary has no mask token");
    if (o->independent && o->unit != TSL_MLM_TOKENS && o->unit != TSL_MLM_WORDS)
        return tsl_err_set(err, TSL_EUSAGE,
                           "only tokens and words can be chosen independently");
    if (o->unit == TSL_MLM_NGRAMS || o->unit == TSL_MLM_SPANS) {
        double sum = 0;
        for (unsigned i = 0; i < o->nweights && i < TSL_MLM_WEIGHTS_MAX; i++)
            sum += o->weights[i] >= 0 ? o->weights[i] : (double)NAN;
        if (o->nweights > TSL_MLM_WEIGHTS_MAX || !(sum > 0 && sum < 1e300))
            return tsl_err_set(
                err, TSL_EUSAGE,
                "weights of runs: 1 to %d, none below 0, not all of them 0",
                TSL_MLM_WEIGHTS_MAX);
    }
    return 0;
}

/* ---- words that have similar ones ---- */

static uint32_t hash_ids(const uint32_t *ids, uint32_t n)
{
    uint32_t h = n;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ ids[i]) * 0x9e3779b1u ^ h >> 15;
    return h ^ h >> 13;
}

/* The slot of the word of these ids, or the empty one where it would be. */
static uint32_t *find_word(const struct tsl_mlm *m, const uint32_t *ids, uint32_t n)
{
    const struct tsl_mlm_synonyms *y = m->o.synonyms;
    for (uint32_t i = hash_ids(ids, n);; i++) {
        uint32_t *slot = &m->words[i & m->words_mask], w = *slot - 1;
        if (!*slot || (y->len[w] == n && memcmp(y->ids + y->at[w], ids, 4 * n) == 0))
            return slot;
    }
}

static int index_words(struct tsl_mlm *m, struct tsl_err *err)
{
    const struct tsl_mlm_synonyms *y = m->o.synonyms;
    uint32_t n = 4;
    for (uint32_t i = 0; i < y->at[y->nwords]; i++)
        if (y->ids[i] >= m->o.special.vocab_size)
            return tsl_err_set(err, TSL_EUSAGE,
                               "id %" PRIu32
                               " of the synonyms is beyond the vocabulary's "
                               "%" PRIu32,
                               y->ids[i], m->o.special.vocab_size);
    while (n < 2 * (uint64_t)y->nwords)
        n *= 2;
    m->words = tsl_mem_alloc(n, sizeof *m->words, "synonyms", err);
    if (!m->words)
        return TSL_ENOMEM;
    m->words_mask = n - 1;
    for (uint32_t w = 0; w < y->nwords; w++) {
        uint32_t *slot = find_word(m, y->ids + y->at[w], y->len[w]);
        if (!*slot && y->at[w + 1] - y->at[w] > y->len[w])
            *slot = w + 1;
    }
    if (m->o.decide == TSL_MLM_EACH_TOKEN)
        m->o.decide = TSL_MLM_EACH_WORD;
    return 0;
}

int tsl_mlm_create(struct tsl_mlm **out, const struct tsl_mlm_opts *o,
                   struct tsl_err *err)
{
    int rc = check_opts(o, err);
    if (rc < 0)
        return rc;
    struct tsl_mlm *m = tsl_mem_alloc(1, sizeof *m, "masks", err);
    if (!m)
        return TSL_ENOMEM;
    m->o = *o;
    m->key = tsl_key_make(o->seed, "mask tokens");
    if ((rc = tsl_specials_init(&m->specials, &o->special, err)) < 0 ||
        (o->synonyms && (rc = index_words(m, err)) < 0))
        goto out;
    if ((o->random_share > 0 || o->synonyms) &&
        !(o->draw_specials ? o->special.vocab_size : m->specials.nfree)) {
        rc = tsl_err_set(err, TSL_EUSAGE, "no id of the vocabulary may replace another");
        goto out;
    }
    m->below_rate = tsl_draws_threshold(o->rate);
    m->below_mask = tsl_draws_threshold(o->mask_share);
    m->below_random = tsl_draws_threshold(o->mask_share + o->random_share);
    double sum = 0, all = 0;
    for (unsigned i = 0; i < o->nweights; i++)
        all += o->weights[i];
    for (unsigned i = 0; i < o->nweights; i++)
        m->below_weight[i] = tsl_draws_threshold((sum += o->weights[i]) / all);
    *out = m;
    m = NULL; /* handed over */
out:
    tsl_mlm_destroy(m);
    return rc;
}

void tsl_mlm_destroy(struct tsl_mlm *m)
{
    if (!m)
        return;
    tsl_specials_fini(&m->specials);
    tsl_mem_free(m->words);
    tsl_mem_free(m);
}

/* A sample while it is masked.  Sets of places are bitmaps. */
struct work {
    const uint32_t *similar; /* ids that stand for those from .. end */
    uint32_t similar_from, similar_end;
    const struct tsl_mlm *m;
    struct tsl_sample *s;
    struct tsl_draws d;
    uint32_t n, nwords, asked, got; /* nwords: of a set */
    uint64_t *special, *starts, *open, *chosen;
};

static bool has(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void put(uint64_t *set, uint32_t i)
{
    set[i / 64] |= UINT64_C(1) << (i % 64);
}

static void take(uint64_t *set, uint32_t i)
{
    set[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

static uint32_t count(const uint64_t *set, uint32_t nwords)
{
    uint32_t n = 0;
    for (uint32_t w = 0; w < nwords; w++)
        n += (uint32_t)__builtin_popcountll(set[w]);
    return n;
}

/* The first place of set at i or behind, n where there is none. */
TSL_INLINE uint32_t next_in(const uint64_t *set, uint32_t i, uint32_t n)
{
    if (i >= n)
        return n;
    uint64_t bits = set[i / 64] >> (i % 64);
    if (bits)
        return i + (uint32_t)__builtin_ctzll(bits);
    for (uint32_t w = i / 64 + 1; w < (n + 63) / 64; w++)
        if (set[w])
            return w * 64 + (uint32_t)__builtin_ctzll(set[w]);
    return n;
}

/* Where words start, one bit a token: a special is a word of its own, and what stands
 * behind one starts a word, unless words go on across specials. */
static void find_starts(struct work *k)
{
    const uint8_t *starts = k->s->starts;
    bool across = k->m->o.across_specials;
    uint64_t carry = 0;
    for (uint32_t w = 0; w < k->nwords; w++) {
        uint32_t from = w * 64, to = k->n - from < 64 ? k->n : from + 64;
        uint64_t set = 0;
        uint32_t i = from;
        for (; i + 8 <= to; i += 8) {
            uint64_t eight;
            memcpy(&eight, starts + i, 8);
            eight = TSL_LE64(eight) & UINT64_C(0x0101010101010101);
            set |= (eight * UINT64_C(0x0102040810204080) >> 56) << (i - from);
        }
        for (; i < to; i++)
            set |= (uint64_t)(starts[i] & 1) << (i - from);
        set |= k->special[w];
        if (!across)
            set |= k->special[w] << 1 | carry;
        carry = k->special[w] >> 63;
        k->starts[w] = set;
    }
    uint32_t first = 0; /* a token that no word can begin before */
    while (first < k->n && has(k->special, first))
        first++;
    if (first < k->n)
        put(k->starts, first);
}

/* The nth of the open places, which are few. */
static uint32_t find_open(const struct work *k, uint32_t nth)
{
    for (uint32_t w = 0;; w++) {
        uint64_t bits = k->open[w];
        uint32_t here = (uint32_t)__builtin_popcountll(bits);
        if (nth >= here) {
            nth -= here;
            continue;
        }
        while (nth--)
            bits &= bits - 1;
        return w * 64 + (uint32_t)__builtin_ctzll(bits);
    }
}

/* One of the open places, uniformly, which is then open no more.  There are some. */
TSL_INLINE uint32_t draw_open(struct work *k)
{
    uint32_t i;
    unsigned tries = 0;
    do {
        i = tsl_draws_below(&k->d, k->n);
        if (TSL_UNLIKELY(++tries > 64)) {
            i = find_open(k, tsl_draws_below(&k->d, count(k->open, k->nwords)));
            break;
        }
    } while (!has(k->open, i));
    take(k->open, i);
    return i;
}

/* The end of the word at i, a start.  Across specials, the specials within it are part of
 * it: those are never chosen. */
TSL_INLINE uint32_t word_end(const struct work *k, uint32_t i)
{
    if (!k->m->o.across_specials)
        return next_in(k->starts, i + 1, k->n);
    uint32_t end = i + 1;
    while (end < k->n && (has(k->special, end) || !has(k->starts, end)))
        end++;
    return end;
}

/* Places from .. to that are no special; those already chosen count, too. */
static uint32_t count_free(const struct work *k, uint32_t from, uint32_t to, bool *chosen)
{
    uint32_t n = 0;
    for (; from < to; from++) {
        n += !has(k->special, from);
        *chosen = *chosen || has(k->chosen, from);
    }
    return n;
}

static void choose(struct work *k, uint32_t from, uint32_t to)
{
    for (; from < to; from++)
        if (!has(k->special, from) && !has(k->chosen, from) && k->got < k->asked) {
            put(k->chosen, from);
            k->got++;
        }
}

static unsigned draw_weight(struct work *k)
{
    uint64_t bits = tsl_draws_next(&k->d) >> 32;
    unsigned i = 0;
    while (i + 1 < k->m->o.nweights && bits >= k->m->below_weight[i])
        i++;
    return i + 1;
}

static void choose_tokens(struct work *k)
{
    while (k->got < k->asked) {
        put(k->chosen, draw_open(k));
        k->got++;
    }
}

static void choose_words(struct work *k, uint32_t nopen)
{
    for (; nopen && k->got < k->asked; nopen--) {
        bool chosen = false;
        uint32_t i = draw_open(k), end = word_end(k, i), n = end - i;
        if (k->m->o.across_specials)
            n = count_free(k, i, end, &chosen);
        if (n > k->asked - k->got)
            continue;
        k->got += n;
        for (; i < end; i++)
            k->chosen[i / 64] |= (~k->special[i / 64] >> (i % 64) & 1) << (i % 64);
    }
}

static void choose_independently(struct work *k)
{
    uint64_t below = k->m->below_rate;
    for (uint32_t w = 0; w < k->nwords; w++) {
        for (uint64_t bits = k->open[w]; bits; bits &= bits - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits);
            if (!tsl_draws_less(&k->d, below))
                continue;
            choose(k, i, k->m->o.unit == TSL_MLM_WORDS ? word_end(k, i) : i + 1);
        }
    }
    k->asked = k->got;
}

/* ALBERT's: a word that is drawn begins a run, shorter than drawn where the sample, the
 * share or, unless across specials, the segment ends. */
static void choose_ngrams(struct work *k, uint32_t nopen)
{
    for (; nopen && k->got < k->asked; nopen--) {
        uint32_t i = draw_open(k), ends[TSL_MLM_WEIGHTS_MAX];
        unsigned want = draw_weight(k), n = 0;
        for (uint32_t end = i; n < want && end < k->n; n++) {
            if (has(k->special, end) && !k->m->o.across_specials)
                break;
            ends[n] = end = word_end(k, end);
        }
        bool chosen = false;
        while (n && count_free(k, i, ends[n - 1], &chosen) > k->asked - k->got) {
            chosen = false;
            n--;
        }
        if (n && !chosen)
            choose(k, i, ends[n - 1]);
    }
}

/* SpanBERT's: from the start of the word of a place not yet chosen, as many words; the
 * places already chosen cost nothing. */
static void choose_spans(struct work *k, uint32_t nopen)
{
    while (k->got < k->asked && k->got < nopen) {
        uint32_t i = draw_open(k);
        put(k->open, i); /* until it is chosen */
        while (i > 0 && !has(k->starts, i))
            i--;
        uint32_t begin = i;
        for (unsigned left = draw_weight(k); left && i < k->n; left--) {
            if (has(k->special, i) && !k->m->o.across_specials)
                break;
            i = word_end(k, i);
        }
        choose(k, begin, i);
        for (; begin < i; begin++)
            if (has(k->chosen, begin))
                take(k->open, begin);
    }
}

static uint32_t draw_id(struct work *k, uint32_t bits)
{
    const struct tsl_mlm *m = k->m;
    uint32_t id = tsl_draws_below_of(&k->d, bits, m->o.special.vocab_size);
    while (!m->o.draw_specials && tsl_specials_has(&m->specials, id))
        id = tsl_draws_below(&k->d, m->o.special.vocab_size);
    return id;
}

/* A similar word for the one that begins at i, if all of it is chosen and has one: its ids
 * stand for those from i to *end. */
static const uint32_t *draw_synonym(struct work *k, uint32_t i, uint32_t *end)
{
    const struct tsl_mlm_synonyms *y = k->m->o.synonyms;
    uint32_t to = next_in(k->starts, i + 1, k->n), n = to - i;
    for (uint32_t j = i; j < to; j++)
        if (!has(k->chosen, j))
            return NULL;
    uint32_t *slot = find_word(k->m, k->s->ids + i, n);
    if (!*slot)
        return NULL;
    uint32_t w = *slot - 1, similar = (y->at[w + 1] - y->at[w]) / n - 1;
    *end = to;
    return y->ids + y->at[w] + (size_t)n * (1 + tsl_draws_below(&k->d, similar));
}

/* What is shown at i, where the mask would be. */
static uint32_t show_similar(struct work *k, uint32_t i, struct tsl_mlm_stats *t)
{
    if (i >= k->similar_end && has(k->starts, i)) {
        k->similar_from = i;
        k->similar = draw_synonym(k, i, &k->similar_end);
    }
    if (k->similar && i < k->similar_end) {
        t->synonyms++;
        return k->similar[i - k->similar_from];
    }
    t->random++;
    return draw_id(k, (uint32_t)tsl_draws_next(&k->d));
}

/* Decides what each chosen place shows, in ascending order. */
static void show(struct work *k, struct tsl_mlm_stats *t)
{
    k->similar = NULL;
    k->similar_end = 0;
    const struct tsl_mlm *m = k->m;
    struct tsl_sample *s = k->s;
    enum tsl_mlm_decide decide = m->o.decide;
    uint32_t last = UINT32_MAX - 1, n = 0; /* before none, not even 0 */
    uint64_t what = 0;
    for (uint32_t w = 0; w < k->nwords; w++) {
        for (uint64_t bits = k->chosen[w]; bits; bits &= bits - 1) {
            uint32_t i = w * 64 + (uint32_t)__builtin_ctzll(bits), id = s->ids[i];
            uint64_t r = tsl_draws_next(&k->d);
            if (decide == TSL_MLM_EACH_TOKEN || last != i - 1 ||
                (decide == TSL_MLM_EACH_WORD && has(k->starts, i)))
                what = r >> 32;
            last = i;
            s->places[n] = i;
            s->targets[n++] = id;
            if (what >= m->below_random) {
                t->kept++;
            } else if (what >= m->below_mask) {
                t->random++;
                s->ids[i] = draw_id(k, (uint32_t)r);
            } else if (m->o.synonyms) {
                s->ids[i] = show_similar(k, i, t);
            } else {
                t->masked++;
                s->ids[i] = (uint32_t)m->o.special.mask;
            }
        }
    }
    s->nmasked = n;
}

static uint32_t count_asked(struct work *k)
{
    const struct tsl_mlm_opts *o = &k->m->o;
    double want = k->n * o->rate;
    if (o->dither)
        want = floor(want + (double)(tsl_draws_next(&k->d) >> 11) * 0x1p-53);
    else
        want = rint(want);
    uint32_t n = want >= 1 ? (uint32_t)want : o->rate > 0;
    return o->masks_max && n > o->masks_max ? o->masks_max : n;
}

void tsl_mlm_apply(const struct tsl_mlm *m, uint64_t epoch, struct tsl_sample *s,
                   struct tsl_mlm_stats *stats)
{
    assert(s->n <= TSL_SAMPLE_TOKENS_MAX);
    uint64_t special[SET_WORDS], starts[SET_WORDS], open[SET_WORDS], chosen[SET_WORDS];
    struct tsl_mlm_stats t = { .samples = 1, .tokens = s->n };
    struct work k = { .m = m,
                      .s = s,
                      .n = s->n,
                      .nwords = (s->n + 63) / 64,
                      .special = special,
                      .starts = starts,
                      .open = open,
                      .chosen = chosen };
    bool words = m->o.unit != TSL_MLM_TOKENS || m->o.decide == TSL_MLM_EACH_WORD;
    k.d = tsl_draws_make(&m->key, epoch, s->address);
    k.asked = count_asked(&k);
    t.asked = k.asked;
    tsl_specials_find(&m->specials, s->ids, s->n, special);
    if (words)
        find_starts(&k);
    for (uint32_t w = 0; w < k.nwords; w++) {
        bool all = m->o.unit == TSL_MLM_TOKENS || m->o.unit == TSL_MLM_SPANS;
        open[w] = ~special[w] & (all ? UINT64_MAX : starts[w]);
        chosen[w] = 0;
    }
    if (s->n % 64)
        open[k.nwords - 1] &= (UINT64_C(1) << s->n % 64) - 1;
    uint32_t nopen = count(open, k.nwords);
    if (m->o.independent) {
        k.asked = UINT32_MAX;
        choose_independently(&k);
        t.asked = k.asked;
    } else if (m->o.unit == TSL_MLM_TOKENS) {
        if (k.asked > nopen)
            k.asked = nopen;
        choose_tokens(&k);
    } else if (m->o.unit == TSL_MLM_WORDS)
        choose_words(&k, nopen);
    else if (m->o.unit == TSL_MLM_NGRAMS)
        choose_ngrams(&k, nopen);
    else
        choose_spans(&k, nopen);
    show(&k, &t);
    t.got = k.got;
    t.short_samples = t.got < t.asked;
    if (stats)
        tsl_mlm_stats_add(stats, &t);
}

void tsl_mlm_stats_add(struct tsl_mlm_stats *sum, const struct tsl_mlm_stats *t)
{
    sum->samples += t->samples;
    sum->tokens += t->tokens;
    sum->asked += t->asked;
    sum->got += t->got;
    sum->masked += t->masked;
    sum->random += t->random;
    sum->kept += t->kept;
    sum->synonyms += t->synonyms;
    sum->short_samples += t->short_samples;
}

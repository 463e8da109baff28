#include "prep/pair.h"

#include <inttypes.h>

enum { LENGTH_MAX = 65535, PARTNER_TRIES = 100 };

struct tsl_pair_opts tsl_pair_defaults(void)
{
    return (struct tsl_pair_opts){ .tokens_max = 128, .short_rate = .1 };
}

int tsl_pair_init(struct tsl_pair *p, const struct tsl_pair_opts *o, struct tsl_err *err)
{
    _Static_assert(sizeof(struct tsl_pair_plan) == 32, "a plan is 32 bytes");
    if (o->tokens_max < 5 || o->tokens_max > LENGTH_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "a length of %" PRIu32 " is not 5 to %d",
                           o->tokens_max, LENGTH_MAX);
    if (o->special.cls < 0 || o->special.sep < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "pairs need [CLS] and [SEP], which the vocabulary lacks");
    if (!(o->short_rate >= 0 && o->short_rate <= 1))
        return tsl_err_set(err, TSL_EUSAGE, "a rate of %g is not 0 to 1", o->short_rate);
    *p = (struct tsl_pair){ .o = *o,
                            .walk = tsl_key_make(o->seed, "walk a document"),
                            .build = tsl_key_make(o->seed, "build a pair"),
                            .below_short = tsl_draws_threshold(o->short_rate) };
    return 0;
}

static uint32_t sum(const uint32_t *a, size_t n)
{
    typedef uint32_t word4 __attribute__((vector_size(16)));
    word4 s = { 0 }, v;
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        memcpy(&v, a + i, sizeof v);
        s += v;
    }
    for (; i < n; i++)
        s[0] += a[i];
    return s[0] + s[1] + s[2] + s[3];
}

void tsl_pair_begin(struct tsl_pair_walk *w, const struct tsl_pair *p, uint64_t epoch,
                    uint64_t number, uint64_t ndocs, const struct tsl_doc *d)
{
    *w = (struct tsl_pair_walk){ .p = p,
                                 .d = d,
                                 .draws = tsl_draws_make(&p->walk, epoch, number),
                                 .doc = number,
                                 .ndocs = ndocs };
}

/* A partner for the document; false: there is none but itself. */
static bool draw_partner(const struct tsl_pair *p, struct tsl_draws *draws, uint64_t doc,
                         uint64_t ndocs, uint64_t *partner)
{
    uint64_t window = p->o.window;
    if (window && doc > window) {
        *partner = doc - window + tsl_draws_below64(draws, window);
        return true;
    }
    if (window && ndocs > window + 1)
        ndocs = window + 1;
    if (ndocs < 2)
        return false;
    *partner = tsl_draws_below64(draws, ndocs - 1);
    *partner += *partner >= doc;
    return true;
}

/* What has been collected: sentences first .. first + n. */
struct chunk {
    size_t first, n;
    uint32_t at, len;
};

static struct chunk collect(const struct tsl_pair_walk *w, uint32_t target)
{
    const struct tsl_doc *d = w->d;
    struct chunk k = { .first = w->sent, .at = w->at };
    do
        k.len += d->sents[k.first + k.n++];
    while (k.first + k.n < d->nsents && k.len < target);
    return k;
}

static uint32_t clip(uint32_t n)
{
    return n < LENGTH_MAX ? n : LENGTH_MAX;
}

static void set_pair(struct tsl_pair_plan *plan, uint32_t at, uint32_t a_len,
                     uint32_t b_len)
{
    plan->a_at = at;
    plan->a_len = clip(a_len) & LENGTH_MAX;
    plan->b_at = at + a_len;
    plan->b_len = clip(b_len) & LENGTH_MAX;
}

/* A word's start within the sentence, uniformly, but not its first token: how many tokens
 * stand before it.  0: there is one word. */
static uint32_t draw_split(struct tsl_pair_walk *w, uint32_t at, uint32_t len)
{
    const uint8_t *starts = w->d->starts + at;
    uint32_t n = 0;
    for (uint32_t i = 1; i < len; i++)
        n += starts[i];
    if (!n)
        return 0;
    uint32_t nth = tsl_draws_below(&w->draws, n), i = 1;
    while (!starts[i] || nth--)
        i++;
    return i;
}

/* A true pair where one sentence was collected: with the next one, else with the one
 * before, else of its two parts.  false: it cannot be split.  *used: sentences. */
static bool pair_single(struct tsl_pair_walk *w, const struct chunk *k,
                        struct tsl_pair_plan *plan, size_t *used, bool *split)
{
    const struct tsl_doc *d = w->d;
    *split = false;
    if (k->first + 1 < d->nsents) {
        set_pair(plan, k->at, k->len, d->sents[k->first + 1]);
        *used = 2;
    } else if (k->first > 0) {
        uint32_t before = d->sents[k->first - 1];
        set_pair(plan, k->at - before, before, k->len);
    } else {
        uint32_t a_len = draw_split(w, k->at, k->len);
        if (!a_len)
            return false;
        set_pair(plan, k->at, a_len, k->len - a_len);
        *split = true;
    }
    return true;
}

/* A random second segment. */
static void pair_random(struct tsl_pair_walk *w, const struct chunk *k, size_t a_end,
                        uint32_t target, struct tsl_pair_plan *plan,
                        struct tsl_pair_stats *t)
{
    uint32_t a_len = sum(w->d->sents + k->first, a_end);
    uint64_t bits = tsl_draws_next(&w->draws);
    if (!draw_partner(w->p, &w->draws, w->doc, w->ndocs, &plan->partner)) {
        t->one_document++;
        plan->partner = w->doc;
    }
    set_pair(plan, k->at, a_len, 0);
    plan->b_at = (uint32_t)bits;
    plan->b_len = (target > a_len ? target - a_len : 1) & LENGTH_MAX;
    plan->is_random = plan->label = 1;
}

/* One sample of the chunk; false: it gives none.  *used: how many sentences are used up.
 */
static bool plan_chunk(struct tsl_pair_walk *w, const struct chunk *k, uint32_t target,
                       struct tsl_pair_plan *plan, size_t *used, struct tsl_pair_stats *t)
{
    const struct tsl_pair_opts *o = &w->p->o;
    bool one = tsl_draws_coin(&w->draws), split = false;
    bool lone = w->d->nsents == 1;
    size_t a_end = 1;
    if (k->n > 1)
        a_end += tsl_draws_below(&w->draws, (uint32_t)k->n - 1);
    *used = k->n;
    if (lone &&
        (o->lone == TSL_PAIR_LONE_DROP ||
         (o->lone == TSL_PAIR_LONE_SPLIT && !pair_single(w, k, plan, used, &split)))) {
        t->lone_dropped++;
        return false;
    }
    bool random = o->kind == TSL_PAIR_NEXT && one;
    if (lone && o->lone == TSL_PAIR_LONE_RANDOM) {
        random = true;
        t->lone_random++;
    }
    if (random) {
        pair_random(w, k, a_end, target, plan, t);
        *used = a_end;
        return true;
    }
    if (k->n > 1) {
        uint32_t a_len = sum(w->d->sents + k->first, a_end);
        set_pair(plan, k->at, a_len, k->len - a_len);
    } else if (!lone)
        pair_single(w, k, plan, used, &split);
    t->lone_split += lone;
    plan->swapped = plan->label = o->kind == TSL_PAIR_ORDER && one;
    return true;
}

bool tsl_pair_next(struct tsl_pair_walk *w, struct tsl_pair_plan *plan,
                   struct tsl_pair_stats *t)
{
    uint32_t longest = w->p->o.tokens_max - 3;
    while (w->sent < w->d->nsents) {
        uint32_t target = longest;
        size_t used;
        if (tsl_draws_less(&w->draws, w->p->below_short))
            target = 2 + tsl_draws_below(&w->draws, longest - 1);
        struct chunk k = collect(w, target);
        *plan = (struct tsl_pair_plan){ .doc = w->doc, .partner = w->doc };
        plan->draw = tsl_draws_next(&w->draws) >> 35 & 0x1fffffff;
        bool made = plan_chunk(w, &k, target, plan, &used, t);
        w->at += sum(w->d->sents + w->sent, used);
        w->sent += used;
        if (!made)
            continue;
        t->samples++;
        t->label1 += plan->label;
        return true;
    }
    return false;
}

struct segment {
    const struct tsl_doc *d;
    uint32_t at, len;
};

/* How many of n coins show heads. */
static uint32_t heads(struct tsl_draws *draws, uint32_t n)
{
    uint32_t k = 0;
    for (; n >= 64; n -= 64)
        k += (uint32_t)__builtin_popcountll(tsl_draws_next(draws));
    if (n)
        k += (uint32_t)__builtin_popcountll(tsl_draws_next(draws) >> (64 - n));
    return k;
}

/* Takes n tokens from its ends, a coin for each, and then up to the next word's border. */
static void cut(const struct tsl_pair *p, struct segment *x, uint32_t n,
                struct tsl_draws *draws, struct tsl_pair_stats *t)
{
    if (!n)
        return;
    uint32_t front = heads(draws, n), from = x->at + front,
             to = x->at + x->len - (n - front);
    const uint8_t *starts = x->d->starts;
    t->tokens_cut += n;
    if (!p->o.cut_words) {
        uint32_t f = from, e = to;
        while (front && f < to && !starts[f])
            f++;
        while (n > front && e > f && !starts[e])
            e--;
        if (f < e) {
            t->tokens_cut += f - from + (to - e);
            from = f;
            to = e;
        } else
            t->words_cut++;
    }
    x->at = from;
    x->len = to - from;
}

/* The longer one gives (B where they are equal) until both fit, as in the scripts. */
static void truncate_pair(const struct tsl_pair *p, struct segment *a, struct segment *b,
                          struct tsl_draws *draws, struct tsl_pair_stats *t)
{
    uint32_t room = p->o.tokens_max - 3, from_a = 0, from_b = 0;
    if ((uint64_t)a->len + b->len <= room)
        return;
    uint32_t over = a->len + b->len - room;
    uint32_t apart = a->len > b->len ? a->len - b->len : b->len - a->len;
    uint32_t first = over < apart ? over : apart;
    *(a->len > b->len ? &from_a : &from_b) = first;
    from_b += (over - first + 1) / 2;
    from_a += (over - first) / 2;
    cut(p, a, from_a, draws, t);
    cut(p, b, from_b, draws, t);
}

/* The second segment of a partner that has sentences: from one of them on, until there is
 * enough. */
static int find_partner(const struct tsl_pair *p, const struct tsl_pair_plan *plan,
                        const struct tsl_docs *docs, struct tsl_draws *draws,
                        struct tsl_doc *d, struct segment *b, struct tsl_err *err)
{
    uint64_t partner = plan->partner;
    for (unsigned tries = 0;; tries++) {
        int rc = tsl_docs_part(docs, partner, 1, 0, 0, d, err);
        if (rc < 0)
            return rc;
        if (d->nsents)
            break;
        if (tries == PARTNER_TRIES ||
            !draw_partner(p, draws, plan->doc, docs->ndocs, &partner))
            return tsl_err_set(err, TSL_EFORMAT,
                               "document %" PRIu64 ": %d documents that were drawn to go "
                               "with it are all empty",
                               plan->doc, PARTNER_TRIES);
    }
    size_t i = (size_t)((uint64_t)plan->b_at * d->nsents >> 32);
    *b = (struct segment){ .d = d, .at = sum(d->sents, i) };
    do
        b->len += d->sents[i++];
    while (i < d->nsents && b->len < plan->b_len);
    return tsl_docs_part(docs, partner, 1, b->at, (size_t)b->len + 1, d, err);
}

static bool fits(const struct segment *x)
{
    return x->at <= x->d->ntokens && x->len <= x->d->ntokens - x->at;
}

int tsl_pair_build(const struct tsl_pair *p, const struct tsl_pair_plan *plan,
                   uint64_t address, const struct tsl_docs *docs, struct tsl_sample *s,
                   struct tsl_pair_stats *t, struct tsl_err *err)
{
    struct tsl_doc own, other;
    struct tsl_draws draws = tsl_draws_make(&p->build, plan->draw, plan->doc);
    size_t from = plan->a_at, to = (size_t)plan->a_at + plan->a_len;
    if (!plan->is_random && plan->b_at < from)
        from = plan->b_at;
    if (!plan->is_random && (size_t)plan->b_at + plan->b_len > to)
        to = (size_t)plan->b_at + plan->b_len;
    /* one more: whether a word ends there */
    int rc = tsl_docs_part(docs, plan->doc, 0, from, to + 1 - from, &own, err);
    if (rc < 0)
        return rc;
    struct segment a = { &own, plan->a_at, plan->a_len };
    struct segment b = { &own, plan->b_at, plan->b_len };
    if (plan->is_random &&
        (rc = find_partner(p, plan, docs, &draws, &other, &b, err)) < 0)
        return rc;
    if (!fits(&a) || !fits(&b))
        return tsl_err_set(err, TSL_EFORMAT,
                           "document %" PRIu64 " has changed since its samples were "
                           "planned",
                           fits(&a) ? plan->partner : plan->doc);
    if (plan->swapped) {
        struct segment x = a;
        a = b;
        b = x;
    }
    truncate_pair(p, &a, &b, &draws, t);
    tsl_sample_clear(s, address);
    tsl_sample_add_special(s, (uint32_t)p->o.special.cls);
    tsl_sample_add(s, a.d->ids + a.at, a.d->starts + a.at, a.len);
    tsl_sample_add_special(s, (uint32_t)p->o.special.sep);
    s->first = s->n;
    tsl_sample_add(s, b.d->ids + b.at, b.d->starts + b.at, b.len);
    tsl_sample_add_special(s, (uint32_t)p->o.special.sep);
    s->label = plan->label;
    t->tokens += s->n;
    return 0;
}

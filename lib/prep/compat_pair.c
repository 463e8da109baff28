#include "prep/compat_pair.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"

struct tsl_compat_pair {
    struct tsl_compat_pair_opts o;
    struct tsl_instlog *log;
    struct tsl_dochist contribution;
    uint64_t samples, tokens; /* of the document that is walked */
    /* the rest only while instances are made */
    const struct tsl_docs *docs;
    uint32_t *order; /* documents that are not empty, shuffled */
    uint32_t ndocs;
    uint8_t *odd;      /* one bit a document: it has [CLS] or [SEP] in its text */
    bool reads_tokens; /* masking looks at them, for some instances at least */
    uint64_t below_short;
    struct tsl_compat_masker m;
    struct tsl_sample s; /* where an instance is put together */
    void (*mask)(struct tsl_compat_masker *m, void *ctx);
    void *ctx;
};

/* A piece of the script's current_chunk. */
struct chunk {
    uint64_t doc;
    const struct tsl_doc *d;
    size_t first, nsents; /* sentences */
    uint32_t at, len;     /* their tokens */
    uint32_t target;
};

static uint64_t randint(struct tsl_compat_pair *c, uint64_t low, uint64_t high)
{
    return tsl_mt19937_randint(&c->m.mt, low, high, c->o.python2);
}

static bool coin(struct tsl_compat_pair *c)
{
    return tsl_mt19937_coin(&c->m.mt);
}

static uint32_t count_masks(const struct tsl_compat_pair_opts *o, uint32_t n)
{
    double want = n * o->mask_rate;
    want = o->python2 ? round(want) : rint(want);
    if (!(want >= 1))
        want = 1;
    return want < o->masks_max ? (uint32_t)want : o->masks_max;
}

uint32_t tsl_compat_pair_places(struct tsl_compat_masker *m)
{
    uint32_t cls = (uint32_t)m->o->special.cls, sep = (uint32_t)m->o->special.sep, n = 0;
    if (m->ids) {
        for (uint32_t i = 0; i < m->n; i++) {
            m->cands[n] = (uint16_t)i;
            n += m->ids[i] != cls && m->ids[i] != sep;
        }
        return n;
    }
    for (uint32_t i = 1; i < m->middle; i++)
        m->cands[n++] = (uint16_t)i;
    for (uint32_t i = m->middle + 1; i < m->n - 1; i++)
        m->cands[n++] = (uint16_t)i;
    return n;
}

/* The candidates among the places of a segment without specials.  A word goes on across a
 * special, as it does in the scripts: a B that truncation made begin within a word
 * belongs to the last word of A. */
static void add_segment(struct tsl_compat_masker *m, uint32_t from, uint32_t to,
                        uint32_t *n, uint32_t *k)
{
    bool words = m->o->whole_words;
    for (uint32_t i = from; i < to; i++, ++*k) {
        m->work[*k] = (uint16_t)i;
        m->begins[*n] = (uint16_t)*k;
        *n += !words || m->starts[i] || *n == 0;
    }
}

void tsl_compat_pair_candidates(struct tsl_compat_masker *m)
{
    uint32_t cls = (uint32_t)m->o->special.cls, sep = (uint32_t)m->o->special.sep;
    uint32_t n = 0, k = 0;
    if (!m->ids) {
        add_segment(m, 1, m->middle, &n, &k);
        add_segment(m, m->middle + 1, m->n - 1, &n, &k);
    } else {
        for (uint32_t i = 0; i < m->n; i++)
            if (m->ids[i] != cls && m->ids[i] != sep)
                add_segment(m, i, i + 1, &n, &k);
    }
    m->begins[n] = (uint16_t)k;
    m->ncands = n;
}

static void add_stretch(struct tsl_compat_pair *c, const struct tsl_stretch *x,
                        const struct tsl_doc *d)
{
    const uint8_t *continues = c->o.continues;
    struct tsl_sample *s = &c->s;
    if (c->m.ids)
        memcpy(s->ids + s->n, d->ids + x->at, x->len * sizeof *s->ids);
    if (!continues)
        memcpy(s->starts + s->n, d->starts + x->at, x->len);
    for (uint32_t i = 0; continues && i < x->len; i++) {
        uint32_t id = d->ids[x->at + i];
        s->starts[s->n + i] = !(continues[id / 8] >> (id % 8) & 1);
    }
    s->n += x->len;
}

static void fill_sample(struct tsl_compat_pair *c, const struct tsl_stretch *a,
                        const struct tsl_doc *da, const struct tsl_stretch *b,
                        const struct tsl_doc *db)
{
    struct tsl_sample *s = &c->s;
    tsl_sample_clear(s, 0);
    tsl_sample_add_special(s, (uint32_t)c->o.special.cls);
    add_stretch(c, a, da);
    tsl_sample_add_special(s, (uint32_t)c->o.special.sep);
    add_stretch(c, b, db);
    tsl_sample_add_special(s, (uint32_t)c->o.special.sep);
}

/* Masks single tokens without looking at them where none can be a special: a random
 * partner's are not in the cache. */
static bool is_odd(const struct tsl_compat_pair *c, uint64_t doc)
{
    return c->odd[doc / 8] >> (doc % 8) & 1;
}

static int add_instance(struct tsl_compat_pair *c, const struct tsl_stretch *a,
                        const struct tsl_doc *da, const struct tsl_stretch *b,
                        const struct tsl_doc *db, bool label, struct tsl_err *err)
{
    struct tsl_compat_masker *m = &c->m;
    m->middle = a->len + 1;
    m->n = a->len + b->len + 3;
    c->samples++;
    c->tokens += m->n;
    bool odd = is_odd(c, a->doc) || is_odd(c, b->doc);
    m->ids = c->o.needs_ids || odd ? c->s.ids : NULL;
    m->starts = c->o.needs_starts || odd ? c->s.starts : NULL;
    if (m->starts)
        fill_sample(c, a, da, b, db);
    m->nmasks = count_masks(&c->o, m->n);
    memset(m->chosen, 0, (m->n + 63) / 64 * sizeof *m->chosen);
    c->mask(m, c->ctx);
    struct tsl_instance inst = {
        .a = *a, .b = *b, .label = label, .chosen = m->chosen, .shown = m->shown
    };
    return tsl_instlog_put(c->log, &inst, err);
}

/* Cuts the longer one (B where they are equal) at its front or its end until both fit. */
static void truncate_pair(struct tsl_compat_pair *c, struct tsl_stretch *a,
                          struct tsl_stretch *b)
{
    while ((uint64_t)a->len + b->len > c->o.tokens_max - 3) {
        struct tsl_stretch *x = a->len > b->len ? a : b;
        x->at += coin(c);
        x->len--;
    }
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

/* The tokens of a document fit into 32 bits, so all sums of sentences do. */
static int get(struct tsl_compat_pair *c, uint64_t number, unsigned slot, size_t len,
               struct tsl_doc *d, struct tsl_err *err)
{
    int rc = tsl_docs_part(c->docs, number, slot, 0, len, d, err);
    if (rc == 0 && d->ntokens > UINT32_MAX)
        rc = tsl_err_set(err, TSL_EFORMAT,
                         "document %" PRIu64 " has %zu tokens, more than 2^32", number,
                         d->ntokens);
    return rc;
}

/* The second segment from another document; index: the walk's own one.  Ten draws, then
 * the own document it is. */
static int random_next(struct tsl_compat_pair *c, uint32_t index, int64_t want,
                       struct tsl_stretch *b, struct tsl_doc *d, struct tsl_err *err)
{
    uint32_t other = index;
    for (unsigned i = 0; i < 10 && other == index; i++)
        other = (uint32_t)randint(c, 0, c->ndocs - 1);
    b->doc = c->order[other];
    int rc = get(c, b->doc, 1, c->reads_tokens ? SIZE_MAX : 0, d, err);
    if (rc < 0)
        return rc;
    if (!d->nsents)
        return tsl_err_set(err, TSL_EFORMAT,
                           "document %" PRIu64 " is empty, and was not before", b->doc);
    size_t i = (size_t)randint(c, 0, d->nsents - 1);
    b->at = sum(d->sents, i);
    b->len = 0;
    do /* want may be below 0 */
        b->len += d->sents[i++];
    while (i < d->nsents && b->len < want);
    return 0;
}

/* The instance of a chunk; *used: how many of its sentences are used up. */
static int end_chunk(struct tsl_compat_pair *c, const struct chunk *k, uint32_t index,
                     size_t *used, struct tsl_err *err)
{
    bool label = false;
    size_t a_end = k->nsents >= 2 ? (size_t)randint(c, 1, k->nsents - 1) : 1;
    struct tsl_stretch a = { k->doc, k->at, sum(k->d->sents + k->first, a_end) };
    struct tsl_stretch b = { k->doc, k->at + a.len, k->len - a.len };
    struct tsl_doc other;
    const struct tsl_doc *db = k->d;
    *used = k->nsents;
    if (k->nsents == 1 || (c->o.half_random && coin(c))) {
        label = true;
        int rc = random_next(c, index, (int64_t)k->target - a.len, &b, &other, err);
        if (rc < 0)
            return rc;
        db = &other;
        *used = a_end;
    } else if (c->o.half_swapped && coin(c)) {
        label = true;
        struct tsl_stretch t = a;
        a = b;
        b = t;
    }
    truncate_pair(c, &a, &b);
    return add_instance(c, &a, k->d, &b, db, label, err);
}

static int walk_document(struct tsl_compat_pair *c, uint32_t index, struct tsl_err *err)
{
    struct tsl_doc d;
    uint64_t doc = c->order[index];
    int rc = get(c, doc, 0, c->reads_tokens ? SIZE_MAX : 0, &d, err);
    if (rc < 0)
        return rc;
    struct chunk k = { .doc = doc, .d = &d, .target = c->o.tokens_max - 3 };
    c->samples = c->tokens = 0;
    if (tsl_mt19937_bits53(&c->m.mt) < c->below_short)
        k.target = (uint32_t)randint(c, 2, k.target);
    for (size_t i = 0; i < d.nsents; i++) {
        k.nsents++;
        k.len += d.sents[i];
        if (i < d.nsents - 1 && k.len < k.target)
            continue;
        size_t used;
        if ((rc = end_chunk(c, &k, index, &used, err)) < 0)
            return rc;
        k.at += sum(d.sents + k.first, used);
        k.first += used;
        i = k.first - 1;
        k.nsents = 0;
        k.len = 0;
    }
    tsl_dochist_put(&c->contribution, c->samples, c->tokens);
    return 0;
}

static bool has_special(const struct tsl_compat_pair *c, const struct tsl_doc *d)
{
    uint32_t cls = (uint32_t)c->o.special.cls, sep = (uint32_t)c->o.special.sep, any = 0;
    for (size_t i = 0; i < d->ntokens; i++)
        any |= (d->ids[i] == cls) | (d->ids[i] == sep);
    return any;
}

static int list_documents(struct tsl_compat_pair *c, struct tsl_err *err)
{
    const struct tsl_docs *docs = c->docs;
    if (docs->ndocs >= UINT32_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%" PRIu64 " documents: a compatible run takes less than 2^32",
                           docs->ndocs);
    c->order = tsl_mem_alloc((size_t)docs->ndocs, sizeof *c->order,
                             "the order of documents", err);
    c->reads_tokens = c->o.needs_ids || c->o.needs_starts;
    c->odd = tsl_mem_alloc((size_t)docs->ndocs / 8 + 1, 1, "the order of documents", err);
    if (!c->order || !c->odd)
        return TSL_ENOMEM;
    for (uint32_t i = 0; i < docs->ndocs; i++) {
        struct tsl_doc d;
        int rc = get(c, i, 0, SIZE_MAX, &d, err);
        if (rc < 0)
            return rc;
        if (d.nsents)
            c->order[c->ndocs++] = i;
        if (has_special(c, &d)) {
            c->odd[i / 8] |= (uint8_t)(1 << i % 8);
            c->reads_tokens = true;
        }
    }
    tsl_mt19937_shuffle32(&c->m.mt, c->order, c->ndocs, c->o.python2);
    return 0;
}

static int check_opts(const struct tsl_compat_pair_opts *o, struct tsl_err *err)
{
    if (o->tokens_max < 5 || o->tokens_max > TSL_SAMPLE_TOKENS_MAX - 2)
        return tsl_err_set(err, TSL_EUSAGE, "a length of %" PRIu32 " is not 5 to %d",
                           o->tokens_max, TSL_SAMPLE_TOKENS_MAX - 2);
    if (o->special.cls < 0 || o->special.sep < 0 || o->special.mask < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "the vocabulary lacks [CLS], [SEP] or [MASK]");
    if (!o->special.vocab_size)
        return tsl_err_set(err, TSL_EUSAGE, "the vocabulary is empty");
    return 0;
}

static void drop_scratch(struct tsl_compat_pair *c)
{
    tsl_mem_free(c->order);
    tsl_mem_free(c->odd);
    tsl_mem_free(c->m.chosen);
    tsl_mem_free(c->m.moved);
    tsl_mem_free(c->m.shown);
    tsl_mem_free(c->m.cands);
    tsl_mem_free(c->m.begins);
    tsl_mem_free(c->m.work);
    tsl_sample_fini(&c->s);
    c->order = NULL;
    c->odd = NULL;
    c->m = (struct tsl_compat_masker){ .o = &c->o };
    c->docs = NULL;
}

static int make_instances(struct tsl_compat_pair *c, struct tsl_err *err)
{
    struct tsl_compat_masker *m = &c->m;
    size_t n = c->o.tokens_max + 1;
    m->o = &c->o;
    m->chosen = tsl_mem_alloc(n / 64 + 1, sizeof *m->chosen, "masks", err);
    m->moved = tsl_mem_alloc(n / 64 + 1, sizeof *m->moved, "masks", err);
    m->shown = tsl_mem_alloc(n, sizeof *m->shown, "masks", err);
    m->cands = tsl_mem_alloc(n, sizeof *m->cands, "masks", err);
    m->begins = tsl_mem_alloc(n, sizeof *m->begins, "masks", err);
    m->work = tsl_mem_alloc(n, sizeof *m->work, "masks", err);
    if (!m->chosen || !m->moved || !m->shown || !m->cands || !m->begins || !m->work)
        return TSL_ENOMEM;
    tsl_mt19937_seed_python(&m->mt, c->o.seed);
    c->below_short = tsl_mt19937_threshold(c->o.short_rate);
    int rc = list_documents(c, err);
    for (uint32_t dupe = 0; dupe < c->o.dupes; dupe++)
        for (uint32_t i = 0; rc == 0 && i < c->ndocs; i++)
            rc = walk_document(c, i, err);
    if (rc == 0)
        tsl_mt19937_shuffle64(&m->mt, tsl_instlog_order(c->log),
                              (size_t)tsl_instlog_count(c->log), c->o.python2);
    return rc;
}

int tsl_compat_pair_create(struct tsl_compat_pair **out,
                           const struct tsl_compat_pair_opts *o,
                           const struct tsl_docs *docs,
                           void (*mask)(struct tsl_compat_masker *m, void *ctx),
                           void *ctx, struct tsl_err *err)
{
    int rc = check_opts(o, err);
    if (rc < 0)
        return rc;
    struct tsl_compat_pair *c = tsl_mem_alloc(1, sizeof *c, "instances", err);
    if (!c)
        return TSL_ENOMEM;
    c->o = *o;
    c->docs = docs;
    c->mask = mask;
    c->ctx = ctx;
    if ((rc = tsl_sample_init(&c->s, o->tokens_max, err)) < 0 ||
        (rc = tsl_instlog_create(&c->log, &o->special, o->tokens_max, err)) < 0)
        goto out;
    rc = make_instances(c, err);
    drop_scratch(c);
    if (rc < 0)
        goto out;
    *out = c;
    c = NULL; /* handed over */
out:
    tsl_compat_pair_destroy(c);
    return rc;
}

void tsl_compat_pair_destroy(struct tsl_compat_pair *c)
{
    if (!c)
        return;
    drop_scratch(c);
    tsl_instlog_destroy(c->log);
    tsl_mem_free(c);
}

uint64_t tsl_compat_pair_count(const struct tsl_compat_pair *c)
{
    return tsl_instlog_count(c->log);
}

const struct tsl_dochist *tsl_compat_pair_contribution(const struct tsl_compat_pair *c)
{
    return &c->contribution;
}

uint64_t tsl_compat_pair_bytes(const struct tsl_compat_pair *c)
{
    return tsl_instlog_bytes(c->log);
}

int tsl_compat_pair_at(const struct tsl_compat_pair *c, uint64_t i,
                       const struct tsl_docs *docs, struct tsl_sample *s,
                       struct tsl_err *err)
{
    struct tsl_instlog_starts starts = { !c->o.no_starts, c->o.continues };
    return tsl_instlog_at(c->log, i, docs, &starts, s, err);
}

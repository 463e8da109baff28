#include "train/loader.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/permute.h"
#include "base/quote.h"
#include "par/thread.h"
#include "train/datamix.h"

enum { SETS_MAX = 1024, AHEAD = 3 };
static const double weight_units = 1e6;

struct set {
    struct tsl_trainset *data;
    uint64_t n;
};

/* A batch on its way: made by the thread, then lent to the caller. */
struct slot {
    struct tsl_trainbatch batch;
    struct tsl_err err; /* code 0: it is good */
    bool end;           /* there is none: behind the last position */
};

struct tsl_loader {
    struct tsl_loader_opts o;
    struct set *sets;
    size_t nsets;
    struct tsl_datamix mix;
    struct tsl_trainbatch_shape shape;
    uint64_t positions; /* UINT64_MAX: no end */
    struct tsl_sample sample;
    struct slot *slots;
    unsigned nslots;

    struct tsl_thread thread;
    struct tsl_mutex lock;
    struct tsl_cond made, taken;
    /* Under the lock.  Slots [out, out + ready) modulo nslots wait to be lent, in order; the
     * one before them is the caller's where lent is set; the thread fills the one behind. */
    unsigned out, ready;
    bool lent, stop;
    uint64_t at;   /* the position that is made next */
    uint64_t turn; /* how often seek was called: what was begun before does not count */
    struct tsl_loader_stats st;
    double opened;
};

/* ---- where a position lies ---- */

void tsl_loader_where(const struct tsl_loader *l, uint64_t p, uint32_t *set,
                      uint64_t *epoch, uint64_t *record)
{
    uint64_t turn;
    size_t k = tsl_datamix_at(&l->mix, p, &turn);
    uint64_t n = l->sets[k].n;
    *set = (uint32_t)k;
    *epoch = turn / n;
    *record = turn % n;
    if (!l->o.in_order) {
        struct tsl_permute order = tsl_permute_epoch(l->o.seed, *epoch, n);
        *record = tsl_permute_at(&order, *record);
    }
}

/* ---- a batch ---- */

static int put_row(struct tsl_loader *l, struct tsl_trainbatch *b, uint64_t p,
                   struct tsl_err *err)
{
    uint32_t set, row = b->rows;
    uint64_t epoch, record;
    tsl_loader_where(l, p, &set, &epoch, &record);
    int rc = tsl_trainset_get(l->sets[set].data, record, l->o.one_epoch ? 0 : epoch,
                              &l->sample, err);
    if (rc < 0)
        return rc;
    struct tsl_err why = { 0 };
    rc = tsl_trainbatch_put(b, &l->sample, &why);
    if (rc < 0) {
        bool cut = l->sample.n > b->shape.tokens_max && !l->o.data.truncate;
        return tsl_err_set(
            err, rc, "%s: record %" PRIu64 ": %s%s",
            tsl_quote(tsl_trainset_path(l->sets[set].data)).s, record, why.msg,
            cut ? " (a longer --seq-length takes it, --truncate cuts it)" : "");
    }
    b->records[row] = record;
    b->epochs[row] = epoch;
    b->sets[row] = set;
    return 0;
}

static void make_batch(struct tsl_loader *l, struct slot *s, uint64_t at)
{
    struct tsl_trainbatch *b = &s->batch;
    uint64_t world = l->o.world, p = at + l->o.rank;
    s->err = (struct tsl_err){ 0 };
    tsl_trainbatch_clear(b);
    b->position = at;
    b->next = at + l->o.rows * world;
    if (b->next > l->positions)
        b->next = l->positions > at ? l->positions : at;
    s->end = at >= l->positions;
    for (uint32_t i = 0; !s->end && i < l->o.rows && p < l->positions; i++, p += world)
        if (put_row(l, b, p, &s->err) < 0)
            return;
}

/* ---- the thread ---- */

static void run(void *arg)
{
    struct tsl_loader *l = arg;
    tsl_mutex_lock(&l->lock);
    while (!l->stop) {
        if (l->ready + l->lent == l->nslots) {
            tsl_cond_wait(&l->taken, &l->lock);
            continue;
        }
        struct slot *s = &l->slots[(l->out + l->ready) % l->nslots];
        uint64_t at = l->at, turn = l->turn;
        tsl_mutex_unlock(&l->lock);
        double begin = tsl_seconds();
        make_batch(l, s, at);
        double took = tsl_seconds() - begin;
        tsl_mutex_lock(&l->lock);
        l->st.busy_seconds += took;
        if (turn != l->turn)
            continue;
        l->at = s->batch.next;
        l->ready++;
        tsl_cond_signal(&l->made);
        /* behind an error or the end there is nothing to make, until seek */
        while (!l->stop && turn == l->turn && (s->end || s->err.code))
            tsl_cond_wait(&l->taken, &l->lock);
    }
    tsl_mutex_unlock(&l->lock);
}

/* The caller gives the batch back that it has. */
static void give_back(struct tsl_loader *l)
{
    if (!l->lent)
        return;
    l->lent = false;
    tsl_cond_signal(&l->taken);
}

static void next_without_thread(struct tsl_loader *l, const struct slot **s)
{
    double begin = tsl_seconds();
    make_batch(l, &l->slots[0], l->at);
    l->at = l->slots[0].batch.next;
    *s = &l->slots[0];
    double took = tsl_seconds() - begin;
    l->st.busy_seconds += took;
    l->st.wait_seconds += took;
}

static void next_of_thread(struct tsl_loader *l, const struct slot **s)
{
    tsl_mutex_lock(&l->lock);
    give_back(l);
    if (l->ready == 0) {
        double begin = tsl_seconds();
        while (l->ready == 0)
            tsl_cond_wait(&l->made, &l->lock);
        l->st.wait_seconds += tsl_seconds() - begin;
    }
    *s = &l->slots[l->out];
    if (!(*s)->end && !(*s)->err.code) { /* else it stays, for who asks again */
        l->out = (l->out + 1) % l->nslots;
        l->ready--;
        l->lent = true;
    }
    tsl_mutex_unlock(&l->lock);
}

int tsl_loader_next(struct tsl_loader *l, const struct tsl_trainbatch **b,
                    struct tsl_err *err)
{
    const struct slot *s;
    if (l->thread.started)
        next_of_thread(l, &s);
    else
        next_without_thread(l, &s);
    if (s->err.code)
        return tsl_err_pass(err, &s->err);
    if (s->end)
        return 0;
    l->st.batches++;
    l->st.samples += s->batch.rows;
    l->st.tokens += s->batch.ntokens;
    *b = &s->batch;
    return 1;
}

void tsl_loader_seek(struct tsl_loader *l, uint64_t p)
{
    tsl_mutex_lock(&l->lock);
    give_back(l);
    l->at = p;
    l->turn++;
    l->ready = 0;
    tsl_cond_signal(&l->taken);
    tsl_mutex_unlock(&l->lock);
}

/* ---- opening ---- */

int tsl_loader_parse_set(char *arg, struct tsl_loader_set *set, struct tsl_err *err)
{
    char *colon = strrchr(arg, ':'), *end;
    *set = (struct tsl_loader_set){ .path = arg };
    if (!colon || !colon[1] || strspn(colon + 1, "0123456789.") != strlen(colon + 1))
        return 0;
    double w = strtod(colon + 1, &end);
    double units = w * weight_units;
    if (*end || !(w > 0) || w > 1e9 || fabs(units - rint(units)) > 1e-3)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: a weight is a number above 0 and up to 1e9, with at "
                           "most 6 decimals",
                           tsl_quote(arg).s);
    *colon = 0;
    set->weight = w;
    return 0;
}

static int open_sets(struct tsl_loader *l, struct tsl_err *err)
{
    const struct tsl_loader_opts *o = &l->o;
    int rc = 0;
    for (; rc == 0 && l->nsets < o->nsets; l->nsets++) {
        struct tsl_trainset_opts data = o->data;
        struct set *s = &l->sets[l->nsets];
        data.path = o->sets[l->nsets].path;
        data.format = o->sets[l->nsets].format;
        data.memory = o->memory / o->nsets;
        rc = tsl_trainset_open(&s->data, &data, err);
        if (rc < 0)
            break;
        s->n = tsl_trainset_info(s->data)->samples;
    }
    return rc;
}

static int make_mix(struct tsl_loader *l, struct tsl_err *err)
{
    uint64_t *w = tsl_mem_alloc(l->nsets, sizeof *w, "weights", err);
    size_t given = 0;
    if (!w)
        return TSL_ENOMEM;
    for (size_t i = 0; i < l->nsets; i++) {
        double weight = l->o.sets[i].weight;
        given += weight > 0;
        w[i] = weight > 0 ? (uint64_t)llrint(weight * weight_units) : l->sets[i].n;
    }
    int rc = given && given < l->nsets
                 ? tsl_err_set(err, TSL_EUSAGE,
                               "%zu of %zu data sets have a weight: give one to all "
                               "of them or to none",
                               given, l->nsets)
                 : tsl_datamix_init(&l->mix, w, l->nsets, err);
    tsl_mem_free(w);
    return rc;
}

/* What all sets must be alike in; the shape takes the largest of what may differ. */
static int join(struct tsl_loader *l, size_t i, struct tsl_err *err)
{
    const struct tsl_trainset_info *a = tsl_loader_info(l, 0), *b = tsl_loader_info(l, i);
    struct tsl_trainbatch_shape *s = &l->shape;
    const char *pa = tsl_trainset_path(l->sets[0].data),
               *pb = tsl_trainset_path(l->sets[i].data);
    if (a->kind != b->kind)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s is data for %s, %s for %s: one run has "
                           "one objective",
                           tsl_quote(pa).s, a->objective, tsl_quote(pb).s, b->objective);
    if (a->vocab_size && b->vocab_size && a->vocab_size != b->vocab_size)
        return tsl_err_set(
            err, TSL_EUSAGE, "%s has a vocabulary of %" PRIu32 " ids, %s of %" PRIu32,
            tsl_quote(pa).s, a->vocab_size, tsl_quote(pb).s, b->vocab_size);
    if (a->vocab_id[0] && b->vocab_id[0] && strcmp(a->vocab_id, b->vocab_id) != 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s and %s were made with different vocabularies (%s, %s)",
                           tsl_quote(pa).s, tsl_quote(pb).s, a->vocab_id, b->vocab_id);
#define MOST(x) s->x = b->x > s->x ? b->x : s->x
    MOST(tokens_max);
    MOST(masks_max);
    MOST(outs_max);
    MOST(vocab_size);
#undef MOST
    if (b->special.pad > 0)
        s->pad = s->outs_begin = (int32_t)b->special.pad;
    return 0;
}

static int make_shape(struct tsl_loader *l, struct tsl_err *err)
{
    int rc = 0;
    l->shape = (struct tsl_trainbatch_shape){ .kind = tsl_loader_info(l, 0)->kind,
                                              .rows_max = l->o.rows };
    for (size_t i = 0; rc == 0 && i < l->nsets; i++)
        rc = join(l, i, err);
    return rc;
}

static int make_slots(struct tsl_loader *l, struct tsl_err *err)
{
    unsigned n = l->o.no_thread ? 1 : l->o.ahead ? l->o.ahead : AHEAD;
    l->nslots = n < 2 && !l->o.no_thread ? 2 : n;
    l->slots = tsl_mem_alloc(l->nslots, sizeof *l->slots, "batches", err);
    if (!l->slots)
        return TSL_ENOMEM;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < l->nslots; i++)
        rc = tsl_trainbatch_init(&l->slots[i].batch, &l->shape, err);
    return rc < 0 ? rc : tsl_sample_init(&l->sample, l->shape.tokens_max + 8, err);
}

static void find_end(struct tsl_loader *l)
{
    double end = l->o.epochs * (double)tsl_loader_samples(l);
    l->positions = l->o.positions;
    if (!l->positions)
        l->positions = l->o.epochs > 0 && end < 9e18 ? (uint64_t)ceil(end) : UINT64_MAX;
}

static int check(const struct tsl_loader_opts *o, struct tsl_err *err)
{
    if (o->nsets == 0 || o->nsets > SETS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "%zu data sets: there may be 1 to %d",
                           o->nsets, SETS_MAX);
    if (o->rank >= o->world)
        return tsl_err_set(err, TSL_EUSAGE,
                           "rank %" PRIu32 " is not below world %" PRIu32, o->rank,
                           o->world);
    return 0;
}

int tsl_loader_open(struct tsl_loader **out, const struct tsl_loader_opts *o,
                    struct tsl_err *err)
{
    struct tsl_loader *l = tsl_mem_alloc(1, sizeof *l, "a loader", err);
    if (!l)
        return TSL_ENOMEM;
    l->o = *o;
    l->o.world = o->world ? o->world : 1;
    l->o.memory = o->memory ? o->memory : 256 << 20;
    l->opened = tsl_seconds();
    tsl_mutex_init(&l->lock);
    tsl_cond_init(&l->made);
    tsl_cond_init(&l->taken);
    int rc = check(&l->o, err);
    if (rc == 0)
        rc = (l->sets = tsl_mem_alloc(o->nsets, sizeof *l->sets, "data sets", err))
                 ? open_sets(l, err)
                 : TSL_ENOMEM;
    if (rc == 0)
        rc = make_mix(l, err);
    if (rc == 0)
        rc = make_shape(l, err);
    if (rc == 0)
        rc = make_slots(l, err);
    if (rc == 0)
        find_end(l);
    l->o.sets = NULL; /* lent until now */
    if (rc == 0 && !o->no_thread)
        rc = tsl_thread_start(&l->thread, run, l, err);
    if (rc < 0) {
        tsl_loader_destroy(l);
        return rc;
    }
    *out = l;
    return 0;
}

void tsl_loader_destroy(struct tsl_loader *l)
{
    if (!l)
        return;
    tsl_mutex_lock(&l->lock);
    l->stop = true;
    tsl_cond_signal(&l->taken);
    tsl_mutex_unlock(&l->lock);
    tsl_thread_join(&l->thread);
    for (unsigned i = 0; l->slots && i < l->nslots; i++)
        tsl_trainbatch_fini(&l->slots[i].batch);
    for (size_t i = 0; l->sets && i < l->nsets; i++)
        tsl_trainset_destroy(l->sets[i].data);
    tsl_sample_fini(&l->sample);
    tsl_datamix_fini(&l->mix);
    tsl_mem_free(l->slots);
    tsl_mem_free(l->sets);
    tsl_cond_fini(&l->made);
    tsl_cond_fini(&l->taken);
    tsl_mutex_fini(&l->lock);
    tsl_mem_free(l);
}

/* ---- telling ---- */

const struct tsl_trainbatch_shape *tsl_loader_shape(const struct tsl_loader *l)
{
    return &l->shape;
}

size_t tsl_loader_nsets(const struct tsl_loader *l)
{
    return l->nsets;
}

const struct tsl_trainset_info *tsl_loader_info(const struct tsl_loader *l, size_t set)
{
    assert(set < l->nsets);
    return tsl_trainset_info(l->sets[set].data);
}

uint64_t tsl_loader_samples(const struct tsl_loader *l)
{
    uint64_t n = 0;
    for (size_t i = 0; i < l->nsets; i++)
        n += l->sets[i].n;
    return n;
}

void tsl_loader_stats(struct tsl_loader *l, struct tsl_loader_stats *st)
{
    tsl_mutex_lock(&l->lock);
    *st = l->st;
    tsl_mutex_unlock(&l->lock);
    double passed = tsl_seconds() - l->opened;
    st->busy_share = passed > 0 ? st->busy_seconds / passed : 0;
    st->bytes = l->nslots * tsl_trainbatch_bytes(&l->shape);
    for (size_t i = 0; i < l->nsets; i++)
        st->bytes += tsl_trainset_bytes(l->sets[i].data);
}

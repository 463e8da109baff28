#include "train/baseline.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"

/* A neighbour is 2 * id, or 2 * id + 1 where it stands to the right. */
struct entry {
    uint64_t key; /* neighbour << 32 | token; EMPTY */
    uint64_t n;
};
#define EMPTY UINT64_MAX

enum { IDS_MAX = 1 << 24, ROWS = 64 };

struct baseline {
    const struct tsl_baseline_opts *o;
    struct tsl_baseline_out *out;
    struct tsl_loader *train;
    uint64_t *unigram; /* [cap] labels */
    size_t cap, nids;
    /* pairs whose neighbour is in [from, to) */
    struct entry *table, *spare;
    size_t slots, used, most;
    uint64_t from, to;
    uint32_t *sizes; /* [2 * nids] entries of a neighbour: only to make room */
    uint32_t *best;  /* [2 * nids] */
    uint64_t *best_n;
    struct tsl_special_ids ids;
};

/* ---- batches ---- */

static int open_set(struct tsl_loader **l, struct tsl_loader_opts o, uint64_t batches,
                    struct tsl_err *err)
{
    o.in_order = o.one_epoch = true;
    o.rank = o.world = 0;
    o.rows = o.rows ? o.rows : ROWS;
    o.positions = 0;
    o.epochs = 1;
    const char *path = o.nsets ? o.sets[0].path : "";
    int rc = tsl_loader_open(l, &o, err);
    if (rc < 0)
        return rc;
    if (batches && batches * o.rows < tsl_loader_samples(*l)) {
        tsl_loader_destroy(*l);
        *l = NULL;
        o.positions = batches * o.rows;
        rc = tsl_loader_open(l, &o, err);
        if (rc < 0)
            return rc;
    }
    enum tsl_train_kind k = tsl_loader_shape(*l)->kind;
    if (k == TSL_TRAIN_SPAN || k == TSL_TRAIN_MAE || k == TSL_TRAIN_PLM)
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "%s is data for %s: baselines are of masked and of next tokens",
                         tsl_quote(path).s, tsl_loader_info(*l, 0)->objective);
    return rc;
}

static bool next_tokens(const struct tsl_loader *l)
{
    enum tsl_train_kind k = tsl_loader_shape(l)->kind;
    return k == TSL_TRAIN_CLM || k == TSL_TRAIN_PREFIX;
}

static bool special(const struct baseline *b, int64_t id)
{
    return id == b->ids.pad || id == b->ids.cls || id == b->ids.sep ||
           id == b->ids.mask || id == b->ids.bos;
}

/* ---- labels ---- */

static int count_label(struct baseline *b, int32_t id, struct tsl_err *err)
{
    if (id >= IDS_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "an id of %" PRId32 ": no vocabulary has so many", id);
    if ((size_t)id >= b->nids) {
        int rc = tsl_mem_grow(&b->unigram, &b->cap, (size_t)id + 1, sizeof *b->unigram,
                              "counts of tokens", err);
        if (rc < 0)
            return rc;
        memset(b->unigram + b->nids, 0, ((size_t)id + 1 - b->nids) * sizeof *b->unigram);
        b->nids = (size_t)id + 1;
    }
    return 0;
}

static int count_batch(struct baseline *b, const struct tsl_trainbatch *t,
                       struct tsl_err *err)
{
    size_t all = (size_t)t->rows * t->shape.tokens_max;
    for (size_t i = 0; i < all; i++) {
        int rc = count_label(b, t->input_ids[i], err); /* room for neighbours */
        if (rc == 0 && t->labels[i] >= 0)
            rc = count_label(b, t->labels[i], err);
        if (rc < 0)
            return rc;
        if (t->labels[i] >= 0 && !special(b, t->labels[i])) {
            b->unigram[t->labels[i]]++;
            b->out->counted++;
        }
    }
    return 0;
}

static int count_labels(struct baseline *b, struct tsl_err *err)
{
    const struct tsl_trainbatch *t;
    int rc;
    while ((rc = tsl_loader_next(b->train, &t, err)) == 1)
        if ((rc = count_batch(b, t, err)) < 0)
            return rc;
    for (size_t i = 0; i < b->nids; i++)
        if (b->unigram[i] > b->unigram[b->out->frequent])
            b->out->frequent = (uint32_t)i;
    return rc;
}

/* ---- pairs ---- */

static struct entry *slot_of(struct entry *table, size_t slots, uint64_t key)
{
    size_t i = (size_t)tsl_hash64(&key, sizeof key, 0) & (slots - 1);
    while (table[i].key != EMPTY && table[i].key != key)
        i = (i + 1) & (slots - 1);
    return &table[i];
}

static void clear(struct baseline *b)
{
    memset(b->table, 0xff, b->slots * sizeof *b->table);
    b->used = 0;
}

/* Gives up the upper neighbours, at least half of the entries: another pass is for them. */
static void make_room(struct baseline *b)
{
    size_t left = b->most / 2, kept = 0;
    memset(b->sizes, 0, 2 * b->nids * sizeof *b->sizes);
    for (size_t i = 0; i < b->slots; i++)
        if (b->table[i].key != EMPTY)
            b->sizes[b->table[i].key >> 32]++;
    uint64_t to = b->from + 1; /* one always fits: see open_table */
    size_t n = b->sizes[b->from];
    while (to < b->to && n + b->sizes[to] <= left)
        n += b->sizes[to++];
    b->to = to;
    for (size_t i = 0; i < b->slots; i++)
        if (b->table[i].key != EMPTY && b->table[i].key >> 32 < to)
            b->spare[kept++] = b->table[i];
    clear(b);
    for (; b->used < kept; b->used++)
        *slot_of(b->table, b->slots, b->spare[b->used].key) = b->spare[b->used];
}

static void add(struct baseline *b, uint64_t neighbour, int32_t token)
{
    uint64_t key = neighbour << 32 | (uint32_t)token;
    if (neighbour < b->from || neighbour >= b->to)
        return;
    struct entry *e = slot_of(b->table, b->slots, key);
    if (e->key == EMPTY) {
        if (b->used == b->most) {
            make_room(b);
            add(b, neighbour, token);
            return;
        }
        *e = (struct entry){ .key = key };
        b->used++;
    }
    e->n++;
}

static void pairs_of_row(struct baseline *b, const struct tsl_trainbatch *t, uint32_t row,
                         bool next)
{
    size_t first = (size_t)row * t->shape.tokens_max;
    const int32_t *in = t->input_ids + first, *labels = t->labels + first;
    int32_t n = t->lengths[row];
    /* the token as it was: a masked place's label says so */
#define WAS(i) (labels[i] >= 0 ? labels[i] : in[i])
    for (int32_t i = 0; i < n; i++) {
        if (next) {
            if (labels[i] >= 0 && !special(b, labels[i]))
                add(b, 2 * (uint64_t)in[i], labels[i]);
            continue;
        }
        int32_t token = WAS(i);
        if (special(b, token))
            continue;
        if (i > 0)
            add(b, 2 * (uint64_t)WAS(i - 1), token);
        if (i + 1 < n)
            add(b, 2 * (uint64_t)WAS(i + 1) + 1, token);
    }
#undef WAS
}

static void take_best(struct baseline *b)
{
    for (size_t i = 0; i < b->slots; i++) {
        const struct entry *e = &b->table[i];
        if (e->key == EMPTY)
            continue;
        uint64_t at = e->key >> 32;
        uint32_t token = (uint32_t)e->key;
        b->out->pairs += e->n;
        if (e->n > b->best_n[at] || (e->n == b->best_n[at] && token < b->best[at])) {
            b->best_n[at] = e->n;
            b->best[at] = token;
        }
    }
}

static int count_pairs(struct baseline *b, struct tsl_err *err)
{
    const struct tsl_trainbatch *t;
    bool next = next_tokens(b->train);
    for (uint64_t end = 2 * (uint64_t)b->nids; b->from < end; b->from = b->to) {
        int rc;
        b->to = end;
        clear(b);
        tsl_loader_seek(b->train, 0);
        while ((rc = tsl_loader_next(b->train, &t, err)) == 1)
            for (uint32_t r = 0; r < t->rows; r++)
                pairs_of_row(b, t, r, next);
        if (rc < 0)
            return rc;
        take_best(b);
        b->out->passes++;
    }
    return 0;
}

static int open_table(struct baseline *b, struct tsl_err *err)
{
    size_t memory = b->o->memory ? b->o->memory : 256 << 20;
    b->slots = 64;
    /* a neighbour has at most as many pairs as there are ids, and those always fit */
    while (b->slots / 4 < b->nids)
        b->slots *= 2;
    while (2 * b->slots * sizeof *b->table * 3 / 2 <= memory)
        b->slots *= 2;
    b->most = b->slots / 2;
    b->table = tsl_mem_alloc(b->slots, sizeof *b->table, "pairs of tokens", err);
    b->spare = tsl_mem_alloc(b->most, sizeof *b->spare, "pairs of tokens", err);
    b->sizes = tsl_mem_alloc(2 * b->nids, sizeof *b->sizes, "neighbours", err);
    b->best = tsl_mem_alloc(2 * b->nids, sizeof *b->best, "neighbours", err);
    b->best_n = tsl_mem_alloc(2 * b->nids, sizeof *b->best_n, "neighbours", err);
    return b->table && b->spare && b->sizes && b->best && b->best_n ? 0 : TSL_ENOMEM;
}

/* ---- answers ---- */

static bool knows(const struct baseline *b, int64_t id, bool right)
{
    return id != b->ids.mask && (uint64_t)id < b->nids &&
           b->best_n[2 * (size_t)id + right] > 0;
}

static void answer(struct baseline *b, const int32_t *in, const int32_t *labels,
                   int32_t i, int32_t n, bool next)
{
    uint32_t said = b->out->frequent;
    int32_t left = next ? i : i - 1;
    if (left >= 0 && knows(b, in[left], false)) {
        said = b->best[2 * (size_t)in[left]];
        b->out->by_left++;
    } else if (!next && i + 1 < n && knows(b, in[i + 1], true)) {
        said = b->best[2 * (size_t)in[i + 1] + 1];
        b->out->by_right++;
    }
    b->out->labels++;
    b->out->unigram_right += (uint32_t)labels[i] == b->out->frequent;
    b->out->bigram_right += (uint32_t)labels[i] == said;
}

static int answers(struct baseline *b, struct tsl_err *err)
{
    const struct tsl_trainbatch *t;
    struct tsl_loader *l = NULL;
    int rc = open_set(&l, b->o->held, b->o->batches, err);
    if (rc == 0 && next_tokens(l) != next_tokens(b->train))
        rc = tsl_err_set(
            err, TSL_EUSAGE, "the training set is data for %s, what is held out for %s",
            tsl_loader_info(b->train, 0)->objective, tsl_loader_info(l, 0)->objective);
    while (rc == 0 && (rc = tsl_loader_next(l, &t, err)) == 1) {
        for (uint32_t r = 0; r < t->rows; r++) {
            size_t first = (size_t)r * t->shape.tokens_max;
            for (int32_t i = 0; i < t->lengths[r]; i++)
                if (t->labels[first + (size_t)i] >= 0)
                    answer(b, t->input_ids + first, t->labels + first, i, t->lengths[r],
                           next_tokens(l));
        }
        rc = 0;
    }
    tsl_loader_destroy(l);
    return rc;
}

int tsl_baseline_run(const struct tsl_baseline_opts *o, struct tsl_baseline_out *out,
                     struct tsl_err *err)
{
    struct baseline b = { .o = o, .out = out };
    *out = (struct tsl_baseline_out){ 0 };
    int rc = open_set(&b.train, o->train, 0, err);
    if (rc == 0) {
        b.ids = tsl_loader_info(b.train, 0)->special;
        rc = count_labels(&b, err);
    }
    if (rc == 0)
        rc = open_table(&b, err);
    if (rc == 0)
        rc = count_pairs(&b, err);
    if (rc == 0)
        rc = answers(&b, err);
    tsl_loader_destroy(b.train);
    tsl_mem_free(b.unigram);
    tsl_mem_free(b.table);
    tsl_mem_free(b.spare);
    tsl_mem_free(b.sizes);
    tsl_mem_free(b.best);
    tsl_mem_free(b.best_n);
    return rc;
}

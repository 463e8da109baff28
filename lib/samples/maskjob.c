#include "samples/maskjob.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "par/pipeline.h"
#include "par/thread.h"
#include "record/rec_native.h"
#include "record/recjson.h"
#include "samples/docring.h"
#include "samples/docstore.h"
#include "samples/maskmeta.h"
#include "samples/recbatch.h"
#include "samples/samplemap.h"

enum {
    /* Units in an item: enough that a hand-over does not show, few enough that the threads
     * end together. */
    ITEM_DOCS = 64,
    ITEM_BYTES = 256 << 10, /* of documents, unless one is longer */
    ITEM_INSTANCES = 4096,
    ITEM_SAMPLES = 256,
    /* A key's low bits count a document's samples. */
    KEY_BITS = 24
};

/* What one thread works with. */
struct worker {
    struct tsl_docview *view;
    struct tsl_sample sample;
    struct tsl_samplerec rec;
    struct tsl_pair_stats pair;
    struct tsl_denoise_stats denoise;
    struct tsl_piece *pieces; /* of BESTFIT */
    uint64_t samples, tokens, masked, label1, lengths[17];
    struct tsl_dochist contribution;
};

/* Units [from, to) of one copy, and the records made of them. */
struct item {
    uint64_t from, to, copy;
    /* of a stream: where documents are, how many of them can be drawn, its number among the
     * items and whether it had one before */
    struct tsl_docsource source;
    uint64_t serial;
    bool used;
    /* of PACK: the samples' pieces one after the other, and where each sample's end */
    struct tsl_piece *pieces;
    size_t *ends;
    size_t npieces, pieces_cap, ends_cap;
    struct tsl_recbatch records;
};

struct job {
    struct tsl_maskjob_opts opts;
    const struct tsl_maskjob_opts *o; /* these */
    struct tsl_special_ids special;
    /* All documents, or those that pass by. */
    struct tsl_docstore *docs;
    struct tsl_docread *read;
    struct tsl_docring *ring;
    bool ended;       /* the stream */
    uint64_t ahead;   /* documents that the first ones may draw from */
    uint64_t serial;  /* items handed out */
    uint64_t *floors; /* [nitems]: the first document that an item looks at */
    uint64_t floor;   /* of the last one */
    unsigned nitems;
    struct tsl_pair pair;
    struct tsl_twoseg twoseg;
    struct tsl_pack *pack; /* of the copy that is being read */
    struct tsl_pack_stats pack_stats;
    struct {
        uint64_t doc, samples, tokens;
    } giving; /* of PACK: the document that pieces are of */
    struct tsl_dochist contribution;
    struct tsl_bestfit *bestfit;
    struct tsl_denoise *denoise; /* NULL: samples go out as they are */
    struct tsl_compat_pair *compat;
    struct tsl_compat_electra *electra;
    struct tsl_docsource source;
    struct tsl_docview *main_view; /* what compat's documents are read through */
    struct worker *workers;
    unsigned nthreads;
    uint32_t tokens_max;
    bool masked; /* samples are masked when they go out */
    /* what the reader hands out; of PACK next is a document */
    uint64_t units, per_item, copies, next, copy, planned;
    struct tsl_sink sink;
    bool sink_open;
    struct tsl_recnative_writer *native;
    struct tsl_schema schema;
    char *line;
    size_t line_cap;
    uint64_t written;
};

/* ---- making samples ---- */

static void count_sample(const struct job *j, struct worker *w)
{
    const struct tsl_sample *s = &w->sample;
    w->samples++;
    w->tokens += s->n;
    w->masked += s->nmasked;
    w->label1 += s->label == 1;
    uint64_t bin = (uint64_t)s->n * 16 / j->tokens_max;
    w->lengths[bin < 16 ? bin : 16]++;
}

static int emit(const struct job *j, struct worker *w, struct item *it,
                struct tsl_err *err)
{
    struct tsl_record rec;
    int rc = tsl_samplerec_fill(&w->rec, &w->sample, &rec, err);
    count_sample(j, w);
    return rc < 0 ? rc : tsl_recbatch_put(&it->records, &w->rec.schema, &rec, err);
}

/* What every sample goes through once it is made. */
static int finish(const struct job *j, struct worker *w, struct item *it,
                  struct tsl_err *err)
{
    if (j->denoise)
        tsl_denoise_apply(j->denoise, j->o->epoch + it->copy, &w->sample, &w->denoise);
    return emit(j, w, it, err);
}

/* Pairs that are planned before the first of them is built: their partners lie anywhere, and are
 * fetched meanwhile. */
enum { PLANS = 8 };

static int pairs_of_doc(struct job *j, struct worker *w, struct item *it, uint64_t number,
                        const struct tsl_doc *d, struct tsl_err *err)
{
    const struct tsl_docs *docs = tsl_docview_docs(w->view);
    struct tsl_pair_walk walk;
    struct tsl_pair_plan plans[PLANS];
    int rc = 0;
    uint64_t samples = w->samples, tokens = w->tokens, first = 0;
    tsl_pair_begin(&walk, &j->pair, j->o->epoch + it->copy, number, docs->ndocs, d);
    for (unsigned n = PLANS; rc == 0 && n == PLANS; first += n) {
        for (n = 0; n < PLANS && tsl_pair_next(&walk, &plans[n], &w->pair); n++)
            if (plans[n].is_random && docs->soon_near)
                docs->soon_near(docs->ctx, plans[n].partner, plans[n].b_at,
                                plans[n].b_len);
        for (unsigned k = 0; rc == 0 && k < n; k++) {
            rc = tsl_pair_build(&j->pair, &plans[k], number << KEY_BITS | (first + k),
                                docs, &w->sample, &w->pair, err);
            if (rc == 0)
                rc = finish(j, w, it, err);
        }
    }
    tsl_dochist_put(&w->contribution, w->samples - samples, w->tokens - tokens);
    return rc;
}

static int segments_of_doc(struct job *j, struct worker *w, struct item *it,
                           uint64_t number, const struct tsl_doc *d, struct tsl_err *err)
{
    struct tsl_twoseg_walk walk;
    struct tsl_twoseg_plan plan;
    int rc = 0;
    uint64_t samples = w->samples, tokens = w->tokens;
    tsl_twoseg_begin(&walk, &j->twoseg, j->o->epoch + it->copy, number, d);
    for (uint64_t k = 0; rc == 0 && tsl_twoseg_next(&walk, &plan); k++) {
        rc = tsl_twoseg_build(&j->twoseg, &plan, number << KEY_BITS | k, d, &w->sample,
                              err);
        if (rc == 0)
            rc = finish(j, w, it, err);
    }
    tsl_dochist_put(&w->contribution, w->samples - samples, w->tokens - tokens);
    return rc;
}

static int packed(struct job *j, struct worker *w, struct item *it, uint64_t number,
                  const struct tsl_piece *pieces, size_t n, struct tsl_err *err)
{
    int rc = tsl_pack_build(&j->o->pack, pieces, n, number, tsl_docview_docs(w->view),
                            &w->sample, err);
    return rc < 0 ? rc : finish(j, w, it, err);
}

/* Unit i: a document, a sample or an instance; 1 where there are no more (electra). */
static int make_unit(struct job *j, struct worker *w, struct item *it, uint64_t i,
                     struct tsl_err *err)
{
    const struct tsl_docs *docs = tsl_docview_docs(w->view);
    struct tsl_doc d;
    int rc;
    switch (j->o->kind) {
    case TSL_MASKJOB_PACK: {
        size_t k = (size_t)(i - it->from), from = k ? it->ends[k - 1] : 0;
        return packed(j, w, it, i, it->pieces + from, it->ends[k] - from, err);
    }
    case TSL_MASKJOB_BESTFIT:
        return packed(j, w, it, i, w->pieces, tsl_bestfit_bin(j->bestfit, i, w->pieces),
                      err);
    case TSL_MASKJOB_COMPAT_ELECTRA:
        rc = tsl_compat_electra_next(j->electra, &w->sample, err);
        if (rc == 0) { /* only now it is known that there are no more */
            j->units = i;
            return 1;
        }
        return rc < 0 ? rc : emit(j, w, it, err);
    case TSL_MASKJOB_COMPAT_BERT:
    case TSL_MASKJOB_COMPAT_ALBERT:
        rc = tsl_compat_pair_at(j->compat, i, docs, &w->sample, err);
        return rc < 0 ? rc : emit(j, w, it, err);
    default: break;
    }
    rc = docs->get(docs->ctx, i, 0, &d, err);
    if (rc < 0)
        return rc;
    return j->o->kind == TSL_MASKJOB_PAIR ? pairs_of_doc(j, w, it, i, &d, err)
                                          : segments_of_doc(j, w, it, i, &d, err);
}

static int work(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    int rc = 0;
    if (j->ring)
        tsl_docview_turn(j->workers[worker].view, &it->source);
    for (uint64_t i = it->from; rc == 0 && i < it->to; i++)
        rc = make_unit(j, &j->workers[worker], it, i, err);
    return rc < 0 ? rc : 0;
}

/* ---- planning ---- */

/* The next document's sentences into the packer, or its end: 1, or 0 where the copy has no
 * more. */
static int put_doc(struct job *j, struct tsl_err *err)
{
    const uint32_t *sents = NULL;
    size_t nsents = 0;
    uint32_t ntokens;
    struct tsl_doc d;
    int rc;
    if (j->ended)
        return 0;
    if (j->ring) {
        rc = tsl_docring_pull(j->ring, &d, err);
        if (rc < 0)
            return rc;
        j->ended = rc == 0;
        sents = d.sents;
        nsents = d.nsents;
    } else if (j->next == tsl_docstore_counts(j->docs).ndocs) {
        j->ended = true;
    } else {
        rc = tsl_docview_lengths(j->main_view, j->next, &sents, &nsents, &ntokens, err);
        if (rc < 0)
            return rc;
    }
    if (j->ended) {
        tsl_pack_end(j->pack);
        return 1;
    }
    rc = tsl_pack_put(j->pack, j->next++, sents, nsents, err);
    return rc < 0 ? rc : 1;
}

/* No more pieces of a document come. */
static void count_giving(struct job *j, uint64_t next)
{
    if (j->giving.samples)
        tsl_dochist_put(&j->contribution, j->giving.samples, j->giving.tokens);
    j->giving.doc = next;
    j->giving.samples = j->giving.tokens = 0;
}

/* Copies the pieces of the next sample to the item: 1, or 0 where the copy has no more. */
static int plan_sample(struct job *j, struct item *it, struct tsl_err *err)
{
    const struct tsl_piece *pieces;
    size_t n;
    while (!tsl_pack_next(j->pack, &pieces, &n)) {
        int more = put_doc(j, err);
        if (more <= 0)
            return more;
    }
    int rc = tsl_mem_grow(&it->pieces, &it->pieces_cap, it->npieces + n,
                          sizeof *it->pieces, "a plan", err);
    if (rc == 0)
        rc = tsl_mem_grow(&it->ends, &it->ends_cap, (size_t)(it->to - it->from) + 1,
                          sizeof *it->ends, "a plan", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].doc != j->giving.doc)
            count_giving(j, pieces[i].doc);
        j->giving.samples++;
        j->giving.tokens += pieces[i].len;
    }
    memcpy(it->pieces + it->npieces, pieces, n * sizeof *pieces);
    it->npieces += n;
    it->ends[it->to - it->from] = it->npieces;
    it->to++;
    return 1;
}

static void end_pack(struct job *j)
{
    count_giving(j, UINT64_MAX);
    if (j->pack) {
        const struct tsl_pack_stats *s = tsl_pack_stats(j->pack);
        j->pack_stats.samples += s->samples;
        j->pack_stats.tokens += s->tokens;
        j->pack_stats.docs += s->docs;
        j->pack_stats.tokens_in += s->tokens_in;
        j->pack_stats.tokens_dropped += s->tokens_dropped;
        j->pack_stats.tokens_repeated += s->tokens_repeated;
        j->pack_stats.tokens_pad += s->tokens_pad;
    }
    tsl_pack_destroy(j->pack);
    j->pack = NULL;
}

/* Samples have the numbers in which they are planned, in each copy from 0. */
static int read_plans(struct job *j, struct item *it, struct tsl_err *err)
{
    while (j->copy < j->copies) {
        int rc = j->pack ? 1 : tsl_pack_create(&j->pack, &j->o->pack, err);
        it->from = it->to = j->planned;
        it->npieces = 0;
        it->copy = j->copy;
        while (rc >= 0 && it->to - it->from < ITEM_SAMPLES &&
               (rc = plan_sample(j, it, err)) == 1)
            ;
        if (rc < 0)
            return rc;
        j->planned = it->to;
        if (it->to > it->from)
            return 1;
        end_pack(j);
        j->copy++;
        j->next = j->planned = 0;
        j->ended = j->ring != NULL;
    }
    return 0;
}

/* Bytes of document number, which is in the ring or the store. */
static int doc_bytes(struct job *j, uint64_t number, size_t *bytes, struct tsl_err *err)
{
    const uint32_t *sents;
    size_t nsents;
    uint32_t ntokens;
    if (j->ring) {
        *bytes = tsl_docring_bytes(j->ring, number);
        return 0;
    }
    int rc = tsl_docview_lengths(j->main_view, number, &sents, &nsents, &ntokens, err);
    *bytes = 2 * (size_t)ntokens;
    return rc;
}

/* Is document number there?  1, or 0: they end before it.  Of a stream it is pulled in. */
static int have_doc(struct job *j, uint64_t number, struct tsl_err *err)
{
    struct tsl_doc d;
    int rc = 1;
    if (!j->ring)
        return number < j->units;
    while (tsl_docring_count(j->ring) <= number && !j->ended) {
        rc = tsl_docring_pull(j->ring, &d, err);
        if (rc < 0)
            return rc;
        j->ended = rc == 0;
    }
    return number < tsl_docring_count(j->ring);
}

/* A few documents, each of which gives samples of its own. */
static int read_docs(struct job *j, struct item *it, struct tsl_err *err)
{
    size_t sum = 0, bytes;
    int rc = j->ahead ? have_doc(j, j->ahead, err) : 0;
    it->from = j->next;
    it->copy = j->copy;
    while (rc >= 0 && j->next - it->from < ITEM_DOCS && sum < ITEM_BYTES &&
           (rc = have_doc(j, j->next, err)) == 1) {
        rc = doc_bytes(j, j->next++, &bytes, err);
        sum += bytes;
    }
    it->to = j->next;
    return rc < 0 ? rc : it->to > it->from;
}

/* What the items in work still look at stays in the ring. */
static void forget_docs(struct job *j, struct item *it)
{
    uint64_t done = it->used ? it->serial + 1 : 0;
    tsl_docring_forget(j->ring,
                       done < j->serial ? j->floors[done % j->nitems] : j->floor);
}

static void hand_out(struct job *j, struct item *it)
{
    bool packs = j->o->kind == TSL_MASKJOB_PACK;
    uint64_t low = packs ? it->pieces[0].doc : it->from;
    if (j->ahead)
        low = low > j->ahead ? low - j->ahead : 0;
    it->used = true;
    it->serial = j->serial++;
    j->floor = j->floors[it->serial % j->nitems] = low;
    it->source = tsl_docring_now(j->ring);
}

static int read_units(struct job *j, struct item *it, struct tsl_err *err)
{
    bool docs = j->o->kind == TSL_MASKJOB_PAIR || j->o->kind == TSL_MASKJOB_TWOSEG;
    if (j->o->kind == TSL_MASKJOB_PACK)
        return read_plans(j, it, err);
    if (docs && j->copy < j->copies) {
        int rc = read_docs(j, it, err);
        if (rc != 0 || j->ring || ++j->copy == j->copies)
            return rc;
        j->next = 0;
        return read_docs(j, it, err);
    }
    if (docs)
        return 0;
    if (j->next >= j->units) {
        j->copy++;
        j->next = 0;
    }
    if (j->copy >= j->copies || j->units == 0)
        return 0;
    it->copy = j->copy;
    it->from = j->next;
    it->to = j->units - j->next < j->per_item ? j->units : j->next + j->per_item;
    j->next = it->to;
    return 1;
}

static int read_item(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    tsl_recbatch_reset(&it->records);
    if (j->ring)
        forget_docs(j, it);
    int rc = read_units(j, it, err);
    if (rc == 1 && j->ring)
        hand_out(j, it);
    return rc;
}

/* ---- writing ---- */

static int write_line(struct job *j, const struct tsl_record *rec, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&j->line, &j->line_cap, tsl_recjson_bound(&j->schema, rec) + 1,
                          1, "a line", err);
    if (rc < 0)
        return rc;
    char *end = tsl_recjson_write(j->line, &j->schema, rec);
    *end++ = '\n';
    return tsl_sink_write(&j->sink, j->line, (size_t)(end - j->line), err);
}

static int write_item(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    struct tsl_recbatch_at at = { .at = 0 };
    struct tsl_record rec;
    int rc = 0;
    while (rc == 0 && tsl_recbatch_next(&it->records, &j->schema, &at, &rec))
        rc = j->native ? tsl_recnative_writer_put(j->native, rec.values, err)
                       : write_line(j, &rec, err);
    j->written += it->records.n;
    if (j->o->progress)
        atomic_store_explicit(&j->o->progress->rows_out, j->written,
                              memory_order_relaxed);
    return rc;
}

/* ---- setting up ---- */

static const struct tsl_tokstream_head *head_of(const struct job *j)
{
    return j->read ? tsl_docread_head(j->read) : tsl_docstore_head(j->docs);
}

/* The streams' specials, where the options do not say. */
static int find_specials(struct job *j, struct tsl_err *err)
{
    const struct tsl_tokstream_head *h = head_of(j);
    struct tsl_special_ids *s = &j->special;
    *s = j->o->special;
    if (s->vocab_size == 0)
        s->vocab_size = h->vocab_size;
#define TAKE(name)                                                                       \
    if (s->name < 0)                                                                     \
        s->name = h->specials.name;
    TAKE(pad)
    TAKE(unk)
    TAKE(cls)
    TAKE(sep)
    TAKE(mask)
    TAKE(bos)
    TAKE(eos)
#undef TAKE
    bool pairs = j->o->kind != TSL_MASKJOB_PACK && j->o->kind != TSL_MASKJOB_BESTFIT;
    if (pairs && (s->cls < 0 || s->sep < 0))
        return tsl_err_set(err, TSL_EUSAGE,
                           "no [CLS] or [SEP]: neither the token stream nor --vocab says "
                           "which ids they have");
    if (s->vocab_size == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "the vocabulary's size is not known: --vocab tells it");
    return j->opts.specials_known ? j->opts.specials_known(&j->opts, s, err) : 0;
}

static int set_up_bestfit(struct job *j, struct tsl_err *err)
{
    const struct tsl_pack_opts *p = &j->o->pack;
    uint64_t ndocs = tsl_docstore_counts(j->docs).ndocs;
    uint32_t ends = (p->first >= 0) + (p->last >= 0);
    if (p->tokens_max <= ends)
        return tsl_err_set(err, TSL_EUSAGE,
                           "no room for a token in %" PRIu32 " of a sample",
                           p->tokens_max);
    uint32_t *lengths = tsl_mem_alloc((size_t)ndocs + 1, sizeof *lengths, "lengths", err);
    int rc = lengths ? 0 : TSL_ENOMEM;
    for (uint64_t i = 0; rc == 0 && i < ndocs; i++) {
        const uint32_t *sents;
        size_t nsents;
        rc = tsl_docview_lengths(j->main_view, i, &sents, &nsents, &lengths[i], err);
        uint64_t n = lengths[i] + (uint64_t)(p->doc_end >= 0),
                 room = p->tokens_max - ends;
        tsl_dochist_put(&j->contribution, (n + room - 1) / room, n);
    }
    if (rc == 0)
        rc = tsl_bestfit_create(&j->bestfit, lengths, ndocs, p->doc_end >= 0,
                                p->tokens_max - ends, err);
    tsl_mem_free(lengths);
    if (rc == 0)
        j->units = tsl_bestfit_count(j->bestfit);
    return rc;
}

/* Everything that is keyed: samples of their own, and what is done to them. */
static int set_up_keyed(struct job *j, struct tsl_err *err)
{
    const struct tsl_maskjob_opts *o = j->o;
    int rc;
    tsl_denoise_key(&j->opts.denoise, &j->special, o->seed);
    j->opts.pair.special = j->opts.twoseg.special = j->special;
    j->opts.pair.seed = j->opts.twoseg.seed = o->seed;
    j->masked = o->copies != 0;
    j->copies = j->masked ? o->copies : 1;
    if (j->docs)
        j->units = tsl_docstore_counts(j->docs).ndocs;
    if (o->kind == TSL_MASKJOB_PAIR) {
        j->tokens_max = o->pair.tokens_max;
        rc = tsl_pair_init(&j->pair, &o->pair, err);
    } else if (o->kind == TSL_MASKJOB_TWOSEG) {
        j->tokens_max = o->twoseg.tokens_max;
        rc = tsl_twoseg_init(&j->twoseg, &o->twoseg, err);
    } else {
        j->tokens_max = o->pack.tokens_max + o->pack.overlap;
        j->per_item = ITEM_SAMPLES;
        rc = o->kind == TSL_MASKJOB_BESTFIT ? set_up_bestfit(j, err) : 0;
    }
    if (rc == 0 && j->masked)
        rc = tsl_denoise_create(&j->denoise, &o->denoise, err);
    else if (rc == 0) { /* what a reader would stumble over is told now */
        rc = tsl_denoise_create(&j->denoise, &o->denoise, err);
        tsl_denoise_destroy(j->denoise);
        j->denoise = NULL;
    }
    return rc;
}

static int set_up_compat(struct job *j, struct tsl_err *err)
{
    const struct tsl_maskjob_opts *o = j->o;
    const struct tsl_docs *docs = tsl_docview_docs(j->main_view);
    int rc;
    j->copies = 1;
    j->per_item = ITEM_INSTANCES;
    j->masked = true;
    if (o->kind == TSL_MASKJOB_COMPAT_ELECTRA) {
        struct tsl_compat_electra_opts e = o->electra;
        e.special = j->special;
        j->tokens_max = e.tokens_max;
        j->units = UINT64_MAX;
        j->nthreads = 1; /* each instance begins where the one before ended */
        j->masked = false;
        return tsl_compat_electra_create(&j->electra, &e, docs, err);
    }
    if (o->kind == TSL_MASKJOB_COMPAT_ALBERT) {
        struct tsl_compat_albert_opts a = o->albert;
        a.pair.special = j->special;
        j->tokens_max = a.pair.tokens_max;
        rc = tsl_compat_albert_create(&j->compat, &a, docs, err);
    } else {
        struct tsl_compat_pair_opts b = o->bert;
        b.special = j->special;
        b.no_starts = true; /* the script writes none */
        j->tokens_max = b.tokens_max;
        rc = tsl_compat_bert_create(&j->compat, &b, docs, err);
    }
    if (rc == 0)
        j->units = tsl_compat_pair_count(j->compat);
    return rc;
}

static struct tsl_sample_shape shape_of(const struct job *j)
{
    const struct tsl_maskjob_opts *o = j->o;
    bool pairs = o->kind == TSL_MASKJOB_PAIR || o->kind == TSL_MASKJOB_COMPAT_BERT ||
                 o->kind == TSL_MASKJOB_COMPAT_ALBERT;
    bool packs = o->kind == TSL_MASKJOB_PACK || o->kind == TSL_MASKJOB_BESTFIT;
    struct tsl_sample_shape s = {
        .layout = o->jsonl ? TSL_LAYOUT_PLAIN : TSL_LAYOUT_NATIVE,
        .labels = pairs,
        .masked = j->compat != NULL,
        .starts = o->kind == TSL_MASKJOB_COMPAT_ALBERT ||
                  (!o->jsonl && !j->compat && !j->electra),
        .ends = packs,
        .positions = packs && o->pack.positions,
        .wide = j->special.vocab_size > 1 << 16,
        .tokens_max = j->tokens_max,
    };
    if (j->denoise)
        tsl_samplemap_shape(&s, o->denoise.kind);
    return s;
}

static int make_workers(struct job *j, struct tsl_err *err)
{
    struct tsl_sample_shape shape = shape_of(j);
    int rc = 0;
    j->workers = tsl_mem_alloc(j->nthreads, sizeof *j->workers, "threads' data", err);
    if (!j->workers)
        return TSL_ENOMEM;
    for (unsigned i = 0; rc == 0 && i < j->nthreads; i++) {
        struct worker *w = &j->workers[i];
        rc = tsl_docview_create(&w->view, &j->source, err);
        if (rc == 0)
            rc = tsl_sample_init(&w->sample, j->tokens_max + TSL_SAMPLE_SLACK, err);
        if (rc == 0)
            rc = tsl_samplerec_init(&w->rec, &shape, j->tokens_max + TSL_SAMPLE_SLACK,
                                    err);
        if (rc == 0 && j->bestfit)
            rc = (w->pieces =
                      tsl_mem_alloc(j->tokens_max + 1, sizeof *w->pieces, "a plan", err))
                     ? 0
                     : TSL_ENOMEM;
    }
    if (rc == 0)
        j->schema = j->workers[0].rec.schema;
    return rc;
}

/* Documents into samples: all that changes them, beside seed and epoch. */
static void put_pair(struct tsl_json *w, const struct tsl_pair_opts *p)
{
    static const char *const lone[] = { "split", "random", "drop" };
    tsl_json_u64(w, "window", p->window);
    tsl_json_str(w, "lone", lone[p->lone]);
    tsl_json_exact(w, "short_rate", p->short_rate);
    tsl_json_bool(w, "cut_words", p->cut_words);
}

static void put_pack(struct tsl_json *w, const struct tsl_pack_opts *p, bool bestfit)
{
    static const char *const modes[] = { "stream", "sentences", "docs" };
    tsl_json_str(w, "pack", bestfit ? "bestfit" : modes[p->mode]);
    tsl_json_u64(w, "tokens_max", p->tokens_max);
    tsl_json_u64(w, "overlap", p->overlap);
    if (p->first >= 0)
        tsl_json_u64(w, "first", (uint64_t)p->first);
    if (p->last >= 0)
        tsl_json_u64(w, "last", (uint64_t)p->last);
    if (p->doc_end >= 0)
        tsl_json_u64(w, "doc_end", (uint64_t)p->doc_end);
    tsl_json_bool(w, "cut_long", p->cut_long);
    tsl_json_bool(w, "drop_last", p->drop_last);
    tsl_json_bool(w, "positions", p->positions);
}

static void put_script(struct tsl_json *w, const struct tsl_compat_pair_opts *p)
{
    tsl_json_u64(w, "dupe_factor", p->dupes);
    tsl_json_u64(w, "max_predictions", p->masks_max);
    tsl_json_exact(w, "mask_prob", p->mask_rate);
    tsl_json_exact(w, "short_rate", p->short_rate);
    tsl_json_bool(w, "whole_word", p->whole_words);
    tsl_json_bool(w, "python2", p->python2);
}

static void put_albert(struct tsl_json *w, const struct tsl_compat_albert_opts *a)
{
    put_script(w, &a->pair);
    tsl_json_u64(w, "np_seed", a->np_seed);
    tsl_json_u64(w, "ngram", a->ngram);
    tsl_json_bool(w, "favor_longer_ngram", a->favor_longer);
    tsl_json_bool(w, "permute", a->permute);
    tsl_json_bool(w, "random_next", a->random_next);
}

/* On the heap. */
static int making(const struct tsl_maskjob_opts *o, char **text, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    switch (o->kind) {
    case TSL_MASKJOB_PAIR: put_pair(&w, &o->pair); break;
    case TSL_MASKJOB_TWOSEG:
        tsl_json_exact(&w, "single_rate", o->twoseg.single_rate);
        tsl_json_exact(&w, "short_rate", o->twoseg.short_rate);
        tsl_json_bool(&w, "cut_words", o->twoseg.cut_words);
        break;
    case TSL_MASKJOB_PACK: put_pack(&w, &o->pack, false); break;
    case TSL_MASKJOB_BESTFIT: put_pack(&w, &o->pack, true); break;
    case TSL_MASKJOB_COMPAT_BERT:
        tsl_json_str(&w, "compat", "bert");
        put_script(&w, &o->bert);
        break;
    case TSL_MASKJOB_COMPAT_ALBERT:
        tsl_json_str(&w, "compat", "albert");
        put_albert(&w, &o->albert);
        break;
    case TSL_MASKJOB_COMPAT_ELECTRA:
        tsl_json_str(&w, "compat", "electra");
        tsl_json_bool(&w, "join_docs", o->electra.join);
        break;
    }
    tsl_json_close(&w, '}');
    int rc = tsl_json_end(&w, err);
    if (rc < 0) {
        tsl_json_fini(&w);
        return rc;
    }
    w.text[w.len - 1] = 0; /* the newline */
    *text = w.text;
    return 0;
}

/* The recipe for the header of native records, and a shorter one for statistics. */
static int write_recipe(const struct job *j, char **header, struct tsl_err *err)
{
    const struct tsl_maskjob_opts *o = j->o;
    char *made = NULL;
    int rc = making(o, &made, err);
    if (rc < 0)
        return rc;
    struct tsl_maskmeta meta = { .objective = o->objective,
                                 .made_by = o->made_by,
                                 .seed = o->seed,
                                 .epoch = o->epoch,
                                 .copies = o->copies,
                                 .masked = j->masked,
                                 .tokens_max = j->tokens_max,
                                 .special = j->special,
                                 .denoise = o->denoise,
                                 .making = made,
                                 .vocab_id = head_of(j)->vocab_id };
    if (!o->jsonl)
        rc = tsl_maskmeta_write(&meta, header, err);
    meta.special.reserved = NULL;
    meta.denoise.mlm.synonyms = NULL;
    if (rc == 0 && o->recipe)
        rc = tsl_maskmeta_write(&meta, o->recipe, err);
    tsl_mem_free(made);
    return rc;
}

static int open_output(struct job *j, struct tsl_err *err)
{
    const struct tsl_maskjob_opts *o = j->o;
    enum tsl_codec codec =
        o->output && o->jsonl ? tsl_codec_by_name(o->output) : TSL_CODEC_NONE;
    struct tsl_sink_opts so = { .codec = codec, .nthreads = 1 };
    int rc = tsl_sink_open(&j->sink, o->output, false, &so, err);
    j->sink_open = rc == 0;
    struct tsl_rechead head = { .schema = j->schema };
    if (rc == 0)
        rc = write_recipe(j, &head.meta, err);
    if (rc == 0 && !o->jsonl) {
        struct tsl_recnative_opts no = { .zstd_level = o->zstd_level };
        rc = tsl_recnative_writer_create(&j->native, &j->sink, &head, &no, err);
    }
    tsl_rechead_fini(&head);
    return rc;
}

static int run_pipeline(struct job *j, struct tsl_err *err)
{
    unsigned n = j->electra ? 1 : 2 * j->nthreads + 2;
    j->nitems = n;
    j->floors = tsl_mem_alloc(n, sizeof *j->floors, "batches", err);
    if (!j->floors)
        return TSL_ENOMEM;
    struct item *items = tsl_mem_alloc(n, sizeof *items, "batches", err);
    void **list = items ? tsl_mem_alloc(n, sizeof *list, "batches", err) : NULL;
    int rc = list ? 0 : TSL_ENOMEM;
    for (unsigned i = 0; rc == 0 && i < n; i++)
        list[i] = &items[i];
    struct tsl_pipeline p = { .read = read_item,
                              .work = work,
                              .write = write_item,
                              .ctx = j,
                              .items = list,
                              .nitems = n,
                              .nthreads = j->nthreads };
    if (rc == 0)
        rc = tsl_pipeline_run(&p, err);
    for (unsigned i = 0; items && i < n; i++) {
        tsl_recbatch_fini(&items[i].records);
        tsl_mem_free(items[i].pieces);
        tsl_mem_free(items[i].ends);
    }
    end_pack(j);
    tsl_mem_free(list);
    tsl_mem_free(items);
    return rc;
}

static void add_pair_stats(struct tsl_pair_stats *sum, const struct tsl_pair_stats *s)
{
    sum->samples += s->samples;
    sum->label1 += s->label1;
    sum->one_document += s->one_document;
    sum->lone_split += s->lone_split;
    sum->lone_random += s->lone_random;
    sum->lone_dropped += s->lone_dropped;
    sum->tokens += s->tokens;
    sum->tokens_cut += s->tokens_cut;
    sum->words_cut += s->words_cut;
}

static void sum_up(const struct job *j, struct tsl_maskjob_stats *st)
{
    st->docs = j->read ? tsl_docread_counts(j->read) : tsl_docstore_counts(j->docs);
    st->nthreads = j->nthreads;
    st->bytes_out = j->sink.bytes;
    st->pack = j->pack_stats;
    st->bins_waste = j->bestfit ? tsl_bestfit_waste(j->bestfit) : 0;
    st->contribution = j->contribution;
    if (j->compat)
        st->contribution = *tsl_compat_pair_contribution(j->compat);
    for (unsigned i = 0; i < j->nthreads; i++) {
        const struct worker *w = &j->workers[i];
        tsl_dochist_add(&st->contribution, &w->contribution);
        add_pair_stats(&st->pair, &w->pair);
        tsl_denoise_stats_add(&st->denoise, &w->denoise);
        st->samples += w->samples;
        st->tokens += w->tokens;
        st->masked += w->masked;
        st->label1 += w->label1;
        for (size_t k = 0; k < 17; k++)
            st->lengths[k] += w->lengths[k];
    }
}

static void end_job(struct job *j)
{
    for (unsigned i = 0; j->workers && i < j->nthreads; i++) {
        tsl_docview_destroy(j->workers[i].view);
        tsl_sample_fini(&j->workers[i].sample);
        tsl_samplerec_fini(&j->workers[i].rec);
        tsl_mem_free(j->workers[i].pieces);
    }
    tsl_mem_free(j->workers);
    tsl_recnative_writer_destroy(j->native);
    if (j->sink_open)
        tsl_sink_close(&j->sink);
    tsl_compat_pair_destroy(j->compat);
    tsl_compat_electra_destroy(j->electra);
    tsl_bestfit_destroy(j->bestfit);
    tsl_denoise_destroy(j->denoise);
    tsl_docview_destroy(j->main_view);
    tsl_docring_destroy(j->ring);
    tsl_docread_destroy(j->read);
    tsl_docstore_destroy(j->docs);
    tsl_mem_free(j->floors);
    tsl_mem_free(j->line);
}

/* Has a sample tokens of a document that is drawn for it? */
static bool draws(const struct tsl_maskjob_opts *o)
{
    return o->kind == TSL_MASKJOB_PAIR &&
           (o->pair.kind == TSL_PAIR_NEXT || o->pair.lone == TSL_PAIR_LONE_RANDOM);
}

bool tsl_maskjob_needs_all(const struct tsl_maskjob_opts *o)
{
    return o->kind >= TSL_MASKJOB_BESTFIT || o->copies > 1 ||
           (draws(o) && !o->pair.window);
}

static int open_docs(struct job *j, struct tsl_err *err)
{
    const struct tsl_maskjob_opts *o = j->o;
    struct tsl_docstore_opts so = { .in = o->docs,
                                    .memory = o->memory / 4 * 3,
                                    .temp_dir = o->temp_dir };
    int rc;
    so.in.memory = so.memory;
    so.in.progress = o->progress;
    if (tsl_maskjob_needs_all(o)) {
        rc = tsl_docstore_open(&j->docs, &so, err);
        if (rc == 0)
            j->source = *tsl_docstore_source(j->docs);
    } else {
        rc = tsl_docread_open(&j->read, &so.in, err);
        if (rc == 0)
            rc = tsl_docring_create(&j->ring, j->read, so.memory, o->temp_dir, err);
        if (rc == 0)
            j->source = tsl_docring_now(j->ring);
        if (rc == 0 && draws(o))
            j->ahead = o->pair.window;
    }
    return rc;
}

int tsl_maskjob_run(const struct tsl_maskjob_opts *o, struct tsl_maskjob_stats *st,
                    struct tsl_err *err)
{
    struct job j = { .opts = *o, .nthreads = o->nthreads ? o->nthreads : 1 };
    double start = tsl_seconds();
    *st = (struct tsl_maskjob_stats){ .nthreads = j.nthreads };
    j.o = &j.opts;
    if (o->recipe)
        *o->recipe = NULL;
    int rc = open_docs(&j, err);
    if (rc == 0)
        rc = find_specials(&j, err);
    if (rc == 0)
        rc = tsl_docview_create(&j.main_view, &j.source, err);
    if (rc == 0)
        rc = o->kind < TSL_MASKJOB_COMPAT_BERT ? set_up_keyed(&j, err)
                                               : set_up_compat(&j, err);
    if (rc == 0)
        rc = make_workers(&j, err);
    if (rc == 0)
        rc = open_output(&j, err);
    if (rc == 0)
        rc = run_pipeline(&j, err);
    if (rc == 0 && j.docs)
        rc = tsl_docstore_unchanged(j.docs, err);
    if (rc == 0 && j.native)
        rc = tsl_recnative_writer_finish(j.native, err);
    if (rc == 0)
        rc = tsl_sink_done(&j.sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&j.sink, err);
    if (rc == 0)
        sum_up(&j, st);
    if (rc < 0 && o->recipe) {
        tsl_mem_free(*o->recipe);
        *o->recipe = NULL;
    }
    st->seconds = tsl_seconds() - start;
    end_job(&j);
    return rc;
}

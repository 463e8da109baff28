#include "samples/maskjob.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "par/pipeline.h"
#include "par/thread.h"
#include "record/rec_native.h"
#include "record/recjson.h"
#include "samples/maskmeta.h"
#include "samples/recbatch.h"

enum {
    /* Units in an item: enough that a hand-over does not show, few enough that the threads
     * end together. */
    ITEM_DOCS = 64,
    ITEM_INSTANCES = 4096,
    /* A key's low bits count a document's samples. */
    KEY_BITS = 24
};

/* What one thread works with. */
struct worker {
    struct tsl_docview *view;
    struct tsl_sample sample;
    struct tsl_samplerec rec;
    struct tsl_pair_stats pair;
    struct tsl_mlm_stats mlm;
    uint64_t samples, tokens, masked, label1, lengths[17];
};

/* Units [from, to) of one copy, and the records made of them. */
struct item {
    uint64_t from, to, copy;
    struct tsl_recbatch records;
};

struct job {
    const struct tsl_maskjob_opts *o;
    struct tsl_special_ids special;
    struct tsl_docstore *docs;
    struct tsl_pair pair;
    struct tsl_mlm *mlm;
    struct tsl_compat_pair *compat;
    struct tsl_compat_electra *electra;
    struct tsl_docview *main_view; /* what compat's documents are read through */
    struct worker *workers;
    unsigned nthreads;
    uint32_t tokens_max;
    bool masked; /* samples are masked when they go out */
    uint64_t units, per_item, copies, next, copy; /* what the reader hands out */
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
    w->lengths[(uint64_t)s->n * 16 / j->tokens_max]++;
}

static int emit(const struct job *j, struct worker *w, struct item *it,
                struct tsl_err *err)
{
    struct tsl_record rec;
    int rc = tsl_samplerec_fill(&w->rec, &w->sample, &rec, err);
    count_sample(j, w);
    return rc < 0 ? rc : tsl_recbatch_put(&it->records, &w->rec.schema, &rec, err);
}

static int pairs_of_doc(struct job *j, struct worker *w, struct item *it, uint64_t number,
                        struct tsl_err *err)
{
    const struct tsl_docs *docs = tsl_docview_docs(w->view);
    struct tsl_pair_walk walk;
    struct tsl_pair_plan plan;
    struct tsl_doc d;
    uint64_t epoch = j->o->epoch + it->copy;
    int rc = docs->get(docs->ctx, number, 0, &d, err);
    if (rc < 0)
        return rc;
    tsl_pair_begin(&walk, &j->pair, epoch, number, docs->ndocs, &d);
    for (uint64_t k = 0; tsl_pair_next(&walk, &plan, &w->pair); k++) {
        rc = tsl_pair_build(&j->pair, &plan, number << KEY_BITS | k, docs, &w->sample,
                            &w->pair, err);
        if (rc < 0)
            return rc;
        if (j->mlm && j->masked)
            tsl_mlm_apply(j->mlm, epoch, &w->sample, &w->mlm);
        rc = emit(j, w, it, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int work(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct worker *w = &j->workers[worker];
    struct item *it = item;
    int rc = 0;
    for (uint64_t i = it->from; rc == 0 && i < it->to; i++) {
        if (j->compat) {
            rc = tsl_compat_pair_at(j->compat, i, tsl_docview_docs(w->view), &w->sample,
                                    err);
            if (rc == 0)
                rc = emit(j, w, it, err);
        } else if (j->electra) {
            rc = tsl_compat_electra_next(j->electra, &w->sample, err);
            if (rc == 0) { /* the last one is known only now */
                j->units = i;
                break;
            }
            rc = rc < 0 ? rc : emit(j, w, it, err);
        } else {
            rc = pairs_of_doc(j, w, it, i, err);
        }
    }
    return rc;
}

static int read_item(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    (void)err;
    if (j->next >= j->units) {
        j->copy++;
        j->next = 0;
    }
    if (j->copy >= j->copies || j->units == 0)
        return 0;
    tsl_recbatch_reset(&it->records);
    it->copy = j->copy;
    it->from = j->next;
    it->to = j->units - j->next < j->per_item ? j->units : j->next + j->per_item;
    j->next = it->to;
    return 1;
}

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

/* The streams' specials, where the options do not say. */
static int find_specials(struct job *j, struct tsl_err *err)
{
    const struct tsl_tokstream_head *h = tsl_docstore_head(j->docs);
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
    if (s->cls < 0 || s->sep < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "no [CLS] or [SEP]: neither the token stream nor --vocab says "
                           "which ids they have");
    if (s->vocab_size == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "the vocabulary's size is not known: --vocab tells it");
    return 0;
}

static int set_up_pairs(struct job *j, struct tsl_err *err)
{
    struct tsl_pair_opts pair = j->o->pair;
    struct tsl_mlm_opts mlm = j->o->mlm;
    pair.special = mlm.special = j->special;
    pair.seed = mlm.seed = j->o->seed;
    j->tokens_max = pair.tokens_max;
    j->masked = j->o->copies != 0;
    j->copies = j->masked ? j->o->copies : 1;
    j->units = tsl_docstore_counts(j->docs).ndocs;
    j->per_item = ITEM_DOCS;
    int rc = tsl_pair_init(&j->pair, &pair, err);
    return rc < 0 ? rc : tsl_mlm_create(&j->mlm, &mlm, err);
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
    bool albert = o->kind == TSL_MASKJOB_COMPAT_ALBERT;
    struct tsl_sample_shape s = {
        .layout = o->jsonl ? TSL_LAYOUT_PLAIN : TSL_LAYOUT_NATIVE,
        .labels = o->kind != TSL_MASKJOB_COMPAT_ELECTRA,
        .masked = j->masked,
        .starts = albert || (!o->jsonl && !j->masked),
        .wide = j->special.vocab_size > 1 << 16,
        .tokens_max = j->tokens_max,
    };
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
        rc = tsl_docview_create(&w->view, j->docs, err);
        if (rc == 0)
            rc = tsl_sample_init(&w->sample, j->tokens_max, err);
        if (rc == 0)
            rc = tsl_samplerec_init(&w->rec, &shape, j->tokens_max, err);
    }
    if (rc == 0)
        j->schema = j->workers[0].rec.schema;
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
    if (rc < 0 || o->jsonl)
        return rc;
    struct tsl_rechead head = { .schema = j->schema };
    struct tsl_maskmeta meta = { .objective = o->objective,
                                 .made_by = o->made_by,
                                 .seed = o->seed,
                                 .epoch = o->epoch,
                                 .copies = o->copies,
                                 .masked = j->masked,
                                 .tokens_max = j->tokens_max,
                                 .special = j->special,
                                 .mlm = o->mlm,
                                 .vocab_id = tsl_docstore_head(j->docs)->vocab_id };
    rc = tsl_maskmeta_write(&meta, &head.meta, err);
    if (rc == 0) {
        struct tsl_recnative_opts no = { .zstd_level = o->zstd_level };
        rc = tsl_recnative_writer_create(&j->native, &j->sink, &head, &no, err);
    }
    tsl_rechead_fini(&head);
    return rc;
}

static int run_pipeline(struct job *j, struct tsl_err *err)
{
    unsigned n = j->electra ? 1 : 2 * j->nthreads + 2;
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
    for (unsigned i = 0; items && i < n; i++)
        tsl_recbatch_fini(&items[i].records);
    tsl_mem_free(list);
    tsl_mem_free(items);
    return rc;
}

static void add_pair_stats(struct tsl_pair_stats *sum, const struct tsl_pair_stats *s)
{
    sum->samples += s->samples;
    sum->label1 += s->label1;
    sum->one_document += s->one_document;
    sum->without_partner += s->without_partner;
    sum->lone_split += s->lone_split;
    sum->lone_random += s->lone_random;
    sum->lone_dropped += s->lone_dropped;
    sum->tokens += s->tokens;
    sum->tokens_cut += s->tokens_cut;
    sum->words_cut += s->words_cut;
}

static void sum_up(const struct job *j, struct tsl_maskjob_stats *st)
{
    st->docs = tsl_docstore_counts(j->docs);
    st->nthreads = j->nthreads;
    st->bytes_out = j->sink.bytes;
    for (unsigned i = 0; i < j->nthreads; i++) {
        const struct worker *w = &j->workers[i];
        add_pair_stats(&st->pair, &w->pair);
        tsl_mlm_stats_add(&st->mlm, &w->mlm);
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
    }
    tsl_mem_free(j->workers);
    tsl_recnative_writer_destroy(j->native);
    if (j->sink_open)
        tsl_sink_close(&j->sink);
    tsl_compat_pair_destroy(j->compat);
    tsl_compat_electra_destroy(j->electra);
    tsl_mlm_destroy(j->mlm);
    tsl_docview_destroy(j->main_view);
    tsl_docstore_destroy(j->docs);
    tsl_mem_free(j->line);
}

int tsl_maskjob_run(const struct tsl_maskjob_opts *o, struct tsl_maskjob_stats *st,
                    struct tsl_err *err)
{
    struct job j = { .o = o, .nthreads = o->nthreads ? o->nthreads : 1 };
    struct tsl_docstore_opts docs = o->docs;
    double start = tsl_seconds();
    *st = (struct tsl_maskjob_stats){ .nthreads = j.nthreads };
    docs.memory = o->memory / 4 * 3;
    docs.progress = o->progress;
    int rc = tsl_docstore_open(&j.docs, &docs, err);
    if (rc == 0)
        rc = find_specials(&j, err);
    if (rc == 0)
        rc = tsl_docview_create(&j.main_view, j.docs, err);
    if (rc == 0)
        rc = o->kind == TSL_MASKJOB_PAIR ? set_up_pairs(&j, err) : set_up_compat(&j, err);
    if (rc == 0)
        rc = make_workers(&j, err);
    if (rc == 0)
        rc = open_output(&j, err);
    if (rc == 0)
        rc = run_pipeline(&j, err);
    if (rc == 0 && j.native)
        rc = tsl_recnative_writer_finish(j.native, err);
    if (rc == 0)
        rc = tsl_sink_done(&j.sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&j.sink, err);
    if (rc == 0)
        sum_up(&j, st);
    st->seconds = tsl_seconds() - start;
    end_job(&j);
    return rc;
}

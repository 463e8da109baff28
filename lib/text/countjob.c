#include "text/countjob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "par/pipeline.h"
#include "par/thread.h"
#include "text/countfile.h"
#include "text/jsonl.h"

enum {
    ROWS = 1024, /* split at a time */
    BATCH_MIN = 64 << 10,
    BATCH_MAX = 1 << 20,
    LONG_MIN = 128 << 10,
    CUTTER_BYTES = 2 << 20,  /* tables and buffers of a cutter, whatever the text */
    INPUT_BYTES = 2 << 20,   /* of the reader */
    PROGRAM_BYTES = 16 << 20 /* beside opts.memory */
};

struct worker {
    void *cutter;
    /* Held while the adder of this worker is in use: rows longer than a batch borrow one. */
    struct tsl_mutex lock;
};

struct item {
    struct tsl_rowbatch b;
    size_t file;
    uint64_t rows, bytes;
    int rc; /* of row n.rows: told by write, which knows its number */
    struct tsl_err err;
};

/* A row longer than a batch, on its way through in stretches. */
struct longrow {
    void *cutter;
    uint8_t *buf;
    size_t len, cap, wait; /* wait: no sense in trying again with fewer bytes */
    bool first, whole;     /* whole: it is needed all at once */
};

struct job {
    const struct tsl_countjob_opts *o;
    struct tsl_countjob_plan plan;
    struct tsl_inputs *in;
    struct tsl_wordcount *wc;
    struct tsl_jsonl_path path;
    char *path_storage;
    bool line_ends;
    struct worker *workers;
    struct longrow longrow;
    size_t file; /* that write is in, and its rows so far */
    uint64_t file_rows;
    uint64_t rows, bytes;
};

struct adding {
    struct tsl_wordcount *wc;
    unsigned adder;
};

static int add_word(void *ctx, struct tsl_slice word, struct tsl_err *err)
{
    const struct adding *a = ctx;
    return tsl_wordcount_add_slack(a->wc, a->adder, word, 1, err);
}

/* ---- rows ------------------------------------------------------------------------------ */

/* The row's text; a JSON line's field is decoded where it lies. */
static int find_text(const struct job *j, uint8_t *bytes, const struct tsl_row *row,
                     struct tsl_slice *text, struct tsl_err *err)
{
    struct tsl_jsonl_value v;
    *text = (struct tsl_slice){ bytes + row->at, row->len + (size_t)j->line_ends };
    if (!j->o->field)
        return 0;
    int rc = tsl_jsonl_find(*text, &j->path, 1, &v, err);
    if (rc < 0)
        return rc;
    if (v.kind == TSL_JSONL_NONE)
        return tsl_err_set(err, TSL_EFORMAT,
                           "there is no field %s; --json-field names another",
                           tsl_quote(j->o->field).s);
    if (v.kind != TSL_JSONL_STRING)
        return tsl_err_set(err, TSL_EFORMAT, "the field %s is no string",
                           tsl_quote(j->o->field).s);
    size_t at = (size_t)(v.raw.data - bytes), len = v.raw.len;
    if (v.escaped)
        len = tsl_jsonl_decode(v.raw, bytes + at);
    *text = (struct tsl_slice){ bytes + at, len };
    return 0;
}

static int do_rows(struct job *j, unsigned worker, struct item *it, size_t n,
                   struct tsl_err *err)
{
    struct adding to = { j->wc, worker };
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct tsl_slice text;
        size_t used;
        it->rc = find_text(j, it->b.bytes, &it->b.rows[i], &text, &it->err);
        if (it->rc < 0)
            return 0;
        rc = j->o->cut->ops->cut(j->workers[worker].cutter, text, true, true, &used,
                                 add_word, &to, err);
        it->rows++;
        it->bytes += text.len;
    }
    return rc;
}

static int work(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    struct tsl_rowbatch *b = &it->b;
    int rc = 0;
    if (b->kind == TSL_BATCH_PIECE)
        return 0; /* one cutter has to see all of them: write's */
    tsl_mutex_lock(&j->workers[worker].lock);
    for (size_t at = 0, n; at < b->len && it->rc == 0 && rc == 0;) {
        at =
            tsl_frame_split(&j->o->frame, b->bytes, b->len, at, b->rows, b->rows_cap, &n);
        if (n == 0)
            break;
        rc = do_rows(j, worker, it, n, err);
    }
    tsl_mutex_unlock(&j->workers[worker].lock);
    return rc;
}

static int read_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    it->rows = it->bytes = 0;
    it->rc = it->err.code = 0;
    int rc = tsl_inputs_next(j->in, &it->b, err);
    it->file = tsl_inputs_file(j->in);
    return rc;
}

static int row_error(const struct job *j, uint64_t row, int rc, const struct tsl_err *why,
                     struct tsl_err *err)
{
    const struct tsl_countjob_opts *o = j->o;
    const char *path = j->file < o->npaths ? o->paths[j->file] : "-";
    struct tsl_quoted name = tsl_quote(path);
    return tsl_err_set(
        err, rc, "%s: %s %" PRIu64 "%s %s", strcmp(path, "-") ? name.s : "standard input",
        o->frame.kind == TSL_FRAME_LINE ? "line" : "row", j->file_rows + row + 1,
        strncmp(why->msg, "column ", 7) == 0 ? "," : ":", why->msg);
}

/* ---- rows longer than a batch ---------------------------------------------------------- */

static int too_long(const struct job *j, struct tsl_err *err)
{
    const struct longrow *l = &j->longrow;
    struct tsl_err why = { 0 };
    tsl_err_set(&why, TSL_EUSAGE,
                "%s is longer than %zu KiB, for which there is memory: -m allows more",
                l->whole ? "this row" : "a word", j->plan.whole_max >> 10);
    return row_error(j, 0, TSL_EUSAGE, &why, err);
}

/* Cuts what can be of text; *used: bytes that are done. */
static int long_cut(struct job *j, struct tsl_slice text, bool last, size_t *used,
                    struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    struct adding to = { j->wc, 0 };
    tsl_mutex_lock(&j->workers[0].lock);
    int rc =
        j->o->cut->ops->cut(l->cutter, text, l->first, last, used, add_word, &to, err);
    tsl_mutex_unlock(&j->workers[0].lock);
    if (*used)
        l->first = false;
    return rc;
}

static int long_begin(struct job *j, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    l->len = l->wait = 0;
    l->first = true;
    l->whole = j->o->field != NULL;
    if (!l->cutter)
        l->cutter = j->o->cut->ops->create(j->o->cut->model, err);
    return l->cutter ? 0 : TSL_ENOMEM;
}

static int long_whole(struct job *j, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    struct tsl_row row = { 0, (uint32_t)(l->len - j->line_ends) };
    struct tsl_slice text;
    struct tsl_err why = { 0 };
    size_t used;
    int rc = find_text(j, l->buf, &row, &text, &why);
    if (rc < 0)
        return row_error(j, 0, rc, &why, err);
    rc = long_cut(j, text, true, &used, err);
    j->bytes += text.len;
    return rc;
}

static int long_piece(struct job *j, const struct tsl_rowbatch *b, struct tsl_err *err)
{
    struct longrow *l = &j->longrow;
    size_t n = b->rows[0].len, used = 0;
    int rc = b->first ? long_begin(j, err) : 0;
    if (rc < 0)
        return rc;
    if (l->len + n >= j->plan.whole_max)
        return too_long(j, err);
    rc = tsl_mem_grow(&l->buf, &l->cap, l->len + n + 1 + TSL_BATCH_SLACK, 1, "a long row",
                      err);
    if (rc < 0)
        return rc;
    memcpy(l->buf + l->len, b->bytes + b->rows[0].at, n);
    l->len += n;
    if (b->last && j->line_ends)
        l->buf[l->len++] = '\n';
    if (l->whole) {
        rc = b->last ? long_whole(j, err) : 0;
        j->rows += b->last;
        j->file_rows += b->last;
        return rc;
    }
    j->rows += b->last;
    j->bytes += n + (b->last && j->line_ends);
    if (l->len < l->wait && !b->last)
        return 0;
    rc = long_cut(j, (struct tsl_slice){ l->buf, l->len }, b->last, &used, err);
    if (rc < 0)
        return rc;
    l->len -= used;
    memmove(l->buf, l->buf + used, l->len);
    /* tried again only when there is twice as much, so that a row which cannot be cut is
     * not looked at over and over */
    l->wait = used ? 0 : 2 * l->len;
    j->file_rows += b->last;
    return 0;
}

/* ---- in order -------------------------------------------------------------------------- */

static int write_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    struct tsl_progress *p = j->o->progress;
    int rc = 0;
    if (it->file != j->file) {
        j->file = it->file;
        j->file_rows = 0;
    }
    if (it->b.kind == TSL_BATCH_PIECE)
        rc = long_piece(j, &it->b, err);
    else if (it->rc < 0)
        rc = row_error(j, it->rows, it->rc, &it->err, err);
    j->rows += it->rows;
    j->file_rows += it->rows;
    j->bytes += it->bytes;
    if (p) {
        atomic_store_explicit(&p->rows_in, j->rows, memory_order_relaxed);
        atomic_fetch_add_explicit(&p->bytes_in, it->b.len, memory_order_relaxed);
    }
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------- */

int tsl_countjob_plan(const struct tsl_countjob_opts *o, struct tsl_countjob_plan *p,
                      struct tsl_err *err)
{
    size_t held = o->held < PROGRAM_BYTES ? 0 : o->held - PROGRAM_BYTES;
    size_t factor = o->cut ? o->cut->factor : 1;
    /* of a batch's bytes, what a worker's cutter takes for a row as long */
    for (unsigned n = o->nthreads;; n--) {
        size_t items = 2 * (size_t)n + 2, per_batch = items + n * factor;
        size_t count = (size_t)n * TSL_WORDCOUNT_ADDER_BYTES;
        if (count < TSL_WORDCOUNT_MIN_BYTES)
            count = TSL_WORDCOUNT_MIN_BYTES;
        size_t fixed = held + INPUT_BYTES + (n + (size_t)1) * CUTTER_BYTES;
        size_t least = fixed + count + per_batch * BATCH_MIN + LONG_MIN * (1 + factor);
        if (o->memory < least && n > 1)
            continue;
        if (o->memory < least)
            return tsl_err_set(
                err, TSL_EUSAGE,
                "%zu MiB of memory are too little: tables and buffers take "
                "at least %zu (-m %zuM)",
                o->memory >> 20, (least >> 20) + 1, (least >> 20) + 1);
        size_t rest = o->memory - least, batch = BATCH_MIN + rest / 4 / per_batch;
        size_t whole = LONG_MIN + rest / 8 / (1 + factor);
        p->memory = o->memory;
        p->nthreads = n;
        p->nbatches = (unsigned)items;
        p->batch_bytes = batch > BATCH_MAX ? BATCH_MAX : batch & ~(size_t)4095;
        p->whole_max = whole < UINT32_MAX / 4 ? whole : UINT32_MAX / 4;
        p->count_bytes =
            o->memory - fixed - per_batch * p->batch_bytes - (1 + factor) * p->whole_max;
        return 0;
    }
}

static int set_up(struct job *j, struct tsl_err *err)
{
    const struct tsl_countjob_opts *o = j->o;
    unsigned n = j->plan.nthreads;
    int rc = 0;
    if (o->field) {
        j->path_storage = tsl_mem_alloc(strlen(o->field) + 1, 1, "a field", err);
        rc = j->path_storage
                 ? tsl_jsonl_path_init(&j->path, o->field, j->path_storage, err)
                 : TSL_ENOMEM;
    }
    j->line_ends =
        o->cut && o->cut->line_ends && !o->field && o->frame.kind == TSL_FRAME_LINE;
    if (rc == 0)
        rc = tsl_wordcount_create(
            &j->wc,
            &(struct tsl_wordcount_opts){ .memory = j->plan.count_bytes,
                                          .nadders = n,
                                          .dirs = o->dirs,
                                          .ndirs = o->ndirs,
                                          .progress = o->progress },
            err);
    if (rc < 0 || !o->npaths)
        return rc;
    j->workers = tsl_mem_alloc(n, sizeof *j->workers, "threads", err);
    if (!j->workers)
        return TSL_ENOMEM;
    for (unsigned i = 0; i < n; i++)
        tsl_mutex_init(&j->workers[i].lock);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        j->workers[i].cutter = o->cut->ops->create(o->cut->model, err);
        rc = j->workers[i].cutter ? 0 : TSL_ENOMEM;
    }
    struct tsl_inputs_opts io = { .paths = o->paths,
                                  .npaths = o->npaths,
                                  .frame = o->frame,
                                  .batch_bytes = j->plan.batch_bytes,
                                  .window_max =
                                      o->memory / 8 > 8 << 20 ? o->memory / 8 : 8 << 20,
                                  .by_file = true,
                                  .progress = o->progress };
    return rc < 0 ? rc : tsl_inputs_create(&j->in, &io, err);
}

static int make_items(struct job *j, void **items, struct tsl_err *err)
{
    for (unsigned i = 0; i < j->plan.nbatches; i++) {
        struct item *it = items[i] = tsl_mem_alloc(1, sizeof *it, "a batch", err);
        if (!it)
            return TSL_ENOMEM;
        int rc = tsl_rowbatch_init(&it->b, j->plan.batch_bytes, ROWS, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void free_items(struct job *j, void **items)
{
    for (unsigned i = 0; items && i < j->plan.nbatches && items[i]; i++) {
        struct item *it = items[i];
        tsl_rowbatch_fini(&it->b);
        tsl_mem_free(it);
    }
    tsl_mem_free(items);
}

static void tear_down(struct job *j)
{
    for (unsigned i = 0; j->workers && i < j->plan.nthreads; i++) {
        j->o->cut->ops->destroy(j->workers[i].cutter);
        tsl_mutex_fini(&j->workers[i].lock);
    }
    tsl_mem_free(j->workers);
    if (j->longrow.cutter)
        j->o->cut->ops->destroy(j->longrow.cutter);
    tsl_mem_free(j->longrow.buf);
    tsl_inputs_destroy(j->in);
    tsl_mem_free(j->path_storage);
}

static int read_text(struct job *j, struct tsl_err *err)
{
    void **items = tsl_mem_alloc(j->plan.nbatches, sizeof *items, "batches", err);
    int rc = items ? make_items(j, items, err) : TSL_ENOMEM;
    if (rc == 0) {
        struct tsl_pipeline run = { .read = read_batch,
                                    .work = work,
                                    .write = write_batch,
                                    .ctx = j,
                                    .items = items,
                                    .nitems = j->plan.nbatches,
                                    .nthreads = j->plan.nthreads };
        rc = tsl_pipeline_run(&run, err);
    }
    free_items(j, items);
    return rc;
}

static void tell(const struct job *j, double start, struct tsl_countjob_stats *st)
{
    const struct tsl_wordcut_ops *ops = j->o->cut ? j->o->cut->ops : NULL;
    *st = (struct tsl_countjob_stats){ .plan = j->plan,
                                       .rows = j->rows,
                                       .bytes = j->bytes,
                                       .words = tsl_wordcount_stats(j->wc).added,
                                       .seconds = tsl_seconds() - start };
    for (unsigned i = 0; j->workers && i < j->plan.nthreads; i++)
        ops->counts(j->workers[i].cutter, &st->cut);
    if (j->longrow.cutter)
        ops->counts(j->longrow.cutter, &st->cut);
}

int tsl_countjob_run(const struct tsl_countjob_opts *o, struct tsl_wordcount **wc,
                     struct tsl_countjob_stats *st, struct tsl_err *err)
{
    struct job j = { .o = o };
    struct tsl_progress *p = o->progress;
    double start = tsl_seconds();
    int rc = tsl_countjob_plan(o, &j.plan, err);
    if (rc < 0)
        return rc;
    if (p) {
        atomic_store(&p->one_pass, 1);
        atomic_store(&p->phase, TSL_PHASE_READ);
    }
    rc = set_up(&j, err);
    for (size_t i = 0; i < o->ncounts && rc == 0; i++)
        rc = tsl_countfile_add(o->counts[i], o->cut ? o->cut->describe : NULL, j.wc, 0,
                               NULL, NULL, err);
    if (rc == 0 && o->npaths)
        rc = read_text(&j, err);
    if (rc == 0) {
        if (p)
            atomic_store(&p->phase, TSL_PHASE_FINISH);
        rc = tsl_wordcount_finish(j.wc, err);
    }
    if (rc == 0) {
        tell(&j, start, st);
        *wc = j.wc;
        j.wc = NULL;
    }
    tear_down(&j);
    tsl_wordcount_destroy(j.wc);
    return rc;
}

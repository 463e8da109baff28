#include "text/decodejob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "par/pipeline.h"
#include "par/thread.h"
#include "record/tokstream.h"
#include "text/jsonl.h"
#include "text/outbuf.h"
#include "text/vocabid.h"

enum {
    CHUNK_ROWS = 1024,
    BATCH_BYTES = 256 << 10,
    BATCH_IDS = 64 << 10, /* of a stream, or raw */
    CODER_BYTES = 4 << 20
};

struct item {
    struct tsl_rowbatch b;
    uint8_t *big; /* a row longer than a batch */
    size_t big_len, big_cap;
    bool is_big;
    uint32_t *ids; /* rows that came as numbers; a row ends before ids[ends[i]] */
    size_t *ends;
    size_t nids, nids_cap, nrows, ends_cap;
    size_t file;
    struct tsl_outbuf out;
    uint64_t rows, tokens, bytes;
    int rc; /* of row number rows: told by write, which knows its number */
    struct tsl_err err;
};

struct worker {
    struct tsl_coder *coder;
    uint32_t *ids;
    size_t cap;
    uint8_t *text;
    size_t text_cap;
};

struct job {
    const struct tsl_decodejob_opts *o;
    const struct tsl_tokenizer *t;
    size_t row_max; /* bytes, or four for each id */
    unsigned nthreads;
    struct tsl_jsonl_path path;
    char *path_storage;
    struct tsl_inputs *in;
    /* streams and raw ids: the file that is open */
    size_t next_path;
    struct tsl_tokstream_reader *stream;
    struct tsl_source src;
    bool open;
    char vocab_id[TSL_VOCABID_BYTES];
    struct worker *workers;
    struct tsl_sink sink;
    size_t file; /* that write is in, and its rows so far */
    uint64_t file_rows;
    uint64_t rows, tokens, bytes;
};

static bool as_text(const struct job *j)
{
    return j->o->format == TSL_DECODE_IDS || j->o->format == TSL_DECODE_JSONL;
}

static const char *name_of(const struct job *j, size_t file, struct tsl_quoted *q)
{
    const char *path = file < j->o->npaths ? j->o->paths[file] : "-";
    if (strcmp(path, "-") == 0)
        return "standard input";
    *q = tsl_quote(path);
    return q->s;
}

static int too_long(const struct job *j, size_t file, const char *hint,
                    struct tsl_err *err)
{
    struct tsl_quoted q;
    return tsl_err_set(err, TSL_EUSAGE,
                       "%s: a row takes more than %zu MiB, an eighth of the memory: %s",
                       name_of(j, file, &q), j->row_max >> 20, hint);
}

/* ---- reading ---- */

static int read_rows(struct job *j, struct item *it, struct tsl_err *err)
{
    it->big_len = 0;
    it->is_big = false;
    for (;;) {
        int rc = tsl_inputs_next(j->in, &it->b, err);
        it->file = tsl_inputs_file(j->in);
        if (rc <= 0 || it->b.kind == TSL_BATCH_ROWS)
            return rc;
        size_t n = it->b.rows[0].len;
        if (it->big_len + n > j->row_max)
            return too_long(j, it->file, "-m allows more", err);
        rc = tsl_mem_grow(&it->big, &it->big_cap, it->big_len + n + 1, 1, "a long row",
                          err);
        if (rc < 0)
            return rc;
        memcpy(it->big + it->big_len, it->b.bytes + it->b.rows[0].at, n);
        it->big_len += n;
        it->is_big = true;
        if (it->b.last)
            return 1;
    }
}

static int room(struct item *it, size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&it->ids, &it->nids_cap, it->nids + n + 1, sizeof *it->ids,
                          "ids", err);
    if (rc == 0)
        rc = tsl_mem_grow(&it->ends, &it->ends_cap, it->nrows + 2, sizeof *it->ends,
                          "rows", err);
    return rc;
}

static int open_stream(struct job *j, struct tsl_err *err)
{
    int rc = tsl_tokstream_reader_open(&j->stream, j->o->paths[j->next_path], err);
    if (rc < 0)
        return rc;
    const struct tsl_tokstream_head *h = tsl_tokstream_reader_head(j->stream);
    struct tsl_quoted q;
    if (strcmp(h->vocab_id, j->vocab_id) != 0)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: was made with another vocabulary (%s of %" PRIu32
                           " ids, vocab_id %.8s...; this one's is %.8s...)",
                           name_of(j, j->next_path, &q), h->tokenizer, h->vocab_size,
                           h->vocab_id, j->vocab_id);
    j->next_path++;
    return 0;
}

static int read_stream(struct job *j, struct item *it, struct tsl_err *err)
{
    while (it->nids < BATCH_IDS && it->nrows < CHUNK_ROWS) {
        struct tsl_tokstream_doc d;
        if (!j->stream) {
            if (j->next_path == j->o->npaths || (it->nrows && it->file != j->next_path))
                break;
            it->file = j->next_path;
            int rc = open_stream(j, err);
            if (rc < 0)
                return rc;
        }
        it->file = j->next_path - 1;
        int rc = tsl_tokstream_reader_next(j->stream, j->row_max / 4, &d, err);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            tsl_tokstream_reader_destroy(j->stream);
            j->stream = NULL;
            if (it->nrows)
                break;
            continue;
        }
        rc = room(it, d.ntokens, err);
        if (rc < 0)
            return rc;
        if (d.ntokens)
            memcpy(it->ids + it->nids, d.ids, d.ntokens * sizeof *d.ids);
        it->nids += d.ntokens;
        it->ends[it->nrows++] = it->nids;
    }
    return it->nrows > 0;
}

/* Up to n ids behind those of the item; the number read. */
static int64_t read_ids(struct job *j, struct item *it, size_t n, struct tsl_err *err)
{
    uint8_t buf[16384];
    size_t width = j->o->format == TSL_DECODE_U16 ? 2 : 4, done = 0;
    struct tsl_quoted q;
    int rc = room(it, n, err);
    if (rc < 0)
        return rc;
    while (done < n) {
        size_t k = (n - done) * width < sizeof buf ? (n - done) * width : sizeof buf;
        int64_t got = tsl_source_read(&j->src, buf, k, err);
        if (got < 0)
            return got;
        if ((size_t)got % width)
            return tsl_err_set(err, TSL_EFORMAT, "%s: ends inside an id of %zu bytes",
                               name_of(j, it->file, &q), width);
        for (const uint8_t *p = buf; p < buf + got; p += width)
            it->ids[it->nids++] =
                width == 2 ? (uint32_t)(p[0] | p[1] << 8) : tsl_load32(p);
        done += (size_t)got / width;
        if ((size_t)got < k)
            break;
    }
    return (int64_t)done;
}

static int read_raw(struct job *j, struct item *it, struct tsl_err *err)
{
    while (it->nids < BATCH_IDS && it->nrows < CHUNK_ROWS) {
        if (!j->open) {
            if (j->next_path == j->o->npaths || it->nrows)
                break;
            int rc = tsl_source_open(&j->src, j->o->paths[j->next_path++], 8 << 20, err);
            if (rc < 0)
                return rc;
            j->open = true;
        }
        it->file = j->next_path - 1;
        size_t want = j->o->row_ids ? (size_t)j->o->row_ids : j->row_max / 4 + 1;
        size_t from = it->nids;
        int64_t n = 0;
        /* in steps: memory is taken for ids that are there */
        for (int64_t k = 1; (size_t)n < want && k > 0; n += k) {
            size_t step = want - (size_t)n < BATCH_IDS ? want - (size_t)n : BATCH_IDS;
            k = read_ids(j, it, step, err);
            if (k < 0)
                return (int)k;
            if (it->nids - from > j->row_max / 4)
                return too_long(j, it->file, "--row-ids cuts it", err);
        }
        if ((size_t)n < want) {
            int rc = tsl_source_close(&j->src, err);
            if (rc < 0)
                return rc;
            j->open = false;
        }
        if (n > 0 || !j->o->row_ids)
            it->ends[it->nrows++] = it->nids;
    }
    return it->nrows > 0;
}

static int read_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    it->out.len = 0;
    it->rows = it->tokens = it->bytes = 0;
    it->rc = 0;
    it->err.code = 0;
    it->nids = it->nrows = 0;
    if (as_text(j))
        return read_rows(j, it, err);
    return j->o->format == TSL_DECODE_STREAM ? read_stream(j, it, err)
                                             : read_raw(j, it, err);
}

/* ---- decoding ---- */

static int keep_id(struct worker *w, size_t n, uint64_t id, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&w->ids, &w->cap, n + 1, sizeof *w->ids, "ids", err);
    if (rc == 0)
        w->ids[n] = (uint32_t)id;
    return rc;
}

static int parse_ids(struct worker *w, const uint8_t *p, size_t len, size_t *n,
                     struct tsl_err *err)
{
    const uint8_t *begin = p, *end = p + len;
    for (*n = 0;;) {
        while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
            p++;
        if (p == end)
            return 0;
        const uint8_t *from = p;
        uint64_t id = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++)
            if (id <= UINT32_MAX)
                id = 10 * id + (*p - '0');
        if (id > UINT32_MAX || p == from ||
            (p < end && *p != ' ' && *p != '\t' && *p != '\r')) {
            char word[64];
            size_t k = 0;
            while (from + k < end && k < 40 && from[k] > ' ')
                k++;
            snprintf(word, sizeof word, "%.*s", (int)k, (const char *)from);
            return tsl_err_set(err, TSL_EFORMAT, "column %zu: %s is no id",
                               (size_t)(from - begin) + 1, tsl_quote(word).s);
        }
        int rc = keep_id(w, (*n)++, id, err);
        if (rc < 0)
            return rc;
    }
}

/* Arrays of numbers, and arrays of such: the ids of sentences. */
static int parse_json(const struct job *j, struct worker *w, const uint8_t *p, size_t len,
                      size_t *n, struct tsl_err *err)
{
    struct tsl_jsonl_value v;
    struct tsl_err why = { 0 };
    int rc = tsl_jsonl_find((struct tsl_slice){ p, len }, &j->path, 1, &v, err);
    *n = 0;
    if (rc < 0)
        return rc;
    if (v.kind == TSL_JSONL_NONE)
        return tsl_err_set(err, TSL_EFORMAT,
                           "there is no field %s; --json-field names another",
                           tsl_quote(j->path.spec).s);
    if (v.kind != TSL_JSONL_ARRAY)
        return tsl_err_set(err, TSL_EFORMAT, "the field %s is no array of ids",
                           tsl_quote(j->path.spec).s);
    const uint8_t *at = v.raw.data + 1, *end = v.raw.data + v.raw.len;
    bool nested = false;
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    nested = *at == '[';
    if (!nested)
        at = v.raw.data;
    while (at < end && rc == 0) {
        const uint8_t *close = memchr(at, ']', (size_t)(end - at));
        if (!close)
            break;
        struct tsl_slice list = { at, (size_t)(close - at) + 1 };
        size_t i = 0;
        uint64_t id;
        while ((rc = tsl_jsonl_item(list, &i, UINT32_MAX, &id, &why)) == 1) {
            rc = keep_id(w, (*n)++, id, err);
            if (rc < 0)
                return rc;
        }
        if (rc < 0 || !nested)
            break;
        for (at = close + 1; at < end && strchr(", \t\r\n", *at);)
            at++;
        if (at < end && *at != '[')
            break;
    }
    if (rc < 0 || (nested && at < end && *at != ']'))
        return tsl_err_set(err, TSL_EFORMAT,
                           "the field %s is no array of ids, nor one of such arrays",
                           tsl_quote(j->path.spec).s);
    return 0;
}

static int decode_row(const struct job *j, struct worker *w, struct item *it,
                      const uint32_t *ids, size_t n, struct tsl_err *err)
{
    const struct tsl_frame *f = &j->o->frame;
    struct tsl_outbuf *b = &it->out;
    size_t before = b->len, head = tsl_frame_head(f), len = 0;
    if (j->o->json) {
        int rc = tsl_coder_decode(w->coder, ids, n, j->o->skip_special, &w->text, &len,
                                  &w->text_cap, err);
        if (rc == 0)
            rc = tsl_outbuf_put(b, "{\"text\":", 8, err);
        if (rc == 0)
            rc = tsl_outbuf_quoted(b, w->text, len, err);
        if (rc == 0)
            rc = tsl_outbuf_put(b, "}\n", 2, err);
        it->bytes += len;
        return rc;
    }
    int rc = tsl_outbuf_reserve(b, head + 8, err);
    if (rc < 0)
        return rc;
    b->len += head;
    rc = tsl_coder_decode(w->coder, ids, n, j->o->skip_special, &b->p, &b->len, &b->cap,
                          err);
    if (rc < 0) {
        b->len = before;
        return rc;
    }
    len = b->len - before - head;
    if (f->kind == TSL_FRAME_U32 && len > UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "a text of more than 4 GiB");
    rc = tsl_outbuf_reserve(b, 4, err);
    if (rc < 0)
        return rc;
    tsl_frame_put_head(f, b->p + before, len);
    tsl_frame_put_tail(f, b->p + b->len);
    b->len += tsl_frame_tail(f);
    it->bytes += len;
    return 0;
}

static int text_row(const struct job *j, struct worker *w, struct item *it,
                    const uint8_t *p, size_t len)
{
    size_t n;
    int rc = j->o->format == TSL_DECODE_IDS ? parse_ids(w, p, len, &n, &it->err)
                                            : parse_json(j, w, p, len, &n, &it->err);
    if (rc == 0)
        rc = decode_row(j, w, it, w->ids, n, &it->err);
    if (rc == 0) {
        it->rows++;
        it->tokens += n;
    }
    return rc;
}

static int work(void *ctx, unsigned worker, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    struct worker *w = &j->workers[worker];
    static const struct tsl_frame lines = { TSL_FRAME_LINE, 0 };
    struct tsl_rowbatch *b = &it->b;
    int rc = 0;
    if (!as_text(j)) {
        for (size_t i = 0, from = 0; i < it->nrows && rc == 0; from = it->ends[i++]) {
            size_t n = it->ends[i] - from;
            rc = decode_row(j, w, it, it->ids + from, n, &it->err);
            it->rows += rc == 0;
            it->tokens += rc == 0 ? n : 0;
        }
    } else if (it->is_big) {
        rc = text_row(j, w, it, it->big, it->big_len);
    } else {
        for (size_t at = 0; at < b->len && rc == 0;) {
            size_t n;
            at = tsl_frame_split(&lines, b->bytes, b->len, at, b->rows, b->rows_cap, &n);
            if (n == 0)
                break;
            for (size_t i = 0; i < n && rc == 0; i++)
                rc = text_row(j, w, it, b->bytes + b->rows[i].at, b->rows[i].len);
        }
    }
    it->rc = rc;
    return rc == TSL_ENOMEM ? tsl_err_pass(err, &it->err) : 0;
}

static int write_batch(void *ctx, void *item, struct tsl_err *err)
{
    struct job *j = ctx;
    struct item *it = item;
    struct tsl_progress *p = j->o->progress;
    struct tsl_quoted q;
    if (it->file != j->file) {
        j->file = it->file;
        j->file_rows = 0;
    }
    if (it->rc < 0)
        return tsl_err_set(
            err, it->rc, "%s: %s %" PRIu64 "%s %s", name_of(j, it->file, &q),
            as_text(j) ? "line" : "row", j->file_rows + it->rows + 1,
            strncmp(it->err.msg, "column ", 7) == 0 ? "," : ":", it->err.msg);
    j->file_rows += it->rows;
    j->rows += it->rows;
    j->tokens += it->tokens;
    j->bytes += it->bytes;
    if (p) {
        atomic_store_explicit(&p->rows_in, j->rows, memory_order_relaxed);
        atomic_store_explicit(&p->bytes_in, 4 * j->tokens, memory_order_relaxed);
        atomic_store_explicit(&p->rows_out, j->rows, memory_order_relaxed);
        atomic_store_explicit(&p->bytes_out, j->bytes, memory_order_relaxed);
    }
    int rc = tsl_sink_write(&j->sink, it->out.p, it->out.len, err);
    if (it->out.cap > 16 << 20)
        tsl_outbuf_fini(&it->out);
    return rc;
}

/* ---- the whole ---- */

static int set_up(struct job *j, struct tsl_pool **pool, struct tsl_err *err)
{
    const struct tsl_decodejob_opts *o = j->o;
    int rc = 0;
    if (o->format == TSL_DECODE_JSONL) {
        j->path_storage = tsl_mem_alloc(strlen(o->field) + 1, 1, "a field", err);
        rc = j->path_storage
                 ? tsl_jsonl_path_init(&j->path, o->field, j->path_storage, err)
                 : TSL_ENOMEM;
    }
    if (rc == 0 && o->format == TSL_DECODE_STREAM)
        rc = tsl_vocabid_of(j->t, j->vocab_id, err);
    j->workers =
        rc == 0 ? tsl_mem_alloc(j->nthreads, sizeof *j->workers, "threads", err) : NULL;
    if (rc == 0 && !j->workers)
        rc = TSL_ENOMEM;
    for (unsigned i = 0; i < j->nthreads && rc == 0; i++) {
        j->workers[i].coder = tsl_coder_create(j->t, CODER_BYTES, err);
        rc = j->workers[i].coder ? 0 : TSL_ENOMEM;
    }
    struct tsl_inputs_opts io = { .paths = o->paths,
                                  .npaths = o->npaths,
                                  .frame = { TSL_FRAME_LINE, 0 },
                                  .batch_bytes = BATCH_BYTES,
                                  .window_max = 8 << 20,
                                  .by_file = true,
                                  .progress = o->progress };
    if (rc == 0 && as_text(j))
        rc = tsl_inputs_create(&j->in, &io, err);
    if (rc == 0 && o->codec != TSL_CODEC_NONE && j->nthreads > 1)
        rc = tsl_pool_create(pool, j->nthreads, err);
    return rc;
}

static int make_items(struct job *j, void **items, unsigned n, struct tsl_err *err)
{
    for (unsigned i = 0; i < n; i++) {
        struct item *it = items[i] = tsl_mem_alloc(1, sizeof *it, "a batch", err);
        if (!it)
            return TSL_ENOMEM;
        if (!as_text(j))
            continue;
        int rc = tsl_rowbatch_init(&it->b, BATCH_BYTES, CHUNK_ROWS, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void tear_down(struct job *j, struct tsl_pool *pool, void **items, unsigned n)
{
    for (unsigned i = 0; items && i < n && items[i]; i++) {
        struct item *it = items[i];
        tsl_rowbatch_fini(&it->b);
        tsl_mem_free(it->big);
        tsl_mem_free(it->ids);
        tsl_mem_free(it->ends);
        tsl_outbuf_fini(&it->out);
        tsl_mem_free(it);
    }
    tsl_mem_free(items);
    for (unsigned i = 0; j->workers && i < j->nthreads; i++) {
        tsl_coder_destroy(j->workers[i].coder);
        tsl_mem_free(j->workers[i].ids);
        tsl_mem_free(j->workers[i].text);
    }
    tsl_mem_free(j->workers);
    tsl_inputs_destroy(j->in);
    tsl_tokstream_reader_destroy(j->stream);
    if (j->open)
        tsl_source_close(&j->src, NULL);
    tsl_pool_destroy(pool);
    tsl_mem_free(j->path_storage);
}

int tsl_decodejob_run(const struct tsl_decodejob_opts *o, const struct tsl_tokenizer *t,
                      struct tsl_decodejob_stats *st, struct tsl_err *err)
{
    struct job j = { .o = o, .t = t, .row_max = o->memory / 8, .nthreads = o->nthreads };
    struct tsl_pool *pool = NULL;
    void **items = NULL;
    double start = tsl_seconds();
    bool opened = false;
    /* a thread: its coder, and two batches with what is made of them */
    size_t each = CODER_BYTES + 2 * 12 * (size_t)BATCH_BYTES;
    while (j.nthreads > 1 && j.nthreads * each + o->held > o->memory + (16 << 20))
        j.nthreads--;
    if (j.row_max > UINT32_MAX / 2)
        j.row_max = UINT32_MAX / 2;
    unsigned n = 2 * j.nthreads + 2;
    int rc = set_up(&j, &pool, err);
    if (rc == 0) {
        items = tsl_mem_alloc(n, sizeof *items, "batches", err);
        rc = items ? make_items(&j, items, n, err) : TSL_ENOMEM;
    }
    struct tsl_sink_opts so = { o->codec, o->level, pool, pool ? j.nthreads : 1 };
    if (rc == 0) {
        rc = tsl_sink_open(&j.sink, o->output, false, &so, err);
        opened = rc == 0;
    }
    if (rc == 0) {
        struct tsl_pipeline run = { .read = read_batch,
                                    .work = work,
                                    .write = write_batch,
                                    .ctx = &j,
                                    .items = items,
                                    .nitems = n,
                                    .nthreads = j.nthreads };
        if (o->progress)
            atomic_store(&o->progress->phase, TSL_PHASE_READ);
        rc = tsl_pipeline_run(&run, err);
    }
    if (rc == 0)
        rc = tsl_sink_done(&j.sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&j.sink, err);
    if (rc == 0)
        *st = (struct tsl_decodejob_stats){ j.rows,     j.tokens,
                                            j.bytes,    j.sink.bytes,
                                            j.nthreads, tsl_seconds() - start };
    if (opened)
        tsl_sink_close(&j.sink);
    tear_down(&j, pool, items, n);
    return rc;
}

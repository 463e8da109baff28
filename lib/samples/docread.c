#include "samples/docread.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "io/rowstream.h"

enum { TOKENS_MAX = 1 << 30, BATCH = 1 << 20 };

struct tsl_docread {
    struct tsl_docread_opts o;
    struct tsl_tokstream_head head;
    struct tsl_docread_counts n;
    size_t file; /* that is being read */
    bool file_open;
    struct tsl_tokstream_reader *stream;
    /* of jsonl: the line, where it comes in pieces, and the document that it is */
    struct tsl_rowstream rows;
    uint64_t line;
    uint8_t *text;
    size_t ntext, text_cap;
    uint32_t *ids, *sents;
    uint8_t *starts;
    size_t nids, ids_cap, nsents, sents_cap, starts_cap;
};

/* ---- token streams ---- */

static int same_vocabulary(const struct tsl_docread *s,
                           const struct tsl_tokstream_head *h, struct tsl_err *err)
{
    if (h->vocab_size == s->head.vocab_size && strcmp(h->vocab_id, s->head.vocab_id) == 0)
        return 0;
    return tsl_err_set(err, TSL_EUSAGE, "%s: its vocabulary is not that of %s",
                       tsl_quote(s->o.paths[s->file]).s, tsl_quote(s->o.paths[0]).s);
}

static int open_stream(struct tsl_docread *s, struct tsl_err *err)
{
    int rc = tsl_tokstream_reader_open(&s->stream, s->o.paths[s->file], err);
    if (rc < 0)
        return rc;
    const struct tsl_tokstream_head *h = tsl_tokstream_reader_head(s->stream);
    if (s->file > 0)
        return same_vocabulary(s, h, err);
    s->head = *h;
    return 0;
}

static int next_of_stream(struct tsl_docread *s, struct tsl_doc *d, struct tsl_err *err)
{
    struct tsl_tokstream_doc t;
    int rc = tsl_tokstream_reader_next(s->stream, TOKENS_MAX, &t, err);
    if (rc == 1)
        *d = (struct tsl_doc){ t.ids, t.starts, t.sents, t.nsents, t.ntokens };
    return rc;
}

/* ---- documents as JSON ---- */

struct scan {
    const uint8_t *p, *end;
};

static int peek(struct scan *c)
{
    while (c->p < c->end &&
           (*c->p == ' ' || *c->p == '\t' || *c->p == '\r' || *c->p == '\n'))
        c->p++;
    return c->p < c->end ? *c->p : -1;
}

static bool take(struct scan *c, char want)
{
    if (peek(c) != want)
        return false;
    c->p++;
    return true;
}

/* One id; -1: that is none. */
static int64_t scan_id(struct scan *c)
{
    int64_t v = 0;
    const uint8_t *from = c->p;
    for (; c->p < c->end && *c->p >= '0' && *c->p <= '9' && v <= UINT32_MAX; c->p++)
        v = 10 * v + (*c->p - '0');
    return c->p > from && v <= UINT32_MAX ? v : -1;
}

static int bad_line(const struct tsl_docread *s, const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 ": %s",
                       tsl_quote(s->o.paths[s->file]).s, s->line, what);
}

/* The ids up to "]", which is taken; TSL_EFORMAT, TSL_ENOMEM. */
static int scan_sentence(struct tsl_docread *s, struct scan *c, struct tsl_err *err)
{
    uint32_t n = 0;
    int rc;
    if (!take(c, ']'))
        do {
            peek(c);
            int64_t id = scan_id(c);
            if (id < 0 || (s->head.vocab_size && id >= s->head.vocab_size))
                return TSL_EFORMAT;
            rc = tsl_mem_grow(&s->ids, &s->ids_cap, s->nids + 1, 4, "a document", err);
            if (rc < 0)
                return rc;
            s->ids[s->nids++] = (uint32_t)id;
            n++;
        } while (take(c, ','));
    else
        return 0; /* a sentence of no token is none */
    if (!take(c, ']'))
        return TSL_EFORMAT;
    rc = tsl_mem_grow(&s->sents, &s->sents_cap, s->nsents + 1, 4, "a document", err);
    if (rc == 0)
        s->sents[s->nsents++] = n;
    return rc;
}

static int scan_document(struct tsl_docread *s, struct tsl_slice line,
                         struct tsl_err *err)
{
    struct scan c = { line.data, line.data + line.len };
    int rc = 0;
    s->nids = s->nsents = 0;
    if (!take(&c, '['))
        return TSL_EFORMAT;
    int next = peek(&c);
    if (next != '[' && next != ']') { /* one sentence, not in brackets of its own */
        rc = scan_sentence(s, &c, err);
    } else if (!take(&c, ']')) {
        do
            rc = take(&c, '[') ? scan_sentence(s, &c, err) : TSL_EFORMAT;
        while (rc == 0 && take(&c, ','));
        if (rc == 0 && !take(&c, ']'))
            rc = TSL_EFORMAT;
    }
    return rc == 0 && peek(&c) >= 0 ? TSL_EFORMAT : rc;
}

/* 1 and the document, or 0: an empty line. */
static int take_line(struct tsl_docread *s, struct tsl_slice line, struct tsl_doc *d,
                     struct tsl_err *err)
{
    struct scan c = { line.data, line.data + line.len };
    struct tsl_err why = { 0 };
    if (peek(&c) < 0)
        return 0;
    int rc = scan_document(s, line, &why);
    if (rc < 0)
        return why.code ? tsl_err_pass(err, &why)
                        : bad_line(s,
                                   "no document: [[id, ...], ...] or [id, ...], with ids "
                                   "below the vocabulary's size, was expected",
                                   err);
    rc = tsl_mem_grow(&s->starts, &s->starts_cap, s->nids + 1, 1, "a document", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < s->nids; i++) {
        uint32_t id = s->ids[i];
        s->starts[i] = !s->o.continues || !(s->o.continues[id / 8] >> id % 8 & 1);
    }
    *d = (struct tsl_doc){ s->ids, s->starts, s->sents, s->nsents, s->nids };
    return 1;
}

/* A line that comes in pieces. */
static int add_piece(struct tsl_docread *s, const struct tsl_rowpiece *piece,
                     struct tsl_err *err)
{
    if (s->ntext + piece->len > s->o.memory)
        return bad_line(s, "longer than the memory", err);
    int rc =
        tsl_mem_grow(&s->text, &s->text_cap, s->ntext + piece->len + 1, 1, "a line", err);
    if (rc == 0)
        memcpy(s->text + s->ntext, piece->data, piece->len);
    s->ntext += piece->len;
    return rc;
}

static int next_of_jsonl(struct tsl_docread *s, struct tsl_doc *d, struct tsl_err *err)
{
    struct tsl_rowpiece piece;
    int rc;
    while ((rc = tsl_rowstream_next(&s->rows, &piece, err)) == 1) {
        struct tsl_slice whole = { piece.data, piece.len };
        s->line += piece.first;
        s->ntext = piece.first ? 0 : s->ntext;
        if (!piece.first || !piece.last) {
            if ((rc = add_piece(s, &piece, err)) < 0)
                return rc;
            whole = (struct tsl_slice){ s->text, s->ntext };
        }
        if (piece.last && (rc = take_line(s, whole, d, err)) != 0)
            return rc;
    }
    return rc;
}

/* ---- files ---- */

static int open_file(struct tsl_docread *s, struct tsl_err *err)
{
    int rc;
    s->line = 0;
    if (s->o.jsonl) {
        struct tsl_inputs_opts io = { .paths = s->o.paths + s->file,
                                      .npaths = 1,
                                      .frame = { .kind = TSL_FRAME_LINE },
                                      .batch_bytes = BATCH,
                                      .window_max = 128 << 20 };
        rc = tsl_rowstream_init(&s->rows, &io, err);
    } else {
        rc = open_stream(s, err);
    }
    s->file_open = rc == 0;
    return rc;
}

static void close_file(struct tsl_docread *s)
{
    if (s->file_open && s->o.jsonl)
        tsl_rowstream_fini(&s->rows);
    tsl_tokstream_reader_destroy(s->stream);
    s->stream = NULL;
    s->file_open = false;
}

int tsl_docread_open(struct tsl_docread **out, const struct tsl_docread_opts *o,
                     struct tsl_err *err)
{
    struct tsl_docread *s = tsl_mem_alloc(1, sizeof *s, "documents", err);
    if (!s)
        return TSL_ENOMEM;
    s->o = *o;
    s->head.id_bytes = o->vocab_size && o->vocab_size <= 1 << 16 ? 2 : 4;
    s->head.vocab_size = o->vocab_size;
    s->head.sentences = true;
    s->head.specials = (struct tsl_special_tokens){ -1, -1, -1, -1, -1, -1, -1 };
    int rc = o->npaths ? open_file(s, err) : 0;
    if (rc < 0) {
        tsl_docread_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

void tsl_docread_destroy(struct tsl_docread *s)
{
    if (!s)
        return;
    close_file(s);
    tsl_mem_free(s->text);
    tsl_mem_free(s->ids);
    tsl_mem_free(s->sents);
    tsl_mem_free(s->starts);
    tsl_mem_free(s);
}

const struct tsl_tokstream_head *tsl_docread_head(const struct tsl_docread *s)
{
    return &s->head;
}

struct tsl_docread_counts tsl_docread_counts(const struct tsl_docread *s)
{
    return s->n;
}

int tsl_docread_next(struct tsl_docread *s, struct tsl_doc *d, struct tsl_err *err)
{
    while (s->file_open) {
        int rc = s->o.jsonl ? next_of_jsonl(s, d, err) : next_of_stream(s, d, err);
        if (rc < 0)
            return rc;
        if (rc == 0) {
            close_file(s);
            if (++s->file < s->o.npaths && (rc = open_file(s, err)) < 0)
                return rc;
            continue;
        }
        if (d->ntokens == 0) {
            s->n.empty++;
            continue;
        }
        s->n.ndocs++;
        s->n.nsents += d->nsents;
        s->n.ntokens += d->ntokens;
        s->n.lone += d->nsents == 1;
        if (s->o.progress)
            atomic_store_explicit(&s->o.progress->rows_in, s->n.ndocs,
                                  memory_order_relaxed);
        return 1;
    }
    return 0;
}

#include "record/tokstream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "record/rec_native.h"

enum { SENTS, IDS, STARTS, NCOLUMNS };
enum { STEP = 4096, WINDOW_MAX = 128 << 20 };

static const char *const special_names[] = { "pad",  "unk", "cls", "sep",
                                             "mask", "bos", "eos" };
enum { NSPECIALS = sizeof special_names / sizeof *special_names };

/* ---- writing ---- */

struct tsl_tokstream_writer {
    struct tsl_recnative_writer *w;
    bool narrow; /* ids of 16 bits */
    bool doc_open;
    uint64_t sent; /* tokens of the open sentence; 0: there is none */
    uint16_t ids[STEP];
};

static int write_meta(const struct tsl_tokstream_head *head, char **meta,
                      struct tsl_err *err)
{
    const struct tsl_special_tokens *s = &head->specials;
    const int64_t ids[] = { s->pad, s->unk, s->cls, s->sep, s->mask, s->bos, s->eos };
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    tsl_json_u64(&j, "vocab_size", head->vocab_size);
    tsl_json_str(&j, "vocab_id", head->vocab_id);
    tsl_json_str(&j, "tokenizer", head->tokenizer);
    tsl_json_str(&j, "options", head->options);
    tsl_json_bool(&j, "sentences", head->sentences);
    tsl_json_open(&j, "specials", '{');
    for (int i = 0; i < NSPECIALS; i++)
        if (ids[i] >= 0)
            tsl_json_u64(&j, special_names[i], (uint64_t)ids[i]);
    tsl_json_close(&j, '}');
    tsl_json_str(&j, "made_by", head->made_by);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    if (rc == 0) {
        *meta = tsl_mem_alloc(j.len + 1, 1, "a header", err);
        rc = *meta ? 0 : TSL_ENOMEM;
    }
    if (rc == 0)
        memcpy(*meta, j.text, j.len);
    tsl_json_fini(&j);
    return rc;
}

int tsl_tokstream_writer_create(struct tsl_tokstream_writer **out, struct tsl_sink *sink,
                                const struct tsl_tokstream_head *head, int zstd_level,
                                struct tsl_err *err)
{
    struct tsl_tokstream_writer *w = tsl_mem_alloc(1, sizeof *w, "a token stream", err);
    struct tsl_rechead h = { .first = 0 };
    struct tsl_recnative_opts o = { .zstd_level = zstd_level };
    int rc = w ? 0 : TSL_ENOMEM;
    if (rc == 0) {
        w->narrow = head->vocab_size <= 65536;
        rc = tsl_schema_add(&h.schema, "sents", TSL_U32, true, 0, NULL, err);
    }
    if (rc == 0)
        rc = tsl_schema_add(&h.schema, "ids", w->narrow ? TSL_U16 : TSL_U32, true, 0,
                            NULL, err);
    if (rc == 0)
        rc = tsl_schema_add(&h.schema, "starts", TSL_BIT, true, 0, NULL, err);
    if (rc == 0)
        rc = write_meta(head, &h.meta, err);
    if (rc == 0)
        rc = tsl_recnative_writer_create(&w->w, sink, &h, &o, err);
    tsl_rechead_fini(&h);
    if (rc == 0)
        *out = w;
    else
        tsl_tokstream_writer_destroy(w);
    return rc;
}

void tsl_tokstream_writer_destroy(struct tsl_tokstream_writer *w)
{
    if (!w)
        return;
    tsl_recnative_writer_destroy(w->w);
    tsl_mem_free(w);
}

struct tsl_tokstream_counts
tsl_tokstream_writer_counts(const struct tsl_tokstream_writer *w)
{
    struct tsl_recnative_counts n;
    tsl_recnative_writer_counts(w->w, &n);
    return (struct tsl_tokstream_counts){ n.nblocks, n.nrecords + w->doc_open,
                                          n.nvalues[SENTS] + !!w->sent, n.nvalues[IDS] };
}

/* Tokens that fit beside the number of the sentence that they are of: that its end needs no
 * room any more. */
static size_t room(const struct tsl_tokstream_writer *w)
{
    uint64_t bits = tsl_recnative_writer_room(w->w);
    return bits < 32 ? 0 : (size_t)((bits - 32) / (w->narrow ? 17 : 33));
}

static void add(struct tsl_tokstream_writer *w, const uint32_t *ids, const uint8_t *marks,
                size_t n)
{
    struct tsl_value v[NCOLUMNS] = { { NULL, NULL, 0 },
                                     { ids, NULL, (uint32_t)n },
                                     { marks, NULL, (uint32_t)n } };
    if (w->narrow) {
        for (size_t i = 0; i < n; i++)
            w->ids[i] = (uint16_t)ids[i];
        v[IDS].data = w->ids;
    }
    tsl_recnative_writer_add(w->w, v);
}

int tsl_tokstream_writer_put(struct tsl_tokstream_writer *w, const uint32_t *ids,
                             const uint8_t *marks, size_t n, struct tsl_err *err)
{
    int rc;
    if (n > UINT32_MAX - w->sent)
        return tsl_err_set(err, TSL_EUSAGE, "a sentence of more than 2^32 tokens");
    if (n && !w->doc_open) {
        rc = tsl_recnative_writer_begin(w->w, err);
        if (rc < 0)
            return rc;
        w->doc_open = true;
    }
    while (n > 0) {
        size_t k = room(w);
        if (k == 0) {
            rc = tsl_recnative_writer_spill(w->w, err);
            if (rc < 0)
                return rc;
            continue;
        }
        k = k < STEP ? k : STEP;
        k = k < n ? k : n;
        add(w, ids, marks, k);
        w->sent += k;
        ids += k;
        marks += k;
        n -= k;
    }
    return 0;
}

void tsl_tokstream_writer_end_sentence(struct tsl_tokstream_writer *w)
{
    uint32_t n = (uint32_t)w->sent;
    struct tsl_value v[NCOLUMNS] = { { &n, NULL, 1 } };
    if (n)
        tsl_recnative_writer_add(w->w, v);
    w->sent = 0;
}

int tsl_tokstream_writer_end_document(struct tsl_tokstream_writer *w, struct tsl_err *err)
{
    int rc = w->doc_open ? 0 : tsl_recnative_writer_begin(w->w, err);
    if (rc < 0)
        return rc;
    tsl_tokstream_writer_end_sentence(w);
    tsl_recnative_writer_end(w->w);
    w->doc_open = false;
    return 0;
}

int tsl_tokstream_writer_finish(struct tsl_tokstream_writer *w, struct tsl_err *err)
{
    assert(!w->doc_open);
    return tsl_recnative_writer_finish(w->w, err);
}

/* ---- reading ---- */

struct tsl_tokstream_reader {
    struct tsl_recnative_reader *r;
    char *name;
    struct tsl_tokstream_head head;
    int column[NCOLUMNS];
    uint64_t carry; /* tokens of the open sentence in the pieces before */
    uint32_t *ids,
        *sents; /* of the piece at hand, where they do not lie there as they are */
    size_t ids_cap, sents_cap;
    struct {
        uint32_t *ids, *sents;
        uint8_t *starts;
        size_t ntokens, nsents, ids_cap, sents_cap, starts_cap;
    } whole; /* a document of several pieces */
};

static int no_stream(const struct tsl_tokstream_reader *r, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: this is no token stream (see ctok encode --output=stream)",
                       r->name);
}

static int damaged(const struct tsl_tokstream_reader *r, const char *why,
                   struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: the header: %s", r->name, why);
}

static void copy_text(char *to, size_t cap, const struct tsl_jsonval *v)
{
    /* what does not fit is for people anyway; whole characters do not matter here */
    struct tsl_slice s = { NULL, 0 };
    size_t n = tsl_jsonread_str(v, &s) && s.len < cap ? s.len : 0;
    if (n == 0 && s.len >= cap)
        n = cap - 1;
    if (n)
        memcpy(to, s.data, n);
    to[n] = '\0';
}

static int parse_meta(struct tsl_tokstream_reader *r, const struct tsl_jsonval *meta,
                      struct tsl_err *err)
{
    struct tsl_tokstream_head *h = &r->head;
    struct tsl_special_tokens *s = &h->specials;
    int64_t *const ids[] = { &s->pad,  &s->unk, &s->cls, &s->sep,
                             &s->mask, &s->bos, &s->eos };
    const struct tsl_jsonval *specials = tsl_jsonread_get(meta, "specials");
    int64_t n;
    if (!tsl_jsonread_int(tsl_jsonread_get(meta, "vocab_size"), &n) || n < 1 ||
        n > UINT32_MAX)
        return damaged(r, "it has no vocab_size", err);
    h->vocab_size = (uint32_t)n;
    if (h->id_bytes == 2 && h->vocab_size > 65536)
        return damaged(r, "its ids have 16 bits, its vocabulary more", err);
    for (int i = 0; i < NSPECIALS; i++) {
        const struct tsl_jsonval *v = tsl_jsonread_get(specials, special_names[i]);
        *ids[i] = -1;
        if (v &&
            (!tsl_jsonread_int(v, ids[i]) || *ids[i] < 0 || *ids[i] >= h->vocab_size))
            return damaged(r, "a special token's id is no id", err);
    }
    (void)tsl_jsonread_bool(tsl_jsonread_get(meta, "sentences"), &h->sentences);
    copy_text(h->vocab_id, sizeof h->vocab_id, tsl_jsonread_get(meta, "vocab_id"));
    copy_text(h->tokenizer, sizeof h->tokenizer, tsl_jsonread_get(meta, "tokenizer"));
    copy_text(h->options, sizeof h->options, tsl_jsonread_get(meta, "options"));
    copy_text(h->made_by, sizeof h->made_by, tsl_jsonread_get(meta, "made_by"));
    return 0;
}

static int read_head(struct tsl_tokstream_reader *r, struct tsl_err *err)
{
    static const char *const names[] = { "sents", "ids", "starts" };
    const struct tsl_rechead *h = tsl_recnative_reader_head(r->r);
    struct tsl_jsonread *doc = NULL;
    for (int i = 0; i < NCOLUMNS; i++) {
        r->column[i] = tsl_schema_find(&h->schema, names[i]);
        if (r->column[i] < 0)
            return no_stream(r, err);
        const struct tsl_column *c = &h->schema.columns[r->column[i]];
        if (c->count != 0 || (i == SENTS && c->type != TSL_U32) ||
            (i == IDS && c->type != TSL_U16 && c->type != TSL_U32) ||
            (i == STARTS && c->type != TSL_BIT))
            return no_stream(r, err);
        if (i == IDS)
            r->head.id_bytes = (unsigned)tsl_dtype_bytes(c->type);
    }
    struct tsl_slice text = { (const uint8_t *)h->meta, strlen(h->meta) };
    int rc = tsl_jsonread_parse(&doc, text, r->name, err);
    if (rc == 0)
        rc = parse_meta(r, tsl_jsonread_root(doc), err);
    tsl_jsonread_destroy(doc);
    return rc;
}

/* src is moved in. */
static int reader_start(struct tsl_tokstream_reader **out, struct tsl_source *src,
                        struct tsl_err *err)
{
    /* pieces are put together here, by the number of tokens */
    const struct tsl_recreader_opts o = { .memory = 0 };
    uint8_t magic[8];
    struct tsl_tokstream_reader *r = tsl_mem_alloc(1, sizeof *r, "a token stream", err);
    int rc = TSL_ENOMEM;
    if (r && (r->name = tsl_mem_strdup(src->file.name, err))) {
        int64_t n = tsl_source_read(src, magic, sizeof magic, err);
        rc = n < 0 ? (int)n : tsl_source_unread(src, magic, (size_t)n, err);
        if (rc == 0 && (n < 8 || memcmp(magic, "TSLREC1\n", 8) != 0))
            rc = no_stream(r, err);
    }
    if (rc == 0)
        rc = tsl_recnative_reader_of_source(&r->r, src, &o, err);
    else
        tsl_source_close(src, NULL);
    if (rc == 0)
        rc = read_head(r, err);
    if (rc == 0)
        *out = r;
    else
        tsl_tokstream_reader_destroy(r);
    return rc;
}

int tsl_tokstream_reader_open(struct tsl_tokstream_reader **out, const char *path,
                              struct tsl_err *err)
{
    struct tsl_source src;
    int rc = tsl_source_open(&src, path, WINDOW_MAX, err);
    return rc < 0 ? rc : reader_start(out, &src, err);
}

int tsl_tokstream_reader_of_memory(struct tsl_tokstream_reader **out, const uint8_t *p,
                                   size_t n, struct tsl_err *err)
{
    struct tsl_source src;
    int rc = tsl_source_of_memory(&src, p, n, err);
    if (rc < 0)
        tsl_source_close(&src, NULL);
    return rc < 0 ? rc : reader_start(out, &src, err);
}

void tsl_tokstream_reader_destroy(struct tsl_tokstream_reader *r)
{
    if (!r)
        return;
    tsl_recnative_reader_destroy(r->r);
    tsl_mem_free(r->name);
    tsl_mem_free(r->ids);
    tsl_mem_free(r->sents);
    tsl_mem_free(r->whole.ids);
    tsl_mem_free(r->whole.sents);
    tsl_mem_free(r->whole.starts);
    tsl_mem_free(r);
}

const struct tsl_tokstream_head *
tsl_tokstream_reader_head(const struct tsl_tokstream_reader *r)
{
    return &r->head;
}

static int bad_doc(const struct tsl_tokstream_reader *r, uint64_t number, const char *why,
                   struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: document %" PRIu64 ": %s", r->name, number,
                       why);
}

/* The piece's ids as 32 bits, each in the vocabulary. */
static int take_ids(struct tsl_tokstream_reader *r, const struct tsl_value *v,
                    struct tsl_tokstream_doc *d, struct tsl_err *err)
{
    uint32_t highest = 0;
    d->ids = v->data;
    if (r->head.id_bytes == 2) {
        const uint16_t *from = v->data;
        int rc = tsl_mem_grow(&r->ids, &r->ids_cap, v->n + (size_t)1, sizeof *r->ids,
                              "a document", err);
        if (rc < 0)
            return rc;
        for (uint32_t i = 0; i < v->n; i++) {
            r->ids[i] = from[i];
            highest = from[i] > highest ? from[i] : highest;
        }
        d->ids = r->ids;
    } else {
        for (uint32_t i = 0; i < v->n; i++)
            highest = d->ids[i] > highest ? d->ids[i] : highest;
    }
    if (v->n && highest >= r->head.vocab_size)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: document %" PRIu64 ": id %" PRIu32
                           ", but the vocabulary ends before %" PRIu32,
                           r->name, d->number, highest, r->head.vocab_size);
    return 0;
}

/* The piece's sentences, as far as they are here. */
static int take_sents(struct tsl_tokstream_reader *r, const struct tsl_value *v,
                      struct tsl_tokstream_doc *d, struct tsl_err *err)
{
    const uint32_t *sents = v->data;
    uint64_t sum = 0, here = r->carry + d->ntokens;
    bool none = false;
    for (uint32_t i = 0; i < v->n; i++) {
        sum += sents[i];
        none |= sents[i] == 0;
    }
    if (none || (v->n && sents[0] <= r->carry))
        return bad_doc(r, d->number, "a sentence without tokens", err);
    if (sum > here || (d->last && sum != here))
        return bad_doc(r, d->number, "its sentences have other tokens than it", err);
    d->sents = sents;
    d->nsents = v->n;
    d->continues = r->carry && d->ntokens;
    d->goes_on = here > sum && d->ntokens;
    if (!d->continues && !d->goes_on) {
        r->carry = here - sum;
        return 0;
    }
    int rc = tsl_mem_grow(&r->sents, &r->sents_cap, v->n + (size_t)1, sizeof *r->sents,
                          "a document", err);
    if (rc < 0)
        return rc;
    if (v->n) {
        memcpy(r->sents, sents, v->n * sizeof *sents);
        r->sents[0] -= (uint32_t)r->carry;
    }
    if (here > sum)
        r->sents[d->nsents++] = (uint32_t)(here - sum - (v->n ? 0 : r->carry));
    d->sents = r->sents;
    r->carry = here - sum;
    return 0;
}

int tsl_tokstream_reader_piece(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_doc *d, struct tsl_err *err)
{
    struct tsl_recnative_piece p;
    int rc = tsl_recnative_reader_piece(r->r, &p, err);
    if (rc <= 0)
        return rc;
    const struct tsl_value *ids = &p.rec.values[r->column[IDS]],
                           *starts = &p.rec.values[r->column[STARTS]];
    *d = (struct tsl_tokstream_doc){ .number = p.rec.number,
                                     .first = p.first,
                                     .last = p.last,
                                     .starts = starts->data,
                                     .ntokens = ids->n };
    if (p.first)
        r->carry = 0;
    if (ids->n != starts->n)
        return bad_doc(r, d->number, "it has other word starts than tokens", err);
    if (r->carry > UINT32_MAX - (uint64_t)ids->n)
        return bad_doc(r, d->number, "a sentence of more than 2^32 tokens", err);
    rc = take_ids(r, ids, d, err);
    if (rc == 0)
        rc = take_sents(r, &p.rec.values[r->column[SENTS]], d, err);
    return rc < 0 ? rc : 1;
}

/* Puts a piece behind those of the same document. */
static int gather(struct tsl_tokstream_reader *r, const struct tsl_tokstream_doc *d,
                  struct tsl_err *err)
{
    size_t joined = d->continues && r->whole.nsents, n = r->whole.ntokens + d->ntokens;
    int rc = tsl_mem_grow(&r->whole.ids, &r->whole.ids_cap, n + 1, sizeof *r->whole.ids,
                          "a document", err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->whole.starts, &r->whole.starts_cap, n + 1, 1, "a document",
                          err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->whole.sents, &r->whole.sents_cap,
                          r->whole.nsents + d->nsents + 1, sizeof *r->whole.sents,
                          "a document", err);
    if (rc < 0)
        return rc;
    if (d->ntokens) {
        memcpy(r->whole.ids + r->whole.ntokens, d->ids, d->ntokens * sizeof *d->ids);
        memcpy(r->whole.starts + r->whole.ntokens, d->starts, d->ntokens);
    }
    r->whole.ntokens = n;
    if (joined)
        r->whole.sents[r->whole.nsents - 1] += d->sents[0];
    if (d->nsents > joined)
        memcpy(r->whole.sents + r->whole.nsents, d->sents + joined,
               (d->nsents - joined) * sizeof *d->sents);
    r->whole.nsents += d->nsents - joined;
    return 0;
}

int tsl_tokstream_reader_next(struct tsl_tokstream_reader *r, size_t tokens_max,
                              struct tsl_tokstream_doc *d, struct tsl_err *err)
{
    int rc = tsl_tokstream_reader_piece(r, d, err);
    if (rc <= 0)
        return rc;
    if (d->first && d->last && d->ntokens <= tokens_max)
        return 1;
    r->whole.ntokens = r->whole.nsents = 0;
    for (;;) {
        if (d->ntokens > tokens_max - r->whole.ntokens)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: document %" PRIu64 " has more than %zu tokens",
                               r->name, d->number, tokens_max);
        rc = gather(r, d, err);
        if (rc < 0)
            return rc;
        if (d->last)
            break;
        rc = tsl_tokstream_reader_piece(r, d, err);
        if (rc <= 0) /* 0: seen as an error before */
            return rc < 0 ? rc : bad_doc(r, d->number, "it has no end", err);
    }
    d->first = d->last = true;
    d->continues = d->goes_on = false;
    d->sents = r->whole.sents;
    d->nsents = r->whole.nsents;
    d->ids = r->whole.ids;
    d->starts = r->whole.starts;
    d->ntokens = r->whole.ntokens;
    return 1;
}

/* ---- random access ---- */

int tsl_tokstream_reader_count(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_counts *counts, struct tsl_err *err)
{
    struct tsl_recnative_counts n;
    int rc = tsl_recnative_reader_count(r->r, &n, err);
    if (rc < 0)
        return rc;
    *counts =
        (struct tsl_tokstream_counts){ n.nblocks, n.nrecords, n.nvalues[r->column[SENTS]],
                                       n.nvalues[r->column[IDS]] };
    return 0;
}

int tsl_tokstream_reader_seek(struct tsl_tokstream_reader *r, uint64_t number,
                              struct tsl_err *err)
{
    struct tsl_tokstream_counts n;
    int rc = tsl_tokstream_reader_count(r, &n, err);
    if (rc < 0)
        return rc;
    uint64_t first = tsl_recnative_reader_head(r->r)->first;
    if (number < first || number - first >= n.ndocs)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: document %" PRIu64 ", but there are %" PRIu64, r->name,
                           number, n.ndocs);
    return tsl_recnative_reader_seek(r->r, number - first, err);
}

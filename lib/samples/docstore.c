#include "samples/docstore.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/slice.h"
#include "base/widen.h"
#include "io/rowstream.h"
#include "samples/growfile.h"

/* A document in the store: u32 sentences, u32 tokens, u32 of each sentence, ids of id_bytes,
 * a bit for each token that starts a word, zeros up to a multiple of 4. */
enum { DOC_HEAD = 8, TOKENS_MAX = 1 << 30, BATCH = 1 << 20, SLOTS = 2 };

struct tsl_docstore {
    struct tsl_docstore_opts o;
    struct tsl_tokstream_head head;
    struct tsl_growfile data, index; /* index: u64 end of each document */
    struct tsl_docstore_counts n;
    /* the document that is being put */
    uint8_t *packed;
    size_t packed_cap;
    uint32_t *ids, *sents;
    uint8_t *starts;
    size_t nids, ids_cap, nsents, sents_cap, starts_cap;
};

static size_t packed_bytes(const struct tsl_docstore *s, uint64_t nsents,
                           uint64_t ntokens)
{
    return (DOC_HEAD + 4 * nsents + s->head.id_bytes * ntokens + (ntokens + 7) / 8 + 3) &
           ~(size_t)3;
}

/* ---- putting ---- */

static int put(struct tsl_docstore *s, const struct tsl_doc *d, struct tsl_err *err)
{
    if (d->ntokens == 0) {
        s->n.empty++;
        return 0;
    }
    size_t n = packed_bytes(s, d->nsents, d->ntokens);
    int rc = tsl_mem_grow(&s->packed, &s->packed_cap, n, 1, "a document", err);
    if (rc < 0)
        return rc;
    uint8_t *p = s->packed;
    memset(p + n - 4, 0, 4); /* the padding */
    tsl_store32(p, (uint32_t)d->nsents);
    tsl_store32(p + 4, (uint32_t)d->ntokens);
    p += DOC_HEAD;
    memcpy(p, d->sents, 4 * d->nsents);
    p += 4 * d->nsents;
    if (s->head.id_bytes == 4)
        memcpy(p, d->ids, 4 * d->ntokens);
    else
        tsl_narrow(p, d->ids, d->ntokens);
    p += s->head.id_bytes * d->ntokens;
    memset(p, 0, (d->ntokens + 7) / 8);
    for (size_t i = 0; i < d->ntokens; i++)
        p[i / 8] |= (uint8_t)((d->starts[i] & 1) << i % 8);
    rc = tsl_growfile_put(&s->data, s->packed, n, err);
    if (rc == 0) {
        uint8_t end[8];
        tsl_store64(end, s->data.len);
        rc = tsl_growfile_put(&s->index, end, sizeof end, err);
    }
    s->n.ndocs++;
    s->n.nsents += d->nsents;
    s->n.ntokens += d->ntokens;
    s->n.lone += d->nsents == 1;
    if (s->o.progress)
        atomic_store_explicit(&s->o.progress->rows_in, s->n.ndocs, memory_order_relaxed);
    return rc;
}

static int same_vocabulary(const struct tsl_docstore *s,
                           const struct tsl_tokstream_head *h, const char *path,
                           struct tsl_err *err)
{
    if (h->vocab_size == s->head.vocab_size && strcmp(h->vocab_id, s->head.vocab_id) == 0)
        return 0;
    return tsl_err_set(err, TSL_EUSAGE, "%s: its vocabulary is not that of %s",
                       tsl_quote(path).s, tsl_quote(s->o.paths[0]).s);
}

static int read_stream(struct tsl_docstore *s, size_t i, struct tsl_err *err)
{
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc d;
    int rc = tsl_tokstream_reader_open(&r, s->o.paths[i], err);
    if (rc < 0)
        return rc;
    const struct tsl_tokstream_head *h = tsl_tokstream_reader_head(r);
    if (i == 0)
        s->head = *h;
    else
        rc = same_vocabulary(s, h, s->o.paths[i], err);
    while (rc == 0 && (rc = tsl_tokstream_reader_next(r, TOKENS_MAX, &d, err)) == 1) {
        struct tsl_doc doc = { d.ids, d.starts, d.sents, d.nsents, d.ntokens };
        rc = put(s, &doc, err);
    }
    tsl_tokstream_reader_destroy(r);
    return rc;
}

/* ---- documents as JSON ---- */

struct scan {
    const uint8_t *p, *end;
};

static int peek(struct scan *c)
{
    while (c->p < c->end && strchr(" \t\r\n", *c->p))
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

static int bad_line(const struct tsl_docstore *s, size_t file, uint64_t line,
                    const char *what, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: line %" PRIu64 ": %s",
                       tsl_quote(s->o.paths[file]).s, line, what);
}

/* The ids up to "]", which is taken; TSL_EFORMAT, TSL_ENOMEM. */
static int scan_sentence(struct tsl_docstore *s, struct scan *c, struct tsl_err *err)
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

static int scan_document(struct tsl_docstore *s, struct tsl_slice line,
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

static int put_line(struct tsl_docstore *s, size_t file, uint64_t number,
                    struct tsl_slice line, struct tsl_err *err)
{
    struct scan c = { line.data, line.data + line.len };
    struct tsl_err why = { 0 };
    if (peek(&c) < 0)
        return 0;
    int rc = scan_document(s, line, &why);
    if (rc < 0)
        return why.code ? tsl_err_pass(err, &why)
                        : bad_line(s, file, number,
                                   "no document: [[id, ...], ...] with ids below the "
                                   "vocabulary's size was expected",
                                   err);
    rc = tsl_mem_grow(&s->starts, &s->starts_cap, s->nids + 1, 1, "a document", err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < s->nids; i++) {
        uint32_t id = s->ids[i];
        s->starts[i] = !s->o.continues || !(s->o.continues[id / 8] >> id % 8 & 1);
    }
    struct tsl_doc d = { s->ids, s->starts, s->sents, s->nsents, s->nids };
    return put(s, &d, err);
}

static int read_jsonl(struct tsl_docstore *s, size_t file, struct tsl_err *err)
{
    struct tsl_inputs_opts io = { .paths = s->o.paths + file,
                                  .npaths = 1,
                                  .frame = { .kind = TSL_FRAME_LINE },
                                  .batch_bytes = BATCH,
                                  .window_max = 128 << 20 };
    struct tsl_rowstream rows;
    struct tsl_rowpiece piece;
    uint8_t *line = NULL;
    size_t n = 0, cap = 0;
    uint64_t number = 0;
    int rc = tsl_rowstream_init(&rows, &io, err);
    while (rc == 0 && (rc = tsl_rowstream_next(&rows, &piece, err)) == 1) {
        number += piece.first;
        n = piece.first ? 0 : n;
        struct tsl_slice whole = { piece.data, piece.len };
        rc = 0;
        if (!piece.first || !piece.last) { /* a long one, from pieces */
            if (n + piece.len > s->o.memory)
                rc = bad_line(s, file, number, "longer than the memory", err);
            if (rc == 0)
                rc = tsl_mem_grow(&line, &cap, n + piece.len + 1, 1, "a line", err);
            if (rc == 0)
                memcpy(line + n, piece.data, piece.len);
            n += piece.len;
            whole = (struct tsl_slice){ line, n };
        }
        if (rc == 0 && piece.last)
            rc = put_line(s, file, number, whole, err);
    }
    tsl_rowstream_fini(&rows);
    tsl_mem_free(line);
    return rc;
}

/* ---- the store ---- */

int tsl_docstore_open(struct tsl_docstore **out, const struct tsl_docstore_opts *o,
                      struct tsl_err *err)
{
    struct tsl_docstore *s = tsl_mem_alloc(1, sizeof *s, "documents", err);
    if (!s)
        return TSL_ENOMEM;
    s->o = *o;
    s->data.file = s->index.file = (struct tsl_file)TSL_FILE_INIT;
    s->head.id_bytes = o->vocab_size && o->vocab_size <= 1 << 16 ? 2 : 4;
    s->head.vocab_size = o->vocab_size;
    s->head.sentences = true;
    s->head.specials = (struct tsl_special_tokens){ -1, -1, -1, -1, -1, -1, -1 };
    int rc = tsl_growfile_init(&s->data, (size_t)(o->memory / 4 * 3), o->temp_dir, err);
    if (rc == 0)
        rc = tsl_growfile_init(&s->index, (size_t)(o->memory / 8), o->temp_dir, err);
    for (size_t i = 0; rc == 0 && i < o->npaths; i++)
        rc = o->jsonl ? read_jsonl(s, i, err) : read_stream(s, i, err);
    s->n.in_memory = tsl_growfile_in_memory(&s->data);
    tsl_mem_free(s->packed);
    tsl_mem_free(s->ids);
    tsl_mem_free(s->sents);
    tsl_mem_free(s->starts);
    if (rc < 0) {
        tsl_docstore_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

void tsl_docstore_destroy(struct tsl_docstore *s)
{
    if (!s)
        return;
    tsl_growfile_fini(&s->data);
    tsl_growfile_fini(&s->index);
    tsl_mem_free(s);
}

const struct tsl_tokstream_head *tsl_docstore_head(const struct tsl_docstore *s)
{
    return &s->head;
}

struct tsl_docstore_counts tsl_docstore_counts(const struct tsl_docstore *s)
{
    return s->n;
}

/* ---- views ---- */

struct slot {
    uint8_t *raw;
    uint32_t *ids;
    uint8_t *starts;
    size_t raw_cap, ids_cap, starts_cap;
    uint64_t number; /* of what it holds; UINT64_MAX: nothing */
    bool whole;      /* all of it is unpacked */
    const uint8_t *packed;
    struct tsl_doc doc;
};

struct tsl_docview {
    const struct tsl_docstore *s;
    struct tsl_docs docs;
    struct slot slots[SLOTS];
};

/* Eight bits as eight bytes of 0 or 1, the lowest first. */
static void spread(uint8_t *to, const uint8_t *bits, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        uint64_t b = bits[i / 8];
        b = (b * UINT64_C(0x0101010101010101)) & UINT64_C(0x8040201008040201);
        b = (b + UINT64_C(0x7f7f7f7f7f7f7f7f)) >> 7 & UINT64_C(0x0101010101010101);
        tsl_store64(to + i, b);
    }
}

/* Where a document's bytes lie. */
static int find(const struct tsl_docstore *s, uint64_t number, uint64_t *from,
                uint64_t *end, struct tsl_err *err)
{
    uint8_t ends[16];
    const uint8_t *p;
    int rc = number ? tsl_growfile_get(&s->index, 8 * (number - 1), 16, ends, &p, err)
                    : tsl_growfile_get(&s->index, 0, 8, ends, &p, err);
    if (rc < 0)
        return rc;
    *from = number ? tsl_load64(p) : 0;
    *end = tsl_load64(p + (number ? 8 : 0));
    return 0;
}

static int fetch(struct tsl_docview *v, struct slot *slot, uint64_t from, size_t n,
                 const uint8_t **p, struct tsl_err *err)
{
    const struct tsl_growfile *data = &v->s->data;
    int rc = tsl_growfile_in_memory(data)
                 ? 0
                 : tsl_mem_grow(&slot->raw, &slot->raw_cap, n, 1, "a document", err);
    return rc < 0 ? rc : tsl_growfile_get(data, from, n, slot->raw, p, err);
}

/* The document's numbers, not yet unpacked; room for all of its tokens. */
static int lay_out(struct slot *slot, const uint8_t *p, unsigned id_bytes,
                   struct tsl_err *err)
{
    size_t nsents = tsl_load32(p), n = tsl_load32(p + 4);
    int rc = tsl_mem_grow(&slot->starts, &slot->starts_cap, n + 16, 1, "a document", err);
    if (rc == 0 && id_bytes == 2)
        rc = tsl_mem_grow(&slot->ids, &slot->ids_cap, n + 8, 4, "a document", err);
    if (rc < 0)
        return rc;
    slot->packed = p + DOC_HEAD + 4 * nsents;
    slot->doc = (struct tsl_doc){
        .ids = id_bytes == 2 ? slot->ids : (const uint32_t *)(const void *)slot->packed,
        .starts = slot->starts,
        .sents = (const uint32_t *)(const void *)(p + DOC_HEAD),
        .nsents = nsents,
        .ntokens = n,
    };
    return 0;
}

/* Tokens [at, at + len), and a few around them. */
static void unpack(struct slot *slot, unsigned id_bytes, size_t at, size_t len)
{
    size_t n = slot->doc.ntokens, from = at & ~(size_t)7;
    size_t end = at >= n ? from : len < n - at ? at + len : n;
    if (end <= from)
        return;
    if (id_bytes == 2)
        tsl_widen(slot->ids + from, slot->packed + 2 * from, end - from);
    spread(slot->starts + from, slot->packed + id_bytes * n + from / 8, end - from);
}

static int part(void *ctx, uint64_t number, unsigned which, size_t at, size_t len,
                struct tsl_doc *d, struct tsl_err *err)
{
    struct tsl_docview *v = ctx;
    struct slot *slot = &v->slots[which];
    unsigned id_bytes = v->s->head.id_bytes;
    const uint8_t *p;
    uint64_t from, end;
    if (slot->number != number) {
        slot->number = UINT64_MAX;
        slot->whole = false;
        int rc = find(v->s, number, &from, &end, err);
        if (rc == 0)
            rc = fetch(v, slot, from, (size_t)(end - from), &p, err);
        if (rc == 0)
            rc = lay_out(slot, p, id_bytes, err);
        if (rc < 0)
            return rc;
        slot->number = number;
    }
    if (!slot->whole)
        unpack(slot, id_bytes, at, len);
    slot->whole |= at == 0 && len >= slot->doc.ntokens;
    *d = slot->doc;
    return 0;
}

static int get(void *ctx, uint64_t number, unsigned which, struct tsl_doc *d,
               struct tsl_err *err)
{
    return part(ctx, number, which, 0, SIZE_MAX, d, err);
}

int tsl_docview_lengths(struct tsl_docview *v, uint64_t number, const uint32_t **sents,
                        size_t *nsents, uint32_t *ntokens, struct tsl_err *err)
{
    struct slot *slot = &v->slots[0];
    const uint8_t *p;
    uint64_t from, end;
    slot->number = UINT64_MAX;
    int rc = find(v->s, number, &from, &end, err);
    if (rc == 0)
        rc = fetch(v, slot, from, DOC_HEAD, &p, err);
    if (rc < 0)
        return rc;
    *nsents = tsl_load32(p);
    *ntokens = tsl_load32(p + 4);
    rc = fetch(v, slot, from + DOC_HEAD, 4 * *nsents, &p, err);
    *sents = (const uint32_t *)(const void *)p;
    return rc;
}

int tsl_docview_create(struct tsl_docview **out, const struct tsl_docstore *s,
                       struct tsl_err *err)
{
    struct tsl_docview *v = tsl_mem_alloc(1, sizeof *v, "documents", err);
    if (!v)
        return TSL_ENOMEM;
    v->s = s;
    v->docs = (struct tsl_docs){ s->n.ndocs, get, v, part };
    for (size_t i = 0; i < SLOTS; i++)
        v->slots[i].number = UINT64_MAX;
    *out = v;
    return 0;
}

void tsl_docview_destroy(struct tsl_docview *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < SLOTS; i++) {
        tsl_mem_free(v->slots[i].raw);
        tsl_mem_free(v->slots[i].ids);
        tsl_mem_free(v->slots[i].starts);
    }
    tsl_mem_free(v);
}

const struct tsl_docs *tsl_docview_docs(const struct tsl_docview *v)
{
    return &v->docs;
}

#include "samples/docview.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/mem.h"
#include "base/widen.h"

enum { SLOTS = 2, DOC_HEAD = 8 };

struct slot {
    struct tsl_docbuf buf;
    uint32_t *ids;
    uint8_t *starts;
    size_t ids_cap, starts_cap;
    uint64_t number; /* of what it holds; UINT64_MAX: nothing */
    bool whole;      /* all of it is unpacked */
    struct tsl_tokmap_doc raw;
    struct tsl_doc doc;
};

struct tsl_docview {
    struct tsl_docsource s;
    struct tsl_docs docs;
    struct slot slots[SLOTS];
    struct tsl_docbuf other; /* for copies and lengths */
    struct tsl_docbuf ahead;
};

/* ---- documents as bytes ---- */

size_t tsl_docview_packed(size_t nsents, size_t ntokens, unsigned id_bytes)
{
    return (DOC_HEAD + 4 * nsents + id_bytes * ntokens + (ntokens + 7) / 8 + 3) &
           ~(size_t)3;
}

void tsl_docview_pack(uint8_t *to, const struct tsl_doc *d, unsigned id_bytes)
{
    uint8_t *p = to;
    memset(to + tsl_docview_packed(d->nsents, d->ntokens, id_bytes) - 4, 0, 4);
    tsl_store32(p, (uint32_t)d->nsents);
    tsl_store32(p + 4, (uint32_t)d->ntokens);
    p += DOC_HEAD;
    memcpy(p, d->sents, 4 * d->nsents);
    p += 4 * d->nsents;
    if (id_bytes == 4)
        memcpy(p, d->ids, 4 * d->ntokens);
    else
        tsl_narrow(p, d->ids, d->ntokens);
    tsl_bits_pack(p + id_bytes * d->ntokens, d->starts, d->ntokens);
}

void tsl_docview_unpack(struct tsl_tokmap_doc *d, const uint8_t *p, unsigned id_bytes)
{
    *d = (struct tsl_tokmap_doc){ .sents = (const uint32_t *)(const void *)(p + DOC_HEAD),
                                  .nsents = tsl_load32(p),
                                  .ntokens = tsl_load32(p + 4),
                                  .id_bytes = id_bytes };
    d->ids = d->sents + d->nsents;
    d->bits = (const uint8_t *)d->ids + (size_t)id_bytes * d->ntokens;
}

/* ---- views ---- */

static int lay_out(struct slot *slot, struct tsl_err *err)
{
    const struct tsl_tokmap_doc *raw = &slot->raw;
    size_t n = raw->ntokens;
    int rc = 0;
    slot->doc = (struct tsl_doc){ raw->ids, raw->flags, raw->sents, raw->nsents, n };
    if (!raw->flags) {
        rc = tsl_mem_grow(&slot->starts, &slot->starts_cap, n + 16, 1, "a document", err);
        slot->doc.starts = slot->starts;
    }
    if (rc == 0 && raw->id_bytes == 2) {
        rc = tsl_mem_grow(&slot->ids, &slot->ids_cap, n + 8, 4, "a document", err);
        slot->doc.ids = slot->ids;
    }
    return rc;
}

/* Tokens [at, at + len). */
static void unpack(struct slot *slot, size_t at, size_t len)
{
    const struct tsl_tokmap_doc *raw = &slot->raw;
    size_t n = raw->ntokens, end = at >= n ? at : len < n - at ? at + len : n;
    if (end <= at)
        return;
    if (raw->id_bytes == 2)
        tsl_widen(slot->ids + at, (const uint8_t *)raw->ids + 2 * at, end - at);
    if (!raw->flags)
        tsl_bits_unpack(slot->starts + at, raw->bits, raw->bit + at, end - at);
}

static int part(void *ctx, uint64_t number, unsigned which, size_t at, size_t len,
                struct tsl_doc *d, struct tsl_err *err)
{
    struct tsl_docview *v = ctx;
    struct slot *slot = &v->slots[which];
    if (slot->number != number) {
        slot->number = UINT64_MAX;
        slot->whole = false;
        int rc = v->s.find(v->s.ctx, number, true, &slot->buf, &slot->raw, err);
        if (rc == 0)
            rc = lay_out(slot, err);
        if (rc < 0)
            return rc;
        slot->number = number;
    }
    if (!slot->whole)
        unpack(slot, at, len);
    slot->whole |= at == 0 && len >= slot->doc.ntokens;
    *d = slot->doc;
    return 0;
}

static int get(void *ctx, uint64_t number, unsigned which, struct tsl_doc *d,
               struct tsl_err *err)
{
    return part(ctx, number, which, 0, SIZE_MAX, d, err);
}

static int copy(void *ctx, uint64_t number, size_t at, size_t len, uint32_t *ids,
                uint8_t *starts, struct tsl_err *err)
{
    struct tsl_docview *v = ctx;
    struct tsl_tokmap_doc d;
    int rc = v->s.find(v->s.ctx, number, false, &v->other, &d, err);
    if (rc < 0)
        return rc;
    if (at > d.ntokens || len > d.ntokens - at)
        return tsl_docs_short(number, d.ntokens, at, len, err);
    if (d.id_bytes == 2)
        tsl_widen(ids, (const uint8_t *)d.ids + 2 * at, len);
    else if (len)
        memcpy(ids, (const uint8_t *)d.ids + 4 * at, 4 * len);
    if (starts && d.flags && len)
        memcpy(starts, d.flags + at, len);
    else if (starts)
        tsl_bits_unpack(starts, d.bits, d.bit + at, len);
    return 0;
}

static void soon(void *ctx, uint64_t number, size_t at, size_t len)
{
    struct tsl_docview *v = ctx;
    v->s.soon(v->s.ctx, number, &v->ahead, at, len);
}

static void soon_near(void *ctx, uint64_t number, uint32_t share, size_t len)
{
    struct tsl_docview *v = ctx;
    v->s.soon_near(v->s.ctx, number, &v->ahead, share, len);
}

int tsl_docview_lengths(struct tsl_docview *v, uint64_t number, const uint32_t **sents,
                        size_t *nsents, uint32_t *ntokens, struct tsl_err *err)
{
    struct tsl_tokmap_doc d;
    int rc = v->s.find(v->s.ctx, number, true, &v->other, &d, err);
    if (rc < 0)
        return rc;
    *sents = d.sents;
    *nsents = d.nsents;
    *ntokens = d.ntokens;
    return 0;
}

int tsl_docview_create(struct tsl_docview **out, const struct tsl_docsource *s,
                       struct tsl_err *err)
{
    struct tsl_docview *v = tsl_mem_alloc(1, sizeof *v, "documents", err);
    if (!v)
        return TSL_ENOMEM;
    v->docs = (struct tsl_docs){ .get = get, .ctx = v, .part = part, .copy = copy };
    tsl_docview_turn(v, s);
    *out = v;
    return 0;
}

void tsl_docview_turn(struct tsl_docview *v, const struct tsl_docsource *s)
{
    v->s = *s;
    v->docs.ndocs = s->ndocs;
    v->docs.soon = s->soon ? soon : NULL;
    v->docs.soon_near = s->soon_near ? soon_near : NULL;
    for (size_t i = 0; i < SLOTS; i++)
        v->slots[i].number = UINT64_MAX;
}

static void free_buf(struct tsl_docbuf *b)
{
    tsl_mem_free(b->bytes);
    tsl_tokmap_cursor_fini(&b->cursor);
}

void tsl_docview_destroy(struct tsl_docview *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < SLOTS; i++) {
        free_buf(&v->slots[i].buf);
        tsl_mem_free(v->slots[i].ids);
        tsl_mem_free(v->slots[i].starts);
    }
    free_buf(&v->other);
    free_buf(&v->ahead);
    tsl_mem_free(v);
}

const struct tsl_docs *tsl_docview_docs(const struct tsl_docview *v)
{
    return &v->docs;
}

#include "text/tokstream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "text/jsonl.h"

enum {
    BLOCK_BYTES = 256 << 10, /* of payload that the writer puts into a block ... */
    BLOCK_MAX = 1 << 20,     /* ... and that a reader accepts */
    HEAD_MAX = 1 << 20,
    BLOCK_HEAD = 32,
    TRAILER_HEAD = 40,
    WINDOW_MAX = 8 << 20
};

enum { ZSTD = 1, CONTINUED = 2, SENT_CONTINUED = 4, GOES_ON = 8, SENT_GOES_ON = 16 };

static const char magic[8] = "TSLTOK1\n";
static const uint32_t block_magic = 0x4b4c4254, trailer_magic = 0x444e4554;

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static uint64_t pad8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

static uint64_t payload_bytes(uint64_t ndocs, uint64_t nsents, uint64_t ntokens,
                              unsigned id_bytes)
{
    return 4 * ndocs + 4 * nsents + id_bytes * ntokens + (ntokens + 7) / 8;
}

/* ---- writing ---- */

struct tsl_tokstream_writer {
    struct tsl_sink *sink;
    unsigned id_bytes;
    uint64_t at; /* bytes written so far */
    struct tsl_packer *packer;
    /* the block: what lies in it, and what is still open */
    uint32_t *docs, *sents, *ids;
    uint8_t *marks;
    size_t ndocs, nsents, ntokens;
    bool doc_open, sent_open;
    bool doc_continued, sent_continued; /* the first ones of this block */
    size_t doc_sents, doc_tokens;       /* where the open document begins in the block */
    uint64_t block_docs;                /* documents begun before this block */
    uint8_t *payload, *packed;
    size_t packed_cap;
    struct place {
        uint64_t at, doc;
    } * places;
    size_t places_cap;
    struct tsl_tokstream_counts n;
};

enum { DOCS_MAX = BLOCK_BYTES / 4, TOKENS_MAX = BLOCK_BYTES / 2 };

static int emit(struct tsl_tokstream_writer *w, const void *p, size_t n,
                struct tsl_err *err)
{
    w->at += n;
    return tsl_sink_write(w->sink, p, n, err);
}

static int write_head(struct tsl_tokstream_writer *w,
                      const struct tsl_tokstream_head *head, struct tsl_err *err)
{
    static const char *const names[] = {
        "pad", "unk", "cls", "sep", "mask", "bos", "eos"
    };
    const struct tsl_specials *s = &head->specials;
    const int64_t ids[] = { s->pad, s->unk, s->cls, s->sep, s->mask, s->bos, s->eos };
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    tsl_json_u64(&j, "vocab_size", head->vocab_size);
    tsl_json_u64(&j, "id_bytes", w->id_bytes);
    tsl_json_str(&j, "vocab_id", head->vocab_id);
    tsl_json_str(&j, "tokenizer", head->tokenizer);
    tsl_json_str(&j, "options", head->options);
    tsl_json_bool(&j, "sentences", head->sentences);
    tsl_json_open(&j, "specials", '{');
    for (int i = 0; i < 7; i++)
        if (ids[i] >= 0)
            tsl_json_u64(&j, names[i], (uint64_t)ids[i]);
    tsl_json_close(&j, '}');
    tsl_json_str(&j, "made_by", head->made_by);
    tsl_json_close(&j, '}');
    int rc = tsl_json_end(&j, err);
    size_t n = rc == 0 ? (size_t)pad8(12 + j.len) : 0;
    uint8_t *text = rc == 0 ? tsl_mem_alloc(n + 8, 1, "a header", err) : NULL;
    if (text) {
        memcpy(text, magic, 8);
        tsl_store32(text + 8, (uint32_t)(n - 12));
        memset(text + 12, ' ', n - 12);
        memcpy(text + 12, j.text, j.len);
        tsl_store64(text + n, tsl_hash64(text, n, 0));
        rc = emit(w, text, n + 8, err);
    } else if (rc == 0) {
        rc = TSL_ENOMEM;
    }
    tsl_mem_free(text);
    tsl_json_fini(&j);
    return rc;
}

int tsl_tokstream_writer_create(struct tsl_tokstream_writer **out, struct tsl_sink *sink,
                                const struct tsl_tokstream_head *head, int zstd_level,
                                struct tsl_err *err)
{
    struct tsl_tokstream_writer *w = tsl_mem_alloc(1, sizeof *w, "a token stream", err);
    int rc = TSL_ENOMEM;
    if (!w)
        return rc;
    w->sink = sink;
    w->id_bytes = head->vocab_size <= 65536 ? 2 : 4;
    w->docs = tsl_pages_map(DOCS_MAX * sizeof *w->docs, "a block", err);
    w->sents = tsl_pages_map(DOCS_MAX * sizeof *w->sents, "a block", err);
    w->ids = tsl_pages_map(TOKENS_MAX * sizeof *w->ids, "a block", err);
    w->marks = tsl_pages_map(TOKENS_MAX + 8, "a block", err);
    w->payload = tsl_pages_map(BLOCK_HEAD + BLOCK_BYTES + 8, "a block", err);
    if (!w->docs || !w->sents || !w->ids || !w->marks || !w->payload)
        goto out;
    if (zstd_level) {
        rc = tsl_packer_create(&w->packer, TSL_CODEC_ZSTD, zstd_level, err);
        if (rc < 0)
            goto out;
        w->packed_cap = BLOCK_HEAD + tsl_packer_bound(w->packer, BLOCK_BYTES + 8);
        w->packed = tsl_pages_map(w->packed_cap, "a block", err);
        rc = TSL_ENOMEM;
        if (!w->packed)
            goto out;
    }
    rc = write_head(w, head, err);
    if (rc < 0)
        goto out;
    *out = w;
    w = NULL; /* handed over */
out:
    tsl_tokstream_writer_destroy(w);
    return rc;
}

void tsl_tokstream_writer_destroy(struct tsl_tokstream_writer *w)
{
    if (!w)
        return;
    tsl_pages_unmap(w->docs, DOCS_MAX * sizeof *w->docs);
    tsl_pages_unmap(w->sents, DOCS_MAX * sizeof *w->sents);
    tsl_pages_unmap(w->ids, TOKENS_MAX * sizeof *w->ids);
    tsl_pages_unmap(w->marks, TOKENS_MAX + 8);
    tsl_pages_unmap(w->payload, BLOCK_HEAD + BLOCK_BYTES + 8);
    tsl_pages_unmap(w->packed, w->packed_cap);
    tsl_packer_destroy(w->packer);
    tsl_mem_free(w->places);
    tsl_mem_free(w);
}

struct tsl_tokstream_counts
tsl_tokstream_writer_counts(const struct tsl_tokstream_writer *w)
{
    return w->n;
}

/* Lays the first ndocs, nsents and ntokens out behind a block's head; returns the bytes of
 * the payload. */
static size_t lay_out(const struct tsl_tokstream_writer *w, size_t ndocs, size_t nsents,
                      size_t ntokens)
{
    uint8_t *begin = w->payload + BLOCK_HEAD, *p = begin;
    for (size_t i = 0; i < ndocs; i++, p += 4)
        tsl_store32(p, w->docs[i]);
    for (size_t i = 0; i < nsents; i++, p += 4)
        tsl_store32(p, w->sents[i]);
    if (w->id_bytes == 2)
        for (size_t i = 0; i < ntokens; i++, p += 2)
            put16(p, w->ids[i]);
    else
        for (size_t i = 0; i < ntokens; i++, p += 4)
            tsl_store32(p, w->ids[i]);
    for (size_t i = 0; i < ntokens; i += 8) {
        /* the lowest bit of each of eight bytes, gathered in the product's top byte */
        uint64_t x = tsl_load64(w->marks + i) & UINT64_C(0x0101010101010101);
        if (ntokens - i < 8)
            x &= ((uint64_t)1 << 8 * (ntokens - i)) - 1;
        *p++ = (uint8_t)((x * UINT64_C(0x0102040810204080)) >> 56);
    }
    size_t n = (size_t)(p - begin), padded = (size_t)pad8(n);
    memset(p, 0, padded - n);
    return padded;
}

/* Writes the first ndocs documents, of nsents and ntokens, as a block. */
static int write_block(struct tsl_tokstream_writer *w, size_t ndocs, size_t nsents,
                       size_t ntokens, unsigned flags, struct tsl_err *err)
{
    uint8_t *block = w->payload;
    size_t n = lay_out(w, ndocs, nsents, ntokens), stored = n;
    if (w->packer) {
        size_t packed;
        int rc =
            tsl_packer_run(w->packer, w->packed + BLOCK_HEAD, w->packed_cap - BLOCK_HEAD,
                           block + BLOCK_HEAD, n, &packed, err);
        if (rc < 0)
            return rc;
        if (packed < n) {
            block = w->packed;
            stored = packed;
            flags |= ZSTD;
        }
    }
    flags |=
        (w->doc_continued ? CONTINUED : 0) | (w->sent_continued ? SENT_CONTINUED : 0);
    int rc = tsl_mem_grow(&w->places, &w->places_cap, (size_t)w->n.nblocks + 1,
                          sizeof *w->places, "the index of a token stream", err);
    if (rc < 0)
        return rc;
    w->places[w->n.nblocks] = (struct place){ w->at, w->block_docs };
    tsl_store32(block, block_magic);
    tsl_store32(block + 4, flags);
    tsl_store32(block + 8, (uint32_t)ndocs);
    tsl_store32(block + 12, (uint32_t)nsents);
    tsl_store32(block + 16, (uint32_t)ntokens);
    tsl_store32(block + 20, (uint32_t)stored);
    /* the head's 24 bytes are hashed in front of the payload: they move up beside it */
    uint8_t head[24];
    memcpy(head, block, 24);
    memmove(block + 8, head, 24);
    uint64_t sum = tsl_hash64(block + 8, 24 + stored, w->n.nblocks);
    memcpy(block, head, 24);
    tsl_store64(block + 24, sum);
    w->block_docs += ndocs - w->doc_continued;
    w->n.nblocks++;
    return emit(w, block, BLOCK_HEAD + stored, err);
}

/* Makes room in a full block. */
static int flush(struct tsl_tokstream_writer *w, struct tsl_err *err)
{
    if (!w->doc_open || w->ndocs == 1) {
        unsigned flags = 0;
        if (w->doc_open)
            flags = GOES_ON | (w->sent_open ? SENT_GOES_ON : 0);
        int rc = write_block(w, w->ndocs, w->nsents, w->ntokens, flags, err);
        w->doc_continued = w->doc_open;
        w->sent_continued = w->doc_open && w->sent_open;
        w->ndocs = w->nsents = w->ntokens = w->doc_sents = w->doc_tokens = 0;
        if (w->doc_open)
            w->docs[w->ndocs++] = 0;
        if (w->sent_open) {
            w->docs[0]++;
            w->sents[w->nsents++] = 0;
        }
        return rc;
    }
    /* the document that is open moves on as a whole */
    int rc = write_block(w, w->ndocs - 1, w->doc_sents, w->doc_tokens, 0, err);
    w->doc_continued = w->sent_continued = false;
    w->docs[0] = w->docs[w->ndocs - 1];
    w->ndocs = 1;
    w->nsents -= w->doc_sents;
    memmove(w->sents, w->sents + w->doc_sents, w->nsents * sizeof *w->sents);
    w->ntokens -= w->doc_tokens;
    memmove(w->ids, w->ids + w->doc_tokens, w->ntokens * sizeof *w->ids);
    memmove(w->marks, w->marks + w->doc_tokens, w->ntokens);
    w->doc_sents = w->doc_tokens = 0;
    return rc;
}

/* How many tokens more fit, when docs and sents are added in front of them. */
static size_t room(const struct tsl_tokstream_writer *w, size_t docs, size_t sents)
{
    uint64_t fixed = 4 * (uint64_t)(w->ndocs + docs + w->nsents + sents);
    if (fixed > BLOCK_BYTES)
        return 0;
    size_t total = (size_t)((BLOCK_BYTES - fixed) * 8 / (8 * w->id_bytes + 1));
    while (total &&
           payload_bytes(0, 0, total, w->id_bytes) > (uint64_t)BLOCK_BYTES - fixed)
        total--;
    return total > w->ntokens ? total - w->ntokens : 0;
}

static void open_doc(struct tsl_tokstream_writer *w)
{
    w->doc_open = true;
    w->doc_sents = w->nsents;
    w->doc_tokens = w->ntokens;
    w->docs[w->ndocs++] = 0;
    w->n.ndocs++;
}

int tsl_tokstream_writer_put(struct tsl_tokstream_writer *w, const uint32_t *ids,
                             const uint8_t *marks, size_t n, struct tsl_err *err)
{
    while (n > 0) {
        size_t k = room(w, !w->doc_open, !w->sent_open);
        if (k == 0) {
            int rc = flush(w, err);
            if (rc < 0)
                return rc;
            continue;
        }
        if (!w->doc_open)
            open_doc(w);
        if (!w->sent_open) {
            w->sent_open = true;
            w->docs[w->ndocs - 1]++;
            w->sents[w->nsents++] = 0;
            w->n.nsents++;
        }
        k = k < n ? k : n;
        memcpy(w->ids + w->ntokens, ids, k * sizeof *ids);
        memcpy(w->marks + w->ntokens, marks, k);
        w->sents[w->nsents - 1] += (uint32_t)k;
        w->ntokens += k;
        w->n.ntokens += k;
        ids += k;
        marks += k;
        n -= k;
    }
    return 0;
}

void tsl_tokstream_writer_end_sentence(struct tsl_tokstream_writer *w)
{
    w->sent_open = false;
}

int tsl_tokstream_writer_end_document(struct tsl_tokstream_writer *w, struct tsl_err *err)
{
    if (!w->doc_open) {
        if (4 + payload_bytes(w->ndocs, w->nsents, w->ntokens, w->id_bytes) >
            BLOCK_BYTES) {
            int rc = flush(w, err);
            if (rc < 0)
                return rc;
        }
        open_doc(w);
    }
    w->doc_open = w->sent_open = false;
    return 0;
}

int tsl_tokstream_writer_finish(struct tsl_tokstream_writer *w, struct tsl_err *err)
{
    assert(!w->doc_open);
    int rc = w->ndocs ? write_block(w, w->ndocs, w->nsents, w->ntokens, 0, err) : 0;
    if (rc < 0)
        return rc;
    w->ndocs = 0;
    size_t n = TRAILER_HEAD + 16 * (size_t)w->n.nblocks + 8;
    uint8_t *t = tsl_mem_alloc(n + 8, 1, "the index of a token stream", err), *p = t;
    if (!t)
        return TSL_ENOMEM;
    tsl_store32(p, trailer_magic);
    tsl_store32(p + 4, 0);
    tsl_store64(p + 8, w->n.nblocks);
    tsl_store64(p + 16, w->n.ndocs);
    tsl_store64(p + 24, w->n.nsents);
    tsl_store64(p + 32, w->n.ntokens);
    p += TRAILER_HEAD;
    for (uint64_t i = 0; i < w->n.nblocks; i++, p += 16) {
        tsl_store64(p, w->places[i].at);
        tsl_store64(p + 8, w->places[i].doc);
    }
    tsl_store64(p, w->at);
    tsl_store64(p + 8, tsl_hash64(t, n, 0));
    rc = emit(w, t, n + 8, err);
    tsl_mem_free(t);
    return rc;
}

/* ---- reading ---- */

struct tsl_tokstream_reader {
    struct tsl_source src;
    char *name;
    struct tsl_tokstream_head head;
    uint64_t at;                   /* of the next byte to be read */
    uint64_t begin;                /* of the first block */
    bool random, ended;            /* read by position; the trailer was met */
    uint64_t block;                /* number of the next block */
    struct tsl_tokstream_counts n; /* seen so far; of the file once random */
    struct tsl_hasher places;      /* of all blocks seen, as the trailer has them */
    /* the block at hand */
    uint8_t *stored, *raw;
    struct tsl_packer *packer;
    uint32_t *docs, *sents, *ids;
    uint8_t *starts;
    size_t ndocs, nsents, ntokens;
    size_t doc, sent, token; /* next in it */
    unsigned flags;
    bool goes_on, sent_goes_on; /* said the block before */
    bool fresh;                 /* there is no block before: we were sent here */
    uint64_t number;            /* of the document next in the block */
    /* whole documents that lie in several blocks */
    struct tsl_tokens whole;
    uint32_t *whole_sents;
    size_t whole_nsents, whole_sents_cap;
    struct place *index;
    uint64_t trailer_at;
};

enum { MAX_ENTRIES = BLOCK_MAX / 4, MAX_TOKENS = BLOCK_MAX / 2 };

static int damaged(const struct tsl_tokstream_reader *r, uint64_t at, const char *why,
                   struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: byte %" PRIu64 ": %s", r->name, at, why);
}

/* All n bytes at r->at. */
static int get(struct tsl_tokstream_reader *r, void *p, size_t n, struct tsl_err *err)
{
    if (r->random) {
        if (n > r->src.file.size || r->at > r->src.file.size - n)
            return damaged(r, r->at, "the token stream ends in the middle", err);
        int rc = tsl_file_pread(&r->src.file, p, n, r->at, err);
        r->at += n;
        return rc;
    }
    int64_t k = tsl_source_read(&r->src, p, n, err);
    if (k < 0)
        return (int)k;
    r->at += (uint64_t)k;
    if ((size_t)k < n)
        return damaged(r, r->at, "the token stream was cut short here", err);
    return 0;
}

static void copy_text(char *to, size_t cap, const struct tsl_jsonl_value *v)
{
    /* what does not fit is for people anyway; whole characters do not matter here */
    uint8_t buf[2048];
    size_t n = 0;
    if (v->kind == TSL_JSONL_STRING && v->raw.len <= sizeof buf)
        n = tsl_jsonl_decode(v->raw, buf);
    n = n < cap - 1 ? n : cap - 1;
    memcpy(to, buf, n);
    to[n] = '\0';
}

/* One field of the header's JSON. */
static int find(struct tsl_slice text, const char *spec, struct tsl_jsonl_value *v,
                struct tsl_err *err)
{
    struct tsl_jsonl_path path;
    char storage[32];
    int rc = tsl_jsonl_path_init(&path, spec, storage, err);
    return rc < 0 ? rc : tsl_jsonl_find(text, &path, 1, v, err);
}

static int parse_head(struct tsl_tokstream_reader *r, struct tsl_slice text,
                      struct tsl_err *err)
{
    static const char *const names[] = { "specials.pad", "specials.unk",  "specials.cls",
                                         "specials.sep", "specials.mask", "specials.bos",
                                         "specials.eos" };
    struct tsl_specials *s = &r->head.specials;
    int64_t *const ids[] = { &s->pad,  &s->unk, &s->cls, &s->sep,
                             &s->mask, &s->bos, &s->eos };
    struct tsl_jsonl_value v;
    struct tsl_err why = { 0 };
    uint64_t n;
    int rc = find(text, "vocab_size", &v, &why);
    if (rc < 0)
        return tsl_err_set(err, rc, "%s: the header of the token stream: %s", r->name,
                           why.msg);
    if (!tsl_jsonl_u64(&v, UINT32_MAX, &n) || n == 0)
        return damaged(r, 12, "the header has no vocab_size", err);
    r->head.vocab_size = (uint32_t)n;
    (void)find(text, "id_bytes", &v, NULL);
    if (!tsl_jsonl_u64(&v, 4, &n) || (n != 2 && n != 4) ||
        (n == 2 && r->head.vocab_size > 65536))
        return damaged(r, 12, "the header's id_bytes is neither 2 nor 4", err);
    r->head.id_bytes = (unsigned)n;
    for (int i = 0; i < 7; i++) {
        (void)find(text, names[i], &v, NULL);
        *ids[i] = -1;
        if (v.kind == TSL_JSONL_NONE)
            continue;
        if (!tsl_jsonl_u64(&v, r->head.vocab_size - 1, &n))
            return damaged(r, 12, "a special token's id in the header is no id", err);
        *ids[i] = (int64_t)n;
    }
    (void)find(text, "sentences", &v, NULL);
    r->head.sentences = v.kind == TSL_JSONL_LITERAL && v.raw.data[0] == 't';
    (void)find(text, "vocab_id", &v, NULL);
    copy_text(r->head.vocab_id, sizeof r->head.vocab_id, &v);
    (void)find(text, "tokenizer", &v, NULL);
    copy_text(r->head.tokenizer, sizeof r->head.tokenizer, &v);
    (void)find(text, "options", &v, NULL);
    copy_text(r->head.options, sizeof r->head.options, &v);
    (void)find(text, "made_by", &v, NULL);
    copy_text(r->head.made_by, sizeof r->head.made_by, &v);
    return 0;
}

static int read_head(struct tsl_tokstream_reader *r, struct tsl_err *err)
{
    uint8_t first[12];
    int64_t k = tsl_source_read(&r->src, first, sizeof first, err);
    if (k < 0)
        return (int)k;
    if (k < 8 || memcmp(first, magic, 8) != 0)
        return damaged(r, 0, "this is no token stream (see ctok encode --output=stream)",
                       err);
    r->at = (uint64_t)k;
    if (k < 12)
        return damaged(r, r->at, "the token stream was cut short here", err);
    uint32_t n = tsl_load32(first + 8);
    if (n > HEAD_MAX || (n + 12) % 8 != 0)
        return damaged(r, 8, "no header of a token stream is that long", err);
    uint8_t *text = tsl_mem_alloc(12 + n + 8, 1, "a header", err);
    if (!text)
        return TSL_ENOMEM;
    memcpy(text, first, 12);
    int rc = get(r, text + 12, n + 8, err);
    if (rc == 0 && tsl_hash64(text, 12 + n, 0) != tsl_load64(text + 12 + n))
        rc = damaged(r, 0, "the header's checksum is wrong", err);
    if (rc == 0)
        rc = parse_head(r, (struct tsl_slice){ text + 12, n }, err);
    tsl_mem_free(text);
    r->begin = r->at;
    return rc;
}

static int set_up(struct tsl_tokstream_reader *r, struct tsl_err *err)
{
    r->name = r->src.file.name;
    r->stored = tsl_pages_map(BLOCK_MAX + BLOCK_HEAD, "a block", err);
    r->raw = tsl_pages_map(BLOCK_MAX, "a block", err);
    r->docs = tsl_pages_map(MAX_ENTRIES * sizeof *r->docs, "a block", err);
    r->sents = tsl_pages_map(MAX_ENTRIES * sizeof *r->sents, "a block", err);
    r->ids = tsl_pages_map(MAX_TOKENS * sizeof *r->ids, "a block", err);
    r->starts = tsl_pages_map(MAX_TOKENS + 8, "a block", err);
    tsl_tokens_init(&r->whole, TSL_WANT_MARKS);
    tsl_hasher_init(&r->places);
    if (!r->stored || !r->raw || !r->docs || !r->sents || !r->ids || !r->starts)
        return TSL_ENOMEM;
    int rc = tsl_packer_create(&r->packer, TSL_CODEC_ZSTD, 0, err);
    return rc < 0 ? rc : read_head(r, err);
}

static int reader_start(struct tsl_tokstream_reader **out, struct tsl_tokstream_reader *r,
                        int rc, struct tsl_err *err)
{
    if (rc == 0)
        rc = set_up(r, err);
    if (rc == 0)
        *out = r;
    else
        tsl_tokstream_reader_destroy(r);
    return rc;
}

/* Pages: the hash's state wants 64-byte alignment, which the heap does not promise. */
static struct tsl_tokstream_reader *reader_alloc(struct tsl_err *err)
{
    return tsl_pages_map(sizeof(struct tsl_tokstream_reader), "a token stream", err);
}

int tsl_tokstream_reader_open(struct tsl_tokstream_reader **out, const char *path,
                              struct tsl_err *err)
{
    struct tsl_tokstream_reader *r = reader_alloc(err);
    if (!r)
        return TSL_ENOMEM;
    r->src = (struct tsl_source){ .file = TSL_FILE_INIT };
    return reader_start(out, r, tsl_source_open(&r->src, path, WINDOW_MAX, err), err);
}

int tsl_tokstream_reader_of_memory(struct tsl_tokstream_reader **out, const uint8_t *p,
                                   size_t n, struct tsl_err *err)
{
    struct tsl_tokstream_reader *r = reader_alloc(err);
    if (!r)
        return TSL_ENOMEM;
    return reader_start(out, r, tsl_source_of_memory(&r->src, p, n, err), err);
}

void tsl_tokstream_reader_destroy(struct tsl_tokstream_reader *r)
{
    if (!r)
        return;
    tsl_source_close(&r->src, NULL);
    tsl_pages_unmap(r->stored, BLOCK_MAX + BLOCK_HEAD);
    tsl_pages_unmap(r->raw, BLOCK_MAX);
    tsl_pages_unmap(r->docs, MAX_ENTRIES * sizeof *r->docs);
    tsl_pages_unmap(r->sents, MAX_ENTRIES * sizeof *r->sents);
    tsl_pages_unmap(r->ids, MAX_TOKENS * sizeof *r->ids);
    tsl_pages_unmap(r->starts, MAX_TOKENS + 8);
    tsl_packer_destroy(r->packer);
    tsl_tokens_fini(&r->whole);
    tsl_mem_free(r->whole_sents);
    tsl_mem_free(r->index);
    tsl_pages_unmap(r, sizeof *r);
}

const struct tsl_tokstream_head *
tsl_tokstream_reader_head(const struct tsl_tokstream_reader *r)
{
    return &r->head;
}

static int read_trailer(struct tsl_tokstream_reader *r, const uint8_t first[8],
                        struct tsl_err *err)
{
    uint64_t place = r->at - 8, n = r->n.nblocks;
    uint8_t head[TRAILER_HEAD], more;
    if (tsl_load32(first + 4) != 0)
        return damaged(r, place + 4, "a field of the trailer that must be 0 is not", err);
    memcpy(head, first, 8);
    int rc = get(r, head + 8, TRAILER_HEAD - 8, err);
    if (rc < 0)
        return rc;
    if (r->goes_on)
        return damaged(r, place, "the last document has no end", err);
    if (tsl_load64(head + 8) != n || tsl_load64(head + 16) != r->n.ndocs ||
        tsl_load64(head + 24) != r->n.nsents || tsl_load64(head + 32) != r->n.ntokens)
        return damaged(r, place,
                       "the trailer counts other blocks, documents, sentences or "
                       "tokens than there are",
                       err);
    size_t len = TRAILER_HEAD + 16 * (size_t)n + 16;
    uint8_t *t = tsl_mem_alloc(len, 1, "the index of a token stream", err);
    if (!t)
        return TSL_ENOMEM;
    memcpy(t, head, sizeof head);
    rc = get(r, t + TRAILER_HEAD, len - TRAILER_HEAD, err);
    if (rc == 0 && tsl_hash64(t, len - 8, 0) != tsl_load64(t + len - 8))
        rc = damaged(r, place, "the trailer's checksum is wrong", err);
    struct tsl_hasher h;
    tsl_hasher_init(&h);
    tsl_hasher_add(&h, t + TRAILER_HEAD, 16 * (size_t)n);
    if (rc == 0 && (tsl_load64(t + len - 16) != place ||
                    !tsl_u128_equal(tsl_hasher_end(&h), tsl_hasher_end(&r->places))))
        rc = damaged(r, place, "the trailer's index is not that of the blocks", err);
    tsl_mem_free(t);
    if (rc == 0) {
        int64_t k = tsl_source_read(&r->src, &more, 1, err);
        if (k < 0)
            rc = (int)k;
        else if (k > 0)
            rc = damaged(r, r->at, "more behind the end of the token stream", err);
    }
    if (rc == 0)
        rc = tsl_source_close(&r->src, err);
    r->ended = true;
    return rc;
}

/* Checks what the payload holds, and brings it into arrays. */
static int unpack(struct tsl_tokstream_reader *r, const uint8_t *p, uint64_t place,
                  struct tsl_err *err)
{
    uint64_t sum = 0;
    uint32_t highest = 0;
    const uint8_t *raw = p;
    for (size_t i = 0; i < r->ndocs; i++, p += 4)
        sum += r->docs[i] = tsl_load32(p);
    if (sum != r->nsents)
        return damaged(r, place, "a block's documents have other sentences than it", err);
    sum = 0;
    for (size_t i = 0; i < r->nsents; i++, p += 4) {
        sum += r->sents[i] = tsl_load32(p);
        if (r->sents[i] == 0)
            return damaged(r, place, "a sentence without tokens", err);
    }
    if (sum != r->ntokens)
        return damaged(r, place, "a block's sentences have other tokens than it", err);
    for (size_t i = 0; i < r->ntokens; i++, p += r->head.id_bytes) {
        uint32_t id =
            r->head.id_bytes == 2 ? (uint32_t)(p[0] | p[1] << 8) : tsl_load32(p);
        highest = id > highest ? id : highest;
        r->ids[i] = id;
    }
    if (r->ntokens && highest >= r->head.vocab_size)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: byte %" PRIu64 ": id %" PRIu32
                           ", but the vocabulary ends before %" PRIu32,
                           r->name, place, highest, r->head.vocab_size);
    for (size_t i = 0; i < r->ntokens; i += 8, p++)
        for (unsigned b = 0; b < 8; b++)
            r->starts[i + b] = *p >> b & 1;
    for (size_t i = r->ntokens; i % 8; i++)
        if (r->starts[i])
            return damaged(r, place, "bits behind a block's last token", err);
    for (; (p - raw) % 8; p++)
        if (*p)
            return damaged(r, place, "padding that is not 0", err);
    if ((r->flags & SENT_CONTINUED && r->docs[0] == 0) ||
        (r->flags & SENT_GOES_ON && r->docs[r->ndocs - 1] == 0))
        return damaged(r, place, "a sentence goes on where there is none", err);
    return 0;
}

/* Counts the block that was read last, at place, for the trailer to be compared with. */
static void count_block(struct tsl_tokstream_reader *r, uint64_t place)
{
    uint8_t entry[16];
    tsl_store64(entry, place);
    tsl_store64(entry + 8, r->n.ndocs);
    tsl_hasher_add(&r->places, entry, sizeof entry);
    r->number = r->n.ndocs - !!(r->flags & CONTINUED);
    r->n.nblocks++;
    r->n.ndocs += r->ndocs - !!(r->flags & CONTINUED);
    r->n.nsents += r->nsents - !!(r->flags & SENT_CONTINUED);
    r->n.ntokens += r->ntokens;
}

/* The next block: 1, or 0 when it was the trailer. */
static int read_block(struct tsl_tokstream_reader *r, struct tsl_err *err)
{
    uint64_t place = r->at;
    uint8_t *b = r->stored;
    if (r->random && place == r->trailer_at)
        return 0;
    int rc = get(r, b, 8, err);
    if (rc < 0)
        return rc;
    if (tsl_load32(b) == trailer_magic && !r->random) {
        rc = read_trailer(r, b, err);
        return rc;
    }
    if (tsl_load32(b) != block_magic)
        return damaged(r, place, "neither a block nor the trailer begins here", err);
    rc = get(r, b + 8, BLOCK_HEAD - 8, err);
    if (rc < 0)
        return rc;
    unsigned flags = tsl_load32(b + 4);
    uint64_t ndocs = tsl_load32(b + 8), nsents = tsl_load32(b + 12),
             ntokens = tsl_load32(b + 16), stored = tsl_load32(b + 20);
    uint64_t n = pad8(payload_bytes(ndocs, nsents, ntokens, r->head.id_bytes));
    if (flags > 31 || ndocs == 0 || n > BLOCK_MAX ||
        (flags & ZSTD ? stored >= n : stored != n) ||
        (flags & SENT_CONTINUED && !(flags & CONTINUED)) ||
        (flags & SENT_GOES_ON && !(flags & GOES_ON)))
        return damaged(r, place, "no block has such a head", err);
    uint64_t want = tsl_load64(b + 24);
    memmove(b + 8, b, 24); /* beside the payload: see the writer */
    rc = get(r, b + BLOCK_HEAD, (size_t)stored, err);
    if (rc < 0)
        return rc;
    uint64_t sum = tsl_hash64(b + 8, 24 + (size_t)stored, r->block);
    if (sum != want)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: byte %" PRIu64 ": block %" PRIu64
                           " has checksum %016" PRIx64 ", expected %016" PRIx64,
                           r->name, place, r->block, sum, want);
    if (!r->fresh && (r->goes_on != !!(flags & CONTINUED) ||
                      r->sent_goes_on != !!(flags & SENT_CONTINUED)))
        return damaged(r, place, "a document goes on, but not where it should", err);
    r->flags = flags;
    r->ndocs = (size_t)ndocs;
    r->nsents = (size_t)nsents;
    r->ntokens = (size_t)ntokens;
    r->doc = r->sent = r->token = 0;
    if (flags & ZSTD) {
        struct tsl_err why = { 0 };
        rc = tsl_packer_undo(r->packer, r->raw, (size_t)n, b + BLOCK_HEAD, (size_t)stored,
                             &why);
        if (rc < 0)
            return tsl_err_set(err, rc, "%s: byte %" PRIu64 ": %s", r->name, place,
                               why.msg);
    }
    rc = unpack(r, flags & ZSTD ? r->raw : b + BLOCK_HEAD, place, err);
    if (rc < 0)
        return rc;
    if (r->random)
        r->number = r->index[r->block].doc - !!(flags & CONTINUED);
    else
        count_block(r, place);
    r->goes_on = flags & GOES_ON;
    r->sent_goes_on = flags & SENT_GOES_ON;
    r->fresh = false;
    r->block++;
    return 1;
}

int tsl_tokstream_reader_piece(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_doc *d, struct tsl_err *err)
{
    if (r->ended)
        return 0;
    if (r->doc == r->ndocs) {
        int rc = read_block(r, err);
        if (rc <= 0)
            return rc;
    }
    bool first = r->doc == 0, last = r->doc + 1 == r->ndocs;
    d->number = r->number++;
    d->first = !(first && r->flags & CONTINUED);
    d->last = !(last && r->flags & GOES_ON);
    d->continues = first && r->flags & SENT_CONTINUED;
    d->goes_on = last && r->flags & SENT_GOES_ON;
    d->sents = r->sents + r->sent;
    d->nsents = r->docs[r->doc++];
    d->ids = r->ids + r->token;
    d->starts = r->starts + r->token;
    d->ntokens = 0;
    for (size_t i = 0; i < d->nsents; i++)
        d->ntokens += d->sents[i];
    r->sent += d->nsents;
    r->token += d->ntokens;
    return 1;
}

/* Puts a piece behind those of the same document. */
static int gather(struct tsl_tokstream_reader *r, const struct tsl_tokstream_doc *d,
                  struct tsl_err *err)
{
    size_t joined = d->continues && r->whole_nsents;
    int rc = tsl_tokens_reserve(&r->whole, d->ntokens, err);
    if (rc == 0)
        rc = tsl_mem_grow(&r->whole_sents, &r->whole_sents_cap,
                          r->whole_nsents + d->nsents + 1, sizeof *r->whole_sents,
                          "a document", err);
    if (rc < 0)
        return rc;
    memcpy(r->whole.ids + r->whole.n, d->ids, d->ntokens * sizeof *d->ids);
    memcpy(r->whole.marks + r->whole.n, d->starts, d->ntokens);
    r->whole.n += d->ntokens;
    if (joined)
        r->whole_sents[r->whole_nsents - 1] += d->sents[0];
    memcpy(r->whole_sents + r->whole_nsents, d->sents + joined,
           (d->nsents - joined) * sizeof *d->sents);
    r->whole_nsents += d->nsents - joined;
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
    tsl_tokens_reset(&r->whole);
    r->whole_nsents = 0;
    for (;;) {
        if (d->ntokens > tokens_max - r->whole.n)
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: document %" PRIu64 " has more than %zu tokens",
                               r->name, d->number, tokens_max);
        rc = gather(r, d, err);
        if (rc < 0)
            return rc;
        if (d->last)
            break;
        rc = tsl_tokstream_reader_piece(r, d, err);
        if (rc <= 0) /* 0: seen as an error before; the index may lie about it */
            return rc < 0 ? rc : damaged(r, r->at, "the last document has no end", err);
    }
    d->first = d->last = true;
    d->continues = d->goes_on = false;
    d->sents = r->whole_sents;
    d->nsents = r->whole_nsents;
    d->ids = r->whole.ids;
    d->starts = r->whole.marks;
    d->ntokens = r->whole.n;
    return 1;
}

/* ---- random access ---- */

static int load_index(struct tsl_tokstream_reader *r, struct tsl_err *err)
{
    const struct tsl_file *f = &r->src.file;
    uint8_t tail[16], head[TRAILER_HEAD], *t = NULL;
    if (!f->regular || f->borrowed || r->src.decoder || f->fd < 0)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "%s: documents can be picked from an uncompressed regular file "
            "only",
            r->name);
    uint64_t size = f->size;
    if (size < r->begin + TRAILER_HEAD + 16)
        return damaged(r, size, "the token stream was cut short here", err);
    int rc = tsl_file_pread(f, tail, sizeof tail, size - sizeof tail, err);
    if (rc < 0)
        return rc;
    uint64_t place = tsl_load64(tail);
    if (place < r->begin || place > size - TRAILER_HEAD - 16)
        return damaged(r, size - 16,
                       "this is no end of a token stream: it was cut short or changed",
                       err);
    rc = tsl_file_pread(f, head, sizeof head, place, err);
    if (rc < 0)
        return rc;
    uint64_t n = tsl_load64(head + 8), len = size - place;
    if (tsl_load32(head) != trailer_magic || tsl_load32(head + 4) != 0 ||
        len % 16 != TRAILER_HEAD % 16 || n != (len - TRAILER_HEAD - 16) / 16)
        return damaged(r, place, "no trailer begins here", err);
    t = tsl_mem_alloc((size_t)len, 1, "the index of a token stream", err);
    r->index = tsl_mem_alloc((size_t)n + 1, sizeof *r->index,
                             "the index of a token stream", err);
    if (!t || !r->index) {
        rc = TSL_ENOMEM;
        goto out;
    }
    rc = tsl_file_pread(f, t, (size_t)len, place, err);
    if (rc < 0)
        goto out;
    if (tsl_hash64(t, (size_t)len - 8, 0) != tsl_load64(tail + 8)) {
        rc = damaged(r, place, "the trailer's checksum is wrong", err);
        goto out;
    }
    r->n = (struct tsl_tokstream_counts){ n, tsl_load64(t + 16), tsl_load64(t + 24),
                                          tsl_load64(t + 32) };
    uint64_t at = r->begin, doc = 0;
    for (uint64_t i = 0; i < n; i++) {
        struct place e = { tsl_load64(t + TRAILER_HEAD + 16 * i),
                           tsl_load64(t + TRAILER_HEAD + 16 * i + 8) };
        if (e.at < at || e.at >= place || e.doc < doc || e.doc > r->n.ndocs ||
            (i == 0 && (e.doc != 0 || e.at != r->begin))) {
            rc = damaged(r, place + TRAILER_HEAD + 16 * i, "the index is out of order",
                         err);
            goto out;
        }
        at = e.at + BLOCK_HEAD;
        doc = e.doc;
        r->index[i] = e;
    }
    r->trailer_at = place;
    r->random = true;
out:
    tsl_mem_free(t);
    if (rc < 0) {
        tsl_mem_free(r->index);
        r->index = NULL;
    }
    return rc;
}

int tsl_tokstream_reader_count(struct tsl_tokstream_reader *r,
                               struct tsl_tokstream_counts *counts, struct tsl_err *err)
{
    if (!r->random) {
        uint64_t at = r->at;
        struct tsl_tokstream_counts seen = r->n;
        int rc = load_index(r, err);
        if (rc < 0) {
            r->n = seen;
            return rc;
        }
        r->at = at;
    }
    *counts = r->n;
    return 0;
}

int tsl_tokstream_reader_seek(struct tsl_tokstream_reader *r, uint64_t number,
                              struct tsl_err *err)
{
    struct tsl_tokstream_counts n;
    int rc = tsl_tokstream_reader_count(r, &n, err);
    if (rc < 0)
        return rc;
    if (number >= n.ndocs || n.nblocks == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: document %" PRIu64 ", but there are %" PRIu64, r->name,
                           number, n.ndocs);
    uint64_t lo = 0,
             hi = n.nblocks; /* the last block whose first document is not later */
    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;
        if (r->index[mid].doc <= number)
            lo = mid;
        else
            hi = mid;
    }
    r->at = r->index[lo].at;
    r->block = lo;
    r->fresh = true;
    r->ended = false;
    r->doc = r->ndocs = 0;
    rc = read_block(r, err);
    if (rc <= 0)
        return rc < 0 ? rc : damaged(r, r->at, "the index leads to no block", err);
    while (r->number < number) {
        struct tsl_tokstream_doc d;
        if (r->doc == r->ndocs)
            return damaged(r, r->index[lo].at, "the index counts other documents", err);
        rc = tsl_tokstream_reader_piece(r, &d, err);
        if (rc < 0)
            return rc;
    }
    if (r->doc == r->ndocs || r->number != number)
        return damaged(r, r->index[lo].at, "the index counts other documents", err);
    return 0;
}

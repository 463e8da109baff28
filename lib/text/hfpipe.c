#include "text/hfpipe.h"

#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "text/hfcut.h"

struct tsl_hfpipe *tsl_hfpipe_create(struct tsl_err *err)
{
    struct tsl_hfpipe *p = tsl_mem_alloc(1, sizeof *p, "a tokenizer", err);
    if (!p)
        return NULL;
    p->added = tsl_addedtok_create(err);
    p->detok = p->added ? tsl_detok_create(err) : NULL;
    if (!p->detok || tsl_postproc_init(&p->postproc, err) < 0) {
        tsl_hfpipe_destroy(p);
        return NULL;
    }
    return p;
}

void tsl_hfpipe_destroy(struct tsl_hfpipe *p)
{
    if (!p)
        return;
    if (p->model == TSL_HFPIPE_WORDPIECE)
        tsl_wordpiece_fini(&p->wordpiece);
    if (p->model == TSL_HFPIPE_UNIGRAM)
        tsl_unigram_fini(&p->unigram);
    tsl_bpe_destroy(p->bpe);
    tsl_tokfile_merges_fini(&p->merges);
    tsl_vocab_destroy(p->vocab);
    tsl_mem_free(p->unk_text);
    tsl_mem_free(p->prefix_text);
    tsl_mem_free(p->suffix_text);
    tsl_normalizer_destroy(p->normalizer);
    tsl_pretok_destroy(p->pretok);
    tsl_addedtok_destroy(p->added);
    tsl_postproc_fini(&p->postproc);
    tsl_detok_destroy(p->detok);
    tsl_mem_free(p);
}

/* ---- added tokens by their normalised content ----------------------------------------- */

struct normalizing {
    const struct tsl_hfpipe *pipe;
    struct tsl_atext text, scratch;
};

static int normalize(void *ctx, struct tsl_slice content, struct tsl_slice *out,
                     struct tsl_err *err)
{
    struct normalizing *n = ctx;
    int rc = tsl_atext_set(&n->text, content, err);
    if (rc == 0)
        rc = tsl_normalizer_apply(n->pipe->normalizer, &n->text, &n->scratch, err);
    *out = (struct tsl_slice){ n->text.bytes, n->text.len };
    return rc;
}

static struct tsl_slice spell(const void *ctx, uint32_t id)
{
    return tsl_hfpipe_token(ctx, id);
}

int tsl_hfpipe_build(struct tsl_hfpipe *p, struct tsl_err *err)
{
    struct normalizing n = { .pipe = p };
    tsl_atext_init(&n.text);
    tsl_atext_init(&n.scratch);
    int rc = tsl_addedtok_build(p->added, p->normalizer ? normalize : NULL, &n, err);
    tsl_atext_fini(&n.text);
    tsl_atext_fini(&n.scratch);
    if (rc == 0)
        tsl_postproc_forget(&p->postproc, &p->padding, spell, p);
    return rc;
}

int tsl_hfpipe_finish(struct tsl_hfpipe *p, struct tsl_err *err)
{
    int rc = tsl_hfcut_can(p, &p->cuts, &p->cut_behind, err);
    if (rc < 0)
        return rc;
    if (p->model == TSL_HFPIPE_WORDPIECE)
        return p->wordpiece.trie.units
                   ? 0
                   : tsl_wordpiece_init(&p->wordpiece, p->vocab, p->unk, p->prefix,
                                        p->chars_max, err);
    if (p->model != TSL_HFPIPE_BPE || p->bpe)
        return 0;
    p->bpe = tsl_bpe_create(p->vocab, p->merges.list, p->merges.n, &p->bpe_opts, err);
    return p->bpe ? 0 : TSL_ENOMEM;
}

struct tsl_slice tsl_hfpipe_token(const struct tsl_hfpipe *p, uint32_t id)
{
    const struct tsl_addedtok_def *d = tsl_addedtok_by_id(p->added, id);
    if (d)
        return d->shown;
    return p->vocab ? tsl_vocab_token(p->vocab, id) : (struct tsl_slice){ NULL, 0 };
}

uint32_t tsl_hfpipe_size(const struct tsl_hfpipe *p)
{
    uint32_t own = p->vocab ? tsl_vocab_size(p->vocab) : 0;
    uint32_t added = tsl_addedtok_size(p->added);
    return own > added ? own : added;
}

enum { STRETCH_MIN = 64 << 10 }; /* shorter ones are not worth the trouble */

/* ---- encoding ------------------------------------------------------------------------- */

struct coder {
    const struct tsl_hfpipe *pipe;
    bool goes_on;                   /* the text that comes has had more in front of it */
    struct tsl_atext row;           /* the row, as UTF-8 */
    struct tsl_atext text, scratch; /* a part of it between added tokens */
    struct tsl_atext part;          /* a part of that */
    struct tsl_addedtok_pieces raw, normal;
    struct tsl_pieces pieces;
    struct tsl_tokens tokens; /* of one piece */
    struct tsl_bpe_scratch bpe;
    struct tsl_unigram_scratch unigram;
    uint64_t invalid, unknown;
};

static void coder_destroy(void *coder)
{
    struct coder *c = coder;
    if (!c)
        return;
    tsl_atext_fini(&c->row);
    tsl_atext_fini(&c->text);
    tsl_atext_fini(&c->scratch);
    tsl_atext_fini(&c->part);
    tsl_addedtok_pieces_fini(&c->raw);
    tsl_addedtok_pieces_fini(&c->normal);
    tsl_pieces_fini(&c->pieces);
    tsl_tokens_fini(&c->tokens);
    tsl_bpe_scratch_fini(&c->bpe);
    tsl_unigram_scratch_fini(&c->unigram);
    tsl_mem_free(c);
}

static void *coder_create(const void *model, size_t memory, struct tsl_err *err)
{
    struct coder *c = tsl_mem_alloc(1, sizeof *c, "a coder", err);
    (void)memory;
    if (!c)
        return NULL;
    c->pipe = model;
    tsl_atext_init(&c->row);
    tsl_atext_init(&c->text);
    tsl_atext_init(&c->scratch);
    tsl_atext_init(&c->part);
    tsl_pieces_init(&c->pieces);
    tsl_tokens_init(&c->tokens, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_bpe_scratch_init(&c->bpe);
    tsl_unigram_scratch_init(&c->unigram);
    return c;
}

static int run_model(struct coder *c, struct tsl_slice piece, struct tsl_err *err)
{
    const struct tsl_hfpipe *p = c->pipe;
    switch (p->model) {
    case TSL_HFPIPE_WORDPIECE:
        return tsl_wordpiece_encode(&p->wordpiece, piece, &c->tokens, err);
    case TSL_HFPIPE_WORDLEVEL:
        return tsl_wordlevel_encode(&p->wordlevel, piece, &c->tokens, err);
    case TSL_HFPIPE_BPE: return tsl_bpe_encode(p->bpe, &c->bpe, piece, &c->tokens, err);
    case TSL_HFPIPE_UNIGRAM:
        return tsl_unigram_encode(&p->unigram, &c->unigram, piece, &c->tokens, err);
    case TSL_HFPIPE_NONE: break;
    }
    return 0;
}

/* Bytes [begin, end) of t come from [*from, *to); an empty range from where it stands, as
 * far as that is told. */
static void sources(const struct tsl_atext *t, size_t begin, size_t end, uint32_t *from,
                    uint32_t *to)
{
    *from = *to = 0;
    if (begin < end) {
        *from = t->begin[begin];
        *to = t->end[end - 1];
    } else if (begin && begin <= t->len) {
        *from = *to = t->end[begin - 1];
    }
}

/* A token of the model that is an added token, too, is here as the model spells it. */
static int say_own(const struct tsl_hfpipe *p, uint32_t id, struct tsl_tokens *out,
                   struct tsl_err *err)
{
    const struct tsl_addedtok_def *d = tsl_addedtok_by_id(p->added, id);
    struct tsl_slice own =
        d ? tsl_vocab_token(p->vocab, id) : (struct tsl_slice){ NULL, 0 };
    if (!own.data || (own.len == d->shown.len &&
                      (!own.len || memcmp(own.data, d->shown.data, own.len) == 0)))
        return 0;
    return tsl_tokens_say(out, own, false, err);
}

/* One piece of text through the model. */
static int encode_piece(struct coder *c, const struct tsl_atext *t,
                        struct tsl_piece piece, struct tsl_tokens *out,
                        struct tsl_err *err)
{
    const struct tsl_slice s = { t->bytes + piece.begin, piece.end - piece.begin };
    tsl_tokens_reset(&c->tokens);
    int rc = run_model(c, s, err);
    for (size_t i = 0; rc == 0 && i < c->tokens.n; i++) {
        size_t begin = c->tokens.begin[i], end = c->tokens.end[i];
        unsigned marks = c->tokens.marks[i] & TSL_TOKEN_UNKNOWN;
        uint32_t from, to;
        sources(t, piece.begin + begin, piece.begin + end, &from, &to);
        if (i == 0 || (c->pipe->metaspace && end - begin >= 3 &&
                       memcmp(s.data + begin, "\xe2\x96\x81", 3) == 0))
            marks |= TSL_TOKEN_WORD_START;
        c->unknown += (marks & TSL_TOKEN_UNKNOWN) != 0;
        rc = tsl_tokens_add(out, c->tokens.ids[i], from, to, marks, err);
        if (rc == 0 && out->want & TSL_WANT_TEXTS)
            rc = say_own(c->pipe, c->tokens.ids[i], out, err);
        if (rc == 0 && (marks & TSL_TOKEN_UNKNOWN) &&
            c->pipe->model == TSL_HFPIPE_UNIGRAM)
            rc = tsl_tokens_say(out, (struct tsl_slice){ s.data + begin, end - begin },
                                false, err);
    }
    return rc;
}

/* Text without added tokens. */
static int encode_text(struct coder *c, struct tsl_atext *t, struct tsl_tokens *out,
                       struct tsl_err *err)
{
    int rc = tsl_pieces_set(&c->pieces, t->len, t->len ? t->begin[0] : 0, err);
    if (rc == 0)
        rc = tsl_pretok_apply(c->pipe->pretok, t, &c->scratch, &c->pieces, err);
    for (size_t i = 0; rc == 0 && i < c->pieces.n; i++)
        rc = encode_piece(c, t, c->pieces.p[i], out, err);
    return rc;
}

static int added_token(const struct coder *c, const struct tsl_atext *t,
                       const struct tsl_addedtok_piece *piece, struct tsl_tokens *out,
                       struct tsl_err *err)
{
    const struct tsl_addedtok_def *d =
        tsl_addedtok_by_id(c->pipe->added, (uint32_t)piece->id);
    uint32_t from, to;
    sources(t, piece->begin, piece->end, &from, &to);
    struct tsl_slice s = { t->bytes + piece->begin, piece->end - piece->begin };
    int rc = tsl_tokens_add(
        out, (uint32_t)piece->id, from, to,
        TSL_TOKEN_WORD_START | (d && d->special ? TSL_TOKEN_SPECIAL : 0U), err);
    bool same = d && d->shown.len == s.len && memcmp(d->shown.data, s.data, s.len) == 0;
    return rc < 0 || same ? rc : tsl_tokens_say(out, s, false, err);
}

/* What stands in c->text, between tokens of the raw text. */
static int encode_normal(struct coder *c, struct tsl_tokens *out, struct tsl_err *err)
{
    const struct tsl_hfpipe *p = c->pipe;
    int rc = c->goes_on ? tsl_normalizer_go_on(p->normalizer, &c->text, &c->scratch, err)
                        : tsl_normalizer_apply(p->normalizer, &c->text, &c->scratch, err);
    c->goes_on = false;
    if (rc < 0 || !tsl_addedtok_any(p->added, true))
        return rc < 0 ? rc : encode_text(c, &c->text, out, err);
    rc = tsl_addedtok_split(p->added, true,
                            (struct tsl_slice){ c->text.bytes, c->text.len },
                            p->plain_specials, &c->normal, err);
    if (rc == 0 && c->normal.n == 1 && c->normal.list[0].id < 0)
        return encode_text(c, &c->text, out, err);
    for (size_t i = 0; rc == 0 && i < c->normal.n; i++) {
        const struct tsl_addedtok_piece *piece = &c->normal.list[i];
        if (piece->id >= 0) {
            rc = added_token(c, &c->text, piece, out, err);
            continue;
        }
        tsl_atext_reset(&c->part);
        c->part.origin = c->text.begin[piece->begin];
        rc = tsl_atext_copy(&c->part, &c->text, piece->begin, piece->end, err);
        if (rc == 0)
            rc = encode_text(c, &c->part, out, err);
    }
    return rc;
}

static int encode_row(struct coder *c, struct tsl_tokens *out, struct tsl_err *err)
{
    const struct tsl_hfpipe *p = c->pipe;
    int rc = tsl_addedtok_split(p->added, false,
                                (struct tsl_slice){ c->row.bytes, c->row.len },
                                p->plain_specials, &c->raw, err);
    if (rc == 0 && c->raw.n == 1 && c->raw.list[0].id < 0) {
        struct tsl_atext all = c->row; /* no copy of what may be very long */
        c->row = c->text;
        c->text = all;
        return encode_normal(c, out, err);
    }
    for (size_t i = 0; rc == 0 && i < c->raw.n; i++) {
        const struct tsl_addedtok_piece *piece = &c->raw.list[i];
        if (piece->id >= 0) {
            c->goes_on = false;
            rc = added_token(c, &c->row, piece, out, err);
            continue;
        }
        tsl_atext_reset(&c->text);
        c->text.origin = c->row.begin[piece->begin];
        rc = tsl_atext_copy(&c->text, &c->row, piece->begin, piece->end, err);
        if (rc == 0)
            rc = encode_normal(c, out, err);
    }
    return rc;
}

static uint64_t count_invalid(struct tsl_slice s)
{
    uint64_t n = 0;
    while (s.len) {
        uint32_t cp;
        size_t good = tsl_tokfile_utf8_end(s);
        s.data += good;
        s.len -= good;
        if (s.len) {
            size_t bad = tsl_utf8_decode(s.data, s.data + s.len, &cp);
            n++;
            s.data += bad;
            s.len -= bad;
        }
    }
    return n;
}

static int encode(void *coder, struct tsl_slice text, bool first, bool last, size_t *used,
                  struct tsl_tokens *out, struct tsl_err *err)
{
    struct coder *c = coder;
    *used = 0;
    if (!last) /* whole, where it cannot be cut */
        text.len = c->pipe->cuts && text.len > STRETCH_MIN
                       ? tsl_hfcut_last(text, c->pipe->cut_behind)
                       : 0;
    if (!last && text.len < STRETCH_MIN)
        return 0;
    c->goes_on = !first;
    if (text.len >= UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT, "a row of 4 GiB or more");
    int rc = tsl_atext_set(&c->row, text, err);
    if (rc == 0)
        rc = encode_row(c, out, err);
    if (rc < 0)
        return rc;
    c->invalid += count_invalid(text);
    *used = text.len;
    return 0;
}

static void counts(const void *coder, uint64_t *invalid, uint64_t *unknown)
{
    const struct coder *c = coder;
    *invalid += c->invalid;
    *unknown += c->unknown;
}

static void model_destroy(void *model)
{
    tsl_hfpipe_destroy(model);
}

const struct tsl_engine tsl_hfpipe_engine = { .name = "hfpipe",
                                              .coder_create = coder_create,
                                              .coder_destroy = coder_destroy,
                                              .encode = encode,
                                              .counts = counts,
                                              .model_destroy = model_destroy };

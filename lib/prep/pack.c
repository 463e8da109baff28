#include "prep/pack.h"

#include <assert.h>
#include <inttypes.h>

#include "base/mem.h"

struct tsl_pack {
    struct tsl_pack_opts o;
    uint32_t room; /* for pieces */
    struct tsl_piece *pieces, *lent;
    size_t n;
    uint32_t used;     /* tokens of pieces */
    uint32_t repeated; /* of them */
    bool ended;
    /* the document that is being packed */
    uint64_t doc;
    const uint32_t *sents;
    size_t nsents, sent;
    uint32_t at, left; /* the next token; what is left of the sentence */
    bool open;         /* there is one, or its doc_end is to come */
    struct tsl_pack_stats t;
};

struct tsl_pack_opts tsl_pack_gpt(const struct tsl_special_ids *special)
{
    return (struct tsl_pack_opts){ .mode = TSL_PACK_STREAM,
                                   .tokens_max = 1024,
                                   .first = -1,
                                   .last = -1,
                                   .doc_end = special->eos };
}

struct tsl_pack_opts tsl_pack_roberta(const struct tsl_special_ids *special)
{
    return (struct tsl_pack_opts){ .mode = TSL_PACK_SENTENCES,
                                   .tokens_max = 512,
                                   .first =
                                       special->cls >= 0 ? special->cls : special->bos,
                                   .last = -1,
                                   .doc_end =
                                       special->sep >= 0 ? special->sep : special->eos };
}

struct tsl_pack_opts tsl_pack_bert4keras(const struct tsl_special_ids *special)
{
    return (struct tsl_pack_opts){ .mode = TSL_PACK_SENTENCES,
                                   .tokens_max = 512,
                                   .first = special->cls,
                                   .last = special->sep,
                                   .doc_end = -1,
                                   .cut_long = true };
}

int tsl_pack_create(struct tsl_pack **out, const struct tsl_pack_opts *o,
                    struct tsl_err *err)
{
    uint32_t ends = (o->first >= 0) + (o->last >= 0);
    uint64_t all = (uint64_t)o->tokens_max + o->overlap;
    if (o->tokens_max < ends + 1 || all > TSL_SAMPLE_TOKENS_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "samples of %" PRIu64 " tokens: %" PRIu32 " to %d can be made",
                           all, ends + 1, TSL_SAMPLE_TOKENS_MAX);
    if (o->overlap && (o->mode != TSL_PACK_STREAM || o->overlap >= o->tokens_max - ends))
        return tsl_err_set(err, TSL_EUSAGE,
                           "an overlap of %" PRIu32 " tokens: only a stream has one, and "
                           "only of less than a sample",
                           o->overlap);
    struct tsl_pack *p = tsl_mem_alloc(1, sizeof *p, "a packer", err);
    if (!p)
        return TSL_ENOMEM;
    p->o = *o;
    p->room = (uint32_t)all - ends;
    p->pieces = tsl_mem_alloc(p->room, sizeof *p->pieces, "a packer", err);
    p->lent = tsl_mem_alloc(p->room, sizeof *p->lent, "a packer", err);
    if (!p->pieces || !p->lent) {
        tsl_pack_destroy(p);
        return TSL_ENOMEM;
    }
    *out = p;
    return 0;
}

void tsl_pack_destroy(struct tsl_pack *p)
{
    if (!p)
        return;
    tsl_mem_free(p->pieces);
    tsl_mem_free(p->lent);
    tsl_mem_free(p);
}

const struct tsl_pack_stats *tsl_pack_stats(const struct tsl_pack *p)
{
    return &p->t;
}

int tsl_pack_put(struct tsl_pack *p, uint64_t doc, const uint32_t *sents, size_t nsents,
                 struct tsl_err *err)
{
    assert(!p->open && !p->ended);
    uint64_t n = p->o.doc_end >= 0;
    for (size_t i = 0; i < nsents; i++)
        n += sents[i];
    if (n > UINT32_MAX)
        return tsl_err_set(err, TSL_EFORMAT,
                           "document %" PRIu64 " has %" PRIu64 " tokens, more than 2^32",
                           doc, n);
    p->doc = doc;
    p->sents = sents;
    p->nsents = nsents;
    p->sent = 0;
    p->at = 0;
    p->left = nsents ? sents[0] : 0;
    p->open = nsents > 0;
    p->t.docs++;
    p->t.tokens_in += nsents ? n : 0;
    return 0;
}

void tsl_pack_end(struct tsl_pack *p)
{
    assert(!p->open);
    p->ended = true;
}

/* Puts n tokens of the document at hand behind what there is. */
static void take(struct tsl_pack *p, uint32_t n)
{
    struct tsl_piece *last = p->n ? &p->pieces[p->n - 1] : NULL;
    if (last && last->doc == p->doc && last->at + last->len == p->at)
        last->len += n;
    else
        p->pieces[p->n++] = (struct tsl_piece){ p->doc, p->at, n };
    p->used += n;
    p->at += n;
    p->left -= n;
}

/* The last overlap tokens begin the next sample. */
static void carry(struct tsl_pack *p)
{
    uint32_t left = p->o.overlap;
    size_t i = p->n;
    while (left && i) {
        uint32_t n = p->pieces[--i].len;
        left -= n < left ? n : left;
    }
    if (!p->o.overlap) {
        p->n = p->used = 0;
        return;
    }
    struct tsl_piece *p0 = &p->pieces[i];
    uint32_t sum = 0;
    for (size_t k = i; k < p->n; k++)
        sum += p->pieces[k].len;
    p0->at += sum - p->o.overlap;
    p0->len -= sum - p->o.overlap;
    memmove(p->pieces, p0, (p->n - i) * sizeof *p0);
    p->n -= i;
    p->used = p->repeated = p->o.overlap;
}

static bool emit(struct tsl_pack *p, const struct tsl_piece **pieces, size_t *n)
{
    uint32_t ends = (p->o.first >= 0) + (p->o.last >= 0);
    memcpy(p->lent, p->pieces, p->n * sizeof *p->lent);
    *pieces = p->lent;
    *n = p->n;
    p->t.samples++;
    p->t.tokens += p->used + ends;
    p->t.tokens_pad += p->room - p->used;
    p->t.tokens_repeated += p->repeated;
    p->repeated = 0;
    carry(p);
    return true;
}

/* On to the next sentence, or to doc_end, which counts as one. */
static void next_sentence(struct tsl_pack *p)
{
    p->sent++;
    if (p->sent < p->nsents)
        p->left = p->sents[p->sent];
    else if (p->sent == p->nsents && p->o.doc_end >= 0)
        p->left = 1;
    else
        p->open = false;
}

static bool next_of_stream(struct tsl_pack *p, const struct tsl_piece **pieces, size_t *n)
{
    while (p->open) {
        uint32_t room = p->room - p->used;
        if (!p->left)
            next_sentence(p);
        else if (!room)
            return emit(p, pieces, n);
        else
            take(p, p->left < room ? p->left : room);
    }
    return p->used == p->room && p->used && emit(p, pieces, n);
}

static bool next_of_sentences(struct tsl_pack *p, const struct tsl_piece **pieces,
                              size_t *n)
{
    while (p->open) {
        if (!p->left) {
            next_sentence(p);
        } else if (p->used && p->left > p->room - p->used) {
            return emit(p, pieces, n);
        } else {
            uint32_t over = p->left > p->room ? p->left - p->room : 0;
            take(p, p->left - over);
            if (over && p->o.cut_long) {
                p->t.tokens_dropped += over;
                p->at += over;
                p->left = 0;
            }
        }
    }
    return p->o.mode == TSL_PACK_DOC_SENTENCES && p->used && emit(p, pieces, n);
}

bool tsl_pack_next(struct tsl_pack *p, const struct tsl_piece **pieces, size_t *n)
{
    if (p->o.mode == TSL_PACK_STREAM ? next_of_stream(p, pieces, n)
                                     : next_of_sentences(p, pieces, n))
        return true;
    if (!p->ended || p->used <= p->repeated)
        return false;
    if (p->o.mode == TSL_PACK_STREAM && p->o.drop_last && p->used < p->room) {
        p->t.tokens_dropped += p->used - p->repeated;
        p->used = p->repeated;
        return false;
    }
    emit(p, pieces, n);
    p->n = p->used = p->repeated = 0;
    return true;
}

static int add_piece(const struct tsl_pack_opts *o, const struct tsl_piece *x,
                     const struct tsl_docs *docs, struct tsl_sample *s,
                     struct tsl_err *err)
{
    struct tsl_doc d;
    int rc = tsl_docs_part(docs, x->doc, 0, x->at, x->len, &d, err);
    if (rc < 0)
        return rc;
    size_t end = (size_t)x->at + x->len;
    bool doc_end = o->doc_end >= 0 && end == d.ntokens + 1;
    if (end > d.ntokens + doc_end)
        return tsl_err_set(err, TSL_EFORMAT,
                           "document %" PRIu64
                           " has %zu tokens, and had %zu or more when "
                           "samples were planned",
                           x->doc, d.ntokens, end);
    tsl_sample_add(s, d.ids + x->at, d.starts + x->at, x->len - doc_end);
    if (doc_end)
        tsl_sample_add_special(s, (uint32_t)o->doc_end);
    return 0;
}

int tsl_pack_build(const struct tsl_pack_opts *o, const struct tsl_piece *pieces,
                   size_t n, uint64_t address, const struct tsl_docs *docs,
                   struct tsl_sample *s, struct tsl_err *err)
{
    tsl_sample_clear(s, address);
    if (o->first >= 0)
        tsl_sample_add_special(s, (uint32_t)o->first);
    for (size_t i = 0; i < n; i++) {
        int rc = add_piece(o, &pieces[i], docs, s, err);
        if (rc < 0)
            return rc;
        s->ends[s->nends++] = s->n;
    }
    if (o->last >= 0) {
        tsl_sample_add_special(s, (uint32_t)o->last);
        if (n)
            s->ends[n - 1] = s->n;
    }
    s->first = s->n;
    s->kind =
        o->mode == TSL_PACK_STREAM ? TSL_SAMPLE_LEFT_TO_RIGHT : TSL_SAMPLE_BOTH_WAYS;
    s->has_positions = o->positions;
    for (uint32_t i = 0, k = 0, from = 0; o->positions && i < s->n; i++) {
        s->positions[i] = i - from;
        if (k < s->nends && i + 1 == s->ends[k]) {
            from = i + 1;
            k++;
        }
    }
    return 0;
}

#include "train/trainbatch.h"

#include <inttypes.h>

#include "base/mem.h"

const char *tsl_train_kind_name(enum tsl_train_kind k)
{
    static const char *const names[] = {
#define X(id, name) name,
        TSL_TRAIN_KINDS(X)
#undef X
    };
    return names[k];
}

static void *numbers(uint64_t n, size_t size, struct tsl_err *err)
{
    return tsl_mem_alloc((size_t)n, size, "a batch", err);
}

uint64_t tsl_trainbatch_bytes(const struct tsl_trainbatch_shape *s)
{
    return (uint64_t)s->rows_max *
           (20ull * s->tokens_max + 8ull * s->masks_max + 8ull * s->outs_max + 40);
}

static int check_shape(const struct tsl_trainbatch_shape *s, struct tsl_err *err)
{
    if (s->rows_max == 0 || s->tokens_max == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a batch of %" PRIu32 " rows of %" PRIu32
                           " tokens has no room for a token",
                           s->rows_max, s->tokens_max);
    uint64_t most = s->tokens_max;
    most = s->masks_max > most ? s->masks_max : most;
    most = s->outs_max > most ? s->outs_max : most;
    if (most * s->rows_max > INT32_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a batch of %" PRIu32 " rows of %" PRIu64
                           " tokens is more than 2^31",
                           s->rows_max, most);
    return 0;
}

int tsl_trainbatch_init(struct tsl_trainbatch *b, const struct tsl_trainbatch_shape *s,
                        struct tsl_err *err)
{
    *b = (struct tsl_trainbatch){ .shape = *s };
    int rc = check_shape(s, err);
    if (rc < 0)
        return rc;
    uint64_t rows = s->rows_max, all = rows * s->tokens_max;
    int32_t **const tokens[] = { &b->input_ids, &b->segment_ids, &b->position_ids,
                                 &b->doc_ids, &b->labels };
    int32_t **const samples[] = { &b->lengths, &b->kinds, &b->prefix, &b->nsp_labels };
    bool good = true;
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++)
        good = good && (*tokens[i] = numbers(all, 4, err));
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        good = good && (*samples[i] = numbers(rows, 4, err));
    good = good && (b->masked_positions = numbers(rows * s->masks_max + 1, 4, err)) &&
           (b->masked_labels = numbers(rows * s->masks_max + 1, 4, err)) &&
           (b->records = numbers(rows, 8, err)) && (b->epochs = numbers(rows, 8, err)) &&
           (b->sets = numbers(rows, 4, err));
    if (s->outs_max)
        good = good && (b->decoder_ids = numbers(rows * s->outs_max, 4, err)) &&
               (b->decoder_labels = numbers(rows * s->outs_max, 4, err)) &&
               (b->decoder_lengths = numbers(rows, 4, err));
    if (!good) {
        tsl_trainbatch_fini(b);
        return TSL_ENOMEM;
    }
    tsl_trainbatch_clear(b);
    return 0;
}

void tsl_trainbatch_fini(struct tsl_trainbatch *b)
{
    int32_t *const all[] = { b->input_ids,      b->segment_ids,      b->position_ids,
                             b->doc_ids,        b->labels,           b->lengths,
                             b->kinds,          b->prefix,           b->nsp_labels,
                             b->masked_labels,  b->masked_positions, b->decoder_ids,
                             b->decoder_labels, b->decoder_lengths };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        tsl_mem_free(all[i]);
    tsl_mem_free(b->records);
    tsl_mem_free(b->epochs);
    tsl_mem_free(b->sets);
    *b = (struct tsl_trainbatch){ .rows = 0 };
}

static void set_all(int32_t *to, uint64_t n, int32_t value)
{
    for (uint64_t i = 0; i < n; i++)
        to[i] = value;
}

void tsl_trainbatch_clear(struct tsl_trainbatch *b)
{
    const struct tsl_trainbatch_shape *s = &b->shape;
    uint64_t rows = s->rows_max, all = rows * s->tokens_max;
    b->rows = b->nmasked = 0;
    b->ntokens = b->nouts = b->nlabels = 0;
    set_all(b->input_ids, all, s->pad);
    set_all(b->segment_ids, all, 0);
    set_all(b->position_ids, all, 0);
    set_all(b->doc_ids, all, -1);
    set_all(b->labels, all, TSL_IGNORE);
    set_all(b->lengths, rows, 0);
    set_all(b->kinds, rows, TSL_SAMPLE_BOTH_WAYS);
    set_all(b->prefix, rows, 0);
    set_all(b->nsp_labels, rows, -1);
    set_all(b->masked_positions, rows * s->masks_max, -1);
    set_all(b->masked_labels, rows * s->masks_max, TSL_IGNORE);
    memset(b->records, 0, (size_t)rows * sizeof *b->records);
    memset(b->epochs, 0, (size_t)rows * sizeof *b->epochs);
    memset(b->sets, 0, (size_t)rows * sizeof *b->sets);
    if (s->outs_max) {
        set_all(b->decoder_ids, rows * s->outs_max, s->pad);
        set_all(b->decoder_labels, rows * s->outs_max, TSL_IGNORE);
        set_all(b->decoder_lengths, rows, 0);
    }
}

/* ---- a row ---- */

static bool says_the_next(enum tsl_train_kind k)
{
    return k == TSL_TRAIN_CLM || k == TSL_TRAIN_PREFIX;
}

static int check_ids(const struct tsl_trainbatch *b, const uint32_t *ids, uint32_t n,
                     const char *what, struct tsl_err *err)
{
    uint32_t most = 0, end = b->shape.vocab_size ? b->shape.vocab_size : 1u << 31;
    for (uint32_t i = 0; i < n; i++)
        most = ids[i] > most ? ids[i] : most;
    if (n && most >= end)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s %" PRIu32 " is not one of the %" PRIu32 " that there are",
                           what, most, end);
    return 0;
}

static int check_sample(const struct tsl_trainbatch *b, const struct tsl_sample *s,
                        struct tsl_err *err)
{
    const struct tsl_trainbatch_shape *h = &b->shape;
    uint32_t more = says_the_next(h->kind), places = h->tokens_max;
    if (s->n > (uint64_t)h->tokens_max + more)
        return tsl_err_set(err, TSL_EFORMAT,
                           "it has %" PRIu32 " tokens, more than %" PRIu32, s->n,
                           h->tokens_max);
    if (s->nmasked > h->masks_max)
        return tsl_err_set(err, TSL_EFORMAT,
                           "it has %" PRIu32 " masked places, more than %" PRIu32,
                           s->nmasked, h->masks_max);
    if (s->nouts > h->outs_max)
        return tsl_err_set(err, TSL_EFORMAT,
                           "its decoder says %" PRIu32 " tokens, more than %" PRIu32,
                           s->nouts, h->outs_max);
    if (h->kind != TSL_TRAIN_MAE)
        places = s->n;
    for (uint32_t i = 0; i < s->nmasked; i++)
        if (s->places[i] >= places)
            return tsl_err_set(err, TSL_EFORMAT,
                               "its masked place %" PRIu32 " lies behind its end",
                               s->places[i]);
    int rc = check_ids(b, s->ids, s->n, "token", err);
    if (rc == 0)
        rc = check_ids(b, s->targets, s->nmasked, "the masked token", err);
    return rc < 0 ? rc : check_ids(b, s->outs, s->nouts, "the decoder's token", err);
}

static void put_docs(int32_t *to, const struct tsl_sample *s, uint32_t n)
{
    uint32_t at = 0;
    int32_t doc = 0;
    for (uint32_t k = 0; k < s->nends; k++, doc += at < n)
        for (; at < n && at < s->ends[k]; at++)
            to[at] = doc;
    for (; at < n; at++)
        to[at] = doc;
}

/* Labels of the tokens before those that are to be said: places from begin on. */
static uint32_t put_next(int32_t *labels, const struct tsl_sample *s, uint32_t begin,
                         uint32_t room)
{
    uint32_t from = begin ? begin : 1, n = 0;
    for (uint32_t i = from; i < s->n && i <= room; i++, n++)
        labels[i - 1] = (int32_t)s->ids[i];
    return n;
}

static void put_masked(struct tsl_trainbatch *b, const struct tsl_sample *s, uint32_t row)
{
    uint32_t first = row * b->shape.tokens_max;
    for (uint32_t i = 0; i < s->nmasked; i++) {
        b->masked_positions[b->nmasked] = (int32_t)(first + s->places[i]);
        b->masked_labels[b->nmasked++] = (int32_t)s->targets[i];
    }
}

static void put_labels(struct tsl_trainbatch *b, const struct tsl_sample *s, uint32_t row)
{
    uint32_t most = b->shape.tokens_max;
    int32_t *labels = b->labels + (size_t)row * most;
    bool prefix = s->kind == TSL_SAMPLE_PREFIX;
    switch (b->shape.kind) {
    case TSL_TRAIN_CLM: b->nlabels += put_next(labels, s, 1, most); break;
    case TSL_TRAIN_PREFIX:
    case TSL_TRAIN_PLM:
        b->nlabels += put_next(labels, s, prefix ? s->prefix : 1, most);
        break;
    case TSL_TRAIN_MAE:
    case TSL_TRAIN_SPAN: break;
    default:
        for (uint32_t i = 0; i < s->nmasked; i++)
            labels[s->places[i]] = (int32_t)s->targets[i];
        b->nlabels += s->nmasked;
    }
}

static void put_outs(struct tsl_trainbatch *b, const struct tsl_sample *s, uint32_t row)
{
    size_t first = (size_t)row * b->shape.outs_max;
    int32_t *ids = b->decoder_ids + first, *labels = b->decoder_labels + first;
    for (uint32_t i = 0; i < s->nouts; i++) {
        ids[i] = i ? (int32_t)s->outs[i - 1] : b->shape.outs_begin;
        labels[i] = (int32_t)s->outs[i];
    }
    b->decoder_lengths[row] = (int32_t)s->nouts;
    b->nouts += s->nouts;
    b->nlabels += s->nouts;
}

int tsl_trainbatch_put(struct tsl_trainbatch *b, const struct tsl_sample *s,
                       struct tsl_err *err)
{
    int rc = check_sample(b, s, err);
    if (rc < 0)
        return rc;
    uint32_t row = b->rows++, most = b->shape.tokens_max, n = s->n < most ? s->n : most;
    size_t first = (size_t)row * most;
    for (uint32_t i = 0; i < n; i++)
        b->input_ids[first + i] = (int32_t)s->ids[i];
    for (uint32_t i = s->first; i < n; i++)
        b->segment_ids[first + i] = 1;
    for (uint32_t i = 0; i < n; i++)
        b->position_ids[first + i] = (int32_t)(s->has_positions ? s->positions[i] : i);
    put_docs(b->doc_ids + first, s, n);
    b->lengths[row] = (int32_t)n;
    b->kinds[row] = b->shape.kind == TSL_TRAIN_CLM ? TSL_SAMPLE_LEFT_TO_RIGHT : s->kind;
    b->prefix[row] = s->kind == TSL_SAMPLE_PREFIX ? (int32_t)s->prefix : 0;
    b->nsp_labels[row] = s->label == TSL_SAMPLE_NO_LABEL ? -1 : s->label;
    put_masked(b, s, row);
    put_labels(b, s, row);
    if (b->shape.outs_max)
        put_outs(b, s, row);
    b->ntokens += n;
    return 0;
}

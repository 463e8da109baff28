#include "train/trainfeed.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* ---- the task ---- */

static int wrong_model(const char *objective, const char *models, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE, "samples of %s train %s", objective, models);
}

int tsl_trainfeed_task(struct tsl_model_task *task, const struct tsl_modelconfig *c,
                       const struct tsl_trainbatch_shape *shape,
                       const struct tsl_trainset_info *info, struct tsl_err *err)
{
    bool gpt2 = c->kind == TSL_MODEL_GPT2, t5 = c->kind == TSL_MODEL_T5;
    bool encoder = !gpt2 && !t5;
    const char *name = info->objective;
    struct tsl_model_task t = {
        .batch = shape->rows_max,
        .seq = shape->tokens_max,
        .docs = info->documents,
        .positions = info->positions,
    };
    int64_t masked = (int64_t)shape->rows_max * shape->masks_max;
    switch (shape->kind) {
    case TSL_TRAIN_MLM:
    case TSL_TRAIN_ELECTRA:
        if (!encoder)
            return wrong_model(name, "an encoder: bert, roberta, albert, roformer", err);
        t.masked = masked;
        t.pairs = info->labels && tsl_model_has_pairs(c);
        break;
    case TSL_TRAIN_UNILM:
    case TSL_TRAIN_PLM:
        if (!encoder)
            return wrong_model(name, "an encoder: unilm, bert, roberta, albert, roformer",
                               err);
        t.masked = masked;
        t.mask = TSL_ATTN_PREFIX;
        t.positions = true;
        break;
    case TSL_TRAIN_CLM:
    case TSL_TRAIN_PREFIX:
        if (t5)
            return wrong_model(name, "gpt2, or an encoder as a language model", err);
        t.next = true;
        t.mask = shape->kind == TSL_TRAIN_CLM ? TSL_ATTN_CAUSAL : TSL_ATTN_PREFIX;
        break;
    case TSL_TRAIN_SPAN:
        if (!t5)
            return wrong_model(name, "an encoder with a decoder: t5", err);
        t.target = shape->outs_max;
        break;
    default:
        return tsl_err_set(err, TSL_EUSAGE, "no model here trains on samples of %s",
                           name);
    }
    *task = t;
    return 0;
}

/* Numbers of a batch, cols of each row, that are to be below end.  Negative ones say that there
 * is nothing. */
struct numbers {
    const int32_t *x;
    uint64_t n;
    uint32_t cols;
    int64_t end;
    const char *what;
};

static int check_numbers(const struct tsl_trainbatch *b, const struct numbers *all,
                         struct tsl_err *err)
{
    int32_t most = -1;
    uint64_t at = 0;
    for (uint64_t i = 0; i < all->n; i++)
        most = all->x[i] > most ? all->x[i] : most;
    if (most < all->end)
        return 0;
    while (all->x[at] < all->end)
        at++;
    uint64_t row = all->x == b->masked_labels
                       ? (uint32_t)b->masked_positions[at] / b->shape.tokens_max
                       : at / all->cols;
    return tsl_err_set(err, TSL_EFORMAT,
                       "record %" PRIu64 " of data set %" PRIu32 ": %s %" PRId32
                       " is not one of the %" PRId64 " that the model has",
                       b->records[row], b->sets[row] + 1, all->what, all->x[at],
                       all->end);
}

int tsl_trainfeed_check(const struct tsl_trainbatch *b, const struct tsl_model_task *task,
                        const struct tsl_modelconfig *c, struct tsl_err *err)
{
    const struct tsl_trainbatch_shape *s = &b->shape;
    /* rows without a sample are padding, which is a token, too */
    uint64_t n = (uint64_t)s->rows_max * s->tokens_max,
             nouts = (uint64_t)s->rows_max * s->outs_max;
    const int64_t vocab = c->vocab_size;
    const struct numbers all[] = {
        { b->input_ids, n, s->tokens_max, vocab, "token" },
        { b->segment_ids, c->type_vocab_size > 0 ? n : 0, s->tokens_max,
          c->type_vocab_size, "segment" },
        { b->position_ids, task->positions ? n : 0, s->tokens_max,
          tsl_modelconfig_positions(c), "position" },
        { b->masked_labels, task->masked ? b->nmasked : 0, 0, vocab, "masked token" },
        { b->labels, task->next ? n : 0, s->tokens_max, vocab, "next token" },
        { b->nsp_labels, task->pairs ? b->rows : 0, 1, 2, "label" },
        { b->decoder_ids, task->target ? nouts : 0, s->outs_max, vocab,
          "decoder's token" },
        { b->decoder_labels, task->target ? nouts : 0, s->outs_max, vocab,
          "decoder's token" },
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all && rc == 0; i++)
        rc = check_numbers(b, &all[i], err);
    return rc;
}

void tsl_trainfeed_count(const struct tsl_trainbatch *b,
                         const struct tsl_model_task *task,
                         struct tsl_trainfeed_counts *n)
{
    n->masked += task->masked ? b->nmasked : 0;
    n->labels += task->next || task->target ? b->nlabels : 0;
    n->tokens += b->ntokens + b->nouts;
    for (uint32_t i = 0; task->pairs && i < b->rows; i++)
        n->pairs += b->nsp_labels[i] >= 0;
}

/* ---- the inputs, one after the other ---- */

enum { NINPUTS = 12 };

static unsigned inputs_of(const struct tsl_model_inputs *in, struct tsl_tensor **list)
{
    struct tsl_tensor *all[NINPUTS] = {
        in->input_ids,   in->segment_ids, in->position_ids,     in->lengths,
        in->doc_ids,     in->prefix,      in->masked_positions, in->masked_labels,
        in->pair_labels, in->labels,      in->target_ids,       in->target_labels,
    };
    unsigned n = 0;
    for (unsigned i = 0; i < NINPUTS; i++)
        if (all[i])
            list[n++] = all[i];
    return n;
}

size_t tsl_trainfeed_bytes(const struct tsl_model_inputs *in)
{
    struct tsl_tensor *list[NINPUTS];
    size_t bytes = 0;
    for (unsigned i = 0, n = inputs_of(in, list); i < n; i++)
        bytes += tsl_tensor_count(list[i]) * sizeof(int32_t);
    return bytes;
}

static const int32_t *from_batch(const struct tsl_trainbatch *b,
                                 const struct tsl_model_inputs *in,
                                 const struct tsl_tensor *t)
{
    return t == in->input_ids          ? b->input_ids
           : t == in->segment_ids      ? b->segment_ids
           : t == in->position_ids     ? b->position_ids
           : t == in->lengths          ? b->lengths
           : t == in->doc_ids          ? b->doc_ids
           : t == in->prefix           ? b->prefix
           : t == in->masked_positions ? b->masked_positions
           : t == in->masked_labels    ? b->masked_labels
           : t == in->pair_labels      ? b->nsp_labels
           : t == in->labels           ? b->labels
           : t == in->target_ids       ? b->decoder_ids
                                       : b->decoder_labels;
}

/* The first n of row, in reverse. */
static void turn(int32_t *row, int32_t n)
{
    for (int32_t i = 0; i < n / 2; i++) {
        int32_t x = row[i];
        row[i] = row[n - 1 - i];
        row[n - 1 - i] = x;
    }
}

/* Who sees whom, as a prefix: of both ways all; none of left to right; and right to left is
 * that of the row turned round, whose positions tell where its tokens stood. */
static void directions(const struct tsl_trainbatch *b, const struct tsl_model_task *task,
                       int32_t *ids, int32_t *segments, int32_t *positions,
                       int32_t *prefix, int32_t *masked)
{
    int32_t seq = (int32_t)task->seq;
    for (uint32_t r = 0; r < b->rows; r++) {
        int32_t n = b->lengths[r], from = (int32_t)r * seq;
        if (b->kinds[r] == TSL_SAMPLE_BOTH_WAYS)
            prefix[r] = n;
        else if (b->kinds[r] != TSL_SAMPLE_PREFIX)
            prefix[r] = 0;
        if (b->kinds[r] != TSL_SAMPLE_RIGHT_TO_LEFT || !positions)
            continue;
        turn(ids + from, n);
        turn(positions + from, n);
        if (segments)
            turn(segments + from, n);
        for (int64_t i = 0; masked && i < task->masked && masked[i] >= 0; i++)
            if (masked[i] >= from && masked[i] < from + n)
                masked[i] = from + n - 1 - (masked[i] - from);
    }
}

void tsl_trainfeed_save(const struct tsl_trainbatch *b, const struct tsl_model_task *task,
                        const struct tsl_model_inputs *in, void *bytes)
{
    struct tsl_tensor *list[NINPUTS];
    int32_t *at = bytes, *ids = NULL, *segments = NULL, *positions = NULL, *prefix = NULL,
            *masked = NULL;
    for (unsigned i = 0, n = inputs_of(in, list); i < n; i++) {
        size_t count = tsl_tensor_count(list[i]);
        memcpy(at, from_batch(b, in, list[i]), count * sizeof *at);
        int32_t **mine = list[i] == in->input_ids          ? &ids
                         : list[i] == in->segment_ids      ? &segments
                         : list[i] == in->position_ids     ? &positions
                         : list[i] == in->prefix           ? &prefix
                         : list[i] == in->masked_positions ? &masked
                                                           : NULL;
        if (mine)
            *mine = at;
        at += count;
    }
    if (prefix)
        directions(b, task, ids, segments, positions, prefix, masked);
}

void tsl_trainfeed_put(const struct tsl_model_inputs *in, const void *bytes,
                       const struct tsl_trainfeed_counts *counts)
{
    struct tsl_tensor *list[NINPUTS];
    const int32_t *at = bytes;
    for (unsigned i = 0, n = inputs_of(in, list); i < n; i++) {
        size_t count = tsl_tensor_count(list[i]);
        memcpy(tsl_tensor_i32(list[i]), at, count * sizeof *at);
        at += count;
    }
    if (in->masked_count)
        *tsl_tensor_f32(in->masked_count) = (float)counts->masked;
    if (in->pair_count)
        *tsl_tensor_f32(in->pair_count) = (float)counts->pairs;
    if (in->label_count)
        *tsl_tensor_f32(in->label_count) = (float)counts->labels;
}

#include "train/infer.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/mem.h"

enum { LENGTH_MIN = 16, ROTARY_MAX = 1 << 16, KEPT = 32 };

/* A recorded computation of one size. */
struct size {
    int64_t seq, places;
    struct tsl_graph *graph;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
};

struct tsl_infer {
    struct tsl_infer_opts o;
    struct size kept[KEPT];
    size_t nkept;
};

int tsl_infer_open(struct tsl_infer **out, const struct tsl_infer_opts *o,
                   struct tsl_err *err)
{
    struct tsl_infer *x = tsl_mem_alloc(1, sizeof *x, "a model's graphs", err);
    if (!x)
        return TSL_ENOMEM;
    x->o = *o;
    x->o.rows += !o->rows;
    *out = x;
    return 0;
}

static void forget(struct tsl_infer *x)
{
    while (x->nkept)
        tsl_graph_destroy(x->kept[--x->nkept].graph);
}

void tsl_infer_destroy(struct tsl_infer *x)
{
    if (!x)
        return;
    forget(x);
    tsl_mem_free(x);
}

uint32_t tsl_infer_tokens_max(const struct tsl_infer *x)
{
    const struct tsl_modelconfig *c = &x->o.weights->config;
    if (c->kind == TSL_MODEL_ROFORMER)
        return ROTARY_MAX;
    int64_t first = c->kind == TSL_MODEL_ROBERTA ? c->pad_token_id + 1 : 0;
    int64_t n = c->max_position_embeddings - first;
    return n < 0 ? 0 : n > ROTARY_MAX ? ROTARY_MAX : (uint32_t)n;
}

/* The graph of that size, recorded when it is first asked for. */
static int find(struct tsl_infer *x, int64_t seq, int64_t places, struct size **to,
                struct tsl_err *err)
{
    const struct tsl_weights *w = x->o.weights;
    for (size_t i = 0; i < x->nkept; i++)
        if (x->kept[i].seq == seq && x->kept[i].places == places) {
            *to = &x->kept[i];
            return 0;
        }
    if (x->nkept == KEPT)
        forget(x);
    struct size *s = &x->kept[x->nkept];
    *s = (struct size){ .seq = seq, .places = places };
    struct tsl_model_task task = { .batch = x->o.rows,
                                   .seq = seq,
                                   .masked = places,
                                   .mask = x->o.mask,
                                   .logits = true };
    int rc =
        tsl_graph_create(&s->graph, &(struct tsl_graph_opts){ .bf16 = x->o.bf16 }, err);
    if (rc < 0)
        return rc;
    x->nkept++;
    rc = tsl_model_record(&w->config, (struct tsl_params *)(uintptr_t)&w->params,
                          s->graph, &task, &s->in, &s->out, err);
    if (rc == 0)
        rc = tsl_graph_plan(s->graph, x->o.nthreads, err);
    if (rc == 0)
        rc = tsl_weights_need(w, s->graph, err);
    if (rc < 0)
        tsl_graph_destroy(x->kept[--x->nkept].graph);
    *to = s;
    return rc;
}

static int check(const struct tsl_infer *x, const struct tsl_infer_row *rows,
                 size_t nrows, uint32_t *longest, struct tsl_err *err)
{
    uint32_t most = tsl_infer_tokens_max(x);
    int64_t vocab = x->o.weights->config.vocab_size;
    if (nrows > x->o.rows)
        return tsl_err_set(err, TSL_EUSAGE, "%zu rows, more than %" PRIu32, nrows,
                           x->o.rows);
    for (size_t r = 0; r < nrows; r++) {
        if (rows[r].n > most)
            return tsl_err_set(err, TSL_EUSAGE,
                               "%" PRIu32 " tokens, but the model has %" PRIu32
                               " positions",
                               rows[r].n, most);
        *longest = rows[r].n > *longest ? rows[r].n : *longest;
        for (uint32_t i = 0; i < rows[r].n; i++)
            if (rows[r].ids[i] < 0 || rows[r].ids[i] >= vocab)
                return tsl_err_set(err, TSL_EUSAGE,
                                   "id %" PRId32 " is not one of the %" PRId64
                                   " that the model knows: is this its vocabulary?",
                                   rows[r].ids[i], vocab);
    }
    return 0;
}

static void fill(const struct tsl_infer *x, const struct size *s,
                 const struct tsl_infer_row *rows, size_t nrows)
{
    int32_t *ids = tsl_tensor_i32(s->in.input_ids),
            *lengths = tsl_tensor_i32(s->in.lengths);
    int32_t *segments = s->in.segment_ids ? tsl_tensor_i32(s->in.segment_ids) : NULL;
    int32_t *prefix = s->in.prefix ? tsl_tensor_i32(s->in.prefix) : NULL;
    size_t seq = (size_t)s->seq;
    memset(ids, 0, x->o.rows * seq * sizeof *ids);
    if (segments)
        memset(segments, 0, x->o.rows * seq * sizeof *segments);
    for (size_t r = 0; r < x->o.rows; r++) {
        uint32_t n = r < nrows ? rows[r].n : 0;
        lengths[r] = (int32_t)n;
        if (prefix)
            prefix[r] = r < nrows ? (int32_t)rows[r].prefix : 0;
        if (n)
            memcpy(ids + r * seq, rows[r].ids, n * sizeof *ids);
        for (uint32_t i = n ? rows[r].first : 0; segments && i < n; i++)
            segments[r * seq + i] = x->o.weights->config.type_vocab_size > 1;
    }
}

int tsl_infer_run(struct tsl_infer *x, const struct tsl_infer_row *rows, size_t nrows,
                  const struct tsl_infer_place *places, size_t nplaces,
                  const float **logits, struct tsl_err *err)
{
    uint32_t longest = 1;
    int64_t seq = LENGTH_MIN, n = 1, most = tsl_infer_tokens_max(x);
    struct size *s;
    int rc = check(x, rows, nrows, &longest, err);
    if (rc < 0)
        return rc;
    while (seq < longest)
        seq *= 2;
    while (n < (int64_t)nplaces)
        n *= 2;
    rc = find(x, seq < most ? seq : most, n, &s, err);
    if (rc < 0)
        return rc;
    fill(x, s, rows, nrows);
    int32_t *at = tsl_tensor_i32(s->in.masked_positions);
    for (size_t i = 0; i < (size_t)n; i++) {
        assert(i >= nplaces || places[i].at < rows[places[i].row].n);
        at[i] = i < nplaces ? (int32_t)(places[i].row * s->seq + places[i].at) : -1;
    }
    struct tsl_draw draw = { 0 };
    tsl_graph_run(s->graph, x->o.pool, &draw);
    const float *y = tsl_tensor_f32(s->out.logits);
    size_t vocab = (size_t)x->o.weights->config.vocab_size;
    for (size_t i = 0; i < nplaces * vocab; i++)
        if (!isfinite(y[i]))
            return tsl_err_set(err, TSL_EFORMAT, "%s: the model says nothing finite",
                               x->o.weights->path);
    *logits = y;
    return 0;
}

void tsl_infer_chances(const float *logits, size_t n, double *p, double *log_sum)
{
    float top = logits[0];
    double sum = 0;
    for (size_t i = 1; i < n; i++)
        top = logits[i] > top ? logits[i] : top;
    for (size_t i = 0; i < n; i++)
        sum += p[i] = tsl_fixmath_exp((double)logits[i] - (double)top);
    for (size_t i = 0; i < n; i++)
        p[i] /= sum;
    if (log_sum)
        *log_sum = (double)top + tsl_fixmath_log(sum);
}

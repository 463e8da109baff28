#include "train/evaluate.h"

#include <inttypes.h>
#include <math.h>

#include "base/fixmath.h"
#include "base/mem.h"
#include "train/trainfeed.h"

struct tsl_evaluate {
    struct tsl_evaluate_opts o;
    struct tsl_loader *loader;
    struct tsl_graph *graph;
    struct tsl_model_task task;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
    void *feed;
};

/* ---- opening ---- */

static int open_data(struct tsl_evaluate *e, struct tsl_err *err)
{
    struct tsl_loader_opts d = e->o.data;
    const char *name = d.nsets ? d.sets[0].path : "";
    d.in_order = d.one_epoch = true;
    d.rank = d.world = 0;
    d.positions = e->o.batches * d.rows;
    d.epochs = 1;
    int rc = tsl_loader_open(&e->loader, &d, err);
    if (rc < 0)
        return rc;
    uint64_t most = tsl_loader_samples(e->loader);
    if (d.positions > most) { /* the set is not gone through twice */
        tsl_loader_destroy(e->loader);
        e->loader = NULL;
        d.positions = 0;
        rc = tsl_loader_open(&e->loader, &d, err);
        if (rc < 0)
            return rc;
    }
    const struct tsl_trainbatch_shape *shape = tsl_loader_shape(e->loader);
    if (shape->vocab_size > e->o.model->vocab_size)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s has ids of a vocabulary of %" PRIu32
                           ", the model one of %" PRId64,
                           name, shape->vocab_size, e->o.model->vocab_size);
    return tsl_trainfeed_task(&e->task, e->o.model, shape, tsl_loader_info(e->loader, 0),
                              err);
}

static int open_graph(struct tsl_evaluate *e, struct tsl_err *err)
{
    struct tsl_graph_opts g = { .bf16 = e->o.bf16 };
    int rc = tsl_graph_create(&e->graph, &g, err);
    if (rc == 0)
        rc = tsl_model_record(e->o.model, e->o.params, e->graph, &e->task, &e->in,
                              &e->out, err);
    if (rc == 0)
        rc = tsl_graph_plan(e->graph, e->o.nthreads, err);
    if (rc == 0 &&
        !(e->feed = tsl_mem_alloc(tsl_trainfeed_bytes(&e->in), 1, "a batch", err)))
        rc = TSL_ENOMEM;
    return rc;
}

int tsl_evaluate_open(struct tsl_evaluate **out, const struct tsl_evaluate_opts *o,
                      struct tsl_err *err)
{
    struct tsl_evaluate *e = tsl_mem_alloc(1, sizeof *e, "an evaluation", err);
    if (!e)
        return TSL_ENOMEM;
    e->o = *o;
    int rc = open_data(e, err);
    if (rc == 0)
        rc = open_graph(e, err);
    if (rc < 0) {
        tsl_evaluate_destroy(e);
        return rc;
    }
    *out = e;
    return 0;
}

void tsl_evaluate_destroy(struct tsl_evaluate *e)
{
    if (!e)
        return;
    tsl_loader_destroy(e->loader);
    tsl_graph_destroy(e->graph);
    tsl_mem_free(e->feed);
    tsl_mem_free(e);
}

/* ---- running ---- */

/* Over all batches so far. */
struct sums {
    double masked, pair, label; /* losses */
    double masked_right, pair_right, label_right;
    struct tsl_trainfeed_counts n;
};

static double number(const struct tsl_tensor *t)
{
    return t ? (double)*tsl_tensor_f32(t) : 0;
}

static uint64_t pairs_right(const struct tsl_evaluate *e, const struct tsl_trainbatch *b)
{
    uint64_t n = 0;
    for (uint32_t i = 0; e->out.pair_logits && i < b->rows; i++) {
        const float *x = tsl_tensor_f32(e->out.pair_logits) + 2 * (size_t)i;
        n += b->nsp_labels[i] >= 0 && (x[1] > x[0]) == b->nsp_labels[i];
    }
    return n;
}

static int one_batch(struct tsl_evaluate *e, const struct tsl_trainbatch *b,
                     uint64_t which, struct sums *s, struct tsl_err *err)
{
    /* divided by 1, a loss is a sum */
    static const struct tsl_trainfeed_counts ones = { 1, 1, 1, 1 };
    struct tsl_draw draw = { 0 };
    int rc = tsl_trainfeed_check(b, &e->task, e->o.model, err);
    if (rc < 0)
        return rc;
    tsl_trainfeed_count(b, &e->task, &s->n);
    tsl_trainfeed_save(b, &e->task, &e->in, e->feed);
    tsl_trainfeed_put(&e->in, e->feed, &ones);
    tsl_graph_run(e->graph, e->o.pool, &draw);
    if (!isfinite(number(e->out.loss))) {
        struct tsl_err why = { .msg = "the loss is not finite" };
        tsl_graph_run_checked(e->graph, e->o.pool, &draw, &why);
        return tsl_err_set(err, TSL_EFORMAT, "batch %" PRIu64 " of what is held out: %s",
                           which, why.msg);
    }
    s->masked += number(e->out.masked_loss);
    s->pair += number(e->out.pair_loss);
    s->label += number(e->out.label_loss);
    s->masked_right += number(e->out.masked_right);
    s->label_right += number(e->out.label_right);
    s->pair_right += (double)pairs_right(e, b);
    return 0;
}

static double mean(double sum, uint64_t n)
{
    return n ? sum / (double)n : NAN;
}

static void results(const struct sums *s, struct tsl_evaluate_out *out)
{
    out->masked_loss = mean(s->masked, s->n.masked);
    out->pair_loss = mean(s->pair, s->n.pairs);
    out->label_loss = mean(s->label, s->n.labels);
    out->masked_accuracy = mean(s->masked_right, s->n.masked);
    out->pair_accuracy = mean(s->pair_right, s->n.pairs);
    out->label_accuracy = mean(s->label_right, s->n.labels);
    const double parts[] = { out->masked_loss, out->pair_loss, out->label_loss };
    out->loss = NAN;
    for (unsigned i = 0; i < 3; i++)
        if (!isnan(parts[i]))
            out->loss = isnan(out->loss) ? parts[i] : out->loss + parts[i];
    double token = s->n.masked ? out->masked_loss : out->label_loss;
    out->perplexity = isnan(token) ? NAN : tsl_fixmath_exp(token);
    out->masked = s->n.masked;
    out->pairs = s->n.pairs;
    out->labels = s->n.labels;
    out->tokens = s->n.tokens;
}

int tsl_evaluate_run(struct tsl_evaluate *e, struct tsl_evaluate_out *out,
                     struct tsl_err *err)
{
    struct sums s = { 0 };
    const struct tsl_trainbatch *b;
    *out = (struct tsl_evaluate_out){ 0 };
    int rc;
    while ((rc = tsl_loader_next(e->loader, &b, err)) == 1) {
        rc = one_batch(e, b, ++out->batches, &s, err);
        if (rc < 0)
            break;
        out->samples += b->rows;
    }
    tsl_loader_seek(e->loader, 0);
    if (rc == 0)
        results(&s, out);
    return rc;
}

const struct tsl_loader *tsl_evaluate_loader(const struct tsl_evaluate *e)
{
    return e->loader;
}

const struct tsl_graph *tsl_evaluate_graph(const struct tsl_evaluate *e)
{
    return e->graph;
}

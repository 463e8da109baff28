/* ctrain_eval.c - `ctrain eval`: how well a model finds out what was held out. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/quote.h"
#include "ctrain.h"
#include "par/thread.h"
#include "train/baseline.h"
#include "train/evaluate.h"
#include "train/weights.h"

static struct {
    struct ctrain_sets held, train;
    uint64_t batches;
    bool averaged;
} given;

static const struct cli_opt opts[] = {
    CTRAIN_HEADING("Data:"),
    CTRAIN_CALL(0, "data", "SET", &given.held,
                "what was held out: a folder, manifest.json or file, as for\n"
                "training; several are taken together",
                ctrain_set),
    CTRAIN_BATCH,
    CTRAIN_CALL(0, "batches", "N", &given.batches,
                "the first N batches only; default: all, once", ctrain_count),
    CTRAIN_SAMPLES,
    CTRAIN_HEADING("The model:"),
    CTRAIN_OPT(0, "ema", NULL, CLI_FLAG, &given.averaged,
               "its averaged weights, which train --ema keeps"),
    CTRAIN_CALL(0, "baselines", "SET", &given.train,
                "what counting the training set would find out: the most\n"
                "frequent token, and that beside the neighbour; no model\n"
                "need be given then",
                ctrain_set),
    CTRAIN_OPT(0, "dtype", "NAME", CLI_STR, &ctrain_given.dtype,
               "f32 (the default), or bf16: products of rounded factors"),
    CTRAIN_RESOURCES,
    CTRAIN_HEADING("Telling:"),
    CTRAIN_OPT(0, "stats", "FILE", CLI_STR, &ctrain_given.stats,
               "write the numbers as JSON; - is standard output"),
    { 0 },
};

/* A name and its number, where there is one. */
static void line(const char *name, double value)
{
    char text[TSL_JSON_NUMBER];
    if (!isnan(value)) /* exactly: two evaluations can be compared */
        printf("%-20s %s\n", name, tsl_json_shortest(text, value));
}

static void put(struct tsl_json *j, const char *name, double value)
{
    if (isfinite(value))
        tsl_json_exact(j, name, value);
}

static void count(const char *name, uint64_t n)
{
    if (n)
        printf("%-20s %" PRIu64 "\n", name, n);
}

static const struct {
    const char *name;
    size_t at;
} numbers[] = {
#define NUMBER(name, member)                                                             \
    {                                                                                    \
        name, offsetof(struct tsl_evaluate_out, member)                                  \
    }
    NUMBER("loss", loss),
    NUMBER("mlm_loss", masked_loss),
    NUMBER("mlm_accuracy", masked_accuracy),
    NUMBER("nsp_loss", pair_loss),
    NUMBER("nsp_accuracy", pair_accuracy),
    NUMBER("lm_loss", label_loss),
    NUMBER("lm_accuracy", label_accuracy),
    NUMBER("perplexity", perplexity),
#undef NUMBER
};

enum { NNUMBERS = sizeof numbers / sizeof *numbers };

static double number(const struct tsl_evaluate_out *out, size_t i)
{
    return *(const double *)((const char *)out + numbers[i].at);
}

/* What was asked for. */
struct results {
    struct tsl_weights w;
    struct tsl_evaluate_out out;
    struct tsl_baseline_out base;
    bool model, baselines;
    double began;
};

static double share(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : NAN;
}

static int tell(const struct results *r, struct tsl_err *err)
{
    if (r->model)
        printf("%-20s %s\n", "model", tsl_quote(r->w.path).s);
    for (size_t i = 0; r->model && i < NNUMBERS; i++)
        line(numbers[i].name, number(&r->out, i));
    if (r->model) {
        count("samples", r->out.samples);
        count("batches", r->out.batches);
        count("tokens", r->out.tokens);
        count("mlm_labels", r->out.masked);
        count("nsp_labels", r->out.pairs);
        count("lm_labels", r->out.labels);
    }
    if (r->baselines) {
        line("unigram_accuracy", share(r->base.unigram_right, r->base.labels));
        line("bigram_accuracy", share(r->base.bigram_right, r->base.labels));
        count("baseline_labels", r->base.labels);
        count("training_labels", r->base.counted);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return tsl_err_sys(err, errno, "write error");
    return 0;
}

static void put_model(struct tsl_json *j, const struct results *r)
{
    tsl_json_str(j, "model", r->w.path);
    if (r->w.ours)
        tsl_json_u64(j, "step", r->w.step);
    tsl_json_bool(j, "ema", given.averaged);
    for (size_t i = 0; i < NNUMBERS; i++)
        put(j, numbers[i].name, number(&r->out, i));
    tsl_json_u64(j, "samples", r->out.samples);
    tsl_json_u64(j, "batches", r->out.batches);
    tsl_json_u64(j, "tokens", r->out.tokens);
    tsl_json_u64(j, "mlm_labels", r->out.masked);
    tsl_json_u64(j, "nsp_labels", r->out.pairs);
    tsl_json_u64(j, "lm_labels", r->out.labels);
}

static void put_baselines(struct tsl_json *j, const struct tsl_baseline_out *b)
{
    tsl_json_open(j, "baselines", '{');
    put(j, "unigram_accuracy", share(b->unigram_right, b->labels));
    put(j, "bigram_accuracy", share(b->bigram_right, b->labels));
    tsl_json_u64(j, "labels", b->labels);
    tsl_json_u64(j, "unigram_right", b->unigram_right);
    tsl_json_u64(j, "bigram_right", b->bigram_right);
    tsl_json_u64(j, "bigram_by_left", b->by_left);
    tsl_json_u64(j, "bigram_by_right", b->by_right);
    tsl_json_u64(j, "unigram_id", b->frequent);
    tsl_json_u64(j, "training_labels", b->counted);
    tsl_json_u64(j, "training_pairs", b->pairs);
    tsl_json_u64(j, "passes", b->passes);
    tsl_json_close(j, '}');
}

static int write_stats(const struct results *r, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    tsl_json_open(&j, NULL, '{');
    tsl_json_str(&j, "tool", "ctrain eval");
    tsl_json_u64(&j, "schema", 1);
    if (r->model)
        put_model(&j, r);
    if (r->baselines)
        put_baselines(&j, &r->base);
    tsl_json_num(&j, "seconds", tsl_seconds() - r->began);
    tsl_json_u64(&j, "peak_memory_bytes", cli_peak_rss());
    tsl_json_close(&j, '}');
    return cli_write_json(ctrain_given.stats, &j, err);
}

static struct tsl_loader_opts data_of(const struct ctrain_sets *s)
{
    return ctrain_loader(s, ctrain_given.memory / (given.train.n ? 3 : 1));
}

static int evaluate(struct results *r, const char *path, struct tsl_err *err)
{
    struct tsl_evaluate *e = NULL;
    struct tsl_pool *pool = NULL;
    int rc = tsl_weights_open(&r->w, path, given.averaged, err);
    if (rc < 0)
        return rc;
    if (*r->w.damaged)
        cli_warn("passed over: %s", r->w.damaged);
    struct tsl_evaluate_opts o = {
        .model = &r->w.config,
        .params = &r->w.params,
        .data = data_of(&given.held),
        .batches = given.batches,
        .bf16 = cli_choose("dtype", ctrain_given.dtype, "f32\0bf16\0") == 1,
        .nthreads = cli_threads(ctrain_given.nthreads),
    };
    rc = tsl_pool_create(&pool, o.nthreads, err);
    o.pool = pool;
    if (rc == 0)
        rc = tsl_evaluate_open(&e, &o, err);
    if (rc == 0)
        rc = tsl_weights_need(&r->w, tsl_evaluate_graph(e), err);
    if (rc == 0)
        rc = tsl_evaluate_run(e, &r->out, err);
    r->model = rc == 0;
    tsl_evaluate_destroy(e);
    tsl_pool_destroy(pool);
    return rc;
}

static int baselines(struct results *r, struct tsl_err *err)
{
    struct tsl_baseline_opts o = { .train = data_of(&given.train),
                                   .held = data_of(&given.held),
                                   .batches = given.batches,
                                   .memory = ctrain_given.memory / 3 };
    int rc = tsl_baseline_run(&o, &r->base, err);
    r->baselines = rc == 0;
    return rc;
}

static int eval(char **operands, size_t n, struct tsl_err *err)
{
    static struct results r;
    r.began = tsl_seconds();
    if (n > 1)
        cli_misuse(true, "one model at a time");
    if (!n && !given.train.n)
        cli_misuse(true, "which model? RUN or CHECKPOINT");
    if (!given.held.n)
        cli_misuse(true, "no data: --data=SET says what was held out");
    int rc = n ? evaluate(&r, operands[0], err) : 0;
    if (rc == 0 && given.train.n)
        rc = baselines(&r, err);
    if (rc == 0 && !(ctrain_given.stats && strcmp(ctrain_given.stats, "-") == 0))
        rc = tell(&r, err);
    if (rc == 0 && ctrain_given.stats)
        rc = write_stats(&r, err);
    tsl_weights_close(&r.w);
    return rc;
}

const struct ctrain_command ctrain_eval = {
    .name = "eval",
    .usage = "[OPTION]... --data=SET [RUN|CHECKPOINT]",
    .summary = "How well a model finds out what was held out.",
    .examples =
        "The model is a run's folder (its newest whole checkpoint), a checkpoint, or "
        "any\n"
        "folder with config.json and model.safetensors, transformers' own included.\n"
        "\n"
        "Examples:\n"
        "  ctrain eval run --data=heldout\n"
        "      loss, accuracy and perplexity of the run's last checkpoint\n"
        "  ctrain eval --baselines=train --data=heldout\n"
        "      what a model has to beat\n"
        "  ctrain eval bert-base-uncased --data=heldout --batches=100 --stats=e.json\n"
        "      somebody's BERT on the first 100 batches\n",
    .opts = opts,
    .run = eval,
};

/* ctrain_train.c - ctrain's main command: train a model. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "ctrain.h"
#include "io/file.h"
#include "par/thread.h"
#include "train/evaluate.h"
#include "train/metrics.h"
#include "train/tbevents.h"
#include "train/trainreport.h"

/* ---- options ---- */

enum { GROUPS_MAX = 32, BASELINES_MAX = 16 };

static struct {
    const char *model, *optimizer, *schedule, *init;
    struct ctrain_sets sets, held;
    struct tsl_paramgroup groups[GROUPS_MAX];
    struct tsl_trainreport_baseline baselines[BASELINES_MAX];
    size_t ngroups, nbaselines;
    uint64_t lookahead;
    double lookahead_alpha;
    uint64_t eval_every, eval_batches;
    uint64_t steps, accumulate, save_every, keep, keep_every, log_every, vocab, layers,
        hidden, heads, intermediate;
    double lr, beta1, beta2, eps, decay, clip, dropout, range, ema;
    bool resume, force, explain, profile;
} given = { .lr = -1,
            .beta1 = -1,
            .beta2 = -1,
            .eps = -1,
            .decay = -1,
            .clip = -1,
            .dropout = -1,
            .range = -1,
            .ema = -1,
            .steps = UINT64_MAX,
            .keep = 3,
            .log_every = 10 };

/* PATTERN:lr=X,decay=X,frozen,no-adaptation, cut in place. */
static int take_group(void *to, const char *arg, struct tsl_err *err)
{
    (void)to;
    char *colon = strrchr(arg, ':');
    if (given.ngroups == GROUPS_MAX || !colon || colon == arg)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a group is PATTERN:lr=X,decay=X,frozen,no-adaptation");
    struct tsl_paramgroup *g = &given.groups[given.ngroups++];
    *colon = 0;
    *g = (struct tsl_paramgroup){ .pattern = arg };
    for (char *at = colon + 1, *next; *at; at = next) {
        next = at + strcspn(at, ",");
        if (*next)
            *next++ = 0;
        if (!strcmp(at, "frozen"))
            g->frozen = true;
        else if (!strcmp(at, "no-adaptation"))
            g->no_adaptation = true;
        else if (!strncmp(at, "lr=", 3) && tsl_parse_number(at + 3, &g->lr))
            g->frozen |= g->lr == 0;
        else if (!strncmp(at, "decay=", 6) && tsl_parse_number(at + 6, &g->weight_decay))
            g->has_decay = true;
        else
            return tsl_err_set(err, TSL_EUSAGE,
                               "%s: a group has lr=X, decay=X, frozen and no-adaptation",
                               tsl_quote(at).s);
    }
    return 0;
}

/* K:ALPHA */
static int take_lookahead(void *to, const char *arg, struct tsl_err *err)
{
    (void)to;
    char *colon = strchr(arg, ':');
    if (colon)
        *colon = 0;
    given.lookahead_alpha = 0.5;
    if (!tsl_parse_u64(arg, &given.lookahead, NULL) || given.lookahead > 1000000 ||
        (colon && !tsl_parse_share(colon + 1, &given.lookahead_alpha)))
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: a number of steps, and perhaps :ALPHA from 0 to 1",
                           tsl_quote(arg).s);
    return 0;
}

/* NAME=VALUE */
static int take_baseline(void *to, const char *arg, struct tsl_err *err)
{
    (void)to;
    char *is = strchr(arg, '=');
    struct tsl_trainreport_baseline *b = &given.baselines[given.nbaselines];
    if (given.nbaselines == BASELINES_MAX || !is || is == arg ||
        !tsl_parse_share(is + 1, &b->value))
        return tsl_err_set(err, TSL_EUSAGE, "%s: NAME=VALUE, an accuracy from 0 to 1",
                           tsl_quote(arg).s);
    *is = 0;
    b->chart = "accuracy";
    b->name = arg;
    given.nbaselines++;
    return 0;
}

static const struct cli_opt opts[] = {
    CTRAIN_HEADING("What is trained:"),
    CTRAIN_OPT(0, "model", "NAME", CLI_STR, &given.model,
               "bert-tiny (the default), -mini, -small, -base; roberta-,\n"
               "albert-, roformer-, unilm-, gpt2- likewise; or a config.json\n"
               "in the terms of transformers"),
    CTRAIN_CALL(0, "vocab-size", "N", &given.vocab,
                "ids that the model knows; default: those of the data's\nvocabulary",
                ctrain_count),
    CTRAIN_CALL(0, "layers", "N", &given.layers, "instead of the model's own",
                ctrain_count),
    CTRAIN_CALL(0, "hidden", "N", &given.hidden, "likewise", ctrain_count),
    CTRAIN_CALL(0, "heads", "N", &given.heads, "likewise", ctrain_count),
    CTRAIN_CALL(0, "intermediate", "N", &given.intermediate,
                "likewise: width of the feed-forward layers", ctrain_count),
    CTRAIN_CALL(0, "dropout", "P", &given.dropout,
                "likewise: of hidden states and attention", ctrain_number),
    CTRAIN_CALL(0, "initializer-range", "X", &given.range,
                "likewise: standard deviation of initial weights", ctrain_number),
    CTRAIN_OPT(0, "init", "FILE", CLI_STR, &given.init,
               "begin with these weights: a safetensors file, or a folder\n"
               "with model.safetensors, by the names of public checkpoints"),
    CTRAIN_HEADING("Data:"),
    CTRAIN_CALL(0, "data", "SET[:WEIGHT]", &given.sets,
                "a set of samples: its folder, manifest.json or file, in any\n"
                "format that cshard writes; several are mixed by weight",
                ctrain_set),
    CTRAIN_BATCH,
    CTRAIN_CALL(0, "accumulate", "N", &given.accumulate,
                "batches of a step, as if they were one; default: 1", ctrain_count),
    CTRAIN_SAMPLES,
    CTRAIN_HEADING("How:"),
    CTRAIN_OPT('n', "steps", "N", CLI_COUNT, &given.steps,
               "steps in all; must be given.  0: initial weights alone"),
    CTRAIN_OPT(0, "optimizer", "NAME", CLI_STR, &given.optimizer,
               "adamw (the default), lamb, adafactor, lion, sgd; or with its\n"
               "usual settings bert, bert4keras, gpt2"),
    CTRAIN_CALL(0, "lr", "X", &given.lr,
                "highest learning rate; default: the optimizer's", ctrain_number),
    CTRAIN_OPT(0, "schedule", "TEXT", CLI_STR, &given.schedule,
               "constant, linear:warmup=1000 (the default, with warmup=1%),\n"
               "cosine:warmup=1%,final=0.1, rsqrt:warmup=4000,\n"
               "bert:warmup=10000, piecewise:1000=1,2000=0.1"),
    CTRAIN_CALL(0, "beta1", "X", &given.beta1, "instead of the optimizer's",
                ctrain_number),
    CTRAIN_CALL(0, "beta2", "X", &given.beta2, "likewise", ctrain_number),
    CTRAIN_CALL(0, "eps", "X", &given.eps, "likewise", ctrain_number),
    CTRAIN_CALL(0, "weight-decay", "X", &given.decay, "likewise", ctrain_number),
    CTRAIN_CALL(0, "clip", "X", &given.clip,
                "the gradient's norm at most; 0: as it is; default: 1", ctrain_number),
    CTRAIN_CALL(0, "ema", "X", &given.ema,
                "keep an average of the weights, decaying by X", ctrain_number),
    CTRAIN_CALL(0, "lookahead", "K[:ALPHA]", NULL,
                "every K steps go ALPHA (.5) of the way from where they began",
                take_lookahead),
    CTRAIN_CALL(0, "group", "PATTERN:...", NULL,
                "parameters whose names match, as in '*.bias:decay=0' or\n"
                "'*embeddings*:lr=.1,frozen'; the first that matches counts",
                take_group),
    CTRAIN_OPT(0, "dtype", "NAME", CLI_STR, &ctrain_given.dtype,
               "f32 (the default), or bf16: products of rounded factors,\n"
               "with sums, weights and all else in f32"),
    CTRAIN_OPT('s', "seed", "N", CLI_COUNT, &ctrain_given.seed,
               "of initial weights, order and dropout; default: 0"),
    CTRAIN_HEADING("The run:"),
    CTRAIN_OPT('o', NULL, "DIR", CLI_STR, &ctrain_given.output,
               "its folder: checkpoints, metrics.jsonl, report.html; made if\n"
               "it is not there"),
    CTRAIN_OPT(0, "resume", NULL, CLI_FLAG, &given.resume,
               "go on behind its newest checkpoint; begin where there is none;\n"
               "more steps may be asked for than before"),
    CTRAIN_OPT(0, "force", NULL, CLI_FLAG, &given.force,
               "begin anew, though DIR has a run; its checkpoints go"),
    CTRAIN_CALL(0, "save-every", "N", &given.save_every,
                "a checkpoint every N steps; default: a tenth of all", ctrain_count),
    CTRAIN_OPT(0, "keep", "N", CLI_COUNT, &given.keep,
               "the N newest checkpoints stay; 0: all; default: 3"),
    CTRAIN_OPT(0, "keep-every", "N", CLI_COUNT, &given.keep_every,
               "and those of every N-th step"),
    CTRAIN_CALL(0, "log-every", "N", &given.log_every,
                "measure every N steps; default: 10", ctrain_count),
    CTRAIN_CALL(0, "baseline", "NAME=VALUE", NULL,
                "an accuracy to be drawn as a line into the report", take_baseline),
    CTRAIN_CALL(0, "eval", "SET", &given.held,
                "what is held out, to be looked at between steps; it does not\n"
                "change what is trained",
                ctrain_set),
    CTRAIN_CALL(0, "eval-every", "N", &given.eval_every,
                "every N steps, and at the end; default: a tenth of all", ctrain_count),
    CTRAIN_CALL(0, "eval-batches", "N", &given.eval_batches,
                "its first N batches only; default: all", ctrain_count),
    CTRAIN_RESOURCES,
    CTRAIN_HEADING("Telling:"),
    CTRAIN_OPT('q', "quiet", NULL, CLI_FLAG, &ctrain_given.quiet,
               "no progress unless --progress=always, no closing line"),
    CTRAIN_OPT('v', "verbose", NULL, CLI_FLAG, &ctrain_given.verbose,
               "a line for each measured step, and a closing one"),
    CTRAIN_OPT(0, "progress", "WHEN", CLI_STR, &ctrain_given.progress,
               "auto (on a terminal), always or never"),
    CTRAIN_OPT(0, "stats", "FILE", CLI_STR, &ctrain_given.stats,
               "write what was done as JSON; - is standard output"),
    CTRAIN_OPT(0, "explain", NULL, CLI_FLAG, &given.explain,
               "say what would be trained on what, and stop"),
    CTRAIN_OPT(0, "profile", NULL, CLI_FLAG, &given.profile,
               "where the time of steps goes, at the end"),
    { 0 },
};

/* ---- where it stands, for the progress line ---- */

static struct {
    _Atomic(uint64_t) step, first;
    _Atomic(double) loss, tokens_per_s, wait_share, began;
} now;

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int sig)
{
    stop_asked = sig;
}

static void say(const void *ctx, char *buf, size_t cap)
{
    (void)ctx;
    uint64_t step = now.step, done = step - now.first;
    double rest =
        done ? (tsl_seconds() - now.began) / (double)done * (double)(given.steps - step)
             : 0;
    snprintf(buf, cap,
             "step %" PRIu64 "/%" PRIu64 "  loss %.4f  %.0f tokens/s  data wait %.1f%%  "
             "%" PRIu64 ":%02u:%02u left",
             step, given.steps, now.loss, now.tokens_per_s, 100 * now.wait_share,
             (uint64_t)(rest / 3600), (unsigned)(rest / 60) % 60, (unsigned)rest % 60);
}

/* ---- options into what they mean ---- */

static int model_of(struct tsl_modelconfig *c, const struct tsl_trainset_info *info,
                    bool preset, struct tsl_err *err)
{
    if (given.layers)
        c->num_hidden_groups = c->num_hidden_layers = (int64_t)given.layers;
    if (c->kind == TSL_MODEL_ALBERT && given.layers)
        c->num_hidden_groups = 1;
    if (given.hidden) {
        c->embedding_size =
            c->kind == TSL_MODEL_ALBERT ? c->embedding_size : (int64_t)given.hidden;
        c->hidden_size = (int64_t)given.hidden;
        c->intermediate_size = 4 * c->hidden_size;
    }
    if (given.heads)
        c->num_attention_heads = (int64_t)given.heads;
    if (given.intermediate)
        c->intermediate_size = (int64_t)given.intermediate;
    if (given.dropout >= 0)
        c->hidden_dropout_prob = c->attention_probs_dropout_prob = given.dropout;
    if (given.range >= 0)
        c->initializer_range = given.range;
    if (given.vocab)
        c->vocab_size = (int64_t)given.vocab;
    else if (preset && info->vocab_size)
        c->vocab_size = info->vocab_size;
    int64_t seq = ctrain_given.length ? (int64_t)ctrain_given.length : info->tokens_max;
    int64_t before = c->kind == TSL_MODEL_ROBERTA ? c->pad_token_id + 1 : 0;
    if (preset && c->max_position_embeddings < seq + before)
        c->max_position_embeddings = seq + before;
    return tsl_modelconfig_check(c, err);
}

static int optim_of(struct tsl_optim_opts *o, struct tsl_err *err)
{
    int rc = tsl_optim_preset(o, given.optimizer ? given.optimizer : "adamw", err);
    if (rc < 0)
        return rc;
    if (given.lr >= 0) {
        o->lr = given.lr;
        o->relative_step = false;
    }
    if (given.beta1 >= 0)
        o->beta1 = given.beta1;
    if (given.beta2 >= 0)
        o->beta2 = given.beta2;
    if (given.eps >= 0)
        o->eps = given.eps;
    if (given.decay >= 0)
        o->weight_decay = given.decay;
    o->clip_norm = given.clip >= 0 ? given.clip : 1;
    if (given.ema >= 0)
        o->ema_decay = given.ema;
    if (given.lookahead) {
        o->lookahead_k = (unsigned)given.lookahead;
        o->lookahead_alpha = given.lookahead_alpha;
    }
    if (given.ngroups) {
        o->group = given.groups;
        o->ngroups = given.ngroups;
    }
    return 0;
}

/* The members of a JSON text as lines "name: value", at to; returns where they end. */
static char *plain_lines(char *to, const char *json)
{
    for (const char *p = json; *p; p++)
        if (!strchr("\"{},", *p) && !(*p == '\n' && (p == json || p[-1] == '{')))
            *to++ = *p;
    *to = 0;
    return to;
}

/* What may not change when a run goes on, as lines: the first that differs is told. */
static int identity_of(char **text, const struct tsl_trainer_opts *o, struct tsl_err *err)
{
    struct tsl_json j = { 0 };
    char *config;
    int rc = tsl_modelconfig_text(&o->model, &config, err);
    if (rc < 0)
        return rc;
    tsl_json_open(&j, NULL, '{');
    tsl_json_u64(&j, "batch", o->data.rows);
    tsl_json_u64(&j, "accumulate", o->accumulate ? o->accumulate : 1);
    tsl_json_u64(&j, "seq-length", o->data.data.tokens_max);
    tsl_json_bool(&j, "truncate", ctrain_given.truncate);
    if (ctrain_given.objective)
        tsl_json_str(&j, "objective", ctrain_given.objective);
    tsl_json_u64(&j, "seed", o->seed);
    tsl_json_str(&j, "dtype", o->bf16 ? "bf16" : "f32");
    tsl_json_str(&j, "optimizer", given.optimizer ? given.optimizer : "adamw");
    tsl_json_exact(&j, "lr", o->optim.lr);
    tsl_json_exact(&j, "beta1", o->optim.beta1);
    tsl_json_exact(&j, "beta2", o->optim.beta2);
    tsl_json_exact(&j, "eps", o->optim.eps);
    tsl_json_exact(&j, "weight-decay", o->optim.weight_decay);
    tsl_json_exact(&j, "clip", o->optim.clip_norm);
    tsl_json_exact(&j, "ema", o->optim.ema_decay);
    tsl_json_u64(&j, "lookahead", o->optim.lookahead_k);
    tsl_json_exact(&j, "lookahead-alpha", o->optim.lookahead_alpha);
    for (size_t i = 0; i < given.ngroups; i++) {
        const struct tsl_paramgroup *g = &given.groups[i];
        char group[400], lr[TSL_JSON_NUMBER], decay[TSL_JSON_NUMBER];
        snprintf(group, sizeof group, "%.200s:lr=%s,decay=%s,%d%d", g->pattern,
                 tsl_json_shortest(lr, g->lr),
                 tsl_json_shortest(decay, g->has_decay ? g->weight_decay : -1), g->frozen,
                 g->no_adaptation);
        tsl_json_str(&j, "group", group);
    }
    tsl_json_close(&j, '}');
    rc = tsl_json_end(&j, err);
    *text = rc == 0 ? tsl_mem_alloc(strlen(config) + j.len + 1, 1, "options", err) : NULL;
    if (*text)
        plain_lines(plain_lines(*text, config), j.text);
    tsl_mem_free(config);
    tsl_json_fini(&j);
    return *text ? 0 : TSL_ENOMEM;
}

/* The data, and the model as it fits them. */
static int open_data(struct tsl_trainer_opts *o, bool preset, struct tsl_err *err)
{
    int rc = tsl_loader_open(&o->loader, &o->data, err);
    return rc < 0 ? rc : model_of(&o->model, tsl_loader_info(o->loader, 0), preset, err);
}

static int options_of(struct tsl_trainer_opts *o, char **identity, struct tsl_err *err)
{
    struct tsl_modelconfig unused;
    const char *name = given.model ? given.model : "bert-tiny";
    *o = (struct tsl_trainer_opts){
        .accumulate = (uint32_t)given.accumulate,
        .seed = ctrain_given.seed,
        .bf16 = cli_choose("dtype", ctrain_given.dtype, "f32\0bf16\0") == 1,
        .nthreads = cli_threads(ctrain_given.nthreads),
        .run = ctrain_given.output,
        .init = given.init,
        .schedule = given.schedule ? given.schedule : "linear:warmup=1%",
        .steps = given.steps,
        .resume = given.resume,
        .keep_last = given.keep,
        .keep_every = given.keep_every,
        .version = TSL_VERSION,
    };
    uint64_t memory = ctrain_given.memory;
    o->data = ctrain_loader(&given.sets, given.held.n ? memory / 4 * 3 : memory);
    int rc = ctrain_config(&o->model, name, err);
    if (rc == 0)
        rc = open_data(o, tsl_modelconfig_preset(&unused, name), err);
    if (rc == 0)
        rc = optim_of(&o->optim, err);
    if (rc == 0)
        rc = identity_of(identity, o, err);
    o->identity = *identity;
    return rc;
}

/* ---- the run ---- */

/* What steps come to; a line of metrics has the mean of each over the steps that had it. */
static const struct {
    const char *name;
    size_t at;
} means[] = {
#define MEAN(name, member)                                                               \
    {                                                                                    \
        name, offsetof(struct tsl_trainer_out, member)                                   \
    }
    MEAN("loss", loss),
    MEAN("mlm_loss", masked_loss),
    MEAN("nsp_loss", pair_loss),
    MEAN("lm_loss", label_loss),
    MEAN("mlm_accuracy", masked_accuracy),
    MEAN("lm_accuracy", label_accuracy),
    MEAN("grad_norm", grad_norm),
#undef MEAN
};

enum { NMEANS = sizeof means / sizeof *means };

struct run {
    struct tsl_trainer *t;
    struct tsl_evaluate *held; /* NULL: nothing is held out */
    struct tsl_metrics metrics;
    struct tsl_tbevents events;
    bool files;
    double began; /* of this process */
    /* since the last measured step */
    double since, waited;
    uint64_t steps, tokens;
    double sum[NMEANS];
    uint64_t nsum[NMEANS];
};

static int open_files(struct run *r, struct tsl_err *err)
{
    char path[4096], name[300], host[128] = "host";
    bool resumed = tsl_trainer_resumed(r->t);
    uint64_t done = tsl_trainer_done(r->t);
    double wall = (double)time(NULL);
    snprintf(path, sizeof path, "%s/metrics.jsonl", ctrain_given.output);
    int rc = tsl_metrics_open(&r->metrics, path, resumed, done, err);
    if (rc < 0)
        return rc;
    r->files = true;
    gethostname(host, sizeof host - 1);
    tsl_tbevents_name(name, sizeof name, wall, host);
    snprintf(path, sizeof path, "%s/%s", ctrain_given.output, name);
    return tsl_tbevents_open(&r->events, path, false, done, wall, err);
}

#define METRIC(label, number)                                                            \
    do {                                                                                 \
        double value = (number);                                                         \
        if (!isnan(value))                                                               \
            m[n++] = (struct tsl_metric){ label, value };                                \
    } while (0)

enum { METRICS_MAX = 32 };

/* Where the step calls for it, what was held out: how many numbers it came to. */
static int look_at_held(struct run *r, struct tsl_metric *m, struct tsl_err *err)
{
    uint64_t done = tsl_trainer_done(r->t);
    uint64_t every = given.eval_every ? given.eval_every : (given.steps + 9) / 10;
    struct tsl_evaluate_out out;
    size_t n = 0;
    if (!r->held || (done % every && done != given.steps))
        return 0;
    double began = tsl_seconds();
    int rc = tsl_evaluate_run(r->held, &out, err);
    r->since += tsl_seconds() - began; /* is no time of training */
    if (rc < 0)
        return rc;
    METRIC("eval_loss", out.loss);
    METRIC("eval_accuracy", out.masked ? out.masked_accuracy : out.label_accuracy);
    METRIC("eval_mlm_loss", out.masked_loss);
    METRIC("eval_nsp_loss", out.pair_loss);
    METRIC("eval_nsp_accuracy", out.pair_accuracy);
    METRIC("eval_lm_loss", out.label_loss);
    METRIC("eval_perplexity", out.perplexity);
    if (ctrain_given.verbose && !ctrain_given.quiet)
        cli_warn("step %" PRIu64 ": held out: loss %.4f, perplexity %.2f", done, out.loss,
                 out.perplexity);
    return (int)n;
}

/* A line of metrics; nothing where there are none. */
static int put_metrics(struct run *r, const struct tsl_metric *m, size_t n,
                       struct tsl_err *err)
{
    uint64_t done = tsl_trainer_done(r->t);
    if (!r->files || !n)
        return 0;
    int rc = tsl_metrics_put(&r->metrics, done, m, n, err);
    return rc < 0 ? rc
                  : tsl_tbevents_put(&r->events, done, (double)time(NULL), m, n, err);
}

static void add_up(struct run *r, const struct tsl_trainer_out *out)
{
    r->steps++;
    r->tokens += out->tokens;
    r->waited += out->wait_seconds;
    for (size_t i = 0; i < NMEANS; i++) {
        double value = *(const double *)((const char *)out + means[i].at);
        r->sum[i] += isnan(value) ? 0 : value;
        r->nsum[i] += !isnan(value);
    }
}

/* Every log_every steps, and after the last; held: of m, what was held out came to. */
static int measured(struct run *r, const struct tsl_trainer_out *out,
                    struct tsl_metric *m, size_t held, struct tsl_err *err)
{
    double seconds = tsl_seconds() - r->since;
    uint64_t done = tsl_trainer_done(r->t);
    size_t n = held;
    for (size_t i = 0; i < NMEANS; i++)
        METRIC(means[i].name, r->nsum[i] ? r->sum[i] / (double)r->nsum[i] : NAN);
    METRIC("lr", out->lr);
    METRIC("tokens", (double)tsl_trainer_tokens(r->t));
    METRIC("tokens_per_s", (double)r->tokens / seconds);
    METRIC("data_wait_s", r->waited / (double)r->steps);
    METRIC("time", tsl_seconds() - r->began);
    now.loss = r->sum[0] / (double)r->steps;
    now.tokens_per_s = (double)r->tokens / seconds;
    now.wait_share = r->waited / seconds;
    if (ctrain_given.verbose && !ctrain_given.quiet)
        cli_warn("step %" PRIu64 ": loss %.4f, %.0f tokens/s, data wait %.1f%%", done,
                 now.loss, now.tokens_per_s, 100 * now.wait_share);
    int rc = put_metrics(r, m, n, err);
    r->since = tsl_seconds();
    r->waited = 0;
    r->steps = r->tokens = 0;
    memset(r->sum, 0, sizeof r->sum);
    memset(r->nsum, 0, sizeof r->nsum);
    return rc;
}

#undef METRIC

/* report.html, of all that was measured so far. */
static int report(const struct run *r, struct tsl_err *err)
{
    struct tsl_metrics_table table = { 0 };
    struct tsl_trainer_facts f;
    char path[4096], count[32], data[300], steps[32];
    tsl_trainer_facts(r->t, &f);
    snprintf(count, sizeof count, "%.2f million", (double)f.nparameters * 1e-6);
    snprintf(data, sizeof data, "%s%s", given.sets.list[0].path,
             given.sets.n > 1 ? ", ..." : "");
    snprintf(steps, sizeof steps, "%" PRIu64, given.steps);
    const struct tsl_trainreport_pair pairs[] = {
        { "model", given.model ? given.model : "bert-tiny" },
        { "parameters", count },
        { "data", data },
        { "steps", steps },
        { "optimizer", given.optimizer ? given.optimizer : "adamw" },
        { "schedule", given.schedule ? given.schedule : "linear:warmup=1%" },
        { "numbers", ctrain_given.dtype ? ctrain_given.dtype : "f32" },
    };
    snprintf(path, sizeof path, "%s/metrics.jsonl", ctrain_given.output);
    int rc = tsl_metrics_read(&table, path, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%s/report.html", ctrain_given.output);
    struct tsl_trainreport page = { .title = ctrain_given.output,
                                    .metrics = &table,
                                    .pairs = pairs,
                                    .npairs = sizeof pairs / sizeof *pairs,
                                    .baselines = given.baselines,
                                    .nbaselines = given.nbaselines };
    rc = tsl_trainreport_write(path, &page, err);
    tsl_metrics_table_fini(&table);
    return rc;
}

static int save(struct run *r, struct tsl_err *err)
{
    if (!ctrain_given.output)
        return 0;
    int rc = tsl_metrics_sync(&r->metrics, err);
    if (rc == 0)
        rc = tsl_trainer_save(r->t, err);
    return rc < 0 ? rc : report(r, err);
}

static int steps(struct run *r, struct tsl_err *err)
{
    uint64_t every = given.save_every ? given.save_every : (given.steps + 9) / 10;
    uint64_t log = given.log_every ? given.log_every : 1;
    struct tsl_trainer_out out = { 0 };
    struct tsl_metric m[METRICS_MAX];
    bool saved = false;
    int rc = 1;
    while (rc == 1 && tsl_trainer_done(r->t) < given.steps && !stop_asked) {
        rc = tsl_trainer_step(r->t, &out, err);
        if (rc <= 0)
            break;
        uint64_t done = tsl_trainer_done(r->t);
        now.step = done;
        add_up(r, &out);
        int now_rc = look_at_held(r, m, err);
        if (now_rc >= 0 && (done % log == 0 || done == given.steps))
            now_rc = measured(r, &out, m, (size_t)now_rc, err);
        else if (now_rc > 0)
            now_rc = put_metrics(r, m, (size_t)now_rc, err);
        saved = done % every == 0;
        if (now_rc == 0 && saved)
            now_rc = save(r, err);
        if (now_rc < 0)
            rc = now_rc;
    }
    if (rc < 0)
        return rc;
    if (rc == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "the data ended after step %" PRIu64 " of %" PRIu64,
                           tsl_trainer_done(r->t), given.steps);
    if (r->steps)
        rc = measured(r, &out, m, 0, err);
    return rc < 0 || saved ? (rc < 0 ? rc : 0) : save(r, err);
}

static int write_stats(struct run *r, struct tsl_err *err)
{
    struct tsl_trainer_facts f;
    struct tsl_json j = { 0 };
    tsl_trainer_facts(r->t, &f);
    if (!ctrain_given.stats)
        return 0;
    tsl_json_open(&j, NULL, '{');
    tsl_json_str(&j, "tool", "ctrain");
    tsl_json_u64(&j, "steps", tsl_trainer_done(r->t));
    tsl_json_u64(&j, "tokens", tsl_trainer_tokens(r->t));
    tsl_json_u64(&j, "parameters", f.nparameters);
    tsl_json_u64(&j, "arena_bytes", f.arena_bytes);
    tsl_json_u64(&j, "optimizer_bytes", f.state_bytes);
    tsl_json_num(&j, "step_flops", f.flops);
    tsl_json_num(&j, "loss", now.loss);
    tsl_json_num(&j, "seconds", tsl_seconds() - r->began);
    tsl_json_u64(&j, "peak_memory_bytes", cli_peak_rss());
    tsl_json_close(&j, '}');
    return cli_write_json(ctrain_given.stats, &j, err);
}

static void closing_line(const struct run *r)
{
    char kept[64] = "; nothing is kept without -o DIR";
    if (tsl_trainer_done(r->t) == now.first && given.steps) {
        cli_warn("all %" PRIu64 " steps were done before", given.steps);
        return;
    }
    if (ctrain_given.output)
        snprintf(kept, sizeof kept, ", to checkpoint-%08" PRIu64, tsl_trainer_done(r->t));
    cli_warn("%" PRIu64 " steps, %" PRIu64 " tokens, loss %.4f, %.2f s%s",
             tsl_trainer_done(r->t), tsl_trainer_tokens(r->t), now.loss,
             tsl_seconds() - r->began, kept);
}

static void explain(const struct tsl_trainer *t, const struct tsl_trainer_opts *o)
{
    struct tsl_trainer_facts f;
    char a[16], b[16], c[16];
    tsl_trainer_facts(t, &f);
    const struct tsl_trainset_info *info = tsl_loader_info(tsl_trainer_loader(t), 0);
    printf(
        "model: %zu parameters; a step's values take %s, the optimizer %s, gradients and "
        "weights %s\n",
        f.nparameters, cli_bytes(a, f.arena_bytes + f.scratch_bytes),
        cli_bytes(b, f.state_bytes), cli_bytes(c, 8 * f.nparameters));
    printf("data: %s, samples of %s, %" PRIu64 " of them, at most %" PRIu32
           " tokens; %" PRIu64 " steps an epoch\n",
           info->fields, info->objective, tsl_loader_samples(tsl_trainer_loader(t)),
           info->tokens_max, f.epoch_steps);
    printf("step: %" PRIu32 " samples in %" PRIu32 " batches, %.1f Gflop\n",
           o->data.rows * (o->accumulate ? o->accumulate : 1),
           o->accumulate ? o->accumulate : 1, f.flops * 1e-9);
    fflush(stdout);
}

static int open_held(struct run *r, const struct tsl_trainer_opts *o, struct tsl_err *err)
{
    struct tsl_evaluate_opts e = {
        .model = tsl_trainer_config(r->t),
        .params = tsl_trainer_params(r->t),
        .batches = given.eval_batches,
        .bf16 = o->bf16,
        .pool = tsl_trainer_pool(r->t),
        .nthreads = o->nthreads,
    };
    e.data = ctrain_loader(&given.held, ctrain_given.memory / 4);
    return given.held.n ? tsl_evaluate_open(&r->held, &e, err) : 0;
}

/* DIR is a folder, this process's alone, without a run or with one that is gone on with. */
static int prepare(const struct tsl_trainer_opts *o, int *lock, struct tsl_err *err)
{
    struct tsl_ckpt k = { 0 };
    if (!o->run || given.explain)
        return 0;
    if (mkdir(o->run, 0777) < 0 && !tsl_file_is_folder(o->run))
        return errno == EEXIST
                   ? tsl_err_set(err, TSL_EUSAGE, "%s is a file, not the folder of a run",
                                 tsl_quote(o->run).s)
                   : tsl_err_sys(err, errno, "%s cannot be made", tsl_quote(o->run).s);
    int rc = tsl_file_lock(lock, o->run, err);
    if (rc == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s: another process trains there at this moment",
                           tsl_quote(o->run).s);
    if (rc < 0 || given.resume)
        return rc < 0 ? rc : 0;
    rc = tsl_ckpt_find(&k, o->run, err);
    tsl_ckpt_close(&k);
    if (rc == 0)
        return 0;
    if (given.force) {
        if (rc < 0)
            *err = (struct tsl_err){ 0 };
        return tsl_ckpt_drop_from(o->run, 0, err);
    }
    return rc < 0 ? rc
                  : tsl_err_set(err, TSL_EUSAGE,
                                "%s has a run already: --resume goes on with it, --force "
                                "begins anew",
                                tsl_quote(o->run).s);
}

/* What the command line must have; operands are data, too. */
static int check(char **operands, size_t n, struct tsl_err *err)
{
    for (size_t i = 0; i < n; i++) {
        if (ctrain_set(&given.sets, operands[i], err) < 0)
            return err->code;
        if (!tsl_file_exists(given.sets.list[given.sets.n - 1].path))
            cli_misuse(true, "%s is no file, and no command either",
                       tsl_quote(operands[i]).s);
    }
    if (!given.sets.n)
        cli_misuse(true, "no data: --data=SET says what to train on");
    if (given.steps == UINT64_MAX)
        cli_misuse(true, "how many steps? -n N");
    if (!given.steps && !ctrain_given.output && !given.explain)
        cli_misuse(true, "-n 0 makes initial weights: -o DIR says where");
    if ((given.resume || given.force) && !ctrain_given.output)
        cli_misuse(true, "--resume and --force need the folder of the run, -o DIR");
    return 0;
}

/* All steps, with progress and signals; and what is told at the end. */
static int go(struct run *r, struct tsl_err *err)
{
    char *profile;
    tsl_graph_profile(tsl_trainer_graph(r->t), given.profile);
    now.first = now.step = tsl_trainer_done(r->t);
    now.began = r->since = tsl_seconds();
    static struct tsl_progress progress;
    cli_progress_say(say, NULL);
    cli_progress_start(&progress,
                       cli_progress_told(ctrain_given.progress, ctrain_given.quiet));
    struct sigaction stop = { .sa_handler = ask_to_stop };
    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    int rc = steps(r, err);
    cli_progress_stop();
    if (rc == 0)
        rc = write_stats(r, err);
    if (rc < 0)
        return rc;
    if (!stop_asked && !ctrain_given.quiet &&
        (ctrain_given.verbose || cli_progress_shown()))
        closing_line(r);
    if (given.profile &&
        tsl_graph_profile_text(tsl_trainer_graph(r->t), &profile, err) == 0) {
        fputs(profile, stderr);
        tsl_mem_free(profile);
    }
    if (!stop_asked)
        return 0;
    return tsl_err_set(err, TSL_EIO, "stopped after step %" PRIu64 " of %" PRIu64 "%s",
                       tsl_trainer_done(r->t), given.steps,
                       ctrain_given.output ? "; --resume goes on from there" : "");
}

static int close_files(struct run *r, int rc, struct tsl_err *err)
{
    int end = tsl_metrics_close(&r->metrics, rc < 0 ? NULL : err);
    rc = rc < 0 ? rc : end;
    end = tsl_tbevents_close(&r->events, rc < 0 ? NULL : err);
    return rc < 0 ? rc : end;
}

static int train(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_trainer_opts o;
    struct run r = { .metrics = { TSL_FILE_INIT }, .began = tsl_seconds() };
    char *identity = NULL;
    int lock = -1;
    int rc = check(operands, n, err);
    if (rc < 0)
        return rc;
    rc = options_of(&o, &identity, err);
    if (rc == 0)
        rc = prepare(&o, &lock, err);
    if (rc == 0)
        rc = tsl_trainer_open(&r.t, &o, err);
    else
        tsl_loader_destroy(o.loader);
    if (rc < 0)
        goto out;
    if (given.explain) {
        explain(r.t, &o);
        goto out;
    }
    if (tsl_trainer_damaged(r.t))
        cli_warn("passed over: %s", tsl_trainer_damaged(r.t));
    if (tsl_trainer_resumed(r.t) && !ctrain_given.quiet)
        cli_warn("going on from %s", tsl_trainer_resumed(r.t));
    rc = open_held(&r, &o, err);
    if (rc == 0 && ctrain_given.output)
        rc = open_files(&r, err);
    if (rc == 0)
        rc = go(&r, err);
out:
    if (r.files)
        rc = close_files(&r, rc, err);
    tsl_evaluate_destroy(r.held);
    tsl_trainer_destroy(r.t);
    tsl_file_unlock(lock);
    tsl_mem_free(identity);
    return rc;
}

const struct ctrain_command ctrain_train = {
    .name = "train",
    .usage = "[train] [OPTION]... --data=SET -n STEPS -o DIR",
    .summary = "Pretrain a model on samples: one machine, the same bits every time.",
    .examples =
        "Examples:\n"
        "  ctrain --model=bert-mini --data=shards --steps=100000 --lr=1e-4 -o run\n"
        "      BERT on the samples of cmask, in the shards of cshard\n"
        "  ctrain --model=bert-mini --data=shards --steps=100000 --lr=1e-4 -o run "
        "--resume\n"
        "      the same, however it was interrupted\n"
        "  ctrain --model=gpt2-small --data=en:.7 --data=zh:.3 --objective=clm -n 50000 "
        "-o g\n"
        "      a causal model on two sets, mixed\n",
    .opts = opts,
    .run = train,
};

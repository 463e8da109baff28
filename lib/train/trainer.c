#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "io/file.h"
#include "optim/grads.h"
#include "train/trainfeed.h"
#include "train/weights.h"

struct tsl_trainer {
    struct tsl_trainer_opts o;
    struct tsl_params params;
    struct tsl_graph *graph;
    struct tsl_model_task task;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
    struct tsl_pool *pool;
    struct tsl_optim *optim;
    struct tsl_loader *loader;
    struct tsl_ckpt_data *data;
    char *feeds;                         /* [accumulate] batches as inputs */
    struct tsl_trainfeed_counts *counts; /* [accumulate] */
    struct tsl_schedule schedule;
    char *begun; /* what checkpoints keep of the options: steps, schedule, identity */
    size_t feed_bytes;
    float *sum; /* gradients of earlier batches of a step, where there are several */
    uint64_t done, tokens, position;
    char resumed[300], damaged[500], last[300];
};

/* ---- data's fingerprint ---- */

/* A set is known by its manifest, another file by its length and how it begins and ends. */
static int fingerprint(const char *path, uint64_t *hash, struct tsl_err *err)
{
    enum { PART = 64 << 10 };
    struct tsl_file f = TSL_FILE_INIT;
    char manifest[4096];
    snprintf(manifest, sizeof manifest, "%s/manifest.json", path);
    int rc = tsl_file_open(&f, tsl_file_exists(manifest) ? manifest : path, err);
    uint8_t *part = rc == 0 ? tsl_mem_alloc(2, PART, "a fingerprint", err) : NULL;
    if (rc == 0 && !part)
        rc = TSL_ENOMEM;
    uint64_t bytes = f.size;
    size_t head = bytes < PART ? (size_t)bytes : PART;
    size_t tail = bytes - head < PART ? (size_t)(bytes - head) : PART;
    if (rc == 0)
        rc = tsl_file_pread(&f, part, head, 0, err);
    if (rc == 0 && tail)
        rc = tsl_file_pread(&f, part + head, tail, bytes - tail, err);
    if (rc == 0)
        *hash = tsl_hash64(part, head + tail, bytes);
    tsl_mem_free(part);
    tsl_file_close(&f, NULL);
    return rc;
}

static int fingerprints(struct tsl_trainer *t, struct tsl_err *err)
{
    size_t n = t->o.data.nsets;
    t->data = tsl_mem_alloc(n, sizeof *t->data, "data sets", err);
    if (!t->data)
        return TSL_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        t->data[i].name = t->o.data.sets[i].path;
        int rc = fingerprint(t->data[i].name, &t->data[i].hash, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* ---- arrays of a checkpoint ---- */

/* The parameters, by their names. */
static struct tsl_ckpt_array *model_arrays(struct tsl_trainer *t, struct tsl_err *err)
{
    struct tsl_ckpt_array *a = tsl_mem_alloc(t->params.n, sizeof *a, "parameters", err);
    for (size_t i = 0; a && i < t->params.n; i++) {
        struct tsl_param *p = &t->params.item[i];
        a[i] = (struct tsl_ckpt_array){ p->name, TSL_ST_F32, p->rank, p->dim, p->value };
    }
    return a;
}

static struct tsl_ckpt_array *optim_arrays(struct tsl_trainer *t, size_t *n,
                                           struct tsl_err *err)
{
    *n = 0;
    while (tsl_optim_state(t->optim, *n))
        ++*n;
    struct tsl_ckpt_array *a = tsl_mem_alloc(*n + 1, sizeof *a, "an optimizer", err);
    for (size_t i = 0; a && i < *n; i++) {
        const struct tsl_optim_array *s = tsl_optim_state(t->optim, i);
        a[i] = (struct tsl_ckpt_array){ s->name, s->counts ? TSL_ST_U64 : TSL_ST_F32,
                                        s->rank, s->dim, s->data };
    }
    return a;
}

/* ---- beginning from a file ---- */

/* Somebody's file may have other spellings, and heads that this model does not have. */
static int load_init(struct tsl_trainer *t, struct tsl_err *err)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", t->o.init,
             tsl_file_is_folder(t->o.init) ? "/model.safetensors" : "");
    bool *found = tsl_mem_alloc(t->params.n + 1, sizeof *found, "parameters", err);
    if (!found)
        return TSL_ENOMEM;
    int rc = tsl_weights_read(&t->params, &t->o.model, path, found, err);
    for (size_t i = 0; rc == 0 && i < t->params.n; i++)
        if (!found[i])
            rc = tsl_err_set(err, TSL_EFORMAT, "%s: there is no %s", path,
                             t->params.item[i].name);
    tsl_mem_free(found);
    return rc;
}

/* ---- resuming ---- */

/* The first line of a that b does not have at that place: to say what differs. */
static void first_difference(const char *a, const char *b, char *was, char *is,
                             size_t cap)
{
    while (*a || *b) {
        size_t na = strcspn(a, "\n"), nb = strcspn(b, "\n");
        if (na != nb || memcmp(a, b, na) != 0) {
            snprintf(was, cap, "%.*s", (int)na, a);
            snprintf(is, cap, "%.*s", (int)nb, b);
            return;
        }
        a += na + (a[na] != 0);
        b += nb + (b[nb] != 0);
    }
    *was = *is = 0;
}

enum { SCHEDULE_MAX = 400 };

/* A schedule of no step at all is that of one. */
static int schedule_of(struct tsl_schedule *s, const char *text, uint64_t steps,
                       struct tsl_err *err)
{
    return tsl_schedule_parse(s, text, steps + !steps, err);
}

/* "steps: N", "schedule: TEXT" and the identity. */
static int begun_with(struct tsl_trainer *t, struct tsl_err *err)
{
    const char *identity = t->o.identity ? t->o.identity : "";
    size_t cap = strlen(identity) + SCHEDULE_MAX + 64;
    if (strlen(t->o.schedule) >= SCHEDULE_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "the schedule is too long");
    t->begun = tsl_mem_alloc(cap, 1, "options", err);
    if (!t->begun)
        return TSL_ENOMEM;
    snprintf(t->begun, cap, "steps: %" PRIu64 "\nschedule: %s\n%s", t->o.steps,
             t->o.schedule, identity);
    return schedule_of(&t->schedule, t->o.schedule, t->o.steps, err);
}

/* Steps done had the rates that this schedule has for them?  then: from its line "steps" on;
 * *rest: what is behind "schedule". */
static int same_rates(const struct tsl_trainer *t, const struct tsl_ckpt *k,
                      const char *then, const char **rest, struct tsl_err *err)
{
    char text[SCHEDULE_MAX];
    struct tsl_schedule old;
    uint64_t steps;
    int n = 0;
    if (sscanf(then, "steps: %" SCNu64 "\nschedule: %399[^\n]%n", &steps, text, &n) != 2)
        return tsl_err_set(err, TSL_EFORMAT, "%s does not tell what it was begun with",
                           k->path);
    *rest = then + n + (then[n] == '\n');
    int rc = schedule_of(&old, text, steps, err);
    for (uint64_t i = 0; rc == 0 && i < k->state.step; i++)
        if (tsl_schedule_at(&old, i) != tsl_schedule_at(&t->schedule, i))
            return tsl_err_set(err, TSL_EUSAGE,
                               "%s was begun with other options: schedule: %s of %" PRIu64
                               " steps then, %s of %" PRIu64
                               " now, which has another rate for step "
                               "%" PRIu64 ", which is done%s",
                               k->path, text, steps, t->o.schedule, t->o.steps, i + 1,
                               old.total == steps && t->schedule.total == t->o.steps
                                   ? "; total= in the schedule fixes its length"
                                   : "");
    return rc;
}

static int same_run(const struct tsl_trainer *t, const struct tsl_ckpt *k,
                    struct tsl_err *err)
{
    const char *now = t->o.identity ? t->o.identity : "", *then = "";
    int rc = same_rates(t, k, k->state.extra, &then, err);
    if (rc < 0)
        return rc;
    if (strcmp(now, then) != 0) {
        char was[100], is[100];
        first_difference(then, now, was, is, sizeof was);
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s was begun with other options: %s then, %s now", k->path,
                           *was ? was : "nothing", *is ? is : "nothing");
    }
    if (k->state.ndata != t->o.data.nsets)
        return tsl_err_set(err, TSL_EUSAGE, "%s was begun with %zu data sets, not %zu",
                           k->path, k->state.ndata, t->o.data.nsets);
    for (size_t i = 0; i < k->state.ndata; i++)
        if (k->state.data[i].hash != t->data[i].hash)
            return tsl_err_set(err, TSL_EUSAGE,
                               "%s was begun with other data: %s then, %s now%s", k->path,
                               k->state.data[i].name, t->data[i].name,
                               strcmp(k->state.data[i].name, t->data[i].name)
                                   ? ""
                                   : ", of the same name but not the same content");
    return 0;
}

static int load_arrays(struct tsl_trainer *t, const struct tsl_ckpt *k,
                       struct tsl_err *err)
{
    size_t n;
    struct tsl_ckpt_array *model = model_arrays(t, err);
    struct tsl_ckpt_array *optim = model ? optim_arrays(t, &n, err) : NULL;
    int rc =
        optim ? tsl_ckpt_load(k, TSL_CKPT_MODEL, model, t->params.n, err) : TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_ckpt_load(k, TSL_CKPT_OPTIMIZER, optim, n, err);
    tsl_mem_free(model);
    tsl_mem_free(optim);
    return rc;
}

static int go_on(struct tsl_trainer *t, struct tsl_err *err)
{
    struct tsl_ckpt k = { 0 };
    int rc = tsl_ckpt_find(&k, t->o.run, err);
    if (rc <= 0)
        return rc;
    rc = same_run(t, &k, err);
    if (rc == 0)
        rc = load_arrays(t, &k, err);
    if (rc == 0)
        rc = tsl_ckpt_drop_from(t->o.run, k.state.step + 1, err);
    if (rc == 0) {
        t->done = k.state.step;
        t->tokens = k.state.tokens;
        t->position = k.state.samples;
        snprintf(t->resumed, sizeof t->resumed, "%s", k.path);
        snprintf(t->last, sizeof t->last, "%s", k.path);
        snprintf(t->damaged, sizeof t->damaged, "%s", k.damaged);
        tsl_loader_seek(t->loader, t->position);
    }
    tsl_ckpt_close(&k);
    return rc;
}

/* ---- opening ---- */

static int open_data(struct tsl_trainer *t, struct tsl_err *err)
{
    int rc = fingerprints(t, err);
    if (rc == 0 && !t->loader)
        rc = tsl_loader_open(&t->loader, &t->o.data, err);
    if (rc < 0)
        return rc;
    const struct tsl_trainset_info *info = tsl_loader_info(t->loader, 0);
    const struct tsl_trainbatch_shape *shape = tsl_loader_shape(t->loader);
    if (shape->vocab_size > t->o.model.vocab_size)
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s has ids of a vocabulary of %" PRIu32
                           ", the model one of %" PRId64,
                           t->data[0].name, shape->vocab_size, t->o.model.vocab_size);
    return tsl_trainfeed_task(&t->task, &t->o.model, shape, info, err);
}

static int open_model(struct tsl_trainer *t, struct tsl_err *err)
{
    struct tsl_graph_opts g = { .bf16 = t->o.bf16, .training = true };
    int rc = tsl_model_params(&t->o.model, &t->params, err);
    if (rc == 0)
        rc = tsl_params_alloc(&t->params, err);
    if (rc < 0)
        return rc;
    if (t->o.init)
        rc = load_init(t, err);
    else
        tsl_params_init(&t->params, t->o.seed);
    if (rc == 0)
        rc = tsl_graph_create(&t->graph, &g, err);
    if (rc == 0)
        rc = tsl_model_record(&t->o.model, &t->params, t->graph, &t->task, &t->in,
                              &t->out, err);
    if (rc == 0)
        rc = tsl_graph_derive(t->graph, t->out.loss, err);
    /* A head that the task does not ask for stays as it is: it would only decay. */
    for (size_t i = 0; rc == 0 && i < t->params.n; i++)
        t->params.item[i].frozen |= !tsl_graph_has_param(t->graph, &t->params.item[i]);
    if (rc == 0)
        rc = tsl_graph_plan(t->graph, t->o.nthreads, err);
    if (rc == 0)
        rc = tsl_pool_create(&t->pool, t->o.nthreads, err);
    return rc;
}

static int open_rest(struct tsl_trainer *t, struct tsl_err *err)
{
    t->feed_bytes = tsl_trainfeed_bytes(&t->in);
    t->feeds = tsl_mem_alloc(t->o.accumulate, t->feed_bytes, "batches", err);
    t->counts = tsl_mem_alloc(t->o.accumulate, sizeof *t->counts, "batches", err);
    if (!t->feeds || !t->counts)
        return TSL_ENOMEM;
    if (t->o.accumulate > 1) {
        t->sum = tsl_pages_map(t->params.numbers * sizeof(float), "gradients", err);
        if (!t->sum)
            return TSL_ENOMEM;
    }
    int rc = tsl_optim_create(&t->optim, &t->params, &t->o.optim, t->pool, err);
    if (rc == 0 && t->o.run && t->o.resume)
        rc = go_on(t, err);
    return rc;
}

int tsl_trainer_open(struct tsl_trainer **out, const struct tsl_trainer_opts *o,
                     struct tsl_err *err)
{
    struct tsl_trainer *t = tsl_mem_alloc(1, sizeof *t, "a training run", err);
    if (!t) {
        tsl_loader_destroy(o->loader);
        return TSL_ENOMEM;
    }
    t->o = *o;
    t->o.accumulate += !t->o.accumulate;
    t->loader = o->loader;
    int rc = begun_with(t, err);
    if (rc == 0)
        rc = open_data(t, err);
    if (rc == 0)
        rc = open_model(t, err);
    if (rc == 0)
        rc = open_rest(t, err);
    if (rc < 0) {
        tsl_trainer_destroy(t);
        return rc;
    }
    *out = t;
    return 0;
}

void tsl_trainer_destroy(struct tsl_trainer *t)
{
    if (!t)
        return;
    tsl_optim_destroy(t->optim);
    tsl_loader_destroy(t->loader);
    tsl_graph_destroy(t->graph);
    tsl_pool_destroy(t->pool);
    if (t->sum)
        tsl_pages_unmap(t->sum, t->params.numbers * sizeof(float));
    tsl_params_fini(&t->params);
    tsl_mem_free(t->data);
    tsl_mem_free(t->feeds);
    tsl_mem_free(t->counts);
    tsl_mem_free(t->begun);
    tsl_mem_free(t);
}

/* ---- a step ---- */

/* The batches of a step, and how many labels they have together. */
static int take_batches(struct tsl_trainer *t, struct tsl_trainfeed_counts *all,
                        uint64_t *next, struct tsl_err *err)
{
    *all = (struct tsl_trainfeed_counts){ 0 };
    for (uint32_t i = 0; i < t->o.accumulate; i++) {
        const struct tsl_trainbatch *b;
        int rc = tsl_loader_next(t->loader, &b, err);
        if (rc <= 0)
            return rc;
        rc = tsl_trainfeed_check(b, &t->task, &t->o.model, err);
        if (rc < 0)
            return rc;
        tsl_trainfeed_count(b, &t->task, all);
        tsl_trainfeed_save(b, &t->task, &t->in, t->feeds + i * t->feed_bytes);
        *next = b->next;
    }
    return 1;
}

static double number(const struct tsl_tensor *t)
{
    return t ? (double)*tsl_tensor_f32(t) : NAN;
}

/* What was not finite, found by running the batch again with an eye on it: the draws are the
 * same, so it happens again. */
static int explain(struct tsl_trainer *t, uint32_t batch,
                   const struct tsl_trainfeed_counts *all, const struct tsl_err *first,
                   struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    struct tsl_draw draw = { t->o.seed, t->done * t->o.accumulate + batch };
    tsl_trainfeed_put(&t->in, t->feeds + batch * t->feed_bytes, all);
    int rc = tsl_graph_run_checked(t->graph, t->pool, &draw, &why);
    const char *text = rc < 0 ? why.msg : first->msg, *colon = strstr(text, ": ");
    if (strncmp(text, "step ", 5) == 0 && colon)
        text = colon + 2; /* the optimizer counts, too */
    return tsl_err_set(err, TSL_EFORMAT, "step %" PRIu64 ": %s; %s%s", t->done + 1, text,
                       *t->last ? "the last good checkpoint is "
                                : "there is no checkpoint yet",
                       t->last);
}

static void results(struct tsl_trainer *t, struct tsl_trainer_out *out, double *sums,
                    const struct tsl_trainfeed_counts *all)
{
    out->loss = sums[0];
    out->masked_loss = t->out.masked_loss ? sums[1] : NAN;
    out->pair_loss = t->out.pair_loss ? sums[2] : NAN;
    out->label_loss = t->out.label_loss ? sums[3] : NAN;
    out->masked_accuracy =
        t->out.masked_right && all->masked ? sums[4] / (double)all->masked : NAN;
    out->label_accuracy =
        t->out.label_right && all->labels ? sums[5] / (double)all->labels : NAN;
    out->tokens = all->tokens;
}

/* Forward and backward of all batches: their gradients' sum lies with the parameters. */
static int run_batches(struct tsl_trainer *t, const struct tsl_trainfeed_counts *all,
                       double *sums, struct tsl_err *err)
{
    uint32_t k = t->o.accumulate;
    for (uint32_t i = 0; i < k; i++) {
        struct tsl_draw draw = { t->o.seed, t->done * k + i };
        tsl_trainfeed_put(&t->in, t->feeds + i * t->feed_bytes, all);
        tsl_graph_run(t->graph, t->pool, &draw);
        const struct tsl_tensor *of[] = { t->out.loss,         t->out.masked_loss,
                                          t->out.pair_loss,    t->out.label_loss,
                                          t->out.masked_right, t->out.label_right };
        for (unsigned j = 0; j < 6; j++)
            sums[j] += number(of[j]);
        if (!isfinite(number(t->out.loss)))
            return explain(t, i, all,
                           &(struct tsl_err){ .msg = "the loss is not finite" }, err);
        if (i > 0)
            tsl_grads_add(&t->params, t->sum, t->pool);
        if (i + 1 < k)
            tsl_grads_keep(&t->params, t->sum, t->pool);
    }
    return 0;
}

int tsl_trainer_step(struct tsl_trainer *t, struct tsl_trainer_out *out,
                     struct tsl_err *err)
{
    struct tsl_loader_stats before, after;
    struct tsl_trainfeed_counts all;
    struct tsl_optim_stats stats;
    double sums[6] = { 0 };
    uint64_t next = 0;
    tsl_loader_stats(t->loader, &before);
    int rc = take_batches(t, &all, &next, err);
    if (rc <= 0)
        return rc;
    tsl_loader_stats(t->loader, &after);
    rc = run_batches(t, &all, sums, err);
    if (rc < 0)
        return rc;
    double multiplier = tsl_schedule_at(&t->schedule, t->done);
    struct tsl_err why = { 0 };
    rc = tsl_optim_step(t->optim, multiplier, 1, &stats, &why);
    if (rc < 0)
        return explain(t, t->o.accumulate - 1, &all, &why, err);
    *out = (struct tsl_trainer_out){ .lr = t->o.optim.lr * multiplier,
                                     .grad_norm = stats.grad_norm,
                                     .clip_factor = stats.clip_factor,
                                     .wait_seconds =
                                         after.wait_seconds - before.wait_seconds };
    results(t, out, sums, &all);
    t->done++;
    t->tokens += all.tokens;
    t->position = next;
    return 1;
}

/* ---- saving ---- */

int tsl_trainer_save(struct tsl_trainer *t, struct tsl_err *err)
{
    size_t n;
    char *config;
    int rc = tsl_modelconfig_text(&t->o.model, &config, err);
    if (rc < 0)
        return rc;
    struct tsl_ckpt_array *model = model_arrays(t, err);
    struct tsl_ckpt_array *optim = model ? optim_arrays(t, &n, err) : NULL;
    struct tsl_ckpt_content c = {
        .state = { .step = t->done,
                   .samples = t->position,
                   .tokens = t->tokens,
                   .seed = t->o.seed,
                   .options = tsl_hash64(t->begun, strlen(t->begun), 0),
                   .data = t->data,
                   .ndata = t->o.data.nsets,
                   .version = t->o.version,
                   .extra = t->begun },
        .config = config,
        .model = model,
        .optimizer = optim,
        .nmodel = t->params.n,
        .noptimizer = optim ? n : 0,
    };
    rc = optim ? tsl_ckpt_save(t->o.run, &c, err) : TSL_ENOMEM;
    if (rc == 0) {
        snprintf(t->last, sizeof t->last, "%.200s/checkpoint-%08" PRIu64, t->o.run,
                 t->done);
        rc = tsl_ckpt_prune(t->o.run, t->done, t->o.keep_last, t->o.keep_every, err);
    }
    tsl_mem_free(config);
    tsl_mem_free(model);
    tsl_mem_free(optim);
    return rc;
}

/* ---- looking ---- */

uint64_t tsl_trainer_done(const struct tsl_trainer *t)
{
    return t->done;
}

uint64_t tsl_trainer_tokens(const struct tsl_trainer *t)
{
    return t->tokens;
}

const char *tsl_trainer_resumed(const struct tsl_trainer *t)
{
    return *t->resumed ? t->resumed : NULL;
}

const char *tsl_trainer_damaged(const struct tsl_trainer *t)
{
    return *t->damaged ? t->damaged : NULL;
}

void tsl_trainer_facts(const struct tsl_trainer *t, struct tsl_trainer_facts *f)
{
    struct tsl_graph_stats g;
    tsl_graph_stats(t->graph, &g);
    *f = (struct tsl_trainer_facts){ .arena_bytes = g.arena_bytes,
                                     .scratch_bytes = g.scratch_bytes,
                                     .flops = g.flops * t->o.accumulate };
    for (size_t i = 0; i < t->params.n; i++)
        f->nparameters += t->params.item[i].n;
    for (size_t i = 0; tsl_optim_state(t->optim, i); i++)
        f->state_bytes += tsl_optim_state(t->optim, i)->n * sizeof(float);
    f->epoch_steps =
        tsl_loader_samples(t->loader) / ((uint64_t)t->o.data.rows * t->o.accumulate);
}

const struct tsl_loader *tsl_trainer_loader(const struct tsl_trainer *t)
{
    return t->loader;
}

struct tsl_params *tsl_trainer_params(struct tsl_trainer *t)
{
    return &t->params;
}

const struct tsl_modelconfig *tsl_trainer_config(const struct tsl_trainer *t)
{
    return &t->o.model;
}

struct tsl_graph *tsl_trainer_graph(struct tsl_trainer *t)
{
    return t->graph;
}

struct tsl_pool *tsl_trainer_pool(struct tsl_trainer *t)
{
    return t->pool;
}

#include "train/weights.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "io/file.h"
#include "optim/optim.h"
#include "train/checkpoint.h"

/* ---- parameters by their public names ---- */

int tsl_weights_read(struct tsl_params *p, const struct tsl_modelconfig *c,
                     const char *file, bool *found, struct tsl_err *err)
{
    struct tsl_safetensors *s;
    int rc = tsl_safetensors_open(&s, file, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; rc == 0 && i < tsl_safetensors_count(s); i++) {
        const struct tsl_safetensors_entry *e = tsl_safetensors_at(s, i);
        char name[256];
        if (strlen(e->name) >= sizeof name || !tsl_model_public_name(c, e->name, name))
            continue;
        struct tsl_param *to = tsl_params_find(p, name);
        if (!to)
            continue;
        if (e->rank != to->rank || memcmp(e->dim, to->dim, to->rank * sizeof *to->dim))
            rc = tsl_err_set(err, TSL_EFORMAT,
                             "%s: %s has another shape than in this model", file, name);
        else
            rc = tsl_safetensors_read_f32(s, e, to->value, err);
        found[to - p->item] = true;
    }
    tsl_safetensors_close(s);
    return rc;
}

/* ---- averages ---- */

/* The decay, from the run's options as ctrain writes them, a line each; 0: there is none. */
static double decay_of(const char *options)
{
    static const char line[] = "\nema: ";
    const char *at = options ? strstr(options, line) : NULL;
    char number[40];
    double decay;
    if (!at)
        return 0;
    at += sizeof line - 1;
    snprintf(number, sizeof number, "%.*s", (int)strcspn(at, "\n"), at);
    return tsl_parse_number(number, &decay) && decay < 1 ? decay : 0;
}

static int no_averages(const char *path, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE,
                       "%s has no averaged weights: it was trained without --ema", path);
}

/* As tsl_optim_ema_show would have it. */
static int take_averages(struct tsl_weights *w, const struct tsl_ckpt *k,
                         struct tsl_err *err)
{
    struct tsl_safetensors *s;
    char name[300];
    double decay = decay_of(k->state.extra);
    if (!(decay > 0))
        return no_averages(k->path, err);
    snprintf(name, sizeof name, "%.200s/" TSL_CKPT_OPTIMIZER, k->path);
    int rc = tsl_safetensors_open(&s, name, err);
    if (rc < 0)
        return rc;
    double correct = tsl_optim_ema_correction(decay, k->state.step);
    size_t n = 0;
    for (size_t i = 0; rc == 0 && i < w->params.n; i++) {
        struct tsl_param *p = &w->params.item[i];
        snprintf(name, sizeof name, "ema.%s", p->name);
        const struct tsl_safetensors_entry *e = tsl_safetensors_find(s, name);
        if (!e || e->n != p->n) /* what was not trained has no average */
            continue;
        rc = tsl_safetensors_read_f32(s, e, p->value, err);
        for (size_t j = 0; rc == 0 && j < p->n; j++)
            p->value[j] = (float)(p->value[j] * correct);
        n++;
    }
    tsl_safetensors_close(s);
    return rc == 0 && !n ? no_averages(k->path, err) : rc;
}

/* ---- opening ---- */

static int take_config(struct tsl_weights *w, struct tsl_slice text, const char *name,
                       struct tsl_err *err)
{
    int rc = tsl_modelconfig_parse(&w->config, text, name, err);
    if (rc == 0)
        rc = tsl_model_params(&w->config, &w->params, err);
    if (rc == 0)
        rc = tsl_params_alloc(&w->params, err);
    if (rc == 0 &&
        !(w->found = tsl_mem_alloc(w->params.n + 1, sizeof *w->found, "parameters", err)))
        rc = TSL_ENOMEM;
    return rc;
}

static int open_ours(struct tsl_weights *w, struct tsl_ckpt *k, bool averaged,
                     struct tsl_err *err)
{
    char file[4096 + 32];
    char *config = tsl_ckpt_config(k, err);
    if (!config)
        return TSL_ENOMEM;
    snprintf(w->path, sizeof w->path, "%s", k->path);
    snprintf(w->damaged, sizeof w->damaged, "%s", k->damaged);
    w->ours = true;
    w->step = k->state.step;
    snprintf(file, sizeof file, "%s/" TSL_CKPT_CONFIG, w->path);
    int rc = take_config(w, (struct tsl_slice){ (const uint8_t *)config, strlen(config) },
                         file, err);
    tsl_mem_free(config);
    snprintf(file, sizeof file, "%s/" TSL_CKPT_MODEL, w->path);
    if (rc == 0)
        rc = tsl_weights_read(&w->params, &w->config, file, w->found, err);
    return rc == 0 && averaged ? take_averages(w, k, err) : rc;
}

static int read_text(char **text, size_t *n, const char *path, struct tsl_err *err)
{
    enum { MOST = 1 << 20 };
    struct tsl_file f = TSL_FILE_INIT;
    int rc = tsl_file_open(&f, path, err);
    if (rc == 0 && f.size > MOST)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: too large for a config.json", path);
    *n = rc == 0 ? (size_t)f.size : 0;
    *text = rc == 0 ? tsl_mem_alloc(*n + 1, 1, "a config.json", err) : NULL;
    if (rc == 0)
        rc = *text ? tsl_file_pread(&f, *text, *n, 0, err) : TSL_ENOMEM;
    tsl_file_close(&f, NULL);
    return rc;
}

/* model: the safetensors file; its config.json lies beside it. */
static int open_theirs(struct tsl_weights *w, const char *model, struct tsl_err *err)
{
    char config[4096 + 32], *text;
    const char *slash = strrchr(model, '/');
    size_t n;
    snprintf(config, sizeof config, "%.*s" TSL_CKPT_CONFIG,
             slash ? (int)(slash + 1 - model) : 0, model);
    if (!tsl_file_exists(config))
        return tsl_err_set(err, TSL_EUSAGE,
                           "%s has no config.json beside it: what is it?",
                           tsl_quote(model).s);
    int rc = read_text(&text, &n, config, err);
    if (rc == 0)
        rc = take_config(w, (struct tsl_slice){ (const uint8_t *)text, n }, config, err);
    tsl_mem_free(text);
    return rc < 0 ? rc : tsl_weights_read(&w->params, &w->config, model, w->found, err);
}

static int open_folder(struct tsl_weights *w, const char *path, bool averaged,
                       struct tsl_err *err)
{
    struct tsl_ckpt k = { 0 };
    char model[4096 + 32], state[4096 + 32];
    snprintf(model, sizeof model, "%.4095s/" TSL_CKPT_MODEL, path);
    snprintf(state, sizeof state, "%.4095s/" TSL_CKPT_STATE, path);
    int rc;
    if (tsl_file_exists(state)) {
        rc = tsl_ckpt_open(&k, path, err);
        rc = rc < 0 ? rc : 1;
    } else if (tsl_file_exists(model)) {
        snprintf(w->path, sizeof w->path, "%s", path);
        return averaged ? no_averages(path, err) : open_theirs(w, model, err);
    } else {
        rc = tsl_ckpt_find(&k, path, err);
    }
    if (rc == 1)
        rc = open_ours(w, &k, averaged, err);
    else if (rc == 0)
        rc = tsl_err_set(err, TSL_EUSAGE,
                         "%s has neither a checkpoint nor a model.safetensors",
                         tsl_quote(path).s);
    tsl_ckpt_close(&k);
    return rc;
}

int tsl_weights_open(struct tsl_weights *w, const char *path, bool averaged,
                     struct tsl_err *err)
{
    *w = (struct tsl_weights){ 0 };
    int rc;
    if (tsl_file_is_folder(path)) {
        rc = open_folder(w, path, averaged, err);
    } else if (!tsl_file_exists(path)) {
        rc = tsl_err_set(err, TSL_EUSAGE, "%s is not there", tsl_quote(path).s);
    } else {
        snprintf(w->path, sizeof w->path, "%s", path);
        rc = averaged ? no_averages(path, err) : open_theirs(w, path, err);
    }
    if (rc < 0)
        tsl_weights_close(w);
    return rc;
}

void tsl_weights_close(struct tsl_weights *w)
{
    tsl_params_fini(&w->params);
    tsl_mem_free(w->found);
    w->found = NULL;
}

int tsl_weights_need(const struct tsl_weights *w, const struct tsl_graph *g,
                     struct tsl_err *err)
{
    const char *first = NULL;
    size_t n = 0;
    for (size_t i = 0; i < w->params.n; i++)
        if (!w->found[i] && tsl_graph_has_param(g, &w->params.item[i])) {
            first = first ? first : w->params.item[i].name;
            n++;
        }
    if (!first)
        return 0;
    if (n > 1)
        return tsl_err_set(err, TSL_EFORMAT,
                           "%s: there is no %s, nor %zu more of what this needs", w->path,
                           first, n - 1);
    return tsl_err_set(err, TSL_EFORMAT, "%s: there is no %s, which this needs", w->path,
                       first);
}

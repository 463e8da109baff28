/* model-step CONFIG MODEL BATCH OUT [GROUPS]: one step of a model, for setting it beside its peer.
 *
 * CONFIG is a config.json; MODEL a safetensors of parameters under anybody's names, of an ALBERT
 * with GROUPS groups where CONFIG has more; BATCH one of what the model is given, under the
 * names of struct tsl_model_inputs: what is there is the task.  In the folder OUT,
 * grads.safetensors gets the loss and the gradient of each parameter, by our names;
 * model.safetensors and config.json are the model as it was loaded.  Exit 1 and a line where
 * that cannot be. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "nn/model.h"
#include "train/safetensors.h"

struct step {
    int64_t groups; /* in the file; 0: as in the config */
    struct tsl_modelconfig c;
    struct tsl_params p;
    struct tsl_graph *g;
    struct tsl_model_task task;
    struct tsl_model_inputs in;
    struct tsl_model_outputs out;
    struct tsl_err err;
};

static int step_config(struct step *s, const char *path)
{
    FILE *f = fopen(path, "rb");
    char text[1 << 16];
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (!f)
        return tsl_err_set(&s->err, TSL_EIO, "%s cannot be read", path);
    fclose(f);
    return tsl_modelconfig_parse(&s->c, (struct tsl_slice){ (const uint8_t *)text, n },
                                 path, &s->err);
}

/* The values of one parameter, which goes by that name in the file. */
static int step_value(struct step *s, struct tsl_safetensors *file,
                      const struct tsl_safetensors_entry *e, struct tsl_param *p)
{
    if (!p || p->n != e->n)
        return tsl_err_set(&s->err, TSL_EFORMAT, "%s: %s", e->name,
                           p ? "has another size" : "is not known");
    return tsl_safetensors_read_f32(file, e, p->value, &s->err);
}

static int step_load(struct step *s, struct tsl_safetensors *file)
{
    bool *had = calloc(s->p.n, sizeof *had);
    char name[256];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < tsl_safetensors_count(file); i++) {
        const struct tsl_safetensors_entry *e = tsl_safetensors_at(file, i);
        if (!tsl_model_public_name(&s->c, e->name, name))
            continue;
        struct tsl_param *p = tsl_params_find(&s->p, name);
        rc = step_value(s, file, e, p);
        if (p)
            had[p - s->p.item] = true;
    }
    for (size_t i = 0; rc == 0 && i < s->p.n; i++) {
        struct tsl_param *p = &s->p.item[i];
        if (!had[i] || s->groups) {
            tsl_model_unshare(&s->c, s->groups, p->name, name);
            const struct tsl_safetensors_entry *e =
                tsl_safetensors_need(file, name, &s->err);
            rc = e ? step_value(s, file, e, p) : TSL_EFORMAT;
        }
    }
    free(had);
    return rc;
}

static int64_t step_dim(struct tsl_safetensors *batch, const char *name, unsigned axis)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(batch, name);
    return e && e->rank > axis ? e->dim[axis] : 0;
}

static void step_task(struct step *s, struct tsl_safetensors *batch)
{
    s->task = (struct tsl_model_task){
        .batch = step_dim(batch, "input_ids", 0),
        .seq = step_dim(batch, "input_ids", 1),
        .masked = step_dim(batch, "masked_positions", 0),
        .pairs = step_dim(batch, "pair_labels", 0) > 0,
        .next = step_dim(batch, "labels", 0) > 0,
        .target = step_dim(batch, "target_ids", 1),
        .positions = step_dim(batch, "position_ids", 0) > 0,
        .docs = step_dim(batch, "doc_ids", 0) > 0,
    };
}

static int step_inputs(struct step *s, struct tsl_safetensors *batch)
{
    const struct {
        const char *name;
        struct tsl_tensor *t;
    } all[] = {
        { "input_ids", s->in.input_ids },
        { "segment_ids", s->in.segment_ids },
        { "position_ids", s->in.position_ids },
        { "lengths", s->in.lengths },
        { "doc_ids", s->in.doc_ids },
        { "masked_positions", s->in.masked_positions },
        { "masked_labels", s->in.masked_labels },
        { "pair_labels", s->in.pair_labels },
        { "labels", s->in.labels },
        { "target_ids", s->in.target_ids },
        { "target_labels", s->in.target_labels },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (!all[i].t)
            continue;
        const struct tsl_safetensors_entry *e =
            tsl_safetensors_need(batch, all[i].name, &s->err);
        if (!e)
            return TSL_EFORMAT;
        if (e->n != tsl_tensor_count(all[i].t))
            return tsl_err_set(&s->err, TSL_EFORMAT, "%s has another size", all[i].name);
        int rc = tsl_safetensors_read_i32(batch, e, tsl_tensor_i32(all[i].t), &s->err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Gradients (or values), and the loss first. */
static int step_write(struct step *s, const char *out, bool values)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.safetensors", out, values ? "model" : "grads");
    struct tsl_safetensors_array *a = calloc(s->p.n + 1, sizeof *a);
    size_t n = 0;
    if (!values)
        a[n++] = (struct tsl_safetensors_array){ "loss", TSL_ST_F32, 0, NULL,
                                                 tsl_tensor_f32(s->out.loss) };
    for (size_t i = 0; i < s->p.n; i++) {
        const struct tsl_param *p = &s->p.item[i];
        a[n++] = (struct tsl_safetensors_array){ p->name, TSL_ST_F32, p->rank, p->dim,
                                                 values ? p->value : p->grad };
    }
    struct tsl_safetensors_string pt = { "format", "pt" };
    int rc = tsl_safetensors_write(path, a, n, &pt, 1, NULL, &s->err);
    free(a);
    return rc;
}

static int step_describe(struct step *s, const char *out)
{
    char path[4096], *text = NULL;
    snprintf(path, sizeof path, "%s/config.json", out);
    int rc = tsl_modelconfig_text(&s->c, &text, &s->err);
    FILE *f = rc == 0 ? fopen(path, "wb") : NULL;
    if (rc == 0 && (!f || fputs(text, f) < 0 || fclose(f) != 0))
        rc = tsl_err_set(&s->err, TSL_EIO, "%s cannot be written", path);
    tsl_mem_free(text);
    return rc;
}

static int step_run(struct step *s, struct tsl_safetensors *model,
                    struct tsl_safetensors *batch, const char *out)
{
    int rc = tsl_model_params(&s->c, &s->p, &s->err);
    if (rc == 0)
        rc = tsl_params_alloc(&s->p, &s->err);
    if (rc == 0)
        rc = step_load(s, model);
    if (rc == 0)
        rc = tsl_graph_create(&s->g, &(struct tsl_graph_opts){ .training = true },
                              &s->err);
    step_task(s, batch);
    if (rc == 0)
        rc = tsl_model_record(&s->c, &s->p, s->g, &s->task, &s->in, &s->out, &s->err);
    if (rc == 0)
        rc = tsl_graph_derive(s->g, s->out.loss, &s->err);
    if (rc == 0)
        rc = tsl_graph_plan(s->g, 2, &s->err);
    if (rc == 0)
        rc = step_inputs(s, batch);
    struct tsl_pool *pool = NULL;
    if (rc == 0)
        rc = tsl_pool_create(&pool, 2, &s->err);
    if (rc == 0)
        rc = tsl_graph_run_checked(s->g, pool, &(struct tsl_draw){ 0, 0 }, &s->err);
    tsl_pool_destroy(pool);
    if (rc == 0)
        rc = step_write(s, out, false);
    if (rc == 0)
        rc = step_write(s, out, true);
    return rc == 0 ? step_describe(s, out) : rc;
}

int main(int argc, char **argv)
{
    static struct step s;
    struct tsl_safetensors *model = NULL, *batch = NULL;
    if (argc != 5 && argc != 6) {
        fputs("model-step CONFIG MODEL BATCH OUT [GROUPS]\n", stderr);
        return 2;
    }
    s.groups = argc == 6 ? atoll(argv[5]) : 0;
    int rc = step_config(&s, argv[1]);
    if (rc == 0)
        rc = tsl_safetensors_open(&model, argv[2], &s.err);
    if (rc == 0)
        rc = tsl_safetensors_open(&batch, argv[3], &s.err);
    if (rc == 0)
        rc = step_run(&s, model, batch, argv[4]);
    if (rc < 0)
        fprintf(stderr, "model-step: %s\n", s.err.msg);
    tsl_graph_destroy(s.g);
    tsl_params_fini(&s.p);
    tsl_safetensors_close(model);
    tsl_safetensors_close(batch);
    return rc < 0;
}

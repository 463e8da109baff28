/* fixture-train DIR...: do operations and models compute what the folders' files say?  Exit 0
 * when every tensor agrees, 1 when one does not, 2 when that could not be found out.
 *
 * A folder is laid out as shared/data/train/ops (OPERATION.safetensors), or as .../bert and
 * .../gpt2 (model, batch, forward, grads, adamw5, adafactor5), or holds such folders.  For each
 * tensor the largest error is printed beside what is allowed; -q: only what is wrong. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "support/trainheads.h"
#include "support/trainmodel.h"
#include "support/trainops.h"

static bool fixture_quiet, fixture_broken;
static size_t fixture_wrong, fixture_right;

static void fixture_told(const char *where, const char *what, double error,
                         double allowed)
{
    bool good = error <= allowed; /* NaN is not */
    if (good)
        fixture_right++;
    else
        fixture_wrong++;
    if (!good || !fixture_quiet)
        printf("%-28s %-44s %.2e of %.0e%s\n", where, what, error, allowed,
               good ? "" : "   WRONG");
}

static void fixture_cannot(const char *where, const char *why)
{
    printf("%s: %s\n", where, why);
    fixture_broken = true;
}

/* ---- operations ---- */

static void told_op(void *ctx, const char *what, double error)
{
    /* what README.md there calls a fair bound for float32 */
    fixture_told(ctx, what, error, 1e-5);
}

static void fixture_op(const char *path, char *name)
{
    struct trainfix f;
    name[strlen(name) - strlen(".safetensors")] = 0;
    if (trainfix_open(&f, path) < 0)
        fixture_cannot(path, f.err.msg);
    else if (!trainop_record(&f, name) && !trainhead_record(&f, name))
        fixture_cannot(path, "an operation that is not known");
    else if (trainfix_compare(&f, 2, told_op, name) < 0)
        fixture_cannot(path, f.err.msg);
    trainfix_close(&f);
}

/* ---- models: bounds are what torch's float32 reaches, as the folders' README.md says; twice that
 * where sums in another order show ---- */

static void compare_one(struct trainmodel *m, const char *dir, struct tsl_safetensors *s,
                        const char *name, struct tsl_tensor *t, double allowed)
{
    (void)m;
    if (t && tsl_safetensors_find(s, name))
        fixture_told(
            dir, name,
            trainfix_error(s, name, tsl_tensor_f32(t), tsl_tensor_count(t), 1e-3),
            allowed);
}

static void compare_forward(struct trainmodel *m, const char *dir)
{
    struct tsl_safetensors *s = trainmodel_file(m, dir, "forward");
    char last[32];
    snprintf(last, sizeof last, "layer.%d.output", (int)m->c.num_hidden_layers - 1);
    if (!s) {
        fixture_cannot(dir, m->err.msg);
        return;
    }
    compare_one(m, dir, s, "embeddings", m->out.embeddings, 2e-6);
    compare_one(m, dir, s, m->c.kind == TSL_MODEL_GPT2 ? "final" : last, m->out.hidden,
                2e-6);
    compare_one(m, dir, s, "mlm_loss", m->out.masked_loss, 3e-7);
    compare_one(m, dir, s, "nsp_loss", m->out.pair_loss, 3e-7);
    compare_one(m, dir, s, "nsp_logits", m->out.pair_logits, 2e-6);
    compare_one(m, dir, s, "loss", m->out.loss, 3e-7);
    tsl_safetensors_close(s);
}

/* Each tensor's largest error by its largest number; and of all, the norm of the errors by
 * the norm. */
static void compare_grads(struct trainmodel *m, const char *dir)
{
    struct tsl_safetensors *s = trainmodel_file(m, dir, "grads");
    double errors = 0, all = 0;
    for (size_t i = 0; s && i < m->p.n; i++) {
        const struct tsl_param *p = &m->p.item[i];
        const struct tsl_safetensors_entry *e = tsl_safetensors_find(s, p->name);
        double *want = calloc(p->n, sizeof *want), worst = 0, top = 1e-6;
        if (!e || e->n != p->n || tsl_safetensors_read_f64(s, e, want, &m->err) < 0)
            fixture_cannot(dir, p->name);
        for (size_t k = 0; k < p->n; k++) {
            double d = fabs(want[k] - (double)p->grad[k]);
            if (trainmodel_noise(p, k))
                continue;
            errors += d * d;
            all += want[k] * want[k];
            worst = d > worst || isnan(d) ? d : worst;
            top = fabs(want[k]) > top ? fabs(want[k]) : top;
        }
        fixture_told(dir, p->name, worst / top, 2e-6);
        free(want);
    }
    fixture_told(dir, "all gradients, L2", sqrt(errors / all), 5e-7);
    tsl_safetensors_close(s);
}

/* GPT-2 keeps its key biases in one tensor with others: AdaFactor's norm of that tensor's step has
 * their noise in it, and with AdamW a few numbers whose gradient is near eps differ.  So 99.9 %
 * within 1e-5 and all within 1e-3 there; else 3e-7 everywhere. */
static void compare_steps(const char *dir, const char *which)
{
    struct trainmodel m;
    struct tsl_optim *o = NULL;
    struct tsl_optim_opts opts = trainmodel_optim(which);
    int rc = trainmodel_open(&m, dir, 2, &(struct tsl_graph_opts){ .training = true });
    struct tsl_safetensors *s = rc == 0 ? trainmodel_file(&m, dir, which) : NULL;
    if (s)
        rc = tsl_optim_create(&o, &m.p, &opts, m.pool, &m.err);
    for (unsigned i = 0; s && rc == 0 && i < 5; i++) {
        tsl_graph_run(m.g, m.pool, &(struct tsl_draw){ 0, i });
        rc = tsl_optim_step(o, 1, 1, NULL, &m.err);
    }
    if (rc < 0 || !s)
        fixture_cannot(dir, m.err.msg);
    double worst = 0, far = 0, all = 0;
    for (size_t i = 0; s && i < m.p.n; i++) {
        const struct tsl_param *p = &m.p.item[i];
        const struct tsl_safetensors_entry *e = tsl_safetensors_find(s, p->name);
        double *want = calloc(p->n, sizeof *want);
        if (!e || e->n != p->n || tsl_safetensors_read_f64(s, e, want, &m.err) < 0)
            fixture_cannot(dir, p->name);
        for (size_t k = 0; k < p->n; k++) {
            double d = fabs(want[k] - (double)p->value[k]);
            if (trainmodel_noise(p, k))
                continue;
            worst = d > worst || isnan(d) ? d : worst;
            far += !(d <= 1e-5);
            all++;
        }
        free(want);
    }
    char what[64];
    bool loose = m.c.kind == TSL_MODEL_GPT2;
    snprintf(what, sizeof what, "%s: parameters", which);
    fixture_told(dir, what, worst, loose ? 1e-3 : 3e-7);
    snprintf(what, sizeof what, "%s: share beyond 1e-5", which);
    fixture_told(dir, what, far / all, loose ? 1e-3 : 0);
    tsl_optim_destroy(o);
    tsl_safetensors_close(s);
    trainmodel_close(&m);
}

static void fixture_model(const char *dir)
{
    struct trainmodel m;
    if (trainmodel_open(&m, dir, 2, &(struct tsl_graph_opts){ .training = true }) < 0) {
        fixture_cannot(dir, m.err.msg);
        trainmodel_close(&m);
        return;
    }
    tsl_graph_run(m.g, m.pool, &(struct tsl_draw){ 0, 0 });
    compare_forward(&m, dir);
    compare_grads(&m, dir);
    trainmodel_close(&m);
    compare_steps(dir, "adamw5");
    compare_steps(dir, "adafactor5");
}

/* ---- folders ---- */

static bool has(const char *dir, const char *file)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    FILE *f = fopen(path, "rb");
    if (f)
        fclose(f);
    return f;
}

static void try_folder(const char *dir, unsigned depth)
{
    if (has(dir, "model.safetensors") && has(dir, "grads.safetensors")) {
        fixture_model(dir);
        return;
    }
    struct dirent **names;
    int n = scandir(dir, &names, NULL, alphasort);
    if (n < 0) {
        fixture_cannot(dir, "cannot be read");
        return;
    }
    for (int i = 0; i < n; i++) {
        char *name = names[i]->d_name;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", dir, name);
        if (name[0] == '.')
            continue;
        if (tsl_ends_with(name, ".safetensors"))
            fixture_op(path, name);
        else if (names[i]->d_type == DT_DIR && depth < 3)
            try_folder(path, depth + 1);
    }
    for (int i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "-q"))
            fixture_quiet = true;
        else
            try_folder(argv[i], 0);
    printf("%zu right, %zu wrong\n", fixture_right, fixture_wrong);
    return fixture_broken || !(fixture_right + fixture_wrong) ? 2 : fixture_wrong != 0;
}

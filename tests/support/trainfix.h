/* trainfix.h - an operation's fixture: inputs from its file into a graph, outputs and gradients
 * compared with the file's.
 * Memory: what one fixture needs, freed by trainfix_close.
 * Threads: one. */
#ifndef TRAINFIX_H
#define TRAINFIX_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/graph.h"
#include "tensor/ops.h"
#include "train/safetensors.h"

enum { TRAINFIX_MAX = 24 };

struct trainfix {
    struct tsl_safetensors *file;
    struct tsl_graph *g;
    struct tsl_tensor *in[TRAINFIX_MAX], *out[TRAINFIX_MAX];
    const char *in_name[TRAINFIX_MAX], *out_name[TRAINFIX_MAX];
    unsigned nin, nout;
    struct tsl_err err;
    int rc;
};

/* Called with each comparison: the largest error relative to the largest number expected. */
typedef void trainfix_tell(void *ctx, const char *what, double error);

static inline int trainfix_open(struct trainfix *f, const char *path)
{
    *f = (struct trainfix){ 0 };
    f->rc = tsl_safetensors_open(&f->file, path, &f->err);
    if (f->rc == 0)
        f->rc = tsl_graph_create(&f->g, &(struct tsl_graph_opts){ .training = true },
                                 &f->err);
    return f->rc;
}

static inline void trainfix_close(struct trainfix *f)
{
    tsl_graph_destroy(f->g);
    tsl_safetensors_close(f->file);
}

/* The input of that name: i32 as it is, f32 with gradients; NULL where there is none. */
static inline struct tsl_tensor *trainfix_in(struct trainfix *f, const char *name)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(f->file, name);
    if (!e)
        return NULL;
    bool whole = e->type == TSL_ST_I32 || e->type == TSL_ST_I64;
    struct tsl_tensor *t =
        tsl_graph_input(f->g, name, whole ? TSL_I32 : TSL_F32, e->rank, e->dim);
    if (!t)
        return NULL;
    int rc = whole ? tsl_safetensors_read_i32(f->file, e, tsl_tensor_i32(t), &f->err)
                   : tsl_safetensors_read_f32(f->file, e, tsl_tensor_f32(t), &f->err);
    if (rc < 0)
        f->rc = rc;
    f->in[f->nin] = t;
    f->in_name[f->nin++] = name;
    return t;
}

static inline void trainfix_out(struct trainfix *f, const char *name,
                                struct tsl_tensor *t)
{
    f->out[f->nout] = t;
    f->out_name[f->nout++] = name;
}

/* The sum over outputs of output times what flows in; all of the file's d-tensors of outputs. */
static inline struct tsl_tensor *trainfix_total(struct trainfix *f)
{
    struct tsl_tensor *total = NULL;
    for (unsigned i = 0; i < f->nout; i++) {
        char name[64];
        snprintf(name, sizeof name, "d%s", f->out_name[i]);
        const struct tsl_safetensors_entry *e = tsl_safetensors_find(f->file, name);
        struct tsl_tensor *t = f->out[i];
        if (!t || t->type != TSL_F32 || (!e && t->rank))
            continue;
        if (e) {
            struct tsl_tensor *d =
                tsl_graph_input(f->g, "flow", TSL_F32, e->rank, e->dim);
            if (d)
                tsl_safetensors_read_f32(f->file, e, tsl_tensor_f32(d), &f->err);
            t = tsl_ops_mul(f->g, t, d);
        }
        t = tsl_ops_sum_all(f->g, t);
        total = total ? tsl_ops_add(f->g, total, t) : t;
    }
    return total;
}

/* The largest difference from the file's tensor name, by the largest number there (at least
 * floor). */
static inline double trainfix_error(struct tsl_safetensors *file, const char *name,
                                    const float *x, size_t n, double floor)
{
    const struct tsl_safetensors_entry *e = tsl_safetensors_find(file, name);
    if (!e || e->n != n)
        return INFINITY;
    double *want = calloc(n, sizeof *want), worst = 0, top = floor;
    struct tsl_err err;
    if (tsl_safetensors_read_f64(file, e, want, &err) < 0)
        worst = INFINITY;
    for (size_t i = 0; i < n; i++) {
        double d = fabs(want[i] - (double)x[i]);
        worst = d > worst || isnan(d) ? d : worst;
        top = fabs(want[i]) > top ? fabs(want[i]) : top;
    }
    free(want);
    return worst / top;
}

/* The same of output i; whole numbers are equal or not. */
static inline double trainfix_out_error(const struct trainfix *f, unsigned i)
{
    const struct tsl_tensor *t = f->out[i];
    size_t n = tsl_tensor_count(t);
    if (t->type == TSL_F32)
        return trainfix_error(f->file, f->out_name[i], tsl_tensor_f32(t), n, 1e-3);
    float *x = calloc(n, sizeof *x);
    for (size_t k = 0; k < n; k++)
        x[k] = (float)tsl_tensor_i32(t)[k];
    double e = trainfix_error(f->file, f->out_name[i], x, n, 1e-3);
    free(x);
    return e > 0 ? INFINITY : e;
}

/* Derives, plans, runs on a pool of nthreads, and tells of every output and gradient. */
static inline int trainfix_compare(struct trainfix *f, unsigned nthreads,
                                   trainfix_tell *tell, void *ctx)
{
    struct tsl_tensor *grads[TRAINFIX_MAX] = { 0 }, *x[TRAINFIX_MAX];
    const char *of[TRAINFIX_MAX];
    unsigned n = 0;
    for (unsigned i = 0; i < f->nin; i++) {
        char name[64];
        snprintf(name, sizeof name, "d%s", f->in_name[i]);
        bool output = false; /* of a second order fixture: dx is what is looked at */
        for (unsigned k = 0; k < f->nout; k++)
            output |= !strcmp(f->out_name[k], name);
        if (!output && f->in[i]->type == TSL_F32 && tsl_safetensors_find(f->file, name)) {
            of[n] = f->in_name[i];
            x[n++] = f->in[i];
        }
    }
    struct tsl_tensor *total = n ? trainfix_total(f) : NULL;
    if (f->rc == 0 && total)
        f->rc = tsl_graph_gradient(f->g, total, x, n, false, grads, &f->err);
    for (unsigned i = 0; i < n; i++) {
        grads[i] = tsl_ops_contiguous(f->g, grads[i]);
        tsl_graph_keep(f->g, grads[i]);
    }
    for (unsigned i = 0; i < f->nout; i++) {
        f->out[i] = tsl_ops_contiguous(f->g, f->out[i]);
        tsl_graph_keep(f->g, f->out[i]);
    }
    struct tsl_pool *pool = NULL;
    if (f->rc == 0)
        f->rc = tsl_graph_plan(f->g, nthreads, &f->err);
    if (f->rc == 0)
        f->rc = tsl_pool_create(&pool, nthreads, &f->err);
    if (f->rc < 0)
        return f->rc;
    tsl_graph_run(f->g, pool, &(struct tsl_draw){ 0, 0 });
    tsl_pool_destroy(pool);
    for (unsigned i = 0; i < f->nout; i++)
        if (f->out[i])
            tell(ctx, f->out_name[i], trainfix_out_error(f, i));
    for (unsigned i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "d%s", of[i]);
        tell(ctx, name,
             grads[i] ? trainfix_error(f->file, name, tsl_tensor_f32(grads[i]),
                                       tsl_tensor_count(grads[i]), 1e-3)
                      : INFINITY);
    }
    return 0;
}

#endif

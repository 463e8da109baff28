/* slowattention.h - attention and its gradients in double by three plain loops, score by score:
 * the oracle of lib/tensor/attention.  Tensors are contiguous [batch, heads, t, dim]. */
#ifndef TSL_SLOWATTENTION_H
#define TSL_SLOWATTENTION_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct slow_attention {
    size_t batch, heads, tq, tk, dim, dim_v;
    const double *q, *k, *v, *dy;
    double scale;
    const double *bias; /* [heads, tq, tk] or NULL */
    /* Whether query i of b sees key j, and what a probability is multiplied by (NULL: 1). */
    bool (*sees)(const void *ctx, size_t b, size_t i, size_t j);
    double (*keeps)(const void *ctx, size_t b, size_t h, size_t i, size_t j);
    const void *ctx;
    double *y, *lse, *dq, *dk, *dv, *dbias; /* written; dbias [heads, tq, tk] */
};

static inline double slow_dot(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t k = 0; k < n; k++)
        sum += x[k] * y[k];
    return sum;
}

static inline void slow_attention_row(const struct slow_attention *a, size_t b, size_t h,
                                      size_t i, double *p)
{
    size_t head = b * a->heads + h, row = head * a->tq + i;
    const double *q = a->q + row * a->dim, *dy = a->dy + row * a->dim_v;
    double *y = a->y + row * a->dim_v, *dq = a->dq + row * a->dim;
    double top = -INFINITY, sum = 0;
    for (size_t j = 0; j < a->tk; j++) {
        p[j] = slow_dot(q, a->k + (head * a->tk + j) * a->dim, a->dim) * a->scale;
        if (a->bias)
            p[j] += a->bias[(h * a->tq + i) * a->tk + j];
        if (!a->sees(a->ctx, b, i, j))
            p[j] = -INFINITY;
        top = fmax(top, p[j]);
    }
    memset(y, 0, a->dim_v * sizeof *y);
    memset(dq, 0, a->dim * sizeof *dq);
    a->lse[row] = -INFINITY;
    if (top == -INFINITY)
        return;
    for (size_t j = 0; j < a->tk; j++)
        sum += p[j] = exp(p[j] - top);
    a->lse[row] = top + log(sum);
    double delta = 0;
    for (size_t j = 0; j < a->tk; j++) {
        p[j] /= sum;
        double keep = a->keeps ? a->keeps(a->ctx, b, h, i, j) : 1;
        const double *v = a->v + (head * a->tk + j) * a->dim_v;
        for (size_t c = 0; c < a->dim_v; c++) {
            y[c] += p[j] * keep * v[c];
            a->dv[(head * a->tk + j) * a->dim_v + c] += p[j] * keep * dy[c];
        }
        delta += p[j] * keep * slow_dot(dy, v, a->dim_v);
    }
    for (size_t j = 0; j < a->tk; j++) {
        double keep = a->keeps ? a->keeps(a->ctx, b, h, i, j) : 1;
        const double *k = a->k + (head * a->tk + j) * a->dim;
        const double *v = a->v + (head * a->tk + j) * a->dim_v;
        double ds = p[j] * (keep * slow_dot(dy, v, a->dim_v) - delta);
        a->dbias[(h * a->tq + i) * a->tk + j] += ds;
        for (size_t c = 0; c < a->dim; c++) {
            dq[c] += a->scale * ds * k[c];
            a->dk[(head * a->tk + j) * a->dim + c] += a->scale * ds * q[c];
        }
    }
}

static inline void slow_attention_run(const struct slow_attention *a)
{
    size_t heads = a->batch * a->heads;
    double *p = malloc((a->tk + 1) * sizeof *p);
    memset(a->dk, 0, heads * a->tk * a->dim * sizeof *a->dk);
    memset(a->dv, 0, heads * a->tk * a->dim_v * sizeof *a->dv);
    memset(a->dbias, 0, a->heads * a->tq * a->tk * sizeof *a->dbias);
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < a->heads; h++)
            for (size_t i = 0; i < a->tq; i++)
                slow_attention_row(a, b, h, i, p);
    free(p);
}

#endif

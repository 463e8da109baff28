#include "tensor/attention.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/fixmath.h"
#include "par/pool.h"

/* ---- whom a query sees ---- */

static void clip(struct tsl_attention_run *r, size_t from, size_t to)
{
    if (r->from < from)
        r->from = (uint32_t)from;
    if (r->to > to)
        r->to = (uint32_t)to;
}

void tsl_attention_runs(const struct tsl_attention *a, size_t b, size_t first,
                        size_t last, struct tsl_attention_run *runs)
{
    size_t length = a->tk;
    if (a->lengths)
        length = a->lengths[b] < 0 ? 0 : (size_t)a->lengths[b];
    for (size_t i = first; i < last; i++) {
        struct tsl_attention_run *r = &runs[i - first];
        *r = (struct tsl_attention_run){ 0, (uint32_t)a->tk };
        clip(r, 0, length);
        if (a->mask == TSL_ATTENTION_CAUSAL)
            clip(r, 0, i + 1);
        if (a->mask == TSL_ATTENTION_PREFIX) {
            size_t prefix = a->prefix[b] < 0 ? 0 : (size_t)a->prefix[b];
            clip(r, 0, i + 1 > prefix ? i + 1 : prefix);
        }
    }
    if (a->mask == TSL_ATTENTION_UNILM) {
        const int32_t *c = a->sums + b * a->tk;
        size_t to = first;
        for (size_t i = first; i < last; i++) {
            while (to < a->tk && c[to] <= c[i])
                to++;
            clip(&runs[i - first], 0, to);
        }
    }
    if (a->docs) {
        const int32_t *d = a->docs + b * a->tk;
        size_t from = first, to = first;
        while (from > 0 && from < a->tk && d[from - 1] == d[first])
            from--;
        for (size_t i = first; i < last; i++) {
            if (d[i] != d[from])
                from = i;
            while (to < a->tk && (to <= i || d[to] == d[i]))
                to++;
            clip(&runs[i - first], from, to);
        }
    }
    for (size_t i = first; i < last; i++)
        if (runs[i - first].to < runs[i - first].from)
            runs[i - first].to = runs[i - first].from;
}

/* ---- one head of one row of the batch ---- */

static float dot(const float *x, const float *y, size_t n)
{
    float sum = 0;
    for (size_t k = 0; k < n; k++)
        sum = fmaf(x[k], y[k], sum);
    return sum;
}

static size_t place(struct tsl_attention_at at, size_t b, size_t i, size_t h)
{
    return b * at.batch + i * at.position + h * at.head;
}

/* s[j] of query i for j in r. */
static void scores(const struct tsl_attention *a, size_t b, size_t h, size_t i,
                   struct tsl_attention_run r, float *s)
{
    const float *q = a->q + place(a->q_at, b, i, h);
    for (size_t j = r.from; j < r.to; j++) {
        s[j] = dot(q, a->k + place(a->k_at, b, j, h), a->dim) * a->scale;
        if (a->bias)
            s[j] += a->bias[b * a->bias_batch + h * a->bias_head + i * a->tk + j];
    }
}

static void forward_row(const struct tsl_attention *a, size_t b, size_t h, size_t i,
                        float *s)
{
    struct tsl_attention_run r;
    tsl_attention_runs(a, b, i, i + 1, &r);
    scores(a, b, h, i, r, s);
    float top = -INFINITY, sum = 0;
    for (size_t j = r.from; j < r.to; j++)
        top = s[j] > top ? s[j] : top;
    float *y = a->y + place(a->y_at, b, i, h);
    memset(y, 0, a->dim_v * sizeof *y);
    for (size_t j = r.from; j < r.to && top > -INFINITY; j++) {
        float p = (float)tsl_fixmath_exp((double)(s[j] - top));
        sum += p;
        for (size_t c = 0; c < a->dim_v; c++)
            y[c] = fmaf(p, a->v[place(a->v_at, b, j, h) + c], y[c]);
    }
    for (size_t c = 0; c < a->dim_v; c++)
        y[c] = sum > 0 ? y[c] / sum : 0;
    if (a->lse)
        a->lse[(b * a->heads + h) * a->tq + i] =
            top + (float)tsl_fixmath_log((double)sum);
}

static void add_scaled(float *y, float p, const float *x, size_t n)
{
    for (size_t k = 0; k < n; k++)
        y[k] = fmaf(p, x[k], y[k]);
}

static void backward_row(const struct tsl_attention *a,
                         const struct tsl_attention_grads *g, size_t b, size_t h,
                         size_t i, float *s)
{
    struct tsl_attention_run r;
    tsl_attention_runs(a, b, i, i + 1, &r);
    scores(a, b, h, i, r, s);
    float lse = a->lse[(b * a->heads + h) * a->tq + i];
    const float *dy = g->dy + place(g->dy_at, b, i, h);
    float delta = dot(dy, a->y + place(a->y_at, b, i, h), a->dim_v);
    float *dq = g->dq + place(g->dq_at, b, i, h);
    memset(dq, 0, a->dim * sizeof *dq);
    for (size_t j = r.from; j < r.to && lse > -INFINITY; j++) {
        float p = (float)tsl_fixmath_exp((double)(s[j] - lse));
        float dp = dot(dy, a->v + place(a->v_at, b, j, h), a->dim_v);
        float ds = p * (dp - delta);
        if (g->dbias)
            g->dbias[(h * a->tq + i) * a->tk + j] += ds;
        ds *= a->scale;
        add_scaled(dq, ds, a->k + place(a->k_at, b, j, h), a->dim);
        add_scaled(g->dk + place(g->dk_at, b, j, h), ds, a->q + place(a->q_at, b, i, h),
                   a->dim);
        add_scaled(g->dv + place(g->dv_at, b, j, h), p, dy, a->dim_v);
    }
}

/* ---- all of them ---- */

size_t tsl_attention_scratch_bytes(const struct tsl_attention *a, unsigned nthreads)
{
    return (a->tk + 16) * sizeof(float) * nthreads;
}

void tsl_attention_forward(const struct tsl_attention *a, struct tsl_pool *pool,
                           void *scratch)
{
    (void)pool;
    assert(a->drop == 0);
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < a->heads; h++)
            for (size_t i = 0; i < a->tq; i++)
                forward_row(a, b, h, i, scratch);
}

void tsl_attention_backward(const struct tsl_attention *a,
                            const struct tsl_attention_grads *g, struct tsl_pool *pool,
                            void *scratch)
{
    (void)pool;
    if (g->dbias)
        memset(g->dbias, 0, a->heads * a->tq * a->tk * sizeof *g->dbias);
    for (size_t b = 0; b < a->batch; b++)
        for (size_t h = 0; h < a->heads; h++) {
            for (size_t j = 0; j < a->tk; j++) {
                memset(g->dk + place(g->dk_at, b, j, h), 0, a->dim * sizeof(float));
                memset(g->dv + place(g->dv_at, b, j, h), 0, a->dim_v * sizeof(float));
            }
            for (size_t i = 0; i < a->tq; i++)
                backward_row(a, g, b, h, i, scratch);
        }
}

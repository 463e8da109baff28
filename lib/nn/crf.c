#include "nn/crf.h"

#include <string.h>

#include "base/mem.h"

/* ---- recording ---- */

static bool fits(struct tsl_graph *g, const struct tsl_crf *c)
{
    const struct tsl_tensor *e = c->emissions, *a = c->transitions, *y = c->labels;
    if (!e || !a || !y)
        return false; /* the graph has failed already */
    bool good = e->rank == 3 && a->rank == 2 && y->rank == 2 && y->dim[0] == e->dim[0] &&
                y->dim[1] == e->dim[1] && a->dim[0] == e->dim[2] &&
                a->dim[1] == e->dim[2] && y->type == TSL_I32;
    const struct tsl_tensor *ends[] = { c->start, c->end };
    for (unsigned i = 0; i < 2; i++)
        good &= !ends[i] || (ends[i]->rank == 1 && ends[i]->dim[0] == e->dim[2]);
    if (c->lengths)
        good &= c->lengths->type == TSL_I32 && c->lengths->rank == 1 &&
                c->lengths->dim[0] == e->dim[0];
    char te[TSL_TENSOR_TEXT], ta[TSL_TENSOR_TEXT], ty[TSL_TENSOR_TEXT];
    if (!good)
        tsl_graph_refuse(g, "emissions %s, labels %s and transitions %s do not fit",
                         tsl_tensor_describe(e, te), tsl_tensor_describe(y, ty),
                         tsl_tensor_describe(a, ta));
    return good;
}

/* [batch, t]: 1 where a sequence is, 0 behind its end. */
static struct tsl_tensor *places(struct tsl_graph *g, const struct tsl_crf *c)
{
    int64_t t = c->emissions->dim[1];
    if (!c->lengths)
        return tsl_ops_fill(g, 1, 2, c->emissions->dim);
    struct tsl_tensor *table =
        tsl_graph_input(g, "places", TSL_F32, 2, (int64_t[]){ t + 1, t });
    for (int64_t i = 0; table && i <= t; i++)
        for (int64_t k = 0; k < t; k++)
            tsl_tensor_f32(table)[i * t + k] = k < i;
    return tsl_ops_gather(g, table, c->lengths);
}

/* count of axis 1 from on, without gaps. */
static struct tsl_tensor *part(struct tsl_graph *g, struct tsl_tensor *x, int64_t from,
                               int64_t count)
{
    return tsl_ops_contiguous(g, tsl_ops_slice(g, x, 1, from, count));
}

static struct tsl_tensor *reshaped(struct tsl_graph *g, struct tsl_tensor *x, int64_t a,
                                   int64_t b)
{
    return tsl_ops_reshape(g, x, 2, (int64_t[]){ a, b });
}

/* log(sum(exp(x))) of the last axis: [..., k] -> [...]. */
static struct tsl_tensor *log_sum_exp(struct tsl_graph *g, struct tsl_tensor *x)
{
    if (!x)
        return NULL;
    struct tsl_tensor *top = tsl_ops_detach(g, tsl_ops_max(g, x));
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = 1;
    struct tsl_tensor *e = tsl_ops_unary(
        g, TSL_EXP, tsl_ops_sub(g, x, tsl_ops_reshape(g, top, x->rank, dim)));
    struct tsl_tensor *sum = tsl_ops_sum(g, e, 1u << (x->rank - 1));
    sum = tsl_ops_reshape(g, sum, x->rank - 1, dim);
    return tsl_ops_add(g, tsl_ops_unary(g, TSL_LOG, sum), top);
}

/* Score of the labels: [batch]. */
static struct tsl_tensor *path_score(struct tsl_graph *g, const struct tsl_crf *c,
                                     struct tsl_tensor *there)
{
    int64_t b = c->emissions->dim[0], t = c->emissions->dim[1], k = c->emissions->dim[2];
    struct tsl_tensor *y = c->labels;
    struct tsl_tensor *s = tsl_ops_mul(g, tsl_ops_pick(g, c->emissions, y), there);
    if (t > 1) {
        struct tsl_tensor *a = tsl_ops_gather(g, c->transitions, part(g, y, 0, t - 1));
        a = tsl_ops_pick(g, a, part(g, y, 1, t - 1));
        a = tsl_ops_mul(g, a, part(g, there, 1, t - 1));
        s = tsl_ops_add(g, s, tsl_ops_pad(g, a, 1, 1, t));
    }
    if (c->end) { /* a place is the last one where the next is none */
        struct tsl_tensor *last = there;
        if (t > 1)
            last =
                tsl_ops_sub(g, there, tsl_ops_pad(g, part(g, there, 1, t - 1), 1, 0, t));
        struct tsl_tensor *e = tsl_ops_gather(g, reshaped(g, c->end, k, 1), y);
        s = tsl_ops_add(g, s, tsl_ops_mul(g, reshaped(g, e, b, t), last));
    }
    s = tsl_ops_reshape(g, tsl_ops_sum(g, s, 2), 1, &b);
    if (c->start) {
        struct tsl_tensor *e =
            tsl_ops_gather(g, reshaped(g, c->start, k, 1), part(g, y, 0, 1));
        s = tsl_ops_add(g, s, tsl_ops_reshape(g, e, 1, &b));
    }
    return s;
}

struct tsl_tensor *tsl_crf_loglik(struct tsl_graph *g, const struct tsl_crf *c)
{
    if (!fits(g, c))
        return NULL;
    int64_t b = c->emissions->dim[0], t = c->emissions->dim[1], k = c->emissions->dim[2];
    struct tsl_tensor *there = places(g, c), *back = tsl_ops_transpose(g, c->transitions);
    struct tsl_tensor *a = reshaped(g, tsl_ops_slice(g, c->emissions, 1, 0, 1), b, k);
    if (c->start)
        a = tsl_ops_add(g, a, c->start);
    for (int64_t i = 1; i < t; i++) {
        /* from the labels of the last axis to those of the one before it */
        struct tsl_tensor *from = tsl_ops_reshape(g, a, 3, (int64_t[]){ b, 1, k });
        struct tsl_tensor *next = log_sum_exp(g, tsl_ops_add(g, from, back));
        struct tsl_tensor *e = tsl_ops_slice(g, c->emissions, 1, i, 1);
        next = tsl_ops_add(g, next, reshaped(g, e, b, k));
        if (!c->lengths) {
            a = next;
            continue;
        }
        struct tsl_tensor *goes_on = tsl_ops_slice(g, there, 1, i, 1);
        next = tsl_ops_mul(g, tsl_ops_sub(g, next, a), goes_on);
        a = tsl_ops_add(g, a, next);
    }
    if (c->end)
        a = tsl_ops_add(g, a, c->end);
    return tsl_ops_sub(g, path_score(g, c, there), log_sum_exp(g, a));
}

struct tsl_tensor *tsl_crf_memm_loglik(struct tsl_graph *g, const struct tsl_crf *c)
{
    if (!fits(g, c))
        return NULL;
    int64_t b = c->emissions->dim[0], t = c->emissions->dim[1];
    struct tsl_tensor *x = c->emissions;
    if (t > 1) {
        struct tsl_tensor *a =
            tsl_ops_gather(g, c->transitions, part(g, c->labels, 0, t - 1));
        x = tsl_ops_add(g, x, tsl_ops_pad(g, a, 1, 1, t));
    }
    x = tsl_ops_pick(g, tsl_ops_log_softmax(g, x), c->labels);
    x = tsl_ops_mul(g, x, places(g, c));
    return tsl_ops_reshape(g, tsl_ops_sum(g, x, 2), 1, &b);
}

/* ---- the best path ---- */

/* best[j] = the best score of a path to j; from[j] the label before it. */
static void best_step(double *next, int32_t *from, const double *best,
                      const float *emissions, size_t k, const float *transitions)
{
    for (size_t j = 0; j < k; j++) {
        size_t top = 0;
        double score = best[0] + (double)transitions[j];
        for (size_t i = 1; i < k; i++) {
            double s = best[i] + (double)transitions[i * k + j];
            if (s > score) {
                score = s;
                top = i;
            }
        }
        next[j] = score + (double)emissions[j];
        from[j] = (int32_t)top;
    }
}

int tsl_crf_best(const float *emissions, size_t t, size_t k, const float *transitions,
                 const float *start, const float *end, int32_t *path, double *score,
                 struct tsl_err *err)
{
    double *best = tsl_mem_alloc(2 * k, sizeof *best, "a best path", err);
    int32_t *from = tsl_mem_alloc(t * k, sizeof *from, "a best path", err);
    if (!best || !from) {
        tsl_mem_free(best);
        tsl_mem_free(from);
        return TSL_ENOMEM;
    }
    double *now = best, *next = best + k;
    for (size_t j = 0; j < k; j++)
        now[j] = (double)emissions[j] + (start ? (double)start[j] : 0);
    for (size_t i = 1; i < t; i++) {
        best_step(next, from + i * k, now, emissions + i * k, k, transitions);
        double *old = now;
        now = next;
        next = old;
    }
    size_t top = 0;
    for (size_t j = 0; j < k; j++) {
        now[j] += end ? (double)end[j] : 0;
        if (now[j] > now[top])
            top = j;
    }
    if (score)
        *score = now[top];
    path[t - 1] = (int32_t)top;
    for (size_t i = t - 1; i > 0; i--)
        path[i - 1] = from[i * k + (size_t)path[i]];
    tsl_mem_free(best);
    tsl_mem_free(from);
    return 0;
}

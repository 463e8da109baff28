/* attention_expand.c - attention as primitives, for derivatives of its derivatives: the scores are
 * there whole, [batch, heads, tq, tk]. */
#include <string.h>

#include "tensor/attention.h"
#include "tensor/fused.h"

enum { MASK, TQ, TK };
enum { DROP, SITE };

/* ---- who sees whom: in who, lengths, docs, any of them NULL, and the queries; out 1 or 0
 * [batch, 1, tq, tk] ---- */

enum { WHO, LENGTHS, DOCS, QUERIES, SEEN_INPUTS };

static const int32_t *ints_of(const struct tsl_tensor *t)
{
    return t ? tsl_tensor_i32(t) : NULL;
}

static void seen_run(const struct tsl_node *n, const struct tsl_run *r)
{
    size_t tq = (size_t)n->attr[TQ].i, tk = (size_t)n->attr[TK].i;
    const int32_t *who = ints_of(n->in[WHO]);
    struct tsl_attention_run run, *runs = r->scratch;
    int32_t *sums = (int32_t *)(runs + tq);
    struct tsl_attention a = { .batch = (size_t)n->out[0]->dim[0],
                               .heads = 1,
                               .tq = tq,
                               .tk = tk,
                               .mask = (enum tsl_attention_mask)n->attr[MASK].i,
                               .prefix = who,
                               .sums = sums,
                               .lengths = ints_of(n->in[LENGTHS]),
                               .docs = ints_of(n->in[DOCS]) };
    float *y = tsl_tensor_f32(n->out[0]);
    for (size_t i = 0; a.mask == TSL_ATTENTION_UNILM && i < a.batch * tk; i++)
        sums[i] = who[i] + (i % tk ? sums[i - 1] : 0);
    for (size_t b = 0; b < a.batch; b++) {
        tsl_attention_runs(&a, b, 0, tq, runs);
        for (size_t i = 0; i < tq; i++, y += tk) {
            run = runs[i];
            for (size_t j = 0; j < tk; j++)
                y[j] = j >= run.from && j < run.to;
        }
    }
}

static size_t seen_scratch(const struct tsl_node *n, unsigned nthreads)
{
    (void)nthreads;
    return (size_t)n->attr[TQ].i * sizeof(struct tsl_attention_run) +
           (size_t)(n->out[0]->dim[0] * n->attr[TK].i) * sizeof(int32_t);
}

static const struct tsl_op op_seen = {
    .name = "attention mask", .run = seen_run, .scratch = seen_scratch, .flat = true
};

/* ---- what dropout multiplies probabilities by: in them, out of their shape ---- */

static void kept_run(const struct tsl_node *n, const struct tsl_run *r)
{
    uint64_t key = tsl_fused_drop_key(r->draw, (uint64_t)n->attr[SITE].i);
    struct tsl_dropout d = tsl_dropout_make((double)(float)n->attr[DROP].f, key, 0);
    size_t count = tsl_tensor_count(n->out[0]);
    float *y = tsl_tensor_f32(n->out[0]);
    for (size_t i = 0; i < count; i++)
        y[i] = 1;
    r->kernels->dropout(y, y, count, &d, 0);
}

static const struct tsl_op op_kept = { .name = "attention dropout",
                                       .run = kept_run,
                                       .flat = true };

/* ---- the whole ---- */

/* [batch, t, heads * width] as [batch, heads, t, width]. */
static struct tsl_tensor *by_heads(struct tsl_graph *g, struct tsl_tensor *x,
                                   int64_t heads)
{
    if (!x)
        return NULL;
    int64_t dim[] = { x->dim[0], x->dim[1], heads, x->dim[2] / heads };
    return tsl_ops_permute(g, tsl_ops_reshape(g, x, 4, dim), (unsigned[]){ 0, 2, 1, 3 });
}

static struct tsl_tensor *seen(struct tsl_graph *g, const struct tsl_fused_attention *a)
{
    struct tsl_tensor *in[SEEN_INPUTS] = { a->who, a->lengths, a->docs, a->q };
    struct tsl_node *n = tsl_op_record(g, &op_seen, SEEN_INPUTS, in,
                                       1u << WHO | 1u << LENGTHS | 1u << DOCS);
    if (!n)
        return NULL;
    n->attr[MASK].i = a->mask;
    n->attr[TQ].i = a->q->dim[1];
    n->attr[TK].i = a->k->dim[1];
    return tsl_op_output(g, n, TSL_F32, 4,
                         (int64_t[]){ a->q->dim[0], 1, a->q->dim[1], a->k->dim[1] });
}

/* exp(s - max) of what is seen by the sum of it; a row that sees nothing gives zeros. */
static struct tsl_tensor *chances(struct tsl_graph *g, struct tsl_tensor *s,
                                  struct tsl_tensor *keep)
{
    const double far = 1e30; /* below any score, and finite: 0 times it is 0 */
    if (!s)
        return NULL;
    s = tsl_ops_add(g, tsl_ops_mul(g, s, keep), tsl_ops_affine(g, keep, far, -far));
    if (!s)
        return NULL;
    struct tsl_tensor *top = tsl_ops_detach(g, tsl_ops_max(g, s));
    top = tsl_ops_reshape(g, top, 4, (int64_t[]){ s->dim[0], s->dim[1], s->dim[2], 1 });
    struct tsl_tensor *e = tsl_ops_unary(g, TSL_EXP, tsl_ops_sub(g, s, top));
    e = tsl_ops_mul(g, e, keep);
    struct tsl_tensor *sum = tsl_ops_sum(g, e, 1u << 3);
    struct tsl_tensor *none = tsl_ops_affine(g, tsl_ops_unary(g, TSL_STEP, sum), -1, 1);
    return tsl_ops_div(g, e, tsl_ops_add(g, sum, none));
}

static struct tsl_tensor *
dropped(struct tsl_graph *g, const struct tsl_fused_attention *a, struct tsl_tensor *p)
{
    struct tsl_node *n = tsl_op_record(g, &op_kept, 1, &p, 0);
    if (!n)
        return NULL;
    n->attr[DROP].f = a->drop;
    n->attr[SITE].i = a->site;
    return tsl_ops_mul(g, p, tsl_op_output_like(g, n, p));
}

struct tsl_tensor *tsl_fused_attention_expand(struct tsl_graph *g,
                                              const struct tsl_fused_attention *a)
{
    if (!a->q || !a->k || !a->v)
        return NULL;
    struct tsl_tensor *k = tsl_ops_transpose(g, by_heads(g, a->k, a->heads));
    struct tsl_tensor *s = tsl_ops_matmul(g, by_heads(g, a->q, a->heads), k);
    s = tsl_ops_affine(g, s, a->scale, 0);
    if (a->bias)
        s = tsl_ops_add(g, s, a->bias);
    struct tsl_tensor *p = chances(g, s, seen(g, a));
    if (a->drop > 0)
        p = dropped(g, a, p);
    struct tsl_tensor *y = tsl_ops_matmul(g, p, by_heads(g, a->v, a->heads));
    y = tsl_ops_permute(g, y, (unsigned[]){ 0, 2, 1, 3 });
    return tsl_ops_reshape(g, y, 3,
                           (int64_t[]){ a->q->dim[0], a->q->dim[1], a->v->dim[2] });
}

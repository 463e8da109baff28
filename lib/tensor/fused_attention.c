/* fused_attention.c - attention as a node: its kernels are attention.c's. */
#include <math.h>
#include <string.h>

#include "tensor/attention.h"
#include "tensor/fused.h"

enum { HEADS, SCALE, MASK, DROP, SITE, BF16, PACKED };

/* Inputs of forward; backward has those of BACK before them. */
enum { Q, K, V, WHO, LENGTHS, DOCS, BIAS, FORWARD_INPUTS };
enum { DY, Y, LSE, BACK };

/* ---- what both directions share ---- */

static struct tsl_attention_at at_of(const struct tsl_tensor *t, size_t width)
{
    return (struct tsl_attention_at){ (size_t)t->stride[0], (size_t)t->stride[1], width };
}

static const int32_t *ints_of(const struct tsl_tensor *t)
{
    return t ? tsl_tensor_i32(t) : NULL;
}

/* in: q, k, v ... of node n; draw NULL: only sizes are wanted. */
static struct tsl_attention attention_of(const struct tsl_node *n,
                                         struct tsl_tensor *const *in,
                                         const struct tsl_draw *draw)
{
    const struct tsl_tensor *q = in[Q], *k = in[K] ? in[K] : q, *v = in[V] ? in[V] : q;
    size_t heads = (size_t)n->attr[HEADS].i, parts = n->attr[PACKED].i ? 3 : 1;
    size_t dim = (size_t)q->dim[2] / parts / heads;
    struct tsl_attention a = {
        .batch = (size_t)q->dim[0],
        .heads = heads,
        .tq = (size_t)q->dim[1],
        .tk = (size_t)k->dim[1],
        .dim = dim,
        .dim_v = (size_t)v->dim[2] / parts / heads,
        .scale = (float)n->attr[SCALE].f,
        .drop = (float)n->attr[DROP].f,
        .bf16 = n->attr[BF16].i,
    };
    a.q_at = at_of(q, dim);
    a.k_at = at_of(k, dim);
    a.v_at = at_of(v, a.dim_v);
    a.y_at =
        (struct tsl_attention_at){ a.tq * heads * a.dim_v, heads * a.dim_v, a.dim_v };
    a.mask = (enum tsl_attention_mask)n->attr[MASK].i;
    if (!draw)
        return a;
    a.q = tsl_tensor_f32(q);
    a.k = tsl_tensor_f32(k) + (parts == 3 ? heads * dim : 0);
    a.v = tsl_tensor_f32(v) + (parts == 3 ? 2 * heads * dim : 0);
    a.prefix = a.mask == TSL_ATTENTION_PREFIX ? ints_of(in[WHO]) : NULL;
    a.sums = a.mask == TSL_ATTENTION_UNILM ? ints_of(in[WHO]) : NULL;
    a.lengths = ints_of(in[LENGTHS]);
    a.docs = ints_of(in[DOCS]);
    if (in[BIAS]) {
        a.bias = tsl_tensor_f32(in[BIAS]);
        a.bias_head = a.tq * a.tk;
    }
    if (a.drop > 0)
        a.drop_key = tsl_fused_drop_key(draw, (uint64_t)n->attr[SITE].i);
    return a;
}

/* ---- backward ---- */

static void back_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct tsl_tensor *const *in = n->in + BACK;
    struct tsl_attention a = attention_of(n, in, r->draw);
    a.y = tsl_tensor_f32(n->in[Y]);
    a.lse = tsl_tensor_f32(n->in[LSE]);
    struct tsl_attention_grads g = { .dy = tsl_tensor_f32(n->in[DY]), .dy_at = a.y_at };
    g.dq = tsl_tensor_f32(n->out[0]);
    g.dq_at = at_of(n->out[0], a.dim);
    if (n->attr[PACKED].i) {
        g.dk = g.dq + a.heads * a.dim;
        g.dv = g.dk + a.heads * a.dim;
        g.dk_at = g.dv_at = g.dq_at;
    } else {
        g.dk = tsl_tensor_f32(n->out[1]);
        g.dk_at = at_of(n->out[1], a.dim);
        g.dv = tsl_tensor_f32(n->out[2]);
        g.dv_at = at_of(n->out[2], a.dim_v);
    }
    if (in[BIAS])
        g.dbias = tsl_tensor_f32(n->out[n->nout - 1]);
    tsl_attention_backward(&a, &g, r->pool, r->scratch);
}

static size_t back_scratch(const struct tsl_node *n, unsigned nthreads)
{
    struct tsl_attention a = attention_of(n, n->in + BACK, NULL);
    return tsl_attention_scratch_bytes(&a, nthreads);
}

/* Scores that nobody sees are counted, too: an upper bound. */
static double flops_of(const struct tsl_node *n, struct tsl_tensor *const *in,
                       double each)
{
    struct tsl_attention a = attention_of(n, in, NULL);
    return each * (double)(a.batch * a.heads) * (double)(a.tq * a.tk) *
           (double)(a.dim + a.dim_v);
}

static double back_flops(const struct tsl_node *n)
{
    return flops_of(n, n->in + BACK, 5);
}

static const struct tsl_op op_attention_backward = {
    .name = "attention backward",
    .run = back_run,
    .scratch = back_scratch,
    .flops = back_flops,
};

static void attention_grad(struct tsl_graph *g, struct tsl_node *n,
                           struct tsl_tensor *const *dout, const bool *need,
                           struct tsl_tensor **din)
{
    (void)need;
    struct tsl_tensor *in[BACK + FORWARD_INPUTS] = { tsl_ops_contiguous(g, dout[0]),
                                                     n->out[0], n->out[1] };
    memcpy(in + BACK, n->in, sizeof n->in[0] * FORWARD_INPUTS);
    struct tsl_node *back = tsl_op_record(g, &op_attention_backward,
                                          BACK + FORWARD_INPUTS, in, ~0u << (BACK + 1));
    if (!back)
        return;
    memcpy(back->attr, n->attr, sizeof n->attr);
    if (n->nout > 2)
        back->in[BACK + WHO] = n->out[2]; /* the running sums */
    for (unsigned i = Q; i <= V; i++)
        if (n->in[i])
            din[i] = tsl_op_output(g, back, TSL_F32, n->in[i]->rank, n->in[i]->dim);
    if (n->in[BIAS])
        din[BIAS] = tsl_op_output(g, back, TSL_F32, n->in[BIAS]->rank, n->in[BIAS]->dim);
}

/* ---- forward ---- */

static void running_sums(int32_t *sums, const struct tsl_tensor *segments)
{
    const int32_t *s = tsl_tensor_i32(segments);
    size_t rows = tsl_tensor_rows(segments), cols = tsl_tensor_cols(segments);
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0, sum = 0; c < cols; c++)
            sums[r * cols + c] = (int32_t)(sum += (size_t)s[r * cols + c]);
}

static void attention_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct tsl_attention a = attention_of(n, n->in, r->draw);
    if (n->nout > 2) {
        running_sums(tsl_tensor_i32(n->out[2]), n->in[WHO]);
        a.sums = tsl_tensor_i32(n->out[2]);
    }
    a.y = tsl_tensor_f32(n->out[0]);
    a.lse = tsl_tensor_f32(n->out[1]);
    tsl_attention_forward(&a, r->pool, r->scratch);
}

static size_t attention_scratch(const struct tsl_node *n, unsigned nthreads)
{
    struct tsl_attention a = attention_of(n, n->in, NULL);
    return tsl_attention_scratch_bytes(&a, nthreads);
}

static double attention_flops(const struct tsl_node *n)
{
    return flops_of(n, n->in, 2);
}

static void attention_expand(struct tsl_graph *g, const struct tsl_node *n,
                             struct tsl_tensor **out)
{
    struct tsl_fused_attention a = {
        n->in[Q],        n->in[K],         n->in[V],        n->in[WHO],
        n->in[LENGTHS],  n->in[DOCS],      n->in[BIAS],     n->attr[HEADS].i,
        n->attr[MASK].i, n->attr[SCALE].f, n->attr[DROP].f, n->attr[SITE].i
    };
    if (n->attr[PACKED].i) {
        struct tsl_tensor *qkv = n->in[Q];
        int64_t width = qkv->dim[2] / 3;
        a.q = tsl_ops_slice(g, qkv, 2, 0, width);
        a.k = tsl_ops_slice(g, qkv, 2, width, width);
        a.v = tsl_ops_slice(g, qkv, 2, 2 * width, width);
    }
    out[0] = tsl_fused_attention_expand(g, &a);
}

static const struct tsl_op op_attention = {
    .name = "attention",
    .run = attention_run,
    .grad = attention_grad,
    .expand = attention_expand,
    .scratch = attention_scratch,
    .flops = attention_flops,
};

static bool numbers_by(const struct tsl_tensor *t, unsigned rank, int64_t b, int64_t len)
{
    return !t || (t->type == TSL_I32 && t->rank == rank && t->dim[0] == b &&
                  (rank < 2 || t->dim[1] == len) && tsl_tensor_contiguous(t));
}

/* parts: 3 where q holds k and v as well. */
static struct tsl_tensor *attention(struct tsl_graph *g, struct tsl_tensor *q,
                                    struct tsl_tensor *k, struct tsl_tensor *v,
                                    const struct tsl_attn *a, unsigned parts)
{
    if (!q || (parts == 1 && (!k || !v)))
        return NULL;
    const struct tsl_tensor *key = k ? k : q, *value = v ? v : q;
    int64_t heads = a->heads, b = q->dim[0], tq = q->dim[1], tk = key->dim[1];
    char text[TSL_TENSOR_TEXT];
    bool fits = q->rank == 3 && key->rank == 3 && value->rank == 3 && heads > 0;
    fits = fits && q->dim[2] % (heads * parts) == 0 &&
           value->dim[2] % (heads * parts) == 0 && q->dim[2] == key->dim[2] &&
           key->dim[0] == b && value->dim[0] == b && value->dim[1] == tk &&
           q->stride[2] == 1 && key->stride[2] == 1 && value->stride[2] == 1;
    fits = fits && numbers_by(a->lengths, 1, b, 0) && numbers_by(a->docs, 2, b, tk) &&
           numbers_by(a->who, a->mask == TSL_ATTN_PREFIX ? 1 : 2, b, tk) &&
           !a->who == (a->mask != TSL_ATTN_PREFIX && a->mask != TSL_ATTN_UNILM) &&
           (tq == tk || (!a->docs && a->mask != TSL_ATTN_UNILM)) &&
           (!a->bias || (a->bias->rank == 3 && a->bias->dim[0] == heads &&
                         a->bias->dim[1] == tq && a->bias->dim[2] == tk));
    if (!fits)
        return tsl_op_fail(g, "no attention with queries %s, %lld heads and this mask",
                           tsl_tensor_describe(q, text), (long long)heads);
    struct tsl_tensor *in[] = {
        q, k, v, a->who, a->lengths, a->docs, tsl_ops_contiguous(g, a->bias)
    };
    struct tsl_node *n = tsl_op_record(g, &op_attention, FORWARD_INPUTS, in, ~1u);
    if (!n)
        return NULL;
    const struct tsl_graph_opts *o = tsl_graph_options(g);
    int64_t width = value->dim[2] / parts;
    n->attr[HEADS].i = heads;
    n->attr[SCALE].f =
        a->scale != 0 ? a->scale : 1 / sqrt((double)(q->dim[2] / parts / heads));
    n->attr[MASK].i = a->mask == TSL_ATTN_CAUSAL   ? TSL_ATTENTION_CAUSAL
                      : a->mask == TSL_ATTN_PREFIX ? TSL_ATTENTION_PREFIX
                      : a->mask == TSL_ATTN_UNILM  ? TSL_ATTENTION_UNILM
                                                   : TSL_ATTENTION_ALL;
    n->attr[DROP].f = o->training ? a->dropout : 0;
    n->attr[SITE].i = (int64_t)tsl_op_site(g);
    n->attr[BF16].i = o->bf16;
    n->attr[PACKED].i = parts == 3;
    struct tsl_tensor *y = tsl_op_output(g, n, TSL_F32, 3, (int64_t[]){ b, tq, width });
    tsl_op_output(g, n, TSL_F32, 3, (int64_t[]){ b, heads, tq });
    if (a->mask == TSL_ATTN_UNILM)
        tsl_op_output(g, n, TSL_I32, 2, (int64_t[]){ b, tk });
    return tsl_op_failed(g) ? NULL : y;
}

struct tsl_tensor *tsl_ops_attention(struct tsl_graph *g, struct tsl_tensor *q,
                                     struct tsl_tensor *k, struct tsl_tensor *v,
                                     const struct tsl_attn *a)
{
    return attention(g, q, k, v, a, 1);
}

struct tsl_tensor *tsl_ops_attention_packed(struct tsl_graph *g, struct tsl_tensor *qkv,
                                            const struct tsl_attn *a)
{
    return attention(g, qkv, NULL, NULL, a, 3);
}

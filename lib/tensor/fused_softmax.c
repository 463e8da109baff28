/* fused_softmax.c - softmax and its logarithm over the last axis. */
#include <string.h>

#include "tensor/fused.h"

enum { SOFT_ROWS = 16 };
enum { LOGARITHM };

struct soft {
    const struct tsl_kernels *k;
    const float *x, *y, *dy;
    float *to;
    size_t cols;
    bool logarithm;
};

static void forward_rows(void *ctx, size_t from, size_t to)
{
    const struct soft *s = ctx;
    size_t at = from * s->cols;
    (s->logarithm ? s->k->log_softmax : s->k->softmax)(s->to + at, s->x + at, to - from,
                                                       s->cols);
}

static void backward_rows(void *ctx, size_t from, size_t to)
{
    const struct soft *s = ctx;
    size_t at = from * s->cols;
    (s->logarithm ? s->k->log_softmax_grad : s->k->softmax_grad)(
        s->to + at, s->dy + at, s->y + at, false, to - from, s->cols);
}

static void back_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct soft s = { .k = r->kernels,
                      .y = tsl_tensor_f32(n->in[1]),
                      .dy = tsl_tensor_f32(n->in[0]),
                      .to = tsl_tensor_f32(n->out[0]),
                      .cols = tsl_tensor_cols(n->in[1]),
                      .logarithm = n->attr[LOGARITHM].i };
    tsl_op_split(r, tsl_tensor_rows(n->in[1]), SOFT_ROWS, backward_rows, &s);
}

static const struct tsl_op op_softmax_backward = { .name = "softmax backward",
                                                   .run = back_run,
                                                   .in_place = true };

static void softmax_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct soft s = { .k = r->kernels,
                      .x = tsl_tensor_f32(n->in[0]),
                      .to = tsl_tensor_f32(n->out[0]),
                      .cols = tsl_tensor_cols(n->in[0]),
                      .logarithm = n->attr[LOGARITHM].i };
    tsl_op_split(r, tsl_tensor_rows(n->in[0]), SOFT_ROWS, forward_rows, &s);
}

static void softmax_grad(struct tsl_graph *g, struct tsl_node *n,
                         struct tsl_tensor *const *dout, const bool *need,
                         struct tsl_tensor **din)
{
    (void)need;
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, dout[0]), n->out[0] };
    struct tsl_node *back = tsl_op_record(g, &op_softmax_backward, 2, in, 0);
    if (!back)
        return;
    back->attr[LOGARITHM] = n->attr[LOGARITHM];
    din[0] = tsl_op_output_like(g, back, n->out[0]);
}

/* x - max, then its exponentials by their sum. */
static void softmax_expand(struct tsl_graph *g, const struct tsl_node *n,
                           struct tsl_tensor **out)
{
    struct tsl_tensor *x = n->in[0];
    unsigned last = 1u << (x->rank - 1);
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = 1;
    struct tsl_tensor *top = tsl_ops_detach(g, tsl_ops_max(g, x));
    struct tsl_tensor *d = tsl_ops_sub(g, x, tsl_ops_reshape(g, top, x->rank, dim));
    struct tsl_tensor *e = tsl_ops_unary(g, TSL_EXP, d), *sum = tsl_ops_sum(g, e, last);
    out[0] = n->attr[LOGARITHM].i ? tsl_ops_sub(g, d, tsl_ops_unary(g, TSL_LOG, sum))
                                  : tsl_ops_div(g, e, sum);
}

static const struct tsl_op op_softmax = {
    .name = "softmax", .run = softmax_run, .grad = softmax_grad, .expand = softmax_expand
};

static struct tsl_tensor *softmax(struct tsl_graph *g, struct tsl_tensor *x,
                                  bool logarithm)
{
    x = tsl_ops_contiguous(g, x);
    struct tsl_node *n = tsl_op_record(g, &op_softmax, 1, &x, 0);
    if (!n)
        return NULL;
    if (!x->rank)
        return tsl_op_fail(g, "a softmax of a scalar");
    n->attr[LOGARITHM].i = logarithm;
    return tsl_op_output_like(g, n, x);
}

struct tsl_tensor *tsl_ops_softmax(struct tsl_graph *g, struct tsl_tensor *x)
{
    return softmax(g, x, false);
}

struct tsl_tensor *tsl_ops_log_softmax(struct tsl_graph *g, struct tsl_tensor *x)
{
    return softmax(g, x, true);
}

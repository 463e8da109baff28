/* fused_linear.c - f(x w^T + b) in one pass over the result, and the three products of its
 * backward. */
#include <string.h>

#include "tensor/fused.h"
#include "tensor/gemm.h"
#include "tensor/op.h"
#include "tensor/ops.h"

/* Attributes of all three kinds of node. */
enum { MODE_BF16 = 0, F = 1, IN_OUT = 2, A_TURNED = 3, B_TURNED = 4 };

/* ---- a product whose factors may be turned: what the backward is made of ---- */

/* in[0], in[1] as matrices [rows, last axis], turned or not. */
static struct tsl_gemm product_of(const struct tsl_node *n)
{
    const struct tsl_tensor *a = n->in[0], *b = n->in[1];
    size_t ar = tsl_tensor_rows(a), ac = tsl_tensor_cols(a);
    size_t br = tsl_tensor_rows(b), bc = tsl_tensor_cols(b);
    bool ta = n->attr[A_TURNED].i, tb = n->attr[B_TURNED].i;
    return (struct tsl_gemm){
        .m = ta ? ac : ar,
        .n = tb ? br : bc,
        .k = ta ? ar : ac,
        .a_row = ta ? 1 : (ptrdiff_t)ac,
        .a_col = ta ? (ptrdiff_t)ac : 1,
        .b_row = tb ? 1 : (ptrdiff_t)bc,
        .b_col = tb ? (ptrdiff_t)bc : 1,
        .c_row = (ptrdiff_t)(tb ? br : bc),
        .add = n->adds,
        .multiply = n->attr[MODE_BF16].i ? TSL_GEMM_BF16 : TSL_GEMM_F32,
    };
}

static void product_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct tsl_gemm p = product_of(n);
    p.a = tsl_tensor_f32(n->in[0]);
    p.b = tsl_tensor_f32(n->in[1]);
    p.c = tsl_tensor_f32(n->out[0]);
    p.a_sum = n->nout > 1 ? tsl_tensor_f32(n->out[1]) : NULL;
    tsl_gemm_run(&p, r->pool, r->scratch);
}

static size_t product_scratch(const struct tsl_node *n, unsigned nthreads)
{
    struct tsl_gemm p = product_of(n);
    return tsl_gemm_scratch_bytes(&p, nthreads);
}

static double product_flops(const struct tsl_node *n)
{
    struct tsl_gemm p = product_of(n);
    return 2.0 * (double)p.m * (double)p.n * (double)p.k;
}

static const struct tsl_op op_product = {
    .name = "product",
    .run = product_run,
    .scratch = product_scratch,
    .flops = product_flops,
    .can_add = true,
};

struct tsl_tensor *tsl_fused_product(struct tsl_graph *g, struct tsl_tensor *a,
                                     bool turn_a, struct tsl_tensor *b, bool turn_b,
                                     unsigned rank, const int64_t *dim)
{
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, a), tsl_ops_contiguous(g, b) };
    struct tsl_node *n = tsl_op_record(g, &op_product, 2, in, 0);
    if (!n)
        return NULL;
    n->attr[MODE_BF16].i = tsl_graph_options(g)->bf16;
    n->attr[A_TURNED].i = turn_a;
    n->attr[B_TURNED].i = turn_b;
    return tsl_op_output(g, n, TSL_F32, rank, dim);
}

/* The gradient of w, dy^T x, and with it the one of b: sums of what is packed anyway. */
static struct tsl_tensor *weight_and_bias(struct tsl_graph *g, struct tsl_tensor *dy,
                                          struct tsl_tensor *x,
                                          const struct tsl_tensor *w,
                                          const struct tsl_tensor *b,
                                          struct tsl_tensor **db)
{
    struct tsl_tensor *dw = tsl_fused_product(g, dy, true, x, false, 2, w->dim);
    *db = dw ? tsl_op_output_like(g, dw->by, b) : NULL;
    return dw;
}

/* ---- linear ---- */

static struct tsl_gemm linear_of(const struct tsl_node *n)
{
    const struct tsl_tensor *x = n->in[0], *w = n->in[1];
    bool in_out = n->attr[IN_OUT].i;
    ptrdiff_t cols = w->dim[1];
    return (struct tsl_gemm){
        .m = tsl_tensor_rows(x),
        .n = (size_t)w->dim[in_out ? 1 : 0],
        .k = tsl_tensor_cols(x),
        .a_row = (ptrdiff_t)tsl_tensor_cols(x),
        .a_col = 1,
        .b_row = in_out ? cols : 1,
        .b_col = in_out ? 1 : cols,
        .c_row = w->dim[in_out ? 1 : 0],
        .multiply = n->attr[MODE_BF16].i ? TSL_GEMM_BF16 : TSL_GEMM_F32,
    };
}

static void linear_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct tsl_gemm p = linear_of(n);
    p.a = tsl_tensor_f32(n->in[0]);
    p.b = tsl_tensor_f32(n->in[1]);
    p.c = tsl_tensor_f32(n->out[0]);
    p.bias = n->in[2] ? tsl_tensor_f32(n->in[2]) : NULL;
    p.after = (enum tsl_unary)n->attr[F].i;
    if (n->nout > 1) {
        p.before = tsl_tensor_f32(n->out[1]);
        p.before_row = p.c_row;
    }
    tsl_gemm_run(&p, r->pool, r->scratch);
}

static size_t linear_scratch(const struct tsl_node *n, unsigned nthreads)
{
    struct tsl_gemm p = linear_of(n);
    return tsl_gemm_scratch_bytes(&p, nthreads);
}

static double linear_flops(const struct tsl_node *n)
{
    struct tsl_gemm p = linear_of(n);
    return 2.0 * (double)p.m * (double)p.n * (double)p.k;
}

static void linear_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    struct tsl_tensor *x = n->in[0], *w = n->in[1], *dy = dout[0];
    bool in_out = n->attr[IN_OUT].i;
    if (n->nout > 1)
        dy = tsl_fused_unary_backward(g, (enum tsl_unary)n->attr[F].i, dy, n->out[1]);
    if (!dy)
        return;
    if (need[1] && !in_out && n->in[2] && need[2])
        din[1] = weight_and_bias(g, dy, x, w, n->in[2], &din[2]);
    else if (need[1])
        din[1] = in_out ? tsl_fused_product(g, x, true, dy, false, 2, w->dim)
                        : tsl_fused_product(g, dy, true, x, false, 2, w->dim);
    if (n->in[2] && need[2] && !din[2])
        din[2] = tsl_ops_sum_to(g, dy, 1, n->in[2]->dim);
    if (need[0])
        din[0] = tsl_fused_product(g, dy, false, w, in_out, x->rank, x->dim);
}

/* reshape(x) w^T + b, then f. */
static void linear_expand(struct tsl_graph *g, const struct tsl_node *n,
                          struct tsl_tensor **out)
{
    struct tsl_tensor *w = n->in[1];
    struct tsl_tensor *y =
        tsl_ops_matmul(g, n->in[0], n->attr[IN_OUT].i ? w : tsl_ops_transpose(g, w));
    if (n->in[2])
        y = tsl_ops_add(g, y, n->in[2]);
    if (n->nout > 1)
        out[1] = y;
    out[0] = tsl_ops_unary(g, (enum tsl_unary)n->attr[F].i, y);
}

static const struct tsl_op op_linear = {
    .name = "linear",
    .run = linear_run,
    .grad = linear_grad,
    .expand = linear_expand,
    .scratch = linear_scratch,
    .flops = linear_flops,
};

struct tsl_tensor *tsl_ops_linear(struct tsl_graph *g, struct tsl_tensor *x,
                                  struct tsl_tensor *w, struct tsl_tensor *b,
                                  enum tsl_unary f, bool in_out)
{
    if (!x || !w)
        return NULL;
    if (x->rank == 1) { /* one row */
        struct tsl_tensor *row = tsl_ops_reshape(g, x, 2, (int64_t[]){ 1, x->dim[0] });
        struct tsl_tensor *y = tsl_ops_linear(g, row, w, b, f, in_out);
        return y ? tsl_ops_reshape(g, y, 1, y->dim + 1) : NULL;
    }
    char tx[TSL_TENSOR_TEXT], tw[TSL_TENSOR_TEXT];
    if (w->rank != 2 || !tsl_tensor_contiguous(w) || x->rank < 2 ||
        x->dim[x->rank - 1] != w->dim[in_out ? 0 : 1] ||
        (b && (b->rank != 1 || b->dim[0] != w->dim[in_out ? 1 : 0])))
        return tsl_op_fail(g, "no linear layer of %s by weights %s",
                           tsl_tensor_describe(x, tx), tsl_tensor_describe(w, tw));
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, x), w, b };
    struct tsl_node *n = tsl_op_record(g, &op_linear, 3, in, 1u << 2);
    if (!n)
        return NULL;
    n->attr[MODE_BF16].i = tsl_graph_options(g)->bf16;
    n->attr[F].i = f;
    n->attr[IN_OUT].i = in_out;
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = w->dim[in_out ? 1 : 0];
    struct tsl_tensor *y = tsl_op_output(g, n, TSL_F32, x->rank, dim);
    if (f != TSL_IDENTITY && !tsl_op_output(g, n, TSL_F32, x->rank, dim))
        return NULL;
    return y;
}

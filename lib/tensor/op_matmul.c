/* op_matmul.c - products of matrices, many at a time. */
#include <string.h>

#include "tensor/gemm.h"
#include "tensor/op.h"
#include "tensor/ops.h"

/* The product of one matrix of each, as gemm takes it; the batch's strides are apart. */
static struct tsl_gemm gemm_of(const struct tsl_node *n)
{
    const struct tsl_tensor *a = n->in[0], *b = n->in[1], *c = n->out[0];
    unsigned r = c->rank;
    return (struct tsl_gemm){
        .m = (size_t)c->dim[r - 2],
        .n = (size_t)c->dim[r - 1],
        .k = (size_t)a->dim[r - 1],
        .a_row = a->stride[r - 2],
        .a_col = a->stride[r - 1],
        .b_row = b->stride[r - 2],
        .b_col = b->stride[r - 1],
        .c_row = c->stride[r - 2],
        .add = n->adds,
    };
}

static void matmul_run(const struct tsl_node *n, const struct tsl_run *r)
{
    const struct tsl_tensor *a = n->in[0], *b = n->in[1], *c = n->out[0];
    struct tsl_gemm one = gemm_of(n);
    size_t lead[3] = { 1, 1, 1 }; /* the axes before the two last, right-aligned */
    ptrdiff_t sa[3] = { 0 }, sb[3] = { 0 }, sc[3] = { 0 };
    for (unsigned i = c->rank - 2, at = 3; i-- > 0;) {
        at--;
        lead[at] = (size_t)c->dim[i];
        sa[at] = a->stride[i], sb[at] = b->stride[i], sc[at] = c->stride[i];
    }
    struct tsl_gemm_batch batch = {
        .outer = lead[1],
        .inner = lead[2],
        .a_outer = sa[1],
        .a_inner = sa[2],
        .b_outer = sb[1],
        .b_inner = sb[2],
        .c_outer = sc[1],
        .c_inner = sc[2],
    };
    for (size_t i = 0; i < lead[0]; i++) {
        one.a = tsl_tensor_f32(a) + (ptrdiff_t)i * sa[0];
        one.b = tsl_tensor_f32(b) + (ptrdiff_t)i * sb[0];
        one.c = tsl_tensor_f32(c) + (ptrdiff_t)i * sc[0];
        tsl_gemm_run_batch(&one, &batch, r->pool, r->scratch);
    }
}

static size_t matmul_scratch(const struct tsl_node *n, unsigned nthreads)
{
    struct tsl_gemm one = gemm_of(n);
    return tsl_gemm_scratch_bytes(&one, nthreads);
}

static double matmul_flops(const struct tsl_node *n)
{
    const struct tsl_tensor *a = n->in[0];
    return 2.0 * (double)tsl_tensor_count(n->out[0]) * (double)a->dim[a->rank - 1];
}

static void matmul_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    struct tsl_tensor *a = n->in[0], *b = n->in[1];
    if (need[0])
        din[0] = tsl_ops_matmul(g, dout[0], tsl_ops_transpose(g, b));
    if (need[1])
        din[1] = tsl_ops_matmul(g, tsl_ops_transpose(g, a), dout[0]);
}

static const struct tsl_op op_matmul = {
    .name = "matmul",
    .run = matmul_run,
    .grad = matmul_grad,
    .scratch = matmul_scratch,
    .flops = matmul_flops,
    .can_add = true,
};

/* x with the leading axes of dim[0 .. rank - 2). */
static struct tsl_tensor *broadcast_lead(struct tsl_graph *g, struct tsl_tensor *x,
                                         unsigned rank, const int64_t *lead)
{
    if (!x)
        return NULL;
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, lead, sizeof dim);
    dim[rank - 2] = x->dim[x->rank - 2];
    dim[rank - 1] = x->dim[x->rank - 1];
    if (x->rank == rank && !memcmp(x->dim, dim, rank * sizeof *dim))
        return x;
    return tsl_ops_expand(g, x, rank, dim);
}

struct tsl_tensor *tsl_ops_matmul(struct tsl_graph *g, struct tsl_tensor *a,
                                  struct tsl_tensor *b)
{
    if (!a || !b)
        return NULL;
    char ta[TSL_TENSOR_TEXT], tb[TSL_TENSOR_TEXT];
    if (a->rank < 2 || b->rank < 2 || a->dim[a->rank - 1] != b->dim[b->rank - 2])
        return tsl_op_fail(g, "no product of %s and %s", tsl_tensor_describe(a, ta),
                           tsl_tensor_describe(b, tb));
    unsigned rank = a->rank > b->rank ? a->rank : b->rank;
    int64_t dim[TSL_RANK_MAX] = { 0 };
    for (unsigned i = 0; i + 2 < rank; i++) {
        int64_t x = i + a->rank >= rank ? a->dim[i + a->rank - rank] : 1;
        int64_t y = i + b->rank >= rank ? b->dim[i + b->rank - rank] : 1;
        dim[i] = x > y ? x : y;
    }
    dim[rank - 2] = a->dim[a->rank - 2];
    dim[rank - 1] = b->dim[b->rank - 1];
    struct tsl_tensor *in[] = { broadcast_lead(g, a, rank, dim),
                                broadcast_lead(g, b, rank, dim) };
    struct tsl_node *n = tsl_op_record(g, &op_matmul, 2, in, 0);
    return n ? tsl_op_output(g, n, TSL_F32, rank, dim) : NULL;
}

/* op_reduce.c - sums and the largest. */
#include <assert.h>
#include <string.h>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/strided.h"

/* ---- sum ---- */

enum { SUM_BLOCK = 4096 };

/* The sum of n numbers: pairs of halves down to blocks of 64, so that the error grows with
 * the logarithm of n; the tree is n's alone. */
static double sum_of(const float *x, size_t n, int64_t step)
{
    if (n > 64) {
        size_t half = n / 2;
        return sum_of(x, half, step) + sum_of(x + (int64_t)half * step, n - half, step);
    }
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += (double)x[(int64_t)i * step];
    return s;
}

/* The numbers of x at which the summed axes run, for one place of the others: recursion over
 * axes, last axis in one loop. */
static double sum_axes(const float *x, const struct tsl_tensor *t, unsigned axes,
                       unsigned axis)
{
    while (axis < t->rank && !(axes >> axis & 1))
        axis++;
    if (axis >= t->rank)
        return (double)*x;
    if (!(axes >> (axis + 1)))
        return sum_of(x, (size_t)t->dim[axis], t->stride[axis]);
    double s = 0;
    for (int64_t i = 0; i < t->dim[axis]; i++)
        s += sum_axes(x + i * t->stride[axis], t, axes, axis + 1);
    return s;
}

static void sum_part(void *ctx, size_t from, size_t to)
{
    const struct tsl_node *n = ctx;
    const struct tsl_tensor *x = n->in[0], *y = n->out[0];
    unsigned axes = (unsigned)n->attr[0].i;
    for (size_t r = from; r < to; r++) {
        int64_t at = 0;
        size_t rest = r;
        for (unsigned i = y->rank; i-- > 0;) {
            at += (int64_t)(rest % (size_t)y->dim[i]) * x->stride[i];
            rest /= (size_t)y->dim[i];
        }
        float *to_y = tsl_tensor_f32(y) + r;
        double s = sum_axes(tsl_tensor_f32(x) + at, x, axes, 0);
        *to_y = (float)(n->adds ? (double)*to_y + s : s);
    }
}

/* ---- over leading axes: rows are added up, some at a time ---- */

enum { ROWS_BLOCK = 128 };

struct rows_work {
    const struct tsl_kernels *k;
    const float *x;
    float *part; /* [blocks, cols] */
    size_t cols;
};

static void rows_part(void *ctx, size_t from, size_t to)
{
    const struct rows_work *w = ctx;
    float *part = w->part + from / ROWS_BLOCK * w->cols;
    memset(part, 0, w->cols * sizeof *part);
    w->k->add_rows(part, w->x + from * w->cols, to - from, w->cols, w->cols);
}

/* Are the summed axes the first ones of a contiguous tensor?  Then how many rows. */
static size_t leading_rows(const struct tsl_node *n)
{
    const struct tsl_tensor *x = n->in[0];
    unsigned axes = (unsigned)n->attr[0].i, first = 0;
    size_t rows = 1;
    while (first < x->rank && axes >> first & 1)
        rows *= (size_t)x->dim[first++];
    bool rest = first < x->rank && !(axes >> first);
    return rest && rows > 1 && tsl_tensor_contiguous(x) ? rows : 0;
}

static size_t sum_scratch(const struct tsl_node *n, unsigned nthreads)
{
    (void)nthreads;
    size_t rows = leading_rows(n);
    return (rows + ROWS_BLOCK - 1) / ROWS_BLOCK * tsl_tensor_count(n->out[0]) *
           sizeof(float);
}

static void sum_rows_run(const struct tsl_node *n, const struct tsl_run *r, size_t rows)
{
    size_t cols = tsl_tensor_count(n->out[0]);
    struct rows_work w = { r->kernels, tsl_tensor_f32(n->in[0]), r->scratch, cols };
    tsl_op_split(r, rows, ROWS_BLOCK, rows_part, &w);
    float *y = tsl_tensor_f32(n->out[0]);
    if (!n->adds)
        memset(y, 0, cols * sizeof *y);
    r->kernels->add_rows(y, w.part, (rows + ROWS_BLOCK - 1) / ROWS_BLOCK, cols, cols);
}

static void sum_run(const struct tsl_node *n, const struct tsl_run *r)
{
    size_t out = tsl_tensor_count(n->out[0]), rows = leading_rows(n);
    if (rows) {
        sum_rows_run(n, r, rows);
        return;
    }
    size_t each = tsl_tensor_count(n->in[0]) / out;
    tsl_op_split(r, out, SUM_BLOCK / each + 1, sum_part, (void *)n);
}

static void sum_grad(struct tsl_graph *g, struct tsl_node *n,
                     struct tsl_tensor *const *dout, const bool *need,
                     struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_expand(g, dout[0], n->in[0]->rank, n->in[0]->dim);
}

static const struct tsl_op op_sum = {
    .name = "sum",
    .run = sum_run,
    .grad = sum_grad,
    .scratch = sum_scratch,
    .can_add = true,
};

struct tsl_tensor *tsl_ops_sum(struct tsl_graph *g, struct tsl_tensor *x, unsigned axes)
{
    if (!x || !axes)
        return x;
    struct tsl_node *n = tsl_op_record(g, &op_sum, 1, &x, 0);
    if (!n)
        return NULL;
    int64_t dim[TSL_RANK_MAX];
    for (unsigned i = 0; i < x->rank; i++)
        dim[i] = axes >> i & 1 ? 1 : x->dim[i];
    n->attr[0].i = axes;
    return tsl_op_output(g, n, TSL_F32, x->rank, dim);
}

struct tsl_tensor *tsl_ops_mean(struct tsl_graph *g, struct tsl_tensor *x, unsigned axes)
{
    if (!x)
        return NULL;
    double count = 1;
    for (unsigned i = 0; i < x->rank; i++)
        count *= axes >> i & 1 ? (double)x->dim[i] : 1;
    return tsl_ops_affine(g, tsl_ops_sum(g, x, axes), 1 / count, 0);
}

struct tsl_tensor *tsl_ops_sum_all(struct tsl_graph *g, struct tsl_tensor *x)
{
    if (!x)
        return NULL;
    return tsl_ops_reshape(g, tsl_ops_sum(g, x, (1u << x->rank) - 1), 0, NULL);
}

struct tsl_tensor *tsl_ops_mean_all(struct tsl_graph *g, struct tsl_tensor *x)
{
    if (!x)
        return NULL;
    return tsl_ops_affine(g, tsl_ops_sum_all(g, x), 1 / (double)tsl_tensor_count(x), 0);
}

struct tsl_tensor *tsl_ops_sum_to(struct tsl_graph *g, struct tsl_tensor *x,
                                  unsigned rank, const int64_t *dim)
{
    if (!x)
        return NULL;
    unsigned more = x->rank - rank, axes = (1u << more) - 1;
    for (unsigned i = 0; i < rank; i++)
        if (dim[i] == 1 && x->dim[more + i] != 1)
            axes |= 1u << (more + i);
    x = tsl_ops_sum(g, x, axes);
    return more ? tsl_ops_reshape(g, x, rank, dim) : x;
}

/* ---- max ---- */

static void max_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    const struct tsl_tensor *x = n->in[0];
    size_t rows = tsl_tensor_rows(x), cols = tsl_tensor_cols(x);
    float *y = tsl_tensor_f32(n->out[0]);
    int32_t *where = tsl_tensor_i32(n->out[1]);
    int64_t step = tsl_strided_step(x);
    for (size_t i = 0; i < rows; i++) {
        const float *row = tsl_tensor_f32(x) + tsl_strided_row(x, i);
        size_t best = 0;
        for (size_t c = 1; c < cols; c++)
            if (row[(int64_t)c * step] > row[(int64_t)best * step])
                best = c;
        y[i] = row[(int64_t)best * step];
        where[i] = (int32_t)best;
    }
}

static void max_grad(struct tsl_graph *g, struct tsl_node *n,
                     struct tsl_tensor *const *dout, const bool *need,
                     struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_put(g, dout[0], n->out[1], n->in[0]->dim[n->in[0]->rank - 1]);
}

static const struct tsl_op op_max = { .name = "max", .run = max_run, .grad = max_grad };

struct tsl_tensor *tsl_ops_max(struct tsl_graph *g, struct tsl_tensor *x)
{
    struct tsl_node *n = tsl_op_record(g, &op_max, 1, &x, 0);
    if (!n)
        return NULL;
    if (!x->rank)
        return tsl_op_fail(g, "the largest of a scalar");
    struct tsl_tensor *y = tsl_op_output(g, n, TSL_F32, x->rank - 1, x->dim);
    return tsl_op_output(g, n, TSL_I32, x->rank - 1, x->dim) ? y : NULL;
}

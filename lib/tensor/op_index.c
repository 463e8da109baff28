/* op_index.c - rows and numbers chosen by ids. */
#include <assert.h>
#include <string.h>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/strided.h"

enum { INDEX_BLOCK = 16 << 10 };

static bool ids_fit(struct tsl_graph *g, const struct tsl_tensor *ids)
{
    if (ids->type == TSL_I32 && tsl_tensor_contiguous(ids))
        return true;
    tsl_op_fail(g, "ids must be i32, without gaps");
    return false;
}

/* ---- gather ---- */

static void gather_part(void *ctx, size_t from, size_t to)
{
    const struct tsl_node *n = ctx;
    const struct tsl_tensor *w = n->in[0];
    size_t cols = (size_t)w->dim[1];
    const int32_t *ids = tsl_tensor_i32(n->in[1]);
    float *y = tsl_tensor_f32(n->out[0]);
    const float *x = tsl_tensor_f32(w);
    for (size_t r = from; r < to; r++) {
        assert(ids[r] < w->dim[0]);
        if (ids[r] < 0)
            memset(y + r * cols, 0, cols * sizeof *y);
        else
            memcpy(y + r * cols, x + ids[r] * w->stride[0], cols * sizeof *y);
    }
}

static void gather_run(const struct tsl_node *n, const struct tsl_run *r)
{
    size_t cols = (size_t)n->in[0]->dim[1];
    tsl_op_split(r, tsl_tensor_count(n->in[1]), INDEX_BLOCK / cols + 1, gather_part,
                 (void *)n);
}

static void gather_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_scatter(g, dout[0], n->in[1], n->in[0]->dim[0]);
}

static const struct tsl_op op_gather = { .name = "gather",
                                         .run = gather_run,
                                         .grad = gather_grad };

struct tsl_tensor *tsl_ops_gather(struct tsl_graph *g, struct tsl_tensor *w,
                                  struct tsl_tensor *ids)
{
    struct tsl_tensor *in[] = { w, ids };
    struct tsl_node *n = tsl_op_record(g, &op_gather, 2, in, 0);
    if (!n || !ids_fit(g, ids))
        return NULL;
    if (w->rank != 2 || w->stride[1] != 1 || ids->rank >= TSL_RANK_MAX)
        return tsl_op_fail(g, "rows are gathered from a matrix of rows without gaps");
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, ids->dim, sizeof dim);
    dim[ids->rank] = w->dim[1];
    return tsl_op_output(g, n, TSL_F32, ids->rank + 1, dim);
}

/* ---- scatter ---- */

/* Columns [from, to) of all rows, in order of the rows: work is split by columns, so that each
 * sum has one order. */
static void scatter_part(void *ctx, size_t from, size_t to)
{
    const struct tsl_node *n = ctx;
    size_t rows = tsl_tensor_count(n->in[1]), cols = (size_t)n->out[0]->dim[1];
    const float *x = tsl_tensor_f32(n->in[0]);
    const int32_t *ids = tsl_tensor_i32(n->in[1]);
    float *y = tsl_tensor_f32(n->out[0]);
    for (size_t r = 0; r < rows; r++) {
        if (ids[r] < 0)
            continue;
        assert(ids[r] < n->out[0]->dim[0]);
        float *to_y = y + (size_t)ids[r] * cols;
        const float *from_x = x + r * cols;
        for (size_t c = from; c < to; c++)
            to_y[c] += from_x[c];
    }
}

static void scatter_zero(void *ctx, size_t from, size_t to)
{
    memset((float *)ctx + from, 0, (to - from) * sizeof(float));
}

static void scatter_run(const struct tsl_node *n, const struct tsl_run *r)
{
    size_t cols = (size_t)n->out[0]->dim[1];
    if (!n->adds)
        tsl_op_split(r, tsl_tensor_count(n->out[0]), 1 << 18, scatter_zero,
                     tsl_tensor_f32(n->out[0]));
    tsl_op_split(r, cols, cols > 64 ? (cols + 127) / 128 * 16 : cols, scatter_part,
                 (void *)n);
}

static void scatter_grad(struct tsl_graph *g, struct tsl_node *n,
                         struct tsl_tensor *const *dout, const bool *need,
                         struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_gather(g, tsl_ops_contiguous(g, dout[0]), n->in[1]);
}

static const struct tsl_op op_scatter = {
    .name = "scatter", .run = scatter_run, .grad = scatter_grad, .can_add = true
};

struct tsl_tensor *tsl_ops_scatter(struct tsl_graph *g, struct tsl_tensor *x,
                                   struct tsl_tensor *ids, int64_t v)
{
    x = tsl_ops_contiguous(g, x);
    struct tsl_tensor *in[] = { x, ids };
    struct tsl_node *n = tsl_op_record(g, &op_scatter, 2, in, 0);
    if (!n || !ids_fit(g, ids))
        return NULL;
    if (x->rank != ids->rank + 1)
        return tsl_op_fail(g, "rows to scatter need an id each");
    return tsl_op_output(g, n, TSL_F32, 2, (int64_t[]){ v, x->dim[x->rank - 1] });
}

/* ---- pick and put ---- */

static void pick_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    const struct tsl_tensor *x = n->in[0];
    const int32_t *ids = tsl_tensor_i32(n->in[1]);
    float *y = tsl_tensor_f32(n->out[0]);
    int64_t step = tsl_strided_step(x);
    for (size_t i = 0, rows = tsl_tensor_rows(x); i < rows; i++) {
        assert(ids[i] < (int64_t)tsl_tensor_cols(x));
        y[i] = ids[i] < 0 ? 0 : tsl_tensor_f32(x)[tsl_strided_row(x, i) + ids[i] * step];
    }
}

static void pick_grad(struct tsl_graph *g, struct tsl_node *n,
                      struct tsl_tensor *const *dout, const bool *need,
                      struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_put(g, dout[0], n->in[1], n->in[0]->dim[n->in[0]->rank - 1]);
}

static const struct tsl_op op_pick = { .name = "pick",
                                       .run = pick_run,
                                       .grad = pick_grad };

struct tsl_tensor *tsl_ops_pick(struct tsl_graph *g, struct tsl_tensor *x,
                                struct tsl_tensor *ids)
{
    struct tsl_tensor *in[] = { x, ids };
    struct tsl_node *n = tsl_op_record(g, &op_pick, 2, in, 0);
    if (!n || !ids_fit(g, ids))
        return NULL;
    if (!x->rank || tsl_tensor_rows(x) != tsl_tensor_count(ids))
        return tsl_op_fail(g, "each row needs an id to pick by");
    return tsl_op_output(g, n, TSL_F32, x->rank - 1, x->dim);
}

static void put_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    const struct tsl_tensor *x = n->in[0], *y = n->out[0];
    const int32_t *ids = tsl_tensor_i32(n->in[1]);
    size_t rows = tsl_tensor_rows(y), cols = tsl_tensor_cols(y);
    float *to = tsl_tensor_f32(y);
    memset(to, 0, rows * cols * sizeof *to);
    for (size_t i = 0; i < rows; i++)
        if (ids[i] >= 0)
            to[i * cols + (size_t)ids[i]] = tsl_tensor_f32(x)[i];
}

static void put_grad(struct tsl_graph *g, struct tsl_node *n,
                     struct tsl_tensor *const *dout, const bool *need,
                     struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_pick(g, dout[0], n->in[1]);
}

static const struct tsl_op op_put = { .name = "put", .run = put_run, .grad = put_grad };

struct tsl_tensor *tsl_ops_put(struct tsl_graph *g, struct tsl_tensor *x,
                               struct tsl_tensor *ids, int64_t cols)
{
    x = tsl_ops_contiguous(g, x);
    struct tsl_tensor *in[] = { x, ids };
    struct tsl_node *n = tsl_op_record(g, &op_put, 2, in, 0);
    if (!n || !ids_fit(g, ids))
        return NULL;
    if (x->rank >= TSL_RANK_MAX || tsl_tensor_count(x) != tsl_tensor_count(ids))
        return tsl_op_fail(g, "each number needs an id to be put at");
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank] = cols;
    return tsl_op_output(g, n, TSL_F32, x->rank + 1, dim);
}

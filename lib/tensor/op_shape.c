/* op_shape.c - views, copies, and what moves numbers without changing them. */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "tensor/op.h"
#include "tensor/ops.h"
#include "tensor/strided.h"

enum { COPY_BLOCK = 16 << 10 };

/* ---- copies ---- */

struct copying {
    const struct tsl_tensor *to, *from;
};

/* Rows [from, to) of the last axis. */
static void copy_rows(void *ctx, size_t from, size_t to)
{
    const struct copying *c = ctx;
    size_t cols = tsl_tensor_cols(c->to), bytes = tsl_num_bytes(c->to->type);
    int64_t step = c->from->rank ? c->from->stride[c->from->rank - 1] : 1;
    int64_t put = c->to->rank ? c->to->stride[c->to->rank - 1] : 1;
    for (size_t r = from; r < to; r++) {
        const char *x =
            (const char *)tsl_tensor_data(c->from) + tsl_strided_row(c->from, r) * bytes;
        char *y = (char *)tsl_tensor_data(c->to) + tsl_strided_row(c->to, r) * bytes;
        if (step == 1 && put == 1)
            memcpy(y, x, cols * bytes);
        else
            for (size_t i = 0; i < cols; i++)
                memcpy(y + (int64_t)i * put * (int64_t)bytes,
                       x + (int64_t)i * step * (int64_t)bytes, bytes);
    }
}

static void copy_into(const struct tsl_tensor *to, const struct tsl_tensor *from,
                      const struct tsl_run *r)
{
    struct copying c = { to, from };
    size_t cols = tsl_tensor_cols(to);
    tsl_op_split(r, tsl_tensor_rows(to), COPY_BLOCK / cols + 1, copy_rows, &c);
}

static void copy_run(const struct tsl_node *n, const struct tsl_run *r)
{
    copy_into(n->out[0], n->in[0], r);
}

static void copy_grad(struct tsl_graph *g, struct tsl_node *n,
                      struct tsl_tensor *const *dout, const bool *need,
                      struct tsl_tensor **din)
{
    (void)g, (void)n, (void)need;
    din[0] = dout[0];
}

static const struct tsl_op op_copy = { .name = "copy",
                                       .run = copy_run,
                                       .grad = copy_grad };

struct tsl_tensor *tsl_ops_copy(struct tsl_graph *g, struct tsl_tensor *x)
{
    struct tsl_node *n = tsl_op_record(g, &op_copy, 1, &x, 0);
    return n ? tsl_op_output_like(g, n, x) : NULL;
}

struct tsl_tensor *tsl_ops_contiguous(struct tsl_graph *g, struct tsl_tensor *x)
{
    return x && !tsl_tensor_contiguous(x) ? tsl_ops_copy(g, x) : x;
}

static const struct tsl_op op_detach = { .name = "detach", .flat = true };

struct tsl_tensor *tsl_ops_detach(struct tsl_graph *g, struct tsl_tensor *x)
{
    struct tsl_node *n = tsl_op_record(g, &op_detach, 1, &x, 0);
    return n ? tsl_op_view(g, n, x) : NULL;
}

/* ---- fill ---- */

static void fill_run(const struct tsl_node *n, const struct tsl_run *r)
{
    (void)r;
    float *y = tsl_tensor_f32(n->out[0]), value = (float)n->attr[0].f;
    for (size_t i = 0, count = tsl_tensor_count(n->out[0]); i < count; i++)
        y[i] = value;
}

static const struct tsl_op op_fill = { .name = "fill", .run = fill_run, .flat = true };

struct tsl_tensor *tsl_ops_fill(struct tsl_graph *g, float value, unsigned rank,
                                const int64_t *dim)
{
    struct tsl_node *n = tsl_op_record(g, &op_fill, 0, NULL, 0);
    if (!n)
        return NULL;
    n->attr[0].f = value;
    return tsl_op_output(g, n, TSL_F32, rank, dim);
}

/* ---- reshape ---- */

static void reshape_grad(struct tsl_graph *g, struct tsl_node *n,
                         struct tsl_tensor *const *dout, const bool *need,
                         struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_reshape(g, dout[0], n->in[0]->rank, n->in[0]->dim);
}

static const struct tsl_op op_reshape = { .name = "reshape", .grad = reshape_grad };

struct tsl_tensor *tsl_ops_reshape(struct tsl_graph *g, struct tsl_tensor *x,
                                   unsigned rank, const int64_t *dim)
{
    x = tsl_ops_contiguous(g, x);
    if (!x)
        return NULL;
    size_t count = 1;
    for (unsigned i = 0; i < rank; i++)
        count *= (size_t)dim[i];
    char text[TSL_TENSOR_TEXT];
    if (rank > TSL_RANK_MAX || count != tsl_tensor_count(x))
        return tsl_op_fail(g, "%s cannot be seen as %zu numbers of %u axes",
                           tsl_tensor_describe(x, text), count, rank);
    struct tsl_node *n = tsl_op_record(g, &op_reshape, 1, &x, 0);
    struct tsl_tensor *y = tsl_op_view(g, n, x);
    if (!y)
        return NULL;
    y->rank = rank;
    int64_t stride = 1;
    for (unsigned i = rank; i-- > 0;) {
        y->dim[i] = dim[i];
        y->stride[i] = stride;
        stride *= dim[i];
    }
    return y;
}

/* ---- permute ---- */

static void permute_grad(struct tsl_graph *g, struct tsl_node *n,
                         struct tsl_tensor *const *dout, const bool *need,
                         struct tsl_tensor **din)
{
    (void)need;
    unsigned back[TSL_RANK_MAX];
    for (unsigned i = 0; i < n->in[0]->rank; i++)
        back[n->attr[i].i] = i;
    din[0] = tsl_ops_permute(g, dout[0], back);
}

static const struct tsl_op op_permute = { .name = "permute", .grad = permute_grad };

struct tsl_tensor *tsl_ops_permute(struct tsl_graph *g, struct tsl_tensor *x,
                                   const unsigned *axes)
{
    struct tsl_node *n = tsl_op_record(g, &op_permute, 1, &x, 0);
    struct tsl_tensor *y = n ? tsl_op_view(g, n, x) : NULL;
    if (!y)
        return NULL;
    unsigned seen = 0;
    for (unsigned i = 0; i < x->rank; i++) {
        assert(axes[i] < x->rank && !(seen >> axes[i] & 1));
        seen |= 1u << axes[i];
        n->attr[i].i = axes[i];
        y->dim[i] = x->dim[axes[i]];
        y->stride[i] = x->stride[axes[i]];
    }
    return y;
}

struct tsl_tensor *tsl_ops_transpose(struct tsl_graph *g, struct tsl_tensor *x)
{
    if (!x)
        return NULL;
    if (x->rank < 2)
        return tsl_op_fail(g, "a transposition needs two axes");
    unsigned axes[TSL_RANK_MAX];
    for (unsigned i = 0; i < x->rank; i++)
        axes[i] = i;
    axes[x->rank - 1] = x->rank - 2;
    axes[x->rank - 2] = x->rank - 1;
    return tsl_ops_permute(g, x, axes);
}

/* ---- expand ---- */

static void expand_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_ops_sum_to(g, dout[0], n->in[0]->rank, n->in[0]->dim);
}

static const struct tsl_op op_expand = { .name = "expand", .grad = expand_grad };

struct tsl_tensor *tsl_ops_expand(struct tsl_graph *g, struct tsl_tensor *x,
                                  unsigned rank, const int64_t *dim)
{
    if (!x)
        return NULL;
    bool fits = rank >= x->rank && rank <= TSL_RANK_MAX;
    for (unsigned i = 0; fits && i < x->rank; i++)
        fits = x->dim[i] == 1 || x->dim[i] == dim[rank - x->rank + i];
    char text[TSL_TENSOR_TEXT];
    if (!fits)
        return tsl_op_fail(g, "%s cannot be broadcast as asked",
                           tsl_tensor_describe(x, text));
    struct tsl_node *n = tsl_op_record(g, &op_expand, 1, &x, 0);
    struct tsl_tensor *y = tsl_op_view(g, n, x);
    if (!y)
        return NULL;
    y->rank = rank;
    for (unsigned i = 0; i < rank; i++) {
        unsigned from = i - (rank - x->rank);
        bool there = i >= rank - x->rank && x->dim[from] != 1;
        y->dim[i] = dim[i];
        y->stride[i] = there ? x->stride[from] : 0;
    }
    return y;
}

/* ---- slice and pad ---- */

static void slice_grad(struct tsl_graph *g, struct tsl_node *n,
                       struct tsl_tensor *const *dout, const bool *need,
                       struct tsl_tensor **din)
{
    (void)need;
    unsigned axis = (unsigned)n->attr[0].i;
    din[0] = tsl_ops_pad(g, dout[0], axis, n->attr[1].i, n->in[0]->dim[axis]);
}

static const struct tsl_op op_slice = { .name = "slice", .grad = slice_grad };

struct tsl_tensor *tsl_ops_slice(struct tsl_graph *g, struct tsl_tensor *x, unsigned axis,
                                 int64_t from, int64_t count)
{
    if (!x)
        return NULL;
    if (axis >= x->rank || from < 0 || count < 1 || from + count > x->dim[axis]) {
        char text[TSL_TENSOR_TEXT];
        return tsl_op_fail(g, "%s has no %" PRId64 " from %" PRId64 " on along axis %u",
                           tsl_tensor_describe(x, text), count, from, axis);
    }
    struct tsl_node *n = tsl_op_record(g, &op_slice, 1, &x, 0);
    struct tsl_tensor *y = tsl_op_view(g, n, x);
    if (!y)
        return NULL;
    n->attr[0].i = axis;
    n->attr[1].i = from;
    y->dim[axis] = count;
    y->offset += from * x->stride[axis];
    return y;
}

static void pad_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct tsl_tensor part = *n->out[0];
    unsigned axis = (unsigned)n->attr[0].i;
    if (!n->adds)
        memset(tsl_tensor_data(&part), 0,
               tsl_tensor_count(&part) * tsl_num_bytes(part.type));
    part.offset += n->attr[1].i * part.stride[axis];
    part.dim[axis] = n->in[0]->dim[axis];
    copy_into(&part, n->in[0], r);
}

static void pad_grad(struct tsl_graph *g, struct tsl_node *n,
                     struct tsl_tensor *const *dout, const bool *need,
                     struct tsl_tensor **din)
{
    (void)need;
    unsigned axis = (unsigned)n->attr[0].i;
    din[0] = tsl_ops_slice(g, dout[0], axis, n->attr[1].i, n->in[0]->dim[axis]);
}

static const struct tsl_op op_pad = { .name = "pad", .run = pad_run, .grad = pad_grad };

struct tsl_tensor *tsl_ops_pad(struct tsl_graph *g, struct tsl_tensor *x, unsigned axis,
                               int64_t from, int64_t total)
{
    struct tsl_node *n = tsl_op_record(g, &op_pad, 1, &x, 0);
    if (!n)
        return NULL;
    assert(axis < x->rank && from >= 0 && from + x->dim[axis] <= total);
    n->attr[0].i = axis;
    n->attr[1].i = from;
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, x->dim, sizeof dim);
    dim[axis] = total;
    return tsl_op_output(g, n, x->type, x->rank, dim);
}

/* ---- concat ---- */

static void concat_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct tsl_tensor part = *n->out[0];
    unsigned axis = (unsigned)n->attr[0].i;
    for (unsigned i = 0; i < n->nin; i++) {
        part.dim[axis] = n->in[i]->dim[axis];
        copy_into(&part, n->in[i], r);
        part.offset += part.dim[axis] * part.stride[axis];
    }
}

static void concat_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    unsigned axis = (unsigned)n->attr[0].i;
    int64_t at = 0;
    for (unsigned i = 0; i < n->nin; at += n->in[i++]->dim[axis])
        if (need[i])
            din[i] = tsl_ops_slice(g, dout[0], axis, at, n->in[i]->dim[axis]);
}

static const struct tsl_op op_concat = { .name = "concat",
                                         .run = concat_run,
                                         .grad = concat_grad };

struct tsl_tensor *tsl_ops_concat(struct tsl_graph *g, struct tsl_tensor *const *x,
                                  unsigned n, unsigned axis)
{
    assert(n > 0 && n <= 8);
    struct tsl_node *node = tsl_op_record(g, &op_concat, n, x, 0);
    if (!node)
        return NULL;
    int64_t dim[TSL_RANK_MAX];
    memcpy(dim, x[0]->dim, sizeof dim);
    for (unsigned i = 1; i < n; i++) {
        bool fits = x[i]->rank == x[0]->rank && x[i]->type == x[0]->type;
        for (unsigned k = 0; fits && k < x[0]->rank; k++)
            fits = k == axis || x[i]->dim[k] == dim[k];
        char text[TSL_TENSOR_TEXT];
        if (!fits || axis >= x[0]->rank)
            return tsl_op_fail(g, "%s does not fit to the others along axis %u",
                               tsl_tensor_describe(x[i], text), axis);
        dim[axis] += x[i]->dim[axis];
    }
    node->attr[0].i = axis;
    return tsl_op_output(g, node, x[0]->type, x[0]->rank, dim);
}

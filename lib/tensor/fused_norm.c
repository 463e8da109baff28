/* fused_norm.c - layer norm, alone and of a residual sum; RMS norm. */
#include <string.h>

#include "tensor/fused.h"

/* Rows of a part: gradients of weights are summed part by part, then over parts, so that
 * sums have one order for any number of threads. */
enum { NORM_ROWS = 32 };

enum { EPS, DROP, SITE };

/* ---- some rows ---- */

struct norm {
    const struct tsl_kernels *k;
    size_t cols;
    float *y, *mean, *rstd; /* mean NULL: RMS norm */
    const float *x, *w, *b;
    float eps;
    /* forward of a residual sum: sum = x + dropout(h), and the norm is of that */
    const float *h;
    float *sum;
    struct tsl_dropout d;
    /* backward */
    const float *dy, *dsum;
    float *dx, *dh, *dw_parts, *db_parts;
};

static void forward_rows(void *ctx, size_t from, size_t to)
{
    const struct norm *n = ctx;
    size_t cols = n->cols, rows = to - from, at = from * cols;
    if (n->h)
        n->k->residual_norm(n->y + at, n->sum + at, n->mean + from, n->rstd + from,
                            n->x + at, n->h + at, &n->d, at, n->w, n->b, n->eps, rows,
                            cols);
    else if (n->mean)
        n->k->layernorm(n->y + at, n->mean + from, n->rstd + from, n->x + at, n->w, n->b,
                        n->eps, rows, cols);
    else
        n->k->rmsnorm(n->y + at, n->rstd + from, n->x + at, n->w, n->eps, rows, cols);
}

static void backward_rows(void *ctx, size_t from, size_t to)
{
    const struct norm *n = ctx;
    size_t cols = n->cols, rows = to - from, at = from * cols, part = from / NORM_ROWS;
    float *dw = n->dw_parts + part * cols;
    float *db = n->db_parts ? n->db_parts + part * cols : NULL;
    memset(dw, 0, cols * sizeof *dw);
    if (db)
        memset(db, 0, cols * sizeof *db);
    if (n->dsum)
        memcpy(n->dx + at, n->dsum + at, rows * cols * sizeof *n->dx);
    if (!n->mean)
        n->k->rmsnorm_grad(n->dx + at, dw, n->dy + at, n->x + at, n->rstd + from, n->w,
                           n->dsum, rows, cols);
    else if (n->dh)
        n->k->residual_norm_grad(n->dx + at, n->dh + at, dw, db, n->dy + at, n->x + at,
                                 n->mean + from, n->rstd + from, &n->d, at, n->w, n->dsum,
                                 rows, cols);
    else
        n->k->layernorm_grad(n->dx + at, dw, db, n->dy + at, n->x + at, n->mean + from,
                             n->rstd + from, n->w, n->dsum, rows, cols);
}

static size_t nparts(size_t rows)
{
    return (rows + NORM_ROWS - 1) / NORM_ROWS;
}

/* ---- backward ---- */

/* in: dy, dsum or NULL, x (the sum), w, mean or NULL, rstd; out: dx, dw, db or none, dh or
 * none */
enum { B_DY, B_DSUM, B_X, B_W, B_MEAN, B_RSTD, BACK_INPUTS };
enum { HAS_DB = 3, HAS_DH };

static void add_parts(const struct tsl_run *r, float *to, const float *parts, size_t rows,
                      size_t cols)
{
    memset(to, 0, cols * sizeof *to);
    r->kernels->add_rows(to, parts, nparts(rows), cols, cols);
}

static void back_run(const struct tsl_node *n, const struct tsl_run *r)
{
    const struct tsl_tensor *x = n->in[B_X];
    size_t rows = tsl_tensor_rows(x), cols = tsl_tensor_cols(x);
    bool has_db = n->attr[HAS_DB].i, has_dh = n->attr[HAS_DH].i;
    struct norm w = {
        .k = r->kernels,
        .cols = cols,
        .x = tsl_tensor_f32(x),
        .w = tsl_tensor_f32(n->in[B_W]),
        .mean = n->in[B_MEAN] ? tsl_tensor_f32(n->in[B_MEAN]) : NULL,
        .rstd = tsl_tensor_f32(n->in[B_RSTD]),
        .dy = tsl_tensor_f32(n->in[B_DY]),
        .dsum = n->in[B_DSUM] ? tsl_tensor_f32(n->in[B_DSUM]) : NULL,
        .dx = tsl_tensor_f32(n->out[0]),
        .dh = has_dh ? tsl_tensor_f32(n->out[n->nout - 1]) : NULL,
        .dw_parts = r->scratch,
    };
    if (has_db)
        w.db_parts = w.dw_parts + nparts(rows) * cols;
    if (has_dh)
        w.d = tsl_fused_dropout(r->draw, (uint64_t)n->attr[SITE].i, n->attr[DROP].f);
    tsl_op_split(r, rows, NORM_ROWS, backward_rows, &w);
    add_parts(r, tsl_tensor_f32(n->out[1]), w.dw_parts, rows, cols);
    if (has_db)
        add_parts(r, tsl_tensor_f32(n->out[2]), w.db_parts, rows, cols);
}

static size_t back_scratch(const struct tsl_node *n, unsigned nthreads)
{
    (void)nthreads;
    const struct tsl_tensor *x = n->in[B_X];
    return 2 * nparts(tsl_tensor_rows(x)) * tsl_tensor_cols(x) * sizeof(float);
}

static const struct tsl_op op_norm_backward = { .name = "norm backward",
                                                .run = back_run,
                                                .scratch = back_scratch };

/* Records it; out takes dx, dw, db, dh as far as they are there. */
static bool record_back(struct tsl_graph *g, const struct tsl_node *n,
                        struct tsl_tensor *const *in, bool has_db, bool has_dh,
                        struct tsl_tensor **out)
{
    struct tsl_node *back =
        tsl_op_record(g, &op_norm_backward, BACK_INPUTS, in, 1u << B_DSUM | 1u << B_MEAN);
    if (!back)
        return false;
    memcpy(back->attr, n->attr, sizeof back->attr);
    back->attr[HAS_DB].i = has_db;
    back->attr[HAS_DH].i = has_dh;
    *out++ = tsl_op_output_like(g, back, in[B_X]);
    *out++ = tsl_op_output_like(g, back, in[B_W]);
    if (has_db)
        *out++ = tsl_op_output_like(g, back, in[B_W]);
    if (has_dh)
        *out++ = tsl_op_output_like(g, back, in[B_X]);
    return !tsl_op_failed(g);
}

static struct tsl_tensor *flow(struct tsl_graph *g, struct tsl_tensor *d,
                               const struct tsl_tensor *like)
{
    return d ? tsl_ops_contiguous(g, d) : tsl_ops_fill(g, 0, like->rank, like->dim);
}

/* ---- norms of x: in x, w, b or NULL; out y, rstd, mean unless RMS ---- */

enum { X, W, B };

static void norm_run(const struct tsl_node *n, const struct tsl_run *r)
{
    const struct tsl_tensor *x = n->in[X];
    struct norm w = {
        .k = r->kernels,
        .cols = tsl_tensor_cols(x),
        .x = tsl_tensor_f32(x),
        .w = tsl_tensor_f32(n->in[W]),
        .b = n->in[B] ? tsl_tensor_f32(n->in[B]) : NULL,
        .y = tsl_tensor_f32(n->out[0]),
        .rstd = tsl_tensor_f32(n->out[1]),
        .mean = n->nout > 2 ? tsl_tensor_f32(n->out[2]) : NULL,
        .eps = (float)n->attr[EPS].f,
    };
    tsl_op_split(r, tsl_tensor_rows(x), NORM_ROWS, forward_rows, &w);
}

static void norm_grad(struct tsl_graph *g, struct tsl_node *n,
                      struct tsl_tensor *const *dout, const bool *need,
                      struct tsl_tensor **din)
{
    (void)need;
    struct tsl_tensor *in[BACK_INPUTS] = {
        tsl_ops_contiguous(g, dout[0]), NULL,      n->in[X], n->in[W],
        n->nout > 2 ? n->out[2] : NULL, n->out[1],
    };
    record_back(g, n, in, n->in[B], false, din);
}

/* (x - mean) / sqrt(var + eps) * w + b, or without mean and b */
static struct tsl_tensor *norm_of(struct tsl_graph *g, struct tsl_tensor *x,
                                  struct tsl_tensor *w, struct tsl_tensor *b, double eps,
                                  bool centred)
{
    if (!x)
        return NULL;
    unsigned last = 1u << (x->rank - 1);
    if (centred)
        x = tsl_ops_sub(g, x, tsl_ops_mean(g, x, last));
    struct tsl_tensor *v = tsl_ops_mean(g, tsl_ops_mul(g, x, x), last);
    v = tsl_ops_unary(g, TSL_SQRT, tsl_ops_affine(g, v, 1, eps));
    x = tsl_ops_mul(g, tsl_ops_div(g, x, v), w);
    return b ? tsl_ops_add(g, x, b) : x;
}

static void norm_expand(struct tsl_graph *g, const struct tsl_node *n,
                        struct tsl_tensor **out)
{
    out[0] = norm_of(g, n->in[X], n->in[W], n->in[B], n->attr[EPS].f, n->nout > 2);
}

static const struct tsl_op op_norm = {
    .name = "norm", .run = norm_run, .grad = norm_grad, .expand = norm_expand
};

static bool weights_fit(struct tsl_graph *g, const struct tsl_tensor *x,
                        const struct tsl_tensor *w, const struct tsl_tensor *b)
{
    char tx[TSL_TENSOR_TEXT], tw[TSL_TENSOR_TEXT];
    if (x->rank && w->rank == 1 && w->dim[0] == x->dim[x->rank - 1] &&
        (!b || (b->rank == 1 && b->dim[0] == w->dim[0])))
        return true;
    tsl_op_fail(g, "no norm of %s with weights %s", tsl_tensor_describe(x, tx),
                tsl_tensor_describe(w, tw));
    return false;
}

static struct tsl_tensor *norm(struct tsl_graph *g, struct tsl_tensor *x,
                               struct tsl_tensor *w, struct tsl_tensor *b, double eps,
                               bool centred)
{
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, x), w, b };
    struct tsl_node *n = tsl_op_record(g, &op_norm, 3, in, 1u << B);
    if (!n || !weights_fit(g, x, w, b))
        return NULL;
    n->attr[EPS].f = eps;
    struct tsl_tensor *y = tsl_op_output_like(g, n, x);
    tsl_op_output(g, n, TSL_F32, x->rank - 1, x->dim);
    if (centred)
        tsl_op_output(g, n, TSL_F32, x->rank - 1, x->dim);
    return tsl_op_failed(g) ? NULL : y;
}

struct tsl_tensor *tsl_ops_layernorm(struct tsl_graph *g, struct tsl_tensor *x,
                                     struct tsl_tensor *w, struct tsl_tensor *b,
                                     double eps)
{
    return w && b ? norm(g, x, w, b, eps, true) : NULL;
}

struct tsl_tensor *tsl_ops_rmsnorm(struct tsl_graph *g, struct tsl_tensor *x,
                                   struct tsl_tensor *w, double eps)
{
    return norm(g, x, w, NULL, eps, false);
}

/* ---- the norm of x + dropout(h): in x, w, b, h; out y, rstd, mean, sum ---- */

enum { H = 3 };

static void residual_run(const struct tsl_node *n, const struct tsl_run *r)
{
    const struct tsl_tensor *x = n->in[X];
    struct norm w = {
        .k = r->kernels,
        .cols = tsl_tensor_cols(x),
        .x = tsl_tensor_f32(x),
        .h = tsl_tensor_f32(n->in[H]),
        .w = tsl_tensor_f32(n->in[W]),
        .b = n->in[B] ? tsl_tensor_f32(n->in[B]) : NULL,
        .y = tsl_tensor_f32(n->out[0]),
        .rstd = tsl_tensor_f32(n->out[1]),
        .mean = tsl_tensor_f32(n->out[2]),
        .sum = tsl_tensor_f32(n->out[3]),
        .eps = (float)n->attr[EPS].f,
        .d = tsl_fused_dropout(r->draw, (uint64_t)n->attr[SITE].i, n->attr[DROP].f),
    };
    tsl_op_split(r, tsl_tensor_rows(x), NORM_ROWS, forward_rows, &w);
}

static void residual_grad(struct tsl_graph *g, struct tsl_node *n,
                          struct tsl_tensor *const *dout, const bool *need,
                          struct tsl_tensor **din)
{
    (void)need;
    struct tsl_tensor *out[4] = { 0 };
    struct tsl_tensor *in[BACK_INPUTS] = {
        flow(g, dout[0], n->out[0]),
        tsl_ops_contiguous(g, dout[3]),
        n->out[3],
        n->in[W],
        n->out[2],
        n->out[1],
    };
    bool drops = n->attr[DROP].f > 0;
    if (!record_back(g, n, in, true, drops, out))
        return;
    din[X] = out[0];
    din[W] = out[1];
    din[B] = out[2];
    din[H] = drops ? out[3] : out[0];
}

static void residual_expand(struct tsl_graph *g, const struct tsl_node *n,
                            struct tsl_tensor **out)
{
    struct tsl_tensor *h = n->in[H];
    if (n->attr[DROP].f > 0)
        h = tsl_fused_drop(g, h, n->attr[DROP].f, n->attr[SITE].i);
    out[3] = tsl_ops_add(g, n->in[X], h);
    out[0] = norm_of(g, out[3], n->in[W], n->in[B], n->attr[EPS].f, true);
}

static const struct tsl_op op_residual = { .name = "residual norm",
                                           .run = residual_run,
                                           .grad = residual_grad,
                                           .expand = residual_expand };

struct tsl_tensor *tsl_ops_residual_norm(struct tsl_graph *g, struct tsl_tensor *x,
                                         struct tsl_tensor *h, double p,
                                         struct tsl_tensor *w, struct tsl_tensor *b,
                                         double eps, struct tsl_tensor **sum)
{
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, x), w, b,
                                tsl_ops_contiguous(g, h) };
    struct tsl_node *n = tsl_op_record(g, &op_residual, 4, in, 0);
    if (!n || !weights_fit(g, x, w, b))
        return NULL;
    if (!tsl_tensor_same_shape(x, h))
        return tsl_op_fail(g, "a residual of another shape");
    n->attr[EPS].f = eps;
    n->attr[DROP].f = tsl_graph_options(g)->training ? p : 0;
    n->attr[SITE].i = (int64_t)tsl_op_site(g);
    struct tsl_tensor *y = tsl_op_output_like(g, n, x);
    tsl_op_output(g, n, TSL_F32, x->rank - 1, x->dim);
    tsl_op_output(g, n, TSL_F32, x->rank - 1, x->dim);
    struct tsl_tensor *s = tsl_op_output_like(g, n, x);
    if (sum)
        *sum = s;
    return tsl_op_failed(g) ? NULL : y;
}

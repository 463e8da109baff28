#include "tensor/gradcheck.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/ops.h"

static const struct tsl_draw draw = { 1, 1 };

/* f with one number moved by h. */
static double value_at(struct tsl_graph *g, const struct tsl_tensor *y, float *x, float h,
                       struct tsl_pool *pool)
{
    float was = *x;
    *x = was + h;
    tsl_graph_run(g, pool, &draw);
    *x = was;
    return (double)*tsl_tensor_f32(y);
}

static double measure(struct tsl_graph *g, const struct tsl_tensor *y, float *x, double h,
                      struct tsl_pool *pool)
{
    float near = (float)h, far = 2 * near;
    double d1 = value_at(g, y, x, near, pool) - value_at(g, y, x, -near, pool);
    double d2 = value_at(g, y, x, far, pool) - value_at(g, y, x, -far, pool);
    return (8 * d1 - d2) / (12 * (double)near);
}

static void compare(struct tsl_graph *g, const struct tsl_tensor *y,
                    const struct tsl_tensor *x, size_t tensor, const float *grad,
                    struct tsl_pool *pool, struct tsl_gradcheck *c)
{
    size_t count = tsl_tensor_count(x);
    double top = c->floor;
    for (size_t i = 0; i < count; i++)
        top = fmax(top, fabs((double)grad[i]));
    for (size_t i = 0; i < count; i++) {
        double m = measure(g, y, tsl_tensor_f32(x) + i, c->step, pool);
        double off = fabs(m - (double)grad[i]) / top;
        if (off <= c->worst)
            continue; /* a NaN goes on */
        c->worst = off;
        c->derived = (double)grad[i];
        c->measured = m;
        c->tensor = tensor;
        c->number = i;
    }
}

/* Records the gradients; dx[i] NULL: y does not depend on x[i]. */
static int prepare(struct tsl_graph *g, struct tsl_tensor *y, struct tsl_tensor *const *x,
                   size_t n, unsigned nthreads, bool differentiable,
                   struct tsl_tensor **dx, struct tsl_err *err)
{
    int rc = tsl_graph_gradient(g, y, x, n, differentiable, dx, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        dx[i] = tsl_ops_contiguous(g, dx[i]);
        tsl_graph_keep(g, dx[i]);
    }
    tsl_graph_keep(g, y);
    return rc < 0 ? rc : tsl_graph_plan(g, nthreads, err);
}

int tsl_gradcheck_run(struct tsl_graph *g, struct tsl_tensor *y,
                      struct tsl_tensor *const *x, size_t n, struct tsl_pool *pool,
                      struct tsl_gradcheck *c, struct tsl_err *err)
{
    c->worst = c->derived = c->measured = 0;
    size_t numbers = 0;
    for (size_t i = 0; i < n; i++)
        numbers += x[i] ? tsl_tensor_count(x[i]) : 0;
    struct tsl_tensor **dx = tsl_mem_alloc(n + 1, sizeof(*dx), "gradients", err);
    float *grads = tsl_mem_alloc(numbers + 1, sizeof *grads, "gradients", err);
    int rc = dx && grads
                 ? prepare(g, y, x, n, tsl_pool_threads(pool), c->differentiable, dx, err)
                 : TSL_ENOMEM;
    if (rc == 0) {
        tsl_graph_run(g, pool, &draw);
        float *to = grads;
        for (size_t i = 0; i < n; to += tsl_tensor_count(x[i++]))
            if (dx[i])
                memcpy(to, tsl_tensor_f32(dx[i]), tsl_tensor_count(x[i]) * sizeof *to);
        to = grads;
        for (size_t i = 0; i < n; to += tsl_tensor_count(x[i++]))
            compare(g, y, x[i], i, to, pool, c);
    }
    tsl_mem_free(dx);
    tsl_mem_free(grads);
    return rc;
}

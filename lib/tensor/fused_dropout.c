/* fused_dropout.c - dropout whose mask is computed again whenever it is needed. */
#include "base/key.h"
#include "tensor/fused.h"

uint64_t tsl_fused_drop_key(const struct tsl_draw *draw, uint64_t site)
{
    struct tsl_key key = tsl_key_make(draw->seed, "dropout");
    return tsl_key_at128(&key, (struct tsl_u128){ draw->step, site });
}

struct tsl_dropout tsl_fused_dropout(const struct tsl_draw *draw, uint64_t site, double p)
{
    struct tsl_key key = tsl_key_make(draw->seed, "dropout");
    return tsl_dropout_make(p, tsl_key_at128(&key, (struct tsl_u128){ draw->step, site }),
                            site);
}

/* ---- the operation ---- */

enum { DROP, SITE };
enum { DROP_BLOCK = 16 << 10 };

struct drop {
    const struct tsl_kernels *k;
    float *y;
    const float *x;
    struct tsl_dropout d;
};

static void drop_part(void *ctx, size_t from, size_t to)
{
    const struct drop *d = ctx;
    d->k->dropout(d->y + from, d->x + from, to - from, &d->d, from);
}

static void drop_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct drop d = { r->kernels, tsl_tensor_f32(n->out[0]), tsl_tensor_f32(n->in[0]),
                      tsl_fused_dropout(r->draw, (uint64_t)n->attr[SITE].i,
                                        n->attr[DROP].f) };
    tsl_op_split(r, tsl_tensor_count(n->out[0]), DROP_BLOCK, drop_part, &d);
}

static const struct tsl_op op_dropout;

struct tsl_tensor *tsl_fused_drop(struct tsl_graph *g, struct tsl_tensor *x, double p,
                                  int64_t site)
{
    x = tsl_ops_contiguous(g, x);
    struct tsl_node *n = tsl_op_record(g, &op_dropout, 1, &x, 0);
    if (!n)
        return NULL;
    n->attr[DROP].f = p;
    n->attr[SITE].i = site;
    return tsl_op_output_like(g, n, x);
}

/* The same numbers are dropped from what flows back. */
static void drop_grad(struct tsl_graph *g, struct tsl_node *n,
                      struct tsl_tensor *const *dout, const bool *need,
                      struct tsl_tensor **din)
{
    (void)need;
    din[0] = tsl_fused_drop(g, dout[0], n->attr[DROP].f, n->attr[SITE].i);
}

static const struct tsl_op op_dropout = {
    .name = "dropout", .run = drop_run, .grad = drop_grad, .in_place = true
};

struct tsl_tensor *tsl_ops_dropout(struct tsl_graph *g, struct tsl_tensor *x, double p)
{
    if (!tsl_graph_options(g)->training || p == 0)
        return x;
    return tsl_fused_drop(g, x, p, (int64_t)tsl_op_site(g));
}

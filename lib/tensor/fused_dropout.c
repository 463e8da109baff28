/* fused_dropout.c - dropout whose mask is computed again whenever it is needed. */
#include "base/key.h"
#include "tensor/fused.h"

uint64_t tsl_fused_drop_key(const struct tsl_draw *draw, uint64_t site)
{
    struct tsl_key key = tsl_key_make(draw->seed, "dropout");
    return tsl_key_at128(&key, (struct tsl_u128){ draw->step, site });
}

/* A draw of 32 bits for number i. */
static uint32_t draw_of(uint64_t key, uint64_t i)
{
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u ^ key;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(x >> 32 ^ x);
}

void tsl_fused_drop(const struct tsl_run *r, float *y, const float *x, size_t n,
                    uint64_t first, float p, uint64_t key)
{
    (void)r;
    float scale = 1 / (1 - p);
    uint32_t below = (uint32_t)((double)p * 4294967296.0);
    for (size_t i = 0; i < n; i++)
        y[i] = p == 0 ? x[i] : draw_of(key, first + i) < below ? 0 : x[i] * scale;
}

/* ---- the operation ---- */

enum { DROP, SITE };
enum { DROP_BLOCK = 16 << 10 };

struct drop {
    const struct tsl_run *r;
    float *y;
    const float *x;
    float p;
    uint64_t key;
};

static void drop_part(void *ctx, size_t from, size_t to)
{
    const struct drop *d = ctx;
    tsl_fused_drop(d->r, d->y + from, d->x + from, to - from, from, d->p, d->key);
}

static void drop_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct drop d = { r, tsl_tensor_f32(n->out[0]), tsl_tensor_f32(n->in[0]),
                      (float)n->attr[DROP].f,
                      tsl_fused_drop_key(r->draw, (uint64_t)n->attr[SITE].i) };
    tsl_op_split(r, tsl_tensor_count(n->out[0]), DROP_BLOCK, drop_part, &d);
}

static const struct tsl_op op_dropout;

static struct tsl_tensor *drop(struct tsl_graph *g, struct tsl_tensor *x, double p,
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
    din[0] = drop(g, dout[0], n->attr[DROP].f, n->attr[SITE].i);
}

static const struct tsl_op op_dropout = {
    .name = "dropout", .run = drop_run, .grad = drop_grad, .in_place = true
};

struct tsl_tensor *tsl_ops_dropout(struct tsl_graph *g, struct tsl_tensor *x, double p)
{
    if (!tsl_graph_options(g)->training || p == 0)
        return x;
    return drop(g, x, p, (int64_t)tsl_op_site(g));
}

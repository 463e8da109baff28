/* fused_loss.c - cross entropy of logits that are there; fused_vocab.c is the one of a layer. */
#include <string.h>

#include "tensor/fused.h"

double tsl_fused_divisor(const int32_t *labels, size_t n, const struct tsl_tensor *said)
{
    if (said && *tsl_tensor_f32(said) > 0)
        return (double)*tsl_tensor_f32(said);
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += labels[i] >= 0;
    return count ? (double)count : 1;
}

/* ---- of logits: in x, labels, denominator or NULL; out loss ---- */

enum { X, LABELS, SAID };
enum { SMOOTHING };

/* scratch: of each row its loss, and two numbers that its derivative needs */
static void loss_run(const struct tsl_node *n, const struct tsl_run *r)
{
    const struct tsl_tensor *x = n->in[X];
    const int32_t *labels = tsl_tensor_i32(n->in[LABELS]);
    size_t rows = tsl_tensor_rows(x);
    float *loss = r->scratch;
    double sum = 0;
    r->kernels->cross_entropy(loss, loss + rows, tsl_tensor_f32(x), labels,
                              (float)n->attr[SMOOTHING].f, rows, tsl_tensor_cols(x));
    for (size_t i = 0; i < rows; i++)
        sum += (double)loss[i];
    *tsl_tensor_f32(n->out[0]) =
        (float)(sum / tsl_fused_divisor(labels, rows, n->in[SAID]));
}

static size_t loss_scratch(const struct tsl_node *n, unsigned nthreads)
{
    (void)nthreads;
    return 3 * tsl_tensor_rows(n->in[X]) * sizeof(float);
}

/* in x, labels, denominator or NULL, dloss; out dx */
static void loss_back_run(const struct tsl_node *n, const struct tsl_run *r)
{
    const struct tsl_tensor *x = n->in[X];
    const int32_t *labels = tsl_tensor_i32(n->in[LABELS]);
    size_t rows = tsl_tensor_rows(x), cols = tsl_tensor_cols(x);
    double scale = (double)*tsl_tensor_f32(n->in[SAID + 1]) /
                   tsl_fused_divisor(labels, rows, n->in[SAID]);
    float *loss = r->scratch, smoothing = (float)n->attr[SMOOTHING].f;
    r->kernels->cross_entropy(loss, loss + rows, tsl_tensor_f32(x), labels, smoothing,
                              rows, cols);
    r->kernels->cross_entropy_grad(tsl_tensor_f32(n->out[0]), tsl_tensor_f32(x),
                                   loss + rows, labels, smoothing, (float)scale, rows,
                                   cols);
}

static const struct tsl_op op_loss_backward = { .name = "cross entropy backward",
                                                .run = loss_back_run,
                                                .scratch = loss_scratch };

static void loss_grad(struct tsl_graph *g, struct tsl_node *n,
                      struct tsl_tensor *const *dout, const bool *need,
                      struct tsl_tensor **din)
{
    (void)need;
    struct tsl_tensor *in[] = { n->in[X], n->in[LABELS], n->in[SAID], dout[0] };
    struct tsl_node *back = tsl_op_record(g, &op_loss_backward, 4, in, 1u << SAID);
    if (!back)
        return;
    back->attr[SMOOTHING] = n->attr[SMOOTHING];
    din[X] = tsl_op_output_like(g, back, n->in[X]);
}

/* x > 0 ? x : y, of numbers that nothing is derived by */
static struct tsl_tensor *positive_or(struct tsl_graph *g, struct tsl_tensor *x,
                                      struct tsl_tensor *y)
{
    struct tsl_tensor *is = tsl_ops_unary(g, TSL_STEP, x);
    struct tsl_tensor *other = tsl_ops_mul(g, tsl_ops_affine(g, is, -1, 1), y);
    return tsl_ops_detach(g, tsl_ops_add(g, tsl_ops_mul(g, is, x), other));
}

/* What pick gives for a label below 0 is 0: so rows without one do not count. */
static void loss_expand(struct tsl_graph *g, const struct tsl_node *n,
                        struct tsl_tensor **out)
{
    struct tsl_tensor *x = n->in[X], *said = n->in[SAID];
    int64_t dim[] = { (int64_t)tsl_tensor_rows(x), (int64_t)tsl_tensor_cols(x) };
    double smoothing = n->attr[SMOOTHING].f;
    struct tsl_tensor *labels = tsl_ops_reshape(g, n->in[LABELS], 1, dim);
    struct tsl_tensor *p = tsl_ops_log_softmax(g, tsl_ops_reshape(g, x, 2, dim));
    struct tsl_tensor *has = tsl_ops_pick(g, tsl_ops_fill(g, 1, 2, dim), labels);
    struct tsl_tensor *y =
        tsl_ops_affine(g, tsl_ops_pick(g, p, labels), 1 - smoothing, 0);
    if (smoothing > 0) {
        struct tsl_tensor *mean = tsl_ops_reshape(g, tsl_ops_mean(g, p, 2), 1, dim);
        mean = tsl_ops_affine(g, tsl_ops_mul(g, mean, has), smoothing, 0);
        y = tsl_ops_add(g, y, mean);
    }
    struct tsl_tensor *one = tsl_graph_constant(g, 1);
    struct tsl_tensor *count = positive_or(g, tsl_ops_sum_all(g, has), one);
    if (said)
        count = positive_or(g, tsl_ops_reshape(g, said, 0, NULL), count);
    out[0] = tsl_ops_affine(g, tsl_ops_div(g, tsl_ops_sum_all(g, y), count), -1, 0);
}

static const struct tsl_op op_loss = { .name = "cross entropy",
                                       .run = loss_run,
                                       .grad = loss_grad,
                                       .expand = loss_expand,
                                       .scratch = loss_scratch };

bool tsl_fused_labels_fit(struct tsl_graph *g, const struct tsl_tensor *x,
                          const struct tsl_tensor *labels, const struct tsl_tensor *said)
{
    if (x->rank && labels->type == TSL_I32 && tsl_tensor_contiguous(labels) &&
        tsl_tensor_count(labels) == tsl_tensor_rows(x) &&
        (!said || tsl_tensor_count(said) == 1))
        return true;
    char text[TSL_TENSOR_TEXT];
    tsl_op_fail(g, "each row of %s needs one label", tsl_tensor_describe(x, text));
    return false;
}

struct tsl_tensor *tsl_ops_cross_entropy(struct tsl_graph *g, struct tsl_tensor *x,
                                         struct tsl_tensor *labels, double smoothing,
                                         struct tsl_tensor *denominator)
{
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, x), labels, denominator };
    struct tsl_node *n = tsl_op_record(g, &op_loss, 3, in, 1u << SAID);
    if (!n || !tsl_fused_labels_fit(g, x, labels, denominator))
        return NULL;
    n->attr[SMOOTHING].f = smoothing;
    return tsl_op_output(g, n, TSL_F32, 0, NULL);
}

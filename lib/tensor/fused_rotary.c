/* fused_rotary.c - where a token stands: rotary positions, and T5's bias by distance. */
#include <inttypes.h>
#include <string.h>

#include "base/fixmath.h"
#include "tensor/fused.h"
#include "tensor/strided.h"

/* ---- rotary positions ---- */

enum { HEADS, HALF, BACK, TABLE };
enum { ROTARY_ROWS = 32 };

/* cos and sin of position * 10000^(-2i/width), i < width / 2, as pairs: computed in double, so
 * that they are the numbers that others keep as tables. */
static void angles(float *to, int64_t position, int64_t width)
{
    const double pi = 3.14159265358979323846;
    double log_base = tsl_fixmath_log(10000);
    for (int64_t i = 0; i < width / 2; i++) {
        double rate = tsl_fixmath_exp(-2 * (double)i / (double)width * log_base);
        double turns = (double)position * rate / pi;
        to[2 * i] = (float)tsl_fixmath_cospi(turns);
        to[2 * i + 1] = (float)tsl_fixmath_cospi(turns - 0.5);
    }
}

/* One head: y = x, its pairs turned.  back: the other way. */
static void turn(float *y, const float *x, const float *angle, int64_t width, bool half,
                 bool back)
{
    int64_t step = half ? 1 : 2, other = half ? width / 2 : 1;
    for (int64_t i = 0; i < width / 2; i++) {
        float c = angle[2 * i], s = back ? -angle[2 * i + 1] : angle[2 * i + 1];
        float a = x[i * step], b = x[i * step + other];
        y[i * step] = a * c - b * s;
        y[i * step + other] = b * c + a * s;
    }
}

struct rotary {
    const struct tsl_node *n;
    float *row_angles; /* [parts, width] of the scratch */
};

static int64_t width_of(const struct tsl_node *n)
{
    return n->in[0]->dim[2] / n->attr[HEADS].i;
}

static void rotary_rows(void *ctx, size_t from, size_t to)
{
    const struct rotary *w = ctx;
    const struct tsl_node *n = w->n;
    const struct tsl_tensor *x = n->in[0], *positions = n->in[1];
    int64_t cols = x->dim[2], width = width_of(n), t = x->dim[1];
    float *own = w->row_angles + from / ROTARY_ROWS * (size_t)width;
    for (size_t r = from; r < to; r++) {
        int64_t at = positions ? tsl_tensor_i32(positions)[r] : (int64_t)(r % (size_t)t);
        const float *row = tsl_tensor_f32(x) + tsl_strided_row(x, r), *angle = own;
        float *y = tsl_tensor_f32(n->out[0]) + r * (size_t)cols;
        if (at >= 0 && at < t)
            angle = (const float *)n->attr[TABLE].p + at * width;
        else /* a sample that goes on from another one */
            angles(own, at, width);
        for (int64_t h = 0; h < cols; h += width)
            turn(y + h, row + h, angle, width, n->attr[HALF].i, n->attr[BACK].i);
    }
}

static void rotary_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct rotary w = { n, r->scratch };
    tsl_op_split(r, tsl_tensor_rows(n->in[0]), ROTARY_ROWS, rotary_rows, &w);
}

static size_t rotary_scratch(const struct tsl_node *n, unsigned nthreads)
{
    (void)nthreads;
    size_t parts = (tsl_tensor_rows(n->in[0]) + ROTARY_ROWS - 1) / ROTARY_ROWS;
    return parts * (size_t)width_of(n) * sizeof(float);
}

static struct tsl_tensor *rotary(struct tsl_graph *g, struct tsl_tensor *x,
                                 struct tsl_tensor *positions,
                                 const union tsl_attr *attr);

/* What flows back is turned back: a rotation's transpose is its inverse. */
static void rotary_grad(struct tsl_graph *g, struct tsl_node *n,
                        struct tsl_tensor *const *dout, const bool *need,
                        struct tsl_tensor **din)
{
    (void)need;
    union tsl_attr attr[8];
    memcpy(attr, n->attr, sizeof attr);
    attr[BACK].i = !attr[BACK].i;
    din[0] = rotary(g, dout[0], n->in[1], attr);
}

static const struct tsl_op op_rotary = {
    .name = "rotary", .run = rotary_run, .grad = rotary_grad, .scratch = rotary_scratch
};

static struct tsl_tensor *rotary(struct tsl_graph *g, struct tsl_tensor *x,
                                 struct tsl_tensor *positions, const union tsl_attr *attr)
{
    if (x && x->stride[2] != 1)
        x = tsl_ops_contiguous(g, x);
    struct tsl_tensor *in[] = { x, positions };
    struct tsl_node *n = tsl_op_record(g, &op_rotary, 2, in, 2);
    if (!n)
        return NULL;
    memcpy(n->attr, attr, sizeof n->attr);
    return tsl_op_output_like(g, n, x);
}

/* The angles of positions 0 .. t - 1; NULL on failure. */
static float *angle_table(struct tsl_graph *g, int64_t t, int64_t width)
{
    float *table = tsl_op_memory(g, (size_t)t * (size_t)width * sizeof *table);
    for (int64_t i = 0; table && i < t; i++)
        angles(table + i * width, i, width);
    return table;
}

struct tsl_tensor *tsl_ops_rotary(struct tsl_graph *g, struct tsl_tensor *x,
                                  unsigned heads, bool half, struct tsl_tensor *positions)
{
    if (!x)
        return NULL;
    char text[TSL_TENSOR_TEXT];
    if (x->rank != 3 || !heads || x->dim[2] % (2 * (int64_t)heads) != 0)
        return tsl_op_fail(g, "%s cannot be turned as pairs of %u heads",
                           tsl_tensor_describe(x, text), heads);
    if (positions && (positions->type != TSL_I32 || !tsl_tensor_contiguous(positions) ||
                      tsl_tensor_count(positions) != tsl_tensor_rows(x)))
        return tsl_op_fail(g, "positions %s: each row needs one, an i32 without gaps",
                           tsl_tensor_describe(positions, text));
    union tsl_attr attr[8] = { [HEADS].i = heads, [HALF].i = half };
    attr[TABLE].p = angle_table(g, x->dim[1], x->dim[2] / heads);
    return attr[TABLE].p ? rotary(g, x, positions, attr) : NULL;
}

/* ---- T5's bias ---- */

/* The bucket of a distance, as in T5's code, whose roundings to float decide where a bucket
 * begins: half of the buckets are a distance each, the others grow up to max. */
static int32_t bucket_of(int64_t distance, int64_t n, int64_t max)
{
    int64_t exact = n / 2;
    if (distance < exact)
        return (int32_t)distance;
    float log_of = (float)tsl_fixmath_log((double)((float)distance / (float)exact));
    float log_max = (float)tsl_fixmath_log((double)max / (double)exact);
    int64_t bucket = exact + (int64_t)(log_of / log_max * (float)(n - exact));
    return (int32_t)(bucket < n ? bucket : n - 1);
}

int32_t tsl_ops_relative_bucket(int64_t distance, int64_t buckets, bool bidirectional,
                                int64_t max_distance)
{
    if (!bidirectional)
        return bucket_of(distance < 0 ? -distance : 0, buckets, max_distance);
    int32_t half = (int32_t)(buckets / 2);
    return (distance > 0 ? half : 0) +
           bucket_of(distance < 0 ? -distance : distance, half, max_distance);
}

struct tsl_tensor *tsl_ops_relative_bias(struct tsl_graph *g, struct tsl_tensor *w,
                                         int64_t tq, int64_t tk, bool bidirectional,
                                         int64_t max_distance)
{
    if (!w)
        return NULL;
    int64_t buckets = w->dim[0], exact = buckets / (bidirectional ? 4 : 2);
    char text[TSL_TENSOR_TEXT];
    if (w->rank != 2 || exact < 1 || max_distance <= exact)
        return tsl_op_fail(g, "%s is no bias by distances up to %" PRId64,
                           tsl_tensor_describe(w, text), max_distance);
    struct tsl_tensor *ids =
        tsl_graph_input(g, "distances", TSL_I32, 2, (int64_t[]){ tq, tk });
    for (int64_t i = 0; ids && i < tq; i++)
        for (int64_t k = 0; k < tk; k++)
            tsl_tensor_i32(ids)[i * tk + k] =
                tsl_ops_relative_bucket(k - i, buckets, bidirectional, max_distance);
    struct tsl_tensor *y = tsl_ops_gather(g, w, ids);
    y = y ? tsl_ops_permute(g, y, (unsigned[]){ 2, 0, 1 }) : NULL;
    return tsl_ops_contiguous(g, y);
}

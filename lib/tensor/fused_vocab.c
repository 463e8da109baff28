/* fused_vocab.c - cross entropy of a layer whose logits never are whole in memory.
 *
 * Logits are made, and used up by the three products of the backward, in blocks of columns that
 * stay in the second level of caches: of BERT-mini's 31,000 columns they are as large as all
 * else that a step moves.  First each block is multiplied and becomes e^(x - its rows'
 * largest); once all blocks' sums are there, each block becomes its gradient and is multiplied
 * with w and x.  A block is one thread's work from begin to end.  A few that follow each other
 * have a part of dx together, until all parts are added in their order. */
#include <stdatomic.h>
#include <string.h>

#include "par/pool.h"
#include "tensor/fused.h"

/* in x, labels, denominator or NULL, w, b or NULL; out loss, right, and once gradients are
 * asked for dx, dw, db as far as there is b */
enum { X, LABELS, SAID, W, BIAS };
enum { O_LOSS, O_RIGHT, O_DX, O_DW, O_DB };
enum { MODE_BF16 = 1 };

/* Logits in memory at a time: large enough that the products run at full speed and dw is
 * passed over seldom, small beside a model's activations. */
enum { LOGITS_BYTES = 40 << 20, LOGITS_ROWS_MIN = 64 };
/* A block: what the second level of caches holds with some room, and work for many threads. */
enum {
    BLOCK_FLOATS = 224 << 10,
    BLOCK_COLS_MIN = 64,
    BLOCK_COLS_MAX = 1024,
    BLOCKS = 32
};
/* Parts of dx: work for as many threads, and memory for each. */
enum { GROUPS = 32, SUM_FLOATS = 16 << 10 };

static size_t rows_at_a_time(const struct tsl_node *n)
{
    size_t fit = LOGITS_BYTES / sizeof(float) / (size_t)n->in[W]->dim[0] / 16 * 16;
    size_t rows = tsl_tensor_rows(n->in[X]);
    fit = fit < LOGITS_ROWS_MIN ? LOGITS_ROWS_MIN : fit;
    size_t parts = (rows + fit - 1) / fit; /* of the same size */
    size_t even = parts ? ((rows + parts - 1) / parts + 15) / 16 * 16 : 0;
    return rows < even ? rows : even;
}

static size_t block_cols(size_t rows, size_t v)
{
    size_t cols = (v / BLOCKS + BLOCK_COLS_MIN - 1) / BLOCK_COLS_MIN * BLOCK_COLS_MIN;
    size_t fit = BLOCK_FLOATS / (rows ? rows : 1) / BLOCK_COLS_MIN * BLOCK_COLS_MIN;
    cols = cols < fit ? cols : fit;
    cols = cols < BLOCK_COLS_MAX ? cols : BLOCK_COLS_MAX;
    return cols < BLOCK_COLS_MIN ? BLOCK_COLS_MIN : cols;
}

struct layer {
    const struct tsl_run *r;
    const struct tsl_node *n;
    size_t v, k;
    size_t rows;           /* of this part */
    size_t cols, nblocks;  /* of a block, the last may be narrower */
    size_t group, ngroups; /* blocks of a group */
    size_t *row;           /* of all rows that have labels: which they are */
    const float *x;
    float *picked; /* [rows, k] */
    float *logits; /* [nblocks, rows, cols] */
    float *dpart,
        *dpicked;       /* [ngroups, rows, k] and their sum, if gradients are asked for */
    float *top, *sum;   /* [nblocks, rows] as entropy_part and entropy_join have them */
    float *logit;       /* [rows] of the labels */
    float *loss, *most; /* [rows] */
    int32_t *label;     /* [rows] */
    char *gemm;         /* gemm_bytes a thread */
    size_t gemm_bytes;
    bool first; /* nothing has been added to dw */
    float scale;
    void (*pass)(const struct layer *l, size_t block, void *scratch);
    atomic_size_t next;
};

static size_t size_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- the three products of a block, which begins at column `first` ---- */

static enum tsl_gemm_multiply multiply_of(const struct layer *l)
{
    return l->n->attr[MODE_BF16].i ? TSL_GEMM_BF16 : TSL_GEMM_F32;
}

static struct tsl_gemm logits_of(const struct layer *l, size_t first)
{
    const struct tsl_tensor *b = l->n->in[BIAS];
    return (struct tsl_gemm){ .m = l->rows,
                              .n = size_min(l->cols, l->v - first),
                              .k = l->k,
                              .a = l->picked,
                              .a_row = (ptrdiff_t)l->k,
                              .a_col = 1,
                              .b = tsl_tensor_f32(l->n->in[W]) + first * l->k,
                              .b_row = 1,
                              .b_col = (ptrdiff_t)l->k,
                              .c = l->logits + first * l->rows,
                              .c_row = (ptrdiff_t)l->cols,
                              .bias = b ? tsl_tensor_f32(b) + first : NULL,
                              .multiply = multiply_of(l) };
}

static struct tsl_gemm dx_of(const struct layer *l, size_t first)
{
    return (struct tsl_gemm){ .m = l->rows,
                              .n = l->k,
                              .k = size_min(l->cols, l->v - first),
                              .a = l->logits + first * l->rows,
                              .a_row = (ptrdiff_t)l->cols,
                              .a_col = 1,
                              .b = tsl_tensor_f32(l->n->in[W]) + first * l->k,
                              .b_row = (ptrdiff_t)l->k,
                              .b_col = 1,
                              .c = l->dpart + first / l->cols / l->group * l->rows * l->k,
                              .c_row = (ptrdiff_t)l->k,
                              .add = first / l->cols % l->group != 0,
                              .multiply = multiply_of(l) };
}

static struct tsl_gemm dw_of(const struct layer *l, size_t first)
{
    return (struct tsl_gemm){ .m = size_min(l->cols, l->v - first),
                              .n = l->k,
                              .k = l->rows,
                              .a = l->logits + first * l->rows,
                              .a_row = 1,
                              .a_col = (ptrdiff_t)l->cols,
                              .b = l->picked,
                              .b_row = (ptrdiff_t)l->k,
                              .b_col = 1,
                              .c = tsl_tensor_f32(l->n->out[O_DW]) + first * l->k,
                              .c_row = (ptrdiff_t)l->k,
                              .add = !l->first,
                              .multiply = multiply_of(l) };
}

/* ---- both passes over the blocks ---- */

static void forward(const struct layer *l, size_t block, void *scratch)
{
    size_t first = block * l->cols;
    struct tsl_gemm logits = logits_of(l, first);
    tsl_gemm_run(&logits, NULL, scratch);
    for (size_t i = 0; i < l->rows; i++) {
        size_t label = (size_t)l->label[i];
        if (label >= first && label - first < logits.n)
            l->logit[i] = logits.c[i * l->cols + (label - first)];
    }
    l->r->kernels->entropy_part(l->top + block * l->rows, l->sum + block * l->rows,
                                logits.c, l->cols, l->rows, logits.n);
}

static void backward(const struct layer *l, size_t block, void *scratch)
{
    size_t first = block * l->cols;
    struct tsl_gemm dx = dx_of(l, first), dw = dw_of(l, first);
    float *db = l->n->nout > O_DB ? tsl_tensor_f32(l->n->out[O_DB]) + first : NULL;
    l->r->kernels->entropy_part_grad(l->logits + first * l->rows, db,
                                     l->sum + block * l->rows, l->label, (int32_t)first,
                                     l->scale, l->cols, l->rows, dx.k);
    tsl_gemm_run(&dx, NULL, scratch);
    tsl_gemm_run(&dw, NULL, scratch);
}

static void work(void *ctx, unsigned worker)
{
    struct layer *l = ctx;
    size_t i;
    while ((i = atomic_fetch_add_explicit(&l->next, 1, memory_order_relaxed)) <
           l->ngroups)
        for (size_t k = i * l->group; k < size_min((i + 1) * l->group, l->nblocks); k++)
            l->pass(l, k, l->gemm + worker * l->gemm_bytes);
}

static void each_block(struct layer *l,
                       void (*pass)(const struct layer *, size_t, void *))
{
    size_t n = tsl_pool_threads(l->r->pool);
    l->pass = pass;
    atomic_store(&l->next, 0);
    tsl_pool_run(l->r->pool, (unsigned)size_min(n, l->ngroups), work, l);
}

static void sum_parts(void *ctx, size_t from, size_t to)
{
    const struct layer *l = ctx;
    memset(l->dpicked + from, 0, (to - from) * sizeof *l->dpicked);
    l->r->kernels->add_rows(l->dpicked + from, l->dpart + from, l->ngroups, to - from,
                            l->rows * l->k);
}

/* ---- the whole ---- */

/* scratch, in this order; what gemm needs comes last. */
static size_t carve(struct layer *l, size_t all, size_t most, char *scratch)
{
    size_t at = 0;
#define CARVE(p, count)                                                                  \
    do {                                                                                 \
        (p) = scratch ? (void *)(scratch + at) : NULL;                                   \
        at += ((count) * sizeof *(p) + 63) / 64 * 64;                                    \
    } while (0)
    CARVE(l->row, all);
    CARVE(l->label, most);
    CARVE(l->logit, most);
    CARVE(l->loss, most);
    CARVE(l->most, most);
    CARVE(l->top, most * l->nblocks);
    CARVE(l->sum, most * l->nblocks);
    CARVE(l->picked, most * l->k);
    CARVE(l->logits, most * l->nblocks * l->cols);
    CARVE(l->dpicked, l->n->nout > O_DX ? most * l->k : 0);
    CARVE(l->dpart, l->n->nout > O_DX ? most * l->k * l->ngroups : 0);
#undef CARVE
    l->gemm = scratch ? scratch + at : NULL;
    return at;
}

static void gemm_needs(struct layer *l, struct tsl_gemm g)
{
    size_t bytes = (tsl_gemm_scratch_bytes(&g, 1) + 63) / 64 * 64;
    l->gemm_bytes = bytes > l->gemm_bytes ? bytes : l->gemm_bytes;
}

/* What is so for all parts, and how many bytes of scratch it takes but for gemm's. */
static size_t layer_of(struct layer *l, const struct tsl_node *n, char *scratch)
{
    size_t most = rows_at_a_time(n);
    memset(l, 0, sizeof *l);
    l->n = n;
    l->v = (size_t)n->in[W]->dim[0];
    l->k = (size_t)n->in[W]->dim[1];
    l->x = tsl_tensor_f32(n->in[X]);
    l->cols = block_cols(most, l->v);
    l->nblocks = (l->v + l->cols - 1) / l->cols;
    l->group = (l->nblocks + GROUPS - 1) / GROUPS;
    l->ngroups = (l->nblocks + l->group - 1) / l->group;
    size_t bytes = carve(l, tsl_tensor_rows(n->in[X]), most, scratch);
    l->rows = most;
    gemm_needs(l, logits_of(l, 0));
    if (n->nout <= O_DX)
        return bytes;
    gemm_needs(l, dx_of(l, 0));
    struct tsl_gemm dw = dw_of(l, 0);
    gemm_needs(l, dw);
    /* The last part's fewer rows may be multiplied by longer chains, of 256 at most. */
    for (dw.k = 16; dw.k <= 256; dw.k += 16)
        gemm_needs(l, dw);
    return bytes;
}

static size_t layer_scratch(const struct tsl_node *n, unsigned nthreads)
{
    struct layer l;
    size_t bytes = layer_of(&l, n, NULL);
    return bytes + nthreads * l.gemm_bytes;
}

static void run_part(struct layer *l, const size_t *row, const int32_t *labels)
{
    for (size_t i = 0; i < l->rows; i++) {
        memcpy(l->picked + i * l->k, l->x + row[i] * l->k, l->k * sizeof *l->picked);
        l->label[i] = labels[row[i]];
    }
    each_block(l, forward);
    l->r->kernels->entropy_join(l->loss, l->most, l->logit, l->top, l->sum, l->scale,
                                l->rows, l->nblocks);
    if (l->n->nout <= O_DX)
        return;
    each_block(l, backward);
    tsl_op_split(l->r, l->rows * l->k, SUM_FLOATS, sum_parts, l);
    float *to = tsl_tensor_f32(l->n->out[O_DX]);
    for (size_t i = 0; i < l->rows; i++)
        memcpy(to + row[i] * l->k, l->dpicked + i * l->k, l->k * sizeof *to);
}

static void clear(const struct tsl_node *n, unsigned output)
{
    if (n->nout > output)
        memset(tsl_tensor_f32(n->out[output]), 0,
               tsl_tensor_count(n->out[output]) * sizeof(float));
}

static void layer_run(const struct tsl_node *n, const struct tsl_run *r)
{
    struct layer l;
    const int32_t *labels = tsl_tensor_i32(n->in[LABELS]);
    size_t all = tsl_tensor_rows(n->in[X]), most = rows_at_a_time(n), count = 0;
    layer_of(&l, n, r->scratch);
    l.r = r;
    for (size_t i = 0; i < all; i++)
        if (labels[i] >= 0)
            l.row[count++] = i;
    double by = tsl_fused_divisor(labels, all, n->in[SAID]), sum = 0;
    size_t right = 0;
    l.scale = (float)(1 / by);
    clear(n, O_DX);
    clear(n, O_DB);
    if (!count)
        clear(n, O_DW);
    for (size_t at = 0; at < count; at += l.rows) {
        l.rows = size_min(count - at, most);
        l.first = at == 0;
        run_part(&l, l.row + at, labels);
        for (size_t i = 0; i < l.rows; i++) {
            sum += (double)l.loss[i];
            right += l.logit[i] == l.most[i]; /* was the label's logit the largest? */
        }
    }
    *tsl_tensor_f32(n->out[O_LOSS]) = (float)(sum / by);
    *tsl_tensor_f32(n->out[O_RIGHT]) = (float)right;
}

static double layer_flops(const struct tsl_node *n)
{
    double one = 2.0 * (double)tsl_tensor_rows(n->in[X]) * (double)n->in[W]->dim[0] *
                 (double)n->in[W]->dim[1];
    return n->nout > O_DX ? 3 * one : one;
}

/* The gradients are further results of the same node, for a loss that counts once; times
 * what flows back where it does not. */
static void layer_grad(struct tsl_graph *g, struct tsl_node *n,
                       struct tsl_tensor *const *dout, const bool *need,
                       struct tsl_tensor **din)
{
    (void)need;
    if (!dout[O_LOSS])
        return;
    static const unsigned of[] = { X, W, BIAS };
    for (unsigned i = 0; i < 3; i++) {
        struct tsl_tensor *in = n->in[of[i]];
        struct tsl_tensor *d = in ? tsl_op_output_like(g, n, in) : NULL;
        if (d && !tsl_op_is_one(g, dout[O_LOSS]))
            d = tsl_ops_mul(g, d, dout[O_LOSS]);
        din[of[i]] = d;
    }
}

static void layer_expand(struct tsl_graph *g, const struct tsl_node *n,
                         struct tsl_tensor **out)
{
    struct tsl_tensor *y =
        tsl_ops_linear(g, n->in[X], n->in[W], n->in[BIAS], TSL_IDENTITY, false);
    out[0] = tsl_ops_cross_entropy(g, y, n->in[LABELS], 0, n->in[SAID]);
}

static const struct tsl_op op_layer = {
    .name = "linear cross entropy",
    .run = layer_run,
    .grad = layer_grad,
    .expand = layer_expand,
    .scratch = layer_scratch,
    .flops = layer_flops,
};

struct tsl_tensor *tsl_ops_linear_cross_entropy(
    struct tsl_graph *g, struct tsl_tensor *x, struct tsl_tensor *w, struct tsl_tensor *b,
    struct tsl_tensor *labels, struct tsl_tensor *denominator, struct tsl_tensor **right)
{
    struct tsl_tensor *in[] = { tsl_ops_contiguous(g, x), labels, denominator, w, b };
    struct tsl_node *n = tsl_op_record(g, &op_layer, 5, in, 1u << SAID | 1u << BIAS);
    if (!n || !tsl_fused_labels_fit(g, x, labels, denominator))
        return NULL;
    if (w->rank != 2 || x->dim[x->rank - 1] != w->dim[1] || !tsl_tensor_contiguous(w) ||
        (b && (b->rank != 1 || b->dim[0] != w->dim[0])))
        return tsl_op_fail(g, "the output layer does not fit to what it is given");
    n->attr[MODE_BF16].i = tsl_graph_options(g)->bf16;
    struct tsl_tensor *loss = tsl_op_output(g, n, TSL_F32, 0, NULL);
    struct tsl_tensor *found = tsl_op_output(g, n, TSL_F32, 0, NULL);
    if (right)
        *right = found;
    return found ? loss : NULL;
}

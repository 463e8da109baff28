/* adafactor.c - AdaFactor: the squares of a matrix kept as the means of its rows and columns.
 *   b = 1 - t^-0.8;  r = b r + (1 - b) rowmean(g^2 + eps1), c alike;  v = r c / mean(r)
 *   (what is no matrix: v = b v + (1 - b) (g^2 + eps1))
 *   u = g / sqrt(v + eps1);  u /= max(1, rms(u) / d);  perhaps m = b1 m + (1 - b1) u, u = m
 *   x -= lr max(eps2, rms(x)) u
 * The paper sums where we take means: r c / mean(r) is the same.  It has no eps1 beside v; in
 * floats r c may be 0, and g / sqrt(eps1) is then 0 as it should be. */
#include <math.h>

#include "base/fixmath.h"
#include "base/mem.h"
#include "optim/grads.h"
#include "optim/optimcore.h"

/* Sums over rows and columns are taken tile by tile, so that neither a long nor a wide matrix
 * is one thread's; a tile has at most TSL_GRADS_BLOCK numbers. */
enum { TILE_COLS = 1024, PIECE = 1024 };

struct shape {
    size_t mats, rows, cols; /* mats 0: not factored */
    size_t tile_rows, row_tiles, col_tiles;
    double *row_sums; /* [mats][col_tiles][rows] */
    double *col_sums; /* [mats][row_tiles][cols] */
    float *share;     /* [mats][rows]: r / mean(r) */
    float rate, clip; /* u *= clip; x -= rate u */
    float decay;
};

struct tile {
    struct tsl_optim_slot *slot;
    struct shape *shape;
    size_t mat, row_tile, col_tile;
};

struct adafactor {
    struct tsl_optim *o;
    const struct tsl_optim_turn *turn;
    struct shape *shape; /* [nslots] */
    struct tile *tile;
    size_t ntiles;
    struct {
        double x, u;
    } * squares; /* [nblocks] */
    double *sums;
    float *shares;
    double keep; /* b */
};

/* Rows and columns are the last two axes where those are the longest, else there are none. */
static struct shape shape_of(const struct tsl_optim *o, const struct tsl_param *p)
{
    struct shape s = { 0 };
    if (p->rank < 2)
        return s;
    int64_t rows = p->dim[p->rank - 2], cols = p->dim[p->rank - 1];
    int64_t least = rows < cols ? rows : cols;
    if (least < o->opts.factor_min)
        return s;
    for (unsigned i = 0; i + 2 < p->rank; i++)
        if (p->dim[i] > least)
            return s;
    s.rows = (size_t)rows;
    s.cols = (size_t)cols;
    s.mats = p->n / s.rows / s.cols;
    size_t width = s.cols < TILE_COLS ? s.cols : TILE_COLS;
    s.tile_rows = TSL_GRADS_BLOCK / width;
    s.row_tiles = (s.rows + s.tile_rows - 1) / s.tile_rows;
    s.col_tiles = (s.cols + width - 1) / width;
    return s;
}

static int keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err)
{
    const struct tsl_param *p = slot->param;
    int rc = 0;
    if (shape_of(o, p).mats) {
        int64_t dim[TSL_RANK_MAX];
        for (unsigned i = 0; i < p->rank; i++)
            dim[i] = p->dim[i];
        rc = tsl_optim_keep(o, slot, &slot->r, "r", p->rank - 1, dim, err);
        dim[p->rank - 2] = p->dim[p->rank - 1];
        if (rc == 0)
            rc = tsl_optim_keep(o, slot, &slot->c, "c", p->rank - 1, dim, err);
    } else {
        rc = tsl_optim_keep_all(o, slot, &slot->v, "v", err);
    }
    if (rc == 0 && o->opts.beta1 > 0)
        rc = tsl_optim_keep_all(o, slot, &slot->m, "m", err);
    return rc;
}

static void list_tiles(struct adafactor *a)
{
    double *sums = a->sums;
    float *shares = a->shares;
    struct tile *t = a->tile;
    for (size_t i = 0; i < a->o->nslots; i++) {
        struct shape *s = &a->shape[i];
        s->row_sums = sums;
        s->col_sums = sums + s->mats * s->col_tiles * s->rows;
        sums = s->col_sums + s->mats * s->row_tiles * s->cols;
        s->share = shares;
        shares += s->mats * s->rows;
        for (size_t mat = 0; mat < s->mats; mat++)
            for (size_t r = 0; r < s->row_tiles; r++)
                for (size_t c = 0; c < s->col_tiles; c++)
                    *t++ = (struct tile){ &a->o->slot[i], s, mat, r, c };
    }
}

static int create(struct tsl_optim *o, struct tsl_err *err)
{
    static const char what[] = "an optimizer";
    struct adafactor *a = o->own = tsl_mem_alloc(1, sizeof *a, what, err);
    if (!a)
        return TSL_ENOMEM;
    a->o = o;
    a->shape = tsl_mem_alloc(o->nslots, sizeof *a->shape, what, err);
    a->squares = tsl_mem_alloc(o->nblocks, sizeof *a->squares, what, err);
    if (!a->shape || !a->squares)
        return TSL_ENOMEM;
    size_t nsums = 1, nshares = 1;
    for (size_t i = 0; i < o->nslots; i++) {
        struct shape *s = &a->shape[i];
        *s = shape_of(o, o->slot[i].param);
        a->ntiles += s->mats * s->row_tiles * s->col_tiles;
        nsums += s->mats * (s->col_tiles * s->rows + s->row_tiles * s->cols);
        nshares += s->mats * s->rows;
    }
    a->tile = tsl_mem_alloc(a->ntiles + 1, sizeof *a->tile, what, err);
    a->sums = tsl_mem_alloc(nsums, sizeof *a->sums, what, err);
    a->shares = tsl_mem_alloc(nshares, sizeof *a->shares, what, err);
    if (!a->tile || !a->sums || !a->shares)
        return TSL_ENOMEM;
    list_tiles(a);
    return 0;
}

static void destroy(struct tsl_optim *o)
{
    struct adafactor *a = o->own;
    if (!a)
        return;
    tsl_mem_free(a->shape);
    tsl_mem_free(a->squares);
    tsl_mem_free(a->tile);
    tsl_mem_free(a->sums);
    tsl_mem_free(a->shares);
    tsl_mem_free(a);
}

/* ---- means of rows and columns ---- */

static void sum_tile(void *ctx, unsigned i)
{
    const struct adafactor *a = ctx;
    const struct tsl_kernels *kernels = a->o->kernels;
    const struct tile *t = &a->tile[i];
    const struct shape *s = t->shape;
    size_t row = t->row_tile * s->tile_rows, col = t->col_tile * TILE_COLS;
    size_t rows = s->rows - row < s->tile_rows ? s->rows - row : s->tile_rows;
    size_t cols = s->cols - col < TILE_COLS ? s->cols - col : TILE_COLS;
    const float *g = t->slot->param->grad + (t->mat * s->rows + row) * s->cols + col;
    double *row_sums =
        s->row_sums + (t->mat * s->col_tiles + t->col_tile) * s->rows + row;
    double *col_sums =
        s->col_sums + (t->mat * s->row_tiles + t->row_tile) * s->cols + col;
    for (size_t j = 0; j < cols; j++)
        col_sums[j] = 0;
    for (size_t r = 0; r < rows; r++)
        row_sums[r] = kernels->adapt_squares(col_sums, g + r * s->cols,
                                             (float)a->turn->scale, cols);
}

/* mean[n] = keep mean + (1 - keep) (sum over parts of sums[part][n] / of + eps1). */
static void move_means(float *mean, size_t n, const double *sums, size_t parts, size_t of,
                       double keep, double eps1)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t p = 0; p < parts; p++)
            sum += sums[p * n + i];
        mean[i] = (float)(keep * mean[i] + (1 - keep) * (sum / (double)of + eps1));
    }
}

static void means_of_slot(void *ctx, unsigned i)
{
    const struct adafactor *a = ctx;
    const struct tsl_optim_slot *slot = &a->o->slot[i];
    const struct shape *s = &a->shape[i];
    double eps1 = a->o->opts.eps1;
    for (size_t mat = 0; mat < s->mats; mat++) {
        float *r = slot->r + mat * s->rows, *c = slot->c + mat * s->cols;
        move_means(r, s->rows, s->row_sums + mat * s->col_tiles * s->rows, s->col_tiles,
                   s->cols, a->keep, eps1);
        move_means(c, s->cols, s->col_sums + mat * s->row_tiles * s->cols, s->row_tiles,
                   s->rows, a->keep, eps1);
        double mean = 0;
        for (size_t k = 0; k < s->rows; k++)
            mean += r[k];
        mean /= (double)s->rows;
        for (size_t k = 0; k < s->rows; k++)
            s->share[mat * s->rows + k] = (float)(r[k] / mean);
    }
}

/* ---- the update ---- */

/* u[n] of a slot's numbers from at on, before clipping; n <= PIECE. */
static void update(const struct adafactor *a, const struct tsl_optim_slot *slot,
                   size_t at, size_t n, const float *restrict grad, float scale,
                   float *restrict u)
{
    const struct tsl_kernels *kernels = a->o->kernels;
    const struct shape *s = &a->shape[slot - a->o->slot];
    float eps1 = (float)a->o->opts.eps1;
    if (!s->mats) {
        kernels->adapt_root(u, grad, scale, 1, slot->v + at, eps1, n);
        return;
    }
    for (size_t i = 0, k; i < n; i += k) { /* a row's part at a time */
        size_t row = (at + i) / s->cols, col = (at + i) % s->cols;
        const float *c = slot->c + row / s->rows * s->cols + col;
        k = s->cols - col < n - i ? s->cols - col : n - i;
        kernels->adapt_root(u + i, grad + i, scale, s->share[row], c, eps1, k);
    }
}

static void measure_block(void *ctx, unsigned i)
{
    struct adafactor *a = ctx;
    const struct tsl_optim_block *b = &a->o->block[i];
    const struct tsl_optim_slot *slot = b->slot;
    float scale = (float)a->turn->scale, u[PIECE];
    float keep = (float)a->keep, add = (float)(1 - a->keep);
    float eps1 = (float)a->o->opts.eps1;
    a->squares[i].x = a->squares[i].u = 0;
    for (size_t at = b->at, end = b->at + b->n, n; at < end; at += n) {
        n = end - at < PIECE ? end - at : PIECE;
        const float *g = slot->param->grad + at;
        if (slot->v)
            for (size_t k = 0; k < n; k++) {
                float x = g[k] * scale;
                slot->v[at + k] = keep * slot->v[at + k] + add * (x * x + eps1);
            }
        update(a, slot, at, n, g, scale, u);
        a->squares[i].x += tsl_grads_squares(slot->param->value + at, n);
        a->squares[i].u += tsl_grads_squares(u, n);
    }
}

static void begin(struct tsl_optim *o, struct tsl_optim_turn *turn)
{
    struct adafactor *a = o->own;
    const struct tsl_optim_opts *p = &o->opts;
    double t = (double)turn->t;
    a->turn = turn;
    a->keep = 1 - tsl_fixmath_exp(-p->decay_exponent * tsl_fixmath_log(t));
    if (p->relative_step) {
        double lr = sqrt(t) > 100 ? 1 / sqrt(t) : 1e-2;
        turn->lr = turn->multiplier * lr * (p->scale_parameter ? 1 : .05);
    }
    tsl_optim_run(o, a->ntiles, sum_tile, a);
    tsl_optim_run(o, o->nslots, means_of_slot, a);
    tsl_optim_run(o, o->nblocks, measure_block, a);
    for (size_t i = 0; i < o->nslots; i++) {
        const struct tsl_optim_slot *slot = &o->slot[i];
        double x = 0, u = 0, n = (double)slot->param->n;
        for (size_t b = slot->first_block; b < slot->first_block + slot->nblocks; b++) {
            x += a->squares[b].x;
            u += a->squares[b].u;
        }
        double over = sqrt(u / n) / p->clip_rms, lr = turn->lr * slot->lr;
        double size = p->scale_parameter ? fmax(p->eps2, sqrt(x / n)) : 1;
        a->shape[i].clip = (float)(over > 1 ? 1 / over : 1);
        a->shape[i].rate = (float)(lr * size);
        a->shape[i].decay = (float)(lr * slot->decay);
    }
}

static void apply(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part)
{
    const struct adafactor *a = o->own;
    const struct tsl_optim_slot *slot = part->slot;
    const struct shape *s = &a->shape[slot - o->slot];
    struct tsl_step_adapt args = { .clip = s->clip,
                                   .beta1 = (float)o->opts.beta1,
                                   .rest1 = (float)(1 - o->opts.beta1),
                                   .rate = s->rate,
                                   .decay = s->decay };
    float u[PIECE];
    (void)turn;
    for (size_t at = 0, n; at < part->n; at += n) {
        size_t from = part->at + at;
        n = part->n - at < PIECE ? part->n - at : PIECE;
        update(a, slot, from, n, part->grad + at, part->scale, u);
        o->kernels->adapt_apply(slot->param->value + from,
                                slot->m ? slot->m + from : NULL, u, &args, n);
    }
}

const struct tsl_optim_method tsl_optim_adafactor = {
    .keep = keep, .create = create, .destroy = destroy, .begin = begin, .apply = apply
};

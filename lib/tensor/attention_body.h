/* attention_body.h - the kernels of attention.h: one head, some rows of queries at a time.
 *
 * All products are blocks of six rows times up to ATTENTION_VECS vectors, each number the
 * chain of fused multiply-adds over the inner index; keys that a row does not see have
 * probability 0 where another row of its six sees them, which changes no sum.
 * Order: as attention.h.
 * Memory: of attention_parts.h.
 * Threads: pure. */
#ifndef TSL_ATTENTION_BODY_H
#define TSL_ATTENTION_BODY_H

#include <math.h>
#include <string.h>

#include "tensor/attention_parts.h"
#include "tensor/dropout_body.h"
#include "tensor/kernels.h"
#include "tensor/vecmath_body.h"

/* Vectors beside each other: with six rows, as many sums as there are registers for. */
#if defined __AVX512F__ && !defined TSL_SIMD_PLAIN
enum { ATTENTION_VECS = 4 };
#else
enum { ATTENTION_VECS = 1 };
#endif
/* Keys whose panels or rows stay in the first cache while all rows pass by. */
enum { ATTENTION_KEYS = 64 };

/* ---- products ------------------------------------------------------------------------------

 * Row r, vector v of c: the sum over n steps of a[r * a_row] times vector b[v * b_vec]; a_step
 * and b_step lead to the next step.  Begins with what c holds, or (begin) with 0. */
struct attention_product {
    const float *a, *b;
    size_t a_row, a_step, b_vec, b_step, n;
    float *c;
    size_t c_row;
};

/* Macros, for compilers put an array into registers only when its indexes are constants early. */
#define ATTENTION_SIX(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define ATTENTION_LOAD1(r, v)                                                            \
    if (v < nvecs)                                                                       \
        acc[r][v] = begin ? v16_set(0) : v16_load(c + r * c_row + v * V16);
#define ATTENTION_LOAD(r)                                                                \
    ATTENTION_LOAD1(r, 0)                                                                \
    ATTENTION_LOAD1(r, 1) ATTENTION_LOAD1(r, 2) ATTENTION_LOAD1(r, 3)
#define ATTENTION_FMA1(r, v)                                                             \
    if (v < nvecs)                                                                       \
        acc[r][v] = v16_fma(y, x##v, acc[r][v]);
#define ATTENTION_FMA(r)                                                                 \
    {                                                                                    \
        v16 y = v16_set((r < 3 ? a : a3)[r % 3 * a_row]);                                \
        ATTENTION_FMA1(r, 0)                                                             \
        ATTENTION_FMA1(r, 1) ATTENTION_FMA1(r, 2) ATTENTION_FMA1(r, 3)                   \
    }
#define ATTENTION_STORE1(r, v)                                                           \
    if (v < nvecs)                                                                       \
        v16_store(c + r * c_row + v * V16, acc[r][v]);
#define ATTENTION_STORE(r)                                                               \
    ATTENTION_STORE1(r, 0)                                                               \
    ATTENTION_STORE1(r, 1) ATTENTION_STORE1(r, 2) ATTENTION_STORE1(r, 3)

V16_INLINE void attention_block(const struct attention_product *p, unsigned nvecs,
                                bool begin)
{
    v16 acc[ATTENTION_SOME][4];
    const size_t a_row = p->a_row, a_step = p->a_step, c_row = p->c_row;
    const size_t b_vec = p->b_vec, b_step = p->b_step;
    const float *a = p->a, *a3 = a + 3 * a_row, *b = p->b;
    float *c = p->c;
    ATTENTION_SIX(ATTENTION_LOAD)
    for (size_t n = p->n; n; n--, a += a_step, a3 += a_step, b += b_step) {
        v16 x0 = v16_load(b), x1 = x0, x2 = x0, x3 = x0;
        if (nvecs > 1)
            x1 = v16_load(b + b_vec);
        if (nvecs > 2)
            x2 = v16_load(b + 2 * b_vec);
        if (nvecs > 3)
            x3 = v16_load(b + 3 * b_vec);
        ATTENTION_SIX(ATTENTION_FMA)
    }
    ATTENTION_SIX(ATTENTION_STORE)
}
/* The same of any number of vectors.  p ends behind the last. */
V16_INLINE void attention_blocks(struct attention_product *p, size_t nvecs, bool begin)
{
    for (; nvecs >= ATTENTION_VECS; nvecs -= ATTENTION_VECS) {
        attention_block(p, ATTENTION_VECS, begin);
        p->b += ATTENTION_VECS * p->b_vec;
        p->c += (size_t)ATTENTION_VECS * V16;
    }
#if defined __AVX512F__ && !defined TSL_SIMD_PLAIN
    if (nvecs == 3)
        attention_block(p, 3, begin);
    if (nvecs == 2)
        attention_block(p, 2, begin);
    if (nvecs == 1)
        attention_block(p, 1, begin);
#endif
}
/* Against panels: nvecs of them from b on. */
static void attention_dots(struct attention_product p, size_t nvecs)
{
    p.a_step = 1;
    p.b_step = V16;
    attention_blocks(&p, nvecs, true);
}
/* Rows of b, each times a number of a row of a. */
static void attention_mix(struct attention_product p, size_t nvecs)
{
    p.a_step = 1;
    p.b_vec = V16;
    attention_blocks(&p, nvecs, false);
}
/* Rows of b, each times a number of a column of a. */
static void attention_outer(struct attention_product p, size_t nvecs)
{
    p.a_row = 1;
    p.b_vec = V16;
    attention_blocks(&p, nvecs, false);
}

/* ---- packing --------------------------------------------------------------------------- */

/* To the nearest bfloat16, half to even; NaN stays one. */
V16_INLINE v16 attention_bf16(v16 x)
{
    v16i u = v16_as_int(x);
    v16i even = v16i_and(v16i_shr(u, 16), v16i_set(1));
    v16i near = v16i_add(v16i_add(u, v16i_set(0x7fff)), even);
    near = v16i_where(v16_isnan(x), v16i_or(u, v16i_set(0x400000)), near);
    return v16_as_float(v16i_and(near, v16i_set(0xffff0000)));
}
V16_INLINE v16 attention_factor(bool bf16, v16 x)
{
    return bf16 ? attention_bf16(x) : x;
}
/* The next of n numbers, at most sixteen; 0 behind their end. */
V16_INLINE v16 attention_load(const float *p, size_t n)
{
    return n >= V16 ? v16_load(p) : v16_load_n(p, (unsigned)n);
}
V16_INLINE void attention_store(float *p, v16 x, size_t n)
{
    if (n >= V16)
        v16_store(p, x);
    else
        v16_store_n(p, x, (unsigned)n);
}
/* count rows of dim numbers, step apart, one behind the other and filled up with zeros. */
V16_INLINE void attention_pack_rows_as(bool bf16, const float *from, size_t step,
                                       size_t count, size_t dim, float *to)
{
    for (size_t i = 0; i < count; i++, from += step)
        for (size_t k = 0; k < dim; k += V16, to += V16)
            v16_store(to, attention_factor(bf16, attention_load(from + k, dim - k)));
}
static void attention_pack_rows(const struct tsl_attention *a, const float *from,
                                size_t step, size_t count, size_t dim, float *to)
{
    if (a->bf16)
        attention_pack_rows_as(true, from, step, count, dim, to);
    else
        attention_pack_rows_as(false, from, step, count, dim, to);
}
/* Sixteen rows, of which some are there, as a panel. */
V16_INLINE void attention_pack_panel(bool bf16, const float *from, size_t step,
                                     unsigned rows, size_t dim, float *to)
{
    for (size_t k = 0; k < dim; k += V16) {
        v16 x[V16];
        for (unsigned i = 0; i < V16; i++)
            x[i] =
                i < rows
                    ? attention_factor(bf16, attention_load(from + i * step + k, dim - k))
                    : v16_set(0);
        v16_transpose(x);
        for (unsigned i = 0; i < V16 && k + i < dim; i++, to += V16)
            v16_store(to, x[i]);
    }
}
/* Rows [first, last), first a multiple of 16, as panels. */
static void attention_pack_panels(const struct tsl_attention *a, const float *from,
                                  size_t step, size_t first, size_t last, size_t dim,
                                  float *panels)
{
    for (size_t j = first; j < last; j += V16) {
        float *to = panels + j / V16 * attention_panel(dim);
        if (last - j >= V16 && !a->bf16)
            attention_pack_panel(false, from + j * step, step, V16, dim, to);
        else
            attention_pack_panel(a->bf16, from + j * step, step,
                                 last - j < V16 ? (unsigned)(last - j) : V16, dim, to);
    }
}

/* ---- a tile: some rows and the keys that they see --------------------------------------- */

/* The keys that any of n rows sees; none: an empty run. */
V16_INLINE struct tsl_attention_run attention_hull(const struct tsl_attention_run *runs,
                                                   size_t n)
{
    struct tsl_attention_run hull = { 0, 0 };
    for (size_t i = 0; i < n; i++) {
        if (runs[i].from == runs[i].to)
            continue;
        if (hull.from == hull.to)
            hull = runs[i];
        hull.from = runs[i].from < hull.from ? runs[i].from : hull.from;
        hull.to = runs[i].to > hull.to ? runs[i].to : hull.to;
    }
    return hull;
}

struct attention_tile {
    const struct tsl_attention *a;
    const struct tsl_attention_piece *piece;
    size_t row, nrows;                    /* of the head */
    const struct tsl_attention_run *runs; /* of its rows */
    struct tsl_attention_run
        six[ATTENTION_ROWS / ATTENTION_SOME]; /* of each six of them */
    struct tsl_attention_run all;
    size_t dim, dim_v, score_row; /* filled up to vectors; from a row of s to the next */
    float *keys, *values;         /* panels, or rows */
    float *q, *s, *y;             /* rows */
    struct tsl_dropout drop;      /* below is 0: of nothing */
    uint64_t *kept;               /* of one row: which probabilities are */
    float *dkeys, *key_rows, *dvalues, *dy, *ds, *dq;
};

static void attention_tile_at(struct attention_tile *t, size_t row)
{
    const struct tsl_attention_piece *p = t->piece;
    t->row = row;
    t->nrows = p->last - row < ATTENTION_ROWS ? p->last - row : ATTENTION_ROWS;
    t->runs = p->runs + (row - p->first);
    t->all = attention_hull(t->runs, t->nrows);
    for (size_t g = 0; g < t->nrows; g += ATTENTION_SOME)
        t->six[g / ATTENTION_SOME] = attention_hull(
            t->runs + g, t->nrows - g < ATTENTION_SOME ? t->nrows - g : ATTENTION_SOME);
}
/* Where row i of the head begins. */
V16_INLINE size_t attention_place(const struct attention_tile *t,
                                  struct tsl_attention_at at, size_t i)
{
    return t->piece->b * at.batch + i * at.position + t->piece->h * at.head;
}
/* The tile's rows of x, and zeros up to a multiple of six. */
static void attention_take_rows(const struct attention_tile *t, const float *x,
                                struct tsl_attention_at at, size_t dim, float *to)
{
    attention_pack_rows(t->a, x + attention_place(t, at, t->row), at.position, t->nrows,
                        dim, to);
    size_t wide = attention_up16(dim),
           full = (t->nrows + ATTENTION_SOME - 1) / ATTENTION_SOME * ATTENTION_SOME;
    memset(to + t->nrows * wide, 0, (full - t->nrows) * wide * sizeof *to);
}
/* s = rows times panels, for what each six rows see. */
static void attention_tile_dots(const struct attention_tile *t, const float *rows,
                                size_t dim, const float *panels, float *s)
{
    const size_t panel = attention_panel(dim), wide = attention_up16(dim);
    for (size_t k = t->all.from / V16; k * V16 < t->all.to; k += ATTENTION_KEYS / V16)
        for (size_t g = 0; g < t->nrows; g += ATTENTION_SOME) {
            struct tsl_attention_run r = t->six[g / ATTENTION_SOME];
            size_t from = r.from / V16, to = (r.to + V16 - 1) / V16;
            from = from > k ? from : k;
            to = to < k + ATTENTION_KEYS / V16 ? to : k + ATTENTION_KEYS / V16;
            if (r.from == r.to || from >= to)
                continue;
            attention_dots(
                (struct attention_product){ .a = rows + g * wide,
                                            .a_row = wide,
                                            .b = panels + from * panel,
                                            .b_vec = panel,
                                            .n = dim,
                                            .c = s + g * t->score_row + from * V16,
                                            .c_row = t->score_row },
                to - from);
        }
}
/* y += s times rows, dim filled up, over the keys that each six see. */
static void attention_tile_mix(const struct attention_tile *t, const float *s,
                               const float *rows, size_t dim, float *y)
{
    for (size_t k = t->all.from; k < t->all.to; k += ATTENTION_KEYS)
        for (size_t g = 0; g < t->nrows; g += ATTENTION_SOME) {
            struct tsl_attention_run r = t->six[g / ATTENTION_SOME];
            size_t from = r.from > k ? r.from : k;
            size_t to = r.to < k + ATTENTION_KEYS ? r.to : k + ATTENTION_KEYS;
            if (from >= to)
                continue;
            attention_mix((struct attention_product){ .a = s + g * t->score_row + from,
                                                      .a_row = t->score_row,
                                                      .b = rows + from * dim,
                                                      .b_step = dim,
                                                      .n = to - from,
                                                      .c = y + g * dim,
                                                      .c_row = dim },
                          dim / V16);
        }
}
/* y[key] += the sum over rows of s[row,key] times rows[row], for all keys that are seen. */
static void attention_tile_outer(const struct attention_tile *t, const float *s,
                                 const float *rows, size_t dim, float *y)
{
    for (size_t k = t->all.from / ATTENTION_SOME * ATTENTION_SOME; k < t->all.to;
         k += ATTENTION_SOME)
        for (size_t g = 0; g < t->nrows; g += ATTENTION_SOME) {
            size_t first = g;
            while (g < t->nrows && t->six[g / ATTENTION_SOME].from < k + ATTENTION_SOME &&
                   t->six[g / ATTENTION_SOME].to > k)
                g += ATTENTION_SOME;
            if (g == first)
                continue;
            size_t last = g < t->nrows ? g : t->nrows;
            attention_outer((struct attention_product){ .a = s + first * t->score_row + k,
                                                        .a_step = t->score_row,
                                                        .b = rows + first * dim,
                                                        .b_step = dim,
                                                        .n = last - first,
                                                        .c = y + k * dim,
                                                        .c_row = dim },
                            dim / V16);
        }
}

/* ---- probabilities ----------------------------------------------------------------------- */

/* e^x for x that is hardly above 0; below -87, before it leaves the normal numbers, 0. */
V16_INLINE v16 attention_exp(v16 x)
{
    v16 steps, r = v16_exp_reduce(v16_max(v16_set(-87), x), &steps);
    v16i y = v16_as_int(v16_add(v16_set(1), v16_exp_poly(r)));
    y = v16i_add(y, v16i_shl(v16_as_int(steps), 23));
    return v16_where(v16_lt(x, v16_set(-87)), v16_set(0), v16_as_float(y));
}
/* Which of keys j .. j + 15 lie in r. */
V16_INLINE v16m attention_seen(size_t j, struct tsl_attention_run r)
{
    static const uint32_t count[] = {
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    };
    v16i key = v16i_add(v16i_load(count), v16i_set((uint32_t)j - r.from));
    return v16i_ltu(key, v16i_set(r.to - r.from));
}
/* What the loops over a row go by: copies, for what they write might be anything. */
struct attention_row {
    size_t from, to;            /* vectors of what its six see */
    struct tsl_attention_run r; /* what it sees */
    const float *bias;
    float scale;
    size_t tk;
    const uint64_t *kept; /* NULL: nothing is dropped */
    bool bf16;
};
V16_INLINE struct attention_row attention_row_of(const struct attention_tile *t, size_t i)
{
    const struct tsl_attention *a = t->a;
    struct tsl_attention_run six = t->six[i / ATTENTION_SOME];
    struct attention_row row = { .from = six.from / V16 * V16,
                                 .to = six.to,
                                 .r = t->runs[i],
                                 .scale = a->scale,
                                 .tk = a->tk,
                                 .bf16 = a->bf16 };
    if (a->bias)
        row.bias = a->bias + t->piece->b * a->bias_batch + t->piece->h * a->bias_head +
                   (t->row + i) * a->tk;
    if (t->drop.below && row.from < row.to) {
        uint64_t n =
            ((uint64_t)t->piece->b * a->heads + t->piece->h) * a->tq + t->row + i;
        dropout_kept(t->kept, row.to - row.from, &t->drop, n * a->tk + row.from);
        row.kept = t->kept;
    }
    return row;
}
/* 0 for those of keys j .. j + 15 that the row does not see. */
V16_INLINE v16 attention_only(const struct attention_row *w, size_t j, v16 x, float other)
{
    if (j >= w->r.from && j + V16 <= w->r.to)
        return x;
    return v16_where(attention_seen(j, w->r), x, v16_set(other));
}
/* Scores are s scale, or with a bias (which is then in s) s: less something. */
V16_INLINE v16 attention_less(const struct attention_row *w, v16 s, float less)
{
    return w->bias ? v16_sub(s, v16_set(less))
                   : v16_fma(s, v16_set(w->scale), v16_set(-less));
}
/* s scale + bias, for keys j .. j + 15. */
V16_INLINE v16 attention_biased(const struct attention_row *w, v16 s, size_t j)
{
    return v16_fma(s, v16_set(w->scale), attention_load(w->bias + j, w->tk - j));
}
/* x, and 0 where it is dropped. */
V16_INLINE v16 attention_keep(const struct attention_row *w, size_t j, v16 x)
{
    size_t n = j - w->from;
    return v16_where(dropout_mask(w->kept[n / 64] >> n % 64), x, v16_set(0));
}
/* The largest score of a row; -infinity if it sees nothing.  A bias is added to s. */
V16_INLINE float attention_row_top(const struct attention_row *w, float *s)
{
    v16 top = v16_set(-INFINITY);
    for (size_t j = w->r.from / V16 * V16; j < w->r.to; j += V16) {
        v16 x = v16_load(s + j);
        if (w->bias) {
            x = attention_biased(w, x, j);
            v16_store(s + j, x);
        } else
            x = v16_mul(x, v16_set(w->scale));
        top = v16_max(attention_only(w, j, x, -INFINITY), top);
    }
    return v16_top(top);
}
/* s = e^(s - top), 0 where the row does not see but its six do; returns their sum, that of the
 * dropped ones included. */
V16_INLINE float attention_row_exp(const struct attention_row *w, float top, float *s)
{
    v16 sum = v16_set(0);
    top = top > -INFINITY ? top : 0;
    for (size_t j = w->from; j < w->to; j += V16) {
        v16 p = attention_exp(attention_less(w, v16_load(s + j), top));
        p = attention_only(w, j, p, 0);
        sum = v16_add(sum, p);
        if (w->kept)
            p = attention_keep(w, j, p);
        v16_store(s + j, attention_factor(w->bf16, p));
    }
    return v16_sum(sum);
}
/* y = rows times factor[row], to where it belongs. */
static void attention_put_rows(const struct attention_tile *t, const float *rows,
                               size_t dim, const float *factor, float *y,
                               struct tsl_attention_at at)
{
    size_t wide = attention_up16(dim);
    for (size_t i = 0; i < t->nrows; i++) {
        float *to = y + attention_place(t, at, t->row + i);
        for (size_t k = 0; k < dim; k += V16)
            attention_store(to + k,
                            v16_mul(v16_load(rows + i * wide + k), v16_set(factor[i])),
                            dim - k);
    }
}

/* ---- forward --------------------------------------------------------------------------- */

static void attention_forward_tile(const struct attention_tile *t)
{
    const struct tsl_attention *a = t->a;
    float top[ATTENTION_ROWS + V16] = { 0 }, sum[ATTENTION_ROWS + V16] = { 0 };
    attention_take_rows(t, a->q, a->q_at, a->dim, t->q);
    attention_tile_dots(t, t->q, a->dim, t->keys, t->s);
    for (size_t i = 0; i < t->nrows; i++) {
        float *s = t->s + i * t->score_row;
        const struct attention_row w = attention_row_of(t, i);
        top[i] = attention_row_top(&w, s);
        sum[i] = attention_row_exp(&w, top[i], s);
    }
    memset(t->y, 0, ATTENTION_ROWS * t->dim_v * sizeof *t->y);
    attention_tile_mix(t, t->s, t->values, t->dim_v, t->y);
    float *lse =
        a->lse ? a->lse + (t->piece->b * a->heads + t->piece->h) * a->tq + t->row : NULL;
    for (size_t i = 0; lse && i < t->nrows; i += V16)
        attention_store(lse + i, v16_add(v16_load(top + i), v16_log(v16_load(sum + i))),
                        t->nrows - i);
    for (size_t i = 0; i < t->nrows; i++)
        sum[i] = sum[i] == 0 ? 0 : t->drop.scale / sum[i];
    attention_put_rows(t, t->y, a->dim_v, sum, a->y, a->y_at);
}

/* The next n floats of scratch. */
static float *attention_take(float **scratch, size_t n)
{
    float *p = *scratch;
    *scratch += n;
    return p;
}
static void attention_forward(const struct tsl_attention *a,
                              const struct tsl_attention_piece *piece)
{
    struct attention_tile t = { .a = a,
                                .piece = piece,
                                .drop = tsl_dropout_make((double)a->drop, a->drop_key, 0),
                                .dim = attention_up16(a->dim),
                                .dim_v = attention_up16(a->dim_v),
                                .score_row = attention_score_row(a) };
    float *at = piece->scratch;
    size_t keys = attention_keys(a);
    t.keys = attention_take(&at, keys / V16 * attention_panel(a->dim));
    t.values = attention_take(&at, keys * t.dim_v);
    t.q = attention_take(&at, ATTENTION_ROWS * t.dim);
    t.y = attention_take(&at, ATTENTION_ROWS * t.dim_v);
    t.s = attention_take(&at, ATTENTION_ROWS * t.score_row);
    t.kept = (void *)attention_take(&at, attention_kept_floats(a));
    struct tsl_attention_run all =
        attention_hull(piece->runs, piece->last - piece->first);
    size_t from = all.from / V16 * V16;
    attention_pack_panels(a, a->k + attention_place(&t, a->k_at, 0), a->k_at.position,
                          from, all.to, a->dim, t.keys);
    attention_pack_rows(a, a->v + attention_place(&t, a->v_at, from), a->v_at.position,
                        all.to - from, a->dim_v, t.values + from * t.dim_v);
    for (size_t row = piece->first; row < piece->last; row += ATTENTION_ROWS) {
        attention_tile_at(&t, row);
        attention_forward_tile(&t);
    }
}

/* ---- backward -------------------------------------------------------------------------- */

/* Sums over queries are of six keys at a time, which may lie beyond the vectors of what six
 * queries see: up to a multiple of this is 0. */
enum { ATTENTION_CLEAR = 48 };

/* A row: s becomes the probabilities, ds the gradient of the scaled scores from that of the
 * probabilities. */
V16_INLINE void attention_row_back(const struct attention_row *w, float lse, float delta,
                                   float kept_scale, float *s, float *ds, float *dbias)
{
    lse = lse > -INFINITY ? lse : INFINITY;
    for (size_t j = w->from; j < w->to; j += V16) {
        v16 x = v16_load(s + j), dp = v16_load(ds + j);
        if (w->bias)
            x = attention_biased(w, x, j);
        v16 p = attention_exp(attention_less(w, x, lse));
        p = attention_only(w, j, p, 0);
        if (w->kept)
            dp = attention_keep(w, j, v16_mul(dp, v16_set(kept_scale)));
        v16 d = v16_mul(p, v16_sub(dp, v16_set(delta)));
        d = attention_only(w, j, d, 0);
        if (dbias)
            attention_store(dbias + j, v16_add(attention_load(dbias + j, w->tk - j), d),
                            w->tk - j);
        if (w->kept)
            p = attention_keep(w, j, v16_mul(p, v16_set(kept_scale)));
        v16_store(s + j, attention_factor(w->bf16, p));
        v16_store(ds + j, attention_factor(w->bf16, d));
    }
}
/* Makes s 0 on both sides of what a row's six see, as far as sums over queries look. */
V16_INLINE void attention_clear(const struct attention_row *w, float *s)
{
    if (w->from >= w->to)
        return;
    size_t first = w->from / ATTENTION_CLEAR * ATTENTION_CLEAR,
           to = attention_up16(w->to);
    for (size_t j = first; j < w->from; j += V16)
        v16_store(s + j, v16_set(0));
    for (size_t j = to; j < attention_up(to, ATTENTION_CLEAR); j += V16)
        v16_store(s + j, v16_set(0));
}
static void attention_rows_back(const struct attention_tile *t,
                                const struct tsl_attention_grads *g, const float *delta)
{
    const struct tsl_attention *a = t->a;
    const struct tsl_attention_piece *p = t->piece;
    const float *lse = a->lse + (p->b * a->heads + p->h) * a->tq + t->row;
    for (size_t i = 0; i < t->nrows; i++) {
        float *s = t->s + i * t->score_row, *ds = t->ds + i * t->score_row;
        const struct attention_row w = attention_row_of(t, i);
        float *dbias = g->dbias ? g->dbias + (p->h * a->tq + t->row + i) * a->tk : NULL;
        if (!w.bias && !w.kept && !w.bf16 &&
            !dbias) { /* the same in fewer instructions */
            const struct attention_row plain = {
                .from = w.from, .to = w.to, .r = w.r, .scale = w.scale
            };
            attention_row_back(&plain, lse[i], delta[i], 1, s, ds, NULL);
        } else
            attention_row_back(&w, lse[i], delta[i], t->drop.scale, s, ds, dbias);
        attention_clear(&w, s);
        attention_clear(&w, ds);
    }
}
/* The product of dy and y, row by row. */
static void attention_deltas(const struct attention_tile *t, float *delta)
{
    const struct tsl_attention *a = t->a;
    for (size_t i = 0; i < t->nrows; i++) {
        const float *y = a->y + attention_place(t, a->y_at, t->row + i);
        v16 sum = v16_set(0);
        for (size_t k = 0; k < a->dim_v; k += V16)
            sum = v16_fma(v16_load(t->dy + i * t->dim_v + k),
                          attention_load(y + k, a->dim_v - k), sum);
        delta[i] = v16_sum(sum);
    }
}
static void attention_backward_tile(const struct attention_tile *t,
                                    const struct tsl_attention_grads *g)
{
    const struct tsl_attention *a = t->a;
    float delta[ATTENTION_ROWS], scale[ATTENTION_ROWS];
    attention_take_rows(t, a->q, a->q_at, a->dim, t->q);
    attention_take_rows(t, g->dy, g->dy_at, a->dim_v, t->dy);
    attention_deltas(t, delta);
    attention_tile_dots(t, t->q, a->dim, t->keys, t->s);
    attention_tile_dots(t, t->dy, a->dim_v, t->values, t->ds);
    attention_rows_back(t, g, delta);
    memset(t->dq, 0, ATTENTION_ROWS * t->dim * sizeof *t->dq);
    attention_tile_mix(t, t->ds, t->key_rows, t->dim, t->dq);
    for (size_t i = 0; i < t->nrows; i++)
        scale[i] = a->scale;
    attention_put_rows(t, t->dq, a->dim, scale, g->dq, g->dq_at);
    attention_tile_outer(t, t->s, t->dy, t->dim_v, t->dvalues);
    attention_tile_outer(t, t->ds, t->q, t->dim, t->dkeys);
}
/* All rows of keys, times factor, to where they belong. */
static void attention_put_keys(const struct attention_tile *t, const float *rows,
                               size_t dim, float factor, float *y,
                               struct tsl_attention_at at)
{
    size_t wide = attention_up16(dim);
    for (size_t j = 0; j < t->a->tk; j++) {
        float *to = y + attention_place(t, at, j);
        for (size_t k = 0; k < dim; k += V16)
            attention_store(
                to + k, v16_mul(v16_load(rows + j * wide + k), v16_set(factor)), dim - k);
    }
}
static void attention_backward(const struct tsl_attention *a,
                               const struct tsl_attention_grads *g,
                               const struct tsl_attention_piece *piece)
{
    struct attention_tile t = { .a = a,
                                .piece = piece,
                                .drop = tsl_dropout_make((double)a->drop, a->drop_key, 0),
                                .dim = attention_up16(a->dim),
                                .dim_v = attention_up16(a->dim_v),
                                .score_row = attention_score_row(a) };
    float *at = piece->scratch;
    size_t keys = attention_keys(a);
    t.keys = attention_take(&at, keys / V16 * attention_panel(a->dim));
    t.values = attention_take(&at, keys / V16 * attention_panel(a->dim_v));
    t.key_rows = attention_take(&at, keys * t.dim);
    t.dkeys = attention_take(&at, keys * t.dim);
    t.dvalues = attention_take(&at, keys * t.dim_v);
    t.q = attention_take(&at, ATTENTION_ROWS * t.dim);
    t.dq = attention_take(&at, ATTENTION_ROWS * t.dim);
    t.dy = attention_take(&at, ATTENTION_ROWS * t.dim_v);
    t.s = attention_take(&at, ATTENTION_ROWS * t.score_row);
    t.kept = (void *)attention_take(&at, attention_kept_floats(a));
    t.ds = attention_take(&at, ATTENTION_ROWS * t.score_row);
    struct tsl_attention_run all =
        attention_hull(piece->runs, piece->last - piece->first);
    size_t from = all.from / V16 * V16;
    const float *k = a->k + attention_place(&t, a->k_at, 0);
    attention_pack_panels(a, k, a->k_at.position, from, all.to, a->dim, t.keys);
    attention_pack_rows(a, k + from * a->k_at.position, a->k_at.position, all.to - from,
                        a->dim, t.key_rows + from * t.dim);
    attention_pack_panels(a, a->v + attention_place(&t, a->v_at, 0), a->v_at.position,
                          from, all.to, a->dim_v, t.values);
    memset(t.dkeys, 0, keys * t.dim * sizeof *t.dkeys);
    memset(t.dvalues, 0, keys * t.dim_v * sizeof *t.dvalues);
    for (size_t row = piece->first; row < piece->last; row += ATTENTION_ROWS) {
        attention_tile_at(&t, row);
        attention_backward_tile(&t, g);
    }
    attention_put_keys(&t, t.dkeys, a->dim, a->scale, g->dk, g->dk_at);
    attention_put_keys(&t, t.dvalues, a->dim_v, 1, g->dv, g->dv_at);
}

#define ATTENTION_MEMBERS                                                                \
    .attention_forward = attention_forward, .attention_backward = attention_backward

#endif

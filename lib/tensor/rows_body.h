/* rows_body.h - kernels over the rows of contiguous (rows, cols); part of each of the three
 * kernels_*.c.
 * Order: a sum over a row is 16 sums, the i-th of numbers i, i + 16, ..., then v16_sum; a sum over
 *   rows is row after row.
 * Memory: none.
 * Threads: pure. */
#ifndef TSL_ROWS_BODY_H
#define TSL_ROWS_BODY_H

#include "tensor/dropout_body.h"
#include "tensor/kernel_args.h"
#include "tensor/vecmath_body.h"

/* Lanes i, i + 1, ... of a row of n; 0 behind its end. */
V16_INLINE v16 row_load(const float *x, size_t i, size_t n)
{
    return n - i >= V16 ? v16_load(x + i) : v16_load_n(x + i, (unsigned)(n - i));
}
V16_INLINE void row_store(float *x, v16 v, size_t i, size_t n)
{
    if (n - i >= V16)
        v16_store(x + i, v);
    else
        v16_store_n(x + i, v, (unsigned)(n - i));
}
/* v, but other behind the row's end. */
V16_INLINE v16 row_only(v16 v, size_t i, size_t n, float other)
{
    return n - i >= V16 ? v : v16_where(v16_first((unsigned)(n - i)), v, v16_set(other));
}
V16_MATH float row_top(const float *x, size_t n)
{
    v16 top = v16_set(-INFINITY);
    for (size_t i = 0; i < n; i += V16)
        top = v16_max(top, row_only(row_load(x, i, n), i, n, -INFINITY));
    return v16_top(top);
}
V16_MATH float row_sum(const float *x, size_t n)
{
    v16 sum = v16_set(0);
    for (size_t i = 0; i < n; i += V16)
        sum = v16_add(sum, row_load(x, i, n));
    return v16_sum(sum);
}
V16_MATH float row_log(float x)
{
    float y[V16];
    v16_store(y, v16_log(v16_set(x)));
    return y[0];
}
V16_MATH float row_exp(float x)
{
    float y[V16];
    v16_store(y, v16_exp(v16_set(x)));
    return y[0];
}
V16_INLINE void row_fill(float *y, float x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = x;
}

static void rows_sum(float *y, const float *x, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        y[r] = row_sum(x + r * cols, cols);
}
static void rows_max(float *y, const float *x, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        y[r] = row_top(x + r * cols, cols);
}

/* ---- softmax ---------------------------------------------------------------------------- */

static void softmax(float *y, const float *x, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += cols, y += cols) {
        float top = row_top(x, cols);
        if (top <= -INFINITY) {
            row_fill(y, 0, cols);
            continue;
        }
        v16 sum = v16_set(0), back = v16_set(top);
        for (size_t i = 0; i < cols; i += V16) {
            v16 e = v16_exp(v16_sub(row_load(x, i, cols), back));
            row_store(y, e, i, cols);
            sum = v16_add(sum, row_only(e, i, cols, 0));
        }
        v16 scale = v16_set(1 / v16_sum(sum));
        for (size_t i = 0; i < cols; i += V16)
            row_store(y, v16_mul(row_load(y, i, cols), scale), i, cols);
    }
}
/* The sum of e^(x - top). */
V16_MATH float row_exp_sum(const float *x, float top, size_t cols)
{
    v16 sum = v16_set(0), back = v16_set(top);
    for (size_t i = 0; i < cols; i += V16) {
        v16 e = v16_exp(v16_sub(row_load(x, i, cols), back));
        sum = v16_add(sum, row_only(e, i, cols, 0));
    }
    return v16_sum(sum);
}
static void log_softmax(float *y, const float *x, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += cols, y += cols) {
        float top = row_top(x, cols);
        if (top <= -INFINITY) {
            row_fill(y, 0, cols);
            continue;
        }
        v16 back = v16_set(top), less = v16_set(row_log(row_exp_sum(x, top, cols)));
        for (size_t i = 0; i < cols; i += V16) {
            v16 v = v16_sub(v16_sub(row_load(x, i, cols), back), less);
            row_store(y, v, i, cols);
        }
    }
}
static void softmax_grad(float *dx, const float *dy, const float *y, bool adds,
                         size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += cols, dy += cols, y += cols) {
        v16 sum = v16_set(0);
        for (size_t i = 0; i < cols; i += V16)
            sum = v16_fma(row_load(dy, i, cols), row_load(y, i, cols), sum);
        v16 mean = v16_set(v16_sum(sum));
        for (size_t i = 0; i < cols; i += V16) {
            v16 d = v16_mul(row_load(y, i, cols), v16_sub(row_load(dy, i, cols), mean));
            if (adds)
                d = v16_add(row_load(dx, i, cols), d);
            row_store(dx, d, i, cols);
        }
    }
}
static void log_softmax_grad(float *dx, const float *dy, const float *y, bool adds,
                             size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += cols, dy += cols, y += cols) {
        v16 less = v16_set(-row_sum(dy, cols));
        for (size_t i = 0; i < cols; i += V16) {
            v16 d = v16_fma(less, v16_exp(row_load(y, i, cols)), row_load(dy, i, cols));
            if (adds)
                d = v16_add(row_load(dx, i, cols), d);
            row_store(dx, d, i, cols);
        }
    }
}

/* ---- cross entropy ---------------------------------------------------------------------- */

static void cross_entropy(float *loss, float *stats, const float *x,
                          const int32_t *labels, float smoothing, size_t rows,
                          size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += cols) {
        float top = row_top(x, cols), sum = row_exp_sum(x, top, cols);
        stats[2 * r] = top;
        stats[2 * r + 1] = 1 / sum;
        loss[r] = 0;
        if (labels[r] < 0)
            continue;
        float rest = row_log(sum), right = rest - (x[labels[r]] - top);
        loss[r] = right;
        if (smoothing > 0) {
            v16 all = v16_set(0), back = v16_set(top);
            for (size_t i = 0; i < cols; i += V16)
                all = v16_add(all,
                              row_only(v16_sub(row_load(x, i, cols), back), i, cols, 0));
            float mean = v16_sum(all) / (float)cols;
            loss[r] = (1 - smoothing) * right + smoothing * (rest - mean);
        }
    }
}
static void cross_entropy_grad(float *dx, const float *x, const float *stats,
                               const int32_t *labels, float smoothing, float scale,
                               size_t rows, size_t cols)
{
    const float even = smoothing / (float)cols, own = 1 - smoothing;
    for (size_t r = 0; r < rows; r++, x += cols, dx += cols) {
        if (labels[r] < 0) {
            row_fill(dx, 0, cols);
            continue;
        }
        const float top = stats[2 * r], inverse = stats[2 * r + 1];
        const float p = row_exp(x[labels[r]] - top) * inverse;
        const v16 back = v16_set(top), by = v16_set(inverse);
        for (size_t i = 0; i < cols; i += V16) {
            v16 d = v16_mul(v16_exp(v16_sub(row_load(x, i, cols), back)), by);
            d = v16_mul(v16_sub(d, v16_set(even)), v16_set(scale));
            row_store(dx, d, i, cols);
        }
        dx[labels[r]] = ((p - even) - own) * scale;
    }
}

static void entropy_part(float *top, float *sum, float *x, size_t row, size_t rows,
                         size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += row) {
        const v16 back = v16_set(top[r] = row_top(x, cols));
        v16 all = v16_set(0);
        for (size_t i = 0; i < cols; i += V16) {
            v16 e = v16_exp(v16_sub(row_load(x, i, cols), back));
            row_store(x, e, i, cols);
            all = v16_add(all, row_only(e, i, cols, 0));
        }
        sum[r] = v16_sum(all);
    }
}
static void entropy_join(float *loss, float *most, const float *right, const float *top,
                         float *sum, float scale, size_t rows, size_t parts)
{
    for (size_t r = 0; r < rows; r += V16) {
        v16 high = v16_set(-INFINITY), all = v16_set(0);
        for (size_t p = 0; p < parts; p++)
            high = v16_max(high, row_load(top + p * rows, r, rows));
        for (size_t p = 0; p < parts; p++) {
            v16 by = v16_exp(v16_sub(row_load(top + p * rows, r, rows), high));
            all = v16_fma(row_load(sum + p * rows, r, rows), by, all);
        }
        row_store(loss, v16_sub(v16_log(all), v16_sub(row_load(right, r, rows), high)), r,
                  rows);
        row_store(most, high, r, rows);
        for (size_t p = 0; p < parts; p++) {
            v16 by = v16_exp(v16_sub(row_load(top + p * rows, r, rows), high));
            by = v16_mul(v16_div(by, all), v16_set(scale));
            row_store(sum + p * rows, by, r, rows);
        }
    }
}
static void entropy_part_grad(float *x, float *db, const float *by, const int32_t *labels,
                              int32_t first, float scale, size_t row, size_t rows,
                              size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += row) {
        const v16 f = v16_set(by[r]);
        for (size_t i = 0; i < cols; i += V16)
            row_store(x, v16_mul(row_load(x, i, cols), f), i, cols);
        if (labels[r] >= first && (size_t)(labels[r] - first) < cols)
            x[labels[r] - first] -= scale;
        for (size_t i = 0; db && i < cols; i += V16)
            row_store(db, v16_add(row_load(db, i, cols), row_load(x, i, cols)), i, cols);
    }
}

/* ---- norms ------------------------------------------------------------------------------ */

/* 1 / sqrt(var + eps), but 0 for 0: a row without variance has no direction. */
V16_INLINE float row_rstd(float var, float eps)
{
    float v = var + eps;
    return v > 0 || v != v ? 1 / __builtin_sqrtf(v) : 0;
}
V16_MATH void layernorm_row(float *y, float *mean, float *rstd, const float *x,
                            const float *w, const float *b, float eps, size_t n)
{
    const float m = row_sum(x, n) / (float)n;
    const v16 vm = v16_set(m);
    v16 sum = v16_set(0);
    for (size_t i = 0; i < n; i += V16) {
        v16 d = row_only(v16_sub(row_load(x, i, n), vm), i, n, 0);
        sum = v16_fma(d, d, sum);
    }
    const float s = row_rstd(v16_sum(sum) / (float)n, eps);
    const v16 vs = v16_set(s);
    for (size_t i = 0; i < n; i += V16) {
        v16 v = v16_mul(v16_sub(row_load(x, i, n), vm), vs);
        if (w)
            v = v16_mul(v, row_load(w, i, n));
        if (b)
            v = v16_add(v, row_load(b, i, n));
        row_store(y, v, i, n);
    }
    *mean = m;
    *rstd = s;
}
static void layernorm(float *y, float *mean, float *rstd, const float *x, const float *w,
                      const float *b, float eps, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++)
        layernorm_row(y + r * cols, mean + r, rstd + r, x + r * cols, w, b, eps, cols);
}
/* dw and db get this row's part; centred: the norm takes the mean away. */
V16_MATH void norm_grad_row(float *dx, float *dw, float *db, const float *dy,
                            const float *x, float mean, float rstd, const float *w,
                            bool centred, bool adds, size_t n)
{
    const v16 vm = v16_set(mean), vs = v16_set(rstd);
    v16 sum = v16_set(0), along = v16_set(0);
    for (size_t i = 0; i < n; i += V16) {
        v16 g = row_load(dy, i, n), hat = v16_mul(v16_sub(row_load(x, i, n), vm), vs);
        if (dw)
            row_store(dw, v16_fma(g, hat, row_load(dw, i, n)), i, n);
        if (db)
            row_store(db, v16_add(row_load(db, i, n), g), i, n);
        if (w)
            g = v16_mul(g, row_load(w, i, n));
        sum = v16_add(sum, g);
        along = v16_fma(g, hat, along); /* g is 0 behind the end */
    }
    const v16 m1 = v16_set(centred ? v16_sum(sum) / (float)n : 0);
    const v16 m2 = v16_set(-(v16_sum(along) / (float)n));
    for (size_t i = 0; i < n; i += V16) {
        v16 g = row_load(dy, i, n), hat = v16_mul(v16_sub(row_load(x, i, n), vm), vs);
        if (w)
            g = v16_mul(g, row_load(w, i, n));
        if (centred)
            g = v16_sub(g, m1);
        g = v16_mul(vs, v16_fma(hat, m2, g));
        if (adds)
            g = v16_add(row_load(dx, i, n), g);
        row_store(dx, g, i, n);
    }
}
static void layernorm_grad(float *dx, float *dw, float *db, const float *dy,
                           const float *x, const float *mean, const float *rstd,
                           const float *w, bool adds, size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += cols, dy += cols, x += cols)
        norm_grad_row(dx, dw, db, dy, x, mean[r], rstd[r], w, true, adds, cols);
}
static void rmsnorm(float *y, float *rstd, const float *x, const float *w, float eps,
                    size_t rows, size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += cols, y += cols) {
        v16 sum = v16_set(0);
        for (size_t i = 0; i < cols; i += V16)
            sum = v16_fma(row_load(x, i, cols), row_load(x, i, cols), sum);
        rstd[r] = row_rstd(v16_sum(sum) / (float)cols, eps);
        for (size_t i = 0; i < cols; i += V16) {
            v16 v = v16_mul(row_load(x, i, cols), v16_set(rstd[r]));
            row_store(y, w ? v16_mul(v, row_load(w, i, cols)) : v, i, cols);
        }
    }
}
static void rmsnorm_grad(float *dx, float *dw, const float *dy, const float *x,
                         const float *rstd, const float *w, bool adds, size_t rows,
                         size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += cols, dy += cols, x += cols)
        norm_grad_row(dx, dw, NULL, dy, x, 0, rstd[r], w, false, adds, cols);
}

/* ---- residual, dropout and norm in one --------------------------------------------------- */

static void residual_norm(float *y, float *sum, float *mean, float *rstd, const float *x,
                          const float *h, const struct tsl_dropout *d, uint64_t at,
                          const float *w, const float *b, float eps, size_t rows,
                          size_t cols)
{
    for (size_t r = 0; r < rows; r++, x += cols, h += cols, sum += cols, y += cols) {
        if (d->below)
            dropout_into(sum, x, h, cols, d, at + r * cols);
        else
            for (size_t i = 0; i < cols; i += V16)
                row_store(sum, v16_add(row_load(x, i, cols), row_load(h, i, cols)), i,
                          cols);
        layernorm_row(y, mean + r, rstd + r, sum, w, b, eps, cols);
    }
}
static void residual_norm_grad(float *dx, float *dh, float *dw, float *db,
                               const float *dy, const float *sum, const float *mean,
                               const float *rstd, const struct tsl_dropout *d,
                               uint64_t at, const float *w, bool adds, size_t rows,
                               size_t cols)
{
    for (size_t r = 0; r < rows; r++, dx += cols, dy += cols, sum += cols) {
        norm_grad_row(dx, dw, db, dy, sum, mean[r], rstd[r], w, true, adds, cols);
        if (dh)
            dropout_into(dh + r * cols, NULL, dx, cols, d, at + r * cols);
    }
}

#define ROWS_MEMBERS                                                                     \
    .rows_sum = rows_sum, .rows_max = rows_max, .softmax = softmax,                      \
    .log_softmax = log_softmax, .softmax_grad = softmax_grad,                            \
    .log_softmax_grad = log_softmax_grad, .cross_entropy = cross_entropy,                \
    .cross_entropy_grad = cross_entropy_grad, .entropy_part = entropy_part,              \
    .entropy_join = entropy_join, .entropy_part_grad = entropy_part_grad,                \
    .layernorm = layernorm, .layernorm_grad = layernorm_grad, .rmsnorm = rmsnorm,        \
    .rmsnorm_grad = rmsnorm_grad, .residual_norm = residual_norm,                        \
    .residual_norm_grad = residual_norm_grad

#endif

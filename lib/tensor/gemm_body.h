/* gemm_body.h - the family of kernels under gemm.h: packing, and a block of c from packed
 * panels.
 *
 * A tile of c, GEMM_ROWS by GEMM_VECS * 16, stays in registers while k runs; for each k it takes
 * GEMM_VECS loads and GEMM_ROWS broadcasts.  8 by 3 with AVX-512 (24 of 32 registers) gives 99 %
 * of an Ice Lake core's peak, 14 by 2 gave 94 %, 8 by 2 gave 90 %; eight rows of a may be read
 * where they lie even when they fall on the same lines of a cache of 12 ways, 12 may not.
 * Macros unroll, for compilers put an array into registers only when its indexes are constants
 * early.
 * Order: each chain in its own.
 * Memory: the caller's.
 * Threads: pure.
 * Included by kernels_ref.c, kernels_avx2.c and kernels_avx512.c only. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tensor/gemm_block.h"
#include "tensor/simd.h"

#if defined TSL_SIMD_PLAIN || !defined __x86_64__
#define GEMM_ROWS 4
#define GEMM_VECS 1
#elif defined __AVX512F__
#define GEMM_ROWS 8
#define GEMM_VECS 3
#else
#define GEMM_ROWS 6
#define GEMM_VECS 1
#endif

#define GEMM_EACH_ROW(X)                                                                 \
    X(0, a) X(1, a) X(2, a) X(3, a) X(4, a4) X(5, a4) X(6, a4) X(7, a4)

#if defined TSL_SIMD_PLAIN || !defined __x86_64__

/* One tile of rows <= GEMM_ROWS; lanes of its columns are used.  The definition of the others. */
static void gemm_tile(const struct tsl_gemm_block *g, unsigned rows, unsigned vecs,
                      const float *a, const float *b, float *c, const float *bias,
                      unsigned lanes, uintptr_t next, uintptr_t next_c)
{
    (void)vecs, (void)next, (void)next_c;
    for (unsigned i = 0; i < rows; i++, a += g->a_row, c += g->c_row)
        for (unsigned j = 0; j < lanes; j++) {
            float acc = g->from_c ? c[j] : 0;
            for (size_t k = 0; k < g->k; k++)
                acc = __builtin_fmaf(a[(ptrdiff_t)k * g->a_col], b[k * V16 + j], acc);
            c[j] = bias ? acc + bias[j] : acc;
        }
}

#else

/* One tile, rows <= GEMM_ROWS and vecs <= GEMM_VECS known when this is compiled.  lanes: of the
 * last vector, 1 to 16. */
V16_INLINE void gemm_tile(const struct tsl_gemm_block *g, unsigned rows, unsigned vecs,
                          const float *a, const float *b, float *c, const float *bias,
                          unsigned lanes, uintptr_t next, uintptr_t next_c)
{
    ptrdiff_t row = g->a_row, step = g->a_col, c_row = g->c_row;
    const float *a4 = rows > 4 ? a + 4 * row : a;
    v16 acc[8][3], b0, b1, b2;
    bool cut = lanes < V16;

#define GEMM_LAST(v) (cut && v + 1 == vecs)
#define GEMM_LOAD1(i, v)                                                                 \
    if (v < vecs)                                                                        \
        acc[i][v] = !g->from_c     ? v16_set(0)                                          \
                    : GEMM_LAST(v) ? v16_load_n(c + i * c_row + v * V16, lanes)          \
                                   : v16_load(c + i * c_row + v * V16);
#define GEMM_LOAD(i, p)                                                                  \
    if (i < rows) {                                                                      \
        GEMM_LOAD1(i, 0) GEMM_LOAD1(i, 1) GEMM_LOAD1(i, 2)                               \
    }
#define GEMM_BIAS1(i, v, x)                                                              \
    if (v < vecs)                                                                        \
        acc[i][v] = v16_add(acc[i][v], x);
#define GEMM_BIAS(i, p)                                                                  \
    if (i < rows) {                                                                      \
        GEMM_BIAS1(i, 0, b0) GEMM_BIAS1(i, 1, b1) GEMM_BIAS1(i, 2, b2)                   \
    }
#define GEMM_STORE1(i, v)                                                                \
    if (v < vecs) {                                                                      \
        if (GEMM_LAST(v))                                                                \
            v16_store_n(c + i * c_row + v * V16, acc[i][v], lanes);                      \
        else                                                                             \
            v16_store(c + i * c_row + v * V16, acc[i][v]);                               \
    }
#define GEMM_STORE(i, p)                                                                 \
    if (i < rows) {                                                                      \
        GEMM_STORE1(i, 0) GEMM_STORE1(i, 1) GEMM_STORE1(i, 2)                            \
    }
#define GEMM_FMA(i, p)                                                                   \
    if (i < rows) {                                                                      \
        v16 x = v16_set(p[(i & 3) * row]);                                               \
        acc[i][0] = v16_fma(x, b0, acc[i][0]);                                           \
        if (vecs > 1)                                                                    \
            acc[i][1] = v16_fma(x, b1, acc[i][1]);                                       \
        if (vecs > 2)                                                                    \
            acc[i][2] = v16_fma(x, b2, acc[i][2]);                                       \
    }
/* One k. */
#define GEMM_STEP                                                                        \
    {                                                                                    \
        b0 = v16_load(b);                                                                \
        if (vecs > 1)                                                                    \
            b1 = v16_load(b + V16);                                                      \
        if (vecs > 2)                                                                    \
            b2 = v16_load(b + 2 * V16);                                                  \
        GEMM_EACH_ROW(GEMM_FMA)                                                          \
        b += (size_t)vecs * V16;                                                         \
        a += step;                                                                       \
        if (rows > 4)                                                                    \
            a4 += step;                                                                  \
    }

    b0 = b1 = b2 = v16_set(0);
    GEMM_EACH_ROW(GEMM_LOAD)
    size_t k = g->k;
    unsigned fetched = 0;
    for (; k >= 16; k -= 16) {
        __builtin_prefetch((const void *)next, 0, 2);
        __builtin_prefetch((const void *)(next + g->next_other), 0, 2);
        next += 64;
        if (fetched < rows) {
            __builtin_prefetch((const void *)next_c, 1, 3);
            if (GEMM_VECS == 3) {
                __builtin_prefetch((const void *)(next_c + 64), 1, 3);
                __builtin_prefetch((const void *)(next_c + 128), 1, 3);
            }
            __builtin_prefetch((const void *)(next_c + 64 * GEMM_VECS - 4), 1, 3);
            next_c += (uintptr_t)c_row * sizeof *c;
            fetched++;
        }
#pragma GCC                                                                              \
    unroll 1 /* four steps hide the loop, and sixteen take compilers four times as long */
        for (unsigned i = 0; i < 4; i++) {
            GEMM_STEP
            GEMM_STEP
            GEMM_STEP
            GEMM_STEP
        }
    }
    for (; k; k--)
        GEMM_STEP
    if (bias) {
        b0 = vecs == 1 ? v16_load_n(bias, lanes) : v16_load(bias);
        if (vecs > 1)
            b1 = vecs == 2 ? v16_load_n(bias + V16, lanes) : v16_load(bias + V16);
        if (vecs > 2)
            b2 = v16_load_n(bias + 2 * V16, lanes);
        GEMM_EACH_ROW(GEMM_BIAS)
    }
    GEMM_EACH_ROW(GEMM_STORE)
}

#endif

/* What becomes of finished rows, while they are in a cache. */
static void gemm_finish(const struct tsl_gemm_block *g, size_t rows, float *c,
                        float *before)
{
    for (size_t i = 0; i < rows; i++, c += g->c_row) {
        if (before) {
            memcpy(before, c, g->n * sizeof *c);
            before += g->before_row;
        }
        if (g->after)
            g->after(c, c, g->n);
    }
}

/* All columns of some rows. */
V16_INLINE void gemm_rows(const struct tsl_gemm_block *g, unsigned rows, const float *a,
                          float *c, uintptr_t next)
{
    enum { WIDTH = GEMM_VECS * V16 };
    const float *b = g->b, *bias = g->bias;
    uintptr_t below = (uintptr_t)(c + rows * g->c_row);
    for (size_t j = 0; j < g->n; j += WIDTH) {
        size_t left = g->n - j;
        unsigned lanes = left % V16 ? (unsigned)(left % V16) : V16;
        uintptr_t next_c = left > WIDTH ? (uintptr_t)(c + WIDTH) : below;
        if (left > 2 * V16 && GEMM_VECS > 2)
            gemm_tile(g, rows, GEMM_VECS > 2 ? 3 : 1, a, b, c, bias,
                      left < WIDTH ? lanes : V16, next, next_c);
        else if (left > V16 && GEMM_VECS > 1)
            gemm_tile(g, rows, GEMM_VECS > 1 ? 2 : 1, a, b, c, bias, lanes, next, next_c);
        else
            gemm_tile(g, rows, 1, a, b, c, bias, left < V16 ? lanes : V16, next, next_c);
        b += g->b_panel;
        c += WIDTH;
        if (bias)
            bias += WIDTH;
        next += (uintptr_t)g->next_tile;
    }
}

static void gemm_rows_all(const struct tsl_gemm_block *g, const float *a, float *c,
                          uintptr_t next)
{
    gemm_rows(g, GEMM_ROWS, a, c, next);
}

static void gemm_rows_4(const struct tsl_gemm_block *g, const float *a, float *c)
{
    gemm_rows(g, 4, a, c, (uintptr_t)c);
}

static void gemm_rows_2(const struct tsl_gemm_block *g, const float *a, float *c)
{
    gemm_rows(g, 2, a, c, (uintptr_t)c);
}

static void gemm_rows_1(const struct tsl_gemm_block *g, const float *a, float *c)
{
    gemm_rows(g, 1, a, c, (uintptr_t)c);
}

static void gemm_block(const struct tsl_gemm_block *g)
{
    const float *panel = g->a;
    float *c = g->c, *before = g->before;
    for (size_t i = 0; i < g->m; i += GEMM_ROWS, panel += g->a_panel) {
        size_t rows = g->m - i < GEMM_ROWS ? g->m - i : GEMM_ROWS;
        if (rows == GEMM_ROWS) {
            gemm_rows_all(g, panel, c, (uintptr_t)(panel + g->a_panel));
        } else {
            const float *a = panel;
            float *to = c;
            for (size_t left = rows, n; left; left -= n) {
                n = left >= 4 ? 4 : left >= 2 ? 2 : 1;
                (n == 4 ? gemm_rows_4 : n == 2 ? gemm_rows_2 : gemm_rows_1)(g, a, to);
                a += (ptrdiff_t)n * g->a_row;
                to += (ptrdiff_t)n * g->c_row;
            }
        }
        if (g->after || before)
            gemm_finish(g, rows, c, before);
        c += GEMM_ROWS * g->c_row;
        if (before)
            before += GEMM_ROWS * g->before_row;
    }
}

/* ---- packing ------------------------------------------------------------------------------ */

/* To bfloat16 and back: nearest, half to even; NaN stays one. */
V16_INLINE v16 gemm_bf16(v16 x)
{
    v16i u = v16_as_int(x);
    v16i odd = v16i_and(v16i_shr(u, 16), v16i_set(1));
    v16i near = v16i_add(v16i_add(u, v16i_set(0x7fff)), odd);
    v16i kept = v16i_or(u, v16i_set(0x400000));
    near = v16i_where(v16_isnan(x), kept, near);
    return v16_as_float(v16i_and(near, v16i_set(0xffff0000)));
}

#if GEMM_ROWS == 8
V16_INLINE void gemm_transpose(v16 *r)
{
    v16 t[16];
    for (unsigned i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#define GEMM_PD(op, x, y) _mm512_castpd_ps(op(_mm512_castps_pd(x), _mm512_castps_pd(y)))
    for (unsigned i = 0; i < 16; i += 4) {
        r[i] = GEMM_PD(_mm512_unpacklo_pd, t[i], t[i + 2]);
        r[i + 1] = GEMM_PD(_mm512_unpackhi_pd, t[i], t[i + 2]);
        r[i + 2] = GEMM_PD(_mm512_unpacklo_pd, t[i + 1], t[i + 3]);
        r[i + 3] = GEMM_PD(_mm512_unpackhi_pd, t[i + 1], t[i + 3]);
    }
    for (unsigned i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (unsigned i = 0; i < 8; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    }
}
#else
V16_INLINE void gemm_transpose(v16 *r)
{
    float f[16][16];
    for (unsigned i = 0; i < 16; i++)
        v16_store(f[i], r[i]);
    for (unsigned i = 0; i < 16; i++) {
        float column[16];
        for (unsigned j = 0; j < 16; j++)
            column[j] = f[j][i];
        r[i] = v16_load(column);
    }
}
#endif

/* One line of a panel, of items side by side; width is a constant where it can be. */
V16_INLINE void gemm_pack_line(float *to, const float *from, size_t items, size_t width,
                               bool bf16, uintptr_t ahead)
{
    for (size_t j = 0; j < width; j += V16) {
        unsigned room = width - j < V16 ? (unsigned)(width - j) : V16;
        size_t left = items > j ? items - j : 0;
        v16 x = v16_load_n(from + j, left < room ? (unsigned)left : room);
        v16_store_n(to + j, bf16 ? gemm_bf16(x) : x, room);
        __builtin_prefetch((const void *)(ahead + j * sizeof *from), 0, 2);
    }
}

/* Line after line, as they lie in memory. */
V16_INLINE void gemm_pack_lines(float *to, const struct tsl_gemm_source *s, size_t width,
                                bool bf16)
{
    enum { AHEAD = 8 };
    size_t rest = s->items % width, full = s->items - rest;
    size_t rest_width = (rest + s->unit - 1) / s->unit * s->unit;
    for (size_t k = 0; k < s->lines; k++) {
        const float *from = s->from + (ptrdiff_t)k * s->line;
        uintptr_t ahead = (uintptr_t)(from + AHEAD * s->line);
        float *at = to + k * width;
        for (size_t j = 0; j < full; j += width, at += s->panel)
            gemm_pack_line(at, from + j, width, width, bf16, ahead + j * sizeof *from);
        if (rest)
            gemm_pack_line(at - k * width + k * rest_width, from + full, rest, rest_width,
                           bf16, ahead);
    }
}

/* 16 items or fewer of a panel, whose lines lie side by side. */
V16_INLINE void gemm_pack_turned(float *to, const struct tsl_gemm_source *s,
                                 const float *from, size_t items, unsigned room,
                                 size_t width)
{
    for (size_t k = 0; k < s->lines; k += V16) {
        unsigned lines = s->lines - k < V16 ? (unsigned)(s->lines - k) : V16;
        v16 r[16];
        for (unsigned i = 0; i < 16; i++) {
            r[i] = v16_set(0);
            if (i >= items)
                continue;
            const float *item = from + (ptrdiff_t)i * s->item + k;
            r[i] = lines == V16 ? v16_load(item) : v16_load_n(item, lines);
            __builtin_prefetch((const void *)(uintptr_t)(item + 16 * s->item), 0, 2);
        }
        gemm_transpose(r);
        for (unsigned i = 0; i < lines; i++)
            v16_store_n(to + (k + i) * width, s->bf16 ? gemm_bf16(r[i]) : r[i], room);
    }
}

static void gemm_pack_any(float *to, const struct tsl_gemm_source *s, const float *from,
                          size_t items, size_t width)
{
    for (size_t k = 0; k < s->lines; k++)
        for (size_t j = 0; j < width; j++) {
            float all[16] = { 0 };
            if (j < items)
                all[0] = from[(ptrdiff_t)k * s->line + (ptrdiff_t)j * s->item];
            if (s->bf16)
                v16_store(all, gemm_bf16(v16_load(all)));
            to[k * width + j] = all[0];
        }
}

static void gemm_pack(float *to, const struct tsl_gemm_source *s)
{
    if (s->item == 1) {
        if (s->width == GEMM_ROWS)
            gemm_pack_lines(to, s, GEMM_ROWS, s->bf16);
        else
            gemm_pack_lines(to, s, GEMM_VECS * V16, s->bf16);
        return;
    }
    for (size_t j = 0; j < s->items; j += s->width, to += s->panel) {
        size_t items = s->items - j < s->width ? s->items - j : s->width;
        size_t width = (items + s->unit - 1) / s->unit * s->unit;
        const float *from = s->from + (ptrdiff_t)j * s->item;
        if (s->line != 1) {
            gemm_pack_any(to, s, from, items, width);
            continue;
        }
        for (size_t i = 0; i < width; i += V16) {
            unsigned room = width - i < V16 ? (unsigned)(width - i) : V16;
            size_t left = items > i ? items - i : 0;
            if (left >= V16 && room == V16)
                gemm_pack_turned(to + i, s, from + (ptrdiff_t)i * s->item, V16, V16,
                                 width);
            else
                gemm_pack_turned(to + i, s, from + (ptrdiff_t)i * s->item, left, room,
                                 width);
        }
    }
}

#define GEMM_MEMBERS                                                                     \
    .gemm_rows = GEMM_ROWS, .gemm_cols = GEMM_VECS * V16, .gemm_pack = gemm_pack,        \
    .gemm_block = gemm_block

/* gemm_body.h - the family of kernels under gemm.h: packing, and a block of c from packed
 * panels.
 *
 * A tile of c, GEMM_ROWS by GEMM_VECS * 16, stays in registers while k runs; for each k it takes
 * GEMM_VECS loads and GEMM_ROWS broadcasts.  6 by 4 with AVX-512 (24 of 32 registers) gives 98 %
 * of an Ice Lake core's peak, as 8 by 3 does, and cuts what models have, multiples of 64, into
 * whole tiles.  Steps through a and b must be constants for it: with strides in registers,
 * compilers spend more on addresses than is free beside the multiply-adds (87 %).
 * Macros unroll, for compilers put an array into registers only when its indexes are constants
 * early.
 * Order: each chain in its own.
 * Memory: the caller's.
 * Threads: pure.
 * Included by kernels_ref.c, kernels_avx2.c and kernels_avx512.c only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tensor/gemm_block.h"
#include "tensor/simd.h"

#if defined TSL_SIMD_PLAIN || !defined __x86_64__
#define GEMM_ROWS 4
#define GEMM_VECS 1
#elif defined __AVX512F__
#define GEMM_ROWS 6
#define GEMM_VECS 4
#else
#define GEMM_ROWS 6
#define GEMM_VECS 1
#endif

#if defined TSL_SIMD_PLAIN || !defined __x86_64__

/* One tile of rows <= GEMM_ROWS; lanes of its columns are used.  The definition of the others. */
static void gemm_tile(const struct tsl_gemm_block *g, bool panel, unsigned rows,
                      unsigned vecs, const float *a, const float *b, float *c,
                      const float *bias, unsigned lanes, uintptr_t next, uintptr_t next_c)
{
    (void)panel, (void)vecs, (void)next, (void)next_c;
    for (unsigned i = 0; i < rows; i++, a += g->a_row, c += g->c_row)
        for (unsigned j = 0; j < lanes; j++) {
            float acc = 0;
            for (size_t k = 0; k < g->k; k++)
                acc = __builtin_fmaf(a[(ptrdiff_t)k * g->a_col], b[k * V16 + j], acc);
            acc = g->from_c ? c[j] + acc : acc;
            c[j] = bias ? acc + bias[j] : acc;
        }
}

#else

#define GEMM_EACH_ROW(X) X(0) X(1) X(2) X(3) X(4) X(5)
#define GEMM_EACH_VEC(X, i) X(i, 0) X(i, 1) X(i, 2) X(i, 3)
#define GEMM_LAST(v) (cut && v + 1 == vecs)
#define GEMM_ZERO1(i, v)                                                                 \
    if (v < vecs)                                                                        \
        acc[i][v] = v16_set(0);
#define GEMM_ZERO(i)                                                                     \
    if (i < rows) {                                                                      \
        GEMM_EACH_VEC(GEMM_ZERO1, i)                                                     \
    }
#define GEMM_ADD1(i, v)                                                                  \
    if (v < vecs)                                                                        \
        acc[i][v] = v16_add(GEMM_LAST(v) ? v16_load_n(c + i * c_row + v * V16, lanes)    \
                                         : v16_load(c + i * c_row + v * V16),            \
                            acc[i][v]);
#define GEMM_ADD(i)                                                                      \
    if (i < rows) {                                                                      \
        GEMM_EACH_VEC(GEMM_ADD1, i)                                                      \
    }
#define GEMM_BIAS1(i, v)                                                                 \
    if (v < vecs)                                                                        \
        acc[i][v] = v16_add(acc[i][v], x##v);
#define GEMM_BIAS(i)                                                                     \
    if (i < rows) {                                                                      \
        GEMM_EACH_VEC(GEMM_BIAS1, i)                                                     \
    }
#define GEMM_STORE1(i, v)                                                                \
    if (v < vecs) {                                                                      \
        if (GEMM_LAST(v))                                                                \
            v16_store_n(c + i * c_row + v * V16, acc[i][v], lanes);                      \
        else                                                                             \
            v16_store(c + i * c_row + v * V16, acc[i][v]);                               \
    }
#define GEMM_STORE(i)                                                                    \
    if (i < rows) {                                                                      \
        GEMM_EACH_VEC(GEMM_STORE1, i)                                                    \
    }
#define GEMM_FMA1(i, v)                                                                  \
    if (v < vecs)                                                                        \
        acc[i][v] = v16_fma(y, x##v, acc[i][v]);
#define GEMM_FMA(i)                                                                      \
    if (i < rows) {                                                                      \
        v16 y = v16_set((i < 3 ? a : a3)[i % 3 * row + at * step]);                      \
        GEMM_EACH_VEC(GEMM_FMA1, i)                                                      \
    }
#define GEMM_BIAS_X(v)                                                                   \
    v16 x##v = v >= vecs      ? v16_set(0)                                               \
               : GEMM_LAST(v) ? v16_load_n(bias + v * V16, lanes)                        \
                              : v16_load(bias + v * V16);
#define GEMM_BIAS_XS GEMM_BIAS_X(0) GEMM_BIAS_X(1) GEMM_BIAS_X(2) GEMM_BIAS_X(3)
#define GEMM_B(v, from) v16 x##v = v < vecs ? v16_load((from) + v * V16) : v16_set(0);
/* The nth k from where a and b are. */
#define GEMM_STEP(nth)                                                                   \
    {                                                                                    \
        const ptrdiff_t at = nth;                                                        \
        GEMM_B(0, b + at * b_step)                                                       \
        GEMM_B(1, b + at * b_step)                                                       \
        GEMM_B(2, b + at * b_step)                                                       \
        GEMM_B(3, b + at * b_step)                                                       \
        (void)x1, (void)x2, (void)x3;                                                    \
        GEMM_EACH_ROW(GEMM_FMA)                                                          \
    }

V16_INLINE void gemm_fetch(struct tsl_gemm_fetch *f)
{
    __builtin_prefetch((const void *)f->at, 0, 2);
    f->at += 64;
    if (f->at < f->end)
        return;
    if (--f->lines > 0) {
        f->end += (uintptr_t)f->step;
        f->at = f->line += (uintptr_t)f->step;
    } else if (f->then) {
        *f = *f->then;
    } else {
        f->lines = 1;
        f->at = f->line;
    }
}

/* One tile, rows <= GEMM_ROWS, vecs <= GEMM_VECS and lie known when this is compiled.  lanes: of
 * the last vector, 1 to 16. */
V16_INLINE void gemm_tile(const struct tsl_gemm_block *g, bool panel, unsigned rows,
                          unsigned vecs, const float *a, const float *b, float *c,
                          const float *bias, unsigned lanes, uintptr_t next,
                          uintptr_t next_c)
{
    enum { STEPS = 8 };
    const ptrdiff_t row = panel ? 1 : g->a_row, step = panel ? GEMM_ROWS : 1;
    const ptrdiff_t b_step = (ptrdiff_t)vecs * V16, c_row = g->c_row;
    const float *a3 = rows > 3 ? a + 3 * row : a;
    v16 acc[6][4];
    bool cut = lanes < V16;
    GEMM_EACH_ROW(GEMM_ZERO)
    size_t k = g->k;
    for (unsigned round = 0; k >= STEPS; k -= STEPS, round++) {
        if (panel) {
            gemm_fetch(g->fetch);
            gemm_fetch(g->fetch);
        } else {
            __builtin_prefetch((const void *)next, 0, 2);
            next += round % 2 ? 64 - g->next_other : g->next_other;
        }
        __builtin_prefetch((const void *)next_c, 1, 3);
        next_c += round % 4 < 3 ? 64 : c_row * sizeof *c - 192;
        GEMM_STEP(0)
        GEMM_STEP(1)
        GEMM_STEP(2)
        GEMM_STEP(3)
        GEMM_STEP(4)
        GEMM_STEP(5)
        GEMM_STEP(6)
        GEMM_STEP(7)
        a += STEPS * step;
        a3 += STEPS * step;
        b += STEPS * b_step;
    }
    for (; k; k--, a += step, a3 += step, b += b_step)
        GEMM_STEP(0)
    if (g->from_c) {
        GEMM_EACH_ROW(GEMM_ADD)
    }
    if (bias) {
        GEMM_BIAS_XS(void) x1, (void)x2, (void)x3;
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
V16_INLINE void gemm_rows(const struct tsl_gemm_block *g, bool panel, unsigned rows,
                          const float *a, float *c, uintptr_t next)
{
    enum { WIDTH = GEMM_VECS * V16 };
    const float *b = g->b, *bias = g->bias;
    uintptr_t below = (uintptr_t)(c + rows * g->c_row);
    for (size_t j = 0; j < g->n; j += WIDTH) {
        size_t left = g->n - j;
        unsigned lanes = left % V16 && left < WIDTH ? (unsigned)(left % V16) : V16;
        uintptr_t next_c = left > WIDTH ? (uintptr_t)(c + WIDTH) : below;
        if (GEMM_VECS < 4 || left > (size_t)3 * V16)
            gemm_tile(g, panel, rows, GEMM_VECS, a, b, c, bias, lanes, next, next_c);
        else if (left > (size_t)2 * V16)
            gemm_tile(g, panel, rows, 3, a, b, c, bias, lanes, next, next_c);
        else if (left > V16)
            gemm_tile(g, panel, rows, 2, a, b, c, bias, lanes, next, next_c);
        else
            gemm_tile(g, panel, rows, 1, a, b, c, bias, lanes, next, next_c);
        b += g->b_panel;
        c += WIDTH;
        if (bias)
            bias += WIDTH;
        next += (uintptr_t)g->next_tile;
    }
}

#define GEMM_SOME_ROWS(name, panel, rows)                                                \
    static void name(const struct tsl_gemm_block *g, const float *a, float *c,           \
                     uintptr_t next)                                                     \
    {                                                                                    \
        gemm_rows(g, panel, rows, a, c, next);                                           \
    }
GEMM_SOME_ROWS(gemm_panel_all, true, GEMM_ROWS)
GEMM_SOME_ROWS(gemm_panel_4, true, 4)
GEMM_SOME_ROWS(gemm_panel_2, true, 2)
GEMM_SOME_ROWS(gemm_panel_1, true, 1)
GEMM_SOME_ROWS(gemm_place_all, false, GEMM_ROWS)
GEMM_SOME_ROWS(gemm_place_4, false, 4)
GEMM_SOME_ROWS(gemm_place_2, false, 2)
GEMM_SOME_ROWS(gemm_place_1, false, 1)

static void gemm_block(const struct tsl_gemm_block *g)
{
    const bool packed = g->a_col != 1;
    const float *panel = g->a;
    float *c = g->c, *before = g->before;
    for (size_t i = 0; i < g->m; i += GEMM_ROWS, panel += g->a_panel) {
        size_t rows = g->m - i < GEMM_ROWS ? g->m - i : GEMM_ROWS;
        const float *a = panel;
        float *to = c;
        for (size_t left = rows, n; left; left -= n) {
            uintptr_t next = (uintptr_t)(panel + g->a_panel);
            n = left == GEMM_ROWS ? left : left >= 4 ? 4 : left >= 2 ? 2 : 1;
            if (n == GEMM_ROWS)
                (packed ? gemm_panel_all : gemm_place_all)(g, a, to, next);
            else if (n == 4)
                (packed ? gemm_panel_4 : gemm_place_4)(g, a, to, next);
            else if (n == 2)
                (packed ? gemm_panel_2 : gemm_place_2)(g, a, to, next);
            else
                (packed ? gemm_panel_1 : gemm_place_1)(g, a, to, next);
            a += (ptrdiff_t)n * g->a_row;
            to += (ptrdiff_t)n * g->c_row;
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

/* Some lines of a narrow panel.  Eight floats are moved where six are wanted: the others are
 * overwritten by the next line, or lie in the gap behind the panel.  So it takes half as long. */
V16_INLINE void gemm_pack_narrow(float *to, const float *from, ptrdiff_t line,
                                 size_t some, size_t width, size_t behind)
{
    enum { EIGHT = 8 };
    if (width < EIGHT && behind >= EIGHT)
        for (size_t k = 0; k < some; k++, from += line, to += width)
            memcpy(to, from, EIGHT * sizeof *to);
    else
        for (size_t k = 0; k < some; k++, from += line, to += width)
            memcpy(to, from, width * sizeof *to);
}

/* As they lie in memory, some lines of a panel and then of the next: what is read and what is
 * written stay in the first cache so.  Narrow panels are copied without masks, and their lines
 * fetched once for all panels that share them: both take longer than the copy itself. */
V16_INLINE void gemm_pack_lines(float *to, const struct tsl_gemm_source *s, size_t width,
                                bool bf16)
{
    enum { BLOCK = 8 };
    const size_t rest = s->items % width, full = s->items - rest;
    const size_t rest_width = (rest + s->unit - 1) / s->unit * s->unit;
    const ptrdiff_t line = s->line;
    for (size_t first = 0; first < s->lines; first += BLOCK) {
        size_t some = s->lines - first < BLOCK ? s->lines - first : BLOCK;
        float *panel = to + first * width;
        const float *begin = s->from + (ptrdiff_t)first * line;
        for (size_t j = 0; j < full; j += width, panel += s->panel) {
            const float *from = begin + j;
            float *at = panel;
            if (width < V16 && !bf16) {
                for (size_t k = 0; j % V16 < width && k < BLOCK; k++)
                    __builtin_prefetch(
                        (const void *)(uintptr_t)(from + (ptrdiff_t)(BLOCK + k) * line),
                        0, 2);
                if (some == BLOCK)
                    gemm_pack_narrow(at, from, line, BLOCK, width, s->items - j);
                else
                    gemm_pack_narrow(at, from, line, some, width, s->items - j);
                continue;
            }
            for (size_t k = 0; k < some; k++, from += line, at += width)
                gemm_pack_line(at, from, width, width, bf16,
                               (uintptr_t)(from + BLOCK * line));
        }
        for (size_t k = 0; rest && k < some; k++)
            gemm_pack_line(panel - first * width + (first + k) * rest_width,
                           begin + (ptrdiff_t)k * line + full, rest, rest_width, bf16,
                           (uintptr_t)begin);
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
        v16_transpose(r);
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

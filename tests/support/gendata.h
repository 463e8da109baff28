/* gendata.h - data for tests: the same for the same seed, anywhere; and rows found the
 * slow way.
 *
 * Shares no code with what it tests.  Header only, so that fuzz targets can have it
 * too. */
#ifndef TSL_GENDATA_H
#define TSL_GENDATA_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "io/frame.h"

struct gen {
    uint64_t state;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t gen_u64(struct gen *g)
{
    uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline uint64_t gen_below(struct gen *g, uint64_t n)
{
    return gen_u64(g) % n;
}

static inline void gen_bytes(struct gen *g, void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)p)[i] = (uint8_t)gen_u64(g);
}

/* Rows with their bytes and addresses, and the bytes that they were found in. */
struct rowlist {
    uint8_t *bytes;
    size_t len, cap;
    struct rowlist_row {
        uint64_t addr;
        size_t at, len; /* in bytes */
    } * rows;
    size_t nrows, rows_cap;
};

static inline void rowlist_free(struct rowlist *l)
{
    free(l->bytes);
    free(l->rows);
    *l = (struct rowlist){ 0 };
}

/* Bytes behind those that there are. */
static inline void rowlist_bytes(struct rowlist *l, const void *p, size_t n)
{
    if (n > SIZE_MAX / 4)
        abort();
    if (l->len + n + 1 > l->cap) {
        l->cap = 2 * (l->len + n + 1);
        l->bytes = realloc(l->bytes, l->cap);
        if (!l->bytes)
            abort();
    }
    if (n)
        memcpy(l->bytes + l->len, p, n);
    l->len += n;
}

static inline void rowlist_place(struct rowlist *l, uint64_t addr, size_t at, size_t len)
{
    if (l->nrows == l->rows_cap) {
        l->rows_cap = l->rows_cap ? 2 * l->rows_cap : 64;
        l->rows = realloc(l->rows, l->rows_cap * sizeof *l->rows);
        if (!l->rows)
            abort();
    }
    l->rows[l->nrows++] = (struct rowlist_row){ addr, at, len };
}

/* A row whose bytes are not among those that there are. */
static inline void rowlist_add(struct rowlist *l, uint64_t addr, const void *p,
                               size_t len)
{
    size_t at = l->len;
    rowlist_bytes(l, p, len);
    rowlist_place(l, addr, at, len);
}

/* The same rows at the same addresses? */
static inline bool rowlist_equal(const struct rowlist *a, const struct rowlist *b)
{
    if (a->nrows != b->nrows)
        return false;
    for (size_t i = 0; i < a->nrows; i++) {
        const struct rowlist_row *x = &a->rows[i], *y = &b->rows[i];
        if (x->addr != y->addr || x->len != y->len ||
            (x->len && memcmp(a->bytes + x->at, b->bytes + y->at, x->len) != 0))
            return false;
    }
    return true;
}

/* The rows of one more file behind those of l, byte by byte, by the words of frame.h. l's
 * bytes become the concatenation of the files, missing ends supplied.  false: the last
 * row is cut short (and l is what it was). */
static inline bool slow_rows(struct rowlist *l, const struct tsl_frame *f,
                             const uint8_t *p, size_t n)
{
    const size_t start = l->len;
    size_t at = 0;
    if (f->kind == TSL_FRAME_FIXED) {
        if (n % f->fixed)
            return false;
        rowlist_bytes(l, p, n);
        for (; at < n; at += f->fixed)
            rowlist_place(l, start + at, start + at, f->fixed);
        return true;
    }
    if (f->kind == TSL_FRAME_U32) {
        size_t nrows = l->nrows;
        while (at < n) {
            size_t len = 0;
            for (size_t i = 0; i < 4 && at + i < n; i++)
                len |= (size_t)p[at + i] << 8 * i;
            if (n - at < 4 || n - at - 4 < len) {
                l->nrows = nrows;
                return false;
            }
            rowlist_place(l, start + at, start + at + 4, len);
            at += 4 + len;
        }
        rowlist_bytes(l, p, n);
        return true;
    }
    uint8_t end = f->kind == TSL_FRAME_NUL ? 0 : '\n';
    rowlist_bytes(l, p, n);
    if (n > 0 && p[n - 1] != end)
        rowlist_bytes(l, &end, 1);
    size_t row = start, line = start; /* where the row, and its last line, begin */
    bool inside = false;
    for (size_t i = start; i < l->len; i++) {
        if (l->bytes[i] != end)
            continue;
        bool blank = i == line || (i == line + 1 && l->bytes[line] == '\r');
        if (f->kind != TSL_FRAME_PARA) {
            rowlist_place(l, line, line, i - line);
        } else if (!blank && !inside) {
            row = line;
            inside = true;
        } else if (blank && inside) {
            rowlist_place(l, row, row, line - 1 - row);
            inside = false;
        }
        line = i + 1;
    }
    if (inside) {
        rowlist_place(l, row, row, l->len - 1 - row);
        rowlist_bytes(l, "\n", 1);
    }
    return true;
}

/* The next n bytes of a file of rows: mostly short ones, some empty, one in rare longer
 * than longest / 2; of few different bytes, ends and blank lines among them.  Whole for
 * fixed and u32, so the bytes may be fewer than most; at least most / 2 where rows are
 * that short. */
static inline size_t gen_rows(struct gen *g, const struct tsl_frame *f, uint8_t *p,
                              size_t most, size_t longest, unsigned rare)
{
    static const char alphabet[] = "abcdefgh\r\n \0";
    size_t n = 0;
    for (;;) {
        size_t len = gen_below(g, 24);
        if (rare && gen_below(g, rare) == 0)
            len = longest / 2 + gen_below(g, longest / 2 + 1);
        else if (gen_below(g, 8) == 0)
            len = 0;
        if (f->kind == TSL_FRAME_FIXED)
            len = f->fixed;
        if (n + len + 4 > most)
            return n;
        tsl_frame_put_head(f, p + n, len);
        n += tsl_frame_head(f);
        for (size_t i = 0; i < len; i++) {
            uint8_t c = (uint8_t)alphabet[gen_below(g, sizeof alphabet - 1)];
            bool ends = f->kind == TSL_FRAME_NUL ? c == 0 : c == '\n';
            p[n++] =
                ends && len > 24 && f->kind != TSL_FRAME_FIXED && f->kind != TSL_FRAME_U32
                    ? 'x' /* keep long rows long */
                    : c;
        }
        tsl_frame_put_tail(f, p + n);
        n += tsl_frame_tail(f);
    }
}

#endif

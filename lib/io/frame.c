#include "io/frame.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/endian.h"
#include "base/parse.h"

bool tsl_frame_parse(const char *s, struct tsl_frame *out)
{
    static const char *const names[] = { "line", "nul", "para", NULL, "u32" };
    uint64_t n;
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (names[i] && strcmp(s, names[i]) == 0) {
            *out = (struct tsl_frame){ (enum tsl_frame_kind)i, 0 };
            return true;
        }
    if (strncmp(s, "fixed:", 6) != 0 || !tsl_parse_size(s + 6, 0, &n) || n < 1 ||
        n > UINT32_MAX)
        return false;
    *out = (struct tsl_frame){ TSL_FRAME_FIXED, (uint32_t)n };
    return true;
}

size_t tsl_frame_head(const struct tsl_frame *f)
{
    return f->kind == TSL_FRAME_U32 ? 4 : 0;
}

size_t tsl_frame_tail(const struct tsl_frame *f)
{
    static const size_t tail[] = { 1, 1, 2, 0, 0 };
    return tail[f->kind];
}

void tsl_frame_put_head(const struct tsl_frame *f, uint8_t *p, uint64_t len)
{
    if (f->kind == TSL_FRAME_U32)
        tsl_store32(p, (uint32_t)len);
}

void tsl_frame_put_tail(const struct tsl_frame *f, uint8_t *p)
{
    switch (f->kind) {
    case TSL_FRAME_LINE: p[0] = '\n'; break;
    case TSL_FRAME_NUL: p[0] = '\0'; break;
    case TSL_FRAME_PARA: p[0] = p[1] = '\n'; break;
    case TSL_FRAME_FIXED:
    case TSL_FRAME_U32: break;
    }
}

static uint8_t delimiter(const struct tsl_frame *f)
{
    return f->kind == TSL_FRAME_NUL ? '\0' : '\n';
}

/* Is the line that ends with the newline p[i] blank?  p begins with the start of a line.
 */
static bool blank_line(const uint8_t *p, size_t i)
{
    if (i == 0 || p[i - 1] == '\n')
        return true;
    return p[i - 1] == '\r' && (i == 1 || p[i - 2] == '\n');
}

size_t tsl_frame_whole(const struct tsl_frame *f, const uint8_t *p, size_t n)
{
    const uint8_t *last;
    size_t at = 0;
    switch (f->kind) {
    case TSL_FRAME_LINE:
    case TSL_FRAME_NUL:
        last = n ? memrchr(p, delimiter(f), n) : NULL;
        return last ? (size_t)(last - p) + 1 : 0;
    case TSL_FRAME_PARA:
        for (last = n ? memrchr(p, '\n', n) : NULL; last;
             last = last > p ? memrchr(p, '\n', (size_t)(last - p)) : NULL)
            if (blank_line(p, (size_t)(last - p)))
                return (size_t)(last - p) + 1;
        return 0;
    case TSL_FRAME_FIXED: return n - n % f->fixed;
    case TSL_FRAME_U32:
        while (n - at >= 4 && n - at - 4 >= tsl_load32(p + at))
            at += 4 + (size_t)tsl_load32(p + at);
        return at;
    }
    return 0;
}

/* The hot one: 64 bytes a turn, a bit for each delimiter among them. */
static size_t split_delimited(uint8_t delim, const uint8_t *p, size_t n, size_t from,
                              struct tsl_row *rows, size_t cap, size_t *nrows)
{
    size_t k = 0, at = from;
#ifdef __SSE2__
    size_t start = from;
    const __m128i d = _mm_set1_epi8((char)delim);
    for (; n - at >= 64 && cap - k >= 64; at += 64) {
        uint64_t hits = 0;
        for (int i = 0; i < 4; i++) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + at + 16 * i));
            hits |= (uint64_t)(uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(v, d))
                    << (16 * i);
        }
        for (; hits; hits &= hits - 1) {
            size_t end = at + (size_t)__builtin_ctzll(hits);
            rows[k++] = (struct tsl_row){ (uint32_t)start, (uint32_t)(end - start) };
            start = end + 1;
        }
    }
    at = start;
#endif
    while (at < n && k < cap) {
        const uint8_t *end = memchr(p + at, delim, n - at);
        if (!end)
            break; /* unreachable while the rows are whole */
        rows[k++] = (struct tsl_row){ (uint32_t)at, (uint32_t)(end - p - (ptrdiff_t)at) };
        at = (size_t)(end - p) + 1;
    }
    *nrows = k;
    return at;
}

static size_t split_paragraphs(const uint8_t *p, size_t n, size_t from,
                               struct tsl_row *rows, size_t cap, size_t *nrows)
{
    size_t k = 0, start = from, at = from;
    bool inside = false;
    while (at < n && k < cap) {
        const uint8_t *nl = memchr(p + at, '\n', n - at);
        size_t end = nl ? (size_t)(nl - p) : n;
        bool blank = end == at || (end == at + 1 && p[at] == '\r');
        if (!blank && !inside) {
            start = at;
            inside = true;
        } else if (blank && inside) {
            /* the row ends before the newline of its last line */
            rows[k++] = (struct tsl_row){ (uint32_t)start, (uint32_t)(at - 1 - start) };
            inside = false;
        }
        at = end + 1;
    }
    *nrows = k;
    return at < n ? at : n;
}

size_t tsl_frame_split(const struct tsl_frame *f, const uint8_t *p, size_t n, size_t from,
                       struct tsl_row *rows, size_t cap, size_t *nrows)
{
    size_t k = 0, at = from;
    switch (f->kind) {
    case TSL_FRAME_LINE:
    case TSL_FRAME_NUL:
        return split_delimited(delimiter(f), p, n, from, rows, cap, nrows);
    case TSL_FRAME_PARA: return split_paragraphs(p, n, from, rows, cap, nrows);
    case TSL_FRAME_FIXED:
        for (; k < cap && n - at >= f->fixed; at += f->fixed)
            rows[k++] = (struct tsl_row){ (uint32_t)at, f->fixed };
        break;
    case TSL_FRAME_U32:
        for (; k < cap && n - at >= 4; at += 4 + (size_t)rows[k++].len)
            rows[k] = (struct tsl_row){ (uint32_t)at + 4, tsl_load32(p + at) };
        break;
    }
    *nrows = k;
    return at;
}

size_t tsl_frame_finish(const struct tsl_frame *f, uint8_t *p, size_t n)
{
    size_t whole = tsl_frame_whole(f, p, n);
    if (whole == n)
        return n;
    switch (f->kind) {
    case TSL_FRAME_LINE:
    case TSL_FRAME_NUL: p[n++] = delimiter(f); return n;
    case TSL_FRAME_PARA:
        if (p[n - 1] != '\n')
            p[n++] = '\n';
        if (!blank_line(p + whole, n - 1 - whole))
            p[n++] = '\n';
        return n;
    case TSL_FRAME_FIXED:
    case TSL_FRAME_U32: break;
    }
    return 0;
}

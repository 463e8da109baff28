#include "io/inputs.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"

enum { HEADER_MAX = 64 << 20 };

struct tsl_inputs {
    struct tsl_inputs_opts o;
    size_t next_path;
    struct tsl_source source;
    bool open;
    uint64_t addr; /* of the first byte of carry, or of the next byte of the source */
    uint64_t file_addr; /* of the open file's first byte */
    uint8_t *carry;     /* the begun row at the end of the last batch */
    size_t carry_len;
    bool in_row;                 /* a row longer than a batch is being delivered */
    uint64_t row_addr, row_left; /* its address; bytes still to come (fixed, u32) */
    uint8_t *header;
    size_t header_len;
    const char *header_from;
    uint64_t counted; /* of file.done in progress */
};

int tsl_inputs_create(struct tsl_inputs **out, const struct tsl_inputs_opts *o,
                      struct tsl_err *err)
{
    struct tsl_inputs *in = tsl_mem_alloc(1, sizeof *in, "the inputs", err);
    if (!in)
        return TSL_ENOMEM;
    in->o = *o;
    in->source = (struct tsl_source){ .file = TSL_FILE_INIT };
    in->carry = tsl_pages_map(o->batch_bytes + TSL_BATCH_SLACK, "a read buffer", err);
    if (!in->carry) {
        tsl_mem_free(in);
        return TSL_ENOMEM;
    }
    *out = in;
    return 0;
}

void tsl_inputs_destroy(struct tsl_inputs *in)
{
    if (!in)
        return;
    tsl_source_close(&in->source, NULL);
    tsl_pages_unmap(in->carry, in->o.batch_bytes + TSL_BATCH_SLACK);
    tsl_mem_free(in->header);
    tsl_mem_free(in);
}

size_t tsl_inputs_file(const struct tsl_inputs *in)
{
    return in->next_path ? in->next_path - 1 : 0;
}

bool tsl_inputs_place(const struct tsl_inputs *in, struct tsl_place *p)
{
    const struct tsl_file *f = &in->source.file;
    if (!in->in_row || !in->open || in->source.decoder || !f->regular || f->borrowed)
        return false;
    *p = (struct tsl_place){ .file = f,
                             .number = tsl_inputs_file(in),
                             .at = in->row_addr - in->file_addr +
                                   tsl_frame_head(&in->o.frame) };
    return p->at < f->size;
}

void tsl_inputs_header(const struct tsl_inputs *in, const uint8_t **bytes, size_t *len)
{
    *bytes = in->header;
    *len = in->header_len;
}

static void count(struct tsl_inputs *in)
{
    if (in->o.progress)
        atomic_fetch_add_explicit(&in->o.progress->file_bytes_read,
                                  in->source.file.done - in->counted,
                                  memory_order_relaxed);
    in->counted = in->source.file.done;
}

/* Where the first want rows of the n bytes at p end; 0 when they hold fewer. */
static size_t rows_end(const struct tsl_frame *f, const uint8_t *p, size_t n,
                       uint64_t want)
{
    size_t whole = tsl_frame_whole(f, p, n), at = 0;
    while (want > 0 && at < whole) {
        struct tsl_row rows[64];
        size_t k, cap = want < 64 ? (size_t)want : 64;
        at = tsl_frame_split(f, p, whole, at, rows, cap, &k);
        want -= k;
        if (k == 0)
            break;
    }
    return want == 0 ? at : 0;
}

/* Takes the header rows off the file just opened. */
static int read_header(struct tsl_inputs *in, struct tsl_err *err)
{
    uint8_t *buf = NULL;
    size_t len = 0, cap = 0, end = 0;
    int rc = 0;
    for (;;) {
        size_t want = len ? len : 64 << 10;
        uint8_t *more =
            tsl_mem_resize(buf, len + want + TSL_BATCH_SLACK, 1, "a header", err);
        if (!more) {
            rc = TSL_ENOMEM;
            goto out;
        }
        buf = more;
        cap = len + want;
        int64_t n = tsl_source_read(&in->source, buf + len, want, err);
        if (n < 0) {
            rc = (int)n;
            goto out;
        }
        len += (size_t)n;
        end = rows_end(&in->o.frame, buf, len, in->o.header_rows);
        if (end)
            break;
        if (len < cap) { /* the file is all header */
            size_t full = tsl_frame_finish(&in->o.frame, buf, len);
            if (full == 0 && len > 0) {
                rc = tsl_err_set(err, TSL_EFORMAT, "%s: ends inside a header row",
                                 in->source.file.name);
                goto out;
            }
            end = len = full;
            break;
        }
        if (len > HEADER_MAX) {
            rc = tsl_err_set(err, TSL_EFORMAT, "%s: the header is longer than %d MiB",
                             in->source.file.name, HEADER_MAX >> 20);
            goto out;
        }
    }
    if (!in->header_from) {
        in->header_from = in->o.memory ? "memory" : in->o.paths[in->next_path - 1];
        in->header = tsl_mem_alloc(end + 1, 1, "a header", err);
        if (!in->header) {
            rc = TSL_ENOMEM;
            goto out;
        }
        memcpy(in->header, buf, end);
        in->header_len = end;
    } else if (end != in->header_len || memcmp(buf, in->header, end) != 0) {
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: its header is not the one of %s",
                         in->source.file.name, tsl_quote(in->header_from).s);
        goto out;
    }
    in->addr += end;
    rc = tsl_source_unread(&in->source, buf + end, len - end, err);
out:
    tsl_mem_free(buf);
    return rc;
}

/* 1 when a file is open, 0 when there is none left. */
static int open_next(struct tsl_inputs *in, struct tsl_err *err)
{
    if (in->open)
        return 1;
    if (in->next_path == (in->o.memory ? 1 : in->o.npaths))
        return 0;
    int rc = in->o.memory
                 ? tsl_source_of_memory(&in->source, in->o.memory, in->o.memory_len, err)
                 : tsl_source_open(&in->source, in->o.paths[in->next_path],
                                   in->o.window_max, err);
    in->next_path++;
    if (rc < 0)
        return rc;
    in->open = true;
    in->counted = 0;
    if (in->o.header_rows)
        rc = read_header(in, err);
    return rc < 0 ? rc : 1;
}

static int close_source(struct tsl_inputs *in, struct tsl_err *err)
{
    in->open = false;
    count(in);
    return tsl_source_close(&in->source, err);
}

static int cut_short(const struct tsl_inputs *in, uint64_t addr, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "%s: ends inside the row at byte %" PRIu64 " of the input",
                       in->source.file.name, addr);
}

/* Reads on behind b->len until b is full or the file ends.  *ended tells which. */
static int fill(struct tsl_inputs *in, struct tsl_rowbatch *b, bool *ended,
                struct tsl_err *err)
{
    size_t want = b->cap - b->len;
    int64_t n = tsl_source_read(&in->source, b->bytes + b->len, want, err);
    if (n < 0)
        return (int)n;
    b->len += (size_t)n;
    *ended = (size_t)n < want;
    count(in);
    return 0;
}

static void keep(struct tsl_inputs *in, const uint8_t *p, size_t n)
{
    memcpy(in->carry, p, n);
    in->carry_len = n;
}

/* b is full and holds no whole row: what it holds is the first piece of a long one. */
static void begin_long(struct tsl_inputs *in, struct tsl_rowbatch *b)
{
    const struct tsl_frame *f = &in->o.frame;
    size_t head = tsl_frame_head(f), held = 0;
    in->in_row = true;
    in->row_addr = b->addr = in->addr;
    b->kind = TSL_BATCH_PIECE;
    b->first = true;
    b->last = false;
    if (f->kind == TSL_FRAME_FIXED)
        in->row_left = f->fixed - b->len;
    else if (f->kind == TSL_FRAME_U32)
        in->row_left = (uint64_t)tsl_load32(b->bytes) - (b->len - head);
    else if (f->kind == TSL_FRAME_PARA)
        held = 2; /* they may be the begin of the blank line that ends the row */
    b->rows[0] = (struct tsl_row){ (uint32_t)head, (uint32_t)(b->len - head - held) };
    keep(in, b->bytes + b->len - held, held);
    in->addr += b->len - held;
}

/* Looks in b for the end of a long row of lines: piece bytes before it, and how long it
 * is. */
static bool find_end(const struct tsl_inputs *in, const struct tsl_rowbatch *b,
                     size_t *piece, size_t *tail)
{
    const uint8_t *p = b->bytes, *end = p + b->len;
    if (in->o.frame.kind != TSL_FRAME_PARA) {
        const uint8_t *d =
            b->len ? memchr(p, in->o.frame.kind == TSL_FRAME_NUL ? 0 : '\n', b->len)
                   : NULL;
        *piece = d ? (size_t)(d - p) : b->len;
        *tail = 1;
        return d != NULL;
    }
    for (const uint8_t *q = p;
         q < end && (q = memchr(q, '\n', (size_t)(end - q))) != NULL; q++) {
        size_t crlf = end - q > 1 && q[1] == '\r';
        if (end - q > (ptrdiff_t)(1 + crlf) && q[1 + crlf] == '\n') {
            *piece = (size_t)(q - p);
            *tail = 2 + crlf;
            return true;
        }
    }
    return false;
}

static int next_piece(struct tsl_inputs *in, struct tsl_rowbatch *b, struct tsl_err *err)
{
    const struct tsl_frame *f = &in->o.frame;
    bool counted = f->kind == TSL_FRAME_FIXED || f->kind == TSL_FRAME_U32;
    bool ended = false;
    size_t cap = b->cap, piece = 0, tail = 0;
    memcpy(b->bytes, in->carry, in->carry_len);
    b->len = in->carry_len;
    b->kind = TSL_BATCH_PIECE;
    b->addr = in->row_addr;
    b->first = false;
    if (counted && in->row_left < cap)
        b->cap = (size_t)in->row_left; /* not a byte of the next row */
    int rc = fill(in, b, &ended, err);
    b->cap = cap;
    if (rc < 0)
        return rc;
    b->last = true;
    if (counted) {
        piece = b->len;
        in->row_left -= b->len;
        b->last = in->row_left == 0;
        if (ended && !b->last)
            return cut_short(in, in->row_addr, err);
    } else {
        while (!find_end(in, b, &piece, &tail)) {
            if (!ended) {
                b->last = false;
                piece = b->len - (f->kind == TSL_FRAME_PARA ? 2 : 0);
                tail = 0;
                break;
            }
            /* supplies the missing end, as tsl_frame_finish does: one or two bytes */
            b->bytes[b->len++] = f->kind == TSL_FRAME_NUL ? '\0' : '\n';
        }
    }
    b->rows[0] = (struct tsl_row){ 0, (uint32_t)piece };
    in->addr += piece + tail;
    keep(in, b->bytes + piece + tail, b->len - piece - tail);
    in->in_row = !b->last;
    return 1;
}

int tsl_inputs_next(struct tsl_inputs *in, struct tsl_rowbatch *b, struct tsl_err *err)
{
    assert(b->cap == in->o.batch_bytes && b->cap >= 4096 && b->rows_cap >= 1);
    b->nrows = 0;
    if (in->in_row)
        return next_piece(in, b, err);
    memcpy(b->bytes, in->carry, in->carry_len);
    b->len = in->carry_len;
    b->addr = in->addr;
    in->carry_len = 0;
    b->kind = TSL_BATCH_ROWS;
    for (;;) {
        bool ended = false;
        if (!in->open)
            in->file_addr = in->addr + b->len;
        int rc = open_next(in, err);
        if (rc < 0)
            return rc;
        if (rc == 0 && b->len == 0)
            return 0;
        if (b->len == 0)
            b->addr = in->addr; /* a header just read has moved it */
        if (rc == 0)
            break;
        rc = fill(in, b, &ended, err);
        if (rc < 0)
            return rc;
        if (!ended)
            break;
        size_t len = tsl_frame_finish(&in->o.frame, b->bytes, b->len);
        if (b->len > 0 && len == 0)
            return cut_short(
                in, in->addr + tsl_frame_whole(&in->o.frame, b->bytes, b->len), err);
        b->len = len;
        rc = close_source(in, err);
        if (rc < 0)
            return rc;
        /* small files share a batch; with headers, addresses jump between files */
        if (b->len >= b->cap || ((in->o.header_rows || in->o.by_file) && b->len > 0))
            break;
    }
    size_t whole = tsl_frame_whole(&in->o.frame, b->bytes, b->len);
    if (whole == 0) {
        begin_long(in, b);
        return 1;
    }
    keep(in, b->bytes + whole, b->len - whole);
    in->addr += whole;
    b->len = whole;
    return 1;
}

int tsl_inputs_measure(char *const *paths, size_t npaths, struct tsl_inputs_size *out,
                       struct tsl_err *err)
{
    *out = (struct tsl_inputs_size){ 0 };
    for (size_t i = 0; i < npaths; i++) {
        struct tsl_file f;
        uint8_t magic[TSL_CODEC_MAGIC];
        /* opening a FIFO and closing it again would cost its writer the reader */
        if (tsl_file_is_fifo(paths[i])) {
            out->unknown = true;
            continue;
        }
        int rc = tsl_file_open(&f, paths[i], err);
        if (rc < 0)
            return rc;
        if (!f.regular) {
            out->unknown = true;
        } else {
            uint64_t n = f.size < sizeof magic ? f.size : sizeof magic;
            /* borrowed: where standard input stands is not ours to know */
            if (f.borrowed || tsl_file_pread(&f, magic, n, 0, NULL) < 0)
                n = 0;
            if (tsl_codec_sniff(magic, n) == TSL_CODEC_NONE)
                out->plain_bytes += f.size;
            else
                out->packed_bytes += f.size;
        }
        tsl_file_close(&f, NULL);
    }
    return 0;
}

#include "io/sink.h"

#include <string.h>

#include "base/mem.h"

enum { PLAIN_BYTES = TSL_WRITEBEHIND_BYTES };

struct tsl_sink_frame {
    struct tsl_packer *packer;
    const uint8_t *src;
    uint8_t *dst;
    size_t n, packed, cap;
    int rc;
    struct tsl_err err;
};

int tsl_sink_open(struct tsl_sink *s, const char *path, bool named,
                  const struct tsl_sink_opts *o, struct tsl_err *err)
{
    *s = (struct tsl_sink){ .o = *o, .out = { .file = TSL_FILE_INIT } };
    int rc = tsl_outfile_open(&s->out, path, named, err);
    if (rc < 0)
        return rc;
    s->cap =
        o->codec == TSL_CODEC_NONE ? PLAIN_BYTES : (size_t)TSL_CODEC_FRAME * o->nthreads;
    s->buf = tsl_pages_map(s->cap, "a write buffer", err);
    if (!s->buf)
        goto fail;
    if (o->codec != TSL_CODEC_NONE) {
        s->frames = tsl_mem_alloc(o->nthreads, sizeof *s->frames, "a write buffer", err);
        for (unsigned i = 0; s->frames && i < o->nthreads; i++) {
            struct tsl_sink_frame *f = &s->frames[i];
            if (tsl_packer_create(&f->packer, o->codec, o->level, err) < 0)
                goto fail;
            f->cap = tsl_packer_bound(f->packer, TSL_CODEC_FRAME);
            f->dst = tsl_pages_map(f->cap, "a write buffer", err);
            if (!f->dst)
                goto fail;
        }
        if (!s->frames)
            goto fail;
    }
    return 0;
fail:
    tsl_sink_close(s);
    return TSL_ENOMEM;
}

void tsl_sink_widen(struct tsl_sink *s, size_t bytes)
{
    if (s->frames || s->behind || bytes <= s->cap)
        return;
    uint8_t *buf = tsl_pages_map(bytes, "a write buffer", NULL);
    if (!buf)
        return;
    tsl_pages_unmap(s->buf, s->cap);
    s->buf = buf;
    s->cap = bytes;
}

void tsl_sink_behind(struct tsl_sink *s, struct tsl_writebehind *b)
{
    if (!s->frames && s->cap == TSL_WRITEBEHIND_BYTES) /* others are not exchanged */
        s->behind = b;
}

static void pack(void *ctx, unsigned i)
{
    struct tsl_sink_frame *f = (struct tsl_sink_frame *)ctx + i;
    f->err = (struct tsl_err){ 0 };
    f->rc = tsl_packer_run(f->packer, f->dst, f->cap, f->src, f->n, &f->packed, &f->err);
}

/* Writes what the buffer holds: a frame for each TSL_CODEC_FRAME bytes of it. */
static int flush(struct tsl_sink *s, struct tsl_err *err)
{
    int rc = 0;
    if (!s->frames) {
        rc = s->behind ? tsl_writebehind_put(s->behind, &s->later, &s->out.file, &s->buf,
                                             s->len, err)
                       : tsl_file_write(&s->out.file, s->buf, s->len, err);
        s->len = 0;
        return rc;
    }
    unsigned n = 0;
    for (size_t at = 0; at < s->len; at += TSL_CODEC_FRAME, n++) {
        s->frames[n].src = s->buf + at;
        s->frames[n].n = s->len - at < TSL_CODEC_FRAME ? s->len - at : TSL_CODEC_FRAME;
    }
    if (s->o.pool && n > 1)
        tsl_pool_run(s->o.pool, n, pack, s->frames);
    else
        for (unsigned i = 0; i < n; i++)
            pack(s->frames, i);
    for (unsigned i = 0; i < n && rc == 0; i++) {
        rc = s->frames[i].rc;
        if (rc < 0)
            tsl_err_pass(err, &s->frames[i].err);
        else
            rc = tsl_file_write(&s->out.file, s->frames[i].dst, s->frames[i].packed, err);
    }
    s->len = 0;
    return rc;
}

int tsl_sink_write(struct tsl_sink *s, const void *data, size_t n, struct tsl_err *err)
{
    const uint8_t *p = data;
    s->bytes += n;
    while (n > 0) {
        /* large plain pieces need no detour */
        if (!s->frames && !s->behind && n >= s->cap / 4) {
            int rc = s->len ? flush(s, err) : 0;
            return rc < 0 ? rc : tsl_file_write(&s->out.file, p, n, err);
        }
        size_t k = s->cap - s->len < n ? s->cap - s->len : n;
        memcpy(s->buf + s->len, p, k);
        s->len += k;
        p += k;
        n -= k;
        if (s->len == s->cap) {
            int rc = flush(s, err);
            if (rc < 0)
                return rc;
        }
    }
    return 0;
}

int tsl_sink_lend(struct tsl_sink *s, const void *p, size_t n, struct tsl_err *err)
{
    if (s->frames || !s->behind)
        return tsl_sink_write(s, p, n, err);
    int rc = s->len ? flush(s, err) : 0;
    s->bytes += rc == 0 ? n : 0;
    return rc < 0 ? rc
                  : tsl_writebehind_lend(s->behind, &s->later, &s->out.file, p, n, err);
}

void tsl_sink_expect(struct tsl_sink *s, uint64_t from, uint64_t bytes)
{
    if (!s->frames && s->behind)
        tsl_writebehind_expect(s->behind, &s->later, &s->out.file, from, bytes - from);
}

void tsl_sink_want(struct tsl_sink *s, void *p, size_t n)
{
    if (s->behind)
        tsl_writebehind_want(s->behind, &s->later, p, n);
}

int tsl_sink_room(struct tsl_sink *s, size_t n, uint8_t **to, struct tsl_err *err)
{
    *to = NULL;
    if (s->frames || n > s->cap)
        return 0;
    int rc = s->cap - s->len < n ? flush(s, err) : 0;
    *to = s->buf + s->len;
    return rc;
}

void tsl_sink_took(struct tsl_sink *s, size_t n)
{
    s->len += n;
    s->bytes += n;
}

int tsl_sink_flush(struct tsl_sink *s, struct tsl_err *err)
{
    int rc = 0;
    if (s->behind)
        rc = tsl_writebehind_wait(s->behind, &s->later, err);
    if (rc == 0 && s->len)
        rc = tsl_file_write(&s->out.file, s->buf, s->len, err);
    s->len = 0;
    return rc;
}

static void free_buffers(struct tsl_sink *s)
{
    tsl_pages_unmap(s->buf, s->cap);
    for (unsigned i = 0; s->frames && i < s->o.nthreads; i++) {
        tsl_packer_destroy(s->frames[i].packer);
        tsl_pages_unmap(s->frames[i].dst, s->frames[i].cap);
    }
    tsl_mem_free(s->frames);
    s->buf = NULL;
    s->frames = NULL;
}

int tsl_sink_done(struct tsl_sink *s, struct tsl_err *err)
{
    int rc = 0;
    /* an empty compressed stream is one empty frame: tools accept it where they refuse 0
     * bytes */
    if (s->frames && s->bytes == 0) {
        s->frames[0].src = s->buf;
        s->frames[0].n = 0;
        pack(s->frames, 0);
        rc = s->frames[0].rc < 0 ? tsl_err_pass(err, &s->frames[0].err)
                                 : tsl_file_write(&s->out.file, s->frames[0].dst,
                                                  s->frames[0].packed, err);
    } else if (s->frames) {
        rc = s->len ? flush(s, err) : 0;
    } else {
        rc = tsl_sink_flush(s, err);
    }
    if (rc == 0)
        rc = tsl_outfile_done(&s->out, err);
    free_buffers(s); /* many may wait for their commit */
    return rc;
}

int tsl_sink_commit(struct tsl_sink *s, struct tsl_err *err)
{
    return tsl_outfile_commit(&s->out, err);
}

void tsl_sink_close(struct tsl_sink *s)
{
    if (s->behind)
        (void)tsl_writebehind_wait(s->behind, &s->later, NULL);
    s->behind = NULL;
    free_buffers(s);
    tsl_outfile_close(&s->out);
}

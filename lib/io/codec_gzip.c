/* gzip (RFC 1952), by zlib.  The members we write hold no time and no name, so that equal
 * data gives equal bytes. */
#include <string.h>
#include <zlib.h>

#include "base/mem.h"
#include "io/codec.h"

enum { GZIP_WINDOW = 15 + 16 }; /* zlib: +16 means the gzip wrapper */

struct dec {
    z_stream z;
    bool between; /* members; only another member or zero padding may come */
};

static int dec_create(void **state, size_t window_max, struct tsl_err *err)
{
    (void)window_max; /* 32 KiB at most */
    struct dec *d = tsl_mem_alloc(1, sizeof *d, "gzip", err);
    if (!d)
        return TSL_ENOMEM;
    if (inflateInit2(&d->z, GZIP_WINDOW) != Z_OK) {
        tsl_mem_free(d);
        return tsl_err_nomem(err, 0, "gzip");
    }
    *state = d;
    return 0;
}

static int dec_step(void *state, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
                    uint8_t *out_end, bool *may_end, const char *name,
                    struct tsl_err *err)
{
    struct dec *d = state;
    if (d->between) {
        while (*in < in_end && **in == 0) /* gzip allows padding, as tapes had it */
            ++*in;
        if (*in == in_end)
            return 0;
        if (**in != 0x1f)
            return tsl_err_set(err, TSL_EFORMAT, "%s: data behind the last gzip member",
                               name);
        inflateReset(&d->z);
        d->between = *may_end = false;
    }
    d->z.next_in = (unsigned char *)(uintptr_t)*in;
    d->z.avail_in = (unsigned)(in_end - *in);
    d->z.next_out = *out;
    d->z.avail_out = (unsigned)(out_end - *out);
    int rc = inflate(&d->z, Z_NO_FLUSH);
    *in = d->z.next_in;
    *out = d->z.next_out;
    if (rc == Z_STREAM_END)
        d->between = *may_end = true;
    else if (rc == Z_MEM_ERROR)
        return tsl_err_nomem(err, 0, "gzip");
    else if (rc != Z_OK && rc != Z_BUF_ERROR)
        return tsl_err_set(err, TSL_EFORMAT, "%s: corrupt gzip data: %s", name,
                           d->z.msg ? d->z.msg : "not understood");
    return 0;
}

static void dec_destroy(void *state)
{
    struct dec *d = state;
    inflateEnd(&d->z);
    tsl_mem_free(d);
}

static int enc_create(void **state, int level, struct tsl_err *err)
{
    z_stream *z = tsl_mem_alloc(1, sizeof *z, "gzip", err);
    if (!z)
        return TSL_ENOMEM;
    if (deflateInit2(z, level ? level : 6, Z_DEFLATED, GZIP_WINDOW, 8,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        tsl_mem_free(z);
        return tsl_err_nomem(err, 0, "gzip");
    }
    *state = z;
    return 0;
}

static size_t enc_bound(size_t n)
{
    return n + n / 1000 + 4096; /* deflateBound's worst case, with room */
}

/* zlib.h: (1 << (windowBits + 2)) + (1 << (memLevel + 9)) to deflate, 1 << windowBits and 7
 * KiB to inflate. */
static size_t enc_bytes(const void *state)
{
    (void)state;
    return (1 << 17) + (1 << 17) + (1 << 15) + (7 << 10);
}

static int enc_run(void *state, uint8_t *dst, size_t cap, const uint8_t *src, size_t n,
                   size_t *packed, struct tsl_err *err)
{
    z_stream *z = state;
    deflateReset(z);
    z->next_in = (unsigned char *)(uintptr_t)src;
    z->avail_in = (unsigned)n;
    z->next_out = dst;
    z->avail_out = (unsigned)cap;
    if (deflate(z, Z_FINISH) != Z_STREAM_END)
        return tsl_err_set(err, TSL_EFORMAT, "gzip: a frame outgrew its bound");
    *packed = cap - z->avail_out;
    return 0;
}

static int enc_undo(void *state, uint8_t *dst, size_t n, const uint8_t *src,
                    size_t packed, struct tsl_err *err)
{
    (void)state;
    struct dec *d;
    bool may_end = false;
    int rc = dec_create((void **)&d, 0, err);
    if (rc < 0)
        return rc;
    const uint8_t *in = src, *in_end = src + packed;
    uint8_t *out = dst, *out_end = dst + n;
    rc = dec_step(d, &in, in_end, &out, out_end, &may_end, "block", err);
    if (rc == 0 && (!may_end || out != out_end || in != in_end))
        rc = tsl_err_set(err, TSL_EFORMAT, "corrupt gzip block");
    dec_destroy(d);
    return rc;
}

static void enc_destroy(void *state)
{
    if (state) {
        deflateEnd(state);
        tsl_mem_free(state);
    }
}

const struct tsl_codec_ops tsl_codec_gzip = {
    dec_create, dec_step, dec_destroy, enc_create, enc_bound,
    enc_run,    enc_undo, enc_destroy, enc_bytes,
};

uint32_t tsl_codec_crc32(uint32_t crc, const void *p, size_t n)
{
    return (uint32_t)crc32_z(crc, p, n);
}

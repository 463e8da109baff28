#include "io/source.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

enum { IN_BYTES = 256 << 10 };

int tsl_source_open(struct tsl_source *s, const char *path, size_t window_max,
                    struct tsl_err *err)
{
    *s = (struct tsl_source){ .file = TSL_FILE_INIT };
    int rc = tsl_file_open(&s->file, path, err);
    if (rc < 0)
        return rc;
    s->in_cap = IN_BYTES;
    s->in = tsl_mem_alloc(s->in_cap, 1, "a read buffer", err);
    rc = s->in ? 0 : TSL_ENOMEM;
    while (rc == 0 && s->in_len < TSL_CODEC_MAGIC) {
        int64_t n =
            tsl_file_read(&s->file, s->in + s->in_len, TSL_CODEC_MAGIC - s->in_len, err);
        if (n < 0)
            rc = (int)n;
        if (n <= 0)
            break;
        s->in_len += (size_t)n;
    }
    if (rc == 0)
        s->codec = tsl_codec_sniff(s->in, s->in_len);
    if (rc == 0 && s->codec != TSL_CODEC_NONE)
        rc = tsl_decoder_create(&s->decoder, s->codec, window_max, s->file.name, err);
    if (rc < 0)
        tsl_source_close(s, NULL);
    return rc;
}

int tsl_source_of_memory(struct tsl_source *s, const uint8_t *p, size_t n,
                         struct tsl_err *err)
{
    *s = (struct tsl_source){ .file = TSL_FILE_INIT, .ended = true };
    s->file.name = tsl_mem_strdup("the command line", err);
    return s->file.name ? tsl_source_unread(s, p, n, err) : TSL_ENOMEM;
}

static size_t take(const uint8_t *from, size_t *at, size_t len, uint8_t *to, size_t n)
{
    size_t k = len - *at < n ? len - *at : n;
    if (k)
        memcpy(to, from + *at, k);
    *at += k;
    return k;
}

static int decode(struct tsl_source *s, uint8_t **out, uint8_t *out_end,
                  struct tsl_err *err)
{
    if (s->in_at == s->in_len) {
        int64_t n = tsl_file_read(&s->file, s->in, s->in_cap, err);
        if (n < 0)
            return (int)n;
        s->in_at = 0;
        s->in_len = (size_t)n;
    }
    bool at_end = s->in_len == 0;
    const uint8_t *in = s->in + s->in_at;
    uint8_t *before = *out;
    /* also with no input left: the decoder may hold output back */
    if (!at_end || !tsl_decoder_may_end(s->decoder)) {
        int rc = tsl_decoder_step(s->decoder, &in, s->in + s->in_len, out, out_end, err);
        if (rc < 0)
            return rc;
    }
    s->in_at = (size_t)(in - s->in);
    if (at_end && *out == before) {
        if (!tsl_decoder_may_end(s->decoder))
            return tsl_err_set(err, TSL_EFORMAT,
                               "%s: compressed data ends in the middle, at byte %" PRIu64,
                               s->file.name, s->file.done);
        s->ended = true;
    }
    return 0;
}

int64_t tsl_source_read(struct tsl_source *s, uint8_t *p, size_t n, struct tsl_err *err)
{
    uint8_t *out = p, *end = p + n;
    out += take(s->back, &s->back_at, s->back_len, out, n);
    if (!s->decoder)
        out += take(s->in, &s->in_at, s->in_len, out, (size_t)(end - out));
    while (out < end && !s->ended) {
        if (s->decoder) {
            int rc = decode(s, &out, end, err);
            if (rc < 0)
                return rc;
            continue;
        }
        int64_t k = tsl_file_read(&s->file, out, (size_t)(end - out), err);
        if (k < 0)
            return k;
        s->ended = k == 0;
        out += k;
    }
    return out - p;
}

int tsl_source_unread(struct tsl_source *s, const uint8_t *p, size_t n,
                      struct tsl_err *err)
{
    size_t rest = s->back_len - s->back_at;
    uint8_t *back = tsl_mem_alloc(n + rest, 1, "a read buffer", err);
    if (!back)
        return TSL_ENOMEM;
    memcpy(back, p, n);
    if (rest)
        memcpy(back + n, s->back + s->back_at, rest);
    tsl_mem_free(s->back);
    s->back = back;
    s->back_at = 0;
    s->back_len = n + rest;
    return 0;
}

int tsl_source_close(struct tsl_source *s, struct tsl_err *err)
{
    int rc = 0;
    if (err && s->file.fd >= 0)
        rc = tsl_file_unchanged(&s->file, err);
    /* a plain regular file must also have given as many bytes as it said it had */
    if (rc == 0 && err && s->ended && !s->decoder && s->file.regular &&
        !s->file.borrowed && s->file.done != s->file.size && s->file.size > 0)
        rc = tsl_err_set(err, TSL_EIO,
                         "%s: %" PRIu64 " bytes long, but only %" PRIu64 " read",
                         s->file.name, s->file.size, s->file.done);
    tsl_file_close(&s->file, NULL);
    tsl_decoder_destroy(s->decoder);
    tsl_mem_free(s->in);
    tsl_mem_free(s->back);
    *s = (struct tsl_source){ .file = TSL_FILE_INIT };
    return rc;
}

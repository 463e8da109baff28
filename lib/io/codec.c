#include "io/codec.h"

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/parse.h"

enum tsl_codec tsl_codec_sniff(const uint8_t *p, size_t n)
{
    if (n >= 4 && tsl_load32(p) == 0xfd2fb528)
        return TSL_CODEC_ZSTD;
    if (n >= 4 &&
        (tsl_load32(p) & 0xfffffff0) == 0x184d2a50) /* a skippable frame first */
        return TSL_CODEC_ZSTD;
    if (n >= 3 && p[0] == 0x1f && p[1] == 0x8b && p[2] == 8)
        return TSL_CODEC_GZIP;
    return TSL_CODEC_NONE;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n > k && strcmp(s + n - k, end) == 0;
}

enum tsl_codec tsl_codec_by_name(const char *name)
{
    if (ends_in(name, ".zst") || ends_in(name, ".zstd"))
        return TSL_CODEC_ZSTD;
    if (ends_in(name, ".gz") || ends_in(name, ".gzip"))
        return TSL_CODEC_GZIP;
    return TSL_CODEC_NONE;
}

bool tsl_codec_parse(const char *s, enum tsl_codec *codec, int *level)
{
    static const struct {
        const char *name;
        enum tsl_codec codec;
        uint64_t most;
    } known[] = { { "none", TSL_CODEC_NONE, 0 },
                  { "zstd", TSL_CODEC_ZSTD, 19 },
                  { "gzip", TSL_CODEC_GZIP, 9 } };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].name);
        uint64_t l = 0;
        if (strncmp(s, known[i].name, n) != 0)
            continue;
        if (s[n] == ':' && known[i].most) {
            if (!tsl_parse_u64(s + n + 1, &l, NULL) || l < 1 || l > known[i].most)
                return false;
        } else if (s[n]) {
            return false;
        }
        *codec = known[i].codec;
        *level = (int)l;
        return true;
    }
    return false;
}

static const struct tsl_codec_ops *ops_of(enum tsl_codec codec)
{
    return codec == TSL_CODEC_ZSTD ? &tsl_codec_zstd : &tsl_codec_gzip;
}

struct tsl_decoder {
    const struct tsl_codec_ops *ops;
    void *state;
    const char *name;
    bool may_end;
};

int tsl_decoder_create(struct tsl_decoder **out, enum tsl_codec codec, size_t window_max,
                       const char *name, struct tsl_err *err)
{
    struct tsl_decoder *d = tsl_mem_alloc(1, sizeof *d, "a decoder", err);
    if (!d)
        return TSL_ENOMEM;
    d->ops = ops_of(codec);
    d->name = name;
    int rc = d->ops->dec_create(&d->state, window_max, err);
    if (rc < 0) {
        tsl_mem_free(d);
        return rc;
    }
    *out = d;
    return 0;
}

int tsl_decoder_step(struct tsl_decoder *d, const uint8_t **in, const uint8_t *in_end,
                     uint8_t **out, uint8_t *out_end, struct tsl_err *err)
{
    return d->ops->dec_step(d->state, in, in_end, out, out_end, &d->may_end, d->name,
                            err);
}

bool tsl_decoder_may_end(const struct tsl_decoder *d)
{
    return d->may_end;
}

void tsl_decoder_destroy(struct tsl_decoder *d)
{
    if (d) {
        d->ops->dec_destroy(d->state);
        tsl_mem_free(d);
    }
}

struct tsl_packer {
    const struct tsl_codec_ops *ops;
    void *state;
};

int tsl_packer_create(struct tsl_packer **out, enum tsl_codec codec, int level,
                      struct tsl_err *err)
{
    struct tsl_packer *p = tsl_mem_alloc(1, sizeof *p, "a compressor", err);
    if (!p)
        return TSL_ENOMEM;
    p->ops = ops_of(codec);
    int rc = p->ops->enc_create(&p->state, level, err);
    if (rc < 0) {
        tsl_mem_free(p);
        return rc;
    }
    *out = p;
    return 0;
}

size_t tsl_packer_bound(const struct tsl_packer *p, size_t n)
{
    return p->ops->enc_bound(n);
}

size_t tsl_packer_bytes(const struct tsl_packer *p)
{
    return p->ops->enc_bytes(p->state);
}

int tsl_packer_run(struct tsl_packer *p, uint8_t *dst, size_t cap, const uint8_t *src,
                   size_t n, size_t *packed, struct tsl_err *err)
{
    return p->ops->enc_run(p->state, dst, cap, src, n, packed, err);
}

int tsl_packer_undo(struct tsl_packer *p, uint8_t *dst, size_t n, const uint8_t *src,
                    size_t packed, struct tsl_err *err)
{
    return p->ops->enc_undo(p->state, dst, n, src, packed, err);
}

void tsl_packer_destroy(struct tsl_packer *p)
{
    if (p) {
        p->ops->enc_destroy(p->state);
        tsl_mem_free(p);
    }
}

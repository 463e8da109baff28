/* zstd, by libzstd.  Every frame we write carries its checksum. */
#include <zstd.h>
#include <zstd_errors.h>

#include "base/mem.h"
#include "io/codec.h"

static int dec_create(void **state, size_t window_max, struct tsl_err *err)
{
    ZSTD_DCtx *d = ZSTD_createDCtx();
    if (!d)
        return tsl_err_nomem(err, 0, "zstd");
    ZSTD_bounds b = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
    int log = b.lowerBound;
    while (log < 27 && (size_t)2 << log <= window_max)
        log++;
    ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, log);
    *state = d;
    return 0;
}

static int dec_step(void *state, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
                    uint8_t *out_end, bool *may_end, const char *name,
                    struct tsl_err *err)
{
    ZSTD_inBuffer i = { *in, (size_t)(in_end - *in), 0 };
    ZSTD_outBuffer o = { *out, (size_t)(out_end - *out), 0 };
    size_t rc = ZSTD_decompressStream(state, &o, &i);
    if (ZSTD_isError(rc)) {
        switch (ZSTD_getErrorCode(rc)) {
        case ZSTD_error_frameParameter_windowTooLarge:
            return tsl_err_set(
                err, TSL_ENOMEM,
                "%s: the zstd frame asks for more memory than this run may use; "
                "raise -m to at least 8 times its window (zstd -lv shows it)",
                name);
        case ZSTD_error_prefix_unknown:
            return tsl_err_set(err, TSL_EFORMAT, "%s: data behind the last zstd frame",
                               name);
        case ZSTD_error_memory_allocation: return tsl_err_nomem(err, 0, "zstd");
        default:
            return tsl_err_set(err, TSL_EFORMAT, "%s: corrupt zstd data: %s", name,
                               ZSTD_getErrorName(rc));
        }
    }
    *may_end = rc == 0;
    *in += i.pos;
    *out += o.pos;
    return 0;
}

static void dec_destroy(void *state)
{
    ZSTD_freeDCtx(state);
}

struct zstd {
    ZSTD_CCtx *c;
    ZSTD_DCtx *d;
};

static void enc_destroy(void *state)
{
    struct zstd *z = state;
    if (z) {
        ZSTD_freeCCtx(z->c);
        ZSTD_freeDCtx(z->d);
        tsl_mem_free(z);
    }
}

static int enc_create(void **state, int level, struct tsl_err *err)
{
    struct zstd *z = tsl_mem_alloc(1, sizeof *z, "zstd", err);
    if (!z)
        return TSL_ENOMEM;
    z->c = ZSTD_createCCtx();
    z->d = ZSTD_createDCtx();
    if (!z->c || !z->d) {
        enc_destroy(z);
        return tsl_err_nomem(err, 0, "zstd");
    }
    if (level == TSL_CODEC_LIGHT) {
        ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, ZSTD_minCLevel());
        /* ZSTD_c_literalCompressionMode, ZSTD_ps_enable: by their numbers, for the names
         * are not for users of the shared library.  One that does not know them leaves
         * the data as they are, in whole frames. */
        ZSTD_CCtx_setParameter(z->c, ZSTD_c_experimentalParam5, 1);
    } else {
        ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, level ? level : 3);
    }
    ZSTD_CCtx_setParameter(z->c, ZSTD_c_checksumFlag, 1);
    *state = z;
    return 0;
}

static size_t enc_bytes(const void *state)
{
    const struct zstd *z = state;
    return ZSTD_sizeof_CCtx(z->c) + ZSTD_sizeof_DCtx(z->d);
}

static int enc_run(void *state, uint8_t *dst, size_t cap, const uint8_t *src, size_t n,
                   size_t *packed, struct tsl_err *err)
{
    struct zstd *z = state;
    size_t rc = ZSTD_compress2(z->c, dst, cap, src, n);
    if (ZSTD_isError(rc)) {
        if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
            return tsl_err_nomem(err, n, "zstd");
        return tsl_err_set(err, TSL_EFORMAT, "zstd: %s", ZSTD_getErrorName(rc));
    }
    *packed = rc;
    return 0;
}

static int enc_undo(void *state, uint8_t *dst, size_t n, const uint8_t *src,
                    size_t packed, struct tsl_err *err)
{
    struct zstd *z = state;
    size_t rc = ZSTD_decompressDCtx(z->d, dst, n, src, packed);
    if (ZSTD_isError(rc) || rc != n)
        return tsl_err_set(err, TSL_EFORMAT, "corrupt zstd block: %s",
                           ZSTD_isError(rc) ? ZSTD_getErrorName(rc) : "wrong length");
    return 0;
}

const struct tsl_codec_ops tsl_codec_zstd = {
    dec_create, dec_step, dec_destroy, enc_create, ZSTD_compressBound,
    enc_run,    enc_undo, enc_destroy, enc_bytes,
};

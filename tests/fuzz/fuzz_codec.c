/* fuzz_codec - arbitrary bytes are decoded to the same end in one piece and in many.
 * First byte: the size of a piece. */
#include <stdlib.h>
#include <string.h>

#include "io/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUT_MAX = 1 << 18, WINDOW = 1 << 20 };

static void must(bool good)
{
    if (!good)
        abort();
}

/* 1: complete, 0: not, or more than there is room for; negative: refused.  *len: bytes
 * out. */
static int decode(enum tsl_codec codec, const uint8_t *p, size_t n, size_t step,
                  uint8_t *out, size_t *len)
{
    struct tsl_decoder *d = NULL;
    const uint8_t *in = p, *end = p + n;
    uint8_t *to = out;
    int rc = tsl_decoder_create(&d, codec, WINDOW, "data", NULL);
    must(rc == 0);
    for (;;) {
        const uint8_t *before_in = in,
                      *in_end = (size_t)(end - in) < step ? end : in + step;
        uint8_t *before_to = to;
        size_t room = (size_t)(out + OUT_MAX - to);
        rc =
            tsl_decoder_step(d, &in, in_end, &to, to + (room < step ? room : step), NULL);
        if (rc < 0)
            break;
        must(in >= before_in && in <= in_end && to >= before_to && to <= out + OUT_MAX);
        if ((in == end && tsl_decoder_may_end(d)) || (in == before_in && to == before_to))
            break;
    }
    if (rc == 0)
        rc = in == end && tsl_decoder_may_end(d);
    *len = (size_t)(to - out);
    tsl_decoder_destroy(d);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    enum tsl_codec codec = tsl_codec_sniff(data + 1, size - 1);
    if (codec == TSL_CODEC_NONE)
        return 0;
    uint8_t *one = malloc(OUT_MAX), *many = malloc(OUT_MAX);
    size_t len_one, len_many;
    int rc = decode(codec, data + 1, size - 1, OUT_MAX, one, &len_one);
    int rc2 = decode(codec, data + 1, size - 1, 1 + data[0], many, &len_many);
    if (len_one < OUT_MAX && len_many < OUT_MAX) {
        must((rc == 1) ==
             (rc2 == 1)); /* what is not whole may be refused early or late */
        if (rc == 1)
            must(len_one == len_many && memcmp(one, many, len_one) == 0);
    }
    free(one);
    free(many);
    return 0;
}

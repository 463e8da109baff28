#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "io/codec.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { WINDOW = 8 << 20 };

static const enum tsl_codec codecs[] = { TSL_CODEC_ZSTD, TSL_CODEC_GZIP };

/* Text that shrinks, the same every time. */
static void gen_text(uint8_t *p, size_t n)
{
    static const char *const words[] = { "the ", "cat ",  "sat ", "on ",
                                         "a ",   "mat\n", "42 " };
    struct gen g = { 3 };
    for (size_t i = 0; i < n;) {
        const char *w = words[gen_below(&g, 7)];
        for (; *w && i < n; w++)
            p[i++] = (uint8_t)*w;
    }
}

/* One frame of it, in memory from malloc. */
static uint8_t *pack(enum tsl_codec codec, int level, const uint8_t *p, size_t n,
                     size_t *packed)
{
    struct tsl_packer *k = NULL;
    struct tsl_err err = { 0 };
    assert_ok(tsl_packer_create(&k, codec, level, &err), &err);
    size_t cap = tsl_packer_bound(k, n);
    uint8_t *out = malloc(cap);
    assert_ok(tsl_packer_run(k, out, cap, p, n, packed, &err), &err);
    assert_true(*packed <= cap);
    tsl_packer_destroy(k);
    return out;
}

/* Decodes p[0, n), given in pieces of at most step bytes, to out[0, cap).  1 when it
 * ended where it may, 0 when it is not complete, negative when refused. */
static int unpack(enum tsl_codec codec, size_t window, const uint8_t *p, size_t n,
                  size_t step, uint8_t *out, size_t cap, size_t *len, struct tsl_err *err)
{
    struct tsl_decoder *d = NULL;
    const uint8_t *in = p, *end = p + n;
    uint8_t *to = out;
    int rc = tsl_decoder_create(&d, codec, window, "data", err);
    if (rc < 0)
        return rc;
    for (;;) {
        const uint8_t *before_in = in;
        uint8_t *before_to = to;
        const uint8_t *in_end = (size_t)(end - in) < step ? end : in + step;
        uint8_t *to_end = (size_t)(out + cap - to) < step ? out + cap : to + step;
        rc = tsl_decoder_step(d, &in, in_end, &to, to_end, err);
        if (rc < 0)
            break;
        assert_true(in >= before_in && in <= in_end && to >= before_to && to <= to_end);
        if ((in == before_in && to == before_to) || (in == end && tsl_decoder_may_end(d)))
            break;
    }
    *len = (size_t)(to - out);
    if (rc == 0)
        rc = in == end && tsl_decoder_may_end(d);
    tsl_decoder_destroy(d);
    return rc;
}

static void the_first_bytes_tell_the_codec(void **state)
{
    static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd },
                         gzip[] = { 0x1f, 0x8b, 8, 0 },
                         skip[] = { 0x5a, 0x2a, 0x4d, 0x18 },
                         compress[] = { 0x1f, 0x9d, 8, 0 };
    (void)state;
    assert_int_equal(tsl_codec_sniff(zstd, 4), TSL_CODEC_ZSTD);
    assert_int_equal(tsl_codec_sniff(skip, 4), TSL_CODEC_ZSTD);
    assert_int_equal(tsl_codec_sniff(gzip, 4), TSL_CODEC_GZIP);
    assert_int_equal(tsl_codec_sniff(compress, 4), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_sniff(zstd, 3), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_sniff(gzip, 2), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_sniff((const uint8_t *)"text", 4), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_sniff(NULL, 0), TSL_CODEC_NONE);
}

static void the_name_s_end_tells_the_codec_to_write(void **state)
{
    (void)state;
    assert_int_equal(tsl_codec_by_name("a.zst"), TSL_CODEC_ZSTD);
    assert_int_equal(tsl_codec_by_name("d/a.txt.gz"), TSL_CODEC_GZIP);
    assert_int_equal(tsl_codec_by_name("a.gzip"), TSL_CODEC_GZIP);
    assert_int_equal(tsl_codec_by_name("a.zst.txt"), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_by_name("agz"), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_by_name(".gz"), TSL_CODEC_NONE);
    assert_int_equal(tsl_codec_by_name(""), TSL_CODEC_NONE);
}

static void codecs_are_parsed(void **state)
{
    enum tsl_codec c;
    int level;
    (void)state;
    assert_true(tsl_codec_parse("zstd", &c, &level) && c == TSL_CODEC_ZSTD && level == 0);
    assert_true(tsl_codec_parse("zstd:19", &c, &level) && c == TSL_CODEC_ZSTD &&
                level == 19);
    assert_true(tsl_codec_parse("gzip:9", &c, &level) && c == TSL_CODEC_GZIP &&
                level == 9);
    assert_true(tsl_codec_parse("none", &c, &level) && c == TSL_CODEC_NONE);
    static const char *const bad[] = { "",        "zst",     "zstd:",  "zstd:0",
                                       "zstd:20", "gzip:10", "none:1", "zstd:1x",
                                       "zstd:-1", "ZSTD",    "lz4" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tsl_codec_parse(bad[i], &c, &level));
}

static void what_is_packed_comes_back(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, 65536, TSL_CODEC_FRAME, 3000000 };
    static const size_t steps[] = { 1 << 30, 65536, 7 };
    uint8_t *text = malloc(3000000), *noise = malloc(3000000), *out = malloc(3000001);
    struct gen g = { 4 };
    (void)state;
    gen_text(text, 3000000);
    gen_bytes(&g, noise, 3000000);
    for (size_t c = 0; c < 2; c++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
            for (int kind = 0; kind < 2; kind++)
                for (size_t t = 0; t < (sizes[s] > 100000 ? 2 : 3); t++) {
                    struct tsl_err err = { 0 };
                    const uint8_t *p = kind ? noise : text;
                    size_t packed, len;
                    uint8_t *z = pack(codecs[c], 1, p, sizes[s], &packed);
                    assert_int_equal(tsl_codec_sniff(z, packed), codecs[c]);
                    int rc = unpack(codecs[c], WINDOW, z, packed, steps[t], out, 3000001,
                                    &len, &err);
                    assert_ok(rc, &err);
                    assert_int_equal(rc, 1);
                    assert_int_equal(len, sizes[s]);
                    assert_memory_equal(out, p, len);
                    free(z);
                }
    free(text);
    free(noise);
    free(out);
}

static void frames_that_follow_each_other_are_one_stream(void **state)
{
    uint8_t text[5000], many[20000], out[20000];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t c = 0; c < 2; c++) {
        struct tsl_err err = { 0 };
        size_t n = 0, at = 0, len;
        for (size_t k = 0; at < sizeof text; k++) {
            size_t piece = k * 97, packed; /* an empty one first */
            if (piece > sizeof text - at)
                piece = sizeof text - at;
            uint8_t *z = pack(codecs[c], 0, text + at, piece, &packed);
            assert_true(n + packed <= sizeof many);
            memcpy(many + n, z, packed);
            free(z);
            n += packed;
            at += piece;
        }
        for (size_t step = 1; step < 3000; step = step * 2 + 1) {
            int rc =
                unpack(codecs[c], WINDOW, many, n, step, out, sizeof out, &len, &err);
            assert_ok(rc, &err);
            assert_int_equal(rc, 1);
            assert_int_equal(len, sizeof text);
            assert_memory_equal(out, text, len);
        }
    }
}

static void what_is_cut_short_is_not_complete(void **state)
{
    uint8_t text[700], out[1000];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t c = 0; c < 2; c++) {
        size_t packed, len;
        uint8_t *z = pack(codecs[c], 0, text, sizeof text, &packed);
        for (size_t n = 1; n < packed; n++) {
            struct tsl_err err = { 0 };
            assert_int_equal(
                unpack(codecs[c], WINDOW, z, n, 1 << 20, out, 1000, &len, &err), 0);
            assert_true(len <= sizeof text && memcmp(out, text, len) == 0);
        }
        free(z);
    }
}

/* Both formats have a checksum over the data; what stands in their headers is checked or
 * has no bearing on it (gzip: time, system). */
static void a_changed_byte_is_found_or_changes_nothing(void **state)
{
    uint8_t text[700], out[5000];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t c = 0; c < 2; c++) {
        size_t packed, len, found = 0;
        uint8_t *z = pack(codecs[c], 0, text, sizeof text, &packed);
        for (size_t at = 0; at < packed; at++)
            for (unsigned bit = 0; bit < 8; bit++) {
                struct tsl_err err = { 0 };
                z[at] ^= (uint8_t)(1 << bit);
                int rc = unpack(codecs[c], WINDOW, z, packed, 1 << 20, out, sizeof out,
                                &len, &err);
                z[at] ^= (uint8_t)(1 << bit);
                if (rc == 1)
                    assert_true(len == sizeof text && memcmp(out, text, len) == 0);
                else
                    found++;
            }
        assert_true(found > packed * 6);
        free(z);
    }
}

static void garbage_behind_is_refused(void **state)
{
    static const char *const garbage[] = { "x", "garbage", "\x28\xb5", "\x1f\x8b" };
    uint8_t text[700], z[2000], out[1000];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t c = 0; c < 2; c++)
        for (size_t g = 0; g < sizeof garbage / sizeof *garbage; g++)
            for (size_t step = 1; step < 2000; step = 3 * step + 5) {
                struct tsl_err err = { 0 };
                size_t packed, len, n = strlen(garbage[g]);
                uint8_t *one = pack(codecs[c], 0, text, sizeof text, &packed);
                memcpy(z, one, packed);
                memcpy(z + packed, garbage[g], n);
                free(one);
                int rc =
                    unpack(codecs[c], WINDOW, z, packed + n, step, out, 1000, &len, &err);
                assert_true(rc <= 0); /* refused, or cut short */
                if (rc < 0)
                    assert_err(rc, TSL_EFORMAT, &err, "data");
            }
}

static void gzip_may_be_padded_with_zeros(void **state)
{
    uint8_t text[700], z[3000], out[2000];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t pad = 1; pad < 1000; pad = pad * 3 + 1)
        for (size_t step = 1; step < 3000; step = 5 * step + 100) {
            struct tsl_err err = { 0 };
            size_t packed, len;
            uint8_t *one = pack(TSL_CODEC_GZIP, 0, text, sizeof text, &packed);
            memset(z, 0, sizeof z);
            memcpy(z, one, packed);
            int rc = unpack(TSL_CODEC_GZIP, WINDOW, z, packed + pad, step, out, 2000,
                            &len, &err);
            assert_ok(rc, &err);
            assert_int_equal(rc, 1);
            assert_int_equal(len, sizeof text);
            memcpy(z + packed + pad, one, packed); /* and another member behind it */
            rc = unpack(TSL_CODEC_GZIP, WINDOW, z, 2 * packed + pad, step, out, 2000,
                        &len, &err);
            assert_ok(rc, &err);
            assert_int_equal(rc, 1);
            assert_int_equal(len, 2 * sizeof text);
            free(one);
        }
}

static void skippable_frames_are_skipped(void **state)
{
    uint8_t text[700],
        z[2000] = { 0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o' },
        out[1000];
    struct tsl_err err = { 0 };
    size_t packed, len;
    (void)state;
    gen_text(text, sizeof text);
    uint8_t *one = pack(TSL_CODEC_ZSTD, 0, text, sizeof text, &packed);
    memcpy(z + 13, one, packed);
    free(one);
    int rc =
        unpack(TSL_CODEC_ZSTD, WINDOW, z, 13 + packed, 1 << 20, out, 1000, &len, &err);
    assert_ok(rc, &err);
    assert_int_equal(rc, 1);
    assert_int_equal(len, sizeof text);
    assert_memory_equal(out, text, len);
}

/* A frame header of our own: no size, a window of 1 << log bytes, then an empty last
 * block. */
static void a_window_larger_than_allowed_is_refused(void **state)
{
    uint8_t out[100];
    size_t len;
    (void)state;
    for (unsigned log = 20; log <= 27; log++) {
        const uint8_t z[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, (uint8_t)((log - 10) << 3),
                              1,    0,    0 };
        struct tsl_err err = { 0 };
        for (unsigned most = 20; most <= 27; most++) {
            int rc = unpack(TSL_CODEC_ZSTD, (size_t)1 << most, z, sizeof z, 100, out, 100,
                            &len, &err);
            if (log <= most) {
                assert_ok(rc, &err);
                assert_int_equal(rc, 1);
            } else {
                assert_err(rc, TSL_ENOMEM, &err,
                           "data: the zstd frame asks for more memory");
            }
        }
    }
}

static void blocks_of_known_size_come_back_or_are_refused(void **state)
{
    uint8_t text[3000], z[8192], out[3100];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t c = 0; c < 2; c++) {
        struct tsl_err err = { 0 };
        struct tsl_packer *k = NULL;
        size_t packed;
        assert_ok(tsl_packer_create(&k, codecs[c], 0, &err), &err);
        for (int round = 0; round < 3; round++) { /* one packer, many frames */
            assert_true(tsl_packer_bound(k, sizeof text) <= sizeof z);
            assert_ok(tsl_packer_run(k, z, sizeof z, text, sizeof text, &packed, &err),
                      &err);
            memset(out, 0, sizeof out);
            assert_ok(tsl_packer_undo(k, out, sizeof text, z, packed, &err), &err);
            assert_memory_equal(out, text, sizeof text);
            assert_int_equal(out[sizeof text], 0);
        }
        assert_err(tsl_packer_undo(k, out, sizeof text - 1, z, packed, &err), TSL_EFORMAT,
                   &err, "block");
        assert_err(tsl_packer_undo(k, out, sizeof text + 1, z, packed, &err), TSL_EFORMAT,
                   &err, "block");
        assert_err(tsl_packer_undo(k, out, sizeof text, z, packed - 1, &err), TSL_EFORMAT,
                   &err, "block");
        z[packed / 2] ^= 1;
        assert_true(tsl_packer_undo(k, out, sizeof text, z, packed, &err) < 0);
        tsl_packer_destroy(k);
    }
}

static void the_light_level_shrinks_text_and_gives_it_back(void **state)
{
    enum { N = 128 << 10 };
    static uint8_t text[N], z[2 * N], out[N];
    struct tsl_err err = { 0 };
    struct tsl_packer *k = NULL;
    size_t packed;
    (void)state;
    gen_text(text, sizeof text);
    assert_ok(tsl_packer_create(&k, TSL_CODEC_ZSTD, TSL_CODEC_LIGHT, &err), &err);
    assert_ok(tsl_packer_run(k, z, sizeof z, text, sizeof text, &packed, &err), &err);
    if (packed >= N * 3 / 4) /* of a zstd that does not know the setting, perhaps */
        fail_msg("%zu bytes of %d", packed, N);
    assert_ok(tsl_packer_undo(k, out, sizeof out, z, packed, &err), &err);
    assert_memory_equal(out, text, sizeof text);
    tsl_packer_destroy(k);
}

static void equal_data_gives_equal_bytes(void **state)
{
    uint8_t text[3000];
    (void)state;
    gen_text(text, sizeof text);
    for (size_t c = 0; c < 2; c++) {
        size_t a, b;
        uint8_t *x = pack(codecs[c], 0, text, sizeof text, &a);
        uint8_t *y = pack(codecs[c], 0, text, sizeof text, &b);
        assert_int_equal(a, b);
        assert_memory_equal(x, y, a);
        free(x);
        free(y);
    }
}

static void any_failed_allocation_is_told(void **state)
{
    (void)state;
    for (size_t c = 0; c < 2; c++)
        for (int what = 0; what < 2; what++)
            for (unsigned nth = 1;; nth++) {
                struct tsl_err err = { 0 };
                struct tsl_decoder *d = NULL;
                struct tsl_packer *k = NULL;
                fault_arm(nth, NULL);
                int rc = what ? tsl_decoder_create(&d, codecs[c], WINDOW, "x", &err)
                              : tsl_packer_create(&k, codecs[c], 0, &err);
                const char *call = fault_disarm();
                tsl_decoder_destroy(d);
                tsl_packer_destroy(k);
                if (!call) {
                    assert_ok(rc, &err);
                    break;
                }
                assert_err(rc, TSL_ENOMEM, &err, "memory");
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_bytes_tell_the_codec),
        TEST(the_name_s_end_tells_the_codec_to_write),
        TEST(codecs_are_parsed),
        TEST(what_is_packed_comes_back),
        TEST(frames_that_follow_each_other_are_one_stream),
        TEST(what_is_cut_short_is_not_complete),
        TEST(a_changed_byte_is_found_or_changes_nothing),
        TEST(garbage_behind_is_refused),
        TEST(gzip_may_be_padded_with_zeros),
        TEST(skippable_frames_are_skipped),
        TEST(a_window_larger_than_allowed_is_refused),
        TEST(blocks_of_known_size_come_back_or_are_refused),
        TEST(the_light_level_shrinks_text_and_gives_it_back),
        TEST(equal_data_gives_equal_bytes),
        TEST(any_failed_allocation_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

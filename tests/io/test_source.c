#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/source.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { N = 700000, WINDOW = 8 << 20 };

static uint8_t text[N], got[N + 100];

/* Writes text[0, n) to name: plain, or as frames of at most frame bytes. */
static void put_packed(const char *name, enum tsl_codec codec, size_t n, size_t frame)
{
    struct tsl_err err = { 0 };
    struct gen g = { 6 };
    for (size_t i = 0; i < N; i++)
        text[i] = (uint8_t)('a' + gen_below(&g, 4));
    if (codec == TSL_CODEC_NONE) {
        file_put(name, text, n);
        return;
    }
    struct tsl_packer *k = NULL;
    assert_ok(tsl_packer_create(&k, codec, 1, &err), &err);
    size_t cap = tsl_packer_bound(k, frame), packed;
    uint8_t *z = malloc(cap);
    FILE *f = fopen(name, "wb");
    for (size_t at = 0; at < n || at == 0; at += frame) {
        assert_ok(tsl_packer_run(k, z, cap, text + at, n - at < frame ? n - at : frame,
                                 &packed, &err),
                  &err);
        fwrite(z, 1, packed, f);
    }
    fclose(f);
    free(z);
    tsl_packer_destroy(k);
}

static int64_t read_all(struct tsl_source *s, size_t step, struct tsl_err *err)
{
    size_t n = 0;
    for (;;) {
        size_t want = sizeof got - n < step ? sizeof got - n : step;
        int64_t k = tsl_source_read(s, got + n, want, err);
        if (k < 0)
            return k;
        n += (size_t)k;
        if ((size_t)k < want || want == 0) {
            /* less only at the end: and then there is no more */
            assert_int_equal(tsl_source_read(s, got + n, 1, err), 0);
            return (int64_t)n;
        }
    }
}

static void plain_and_packed_read_alike(void **state)
{
    static const size_t sizes[] = { 0, 1, 3, 4, 5, 70000, N };
    static const size_t steps[] = { 1 << 20, 4096, 1000 };
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++)
        for (size_t z = 0; z < sizeof sizes / sizeof *sizes; z++)
            for (size_t t = 0; t < sizeof steps / sizeof *steps; t++) {
                struct tsl_err err = { 0 };
                struct tsl_source s;
                put_packed("x", (enum tsl_codec)codec, sizes[z], 100000);
                assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
                assert_int_equal(s.codec, codec);
                fault_transfers(t == 1 ? 999 : 0, t == 2);
                int64_t n = read_all(&s, steps[t], &err);
                fault_transfers(0, false);
                assert_ok(n, &err);
                assert_int_equal(n, sizes[z]);
                assert_memory_equal(got, text, sizes[z]);
                assert_ok(tsl_source_close(&s, &err), &err);
            }
}

static void bytes_put_back_come_first(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++) {
        struct tsl_err err = { 0 };
        struct tsl_source s;
        put_packed("x", (enum tsl_codec)codec, 5000, 1000);
        assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
        assert_int_equal(tsl_source_read(&s, got, 3000, &err), 3000);
        assert_ok(tsl_source_unread(&s, got + 1000, 2000, &err), &err);
        assert_int_equal(tsl_source_read(&s, got, 500, &err), 500);
        assert_memory_equal(got, text + 1000, 500);
        assert_ok(tsl_source_unread(&s, (const uint8_t *)"zz", 2, &err), &err);
        assert_ok(tsl_source_unread(&s, got, 0, &err), &err);
        assert_int_equal(tsl_source_read(&s, got, sizeof got, &err), 2 + 3500);
        assert_memory_equal(got, "zz", 2);
        assert_memory_equal(got + 2, text + 1500, 3500);
        assert_ok(tsl_source_close(&s, &err), &err);
    }
}

static void memory_is_a_stream_too(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_source s;
    char given[] = "some bytes";
    (void)state;
    assert_ok(tsl_source_of_memory(&s, (uint8_t *)given, 10, &err), &err);
    given[0] = 'x'; /* it has a copy */
    assert_int_equal(tsl_source_read(&s, got, 4, &err), 4);
    assert_int_equal(tsl_source_read(&s, got + 4, 100, &err), 6);
    assert_memory_equal(got, "some bytes", 10);
    assert_ok(tsl_source_close(&s, &err), &err);
    /* compressed bytes from the command line are bytes */
    assert_ok(tsl_source_of_memory(&s, (const uint8_t *)"\x1f\x8b\x08\0", 4, &err), &err);
    assert_int_equal(tsl_source_read(&s, got, 100, &err), 4);
    assert_ok(tsl_source_close(&s, &err), &err);
}

static void a_stream_cut_anywhere_is_an_error(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_ZSTD; codec <= TSL_CODEC_GZIP; codec++) {
        struct stat st;
        put_packed("whole", (enum tsl_codec)codec, 600, 600);
        assert_int_equal(stat("whole", &st), 0);
        size_t n;
        uint8_t *z = file_get("whole", &n);
        for (size_t cut = 4; cut < n; cut++) {
            struct tsl_err err = { 0 };
            struct tsl_source s;
            file_put("x", z, cut);
            assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
            int64_t rc = read_all(&s, 1 << 20, &err);
            assert_err(rc, TSL_EFORMAT, &err, "x: compressed data ends in the middle");
            tsl_source_close(&s, NULL);
        }
        free(z);
    }
}

static void damage_names_the_file(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_ZSTD; codec <= TSL_CODEC_GZIP; codec++) {
        struct tsl_err err = { 0 };
        struct tsl_source s;
        size_t n;
        put_packed("x", (enum tsl_codec)codec, 5000, 5000);
        uint8_t *z = file_get("x", &n);
        z[n / 2] ^= 0x55;
        file_put("x", z, n);
        assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
        assert_err(read_all(&s, 1 << 20, &err), TSL_EFORMAT, &err, "x: corrupt");
        tsl_source_close(&s, NULL);
        z[n / 2] ^= 0x55;
        FILE *f = fopen("x", "wb");
        fwrite(z, 1, n, f);
        fwrite("junk", 1, 4, f);
        fclose(f);
        free(z);
        assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
        assert_err(read_all(&s, 1 << 20, &err), TSL_EFORMAT, &err,
                   "x: data behind the last");
        tsl_source_close(&s, NULL);
    }
}

static void a_file_that_grows_meanwhile_is_noticed(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++) {
        struct tsl_err err = { 0 };
        struct tsl_source s;
        put_packed("x", (enum tsl_codec)codec, 5000, 5000);
        assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
        assert_int_equal(tsl_source_read(&s, got, 100, &err), 100);
        FILE *f = fopen("x", "ab");
        fputs("more", f);
        fclose(f);
        assert_err(tsl_source_close(&s, &err), TSL_EIO, &err,
                   "x: changed while it was read");
    }
}

static void a_file_of_the_kernel_without_a_size_is_read(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_source s;
    (void)state;
    assert_ok(tsl_source_open(&s, "/proc/self/status", WINDOW, &err), &err);
    int64_t n = read_all(&s, 1 << 20, &err);
    assert_ok(n, &err);
    assert_true(n > 100);
    assert_ok(tsl_source_close(&s, &err), &err);
}

static void any_failure_is_told(void **state)
{
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++) {
        put_packed("x", (enum tsl_codec)codec, 5000, 1000);
        for (unsigned nth = 1;; nth++) {
            struct tsl_err err = { 0 };
            struct tsl_source s;
            fault_arm(nth, NULL);
            int64_t rc = tsl_source_open(&s, "x", WINDOW, &err);
            if (rc == 0) {
                rc = tsl_source_read(&s, got, 3000, &err);
                if (rc >= 0)
                    rc = tsl_source_unread(&s, got, 3000, &err);
                if (rc >= 0)
                    rc = tsl_source_read(&s, got, sizeof got, &err);
                int rc2 = tsl_source_close(&s, rc < 0 ? NULL : &err);
                rc = rc2 < 0 ? rc2 : rc;
            }
            const char *call = fault_disarm();
            if (rc >= 0) {
                assert_int_equal(rc, 5000);
                assert_memory_equal(got, text, 5000);
            } else {
                assert_int_equal(err.code, rc);
            }
            if (!call) {
                assert_ok(rc, &err);
                break;
            }
            assert_true(rc < 0 || strcmp(call, "close") == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(plain_and_packed_read_alike),
        TEST(bytes_put_back_come_first),
        TEST(memory_is_a_stream_too),
        TEST(a_stream_cut_anywhere_is_an_error),
        TEST(damage_names_the_file),
        TEST(a_file_that_grows_meanwhile_is_noticed),
        TEST(a_file_of_the_kernel_without_a_size_is_read),
        TEST(any_failure_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

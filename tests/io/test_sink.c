#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/sink.h"
#include "io/source.h"
#include "support/fault.h"
#include "support/gendata.h"

enum { N = 3 << 20, WINDOW = 8 << 20 };

static uint8_t data[N], got[N + 10];

static void fill_data(void)
{
    struct gen g = { 12 };
    for (size_t i = 0; i < N; i++)
        data[i] = (uint8_t)('a' + gen_below(&g, 4));
}

/* Writes data[0, n) in pieces of all sizes. */
static int write_all(const char *path, enum tsl_codec codec, unsigned nthreads, size_t n,
                     bool commit, struct tsl_err *err)
{
    struct tsl_pool *pool = NULL;
    struct tsl_sink s;
    struct gen g = { n };
    int rc = nthreads > 1 ? tsl_pool_create(&pool, nthreads, err) : 0;
    if (rc < 0)
        return rc;
    struct tsl_sink_opts o = { codec, 1, pool, nthreads };
    rc = tsl_sink_open(&s, path, false, &o, err);
    if (rc == 0) {
        for (size_t at = 0; at < n && rc == 0;) {
            size_t k = gen_below(&g, gen_below(&g, 4) ? 5000 : 900000);
            if (k > n - at)
                k = n - at;
            rc = tsl_sink_write(&s, data + at, k, err);
            at += k;
        }
        if (rc == 0)
            rc = tsl_sink_done(&s, err);
        if (rc == 0 && commit)
            rc = tsl_sink_commit(&s, err);
        tsl_sink_close(&s);
    }
    tsl_pool_destroy(pool);
    return rc;
}

static void a_wider_buffer_changes_no_byte(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_sink s;
    (void)state;
    fill_data();
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_ZSTD; codec++) {
        struct tsl_source in;
        struct tsl_sink_opts o = { (enum tsl_codec)codec, 1, NULL, 1 };
        assert_int_equal(tsl_sink_open(&s, "wide", false, &o, &err), 0);
        tsl_sink_widen(&s, 1 << 20);
        for (size_t at = 0; at < N; at += 128 << 10)
            assert_int_equal(tsl_sink_write(&s, data + at, 128 << 10, &err), 0);
        assert_int_equal(tsl_sink_done(&s, &err), 0);
        assert_int_equal(tsl_sink_commit(&s, &err), 0);
        tsl_sink_close(&s);
        assert_int_equal(tsl_source_open(&in, "wide", WINDOW, &err), 0);
        assert_int_equal(tsl_source_read(&in, got, sizeof got, &err), N);
        assert_memory_equal(got, data, N);
        assert_int_equal(tsl_source_close(&in, &err), 0);
        (void)unlink("wide");
    }
}

static void what_is_written_is_read_again(void **state)
{
    static const size_t sizes[] = {
        0, 1, 262143, 262144, 262145, TSL_CODEC_FRAME, TSL_CODEC_FRAME + 1, N
    };
    (void)state;
    fill_data();
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++)
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            struct tsl_err err = { 0 };
            struct tsl_source s;
            assert_ok(write_all("x", (enum tsl_codec)codec, 1, sizes[k], true, &err),
                      &err);
            assert_ok(tsl_source_open(&s, "x", WINDOW, &err), &err);
            assert_int_equal(s.codec,
                             codec); /* an empty stream, too, is one of its kind */
            int64_t n = tsl_source_read(&s, got, sizeof got, &err);
            assert_ok(n, &err);
            assert_int_equal(n, sizes[k]);
            assert_memory_equal(got, data, sizes[k]);
            assert_ok(tsl_source_close(&s, &err), &err);
        }
}

static void packed_bytes_do_not_depend_on_threads(void **state)
{
    (void)state;
    fill_data();
    for (int codec = TSL_CODEC_ZSTD; codec <= TSL_CODEC_GZIP; codec++) {
        struct tsl_err err = { 0 };
        size_t n;
        assert_ok(write_all("one", (enum tsl_codec)codec, 1, N - 5, true, &err), &err);
        uint8_t *one = file_get("one", &n);
        for (unsigned threads = 2; threads <= 5; threads++) {
            assert_ok(write_all("x", (enum tsl_codec)codec, threads, N - 5, true, &err),
                      &err);
            assert_true(file_is("x", one, n));
        }
        free(one);
    }
}

static void without_commit_there_is_no_file(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++) {
        assert_ok(write_all("x", (enum tsl_codec)codec, 1, 100000, false, &err), &err);
        assert_true(folder_is_empty("."));
    }
}

static void any_failure_leaves_no_file(void **state)
{
    (void)state;
    fill_data();
    for (int codec = TSL_CODEC_NONE; codec <= TSL_CODEC_GZIP; codec++)
        for (unsigned threads = 1; threads <= 2; threads++)
            for (unsigned nth = 1;; nth++) {
                struct tsl_err err = { 0 };
                fault_arm(nth, NULL);
                int rc =
                    write_all("x", (enum tsl_codec)codec, threads, 1200000, true, &err);
                const char *call = fault_disarm();
                if (rc < 0)
                    assert_int_equal(err.code, rc);
                /* only syncing the folder comes after the name */
                assert_true(folder_count(".") == 0 ||
                            (folder_count(".") == 1 &&
                             (rc == 0 || !strcmp(call, "fsync") ||
                              !strcmp(call, "open") || !strcmp(call, "close"))));
                unlink("x");
                if (!call) {
                    assert_ok(rc, &err);
                    break;
                }
                assert_true(rc < 0 || fault_is_harmless(call));
            }
}

static void bytes_are_counted_plain(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_sink s;
    struct tsl_sink_opts o = { TSL_CODEC_ZSTD, 0, NULL, 1 };
    (void)state;
    fill_data();
    assert_ok(tsl_sink_open(&s, "x", false, &o, &err), &err);
    assert_ok(tsl_sink_write(&s, data, 70000, &err), &err);
    assert_ok(tsl_sink_write(&s, data, 0, &err), &err);
    assert_ok(tsl_sink_done(&s, &err), &err);
    assert_int_equal(s.bytes, 70000);
    assert_ok(tsl_sink_commit(&s, &err), &err);
    tsl_sink_close(&s);
    tsl_sink_close(&s); /* twice is fine */
    size_t n;
    free(file_get("x", &n));
    assert_in_range(n, 100, 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_again),
        TEST(a_wider_buffer_changes_no_byte),
        TEST(packed_bytes_do_not_depend_on_threads),
        TEST(without_commit_there_is_no_file),
        TEST(any_failure_leaves_no_file),
        TEST(bytes_are_counted_plain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "text/countfile.h"

static const char *const temp[] = { "." };
static const struct tsl_sink_opts plain = { TSL_CODEC_NONE, 0, NULL, 1 };
static const struct tsl_countfile_head HEAD = { "bytes pattern=\"x\" \xc3\xa9",
                                                "a test" };

static struct tsl_wordcount *counter(void)
{
    struct tsl_wordcount_opts o = { 16 << 20, 1, temp, 1, NULL };
    struct tsl_wordcount *wc;
    struct tsl_err err = { 0 };
    assert_ok(tsl_wordcount_create(&wc, &o, &err), &err);
    return wc;
}

static size_t word_of(size_t i, char *buf)
{
    int n = sprintf(buf, "%.*s%zu", (int)(i % 8), "abcdefgh", i * 7919);
    if (i % 5 == 0)
        buf[n++] = '\0';
    return (size_t)n;
}

/* n words, the ith of them i + 1 times; a long one at the end. */
static struct tsl_wordcount *counted(size_t n)
{
    struct tsl_wordcount *wc = counter();
    struct tsl_err err = { 0 };
    char buf[64];
    for (size_t i = 0; i < n; i++) {
        struct tsl_slice w = { (const uint8_t *)buf, word_of(i, buf) };
        assert_ok(tsl_wordcount_add(wc, 0, w, i + 1, &err), &err);
    }
    uint8_t *p = malloc(TSL_WORDCOUNT_WORD_MAX);
    memset(p, 'z', TSL_WORDCOUNT_WORD_MAX);
    struct tsl_slice w = { p, TSL_WORDCOUNT_WORD_MAX };
    if (n)
        assert_ok(tsl_wordcount_add(wc, 0, w, UINT64_C(1) << 62, &err), &err);
    free(p);
    assert_ok(tsl_wordcount_finish(wc, &err), &err);
    return wc;
}

static void write_file(const char *name, size_t n, uint64_t min_count,
                       const struct tsl_sink_opts *so, struct tsl_countfile_stats *st)
{
    struct tsl_wordcount *wc = counted(n);
    struct tsl_err err = { 0 };
    assert_ok(tsl_countfile_write(name, so, &HEAD, wc, min_count, st, &err), &err);
    tsl_wordcount_destroy(wc);
}

static int read_file(const char *name, struct tsl_wordcount *wc, struct tsl_err *err)
{
    return tsl_countfile_add(name, NULL, wc, 0, NULL, NULL, err);
}

static void words_come_back_with_their_counts(void **state)
{
    static const size_t sizes[] = { 0, 1, 100, 40000 };
    static const struct tsl_sink_opts zstd = { TSL_CODEC_ZSTD, 0, NULL, 1 };
    (void)state;
    for (size_t k = 0; k < 8; k++) {
        size_t n = sizes[k % 4];
        struct tsl_countfile_stats put, got;
        struct tsl_countfile_head head;
        struct tsl_wordcount *wc = counter(), *want = counted(n);
        struct tsl_err err = { 0 };
        struct tsl_slice v, w;
        uint64_t c, d;
        int rc;
        write_file("f", n, 1, k < 4 ? &plain : &zstd, &put);
        assert_int_equal(put.words, n + (n > 0));
        assert_ok(tsl_countfile_add("f", HEAD.cut, wc, 0, &head, &got, &err), &err);
        assert_string_equal(head.cut, HEAD.cut);
        assert_string_equal(head.made_by, HEAD.made_by);
        assert_true(got.words == put.words && got.total == put.total);
        assert_ok(tsl_wordcount_finish(wc, &err), &err);
        while ((rc = tsl_wordcount_next(want, &w, &c, &err)) == 1) {
            assert_int_equal(tsl_wordcount_next(wc, &v, &d, &err), 1);
            assert_int_equal(v.len, w.len);
            assert_memory_equal(v.data, w.data, w.len);
            assert_true(c == d);
        }
        assert_ok(rc, &err);
        assert_int_equal(tsl_wordcount_next(wc, &v, &d, &err), 0);
        tsl_wordcount_destroy(wc);
        tsl_wordcount_destroy(want);
    }
}

static void seldom_words_may_be_left_out(void **state)
{
    struct tsl_countfile_stats st;
    (void)state;
    write_file("f", 1000, 901, &plain, &st);
    assert_int_equal(st.words, 101);
    struct tsl_wordcount *wc = counter();
    struct tsl_err err = { 0 };
    assert_ok(read_file("f", wc, &err), &err);
    tsl_wordcount_destroy(wc);
}

static void unlike_counts_are_refused_by_name(void **state)
{
    struct tsl_wordcount *wc = counter();
    struct tsl_err err = { 0 };
    (void)state;
    write_file("f", 10, 1, &plain, NULL);
    assert_err(tsl_countfile_add("f", "spm", wc, 0, NULL, NULL, &err), TSL_EUSAGE, &err,
               "f: its words were cut by \"bytes pattern=");
    tsl_wordcount_destroy(wc);
}

/* What reading it says; wc is fresh for each. */
static int try_bytes(const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct tsl_wordcount *wc = counter();
    file_put("bad", p, n);
    int rc = read_file("bad", wc, err);
    tsl_wordcount_destroy(wc);
    return rc;
}

static void a_file_that_was_cut_is_refused_wherever(void **state)
{
    size_t n;
    (void)state;
    write_file("f", 12, 1, &plain, NULL);
    uint8_t *p = file_get("f", &n);
    /* the long word's inside is as good at one place as at another */
    for (size_t len = 0; len<n; len += len> 400 && len + 200 < n ? 5000 : 1) {
        struct tsl_err err = { 0 };
        assert_err(try_bytes(p, len, &err), TSL_EFORMAT, &err, "bad: byte ");
    }
    free(p);
}

static void a_changed_byte_is_found_wherever(void **state)
{
    size_t n;
    (void)state;
    write_file("f", 12, 1, &plain, NULL);
    uint8_t *p = file_get("f", &n);
    for (size_t at = 0; at<n; at += at> 400 && at + 200 < n ? 5000 : 1) {
        struct tsl_err err = { 0 };
        p[at] ^= (uint8_t)(1U << at % 8);
        assert_err(try_bytes(p, n, &err), TSL_EFORMAT, &err, "bad: byte ");
        p[at] ^= (uint8_t)(1U << at % 8);
    }
    struct tsl_err err = { 0 };
    assert_ok(try_bytes(p, n, &err), &err);
    p[n] = 'x';
    assert_err(try_bytes(p, n + 1, &err), TSL_EFORMAT, &err, "behind the trailer");
    free(p);
}

/* A file with one block, whose payload is this, and sums that are right. */
static size_t forge(uint8_t *f, const char *payload, size_t len, uint32_t nwords,
                    uint64_t words, uint64_t total)
{
    static const char json[] = "{\"cut\":\"x\"}    ";
    uint8_t *p = f;
    memcpy(p, "TSLWRD1\n", 8);
    tsl_store32(p + 8, 12);
    memcpy(p + 12, json, 12);
    tsl_store64(p + 24, tsl_hash64(p, 24, 0));
    p += 32;
    uint8_t *block = p;
    tsl_store32(p, 0x4b4c4257);
    tsl_store32(p + 4, (uint32_t)len);
    tsl_store32(p + 8, nwords);
    tsl_store32(p + 12, 0);
    memcpy(p + 16, payload, len);
    uint64_t sum = tsl_hash64(block, 16 + len, 0);
    tsl_store64(p + 16, sum);
    memcpy(p + 24, payload, len);
    p += 24 + len;
    tsl_store32(p, 0x444e4557);
    tsl_store32(p + 4, 0);
    tsl_store64(p + 8, 1);
    tsl_store64(p + 16, words);
    tsl_store64(p + 24, total);
    tsl_store64(p + 32, tsl_hash64(p, 32, 0));
    return (size_t)(p - f) + 40;
}

static void what_no_writer_writes_is_refused(void **state)
{
    static const struct {
        const char *payload;
        size_t len;
        uint32_t nwords;
        uint64_t words, total;
        const char *why;
    } bad[] = {
        { "\0\1a\1\0\1b\2", 8, 2, 2, 3, NULL },
        { "\0\1a\1\0\1b\2", 8, 2, 2, 4, "the trailer counts other" },
        { "\0\1a\1\0\1b\2", 8, 2, 1, 3, "the trailer counts other" },
        { "\0\1a\1\0\1b\2", 8, 1, 1, 1, "bytes behind the last word" },
        { "\0\1b\1\0\1a\2", 8, 2, 2, 3, "not in order" },
        { "\0\1a\0", 4, 1, 1, 0, "count" },
        { "", 0, 0, 0, 0, "no block of counted words is like that" },
        { "\0\1a\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\0\1b\1", 17, 2, 2, 0, "2^64" },
    };
    uint8_t f[300];
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_err err = { 0 };
        size_t n = forge(f, bad[i].payload, bad[i].len, bad[i].nwords, bad[i].words,
                         bad[i].total);
        int rc = try_bytes(f, n, &err);
        if (bad[i].why)
            assert_err(rc, TSL_EFORMAT, &err, bad[i].why);
        else
            assert_ok(rc, &err);
    }
    struct tsl_err err = { 0 };
    tsl_store32(f + 8, UINT32_MAX); /* a header that would not fit in memory */
    assert_err(try_bytes(f, sizeof f, &err), TSL_EFORMAT, &err, "that long");
}

static void any_failure_is_told_and_leaves_no_file(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_wordcount *wc = counted(3000);
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = tsl_countfile_write("f", &plain, &HEAD, wc, 1, NULL, &err);
        const char *call = fault_disarm();
        tsl_wordcount_destroy(wc);
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc == err.code);
        assert_true(rc < 0 ? !file_exists("f") : fault_is_harmless(call));
        remove("f");
        assert_true(folder_is_empty("."));
    }
    for (unsigned nth = 1;; nth++) {
        struct tsl_wordcount *wc = counter();
        struct tsl_err err = { 0 };
        fault_arm(nth, NULL);
        int rc = read_file("f", wc, &err);
        const char *call = fault_disarm();
        tsl_wordcount_destroy(wc);
        assert_true(rc < 0 ? rc == err.code : !call || fault_is_harmless(call));
        if (!call)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(words_come_back_with_their_counts),
        TEST(seldom_words_may_be_left_out),
        TEST(unlike_counts_are_refused_by_name),
        TEST(a_file_that_was_cut_is_refused_wherever),
        TEST(a_changed_byte_is_found_wherever),
        TEST(what_no_writer_writes_is_refused),
        TEST(any_failure_is_told_and_leaves_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

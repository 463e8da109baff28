#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "text/outbuf.h"

static void put(struct tsl_outbuf *b, const char *s)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_outbuf_put(b, s, strlen(s), &err), &err);
}

static void holds(const struct tsl_outbuf *b, const char *want)
{
    assert_int_equal(b->len, strlen(want));
    if (b->len)
        assert_memory_equal(b->p, want, b->len);
}

static void bytes_stand_in_the_order_in_which_they_were_put(void **state)
{
    struct tsl_outbuf b = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    put(&b, "one ");
    put(&b, "");
    put(&b, "two");
    assert_ok(tsl_outbuf_put(&b, NULL, 0, &err), &err);
    holds(&b, "one two");
    const uint8_t *p = b.p;
    b.len = 0; /* the memory stays */
    put(&b, "three");
    holds(&b, "three");
    assert_ptr_equal(b.p, p);
    tsl_outbuf_fini(&b);
    assert_null(b.p);
    put(&b, "and again"); /* after fini as at first */
    holds(&b, "and again");
    tsl_outbuf_fini(&b);
}

static void room_that_was_reserved_is_there(void **state)
{
    struct tsl_outbuf b = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    put(&b, "x");
    assert_ok(tsl_outbuf_reserve(&b, 100000, &err), &err);
    assert_true(b.cap - b.len >= 100000);
    const uint8_t *p = b.p;
    for (int i = 0; i < 1000; i++)
        put(&b, "0123456789012345678901234567890123456789012345678901234567890123456789"
                "012345678901234567890123456789");
    assert_ptr_equal(b.p, p);
    assert_int_equal(b.len, 100001);
    assert_ok(tsl_outbuf_reserve(&b, 0, &err), &err);
    assert_err(tsl_outbuf_reserve(&b, SIZE_MAX - b.len, &err), TSL_ENOMEM, &err,
               "the output");
    assert_int_equal(b.len, 100001); /* and nothing is lost */
    tsl_outbuf_fini(&b);
}

static void a_string_is_quoted_as_json_has_it(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *want;
    } cases[] = {
        { "", 0, "\"\"" },
        { "plain ~", 7, "\"plain ~\"" },
        { "\"\\/", 3, "\"\\\"\\\\/\"" },
        { "a\nb\tc\r", 6, "\"a\\nb\\tc\\r\"" },
        { "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\x7f\"" },
        { "\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", 9,
          "\"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\"" },
        /* one sign for each maximal part: a lead without its rest, a surrogate's three
         * bytes, an overlong slash's two, a byte that is none */
        { "a\xe4\xb8z", 4, "\"a\xef\xbf\xbdz\"" },
        { "\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"" },
        { "\xff", 1, "\"\xef\xbf\xbd\"" },
        { "\xf0\x9f\x98", 3, "\"\xef\xbf\xbd\"" },
    };
    struct tsl_err err = { 0 };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tsl_outbuf b = { 0 };
        uint8_t *copy = malloc(cases[i].n + 1); /* so that ASan sees one byte too many */
        if (cases[i].n)
            memcpy(copy, cases[i].text, cases[i].n);
        uint8_t *exact = realloc(copy, cases[i].n + !cases[i].n);
        assert_ok(tsl_outbuf_quoted(&b, exact, cases[i].n, &err), &err);
        holds(&b, cases[i].want);
        free(exact);
        tsl_outbuf_fini(&b);
    }
}

static void what_is_beyond_a_mebibyte_goes_into_the_sink(void **state)
{
    enum { N = 300000 };
    const struct tsl_sink_opts o = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_sink sink;
    char *want = malloc(N * 10 + 1);
    (void)state;
    assert_ok(tsl_sink_open(&sink, "out", true, &o, &err), &err);
    struct tsl_outbuf b = { .sink = &sink };
    for (size_t i = 0; i < N; i++) {
        char row[11];
        for (size_t k = 0, v = i; k < 9; k++, v /= 10)
            row[8 - k] = (char)('0' + v % 10);
        row[9] = '\n';
        memcpy(want + 10 * i, row, 10);
        assert_ok(tsl_outbuf_put(&b, row, 10, &err), &err);
    }
    assert_true(b.cap <= 2 << 20); /* it does not grow with the stream */
    assert_ok(tsl_outbuf_flush(&b, &err), &err);
    assert_int_equal(b.len, 0);
    assert_ok(tsl_outbuf_flush(&b, &err), &err); /* of nothing */
    tsl_outbuf_fini(&b);
    assert_ptr_equal(b.sink, &sink);
    assert_ok(tsl_sink_done(&sink, &err), &err);
    assert_ok(tsl_sink_commit(&sink, &err), &err);
    tsl_sink_close(&sink);
    assert_true(file_is("out", want, (size_t)N * 10));
    free(want);
}

static void a_sink_that_fails_is_told_and_the_buffer_is_empty(void **state)
{
    const struct tsl_sink_opts o = { 0 };
    struct tsl_err err = { 0 };
    struct tsl_sink sink;
    (void)state;
    assert_ok(tsl_sink_open(&sink, "out", true, &o, &err), &err);
    struct tsl_outbuf b = { .sink = &sink };
    assert_ok(tsl_outbuf_reserve(&b, 3 << 20, &err), &err);
    memset(b.p, 'x', 3 << 20);
    b.len = 3 << 20;
    fault_arm(1, "write pwritev");
    int rc = tsl_outbuf_flush(&b, &err);
    assert_non_null(fault_disarm());
    assert_err(rc, TSL_EIO, &err, "out");
    assert_int_equal(b.len, 0);
    tsl_outbuf_fini(&b);
    tsl_sink_close(&sink);
    assert_true(folder_is_empty("."));
}

static int put_and_quote(void *ctx, struct tsl_err *err)
{
    static const char text[] =
        "\"a\\\n\t\x01\xff\xc3\xa9 and more than a first buffer holds";
    struct tsl_outbuf b = { 0 };
    int rc = 0;
    (void)ctx;
    for (int i = 0; i < 100 && rc == 0; i++)
        rc = tsl_outbuf_quoted(&b, (const uint8_t *)text, sizeof text - 1, err);
    tsl_outbuf_fini(&b);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    fault_each_allocation(put_and_quote, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_stand_in_the_order_in_which_they_were_put),
        TEST(room_that_was_reserved_is_there),
        TEST(a_string_is_quoted_as_json_has_it),
        TEST(what_is_beyond_a_mebibyte_goes_into_the_sink),
        TEST(a_sink_that_fails_is_told_and_the_buffer_is_empty),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

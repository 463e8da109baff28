#include "support/fault.h"
#include "support/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/protobuf.h"

static struct tsl_slice of(const void *p, size_t n)
{
    return (struct tsl_slice){ p, n };
}

#define BYTES(s) of("" s, sizeof s - 1)

/* 1 or 0 for the first field of message; its error otherwise. */
static int first(struct tsl_slice message, struct tsl_protobuf_field *f,
                 struct tsl_err *err)
{
    struct tsl_protobuf r;
    tsl_protobuf_init(&r, message, 100, "a file");
    return tsl_protobuf_next(&r, f, err);
}

static void fields_of_all_kinds_are_read(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_protobuf r;
    struct tsl_protobuf_field f;
    struct tsl_slice text;
    int32_t i = 0;
    bool b = false;
    float x = 0;
    tsl_protobuf_init(&r,
                      BYTES("\x08\x96\x01"
                            "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                            "\x18\x01"
                            "\x25\x00\x00\xc0\x3f"
                            "\x2a\x03xyz"
                            "\x31\x01\x02\x03\x04\x05\x06\x07\x08"),
                      0, "f");
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_ok(tsl_protobuf_int32(&r, &f, &i, &err), &err);
    assert_int_equal(f.number, 1);
    assert_int_equal(i, 150);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_ok(tsl_protobuf_int32(&r, &f, &i, &err), &err);
    assert_int_equal(i, -1);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_ok(tsl_protobuf_bool(&r, &f, &b, &err), &err);
    assert_true(b);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_ok(tsl_protobuf_float(&r, &f, &x, &err), &err);
    assert_true(x == 1.5F);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_ok(tsl_protobuf_bytes(&r, &f, &text, &err), &err);
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.data, "xyz", 3);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_int_equal(f.wire, TSL_PROTOBUF_64);
    assert_true(f.value == UINT64_C(0x0807060504030201));
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 0);
    assert_int_equal(first(of(NULL, 0), &f, &err), 0);
}

static void what_is_cut_short_or_no_field_is_refused(void **state)
{
    static const struct {
        struct tsl_slice message;
        const char *why;
    } bad[] = {
        { { (const uint8_t *)"\x08", 1 }, "byte 100: a number that does not end" },
        { { (const uint8_t *)"\x08\x80\x80", 3 }, "does not end" },
        { { (const uint8_t *)"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 },
          "does not end" },
        { { (const uint8_t *)"\x12\x05xy", 4 }, "field 2 says 5 bytes, there are 2" },
        { { (const uint8_t *)"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
          "says 18446744073709551615 bytes" },
        { { (const uint8_t *)"\x12", 1 }, "a length that does not end" },
        { { (const uint8_t *)"\x15\x01\x02\x03", 4 }, "a field of 4 bytes" },
        { { (const uint8_t *)"\x11\x01\x02\x03", 4 }, "a field of 8 bytes" },
        { { (const uint8_t *)"\x03", 1 }, "no field of a protobuf message" },
        { { (const uint8_t *)"\x0b\x0c", 2 }, "no field of a protobuf message" },
        { { (const uint8_t *)"\x0f", 1 }, "no field" },
        { { (const uint8_t *)"\xff\xff\xff\xff\xff\xff\x01", 7 }, "no field" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_err err = { 0 };
        struct tsl_protobuf_field f;
        assert_err(first(bad[i].message, &f, &err), TSL_EFORMAT, &err, bad[i].why);
    }
}

static void a_field_of_another_type_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_protobuf r;
    struct tsl_protobuf_field f;
    int32_t i;
    bool b;
    float x;
    struct tsl_slice s;
    tsl_protobuf_init(&r, BYTES("\x12\x01x\x08\x80\x80\x80\x80\x10"), 7, "a file");
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_err(tsl_protobuf_int32(&r, &f, &i, &err), TSL_EFORMAT, &err,
               "a file': byte 7: field 2 is not a whole number");
    assert_err(tsl_protobuf_bool(&r, &f, &b, &err), TSL_EFORMAT, &err, "true or false");
    assert_err(tsl_protobuf_float(&r, &f, &x, &err), TSL_EFORMAT, &err, "floating-point");
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_err(tsl_protobuf_bytes(&r, &f, &s, &err), TSL_EFORMAT, &err, "text or bytes");
    assert_err(tsl_protobuf_int32(&r, &f, &i, &err), TSL_EFORMAT, &err, "32 bits");
}

static void what_is_written_is_read_again(void **state)
{
    static const int64_t numbers[] = { 0, 1, 127, 128, 300, INT32_MAX, INT32_MIN, -1 };
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_protobuf_out w = { 0 };
    struct tsl_protobuf r, in;
    struct tsl_protobuf_field f;
    enum { N = sizeof numbers / sizeof *numbers };
    for (size_t i = 0; i < N; i++)
        tsl_protobuf_put_int(&w, 1000, numbers[i]);
    tsl_protobuf_put_float(&w, 2, -0.0F);
    tsl_protobuf_put_bool(&w, 3, true);
    tsl_protobuf_put_bytes(&w, 4, BYTES("\x08\x07"));
    tsl_protobuf_put_bytes(&w, 5, of(NULL, 0));
    assert_ok(tsl_protobuf_end(&w, &err), &err);
    tsl_protobuf_init(&r, of(w.bytes, w.len), 0, "f");
    int32_t v = 0;
    float x = 1;
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
        assert_int_equal(f.number, 1000);
        assert_ok(tsl_protobuf_int32(&r, &f, &v, &err), &err);
        assert_int_equal(v, numbers[i]);
    }
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_ok(tsl_protobuf_float(&r, &f, &x, &err), &err);
    assert_true(x == 0 && signbit(x));
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_int_equal(f.value, 1);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    tsl_protobuf_enter(&in, &r, &f);
    assert_int_equal(tsl_protobuf_next(&in, &f, &err), 1);
    assert_int_equal(f.value, 7);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 1);
    assert_int_equal(f.bytes.len, 0);
    assert_int_equal(tsl_protobuf_next(&r, &f, &err), 0);
    tsl_protobuf_fini(&w);
}

static void a_failed_allocation_is_told_at_the_end(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_protobuf_out w = { 0 };
        fault_arm(nth, NULL);
        for (int i = 0; i < 100; i++)
            tsl_protobuf_put_bytes(&w, 1, BYTES("some text"));
        int rc = tsl_protobuf_end(&w, &err);
        const char *reached = fault_disarm();
        tsl_protobuf_fini(&w);
        if (!reached)
            break;
        assert_err(rc, TSL_ENOMEM, &err, "a message");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(fields_of_all_kinds_are_read),
        TEST(what_is_cut_short_or_no_field_is_refused),
        TEST(a_field_of_another_type_is_refused),
        TEST(what_is_written_is_read_again),
        TEST(a_failed_allocation_is_told_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

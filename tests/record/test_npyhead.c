#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/npyhead.h"
#include "support/fixture.h"

static void a_head_has_the_bytes_that_numpy_writes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum tsl_dtype type;
        unsigned ndims;
        uint64_t dims[3];
    } files[] = { { "u16_1d", TSL_U16, 1, { 300 } },   { "i32_2d", TSL_I32, 2, { 3, 4 } },
                  { "u8_3d", TSL_U8, 3, { 2, 3, 4 } }, { "f16", TSL_F16, 1, { 4 } },
                  { "bool_1d", TSL_BIT, 1, { 3 } },    { "f32_0d", TSL_F32, 0, { 0 } } };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[64];
        size_t n;
        struct tsl_npyhead h;
        struct tsl_err err = { 0 };
        uint8_t ours[TSL_NPY_HEAD_BYTES];
        snprintf(path, sizeof path, "formats/npy/%s.npy", files[i].name);
        uint8_t *theirs = fixture_get(path, &n);
        assert_ok(tsl_npyhead_read(&h, theirs, n, path, &err), &err);
        assert_int_equal(h.type, files[i].type);
        assert_int_equal(h.ndims, files[i].ndims);
        assert_int_equal(n - h.bytes, h.count * tsl_dtype_bytes(h.type));
        tsl_npyhead_write(ours, h.type, h.ndims, h.dims);
        assert_memory_equal(ours, theirs, sizeof ours);
        for (unsigned d = 0; files[i].ndims == 2 && d < 2; d++)
            assert_int_equal(h.dims[d], files[i].dims[d]);
        free(theirs);
    }
}

static int read_text(const char *dict, struct tsl_npyhead *h, struct tsl_err *err)
{
    uint8_t p[512] = "\x93NUMPY\x01";
    size_t n = strlen(dict);
    p[8] = (uint8_t)n;
    p[9] = (uint8_t)(n >> 8);
    memcpy(p + 10, dict, n);
    return tsl_npyhead_read(h, p, 10 + n, "x.npy", err);
}

static void python_may_write_a_head_in_other_ways(void **state)
{
    (void)state;
    struct tsl_npyhead h;
    struct tsl_err err = { 0 };
    assert_ok(
        read_text("{\"shape\": (2,3), 'fortran_order':True,'descr':'>i8'}", &h, &err),
        &err);
    assert_true(h.swapped && h.fortran && h.ndims == 2 && h.count == 6);
    assert_ok(read_text("{'descr':'|b1','fortran_order':False,'shape':()}\n", &h, &err),
              &err);
    assert_true(h.ndims == 0 && h.count == 1);
}

static void what_is_no_array_of_numbers_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *dict, *why;
    } bad[] = {
        { "[]", "a dictionary was expected" },
        { "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", "no number" },
        { "{'descr': '<U5', 'fortran_order': False, 'shape': (1,)}", "no number" },
        { "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1,)}",
          "structured" },
        { "{'descr': '<i4', 'shape': (1,)}", "missing" },
        { "{'descr': '<i4', 'fortran_order': 1, 'shape': (1,)}", "True or False" },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (-1,)}", "a dimension" },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
          "too large" },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
          "more values" },
        { "{'descr': '<i4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
          "unknown key" },
        { "{'descr': '<i4' 'fortran_order': False}", "a comma" },
        { "{'descr': '<i4", "a type" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_npyhead h;
        struct tsl_err err = { 0 };
        assert_err(read_text(bad[i].dict, &h, &err), TSL_EFORMAT, &err, bad[i].why);
    }
}

static void lengths_that_lie_are_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    size_t bytes;
    uint8_t p[12] = "\x93NUMPY\x02\0\xff\xff\xff\x7f";
    assert_err(tsl_npyhead_measure(p, 12, &bytes, "x", &err), TSL_EFORMAT, &err,
               "head of");
    assert_err(tsl_npyhead_measure(p, 11, &bytes, "x", &err), TSL_EFORMAT, &err,
               "no .npy");
    p[6] = 4;
    assert_err(tsl_npyhead_measure(p, 12, &bytes, "x", &err), TSL_EFORMAT, &err,
               "version 4.0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_head_has_the_bytes_that_numpy_writes),
        TEST(python_may_write_a_head_in_other_ways),
        TEST(what_is_no_array_of_numbers_is_refused),
        TEST(lengths_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

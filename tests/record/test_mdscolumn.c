#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "record/mdscolumn.h"
#include "support/gendata.h"

static struct tsl_column column(enum tsl_dtype t, bool list, uint32_t ndims,
                                const uint32_t *dims)
{
    struct tsl_schema s = { .ncolumns = 0 };
    assert_ok(tsl_schema_add(&s, "c", t, list, ndims, dims, NULL), NULL);
    return s.columns[0];
}

static void a_columns_encoding_is_read_as_that_column(void **state)
{
    (void)state;
    static const uint32_t dims[] = { 5, 1, 7, 268435456 / 35 };
    for (int t = 0; t < TSL_NDTYPES; t++)
        for (int shape = 0; shape < 6; shape++) {
            char encoding[TSL_MDS_ENCODING_MAX];
            struct tsl_mdscolumn m, back;
            struct tsl_schema s = { .ncolumns = 0 };
            struct tsl_err err = { 0 };
            bool list = shape == 5, text = tsl_dtype_bytes((enum tsl_dtype)t) == 0;
            struct tsl_column c =
                column((enum tsl_dtype)t, list, list ? 0 : (uint32_t)shape, dims);
            int rc = tsl_mdscolumn_of(&m, &c, encoding, &err);
            if (text && (list || c.count > 1)) {
                assert_err(rc, TSL_EUSAGE, &err, "column c: MDS has no lists of strings");
                continue;
            }
            assert_ok(rc, &err);
            if (text && shape) /* dimensions of 1 */
                continue;
            assert_ok(tsl_mdscolumn_named(&back, &s, "c", encoding, &err), &err);
            assert_int_equal(back.kind, m.kind);
            assert_int_equal(back.bytes, m.bytes);
            if (t == TSL_BIT) /* bits are bytes there */
                c.type = TSL_U8;
            struct tsl_schema want = { .columns = { c }, .ncolumns = 1 };
            assert_true(tsl_schema_equal(&s, &want));
        }
}

static void streamings_own_names_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *encoding;
        enum tsl_dtype type;
        uint32_t bytes;
    } known[] = {
        { "int", TSL_I64, 8 },
        { "str_int", TSL_STR, 0 },
        { "jpeg", TSL_BYTES, 0 },
        { "list[png]", TSL_BYTES, 0 },
        { "json", TSL_JSON, 0 },
        { "ndarray", TSL_JSON, 0 },
        { "ndarray:float16", TSL_F16, 0 },
        { "ndarray:int8:2,3", TSL_I8, 6 },
        { "float64", TSL_F64, 8 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct tsl_mdscolumn m;
        struct tsl_schema s = { .ncolumns = 0 };
        struct tsl_err err = { 0 };
        assert_ok(tsl_mdscolumn_named(&m, &s, "c", known[i].encoding, &err), &err);
        assert_int_equal(s.columns[0].type, known[i].type);
        assert_int_equal(m.bytes, known[i].bytes);
    }
}

static void names_that_mean_nothing_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "in",
                                       "int ",
                                       "float128",
                                       "ndarrays",
                                       "ndarray:",
                                       "ndarray::3",
                                       "ndarray:int",
                                       "ndarray:int32:",
                                       "ndarray:int32:0",
                                       "ndarray:int32:-1",
                                       "ndarray:int32:2,",
                                       "ndarray:int32:2,,3",
                                       "ndarray:int32: 2",
                                       "ndarray:int32:1,1,1,1,1",
                                       "ndarray:int32:99999999999999999999",
                                       "ndarray:uint8uint8uint8:3",
                                       "ndarray:int32:2x" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsl_mdscolumn m;
        struct tsl_schema s = { .ncolumns = 0 };
        struct tsl_err err = { 0 };
        assert_err(tsl_mdscolumn_named(&m, &s, "c", bad[i], &err), TSL_EFORMAT, &err,
                   "column c: unknown encoding");
        assert_int_equal(s.ncolumns, 0);
    }
    struct tsl_mdscolumn m;
    struct tsl_schema s = { .ncolumns = 0 };
    struct tsl_err err = { 0 };
    assert_err(tsl_mdscolumn_named(&m, &s, "c", "ndarray:int8:65536,65536", &err),
               TSL_EFORMAT, &err, "column c: its dimensions");
    assert_err(tsl_mdscolumn_named(&m, &s, "c", "pkl", &err), TSL_EUSAGE, &err,
               "pickled");
}

/* The bytes of a list of n u16, written and read again. */
static void list_takes(uint32_t n, size_t head, const char *front)
{
    struct tsl_column c = column(TSL_U16, true, 0, NULL);
    struct tsl_mdscolumn m;
    struct tsl_mdsvalue keep = { .len = 0 };
    struct tsl_err err = { 0 };
    char encoding[TSL_MDS_ENCODING_MAX];
    uint8_t *values = calloc(n, 2);
    struct gen g = { n };
    gen_bytes(&g, values, 2 * (size_t)n);
    struct tsl_value v = { values, NULL, n }, back;
    assert_ok(tsl_mdscolumn_of(&m, &c, encoding, &err), &err);
    size_t bytes = tsl_mdscolumn_measure(&m, &c, &v);
    assert_int_equal(bytes, head + 2 * (size_t)n);
    uint8_t *p = malloc(bytes);
    tsl_mdscolumn_write(&m, &c, &v, p);
    assert_memory_equal(p, front, head);
    struct tsl_slice s = { p, bytes };
    assert_ok(tsl_mdscolumn_read(&m, &c, s, &keep, &back, &err), &err);
    assert_int_equal(back.n, n);
    assert_memory_equal(back.data, values, 2 * (size_t)n);
    free(p);
    free(values);
}

static void a_lists_length_takes_as_many_bytes_as_it_needs(void **state)
{
    (void)state;
    list_takes(1, 2, "\4\1");
    list_takes(255, 2, "\4\xff");
    list_takes(256, 3, "\5\0\1");
    list_takes(65535, 3, "\5\xff\xff");
    list_takes(65536, 5, "\6\0\0\1\0");
}

/* An array's bytes, cut and changed everywhere: what is read lies within them. */
static void arrays_that_lie_about_their_shape_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *told;
    } cases[] = {
        { "", 0, "without a shape" },
        { "\4", 1, "1 dimensions in 1 bytes" },
        { "\xff", 1, "63 dimensions" },
        { "\4\2\1\0", 4, "array of 2 values of 2 bytes in 2 bytes" },
        { "\4\1\1\0\2\0", 6, "array of 1 values" },
        { "\7\xff\xff\xff\xff\xff\xff\xff\xff", 9, "values of 2 bytes in 0 bytes" },
        { "\7\0\0\0\0\0\0\0\x80", 9, "values of 2 bytes in 0 bytes" },
        { "\xb\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0", 17, "values of 2 bytes in 0 bytes" },
        { "\0\7\0", 3, "0 dimensions" },
        { "\x8\1\1\7\0", 5, "2 dimensions" },
    };
    struct tsl_column c = column(TSL_U16, true, 0, NULL);
    struct tsl_mdscolumn m = { .kind = TSL_MDS_SHAPED };
    struct tsl_mdsvalue keep = { .len = 0 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tsl_err err = { 0 };
        struct tsl_value v;
        uint8_t *p = malloc(cases[i].n + 1);
        memcpy(p, cases[i].bytes, cases[i].n);
        struct tsl_slice s = { p, cases[i].n };
        assert_err(tsl_mdscolumn_read(&m, &c, s, &keep, &v, &err), TSL_EFORMAT, &err,
                   cases[i].told);
        free(p);
    }
}

static void an_array_of_any_type_becomes_a_text(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *text;
    } cases[] = {
        { "\x08\x04\x03\1\2\3", 6,
          "{\"dtype\":\"uint8\",\"shape\":[3],\"data\":[1,2,3]}" },
        { "\x11\x08\1\2\xff\xff\2\0", 8,
          "{\"dtype\":\"int16\",\"shape\":[1,2],\"data\":[-1,2]}" },
        { "\x22\x00\0\0\x80\x3f", 6,
          "{\"dtype\":\"float32\",\"shape\":[],\"data\":[1.0]}" },
        { "\x42\x05\0\0", 4, "{\"dtype\":\"float64\",\"shape\":[0],\"data\":[]}" },
    };
    struct tsl_column c = column(TSL_JSON, false, 0, NULL);
    struct tsl_mdscolumn m = { .kind = TSL_MDS_ANY };
    struct tsl_mdsvalue keep = { .len = 0 };
    struct tsl_err err = { 0 };
    struct tsl_value v;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tsl_slice s = { (const uint8_t *)cases[i].bytes, cases[i].n };
        assert_ok(tsl_mdscolumn_read(&m, &c, s, &keep, &v, &err), &err);
        assert_int_equal(v.lens[0], strlen(cases[i].text));
        assert_memory_equal(v.data, cases[i].text, v.lens[0]);
    }
    /* each cut and each change of the first is told, or is a text within its bounds */
    for (size_t k = 0; k < 6 * 256; k++) {
        uint8_t *p = malloc(6);
        memcpy(p, cases[0].bytes, 6);
        p[k / 256] = (uint8_t)k;
        struct tsl_slice s = { p, 6 };
        int rc = tsl_mdscolumn_read(&m, &c, s, &keep, &v, &err);
        assert_true(rc == 0 || (rc == TSL_EFORMAT && err.msg[0]));
        assert_true(rc < 0 || v.lens[0] <= keep.cap);
        err = (struct tsl_err){ 0 };
        free(p);
    }
    for (size_t n = 0; n < 6; n++) {
        struct tsl_slice s = { (const uint8_t *)cases[0].bytes, n };
        assert_int_equal(tsl_mdscolumn_read(&m, &c, s, &keep, &v, NULL), TSL_EFORMAT);
    }
    tsl_mem_free(keep.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_columns_encoding_is_read_as_that_column),
        TEST(streamings_own_names_are_known),
        TEST(names_that_mean_nothing_are_refused),
        TEST(a_lists_length_takes_as_many_bytes_as_it_needs),
        TEST(arrays_that_lie_about_their_shape_are_refused),
        TEST(an_array_of_any_type_becomes_a_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/jsonread.h"
#include "record/recjson.h"
#include "support/rectrip.h"

/* The record's line, within its bound. */
static char *line(const struct tsl_schema *s, const struct tsl_value *values)
{
    struct tsl_record rec = { 0, values };
    size_t bound = tsl_recjson_bound(s, &rec);
    char *p = malloc(bound + 1);
    char *end = tsl_recjson_write(p, s, &rec);
    assert_true(end <= p + bound);
    *end = '\0';
    return p;
}

static void a_record_is_an_object_of_its_columns(void **state)
{
    (void)state;
    static const uint32_t dims[] = { 2, 1, 2 };
    const int16_t numbers[] = { 1, -2, 300, INT16_MIN };
    const uint8_t bits[] = { 0, 1, 1 };
    const uint32_t one[] = { 4 }, two[] = { 1, 3 }, four[] = { 4 }, none[] = { 0 };
    const float f = 1;
    struct tsl_schema s = { .ncolumns = 0 };
    assert_ok(tsl_schema_add(&s, "n", TSL_I16, false, 3, dims, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "b", TSL_BIT, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "s", TSL_STR, false, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "ss", TSL_STR, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "x", TSL_BYTES, false, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "j", TSL_JSON, false, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "f\"", TSL_F32, false, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "e", TSL_BYTES, false, 0, NULL, NULL), NULL);
    const struct tsl_value values[] = {
        { numbers, NULL, 4 },
        { bits, NULL, 3 },
        { "a\"\n\\", one, 1 },
        { "a\xc3\xa9\x7f", two, 2 },
        { "\0\1\xff\xfe", four, 1 },
        { "null", one, 1 },
        { &f, NULL, 1 },
        { NULL, none, 1 },
    };
    char *p = line(&s, values);
    assert_string_equal(p, "{\"n\":[[[1,-2]],[[300,-32768]]],\"b\":[0,1,1],"
                           "\"s\":\"a\\\"\\n\\\\\",\"ss\":[\"a\",\"\xc3\xa9\x7f\"],"
                           "\"x\":{\"base64\":\"AAH//g==\"},\"j\":null,\"f\\\"\":1.0,"
                           "\"e\":{\"base64\":\"\"}}");
    free(p);
}

static void whole_numbers_have_all_their_digits(void **state)
{
    (void)state;
    struct gen g = { 5 };
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t v = gen_u64(&g) >> gen_below(&g, 64);
        char want[40], got[40];
        if (i < 64) /* around powers of ten and two */
            v = UINT64_MAX >> i;
        uint64_t ten = 1;
        for (unsigned k = 0; i >= 64 && i < 124 && k < (i - 64) / 3; k++)
            ten *= 10;
        if (i >= 64 && i < 124)
            v = ten + i % 3 - 1;
        *tsl_recjson_numbers(got, TSL_U64, &v, 1) = '\0';
        snprintf(want, sizeof want, "%llu", (unsigned long long)v);
        assert_string_equal(got, want);
        *tsl_recjson_numbers(got, TSL_I64, &v, 1) = '\0';
        snprintf(want, sizeof want, "%lld", (long long)v);
        assert_string_equal(got, want);
    }
    char got[40];
    const int8_t pair[] = { INT8_MIN, INT8_MAX };
    *tsl_recjson_numbers(got, TSL_I8, pair, 2) = '\0';
    assert_string_equal(got, "-128,127");
}

static void floats_are_read_back_as_what_they_were(void **state)
{
    (void)state;
    struct gen g = { 6 };
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t u = gen_u64(&g);
        char got[40];
        double d;
        float f;
        if (i % 3 == 0)
            u &= UINT64_C(0xffff000000000000); /* few digits; halves of every size */
        memcpy(&d, &u, 8);
        *tsl_recjson_numbers(got, TSL_F64, &d, 1) = '\0';
        if (isfinite(d))
            assert_true(strtod(got, NULL) == d && strpbrk(got, ".e"));
        else
            assert_string_equal(got, "null");
        uint32_t w = (uint32_t)(u >> 32);
        memcpy(&f, &w, 4);
        char *end = tsl_recjson_numbers(got, TSL_F32, &f, 1);
        *end = '\0';
        assert_true(end - got < TSL_RECJSON_NUMBER);
        if (isfinite(f))
            assert_true(strtof(got, NULL) == f);
        else
            assert_string_equal(got, "null");
        uint16_t h = (uint16_t)(u >> 48);
        *tsl_recjson_numbers(got, TSL_F16, &h, 1) = '\0';
        if (strcmp(got, "null") != 0)
            assert_true(strtof(got, NULL) == tsl_half_float(h));
    }
    const double ends[] = { 0, -0.0, DBL_MAX, -DBL_TRUE_MIN, 1e15, 123456789012345678.0 };
    char got[6 * TSL_RECJSON_NUMBER];
    *tsl_recjson_numbers(got, TSL_F64, ends, 6) = '\0';
    assert_string_equal(got,
                        "0.0,-0.0,1.7976931348623157e+308,-4.94065645841247e-324,1e+15,"
                        "1.2345678901234568e+17");
}

static void any_record_is_valid_json_within_its_bound(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 300; seed++) {
        struct tsl_schema s;
        struct recdata r;
        struct tsl_jsonread *doc;
        struct tsl_err err = { 0 };
        struct gen g = { seed };
        recdata_schema(&s, seed);
        recdata_record(&r, &s, seed, 60);
        for (size_t i = 0; i < s.ncolumns; i++) /* strings of any bytes */
            if (s.columns[i].type == TSL_STR || s.columns[i].type == TSL_BYTES)
                gen_bytes(&g, r.data[i],
                          (size_t)tsl_value_bytes(&s.columns[i], &r.values[i]));
            else if (s.columns[i].type == TSL_U64) /* Jansson has none beyond 63 bits */
                memset(r.data[i], 1, 8 * r.values[i].n);
        char *p = line(&s, r.values);
        struct tsl_slice text = { (const uint8_t *)p, strlen(p) };
        int rc = tsl_jsonread_parse(&doc, text, p, &err);
        bool empty_json =
            rc < 0; /* a column of JSON texts that are none: it goes in as it is */
        for (size_t i = 0; empty_json && i < s.ncolumns; i++)
            if (s.columns[i].type == TSL_JSON)
                rc = 0;
        assert_ok(rc, &err);
        if (!empty_json) {
            assert_int_equal(tsl_jsonread_size(tsl_jsonread_root(doc)), s.ncolumns);
            tsl_jsonread_destroy(doc);
        }
        recdata_free(&r);
        free(p);
    }
}

static void what_is_no_utf8_is_replaced(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    const uint32_t len = 7;
    assert_ok(tsl_schema_add(&s, "s", TSL_STR, false, 0, NULL, NULL), NULL);
    struct tsl_value v = { "\xff\xe2\x82z\xed\xa0\x80", &len, 1 };
#define BAD "\xef\xbf\xbd"
    char *p = line(&s, &v);
    assert_string_equal(p, "{\"s\":\"" BAD BAD "z" BAD BAD BAD "\"}");
    free(p);
}

/* Eight at a time, and the rest. */
static void every_id_of_16_bits_has_its_digits(void **state)
{
    static uint16_t ids[1 << 16];
    static char got[(1 << 16) * TSL_RECJSON_NUMBER], want[(1 << 16) * 8];
    (void)state;
    for (uint32_t v = 0; v < 1 << 16; v++)
        ids[v] = (uint16_t)(v * 40503);
    for (size_t n = 1; n <= 1 << 16; n = n < 40 ? n + 1 : n * 2 - 37) {
        char *to = want;
        for (size_t i = 0; i < n; i++)
            to += sprintf(to, i ? ",%u" : "%u", ids[i]);
        *tsl_recjson_numbers(got, TSL_U16, ids, n) = '\0';
        assert_string_equal(got, want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_record_is_an_object_of_its_columns),
        TEST(whole_numbers_have_all_their_digits),
        TEST(floats_are_read_back_as_what_they_were),
        TEST(any_record_is_valid_json_within_its_bound),
        TEST(what_is_no_utf8_is_replaced),
        TEST(every_id_of_16_bits_has_its_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

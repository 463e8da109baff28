#include "support/test.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "record/tfexample.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "support/rectrip.h"

/* rec as an Example, in memory of its own size. */
static uint8_t *example(const struct tsl_schema *s, const struct tsl_value *values,
                        size_t *n)
{
    struct tsl_tfexample_writer w = { .fronts = NULL };
    struct tsl_record rec = { 0, values };
    struct tsl_err err = { 0 };
    assert_ok(tsl_tfexample_writer_init(&w, s, &err), &err);
    *n = tsl_tfexample_bound(&w, &rec);
    uint8_t *p = malloc(*n + TSL_TFEXAMPLE_SLACK),
            *again = malloc(*n + TSL_TFEXAMPLE_SLACK);
    size_t bound = *n;
    *n = (size_t)(tsl_tfexample_write(&w, &rec, p) - p);
    assert_in_range(*n, 1, bound);
    /* what the last record was is no matter */
    assert_int_equal(tsl_tfexample_write(&w, &rec, again) - again, *n);
    assert_memory_equal(again, p, *n);
    free(again);
    p = realloc(p, *n);
    tsl_tfexample_writer_fini(&w);
    return p;
}

/* Value k of v as what an Example has: a whole number, or a float's bits. */
static uint64_t number(enum tsl_dtype t, const struct tsl_value *v, uint32_t k)
{
    const uint8_t *p = (const uint8_t *)v->data + k * tsl_dtype_bytes(t);
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        float f32;
        double f64;
    } x;
    memcpy(&x, p, tsl_dtype_bytes(t));
    switch (t) {
    case TSL_BIT:
    case TSL_U8: return x.u8;
    case TSL_I8: return (uint64_t)x.i8;
    case TSL_U16: return x.u16;
    case TSL_I16: return (uint64_t)x.i16;
    case TSL_U32: return x.u32;
    case TSL_I32: return (uint64_t)x.i32;
    case TSL_F16: {
        int e = x.u16 >> 10 & 31, m = x.u16 & 1023;
        x.f32 = (float)((x.u16 & 0x8000 ? -1 : 1) *
                        (e ? ldexp(1024 + m, e - 25) : ldexp(m, -24)));
        return x.u32;
    }
    case TSL_F32: return x.u32;
    case TSL_F64: x.f32 = (float)x.f64; return x.u32;
    default: return x.u64;
    }
}

static void every_type_comes_back_as_int64s_floats_or_bytes(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 }, got;
    rectrip_columns(&s, "u8 i8 u16 i16 u32 i32 u64 i64 f16 f32 f64 bit bytes str json",
                    "sl");
    rectrip_columns(&s, "i64 f64", "d");
    assert_ok(tsl_schema_add(&s, "\xc3\xa9 \"", TSL_STR, true, 0, NULL, NULL), NULL);
    for (unsigned seed = 0; seed < 200; seed++) {
        struct recdata r;
        struct tsl_tfexample_reader reader = { .schema = NULL };
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        size_t n;
        rectrip_corner(&r, &s, seed);
        uint8_t *p = example(&s, r.values, &n);
        assert_true(tsl_tfexample_is(p, n));
        assert_ok(tsl_tfexample_schema(&got, p, n, "x", &err), &err);
        assert_int_equal(got.ncolumns, s.ncolumns);
        tsl_tfexample_reader_init(&reader, &got);
        assert_ok(tsl_tfexample_read(&reader, p, n, "x", &rec, &err), &err);
        for (size_t i = 0; i < got.ncolumns; i++) {
            const struct tsl_column *c = &got.columns[i];
            int from = tsl_schema_find(&s, c->name);
            assert_true(from >= 0 && c->count == 0);
            enum tsl_dtype t = s.columns[from].type;
            const struct tsl_value *v = &rec.values[i], *want = &r.values[from];
            assert_true(i == 0 || strcmp(got.columns[i - 1].name, c->name) < 0);
            assert_int_equal(v->n, want->n);
            for (uint32_t k = 0; tsl_dtype_bytes(t) && k < v->n; k++)
                assert_true(number(c->type, v, k) == number(t, want, k));
            if (tsl_dtype_bytes(t) || v->n == 0)
                continue;
            assert_int_equal(c->type, TSL_BYTES);
            assert_memory_equal(v->lens, want->lens, 4 * v->n);
            size_t bytes = (size_t)tsl_value_bytes(c, v);
            assert_int_equal(memcmp(v->data, want->data, bytes), 0);
        }
        tsl_tfexample_reader_fini(&reader);
        recdata_free(&r);
        free(p);
    }
}

static void numbers_take_as_many_bytes_as_they_need(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 0,         127,        128,
                                        16383,     16384,      2097151,
                                        2097152,   268435455,  268435456,
                                        INT32_MAX, UINT32_MAX, (UINT64_C(1) << 63) - 1,
                                        UINT64_MAX };
    static const size_t bytes[] = { 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 9, 10 };
    struct tsl_schema s = { .ncolumns = 0 };
    assert_ok(tsl_schema_add(&s, "a", TSL_U64, false, 0, NULL, NULL), NULL);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct tsl_value v = { &numbers[i], NULL, 1 };
        size_t n;
        free(example(&s, &v, &n));
        assert_int_equal(n, 13 + bytes[i]);
    }
    /* and lengths do, too */
    for (uint32_t len = 0; len < 70000; len = len * 5 / 4 + 1) {
        char *text = malloc(len + 1);
        memset(text, 'x', len + 1);
        struct tsl_schema b = { .ncolumns = 0 };
        assert_ok(tsl_schema_add(&b, "a", TSL_STR, true, 0, NULL, NULL), NULL);
        uint32_t lens[] = { len, 0 };
        struct tsl_value v = { text, lens, 2 };
        struct tsl_tfexample_reader reader = { .schema = NULL };
        struct tsl_schema got;
        struct tsl_record rec;
        struct tsl_err err = { 0 };
        size_t n;
        uint8_t *p = example(&b, &v, &n);
        assert_ok(tsl_tfexample_schema(&got, p, n, "x", &err), &err);
        tsl_tfexample_reader_init(&reader, &got);
        assert_ok(tsl_tfexample_read(&reader, p, n, "x", &rec, &err), &err);
        assert_int_equal(rec.values[0].n, 2);
        assert_int_equal(rec.values[0].lens[0], len);
        tsl_tfexample_reader_fini(&reader);
        free(p);
        free(text);
    }
}

/* A list that is not packed, an unknown field, a key twice, a feature without a list. */
static void what_other_writers_do_is_read(void **state)
{
    (void)state;
    static const char bytes[] = "\x0a\x39" /* features */
                                "\x0a\x0e\x0a\x01"
                                "b\x12\x09\x1a\x07\x08\x05\x08\xac\x02" /* b: 5, 300 */
                                "\x18\x01" /* and a field 3 that no list has */
                                "\x0a\x0c\x0a\x01"
                                "a\x12\x07\x12\x05\x0d\0\0\x80\x3f" /* a: 1.0 */
                                "\x0a\x05\x0a\x01"
                                "c\x12\0" /* c: nothing */
                                "\x0a\x0e\x12\x09\x0a\x07\x0a\x01"
                                "x\x0a\x02"
                                "yz\x0a\x01"
                                "d" /* the value first */
                                "\x22\x02zz" /* a field 4 */;
    uint8_t p[sizeof bytes - 1];
    struct tsl_schema s;
    struct tsl_tfexample_reader reader = { .schema = NULL };
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    memcpy(p, bytes, sizeof p);
    assert_true(tsl_tfexample_is(p, sizeof p));
    assert_ok(tsl_tfexample_schema(&s, p, sizeof p, "x", &err), &err);
    assert_int_equal(s.ncolumns, 4);
    assert_int_equal(s.columns[0].type, TSL_F32);
    assert_int_equal(s.columns[1].type, TSL_I64);
    assert_int_equal(s.columns[3].type, TSL_BYTES);
    tsl_tfexample_reader_init(&reader, &s);
    for (int twice = 0; twice < 2; twice++) {
        assert_ok(tsl_tfexample_read(&reader, p, sizeof p, "x", &rec, &err), &err);
        assert_int_equal(rec.values[0].n, 1);
        assert_true(*(const float *)rec.values[0].data == 1);
        assert_int_equal(rec.values[1].n, 2);
        assert_int_equal(((const int64_t *)rec.values[1].data)[1], 300);
        assert_int_equal(rec.values[2].n, 0);
        assert_int_equal(rec.values[3].n, 2);
        assert_memory_equal(rec.values[3].data, "xyz", 3);
    }
    tsl_tfexample_reader_fini(&reader);
}

static void features_that_the_first_record_lacks_are_told(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 }, other = { .ncolumns = 0 };
    struct tsl_tfexample_reader reader = { .schema = NULL };
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    const int64_t one = 1;
    struct tsl_value v = { &one, NULL, 1 };
    size_t n;
    assert_ok(tsl_schema_add(&s, "a", TSL_I64, true, 0, NULL, NULL), NULL);
    uint8_t *p = example(&s, &v, &n);
    assert_ok(tsl_schema_add(&other, "b", TSL_I64, true, 0, NULL, NULL), NULL);
    tsl_tfexample_reader_init(&reader, &other);
    assert_err(tsl_tfexample_read(&reader, p, n, "x", &rec, &err), TSL_EFORMAT, &err,
               "x: feature a: the first record has none");
    strcpy(other.columns[0].name, "a");
    other.columns[0].type = TSL_F32;
    assert_err(tsl_tfexample_read(&reader, p, n, "x", &rec, &err), TSL_EFORMAT, &err,
               "x: feature a has int64s; in the first record it has floats");
    other.columns[0].type = TSL_I64;
    assert_ok(tsl_tfexample_read(&reader, p, n, "x", &rec, &err), &err);
    assert_ok(tsl_tfexample_read(&reader, p, 0, "x", &rec, &err), &err);
    assert_int_equal(rec.values[0].n, 0); /* nothing is left over */
    tsl_tfexample_reader_fini(&reader);
    free(p);
}

static void names_that_no_column_can_have_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = { { "\x0a\x07\x0a\x05\x0a\x01\0\x12\0", 9 },     /* NUL */
                  { "\x0a\x06\x0a\x04\x0a\0\x12\0", 8 },         /* empty */
                  { "\x0a\x07\x0a\x05\x0a\x01\xff\x12\0", 9 } }; /* no UTF-8 */
    for (size_t i = 0; i < 3; i++) {
        struct tsl_schema s;
        struct tsl_err err = { 0 };
        assert_err(tsl_tfexample_schema(&s, (const uint8_t *)cases[i].bytes, cases[i].n,
                                        "x", &err),
                   TSL_EFORMAT, &err, "x: ");
    }
}

struct run {
    const struct tsl_schema *s;
    const uint8_t *p;
    size_t n;
};

static int read_one(void *ctx, struct tsl_err *err)
{
    const struct run *run = ctx;
    struct tsl_tfexample_reader reader = { .schema = NULL };
    struct tsl_record rec;
    tsl_tfexample_reader_init(&reader, run->s);
    int rc = tsl_tfexample_read(&reader, run->p, run->n, "x", &rec, err);
    volatile uint8_t seen = 0;
    for (size_t i = 0; rc == 0 && i < run->s->ncolumns; i++) {
        const uint8_t *p = rec.values[i].data;
        for (uint64_t k = tsl_value_bytes(&run->s->columns[i], &rec.values[i]); k; k--)
            seen ^= *p++;
    }
    (void)seen; /* all bytes were looked at: that is all */
    tsl_tfexample_reader_fini(&reader);
    return rc;
}

static void cuts_and_changes_are_told_or_give_other_values(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 }, got;
    struct recdata r;
    struct tsl_err err = { 0 };
    size_t n;
    rectrip_columns(&s, "u16 f32 str", "sl");
    rectrip_corner(&r, &s, 7);
    uint8_t *p = example(&s, r.values, &n);
    assert_ok(tsl_tfexample_schema(&got, p, n, "x", &err), &err);
    for (size_t k = 1; k < n; k++) {
        uint8_t *cut = malloc(k);
        memcpy(cut, p, k);
        struct run run = { &got, cut, k };
        assert_err(read_one(&run, &err), TSL_EFORMAT, &err, "x");
        assert_false(tsl_tfexample_is(cut, k));
        free(cut);
    }
    for (size_t k = 0; k < 256 * n; k++) {
        struct run run = { &got, p, n };
        struct tsl_schema any;
        uint8_t was = p[k / 256];
        p[k / 256] = (uint8_t)k;
        int rc = read_one(&run, &err);
        if (rc < 0)
            assert_err(rc, TSL_EFORMAT, &err, "x");
        rc = tsl_tfexample_schema(&any, p, n, "x", &err);
        if (rc < 0)
            assert_err(rc, TSL_EFORMAT, &err, "x");
        (void)tsl_tfexample_is(p, n);
        p[k / 256] = was;
    }
    struct run run = { &got, p, n };
    fault_each_allocation(read_one, &run);
    recdata_free(&r);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_type_comes_back_as_int64s_floats_or_bytes),
        TEST(numbers_take_as_many_bytes_as_they_need),
        TEST(what_other_writers_do_is_read),
        TEST(features_that_the_first_record_lacks_are_told),
        TEST(names_that_no_column_can_have_are_refused),
        TEST(cuts_and_changes_are_told_or_give_other_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

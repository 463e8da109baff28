#include "support/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "base/hash.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "train/safetensors.h"

/* Not over an old one, which ext4 takes for a reason to write it to the disk at once. */
static void put_anew(const void *p, size_t n)
{
    unlink("t");
    file_put("t", p, n);
}

/* A file of a header and data bytes, open or not. */
static int open_text(struct tsl_safetensors **s, const char *header, size_t data,
                     struct tsl_err *err)
{
    size_t n = strlen(header);
    uint8_t *p = calloc(1, 8 + n + data + 1);
    tsl_store64(p, n);
    memcpy(p + 8, header, n);
    put_anew(p, 8 + n + data);
    free(p);
    return tsl_safetensors_open(s, "t", err);
}

static void refused(const char *header, size_t data, const char *part)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    assert_err(open_text(&s, header, data, &err), TSL_EFORMAT, &err, part);
}

static void put_fixture(const char *name)
{
    size_t n;
    uint8_t *p = fixture_get(name, &n);
    file_put("f", p, n);
    free(p);
}

static void the_peer_s_files_are_read(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    const char *value;
    int32_t ids[48], loss_of[1];
    double loss;
    float bias[32];
    (void)state;
    put_fixture("train/bert/model.safetensors");
    assert_ok(tsl_safetensors_open(&s, "f", &err), &err);
    assert_string_equal(tsl_safetensors_meta(s, "kind"), "bert");
    assert_string_equal(tsl_safetensors_meta(s, "V"), "97");
    assert_null(tsl_safetensors_meta(s, "v"));
    assert_string_equal(tsl_safetensors_meta_at(s, 1, &value), "V");
    assert_null(tsl_safetensors_meta_at(s, 9, &value));
    const struct tsl_safetensors_entry *e =
        tsl_safetensors_find(s, "bert.embeddings.word_embeddings.weight");
    assert_non_null(e);
    assert_int_equal(e->type, TSL_ST_F32);
    assert_int_equal(e->rank, 2);
    assert_int_equal(e->dim[0], 97);
    assert_int_equal(e->dim[1], 32);
    assert_int_equal(e->n, 97 * 32);
    e = tsl_safetensors_at(s, 0);
    assert_string_equal(e->name, "bert.embeddings.LayerNorm.bias");
    assert_ok(tsl_safetensors_read_f32(s, e, bias, &err), &err);
    assert_true(fabs(bias[0]) < 1 && bias[0] != 0);
    assert_err(tsl_safetensors_read_i32(s, e, ids, &err), TSL_EFORMAT, &err,
               "f: tensor bert.embeddings.LayerNorm.bias is F32; whole numbers");
    assert_null(tsl_safetensors_find(s, "bert"));
    assert_null(tsl_safetensors_need(s, "no such", &err));
    assert_err(err.code, TSL_EFORMAT, &err, "f: there is no tensor 'no such'");
    for (size_t i = 0; i < tsl_safetensors_count(s); i++)
        assert_ptr_equal(tsl_safetensors_find(s, tsl_safetensors_at(s, i)->name),
                         tsl_safetensors_at(s, i));
    tsl_safetensors_close(s);
    put_fixture("train/bert/batch.safetensors");
    assert_ok(tsl_safetensors_open(&s, "f", &err), &err);
    e = tsl_safetensors_need(s, "input_ids", &err);
    assert_non_null(e);
    assert_int_equal(e->n, 48);
    assert_ok(tsl_safetensors_read_i32(s, e, ids, &err), &err);
    for (int i = 0; i < 48; i++)
        assert_true(ids[i] >= 0 && ids[i] < 97);
    tsl_safetensors_close(s);
    put_fixture("train/bert/forward.safetensors");
    assert_ok(tsl_safetensors_open(&s, "f", &err), &err);
    e = tsl_safetensors_need(s, "loss", &err);
    assert_non_null(e);
    assert_int_equal(e->rank, 0);
    assert_int_equal(e->n, 1);
    assert_ok(tsl_safetensors_read_f64(s, e, &loss, &err), &err);
    assert_true(loss > 4 && loss < 7); /* ln 97 + ln 2 is 5.27 */
    assert_err(tsl_safetensors_read_i32(s, e, loss_of, &err), TSL_EFORMAT, &err, "F64");
    tsl_safetensors_close(s);
}

static void every_type_is_converted(void **state)
{
    static const double f64[3] = { 1.5, -2, 1e300 };
    static const float f32[3] = { 1.5f, -2, 3e38f };
    static const uint16_t f16[3] = { 0x3e00, 0xc000, 0x0001 };
    static const uint16_t bf16[3] = { 0x3fc0, 0xc000, 0x7f80 };
    static const int64_t i64[3] = { 1, -2, (1 << 24) + 1 };
    static const int32_t i32[3] = { 1, -2, INT32_MIN };
    static const int16_t i16[3] = { 1, -2, INT16_MIN };
    static const int8_t i8[3] = { 1, -2, INT8_MIN };
    static const uint64_t u64[3] = { 1, 2, UINT64_MAX };
    static const uint32_t u32[3] = { 1, 2, UINT32_MAX };
    static const uint16_t u16[3] = { 1, 2, UINT16_MAX };
    static const uint8_t u8[3] = { 1, 2, UINT8_MAX }, truth[3] = { 1, 0, 1 };
    static const int64_t dim[1] = { 3 };
    static const struct {
        enum tsl_safetensors_type type;
        const void *data;
        double want[3];
    } cases[] = {
        { TSL_ST_F64, f64, { 1.5, -2, 1e300 } },
        { TSL_ST_F32, f32, { 1.5, -2, 3e38f } },
        { TSL_ST_F16, f16, { 1.5, -2, 0x1p-24 } },
        { TSL_ST_BF16, bf16, { 1.5, -2, INFINITY } },
        { TSL_ST_I64, i64, { 1, -2, (1 << 24) + 1 } },
        { TSL_ST_I32, i32, { 1, -2, INT32_MIN } },
        { TSL_ST_I16, i16, { 1, -2, INT16_MIN } },
        { TSL_ST_I8, i8, { 1, -2, INT8_MIN } },
        { TSL_ST_U64, u64, { 1, 2, 0x1p64 } },
        { TSL_ST_U32, u32, { 1, 2, UINT32_MAX } },
        { TSL_ST_U16, u16, { 1, 2, UINT16_MAX } },
        { TSL_ST_U8, u8, { 1, 2, UINT8_MAX } },
        { TSL_ST_BOOL, truth, { 1, 0, 1 } },
    };
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    (void)state;
    for (size_t t = 0; t < sizeof cases / sizeof *cases; t++) {
        struct tsl_safetensors_array a = { "t", cases[t].type, 1, dim, cases[t].data };
        double d[3];
        float f[3];
        int32_t whole[3];
        uint8_t raw[24];
        assert_ok(tsl_safetensors_write("out", &a, 1, NULL, 0, NULL, &err), &err);
        assert_ok(tsl_safetensors_open(&s, "out", &err), &err);
        const struct tsl_safetensors_entry *e = tsl_safetensors_at(s, 0);
        assert_int_equal(e->type, cases[t].type);
        assert_ok(tsl_safetensors_read_f64(s, e, d, &err), &err);
        assert_ok(tsl_safetensors_read_f32(s, e, f, &err), &err);
        assert_ok(tsl_safetensors_read_raw(s, e, raw, &err), &err);
        assert_memory_equal(raw, a.data, 3 * tsl_safetensors_type_bytes(a.type));
        for (int i = 0; i < 3; i++) {
            assert_true(d[i] == cases[t].want[i]);
            assert_true(f[i] == (float)cases[t].want[i]);
        }
        int rc = tsl_safetensors_read_i32(s, e, whole, &err);
        if (cases[t].type <= TSL_ST_BF16) {
            assert_err(rc, TSL_EFORMAT, &err, "whole numbers are wanted");
        } else if (fabs(cases[t].want[2]) > INT32_MAX + 1.0 ||
                   cases[t].want[2] == UINT32_MAX) {
            assert_err(rc, TSL_EFORMAT, &err, "number 2 does not fit in 32 bits");
        } else {
            assert_ok(rc, &err);
            for (int i = 0; i < 3; i++)
                assert_true(whole[i] == cases[t].want[i]);
        }
        tsl_safetensors_close(s);
    }
}

/* A file of several types, shapes and strings. */
static int write_some(const char *path, uint64_t *hash, struct tsl_err *err)
{
    static float numbers[40000];
    static const uint8_t bytes[3] = { 1, 2, 3 };
    static const int64_t step = 7, dims[2] = { 200, 200 }, none[3] = { 4, 0, INT32_MAX },
                         three[1] = { 3 };
    const struct tsl_safetensors_array arrays[] = {
        { "b.weight", TSL_ST_F32, 2, dims, numbers },
        { "a \"quoted\" \xc3\xa4", TSL_ST_I64, 0, NULL, &step },
        { "empty", TSL_ST_F64, 3, none, NULL },
        { "bytes", TSL_ST_U8, 1, three, bytes },
    };
    const struct tsl_safetensors_string meta[] = { { "format", "pt" },
                                                   { "note", "line\n\"q\"" } };
    for (int i = 0; i < 40000; i++)
        numbers[i] = (float)i / 3;
    return tsl_safetensors_write(path, arrays, 4, meta, 2, hash, err);
}

static void what_is_written_is_read(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    static double numbers[40000];
    int32_t step = 0;
    uint64_t hash;
    size_t n;
    (void)state;
    assert_ok(write_some("out", &hash, &err), &err);
    assert_int_equal(folder_count("."), 1);
    uint8_t *p = file_get("out", &n);
    assert_non_null(p);
    assert_int_equal(hash, tsl_hash64(p, n, 0));
    assert_int_equal(tsl_load64(p) % 8, 0);
    assert_int_equal(p[8], '{');
    assert_int_equal(n, 8 + tsl_load64(p) + 160000 + 8 + 3);
    assert_ok(write_some("again", NULL, &err), &err);
    assert_true(file_is("again", p, n)); /* the same arrays give the same bytes */
    free(p);
    assert_ok(tsl_safetensors_open(&s, "out", &err), &err);
    assert_int_equal(tsl_safetensors_count(s), 4);
    assert_string_equal(tsl_safetensors_at(s, 0)->name, "b.weight");
    assert_string_equal(tsl_safetensors_meta(s, "note"), "line\n\"q\"");
    assert_ok(tsl_safetensors_read_f64(s, tsl_safetensors_at(s, 0), numbers, &err), &err);
    for (int i = 0; i < 40000; i++)
        assert_true(numbers[i] == (float)i / 3);
    const struct tsl_safetensors_entry *e =
        tsl_safetensors_find(s, "a \"quoted\" \xc3\xa4");
    assert_non_null(e);
    assert_ok(tsl_safetensors_read_i32(s, e, &step, &err), &err);
    assert_int_equal(step, 7);
    e = tsl_safetensors_find(s, "empty");
    assert_int_equal(e->n, 0);
    assert_int_equal(e->dim[2], INT32_MAX);
    assert_ok(tsl_safetensors_read_f64(s, e, numbers, &err), &err);
    tsl_safetensors_close(s);
}

static void no_tensors_are_a_file_too(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    (void)state;
    assert_ok(tsl_safetensors_write("out", NULL, 0, NULL, 0, NULL, &err), &err);
    assert_ok(tsl_safetensors_open(&s, "out", &err), &err);
    assert_int_equal(tsl_safetensors_count(s), 0);
    assert_null(tsl_safetensors_find(s, ""));
    tsl_safetensors_close(s);
}

static void what_the_format_forbids_is_refused(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    uint8_t head[8];
    (void)state;
    refused("[]", 0, "does not begin with {");
    refused(" {}", 0, "does not begin with {");
    refused("", 0, "does not begin with {");
    refused("{}x", 0, "not JSON");
    refused("{}", 1, "t: 1 bytes behind the last tensor");
    refused("{\"a\":1}", 0, "tensor a: its entry is no object");
    refused("{\"a\":{}}", 0, "tensor a: its dtype is no string");
    refused("{\"a\":{\"dtype\":\"F7\",\"shape\":[],\"data_offsets\":[0,1]}}", 1,
            "tensor a: numbers of type F7 are not read");
    refused("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is no array");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
            "a dimension that is no whole number");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
            "a dimension that is no whole number");
    refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],"
            "\"data_offsets\":[0,4]}}",
            4, "9 dimensions; at most 8");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,0],"
            "\"data_offsets\":[0,0]}}",
            0, "a shape of more numbers than a file can hold");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1,
            "data_offsets");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}", 1,
            "data_offsets");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,0]}}", 1,
            "data_offsets");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 1,
            "tensor a ends at byte 2 of the data, of which there are 1");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1,
            "tensor a: 1 bytes of data, but its shape and type want 2");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}", 2,
            "tensor a begins at byte 1 of the data, the one before ends at 0");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
            "\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}",
            3, "tensor b begins at byte 1 of the data, the one before ends at 2");
    refused("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
            "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
            1, "duplicate");
    refused("{\"__metadata__\":[]}", 0, "__metadata__ is no object");
    refused("{\"__metadata__\":{\"a\":1}}", 0, "__metadata__: a is no string");
    refused("{\"__metadata__\":{\"a\":\"\\u0000\"}}", 0, "a is no string without NUL");
    refused("{\"\\u0000\":{}}", 0, "not JSON");
    tsl_store64(head, 100000001);
    file_put("t", head, 8);
    assert_err(tsl_safetensors_open(&s, "t", &err), TSL_EFORMAT, &err,
               "no safetensors file: a header of 100000001 bytes");
    tsl_store64(head, 100000000);
    file_put("t", head, 8);
    assert_err(tsl_safetensors_open(&s, "t", &err), TSL_EFORMAT, &err,
               "cut short: a header of 100000000 bytes in a file of 8");
    assert_err(tsl_safetensors_open(&s, "none", &err), TSL_EIO, &err, "none: No such");
    assert_err(tsl_safetensors_open(&s, ".", &err), TSL_EIO, &err, "directory");
}

/* In the order of the header, wherever the data is; and unknown members pass. */
static void tensors_may_lie_in_any_order(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_safetensors *s;
    (void)state;
    assert_ok(
        open_text(&s,
                  "{\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3],"
                  "\"more\":{}},"
                  "\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]},"
                  "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}  ",
                  3, &err),
        &err);
    assert_string_equal(tsl_safetensors_at(s, 0)->name, "b");
    assert_string_equal(tsl_safetensors_at(s, 2)->name, "a");
    assert_int_equal(tsl_safetensors_find(s, "a")->bytes, 2);
    tsl_safetensors_close(s);
}

/* Reads all of the file t: 0, or an error that says something. */
static int read_all(struct tsl_err *err)
{
    struct tsl_safetensors *s = NULL;
    static double d[4096];
    int rc = tsl_safetensors_open(&s, "t", err);
    for (size_t i = 0; rc == 0 && i < tsl_safetensors_count(s); i++) {
        const struct tsl_safetensors_entry *e = tsl_safetensors_at(s, i);
        assert_true(e->n <= 4096);
        rc = tsl_safetensors_read_f64(s, e, d, err);
    }
    tsl_safetensors_close(s);
    return rc;
}

static void a_cut_file_is_an_error(void **state)
{
    size_t n;
    uint8_t *p = fixture_get("train/bert/batch.safetensors", &n);
    (void)state;
    for (size_t k = 0; k < n; k++) {
        struct tsl_err err = { 0 };
        put_anew(p, k);
        int rc = read_all(&err);
        assert_err(rc, TSL_EFORMAT, &err, "t: ");
    }
    free(p);
}

/* A flipped bit may leave a header that is good: in a name, or of a shape with as many numbers. */
static void damage_is_an_error_or_another_file(void **state)
{
    size_t n, ntried = 0, nerrors = 0;
    uint8_t *p = fixture_get("train/bert/batch.safetensors", &n);
    size_t head = 8 + (size_t)tsl_load64(p);
    (void)state;
    for (size_t k = 0; k < head; k++)
        for (int bit = 0; bit < 8; bit += 1 + (int)test_thrift() / 2) {
            struct tsl_err err = { 0 };
            p[k] ^= (uint8_t)(1 << bit);
            put_anew(p, n);
            int rc = read_all(&err);
            p[k] ^= (uint8_t)(1 << bit);
            ntried++;
            nerrors += rc < 0;
            assert_true(rc == 0 || (rc == TSL_EFORMAT && err.code == rc && err.msg[0]));
            assert_true(k >= 8 || rc < 0);
        }
    assert_true(nerrors > ntried / 8);
    free(p);
}

static void unusable_arrays_are_refused(void **state)
{
    struct tsl_err err = { 0 };
    static const int64_t below[1] = { -1 }, many[2] = { INT64_MAX, INT64_MAX },
                         nine[9] = { 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    static const float x[1] = { 1 };
    const struct {
        struct tsl_safetensors_array a;
        const char *part;
    } cases[] = {
        { { "", TSL_ST_F32, 0, NULL, x }, "not a name" },
        { { "\xff", TSL_ST_F32, 0, NULL, x }, "not a name" },
        { { "__metadata__", TSL_ST_F32, 0, NULL, x }, "not a name" },
        { { "a", TSL_ST_F32, 1, below, x }, "out: tensor a: a dimension below 0" },
        { { "a", TSL_ST_F32, 2, many, x }, "more numbers than a file can hold" },
        { { "a", TSL_ST_F32, 9, nine, x }, "too many dimensions" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int rc = tsl_safetensors_write("out", &cases[i].a, 1, NULL, 0, NULL, &err);
        assert_err(rc, TSL_EUSAGE, &err, cases[i].part);
    }
    const struct tsl_safetensors_array twice[] = { { "a", TSL_ST_F32, 0, NULL, x },
                                                   { "b", TSL_ST_F32, 0, NULL, x },
                                                   { "a", TSL_ST_F32, 0, NULL, x } };
    assert_err(tsl_safetensors_write("out", twice, 3, NULL, 0, NULL, &err), TSL_EUSAGE,
               &err, "out: tensor a: given twice");
    assert_true(folder_is_empty("."));
}

static void any_failure_leaves_the_old_file(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        file_put_text("out", "old");
        fault_arm(nth, NULL);
        int rc = write_some("out", NULL, &err);
        const char *call = fault_disarm();
        assert_int_equal(folder_count("."), 1);
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc == 0 ? fault_is_harmless(call) : err.code == rc && err.msg[0]);
        /* once it has its name it is whole: only syncing the folder comes after */
        struct tsl_safetensors *s;
        if (!file_is_text("out", "old")) {
            assert_ok(tsl_safetensors_open(&s, "out", &err), &err);
            tsl_safetensors_close(s);
        }
    }
}

static void any_failure_of_reading_is_told(void **state)
{
    struct tsl_err none = { 0 };
    static float numbers[40000];
    (void)state;
    assert_ok(write_some("out", NULL, &none), &none);
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        struct tsl_safetensors *s = NULL;
        double step;
        fault_arm(nth, NULL);
        int rc = tsl_safetensors_open(&s, "out", &err);
        if (rc == 0)
            rc = tsl_safetensors_read_f32(s, tsl_safetensors_at(s, 0), numbers, &err);
        if (rc == 0)
            rc = tsl_safetensors_read_f64(s, tsl_safetensors_at(s, 1), &step, &err);
        tsl_safetensors_close(s);
        const char *call = fault_disarm();
        if (!call) {
            assert_ok(rc, &err);
            break;
        }
        assert_true(rc < 0 ? err.code == rc && err.msg[0] : fault_is_harmless(call));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_peer_s_files_are_read),
        TEST(every_type_is_converted),
        TEST(what_is_written_is_read),
        TEST(no_tensors_are_a_file_too),
        TEST(what_the_format_forbids_is_refused),
        TEST(tensors_may_lie_in_any_order),
        TEST(a_cut_file_is_an_error),
        TEST(damage_is_an_error_or_another_file),
        TEST(unusable_arrays_are_refused),
        TEST(any_failure_leaves_the_old_file),
        TEST(any_failure_of_reading_is_told),
    };
    fault_skip_syncs(true);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

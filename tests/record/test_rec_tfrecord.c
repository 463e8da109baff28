#include "support/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/endian.h"
#include "record/record.h"
#include "support/fixture.h"
#include "support/rectrip.h"

/* Two hexadecimal digits a byte. */
static size_t unhex(uint8_t *p, const char *s)
{
    size_t n = strlen(s) / 2;
    for (size_t i = 0; i < n; i++) {
        char byte[3] = { s[2 * i], s[2 * i + 1], 0 };
        p[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return n;
}

static void write_one(const struct tsl_schema *s, const struct tsl_value *values)
{
    struct tsl_rechead head = { .schema = *s };
    struct tsl_recwriter_opts o = { .format = "tfrecord" };
    struct tsl_recwriter *w;
    const struct tsl_recfile *files;
    struct tsl_record rec = { 0, values };
    struct tsl_err err = { 0 };
    size_t nfiles;
    assert_ok(tsl_recwriter_create(&w, &head, &o, &err), &err);
    assert_ok(tsl_recwriter_begin(w, "a", &err), &err);
    assert_ok(tsl_recwriter_put(w, &rec, &err), &err);
    assert_ok(tsl_recwriter_end(w, &err), &err);
    assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
    assert_int_equal(nfiles, 1);
    assert_string_equal(files[0].name, "a.tfrecord");
    tsl_recwriter_destroy(w);
}

static void file_is_hex(const char *hex)
{
    uint8_t want[256];
    size_t n = unhex(want, hex);
    assert_true(file_is("a.tfrecord", want, n));
}

static void examples_have_the_bytes_of_the_definition(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    const uint16_t ids[] = { 101, 300, 102 };
    const int64_t masks[] = { 0, 0, 33 };
    assert_ok(tsl_schema_add(&s, "token_ids", TSL_U16, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "mask_ids", TSL_I64, true, 0, NULL, NULL), NULL);
    struct tsl_value v[] = { { ids, NULL, 3 }, { masks, NULL, 3 } };
    write_one(&s, v);
    file_is_hex("2e00000000000000c5cb57fa"
                "0a2c0a130a086d61736b5f69647312071a050a030000210a150a09746f6b656e5f6964"
                "7312081a060a0465ac0266761d0e20");
}

static void floats_and_negative_numbers_are_packed(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    const float w[] = { 1, 0 };
    const int8_t minus = -1;
    size_t n;
    assert_ok(tsl_schema_add(&s, "w", TSL_F32, true, 0, NULL, NULL), NULL);
    struct tsl_value v[] = { { w, NULL, 2 } };
    write_one(&s, v);
    uint8_t want[64], *p = file_get("a.tfrecord", &n);
    assert_int_equal(n,
                     12 + unhex(want, "0a130a110a0177120c120a0a080000803f00000000") + 4);
    assert_memory_equal(p + 12, want, n - 16);
    free(p);
    s.ncolumns = 0;
    assert_ok(tsl_schema_add(&s, "w", TSL_I8, false, 0, NULL, NULL), NULL);
    v[0] = (struct tsl_value){ &minus, NULL, 1 };
    write_one(&s, v);
    p = file_get("a.tfrecord", &n);
    unhex(want, "0a0affffffffffffffffff01");
    assert_memory_equal(p + n - 16, want, 12);
    free(p);
}

static void bytes_that_are_no_example_are_framed(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    uint32_t len = 3;
    assert_ok(tsl_schema_add(&s, "record", TSL_BYTES, false, 0, NULL, NULL), NULL);
    struct tsl_value v = { "abc", &len, 1 };
    write_one(&s, &v);
    file_is_hex("0300000000000000b099490e6162636e57f121");
    len = 0;
    write_one(&s, &v);
    file_is_hex("000000000000000029039807d8ea82a2");
}

/* Reads file a; its records, or the error. */
static int64_t read_all(struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .format = "tfrecord", .memory = 1 << 20 };
    struct tsl_recreader *r;
    struct tsl_record rec;
    int64_t n = 0;
    int rc = tsl_recreader_open(&r, "a", &o, err);
    if (rc < 0)
        return rc;
    while ((rc = tsl_recreader_next(r, &rec, err)) == 1)
        n++;
    tsl_recreader_destroy(r);
    return rc < 0 ? rc : n;
}

static void every_changed_bit_and_every_cut_in_a_record_is_noticed(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    size_t n, cut = 0;
    uint8_t *p = fixture_get("formats/tfrecord/example.tfrecord", &n);
    file_put("a", p, n);
    int64_t all = read_all(&err);
    assert_ok(all, &err);
    for (size_t i = 0; i < n; i++) {
        p[i] ^= (uint8_t)(1 << i % 8);
        file_put("a", p, n);
        assert_err(read_all(&err), TSL_EFORMAT, &err, "a: record ");
        p[i] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t at = 0; at < n; at += 16 + tsl_load64(p + at))
        for (size_t k = 1; k < 16 + tsl_load64(p + at); k += 5, cut++) {
            file_put("a", p, at + k);
            assert_err(read_all(&err), TSL_EFORMAT, &err, "the file ends in it");
        }
    assert_true(cut > 0);
    free(p);
}

static void a_length_of_more_than_the_memory_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    uint8_t p[32];
    size_t n = unhex(p, "ffffffffffffff7f00000000");
    file_put("a", p, n);
    assert_err(read_all(&err), TSL_EFORMAT, &err, "checksum of its length");
    struct tsl_recreader_opts o = { .format = "tfrecord", .no_check = true };
    struct tsl_recreader *r;
    assert_err(tsl_recreader_open(&r, "a", &o, &err), TSL_EFORMAT, &err, "may be held");
}

static void any_failure_is_told_and_leaves_nothing(void **state)
{
    (void)state;
    struct recdata records[3];
    for (int gzip = 0; gzip < 2; gzip++) {
        struct rectrip t = { .opts = { .format = "tfrecord", .gzip = gzip },
                             .records = records,
                             .n = 3 };
        rectrip_columns(&t.head.schema, "bytes f32 i64", "l");
        for (unsigned k = 0; k < 3; k++)
            rectrip_corner(&records[k], &t.head.schema, k);
        rectrip_faults(&t, gzip ? "a.tfrecord.gz" : "a.tfrecord");
        for (unsigned k = 0; k < 3; k++)
            recdata_free(&records[k]);
        assert_int_equal(unlink(gzip ? "a.tfrecord.gz" : "a.tfrecord"), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(examples_have_the_bytes_of_the_definition),
        TEST(floats_and_negative_numbers_are_packed),
        TEST(bytes_that_are_no_example_are_framed),
        TEST(every_changed_bit_and_every_cut_in_a_record_is_noticed),
        TEST(a_length_of_more_than_the_memory_is_refused),
        TEST(any_failure_is_told_and_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "record/recids.h"

static int column_of(const char *const *names, const enum tsl_dtype *types, size_t n,
                     struct tsl_err *err)
{
    struct tsl_schema s = { .ncolumns = 0 };
    for (size_t i = 0; i < n; i++)
        assert_ok(tsl_schema_add(&s, names[i], types[i], true, 0, NULL, NULL), NULL);
    return tsl_recids_column(&s, err);
}

static void ids_are_in_the_column_of_that_name_or_the_only_one(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const enum tsl_dtype u16[] = { TSL_U16, TSL_U16, TSL_U16 };
    assert_int_equal(column_of((const char *[]){ "x" }, u16, 1, &err), 0);
    assert_int_equal(column_of((const char *[]){ "x", "ids" }, u16, 2, &err), 1);
    assert_int_equal(column_of((const char *[]){ "tokens", "input_ids" }, u16, 2, &err),
                     1);
    assert_int_equal(column_of((const char *[]){ "a", "b", "tokens" }, u16, 3, &err), 2);
    assert_err(column_of((const char *[]){ "a", "b" }, u16, 2, &err), TSL_EUSAGE, &err,
               "no column of token ids");
    for (int t = 0; t < TSL_NDTYPES; t++) {
        enum tsl_dtype type = (enum tsl_dtype)t;
        bool whole =
            t == TSL_U8 || t == TSL_U16 || t == TSL_U32 || t == TSL_I32 || t == TSL_I64;
        int rc = column_of((const char *[]){ "ids" }, &type, 1, &err);
        if (whole)
            assert_int_equal(rc, 0);
        else
            assert_err(rc, TSL_EUSAGE, &err, "column ids: token ids are whole numbers");
    }
}

static void the_vocabularys_size_is_what_the_meta_says(void **state)
{
    (void)state;
    static const struct {
        const char *meta;
        uint64_t size;
    } cases[] = { { NULL, 0 },
                  { "{}", 0 },
                  { "{\"vocab_size\": 30522}", 30522 },
                  { "{\"vocab_size\": -1}", 0 },
                  { "{\"vocab_size\": 1e3}", 0 },
                  { "{\"vocab_size\": \"7\"}", 0 },
                  { "[1]", 0 },
                  { "{", 0 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[40] = "";
        if (cases[i].meta)
            strcpy(text, cases[i].meta);
        struct tsl_rechead h = { .meta = cases[i].meta ? text : NULL };
        assert_true(tsl_recids_vocab(&h) == cases[i].size);
    }
}

/* The bytes of ids of type from in a file. */
static int put(enum tsl_dtype from, const void *ids, uint32_t n, unsigned bytes,
               const void *want, struct tsl_err *err)
{
    struct tsl_recout o = { .open = false };
    struct tsl_value v = { ids, NULL, n };
    assert_ok(tsl_recout_open(&o, "a", ".bin", TSL_CODEC_NONE, 0,
                              &(struct tsl_rechelp){ .pool = NULL }, err),
              err);
    int rc = tsl_recids_put(&o, from, &v, bytes, 7, err);
    if (rc == 0) {
        assert_int_equal(tsl_recout_bytes(&o), (size_t)n * bytes);
        assert_ok(tsl_recout_done(&o, err), err);
        assert_ok(tsl_recout_commit(&o, err), err);
        assert_true(file_is("a.bin", want, (size_t)n * bytes));
    } else {
        assert_int_equal(tsl_recout_bytes(&o), 0); /* nothing of it was written */
    }
    tsl_recout_close(&o);
    return rc;
}

static void ids_of_every_type_become_two_or_four_bytes(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const uint8_t u8[] = { 0, 255 };
    const uint16_t u16[] = { 1, 65535 };
    const uint32_t u32[] = { 65535, INT32_MAX };
    const int32_t i32[] = { 0, INT32_MAX };
    const int64_t i64[] = { 65535, INT32_MAX };
    assert_ok(put(TSL_U8, u8, 2, 2, "\0\0\xff\0", &err), &err);
    assert_ok(put(TSL_U16, u16, 2, 2, "\1\0\xff\xff", &err), &err);
    assert_ok(put(TSL_U16, u16, 2, 4, "\1\0\0\0\xff\xff\0\0", &err), &err);
    assert_ok(put(TSL_U32, u32, 1, 2, "\xff\xff", &err), &err);
    assert_ok(put(TSL_U32, u32, 2, 4, "\xff\xff\0\0\xff\xff\xff\x7f", &err), &err);
    assert_ok(put(TSL_I32, i32, 2, 4, "\0\0\0\0\xff\xff\xff\x7f", &err), &err);
    assert_ok(put(TSL_I64, i64, 2, 4, "\xff\xff\0\0\xff\xff\xff\x7f", &err), &err);
    assert_ok(put(TSL_I64, NULL, 0, 4, "", &err), &err);
    assert_ok(put(TSL_U16, NULL, 0, 2, "", &err), &err);
    assert_ok(put(TSL_U16, (const uint8_t *)"x\1\0" + 1, 1, 4, "\1\0\0\0", &err), &err);
}

static void ids_that_do_not_fit_are_told_with_their_place(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    const int32_t minus[] = { 4, -1 };
    const uint32_t u32[] = { 65536, UINT32_C(1) << 31 };
    const int64_t i64[] = { 0, INT64_MIN, INT64_C(1) << 32 };
    assert_err(put(TSL_I32, minus, 2, 4, "", &err), TSL_EUSAGE, &err,
               "record 7: id -1 at 1 does not fit 31 bits");
    assert_err(put(TSL_U32, u32, 1, 2, "", &err), TSL_EUSAGE, &err,
               "record 7: id 65536 at 0 does not fit 16 bits");
    assert_err(put(TSL_U32, u32 + 1, 1, 4, "", &err), TSL_EUSAGE, &err,
               "id 2147483648 at 0 does not fit 31 bits");
    assert_err(put(TSL_I64, i64, 2, 4, "", &err), TSL_EUSAGE, &err, "at 1");
    assert_err(put(TSL_I64, i64 + 2, 1, 2, "", &err), TSL_EUSAGE, &err, "id 4294967296");
    assert_true(folder_is_empty("."));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_in_the_column_of_that_name_or_the_only_one),
        TEST(the_vocabularys_size_is_what_the_meta_says),
        TEST(ids_of_every_type_become_two_or_four_bytes),
        TEST(ids_that_do_not_fit_are_told_with_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

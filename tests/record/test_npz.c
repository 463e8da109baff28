#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "record/npz.h"
#include "support/fixture.h"

/* The arrays of a file, or the error. */
static int count(const uint8_t *p, size_t n, struct tsl_err *err)
{
    struct tsl_npz_member m;
    size_t at = 0;
    int rc, all = 0;
    while ((rc = tsl_npz_next((struct tsl_slice){ p, n }, &at, &m, err)) == 1)
        all++;
    return rc < 0 ? rc : all;
}

static void what_is_written_is_read_and_strings_are_left_out(void **state)
{
    (void)state;
    struct tsl_schema s = { .ncolumns = 0 };
    struct tsl_err err = { 0 };
    struct tsl_npz_member m;
    const uint16_t ids[] = { 7, 8, 9 };
    const float w = 1.5F;
    uint32_t len = 2;
    size_t at = 0;
    assert_ok(tsl_schema_add(&s, "ids", TSL_U16, true, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "text", TSL_STR, false, 0, NULL, NULL), NULL);
    assert_ok(tsl_schema_add(&s, "w", TSL_F32, false, 0, NULL, NULL), NULL);
    struct tsl_value v[] = { { ids, NULL, 3 }, { "ab", &len, 1 }, { &w, NULL, 1 } };
    struct tsl_record rec = { 0, v };
    size_t n = tsl_npz_bytes(&s, &rec);
    uint8_t *p = malloc(n);
    tsl_npz_write(p, &s, &rec);
    struct tsl_slice file = { p, n };
    assert_int_equal(tsl_npz_next(file, &at, &m, &err), 1);
    assert_int_equal(m.name.len, 3);
    assert_memory_equal(m.name.data, "ids", 3);
    assert_int_equal(m.npy.len, 128 + 6);
    assert_memory_equal(m.npy.data + 128, ids, 6);
    assert_int_equal(tsl_npz_next(file, &at, &m, &err), 1);
    assert_memory_equal(m.name.data, "w", 1);
    assert_memory_equal(m.npy.data + 128, &w, 4);
    assert_int_equal(tsl_npz_next(file, &at, &m, &err), 0);
    free(p);
}

static void numpys_own_is_read_and_a_compressed_one_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    size_t n;
    uint8_t *p = fixture_get("formats/npy/stored.npz", &n);
    assert_int_equal(count(p, n, &err), 2);
    free(p);
    p = fixture_get("formats/npy/deflated.npz", &n);
    assert_err(count(p, n, &err), TSL_EFORMAT, &err, "compressed member");
    free(p);
}

static void values_that_changed_and_files_cut_short_are_noticed(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_npz_member m;
    size_t n, at = 0;
    uint8_t *p = fixture_get("formats/npy/stored.npz", &n);
    while (tsl_npz_next((struct tsl_slice){ p, n }, &at, &m, &err) == 1)
        for (size_t i = 0; i < m.npy.len; i++) {
            uint8_t *byte = p + (m.npy.data - p) + i;
            *byte ^= (uint8_t)(1 << i % 8);
            assert_err(count(p, n, &err), TSL_EFORMAT, &err, "checksum");
            *byte ^= (uint8_t)(1 << i % 8);
        }
    for (size_t cut = 0; cut < n; cut++) {
        uint8_t *q = malloc(cut + !cut); /* as large as it is: a sanitizer sees more */
        memcpy(q, p, cut);
        assert_err(count(q, cut, &err), TSL_EFORMAT, &err, "no zip");
        free(q);
    }
    for (size_t i = 0; i < n; i++) { /* anywhere: no harm */
        p[i] ^= 0x80;
        int rc = count(p, n, &err);
        assert_true(rc >= 0 || rc == TSL_EFORMAT);
        err = (struct tsl_err){ 0 };
        p[i] ^= 0x80;
    }
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_and_strings_are_left_out),
        TEST(numpys_own_is_read_and_a_compressed_one_refused),
        TEST(values_that_changed_and_files_cut_short_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

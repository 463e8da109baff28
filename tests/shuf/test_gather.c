/* What gather does with a whole bucket is tried through shufcore, in test_shufcore.c. */
#include "support/test.h"

#include <string.h>

#include "shuf/gather.h"
#include "support/gendata.h"

static void lengths_of_parts_come_back(void **state)
{
    struct gen g = { 1 };
    uint8_t p[5 * 64 + 1];
    (void)state;
    for (int i = 0; i < 20000; i++) {
        size_t nparts = 1 + gen_below(&g, 63), want[64], got[64], rest = 0;
        for (size_t k = 0; k < nparts; k++) {
            want[k] = gen_u64(&g) >> (37 + gen_below(&g, 27));
            rest += want[k];
        }
        memset(p, 0xee, sizeof p);
        size_t head = tsl_parts_write(p, want, nparts);
        assert_true(head <= 5 * (nparts - 1));
        assert_int_equal(p[head], 0xee);
        assert_int_equal(tsl_parts_read(p, head + rest, nparts, got), head);
        for (size_t k = 0; k < nparts; k++)
            assert_int_equal(got[k], want[k]);
    }
}

static void one_part_has_no_lengths(void **state)
{
    size_t len[1] = { 77 };
    uint8_t p[1];
    (void)state;
    assert_int_equal(tsl_parts_write(p, len, 1), 0);
    assert_int_equal(tsl_parts_read(p, 55, 1, len), 0);
    assert_int_equal(len[0], 55);
}

static struct tsl_gather_opts opts(size_t nparts, bool by_content, bool want_ends)
{
    return (struct tsl_gather_opts){ .chunk_bytes = 16 << 10,
                                     .nparts = nparts,
                                     .by_content = by_content,
                                     .want_ends = want_ends };
}

static void a_bucket_needs_its_image_and_its_order(void **state)
{
    (void)state;
    for (uint64_t rows = 1; rows < 1 << 20; rows *= 5)
        for (int k = 0; k < 4; k++) {
            struct tsl_gather_opts o = opts(1, k & 1, k & 2);
            struct tsl_tally t = { .rows = rows, .bytes = rows * 100 };
            size_t need = tsl_gather_need(&o, &t, (rows * 100 >> 14) + 1);
            assert_true(need >= rows * (101 + 8 + 4 + (k & 1 ? 8 : 0) + (k & 2 ? 4 : 0)));
            assert_true(need <= rows * 150 + 10000); /* and not much more */
        }
}

static void a_bucket_that_is_too_large_must_be_split(void **state)
{
    struct tsl_gather_opts o = opts(1, false, false);
    struct tsl_tally rows = { .rows = 1 << 24, .bytes = 1 << 24 };
    struct tsl_tally bytes = { .rows = 10, .bytes = UINT64_C(1) << 33 };
    struct tsl_tally small = { .rows = 10, .bytes = 1000 };
    struct tsl_tally refs = {
        .rows = 10, .bytes = UINT64_C(1) << 40, .refs = 10, .ref_bytes = UINT64_C(1) << 40
    };
    (void)state;
    assert_true(tsl_gather_need(&o, &rows, 2000) == SIZE_MAX);
    assert_true(tsl_gather_need(&o, &bytes, 2000) == SIZE_MAX);
    assert_true(tsl_gather_need(&o, &small, (size_t)1 << 20) == SIZE_MAX);
    assert_true(tsl_gather_need(&o, &small, 1) < 10000);
    assert_true(tsl_gather_need(&o, &refs, 1) <
                10000); /* long rows are not in the image */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lengths_of_parts_come_back),
        TEST(one_part_has_no_lengths),
        TEST(a_bucket_needs_its_image_and_its_order),
        TEST(a_bucket_that_is_too_large_must_be_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

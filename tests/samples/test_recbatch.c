#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "samples/recbatch.h"
#include "support/fault.h"
#include "support/rectrip.h"

enum { N = 200 };

static void numbers_alone(struct tsl_schema *s)
{
    s->ncolumns = 0;
    rectrip_columns(s, "u8 i16 u32 u64 f32 bit", "sld");
}

static void records_come_as_they_were_put(void **state)
{
    (void)state;
    static struct recdata records[N];
    struct tsl_recbatch b = { .n = 0 };
    struct tsl_schema s;
    struct tsl_err err = { 0 };
    numbers_alone(&s);
    for (unsigned round = 0; round < 3; round++) { /* a batch is filled again and again */
        size_t cap = b.cap;
        for (unsigned k = 0; k < N; k++) {
            rectrip_corner(&records[k], &s, k);
            struct tsl_record rec = { UINT64_MAX - k, records[k].values };
            assert_ok(tsl_recbatch_put(&b, &s, &rec, &err), &err);
        }
        assert_int_equal(b.n, N);
        assert_true(round == 0 || b.cap == cap); /* in the same memory */
        for (unsigned twice = 0; twice < 2; twice++) {
            struct tsl_recbatch_at at = { .at = 0 };
            struct tsl_record rec;
            for (unsigned k = 0; k < N; k++) {
                assert_true(tsl_recbatch_next(&b, &s, &at, &rec));
                assert_true(rec.number == UINT64_MAX - k);
                assert_true(recdata_equal(&s, rec.values, records[k].values));
            }
            assert_false(tsl_recbatch_next(&b, &s, &at, &rec));
            assert_false(tsl_recbatch_next(&b, &s, &at, &rec));
        }
        for (unsigned k = 0; k < N; k++)
            recdata_free(&records[k]);
        tsl_recbatch_reset(&b);
        assert_int_equal(b.n, 0);
    }
    tsl_recbatch_fini(&b);
}

static void an_empty_batch_has_no_record(void **state)
{
    (void)state;
    struct tsl_recbatch b = { .n = 0 };
    struct tsl_recbatch_at at = { .at = 0 };
    struct tsl_schema s;
    struct tsl_record rec;
    numbers_alone(&s);
    assert_false(tsl_recbatch_next(&b, &s, &at, &rec));
    tsl_recbatch_reset(&b);
    assert_false(tsl_recbatch_next(&b, &s, &at, &rec));
    tsl_recbatch_fini(&b);
}

static void lists_beyond_2_to_the_16_come_whole(void **state)
{
    (void)state;
    struct tsl_recbatch b = { .n = 0 };
    struct tsl_recbatch_at at = { .at = 0 };
    struct tsl_schema s = { .ncolumns = 0 };
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    static const uint32_t sizes[] = { 65535, 65536, 65537, 1000003 };
    rectrip_columns(&s, "u64 u8", "l");
    uint64_t *p = malloc(8 * 1000003);
    for (uint32_t i = 0; i < 1000003; i++)
        p[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < 4; i++) {
        struct tsl_value v[] = { { p, NULL, sizes[i] }, { p, NULL, sizes[3 - i] } };
        struct tsl_record one = { i, v };
        assert_ok(tsl_recbatch_put(&b, &s, &one, &err), &err);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_true(tsl_recbatch_next(&b, &s, &at, &rec));
        assert_int_equal(rec.values[0].n, sizes[i]);
        assert_int_equal(rec.values[1].n, sizes[3 - i]);
        assert_memory_equal(rec.values[0].data, p, 8 * (size_t)sizes[i]);
        assert_memory_equal(rec.values[1].data, p, sizes[3 - i]);
    }
    free(p);
    tsl_recbatch_fini(&b);
}

static int put_some(void *ctx, struct tsl_err *err)
{
    struct tsl_recbatch b = { .n = 0 };
    const struct recdata *r = ctx;
    struct tsl_schema s;
    int rc = 0;
    numbers_alone(&s);
    for (uint64_t i = 0; rc == 0 && i < 50; i++) {
        struct tsl_record rec = { i, r->values };
        rc = tsl_recbatch_put(&b, &s, &rec, err);
        assert_int_equal(b.n, rc == 0 ? i + 1 : i); /* what came before is still there */
    }
    tsl_recbatch_fini(&b);
    return rc;
}

static void any_allocation_that_fails_is_told(void **state)
{
    (void)state;
    struct tsl_schema s;
    struct recdata r;
    numbers_alone(&s);
    rectrip_corner(&r, &s, 9);
    fault_each_allocation(put_some, &r);
    recdata_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_as_they_were_put),
        TEST(an_empty_batch_has_no_record),
        TEST(lists_beyond_2_to_the_16_come_whole),
        TEST(any_allocation_that_fails_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

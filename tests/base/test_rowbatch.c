#include "support/test.h"

#include <string.h>

#include "base/rowbatch.h"
#include "support/fault.h"

static void there_is_room_for_what_was_asked_and_the_slack(void **state)
{
    struct tsl_rowbatch b;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_rowbatch_init(&b, 5000, 70, &err), &err);
    assert_int_equal(b.cap, 5000);
    assert_int_equal(b.rows_cap, 70);
    assert_true(b.len == 0 && b.nrows == 0 && b.addr == 0 && !b.addrs);
    memset(b.bytes, 'x', 5000 + TSL_BATCH_SLACK);
    b.rows[69] = (struct tsl_row){ 1, 2 };
    tsl_rowbatch_fini(&b);
    assert_true(!b.bytes && !b.rows && b.cap == 0);
    tsl_rowbatch_fini(&b); /* of zeros */
}

static void addresses_stay_their_owners(void **state)
{
    struct tsl_rowbatch b;
    struct tsl_err err = { 0 };
    uint64_t addrs[3];
    (void)state;
    assert_ok(tsl_rowbatch_init(&b, 1, 3, &err), &err);
    b.addrs = addrs;
    tsl_rowbatch_fini(&b);
    assert_ptr_equal(b.addrs, addrs);
}

static int make(void *ctx, struct tsl_err *err)
{
    struct tsl_rowbatch b;
    (void)ctx;
    int rc = tsl_rowbatch_init(&b, 100, 10, err);
    if (rc < 0)
        assert_true(!b.bytes && !b.rows);
    tsl_rowbatch_fini(&b);
    return rc;
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    fault_each_allocation(make, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_is_room_for_what_was_asked_and_the_slack),
        TEST(addresses_stay_their_owners),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

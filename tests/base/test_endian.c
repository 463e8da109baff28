#include "support/test.h"

#include <string.h>

#include "base/endian.h"

static void the_low_byte_comes_first(void **state)
{
    static const uint8_t p[] = { 0xff, 1, 2, 3, 4, 5, 6, 7, 8 };
    (void)state;
    assert_int_equal(tsl_load32(p + 1), 0x04030201);
    assert_true(tsl_load64(p + 1) == UINT64_C(0x0807060504030201));
    assert_true(TSL_LE32(tsl_load32(p)) == TSL_LE32(UINT32_C(0x030201ff)));
}

static void what_is_stored_is_loaded_at_any_address(void **state)
{
    uint8_t p[24];
    (void)state;
    for (size_t at = 0; at < 9; at++) {
        memset(p, 0xee, sizeof p);
        tsl_store32(p + at, 0xdeadbeef);
        assert_int_equal(tsl_load32(p + at), 0xdeadbeef);
        assert_int_equal(p[at], 0xef);
        assert_int_equal(p[at + 3], 0xde);
        assert_int_equal(p[at + 4], 0xee);
        tsl_store64(p + at, UINT64_C(0x0123456789abcdef));
        assert_true(tsl_load64(p + at) == UINT64_C(0x0123456789abcdef));
        assert_int_equal(p[at], 0xef);
        assert_int_equal(p[at + 7], 0x01);
        assert_int_equal(p[at + 8], 0xee);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_low_byte_comes_first),
        TEST(what_is_stored_is_loaded_at_any_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

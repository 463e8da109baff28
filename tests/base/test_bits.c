#include "support/test.h"

#include <string.h>

#include "base/bits.h"
#include "support/gendata.h"

static void packed_bits_are_where_they_belong(void **state)
{
    (void)state;
    struct gen g = { 4 };
    for (size_t n = 0; n < 200; n++) {
        uint8_t bits[200], packed[26];
        memset(packed, 0xa5, sizeof packed);
        for (size_t i = 0; i < n; i++)
            bits[i] = (uint8_t)gen_u64(&g); /* only bit 0 counts */
        tsl_bits_pack(packed, bits, n);
        for (size_t i = 0; i < 8 * tsl_bits_bytes(n); i++)
            assert_int_equal(packed[i / 8] >> i % 8 & 1, i < n ? bits[i] & 1 : 0);
        assert_int_equal(packed[tsl_bits_bytes(n)], 0xa5);
    }
}

static void any_part_is_unpacked_and_nothing_behind_it(void **state)
{
    (void)state;
    struct gen g = { 5 };
    uint8_t packed[20];
    gen_bytes(&g, packed, sizeof packed);
    for (size_t at = 0; at < 40; at++)
        for (size_t n = 0; at + n <= 8 * sizeof packed; n++) {
            uint8_t bits[161];
            bits[n] = 77;
            tsl_bits_unpack(bits, packed, at, n);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(bits[i], packed[(at + i) / 8] >> (at + i) % 8 & 1);
            assert_int_equal(bits[n], 77);
        }
}

static void every_byte_spreads_into_its_bits(void **state)
{
    (void)state;
    for (unsigned x = 0; x < 256; x++)
        for (unsigned i = 0; i < 8; i++)
            assert_int_equal(tsl_bits_spread(x) >> 8 * i & 255, x >> i & 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(packed_bits_are_where_they_belong),
        TEST(any_part_is_unpacked_and_nothing_behind_it),
        TEST(every_byte_spreads_into_its_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include "io/codec.h"
#include "io/crc32.h"
#include "support/gendata.h"

static void the_polynomial_is_zips(void **state)
{
    (void)state;
    assert_int_equal(tsl_crc32(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(tsl_crc32(0, "", 0), 0);
}

static void any_length_at_any_place_has_zlibs_checksum(void **state)
{
    struct gen g = { 1 };
    static uint8_t p[5000];
    (void)state;
    gen_bytes(&g, p, sizeof p);
    for (size_t n = 0; n + 16 < sizeof p; n += n < 700 ? 1 : 61) {
        const uint8_t *from = p + n % 16;
        uint32_t crc = (uint32_t)(n * 2654435761u);
        assert_int_equal(tsl_crc32(crc, from, n), tsl_codec_crc32(crc, from, n));
        assert_int_equal(tsl_crc32(tsl_crc32(0, from, n / 3), from + n / 3, n - n / 3),
                         tsl_codec_crc32(0, from, n));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_polynomial_is_zips),
        TEST(any_length_at_any_place_has_zlibs_checksum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

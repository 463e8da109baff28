#include "support/test.h"

#include "io/crc32c.h"
#include "support/gendata.h"

static void known_checksums_come_out(void **state)
{
    (void)state;
    uint8_t p[32];
    assert_int_equal(tsl_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(tsl_crc32c_masked("123456789", 9), 0xc78ab0e5);
    assert_int_equal(tsl_crc32c(0, "", 0), 0);
    /* RFC 3720, appendix B.4 */
    memset(p, 0, sizeof p);
    assert_int_equal(tsl_crc32c(0, p, sizeof p), 0x8a9136aa);
    memset(p, 0xff, sizeof p);
    assert_int_equal(tsl_crc32c(0, p, sizeof p), 0x62a8ab43);
    for (uint8_t i = 0; i < 32; i++)
        p[i] = i;
    assert_int_equal(tsl_crc32c(0, p, sizeof p), 0x46dd794e);
    for (uint8_t i = 0; i < 32; i++)
        p[i] = 31 - i;
    assert_int_equal(tsl_crc32c(0, p, sizeof p), 0x113fdb5c);
}

/* Bit by bit, as the definition has it. */
static uint32_t slow(const uint8_t *p, size_t n)
{
    uint32_t c = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int b = 0; b < 8; b++)
            c = c >> 1 ^ (c & 1 ? 0x82f63b78 : 0);
    }
    return ~c;
}

static void every_length_place_and_cut_gives_the_slow_one(void **state)
{
    (void)state;
    static uint8_t p[20000];
    struct gen g = { 5 };
    gen_bytes(&g, p, sizeof p);
    for (size_t n = 0; n < 300; n++) {
        size_t at = gen_below(&g, 17), cut = n ? gen_below(&g, n) : 0;
        uint32_t want = slow(p + at, n);
        assert_int_equal(tsl_crc32c(0, p + at, n), want);
        assert_int_equal(tsl_crc32c_table(0, p + at, n), want);
        uint32_t c = tsl_crc32c(0, p + at, cut);
        assert_int_equal(tsl_crc32c(c, p + at + cut, n - cut), want);
    }
    for (size_t n = 1000; n < sizeof p - 16; n += 3001)
        assert_int_equal(tsl_crc32c(0, p + n % 16, n), slow(p + n % 16, n));
}

static void three_at_once_are_each_their_own(void **state)
{
    (void)state;
    static uint8_t p[3000];
    struct gen g = { 6 };
    gen_bytes(&g, p, sizeof p);
    for (int turn = 0; turn < 1000; turn++) {
        const void *at[3];
        size_t n[3];
        uint32_t c[3];
        for (int i = 0; i < 3; i++) {
            n[i] = gen_below(&g, 300);
            at[i] = p + gen_below(&g, 2000);
        }
        tsl_crc32c_masked3(c, at, n);
        for (int i = 0; i < 3; i++)
            assert_int_equal(c[i], tsl_crc32c_masked(at[i], n[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(known_checksums_come_out),
        TEST(every_length_place_and_cut_gives_the_slow_one),
        TEST(three_at_once_are_each_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

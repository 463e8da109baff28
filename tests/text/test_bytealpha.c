#include "support/test.h"

#include <string.h>

#include "base/utf8.h"
#include "text/bytealpha.h"

static void every_byte_has_a_character_of_its_own_and_comes_back(void **state)
{
    uint8_t seen[0x144] = { 0 };
    (void)state;
    for (unsigned b = 0; b < 256; b++) {
        uint32_t cp = tsl_bytealpha_char((uint8_t)b);
        assert_true(cp < sizeof seen && !seen[cp]++);
        assert_true(cp > 0x20 && (cp < 0x7f || cp > 0xa0) && cp != 0xad);
        assert_int_equal(tsl_bytealpha_byte(cp), b);
    }
    for (uint32_t cp = 0; cp < 0x200; cp++)
        if (cp >= sizeof seen || !seen[cp])
            assert_int_equal(tsl_bytealpha_byte(cp), -1);
    assert_int_equal(tsl_bytealpha_char(' '), 0x120);
    assert_int_equal(tsl_bytealpha_char('\n'), 0x10a);
}

static void all_bytes_are_spelled_and_read_back(void **state)
{
    uint8_t bytes[256], spelled[512], back[512];
    size_t n, len;
    (void)state;
    for (unsigned b = 0; b < 256; b++)
        bytes[b] = (uint8_t)b;
    n = tsl_bytealpha_encode((struct tsl_slice){ bytes, 256 }, spelled);
    assert_int_equal(n, 94 + 2 * 162);
    assert_true(tsl_bytealpha_decode((struct tsl_slice){ spelled, n }, back, &len));
    assert_int_equal(len, 256);
    assert_memory_equal(back, bytes, 256);
}

static void a_character_outside_the_alphabet_is_told(void **state)
{
    static const char *const bad[] = { " ", "a\xe2\x96\x81", "\xc4", "\xff", "\n" };
    uint8_t buf[16];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(tsl_bytealpha_decode(
            (struct tsl_slice){ (const uint8_t *)bad[i], strlen(bad[i]) }, buf, &len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_byte_has_a_character_of_its_own_and_comes_back),
        TEST(all_bytes_are_spelled_and_read_back),
        TEST(a_character_outside_the_alphabet_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <string.h>

#include "base/utf8.h"

/* What the standard says of n bytes, by the table of well-formed sequences (3-7), slowly. */
static bool well_formed(const uint8_t *p, size_t n)
{
    static const struct {
        uint8_t n, lo[4], hi[4];
    } rows[] = {
        { 1, { 0x00 }, { 0x7f } },
        { 2, { 0xc2, 0x80 }, { 0xdf, 0xbf } },
        { 3, { 0xe0, 0xa0, 0x80 }, { 0xe0, 0xbf, 0xbf } },
        { 3, { 0xe1, 0x80, 0x80 }, { 0xec, 0xbf, 0xbf } },
        { 3, { 0xed, 0x80, 0x80 }, { 0xed, 0x9f, 0xbf } },
        { 3, { 0xee, 0x80, 0x80 }, { 0xef, 0xbf, 0xbf } },
        { 4, { 0xf0, 0x90, 0x80, 0x80 }, { 0xf0, 0xbf, 0xbf, 0xbf } },
        { 4, { 0xf1, 0x80, 0x80, 0x80 }, { 0xf3, 0xbf, 0xbf, 0xbf } },
        { 4, { 0xf4, 0x80, 0x80, 0x80 }, { 0xf4, 0x8f, 0xbf, 0xbf } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t k = 0;
        while (k < n && rows[i].n == n && p[k] >= rows[i].lo[k] && p[k] <= rows[i].hi[k])
            k++;
        if (k == n && rows[i].n == n)
            return true;
    }
    return false;
}

static void every_code_point_comes_back(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp++) {
        uint8_t p[4];
        uint32_t back;
        if (cp == 0xd800)
            cp = 0xe000;
        size_t n = tsl_utf8_encode(p, cp);
        if (tsl_utf8_decode(p, p + n, &back) != n || back != cp)
            fail_msg("U+%04X", (unsigned)cp);
    }
}

/* Bytes on the borders of the table's ranges, in all combinations of four. */
static void exactly_what_the_standard_lists_is_well_formed(void **state)
{
    static const uint8_t edge[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf,
                                    0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
                                    0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
    enum { N = sizeof edge };
    (void)state;
    for (size_t i = 0; i < (size_t)N * N * N * N; i++) {
        const uint8_t p[5] = { edge[i % N], edge[i / N % N], edge[i / N / N % N],
                               edge[i / N / N / N], 0 };
        size_t good = 0, part = 0;
        uint32_t cp;
        for (size_t n = 1; n <= 4; n++)
            good = well_formed(p, n) ? n : good;
        if (tsl_utf8_len(p) != good)
            fail_msg("len of %02x %02x %02x %02x", p[0], p[1], p[2], p[3]);
        part = tsl_utf8_decode(p, p + 4, &cp);
        assert_true(part >= 1 && part <= 4);
        if ((cp == TSL_UTF8_BAD) != (good == 0) || (good && part != good))
            fail_msg("%02x %02x %02x %02x", p[0], p[1], p[2], p[3]);
    }
}

static void a_character_that_is_cut_is_open(void **state)
{
    static const struct {
        const char *text;
        size_t open;
    } cases[] = {
        { "", 0 },
        { "a", 0 },
        { "a\xc3", 1 },
        { "a\xc3\xa9", 0 },
        { "\xe4\xb8", 2 },
        { "\xe4\xb8\xad", 0 },
        { "\xf0\x9f\x98", 3 },
        { "\xf0\x9f", 2 },
        { "\xf0", 1 },
        { "\xf0\x9f\x98\x80", 0 },
        { "\x80\x80\x80", 0 },
        { "\xe4\xb8\xad\x80", 0 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(
            tsl_utf8_open((const uint8_t *)cases[i].text, strlen(cases[i].text)),
            cases[i].open);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_code_point_comes_back),
        TEST(exactly_what_the_standard_lists_is_well_formed),
        TEST(a_character_that_is_cut_is_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

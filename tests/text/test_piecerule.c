#include "support/test.h"

#include <string.h>

#include "base/utf8.h"
#include "text/piecerule.h"

static bool allows(const struct tsl_piecerule *r, const char *text)
{
    uint32_t cp[64];
    size_t n = 0;
    const uint8_t *p = (const uint8_t *)text, *end = p + strlen(text);
    while (p < end)
        p += tsl_utf8_decode(p, end, &cp[n++]);
    return tsl_piecerule_allows(r, cp, n);
}

static void a_piece_is_of_one_script(void **state)
{
    (void)state;
    struct tsl_piecerule r = tsl_piecerule_defaults();
    assert_true(allows(&r, "abc") && allows(&r, "中文") && allows(&r, "中のノー"));
    assert_false(allows(&r, "a中") || allows(&r, "a.") || allows(&r, "a1"));
    assert_true(allows(&r, "12.") && allows(&r, "▁a") && allows(&r, "▁."));
    assert_true(allows(&r, "e\xcc\x81t")); /* a mark takes the script before it */
    assert_true(allows(&r, "\xcc\x81t") && !allows(&r, ".\xcc\x81t"));
    r.split_by_unicode_script = false;
    assert_true(allows(&r, "a中.1"));
}

static void digits_are_a_script_or_none_or_alone(void **state)
{
    (void)state;
    struct tsl_piecerule r = tsl_piecerule_defaults();
    r.split_by_number = false;
    assert_true(allows(&r, "a1") && allows(&r, "a1b") && allows(&r, "\uff11中"));
    assert_true(allows(&r, "a1中")); /* as the peer: a digit forgets the script */
    r.split_digits = true;
    assert_true(allows(&r, "1") && !allows(&r, "11") && !allows(&r, "a1"));
}

static void blanks_begin_pieces_or_end_them(void **state)
{
    (void)state;
    struct tsl_piecerule r = tsl_piecerule_defaults();
    assert_true(allows(&r, "▁") && allows(&r, "▁a"));
    assert_false(allows(&r, "a▁") || allows(&r, "▁▁") || allows(&r, "▁a▁b"));
    r.whitespace_only_pieces = true;
    assert_true(allows(&r, "▁▁▁") && !allows(&r, "▁▁a"));
    r.whitespace_only_pieces = false;
    r.split_by_whitespace = false;
    assert_true(allows(&r, "▁a▁b") && !allows(&r, "▁a▁"));
    r.whitespace_suffix = true;
    assert_true(allows(&r, "a▁b▁") && !allows(&r, "▁a▁"));
    r.split_by_whitespace = true;
    assert_true(allows(&r, "a▁") && !allows(&r, "a▁b▁"));
}

static void length_and_reserved_characters_are_refused(void **state)
{
    (void)state;
    struct tsl_piecerule r = tsl_piecerule_defaults();
    uint32_t nul[2] = { 'a', 0 }, surrogate[1] = { 0xd800 };
    assert_true(allows(&r, "abcdefghijklmnop") && !allows(&r, "abcdefghijklmnopq"));
    assert_false(allows(&r, "") || allows(&r, "\t") || allows(&r, " ") ||
                 allows(&r, "▅"));
    assert_false(tsl_piecerule_allows(&r, nul, 2) ||
                 tsl_piecerule_allows(&r, surrogate, 1));
    assert_true(tsl_piecerule_reserved('\t') && tsl_piecerule_reserved(0x110000));
    assert_false(tsl_piecerule_reserved(0x2581) || tsl_piecerule_reserved('a'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_piece_is_of_one_script),
        TEST(digits_are_a_script_or_none_or_alone),
        TEST(blanks_begin_pieces_or_end_them),
        TEST(length_and_reserved_characters_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

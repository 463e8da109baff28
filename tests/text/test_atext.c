#include "support/test.h"

#include <string.h>

#include "text/atext.h"

static void assert_text(const struct tsl_atext *t, const char *bytes)
{
    assert_int_equal(t->len, strlen(bytes));
    if (t->len > 0)
        assert_memory_equal(t->bytes, bytes, t->len);
}

static void assert_source(const struct tsl_atext *t, size_t at, uint32_t begin,
                          uint32_t end)
{
    assert_int_equal(t->begin[at], begin);
    assert_int_equal(t->end[at], end);
}

static void each_byte_of_a_character_comes_from_all_of_it(void **state)
{
    struct tsl_atext t;
    struct tsl_err err = { 0 };
    (void)state;
    tsl_atext_init(&t);
    assert_ok(
        tsl_atext_set(&t, (struct tsl_slice){ (const uint8_t *)"a\xc3\xa9z", 4 }, &err),
        &err);
    assert_text(&t, "a\xc3\xa9z");
    assert_source(&t, 0, 0, 1);
    assert_source(&t, 1, 1, 3);
    assert_source(&t, 2, 1, 3);
    assert_source(&t, 3, 3, 4);
    tsl_atext_fini(&t);
}

static void an_ill_formed_part_becomes_one_replacement_for_its_bytes(void **state)
{
    struct tsl_atext t;
    struct tsl_err err = { 0 };
    (void)state;
    tsl_atext_init(&t);
    /* A cut-off sequence of three bytes is one part; a byte that begins nothing another. */
    assert_ok(tsl_atext_set(&t,
                            (struct tsl_slice){ (const uint8_t *)"\xf0\x9f\x98\xffz", 5 },
                            &err),
              &err);
    assert_text(&t, "\xef\xbf\xbd\xef\xbf\xbdz");
    assert_source(&t, 0, 0, 3);
    assert_source(&t, 2, 0, 3);
    assert_source(&t, 3, 3, 4);
    assert_source(&t, 6, 4, 5);
    tsl_atext_fini(&t);
}

static void a_text_of_more_than_4_gib_is_refused(void **state)
{
    struct tsl_atext t;
    struct tsl_err err = { 0 };
    (void)state;
    tsl_atext_init(&t);
    int rc = tsl_atext_set(
        &t, (struct tsl_slice){ (const uint8_t *)"", (size_t)UINT32_MAX + 1 }, &err);
    assert_err(rc, TSL_EFORMAT, &err, "4 GiB");
    tsl_atext_fini(&t);
}

static void a_rewritten_character_has_the_source_that_its_change_says(void **state)
{
    struct tsl_atext from, to;
    struct tsl_arewrite r;
    struct tsl_err err = { 0 };
    (void)state;
    tsl_atext_init(&from);
    tsl_atext_init(&to);
    assert_ok(
        tsl_atext_set(&from, (struct tsl_slice){ (const uint8_t *)"abcdef", 6 }, &err),
        &err);
    tsl_arewrite_begin(&r, &from, &to);
    assert_ok(tsl_arewrite_put(&r, 'X', 1, &err), &err);  /* new, at the start */
    assert_ok(tsl_arewrite_put(&r, 'A', 0, &err), &err);  /* for a */
    assert_ok(tsl_arewrite_put(&r, 'Y', 1, &err), &err);  /* new, behind a */
    assert_ok(tsl_arewrite_put(&r, 'B', -2, &err), &err); /* for b; c and d go */
    tsl_arewrite_skip(&r, 1);
    assert_ok(tsl_arewrite_put(&r, 0xe9, 0, &err), &err); /* for f */
    assert_text(&to, "XAYB\xc3\xa9");
    assert_source(&to, 0, 0, 0);
    assert_source(&to, 1, 0, 1);
    assert_source(&to, 2, 0, 1);
    assert_source(&to, 3, 1, 2);
    assert_source(&to, 4, 5, 6);
    assert_source(&to, 5, 5, 6);
    tsl_atext_fini(&from);
    tsl_atext_fini(&to);
}

static void a_copied_range_keeps_its_sources(void **state)
{
    struct tsl_atext from, to;
    struct tsl_err err = { 0 };
    (void)state;
    tsl_atext_init(&from);
    tsl_atext_init(&to);
    assert_ok(
        tsl_atext_set(&from, (struct tsl_slice){ (const uint8_t *)"abcdef", 6 }, &err),
        &err);
    assert_ok(tsl_atext_copy(&to, &from, 4, 6, &err), &err);
    assert_ok(tsl_atext_copy(&to, &from, 1, 1, &err), &err);
    assert_ok(tsl_atext_copy(&to, &from, 0, 1, &err), &err);
    assert_text(&to, "efa");
    assert_source(&to, 0, 4, 5);
    assert_source(&to, 2, 0, 1);
    tsl_atext_fini(&from);
    tsl_atext_fini(&to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_byte_of_a_character_comes_from_all_of_it),
        TEST(an_ill_formed_part_becomes_one_replacement_for_its_bytes),
        TEST(a_text_of_more_than_4_gib_is_refused),
        TEST(a_rewritten_character_has_the_source_that_its_change_says),
        TEST(a_copied_range_keeps_its_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

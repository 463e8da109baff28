#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/charsmapdata.h"
#include "support/gendata.h"
#include "text/charsmap.h"

static const struct charsmapdata_pair pairs[] = {
    { "a", "X" }, { "ab", "Y" }, { "abcd", "" }, { "\u00e9", "e\u0301" }
};

static struct tsl_slice build(void)
{
    return charsmapdata_build(pairs, sizeof pairs / sizeof *pairs);
}

static void assert_match(const struct tsl_charsmap *m, bool shortest, const char *text,
                         size_t want_used, const char *want)
{
    size_t used = 0;
    struct tsl_slice to = { NULL, 0 };
    bool found = (shortest ? tsl_charsmap_match_shortest : tsl_charsmap_match)(
        m, (const uint8_t *)text, strlen(text), &used, &to);
    assert_int_equal(found, want != NULL);
    if (!found)
        return;
    assert_int_equal(used, want_used);
    assert_int_equal(to.len, strlen(want));
    assert_memory_equal(to.data, want, to.len);
}

static void the_longest_key_and_the_shortest_are_found(void **state)
{
    struct tsl_slice blob = build();
    struct tsl_charsmap m;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_charsmap_open(&m, blob, &err), &err);
    assert_match(&m, false, "az", 1, "X");
    assert_match(&m, false, "abc", 2, "Y");
    assert_match(&m, false, "abcde", 4, "");
    assert_match(&m, true, "abcde", 1, "X");
    assert_match(&m, false, "\u00e9\u00e9", 2, "e\u0301");
    assert_match(&m, false, "b", 0, NULL);
    assert_match(&m, false, "", 0, NULL);
    assert_match(&m, false, "\xc3", 0, NULL);
    free((void *)(uintptr_t)blob.data);
}

static void an_empty_blob_is_an_empty_map(void **state)
{
    struct tsl_charsmap m;
    struct tsl_err err = { 0 };
    (void)state;
    assert_ok(tsl_charsmap_open(&m, (struct tsl_slice){ NULL, 0 }, &err), &err);
    assert_match(&m, false, "a", 0, NULL);
    assert_ok(
        tsl_charsmap_open(&m, (struct tsl_slice){ (const uint8_t *)"\0\0\0", 4 }, &err),
        &err);
    assert_match(&m, false, "a", 0, NULL);
}

static void sizes_that_lie_are_refused(void **state)
{
    struct tsl_charsmap m;
    struct tsl_err err = { 0 };
    (void)state;
    assert_err(
        tsl_charsmap_open(&m, (struct tsl_slice){ (const uint8_t *)"abc", 3 }, &err),
        TSL_EFORMAT, &err, "too short");
    assert_err(tsl_charsmap_open(
                   &m, (struct tsl_slice){ (const uint8_t *)"\4\0\0\0ab", 6 }, &err),
               TSL_EFORMAT, &err, "4 bytes in a blob of 6");
    assert_err(
        tsl_charsmap_open(
            &m, (struct tsl_slice){ (const uint8_t *)"\xff\xff\xff\xff....", 8 }, &err),
        TSL_EFORMAT, &err, "trie");
    assert_err(tsl_charsmap_open(
                   &m, (struct tsl_slice){ (const uint8_t *)"\2\0\0\0ab", 6 }, &err),
               TSL_EFORMAT, &err, "trie");
    assert_err(tsl_charsmap_open(
                   &m, (struct tsl_slice){ (const uint8_t *)"\0\0\0\0a\xff", 6 }, &err),
               TSL_EFORMAT, &err, "not UTF-8 at byte 1");
}

/* Under the sanitizers this shows that no unit, however wrong, leads out of the blob. */
static void a_damaged_trie_stays_within_the_blob(void **state)
{
    struct tsl_slice whole = build();
    struct gen g = { 5 };
    (void)state;
    for (int round = 0; round < 2000; round++) {
        uint8_t *blob = malloc(whole.len);
        memcpy(blob, whole.data, whole.len);
        for (int i = 0; i < 40; i++)
            blob[4 + gen_below(&g, (uint32_t)whole.len - 4 - 10)] =
                (uint8_t)gen_below(&g, 256);
        if (round % 2) /* the root and the first node, which every walk meets */
            tsl_store32(blob + 4, (uint32_t)gen_below(&g, UINT32_MAX));
        struct tsl_charsmap m;
        if (tsl_charsmap_open(&m, (struct tsl_slice){ blob, whole.len }, NULL) == 0) {
            size_t used;
            struct tsl_slice to;
            for (unsigned c = 0; c < 256; c++) {
                uint8_t text[4] = { (uint8_t)c, 'b', 'c', 'd' };
                if (tsl_charsmap_match(&m, text, 4, &used, &to))
                    assert_true(used <= 4 && to.data >= blob &&
                                to.data + to.len <= blob + whole.len);
            }
        }
        free(blob);
    }
    free((void *)(uintptr_t)whole.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_longest_key_and_the_shortest_are_found),
        TEST(an_empty_blob_is_an_empty_map),
        TEST(sizes_that_lie_are_refused),
        TEST(a_damaged_trie_stays_within_the_blob),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

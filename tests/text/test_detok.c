#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/fault.h"
#include "support/gendata.h"
#include "text/bytealpha.h"
#include "text/detok.h"

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static struct tsl_detok *chain(void)
{
    struct tsl_err err = { 0 };
    struct tsl_detok *d = tsl_detok_create(&err);
    assert_non_null(d);
    return d;
}

/* Tokens with bars between them. */
static int run(const struct tsl_detok *d, const char *tokens, bool raw,
               struct tsl_detok_list *out, struct tsl_err *err)
{
    struct tsl_detok_list scratch = { .n = 0 };
    int rc = 0;
    tsl_detok_list_reset(out);
    for (const char *at = tokens, *e; rc == 0 && *tokens; at = e + 1) {
        e = strchr(at, '|');
        size_t n = e ? (size_t)(e - at) : strlen(at);
        rc = tsl_detok_list_add(out, (struct tsl_slice){ (const uint8_t *)at, n }, err);
        if (!e)
            break;
    }
    if (rc == 0)
        rc = tsl_detok_run(d, out, &scratch, raw, err);
    tsl_detok_list_fini(&scratch);
    return rc;
}

static void gives(const struct tsl_detok *d, const char *tokens, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_detok_list l = { .n = 0 };
    assert_ok(run(d, tokens, false, &l, &err), &err);
    char *got = calloc(l.len + 1, 1);
    if (l.len)
        memcpy(got, l.bytes, l.len);
    assert_string_equal(got, want);
    free(got);
    tsl_detok_list_fini(&l);
}

static void without_a_decoder_there_are_blanks_between_tokens(void **state)
{
    struct tsl_detok *d = chain();
    (void)state;
    gives(d, "a|b|##c", "a b ##c");
    gives(d, "", "");
    tsl_detok_destroy(d);
}

static void words_are_put_together_and_their_signs_tidied(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_detok *d = chain(), *plain = chain();
    (void)state;
    assert_ok(tsl_detok_add_wordpiece(d, str("##"), true, &err), &err);
    assert_ok(tsl_detok_add_wordpiece(plain, str("##"), false, &err), &err);
    gives(d, "un|##do|,|it|'s|n't", "undo, it'sn't");
    gives(plain, "un|##do|,|it", "undo , it");
    gives(d, "##do|##it", "##doit"); /* the first keeps its prefix */
    gives(d, "do|not", "do not");    /* token by token: this does not see it */
    tsl_detok_destroy(d);
    tsl_detok_destroy(plain);
}

static void an_underline_is_a_blank_but_for_the_first(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_detok *d = chain(), *never = chain();
    (void)state;
    assert_ok(tsl_detok_add_metaspace(d, str("\xe2\x96\x81"), false, &err), &err);
    assert_ok(tsl_detok_add_metaspace(never, str("\xe2\x96\x81"), true, &err), &err);
    gives(d,
          "\xe2\x96\x81"
          "a|b|\xe2\x96\x81"
          "c",
          "ab c");
    gives(never,
          "\xe2\x96\x81"
          "a|\xe2\x96\x81"
          "c",
          " a c");
    tsl_detok_destroy(d);
    tsl_detok_destroy(never);
}

static void bytes_of_tokens_become_text_and_what_is_none_a_sign_each(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_detok *d = chain();
    (void)state;
    assert_ok(tsl_detok_add_byte_fallback(d, &err), &err);
    assert_ok(tsl_detok_add_fuse(d, &err), &err);
    gives(d, "a|<0xE4>|<0xBD>|<0xA0>|b",
          "a\xe4\xbd\xa0"
          "b");
    gives(d, "<0xE4>|<0xBD>|b",
          "\xef\xbf\xbd\xef\xbf\xbd"
          "b"); /* one a byte token */
    gives(d, "<0x41>|<0xG0>|<0x4>", "A<0xG0><0x4>");
    tsl_detok_destroy(d);
}

static void strips_replacements_and_suffixes_are_those_of_the_peer(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_detok *d = chain();
    struct tsl_detok_list l = { .n = 0 };
    (void)state;
    assert_ok(tsl_detok_add_strip(d, str("-"), 2, 1, &err), &err);
    gives(d, "---a--|b-|c", "-a-bc");
    assert_err(run(d, "--", false, &l, &err), TSL_EFORMAT, &err, "both ends");
    tsl_detok_list_fini(&l);
    tsl_detok_destroy(d);

    d = chain();
    assert_ok(tsl_detok_add_replace(d, str("aa"), false, str("b"), &err), &err);
    assert_ok(tsl_detok_add_replace(d, str("[0-9]+"), true, str("#"), &err), &err);
    assert_ok(tsl_detok_add_fuse(d, &err), &err);
    gives(d, "aaa|a12b3", "baa#b#"); /* never over two tokens */
    assert_err(tsl_detok_add_replace(d, str(""), false, str("b"), &err), TSL_EFORMAT,
               &err, "");
    assert_err(tsl_detok_add_replace(d, str("("), true, str("b"), &err), TSL_EFORMAT,
               &err, "");
    tsl_detok_destroy(d);

    d = chain();
    assert_ok(tsl_detok_add_bpe(d, str("</w>"), &err), &err);
    gives(d, "un|do</w>|it</w>", "undo it");
    tsl_detok_destroy(d);

    d = chain();
    assert_ok(tsl_detok_add_ctc(d, str("<pad>"), str("|"), false, &err), &err);
    gives(d, "h|h|<pad>|e|l|<pad>|l|l", "hell");
    tsl_detok_destroy(d);
}

static void any_bytes_go_through_the_letters_and_come_back(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_detok *d = chain();
    struct gen g = { 17 };
    (void)state;
    assert_ok(tsl_detok_add_byte_level(d, &err), &err);
    for (int round = 0; round < 500; round++) {
        uint8_t bytes[64], spelled[128], lossy[200];
        size_t n = gen_below(&g, sizeof bytes), len = 0;
        struct tsl_detok_list l = { .n = 0 }, scratch = { .n = 0 };
        gen_bytes(&g, bytes, n);
        if (round & 1) /* more of what is nearly UTF-8 */
            for (size_t i = 0; i + 3 < n; i += 1 + gen_below(&g, 4))
                memcpy(bytes + i, "\xe4\xbd\xa0", 1 + gen_below(&g, 3));
        for (size_t i = 0; i < n;) {
            uint32_t cp;
            size_t k = tsl_utf8_decode(bytes + i, bytes + n, &cp);
            memcpy(lossy + len, cp == TSL_UTF8_BAD ? "\xef\xbf\xbd" : (char *)bytes + i,
                   cp == TSL_UTF8_BAD ? 3 : k);
            len += cp == TSL_UTF8_BAD ? 3 : k;
            i += k;
        }
        for (int raw = 0; raw < 2; raw++) {
            tsl_detok_list_reset(&l);
            for (size_t i = 0, k; i < n; i += k) {
                k = 1 + gen_below(&g, n - i);
                size_t m =
                    tsl_bytealpha_encode((struct tsl_slice){ bytes + i, k }, spelled);
                assert_ok(tsl_detok_list_add(&l, (struct tsl_slice){ spelled, m }, &err),
                          &err);
            }
            assert_ok(tsl_detok_run(d, &l, &scratch, raw, &err), &err);
            assert_int_equal(l.len, raw ? n : len);
            if (l.len)
                assert_memory_equal(l.bytes, raw ? bytes : lossy, l.len);
        }
        tsl_detok_list_reset(&l);
        assert_ok(tsl_detok_list_add(&l, (struct tsl_slice){ bytes, n }, &err), &err);
        assert_ok(tsl_detok_lossy(&l, &scratch, &err), &err);
        assert_int_equal(l.len, len);
        if (len)
            assert_memory_equal(l.bytes, lossy, len);
        tsl_detok_list_fini(&l);
        tsl_detok_list_fini(&scratch);
    }
    tsl_detok_destroy(d);
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_detok_list l = { .n = 0 };
        fault_arm(nth, "calloc realloc mmap");
        struct tsl_detok *d = tsl_detok_create(&err);
        int rc =
            d ? tsl_detok_add_replace(d, str("a+"), true, str("bb"), &err) : TSL_ENOMEM;
        if (rc == 0)
            rc = tsl_detok_add_ctc(d, str("x"), str("y"), true, &err);
        if (rc == 0)
            rc = tsl_detok_add_byte_level(d, &err);
        if (rc == 0)
            rc = run(d, "aab|c|x|y", false, &l, &err);
        const char *call = fault_disarm();
        if (!call || rc < 0) { /* PCRE2 may do without what it asks for */
            assert_int_equal(rc, call ? TSL_ENOMEM : 0);
            assert_int_equal(err.code, rc);
        }
        tsl_detok_list_fini(&l);
        tsl_detok_destroy(d);
        if (!call)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_decoder_there_are_blanks_between_tokens),
        TEST(words_are_put_together_and_their_signs_tidied),
        TEST(an_underline_is_a_blank_but_for_the_first),
        TEST(bytes_of_tokens_become_text_and_what_is_none_a_sign_each),
        TEST(strips_replacements_and_suffixes_are_those_of_the_peer),
        TEST(any_bytes_go_through_the_letters_and_come_back),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

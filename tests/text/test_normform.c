#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "support/fixture.h"
#include "text/normform.h"

enum { LAST = 0x10ffff };

static const char *const names[] = { "nfc", "nfd", "nfkc",
                                     "nfkd" }; /* enum tsl_normform */

static void form_of(enum tsl_normform form, const char *text, struct tsl_atext *to)
{
    struct tsl_atext from;
    struct tsl_err err = { 0 };
    tsl_atext_init(&from);
    assert_ok(tsl_atext_set(
                  &from, (struct tsl_slice){ (const uint8_t *)text, strlen(text) }, &err),
              &err);
    assert_ok(tsl_normform_apply(form, &from, to, &err), &err);
    tsl_atext_fini(&from);
}

static void assert_form(enum tsl_normform form, const char *text, const char *want)
{
    struct tsl_atext to;
    tsl_atext_init(&to);
    form_of(form, text, &to);
    assert_int_equal(to.len, strlen(want));
    if (to.len > 0)
        assert_memory_equal(to.bytes, want, to.len);
    tsl_atext_fini(&to);
}

/* What cp becomes as the table says, in UTF-8, for each cp that is in it. */
static char **read_table(const char *name)
{
    char **to = calloc(LAST + 1, sizeof *to), path[128], *save = NULL;
    size_t n;
    snprintf(path, sizeof path, "tokenizers/unicode-tables/%s_map.tsv", name);
    uint8_t *data = fixture_get(path, &n);
    for (char *line = strtok_r((char *)data, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (*line == '#')
            continue;
        uint32_t cp = (uint32_t)strtoul(line, &line, 16);
        char *out = to[cp] = calloc(strlen(line) + 1, 4);
        while (*line)
            out += tsl_utf8_encode((uint8_t *)out, (uint32_t)strtoul(line, &line, 16));
    }
    free(data);
    return to;
}

static void every_code_point_has_the_peers_form(void **state)
{
    (void)state;
    for (enum tsl_normform form = TSL_NFC; form <= TSL_NFKD; form++) {
        char **table = read_table(names[form]);
        for (uint32_t cp = 1; cp <= LAST; cp++) {
            char self[5] = "";
            if ((cp >= 0xd800 && cp < 0xe000) || (cp >= 0xac00 && cp <= 0xd7a3))
                continue;
            (void)tsl_utf8_encode((uint8_t *)self, cp);
            if (table[cp] || cp % test_thrift() == 0)
                assert_form(form, self, table[cp] ? table[cp] : self);
            free(table[cp]);
        }
        free(table);
    }
}

static void hangul_falls_and_is_put_together_again(void **state)
{
    (void)state;
    for (uint32_t cp = 0xac00; cp <= 0xd7a3; cp++) {
        char self[5] = "", jamo[16] = "";
        uint32_t s = cp - 0xac00, t = s % 28;
        (void)tsl_utf8_encode((uint8_t *)self, cp);
        size_t at = tsl_utf8_encode((uint8_t *)jamo, 0x1100 + s / 588);
        at += tsl_utf8_encode((uint8_t *)jamo + at, 0x1161 + s / 28 % 21);
        if (t)
            (void)tsl_utf8_encode((uint8_t *)jamo + at, 0x11a7 + t);
        assert_form(TSL_NFD, self, jamo);
        assert_form(TSL_NFKC, jamo, self);
        assert_form(TSL_NFC, self, self);
    }
}

static void marks_are_put_in_order_and_composed_across_each_other(void **state)
{
    (void)state;
    /* a + acute (230) + dot below (220): the dot comes first, and joins first */
    assert_form(TSL_NFD, "a\u0301\u0323", "a\u0323\u0301");
    assert_form(TSL_NFC, "a\u0301\u0323", "\u1ea1\u0301");
    /* one of the same class stands in the way */
    assert_form(TSL_NFC, "a\u0313\u0301", "a\u0313\u0301");
    /* one of class 1 does not */
    assert_form(TSL_NFC, "a\u0334\u0301", "\u00e1\u0334");
    /* a starter does */
    assert_form(TSL_NFC, "ab\u0301", "ab\u0301");
    assert_form(TSL_NFC, "\u0301a", "\u0301a");
    assert_form(TSL_NFKC, "\u1e9b\u0323", "\u1e69");
    assert_form(TSL_NFC, "\u0958", "\u0915\u093c"); /* excluded from composition */
    assert_form(TSL_NFC, "", "");
}

static void marks_newer_than_unicode_12_are_no_marks(void **state)
{
    (void)state;
    assert_form(TSL_NFD, "a\u0301\u1ac4\u0323", "a\u0301\u1ac4\u0323");   /* Unicode 14 */
    assert_form(TSL_NFC, "\U00011935\U00011930", "\U00011935\U00011930"); /* 13 */
}

static void a_long_run_of_marks_is_sorted_and_stays_stable(void **state)
{
    enum { N = 3000 };
    char *text = calloc(4 * N, 1), *want = calloc(4 * N, 1), *p = text, *q = want;
    (void)state;
    *p++ = *q++ = 'q';
    for (int i = 0; i < N; i++) {
        uint32_t cp = i % 2 ? 0x316U + (uint32_t)(i / 2 % 4) : 0x305U;
        p += tsl_utf8_encode((uint8_t *)p, cp);
    }
    for (int i = 1; i < N; i += 2)
        q += tsl_utf8_encode((uint8_t *)q, 0x316U + (uint32_t)(i / 2 % 4));
    for (int i = 0; i < N; i += 2)
        q += tsl_utf8_encode((uint8_t *)q, 0x305);
    assert_form(TSL_NFD, text, want);
    assert_form(TSL_NFC, text, want);
    free(text);
    free(want);
}

static void assert_source(const struct tsl_atext *t, size_t at, uint32_t begin,
                          uint32_t end)
{
    assert_int_equal(t->begin[at], begin);
    assert_int_equal(t->end[at], end);
}

static void sources_are_those_of_the_peer(void **state)
{
    struct tsl_atext t;
    (void)state;
    tsl_atext_init(&t);
    form_of(TSL_NFD, "x\u00e9y", &t); /* e, acute: both from bytes 1 to 3 */
    assert_int_equal(t.len, 5);
    assert_source(&t, 1, 1, 3);
    assert_source(&t, 2, 1, 3);
    assert_source(&t, 4, 3, 4);
    form_of(TSL_NFC, "xe\u0301y", &t); /* from the e alone: the mark counts as removed */
    assert_int_equal(t.len, 4);
    assert_source(&t, 1, 1, 2);
    assert_source(&t, 3, 4, 5);
    form_of(TSL_NFKC, "\ufb03", &t);
    assert_int_equal(t.len, 3);
    assert_source(&t, 2, 0, 3);
    tsl_atext_fini(&t);
}

static void assert_clusters(const char *text, const char *lengths)
{
    size_t n = strlen(text);
    char got[64] = "";
    for (size_t at = 0; at < n;) {
        size_t len = tsl_normform_grapheme((const uint8_t *)text + at, n - at);
        assert_true(len > 0 && len <= n - at);
        snprintf(got + strlen(got), sizeof got - strlen(got), "%zu ", len);
        at += len;
    }
    assert_string_equal(got, lengths);
}

static void grapheme_clusters_are_those_of_uax_29(void **state)
{
    (void)state;
    assert_clusters("ab\r\n\n\r", "1 1 2 1 1 ");
    assert_clusters("e\u0301\u0323z\n\u0301", "5 1 1 2 ");
    assert_clusters("\u1100\u1161\u11a8\uac00\u11a8", "9 6 ");
    /* flags go by two */
    assert_clusters("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f1e9", "8 8 4 ");
    /* family of two, joined; a joiner behind a letter joins nothing more */
    assert_clusters("\U0001f468\u200d\U0001f469", "11 ");
    assert_clusters("a\u200d\U0001f469", "4 4 ");
    assert_clusters("\u0600a\u0903", "6 ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_code_point_has_the_peers_form),
        TEST(hangul_falls_and_is_put_together_again),
        TEST(marks_are_put_in_order_and_composed_across_each_other),
        TEST(marks_newer_than_unicode_12_are_no_marks),
        TEST(a_long_run_of_marks_is_sorted_and_stays_stable),
        TEST(sources_are_those_of_the_peer),
        TEST(grapheme_clusters_are_those_of_uax_29),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/charsmapdata.h"
#include "support/fixture.h"
#include "text/normalizer.h"

static struct tsl_slice text_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool is(struct tsl_slice s, const char *name)
{
    return s.len == strlen(name) && memcmp(s.data, name, s.len) == 0;
}

static struct tsl_normalizer *build(const struct tsl_jsonval *c, struct tsl_err *err)
{
    static const char *const forms[] = { "NFC", "NFD", "NFKC", "NFKD" };
    struct tsl_slice type = fixture_str(c, "type");
    for (enum tsl_normform f = TSL_NFC; f <= TSL_NFKD; f++)
        if (is(type, forms[f]))
            return tsl_normalizer_create_form(f, err);
    if (is(type, "BertNormalizer")) {
        bool lowercase = fixture_bool(c, "lowercase", true);
        return tsl_normalizer_create_bert(fixture_bool(c, "clean_text", true),
                                          fixture_bool(c, "handle_chinese_chars", true),
                                          fixture_bool(c, "strip_accents", lowercase),
                                          lowercase, err);
    }
    if (is(type, "Lowercase"))
        return tsl_normalizer_create_lowercase(err);
    if (is(type, "Strip"))
        return tsl_normalizer_create_strip(fixture_bool(c, "strip_left", true),
                                           fixture_bool(c, "strip_right", true), err);
    if (is(type, "StripAccents"))
        return tsl_normalizer_create_strip_accents(err);
    if (is(type, "Nmt"))
        return tsl_normalizer_create_nmt(err);
    if (is(type, "ByteLevel"))
        return tsl_normalizer_create_byte_level(err);
    if (is(type, "Prepend"))
        return tsl_normalizer_create_prepend(fixture_str(c, "prepend"), err);
    if (is(type, "Replace")) {
        const struct tsl_jsonval *pattern = tsl_jsonread_get(c, "pattern");
        struct tsl_slice content = fixture_str(c, "content");
        if (tsl_jsonread_get(pattern, "String"))
            return tsl_normalizer_create_replace(fixture_str(pattern, "String"), content,
                                                 err);
        return tsl_normalizer_create_replace_regex(fixture_str(pattern, "Regex"), content,
                                                   err);
    }
    assert_true(is(type, "Sequence"));
    struct tsl_normalizer *sequence = tsl_normalizer_create_sequence(err);
    const struct tsl_jsonval *parts = tsl_jsonread_get(c, "normalizers");
    for (size_t i = 0; i < tsl_jsonread_size(parts); i++)
        assert_ok(
            tsl_normalizer_append(sequence, build(tsl_jsonread_at(parts, i), err), err),
            err);
    return sequence;
}

struct texts {
    struct tsl_atext text, scratch;
};

static void apply(const struct tsl_normalizer *n, struct tsl_slice text, struct texts *t)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_atext_set(&t->text, text, &err), &err);
    assert_ok(tsl_normalizer_apply(n, &t->text, &t->scratch, &err), &err);
}

static void init(struct texts *t)
{
    tsl_atext_init(&t->text);
    tsl_atext_init(&t->scratch);
}

static void fini(struct texts *t)
{
    tsl_atext_fini(&t->text);
    tsl_atext_fini(&t->scratch);
}

static void check_row(const struct tsl_jsonval *row, void *ctx)
{
    struct texts *t = ctx;
    struct tsl_err err = { 0 };
    struct tsl_normalizer *n = build(tsl_jsonread_get(row, "config"), &err);
    assert_ok(n ? 0 : err.code, &err);
    struct tsl_slice text = fixture_str(row, "text"),
                     want = fixture_str(row, "normalized");
    const struct tsl_jsonval *sources = tsl_jsonread_get(row, "sources");
    apply(n, text, t);
    if (t->text.len != want.len ||
        (want.len && memcmp(t->text.bytes, want.data, want.len)))
        fail_msg("%.*s: became %.*s, expected %.*s", (int)text.len,
                 (const char *)text.data, (int)t->text.len, (const char *)t->text.bytes,
                 (int)want.len, (const char *)want.data);
    /* One source for each character of the result. */
    for (size_t at = 0, chars = 0; sources && at < want.len; at++) {
        chars += (want.data[at] & 0xc0) != 0x80;
        const struct tsl_jsonval *source = tsl_jsonread_at(sources, chars - 1);
        assert_int_equal(t->text.begin[at], fixture_int_at(source, 0));
        assert_int_equal(t->text.end[at], fixture_int_at(source, 1));
    }
    tsl_normalizer_destroy(n);
}

static void each_component_does_what_the_peers_does(void **state)
{
    struct texts t;
    (void)state;
    init(&t);
    assert_int_equal(fixture_each("tokenizers/hf-components/expected/normalizers.jsonl",
                                  check_row, &t),
                     484);
    fini(&t);
}

static void each_character_has_the_source_that_the_peer_says(void **state)
{
    struct texts t;
    (void)state;
    init(&t);
    assert_int_equal(
        fixture_each("tokenizers/hf-components/expected/normalizer_sources.jsonl",
                     check_row, &t),
        256);
    fini(&t);
}

/* Results of Hugging Face's tokenizers 0.23.2 with the same map; sources as "begin-end "
 * for each character. */
static void precompiled_goes_by_grapheme_cluster_with_the_peers_oddities(void **state)
{
    static const struct charsmapdata_pair pairs[] = {
        { "a", "X" },       { "ab", "Y" },    { "\u00e9", "ee" }, { "\u0301", "" },
        { "\ufb00", "ff" }, { "\u00ad", "" }, { "\ud55c", "k" }
    };
    static const struct {
        const char *text, *want, *sources;
    } cases[] = {
        { "ab", "Xb", "0-1 1-2 " },
        /* the shortest key stands for the whole cluster, whose mark is lost */
        { "a\u0301b", "Xb", "0-1 3-4 " },
        { "e\u0301", "e", "0-1 " },
        { "\u00e9\u0301", "ee", "0-2 2-4 " },
        { "\u00e9z", "eez", "0-2 0-2 2-3 " },
        { "\ufb00\u0301", "ff", "0-3 3-5 " },
        /* what is removed at the very start is not booked: the x is late */
        { "\u00adx\u00ad\u00ady", "xy", "0-2 5-7 " },
        { "\ud55c\uae00", "k\uae00", "0-3 3-6 " },
        { "\u0301a", "X", "0-2 " },
        /* a cluster of six bytes or more goes character by character */
        { "a\u20e3\u0301\u0301x", "X\u20e3x", "0-1 1-4 8-9 " },
        { "\r\na", "\r\nX", "0-1 1-2 2-3 " },
        { "", "", "" },
    };
    struct tsl_slice blob = charsmapdata_build(pairs, sizeof pairs / sizeof *pairs);
    struct tsl_err err = { 0 };
    struct tsl_normalizer *n = tsl_normalizer_create_precompiled(blob, &err);
    struct texts t;
    (void)state;
    assert_ok(n ? 0 : err.code, &err);
    free((void *)(uintptr_t)blob.data); /* it was copied */
    init(&t);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char sources[128] = "";
        apply(n, text_of(cases[i].text), &t);
        assert_int_equal(t.text.len, strlen(cases[i].want));
        if (t.text.len > 0)
            assert_memory_equal(t.text.bytes, cases[i].want, t.text.len);
        for (size_t at = 0; at < t.text.len; at++)
            if ((t.text.bytes[at] & 0xc0) != 0x80)
                snprintf(sources + strlen(sources), sizeof sources - strlen(sources),
                         "%u-%u ", t.text.begin[at], t.text.end[at]);
        assert_string_equal(sources, cases[i].sources);
    }
    fini(&t);
    tsl_normalizer_destroy(n);
}

static void no_normalizer_and_an_empty_sequence_change_nothing(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_normalizer *n = tsl_normalizer_create_sequence(&err);
    struct texts t;
    (void)state;
    assert_non_null(n);
    init(&t);
    apply(NULL, text_of("\u00c9"), &t);
    assert_int_equal(t.text.len, 2);
    apply(n, text_of("\u00c9"), &t);
    assert_int_equal(t.text.len, 2);
    fini(&t);
    tsl_normalizer_destroy(n);
    tsl_normalizer_destroy(NULL);
}

static void what_cannot_be_built_says_why(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_null(tsl_normalizer_create_precompiled(text_of("\xff\xff\xff\xff!"), &err));
    assert_err(err.code, TSL_EFORMAT, &err, "character map");
    assert_null(tsl_normalizer_create_replace_regex(text_of("("), text_of(""), &err));
    assert_err(err.code, TSL_EFORMAT, &err, "regular expression");
    assert_null(tsl_normalizer_create_prepend(text_of("\xff"), &err));
    assert_err(err.code, TSL_EFORMAT, &err, "UTF-8");
    struct tsl_normalizer *n = tsl_normalizer_create_sequence(&err);
    int rc = tsl_normalizer_append(
        n, tsl_normalizer_create_replace_regex(text_of("["), text_of(""), &err), &err);
    assert_err(rc, TSL_EFORMAT, &err, "class");
    tsl_normalizer_destroy(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_component_does_what_the_peers_does),
        TEST(each_character_has_the_source_that_the_peer_says),
        TEST(precompiled_goes_by_grapheme_cluster_with_the_peers_oddities),
        TEST(no_normalizer_and_an_empty_sequence_change_nothing),
        TEST(what_cannot_be_built_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <string.h>

#include "base/utf8.h"
#include "support/fixture.h"
#include "text/pretok.h"

static struct tsl_slice text_of(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static bool is(struct tsl_slice s, const char *name)
{
    return s.len == strlen(name) && memcmp(s.data, name, s.len) == 0;
}

static enum tsl_split_behavior behavior_of(const struct tsl_jsonval *c)
{
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious",
                                         "MergedWithNext", "Contiguous" };
    struct tsl_slice name = fixture_str(c, "behavior");
    enum tsl_split_behavior b = TSL_SPLIT_REMOVED;
    while (!is(name, names[b]))
        b++;
    return b;
}

static uint32_t char_of(const struct tsl_jsonval *c, const char *key)
{
    struct tsl_slice s = fixture_str(c, key);
    uint32_t cp;
    assert_int_equal(tsl_utf8_decode(s.data, s.data + s.len, &cp), s.len);
    return cp;
}

static struct tsl_pretok *build(const struct tsl_jsonval *c, struct tsl_err *err)
{
    struct tsl_slice type = fixture_str(c, "type");
    if (is(type, "BertPreTokenizer"))
        return tsl_pretok_create_bert(err);
    if (is(type, "ByteLevel"))
        return tsl_pretok_create_byte_level(fixture_bool(c, "add_prefix_space", true),
                                            fixture_bool(c, "use_regex", true), err);
    if (is(type, "Whitespace"))
        return tsl_pretok_create_whitespace(err);
    if (is(type, "WhitespaceSplit"))
        return tsl_pretok_create_whitespace_split(err);
    if (is(type, "Punctuation"))
        return tsl_pretok_create_punctuation(behavior_of(c), err);
    if (is(type, "Digits"))
        return tsl_pretok_create_digits(fixture_bool(c, "individual_digits", false), err);
    if (is(type, "CharDelimiterSplit"))
        return tsl_pretok_create_delimiter(char_of(c, "delimiter"), err);
    if (is(type, "Metaspace")) {
        struct tsl_slice scheme = fixture_str(c, "prepend_scheme");
        return tsl_pretok_create_metaspace(char_of(c, "replacement"),
                                           is(scheme, "always")  ? TSL_PREPEND_ALWAYS
                                           : is(scheme, "first") ? TSL_PREPEND_FIRST
                                                                 : TSL_PREPEND_NEVER,
                                           fixture_bool(c, "split", true), err);
    }
    if (is(type, "Split")) {
        const struct tsl_jsonval *pattern = tsl_jsonread_get(c, "pattern");
        bool invert = fixture_bool(c, "invert", false);
        if (tsl_jsonread_get(pattern, "String"))
            return tsl_pretok_create_split(fixture_str(pattern, "String"), behavior_of(c),
                                           invert, err);
        return tsl_pretok_create_split_regex(fixture_str(pattern, "Regex"),
                                             behavior_of(c), invert, err);
    }
    if (is(type, "UnicodeScripts"))
        return tsl_pretok_create_scripts(err);
    if (is(type, "FixedLength"))
        return tsl_pretok_create_fixed_length((size_t)fixture_int(c, "length"), err);
    assert_true(is(type, "Sequence"));
    struct tsl_pretok *sequence = tsl_pretok_create_sequence(err);
    const struct tsl_jsonval *parts = tsl_jsonread_get(c, "pretokenizers");
    for (size_t i = 0; i < tsl_jsonread_size(parts); i++)
        assert_ok(tsl_pretok_append(sequence, build(tsl_jsonread_at(parts, i), err), err),
                  err);
    return sequence;
}

struct work {
    struct tsl_atext text, scratch;
    struct tsl_pieces pieces;
};

static void init(struct work *w)
{
    tsl_atext_init(&w->text);
    tsl_atext_init(&w->scratch);
    tsl_pieces_init(&w->pieces);
}

static void fini(struct work *w)
{
    tsl_atext_fini(&w->text);
    tsl_atext_fini(&w->scratch);
    tsl_pieces_fini(&w->pieces);
}

static void apply(const struct tsl_pretok *p, struct tsl_slice text, uint32_t origin,
                  struct work *w)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_atext_set(&w->text, text, &err), &err);
    assert_ok(tsl_pieces_set(&w->pieces, w->text.len, origin, &err), &err);
    assert_ok(tsl_pretok_apply(p, &w->text, &w->scratch, &w->pieces, &err), &err);
    for (size_t i = 0; i < w->pieces.n; i++) {
        assert_true(w->pieces.p[i].begin < w->pieces.p[i].end);
        assert_true(i == 0 || w->pieces.p[i - 1].end <= w->pieces.p[i].begin);
    }
}

static int64_t chars_of(struct tsl_slice text, size_t bytes)
{
    int64_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n += (text.data[i] & 0xc0) != 0x80;
    return n;
}

static void check_row(const struct tsl_jsonval *row, void *ctx)
{
    struct work *w = ctx;
    struct tsl_err err = { 0 };
    struct tsl_pretok *p = build(tsl_jsonread_get(row, "config"), &err);
    assert_ok(p ? 0 : err.code, &err);
    struct tsl_slice text = fixture_str(row, "text");
    const struct tsl_jsonval *splits = tsl_jsonread_get(row, "splits");
    apply(p, text, 0, w);
    if (w->pieces.n != tsl_jsonread_size(splits))
        fail_msg("%.*s: %zu pieces, expected %zu", (int)text.len, (const char *)text.data,
                 w->pieces.n, tsl_jsonread_size(splits));
    for (size_t i = 0; i < w->pieces.n; i++) {
        const struct tsl_jsonval *split = tsl_jsonread_at(splits, i),
                                 *span = tsl_jsonread_at(split, 1);
        const struct tsl_piece *piece = &w->pieces.p[i];
        struct tsl_slice want;
        assert_true(tsl_jsonread_str(tsl_jsonread_at(split, 0), &want));
        assert_int_equal(piece->end - piece->begin, want.len);
        assert_memory_equal(w->text.bytes + piece->begin, want.data, want.len);
        assert_int_equal(chars_of(text, w->text.begin[piece->begin]),
                         fixture_int_at(span, 0));
        assert_int_equal(chars_of(text, w->text.end[piece->end - 1]),
                         fixture_int_at(span, 1));
    }
    tsl_pretok_destroy(p);
}

static void each_component_cuts_as_the_peers_does(void **state)
{
    struct work w;
    (void)state;
    init(&w);
    assert_int_equal(
        fixture_each("tokenizers/hf-components/expected/pre_tokenizers.jsonl", check_row,
                     &w),
        572);
    fini(&w);
}

static void behaviors_inverted_or_not_and_sequences_are_the_peers(void **state)
{
    struct work w;
    (void)state;
    init(&w);
    assert_int_equal(
        fixture_each("tokenizers/hf-components/expected/pre_tokenizers_more.jsonl",
                     check_row, &w),
        1140);
    fini(&w);
}

static void assert_pieces(const struct tsl_pretok *p, const char *text, uint32_t origin,
                          const char *want)
{
    char got[128];
    size_t n = 0;
    struct work w;
    init(&w);
    apply(p, text_of(text), origin, &w);
    for (size_t i = 0; i < w.pieces.n; i++) {
        const struct tsl_piece *piece = &w.pieces.p[i];
        if (i > 0)
            got[n++] = '|';
        memcpy(got + n, w.text.bytes + piece->begin, piece->end - piece->begin);
        n += piece->end - piece->begin;
    }
    got[n] = '\0';
    fini(&w);
    assert_string_equal(got, want);
}

static void metaspace_first_asks_where_the_piece_began(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_pretok *first =
        tsl_pretok_create_metaspace('_', TSL_PREPEND_FIRST, true, &err);
    (void)state;
    assert_non_null(first);
    assert_pieces(first, "a b", 0, "_a|_b");
    assert_pieces(first, "a b", 7, "a|_b"); /* behind an added token */
    assert_pieces(first, " a", 0, "_a");
    assert_pieces(first, "_a", 0, "_a");
    tsl_pretok_destroy(first);
}

static void what_has_no_script_is_dropped_before_the_first_that_has_one(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_pretok *p = tsl_pretok_create_scripts(&err);
    (void)state;
    assert_non_null(p);
    assert_pieces(p, "  a \u3042\u6f22\u30fc b", 0, "a |\u3042\u6f22\u30fc |b");
    assert_pieces(p, "   ", 0, "");
    tsl_pretok_destroy(p);
}

static void an_ill_formed_part_is_one_replacement_in_a_piece(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_pretok *p = tsl_pretok_create_fixed_length(1, &err);
    (void)state;
    assert_non_null(p);
    assert_pieces(p, "a\xf0\x9fz", 0, "a|\ufffd|z");
    tsl_pretok_destroy(p);
}

static void no_pre_tokenizer_leaves_one_piece(void **state)
{
    (void)state;
    assert_pieces(NULL, "a b", 0, "a b");
    assert_pieces(NULL, "", 0, "");
}

static void what_cannot_be_built_says_why(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    assert_null(tsl_pretok_create_fixed_length(0, &err));
    assert_err(err.code, TSL_EFORMAT, &err, "length of 0");
    assert_null(
        tsl_pretok_create_split_regex(text_of("a)"), TSL_SPLIT_ISOLATED, false, &err));
    assert_err(err.code, TSL_EFORMAT, &err, "regular expression");
    struct tsl_pretok *sequence = tsl_pretok_create_sequence(&err);
    int rc = tsl_pretok_append(sequence, tsl_pretok_create_fixed_length(0, &err), &err);
    assert_err(rc, TSL_EFORMAT, &err, "length of 0");
    tsl_pretok_destroy(sequence);
    tsl_pretok_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_component_cuts_as_the_peers_does),
        TEST(behaviors_inverted_or_not_and_sequences_are_the_peers),
        TEST(metaspace_first_asks_where_the_piece_began),
        TEST(what_has_no_script_is_dropped_before_the_first_that_has_one),
        TEST(an_ill_formed_part_is_one_replacement_in_a_piece),
        TEST(no_pre_tokenizer_leaves_one_piece),
        TEST(what_cannot_be_built_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

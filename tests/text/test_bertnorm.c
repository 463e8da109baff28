#include "support/test.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "text/bertnorm.h"

static const struct tsl_bertcontext alone = { false, false };

static struct tsl_bertnorm norm(enum tsl_rules rules, bool lower)
{
    return tsl_bertnorm_make((struct tsl_bertnorm){ .rules = rules,
                                                    .clean_text = true,
                                                    .handle_chinese_chars = true,
                                                    .strip_accents = lower,
                                                    .lowercase = lower });
}

/* The words with '|' between them. */
static void assert_words(const struct tsl_bertnorm *n, const char *text, const char *want)
{
    struct tsl_bertchars t = { 0 };
    struct tsl_err err = { 0 };
    char got[1024];
    size_t len = 0;
    struct tsl_slice s = { (const uint8_t *)text, strlen(text) };
    assert_ok(tsl_bertnorm_chars(n, s, alone, &t, &err), &err);
    assert_true(t.n * 5 < sizeof got);
    for (size_t i = 0; i < t.n; i++) {
        if (i && t.c[i].first)
            got[len++] = '|';
        len += tsl_utf8_encode((uint8_t *)got + len, t.c[i].cp);
    }
    got[len] = 0;
    assert_string_equal(got, want);
    tsl_bertchars_fini(&t);
}

static void text_becomes_words(void **state)
{
    struct tsl_bertnorm hf = norm(TSL_RULES_HF, true), keep = norm(TSL_RULES_HF, false),
                        google = norm(TSL_RULES_GOOGLE, true),
                        keras = norm(TSL_RULES_BERT4KERAS, true);
    (void)state;
    assert_words(&hf, "Hello, W\xc3\xb6rld!", "hello|,|world|!");
    assert_words(&keep, "Hello, W\xc3\xb6rld!", "Hello|,|W\xc3\xb6rld|!");
    assert_words(&hf, "a\xe4\xb8\xad\xe5\x9b\xbd\x62", "a|\xe4\xb8\xad|\xe5\x9b\xbd|b");
    /* control characters go before white space is looked for */
    assert_words(&hf,
                 "a\x0b\x0c\x01"
                 "b\xc2\x85"
                 "c",
                 "abc");
    assert_words(&hf,
                 "a\xe2\x80\x83"
                 "b\xe2\x80\xa8"
                 "c",
                 "a|b|c");
    /* ill-formed bytes are U+FFFD, which goes */
    assert_words(&hf,
                 "a\xff\xe4\xb8"
                 "b",
                 "ab");
    /* private use */
    assert_words(&hf,
                 "a\xee\x80\x80"
                 "b",
                 "ab");
    assert_words(&google,
                 "a\xee\x80\x80"
                 "b",
                 "a\xee\x80\x80"
                 "b");
    /* U+2B820 */
    assert_words(&hf, "a\xf0\xab\xa0\xa0", "a\xf0\xab\xa0\xa0");
    assert_words(&google, "a\xf0\xab\xa0\xa0", "a|\xf0\xab\xa0\xa0");
    assert_words(&keras, "a\xf0\xab\xa0\xa0", "a|\xf0\xab\xa0\xa0");
    /* U+037E is a semicolon, U+2260 an equals sign with a stroke */
    assert_words(&hf,
                 "a\xcd\xbe"
                 "b\xe2\x89\xa0"
                 "c",
                 "a|;|b|=|c");
}

static void a_sigma_at_the_end_of_a_word_is_final_for_python(void **state)
{
    struct tsl_bertnorm hf = norm(TSL_RULES_HF, true),
                        google = norm(TSL_RULES_GOOGLE, true),
                        keras = norm(TSL_RULES_BERT4KERAS, true);
    (void)state;
#define SIGMA "\xce\xa3"
#define SMALL "\xcf\x83"
#define FINAL "\xcf\x82"
    assert_words(&hf, "a" SIGMA, "a" SMALL);
    for (int i = 0; i < 2; i++) {
        const struct tsl_bertnorm *n = i ? &keras : &google;
        assert_words(n, "a" SIGMA, "a" FINAL);
        assert_words(n, SIGMA, SMALL);
        assert_words(n, "a" SIGMA "b", "a" SMALL "b");
        assert_words(n, "a." SIGMA, "a|.|" FINAL);
        assert_words(n, "a" SIGMA ".b", "a" SMALL "|.|b");
        assert_words(n, "a" SIGMA " b", "a" FINAL "|b");
        assert_words(n, "a\xe4\xb8\xad" SIGMA, "a|\xe4\xb8\xad|" SMALL);
    }
    /* a control character is gone before case for one, and in between for the other */
    assert_words(&google, "a\x01" SIGMA, "a" FINAL);
    assert_words(&keras, "a\x01" SIGMA, "a" SMALL);
}

static void a_sigma_looks_beyond_the_stretch(void **state)
{
    struct tsl_bertnorm n = norm(TSL_RULES_GOOGLE, true);
    struct tsl_slice s = { (const uint8_t *)"." SIGMA ".", 4 };
    (void)state;
    for (int before = 0; before < 2; before++)
        for (int after = 0; after < 2; after++) {
            struct tsl_bertcontext around = { before, after };
            uint32_t want = before && !after ? 0x3c2 : 0x3c3;
            assert_int_equal(tsl_bertnorm_sigma(&n, s, 1, around), want);
            struct tsl_bertchars t = { 0 };
            struct tsl_err err = { 0 };
            assert_ok(tsl_bertnorm_chars(&n, s, around, &t, &err), &err);
            assert_int_equal(t.n, 3);
            assert_int_equal(t.c[1].cp, want);
            tsl_bertchars_fini(&t);
        }
    struct tsl_slice text = { (const uint8_t *)"ab. .c", 6 };
    assert_true(tsl_bertnorm_context(&n, text, 3, 3, alone).cased_before);
    assert_false(tsl_bertnorm_context(&n, text, 4, 4, alone).cased_before);
    assert_true(tsl_bertnorm_context(&n, text, 3, 4, alone).cased_after);
    assert_false(tsl_bertnorm_context(&n, text, 3, 3, alone).cased_after);
}

static void check_fold(const struct tsl_bertnorm *n, uint32_t cp, struct tsl_bertchars *t)
{
    struct tsl_err err = { 0 };
    struct tsl_bertfold f;
    uint8_t text[6] = { 'x' };
    size_t len = tsl_utf8_encode(text + 1, cp), at = 0;
    uint8_t got[32];
    text[1 + len] = 'y';
    assert_ok(tsl_bertnorm_fold(n, cp, t, &f, &err), &err);
    assert_ok(tsl_bertnorm_chars(n, (struct tsl_slice){ text, len + 2 }, alone, t, &err),
              &err);
    bool ok = t->n >= 2 && t->c[0].first && t->c[0].cp == 'x' && t->c[t->n - 1].cp == 'y';
    if (!ok)
        fail_msg("U+%04X: the letters around it are gone", cp);
    bool last_first = t->c[t->n - 1].first, any_first = false;
    for (size_t i = 1; i + 1 < t->n; i++) {
        any_first = any_first || t->c[i].first;
        at += tsl_utf8_encode(got + at, t->c[i].cp);
    }
    switch (f.kind) {
    case TSL_BERTFOLD_DROP: ok = t->n == 2 && !last_first; break;
    case TSL_BERTFOLD_SPACE: ok = t->n == 2 && last_first; break;
    case TSL_BERTFOLD_ALONE:
        ok = t->n == 3 && any_first && last_first && t->c[1].cp == f.cp;
        break;
    case TSL_BERTFOLD_SAME:
        ok = !any_first && !last_first && at == len && !memcmp(got, text + 1, len);
        break;
    case TSL_BERTFOLD_WORD:
        ok = !any_first && !last_first && at == f.len && !memcmp(got, f.bytes, at) &&
             f.len <= 4 * len;
        break;
    case TSL_BERTFOLD_SIGMA: ok = cp == 0x3a3; break;
    case TSL_BERTFOLD_MIXED: ok = !any_first && !last_first; break;
    }
    if (!ok)
        fail_msg(
            "U+%04X: rules %d, lower case %d: the fold (%d) is not what the steps do", cp,
            n->rules, n->lowercase, f.kind);
}

static void every_code_point_folds_to_what_the_steps_make_of_it(void **state)
{
    struct tsl_bertchars t = { 0 };
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct tsl_bertnorm n = norm((enum tsl_rules)(i % 3), i & 1);
        if (i >= 6) { /* what only Hugging Face's normalizer can be told */
            n = norm(TSL_RULES_HF, i == 6);
            n.clean_text = n.handle_chinese_chars = false;
            n.strip_accents = !n.strip_accents;
        }
        for (uint32_t cp = 0; cp < 0x110000; cp += test_thrift())
            if (cp < 0xd800 || cp > 0xdfff)
                check_fold(&n, cp, &t);
    }
    tsl_bertchars_fini(&t);
}

static void marks_take_their_places_and_the_places_keep_their_origin(void **state)
{
    struct tsl_bertnorm n = norm(TSL_RULES_HF, true);
    struct tsl_bertchars t = { 0 };
    struct tsl_err err = { 0 };
    (void)state;
    /* class 224, class 9: both stay, and change places */
    struct tsl_slice s = { (const uint8_t *)"a\xe3\x80\xae\xe1\xad\x84", 7 };
    assert_ok(tsl_bertnorm_chars(&n, s, alone, &t, &err), &err);
    assert_int_equal(t.n, 3);
    assert_true(t.c[1].cp == 0x1b44 && t.c[2].cp == 0x302e);
    assert_true(t.c[1].begin == 1 && t.c[1].end == 4 && t.c[2].begin == 4);

    /* A long run: those of one class in their order. */
    uint8_t run[6 * 500];
    for (size_t i = 0; i < 500; i++)
        memcpy(run + 6 * i,
               i % 2 ? "\xe1\xad\x84\xe3\x80\xae" : "\xe3\x80\xaf\xe1\xad\x84", 6);
    assert_ok(
        tsl_bertnorm_chars(&n, (struct tsl_slice){ run, sizeof run }, alone, &t, &err),
        &err);
    assert_int_equal(t.n, 1000);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(t.c[i].cp, i < 500 ? 0x1b44U : i % 2 ? 0x302eU : 0x302fU);
    tsl_bertchars_fini(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(text_becomes_words),
        TEST(a_sigma_at_the_end_of_a_word_is_final_for_python),
        TEST(a_sigma_looks_beyond_the_stretch),
        TEST(every_code_point_folds_to_what_the_steps_make_of_it),
        TEST(marks_take_their_places_and_the_places_keep_their_origin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

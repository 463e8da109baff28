#include "support/fault.h"
#include "support/randtext.h"
#include "support/slowmodels.h"
#include "support/test.h"

#include <stdlib.h>

#include "text/wordpiece.h"

struct fixture {
    struct tsl_vocab *vocab;
    struct tsl_wordpiece model;
    struct tsl_tokens tokens;
};

/* words: tokens with blanks between, ids from 0. */
static struct fixture make(const char *words, const char *prefix, size_t chars_max)
{
    struct tsl_err err = { 0 };
    struct fixture f = { .vocab = tsl_vocab_create(&err) };
    for (uint32_t id = 0; *words; id++) {
        size_t n = strcspn(words, " ");
        struct tsl_slice s = { (const uint8_t *)words, n };
        assert_ok(tsl_vocab_add(f.vocab, id, s, &err), &err);
        words += n + (words[n] == ' ');
    }
    assert_ok(
        tsl_wordpiece_init(&f.model, f.vocab, str("[UNK]"), str(prefix), chars_max, &err),
        &err);
    tsl_tokens_init(&f.tokens, TSL_WANT_SPANS | TSL_WANT_MARKS);
    return f;
}

static void unmake(struct fixture *f)
{
    tsl_tokens_fini(&f->tokens);
    tsl_wordpiece_fini(&f->model);
    tsl_vocab_destroy(f->vocab);
}

static void assert_word(struct fixture *f, const char *word, const char *want)
{
    struct tsl_err err = { 0 };
    f->tokens.n = 0;
    assert_ok(tsl_wordpiece_encode(&f->model, str(word), &f->tokens, &err), &err);
    assert_tokens(&f->tokens, want);
}

/* What HF tokenizers 0.23.2 gives. */
static void a_word_is_cut_into_the_longest_tokens(void **state)
{
    (void)state;
    struct fixture f = make("[UNK] a ##b ##bc ## abc ##x##", "##", 5);
    assert_word(&f, "", "");
    assert_word(&f, "a", "1:0-1");
    assert_word(&f, "ab", "1:0-1 2:1-2");
    assert_word(&f, "abc", "5:0-3");
    assert_word(&f, "abbc", "1:0-1 2:1-2 3:2-4");
    assert_word(&f, "abd", "0:0-3?");
    assert_word(&f, "##b", "2:0-3"); /* in front it is plain text */
    assert_word(&f, "##", "4:0-2");
    assert_word(&f, "[UNK]", "0:0-5");
    unmake(&f);
}

static void the_limit_counts_characters(void **state)
{
    (void)state;
    struct fixture f = make("[UNK] é ##é", "##", 3);
    assert_word(&f, "ééé", "1:0-2 2:2-4 2:4-6");
    assert_word(&f, "éééé", "0:0-8?");
    assert_word(&f, "xééé", "0:0-7?");
    unmake(&f);
}

static void a_failed_word_takes_nothing_from_those_before(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct fixture f = make("[UNK] a ##b", "##", 100);
    assert_ok(tsl_wordpiece_encode(&f.model, str("ab"), &f.tokens, &err), &err);
    assert_ok(tsl_wordpiece_encode(&f.model, str("abbc"), &f.tokens, &err), &err);
    assert_ok(tsl_wordpiece_encode(&f.model, str("a"), &f.tokens, &err), &err);
    assert_tokens(&f.tokens, "1:0-1 2:1-2 0:0-4? 1:0-1");
    unmake(&f);
}

static void without_a_prefix_both_places_are_alike(void **state)
{
    (void)state;
    struct fixture f = make("[UNK] a ab b", "", 100);
    assert_word(&f, "aababb", "1:0-1 2:1-3 2:3-5 3:5-6");
    unmake(&f);
    f = make("[UNK] a ab b", "@@", 100); /* no token continues a word */
    assert_word(&f, "ab", "2:0-2");
    assert_word(&f, "aba", "0:0-3?");
    unmake(&f);
}

static void a_missing_unknown_token_matters_only_where_it_is_needed(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct fixture f = make("a ##b", "##", 100);
    assert_word(&f, "ab", "0:0-1 1:1-2");
    assert_err(tsl_wordpiece_encode(&f.model, str("abc"), &f.tokens, &err), TSL_EFORMAT,
               &err, "no tokens for the word abc, and not '[UNK]'");
    assert_tokens(&f.tokens, "0:0-1 1:1-2"); /* of the word before */
    unmake(&f);
}

static void of_equal_tokens_the_later_is_found(void **state)
{
    (void)state;
    struct fixture f = make("[UNK] a ##b a ##b", "##", 100);
    assert_word(&f, "abb", "3:0-1 4:1-2 4:2-3");
    unmake(&f);
}

static void tokens_that_are_not_utf8_are_never_found(void **state)
{
    (void)state;
    struct fixture f = make("[UNK] \xc3 ##\xa9 a", "##", 100);
    assert_word(&f, "é", "0:0-2?");
    assert_word(&f, "a", "3:0-1");
    unmake(&f);
}

static void random_words_agree_with_the_slow_way(void **state)
{
    (void)state;
    static const char *const prefixes[] = { "##", "", "é", "\xe4\xb8\xad" };
    for (uint64_t round = 0; round < 300; round++) {
        struct rnd r = rnd_make(round, "wordpiece");
        const char *prefix = prefixes[rnd_below(&r, 4)];
        size_t alphabet = 1 + rnd_below(&r, RND_CHARS), chars_max = 1 + rnd_below(&r, 60);
        char words[2000] = "[UNK]";
        for (size_t n = 1 + rnd_below(&r, 60); n > 0; n--) {
            char text[4 * RND_CHAR_BYTES + 1];
            rnd_text(&r, text, 4, alphabet);
            strcat(strcat(strcat(words, " "), rnd_once(&r, 2) ? prefix : ""), text);
        }
        struct fixture f = make(words, prefix, chars_max);
        for (unsigned k = 0; k < 100; k++) {
            struct tsl_err err = { 0 };
            char text[80 * RND_CHAR_BYTES + 1];
            struct tsl_slice word = rnd_text(&r, text, 1 + k % 80, alphabet);
            struct tsl_tokens want;
            tsl_tokens_init(&want, TSL_WANT_SPANS | TSL_WANT_MARKS);
            slow_wordpiece(f.vocab, str("[UNK]"), str(prefix), chars_max, word, &want);
            f.tokens.n = 0;
            assert_ok(tsl_wordpiece_encode(&f.model, word, &f.tokens, &err), &err);
            assert_true(tokens_equal(&f.tokens, &want));
            tsl_tokens_fini(&want);
        }
        unmake(&f);
    }
}

static void a_word_of_a_million_characters_is_no_trouble(void **state)
{
    (void)state;
    enum { LEN = 1000000 };
    struct tsl_err err = { 0 };
    uint8_t *p = malloc(LEN);
    assert_non_null(p);
    memset(p, 'a', LEN);
    struct fixture f = make("[UNK] a ##a ##aaaaaaaa", "##", SIZE_MAX);
    assert_ok(
        tsl_wordpiece_encode(&f.model, (struct tsl_slice){ p, LEN }, &f.tokens, &err),
        &err);
    assert_int_equal(f.tokens.n, 1 + (LEN - 1) / 8 + (LEN - 1) % 8);
    free(p);
    unmake(&f);
}

static void any_shortage_of_memory_is_told(void **state)
{
    (void)state;
    struct fixture f = make("[UNK] a ##b ##bc", "##", 100);
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_wordpiece w;
        fault_arm(nth, NULL);
        int rc = tsl_wordpiece_init(&w, f.vocab, str("[UNK]"), str("##"), 100, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            tsl_wordpiece_fini(&w);
            break;
        }
        assert_err(rc, TSL_ENOMEM, &err, "out of memory");
    }
    unmake(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_word_is_cut_into_the_longest_tokens),
        TEST(the_limit_counts_characters),
        TEST(a_failed_word_takes_nothing_from_those_before),
        TEST(without_a_prefix_both_places_are_alike),
        TEST(a_missing_unknown_token_matters_only_where_it_is_needed),
        TEST(of_equal_tokens_the_later_is_found),
        TEST(tokens_that_are_not_utf8_are_never_found),
        TEST(random_words_agree_with_the_slow_way),
        TEST(a_word_of_a_million_characters_is_no_trouble),
        TEST(any_shortage_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

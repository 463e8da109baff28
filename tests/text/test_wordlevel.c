#include "support/randtext.h"
#include "support/test.h"

#include "text/wordlevel.h"

static void a_piece_is_a_token_or_unknown(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_ok(tsl_vocab_add(v, 1, str("a"), &err), &err);
    struct tsl_wordlevel w;
    struct tsl_tokens t;
    tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_wordlevel_init(&w, v, str("[UNK]"));
    assert_ok(tsl_wordlevel_encode(&w, str("a"), &t, &err), &err);
    assert_tokens(&t, "1:0-1");
    assert_err(tsl_wordlevel_encode(&w, str("bc"), &t, &err), TSL_EFORMAT, &err,
               "bc is not in the vocabulary, nor is '[UNK]'");
    assert_ok(tsl_vocab_add(v, 3, str("[UNK]"), &err), &err);
    tsl_wordlevel_init(&w, v, str("[UNK]"));
    assert_ok(tsl_wordlevel_encode(&w, str("bc"), &t, &err), &err);
    assert_ok(tsl_wordlevel_encode(&w, str("[UNK]"), &t, &err), &err);
    assert_ok(tsl_wordlevel_encode(&w, str(""), &t, &err), &err);
    assert_tokens(&t, "1:0-1 3:0-2? 3:0-5 3:0-0?");
    tsl_tokens_fini(&t);
    tsl_vocab_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_piece_is_a_token_or_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

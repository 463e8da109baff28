#include "support/fault.h"
#include "support/randtext.h"
#include "support/slowmodels.h"
#include "support/test.h"

#include <stdlib.h>

#include "text/unigram.h"

enum { TOKENS_MAX = 400 };

struct fixture {
    struct tsl_vocab *vocab;
    double scores[TOKENS_MAX];
    struct tsl_unigram model;
    struct tsl_unigram_scratch scratch;
    struct tsl_tokens tokens;
};

struct scored {
    const char *token;
    double score;
};

static void add(struct fixture *f, const char *token, double score)
{
    struct tsl_err err = { 0 };
    uint32_t id = tsl_vocab_size(f->vocab);
    assert_true(id < TOKENS_MAX);
    f->scores[id] = score;
    assert_ok(tsl_vocab_add(f->vocab, id, str(token), &err), &err);
}

static void start(struct fixture *f)
{
    struct tsl_err err = { 0 };
    *f = (struct fixture){ .vocab = tsl_vocab_create(&err) };
    assert_non_null(f->vocab);
    tsl_unigram_scratch_init(&f->scratch);
    tsl_tokens_init(&f->tokens, TSL_WANT_SPANS | TSL_WANT_MARKS);
}

static void finish(struct fixture *f, int64_t unk, bool byte_fallback)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_unigram_init(&f->model, f->vocab, f->scores, unk, byte_fallback, &err),
              &err);
}

/* tokens end with a NULL. */
static void make(struct fixture *f, const struct scored *tokens, int64_t unk,
                 bool byte_fallback)
{
    start(f);
    for (; tokens->token; tokens++)
        add(f, tokens->token, tokens->score);
    finish(f, unk, byte_fallback);
}

static void unmake(struct fixture *f)
{
    tsl_tokens_fini(&f->tokens);
    tsl_unigram_scratch_fini(&f->scratch);
    tsl_unigram_fini(&f->model);
    tsl_vocab_destroy(f->vocab);
}

static void assert_piece(struct fixture *f, const char *piece, const char *want)
{
    struct tsl_err err = { 0 };
    f->tokens.n = 0;
    assert_ok(tsl_unigram_encode(&f->model, &f->scratch, str(piece), &f->tokens, &err),
              &err);
    assert_tokens(&f->tokens, want);
}

/* The small cases are what HF tokenizers 0.23.2 gives. */
static void the_best_sum_of_scores_wins(void **state)
{
    (void)state;
    struct fixture f;
    make(&f,
         (const struct scored[]){
             { "<unk>", 0 }, { "a", -1 }, { "b", -2 }, { "ab", -2.5 }, { NULL, 0 } },
         0, false);
    assert_piece(&f, "", "");
    assert_piece(&f, "ab", "3:0-2");
    assert_piece(&f, "ba", "2:0-1 1:1-2");
    unmake(&f);
}

static void of_equal_sums_the_longer_last_token_wins(void **state)
{
    (void)state;
    struct fixture f;
    make(
        &f,
        (const struct scored[]){ { "<unk>", 0 }, { "a", -1 }, { "aa", -2 }, { NULL, 0 } },
        0, false);
    assert_piece(&f, "aaa", "1:0-1 2:1-3");
    assert_piece(&f, "aaaa", "2:0-2 2:2-4");
    assert_piece(&f, "aaaaa", "1:0-1 2:1-3 2:3-5");
    unmake(&f);
}

static void unknown_characters_side_by_side_are_one_token(void **state)
{
    (void)state;
    struct fixture f;
    make(&f,
         (const struct scored[]){
             { "<unk>", 0 }, { "a", -1 }, { "b", -2 }, { "ab", -2.5 }, { NULL, 0 } },
         0, false);
    assert_piece(&f, "xaby", "0:0-1? 3:1-3 0:3-4?");
    assert_piece(&f, "xyéab", "0:0-4? 3:4-6");
    assert_piece(&f, "<unk>", "0:0-5"); /* spelt out, it is that token's own text */
    assert_piece(&f, "x<unk>y<unk>", "0:0-12?");
    unmake(&f);
}

static void what_is_fused_may_be_a_token_after_all(void **state)
{
    (void)state;
    struct fixture f;
    make(&f,
         (const struct scored[]){
             { "<unk>", 100 }, { "a", 120 }, { "b", 100 }, { "xy", 100 }, { NULL, 0 } },
         0, false);
    assert_piece(&f, "xy", "3:0-2"); /* two unknown ones score 180 */
    assert_piece(&f, "xxyy", "0:0-4?");
    unmake(&f);
}

static void bytes_stand_for_unknown_text_where_all_are_there(void **state)
{
    (void)state;
    struct fixture f;
    make(&f,
         (const struct scored[]){ { "<unk>", 100 },
                                  { "a", 120 },
                                  { "<0x78>", 100 },
                                  { "<0x79>", 100 },
                                  { NULL, 0 } },
         0, true);
    assert_piece(&f, "xy", "2:0-2 3:0-2");
    assert_piece(&f, "xzy", "0:0-3?");
    assert_piece(&f, "xaby", "2:0-1 1:1-2 0:2-4?");
    unmake(&f);
}

static void of_equal_tokens_the_later_score_counts(void **state)
{
    (void)state;
    struct fixture f;
    make(&f,
         (const struct scored[]){
             { "<unk>", 0 }, { "a", -1 }, { "a", -5 }, { "aa", -9 }, { NULL, 0 } },
         0, false);
    assert_piece(&f, "a", "2:0-1");
    assert_piece(&f, "aa", "3:0-2");
    unmake(&f);
}

static void without_an_unknown_token_each_character_must_be_one(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct fixture f;
    make(&f, (const struct scored[]){ { "a", -1 }, { "xy", -1 }, { NULL, 0 } },
         TSL_VOCAB_NONE, false);
    assert_piece(&f, "aa", "0:0-1 0:1-2");
    assert_err(tsl_unigram_encode(&f.model, &f.scratch, str("ab"), &f.tokens, &err),
               TSL_EFORMAT, &err, "no token for b, and none for unknown text");
    /* HF looks for a way over the x alone, too. */
    assert_err(tsl_unigram_encode(&f.model, &f.scratch, str("xy"), &f.tokens, &err),
               TSL_EFORMAT, &err, "no token for x");
    unmake(&f);
}

static void an_unknown_token_that_is_not_there_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct tsl_unigram u;
    double scores[] = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    assert_err(tsl_unigram_init(&u, v, scores, 0, false, &err), TSL_EFORMAT, &err,
               "is 0, but the vocabulary has 0");
    assert_ok(tsl_vocab_add(v, 0, str("a"), &err), &err);
    assert_err(tsl_unigram_init(&u, v, scores, 1, false, &err), TSL_EFORMAT, &err,
               "is 1, but the vocabulary has 1");
    assert_err(tsl_unigram_init(&u, v, scores, -7, false, &err), TSL_EFORMAT, &err, "-7");
    tsl_vocab_destroy(v);
}

static double random_score(struct rnd *r, size_t kind)
{
    switch (kind) {
    case 0: return -1.0 - (double)rnd_below(r, 4); /* many ties */
    case 1: return -(double)rnd_below(r, 1000003) / 77777.0;
    default: return (double)rnd_below(r, 1000003) / 33333.0 - 3;
    }
}

static void random_models_agree_with_the_slow_way(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 400; round++) {
        struct rnd r = rnd_make(round, "unigram");
        struct fixture f;
        size_t alphabet = 1 + rnd_below(&r, RND_CHARS), kind = rnd_below(&r, 3);
        size_t missing = rnd_below(&r, 3) * 20;
        bool byte_fallback = rnd_once(&r, 3);
        start(&f);
        add(&f, "<unk>", rnd_once(&r, 2) ? 0 : random_score(&r, kind));
        for (unsigned i = 0; byte_fallback && i < 256; i++) {
            char name[8];
            snprintf(name, sizeof name, "<0x%02X>", i);
            if (rnd_below(&r, 256) >= missing)
                add(&f, name, rnd_once(&r, 2) ? 0 : random_score(&r, kind));
        }
        for (size_t i = 0; i < alphabet; i++)
            if (rnd_below(&r, 5))
                add(&f, rnd_chars[i], random_score(&r, kind));
        for (size_t n = rnd_below(&r, 40); n > 0; n--) {
            char text[6 * RND_CHAR_BYTES + 1];
            rnd_text(&r, text, 6, alphabet);
            add(&f, text, random_score(&r, kind));
        }
        uint32_t unk =
            rnd_below(&r, 4) ? 0 : (uint32_t)rnd_below(&r, tsl_vocab_size(f.vocab));
        finish(&f, unk, byte_fallback);
        for (unsigned k = 0; k < 60; k++) {
            struct tsl_err err = { 0 };
            char text[100 * RND_CHAR_BYTES + 1];
            struct tsl_slice piece = rnd_text(&r, text, k % 20 ? k : 100,
                                              rnd_once(&r, 4) ? RND_CHARS : alphabet);
            struct tsl_tokens want;
            tsl_tokens_init(&want, TSL_WANT_SPANS | TSL_WANT_MARKS);
            slow_unigram(f.vocab, f.scores, unk, byte_fallback, piece, &want);
            f.tokens.n = 0;
            assert_ok(tsl_unigram_encode(&f.model, &f.scratch, piece, &f.tokens, &err),
                      &err);
            assert_true(tokens_equal(&f.tokens, &want));
            tsl_tokens_fini(&want);
        }
        unmake(&f);
    }
}

static void a_long_piece_takes_linear_time(void **state)
{
    (void)state;
    enum { LEN = 3000000 };
    struct tsl_err err = { 0 };
    struct fixture f;
    uint8_t *p = malloc(LEN);
    assert_non_null(p);
    make(&f,
         (const struct scored[]){
             { "<unk>", 0 }, { "a", -1 }, { "aaaaaaaa", -2 }, { "b", -1 }, { NULL, 0 } },
         0, false);
    memset(p, 'a', LEN);
    assert_ok(tsl_unigram_encode(&f.model, &f.scratch, (struct tsl_slice){ p, LEN },
                                 &f.tokens, &err),
              &err);
    assert_int_equal(f.tokens.n, LEN / 8);
    assert_int_equal(f.scratch.cap, 0); /* so much is not kept */
    f.tokens.n = 0;
    memset(p, 'b', LEN);
    assert_ok(tsl_unigram_encode(&f.model, &f.scratch, (struct tsl_slice){ p, LEN },
                                 &f.tokens, &err),
              &err);
    assert_int_equal(f.tokens.n, LEN);
    assert_true(f.scratch.cap < 100); /* no token bridges two of them */
    free(p);
    unmake(&f);
}

static int make_and_encode(void *ctx, struct tsl_err *err)
{
    struct tsl_unigram_scratch scratch;
    const struct fixture *f = ctx;
    struct tsl_tokens tokens;
    struct tsl_unigram u;
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tsl_unigram_scratch_init(&scratch);
    tsl_tokens_init(&tokens, TSL_WANT_SPANS | TSL_WANT_MARKS);
    int rc = tsl_unigram_init(&u, f->vocab, f->scores, 0, false, err);
    if (rc == 0) {
        rc = tsl_unigram_encode(&u, &scratch, str(text), &tokens, err);
        tsl_unigram_fini(&u);
    }
    tsl_tokens_fini(&tokens);
    tsl_unigram_scratch_fini(&scratch);
    return rc;
}

static void any_shortage_of_memory_is_told(void **state)
{
    struct fixture f;
    (void)state;
    make(&f,
         (const struct scored[]){
             { "<unk>", 0 }, { "a", -1 }, { "aaa", -3 }, { NULL, 0 } },
         0, false);
    fault_each_allocation(make_and_encode, &f);
    unmake(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_best_sum_of_scores_wins),
        TEST(of_equal_sums_the_longer_last_token_wins),
        TEST(unknown_characters_side_by_side_are_one_token),
        TEST(what_is_fused_may_be_a_token_after_all),
        TEST(bytes_stand_for_unknown_text_where_all_are_there),
        TEST(of_equal_tokens_the_later_score_counts),
        TEST(without_an_unknown_token_each_character_must_be_one),
        TEST(an_unknown_token_that_is_not_there_is_refused),
        TEST(random_models_agree_with_the_slow_way),
        TEST(a_long_piece_takes_linear_time),
        TEST(any_shortage_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

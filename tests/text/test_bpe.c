#include "support/fault.h"
#include "support/randtext.h"
#include "support/slowmodels.h"
#include "support/test.h"

#include <stdlib.h>

#include "text/bpe.h"

enum { MERGES_MAX = 200 };

struct fixture {
    struct tsl_vocab *vocab;
    struct tsl_tokfile_merge merges[MERGES_MAX];
    size_t n;
    struct tsl_bpe_opts opts;
    struct tsl_bpe *model;
    struct tsl_bpe_scratch scratch;
    struct tsl_tokens tokens;
};

/* The token's id, a new one where it is not there yet. */
static uint32_t token(struct fixture *f, struct tsl_slice s)
{
    struct tsl_err err = { 0 };
    int64_t id = tsl_vocab_find(f->vocab, s);
    if (id < 0) {
        id = tsl_vocab_size(f->vocab);
        assert_ok(tsl_vocab_add(f->vocab, (uint32_t)id, s, &err), &err);
    }
    return (uint32_t)id;
}

/* A rule for two tokens; the result has no prefix inside. */
static uint32_t rule(struct fixture *f, struct tsl_slice left, struct tsl_slice right)
{
    uint8_t both[200];
    size_t skip = f->opts.prefix.len, n = left.len + right.len - skip;
    assert_true(right.len >= skip && n <= sizeof both && f->n < MERGES_MAX);
    memcpy(both, left.data, left.len);
    memcpy(both + left.len, right.data + skip, right.len - skip);
    uint32_t id = token(f, (struct tsl_slice){ both, n });
    f->merges[f->n++] = (struct tsl_tokfile_merge){ token(f, left), token(f, right), id };
    return id;
}

static void start(struct fixture *f, const struct tsl_bpe_opts *o)
{
    struct tsl_err err = { 0 };
    *f = (struct fixture){ .opts = *o };
    f->vocab = tsl_vocab_create(&err);
    assert_non_null(f->vocab);
    tsl_bpe_scratch_init(&f->scratch);
    tsl_tokens_init(&f->tokens, TSL_WANT_SPANS | TSL_WANT_MARKS);
}

static void finish(struct fixture *f)
{
    struct tsl_err err = { 0 };
    f->model = tsl_bpe_create(f->vocab, f->merges, f->n, &f->opts, &err);
    assert_ok(err.code, &err);
    assert_non_null(f->model);
}

/* words: tokens with blanks between, ids from 0.  rules: "a b" with ", " between. */
static void make(struct fixture *f, const char *words, const char *rules,
                 const struct tsl_bpe_opts *o)
{
    start(f, o);
    while (*words) {
        size_t n = strcspn(words, " ");
        token(f, (struct tsl_slice){ (const uint8_t *)words, n });
        words += n + (words[n] == ' ');
    }
    while (*rules) {
        size_t left = strcspn(rules, " "), right = strcspn(rules + left + 1, ",");
        rule(f, (struct tsl_slice){ (const uint8_t *)rules, left },
             (struct tsl_slice){ (const uint8_t *)rules + left + 1, right });
        rules += left + 1 + right;
        rules += strspn(rules, ", ");
    }
    finish(f);
}

static void unmake(struct fixture *f)
{
    tsl_tokens_fini(&f->tokens);
    tsl_bpe_scratch_fini(&f->scratch);
    tsl_bpe_destroy(f->model);
    tsl_vocab_destroy(f->vocab);
}

static void assert_piece(struct fixture *f, const char *piece, const char *want)
{
    struct tsl_err err = { 0 };
    f->tokens.n = 0;
    assert_ok(tsl_bpe_encode(f->model, &f->scratch, str(piece), &f->tokens, &err), &err);
    assert_tokens(&f->tokens, want);
}

/* The small cases are what HF tokenizers 0.23.2 gives. */
static void the_lowest_rank_goes_first_and_then_the_leftmost(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "a b c ab bc", "b c, a b", &(struct tsl_bpe_opts){ 0 });
    assert_piece(&f, "", "");
    assert_piece(&f, "ab", "3:0-2");
    assert_piece(&f, "abc", "0:0-1 4:1-3");
    unmake(&f);
    make(&f, "a aa", "a a", &(struct tsl_bpe_opts){ 0 });
    assert_piece(&f, "aaa", "1:0-2 0:2-3");
    unmake(&f);
}

static void of_two_rules_for_a_pair_the_later_counts(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "a b ab c bc", "a b, b c, a b", &(struct tsl_bpe_opts){ 0 });
    assert_piece(&f, "abc", "0:0-1 4:1-3");
    unmake(&f);
}

static void unknown_characters_vanish_without_a_token_for_them(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "a b ab", "a b", &(struct tsl_bpe_opts){ 0 });
    assert_piece(&f, "axb", "2:0-3");
    assert_piece(&f, "xab", "2:1-3");
    assert_piece(&f, "x", "");
    unmake(&f);
}

static void unknown_characters_are_fused_only_where_asked_for(void **state)
{
    (void)state;
    struct fixture f;
    const char *words = "<unk> a b ab <0x78> <0xC3>";
    make(&f, words, "a b", &(struct tsl_bpe_opts){ .unk = str("<unk>") });
    assert_piece(&f, "ayyb", "1:0-1 0:1-2? 0:2-3? 2:3-4");
    assert_piece(&f, "éa", "0:0-2? 1:2-3");
    unmake(&f);
    make(&f, words, "a b",
         &(struct tsl_bpe_opts){ .unk = str("<unk>"), .fuse_unk = true });
    assert_piece(&f, "ayyb", "1:0-1 0:1-3? 2:3-4");
    assert_piece(&f, "yaéxb", "0:0-1? 1:1-2 0:2-5? 2:5-6");
    unmake(&f);
}

static void bytes_stand_for_an_unknown_character_where_all_are_there(void **state)
{
    (void)state;
    struct fixture f;
    const char *words = "<unk> a b ab <0x78> <0xC3>";
    struct tsl_bpe_opts o = { .unk = str("<unk>"), .byte_fallback = true };
    make(&f, words, "a b", &o);
    assert_piece(&f, "xa", "4:0-1 1:1-2");
    assert_piece(&f, "éa", "0:0-2? 1:2-3");        /* its second byte is missing */
    assert_piece(&f, "yxa", "4:1-2 0:0-1? 1:2-3"); /* out of order, as HF has it */
    assert_piece(&f, "yxxya", "4:1-2 4:2-3 0:0-1? 0:3-4? 1:4-5");
    unmake(&f);
    o.fuse_unk = true;
    make(&f, words, "a b", &o);
    assert_piece(&f, "yxxya", "4:1-2 4:2-3 0:0-4? 1:4-5");
    unmake(&f);
}

static void a_prefix_marks_what_continues(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "a ##b ab ##c ##bc abc b", "a ##b, ##b ##c, ab ##c",
         &(struct tsl_bpe_opts){ .prefix = str("##") });
    assert_piece(&f, "abc", "5:0-3");
    assert_piece(&f, "babc", "6:0-1 4:2-4"); /* ##a is not there */
    assert_piece(&f, "bb", "6:0-1 1:1-2");
    unmake(&f);
}

static void a_suffix_marks_the_last_character(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "a b b</w> ab</w> a</w>", "a b</w>",
         &(struct tsl_bpe_opts){ .suffix = str("</w>") });
    assert_piece(&f, "aab", "0:0-1 3:1-3");
    assert_piece(&f, "a", "4:0-1");
    assert_piece(&f, "ba", "1:0-1 4:1-2");
    assert_piece(&f, "c", "");
    unmake(&f);
    make(&f, "a ##b</w> ab</w> a</w> ##b", "a ##b</w>",
         &(struct tsl_bpe_opts){ .suffix = str("</w>"), .prefix = str("##") });
    assert_piece(&f, "ab", "2:0-2");
    assert_piece(&f, "abb", "0:0-1 4:1-2 1:2-3");
    unmake(&f);
}

static void a_whole_piece_may_be_a_token_without_merges(void **state)
{
    (void)state;
    struct fixture f;
    struct tsl_bpe_opts o = { .unk = str("<unk>"), .ignore_merges = true };
    make(&f, "<unk> a b xx ab", "", &o);
    assert_piece(&f, "xx", "3:0-2");
    assert_piece(&f, "ab", "4:0-2");
    assert_piece(&f, "abx", "1:0-1 2:1-2 0:2-3?");
    unmake(&f);
    o.ignore_merges = false;
    make(&f, "<unk> a b xx ab", "", &o);
    assert_piece(&f, "ab", "1:0-1 2:1-2");
    unmake(&f);
}

static void the_unknown_token_may_be_merged_too(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "<unk> a <unk>a", "<unk> a", &(struct tsl_bpe_opts){ .unk = str("<unk>") });
    assert_piece(&f, "yxa", "0:0-1? 2:1-3");
    unmake(&f);
}

static void a_missing_unknown_token_matters_only_where_it_is_needed(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct fixture f;
    make(&f, "a", "", &(struct tsl_bpe_opts){ .unk = str("<unk>") });
    assert_piece(&f, "aa", "0:0-1 0:1-2");
    assert_err(tsl_bpe_encode(f.model, &f.scratch, str("ab"), &f.tokens, &err),
               TSL_EFORMAT, &err, "no token for b, and not '<unk>'");
    unmake(&f);
}

static void dropout_is_refused(void **state)
{
    (void)state;
    struct tsl_err err = { 0 };
    struct fixture f;
    struct tsl_bpe_opts o = { .dropout = 0.1 };
    make(&f, "a", "", &(struct tsl_bpe_opts){ 0 });
    assert_null(tsl_bpe_create(f.vocab, NULL, 0, &o, &err));
    assert_err(err.code, TSL_EFORMAT, &err, "dropout 0.1");
    unmake(&f);
}

/* Any of the characters with or without prefix and suffix, and results of rules. */
static struct tsl_slice random_token(struct rnd *r, struct fixture *f, size_t alphabet,
                                     bool continues, char *buf)
{
    if (rnd_below(r, 3) && f->n) {
        struct tsl_slice s =
            tsl_vocab_token(f->vocab, f->merges[rnd_below(r, f->n)].merged);
        bool has = s.len > f->opts.prefix.len && f->opts.prefix.len &&
                   memcmp(s.data, f->opts.prefix.data, f->opts.prefix.len) == 0;
        if (s.len < 40 && (!continues || !f->opts.prefix.len || has))
            return s;
    }
    buf[0] = '\0';
    if (continues || rnd_once(r, 3))
        strncat(buf, (const char *)f->opts.prefix.data, f->opts.prefix.len);
    strcat(buf, rnd_chars[rnd_below(r, alphabet)]);
    if (rnd_once(r, 4))
        strncat(buf, (const char *)f->opts.suffix.data, f->opts.suffix.len);
    return str(buf);
}

/* A model of random rules over the first alphabet characters. */
static void make_random(struct fixture *f, struct rnd *r, size_t alphabet)
{
    static const char *const prefixes[] = { "", "", "##", "é" };
    static const char *const suffixes[] = { "", "", "</w>", "#" };
    struct tsl_bpe_opts o = {
        .prefix = str(prefixes[rnd_below(r, 4)]),
        .suffix = str(suffixes[rnd_below(r, 4)]),
        .fuse_unk = rnd_once(r, 2),
        .byte_fallback = rnd_once(r, 3),
        .ignore_merges = rnd_once(r, 3),
    };
    char left[20], right[20];
    if (rnd_below(r, 3))
        o.unk = str("<unk>");
    start(f, &o);
    if (o.unk.data)
        token(f, o.unk);
    size_t nmissing = rnd_below(r, 3) * 20;
    for (unsigned i = 0; o.byte_fallback && i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        if (rnd_below(r, 256) >= nmissing)
            token(f, str(name));
    }
    for (size_t i = 0; i < alphabet; i++)
        if (rnd_below(r, 5))
            token(f, str(rnd_chars[i]));
    for (size_t n = rnd_below(r, 60); n > 0; n--) {
        struct tsl_slice a = random_token(r, f, alphabet, false, left);
        struct tsl_slice b = random_token(r, f, alphabet, true, right);
        rule(f, a, b);
    }
    if (o.unk.data && !o.prefix.len && rnd_once(r, 3))
        rule(f, o.unk, str(rnd_chars[0]));
    finish(f);
}

static void random_models_agree_with_the_slow_way(void **state)
{
    (void)state;
    for (uint64_t round = 0; round < 400; round++) {
        struct rnd r = rnd_make(round, "bpe");
        struct fixture f;
        size_t alphabet = 1 + rnd_below(&r, RND_CHARS);
        make_random(&f, &r, alphabet);
        for (unsigned k = 0; k < 60; k++) {
            struct tsl_err err = { 0 };
            char text[200 * RND_CHAR_BYTES + 1];
            struct tsl_slice piece = rnd_text(&r, text, k % 10 ? k : 200,
                                              rnd_once(&r, 4) ? RND_CHARS : alphabet);
            struct tsl_tokens want;
            tsl_tokens_init(&want, TSL_WANT_SPANS | TSL_WANT_MARKS);
            slow_bpe(f.vocab, f.merges, f.n, &f.opts, piece, &want);
            f.tokens.n = 0;
            assert_ok(tsl_bpe_encode(f.model, &f.scratch, piece, &f.tokens, &err), &err);
            assert_true(tokens_equal(&f.tokens, &want));
            tsl_tokens_fini(&want);
        }
        unmake(&f);
    }
}

static void what_may_be_cut_has_the_same_tokens_in_parts(void **state)
{
    (void)state;
    size_t ncuts = 0, nplaces = 0;
    for (uint64_t round = 0; round < 400; round++) {
        struct rnd r = rnd_make(round, "bpe cuts");
        struct fixture f;
        size_t alphabet = 1 + rnd_below(&r, RND_CHARS);
        make_random(&f, &r, alphabet);
        for (unsigned k = 0; k < 20; k++) {
            struct tsl_err err = { 0 };
            char text[20 * RND_CHAR_BYTES + 1];
            struct tsl_slice piece = rnd_text(&r, text, 20, RND_CHARS);
            struct tsl_tokens whole;
            tsl_tokens_init(&whole, TSL_WANT_SPANS | TSL_WANT_MARKS);
            slow_bpe(f.vocab, f.merges, f.n, &f.opts, piece, &whole);
            for (size_t at = 1; at < piece.len; at++) {
                if ((piece.data[at] & 0xc0) == 0x80)
                    continue;
                nplaces++;
                if (!tsl_bpe_may_cut(f.model, piece, at))
                    continue;
                struct tsl_slice left = { piece.data, at };
                struct tsl_slice right = { piece.data + at, piece.len - at };
                ncuts++;
                f.tokens.n = 0;
                assert_ok(tsl_bpe_encode(f.model, &f.scratch, left, &f.tokens, &err),
                          &err);
                size_t nleft = f.tokens.n;
                assert_ok(tsl_bpe_encode(f.model, &f.scratch, right, &f.tokens, &err),
                          &err);
                for (size_t i = nleft; i < f.tokens.n; i++) {
                    f.tokens.begin[i] += (uint32_t)at;
                    f.tokens.end[i] += (uint32_t)at;
                }
                assert_true(tokens_equal(&f.tokens, &whole));
            }
            tsl_tokens_fini(&whole);
        }
        unmake(&f);
    }
    assert_true(ncuts > nplaces / 20); /* the question is not in vain */
}

static void only_what_a_token_holds_side_by_side_may_join(void **state)
{
    (void)state;
    struct fixture f;
    make(&f, "a b c d", "a b, c d, ab cd", &(struct tsl_bpe_opts){ 0 });
    assert_true(tsl_bpe_may_join(f.model, 0, 1));
    assert_true(tsl_bpe_may_join(f.model, 1, 2)); /* in abcd, though no rule is for it */
    assert_false(tsl_bpe_may_join(f.model, 0, 2));
    assert_false(tsl_bpe_may_join(f.model, 3, 0));
    assert_false(tsl_bpe_may_cut(f.model, str("abcd"), 2));
    assert_true(tsl_bpe_may_cut(f.model, str("acbd"), 1));
    unmake(&f);
}

static void a_long_piece_takes_no_quadratic_time(void **state)
{
    (void)state;
    enum { LEN = 2000000 };
    struct tsl_err err = { 0 };
    struct fixture f;
    uint8_t *p = malloc(LEN);
    assert_non_null(p);
    make(&f, "a b", "a a, aa aa, aaaa aaaa, a b", &(struct tsl_bpe_opts){ 0 });
    memset(p, 'a', LEN);
    assert_ok(tsl_bpe_encode(f.model, &f.scratch, (struct tsl_slice){ p, LEN }, &f.tokens,
                             &err),
              &err);
    assert_int_equal(f.tokens.n, LEN / 8);
    assert_int_equal(f.tokens.end[LEN / 8 - 1], LEN);
    assert_int_equal(f.scratch.symbols_cap, 0); /* so much is not kept */
    unmake(&f);
    /* Without rules each character is a part of its own. */
    make(&f, "a b", "", &(struct tsl_bpe_opts){ 0 });
    assert_ok(tsl_bpe_encode(f.model, &f.scratch, (struct tsl_slice){ p, LEN }, &f.tokens,
                             &err),
              &err);
    assert_int_equal(f.tokens.n, LEN);
    assert_true(f.scratch.symbols_cap < 100);
    unmake(&f);
    free(p);
}

static void rules_in_any_order_find_the_places_to_cut(void **state)
{
    (void)state;
    struct fixture f;
    /* The rules that use a result come before those that make it. */
    make(&f, "a b c d abcd", "ab cd, a b, c d", &(struct tsl_bpe_opts){ 0 });
    assert_true(tsl_bpe_may_join(f.model, 1, 2));
    assert_piece(&f, "abcdabcd", "4:0-4 4:4-8");
    unmake(&f);
}

static int make_and_encode(void *ctx, struct tsl_err *err)
{
    struct tsl_bpe_scratch scratch;
    struct tsl_tokens tokens;
    struct fixture *f = ctx;
    char text[400];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tsl_bpe_scratch_init(&scratch);
    tsl_tokens_init(&tokens, TSL_WANT_SPANS | TSL_WANT_MARKS);
    struct tsl_bpe *b = tsl_bpe_create(f->vocab, f->merges, f->n, &f->opts, err);
    int rc = b ? tsl_bpe_encode(b, &scratch, str(text), &tokens, err) : TSL_ENOMEM;
    tsl_bpe_destroy(b);
    tsl_tokens_fini(&tokens);
    tsl_bpe_scratch_fini(&scratch);
    return rc;
}

static void any_shortage_of_memory_is_told(void **state)
{
    struct fixture f;
    (void)state;
    make(&f, "<unk> a b", "a a, aa aa, a b",
         &(struct tsl_bpe_opts){ .unk = str("<unk>") });
    fault_each_allocation(make_and_encode, &f);
    unmake(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_lowest_rank_goes_first_and_then_the_leftmost),
        TEST(of_two_rules_for_a_pair_the_later_counts),
        TEST(unknown_characters_vanish_without_a_token_for_them),
        TEST(unknown_characters_are_fused_only_where_asked_for),
        TEST(bytes_stand_for_an_unknown_character_where_all_are_there),
        TEST(a_prefix_marks_what_continues),
        TEST(a_suffix_marks_the_last_character),
        TEST(a_whole_piece_may_be_a_token_without_merges),
        TEST(the_unknown_token_may_be_merged_too),
        TEST(a_missing_unknown_token_matters_only_where_it_is_needed),
        TEST(dropout_is_refused),
        TEST(random_models_agree_with_the_slow_way),
        TEST(what_may_be_cut_has_the_same_tokens_in_parts),
        TEST(only_what_a_token_holds_side_by_side_may_join),
        TEST(a_long_piece_takes_no_quadratic_time),
        TEST(rules_in_any_order_find_the_places_to_cut),
        TEST(any_shortage_of_memory_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "support/fault.h"
#include "support/gendata.h"
#include "support/slowbytebpe.h"
#include "text/bytebpecore.h"

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* All single bytes, then the words of a blank-separated list. */
static struct tsl_vocab *vocab_of(const char *words)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = tsl_vocab_create(&err);
    uint32_t id = 0;
    assert_non_null(v);
    for (; id < 256; id++) {
        uint8_t b = (uint8_t)id;
        assert_ok(tsl_vocab_add(v, id, (struct tsl_slice){ &b, 1 }, &err), &err);
    }
    while (*words) {
        size_t n = strcspn(words, " ");
        struct tsl_slice s = { (const uint8_t *)words, n };
        assert_ok(tsl_vocab_add(v, id++, s, &err), &err);
        words += n + (words[n] == ' ');
    }
    return v;
}

static struct tsl_tokfile_merge merge_of(const struct tsl_vocab *v, const char *left,
                                         const char *right)
{
    char both[64];
    strcat(strcpy(both, left), right);
    return (struct tsl_tokfile_merge){ .left = (uint32_t)tsl_vocab_find(v, str(left)),
                                       .right = (uint32_t)tsl_vocab_find(v, str(right)),
                                       .merged = (uint32_t)tsl_vocab_find(v, str(both)) };
}

static struct tsl_bytebpecore *core_of(const struct tsl_vocab *v,
                                       const struct tsl_tokfile_merge *m, size_t n,
                                       bool *proper)
{
    struct tsl_err err = { 0 };
    struct tsl_bytebpecore *c = tsl_bytebpecore_create(v, m, n, proper, &err);
    assert_ok(err.code, &err);
    assert_non_null(c);
    return c;
}

/* want: tokens, a blank between each two. */
static void gives(const struct tsl_bytebpecore *c, const struct tsl_vocab *v,
                  const char *text, const char *want)
{
    struct tsl_err err = { 0 };
    struct tsl_bytebpe_scratch s = { .max_bytes = SIZE_MAX };
    uint32_t *ids = malloc((strlen(text) + 1) * sizeof *ids);
    char *got = calloc(2 * strlen(text) + 2, 1), *p = got;
    int64_t n = tsl_bytebpecore_merge(c, &s, str(text), ids, &err);
    assert_ok(n, &err);
    for (int64_t i = 0; i < n; i++) {
        struct tsl_slice t = tsl_vocab_token(v, ids[i]);
        memcpy(p, t.data, t.len);
        p += t.len;
        *p++ = ' ';
    }
    p[p > got ? -1 : 0] = '\0';
    assert_string_equal(got, want);
    tsl_bytebpe_scratch_fini(&s);
    free(ids);
    free(got);
}

static void the_lowest_rank_goes_first_and_then_the_leftmost(void **state)
{
    (void)state;
    struct tsl_vocab *v = vocab_of("bc ab abc aa aaa");
    struct tsl_bytebpecore *c = core_of(v, NULL, 0, NULL);
    gives(c, v, "", "");
    gives(c, v, "a", "a");
    gives(c, v, "ab", "ab");
    gives(c, v, "abc", "abc"); /* by way of bc, which comes before ab */
    gives(c, v, "abcbc", "abc bc");
    gives(c, v, "aaaa", "aa aa");
    gives(c, v, "aaaaa", "aa aaa"); /* after two of aa, the last a joins on its left */
    gives(c, v, "xyz", "x y z");
    tsl_bytebpecore_destroy(c);
    tsl_vocab_destroy(v);
}

static void a_token_may_be_made_of_parts_that_rank_behind_it(void **state)
{
    (void)state;
    struct tsl_vocab *v = vocab_of("abcd abc ab xyxy yx xyx");
    struct tsl_bytebpecore *c = core_of(v, NULL, 0, NULL);
    gives(c, v, "abcz", "abc z"); /* as tiktoken does */
    gives(c, v, "zabcdab", "z abcd ab");
    gives(c, v, "xyxyx", "xyx yx");
    tsl_bytebpecore_destroy(c);
    tsl_vocab_destroy(v);
}

static void merges_go_by_their_place_in_the_list_whatever_the_ids(void **state)
{
    (void)state;
    struct tsl_vocab *v = vocab_of("bc ab abc");
    struct tsl_tokfile_merge m[] = { merge_of(v, "a", "b"), merge_of(v, "b", "c"),
                                     merge_of(v, "ab", "c") };
    struct tsl_bytebpecore *c = core_of(v, m, 3, NULL);
    gives(c, v, "abc", "abc");
    gives(c, v, "bcabc", "bc abc");
    tsl_bytebpecore_destroy(c);
    c = core_of(v, m, 2, NULL); /* without the merge a token is never made */
    gives(c, v, "abcbc", "ab c bc");
    tsl_bytebpecore_destroy(c);
    c = core_of(v, m, 0, NULL);
    gives(c, v, "abc", "a b c");
    tsl_bytebpecore_destroy(c);
    tsl_vocab_destroy(v);
}

static void of_two_merges_of_a_pair_the_later_counts(void **state)
{
    (void)state;
    struct tsl_vocab *v = vocab_of("ab bc");
    struct tsl_tokfile_merge m[] = { merge_of(v, "a", "b"), merge_of(v, "b", "c"),
                                     merge_of(v, "a", "b") };
    struct tsl_bytebpecore *c = core_of(v, m, 3, NULL);
    gives(c, v, "abc", "a bc");
    gives(c, v, "ab", "ab");
    tsl_bytebpecore_destroy(c);
    tsl_vocab_destroy(v);
}

/* Letters and tokens of them by chance; of many tokens the own bytes come down to others. */
static struct tsl_vocab *random_vocab(struct gen *g, size_t ntokens)
{
    struct tsl_err err = { 0 };
    struct tsl_vocab *v = vocab_of("");
    for (uint32_t id = 256; id < 256 + ntokens;) {
        uint8_t t[12];
        size_t n = 2 + gen_below(g, gen_below(g, 4) ? 3 : 10);
        for (size_t i = 0; i < n; i++)
            t[i] = "aab\xc3\xa9"[gen_below(g, 5)];
        if (tsl_vocab_find(v, (struct tsl_slice){ t, n }) < 0)
            assert_ok(tsl_vocab_add(v, id++, (struct tsl_slice){ t, n }, &err), &err);
    }
    return v;
}

/* A merge of any two tokens that are one together. */
static size_t random_merges(struct gen *g, const struct tsl_vocab *v,
                            struct tsl_tokfile_merge *m, size_t cap)
{
    size_t n = 0;
    for (uint32_t id = 256; id < tsl_vocab_size(v); id++) {
        struct tsl_slice t = tsl_vocab_token(v, id);
        for (size_t at = 1; at < t.len && n < cap; at++) {
            int64_t left = tsl_vocab_find(v, (struct tsl_slice){ t.data, at });
            int64_t right =
                tsl_vocab_find(v, (struct tsl_slice){ t.data + at, t.len - at });
            if (left >= 0 && right >= 0)
                m[n++] =
                    (struct tsl_tokfile_merge){ (uint32_t)left, (uint32_t)right, id };
        }
    }
    for (size_t i = n; i > 1; i--) { /* in any order */
        size_t k = gen_below(g, i);
        struct tsl_tokfile_merge x = m[k];
        m[k] = m[i - 1];
        m[i - 1] = x;
    }
    return n;
}

static void agrees(const struct tsl_bytebpecore *c, const struct tsl_bytebpe_opts *o,
                   struct tsl_bytebpe_scratch *s, struct tsl_slice piece)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens slow;
    uint32_t *ids = malloc(piece.len * sizeof *ids + 1);
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    slowbyte_piece(o, piece, 0, piece.len, &slow);
    int64_t n = tsl_bytebpecore_merge(c, s, piece, ids, &err);
    assert_ok(n, &err);
    assert_int_equal(n, slow.n);
    if (n)
        assert_memory_equal(ids, slow.ids, (size_t)n * sizeof *ids);
    tsl_tokens_fini(&slow);
    free(ids);
}

static void any_core_gives_what_the_slow_way_gives(void **state)
{
    enum { ROUNDS = 30, PIECES = 25, MERGES = 400 };
    struct gen g = { 77 };
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct tsl_tokfile_merge m[MERGES];
        struct tsl_vocab *v = random_vocab(&g, 1 + gen_below(&g, 60));
        struct tsl_bytebpe_opts o = { .vocab = v };
        if (round % 2) {
            o.merges = m;
            o.nmerges = random_merges(&g, v, m, MERGES);
        }
        struct tsl_bytebpecore *c = core_of(v, o.merges, o.nmerges, NULL);
        struct tsl_bytebpe_scratch s = { .max_bytes = SIZE_MAX };
        for (int i = 0; i < PIECES; i++) {
            uint8_t p[300];
            /* both sides of where the long way begins, and whole multiples of 4 */
            size_t n = i == 0   ? TSL_BYTEBPE_SHORT_BYTES
                       : i == 1 ? TSL_BYTEBPE_SHORT_BYTES + 1
                       : i < 12 ? (size_t)i
                                : gen_below(&g, i < 20 ? 60 : sizeof p);
            size_t kinds = 1 + gen_below(&g, 5);
            for (size_t k = 0; k < n; k++)
                p[k] = "ab\xc3\xa9z"[gen_below(&g, kinds)];
            agrees(c, &o, &s, (struct tsl_slice){ p, n });
        }
        tsl_bytebpe_scratch_fini(&s);
        tsl_bytebpecore_destroy(c);
        tsl_vocab_destroy(v);
    }
}

static void it_is_proper_if_the_bytes_of_each_token_come_down_to_it(void **state)
{
    bool proper = false;
    (void)state;
    struct tsl_vocab *v = vocab_of("ab abc bc");
    tsl_bytebpecore_destroy(core_of(v, NULL, 0, &proper));
    assert_true(proper);
    struct tsl_tokfile_merge m[] = { merge_of(v, "a", "b"), merge_of(v, "b", "c"),
                                     merge_of(v, "ab", "c") };
    tsl_bytebpecore_destroy(core_of(v, m, 3, &proper));
    assert_true(proper);
    tsl_bytebpecore_destroy(core_of(v, m, 2, &proper)); /* nothing makes abc */
    assert_false(proper);
    tsl_vocab_destroy(v);

    v = vocab_of("bc abc ab abcd"); /* d never joins: cd, bcd are no tokens, abc is */
    tsl_bytebpecore_destroy(core_of(v, NULL, 0, &proper));
    assert_true(proper);
    tsl_vocab_destroy(v);
    v = vocab_of("abc bcd"); /* of three parts each */
    tsl_bytebpecore_destroy(core_of(v, NULL, 0, &proper));
    assert_false(proper);
    tsl_vocab_destroy(v);
}

static void refused(const struct tsl_vocab *v, const struct tsl_tokfile_merge *m,
                    size_t n, int code, const char *part)
{
    struct tsl_err err = { 0 };
    bool proper;
    assert_null(tsl_bytebpecore_create(v, m, n, &proper, &err));
    assert_err(err.code, code, &err, part);
}

static void each_byte_that_utf8_has_must_be_a_token(void **state)
{
    (void)state;
    for (unsigned missing = 0; missing < 256; missing++) {
        struct tsl_err err = { 0 };
        struct tsl_vocab *v = tsl_vocab_create(&err);
        for (unsigned b = 0; b < 256; b++) {
            uint8_t byte = (uint8_t)b;
            if (b != missing)
                assert_ok(tsl_vocab_add(v, b, (struct tsl_slice){ &byte, 1 }, &err),
                          &err);
        }
        if (missing == 0xc0 || missing == 0xc1 || missing >= 0xf5)
            tsl_bytebpecore_destroy(core_of(v, NULL, 0, NULL));
        else
            refused(v, NULL, 0, TSL_EUSAGE, "no token for the byte 0x");
        tsl_vocab_destroy(v);
    }
}

static void ids_that_do_not_fit_and_merges_that_do_not_join_are_refused(void **state)
{
    struct tsl_err err = { 0 };
    (void)state;
    struct tsl_vocab *v = vocab_of("ab bc abd");
    struct tsl_tokfile_merge m = merge_of(v, "a", "b");
    m.merged = (uint32_t)tsl_vocab_find(v, str("bc"));
    refused(v, &m, 1, TSL_EFORMAT, "merge 0: token 257 is not tokens 97 and 98 joined");
    m.merged = (uint32_t)tsl_vocab_find(v, str("abd"));
    refused(v, &m, 1, TSL_EFORMAT, "merge 0: token 258");
    m.merged = 9999; /* no such token */
    refused(v, &m, 1, TSL_EFORMAT, "merge 0: token 9999");
    m = merge_of(v, "a", "b");
    m.left = 4000000000U;
    refused(v, &m, 1, TSL_EFORMAT, "merge 0");
    refused(v, &m, 1 << 24, TSL_EUSAGE, "16777216 merges; at most 16777215");
    assert_ok(tsl_vocab_add(v, TSL_BYTEBPE_ID_MAX - 1, str("last"), &err), &err);
    tsl_bytebpecore_destroy(core_of(v, NULL, 0, NULL));
    assert_ok(tsl_vocab_add(v, TSL_BYTEBPE_ID_MAX, str("beyond"), &err), &err);
    refused(v, NULL, 0, TSL_EUSAGE, "token ids up to 1048575");
    tsl_vocab_destroy(v);
}

static void a_long_piece_takes_no_more_than_it_may(void **state)
{
    enum { N = 10000 };
    struct tsl_err err = { 0 };
    struct tsl_bytebpe_scratch s = { .max_bytes = 29 * N };
    (void)state;
    struct tsl_vocab *v = vocab_of("aa aaaa aaaaaaaa");
    struct tsl_bytebpecore *c = core_of(v, NULL, 0, NULL);
    uint8_t *p = malloc(2 * N);
    uint32_t *ids = malloc(2 * N * sizeof *ids);
    memset(p, 'a', 2 * N);
    assert_int_equal(tsl_bytebpecore_merge(c, &s, (struct tsl_slice){ p, N }, ids, &err),
                     N / 8);
    assert_true(s.cap_bytes <= s.max_bytes);
    assert_err(tsl_bytebpecore_merge(c, &s, (struct tsl_slice){ p, 2 * N }, ids, &err),
               TSL_ENOMEM, &err, "a word of 20000 bytes");
    /* and the scratch is good for the next one */
    assert_int_equal(
        tsl_bytebpecore_merge(c, &s, (struct tsl_slice){ p, N - 1 }, ids, &err),
        N / 8 - 1 + 3);
    tsl_bytebpe_scratch_fini(&s);
    assert_null(s.pages);
    tsl_bytebpecore_destroy(c);
    tsl_vocab_destroy(v);
    free(p);
    free(ids);
}

struct making {
    const struct tsl_vocab *vocab;
    const struct tsl_tokfile_merge *merges;
    size_t n;
};

static int make_and_merge(void *ctx, struct tsl_err *err)
{
    const struct making *k = ctx;
    struct tsl_bytebpe_scratch s = { .max_bytes = SIZE_MAX };
    uint8_t p[100];
    uint32_t ids[100];
    bool proper;
    memset(p, 'a', sizeof p);
    struct tsl_bytebpecore *c =
        tsl_bytebpecore_create(k->vocab, k->merges, k->n, &proper, err);
    int64_t n = c ? tsl_bytebpecore_merge(c, &s, (struct tsl_slice){ p, 100 }, ids, err)
                  : TSL_ENOMEM;
    tsl_bytebpe_scratch_fini(&s);
    tsl_bytebpecore_destroy(c);
    return n < 0 ? (int)n : 0;
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    /* a token that needs a scratch to be taken apart, too */
    struct tsl_vocab *v =
        vocab_of("ab aa aaaa aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    struct tsl_tokfile_merge m[] = { merge_of(v, "aa", "aa"), merge_of(v, "a", "a"),
                                     merge_of(v, "a", "b") };
    struct making ranks = { v, NULL, 0 }, merges = { v, m, 3 };
    fault_each_allocation(make_and_merge, &ranks);
    fault_each_allocation(make_and_merge, &merges);
    tsl_vocab_destroy(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_lowest_rank_goes_first_and_then_the_leftmost),
        TEST(a_token_may_be_made_of_parts_that_rank_behind_it),
        TEST(merges_go_by_their_place_in_the_list_whatever_the_ids),
        TEST(of_two_merges_of_a_pair_the_later_counts),
        TEST(any_core_gives_what_the_slow_way_gives),
        TEST(it_is_proper_if_the_bytes_of_each_token_come_down_to_it),
        TEST(each_byte_that_utf8_has_must_be_a_token),
        TEST(ids_that_do_not_fit_and_merges_that_do_not_join_are_refused),
        TEST(a_long_piece_takes_no_more_than_it_may),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

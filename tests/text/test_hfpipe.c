#include "support/hfdata.h"

#include <stdlib.h>

#include "support/fault.h"

#define LOWER "\"normalizer\":{\"type\":\"Lowercase\"},"
#define ADDED(more) "\"added_tokens\":[" more "],"
#define TOKEN(id, content, flags)                                                        \
    "{\"id\":" #id ",\"content\":\"" content "\",\"single_word\":false,"                 \
    "\"lstrip\":false,\"rstrip\":false," flags "}"

static void parts_run_in_the_order_of_the_peer(void **state)
{
    struct tsl_hfpipe *p =
        hf_pipe(HF(LOWER HF_BLANKS ADDED(
                       TOKEN(5, "[M]", "\"normalized\":false,\"special\":true") "," TOKEN(
                           6, "Bb", "\"normalized\":true,\"special\":false")),
                   HF_WORDS));
    (void)state;
    hf_gives(p, "A  b", true, "1[0,1) 2[3,4)");
    hf_gives(p, "A[M]B", true, "1[0,1) 5[1,4) 2[4,5)");
    hf_gives(p, "A[m]B", true, "0[0,5)"); /* it is looked for in the raw text */
    hf_gives(p, "a BB a", true, "1[0,1) 6[2,4) 1[5,6)");
    hf_gives(p, "abba", true, "1[0,1) 6[1,3) 1[3,4)");
    hf_gives(p, "", true, "");
    hf_gives(p, " \t", true, "");
    assert_int_equal(tsl_hfpipe_size(p), 7);
    assert_int_equal(tsl_hfpipe_token(p, 6).len, 2);
    assert_null(tsl_hfpipe_token(p, 7).data);
    tsl_hfpipe_destroy(p);
}

/* Asked of 0.23.2, as the next. */
static void what_is_put_in_front_of_a_part_comes_from_where_it_begins(void **state)
{
    struct tsl_hfpipe *p =
        hf_pipe(HF("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"^\"},"
                   "\"content\":\"b\"}," ADDED(
                       TOKEN(5, "[M]", "\"normalized\":false,\"special\":true")),
                   HF_WORDS));
    (void)state;
    hf_gives(p, "a", true, "0[0,1)");
    hf_gives(p, "a[M]b", true, "0[0,1) 5[1,4) 0[4,5)");
    tsl_hfpipe_destroy(p);
}

static void a_piece_that_came_from_nothing_is_spelled_in_bytes_and_stays(void **state)
{
    struct tsl_hfpipe *p = hf_pipe(HF(
        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"^\"},"
        "\"content\":\"a\"},\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":"
        "[{\"type\":\"FixedLength\",\"length\":1},{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false},"
        "{\"type\":\"FixedLength\",\"length\":1}]},",
        HF_WORDS));
    (void)state;
    hf_gives(p, "b", true, "1[0,0) 1[0,0) 2[0,1)");
    tsl_hfpipe_destroy(p);
}

static void special_tokens_are_ordinary_text_where_that_is_asked_for(void **state)
{
    struct tsl_hfpipe *p = hf_pipe(HF(
        HF_BLANKS ADDED(TOKEN(4, "ab", "\"normalized\":false,\"special\":true") "," TOKEN(
            5, "ba", "\"normalized\":false,\"special\":false")),
        HF_WORDS));
    (void)state;
    hf_gives(p, "cab cba", false, "3 4 3 5");
    p->plain_specials = true;
    hf_gives(p, "ab cab cba", false, "4 0 3 5");
    tsl_hfpipe_destroy(p);
}

static void ill_formed_bytes_become_one_character_a_part(void **state)
{
    struct tsl_hfpipe *p =
        hf_pipe(HF("\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":1},",
                   "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"a\":"
                   "1,\"\xef\xbf\xbd\":2}}"));
    struct tsl_tokens t;
    char got[200];
    static const uint8_t text[] = "a\xe4\xb8"
                                  "a\xff\xf0\x9f\x98";
    (void)state;
    tsl_tokens_init(&t, TSL_WANT_SPANS);
    hf_encode(p, (struct tsl_slice){ text, sizeof text - 1 }, &t);
    hf_print(&t, true, got, sizeof got);
    assert_string_equal(got, "1[0,1) 2[1,3) 1[3,4) 2[4,5) 2[5,8)");
    tsl_tokens_fini(&t);

    struct tsl_err err = { 0 };
    uint64_t invalid = 0, unknown = 0;
    size_t used;
    void *coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
    tsl_tokens_init(&t, 0);
    for (int i = 0; i < 2; i++)
        assert_ok(tsl_hfpipe_engine.encode(coder,
                                           (struct tsl_slice){ text, sizeof text - 1 },
                                           true, true, &used, &t, &err),
                  &err);
    assert_ok(tsl_hfpipe_engine.encode(coder, hf_str("bc"), true, true, &used, &t, &err),
              &err);
    tsl_hfpipe_engine.counts(coder, &invalid, &unknown);
    assert_int_equal(invalid, 6);
    assert_int_equal(unknown, 2);
    tsl_hfpipe_engine.coder_destroy(coder);
    tsl_tokens_fini(&t);
    tsl_hfpipe_destroy(p);
}

static void a_row_in_stretches_is_taken_when_it_is_whole(void **state)
{
    /* \p{N}{1,3} may not be cut anywhere but where the whole row says so */
    struct tsl_hfpipe *p = hf_pipe(
        HF("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\p{N}{1,3}|"
           "x\"},"
           "\"behavior\":\"Isolated\",\"invert\":false},",
           "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,\"123\":1,"
           "\"45\":2}}"));
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    size_t used = 1;
    void *coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
    (void)state;
    tsl_tokens_init(&t, 0);
    for (size_t n = 0; n < 8; n++) {
        assert_ok(tsl_hfpipe_engine.encode(
                      coder, (struct tsl_slice){ hf_str("12312345").data, n }, true,
                      false, &used, &t, &err),
                  &err);
        assert_true(used == 0 && t.n == 0);
    }
    assert_ok(
        tsl_hfpipe_engine.encode(coder, hf_str("12312345"), true, true, &used, &t, &err),
        &err);
    assert_int_equal(used, 8);
    assert_true(t.n == 3 && t.ids[0] == 1 && t.ids[1] == 1 && t.ids[2] == 2);
    tsl_tokens_fini(&t);
    tsl_hfpipe_engine.coder_destroy(coder);
    tsl_hfpipe_destroy(p);
}

static void words_begin_at_pieces_and_at_underlines(void **state)
{
    static const char bpe[] = HF(
        "\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},\"content\":"
        "\"\xe2\x96\x81\"},",
        "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
        "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
        "\"fuse_unk\":false,\"byte_fallback\":false,\"vocab\":{\"a\":0,\"b\":1,"
        "\"\xe2\x96\x81\":2,\"\xe2\x96\x81"
        "b\":3},\"merges\":[\"\xe2\x96\x81 b\"]}");
    static const unsigned want[] = { 1, 0, 1, 0, 1 };
    struct tsl_hfpipe *p = hf_pipe(bpe);
    struct tsl_tokens t;
    (void)state;
    assert_true(p->one_piece);
    tsl_tokens_init(&t, TSL_WANT_MARKS);
    hf_encode(p, hf_str("ab ba a"), &t); /* a b _b a _ a */
    assert_int_equal(t.n, 6);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(t.marks[i] & TSL_TOKEN_WORD_START, want[i]);
    tsl_tokens_fini(&t);
    tsl_hfpipe_destroy(p);
}

/* The peer sums up the lengths of what it keeps, so that there "b" is [1,2). */
static void characters_that_bpe_drops_do_not_shift_the_spans_of_others(void **state)
{
    struct tsl_hfpipe *p =
        hf_pipe(HF("", "{\"type\":\"BPE\",\"unk_token\":null,\"vocab\":{\"a\":0,\"b\":1},"
                       "\"merges\":[]}"));
    (void)state;
    hf_gives(p,
             "a\xe4\xb8\xad"
             "b",
             true, "0[0,1) 1[4,5)");
    tsl_hfpipe_destroy(p);
}

static void a_long_row_takes_time_in_proportion(void **state)
{
    /* by regex that is not known, and by BPE without cuts: neither may be quadratic */
    static const char json[] = HF(
        "\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a-b]+|\\\\s+(?!"
        "\\\\S)|\\\\s+\"},\"behavior\":\"Isolated\",\"invert\":false},",
        "{\"type\":\"BPE\",\"dropout\":null,\"unk_token\":null,"
        "\"continuing_subword_prefix\":null,\"end_of_word_suffix\":null,"
        "\"fuse_unk\":false,\"byte_fallback\":false,\"vocab\":{\"a\":0,\"aa\":1,"
        "\" \":2,\"aaaa\":3},\"merges\":[\"a a\",\"aa aa\"]}");
    enum { N = 300000 };
    struct tsl_hfpipe *p = hf_pipe(json);
    struct tsl_tokens t;
    uint8_t *text = malloc(N);
    (void)state;
    tsl_tokens_init(&t, 0);
    for (int blank = 0; blank < 2; blank++) {
        memset(text, blank ? ' ' : 'a', N);
        tsl_tokens_reset(&t);
        hf_encode(p, (struct tsl_slice){ text, N }, &t);
        assert_int_equal(t.n, blank ? N : N / 4);
    }
    tsl_tokens_fini(&t);
    free(text);
    tsl_hfpipe_destroy(p);
}

static void any_failed_allocation_is_reported(void **state)
{
    static const char json[] =
        HF(LOWER HF_BLANKS ADDED(TOKEN(5, "[M]", "\"normalized\":true,\"special\":true")),
           HF_WORDS);
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        struct tsl_hfpipe *p = NULL;
        struct tsl_tokens t;
        size_t used;
        tsl_tokens_init(&t, TSL_WANT_SPANS | TSL_WANT_MARKS);
        fault_arm(nth, "calloc realloc mmap");
        int rc = hf_try(&p, json, &err);
        void *c = rc == 0 ? tsl_hfpipe_engine.coder_create(p, 4 << 20, &err) : NULL;
        if (rc == 0)
            rc = c ? tsl_hfpipe_engine.encode(c, hf_str("A b[m]ab c"), true, true, &used,
                                              &t, &err)
                   : TSL_ENOMEM;
        const char *call = fault_disarm();
        assert_int_equal(rc, call ? TSL_ENOMEM : 0);
        assert_int_equal(err.code, rc);
        tsl_tokens_fini(&t);
        tsl_hfpipe_engine.coder_destroy(c);
        if (p)
            tsl_hfpipe_engine.model_destroy(p);
        if (!call)
            break;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(parts_run_in_the_order_of_the_peer),
        TEST(what_is_put_in_front_of_a_part_comes_from_where_it_begins),
        TEST(a_piece_that_came_from_nothing_is_spelled_in_bytes_and_stays),
        TEST(special_tokens_are_ordinary_text_where_that_is_asked_for),
        TEST(ill_formed_bytes_become_one_character_a_part),
        TEST(a_row_in_stretches_is_taken_when_it_is_whole),
        TEST(words_begin_at_pieces_and_at_underlines),
        TEST(characters_that_bpe_drops_do_not_shift_the_spans_of_others),
        TEST(a_long_row_takes_time_in_proportion),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

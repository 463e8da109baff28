#include "support/hfdata.h"

#include <stdlib.h>

#include "support/fault.h"
#include "text/hfcut.h"

#define LLAMA                                                                            \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","      \
    "\"prepend\":\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"      \
    "\"content\":\"\u2581\"}]},"
#define ADDED(content, flags)                                                            \
    "\"added_tokens\":[{\"id\":9,\"content\":\"" content "\",\"normalized\":false,"      \
    "\"special\":true," flags "}],"
#define PLAIN "\"single_word\":false,\"lstrip\":false,\"rstrip\":false"

/* BPE of all letters, and more tokens, each with a comma in front. */
static char *bpe(const char *parts, const char *more, const char *merges)
{
    char *s = malloc(4000);
    size_t n = (size_t)snprintf(s, 4000,
                                "{\"version\":\"1.0\",%s\"model\":{\"type\":\"BPE\","
                                "\"vocab\":{\"\u2581\":0",
                                parts);
    for (int i = 0; i < 52; i++)
        n += (size_t)snprintf(s + n, 4000 - n, ",\"%c\":%d",
                              i < 26 ? 'a' + i : 'A' + i - 26, i + 1);
    snprintf(s + n, 4000 - n, "%s},\"merges\":[%s]}}", more, merges);
    return s;
}

static bool can(const char *json)
{
    struct tsl_hfpipe *p = hf_pipe(json);
    struct tsl_err err = { 0 };
    bool yes;
    size_t behind;
    assert_ok(tsl_hfcut_can(p, &yes, &behind, &err), &err);
    assert_true(behind >= 2);
    tsl_hfpipe_destroy(p);
    return yes;
}

static bool can_bpe(const char *parts, const char *more, const char *merges)
{
    char *s = bpe(parts, more, merges);
    bool yes = can(s);
    free(s);
    return yes;
}

static void rows_can_be_cut_where_no_part_looks_across(void **state)
{
    (void)state;
    assert_true(can(HF(HF_BLANKS, HF_WORDS)));
    assert_true(can(HF(HF_BLANKS ADDED("<m>", PLAIN), HF_WORDS)));
    assert_true(can(HF(HF_BLANKS ADDED(" b", PLAIN), HF_WORDS)));
    assert_true(can(
        HF(HF_BLANKS ADDED("<m>", "\"single_word\":true,\"lstrip\":true,\"rstrip\":true"),
           HF_WORDS)));
    assert_true(can(HF("\"normalizer\":{\"type\":\"NFKC\"}," HF_BLANKS, HF_WORDS)));
    assert_true(can_bpe(LLAMA, ",\"\u2581a\":53", "[\"\u2581\",\"a\"]"));
}

static void rows_are_not_cut_where_a_part_may_look_across(void **state)
{
    (void)state;
    assert_false(can(HF("", HF_WORDS))); /* the row is one word */
    assert_false(can(HF(HF_BLANKS ADDED("a b", PLAIN), HF_WORDS)));
    assert_false(can(HF(
        HF_BLANKS ADDED("ab", "\"single_word\":false,\"lstrip\":false,\"rstrip\":true"),
        HF_WORDS)));
    assert_false(can(HF(
        HF_BLANKS ADDED(" a", "\"single_word\":true,\"lstrip\":false,\"rstrip\":false"),
        HF_WORDS)));
    assert_false(can(HF("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":"
                        "\"a b\"},\"content\":\"c\"}," HF_BLANKS,
                        HF_WORDS)));
    assert_false(can(HF("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":"
                        "\"q\"},\"content\":\" \"}," HF_BLANKS,
                        HF_WORDS)));
    assert_false(
        can(HF("\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":3},", HF_WORDS)));
    assert_false(can_bpe(LLAMA, ",\"a\u2581\":53", "[\"a\",\"\u2581\"]"));
}

static void the_last_blank_between_letters_is_found(void **state)
{
    (void)state;
    assert_int_equal(tsl_hfcut_last(hf_str("a b c d"), 2), 5);
    assert_int_equal(tsl_hfcut_last(hf_str("a b c d"), 3), 3);
    assert_int_equal(tsl_hfcut_last(hf_str("ab b. c  d 1"), 2), 2);
    assert_int_equal(tsl_hfcut_last(hf_str("a"), 2), 0);
    assert_int_equal(tsl_hfcut_last(hf_str(""), 2), 0);
}

/* All of text, in stretches of at most window bytes. */
static void encode(const struct tsl_hfpipe *p, struct tsl_slice text, size_t window,
                   struct tsl_tokens *out, size_t *stretches)
{
    struct tsl_err err = { 0 };
    void *coder = tsl_hfpipe_engine.coder_create(p, 4 << 20, &err);
    size_t at = 0, used;
    assert_non_null(coder);
    for (bool last = false; !last; at += used, ++*stretches) {
        size_t n = text.len - at < window ? text.len - at : window, from = out->n;
        last = at + n == text.len;
        assert_ok(tsl_hfpipe_engine.encode(coder, (struct tsl_slice){ text.data + at, n },
                                           at == 0, last, &used, out, &err),
                  &err);
        assert_true(used > 0);
        for (; from < out->n; from++) {
            out->begin[from] += (uint32_t)at;
            out->end[from] += (uint32_t)at;
        }
    }
    tsl_hfpipe_engine.coder_destroy(coder);
}

static void a_row_in_stretches_gives_the_tokens_of_the_whole(void **state)
{
    enum { N = 300000 };
    static const char *const words[] = { "a", "the", "\u4e2d", "b<m>", " ", "c.", "<m>" };
    char *text = calloc(N + 32, 1), *json[2];
    size_t n = 0;
    (void)state;
    for (unsigned x = 1; n < N; x = x * 1103515245u + 12345u)
        n += (size_t)snprintf(text + n, 16, "%s ", words[(x >> 16) % 7]);
    json[0] = bpe(LLAMA ADDED("<m>", "\"single_word\":false,\"lstrip\":true,"
                                     "\"rstrip\":false"),
                  ",\"\u2581a\":53,\"th\":54", "[\"\u2581\",\"a\"],[\"t\",\"h\"]");
    json[1] = bpe("\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\","
                  "\"prepend_scheme\":\"always\",\"split\":true}," ADDED("<m>", PLAIN),
                  "", "");
    for (int k = 0; k < 2; k++) {
        struct tsl_hfpipe *p = hf_pipe(json[k]);
        struct tsl_tokens t[2];
        size_t stretches = 0;
        for (int i = 0; i < 2; i++) {
            tsl_tokens_init(&t[i], TSL_WANT_SPANS | TSL_WANT_MARKS);
            encode(p, (struct tsl_slice){ (uint8_t *)text, n }, i ? 70000 : n, &t[i],
                   &stretches);
        }
        assert_true(stretches > 4 && t[0].n == t[1].n);
        assert_memory_equal(t[0].ids, t[1].ids, t[0].n * sizeof *t[0].ids);
        assert_memory_equal(t[0].begin, t[1].begin, t[0].n * sizeof *t[0].begin);
        assert_memory_equal(t[0].end, t[1].end, t[0].n * sizeof *t[0].end);
        assert_memory_equal(t[0].marks, t[1].marks, t[0].n);
        tsl_tokens_fini(&t[0]);
        tsl_tokens_fini(&t[1]);
        tsl_hfpipe_destroy(p);
        free(json[k]);
    }
    free(text);
}

static void any_failed_allocation_is_reported(void **state)
{
    struct tsl_hfpipe *p = hf_pipe(HF(HF_BLANKS, HF_WORDS));
    (void)state;
    for (unsigned nth = 1;; nth++) {
        struct tsl_err err = { 0 };
        bool yes = false;
        size_t behind;
        fault_arm(nth, NULL);
        int rc = tsl_hfcut_can(p, &yes, &behind, &err);
        if (!fault_disarm()) {
            assert_true(rc == 0 && yes);
            break;
        }
        assert_err(rc, TSL_ENOMEM, &err, "");
    }
    tsl_hfpipe_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_can_be_cut_where_no_part_looks_across),
        TEST(rows_are_not_cut_where_a_part_may_look_across),
        TEST(the_last_blank_between_letters_is_found),
        TEST(a_row_in_stretches_gives_the_tokens_of_the_whole),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

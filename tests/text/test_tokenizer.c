#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "support/fault.h"
#include "support/fixture.h"
#include "support/hfdata.h"
#include "text/bytealpha.h"
#include "text/tokenizer.h"

#define BERT "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nfox\n##es\n,\n"

static struct tsl_tokenizer *opened(const char *path, struct tsl_tokenizer_opts o)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t = NULL;
    assert_ok(tsl_tokenizer_open(&t, path, &o, &err), &err);
    return t;
}

static void refused(const char *path, struct tsl_tokenizer_opts o, int code,
                    const char *part)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t = NULL;
    assert_err(tsl_tokenizer_open(&t, path, &o, &err), code, &err, part);
}

static void encode(const struct tsl_tokenizer *t, struct tsl_slice text, unsigned want,
                   struct tsl_tokens *out)
{
    struct tsl_err err = { 0 };
    size_t used;
    struct tsl_coder *c = tsl_coder_create(t, 4 << 20, &err);
    assert_non_null(c);
    tsl_tokens_init(out, want);
    assert_ok(tsl_coder_encode(c, text, true, true, &used, out, &err), &err);
    tsl_coder_destroy(c);
}

static void gives(const struct tsl_tokenizer *t, const char *text, bool spans,
                  const char *want)
{
    struct tsl_tokens out;
    char got[2000];
    encode(t, hf_str(text), spans ? TSL_WANT_SPANS : 0, &out);
    hf_print(&out, spans, got, sizeof got);
    assert_string_equal(got, want);
    tsl_tokens_fini(&out);
}

static void put_bytes_file(const char *name, const char *extra)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[8000], *p = text;
    for (unsigned b = 0; b < 256; b++)
        p += sprintf(p, "%c%c== %u\n", digits[b >> 2], digits[(b & 3) << 4], b);
    strcpy(p, extra);
    file_put_text(name, text);
}

static void the_kind_of_a_file_is_told_by_its_content_not_its_name(void **state)
{
    const struct tsl_tokenizer_opts o = { 0 };
    (void)state;
    file_put_text("a.model", BERT);
    struct tsl_tokenizer *t = opened("a.model", o);
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_BERT);
    gives(t, "The foxes,", false, "5 6 7 8");
    tsl_tokenizer_destroy(t);

    file_put_text("vocab.txt", HF(HF_BLANKS, HF_WORDS));
    t = opened("vocab.txt", o);
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_HF);
    gives(t, "ab c", false, "4 3");
    tsl_tokenizer_destroy(t);

    put_bytes_file("x.json", "YWI= 256\n"); /* ab */
    t = opened("x.json", (struct tsl_tokenizer_opts){ .pattern = "cl100k" });
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_TIKTOKEN);
    gives(t, "abb", true, "256[0,2) 98[2,3)");
    tsl_tokenizer_destroy(t);

    size_t n;
    uint8_t *model =
        fixture_get("tokenizers/sp-unigram-en-1k/sp-unigram-en-1k.model", &n);
    file_put("m.txt", model, n);
    free(model);
    t = opened("m.txt", o);
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_SPM);
    assert_int_equal(tsl_tokenizer_size(t), 1000);
    tsl_tokenizer_destroy(t);
}

static void a_folder_has_one_vocabulary_and_an_order_of_them(void **state)
{
    const struct tsl_tokenizer_opts o = { 0 }, google = { .rules = TSL_RULES_GOOGLE };
    (void)state;
    mkdir("d", 0700);
    refused("d", o, TSL_EUSAGE, "no tokenizer.json, vocab.json");
    file_put_text("d/vocab.txt", BERT);
    struct tsl_tokenizer *t = opened("d", o);
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_BERT);
    tsl_tokenizer_destroy(t);
    file_put_text("d/tokenizer.json", HF(HF_BLANKS, HF_WORDS));
    t = opened("d", o);
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_HF);
    tsl_tokenizer_destroy(t);
    t = opened("d/", google); /* whose rules are for vocab.txt */
    assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_BERT);
    tsl_tokenizer_destroy(t);
    mkdir("two", 0700);
    file_put_text("two/a.model", "x");
    file_put_text("two/b.tiktoken", "x");
    refused("two", o, TSL_EUSAGE, "more than one vocabulary");
    refused("none", o, TSL_EIO, "none");
}

static void vocab_json_and_merges_txt_are_found_by_either(void **state)
{
    static const char merges[] = "#version: 0.2\na b\n";
    const struct tsl_tokenizer_opts o = { 0 };
    (void)state;
    file_put_text("vocab.json", "{\"a\":0,\"b\":1,\"ab\":2,\"<|endoftext|>\":3}");
    refused("vocab.json", o, TSL_EUSAGE, "merges.txt must stand beside it");
    file_put_text("merges.txt", merges);
    static const char *const paths[] = { "vocab.json", "./merges.txt", "." };
    for (size_t i = 0; i < 3; i++) {
        struct tsl_tokenizer *t = opened(paths[i], o);
        assert_int_equal(tsl_tokenizer_kind(t), TSL_TOKENIZER_GPT2);
        gives(t, "abba<|endoftext|>", false, "2 1 0 3");
        assert_int_equal(tsl_tokenizer_specials(t).eos, 3);
        tsl_tokenizer_destroy(t);
    }
    file_put_text("merges.txt", "#version: 0.2\na b\nb b\n");
    refused(".", o, TSL_EFORMAT, "merges.txt");
}

static void options_that_do_not_fit_the_file_are_refused(void **state)
{
    (void)state;
    file_put_text("v", BERT);
    file_put_text("j", HF(HF_BLANKS, HF_WORDS));
    put_bytes_file("t", "");
    refused("v", (struct tsl_tokenizer_opts){ .pattern = "cl100k" }, TSL_EUSAGE,
            "pattern");
    refused("v", (struct tsl_tokenizer_opts){ .invalid = TSL_INVALID_BYTES }, TSL_EUSAGE,
            "cannot be kept");
    refused("j", (struct tsl_tokenizer_opts){ .rules = TSL_RULES_GOOGLE }, TSL_EUSAGE,
            "vocab.txt");
    refused("j", (struct tsl_tokenizer_opts){ .lowercase = TSL_CASE_LOWER }, TSL_EUSAGE,
            "vocab.txt");
    refused("j", (struct tsl_tokenizer_opts){ .invalid = TSL_INVALID_BYTES }, TSL_EUSAGE,
            "cannot be kept");
    refused("t", (struct tsl_tokenizer_opts){ .pattern = "cl99" }, TSL_EUSAGE, "cl99");
    file_put("n", "a\0b\n", 4);
    refused("n", (struct tsl_tokenizer_opts){ 0 }, TSL_EFORMAT, "not a vocabulary");
}

/* Asked of 0.23.2. */
static void a_file_that_the_fast_engine_cannot_take_is_left_to_the_slow_one(void **state)
{
    char json[6000], *at = json;
    static const uint8_t start[] =
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
        "\"trim_offsets\":true,\"use_regex\":true},\"model\":{\"type\":\"BPE\",\"vocab\":"
        "{";
    (void)state;
    at += sprintf(at, "%s", (const char *)start);
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b, letter[2];
        size_t n = tsl_bytealpha_encode((struct tsl_slice){ &byte, 1 }, letter);
        at += sprintf(at, "%s\"%s%.*s\":%u", b ? "," : "",
                      *letter == '"' || *letter == '\\' ? "\\" : "", (int)n,
                      (const char *)letter, b);
    }
    /* U+4E2D is no letter for a byte */
    sprintf(at, ",\"\xe4\xb8\xad\":256,\"a\xe4\xb8\xad\":257,\"ab\":258},"
                "\"merges\":[[\"a\",\"\xe4\xb8\xad\"],[\"a\",\"b\"]]}}");
    file_put_text("j", json);
    struct tsl_tokenizer *t = opened("j", (struct tsl_tokenizer_opts){ 0 });
    gives(t, "ab a\xe4\xb8\xad", false, "258 32 97 228 184 173");
    tsl_tokenizer_destroy(t);
}

static void the_slow_engine_gives_the_same(void **state)
{
    static const char *const texts[] = { "The foxes, [MASK] THE fox [mask]", "", " \t",
                                         "fo\xcc\x81x \xe4\xbd\xa0the" };
    (void)state;
    file_put_text("v", BERT);
    struct tsl_tokenizer *fast = opened("v", (struct tsl_tokenizer_opts){ 0 });
    struct tsl_tokenizer *slow = opened("v", (struct tsl_tokenizer_opts){ .slow = true });
    assert_string_not_equal(tsl_tokenizer_engine(fast), tsl_tokenizer_engine(slow));
    for (size_t i = 0; i < 4; i++) {
        struct tsl_tokens a, b;
        char x[500], y[500];
        encode(fast, hf_str(texts[i]), TSL_WANT_SPANS | TSL_WANT_MARKS, &a);
        encode(slow, hf_str(texts[i]), TSL_WANT_SPANS | TSL_WANT_MARKS, &b);
        hf_print(&a, true, x, sizeof x);
        hf_print(&b, true, y, sizeof y);
        assert_string_equal(x, y);
        for (size_t k = 0; k < a.n; k++)
            assert_int_equal(a.marks[k], b.marks[k]);
        tsl_tokens_fini(&a);
        tsl_tokens_fini(&b);
    }
    tsl_tokenizer_destroy(fast);
    tsl_tokenizer_destroy(slow);
}

static void text_that_is_not_utf8_can_be_refused_with_its_place(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens t;
    size_t used = 0;
    (void)state;
    file_put_text("v", BERT);
    struct tsl_tokenizer *k =
        opened("v", (struct tsl_tokenizer_opts){ .invalid = TSL_INVALID_ERROR });
    struct tsl_coder *c = tsl_coder_create(k, 4 << 20, &err);
    tsl_tokens_init(&t, 0);
    assert_err(tsl_coder_encode(c, hf_str("the \xff"), true, true, &used, &t, &err),
               TSL_EFORMAT, &err, "byte 4 of the row (0xff)");
    /* in stretches: what is cut at the end may still become a character */
    assert_ok(
        tsl_coder_encode(c, hf_str("the fox the \xe4\xbd"), true, false, &used, &t, &err),
        &err);
    assert_true(used <= 12);
    char rest[20];
    int n = snprintf(rest, sizeof rest, "%s", &"the fox the \xe4\xbd,"[used]);
    assert_err(tsl_coder_encode(c, (struct tsl_slice){ (uint8_t *)rest, (size_t)n },
                                used == 0, true, &used, &t, &err),
               TSL_EFORMAT, &err, "byte 12 of the row (0xe4)");
    tsl_tokens_fini(&t);
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(k);
}

static void tokens_are_spelled_as_their_file_has_them(void **state)
{
    char buf[16];
    (void)state;
    file_put_text("v", BERT);
    struct tsl_tokenizer *t = opened("v", (struct tsl_tokenizer_opts){ 0 });
    assert_int_equal(tsl_tokenizer_spell(t, 7, buf, sizeof buf), 4);
    assert_string_equal(buf, "##es");
    assert_int_equal(tsl_tokenizer_spell(t, 7, buf, 2), 4);
    assert_memory_equal(buf, "##es", 4); /* the rest is as it was */
    assert_int_equal(tsl_tokenizer_spell(t, 9, buf, sizeof buf), -1);
    assert_int_equal(tsl_tokenizer_spell(t, UINT32_MAX, buf, sizeof buf), -1);
    tsl_tokenizer_destroy(t);
    put_bytes_file("t", "IGE= 256\n"); /* " a" */
    t = opened("t", (struct tsl_tokenizer_opts){ .pattern = "r50k" });
    assert_int_equal(tsl_tokenizer_spell(t, 256, buf, sizeof buf), 3);
    assert_string_equal(buf, "\xc4\xa0"
                             "a");
    tsl_tokenizer_destroy(t);
}

static void ids_are_decoded_and_bad_ones_named(void **state)
{
    static const uint32_t ids[] = { 2, 5, 6, 7, 8, 3 }, bad[] = { 5, 9 };
    struct tsl_err err = { 0 };
    uint8_t *text = NULL;
    size_t len = 0, cap = 0;
    (void)state;
    file_put_text("v", BERT);
    struct tsl_tokenizer *t = opened("v", (struct tsl_tokenizer_opts){ 0 });
    struct tsl_coder *c = tsl_coder_create(t, 4 << 20, &err);
    assert_ok(tsl_coder_decode(c, ids, 6, false, &text, &len, &cap, &err), &err);
    assert_true(len == 22 && memcmp(text, "[CLS] the foxes, [SEP]", 22) == 0);
    len = 0;
    assert_ok(tsl_coder_decode(c, ids, 6, true, &text, &len, &cap, &err), &err);
    assert_true(len == 10 && memcmp(text, "the foxes,", 10) == 0);
    assert_ok(tsl_coder_decode(c, ids, 0, true, &text, &len, &cap, &err), &err);
    assert_int_equal(len, 10); /* it adds */
    assert_err(tsl_coder_decode(c, bad, 2, false, &text, &len, &cap, &err), TSL_EFORMAT,
               &err, "id 9 is out of range: the vocabulary ends at 8");
    tsl_mem_free(text);
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(t);
}

static void a_token_that_stands_there_twice_is_warned_of(void **state)
{
    (void)state;
    file_put_text("v", BERT "fox\n");
    struct tsl_tokenizer *t = opened("v", (struct tsl_tokenizer_opts){ 0 });
    assert_non_null(tsl_tokenizer_warning(t, 0));
    assert_non_null(strstr(tsl_tokenizer_warning(t, 0), "more than once"));
    assert_null(tsl_tokenizer_warning(t, 1));
    gives(t, "fox", false, "9");
    tsl_tokenizer_destroy(t);
}

static void any_failure_while_opening_is_reported(void **state)
{
    static const char *const files[] = { "v", "j", "t", "g" };
    (void)state;
    file_put_text("v", BERT);
    file_put_text("j", HF(HF_BLANKS, HF_WORDS));
    put_bytes_file("t", "YWI= 256\n");
    mkdir("g", 0700);
    file_put_text("g/vocab.json", "{\"a\":0,\"b\":1,\"ab\":2}");
    file_put_text("g/merges.txt", "a b\n");
    for (size_t f = 0; f < 4; f++)
        for (unsigned nth = 1;; nth = fault_next(nth)) {
            struct tsl_err err = { 0 };
            struct tsl_tokenizer *t = NULL;
            struct tsl_coder *c = NULL;
            const struct tsl_tokenizer_opts o = { .pattern = f == 2 ? "r50k" : NULL };
            fault_arm(nth, NULL);
            int rc = tsl_tokenizer_open(&t, files[f], &o, &err);
            if (rc == 0) {
                c = tsl_coder_create(t, 4 << 20, &err);
                rc = c ? 0 : err.code;
            }
            const char *call = fault_disarm();
            if (call && !fault_is_harmless(call))
                assert_true(rc < 0);
            assert_int_equal(err.code, rc);
            tsl_coder_destroy(c);
            if (t && (rc == 0 || !c))
                tsl_tokenizer_destroy(t);
            if (!call)
                break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_kind_of_a_file_is_told_by_its_content_not_its_name),
        TEST(a_folder_has_one_vocabulary_and_an_order_of_them),
        TEST(vocab_json_and_merges_txt_are_found_by_either),
        TEST(options_that_do_not_fit_the_file_are_refused),
        TEST(a_file_that_the_fast_engine_cannot_take_is_left_to_the_slow_one),
        TEST(the_slow_engine_gives_the_same),
        TEST(text_that_is_not_utf8_can_be_refused_with_its_place),
        TEST(tokens_are_spelled_as_their_file_has_them),
        TEST(ids_are_decoded_and_bad_ones_named),
        TEST(a_token_that_stands_there_twice_is_warned_of),
        TEST(any_failure_while_opening_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

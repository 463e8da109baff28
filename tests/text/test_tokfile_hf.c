#include "support/hfdata.h"

#include <stdlib.h>

#include "base/mem.h"
#include "support/fault.h"

static void refused(const char *json, const char *part)
{
    struct tsl_err err = { 0 };
    struct tsl_hfpipe *p = NULL;
    assert_err(hf_try(&p, json, &err), TSL_EFORMAT, &err, part);
}

static void what_is_wrong_is_told_by_its_name(void **state)
{
    static const struct {
        const char *json, *part;
    } cases[] = {
        { "", "f.json" },
        { "[]", "must be an object, not" },
        { "{}", "model must be an object" },
        { "{\"version\":\"2.0\",\"model\":" HF_WORDS "}", "\"version\" 2.0" },
        { "{\"version\":1,\"model\":" HF_WORDS "}", "\"version\"" },
        { HF("", "{\"type\":\"Neural\",\"vocab\":{}}"),
          "model of type Neural is not known" },
        { HF("", "{\"type\":7,\"vocab\":{}}"), "\"type\" must be a string" },
        { HF("", "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":[]}"),
          "WordLevel" },
        { HF("", "{\"type\":\"WordLevel\",\"unk_token\":null,\"vocab\":{}}"),
          "\"unk_token\" must be a string, not null" },
        { HF("", "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":-1}}"),
          "WordLevel" },
        { HF("",
             "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":4294967296}}"),
          "WordLevel" },
        { HF("", "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"a\":0.5}}"),
          "WordLevel" },
        { HF("", "{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"vocab\":{\"?\":0}}"),
          "\"continuing_subword_prefix\"" },
        { HF("",
             "{\"type\":\"WordPiece\",\"unk_token\":\"?\",\"continuing_subword_prefix\":"
             "\"##\",\"max_input_chars_per_word\":-3,\"vocab\":{\"?\":0}}"),
          "\"max_input_chars_per_word\" must be a whole number" },
        { HF("", "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}"),
          "merge 0" },
        { HF("", "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b c\"]}"),
          "merge 0" },
        { HF("",
             "{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[[\"a\",\"b\"]]}"),
          "merge 0" },
        { HF("", "{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\",7]]}"),
          "merge 0" },
        { HF("",
             "{\"type\":\"BPE\",\"dropout\":\"x\",\"vocab\":{\"a\":0},\"merges\":[]}"),
          "\"dropout\" must be a number" },
        { HF("", "{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[]}"), "no tokens" },
        { HF("", "{\"type\":\"Unigram\",\"unk_id\":2,\"vocab\":[[\"a\",0],[\"b\",0]]}"),
          "\"unk_id\"" },
        { HF("", "{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\"]]}"), "token 0" },
        { HF("\"normalizer\":{\"type\":\"Upper\"},", HF_WORDS),
          "normalizer of type Upper is not known" },
        { HF("\"normalizer\":[],", HF_WORDS), "normalizer must be an object or null" },
        { HF("\"normalizer\":{},", HF_WORDS), "normalizer has no \"type\"" },
        { HF("\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"NFQ\"}]}"
             ",",
             HF_WORDS),
          "NFQ" },
        { HF("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"!\"},",
             HF_WORDS),
          "Precompiled" },
        { HF("\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},"
             "\"content\":"
             "\"\"},",
             HF_WORDS),
          "Replace" },
        { HF("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},"
             "\"behavior\":\"Isolated\",\"invert\":false},",
             HF_WORDS),
          "Split" },
        { HF("\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},"
             "\"behavior\":\"Isolate\",\"invert\":false},",
             HF_WORDS),
          "\"behavior\" must be" },
        { HF("\"pre_tokenizer\":{\"type\":\"CharDelimiterSplit\",\"delimiter\":\"ab\"},",
             HF_WORDS),
          "one character" },
        { HF("\"pre_tokenizer\":{\"type\":\"FixedLength\",\"length\":0},", HF_WORDS),
          "FixedLength" },
        { HF("\"post_processor\":{\"type\":\"BertProcessing\",\"sep\":[\"s\"],\"cls\":"
             "[\"c\",1]},",
             HF_WORDS),
          "\"sep\" must be" },
        { HF("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{"
             "\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}}],\"pair\":[],\"special_"
             "tokens\":{}},",
             HF_WORDS),
          "\"special_tokens\" does not have x" },
        { HF("\"decoder\":{\"type\":\"Morse\"},", HF_WORDS), "decoder of type Morse" },
        { HF("\"truncation\":{\"max_length\":-1,\"strategy\":\"LongestFirst\",\"stride\":"
             "0},",
             HF_WORDS),
          "max_length" },
        { HF("\"truncation\":{\"max_length\":1,\"strategy\":\"Shortest\",\"stride\":0},",
             HF_WORDS),
          "strategy" },
        { HF("\"padding\":{\"strategy\":\"Longest\",\"direction\":\"Right\",\"pad_id\":0,"
             "\"pad_type_id\":0,\"pad_token\":\"x\"},",
             HF_WORDS),
          "strategy" },
        { HF("\"added_tokens\":{},", HF_WORDS), "added_tokens must be an array" },
        { HF("\"added_tokens\":[{\"id\":1}],", HF_WORDS),
          "\"content\" must be a string" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refused(cases[i].json, cases[i].part);
}

static void a_name_from_the_file_is_made_safe_for_messages(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_hfpipe *p;
    char json[3000];
    (void)state;
    refused(HF("\"decoder\":{\"type\":\"a\\u001b[2J\\n\"},", HF_WORDS),
            "$'a\\033[2J\\012'");
    memset(json, 'x', sizeof json);
    int n = snprintf(json, sizeof json, "{\"model\":{\"type\":\"");
    json[n] = 'x';
    strcpy(json + 2900, "\"}}");
    int rc = hf_try(&p, json, &err);
    assert_err(rc, TSL_EFORMAT, &err, "is not known");
}

static void a_file_that_is_cut_short_anywhere_is_refused(void **state)
{
    static const char json[] =
        HF("\"normalizer\":{\"type\":\"NFC\"}," HF_BLANKS
           "\"decoder\":{\"type\":\"ByteLevel\"},\"added_tokens\":[],",
           HF_WORDS);
    (void)state;
    for (size_t n = 0; n + 1 < sizeof json; n++) {
        struct tsl_err err = { 0 };
        struct tsl_hfpipe *p;
        uint8_t *copy = malloc(n + 1); /* nothing behind it may be read */
        memcpy(copy, json, n);
        int rc = tsl_tokfile_hf_parse(&p, (struct tsl_slice){ copy, n }, "f", NULL, &err);
        free(copy);
        assert_err(rc, TSL_EFORMAT, &err, "f");
    }
}

/* {"type":"Sequence","normalizers":[ ... ]} n deep. */
static char *nested(size_t n, const char *role, const char *key)
{
    size_t each = 40 + strlen(key);
    char *json = malloc(n * (each + 4) + 200 + sizeof HF_WORDS), *at = json;
    at += sprintf(at, "{\"%s\":", role);
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "{\"type\":\"Sequence\",\"%s\":[", key);
    for (size_t i = 0; i < n; i++)
        at += sprintf(at, "]}");
    sprintf(at, ",\"model\":%s}", HF_WORDS);
    return json;
}

static void parts_in_parts_do_not_exhaust_the_stack(void **state)
{
    static const char *const keys[][2] = { { "normalizer", "normalizers" },
                                           { "pre_tokenizer", "pretokenizers" },
                                           { "post_processor", "processors" },
                                           { "decoder", "decoders" } };
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        char *json = nested(100000, keys[i][0], keys[i][1]);
        refused(json, "f.json");
        free(json);
        json = nested(20, keys[i][0], keys[i][1]);
        tsl_hfpipe_destroy(hf_pipe(json));
        free(json);
    }
}

static void of_a_key_that_is_there_twice_the_last_counts(void **state)
{
    struct tsl_hfpipe *p = hf_pipe(
        HF(HF_BLANKS, "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,"
                      "\"a\":1,\"b\":2,\"a\":3}}"));
    (void)state;
    hf_gives(p, "a b", false, "3 2");
    tsl_hfpipe_destroy(p);
}

static void numbers_that_are_huge_take_no_memory(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens a, out;
    (void)state;
    struct tsl_hfpipe *p =
        hf_pipe(HF("\"truncation\":{\"direction\":\"Right\",\"max_length\":4000000000,"
                   "\"strategy\":\"LongestFirst\",\"stride\":0},",
                   HF_WORDS));
    struct tsl_postproc_opts o = { .truncation = &p->truncation };
    tsl_tokens_init(&a, 0);
    tsl_tokens_init(&out, 0);
    assert_ok(tsl_tokens_add(&a, 1, 0, 0, 0, &err), &err);
    assert_ok(tsl_postproc_wrap(&p->postproc, &a, NULL, &o, &out, NULL, NULL, &err),
              &err);
    assert_int_equal(out.n, 1);
    tsl_tokens_fini(&a);
    tsl_tokens_fini(&out);
    tsl_hfpipe_destroy(p);
    refused(HF("\"padding\":{\"strategy\":{\"Fixed\":99999999999999999999},\"direction\":"
               "\"Right\",\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"x\"},",
               HF_WORDS),
            "");
    refused(HF("\"padding\":{\"strategy\":{\"Fixed\":900000000000},\"direction\":"
               "\"Right\",\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"x\"},",
               HF_WORDS),
            "");
    /* an id far behind the others: no table is made for all between */
    p = hf_pipe(HF(HF_BLANKS,
                   "{\"type\":\"WordLevel\",\"unk_token\":\"?\",\"vocab\":{\"?\":0,"
                   "\"a\":4000000}}"));
    hf_gives(p, "a b", false, "4000000 0");
    tsl_hfpipe_destroy(p);
}

static void added_tokens_with_other_ids_than_told_are_noted(void **state)
{
    static const char json[] =
        HF(HF_BLANKS
           "\"added_tokens\":[{\"id\":3,\"content\":\"zz\",\"single_word\":false,"
           "\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true},"
           "{\"id\":6,\"content\":\"yy\",\"single_word\":false,\"lstrip\":false,"
           "\"rstrip\":false,\"normalized\":false,\"special\":true}],",
           HF_WORDS);
    struct tsl_tokfile_hf_notes notes;
    struct tsl_err err = { 0 };
    struct tsl_hfpipe *p;
    (void)state;
    assert_ok(tsl_tokfile_hf_parse(&p, hf_str(json), "f.json", &notes, &err), &err);
    assert_string_equal(notes.text, "f.json: added token zz has id 5, not 3");
    hf_gives(p, "zz yy", false, "5 6");
    tsl_hfpipe_destroy(p);
}

static void models_without_a_type_are_told_by_their_members(void **state)
{
    struct tsl_hfpipe *p = hf_pipe(
        HF(HF_BLANKS, "{\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"));
    (void)state;
    assert_int_equal(p->model, TSL_HFPIPE_BPE);
    hf_gives(p, "ab ba", false, "2 1 0");
    tsl_hfpipe_destroy(p);
    p = hf_pipe(HF(HF_BLANKS, "{\"unk_id\":0,\"vocab\":[[\"?\",0.0],[\"a\",-1.5]]}"));
    assert_int_equal(p->model, TSL_HFPIPE_UNIGRAM);
    hf_gives(p, "ab", false, "1 0");
    tsl_hfpipe_destroy(p);
    p = hf_pipe(HF(HF_BLANKS, "{\"unk_token\":\"?\",\"continuing_subword_prefix\":\"#\","
                              "\"max_input_chars_per_word\":4,\"vocab\":{\"?\":0,\"a\":1,"
                              "\"#b\":2}}"));
    assert_int_equal(p->model, TSL_HFPIPE_WORDPIECE);
    hf_gives(p, "ab abbbb b", false, "1 2 0 0");
    tsl_hfpipe_destroy(p);
}

static void keys_that_the_peer_does_not_know_are_passed_over(void **state)
{
    struct tsl_hfpipe *p = hf_pipe(HF("\"comment\":{\"x\":[1,2]}," HF_BLANKS, HF_WORDS));
    (void)state;
    hf_gives(p, "c", false, "3");
    tsl_hfpipe_destroy(p);
}

/* The keys are NUL, backslash NUL and the six characters backslash u0000. */
static void a_special_token_may_be_called_by_nul(void **state)
{
#define NUL "\\u0000"
#define BACKSLASH "\\\\"
#define KEY(key, id) "\"" key "\":{\"ids\":[" id "]}"
#define PIECE(key) "{\"SpecialToken\":{\"id\":\"" key "\",\"type_id\":0}}"
#define PIECES PIECE(NUL) "," PIECE(BACKSLASH NUL) "," PIECE(BACKSLASH "u0000")
#define KEYS KEY(NUL, "7") "," KEY(BACKSLASH NUL, "8") "," KEY(BACKSLASH "u0000", "9")
    struct tsl_hfpipe *p =
        hf_pipe(HF("\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":"
                   "[" PIECES "],\"pair\":[],\"special_tokens\":{" KEYS "}},",
                   HF_WORDS));
    const struct tsl_postproc_list *l = &p->postproc.lists[0][1];
    (void)state;
    assert_int_equal(l->n, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(l->list[i].id, 7 + i);
    tsl_hfpipe_destroy(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_wrong_is_told_by_its_name),
        TEST(a_name_from_the_file_is_made_safe_for_messages),
        TEST(a_file_that_is_cut_short_anywhere_is_refused),
        TEST(parts_in_parts_do_not_exhaust_the_stack),
        TEST(of_a_key_that_is_there_twice_the_last_counts),
        TEST(numbers_that_are_huge_take_no_memory),
        TEST(added_tokens_with_other_ids_than_told_are_noted),
        TEST(models_without_a_type_are_told_by_their_members),
        TEST(keys_that_the_peer_does_not_know_are_passed_over),
        TEST(a_special_token_may_be_called_by_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

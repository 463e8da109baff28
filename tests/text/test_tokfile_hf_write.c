#include "support/test.h"

#include <string.h>

#include "base/utf8.h"
#include "text/bytealpha.h"
#include "text/tokenizer.h"
#include "text/tokfile_hf_write.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static const char *const bert_tokens[] = { "[PAD]",        "[UNK]", "[CLS]", "[SEP]",
                                           "[MASK]",       "<sym>", "the",   "e",
                                           "##e",          "##the", "E",     "\xc3\xa9",
                                           "\xe4\xbd\xa0", "\"" };
static const char *const byte_tokens[] = { "<|endoftext|>",
                                           "<sym>",
                                           "a",
                                           "b",
                                           "1",
                                           "\xc4\xa0",
                                           "ab",
                                           ("\xc4\xa0"
                                            "ab"),
                                           "11",
                                           "111",
                                           "\"" };
static const struct tsl_tokfile_merge byte_merges[] = {
    { 2, 3, 6 }, { 5, 6, 7 }, { 4, 4, 8 }, { 8, 4, 9 }
};

enum { TOKENS_MAX = 300 };
static struct tsl_slice tokens[TOKENS_MAX];

static struct tsl_tokfile_def define(const char *const *list, size_t n, size_t nspecials)
{
    for (size_t i = 0; i < n; i++)
        tokens[i] = slice(list[i]);
    return (struct tsl_tokfile_def){
        .tokens = tokens, .ntokens = n, .nspecials = nspecials, .nsymbols = 1
    };
}

/* The fast engine wants each byte to have a token. */
static struct tsl_tokfile_def define_bytes(void)
{
    static uint8_t letters[256][4];
    struct tsl_tokfile_def def = define(byte_tokens, 11, 1);
    for (unsigned b = 0; b < 256; b++) {
        if (b == 'a' || b == 'b' || b == '1' || b == ' ' || b == '"')
            continue;
        tokens[def.ntokens++] = (struct tsl_slice){
            letters[b], tsl_utf8_encode(letters[b], tsl_bytealpha_char((uint8_t)b))
        };
    }
    def.merges = byte_merges;
    def.nmerges = 4;
    return def;
}

static struct tsl_tokenizer *open_file(const struct tsl_tokfile_out *f,
                                       const char *engine)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t;
    const struct tsl_tokenizer_opts o = { 0 };
    file_put("tokenizer.json", f->bytes, f->len);
    assert_ok(tsl_tokenizer_open(&t, "tokenizer.json", &o, &err), &err);
    assert_string_equal(tsl_tokenizer_engine(t), engine);
    assert_null(tsl_tokenizer_warning(t, 0));
    return t;
}

/* ids end with UINT32_MAX */
static void check_ids(const struct tsl_tokenizer *t, const char *text, bool wrap,
                      const uint32_t *ids)
{
    struct tsl_err err = { 0 };
    struct tsl_tokens out, wrapped;
    size_t used;
    struct tsl_coder *c = tsl_coder_create(t, 4 << 20, &err);
    assert_non_null(c);
    tsl_tokens_init(&out, 0);
    tsl_tokens_init(&wrapped, 0);
    assert_ok(tsl_coder_encode(c, slice(text), true, true, &used, &out, &err), &err);
    if (wrap)
        assert_ok(tsl_coder_wrap(c, &out, NULL, &wrapped, NULL, NULL, &err), &err);
    const struct tsl_tokens *all = wrap ? &wrapped : &out;
    size_t n = 0;
    while (ids[n] != UINT32_MAX)
        n++;
    assert_int_equal(all->n, n);
    assert_memory_equal(all->ids, ids, n * sizeof *ids);
    tsl_tokens_fini(&out);
    tsl_tokens_fini(&wrapped);
    tsl_coder_destroy(c);
}

#define CHECK_IDS(t, text, wrap, ...)                                                    \
    check_ids(t, text, wrap, (const uint32_t[]){ __VA_ARGS__, UINT32_MAX })

static void wordpiece_is_read_by_the_fast_engine(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_tokfile_def def = define(bert_tokens, 14, 5);
    (void)state;
    for (int lower = 0; lower < 2; lower++) {
        struct tsl_tokfile_out f = { 0 };
        const struct tsl_bertnorm norm = { .clean_text = true,
                                           .handle_chinese_chars = true,
                                           .lowercase = lower,
                                           .strip_accents = lower };
        assert_ok(tsl_tokfile_hf_write_wordpiece(&f, &def, &norm, &err), &err);
        struct tsl_tokenizer *t = open_file(&f, "bert");
        CHECK_IDS(t, "the[MASK]the<sym>\"", false, 6, 4, 6, 5, 13);
        CHECK_IDS(t, "E \xc3\xa9\xe4\xbd\xa0 x", false, lower ? 7 : 10, lower ? 7 : 11,
                  12, 1);
        CHECK_IDS(t, "thee", true, 2, 6, 8, 3);
        tsl_tokenizer_destroy(t);
        tsl_tokfile_out_fini(&f);
    }
}

static void without_cls_and_sep_nothing_goes_around(void **state)
{
    static const char *const list[] = { "[UNK]", "<sym>", "the" };
    struct tsl_err err = { 0 };
    struct tsl_tokfile_def def = define(list, 3, 1);
    struct tsl_tokfile_out f = { 0 };
    const struct tsl_bertnorm norm = { .clean_text = true, .strip_accents = true };
    (void)state;
    assert_ok(tsl_tokfile_hf_write_wordpiece(&f, &def, &norm, &err), &err);
    struct tsl_tokenizer *t = open_file(&f, "bert");
    CHECK_IDS(t, "th\xc3\xa9", true, 2);
    tsl_tokenizer_destroy(t);
    tsl_tokfile_out_fini(&f);
}

static void wordpiece_without_unk_is_refused(void **state)
{
    static const char *const list[] = { "[CLS]", "<sym>", "[UNK]" };
    struct tsl_err err = { 0 };
    struct tsl_tokfile_def def = define(list, 3, 1);
    struct tsl_tokfile_out f = { 0 };
    const struct tsl_bertnorm norm = { 0 };
    (void)state;
    assert_err(tsl_tokfile_hf_write_wordpiece(&f, &def, &norm, &err), TSL_EUSAGE, &err,
               "[UNK]");
    tsl_tokfile_out_fini(&f);
}

static void byte_level_bpe_is_read_by_the_fast_engine(void **state)
{
    static const struct {
        enum tsl_splitpat pattern;
        bool whole_number; /* 1111 is one piece */
    } kinds[] = { { TSL_SPLITPAT_GPT2, true },
                  { TSL_SPLITPAT_CL100K, false },
                  { TSL_SPLITPAT_O200K, false } };
    struct tsl_err err = { 0 };
    const struct tsl_tokfile_def def = define_bytes();
    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct tsl_tokfile_out f = { 0 };
        assert_ok(tsl_tokfile_hf_write_bytebpe(&f, &def, kinds[i].pattern, false, &err),
                  &err);
        struct tsl_tokenizer *t = open_file(&f, "byte-level BPE");
        CHECK_IDS(t, "ab ab<|endoftext|><sym>\"", true, 6, 7, 0, 1, 10);
        if (kinds[i].whole_number)
            CHECK_IDS(t, "1111", false, 8, 8);
        else
            CHECK_IDS(t, "1111", false, 9, 4);
        tsl_tokenizer_destroy(t);
        tsl_tokfile_out_fini(&f);
    }
}

static void a_blank_in_front_is_part_of_the_first_word(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_tokfile_def def = define_bytes();
    struct tsl_tokfile_out f = { 0 };
    (void)state;
    assert_ok(tsl_tokfile_hf_write_bytebpe(&f, &def, TSL_SPLITPAT_GPT2, true, &err),
              &err);
    struct tsl_tokenizer *t = open_file(&f, "byte-level BPE");
    CHECK_IDS(t, "ab", true, 7);
    tsl_tokenizer_destroy(t);
    tsl_tokfile_out_fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wordpiece_is_read_by_the_fast_engine),
        TEST(without_cls_and_sep_nothing_goes_around),
        TEST(wordpiece_without_unk_is_refused),
        TEST(byte_level_bpe_is_read_by_the_fast_engine),
        TEST(a_blank_in_front_is_part_of_the_first_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

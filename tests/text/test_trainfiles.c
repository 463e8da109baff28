#include "support/test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "text/tokenizer.h"
#include "text/trainfiles.h"

static struct tsl_slice slice(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

/* A vocabulary as bpetrain.h gives it, of tokens by id. */
enum { TOKENS_MAX = 16 };
static struct {
    char bytes[200];
    uint64_t end[TOKENS_MAX], count[TOKENS_MAX];
} made;

static struct tsl_bpetrain make(const char *const *tokens, size_t n, size_t nspecials,
                                const struct tsl_bpetrain_merge *merges, size_t nmerges)
{
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        at += (size_t)snprintf(made.bytes + at, sizeof made.bytes - at, "%s", tokens[i]);
        made.end[i] = at;
    }
    return (struct tsl_bpetrain){ .n = n,
                                  .bytes = (const uint8_t *)made.bytes,
                                  .end = made.end,
                                  .count = made.count,
                                  .nspecials = nspecials,
                                  .merges = merges,
                                  .nmerges = nmerges };
}

static struct tsl_slice specials[4];

static struct tsl_trainspec spec_of(enum tsl_train_kind kind, const char *const *tokens,
                                    size_t nspecials, size_t nsymbols)
{
    for (size_t i = 0; i < nspecials + nsymbols; i++)
        specials[i] = slice(tokens[i]);
    return (struct tsl_trainspec){ .kind = kind,
                                   .specials = specials,
                                   .nspecials = nspecials,
                                   .symbols = specials + nspecials,
                                   .nsymbols = nsymbols,
                                   .norm = { TSL_RULES_HF, true, true, true, true },
                                   .pattern = TSL_SPLITPAT_GPT2,
                                   .spm = tsl_tokfile_spm_defaults(),
                                   .made_by = "by us" };
}

static void write_all(const struct tsl_trainfiles *f)
{
    struct tsl_err err = { 0 };
    assert_ok(tsl_outfolder_write("v", f->file, f->n, &err), &err);
}

static void check_ids_of(const char *path, const char *engine, const char *text,
                         const uint32_t *ids, size_t n)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t;
    const struct tsl_tokenizer_opts o = { 0 };
    struct tsl_tokens out;
    size_t used;
    assert_ok(tsl_tokenizer_open(&t, path, &o, &err), &err);
    if (engine)
        assert_string_equal(tsl_tokenizer_engine(t), engine);
    struct tsl_coder *c = tsl_coder_create(t, 4 << 20, &err);
    assert_non_null(c);
    tsl_tokens_init(&out, 0);
    assert_ok(tsl_coder_encode(c, slice(text), true, true, &used, &out, &err), &err);
    assert_int_equal(out.n, n);
    assert_memory_equal(out.ids, ids, n * sizeof *ids);
    tsl_tokens_fini(&out);
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(t);
}

static void check_ids(const char *engine, const char *text, const uint32_t *ids, size_t n)
{
    check_ids_of("v", engine, text, ids, n);
    if (strcmp(engine, "spm") == 0 && file_exists("v/tokenizer.json"))
        check_ids_of("v/tokenizer.json", NULL, text, ids, n);
}

#define CHECK_IDS(engine, text, ...)                                                     \
    check_ids(engine, text, (const uint32_t[]){ __VA_ARGS__ },                           \
              sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

#define CHECK_IDS_OF_MODEL(engine, text, ...)                                            \
    check_ids_of("v", engine, text, (const uint32_t[]){ __VA_ARGS__ },                   \
                 sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

static const char *const bert[] = { "[UNK]", "@@", "a", "b", "##b", "ab" };

static void wordpiece_is_two_files(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_bpetrain_merge merges[] = { { 2, 4, 5, 9 } };
    const struct tsl_bpetrain t = make(bert, 6, 2, merges, 1);
    const struct tsl_trainspec spec = spec_of(TSL_TRAIN_WORDPIECE, bert, 1, 1);
    struct tsl_trainfiles f = { 0 };
    (void)state;
    assert_ok(tsl_trainfiles_make(&f, &spec, &t, NULL, &err), &err);
    write_all(&f);
    assert_int_equal(folder_count("v"), 2);
    assert_true(file_is_text("v/vocab.txt", "[UNK]\n@@\na\nb\n##b\nab\n"));
    CHECK_IDS("bert", "AB@@bb c", 5, 1, 3, 4, 0);
    tsl_trainfiles_fini(&f);
}

static const char *const spm[] = { "<unk>",
                                   "<s>",
                                   "@@",
                                   ("\xe2\x96\x81"
                                    "a"),
                                   "b",
                                   "a",
                                   "\xe2\x96\x81" };

static void sentencepiece_is_two_files_that_agree(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_trainspec spec = spec_of(TSL_TRAIN_SPMBPE, spm, 2, 1);
    const struct tsl_bpetrain_merge merges[] = { { 6, 5, 3, 9 } };
    struct tsl_trainfiles f = { 0 };
    (void)state;
    for (int fallback = 0; fallback < 2; fallback++) {
        const uint32_t extra = fallback ? 256 : 0;
        struct tsl_bpetrain t = make(spm, 7, 3, merges, 1);
        spec.spm.byte_fallback = fallback;
        assert_ok(tsl_trainfiles_make(&f, &spec, &t, NULL, &err), &err);
        write_all(&f);
        assert_int_equal(folder_count("v"), 2);
        if (fallback)
            CHECK_IDS("spm", " ab@@c ", 3 + extra, 4 + extra, 2, 3 + 'c');
        else
            CHECK_IDS("spm", " ab@@c ", 3, 4, 2, 0);
        tsl_trainfiles_fini(&f);
    }
}

static void unigram_is_two_files_that_agree(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_trainspec spec = spec_of(TSL_TRAIN_UNIGRAM, spm, 2, 1);
    struct tsl_unitrain_piece pieces[] = { { slice("\xe2\x96\x81"), -1.5F },
                                           { slice("ab"), -2.5F },
                                           { slice("a"), -3 },
                                           { slice("b"), -3.25F } };
    const struct tsl_unitrain u = { .pieces = pieces, .n = 4 };
    struct tsl_trainfiles f = { 0 };
    (void)state;
    assert_ok(tsl_trainfiles_make(&f, &spec, NULL, &u, &err), &err);
    write_all(&f);
    assert_int_equal(folder_count("v"), 2);
    CHECK_IDS("spm", "ab@@ba", 3, 4, 2, 6, 5);
    tsl_trainfiles_fini(&f);
}

/* Hugging Face has no parts for it; what lies there from another run would be wrong. */
static void blanks_that_end_pieces_are_for_the_model_alone(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_trainspec spec = spec_of(TSL_TRAIN_SPMBPE, spm, 2, 1);
    const struct tsl_bpetrain t = make(spm, 7, 3, NULL, 0);
    struct tsl_trainfiles f = { 0 };
    (void)state;
    spec.spm.whitespace_suffix = true;
    assert_ok(tsl_trainfiles_make(&f, &spec, &t, NULL, &err), &err);
    write_all(&f);
    assert_int_equal(folder_count("v"), 1);
    tsl_trainfiles_fini(&f);
    file_put_text("v/tokenizer.json", "{}");
    assert_err(tsl_trainfiles_check("v", &spec, &err), TSL_EUSAGE, &err,
               "tokenizer.json");
}

/* Of two files from elsewhere the tokenizer.json is meant: it may have more tokens. */
static void the_model_is_read_where_it_is_ours(void **state)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t;
    const struct tsl_tokenizer_opts o = { 0 };
    struct tsl_trainspec spec = spec_of(TSL_TRAIN_SPMBPE, spm, 2, 1);
    const struct tsl_bpetrain made_of = make(spm, 7, 3, NULL, 0);
    struct tsl_trainfiles f = { 0 };
    (void)state;
    assert_ok(tsl_trainfiles_make(&f, &spec, &made_of, NULL, &err), &err);
    write_all(&f);
    file_put_text("v/tokenizer.json", "{ is not read");
    CHECK_IDS_OF_MODEL("spm", "ab", 3, 4);
    tsl_trainfiles_fini(&f);
    file_put_text("v/tokenizer.model", "not ours");
    assert_err(tsl_tokenizer_open(&t, "v", &o, &err), TSL_EFORMAT, &err,
               "tokenizer.json");
}

static void what_cannot_be_written_is_told_beforehand(void **state)
{
    struct tsl_err err = { 0 };
    static const char *const blank[] = { "[UNK]", " x" }, *const none[] = { "<s>" };
    struct tsl_trainspec spec = spec_of(TSL_TRAIN_WORDPIECE, blank, 1, 1);
    (void)state;
    assert_err(tsl_trainfiles_check("v", &spec, &err), TSL_EUSAGE, &err,
               "cannot be a line");
    spec.nsymbols = 0;
    assert_ok(tsl_trainfiles_check("v", &spec, &err), &err);
    spec.nspecials = 0;
    assert_err(tsl_trainfiles_check("v", &spec, &err), TSL_EUSAGE, &err, "[UNK]");
    spec = spec_of(TSL_TRAIN_SPMBPE, none, 1, 0);
    assert_err(tsl_trainfiles_check("v", &spec, &err), TSL_EUSAGE, &err, "<unk>");
    spec = spec_of(TSL_TRAIN_UNIGRAM, none, 1, 0);
    assert_err(tsl_trainfiles_check("v", &spec, &err), TSL_EUSAGE, &err, "<unk>");
    spec = spec_of(TSL_TRAIN_BYTEBPE, none, 0, 0);
    assert_ok(tsl_trainfiles_check("v", &spec, &err), &err);
    assert_err(tsl_trainfiles_check("no/such", &spec, &err), TSL_EIO, &err, "no/such");
    assert_true(folder_is_empty("."));
}

static void a_folder_is_for_one_kind(void **state)
{
    struct tsl_err err = { 0 };
    const struct tsl_trainspec gpt2 = spec_of(TSL_TRAIN_BYTEBPE, bert, 1, 0);
    const struct tsl_trainspec wordpiece = spec_of(TSL_TRAIN_WORDPIECE, bert, 1, 0);
    (void)state;
    assert_int_equal(mkdir("v", 0777), 0);
    file_put_text("v/vocab.txt", "x");
    assert_err(tsl_trainfiles_check("v", &gpt2, &err), TSL_EUSAGE, &err, "vocab.txt");
    assert_ok(tsl_trainfiles_check("v", &wordpiece, &err), &err);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(wordpiece_is_two_files),
        TEST(sentencepiece_is_two_files_that_agree),
        TEST(unigram_is_two_files_that_agree),
        TEST(what_cannot_be_written_is_told_beforehand),
        TEST(a_folder_is_for_one_kind),
        TEST(blanks_that_end_pieces_are_for_the_model_alone),
        TEST(the_model_is_read_where_it_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

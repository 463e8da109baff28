#include "support/test.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "support/fault.h"
#include "support/hfdata.h"
#include "text/vocabid.h"

static struct tsl_tokenizer *opened(const char *text)
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer_opts o = { 0 };
    struct tsl_tokenizer *t = NULL;
    file_put_text("vocabulary", text);
    assert_ok(tsl_tokenizer_open(&t, "vocabulary", &o, &err), &err);
    return t;
}

static void id_of(const char *text, char id[TSL_VOCABID_BYTES])
{
    struct tsl_err err = { 0 };
    struct tsl_tokenizer *t = opened(text);
    assert_ok(tsl_vocabid_of(t, id, &err), &err);
    tsl_tokenizer_destroy(t);
}

#define BERT "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"

static void it_is_the_hash_of_ids_lengths_and_spellings(void **state)
{
    static const char *const spelled[] = { "[PAD]",  "[UNK]", "[CLS]",     "[SEP]",
                                           "[MASK]", "the",   "##\xc3\xa9" };
    uint8_t all[200];
    size_t n = 0;
    char want[TSL_VOCABID_BYTES], got[TSL_VOCABID_BYTES];
    (void)state;
    for (uint32_t i = 0; i < 7; i++) {
        uint32_t len = (uint32_t)strlen(spelled[i]);
        tsl_store32(all + n, i);
        tsl_store32(all + n + 4, len);
        memcpy(all + n + 8, spelled[i], len);
        n += 8 + len;
    }
    struct tsl_u128 h = tsl_hash128(all, n);
    snprintf(want, sizeof want, "%016" PRIx64 "%016" PRIx64, h.hi, h.lo);
    id_of(BERT "the\n##\xc3\xa9\n", got);
    assert_string_equal(got, want);
    /* Streams on disk have it: it must never change. */
    assert_string_equal(got, "f9311d35b1c3106a91603f391130f553");
}

static void an_id_without_a_token_counts_too(void **state)
{
    char with[TSL_VOCABID_BYTES], without[TSL_VOCABID_BYTES];
    (void)state;
    id_of(HF(HF_BLANKS, "{\"type\":\"WordLevel\",\"unk_token\":\"?\","
                        "\"vocab\":{\"?\":0,\"a\":2}}"),
          with);
    id_of(HF(HF_BLANKS, "{\"type\":\"WordLevel\",\"unk_token\":\"?\","
                        "\"vocab\":{\"?\":0,\"a\":1}}"),
          without);
    assert_string_not_equal(with, without);
}

static void the_same_tokens_in_another_format_are_the_same_vocabulary(void **state)
{
    char txt[TSL_VOCABID_BYTES], json[TSL_VOCABID_BYTES], merged[TSL_VOCABID_BYTES];
    (void)state;
    id_of(BERT "a\nb\nab\n", txt);
    id_of(HF(HF_BLANKS, "{\"type\":\"WordLevel\",\"unk_token\":\"[UNK]\",\"vocab\":{"
                        "\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,\"[SEP]\":3,\"[MASK]\":4,"
                        "\"a\":5,\"b\":6,\"ab\":7}}"),
          json);
    id_of(HF("", "{\"type\":\"BPE\",\"unk_token\":\"[UNK]\",\"vocab\":{"
                 "\"ab\":7,\"b\":6,\"a\":5,\"[PAD]\":0,\"[UNK]\":1,\"[CLS]\":2,"
                 "\"[SEP]\":3,\"[MASK]\":4},\"merges\":[\"a b\"]}"),
          merged);
    assert_string_equal(txt, json);
    assert_string_equal(txt, merged);
}

static void any_other_vocabulary_has_another_name(void **state)
{
    static const char *const files[] = {
        BERT "ab\nc\n", BERT "a\nbc\n", BERT "c\nab\n", BERT "ab\nc\nd\n",
        BERT "ab\n",    BERT "abc\n",   BERT "ab\nC\n",
    };
    enum { N = sizeof files / sizeof *files };
    char ids[N][TSL_VOCABID_BYTES];
    (void)state;
    for (size_t i = 0; i < N; i++) {
        id_of(files[i], ids[i]);
        assert_int_equal(strlen(ids[i]), 32);
        assert_int_equal(strspn(ids[i], "0123456789abcdef"), 32);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(ids[i], ids[k]);
    }
}

static int name_it(void *ctx, struct tsl_err *err)
{
    char id[TSL_VOCABID_BYTES];
    return tsl_vocabid_of(ctx, id, err);
}

static void any_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct tsl_tokenizer *t = opened(BERT "the\n");
    fault_each_allocation(name_it, t);
    tsl_tokenizer_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(it_is_the_hash_of_ids_lengths_and_spellings),
        TEST(an_id_without_a_token_counts_too),
        TEST(the_same_tokens_in_another_format_are_the_same_vocabulary),
        TEST(any_other_vocabulary_has_another_name),
        TEST(any_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* fuzz_wordpiece - any vocabulary and any word: the tokens that the slow way finds. */
#include "support/fuzzmodel.h"
#include "support/slowmodels.h"
#include "text/wordpiece.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const prefixes[] = { "##", "", "é", "a" };
    if (size < 1 || size > 2000)
        return 0;
    struct tsl_slice prefix = fuzz_str(prefixes[data[0] & 3]), line, word;
    size_t chars_max = data[0] & 4 ? 100 : 5;
    struct tsl_tokfile_lines lines = { .rest = { data + 1, size - 1 } };
    struct tsl_vocab *v = tsl_vocab_create(NULL);
    struct tsl_wordpiece w;
    struct tsl_tokens fast, slow;
    tsl_tokens_init(&fast, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    fuzz_token(v, fuzz_str("[UNK]"));
    while (fuzz_line(&lines, &line))
        if (fuzz_is_utf8(line))
            fuzz_token(v, line);
    uint8_t *copy = fuzz_piece(&lines, &word);
    must(tsl_wordpiece_init(&w, v, fuzz_str("[UNK]"), prefix, chars_max, NULL) == 0);
    must(tsl_wordpiece_encode(&w, word, &fast, NULL) == 0);
    fuzz_check(&fast, word);
    if (fuzz_is_utf8(word)) {
        slow_wordpiece(v, fuzz_str("[UNK]"), prefix, chars_max, word, &slow);
        fuzz_same(&fast, &slow);
    }
    free(copy);
    tsl_tokens_fini(&fast);
    tsl_tokens_fini(&slow);
    tsl_wordpiece_fini(&w);
    tsl_vocab_destroy(v);
    return 0;
}

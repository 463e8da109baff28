/* fuzz_unigram - any vocabulary, scores and piece: the tokens that the slow way finds. */
#include "support/fuzzmodel.h"
#include "support/slowmodels.h"
#include "text/unigram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKENS_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1000)
        return 0;
    static double scores[TOKENS_MAX];
    struct tsl_slice line, piece;
    struct tsl_tokfile_lines lines = { .rest = { data + 1, size - 1 } };
    struct tsl_vocab *v = tsl_vocab_create(NULL);
    struct tsl_unigram u;
    struct tsl_unigram_scratch scratch;
    struct tsl_tokens fast, slow;
    bool byte_fallback = data[0] & 1;
    tsl_unigram_scratch_init(&scratch);
    tsl_tokens_init(&fast, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    scores[fuzz_token(v, fuzz_str("<unk>"))] = 0;
    for (unsigned i = 0; byte_fallback && i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        if (data[0] & 2 || i % 8)
            scores[fuzz_token(v, fuzz_str(name))] = 0;
    }
    while (fuzz_line(&lines, &line)) { /* the score comes first, in one byte */
        struct tsl_slice token = { line.data + 1, line.len - 1 };
        if (fuzz_is_utf8(token) && tsl_vocab_size(v) < TOKENS_MAX) {
            uint32_t id = fuzz_token(v, token);
            scores[id] = data[0] & 4 ? -line.data[0] : 64 - line.data[0] / 3.0;
        }
    }
    uint32_t unk = data[0] & 8 ? tsl_vocab_size(v) - 1 : 0;
    uint8_t *copy = fuzz_piece(&lines, &piece);
    must(tsl_unigram_init(&u, v, scores, unk, byte_fallback, NULL) == 0);
    must(tsl_unigram_encode(&u, &scratch, piece, &fast, NULL) == 0);
    fuzz_check(&fast, piece);
    if (fuzz_is_utf8(piece)) {
        slow_unigram(v, scores, unk, byte_fallback, piece, &slow);
        fuzz_same(&fast, &slow);
    }
    free(copy);
    tsl_tokens_fini(&fast);
    tsl_tokens_fini(&slow);
    tsl_unigram_scratch_fini(&scratch);
    tsl_unigram_fini(&u);
    tsl_vocab_destroy(v);
    return 0;
}

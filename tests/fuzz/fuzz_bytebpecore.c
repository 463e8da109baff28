/* fuzz_bytebpecore - any tokens of bytes, by rank or with merges, and any piece: the tokens
 * that the slow way finds.  First byte: 1 merges (of any two lines that are one together),
 * 2 the piece is repeated, so that it takes the way of long ones; then tokens, a line each,
 * an empty line, and the piece. */
#include "support/fuzzmodel.h"
#include "support/slowbytebpe.h"
#include "text/bytebpecore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKENS_MAX = 60, MERGES_MAX = 300, LONG = 200 };

/* In the order of the right parts' ids, so that merges are in no order of their own. */
static size_t find_merges(const struct tsl_vocab *v, struct tsl_tokfile_merge *m)
{
    size_t n = 0;
    for (uint32_t right = tsl_vocab_size(v); right-- > 0;) {
        struct tsl_slice r = tsl_vocab_token(v, right);
        for (uint32_t id = 256; id < tsl_vocab_size(v) && n < MERGES_MAX; id++) {
            struct tsl_slice t = tsl_vocab_token(v, id);
            if (t.len <= r.len || memcmp(t.data + t.len - r.len, r.data, r.len) != 0)
                continue;
            int64_t left = tsl_vocab_find(v, (struct tsl_slice){ t.data, t.len - r.len });
            if (left >= 0)
                m[n++] = (struct tsl_tokfile_merge){ (uint32_t)left, right, id };
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_tokfile_merge merges[MERGES_MAX];
    struct tsl_bytebpe_scratch scratch = { .max_bytes = SIZE_MAX };
    struct tsl_slice line, piece;
    struct tsl_tokens slow;
    if (size < 1 || size > 600)
        return 0;
    struct tsl_tokfile_lines lines = { .rest = { data + 1, size - 1 } };
    struct tsl_vocab *v = tsl_vocab_create(NULL);
    for (unsigned b = 0; b < 256; b++) {
        uint8_t byte = (uint8_t)b;
        fuzz_token(v, (struct tsl_slice){ &byte, 1 });
    }
    while (fuzz_line(&lines, &line))
        if (tsl_vocab_size(v) < 256 + TOKENS_MAX)
            fuzz_token(v, line);
    uint8_t *once = fuzz_piece(&lines, &piece), *p = malloc(LONG + piece.len);
    size_t n = 0;
    must(p != NULL);
    do {
        if (piece.len)
            memcpy(p + n, piece.data, piece.len);
        n += piece.len;
    } while (data[0] & 2 && piece.len && n < LONG);
    struct tsl_bytebpe_opts o = { .vocab = v };
    if (data[0] & 1) {
        o.merges = merges;
        o.nmerges = find_merges(v, merges);
    }
    bool proper;
    struct tsl_bytebpecore *c =
        tsl_bytebpecore_create(v, o.merges, o.nmerges, &proper, NULL);
    must(c != NULL);
    uint32_t *ids = malloc(n * sizeof *ids + 1);
    int64_t k = tsl_bytebpecore_merge(c, &scratch, (struct tsl_slice){ p, n }, ids, NULL);
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    slowbyte_piece(&o, (struct tsl_slice){ p, n }, 0, n, &slow);
    must(k >= 0 && (size_t)k == slow.n);
    for (size_t i = 0; i < slow.n; i++)
        must(ids[i] == slow.ids[i]);
    tsl_tokens_fini(&slow);
    tsl_bytebpe_scratch_fini(&scratch);
    tsl_bytebpecore_destroy(c);
    tsl_vocab_destroy(v);
    free(ids);
    free(once);
    free(p);
    return 0;
}

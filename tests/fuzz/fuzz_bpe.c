/* fuzz_bpe - any vocabulary, rules and piece: the tokens that the slow way finds, and the
 * same ones in parts wherever the piece may be cut. */
#include "support/fuzzmodel.h"
#include "support/slowmodels.h"
#include "text/bpe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MERGES_MAX = 300 };

static void cut(const struct tsl_bpe *b, struct tsl_bpe_scratch *s,
                struct tsl_slice piece, const struct tsl_tokens *whole)
{
    for (size_t at = 1; at < piece.len; at++) {
        if ((piece.data[at] & 0xc0) == 0x80 || !tsl_bpe_may_cut(b, piece, at))
            continue;
        struct tsl_tokens parts;
        tsl_tokens_init(&parts, TSL_WANT_SPANS | TSL_WANT_MARKS);
        struct tsl_slice left = { piece.data, at };
        struct tsl_slice right = { piece.data + at, piece.len - at };
        must(tsl_bpe_encode(b, s, left, &parts, NULL) == 0);
        size_t nleft = parts.n;
        must(tsl_bpe_encode(b, s, right, &parts, NULL) == 0);
        for (size_t i = nleft; i < parts.n; i++) {
            parts.begin[i] += (uint32_t)at;
            parts.end[i] += (uint32_t)at;
        }
        fuzz_same(&parts, whole);
        tsl_tokens_fini(&parts);
    }
}

/* "left<TAB>right" is a rule, all else a token. */
static size_t merge_add(struct tsl_tokfile_merge *m, size_t n, struct tsl_vocab *v,
                        struct tsl_slice prefix, struct tsl_slice line)
{
    const uint8_t *tab = memchr(line.data, '\t', line.len);
    if (!tab || n == MERGES_MAX || tsl_vocab_size(v) > 1000) {
        fuzz_token(v, line);
        return n;
    }
    struct tsl_slice left = { line.data, (size_t)(tab - line.data) };
    struct tsl_slice right = { tab + 1, line.len - left.len - 1 };
    uint8_t *both = malloc(line.len);
    if (both && right.len >= prefix.len) {
        size_t len = left.len + right.len - prefix.len;
        memcpy(both, left.data, left.len);
        memcpy(both + left.len, right.data + prefix.len, right.len - prefix.len);
        m[n++] =
            (struct tsl_tokfile_merge){ fuzz_token(v, left), fuzz_token(v, right),
                                        fuzz_token(v, (struct tsl_slice){ both, len }) };
    }
    free(both);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tsl_tokfile_merge merges[MERGES_MAX];
    if (size < 1 || size > 1500)
        return 0;
    size_t n = 0;
    uint8_t flags = data[0];
    struct tsl_slice line, piece;
    struct tsl_tokfile_lines lines = { .rest = { data + 1, size - 1 } };
    struct tsl_bpe_opts o = {
        .prefix = fuzz_str(flags & 1 ? "##" : ""),
        .suffix = fuzz_str(flags & 2 ? "</w>" : ""),
        .fuse_unk = flags & 4,
        .byte_fallback = flags & 8,
        .ignore_merges = flags & 16,
    };
    if (flags & 32)
        o.unk = fuzz_str("<unk>");
    struct tsl_vocab *v = tsl_vocab_create(NULL);
    struct tsl_bpe_scratch scratch;
    struct tsl_tokens fast, slow;
    tsl_bpe_scratch_init(&scratch);
    tsl_tokens_init(&fast, TSL_WANT_SPANS | TSL_WANT_MARKS);
    tsl_tokens_init(&slow, TSL_WANT_SPANS | TSL_WANT_MARKS);
    if (o.unk.data)
        fuzz_token(v, o.unk);
    for (unsigned i = 0; o.byte_fallback && i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        if (flags & 64 || i % 8)
            fuzz_token(v, fuzz_str(name));
    }
    while (fuzz_line(&lines, &line))
        if (fuzz_is_utf8(line))
            n = merge_add(merges, n, v, o.prefix, line);
    uint8_t *copy = fuzz_piece(&lines, &piece);
    struct tsl_bpe *b = tsl_bpe_create(v, merges, n, &o, NULL);
    must(b != NULL);
    must(tsl_bpe_encode(b, &scratch, piece, &fast, NULL) == 0);
    fuzz_check(&fast, piece);
    if (fuzz_is_utf8(piece)) {
        slow_bpe(v, merges, n, &o, piece, &slow);
        fuzz_same(&fast, &slow);
        cut(b, &scratch, piece, &fast);
    }
    free(copy);
    tsl_tokens_fini(&fast);
    tsl_tokens_fini(&slow);
    tsl_bpe_scratch_fini(&scratch);
    tsl_bpe_destroy(b);
    tsl_vocab_destroy(v);
    return 0;
}

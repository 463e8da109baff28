/* fuzz_wordblock - any block of counted words: it is refused, or words come out of it in
 * order, which are the same when they have been written and read again. */
#include <stdlib.h>
#include <string.h>

#include "text/wordblock.h"

enum { CAP = 128 << 10, WORD = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
    if (!ok)
        abort();
}

/* The first byte says how many words there are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t block[CAP], last[TSL_WORDBLOCK_WORD_MAX], word[WORD], again[WORD];
    struct tsl_wordblock_reader in = { .word = word, .word_max = WORD };
    struct tsl_wordblock_reader back = { .word = again, .word_max = WORD };
    struct tsl_wordblock_writer out = { .last = last };
    struct tsl_err err = { 0 };
    uint32_t n = 0;
    int rc;
    if (size == 0)
        return 0;
    tsl_wordblock_begin(&out, block, CAP);
    tsl_wordblock_open(&in, data + 1, size - 1, data[0]);
    while ((rc = tsl_wordblock_next(&in, &err)) == 1) {
        must(in.len > 0 && in.len <= WORD && in.count > 0);
        if (!tsl_wordblock_put(&out, (struct tsl_slice){ in.word, in.len }, in.count))
            break; /* shared bytes can make more of it than fits */
        n++;
    }
    must(rc == 1 || (rc == 0) == (err.code == 0));
    must(out.nwords == n);
    tsl_wordblock_open(&back, block, out.len, n);
    for (uint32_t i = 0; i < n; i++)
        must(tsl_wordblock_next(&back, NULL) == 1);
    must(tsl_wordblock_next(&back, NULL) == 0);
    must(rc == 1 || rc < 0 || (back.len == in.len && !memcmp(again, word, in.len)));
    return 0;
}

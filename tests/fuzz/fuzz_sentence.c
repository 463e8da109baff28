/* fuzz_sentence - sentences of any text are the same whether it is read as a whole or in parts, and
 * behind each other they are the text.
 *
 *   byte 0   the size of a part */
#include "support/fuzzfile.h"
#include "text/sentence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX = 4096 };

/* Where sentences begin, a byte a byte of the text.  Parts end between characters. */
static void begins(const uint8_t *p, size_t n, size_t part, uint8_t *at)
{
    struct tsl_sentence s;
    size_t from = 0, end = 0;
    tsl_sentence_init(&s);
    while (from < n) {
        if (end == from)
            for (end = n - from < part ? n : from + part;
                 end < n && (p[end] & 0xc0) == 0x80; end++)
                ;
        from += tsl_sentence_next(&s, p + from, end - from);
        must(from <= end);
        if (from < end) {
            must(!at[from]); /* it goes on behind each begin */
            at[from] = 1;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t whole[MAX] = { 0 }, parts[MAX] = { 0 };
    if (size < 1 || size > MAX)
        return 0;
    size_t n = size - 1;
    uint8_t *text = malloc(size);
    must(text != NULL);
    memcpy(text, data + 1, n);
    begins(text, n, size, whole);
    begins(text, n, data[0] + 1u, parts);
    must(memcmp(whole, parts, n) == 0 && !whole[0]);
    free(text);
    return 0;
}

/* fuzz_words - any bytes as a user's list of words: read, or refused with a message; a text
 * of its characters is marked the same whole and in parts.
 * First byte: the size of a part; the list; a NUL; the text. */
#include "support/fakewords.h"
#include "support/fuzzmodel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mark(const struct tsl_words *w, struct tsl_slice text, size_t part)
{
    struct tsl_words_scratch s = { 0 };
    struct tsl_tokens whole, parts;
    size_t done, used;
    tsl_tokens_init(&whole, TSL_WANT_MARKS);
    tsl_tokens_init(&parts, TSL_WANT_MARKS);
    must(fakewords.encode(NULL, text, true, true, &used, &whole, NULL) == 0);
    must(fakewords.encode(NULL, text, true, true, &used, &parts, NULL) == 0);
    must(tsl_words_mark(w, &s, &whole, 0, true, &done, NULL) == 0 && done == whole.n);
    done = 0;
    for (size_t have = 0, n = whole.n; done < n;) {
        have = n - have < part ? n : have + part;
        parts.n = have;
        must(tsl_words_mark(w, &s, &parts, done, have == n, &done, NULL) == 0);
        must(done <= have && (have < n || done == n));
        must(memcmp(parts.marks, whole.marks, done) == 0);
    }
    tsl_words_scratch_fini(&s);
    tsl_tokens_fini(&whole);
    tsl_tokens_fini(&parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_err err = { 0 };
    struct tsl_words *w;
    if (size < 1 || size > 2000)
        return 0;
    uint8_t *copy = malloc(size); /* so that its end is the memory's */
    must(copy != NULL);
    memcpy(copy, data + 1, size - 1);
    struct tsl_slice list = { copy, size - 1 }, text = { copy, 0 };
    const uint8_t *nul = memchr(copy, 0, size - 1);
    if (nul) {
        list.len = (size_t)(nul - copy);
        text = (struct tsl_slice){ nul + 1, size - 2 - list.len };
    }
    int rc = tsl_words_parse(&w, list, "words", &fakewords, NULL, &err);
    must(rc == 0 || (rc == TSL_EFORMAT && err.code == rc && err.msg[0]));
    if (rc == 0) {
        mark(w, text, 1 + data[0] % 9);
        tsl_words_destroy(w);
    }
    free(copy);
    return 0;
}

/* fuzz_splitpat - any text: the pieces of each pattern that is known by hand are those that
 * PCRE2 finds.  First byte: the pattern. */
#include "support/fuzzmodel.h"
#include "text/splitpat.h"
#include "text/splitregex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(enum tsl_splitpat pat, const struct tsl_splitregex *re,
                    struct tsl_slice text)
{
    struct tsl_splitregex_scan scan;
    size_t begin = 0, end = 0;
    must(tsl_splitregex_begin(&scan, re, text, NULL) == 0);
    for (size_t at = 0; at < text.len;) {
        bool matched;
        size_t n = tsl_splitpat_next(pat, text.data + at, text.len - at, &matched);
        must(n >= 1 && n <= text.len - at);
        if (end <= at && tsl_splitregex_next(&scan, &begin, &end, NULL) != 1)
            begin = end = text.len;
        if (matched)
            must(begin == at && end == at + n);
        else
            must(begin >= at + n);
        at += n;
    }
    tsl_splitregex_end(&scan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* tiktoken's cl100k is another one for Oniguruma, as which splitregex.h reads it */
    static const enum tsl_splitpat pats[] = {
        TSL_SPLITPAT_GPT2,     TSL_SPLITPAT_CL100K,  TSL_SPLITPAT_CL100K_ONIG,
        TSL_SPLITPAT_QWEN2,    TSL_SPLITPAT_O200K,   TSL_SPLITPAT_TEKKEN,
        TSL_SPLITPAT_DEEPSEEK, TSL_SPLITPAT_DIGITS3, TSL_SPLITPAT_CJK
    };
    enum { N = sizeof pats / sizeof *pats };
    static struct tsl_splitregex *known[N];
    if (size < 1 || size > 500)
        return 0;
    unsigned k = data[0] % N;
    struct tsl_slice text = { data + 1, size - 1 };
    if (!fuzz_is_utf8(text))
        return 0;
    if (!known[k])
        known[k] = tsl_splitregex_create(fuzz_str(tsl_splitpat_regex(pats[k])), NULL);
    must(known[k] != NULL);
    compare(pats[k], known[k], text);
    return 0;
}

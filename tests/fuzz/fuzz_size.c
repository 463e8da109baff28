/* fuzz_size - numbers as users write them: what is taken is what was meant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/quote.h"
#include "io/codec.h"
#include "io/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *s = malloc(size + 1), digits[24];
    uint64_t v = 0, w = 0;
    double share;
    bool over = false;
    memcpy(s, data, size);
    s[size] = '\0';
    if (tsl_parse_u64(s, &v, &over)) {
        must(!over);
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
        must(strspn(s, "0") + strlen(digits) >=
             strlen(s)); /* nothing but zeros in front */
        must(strcmp(s + strlen(s) - strlen(digits), digits) == 0);
        must(tsl_parse_size(s, 0, &w) && w == v); /* and it is that size */
    } else {
        must(v == 0 && (!over || strlen(s) >= 20));
    }
    if (tsl_parse_size(s, 0, &w)) {
        must(strchr("0123456789.", s[0]) != NULL && s[0]);
        must(strpbrk(s, "123456789") ? w > 0 : w == 0);
    }
    uint64_t part;
    if (tsl_parse_size(s, 1000, &part) && strchr(s, '%') && tsl_parse_share(s, &share))
        must(part <= 1000);
    if (tsl_parse_share(s, &share))
        must(share >= 0 && share <= 1);
    struct tsl_frame f;
    if (tsl_frame_parse(s, &f))
        must(f.kind != TSL_FRAME_FIXED || f.fixed > 0);
    enum tsl_codec codec;
    int level;
    if (tsl_codec_parse(s, &codec, &level))
        must(level >= 0 && level <= 19);
    struct tsl_quoted q = tsl_quote(s);
    must(strnlen(q.s, sizeof q.s) < sizeof q.s && q.s[0]);
    for (const unsigned char *c = (unsigned char *)q.s; *c; c++)
        must(*c >= 0x20 && *c != 0x7f);
    free(s);
    return 0;
}

#include "text/vocabid.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/endian.h"
#include "base/hash.h"
#include "base/mem.h"

int tsl_vocabid_of(const struct tsl_tokenizer *t, char out[TSL_VOCABID_BYTES],
                   struct tsl_err *err)
{
    struct tsl_hasher h;
    uint32_t n = tsl_tokenizer_size(t);
    size_t cap = tsl_vocab_longest(tsl_tokenizer_vocab(t)) * 2 + 4096;
    char *buf = tsl_mem_alloc(cap, 1, "a token", err);
    if (!buf)
        return TSL_ENOMEM;
    tsl_hasher_init(&h);
    for (uint32_t id = 0; id < n; id++) {
        uint8_t head[8];
        int len = tsl_tokenizer_spell(t, id, buf, cap);
        tsl_store32(head, id);
        tsl_store32(head + 4, (uint32_t)len);
        tsl_hasher_add(&h, head, sizeof head);
        if (len > 0)
            tsl_hasher_add(&h, buf, (size_t)len < cap ? (size_t)len : cap);
    }
    struct tsl_u128 x = tsl_hasher_end(&h);
    snprintf(out, TSL_VOCABID_BYTES, "%016" PRIx64 "%016" PRIx64, x.hi, x.lo);
    tsl_mem_free(buf);
    return 0;
}

/* fuzz_tokstream - arbitrary bytes are read as a token stream or refused; what is read,
 * written again, is read again.  So that the fuzzer gets past them, checksums are put right
 * first when the first byte says so. */
#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/hash.h"
#include "text/tokstream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

static void mend(uint8_t *p, size_t n)
{
    if (n < 20)
        return;
    size_t at = 12 + (size_t)tsl_load32(p + 8);
    if (at > n - 8)
        return;
    tsl_store64(p + at, tsl_hash64(p, at, 0));
    at += 8;
    for (uint64_t number = 0; n - at >= 32; number++) {
        if (tsl_load32(p + at) == 0x444e4554) {
            tsl_store64(p + n - 8, tsl_hash64(p + at, n - at - 8, 0));
            return;
        }
        size_t stored = tsl_load32(p + at + 20);
        if (stored > n - at - 32)
            return;
        uint8_t *copy = malloc(24 + stored);
        memcpy(copy, p + at, 24);
        memcpy(copy + 24, p + at + 32, stored);
        tsl_store64(p + at + 24, tsl_hash64(copy, 24 + stored, number));
        free(copy);
        at += 32 + stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_tokstream_reader *r;
    struct tsl_tokstream_doc d;
    struct tsl_err err = { 0 };
    if (size < 1 || size > 1 << 20)
        return 0;
    uint8_t *p = malloc(size);
    memcpy(p, data + 1, size - 1);
    if (data[0] & 1)
        mend(p, size - 1);
    uint64_t ntokens = 0, number = 0;
    int rc = tsl_tokstream_reader_of_memory(&r, p, size - 1, &err);
    if (rc == 0) {
        uint32_t most = tsl_tokstream_reader_head(r)->vocab_size;
        while ((rc = tsl_tokstream_reader_next(r, 1 << 16, &d, &err)) == 1) {
            uint64_t sum = 0;
            must(d.number == number++ && d.first && d.last);
            for (size_t i = 0; i < d.nsents; i++)
                sum += d.sents[i];
            must(sum == d.ntokens);
            for (size_t i = 0; i < d.ntokens; i++)
                must(d.ids[i] < most && d.starts[i] < 2);
            ntokens += sum;
        }
        tsl_tokstream_reader_destroy(r);
    }
    must(rc >= 0 || (err.code == rc && err.msg[0]));
    free(p);
    return 0;
}

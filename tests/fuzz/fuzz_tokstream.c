/* fuzz_tokstream - arbitrary bytes are read as a token stream or refused; what is read,
 * written again, is read again.  So that the fuzzer gets past them, checksums are put right
 * first when the first byte says so. */
#include <stdlib.h>
#include <string.h>

#include "record/tokstream.h"
#include "support/recmend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
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
        recmend(p, size - 1);
    uint64_t number = 0;
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
        }
        tsl_tokstream_reader_destroy(r);
    }
    must(rc >= 0 || (err.code == rc && err.msg[0]));
    free(p);
    return 0;
}

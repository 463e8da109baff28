/* fuzz_recover - what is saved of arbitrary bytes as a native file is a whole one, or they are
 * refused.  So that the fuzzer gets past them, checksums are put right first when the first byte
 * says so. */
#include "record/rec_native.h"
#include "support/fuzzfile.h"
#include "support/recmend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int recover(const char *from, const char *to, struct tsl_recnative_recovered *told)
{
    const struct tsl_sink_opts o = { .codec = TSL_CODEC_NONE, .nthreads = 1 };
    struct tsl_sink sink;
    struct tsl_err err = { 0 };
    must(tsl_sink_open(&sink, to, false, &o, &err) == 0);
    int rc = tsl_recnative_recover(from, &sink, told, &err);
    must_tell(rc, &err);
    if (rc == 0)
        must(tsl_sink_done(&sink, &err) == 0 && tsl_sink_commit(&sink, &err) == 0);
    tsl_sink_close(&sink);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_recnative_recovered told, again;
    struct tsl_recnative_reader *r;
    const struct tsl_recreader_opts o = { .memory = 4 << 20 };
    struct tsl_record rec;
    struct tsl_err err = { 0 };
    uint64_t count = 0;
    size_t n;
    if (size < 1 || size > 1 << 18)
        return 0;
    uint8_t *p = malloc(size);
    must(p != NULL);
    memcpy(p, data + 1, size - 1);
    if (data[0] & 1)
        recmend(p, size - 1);
    fuzz_file("damaged", p, size - 1);
    free(p);
    if (recover(fuzz_path("damaged"), fuzz_path("whole"), &told) < 0)
        return 0;
    must(told.whole || told.why.msg[0]);
    p = fuzz_content(fuzz_path("whole"), &n);
    must(tsl_recnative_reader_of_memory(&r, "whole", p, n, &o, &err) == 0);
    int rc;
    while ((rc = tsl_recnative_reader_next(r, &rec, &err)) == 1)
        count++;
    must(rc == 0 && count == told.nrecords);
    tsl_recnative_reader_destroy(r);
    free(p);
    must(recover(fuzz_path("whole"), fuzz_path("again"), &again) == 0);
    must(again.whole && again.nrecords == told.nrecords && again.nblocks == told.nblocks);
    return 0;
}

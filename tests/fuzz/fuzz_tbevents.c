/* fuzz_tbevents - a run goes on with any bytes as its TensorBoard file: good events up to a step stay,
 * and what is written then is good as a whole.
 *
 *   byte 0   bit 0: checksums are put right first
 *   byte 1   the step */
#include "base/endian.h"
#include "io/crc32c.h"
#include "support/fuzzfile.h"
#include "train/tbevents.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void mend(uint8_t *p, size_t n)
{
    for (size_t at = 0; n - at >= 16;) {
        uint64_t len = tsl_load64(p + at);
        tsl_store32(p + at + 8, tsl_crc32c_masked(p + at, 8));
        if (len > n - at - 16)
            return;
        tsl_store32(p + at + 12 + len, tsl_crc32c_masked(p + at + 12, (size_t)len));
        at += 16 + (size_t)len;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct tsl_metric values[] = { { "loss", 1e300 }, { "", -0.0 } };
    struct tsl_tbevents t;
    struct tsl_err err = { 0 };
    size_t n, m;
    if (size < 2 || size > 1 << 16)
        return 0;
    uint8_t *p = malloc(size);
    must(p != NULL);
    memcpy(p, data + 2, size - 2);
    if (data[0] & 1)
        mend(p, size - 2);
    const char *path = fuzz_file("events", p, size - 2);
    free(p);
    must(tsl_tbevents_open(&t, path, true, data[1], 1.5, &err) == 0);
    must(tsl_tbevents_put(&t, 7, 2.5, values, 2, &err) == 0);
    must(tsl_tbevents_close(&t, &err) == 0);
    uint8_t *first = fuzz_content(path, &n);
    must(tsl_tbevents_open(&t, path, true, UINT64_MAX, 3.5, &err) == 0);
    must(tsl_tbevents_close(&t, &err) == 0);
    uint8_t *second = fuzz_content(path, &m);
    must(n == m && memcmp(first, second, n) == 0);
    free(first);
    free(second);
    return 0;
}

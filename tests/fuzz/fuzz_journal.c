/* fuzz_journal - any bytes as the journal of a job that was interrupted: its lines, or refused with
 * a message.  A line that is added stands behind them.
 *
 *   byte 0   bit 0: checksums are put right first */
#include <inttypes.h>

#include "base/hash.h"
#include "io/journal.h"
#include "support/fuzzfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PREFIX = 17 };

static void mend(uint8_t *p, size_t n)
{
    uint8_t *end;
    for (; (end = memchr(p, '\n', n)) != NULL; n -= (size_t)(end + 1 - p), p = end + 1) {
        char prefix[PREFIX + 1];
        if (end - p < PREFIX)
            continue;
        snprintf(prefix, sizeof prefix, "%016" PRIx64 " ",
                 tsl_hash64(p + PREFIX, (size_t)(end - p) - PREFIX, 0));
        memcpy(p, prefix, PREFIX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_journal j;
    struct tsl_err err = { 0 };
    size_t total = 0, again = 0;
    if (size < 1 || size > 1 << 16)
        return 0;
    uint8_t *p = malloc(size);
    must(p != NULL);
    memcpy(p, data + 1, size - 1);
    if (data[0] & 1)
        mend(p, size - 1);
    const char *path = fuzz_file("journal", p, size - 1);
    free(p);
    int rc = tsl_journal_open(&j, path, TSL_JOURNAL_RESUME, &err);
    must_tell(rc, &err);
    if (rc < 0)
        return 0;
    size_t n = j.nlines;
    for (size_t i = 0; i < n; i++)
        total += strlen(j.lines[i]);
    must(tsl_journal_add(&j, "one more", &err) == 0);
    tsl_journal_close(&j);
    must(tsl_journal_open(&j, path, TSL_JOURNAL_RESUME, &err) == 0);
    must(j.nlines == n + 1 && strcmp(j.lines[n], "one more") == 0);
    for (size_t i = 0; i < n; i++)
        again += strlen(j.lines[i]);
    must(again == total);
    tsl_journal_close(&j);
    return 0;
}

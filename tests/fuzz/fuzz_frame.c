/* fuzz_frame - arbitrary bytes are framed as by the slow reader.
 * First byte: the kind; second: rows at a time, or the size of fixed rows. */
#include <stdlib.h>
#include <string.h>

#include "io/frame.h"
#include "support/gendata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || size > 1 << 20)
        return 0;
    struct tsl_frame f = { (enum tsl_frame_kind)(data[0] % 5), 1 + data[1] };
    size_t cap = 1 + data[1], n = size - 2, head = tsl_frame_head(&f);
    uint8_t *p = malloc(n + TSL_BATCH_SLACK); /* as large as promised */
    struct tsl_row *rows = malloc(cap * sizeof *rows);
    struct rowlist slow = { 0 }, fast = { 0 };
    memcpy(p, data + 2, n);
    size_t whole = tsl_frame_whole(&f, p, n);
    must(whole <= n);
    bool good = slow_rows(&slow, &f, p, n);
    size_t done = tsl_frame_finish(&f, p, n);
    if (good) {
        must(done == slow.len && memcmp(p, slow.bytes ? slow.bytes : p, done) == 0);
    } else {
        must(done == 0 && n > 0);
        must(slow_rows(&slow, &f, p, whole));
        done = whole;
    }
    rowlist_bytes(&fast, p, done);
    for (size_t at = 0; at < done;) {
        size_t k, before = at;
        at = tsl_frame_split(&f, p, done, at, rows, cap, &k);
        must(at > before && at <= done && k <= cap);
        for (size_t i = 0; i < k; i++)
            rowlist_place(&fast, rows[i].at - head, rows[i].at, rows[i].len);
    }
    must(rowlist_equal(&slow, &fast));
    rowlist_free(&slow);
    rowlist_free(&fast);
    free(rows);
    free(p);
    return 0;
}

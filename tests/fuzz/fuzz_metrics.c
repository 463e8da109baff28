/* fuzz_metrics - any bytes as a metrics.jsonl: read, or refused with a message.  A run that goes on
 * behind a step keeps the lines up to it and adds its own.
 *
 *   byte 0   the step */
#include <math.h>

#include "support/fuzzfile.h"
#include "train/metrics.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many numbers there are of steps up to the last. */
static size_t numbers(const struct tsl_metrics_table *t, uint64_t last)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++) {
        must(tsl_metrics_find(t, t->series[i].name) == &t->series[i]);
        for (size_t k = 0; k < t->series[i].n; k++)
            n += t->series[i].step[k] <= last;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_metrics_table before, after;
    struct tsl_metrics m;
    struct tsl_metric loss = { "loss", -INFINITY };
    struct tsl_err err = { 0 }, other = { 0 };
    if (size < 1 || size > 1 << 16)
        return 0;
    uint64_t step = data[0];
    const char *path = fuzz_file("metrics.jsonl", data + 1, size - 1);
    int read = tsl_metrics_read(&before, path, &err);
    must_tell(read, &err);
    size_t kept = read == 0 ? numbers(&before, step) : 0;
    int rc = tsl_metrics_open(&m, path, true, step, &other);
    must_tell(rc, &other);
    must(rc == 0 || read < 0);
    if (rc == 0) {
        must(tsl_metrics_put(&m, step + 1, &loss, 1, &other) == 0);
        must(tsl_metrics_close(&m, &other) == 0);
        rc = tsl_metrics_read(&after, path, &other);
        must(rc == 0 || read < 0);
    }
    if (rc == 0) {
        must(read < 0 || numbers(&after, UINT64_MAX) == kept + 1);
        const struct tsl_metrics_series *s = tsl_metrics_find(&after, "loss");
        must(s && s->step[s->n - 1] == step + 1 && isnan(s->value[s->n - 1]));
        tsl_metrics_table_fini(&after);
    }
    tsl_metrics_table_fini(&before);
    return 0;
}

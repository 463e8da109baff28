/* fuzz_schedule - a schedule of rates, weighted data sets and patterns of names, as users write
 * them: taken or refused with a message; what is taken gives numbers.
 *
 *   byte 0, 1   steps of the run; byte 2: what the rest is */
#include <math.h>

#include "optim/paramgroup.h"
#include "optim/schedule.h"
#include "support/fuzzfile.h"
#include "train/loader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void schedule(const char *text, uint64_t total)
{
    const uint64_t far[] = { UINT32_MAX, INT64_MAX, UINT64_MAX };
    struct tsl_schedule s;
    struct tsl_err err = { 0 };
    int rc = tsl_schedule_parse(&s, text, total, &err);
    must_tell(rc, &err);
    must(rc == 0 || rc == TSL_EUSAGE);
    if (rc < 0)
        return;
    for (uint64_t step = 0; step < 100; step++)
        must(isfinite(tsl_schedule_at(&s, step)));
    for (size_t i = 0; i < sizeof far / sizeof far[0]; i++)
        must(isfinite(tsl_schedule_at(&s, far[i])));
    must(isfinite(tsl_schedule_at(&s, total)) && isfinite(tsl_schedule_at(&s, s.total)));
    if (s.kind == TSL_SCHEDULE_PIECEWISE)
        return;
    for (uint64_t step = 0; step < 100; step++) {
        double at = tsl_schedule_at(&s, step);
        must(at >= 0 && at <= 1);
    }
}

static void data_set(char *text)
{
    struct tsl_loader_set set = { 0 };
    struct tsl_err err = { 0 };
    int rc = tsl_loader_parse_set(text, &set, &err);
    must_tell(rc, &err);
    must(rc < 0 ||
         (set.path && (set.weight == 0 || (set.weight > 0 && set.weight < 1e300))));
}

/* The plain way: every length that a * may have. */
static bool matches(const char *g, const char *end, const char *s)
{
    if (g == end)
        return !*s;
    if (*g == '*')
        return matches(g + 1, end, s) || (*s && matches(g, end, s + 1));
    return *s && (*g == '?' || *g == *s) && matches(g + 1, end, s + 1);
}

static void pattern(const char *list, const char *name)
{
    bool any = false;
    if (strlen(list) > 12 || strlen(name) > 12)
        return;
    for (const char *at = list;; at++) {
        const char *end = at + strcspn(at, ",");
        any = any || matches(at, end, name);
        at = end;
        if (!*at)
            break;
    }
    must(tsl_paramgroup_match(list, name) == any);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 4096)
        return 0;
    size_t n = size - 3;
    char *text = malloc(n + 2);
    must(text != NULL);
    memcpy(text, data + 3, n);
    text[n] = text[n + 1] = 0;
    switch (data[2] % 3) {
    case 0: schedule(text, data[0] | (uint64_t)data[1] << 8); break;
    case 1: data_set(text); break;
    default: pattern(text, text + strlen(text) + 1);
    }
    free(text);
    return 0;
}

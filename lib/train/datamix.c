#include "train/datamix.h"

#include <stdbool.h>

#include "base/mem.h"

__extension__ typedef unsigned __int128 u128;

int tsl_datamix_init(struct tsl_datamix *m, const uint64_t *weights, size_t n,
                     struct tsl_err *err)
{
    *m = (struct tsl_datamix){ .n = n };
    m->sums = tsl_mem_alloc(n + 1, sizeof *m->sums, "weights", err);
    if (!m->sums)
        return TSL_ENOMEM;
    bool fits = true;
    for (size_t i = 0; i < n; i++) {
        m->sums[i + 1] = m->sums[i] + weights[i];
        fits = fits && weights[i] <= INT64_MAX && m->sums[i + 1] <= INT64_MAX;
    }
    if (fits && m->sums[n])
        return 0;
    tsl_datamix_fini(m);
    return tsl_err_set(err, TSL_EUSAGE,
                       fits ? "no data set has a weight" : "the weights are too large");
}

void tsl_datamix_fini(struct tsl_datamix *m)
{
    tsl_mem_free(m->sums);
    *m = (struct tsl_datamix){ .n = 0 };
}

/* Of the first q positions, those on the left. */
static uint64_t lefts(uint64_t q, uint64_t left, uint64_t both)
{
    return (uint64_t)(((u128)q * left + both / 2) / both);
}

size_t tsl_datamix_at(const struct tsl_datamix *m, uint64_t position, uint64_t *turn)
{
    size_t low = 0, high = m->n;
    uint64_t q = position;
    while (high - low > 1) {
        size_t mid = low + (high - low) / 2;
        uint64_t left = m->sums[mid] - m->sums[low], both = m->sums[high] - m->sums[low];
        uint64_t before = lefts(q, left, both);
        if (lefts(q + 1, left, both) > before) {
            q = before;
            high = mid;
        } else {
            q -= before;
            low = mid;
        }
    }
    *turn = q;
    return low;
}

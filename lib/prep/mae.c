#include "prep/mae.h"

#include <assert.h>

#include "base/mem.h"

struct tsl_mae {
    struct tsl_mlm *chooser; /* shows what it chooses */
};

int tsl_mae_create(struct tsl_mae **out, const struct tsl_mlm_opts *o,
                   struct tsl_err *err)
{
    struct tsl_mlm_opts choose = *o;
    choose.mask_share = choose.random_share = 0;
    choose.synonyms = NULL;
    struct tsl_mae *m = tsl_mem_alloc(1, sizeof *m, "tokens to be dropped", err);
    if (!m)
        return TSL_ENOMEM;
    int rc = tsl_mlm_create(&m->chooser, &choose, err);
    if (rc < 0) {
        tsl_mae_destroy(m);
        return rc;
    }
    *out = m;
    return 0;
}

void tsl_mae_destroy(struct tsl_mae *m)
{
    if (!m)
        return;
    tsl_mlm_destroy(m->chooser);
    tsl_mem_free(m);
}

void tsl_mae_apply(const struct tsl_mae *m, uint64_t epoch, struct tsl_sample *s,
                   struct tsl_mlm_stats *stats)
{
    assert(s->nends == 0 && !s->has_positions); /* of one piece */
    tsl_mlm_apply(m->chooser, epoch, s, stats);
    uint32_t n = 0, k = 0, first = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (k < s->nmasked && s->places[k] == i) {
            k++;
            continue;
        }
        first += i < s->first;
        s->ids[n] = s->ids[i];
        s->starts[n] = s->starts[i];
        s->positions[n++] = i;
    }
    s->n = n;
    s->first = first;
    s->has_positions = true;
}

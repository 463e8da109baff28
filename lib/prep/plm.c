#include "prep/plm.h"

#include <assert.h>

#include "base/mem.h"
#include "prep/draws.h"

struct tsl_plm {
    struct tsl_mlm *chooser; /* shows what it chooses */
    struct tsl_key key;
};

struct tsl_mlm_opts tsl_plm_xlnet(const struct tsl_special_ids *special)
{
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.special = *special;
    o.rate = 1. / 6;
    o.unit = TSL_MLM_NGRAMS;
    tsl_mlm_weights_albert(&o, 5);
    return o;
}

int tsl_plm_create(struct tsl_plm **out, const struct tsl_mlm_opts *o,
                   struct tsl_err *err)
{
    struct tsl_mlm_opts choose = *o;
    choose.mask_share = choose.random_share = 0;
    choose.synonyms = NULL;
    struct tsl_plm *p = tsl_mem_alloc(1, sizeof *p, "permutations", err);
    if (!p)
        return TSL_ENOMEM;
    p->key = tsl_key_make(o->seed, "permute tokens");
    int rc = tsl_mlm_create(&p->chooser, &choose, err);
    if (rc < 0) {
        tsl_plm_destroy(p);
        return rc;
    }
    *out = p;
    return 0;
}

void tsl_plm_destroy(struct tsl_plm *p)
{
    if (!p)
        return;
    tsl_mlm_destroy(p->chooser);
    tsl_mem_free(p);
}

void tsl_plm_apply(const struct tsl_plm *p, uint64_t epoch, struct tsl_sample *s,
                   struct tsl_mlm_stats *stats)
{
    assert(s->nends == 0 && !s->has_positions); /* of one piece */
    tsl_mlm_apply(p->chooser, epoch, s, stats);
    struct tsl_draws d = tsl_draws_make(&p->key, epoch, s->address);
    uint32_t *order = s->places, n = s->nmasked;
    /* outs holds, a byte a token, what starts are of the targets while they move */
    uint32_t *starts = s->outs;
    for (uint32_t i = n; i > 1; i--) {
        uint32_t j = tsl_draws_below(&d, i), t = order[i - 1], u = s->targets[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
        s->targets[i - 1] = s->targets[j];
        s->targets[j] = u;
    }
    for (uint32_t k = 0; k < n; k++) {
        starts[k] = s->starts[order[k]];
        s->starts[order[k]] = 2; /* a target: not context */
    }
    uint32_t at = 0;
    for (uint32_t i = 0; i < s->n; i++) {
        if (s->starts[i] == 2)
            continue;
        s->ids[at] = s->ids[i];
        s->starts[at] = s->starts[i];
        s->positions[at++] = i;
    }
    s->prefix = at;
    for (uint32_t k = 0; k < n; k++, at++) {
        s->ids[at] = s->targets[k];
        s->starts[at] = (uint8_t)starts[k];
        s->positions[at] = order[k];
        s->places[k] = at;
    }
    s->first = s->n;
    s->has_positions = true;
    s->kind = TSL_SAMPLE_PREFIX;
}

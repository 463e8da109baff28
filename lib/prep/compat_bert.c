#include "prep/compat_bert.h"

struct tsl_compat_pair_opts tsl_compat_bert_defaults(void)
{
    return (struct tsl_compat_pair_opts){
        .seed = 12345,
        .tokens_max = 128,
        .masks_max = 20,
        .dupes = 10,
        .mask_rate = .15,
        .short_rate = .1,
    };
}

static void mask_tokens(struct tsl_compat_masker *m, void *ctx)
{
    (void)ctx;
    uint32_t n = tsl_compat_pair_places(m);
    tsl_mt19937_shuffle16(&m->mt, m->cands, n, m->o->python2);
    for (uint32_t i = 0; i < n && i < m->nmasks; i++)
        tsl_compat_pair_mask_place(m, m->cands[i]);
}

static void mask_words(struct tsl_compat_masker *m, void *ctx)
{
    (void)ctx;
    tsl_compat_pair_candidates(m);
    for (uint32_t i = 0; i < m->ncands; i++)
        m->cands[i] = (uint16_t)i;
    tsl_mt19937_shuffle16(&m->mt, m->cands, m->ncands, m->o->python2);
    uint32_t done = 0;
    for (uint32_t i = 0; i < m->ncands && done < m->nmasks; i++) {
        uint32_t from = m->begins[m->cands[i]], to = m->begins[m->cands[i] + 1];
        if (to - from > m->nmasks - done)
            continue;
        done += to - from;
        for (; from < to; from++)
            tsl_compat_pair_mask_place(m, m->work[from]);
    }
}

int tsl_compat_bert_create(struct tsl_compat_pair **out,
                           const struct tsl_compat_pair_opts *o,
                           const struct tsl_docs *docs, struct tsl_err *err)
{
    struct tsl_compat_pair_opts bert = *o;
    bert.half_random = true;
    bert.half_swapped = false;
    bert.needs_ids = false;
    bert.needs_starts = o->whole_words;
    return tsl_compat_pair_create(out, &bert, docs,
                                  o->whole_words ? mask_words : mask_tokens, NULL, err);
}

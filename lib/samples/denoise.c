#include "samples/denoise.h"

#include "base/mem.h"

struct tsl_denoise {
    enum tsl_denoise_kind kind;
    struct tsl_mlm *mlm;
    struct tsl_plm *plm;
    struct tsl_mae *mae;
    struct tsl_span span;
    struct tsl_unilm unilm;
};

const char *tsl_denoise_name(enum tsl_denoise_kind kind)
{
    static const char *const names[] = {
#define X(id, name) name,
        TSL_DENOISES(X)
#undef X
    };
    return names[kind];
}

void tsl_denoise_key(struct tsl_denoise_opts *o, const struct tsl_special_ids *special,
                     uint64_t seed)
{
    o->mlm.special = *special;
    o->mlm.seed = o->span.seed = o->unilm.seed = seed;
}

int tsl_denoise_create(struct tsl_denoise **out, const struct tsl_denoise_opts *o,
                       struct tsl_err *err)
{
    struct tsl_denoise *d = tsl_mem_alloc(1, sizeof *d, "an objective", err);
    int rc = 0;
    if (!d)
        return TSL_ENOMEM;
    d->kind = o->kind;
    switch (o->kind) {
    case TSL_DENOISE_MLM: rc = tsl_mlm_create(&d->mlm, &o->mlm, err); break;
    case TSL_DENOISE_SPAN: rc = tsl_span_init(&d->span, &o->span, err); break;
    case TSL_DENOISE_PREFIX: rc = tsl_unilm_init(&d->unilm, &o->unilm, err); break;
    case TSL_DENOISE_UNILM:
        rc = tsl_unilm_init(&d->unilm, &o->unilm, err);
        if (rc == 0)
            rc = tsl_mlm_create(&d->mlm, &o->mlm, err);
        break;
    case TSL_DENOISE_PLM: rc = tsl_plm_create(&d->plm, &o->mlm, err); break;
    case TSL_DENOISE_MAE: rc = tsl_mae_create(&d->mae, &o->mlm, err); break;
    default: break;
    }
    if (rc < 0) {
        tsl_denoise_destroy(d);
        return rc;
    }
    *out = d;
    return 0;
}

void tsl_denoise_destroy(struct tsl_denoise *d)
{
    if (!d)
        return;
    tsl_mlm_destroy(d->mlm);
    tsl_plm_destroy(d->plm);
    tsl_mae_destroy(d->mae);
    tsl_mem_free(d);
}

void tsl_denoise_apply(const struct tsl_denoise *d, uint64_t epoch, struct tsl_sample *s,
                       struct tsl_denoise_stats *stats)
{
    struct tsl_mlm_stats *mlm = stats ? &stats->mlm : NULL;
    if (d->kind == TSL_DENOISE_SPAN || d->kind == TSL_DENOISE_PLM ||
        d->kind == TSL_DENOISE_MAE) { /* tokens will not stand where they stood */
        s->nends = 0;
        s->has_positions = false;
    }
    switch (d->kind) {
    case TSL_DENOISE_MLM: tsl_mlm_apply(d->mlm, epoch, s, mlm); break;
    case TSL_DENOISE_SPAN:
        tsl_span_apply(&d->span, epoch, s, stats ? &stats->span : NULL);
        break;
    case TSL_DENOISE_PREFIX: tsl_unilm_apply(&d->unilm, epoch, s); break;
    case TSL_DENOISE_UNILM:
        tsl_unilm_apply(&d->unilm, epoch, s);
        tsl_mlm_apply(d->mlm, epoch, s, mlm);
        break;
    case TSL_DENOISE_PLM: tsl_plm_apply(d->plm, epoch, s, mlm); break;
    case TSL_DENOISE_MAE: tsl_mae_apply(d->mae, epoch, s, mlm); break;
    default: break;
    }
}

void tsl_denoise_stats_add(struct tsl_denoise_stats *sum,
                           const struct tsl_denoise_stats *stats)
{
    tsl_mlm_stats_add(&sum->mlm, &stats->mlm);
    sum->span.samples += stats->span.samples;
    sum->span.tokens += stats->span.tokens;
    sum->span.noise += stats->span.noise;
    sum->span.spans += stats->span.spans;
    sum->span.capped += stats->span.capped;
}

#include "samples/samplemap.h"

#include <math.h>

#include "base/mem.h"
#include "base/quote.h"
#include "samples/maskmeta.h"

struct tsl_samplemap {
    struct tsl_samplemap_opts o;
    struct tsl_maskmeta meta;
    struct tsl_samplecols cols;
    struct tsl_denoise *denoise; /* NULL: samples stay as they are */
    struct tsl_sample sample;
    struct tsl_samplerec rec;
    struct tsl_rechead head;
};

void tsl_samplemap_destroy(struct tsl_samplemap *m)
{
    if (!m)
        return;
    tsl_maskmeta_fini(&m->meta);
    tsl_denoise_destroy(m->denoise);
    tsl_sample_fini(&m->sample);
    tsl_samplerec_fini(&m->rec);
    tsl_rechead_fini(&m->head);
    tsl_mem_free(m);
}

const struct tsl_rechead *tsl_samplemap_head(const struct tsl_samplemap *m)
{
    return &m->head;
}

static int make_masks(struct tsl_samplemap *m, const char *name, struct tsl_err *err)
{
    if (!m->o.mask)
        return 0;
    if (m->meta.masked)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "%s: these samples are masked already (cmask --static): no epoch "
            "can be asked for",
            tsl_quote(name).s);
    return tsl_denoise_create(&m->denoise, &m->meta.denoise, err);
}

void tsl_samplemap_shape(struct tsl_sample_shape *s, enum tsl_denoise_kind kind)
{
    bool moves = kind == TSL_DENOISE_PLM || kind == TSL_DENOISE_MAE;
    if (kind == TSL_DENOISE_NONE)
        return;
    s->masked |= kind == TSL_DENOISE_MLM || kind == TSL_DENOISE_UNILM || moves;
    s->kinds |= kind == TSL_DENOISE_PREFIX || kind == TSL_DENOISE_UNILM ||
                kind == TSL_DENOISE_PLM;
    s->outs |= kind == TSL_DENOISE_SPAN;
    s->positions |= moves;
    s->ends &=
        !moves && kind != TSL_DENOISE_SPAN; /* tokens do not stand where they stood */
    s->starts = false;
}

/* What samples have after the map. */
static struct tsl_sample_shape shape_of(const struct tsl_samplemap *m)
{
    const struct tsl_maskmeta *meta = &m->meta;
    const struct tsl_samplecols *c = &m->cols;
    const struct tsl_mlm_opts *mlm = &meta->denoise.mlm;
    uint32_t tokens_max = m->o.tokens_max ? m->o.tokens_max : meta->tokens_max;
    uint32_t masks_max = m->o.masks_max ? m->o.masks_max : mlm->masks_max;
    if (!masks_max) /* what the rate can ask for */
        masks_max = (uint32_t)ceil(mlm->rate * tokens_max) + 1;
    struct tsl_sample_shape s = {
        .layout = m->o.layout,
        .labels = c->label >= 0,
        .masked = c->places >= 0,
        .starts = m->o.layout == TSL_LAYOUT_NATIVE && c->starts >= 0,
        .ends = c->ends >= 0,
        .positions = c->positions >= 0,
        .kinds = c->kind >= 0,
        .outs = c->outs >= 0,
        .wide = c->id_type == TSL_U32,
        .tokens_max = tokens_max,
        .masks_max = masks_max,
        .pad = meta->special.pad < 0 ? 0 : (uint32_t)meta->special.pad,
    };
    if (m->denoise)
        tsl_samplemap_shape(&s, meta->denoise.kind);
    return s;
}

static int make_head(struct tsl_samplemap *m, const struct tsl_rechead *in,
                     struct tsl_err *err)
{
    struct tsl_maskmeta meta = m->meta;
    if (m->denoise) {
        meta.masked = true;
        meta.epoch = m->o.epoch;
        meta.copies = 1;
    }
    m->head.schema = m->rec.schema;
    m->head.first = in->first;
    return tsl_maskmeta_write(&meta, &m->head.meta, err);
}

int tsl_samplemap_create(struct tsl_samplemap **out, const struct tsl_rechead *in,
                         const char *name, const struct tsl_samplemap_opts *o,
                         struct tsl_err *err)
{
    struct tsl_samplemap *m = tsl_mem_alloc(1, sizeof *m, "samples", err);
    if (!m)
        return TSL_ENOMEM;
    m->o = *o;
    int rc = tsl_samplecols_find(&m->cols, &in->schema, name, err);
    if (rc == 0)
        rc = tsl_maskmeta_read(&m->meta, in->meta ? in->meta : "{}", name, err);
    if (rc == 0)
        rc = make_masks(m, name, err);
    if (rc == 0)
        rc = tsl_sample_init(&m->sample, m->meta.tokens_max + TSL_SAMPLE_SLACK, err);
    if (rc == 0) {
        struct tsl_sample_shape shape = shape_of(m);
        rc = tsl_samplerec_init(&m->rec, &shape, m->meta.tokens_max + TSL_SAMPLE_SLACK,
                                err);
    }
    if (rc == 0)
        rc = make_head(m, in, err);
    if (rc < 0) {
        tsl_samplemap_destroy(m);
        return rc;
    }
    *out = m;
    return 0;
}

int tsl_samplemap_apply(struct tsl_samplemap *m, const struct tsl_record *in,
                        struct tsl_record *out, struct tsl_err *err)
{
    int rc = tsl_samplecols_read(&m->cols, in, &m->sample, err);
    if (rc < 0)
        return rc;
    if (m->denoise)
        tsl_denoise_apply(m->denoise, m->o.epoch, &m->sample, NULL);
    rc = tsl_samplerec_fill(&m->rec, &m->sample, out, err);
    out->number = in->number;
    return rc;
}

#include "samples/samplemap.h"

#include <math.h>

#include "base/mem.h"
#include "base/quote.h"
#include "samples/maskmeta.h"

struct tsl_samplemap {
    struct tsl_samplemap_opts o;
    struct tsl_maskmeta meta;
    struct tsl_samplecols cols;
    struct tsl_mlm *mlm; /* NULL: samples stay as they are */
    struct tsl_sample sample;
    struct tsl_samplerec rec;
    struct tsl_rechead head;
};

void tsl_samplemap_destroy(struct tsl_samplemap *m)
{
    if (!m)
        return;
    tsl_maskmeta_fini(&m->meta);
    tsl_mlm_destroy(m->mlm);
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
    return tsl_mlm_create(&m->mlm, &m->meta.mlm, err);
}

/* What samples have after the map. */
static struct tsl_sample_shape shape_of(const struct tsl_samplemap *m)
{
    const struct tsl_maskmeta *meta = &m->meta;
    bool masked = m->mlm || meta->masked;
    uint32_t tokens_max = m->o.tokens_max ? m->o.tokens_max : meta->tokens_max;
    uint32_t masks_max = m->o.masks_max ? m->o.masks_max : meta->mlm.masks_max;
    if (!masks_max) /* what the rate can ask for */
        masks_max = (uint32_t)ceil(meta->mlm.rate * tokens_max) + 1;
    return (struct tsl_sample_shape){
        .layout = m->o.layout,
        .labels = m->cols.label >= 0,
        .masked = masked,
        .starts = m->o.layout == TSL_LAYOUT_NATIVE && !masked && m->cols.starts >= 0,
        .wide = m->cols.id_type == TSL_U32,
        .tokens_max = tokens_max,
        .masks_max = masks_max,
        .pad = meta->special.pad < 0 ? 0 : (uint32_t)meta->special.pad,
    };
}

static int make_head(struct tsl_samplemap *m, const struct tsl_rechead *in,
                     struct tsl_err *err)
{
    struct tsl_maskmeta meta = m->meta;
    if (m->mlm) {
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
        rc =
            tsl_sample_init(&m->sample, m->meta.tokens_max ? m->meta.tokens_max : 1, err);
    if (rc == 0) {
        struct tsl_sample_shape shape = shape_of(m);
        rc = tsl_samplerec_init(&m->rec, &shape, m->meta.tokens_max, err);
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
    if (m->mlm)
        tsl_mlm_apply(m->mlm, m->o.epoch, &m->sample, NULL);
    rc = tsl_samplerec_fill(&m->rec, &m->sample, out, err);
    out->number = in->number;
    return rc;
}

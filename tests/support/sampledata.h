/* sampledata.h - small files of training samples for tests: the same for the same seed. */
#ifndef TSL_SAMPLEDATA_H
#define TSL_SAMPLEDATA_H

#include <stdio.h>

#include "record/record.h"
#include "samples/maskmeta.h"
#include "samples/samplemap.h"
#include "samples/samplerec.h"
#include "support/gendata.h"
#include "support/test.h"

enum {
    SAMPLEDATA_VOCAB = 200,
    SAMPLEDATA_PAD = 0,
    SAMPLEDATA_SEP = 3,
    SAMPLEDATA_MASK = 4
};

static inline struct tsl_special_ids sampledata_special(void)
{
    return (struct tsl_special_ids){ .pad = SAMPLEDATA_PAD,
                                     .unk = 1,
                                     .cls = 2,
                                     .sep = SAMPLEDATA_SEP,
                                     .mask = SAMPLEDATA_MASK,
                                     .bos = -1,
                                     .eos = SAMPLEDATA_SEP,
                                     .vocab_size = SAMPLEDATA_VOCAB };
}

struct sampledata {
    const char *objective;
    struct tsl_denoise_opts denoise; /* specials and seed are filled in */
    uint64_t n, seed, epoch;
    uint32_t tokens_max;
    bool labels, packed; /* nsp; several documents a sample */
    bool masked;         /* as epoch has them */
    bool full;           /* all samples have tokens_max tokens */
};

/* Sample i, not masked: [CLS] a [SEP] b [SEP], or packed pieces. */
static inline void sampledata_sample(const struct sampledata *d, uint64_t i,
                                     struct tsl_sample *s)
{
    struct gen g = { d->seed * 1000 + i };
    tsl_sample_clear(s, i * 5 + 2); /* addresses need not be numbers of records */
    s->n = d->full ? d->tokens_max
                   : 8 + (uint32_t)gen_below(&g, (uint64_t)d->tokens_max - 7);
    for (uint32_t k = 0; k < s->n; k++) {
        s->ids[k] = 5 + (uint32_t)gen_below(&g, SAMPLEDATA_VOCAB - 5 - 10);
        s->starts[k] = gen_below(&g, 4) != 0;
    }
    s->first = s->n;
    if (d->packed) {
        s->ends[s->nends++] = s->n / 3;
        s->ends[s->nends++] = s->n;
        return;
    }
    s->ids[0] = 2;
    s->ids[s->n - 1] = SAMPLEDATA_SEP;
    s->starts[0] = s->starts[s->n - 1] = 1;
    if (d->labels) {
        s->first = s->n / 2;
        s->ids[s->first - 1] = SAMPLEDATA_SEP;
        s->starts[s->first - 1] = 1;
        s->label = (uint8_t)gen_below(&g, 2);
    }
}

static inline struct tsl_maskmeta sampledata_meta(const struct sampledata *d)
{
    struct tsl_maskmeta m = { .objective = d->objective,
                              .made_by = "a test",
                              .vocab_id = "v",
                              .seed = d->seed,
                              .epoch = d->epoch,
                              .copies = d->masked,
                              .masked = d->masked,
                              .tokens_max = d->tokens_max,
                              .special = sampledata_special(),
                              .denoise = d->denoise };
    tsl_denoise_key(&m.denoise, &m.special, m.seed);
    return m;
}

/* Writes them as cmask does, as path, which must end in .tslrec. */
static inline void sampledata_write(const struct sampledata *d, const char *path)
{
    struct tsl_maskmeta m = sampledata_meta(d);
    struct tsl_denoise *denoise = NULL;
    struct tsl_sample_shape shape = { .labels = d->labels,
                                      .starts = true,
                                      .ends = d->packed,
                                      .tokens_max = d->tokens_max };
    struct tsl_samplerec rec;
    struct tsl_sample s;
    struct tsl_rechead head = { .first = 0 };
    struct tsl_recwriter *w;
    struct tsl_recwriter_opts wo = { .format = "native" };
    const struct tsl_recfile *files;
    struct tsl_record r;
    struct tsl_err err = { 0 };
    size_t nfiles;
    char stem[256];
    snprintf(stem, sizeof stem, "%.*s", (int)(strlen(path) - strlen(".tslrec")), path);
    if (d->masked) {
        tsl_samplemap_shape(&shape, d->denoise.kind);
        assert_ok(tsl_denoise_create(&denoise, &m.denoise, &err), &err);
    }
    uint32_t cap = d->tokens_max + TSL_SAMPLE_SLACK;
    assert_ok(tsl_samplerec_init(&rec, &shape, cap, &err), &err);
    assert_ok(tsl_sample_init(&s, cap, &err), &err);
    head.schema = rec.schema;
    assert_ok(tsl_maskmeta_write(&m, &head.meta, &err), &err);
    assert_ok(tsl_recwriter_create(&w, &head, &wo, &err), &err);
    assert_ok(tsl_recwriter_begin(w, stem, &err), &err);
    for (uint64_t i = 0; i < d->n; i++) {
        sampledata_sample(d, i, &s);
        if (denoise)
            tsl_denoise_apply(denoise, d->epoch, &s, NULL);
        assert_ok(tsl_samplerec_fill(&rec, &s, &r, &err), &err);
        assert_ok(tsl_recwriter_put(w, &r, &err), &err);
    }
    assert_ok(tsl_recwriter_end(w, &err), &err);
    assert_ok(tsl_recwriter_commit(w, &files, &nfiles, &err), &err);
    tsl_recwriter_destroy(w);
    tsl_rechead_fini(&head);
    tsl_samplerec_fini(&rec);
    tsl_sample_fini(&s);
    tsl_denoise_destroy(denoise);
}

#endif

/* jobdata.h - documents, special ids and objectives for tests of samples: ids 10 to 99 of a
 * vocabulary of 100, whose first ten are special. */
#ifndef TSL_JOBDATA_H
#define TSL_JOBDATA_H

#include <stdio.h>

#include "samples/maskjob.h"
#include "support/gendata.h"

enum { JOBDATA_VOCAB = 100 };

static const uint8_t jobdata_reserved[13] = { 0xff, 3 };

static inline struct tsl_special_ids jobdata_special(void)
{
    return (
        struct tsl_special_ids){ 0, 1, 2, 3, 4, 5, 6, jobdata_reserved, JOBDATA_VOCAB };
}

/* n documents of 1 to 5 sentences of 1 to 12 ids, a line each. */
static inline void jobdata_docs(const char *name, unsigned n)
{
    struct gen g = { n };
    FILE *f = fopen(name, "w");
    for (unsigned d = 0; d < n; d++) {
        unsigned nsents = 1 + (unsigned)gen_below(&g, 5);
        for (unsigned s = 0; s < nsents; s++) {
            unsigned len = 1 + (unsigned)gen_below(&g, 12);
            for (unsigned i = 0; i < len; i++)
                fprintf(f, "%s%u",
                        i   ? ","
                        : s ? ",["
                            : "[[",
                        10 + (unsigned)gen_below(&g, 90));
            fputc(']', f);
        }
        fputs("]\n", f);
    }
    fclose(f);
}

/* An objective of that kind with settings that are not the usual ones. */
static inline struct tsl_denoise_opts jobdata_denoise(enum tsl_denoise_kind kind)
{
    struct tsl_denoise_opts o = { .kind = kind, .mlm = tsl_mlm_defaults() };
    struct tsl_special_ids special = jobdata_special();
    o.mlm.rate = .3;
    o.mlm.dither = true;
    o.span = tsl_span_t5(JOBDATA_VOCAB, special.eos);
    o.span.nsentinels = 10;
    o.span.denoisers[0].density = .5;
    o.span.denoisers[0].mean_span = 2;
    o.unilm = kind == TSL_DENOISE_PREFIX ? tsl_unilm_prefix() : tsl_unilm_defaults();
    tsl_denoise_key(&o, &special, 77);
    return o;
}

/* A job that makes samples of the documents in "docs", in file "out". */
static inline struct tsl_maskjob_opts jobdata_job(enum tsl_maskjob_kind kind,
                                                  enum tsl_denoise_kind denoise)
{
    static char docs[] = "docs", *paths[] = { docs };
    struct tsl_maskjob_opts o = {
        .docs = { .paths = paths,
                  .npaths = 1,
                  .jsonl = true,
                  .vocab_size = JOBDATA_VOCAB },
        .temp_dir = ".",
        .kind = kind,
        .special = jobdata_special(),
        .pair = tsl_pair_defaults(),
        .twoseg = tsl_twoseg_defaults(),
        .pack = { .tokens_max = 24, .first = -1, .last = -1, .doc_end = 6 },
        .denoise = jobdata_denoise(denoise),
        .seed = 77,
        .objective = "a test",
        .output = "out",
        .made_by = "a test",
        .memory = 64 << 20,
        .nthreads = 1,
    };
    o.pair.tokens_max = o.twoseg.tokens_max = 24;
    o.bert = tsl_compat_bert_defaults();
    o.albert = tsl_compat_albert_defaults();
    o.bert.tokens_max = o.albert.pair.tokens_max = 24;
    o.electra = (struct tsl_compat_electra_opts){ .seed = 77, .tokens_max = 24 };
    return o;
}

#endif

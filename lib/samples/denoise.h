/* denoise.h - what a model is to find out about a sample: masked tokens, spans, what follows a
 * prefix, ... one face for all of prep's objectives that work on a finished sample.
 *
 * Order: a pure function of (seed, epoch, the sample's address).
 * Memory: as the objective's.
 * Threads: read-only once made; statistics are the caller's. */
#ifndef TSL_DENOISE_H
#define TSL_DENOISE_H

#include "prep/mae.h"
#include "prep/mlm.h"
#include "prep/plm.h"
#include "prep/span.h"
#include "prep/unilm.h"

/* X(enumerator, name in files) */
#define TSL_DENOISES(X)                                                                  \
    X(TSL_DENOISE_NONE, "none")                                                          \
    X(TSL_DENOISE_MLM, "mlm")                                                            \
    X(TSL_DENOISE_SPAN, "span")                                                          \
    X(TSL_DENOISE_PREFIX, "prefix") /* a prefix, and the rest from left to right */      \
    X(TSL_DENOISE_UNILM, "unilm")   /* UniLM's mixture of kinds, with masks */           \
    X(TSL_DENOISE_PLM, "plm")                                                            \
    X(TSL_DENOISE_MAE, "mae")

enum tsl_denoise_kind {
#define X(id, name) id,
    TSL_DENOISES(X)
#undef X
        TSL_NDENOISES
};

struct tsl_denoise_opts {
    enum tsl_denoise_kind kind;
    struct tsl_mlm_opts mlm; /* of mlm, unilm, plm, mae: what is chosen */
    struct tsl_span_opts span;
    struct tsl_unilm_opts unilm; /* of prefix and unilm */
};

struct tsl_denoise_stats {
    struct tsl_mlm_stats mlm;
    struct tsl_span_stats span;
};

/* All of its parts get these specials and this seed. */
void tsl_denoise_key(struct tsl_denoise_opts *o, const struct tsl_special_ids *special,
                     uint64_t seed);

struct tsl_denoise;

int tsl_denoise_create(struct tsl_denoise **d, const struct tsl_denoise_opts *o,
                       struct tsl_err *err);
void tsl_denoise_destroy(struct tsl_denoise *d);
void tsl_denoise_apply(const struct tsl_denoise *d, uint64_t epoch, struct tsl_sample *s,
                       struct tsl_denoise_stats *stats);
void tsl_denoise_stats_add(struct tsl_denoise_stats *sum,
                           const struct tsl_denoise_stats *stats);

const char *tsl_denoise_name(enum tsl_denoise_kind kind);

#endif

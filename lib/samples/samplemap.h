/* samplemap.h - samples on their way from a file to whoever trains: masked for an epoch, laid
 * out as a trainer wants them.
 *
 * Order: one in, one out; a pure function of the sample, its header's recipe and the epoch, so
 *   what it gives is what `cmask --static` would have written for that copy.
 * Memory: one sample twice, and the recipe (one bit an id).
 * Threads: one owner. */
#ifndef TSL_SAMPLEMAP_H
#define TSL_SAMPLEMAP_H

#include "samples/denoise.h"
#include "samples/samplerec.h"

struct tsl_samplemap_opts {
    bool mask;      /* mask samples that are not masked yet ... */
    uint64_t epoch; /* ... as this epoch has them */
    enum tsl_sample_layout layout;
    uint32_t tokens_max, masks_max; /* of padded layouts; 0: as the recipe says */
};

/* What samples of that shape have once they are denoised. */
void tsl_samplemap_shape(struct tsl_sample_shape *s, enum tsl_denoise_kind kind);

struct tsl_samplemap;

/* in: the header of the samples' file, called name.  TSL_EFORMAT where they are no samples,
 * TSL_EUSAGE where they cannot be had as asked (masked already; a layout of masked ones). */
int tsl_samplemap_create(struct tsl_samplemap **m, const struct tsl_rechead *in,
                         const char *name, const struct tsl_samplemap_opts *o,
                         struct tsl_err *err);
void tsl_samplemap_destroy(struct tsl_samplemap *m);
/* Lent for the map's life. */
const struct tsl_rechead *tsl_samplemap_head(const struct tsl_samplemap *m);
/* out is lent until the next call. */
int tsl_samplemap_apply(struct tsl_samplemap *m, const struct tsl_record *in,
                        struct tsl_record *out, struct tsl_err *err);

#endif

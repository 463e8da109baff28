/* trainset.h - one data set as training samples by number: any format, any layout, masked for
 * the epoch that is asked for.
 *
 * What a set is, is told by its fields and by the recipe in its header (maskmeta.h):
 *   samples of cmask            in any format and layout; dynamic ones are masked by the recipe,
 *                               as `cshard --epoch` or `cmask --static` would have
 *   the features of BERT's scripts, the columns of Hugging Face's models
 *                               as they are
 *   token ids and nothing else  cut into windows for a causal model (docwindows.h)
 * Order: samples have the numbers of their records; windows, those that they have as documents
 *   lie.  A sample is a pure function of set, options, number and epoch.
 * Memory: opts.memory, for all samples or tokens where they are expected to fit, else for the
 *   reader, which then picks each record when it is asked for.
 * Threads: one owner. */
#ifndef TSL_TRAINSET_H
#define TSL_TRAINSET_H

#include "samples/denoise.h"
#include "train/trainbatch.h"

struct tsl_trainset_opts {
    const char *path;
    const char *format;    /* NULL: told apart by content */
    const char *objective; /* NULL: as the data say; "clm" of samples: their masks are not
                            * looked at; "electra" masks samples by rate */
    uint32_t tokens_max;   /* T; 0: the data's own */
    uint32_t masks_max;    /* P; 0: the recipe's */
    bool truncate;         /* longer samples are cut; else they are an error */
    bool within_documents; /* of windows */
    int64_t doc_end;       /* of windows: an id behind each document; -1: none */
    double rate;           /* of electra; 0: .15 */
    uint64_t memory;       /* 0: 256 MiB */
};

struct tsl_trainset_info {
    enum tsl_train_kind kind;
    char objective[24]; /* as the recipe names it, else the kind's name */
    char format[24];
    char fields[256];       /* that were found, as the columns are called */
    uint64_t samples;       /* or windows */
    uint64_t tokens;        /* of windows; of samples 0, they are not counted */
    bool windows, resident; /* resident: all of it is in memory */
    bool dynamic;           /* masked when it is read */
    bool labels;            /* of rows: nsp, sop */
    bool positions;         /* of its own */
    bool documents;         /* rows may have several */
    uint32_t tokens_max, masks_max, outs_max; /* T, P, D that hold every sample */
    uint32_t vocab_size;                      /* 0: not known */
    struct tsl_special_ids special;           /* -1: not known; reserved NULL */
    char vocab_id[40];                        /* may be empty */
    uint64_t seed;                            /* of masks */
};

struct tsl_trainset;

/* TSL_EFORMAT or TSL_EUSAGE say what cannot be trained on, or what to do. */
int tsl_trainset_open(struct tsl_trainset **s, const struct tsl_trainset_opts *o,
                      struct tsl_err *err);
void tsl_trainset_destroy(struct tsl_trainset *s);
/* Lent for the set's life. */
const struct tsl_trainset_info *tsl_trainset_info(const struct tsl_trainset *s);
/* As it was opened. */
const char *tsl_trainset_path(const struct tsl_trainset *s);
/* Bytes held for samples, tokens and their index. */
uint64_t tsl_trainset_bytes(const struct tsl_trainset *s);
/* Sample i as the epoch has it, into sample, which init made.  Errors name path and record. */
int tsl_trainset_get(struct tsl_trainset *s, uint64_t i, uint64_t epoch,
                     struct tsl_sample *sample, struct tsl_err *err);

#endif

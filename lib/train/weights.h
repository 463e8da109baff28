/* weights.h - a model and its numbers, from whatever has them: a run of ours, one of its
 * checkpoints, or a folder from elsewhere with config.json and model.safetensors.
 *
 * Order: none.
 * Memory: the parameters'.
 * Threads: one caller. */
#ifndef TSL_WEIGHTS_H
#define TSL_WEIGHTS_H

#include "nn/model.h"

/* All zero is closed. */
struct tsl_weights {
    struct tsl_modelconfig config;
    struct tsl_params params;
    bool *found;       /* [params.n] was it in the file? */
    char path[4096];   /* of what was read: for messages */
    bool ours;         /* a checkpoint of a run, with the next: */
    uint64_t step;     /* that it was saved after */
    char damaged[500]; /* newer checkpoints that cannot be used; empty: none */
};

/* path: a run's folder, of which the newest whole checkpoint is taken, a checkpoint's, any folder
 * with config.json and model.safetensors, or such a file beside its config.json.  Checkpoints of
 * ours are compared with their checksums.  averaged: the averages that --ema keeps, in place of
 * the weights.  TSL_EFORMAT, TSL_EVERIFY, TSL_EIO, TSL_ENOMEM; TSL_EUSAGE where there is nothing
 * of the kind, or no averages.  Parameters that the file does not have stay 0: see need. */
int tsl_weights_open(struct tsl_weights *w, const char *path, bool averaged,
                     struct tsl_err *err);
/* Safe to call again. */
void tsl_weights_close(struct tsl_weights *w);

/* 0 where all parameters that the graph has asked for were found; else TSL_EFORMAT, which names
 * the first that is missing, and how many. */
int tsl_weights_need(const struct tsl_weights *w, const struct tsl_graph *g,
                     struct tsl_err *err);

/* The parameters that file has, by the names of public checkpoints (nn/model.h); found[i] becomes
 * true for those.  What the model does not have is passed over.  TSL_EFORMAT for another shape,
 * TSL_EIO, TSL_ENOMEM. */
int tsl_weights_read(struct tsl_params *p, const struct tsl_modelconfig *c,
                     const char *file, bool *found, struct tsl_err *err);

#endif

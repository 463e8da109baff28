/* trainer.h - a training run: data, model, optimizer, and where it stands.
 *
 *     tsl_trainer_open(&t, &opts, err)
 *     while (tsl_trainer_done(t) < opts.steps) {
 *         tsl_trainer_step(t, &out, err) ...
 *         tsl_trainer_save(t, err) now and then
 *     }
 *
 * Order: step i is a pure function of the parameters before it, the options, the seed and the
 *   data; so a run that was stopped anywhere and goes on from its last checkpoint has the same
 *   bits as one that was not.
 * Memory: parameters and gradients (8 bytes a parameter), what the optimizer keeps, one arena,
 *   and the loader's share.
 * Threads: one owner; a pool of opts.nthreads, the loader's own thread. */
#ifndef TSL_TRAINER_H
#define TSL_TRAINER_H

#include "nn/model.h"
#include "optim/optim.h"
#include "optim/schedule.h"
#include "train/checkpoint.h"
#include "train/loader.h"

struct tsl_trainer_opts {
    struct tsl_modelconfig model;
    struct tsl_loader_opts data; /* rows: of one batch */
    struct tsl_loader
        *loader;         /* opened with data, and taken over, on failure too; NULL: it
                                    is opened */
    uint32_t accumulate; /* batches a step; 0: 1 */
    struct tsl_optim_opts optim;
    const char *schedule; /* as schedule.h reads it, of so many steps; lent likewise */
    uint64_t steps;
    uint64_t seed;     /* of initial values and dropout */
    bool bf16;         /* products of bf16 factors, sums and parameters in f32 */
    unsigned nthreads; /* at least 1 */
    const char *run;   /* the folder of the run, which is there; NULL: nothing is saved */
    const char *init;  /* a safetensors file or checkpoint to begin with; or NULL */
    bool resume;       /* go on from the run's newest checkpoint, if there is one */
    uint64_t keep_last, keep_every; /* checkpoints; 0: all, none */
    /* What may not change when a run goes on, as lines "name value"; compared when it is
     * resumed, and the first that differs is told.  Steps and schedule may change as far as no
     * step that was done would have had another rate.  Lent for the trainer's life. */
    const char *identity;
    const char *version;
};

/* What a step came to. */
struct tsl_trainer_out {
    double loss, masked_loss, pair_loss, label_loss; /* those that there are; else NaN */
    double masked_accuracy, label_accuracy;          /* likewise */
    double lr, grad_norm, clip_factor;
    double wait_seconds; /* for data */
    uint64_t tokens;     /* of this step */
};

struct tsl_trainer;

/* TSL_EUSAGE for options that do not go together, or a run that was begun with others. */
int tsl_trainer_open(struct tsl_trainer **t, const struct tsl_trainer_opts *o,
                     struct tsl_err *err);
/* NULL is fine.  Nothing is saved. */
void tsl_trainer_destroy(struct tsl_trainer *t);

/* 1 after a step; 0 when the data are at their end.  TSL_EFORMAT when a number is no longer
 * finite: the message names step, tensor and last good checkpoint, and nothing was
 * changed. */
int tsl_trainer_step(struct tsl_trainer *t, struct tsl_trainer_out *out,
                     struct tsl_err *err);
/* A checkpoint of now, and older ones removed as the options say. */
int tsl_trainer_save(struct tsl_trainer *t, struct tsl_err *err);

/* Steps and tokens so far, those before a resume included. */
uint64_t tsl_trainer_done(const struct tsl_trainer *t);
uint64_t tsl_trainer_tokens(const struct tsl_trainer *t);
/* What tsl_trainer_open has to say besides: the checkpoint it goes on from, damaged ones that it
 * passed over; NULL: nothing. */
const char *tsl_trainer_resumed(const struct tsl_trainer *t);
const char *tsl_trainer_damaged(const struct tsl_trainer *t);

struct tsl_trainer_facts {
    size_t nparameters, arena_bytes, scratch_bytes, state_bytes;
    double flops;         /* of a step's products */
    uint64_t epoch_steps; /* steps of one epoch of all data; 0: there is none */
};
void tsl_trainer_facts(const struct tsl_trainer *t, struct tsl_trainer_facts *f);
const struct tsl_loader *tsl_trainer_loader(const struct tsl_trainer *t);
struct tsl_params *tsl_trainer_params(struct tsl_trainer *t);
const struct tsl_modelconfig *tsl_trainer_config(const struct tsl_trainer *t);
/* For those who tune: graph.h. */
struct tsl_graph *tsl_trainer_graph(struct tsl_trainer *t);
/* For what is computed between steps. */
struct tsl_pool *tsl_trainer_pool(struct tsl_trainer *t);

#endif

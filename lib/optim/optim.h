/* optim.h - optimizers: gradients into better parameters.
 *
 * One face for all methods; what each does is in its file (adamw.c, lamb.c, adafactor.c, lion.c,
 * sgd.c).  Over each of them: clipping by the gradient's global norm, groups with their own
 * rate and decay, lookahead, and averaged weights (EMA).
 *
 *     struct tsl_optim_opts opts = tsl_optim_defaults(TSL_OPTIM_ADAMW);
 *     opts.clip_norm = 1;
 *     tsl_optim_create(&o, &params, &opts, pool, err)
 *     for (uint64_t step = tsl_optim_steps(o); step < total; step++) {
 *         ... forward, backward: tsl_graph_run ...
 *         tsl_optim_step(o, tsl_schedule_at(&schedule, step), 1, &stats, err)
 *     }
 *
 * Order: numbers are changed one by one; sums that a method needs run over fixed blocks in
 *   fixed order.  So results depend on parameters, gradients and options alone: the same bits
 *   with any number of threads, and after a state was saved and read back.
 * Memory: pages, in floats a number: adamw and lamb 2, lion and sgd with momentum 1, adafactor
 *   1/32 and little more (1 of its own where not factored, 1 with momentum); lookahead and ema
 *   1 each, and 1 while averaged weights are on show.
 * Threads: one owner; the pool's threads help. */
#ifndef TSL_OPTIM_H
#define TSL_OPTIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "optim/paramgroup.h"
#include "par/pool.h"
#include "tensor/params.h"

/* X(enumerator, name) */
#define TSL_OPTIM_KINDS(X)                                                               \
    X(TSL_OPTIM_ADAMW, "adamw") /* Kingma and Ba 2014; Loshchilov and Hutter 2017 */     \
    X(TSL_OPTIM_LAMB, "lamb")   /* You et al. 2019 */                                    \
    X(TSL_OPTIM_ADAFACTOR, "adafactor") /* Shazeer and Stern 2018, its last algorithm */ \
    X(TSL_OPTIM_LION, "lion")           /* Chen et al. 2023 */                           \
    X(TSL_OPTIM_SGD, "sgd")             /* with momentum, perhaps Nesterov's */

enum tsl_optim_kind {
#define X(id, name) id,
    TSL_OPTIM_KINDS(X)
#undef X
        TSL_OPTIM_NKINDS
};

struct tsl_optim_opts {
    enum tsl_optim_kind kind;
    double lr;           /* the rate where the schedule says 1 */
    double beta1, beta2; /* adamw, lamb, lion; beta1: adafactor's momentum, 0 is none */
    double eps;          /* added to the root: adamw, lamb */
    bool no_bias_correction; /* adamw, lamb: as in Google's BERT */

    /* x -= rate * decay * x beside the method's own step.  Tensors with fewer axes than
     * decay_min_rank (2: biases, norms) are spared where no group says otherwise. */
    double weight_decay;
    unsigned decay_min_rank;
    bool decay_in_gradient; /* grad += decay * x instead (L2): adamw, lion, sgd */

    double clip_norm; /* the gradient's global norm at most; 0: whatever it is */
    bool update_norm; /* tell it in the statistics: costs some time */

    /* adafactor */
    double eps1, eps2;     /* added to squares; the least rms of a parameter */
    double clip_rms;       /* d: the most that rms(update) may be */
    double decay_exponent; /* beta2 of step t is 1 - t^-exponent */
    bool scale_parameter;  /* the step is a share of rms(x) */
    bool relative_step;    /* min(0.01, 1 / sqrt(t)) instead of lr, times the multiplier;
                              0.05 of it without scale_parameter */
    int64_t
        factor_min; /* rows and columns instead of all squares where the two longest axes
                              are the last two, and the shorter has so many; 1: every matrix */

    double momentum; /* sgd; 0: plain */
    bool nesterov;

    unsigned lookahead_k; /* every k steps slow += alpha (x - slow), x = slow; 0: no */
    double lookahead_alpha;
    double
        ema_decay; /* average = decay average + (1 - decay) x after each step; 0: none */

    /* The first that matches a parameter counts.  One that matches none is an error, unless
     * group_may_miss.  Not kept after create. */
    const struct tsl_paramgroup *group;
    size_t ngroups;
    bool group_may_miss;
};

/* The usual settings of that method:
 * adamw      lr 1e-3, betas .9 .999, eps 1e-8, decay .01
 * lamb       lr 1e-3, betas .9 .999, eps 1e-6, decay .01
 * adafactor  lr 1e-3, eps1 1e-30, eps2 1e-3, clip 1, exponent .8, parameter scale, relative
 *            step, from 128 columns on
 * lion       lr 3e-4, betas .95 .98, no decay
 * sgd        lr .1, no momentum, no decay, which is in the gradient */
struct tsl_optim_opts tsl_optim_defaults(enum tsl_optim_kind kind);

/* By name: the kinds above, and what models were published with:
 * "bert"        google-research/bert: adamw, lr 1e-4, eps 1e-6, no bias correction, clip 1,
 *               decay .01 but for LayerNorm and bias (schedule: bert:warmup=10000,total=1000000)
 * "bert4keras"  its pre-training: lamb, lr .00176, no bias correction, decay .01 and layer
 *               adaptation but for Norm and bias (piecewise:3125=1,125000=0)
 * "gpt2"        adamw, lr 6e-4, betas .9 .95, decay .1, clip 1 (as llm.c and nanoGPT train it)
 * 0, or TSL_EUSAGE for another name. */
int tsl_optim_preset(struct tsl_optim_opts *opts, const char *name, struct tsl_err *err);

struct tsl_optim;

/* For parameters that have their memory (tsl_params_alloc) and outlive this; the pool too (NULL:
 * none).  0, TSL_ENOMEM, or TSL_EUSAGE for options that mean nothing. */
int tsl_optim_create(struct tsl_optim **o, const struct tsl_params *params,
                     const struct tsl_optim_opts *opts, struct tsl_pool *pool,
                     struct tsl_err *err);
/* NULL is fine. */
void tsl_optim_destroy(struct tsl_optim *o);

struct tsl_optim_stats {
    double grad_norm;   /* over all that is trained, scale applied, before clipping */
    double clip_factor; /* what gradients were multiplied with for it */
    double update_norm; /* of what was added to the parameters; 0 unless asked for */
};

/* Changes the parameters by their gradients times scale; the rate is opts.lr * multiplier.
 * Gradients stay as they are.  stats may be NULL.
 * 0, or TSL_EFORMAT when a gradient is not finite (the message names the first of them): then
 * nothing has changed, and the next batch may be tried. */
int tsl_optim_step(struct tsl_optim *o, double multiplier, double scale,
                   struct tsl_optim_stats *stats, struct tsl_err *err);

/* ---- what it remembers ---- */

/* "step" (one uint64_t), and floats: "m.NAME", "v.NAME" (moments), "r.NAME", "c.NAME" (rows'
 * and columns' means of squares), "slow.NAME", "ema.NAME".  The same options for the same
 * parameters give the same list, so a saved state is read back into data, name by name. */
struct tsl_optim_array {
    const char *name;
    bool counts; /* uint64_t, else float */
    unsigned rank;
    int64_t dim[TSL_RANK_MAX];
    size_t n;
    void *data; /* [n] */
};

/* The i-th; NULL after the last.  Good until destroy. */
const struct tsl_optim_array *tsl_optim_state(const struct tsl_optim *o, size_t i);
/* NULL: there is none of that name. */
const struct tsl_optim_array *tsl_optim_state_find(const struct tsl_optim *o,
                                                   const char *name);
/* Steps made so far, those before the state was saved included. */
uint64_t tsl_optim_steps(const struct tsl_optim *o);

/* ---- averaged weights ---- */

/* Puts the average, e / (1 - decay^t), in the parameters' place; hide puts them back.  No
 * step between.  Without ema_decay, or before the first step, they are what they were.  0 or
 * TSL_ENOMEM. */
int tsl_optim_ema_show(struct tsl_optim *o, struct tsl_err *err);
void tsl_optim_ema_hide(struct tsl_optim *o);
/* What a saved "ema.NAME" is multiplied with to be shown: 1 / (1 - decay^steps). */
double tsl_optim_ema_correction(double decay, uint64_t steps);

#endif

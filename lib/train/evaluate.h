/* evaluate.h - how well a model finds out what a held-out set asks for.
 *
 *     tsl_evaluate_open(&e, &opts, err)
 *     tsl_evaluate_run(e, &out, err)     // as often as the parameters have changed
 *
 * Order: the set's records as they lie, with the masks of epoch 0; so each run sees the same
 *   batches.  Losses are added up over all labels and divided once: no batch weighs more than its
 *   labels.  Nothing is written but what is the evaluation's own: the parameters stay as they
 *   are, and no generator is drawn from.
 * Memory: one arena for the forward computation, and the loader's share.
 * Threads: one owner; the given pool; the loader's own thread. */
#ifndef TSL_EVALUATE_H
#define TSL_EVALUATE_H

#include "nn/model.h"
#include "train/loader.h"

struct tsl_evaluate_opts {
    const struct tsl_modelconfig *model;
    struct tsl_params *params; /* lent for the evaluation's life */
    struct tsl_loader_opts
        data;         /* rows: of a batch; what else says an order is not looked at */
    uint64_t batches; /* at most; 0: all of the set */
    bool bf16;
    struct tsl_pool *pool; /* of nthreads; lent likewise */
    unsigned nthreads;
};

/* Sums over all batches.  NaN: there is no such thing. */
struct tsl_evaluate_out {
    double loss;                               /* the sum of the next three */
    double masked_loss, pair_loss, label_loss; /* a label's, on average */
    double masked_accuracy, pair_accuracy, label_accuracy;
    double perplexity; /* exp of masked_loss, or of label_loss */
    uint64_t batches, samples, tokens;
    uint64_t masked, pairs, labels; /* how many there were to be told */
};

struct tsl_evaluate;

/* TSL_EUSAGE for data that do not fit the model. */
int tsl_evaluate_open(struct tsl_evaluate **e, const struct tsl_evaluate_opts *o,
                      struct tsl_err *err);
/* NULL is fine. */
void tsl_evaluate_destroy(struct tsl_evaluate *e);

/* Goes through the set once.  TSL_EFORMAT for a record that is wrong, and for a number that is
 * not finite: the message names batch and tensor. */
int tsl_evaluate_run(struct tsl_evaluate *e, struct tsl_evaluate_out *out,
                     struct tsl_err *err);

const struct tsl_loader *tsl_evaluate_loader(const struct tsl_evaluate *e);
/* Of the forward computation: which parameters it asks for. */
const struct tsl_graph *tsl_evaluate_graph(const struct tsl_evaluate *e);

#endif

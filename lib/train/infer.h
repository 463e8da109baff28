/* infer.h - what a model says of a few tokens: logits at the places asked for.
 *
 * A graph without training is kept for each length that was needed, which are powers of two; so
 * what is said of a row depends on the model, the row and opts.rows alone.
 * Order: places as given.
 * Memory: an arena a length.
 * Threads: one owner; the given pool. */
#ifndef TSL_INFER_H
#define TSL_INFER_H

#include "nn/model.h"
#include "train/weights.h"

struct tsl_infer_opts {
    const struct tsl_weights *weights; /* lent for its life, as the pool */
    enum tsl_attn_mask mask;           /* ALL, CAUSAL or PREFIX: whom a token sees */
    uint32_t rows;                     /* at most; 0: 1 */
    bool bf16;
    struct tsl_pool *pool; /* of nthreads */
    unsigned nthreads;
};

struct tsl_infer_row {
    const int32_t *ids; /* [n] */
    uint32_t n;
    uint32_t first;  /* tokens of the first segment; n: there is one */
    uint32_t prefix; /* with PREFIX: tokens that all see */
};

struct tsl_infer_place {
    uint32_t row, at; /* at < rows[row].n */
};

struct tsl_infer;

int tsl_infer_open(struct tsl_infer **x, const struct tsl_infer_opts *o,
                   struct tsl_err *err);
/* NULL is fine. */
void tsl_infer_destroy(struct tsl_infer *x);

/* Tokens that a row may have. */
uint32_t tsl_infer_tokens_max(const struct tsl_infer *x);

/* The logits [nplaces, vocabulary], lent until the next call.  TSL_EUSAGE for more rows or tokens
 * than there may be and for an id that the model does not know; TSL_EFORMAT where a parameter that
 * this needs was not in the file, or a logit is not finite. */
int tsl_infer_run(struct tsl_infer *x, const struct tsl_infer_row *rows, size_t nrows,
                  const struct tsl_infer_place *places, size_t nplaces,
                  const float **logits, struct tsl_err *err);

/* The n chances that logits give at a temperature of 1: p[i] = e^(x[i] - max) / sum, with the sum
 * in order.  *log_sum: what to take from a logit for its logarithm; may be NULL. */
void tsl_infer_chances(const float *logits, size_t n, double *p, double *log_sum);

#endif

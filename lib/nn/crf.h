/* crf.h - labels in a row: conditional random fields and their locally normalized kin.
 *
 * A CRF (Lafferty, McCallum and Pereira 2001) gives a path y of labels the score
 *     start[y_0] + sum emissions[t, y_t] + sum transitions[y_(t-1), y_t] + end[y_last]
 * and the probability exp(score) by the sum of that over all paths.  A MEMM (McCallum, Freitag
 * and Pereira 2000) normalizes each step by itself.  The best path of both is Viterbi's.
 * Order: recursions run from the first place to the last.
 * Memory: forward variables, [batch, k, k] a place, until the backward has run; of a best path
 *   4 k bytes a place, given back before it returns.
 * Threads: as ops.h; the best path is pure. */
#ifndef TSL_CRF_H
#define TSL_CRF_H

#include "tensor/ops.h"

struct tsl_crf {
    struct tsl_tensor *emissions; /* [batch, t, k] */
    struct tsl_tensor *labels;    /* i32 [batch, t]; what is behind the end is ignored */
    struct tsl_tensor *lengths;   /* i32 [batch], each 1 .. t; NULL: all are t */
    struct tsl_tensor *transitions; /* [k, k]: from row to column */
    struct tsl_tensor *start, *end; /* [k] or NULL */
};

/* The logarithm of the probability of the labels: [batch]. */
struct tsl_tensor *tsl_crf_loglik(struct tsl_graph *g, const struct tsl_crf *c);
/* The same of a MEMM: log softmax(emissions[0])[y_0] + sum over t > 0 of
 * log softmax(emissions[t] + transitions[y_(t-1)])[y_t]; start and end are not looked at. */
struct tsl_tensor *tsl_crf_memm_loglik(struct tsl_graph *g, const struct tsl_crf *c);

/* The path of the highest score over t places, t >= 1: emissions [t, k], transitions [k, k],
 * start, end [k] or NULL.  Of equal ones the one whose last differing label is smaller.  path
 * [t]; *score (may be NULL) its score, added up in double.  0 or TSL_ENOMEM. */
int tsl_crf_best(const float *emissions, size_t t, size_t k, const float *transitions,
                 const float *start, const float *end, int32_t *path, double *score,
                 struct tsl_err *err);

#endif

/* params.h - the numbers that are trained: named tensors of floats in one block, their
 * gradients in another.
 *
 * Order: parameters keep the order in which they were added; so do checkpoints and sums over
 *   all of them.
 * Memory: pages, 8 bytes a number (value and gradient) once tsl_params_alloc has run; each
 *   parameter begins at a multiple of 64 bytes.
 * Threads: one owner. */
#ifndef TSL_PARAMS_H
#define TSL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TSL_RANK_MAX = 5 };

struct tsl_param {
    char *name; /* as in public checkpoints: "bert.pooler.dense.weight" */
    unsigned rank;
    int64_t dim[TSL_RANK_MAX];
    size_t n;       /* product of dim */
    float *value;   /* [n], row-major; NULL before tsl_params_alloc */
    float *grad;    /* [n]; NULL when frozen */
    float init_std; /* tsl_params_init: truncated normal of this standard deviation; 0: */
    float init_value; /* every number is this one */
    bool frozen;      /* not trained: no gradient is asked for */
};

/* All zero: none. */
struct tsl_params {
    struct tsl_param *item;
    size_t n, cap;
    size_t numbers;        /* sum of item[].n, each rounded up to 16 */
    float *values, *grads; /* the two blocks */
};

/* Adds one; name is copied.  Its index, TSL_ENOMEM, or TSL_EUSAGE for a name that is there
 * already, a rank above TSL_RANK_MAX or a dim below 1.  Only before alloc. */
int tsl_params_add(struct tsl_params *p, const char *name, unsigned rank,
                   const int64_t *dim, struct tsl_err *err);
/* NULL when there is none of that name. */
struct tsl_param *tsl_params_find(const struct tsl_params *p, const char *name);
/* Gives every parameter its memory, all zero.  0 or TSL_ENOMEM. */
int tsl_params_alloc(struct tsl_params *p, struct tsl_err *err);
/* Fills the values by init_std and init_value: number i of a parameter is a pure function of
 * seed, the parameter's name and i, so that a further layer changes no other's.
 * A draw beyond two standard deviations is drawn again, as TensorFlow's truncated_normal
 * does (true deviation .8796 of the nominal). */
void tsl_params_init(struct tsl_params *p, uint64_t seed);
void tsl_params_fini(struct tsl_params *p);

#endif

/* layers.h - what models of every family are made of, by names of parameters.
 * Order: as recorded.
 * Memory: the graph's.
 * Threads: one owner. */
#ifndef TSL_LAYERS_H
#define TSL_LAYERS_H

#include "nn/model.h"

/* A model while it is being written down: with g NULL it only adds its parameters. */
struct tsl_layers {
    const struct tsl_modelconfig *c;
    struct tsl_params *p;
    struct tsl_graph *g;
    struct tsl_err *err;
    int rc; /* the first failure of adding parameters */
};

enum { TSL_LAYERS_NAME = 256 };

/* A parameter by its name, PREFIX.SUFFIX (no dot where the suffix is empty): added, or its
 * tensor.  std: tsl_params_init. */
struct tsl_tensor *tsl_layers_param(struct tsl_layers *l, const char *prefix,
                                    const char *suffix, unsigned rank, const int64_t *dim,
                                    double std, double value);
/* f(x w^T + b): NAME.weight [n, k], NAME.bias [n] where bias. */
struct tsl_tensor *tsl_layers_linear(struct tsl_layers *l, const char *name,
                                     struct tsl_tensor *x, int64_t k, int64_t n,
                                     bool bias, enum tsl_unary f);
/* count linear layers of one shape on the same x, side by side: [..., count * n]; one
 * product where their weights lie together. */
struct tsl_tensor *tsl_layers_linears(struct tsl_layers *l, const char *const *names,
                                      unsigned count, struct tsl_tensor *x, int64_t k,
                                      int64_t n, bool bias);
/* NAME.weight [n], NAME.bias [n]. */
struct tsl_tensor *tsl_layers_norm(struct tsl_layers *l, const char *name,
                                   struct tsl_tensor *x, int64_t n);
/* The norm of x + dropout(h); *sum as in ops.h. */
struct tsl_tensor *tsl_layers_residual_norm(struct tsl_layers *l, const char *name,
                                            struct tsl_tensor *x, struct tsl_tensor *h,
                                            int64_t n, struct tsl_tensor **sum);
/* NAME.weight [v, n], rows chosen by ids (NULL: only the parameter). */
struct tsl_tensor *tsl_layers_embedding(struct tsl_layers *l, const char *name,
                                        struct tsl_tensor *ids, int64_t v, int64_t n);
/* NAME.weight of an embedding or layer that exists already. */
struct tsl_tensor *tsl_layers_weight(struct tsl_layers *l, const char *name);
/* Positions as waves (Vaswani et al. 2017): [t, n], n even; [i, 2k] = sin(i 10000^(-2k/n)),
 * [i, 2k + 1] its cosine.  A table, made when it is recorded. */
struct tsl_tensor *tsl_layers_sinusoidal(struct tsl_graph *g, int64_t t, int64_t n);

#endif

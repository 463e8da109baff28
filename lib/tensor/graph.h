/* graph.h - a computation, recorded once by plain C calls and replayed every step.
 *
 *     struct tsl_graph *g;
 *     tsl_graph_create(&g, &opts, err);
 *     struct tsl_tensor *x = tsl_graph_input(g, "x", TSL_F32, 2, (int64_t[]){ 32, 256 });
 *     struct tsl_tensor *loss = ... tsl_ops_linear(g, x, w, b, ...) ...;
 *     tsl_graph_derive(g, loss, err);   // the backward, recorded behind it
 *     tsl_graph_plan(g, err);                    // one arena for all of it
 *     for (;;) {
 *         memcpy(tsl_tensor_data(x), ...);
 *         tsl_graph_run(g, pool, &draw);         // nothing is allocated
 *     }
 *
 * Recording executes nothing.  An operation that cannot be recorded (shapes that do not fit,
 * no memory) returns NULL and the graph keeps the first error; operations on NULL return
 * NULL; derive and plan report the error.  So a model is written without a check a line.
 * A gradient that some operation does not have is an error, never a zero.
 * Order: nodes run in the order of recording.
 * Memory: a few hundred bytes a node; the arena is the largest sum of values alive at a time,
 *   gradients of parameters excepted, which lie with the parameters.
 * Threads: one owner; each node splits its own work over the pool by sizes, so results are the
 *   same bits for any number of threads. */
#ifndef TSL_GRAPH_H
#define TSL_GRAPH_H

#include "base/compiler.h"
#include "base/err.h"
#include "par/pool.h"
#include "tensor/params.h"
#include "tensor/tensor.h"

struct tsl_graph;

/* What a dropout site draws from: the run's seed and the step. */
struct tsl_draw {
    uint64_t seed, step;
};

struct tsl_graph_opts {
    bool bf16;     /* matrix products of layers round their factors to bf16 */
    bool training; /* dropout acts; else it is left out of the graph */
};

/* 0 or TSL_ENOMEM. */
int tsl_graph_create(struct tsl_graph **g, const struct tsl_graph_opts *o,
                     struct tsl_err *err);
void tsl_graph_destroy(struct tsl_graph *g);
const struct tsl_graph_opts *tsl_graph_options(const struct tsl_graph *g);

/* The name that what is recorded from now on has in messages; copied. */
void tsl_graph_scope(struct tsl_graph *g, const char *format, ...) TSL_PRINTF(2, 3);

/* What builds on operations cannot be recorded: as where an operation cannot. */
void tsl_graph_refuse(struct tsl_graph *g, const char *format, ...) TSL_PRINTF(2, 3);

/* ---- leaves ---- */

/* Memory of the graph's that the caller fills before each run; zero at first. */
struct tsl_tensor *tsl_graph_input(struct tsl_graph *g, const char *name,
                                   enum tsl_num type, unsigned rank, const int64_t *dim);
/* The same, and gradients flow to it (tsl_graph_gradient). */
struct tsl_tensor *tsl_graph_variable(struct tsl_graph *g, const char *name,
                                      unsigned rank, const int64_t *dim);
/* A parameter; the same tensor each time it is asked for. */
struct tsl_tensor *tsl_graph_param(struct tsl_graph *g, struct tsl_params *p,
                                   const char *name);
/* count parameters that lie one behind the other, of one shape [n, ...] or [n] each, as one
 * tensor [count * n, ...]: three projections are one product.  NULL where they do not. */
struct tsl_tensor *tsl_graph_param_span(struct tsl_graph *g, struct tsl_params *p,
                                        const char *first, unsigned count);
/* Has the parameter been asked for? */
bool tsl_graph_has_param(const struct tsl_graph *g, const struct tsl_param *p);
/* A number. */
struct tsl_tensor *tsl_graph_constant(struct tsl_graph *g, float value);

/* ---- gradients ---- */

/* Records the derivatives of a scalar with respect to every parameter that it depends on and
 * that is not frozen; they arrive in param->grad with each run.  Parameters that it does not
 * depend on get zeros.  Once. */
int tsl_graph_derive(struct tsl_graph *g, struct tsl_tensor *loss, struct tsl_err *err);
/* The derivatives of a scalar with respect to n tensors, as tensors of their shapes.
 * differentiable: made of operations that have derivatives themselves (fused ones are
 * expanded into primitives first), for losses that contain them.  A NULL in grads: y does
 * not depend on x[i]. */
int tsl_graph_gradient(struct tsl_graph *g, struct tsl_tensor *y,
                       struct tsl_tensor *const *x, size_t n, bool differentiable,
                       struct tsl_tensor **grads, struct tsl_err *err);

/* ---- running ---- */

/* Its numbers are to be read after a run: they are not overwritten by others. */
void tsl_graph_keep(struct tsl_graph *g, struct tsl_tensor *t);
/* Reports what went wrong while recording; lays out and takes the arena.  nthreads: of the
 * pools that it will run on, at most. */
int tsl_graph_plan(struct tsl_graph *g, unsigned nthreads, struct tsl_err *err);
void tsl_graph_run(struct tsl_graph *g, struct tsl_pool *pool,
                   const struct tsl_draw *draw);
/* As run, looking at what each node computes: 0, or TSL_EFORMAT and the first that is
 * not finite. */
int tsl_graph_run_checked(struct tsl_graph *g, struct tsl_pool *pool,
                          const struct tsl_draw *draw, struct tsl_err *err);

struct tsl_graph_stats {
    size_t nnodes, arena_bytes, scratch_bytes;
    double flops; /* of matrix products, in one run: 2 m n k each */
};
void tsl_graph_stats(const struct tsl_graph *g, struct tsl_graph_stats *s);
/* Seconds that each operation took since the last call, added up by name, as text in *text on
 * the heap: for those who tune.  Counted once tsl_graph_profile was called with true. */
void tsl_graph_profile(struct tsl_graph *g, bool on);
int tsl_graph_profile_text(struct tsl_graph *g, char **text, struct tsl_err *err);

#endif

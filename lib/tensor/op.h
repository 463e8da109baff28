/* op.h - what an operation is to the graph: for the files op_*.c and fused_*.c alone.
 *
 * An operation is one constant struct tsl_op beside a function of ops.h that checks shapes
 * and records a node of it.
 * Order: none.
 * Memory: nodes are the graph's.
 * Threads: as graph.h. */
#ifndef TSL_OP_H
#define TSL_OP_H

#include "tensor/graph.h"
#include "tensor/kernels.h"

enum { TSL_NODE_INPUTS = 10, TSL_NODE_OUTPUTS = 6 };

struct tsl_run {
    struct tsl_pool *pool;
    const struct tsl_kernels *kernels;
    const struct tsl_draw *draw;
    void *scratch; /* as many bytes as op->scratch said, 64-byte aligned */
};

struct tsl_op {
    const char *name;
    /* NULL: a view, nothing to do. */
    void (*run)(const struct tsl_node *n, const struct tsl_run *r);
    /* Records din[i] for each input with need[i], given dout[] (NULL: no gradient reached
     * that output).  A din[i] left NULL is no dependence.  NULL function: there is no
     * derivative, which is an error when one is asked for. */
    void (*grad)(struct tsl_graph *g, struct tsl_node *n, struct tsl_tensor *const *dout,
                 const bool *need, struct tsl_tensor **din);
    /* Records the same outputs from the same inputs by operations whose grad is made of
     * operations that have a grad; NULL for those that are so themselves. */
    void (*expand)(struct tsl_graph *g, const struct tsl_node *n,
                   struct tsl_tensor **out);
    size_t (*scratch)(const struct tsl_node *n, unsigned nthreads);
    double (*flops)(const struct tsl_node *n);
    /* The run adds to output 0 when n->adds, so a sum of gradients needs no pass of its own. */
    bool can_add;
    /* Output 0 may lie where input 0 lies, if nobody needs that afterwards. */
    bool in_place;
    /* What it computes has no derivative by nature (a comparison, an index): gradients stop
     * here without an error. */
    bool flat;
};

union tsl_attr {
    int64_t i;
    double f;
    void *p;
};

struct tsl_node {
    const struct tsl_op *op;
    struct tsl_tensor *in[TSL_NODE_INPUTS], *out[TSL_NODE_OUTPUTS];
    unsigned nin, nout;
    uint32_t number;
    bool adds; /* output 0 holds a sum already */
    union tsl_attr attr[8];
    double seconds; /* while it is profiled, of so many runs */
    unsigned runs;
    const char *scope;
};

/* Records a node; in[] may hold NULL only where optional says so (bit i).  NULL when an
 * input failed or memory ran out. */
struct tsl_node *tsl_op_record(struct tsl_graph *g, const struct tsl_op *op, unsigned nin,
                               struct tsl_tensor *const *in, unsigned optional);
/* A further output of n, contiguous, in a storage of its own.  NULL on failure. */
struct tsl_tensor *tsl_op_output(struct tsl_graph *g, struct tsl_node *n,
                                 enum tsl_num type, unsigned rank, const int64_t *dim);
/* The same, shaped as like. */
struct tsl_tensor *tsl_op_output_like(struct tsl_graph *g, struct tsl_node *n,
                                      const struct tsl_tensor *like);
/* An output that looks into x's storage; shape and strides are x's until changed. */
struct tsl_tensor *tsl_op_view(struct tsl_graph *g, struct tsl_node *n,
                               struct tsl_tensor *x);
/* The graph has failed: remembers the first reason.  Returns NULL. */
struct tsl_tensor *tsl_op_fail(struct tsl_graph *g, const char *format, ...)
    TSL_PRINTF(2, 3);
/* bytes of memory that live as long as the graph, zero; NULL on failure. */
void *tsl_op_memory(struct tsl_graph *g, size_t bytes);
/* A number of its own for each dropout site, from the first on. */
uint64_t tsl_op_site(struct tsl_graph *g);
bool tsl_op_failed(const struct tsl_graph *g);
/* Is d the constant 1 that derivatives start from? */
bool tsl_op_is_one(const struct tsl_graph *g, const struct tsl_tensor *d);

/* fn(ctx, from, to) over [0, n) in blocks of block, on the pool where that pays. */
void tsl_op_split(const struct tsl_run *r, size_t n, size_t block,
                  void (*fn)(void *ctx, size_t from, size_t to), void *ctx);

#endif

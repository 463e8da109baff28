/* optimcore.h - between the face of the optimizers and their methods.
 * Order: as optim.h.
 * Memory: as optim.h.
 * Threads: as optim.h; begin runs on the owner, apply on any thread, each part once. */
#ifndef TSL_OPTIMCORE_H
#define TSL_OPTIMCORE_H

#include "optim/optim.h"
#include "tensor/kernel_args.h"
#include "tensor/kernels.h"

/* A parameter that is trained. */
struct tsl_optim_slot {
    struct tsl_param *param;
    double lr;    /* multiplies the rate */
    double decay; /* beside the step */
    double l2;    /* in the gradient */
    bool adapt, lazy;
    float *m, *v, *r, *c; /* the method's; NULL: not kept */
    float *slow, *ema;
    size_t first_block, nblocks;
};

/* At most TSL_GRADS_BLOCK numbers of one slot. */
struct tsl_optim_block {
    struct tsl_optim_slot *slot;
    size_t at, n;
};

/* What holds for one step. */
struct tsl_optim_turn {
    uint64_t t;                /* from 1 */
    double multiplier, lr;     /* the schedule's; the rate */
    double scale;              /* of the gradient, clipping included */
    double correct1, correct2; /* bias corrections */
};

/* A stretch of a slot, to be changed. */
struct tsl_optim_part {
    struct tsl_optim_slot *slot;
    size_t at, n;
    const float *grad; /* [n] */
    float scale;
};

struct tsl_optim_method {
    /* Asks for what slot remembers (tsl_optim_keep).  0 or TSL_ENOMEM. */
    int (*keep)(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err);
    /* Scratch memory, when blocks are known; NULL: none.  0 or TSL_ENOMEM. */
    int (*create)(struct tsl_optim *o, struct tsl_err *err);
    void (*destroy)(struct tsl_optim *o);
    /* Before any parameter changes: sums over whole tensors, corrections.  NULL: nothing. */
    void (*begin)(struct tsl_optim *o, struct tsl_optim_turn *turn);
    void (*apply)(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part);
};

extern const struct tsl_optim_method tsl_optim_adamw, tsl_optim_lamb, tsl_optim_adafactor,
    tsl_optim_lion, tsl_optim_sgd;

struct tsl_optim_kept {
    struct tsl_optim_array array;
    char *name;
    float **to; /* where its address is wanted */
};

struct tsl_optim {
    struct tsl_optim_opts opts;
    const struct tsl_params *params;
    struct tsl_pool *pool;
    const struct tsl_kernels *kernels;
    const struct tsl_optim_method *method;
    struct tsl_optim_slot *slot;
    size_t nslots;
    struct tsl_optim_block *block;
    size_t nblocks;
    double *sums; /* [nblocks] */
    struct tsl_optim_kept *kept;
    size_t nkept, cap_kept;
    float *memory; /* of all that is kept */
    size_t memory_bytes;
    uint64_t steps;
    float *hidden; /* the parameters while their averages are on show */
    void *own;     /* the method's */
};

/* Registers PREFIX.NAME of that shape; *to gets its memory, zero, before create is called. */
int tsl_optim_keep(struct tsl_optim *o, const struct tsl_optim_slot *slot, float **to,
                   const char *prefix, unsigned rank, const int64_t *dim,
                   struct tsl_err *err);
/* The same in the parameter's own shape. */
int tsl_optim_keep_all(struct tsl_optim *o, const struct tsl_optim_slot *slot, float **to,
                       const char *prefix, struct tsl_err *err);
/* fn(ctx, i) for i in [0, n), on the pool if there is one. */
void tsl_optim_run(const struct tsl_optim *o, size_t n, void (*fn)(void *ctx, unsigned i),
                   void *ctx);
/* x^n by squaring: the same bits everywhere. */
double tsl_optim_power(double x, uint64_t n);

/* lookahead.c, ema.c: for one block, after apply. */
int tsl_lookahead_keep(struct tsl_optim *o, struct tsl_optim_slot *slot,
                       struct tsl_err *err);
void tsl_lookahead_begin(const struct tsl_optim *o);
void tsl_lookahead_block(const struct tsl_optim *o, const struct tsl_optim_block *b,
                         uint64_t t);
int tsl_ema_keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err);
void tsl_ema_block(const struct tsl_optim *o, const struct tsl_optim_block *b);

/* adamw.c, for lamb.c too.  begin: the corrections 1 / (1 - beta^t), or 1 each.  args: what all
 * parameters have in common. */
int tsl_adamw_keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err);
void tsl_adamw_begin(struct tsl_optim *o, struct tsl_optim_turn *turn);
struct tsl_step_adamw tsl_adamw_args(const struct tsl_optim *o,
                                     const struct tsl_optim_turn *turn);

#endif

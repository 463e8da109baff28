/* lion.c - Lion: x -= lr (sign(b1 m + (1 - b1) g) + decay x);  m = b2 m + (1 - b2) g.
 * Where the sum is 0 its sign is 0. */
#include "optim/optimcore.h"

static int keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err)
{
    return tsl_optim_keep_all(o, slot, &slot->m, "m", err);
}

static void apply(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part)
{
    const struct tsl_optim_opts *p = &o->opts;
    const struct tsl_optim_slot *s = part->slot;
    double lr = turn->lr * s->lr;
    struct tsl_step_lion args = { .scale = part->scale,
                                  .beta1 = (float)p->beta1,
                                  .rest1 = (float)(1 - p->beta1),
                                  .beta2 = (float)p->beta2,
                                  .rest2 = (float)(1 - p->beta2),
                                  .rate = (float)lr,
                                  .decay = (float)(lr * s->decay) };
    o->kernels->step_lion(s->param->value + part->at, s->m + part->at, part->grad,
                          part->n, &args);
}

const struct tsl_optim_method tsl_optim_lion = { .keep = keep, .apply = apply };

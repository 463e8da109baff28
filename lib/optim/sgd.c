/* sgd.c - x -= lr (g + decay x); with momentum mu, m = mu m + g and m takes g's place, or, as
 * Nesterov has it, g + mu m (torch.optim.SGD without dampening). */
#include "optim/optimcore.h"

static int keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err)
{
    return o->opts.momentum > 0 ? tsl_optim_keep_all(o, slot, &slot->m, "m", err) : 0;
}

static void apply(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part)
{
    const struct tsl_optim_slot *s = part->slot;
    double lr = turn->lr * s->lr;
    float mu = (float)o->opts.momentum;
    struct tsl_step_sgd args = { .scale = part->scale,
                                 .momentum = mu,
                                 .own = o->opts.nesterov ? 1 : 0,
                                 .of_m = o->opts.nesterov ? mu : 1,
                                 .rate = (float)lr,
                                 .decay = (float)(lr * s->decay) };
    o->kernels->step_sgd(s->param->value + part->at, s->m ? s->m + part->at : NULL,
                         part->grad, part->n, &args);
}

const struct tsl_optim_method tsl_optim_sgd = { .keep = keep, .apply = apply };

/* adamw.c - Adam, its decay beside the step (AdamW) or in the gradient:
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   x -= lr (m' / (sqrt(v') + eps) + decay x), m' = m / (1 - b1^t), v' = v / (1 - b2^t), or m
 *   and v themselves. */
#include "optim/optimcore.h"

int tsl_adamw_keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err)
{
    int rc = tsl_optim_keep_all(o, slot, &slot->m, "m", err);
    return rc < 0 ? rc : tsl_optim_keep_all(o, slot, &slot->v, "v", err);
}

void tsl_adamw_begin(struct tsl_optim *o, struct tsl_optim_turn *turn)
{
    if (o->opts.no_bias_correction)
        return;
    turn->correct1 = 1 / (1 - tsl_optim_power(o->opts.beta1, turn->t));
    turn->correct2 = 1 / (1 - tsl_optim_power(o->opts.beta2, turn->t));
}

struct tsl_step_adamw tsl_adamw_args(const struct tsl_optim *o,
                                     const struct tsl_optim_turn *turn)
{
    const struct tsl_optim_opts *p = &o->opts;
    return (struct tsl_step_adamw){
        .beta1 = (float)p->beta1,
        .rest1 = (float)(1 - p->beta1),
        .beta2 = (float)p->beta2,
        .rest2 = (float)(1 - p->beta2),
        .correct2 = (float)turn->correct2,
        .eps = (float)p->eps,
    };
}

static void apply(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part)
{
    const struct tsl_optim_slot *s = part->slot;
    struct tsl_step_adamw args = tsl_adamw_args(o, turn);
    args.scale = part->scale;
    args.rate = (float)(turn->lr * s->lr * turn->correct1);
    args.decay = (float)(turn->lr * s->lr * s->decay);
    o->kernels->step_adamw(s->param->value + part->at, s->m + part->at, s->v + part->at,
                           part->grad, part->n, &args);
}

const struct tsl_optim_method tsl_optim_adamw = { .keep = tsl_adamw_keep,
                                                  .begin = tsl_adamw_begin,
                                                  .apply = apply };

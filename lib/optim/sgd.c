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
    float rate = (float)lr, decay = (float)(lr * s->decay), scale = part->scale;
    float mu = (float)o->opts.momentum, ahead = o->opts.nesterov ? mu : 0;
    float own = o->opts.nesterov ? 1 : 0; /* g itself in the step */
    float *restrict x = s->param->value + part->at;
    const float *restrict grad = part->grad;
    if (!s->m) {
        for (size_t i = 0; i < part->n; i++)
            x[i] -= rate * (grad[i] * scale) + decay * x[i];
        return;
    }
    float *restrict m = s->m + part->at;
    float of_m = o->opts.nesterov ? ahead : 1;
    for (size_t i = 0; i < part->n; i++) {
        float g = grad[i] * scale;
        m[i] = mu * m[i] + g;
        x[i] -= rate * (own * g + of_m * m[i]) + decay * x[i];
    }
}

const struct tsl_optim_method tsl_optim_sgd = { .keep = keep, .apply = apply };

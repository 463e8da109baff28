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
    const struct tsl_optim_slot *s = part->slot;
    double lr = turn->lr * s->lr;
    float b1 = (float)o->opts.beta1, a1 = (float)(1 - o->opts.beta1);
    float b2 = (float)o->opts.beta2, a2 = (float)(1 - o->opts.beta2);
    float rate = (float)lr, decay = (float)(lr * s->decay), scale = part->scale;
    float *restrict x = s->param->value + part->at, *restrict m = s->m + part->at;
    const float *restrict grad = part->grad;
    for (size_t i = 0; i < part->n; i++) {
        float g = grad[i] * scale, c = b1 * m[i] + a1 * g;
        x[i] -= (c > 0 ? rate : c < 0 ? -rate : 0) + decay * x[i];
        m[i] = b2 * m[i] + a2 * g;
    }
}

const struct tsl_optim_method tsl_optim_lion = { .keep = keep, .apply = apply };

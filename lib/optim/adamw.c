/* adamw.c - Adam, its decay beside the step (AdamW) or in the gradient:
 *   m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   x -= lr (m' / (sqrt(v') + eps) + decay x), m' = m / (1 - b1^t), v' = v / (1 - b2^t), or m
 *   and v themselves. */
#include <math.h>

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

static void apply(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part)
{
    const struct tsl_optim_slot *s = part->slot;
    double lr = turn->lr * s->lr;
    float b1 = (float)o->opts.beta1, a1 = (float)(1 - o->opts.beta1);
    float b2 = (float)o->opts.beta2, a2 = (float)(1 - o->opts.beta2);
    float rate = (float)(lr * turn->correct1), correct2 = (float)turn->correct2;
    float eps = (float)o->opts.eps, decay = (float)(lr * s->decay), scale = part->scale;
    float *restrict x = s->param->value + part->at;
    float *restrict m = s->m + part->at, *restrict v = s->v + part->at;
    const float *restrict grad = part->grad;
    for (size_t i = 0; i < part->n; i++) {
        float g = grad[i] * scale;
        m[i] = b1 * m[i] + a1 * g;
        v[i] = b2 * v[i] + a2 * g * g;
        x[i] -= rate * m[i] / (sqrtf(v[i] * correct2) + eps) + decay * x[i];
    }
}

const struct tsl_optim_method tsl_optim_adamw = { .keep = tsl_adamw_keep,
                                                  .begin = tsl_adamw_begin,
                                                  .apply = apply };

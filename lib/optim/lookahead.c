/* lookahead.c - slow weights that follow the fast ones every k steps (Zhang et al. 2019).  They
 * begin as the parameters are before the first step: bert4keras begins them at 0, which halves
 * the parameters. */
#include <string.h>

#include "optim/optimcore.h"

int tsl_lookahead_keep(struct tsl_optim *o, struct tsl_optim_slot *slot,
                       struct tsl_err *err)
{
    return tsl_optim_keep_all(o, slot, &slot->slow, "slow", err);
}

void tsl_lookahead_begin(const struct tsl_optim *o)
{
    for (size_t i = 0; i < o->nslots; i++)
        memcpy(o->slot[i].slow, o->slot[i].param->value,
               o->slot[i].param->n * sizeof(float));
}

void tsl_lookahead_block(const struct tsl_optim *o, const struct tsl_optim_block *b,
                         uint64_t t)
{
    float alpha = (float)o->opts.lookahead_alpha;
    float *restrict x = b->slot->param->value + b->at;
    float *restrict slow = b->slot->slow + b->at;
    if (t % o->opts.lookahead_k)
        return;
    for (size_t i = 0; i < b->n; i++)
        x[i] = slow[i] += alpha * (x[i] - slow[i]);
}

/* ema.c - the parameters' moving average: e = mu e + (1 - mu) x from e = 0, shown as
 * e / (1 - mu^t). */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "optim/optimcore.h"

int tsl_ema_keep(struct tsl_optim *o, struct tsl_optim_slot *slot, struct tsl_err *err)
{
    return tsl_optim_keep_all(o, slot, &slot->ema, "ema", err);
}

void tsl_ema_block(const struct tsl_optim *o, const struct tsl_optim_block *b)
{
    double keep = o->opts.ema_decay;
    o->kernels->step_average(b->slot->ema + b->at, b->slot->param->value + b->at,
                             (float)keep, (float)(1 - keep), b->n);
}

static size_t hidden_bytes(const struct tsl_optim *o)
{
    return o->params->numbers * sizeof(float);
}

double tsl_optim_ema_correction(double decay, uint64_t steps)
{
    return 1 / (1 - tsl_optim_power(decay, steps));
}

int tsl_optim_ema_show(struct tsl_optim *o, struct tsl_err *err)
{
    assert(!o->hidden);
    if (!(o->opts.ema_decay > 0) || !o->steps)
        return 0;
    o->hidden = tsl_pages_map(hidden_bytes(o), "parameters beside their averages", err);
    if (!o->hidden)
        return TSL_ENOMEM;
    memcpy(o->hidden, o->params->values, hidden_bytes(o));
    double correct = tsl_optim_ema_correction(o->opts.ema_decay, o->steps);
    for (size_t i = 0; i < o->nslots; i++) {
        const struct tsl_optim_slot *s = &o->slot[i];
        for (size_t j = 0; j < s->param->n; j++)
            s->param->value[j] = (float)(s->ema[j] * correct);
    }
    return 0;
}

void tsl_optim_ema_hide(struct tsl_optim *o)
{
    if (!o->hidden)
        return;
    memcpy(o->params->values, o->hidden, hidden_bytes(o));
    tsl_pages_unmap(o->hidden, hidden_bytes(o));
    o->hidden = NULL;
}

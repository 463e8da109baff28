#include "optim/optim.h"

#include <string.h>

#include "base/quote.h"

struct tsl_optim_opts tsl_optim_defaults(enum tsl_optim_kind kind)
{
    struct tsl_optim_opts o = { .kind = kind,
                                .lr = 1e-3,
                                .beta1 = .9,
                                .beta2 = .999,
                                .eps = 1e-8,
                                .decay_min_rank = 2,
                                .eps1 = 1e-30,
                                .eps2 = 1e-3,
                                .clip_rms = 1,
                                .decay_exponent = .8,
                                .factor_min = 128,
                                .lookahead_alpha = .5 };
    switch (kind) {
    case TSL_OPTIM_ADAMW: o.weight_decay = .01; break;
    case TSL_OPTIM_LAMB:
        o.eps = 1e-6;
        o.weight_decay = .01;
        break;
    case TSL_OPTIM_ADAFACTOR:
        o.beta1 = 0;
        o.scale_parameter = o.relative_step = true;
        break;
    case TSL_OPTIM_LION:
        o.lr = 3e-4;
        o.beta1 = .95;
        o.beta2 = .98;
        break;
    case TSL_OPTIM_SGD:
        o.lr = .1;
        o.decay_in_gradient = true;
        break;
    case TSL_OPTIM_NKINDS: break;
    }
    return o;
}

static void like_bert(struct tsl_optim_opts *o)
{
    static const struct tsl_paramgroup spared = { .pattern =
                                                      "*LayerNorm*,*layer_norm*,*bias*",
                                                  .has_decay = true };
    *o = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    o->lr = 1e-4;
    o->eps = 1e-6;
    o->no_bias_correction = true;
    o->clip_norm = 1;
    o->decay_min_rank = 0;
    o->group = &spared;
    o->ngroups = 1;
    o->group_may_miss = true;
}

static void like_bert4keras(struct tsl_optim_opts *o)
{
    static const struct tsl_paramgroup spared = { .pattern = "*Norm*,*bias*",
                                                  .has_decay = true,
                                                  .no_adaptation = true };
    *o = tsl_optim_defaults(TSL_OPTIM_LAMB);
    o->lr = .00176;
    o->no_bias_correction = true;
    o->decay_min_rank = 0;
    o->group = &spared;
    o->ngroups = 1;
    o->group_may_miss = true;
}

static void like_gpt2(struct tsl_optim_opts *o)
{
    *o = tsl_optim_defaults(TSL_OPTIM_ADAMW);
    o->lr = 6e-4;
    o->beta2 = .95;
    o->weight_decay = .1;
    o->clip_norm = 1;
}

int tsl_optim_preset(struct tsl_optim_opts *opts, const char *name, struct tsl_err *err)
{
    static const char *const kinds[] = {
#define X(id, text) text,
        TSL_OPTIM_KINDS(X)
#undef X
    };
    static const struct {
        const char *name;
        void (*fill)(struct tsl_optim_opts *o);
    } recipes[] = { { "bert", like_bert },
                    { "bert4keras", like_bert4keras },
                    { "gpt2", like_gpt2 } };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (!strcmp(recipes[i].name, name)) {
            recipes[i].fill(opts);
            return 0;
        }
    for (unsigned i = 0; i < TSL_OPTIM_NKINDS; i++)
        if (!strcmp(kinds[i], name)) {
            *opts = tsl_optim_defaults((enum tsl_optim_kind)i);
            return 0;
        }
    return tsl_err_set(
        err, TSL_EUSAGE,
        "no optimizer is called %s: there are adamw, lamb, adafactor, lion, "
        "sgd, bert, bert4keras and gpt2",
        tsl_quote(name).s);
}

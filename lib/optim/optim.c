#include "optim/optim.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/quote.h"
#include "optim/grads.h"
#include "optim/optimcore.h"

static const struct tsl_optim_method *const methods[TSL_OPTIM_NKINDS] = {
    [TSL_OPTIM_ADAMW] = &tsl_optim_adamw,
    [TSL_OPTIM_LAMB] = &tsl_optim_lamb,
    [TSL_OPTIM_ADAFACTOR] = &tsl_optim_adafactor,
    [TSL_OPTIM_LION] = &tsl_optim_lion,
    [TSL_OPTIM_SGD] = &tsl_optim_sgd,
};

/* ---- for the methods ---- */

void tsl_optim_run(const struct tsl_optim *o, size_t n, void (*fn)(void *ctx, unsigned i),
                   void *ctx)
{
    if (o->pool && n > 1)
        tsl_pool_run(o->pool, (unsigned)n, fn, ctx);
    else
        for (size_t i = 0; i < n; i++)
            fn(ctx, (unsigned)i);
}

double tsl_optim_power(double x, uint64_t n)
{
    double r = 1;
    for (; n; n /= 2, x *= x)
        if (n % 2)
            r *= x;
    return r;
}

int tsl_optim_keep(struct tsl_optim *o, const struct tsl_optim_slot *slot, float **to,
                   const char *prefix, unsigned rank, const int64_t *dim,
                   struct tsl_err *err)
{
    int rc = tsl_mem_grow(&o->kept, &o->cap_kept, o->nkept + 1, sizeof *o->kept,
                          "an optimizer's state", err);
    if (rc < 0)
        return rc;
    size_t head = strlen(prefix), tail = strlen(slot->param->name) + 1;
    char *name = tsl_mem_alloc(head + 1 + tail, 1, "a name", err);
    if (!name)
        return TSL_ENOMEM;
    memcpy(name, prefix, head);
    name[head] = '.';
    memcpy(name + head + 1, slot->param->name, tail);
    struct tsl_optim_kept *k = &o->kept[o->nkept++];
    *k = (struct tsl_optim_kept){ { .name = name, .rank = rank, .n = 1 }, name, to };
    for (unsigned i = 0; i < rank; i++) {
        k->array.dim[i] = dim[i];
        k->array.n *= (size_t)dim[i];
    }
    return 0;
}

int tsl_optim_keep_all(struct tsl_optim *o, const struct tsl_optim_slot *slot, float **to,
                       const char *prefix, struct tsl_err *err)
{
    return tsl_optim_keep(o, slot, to, prefix, slot->param->rank, slot->param->dim, err);
}

/* ---- create ---- */

static int check_opts(const struct tsl_optim_opts *p, struct tsl_err *err)
{
    const struct {
        const char *name;
        double v;
        bool fine;
    } rule[] = {
        { "lr", p->lr, p->lr >= 0 },
        { "beta1", p->beta1, p->beta1 >= 0 && p->beta1 < 1 },
        { "beta2", p->beta2, p->beta2 >= 0 && p->beta2 < 1 },
        { "eps", p->eps, p->eps >= 1e-30 || p->kind > TSL_OPTIM_LAMB },
        { "weight_decay", p->weight_decay, p->weight_decay >= 0 },
        { "clip_norm", p->clip_norm, p->clip_norm >= 0 },
        { "eps1", p->eps1, p->eps1 >= 1e-30 || p->kind != TSL_OPTIM_ADAFACTOR },
        { "eps2", p->eps2, p->eps2 >= 0 },
        { "clip_rms", p->clip_rms, p->clip_rms > 0 || p->kind != TSL_OPTIM_ADAFACTOR },
        { "decay_exponent", p->decay_exponent, p->decay_exponent >= 0 },
        { "momentum", p->momentum, p->momentum >= 0 && p->momentum < 1 },
        { "lookahead_alpha", p->lookahead_alpha,
          !p->lookahead_k || (p->lookahead_alpha > 0 && p->lookahead_alpha <= 1) },
        { "ema_decay", p->ema_decay, p->ema_decay >= 0 && p->ema_decay < 1 },
    };
    assert((unsigned)p->kind < TSL_OPTIM_NKINDS);
    for (size_t i = 0; i < sizeof rule / sizeof *rule; i++)
        if (!rule[i].fine || !isfinite(rule[i].v))
            return tsl_err_set(err, TSL_EUSAGE, "optimizer: %s cannot be %g",
                               rule[i].name, rule[i].v);
    if (p->decay_in_gradient &&
        (p->kind == TSL_OPTIM_LAMB || p->kind == TSL_OPTIM_ADAFACTOR))
        return tsl_err_set(err, TSL_EUSAGE,
                           "optimizer: this method has no decay in the gradient");
    for (size_t i = 0; i < p->ngroups; i++)
        if (!(p->group[i].lr >= 0 && p->group[i].lr <= 1e30 &&
              p->group[i].weight_decay >= 0 && p->group[i].weight_decay <= 1e30))
            return tsl_err_set(err, TSL_EUSAGE,
                               "optimizer: group %s: rate and decay cannot be %g and %g",
                               tsl_quote(p->group[i].pattern).s, p->group[i].lr,
                               p->group[i].weight_decay);
    return 0;
}

/* A pattern that nothing is called by is a slip of the pen. */
static int check_groups(const struct tsl_params *params, const struct tsl_optim_opts *p,
                        struct tsl_err *err)
{
    for (size_t g = 0; g < p->ngroups && !p->group_may_miss; g++) {
        size_t i = 0;
        while (i < params->n &&
               !tsl_paramgroup_match(p->group[g].pattern, params->item[i].name))
            i++;
        if (i == params->n)
            return tsl_err_set(err, TSL_EUSAGE,
                               "optimizer: no parameter has a name like %s",
                               tsl_quote(p->group[g].pattern).s);
    }
    return 0;
}

static void add_slot(struct tsl_optim *o, struct tsl_param *param)
{
    const struct tsl_optim_opts *p = &o->opts;
    const struct tsl_paramgroup *g = tsl_paramgroup_of(p->group, p->ngroups, param);
    if (param->frozen || (g && g->frozen))
        return;
    double decay = g && g->has_decay                 ? g->weight_decay
                   : param->rank < p->decay_min_rank ? 0
                                                     : p->weight_decay;
    o->slot[o->nslots++] = (struct tsl_optim_slot){
        .param = param,
        .lr = g && g->lr > 0 ? g->lr : 1,
        .decay = p->decay_in_gradient ? 0 : decay,
        .l2 = p->decay_in_gradient ? decay : 0,
        .adapt = !(g && g->no_adaptation),
        .lazy = g && g->lazy && param->rank >= 2,
        .nblocks = (param->n + TSL_GRADS_BLOCK - 1) / TSL_GRADS_BLOCK,
    };
}

static int make_slots(struct tsl_optim *o, struct tsl_err *err)
{
    const struct tsl_params *params = o->params;
    o->slot = tsl_mem_alloc(params->n + 1, sizeof *o->slot, "an optimizer", err);
    if (!o->slot)
        return TSL_ENOMEM;
    for (size_t i = 0; i < params->n; i++)
        add_slot(o, &params->item[i]);
    if (!o->nslots)
        return tsl_err_set(err, TSL_EUSAGE, "optimizer: there is no parameter to train");
    for (size_t i = 0; i < o->nslots; i++) {
        o->slot[i].first_block = o->nblocks;
        o->nblocks += o->slot[i].nblocks;
    }
    o->block = tsl_mem_alloc(o->nblocks, sizeof *o->block, "an optimizer", err);
    o->sums = tsl_mem_alloc(o->nblocks, sizeof *o->sums, "an optimizer", err);
    if (!o->block || !o->sums)
        return TSL_ENOMEM;
    struct tsl_optim_block *b = o->block;
    for (size_t i = 0; i < o->nslots; i++)
        for (size_t at = 0, n = o->slot[i].param->n; at < n; at += TSL_GRADS_BLOCK)
            *b++ = (struct tsl_optim_block){ &o->slot[i], at,
                                             n - at < TSL_GRADS_BLOCK ? n - at
                                                                      : TSL_GRADS_BLOCK };
    return 0;
}

static size_t rounded_up(size_t n)
{
    return (n + 15) / 16 * 16;
}

static int make_state(struct tsl_optim *o, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&o->kept, &o->cap_kept, 1, sizeof *o->kept,
                          "an optimizer's state", err);
    if (rc < 0)
        return rc;
    o->kept[o->nkept++] = (struct tsl_optim_kept){
        .array = { .name = "step", .counts = true, .n = 1, .data = &o->steps }
    };
    for (size_t i = 0; i < o->nslots; i++) {
        rc = o->method->keep(o, &o->slot[i], err);
        if (rc == 0 && o->opts.lookahead_k)
            rc = tsl_lookahead_keep(o, &o->slot[i], err);
        if (rc == 0 && o->opts.ema_decay > 0)
            rc = tsl_ema_keep(o, &o->slot[i], err);
        if (rc < 0)
            return rc;
    }
    size_t total = 0;
    for (size_t i = 1; i < o->nkept; i++)
        total += rounded_up(o->kept[i].array.n);
    if (!total)
        return 0;
    o->memory_bytes = total * sizeof(float);
    o->memory = tsl_pages_map(o->memory_bytes, "an optimizer's state", err);
    if (!o->memory)
        return TSL_ENOMEM;
    tsl_pages_want_huge(o->memory, o->memory_bytes);
    float *at = o->memory;
    for (size_t i = 1; i < o->nkept; i++) {
        o->kept[i].array.data = *o->kept[i].to = at;
        at += rounded_up(o->kept[i].array.n);
    }
    return 0;
}

int tsl_optim_create(struct tsl_optim **out, const struct tsl_params *params,
                     const struct tsl_optim_opts *opts, struct tsl_pool *pool,
                     struct tsl_err *err)
{
    assert(params->values);
    int rc = check_opts(opts, err);
    if (rc == 0)
        rc = check_groups(params, opts, err);
    if (rc < 0)
        return rc;
    struct tsl_optim *o = tsl_mem_alloc(1, sizeof *o, "an optimizer", err);
    if (!o)
        return TSL_ENOMEM;
    o->opts = *opts;
    o->params = params;
    o->pool = pool;
    o->kernels = tsl_kernels();
    o->method = methods[opts->kind];
    rc = make_slots(o, err);
    if (rc == 0)
        rc = make_state(o, err);
    if (rc == 0 && o->method->create)
        rc = o->method->create(o, err);
    o->opts.group = NULL;
    o->opts.ngroups = 0;
    if (rc < 0)
        tsl_optim_destroy(o);
    else
        *out = o;
    return rc;
}

void tsl_optim_destroy(struct tsl_optim *o)
{
    if (!o)
        return;
    tsl_optim_ema_hide(o);
    if (o->method->destroy)
        o->method->destroy(o);
    for (size_t i = 0; i < o->nkept; i++)
        tsl_mem_free(o->kept[i].name);
    tsl_mem_free(o->kept);
    tsl_pages_unmap(o->memory, o->memory_bytes);
    tsl_mem_free(o->slot);
    tsl_mem_free(o->block);
    tsl_mem_free(o->sums);
    tsl_mem_free(o);
}

/* ---- a step ---- */

static void square_block(void *ctx, unsigned i)
{
    const struct tsl_optim *o = ctx;
    const struct tsl_optim_block *b = &o->block[i];
    o->sums[i] = tsl_grads_squares(b->slot->param->grad + b->at, b->n);
}

static double sum_of_blocks(const struct tsl_optim *o)
{
    double sum = 0;
    for (size_t i = 0; i < o->nblocks; i++)
        sum += o->sums[i];
    return sum;
}

/* Some gradient is not finite: which is the first? */
static int name_the_first(const struct tsl_optim *o, struct tsl_err *err)
{
    for (size_t i = 0; i < o->nslots; i++) {
        const struct tsl_param *p = o->slot[i].param;
        for (size_t j = 0; j < p->n; j++)
            if (!isfinite(p->grad[j]))
                return tsl_err_set(err, TSL_EFORMAT,
                                   "step %llu: the gradient of %s is not finite: number "
                                   "%zu of %zu is %g",
                                   (unsigned long long)o->steps + 1, tsl_quote(p->name).s,
                                   j, p->n, (double)p->grad[j]);
    }
    assert(!"a sum of squares that is not finite has a term that is not");
    return TSL_EFORMAT;
}

enum { PIECE = 1024 };

struct step {
    struct tsl_optim *o;
    const struct tsl_optim_turn *turn;
};

static bool row_is_zero(const struct tsl_param *p, size_t at)
{
    size_t n = (size_t)p->dim[p->rank - 1];
    const float *row = p->grad + at / n * n;
    for (size_t i = 0; i < n; i++)
        if (row[i] != 0)
            return false;
    return true;
}

/* What is added to the numbers' squared change. */
static double step_piece(const struct step *s, struct tsl_optim_slot *slot, size_t at,
                         size_t n, bool keep)
{
    float before[PIECE], grad[PIECE], *x = slot->param->value + at;
    struct tsl_optim_part part = { slot, at, n, slot->param->grad + at,
                                   (float)s->turn->scale };
    if (slot->l2 > 0) {
        for (size_t i = 0; i < n; i++)
            grad[i] = part.scale * part.grad[i] + (float)slot->l2 * x[i];
        part.grad = grad;
        part.scale = 1;
    }
    memcpy(before, x, n * sizeof *x);
    s->o->method->apply(s->o, s->turn, &part);
    if (keep)
        memcpy(x, before, n * sizeof *x);
    if (!s->o->opts.update_norm)
        return 0;
    for (size_t i = 0; i < n; i++)
        before[i] = x[i] - before[i];
    return tsl_grads_squares(before, n);
}

static void step_block(void *ctx, unsigned i)
{
    const struct step *s = ctx;
    const struct tsl_optim *o = s->o;
    const struct tsl_optim_block *b = &o->block[i];
    struct tsl_optim_slot *slot = b->slot;
    const struct tsl_param *p = slot->param;
    o->sums[i] = 0;
    if (!slot->lazy && slot->l2 == 0 && !o->opts.update_norm) {
        struct tsl_optim_part part = { slot, b->at, b->n, p->grad + b->at,
                                       (float)s->turn->scale };
        o->method->apply(o, s->turn, &part);
    } else {
        for (size_t at = b->at, end = b->at + b->n, n; at < end; at += n) {
            n = end - at < PIECE ? end - at : PIECE;
            if (slot->lazy) { /* within one row */
                size_t cols = (size_t)p->dim[p->rank - 1], left = cols - at % cols;
                n = left < n ? left : n;
            }
            o->sums[i] += step_piece(s, slot, at, n, slot->lazy && row_is_zero(p, at));
        }
    }
    if (o->opts.lookahead_k)
        tsl_lookahead_block(o, b, s->turn->t);
    if (o->opts.ema_decay > 0)
        tsl_ema_block(o, b);
}

int tsl_optim_step(struct tsl_optim *o, double multiplier, double scale,
                   struct tsl_optim_stats *stats, struct tsl_err *err)
{
    /* A float's square is finite below 2^64. */
    static const double norm_max = 0x1p63;
    assert(!o->hidden && isfinite(multiplier) && isfinite(scale));
    tsl_optim_run(o, o->nblocks, square_block, o);
    double norm = sqrt(sum_of_blocks(o));
    if (!isfinite(norm))
        return name_the_first(o, err);
    norm *= fabs(scale);
    double clip = tsl_grads_clip(norm, o->opts.clip_norm);
    if (!(norm * clip < norm_max))
        return tsl_err_set(
            err, TSL_EFORMAT,
            "step %llu: the gradient's norm is %g, so large that its squares "
            "are no floats",
            (unsigned long long)o->steps + 1, norm);
    struct tsl_optim_turn turn = { .t = o->steps + 1,
                                   .multiplier = multiplier,
                                   .lr = o->opts.lr * multiplier,
                                   .scale = scale * clip,
                                   .correct1 = 1,
                                   .correct2 = 1 };
    if (o->opts.lookahead_k && turn.t == 1)
        tsl_lookahead_begin(o);
    if (o->method->begin)
        o->method->begin(o, &turn);
    struct step s = { o, &turn };
    tsl_optim_run(o, o->nblocks, step_block, &s);
    o->steps++;
    if (stats)
        *stats = (struct tsl_optim_stats){ norm, clip, sqrt(sum_of_blocks(o)) };
    return 0;
}

/* ---- what it remembers ---- */

const struct tsl_optim_array *tsl_optim_state(const struct tsl_optim *o, size_t i)
{
    return i < o->nkept ? &o->kept[i].array : NULL;
}

const struct tsl_optim_array *tsl_optim_state_find(const struct tsl_optim *o,
                                                   const char *name)
{
    for (size_t i = 0; i < o->nkept; i++)
        if (!strcmp(o->kept[i].array.name, name))
            return &o->kept[i].array;
    return NULL;
}

uint64_t tsl_optim_steps(const struct tsl_optim *o)
{
    return o->steps;
}

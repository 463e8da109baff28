/* lamb.c - LAMB: the update of AdamW, decay included, made as long as the tensor is large:
 *   u = m' / (sqrt(v') + eps) + decay x;  x -= lr |x| / |u| u
 * The ratio is 1 where one of the norms is 0, or where a group is to be without.  It is not
 * clipped (nor is it in bert4keras). */
#include <math.h>

#include "base/mem.h"
#include "optim/optimcore.h"

struct lamb {
    struct tsl_optim *o;
    const struct tsl_optim_turn *turn;
    struct {
        double x, u;
    } * squares;  /* [nblocks] */
    float *ratio; /* [nslots] */
};

static int create(struct tsl_optim *o, struct tsl_err *err)
{
    struct lamb *l = o->own = tsl_mem_alloc(1, sizeof *l, "an optimizer", err);
    if (!l)
        return TSL_ENOMEM;
    l->o = o;
    l->squares = tsl_mem_alloc(o->nblocks, sizeof *l->squares, "an optimizer", err);
    l->ratio = tsl_mem_alloc(o->nslots, sizeof *l->ratio, "an optimizer", err);
    return l->squares && l->ratio ? 0 : TSL_ENOMEM;
}

static void destroy(struct tsl_optim *o)
{
    struct lamb *l = o->own;
    if (!l)
        return;
    tsl_mem_free(l->squares);
    tsl_mem_free(l->ratio);
    tsl_mem_free(l);
}

struct factors {
    float correct1, correct2, eps, decay;
};

static struct factors factors(const struct tsl_optim *o,
                              const struct tsl_optim_turn *turn,
                              const struct tsl_optim_slot *s)
{
    return (struct factors){ (float)turn->correct1, (float)turn->correct2,
                             (float)o->opts.eps, (float)s->decay };
}

static inline float update(const struct factors *f, float x, float m, float v)
{
    return f->correct1 * m / (sqrtf(v * f->correct2) + f->eps) + f->decay * x;
}

static void moments(void *ctx, unsigned i)
{
    enum { LANES = 8 };
    struct lamb *l = ctx;
    const struct tsl_optim_opts *p = &l->o->opts;
    const struct tsl_optim_block *b = &l->o->block[i];
    const struct tsl_optim_slot *s = b->slot;
    struct factors f = factors(l->o, l->turn, s);
    float b1 = (float)p->beta1, a1 = (float)(1 - p->beta1);
    float b2 = (float)p->beta2, a2 = (float)(1 - p->beta2);
    float scale = (float)l->turn->scale;
    const float *restrict x = s->param->value + b->at;
    const float *restrict grad = s->param->grad + b->at;
    float *restrict m = s->m + b->at, *restrict v = s->v + b->at;
    double xx[LANES] = { 0 }, uu[LANES] = { 0 };
    for (size_t j = 0; j < b->n; j++) {
        float g = grad[j] * scale;
        m[j] = b1 * m[j] + a1 * g;
        v[j] = b2 * v[j] + a2 * g * g;
        double u = update(&f, x[j], m[j], v[j]);
        xx[j % LANES] += (double)x[j] * x[j];
        uu[j % LANES] += u * u;
    }
    l->squares[i].x = l->squares[i].u = 0;
    for (unsigned k = 0; k < LANES; k++) {
        l->squares[i].x += xx[k];
        l->squares[i].u += uu[k];
    }
}

static void begin(struct tsl_optim *o, struct tsl_optim_turn *turn)
{
    struct lamb *l = o->own;
    tsl_adamw_begin(o, turn);
    l->turn = turn;
    tsl_optim_run(o, o->nblocks, moments, l);
    for (size_t i = 0; i < o->nslots; i++) {
        const struct tsl_optim_slot *s = &o->slot[i];
        double x = 0, u = 0;
        for (size_t b = s->first_block; b < s->first_block + s->nblocks; b++) {
            x += l->squares[b].x;
            u += l->squares[b].u;
        }
        l->ratio[i] = s->adapt && x > 0 && u > 0 ? (float)sqrt(x / u) : 1;
    }
}

static void apply(const struct tsl_optim *o, const struct tsl_optim_turn *turn,
                  const struct tsl_optim_part *part)
{
    const struct lamb *l = o->own;
    const struct tsl_optim_slot *s = part->slot;
    struct factors f = factors(o, turn, s);
    float rate = (float)(turn->lr * s->lr * l->ratio[s - o->slot]);
    float *restrict x = s->param->value + part->at;
    const float *restrict m = s->m + part->at, *restrict v = s->v + part->at;
    for (size_t i = 0; i < part->n; i++)
        x[i] -= rate * update(&f, x[i], m[i], v[i]);
}

const struct tsl_optim_method tsl_optim_lamb = { .keep = tsl_adamw_keep,
                                                 .create = create,
                                                 .destroy = destroy,
                                                 .begin = begin,
                                                 .apply = apply };

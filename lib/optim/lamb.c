/* lamb.c - LAMB: the update of AdamW, decay included, made as long as the tensor is large:
 *   u = m' / (sqrt(v') + eps) + decay x;  x -= lr |x| / |u| u
 * The ratio is 1 where one of the norms is 0, or where a group is to be without.  It is not
 * clipped (nor is it in bert4keras). */
#include <math.h>

#include "base/mem.h"
#include "optim/optimcore.h"

enum { PIECE = 1024 }; /* stays in the first-level cache */

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

static struct tsl_step_adamw args_of(const struct tsl_optim *o,
                                     const struct tsl_optim_turn *turn,
                                     const struct tsl_optim_slot *s)
{
    struct tsl_step_adamw args = tsl_adamw_args(o, turn);
    args.scale = (float)turn->scale;
    args.rate = (float)turn->correct1;
    args.decay = (float)s->decay;
    return args;
}

static void moments(void *ctx, unsigned i)
{
    struct lamb *l = ctx;
    const struct tsl_kernels *kernels = l->o->kernels;
    const struct tsl_optim_block *b = &l->o->block[i];
    const struct tsl_optim_slot *s = b->slot;
    struct tsl_step_adamw args = args_of(l->o, l->turn, s);
    float u[PIECE];
    l->squares[i].x = l->squares[i].u = 0;
    for (size_t at = b->at, end = b->at + b->n, n; at < end; at += n) {
        n = end - at < PIECE ? end - at : PIECE;
        const float *x = s->param->value + at;
        kernels->adapt_moments(u, x, s->m + at, s->v + at, s->param->grad + at, n, &args);
        l->squares[i].x += kernels->step_squares(x, n);
        l->squares[i].u += kernels->step_squares(u, n);
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
    struct tsl_step_adamw args = args_of(o, turn, s);
    float by = (float)(turn->lr * s->lr * l->ratio[s - o->slot]);
    o->kernels->adapt_lamb(s->param->value + part->at, s->m + part->at, s->v + part->at,
                           by, part->n, &args);
}

const struct tsl_optim_method tsl_optim_lamb = { .keep = tsl_adamw_keep,
                                                 .create = create,
                                                 .destroy = destroy,
                                                 .begin = begin,
                                                 .apply = apply };

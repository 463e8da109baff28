#include "prep/unilm.h"

#include <assert.h>

struct tsl_unilm_opts tsl_unilm_defaults(void)
{
    struct tsl_unilm_opts o = { .low = 1, .high = 1, .separator = -1 };
    o.weights[TSL_SAMPLE_BOTH_WAYS] = o.weights[TSL_SAMPLE_PREFIX] = 1. / 3;
    o.weights[TSL_SAMPLE_LEFT_TO_RIGHT] = o.weights[TSL_SAMPLE_RIGHT_TO_LEFT] = 1. / 6;
    return o;
}

struct tsl_unilm_opts tsl_unilm_prefix(void)
{
    struct tsl_unilm_opts o = { .low = 1, .high = 1, .separator = -1 };
    o.weights[TSL_SAMPLE_PREFIX] = 1;
    return o;
}

struct tsl_unilm_opts tsl_unilm_bert4keras(int64_t sep, uint32_t tokens_max)
{
    struct tsl_unilm_opts o = tsl_unilm_prefix();
    o.high = 2;
    o.separator = sep;
    o.tokens_max = tokens_max;
    return o;
}

int tsl_unilm_init(struct tsl_unilm *u, const struct tsl_unilm_opts *o,
                   struct tsl_err *err)
{
    double all = 0, sum = 0;
    for (unsigned i = 0; i < 4; i++)
        all += o->weights[i] >= 0 ? o->weights[i] : (double)NAN;
    if (!(all > 0 && all < 1e300))
        return tsl_err_set(err, TSL_EUSAGE,
                           "weights of the kinds of sight: none below 0, not all of them "
                           "0");
    if (o->separator >= 0 && !o->tokens_max)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a separator needs to know a sample's length");
    *u = (struct tsl_unilm){ .o = *o, .key = tsl_key_make(o->seed, "split a prefix") };
    for (unsigned i = 0; i < 4; i++)
        u->below[i] = tsl_draws_threshold((sum += o->weights[i]) / all);
    return 0;
}

static void separate(const struct tsl_unilm *u, struct tsl_sample *s)
{
    assert(u->o.tokens_max <= s->cap);
    if (s->n >= u->o.tokens_max)
        s->n = u->o.tokens_max - 1;
    memmove(s->ids + s->prefix + 1, s->ids + s->prefix,
            (s->n - s->prefix) * sizeof *s->ids);
    memmove(s->starts + s->prefix + 1, s->starts + s->prefix, s->n - s->prefix);
    s->ids[s->prefix] = (uint32_t)u->o.separator;
    s->starts[s->prefix++] = 1;
    s->n++;
    s->first = s->prefix;
}

void tsl_unilm_apply(const struct tsl_unilm *u, uint64_t epoch, struct tsl_sample *s)
{
    struct tsl_draws d = tsl_draws_make(&u->key, epoch, s->address);
    uint64_t bits = tsl_draws_next(&d) >> 32;
    uint8_t kind = 0;
    while (kind < 3 && bits >= u->below[kind])
        kind++;
    s->kind = kind;
    s->prefix = 0;
    if (kind != TSL_SAMPLE_PREFIX)
        return;
    if (s->n < (uint64_t)u->o.low + u->o.high ||
        (u->o.separator >= 0 && s->n - u->o.high >= u->o.tokens_max)) {
        s->kind = TSL_SAMPLE_LEFT_TO_RIGHT;
        return;
    }
    s->prefix = u->o.low + tsl_draws_below(&d, s->n - u->o.high - u->o.low + 1);
    if (u->o.separator >= 0)
        separate(u, s);
}

/* Which piece a token is in. */
static uint32_t piece_of(const struct tsl_sample *s, uint32_t i)
{
    uint32_t k = 0;
    while (k < s->nends && s->ends[k] <= i)
        k++;
    return k;
}

bool tsl_unilm_sees(const struct tsl_sample *s, uint32_t i, uint32_t j)
{
    if (piece_of(s, i) != piece_of(s, j))
        return false;
    switch ((enum tsl_sample_kind)s->kind) {
    case TSL_SAMPLE_LEFT_TO_RIGHT: return j <= i;
    case TSL_SAMPLE_RIGHT_TO_LEFT: return j >= i;
    case TSL_SAMPLE_PREFIX: return j < s->prefix || j <= i;
    case TSL_SAMPLE_BOTH_WAYS: break;
    }
    return true;
}

#include "prep/twoseg.h"

#include <inttypes.h>

struct tsl_twoseg_opts tsl_twoseg_defaults(void)
{
    return (struct tsl_twoseg_opts){ .tokens_max = 128,
                                     .single_rate = .1,
                                     .short_rate = .05 };
}

int tsl_twoseg_init(struct tsl_twoseg *p, const struct tsl_twoseg_opts *o,
                    struct tsl_err *err)
{
    if (o->tokens_max < 5 || o->tokens_max > TSL_SAMPLE_TOKENS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "a length of %" PRIu32 " is not 5 to %d",
                           o->tokens_max, TSL_SAMPLE_TOKENS_MAX);
    if (o->special.cls < 0 || o->special.sep < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "segments need [CLS] and [SEP], which the vocabulary lacks");
    *p = (struct tsl_twoseg){ .o = *o,
                              .key = tsl_key_make(o->seed, "split in two segments"),
                              .below_single = tsl_draws_threshold(o->single_rate),
                              .below_short = tsl_draws_threshold(o->short_rate) };
    return 0;
}

void tsl_twoseg_begin(struct tsl_twoseg_walk *w, const struct tsl_twoseg *p,
                      uint64_t epoch, uint64_t number, const struct tsl_doc *d)
{
    *w = (struct tsl_twoseg_walk){ .p = p,
                                   .d = d,
                                   .draws = tsl_draws_make(&p->key, epoch, number),
                                   .doc = number,
                                   .left = d->nsents ? d->sents[0] : 0 };
}

/* Uses up n tokens of the sentence. */
static void use(struct tsl_twoseg_walk *w, uint32_t n)
{
    w->at += n;
    w->left -= n;
    if (!w->left && ++w->sent < w->d->nsents)
        w->left = w->d->sents[w->sent];
}

/* How much of a sentence that is too long goes into room: up to a word's end, if one ends
 * there; else all of an empty sample, and nothing of another. */
static uint32_t fit(const struct tsl_twoseg_walk *w, uint32_t room, bool empty)
{
    uint32_t n = room;
    if (w->p->o.cut_words)
        return n;
    while (n && !w->d->starts[w->at + n])
        n--;
    return n || !empty ? n : room;
}

bool tsl_twoseg_next(struct tsl_twoseg_walk *w, struct tsl_twoseg_plan *plan)
{
    const struct tsl_twoseg *p = w->p;
    uint32_t target = p->o.tokens_max, room = p->o.tokens_max - 3, len = 0;
    if (w->sent >= w->d->nsents)
        return false;
    if (tsl_draws_less(&w->draws, p->below_short))
        target = 5 + tsl_draws_below(&w->draws, target - 4);
    bool single = tsl_draws_less(&w->draws, p->below_single);
    uint32_t half = single ? UINT32_MAX : (target - 3) / 2;
    *plan = (struct tsl_twoseg_plan){ .doc = w->doc, .at = w->at };
    room += single;
    target = target < room ? target : room;
    while (w->sent < w->d->nsents && len < target) {
        uint32_t n = w->left;
        bool to_first =
            !plan->b_len && (!plan->a_len || plan->a_len + n < half ||
                             (plan->a_len < half && tsl_draws_coin(&w->draws)));
        if (n > room - len)
            n = fit(w, room - len, len == 0);
        if (!n)
            break;
        *(to_first ? &plan->a_len : &plan->b_len) += n;
        len += n;
        use(w, n);
    }
    return true;
}

int tsl_twoseg_build(const struct tsl_twoseg *p, const struct tsl_twoseg_plan *plan,
                     uint64_t address, const struct tsl_doc *d, struct tsl_sample *s,
                     struct tsl_err *err)
{
    uint64_t b_at = (uint64_t)plan->at + plan->a_len;
    if (b_at + plan->b_len > d->ntokens)
        return tsl_err_set(err, TSL_EFORMAT,
                           "document %" PRIu64 " has changed since its samples were "
                           "planned",
                           plan->doc);
    tsl_sample_clear(s, address);
    tsl_sample_add_special(s, (uint32_t)p->o.special.cls);
    tsl_sample_add(s, d->ids + plan->at, d->starts + plan->at, plan->a_len);
    tsl_sample_add_special(s, (uint32_t)p->o.special.sep);
    s->first = s->n;
    if (plan->b_len) {
        tsl_sample_add(s, d->ids + b_at, d->starts + b_at, plan->b_len);
        tsl_sample_add_special(s, (uint32_t)p->o.special.sep);
    }
    return 0;
}

#include "prep/compat_albert.h"

#include <inttypes.h>

#include "prep/npyrandom.h"

enum { NGRAM_MAX = 64 };

struct ngrams {
    const struct tsl_compat_albert_opts *o;
    struct tsl_npyrandom np;
    double cdf[NGRAM_MAX];
};

struct tsl_compat_albert_opts tsl_compat_albert_defaults(void)
{
    return (struct tsl_compat_albert_opts){
        .pair = { .seed = 12345,
                  .tokens_max = 512,
                  .masks_max = 20,
                  .dupes = 40,
                  .mask_rate = .15,
                  .short_rate = .1,
                  .whole_words = true },
        .ngram = 3,
    };
}

static bool any_chosen(const struct tsl_compat_masker *m, uint32_t from, uint32_t to)
{
    for (; from < to; from++)
        if (m->chosen[m->work[from] / 64] >> (m->work[from] % 64) & 1)
            return true;
    return false;
}

/* The places work[*from] .. work[*to] of the run of words that begins with candidate c:
 * as many words as are drawn, fewer where that were more than room places.  false: not
 * even one word fits, or a place of them has been chosen before. */
static bool draw_run(struct ngrams *g, const struct tsl_compat_masker *m, uint32_t c,
                     uint32_t room, uint32_t *from, uint32_t *to)
{
    uint32_t n = (uint32_t)tsl_npyrandom_choice(&g->np, g->cdf, g->o->ngram) + 1;
    *from = m->begins[c];
    for (;; n--) {
        *to = m->begins[n < m->ncands - c ? c + n : m->ncands];
        if (*to - *from <= room)
            return !any_chosen(m, *from, *to);
        if (n == 1)
            return false;
    }
}

/* Places beside the masked ones change tokens among each other. */
static void permute(struct ngrams *g, struct tsl_compat_masker *m)
{
    uint32_t n = 0, from, to;
    uint16_t *places = m->cands;
    for (uint32_t i = 0; i < m->ncands && n < m->nmasks; i++) {
        if (!draw_run(g, m, m->cands[i], m->nmasks - n, &from, &to))
            continue;
        for (; from < to; from++, n++) {
            uint32_t place = m->work[from];
            m->chosen[place / 64] |= UINT64_C(1) << (place % 64);
            m->moved[place / 64] |= UINT64_C(1) << (place % 64);
        }
    }
    /* The candidates are done with: their array takes the places in order, work takes
     * them shuffled. */
    n = 0;
    for (uint32_t w = 0; w < (m->n + 63) / 64; w++) {
        for (uint64_t bits = m->moved[w]; bits; bits &= bits - 1) {
            places[n] = (uint16_t)(w * 64 + (uint32_t)__builtin_ctzll(bits));
            m->work[n] = places[n];
            n++;
        }
        m->moved[w] = 0;
    }
    tsl_mt19937_shuffle16(&m->mt, m->work, n, m->o->python2);
    for (uint32_t i = 0; i < n; i++)
        m->shown[places[i]] = m->ids[m->work[i]];
}

static void mask(struct tsl_compat_masker *m, void *ctx)
{
    struct ngrams *g = ctx;
    if (m->o->mask_rate == 0)
        return;
    tsl_compat_pair_candidates(m);
    for (uint32_t i = 0; i < m->ncands; i++)
        m->cands[i] = (uint16_t)i;
    tsl_mt19937_shuffle16(&m->mt, m->cands, m->ncands, m->o->python2);
    uint32_t done = 0, from, to;
    for (uint32_t i = 0; i < m->ncands && done < m->nmasks; i++) {
        if (!draw_run(g, m, m->cands[i], m->nmasks - done, &from, &to))
            continue;
        done += to - from;
        for (; from < to; from++)
            tsl_compat_pair_mask_place(m, m->work[from]);
    }
    tsl_mt19937_shuffle16(&m->mt, m->cands, m->ncands, m->o->python2);
    if (g->o->permute)
        permute(g, m);
}

/* 1/n, divided by their sum twice as the script and then numpy do it: the sums are not
 * quite 1, and the draws are to be the same to the last bit. */
static void ngram_cdf(const struct tsl_compat_albert_opts *o, double *cdf)
{
    double p[NGRAM_MAX], q[NGRAM_MAX];
    size_t n = o->ngram;
    for (size_t i = 0; i < n; i++)
        p[i] = 1. / (double)(i + 1);
    double sum = tsl_npyrandom_sum(p, n);
    for (size_t i = 0; i < n; i++)
        q[o->favor_longer ? n - 1 - i : i] = p[i] / sum;
    sum = tsl_npyrandom_sum(q, n);
    for (size_t i = 0; i < n; i++)
        q[i] /= sum;
    tsl_npyrandom_cdf(q, n, cdf);
}

int tsl_compat_albert_create(struct tsl_compat_pair **out,
                             const struct tsl_compat_albert_opts *o,
                             const struct tsl_docs *docs, struct tsl_err *err)
{
    if (o->ngram < 1 || o->ngram > NGRAM_MAX)
        return tsl_err_set(err, TSL_EUSAGE,
                           "runs of %" PRIu32 " words: 1 to %d can be masked", o->ngram,
                           NGRAM_MAX);
    struct ngrams g = { .o = o };
    struct tsl_compat_pair_opts pair = o->pair;
    pair.half_random = o->random_next;
    pair.half_swapped = !o->random_next;
    pair.needs_ids = o->permute;
    pair.needs_starts = true;
    tsl_npyrandom_seed(&g.np, o->np_seed);
    ngram_cdf(o, g.cdf);
    return tsl_compat_pair_create(out, &pair, docs, mask, &g, err);
}

static bool is_mark(uint8_t c)
{
    return c && strchr("!\"#$%&()*+,-./:;?@[\\]^_`{|}~", c);
}

bool tsl_compat_albert_is_start(struct tsl_slice piece)
{
    const uint8_t *p = piece.data;
    size_t n = piece.len;
    if ((n >= 3 && memcmp(p, "\xe2\x96\x81", 3) == 0) || (n && p[0] == '<') ||
        (n == 1 && is_mark(p[0])))
        return true;
    for (size_t i = 0; i < n; i++) {
        /* the Kelvin sign, whose lower case is k */
        if (n - i >= 3 && memcmp(p + i, "\xe2\x84\xaa", 3) == 0)
            i += 2;
        else if (!is_mark(p[i]) && !((p[i] | 0x20) >= 'a' && (p[i] | 0x20) <= 'z'))
            return true;
    }
    return false;
}

#include "train/generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fixmath.h"
#include "base/key.h"
#include "base/mem.h"

/* A text of a beam search. */
struct text {
    double score;
    uint32_t n;
    bool ended;
    int32_t *ids; /* [room], the prompt first */
};

/* A text with one token more. */
struct candidate {
    double score;
    uint32_t from, id;
};

struct tsl_generate {
    struct tsl_generate_opts o;
    struct tsl_infer *infer;
    uint32_t vocab, beams;
    struct tsl_generate_choice *choice; /* [vocab] */
    double *p;                          /* [vocab] */
    /* beams of each: those that go on, those after the next step, those that have ended */
    struct text *texts, *now, *next, *done;
    int32_t *ids; /* of all of them, and a row for infer each */
    int32_t **rows;
    size_t room;
};

/* ---- choices ---- */

/* The larger logit first; of equal ones the smaller id. */
static int by_chance(const void *a, const void *b)
{
    const struct tsl_generate_choice *x = a, *y = b;
    return x->p != y->p ? (x->p < y->p ? 1 : -1) : (x->id > y->id) - (x->id < y->id);
}

size_t tsl_generate_choices(const float *logits, size_t n, double temperature,
                            uint32_t top_k, double top_p, struct tsl_generate_choice *c)
{
    for (size_t i = 0; i < n; i++)
        c[i] = (struct tsl_generate_choice){ (uint32_t)i, (double)logits[i] };
    qsort(c, n, sizeof *c, by_chance);
    size_t kept = top_k && top_k < n ? top_k : n;
    double top = c[0].p, sum = 0, part = 0;
    for (size_t i = 0; i < kept; i++)
        sum += c[i].p = tsl_fixmath_exp((c[i].p - top) / temperature);
    if (top_p > 0 && top_p < 1) {
        size_t enough = 0;
        while (enough < kept && part / sum < top_p)
            part += c[enough++].p;
        kept = enough;
        sum = part;
    }
    for (size_t i = 0; i < kept; i++)
        c[i].p /= sum;
    return kept;
}

static uint32_t likeliest(const float *logits, size_t n)
{
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        at = logits[i] > logits[at] ? i : at;
    return (uint32_t)at;
}

static uint32_t draw(const struct tsl_generate *g, const float *logits, uint64_t sample,
                     uint64_t position)
{
    if (!(g->o.temperature > 0))
        return likeliest(logits, g->vocab);
    size_t n = tsl_generate_choices(logits, g->vocab, g->o.temperature, g->o.top_k,
                                    g->o.top_p, g->choice);
    struct tsl_key key = tsl_key_make(g->o.seed, "generate");
    struct tsl_u128 index = { .hi = sample, .lo = position };
    double at = (double)(tsl_key_at128(&key, index) >> 11) * 0x1p-53, sum = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        sum += g->choice[i].p;
        if (at < sum)
            return g->choice[i].id;
    }
    return g->choice[n - 1].id;
}

/* ---- opening ---- */

int tsl_generate_open(struct tsl_generate **out, const struct tsl_generate_opts *o,
                      struct tsl_err *err)
{
    if (!o->length)
        return tsl_err_set(err, TSL_EUSAGE, "no token is to be generated");
    if (o->beams > TSL_GENERATE_BEAMS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "%" PRIu32 " beams: there may be %d",
                           o->beams, TSL_GENERATE_BEAMS_MAX);
    if (o->temperature < 0 || o->top_p < 0 || o->top_p > 1)
        return tsl_err_set(err, TSL_EUSAGE,
                           "a temperature is at least 0, top-p from 0 to 1");
    struct tsl_generate *g = tsl_mem_alloc(1, sizeof *g, "what generates", err);
    if (!g)
        return TSL_ENOMEM;
    g->o = *o;
    g->beams = o->beams ? o->beams : 1;
    g->vocab = (uint32_t)o->weights->config.vocab_size;
    g->choice = tsl_mem_alloc(g->vocab, sizeof *g->choice, "choices", err);
    g->p = tsl_mem_alloc(g->vocab, sizeof *g->p, "choices", err);
    g->texts = tsl_mem_alloc(3 * (size_t)g->beams, sizeof *g->texts, "beams", err);
    g->rows = tsl_mem_alloc(g->beams, sizeof *g->rows, "beams", err);
    struct tsl_infer_opts infer = { .weights = o->weights,
                                    .mask =
                                        o->mask >= 0 ? TSL_ATTN_PREFIX : TSL_ATTN_CAUSAL,
                                    .rows = g->beams,
                                    .bf16 = o->bf16,
                                    .pool = o->pool,
                                    .nthreads = o->nthreads };
    int rc = g->choice && g->p && g->texts && g->rows ? 0 : TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_infer_open(&g->infer, &infer, err);
    if (rc < 0) {
        tsl_generate_destroy(g);
        return rc;
    }
    g->now = g->texts;
    g->next = g->now + g->beams;
    g->done = g->next + g->beams;
    *out = g;
    return 0;
}

void tsl_generate_destroy(struct tsl_generate *g)
{
    if (!g)
        return;
    tsl_infer_destroy(g->infer);
    tsl_mem_free(g->choice);
    tsl_mem_free(g->p);
    tsl_mem_free(g->texts);
    tsl_mem_free(g->rows);
    tsl_mem_free(g->ids);
    tsl_mem_free(g);
}

/* Room for the texts of this prompt. */
static int begin(struct tsl_generate *g, const int32_t *prompt, uint32_t n,
                 struct tsl_err *err)
{
    uint64_t need = (uint64_t)n + g->o.length + (g->o.mask >= 0);
    uint32_t most = tsl_infer_tokens_max(g->infer);
    /* what stands at the last place is said, never seen */
    if (n == 0 || (g->o.mask >= 0 && need - 1 > most))
        return tsl_err_set(err, TSL_EUSAGE,
                           n ? "a prompt of %" PRIu32 " tokens and %" PRIu32
                               " more, but the model has %" PRIu32
                               " positions: a shorter prompt or length would fit"
                             : "a prompt of no token at all",
                           n, g->o.length, most);
    if (need > g->room) {
        tsl_mem_free(g->ids);
        g->room = (size_t)need;
        g->ids =
            tsl_mem_alloc(4 * (size_t)g->beams * g->room, sizeof *g->ids, "texts", err);
        if (!g->ids) {
            g->room = 0;
            return TSL_ENOMEM;
        }
    }
    for (size_t i = 0; i < 3 * (size_t)g->beams; i++)
        g->texts[i] = (struct text){ .ids = g->ids + i * g->room };
    for (size_t i = 0; i < g->beams; i++)
        g->rows[i] = g->ids + (3 * (size_t)g->beams + i) * g->room;
    memcpy(g->now[0].ids, prompt, n * sizeof *prompt);
    g->now[0].n = n;
    return 0;
}

/* What comes next in each of the texts. */
static int ask(struct tsl_generate *g, const struct text *texts, size_t n,
               uint32_t prompt, const float **logits, struct tsl_err *err)
{
    struct tsl_infer_row row[TSL_GENERATE_BEAMS_MAX];
    struct tsl_infer_place place[TSL_GENERATE_BEAMS_MAX];
    bool mask = g->o.mask >= 0;
    uint32_t most = tsl_infer_tokens_max(g->infer);
    for (size_t i = 0; i < n; i++) {
        memcpy(g->rows[i], texts[i].ids, texts[i].n * sizeof *g->rows[i]);
        if (mask)
            g->rows[i][texts[i].n] = (int32_t)g->o.mask;
        uint32_t count = texts[i].n + mask;
        uint32_t past = count > most ? count - most : 0; /* the window has gone on */
        count -= past;
        row[i] = (struct tsl_infer_row){ g->rows[i] + past, count, mask ? prompt : count,
                                         prompt };
        place[i] = (struct tsl_infer_place){ (uint32_t)i, count - 1 };
    }
    return tsl_infer_run(g->infer, row, n, place, n, logits, err);
}

/* ---- one text ---- */

int tsl_generate_sample(struct tsl_generate *g, const int32_t *prompt, uint32_t n,
                        uint64_t sample, struct tsl_generated *out, struct tsl_err *err)
{
    int rc = begin(g, prompt, n, err);
    struct text *t = &g->now[0];
    for (uint32_t i = 0; rc == 0 && i < g->o.length && !t->ended; i++) {
        const float *logits;
        double log_sum;
        rc = ask(g, t, 1, n, &logits, err);
        if (rc < 0)
            return rc;
        uint32_t id = draw(g, logits, sample, i);
        tsl_infer_chances(logits, g->vocab, g->p, &log_sum);
        t->score += (double)logits[id] - log_sum;
        t->ids[t->n++] = (int32_t)id;
        t->ended = id == g->o.end;
    }
    if (rc == 0)
        *out = (struct tsl_generated){ t->ids + n, t->n - n, t->ended, t->score };
    return rc;
}

uint32_t tsl_generate_positions(const struct tsl_generate *g)
{
    return tsl_infer_tokens_max(g->infer);
}

/* ---- beam search ---- */

static bool better(const struct candidate *a, const struct candidate *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->from != b->from ? a->from < b->from : a->id < b->id;
}

/* The best 2 * beams of all tokens behind all texts, the best first: of them at most one a text
 * ends it, so that at least as many as there are beams go on. */
static size_t candidates(struct tsl_generate *g, size_t running, const float *logits,
                         struct candidate *best)
{
    size_t n = 0, most = 2 * (size_t)g->beams;
    for (uint32_t t = 0; t < running; t++) {
        const float *x = logits + (size_t)t * g->vocab;
        double log_sum;
        tsl_infer_chances(x, g->vocab, g->p, &log_sum);
        for (uint32_t id = 0; id < g->vocab; id++) {
            struct candidate c = { g->now[t].score + ((double)x[id] - log_sum), t, id };
            if (n == most && !better(&c, &best[n - 1]))
                continue;
            size_t at = n < most ? n++ : n - 1;
            for (; at > 0 && better(&c, &best[at - 1]); at--)
                best[at] = best[at - 1];
            best[at] = c;
        }
    }
    return n;
}

static void extend(const struct tsl_generate *g, const struct candidate *c,
                   struct text *to)
{
    const struct text *from = &g->now[c->from];
    memcpy(to->ids, from->ids, from->n * sizeof *to->ids);
    to->ids[from->n] = (int32_t)c->id;
    to->n = from->n + 1;
    to->score = c->score;
    to->ended = c->id == g->o.end;
}

/* Among the ended ones, of which the best are kept, the best first. */
static size_t keep(struct tsl_generate *g, const struct candidate *c, size_t ndone)
{
    size_t at = ndone < g->beams ? ndone : ndone - 1;
    if (ndone == g->beams && c->score <= g->done[at].score)
        return ndone;
    struct text spare = g->done[at];
    for (; at > 0 && c->score > g->done[at - 1].score; at--)
        g->done[at] = g->done[at - 1];
    g->done[at] = spare;
    extend(g, c, &g->done[at]);
    return ndone < g->beams ? ndone + 1 : ndone;
}

/* Ended ones and those at full length, the best first. */
static size_t gather(const struct tsl_generate *g, size_t running, size_t ndone,
                     uint32_t prompt, struct tsl_generated *out)
{
    size_t n = 0, a = 0, b = 0;
    while (n < g->beams && (a < ndone || b < running)) {
        const struct text *t =
            b == running || (a < ndone && g->done[a].score >= g->now[b].score)
                ? &g->done[a++]
                : &g->now[b++];
        out[n++] =
            (struct tsl_generated){ t->ids + prompt, t->n - prompt, t->ended, t->score };
    }
    return n;
}

int tsl_generate_beams(struct tsl_generate *g, const int32_t *prompt, uint32_t n,
                       struct tsl_generated *out, size_t *nout, struct tsl_err *err)
{
    struct candidate best[2 * TSL_GENERATE_BEAMS_MAX];
    size_t running = 1, ndone = 0;
    int rc = begin(g, prompt, n, err);
    for (uint32_t i = 0; rc == 0 && i < g->o.length; i++) {
        /* scores only fall: what goes on cannot catch up */
        if (ndone == g->beams && g->done[ndone - 1].score >= g->now[0].score)
            running = 0;
        if (!running)
            break;
        const float *logits;
        rc = ask(g, g->now, running, n, &logits, err);
        if (rc < 0)
            break;
        size_t count = candidates(g, running, logits, best), going = 0;
        for (size_t c = 0; c < count && going < g->beams; c++)
            if (best[c].id == g->o.end)
                ndone = keep(g, &best[c], ndone);
            else
                extend(g, &best[c], &g->next[going++]);
        struct text *swap = g->now;
        g->now = g->next;
        g->next = swap;
        running = going;
    }
    if (rc == 0)
        *nout = gather(g, running, ndone, n, out);
    return rc;
}

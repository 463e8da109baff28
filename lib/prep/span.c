#include "prep/span.h"

#include <assert.h>

enum { SET_WORDS = TSL_SAMPLE_TOKENS_MAX / 64 + 1 };

struct tsl_span_opts tsl_span_t5(uint32_t vocab_size, int64_t eos)
{
    return (struct tsl_span_opts){
        .denoisers = { { .density = .15, .mean_span = 3, .weight = 1, .mode = -1 } },
        .ndenoisers = 1,
        .sentinel = vocab_size - 1,
        .nsentinels = 100,
        .sentinel_step = -1,
        .eos = eos,
    };
}

struct tsl_span_opts tsl_span_ul2(uint32_t vocab_size, int64_t eos, int64_t r, int64_t s,
                                  int64_t x)
{
    struct tsl_span_opts o = tsl_span_t5(vocab_size, eos);
    const struct tsl_span_denoiser all[] = {
        { TSL_SPAN_NOISE, .15, 3, 1, r },  { TSL_SPAN_NOISE, .15, 8, 1, r },
        { TSL_SPAN_NOISE, .5, 3, 1, x },   { TSL_SPAN_NOISE, .5, 8, 1, x },
        { TSL_SPAN_NOISE, .15, 64, 1, x }, { TSL_SPAN_NOISE, .5, 64, 1, x },
        { TSL_SPAN_SUFFIX, .25, 1, 1, s },
    };
    o.ndenoisers = sizeof all / sizeof *all;
    memcpy(o.denoisers, all, sizeof all);
    return o;
}

int tsl_span_init(struct tsl_span *p, const struct tsl_span_opts *o, struct tsl_err *err)
{
    double all = 0, sum = 0;
    if (o->ndenoisers < 1 || o->ndenoisers > TSL_SPAN_DENOISERS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "%u denoisers: 1 to %d can be mixed",
                           o->ndenoisers, TSL_SPAN_DENOISERS_MAX);
    for (unsigned i = 0; i < o->ndenoisers; i++) {
        const struct tsl_span_denoiser *d = &o->denoisers[i];
        if (!(d->density > 0 && d->density < 1) || !(d->mean_span >= 1) ||
            !(d->weight >= 0))
            return tsl_err_set(
                err, TSL_EUSAGE,
                "noise of density %g in spans of %g tokens, with weight %g: "
                "above 0 and below 1, 1 or more, and 0 or more are wanted",
                d->density, d->mean_span, d->weight);
        all += d->weight;
    }
    if (!(all > 0 && all < 1e300))
        return tsl_err_set(err, TSL_EUSAGE, "no denoiser has a weight above 0");
    if (o->nsentinels < 1u + o->roll ||
        (o->sentinel_step != 1 && o->sentinel_step != -1) ||
        (o->sentinel_step < 0 && o->sentinel < o->nsentinels - 1))
        return tsl_err_set(err, TSL_EUSAGE, "%u sentinels from id %u on, by steps of %d",
                           o->nsentinels, o->sentinel, o->sentinel_step);
    *p = (struct tsl_span){ .o = *o, .key = tsl_key_make(o->seed, "corrupt spans") };
    for (unsigned i = 0; i < o->ndenoisers; i++)
        p->below[i] = tsl_draws_threshold((sum += o->denoisers[i].weight) / all);
    return 0;
}

static void lengths(uint32_t n, double density, double mean_span, uint32_t *inputs,
                    uint32_t *targets)
{
    double noise = rint(n * density), spans = rint(noise / mean_span);
    *inputs = (uint32_t)(n - noise + spans + 1);
    *targets = (uint32_t)(noise + spans + 1);
}

void tsl_span_lengths(uint32_t inputs, double density, double mean_span,
                      uint32_t *raw_length, uint32_t *targets)
{
    uint32_t n = inputs > 1 ? inputs - 1 : 1, got;
    for (; n < TSL_SAMPLE_TOKENS_MAX; n++) {
        lengths(n + 1, density, mean_span, &got, targets);
        if (got > inputs)
            break;
    }
    lengths(n, density, mean_span, &got, targets);
    /* so that inputs and targets are equally long, as the peer has it */
    if (density == .5 && *targets > inputs) {
        n--;
        --*targets;
    }
    *raw_length = n;
}

static bool has(const uint64_t *set, uint32_t i)
{
    return set[i / 64] >> (i % 64) & 1;
}

static void put(uint64_t *set, uint32_t i)
{
    set[i / 64] |= UINT64_C(1) << (i % 64);
}

static void clear(uint64_t *set, uint32_t n)
{
    memset(set, 0, (n + 63) / 64 * sizeof *set);
}

/* k of [1, n), uniformly: where a part of n things begins, but the first (Floyd's way). */
static void draw_borders(struct tsl_draws *d, uint32_t n, uint32_t k, uint64_t *set)
{
    clear(set, n);
    for (uint32_t i = n - k; i < n; i++) {
        uint32_t j = 1 + tsl_draws_below(d, i);
        put(set, has(set, j) ? i : j);
    }
}

/* The end of the part that begins at i. */
static uint32_t part_end(const uint64_t *set, uint32_t i, uint32_t n)
{
    for (i++; i < n && !has(set, i);)
        i++;
    return i;
}

uint32_t tsl_span_mask(struct tsl_draws *d, uint32_t n, double density, double mean_span,
                       uint32_t spans_max, bool roll, uint64_t *set)
{
    uint64_t clean_set[SET_WORDS], noise_set[SET_WORDS];
    clear(set, n);
    if (n < 2)
        return 0;
    assert(n <= TSL_SAMPLE_TOKENS_MAX);
    /* in single precision, as the peer does it */
    float want = rintf((float)n * (float)density);
    uint32_t noise = want < 1 ? 1 : want > (float)(n - 1) ? n - 1 : (uint32_t)want;
    float parts = rintf((float)noise / (float)mean_span);
    uint32_t spans = parts < 1 ? 1 : (uint32_t)parts, clean = n - noise;
    if (spans > clean)
        spans = clean;
    if (spans > noise)
        spans = noise;
    if (spans > spans_max)
        spans = spans_max;
    draw_borders(d, clean, spans - 1, clean_set);
    draw_borders(d, noise, spans - 1, noise_set);
    uint32_t shift = roll ? tsl_draws_below(d, n) : 0, at = shift;
    for (uint32_t c = 0, e = 0, k = 0; k < spans; k++) {
        uint32_t c_end = part_end(clean_set, c, clean);
        uint32_t e_end = part_end(noise_set, e, noise);
        at += c_end - c;
        for (; e < e_end; e++, at++)
            put(set, at < n ? at : at - n);
        c = c_end;
    }
    return spans;
}

uint32_t tsl_span_replace(const uint32_t *ids, uint32_t n, const uint64_t *set, bool not,
                          enum tsl_span_style style, uint32_t sentinel, int step,
                          uint32_t *out)
{
    uint32_t k = 0;
    bool inside = false;
    for (uint32_t i = 0; i < n; i++) {
        bool was = inside;
        inside = has(set, i) != not ;
        if (!inside) {
            out[k++] = ids[i];
        } else if (style == TSL_SPAN_EACH_TOKEN) {
            out[k++] = sentinel;
        } else if (!was && style != TSL_SPAN_DROP) {
            out[k++] = sentinel;
            if (style == TSL_SPAN_UNIQUE)
                sentinel += (uint32_t)step;
        }
    }
    return k;
}

static struct tsl_draws draws_of(const struct tsl_span *p, uint64_t epoch,
                                 uint64_t address, unsigned *denoiser)
{
    struct tsl_draws d = tsl_draws_make(&p->key, epoch, address);
    uint64_t bits = tsl_draws_next(&d) >> 32;
    unsigned i = 0;
    while (i + 1 < p->o.ndenoisers && bits >= p->below[i])
        i++;
    *denoiser = i;
    return d;
}

unsigned tsl_span_denoiser(const struct tsl_span *p, uint64_t epoch, uint64_t address)
{
    unsigned i;
    draws_of(p, epoch, address, &i);
    return i;
}

/* Starts follow the ids that are kept; what stands for a run is a word. */
static void replace_starts(uint8_t *starts, uint32_t n, const uint64_t *set)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (!has(set, i))
            starts[k++] = starts[i];
        else if (i == 0 || !has(set, i - 1))
            starts[k++] = 1;
    }
}

/* The last tokens, from 1 up to twice the share of density, are what is said. */
static void split(struct tsl_draws *d, double density, struct tsl_sample *s)
{
    double most = rint(2 * density * s->n);
    uint32_t max = most > s->n - 1 ? s->n - 1 : most < 1 ? 1 : (uint32_t)most;
    uint32_t n = 1 + tsl_draws_below(d, max);
    memcpy(s->outs, s->ids + s->n - n, n * sizeof *s->outs);
    s->nouts = n;
    s->n -= n;
}

/* A sentinel and what it stands for, for each run of noise; how many runs.  Not the
 * peer's way, which replaces the clean runs by sentinels: where a sample begins with
 * noise, as rolled ones may, its sentinels would stand behind what they stand for. */
static uint32_t say_noise(const struct tsl_span_opts *o, struct tsl_sample *s,
                          const uint64_t *set)
{
    uint32_t runs = 0, sentinel = o->sentinel;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!has(set, i))
            continue;
        if (i == 0 || !has(set, i - 1)) {
            s->outs[s->nouts++] = sentinel;
            sentinel += (uint32_t)o->sentinel_step;
            runs++;
        }
        s->outs[s->nouts++] = s->ids[i];
    }
    return runs;
}

static void corrupt(const struct tsl_span *p, struct tsl_draws *d,
                    const struct tsl_span_denoiser *x, struct tsl_sample *s,
                    struct tsl_span_stats *t)
{
    uint64_t set[SET_WORDS];
    uint32_t max = p->o.nsentinels - p->o.roll; /* the end may cut one into two */
    uint32_t spans =
        tsl_span_mask(d, s->n, x->density, x->mean_span, max, p->o.roll, set);
    t->capped += spans == max && max < rint(s->n * x->density / x->mean_span);
    t->spans += say_noise(&p->o, s, set);
    t->noise += s->nouts - t->spans;
    replace_starts(s->starts, s->n, set);
    s->n = tsl_span_replace(s->ids, s->n, set, false, TSL_SPAN_UNIQUE, p->o.sentinel,
                            p->o.sentinel_step, s->ids);
}

void tsl_span_apply(const struct tsl_span *p, uint64_t epoch, struct tsl_sample *s,
                    struct tsl_span_stats *stats)
{
    unsigned i;
    struct tsl_draws d = draws_of(p, epoch, s->address, &i);
    const struct tsl_span_denoiser *x = &p->o.denoisers[i];
    struct tsl_span_stats t = { .samples = 1, .tokens = s->n };
    uint32_t n = s->n;
    assert(n <= TSL_SAMPLE_TOKENS_MAX && n + 3 <= s->cap);
    s->nouts = 0;
    if (n >= 2 && x->kind == TSL_SPAN_NOISE)
        corrupt(p, &d, x, s, &t);
    else if (n >= 2) {
        split(&d, x->density, s);
        t.noise += s->nouts;
    }
    if (x->mode >= 0) {
        memmove(s->ids + 1, s->ids, s->n * sizeof *s->ids);
        memmove(s->starts + 1, s->starts, s->n);
        s->ids[0] = (uint32_t)x->mode;
        s->starts[0] = 1;
        s->n++;
    }
    if (p->o.eos >= 0) {
        tsl_sample_add_special(s, (uint32_t)p->o.eos);
        s->outs[s->nouts++] = (uint32_t)p->o.eos;
    }
    s->first = s->n;
    if (!stats)
        return;
    stats->samples += t.samples;
    stats->tokens += t.tokens;
    stats->noise += t.noise;
    stats->spans += t.spans;
    stats->capped += t.capped;
}

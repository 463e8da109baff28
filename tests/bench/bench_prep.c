/* bench_prep - samples a second of each objective, one thread.
 *   bench_prep [only=NAME] [docs=7706] [rounds=5] [len=128]
 * The corpus is made up in the shape of 25 MB of English: some 35 sentences a document,
 * 22 tokens a sentence, 5.9 million tokens.  What is told is the median and the best. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "prep/compat_albert.h"
#include "prep/compat_bert.h"
#include "prep/compat_electra.h"
#include "prep/mlm.h"
#include "prep/pair.h"
#include "support/memdocs.h"

static struct memdocs corpus;
static uint32_t len = 128;
static struct tsl_err err;
static uint64_t sum; /* so that nothing is left out */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(int rc)
{
    if (rc >= 0)
        return;
    fprintf(stderr, "bench_prep: %s\n", err.msg);
    exit(1);
}

static struct tsl_special_ids special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = 100,
                                     .cls = 101,
                                     .sep = 102,
                                     .mask = 103,
                                     .bos = -1,
                                     .eos = -1,
                                     .vocab_size = 30522 };
}

static void take(struct tsl_sample *s)
{
    sum += s->ids[s->n - 1] + s->nmasked + (s->nmasked ? s->places[0] : 0);
}

static uint64_t take_pairs(struct tsl_compat_pair *c)
{
    struct tsl_sample s;
    uint64_t n = tsl_compat_pair_count(c);
    check(tsl_sample_init(&s, len, &err));
    double t = now();
    for (uint64_t i = 0; i < n; i++) {
        check(tsl_compat_pair_at(c, i, &corpus.docs, &s, &err));
        take(&s);
    }
    if (getenv("BENCH_SPLIT"))
        printf("  taken out in %.3f s, %.1f bytes an instance\n", now() - t,
               (double)tsl_compat_pair_bytes(c) / (double)n);
    tsl_sample_fini(&s);
    tsl_compat_pair_destroy(c);
    return n;
}

static struct tsl_compat_pair_opts bert_opts(void)
{
    struct tsl_compat_pair_opts o = tsl_compat_bert_defaults();
    o.special = special();
    o.tokens_max = len;
    o.masks_max = len * 20 / 128;
    o.dupes = 1;
    return o;
}

static uint64_t compat_bert(void)
{
    struct tsl_compat_pair *c;
    struct tsl_compat_pair_opts o = bert_opts();
    check(tsl_compat_bert_create(&c, &o, &corpus.docs, &err));
    return take_pairs(c);
}

static uint64_t compat_bert_dupe10(void)
{
    struct tsl_compat_pair *c;
    struct tsl_compat_pair_opts o = bert_opts();
    o.dupes = 10;
    check(tsl_compat_bert_create(&c, &o, &corpus.docs, &err));
    return take_pairs(c);
}

static uint64_t compat_bert_words(void)
{
    struct tsl_compat_pair *c;
    struct tsl_compat_pair_opts o = bert_opts();
    o.whole_words = true;
    check(tsl_compat_bert_create(&c, &o, &corpus.docs, &err));
    return take_pairs(c);
}

static uint64_t compat_albert(void)
{
    struct tsl_compat_pair *c;
    struct tsl_compat_albert_opts o = tsl_compat_albert_defaults();
    o.pair = bert_opts();
    o.pair.whole_words = true;
    check(tsl_compat_albert_create(&c, &o, &corpus.docs, &err));
    return take_pairs(c);
}

static uint64_t compat_electra(void)
{
    struct tsl_compat_electra *c;
    struct tsl_compat_electra_opts o = { .special = special(), .tokens_max = len };
    struct tsl_sample s;
    uint64_t n = 0;
    check(tsl_sample_init(&s, len, &err));
    check(tsl_compat_electra_create(&c, &o, &corpus.docs, &err));
    for (; tsl_compat_electra_next(c, &s, &err) > 0; n++)
        take(&s);
    tsl_compat_electra_destroy(c);
    tsl_sample_fini(&s);
    return n;
}

enum { NSAMPLES = 1000, NMASKED = 1000000 };

/* Samples of len tokens, cut from the corpus, masked again and again. */
static uint64_t masks(struct tsl_mlm_opts o)
{
    struct tsl_sample s[NSAMPLES], t;
    struct tsl_mlm *m;
    struct tsl_mlm_stats stats = { 0 };
    o.special = special();
    check(tsl_mlm_create(&m, &o, &err));
    check(tsl_sample_init(&t, len, &err));
    for (size_t i = 0; i < NSAMPLES; i++) {
        check(tsl_sample_init(&s[i], len, &err));
        tsl_sample_clear(&s[i], i);
        tsl_sample_add_special(&s[i], 101);
        tsl_sample_add(&s[i], corpus.ids + i * len, corpus.starts + i * len, len / 2 - 2);
        tsl_sample_add_special(&s[i], 102);
        tsl_sample_add(&s[i], corpus.ids + i * len + len / 2,
                       corpus.starts + i * len + len / 2, len - 1 - s[i].n);
        tsl_sample_add_special(&s[i], 102);
    }
    double start = now();
    for (size_t i = 0; i < NMASKED; i++) {
        tsl_sample_clear(&t, i);
        tsl_sample_add(&t, s[i % NSAMPLES].ids, s[i % NSAMPLES].starts, len);
        tsl_mlm_apply(m, 0, &t, &stats);
        take(&t);
    }
    if (getenv("BENCH_SPLIT"))
        printf("  %.3f s; %.3f of the places asked for\n", now() - start,
               (double)stats.got / (double)stats.asked);
    for (size_t i = 0; i < NSAMPLES; i++)
        tsl_sample_fini(&s[i]);
    tsl_sample_fini(&t);
    tsl_mlm_destroy(m);
    return NMASKED;
}

static uint64_t mlm_tokens(void)
{
    return masks(tsl_mlm_defaults());
}

static uint64_t mlm_words(void)
{
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.unit = TSL_MLM_WORDS;
    return masks(o);
}

static uint64_t mlm_ngrams(void)
{
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.unit = TSL_MLM_NGRAMS;
    tsl_mlm_weights_albert(&o, 3);
    return masks(o);
}

static uint64_t mlm_spans(void)
{
    struct tsl_mlm_opts o = tsl_mlm_defaults();
    o.unit = TSL_MLM_SPANS;
    o.decide = TSL_MLM_EACH_RUN;
    tsl_mlm_weights_geometric(&o, .2, 10);
    return masks(o);
}

static uint64_t pairs(enum tsl_pair_kind kind, bool words, unsigned epochs)
{
    struct tsl_pair_opts o = tsl_pair_defaults();
    struct tsl_mlm_opts mo = tsl_mlm_defaults();
    struct tsl_pair p;
    struct tsl_sample s;
    struct tsl_mlm *m;
    struct tsl_pair_stats t = { 0 };
    uint64_t n = 0;
    o.kind = kind;
    o.special = mo.special = special();
    o.tokens_max = len;
    mo.unit = words ? TSL_MLM_WORDS : TSL_MLM_TOKENS;
    check(tsl_pair_init(&p, &o, &err));
    check(tsl_mlm_create(&m, &mo, &err));
    check(tsl_sample_init(&s, len, &err));
    for (unsigned e = 0; e < epochs; e++) {
        for (uint64_t d = 0; d < corpus.ndocs; d++) {
            struct tsl_doc doc;
            struct tsl_pair_walk w;
            struct tsl_pair_plan plan;
            memdocs_get(&corpus, d, 0, &doc, NULL);
            tsl_pair_begin(&w, &p, e, d, corpus.ndocs, &doc);
            for (; tsl_pair_next(&w, &plan, &t); n++) {
                check(tsl_pair_build(&p, &plan, n, &corpus.docs, &s, &t, &err));
                tsl_mlm_apply(m, e, &s, NULL);
                take(&s);
            }
        }
    }
    tsl_sample_fini(&s);
    tsl_mlm_destroy(m);
    return n;
}

static uint64_t pair_next(void)
{
    return pairs(TSL_PAIR_NEXT, false, 10);
}

static uint64_t pair_next_words(void)
{
    return pairs(TSL_PAIR_NEXT, true, 10);
}

static uint64_t pair_order(void)
{
    return pairs(TSL_PAIR_ORDER, false, 10);
}

static const struct {
    const char *name;
    uint64_t (*run)(void); /* how many samples it made */
} benches[] = {
    { "compat_bert", compat_bert },
    { "compat_bert_words", compat_bert_words },
    { "compat_bert_dupe10", compat_bert_dupe10 },
    { "compat_albert", compat_albert },
    { "compat_electra", compat_electra },
    { "mlm_tokens", mlm_tokens },
    { "mlm_words", mlm_words },
    { "mlm_ngrams", mlm_ngrams },
    { "mlm_spans", mlm_spans },
    { "pair_next", pair_next },
    { "pair_next_words", pair_next_words },
    { "pair_order", pair_order },
};

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
    size_t ndocs = 7706, rounds = 5;
    const char *only = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "only=", 5))
            only = argv[i] + 5;
        if (!strncmp(argv[i], "docs=", 5))
            ndocs = (size_t)atoll(argv[i] + 5);
        if (!strncmp(argv[i], "rounds=", 7))
            rounds = (size_t)atoi(argv[i] + 7);
        if (!strncmp(argv[i], "len=", 4))
            len = (uint32_t)atoi(argv[i] + 4);
    }
    if (rounds < 1 || rounds > 100)
        return 2;
    memdocs_init(&corpus);
    memdocs_make(&corpus, 1, ndocs, 69, 43, 999, 30522);
    for (size_t b = 0; b < sizeof benches / sizeof *benches; b++) {
        double t[100];
        uint64_t n = 0;
        if (only && !strstr(benches[b].name, only))
            continue;
        for (size_t r = 0; r < rounds; r++) {
            double start = now();
            n = benches[b].run();
            t[r] = now() - start;
        }
        qsort(t, rounds, sizeof *t, by_time);
        printf("%-20s %9llu samples %8.3f s  %10.0f a second, best %10.0f\n",
               benches[b].name, (unsigned long long)n, t[rounds / 2],
               (double)n / t[rounds / 2], (double)n / t[0]);
    }
    memdocs_fini(&corpus);
    return sum == 1;
}

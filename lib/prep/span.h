/* span.h - span corruption: runs of tokens are taken out of the input, a sentinel in the
 * place of each, and the decoder says what stood there (T5); mixtures of such denoisers
 * (UL2); and the split into a prefix and the rest (prefix LM).
 *
 * As T5's own code it begins each sample with a clean run and ends it with a noisy one,
 * unless rolled.  What differs: where a vocabulary has fewer sentinels than a sample has
 * spans, there are fewer and longer ones (the peer runs on into ordinary ids); and where
 * nearly all is noise, there are no more spans than clean tokens (the peer fails).
 *
 * Order: a pure function of (seed, epoch, the sample's address) and its length.
 * Memory: none but the sample's, which needs room for 3 tokens more than it has.
 * Threads: a struct tsl_span is read-only.
 * Sources: Raffel et al. 2019, google-research/text-to-text-transfer-transformer
 * data/preprocessors.py; Tay et al. 2022 (UL2). */
#ifndef TSL_SPAN_H
#define TSL_SPAN_H

#include "prep/draws.h"
#include "prep/sample.h"

enum { TSL_SPAN_DENOISERS_MAX = 16 };

enum tsl_span_kind {
    TSL_SPAN_NOISE, /* spans of mean_span tokens on average, a share density of all */
    TSL_SPAN_SUFFIX /* the last tokens, a share density on average, are said; no sentinel */
};

struct tsl_span_denoiser {
    enum tsl_span_kind kind;
    double density, mean_span;
    double weight;
    int64_t mode; /* an id in front of the input ("[R]"); -1: none */
};

struct tsl_span_opts {
    uint64_t seed;
    struct tsl_span_denoiser denoisers[TSL_SPAN_DENOISERS_MAX];
    unsigned ndenoisers;
    /* ids sentinel, sentinel + step, ...: T5 counts down from the last one */
    uint32_t sentinel, nsentinels;
    int sentinel_step; /* 1 or -1 */
    int64_t eos;       /* at the end of inputs and targets; -1: none */
    bool roll;         /* the pattern of spans is rotated at random */
};

struct tsl_span_stats {
    uint64_t samples, tokens, noise, spans;
    uint64_t capped; /* samples that would have had more spans than there are sentinels */
};

struct tsl_span {
    struct tsl_span_opts o;
    struct tsl_key key;
    uint64_t below[TSL_SPAN_DENOISERS_MAX]; /* running sums of weights */
};

/* T5's: density .15, mean 3, 100 sentinels down from vocab_size - 1. */
struct tsl_span_opts tsl_span_t5(uint32_t vocab_size, int64_t eos);
/* UL2's seven; modes: the ids of [R], [S] and [X], or -1. */
struct tsl_span_opts tsl_span_ul2(uint32_t vocab_size, int64_t eos, int64_t r, int64_t s,
                                  int64_t x);

/* TSL_EUSAGE: no denoiser, densities and spans out of range, no sentinels. */
int tsl_span_init(struct tsl_span *p, const struct tsl_span_opts *o, struct tsl_err *err);

/* How many raw tokens make an input of inputs tokens at most (sentinels and EOS
 * included), and how many the decoder then says: the peer's random_spans_helper. */
void tsl_span_lengths(uint32_t inputs, double density, double mean_span,
                      uint32_t *raw_length, uint32_t *targets);

/* Which of the denoisers a sample gets.  Its raw length can be chosen by that. */
unsigned tsl_span_denoiser(const struct tsl_span *p, uint64_t epoch, uint64_t address);

/* Turns a sample of raw tokens into input (ids) and what is to be said (outs).  Fewer
 * than 2 tokens are all input.  stats may be NULL. */
void tsl_span_apply(const struct tsl_span *p, uint64_t epoch, struct tsl_sample *s,
                    struct tsl_span_stats *stats);

/* The parts, for other uses.  A set has bit i for token i. */

/* The noise of a sample of n tokens; how many spans it has. */
uint32_t tsl_span_mask(struct tsl_draws *d, uint32_t n, double density, double mean_span,
                       uint32_t spans_max, bool roll, uint64_t *set);

enum tsl_span_style {
    TSL_SPAN_UNIQUE,     /* each run in the set becomes the next sentinel */
    TSL_SPAN_SAME,       /* each run becomes the first sentinel */
    TSL_SPAN_EACH_TOKEN, /* each token does */
    TSL_SPAN_DROP        /* nothing stands for it */
};

/* ids with what is in the set (not: what is not) replaced; out may be ids.  Returns how
 * many there are. */
uint32_t tsl_span_replace(const uint32_t *ids, uint32_t n, const uint64_t *set, bool not,
                          enum tsl_span_style style, uint32_t sentinel, int step,
                          uint32_t *out);

#endif

/* mlm.h - masked language modelling: which tokens of a sample are hidden, and what stands
 * in their place.  Applied when samples are read, so each epoch has masks of its own.
 *
 * What is chosen: tokens, whole words (a run of tokens up to the next one that starts a
 * word), runs of n words, or SpanBERT's spans, uniformly and without replacement, until a
 * share of the sample's length is reached.  What does not fit into what is left of that
 * share is passed over, as BERT does it.  Then each place shows the mask, a random id, or
 * what it was.
 *
 * Not done unless asked for, though peers do it: words across specials (BERT joins a cut
 * word at the front of B to the end of A), specials as random replacements (BERT's are
 * drawn from the whole vocabulary), RoBERTa's masks on specials themselves (never).
 *
 * Order: a pure function of (seed, epoch, the sample's address), its ids and starts.
 * Memory: one bit an id of the vocabulary; nothing per sample.
 * Threads: a struct tsl_mlm is read-only; each thread has statistics of its own.
 * Sources: Devlin et al. 2018 (BERT), google-research/bert for whole words; Lan et al. 2019
 * (ALBERT's runs); Joshi et al. 2019 (SpanBERT); Cui et al. 2020 (MacBERT). */
#ifndef TSL_MLM_H
#define TSL_MLM_H

#include "prep/sample.h"

enum { TSL_MLM_WEIGHTS_MAX = 32 };

enum tsl_mlm_unit {
    TSL_MLM_TOKENS,
    TSL_MLM_WORDS,
    TSL_MLM_NGRAMS, /* runs of words, passed over where they touch what is chosen */
    TSL_MLM_SPANS /* SpanBERT's: around a token, the last one cut where the share ends */
};

enum tsl_mlm_decide { TSL_MLM_EACH_TOKEN, TSL_MLM_EACH_WORD, TSL_MLM_EACH_RUN };

/* What may stand for a word: ids[at[w]] .. ids[at[w + 1]] are the tokens of word w, len[w] of
 * them, and then those of each similar one, as many.  Of a word that is there twice the first
 * one counts. */
struct tsl_mlm_synonyms {
    uint32_t nwords;
    const uint32_t *at;  /* [nwords + 1], not falling */
    const uint32_t *len; /* [nwords], 1 or more */
    const uint32_t *ids;
};

struct tsl_mlm_opts {
    struct tsl_special_ids special; /* copied; the bits of reserved, too */
    uint64_t seed;
    double rate;        /* of all tokens of a sample, specials included */
    uint32_t masks_max; /* 0: as many as rate says; at least 1 is always asked for */
    bool dither;        /* round n * rate up or down at random, not to the nearest */
    /* TOKENS, WORDS: each is chosen or not by a draw of its own, whatever the others are
     * (bert4keras); masks_max and dither do not apply, and asked is what was got. */
    bool independent;
    enum tsl_mlm_unit unit;
    /* Of NGRAMS and SPANS: how often a run has 1, 2, ... words; need not sum to 1. */
    double weights[TSL_MLM_WEIGHTS_MAX];
    unsigned nweights;
    double mask_share, random_share; /* the rest shows what it was */
    enum tsl_mlm_decide decide;      /* one draw for that each ... */
    /* Shown instead of the mask, where all of a word is chosen; a word that has none gets
     * random ids (MacBERT), and decide is EACH_WORD unless it is EACH_RUN.  NULL: the mask.
     * Kept until destroy. */
    const struct tsl_mlm_synonyms *synonyms;
    bool across_specials; /* BERT's defect: words go on behind [SEP] */
    bool draw_specials;   /* BERT's defect: any id may be drawn as a replacement */
};

struct tsl_mlm_stats {
    uint64_t samples, tokens;
    uint64_t asked; /* places: what rate and masks_max say */
    uint64_t got;   /* masked + random + kept + synonyms */
    uint64_t masked, random, kept, synonyms;
    uint64_t short_samples; /* got fewer than asked */
};

struct tsl_mlm;

/* BERT's: 15 %, 80/10/10, single tokens, no limit. */
struct tsl_mlm_opts tsl_mlm_defaults(void);

/* Weights 1/1 .. 1/n (ALBERT); .4 .3 .2 .1 (MacBERT); geometric with p, up to n
 * (SpanBERT: .2 and 10). */
void tsl_mlm_weights_albert(struct tsl_mlm_opts *o, unsigned n);
void tsl_mlm_weights_macbert(struct tsl_mlm_opts *o);
void tsl_mlm_weights_geometric(struct tsl_mlm_opts *o, double p, unsigned n);

/* TSL_EUSAGE: rates out of range, no mask, no weights, no id to be drawn. */
int tsl_mlm_create(struct tsl_mlm **m, const struct tsl_mlm_opts *o, struct tsl_err *err);
void tsl_mlm_destroy(struct tsl_mlm *m);

/* Masks a sample that is not masked: changes ids, fills places and targets.  Specials
 * and reserved ids are never chosen, so a sample may get fewer than asked.  At most
 * TSL_SAMPLE_TOKENS_MAX tokens.  stats may be NULL. */
void tsl_mlm_apply(const struct tsl_mlm *m, uint64_t epoch, struct tsl_sample *s,
                   struct tsl_mlm_stats *stats);

/* Adds to sum what stats has. */
void tsl_mlm_stats_add(struct tsl_mlm_stats *sum, const struct tsl_mlm_stats *stats);

#endif

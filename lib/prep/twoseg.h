/* twoseg.h - samples of one or two segments without a label, ELECTRA's: a document's
 * sentences one after the other, split somewhere near the middle.
 *
 * One in ten samples is one segment, one in twenty aims at a length drawn from 5 up.
 * What differs from the script, and why: segments are stretches of the document (its
 * sentences could change places), and what does not fit goes on in the next sample (the
 * script throws it away: one long line gives one sample).
 *
 * Order: a pure function of (seed, epoch, document's number) and its sentences.
 * Memory: none.  Threads: a struct tsl_twoseg is read-only; each thread has its walks.
 * Source: Clark et al. 2020; google-research/electra build_pretraining_dataset.py. */
#ifndef TSL_TWOSEG_H
#define TSL_TWOSEG_H

#include "prep/docs.h"
#include "prep/draws.h"
#include "prep/sample.h"

struct tsl_twoseg_opts {
    struct tsl_special_ids special; /* cls and sep */
    uint64_t seed;
    uint32_t tokens_max; /* 5 or more */
    double single_rate, short_rate;
    bool cut_words; /* a sentence that does not fit is cut anywhere */
};

struct tsl_twoseg {
    struct tsl_twoseg_opts o;
    struct tsl_key key;
    uint64_t below_single, below_short;
};

/* Tokens at .. at + a_len and on to a_len + b_len; b_len 0: one segment. */
struct tsl_twoseg_plan {
    uint64_t doc;
    uint32_t at, a_len, b_len;
};

struct tsl_twoseg_walk {
    const struct tsl_twoseg *p;
    const struct tsl_doc *d;
    struct tsl_draws draws;
    uint64_t doc;
    size_t sent;
    uint32_t at, left; /* the next token; what is left of the sentence */
};

struct tsl_twoseg_opts tsl_twoseg_defaults(void);
int tsl_twoseg_init(struct tsl_twoseg *p, const struct tsl_twoseg_opts *o,
                    struct tsl_err *err);

/* d is used until the walk ends; fewer than 2^32 tokens. */
void tsl_twoseg_begin(struct tsl_twoseg_walk *w, const struct tsl_twoseg *p,
                      uint64_t epoch, uint64_t number, const struct tsl_doc *d);
/* The next sample's plan; false at the end. */
bool tsl_twoseg_next(struct tsl_twoseg_walk *w, struct tsl_twoseg_plan *plan);

/* s has room for tokens_max.  TSL_EFORMAT where d is not what was planned from. */
int tsl_twoseg_build(const struct tsl_twoseg *p, const struct tsl_twoseg_plan *plan,
                     uint64_t address, const struct tsl_doc *d, struct tsl_sample *s,
                     struct tsl_err *err);

#endif

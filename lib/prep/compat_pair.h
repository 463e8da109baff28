/* compat_pair.h - pairs of segments as create_pretraining_data.py makes them, BERT's and
 * ALBERT's: documents shuffled, walked dupes times, instances masked and shuffled, all by
 * one generator in the script's own order of draws.
 *
 * What differs between the two scripts is which pairs are made (below) and how they are
 * masked, which is the caller's function.
 * Order: the script's.  Memory: 4 bytes a document, and instlog's some 50 an instance of
 *   128 tokens; not the documents.
 * Threads: create on one; at() on many, each with documents and a sample of its own.
 * Source: google-research/bert and albert, create_pretraining_data.py. */
#ifndef TSL_COMPAT_PAIR_H
#define TSL_COMPAT_PAIR_H

#include "prep/dochist.h"
#include "prep/instlog.h"
#include "prep/mt19937.h"

struct tsl_compat_pair_opts {
    struct tsl_special_ids special; /* cls, sep, mask and vocab_size */
    /* One bit an id that continues a word ("##"); NULL: the documents' starts say so. */
    const uint8_t *continues;
    uint64_t seed;                /* random_seed */
    uint32_t tokens_max;          /* max_seq_length: 5 or more */
    uint32_t masks_max;           /* max_predictions_per_seq */
    uint32_t dupes;               /* dupe_factor */
    double mask_rate;             /* masked_lm_prob */
    double short_rate;            /* short_seq_prob */
    bool whole_words;             /* do_whole_word_mask */
    bool python2;                 /* as the script gives it under Python 2 */
    bool half_random;             /* half of the pairs have a random second segment ... */
    bool half_swapped;            /* ... or half of them are swapped */
    bool needs_ids, needs_starts; /* what the masking function looks at */
    bool no_starts;               /* samples come out without where words start */
};

/* What a masking function works on and in. */
struct tsl_compat_masker {
    const struct tsl_compat_pair_opts *o;
    struct tsl_mt19937 mt;
    /* The instance, unmasked.  Each is NULL where needs_ids and needs_starts do not ask for
     * it and no document has a special in its text: all places but 0, middle and n - 1
     * are no specials then. */
    const uint32_t *ids;   /* [n] */
    const uint8_t *starts; /* [n]: 1 at specials too */
    uint32_t n, middle;    /* middle: the place of the [SEP] between the segments */
    uint32_t nmasks;       /* how many are asked for */
    uint64_t *chosen;      /* [(n + 63) / 64], all 0 */
    uint64_t *moved;       /* likewise, for masking functions to use */
    uint32_t *shown;       /* [n] */
    uint16_t *cands, *begins, *work; /* [tokens_max + 1] each */
    uint32_t ncands;
};

struct tsl_compat_pair;

/* Makes all instances.  mask is called for each, in the script's order. */
int tsl_compat_pair_create(struct tsl_compat_pair **out,
                           const struct tsl_compat_pair_opts *o,
                           const struct tsl_docs *docs,
                           void (*mask)(struct tsl_compat_masker *m, void *ctx),
                           void *ctx, struct tsl_err *err);
void tsl_compat_pair_destroy(struct tsl_compat_pair *c);

uint64_t tsl_compat_pair_count(const struct tsl_compat_pair *c);
/* How much documents gave, each of the dupes passes counted by itself; lent. */
const struct tsl_dochist *tsl_compat_pair_contribution(const struct tsl_compat_pair *c);
uint64_t tsl_compat_pair_bytes(const struct tsl_compat_pair *c);

/* Instance i of the script's output; see tsl_instlog_at. */
int tsl_compat_pair_at(const struct tsl_compat_pair *c, uint64_t i,
                       const struct tsl_docs *docs, struct tsl_sample *s,
                       struct tsl_err *err);

/* For masking functions: the places of cands that are no special, in order; how many. */
uint32_t tsl_compat_pair_places(struct tsl_compat_masker *m);

/* For masking functions.  The candidates: places (work[begins[c]] .. work[begins[c + 1]])
 * of one token each or, with whole_words, of a word; ncands of them. */
void tsl_compat_pair_candidates(struct tsl_compat_masker *m);

/* Decides what is shown at a place: the mask, the token itself or a random one. */
static inline void tsl_compat_pair_mask_place(struct tsl_compat_masker *m, uint32_t place)
{
    /* .8 and .5 of 2^53, rounded up as random() < .8 asks for */
    uint32_t shown = (uint32_t)m->o->special.mask;
    if (tsl_mt19937_bits53(&m->mt) >= UINT64_C(7205759403792794)) {
        if (tsl_mt19937_coin(&m->mt))
            shown = TSL_INSTANCE_KEPT;
        else
            shown = (uint32_t)tsl_mt19937_below(&m->mt, m->o->special.vocab_size,
                                                m->o->python2);
    }
    m->chosen[place / 64] |= UINT64_C(1) << (place % 64);
    m->shown[place] = shown;
}

#endif

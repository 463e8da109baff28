/* pair.h - two segments a sample: next sentence prediction as BERT defines it, sentence
 * order prediction as ALBERT does, keyed, so that any document's samples can be made
 * alone, in any order, each epoch anew.
 *
 * A document is walked as theirs: sentences are collected until a length is reached, and
 * split between two of them.  In half of the pairs, by a coin for each, the second segment
 * is then one of another document (next sentence: label 1; the sentences not used are
 * collected again), or the two change places (sentence order: label 1).
 * What differs from the scripts, and why:
 *  - Short lengths are drawn for each sample; BERT draws one a document.
 *  - A single sentence that fills the length gets the next one (at a document's end the
 *    one before) where a true pair is wanted.  BERT makes all such pairs random, which
 *    measured 55 % of them, and ALBERT labels them as swapped.
 *  - A document of one sentence is split at a word for that (or see lone).
 *  - A partner is never the document itself, unless there is no other; that is counted.
 *  - What is too long is cut at words: as much from both ends of the longer segment as
 *    BERT's coin for each token takes, and then to the next word's border.
 *
 * What is planned first is a few numbers a sample (struct tsl_pair_plan), of one document
 * alone; a partner is read only when the sample is built.
 * Order: pure functions of (seed, epoch, document's number) and the document's sentences;
 *   partners are drawn among ndocs, or the window documents before.
 * Memory: none but the caller's.
 * Threads: a struct tsl_pair is read-only; each thread has walks, documents, statistics.
 * Sources: Devlin et al. 2018 and google-research/bert; Lan et al. 2019 and albert. */
#ifndef TSL_PAIR_H
#define TSL_PAIR_H

#include "prep/docs.h"
#include "prep/draws.h"
#include "prep/sample.h"

enum tsl_pair_kind { TSL_PAIR_NEXT, TSL_PAIR_ORDER };

/* What becomes of a document of one sentence. */
enum tsl_pair_lone {
    TSL_PAIR_LONE_SPLIT,  /* split at a word; dropped where it has one word only */
    TSL_PAIR_LONE_RANDOM, /* a random partner and label 1, as in the scripts */
    TSL_PAIR_LONE_DROP
};

struct tsl_pair_opts {
    struct tsl_special_ids special; /* cls and sep */
    uint64_t seed;
    enum tsl_pair_kind kind;
    uint32_t tokens_max; /* of a sample: 5 to 65535 */
    double
        short_rate; /* so many samples aim at a length drawn from 2 .. tokens_max - 3 */
    enum tsl_pair_lone lone;
    /* Partners are one of so many documents before, of the first ones one of so many others
     * from the front; 0: of all.  So who has that many documents and one more has the same
     * partners as with 0. */
    uint64_t window;
    bool cut_words; /* cut within words, as the scripts do */
};

struct tsl_pair_plan {
    uint64_t doc, partner; /* the same: B is of the document itself */
    uint32_t a_at, a_len : 16, b_len : 16;
    uint32_t b_at; /* a place; with is_random, 32 random bits for the first sentence, and
                    * b_len is how many tokens are wanted */
    uint32_t draw : 29, label : 1, is_random : 1, swapped : 1;
};

struct tsl_pair_stats {
    uint64_t samples, label1;
    uint64_t one_document; /* random partners from the only document there is */
    uint64_t lone_split, lone_random, lone_dropped;
    uint64_t tokens, tokens_cut;
    uint64_t words_cut; /* segments cut within a word that fills all there is room for */
};

struct tsl_pair {
    struct tsl_pair_opts o;
    struct tsl_key walk, build;
    uint64_t below_short;
};

/* The document that is being walked. */
struct tsl_pair_walk {
    const struct tsl_pair *p;
    const struct tsl_doc *d;
    struct tsl_draws draws;
    uint64_t doc, ndocs;
    size_t sent;
    uint32_t at; /* its first token */
};

struct tsl_pair_opts tsl_pair_defaults(void); /* next sentence, 128 tokens, .1 short */

/* TSL_EUSAGE for lengths out of range and missing specials. */
int tsl_pair_init(struct tsl_pair *p, const struct tsl_pair_opts *o, struct tsl_err *err);

/* Begins document number of ndocs, which is d; d is used until the walk ends.  A document
 * has fewer than 2^32 tokens. */
void tsl_pair_begin(struct tsl_pair_walk *w, const struct tsl_pair *p, uint64_t epoch,
                    uint64_t number, uint64_t ndocs, const struct tsl_doc *d);

/* The next sample's plan; false at the end.  A document gives at most as many as it has
 * sentences.  stats, here and below, is added to and not NULL. */
bool tsl_pair_next(struct tsl_pair_walk *w, struct tsl_pair_plan *plan,
                   struct tsl_pair_stats *stats);

/* Makes the sample, not masked; s has room for tokens_max.  docs are asked for one or two
 * documents.  TSL_EFORMAT where they are not what was planned from. */
int tsl_pair_build(const struct tsl_pair *p, const struct tsl_pair_plan *plan,
                   uint64_t address, const struct tsl_docs *docs, struct tsl_sample *s,
                   struct tsl_pair_stats *stats, struct tsl_err *err);

#endif

/* plm.h - permuted language modelling (XLNet): some tokens are targets, said one after the
 * other in a random order; each sees the context and the targets before it in that order.
 *
 * With the pairs of token and position in that order, context first, that is a prefix and
 * a left-to-right rest: no matrix, and no second meaning of attention.  Which tokens are
 * targets is chosen as mlm.h does it (XLNet: runs of 1 to 5 words, a sixth of all).
 * Order: a pure function of (seed, epoch, the sample's address), its ids and starts.
 * Memory: none but mlm's.  Threads: a struct tsl_plm is read-only.
 * Source: Yang et al. 2019 (XLNet), with partial prediction; zihangdai/xlnet
 * data_utils.py, whose perm_mask this equals (tests/prep/test_plm.c). */
#ifndef TSL_PLM_H
#define TSL_PLM_H

#include "prep/mlm.h"

struct tsl_plm;

/* o: what is to be chosen, and how much of it; shares and synonyms do not matter. */
struct tsl_mlm_opts tsl_plm_xlnet(const struct tsl_special_ids *special);
int tsl_plm_create(struct tsl_plm **p, const struct tsl_mlm_opts *o, struct tsl_err *err);
void tsl_plm_destroy(struct tsl_plm *p);

/* Puts the targets behind the context, in their order: kind is TSL_SAMPLE_PREFIX, prefix
 * is where they begin, positions say where each token stood, places are the targets'
 * places in the new order, and targets their ids.  first is lost: it becomes n. */
void tsl_plm_apply(const struct tsl_plm *p, uint64_t epoch, struct tsl_sample *s,
                   struct tsl_mlm_stats *stats);

#endif

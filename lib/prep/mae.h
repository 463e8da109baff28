/* mae.h - tokens taken out of a sample, the others kept with their places: DropToken (Su
 * 2021, "drop tokens, keep the position ids": shorter and faster), and masked
 * autoencoders, whose decoder says what was taken out.
 *
 * Which ones: as mlm.h chooses, so tokens, words or spans, never specials.
 * Order: a pure function of (seed, epoch, the sample's address), its ids and starts.
 * Memory: none but mlm's.  Threads: a struct tsl_mae is read-only.
 * Sources: the blog article kexue.fm/archives/8770; He et al. 2021 (MAE). */
#ifndef TSL_MAE_H
#define TSL_MAE_H

#include "prep/mlm.h"

struct tsl_mae;

/* o: what is to be chosen, and how much of it (DropToken: .1 to .15); its shares and
 * synonyms do not matter. */
int tsl_mae_create(struct tsl_mae **m, const struct tsl_mlm_opts *o, struct tsl_err *err);
void tsl_mae_destroy(struct tsl_mae *m);

/* ids and starts shrink to what is kept, positions say where it stood; places are the
 * positions of what was dropped, and targets what that was. */
void tsl_mae_apply(const struct tsl_mae *m, uint64_t epoch, struct tsl_sample *s,
                   struct tsl_mlm_stats *stats);

#endif

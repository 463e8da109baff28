/* compat_bert.h - the instances of google-research/bert's create_pretraining_data.py, draw
 * for draw.
 *
 * The output for the same documents, options and seed is the script's, under Python 3 or
 * 2: same instances, masks and order.  Its quirks are kept: after ten draws a "random"
 * document may be the own one, a single sentence always gets a random partner, whole
 * words go on across [SEP], and any id of the vocabulary may replace a masked one.
 * Order: the script's.  Memory, Threads: as compat_pair.h.
 * Source: google-research/bert eedf571 (Apache-2.0): the algorithm, not its code. */
#ifndef TSL_COMPAT_BERT_H
#define TSL_COMPAT_BERT_H

#include "prep/compat_pair.h"

/* The script's defaults, of lengths, rates and seed; special is to be set. */
struct tsl_compat_pair_opts tsl_compat_bert_defaults(void);

/* Makes all instances; take them with tsl_compat_pair_at.  docs are asked for each
 * document once and then in the script's order, dupes times.
 * TSL_EUSAGE: options that the script would fail with. */
int tsl_compat_bert_create(struct tsl_compat_pair **out,
                           const struct tsl_compat_pair_opts *o,
                           const struct tsl_docs *docs, struct tsl_err *err);

#endif

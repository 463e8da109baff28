/* vocabid.h - a name for a vocabulary: streams of ids carry it, so that ids are not taken
 * for those of another one.
 * Order: tokens by id.
 * Memory: one token at a time.
 * Threads: pure. */
#ifndef TSL_VOCABID_H
#define TSL_VOCABID_H

#include "text/tokenizer.h"

enum { TSL_VOCABID_BYTES = 33 };

/* 32 hex digits: XXH3-128 of all ids and how they are spelled (tsl_tokenizer_spell).
 * What else is in the file (scores, merges, rules) has no part in it: the same ids mean
 * the same tokens. */
int tsl_vocabid_of(const struct tsl_tokenizer *t, char out[TSL_VOCABID_BYTES],
                   struct tsl_err *err);

#endif

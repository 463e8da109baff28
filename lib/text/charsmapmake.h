/* charsmapmake.h - makes a precompiled character map (charsmap.h) from its rules.
 *
 * A double array of the rules' minimal automaton: tails that are alike are stored once, so
 * that the quarter of a million rules of nmt_nfkc take 180 KB.
 * Source: Darts-clone's units as SentencePiece 0.1.97 and spm_precompiled read them; Daciuk
 *   et al. 2000 (minimal automata); Aoe 1989 (double arrays), with exclusive or.
 * Order: the bytes depend on the rules alone.
 * Memory: while it is made, 24 bytes a node of the automaton and 30 an edge.
 * Threads: pure. */
#ifndef TSL_CHARSMAPMAKE_H
#define TSL_CHARSMAPMAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { TSL_CHARSMAPMAKE_KEY_MAX = 64 /* bytes */ };

struct tsl_charsmapmake_rule {
    struct tsl_slice from; /* 1 to 64 bytes, none of them NUL */
    uint32_t to;           /* where in the pool its replacement begins */
};

/* The map in *blob, to be freed with tsl_mem_free.  Rules are sorted by from, each from once;
 * pool: replacements, each with a NUL behind it.  TSL_ENOMEM. */
int tsl_charsmapmake_build(uint8_t **blob, size_t *nblob,
                           const struct tsl_charsmapmake_rule *rules, size_t n,
                           struct tsl_slice pool, struct tsl_err *err);

#endif

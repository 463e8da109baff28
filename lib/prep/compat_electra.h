/* compat_electra.h - the instances of google-research/electra's
 * build_pretraining_dataset.py, draw for draw: one or two segments, not masked.
 *
 * The script never seeds Python's generator; seed says what random.seed() would have been
 * called with.  Kept: what does not fit behind the second segment is thrown away.
 * Order: the script's, for one process.  Memory: the tokens of one instance before they
 *   are cut, so the longest sentence.
 * Threads: one caller.
 * Source: google-research/electra 8a46635 (Apache-2.0): the algorithm, not its code. */
#ifndef TSL_COMPAT_ELECTRA_H
#define TSL_COMPAT_ELECTRA_H

#include "prep/docs.h"
#include "prep/sample.h"

struct tsl_compat_electra_opts {
    struct tsl_special_ids special; /* cls and sep */
    uint64_t seed;
    uint32_t tokens_max; /* max-seq-length: 5 or more */
    /* Documents go on into each other (blanks-separate-docs off), but not from file to
     * file. */
    bool join;
    /* The number of the first document behind each of the files, in the order of their
     * names; the script shuffles them.  nfiles 0: there is one. */
    const uint64_t *file_ends;
    size_t nfiles;
};

struct tsl_compat_electra;

/* docs is kept until destroy; what file_ends points to is copied. */
int tsl_compat_electra_create(struct tsl_compat_electra **out,
                              const struct tsl_compat_electra_opts *o,
                              const struct tsl_docs *docs, struct tsl_err *err);
void tsl_compat_electra_destroy(struct tsl_compat_electra *c);

/* 1 and the next instance, whose address is its number; 0 after the last; or an error. */
int tsl_compat_electra_next(struct tsl_compat_electra *c, struct tsl_sample *s,
                            struct tsl_err *err);

#endif

/* loader.h - what feeds a training step: data sets in a random order, mixed by weight, masked
 * for their epoch, as batches of padded rows that a thread makes ahead of time.
 *
 * Order: position p of a run is a pure function of seed, sets and options: datamix.h says which
 *   set it draws from and how many that set gave before, which is the set's epoch and its place
 *   in it; the record there is what `crec order` prints for seed and epoch.  A batch is rows *
 *   world positions from its own on, of which rank has every world-th, so batch i depends on
 *   seed, options and data alone, and a position is all that is needed to resume, with any rows,
 *   rank and world.
 * Memory: opts.memory for data, shared by the sets (trainset.h), and opts.ahead batches.
 * Threads: one caller; a thread of its own reads, masks and lays out. */
#ifndef TSL_LOADER_H
#define TSL_LOADER_H

#include "train/trainset.h"

struct tsl_loader_set {
    const char *path;   /* a file, a folder or manifest.json of a set */
    double weight;      /* 0: none is given */
    const char *format; /* NULL: told apart by content */
};

/* "PATH" or "PATH:WEIGHT", cut in place; a weight is a number above 0 with at most 6
 * decimals.  What stands behind the last colon and is no number belongs to the path. */
int tsl_loader_parse_set(char *arg, struct tsl_loader_set *set, struct tsl_err *err);

struct tsl_loader_opts {
    /* Weights for all sets or for none: then each gives its share of records, and all of
     * them are through an epoch at the same time.  Lent until open is back. */
    const struct tsl_loader_set *sets;
    size_t nsets;
    uint64_t seed;        /* of the order; masks have the seed of their recipe */
    uint32_t rows;        /* of a batch */
    uint32_t rank, world; /* of these trainers this one; world 0: 1 */
    bool in_order;        /* records as they lie */
    /* Positions from 0 that there are: next returns 0 behind them, and the last batch may
     * have fewer rows.  0: as epochs says. */
    uint64_t positions;
    double epochs; /* of all records of all sets, if positions is 0; 0: no end */
    bool
        one_epoch; /* masks stay those of epoch 0: for what is measured again and again */
    unsigned ahead; /* batches, one of them the caller's; 0: 3, else at least 2 */
    bool no_thread; /* next makes the batch itself */
    struct tsl_trainset_opts data; /* path, format and memory aside */
    uint64_t memory;               /* 0: 256 MiB */
};

struct tsl_loader_stats {
    uint64_t batches, samples, tokens; /* that next gave out */
    double wait_seconds;               /* that next waited for the thread */
    double busy_seconds;               /* that batches took to be made */
    double busy_share;                 /* of the time since it was opened */
    uint64_t bytes; /* held: data and its index, batches; not the readers' blocks */
};

struct tsl_loader;

/* Opens everything, and reads what is to be in memory; the thread begins at position 0.
 * TSL_EUSAGE where sets do not go together (objectives, vocabularies). */
int tsl_loader_open(struct tsl_loader **l, const struct tsl_loader_opts *o,
                    struct tsl_err *err);
/* At any time; waits for the batch that is being made. */
void tsl_loader_destroy(struct tsl_loader *l);

/* The shape that all batches have.  Lent for the loader's life, as all below. */
const struct tsl_trainbatch_shape *tsl_loader_shape(const struct tsl_loader *l);
size_t tsl_loader_nsets(const struct tsl_loader *l);
const struct tsl_trainset_info *tsl_loader_info(const struct tsl_loader *l, size_t set);
/* Records of all sets: positions of an epoch, where there are no weights. */
uint64_t tsl_loader_samples(const struct tsl_loader *l);
/* The set, its epoch, and the record that position p is.  Pure. */
void tsl_loader_where(const struct tsl_loader *l, uint64_t p, uint32_t *set,
                      uint64_t *epoch, uint64_t *record);

/* 1 and the next batch, lent until next, seek or destroy; 0 behind the last position; or what
 * went wrong while it was made: then seek, or give up. */
int tsl_loader_next(struct tsl_loader *l, const struct tsl_trainbatch **b,
                    struct tsl_err *err);
/* The next batch begins at position p. */
void tsl_loader_seek(struct tsl_loader *l, uint64_t p);

void tsl_loader_stats(struct tsl_loader *l, struct tsl_loader_stats *st);

#endif

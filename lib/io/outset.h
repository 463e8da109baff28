/* outset.h - one stream of rows into one file or many: shards, splits, and files aligned
 * with them.
 *
 * A set is a list of splits, each a number of shards; rows fill them in order.  No shard
 * is empty; a split without shards has its file even if it got no rows.  Nothing has its
 * final name before commit, when all files are whole and on the disk; they are then named
 * one after the other, and when that fails half-way, the names that nothing had before
 * are taken back.
 * Names: %d (with a width: %05d) stands for the shard's number, %s for the split's name.
 *   Without them, and when needed, ".NAME" and "-00000" go in front of the first
 *   extension: corpus.txt.zst becomes corpus.train-00000.txt.zst.
 * Memory: as sink.h, for each of nparts; a descriptor for each file until commit, or a
 *   hidden name where descriptors are scarce.
 * Threads: one owner. */
#ifndef TSL_OUTSET_H
#define TSL_OUTSET_H

#include "io/sink.h"

struct tsl_outset_split {
    const char *name;
    double share;
};

struct tsl_outset_opts {
    /* nparts of them, lent for the set's life; NULL: standard output, or split names */
    const char *const *patterns;
    size_t nparts;
    const struct tsl_outset_split *splits;
    size_t nsplits;                           /* 0: no splits */
    uint64_t shards, shard_rows, shard_bytes; /* of each split; at most one not 0 */
    bool by_name;                             /* codec by each file's name ... */
    enum tsl_codec codec;                     /* ... or this one */
    int level;
    unsigned nthreads;
    size_t buffer_bytes; /* of each current file that is not compressed; 0: few */
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_outset;

/* Checks what can be checked before the work: patterns, names, folders.  0, TSL_EUSAGE,
 * TSL_EIO or TSL_ENOMEM; opens no file. */
int tsl_outset_create(struct tsl_outset **s, const struct tsl_outset_opts *o,
                      struct tsl_err *err);
/* Undoes what was not committed.  NULL is fine. */
void tsl_outset_destroy(struct tsl_outset *s);

/* Are there several files to be filled (so that rows must be told apart)? */
bool tsl_outset_divides(const struct tsl_outset *s);

/* Will any file be compressed? */
bool tsl_outset_packs(const struct tsl_outset *s);

/* nrows: rows that will come, UINT64_MAX when there is no end.  header: goes in front of
 * each file's rows; [part], lent until commit, may be NULL.  Opens the first file. */
int tsl_outset_begin(struct tsl_outset *s, uint64_t nrows, const uint8_t *const *header,
                     const size_t *header_len, struct tsl_err *err);

/* How many more rows, and bytes of part 0, the current file takes; a file with no row yet
 * takes one row of any size.  Opens the next file when the current one is full. */
int tsl_outset_room(struct tsl_outset *s, uint64_t *rows, uint64_t *bytes,
                    struct tsl_err *err);
/* n bytes of whatever rows room allowed; TSL_EIO on failure. */
int tsl_outset_write(struct tsl_outset *s, size_t part, const uint8_t *p, size_t n,
                     struct tsl_err *err);
/* That many rows were written completely. */
void tsl_outset_count(struct tsl_outset *s, uint64_t rows);
/* The current file is full although rows fit by number: the next row's bytes do not. */
int tsl_outset_turn(struct tsl_outset *s, struct tsl_err *err);

/* For one part: n whole rows, row i ending at p + ends[i], into as many files as they
 * fill. */
int tsl_outset_put(struct tsl_outset *s, const uint8_t *p, const uint32_t *ends, size_t n,
                   struct tsl_err *err);

/* All rows came: flushes, syncs, names.  0, or an error and no new name. */
int tsl_outset_commit(struct tsl_outset *s, struct tsl_err *err);

/* Files opened so far; plain bytes in those that are closed; rows of a split so far. */
uint64_t tsl_outset_files(const struct tsl_outset *s);
uint64_t tsl_outset_bytes(const struct tsl_outset *s);
uint64_t tsl_outset_split_rows(const struct tsl_outset *s, size_t split);

#endif

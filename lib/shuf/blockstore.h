/* blockstore.h - blocks of rows, held in memory while there is room and on disk beyond
 * it.
 *
 * A store owns a budget of memory, cut into chunks of one size.  Whoever fills a block
 * takes a chunk and puts it into a list; when chunks run out, blocks of the lists that
 * are needed last are written to temporary space by threads of the store's own and their
 * chunks used again. What is on disk is checked when it comes back: a block that is not,
 * bit for bit, what was written there is an error that names folder and block.
 *
 * Order: a list keeps its blocks in the order of put.
 * Memory: never more than bytes, chunks and what is set aside with tsl_store_set_aside
 *   together; 8 bytes a block for the lists come on top and are counted by the caller's
 *   plan.
 * Threads: every function may be called by any thread, unless it says otherwise; a list
 *   that is being loaded must not be put to. */
#ifndef TSL_BLOCKSTORE_H
#define TSL_BLOCKSTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/codec.h"
#include "io/progress.h"
#include "io/spill.h"

struct tsl_block {
    uint32_t where; /* in memory: chunk number; on disk: page of 4096 bytes */
    uint16_t pages; /* on disk: how many of them */
    uint8_t state;  /* private */
};

struct tsl_blocklist {
    struct tsl_block *v;
    size_t n, cap;
    uint32_t group;         /* of the temporary space: loaded at about the same time */
    size_t in_memory;       /* blocks before it are on disk or on their way */
    uint32_t page, nblocks; /* of the current extent: next, blocks that still fit */
    struct tsl_extent_use {
        size_t block;   /* the first of the list's blocks that lie in it */
        uint32_t first; /* page */
        uint16_t live;  /* blocks in it that are still to be loaded */
        bool released;
    } * extents; /* all of this list's, in the order of their blocks */
    size_t nextents, extents_cap;
};

struct tsl_store_opts {
    size_t bytes, chunk_bytes; /* chunk_bytes: a power of two, at least 4096 */
    unsigned nwriters;
    unsigned nthreads;       /* that compute: what processors there are for compression */
    const char *const *dirs; /* lent */
    size_t ndirs;
    enum tsl_codec compress; /* of what goes to disk */
    int level;
    bool measure; /* compress or not, block by block: temppack.h */
    bool scarce;  /* temporary space is smaller than the data: measure says compress */
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_store;

int tsl_store_create(struct tsl_store **s, const struct tsl_store_opts *o,
                     struct tsl_err *err);
void tsl_store_destroy(struct tsl_store *s);

/* Lists whose blocks may be written to disk, those needed last first.  They must outlive
 * the next call; a list not named is left alone.  One caller. */
int tsl_store_rank(struct tsl_store *s, struct tsl_blocklist *const *lists, size_t n,
                   struct tsl_err *err);

/* An empty chunk; waits for one when all are in use.  NULL on failure. */
uint8_t *tsl_store_take(struct tsl_store *s, struct tsl_err *err);
/* Gives a chunk back without putting it anywhere. */
void tsl_store_give(struct tsl_store *s, uint8_t *chunk);
/* chunk: a completed block (rowblock.h), taken over. */
int tsl_store_put(struct tsl_store *s, struct tsl_blocklist *list, uint8_t *chunk,
                  struct tsl_err *err);

/* Changes the budget by that much that others use or no longer use: writes blocks and
 * gives memory back until it fits.  When even that is not enough, TSL_ENOMEM. */
int tsl_store_set_aside(struct tsl_store *s, int64_t bytes, struct tsl_err *err);

/* Waits until n more chunks can be taken by loads without anybody else's leave. */
int tsl_store_claim(struct tsl_store *s, size_t n, struct tsl_err *err);

/* How many of a list's blocks need a chunk to be loaded into. */
size_t tsl_blocklist_on_disk(struct tsl_store *s, const struct tsl_blocklist *list);

/* Brings blocks [first, first + n) into memory, chunks[i] for block first + i, out of
 * claimed chunks (claimed) or by waiting for free ones.  The chunks belong to the caller,
 * who gives them back; the blocks are gone from the list, and disk space that held only
 * such is free. */
int tsl_store_load(struct tsl_store *s, struct tsl_blocklist *list, size_t first,
                   size_t n, uint8_t **chunks, bool claimed, struct tsl_err *err);

/* One block, to be read only: *p is the block itself where it is in memory, else scratch
 * (a chunk's bytes and TSL_BLOCK_SLACK).  The block stays in the list. */
int tsl_store_peek(struct tsl_store *s, struct tsl_blocklist *list, size_t i,
                   uint8_t *scratch, const uint8_t **p, struct tsl_err *err);

/* Frees a list and the disk space it holds.  Chunks of blocks never loaded are given
 * back. */
void tsl_store_drop(struct tsl_store *s, struct tsl_blocklist *list);

/* Wakes everybody who waits, with an error, now and for ever. */
void tsl_store_cancel(struct tsl_store *s);

struct tsl_store_stats {
    struct tsl_spill_stats disk;
    uint64_t blocks_spilled;
    bool compressed; /* some of them */
};
struct tsl_store_stats tsl_store_stats(struct tsl_store *s);

size_t tsl_store_chunks_in_use(struct tsl_store *s);

/* Chunks that the budget allows at present. */
size_t tsl_store_chunks(struct tsl_store *s);

#endif

/* tokmap.h - a token stream's file as it lies on the disk: any document of it at any time, and
 * nothing is copied.
 *
 * Order: documents have the numbers in which they come; those without tokens have none.
 * Memory: 64 bytes a block (of 256 KiB, as ctok writes them), and the pages of the file that
 *   are looked at, which are given back each time that they may be more than memory bytes.
 *   A document that lies in several blocks is put together for whoever asks for it.
 * Threads: read-only once open; each thread has a cursor of its own. */
#ifndef TSL_TOKMAP_H
#define TSL_TOKMAP_H

#include "record/tokstream.h"

struct tsl_tokmap;

/* 1: path is open, and all of it was found to be right.  0: it can only be read as a stream: a
 * pipe, standard input, compressed (as a whole or its blocks), or damaged, which reading it as
 * a stream tells better. */
int tsl_tokmap_open(struct tsl_tokmap **m, const char *path, uint64_t memory,
                    struct tsl_err *err);
void tsl_tokmap_destroy(struct tsl_tokmap *m);
const struct tsl_tokstream_head *tsl_tokmap_head(const struct tsl_tokmap *m);

struct tsl_tokmap_counts {
    uint64_t ndocs, nsents, ntokens;
    uint64_t lone, empty; /* documents of one sentence; without tokens, not among ndocs */
};
struct tsl_tokmap_counts tsl_tokmap_counts(const struct tsl_tokmap *m);

/* A document as it lies there. */
struct tsl_tokmap_doc {
    const uint32_t *sents;
    uint32_t nsents, ntokens;
    const void *ids; /* id_bytes each: 2 or 4 */
    unsigned id_bytes;
    const uint8_t *bits; /* where words start, from bit `bit` on; NULL: flags has bytes */
    size_t bit;
    const uint8_t *flags;
};

struct tsl_tokmap_cursor {
    size_t block;                        /* of the last document */
    struct tsl_tokstream_reader *pieces; /* for documents of several blocks */
};
void tsl_tokmap_cursor_fini(struct tsl_tokmap_cursor *c);

/* Document number, below ndocs; its sentences only where they are wanted.  cursor all zero at
 * first.  Lent: what lies in one block for
 * the map's life, else until the cursor is used again.  TSL_EFORMAT, TSL_EIO where the file
 * has changed meanwhile. */
int tsl_tokmap_doc(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *cursor,
                   uint64_t number, bool sents, struct tsl_tokmap_doc *d,
                   struct tsl_err *err);

/* Its tokens [at, at + len) will be looked at soon: they are fetched into the cache. */
void tsl_tokmap_soon(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *cursor,
                     uint64_t number, size_t at, size_t len);

/* The same of its sentences and of some len tokens from its share / 2^32 on. */
void tsl_tokmap_soon_near(const struct tsl_tokmap *m, struct tsl_tokmap_cursor *cursor,
                          uint64_t number, uint32_t share, size_t len);

/* 0, or TSL_EIO where the file is not what it was. */
int tsl_tokmap_unchanged(const struct tsl_tokmap *m, struct tsl_err *err);

#endif

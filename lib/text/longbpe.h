/* longbpe.h - a piece of any length through byte pair encoding, in memory that does not
 * grow with it, in time proportional to its length.
 *
 * Merging by rank needs the piece as a whole.  But it has a local test: where rules are
 * applied by rank and then from the left, a row of tokens is what its bytes come down to
 * exactly if each two neighbours are what their bytes come down to.  (No merge crosses from
 * one into the next: the first that did would be the best one among the two alone, too.  The
 * other way round, the merges within two neighbours are the same ones alone.)  So for each
 * prefix of the piece there is exactly one token that can be the last one, found from those
 * of shorter prefixes; and where these ways back have met, what lies before is certain
 * whatever follows.
 * Source: the test is that of GitHub's rust-gems, crates/bpe (2024); here with the meeting
 * of ways as in spmunigram.c.
 *
 * Order: as in the piece.
 * Memory: 24 bytes for each byte of a window of some 16 KiB, and 512 KiB of answers; a
 *   window grows where ways do not meet in it.
 * Threads: one owner. */
#ifndef TSL_LONGBPE_H
#define TSL_LONGBPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/trie.h"

struct tsl_longbpe_token {
    uint32_t id; /* TSL_LONGBPE_NONE: a character that the trie does not have */
    uint32_t len;
};

#define TSL_LONGBPE_NONE UINT32_MAX

struct tsl_longbpe_opts {
    const struct tsl_trie *trie; /* tokens by their bytes, values their ids */
    size_t longest;              /* bytes of the longest of them, or more */
    bool
        chars; /* merging begins with characters (UTF-8), else with bytes, all of which the
                 * trie has */
    /* How many tokens p[0, n), a few tokens long, comes down to, and the bytes of the first
     * one; or an error. */
    int64_t (*merge)(void *ctx, const uint8_t *p, size_t n, size_t *first,
                     struct tsl_err *err);
    /* Takes the next tokens of the piece, whose bytes begin at p. */
    int (*put)(void *ctx, const uint8_t *p, const struct tsl_longbpe_token *tokens,
               size_t n, struct tsl_err *err);
    void *ctx;
};

struct tsl_longbpe;

/* o's trie is lent.  NULL and err: no memory. */
struct tsl_longbpe *tsl_longbpe_create(const struct tsl_longbpe_opts *o,
                                       struct tsl_err *err);
void tsl_longbpe_destroy(struct tsl_longbpe *l);

/* The next run is of a new piece. */
void tsl_longbpe_begin(struct tsl_longbpe *l);

/* Takes p[0, n), the piece's next bytes.  open: it goes on in a way not known yet, and
 * *used are the bytes whose tokens were put, up to the beginning of a character and perhaps
 * none; the rest must come again.  Else all of them are. */
int tsl_longbpe_run(struct tsl_longbpe *l, const uint8_t *p, size_t n, bool open,
                    size_t *used, struct tsl_err *err);

/* Remembers where the piece stands, for one going back to it. */
void tsl_longbpe_save(struct tsl_longbpe *l);
void tsl_longbpe_restore(struct tsl_longbpe *l);

#endif

/* bytebpecore.h - byte pair encoding of one piece: from bytes to token ids.
 *
 * Again and again the adjacent pair of lowest rank becomes one token, leftmost first,
 * until no pair is left that may merge.  Short pieces by scanning an array, long ones with
 * a heap: n log n whatever the bytes.
 * Order: pure function of vocabulary and bytes.
 * Memory: up to 36 bytes for each merge and 256 KiB, in steps of 2 MiB; a long piece takes 28 bytes of
 * scratch for each of its bytes.
 * Threads: read-only once made; a scratch has one owner.
 * Source: R. Sennrich, B. Haddow, A. Birch, "Neural Machine Translation of Rare Words with
 * Subword Units", ACL 2016; on bytes as in GPT-2 and tiktoken. */
#ifndef TSL_BYTEBPECORE_H
#define TSL_BYTEBPECORE_H

#include "base/slice.h"
#include "text/tokfile.h"
#include "text/vocab.h"

enum {
    /* A pair of ids and a rank share 64 bits. */
    TSL_BYTEBPE_ID_MAX = (1 << 20) - 1,
    TSL_BYTEBPE_SHORT_BYTES = 64 /* longer pieces need a scratch that holds them */
};

struct tsl_bytebpecore;

/* vocab: every token by its bytes, all single bytes
 * that UTF-8 has among them (a piece must not have others).  merges NULL: a
 * token's id is its rank, as in .tiktoken.  Of two merges of one pair the later counts.
 * *proper: every token's own
 * bytes come down to it alone; NULL: not asked.  NULL and err: an id out of range, a byte that is no token (TSL_EUSAGE: such a file needs
 * another engine), no memory. */
struct tsl_bytebpecore *tsl_bytebpecore_create(const struct tsl_vocab *vocab,
                                               const struct tsl_tokfile_merge *merges,
                                               size_t nmerges, bool *proper,
                                               struct tsl_err *err);
void tsl_bytebpecore_destroy(struct tsl_bytebpecore *c);

struct tsl_bytebpe_scratch {
    void *pages;
    size_t cap_bytes; /* of pages */
    size_t max_bytes; /* what it may take; a piece that needs more is refused */
};

/* Writes the ids of piece to out, which has room for piece.len of them, and returns how
 * many; or TSL_ENOMEM.  The scratch grows for pieces longer than TSL_BYTEBPE_SHORT_BYTES. */
int64_t tsl_bytebpecore_merge(const struct tsl_bytebpecore *c,
                              struct tsl_bytebpe_scratch *s, struct tsl_slice piece,
                              uint32_t *out, struct tsl_err *err);
void tsl_bytebpe_scratch_fini(struct tsl_bytebpe_scratch *s);

#endif

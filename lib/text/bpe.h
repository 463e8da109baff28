/* bpe.h - byte pair encoding as Hugging Face's BPE model has it: a piece begins as its
 * characters, and of all pairs side by side that have a rule the one of the lowest rank, and
 * of equal ones the leftmost, becomes one, until none has.
 *
 * Order: as in the text.
 * Memory: 32 to 64 bytes a rule; a scratch has up to 48 bytes for each character of the
 * longest stretch that tokens can bridge.
 * Threads: read-only once it is made; a scratch has one owner.
 *
 * Differences: spans are true behind a character that vanishes; the peer's are moved to the
 * left by its length. */
#ifndef TSL_BPE_H
#define TSL_BPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"
#include "text/tokens.h"
#include "text/tokfile.h"
#include "text/vocab.h"

struct tsl_bpe_opts {
    struct tsl_slice unk; /* stands for unknown characters; data NULL: they vanish */
    struct tsl_slice
        prefix; /* in front of a piece's characters but the first; or empty */
    struct tsl_slice suffix; /* behind a piece's last character; or empty */
    bool fuse_unk;           /* unknown characters side by side are one token */
    bool byte_fallback;      /* an unknown character is <0xNN> for each of its bytes */
    bool ignore_merges;      /* a piece that is a token is that token */
    double dropout;          /* only 0 is taken */
};

struct tsl_bpe;

/* Whether n merges and these options are good for tsl_bpe_create: 0, or TSL_EFORMAT for a
 * dropout, for then tokens would be random. */
int tsl_bpe_check(size_t n, const struct tsl_bpe_opts *o, struct tsl_err *err);

/* merges: by rank; of two rules for one pair the later one counts.  v is lent.  NULL and
 * err on failure, or where tsl_bpe_check fails. */
struct tsl_bpe *tsl_bpe_create(const struct tsl_vocab *v,
                               const struct tsl_tokfile_merge *merges, size_t n,
                               const struct tsl_bpe_opts *o, struct tsl_err *err);
void tsl_bpe_destroy(struct tsl_bpe *b);

struct tsl_bpe_symbol;
struct tsl_bpe_link;

struct tsl_bpe_scratch {
    struct tsl_bpe_symbol *symbols;
    struct tsl_bpe_link *links;
    uint64_t *heap;
    size_t symbols_cap, links_cap, heap_cap;
};

void tsl_bpe_scratch_init(struct tsl_bpe_scratch *s);
void tsl_bpe_scratch_fini(struct tsl_bpe_scratch *s);

/* Adds a piece's tokens (UTF-8), spans relative to it; takes n log n time.  A token's span
 * is that of the characters it was made of, in bytes: HF's differ where a character
 * vanished before it, and where byte_fallback spells a prefix or suffix.  TSL_EFORMAT where
 * a character is unknown and the vocabulary does not have the token unk.
 * Source: Sennrich 2016 (Neural Machine Translation of Rare Words with Subword Units); HF
 * tokenizers 0.23.2, BPE. */
int tsl_bpe_encode(const struct tsl_bpe *b, struct tsl_bpe_scratch *s,
                   struct tsl_slice piece, struct tsl_tokens *out, struct tsl_err *err);

/* false: no token can hold the end of one of these and the beginning of the other, where
 * they stand side by side as a piece begins (characters, unk, bytes). */
bool tsl_bpe_may_join(const struct tsl_bpe *b, uint32_t left, uint32_t right);

/* true: the piece has the same tokens when it is encoded as two, cut at a character's
 * first byte, 0 < at < piece.len.  Only the characters on both sides of it are looked
 * at. */
bool tsl_bpe_may_cut(const struct tsl_bpe *b, struct tsl_slice piece, size_t at);

#endif

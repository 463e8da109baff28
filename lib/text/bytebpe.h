/* bytebpe.h - byte-level byte pair encoding: GPT-2, tiktoken's encodings, and what
 * Hugging Face's files of that kind hold (GPT-NeoX, Llama 3).
 *
 * Text is cut into pieces by a split pattern (splitpat.h), each piece's bytes are merged
 * by rank (bytebpecore.h).  The ids are those of the tool that the vocabulary was made
 * for.
 * Order: as in the text.
 * Memory: a model takes 3 to 8 MiB beside its vocabulary; a coder what it was given.
 * Threads: a model is read-only; a coder has one owner.
 *
 * Speed comes from four things, none of which shows in the ids: pieces are found 64 bytes
 * at a time (splitscan.h); they are looked up in batches, so that the misses of one hide
 * behind the work on others; words met before are in a cache (wordcache.h); and text
 * without blanks between words is cut wherever no token can reach across (safe cuts).
 * Source of the last: no symbol of a merge is longer than a token, so where no token of
 * the vocabulary has the end of one character beside the beginning of the next, no merge
 * crosses; found in tokn-ai/ffbpe, checked here against the uncut form. */
#ifndef TSL_BYTEBPE_H
#define TSL_BYTEBPE_H

#include "text/bytebpecore.h"
#include "text/engine.h"
#include "text/splitpat.h"
#include "text/splitscan.h"
#include "text/tokenizer.h"

/* A token that is looked for in the text before all else; of several that begin at one
 * place the longest is taken. */
struct tsl_bytebpe_special {
    struct tsl_slice text;
    uint32_t id;
    bool normalized; /* looked for in the text after NFC, between those that are not */
};

struct tsl_bytebpe_opts {
    const struct tsl_vocab *vocab; /* tokens as bytes; lent for the model's life */
    const struct tsl_tokfile_merge *merges; /* copied; NULL: ids are ranks */
    size_t nmerges;
    enum tsl_splitpat pattern; /* TSL_SPLITPAT_UNKNOWN: a text is one piece */
    bool whole; /* a piece that is a token is that token (tiktoken, ignore_merges) */
    bool prefix_space; /* a blank in front of a text that does not begin with one */
    bool nfc;
    bool bytes; /* spans end inside of characters, where tokens do (tiktoken) */
    enum tsl_invalid invalid;
    const struct tsl_bytebpe_special *specials; /* copied; none: all text is ordinary */
    size_t nspecials;
    enum tsl_splitscan_isa isa; /* for tests */
};

struct tsl_bytebpe_model;

/* NULL and err: TSL_EUSAGE where this engine cannot do it (a pattern without a fast form,
 * a byte without a token), TSL_EFORMAT where merges and vocabulary do not fit together. */
struct tsl_bytebpe_model *tsl_bytebpe_model_create(const struct tsl_bytebpe_opts *o,
                                                   struct tsl_err *err);
void tsl_bytebpe_model_destroy(struct tsl_bytebpe_model *m);

/* Adds the bytes of n ids to *text (grown).  An id that no token has is TSL_EFORMAT. */
int tsl_bytebpe_decode(const struct tsl_bytebpe_model *m, const uint32_t *ids, size_t n,
                       uint8_t **text, size_t *len, size_t *cap, struct tsl_err *err);

extern const struct tsl_engine tsl_bytebpe_engine;

#endif

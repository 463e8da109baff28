/* spm.h - SentencePiece's encoding of text: unigram, bpe, char and word models, as its
 * version 0.1.97 does it, id by id and byte by byte of the spans.
 *
 * Text is cut where no piece of the vocabulary can lie across; what lies between is encoded
 * by itself and remembered.  For unigram the sum of the scores, a float that each further
 * score is rounded into, is carried along: a part's pieces are taken from the cache only
 * where the rounding cannot have decided anything.
 * Source: unigram_model.cc, bpe_model.cc, sentencepiece_processor.cc of 0.1.97; for the
 * cuts tokenizers.md, section 7.
 * Order: as in the text.
 * Memory: the vocabulary some five times over; a coder's cache as it was told, and its
 * scratch, which is small unless a stretch of text has no cut.
 * Threads: a model is read-only once made; a coder has one owner.
 *
 * Differences: where SentencePiece refuses to encode because a control piece stands in the
 * text (of a single character, or a whole word of a word model), it is unknown here. */
#ifndef TSL_SPM_H
#define TSL_SPM_H

#include "base/slice.h"
#include "text/engine.h"
#include "text/tokens.h"
#include "text/tokfile_spm.h"

struct tsl_spm;

/* file is taken over, also where this fails. */
int tsl_spm_create(struct tsl_spm **out, struct tsl_tokfile_spm *file,
                   struct tsl_err *err);
void tsl_spm_destroy(struct tsl_spm *m);

const struct tsl_tokfile_spm *tsl_spm_file(const struct tsl_spm *m);

/* The engine's model is a struct tsl_spm.  The stretches of one row go to one coder, in
 * order.  TSL_TOKEN_WORD_START: the first token of a row, one that begins with ▁ (unless ▁
 * is put behind words), one that follows a token which ends in ▁. */
extern const struct tsl_engine tsl_spm_engine;

/* Bytes that were not UTF-8, of all that this coder encoded. */
uint64_t tsl_spm_coder_invalid(const void *coder);

/* Adds the text of n ids to *text, as SentencePiece's Decode: control pieces vanish, bytes
 * are joined, U+FFFD for each byte of no character.  An id out of range is TSL_EFORMAT. */
int tsl_spm_decode(const struct tsl_spm *m, const uint32_t *ids, size_t n, uint8_t **text,
                   size_t *len, size_t *cap, struct tsl_err *err);

#endif

/* bestfit.h - documents packed into samples without cutting those that fit: each in turn,
 * longest first, goes where it leaves the least room.
 *
 * A document longer than a sample is cut into full samples and a rest that is packed as a
 * document.  Only lengths are looked at: 4 bytes a document come in.  Bins come out by
 * length, so whoever trains on them shuffles them.
 * Order: by lengths and, where they are equal, numbers.
 * Memory: some 20 bytes a document while packing, 12 afterwards.
 * Threads: create on one; reading by many.
 * Source: Ding et al. 2024, "Fewer Truncations Improve Language Modeling"; the least room
 * is found by a bitmap over rooms, so O(N) for N documents, whatever their lengths. */
#ifndef TSL_BESTFIT_H
#define TSL_BESTFIT_H

#include "prep/pack.h"

struct tsl_bestfit;

/* ndocs < 2^32 documents of lengths tokens each (0: left out), doc_end not counted: it is
 * added where extra is 1.  room: tokens of a sample that are for documents. */
int tsl_bestfit_create(struct tsl_bestfit **b, const uint32_t *lengths, uint64_t ndocs,
                       uint32_t extra, uint32_t room, struct tsl_err *err);
void tsl_bestfit_destroy(struct tsl_bestfit *b);

uint64_t tsl_bestfit_count(const struct tsl_bestfit *b);

/* Tokens of all bins that nothing was found for. */
uint64_t tsl_bestfit_waste(const struct tsl_bestfit *b);

/* The pieces of bin i into pieces, which has room for as many as a bin has tokens;
 * returns how many. */
size_t tsl_bestfit_bin(const struct tsl_bestfit *b, uint64_t i, struct tsl_piece *pieces);

#endif

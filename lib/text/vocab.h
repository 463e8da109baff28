/* vocab.h - token ids and their bytes, both ways.
 *
 * Order: ids as given; holes are allowed.  Of two tokens with the same bytes the later id
 * is found, as all peers have it; both ids keep their bytes.
 * Memory: the bytes, and about 32 to 48 bytes a token; 4 bytes a hole.
 * Threads: read-only once it is filled. */
#ifndef TSL_VOCAB_H
#define TSL_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum { TSL_VOCAB_NONE = -1 };

struct tsl_vocab;

struct tsl_vocab *tsl_vocab_create(struct tsl_err *err);
void tsl_vocab_destroy(struct tsl_vocab *v);

/* Copies the token's bytes.  An id given twice, or of 2^24 and more, is TSL_EFORMAT; the
 * same bytes again are counted in tsl_vocab_duplicates. */
int tsl_vocab_add(struct tsl_vocab *v, uint32_t id, struct tsl_slice token,
                  struct tsl_err *err);

/* The id, or TSL_VOCAB_NONE. */
int64_t tsl_vocab_find(const struct tsl_vocab *v, struct tsl_slice token);

/* The bytes of id, lent for v's life; data is NULL where no token has this id. */
struct tsl_slice tsl_vocab_token(const struct tsl_vocab *v, uint32_t id);

uint32_t tsl_vocab_size(const struct tsl_vocab *v);  /* the highest id + 1 */
size_t tsl_vocab_count(const struct tsl_vocab *v);   /* ids that have a token */
size_t tsl_vocab_longest(const struct tsl_vocab *v); /* bytes of the longest token */
size_t tsl_vocab_duplicates(const struct tsl_vocab *v);

#endif

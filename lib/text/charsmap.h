/* charsmap.h - SentencePiece's precompiled character map: prefixes of text and what they
 * become.
 *
 * Order: none.
 * Memory: none of its own; the blob is lent.
 * Threads: read-only once it is open. */
#ifndef TSL_CHARSMAP_H
#define TSL_CHARSMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_charsmap {
    const uint8_t *units; /* little-endian u32 units of a double array */
    size_t nunits;
    struct tsl_slice pool; /* replacements, each up to a NUL or the end */
};

/* Opens blob, which is lent and must outlive m: u32 little-endian size of the trie, a
 * Darts-clone double array, a pool of NUL-terminated UTF-8 strings (SentencePiece's
 * normalizer_spec.precompiled_charsmap).  An empty blob is an empty map.  TSL_EFORMAT for
 * sizes that lie and for a pool that is not UTF-8. */
int tsl_charsmap_open(struct tsl_charsmap *m, struct tsl_slice blob, struct tsl_err *err);

/* The longest key at p[0, len): true, its bytes in *used (1 or more), and its replacement
 * (may be empty; lent from the blob, well-formed).  False where no key begins at p.  A
 * trie that points outside of itself or of the pool ends the search: no byte outside of
 * the blob is read. */
bool tsl_charsmap_match(const struct tsl_charsmap *m, const uint8_t *p, size_t len,
                        size_t *used, struct tsl_slice *replacement);

/* The same for the shortest key: what Hugging Face's Precompiled takes for a whole
 * grapheme cluster. */
bool tsl_charsmap_match_shortest(const struct tsl_charsmap *m, const uint8_t *p,
                                 size_t len, size_t *used, struct tsl_slice *replacement);

#endif

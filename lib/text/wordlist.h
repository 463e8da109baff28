/* wordlist.h - unique words with how often each came: what a vocabulary is trained on.
 *
 * The hand-over between counting (wordcount.h) and training (bpetrain.h, unitrain.h): the
 * corpus is seen once, the trainers see only this.
 * Order: words stand in byte order, each once, so that what is trained depends on the
 *   counts alone.
 * Memory: 16 bytes a word beside its bytes.
 * Threads: read-only once it is made. */
#ifndef TSL_WORDLIST_H
#define TSL_WORDLIST_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

struct tsl_wordlist {
    const uint8_t *bytes;  /* all words, one behind the other */
    const uint64_t *end;   /* n of them: where each word ends in bytes */
    const uint64_t *count; /* n of them, none 0 */
    size_t n;
};

static inline struct tsl_slice tsl_wordlist_at(const struct tsl_wordlist *l, size_t i)
{
    uint64_t begin = i ? l->end[i - 1] : 0;
    return (struct tsl_slice){ l->bytes + begin, (size_t)(l->end[i] - begin) };
}

#endif

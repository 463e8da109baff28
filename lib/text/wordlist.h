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

#include "base/err.h"
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

/* A list on its way.  All zero: empty. */
struct tsl_wordlist_maker {
    uint8_t *bytes;
    uint64_t *end, *count;
    size_t n, nbytes, bytes_cap, end_cap, count_cap;
};

/* Adds a word that stands behind all others in byte order; count is not 0.  0 or
 * TSL_ENOMEM, and then the list is what it was. */
int tsl_wordlist_put(struct tsl_wordlist_maker *m, struct tsl_slice word, uint64_t count,
                     struct tsl_err *err);
/* Hands the words over to *list and leaves *m empty. */
void tsl_wordlist_finish(struct tsl_wordlist_maker *m, struct tsl_wordlist *list);
void tsl_wordlist_drop(struct tsl_wordlist_maker *m);

/* Frees a list that came from tsl_wordlist_finish; all zero is fine.  It is all zero
 * then. */
void tsl_wordlist_fini(struct tsl_wordlist *l);

/* Bytes that a list holds. */
size_t tsl_wordlist_bytes(const struct tsl_wordlist *l);

#endif

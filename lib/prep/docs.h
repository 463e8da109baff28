/* docs.h - documents of token ids, as the objectives see them: numbered, and borrowed.
 *
 * Order: documents have the numbers 0 .. ndocs - 1, in corpus order.
 * Memory: whoever implements struct tsl_docs says what get costs.
 * Threads: a struct tsl_docs has one owner; give each thread its own. */
#ifndef TSL_DOCS_H
#define TSL_DOCS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct tsl_doc {
    const uint32_t *ids;   /* [ntokens]: all sentences, one after the other */
    const uint8_t *starts; /* [ntokens]: 1 where a word starts, else 0 */
    const uint32_t *sents; /* [nsents]: tokens of each sentence, none of them 0 */
    size_t nsents, ntokens;
};

struct tsl_docs {
    uint64_t ndocs;
    /* The document of that number: 0, or an error.  Lent until the slot is used again:
     * two may be held at once, so slot is 0 (this document) or 1 (its partner). */
    int (*get)(void *ctx, uint64_t number, unsigned slot, struct tsl_doc *doc,
               struct tsl_err *err);
    void *ctx;
};

#endif

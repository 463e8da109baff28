/* docs.h - documents of token ids, as the objectives see them: numbered, and borrowed.
 *
 * Order: documents have the numbers 0 .. ndocs - 1, in corpus order.
 * Memory: whoever implements struct tsl_docs says what get costs.
 * Threads: a struct tsl_docs has one owner; give each thread its own. */
#ifndef TSL_DOCS_H
#define TSL_DOCS_H

#include <inttypes.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
    /* The same where only tokens [at, at + len), as far as there are such, will be looked at,
     * and the lengths of sentences: a sample has 128 tokens of a document of thousands.
     * NULL: get is asked. */
    int (*part)(void *ctx, uint64_t number, unsigned slot, size_t at, size_t len,
                struct tsl_doc *doc, struct tsl_err *err);
    /* Tokens [at, at + len) to where they are wanted; starts NULL: those are not.  Slots stay
     * as they are.  TSL_EFORMAT where there are fewer.  NULL: get is asked. */
    int (*copy)(void *ctx, uint64_t number, size_t at, size_t len, uint32_t *ids,
                uint8_t *starts, struct tsl_err *err);
    /* Those tokens will be asked for soon.  NULL: whoever knows of no use of that. */
    void (*soon)(void *ctx, uint64_t number, size_t at, size_t len);
    /* The same of its sentences, and of some len tokens from its share / 2^32 on. */
    void (*soon_near)(void *ctx, uint64_t number, uint32_t share, size_t len);
};

static inline int tsl_docs_part(const struct tsl_docs *d, uint64_t number, unsigned slot,
                                size_t at, size_t len, struct tsl_doc *doc,
                                struct tsl_err *err)
{
    return d->part ? d->part(d->ctx, number, slot, at, len, doc, err)
                   : d->get(d->ctx, number, slot, doc, err);
}

/* What copy says where a document has fewer tokens. */
static inline int tsl_docs_short(uint64_t number, size_t ntokens, size_t at, size_t len,
                                 struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT,
                       "document %" PRIu64 " has %zu tokens, and had %" PRIu64
                       " or more before",
                       number, ntokens, (uint64_t)at + len);
}

static inline int tsl_docs_copy(const struct tsl_docs *d, uint64_t number, size_t at,
                                size_t len, uint32_t *ids, uint8_t *starts,
                                struct tsl_err *err)
{
    struct tsl_doc doc;
    if (d->copy)
        return d->copy(d->ctx, number, at, len, ids, starts, err);
    int rc = d->get(d->ctx, number, 0, &doc, err);
    if (rc < 0)
        return rc;
    if (at > doc.ntokens || len > doc.ntokens - at)
        return tsl_docs_short(number, doc.ntokens, at, len, err);
    if (len)
        memcpy(ids, doc.ids + at, len * sizeof *ids);
    if (len && starts)
        memcpy(starts, doc.starts + at, len);
    return 0;
}

#endif

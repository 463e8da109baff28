/* docview.h - documents that lie packed somewhere, as the objectives see them: unpacked as far
 * as they are looked at.
 *
 * Order: as the source's.
 * Memory: two documents, unpacked.
 * Threads: a view has one owner; a source is asked by many. */
#ifndef TSL_DOCVIEW_H
#define TSL_DOCVIEW_H

#include "prep/docs.h"
#include "record/tokmap.h"

/* What a source may keep for one slot of one view. */
struct tsl_docbuf {
    uint8_t *bytes;
    size_t cap;
    struct tsl_tokmap_cursor cursor;
    size_t file; /* whose cursor it is */
};

struct tsl_docsource {
    /* Document number as it lies there, lent until buf is used again; its sentences only
     * where they are wanted. */
    int (*find)(const void *ctx, uint64_t number, bool sents, struct tsl_docbuf *buf,
                struct tsl_tokmap_doc *d, struct tsl_err *err);
    const void *ctx;
    uint64_t ndocs;
    /* Tokens [at, at + len) will be looked at soon.  NULL: whoever knows of no use of that. */
    void (*soon)(const void *ctx, uint64_t number, struct tsl_docbuf *buf, size_t at,
                 size_t len);
    /* Its sentences, and some len tokens from its share / 2^32 on.  NULL with soon. */
    void (*soon_near)(const void *ctx, uint64_t number, struct tsl_docbuf *buf,
                      uint32_t share, size_t len);
};

/* A document as bytes: u32 sentences, u32 tokens, u32 of each sentence, ids of id_bytes, a bit
 * for each token that starts a word, zeros up to a multiple of 4. */
size_t tsl_docview_packed(size_t nsents, size_t ntokens, unsigned id_bytes);
/* Writes those; to has room for them. */
void tsl_docview_pack(uint8_t *to, const struct tsl_doc *d, unsigned id_bytes);
/* p: aligned to 4. */
void tsl_docview_unpack(struct tsl_tokmap_doc *d, const uint8_t *p, unsigned id_bytes);

struct tsl_docview;
int tsl_docview_create(struct tsl_docview **v, const struct tsl_docsource *s,
                       struct tsl_err *err);
void tsl_docview_destroy(struct tsl_docview *v);
/* From now on it is of this source. */
void tsl_docview_turn(struct tsl_docview *v, const struct tsl_docsource *s);
/* Only the lengths of a document's sentences, as u32, and how many tokens it has; lent until the
 * view is used again. */
int tsl_docview_lengths(struct tsl_docview *v, uint64_t number, const uint32_t **sents,
                        size_t *nsents, uint32_t *ntokens, struct tsl_err *err);
/* Lent for the view's life. */
const struct tsl_docs *tsl_docview_docs(const struct tsl_docview *v);

#endif

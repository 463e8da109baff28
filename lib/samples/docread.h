/* docread.h - the documents of token streams or JSON Lines, one after the other.
 *
 * Order: file after file.  Documents without tokens are counted and left out, so they have no
 *   number.
 * Memory: a document, and what its reader needs (tokstream.h, rowstream.h).
 * Threads: one owner. */
#ifndef TSL_DOCREAD_H
#define TSL_DOCREAD_H

#include "io/progress.h"
#include "prep/docs.h"
#include "record/tokstream.h"

struct tsl_docread_opts {
    char *const *paths; /* "-": standard input; lent */
    size_t npaths;
    bool jsonl; /* a document a line: [[id, ...], ...], sentences of ids, or [id, ...],
                   one; else streams */
    /* of jsonl, where nothing says where words start: one bit an id that continues one, of
     * vocab_size; NULL: every token starts one */
    const uint8_t *continues;
    uint32_t vocab_size;
    uint64_t memory;               /* no line of JSON is longer */
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_docread;

/* Opens the first file: TSL_EFORMAT where it is no token stream. */
int tsl_docread_open(struct tsl_docread **r, const struct tsl_docread_opts *o,
                     struct tsl_err *err);
void tsl_docread_destroy(struct tsl_docread *r);

/* What the first stream's header says; of jsonl, vocab_size, and no specials. */
const struct tsl_tokstream_head *tsl_docread_head(const struct tsl_docread *r);

/* 1 and the next document, lent until the next call, or 0 behind the last file's end, which was
 * then found to be the true one.  TSL_EFORMAT names the file and the document or line. */
int tsl_docread_next(struct tsl_docread *r, struct tsl_doc *d, struct tsl_err *err);

struct tsl_docread_counts {
    uint64_t ndocs, nsents, ntokens;
    uint64_t lone;  /* documents of one sentence */
    uint64_t empty; /* without any token */
};
/* Of what was read so far. */
struct tsl_docread_counts tsl_docread_counts(const struct tsl_docread *r);

#endif

/* docstore.h - all documents of token streams, any of them at any time: what objectives that
 * look at other documents draw from.
 *
 * Order: documents have the numbers in which they came, file after file.
 * Memory: opts.memory; the tokens as they lie in a stream (2 or 4 bytes and a bit each) and 8
 *   bytes a document.  What is more goes to a temporary file, tokens and index each by
 *   itself, and is read from there.
 * Threads: opening has one owner; then each thread takes a view of its own. */
#ifndef TSL_DOCSTORE_H
#define TSL_DOCSTORE_H

#include "io/progress.h"
#include "prep/docs.h"
#include "record/tokstream.h"

struct tsl_docstore_opts {
    char *const *paths; /* "-": standard input */
    size_t npaths;
    bool jsonl; /* a document a line: [[id, ...], ...], sentences of ids; else streams */
    /* of jsonl, where nothing says where words start: one bit an id that continues one, of
     * vocab_size; NULL: every token starts one */
    const uint8_t *continues;
    uint32_t vocab_size;
    uint64_t memory;
    const char *temp_dir;
    struct tsl_progress *progress; /* may be NULL */
};

struct tsl_docstore;

/* Reads everything.  TSL_EFORMAT names the file and the document or line. */
int tsl_docstore_open(struct tsl_docstore **s, const struct tsl_docstore_opts *o,
                      struct tsl_err *err);
void tsl_docstore_destroy(struct tsl_docstore *s);

/* What the first stream's header says; of jsonl, vocab_size, and no specials. */
const struct tsl_tokstream_head *tsl_docstore_head(const struct tsl_docstore *s);

struct tsl_docstore_counts {
    uint64_t ndocs, nsents, ntokens;
    uint64_t lone;  /* documents of one sentence */
    uint64_t empty; /* without any token: they are left out, and have no number */
    bool in_memory;
};
struct tsl_docstore_counts tsl_docstore_counts(const struct tsl_docstore *s);

/* A view: its own buffers, so one for each thread. */
struct tsl_docview;
int tsl_docview_create(struct tsl_docview **v, const struct tsl_docstore *s,
                       struct tsl_err *err);
void tsl_docview_destroy(struct tsl_docview *v);
/* Only the lengths of a document's sentences, as u32, and how many tokens it has; lent until the
 * view is used again. */
int tsl_docview_lengths(struct tsl_docview *v, uint64_t number, const uint32_t **sents,
                        size_t *nsents, uint32_t *ntokens, struct tsl_err *err);
/* Lent for the view's life. */
const struct tsl_docs *tsl_docview_docs(const struct tsl_docview *v);

#endif

/* docstore.h - all documents of token streams, any of them at any time: what objectives that
 * look at other documents draw from.
 *
 * Files that ctok wrote without compressing them are read where they lie (tokmap.h).  All else
 * is copied: pipes, JSON, compressed files.
 * Order: documents have the numbers in which they came, file after file.
 * Memory: opts.memory.  Copies: the tokens as they lie in a stream (2 or 4 bytes and a bit each)
 *   and 8 bytes a document; what is more goes to a temporary file, tokens and index each by
 *   itself, and is read from there.
 * Threads: opening has one owner; then each thread takes a view of its own. */
#ifndef TSL_DOCSTORE_H
#define TSL_DOCSTORE_H

#include "samples/docread.h"
#include "samples/docview.h"

struct tsl_docstore_opts {
    struct tsl_docread_opts in;
    uint64_t memory;
    const char *temp_dir;
};

struct tsl_docstore;

/* Reads everything.  TSL_EFORMAT names the file and the document or line. */
int tsl_docstore_open(struct tsl_docstore **s, const struct tsl_docstore_opts *o,
                      struct tsl_err *err);
void tsl_docstore_destroy(struct tsl_docstore *s);

/* As tsl_docread_head. */
const struct tsl_tokstream_head *tsl_docstore_head(const struct tsl_docstore *s);
struct tsl_docread_counts tsl_docstore_counts(const struct tsl_docstore *s);
enum tsl_docstore_place { TSL_DOCSTORE_MAPPED, TSL_DOCSTORE_MEMORY, TSL_DOCSTORE_TEMP };
enum tsl_docstore_place tsl_docstore_place(const struct tsl_docstore *s);

/* For views; lent for the store's life. */
const struct tsl_docsource *tsl_docstore_source(const struct tsl_docstore *s);

/* 0, or TSL_EIO where a file that was read where it lies is not what it was. */
int tsl_docstore_unchanged(const struct tsl_docstore *s, struct tsl_err *err);

#endif

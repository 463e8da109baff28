/* engine.h - what turns text into ids, behind one face: each kind of tokenizer is one
 * table of functions (bertenc.c, bytebpe.c, spm.c, pipeline of components hfpipe.c).
 *
 * A model is read once and never written again: any number of threads may use it.  A coder
 * is one thread's: scratch memory and a cache, so that nothing is allocated per row once
 * they have grown.  The cache never shows in what comes out.
 * Order: ids as in the text.
 * Memory: a model takes what its file needs; a coder, what its creation is told.
 * Threads: a model is read-only; a coder has one owner. */
#ifndef TSL_ENGINE_H
#define TSL_ENGINE_H

#include "base/rowbatch.h"
#include "base/slice.h"
#include "text/tokens.h"

struct tsl_engine {
    const char *name;

    /* memory: bytes that cache and scratch may take, at least 4 MiB.  NULL and err on
     * failure. */
    void *(*coder_create)(const void *model, size_t memory, struct tsl_err *err);
    void (*coder_destroy)(void *coder);

    /* Adds text's tokens to out and sets *used to the bytes of text that were done.
     *
     * A row that does not fit in memory comes in stretches: first and last say whether
     * text begins and ends the row.  With last, *used is text.len.  Without, the engine
     * stops where it knows that what follows cannot change the tokens so far; the rest
     * comes again in front of the next stretch.  *used may be 0: give more.  The tokens
     * are the same however a row is cut.  Spans count from text.data.
     *
     * Bytes that are not UTF-8 are taken as U+FFFD each maximal part (WHATWG), except
     * where the model says otherwise (SentencePiece: one a byte; raw bytes). */
    int (*encode)(void *coder, struct tsl_slice text, bool first, bool last, size_t *used,
                  struct tsl_tokens *out, struct tsl_err *err);

    /* Many whole rows at once: the same tokens as encode with first and last for each, and
     * ends[i] is out->n after row i.  Spans count from the first byte of their row.  A row
     * may be empty; rows may overlap.  NULL: the caller loops over encode. */
    int (*encode_rows)(void *coder, const uint8_t *bytes, const struct tsl_row *rows,
                       size_t nrows, struct tsl_tokens *out, size_t *ends,
                       struct tsl_err *err);

    /* Adds what this coder has met so far: ill-formed parts, and tokens for unknown text.
     * NULL: the engine does not count. */
    void (*counts)(const void *coder, uint64_t *invalid, uint64_t *unknown);

    void (*model_destroy)(void *model);
};

#endif

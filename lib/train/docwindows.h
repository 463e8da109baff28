/* docwindows.h - documents of token ids cut into windows for a causal model: T tokens in, and the
 * token behind each of them to be said, so a window has T + 1 tokens and the next one begins with
 * its last.
 *
 * Across documents: all of them are one stream, and only the last window is shorter.  Within
 * them: each document's last window is, and documents of fewer than two tokens have none.
 * Order: window after window as documents lie.
 * Memory: 8 bytes a document (within them 16); the tokens, 2 bytes each where 16 bits hold them
 *   all, else 4, as long as opts.memory allows; then they are picked from the reader.
 * Threads: one owner. */
#ifndef TSL_DOCWINDOWS_H
#define TSL_DOCWINDOWS_H

#include "train/trainfields.h"

struct tsl_docwindows_opts {
    uint32_t tokens_max; /* T */
    bool within;
    bool no_documents; /* records are pieces of one stream (llm.c, nanoGPT) */
    int64_t doc_end;   /* an id behind each document; -1: none */
    uint64_t memory;
};

struct tsl_docwindows;

/* Reads r, at its first record, to its end; r is lent for the windows' life.  TSL_EUSAGE where
 * there are more tokens than memory and r's format cannot pick a record, or documents of a
 * stream are asked for; name stands in messages, and is lent as r is. */
int tsl_docwindows_open(struct tsl_docwindows **w, struct tsl_recreader *r,
                        const struct tsl_trainfields *f, const char *name,
                        const struct tsl_docwindows_opts *o, struct tsl_err *err);
void tsl_docwindows_destroy(struct tsl_docwindows *w);
uint64_t tsl_docwindows_count(const struct tsl_docwindows *w);
uint64_t tsl_docwindows_tokens(const struct tsl_docwindows *w);
bool tsl_docwindows_resident(const struct tsl_docwindows *w);
uint64_t tsl_docwindows_bytes(const struct tsl_docwindows *w);
/* Window i into s, which init made; its address is i. */
int tsl_docwindows_get(struct tsl_docwindows *w, uint64_t i, struct tsl_sample *s,
                       struct tsl_err *err);

#endif

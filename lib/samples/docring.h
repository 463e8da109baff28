/* docring.h - the documents of a stream while they are near: pulled in one after the other,
 * forgotten behind.
 *
 * Order: documents have the numbers in which they come.
 * Memory: opts' memory of packed documents (docview.h), and 48 bytes for each that is held; what
 *   is more goes to a temporary file, whose space is given back behind.
 * Threads: one pulls and forgets; others may look meanwhile at what now() showed, and was not
 *   forgotten. */
#ifndef TSL_DOCRING_H
#define TSL_DOCRING_H

#include "samples/docread.h"
#include "samples/docview.h"

struct tsl_docring;

/* read is lent. */
int tsl_docring_create(struct tsl_docring **r, struct tsl_docread *read, uint64_t memory,
                       const char *temp_dir, struct tsl_err *err);
void tsl_docring_destroy(struct tsl_docring *r);

/* 1: the next document is here, *d as tsl_docread_next lends it; 0: there are no more. */
int tsl_docring_pull(struct tsl_docring *r, struct tsl_doc *d, struct tsl_err *err);
/* How many were pulled. */
uint64_t tsl_docring_count(const struct tsl_docring *r);
/* Bytes of document number, which is here. */
size_t tsl_docring_bytes(const struct tsl_docring *r, uint64_t number);
/* Nobody looks at documents below that number any more. */
void tsl_docring_forget(struct tsl_docring *r, uint64_t before);

/* For views of all that is here now, however much is pulled in meanwhile. */
struct tsl_docsource tsl_docring_now(const struct tsl_docring *r);

#endif

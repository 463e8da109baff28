/* crec_html.h - what training records hold, as one page of pictures for a browser.
 *
 * The page needs nothing from outside: its drawings are SVG within it.
 * Memory: 64 KiB, 256 bytes a shard, and the page, some 64 KiB.
 * Threads: one owner. */
#ifndef TSL_CREC_HTML_H
#define TSL_CREC_HTML_H

#include "record/record.h"

struct crec_html;

/* path: what r reads, to which a set's shards belong; memory: for its manifest.  All is lent
 * for the page's life. */
int crec_html_create(struct crec_html **h, const struct tsl_recreader *r,
                     const char *path, uint64_t memory, struct tsl_err *err);
/* Records come in the reader's order. */
void crec_html_add(struct crec_html *h, const struct tsl_record *rec);
/* The page goes to the file out ("-": standard output), whole or not at all. */
int crec_html_write(struct crec_html *h, const char *out, struct tsl_err *err);
void crec_html_destroy(struct crec_html *h);

#endif

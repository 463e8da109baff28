/* html.h - a page being written: text and markup into a growing buffer.
 * Order: as it was added.
 * Memory: grows on the heap; a failed allocation is remembered and told by tsl_html_end.
 * Threads: one owner. */
#ifndef TSL_HTML_H
#define TSL_HTML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* All zero: empty. */
struct tsl_html {
    char *text;
    size_t len, cap;
    bool failed;
};

/* Markup, as printf; and as it is. */
void tsl_html_add(struct tsl_html *h, const char *format, ...) TSL_PRINTF(2, 3);
void tsl_html_bytes(struct tsl_html *h, const char *s, size_t n);
/* Text of strangers: what is markup in it is escaped, control characters become spaces. */
void tsl_html_text(struct tsl_html *h, const char *s);
/* 1234567 as 1,234,567, in to[32]; returns to. */
const char *tsl_html_grouped(char *to, uint64_t n);

/* 0, or TSL_ENOMEM if anything failed. */
int tsl_html_end(const struct tsl_html *h, struct tsl_err *err);
/* Frees the text and empties h. */
void tsl_html_fini(struct tsl_html *h);

#endif

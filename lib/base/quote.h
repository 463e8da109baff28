/* quote.h - names for messages: what a stranger called a file must not drive the
 * terminal.
 * Threads: pure. */
#ifndef TSL_QUOTE_H
#define TSL_QUOTE_H

#include <stddef.h>

/* Enough for most messages; longer names are cut with "...". */
struct tsl_quoted {
    char s[256];
};

/* name as it is where a shell would take it so, else in the shell's own quotes: 'a b',
 * $'tab\there'. */
struct tsl_quoted tsl_quote(const char *name);

#endif

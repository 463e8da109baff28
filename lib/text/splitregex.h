/* splitregex.h - regular expressions of tokenizer files that splitpat.h does not know,
 * through PCRE2.  The only includer of pcre2.h.
 *
 * The files mean Oniguruma's syntax.  What the two read differently is rewritten (\s, \w,
 * \h, a class inside a class, X{1,3}+) or refused (&&, a negated class inside a class).
 * Letters and the like are those of PCRE2's Unicode version.
 * Order: matches from left to right.
 * Memory: a pattern's code; a scan takes a little for its time.
 * Threads: a compiled pattern is read-only; a scan has one owner. */
#ifndef TSL_SPLITREGEX_H
#define TSL_SPLITREGEX_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_splitregex;

/* Compiles pattern, which is UTF-8 and not kept.  NULL and TSL_EFORMAT where it is not
 * one, or not one that means the same here. */
struct tsl_splitregex *tsl_splitregex_create(struct tsl_slice pattern,
                                             struct tsl_err *err);
void tsl_splitregex_destroy(struct tsl_splitregex *re);

struct tsl_splitregex_scan {
    const struct tsl_splitregex *re;
    struct tsl_slice text;
    void *match;
    size_t at, last_end;
    bool any; /* last_end is that of a match */
};

/* Begins a scan of text, which must be well-formed UTF-8 and stay until the scan's end.
 * tsl_splitregex_end is called in any case. */
int tsl_splitregex_begin(struct tsl_splitregex_scan *s, const struct tsl_splitregex *re,
                         struct tsl_slice text, struct tsl_err *err);

/* The next match, text[*begin, *end): 1; 0 when there is none; TSL_EFORMAT where the
 * pattern takes more steps than PCRE2 allows.  It may be empty, but not where the match
 * before it ended (Oniguruma's scan, as Hugging Face uses it). */
int tsl_splitregex_next(struct tsl_splitregex_scan *s, size_t *begin, size_t *end,
                        struct tsl_err *err);

void tsl_splitregex_end(struct tsl_splitregex_scan *s);

#endif

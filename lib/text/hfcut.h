/* hfcut.h - where a long row may be cut for Hugging Face's parts: in front of a blank between
 * two letters of ASCII, if no part looks across it.
 *
 * Whether that is so is told by the parts' kinds (normalizer.h, pretok.h), by trying what
 * letters and blanks are normalized to, by the added tokens' contents and, where text is not
 * cut there for the model, by BPE's tokens: none may hold a letter and a blank behind it.
 * Source: own.
 * Order: none.
 * Memory: none kept.
 * Threads: pure. */
#ifndef TSL_HFCUT_H
#define TSL_HFCUT_H

#include "text/hfpipe.h"

/* Whether the rows of a built pipe may be cut at such blanks; *behind: bytes that must at
 * least stay behind the cut. */
int tsl_hfcut_can(const struct tsl_hfpipe *p, bool *can, size_t *behind,
                  struct tsl_err *err);

/* The last such blank of text with at least behind bytes from it on; 0: there is none. */
size_t tsl_hfcut_last(struct tsl_slice text, size_t behind);

#endif

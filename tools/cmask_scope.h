/* cmask_scope.h - which of cmask's options belong to which objectives and scripts: what would
 * change nothing is refused, not ignored.
 *
 * Order: the first option of the table that is out of place is told.
 * Memory: none.
 * Threads: main's only. */
#ifndef TSL_CMASK_SCOPE_H
#define TSL_CMASK_SCOPE_H

#include "cli.h"

/* Misuse where an option of opts was given that is not of this recipe: an objective or, with
 * compat, a script.  Given are flags that are set, texts that are not NULL, and numbers that are
 * not UINT64_MAX. */
void cmask_scope_check(const struct cli_opt *opts, const char *recipe, bool compat);

#endif

/* cli_run.h - what the options of every tool come to, and the report that --stats asks for.
 *
 * Memory: none that stays.  Threads: main's only. */
#ifndef TSL_CLI_RUN_H
#define TSL_CLI_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "cli_progress.h"

/* Which of the words, which stand behind each other with NUL between and two at the end; the
 * first where nothing was given.  Any other word is misuse, which ends the process. */
int cli_choose(const char *option, const char *word, const char *words);
/* What --progress=word and --quiet say together. */
enum cli_progress_when cli_progress_told(const char *word, bool quiet);
/* What -j says: 0 is one a processor. */
unsigned cli_threads(uint64_t n);

/* A small file that appears when it is whole; path "-": standard output. */
int cli_write_text(const char *path, const char *text, size_t n, struct tsl_err *err);
/* The same of w, which is ended, and freed whatever happens. */
int cli_write_json(const char *path, struct tsl_json *w, struct tsl_err *err);

#endif

/* cli_progress.h - the progress line, the signals, and the end of a run.
 *
 * The line appears on standard error when that is a terminal and the job has taken a
 * second, and once on SIGUSR1 anywhere.
 * Threads: one of its own, which only reads the counters. */
#ifndef TSL_CLI_PROGRESS_H
#define TSL_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "io/progress.h"

enum cli_progress_when { CLI_PROGRESS_AUTO, CLI_PROGRESS_ALWAYS, CLI_PROGRESS_NEVER };

/* Also sets up the signals: SIGXFSZ becomes an error of write, SIGHUP, SIGINT and SIGTERM
 * remove hidden files before they end the process. */
void cli_progress_start(struct tsl_progress *p, enum cli_progress_when when);
/* Before start: a job whose steps are not those of struct tsl_progress says itself where it
 * is, in buf (cap bytes).  ctx is lent until stop. */
void cli_progress_say(void (*say)(const void *ctx, char *buf, size_t cap),
                      const void *ctx);
/* Clears the line and joins the thread. */
void cli_progress_stop(void);
/* Has a line been shown? */
bool cli_progress_shown(void);

#endif

/* metrics.h - what a run measured, a line of JSON a logged step: RUN/metrics.jsonl.
 *
 *     {"step": 100, "loss": 6.25, "lr": 0.0001, ...}
 *
 * A file that is only ever added to; each line is written at once.  A run that goes on at step S
 * first drops the lines after S, and a last one that was torn: so each step is there once,
 * however often a run was interrupted.
 * Names that the report (trainreport.h) draws: loss and its parts (mlm_loss, nsp_loss, lm_loss...),
 *   lr, grad_norm, tokens (seen so far), tokens_per_s, data_wait_s (a step), time (seconds since
 *   the run began), and the same with eval_ before them for what was held out: eval_loss,
 *   eval_accuracy.
 * Order: as put.  Numbers are written with as few digits as give the same double back.
 * Memory: a line; reading, 16 bytes a number.
 * Threads: one owner. */
#ifndef TSL_METRICS_H
#define TSL_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/file.h"

struct tsl_metric {
    const char *name; /* UTF-8 */
    double value;     /* not finite: null in the file */
};

struct tsl_metrics {
    struct tsl_file file;
};

/* Opens path for adding.  resume: the lines up to step stay, what is behind them goes (the
 * shorter file takes the place of the longer one when it is whole); else the file begins empty.
 * 0, TSL_EIO, TSL_ENOMEM, or TSL_EFORMAT for a line that is not a step's. */
int tsl_metrics_open(struct tsl_metrics *m, const char *path, bool resume, uint64_t step,
                     struct tsl_err *err);

/* Adds a line.  TSL_EIO, TSL_ENOMEM. */
int tsl_metrics_put(struct tsl_metrics *m, uint64_t step, const struct tsl_metric *values,
                    size_t n, struct tsl_err *err);

/* Brings the lines to the disk; before a checkpoint, say.  TSL_EIO. */
int tsl_metrics_sync(const struct tsl_metrics *m, struct tsl_err *err);

/* Safe to call again, and on what was not opened when it is all TSL_FILE_INIT. */
int tsl_metrics_close(struct tsl_metrics *m, struct tsl_err *err);

/* ---- reading ---- */

struct tsl_metrics_series {
    char *name;
    size_t n, cap_step, cap_value;
    uint64_t *step; /* as in the file */
    double *value;  /* NaN: null */
};

struct tsl_metrics_table {
    struct tsl_metrics_series *series; /* in the order in which their names first come */
    size_t n, cap;
};

/* All numbers of the file; a torn last line is left out.  0, TSL_EIO, TSL_ENOMEM, TSL_EFORMAT,
 * and then the table is empty. */
int tsl_metrics_read(struct tsl_metrics_table *t, const char *path, struct tsl_err *err);
/* NULL: there is none of that name. */
const struct tsl_metrics_series *tsl_metrics_find(const struct tsl_metrics_table *t,
                                                  const char *name);
void tsl_metrics_table_fini(struct tsl_metrics_table *t);

#endif

/* trainreport.h - a run as one page for a browser: what was measured, drawn.
 *
 * The page needs nothing from outside and no script: its drawings are SVG within it, light or
 * dark as the reader has it, and numbers show where one points.
 * Order: the same numbers give the same page.
 * Memory: the page, some 300 KiB, however long the run.
 * Threads: one owner. */
#ifndef TSL_TRAINREPORT_H
#define TSL_TRAINREPORT_H

#include <stddef.h>

#include "base/err.h"
#include "train/metrics.h"

/* A line of the table of settings. */
struct tsl_trainreport_pair {
    const char *name, *value;
};

/* A dashed line across a picture: what one gets without a model, say. */
struct tsl_trainreport_baseline {
    const char *chart; /* "loss" or "accuracy" */
    const char *name;  /* "unigram" */
    double value;
};

struct tsl_trainreport {
    const char *title;
    const struct tsl_metrics_table *metrics; /* names: metrics.h */
    const struct tsl_trainreport_pair *pairs;
    size_t npairs;
    const struct tsl_trainreport_baseline *baselines;
    size_t nbaselines;
};

/* Writes the page to path, whole or not at all.  TSL_EIO, TSL_ENOMEM. */
int tsl_trainreport_write(const char *path, const struct tsl_trainreport *r,
                          struct tsl_err *err);

#endif

/* tbevents.h - a run's numbers as TensorBoard reads them: a file of events.
 *
 * A TFRecord file (length, masked CRC-32C of it, bytes, masked CRC-32C of them) of tf.Event
 * messages; the first has the version, each other a step's values.  A record is written at once.
 * Source: tensorflow/core/util/event.proto and framework/summary.proto: Event { wall_time = 1,
 *   step = 2, file_version = 3, summary = 5 }, Summary { value = 1 }, Value { tag = 1,
 *   simple_value = 2 }; tensorflow/core/lib/io/record_writer.
 * Order: as put.  Time comes from the caller alone, so the same calls give the same bytes.
 * Memory: an event.
 * Threads: one owner. */
#ifndef TSL_TBEVENTS_H
#define TSL_TBEVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/protobuf.h"
#include "io/file.h"
#include "train/metrics.h"

struct tsl_tbevents {
    struct tsl_file file;
    struct tsl_protobuf_out event, summary, value;
    struct tsl_protobuf_out record; /* its buffer only */
};

/* The name that TensorBoard looks for, in to: events.out.tfevents.TIME.HOST.  wall: seconds
 * since 1970.  What is no letter, digit, dot, dash or underscore in host becomes an underscore;
 * what does not fit is cut. */
void tsl_tbevents_name(char *to, size_t bytes, double wall, const char *host);

/* Opens path for adding.  resume: events up to step stay; those after it, and all behind a
 * damaged one, go; else the file begins anew, with the version.  0, TSL_EIO, TSL_ENOMEM. */
int tsl_tbevents_open(struct tsl_tbevents *t, const char *path, bool resume,
                      uint64_t step, double wall, struct tsl_err *err);

/* Adds one event with the values (as floats) of a step.  TSL_EIO, TSL_ENOMEM. */
int tsl_tbevents_put(struct tsl_tbevents *t, uint64_t step, double wall,
                     const struct tsl_metric *values, size_t n, struct tsl_err *err);

/* Safe to call again. */
int tsl_tbevents_close(struct tsl_tbevents *t, struct tsl_err *err);

#endif

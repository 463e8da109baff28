/* progress.h - counters that anyone may read while a job runs, and a phase.
 *
 * The library counts, the tool speaks.
 * Threads: every field is atomic; readers see each count, not a consistent set of
 *   them. */
#ifndef TSL_PROGRESS_H
#define TSL_PROGRESS_H

#include <stdatomic.h>
#include <stdint.h>

enum tsl_phase { TSL_PHASE_START, TSL_PHASE_READ, TSL_PHASE_WRITE, TSL_PHASE_FINISH };

struct tsl_progress {
    _Atomic(int) phase;
    _Atomic(int) one_pass; /* what is read is written at once: no phase follows reading */
    _Atomic(uint64_t) file_bytes_total; /* of the inputs, as on disk; 0: unknown */
    _Atomic(uint64_t) file_bytes_read;
    _Atomic(uint64_t) rows_in, bytes_in; /* rows and their bytes, taken in */
    _Atomic(uint64_t) rows_out, bytes_out;
    _Atomic(uint64_t) bytes_to_write; /* known from phase TSL_PHASE_WRITE on */
    _Atomic(uint64_t) temp_bytes;     /* on disk now */
};

#endif

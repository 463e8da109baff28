/* fault.h - system calls of the library that fail on command, by the linker's --wrap.
 *
 * A loop that tries every failure:
 *     for (unsigned nth = 1;; nth = fault_next(nth)) {
 *         fault_arm(nth, NULL);
 *         rc = what_is_tested(&err);
 *         const char *call = fault_disarm();
 *         if (!call)
 *             break;       (it was never reached: all have been tried)
 *         assert_true(rc < 0 || fault_is_harmless(call) ...);
 *     }
 * Threads: armed and disarmed on the main thread; calls are counted on all. */
#ifndef TSL_FAULT_H
#define TSL_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* The nth call from now on fails, once.  Counted are those named in only ("write fsync"),
 * or all: calloc realloc mmap pthread_create open mkostemp fstat read write preadv
 * pwritev fsync linkat rename close, whatever variant of the call it is (pwritev64v2,
 * open64...). */
void fault_arm(unsigned nth, const char *only);

/* The nth call of all ends the process instead, as SIGKILL would, with this status: for a child
 * of the test. */
enum { FAULT_KILLED = 77 };
void fault_kill(unsigned nth);

/* The call to fail after the nth: the next one; of many where time is dear (test_thrift), in
 * steps. */
unsigned fault_next(unsigned nth);

/* The name of the call that failed; NULL when there were fewer than nth. */
const char *fault_disarm(void);

/* What may fail without harm, so that it need not be reported: less memory or fewer
 * threads where the rest suffices, a close of what was only read. */
bool fault_is_harmless(const char *call);

/* Calls run once for each allocation that it makes, which then fails, and once more: run
 * must tell TSL_ENOMEM whenever one failed, and else 0.  It frees all that it made. */
void fault_each_allocation(int (*run)(void *ctx, struct tsl_err *err), void *ctx);

/* Until called again: each transfer moves at most so many bytes (0: as many as it can),
 * and every other one is interrupted by a signal first. */
void fault_transfers(size_t most, bool interrupt);

/* The nth preadv, or read, from now on succeeds, but the byte at from its begin is
 * changed. */
void fault_flip(unsigned nth, size_t at);

/* Until called again: a sync that does not fail does nothing, where no power will be cut and time
 * is dear. */
void fault_skip_syncs(bool skip);

/* Transfers fail always, with errno eno; 0 again: they do not. */
void fault_disk_is(int eno);

/* preadv2 and pwritev2 are refused with errno eno whenever they have a flag; 0: they are
 * not. */
void fault_refuse_flags(int eno);

/* Positioned transfers of a file that is open with O_DIRECT are refused with EINVAL. */
void fault_refuse_direct(bool refuse);

#endif

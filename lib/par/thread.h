/* thread.h - threads, locks and conditions.  The only includer of pthread.h.
 *
 * Locks and conditions here cannot fail: their errors are broken promises of our own
 * code, so they are asserts.  Starting a thread can fail and says so.
 * Lock order: no function of this library holds two of its locks at once, except where
 *   the lock's declaration says so. */
#ifndef TSL_THREAD_H
#define TSL_THREAD_H

#include <pthread.h>

#include "base/err.h"

struct tsl_mutex {
    pthread_mutex_t m;
};

struct tsl_cond {
    pthread_cond_t c;
};

/* All zero: never started. */
struct tsl_thread {
    pthread_t t;
    int started;
};

/* Not recursive. */
void tsl_mutex_init(struct tsl_mutex *m);
void tsl_mutex_fini(struct tsl_mutex *m);
void tsl_mutex_lock(struct tsl_mutex *m);
void tsl_mutex_unlock(struct tsl_mutex *m);

void tsl_cond_init(struct tsl_cond *c);
void tsl_cond_fini(struct tsl_cond *c);
/* With m locked by the caller, which it is again on return; may wake for no reason. */
void tsl_cond_wait(struct tsl_cond *c, struct tsl_mutex *m);
/* The same, for at most milliseconds; returns 1 when the time was over, else 0. */
int tsl_cond_wait_ms(struct tsl_cond *c, struct tsl_mutex *m, unsigned milliseconds);
void tsl_cond_signal(struct tsl_cond *c);
void tsl_cond_broadcast(struct tsl_cond *c);

/* Runs fn(arg) on a thread of its own (512 KiB of stack), with every signal blocked
 * there: signals are the main thread's business.  0, TSL_ENOMEM or TSL_EIO. */
int tsl_thread_start(struct tsl_thread *t, void (*fn)(void *), void *arg,
                     struct tsl_err *err);
/* Waits for its end; nothing when it was never started. */
void tsl_thread_join(struct tsl_thread *t);

/* Seconds since some moment, of a clock that never goes back. */
double tsl_seconds(void);

/* Seconds of processor time that this process has used, all threads together. */
double tsl_seconds_cpu(void);

/* Processors this process may run on, at least 1. */
unsigned tsl_thread_cpus(void);

#endif

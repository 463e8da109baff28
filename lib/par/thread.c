#include "par/thread.h"

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"

static void must(int rc)
{
    assert(rc == 0);
    (void)rc;
}

void tsl_mutex_init(struct tsl_mutex *m)
{
    must(pthread_mutex_init(&m->m, NULL));
}

void tsl_mutex_fini(struct tsl_mutex *m)
{
    must(pthread_mutex_destroy(&m->m));
}

void tsl_mutex_lock(struct tsl_mutex *m)
{
    must(pthread_mutex_lock(&m->m));
}

void tsl_mutex_unlock(struct tsl_mutex *m)
{
    must(pthread_mutex_unlock(&m->m));
}

void tsl_cond_init(struct tsl_cond *c)
{
    pthread_condattr_t a;
    must(pthread_condattr_init(&a));
    must(pthread_condattr_setclock(&a, CLOCK_MONOTONIC));
    must(pthread_cond_init(&c->c, &a));
    must(pthread_condattr_destroy(&a));
}

void tsl_cond_fini(struct tsl_cond *c)
{
    must(pthread_cond_destroy(&c->c));
}

void tsl_cond_wait(struct tsl_cond *c, struct tsl_mutex *m)
{
    must(pthread_cond_wait(&c->c, &m->m));
}

int tsl_cond_wait_ms(struct tsl_cond *c, struct tsl_mutex *m, unsigned milliseconds)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += milliseconds / 1000;
    t.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    int rc = pthread_cond_timedwait(&c->c, &m->m, &t);
    assert(rc == 0 || rc == ETIMEDOUT);
    return rc == ETIMEDOUT;
}

void tsl_cond_signal(struct tsl_cond *c)
{
    must(pthread_cond_signal(&c->c));
}

void tsl_cond_broadcast(struct tsl_cond *c)
{
    must(pthread_cond_broadcast(&c->c));
}

struct start {
    void (*fn)(void *);
    void *arg;
};

static void *trampoline(void *p)
{
    struct start s = *(struct start *)p;
    tsl_mem_free(p);
    s.fn(s.arg);
    return NULL;
}

int tsl_thread_start(struct tsl_thread *t, void (*fn)(void *), void *arg,
                     struct tsl_err *err)
{
    struct start *s = tsl_mem_alloc(1, sizeof *s, "a thread", err);
    if (!s)
        return TSL_ENOMEM;
    *s = (struct start){ fn, arg };
    sigset_t all, old;
    sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &old));
    pthread_attr_t a;
    must(pthread_attr_init(&a));
    /* our deepest frame is a few kB; 8 MiB a thread would break `ulimit -v` for nothing
     */
    must(pthread_attr_setstacksize(&a, 512 << 10));
    int rc = pthread_create(&t->t, &a, trampoline, s);
    must(pthread_attr_destroy(&a));
    must(pthread_sigmask(SIG_SETMASK, &old, NULL));
    if (rc != 0) {
        tsl_mem_free(s);
        return tsl_err_sys(err, rc, "cannot start a thread");
    }
    t->started = 1;
    return 0;
}

void tsl_thread_join(struct tsl_thread *t)
{
    if (t->started)
        must(pthread_join(t->t, NULL));
    t->started = 0;
}

double tsl_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double tsl_seconds_cpu(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

unsigned tsl_thread_cpus(void)
{
#ifdef CPU_COUNT
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0)
        return (unsigned)CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

#include "par/pool.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "base/mem.h"
#include "par/thread.h"

struct tsl_pool {
    struct tsl_mutex lock; /* guards all below */
    struct tsl_cond changed;
    void (*fn)(void *, unsigned);
    void *ctx;
    unsigned n, next;
    _Atomic unsigned busy, round; /* written with the lock held; round: runs begun */
    bool stop, spins;
    struct tsl_thread *threads;
    unsigned nthreads;
};

/* A thread that sleeps wakes up late: two short pieces of work took 12 us, of which this saves
 * 4.  So who has nothing to do looks some 25 us whether something comes, if there is a processor
 * for everybody. */
static void spin_while(const struct tsl_pool *p, const _Atomic unsigned *value,
                       unsigned same)
{
    enum { LOOKS = 500 }; /* of some 40 to 140 cycles */
    for (unsigned i = 0; p->spins && i < LOOKS; i++) {
        if (atomic_load_explicit(value, memory_order_relaxed) != same)
            return;
#ifdef __x86_64__
        __builtin_ia32_pause();
#elif defined __aarch64__
        __asm__ volatile("isb");
#endif
    }
}

/* Takes indexes until there are none.  Called and left with the lock held. */
static void help(struct tsl_pool *p)
{
    while (p->next < p->n) {
        unsigned i = p->next++;
        p->busy++;
        tsl_mutex_unlock(&p->lock);
        p->fn(p->ctx, i);
        tsl_mutex_lock(&p->lock);
        if (--p->busy == 0 && p->next == p->n)
            tsl_cond_broadcast(&p->changed);
    }
}

static void thread_main(void *arg)
{
    struct tsl_pool *p = arg;
    tsl_mutex_lock(&p->lock);
    while (!p->stop) {
        if (p->next < p->n) {
            help(p);
            continue;
        }
        unsigned seen = p->round;
        tsl_mutex_unlock(&p->lock);
        spin_while(p, &p->round, seen);
        tsl_mutex_lock(&p->lock);
        while (p->round == seen)
            tsl_cond_wait(&p->changed, &p->lock);
    }
    tsl_mutex_unlock(&p->lock);
}

int tsl_pool_create(struct tsl_pool **out, unsigned n, struct tsl_err *err)
{
    struct tsl_pool *p = tsl_mem_alloc(1, sizeof *p, "a thread pool", err);
    if (!p)
        return TSL_ENOMEM;
    tsl_mutex_init(&p->lock);
    tsl_cond_init(&p->changed);
    p->spins = n <= tsl_thread_cpus();
    p->threads = tsl_mem_alloc(n, sizeof *p->threads, "a thread pool", err);
    if (!p->threads) {
        tsl_pool_destroy(p);
        return TSL_ENOMEM;
    }
    while (p->nthreads + 1 < n &&
           tsl_thread_start(&p->threads[p->nthreads], thread_main, p, NULL) == 0)
        p->nthreads++;
    *out = p;
    return 0;
}

void tsl_pool_destroy(struct tsl_pool *p)
{
    if (!p)
        return;
    tsl_mutex_lock(&p->lock);
    p->stop = true;
    p->round++;
    tsl_cond_broadcast(&p->changed);
    tsl_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthreads; i++)
        tsl_thread_join(&p->threads[i]);
    tsl_mem_free(p->threads);
    tsl_cond_fini(&p->changed);
    tsl_mutex_fini(&p->lock);
    tsl_mem_free(p);
}

unsigned tsl_pool_threads(const struct tsl_pool *p)
{
    return p->nthreads + 1;
}

void tsl_pool_run(struct tsl_pool *p, unsigned n, void (*fn)(void *ctx, unsigned i),
                  void *ctx)
{
    tsl_mutex_lock(&p->lock);
    p->fn = fn;
    p->ctx = ctx;
    p->n = n;
    p->next = 0;
    p->round++;
    tsl_cond_broadcast(&p->changed);
    help(p);
    if (p->busy > 0) {
        unsigned busy = p->busy;
        tsl_mutex_unlock(&p->lock);
        spin_while(p, &p->busy, busy);
        tsl_mutex_lock(&p->lock);
    }
    while (p->busy > 0)
        tsl_cond_wait(&p->changed, &p->lock);
    tsl_mutex_unlock(&p->lock);
}

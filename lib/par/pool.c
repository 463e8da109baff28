#include "par/pool.h"

#include <stdbool.h>

#include "base/mem.h"
#include "par/thread.h"

struct tsl_pool {
    struct tsl_mutex lock; /* guards all below */
    struct tsl_cond changed;
    void (*fn)(void *, unsigned);
    void *ctx;
    unsigned n, next, busy;
    bool stop;
    struct tsl_thread *threads;
    unsigned nthreads;
};

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
        if (p->next < p->n)
            help(p);
        else
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
    tsl_cond_broadcast(&p->changed);
    help(p);
    while (p->busy > 0)
        tsl_cond_wait(&p->changed, &p->lock);
    tsl_mutex_unlock(&p->lock);
}

#include "par/pipeline.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "par/thread.h"

enum state { FREE, FILLED, WORKING, DONE };

struct run {
    const struct tsl_pipeline *p;
    struct tsl_mutex lock; /* guards everything below */
    struct tsl_cond changed;
    enum state *state;    /* of slot serial % nitems */
    uint64_t nread, next; /* serial numbers: read so far, next to be worked on */
    bool ended, failed;
    struct tsl_err err;
};

struct worker {
    struct run *run;
    unsigned id;
    struct tsl_thread thread;
};

static void fail(struct run *r, const struct tsl_err *err)
{
    bool first = !r->failed;
    r->failed = true;
    tsl_err_pass(&r->err, err);
    tsl_cond_broadcast(&r->changed);
    if (first && r->p->cancel) {
        tsl_mutex_unlock(&r->lock);
        r->p->cancel(r->p->ctx);
        tsl_mutex_lock(&r->lock);
    }
}

static void reader_main(void *arg)
{
    struct run *r = arg;
    const struct tsl_pipeline *p = r->p;
    tsl_mutex_lock(&r->lock);
    while (!r->failed) {
        unsigned slot = (unsigned)(r->nread % p->nitems);
        if (r->state[slot] != FREE) {
            tsl_cond_wait(&r->changed, &r->lock);
            continue;
        }
        tsl_mutex_unlock(&r->lock);
        struct tsl_err err = { 0 };
        int rc = p->read(p->ctx, p->items[slot], &err);
        tsl_mutex_lock(&r->lock);
        if (rc < 0) {
            tsl_err_set(&err, rc, "reading failed");
            fail(r, &err);
        } else if (rc == 0) {
            r->ended = true;
            tsl_cond_broadcast(&r->changed);
            break;
        } else {
            r->state[slot] = FILLED;
            r->nread++;
            tsl_cond_broadcast(&r->changed);
        }
    }
    tsl_mutex_unlock(&r->lock);
}

static void worker_main(void *arg)
{
    struct worker *w = arg;
    struct run *r = w->run;
    const struct tsl_pipeline *p = r->p;
    tsl_mutex_lock(&r->lock);
    while (!r->failed) {
        if (r->next == r->nread) {
            if (r->ended)
                break;
            tsl_cond_wait(&r->changed, &r->lock);
            continue;
        }
        unsigned slot = (unsigned)(r->next++ % p->nitems);
        assert(r->state[slot] == FILLED);
        r->state[slot] = WORKING;
        tsl_mutex_unlock(&r->lock);
        struct tsl_err err = { 0 };
        int rc = p->work(p->ctx, w->id, p->items[slot], &err);
        tsl_mutex_lock(&r->lock);
        if (rc < 0) {
            tsl_err_set(&err, rc, "work failed");
            fail(r, &err);
        } else {
            r->state[slot] = p->write ? DONE : FREE;
            tsl_cond_broadcast(&r->changed);
        }
    }
    tsl_mutex_unlock(&r->lock);
}

/* On the caller's thread, until everything is written or something failed. */
static void write_all(struct run *r)
{
    const struct tsl_pipeline *p = r->p;
    uint64_t nwritten = 0;
    tsl_mutex_lock(&r->lock);
    while (p->write && !r->failed && !(r->ended && nwritten == r->nread)) {
        unsigned slot = (unsigned)(nwritten % p->nitems);
        if (nwritten == r->nread || r->state[slot] != DONE) {
            tsl_cond_wait(&r->changed, &r->lock);
            continue;
        }
        tsl_mutex_unlock(&r->lock);
        struct tsl_err err = { 0 };
        int rc = p->write(p->ctx, p->items[slot], &err);
        tsl_mutex_lock(&r->lock);
        if (rc < 0) {
            tsl_err_set(&err, rc, "writing failed");
            fail(r, &err);
        } else {
            r->state[slot] = FREE;
            nwritten++;
            tsl_cond_broadcast(&r->changed);
        }
    }
    tsl_mutex_unlock(&r->lock);
}

int tsl_pipeline_run(const struct tsl_pipeline *p, struct tsl_err *err)
{
    assert(p->nitems > 0 && p->nthreads > 0);
    struct run r = { .p = p };
    struct tsl_thread reader = { 0 };
    unsigned started = 0;
    int rc = TSL_ENOMEM;
    tsl_mutex_init(&r.lock);
    tsl_cond_init(&r.changed);
    struct worker *workers = tsl_mem_alloc(p->nthreads, sizeof *workers, "threads", err);
    r.state = tsl_mem_alloc(p->nitems, sizeof *r.state, "a pipeline", err);
    if (!workers || !r.state)
        goto out;
    rc = tsl_thread_start(&reader, reader_main, &r, err);
    for (; rc == 0 && started < p->nthreads; started++) {
        workers[started] = (struct worker){ .run = &r, .id = started };
        struct tsl_err why = { 0 };
        rc = tsl_thread_start(&workers[started].thread, worker_main, &workers[started],
                              &why);
        if (rc < 0 && started > 0) {
            rc = 0; /* fewer threads than asked for give the same result, later */
            break;
        }
        tsl_err_pass(err, &why);
    }
    if (rc < 0) {
        struct tsl_err stop = { TSL_ECANCELLED, "cancelled" };
        tsl_mutex_lock(&r.lock);
        fail(&r, err ? err : &stop);
        tsl_mutex_unlock(&r.lock);
    } else {
        write_all(&r);
    }
    tsl_thread_join(&reader);
    for (unsigned i = 0; i < started; i++)
        tsl_thread_join(&workers[i].thread);
    if (r.failed)
        rc = tsl_err_pass(err, &r.err);
out:
    tsl_mem_free(workers);
    tsl_mem_free(r.state);
    tsl_cond_fini(&r.changed);
    tsl_mutex_fini(&r.lock);
    return rc;
}

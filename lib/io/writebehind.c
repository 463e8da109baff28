#include "io/writebehind.h"

#include "base/mem.h"
#include "par/thread.h"

struct piece {
    struct tsl_writebehind_file *wf;
    struct tsl_file *file;
    enum { WRITE, EXPECT, WANT } what;
    uint8_t *bytes;
    uint64_t at, n; /* at: of EXPECT */
    bool ours;      /* bytes: idle when they are written */
};

struct tsl_writebehind {
    struct tsl_mutex lock;
    struct tsl_cond more, less; /* pieces were put; were written */
    struct tsl_thread thread;
    struct piece queue[TSL_WRITEBEHIND_BUFFERS]; /* piece i at i % BUFFERS */
    uint64_t put, written;
    uint8_t *idle[TSL_WRITEBEHIND_BUFFERS];
    unsigned nidle, nbuffers;
    bool ended, alone; /* alone: there is no thread */
};

/* One piece, without the lock; after an error of its file nothing more is written to it. */
static void write_one(struct tsl_writebehind *w, const struct piece *p)
{
    struct tsl_err err = { 0 };
    int before = p->wf->rc; /* written by this thread alone */
    int rc = before;
    if (p->what == EXPECT)
        tsl_file_expect(p->file, p->at, p->n);
    else if (p->what == WANT)
        tsl_pages_want_to_fill(p->bytes, (size_t)p->n);
    else if (rc == 0)
        rc = tsl_file_write(p->file, p->bytes, (size_t)p->n, &err);
    tsl_mutex_lock(&w->lock);
    if (rc < 0 && before == 0) {
        p->wf->rc = rc;
        p->wf->err = err;
    }
    p->wf->waiting--;
    if (p->ours)
        w->idle[w->nidle++] = p->bytes;
    w->written++;
    tsl_cond_signal(&w->less);
}

static void work(void *arg)
{
    struct tsl_writebehind *w = arg;
    tsl_mutex_lock(&w->lock);
    for (;;) {
        while (w->put == w->written && !w->ended)
            tsl_cond_wait(&w->more, &w->lock);
        if (w->put == w->written)
            break;
        struct piece p = w->queue[w->written % TSL_WRITEBEHIND_BUFFERS];
        tsl_mutex_unlock(&w->lock);
        write_one(w, &p); /* locks again */
    }
    tsl_mutex_unlock(&w->lock);
}

int tsl_writebehind_create(struct tsl_writebehind **out, struct tsl_err *err)
{
    struct tsl_writebehind *w = tsl_mem_alloc(1, sizeof *w, "a writer", err);
    if (!w)
        return TSL_ENOMEM;
    tsl_mutex_init(&w->lock);
    tsl_cond_init(&w->more);
    tsl_cond_init(&w->less);
    *out = w;
    return 0;
}

void tsl_writebehind_destroy(struct tsl_writebehind *w)
{
    if (!w)
        return;
    tsl_mutex_lock(&w->lock);
    w->ended = true;
    tsl_cond_signal(&w->more);
    tsl_mutex_unlock(&w->lock);
    tsl_thread_join(&w->thread);
    for (unsigned i = 0; i < w->nidle; i++)
        tsl_pages_unmap(w->idle[i], TSL_WRITEBEHIND_BYTES);
    tsl_cond_fini(&w->less);
    tsl_cond_fini(&w->more);
    tsl_mutex_fini(&w->lock);
    tsl_mem_free(w);
}

/* A buffer that nothing waits in; with the lock. */
static uint8_t *idle_buffer(struct tsl_writebehind *w, struct tsl_err *err)
{
    if (w->nidle == 0 && w->nbuffers < TSL_WRITEBEHIND_BUFFERS) {
        uint8_t *p = tsl_pages_map(TSL_WRITEBEHIND_BYTES, "a write buffer", err);
        w->nbuffers += p != NULL;
        return p;
    }
    while (w->nidle == 0)
        tsl_cond_wait(&w->less, &w->lock);
    return w->idle[--w->nidle];
}

/* Is there a thread?  It starts when it is first needed. */
static bool has_thread(struct tsl_writebehind *w)
{
    if (!w->thread.started && !w->alone)
        w->alone = tsl_thread_start(&w->thread, work, w, NULL) < 0;
    return !w->alone;
}

/* With the lock: waits for a place in the queue. */
static void enqueue(struct tsl_writebehind *w, const struct piece *p)
{
    while (w->put - w->written == TSL_WRITEBEHIND_BUFFERS)
        tsl_cond_wait(&w->less, &w->lock);
    w->queue[w->put++ % TSL_WRITEBEHIND_BUFFERS] = *p;
    p->wf->waiting++;
    tsl_cond_signal(&w->more);
}

int tsl_writebehind_put(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                        struct tsl_file *file, uint8_t **buf, size_t n,
                        struct tsl_err *err)
{
    if (!has_thread(w))
        return tsl_file_write(file, *buf, n, err);
    tsl_mutex_lock(&w->lock);
    uint8_t *other = idle_buffer(w, err);
    int rc = !other ? TSL_ENOMEM : wf->rc < 0 ? tsl_err_pass(err, &wf->err) : 0;
    if (rc == 0) {
        enqueue(w, &(struct piece){ wf, file, .bytes = *buf, .n = n, .ours = true });
        *buf = other;
    } else if (other) {
        w->idle[w->nidle++] = other;
    }
    tsl_mutex_unlock(&w->lock);
    return rc;
}

int tsl_writebehind_lend(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                         struct tsl_file *file, const uint8_t *p, size_t n,
                         struct tsl_err *err)
{
    if (n == 0)
        return 0;
    if (!has_thread(w))
        return tsl_file_write(file, p, n, err);
    tsl_mutex_lock(&w->lock);
    int rc = wf->rc < 0 ? tsl_err_pass(err, &wf->err) : 0;
    if (rc == 0)
        enqueue(w, &(struct piece){ wf, file,
                                    .bytes = (uint8_t *)(uintptr_t)p /* read only */,
                                    .n = n });
    tsl_mutex_unlock(&w->lock);
    return rc;
}

static void put_other(struct tsl_writebehind *w, const struct piece *p)
{
    if (!has_thread(w))
        return;
    tsl_mutex_lock(&w->lock);
    enqueue(w, p);
    tsl_mutex_unlock(&w->lock);
}

void tsl_writebehind_expect(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                            struct tsl_file *file, uint64_t at, uint64_t n)
{
    put_other(w, &(struct piece){ wf, file, EXPECT, .at = at, .n = n });
}

void tsl_writebehind_want(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                          void *p, size_t n)
{
    put_other(w, &(struct piece){ wf, .what = WANT, .bytes = p, .n = n });
}

int tsl_writebehind_wait(struct tsl_writebehind *w, struct tsl_writebehind_file *wf,
                         struct tsl_err *err)
{
    tsl_mutex_lock(&w->lock);
    while (wf->waiting)
        tsl_cond_wait(&w->less, &w->lock);
    int rc = wf->rc < 0 ? tsl_err_pass(err, &wf->err) : 0;
    tsl_mutex_unlock(&w->lock);
    return rc;
}

#include "io/filemem.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/mem.h"
#include "io/file.h"
#include "par/thread.h"

enum { SLOTS = 64, TICK_MS = 1 };
/* Of addresses and of the file, which has holes.  As many as there are: a limit on addresses,
 * a CPU with 39 bits of them, ThreadSanitizer leave fewer. */
#define SLOT_MAX (UINT64_C(1) << 36)
#define SLOT_MIN (UINT64_C(1) << 28)
#define GRAIN (UINT64_C(1) << 20)

/* One file mapped at one place; block i lies at i * slot, so that each can grow where
 * it is. */
struct tsl_filemem {
    struct tsl_mem_home home; /* first */
    struct tsl_file file, statm;
    uint8_t *base;
    uint64_t slot; /* a power of 2 from SLOT_MIN to SLOT_MAX */
    uint64_t resident_max;
    struct tsl_mutex lock; /* of what follows */
    struct tsl_cond stop;
    bool stopping;
    uint64_t bytes[SLOTS]; /* of the file, 0: free */
    struct tsl_thread thread;
};

/* Bytes that the process holds; UINT64_MAX: unknown. */
static uint64_t resident(const struct tsl_filemem *m)
{
    char text[64] = { 0 };
    uint64_t size, pages;
    struct tsl_err err = { 0 };
    if (m->statm.fd < 0)
        return UINT64_MAX;
    /* as much as is there: the file ends early */
    (void)tsl_file_pread(&m->statm, text, sizeof text - 1, 0, &err);
    if (sscanf(text, "%" SCNu64 " %" SCNu64, &size, &pages) != 2)
        return UINT64_MAX;
    return pages * TSL_PAGE_BYTES;
}

static void watch(void *ctx)
{
    struct tsl_filemem *m = ctx;
    tsl_mutex_lock(&m->lock);
    while (!m->stopping) {
        if (resident(m) > m->resident_max)
            for (size_t i = 0; i < SLOTS; i++)
                if (m->bytes[i])
                    tsl_pages_drop(m->base + i * m->slot, m->bytes[i]);
        tsl_cond_wait_ms(&m->stop, &m->lock, TICK_MS);
    }
    tsl_mutex_unlock(&m->lock);
}

/* Room for bytes in slot i. */
static int extend(struct tsl_filemem *m, size_t i, uint64_t bytes, struct tsl_err *err)
{
    bytes = (bytes + GRAIN - 1) & ~(GRAIN - 1);
    if (bytes > m->slot)
        return tsl_err_nomem(err, bytes, "a long row");
    if (bytes <= m->bytes[i])
        return 0;
    int rc =
        tsl_file_reserve(&m->file, i * m->slot + m->bytes[i], bytes - m->bytes[i], err);
    if (rc == 0)
        m->bytes[i] = bytes;
    return rc;
}

static void *resize(struct tsl_mem_home *h, void *old, size_t bytes, struct tsl_err *err)
{
    struct tsl_filemem *m = (struct tsl_filemem *)h;
    size_t i = old ? ((uintptr_t)old - h->begin) / m->slot : 0;
    void *p = NULL;
    tsl_mutex_lock(&m->lock);
    while (!old && i < SLOTS && m->bytes[i])
        i++;
    if (i == SLOTS)
        tsl_err_nomem(err, bytes, "a long row");
    else if (extend(m, i, bytes ? bytes : 1, err) == 0)
        p = m->base + i * m->slot;
    tsl_mutex_unlock(&m->lock);
    return p;
}

static void release(struct tsl_mem_home *h, void *p)
{
    struct tsl_filemem *m = (struct tsl_filemem *)h;
    size_t i = ((uintptr_t)p - h->begin) / m->slot;
    tsl_mutex_lock(&m->lock);
    tsl_pages_drop(p, m->bytes[i]);
    tsl_file_punch(&m->file, i * m->slot, m->bytes[i]);
    m->bytes[i] = 0;
    tsl_mutex_unlock(&m->lock);
}

/* The widest slots for which there are addresses. */
static int map(struct tsl_filemem *m, struct tsl_err *err)
{
    for (m->slot = SLOT_MAX; m->slot >= SLOT_MIN; m->slot /= 2) {
        m->base = tsl_pages_map_shared(m->file.fd, 0, SLOTS * m->slot, m->file.name,
                                       m->slot > SLOT_MIN ? NULL : err);
        if (m->base)
            return 0;
    }
    return TSL_ENOMEM;
}

/* All but the thread. */
static void forget(struct tsl_filemem *m)
{
    tsl_pages_unmap(m->base, SLOTS * m->slot);
    tsl_file_close(&m->file, NULL);
    tsl_file_close(&m->statm, NULL);
    tsl_cond_fini(&m->stop);
    tsl_mutex_fini(&m->lock);
    tsl_mem_free(m);
}

int tsl_filemem_create(struct tsl_filemem **out, const char *dir, uint64_t resident_max,
                       struct tsl_err *err)
{
    struct tsl_filemem *m = tsl_mem_alloc(1, sizeof *m, "memory in a file", err);
    if (!m)
        return TSL_ENOMEM;
    m->file = m->statm = (struct tsl_file)TSL_FILE_INIT;
    m->resident_max = resident_max;
    tsl_mutex_init(&m->lock);
    tsl_cond_init(&m->stop);
    int rc = tsl_file_temp(&m->file, dir, false, err);
    if (rc == 0)
        rc = map(m, err);
    if (rc == 0 && tsl_file_open(&m->statm, "/proc/self/statm", NULL) < 0)
        m->statm = (struct tsl_file)TSL_FILE_INIT; /* then the pages leave at each tick */
    m->home =
        (struct tsl_mem_home){ (uintptr_t)m->base, (uintptr_t)m->base + SLOTS * m->slot,
                               resize, release };
    if (rc == 0 && tsl_mem_home_set(&m->home) < 0)
        rc = tsl_err_set(err, TSL_EUSAGE, "another long row is in a file just now");
    else if (rc == 0) {
        rc = tsl_thread_start(&m->thread, watch, m, err);
        if (rc < 0)
            tsl_mem_home_set(NULL);
    }
    if (rc < 0)
        forget(m);
    else
        *out = m;
    return rc;
}

void tsl_filemem_destroy(struct tsl_filemem *m)
{
    if (!m)
        return;
    tsl_mutex_lock(&m->lock);
    m->stopping = true;
    tsl_cond_signal(&m->stop);
    tsl_mutex_unlock(&m->lock);
    tsl_thread_join(&m->thread);
    tsl_mem_home_set(NULL);
    forget(m);
}

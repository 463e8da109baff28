#include "io/spill.h"

#include <assert.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "io/file.h"
#include "par/thread.h"

/* A folder has several files: allocating and giving back space locks a whole file, and
 * waits for every transfer under way in it. */
enum { FILES = 8 };

struct tsl_spill {
    const char *const *dirs;
    size_t ndirs, slot_bytes;
    size_t nfiles;          /* a multiple of ndirs; file i is in folder i % ndirs */
    struct tsl_mutex lock;  /* guards all below */
    struct tsl_file *files; /* fd -1 until used */
    uint32_t next;          /* first slot never used */
    uint32_t *released;     /* first slots of extents to use again */
    size_t nreleased, cap;
    struct tsl_spill_stats stats;
};

int tsl_spill_create(struct tsl_spill **out, const char *const *dirs, size_t ndirs,
                     size_t slot_bytes, struct tsl_err *err)
{
    assert(ndirs > 0 && slot_bytes > 0 && slot_bytes % TSL_PAGE_BYTES == 0);
    struct tsl_spill *s = tsl_mem_alloc(1, sizeof *s, "the temporary space", err);
    size_t nfiles = ndirs * (ndirs < FILES ? FILES / ndirs : 1);
    struct tsl_file *files =
        tsl_mem_alloc(nfiles, sizeof *files, "the temporary space", err);
    if (!s || !files) {
        tsl_mem_free(s);
        tsl_mem_free(files);
        return TSL_ENOMEM;
    }
    for (size_t i = 0; i < nfiles; i++)
        files[i] = (struct tsl_file)TSL_FILE_INIT;
    s->dirs = dirs;
    s->ndirs = ndirs;
    s->nfiles = nfiles;
    s->slot_bytes = slot_bytes;
    s->files = files;
    tsl_mutex_init(&s->lock);
    *out = s;
    return 0;
}

void tsl_spill_destroy(struct tsl_spill *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->nfiles; i++)
        tsl_file_close(&s->files[i], NULL);
    tsl_mutex_fini(&s->lock);
    tsl_mem_free(s->files);
    tsl_mem_free(s->released);
    tsl_mem_free(s);
}

/* Which file a slot lies in, and where. */
static struct tsl_file *locate(struct tsl_spill *s, uint32_t slot, uint64_t *at)
{
    uint64_t extent = slot / TSL_SPILL_EXTENT;
    *at =
        (extent / s->nfiles * TSL_SPILL_EXTENT + slot % TSL_SPILL_EXTENT) * s->slot_bytes;
    return &s->files[extent % s->nfiles];
}

int tsl_spill_extent(struct tsl_spill *s, uint32_t *slot, struct tsl_err *err)
{
    int rc = 0;
    tsl_mutex_lock(&s->lock);
    if (s->nreleased) {
        *slot = s->released[--s->nreleased];
    } else if (s->next > UINT32_MAX - TSL_SPILL_EXTENT) {
        rc = tsl_err_set(err, TSL_ENOMEM,
                         "too many temporary blocks; use more memory (-m)");
    } else {
        uint64_t at;
        struct tsl_file *f = locate(s, s->next, &at);
        /* room to remember its release is made here, where failing is still harmless */
        rc = tsl_mem_grow(&s->released, &s->cap, s->next / TSL_SPILL_EXTENT + 1,
                          sizeof *s->released, "the temporary space", err);
        if (rc == 0 && f->fd < 0)
            rc = tsl_file_temp(f, s->dirs[(size_t)(f - s->files) % s->ndirs], true, err);
        if (rc == 0) {
            *slot = s->next;
            s->next += TSL_SPILL_EXTENT;
        }
    }
    tsl_mutex_unlock(&s->lock);
    return rc;
}

void tsl_spill_release(struct tsl_spill *s, uint32_t slot, uint64_t written)
{
    uint64_t at;
    struct tsl_file *f = locate(s, slot, &at);
    tsl_file_punch(f, at, (uint64_t)TSL_SPILL_EXTENT * s->slot_bytes);
    tsl_mutex_lock(&s->lock);
    s->released[s->nreleased++] = slot;
    s->stats.now -= written;
    tsl_mutex_unlock(&s->lock);
}

int tsl_spill_write(struct tsl_spill *s, uint32_t slot, const void *p, size_t n,
                    struct tsl_err *err)
{
    struct iovec v = { (void *)(uintptr_t)p, n };
    return tsl_spill_writev(s, slot, &v, 1, err);
}

int tsl_spill_writev(struct tsl_spill *s, uint32_t slot, struct iovec *v, int n,
                     struct tsl_err *err)
{
    uint64_t at, bytes = 0;
    struct tsl_file *f = locate(s, slot, &at);
    for (int i = 0; i < n; i++)
        bytes += v[i].iov_len;
    int rc = tsl_file_pwritev(f, v, n, at, err);
    if (rc < 0)
        return rc;
    tsl_mutex_lock(&s->lock);
    s->stats.written += bytes;
    s->stats.now += bytes;
    if (s->stats.peak < s->stats.now)
        s->stats.peak = s->stats.now;
    tsl_mutex_unlock(&s->lock);
    return 0;
}

int tsl_spill_read(struct tsl_spill *s, uint32_t slot, struct iovec *v, int n,
                   struct tsl_err *err)
{
    uint64_t at;
    struct tsl_file *f = locate(s, slot, &at);
    return tsl_file_preadv(f, v, n, at, err);
}

struct tsl_spill_stats tsl_spill_stats(struct tsl_spill *s)
{
    tsl_mutex_lock(&s->lock);
    struct tsl_spill_stats st = s->stats;
    tsl_mutex_unlock(&s->lock);
    return st;
}

uint64_t tsl_spill_free_bytes(const char *const *dirs, size_t ndirs)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < ndirs; i++) {
        uint64_t n = tsl_file_free_bytes(dirs[i]);
        least = n < least ? n : least;
    }
    return least > UINT64_MAX / ndirs ? UINT64_MAX : least * ndirs;
}

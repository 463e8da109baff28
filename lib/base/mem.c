#include "base/mem.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static _Atomic(struct tsl_mem_home *) home;
static _Thread_local bool at_home;

int tsl_mem_home_set(struct tsl_mem_home *h)
{
    struct tsl_mem_home *none = NULL;
    if (!h)
        atomic_store(&home, NULL);
    return !h || atomic_compare_exchange_strong(&home, &none, h) ? 0 : -1;
}

void tsl_mem_home_use(bool on)
{
    at_home = on;
}

/* The home that p lies in, or NULL. */
static struct tsl_mem_home *home_of(const void *p)
{
    struct tsl_mem_home *h = atomic_load_explicit(&home, memory_order_acquire);
    return h && (uintptr_t)p >= h->begin && (uintptr_t)p < h->end ? h : NULL;
}

void *tsl_mem_alloc(size_t count, size_t size, const char *what, struct tsl_err *err)
{
    struct tsl_mem_home *h = at_home ? atomic_load(&home) : NULL;
    size_t bytes;
    if (h && !__builtin_mul_overflow(count, size, &bytes) && bytes >= TSL_MEM_HOME_MIN)
        return h->resize(h, NULL, bytes, err);
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        tsl_err_nomem(err, (unsigned long long)count * size, what);
    return p;
}

/* From the heap, where old is. */
static void *move_home(struct tsl_mem_home *h, void *old, size_t bytes,
                       struct tsl_err *err)
{
    void *p = h->resize(h, NULL, bytes, err);
    size_t had = old ? malloc_usable_size(old) : 0;
    if (p && had)
        memcpy(p, old, had < bytes ? had : bytes);
    if (p)
        free(old);
    return p;
}

void *tsl_mem_resize(void *old, size_t count, size_t size, const char *what,
                     struct tsl_err *err)
{
    struct tsl_mem_home *h = home_of(old);
    size_t bytes;
    void *p = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes)) {
        if (h)
            return h->resize(h, old, bytes, err);
        h = at_home && bytes >= TSL_MEM_HOME_MIN ? atomic_load(&home) : NULL;
        if (h)
            return move_home(h, old, bytes, err);
        p = realloc(old, bytes ? bytes : 1);
    }
    if (!p)
        tsl_err_nomem(err, (unsigned long long)count * size, what);
    return p;
}

int tsl_mem_grow(void *array, size_t *cap, size_t need, size_t size, const char *what,
                 struct tsl_err *err)
{
    if (need <= *cap)
        return 0;
    void *old;
    memcpy(&old, array, sizeof old);
    /* at home, growing costs nothing, and what is too much lies on a disk */
    size_t n = !*cap ? 8 : home_of(old) ? *cap + *cap / 8 : *cap * 2;
    if (n < need)
        n = need;
    void *p = tsl_mem_resize(old, n, size, what, err);
    if (!p)
        return TSL_ENOMEM;
    memcpy(array, &p, sizeof p);
    *cap = n;
    return 0;
}

char *tsl_mem_strdup(const char *s, struct tsl_err *err)
{
    size_t n = strlen(s) + 1;
    char *p = tsl_mem_alloc(n, 1, "a name", err);
    if (p)
        memcpy(p, s, n);
    return p;
}

void tsl_mem_free(void *p)
{
    struct tsl_mem_home *h = home_of(p);
    if (h)
        h->release(h, p);
    else
        free(p);
}

static size_t whole_pages(size_t bytes)
{
    return (bytes + TSL_PAGE_BYTES - 1) & ~(size_t)(TSL_PAGE_BYTES - 1);
}

void *tsl_pages_map(size_t bytes, const char *what, struct tsl_err *err)
{
    void *p = MAP_FAILED;
    if (bytes && bytes <= SIZE_MAX - TSL_PAGE_BYTES)
        p = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        tsl_err_nomem(err, bytes, what);
        return NULL;
    }
    return p;
}

int tsl_pages_map_file(const uint8_t **p, int fd, size_t bytes, const char *name,
                       struct tsl_err *err)
{
    void *at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        return tsl_err_sys(err, errno, "%s: cannot map it", name);
    *p = at;
    return 0;
}

void *tsl_pages_map_shared(int fd, uint64_t at, size_t bytes, const char *name,
                           struct tsl_err *err)
{
    void *p =
        mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)at);
    if (p == MAP_FAILED) {
        (void)tsl_err_sys(err, errno, "%s: cannot map it", name);
        return NULL;
    }
    return p;
}

void *tsl_pages_resize(void *old, size_t old_bytes, size_t bytes, const char *what,
                       struct tsl_err *err)
{
    if (!old)
        return tsl_pages_map(bytes, what, err);
#ifdef MREMAP_MAYMOVE
    void *p = MAP_FAILED;
    if (bytes && bytes <= SIZE_MAX - TSL_PAGE_BYTES)
        p = mremap(old, whole_pages(old_bytes), whole_pages(bytes), MREMAP_MAYMOVE);
    if (p == MAP_FAILED) {
        tsl_err_nomem(err, bytes, what);
        return NULL;
    }
    return p;
#else
    void *p = tsl_pages_map(bytes, what, err);
    if (!p)
        return NULL;
    memcpy(p, old, old_bytes < bytes ? old_bytes : bytes);
    tsl_pages_unmap(old, old_bytes);
    return p;
#endif
}

void tsl_pages_drop(void *p, size_t bytes)
{
    uintptr_t at = (uintptr_t)p, end = at + bytes;
    at = (at + TSL_PAGE_BYTES - 1) & ~(uintptr_t)(TSL_PAGE_BYTES - 1);
    end &= ~(uintptr_t)(TSL_PAGE_BYTES - 1);
    /* a refusal costs memory, never correctness */
    if (at < end)
        (void)madvise((void *)at, end - at, MADV_DONTNEED);
}

void tsl_pages_want(const void *p, size_t bytes)
{
#ifdef __linux__
    enum {
        POPULATE_READ = 22
    }; /* MADV_POPULATE_READ, Linux 5.14; older ones refuse it */
    uintptr_t at = (uintptr_t)p, end = at + bytes;
    at &= ~(uintptr_t)(TSL_PAGE_BYTES - 1);
    (void)madvise((void *)at, end - at, POPULATE_READ);
#else
    (void)p, (void)bytes;
#endif
}

void tsl_pages_want_to_fill(void *p, size_t bytes)
{
#ifdef __linux__
    enum { POPULATE_WRITE = 23 }; /* as POPULATE_READ */
    (void)madvise(p, bytes, POPULATE_WRITE);
#else
    (void)p, (void)bytes;
#endif
}

void tsl_pages_want_huge(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    (void)madvise(p, bytes, MADV_HUGEPAGE);
#else
    (void)p, (void)bytes;
#endif
}

void tsl_pages_unmap(void *p, size_t bytes)
{
    if (p)
        (void)munmap(p, whole_pages(bytes));
}

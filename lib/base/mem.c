#include "base/mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void *tsl_mem_alloc(size_t count, size_t size, const char *what, struct tsl_err *err)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        tsl_err_nomem(err, (unsigned long long)count * size, what);
    return p;
}

void *tsl_mem_resize(void *old, size_t count, size_t size, const char *what,
                     struct tsl_err *err)
{
    size_t bytes;
    void *p = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes))
        p = realloc(old, bytes ? bytes : 1);
    if (!p)
        tsl_err_nomem(err, (unsigned long long)count * size, what);
    return p;
}

int tsl_mem_grow(void *array, size_t *cap, size_t need, size_t size, const char *what,
                 struct tsl_err *err)
{
    if (need <= *cap)
        return 0;
    size_t n = *cap ? *cap * 2 : 8;
    if (n < need)
        n = need;
    void *old;
    memcpy(&old, array, sizeof old);
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

#include "support/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "support/test.h"

#include "par/thread.h" /* of pthread.h, only that may be included */

static const char *counted; /* " write fsync ", NULL: all; set while nobody else runs */
static char counted_text[200];
static _Atomic(long) left; /* calls until one fails; 0: not armed */
static _Atomic(const char *) failed;
static _Atomic(size_t) most_bytes;
static _Atomic(bool) interrupting;
static _Atomic(unsigned) ntransfers;
static _Atomic(long) flip_left;
static _Atomic(size_t) flip_at;
static _Atomic(int) disk_eno, flag_eno;
static bool killing, syncs_skipped;

void fault_arm(unsigned nth, const char *only)
{
    snprintf(counted_text, sizeof counted_text, " %s ", only ? only : "");
    counted = only ? counted_text : NULL;
    failed = NULL;
    left = (long)nth;
}

void fault_kill(unsigned nth)
{
    fault_arm(nth, NULL);
    killing = true;
}

unsigned fault_next(unsigned nth)
{
    return nth + (nth < 10 ? 1 : test_thrift());
}

const char *fault_disarm(void)
{
    left = 0;
    return failed;
}

bool fault_is_harmless(const char *call)
{
    static const char *const harmless[] = { "calloc", "mmap", "pthread_create", "close" };
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(call, harmless[i]) == 0)
            return true;
    return false;
}

void fault_each_allocation(int (*run)(void *ctx, struct tsl_err *err), void *ctx)
{
    for (unsigned nth = 1;; nth = fault_next(nth)) {
        struct tsl_err err = { 0 };
        fault_arm(nth, "calloc realloc mmap");
        int rc = run(ctx, &err);
        if (!fault_disarm()) {
            assert_ok(rc, &err);
            return;
        }
        assert_err(rc, TSL_ENOMEM, &err, "out of memory");
    }
}

void fault_transfers(size_t most, bool interrupt)
{
    most_bytes = most;
    interrupting = interrupt;
    ntransfers = 0;
}

void fault_flip(unsigned nth, size_t at)
{
    flip_at = at;
    flip_left = (long)nth;
}

void fault_disk_is(int eno)
{
    disk_eno = eno;
}

void fault_refuse_flags(int eno)
{
    flag_eno = eno;
}

static _Atomic(bool) direct_refused;

void fault_refuse_direct(bool refuse)
{
    direct_refused = refuse;
}

/* May a transfer of this file be direct, if it is? */
static bool refused(int fd)
{
    if (!direct_refused || !(fcntl(fd, F_GETFL) & O_DIRECT))
        return false;
    errno = EINVAL;
    return true;
}

static bool flag_refused(int flags)
{
    if (flags && flag_eno) {
        errno = flag_eno;
        return true;
    }
    return false;
}

/* Is it this call's turn? */
static bool fails(const char *call, int eno)
{
    if (left <= 0)
        return false;
    if (counted) {
        char word[40];
        snprintf(word, sizeof word, " %s ", call);
        if (!strstr(counted, word))
            return false;
    }
    if (atomic_fetch_sub(&left, 1) != 1)
        return false;
    if (killing)
        _exit(FAULT_KILLED);
    failed = call;
    errno = eno;
    return true;
}

/* The same for a transfer, which the disk, a signal or a small pipe may also stop. */
static bool transfer_fails(const char *call, int eno)
{
    if (disk_eno) {
        errno = disk_eno;
        return true;
    }
    if (interrupting && atomic_fetch_add(&ntransfers, 1) % 2 == 0) {
        errno = EINTR;
        return true;
    }
    return fails(call, eno);
}

static size_t shortened(size_t n)
{
    size_t most = most_bytes;
    return most && n > most ? most : n;
}

/* At most most_bytes of v; returns how many buffers. */
static int shorten(struct iovec *to, const struct iovec *v, int n)
{
    size_t most = most_bytes;
    int k = 0;
    if (!most)
        most = SIZE_MAX;
    for (; k < n && most > 0; k++) {
        to[k] = v[k];
        if (to[k].iov_len > most)
            to[k].iov_len = most;
        most -= to[k].iov_len;
    }
    return k;
}

static void flip(const struct iovec *v, int n)
{
    if (flip_left <= 0 || atomic_fetch_sub(&flip_left, 1) != 1)
        return;
    size_t at = flip_at;
    for (int i = 0; i < n; at -= v[i++].iov_len)
        if (at < v[i].iov_len) {
            ((uint8_t *)v[i].iov_base)[at] ^= 0x10;
            return;
        }
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
    return fails("calloc", ENOMEM) ? NULL : __real_calloc(n, size);
}

void *__real_realloc(void *p, size_t n);
void *__wrap_realloc(void *p, size_t n)
{
    return fails("realloc", ENOMEM) ? NULL : __real_realloc(p, n);
}

void *__real_mmap64(void *p, size_t n, int prot, int flags, int fd, off64_t at);
void *__wrap_mmap64(void *p, size_t n, int prot, int flags, int fd, off64_t at)
{
    return fails("mmap", ENOMEM) ? MAP_FAILED : __real_mmap64(p, n, prot, flags, fd, at);
}

int __real_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *),
                          void *arg);
int __wrap_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *),
                          void *arg)
{
    return fails("pthread_create", EAGAIN) ? EAGAIN
                                           : __real_pthread_create(t, a, fn, arg);
}

int __real_open64(const char *path, int flags, mode_t mode);
int __wrap_open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_list ap;
        va_start(ap, flags);
        mode = va_arg(ap, mode_t);
        va_end(ap);
    }
    return fails("open", EMFILE) ? -1 : __real_open64(path, flags, mode);
}

/* What _FORTIFY_SOURCE makes of open without a mode. */
int __wrap___open64_2(const char *path, int flags)
{
    return __wrap_open64(path, flags);
}

int __real_mkostemp64(char *name, int flags);
int __wrap_mkostemp64(char *name, int flags)
{
    return fails("mkostemp", EACCES) ? -1 : __real_mkostemp64(name, flags);
}

int __real_fstat64(int fd, struct stat64 *st);
int __wrap_fstat64(int fd, struct stat64 *st)
{
    return fails("fstat", EIO) ? -1 : __real_fstat64(fd, st);
}

ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __wrap_read(int fd, void *p, size_t n)
{
    if (transfer_fails("read", EIO))
        return -1;
    ssize_t k = __real_read(fd, p, shortened(n));
    if (k > 0)
        flip(&(struct iovec){ p, (size_t)k }, 1);
    return k;
}

ssize_t __real_write(int fd, const void *p, size_t n);
ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    return transfer_fails("write", ENOSPC) ? -1 : __real_write(fd, p, shortened(n));
}

/* At a position all is moved, as direct access wants it, and part of it told.  What was
 * read and not told is spoilt. */
static ssize_t told(ssize_t k, const struct iovec *v, int n, bool in)
{
    size_t most = most_bytes, from = most;
    if (!most || k <= (ssize_t)most)
        return k;
    for (int i = 0; in && i < n; i++) {
        if (from < v[i].iov_len)
            memset((char *)v[i].iov_base + from, 0xaa, v[i].iov_len - from);
        from -= from < v[i].iov_len ? from : v[i].iov_len;
    }
    return (ssize_t)most;
}

ssize_t __real_preadv64v2(int fd, const struct iovec *v, int n, off64_t at, int flags);
ssize_t __wrap_preadv64v2(int fd, const struct iovec *v, int n, off64_t at, int flags)
{
    struct iovec to[64];
    if (flag_refused(flags) || transfer_fails("preadv", EIO))
        return -1;
    ssize_t k = at < 0 ? __real_preadv64v2(fd, to, shorten(to, v, n), at, flags)
                       : told(__real_preadv64v2(fd, v, n, at, flags), v, n, true);
    if (k > 0)
        flip(v, n);
    return k;
}

ssize_t __real_preadv64(int fd, const struct iovec *v, int n, off64_t at);
ssize_t __wrap_preadv64(int fd, const struct iovec *v, int n, off64_t at)
{
    if (refused(fd) || transfer_fails("preadv", EIO))
        return -1;
    ssize_t k = told(__real_preadv64(fd, v, n, at), v, n, true);
    if (k > 0)
        flip(v, n);
    return k;
}

ssize_t __real_pwritev64v2(int fd, const struct iovec *v, int n, off64_t at, int flags);
ssize_t __wrap_pwritev64v2(int fd, const struct iovec *v, int n, off64_t at, int flags)
{
    struct iovec to[64];
    if (flag_refused(flags) || transfer_fails("pwritev", ENOSPC))
        return -1;
    if (at < 0)
        return __real_pwritev64v2(fd, to, shorten(to, v, n), at, flags);
    return told(__real_pwritev64v2(fd, v, n, at, flags), v, n, false);
}

ssize_t __real_pwritev64(int fd, const struct iovec *v, int n, off64_t at);
ssize_t __wrap_pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
    if (refused(fd) || transfer_fails("pwritev", ENOSPC))
        return -1;
    return told(__real_pwritev64(fd, v, n, at), v, n, false);
}

void fault_skip_syncs(bool skip)
{
    syncs_skipped = skip;
}

int __real_fsync(int fd);
int __wrap_fsync(int fd)
{
    return fails("fsync", EIO) ? -1 : syncs_skipped ? 0 : __real_fsync(fd);
}

int __real_linkat(int from, const char *old, int to, const char *new, int flags);
int __wrap_linkat(int from, const char *old, int to, const char *new, int flags)
{
    return fails("linkat", EACCES) ? -1 : __real_linkat(from, old, to, new, flags);
}

int __real_rename(const char *old, const char *new);
int __wrap_rename(const char *old, const char *new)
{
    return fails("rename", EACCES) ? -1 : __real_rename(old, new);
}

int __real_close(int fd);
int __wrap_close(int fd)
{
    int rc = __real_close(fd);
    return fails("close", EDQUOT) ? -1 : rc;
}

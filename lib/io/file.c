#include "io/file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"

#ifndef RWF_DONTCACHE
#define RWF_DONTCACHE 0x80 /* Linux 6.14; older headers lack the name */
#endif

#ifndef SYS_cachestat
#define SYS_cachestat 451 /* Linux 6.5, the same number everywhere */
#endif

/* One transfer's upper bound: keeps every length inside ssize_t and each call
 * interruptible. */
enum {
    TRANSFER_MAX = 64 << 20,
    ALIGN = 4096,
    PIPE_BYTES = 1 << 20 /* what a user may ask for unless root says otherwise */
};

/* Dropped at a time; two of it may lie behind us.  What is read needs no waiting for. */
enum { DROP_READ = 4 << 20, DROP_WRITTEN = 8 << 20 };

static void wait_ready(int fd, short events)
{
    struct pollfd p = { .fd = fd, .events = events };
    (void)poll(&p, 1, 1000);
}

int tsl_file_wrap(struct tsl_file *f, int fd, const char *name, bool borrowed,
                  struct tsl_err *err)
{
    struct stat st;
    *f = (struct tsl_file){ .fd = fd, .borrowed = borrowed };
    /* our own names for standard input and output need no quotes */
    f->name = tsl_mem_strdup(borrowed ? name : tsl_quote(name).s, err);
    if (!f->name)
        return tsl_file_close(f, NULL), TSL_ENOMEM;
    if (fstat(fd, &st) < 0) {
        int rc = tsl_err_sys(err, errno, "%s", f->name);
        tsl_file_close(f, NULL);
        return rc;
    }
    f->regular = S_ISREG(st.st_mode);
#ifdef F_SETPIPE_SZ
    /* fewer turns between the two sides of a pipe; a refusal costs only speed */
    if (S_ISFIFO(st.st_mode))
        (void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
#endif
    f->size = f->regular ? (uint64_t)st.st_size : 0;
    f->mtime_s = st.st_mtim.tv_sec;
    f->mtime_ns = st.st_mtim.tv_nsec;
    if (S_ISDIR(st.st_mode)) {
        int rc = tsl_err_sys(err, EISDIR, "%s", f->name);
        tsl_file_close(f, NULL);
        return rc;
    }
    return 0;
}

/* Does the page cache hold a good part of the file?  Then somebody wants it there, and
 * reading it adds little.  false when the kernel does not tell. */
static bool is_cached(const struct tsl_file *f)
{
    struct {
        uint64_t off, len;
    } range = { 0, 0 }; /* all of it */
    struct {
        uint64_t cached, dirty, writeback, evicted, recently_evicted;
    } pages = { 0 };
    if (syscall(SYS_cachestat, f->fd, &range, &pages, 0) < 0)
        return false;
    return pages.cached > f->size / TSL_PAGE_BYTES / 4;
}

int tsl_file_open(struct tsl_file *f, const char *path, struct tsl_err *err)
{
    if (strcmp(path, "-") == 0)
        return tsl_file_wrap(f, STDIN_FILENO, "standard input", true, err);
    int fd;
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        *f = (struct tsl_file)TSL_FILE_INIT;
        return tsl_err_sys(err, errno, "%s", tsl_quote(path).s);
    }
    int rc = tsl_file_wrap(f, fd, path, false, err);
    if (rc == 0 && f->regular) {
        /* all of it, once: reads further ahead */
        (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        f->nodrop = f->size < 4 * DROP_READ || is_cached(f);
    }
    return rc;
}

int tsl_file_dup(struct tsl_file *f, const struct tsl_file *of, struct tsl_err *err)
{
    *f = *of;
    f->borrowed = false;
    f->hash = NULL;
    f->name = tsl_mem_strdup(of->name, err);
    f->fd = f->name ? fcntl(of->fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : -1;
    if (f->fd >= 0)
        return 0;
    int rc = f->name ? tsl_err_sys(err, errno, "%s", f->name) : TSL_ENOMEM;
    tsl_file_close(f, NULL);
    return rc;
}

int tsl_file_append(struct tsl_file *f, const char *path, struct tsl_err *err)
{
    int fd;
    do
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        *f = (struct tsl_file)TSL_FILE_INIT;
        return tsl_err_sys(err, errno, "%s", tsl_quote(path).s);
    }
    int rc = tsl_file_wrap(f, fd, path, false, err);
    if (rc == 0 && !f->regular) {
        rc = tsl_err_set(err, TSL_EUSAGE, "%s: no regular file", f->name);
        tsl_file_close(f, NULL);
    }
    f->nodrop = true;
    return rc;
}

int tsl_file_temp(struct tsl_file *f, const char *dir, bool direct, struct tsl_err *err)
{
    *f = (struct tsl_file)TSL_FILE_INIT;
    int fd = -1;
#ifdef O_TMPFILE
    do
        fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
    while (fd < 0 && errno == EINTR);
#endif
    /* filesystems and kernels without it say so in several ways */
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        size_t n = strlen(dir) + sizeof "/teasel-XXXXXX";
        char *path = tsl_mem_alloc(n, 1, "a name", err);
        if (!path)
            return TSL_ENOMEM;
        memcpy(path, dir, strlen(dir));
        memcpy(path + strlen(dir), "/teasel-XXXXXX", sizeof "/teasel-XXXXXX");
        fd = mkostemp(path, O_CLOEXEC);
        int eno = errno;
        if (fd >= 0)
            (void)unlink(path);
        tsl_mem_free(path);
        errno = eno;
    }
    if (fd < 0)
        return tsl_err_sys(err, errno, "%s: cannot make a temporary file",
                           tsl_quote(dir).s);
    int rc = tsl_file_wrap(f, fd, dir, false, err);
    if (rc < 0)
        return rc;
    f->temp = true;
#ifdef O_DIRECT
    f->direct = direct && fcntl(fd, F_SETFL, O_DIRECT) == 0;
#endif
    f->nodrop = f->direct;
    return 0;
}

/* Moves at most n bytes once, at a position or (at < 0) where the file stands.  Only
 * writes have RWF_DONTCACHE: with it, reads that do not end on a page lose their
 * read-ahead (1 GiB in 1,023 KiB pieces: 430 MiB/s; without it 1,060, at half the CPU
 * time). */
static ssize_t move_once(const struct tsl_file *f, bool in, struct iovec *v, int n,
                         int64_t at, bool *noflag)
{
    if (!in && f->regular && !f->nodrop && !*noflag) {
        ssize_t k = pwritev2(f->fd, v, n, at, RWF_DONTCACHE);
        if (k >= 0 || (errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS))
            return k;
        *noflag = true;
    }
    if (at >= 0)
        return in ? preadv(f->fd, v, n, at) : pwritev(f->fd, v, n, at);
    if (n == 1) /* the common case by the common call */
        return in ? read(f->fd, v->iov_base, v->iov_len)
                  : write(f->fd, v->iov_base, v->iov_len);
    return in ? readv(f->fd, v, n) : writev(f->fd, v, n);
}

/* The same until something moved: 0 only at the end of a file. */
static ssize_t move(const struct tsl_file *f, bool in, struct iovec *v, int n, int64_t at,
                    bool *noflag)
{
    for (;;) {
        ssize_t k = move_once(f, in, v, n, at, noflag);
        if (k >= 0)
            return k;
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            wait_ready(f->fd, in ? POLLIN : POLLOUT);
        else if (errno != EINTR)
            return -1;
    }
}

/* Reading, or without RWF_DONTCACHE: drops what lies a window behind.  Only for large
 * files: a small one may be about to be read by the next command. */
static void drop_behind(struct tsl_file *f, bool in)
{
    const int window = in ? DROP_READ : DROP_WRITTEN;
    if (!f->regular || f->nodrop || (!in && !f->noflag) ||
        f->done < f->dropped + 2 * (uint64_t)window)
        return;
    off_t at = lseek(f->fd, 0, SEEK_CUR);
    off_t start = at - (off_t)(f->done - f->dropped);
    if (at < 0 || start < 0)
        return;
#ifdef SYNC_FILE_RANGE_WRITE
    if (!in) {
        (void)sync_file_range(f->fd, start + window, window, SYNC_FILE_RANGE_WRITE);
        (void)sync_file_range(f->fd, start, window,
                              SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                  SYNC_FILE_RANGE_WAIT_AFTER);
    }
#else
    (void)in;
#endif
    (void)posix_fadvise(f->fd, start, window, POSIX_FADV_DONTNEED);
    f->dropped += window;
}

int64_t tsl_file_read(struct tsl_file *f, void *p, size_t n, struct tsl_err *err)
{
    struct iovec v = { p, n < TRANSFER_MAX ? n : TRANSFER_MAX };
    ssize_t k = move(f, true, &v, 1, -1, &f->noflag);
    if (k < 0)
        return tsl_err_sys(err, errno, "%s: cannot read at byte %" PRIu64, f->name,
                           f->done);
    f->done += (uint64_t)k;
    drop_behind(f, true);
    return k;
}

int tsl_file_write(struct tsl_file *f, const void *p, size_t n, struct tsl_err *err)
{
    const uint8_t *from = p;
    if (f->hash)
        tsl_hasher64_add(f->hash, p, n);
    while (n > 0) {
        struct iovec v = { (void *)(uintptr_t)from, n < TRANSFER_MAX ? n : TRANSFER_MAX };
        ssize_t k = move(f, false, &v, 1, -1, &f->noflag);
        if (k <= 0)
            return tsl_err_sys(err, k < 0 ? errno : ENOSPC,
                               "%s: cannot write at byte %" PRIu64, f->name, f->done);
        f->done += (uint64_t)k;
        from += k;
        n -= (size_t)k;
        drop_behind(f, false);
    }
    return 0;
}

/* No more O_DIRECT, of whoever uses the file. */
static bool give_up_direct(const struct tsl_file *f)
{
#ifdef O_DIRECT
    return fcntl(f->fd, F_SETFL, 0) == 0;
#else
    (void)f;
    return false;
#endif
}

/* All of it.  Under O_DIRECT a short transfer may end anywhere, but the next one has to
 * start on a block: step back to the last whole block and move its rest again.  Where
 * even that does not advance (only a faulty device or a test does so), or a filesystem
 * that took O_DIRECT refuses the transfer for it (blocks larger than ours, say), O_DIRECT
 * is given up. */
static int move_all(const struct tsl_file *f, bool in, struct iovec *v, int n,
                    uint64_t at, struct tsl_err *err)
{
    bool noflag = f->noflag, direct = f->direct;
    unsigned stuck = 0;
    while (n > 0) {
        ssize_t k = move(f, in, v, n, (int64_t)at, &noflag);
        if (k < 0 && errno == EINVAL && direct) {
            direct = false;
            if (give_up_direct(f))
                continue;
            errno = EINVAL;
        }
        if (k < 0)
            return tsl_err_sys(err, errno, "%s: cannot %s%s at byte %" PRIu64, f->name,
                               in ? "read" : "write", f->temp ? " temporary data" : "",
                               at);
        if (k == 0 && in)
            return tsl_err_set(err, TSL_EIO, "%s: %sended early at byte %" PRIu64,
                               f->name, f->temp ? "temporary data " : "", at);
        if (k == 0)
            return tsl_err_sys(err, ENOSPC, "%s: cannot write%s at byte %" PRIu64,
                               f->name, f->temp ? " temporary data" : "", at);
        size_t left = 0;
        for (int i = 0; i < n; i++)
            left += v[i].iov_len;
        if (direct && (size_t)k < left) {
            k &= ~(ssize_t)(ALIGN - 1);
            if (k == 0 && ++stuck > 3)
                direct = !give_up_direct(f);
        }
        at += (uint64_t)k;
        for (size_t gone = (size_t)k; n > 0 && gone >= v->iov_len; v++, n--)
            gone -= v->iov_len, k -= (ssize_t)v->iov_len;
        if (n > 0) {
            v->iov_base = (char *)v->iov_base + k;
            v->iov_len -= (size_t)k;
        }
    }
    return 0;
}

int tsl_file_pread(const struct tsl_file *f, void *p, size_t n, uint64_t at,
                   struct tsl_err *err)
{
    struct iovec v = { p, n };
    return n ? move_all(f, true, &v, 1, at, err) : 0;
}

int tsl_file_pwrite(const struct tsl_file *f, const void *p, size_t n, uint64_t at,
                    struct tsl_err *err)
{
    struct iovec v = { (void *)(uintptr_t)p, n };
    return n ? move_all(f, false, &v, 1, at, err) : 0;
}

int tsl_file_preadv(const struct tsl_file *f, struct iovec *v, int n, uint64_t at,
                    struct tsl_err *err)
{
    assert(n <= TSL_FILE_IOV);
    return move_all(f, true, v, n, at, err);
}

int tsl_file_pwritev(const struct tsl_file *f, struct iovec *v, int n, uint64_t at,
                     struct tsl_err *err)
{
    assert(n <= TSL_FILE_IOV);
    return move_all(f, false, v, n, at, err);
}

void tsl_file_drop(const struct tsl_file *f, uint64_t at, uint64_t n)
{
    if (f->regular && !f->nodrop && !f->direct)
        (void)posix_fadvise(f->fd, (off_t)at, (off_t)n, POSIX_FADV_DONTNEED);
}

void tsl_file_punch(const struct tsl_file *f, uint64_t at, uint64_t n)
{
#ifdef FALLOC_FL_PUNCH_HOLE
    (void)fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at,
                    (off_t)n);
#else
    (void)f, (void)at, (void)n;
#endif
}

int tsl_file_reserve(const struct tsl_file *f, uint64_t at, uint64_t n,
                     struct tsl_err *err)
{
    int rc;
    do
        rc = posix_fallocate(f->fd, (off_t)at, (off_t)n);
    while (rc == EINTR);
    return rc == 0 ? 0 : tsl_err_sys(err, rc, "%s", f->name);
}

/* TMPFS_MAGIC, RAMFS_MAGIC */
static bool in_memory(const struct statfs *s)
{
    return (unsigned long)s->f_type == 0x01021994 ||
           (unsigned long)s->f_type == 0x858458f6;
}

void tsl_file_expect(const struct tsl_file *f, uint64_t at, uint64_t n)
{
#ifdef FALLOC_FL_KEEP_SIZE
    struct statfs s;
    if (f->regular && n && fstatfs(f->fd, &s) == 0 && in_memory(&s))
        (void)fallocate(f->fd, FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)n);
#else
    (void)f, (void)at, (void)n;
#endif
}

int tsl_file_unchanged(const struct tsl_file *f, struct tsl_err *err)
{
    struct stat st;
    if (!f->regular)
        return 0;
    if (fstat(f->fd, &st) < 0)
        return tsl_err_sys(err, errno, "%s", f->name);
    if ((uint64_t)st.st_size != f->size)
        return tsl_err_set(err, TSL_EIO,
                           "%s: changed while it was read: %" PRIu64
                           " bytes, now %" PRIu64,
                           f->name, f->size, (uint64_t)st.st_size);
    if (st.st_mtim.tv_sec != f->mtime_s || st.st_mtim.tv_nsec != f->mtime_ns)
        return tsl_err_set(err, TSL_EIO, "%s: was written to while it was read", f->name);
    return 0;
}

int tsl_file_sync(const struct tsl_file *f, struct tsl_err *err)
{
    int rc;
    do
        rc = fsync(f->fd);
    while (rc < 0 && errno == EINTR);
    /* what cannot be synced (a pipe) has no disk to be lost from */
    if (rc < 0 && errno != EINVAL && errno != EROFS)
        return tsl_err_sys(err, errno, "%s: cannot bring the data to the disk", f->name);
    return 0;
}

int tsl_file_close(struct tsl_file *f, struct tsl_err *err)
{
    int rc = 0;
    /* after EINTR Linux has closed the descriptor: a second close could hit another file
     */
    if (f->fd >= 0 && !f->borrowed && close(f->fd) < 0 && errno != EINTR)
        rc = tsl_err_sys(err, errno, "%s: cannot close", f->name ? f->name : "a file");
    tsl_mem_free(f->name);
    *f = (struct tsl_file)TSL_FILE_INIT;
    return rc;
}

bool tsl_file_thread_times(double *ran, double *waited)
{
    char text[96], *end;
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        (void)close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    *ran = 1e-9 * (double)strtoull(text, &end, 10);
    *waited = 1e-9 * (double)strtoull(end, NULL, 10);
    return true;
}

bool tsl_file_is_regular(const char *path)
{
    struct stat st;
    int rc = strcmp(path, "-") == 0 ? fstat(STDIN_FILENO, &st) : stat(path, &st);
    return rc == 0 && S_ISREG(st.st_mode);
}

bool tsl_file_is_fifo(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISFIFO(st.st_mode);
}

bool tsl_file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

int tsl_file_lock(int *lock, const char *folder, struct tsl_err *err)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return tsl_err_sys(err, errno, "%s", tsl_quote(folder).s);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
        close(fd);
        return 0;
    }
    *lock = fd;
    return 1;
}

void tsl_file_unlock(int lock)
{
    if (lock >= 0)
        close(lock);
}

bool tsl_file_is_folder(const char *path)
{
    struct stat st;
    return strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

uint64_t tsl_file_free_bytes(const char *dir)
{
    struct statvfs s;
    if (statvfs(dir, &s) < 0)
        return UINT64_MAX;
    return (uint64_t)s.f_bavail * s.f_frsize;
}

bool tsl_file_in_memory(const char *dir)
{
    struct statfs s;
    return statfs(dir, &s) == 0 && in_memory(&s);
}

int tsl_file_close_output(struct tsl_err *err)
{
    if (close(STDOUT_FILENO) == 0 || errno == EBADF || errno == EINTR)
        return 0;
    return tsl_err_sys(err, errno, "standard output: cannot close");
}

unsigned tsl_file_room(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0)
        return 16;
    if (r.rlim_cur < r.rlim_max) {
        rlim_t old = r.rlim_cur;
        r.rlim_cur = r.rlim_max < 65536 ? r.rlim_max : 65536;
        if (r.rlim_cur < old || setrlimit(RLIMIT_NOFILE, &r) < 0)
            r.rlim_cur = old;
    }
    return r.rlim_cur > 65536 ? 65536 : (unsigned)r.rlim_cur;
}

void tsl_file_guard_std(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
            continue;
        /* the wrong way round: reading a closed input, writing a closed output, both fail
         */
        int got = open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
        assert(got < 0 || got == fd);
    }
}

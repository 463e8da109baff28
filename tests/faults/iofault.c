/*
 * iofault: make one chosen system call or allocation of a program go wrong.
 *
 * Preloaded with LD_PRELOAD.  Environment variables say which calls are
 * counted, at which count a fault happens, and what happens then: an errno, a
 * short transfer, a flipped bit, a lost write, a signal (SIGKILL included).
 * README.md beside this file lists the variables; sweep.sh tries every point.
 *
 * How it works.  Wrapping read() and write() by name would miss what libc does
 * for fread(), fwrite(), fclose() and mkstemp(), because libc calls its own
 * internal names.  So the system calls themselves are caught: a seccomp filter
 * turns the chosen calls, when they come from libc's code, into SIGSYS, and
 * the handler here either performs the call, performs it altered, or makes it
 * fail.  The calls of this library come from another address range and pass.
 * A program started by exec keeps the filter but has its libc elsewhere, so it
 * runs untouched unless this library is preloaded there as well.
 *
 * Not seen: I/O submitted through io_uring, pages touched through mmap, system
 * calls issued outside libc (Go programs, static binaries), and the alloc
 * group in a program with its own allocator.  For programs built with ASan or
 * TSan, build this file with -DIOFAULT_NO_ALLOC.
 *
 * Linux on x86-64 or aarch64, little endian, libc as a shared object.
 * Written for this project; it takes the project's licence.
 *
 *   cc -O2 -Wall -Wextra -fPIC -shared -o libiofault.so iofault.c -ldl
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__x86_64__)
#define HOST_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define HOST_ARCH AUDIT_ARCH_AARCH64
#else
#error "iofault knows x86-64 and aarch64 only"
#endif

/* ---- groups and calls ---------------------------------------------------- */

enum group {
    G_READ,
    G_WRITE,
    G_COPY,
    G_OPEN,
    G_CLOSE,
    G_SYNC,
    G_RENAME,
    G_UNLINK,
    G_TRUNC,
    G_SEEK,
    G_STAT,
    G_DIR,
    G_MAP,
    G_MODE,
    G_CTL,
    G_THREAD,
    G_ALLOC,
    G_COUNT
};

static const char *const group_name[G_COUNT] = {
    "read", "write", "copy", "open", "close", "sync", "rename", "unlink", "trunc",
    "seek", "stat",  "dir",  "map",  "mode",  "ctl",  "thread", "alloc"
};

#define BIT(g) (1u << (g))
#define ALL_IO                                                                           \
    (BIT(G_READ) | BIT(G_WRITE) | BIT(G_COPY) | BIT(G_OPEN) | BIT(G_CLOSE) |             \
     BIT(G_SYNC) | BIT(G_RENAME) | BIT(G_UNLINK) | BIT(G_TRUNC) | BIT(G_SEEK))

enum shape { PLAIN, BUFFER, VECTOR }; /* how the data of a call is described */

struct call {
    int nr;
    signed char group, fd, path, path2; /* argument numbers, -1 for none */
    signed char shape;
};

static const struct call calls[] = {
    { SYS_read, G_READ, 0, -1, -1, BUFFER },
    { SYS_pread64, G_READ, 0, -1, -1, BUFFER },
    { SYS_readv, G_READ, 0, -1, -1, VECTOR },
    { SYS_preadv, G_READ, 0, -1, -1, VECTOR },
    { SYS_preadv2, G_READ, 0, -1, -1, VECTOR },
    { SYS_write, G_WRITE, 0, -1, -1, BUFFER },
    { SYS_pwrite64, G_WRITE, 0, -1, -1, BUFFER },
    { SYS_writev, G_WRITE, 0, -1, -1, VECTOR },
    { SYS_pwritev, G_WRITE, 0, -1, -1, VECTOR },
    { SYS_pwritev2, G_WRITE, 0, -1, -1, VECTOR },
    { SYS_copy_file_range, G_COPY, 0, -1, -1, PLAIN },
    { SYS_sendfile, G_COPY, 1, -1, -1, PLAIN },
    { SYS_splice, G_COPY, 0, -1, -1, PLAIN },
    { SYS_openat, G_OPEN, -1, 1, -1, PLAIN },
    { SYS_close, G_CLOSE, 0, -1, -1, PLAIN },
    { SYS_fsync, G_SYNC, 0, -1, -1, PLAIN },
    { SYS_fdatasync, G_SYNC, 0, -1, -1, PLAIN },
    { SYS_syncfs, G_SYNC, 0, -1, -1, PLAIN },
    { SYS_sync_file_range, G_SYNC, 0, -1, -1, PLAIN },
    { SYS_renameat, G_RENAME, -1, 1, 3, PLAIN },
    { SYS_renameat2, G_RENAME, -1, 1, 3, PLAIN },
    { SYS_linkat, G_RENAME, -1, 1, 3, PLAIN },
    { SYS_unlinkat, G_UNLINK, -1, 1, -1, PLAIN },
    { SYS_ftruncate, G_TRUNC, 0, -1, -1, PLAIN },
    { SYS_fallocate, G_TRUNC, 0, -1, -1, PLAIN },
    { SYS_lseek, G_SEEK, 0, -1, -1, PLAIN },
    { SYS_fstat, G_STAT, 0, -1, -1, PLAIN },
    { SYS_newfstatat, G_STAT, 0, 1, -1, PLAIN },
    { SYS_statx, G_STAT, 0, 1, -1, PLAIN },
    { SYS_mkdirat, G_DIR, -1, 1, -1, PLAIN },
    { SYS_getdents64, G_DIR, 0, -1, -1, PLAIN },
    { SYS_mmap, G_MAP, 4, -1, -1, PLAIN },
    { SYS_mremap, G_MAP, -1, -1, -1, PLAIN },
    { SYS_statfs, G_STAT, -1, 0, -1, PLAIN },
    { SYS_fstatfs, G_STAT, 0, -1, -1, PLAIN },
    { SYS_faccessat, G_STAT, -1, 1, -1, PLAIN },
    { SYS_readlinkat, G_STAT, -1, 1, -1, PLAIN },
    { SYS_fchmod, G_MODE, 0, -1, -1, PLAIN },
    { SYS_fchmodat, G_MODE, -1, 1, -1, PLAIN },
    { SYS_fchown, G_MODE, 0, -1, -1, PLAIN },
    { SYS_fchownat, G_MODE, -1, 1, -1, PLAIN },
    { SYS_utimensat, G_MODE, -1, 1, -1, PLAIN },
    { SYS_fcntl, G_CTL, 0, -1, -1, PLAIN },
    { SYS_ioctl, G_CTL, 0, -1, -1, PLAIN },
    { SYS_fadvise64, G_CTL, 0, -1, -1, PLAIN },
    { SYS_madvise, G_CTL, -1, -1, -1, PLAIN },
    { SYS_getrandom, G_CTL, -1, -1, -1, PLAIN },
    { SYS_prlimit64, G_CTL, -1, -1, -1, PLAIN },
    { SYS_sched_getaffinity, G_CTL, -1, -1, -1, PLAIN },
    { SYS_sysinfo, G_CTL, -1, -1, -1, PLAIN },
#ifdef SYS_open
    { SYS_open, G_OPEN, -1, 0, -1, PLAIN },
    { SYS_creat, G_OPEN, -1, 0, -1, PLAIN },
    { SYS_rename, G_RENAME, -1, 0, 1, PLAIN },
    { SYS_link, G_RENAME, -1, 0, 1, PLAIN },
    { SYS_unlink, G_UNLINK, -1, 0, -1, PLAIN },
    { SYS_mkdir, G_DIR, -1, 0, -1, PLAIN },
    { SYS_stat, G_STAT, -1, 0, -1, PLAIN },
    { SYS_lstat, G_STAT, -1, 0, -1, PLAIN },
    { SYS_access, G_STAT, -1, 0, -1, PLAIN },
    { SYS_readlink, G_STAT, -1, 0, -1, PLAIN },
    { SYS_chmod, G_MODE, -1, 0, -1, PLAIN },
#endif
#ifdef SYS_faccessat2
    { SYS_faccessat2, G_STAT, -1, 1, -1, PLAIN },
#endif
#ifdef SYS_openat2
    { SYS_openat2, G_OPEN, -1, 1, -1, PLAIN },
#endif
};
#define NCALLS (sizeof calls / sizeof calls[0])

/* ---- settings and counters ----------------------------------------------- */

enum deed {
    D_NONE,
    D_ERRNO,
    D_SHORT,
    D_ZERO,
    D_FLIP,
    D_LIE,
    D_ASTRAY,
    D_TORN,
    D_SIGNAL,
    D_AFTER,
    D_DELAY
};

static struct {
    int active;
    unsigned groups;
    enum deed deed;
    int number; /* the errno, the signal or the milliseconds */
    unsigned long at, every, times, one_in, seed, alloc_min;
    int fd;             /* -1: any except standard error */
    const char *path;   /* substring, or NULL */
    const char *report; /* file, or NULL */
    char exe[64];
} cfg = { .fd = -1 };

static unsigned long matched, fired, seen[G_COUNT];

/* ---- the system calls of this library itself ----------------------------- */

static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    long ret;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
#else
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
#endif
}

#define RAW3(nr, a, b, c) raw((nr), (long)(a), (long)(b), (long)(c), 0, 0, 0)

/* ---- report lines, built without libc's formatted output ----------------- */

struct line {
    char text[1024];
    size_t len;
};

static void put(struct line *l, const char *s)
{
    while (*s && l->len < sizeof l->text - 2)
        l->text[l->len++] = *s++;
}

static void put_number(struct line *l, unsigned long v)
{
    char digits[24];
    int i = (int)sizeof digits;
    digits[--i] = 0;
    do
        digits[--i] = (char)('0' + v % 10);
    while (v /= 10);
    put(l, digits + i);
}

static void send_line(struct line *l)
{
    if (!cfg.report)
        return;
    l->text[l->len++] = '\n';
    long fd = raw(SYS_openat, AT_FDCWD, (long)cfg.report,
                  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644, 0, 0);
    if (fd < 0)
        return;
    RAW3(SYS_write, fd, l->text, l->len);
    RAW3(SYS_close, fd, 0, 0);
}

static void report_totals(void)
{
    static int done;
    if (!cfg.report || __atomic_exchange_n(&done, 1, __ATOMIC_RELAXED))
        return;
    struct line l = { .len = 0 };
    put(&l, "total exe=");
    put(&l, cfg.exe);
    put(&l, " pid=");
    put_number(&l, (unsigned long)RAW3(SYS_getpid, 0, 0, 0));
    put(&l, " matched=");
    put_number(&l, __atomic_load_n(&matched, __ATOMIC_RELAXED));
    put(&l, " fired=");
    put_number(&l, __atomic_load_n(&fired, __ATOMIC_RELAXED));
    for (int g = 0; g < G_COUNT; g++)
        if (cfg.groups & BIT(g)) {
            put(&l, " ");
            put(&l, group_name[g]);
            put(&l, "=");
            put_number(&l, __atomic_load_n(&seen[g], __ATOMIC_RELAXED));
        }
    send_line(&l);
}

static void report_fault(unsigned long n, int group, const char *where)
{
    if (!cfg.report)
        return;
    struct line l = { .len = 0 };
    put(&l, "fault exe=");
    put(&l, cfg.exe);
    put(&l, " n=");
    put_number(&l, n);
    put(&l, " group=");
    put(&l, group_name[group]);
    put(&l, " on=");
    put(&l, where);
    send_line(&l);
}

/* ---- does this call count, and does it fault? ----------------------------- */

static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* The number of this call among the matching ones when it is to fault, or 0. */
static unsigned long draw(void)
{
    unsigned long n = __atomic_add_fetch(&matched, 1, __ATOMIC_RELAXED);
    if (cfg.deed == D_NONE || n < cfg.at)
        return 0;
    if (cfg.one_in) {
        if (mix(cfg.seed ^ (n * 0x2545f4914f6cdd1du)) % cfg.one_in)
            return 0;
    } else if ((n - cfg.at) % cfg.every)
        return 0;
    unsigned long k = __atomic_add_fetch(&fired, 1, __ATOMIC_RELAXED);
    if (cfg.times && k > cfg.times) {
        __atomic_sub_fetch(&fired, 1, __ATOMIC_RELAXED);
        return 0;
    }
    return n;
}

static void fd_path(long fd, char *out, size_t size)
{
    struct line l = { .len = 0 };
    put(&l, "/proc/self/fd/");
    if (fd < 0) {
        out[0] = 0;
        return;
    }
    put_number(&l, (unsigned long)fd);
    l.text[l.len] = 0;
    long k = raw(SYS_readlinkat, AT_FDCWD, (long)l.text, (long)out, (long)size - 1, 0, 0);
    out[k < 0 ? 0 : k] = 0;
}

/* ---- performing a call, whole or altered ---------------------------------- */

enum { PAGE = 4096 };

static long perform(long nr, const long *a)
{
    return raw(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Under O_DIRECT a kernel moves whole blocks, also when it moves less than asked. */
static int is_direct(long fd)
{
    long flags = RAW3(SYS_fcntl, fd, F_GETFL, 0);
    return flags >= 0 && flags & O_DIRECT;
}

/* Transfers about half of what was asked for: at least one byte, or one page of O_DIRECT.
 */
static long perform_short(const struct call *c, const long *a)
{
    long b[6];
    struct iovec first;
    memcpy(b, a, sizeof b);
    if (c->shape != PLAIN && is_direct(a[0])) {
        size_t len = (size_t)b[2];
        if (c->shape == VECTOR && b[2] > 0) {
            first = *(const struct iovec *)a[1];
            len = b[2] > 1 ? 2 * first.iov_len : first.iov_len;
        }
        size_t half =
            len / 2 < PAGE && len >= PAGE ? PAGE : len / 2 & ~(size_t)(PAGE - 1);
        if (half == 0)
            return perform(c->nr, a);
        if (c->shape == VECTOR) {
            first.iov_len = half;
            b[1] = (long)&first;
            b[2] = 1;
        } else {
            b[2] = (long)half;
        }
        return perform(c->nr, b);
    }
    if (c->shape == BUFFER && b[2] > 1)
        b[2] /= 2;
    else if (c->shape == VECTOR && b[2] > 0) {
        const struct iovec *v = (const struct iovec *)a[1];
        first = v[0];
        if (b[2] == 1 && first.iov_len > 1)
            first.iov_len /= 2;
        b[1] = (long)&first;
        b[2] = 1;
    } else if (c->group == G_COPY) {
        int i = c->nr == SYS_sendfile ? 3 : 4;
        if (b[i] > 1)
            b[i] /= 2;
    }
    return perform(c->nr, b);
}

static void flip_bit(unsigned char *p, size_t len, unsigned long n)
{
    uint64_t r = mix(cfg.seed + n);
    if (len)
        p[(r >> 3) % len] ^= (unsigned char)(1u << (r & 7));
}

/* Lets one bit go wrong on its way in or out; iovecs: in the first buffer. */
static long perform_flipped(const struct call *c, const long *a, unsigned long n)
{
    if (c->group == G_READ) {
        long got = perform(c->nr, a);
        if (got <= 0)
            return got;
        if (c->shape == BUFFER)
            flip_bit((unsigned char *)a[1], (size_t)got, n);
        else {
            const struct iovec *v = (const struct iovec *)a[1];
            size_t len = v[0].iov_len < (size_t)got ? v[0].iov_len : (size_t)got;
            flip_bit(v[0].iov_base, len, n);
        }
        return got;
    }
    if (c->group != G_WRITE)
        return perform(c->nr, a);
    struct iovec v = { (void *)a[1], (size_t)a[2] };
    if (c->shape == VECTOR) {
        if (a[2] < 1)
            return perform(c->nr, a);
        v = *(const struct iovec *)a[1];
    }
    if (!v.iov_len)
        return perform(c->nr, a);
    long copy = raw(SYS_mmap, 0, (long)v.iov_len, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy < 0 && copy > -4096)
        return perform(c->nr, a);
    memcpy((void *)copy, v.iov_base, v.iov_len);
    flip_bit((unsigned char *)copy, v.iov_len, n);
    long b[6];
    struct iovec w = { (void *)copy, v.iov_len };
    memcpy(b, a, sizeof b);
    b[1] = c->shape == VECTOR ? (long)&w : copy;
    if (c->shape == VECTOR)
        b[2] = 1;
    long put_out = perform(c->nr, b);
    RAW3(SYS_munmap, copy, v.iov_len, 0);
    return put_out;
}

/* Claims success and does nothing: a lost write, a sync that did not sync. */
static long perform_lie(const struct call *c, const long *a)
{
    switch (c->group) {
    case G_WRITE:
        if (c->shape == BUFFER)
            return a[2];
        else {
            const struct iovec *v = (const struct iovec *)a[1];
            long sum = 0;
            for (long i = 0; i < a[2]; i++)
                sum += (long)v[i].iov_len;
            return sum;
        }
    case G_SYNC:
    case G_RENAME:
    case G_UNLINK:
    case G_TRUNC: return 0;
    default: return perform(c->nr, a);
    }
}

/* A misplaced block: a read or write at a position goes to a page beside it. */
static long perform_astray(const struct call *c, const long *a, unsigned long n)
{
    long b[6];
    memcpy(b, a, sizeof b);
    switch (c->nr) {
    case SYS_pread64:
    case SYS_pwrite64:
    case SYS_preadv:
    case SYS_pwritev:
    case SYS_preadv2:
    case SYS_pwritev2:
        if (b[3] >= 0)
            b[3] += n % 2 && b[3] >= PAGE ? -PAGE : PAGE;
    }
    return perform(c->nr, b);
}

/* SIGPIPE is sent to the thread that writes, as the kernel does; the others to the
 * process: a worker thread usually blocks them. */
static void raise_here(int sig)
{
    if (sig == SIGKILL)
        report_totals();
    if (sig == SIGPIPE)
        RAW3(SYS_tgkill, RAW3(SYS_getpid, 0, 0, 0), RAW3(SYS_gettid, 0, 0, 0), sig);
    else
        RAW3(SYS_kill, RAW3(SYS_getpid, 0, 0, 0), sig, 0);
    while (sig == SIGKILL)
        RAW3(SYS_sched_yield, 0, 0, 0);
}

static void wait_a_while(int ms)
{
    struct timespec t = { ms / 1000, (ms % 1000) * 1000000L };
    RAW3(SYS_nanosleep, &t, 0, 0);
}

static long perform_faulty(const struct call *c, const long *a, unsigned long n)
{
    long r;
    switch (cfg.deed) {
    case D_ERRNO:
        if (c->group == G_CLOSE) /* Linux frees the descriptor anyway */
            perform(c->nr, a);
        return -cfg.number;
    case D_SHORT: return perform_short(c, a);
    case D_ZERO:
        return c->group == G_READ || c->group == G_WRITE || c->group == G_COPY
                   ? 0
                   : perform(c->nr, a);
    case D_FLIP: return perform_flipped(c, a, n);
    case D_LIE: return perform_lie(c, a);
    case D_ASTRAY: return perform_astray(c, a, n);
    case D_TORN:
        if (c->group == G_WRITE || c->group == G_COPY)
            perform_short(c, a);
        raise_here(SIGKILL);
        return -EIO;
    case D_SIGNAL: raise_here(cfg.number); return perform(c->nr, a);
    case D_AFTER:
        r = perform(c->nr, a);
        raise_here(cfg.number);
        return r;
    case D_DELAY: wait_a_while(cfg.number); return perform(c->nr, a);
    default: return perform(c->nr, a);
    }
}

static long handle(const struct call *c, const long *a)
{
    char where[PATH_MAX] = "";
    const char *p1 = c->path >= 0 ? (const char *)a[(int)c->path] : NULL;
    const char *p2 = c->path2 >= 0 ? (const char *)a[(int)c->path2] : NULL;
    long fd = c->fd >= 0 ? (int)a[(int)c->fd] : -1;

    __atomic_add_fetch(&seen[c->group], 1, __ATOMIC_RELAXED);
    if (cfg.fd >= 0 ? fd != cfg.fd : fd == STDERR_FILENO)
        return perform(c->nr, a);
    if (cfg.path) {
        if (!p1 || !*p1)
            fd_path(fd, where, sizeof where);
        if (!(p1 && strstr(p1, cfg.path)) && !(p2 && strstr(p2, cfg.path)) &&
            !strstr(where, cfg.path))
            return perform(c->nr, a);
    }
    unsigned long n = draw();
    if (!n)
        return perform(c->nr, a);
    if (cfg.report) {
        if (!where[0] && (!p1 || !*p1))
            fd_path(fd, where, sizeof where);
        report_fault(n, c->group, p1 && *p1 ? p1 : where);
    }
    return perform_faulty(c, a, n);
}

/* ---- SIGSYS: the place every caught call passes through -------------------- */

#define SYS_BIT (1ull << (SIGSYS - 1))

/* The program must not block SIGSYS, or the next caught call would kill it. */
static long handle_mask(const long *a, ucontext_t *uc)
{
    uint64_t old, set, now;
    memcpy(&old, &uc->uc_sigmask, sizeof old);
    if (a[2])
        memcpy((void *)a[2], &old, sizeof old);
    if (!a[1])
        return 0;
    memcpy(&set, (void *)a[1], sizeof set);
    switch ((int)a[0]) {
    case SIG_BLOCK: now = old | set; break;
    case SIG_UNBLOCK: now = old & ~set; break;
    case SIG_SETMASK: now = set; break;
    default: return -EINVAL;
    }
    now &= ~SYS_BIT;
    memcpy(&uc->uc_sigmask, &now, sizeof now);
    return 0;
}

/* The kernel's layout of struct sigaction, the same on both machines. */
struct kernel_action {
    uint64_t handler, flags, restorer, mask;
};

static long handle_action(const long *a)
{
    struct kernel_action mine;
    if ((int)a[0] == SIGSYS) {
        if (a[2])
            memset((void *)a[2], 0, sizeof mine);
        return 0;
    }
    if (!a[1])
        return perform(SYS_rt_sigaction, a);
    memcpy(&mine, (void *)a[1], sizeof mine);
    mine.mask &= ~SYS_BIT;
    return raw(SYS_rt_sigaction, a[0], (long)&mine, a[2], a[3], 0, 0);
}

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    int saved = errno;
    long a[6], ret;
    long nr = info->si_syscall;
    (void)sig;
#if defined(__x86_64__)
    greg_t *g = uc->uc_mcontext.gregs;
    a[0] = g[REG_RDI];
    a[1] = g[REG_RSI];
    a[2] = g[REG_RDX];
    a[3] = g[REG_R10];
    a[4] = g[REG_R8];
    a[5] = g[REG_R9];
#else
    for (int i = 0; i < 6; i++)
        a[i] = (long)uc->uc_mcontext.regs[i];
#endif
    if (nr == SYS_rt_sigprocmask)
        ret = handle_mask(a, uc);
    else if (nr == SYS_rt_sigaction)
        ret = handle_action(a);
    else {
        const struct call *c = NULL;
        if (nr == SYS_exit_group)
            report_totals();
        for (size_t i = 0; i < NCALLS && !c; i++)
            if (calls[i].nr == nr)
                c = &calls[i];
        ret = c ? handle(c, a) : perform(nr, a);
    }
#if defined(__x86_64__)
    g[REG_RAX] = ret;
#else
    uc->uc_mcontext.regs[0] = (unsigned long long)ret;
#endif
    errno = saved;
}

/* ---- the filter ------------------------------------------------------------ */

struct ranges {
    struct {
        uint64_t from, to;
    } r[64];
    int n;
};
static struct ranges libc_code;  /* where I/O is caught */
static struct ranges other_code; /* where only signal masks are watched */

static void add_range(struct ranges *set, uint64_t from, uint64_t to)
{
    while (from < to && set->n < (int)(sizeof set->r / sizeof set->r[0])) {
        uint64_t edge = (from | 0xffffffffu) + 1; /* same upper half only */
        uint64_t end = to < edge ? to : edge;
        set->r[set->n].from = from;
        set->r[set->n++].to = end;
        from = end;
    }
}

static int note_object(struct dl_phdr_info *info, size_t size, void *unused)
{
    const char *slash = info->dlpi_name ? strrchr(info->dlpi_name, '/') : NULL;
    const char *name = slash ? slash + 1 : "";
    int libc = !strncmp(name, "libc.so", 7) || !strncmp(name, "libc-", 5) ||
               !strncmp(name, "libpthread", 10) || !strncmp(name, "ld-musl", 7);
    (void)size;
    (void)unused;
    if (!info->dlpi_addr) /* fixed address: children may share it */
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uint64_t from = info->dlpi_addr + h->p_vaddr, to = from + h->p_memsz;
        uint64_t here = (uint64_t)(uintptr_t)note_object;
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X) && !(here >= from && here < to))
            add_range(libc ? &libc_code : &other_code, from, to);
    }
    return 0;
}

static struct sock_filter code[1024];
static int ncode;

static void emit(unsigned op, uint32_t k, int yes, int no)
{
    code[ncode++] = (struct sock_filter){ (uint16_t)op, (uint8_t)yes, (uint8_t)no, k };
}

static void die(const char *why)
{
    struct line l = { .len = 0 };
    put(&l, "iofault: ");
    put(&l, why);
    put(&l, "\n");
    RAW3(SYS_write, STDERR_FILENO, l.text, l.len);
    RAW3(SYS_exit_group, 125, 0, 0);
}

static int wanted(const struct call *c)
{
    return cfg.groups & BIT(c->group) ? 1 : 0;
}

/* Traps when the caller lies in one of the ranges, else goes on. */
static void emit_ranges(const struct ranges *set)
{
    uint32_t ip = offsetof(struct seccomp_data, instruction_pointer);
    for (int i = 0; i < set->n; i++) {
        emit(BPF_LD | BPF_W | BPF_ABS, ip + 4, 0, 0);
        emit(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(set->r[i].from >> 32), 0, 4);
        emit(BPF_LD | BPF_W | BPF_ABS, ip, 0, 0);
        emit(BPF_JMP | BPF_JGE | BPF_K, (uint32_t)set->r[i].from, 0, 2);
        emit(BPF_JMP | BPF_JGT | BPF_K, (uint32_t)(set->r[i].to - 1), 1, 0);
        emit(BPF_RET | BPF_K, SECCOMP_RET_TRAP, 0, 0);
    }
}

#if defined(__x86_64__)
/* x86-64 wants the way back from a handler spelled out. */
extern void iofault_return(void) __attribute__((visibility("hidden")));
__asm__(".text\n.hidden iofault_return\n.globl iofault_return\n"
        "iofault_return:\n\tmov $15, %eax\n\tsyscall\n");
#endif

/* Goes to the kernel directly: sanitizers wrap the handlers they hear of. */
static void take_sigsys(void)
{
    uint64_t sys = SYS_BIT;
    struct kernel_action ka;
    memset(&ka, 0, sizeof ka);
    ka.handler = (uint64_t)(uintptr_t)on_sigsys;
    ka.flags = SA_SIGINFO | SA_NODEFER | SA_RESTART;
#if defined(__x86_64__)
    ka.flags |= 0x04000000; /* SA_RESTORER */
    ka.restorer = (uint64_t)(uintptr_t)iofault_return;
#endif
    if (raw(SYS_rt_sigaction, SIGSYS, (long)&ka, 0, 8, 0, 0) ||
        raw(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&sys, 0, 8, 0, 0))
        die("cannot take SIGSYS");
}

static void install_filter(void)
{
    static const int signals[] = { SYS_rt_sigaction, SYS_rt_sigprocmask };
    int io = 1, at, to_io, to_signals;
    for (size_t i = 0; i < NCALLS; i++)
        io += wanted(&calls[i]);
    dl_iterate_phdr(note_object, NULL);
    if (!libc_code.n)
        die("no shared libc found in this program");

    emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
    emit(BPF_JMP | BPF_JEQ | BPF_K, HOST_ARCH, 1, 0);
    emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
    to_io = ncode + io + 2 + 1;               /* the comparisons, one return */
    to_signals = to_io + 6 * libc_code.n + 1; /* the I/O ranges, one return */
    for (int i = 0; i < 2; i++) {
        at = ncode;
        emit(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)signals[i], to_signals - at - 1, 0);
    }
    at = ncode;
    emit(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, to_io - at - 1, 0);
    for (size_t i = 0; i < NCALLS; i++)
        if (wanted(&calls[i])) {
            at = ncode;
            emit(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].nr, to_io - at - 1, 0);
        }
    emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit_ranges(&libc_code);
    emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
    emit_ranges(&libc_code);
    emit_ranges(&other_code);
    emit(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);

    struct sock_fprog program = { (unsigned short)ncode, code };
    take_sigsys();
    if (raw(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0))
        die("cannot set no_new_privs");
    if (raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&program, 0, 0, 0))
        die("the kernel or the container refuses a seccomp filter");
}

/* ---- reading the settings --------------------------------------------------- */

static unsigned long number(const char *name, unsigned long otherwise)
{
    const char *s = getenv(name);
    if (!s || !*s)
        return otherwise;
    char *end;
    unsigned long v = strtoul(s, &end, 10);
    if (*end)
        die("a setting that must be a number is not one");
    return v;
}

static int name_to_number(const char *s)
{
    static const struct {
        const char *name;
        int value;
    } names[] = {
        { "EIO", EIO },
        { "ENOSPC", ENOSPC },
        { "EDQUOT", EDQUOT },
        { "EINTR", EINTR },
        { "EAGAIN", EAGAIN },
        { "EFBIG", EFBIG },
        { "ENOMEM", ENOMEM },
        { "EMFILE", EMFILE },
        { "ENFILE", ENFILE },
        { "EACCES", EACCES },
        { "EPERM", EPERM },
        { "EROFS", EROFS },
        { "ENOENT", ENOENT },
        { "EEXIST", EEXIST },
        { "EXDEV", EXDEV },
        { "EINVAL", EINVAL },
        { "ESTALE", ESTALE },
        { "EPIPE", EPIPE },
        { "EOPNOTSUPP", EOPNOTSUPP },
        { "ENOSYS", ENOSYS },
        { "EBADF", EBADF },
        { "EISDIR", EISDIR },
        { "ELOOP", ELOOP },
        { "ETXTBSY", ETXTBSY },
        { "SIGKILL", SIGKILL },
        { "SIGTERM", SIGTERM },
        { "SIGINT", SIGINT },
        { "SIGHUP", SIGHUP },
        { "SIGPIPE", SIGPIPE },
        { "SIGQUIT", SIGQUIT },
        { "SIGXFSZ", SIGXFSZ },
        { "SIGXCPU", SIGXCPU },
        { "SIGSTOP", SIGSTOP },
        { "SIGUSR1", SIGUSR1 },
        { "SIGUSR2", SIGUSR2 },
        { "SIGABRT", SIGABRT },
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (!strcmp(s, names[i].name))
            return names[i].value;
    return -1;
}

static void read_deed(const char *s)
{
    static const struct {
        const char *name;
        enum deed deed;
    } words[] = {
        { "none", D_NONE },     { "short", D_SHORT }, { "zero", D_ZERO },
        { "flip", D_FLIP },     { "lie", D_LIE },     { "torn", D_TORN },
        { "astray", D_ASTRAY },
    };
    if (!s || !*s)
        return;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(s, words[i].name)) {
            cfg.deed = words[i].deed;
            return;
        }
    if (!strncmp(s, "delay=", 6)) {
        cfg.deed = D_DELAY;
        cfg.number = atoi(s + 6);
        return;
    }
    cfg.deed = *s == 'E' ? D_ERRNO : D_SIGNAL;
    if (!strncmp(s, "after-", 6)) {
        cfg.deed = D_AFTER;
        s += 6;
    }
    cfg.number = name_to_number(s);
    if (cfg.number < 0)
        die("IOFAULT_DO is not a known errno, signal or word");
}

static void read_groups(const char *s)
{
    while (*s) {
        size_t len = strcspn(s, ",");
        unsigned bits = 0;
        if (len == 2 && !strncmp(s, "io", 2))
            bits = ALL_IO;
        for (int g = 0; g < G_COUNT; g++)
            if (strlen(group_name[g]) == len && !strncmp(s, group_name[g], len))
                bits = BIT(g);
        if (!bits)
            die("IOFAULT_OP names an unknown group");
        cfg.groups |= bits;
        s += len + (s[len] == ',');
    }
}

__attribute__((constructor)) static void start(void)
{
    const char *ops = getenv("IOFAULT_OP"), *only = getenv("IOFAULT_EXE");
    if (!ops || !*ops)
        return;
    strncpy(cfg.exe, program_invocation_short_name, sizeof cfg.exe - 1);
    if (only && *only && strcmp(only, cfg.exe))
        return;
    read_groups(ops);
    read_deed(getenv("IOFAULT_DO"));
    cfg.at = number("IOFAULT_AT", 1);
    cfg.every = number("IOFAULT_EVERY", 1);
    cfg.times = number("IOFAULT_TIMES", 1);
    cfg.one_in = number("IOFAULT_ONE_IN", 0);
    cfg.seed = number("IOFAULT_SEED", 1);
    cfg.alloc_min = number("IOFAULT_ALLOC_MIN", 0);
    cfg.fd = (int)number("IOFAULT_FD", (unsigned long)-1);
    cfg.path = getenv("IOFAULT_PATH");
    cfg.report = getenv("IOFAULT_REPORT");
    if (cfg.path && !*cfg.path)
        cfg.path = NULL;
    if (!cfg.every)
        cfg.every = 1;
    install_filter();
    __atomic_store_n(&cfg.active, 1, __ATOMIC_RELEASE);
}

/* ---- allocations, threads
 * -------------------------------------------------------------- */

#ifndef IOFAULT_NO_ALLOC /* a sanitizer's own malloc must come first */

static char early[16384]; /* what dlsym itself may ask for */
static size_t early_used;

static void *early_alloc(size_t n)
{
    size_t at = (early_used + 15) & ~(size_t)15;
    if (n > sizeof early - at)
        return NULL;
    early_used = at + n;
    return early + at;
}

static int is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof early;
}

/* Finds the allocator behind this one.  NULL while the search is under way. */
static void *next_of(void **slot, const char *name)
{
    static __thread int searching __attribute__((tls_model("initial-exec")));
    void *f = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
    if (f || searching)
        return f;
    searching = 1;
    f = dlsym(RTLD_NEXT, name);
    searching = 0;
    __atomic_store_n(slot, f, __ATOMIC_RELEASE);
    return f;
}

static int alloc_fails(size_t n)
{
    if (!__atomic_load_n(&cfg.active, __ATOMIC_ACQUIRE) || !(cfg.groups & BIT(G_ALLOC)) ||
        n < cfg.alloc_min)
        return 0;
    __atomic_add_fetch(&seen[G_ALLOC], 1, __ATOMIC_RELAXED);
    unsigned long k = draw();
    if (!k)
        return 0;
    report_fault(k, G_ALLOC, "heap");
    if (cfg.deed == D_SIGNAL || cfg.deed == D_AFTER) {
        raise_here(cfg.number);
        return 0;
    }
    if (cfg.deed == D_TORN)
        raise_here(SIGKILL);
    return cfg.deed == D_ERRNO;
}

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

#define NEXT(type, name, ...)                                                            \
    static void *slot;                                                                   \
    type (*f)(__VA_ARGS__) = (type(*)(__VA_ARGS__))next_of(&slot, name)

void *malloc(size_t n)
{
    NEXT(void *, "malloc", size_t);
    if (!f)
        return early_alloc(n);
    if (alloc_fails(n)) {
        errno = ENOMEM;
        return NULL;
    }
    return f(n);
}

void *calloc(size_t n, size_t size)
{
    NEXT(void *, "calloc", size_t, size_t);
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    if (!f)
        return early_alloc(bytes); /* static storage: already zero */
    if (alloc_fails(bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return f(n, size);
}

void *realloc(void *p, size_t n)
{
    NEXT(void *, "realloc", void *, size_t);
    if (is_early(p)) {
        void *q = malloc(n);
        size_t room = (size_t)(early + sizeof early - (char *)p);
        if (q)
            memcpy(q, p, n < room ? n : room);
        return q;
    }
    if (!f)
        return early_alloc(n);
    if (n && alloc_fails(n)) {
        errno = ENOMEM;
        return NULL;
    }
    return f(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, bytes);
}

int posix_memalign(void **out, size_t align, size_t n)
{
    NEXT(int, "posix_memalign", void **, size_t, size_t);
    if (!f || alloc_fails(n))
        return ENOMEM;
    return f(out, align, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    NEXT(void *, "aligned_alloc", size_t, size_t);
    if (!f || alloc_fails(n)) {
        errno = ENOMEM;
        return NULL;
    }
    return f(align, n);
}

void *memalign(size_t align, size_t n)
{
    NEXT(void *, "memalign", size_t, size_t);
    if (!f || alloc_fails(n)) {
        errno = ENOMEM;
        return NULL;
    }
    return f(align, n);
}

/* clone3 cannot be performed from a signal handler: the thread's call is counted instead.
 */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
                   void *arg)
{
    static void *slot;
    create_fn *f = (create_fn *)next_of(&slot, "pthread_create");
    if (!f)
        return EAGAIN;
    if (__atomic_load_n(&cfg.active, __ATOMIC_ACQUIRE) && cfg.groups & BIT(G_THREAD)) {
        __atomic_add_fetch(&seen[G_THREAD], 1, __ATOMIC_RELAXED);
        unsigned long k = draw();
        if (k) {
            report_fault(k, G_THREAD, "thread");
            if (cfg.deed == D_ERRNO)
                return cfg.number;
            if (cfg.deed == D_SIGNAL)
                raise_here(cfg.number);
        }
    }
    return f(thread, attr, run, arg);
}

void free(void *p)
{
    NEXT(void, "free", void *);
    if (!p || is_early(p) || !f)
        return;
    f(p);
}

#endif

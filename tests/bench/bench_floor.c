/* bench_floor - the stopwatch of scripts/bench, and the least that two passes can cost.
 *
 *   bench_floor copy IN TMP OUT       reads IN, writes TMP, reads TMP, writes OUT
 *   bench_floor time [-c PROCS] [-f FILE] COMMAND [ARG]...
 *
 * `copy` moves what any shuffle of more than memory must move, in large direct blocks,
 * and does nothing else: the disk's own time.  OUT equals IN.  TMP is gone at the end.
 *
 * `time` prints one line: exit status (128 + signal if killed), seconds until the command
 * ended, seconds until FILE was on the disk too, CPU seconds, peak resident KiB of the
 * largest process.  PROCS is the cgroup.procs of the group that the command runs in. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK_BYTES = 4 << 20, ALIGN_BYTES = 4096, NTHREADS_MAX = 16 };

struct end {
    int fd;
    const char *name;
};

struct pass {
    struct end from, to;
    uint64_t size_bytes;
    atomic_uint_fast64_t next_block;
    atomic_bool failed;
};

static bool tell(const char *what)
{
    fprintf(stderr, "bench_floor: %s: %s\n", what, strerror(errno));
    return false;
}

static bool read_block(struct pass *p, uint8_t *buf, size_t n, uint64_t at)
{
    /* a direct read asks for whole sectors and ends short at the end of the file */
    size_t ask = (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    for (size_t got = 0; got < n;) {
        ssize_t k = pread(p->from.fd, buf + got, ask - got, (off_t)(at + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k == 0)
            errno = ENODATA;
        if (k <= 0)
            return tell(p->from.name);
        got += (size_t)k;
    }
    return true;
}

static bool write_block(struct pass *p, uint8_t *buf, size_t n, uint64_t at)
{
    size_t whole = (n + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    memset(buf + n, 0, whole - n);
    for (size_t put = 0; put < whole;) {
        ssize_t k = pwrite(p->to.fd, buf + put, whole - put, (off_t)(at + put));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return tell(p->to.name);
        put += (size_t)k;
    }
    return true;
}

/* Each thread reads a block and writes it: of two, one reads while the other writes. */
static void *copy_blocks(void *arg)
{
    struct pass *p = arg;
    uint8_t *buf = aligned_alloc(ALIGN_BYTES, BLOCK_BYTES);
    if (!buf) {
        tell("memory");
        p->failed = true;
        return NULL;
    }
    while (!p->failed) {
        uint64_t at = atomic_fetch_add(&p->next_block, 1) * BLOCK_BYTES;
        if (at >= p->size_bytes)
            break;
        uint64_t left = p->size_bytes - at;
        size_t n = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
        if (!read_block(p, buf, n, at) || !write_block(p, buf, n, at))
            p->failed = true;
    }
    free(buf);
    return NULL;
}

static bool run_pass(struct pass *p, unsigned nthreads)
{
    pthread_t threads[NTHREADS_MAX];
    unsigned n = 0;
    /* Space first: a write that grows the file locks it against the other thread. */
    if (p->size_bytes > 0 && fallocate(p->to.fd, 0, 0, (off_t)p->size_bytes) < 0 &&
        errno != EOPNOTSUPP)
        return tell(p->to.name);
    for (; n < nthreads; n++) {
        errno = pthread_create(&threads[n], NULL, copy_blocks, p);
        if (errno) {
            p->failed = true;
            tell("thread");
            break;
        }
    }
    while (n > 0)
        pthread_join(threads[--n], NULL);
    if (!p->failed && ftruncate(p->to.fd, (off_t)p->size_bytes) < 0)
        return tell(p->to.name);
    return !p->failed;
}

/* Past the page cache where the filesystem can, through it (and told) where it cannot. */
static int open_direct(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC | O_DIRECT, 0666);
    if (fd < 0 && errno == EINVAL) {
        fprintf(stderr, "bench_floor: %s: no direct I/O here, buffered instead\n", path);
        fd = open(path, flags | O_CLOEXEC, 0666);
    }
    if (fd < 0)
        tell(path);
    return fd;
}

static bool copy_twice(const char *in_name, const char *tmp_name, const char *out_name,
                       unsigned nthreads)
{
    bool ok = false;
    struct stat st;
    int tmp = -1, out = -1;
    int in = open_direct(in_name, O_RDONLY);
    if (in < 0)
        goto done;
    if (fstat(in, &st) < 0) {
        tell(in_name);
        goto done;
    }
    tmp = open_direct(tmp_name, O_RDWR | O_CREAT | O_TRUNC);
    if (tmp < 0)
        goto done;
    unlink(tmp_name);
    out = open_direct(out_name, O_WRONLY | O_CREAT | O_TRUNC);
    if (out < 0)
        goto done;

    uint64_t n = (uint64_t)st.st_size;
    struct pass first = { .from = { in, in_name },
                          .to = { tmp, tmp_name },
                          .size_bytes = n };
    struct pass second = { .from = { tmp, tmp_name },
                           .to = { out, out_name },
                           .size_bytes = n };
    ok = run_pass(&first, nthreads) && run_pass(&second, nthreads);
done:
    if (out >= 0 && close(out) < 0)
        ok = tell(out_name);
    if (tmp >= 0)
        close(tmp);
    if (in >= 0)
        close(in);
    return ok;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec * 1e-6;
}

static bool join_group(const char *procs)
{
    int fd = open(procs, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, "0", 1) == 1;
    if (!ok)
        tell(procs);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool flush_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        tell(path);
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool time_command(const char *procs, const char *file, char **argv)
{
    struct rusage use;
    int status;
    double start = now();
    pid_t pid = fork();
    if (pid < 0)
        return tell("fork");
    if (pid == 0) {
        if (!procs || join_group(procs)) {
            execvp(argv[0], argv);
            tell(argv[0]);
        }
        _exit(127);
    }
    while (wait4(pid, &status, 0, &use) < 0) {
        if (errno != EINTR)
            return tell("wait");
    }
    double ended = now();
    bool ok = !file || flush_file(file);
    double on_disk = now();
    int code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    printf("%d %.3f %.3f %.3f %ld\n", code, ended - start, on_disk - start,
           seconds(use.ru_utime) + seconds(use.ru_stime), use.ru_maxrss);
    return fflush(stdout) == 0 && ok;
}

static int usage(void)
{
    fprintf(stderr, "usage: bench_floor copy [-j THREADS] IN TMP OUT\n"
                    "       bench_floor time [-c PROCS] [-f FILE] COMMAND [ARG]...\n");
    return 1;
}

int main(int argc, char **argv)
{
    const char *procs = NULL, *file = NULL;
    unsigned long nthreads = 2;
    if (argc < 2)
        return usage();
    const char *mode = argv[1];
    argc--;
    argv++;
    for (int c; (c = getopt(argc, argv, "+c:f:j:")) != -1;) {
        switch (c) {
        case 'c': procs = optarg; break;
        case 'f': file = optarg; break;
        case 'j': nthreads = strtoul(optarg, NULL, 10); break;
        default: return usage();
        }
    }
    argc -= optind;
    argv += optind;
    if (strcmp(mode, "copy") == 0 && argc == 3 && nthreads > 0 &&
        nthreads <= NTHREADS_MAX)
        return copy_twice(argv[0], argv[1], argv[2], (unsigned)nthreads) ? 0 : 1;
    if (strcmp(mode, "time") == 0 && argc > 0)
        return time_command(procs, file, argv) ? 0 : 1;
    return usage();
}

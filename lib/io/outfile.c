#include "io/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/key.h"
#include "base/mem.h"
#include "base/quote.h"

/* Hidden names that exist now, for the signal handler.  A slot is taken by
 * compare-and-swap. */
enum { HIDDEN_MAX = 4096 };
static _Atomic(char *) hidden[HIDDEN_MAX];
static unsigned held; /* how often signals are held back; the caller's one thread only */

static void hide(char *path)
{
    for (size_t i = 0; i < HIDDEN_MAX; i++) {
        char *none = NULL;
        if (atomic_compare_exchange_strong(&hidden[i], &none, path))
            return;
    }
}

static void unhide(char *path)
{
    for (size_t i = 0; i < HIDDEN_MAX; i++) {
        char *mine = path;
        if (atomic_compare_exchange_strong(&hidden[i], &mine, NULL))
            return;
    }
}

void tsl_outfile_unlink_all(void)
{
    for (size_t i = 0; i < HIDDEN_MAX; i++) {
        char *path = atomic_load(&hidden[i]);
        if (path)
            (void)unlink(path);
    }
}

void tsl_outfile_hold_signals(bool hold)
{
    static sigset_t old;
    sigset_t deadly;
    sigemptyset(&deadly);
    sigaddset(&deadly, SIGHUP);
    sigaddset(&deadly, SIGINT);
    sigaddset(&deadly, SIGTERM);
    if (hold && held++ == 0)
        (void)sigprocmask(SIG_BLOCK, &deadly, &old);
    else if (!hold && --held == 0)
        (void)sigprocmask(SIG_SETMASK, &old, NULL);
}

static char *join(const char *dir, const char *name, const char *suffix,
                  struct tsl_err *err)
{
    size_t n = strlen(dir) + strlen(name) + strlen(suffix) + 2;
    char *s = tsl_mem_alloc(n, 1, "a name", err);
    if (s)
        snprintf(s, n, "%s/%s%s", dir, name, suffix);
    return s;
}

/* Follows links at path's end to where a file would be made, existing or not. */
static char *resolve(const char *path, struct tsl_err *err)
{
    char *at = tsl_mem_strdup(path, err);
    for (int hops = 0; at && hops < 40; hops++) {
        char to[PATH_MAX];
        ssize_t n = readlink(at, to, sizeof to - 1);
        if (n < 0)
            return at;
        to[n] = '\0';
        char *next;
        if (to[0] == '/') {
            next = tsl_mem_strdup(to, err);
        } else {
            char *copy = tsl_mem_strdup(at, err);
            next = copy ? join(dirname(copy), to, "", err) : NULL;
            tsl_mem_free(copy);
        }
        tsl_mem_free(at);
        at = next;
    }
    if (at)
        tsl_err_sys(err, ELOOP, "%s", tsl_quote(path).s);
    tsl_mem_free(at);
    return NULL;
}

/* The name says nothing of the target: that one may be as long as names can be. */
static int open_hidden(struct tsl_outfile *o, struct tsl_err *err)
{
    o->temp = join(o->dir, ".teasel", ".XXXXXX", err);
    if (!o->temp)
        return TSL_ENOMEM;
    tsl_outfile_hold_signals(
        true); /* none may come between the file and its being known */
    int fd;
    do
        fd = mkostemp(o->temp, O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    int eno = errno;
    if (fd >= 0)
        hide(o->temp);
    tsl_outfile_hold_signals(false);
    errno = eno;
    if (fd < 0) {
        tsl_mem_free(o->temp);
        o->temp = NULL;
        errno = eno;
        return -1;
    }
    return fd;
}

/* An existing target lends its mode (and owner, where we may); a new one has the usual
 * one. */
static void dress(const struct tsl_outfile *o)
{
    struct stat st;
    mode_t mask = umask(0);
    umask(mask);
    if (stat(o->target, &st) == 0) {
        if (fchown(o->file.fd, st.st_uid, st.st_gid) < 0)
            st.st_mode &= 0777; /* never hand set-id bits to another owner */
        (void)fchmod(o->file.fd, st.st_mode & 07777);
    } else {
        (void)fchmod(o->file.fd, 0666 & ~mask);
    }
}

int tsl_outfile_check(const char *path, struct tsl_err *err)
{
    struct stat st;
    int rc = 0;
    if (!path) {
        int mode = fcntl(STDOUT_FILENO, F_GETFL);
        if (mode >= 0 && (mode & O_ACCMODE) != O_RDONLY)
            return 0;
        return tsl_err_sys(err, EBADF, "standard output: cannot write");
    }
    if (stat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return tsl_err_sys(err, EISDIR, "%s", tsl_quote(path).s);
        return access(path, W_OK) < 0 ? tsl_err_sys(err, errno, "%s", tsl_quote(path).s)
                                      : 0;
    }
    if (!*path)
        return tsl_err_sys(err, ENOENT, "%s", tsl_quote(path).s);
    char *target = resolve(path, err);
    if (!target)
        return err && err->code ? err->code : TSL_EIO;
    const char *dir = dirname(target);
    if (stat(dir, &st) < 0 || access(dir, W_OK | X_OK) < 0)
        rc = tsl_err_sys(err, errno, "%s", tsl_quote(path).s);
    tsl_mem_free(target);
    return rc;
}

int tsl_outfile_open(struct tsl_outfile *o, const char *path, bool named,
                     struct tsl_err *err)
{
    struct stat st;
    int rc = TSL_ENOMEM, fd = -1;
    *o = (struct tsl_outfile){ .file = TSL_FILE_INIT };
    if (!path) /* a closed one fails at the first write, and only if there is one */
        return tsl_file_wrap(&o->file, STDOUT_FILENO, "standard output", true, err);
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        do
            fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        while (fd < 0 && errno == EINTR);
        if (fd < 0)
            return tsl_err_sys(err, errno, "%s", tsl_quote(path).s);
        return tsl_file_wrap(&o->file, fd, path, false, err);
    }
    o->target = resolve(path, err);
    if (!o->target) {
        rc = err && err->code ? err->code : TSL_EIO;
        goto fail;
    }
    char *copy = tsl_mem_strdup(o->target, err);
    o->dir = copy ? tsl_mem_strdup(dirname(copy), err) : NULL;
    tsl_mem_free(copy);
    if (!o->dir)
        goto fail;
    /* as the shell's `>` would refuse it, before hours of work */
    if (stat(o->target, &st) == 0 && access(o->target, W_OK) < 0) {
        rc = tsl_err_sys(err, errno, "%s", tsl_quote(path).s);
        goto fail;
    }
#ifdef O_TMPFILE
    /* it is named through /proc: where that is missing, better know it now */
    named |= access("/proc/self/fd", X_OK) < 0;
    while (!named && (fd = open(o->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)) < 0 &&
           errno == EINTR)
        ;
#endif
    if (fd < 0 && (named || errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
        fd = open_hidden(o, err);
    if (fd < 0) {
        rc = tsl_err_sys(err, errno, "%s: cannot make a file in %s", tsl_quote(path).s,
                         tsl_quote(o->dir).s);
        goto fail;
    }
    rc = tsl_file_wrap(&o->file, fd, path, false, err);
    if (rc < 0)
        goto fail;
    dress(o);
    return 0;
fail:
    tsl_outfile_close(o);
    return rc;
}

int tsl_outfile_done(struct tsl_outfile *o, struct tsl_err *err)
{
    int rc = 0;
    if (o->target)
        rc = tsl_file_sync(&o->file, err);
    if (rc == 0 && o->temp)
        rc = tsl_file_close(&o->file, err);
    o->written = rc == 0;
    return rc;
}

static int sync_dir(const char *dir, struct tsl_err *err)
{
    int fd, rc;
    do
        fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return tsl_err_sys(err, errno, "%s", tsl_quote(dir).s);
    do
        rc = fsync(fd);
    while (rc < 0 && errno == EINTR);
    /* some filesystems cannot sync a folder: they promise nothing we could wait for */
    if (rc < 0 && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
        rc = tsl_err_sys(err, errno, "%s: cannot bring the folder to the disk",
                         tsl_quote(dir).s);
    else
        rc = 0;
    if (close(fd) < 0 && errno != EINTR && rc == 0)
        rc = tsl_err_sys(err, errno, "%s: cannot close", tsl_quote(dir).s);
    return rc;
}

static int link_to(const char *from, const char *to)
{
    int rc;
    do
        rc = linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
    while (rc < 0 && errno == EINTR);
    return rc;
}

/* Names the anonymous file.  linkat never replaces, so an existing target needs a hidden
 * name for the moment before the rename. */
static int give_name(struct tsl_outfile *o, struct tsl_err *err)
{
    char proc[40];
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", o->file.fd);
    if (link_to(proc, o->target) == 0)
        return 0;
    for (unsigned tries = 0; errno == EEXIST && tries < 100; tries++) {
        /* known to the signal handler before it exists; a name from the clock and the
         * process is as good as any: linkat refuses one that somebody has */
        char unique[40];
        snprintf(unique, sizeof unique, ".%lx-%u",
                 (unsigned long)(tsl_key_random_seed() & 0xffffffff), tries);
        o->temp = join(o->dir, ".teasel", unique, err);
        if (!o->temp)
            return TSL_ENOMEM;
        hide(o->temp);
        if (link_to(proc, o->temp) == 0)
            return 0;
        int eno = errno;
        unhide(o->temp);
        tsl_mem_free(o->temp);
        o->temp = NULL;
        errno = eno;
    }
    return tsl_err_sys(err, errno, "%s: cannot name the result", tsl_quote(o->target).s);
}

int tsl_outfile_name(struct tsl_outfile *o, struct tsl_err *err)
{
    struct stat st;
    if (!o->target)
        return 0;
    o->existed = lstat(o->target, &st) == 0;
    int rc = o->temp ? 0 : give_name(o, err);
    if (rc == 0 && o->temp) {
        int rc2;
        do
            rc2 = rename(o->temp, o->target);
        while (rc2 < 0 && errno == EINTR);
        if (rc2 < 0)
            return tsl_err_sys(err, errno, "%s: cannot rename the result",
                               tsl_quote(o->target).s);
        unhide(o->temp);
        tsl_mem_free(o->temp);
        o->temp = NULL;
    }
    o->final = rc == 0;
    return rc;
}

int tsl_outfile_sync_dir(const struct tsl_outfile *o, struct tsl_err *err)
{
    return o->target ? sync_dir(o->dir, err) : 0;
}

void tsl_outfile_undo(struct tsl_outfile *o)
{
    if (o->final && !o->existed)
        (void)unlink(o->target);
    o->final = false;
}

int tsl_outfile_commit(struct tsl_outfile *o, struct tsl_err *err)
{
    int rc = tsl_outfile_name(o, err);
    if (rc == 0)
        rc = tsl_outfile_sync_dir(o, err);
    int rc2 = tsl_file_close(&o->file, rc == 0 ? err : NULL);
    rc = rc < 0 ? rc : rc2;
    if (rc < 0)
        tsl_outfile_undo(o);
    return rc;
}

int tsl_outfile_commit_all(struct tsl_outfile *const *all, size_t n, struct tsl_err *err)
{
    const char *synced = NULL;
    int rc = 0;
    tsl_outfile_hold_signals(true);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tsl_outfile_name(all[i], err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        const char *dir = all[i]->dir;
        if (!synced || !dir || strcmp(dir, synced) != 0)
            rc = tsl_outfile_sync_dir(all[i], err);
        synced = dir;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tsl_file_close(&all[i]->file, err);
    for (size_t i = 0; i < n && rc < 0; i++)
        tsl_outfile_undo(all[i]);
    tsl_outfile_hold_signals(false);
    return rc;
}

void tsl_outfile_close(struct tsl_outfile *o)
{
    tsl_file_close(&o->file, NULL);
    if (o->temp) {
        (void)unlink(o->temp);
        unhide(o->temp);
    }
    tsl_mem_free(o->temp);
    tsl_mem_free(o->target);
    tsl_mem_free(o->dir);
    *o = (struct tsl_outfile){ .file = TSL_FILE_INIT };
}

#include "io/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/quote.h"

enum { PREFIX = 17, SIZE_MAX_BYTES = 1 << 30 };

static void prefix_of(char prefix[PREFIX + 1], const char *line, size_t n)
{
    snprintf(prefix, PREFIX + 1, "%016" PRIx64 " ", tsl_hash64(line, n, 0));
}

static int keep(struct tsl_journal *j, const char *line, size_t n, struct tsl_err *err)
{
    int rc = tsl_mem_grow(&j->lines, &j->cap, j->nlines + 1, sizeof *j->lines,
                          "a journal", err);
    char *copy = rc < 0 ? NULL : tsl_mem_alloc(n + 1, 1, "a journal", err);
    if (!copy)
        return TSL_ENOMEM;
    memcpy(copy, line, n);
    j->lines[j->nlines++] = copy;
    return 0;
}

/* Takes the lines of text; *whole: bytes up to the last good one's end. */
static int take_lines(struct tsl_journal *j, const char *text, size_t n, size_t *whole,
                      struct tsl_err *err)
{
    *whole = 0;
    while (*whole < n) {
        const char *line = text + *whole, *end = memchr(line, '\n', n - *whole);
        char prefix[PREFIX + 1];
        bool good = end && end - line >= PREFIX;
        if (good) {
            prefix_of(prefix, line + PREFIX, (size_t)(end - line) - PREFIX);
            good = memcmp(prefix, line, PREFIX) == 0;
        }
        if (!good && end)
            return tsl_err_set(err, TSL_EFORMAT, "%s: line %zu is damaged", j->file.name,
                               j->nlines + 1);
        if (!good)
            return 0; /* torn: it was not finished */
        int rc = keep(j, line + PREFIX, (size_t)(end - line) - PREFIX, err);
        if (rc < 0)
            return rc;
        *whole = (size_t)(end + 1 - text);
    }
    return 0;
}

static int read_lines(struct tsl_journal *j, struct tsl_err *err)
{
    uint64_t n = j->file.size;
    size_t whole = 0;
    if (n > SIZE_MAX_BYTES)
        return tsl_err_set(err, TSL_EFORMAT, "%s: too large for a journal", j->file.name);
    char *text = tsl_mem_alloc((size_t)n + 1, 1, "a journal", err);
    int rc = text ? tsl_file_pread(&j->file, text, (size_t)n, 0, err) : TSL_ENOMEM;
    if (rc == 0)
        rc = take_lines(j, text, (size_t)n, &whole, err);
    if (rc == 0 && ftruncate(j->file.fd, (off_t)whole) < 0)
        rc = tsl_err_sys(err, errno, "%s: cannot cut off its torn end", j->file.name);
    if (rc == 0 && lseek(j->file.fd, (off_t)whole, SEEK_SET) < 0)
        rc = tsl_err_sys(err, errno, "%s", j->file.name);
    tsl_mem_free(text);
    return rc;
}

static int sync_folder(const struct tsl_journal *j, struct tsl_err *err)
{
    int fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc =
        fd < 0 || fsync(fd) < 0
            ? tsl_err_sys(err, errno, "%s: cannot sync the folder", tsl_quote(j->dir).s)
            : 0;
    if (fd >= 0)
        close(fd);
    return rc;
}

int tsl_journal_open(struct tsl_journal *j, const char *path, enum tsl_journal_how how,
                     struct tsl_err *err)
{
    int flags = O_RDWR | O_CREAT | O_CLOEXEC | (how == TSL_JOURNAL_NEW ? O_EXCL : 0), fd;
    *j = (struct tsl_journal){ .file = TSL_FILE_INIT };
    char *copy = tsl_mem_strdup(path, err);
    j->path = tsl_mem_strdup(path, err);
    j->dir = copy ? tsl_mem_strdup(dirname(copy), err) : NULL;
    tsl_mem_free(copy);
    int rc = j->path && j->dir ? 0 : TSL_ENOMEM;
    while (rc == 0 && (fd = open(path, flags, 0666)) < 0)
        if (errno == EEXIST)
            rc =
                tsl_err_set(err, TSL_EUSAGE,
                            "%s: a job was begun here and not finished: --resume goes on "
                            "with it, --force begins anew",
                            tsl_quote(path).s);
        else if (errno != EINTR)
            rc = tsl_err_sys(err, errno, "%s", tsl_quote(path).s);
    if (rc == 0)
        rc = tsl_file_wrap(&j->file, fd, path, false, err);
    if (rc == 0 && flock(j->file.fd, LOCK_EX | LOCK_NB) < 0)
        rc = errno == EWOULDBLOCK
                 ? tsl_err_set(err, TSL_EUSAGE, "%s: another process is writing this set",
                               j->file.name)
                 : tsl_err_sys(err, errno, "%s: cannot lock it", j->file.name);
    if (rc == 0 && how == TSL_JOURNAL_FORCE && ftruncate(j->file.fd, 0) < 0)
        rc = tsl_err_sys(err, errno, "%s", j->file.name);
    if (rc == 0 && how == TSL_JOURNAL_RESUME)
        rc = read_lines(j, err);
    if (rc == 0)
        rc = sync_folder(j, err);
    if (rc < 0)
        tsl_journal_close(j);
    return rc;
}

int tsl_journal_add(struct tsl_journal *j, const char *line, struct tsl_err *err)
{
    size_t n = strlen(line);
    char *text = tsl_mem_alloc(PREFIX + n + 2, 1, "a journal", err);
    if (!text)
        return TSL_ENOMEM;
    prefix_of(text, line, n);
    memcpy(text + PREFIX, line, n);
    text[PREFIX + n] = '\n';
    int rc = tsl_file_write(&j->file, text, PREFIX + n + 1, err);
    if (rc == 0)
        rc = tsl_file_sync(&j->file, err);
    tsl_mem_free(text);
    return rc < 0 ? rc : keep(j, line, n, err);
}

int tsl_journal_remove(struct tsl_journal *j, struct tsl_err *err)
{
    if (unlink(j->path) < 0)
        return tsl_err_sys(err, errno, "%s: cannot remove it", tsl_quote(j->path).s);
    return sync_folder(j, err);
}

void tsl_journal_close(struct tsl_journal *j)
{
    tsl_file_close(&j->file, NULL);
    for (size_t i = 0; i < j->nlines; i++)
        tsl_mem_free(j->lines[i]);
    tsl_mem_free(j->lines);
    tsl_mem_free(j->path);
    tsl_mem_free(j->dir);
    *j = (struct tsl_journal){ .file = TSL_FILE_INIT };
}

#include "support/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void test_ok(long long rc, const struct tsl_err *err, const char *what, const char *file,
             int line)
{
    if (rc >= 0)
        return;
    print_error("%s: %lld: %s\n", what, rc, err && err->code ? err->msg : "no message");
    _fail(file, line);
}

void test_err(long long rc, int code, struct tsl_err *err, const char *part,
              const char *what, const char *file, int line)
{
    bool right = rc == code && err->code == code && strstr(err->msg, part) &&
                 !strchr(err->msg, '\n');
    if (!right) {
        print_error("%s: %lld (%d: %s), expected %d: ...%s...\n", what, rc, err->code,
                    err->msg, code, part);
        _fail(file, line);
    }
    *err = (struct tsl_err){ 0 };
}

/* Whether a sanitizer writes its reports there, san.PID in tests/run: the file is opened at its
 * first word, which may be no more than that an allocation failed, and stays open. */
static bool reports(int fd)
{
    char link[64], path[4096], name[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    snprintf(name, sizeof name, "/san.%ld", (long)getpid());
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = '\0';
    const char *last = strrchr(path, '/');
    return last && strcmp(last, name) == 0;
}

/* Which of the first descriptors are open, a bit each. */
static uint64_t descriptors(void)
{
    uint64_t open = 0;
    for (int fd = 0; fd < 64; fd++)
        open |= (uint64_t)(fcntl(fd, F_GETFD) >= 0 && !reports(fd)) << fd;
    return open;
}

static uint64_t descriptors_before;

unsigned test_thrift(void)
{
    const char *emulator = getenv("EMULATOR");
#ifdef __SANITIZE_THREAD__
    return 16;
#endif
    return emulator && *emulator ? 16 : 1;
}

int test_enter_folder(void **state)
{
    char name[] = "test-XXXXXX";
    (void)state;
    descriptors_before = descriptors();
    return mkdtemp(name) && chdir(name) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind;
    return at->level == 0 ? 0 : remove(path);
}

int test_leave_folder(void **state)
{
    char *here = getcwd(NULL, 0);
    (void)state;
    int rc = nftw(".", remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (chdir("..") < 0 || !here || rmdir(here) < 0)
        rc = -1;
    free(here);
    if (descriptors() != descriptors_before) {
        print_error("descriptors open: %llx, before the test %llx\n",
                    (unsigned long long)descriptors(),
                    (unsigned long long)descriptors_before);
        rc = -1;
    }
    return rc;
}

size_t folder_count(const char *dir)
{
    DIR *d = opendir(dir);
    size_t n = 0;
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

bool folder_is_empty(const char *dir)
{
    return folder_count(dir) == 0;
}

void file_put(const char *name, const void *p, size_t n)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

void file_put_text(const char *name, const char *text)
{
    file_put(name, text, strlen(text));
}

uint8_t *file_get(const char *name, size_t *n)
{
    FILE *f = fopen(name, "rb");
    size_t cap = 0;
    uint8_t *p = NULL;
    *n = 0;
    if (!f)
        return NULL;
    do {
        cap = cap ? 2 * cap : 65536;
        p = realloc(p, cap);
        assert_non_null(p);
        *n += fread(p + *n, 1, cap - 1 - *n, f);
    } while (*n == cap - 1);
    fclose(f);
    p[*n] = '\0';
    return p;
}

bool file_is(const char *name, const void *p, size_t n)
{
    size_t k;
    uint8_t *q = file_get(name, &k);
    bool same = q && k == n && memcmp(p, q, n) == 0;
    free(q);
    return same;
}

bool file_is_text(const char *name, const char *text)
{
    return file_is(name, text, strlen(text));
}

bool file_exists(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

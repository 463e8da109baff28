#include "io/outfolder.h"

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "io/outfile.h"

int tsl_outfolder_check(const char *dir, struct tsl_err *err)
{
    struct stat st;
    int rc = 0;
    if (stat(dir, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            return tsl_err_sys(err, ENOTDIR, "%s", tsl_quote(dir).s);
        return access(dir, W_OK | X_OK) < 0
                   ? tsl_err_sys(err, errno, "%s", tsl_quote(dir).s)
                   : 0;
    }
    if (!*dir || errno != ENOENT)
        return tsl_err_sys(err, errno, "%s", tsl_quote(dir).s);
    char *copy = tsl_mem_strdup(dir, err);
    if (!copy)
        return TSL_ENOMEM;
    const char *parent = dirname(copy);
    if (stat(parent, &st) < 0 || access(parent, W_OK | X_OK) < 0)
        rc = tsl_err_sys(err, errno, "%s: cannot make the folder", tsl_quote(dir).s);
    tsl_mem_free(copy);
    return rc;
}

static int write_one(struct tsl_outfile *o, const char *dir,
                     const struct tsl_outfolder_file *f, struct tsl_err *err)
{
    *o = (struct tsl_outfile){ .file = TSL_FILE_INIT };
    size_t cap = strlen(dir) + strlen(f->name) + 2;
    char *path = tsl_mem_alloc(cap, 1, "a file name", err);
    if (!path)
        return TSL_ENOMEM;
    snprintf(path, cap, "%s/%s", dir, f->name);
    int rc = tsl_outfile_open(o, path, false, err);
    if (rc == 0)
        rc = tsl_file_write(&o->file, f->bytes.data, f->bytes.len, err);
    if (rc == 0)
        rc = tsl_outfile_done(o, err);
    tsl_mem_free(path);
    return rc;
}

static int name_all(struct tsl_outfile *out, size_t n, struct tsl_err *err)
{
    int rc = 0;
    tsl_outfile_hold_signals(true);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tsl_outfile_name(&out[i], err);
    if (rc == 0 && n)
        rc = tsl_outfile_sync_dir(&out[0], err);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = tsl_file_close(&out[i].file, err);
    for (size_t i = 0; i < n && rc < 0; i++)
        tsl_outfile_undo(&out[i]);
    tsl_outfile_hold_signals(false);
    return rc;
}

/* Whether the new folder itself would survive a crash is its parent's affair. */
static int sync_parent(const char *dir, struct tsl_err *err)
{
    char *copy = tsl_mem_strdup(dir, err);
    if (!copy)
        return TSL_ENOMEM;
    struct tsl_outfile parent = { .target = copy, .dir = dirname(copy) };
    int rc = tsl_outfile_sync_dir(&parent, err);
    tsl_mem_free(copy);
    return rc;
}

int tsl_outfolder_make(const char *dir, bool *made, struct tsl_err *err)
{
    struct stat st;
    *made = mkdir(dir, 0777) == 0;
    if (*made)
        return sync_parent(dir, err);
    int why = errno;
    if (why == EEXIST && stat(dir, &st) == 0)
        why = S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    return why ? tsl_err_sys(err, why, "%s: cannot make the folder", tsl_quote(dir).s)
               : 0;
}

int tsl_outfolder_remove(const char *path, struct tsl_err *err)
{
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    return tsl_err_sys(err, errno, "%s: cannot remove it", tsl_quote(path).s);
}

void tsl_outfolder_unmake(const char *dir)
{
    (void)rmdir(dir);
}

int tsl_outfolder_rename(const char *from, const char *to, struct tsl_err *err)
{
    int rc;
    do
        rc = rename(from, to);
    while (rc < 0 && errno == EINTR);
    if (rc < 0)
        return tsl_err_sys(err, errno, "%s: cannot rename it to %s", tsl_quote(from).s,
                           tsl_quote(to).s);
    return sync_parent(to, err);
}

int tsl_outfolder_drop(const char *dir, struct tsl_err *err)
{
    struct tsl_outfolder_names names;
    struct stat st;
    if (lstat(dir, &st) < 0 && errno == ENOENT)
        return 0;
    int rc = tsl_outfolder_names(&names, dir, err);
    for (size_t i = 0; i < names.n && rc == 0; i++) {
        size_t cap = strlen(dir) + strlen(names.name[i]) + 2;
        char *path = tsl_mem_alloc(cap, 1, "a file name", err);
        if (path)
            snprintf(path, cap, "%s/%s", dir, names.name[i]);
        rc = path ? tsl_outfolder_remove(path, err) : TSL_ENOMEM;
        tsl_mem_free(path);
    }
    if (rc == 0 && rmdir(dir) < 0)
        rc = tsl_err_sys(err, errno, "%s: cannot remove it", tsl_quote(dir).s);
    tsl_outfolder_names_fini(&names);
    return rc;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int tsl_outfolder_names(struct tsl_outfolder_names *names, const char *dir,
                        struct tsl_err *err)
{
    *names = (struct tsl_outfolder_names){ 0 };
    DIR *d = opendir(dir);
    if (!d)
        return tsl_err_sys(err, errno, "%s", tsl_quote(dir).s);
    int rc = 0;
    errno = 0;
    for (struct dirent *e; rc == 0 && (e = readdir(d)); errno = 0) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        rc = tsl_mem_grow(&names->name, &names->cap, names->n + 1, sizeof *names->name,
                          "names in a folder", err);
        if (rc == 0 && (names->name[names->n] = tsl_mem_strdup(e->d_name, err)))
            names->n++;
        else
            rc = TSL_ENOMEM;
    }
    if (rc == 0 && errno)
        rc = tsl_err_sys(err, errno, "%s: cannot be listed", tsl_quote(dir).s);
    closedir(d);
    if (rc < 0)
        tsl_outfolder_names_fini(names);
    else if (names->n)
        qsort(names->name, names->n, sizeof *names->name, compare_names);
    return rc;
}

void tsl_outfolder_names_fini(struct tsl_outfolder_names *names)
{
    for (size_t i = 0; i < names->n; i++)
        tsl_mem_free(names->name[i]);
    tsl_mem_free(names->name);
    *names = (struct tsl_outfolder_names){ 0 };
}

int tsl_outfolder_write(const char *dir, const struct tsl_outfolder_file *files, size_t n,
                        struct tsl_err *err)
{
    struct tsl_outfile *out = tsl_mem_alloc(n + 1, sizeof *out, "output files", err);
    if (!out)
        return TSL_ENOMEM;
    int rc = 0;
    size_t opened = 0;
    bool made = mkdir(dir, 0777) == 0;
    if (!made && errno != EEXIST)
        rc = tsl_err_sys(err, errno, "%s: cannot make the folder", tsl_quote(dir).s);
    for (; opened < n && rc == 0; opened++)
        rc = write_one(&out[opened], dir, &files[opened], err);
    if (rc == 0)
        rc = name_all(out, n, err);
    if (rc == 0 && made)
        rc = sync_parent(dir, err);
    for (size_t i = 0; i < opened; i++) {
        if (rc < 0)
            tsl_outfile_undo(&out[i]);
        tsl_outfile_close(&out[i]);
    }
    if (rc < 0 && made)
        (void)rmdir(dir);
    tsl_mem_free(out);
    return rc;
}

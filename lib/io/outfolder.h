/* outfolder.h - several small files of one folder that appear together, or not at all.
 *
 * Each is written and synced without its name (outfile.h); only when all are on the disk do
 * they get their names.  Until then existing files of these names stay as they were; a
 * failure takes back what had no file before, and a folder that was made for them.
 * Order: names are given in the order of the list: the one that others look for first
 *   should stand last.
 * Memory: none beside the files, which are the caller's.
 * Threads: one owner, the thread that takes the signals. */
#ifndef TSL_OUTFOLDER_H
#define TSL_OUTFOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/slice.h"

struct tsl_outfolder_file {
    const char *name; /* in the folder */
    struct tsl_slice bytes;
};

/* Could files be made in dir, or dir in the folder that it is to stand in?  For asking before
 * hours of work: 0, or TSL_EIO and why not. */
int tsl_outfolder_check(const char *dir, struct tsl_err *err);

/* Makes dir if it is not there (its parent is); *made tells which.  TSL_EIO. */
int tsl_outfolder_make(const char *dir, bool *made, struct tsl_err *err);
/* Removes a file of ours, which need not be there; and a folder, if it is empty. */
int tsl_outfolder_remove(const char *path, struct tsl_err *err);
void tsl_outfolder_unmake(const char *dir);

/* Gives folder from the name to, which nothing or an empty folder has; both stand in one
 * folder, which is synced.  0, or TSL_EIO: then it has one of the two names. */
int tsl_outfolder_rename(const char *from, const char *to, struct tsl_err *err);
/* Removes a folder, which need not be there, and the files in it.  TSL_EIO: some of them may
 * be gone. */
int tsl_outfolder_drop(const char *dir, struct tsl_err *err);

/* Names in a folder. */
struct tsl_outfolder_names {
    char **name; /* sorted by bytes, "." and ".." left out */
    size_t n, cap;
};
/* 0, TSL_EIO or TSL_ENOMEM, and then names is empty. */
int tsl_outfolder_names(struct tsl_outfolder_names *names, const char *dir,
                        struct tsl_err *err);
void tsl_outfolder_names_fini(struct tsl_outfolder_names *names);

/* dir is made if it is not there (its parent is).  0, or an error and nothing new. */
int tsl_outfolder_write(const char *dir, const struct tsl_outfolder_file *files, size_t n,
                        struct tsl_err *err);

#endif

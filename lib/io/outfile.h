/* outfile.h - a file that appears under its final name only when it is whole.
 *
 * A regular target is written beside its name into a file without a name (O_TMPFILE), or
 * with a hidden one where the filesystem has no such thing or descriptors are scarce;
 * commit syncs it, gives it the name and syncs the folder.  Without commit, close leaves
 * nothing behind and an existing target as it was.  A symbolic link stays a link; an
 * existing file's mode is kept.  Pipes, devices and standard output are written directly.
 * Threads: one owner. */
#ifndef TSL_OUTFILE_H
#define TSL_OUTFILE_H

#include "io/file.h"

struct tsl_outfile {
    struct tsl_file file;
    char *target, *dir;  /* NULL: written directly */
    char *temp;          /* the hidden name; NULL: it has none */
    bool written;        /* synced, and closed if it has a hidden name */
    bool final, existed; /* it has its final name; there was a file of that name before */
};

/* Could path be opened now?  For asking before hours of work: 0, or TSL_EIO and why not.
 * path NULL: is standard output open for writing? */
int tsl_outfile_check(const char *path, struct tsl_err *err);

/* path NULL: standard output.  named: do not hold a descriptor from done to commit.
 * 0, or an error and o closed. */
int tsl_outfile_open(struct tsl_outfile *o, const char *path, bool named,
                     struct tsl_err *err);

/* Everything was written: syncs (and closes, when named).  0 or TSL_EIO. */
int tsl_outfile_done(struct tsl_outfile *o, struct tsl_err *err);

/* Gives the final name and syncs the folder; after done.  0, or an error, and then a name
 * that nothing had before is taken back. */
int tsl_outfile_commit(struct tsl_outfile *o, struct tsl_err *err);

/* The steps of commit, for several files that appear together: name each, sync each
 * folder, close each; when one fails, undo takes back every name that nothing had
 * before. */
int tsl_outfile_name(struct tsl_outfile *o, struct tsl_err *err);
int tsl_outfile_sync_dir(const struct tsl_outfile *o, struct tsl_err *err);
void tsl_outfile_undo(struct tsl_outfile *o);

/* All of that: 0, or an error and none of the names is new. */
int tsl_outfile_commit_all(struct tsl_outfile *const *all, size_t n, struct tsl_err *err);

/* Undoes what was not committed; safe again after commit and close. */
void tsl_outfile_close(struct tsl_outfile *o);

/* Holds SIGHUP, SIGINT and SIGTERM back while several files get their names; nests.  One
 * caller, the thread that takes the signals. */
void tsl_outfile_hold_signals(bool hold);

/* Removes hidden temporary files; async-signal-safe, for handlers of deadly signals. */
void tsl_outfile_unlink_all(void);

#endif

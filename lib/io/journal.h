/* journal.h - what a long job has finished, line by line, so that it can go on after a crash.
 *
 * A text file: each line is 16 hexadecimal digits, XXH3-64 of the rest, a blank, and the
 * rest; it is on the disk when add returns.  A last line that was torn is taken for not
 * written, any other damage is an error.  The file is locked while it is open, so two jobs
 * cannot write one set.
 * Memory: its lines.
 * Threads: one owner. */
#ifndef TSL_JOURNAL_H
#define TSL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "io/file.h"

struct tsl_journal {
    struct tsl_file file;
    char *path, *dir;
    char **lines; /* without checksums and newlines */
    size_t nlines, cap;
};

enum tsl_journal_how {
    TSL_JOURNAL_NEW,    /* there must be none yet */
    TSL_JOURNAL_RESUME, /* goes on behind what there is, if there is any */
    TSL_JOURNAL_FORCE   /* what there is is forgotten */
};

/* 0, or TSL_EIO (also when another process has it open), TSL_EFORMAT, or TSL_EUSAGE where
 * there is one although there must not be; j is closed then. */
int tsl_journal_open(struct tsl_journal *j, const char *path, enum tsl_journal_how how,
                     struct tsl_err *err);
/* line: no newline in it. */
int tsl_journal_add(struct tsl_journal *j, const char *line, struct tsl_err *err);
/* The job is done: the file goes. */
int tsl_journal_remove(struct tsl_journal *j, struct tsl_err *err);
/* Leaves the file.  Safe to call again. */
void tsl_journal_close(struct tsl_journal *j);

#endif

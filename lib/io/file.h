/* file.h - an open file with its name: whole reads and writes, or an error that names
 * both.
 *
 * The only place, with outfile.c, where the library opens, reads, writes, syncs and
 * renames.  Interrupted calls are repeated, short transfers are finished, a descriptor
 * that is not ready is waited for.
 * Page cache: large files are read and written once, so what passes is dropped behind us
 *   (written with RWF_DONTCACHE where the kernel has it; by advice else): a corpus larger
 *   than memory must not push everything else out, and inside a container the cache
 *   counts as ours.  A file that was in the cache when it was opened stays there.
 * Threads: positioned calls may run at the same time; read and write have one caller. */
#ifndef TSL_FILE_H
#define TSL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct iovec;
struct tsl_hasher64;

struct tsl_file {
    int fd;        /* -1: not open */
    char *name;    /* as messages show it */
    bool regular;  /* has a size and positions */
    bool borrowed; /* standard input or output: not ours to close */
    bool temp;     /* of tsl_file_temp */
    bool direct;   /* O_DIRECT: aligned memory, positions and lengths */
    bool nodrop;   /* leave the page cache alone */
    bool noflag;   /* RWF_DONTCACHE was refused here, for writing */
    uint64_t size; /* when it was opened */
    int64_t mtime_s, mtime_ns;
    uint64_t done, dropped;    /* bytes moved by read or write, and dropped behind */
    struct tsl_hasher64 *hash; /* gets what write writes; lent; NULL: none */
};

/* Closed; safe to close again. */
#define TSL_FILE_INIT                                                                    \
    {                                                                                    \
        .fd = -1                                                                         \
    }

/* For reading.  path "-": standard input.  0, or an error and f closed; a folder is an
 * error here already. */
int tsl_file_open(struct tsl_file *f, const char *path, struct tsl_err *err);

/* The same open file once more, closed by itself: for positioned reads after the first one
 * has gone.  0, TSL_ENOMEM or TSL_EIO. */
int tsl_file_dup(struct tsl_file *f, const struct tsl_file *of, struct tsl_err *err);

/* For adding to the end of a regular file, which is made if it is not there; size tells what it
 * holds. What is written stays in the page cache. */
int tsl_file_append(struct tsl_file *f, const char *path, struct tsl_err *err);

/* Takes fd over (unless borrowed), on failure too.  name is copied and quoted. */
int tsl_file_wrap(struct tsl_file *f, int fd, const char *name, bool borrowed,
                  struct tsl_err *err);

/* A file without a name in folder dir, mode 0600, gone when it is closed however the
 * process ends.  direct asks for O_DIRECT and is dropped silently where the filesystem
 * has none. */
int tsl_file_temp(struct tsl_file *f, const char *dir, bool direct, struct tsl_err *err);

/* Up to n bytes: how many, 0 only at the end of the file, or TSL_EIO. */
int64_t tsl_file_read(struct tsl_file *f, void *p, size_t n, struct tsl_err *err);
/* All n bytes: 0 or TSL_EIO. */
int tsl_file_write(struct tsl_file *f, const void *p, size_t n, struct tsl_err *err);

/* All n bytes at a position, or TSL_EIO; an early end is an error.  Where O_DIRECT is
 * refused in the middle of the work, it is given up and the work goes on. */
int tsl_file_pread(const struct tsl_file *f, void *p, size_t n, uint64_t at,
                   struct tsl_err *err);
int tsl_file_pwrite(const struct tsl_file *f, const void *p, size_t n, uint64_t at,
                    struct tsl_err *err);

/* Scattered, all of it: at most TSL_FILE_IOV buffers of whole blocks.  The array is
 * changed. */
enum { TSL_FILE_IOV = 64 };
int tsl_file_preadv(const struct tsl_file *f, struct iovec *v, int n, uint64_t at,
                    struct tsl_err *err);
int tsl_file_pwritev(const struct tsl_file *f, struct iovec *v, int n, uint64_t at,
                     struct tsl_err *err);

/* [at, at + n) has been read and will not be again: the page cache need not hold it. */
void tsl_file_drop(const struct tsl_file *f, uint64_t at, uint64_t n);

/* Gives the space of [at, at + n) back; they read as zero.  Where it is not possible,
 * nothing happens: the space is freed when the file is closed. */
void tsl_file_punch(const struct tsl_file *f, uint64_t at, uint64_t n);

/* Makes room on the disk for [at, at + n), which the file has then: 0 or TSL_EIO. */
int tsl_file_reserve(const struct tsl_file *f, uint64_t at, uint64_t n,
                     struct tsl_err *err);

/* [at, at + n), at the end of what the file will have at least, is going to be written: where it
 * lies in memory (tmpfs), its pages are had now, which is half of what writing costs there.  Its
 * size stays; where that cannot be done, nothing happens. */
void tsl_file_expect(const struct tsl_file *f, uint64_t at, uint64_t n);

/* 0, or TSL_EIO for a regular file that has not kept the size and time it was opened
 * with. */
int tsl_file_unchanged(const struct tsl_file *f, struct tsl_err *err);

/* Brings the data to the disk: 0 or TSL_EIO. */
int tsl_file_sync(const struct tsl_file *f, struct tsl_err *err);

/* Closes, and resets f; a failing close is an error (a full quota may show only now). */
int tsl_file_close(struct tsl_file *f, struct tsl_err *err);

/* What the system says of the calling thread: seconds that it ran, and seconds that it was
 * ready to run and others ran.  false: it does not tell. */
bool tsl_file_thread_times(double *ran, double *waited);

/* Is path, or standard input for "-", a regular file?  false when it cannot be told. */
bool tsl_file_is_regular(const char *path);

/* Is path a named pipe?  false when it cannot be told. */
bool tsl_file_is_fifo(const char *path);

/* Is there anything called path?  false when it cannot be told. */
bool tsl_file_exists(const char *path);

/* Is path a folder?  false when it cannot be told. */
bool tsl_file_is_folder(const char *path);

/* Takes the folder for this process alone, however it ends: 1 and a descriptor in *lock, for
 * tsl_file_unlock; 0 where another process has it; TSL_EIO.  Where the filesystem has no
 * locks, 1. */
int tsl_file_lock(int *lock, const char *folder, struct tsl_err *err);
void tsl_file_unlock(int lock);

/* Closes standard output at the end of a run: what a network or a quota refuses late
 * shows only now. */
int tsl_file_close_output(struct tsl_err *err);

/* Free bytes for this user in the filesystem of dir; UINT64_MAX when unknown. */
uint64_t tsl_file_free_bytes(const char *dir);

/* Is what lies in dir held in memory (tmpfs, ramfs)?  false when it cannot be told. */
bool tsl_file_in_memory(const char *dir);

/* Descriptors this process may have open, at most 65536: raises the soft limit as far as
 * that is allowed. */
unsigned tsl_file_room(void);

/* Descriptors 0, 1, 2 are made to be open, in a way that using a missing one is an error
 * and no file of ours is taken for it.  Call first in main. */
void tsl_file_guard_std(void);

#endif

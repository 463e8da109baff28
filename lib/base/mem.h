/* mem.h - the only callers of malloc, realloc, free and mmap in the library.
 *
 * Heap memory for what is small or outlives a batch, pages for the large buffers: pages
 * are zero when fresh, cost nothing until touched, and can be given back to the system
 * while the address range stays reserved.
 * Threads: any. */
#ifndef TSL_MEM_H
#define TSL_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TSL_PAGE_BYTES = 4096 };

/* NULL and err set on failure, or when count * size overflows.  Zeroed. */
void *tsl_mem_alloc(size_t count, size_t size, const char *what, struct tsl_err *err);

/* Grows or shrinks old (NULL: allocates); new bytes are not zeroed.  On failure, or when
 * count * size overflows, NULL is returned and old stays as it was. */
void *tsl_mem_resize(void *old, size_t count, size_t size, const char *what,
                     struct tsl_err *err);

/* Makes room for need items of size bytes in an array of *cap of them; at least doubles.
 * Returns 0 or TSL_ENOMEM, and then the array is what it was.  array: the address of the
 * array's pointer. */
int tsl_mem_grow(void *array, size_t *cap, size_t need, size_t size, const char *what,
                 struct tsl_err *err);

/* A copy for tsl_mem_free; NULL and err set on failure. */
char *tsl_mem_strdup(const char *s, struct tsl_err *err);

/* Frees what the functions above gave; NULL is fine. */
void tsl_mem_free(void *p);

/* Where a thread's large blocks may go instead of the heap (io/filemem.h has one).  Blocks
 * lie at [begin, end). */
struct tsl_mem_home {
    uintptr_t begin, end;
    /* As tsl_mem_resize, NULL and err on failure; new bytes are zero where nothing was
     * before. */
    void *(*resize)(struct tsl_mem_home *h, void *old, size_t bytes, struct tsl_err *err);
    void (*release)(struct tsl_mem_home *h, void *p);
};

/* For all threads, which may free and resize blocks of h from now on; NULL: none any more,
 * once all of its blocks are freed.  There is one at a time: -1 where another is there. */
int tsl_mem_home_set(struct tsl_mem_home *h);
/* From now on, blocks of TSL_MEM_HOME_MIN bytes or more that this thread asks for, or makes
 * as large, lie there; false: no longer. */
void tsl_mem_home_use(bool on);
enum { TSL_MEM_HOME_MIN = 1 << 20 };

/* Page-aligned memory of at least bytes, zero; NULL and err set on failure and for 0
 * bytes. */
void *tsl_pages_map(size_t bytes, const char *what, struct tsl_err *err);

/* The same memory with room for bytes, old_bytes before: old (NULL: none), from tsl_pages_map,
 * is not to be used any more.  No second copy of it is there for a time, as tsl_mem_resize
 * may have.  On failure NULL, and old stays as it was. */
void *tsl_pages_resize(void *old, size_t old_bytes, size_t bytes, const char *what,
                       struct tsl_err *err);

/* Gives the memory of whole pages within [p, p + bytes) back; they read as zero
 * afterwards. */
void tsl_pages_drop(void *p, size_t bytes);

/* [p, p + bytes) of a mapped file will be read now: its pages are had in one call, not by a
 * fault each, where the system can. */
void tsl_pages_want(const void *p, size_t bytes);

/* All of [p, p + bytes), whole pages, is going to be filled: they are had in one call, where the
 * system can. */
void tsl_pages_want_to_fill(void *p, size_t bytes);

/* Asks for large pages: fewer faults and TLB misses where all of it will be touched. */
void tsl_pages_want_huge(void *p, size_t bytes);

/* *p: the first bytes, more than 0, of a file that is open for reading, as they are and for
 * reading only; for tsl_pages_unmap.  Reading them where the file has shrunk since ends the
 * process.  0, TSL_EIO or TSL_ENOMEM. */
int tsl_pages_map_file(const uint8_t **p, int fd, size_t bytes, const char *name,
                       struct tsl_err *err);

/* Bytes [at, at + bytes) of a file that is open for both, as memory; at: of whole pages.
 * tsl_pages_drop keeps what is in them.  Touching what the disk has no room for ends the
 * process.  For tsl_pages_unmap; NULL and err on failure. */
void *tsl_pages_map_shared(int fd, uint64_t at, size_t bytes, const char *name,
                           struct tsl_err *err);

/* bytes: as they were asked for from tsl_pages_map.  p NULL is fine. */
void tsl_pages_unmap(void *p, size_t bytes);

#endif

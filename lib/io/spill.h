/* spill.h - anonymous temporary space in slots of one size, over one or several folders.
 *
 * Slots come in extents of TSL_SPILL_EXTENT neighbours, so that what is written one after
 * the other can be read back in one call; extents go round the folders, which fills them
 * evenly.  Files are made on first use, have no name, mode 0600, and vanish with the
 * process.  Space of an extent is given back as soon as it is released, and used again.
 * Threads: any; a slot has one user at a time. */
#ifndef TSL_SPILL_H
#define TSL_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { TSL_SPILL_EXTENT = 16 };

struct iovec;
struct tsl_spill;

/* dirs: lent.  slot_bytes: a multiple of 4096.  0 or TSL_ENOMEM; makes no file yet. */
int tsl_spill_create(struct tsl_spill **s, const char *const *dirs, size_t ndirs,
                     size_t slot_bytes, struct tsl_err *err);
/* NULL is fine. */
void tsl_spill_destroy(struct tsl_spill *s);

/* The first slot of an extent that nobody uses, in *slot.  0, TSL_EIO or TSL_ENOMEM. */
int tsl_spill_extent(struct tsl_spill *s, uint32_t *slot, struct tsl_err *err);
/* Gives the extent's space back.  slot: its first one; written: bytes written to it in
 * all. */
void tsl_spill_release(struct tsl_spill *s, uint32_t slot, uint64_t written);

/* n: bytes, a multiple of 4096 up to slot_bytes; p: aligned to 4096.  0 or TSL_EIO. */
int tsl_spill_write(struct tsl_spill *s, uint32_t slot, const void *p, size_t n,
                    struct tsl_err *err);
/* v: n such buffers, for slots from slot on, all within one extent, all but the last one
 * full; changed.  0 or TSL_EIO. */
int tsl_spill_writev(struct tsl_spill *s, uint32_t slot, struct iovec *v, int n,
                     struct tsl_err *err);
/* The same for reading. */
int tsl_spill_read(struct tsl_spill *s, uint32_t slot, struct iovec *v, int n,
                   struct tsl_err *err);

struct tsl_spill_stats {
    uint64_t written, now, peak; /* bytes: in all, held now, held at most */
};
struct tsl_spill_stats tsl_spill_stats(struct tsl_spill *s);

/* Free bytes that can be filled evenly: ndirs times those of the fullest folder;
 * UINT64_MAX when unknown. */
uint64_t tsl_spill_free_bytes(const char *const *dirs, size_t ndirs);

#endif

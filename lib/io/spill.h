/* spill.h - anonymous temporary space in slots of one size, over one or several folders.
 *
 * Slots come in extents of neighbours, so that what is written one after the other can be
 * read back in one call.  Extents come in regions of some megabytes, each for one group of
 * users; regions go round the folders, which fills them evenly.  Files are made on first
 * use, have no name, mode 0600, and vanish with the process.  Space goes back to the disk a
 * region at a time, once all that was handed out of it is released, and is used again.
 * Memory: 16 bytes a region.
 * Threads: any; a slot has one user at a time. */
#ifndef TSL_SPILL_H
#define TSL_SPILL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    TSL_SPILL_EXTENT = 16, /* slots of an extent, where they are large */
    TSL_SPILL_GROUPS = 256
};

struct iovec;
struct tsl_spill;

/* dirs: lent.  slot_bytes: a multiple of 4096; extent_slots: how many make an extent.  0 or
 * TSL_ENOMEM; makes no file yet. */
int tsl_spill_create(struct tsl_spill **s, const char *const *dirs, size_t ndirs,
                     size_t slot_bytes, uint32_t extent_slots, struct tsl_err *err);
/* NULL is fine. */
void tsl_spill_destroy(struct tsl_spill *s);

/* The first slot of an extent that nobody uses, in *slot.  group: who is released at about
 * the same time has the same, modulo TSL_SPILL_GROUPS.  0, TSL_EIO or TSL_ENOMEM. */
int tsl_spill_extent(struct tsl_spill *s, uint32_t group, uint32_t *slot,
                     struct tsl_err *err);
/* The extent, slot being its first one, is not needed any more. */
void tsl_spill_release(struct tsl_spill *s, uint32_t slot);

/* The folder that a slot lies in. */
const char *tsl_spill_folder(const struct tsl_spill *s, uint32_t slot);

/* n: bytes, a multiple of 4096 up to slot_bytes; p: aligned to 4096.  0 or TSL_EIO. */
int tsl_spill_write(struct tsl_spill *s, uint32_t slot, const void *p, size_t n,
                    struct tsl_err *err);
/* v: n such buffers, of any multiple of 4096 bytes each, for what begins with slot and does
 * not go beyond its extent; changed.  0 or TSL_EIO. */
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

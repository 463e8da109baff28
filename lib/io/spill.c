#include "io/spill.h"

#include <assert.h>
#include <sys/uio.h>

#include "base/mem.h"
#include "io/file.h"
#include "par/thread.h"

/* A folder has several files: allocating and giving back space locks a whole file, and
 * waits for every transfer under way in it. */
enum { FILES = 8 };

/* What is given back at once.  A disk mounted with `discard` is told of it, and takes as
 * long for 1 MiB as for 16: shuffling 16 GiB in 512 MiB of memory took 1.5 of the time of
 * the two-pass floor (`scripts/bench shuffle growth`) with pieces of 1 MiB, 1.1 with these. */
enum { REGION_BYTES = 16 << 20 };

struct region {
    uint64_t written;                   /* bytes that it holds */
    uint16_t handed, released, punched; /* extents, of region_extents */
};

struct tsl_spill {
    const char *const *dirs;
    size_t ndirs, slot_bytes;
    uint32_t extent_slots, region_extents;
    size_t nfiles;          /* a multiple of ndirs; file i is in folder i % ndirs */
    struct tsl_mutex lock;  /* guards all below */
    struct tsl_file *files; /* fd -1 until used */
    struct region *regions;
    size_t nregions, regions_cap;
    uint32_t *unused; /* regions whose space has been given back */
    size_t nunused, unused_cap;
    uint32_t open[TSL_SPILL_GROUPS]; /* 1 + the region that a group fills; 0: none */
    struct tsl_spill_stats stats;
};

int tsl_spill_create(struct tsl_spill **out, const char *const *dirs, size_t ndirs,
                     size_t slot_bytes, uint32_t extent_slots, struct tsl_err *err)
{
    assert(ndirs > 0 && extent_slots > 0 && slot_bytes > 0 &&
           slot_bytes % TSL_PAGE_BYTES == 0);
    struct tsl_spill *s = tsl_mem_alloc(1, sizeof *s, "the temporary space", err);
    size_t nfiles = ndirs * (ndirs < FILES ? FILES / ndirs : 1);
    struct tsl_file *files =
        tsl_mem_alloc(nfiles, sizeof *files, "the temporary space", err);
    if (!s || !files) {
        tsl_mem_free(s);
        tsl_mem_free(files);
        return TSL_ENOMEM;
    }
    for (size_t i = 0; i < nfiles; i++)
        files[i] = (struct tsl_file)TSL_FILE_INIT;
    s->dirs = dirs;
    s->ndirs = ndirs;
    s->nfiles = nfiles;
    s->slot_bytes = slot_bytes;
    s->extent_slots = extent_slots;
    size_t extents = REGION_BYTES / (slot_bytes * extent_slots);
    s->region_extents = extents < 1 ? 1 : (uint32_t)extents;
    s->files = files;
    tsl_mutex_init(&s->lock);
    *out = s;
    return 0;
}

void tsl_spill_destroy(struct tsl_spill *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->nfiles; i++)
        tsl_file_close(&s->files[i], NULL);
    tsl_mutex_fini(&s->lock);
    tsl_mem_free(s->files);
    tsl_mem_free(s->regions);
    tsl_mem_free(s->unused);
    tsl_mem_free(s);
}

static uint32_t region_slots(const struct tsl_spill *s)
{
    return s->region_extents * s->extent_slots;
}

/* Which file a slot lies in, and where. */
static struct tsl_file *locate(const struct tsl_spill *s, uint32_t slot, uint64_t *at)
{
    uint64_t region = slot / region_slots(s);
    *at = (region / s->nfiles * region_slots(s) + slot % region_slots(s)) * s->slot_bytes;
    return &s->files[region % s->nfiles];
}

const char *tsl_spill_folder(const struct tsl_spill *s, uint32_t slot)
{
    return s->dirs[slot / region_slots(s) % s->ndirs];
}

/* Under the lock: a region that nobody uses. */
static int new_region(struct tsl_spill *s, uint32_t *region, struct tsl_err *err)
{
    if (s->nunused) {
        *region = s->unused[--s->nunused];
        return 0;
    }
    if (s->nregions >= UINT32_MAX / region_slots(s))
        return tsl_err_set(err, TSL_ENOMEM,
                           "more temporary data than %llu GiB cannot be addressed",
                           ((unsigned long long)UINT32_MAX + 1) * s->slot_bytes >> 30);
    size_t n = s->nregions + 1;
    int rc = tsl_mem_grow(&s->regions, &s->regions_cap, n, sizeof *s->regions,
                          "the temporary space", err);
    /* room to remember its release is made here, where failing is still harmless */
    if (rc == 0)
        rc = tsl_mem_grow(&s->unused, &s->unused_cap, n, sizeof *s->unused,
                          "the temporary space", err);
    size_t file = s->nregions % s->nfiles;
    if (rc == 0 && s->files[file].fd < 0)
        rc = tsl_file_temp(&s->files[file], s->dirs[file % s->ndirs], true, err);
    if (rc < 0)
        return rc;
    *region = (uint32_t)s->nregions++;
    s->regions[*region] = (struct region){ 0 };
    return 0;
}

int tsl_spill_extent(struct tsl_spill *s, uint32_t group, uint32_t *slot,
                     struct tsl_err *err)
{
    uint32_t *open = &s->open[group % TSL_SPILL_GROUPS], region = 0;
    int rc = 0;
    tsl_mutex_lock(&s->lock);
    if (*open == 0) {
        rc = new_region(s, &region, err);
        if (rc == 0)
            *open = 1 + region;
    }
    if (rc == 0) {
        region = *open - 1;
        struct region *r = &s->regions[region];
        *slot = (region * s->region_extents + r->handed++) * s->extent_slots;
        if (r->handed == s->region_extents)
            *open = 0;
    }
    tsl_mutex_unlock(&s->lock);
    return rc;
}

void tsl_spill_release(struct tsl_spill *s, uint32_t slot)
{
    uint32_t region = slot / region_slots(s);
    uint64_t at, extent = (uint64_t)s->extent_slots * s->slot_bytes;
    struct tsl_file *f = locate(s, region * region_slots(s), &at);
    tsl_mutex_lock(&s->lock);
    struct region *r = &s->regions[region], was = *r;
    was.released = ++r->released;
    if (was.released == was.handed) {
        r->punched = was.handed;
        r->written = 0;
    }
    tsl_mutex_unlock(&s->lock);
    if (was.released < was.handed)
        return;
    tsl_file_punch(f, at + was.punched * extent, (was.handed - was.punched) * extent);
    tsl_mutex_lock(&s->lock);
    s->stats.now -= was.written;
    if (was.handed == s->region_extents) {
        s->regions[region] = (struct region){ 0 };
        s->unused[s->nunused++] = region;
    }
    tsl_mutex_unlock(&s->lock);
}

int tsl_spill_write(struct tsl_spill *s, uint32_t slot, const void *p, size_t n,
                    struct tsl_err *err)
{
    struct iovec v = { (void *)(uintptr_t)p, n };
    return tsl_spill_writev(s, slot, &v, 1, err);
}

int tsl_spill_writev(struct tsl_spill *s, uint32_t slot, struct iovec *v, int n,
                     struct tsl_err *err)
{
    uint64_t at, bytes = 0;
    struct tsl_file *f = locate(s, slot, &at);
    for (int i = 0; i < n; i++)
        bytes += v[i].iov_len;
    int rc = tsl_file_pwritev(f, v, n, at, err);
    if (rc < 0)
        return rc;
    tsl_mutex_lock(&s->lock);
    s->regions[slot / region_slots(s)].written += bytes;
    s->stats.written += bytes;
    s->stats.now += bytes;
    if (s->stats.peak < s->stats.now)
        s->stats.peak = s->stats.now;
    tsl_mutex_unlock(&s->lock);
    return 0;
}

int tsl_spill_read(struct tsl_spill *s, uint32_t slot, struct iovec *v, int n,
                   struct tsl_err *err)
{
    uint64_t at;
    struct tsl_file *f = locate(s, slot, &at);
    return tsl_file_preadv(f, v, n, at, err);
}

struct tsl_spill_stats tsl_spill_stats(struct tsl_spill *s)
{
    tsl_mutex_lock(&s->lock);
    struct tsl_spill_stats st = s->stats;
    tsl_mutex_unlock(&s->lock);
    return st;
}

uint64_t tsl_spill_free_bytes(const char *const *dirs, size_t ndirs)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < ndirs; i++) {
        uint64_t n = tsl_file_free_bytes(dirs[i]);
        least = n < least ? n : least;
    }
    return least > UINT64_MAX / ndirs ? UINT64_MAX : least * ndirs;
}

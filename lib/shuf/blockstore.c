#include "shuf/blockstore.h"

#include <assert.h>
#include <string.h>
#include <sys/uio.h>

#include "base/hash.h"
#include "base/mem.h"
#include "io/file.h"
#include "par/thread.h"
#include "shuf/rowblock.h"
#include "shuf/temppack.h"

enum state { IN_MEMORY, WRITING, ON_DISK, GONE };

enum { PAGE = TSL_PAGE_BYTES };

/* From this budget on the chunks ask for large pages: what a direct transfer moves is then
 * contiguous, and a request to the disk larger than 254 pages of 4 KiB.  A loop that only
 * copies a file twice took 3.6 s with them and 4.6 without (1 GiB, virtio disk). */
enum { HUGE_FROM = 64 << 20 };

enum {
    PACKERS_BESIDE = 4 << 20
}; /* bytes of compressors that the budget need not carry */

/* Blocks of one list are written together up to so many bytes, where there are as many: 64
 * KiB at a time, written as the lists fill up, take a disk half as long again (8 GiB in 256
 * MiB of memory). */
enum { TOGETHER = 256 << 10 };

enum { EXTENT_BLOCKS = TSL_SPILL_EXTENT };

/* n neighbours of a list, to lie one behind the other from a page on, where there is room
 * for them as they are. */
struct write_job {
    struct tsl_blocklist *list;
    size_t index, n;
    uint32_t page, chunk[EXTENT_BLOCKS];
};

/* What undoes a block's compression; made by the first loads, then used again. */
struct unpacker {
    struct unpacker *next;
    struct tsl_packer *packer;
    uint8_t *copy; /* chunk_bytes */
};

/* Space to be given back: the writers do it, for it may wait for the disk. */
struct release {
    struct release *next;
    struct tsl_extent_use *extents;
    size_t n;
};

struct tsl_store {
    struct tsl_store_opts o;
    struct tsl_spill *spill;
    uint8_t *arena;
    size_t arena_bytes, nchunks; /* address space; chunks that fit into it */

    struct tsl_mutex lock; /* guards all below; taken before spill's own */
    struct tsl_cond changed;
    size_t touched;      /* chunks [0, touched) have been used */
    uint32_t *idle;      /* chunks that may be taken, warm ones on top of cold ones */
    size_t nidle, ncold; /* of them, the first ncold have no memory behind them */
    size_t in_use, claimed, in_flight;
    int64_t aside;
    size_t packer_bytes; /* of the writers */
    struct tsl_blocklist **rank;
    size_t nrank, rank_cap;
    struct write_job *jobs; /* ring of in_flight_max */
    size_t job_head, njobs, in_flight_max;
    struct release *releases;
    unsigned releasing; /* threads in the midst of giving space back */
    bool stop, cancelled;
    struct tsl_err err;
    uint64_t spilled;

    struct tsl_temppack pack;
    uint64_t npacked; /* blocks */
    struct unpacker *unpackers;

    struct tsl_thread *writers;
    unsigned nwriters;
};

/* Chunks that may be in use, by the budget as it stands. */
static size_t limit(const struct tsl_store *s)
{
    int64_t left = (int64_t)s->o.bytes - s->aside;
    size_t n = left > 0 ? (size_t)left / s->o.chunk_bytes : 0;
    return n < s->nchunks ? n : s->nchunks;
}

static uint8_t *chunk_at(const struct tsl_store *s, uint32_t i)
{
    return s->arena + (size_t)i * s->o.chunk_bytes;
}

static uint32_t chunk_number(const struct tsl_store *s, const uint8_t *p)
{
    return (uint32_t)((size_t)(p - s->arena) / s->o.chunk_bytes);
}

/* Under the lock. */
static int failure(const struct tsl_store *s, struct tsl_err *err)
{
    if (s->err.code)
        return tsl_err_pass(err, &s->err);
    return s->cancelled ? tsl_err_set(err, TSL_ECANCELLED, "stopped") : 0;
}

static void idle_push(struct tsl_store *s, uint32_t chunk)
{
    s->idle[s->nidle++] = chunk;
    s->in_use--;
    tsl_cond_broadcast(&s->changed);
}

static uint32_t idle_pop(struct tsl_store *s)
{
    s->in_use++;
    if (s->nidle == 0)
        return (uint32_t)s->touched++;
    s->nidle--;
    if (s->ncold > s->nidle)
        s->ncold = s->nidle;
    return s->idle[s->nidle];
}

/* Gives memory of idle chunks back until chunks and what is set aside fit the budget. */
static void trim(struct tsl_store *s)
{
    size_t most = limit(s);
    while (s->ncold < s->nidle && s->touched - s->ncold > most) {
        tsl_pages_drop(chunk_at(s, s->idle[s->ncold]), s->o.chunk_bytes);
        s->ncold++;
    }
}

/* Under the lock: room on disk for the list's block that is to be written next, whole. */
static int next_page(struct tsl_store *s, struct tsl_blocklist *l, uint32_t *page,
                     struct tsl_err *err)
{
    if (l->nblocks == 0) {
        int rc = tsl_mem_grow(&l->extents, &l->extents_cap, l->nextents + 1,
                              sizeof *l->extents, "the block table", err);
        if (rc == 0)
            rc = tsl_spill_extent(s->spill, l->group, &l->page, err);
        if (rc < 0)
            return rc;
        l->extents[l->nextents++] =
            (struct tsl_extent_use){ .block = l->in_memory, .first = l->page };
        l->nblocks = EXTENT_BLOCKS;
    }
    *page = l->page;
    l->page += (uint32_t)(s->o.chunk_bytes / PAGE);
    l->nblocks--;
    l->extents[l->nextents - 1].live++;
    return 0;
}

/* Under the lock: blocks of the list that may be written, all behind in_memory. */
static size_t evictable(struct tsl_blocklist *l)
{
    while (l->in_memory < l->n && l->v[l->in_memory].state != IN_MEMORY)
        l->in_memory++;
    return l->n - l->in_memory;
}

/* Under the lock: the list needed last among those that have want blocks to write, or the
 * one that has most.  NULL: none has any. */
static struct tsl_blocklist *longest(struct tsl_store *s, size_t want)
{
    struct tsl_blocklist *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < s->nrank && most < want; i++) {
        size_t n = evictable(s->rank[i]);
        if (n > most) {
            most = n;
            best = s->rank[i];
        }
    }
    return best;
}

/* Blocks that are written together. */
static size_t together(const struct tsl_store *s)
{
    size_t n = TOGETHER / s->o.chunk_bytes;
    return n < 1 ? 1 : n > EXTENT_BLOCKS ? EXTENT_BLOCKS : n;
}

/* Under the lock: hands some blocks of the lists needed last to the writers.  false: none
 * left, or the writers have enough to do. */
static bool evict_some(struct tsl_store *s)
{
    if (s->in_flight == s->in_flight_max || s->err.code)
        return false;
    size_t want = together(s), left = s->in_flight_max - s->in_flight;
    want = want < left ? want : left;
    struct tsl_blocklist *l = longest(s, want);
    if (!l)
        return false;
    struct write_job job = { .list = l, .index = l->in_memory };
    do {
        uint32_t page;
        if (next_page(s, l, &page, &s->err) < 0) {
            tsl_cond_broadcast(&s->changed);
            return false;
        }
        if (job.n == 0)
            job.page = page;
        job.chunk[job.n++] = l->v[l->in_memory].where;
        l->v[l->in_memory++].state = WRITING;
    } while (job.n < want && l->nblocks > 0 && l->in_memory < l->n &&
             l->v[l->in_memory].state == IN_MEMORY);
    s->jobs[(s->job_head + s->njobs++) % s->in_flight_max] = job;
    s->in_flight += job.n;
    tsl_cond_broadcast(&s->changed);
    return true;
}

/* Compresses n bytes of a chunk into scratch, head included, if they are to be and that
 * makes them fewer.  Returns bytes, 0: they are not. */
static int64_t pack_chunk(struct tsl_store *s, struct tsl_packer *packer,
                          uint8_t *scratch, const uint8_t *chunk, uint32_t n,
                          struct tsl_err *err)
{
    struct tsl_block_head h;
    size_t k;
    tsl_mutex_lock(&s->lock);
    bool wanted = tsl_temppack_next(&s->pack);
    tsl_mutex_unlock(&s->lock);
    if (!wanted)
        return 0;
    double start = tsl_seconds();
    int rc = tsl_packer_run(packer, scratch + TSL_BLOCK_HEAD,
                            tsl_packer_bound(packer, s->o.chunk_bytes),
                            chunk + TSL_BLOCK_HEAD, n - TSL_BLOCK_HEAD, &k, err);
    if (rc < 0)
        return rc;
    double end = tsl_seconds();
    tsl_mutex_lock(&s->lock);
    tsl_temppack_packed(&s->pack, end - start, n, k + TSL_BLOCK_HEAD);
    tsl_mutex_unlock(&s->lock);
    if ((k + TSL_BLOCK_HEAD + PAGE - 1) / PAGE >= (n + PAGE - 1) / PAGE)
        return 0;
    memcpy(&h, chunk, sizeof h);
    h.packed_bytes = (uint32_t)k;
    memcpy(scratch, &h, sizeof h);
    return (int64_t)(k + TSL_BLOCK_HEAD);
}

/* What a writer has of its own. */
struct writer {
    struct tsl_packer *packer; /* NULL: nothing is compressed */
    uint8_t *scratch;
    size_t scratch_bytes;
    double asked, ran, waited; /* when it last looked how it shares the processors */
};

/* Now and then: tells the judge of compression what processor time this thread got. */
static void tell_times(struct tsl_store *s, struct writer *w, double now)
{
    const double EVERY = 0.05;
    double ran, waited;
    if (now - w->asked < EVERY || !tsl_file_thread_times(&ran, &waited))
        return;
    if (w->asked > 0) {
        tsl_mutex_lock(&s->lock);
        tsl_temppack_waited(&s->pack, ran - w->ran, waited - w->waited);
        tsl_mutex_unlock(&s->lock);
    }
    w->asked = now;
    w->ran = ran;
    w->waited = waited;
}

/* Fills a block of n bytes up to whole pages and seals it. */
static struct iovec seal(uint8_t *w, size_t n, uint32_t page)
{
    size_t bytes = (n + PAGE - 1) / PAGE * PAGE;
    memset(w + n, 0, bytes - n);
    uint64_t check = tsl_hash64(w + 8, bytes - 8, page);
    memcpy(w, &check, sizeof check);
    return (struct iovec){ w, bytes };
}

/* Compacts, perhaps compresses, seals and writes a job's blocks, in one call; pages: how
 * many each took. */
static int write_job(struct tsl_store *s, struct writer *writer,
                     const struct write_job *job, uint16_t *pages, struct tsl_err *err)
{
    struct iovec v[EXTENT_BLOCKS];
    uint8_t *scratch = writer->scratch;
    uint64_t raw = 0, bytes = 0;
    unsigned packed = 0;
    for (size_t i = 0; i < job->n; i++) {
        uint8_t *w = chunk_at(s, job->chunk[i]);
        uint32_t n = tsl_block_compact(w);
        int64_t k = 0;
        if (writer->packer)
            k = pack_chunk(s, writer->packer, scratch, w, n, err);
        if (k < 0)
            return (int)k;
        v[i] = seal(k > 0 ? scratch : w, k > 0 ? (size_t)k : n,
                    job->page + (uint32_t)(bytes / PAGE));
        pages[i] = (uint16_t)(v[i].iov_len / PAGE);
        scratch += k > 0 ? v[i].iov_len : 0;
        packed += k > 0;
        raw += n;
        bytes += v[i].iov_len;
    }
    double start = tsl_seconds();
    int rc = tsl_spill_writev(s->spill, job->page, v, (int)job->n, err);
    if (rc < 0 || !writer->packer)
        return rc;
    double end = tsl_seconds();
    tsl_mutex_lock(&s->lock);
    s->npacked += packed;
    tsl_temppack_written(&s->pack, end - start, raw, bytes, end, tsl_seconds_cpu());
    tsl_mutex_unlock(&s->lock);
    if (s->o.measure)
        tell_times(s, writer, end);
    return 0;
}

static void note_temp(struct tsl_store *s)
{
    if (s->o.progress)
        atomic_store(&s->o.progress->temp_bytes, tsl_spill_stats(s->spill).now);
}

/* Under the lock: a job's blocks are on the disk. */
static void job_done(struct tsl_store *s, const struct write_job *job,
                     const uint16_t *pages)
{
    struct tsl_blocklist *l = job->list;
    uint32_t page = job->page;
    for (size_t i = 0; i < job->n; page += pages[i++])
        l->v[job->index + i] = (struct tsl_block){ page, pages[i], ON_DISK };
    s->spilled += job->n;
    note_temp(s);
}

static void give_back(struct tsl_store *s, const struct tsl_extent_use *extents, size_t n)
{
    for (size_t i = 0; i < n; i++)
        tsl_spill_release(s->spill, extents[i].first);
    note_temp(s);
}

/* Under the lock: extents, taken over, for the writers to release.  false: no memory. */
static bool queue_release(struct tsl_store *s, struct tsl_extent_use *extents, size_t n)
{
    struct release *r = tsl_mem_alloc(1, sizeof *r, "the block table", NULL);
    if (!r)
        return false;
    *r = (struct release){ s->releases, extents, n };
    s->releases = r;
    tsl_cond_broadcast(&s->changed);
    return true;
}

/* Under the lock: block i has been loaded.  Space that no block needs any more goes while
 * the run is busy elsewhere: at its end, freeing what a gigabyte row took is waited for
 * (1.3 s for 680 MB on ext4, mounted with discard). */
static void forget_block(struct tsl_store *s, struct tsl_blocklist *l, size_t i)
{
    size_t lo = 0, hi = l->nextents; /* the last extent that begins with i or before */
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (l->extents[mid].block <= i)
            lo = mid;
        else
            hi = mid;
    }
    struct tsl_extent_use *e = &l->extents[lo];
    assert(l->nextents > 0 && e->live > 0 && !e->released);
    if (--e->live > 0 || (lo == l->nextents - 1 && l->nblocks > 0))
        return;
    struct tsl_extent_use *copy = tsl_mem_alloc(1, sizeof *copy, "the block table", NULL);
    if (!copy)
        return;
    *copy = *e;
    e->released = queue_release(s, copy, 1);
    if (!e->released)
        tsl_mem_free(copy);
}

/* Under the lock, which is let go meanwhile: one list's extents.  false: nothing to do. */
static bool release_one(struct tsl_store *s)
{
    struct release *r = s->releases;
    if (!r)
        return false;
    s->releases = r->next;
    s->releasing++;
    tsl_mutex_unlock(&s->lock);
    give_back(s, r->extents, r->n);
    tsl_mem_free(r->extents);
    tsl_mem_free(r);
    tsl_mutex_lock(&s->lock);
    s->releasing--;
    tsl_cond_broadcast(&s->changed);
    return true;
}

/* A compressor's memory is known once it has seen a block (level 19 takes 11 MiB for 128
 * KiB): what the part beside the budget does not carry is set aside. */
static int count_packer(struct tsl_store *s, struct writer *w, struct tsl_err *err)
{
    size_t k, n = s->o.chunk_bytes;
    int rc = tsl_packer_run(w->packer, w->scratch + n, w->scratch_bytes - n, w->scratch,
                            n, &k, err);
    if (rc < 0)
        return rc;
    size_t bytes = tsl_packer_bytes(w->packer) + w->scratch_bytes;
    tsl_mutex_lock(&s->lock);
    size_t before = s->packer_bytes, most = s->o.bytes / 2;
    s->packer_bytes += bytes;
    before = before > PACKERS_BESIDE ? before - PACKERS_BESIDE : 0;
    size_t after =
        s->packer_bytes > PACKERS_BESIDE ? s->packer_bytes - PACKERS_BESIDE : 0;
    after = after < most ? after : most;
    s->aside += (int64_t)after - (int64_t)(before < most ? before : most);
    trim(s);
    tsl_mutex_unlock(&s->lock);
    return 0;
}

static int open_writer(struct tsl_store *s, struct writer *w, struct tsl_err *err)
{
    *w = (struct writer){ 0 };
    if (s->o.compress == TSL_CODEC_NONE)
        return 0;
    int rc = tsl_packer_create(&w->packer, s->o.compress, s->o.level, err);
    if (rc < 0)
        return rc;
    w->scratch_bytes = (together(s) - 1) * s->o.chunk_bytes +
                       tsl_packer_bound(w->packer, s->o.chunk_bytes) + 2 * PAGE;
    w->scratch = tsl_pages_map(w->scratch_bytes, "a compression buffer", err);
    return w->scratch ? count_packer(s, w, err) : TSL_ENOMEM;
}

static void writer_main(void *arg)
{
    struct tsl_store *s = arg;
    struct writer w;
    struct tsl_err err = { 0 };
    uint16_t pages[EXTENT_BLOCKS];
    int rc = open_writer(s, &w, &err);
    tsl_mutex_lock(&s->lock);
    for (;;) {
        if (rc < 0 && !s->err.code) {
            tsl_err_set(&err, rc, "temporary space failed");
            s->err = err;
            tsl_cond_broadcast(&s->changed);
        }
        if (s->stop)
            break;
        if (s->njobs == 0) {
            if (!release_one(s))
                tsl_cond_wait(&s->changed, &s->lock);
            continue;
        }
        struct write_job job = s->jobs[s->job_head];
        s->job_head = (s->job_head + 1) % s->in_flight_max;
        s->njobs--;
        if (!s->err.code) {
            tsl_mutex_unlock(&s->lock);
            rc = write_job(s, &w, &job, pages, &err);
            tsl_mutex_lock(&s->lock);
        }
        if (rc >= 0 && !s->err.code)
            job_done(s, &job, pages);
        s->in_flight -= job.n;
        for (size_t i = 0; i < job.n; i++)
            idle_push(s, job.chunk[i]);
        trim(s);
    }
    tsl_mutex_unlock(&s->lock);
    tsl_packer_destroy(w.packer);
    tsl_pages_unmap(w.scratch, w.scratch_bytes);
}

int tsl_store_create(struct tsl_store **out, const struct tsl_store_opts *o,
                     struct tsl_err *err)
{
    assert(o->chunk_bytes >= PAGE && (o->chunk_bytes & (o->chunk_bytes - 1)) == 0);
    struct tsl_store *s = tsl_mem_alloc(1, sizeof *s, "the block store", err);
    int rc = TSL_ENOMEM;
    if (!s)
        return rc;
    s->o = *o;
    /* a level that somebody asked for is bound by the processors, not by the disk */
    if (o->compress != TSL_CODEC_NONE && !o->measure && s->o.nwriters > o->nthreads + 1)
        s->o.nwriters = o->nthreads + 1;
    s->nchunks = o->bytes / o->chunk_bytes;
    /* chunk numbers are 32 bits; beyond 16 TiB of budget nobody will notice */
    if (s->nchunks > UINT32_MAX / 2)
        s->nchunks = UINT32_MAX / 2;
    s->in_flight_max = s->nchunks / 8 < 4 ? 4 : s->nchunks / 8 > 64 ? 64 : s->nchunks / 8;
    tsl_temppack_init(&s->pack, o->nthreads, !o->measure || o->scarce);
    tsl_mutex_init(&s->lock);
    tsl_cond_init(&s->changed);
    s->arena_bytes = s->nchunks * o->chunk_bytes + TSL_BLOCK_SLACK;
    s->arena = tsl_pages_map(s->arena_bytes, "the row store", err);
    s->idle = tsl_pages_map(s->nchunks * sizeof *s->idle, "the row store", err);
    s->jobs = tsl_mem_alloc(s->in_flight_max, sizeof *s->jobs, "the row store", err);
    s->writers = tsl_mem_alloc(s->o.nwriters, sizeof *s->writers, "threads", err);
    if (!s->arena || !s->idle || !s->jobs || !s->writers)
        goto fail;
    if (s->arena_bytes >= HUGE_FROM)
        tsl_pages_want_huge(s->arena, s->arena_bytes);
    rc = tsl_spill_create(&s->spill, o->dirs, o->ndirs, PAGE,
                          EXTENT_BLOCKS * (uint32_t)(o->chunk_bytes / PAGE), err);
    if (rc < 0)
        goto fail;
    *out = s;
    return 0;
fail:
    tsl_store_destroy(s);
    return rc;
}

static void free_unpacker(struct unpacker *u)
{
    tsl_packer_destroy(u->packer);
    tsl_mem_free(u->copy);
    tsl_mem_free(u);
}

void tsl_store_destroy(struct tsl_store *s)
{
    if (!s)
        return;
    tsl_mutex_lock(&s->lock);
    s->stop = true;
    tsl_cond_broadcast(&s->changed);
    tsl_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->nwriters; i++)
        tsl_thread_join(&s->writers[i]);
    while (s->releases) {
        struct release *r = s->releases;
        s->releases = r->next;
        tsl_mem_free(r->extents);
        tsl_mem_free(r);
    }
    while (s->unpackers) {
        struct unpacker *u = s->unpackers;
        s->unpackers = u->next;
        free_unpacker(u);
    }
    tsl_spill_destroy(s->spill);
    if (s->o.progress)
        atomic_store(&s->o.progress->temp_bytes, 0);
    tsl_pages_unmap(s->arena, s->arena_bytes);
    tsl_pages_unmap(s->idle, s->nchunks * sizeof *s->idle);
    tsl_mem_free(s->jobs);
    tsl_mem_free(s->writers);
    tsl_mem_free(s->rank);
    tsl_cond_fini(&s->changed);
    tsl_mutex_fini(&s->lock);
    tsl_mem_free(s);
}

int tsl_store_rank(struct tsl_store *s, struct tsl_blocklist *const *lists, size_t n,
                   struct tsl_err *err)
{
    tsl_mutex_lock(&s->lock);
    int rc =
        tsl_mem_grow(&s->rank, &s->rank_cap, n, sizeof *s->rank, "the row store", err);
    if (rc == 0) {
        memcpy(s->rank, lists, n * sizeof *lists);
        s->nrank = n;
    }
    tsl_mutex_unlock(&s->lock);
    return rc;
}

/* Under the lock: the writers' threads exist only once something must be written. */
static int need_writers(struct tsl_store *s, struct tsl_err *err)
{
    while (s->nwriters < s->o.nwriters) {
        struct tsl_err why = { 0 };
        int rc = tsl_thread_start(&s->writers[s->nwriters], writer_main, s, &why);
        if (rc < 0 && s->nwriters > 0) {
            s->o.nwriters = s->nwriters; /* one is enough */
            break;
        }
        if (rc < 0)
            return tsl_err_pass(err, &why);
        s->nwriters++;
    }
    return 0;
}

/* Under the lock: waits until want more chunks fit the budget. */
static int make_room(struct tsl_store *s, size_t want, struct tsl_err *err)
{
    for (;;) {
        int rc = failure(s, err);
        if (rc < 0)
            return rc;
        size_t most = limit(s), used = s->in_use + s->claimed;
        bool fits = used + want <= most;
        /* a little ahead, so that chunks are idle when they are needed */
        size_t ahead = s->in_flight_max / 2;
        if (used + want + ahead > most) {
            rc = need_writers(s, err);
            if (rc < 0)
                return rc;
            while (s->in_flight < (fits ? ahead : s->in_flight_max) && evict_some(s))
                ;
        }
        if (s->err.code)
            continue; /* set just now, by ourselves: nobody will wake us */
        if (fits)
            return 0;
        tsl_cond_wait(&s->changed, &s->lock);
    }
}

uint8_t *tsl_store_take(struct tsl_store *s, struct tsl_err *err)
{
    tsl_mutex_lock(&s->lock);
    uint8_t *p = NULL;
    if (make_room(s, 1, err) == 0) {
        p = chunk_at(s, idle_pop(s));
        trim(s);
    }
    tsl_mutex_unlock(&s->lock);
    return p;
}

void tsl_store_give(struct tsl_store *s, uint8_t *chunk)
{
    tsl_mutex_lock(&s->lock);
    idle_push(s, chunk_number(s, chunk));
    trim(s);
    tsl_mutex_unlock(&s->lock);
}

int tsl_store_put(struct tsl_store *s, struct tsl_blocklist *l, uint8_t *chunk,
                  struct tsl_err *err)
{
    tsl_mutex_lock(&s->lock);
    int rc = tsl_mem_grow(&l->v, &l->cap, l->n + 1, sizeof *l->v, "the block table", err);
    if (rc == 0)
        l->v[l->n++] = (struct tsl_block){ chunk_number(s, chunk), 0, IN_MEMORY };
    else
        idle_push(s, chunk_number(s, chunk));
    tsl_mutex_unlock(&s->lock);
    return rc;
}

int tsl_store_set_aside(struct tsl_store *s, int64_t bytes, struct tsl_err *err)
{
    tsl_mutex_lock(&s->lock);
    s->aside += bytes;
    int rc = limit(s) == 0 ? tsl_err_set(err, TSL_ENOMEM, "the memory limit is too small")
                           : make_room(s, 0, err);
    trim(s);
    tsl_cond_broadcast(&s->changed);
    tsl_mutex_unlock(&s->lock);
    return rc;
}

int tsl_store_claim(struct tsl_store *s, size_t n, struct tsl_err *err)
{
    if (n == 0)
        return 0;
    tsl_mutex_lock(&s->lock);
    int rc = n > limit(s) ? tsl_err_set(err, TSL_ENOMEM, "the memory limit is too small")
                          : make_room(s, n, err);
    if (rc == 0)
        s->claimed += n;
    tsl_mutex_unlock(&s->lock);
    return rc;
}

size_t tsl_blocklist_on_disk(struct tsl_store *s, const struct tsl_blocklist *l)
{
    size_t n = 0;
    tsl_mutex_lock(&s->lock);
    for (size_t i = 0; i < l->n; i++)
        n += l->v[i].state == ON_DISK || l->v[i].state == WRITING;
    tsl_mutex_unlock(&s->lock);
    return n;
}

/* An idle unpacker or a new one; NULL when there is no memory. */
static struct unpacker *take_unpacker(struct tsl_store *s, struct tsl_err *err)
{
    tsl_mutex_lock(&s->lock);
    struct unpacker *u = s->unpackers;
    if (u)
        s->unpackers = u->next;
    tsl_mutex_unlock(&s->lock);
    if (u)
        return u;
    u = tsl_mem_alloc(1, sizeof *u, "a compressed block", err);
    if (!u)
        return NULL;
    u->copy = tsl_mem_alloc(s->o.chunk_bytes, 1, "a compressed block", err);
    if (!u->copy || tsl_packer_create(&u->packer, s->o.compress, 0, err) < 0) {
        free_unpacker(u);
        return NULL;
    }
    return u;
}

static int unpack_chunk(struct tsl_store *s, uint8_t *chunk,
                        const struct tsl_block_head *h, struct tsl_err *err)
{
    struct unpacker *u = take_unpacker(s, err);
    if (!u)
        return TSL_ENOMEM;
    memcpy(u->copy, chunk + TSL_BLOCK_HEAD, h->packed_bytes);
    int rc = tsl_packer_undo(u->packer, chunk + TSL_BLOCK_HEAD,
                             h->code_end - TSL_BLOCK_HEAD, u->copy, h->packed_bytes, err);
    tsl_mutex_lock(&s->lock);
    u->next = s->unpackers;
    s->unpackers = u;
    tsl_mutex_unlock(&s->lock);
    return rc;
}

static int check_block(struct tsl_store *s, uint8_t *chunk, const struct tsl_block *b,
                       struct tsl_err *err)
{
    struct tsl_block_head h;
    size_t n = (size_t)b->pages * PAGE;
    memcpy(&h, chunk, sizeof h);
    if (h.check != tsl_hash64(chunk + 8, n - 8, b->where))
        return tsl_err_set(err, TSL_EIO,
                           "%s: temporary block %u came back other than it was written: "
                           "the disk or the memory is faulty",
                           tsl_spill_folder(s->spill, b->where), b->where);
    return h.packed_bytes ? unpack_chunk(s, chunk, &h, err) : 0;
}

/* Blocks of list from i on that lie one behind the other in one extent. */
static size_t neighbours(const struct tsl_store *s, const struct tsl_blocklist *l,
                         size_t i, size_t end)
{
    uint32_t extent = EXTENT_BLOCKS * (uint32_t)(s->o.chunk_bytes / PAGE);
    size_t n = 1;
    while (i + n < end && n < EXTENT_BLOCKS && l->v[i + n].state == ON_DISK &&
           l->v[i + n].where == l->v[i + n - 1].where + l->v[i + n - 1].pages &&
           l->v[i + n].where % extent)
        n++;
    return n;
}

int tsl_store_load(struct tsl_store *s, struct tsl_blocklist *l, size_t first, size_t n,
                   uint8_t **chunks, bool claimed, struct tsl_err *err)
{
    int rc = 0;
    size_t i = 0, end = first + n;
    memset(chunks, 0, n * sizeof *chunks);
    tsl_mutex_lock(&s->lock);
    for (; i < n && rc == 0; i++) {
        struct tsl_block *b = &l->v[first + i];
        while (b->state == WRITING && (rc = failure(s, err)) == 0)
            tsl_cond_wait(&s->changed, &s->lock);
        if (rc < 0)
            break;
        assert(b->state != GONE);
        if (b->state == IN_MEMORY) {
            chunks[i] = chunk_at(s, b->where);
            b->state = GONE;
        } else {
            if (claimed) {
                assert(s->claimed > 0);
                s->claimed--;
            } else {
                rc = make_room(s, 1, err);
            }
            if (rc == 0)
                chunks[i] = chunk_at(s, idle_pop(s));
        }
    }
    trim(s);
    tsl_mutex_unlock(&s->lock);
    for (i = first; i < end && rc == 0;) {
        struct iovec v[EXTENT_BLOCKS];
        if (l->v[i].state == GONE) {
            i++;
            continue;
        }
        size_t k = neighbours(s, l, i, end);
        for (size_t j = 0; j < k; j++) {
            v[j] =
                (struct iovec){ chunks[i - first + j], (size_t)l->v[i + j].pages * PAGE };
        }
        rc = tsl_spill_read(s->spill, l->v[i].where, v, (int)k, err);
        for (size_t j = 0; j < k && rc == 0; j++) {
            rc = check_block(s, chunks[i - first + j], &l->v[i + j], err);
            l->v[i + j].state = GONE;
        }
        tsl_mutex_lock(&s->lock);
        for (size_t j = 0; j < k && rc == 0; j++)
            forget_block(s, l, i + j);
        tsl_mutex_unlock(&s->lock);
        i += k;
    }
    if (rc < 0) {
        for (i = 0; i < n; i++)
            if (chunks[i])
                tsl_store_give(s, chunks[i]);
        memset(chunks, 0, n * sizeof *chunks);
    }
    return rc;
}

int tsl_store_peek(struct tsl_store *s, struct tsl_blocklist *l, size_t i,
                   uint8_t *scratch, const uint8_t **p, struct tsl_err *err)
{
    int rc = 0;
    tsl_mutex_lock(&s->lock);
    while (l->v[i].state == WRITING && (rc = failure(s, err)) == 0)
        tsl_cond_wait(&s->changed, &s->lock);
    struct tsl_block b = l->v[i];
    tsl_mutex_unlock(&s->lock);
    if (rc < 0)
        return rc;
    if (b.state == IN_MEMORY) {
        *p = chunk_at(s, b.where);
        return 0;
    }
    struct iovec v = { scratch, (size_t)b.pages * PAGE };
    rc = tsl_spill_read(s->spill, b.where, &v, 1, err);
    if (rc == 0)
        rc = check_block(s, scratch, &b, err);
    *p = scratch;
    return rc;
}

void tsl_store_drop(struct tsl_store *s, struct tsl_blocklist *l)
{
    tsl_mutex_lock(&s->lock);
    for (size_t i = 0; i < l->n; i++) {
        while (l->v[i].state == WRITING && !s->err.code)
            tsl_cond_wait(&s->changed, &s->lock);
        if (l->v[i].state == IN_MEMORY)
            idle_push(s, l->v[i].where);
    }
    trim(s);
    size_t n = 0;
    for (size_t i = 0; i < l->nextents; i++)
        if (!l->extents[i].released)
            l->extents[n++] = l->extents[i];
    bool queued = n > 0 && queue_release(s, l->extents, n);
    tsl_mutex_unlock(&s->lock);
    if (!queued) {
        give_back(s, l->extents, n);
        tsl_mem_free(l->extents);
    }
    tsl_mem_free(l->v);
    *l = (struct tsl_blocklist){ 0 };
}

void tsl_store_cancel(struct tsl_store *s)
{
    tsl_mutex_lock(&s->lock);
    s->cancelled = true;
    tsl_cond_broadcast(&s->changed);
    tsl_mutex_unlock(&s->lock);
}

struct tsl_store_stats tsl_store_stats(struct tsl_store *s)
{
    struct tsl_store_stats st = { 0 };
    tsl_mutex_lock(&s->lock);
    while (release_one(s))
        ;
    while (s->releasing)
        tsl_cond_wait(&s->changed, &s->lock);
    st.disk = tsl_spill_stats(s->spill);
    st.blocks_spilled = s->spilled;
    st.compressed = s->npacked > 0;
    tsl_mutex_unlock(&s->lock);
    return st;
}

size_t tsl_store_chunks_in_use(struct tsl_store *s)
{
    tsl_mutex_lock(&s->lock);
    size_t n = s->in_use;
    tsl_mutex_unlock(&s->lock);
    return n;
}

size_t tsl_store_chunks(struct tsl_store *s)
{
    tsl_mutex_lock(&s->lock);
    size_t n = limit(s);
    tsl_mutex_unlock(&s->lock);
    return n;
}

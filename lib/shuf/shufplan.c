#include "shuf/shufplan.h"

enum { KiB = 1 << 10, MiB = 1 << 20 };

enum {
    /* below it the fixed 16 MiB beside the budget carry the rest */
    MEMORY_MIN = 256 * KiB,
    BATCH_MIN = 16 * KiB,
    /* larger ones leave the second-level cache between read and scatter */
    BATCH_MAX = 1 * MiB,
    CHUNK_MIN = 4 * KiB,
    CHUNK_MAX = 128 * KiB, /* `scripts/bench shuffle b`: 64 KiB costs a third more */
    CHUNK_POOR = 8 * KiB,
    CHUNK_GOOD = 32 * KiB,
    BUCKET_WISH = 8 * MiB, /* sorted and gathered within the third-level cache */
    LOG_BUCKETS_MAX = 12,
    OUT_MIN = 256 * KiB,
    /* pieces of a chunk cost a fifth more (`scripts/bench shuffle d`) */
    OUT_MAX = 1 * MiB,
    WINDOW_FREE = 8 * MiB, /* what zstd -19 makes; larger windows count as memory */
    WINDOW_MAX = 128 * MiB
};

static uint64_t clamp(uint64_t v, uint64_t least, uint64_t most)
{
    return v < least ? least : v > most ? most : v;
}

static uint64_t floor_pow2(uint64_t v)
{
    return v ? UINT64_C(1) << (63 - __builtin_clzll(v)) : 1;
}

static unsigned ceil_log2(uint64_t v)
{
    return v > 1 ? 64 - (unsigned)__builtin_clzll(v - 1) : 0;
}

/* What n bytes of input, 0: unknown, will lead to with the sizes chosen. */
static void expect(struct tsl_shufplan *p, uint64_t n)
{
    p->passes = 1;
    p->long_bytes = n ? UINT64_MAX : p->store_bytes / 2;
    if (n == 0)
        return;
    uint64_t open = (uint64_t)p->nthreads * p->chunk_bytes << p->log_buckets;
    uint64_t room = p->store_bytes - open / 2, all = n + n / 20;
    p->bucket_bytes = n >> p->log_buckets;
    if (all > room) {
        p->passes = p->bucket_bytes * 3 > p->store_bytes ? 3 : 2;
        p->long_bytes = p->store_bytes / 2;
        p->temp_bytes = all - room * 3 / 4;
    }
}

struct tsl_shufplan tsl_shufplan_make(const struct tsl_shufplan_in *in)
{
    struct tsl_shufplan p = { .memory =
                                  clamp(in->memory, MEMORY_MIN, UINT64_C(1) << 50) };
    /* each has its own chunks: many make them small */
    uint64_t threads = p.memory / (16 * MiB);
    p.nthreads = (unsigned)clamp(in->nthreads, 1, threads ? threads : 1);
    /* deep enough that the disk always has the next one; few where each costs memory */
    p.nwriters = p.memory < 64 * MiB ? 4 : 8;
    p.window_max = (size_t)clamp(p.memory / 8, WINDOW_FREE, WINDOW_MAX);
    p.out_bytes =
        (size_t)clamp(floor_pow2(p.memory / 256 / in->nparts), OUT_MIN, OUT_MAX);
    uint64_t memory = p.memory - (p.window_max - WINDOW_FREE);

    /* while reading: batches on their way, and one more in each input */
    p.batch_bytes =
        (size_t)clamp(floor_pow2(memory / 64 / in->nparts), BATCH_MIN, BATCH_MAX);
    p.batch_rows = p.batch_bytes / 64;
    p.nbatches = p.nthreads + 2;
    p.batches_bytes =
        (p.nbatches + 2 * in->nparts - 1) * (p.batch_bytes + 8 * p.batch_rows);
    p.store_bytes = memory > 2 * p.batches_bytes ? memory - p.batches_bytes : memory / 2;

    /* as many buckets as make one of them, loaded, sorted and laid out (about 2.5 times
     * its bytes), fit beside its neighbours on their way in and out */
    uint64_t unknown = 64 * p.store_bytes, jobs = p.nthreads + 2;
    uint64_t n = in->input_bytes ? in->input_bytes : unknown;
    uint64_t wish = clamp(p.store_bytes / (4 * jobs), CHUNK_MIN, BUCKET_WISH);
    /* for the chunks being filled; more where there is little */
    uint64_t writers = p.store_bytes / (p.memory < 64 * MiB ? 3 : 4);
    p.log_buckets = (unsigned)clamp(ceil_log2(n / wish + 1), 0, LOG_BUCKETS_MAX);
    /* Small blocks cost a disk more than larger ones do (1 GB in 8 MiB of memory: 24 s
     * with 4 KiB, 4 s with 32), and below 8 KiB more than one more pass does. */
    unsigned least = ceil_log2(n / (p.store_bytes / 3) + 1); /* one job could hold it */
    uint64_t good = clamp(floor_pow2(p.store_bytes / 128), CHUNK_MIN, CHUNK_GOOD);
    uint64_t poor = good < CHUNK_POOR ? good : CHUNK_POOR;
    while (p.log_buckets > 4 &&
           writers / p.nthreads >> p.log_buckets < (p.log_buckets > least ? good : poor))
        p.log_buckets--;
    while (p.log_buckets > 0 && writers / p.nthreads >> p.log_buckets < CHUNK_MIN)
        p.log_buckets--;
    uint64_t chunk = writers / p.nthreads >> p.log_buckets;
    /* in memory half-filled chunks are the only cost */
    if (in->input_bytes && n < p.store_bytes)
        chunk = chunk < n / 8 / p.nthreads >> p.log_buckets
                    ? chunk
                    : n / 8 / p.nthreads >> p.log_buckets;
    /* 60 KiB are 64, not 32 (4 GiB in 128 MiB of memory: 26 s with 32, 20 with 64) */
    p.chunk_bytes = (size_t)clamp(floor_pow2(chunk + chunk / 6), CHUNK_MIN, CHUNK_MAX);
    if (p.chunk_bytes > p.batch_bytes)
        p.chunk_bytes = p.batch_bytes;

    expect(&p, in->input_bytes);
    return p;
}

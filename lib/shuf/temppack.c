#include "shuf/temppack.h"

/* Packed at the start, to have something to judge by; then one of so many, while it does
 * not pay. */
enum { FIRST = 8, PROBE = 128 };

/* Below it a window says too little of how busy the processors are. */
static const double WINDOW_S = 0.02;

/* Of a processor's time: above it there is none left to pack with. */
static const double BUSY_MAX = 0.85;

/* The same by what writers wait for a processor, against what they run: 1.3 where the
 * shuffle itself takes two processors whole, 4 beside seven other programs. */
static const double WAITED_MAX = 0.8;

/* A block that shrinks to more than this share is not worth its unpacking. */
static const double SHARE_MAX = 0.9;

/* Unpacking takes about 0.6 of the time of packing (zstd's Huffman stage: 720 and 1,170
 * MB/s on 128 KiB blocks of text), and half of both is taken as lost: while the run waits
 * for the disk the time costs nothing, but the other pass may be another case. */
static const double COST = 1.6 / 2;

void tsl_temppack_init(struct tsl_temppack *t, unsigned nthreads, bool always)
{
    *t = (struct tsl_temppack){ .nthreads = nthreads ? nthreads : 1,
                                .always = always,
                                .packs = always };
}

static bool shrinks(const struct tsl_temppack *t)
{
    return t->packed_bytes < SHARE_MAX * t->raw_bytes;
}

bool tsl_temppack_next(struct tsl_temppack *t)
{
    bool unknown = t->raw_bytes == 0 && t->nblocks < FIRST;
    /* what hardly shrinks is tried less often still */
    unsigned probe = shrinks(t) ? PROBE : 4 * PROBE;
    if (t->packs || unknown || ++t->nblocks >= probe) {
        t->nblocks = unknown ? t->nblocks + 1 : 0;
        return true;
    }
    return false;
}

void tsl_temppack_packed(struct tsl_temppack *t, double pack_s, size_t raw, size_t packed)
{
    const double keep = 0.99;
    t->pack_s = t->pack_s * keep + pack_s;
    t->raw_bytes = t->raw_bytes * keep + (double)raw;
    t->packed_bytes = t->packed_bytes * keep + (double)packed;
}

/* After a window of wall_s seconds, cpu_s of them of processors.  A run that does not use
 * those waits for a disk, on which a byte comes in for each that goes out; but a byte
 * does not take longer than it took its writer: else it is the input that is slow. */
static void decide(struct tsl_temppack *t, double wall_s, double cpu_s)
{
    if (t->always || t->raw_bytes <= 0 || t->write_bytes <= 0 || t->window_bytes <= 0)
        return;
    double share = t->packed_bytes / t->raw_bytes;
    double disk_s = wall_s / t->window_bytes / 2, most = t->write_s / t->write_bytes;
    double saved = 2 * (disk_s < most ? disk_s : most) * (1 - share);
    double cost = COST * t->pack_s / t->raw_bytes / t->nthreads;
    bool idle = cpu_s < BUSY_MAX * wall_s * t->nthreads;
    if (t->ran_s > 0)
        idle = idle && t->waited_s < WAITED_MAX * t->ran_s;
    t->packs = share < SHARE_MAX && idle && saved > cost;
}

void tsl_temppack_waited(struct tsl_temppack *t, double ran_s, double waited_s)
{
    const double keep = 0.9;
    t->ran_s = t->ran_s * keep + ran_s;
    t->waited_s = t->waited_s * keep + waited_s;
}

void tsl_temppack_written(struct tsl_temppack *t, double write_s, size_t raw,
                          size_t written, double wall, double cpu)
{
    const double keep = 0.99;
    t->write_s = t->write_s * keep + write_s;
    t->write_bytes = t->write_bytes * keep + (double)written;
    t->window_bytes += (double)raw;
    if (t->wall > 0 && wall - t->wall < WINDOW_S)
        return;
    if (t->wall > 0)
        decide(t, wall - t->wall, cpu - t->cpu);
    t->wall = wall;
    t->cpu = cpu;
    t->window_bytes = 0;
}

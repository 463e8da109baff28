/* temppack.h - is it worth the time to compress temporary blocks?  Asked again and again
 * while they are written, for the answer differs between disks, between data, and between
 * the beginning and the end of one run.
 *
 * Compressing buys disk time with processor time.  It pays when the disk is what a run
 * waits for: the processors have time left, and what a block saves in writing and reading
 * is worth more than packing and unpacking.  All of it is measured on the blocks
 * themselves; while they go raw, one now and then is packed to know what it would bring.
 * Order: none of this changes a result, only how long it takes.
 * Memory: none.
 * Threads: pure; the caller's lock. */
#ifndef TSL_TEMPPACK_H
#define TSL_TEMPPACK_H

#include <stdbool.h>
#include <stddef.h>

struct tsl_temppack {
    unsigned nthreads; /* processors' worth of time that the run may use */
    bool always;       /* it must be small, whatever it costs */
    /* sums that forget: what counts is the last hundred blocks */
    double write_s, write_bytes; /* bytes on disk */
    double pack_s, raw_bytes, packed_bytes;
    /* the window: what the clocks stood at when it began (0: none has), bytes since then */
    double wall, cpu, window_bytes;
    double ran_s, waited_s; /* of the writers; 0: not known */
    bool packs;
    unsigned nblocks; /* asked for since the last one was packed */
};

void tsl_temppack_init(struct tsl_temppack *t, unsigned nthreads, bool always);

/* Pack the next block? */
bool tsl_temppack_next(struct tsl_temppack *t);

/* A block of raw bytes took pack_s seconds to become packed ones. */
void tsl_temppack_packed(struct tsl_temppack *t, double pack_s, size_t raw,
                         size_t packed);

/* A writer ran for ran_s seconds and waited for a processor for so many, of late. */
void tsl_temppack_waited(struct tsl_temppack *t, double ran_s, double waited_s);

/* A block of raw bytes, written as so many, took write_s seconds of one writer.  wall,
 * cpu: what the clock and the process's processor time stand at now, in seconds. */
void tsl_temppack_written(struct tsl_temppack *t, double write_s, size_t raw,
                          size_t written, double wall, double cpu);

#endif

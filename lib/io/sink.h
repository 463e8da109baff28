/* sink.h - a stream of bytes into a file, compressed if need be; whole or not at all.
 *
 * Order and bytes: what is written, in order; compressed output is the same for any
 *   number of threads (see codec.h).
 * Memory: 256 KiB or what was wanted, or with compression two frames for each thread of
 *   the pool.
 * Threads: one owner; the pool works only inside calls. */
#ifndef TSL_SINK_H
#define TSL_SINK_H

#include "io/codec.h"
#include "io/outfile.h"
#include "io/writebehind.h"
#include "par/pool.h"

struct tsl_sink_opts {
    enum tsl_codec codec;
    int level;             /* 0: the codec's usual one */
    struct tsl_pool *pool; /* for compression; may be NULL without */
    unsigned nthreads;     /* of the pool */
};

struct tsl_sink {
    struct tsl_outfile out;
    struct tsl_sink_opts o;
    uint8_t *buf; /* plain bytes not yet written */
    size_t len, cap;
    struct tsl_sink_frame *frames;  /* nthreads of them */
    uint64_t bytes;                 /* plain bytes in */
    struct tsl_writebehind *behind; /* NULL: the caller's thread writes */
    struct tsl_writebehind_file later;
};

/* path NULL: standard output.  named: see outfile.h.  0, or an error and s closed. */
int tsl_sink_open(struct tsl_sink *s, const char *path, bool named,
                  const struct tsl_sink_opts *o, struct tsl_err *err);
/* Collects up to bytes before they are written, instead of 256 KiB: fewer and larger
 * requests to the disk.  Before the first write; refused memory costs speed only, and a
 * compressed file is left as it is. */
void tsl_sink_widen(struct tsl_sink *s, size_t bytes);
/* From here on b's thread writes, where s is neither compressed nor widened; s then stays where it is, and b
 * outlives it.  NULL changes nothing. */
void tsl_sink_behind(struct tsl_sink *s, struct tsl_writebehind *b);
/* 0, or the error of a write that may be of earlier bytes. */
int tsl_sink_write(struct tsl_sink *s, const void *p, size_t n, struct tsl_err *err);
/* *to: where the next n bytes may be put at once, and took then says how many of them were;
 * NULL where that cannot be (more than the buffer holds, or a compressed file). */
int tsl_sink_room(struct tsl_sink *s, size_t n, uint8_t **to, struct tsl_err *err);
void tsl_sink_took(struct tsl_sink *s, size_t n);
/* As write, of bytes that stay as they are until flush, done or close: behind's thread takes them
 * from where they lie. */
int tsl_sink_lend(struct tsl_sink *s, const void *p, size_t n, struct tsl_err *err);
/* At least bytes will have been written when it is done, of which the first from were told
 * before: behind's thread may make room for the others (tsl_file_expect). */
void tsl_sink_expect(struct tsl_sink *s, uint64_t from, uint64_t bytes);
/* [p, p + n), whole pages, is going to be filled by the caller: behind's thread may have its pages
 * (tsl_pages_want_to_fill), which stay where they are until flush, done or close. */
void tsl_sink_want(struct tsl_sink *s, void *p, size_t n);
/* What was written so far lies in the file; of a sink that is not compressed. */
int tsl_sink_flush(struct tsl_sink *s, struct tsl_err *err);
/* Everything was written: flushes, syncs and frees the buffers. */
int tsl_sink_done(struct tsl_sink *s, struct tsl_err *err);
/* Gives the file its final name. */
int tsl_sink_commit(struct tsl_sink *s, struct tsl_err *err);
/* Undoes what was not committed. */
void tsl_sink_close(struct tsl_sink *s);

#endif

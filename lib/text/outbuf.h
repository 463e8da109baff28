/* outbuf.h - bytes on their way to an output: a buffer that grows, or that empties itself
 * into a sink.
 *
 * Order: as put.
 * Memory: on the heap; len = 0 empties it and keeps the memory for the next batch.
 * Threads: one owner. */
#ifndef TSL_OUTBUF_H
#define TSL_OUTBUF_H

#include "io/sink.h"

struct tsl_outbuf {
    uint8_t *p;
    size_t len, cap;
    struct tsl_sink *sink; /* NULL: grows; else takes what is beyond 1 MiB */
};

/* Room for n bytes more behind p + len. */
int tsl_outbuf_reserve(struct tsl_outbuf *b, size_t n, struct tsl_err *err);
int tsl_outbuf_put(struct tsl_outbuf *b, const void *p, size_t n, struct tsl_err *err);
/* A string in quotes as JSON has it; ill-formed parts of UTF-8 become U+FFFD. */
int tsl_outbuf_quoted(struct tsl_outbuf *b, const uint8_t *p, size_t n,
                      struct tsl_err *err);
/* Everything goes into the sink, if there is one; the buffer is empty. */
int tsl_outbuf_flush(struct tsl_outbuf *b, struct tsl_err *err);
void tsl_outbuf_fini(struct tsl_outbuf *b);

#endif

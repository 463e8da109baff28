/* source.h - a stream of plain bytes from a file or standard input, decompressed if need
 * be.
 *
 * Memory: plain files go straight into the caller's buffer; compressed ones through 256
 *   KiB and the decoder's window.
 * Threads: one owner. */
#ifndef TSL_SOURCE_H
#define TSL_SOURCE_H

#include "io/codec.h"
#include "io/file.h"

struct tsl_source {
    struct tsl_file file;
    enum tsl_codec codec;
    struct tsl_decoder *decoder;
    uint8_t *in; /* compressed bytes, or what was peeked at or put back */
    size_t in_at, in_len, in_cap;
    uint8_t *back; /* plain bytes put back */
    size_t back_at, back_len, back_cap;
    bool ended;
};

#define TSL_SOURCE_CLOSED                                                                \
    (struct tsl_source)                                                                  \
    {                                                                                    \
        .file = TSL_FILE_INIT                                                            \
    }

/* path as for tsl_file_open.  window_max: see codec.h.  0, or an error and s closed. */
int tsl_source_open(struct tsl_source *s, const char *path, size_t window_max,
                    struct tsl_err *err);

/* A stream of these bytes; copied.  0 or TSL_ENOMEM. */
int tsl_source_of_memory(struct tsl_source *s, const uint8_t *p, size_t n,
                         struct tsl_err *err);

/* Fills p as far as the stream goes: the bytes, less than n only at its end, or TSL_EIO,
 * TSL_EFORMAT or TSL_ENOMEM. */
int64_t tsl_source_read(struct tsl_source *s, uint8_t *p, size_t n, struct tsl_err *err);

/* Puts bytes back in front: the next read returns them first.  0 or TSL_ENOMEM. */
int tsl_source_unread(struct tsl_source *s, const uint8_t *p, size_t n,
                      struct tsl_err *err);

/* Closes, and checks that a regular file did not change meanwhile.  err NULL: only
 * closes. */
int tsl_source_close(struct tsl_source *s, struct tsl_err *err);

#endif

/* frame.h - where a row begins and ends.
 *
 *   line      a newline ends it
 *   nul       a NUL byte ends it
 *   para      lines up to a blank one (empty, or a lone CR); more of those are skipped
 *   fixed:N   N bytes
 *   u32       a little-endian length, then the bytes
 *
 * A row's own bytes are without its end or its length; a missing end at the end of a file
 * is supplied, so that two files never glue two rows together.
 * Memory: none.
 * Threads: pure functions. */
#ifndef TSL_FRAME_H
#define TSL_FRAME_H

#include <stdbool.h>

#include "base/rowbatch.h"

enum tsl_frame_kind {
    TSL_FRAME_LINE,
    TSL_FRAME_NUL,
    TSL_FRAME_PARA,
    TSL_FRAME_FIXED,
    TSL_FRAME_U32
};

struct tsl_frame {
    enum tsl_frame_kind kind;
    uint32_t fixed; /* bytes; TSL_FRAME_FIXED only */
};

/* A kind by the names above, N a size of 1 to 2^32-1 bytes.  false when s is anything
 * else. */
bool tsl_frame_parse(const char *s, struct tsl_frame *out);

/* Bytes in front of a row's own (a length) and behind them (its end), as they are
 * written. */
size_t tsl_frame_head(const struct tsl_frame *f);
size_t tsl_frame_tail(const struct tsl_frame *f);

/* Writes a row's head to p, for a row of len bytes; its tail.  At most 4 bytes each. */
void tsl_frame_put_head(const struct tsl_frame *f, uint8_t *p, uint64_t len);
void tsl_frame_put_tail(const struct tsl_frame *f, uint8_t *p);

/* How many of the n bytes at p, which begin between two rows, make up whole rows. */
size_t tsl_frame_whole(const struct tsl_frame *f, const uint8_t *p, size_t n);

/* Finds rows in the n bytes at p, all of them whole, from byte from on: at most cap.
 * Returns where it stopped; n when all were found.  rows[].at counts from p. */
size_t tsl_frame_split(const struct tsl_frame *f, const uint8_t *p, size_t n, size_t from,
                       struct tsl_row *rows, size_t cap, size_t *nrows);

/* p[0, n) is what a file ends with, from between two rows on.  Supplies a missing end
 * behind it (at most 2 bytes) and returns the new n, or 0 with n > 0 when the last row is
 * cut short. */
size_t tsl_frame_finish(const struct tsl_frame *f, uint8_t *p, size_t n);

#endif

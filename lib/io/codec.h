/* codec.h - none, zstd and gzip behind one face: streams in, whole frames out.
 *
 * Reading: what a file is, is told by its first bytes, never by its name; frames
 *   (members) that follow each other are one stream; anything else behind a frame is an
 *   error, and so is an end inside one.
 * Writing: a stream is cut into frames of TSL_CODEC_FRAME bytes, each compressed by
 *   itself, so frames can be made by any number of threads and the bytes do not depend on
 *   how many.
 * Memory: a decoder holds the window that the data asks for, at most window_max.
 * Threads: a decoder or a packer has one owner; the other functions are pure. */
#ifndef TSL_CODEC_H
#define TSL_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum tsl_codec { TSL_CODEC_NONE, TSL_CODEC_ZSTD, TSL_CODEC_GZIP };

enum { TSL_CODEC_FRAME = 1 << 20, TSL_CODEC_MAGIC = 4 };

/* What the first n bytes of a file say; fewer than TSL_CODEC_MAGIC only if it is that
 * short. */
enum tsl_codec tsl_codec_sniff(const uint8_t *p, size_t n);

/* By the name's end: .zst, .zstd, .gz, .gzip; else none. */
enum tsl_codec tsl_codec_by_name(const char *name);

/* "zstd", "zstd:19", "gzip:9", "none"; *level 0 when not given.  false when s is anything
 * else. */
bool tsl_codec_parse(const char *s, enum tsl_codec *codec, int *level);

struct tsl_decoder;

/* codec: not none.  window_max: bytes; data that asks for more is refused.  name: as
 * messages show it; lent for the decoder's life.  0 or TSL_ENOMEM. */
int tsl_decoder_create(struct tsl_decoder **d, enum tsl_codec codec, size_t window_max,
                       const char *name, struct tsl_err *err);
/* Moves on: *in up to in_end is used, *out up to out_end is filled.  0, TSL_EFORMAT
 * for damaged data, TSL_ENOMEM for data that wants too large a window. */
int tsl_decoder_step(struct tsl_decoder *d, const uint8_t **in, const uint8_t *in_end,
                     uint8_t **out, uint8_t *out_end, struct tsl_err *err);
/* May the data end here (between frames)? */
bool tsl_decoder_may_end(const struct tsl_decoder *d);
/* NULL is fine. */
void tsl_decoder_destroy(struct tsl_decoder *d);

/* CRC-32 as gzip and zip have it, of n bytes that follow those of which crc is the checksum;
 * 0 to begin with. */
uint32_t tsl_codec_crc32(uint32_t crc, const void *p, size_t n);

struct tsl_packer; /* scratch of one thread */

/* A level of zstd's: its Huffman stage alone, without a search for repeats.  Text shrinks
 * to a bit more than half at 700 MB/s, three times as fast as level 1. */
enum { TSL_CODEC_LIGHT = -1 };

/* codec: not none.  level: 0 is the codec's usual one.  0 or TSL_ENOMEM. */
int tsl_packer_create(struct tsl_packer **p, enum tsl_codec codec, int level,
                      struct tsl_err *err);
/* Bytes that n bytes may need when packed, at most. */
size_t tsl_packer_bound(const struct tsl_packer *p, size_t n);
/* Bytes of memory that p holds now; what it needs grows with the first block. */
size_t tsl_packer_bytes(const struct tsl_packer *p);
/* One whole frame with its checksum; *packed: bytes written to dst, which has room for
 * tsl_packer_bound of them.  0 or an error. */
int tsl_packer_run(struct tsl_packer *p, uint8_t *dst, size_t cap, const uint8_t *src,
                   size_t n, size_t *packed, struct tsl_err *err);
/* The inverse, for blocks whose size n is known; less or more is an error. */
int tsl_packer_undo(struct tsl_packer *p, uint8_t *dst, size_t n, const uint8_t *src,
                    size_t packed, struct tsl_err *err);
/* NULL is fine. */
void tsl_packer_destroy(struct tsl_packer *p);

/* One file a codec fills one of these. */
struct tsl_codec_ops {
    int (*dec_create)(void **state, size_t window_max, struct tsl_err *err);
    int (*dec_step)(void *state, const uint8_t **in, const uint8_t *in_end, uint8_t **out,
                    uint8_t *out_end, bool *may_end, const char *name,
                    struct tsl_err *err);
    void (*dec_destroy)(void *state);
    int (*enc_create)(void **state, int level, struct tsl_err *err);
    size_t (*enc_bound)(size_t n);
    int (*enc_run)(void *state, uint8_t *dst, size_t cap, const uint8_t *src, size_t n,
                   size_t *packed, struct tsl_err *err);
    int (*enc_undo)(void *state, uint8_t *dst, size_t n, const uint8_t *src,
                    size_t packed, struct tsl_err *err);
    void (*enc_destroy)(void *state);
    size_t (*enc_bytes)(const void *state);
};

extern const struct tsl_codec_ops tsl_codec_zstd, tsl_codec_gzip;

#endif

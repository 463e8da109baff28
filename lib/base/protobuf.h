/* protobuf.h - messages of protocol buffers on the wire: reading field by field, writing
 * into a growing buffer.
 *
 * Knows no schema: the caller tells fields apart by number and checks the wire type.  Of
 * the wire types varint, 64 bits, length and bytes, and 32 bits are read; groups, which
 * proto3 does not have and no file of ours uses, are an error.
 * Source: protobuf.dev/programming-guides/encoding.
 * Order: as in the message.
 * Memory: reading borrows; the writer's buffer is on the heap.
 * Threads: one owner. */
#ifndef TSL_PROTOBUF_H
#define TSL_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum tsl_protobuf_wire {
    TSL_PROTOBUF_VARINT = 0,
    TSL_PROTOBUF_64 = 1,
    TSL_PROTOBUF_BYTES = 2, /* strings, bytes, messages in the message */
    TSL_PROTOBUF_32 = 5
};

struct tsl_protobuf {
    const uint8_t *start, *at, *end;
    const char *name; /* of the file, for messages; lent */
    uint64_t base;    /* start's place in the file, for messages */
};

struct tsl_protobuf_field {
    uint32_t number;
    enum tsl_protobuf_wire wire;
    uint64_t value;         /* VARINT, 64 and 32: the bits */
    struct tsl_slice bytes; /* BYTES: lent from the message */
    uint64_t at;            /* the field's place in the file, for messages */
};

/* Reads message, which stands at byte base of the file called name. */
void tsl_protobuf_init(struct tsl_protobuf *r, struct tsl_slice message, uint64_t base,
                       const char *name);

/* 1 and the next field; 0 at the end; TSL_EFORMAT where the message is cut short or not
 * one. */
int tsl_protobuf_next(struct tsl_protobuf *r, struct tsl_protobuf_field *f,
                      struct tsl_err *err);

/* Reads the message that field f of r holds.  f's wire is BYTES. */
void tsl_protobuf_enter(struct tsl_protobuf *inner, const struct tsl_protobuf *r,
                        const struct tsl_protobuf_field *f);

/* The field as its type; TSL_EFORMAT if the wire type does not fit or (bool excepted) the
 * value is out of range.  An int32 may be negative, an enum is one. */
int tsl_protobuf_int32(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                       int32_t *out, struct tsl_err *err);
int tsl_protobuf_bool(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                      bool *out, struct tsl_err *err);
int tsl_protobuf_float(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                       float *out, struct tsl_err *err);
int tsl_protobuf_bytes(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                       struct tsl_slice *out, struct tsl_err *err);

/* A message being written.  A failed allocation is remembered and told by end. */
struct tsl_protobuf_out {
    uint8_t *bytes;
    size_t len, cap;
    bool failed;
};

void tsl_protobuf_put_int(struct tsl_protobuf_out *w, uint32_t number, int64_t value);
void tsl_protobuf_put_bool(struct tsl_protobuf_out *w, uint32_t number, bool value);
void tsl_protobuf_put_float(struct tsl_protobuf_out *w, uint32_t number, float value);
void tsl_protobuf_put_double(struct tsl_protobuf_out *w, uint32_t number, double value);
void tsl_protobuf_put_bytes(struct tsl_protobuf_out *w, uint32_t number,
                            struct tsl_slice value);
/* TSL_ENOMEM if anything failed. */
int tsl_protobuf_end(struct tsl_protobuf_out *w, struct tsl_err *err);
void tsl_protobuf_fini(struct tsl_protobuf_out *w);

#endif

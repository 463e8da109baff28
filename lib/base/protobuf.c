#include "base/protobuf.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"
#include "base/quote.h"

void tsl_protobuf_init(struct tsl_protobuf *r, struct tsl_slice message, uint64_t base,
                       const char *name)
{
    static const uint8_t none[1];
    const uint8_t *p = message.data ? message.data : none;
    *r = (struct tsl_protobuf){ p, p, p + message.len, name, base };
}

static uint64_t place(const struct tsl_protobuf *r, const uint8_t *p)
{
    return r->base + (uint64_t)(p - r->start);
}

static int bad(const struct tsl_protobuf *r, const uint8_t *p, const char *why,
               struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: byte %" PRIu64 ": %s", tsl_quote(r->name).s,
                       place(r, p), why);
}

/* At most ten bytes, the tenth with one bit. */
static bool varint(struct tsl_protobuf *r, uint64_t *out)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (r->at == r->end)
            return false;
        uint8_t b = *r->at++;
        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *out = v;
            return true;
        }
    }
    return false;
}

int tsl_protobuf_next(struct tsl_protobuf *r, struct tsl_protobuf_field *f,
                      struct tsl_err *err)
{
    const uint8_t *begin = r->at;
    uint64_t key, len;
    if (r->at == r->end)
        return 0;
    if (!varint(r, &key) || key >> 32 || key >> 3 == 0)
        return bad(r, begin, "no field of a protobuf message", err);
    *f = (struct tsl_protobuf_field){ .number = (uint32_t)(key >> 3),
                                      .wire = (enum tsl_protobuf_wire)(key & 7),
                                      .at = place(r, begin) };
    size_t left = (size_t)(r->end - r->at);
    switch (f->wire) {
    case TSL_PROTOBUF_VARINT:
        if (!varint(r, &f->value))
            return bad(r, begin, "a number that does not end", err);
        return 1;
    case TSL_PROTOBUF_64:
        if (left < 8)
            return bad(r, begin, "cut short within a field of 8 bytes", err);
        f->value = tsl_load64(r->at);
        r->at += 8;
        return 1;
    case TSL_PROTOBUF_32:
        if (left < 4)
            return bad(r, begin, "cut short within a field of 4 bytes", err);
        f->value = tsl_load32(r->at);
        r->at += 4;
        return 1;
    case TSL_PROTOBUF_BYTES:
        if (!varint(r, &len))
            return bad(r, begin, "a length that does not end", err);
        if (len > (uint64_t)(r->end - r->at))
            return tsl_err_set(
                err, TSL_EFORMAT,
                "%s: byte %" PRIu64 ": field %u says %" PRIu64 " bytes, there are %td",
                tsl_quote(r->name).s, place(r, begin), f->number, len, r->end - r->at);
        f->bytes = (struct tsl_slice){ r->at, (size_t)len };
        r->at += len;
        return 1;
    }
    return bad(r, begin, "no field of a protobuf message", err);
}

void tsl_protobuf_enter(struct tsl_protobuf *inner, const struct tsl_protobuf *r,
                        const struct tsl_protobuf_field *f)
{
    tsl_protobuf_init(inner, f->bytes, place(r, f->bytes.data), r->name);
}

static int wrong(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                 const char *want, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EFORMAT, "%s: byte %" PRIu64 ": field %u is not %s",
                       tsl_quote(r->name).s, f->at, f->number, want);
}

int tsl_protobuf_int32(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                       int32_t *out, struct tsl_err *err)
{
    int64_t v;
    memcpy(&v, &f->value, sizeof v);
    if (f->wire != TSL_PROTOBUF_VARINT || v < INT32_MIN || v > INT32_MAX)
        return wrong(r, f, "a whole number of 32 bits", err);
    *out = (int32_t)v;
    return 0;
}

int tsl_protobuf_bool(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                      bool *out, struct tsl_err *err)
{
    if (f->wire != TSL_PROTOBUF_VARINT)
        return wrong(r, f, "true or false", err);
    *out = f->value != 0;
    return 0;
}

int tsl_protobuf_float(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                       float *out, struct tsl_err *err)
{
    uint32_t bits = (uint32_t)f->value;
    if (f->wire != TSL_PROTOBUF_32)
        return wrong(r, f, "a floating-point number of 32 bits", err);
    memcpy(out, &bits, sizeof bits);
    return 0;
}

int tsl_protobuf_bytes(const struct tsl_protobuf *r, const struct tsl_protobuf_field *f,
                       struct tsl_slice *out, struct tsl_err *err)
{
    if (f->wire != TSL_PROTOBUF_BYTES)
        return wrong(r, f, "text or bytes", err);
    *out = f->bytes;
    return 0;
}

/* ---- writing -------------------------------------------------------------------------- */

static uint8_t *room(struct tsl_protobuf_out *w, size_t n)
{
    if (w->failed || n > SIZE_MAX - w->len ||
        tsl_mem_grow(&w->bytes, &w->cap, w->len + n, 1, "a message", NULL) < 0) {
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->bytes + w->len;
    w->len += n;
    return p;
}

static void put_varint(struct tsl_protobuf_out *w, uint64_t v)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; v >= 0x80; v >>= 7)
        bytes[n++] = (uint8_t)(v | 0x80);
    bytes[n++] = (uint8_t)v;
    uint8_t *p = room(w, n);
    if (p)
        memcpy(p, bytes, n);
}

static void put_key(struct tsl_protobuf_out *w, uint32_t number,
                    enum tsl_protobuf_wire wire)
{
    put_varint(w, (uint64_t)number << 3 | wire);
}

void tsl_protobuf_put_int(struct tsl_protobuf_out *w, uint32_t number, int64_t value)
{
    put_key(w, number, TSL_PROTOBUF_VARINT);
    put_varint(w, (uint64_t)value);
}

void tsl_protobuf_put_bool(struct tsl_protobuf_out *w, uint32_t number, bool value)
{
    tsl_protobuf_put_int(w, number, value);
}

void tsl_protobuf_put_float(struct tsl_protobuf_out *w, uint32_t number, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(w, number, TSL_PROTOBUF_32);
    uint8_t *p = room(w, 4);
    if (p)
        tsl_store32(p, bits);
}

void tsl_protobuf_put_double(struct tsl_protobuf_out *w, uint32_t number, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_key(w, number, TSL_PROTOBUF_64);
    uint8_t *p = room(w, 8);
    if (p)
        tsl_store64(p, bits);
}

void tsl_protobuf_put_bytes(struct tsl_protobuf_out *w, uint32_t number,
                            struct tsl_slice value)
{
    put_key(w, number, TSL_PROTOBUF_BYTES);
    put_varint(w, value.len);
    uint8_t *p = room(w, value.len);
    if (p && value.len)
        memcpy(p, value.data, value.len);
}

int tsl_protobuf_end(struct tsl_protobuf_out *w, struct tsl_err *err)
{
    return w->failed ? tsl_err_nomem(err, w->len, "a message") : 0;
}

void tsl_protobuf_fini(struct tsl_protobuf_out *w)
{
    tsl_mem_free(w->bytes);
    *w = (struct tsl_protobuf_out){ 0 };
}

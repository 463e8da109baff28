#include "record/recids.h"

#include <inttypes.h>
#include <string.h>

#include "base/endian.h"
#include "base/jsonread.h"
#include "base/quote.h"

int tsl_recids_column(const struct tsl_schema *s, struct tsl_err *err)
{
    static const char *const names[] = { "ids", "input_ids", "tokens" };
    int c = s->ncolumns == 1 ? 0 : -1;
    for (size_t i = 0; c < 0 && i < sizeof names / sizeof names[0]; i++)
        c = tsl_schema_find(s, names[i]);
    if (c < 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "no column of token ids (ids, input_ids or tokens)");
    switch (s->columns[c].type) {
    case TSL_U8:
    case TSL_U16:
    case TSL_U32:
    case TSL_I32:
    case TSL_I64: return c;
    default:
        return tsl_err_set(err, TSL_EUSAGE, "column %s: token ids are whole numbers",
                           tsl_quote(s->columns[c].name).s);
    }
}

uint64_t tsl_recids_vocab(const struct tsl_rechead *head)
{
    struct tsl_jsonread *doc;
    int64_t n = 0;
    if (!head->meta)
        return 0;
    struct tsl_slice text = { (const uint8_t *)head->meta, strlen(head->meta) };
    if (tsl_jsonread_parse(&doc, text, "meta", NULL) < 0)
        return 0;
    tsl_jsonread_int(tsl_jsonread_get(tsl_jsonread_root(doc), "vocab_size"), &n);
    tsl_jsonread_destroy(doc);
    return n > 0 ? (uint64_t)n : 0;
}

static int64_t id_at(enum tsl_dtype t, const void *p, size_t i)
{
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        int32_t i32;
        int64_t i64;
    } x;
    size_t size = tsl_dtype_bytes(t);
    memcpy(&x, (const uint8_t *)p + i * size, size);
    return t == TSL_U8    ? x.u8
           : t == TSL_U16 ? x.u16
           : t == TSL_U32 ? x.u32
           : t == TSL_I32 ? x.i32
                          : x.i64;
}

bool tsl_recids_fit(enum tsl_dtype from, const struct tsl_value *v, unsigned bytes)
{
    int64_t most = bytes == 2 ? UINT16_MAX : INT32_MAX;
    bool fit = true;
    if (from == TSL_U8 || from == TSL_U16)
        return true;
    for (uint32_t i = 0; i < v->n; i++) {
        int64_t id = id_at(from, v->data, i);
        fit &= id >= 0 && id <= most;
    }
    return fit;
}

int tsl_recids_put(struct tsl_recout *o, enum tsl_dtype from, const struct tsl_value *v,
                   unsigned bytes, uint64_t number, struct tsl_err *err)
{
    int64_t most = bytes == 2 ? UINT16_MAX : INT32_MAX;
    uint8_t *to;
    if (bytes == 2 && from == TSL_U16)
        return tsl_recout_write(o, v->data, 2 * (size_t)v->n, err);
    int rc = tsl_recout_room(o, bytes * (size_t)v->n, &to, err);
    for (uint32_t i = 0; rc == 0 && i < v->n; i++) {
        int64_t id = id_at(from, v->data, i);
        if (id < 0 || id > most)
            return tsl_err_set(err, TSL_EUSAGE,
                               "record %" PRIu64 ": id %" PRId64 " at %" PRIu32
                               " does not fit %u bits",
                               number, id, i, bytes == 2 ? 16 : 31);
        if (bytes == 2) {
            uint16_t x = (uint16_t)id;
            memcpy(to + 2 * (size_t)i, &x, 2);
        } else {
            tsl_store32(to + 4 * (size_t)i, (uint32_t)id);
        }
    }
    return rc < 0 ? rc : tsl_recout_took(o, bytes * (size_t)v->n, err);
}

#include "samples/recbatch.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "base/mem.h"

int tsl_recbatch_put(struct tsl_recbatch *b, const struct tsl_schema *s,
                     const struct tsl_record *rec, struct tsl_err *err)
{
    size_t n = 8;
    for (size_t i = 0; i < s->ncolumns; i++)
        n += 4 + rec->values[i].n * tsl_dtype_bytes(s->columns[i].type);
    int rc = tsl_mem_grow(&b->bytes, &b->cap, b->len + n, 1, "records", err);
    if (rc < 0)
        return rc;
    uint8_t *p = b->bytes + b->len;
    tsl_store64(p, rec->number);
    p += 8;
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_value *v = &rec->values[i];
        size_t bytes = v->n * tsl_dtype_bytes(s->columns[i].type);
        assert(!v->lens);
        tsl_store32(p, v->n);
        if (bytes)
            memcpy(p + 4, v->data, bytes);
        p += 4 + bytes;
    }
    b->len += n;
    b->n++;
    return 0;
}

bool tsl_recbatch_next(const struct tsl_recbatch *b, const struct tsl_schema *s,
                       struct tsl_recbatch_at *cur, struct tsl_record *rec)
{
    if (cur->at == b->len)
        return false;
    const uint8_t *p = b->bytes + cur->at;
    rec->number = tsl_load64(p);
    p += 8;
    for (size_t i = 0; i < s->ncolumns; i++) {
        uint32_t n = tsl_load32(p);
        cur->values[i] = (struct tsl_value){ p + 4, NULL, n };
        p += 4 + n * tsl_dtype_bytes(s->columns[i].type);
    }
    rec->values = cur->values;
    cur->at = (size_t)(p - b->bytes);
    return true;
}

void tsl_recbatch_reset(struct tsl_recbatch *b)
{
    b->len = 0;
    b->n = 0;
}

void tsl_recbatch_fini(struct tsl_recbatch *b)
{
    tsl_mem_free(b->bytes);
    *b = (struct tsl_recbatch){ .n = 0 };
}

/* fuzz_recnative - arbitrary bytes are read as native records or refused, as a stream and by
 * number alike; what is read, written again, is read again.  So that the fuzzer gets past them,
 * checksums are put right first when the first byte says so. */
#include <stdlib.h>

#include "base/mem.h"
#include "record/rec_native.h"
#include "support/recmend.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good)
        abort();
}

/* Touches all of the record; a sum of it. */
static uint64_t sum_of(const struct tsl_schema *s, const struct tsl_record *rec)
{
    uint64_t sum = rec->number;
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct tsl_column *c = &s->columns[i];
        const struct tsl_value *v = &rec->values[i];
        must(c->count == 0 || v->n == c->count);
        must(!tsl_dtype_bytes(c->type) == !!v->lens);
        sum = tsl_hash64(v->data, (size_t)tsl_value_bytes(c, v), sum + v->n);
        for (uint32_t k = 0; c->type == TSL_BIT && k < v->n; k++)
            must(((const uint8_t *)v->data)[k] < 2);
        if (v->lens)
            sum = tsl_hash64(v->lens, 4 * (size_t)v->n, sum);
    }
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tsl_recnative_reader *r;
    struct tsl_record rec;
    struct tsl_recreader_opts o = { .memory = 4 << 20 };
    struct tsl_recnative_counts n;
    struct tsl_err err = { 0 };
    uint64_t sum = 0, count = 0;
    if (size < 1 || size > 1 << 20)
        return 0;
    uint8_t *p = malloc(size);
    memcpy(p, data + 1, size - 1);
    if (data[0] & 1)
        recmend(p, size - 1);
    int rc = tsl_recnative_reader_of_memory(&r, "input", p, size - 1, &o, &err);
    if (rc < 0) {
        must(err.code == rc && err.msg[0]);
        free(p);
        return 0;
    }
    const struct tsl_rechead *head = tsl_recnative_reader_head(r);
    while ((rc = tsl_recnative_reader_next(r, &rec, &err)) == 1) {
        must(rec.number == head->first + count++);
        sum += sum_of(&head->schema, &rec);
    }
    must(rc == 0 || (err.code == rc && err.msg[0]));
    bool good = rc == 0;
    err = (struct tsl_err){ 0 };
    rc = tsl_recnative_reader_count(r, &n, &err);
    must(rc == 0 || !good);
    must(rc < 0 || !good || n.nrecords == count);
    /* backwards, then on to the end from the front */
    for (uint64_t i = rc == 0 && n.nrecords < 1000 ? n.nrecords : 0; i--;) {
        err = (struct tsl_err){ 0 };
        rc = tsl_recnative_reader_at(r, i, &rec, &err);
        must(rc == 0 ? rec.number == head->first + i : !good && err.code == rc);
        if (rc == 0)
            sum -= sum_of(&head->schema, &rec);
    }
    must(!good || count >= 1000 || sum == 0);
    tsl_recnative_reader_destroy(r);
    free(p);
    return 0;
}

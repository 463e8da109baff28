/* fuzz_inputs - arbitrary bytes come in as the rows of the slow reader, whatever the
 * batches.
 *
 *   byte 0     the kind of rows
 *   byte 1     the size of a batch
 *   byte 2     how often the rest is repeated, for rows longer than a batch
 *   byte 3, 4  the size of fixed rows */
#include <stdlib.h>
#include <string.h>

#include "io/inputs.h"
#include "support/gendata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEN_MAX = 1 << 15 };

static void must(bool good)
{
    if (!good)
        abort();
}

/* All rows of the inputs, pieces put together. */
static int collect(struct rowlist *l, struct tsl_inputs *in, struct tsl_rowbatch *b,
                   const struct tsl_frame *f)
{
    size_t at = 0, head = tsl_frame_head(f);
    uint64_t addr = 0;
    bool inside = false;
    int rc;
    while ((rc = tsl_inputs_next(in, b, NULL)) == 1) {
        if (b->kind == TSL_BATCH_PIECE) {
            must(b->first == !inside);
            if (b->first) {
                at = l->len;
                addr = b->addr;
            }
            must(b->addr == addr);
            rowlist_bytes(l, b->bytes + b->rows[0].at, b->rows[0].len);
            inside = !b->last;
            if (b->last)
                rowlist_place(l, addr, at, l->len - at);
            continue;
        }
        must(!inside && b->len <= b->cap + 2);
        for (size_t from = 0; from < b->len;) {
            from = tsl_frame_split(f, b->bytes, b->len, from, b->rows, b->rows_cap,
                                   &b->nrows);
            for (size_t i = 0; i < b->nrows; i++)
                rowlist_add(l, b->addr + b->rows[i].at - head, b->bytes + b->rows[i].at,
                            b->rows[i].len);
        }
    }
    must(rc < 0 || !inside);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 5 || size > 1 << 20)
        return 0;
    struct tsl_frame f = { (enum tsl_frame_kind)(data[0] % 5),
                           1 + (uint32_t)data[3] + ((uint32_t)data[4] << 8) };
    size_t batch = 4096 + data[1], times = 1 + (size_t)data[2] * data[2] / 8, n = 0;
    uint8_t *p = malloc(LEN_MAX);
    size_t len = size - 5;
    for (size_t i = 0; i < times && n + len <= LEN_MAX; i++, n += len)
        memcpy(p + n, data + 5, len);

    struct rowlist slow = { 0 }, fast = { 0 };
    struct tsl_inputs *in = NULL;
    struct tsl_inputs_opts o = { .memory = p,
                                 .memory_len = n,
                                 .frame = f,
                                 .batch_bytes = batch,
                                 .window_max = 8 << 20 };
    struct tsl_rowbatch b = { .cap = batch, .rows_cap = 1 + data[1] % 100 };
    b.bytes = malloc(batch + TSL_BATCH_SLACK); /* as large as promised */
    b.rows = malloc(b.rows_cap * sizeof *b.rows);
    bool good = slow_rows(&slow, &f, p, n);
    must(tsl_inputs_create(&in, &o, NULL) == 0);
    int rc = collect(&fast, in, &b, &f);
    must(good ? rc == 0 : rc == TSL_EFORMAT);
    must(!good || rowlist_equal(&slow, &fast));
    tsl_inputs_destroy(in);
    rowlist_free(&slow);
    rowlist_free(&fast);
    free(b.bytes);
    free(b.rows);
    free(p);
    return 0;
}

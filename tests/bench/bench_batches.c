/* bench_batches - what ctrain trains on, batch by batch, for another program that is to see the
 * same: scripts/bench quality.
 *
 *   bench_batches PATH ROWS SEED BATCHES > STREAM
 *
 * A line of JSON with rows, tokens, masks and batches; then of each batch, as 32-bit
 * little-endian integers: input_ids [rows * tokens], segment_ids [rows * tokens], lengths [rows],
 * nsp_labels [rows], masked_positions [masks], masked_labels [masks] (trainbatch.h).  The order is
 * that of `ctrain --data=PATH --batch=ROWS --seed=SEED`. */
#include <stdio.h>
#include <stdlib.h>

#include "train/loader.h"

static bool put(const int32_t *numbers, size_t n)
{
    return fwrite(numbers, sizeof *numbers, n, stdout) == n;
}

/* 1, 0 where nobody reads any more, or what the loader says. */
static int batch(struct tsl_loader *l, struct tsl_err *err)
{
    const struct tsl_trainbatch *b;
    int rc = tsl_loader_next(l, &b, err);
    if (rc <= 0)
        return rc;
    size_t rows = b->shape.rows_max, tokens = rows * b->shape.tokens_max,
           masks = rows * b->shape.masks_max;
    return put(b->input_ids, tokens) && put(b->segment_ids, tokens) &&
           put(b->lengths, rows) && put(b->nsp_labels, rows) &&
           put(b->masked_positions, masks) && put(b->masked_labels, masks);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_batches PATH ROWS SEED BATCHES > STREAM\n");
        return 2;
    }
    struct tsl_err err = { 0 };
    struct tsl_loader *l;
    struct tsl_loader_set set = { .path = argv[1] };
    struct tsl_loader_opts o = { .sets = &set,
                                 .nsets = 1,
                                 .rows = (uint32_t)strtoul(argv[2], NULL, 10),
                                 .seed = strtoull(argv[3], NULL, 10),
                                 .data = { .doc_end = -1 } };
    unsigned long long n = strtoull(argv[4], NULL, 10);
    int rc = tsl_loader_open(&l, &o, &err);
    if (rc == 0) {
        const struct tsl_trainbatch_shape *s = tsl_loader_shape(l);
        printf("{\"rows\": %u, \"tokens\": %u, \"masks\": %u, \"batches\": %llu}\n",
               s->rows_max, s->tokens_max, s->rows_max * s->masks_max, n);
        rc = 1;
        for (unsigned long long i = 0; i < n && rc == 1; i++)
            rc = batch(l, &err);
        tsl_loader_destroy(l);
    }
    if (rc < 0)
        fprintf(stderr, "bench_batches: %s\n", err.msg);
    return rc < 0 || fflush(stdout) != 0;
}

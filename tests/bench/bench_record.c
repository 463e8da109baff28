/* bench_record - native records through a pipe, and picked by number.
 *
 *   bench_record write N TOKENS   N records of TOKENS ids and word starts to standard output
 *   bench_record read             standard input; tells MB/s
 *   bench_record at FILE N        N records at random places; tells how many a second
 * Compare with `cat FILE | cat >/dev/null` and the like. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record/rec_native.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int bench_write(uint64_t n, uint32_t ntokens, struct tsl_err *err)
{
    struct tsl_rechead head = { .first = 0 };
    struct tsl_recnative_opts o = { .zstd_level = 0 };
    struct tsl_recnative_writer *w;
    struct tsl_sink sink;
    struct tsl_sink_opts so = { .nthreads = 1 };
    uint16_t *ids = malloc(4 * (size_t)ntokens);
    uint8_t *starts = malloc(2 * (size_t)ntokens);
    for (uint32_t i = 0; i < 2 * ntokens; i++) {
        ids[i] = (uint16_t)(i * 2654435761u >> 16);
        starts[i] = ids[i] & 1;
    }
    (void)tsl_schema_add(&head.schema, "ids", TSL_U16, true, 0, NULL, err);
    (void)tsl_schema_add(&head.schema, "starts", TSL_BIT, true, 0, NULL, err);
    int rc = tsl_sink_open(&sink, NULL, false, &so, err);
    if (rc == 0)
        rc = tsl_recnative_writer_create(&w, &sink, &head, &o, err);
    if (rc < 0)
        return rc;
    for (uint64_t i = 0; i < n && rc == 0; i++) {
        size_t at = i % ntokens;
        struct tsl_value v[2] = { { ids + at, NULL, ntokens },
                                  { starts + at, NULL, ntokens } };
        rc = tsl_recnative_writer_put(w, v, err);
    }
    if (rc == 0)
        rc = tsl_recnative_writer_finish(w, err);
    if (rc == 0)
        rc = tsl_sink_done(&sink, err);
    tsl_recnative_writer_destroy(w);
    tsl_sink_close(&sink);
    free(ids);
    free(starts);
    return rc;
}

static int bench_read(struct tsl_err *err)
{
    struct tsl_recnative_reader *r;
    struct tsl_recreader_opts o = { .memory = 0 };
    struct tsl_record rec;
    uint64_t n = 0, bytes = 0, sum = 0;
    int rc = tsl_recnative_reader_open(&r, "-", &o, err);
    if (rc < 0)
        return rc;
    double t = now();
    while ((rc = tsl_recnative_reader_next(r, &rec, err)) == 1) {
        n++;
        bytes += 2 * (uint64_t)rec.values[0].n + rec.values[1].n / 8;
        sum += ((const uint16_t *)rec.values[0].data)[0] +
               ((const uint8_t *)rec.values[1].data)[0];
    }
    t = now() - t;
    fprintf(stderr, "%" PRIu64 " records, %.0f MB/s, %.1f M records/s (%" PRIu64 ")\n", n,
            (double)bytes / t / 1e6, (double)n / t / 1e6, sum);
    tsl_recnative_reader_destroy(r);
    return rc;
}

static int bench_at(const char *path, uint64_t n, struct tsl_err *err)
{
    struct tsl_recnative_reader *r;
    struct tsl_recreader_opts o = { .memory = 256 << 20 };
    struct tsl_recnative_counts counts;
    struct tsl_record rec;
    uint64_t sum = 0, x = 88172645463325252u;
    int rc = tsl_recnative_reader_open(&r, path, &o, err);
    if (rc == 0)
        rc = tsl_recnative_reader_count(r, &counts, err);
    for (int turn = 0; turn < 2 && rc == 0; turn++) { /* the first one checks blocks */
        double t = now();
        for (uint64_t i = 0; i < n && rc == 0; i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            rc = tsl_recnative_reader_at(r, x % counts.nrecords, &rec, err);
            if (rc == 0)
                sum += ((const uint16_t *)rec.values[0].data)[0] +
                       ((const uint8_t *)rec.values[1].data)[0];
        }
        t = now() - t;
        fprintf(stderr, "%.2f M records/s of %" PRIu64 " (%" PRIu64 ")\n",
                (double)n / t / 1e6, counts.nrecords, sum);
    }
    tsl_recnative_reader_destroy(r);
    return rc;
}

int main(int argc, char **argv)
{
    struct tsl_err err = { 0 };
    int rc = TSL_EUSAGE;
    if (argc == 4 && strcmp(argv[1], "write") == 0)
        rc = bench_write(strtoull(argv[2], NULL, 10),
                         (uint32_t)strtoul(argv[3], NULL, 10), &err);
    else if (argc == 2 && strcmp(argv[1], "read") == 0)
        rc = bench_read(&err);
    else if (argc == 4 && strcmp(argv[1], "at") == 0)
        rc = bench_at(argv[2], strtoull(argv[3], NULL, 10), &err);
    if (rc < 0)
        fprintf(stderr, "bench_record: %s\n", err.msg);
    return rc < 0;
}

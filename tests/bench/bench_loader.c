/* bench_loader - batches a second, of what a training step gets to see.
 *
 *   bench_loader PATH[:WEIGHT]... [-b ROWS] [-l LENGTH] [-n BATCHES] [-m BYTES]
 * Compare with the steps a second that a model takes: the loader has one thread and works
 * beside it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "par/thread.h"
#include "train/loader.h"

static int bench(struct tsl_loader_opts *o, uint64_t n, struct tsl_err *err)
{
    struct tsl_loader *l;
    const struct tsl_trainbatch *b = NULL;
    struct tsl_loader_stats st;
    double begin = tsl_seconds();
    int rc = tsl_loader_open(&l, o, err);
    if (rc < 0)
        return rc;
    double opened = tsl_seconds(), cpu = tsl_seconds_cpu();
    for (uint64_t i = 0; i < n && rc >= 0; i++)
        rc = tsl_loader_next(l, &b, err);
    double took = tsl_seconds() - opened;
    cpu = tsl_seconds_cpu() - cpu;
    tsl_loader_stats(l, &st);
    const struct tsl_trainset_info *info = tsl_loader_info(l, 0);
    if (rc >= 0)
        printf("%s (%s), %s%s: %llu samples, %u x %u; opened in %.2f s; %.0f batches/s, "
               "%.0f by processor time, %.1f M tokens/s; %llu bytes held\n",
               info->objective, info->format, info->dynamic ? "dynamic" : "as they are",
               info->resident ? ", in memory" : ", picked",
               (unsigned long long)tsl_loader_samples(l), tsl_loader_shape(l)->rows_max,
               tsl_loader_shape(l)->tokens_max, opened - begin, (double)n / took,
               (double)n / cpu, 1e-6 * (double)st.tokens / took,
               (unsigned long long)st.bytes);
    tsl_loader_destroy(l);
    return rc;
}

int main(int argc, char **argv)
{
    struct tsl_loader_set sets[16];
    struct tsl_loader_opts o = { .sets = sets, .rows = 32, .seed = 1 };
    struct tsl_err err = { 0 };
    uint64_t n = 2000;
    int rc = 0;
    o.data.doc_end = -1;
    for (int i = 1; i < argc && rc >= 0; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "0";
        bool option = argv[i][0] == '-' && argv[i][1];
        if (option && argv[i][1] == 'b')
            o.rows = (uint32_t)atoi(value);
        else if (option && argv[i][1] == 'l')
            o.data.tokens_max = (uint32_t)atoi(value);
        else if (option && argv[i][1] == 'n')
            n = (uint64_t)atoll(value);
        else if (option && argv[i][1] == 'm')
            o.memory = (uint64_t)atoll(value);
        else if (o.nsets < 16)
            rc = tsl_loader_parse_set(argv[i], &sets[o.nsets++], &err);
        i += option;
    }
    if (rc >= 0)
        rc = bench(&o, n, &err);
    if (rc < 0)
        fprintf(stderr, "bench_loader: %s\n", err.msg);
    return rc < 0;
}

/* bench_count - words of files, counted.
 *
 *   bench_count CUT MEMORY THREADS [--counts OUT] FILE...
 *
 * CUT: bert, bytes (GPT-2's pattern), spm (identity), hf (Whitespace).  Tells how fast, how
 * many words, and how much memory at most; OUT: all words as lines, a count, a blank and the word. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/parse.h"
#include "par/thread.h"
#include "text/countjob.h"

static struct tsl_wordcut make(const char *kind, struct tsl_err *err)
{
    struct tsl_wordcut cut = { 0 };
    const struct tsl_bertnorm norm = { TSL_RULES_HF, true, true, true, true };
    const struct tsl_wordcut_bytes_opts bytes = { TSL_SPLITPAT_GPT2, false, false };
    const struct tsl_wordcut_spm_opts spm = { .normalizer = {
                                                  .add_dummy_prefix = true,
                                                  .remove_extra_whitespaces = true,
                                                  .escape_whitespaces = true } };
    if (!strcmp(kind, "bert"))
        (void)tsl_wordcut_bert(&cut, &norm, err);
    else if (!strcmp(kind, "bytes"))
        (void)tsl_wordcut_bytes(&cut, &bytes, err);
    else if (!strcmp(kind, "spm"))
        (void)tsl_wordcut_spm(&cut, &spm, err);
    else
        (void)tsl_wordcut_hf(&cut, NULL, tsl_pretok_create_whitespace(err), "Whitespace",
                             err);
    return cut;
}

static int fail(const struct tsl_err *err)
{
    fprintf(stderr, "bench_count: %s\n", err->msg);
    return 1;
}

int main(int argc, char **argv)
{
    static const char *const dirs[] = { "/tmp" };
    struct tsl_err err = { 0 };
    struct tsl_slice word;
    uint64_t memory, threads, count, bytes = 0;
    FILE *out = NULL;
    int at = 4;
    if (argc > 5 && !strcmp(argv[4], "--counts")) {
        out = fopen(argv[5], "w");
        at = 6;
    }
    if (argc <= at || !tsl_parse_size(argv[2], 0, &memory) ||
        !tsl_parse_u64(argv[3], &threads, NULL)) {
        fprintf(stderr, "bench_count CUT MEMORY THREADS [--counts OUT] FILE...\n");
        return 1;
    }
    struct tsl_wordcut cut = make(argv[1], &err);
    struct tsl_countjob_opts o = { .paths = argv + at,
                                   .npaths = (size_t)(argc - at),
                                   .cut = &cut,
                                   .memory = memory,
                                   .nthreads = (unsigned)threads,
                                   .dirs = dirs,
                                   .ndirs = 1 };
    struct tsl_countjob_stats st;
    struct tsl_wordcount *wc;
    double start = tsl_seconds();
    int rc = err.code ? err.code : tsl_countjob_run(&o, &wc, &st, &err);
    if (rc < 0)
        return fail(&err);
    while ((rc = tsl_wordcount_next(wc, &word, &count, &err)) == 1) {
        bytes += word.len;
        if (out) {
            fprintf(out, "%" PRIu64 " ", count);
            fwrite(word.data, 1, word.len, out);
            putc('\n', out);
        }
    }
    if (rc < 0)
        return fail(&err);
    double all = tsl_seconds() - start;
    struct tsl_wordcount_stats n = tsl_wordcount_stats(wc);
    struct rusage use;
    (void)getrusage(RUSAGE_SELF, &use);
    double cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                 (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
    printf("%s -m %s -j %s: %.1f MB in %.2f s (CPU %.2f) %.1f MB/s; %" PRIu64
           " words, %" PRIu64 " different (%.1f MB); %" PRIu64
           " runs, %u passes, %.1f MB temp; peak %ld MB\n",
           argv[1], argv[2], argv[3], (double)st.bytes / 1e6, all, cpu,
           (double)st.bytes / 1e6 / all, st.words, n.words, (double)bytes / 1e6, n.runs,
           n.passes, (double)n.temp_peak / 1e6, use.ru_maxrss >> 10);
    tsl_wordcount_destroy(wc);
    tsl_wordcut_fini(&cut);
    return out && fclose(out) ? 1 : 0;
}

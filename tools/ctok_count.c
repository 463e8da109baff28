/* ctok_count.c - `ctok count`: counted words, for `ctok train`. */
#include "ctok_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/quote.h"
#include "text/countfile.h"

static const struct cli_opt opts[] = {
    CTOK_KIND,      CTOK_WORDS_IN, CTOK_OUTPUT,  CTOK_COMPRESS, CTOK_RESOURCES,
    CTOK_TEMPORARY, CTOK_TELLING,  CTOK_EXPLAIN, { 0 },
};

static const char examples[] =
    "Examples:\n"
    "  ctok count --model=bpe -o part1.counts.zst part1-*.txt.zst\n"
    "  ctok train --model=bpe --size=50000 --counts=part1.counts.zst part2.txt -o "
    "my-bpe\n"
    "      a part counted beforehand, and one that is counted now\n"
    "  ctok count --model=bpe --counts=a.counts --counts=b.counts -o both.counts\n"
    "      counts added\n";

static int write_stats(const struct tsl_countjob_opts *c,
                       const struct tsl_countjob_stats *st,
                       const struct tsl_wordcount_stats *sort,
                       const struct tsl_countfile_stats *file, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    tsl_json_str(&w, "tool", "ctok count");
    tsl_json_u64(&w, "schema", 1);
    tsl_json_str(&w, "cut", c->cut->describe);
    ctok_count_stats(&w, st, sort);
    tsl_json_u64(&w, "words_written", file->words);
    tsl_json_u64(&w, "memory_bytes", c->memory);
    tsl_json_u64(&w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(&w, "threads", c->nthreads);
    tsl_json_close(&w, '}');
    return cli_write_json(ctok_given.stats, &w, err);
}

static void print_closing(const struct tsl_countjob_stats *st, uint64_t words)
{
    char a[16], b[16];
    fprintf(stderr,
            "%s: %" PRIu64 " words, %" PRIu64
            " of them different, %s of text, %.2f s, %s "
            "at most in memory\n",
            cli_name(), st->words, words, cli_bytes(a, st->bytes), st->seconds,
            cli_bytes(b, cli_peak_rss()));
}

static int run(struct tsl_countjob_opts *c, enum cli_progress_when when,
               struct tsl_err *err)
{
    struct tsl_progress progress = { 0 };
    struct tsl_wordcount *wc = NULL;
    struct tsl_countjob_stats st;
    struct tsl_countfile_stats file;
    struct tsl_countfile_head head = { .made_by = "ctok (teasel) " TSL_VERSION };
    struct tsl_sink_opts so = { .nthreads = 1 };
    ctok_codec(&so.codec, &so.level);
    if (!ctok_given.output && isatty(STDOUT_FILENO))
        cli_misuse(false, "binary output is nothing for a terminal: -o names a file");
    snprintf(head.cut, sizeof head.cut, "%s", c->cut->describe);
    c->progress = &progress;
    int rc = ctok_begin(c->paths, c->npaths, ctok_given.output, &progress, when, err);
    if (rc == 0)
        rc = tsl_countjob_run(c, &wc, &st, err);
    if (rc == 0)
        rc = tsl_countfile_write(ctok_given.output, &so, &head, wc, ctok_words.min_count,
                                 &file, err);
    cli_progress_stop();
    if (rc == 0) {
        const struct tsl_wordcount_stats sort = tsl_wordcount_stats(wc);
        ctok_count_warnings(&st);
        if (ctok_given.stats)
            rc = write_stats(c, &st, &sort, &file, err);
        if (rc == 0 && ctok_closes())
            print_closing(&st, sort.words);
    }
    tsl_wordcount_destroy(wc);
    return rc;
}

static int explain(const struct tsl_countjob_opts *c, const struct tsl_trainspec *spec,
                   struct tsl_err *err)
{
    int rc = ctok_explain_count(c, spec, err);
    if (rc < 0)
        return rc;
    printf("output       %s\n",
           ctok_given.output ? tsl_quote(ctok_given.output).s : "standard output");
    if (fflush(stdout) != 0 || ferror(stdout))
        return tsl_err_sys(err, errno, "write error");
    return 0;
}

static int count(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_countjob_opts c = { 0 };
    struct tsl_trainspec spec;
    struct tsl_tokfile_spm *from = NULL;
    struct tsl_wordcut cut = { 0 };
    enum cli_progress_when when = ctok_progress_when();
    int rc = ctok_spec(&spec, &from, err);
    if (rc == 0)
        rc = ctok_count_opts(&c, operands, n, err);
    if (rc == 0)
        rc = tsl_trainjob_cut(&spec, &cut, err);
    c.cut = &cut;
    if (rc == 0)
        rc = ctok_given.explain ? explain(&c, &spec, err) : run(&c, when, err);
    if (cut.ops)
        tsl_wordcut_fini(&cut);
    tsl_tokfile_spm_destroy(from);
    ctok_free_paths(c.npaths ? c.paths : NULL);
    return rc;
}

const struct ctok_command ctok_count = {
    .name = "count",
    .usage = "--model=MODEL -o COUNTS [OPTION]... [FILE]...",
    .summary =
        "Count the words in texts, for `ctok train`: parts that were counted apart, on\n"
        "many machines perhaps, can be added.",
    .notes = ctok_notes,
    .examples = examples,
    .opts = opts,
    .run = count,
};

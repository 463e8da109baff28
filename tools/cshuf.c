/* cshuf - shuffle rows: more of them than fit in memory, exactly uniformly, the same
 * order for the same seed whatever the memory, the threads and the machine. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/key.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "cli.h"
#include "cli_progress.h"
#include "cli_run.h"
#include "io/file.h"
#include "io/outfile.h"
#include "io/sink.h"
#include "par/thread.h"
#include "shuf/shufjob.h"
#include "shuf/shufrange.h"
#include "shuf/shufrepeat.h"

enum { SPLITS_MAX = 64, DIRS_MAX = 64, RANDOM_BYTES = 4096 };

struct options {
    bool echo, repeat, nul, unique, no_verify, explain, quiet, verbose, ranged, seeded;
    uint64_t lo, hi; /* of -i; lo = hi + 1: empty */
    uint64_t head, seed, memory, nthreads, header_rows, shards, shard_rows, shard_bytes;
    const char *output, *random_source, *rows, *stats, *files0, *progress;
    const char *compress, *compress_temp;
    double sample;
    struct tsl_outset_split splits[SPLITS_MAX];
    size_t nsplits;
    const char *dirs[DIRS_MAX];
    size_t ndirs;
    char *aligned[TSL_ALIGNED_MAX];
    const char *aligned_out[TSL_ALIGNED_MAX + 1]; /* [0] is -o's */
    size_t naligned;
};

static struct options given = { .head = UINT64_MAX, .sample = 1 };

/* ---- options that need more than storing ---- */

/* A decimal count as strtoumax takes it: blanks and a plus sign in front. */
static const char *skip_sign(const char *s)
{
    while (*s == ' ' || *s == '\t' || *s == '\n')
        s++;
    return *s == '+' ? s + 1 : s;
}

static int set_head(void *to, const char *arg, struct tsl_err *err)
{
    uint64_t n, *head = to;
    bool overflow;
    if (!tsl_parse_u64(skip_sign(arg), &n, &overflow)) {
        if (!overflow)
            return tsl_err_set(err, TSL_EUSAGE, "invalid line count: '%s'", arg);
        n = UINT64_MAX; /* more than there can be */
    }
    if (n < *head)
        *head = n;
    return 0;
}

static int set_range(void *to, const char *arg, struct tsl_err *err)
{
    struct options *o = to;
    const char *dash = strchr(arg, '-');
    char low[64];
    bool over = false;
    if (o->ranged)
        return tsl_err_set(err, TSL_EUSAGE, "multiple -i options specified");
    if (!dash || (size_t)(dash - arg) >= sizeof low)
        return tsl_err_set(err, TSL_EUSAGE, "invalid input range: '%s'", arg);
    memcpy(low, arg, (size_t)(dash - arg));
    low[dash - arg] = '\0';
    const char *bad = NULL;
    if (!tsl_parse_u64(skip_sign(low), &o->lo, &over))
        bad = low;
    else if (!tsl_parse_u64(skip_sign(dash + 1), &o->hi, &over))
        bad = dash + 1;
    if (bad)
        return tsl_err_set(err, TSL_EUSAGE, "invalid input range: '%s'%s", bad,
                           over ? ": Value too large for defined data type" : "");
    if ((o->lo > o->hi && o->lo - o->hi > 1) || (o->lo > o->hi && o->hi == UINT64_MAX) ||
        (o->lo == 0 && o->hi == UINT64_MAX))
        return tsl_err_set(err, TSL_EUSAGE, "invalid input range: '%s'", arg);
    o->ranged = true;
    return 0;
}

static int set_output(void *to, const char *arg, struct tsl_err *err)
{
    const char **output = to;
    if (*output && strcmp(*output, arg) != 0)
        return tsl_err_set(err, TSL_EUSAGE, "multiple output files specified");
    *output = arg;
    return 0;
}

static int set_random_source(void *to, const char *arg, struct tsl_err *err)
{
    const char **source = to;
    if (*source && strcmp(*source, arg) != 0)
        return tsl_err_set(err, TSL_EUSAGE, "multiple random sources specified");
    *source = arg;
    return 0;
}

static int set_seed(void *to, const char *arg, struct tsl_err *err)
{
    struct options *o = to;
    o->seeded = strcmp(arg, "random") != 0;
    if (o->seeded && !tsl_parse_u64(arg, &o->seed, NULL))
        return tsl_err_set(
            err, TSL_EUSAGE,
            "invalid seed '%s' (a whole number from 0 to 2^64-1, or random)", arg);
    return 0;
}

static int set_sample(void *to, const char *arg, struct tsl_err *err)
{
    if (!tsl_parse_share(arg, to))
        return tsl_err_set(err, TSL_EUSAGE, "invalid share '%s' (say 0.1 or 10%%)", arg);
    return 0;
}

/* A count that cannot be 0. */
static int set_positive(void *to, const char *arg, struct tsl_err *err)
{
    if (!tsl_parse_u64(arg, to, NULL) || *(uint64_t *)to == 0)
        return tsl_err_set(err, TSL_EUSAGE,
                           "invalid number '%s' (a whole number from 1 on)", arg);
    return 0;
}

static int set_shard_bytes(void *to, const char *arg, struct tsl_err *err)
{
    if (!tsl_parse_size(arg, 0, to) || *(uint64_t *)to == 0)
        return tsl_err_set(err, TSL_EUSAGE, "invalid size '%s' (say 64M or 1.5G)", arg);
    return 0;
}

static int add_dir(void *to, const char *arg, struct tsl_err *err)
{
    struct options *o = to;
    if (o->ndirs == DIRS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d folders for temporary data",
                           DIRS_MAX);
    o->dirs[o->ndirs++] = arg;
    return 0;
}

static int add_aligned(void *to, const char *arg, struct tsl_err *err)
{
    struct options *o = to;
    const char *eq = strrchr(arg, '=');
    if (!eq || eq == arg || !eq[1])
        return tsl_err_set(err, TSL_EUSAGE, "takes FILE=OUT, not '%s'", arg);
    if (o->naligned == TSL_ALIGNED_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d aligned files",
                           TSL_ALIGNED_MAX);
    char *file = tsl_mem_strdup(arg, err);
    if (!file)
        return TSL_ENOMEM;
    file[eq - arg] = '\0';
    o->aligned[o->naligned++] = file;
    o->aligned_out[o->naligned] = eq + 1;
    return 0;
}

static int set_splits(void *to, const char *arg, struct tsl_err *err)
{
    struct options *o = to;
    double sum = 0;
    char *list = tsl_mem_strdup(arg, err), *at = list;
    if (!list)
        return TSL_ENOMEM;
    o->nsplits = 0;
    while (at) {
        char *item = at, *comma = strchr(at, ',');
        at = comma ? comma + 1 : NULL;
        if (comma)
            *comma = '\0';
        char *eq = strrchr(item, '=');
        double share;
        if (!eq || eq == item || !tsl_parse_share(eq + 1, &share) || share <= 0)
            return tsl_err_set(
                err, TSL_EUSAGE,
                "takes NAME=SHARE,..., as in train=.98,valid=.02; not '%s'", arg);
        *eq = '\0';
        if (o->nsplits == SPLITS_MAX)
            return tsl_err_set(err, TSL_EUSAGE, "more than %d splits", SPLITS_MAX);
        for (size_t i = 0; i < o->nsplits; i++)
            if (strcmp(o->splits[i].name, item) == 0)
                return tsl_err_set(err, TSL_EUSAGE, "names '%s' twice", item);
        o->splits[o->nsplits++] = (struct tsl_outset_split){ item, share };
        sum += share;
    }
    if (fabs(sum - 1) > 1e-9)
        return tsl_err_set(err, TSL_EUSAGE,
                           "the shares add up to %.10g, not to 1: name the rest, too, "
                           "or cut with --sample first",
                           sum);
    return 0;
}

/* ---- input that is not files ---- */

/* Operands as rows: framed by their lengths, as they may hold any byte but NUL. */
static uint8_t *echo_rows(char **args, size_t n, size_t *len, struct tsl_err *err)
{
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += 4 + strlen(args[i]);
    uint8_t *rows = tsl_mem_alloc(total + 1, 1, "the arguments", err), *p = rows;
    for (size_t i = 0; rows && i < n; i++) {
        size_t k = strlen(args[i]);
        tsl_store32(p, (uint32_t)k);
        memcpy(p + 4, args[i], k);
        p += 4 + k;
    }
    *len = total;
    return rows;
}

/* A small range as lines: what `seq` would print, so `seq 9 | cshuf -s1` is `cshuf -i1-9
 * -s1`. */
static uint8_t *range_rows(const struct options *o, char end, size_t *len,
                           struct tsl_err *err)
{
    size_t n = (size_t)(o->hi - o->lo + 1), at = 0;
    uint8_t *rows = tsl_mem_alloc(n + 1, 21, "the range", err);
    for (size_t i = 0; rows && i < n; i++)
        at += (size_t)sprintf((char *)rows + at, "%" PRIu64 "%c", o->lo + i, end);
    *len = at;
    return rows;
}

/* The names in a file, each ended by NUL. */
static char **read_names(const char *path, size_t *n, struct tsl_err *err)
{
    struct tsl_source src;
    uint8_t *text = NULL;
    char **names = NULL;
    size_t len = 0, cap = 0, names_cap = 0;
    *n = 0;
    if (tsl_source_open(&src, path, 8 << 20, err) < 0)
        return NULL;
    for (int64_t k = 1; k > 0; len += (size_t)k) {
        if (tsl_mem_grow(&text, &cap, len + 65536, 1, "file names", err) < 0)
            goto fail;
        k = tsl_source_read(&src, text + len, 65535, err);
        if (k < 0)
            goto fail;
    }
    for (size_t at = 0; at < len; at += strlen((char *)text + at) + 1) {
        text[len] = '\0';
        if (!text[at]) {
            tsl_err_set(err, TSL_EFORMAT, "%s: file name %zu is empty", tsl_quote(path).s,
                        *n + 1);
            goto fail;
        }
        if (tsl_mem_grow(&names, &names_cap, *n + 2, sizeof *names, "file names", err) <
            0)
            goto fail;
        names[(*n)++] = (char *)text + at;
        names[*n] = NULL;
    }
    if (tsl_source_close(&src, err) < 0)
        goto fail;
    if (!names)
        tsl_err_set(err, TSL_EFORMAT, "%s: holds no file name", tsl_quote(path).s);
    return names; /* lent until the process ends, and text with it */
fail:
    tsl_source_close(&src, NULL);
    tsl_mem_free(text);
    tsl_mem_free(names);
    return NULL;
}

/* A seed out of a file's first bytes; GNU shuf reads as many as it needs, we hash. */
static int seed_from(const char *path, uint64_t *seed, struct tsl_err *err)
{
    struct tsl_file f;
    uint8_t bytes[RANDOM_BYTES];
    size_t len = 0;
    char name[4096];
    /* here "-" is a file of that name */
    snprintf(name, sizeof name, "%s%s", strcmp(path, "-") ? "" : "./", path);
    int rc = tsl_file_open(&f, name, err);
    while (rc == 0 && len < sizeof bytes) {
        int64_t k = tsl_file_read(&f, bytes + len, sizeof bytes - len, err);
        if (k < 0)
            rc = (int)k;
        if (k <= 0)
            break;
        len += (size_t)k;
    }
    if (rc == 0 && len == 0)
        rc = tsl_err_set(err, TSL_EIO, "%s: end of file", tsl_quote(path).s);
    tsl_file_close(&f, NULL);
    *seed = tsl_hash64(bytes, len, 0);
    return rc;
}

/* ---- what the user sees ---- */

static const char *frame_name(const struct options *o)
{
    return o->rows ? o->rows : o->nul ? "nul" : "line";
}

static void explain(const struct tsl_shufjob_opts *j, const struct tsl_shufplan *p,
                    const struct tsl_inputs_size *size, const struct options *o)
{
    char a[16], b[16], c[16];
    uint64_t n = size->plain_bytes + 4 * size->packed_bytes;
    double write_s, read_s;
    struct tsl_err err = { 0 };
    if (j->rows_given)
        printf("input        the command line, %s", cli_bytes(a, size->plain_bytes));
    else
        printf("input        %zu file%s, %s plain", j->npaths, j->npaths == 1 ? "" : "s",
               cli_bytes(a, size->plain_bytes));
    if (size->packed_bytes)
        printf(", %s compressed (taken as %s)", cli_bytes(a, size->packed_bytes),
               cli_bytes(b, 4 * size->packed_bytes));
    printf("%s; rows: %s\n", size->unknown ? ", and a pipe of unknown size" : "",
           frame_name(o));
    printf("order        seed %" PRIu64 "%s\n", j->seed,
           j->unique ? ", keyed by content: equal rows are dropped but for the first"
                     : ", keyed by each row's place in the input");
    printf("memory       %s: %s of rows in blocks of %s, %u batches of %s on their way\n",
           cli_bytes(a, p->memory), cli_bytes(b, p->store_bytes),
           cli_bytes(c, p->chunk_bytes), (unsigned)p->nbatches,
           cli_bytes((char[16]){ 0 }, p->batch_bytes));
    printf("threads      %u, and %u that write temporary data\n", p->nthreads,
           p->nwriters);
    printf("buckets      %u", 1U << p->log_buckets);
    if (p->bucket_bytes)
        printf(", of about %s", cli_bytes(a, p->bucket_bytes));
    printf("\npasses       ");
    if (size->unknown)
        printf("1 if the input fits in memory, else 2\n");
    else if (p->passes == 1)
        printf("1: everything fits in memory, no temporary data\n");
    else
        printf("%u: out of core%s\n", p->passes,
               p->passes > 2 ? "; buckets outgrow the memory and are split again" : "");
    for (size_t i = 0; i < j->ndirs; i++)
        printf("%s %s, %s free%s\n", i ? "            " : "temporary   ",
               tsl_quote(j->dirs[i]).s, cli_bytes(a, tsl_file_free_bytes(j->dirs[i])),
               tsl_file_in_memory(j->dirs[i]) ? ", but in memory (tmpfs)" : "");
    if (p->passes > 1)
        printf("             about %s needed\n", cli_bytes(a, p->temp_bytes));
    if (tsl_shufjob_probe(j->dirs[0], &write_s, &read_s, &err) == 0) {
        printf("disk         writes %s/s, reads %s/s (probed just now)\n",
               cli_bytes(a, (uint64_t)write_s), cli_bytes(b, (uint64_t)read_s));
        if (!size->unknown) {
            double t = (double)n / read_s + (double)n / write_s;
            if (p->passes > 1)
                t += (double)p->temp_bytes * (p->passes - 1) * (1 / read_s + 1 / write_s);
            printf("time         about %.2g s, if the disk is what is waited for\n", t);
        }
    } else {
        printf("disk         %s\n", err.msg);
    }
}

/* Bytes of rows as they are written: with their ends or lengths. */
static uint64_t framed_bytes(const struct tsl_shufjob_opts *j, uint64_t rows,
                             uint64_t bytes)
{
    uint64_t edges = tsl_frame_head(&j->frame) + tsl_frame_tail(&j->frame);
    return bytes + rows * edges * (1 + j->naligned);
}

static void hex128(char *s, struct tsl_u128 x)
{
    sprintf(s, "%016" PRIx64 "%016" PRIx64, x.hi, x.lo);
}

/* Of a run that summed its rows: in = out + dropped, modulo 2^128. */
static void put_sums(struct tsl_json *w, const struct tsl_shufjob_opts *j,
                     const struct tsl_shufjob_stats *st)
{
    char sum[40];
    hex128(sum, st->in.sum);
    tsl_json_str(w, "checksum_in", sum);
    hex128(sum, st->sum_out);
    tsl_json_str(w, "checksum_out", sum);
    if (!j->unique)
        return;
    hex128(sum, st->sum_dropped);
    tsl_json_str(w, "checksum_dropped", sum);
}

static void put_costs(struct tsl_json *w, const struct tsl_shufjob_opts *j,
                      const struct tsl_shufjob_stats *st)
{
    tsl_json_u64(w, "memory_bytes", j->memory);
    tsl_json_u64(w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(w, "threads", st->plan.nthreads);
    tsl_json_u64(w, "buckets", (uint64_t)1 << st->plan.log_buckets);
    tsl_json_u64(w, "block_bytes", st->plan.chunk_bytes);
    tsl_json_u64(w, "buckets_split", st->splits);
    tsl_json_u64(w, "temp_bytes", st->temp_bytes);
    tsl_json_u64(w, "temp_peak_bytes", st->temp_peak_bytes);
    tsl_json_bool(w, "temp_compressed", st->temp_compressed);
    tsl_json_num(w, "seconds_reading", st->seconds_in);
    tsl_json_num(w, "seconds_writing", st->seconds_out);
    tsl_json_num(w, "seconds", st->seconds_in + st->seconds_out);
}

static int write_stats(const char *path, const struct tsl_shufjob_opts *j,
                       const struct tsl_shufjob_stats *st, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    tsl_json_str(&w, "tool", "cshuf");
    tsl_json_u64(&w, "schema", 1);
    tsl_json_u64(&w, "seed", j->seed);
    tsl_json_u64(&w, "rows_in", st->rows_read);
    tsl_json_u64(&w, "bytes_in", framed_bytes(j, st->rows_read, st->bytes_read));
    tsl_json_u64(&w, "rows_out", st->rows_out);
    tsl_json_u64(&w, "bytes_out", framed_bytes(j, st->rows_out, st->row_bytes_out));
    tsl_json_u64(&w, "rows_kept", st->in.rows);
    tsl_json_u64(&w, "rows_dropped", st->rows_dropped);
    tsl_json_bool(&w, "verified", st->verified);
    if (st->summed)
        put_sums(&w, j, st);
    tsl_json_u64(&w, "files_out", st->files_out);
    tsl_json_u64(&w, "file_bytes_out", st->bytes_out);
    if (j->out.nsplits) {
        tsl_json_open(&w, "splits", '{');
        for (size_t i = 0; i < j->out.nsplits; i++)
            tsl_json_u64(&w, j->out.splits[i].name, st->split_rows[i]);
        tsl_json_close(&w, '}');
    }
    put_costs(&w, j, st);
    tsl_json_close(&w, '}');
    return cli_write_json(path, &w, err);
}

static void closing_line(const struct tsl_shufjob_opts *j,
                         const struct tsl_shufjob_stats *st)
{
    char a[16], b[16], c[16];
    fprintf(stderr, "%s: %" PRIu64 " row%s, %s, %.2f s, %s at most in memory", cli_name(),
            st->rows_out, st->rows_out == 1 ? "" : "s",
            cli_bytes(a, framed_bytes(j, st->rows_out, st->row_bytes_out)),
            st->seconds_in + st->seconds_out, cli_bytes(b, cli_peak_rss()));
    if (st->temp_peak_bytes)
        fprintf(stderr, ", %s on disk", cli_bytes(c, st->temp_peak_bytes));
    if (j->unique)
        fprintf(stderr, ", %" PRIu64 " equal rows dropped", st->rows_dropped);
    fprintf(stderr, "; %sseed %" PRIu64 "\n", st->verified ? "verified; " : "", j->seed);
}

/* ---- from options to a job ---- */

static void choose_frame(const struct options *o, struct tsl_shufjob_opts *j)
{
    const char *name = frame_name(o);
    if (o->rows && o->nul && strcmp(o->rows, "nul") != 0)
        cli_misuse(true, "cannot combine -z with --rows=%s", o->rows);
    if (!tsl_frame_parse(name, &j->frame))
        cli_misuse(true, "invalid --rows: %s (line, nul, para, fixed:BYTES or u32)",
                   tsl_quote(name).s);
    j->frame_in = j->frame;
}

static void choose_outputs(struct options *o, struct tsl_shufjob_opts *j)
{
    struct tsl_outset_opts *out = &j->out;
    if ((o->shards != 0) + (o->shard_rows != 0) + (o->shard_bytes != 0) > 1)
        cli_misuse(true, "cannot combine --shards, --shard-rows and --shard-bytes");
    o->aligned_out[0] = o->output;
    out->patterns = o->output ? o->aligned_out : NULL;
    if (o->naligned && !o->output)
        cli_misuse(true, "--with needs -o FILE for the input's own rows");
    for (size_t i = 0; i <= o->naligned && o->output && o->stats; i++)
        if (strcmp(o->aligned_out[i], o->stats) == 0)
            cli_misuse(false, "%s: named for two outputs", tsl_quote(o->stats).s);
    for (size_t i = 0; i <= o->naligned && o->output; i++)
        for (size_t k = 0; k < i; k++)
            if (strcmp(o->aligned_out[i], o->aligned_out[k]) == 0)
                cli_misuse(false, "%s: named for two outputs",
                           tsl_quote(o->aligned_out[i]).s);
    out->splits = o->splits;
    out->nsplits = o->nsplits;
    out->shards = o->shards;
    out->shard_rows = o->shard_rows;
    out->shard_bytes = o->shard_bytes;
    out->by_name = true;
    if (o->compress) {
        out->by_name = false;
        if (!tsl_codec_parse(o->compress, &out->codec, &out->level))
            cli_misuse(true, "invalid --compress: %s (zstd[:1-19], gzip[:1-9] or none)",
                       tsl_quote(o->compress).s);
    } else if (!o->output && !o->nsplits) {
        out->by_name = false; /* standard output has no name to go by */
    }
}

static void choose_resources(struct options *o, struct tsl_shufjob_opts *j)
{
    const char *mode = o->compress_temp ? o->compress_temp : "auto";
    if (o->ndirs == 0) {
        const char *dir = getenv("TMPDIR");
        o->dirs[o->ndirs++] = dir && *dir ? dir : "/tmp";
    }
    j->dirs = o->dirs;
    j->ndirs = o->ndirs;
    j->memory = o->memory;
    j->nthreads = o->nthreads ? (unsigned)(o->nthreads < 256 ? o->nthreads : 256)
                              : tsl_thread_cpus();
    j->verify = !o->no_verify;
    /* what compresses takes a few MiB: unasked for, only where that is little */
    if (strcmp(mode, "auto") == 0)
        j->temp_auto = o->compress_temp || o->memory >= 64 << 20;
    else if (!tsl_codec_parse(mode, &j->temp_codec, &j->temp_level) ||
             j->temp_codec == TSL_CODEC_GZIP)
        cli_misuse(true, "invalid --compress-temp: %s (auto, none or zstd[:1-19])",
                   tsl_quote(mode).s);
    j->temp_in_haste = !o->compress_temp;
}

/* Rows given by -e and small -i, as bytes in memory. */
static int choose_given(const struct options *o, char **operands, size_t n,
                        struct tsl_shufjob_opts *j, struct tsl_err *err)
{
    uint8_t *rows = NULL;
    if (o->echo) {
        rows = echo_rows(operands, n, &j->rows_given_len, err);
        j->frame_in.kind = TSL_FRAME_U32;
    } else {
        bool nul = j->frame.kind == TSL_FRAME_NUL;
        rows = range_rows(o, nul ? '\0' : '\n', &j->rows_given_len, err);
        j->frame_in.kind = nul ? TSL_FRAME_NUL : TSL_FRAME_LINE;
    }
    j->rows_given = rows;
    return rows ? 0 : TSL_ENOMEM;
}

static int run(const struct options *o, const struct tsl_shufjob_opts *j,
               struct tsl_shufjob_stats *st, struct tsl_err *err)
{
    if (o->ranged && !j->rows_given) {
        struct tsl_shufrange r = { o->lo, o->hi, o->repeat };
        return tsl_shufrange_run(&r, j, st, err);
    }
    if (o->repeat)
        return tsl_shufrepeat_run(j, st, err);
    return tsl_shufjob_run(j, st, err);
}

/* What makes no sense of rows drawn with replacement. */
static void refuse_with_repeat(const struct options *o)
{
    const char *other = o->unique       ? "--unique"
                        : o->sample < 1 ? "--sample"
                        : o->naligned   ? "--with"
                        : o->nsplits    ? "--split"
                        : o->shards     ? "--shards"
                                        : NULL;
    if (other)
        cli_misuse(true, "cannot combine -r and %s", other);
}

/* --explain: what a run would do. */
static int explain_job(const struct options *o, const struct tsl_shufjob_opts *j,
                       struct tsl_err *err)
{
    struct tsl_shufplan plan;
    struct tsl_inputs_size size;
    if (o->ranged && !j->rows_given) {
        printf("a range of %" PRIu64
               " numbers, permuted in constant memory: no temporary data\n",
               o->hi - o->lo + 1);
    } else {
        int rc = tsl_shufjob_plan(j, &plan, &size, err);
        if (rc < 0)
            return rc;
        explain(j, &plan, &size, o);
    }
    if (fflush(stdout) != 0 || ferror(stdout))
        return tsl_err_sys(err, errno, "write error");
    return 0;
}

/* Will rows go to standard output, as far as is known? */
static bool fills_stdout(const struct tsl_shufjob_opts *j)
{
    return !j->out.patterns && !j->out.nsplits && j->head > 0 &&
           (!j->rows_given || j->rows_given_len > 0);
}

/* The first folder for temporary data that takes memory which -m does not count. */
static const char *dir_in_memory(const struct tsl_shufjob_opts *j)
{
    for (size_t i = 0; i < j->ndirs; i++)
        if (tsl_file_in_memory(j->dirs[i]))
            return j->dirs[i];
    return NULL;
}

static void warn_of_memory(const char *dir)
{
    cli_warn(
        "temporary data goes to %s, which is held in memory (tmpfs) that -m does not "
        "count; -T names a folder on a disk",
        tsl_quote(dir).s);
}

/* Will all of the rows be kept, and outgrow the memory? */
static bool spills(const struct options *o, const struct tsl_shufjob_opts *j)
{
    struct tsl_shufplan plan;
    struct tsl_inputs_size size;
    bool all = (j->head == UINT64_MAX && j->sample >= 1) || o->repeat;
    return all && tsl_shufjob_plan(j, &plan, &size, NULL) == 0 && plan.passes > 1;
}

static int run_job(const struct options *o, struct tsl_shufjob_opts *j,
                   enum cli_progress_when when, struct tsl_err *err)
{
    struct tsl_progress progress = { 0 };
    struct tsl_shufjob_stats st = { 0 };
    bool large_range = o->ranged && !j->rows_given;
    int rc = fills_stdout(j) ? tsl_outfile_check(NULL, err) : 0;
    if (rc < 0)
        return rc; /* now, not after hours of reading */
    const char *dir = o->quiet || large_range ? NULL : dir_in_memory(j);
    if (dir && spills(o, j)) {
        warn_of_memory(dir);
        dir = NULL;
    }
    j->progress = &progress;
    cli_progress_start(&progress, when);
    rc = run(o, j, &st, err);
    cli_progress_stop();
    if (dir && st.temp_peak_bytes) /* nobody could tell before */
        warn_of_memory(dir);
    if (rc == 0 && o->stats)
        rc = write_stats(o->stats, j, &st, err);
    if (rc == 0 && !o->quiet && (o->verbose || cli_progress_shown()))
        closing_line(j, &st);
    return rc;
}

/* ---- the command line ---- */

static const char summary[] =
    "Write the rows of all FILEs in a random order: more than fit in memory, each\n"
    "order equally likely.";

static const char epilog[] =
    "SIZE: 64M, 1.5G, 500KB, or 10% of the memory this process may use.\n"
    "SHARE: 0.1 or 10%.\n"
    "Inputs compressed with zstd or gzip are recognised and decompressed.  With no\n"
    "FILE, or when FILE is -, read standard input.  The order depends on the input's\n"
    "bytes and the seed alone: not on memory, threads or temporary folders.\n"
    "Exit status 0: every row that was asked for is in the output exactly once, and\n"
    "this was checked.  1: anything else; output files appear only when all of them\n"
    "are whole.\n"
    "\n"
    "Examples:\n"
    "  cshuf -m 2G corpus/*.jsonl.zst -o shuffled.jsonl.zst\n"
    "      one global shuffle of many compressed files in 2 GiB of memory\n"
    "  cshuf -s 1 --split train=.98,valid=.01,test=.01 -o '%s.txt' corpus.txt\n"
    "      three files in one pass, the same again for the same seed\n"
    "  cshuf -s 1 --with de.txt=de.shuf --shards 8 en.txt -o en.shuf\n"
    "      two aligned files, the same order in both, eight shards of each\n";

static const struct cli_opt opts[] = {
    { .kind = CLI_TEXT, .help = "As shuf:" },
    { 'e', "echo", NULL, CLI_FLAG, &given.echo, "each ARG is a row", NULL, true },
    { 'i', "input-range", "LO-HI", CLI_CALL, &given, "each number from LO to HI is a row",
      set_range, true },
    { 'n', "head-count", "COUNT", CLI_CALL, &given.head,
      "write at most COUNT rows: the head of the full shuffle", set_head, true },
    { 'o', "output", "FILE", CLI_CALL, &given.output,
      "write to FILE (it may be an input) once all is done;\n"
      ".zst and .gz are compressed",
      set_output, true },
    { 0, "random-source", "FILE", CLI_CALL, &given.random_source,
      "take the seed from the first bytes of FILE", set_random_source, true },
    { 'r', "repeat", NULL, CLI_FLAG, &given.repeat,
      "draw rows with replacement, for ever or -n", NULL, true },
    { 'z', "zero-terminated", NULL, CLI_FLAG, &given.nul,
      "rows end with NUL, not newline", NULL, true },
    { .kind = CLI_TEXT, .help = "The order:" },
    { 's', "seed", "N", CLI_CALL, &given,
      "the same N gives the same order; random, or no -s:\n"
      "one is drawn",
      set_seed, false },
    { 0, "unique", NULL, CLI_FLAG, &given.unique,
      "of equal rows keep the first; the order then goes by\n"
      "content",
      NULL, false },
    { 0, "sample", "SHARE", CLI_CALL, &given.sample,
      "keep about this share of the rows, the head of the\n"
      "full shuffle",
      set_sample, false },
    { .kind = CLI_TEXT, .help = "Input:" },
    { 0, "rows", "KIND", CLI_STR, &given.rows,
      "line, nul, para (ended by blank lines), fixed:BYTES, or\n"
      "u32 (each behind its little-endian length)",
      NULL, false },
    { 0, "header", "N", CLI_COUNT, &given.header_rows,
      "the first N rows of each file are its header: kept\n"
      "once, in front of every output",
      NULL, false },
    { 0, "files0-from", "FILE", CLI_STR, &given.files0,
      "read input names, ended by NUL, from FILE", NULL, false },
    { 0, "with", "FILE=OUT", CLI_CALL, &given,
      "shuffle FILE the same way into OUT: row i of FILE goes\n"
      "where row i of the input goes; repeatable",
      add_aligned, false },
    { .kind = CLI_TEXT, .help = "Output:" },
    { 0, "split", "NAME=SHARE,...", CLI_CALL, &given,
      "divide the rows by shares that add up to 1; %s in -o\n"
      "stands for NAME; without -o, NAME is the file",
      set_splits, false },
    { 0, "shards", "N", CLI_CALL, &given.shards,
      "N files of equal row counts; %05d in -o is the number,\n"
      "else -00000 goes in front of the first dot",
      set_positive, false },
    { 0, "shard-rows", "N", CLI_CALL, &given.shard_rows, "files of N rows each",
      set_positive, false },
    { 0, "shard-bytes", "SIZE", CLI_CALL, &given.shard_bytes,
      "files of at most SIZE, before compression", set_shard_bytes, false },
    { 0, "compress", "CODEC", CLI_STR, &given.compress,
      "zstd[:LEVEL], gzip[:LEVEL] or none, whatever the name", NULL, false },
    { .kind = CLI_TEXT, .help = "Resources (none of them changes the output):" },
    { 'm', "memory", "SIZE", CLI_SIZE, &given.memory,
      "hold at most SIZE in memory, and 16M beside it; default:\n"
      "a quarter of what this process may use",
      NULL, false },
    { 'S', "buffer-size", "SIZE", CLI_SIZE, &given.memory, "the same, as in sort", NULL,
      false },
    { 'j', "threads", "N", CLI_COUNT, &given.nthreads,
      "use N threads; default: one a processor", NULL, false },
    { 'T', "temporary-directory", "DIR", CLI_CALL, &given,
      "folder for temporary data, not $TMPDIR or /tmp;\n"
      "several are filled evenly",
      add_dir, false },
    { 0, "compress-temp", "MODE", CLI_STR, &given.compress_temp,
      "auto (while it makes the run faster; the default),\n"
      "none or zstd[:LEVEL]",
      NULL, false },
    { 0, "no-verify", NULL, CLI_FLAG, &given.no_verify,
      "do not compare the rows read with the rows written", NULL, false },
    { .kind = CLI_TEXT, .help = "Telling:" },
    { 'q', "quiet", NULL, CLI_FLAG, &given.quiet,
      "no progress unless --progress=always, no closing line,\n"
      "no warning",
      NULL, false },
    { 'v', "verbose", NULL, CLI_FLAG, &given.verbose,
      "tell the seed and what was done in a closing line", NULL, false },
    { 0, "stats", "FILE", CLI_STR, &given.stats, "write what was done to FILE, as JSON",
      NULL, false },
    { 0, "progress", "WHEN", CLI_STR, &given.progress,
      "auto (on a terminal, after a second), always, never;\n"
      "SIGUSR1 asks for a line at any time",
      NULL, false },
    { 0, "explain", NULL, CLI_FLAG, &given.explain,
      "print the plan, with a quick probe of the disk, and do\n"
      "nothing",
      NULL, false },
    { 0 },
};

/* What cannot be meant. */
static void check_operands(const struct options *o, char **operands, size_t n)
{
    if (o->echo && o->ranged)
        cli_misuse(true, "cannot combine -e and -i options");
    if (o->ranged && n > 0)
        cli_misuse(true, "extra operand '%s'", operands[0]);
    if (o->files0 && (n > 0 || o->echo || o->ranged))
        cli_misuse(true, "--files0-from leaves no room for operands, -e or -i");
    if (o->repeat)
        refuse_with_repeat(o);
    if (o->echo || o->ranged) {
        const char *which = o->echo ? "-e" : "-i";
        if (o->naligned || o->header_rows)
            cli_misuse(true, "cannot combine %s and %s", which,
                       o->naligned ? "--with" : "--header");
        if (o->rows && strncmp(o->rows, "fixed", 5) == 0)
            cli_misuse(true, "cannot combine %s and --rows=%s", which, o->rows);
    }
}

/* -i of at most one number has one order, -e of nothing too: they need no seed.  noperands:
 * of the command line. */
static bool needs_seed(const struct options *o, size_t noperands)
{
    if (o->head == 0 || (o->echo && noperands == 0))
        return false;
    return !(o->ranged && o->hi - o->lo + 1 <= 1 && !o->repeat);
}

/* What is left to fill in of the job: the rows and the seed. */
static int choose_rows(struct options *o, char **operands, size_t n,
                       struct tsl_shufjob_opts *j, struct tsl_err *err)
{
    static char dash[] = "-", *standard_input[] = { dash, NULL };
    int rc = 0;
    j->paths = n ? operands : standard_input;
    j->npaths = n ? n : 1;
    if (o->files0)
        j->paths = read_names(o->files0, &j->npaths, err);
    if (!j->paths)
        return TSL_EIO;
    j->header_rows = o->header_rows;
    j->unique = o->unique;
    j->head = o->head;
    j->sample = o->sample;
    j->aligned = o->aligned;
    j->naligned = o->naligned;
    j->seed = o->seeded ? o->seed : tsl_key_random_seed();
    if (o->random_source && !o->seeded && needs_seed(o, n))
        rc = seed_from(o->random_source, &j->seed, err);
    if (rc == 0 && (o->echo || (o->ranged && o->hi - o->lo + 1 <= TSL_SHUFRANGE_SMALL)))
        rc = choose_given(o, operands, n, j, err);
    return rc;
}

static void free_rows(const struct options *o, struct tsl_shufjob_opts *j)
{
    tsl_mem_free((void *)(uintptr_t)j->rows_given);
    if (o->files0 && j->paths) {
        tsl_mem_free(j->paths[0]); /* all of them are one text */
        tsl_mem_free((void *)(uintptr_t)j->paths);
    }
}

int main(int argc, char **argv)
{
    struct tsl_shufjob_opts j = { 0 };
    struct tsl_err err = { 0 };
    tsl_file_guard_std();
    const struct cli_tool tool = {
        .name = "cshuf",
        .usage = "[OPTION]... [FILE]...\n  or:  cshuf -e [OPTION]... [ARG]...\n"
                 "  or:  cshuf -i LO-HI [OPTION]...",
        .summary = summary,
        .epilog = epilog,
        .opts = opts,
        .memory = cli_memory(),
    };
    size_t n;
    /* of very little (ulimit -v), the program and its threads' stacks take most */
    given.memory = tool.memory / (tool.memory < 64 << 20 ? 16 : 4);
    char **operands = cli_parse(&tool, argc, argv, &n);
    check_operands(&given, operands, n);
    choose_frame(&given, &j);
    choose_outputs(&given, &j);
    choose_resources(&given, &j);
    enum cli_progress_when when = cli_progress_told(given.progress, given.quiet);
    int rc = choose_rows(&given, operands, n, &j, &err);
    if (rc == 0)
        rc = given.explain ? explain_job(&given, &j, &err)
                           : run_job(&given, &j, when, &err);
    rc = cli_finish(rc, &err);
    free_rows(&given, &j);
    return rc;
}

/* cshard - training records into shards: any format in, one out, all of it or nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "cli.h"
#include "cli_progress.h"
#include "cli_run.h"
#include "io/codec.h"
#include "io/outfile.h"
#include "samples/shardjob.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

enum { MOST_THREADS = 256 };

static struct {
    const char *format, *from, *output, *name, *layout, *compress, *stats, *progress;
    uint64_t shards, rows, bytes, memory, nthreads, epoch, predictions, length;
    bool round_robin, resume, force, quiet, verbose, explain;
} given = { .epoch = UINT64_MAX };

static const struct cli_opt opts[] = {
    { .kind = CLI_TEXT, .help = "Output:" },
    { 'o', NULL, "DIR", CLI_STR, &given.output,
      "the folder of the set; made if it is not there", NULL, false },
    { 'f', "format", "FORMAT", CLI_STR, &given.format,
      "native (the default), tfrecord, megatron, mds, npy, jsonl,\n"
      "webdataset, llmc, u16, u32, datatrove",
      NULL, false },
    { 0, "layout", "NAME", CLI_STR, &given.layout,
      "of megatron: document (the default) or sentence; of samples:\n"
      "native (the default), plain, bert (the seven features of\n"
      "BERT's script, padded) or hf (what transformers take)",
      NULL, false },
    { 0, "epoch", "E", CLI_COUNT, &given.epoch,
      "of samples that are not masked: mask them as epoch E has them", NULL, false },
    { 0, "seq-length", "N", CLI_COUNT, &given.length,
      "of bert and hf: pad to N tokens; default: as cmask was told", NULL, false },
    { 0, "max-predictions", "N", CLI_COUNT, &given.predictions,
      "of bert: pad to N masked places; default: as many as there\ncan be", NULL, false },
    { 0, "name", "PATTERN", CLI_STR, &given.name,
      "of a shard, %d its number; default: part-%05d; of mds:\nshard.%05d", NULL, false },
    { 0, "compress", "CODEC", CLI_STR, &given.compress,
      "zstd[:LEVEL], gzip or none, as far as the format has it;\n"
      "default: zstd for native, else none",
      NULL, false },
    { .kind = CLI_TEXT, .help = "Shards (one, if nothing is said):" },
    { 0, "shards", "N", CLI_COUNT, &given.shards,
      "N shards whose sizes differ by one record at most", NULL, false },
    { 0, "shard-rows", "N", CLI_COUNT, &given.rows, "N records in each but the last",
      NULL, false },
    { 0, "shard-bytes", "SIZE", CLI_SIZE, &given.bytes,
      "a shard ends with the record that fills SIZE", NULL, false },
    { 0, "round-robin", NULL, CLI_FLAG, &given.round_robin,
      "of --shards: record i goes into shard i modulo N; for\n"
      "inputs that do not tell how many records they have",
      NULL, false },
    { 0, "resume", NULL, CLI_FLAG, &given.resume,
      "go on behind the last whole shard of a run that was cut\n"
      "short; the set will have the same bytes",
      NULL, false },
    { 0, "force", NULL, CLI_FLAG, &given.force,
      "replace the set, or the unfinished one, that is there", NULL, false },
    { .kind = CLI_TEXT, .help = "Input:" },
    { 0, "from", "FORMAT", CLI_STR, &given.from,
      "the inputs' format; default: told apart by content", NULL, false },
    { .kind = CLI_TEXT, .help = "Resources (none of them changes the output):" },
    { 'm', "memory", "SIZE", CLI_SIZE, &given.memory,
      "hold at most SIZE in memory, and 16M beside it; default:\n"
      "a quarter of what this process may use",
      NULL, false },
    { 'j', "threads", "N", CLI_COUNT, &given.nthreads,
      "threads that pack files which are compressed as a whole\n(jsonl, tfrecord, "
      "webdataset); all else works on one, and one\nmore puts bytes into files; default: "
      "1",
      NULL, false },
    { .kind = CLI_TEXT, .help = "Telling:" },
    { 'q', "quiet", NULL, CLI_FLAG, &given.quiet,
      "no progress unless --progress=always, no closing line", NULL, false },
    { 'v', "verbose", NULL, CLI_FLAG, &given.verbose,
      "tell what was done in a closing line", NULL, false },
    { 0, "stats", "FILE", CLI_STR, &given.stats, "write counts to FILE, as JSON", NULL,
      false },
    { 0, "progress", "WHEN", CLI_STR, &given.progress,
      "auto (on a terminal, after a second), always, never;\n"
      "SIGUSR1 asks for a line at any time",
      NULL, false },
    { 0 },
};

static const char notes[] =
    "Inputs are record files of any of these formats, sets (folders with a\n"
    "manifest.json), MDS folders, streams of ctok and cmask; with no FILE, or when FILE\n"
    "is -, standard input.  Shards get their names when they are whole, and\n"
    "manifest.json is written last: a folder without it is no set.\n"
    "Exit status 0: the set is whole; 1: anything else.\n"
    "\n"
    "Examples:\n"
    "  ctok encode -V gpt2 --output=stream corpus.txt | cshard -f megatron -o "
    "corpus-bin\n"
    "      token ids as Megatron, NeMo and GPT-NeoX read them\n"
    "  cmask mlm --static 10 corpus.tok | cshard -f mds --shard-bytes 64M -o train\n"
    "      samples for Mosaic's StreamingDataset('train')\n";

/* What becomes of samples on their way; false: nothing. */
static bool map_opts(struct tsl_samplemap_opts *o)
{
    static const char *const names[] = { "native", "plain", "bert", "hf" };
    int layout = 0;
    bool of_samples = false;
    for (int i = 0; given.layout && i < 4; i++)
        if (strcmp(given.layout, names[i]) == 0) {
            layout = i;
            of_samples = true;
        }
    if (given.layout && !of_samples && strcmp(given.layout, "document") != 0 &&
        strcmp(given.layout, "sentence") != 0)
        cli_misuse(true, "invalid --layout: %s", tsl_quote(given.layout).s);
    if ((given.length || given.predictions) && layout < 2)
        cli_misuse(true, "--seq-length and --max-predictions are of padded layouts");
    *o =
        (struct tsl_samplemap_opts){ .mask = given.epoch != UINT64_MAX,
                                     .epoch = given.epoch == UINT64_MAX ? 0 : given.epoch,
                                     .layout = (enum tsl_sample_layout)layout,
                                     .tokens_max = (uint32_t)given.length,
                                     .masks_max = (uint32_t)given.predictions };
    return of_samples || o->mask;
}

static struct tsl_recwriter_opts writer_opts(bool mapped)
{
    struct tsl_recwriter_opts w = { .format = given.format ? given.format : "native",
                                    .layout = mapped ? NULL : given.layout,
                                    .size_limit = given.bytes };
    enum tsl_codec codec = TSL_CODEC_NONE;
    int level = 0;
    const struct tsl_recformat *f = tsl_recformat_named(w.format);
    if (!f || !f->writer_create)
        cli_misuse(true,
                   "invalid --format: %s (native, tfrecord, megatron, mds, npy, jsonl, "
                   "webdataset, llmc, u16, u32 or datatrove)",
                   tsl_quote(w.format).s);
    if (strcmp(w.format, "native") == 0)
        codec = TSL_CODEC_ZSTD;
    if (given.compress && !tsl_codec_parse(given.compress, &codec, &level))
        cli_misuse(true, "invalid --compress: %s (zstd[:1-19], gzip or none)",
                   tsl_quote(given.compress).s);
    w.zstd_level = codec == TSL_CODEC_ZSTD ? level ? level : 3 : 0;
    w.gzip = codec == TSL_CODEC_GZIP;
    return w;
}

static int write_stats(const struct tsl_shardjob_stats *st, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    tsl_json_str(&w, "tool", "cshard");
    tsl_json_u64(&w, "schema", 1);
    tsl_json_u64(&w, "records", st->records);
    tsl_json_u64(&w, "records_resumed", st->resumed);
    tsl_json_u64(&w, "shards", st->shards);
    tsl_json_u64(&w, "files", st->files);
    tsl_json_u64(&w, "bytes_out", st->bytes_out);
    tsl_json_u64(&w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_num(&w, "seconds", st->seconds);
    tsl_json_close(&w, '}');
    return cli_write_json(given.stats, &w, err);
}

int main(int argc, char **argv)
{
    static char dash[] = "-", *standard_input[] = { dash, NULL };
    struct tsl_err err = { 0 };
    struct tsl_progress progress = { 0 };
    struct tsl_shardjob_stats st;
    size_t n;
    tsl_file_guard_std();
    struct cli_tool tool = { .name = "cshard",
                             .usage = "[OPTION]... -o DIR [FILE]...",
                             .summary = "Write training records as shards that PyTorch, "
                                        "TensorFlow, Megatron and\nMosaic users load.",
                             .epilog = notes,
                             .opts = opts,
                             .memory = cli_memory() };
    given.memory = tool.memory / 4;
    char **operands = cli_parse(&tool, argc, argv, &n);
    if (!given.output)
        cli_misuse(true, "no folder for the set: -o names it");
    if (given.resume && given.force)
        cli_misuse(true, "--resume keeps what is there, --force replaces it: only one");
    if (given.round_robin && !given.shards)
        cli_misuse(true, "--round-robin needs --shards");
    struct tsl_samplemap_opts map;
    bool mapped = map_opts(&map);
    struct tsl_shardjob_opts o = {
        .map = mapped ? &map : NULL,
        .paths = n ? operands : standard_input,
        .npaths = n ? n : 1,
        .input_format = given.from,
        .memory = given.memory,
        .nthreads =
            given.nthreads < MOST_THREADS ? (unsigned)given.nthreads : MOST_THREADS,
        .set = { .dir = given.output,
                 .name = given.name,
                 .shards = given.shards,
                 .shard_rows = given.rows,
                 .shard_bytes = given.bytes,
                 .round_robin = given.round_robin,
                 .resume = given.resume,
                 .force = given.force,
                 .made_by = "cshard (teasel) " TSL_VERSION,
                 .writer = writer_opts(mapped) },
        .progress = &progress,
    };
    enum cli_progress_when when = cli_progress_told(given.progress, given.quiet);
    atomic_store(&progress.one_pass, 1);
    cli_progress_start(&progress, when);
    int rc = tsl_shardjob_run(&o, &st, &err);
    cli_progress_stop();
    if (rc == 0 && given.stats)
        rc = write_stats(&st, &err);
    if (rc == 0 && !given.quiet && (given.verbose || cli_progress_shown())) {
        char a[16];
        fprintf(stderr, "%s: %" PRIu64 " records in %" PRIu64 " shard%s, %s, %.2f s\n",
                cli_name(), st.records, st.shards, st.shards == 1 ? "" : "s",
                cli_bytes(a, st.bytes_out), st.seconds);
    }
    return cli_finish(rc, &err);
}

/* ctok - text into token ids, exactly as the tool that a vocabulary was made for; ids back
 * into text; and a look at how a text is cut. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/quote.h"
#include "base/utf8.h"
#include "cli.h"
#include "cli_progress.h"
#include "io/file.h"
#include "io/outfile.h"
#include "io/sink.h"
#include "par/thread.h"
#include "text/decodejob.h"
#include "text/encodejob.h"
#include "text/vocabid.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

struct options {
    const char *vocab, *pattern, *rules, *invalid, *special_text, *words;
    bool lowercase, cased;
    const char *rows, *input, *field, *files0;
    bool nul, sentences, pair;
    const char *specials, *format, *unit, *output, *compress;
    bool skip_special;
    uint64_t row_ids;
    uint64_t memory, nthreads;
    bool quiet, verbose, explain;
    const char *stats, *progress, *color;
};

static struct options given;

/* ---- options ---- */

#define VOCABULARY                                                                         \
    { .kind = CLI_TEXT, .help = "The vocabulary:" },                                       \
        { 'V',                                                                             \
          "vocab",                                                                         \
          "VOCAB",                                                                         \
          CLI_STR,                                                                         \
          &given.vocab,                                                                    \
          "vocab.txt, tokenizer.json, a .model, a .tiktoken, or a\n"                       \
          "folder with one of them, or with vocab.json + merges.txt",                      \
          NULL,                                                                            \
          false },                                                                         \
        { 0,                                                                               \
          "pattern",                                                                       \
          "NAME",                                                                          \
          CLI_STR,                                                                         \
          &given.pattern,                                                                  \
          "of a .tiktoken: r50k, cl100k or o200k; default: by size",                       \
          NULL,                                                                            \
          false },                                                                         \
        { 0,                                                                               \
          "lowercase",                                                                     \
          NULL,                                                                            \
          CLI_FLAG,                                                                        \
          &given.lowercase,                                                                \
          "of a vocab.txt: lower case, no accents; default: if it\n"                       \
          "has no capital letters",                                                        \
          NULL,                                                                            \
          false },                                                                         \
        { 0,        "cased",      NULL,                                                    \
          CLI_FLAG, &given.cased, "of a vocab.txt: leave case and accents alone",          \
          NULL,     false },                                                               \
        { 0,       "rules",      "RULES",                                                  \
          CLI_STR, &given.rules, "of a vocab.txt: hf (the default), google or bert4keras", \
          NULL,    false },                                                                \
        { 0,                                                                               \
          "words",                                                                         \
          "FILE",                                                                          \
          CLI_STR,                                                                         \
          &given.words,                                                                    \
          "words, one a line, perhaps with counts, whose tokens\n"                         \
          "make one word (Chinese whole-word masking)",                                    \
          NULL,                                                                            \
          false },                                                                         \
    {                                                                                      \
        0, "special-text", "HOW", CLI_STR, &given.special_text,                            \
            "[MASK] and its like in the text: allow (one token, the\n"                     \
            "default) or plain",                                                           \
            NULL, false                                                                    \
    }

#define RESOURCES                                                                          \
    { .kind = CLI_TEXT, .help = "Resources (none of them changes the output):" },          \
        { 'm',                                                                             \
          "memory",                                                                        \
          "SIZE",                                                                          \
          CLI_SIZE,                                                                        \
          &given.memory,                                                                   \
          "hold at most SIZE in memory, and 16M beside it; default:\n"                     \
          "a quarter of what this process may use",                                        \
          NULL,                                                                            \
          false },                                                                         \
        { 'j',                                                                             \
          "threads",                                                                       \
          "N",                                                                             \
          CLI_COUNT,                                                                       \
          &given.nthreads,                                                                 \
          "use N threads; default: one a processor",                                       \
          NULL,                                                                            \
          false },                                                                         \
        { .kind = CLI_TEXT, .help = "Telling:" },                                          \
        { 'q',      "quiet",      NULL,                                                    \
          CLI_FLAG, &given.quiet, "no progress unless --progress=always, no closing line", \
          NULL,     false },                                                               \
        { 'v',      "verbose",      NULL,                                                  \
          CLI_FLAG, &given.verbose, "tell what was done in a closing line",                \
          NULL,     false },                                                               \
        { 0,    "stats", "FILE", CLI_STR, &given.stats, "write counts to FILE, as JSON",   \
          NULL, false },                                                                   \
    {                                                                                      \
        0, "progress", "WHEN", CLI_STR, &given.progress,                                   \
            "auto (on a terminal, after a second), always, never;\n"                       \
            "SIGUSR1 asks for a line at any time",                                         \
            NULL, false                                                                    \
    }

#define COMPRESS                                                                         \
    {                                                                                    \
        0, "compress", "CODEC", CLI_STR, &given.compress,                                \
            "zstd[:LEVEL], gzip[:LEVEL] or none, whatever the name", NULL, false         \
    }

static const struct cli_opt encode_opts[] = {
    VOCABULARY,
    { 0, "invalid", "HOW", CLI_STR, &given.invalid,
      "bytes that are not UTF-8: replace (by U+FFFD, the\n"
      "default), error, or bytes (kept; byte-level models)",
      NULL, false },
    { .kind = CLI_TEXT, .help = "Input:" },
    { 0, "rows", "KIND", CLI_STR, &given.rows,
      "a text is a line, nul, para (up to a blank line),\n"
      "fixed:BYTES, or u32 (behind its little-endian length)",
      NULL, false },
    { 'z', "zero-terminated", NULL, CLI_FLAG, &given.nul,
      "rows end with NUL, not newline", NULL, false },
    { 0, "input", "KIND", CLI_STR, &given.input,
      "rows (the default), or jsonl: a text is a field of each\nline", NULL, false },
    { 0, "json-field", "NAME", CLI_STR, &given.field,
      "of --input=jsonl: text, or a.b for b in a; A,B for a pair", NULL, false },
    { 0, "split-sentences", NULL, CLI_FLAG, &given.sentences,
      "cut each text behind 。！？!?. and newlines; nothing is\ndropped", NULL, false },
    { 0, "pair", NULL, CLI_FLAG, &given.pair,
      "a row is two texts with a tab between them; adds specials", NULL, false },
    { 0, "files0-from", "FILE", CLI_STR, &given.files0,
      "read input names, ended by NUL, from FILE", NULL, false },
    { .kind = CLI_TEXT, .help = "Output:" },
    { 'o', NULL, "FILE", CLI_STR, &given.output,
      "write to FILE once all is done; .zst and .gz are\ncompressed", NULL, false },
    { 0, "output", "FORMAT", CLI_STR, &given.format,
      "ids (numbers, a row a line, the default), jsonl (ids,\n"
      "tokens, offsets), stream (for cmask and cshard), u16, u32",
      NULL, false },
    { 0, "specials", "HOW", CLI_STR, &given.specials,
      "none (the default), or add what the vocabulary puts\naround a text ([CLS], [SEP])",
      NULL, false },
    { 0, "offset-unit", "UNIT", CLI_STR, &given.unit,
      "of jsonl: byte (the default) or char", NULL, false },
    COMPRESS,
    RESOURCES,
    { 0, "explain", NULL, CLI_FLAG, &given.explain, "print the plan and do nothing", NULL,
      false },
    { 0 },
};

static const struct cli_opt decode_opts[] = {
    VOCABULARY,
    { 0, "invalid", "HOW", CLI_STR, &given.invalid,
      "bytes that are not UTF-8: bytes (kept, the default where\n"
      "tokens are of bytes), or replace",
      NULL, false },
    { .kind = CLI_TEXT, .help = "Input:" },
    { 0, "input", "KIND", CLI_STR, &given.input,
      "ids (lines of numbers, the default), jsonl, stream, u16,\nu32", NULL, false },
    { 0, "json-field", "NAME", CLI_STR, &given.field,
      "of --input=jsonl: where the array is; default: ids", NULL, false },
    { 0, "row-ids", "N", CLI_COUNT, &given.row_ids,
      "of u16 and u32: a row is N ids; default: a file", NULL, false },
    { 0, "files0-from", "FILE", CLI_STR, &given.files0,
      "read input names, ended by NUL, from FILE", NULL, false },
    { .kind = CLI_TEXT, .help = "Output:" },
    { 'o', NULL, "FILE", CLI_STR, &given.output,
      "write to FILE once all is done; .zst and .gz are\ncompressed", NULL, false },
    { 0, "output", "FORMAT", CLI_STR, &given.format,
      "rows (the default), or jsonl: {\"text\":...} lines", NULL, false },
    { 0, "rows", "KIND", CLI_STR, &given.rows,
      "a text is written as a line, nul, para or u32", NULL, false },
    { 'z', "zero-terminated", NULL, CLI_FLAG, &given.nul,
      "rows end with NUL, not newline", NULL, false },
    { 0, "skip-specials", NULL, CLI_FLAG, &given.skip_special,
      "leave special tokens out of the text", NULL, false },
    COMPRESS,
    RESOURCES,
    { 0 },
};

static const struct cli_opt inspect_opts[] = {
    VOCABULARY,
    { 0, "invalid", "HOW", CLI_STR, &given.invalid,
      "bytes that are not UTF-8: replace, error or bytes", NULL, false },
    { .kind = CLI_TEXT, .help = "Output:" },
    { 0, "specials", "HOW", CLI_STR, &given.specials,
      "none (the default), or add what the vocabulary puts\naround a text", NULL, false },
    { 0, "color", "WHEN", CLI_STR, &given.color,
      "auto (on a terminal, unless NO_COLOR is set), always,\nnever", NULL, false },
    { 0 },
};

static const char common_notes[] =
    "SIZE: 64M, 1.5G, 500KB, or 10% of the memory this process may use.\n"
    "Inputs compressed with zstd or gzip are recognised and decompressed.  With no\n"
    "FILE, or when FILE is -, read standard input.  What comes out depends on input,\n"
    "vocabulary and options alone: not on memory or threads.\n"
    "Exit status 0: done; 1: anything else, and then an output file has not appeared.\n"
    "\n";

static const char encode_examples[] =
    "Examples:\n"
    "  ctok encode -V bert-base-uncased/vocab.txt corpus.txt.zst -o corpus.ids.zst\n"
    "      a line of ids for each line of text\n"
    "  ctok encode -V zh/vocab.txt --input=jsonl --json-field=text --split-sentences \\\n"
    "      --output=stream -o corpus.tok --stats=stats.json part-*.jsonl.gz\n"
    "      documents with their sentences and word starts, for cmask and cshard\n";

static const char decode_examples[] =
    "Examples:\n"
    "  ctok encode -V gpt2 --rows=u32 book | ctok decode -V gpt2 --rows=u32 | cmp - "
    "book\n"
    "      byte-level vocabularies give every byte back\n"
    "  ctok decode -V bert-base-uncased --input=stream --skip-specials corpus.tok | "
    "head\n"
    "      what a stream of ids says\n";

static const char inspect_examples[] =
    "Examples:\n"
    "  ctok inspect -V gpt2 'Tokenizers cut unfamiliar words.'\n"
    "      the pieces, and their ids below them\n"
    "  ctok inspect -V model.model\n"
    "      what a vocabulary holds: size, special tokens, lengths, bytes covered\n";

static const char all_examples[] =
    "Examples:\n"
    "  ctok encode -V bert-base-uncased/vocab.txt corpus.txt.zst -o corpus.ids.zst\n"
    "      a line of ids for each line of text\n"
    "  ctok encode -V zh/vocab.txt --input=jsonl --split-sentences --output=stream \\\n"
    "      -o corpus.tok --stats=stats.json part-*.jsonl.gz\n"
    "      documents with their sentences and word starts, for cmask and cshard\n";

/* ---- what the options say ---- */

/* One of the words, which stand behind each other with NUL between and two at the end; the
 * first where nothing was given. */
static int choose(const char *option, const char *word, const char *words)
{
    char list[128] = "";
    int i = 0;
    if (!word)
        return 0;
    for (const char *w = words; *w; w += strlen(w) + 1, i++) {
        if (strcmp(w, word) == 0)
            return i;
        size_t n = strlen(list);
        const char *next = w + strlen(w) + 1;
        snprintf(list + n, sizeof list - n, "%s%s", !n ? "" : *next ? ", " : " or ", w);
    }
    cli_misuse(true, "invalid --%s: %s (%s)", option, tsl_quote(word).s, list);
}

static struct tsl_tokenizer_opts tokenizer_opts(const struct options *o)
{
    struct tsl_tokenizer_opts t = { 0 };
    if (!o->vocab)
        cli_misuse(true, "no vocabulary: -V names it");
    if (o->lowercase && o->cased)
        cli_misuse(true, "cannot combine --lowercase and --cased");
    t.rules = (enum tsl_rules)choose("rules", o->rules, "hf\0google\0bert4keras\0");
    t.invalid =
        (enum tsl_invalid)choose("invalid", o->invalid, "replace\0error\0bytes\0");
    t.lowercase = o->lowercase ? TSL_CASE_LOWER
                  : o->cased   ? TSL_CASE_KEEP
                               : TSL_CASE_AUTO;
    choose("pattern", o->pattern, "r50k\0cl100k\0o200k\0");
    t.pattern = o->pattern;
    t.plain_specials = choose("special-text", o->special_text, "allow\0plain\0");
    t.words = o->words;
    return t;
}

static struct tsl_frame choose_frame(const struct options *o)
{
    struct tsl_frame f;
    const char *name = o->rows ? o->rows : o->nul ? "nul" : "line";
    if (o->rows && o->nul && strcmp(o->rows, "nul") != 0)
        cli_misuse(true, "cannot combine -z with --rows=%s", o->rows);
    if (!tsl_frame_parse(name, &f))
        cli_misuse(true, "invalid --rows: %s (line, nul, para, fixed:BYTES or u32)",
                   tsl_quote(name).s);
    return f;
}

static enum cli_progress_when choose_progress(const struct options *o)
{
    int when = choose("progress", o->progress, "auto\0always\0never\0");
    if (when == 1)
        return CLI_PROGRESS_ALWAYS;
    return when == 2 || o->quiet ? CLI_PROGRESS_NEVER : CLI_PROGRESS_AUTO;
}

static void choose_codec(const struct options *o, enum tsl_codec *codec, int *level)
{
    *codec = o->output ? tsl_codec_by_name(o->output) : TSL_CODEC_NONE;
    *level = 0;
    if (o->compress && !tsl_codec_parse(o->compress, codec, level))
        cli_misuse(true, "invalid --compress: %s (zstd[:1-19], gzip[:1-9] or none)",
                   tsl_quote(o->compress).s);
    if (o->output && o->stats && strcmp(o->output, o->stats) == 0)
        cli_misuse(false, "%s: named for two outputs", tsl_quote(o->stats).s);
}

static unsigned choose_threads(const struct options *o)
{
    return o->nthreads ? (unsigned)(o->nthreads < 256 ? o->nthreads : 256)
                       : tsl_thread_cpus();
}

/* The names in a file, each ended by NUL; lent until the process ends. */
static char **read_names(const char *path, size_t *n, struct tsl_err *err)
{
    struct tsl_source src;
    uint8_t *text = NULL;
    char **names = NULL;
    size_t len = 0, cap = 0, names_cap = 0;
    int rc = tsl_source_open(&src, path, 8 << 20, err);
    *n = 0;
    for (int64_t k = 1; rc == 0 && k > 0; len += rc == 0 ? (size_t)k : 0) {
        rc = tsl_mem_grow(&text, &cap, len + 65536, 1, "file names", err);
        k = rc == 0 ? tsl_source_read(&src, text + len, 65535, err) : 0;
        if (k < 0)
            rc = (int)k;
    }
    for (size_t at = 0; rc == 0 && at < len; at += strlen((char *)text + at) + 1) {
        text[len] = '\0';
        if (!text[at])
            rc = tsl_err_set(err, TSL_EFORMAT, "%s: file name %zu is empty",
                             tsl_quote(path).s, *n + 1);
        if (rc == 0)
            rc = tsl_mem_grow(&names, &names_cap, *n + 2, sizeof *names, "file names",
                              err);
        if (rc == 0) {
            names[(*n)++] = (char *)text + at;
            names[*n] = NULL;
        }
    }
    if (rc == 0)
        rc = tsl_source_close(&src, err);
    else
        tsl_source_close(&src, NULL);
    if (rc == 0 && *n == 0)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: holds no file name", tsl_quote(path).s);
    if (rc == 0)
        return names;
    tsl_mem_free(text);
    tsl_mem_free(names);
    return NULL;
}

static int choose_paths(const struct options *o, char **operands, size_t n,
                        char *const **paths, size_t *npaths, struct tsl_err *err)
{
    static char dash[] = "-", *standard_input[] = { dash, NULL };
    if (o->files0 && n > 0)
        cli_misuse(true, "--files0-from leaves no room for operands");
    *paths = n ? operands : standard_input;
    *npaths = n ? n : 1;
    if (o->files0)
        *paths = read_names(o->files0, npaths, err);
    return *paths ? 0 : TSL_EIO;
}

static void free_paths(const struct options *o, char *const *paths)
{
    if (!o->files0 || !paths)
        return;
    tsl_mem_free(paths[0]); /* all of them are one text */
    tsl_mem_free((void *)(uintptr_t)paths);
}

/* Bytes of memory that the process holds now. */
static size_t held_bytes(void)
{
    unsigned long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%lu %lu", &all, &resident) != 2)
        resident = 0;
    fclose(f);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* keep: bytes that are not UTF-8 are kept where the vocabulary can, unless the options say
 * otherwise. */
static int open_vocabulary(const struct options *o, bool keep, struct tsl_tokenizer **t,
                           struct tsl_err *err)
{
    struct tsl_tokenizer_opts to = tokenizer_opts(o), bytes = to;
    int rc = TSL_EUSAGE;
    bytes.invalid = TSL_INVALID_BYTES;
    if (keep && !o->invalid)
        rc = tsl_tokenizer_open(t, o->vocab, &bytes, NULL);
    if (rc == TSL_EUSAGE)
        rc = tsl_tokenizer_open(t, o->vocab, &to, err);
    else if (rc < 0) /* for its message */
        rc = tsl_tokenizer_open(t, o->vocab, &bytes, err);
    for (size_t i = 0; rc == 0 && !o->quiet && tsl_tokenizer_warning(*t, i); i++)
        cli_warn("%s", tsl_tokenizer_warning(*t, i));
    return rc;
}

static int write_text(const char *path, const char *text, size_t n, struct tsl_err *err)
{
    struct tsl_sink sink;
    struct tsl_sink_opts so = { TSL_CODEC_NONE, 0, NULL, 1 };
    int rc = tsl_sink_open(&sink, strcmp(path, "-") ? path : NULL, false, &so, err);
    if (rc < 0)
        return rc;
    rc = tsl_sink_write(&sink, text, n, err);
    if (rc == 0)
        rc = tsl_sink_done(&sink, err);
    if (rc == 0)
        rc = tsl_sink_commit(&sink, err);
    tsl_sink_close(&sink);
    return rc;
}

/* Adds up the sizes of the inputs, and starts the progress line. */
static int begin(const struct options *o, char *const *paths, size_t npaths,
                 struct tsl_progress *p, enum cli_progress_when when, struct tsl_err *err)
{
    struct tsl_inputs_size size;
    int rc = tsl_inputs_measure(paths, npaths, &size, err);
    if (rc == 0)
        rc = tsl_outfile_check(o->output, err);
    if (rc < 0)
        return rc;
    atomic_store(&p->one_pass, 1);
    if (!size.unknown)
        atomic_store(&p->file_bytes_total, size.plain_bytes + size.packed_bytes);
    cli_progress_start(p, when);
    return 0;
}

/* ---- encode ---- */

static const char *const format_names[] = { "ids", "jsonl", "stream", "u16", "u32" };

static double share(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

static int encode_stats(const char *path, const struct tsl_tokenizer *t,
                        const struct tsl_encodejob_opts *j,
                        const struct tsl_encodejob_stats *st, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    char id[TSL_VOCABID_BYTES];
    int rc = tsl_vocabid_of(t, id, err);
    if (rc < 0)
        return rc;
    tsl_json_open(&w, NULL, '{');
    tsl_json_str(&w, "tool", "ctok encode");
    tsl_json_u64(&w, "schema", 1);
    tsl_json_str(&w, "tokenizer", tsl_tokenizer_engine(t));
    tsl_json_u64(&w, "vocab_size", tsl_tokenizer_size(t));
    tsl_json_str(&w, "vocab_id", id);
    tsl_json_str(&w, "options", j->options);
    tsl_json_str(&w, "output", format_names[j->format]);
    tsl_json_u64(&w, "documents", st->rows);
    tsl_json_u64(&w, "sentences", st->sentences);
    tsl_json_u64(&w, "tokens", st->tokens);
    tsl_json_u64(&w, "text_bytes", st->bytes);
    tsl_json_num(&w, "bytes_per_token", share(st->bytes, st->tokens));
    tsl_json_u64(&w, "unknown_tokens", st->unknown);
    tsl_json_num(&w, "unknown_rate", share(st->unknown, st->tokens));
    tsl_json_u64(&w, "invalid_parts", st->invalid);
    tsl_json_u64(&w, "longest_document", st->longest);
    tsl_json_open(&w, "documents_by_tokens", '[');
    int last = TSL_ENCODE_BUCKETS - 1;
    while (last > 0 && !st->lengths[last])
        last--;
    for (int i = 0; i <= last; i++) {
        tsl_json_open(&w, NULL, '{');
        tsl_json_u64(&w, "from", i ? (uint64_t)1 << (i - 1) : 0);
        tsl_json_u64(&w, "to", i ? ((uint64_t)1 << i) - 1 : 0);
        tsl_json_u64(&w, "documents", st->lengths[i]);
        tsl_json_close(&w, '}');
    }
    tsl_json_close(&w, ']');
    tsl_json_u64(&w, "bytes_out", st->bytes_out);
    tsl_json_u64(&w, "memory_bytes", j->memory);
    tsl_json_u64(&w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(&w, "threads", st->plan.nthreads);
    tsl_json_u64(&w, "batch_bytes", st->plan.batch_bytes);
    tsl_json_num(&w, "seconds", st->seconds);
    tsl_json_close(&w, '}');
    rc = tsl_json_end(&w, err);
    if (rc == 0)
        rc = write_text(path, w.text, w.len, err);
    tsl_json_fini(&w);
    return rc;
}

static int explain_encode(const struct options *o, const struct tsl_tokenizer *t,
                          const struct tsl_encodejob_opts *j, struct tsl_err *err)
{
    struct tsl_encodejob_plan p;
    struct tsl_inputs_size size;
    char a[16], b[16], c[16];
    int rc = tsl_encodejob_plan(j, &p, err);
    if (rc == 0)
        rc = tsl_inputs_measure(j->paths, j->npaths, &size, err);
    if (rc < 0)
        return rc;
    printf("vocabulary   %s: %s, %" PRIu32 " ids\n", tsl_quote(o->vocab).s,
           tsl_tokenizer_engine(t), tsl_tokenizer_size(t));
    printf("options      %s\n", j->options);
    printf("input        %zu file%s, %s plain, %s compressed%s; %s%s\n", j->npaths,
           j->npaths == 1 ? "" : "s", cli_bytes(a, size.plain_bytes),
           cli_bytes(b, size.packed_bytes), size.unknown ? ", and a pipe" : "",
           j->field ? "JSON lines, field " : "rows: ",
           j->field  ? tsl_quote(j->field).s
           : o->rows ? o->rows
           : o->nul  ? "nul"
                     : "line");
    printf("output       %s%s to %s%s\n", format_names[j->format],
           j->blocks || j->codec != TSL_CODEC_NONE ? ", compressed," : "",
           j->output ? tsl_quote(j->output).s : "standard output",
           j->blocks ? " (block by block: documents can be picked)" : "");
    printf("memory       %s: %u batches of %s, %s a thread for its cache\n",
           cli_bytes(a, p.memory), p.nbatches, cli_bytes(b, p.batch_bytes),
           cli_bytes(c, p.coder_bytes));
    printf("             %s held already by program and vocabulary\n",
           cli_bytes(a, j->held));
    printf("threads      %u that encode, one that reads, one that writes\n", p.nthreads);
    if (fflush(stdout) != 0 || ferror(stdout))
        return tsl_err_sys(err, errno, "write error");
    return 0;
}

/* Everything that decides what the ids are, as the stream's header has it. */
static const char *options_text(const struct options *o)
{
    static char text[512];
    snprintf(text, sizeof text,
             "--rules=%s --pattern=%s%s --specials=%s --special-text=%s --invalid=%s%s%s",
             o->rules ? o->rules : "hf", o->pattern ? o->pattern : "auto",
             o->lowercase ? " --lowercase"
             : o->cased   ? " --cased"
                          : "",
             o->pair       ? "add"
             : o->specials ? o->specials
                           : "none",
             o->special_text ? o->special_text : "allow",
             o->invalid ? o->invalid : "replace", o->words ? " --words" : "",
             o->sentences ? " --split-sentences" : "");
    return text;
}

static void choose_encode(struct options *o, struct tsl_encodejob_opts *j)
{
    static char field[512];
    j->format = (enum tsl_encode_format)choose("output", o->format,
                                               "ids\0jsonl\0stream\0u16\0u32\0");
    j->frame = choose_frame(o);
    j->pair = o->pair;
    j->sentences = o->sentences;
    j->specials = choose("specials", o->specials, "none\0add\0") || o->pair;
    j->chars = choose("offset-unit", o->unit, "byte\0char\0");
    if (choose("input", o->input, "rows\0jsonl\0")) {
        if (o->rows || o->nul)
            cli_misuse(true, "JSON Lines are lines: --rows and -z say otherwise");
        snprintf(field, sizeof field, "%s", o->field ? o->field : "text");
        char *comma = strchr(field, ',');
        if (o->pair && (!comma || !o->field))
            cli_misuse(true, "--pair takes two fields: --json-field=A,B");
        if (o->pair) {
            *comma = '\0';
            j->field2 = comma + 1;
        }
        j->field = field;
    } else if (o->field) {
        cli_misuse(true, "--json-field needs --input=jsonl");
    }
    if (o->pair && o->sentences)
        cli_misuse(true, "cannot combine --pair and --split-sentences");
    if (o->pair && o->specials && strcmp(o->specials, "none") == 0)
        cli_misuse(true, "cannot combine --pair and --specials=none");
    if (o->unit && j->format != TSL_ENCODE_JSONL)
        cli_misuse(true, "--offset-unit needs --output=jsonl");
    if (o->pair && j->chars)
        cli_misuse(true, "cannot combine --pair and --offset-unit=char");
    j->output = o->output;
    choose_codec(o, &j->codec, &j->level);
    /* compressed block by block, documents can still be picked */
    if (j->format == TSL_ENCODE_STREAM && o->compress && j->codec == TSL_CODEC_ZSTD) {
        j->blocks = true;
        j->codec = TSL_CODEC_NONE;
    }
    bool binary = j->format >= TSL_ENCODE_STREAM || j->codec != TSL_CODEC_NONE;
    if (binary && !o->output && !o->explain && isatty(STDOUT_FILENO))
        cli_misuse(false, "binary output is nothing for a terminal: -o names a file");
    j->memory = o->memory;
    j->nthreads = choose_threads(o);
    j->options = options_text(o);
    j->made_by = "ctok (teasel) " TSL_VERSION;
}

static void closing_line(uint64_t rows, uint64_t tokens, uint64_t bytes, double seconds)
{
    char a[16], b[16], c[16];
    fprintf(stderr,
            "%s: %" PRIu64 " row%s, %" PRIu64 " tokens, %s of text, %.2f s, %s/s, %s at "
            "most in memory\n",
            cli_name(), rows, rows == 1 ? "" : "s", tokens, cli_bytes(a, bytes), seconds,
            cli_bytes(b, seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0),
            cli_bytes(c, cli_peak_rss()));
}

static int encode(struct options *o, char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_encodejob_opts j = { 0 };
    struct tsl_encodejob_stats st;
    struct tsl_tokenizer *t = NULL;
    struct tsl_progress progress = { 0 };
    choose_encode(o, &j);
    tokenizer_opts(o); /* misuse is told before anything is read */
    enum cli_progress_when when = choose_progress(o);
    int rc = choose_paths(o, operands, n, &j.paths, &j.npaths, err);
    if (rc == 0)
        rc = open_vocabulary(o, false, &t, err);
    j.held = held_bytes();
    j.progress = &progress;
    if (rc == 0 && o->explain) {
        rc = explain_encode(o, t, &j, err);
    } else if (rc == 0) {
        rc = begin(o, j.paths, j.npaths, &progress, when, err);
        if (rc == 0)
            rc = tsl_encodejob_run(&j, t, &st, err);
        cli_progress_stop();
        if (rc == 0 && o->stats)
            rc = encode_stats(o->stats, t, &j, &st, err);
        if (rc == 0 && !o->quiet && (o->verbose || cli_progress_shown()))
            closing_line(st.rows, st.tokens, st.bytes, st.seconds);
    }
    tsl_tokenizer_destroy(t);
    free_paths(o, j.paths);
    return rc;
}

/* ---- decode ---- */

static int decode_stats(const char *path, const struct tsl_decodejob_stats *st,
                        struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    tsl_json_str(&w, "tool", "ctok decode");
    tsl_json_u64(&w, "schema", 1);
    tsl_json_u64(&w, "documents", st->rows);
    tsl_json_u64(&w, "tokens", st->tokens);
    tsl_json_u64(&w, "text_bytes", st->bytes);
    tsl_json_num(&w, "bytes_per_token", share(st->bytes, st->tokens));
    tsl_json_u64(&w, "bytes_out", st->bytes_out);
    tsl_json_u64(&w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(&w, "threads", st->nthreads);
    tsl_json_num(&w, "seconds", st->seconds);
    tsl_json_close(&w, '}');
    int rc = tsl_json_end(&w, err);
    if (rc == 0)
        rc = write_text(path, w.text, w.len, err);
    tsl_json_fini(&w);
    return rc;
}

static int decode(struct options *o, char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_decodejob_opts j = { 0 };
    struct tsl_decodejob_stats st;
    struct tsl_tokenizer *t = NULL;
    struct tsl_progress progress = { 0 };
    j.format = (enum tsl_decode_format)choose("input", o->input,
                                              "ids\0jsonl\0stream\0u16\0u32\0");
    j.json = choose("output", o->format, "rows\0jsonl\0");
    j.frame = choose_frame(o);
    if (j.frame.kind == TSL_FRAME_FIXED)
        cli_misuse(true, "texts have no fixed size: --rows takes line, nul, para or u32");
    if (j.json && (o->rows || o->nul))
        cli_misuse(true, "JSON Lines are lines: --rows and -z say otherwise");
    if (o->invalid && strcmp(o->invalid, "error") == 0)
        cli_misuse(true, "what is decoded is shown as it is: --invalid takes bytes or "
                         "replace");
    if (o->field && j.format != TSL_DECODE_JSONL)
        cli_misuse(true, "--json-field needs --input=jsonl");
    if (o->row_ids && j.format < TSL_DECODE_U16)
        cli_misuse(true, "--row-ids needs --input=u16 or u32");
    j.field = o->field ? o->field : "ids";
    j.row_ids = o->row_ids;
    j.skip_special = o->skip_special;
    j.output = o->output;
    choose_codec(o, &j.codec, &j.level);
    j.memory = o->memory;
    j.nthreads = choose_threads(o);
    tokenizer_opts(o);
    enum cli_progress_when when = choose_progress(o);
    int rc = choose_paths(o, operands, n, &j.paths, &j.npaths, err);
    if (rc == 0)
        rc = open_vocabulary(o, true, &t, err);
    j.held = held_bytes();
    j.progress = &progress;
    if (rc == 0)
        rc = begin(o, j.paths, j.npaths, &progress, when, err);
    if (rc == 0)
        rc = tsl_decodejob_run(&j, t, &st, err);
    cli_progress_stop();
    if (rc == 0 && o->stats)
        rc = decode_stats(o->stats, &st, err);
    if (rc == 0 && !o->quiet && (o->verbose || cli_progress_shown()))
        closing_line(st.rows, st.tokens, st.bytes, st.seconds);
    tsl_tokenizer_destroy(t);
    free_paths(o, j.paths);
    return rc;
}

/* ---- inspect ---- */

enum { PIECE_MAX = 4096 };

struct screen {
    bool color;
    size_t width;
};

/* Columns that a character takes: wide ones of East Asia two, marks that combine none. */
static unsigned columns_of(uint32_t cp)
{
    if ((cp >= 0x300 && cp <= 0x36f) || (cp >= 0x200b && cp <= 0x200f) ||
        (cp >= 0xfe00 && cp <= 0xfe0f) || (cp >= 0x20d0 && cp <= 0x20ff))
        return 0;
    bool wide = (cp >= 0x1100 && cp <= 0x115f) || (cp >= 0x2e80 && cp <= 0x303e) ||
                (cp >= 0x3041 && cp <= 0xa4cf) || (cp >= 0xac00 && cp <= 0xd7a3) ||
                (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0xfe30 && cp <= 0xfe6f) ||
                (cp >= 0xff00 && cp <= 0xff60) || (cp >= 0xffe0 && cp <= 0xffe6) ||
                (cp >= 0x1f300 && cp <= 0x1faff) || (cp >= 0x20000 && cp <= 0x3fffd);
    return wide ? 2 : 1;
}

/* text[0, n) as it may be shown: controls and ill-formed bytes as \n or \xNN.  Returns the
 * columns that it takes; cut with ... beyond room. */
static size_t show(char *out, size_t cap, const uint8_t *text, size_t n, size_t room)
{
    const uint8_t *end = text + n;
    size_t at = 0, columns = 0;
    while (text < end && at + 16 < cap) {
        uint32_t cp;
        size_t k = tsl_utf8_decode(text, end, &cp);
        if (columns + 8 > room) {
            at += (size_t)sprintf(out + at, "...");
            columns += 3;
            break;
        }
        if (cp == '\n' || cp == '\t' || cp == '\r') {
            at += (size_t)sprintf(out + at, "\\%c",
                                  cp == '\n'   ? 'n'
                                  : cp == '\t' ? 't'
                                               : 'r');
            columns += 2;
        } else if (cp == TSL_UTF8_BAD || cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
            for (size_t i = 0; i < k; i++, columns += 4)
                at += (size_t)sprintf(out + at, "\\x%02x", text[i]);
        } else {
            memcpy(out + at, text, k);
            at += k;
            columns += columns_of(cp);
        }
        text += k;
    }
    out[at] = '\0';
    return columns;
}

static size_t spell(const struct tsl_tokenizer *t, uint32_t id, char *out, size_t cap,
                    size_t room)
{
    char raw[PIECE_MAX];
    int n = tsl_tokenizer_spell(t, id, raw, sizeof raw);
    size_t len = n < 0 ? 0 : (size_t)n < sizeof raw ? (size_t)n : sizeof raw - 1;
    return show(out, cap, (const uint8_t *)raw, len, room);
}

static void pad(size_t n)
{
    printf("%*s", (int)n, "");
}

/* The colour of a piece: its kind's, or one of four by turns. */
static const char *paint(unsigned marks, size_t i)
{
    static const char *const turns[] = { "\33[30;48;5;153m", "\33[30;48;5;157m",
                                         "\33[30;48;5;222m", "\33[30;48;5;218m" };
    if (marks & TSL_TOKEN_UNKNOWN)
        return "\33[97;41m";
    if (marks & TSL_TOKEN_SPECIAL)
        return "\33[97;45m";
    return turns[i % 4];
}

/* Pieces above their ids, as many on a line as it holds. */
static void print_pieces(const struct tsl_tokenizer *t, const struct tsl_tokens *k,
                         const struct screen *s)
{
    char piece[2 * PIECE_MAX], id[16];
    for (size_t from = 0, to; from < k->n; from = to) {
        size_t used = 0;
        for (to = from; to < k->n; to++) {
            size_t w = spell(t, k->ids[to], piece, sizeof piece, s->width);
            size_t d = (size_t)snprintf(id, sizeof id, "%" PRIu32, k->ids[to]);
            w = (w > d ? w : d) + 2;
            if (to > from && used + w > s->width)
                break;
            used += w;
        }
        for (int line = 0; line < 2; line++) {
            for (size_t i = from; i < to; i++) {
                size_t w = spell(t, k->ids[i], piece, sizeof piece, s->width);
                size_t d = (size_t)snprintf(id, sizeof id, "%" PRIu32, k->ids[i]);
                size_t wide = w > d ? w : d;
                bool ends = i + 1 == to;
                if (line == 0 && s->color)
                    printf("%s%s\33[0m", paint(k->marks[i], i), piece);
                else
                    printf("%s", line == 0 ? piece : id);
                if (!ends)
                    pad(wide + 2 - (line == 0 ? w : d));
            }
            printf("\n");
        }
        if (to < k->n)
            printf("\n");
    }
}

static int inspect_text(const struct options *o, const struct tsl_tokenizer *t,
                        struct tsl_coder *c, struct tsl_slice text,
                        const struct screen *s, struct tsl_err *err)
{
    struct tsl_tokens k, wrapped;
    size_t used, words = 0, unknown = 0, chars = 0;
    tsl_tokens_init(&k, TSL_WANT_MARKS | TSL_WANT_SPANS);
    tsl_tokens_init(&wrapped, TSL_WANT_MARKS | TSL_WANT_SPANS);
    int rc = tsl_coder_encode(c, text, true, true, &used, &k, err);
    for (size_t i = 0; i < k.n && rc == 0; i++) {
        words += !!(k.marks[i] & TSL_TOKEN_WORD_START);
        unknown += !!(k.marks[i] & TSL_TOKEN_UNKNOWN);
    }
    bool add = o->specials && strcmp(o->specials, "add") == 0;
    if (rc == 0 && add)
        rc = tsl_coder_wrap(c, &k, NULL, &wrapped, NULL, NULL, err);
    if (rc == 0) {
        uint32_t cp;
        for (size_t i = 0; i < text.len; chars++)
            i += tsl_utf8_decode(text.data + i, text.data + text.len, &cp);
        const struct tsl_tokens *all = add ? &wrapped : &k;
        print_pieces(t, all, s);
        printf("%s%zu token%s, %zu word%s, %zu character%s, %zu byte%s",
               all->n ? "\n" : "", all->n, all->n == 1 ? "" : "s", words,
               words == 1 ? "" : "s", chars, chars == 1 ? "" : "s", text.len,
               text.len == 1 ? "" : "s");
        if (k.n)
            printf(": %.3g bytes a token", (double)text.len / (double)k.n);
        printf(unknown ? "; %zu unknown\n" : "\n", unknown);
    }
    tsl_tokens_fini(&k);
    tsl_tokens_fini(&wrapped);
    return rc;
}

static void print_special(const struct tsl_tokenizer *t, const char *use, int64_t id,
                          bool *any)
{
    char piece[512];
    if (id < 0)
        return;
    spell(t, (uint32_t)id, piece, sizeof piece, 60);
    printf("%s %s %s %" PRId64 "\n", *any ? "            " : "special     ", use, piece,
           id);
    *any = true;
}

/* Which bytes have a token of their own, so that no text is without one? */
static unsigned bytes_covered(const struct tsl_tokenizer *t, struct tsl_coder *c)
{
    bool covered[256] = { false };
    uint8_t *text = NULL;
    size_t cap = 0, len;
    unsigned n = 0, byte;
    for (uint32_t id = 0; id < tsl_tokenizer_size(t); id++) {
        char raw[PIECE_MAX];
        char end;
        int k = tsl_tokenizer_spell(t, id, raw, sizeof raw);
        if (k == 6 && sscanf(raw, "<0x%2X>%c", &byte, &end) == 1)
            covered[byte & 0xff] = true;
        len = 0;
        if (k > 0 && k <= 8 &&
            tsl_coder_decode(c, &id, 1, false, &text, &len, &cap, NULL) == 0 && len == 1)
            covered[text[0]] = true;
    }
    for (int i = 0; i < 256; i++)
        n += covered[i];
    tsl_mem_free(text);
    return n;
}

enum { LENGTHS = 12, EXAMPLES = 5 };

static void print_lengths(const struct tsl_tokenizer *t)
{
    struct {
        uint32_t n, ids[EXAMPLES], nids;
    } by[LENGTHS] = { { 0 } };
    uint32_t longest = 0, size = tsl_tokenizer_size(t);
    size_t longest_len = 0;
    char raw[PIECE_MAX], piece[512];
    for (uint32_t id = 0; id < size; id++) {
        int len = tsl_tokenizer_spell(t, id, raw, sizeof raw);
        if (len < 0)
            continue;
        unsigned b = len ? 32 - (unsigned)__builtin_clz((unsigned)len) : 0;
        b = b < LENGTHS ? b : LENGTHS - 1;
        by[b].n++;
        if ((size_t)len > longest_len) {
            longest_len = (size_t)len;
            longest = id;
        }
        /* spread over the ids: a token takes a place when the count has doubled since */
        if (by[b].nids < EXAMPLES && (by[b].n & (by[b].n - 1)) == 0)
            by[b].ids[by[b].nids++] = id;
    }
    if (longest_len) {
        spell(t, longest, piece, sizeof piece, 50);
        printf("longest      %zu bytes: %s %" PRIu32 "\n", longest_len, piece, longest);
    }
    printf("\n      bytes    tokens  for example\n");
    for (unsigned b = 0; b < LENGTHS; b++) {
        char range[32];
        if (!by[b].n)
            continue;
        if (b < 2)
            snprintf(range, sizeof range, "%u", b);
        else
            snprintf(range, sizeof range, "%u-%u", 1U << (b - 1), (1U << b) - 1);
        printf("%11s %9" PRIu32 " ", range, by[b].n);
        for (uint32_t i = 0; i < by[b].nids; i++) {
            spell(t, by[b].ids[i], piece, sizeof piece, 24);
            printf(" %s", piece);
        }
        printf("\n");
    }
}

static int inspect_vocabulary(const struct options *o, const struct tsl_tokenizer *t,
                              struct tsl_coder *c, struct tsl_err *err)
{
    static const char *const kinds[] = {
        "BERT's vocab.txt", "GPT-2's vocab.json + merges.txt", "tiktoken's ranks",
        "Hugging Face's tokenizer.json", "SentencePiece's model"
    };
    static const char *const uses[] = { "pad ", "unk ", "cls ", "sep ",
                                        "mask", "bos ", "eos " };
    struct tsl_specials s = tsl_tokenizer_specials(t);
    const int64_t ids[] = { s.pad, s.unk, s.cls, s.sep, s.mask, s.bos, s.eos };
    const struct tsl_vocab *v = tsl_tokenizer_vocab(t);
    char id[TSL_VOCABID_BYTES], raw[PIECE_MAX];
    bool any = false;
    uint32_t size = tsl_tokenizer_size(t), holes = 0;
    int rc = tsl_vocabid_of(t, id, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < size; i++)
        holes += tsl_tokenizer_spell(t, i, raw, sizeof raw) < 0;
    printf("vocabulary   %s\n", tsl_quote(o->vocab).s);
    printf("kind         %s; engine %s\n", kinds[tsl_tokenizer_kind(t)],
           tsl_tokenizer_engine(t));
    printf("ids          %" PRIu32, size);
    if (holes)
        printf(", %" PRIu32 " without a token", holes);
    if (tsl_vocab_duplicates(v))
        printf(", %zu whose token another one has, too", tsl_vocab_duplicates(v));
    printf("; %s bytes each\nvocab_id     %s\n", size <= 65536 ? "2" : "4", id);
    for (int i = 0; i < 7; i++)
        print_special(t, uses[i], ids[i], &any);
    unsigned covered = bytes_covered(t, c);
    if (covered == 256)
        printf("bytes        each of the 256 has a token: no text is unknown\n");
    else
        printf("bytes        %u of 256 have a token of their own\n", covered);
    print_lengths(t);
    return 0;
}

/* Lines of standard input, each a text. */
static int inspect_stdin(const struct options *o, const struct tsl_tokenizer *t,
                         struct tsl_coder *c, const struct screen *s, struct tsl_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    bool first = true;
    while (rc == 0 && (n = getline(&line, &cap, stdin)) >= 0) {
        n -= n > 0 && line[n - 1] == '\n';
        if (!first)
            printf("\n");
        first = false;
        rc = inspect_text(o, t, c, (struct tsl_slice){ (uint8_t *)line, (size_t)n }, s,
                          err);
    }
    if (rc == 0 && ferror(stdin))
        rc = tsl_err_sys(err, errno, "cannot read standard input");
    tsl_mem_free(line);
    return rc;
}

static struct screen choose_screen(const struct options *o)
{
    struct screen s = { false, 80 };
    struct winsize w;
    int when = choose("color", o->color, "auto\0always\0never\0");
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    bool terminal = isatty(STDOUT_FILENO);
    if (terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20)
        s.width = w.ws_col;
    s.color = when == 1 || (when == 0 && terminal && !(no && *no) &&
                            !(term && strcmp(term, "dumb") == 0));
    return s;
}

static int inspect(struct options *o, char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_tokenizer *t = NULL;
    struct tsl_coder *c = NULL;
    struct screen s = choose_screen(o);
    choose("specials", o->specials, "none\0add\0");
    int rc = open_vocabulary(o, n == 0, &t, err);
    if (rc == 0) {
        c = tsl_coder_create(t, 4 << 20, err);
        rc = c ? 0 : TSL_ENOMEM;
    }
    if (rc == 0 && n == 0)
        rc = inspect_vocabulary(o, t, c, err);
    for (size_t i = 0; i < n && rc == 0; i++) {
        struct tsl_slice text = { (const uint8_t *)operands[i], strlen(operands[i]) };
        if (i > 0)
            printf("\n");
        rc = strcmp(operands[i], "-") == 0 ? inspect_stdin(o, t, c, &s, err)
                                           : inspect_text(o, t, c, text, &s, err);
    }
    if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout)))
        rc = tsl_err_sys(err, errno, "write error");
    tsl_coder_destroy(c);
    tsl_tokenizer_destroy(t);
    return rc;
}

/* ---- the commands ---- */

static const struct command {
    const char *name, *usage, *summary, *examples;
    const struct cli_opt *opts;
    int (*run)(struct options *o, char **operands, size_t n, struct tsl_err *err);
} commands[] = {
    { "encode", "-V VOCAB [OPTION]... [FILE]...",
      "Turn texts into token ids, as the tool that VOCAB was made for does.",
      encode_examples, encode_opts, encode },
    { "decode", "-V VOCAB [OPTION]... [FILE]...", "Turn token ids back into text.",
      decode_examples, decode_opts, decode },
    { "inspect", "-V VOCAB [OPTION]... [TEXT]...",
      "Show how each TEXT is cut (-: lines of standard input); without TEXT, tell what\n"
      "VOCAB holds.",
      inspect_examples, inspect_opts, inspect },
};

enum { NCOMMANDS = sizeof commands / sizeof *commands, OPTS_MAX = 200 };

static bool same_option(const struct cli_opt *a, const struct cli_opt *b)
{
    return a->letter == b->letter &&
           (a->name == b->name || (a->name && b->name && strcmp(a->name, b->name) == 0));
}

/* `ctok --help` has the options of all commands, each where it comes first. */
static const struct cli_opt *all_options(void)
{
    static struct cli_opt all[OPTS_MAX];
    static char titles[NCOMMANDS][80];
    size_t n = 0;
    for (size_t c = 0; c < NCOMMANDS; c++) {
        size_t before = n;
        snprintf(titles[c], sizeof titles[c], "ctok %s%s", commands[c].name,
                 c ? ", beside or instead of these:" : ":");
        all[n++] = (struct cli_opt){ .kind = CLI_TEXT, .help = titles[c] };
        for (const struct cli_opt *o = commands[c].opts; o->letter || o->name || o->help;
             o++) {
            bool known = o->kind == CLI_TEXT;
            for (size_t i = 0; i < before && !known; i++)
                known = same_option(&all[i], o) && strcmp(all[i].help, o->help) == 0;
            if (!known && n < OPTS_MAX - 1)
                all[n++] = *o;
        }
    }
    return all;
}

static const char top_usage[] = "COMMAND -V VOCAB [OPTION]... [FILE]...";
static const char top_summary[] =
    "Text into token ids, exactly as the tool that a vocabulary was made for, and back.\n"
    "\n"
    "Commands (each has a --help of its own):\n"
    "  encode                      texts into ids\n"
    "  decode                      ids into texts\n"
    "  inspect                     how a text is cut; what a vocabulary holds";

int main(int argc, char **argv)
{
    static char called[64], epilog[4096];
    struct tsl_err err = { 0 };
    size_t n;
    tsl_file_guard_std();
    const struct command *c = NULL;
    for (size_t i = 0; argc > 1 && i < NCOMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            c = &commands[i];
    struct cli_tool tool = { .name = "ctok",
                             .usage = c ? c->usage : top_usage,
                             .summary = c ? c->summary : top_summary,
                             .epilog = epilog,
                             .opts = c ? c->opts : all_options(),
                             .memory = cli_memory() };
    snprintf(epilog, sizeof epilog, "%s%s", c && c->run == inspect ? "" : common_notes,
             c ? c->examples : all_examples);
    given.memory = tool.memory / 4;
    if (!c) {
        char **operands = cli_parse(&tool, argc, argv, &n);
        if (n > 0)
            cli_misuse(true, "no command is called %s; the command comes first",
                       tsl_quote(operands[0]).s);
        cli_misuse(true, "which command? encode, decode or inspect");
    }
    const char *slash = strrchr(argv[0], '/');
    snprintf(called, sizeof called, "%.40s %s", slash ? slash + 1 : argv[0], c->name);
    argv[1] = called; /* messages name the command, too */
    char **operands = cli_parse(&tool, argc - 1, argv + 1, &n);
    return cli_finish(c->run(&given, operands, n, &err), &err);
}

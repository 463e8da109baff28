/* ctok_encode.c - `ctok encode`: texts into ids. */
#include "ctok.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "base/quote.h"
#include "text/encodejob.h"
#include "text/vocabid.h"

static struct {
    bool sentences, pair;
    const char *unit;
} given;

static const struct cli_opt opts[] = {
    CTOK_VOCABULARY,
    CTOK_OPT(0, "invalid", "HOW", CLI_STR, &ctok_given.invalid,
             "bytes that are not UTF-8: replace (by U+FFFD, the\n"
             "default), error, or bytes (kept; byte-level models)"),
    CTOK_INPUT,
    CTOK_OPT(0, "json-field", "NAME", CLI_STR, &ctok_given.field,
             "of --input=jsonl: text, or a.b for b in a; A,B for a pair"),
    CTOK_OPT(0, "split-sentences", NULL, CLI_FLAG, &given.sentences,
             "cut each text behind 。！？!?. and newlines; nothing is\ndropped"),
    CTOK_OPT(0, "pair", NULL, CLI_FLAG, &given.pair,
             "a row is two texts with a tab between them; adds specials"),
    CTOK_FILES0,
    CTOK_OUTPUT,
    CTOK_OPT(0, "output", "FORMAT", CLI_STR, &ctok_given.format,
             "ids (numbers, a row a line, the default), jsonl (ids,\n"
             "tokens, offsets), stream (for cmask and cshard), u16, u32"),
    CTOK_OPT(0, "specials", "HOW", CLI_STR, &ctok_given.specials,
             "none (the default), or add what the vocabulary puts\naround a text ([CLS], "
             "[SEP])"),
    CTOK_OPT(0, "offset-unit", "UNIT", CLI_STR, &given.unit,
             "of jsonl: byte (the default) or char"),
    CTOK_COMPRESS,
    CTOK_RESOURCES,
    CTOK_TELLING,
    CTOK_EXPLAIN,
    { 0 },
};

static const char examples[] =
    "Examples:\n"
    "  ctok encode -V bert-base-uncased/vocab.txt corpus.txt.zst -o corpus.ids.zst\n"
    "      a line of ids for each line of text\n"
    "  ctok encode -V zh/vocab.txt --input=jsonl --json-field=text --split-sentences \\\n"
    "      --output=stream -o corpus.tok --stats=stats.json part-*.jsonl.gz\n"
    "      documents with their sentences and word starts, for cmask and cshard\n";

static const char *const format_names[] = { "ids", "jsonl", "stream", "u16", "u32" };

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
    tsl_json_num(&w, "bytes_per_token", ctok_share(st->bytes, st->tokens));
    tsl_json_u64(&w, "unknown_tokens", st->unknown);
    tsl_json_num(&w, "unknown_rate", ctok_share(st->unknown, st->tokens));
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
    return cli_write_json(path, &w, err);
}

static int explain_encode(const struct tsl_tokenizer *t,
                          const struct tsl_encodejob_opts *j, struct tsl_err *err)
{
    struct tsl_encodejob_plan p;
    char a[16], b[16], c[16];
    int rc = tsl_encodejob_plan(j, &p, err);
    if (rc < 0)
        return rc;
    printf("vocabulary   %s: %s, %" PRIu32 " ids\n",
           tsl_quote(ctok_given.vocabulary.vocab).s, tsl_tokenizer_engine(t),
           tsl_tokenizer_size(t));
    printf("options      %s\n", j->options);
    rc = ctok_explain_input(j->paths, j->npaths, j->field, err);
    if (rc < 0)
        return rc;
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
static const char *options_text(void)
{
    static char text[512];
    snprintf(text, sizeof text,
             "--rules=%s --pattern=%s%s --specials=%s --special-text=%s --invalid=%s%s%s",
             ctok_given.vocabulary.rules ? ctok_given.vocabulary.rules : "hf",
             ctok_given.vocabulary.pattern ? ctok_given.vocabulary.pattern : "auto",
             ctok_given.vocabulary.lowercase ? " --lowercase"
             : ctok_given.vocabulary.cased   ? " --cased"
                                             : "",
             given.pair            ? "add"
             : ctok_given.specials ? ctok_given.specials
                                   : "none",
             ctok_given.special_text ? ctok_given.special_text : "allow",
             ctok_given.invalid ? ctok_given.invalid : "replace",
             ctok_given.words ? " --words" : "",
             given.sentences ? " --split-sentences" : "");
    return text;
}

static void choose_encode(struct tsl_encodejob_opts *j)
{
    static char field[512];
    j->format = (enum tsl_encode_format)cli_choose("output", ctok_given.format,
                                                   "ids\0jsonl\0stream\0u16\0u32\0");
    j->frame = ctok_frame();
    j->pair = given.pair;
    j->sentences = given.sentences;
    j->specials =
        cli_choose("specials", ctok_given.specials, "none\0add\0") || given.pair;
    j->chars = cli_choose("offset-unit", given.unit, "byte\0char\0");
    j->field = ctok_field();
    if (j->field && given.pair) {
        snprintf(field, sizeof field, "%s", j->field);
        char *comma = strchr(field, ',');
        if (!comma || !ctok_given.field)
            cli_misuse(true, "--pair takes two fields: --json-field=A,B");
        *comma = '\0';
        j->field = field;
        j->field2 = comma + 1;
    }
    if (given.pair && given.sentences)
        cli_misuse(true, "cannot combine --pair and --split-sentences");
    if (given.pair && ctok_given.specials && strcmp(ctok_given.specials, "none") == 0)
        cli_misuse(true, "cannot combine --pair and --specials=none");
    if (given.unit && j->format != TSL_ENCODE_JSONL)
        cli_misuse(true, "--offset-unit needs --output=jsonl");
    if (given.pair && j->chars)
        cli_misuse(true, "cannot combine --pair and --offset-unit=char");
    j->output = ctok_given.output;
    ctok_codec(&j->codec, &j->level);
    /* compressed block by block, documents can still be picked */
    if (j->format == TSL_ENCODE_STREAM && ctok_given.compress &&
        j->codec == TSL_CODEC_ZSTD) {
        j->blocks = true;
        j->codec = TSL_CODEC_NONE;
    }
    bool binary = j->format >= TSL_ENCODE_STREAM || j->codec != TSL_CODEC_NONE;
    if (binary && !ctok_given.output && !ctok_given.explain && isatty(STDOUT_FILENO))
        cli_misuse(false, "binary output is nothing for a terminal: -o names a file");
    j->memory = ctok_given.memory;
    j->nthreads = ctok_threads();
    j->options = options_text();
    j->made_by = "ctok (teasel) " TSL_VERSION;
}

static int encode(char **operands, size_t n, struct tsl_err *err)
{
    const char *dir = getenv("TMPDIR");
    struct tsl_encodejob_opts j = { .tmpdir = dir && *dir ? dir : "/tmp" };
    struct tsl_encodejob_stats st;
    struct tsl_tokenizer *t = NULL;
    struct tsl_progress progress = { 0 };
    choose_encode(&j);
    ctok_tokenizer_opts(); /* misuse is told before anything is read */
    enum cli_progress_when when = ctok_progress_when();
    int rc = ctok_paths(operands, n, &j.paths, &j.npaths, err);
    if (rc == 0)
        rc = ctok_open(false, &t, err);
    j.held = ctok_held_bytes();
    j.progress = &progress;
    if (rc == 0 && ctok_given.explain) {
        rc = explain_encode(t, &j, err);
    } else if (rc == 0) {
        rc = ctok_begin(j.paths, j.npaths, j.output, &progress, when, err);
        if (rc == 0)
            rc = tsl_encodejob_run(&j, t, &st, err);
        cli_progress_stop();
        if (rc == 0 && ctok_given.stats)
            rc = encode_stats(ctok_given.stats, t, &j, &st, err);
        if (rc == 0 && ctok_closes())
            ctok_closing_line(st.rows, st.tokens, st.bytes, st.seconds);
    }
    tsl_tokenizer_destroy(t);
    ctok_free_paths(j.paths);
    return rc;
}

const struct ctok_command ctok_encode = {
    .name = "encode",
    .usage = "-V VOCAB [OPTION]... [FILE]...",
    .summary = "Turn texts into token ids, as the tool that VOCAB was made for does.",
    .notes = ctok_notes,
    .examples = examples,
    .opts = opts,
    .run = encode,
};

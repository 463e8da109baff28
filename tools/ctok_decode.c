/* ctok_decode.c - `ctok decode`: ids into texts. */
#include "ctok.h"

#include <string.h>

#include "base/json.h"
#include "text/decodejob.h"

static struct {
    uint64_t row_ids;
    bool skip_special;
} given;

static const struct cli_opt opts[] = {
    CTOK_VOCABULARY,
    CTOK_OPT(0, "invalid", "HOW", CLI_STR, &ctok_given.invalid,
             "bytes that are not UTF-8: bytes (kept, the default where\n"
             "tokens are of bytes), or replace"),
    CTOK_HEADING("Input:"),
    CTOK_OPT(0, "input", "KIND", CLI_STR, &ctok_given.input,
             "ids (lines of numbers, the default), jsonl, stream, u16,\nu32"),
    CTOK_OPT(0, "json-field", "NAME", CLI_STR, &ctok_given.field,
             "of --input=jsonl: where the array is; default: ids"),
    CTOK_OPT(0, "row-ids", "N", CLI_COUNT, &given.row_ids,
             "of u16 and u32: a row is N ids; default: a file"),
    CTOK_FILES0,
    CTOK_OUTPUT,
    CTOK_OPT(0, "output", "FORMAT", CLI_STR, &ctok_given.format,
             "rows (the default), or jsonl: {\"text\":...} lines"),
    CTOK_OPT(0, "rows", "KIND", CLI_STR, &ctok_given.rows,
             "a text is written as a line, nul, para or u32"),
    CTOK_ZERO,
    CTOK_OPT(0, "skip-specials", NULL, CLI_FLAG, &given.skip_special,
             "leave special tokens out of the text"),
    CTOK_COMPRESS,
    CTOK_RESOURCES,
    CTOK_TELLING,
    { 0 },
};

static const char examples[] =
    "Examples:\n"
    "  ctok encode -V gpt2 --rows=u32 book | ctok decode -V gpt2 --rows=u32 | cmp - "
    "book\n"
    "      byte-level vocabularies give every byte back\n"
    "  ctok decode -V bert-base-uncased --input=stream --skip-specials corpus.tok | "
    "head\n"
    "      what a stream of ids says\n";

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
    tsl_json_num(&w, "bytes_per_token", ctok_share(st->bytes, st->tokens));
    tsl_json_u64(&w, "bytes_out", st->bytes_out);
    tsl_json_u64(&w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(&w, "threads", st->nthreads);
    tsl_json_num(&w, "seconds", st->seconds);
    tsl_json_close(&w, '}');
    return cli_write_json(path, &w, err);
}

static int decode(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_decodejob_opts j = { 0 };
    struct tsl_decodejob_stats st;
    struct tsl_tokenizer *t = NULL;
    struct tsl_progress progress = { 0 };
    j.format = (enum tsl_decode_format)cli_choose("input", ctok_given.input,
                                                  "ids\0jsonl\0stream\0u16\0u32\0");
    j.json = cli_choose("output", ctok_given.format, "rows\0jsonl\0");
    j.frame = ctok_frame();
    if (j.frame.kind == TSL_FRAME_FIXED)
        cli_misuse(true, "texts have no fixed size: --rows takes line, nul, para or u32");
    if (j.json && (ctok_given.rows || ctok_given.nul))
        cli_misuse(true, "JSON Lines are lines: --rows and -z say otherwise");
    if (ctok_given.invalid && strcmp(ctok_given.invalid, "error") == 0)
        cli_misuse(true, "what is decoded is shown as it is: --invalid takes bytes or "
                         "replace");
    if (ctok_given.field && j.format != TSL_DECODE_JSONL)
        cli_misuse(true, "--json-field needs --input=jsonl");
    if (given.row_ids && j.format < TSL_DECODE_U16)
        cli_misuse(true, "--row-ids needs --input=u16 or u32");
    j.field = ctok_given.field ? ctok_given.field : "ids";
    j.row_ids = given.row_ids;
    j.skip_special = given.skip_special;
    j.output = ctok_given.output;
    ctok_codec(&j.codec, &j.level);
    j.memory = ctok_given.memory;
    j.nthreads = ctok_threads();
    ctok_tokenizer_opts();
    enum cli_progress_when when = ctok_progress_when();
    int rc = ctok_paths(operands, n, &j.paths, &j.npaths, err);
    if (rc == 0)
        rc = ctok_open(true, &t, err);
    j.held = ctok_held_bytes();
    j.progress = &progress;
    if (rc == 0)
        rc = ctok_begin(j.paths, j.npaths, j.output, &progress, when, err);
    if (rc == 0)
        rc = tsl_decodejob_run(&j, t, &st, err);
    cli_progress_stop();
    if (rc == 0 && ctok_given.stats)
        rc = decode_stats(ctok_given.stats, &st, err);
    if (rc == 0 && ctok_closes())
        ctok_closing_line(st.rows, st.tokens, st.bytes, st.seconds);
    tsl_tokenizer_destroy(t);
    ctok_free_paths(j.paths);
    return rc;
}

const struct ctok_command ctok_decode = {
    .name = "decode",
    .usage = "-V VOCAB [OPTION]... [FILE]...",
    .summary = "Turn token ids back into text.",
    .notes = ctok_notes,
    .examples = examples,
    .opts = opts,
    .run = decode,
};

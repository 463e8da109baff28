#include "ctok.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/quote.h"
#include "io/inputs.h"
#include "par/thread.h"

struct ctok_options ctok_given;

struct tsl_tokenizer_opts ctok_tokenizer_opts(void)
{
    struct tsl_tokenizer_opts t = cli_vocab_opts(&ctok_given.vocabulary);
    t.invalid = (enum tsl_invalid)cli_choose("invalid", ctok_given.invalid,
                                             "replace\0error\0bytes\0");
    t.plain_specials =
        cli_choose("special-text", ctok_given.special_text, "allow\0plain\0");
    t.words = ctok_given.words;
    return t;
}

struct tsl_frame ctok_frame(void)
{
    struct tsl_frame f;
    const char *name = ctok_given.rows  ? ctok_given.rows
                       : ctok_given.nul ? "nul"
                                        : "line";
    if (ctok_given.rows && ctok_given.nul && strcmp(ctok_given.rows, "nul") != 0)
        cli_misuse(true, "cannot combine -z with --rows=%s", ctok_given.rows);
    if (!tsl_frame_parse(name, &f))
        cli_misuse(true, "invalid --rows: %s (line, nul, para, fixed:BYTES or u32)",
                   tsl_quote(name).s);
    return f;
}

const char *ctok_field(void)
{
    if (cli_choose("input", ctok_given.input, "rows\0jsonl\0")) {
        if (ctok_given.rows || ctok_given.nul)
            cli_misuse(true, "JSON Lines are lines: --rows and -z say otherwise");
        return ctok_given.field ? ctok_given.field : "text";
    }
    if (ctok_given.field)
        cli_misuse(true, "--json-field needs --input=jsonl");
    return NULL;
}

enum cli_progress_when ctok_progress_when(void)
{
    return cli_progress_told(ctok_given.progress, ctok_given.quiet);
}

void ctok_codec(enum tsl_codec *codec, int *level)
{
    *codec = ctok_given.output ? tsl_codec_by_name(ctok_given.output) : TSL_CODEC_NONE;
    *level = 0;
    if (ctok_given.compress && !tsl_codec_parse(ctok_given.compress, codec, level))
        cli_misuse(true, "invalid --compress: %s (zstd[:1-19], gzip[:1-9] or none)",
                   tsl_quote(ctok_given.compress).s);
    if (ctok_given.output && ctok_given.stats &&
        strcmp(ctok_given.output, ctok_given.stats) == 0)
        cli_misuse(false, "%s: named for two outputs", tsl_quote(ctok_given.stats).s);
}

unsigned ctok_threads(void)
{
    return cli_threads(ctok_given.nthreads);
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

int ctok_paths(char **operands, size_t n, char *const **paths, size_t *npaths,
               struct tsl_err *err)
{
    static char dash[] = "-", *standard_input[] = { dash, NULL };
    if (ctok_given.files0 && n > 0)
        cli_misuse(true, "--files0-from leaves no room for operands");
    *paths = n ? operands : standard_input;
    *npaths = n ? n : 1;
    if (ctok_given.files0)
        *paths = read_names(ctok_given.files0, npaths, err);
    return *paths ? 0 : TSL_EIO;
}

void ctok_free_paths(char *const *paths)
{
    if (!ctok_given.files0 || !paths)
        return;
    tsl_mem_free(paths[0]); /* all of them are one text */
    tsl_mem_free((void *)(uintptr_t)paths);
}

size_t ctok_held_bytes(void)
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

int ctok_open(bool keep, struct tsl_tokenizer **t, struct tsl_err *err)
{
    struct tsl_tokenizer_opts to = ctok_tokenizer_opts(), bytes = to;
    int rc = TSL_EUSAGE;
    bytes.invalid = TSL_INVALID_BYTES;
    if (keep && !ctok_given.invalid)
        rc = tsl_tokenizer_open(t, ctok_given.vocabulary.vocab, &bytes, NULL);
    if (rc == TSL_EUSAGE)
        rc = tsl_tokenizer_open(t, ctok_given.vocabulary.vocab, &to, err);
    else if (rc < 0) /* for its message */
        rc = tsl_tokenizer_open(t, ctok_given.vocabulary.vocab, &bytes, err);
    for (size_t i = 0; rc == 0 && !ctok_given.quiet && tsl_tokenizer_warning(*t, i); i++)
        cli_warn("%s", tsl_tokenizer_warning(*t, i));
    return rc;
}

int ctok_begin(char *const *paths, size_t npaths, const char *output,
               struct tsl_progress *p, enum cli_progress_when when, struct tsl_err *err)
{
    struct tsl_inputs_size size;
    int rc = tsl_inputs_measure(paths, npaths, &size, err);
    if (rc == 0)
        rc = tsl_outfile_check(output, err);
    if (rc < 0)
        return rc;
    atomic_store(&p->one_pass, 1);
    if (!size.unknown)
        atomic_store(&p->file_bytes_total, size.plain_bytes + size.packed_bytes);
    cli_progress_start(p, when);
    return 0;
}

bool ctok_closes(void)
{
    return !ctok_given.quiet && (ctok_given.verbose || cli_progress_shown());
}

int ctok_explain_input(char *const *paths, size_t npaths, const char *field,
                       struct tsl_err *err)
{
    struct tsl_inputs_size size;
    char a[16], b[16];
    int rc = tsl_inputs_measure(paths, npaths, &size, err);
    if (rc < 0)
        return rc;
    printf("input        %zu file%s, %s plain, %s compressed%s; %s%s\n", npaths,
           npaths == 1 ? "" : "s", cli_bytes(a, size.plain_bytes),
           cli_bytes(b, size.packed_bytes), size.unknown ? ", and a pipe" : "",
           field ? "JSON lines, field " : "rows: ",
           field             ? tsl_quote(field).s
           : ctok_given.rows ? ctok_given.rows
           : ctok_given.nul  ? "nul"
                             : "line");
    return 0;
}

void ctok_closing_line(uint64_t rows, uint64_t tokens, uint64_t bytes, double seconds)
{
    char a[16], b[16], c[16];
    fprintf(stderr,
            "%s: %" PRIu64 " row%s, %" PRIu64 " tokens, %s of text, %.2f s, %s/s, %s at "
            "most in memory\n",
            cli_name(), rows, rows == 1 ? "" : "s", tokens, cli_bytes(a, bytes), seconds,
            cli_bytes(b, seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0),
            cli_bytes(c, cli_peak_rss()));
}

/* ctok.h - what the commands of ctok share: options, what they say, and how runs begin and
 * end.
 *
 * Each command is a file, ctok_NAME.c, with one struct ctok_command; ctok.c has the list.
 * Threads: main's only. */
#ifndef TSL_CTOK_H
#define TSL_CTOK_H

#include "base/json.h"
#include "cli.h"
#include "cli_progress.h"
#include "cli_run.h"
#include "cli_vocab.h"
#include "io/sink.h"
#include "text/tokenizer.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

struct ctok_command {
    const char *name, *usage, *summary, *notes,
        *examples; /* notes: lines above examples */
    const struct cli_opt *opts;
    int (*run)(char **operands, size_t n, struct tsl_err *err);
};

extern const struct ctok_command ctok_encode, ctok_decode, ctok_inspect, ctok_count,
    ctok_train;

/* What the command line says, as far as more than one command asks for it. */
struct ctok_options {
    struct cli_vocab vocabulary;
    const char *invalid, *special_text, *words;
    const char *rows, *input, *field, *files0;
    bool nul;
    const char *specials, *format, *output, *compress;
    uint64_t memory, nthreads;
    bool quiet, verbose, explain;
    const char *stats, *progress;
};

extern struct ctok_options ctok_given;

/* What --help says below the options of commands that read files. */
extern const char ctok_notes[];

/* ---- options that several commands have ---- */

#define CTOK_OPT(letter, name, arg, kind, to, help)                                      \
    {                                                                                    \
        letter, name, arg, kind, to, help, NULL, false                                   \
    }
#define CTOK_HEADING(text)                                                               \
    {                                                                                    \
        .kind = CLI_TEXT, .help = text                                                   \
    }

#define CTOK_VOCABULARY                                                                  \
    CTOK_HEADING("The vocabulary:"), CLI_VOCAB(ctok_given.vocabulary),                   \
        CTOK_OPT(0, "words", "FILE", CLI_STR, &ctok_given.words,                         \
                 "words, one a line, perhaps with counts, whose tokens\n"                \
                 "make one word (Chinese whole-word masking)"),                          \
        CTOK_OPT(0, "special-text", "HOW", CLI_STR, &ctok_given.special_text,            \
                 "[MASK] and its like in the text: allow (one token, the\n"              \
                 "default) or plain")

/* Rows of texts that come in. */
#define CTOK_INPUT                                                                       \
    CTOK_HEADING("Input:"),                                                              \
        CTOK_OPT(0, "rows", "KIND", CLI_STR, &ctok_given.rows,                           \
                 "a text is a line, nul, para (up to a blank line),\n"                   \
                 "fixed:BYTES, or u32 (behind its little-endian length)"),               \
        CTOK_ZERO,                                                                       \
        CTOK_OPT(0, "input", "KIND", CLI_STR, &ctok_given.input,                         \
                 "rows (the default), or jsonl: a text is a field of each\nline")

#define CTOK_ZERO                                                                        \
    CTOK_OPT('z', "zero-terminated", NULL, CLI_FLAG, &ctok_given.nul,                    \
             "rows end with NUL, not newline")

#define CTOK_FILES0                                                                      \
    CTOK_OPT(0, "files0-from", "FILE", CLI_STR, &ctok_given.files0,                      \
             "read input names, ended by NUL, from FILE")

#define CTOK_OUTPUT                                                                      \
    CTOK_HEADING("Output:"),                                                             \
        CTOK_OPT('o', NULL, "FILE", CLI_STR, &ctok_given.output,                         \
                 "write to FILE once all is done; .zst and .gz are\ncompressed")

#define CTOK_COMPRESS                                                                    \
    CTOK_OPT(0, "compress", "CODEC", CLI_STR, &ctok_given.compress,                      \
             "zstd[:LEVEL], gzip[:LEVEL] or none, whatever the name")

#define CTOK_RESOURCES                                                                   \
    CTOK_HEADING("Resources (none of them changes the output):"),                        \
        CTOK_OPT('m', "memory", "SIZE", CLI_SIZE, &ctok_given.memory,                    \
                 "hold at most SIZE in memory, and 16M beside it; default:\n"            \
                 "a quarter of what this process may use"),                              \
        CTOK_OPT('j', "threads", "N", CLI_COUNT, &ctok_given.nthreads,                   \
                 "use N threads; default: one a processor")

#define CTOK_TELLING                                                                     \
    CTOK_HEADING("Telling:"),                                                            \
        CTOK_OPT('q', "quiet", NULL, CLI_FLAG, &ctok_given.quiet,                        \
                 "no progress unless --progress=always, no closing line"),               \
        CTOK_OPT('v', "verbose", NULL, CLI_FLAG, &ctok_given.verbose,                    \
                 "tell what was done in a closing line"),                                \
        CTOK_OPT(0, "stats", "FILE", CLI_STR, &ctok_given.stats,                         \
                 "write counts to FILE, as JSON"),                                       \
        CTOK_OPT(0, "progress", "WHEN", CLI_STR, &ctok_given.progress,                   \
                 "auto (on a terminal, after a second), always, never;\n"                \
                 "SIGUSR1 asks for a line at any time")

#define CTOK_EXPLAIN                                                                     \
    CTOK_OPT(0, "explain", NULL, CLI_FLAG, &ctok_given.explain,                          \
             "print the plan and do nothing")

/* ---- what the options say; misuse ends the process ---- */

struct tsl_tokenizer_opts ctok_tokenizer_opts(void);
struct tsl_frame ctok_frame(void);
/* --input=jsonl: the field's name, lent by argv or constant; NULL: rows are texts. */
const char *ctok_field(void);
enum cli_progress_when ctok_progress_when(void);
void ctok_codec(enum tsl_codec *codec, int *level);
unsigned ctok_threads(void);

/* ---- runs ---- */

/* The inputs: operands, standard input or what --files0-from names. */
int ctok_paths(char **operands, size_t n, char *const **paths, size_t *npaths,
               struct tsl_err *err);
void ctok_free_paths(char *const *paths);

/* The vocabulary, with its warnings told.  keep: bytes that are not UTF-8 are kept where
 * it can, unless the options say otherwise. */
int ctok_open(bool keep, struct tsl_tokenizer **t, struct tsl_err *err);

/* Adds up the sizes of the inputs for the progress line, and starts it.  output: a file
 * that could not be written is told now; NULL: standard output. */
int ctok_begin(char *const *paths, size_t npaths, const char *output,
               struct tsl_progress *p, enum cli_progress_when when, struct tsl_err *err);

/* Bytes of memory that the process holds now. */
size_t ctok_held_bytes(void);
/* Has a closing line been asked for, or does a progress line call for one? */
bool ctok_closes(void);
/* "input  3 files, 1.2 GiB plain, ..." of --explain */
int ctok_explain_input(char *const *paths, size_t npaths, const char *field,
                       struct tsl_err *err);
void ctok_closing_line(uint64_t rows, uint64_t tokens, uint64_t bytes, double seconds);

static inline double ctok_share(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 0;
}

#endif

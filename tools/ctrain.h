/* ctrain.h - what the commands of ctrain share.
 *
 * Each command is a file, ctrain_NAME.c, with one struct ctrain_command; ctrain.c has the list.
 * Memory: static.
 * Threads: main's only. */
#ifndef TSL_CTRAIN_H
#define TSL_CTRAIN_H

#include "cli.h"
#include "cli_progress.h"
#include "cli_run.h"
#include "train/trainer.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

struct ctrain_command {
    const char *name, *usage, *summary, *examples;
    const struct cli_opt *opts;
    int (*run)(char **operands, size_t n, struct tsl_err *err);
};

extern const struct ctrain_command ctrain_train, ctrain_eval, ctrain_sample, ctrain_fill;

/* What the command line says, as far as more than one command asks for it. */
struct ctrain_options {
    const char *output, *stats, *progress, *dtype;
    uint64_t memory, nthreads, batch, length;
    uint64_t seed;
    bool quiet, verbose;
};
extern struct ctrain_options ctrain_given;

enum { CTRAIN_SETS_MAX = 64 };

#define CTRAIN_OPT(letter, name, arg, kind, to, help)                                    \
    {                                                                                    \
        letter, name, arg, kind, to, help, NULL, false                                   \
    }
#define CTRAIN_CALL(letter, name, arg, to, help, fn)                                     \
    {                                                                                    \
        letter, name, arg, CLI_CALL, to, help, fn, false                                 \
    }
#define CTRAIN_HEADING(text)                                                             \
    {                                                                                    \
        .kind = CLI_TEXT, .help = text                                                   \
    }

#define CTRAIN_RESOURCES                                                                 \
    CTRAIN_HEADING("Resources (none of them changes a number):"),                        \
        CTRAIN_OPT('m', "memory", "SIZE", CLI_SIZE, &ctrain_given.memory,                \
                   "of data, hold at most SIZE in memory; default: a quarter of\n"       \
                   "what this process may use"),                                         \
        CTRAIN_OPT('j', "threads", "N", CLI_COUNT, &ctrain_given.nthreads,               \
                   "work with N threads; default: one a processor")

/* A number of at least 0, to *(double *). */
int ctrain_number(void *to, const char *arg, struct tsl_err *err);
/* A model by its preset's name or the config.json of that path. */
int ctrain_config(struct tsl_modelconfig *c, const char *name, struct tsl_err *err);
/* The text of a small file, on the heap, NUL behind it. */
int ctrain_read(char **text, size_t *n, const char *path, struct tsl_err *err);

#endif

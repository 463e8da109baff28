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
    const char *objective;
    bool truncate;
    const char *output, *stats, *progress, *dtype;
    uint64_t memory, nthreads, batch, length;
    uint64_t seed;
    bool quiet, verbose;
};
extern struct ctrain_options ctrain_given;

enum { CTRAIN_SETS_MAX = 64 };

/* Data sets as the command line names them. */
struct ctrain_sets {
    struct tsl_loader_set list[CTRAIN_SETS_MAX];
    size_t n;
};
/* SET[:WEIGHT], to a struct ctrain_sets; arg is cut in place. */
int ctrain_set(void *to, const char *arg, struct tsl_err *err);
/* How samples of those sets become batches, by the options. */
struct tsl_loader_opts ctrain_loader(const struct ctrain_sets *sets, uint64_t memory);

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

#define CTRAIN_BATCH                                                                     \
    CTRAIN_CALL(0, "batch", "N", &ctrain_given.batch, "samples of a batch; default: 32", \
                ctrain_count)
#define CTRAIN_SAMPLES                                                                   \
    CTRAIN_CALL(0, "seq-length", "N", &ctrain_given.length,                              \
                "tokens of a sample; default: the data's own", ctrain_count),            \
        CTRAIN_OPT(0, "truncate", NULL, CLI_FLAG, &ctrain_given.truncate,                \
                   "cut longer samples; else they are an error"),                        \
        CTRAIN_OPT(0, "objective", "NAME", CLI_STR, &ctrain_given.objective,             \
                   "clm or electra, of data that leave it open")

#define CTRAIN_RESOURCES                                                                 \
    CTRAIN_HEADING("Resources (none of them changes a number):"),                        \
        CTRAIN_OPT('m', "memory", "SIZE", CLI_SIZE, &ctrain_given.memory,                \
                   "of data, hold at most SIZE in memory; default: a quarter of\n"       \
                   "what this process may use"),                                         \
        CTRAIN_OPT('j', "threads", "N", CLI_COUNT, &ctrain_given.nthreads,               \
                   "work with N threads; default: one a processor")

/* A number of at least 0, to *(double *). */
int ctrain_number(void *to, const char *arg, struct tsl_err *err);
/* A whole number from 1 to 2^31 - 1, to *(uint64_t *): of what there must be. */
int ctrain_count(void *to, const char *arg, struct tsl_err *err);
/* A model by its preset's name or the config.json of that path. */
int ctrain_config(struct tsl_modelconfig *c, const char *name, struct tsl_err *err);
/* The text of a small file, on the heap, NUL behind it. */
int ctrain_read(char **text, size_t *n, const char *path, struct tsl_err *err);

#endif

/* crec.h - what the commands of crec share: options, inputs, and records as lines.
 *
 * Each command is in a file crec_NAME.c, with one struct crec_command; crec.c has the list.
 * Memory: --memory, see crec_given.
 * Threads: main's only. */
#ifndef TSL_CREC_H
#define TSL_CREC_H

#include "cli.h"
#include "record/record.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

struct crec_command {
    const char *name, *usage, *summary, *notes, *examples;
    const struct cli_opt *opts;
    /* What main returns: cli_finish's, or of checkers 0, 1 and 2. */
    int (*run)(char **operands, size_t n, struct tsl_err *err);
    bool checks; /* exits 2 where it could not check */
};

extern const struct crec_command crec_head, crec_at, crec_count, crec_stat, crec_verify,
    crec_recover, crec_diff, crec_order, crec_convert;

/* What the command line says, as far as more than one command asks for it. */
struct crec_options {
    const char *from, *output;
    uint64_t memory, count;
    bool quiet, verbose;
};
extern struct crec_options crec_given;

#define CREC_OPT(letter, name, arg, kind, to, help)                                      \
    {                                                                                    \
        letter, name, arg, kind, to, help, NULL, false                                   \
    }
#define CREC_FROM                                                                        \
    CREC_OPT(0, "from", "FORMAT", CLI_STR, &crec_given.from,                             \
             "the inputs' format; default: told apart by content")
#define CREC_MEMORY                                                                      \
    CREC_OPT('m', "memory", "SIZE", CLI_SIZE, &crec_given.memory,                        \
             "hold at most SIZE in memory, and 16M beside it; default:\n"                \
             "a quarter of what this process may use")
#define CREC_QUIET(help) CREC_OPT('q', "quiet", NULL, CLI_FLAG, &crec_given.quiet, help)

/* The i-th of the inputs; "-" where there are none. */
const char *crec_input(char **operands, size_t n, size_t i);
/* A number among the operands; misuse ends the process. */
uint64_t crec_number(const char *what, const char *s);
int crec_open(struct tsl_recreader **r, const char *path, struct tsl_err *err);
/* How many records: told, or counted by reading them; the reader is at its end then, or
 * where it was. */
int crec_total(struct tsl_recreader *r, uint64_t *n, struct tsl_err *err);

/* A record as a line of JSON on standard output. */
int crec_print(const struct tsl_schema *s, const struct tsl_record *rec,
               struct tsl_err *err);
/* All that was printed goes out: 0 or TSL_EIO. */
int crec_flush(struct tsl_err *err);
/* Of a checker: 0, 1 for what is bad, 2 for what could not be checked; tells why. */
int crec_verdict(int rc, const struct tsl_err *err);

#endif

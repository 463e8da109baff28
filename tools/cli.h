/* cli.h - the command line of every tool: one table makes parsing, --help and its checks.
 *
 * Messages go to standard error as "tool: message", one line each.
 * Threads: main's only. */
#ifndef TSL_CLI_H
#define TSL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum cli_kind {
    CLI_FLAG,  /* bool: set */
    CLI_OFF,   /* bool: cleared */
    CLI_STR,   /* const char *: the last one counts */
    CLI_SIZE,  /* uint64_t: bytes; per cent are of cli_tool.memory */
    CLI_COUNT, /* uint64_t */
    CLI_CALL,  /* a function takes it: see call */
    CLI_TEXT   /* no option: a heading in --help */
};

struct cli_opt {
    char letter; /* 0: none */
    const char *name;
    const char *arg; /* NULL: takes none */
    enum cli_kind kind;
    void *to;
    const char *help; /* may hold newlines */
    /* CLI_CALL: 0, or negative and err: a usage error */
    int (*call)(void *to, const char *arg, struct tsl_err *err);
    bool classic; /* an option of the tool that this one replaces: wins abbreviations */
};

struct cli_tool {
    const char *name, *usage, *summary, *epilog;
    const struct cli_opt *opts; /* up to one with neither letter nor name nor help */
    uint64_t memory;            /* what "100%" means */
};

/* The program's name as it was called; for messages. */
const char *cli_name(void);

/* Takes the options out of argv and returns the operands, *n of them, NULL at the end.
 * Prints help or version and exits 0; on misuse says why and exits. */
char **cli_parse(const struct cli_tool *tool, int argc, char **argv, size_t *n);

/* What misuse exits with: 1; of checkers 2, as of cmp and diff. */
extern int cli_misuse_status;

/* Says why and exits so; hint adds the line that points to --help. */
void cli_misuse(bool hint, const char *fmt, ...) TSL_PRINTF(2, 3) TSL_NORETURN;

/* "tool: message" on standard error. */
void cli_warn(const char *fmt, ...) TSL_PRINTF(1, 2);

/* Memory this process may use: the smallest of its cgroups' limits, RLIMIT_AS and the
 * machine's. */
uint64_t cli_memory(void);

/* Bytes of memory that the process has held at most; 0 when unknown. */
uint64_t cli_peak_rss(void);

/* Closes standard output and tells what failed: the exit status for rc and err, which is
 * 0 or 1. */
int cli_finish(int rc, struct tsl_err *err);

/* "12.3 GiB", "4 B", in buf of at least 16 bytes; returns buf. */
const char *cli_bytes(char *buf, uint64_t n);

#endif

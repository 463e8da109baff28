/* crec - training records: a look at them, their counts and order, whether they are
 * whole, and the same in other formats. */
#include "crec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "io/file.h"
#include "record/recjson.h"

struct crec_options crec_given;

static const char notes[] =
    "Inputs are record files of any format that cshard knows, sets (folders with a\n"
    "manifest.json), MDS folders, and streams of ctok and cmask; compressed or not.\n"
    "With no FILE, or when FILE is -, read standard input.\n"
    "Exit status 0: done; 1: anything else.  Of verify and diff 0: good, or equal;\n"
    "1: bad, or different; 2: could not be checked.\n"
    "\n";

static const char all_examples[] =
    "Examples:\n"
    "  crec head -n 3 train\n"
    "      the first records of a set, as JSON Lines\n"
    "  ctok encode -V gpt2 --output=stream corpus.txt | crec stat\n"
    "      what the columns of a stream hold\n"
    "  crec convert --to npy train train.npy\n"
    "      the same in another format\n"
    "  crec verify train && crec order --seed=7 --epoch=2 --rank=3 --world=8 train\n"
    "      check a set; the records that one of eight trainers reads in an epoch\n";

static const struct crec_command *const commands[] = {
    &crec_head, &crec_at,      &crec_count, &crec_stat,   &crec_verify,
    &crec_diff, &crec_recover, &crec_order, &crec_convert
};

enum { NCOMMANDS = sizeof commands / sizeof *commands, OPTS_MAX = 100 };

/* ---- what commands share ---- */

const char *crec_input(char **operands, size_t n, size_t i)
{
    return n ? operands[i] : "-";
}

uint64_t crec_number(const char *what, const char *s)
{
    uint64_t n;
    if (!tsl_parse_u64(s, &n, NULL))
        cli_misuse(true, "invalid %s: %s", what, tsl_quote(s).s);
    return n;
}

int crec_open(struct tsl_recreader **r, const char *path, struct tsl_err *err)
{
    struct tsl_recreader_opts o = { .format = crec_given.from,
                                    .memory = crec_given.memory };
    return tsl_recreader_open(r, path, &o, err);
}

int crec_total(struct tsl_recreader *r, uint64_t *n, struct tsl_err *err)
{
    struct tsl_err why = { 0 };
    struct tsl_record rec;
    int rc = tsl_recreader_count(r, n, &why);
    if (rc != TSL_EUSAGE)
        return rc < 0 ? tsl_err_pass(err, &why) : 0;
    *n = 0;
    while ((rc = tsl_recreader_next(r, &rec, err)) == 1)
        ++*n;
    return rc;
}

int crec_print(const struct tsl_schema *s, const struct tsl_record *rec,
               struct tsl_err *err)
{
    static char *line;
    static size_t cap;
    int rc = tsl_recjson_check(s, rec, err);
    if (rc == 0)
        rc = tsl_mem_grow(&line, &cap, tsl_recjson_bound(s, rec) + 1, 1, "a line", err);
    if (rc < 0)
        return rc;
    char *end = tsl_recjson_write(line, s, rec);
    *end++ = '\n';
    if (fwrite(line, 1, (size_t)(end - line), stdout) != (size_t)(end - line))
        return tsl_err_sys(err, errno, "write error");
    return 0;
}

int crec_flush(struct tsl_err *err)
{
    return fflush(stdout) != 0 || ferror(stdout) ? tsl_err_sys(err, errno, "write error")
                                                 : 0;
}

int crec_verdict(int rc, const struct tsl_err *err)
{
    if (rc == 0)
        return 0;
    cli_warn("%s", err->msg[0] ? err->msg : "failed");
    return rc == TSL_EFORMAT || rc == TSL_EVERIFY ? 1 : 2;
}

/* ---- main ---- */

static bool same_option(const struct cli_opt *a, const struct cli_opt *b)
{
    return a->letter == b->letter &&
           (a->name == b->name || (a->name && b->name && strcmp(a->name, b->name) == 0));
}

/* `crec --help` has the options of all commands, each where it comes first. */
static const struct cli_opt *all_options(void)
{
    static struct cli_opt all[OPTS_MAX];
    static char titles[NCOMMANDS][40];
    size_t n = 0;
    for (size_t c = 0; c < NCOMMANDS; c++) {
        size_t before = n;
        snprintf(titles[c], sizeof titles[c], "crec %s:", commands[c]->name);
        all[n++] = (struct cli_opt){ .kind = CLI_TEXT, .help = titles[c] };
        for (const struct cli_opt *o = commands[c]->opts; o->letter || o->name; o++) {
            bool known = false;
            for (size_t i = 0; i < before && !known; i++)
                known = same_option(&all[i], o) && strcmp(all[i].help, o->help) == 0;
            if (!known && n < OPTS_MAX - 1)
                all[n++] = *o;
        }
        n -= n == before + 1; /* a heading with nothing under it */
    }
    return all;
}

static const char top_usage[] = "COMMAND [OPTION]... [FILE]...";
static const char top_summary[] =
    "Look at training records, count them, check them, convert them.\n"
    "\n"
    "Commands (each has a --help of its own):\n"
    "  head                        the first records, as JSON Lines\n"
    "  at                          records by number\n"
    "  count                       how many there are\n"
    "  stat                        what the columns hold\n"
    "  verify                      is everything whole, every checksum right?\n"
    "  diff                        do two hold the same records?\n"
    "  recover                     save the whole blocks of a file that was cut short\n"
    "  order                       the order of an epoch, for each trainer\n"
    "  convert                     the same records in another format";

int main(int argc, char **argv)
{
    static char called[64], epilog[4096];
    struct tsl_err err = { 0 };
    size_t n;
    tsl_file_guard_std();
    const struct crec_command *c = NULL;
    for (size_t i = 0; argc > 1 && i < NCOMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            c = commands[i];
    struct cli_tool tool = { .name = "crec",
                             .usage = c ? c->usage : top_usage,
                             .summary = c ? c->summary : top_summary,
                             .epilog = epilog,
                             .opts = c ? c->opts : all_options(),
                             .memory = cli_memory() };
    snprintf(epilog, sizeof epilog, "%s%s", c ? c->notes : notes,
             c ? c->examples : all_examples);
    crec_given.memory = tool.memory / 4;
    crec_given.count = UINT64_MAX;
    if (!c) {
        char **operands = cli_parse(&tool, argc, argv, &n);
        if (n > 0)
            cli_misuse(true, "no command is called %s; the command comes first",
                       tsl_quote(operands[0]).s);
        cli_misuse(true, "which command? head, at, count, stat, verify, diff, recover, "
                         "order or convert");
    }
    const char *slash = strrchr(argv[0], '/');
    snprintf(called, sizeof called, "%.40s %s", slash ? slash + 1 : argv[0], c->name);
    argv[1] = called; /* messages name the command, too */
    cli_misuse_status = c->checks ? 2 : 1;
    char **operands = cli_parse(&tool, argc - 1, argv + 1, &n);
    return c->run(operands, n, &err);
}

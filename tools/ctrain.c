/* ctrain - pretraining on one machine: shards in, checkpoints out, the same bits every
 * time. */
#include "ctrain.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "io/file.h"

struct ctrain_options ctrain_given;

static const char notes[] =
    "SIZE: 64M, 1.5G, 500KB, or 10% of the memory this process may use.\n"
    "What comes out depends on data, options and seed alone: not on threads or memory,\n"
    "nor on how often a run was interrupted and resumed.\n"
    "Exit status 0: done; 1: anything else.\n"
    "\n";

static const struct ctrain_command *const commands[] = { &ctrain_train, &ctrain_eval,
                                                         &ctrain_sample, &ctrain_fill };

enum { NCOMMANDS = sizeof commands / sizeof *commands };

int ctrain_number(void *to, const char *arg, struct tsl_err *err)
{
    if (tsl_parse_number(arg, to))
        return 0;
    return tsl_err_set(err, TSL_EUSAGE, "%s is not a number of at least 0",
                       tsl_quote(arg).s);
}

int ctrain_count(void *to, const char *arg, struct tsl_err *err)
{
    uint64_t n;
    if (!tsl_parse_u64(arg, &n, NULL) || n == 0 || n > INT32_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "%s is not a whole number from 1 to %d",
                           tsl_quote(arg).s, INT32_MAX);
    *(uint64_t *)to = n;
    return 0;
}

int ctrain_set(void *to, const char *arg, struct tsl_err *err)
{
    struct ctrain_sets *s = to;
    if (s->n == CTRAIN_SETS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d data sets", CTRAIN_SETS_MAX);
    return tsl_loader_parse_set((char *)(uintptr_t)arg, &s->list[s->n++], err);
}

struct tsl_loader_opts ctrain_loader(const struct ctrain_sets *sets, uint64_t memory)
{
    return (struct tsl_loader_opts){
        .sets = sets->list,
        .nsets = sets->n,
        .seed = ctrain_given.seed,
        .rows = ctrain_given.batch ? (uint32_t)ctrain_given.batch : 32,
        .memory = memory,
        .data = { .objective = ctrain_given.objective,
                  .doc_end = -1,
                  .tokens_max = (uint32_t)ctrain_given.length,
                  .truncate = ctrain_given.truncate },
    };
}

int ctrain_read(char **text, size_t *n, const char *path, struct tsl_err *err)
{
    enum { MOST = 16 << 20 };
    struct tsl_file f = TSL_FILE_INIT;
    int rc = tsl_file_open(&f, path, err);
    if (rc == 0 && f.size > MOST)
        rc = tsl_err_set(err, TSL_EFORMAT, "%s: too large for what it should be", path);
    char *p = rc == 0 ? tsl_mem_alloc(f.size + 1, 1, "a file", err) : NULL;
    if (rc == 0 && !p)
        rc = TSL_ENOMEM;
    if (rc == 0)
        rc = tsl_file_pread(&f, p, f.size, 0, err);
    if (rc == 0) {
        *text = p;
        *n = f.size;
        p = NULL;
    }
    tsl_mem_free(p);
    tsl_file_close(&f, NULL);
    return rc;
}

int ctrain_config(struct tsl_modelconfig *c, const char *name, struct tsl_err *err)
{
    char *text, path[4096];
    size_t n;
    if (tsl_modelconfig_preset(c, name))
        return 0;
    snprintf(path, sizeof path, "%s%s", name,
             tsl_file_is_folder(name) ? "/config.json" : "");
    if (!tsl_file_exists(path))
        return tsl_err_set(
            err, TSL_EUSAGE,
            "%s is neither a config.json nor the name of a model: bert-tiny, "
            "bert-mini, bert-small, bert-base, roberta-base, albert-base, "
            "roformer-base, unilm-base, gpt2-small, gpt2, ...",
            tsl_quote(name).s);
    int rc = ctrain_read(&text, &n, path, err);
    if (rc < 0)
        return rc;
    rc = tsl_modelconfig_parse(c, (struct tsl_slice){ (const uint8_t *)text, n }, path,
                               err);
    tsl_mem_free(text);
    return rc;
}

int main(int argc, char **argv)
{
    static char called[64], epilog[4096];
    struct tsl_err err = { 0 };
    size_t n;
    tsl_file_guard_std();
    const struct ctrain_command *c = NULL;
    for (size_t i = 0; argc > 1 && i < NCOMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            c = commands[i];
    bool named = c;
    if (!c)
        c = &ctrain_train;
    struct cli_tool tool = { .name = "ctrain",
                             .usage = c->usage,
                             .summary = c->summary,
                             .epilog = epilog,
                             .opts = c->opts,
                             .memory = cli_memory() };
    size_t at = (size_t)snprintf(epilog, sizeof epilog, "%s%s", notes, c->examples);
    for (size_t i = 1; c == &ctrain_train && i < NCOMMANDS; i++)
        at += (size_t)snprintf(
            epilog + at, sizeof epilog - at, "%s  ctrain %s --help\n      %s\n",
            i == 1 ? "\nOther commands:\n" : "", commands[i]->name, commands[i]->summary);
    ctrain_given.memory = tool.memory / 4;
    if (named) {
        const char *slash = strrchr(argv[0], '/');
        snprintf(called, sizeof called, "%.40s %s", slash ? slash + 1 : argv[0], c->name);
        argv[1] = called; /* messages name the command, too */
        argv++;
        argc--;
    }
    char **operands = cli_parse(&tool, argc, argv, &n);
    return cli_finish(c->run(operands, n, &err), &err);
}

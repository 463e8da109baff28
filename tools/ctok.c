/* ctok - text into token ids, exactly as the tool that a vocabulary was made for; ids back
 * into text; a look at how a text is cut; and vocabularies of one's own. */
#include "ctok.h"

#include <stdio.h>
#include <string.h>

#include "base/quote.h"
#include "io/file.h"

const char ctok_notes[] =
    "SIZE: 64M, 1.5G, 500KB, or 10% of the memory this process may use.\n"
    "Inputs compressed with zstd or gzip are recognised and decompressed.  With no\n"
    "FILE, or when FILE is -, read standard input.  What comes out depends on input,\n"
    "vocabulary and options alone: not on memory or threads.\n"
    "Exit status 0: done; 1: anything else, and then an output file has not appeared.\n"
    "\n";

static const char all_examples[] =
    "Examples:\n"
    "  ctok encode -V bert-base-uncased/vocab.txt corpus.txt.zst -o corpus.ids.zst\n"
    "      a line of ids for each line of text\n"
    "  ctok encode -V zh/vocab.txt --input=jsonl --split-sentences --output=stream \\\n"
    "      -o corpus.tok --stats=stats.json part-*.jsonl.gz\n"
    "      documents with their sentences and word starts, for cmask and cshard\n"
    "  ctok train --model=bpe --size=32000 -o my-bpe corpus-*.txt.zst\n"
    "      a vocabulary of one's own\n";

static const struct ctok_command *const commands[] = { &ctok_encode, &ctok_decode,
                                                       &ctok_inspect, &ctok_train,
                                                       &ctok_count };

enum { NCOMMANDS = sizeof commands / sizeof *commands, OPTS_MAX = 200 };

static bool same_option(const struct cli_opt *a, const struct cli_opt *b)
{
    return a->letter == b->letter &&
           (a->name == b->name || (a->name && b->name && strcmp(a->name, b->name) == 0));
}

/* `ctok --help` has the options of all commands, each where it comes first. */
static const struct cli_opt *all_options(void)
{
    static struct cli_opt all[OPTS_MAX];
    static char titles[NCOMMANDS][80];
    size_t n = 0;
    for (size_t c = 0; c < NCOMMANDS; c++) {
        size_t before = n;
        snprintf(titles[c], sizeof titles[c], "ctok %s%s", commands[c]->name,
                 c ? ", beside or instead of these:" : ":");
        all[n++] = (struct cli_opt){ .kind = CLI_TEXT, .help = titles[c] };
        for (const struct cli_opt *o = commands[c]->opts; o->letter || o->name || o->help;
             o++) {
            bool known = o->kind == CLI_TEXT;
            for (size_t i = 0; i < before && !known; i++)
                known = same_option(&all[i], o) && strcmp(all[i].help, o->help) == 0;
            if (!known && n < OPTS_MAX - 1)
                all[n++] = *o;
        }
    }
    return all;
}

static const char top_usage[] = "COMMAND [OPTION]... [FILE]...";
static const char top_summary[] =
    "Text into token ids, exactly as the tool that a vocabulary was made for, and back;\n"
    "and vocabularies of one's own.\n"
    "\n"
    "Commands (each has a --help of its own):\n"
    "  encode                      texts into ids\n"
    "  decode                      ids into texts\n"
    "  inspect                     how a text is cut; what a vocabulary holds\n"
    "  train                       a vocabulary of one's own, from texts\n"
    "  count                       words for train, counted in parts";

int main(int argc, char **argv)
{
    static char called[64], epilog[4096];
    struct tsl_err err = { 0 };
    size_t n;
    tsl_file_guard_std();
    const struct ctok_command *c = NULL;
    for (size_t i = 0; argc > 1 && i < NCOMMANDS; i++)
        if (strcmp(argv[1], commands[i]->name) == 0)
            c = commands[i];
    struct cli_tool tool = { .name = "ctok",
                             .usage = c ? c->usage : top_usage,
                             .summary = c ? c->summary : top_summary,
                             .epilog = epilog,
                             .opts = c ? c->opts : all_options(),
                             .memory = cli_memory() };
    snprintf(epilog, sizeof epilog, "%s%s", c ? c->notes : ctok_notes,
             c ? c->examples : all_examples);
    ctok_given.memory = tool.memory / 4;
    if (!c) {
        char **operands = cli_parse(&tool, argc, argv, &n);
        if (n > 0)
            cli_misuse(true, "no command is called %s; the command comes first",
                       tsl_quote(operands[0]).s);
        cli_misuse(true, "which command? encode, decode, inspect, train or count");
    }
    const char *slash = strrchr(argv[0], '/');
    snprintf(called, sizeof called, "%.40s %s", slash ? slash + 1 : argv[0], c->name);
    argv[1] = called; /* messages name the command, too */
    char **operands = cli_parse(&tool, argc - 1, argv + 1, &n);
    return cli_finish(c->run(operands, n, &err), &err);
}

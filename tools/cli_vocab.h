/* cli_vocab.h - options that name a vocabulary, for the tools that turn text into ids.
 *
 * Order: none.
 * Memory: none that stays.
 * Threads: main's only. */
#ifndef TSL_CLI_VOCAB_H
#define TSL_CLI_VOCAB_H

#include "cli.h"
#include "text/tokenizer.h"

struct cli_vocab {
    const char *vocab, *pattern, *rules;
    bool lowercase, cased;
};

#define CLI_VOCAB_OPT(letter, name, arg, kind, to, help)                                 \
    {                                                                                    \
        letter, name, arg, kind, to, help, NULL, false                                   \
    }
/* Entries of a table of options; given: a struct cli_vocab. */
#define CLI_VOCAB(given)                                                                 \
    CLI_VOCAB_OPT('V', "vocab", "VOCAB", CLI_STR, &(given).vocab,                        \
                  "vocab.txt, tokenizer.json, a .model, a .tiktoken, or a\n"             \
                  "folder with one of them, or with vocab.json + merges.txt"),           \
        CLI_VOCAB_OPT(0, "pattern", "NAME", CLI_STR, &(given).pattern,                   \
                      "of a .tiktoken: r50k, cl100k or o200k; default: by size"),        \
        CLI_VOCAB_OPT(0, "lowercase", NULL, CLI_FLAG, &(given).lowercase,                \
                      "of a vocab.txt: lower case, no accents; default: if it\n"         \
                      "has no capital letters"),                                         \
        CLI_VOCAB_OPT(0, "cased", NULL, CLI_FLAG, &(given).cased,                        \
                      "of a vocab.txt: leave case and accents alone"),                   \
        CLI_VOCAB_OPT(0, "rules", "RULES", CLI_STR, &(given).rules,                      \
                      "of a vocab.txt: hf (the default), google or bert4keras")

/* What they say; all else is 0.  Misuse, a missing vocabulary too, ends the process. */
struct tsl_tokenizer_opts cli_vocab_opts(const struct cli_vocab *given);

#endif

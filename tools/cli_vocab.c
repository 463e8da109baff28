#include "cli_vocab.h"

#include "cli_run.h"

struct tsl_tokenizer_opts cli_vocab_opts(const struct cli_vocab *given)
{
    if (!given->vocab)
        cli_misuse(true, "no vocabulary: -V names it");
    if (given->lowercase && given->cased)
        cli_misuse(true, "cannot combine --lowercase and --cased");
    cli_choose("pattern", given->pattern, "r50k\0cl100k\0o200k\0");
    return (struct tsl_tokenizer_opts){
        .rules =
            (enum tsl_rules)cli_choose("rules", given->rules, "hf\0google\0bert4keras\0"),
        .lowercase = given->lowercase ? TSL_CASE_LOWER
                     : given->cased   ? TSL_CASE_KEEP
                                      : TSL_CASE_AUTO,
        .pattern = given->pattern,
    };
}

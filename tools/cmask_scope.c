#include "cmask_scope.h"

#include <stdio.h>
#include <string.h>

#define PAIRS "nsp sop"
#define PACKS "clm mlm span ul2 prefix unilm plm mae"
#define SHOWN "mlm nsp sop unilm" /* where masked places show something */
#define MASKED SHOWN " plm mae"
#define KEYED PACKS " nsp sop electra"

/* Options that are not here are of all. */
static const struct scope {
    const char *option, *objectives, *scripts; /* names with a blank between */
} scopes[] = {
    { "short-prob", PAIRS " electra", "bert albert" },
    { "static", KEYED, "" },
    { "dynamic", KEYED, "" },
    { "epoch", KEYED, "" },
    { "lone", PAIRS, "" },
    { "window", PAIRS, "" },
    { "cut-words", PAIRS " electra", "" },
    { "pack", PACKS, "" },
    { "overlap", PACKS, "" },
    { "positions", PACKS, "" },
    { "drop-last", PACKS, "" },
    { "noise", "span", "" },
    { "mean-span", "span", "" },
    { "sentinel", "span ul2", "" },
    { "sentinels", "span ul2", "" },
    { "random-roll", "span ul2", "" },
    { "separator", "prefix", "" },
    { "mask-prob", MASKED, "bert albert" },
    { "max-predictions", MASKED, "bert albert" },
    { "whole-word", MASKED, "bert albert" },
    { "unit", MASKED, "" },
    { "ngram", MASKED, "albert" },
    { "synonyms", SHOWN, "" },
    { "independent", SHOWN, "" },
    { "split", SHOWN, "" },
    { "draw-specials", SHOWN, "" },
    { "across-sep", MASKED, "" },
    { "dupe-factor", "", "bert albert" },
    { "python2", "", "bert albert" },
    { "np-seed", "", "albert" },
    { "favor-longer-ngram", "", "albert" },
    { "permute", "", "albert" },
    { "join-docs", "", "electra" },
};

static bool was_given(const struct cli_opt *o)
{
    switch (o->kind) {
    case CLI_FLAG: return *(const bool *)o->to;
    case CLI_STR: return *(const char *const *)o->to != NULL;
    case CLI_COUNT: return *(const uint64_t *)o->to != UINT64_MAX;
    default: return false;
    }
}

static bool lists(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at += n)
        if ((at == names || at[-1] == ' ') && (at[n] == ' ' || !at[n]))
            return true;
    return false;
}

/* "--window is of nsp, sop: not of --compat=bert" */
static void refuse(const struct scope *s, const char *recipe, bool compat)
{
    char of[200] = "";
    size_t n = 0;
    const char *with = "";
    for (int i = 0; i < 2; i++, with = "--compat=") {
        const char *at = i ? s->scripts : s->objectives;
        while (*at && n < sizeof of) {
            size_t len = strcspn(at, " ");
            n += (size_t)snprintf(of + n, sizeof of - n, "%s%s%.*s", n ? ", " : "", with,
                                  (int)len, at);
            at += len + (at[len] == ' ');
        }
    }
    cli_misuse(true, "--%s is of %s: not of %s%s", s->option, of,
               compat ? "--compat=" : "", recipe);
}

void cmask_scope_check(const struct cli_opt *opts, const char *recipe, bool compat)
{
    for (; opts->letter || opts->name || opts->help; opts++) {
        if (!opts->name || !was_given(opts))
            continue;
        for (size_t i = 0; i < sizeof scopes / sizeof scopes[0]; i++)
            if (strcmp(scopes[i].option, opts->name) == 0 &&
                !lists(compat ? scopes[i].scripts : scopes[i].objectives, recipe))
                refuse(&scopes[i], recipe, compat);
    }
}

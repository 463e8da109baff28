/* ctok_words.c - the options that `ctok train` and `ctok count` share. */
#include "ctok_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/quote.h"
#include "io/file.h"
#include "text/charsrule.h"

struct ctok_words ctok_words = { .line_max = CTOK_LINE_MAX_UNSET };

int ctok_add_tokens(void *to, const char *arg, struct tsl_err *err)
{
    struct ctok_tokens *t = to;
    t->given = true;
    for (const char *at = arg; *arg; at += strcspn(at, ",") + 1) {
        struct tsl_slice s = { (const uint8_t *)at, strcspn(at, ",") };
        if (t->n == CTOK_TOKENS_MAX)
            return tsl_err_set(err, TSL_EUSAGE, "more than %d tokens", CTOK_TOKENS_MAX);
        if (!s.len)
            return tsl_err_set(err, TSL_EUSAGE, "a token of %s is empty",
                               tsl_quote(arg).s);
        if (tsl_tokfile_utf8_end(s) < s.len)
            return tsl_err_set(err, TSL_EUSAGE, "not UTF-8: %s", tsl_quote(arg).s);
        t->token[t->n++] = s;
        if (!at[s.len])
            break;
    }
    return 0;
}

int ctok_add_counts(void *to, const char *arg, struct tsl_err *err)
{
    struct ctok_words *w = to;
    if (w->ncounts == CTOK_COUNTS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d files of counts",
                           CTOK_COUNTS_MAX);
    w->counts[w->ncounts++] = (char *)(uintptr_t)arg;
    return 0;
}

int ctok_add_dir(void *to, const char *arg, struct tsl_err *err)
{
    struct ctok_words *w = to;
    if (w->ndirs == CTOK_DIRS_MAX)
        return tsl_err_set(err, TSL_EUSAGE, "more than %d folders for temporary data",
                           CTOK_DIRS_MAX);
    w->dirs[w->ndirs++] = arg;
    return 0;
}

/* ---- the kind ---- */

static enum tsl_train_kind choose_kind(void)
{
    if (!ctok_words.model)
        cli_misuse(true, "no model: --model is wordpiece, bpe or unigram");
    int model = cli_choose("model", ctok_words.model, "wordpiece\0bpe\0unigram\0");
    int ties = cli_choose("ties", ctok_words.ties, "hf\0spm\0");
    if (ctok_words.ties && model != 1)
        cli_misuse(true, "--ties is for --model=bpe");
    return model == 0   ? TSL_TRAIN_WORDPIECE
           : model == 2 ? TSL_TRAIN_UNIGRAM
           : ties       ? TSL_TRAIN_SPMBPE
                        : TSL_TRAIN_BYTEBPE;
}

/* Options of other kinds are misuse: who gives them expects something of them. */
static void check_kind(enum tsl_train_kind k)
{
    bool spm = k == TSL_TRAIN_SPMBPE || k == TSL_TRAIN_UNIGRAM;
    if ((ctok_words.lowercase || ctok_words.cased) && k != TSL_TRAIN_WORDPIECE)
        cli_misuse(true, "--lowercase and --cased are for --model=wordpiece");
    if (ctok_words.lowercase && ctok_words.cased)
        cli_misuse(true, "cannot combine --lowercase and --cased");
    if (ctok_words.pattern && k != TSL_TRAIN_BYTEBPE)
        cli_misuse(true, "--pattern is for --model=bpe --ties=hf");
    if (ctok_words.prefix_space && k != TSL_TRAIN_BYTEBPE)
        cli_misuse(true, "--prefix-space is for --model=bpe --ties=hf");
    if (ctok_words.newlines && k != TSL_TRAIN_BYTEBPE)
        cli_misuse(true, "--keep-newlines is for --model=bpe --ties=hf");
    const struct {
        const char *option;
        bool given;
    } of_spm[] = {
        { "charsmap-from", ctok_words.charsmap != NULL },
        { "normalization", ctok_words.normalization != NULL },
        { "no-dummy-prefix", ctok_words.no_dummy_prefix },
        { "keep-extra-spaces", ctok_words.keep_spaces },
        { "whitespace-suffix", ctok_words.suffix },
        { "whitespace-tokens", ctok_words.only_spaces },
        { "no-split-by-whitespace", ctok_words.no_split_space },
        { "max-line", ctok_words.line_max != CTOK_LINE_MAX_UNSET },
        { "unk-piece", ctok_words.unk_piece != NULL },
        { "bos-piece", ctok_words.bos_piece != NULL },
        { "eos-piece", ctok_words.eos_piece != NULL },
        { "pad-piece", ctok_words.pad_piece != NULL },
    };
    for (size_t i = 0; i < sizeof of_spm / sizeof *of_spm; i++)
        if (of_spm[i].given && !spm)
            cli_misuse(true, "--%s is for --model=unigram and --ties=spm",
                       of_spm[i].option);
    if (ctok_words.charsmap && ctok_words.normalization)
        cli_misuse(true, "cannot combine --charsmap-from and --normalization");
    if (ctok_words.whole_words && k != TSL_TRAIN_UNIGRAM)
        cli_misuse(true, "--whole-words is for --model=unigram");
}

/* A token's text; NULL: as it was. */
static void rename_piece(struct tsl_slice *piece, const char *text)
{
    struct tsl_slice s = { (const uint8_t *)text, text ? strlen(text) : 0 };
    if (!text)
        return;
    if (!s.len || tsl_tokfile_utf8_end(s) < s.len)
        cli_misuse(false, "a special token that is empty or not UTF-8: %s",
                   tsl_quote(text).s);
    *piece = s;
}

static void default_specials(enum tsl_train_kind kind, struct tsl_spm_options *spm)
{
    struct ctok_tokens *t = &ctok_words.specials;
    rename_piece(&spm->unk_piece, ctok_words.unk_piece);
    rename_piece(&spm->bos_piece, ctok_words.bos_piece);
    rename_piece(&spm->eos_piece, ctok_words.eos_piece);
    rename_piece(&spm->pad_piece, ctok_words.pad_piece);
    if (!t->given && kind == TSL_TRAIN_WORDPIECE)
        (void)ctok_add_tokens(t, "[PAD],[UNK],[CLS],[SEP],[MASK]", NULL);
    if (!t->given && kind == TSL_TRAIN_BYTEBPE)
        (void)ctok_add_tokens(t, "<|endoftext|>", NULL);
    if (!t->given) {
        t->token[t->n++] = spm->unk_piece;
        t->token[t->n++] = spm->bos_piece;
        t->token[t->n++] = spm->eos_piece;
    }
    if (t->n + ctok_words.controls.n > CTOK_TOKENS_MAX)
        cli_misuse(false, "more than %d special tokens", CTOK_TOKENS_MAX);
    for (size_t i = 0; i < ctok_words.controls.n; i++)
        t->token[t->n++] = ctok_words.controls.token[i];
    t->given = true;
}

/* What a .model does to text before it is cut. */
static int choose_normalizer(struct tsl_trainspec *spec, struct tsl_tokfile_spm **from,
                             struct tsl_err *err)
{
    static const enum tsl_charsrule rules[] = {
        TSL_CHARSRULE_NMT_NFKC, TSL_CHARSRULE_NFKC, TSL_CHARSRULE_NMT_NFKC_CF,
        TSL_CHARSRULE_NFKC_CF, TSL_CHARSRULE_IDENTITY
    };
    struct tsl_spm_normalizer *n = &spec->spm.normalizer;
    int rc = 0;
    int rule = cli_choose("normalization", ctok_words.normalization,
                          "nmt_nfkc\0nfkc\0nmt_nfkc_cf\0nfkc_cf\0identity\0");
    if (ctok_words.charsmap) {
        rc = tsl_tokfile_spm_open(from, ctok_words.charsmap, err);
        if (rc == 0) {
            *n = (*from)->options.normalizer;
            spec->spm.denormalizer = (*from)->options.denormalizer;
        }
    } else {
        n->name = tsl_charsrule_name(rules[rule]);
        rc = tsl_charsrule_map(rules[rule], &ctok_words.map, &n->charsmap.len, err);
        n->charsmap.data = ctok_words.map;
    }
    if (ctok_words.no_dummy_prefix)
        n->add_dummy_prefix = false;
    if (ctok_words.keep_spaces)
        n->remove_extra_whitespaces = false;
    return rc;
}

static bool same(struct tsl_slice a, struct tsl_slice b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* A token that is named twice would have one id of two. */
static void check_tokens(void)
{
    const struct ctok_tokens *a = &ctok_words.specials, *b = &ctok_words.symbols;
    for (size_t i = 0; i < a->n + b->n; i++) {
        struct tsl_slice s = i < a->n ? a->token[i] : b->token[i - a->n];
        for (size_t k = 0; k < i; k++)
            if (same(s, k < a->n ? a->token[k] : b->token[k - a->n]))
                cli_misuse(false, "token %s is named twice", tsl_tokfile_quote(s).s);
    }
}

int ctok_spec(struct tsl_trainspec *spec, struct tsl_tokfile_spm **from,
              struct tsl_err *err)
{
    static const enum tsl_splitpat patterns[] = { TSL_SPLITPAT_GPT2, TSL_SPLITPAT_CL100K,
                                                  TSL_SPLITPAT_O200K };
    enum tsl_train_kind kind = choose_kind();
    struct tsl_spm_options spm = tsl_tokfile_spm_defaults();
    check_kind(kind);
    default_specials(kind, &spm);
    check_tokens();
    spm.whitespace_suffix = ctok_words.suffix;
    spm.split_by_whitespace = !ctok_words.no_split_space;
    bool lower = !ctok_words.cased;
    *spec = (struct tsl_trainspec){
        .kind = kind,
        .specials = ctok_words.specials.token,
        .nspecials = ctok_words.specials.n,
        .symbols = ctok_words.symbols.token,
        .nsymbols = ctok_words.symbols.n,
        .norm = { TSL_RULES_HF, true, true, lower, lower },
        .pattern =
            patterns[cli_choose("pattern", ctok_words.pattern, "gpt2\0cl100k\0o200k\0")],
        .prefix_space = ctok_words.prefix_space,
        .keep_bad = cli_choose("invalid", ctok_words.invalid, "replace\0bytes\0"),
        .line_ends = ctok_words.newlines,
        .spm = spm,
        .line_max = ctok_words.line_max != CTOK_LINE_MAX_UNSET
                        ? (size_t)ctok_words.line_max
                        : 4192,
        .whitespace_only = ctok_words.only_spaces,
        .whole_words = ctok_words.whole_words,
        .made_by = "trained by ctok (teasel) " TSL_VERSION,
    };
    if (spec->line_ends && (ctok_given.input || ctok_frame().kind != TSL_FRAME_LINE))
        cli_misuse(true, "--keep-newlines is for rows that are lines");
    if (spec->keep_bad && kind != TSL_TRAIN_BYTEBPE)
        cli_misuse(true, "--invalid=bytes is for --model=bpe --ties=hf");
    if (spec->prefix_space && spec->pattern != TSL_SPLITPAT_GPT2)
        cli_misuse(true, "--prefix-space is for --pattern=gpt2");
    *from = NULL;
    return kind >= TSL_TRAIN_SPMBPE ? choose_normalizer(spec, from, err) : 0;
}

/* ---- what is counted ---- */

int ctok_count_opts(struct tsl_countjob_opts *c, char **operands, size_t n,
                    struct tsl_err *err)
{
    int rc = 0;
    *c = (struct tsl_countjob_opts){ .frame = ctok_frame(), .field = ctok_field() };
    if (n > 0 || ctok_given.files0 || ctok_words.ncounts == 0)
        rc = ctok_paths(operands, n, &c->paths, &c->npaths, err);
    if (ctok_words.ndirs == 0) {
        const char *dir = getenv("TMPDIR");
        ctok_words.dirs[ctok_words.ndirs++] = dir && *dir ? dir : "/tmp";
    }
    c->counts = ctok_words.counts;
    c->ncounts = ctok_words.ncounts;
    c->dirs = ctok_words.dirs;
    c->ndirs = ctok_words.ndirs;
    c->memory = ctok_given.memory;
    c->held = ctok_held_bytes();
    c->nthreads = ctok_threads();
    return rc;
}

int ctok_explain_count(const struct tsl_countjob_opts *c,
                       const struct tsl_trainspec *spec, struct tsl_err *err)
{
    struct tsl_countjob_opts with_cut = *c;
    struct tsl_countjob_plan p;
    struct tsl_wordcut cut;
    char a[16], b[16];
    int rc = tsl_trainjob_cut(spec, &cut, err);
    if (rc < 0)
        return rc;
    printf("words        %s\n", cut.describe);
    with_cut.cut = &cut;
    rc = tsl_countjob_plan(&with_cut, &p, err);
    tsl_wordcut_fini(&cut);
    if (rc < 0)
        return rc;
    if (c->npaths) {
        rc = ctok_explain_input(c->paths, c->npaths, c->field, err);
        if (rc < 0)
            return rc;
    }
    for (size_t i = 0; i < c->ncounts; i++)
        printf("%s %s\n", i ? "            " : "counts      ", tsl_quote(c->counts[i]).s);
    printf("memory       %s: %s for words that are counted, %u batches of %s\n",
           cli_bytes(a, p.memory), cli_bytes((char[16]){ 0 }, p.count_bytes), p.nbatches,
           cli_bytes(b, p.batch_bytes));
    for (size_t i = 0; i < c->ndirs; i++)
        printf("%s %s, %s free%s\n", i ? "            " : "temporary   ",
               tsl_quote(c->dirs[i]).s, cli_bytes(a, tsl_file_free_bytes(c->dirs[i])),
               tsl_file_in_memory(c->dirs[i]) ? ", but in memory (tmpfs)" : "");
    printf("threads      %u that count, one that reads\n", p.nthreads);
    return 0;
}

void ctok_count_stats(struct tsl_json *w, const struct tsl_countjob_stats *st,
                      const struct tsl_wordcount_stats *sort)
{
    tsl_json_u64(w, "documents", st->rows);
    tsl_json_u64(w, "text_bytes", st->bytes);
    tsl_json_u64(w, "words", st->words);
    tsl_json_u64(w, "different_words", sort->words);
    tsl_json_u64(w, "invalid_parts", st->cut.invalid);
    tsl_json_u64(w, "long_words", st->cut.long_words);
    tsl_json_u64(w, "long_bytes", st->cut.long_bytes);
    tsl_json_u64(w, "skipped_texts", st->cut.skipped);
    tsl_json_u64(w, "sorted_runs", sort->runs);
    tsl_json_u64(w, "temporary_bytes", sort->temp_peak);
    tsl_json_num(w, "count_seconds", st->seconds);
}

void ctok_count_warnings(const struct tsl_countjob_stats *st)
{
    if (ctok_given.quiet)
        return;
    if (st->cut.long_words)
        cli_warn("%" PRIu64 " words of more than %d KiB were left out",
                 st->cut.long_words, TSL_WORDCOUNT_WORD_MAX >> 10);
    if (st->cut.skipped)
        cli_warn("%" PRIu64
                 " texts were left out: longer than --max-line, or with U+2585",
                 st->cut.skipped);
}

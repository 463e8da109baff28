/* ctok_train.c - `ctok train`: a vocabulary of one's own. */
#include "ctok_words.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/quote.h"

static struct {
    uint64_t size, min_frequency, alphabet_limit, max_token_length;
    uint64_t seed_pieces, em_steps;
    const char *coverage, *score, *required, *shrink, *unk_surface;
    bool byte_fallback, split_digits, no_split_script, no_split_number, hard_limit;
} given = { .min_frequency = UINT64_MAX };

static const struct cli_opt opts[] = {
    CTOK_KIND,
    CTOK_HEADING("The vocabulary:"),
    CTOK_OPT(0, "size", "N", CLI_COUNT, &given.size,
             "N tokens, special ones and characters included"),
    CTOK_OPT(0, "min-frequency", "N", CLI_COUNT, &given.min_frequency,
             "of wordpiece and bpe: merge only what came N times;\n"
             "default: 2, with --ties=spm 1"),
    CTOK_OPT(0, "alphabet-limit", "N", CLI_COUNT, &given.alphabet_limit,
             "of wordpiece and --ties=spm: the N most frequent\n"
             "characters; default: all"),
    CTOK_OPT(0, "coverage", "P", CLI_STR, &given.coverage,
             "the most frequent characters that are P of all there\n"
             "are; default: 1 for wordpiece, 0.9995 for a .model"),
    CTOK_OPT(0, "max-token-length", "N", CLI_COUNT, &given.max_token_length,
             "of a .model: N characters of a token at most; default:\n"
             "16; else what Hugging Face's max_token_length does:\n"
             "merge what has fewer than N characters (or bytes)"),
    CTOK_OPT(0, "byte-fallback", NULL, CLI_FLAG, &given.byte_fallback,
             "of a .model: 256 tokens for bytes of other characters"),
    CTOK_OPT(0, "required-chars", "TEXT", CLI_STR, &given.required,
             "of a .model: characters that are tokens in any case"),
    CTOK_OPT(0, "split-digits", NULL, CLI_FLAG, &given.split_digits,
             "of a .model: each digit is a token"),
    CTOK_OPT(0, "no-split-by-script", NULL, CLI_FLAG, &given.no_split_script,
             "of a .model: a token may be of several scripts"),
    CTOK_OPT(0, "no-split-by-number", NULL, CLI_FLAG, &given.no_split_number,
             "of a .model: a token may be of digits and letters"),
    CTOK_OPT(0, "hard-limit", NULL, CLI_FLAG, &given.hard_limit,
             "fewer tokens than --size are an error, not a warning"),
    CTOK_OPT(0, "unk-piece", "TEXT", CLI_STR, &ctok_words.unk_piece,
             "of a .model: the special token with <unk>'s use"),
    CTOK_OPT(0, "bos-piece", "TEXT", CLI_STR, &ctok_words.bos_piece, "... with <s>'s"),
    CTOK_OPT(0, "eos-piece", "TEXT", CLI_STR, &ctok_words.eos_piece, "... with </s>'s"),
    CTOK_OPT(0, "pad-piece", "TEXT", CLI_STR, &ctok_words.pad_piece, "... with <pad>'s"),
    CTOK_OPT(0, "unk-surface", "TEXT", CLI_STR, &given.unk_surface,
             "of a .model: what an unknown token decodes to"),
    CTOK_OPT(0, "seed-pieces", "N", CLI_COUNT, &given.seed_pieces,
             "of unigram: begin with N; default: 1000000"),
    CTOK_OPT(0, "shrink", "P", CLI_STR, &given.shrink,
             "of unigram: the share that a round keeps; default: 0.75"),
    CTOK_OPT(0, "em-steps", "N", CLI_COUNT, &given.em_steps,
             "of unigram: steps of a round; default: 2"),
    CTOK_OPT(0, "score", "SCORE", CLI_STR, &given.score,
             "of wordpiece: merge by count (the default), or by\n"
             "likelihood: count / (left count * right count)"),
    CTOK_WORDS_IN,
    CTOK_HEADING("Output:"),
    CTOK_OPT('o', NULL, "DIR", CLI_STR, &ctok_given.output,
             "write the vocabulary's files into DIR once all is done"),
    CTOK_RESOURCES,
    CTOK_TEMPORARY,
    CTOK_TELLING,
    CTOK_EXPLAIN,
    { 0 },
};

static const char examples[] =
    "Examples:\n"
    "  ctok train --model=bpe --size=32000 -o my-bpe corpus-*.txt.zst\n"
    "      my-bpe/vocab.json, merges.txt and tokenizer.json: byte-level, as GPT-2's\n"
    "  ctok train --model=wordpiece --size=30000 -m 4G -o my-bert corpus.txt\n"
    "  ctok encode -V my-bert --output=stream -o corpus.tok corpus.txt\n"
    "      a vocabulary of BERT's kind, and the corpus in it\n"
    "  ctok count --model=unigram -o part1.counts.zst part1.txt   # on one machine\n"
    "  ctok count --model=unigram -o part2.counts.zst part2.txt   # on another\n"
    "  ctok train --model=unigram --size=8000 --counts=part1.counts.zst \\\n"
    "      --counts=part2.counts.zst -o my-unigram\n"
    "      the same vocabulary as from both files at once\n";

static const char *const kind_names[] = { "WordPiece", "byte-level BPE",
                                          "SentencePiece BPE", "SentencePiece Unigram" };

/* ---- what the options say ---- */

static double choose_share(const char *option, const char *text, double usual)
{
    char *end;
    if (!text)
        return usual;
    double v = strtod(text, &end);
    if (end == text || *end || !(v > 0 && v <= 1))
        cli_misuse(true, "invalid --%s: %s (above 0, at most 1)", option,
                   tsl_quote(text).s);
    return v;
}

static struct tsl_slice utf8_of(const char *option, const char *text)
{
    struct tsl_slice s = { (const uint8_t *)text, text ? strlen(text) : 0 };
    if (tsl_tokfile_utf8_end(s) < s.len)
        cli_misuse(false, "--%s is not UTF-8: %s", option, tsl_quote(text).s);
    return s;
}

/* What is SentencePiece's alone. */
static void choose_spm(struct tsl_trainjob_opts *j)
{
    enum tsl_train_kind kind = j->spec.kind;
    bool spm = kind >= TSL_TRAIN_SPMBPE, unigram = kind == TSL_TRAIN_UNIGRAM;
    const struct {
        const char *option;
        bool given;
    } of_spm[] = {
        { "byte-fallback", given.byte_fallback },
        { "split-digits", given.split_digits },
        { "no-split-by-script", given.no_split_script },
        { "no-split-by-number", given.no_split_number },
        { "required-chars", given.required != NULL },
        { "unk-surface", given.unk_surface != NULL },
    };
    for (size_t i = 0; i < sizeof of_spm / sizeof *of_spm; i++)
        if (of_spm[i].given && !spm)
            cli_misuse(true, "--%s is for --model=unigram and --ties=spm",
                       of_spm[i].option);
    if ((given.seed_pieces || given.shrink || given.em_steps) && !unigram)
        cli_misuse(true,
                   "--seed-pieces, --shrink and --em-steps are for --model=unigram");
    j->spec.spm.byte_fallback = given.byte_fallback;
    j->spec.spm.split_digits = given.split_digits;
    j->spec.spm.split_by_unicode_script = !given.no_split_script;
    j->spec.spm.split_by_number = !given.no_split_number;
    j->spec.required_chars = utf8_of("required-chars", given.required);
    if (given.unk_surface)
        j->spec.spm.unk_surface = utf8_of("unk-surface", given.unk_surface);
    j->seed_size = (size_t)given.seed_pieces;
    j->shrink = choose_share("shrink", given.shrink, 0);
    if (given.em_steps > 100)
        cli_misuse(false, "--em-steps: at most 100");
    j->em_steps = (unsigned)given.em_steps;
}

static void choose_limits(struct tsl_trainjob_opts *j)
{
    enum tsl_train_kind kind = j->spec.kind;
    bool spm = kind >= TSL_TRAIN_SPMBPE, unigram = kind == TSL_TRAIN_UNIGRAM;
    if (!given.size)
        cli_misuse(true, "how large? --size is the number of tokens");
    if (given.size > TSL_SPM_PIECES_MAX)
        cli_misuse(false, "--size: at most %d", (int)TSL_SPM_PIECES_MAX);
    if (unigram && given.min_frequency != UINT64_MAX)
        cli_misuse(true, "--min-frequency is for --model=wordpiece and bpe");
    if (given.alphabet_limit && (unigram || kind == TSL_TRAIN_BYTEBPE))
        cli_misuse(true, "--alphabet-limit is for --model=wordpiece and --ties=spm");
    if (given.coverage && kind == TSL_TRAIN_BYTEBPE)
        cli_misuse(true, "byte-level bpe has all bytes: --coverage is for others");
    if (given.score && kind != TSL_TRAIN_WORDPIECE)
        cli_misuse(true, "--score is for --model=wordpiece");
    if (given.max_token_length == 1 && !spm)
        cli_misuse(false, "--max-token-length: at least 2");
    j->size = (size_t)given.size;
    j->min_count = ctok_words.min_count;
    j->min_frequency = given.min_frequency != UINT64_MAX ? given.min_frequency
                       : spm                             ? 1
                                                         : 2;
    j->alphabet_limit = (size_t)given.alphabet_limit;
    j->coverage = choose_share("coverage", given.coverage, spm ? 0.9995 : 1);
    j->max_token_length = (size_t)given.max_token_length;
    j->hard_limit = given.hard_limit;
    choose_spm(j);
    j->likelihood = cli_choose("score", given.score, "count\0likelihood\0");
    if (spm && given.max_token_length > TSL_UNITRAIN_CHARS_MAX)
        cli_misuse(false, "--max-token-length: at most %d for a .model",
                   (int)TSL_UNITRAIN_CHARS_MAX);
    if (spm && given.max_token_length)
        j->spec.spm.max_piece_chars = (int32_t)given.max_token_length;
    j->spec.spm.character_coverage = (float)j->coverage;
    if (!ctok_given.output)
        cli_misuse(true, "no folder for the vocabulary: -o names it");
    j->dir = ctok_given.output;
}

/* ---- telling ---- */

static void say_progress(const void *ctx, char *buf, size_t cap)
{
    const struct tsl_trainjob_progress *p = ctx;
    char a[16], b[16], c[16], total[40] = "";
    uint64_t of = atomic_load(&p->count.file_bytes_total);
    switch ((enum tsl_trainjob_step)atomic_load(&p->step)) {
    case TSL_TRAINJOB_COUNT:
        if (of)
            snprintf(total, sizeof total, " of %s", cli_bytes(b, of));
        snprintf(buf, cap, "counting words, %s%s read, %s on disk",
                 cli_bytes(a, atomic_load(&p->count.file_bytes_read)), total,
                 cli_bytes(c, atomic_load(&p->count.temp_bytes)));
        return;
    case TSL_TRAINJOB_MERGE:
        snprintf(buf, cap, "merging words, %" PRIu64, atomic_load(&p->words));
        return;
    case TSL_TRAINJOB_TRAIN:
        if (atomic_load(&p->uni.target))
            snprintf(buf, cap, "training, %" PRIu64 " pieces left, %" PRIu64 " wanted",
                     atomic_load(&p->uni.pieces), atomic_load(&p->uni.target));
        else if (atomic_load(&p->bpe.target))
            snprintf(buf, cap, "training, %" PRIu64 " of %" PRIu64 " tokens",
                     atomic_load(&p->bpe.tokens), atomic_load(&p->bpe.target));
        else
            snprintf(buf, cap, "training on %" PRIu64 " words", atomic_load(&p->words));
        return;
    case TSL_TRAINJOB_WRITE: snprintf(buf, cap, "writing"); return;
    }
}

static int write_stats(const struct tsl_trainjob_opts *j,
                       const struct tsl_trainjob_stats *st, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    tsl_json_str(&w, "tool", "ctok train");
    tsl_json_u64(&w, "schema", 1);
    tsl_json_str(&w, "model", kind_names[j->spec.kind]);
    tsl_json_u64(&w, "size", j->size);
    tsl_json_u64(&w, "tokens", st->tokens);
    tsl_json_u64(&w, "alphabet", st->alphabet);
    tsl_json_num(&w, "covered", st->covered);
    if (j->spec.kind == TSL_TRAIN_UNIGRAM) {
        tsl_json_u64(&w, "seed_pieces", st->seeds);
        tsl_json_u64(&w, "rounds", st->rounds);
    } else {
        tsl_json_u64(&w, "merges", st->merges);
        tsl_json_u64(&w, "last_merge_count", st->last_count);
    }
    ctok_count_stats(&w, &st->count, &st->sort);
    tsl_json_u64(&w, "rare_words", st->rare_words);
    tsl_json_u64(&w, "trained_words", st->words);
    tsl_json_u64(&w, "memory_bytes", j->count.memory);
    tsl_json_u64(&w, "train_bytes", st->train_bytes);
    tsl_json_u64(&w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(&w, "threads", j->count.nthreads);
    tsl_json_num(&w, "train_seconds", st->train_seconds);
    tsl_json_num(&w, "seconds", st->seconds);
    tsl_json_close(&w, '}');
    return cli_write_json(ctok_given.stats, &w, err);
}

static void print_closing(const struct tsl_trainjob_stats *st)
{
    char a[16], b[16];
    fprintf(stderr,
            "%s: %" PRIu64 " tokens from %" PRIu64 " different words, %s of text, %.2f s "
            "(%.2f counting, %.2f training), %s at most in memory\n",
            cli_name(), st->tokens, st->words, cli_bytes(a, st->count.bytes), st->seconds,
            st->count.seconds, st->train_seconds, cli_bytes(b, cli_peak_rss()));
}

static void print_tokens(const char *title, const struct tsl_slice *t, size_t n)
{
    printf("%-12s", title);
    for (size_t i = 0; i < n; i++)
        printf(" %s", tsl_tokfile_quote(t[i]).s);
    printf(n ? "\n" : " none\n");
}

static int explain(const struct tsl_trainjob_opts *j, struct tsl_err *err)
{
    const struct tsl_trainspec *s = &j->spec;
    printf("model        %s of %zu tokens\n", kind_names[s->kind], j->size);
    print_tokens("specials", s->specials, s->nspecials);
    if (s->nsymbols)
        print_tokens("symbols", s->symbols, s->nsymbols);
    if (s->kind != TSL_TRAIN_UNIGRAM)
        printf("merges       by %s, of pairs that came %" PRIu64 " times or more\n",
               j->likelihood ? "likelihood" : "count", j->min_frequency);
    if (s->kind != TSL_TRAIN_BYTEBPE)
        printf("alphabet     %.6g of all characters%s\n", j->coverage,
               s->spm.byte_fallback ? ", bytes for others" : "");
    int rc = ctok_explain_count(&j->count, s, err);
    if (rc < 0)
        return rc;
    printf("output      ");
    for (const char *const *name = tsl_trainfiles_names(s); *name; name++)
        printf(" %s/%s", tsl_quote(j->dir).s, *name);
    printf("\n");
    if (fflush(stdout) != 0 || ferror(stdout))
        return tsl_err_sys(err, errno, "write error");
    return tsl_trainfiles_check(j->dir, s, err);
}

static int run(struct tsl_trainjob_opts *j, enum cli_progress_when when,
               struct tsl_err *err)
{
    static struct tsl_trainjob_progress progress;
    struct tsl_trainjob_stats st;
    j->progress = &progress;
    cli_progress_say(say_progress, &progress);
    int rc = ctok_begin(j->count.paths, j->count.npaths, ctok_given.stats,
                        &progress.count, when, err);
    if (rc == 0)
        rc = tsl_trainjob_run(j, &st, err);
    cli_progress_stop();
    if (rc < 0)
        return rc;
    ctok_count_warnings(&st.count);
    if (st.tokens < j->size && !ctok_given.quiet)
        cli_warn("%" PRIu64 " tokens, fewer than --size: the words give no more",
                 st.tokens);
    if (ctok_given.stats)
        rc = write_stats(j, &st, err);
    if (rc == 0 && ctok_closes())
        print_closing(&st);
    return rc;
}

static int train(char **operands, size_t n, struct tsl_err *err)
{
    struct tsl_trainjob_opts j = { 0 };
    struct tsl_tokfile_spm *from = NULL;
    enum cli_progress_when when = ctok_progress_when();
    int rc = ctok_spec(&j.spec, &from, err);
    if (rc == 0) {
        choose_limits(&j);
        rc = ctok_count_opts(&j.count, operands, n, err);
    }
    if (rc == 0)
        rc = ctok_given.explain ? explain(&j, err) : run(&j, when, err);
    tsl_tokfile_spm_destroy(from);
    ctok_free_paths(j.count.npaths ? j.count.paths : NULL);
    return rc;
}

const struct ctok_command ctok_train = {
    .name = "train",
    .usage = "--model=MODEL --size=N -o DIR [OPTION]... [FILE]...",
    .summary =
        "Make a vocabulary of the words in texts: out of core, the same whatever the\n"
        "memory, threads or order of the FILEs.",
    .notes = ctok_notes,
    .examples = examples,
    .opts = opts,
    .run = train,
};

/* cmask - documents of token ids into training samples: next sentences, sentence order, masks;
 * one recipe from (seed, epoch, sample), or the peers' own, draw for draw. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/key.h"
#include "base/parse.h"
#include "base/quote.h"
#include "cli.h"
#include "cli_progress.h"
#include "cmask_vocab.h"
#include "io/outfile.h"
#include "par/thread.h"
#include "samples/maskjob.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

static struct {
    const char *compat, *vocab, *input, *format, *output, *unit, *split, *mask_prob,
        *short_prob;
    const char *seed, *temp, *stats, *progress, *compress, *lone;
    uint64_t length, dupes, copies, epoch, predictions, ngram, np_seed, memory, nthreads,
        window;
    bool dynamic, whole_word, favor_longer, permute, python2, cut_words, draw_specials;
    bool across, quiet, verbose, join;
} given = { .length = UINT64_MAX,
            .dupes = UINT64_MAX,
            .predictions = UINT64_MAX,
            .ngram = UINT64_MAX,
            .copies = UINT64_MAX,
            .np_seed = UINT64_MAX };

#define OPT(letter, name, arg, kind, to, help)                                           \
    {                                                                                    \
        letter, name, arg, kind, to, help, NULL, false                                   \
    }
#define HEADING(text)                                                                    \
    {                                                                                    \
        .kind = CLI_TEXT, .help = text                                                   \
    }

static const struct cli_opt opts[] = {
    HEADING("Samples:"),
    OPT(0, "seq-length", "N", CLI_COUNT, &given.length,
        "tokens of a sample, [CLS] and [SEP] included; default: 128"),
    OPT(0, "short-prob", "P", CLI_STR, &given.short_prob,
        "so many samples aim at a shorter length; default: .1"),
    OPT(0, "static", "N", CLI_COUNT, &given.copies,
        "N copies, each with pairs and masks of its own, written out"),
    OPT(0, "dynamic", NULL, CLI_FLAG, &given.dynamic,
        "one copy, not masked: whoever reads it masks it anew each\n"
        "epoch (the default)"),
    OPT('s', "seed", "N", CLI_STR, &given.seed,
        "the same N gives the same samples; default: 0, with\n"
        "--compat the script's own; random: draws one and tells it"),
    OPT(0, "epoch", "E", CLI_COUNT, &given.epoch, "of pairs and masks; default: 0"),
    OPT(0, "lone", "HOW", CLI_STR, &given.lone,
        "documents of one sentence: split (at a word, the default),\n"
        "random (a random partner, as the scripts do), drop"),
    OPT(0, "window", "N", CLI_COUNT, &given.window,
        "partners come from the N documents before; default: all"),
    OPT(0, "cut-words", NULL, CLI_FLAG, &given.cut_words,
        "cut what is too long within words, as the scripts do"),
    HEADING("Masks (of --static; else they go into the recipe):"),
    OPT(0, "mask-prob", "P", CLI_STR, &given.mask_prob,
        "share of a sample's tokens; default: .15"),
    OPT(0, "max-predictions", "N", CLI_COUNT, &given.predictions,
        "at most N in a sample; default: no limit, of --compat: 20"),
    OPT(0, "whole-word", NULL, CLI_FLAG, &given.whole_word, "mask whole words"),
    OPT(0, "unit", "UNIT", CLI_STR, &given.unit,
        "token, word, ngram (ALBERT), macbert or span (SpanBERT)"),
    OPT(0, "ngram", "N", CLI_COUNT, &given.ngram,
        "of ngram: runs of up to N words; default: 3"),
    OPT(0, "split", "M/R/K", CLI_STR, &given.split,
        "of the places, M per cent show [MASK], R a random token, K\n"
        "what was there; default: 80/10/10"),
    OPT(0, "draw-specials", NULL, CLI_FLAG, &given.draw_specials,
        "random tokens may be special ones, as the scripts draw them"),
    OPT(0, "across-sep", NULL, CLI_FLAG, &given.across,
        "words go on behind [SEP], as in the scripts"),
    HEADING("As the peers' scripts, draw for draw:"),
    OPT(0, "compat", "SCRIPT", CLI_STR, &given.compat,
        "bert, albert or electra: what google-research's scripts\n"
        "write for the same documents, options and seed"),
    OPT(0, "dupe-factor", "N", CLI_COUNT, &given.dupes,
        "passes over the documents; default: 10, of albert 40"),
    OPT(0, "python2", NULL, CLI_FLAG, &given.python2, "as under Python 2"),
    OPT(0, "np-seed", "N", CLI_COUNT, &given.np_seed,
        "of albert, which never seeds numpy; default: the seed"),
    OPT(0, "favor-longer-ngram", NULL, CLI_FLAG, &given.favor_longer,
        "of albert: longer runs are likelier"),
    OPT(0, "permute", NULL, CLI_FLAG, &given.permute, "of albert: do_permutation"),
    OPT(0, "join-docs", NULL, CLI_FLAG, &given.join,
        "of electra: documents go on into each other"),
    HEADING("Input and output:"),
    OPT('V', "vocab", "FILE", CLI_STR, &given.vocab,
        "a vocabulary as ctok takes it: its special tokens, and of\n"
        "jsonl where words start; streams of ctok know both"),
    OPT(0, "input", "KIND", CLI_STR, &given.input,
        "stream (what ctok writes, the default), or jsonl: a document\n"
        "a line, [[id, ...], ...], its sentences"),
    OPT('o', NULL, "FILE", CLI_STR, &given.output, "write to FILE once all is done"),
    OPT(0, "output", "FORMAT", CLI_STR, &given.format,
        "stream (native records, the default), or jsonl: the fields\n"
        "that the scripts give them"),
    OPT(0, "compress", "CODEC", CLI_STR, &given.compress,
        "of stream: zstd[:LEVEL] or none; default: zstd into files,\n"
        "none into pipes"),
    HEADING("Resources (none of them changes the output):"),
    OPT('m', "memory", "SIZE", CLI_SIZE, &given.memory,
        "hold at most SIZE in memory, and 16M beside it; default:\n"
        "a quarter of what this process may use"),
    OPT('j', "threads", "N", CLI_COUNT, &given.nthreads,
        "use N threads; default: one a processor"),
    OPT('T', "temporary-directory", "DIR", CLI_STR, &given.temp,
        "where documents go that memory does not hold; default:\n"
        "$TMPDIR, else /tmp"),
    HEADING("Telling:"),
    OPT('q', "quiet", NULL, CLI_FLAG, &given.quiet,
        "no progress unless --progress=always, no closing line"),
    OPT('v', "verbose", NULL, CLI_FLAG, &given.verbose,
        "tell what was done in a closing line"),
    OPT(0, "stats", "FILE", CLI_STR, &given.stats, "write counts to FILE, as JSON"),
    OPT(0, "progress", "WHEN", CLI_STR, &given.progress,
        "auto (on a terminal, after a second), always, never;\n"
        "SIGUSR1 asks for a line at any time"),
    { 0 },
};

static const char notes[] =
    "OBJECTIVE: nsp (next sentence) or sop (sentence order), each with masked tokens;\n"
    "with --compat=electra: electra.  With no FILE, or when FILE is -, standard input.\n"
    "What comes out depends on documents, options, seed and epoch alone: not on memory\n"
    "or threads.  A document's own draws are a function of its number, so samples can\n"
    "be made anywhere and in any order.  --compat needs all instances' order in memory,\n"
    "some 50 bytes each.\n"
    "Exit status 0: done; 1: anything else, and then an output file has not appeared.\n"
    "\n"
    "Examples:\n"
    "  ctok encode -V bert/vocab.txt --input=jsonl --split-sentences --output=stream \\\n"
    "      corpus.jsonl.zst | cmask nsp --seq-length=128 -o samples.tslrec\n"
    "      samples for dynamic masking: each epoch's reader masks them anew\n"
    "  cmask nsp --compat=bert --dupe-factor=5 -V bert/vocab.txt --output=jsonl "
    "corpus.tok\n"
    "      the instances of create_pretraining_data.py, byte for byte\n";

static int choose(const char *option, const char *word, const char *words)
{
    int i = 0;
    if (!word)
        return 0;
    for (const char *w = words; *w; w += strlen(w) + 1, i++)
        if (strcmp(w, word) == 0)
            return i;
    cli_misuse(true, "invalid --%s: %s", option, tsl_quote(word).s);
}

static double share(const char *option, const char *text, double otherwise)
{
    double v = otherwise;
    if (text && !tsl_parse_share(text, &v))
        cli_misuse(true, "invalid --%s: %s (a share, as .15 or 15%%)", option,
                   tsl_quote(text).s);
    return v;
}

static uint32_t count(uint64_t n, uint64_t otherwise, const char *option, uint64_t max)
{
    if (n == UINT64_MAX)
        return (uint32_t)otherwise;
    if (n > max)
        cli_misuse(true, "--%s: at most %" PRIu64, option, max);
    return (uint32_t)n;
}

static uint64_t seed(uint64_t otherwise)
{
    uint64_t n = otherwise;
    if (given.seed && strcmp(given.seed, "random") == 0) {
        n = tsl_key_random_seed();
        cli_warn("seed %" PRIu64, n);
    } else if (given.seed && !tsl_parse_u64(given.seed, &n, NULL)) {
        cli_misuse(true, "invalid --seed: %s", tsl_quote(given.seed).s);
    }
    return n;
}

static void masks(struct tsl_mlm_opts *m)
{
    int unit = choose("unit", given.unit, "token\0word\0ngram\0macbert\0span\0");
    *m = tsl_mlm_defaults();
    m->rate = share("mask-prob", given.mask_prob, m->rate);
    m->masks_max = count(given.predictions, 0, "max-predictions", UINT16_MAX);
    m->draw_specials = given.draw_specials;
    m->across_specials = given.across;
    if (given.whole_word && given.unit && unit == 0)
        cli_misuse(true, "--whole-word masks words, --unit=token tokens: only one");
    if (unit == 0)
        m->unit = given.whole_word ? TSL_MLM_WORDS : TSL_MLM_TOKENS;
    else if (unit == 1)
        m->unit = TSL_MLM_WORDS;
    else if (unit == 4) {
        m->unit = TSL_MLM_SPANS;
        tsl_mlm_weights_geometric(m, .2, 10);
    } else {
        m->unit = TSL_MLM_NGRAMS;
        if (unit == 3)
            tsl_mlm_weights_macbert(m);
        else
            tsl_mlm_weights_albert(m,
                                   count(given.ngram, 3, "ngram", TSL_MLM_WEIGHTS_MAX));
    }
    if (given.split) {
        double a, b, c;
        char end;
        if (sscanf(given.split, "%lf/%lf/%lf%c", &a, &b, &c, &end) != 3 || a < 0 ||
            b < 0 || c < 0 || a + b + c <= 0)
            cli_misuse(true, "invalid --split: %s (as 80/10/10)",
                       tsl_quote(given.split).s);
        m->mask_share = a / (a + b + c);
        m->random_share = b / (a + b + c);
    }
}

static void compat_pair(struct tsl_compat_pair_opts *b, const struct cmask_vocab *v)
{
    b->seed = seed(b->seed);
    b->tokens_max = count(given.length, b->tokens_max, "seq-length", UINT16_MAX);
    b->masks_max = count(given.predictions, b->masks_max, "max-predictions", UINT16_MAX);
    b->dupes = count(given.dupes, b->dupes, "dupe-factor", UINT32_MAX);
    b->mask_rate = share("mask-prob", given.mask_prob, b->mask_rate);
    b->short_rate = share("short-prob", given.short_prob, b->short_rate);
    b->whole_words |= given.whole_word;
    b->python2 = given.python2;
    b->continues = v->continues;
}

/* What the objective and --compat ask for. */
static void recipe(struct tsl_maskjob_opts *o, const char *objective,
                   const struct cmask_vocab *v)
{
    int compat = choose("compat", given.compat, "none\0bert\0albert\0electra\0");
    bool nsp = strcmp(objective, "nsp") == 0, sop = strcmp(objective, "sop") == 0;
    bool mlm = strcmp(objective, "mlm") == 0;
    o->objective = objective;
    if (compat == 1 && !nsp && !mlm)
        cli_misuse(true, "--compat=bert makes nsp (or mlm, which is the same there)");
    if (compat == 2 && !nsp && !sop && !mlm)
        cli_misuse(true, "--compat=albert makes sop (or mlm, the same), or nsp");
    if ((compat == 3) != (strcmp(objective, "electra") == 0))
        cli_misuse(true, "electra and --compat=electra go together");
    if (compat == 0 && !nsp && !sop)
        cli_misuse(true, "no objective is called %s here: nsp or sop",
                   tsl_quote(objective).s);
    masks(&o->mlm);
    o->seed = seed(0);
    if (compat == 1) {
        o->kind = TSL_MASKJOB_COMPAT_BERT;
        o->bert = tsl_compat_bert_defaults();
        compat_pair(&o->bert, v);
    } else if (compat == 2) {
        o->kind = TSL_MASKJOB_COMPAT_ALBERT;
        o->albert = tsl_compat_albert_defaults();
        compat_pair(&o->albert.pair, v);
        o->albert.ngram = count(given.ngram, o->albert.ngram, "ngram", 64);
        o->albert.favor_longer = given.favor_longer;
        o->albert.permute = given.permute;
        o->albert.random_next = nsp;
        o->albert.np_seed = given.np_seed == UINT64_MAX ? (uint32_t)o->albert.pair.seed
                                                        : (uint32_t)given.np_seed;
    } else if (compat == 3) {
        o->kind = TSL_MASKJOB_COMPAT_ELECTRA;
        o->electra = (struct tsl_compat_electra_opts){
            .seed = seed(12345),
            .tokens_max = count(given.length, 128, "seq-length", UINT16_MAX),
            .join = given.join,
        };
    } else {
        o->kind = TSL_MASKJOB_PAIR;
        o->pair = tsl_pair_defaults();
        o->pair.kind = nsp ? TSL_PAIR_NEXT : TSL_PAIR_ORDER;
        o->pair.tokens_max = count(given.length, 128, "seq-length", UINT16_MAX);
        o->pair.short_rate = share("short-prob", given.short_prob, o->pair.short_rate);
        o->pair.lone =
            (enum tsl_pair_lone)choose("lone", given.lone, "split\0random\0drop\0");
        o->pair.window = given.window;
        o->pair.cut_words = given.cut_words;
    }
    if (compat && (given.copies != UINT64_MAX || given.dynamic))
        cli_misuse(true,
                   "--compat writes masked instances: --static and --dynamic are of "
                   "the other recipes");
    if (given.copies != UINT64_MAX && given.dynamic)
        cli_misuse(true, "--static and --dynamic: only one");
    o->copies = count(given.copies, 0, "static", 1 << 20);
    o->epoch = given.epoch;
}

static int zstd_level(void)
{
    enum tsl_codec codec = given.output ? TSL_CODEC_ZSTD : TSL_CODEC_NONE;
    int level = 0;
    if (given.compress &&
        (!tsl_codec_parse(given.compress, &codec, &level) || codec == TSL_CODEC_GZIP))
        cli_misuse(true, "invalid --compress: %s (zstd[:1-19] or none)",
                   tsl_quote(given.compress).s);
    return codec == TSL_CODEC_ZSTD ? level ? level : 3 : 0;
}

static double per(uint64_t n, uint64_t of)
{
    return of ? (double)n / (double)of : 0;
}

static void put_counts(struct tsl_json *w, const struct tsl_maskjob_opts *o,
                       const struct tsl_maskjob_stats *st)
{
    tsl_json_str(w, "tool", "cmask");
    tsl_json_u64(w, "schema", 1);
    tsl_json_str(w, "objective", o->objective);
    tsl_json_u64(w, "documents", st->docs.ndocs);
    tsl_json_u64(w, "documents_empty", st->docs.empty);
    tsl_json_u64(w, "documents_of_one_sentence", st->docs.lone);
    tsl_json_u64(w, "sentences", st->docs.nsents);
    tsl_json_u64(w, "tokens_in", st->docs.ntokens);
    tsl_json_u64(w, "samples", st->samples);
    tsl_json_u64(w, "tokens", st->tokens);
    tsl_json_num(w, "mean_length", per(st->tokens, st->samples));
    tsl_json_u64(w, "label1", st->label1);
    tsl_json_num(w, "label1_share", per(st->label1, st->samples));
    tsl_json_u64(w, "masked", st->masked);
    tsl_json_num(w, "masked_share", per(st->masked, st->tokens));
    if (st->mlm.samples) {
        tsl_json_open(w, "mask", '{');
        tsl_json_u64(w, "asked", st->mlm.asked);
        tsl_json_u64(w, "got", st->mlm.got);
        tsl_json_u64(w, "shown_mask", st->mlm.masked);
        tsl_json_u64(w, "shown_random", st->mlm.random);
        tsl_json_u64(w, "shown_kept", st->mlm.kept);
        tsl_json_u64(w, "samples_short_of_it", st->mlm.short_samples);
        tsl_json_close(w, '}');
    }
    if (o->kind == TSL_MASKJOB_PAIR) {
        tsl_json_u64(w, "tokens_cut", st->pair.tokens_cut);
        tsl_json_u64(w, "words_cut", st->pair.words_cut);
        tsl_json_u64(w, "lone_split", st->pair.lone_split);
        tsl_json_u64(w, "lone_random", st->pair.lone_random);
        tsl_json_u64(w, "lone_dropped", st->pair.lone_dropped);
        tsl_json_u64(w, "without_partner", st->pair.without_partner);
        tsl_json_u64(w, "partner_of_the_only_document", st->pair.one_document);
    }
    tsl_json_open(w, "length_16ths", '[');
    for (size_t i = 0; i < 17; i++)
        tsl_json_u64(w, NULL, st->lengths[i]);
    tsl_json_close(w, ']');
    tsl_json_u64(w, "bytes_out", st->bytes_out);
    tsl_json_u64(w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(w, "threads", st->nthreads);
    tsl_json_num(w, "seconds", st->seconds);
}

static int write_stats(const struct tsl_maskjob_opts *o,
                       const struct tsl_maskjob_stats *st, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    struct tsl_sink sink;
    struct tsl_sink_opts so = { TSL_CODEC_NONE, 0, NULL, 1 };
    tsl_json_open(&w, NULL, '{');
    put_counts(&w, o, st);
    tsl_json_close(&w, '}');
    int rc = tsl_json_end(&w, err);
    if (rc == 0)
        rc = tsl_sink_open(&sink, strcmp(given.stats, "-") ? given.stats : NULL, false,
                           &so, err);
    if (rc == 0) {
        rc = tsl_sink_write(&sink, w.text, w.len, err);
        if (rc == 0)
            rc = tsl_sink_done(&sink, err);
        if (rc == 0)
            rc = tsl_sink_commit(&sink, err);
        tsl_sink_close(&sink);
    }
    tsl_json_fini(&w);
    return rc;
}

/* What a user should know although all went well. */
static void warn_of(const struct tsl_maskjob_stats *st)
{
    if (given.quiet)
        return;
    if (st->docs.ndocs > 1 && st->docs.lone == st->docs.ndocs)
        cli_warn("every document has one sentence: were lines shuffled, or sentences not "
                 "split (ctok encode --split-sentences)?");
    if (st->pair.one_document)
        cli_warn("there is one document only: random partners are of itself");
}

static enum cli_progress_when progress_when(void)
{
    int when = choose("progress", given.progress, "auto\0always\0never\0");
    if (when == 1)
        return CLI_PROGRESS_ALWAYS;
    return when == 2 || given.quiet ? CLI_PROGRESS_NEVER : CLI_PROGRESS_AUTO;
}

int main(int argc, char **argv)
{
    static char dash[] = "-", *standard_input[] = { dash, NULL };
    struct tsl_err err = { 0 };
    struct tsl_progress progress = { 0 };
    struct tsl_maskjob_stats st;
    struct cmask_vocab vocab = { .specials = { -1, -1, -1, -1, -1, -1, -1 } };
    size_t n;
    tsl_file_guard_std();
    struct cli_tool tool = { .name = "cmask",
                             .usage = "OBJECTIVE [OPTION]... [FILE]...",
                             .summary =
                                 "Turn documents of token ids into training samples.",
                             .epilog = notes,
                             .opts = opts,
                             .memory = cli_memory() };
    given.memory = tool.memory / 4;
    char **operands = cli_parse(&tool, argc, argv, &n);
    if (n == 0)
        cli_misuse(true, "which objective? nsp, sop or electra");
    struct tsl_maskjob_opts o = { .made_by = "cmask (teasel) " TSL_VERSION };
    int rc =
        given.vocab
            ? cmask_vocab_open(&vocab, given.vocab,
                               given.compat && strcmp(given.compat, "albert") == 0, &err)
            : 0;
    if (rc == 0) {
        const char *tmp = getenv("TMPDIR");
        recipe(&o, operands[0], &vocab);
        o.special = vocab.specials;
        o.docs.paths = n > 1 ? operands + 1 : standard_input;
        o.docs.npaths = n > 1 ? n - 1 : 1;
        o.docs.jsonl = choose("input", given.input, "stream\0jsonl\0");
        o.docs.continues = vocab.continues;
        o.docs.vocab_size = vocab.specials.vocab_size;
        o.docs.temp_dir = given.temp ? given.temp : tmp && *tmp ? tmp : "/tmp";
        o.output = given.output;
        o.jsonl = choose("output", given.format, "stream\0jsonl\0");
        o.zstd_level = zstd_level();
        o.memory = given.memory;
        o.nthreads = given.nthreads
                         ? (unsigned)(given.nthreads < 256 ? given.nthreads : 256)
                         : tsl_thread_cpus();
        o.progress = &progress;
        enum cli_progress_when when = progress_when();
        atomic_store(&progress.one_pass, 1);
        rc = tsl_outfile_check(given.output, &err);
        if (rc == 0) {
            cli_progress_start(&progress, when);
            rc = tsl_maskjob_run(&o, &st, &err);
            cli_progress_stop();
        }
    }
    if (rc == 0)
        warn_of(&st);
    if (rc == 0 && given.stats)
        rc = write_stats(&o, &st, &err);
    if (rc == 0 && !given.quiet && (given.verbose || cli_progress_shown()))
        fprintf(stderr,
                "%s: %" PRIu64 " samples of %" PRIu64
                " documents, %.1f tokens each, %.1f %% "
                "masked, %.2f s\n",
                cli_name(), st.samples, st.docs.ndocs, per(st.tokens, st.samples),
                100 * per(st.masked, st.tokens), st.seconds);
    cmask_vocab_close(&vocab);
    return cli_finish(rc, &err);
}

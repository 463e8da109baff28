/* cmask - documents of token ids into training samples: next sentences, sentence order, masks;
 * one recipe from (seed, epoch, sample), or the peers' own, draw for draw. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/key.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/quote.h"
#include "cli.h"
#include "cli_progress.h"
#include "cli_run.h"
#include "cmask_scope.h"
#include "cmask_synonyms.h"
#include "cmask_vocab.h"
#include "io/file.h"
#include "io/outfile.h"
#include "par/thread.h"
#include "samples/maskjob.h"

#ifndef TSL_VERSION
#define TSL_VERSION "0.1"
#endif

static struct {
    const char *pack, *noise, *mean_span, *sentinel, *compat, *vocab, *input, *format,
        *output, *unit, *split, *mask_prob, *short_prob;
    const char *seed, *temp, *stats, *progress, *compress, *lone, *window, *synonyms;
    uint64_t overlap, sentinels, length, dupes, copies, epoch, predictions, ngram,
        np_seed, memory, nthreads;
    bool positions, roll, separator, drop_last;
    bool dynamic, whole_word, favor_longer, permute, python2, cut_words, draw_specials;
    bool across, quiet, verbose, join, independent;
} given = { .overlap = UINT64_MAX,
            .sentinels = UINT64_MAX,
            .length = UINT64_MAX,
            .dupes = UINT64_MAX,
            .predictions = UINT64_MAX,
            .ngram = UINT64_MAX,
            .copies = UINT64_MAX,
            .epoch = UINT64_MAX,
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
    OPT(0, "window", "N", CLI_STR, &given.window,
        "of nsp: partners are of the N documents before, or all: of\n"
        "any in the input; default: all, where a pipe is read 8192"),
    OPT(0, "cut-words", NULL, CLI_FLAG, &given.cut_words,
        "cut what is too long within words, as the scripts do"),
    HEADING("Packing (of clm, mlm, span, ul2, prefix, unilm, plm, mae):"),
    OPT(0, "pack", "HOW", CLI_STR, &given.pack,
        "stream (cut every --seq-length tokens), sentences (whole\n"
        "ones, across documents: FULL-SENTENCES), docs (the same\n"
        "within a document), bestfit (no document is cut that fits),\n"
        "bert4keras; default: stream, of mlm, unilm, plm and mae\n"
        "sentences"),
    OPT(0, "overlap", "N", CLI_COUNT, &given.overlap,
        "of stream: samples have N tokens more, with which the next\n"
        "one begins; default: 0"),
    OPT(0, "positions", NULL, CLI_FLAG, &given.positions,
        "positions that start anew with each document's piece"),
    OPT(0, "drop-last", NULL, CLI_FLAG, &given.drop_last,
        "of stream: leave out a last sample that is not full"),
    HEADING("Spans and prefixes (of span, ul2, prefix, unilm):"),
    OPT(0, "noise", "P", CLI_STR, &given.noise,
        "of span: share of tokens that are taken out; default: .15"),
    OPT(0, "mean-span", "N", CLI_STR, &given.mean_span,
        "of span: mean length of a span; default: 3"),
    OPT(0, "sentinel", "ID", CLI_STR, &given.sentinel,
        "the first sentinel, the others count down from it; default:\n"
        "the vocabulary's last id"),
    OPT(0, "sentinels", "N", CLI_COUNT, &given.sentinels, "how many; default: 100"),
    OPT(0, "random-roll", NULL, CLI_FLAG, &given.roll,
        "turn the pattern of spans, so that any token may end one"),
    OPT(0, "separator", NULL, CLI_FLAG, &given.separator,
        "of prefix: [SEP] behind the prefix, as bert4keras has it"),
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
    OPT(0, "synonyms", "FILE", CLI_STR, &given.synonyms,
        "similar words in the place of [MASK] (MacBERT): a line is a\n"
        "word and, behind tabs, similar ones of as many tokens: texts,\n"
        "or without --vocab ids; a word without any: random tokens"),
    OPT(0, "independent", NULL, CLI_FLAG, &given.independent,
        "each token, or with --whole-word each word, is chosen by a\n"
        "draw of its own, as in bert4keras"),
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
        "a line, [[id, ...], ...], its sentences, or [id, ...], one"),
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
    OPT(0, "stats", "FILE", CLI_STR, &given.stats,
        "write counts and the recipe to FILE, as JSON"),
    OPT(0, "progress", "WHEN", CLI_STR, &given.progress,
        "auto (on a terminal, after a second), always, never;\n"
        "SIGUSR1 asks for a line at any time"),
    { 0 },
};

static const char notes[] =
    "OBJECTIVE: mlm (masked tokens), nsp and sop (next sentence, sentence order, with\n"
    "masked tokens), clm (packing for causal models), span (T5), ul2, prefix, unilm,\n"
    "plm (XLNet), electra (two segments), mae (tokens dropped, places kept).\n"
    "With no FILE, or when FILE is -, standard input.\n"
    "What comes out depends on documents, options, seed and epoch alone: not on memory\n"
    "or threads.  A document's own draws are a function of its number, so samples can\n"
    "be made anywhere and in any order.\n"
    "Samples come out while a pipe is still open.  nsp draws the partners there from a\n"
    "window of documents, so these should come shuffled (cshuf): who has no more than\n"
    "--window and one has the same samples as from a file, where any document may be\n"
    "drawn; --window=all keeps a pipe's documents for that, --window=8192 makes a\n"
    "file's samples those of a pipe.  All documents are kept for --pack=bestfit, for\n"
    "--static=2 and more, and for --compat, too; files that ctok wrote with\n"
    "--compress=none are not copied, but read where they lie.  --compat needs all\n"
    "instances' order in memory, some 50 bytes each.\n"
    "Exit status 0: done; 1: anything else, and then an output file has not appeared.\n"
    "\n"
    "Examples:\n"
    "  ctok encode -V bert/vocab.txt --input=jsonl --split-sentences --output=stream \\\n"
    "      corpus.jsonl.zst | cmask nsp --seq-length=128 -o samples.tslrec\n"
    "      samples for dynamic masking: each epoch's reader masks them anew\n"
    "  cmask nsp --compat=bert --dupe-factor=5 -V bert/vocab.txt --output=jsonl "
    "corpus.tok\n"
    "      the instances of create_pretraining_data.py, byte for byte\n"
    "  cmask clm --seq-length=1024 gpt2.tok | cshard -f mds -o train\n"
    "      blocks of 1024 tokens, with where each document's piece ends\n";

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

static void masks(struct tsl_mlm_opts *m, const struct cmask_synonyms *similar)
{
    int unit = cli_choose("unit", given.unit, "token\0word\0ngram\0macbert\0span\0");
    *m = tsl_mlm_defaults();
    m->rate = share("mask-prob", given.mask_prob, m->rate);
    m->masks_max = count(given.predictions, 0, "max-predictions", UINT16_MAX);
    m->draw_specials = given.draw_specials;
    m->across_specials = given.across;
    m->independent = given.independent;
    m->synonyms = given.synonyms ? &similar->table : NULL;
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

static void compat_pair(struct tsl_compat_pair_opts *b, uint64_t seed,
                        const struct cmask_vocab *v)
{
    b->seed = seed;
    b->tokens_max = count(given.length, b->tokens_max, "seq-length", UINT16_MAX);
    b->masks_max = count(given.predictions, b->masks_max, "max-predictions", UINT16_MAX);
    b->dupes = count(given.dupes, b->dupes, "dupe-factor", UINT32_MAX);
    b->mask_rate = share("mask-prob", given.mask_prob, b->mask_rate);
    b->short_rate = share("short-prob", given.short_prob, b->short_rate);
    b->whole_words |= given.whole_word;
    b->python2 = given.python2;
    b->continues = v->continues;
}

/* ---- recipes ---- */

enum { OF_PAIRS, OF_SEGMENTS, OF_PACKS };
enum { WINDOW_OF_PIPES = 8192 };

static const struct objective {
    const char *name;
    int of;
    enum tsl_denoise_kind denoise;
    const char *pack; /* unless --pack says otherwise */
} objectives[] = {
    { "mlm", OF_PACKS, TSL_DENOISE_MLM, "sentences" },
    { "nsp", OF_PAIRS, TSL_DENOISE_MLM, NULL },
    { "sop", OF_PAIRS, TSL_DENOISE_MLM, NULL },
    { "clm", OF_PACKS, TSL_DENOISE_NONE, "stream" },
    { "span", OF_PACKS, TSL_DENOISE_SPAN, "stream" },
    { "ul2", OF_PACKS, TSL_DENOISE_SPAN, "stream" },
    { "prefix", OF_PACKS, TSL_DENOISE_PREFIX, "stream" },
    { "unilm", OF_PACKS, TSL_DENOISE_UNILM, "sentences" },
    { "plm", OF_PACKS, TSL_DENOISE_PLM, "sentences" },
    { "mae", OF_PACKS, TSL_DENOISE_MAE, "sentences" },
    { "electra", OF_SEGMENTS, TSL_DENOISE_NONE, NULL },
};

static const struct objective *objective_of(const char *name)
{
    for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++)
        if (strcmp(objectives[i].name, name) == 0)
            return &objectives[i];
    cli_misuse(
        true,
        "no objective is called %s: mlm, nsp, sop, clm, span, ul2, prefix, unilm, plm, "
        "electra or mae",
        tsl_quote(name).s);
}

/* The raw length of samples that are no longer than length once spans are taken out: of
 * several denoisers the least. */
static uint32_t raw_length(const struct tsl_span_opts *o, uint32_t length)
{
    uint32_t least = UINT32_MAX;
    for (unsigned i = 0; i < o->ndenoisers; i++) {
        const struct tsl_span_denoiser *d = &o->denoisers[i];
        uint32_t raw = length, targets, mode = d->mode >= 0;
        if (d->kind == TSL_SPAN_NOISE)
            tsl_span_lengths(length - mode, d->density, d->mean_span, &raw, &targets);
        else
            raw -= mode + (o->eos >= 0);
        least = raw < least ? raw : least;
    }
    return least;
}

static int spans(struct tsl_maskjob_opts *o, const struct tsl_special_ids *x,
                 struct tsl_err *err)
{
    struct tsl_span_opts *s = &o->denoise.span;
    uint64_t sentinel = x->vocab_size - 1;
    double mean;
    int64_t eos = x->eos >= 0 ? x->eos : x->sep;
    if (given.sentinel &&
        (!tsl_parse_u64(given.sentinel, &sentinel, NULL) || sentinel >= x->vocab_size))
        return tsl_err_set(err, TSL_EUSAGE, "invalid --sentinel: %s (ids are below %u)",
                           tsl_quote(given.sentinel).s, x->vocab_size);
    *s = strcmp(o->objective, "ul2") == 0 ? tsl_span_ul2(x->vocab_size, eos, -1, -1, -1)
                                          : tsl_span_t5(x->vocab_size, eos);
    s->sentinel = (uint32_t)sentinel;
    s->nsentinels = count(given.sentinels, s->nsentinels, "sentinels", x->vocab_size);
    s->roll = given.roll;
    s->denoisers[0].density = share("noise", given.noise, s->denoisers[0].density);
    if (given.mean_span) {
        char end;
        if (sscanf(given.mean_span, "%lf%c", &mean, &end) != 1 || !(mean >= 1))
            return tsl_err_set(err, TSL_EUSAGE, "invalid --mean-span: %s (1 or more)",
                               tsl_quote(given.mean_span).s);
        s->denoisers[0].mean_span = mean;
    }
    o->pack.tokens_max = raw_length(s, o->pack.tokens_max);
    return 0;
}

/* Packing, and what else needs ids that only the stream knows. */
static int specials_known(struct tsl_maskjob_opts *o, const struct tsl_special_ids *x,
                          struct tsl_err *err)
{
    const struct objective *obj = objective_of(o->objective);
    const char *how = given.pack ? given.pack : obj->pack;
    if (obj->of != OF_PACKS)
        return 0;
    switch (cli_choose("pack", how, "stream\0sentences\0docs\0bestfit\0bert4keras\0")) {
    case 1: o->pack = tsl_pack_roberta(x); break;
    case 2:
        o->pack = tsl_pack_roberta(x);
        o->pack.mode = TSL_PACK_DOC_SENTENCES;
        break;
    case 3: o->pack = tsl_pack_gpt(x); break;
    case 4: o->pack = tsl_pack_bert4keras(x); break;
    default: o->pack = tsl_pack_gpt(x); break;
    }
    if (o->pack.doc_end < 0 && o->pack.mode == TSL_PACK_STREAM)
        o->pack.doc_end = x->sep; /* BERT's vocabularies end a text with it */
    if (obj->denoise == TSL_DENOISE_SPAN)
        o->pack.doc_end = -1; /* T5 puts none between documents */
    else if (obj->denoise == TSL_DENOISE_NONE && o->pack.doc_end < 0 &&
             o->pack.mode == TSL_PACK_STREAM)
        return tsl_err_set(
            err, TSL_EUSAGE,
            "no end of text: neither the token stream nor --vocab says which "
            "id separates documents");
    o->pack.tokens_max =
        count(given.length, o->pack.tokens_max, "seq-length", TSL_SAMPLE_TOKENS_MAX - 16);
    o->pack.overlap =
        count(given.overlap, o->pack.overlap, "overlap", TSL_SAMPLE_TOKENS_MAX);
    o->pack.positions = given.positions;
    o->pack.drop_last = given.drop_last;
    if (obj->denoise == TSL_DENOISE_PREFIX)
        o->denoise.unilm = given.separator
                               ? tsl_unilm_bert4keras(x->sep, o->pack.tokens_max)
                               : tsl_unilm_prefix();
    if (obj->denoise == TSL_DENOISE_UNILM)
        o->denoise.unilm = tsl_unilm_defaults();
    if (obj->denoise == TSL_DENOISE_PLM && !given.unit && !given.whole_word) {
        struct tsl_mlm_opts xlnet = tsl_plm_xlnet(x);
        if (given.mask_prob)
            xlnet.rate = o->denoise.mlm.rate;
        xlnet.masks_max = o->denoise.mlm.masks_max;
        xlnet.across_specials = o->denoise.mlm.across_specials;
        o->denoise.mlm = xlnet;
    }
    return obj->denoise == TSL_DENOISE_SPAN ? spans(o, x, err) : 0;
}

/* A pipe is never read to its end before the first sample comes out, unless that is asked
 * for; a file that is read where it lies may be drawn from as a whole. */
static uint64_t window(const struct tsl_maskjob_opts *o)
{
    uint64_t n = 0;
    if (!given.window) {
        for (size_t i = 0; i < o->docs.npaths; i++)
            if (!tsl_file_is_regular(o->docs.paths[i]))
                n = WINDOW_OF_PIPES;
    } else if (strcmp(given.window, "all") != 0 &&
               (!tsl_parse_u64(given.window, &n, NULL) || n == 0)) {
        cli_misuse(true, "invalid --window: %s (a number of documents, or all)",
                   tsl_quote(given.window).s);
    }
    return n;
}

static void keyed(struct tsl_maskjob_opts *o, const struct objective *obj)
{
    o->denoise.kind = obj->denoise;
    if (obj->of == OF_PAIRS) {
        o->kind = TSL_MASKJOB_PAIR;
        o->pair = tsl_pair_defaults();
        o->pair.kind = strcmp(obj->name, "nsp") == 0 ? TSL_PAIR_NEXT : TSL_PAIR_ORDER;
        o->pair.tokens_max = count(given.length, 128, "seq-length", UINT16_MAX);
        o->pair.short_rate = share("short-prob", given.short_prob, o->pair.short_rate);
        o->pair.lone =
            (enum tsl_pair_lone)cli_choose("lone", given.lone, "split\0random\0drop\0");
        o->pair.window = window(o);
        o->pair.cut_words = given.cut_words;
    } else if (obj->of == OF_SEGMENTS) {
        o->kind = TSL_MASKJOB_TWOSEG;
        o->twoseg = tsl_twoseg_defaults();
        o->twoseg.tokens_max = count(given.length, 128, "seq-length", UINT16_MAX);
        o->twoseg.short_rate =
            share("short-prob", given.short_prob, o->twoseg.short_rate);
        o->twoseg.cut_words = given.cut_words;
    } else {
        o->kind = TSL_MASKJOB_PACK;
    }
    if (given.pack && strcmp(given.pack, "bestfit") == 0)
        o->kind = TSL_MASKJOB_BESTFIT; /* said before the input is opened */
    o->specials_known = specials_known;
}

static void compat_albert(struct tsl_maskjob_opts *o, const struct cmask_vocab *v)
{
    struct tsl_compat_albert_opts *a = &o->albert;
    o->kind = TSL_MASKJOB_COMPAT_ALBERT;
    *a = tsl_compat_albert_defaults();
    compat_pair(&a->pair, o->seed, v);
    a->ngram = count(given.ngram, a->ngram, "ngram", 64);
    a->favor_longer = given.favor_longer;
    a->permute = given.permute;
    a->random_next = strcmp(o->objective, "nsp") == 0;
    a->np_seed = count(given.np_seed, (uint32_t)a->pair.seed, "np-seed", UINT32_MAX);
}

/* What has no meaning without another option. */
static void combinations(const struct objective *obj)
{
    const char *unit = given.unit ? given.unit : "token";
    const char *pack = given.pack ? given.pack : obj->pack;
    if (given.copies != UINT64_MAX && given.dynamic)
        cli_misuse(true, "--static and --dynamic: only one");
    if (given.ngram != UINT64_MAX && !given.compat && strcmp(unit, "ngram") != 0)
        cli_misuse(true, "--ngram is of --unit=ngram and --compat=albert");
    if (given.overlap != UINT64_MAX && pack && strcmp(pack, "stream") != 0)
        cli_misuse(true, "--overlap is of --pack=stream");
    if (given.drop_last && pack && strcmp(pack, "stream") != 0)
        cli_misuse(true, "--drop-last is of --pack=stream");
    if (given.predictions == 0 && !given.compat)
        cli_misuse(true, "--max-predictions=0 masks nothing");
}

/* What the objective and --compat ask for. */
static void recipe(struct tsl_maskjob_opts *o, const char *name,
                   const struct cmask_vocab *v, const struct cmask_synonyms *similar)
{
    const struct objective *obj = objective_of(name);
    int compat = cli_choose("compat", given.compat, "none\0bert\0albert\0electra\0");
    bool electra = strcmp(name, "electra") == 0, sop = strcmp(name, "sop") == 0;
    bool bert = strcmp(name, "nsp") == 0 || strcmp(name, "mlm") == 0;
    o->objective = obj->name;
    if (compat == 1 && !bert)
        cli_misuse(true, "--compat=bert makes nsp (or mlm, which is the same there)");
    if (compat == 2 && !bert && !sop)
        cli_misuse(true, "--compat=albert makes sop (or mlm, the same), or nsp");
    if (compat == 3 && !electra)
        cli_misuse(true, "--compat=electra makes electra");
    cmask_scope_check(opts, compat ? given.compat : obj->name, compat > 0);
    combinations(obj);
    masks(&o->denoise.mlm, similar);
    o->seed = seed(compat ? 12345 : 0); /* the scripts' own */
    if (given.copies == 0)
        cli_misuse(true, "--static=0 writes nothing: --dynamic is what is not masked");
    o->copies = count(given.copies, 0, "static", 1 << 20);
    if (given.epoch != UINT64_MAX && given.epoch > INT64_MAX)
        cli_misuse(true, "--epoch: at most %" PRId64, INT64_MAX);
    o->epoch = given.epoch == UINT64_MAX ? 0 : given.epoch;
    if (compat == 1) {
        o->kind = TSL_MASKJOB_COMPAT_BERT;
        o->bert = tsl_compat_bert_defaults();
        compat_pair(&o->bert, o->seed, v);
    } else if (compat == 2) {
        compat_albert(o, v);
    } else if (compat == 3) {
        o->kind = TSL_MASKJOB_COMPAT_ELECTRA;
        o->electra = (struct tsl_compat_electra_opts){
            .seed = o->seed,
            .tokens_max = count(given.length, 128, "seq-length", UINT16_MAX),
            .join = given.join,
        };
    } else {
        keyed(o, obj);
    }
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

static void put_denoised(struct tsl_json *w, const struct tsl_denoise_stats *st)
{
    const struct tsl_mlm_stats *m = &st->mlm;
    const struct tsl_span_stats *p = &st->span;
    if (m->samples) {
        tsl_json_open(w, "mask", '{');
        tsl_json_u64(w, "asked", m->asked);
        tsl_json_u64(w, "got", m->got);
        tsl_json_u64(w, "shown_mask", m->masked);
        tsl_json_u64(w, "shown_random", m->random);
        tsl_json_u64(w, "shown_kept", m->kept);
        tsl_json_u64(w, "shown_similar", m->synonyms);
        tsl_json_u64(w, "samples_short_of_it", m->short_samples);
        tsl_json_close(w, '}');
    }
    if (p->samples) {
        tsl_json_open(w, "span", '{');
        tsl_json_u64(w, "tokens", p->tokens);
        tsl_json_u64(w, "noise", p->noise);
        tsl_json_u64(w, "spans", p->spans);
        tsl_json_u64(w, "samples_short_of_sentinels", p->capped);
        tsl_json_close(w, '}');
    }
}

/* What was lost or left empty where samples were put together. */
static void put_losses(struct tsl_json *w, const struct tsl_maskjob_opts *o,
                       const struct tsl_maskjob_stats *st)
{
    if (o->kind == TSL_MASKJOB_PACK) {
        tsl_json_u64(w, "tokens_dropped", st->pack.tokens_dropped);
        tsl_json_u64(w, "tokens_repeated", st->pack.tokens_repeated);
        tsl_json_u64(w, "places_empty", st->pack.tokens_pad);
    }
    if (st->bins_waste)
        tsl_json_u64(w, "places_empty", st->bins_waste);
    if (o->kind == TSL_MASKJOB_PAIR) {
        tsl_json_u64(w, "tokens_cut", st->pair.tokens_cut);
        tsl_json_u64(w, "words_cut", st->pair.words_cut);
        tsl_json_u64(w, "lone_split", st->pair.lone_split);
        tsl_json_u64(w, "lone_random", st->pair.lone_random);
        tsl_json_u64(w, "lone_dropped", st->pair.lone_dropped);
        tsl_json_u64(w, "partner_of_the_only_document", st->pair.one_document);
    }
}

/* Bin 0: none; bin k: 2^(k - 1) and more, below 2^k; up to the last that is not empty. */
static void put_bins(struct tsl_json *w, const char *key, const uint64_t *bins)
{
    size_t n = TSL_DOCHIST_BINS;
    while (n && !bins[n - 1])
        n--;
    tsl_json_open(w, key, '[');
    for (size_t i = 0; i < n; i++)
        tsl_json_u64(w, NULL, bins[i]);
    tsl_json_close(w, ']');
}

static void put_counts(struct tsl_json *w, const struct tsl_maskjob_opts *o,
                       const struct tsl_maskjob_stats *st)
{
    tsl_json_str(w, "tool", "cmask");
    tsl_json_u64(w, "schema", 1);
    tsl_json_str(w, "objective", o->objective);
    if (*o->recipe)
        tsl_json_raw(
            w, "recipe",
            (struct tsl_slice){ (const uint8_t *)*o->recipe, strlen(*o->recipe) - 1 });
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
    put_denoised(w, &st->denoise);
    put_losses(w, o, st);
    tsl_json_open(w, "length_16ths", '[');
    for (size_t i = 0; i < 17; i++)
        tsl_json_u64(w, NULL, st->lengths[i]);
    tsl_json_close(w, ']');
    put_bins(w, "documents_by_samples_log2", st->contribution.samples);
    put_bins(w, "documents_by_tokens_log2", st->contribution.tokens);
    tsl_json_u64(w, "bytes_out", st->bytes_out);
    tsl_json_u64(w, "peak_rss_bytes", cli_peak_rss());
    tsl_json_u64(w, "threads", st->nthreads);
    tsl_json_num(w, "seconds", st->seconds);
}

static int write_stats(const struct tsl_maskjob_opts *o,
                       const struct tsl_maskjob_stats *st, struct tsl_err *err)
{
    struct tsl_json w = { 0 };
    tsl_json_open(&w, NULL, '{');
    put_counts(&w, o, st);
    tsl_json_close(&w, '}');
    return cli_write_json(given.stats, &w, err);
}

/* Does it matter to the samples where sentences end? */
static bool sees_sentences(const struct tsl_maskjob_opts *o)
{
    const struct objective *obj = objective_of(o->objective);
    const char *pack = given.pack ? given.pack : obj->pack;
    return obj->of != OF_PACKS ||
           (strcmp(pack, "stream") != 0 && strcmp(pack, "bestfit") != 0);
}

/* What a user should know although all went well. */
static void warn_of(const struct tsl_maskjob_opts *o, const struct tsl_maskjob_stats *st)
{
    if (given.quiet)
        return;
    if (sees_sentences(o) && st->docs.ndocs > 1 && st->docs.lone == st->docs.ndocs)
        cli_warn("every document has one sentence: were lines shuffled, or sentences not "
                 "split (ctok encode --split-sentences)?");
    if (st->pair.one_document)
        cli_warn("there is one document only: random partners are of itself");
}

/* What the options and operands say, beside the vocabulary. */
static void fill_job(struct tsl_maskjob_opts *o, char **operands, size_t n,
                     const struct cmask_vocab *vocab,
                     const struct cmask_synonyms *similar)
{
    static char dash[] = "-", *standard_input[] = { dash, NULL };
    const char *tmp = getenv("TMPDIR");
    o->docs.paths = n > 1 ? operands + 1 : standard_input;
    o->docs.npaths = n > 1 ? n - 1 : 1;
    recipe(o, operands[0], vocab, similar);
    o->special = vocab->specials;
    o->docs.jsonl = cli_choose("input", given.input, "stream\0jsonl\0");
    o->docs.continues = vocab->continues;
    o->docs.vocab_size = vocab->specials.vocab_size;
    o->temp_dir = given.temp ? given.temp : tmp && *tmp ? tmp : "/tmp";
    o->output = given.output;
    o->jsonl = cli_choose("output", given.format, "stream\0jsonl\0");
    if (!o->jsonl && !o->output && isatty(STDOUT_FILENO))
        cli_misuse(false, "binary output is nothing for a terminal: -o names a file, or "
                          "--output=jsonl prints lines");
    o->zstd_level = zstd_level();
    o->memory = given.memory;
    o->nthreads = cli_threads(given.nthreads);
}

static int run(struct tsl_maskjob_opts *o, struct tsl_maskjob_stats *st,
               struct tsl_err *err)
{
    struct tsl_progress progress = { 0 };
    enum cli_progress_when when = cli_progress_told(given.progress, given.quiet);
    int rc = tsl_outfile_check(given.output, err);
    if (rc < 0)
        return rc;
    o->progress = &progress;
    atomic_store(&progress.one_pass, 1);
    cli_progress_start(&progress, when);
    rc = tsl_maskjob_run(o, st, err);
    cli_progress_stop();
    return rc;
}

static void tell(const struct tsl_maskjob_stats *st)
{
    if (given.quiet || !(given.verbose || cli_progress_shown()))
        return;
    fprintf(stderr,
            "%s: %" PRIu64 " samples of %" PRIu64 " documents, %.1f tokens each, %.1f %% "
            "masked, %.2f s\n",
            cli_name(), st->samples, st->docs.ndocs, per(st->tokens, st->samples),
            100 * per(st->masked, st->tokens), st->seconds);
}

int main(int argc, char **argv)
{
    struct tsl_err err = { 0 };
    struct tsl_maskjob_stats st;
    struct cmask_vocab vocab = { .specials = { -1, -1, -1, -1, -1, -1, -1, NULL, 0 } };
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
        cli_misuse(true,
                   "which objective? mlm, nsp, sop, clm, span, ul2, prefix, unilm, plm, "
                   "electra or mae");
    char *made = NULL;
    struct tsl_maskjob_opts o = { .made_by = "cmask (teasel) " TSL_VERSION,
                                  .recipe = &made };
    bool albert = given.compat && strcmp(given.compat, "albert") == 0;
    struct cmask_synonyms similar = { .nwords = 0 };
    int rc = given.vocab ? cmask_vocab_open(&vocab, given.vocab, albert, &err) : 0;
    if (rc == 0 && given.synonyms)
        rc = cmask_synonyms_read(&similar, given.synonyms, given.vocab, &err);
    if (similar.left_out && !given.quiet)
        cli_warn("%" PRIu64 " words of --synonyms are left out: unknown, or of another "
                 "number of tokens",
                 similar.left_out);
    if (rc == 0) {
        fill_job(&o, operands, n, &vocab, &similar);
        rc = run(&o, &st, &err);
    }
    if (rc == 0)
        warn_of(&o, &st);
    if (rc == 0 && given.stats)
        rc = write_stats(&o, &st, &err);
    if (rc == 0)
        tell(&st);
    tsl_mem_free(made);
    cmask_vocab_close(&vocab);
    cmask_synonyms_free(&similar);
    return cli_finish(rc, &err);
}

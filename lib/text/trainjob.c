#include "text/trainjob.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "par/thread.h"

enum { PROGRAM_BYTES = 16 << 20 /* beside opts.memory */ };

/* Special tokens, then the user's symbols, in one array to be freed. */
static struct tsl_slice *all_specials(const struct tsl_trainspec *s, struct tsl_err *err)
{
    struct tsl_slice *all =
        tsl_mem_alloc(s->nspecials + s->nsymbols + 1, sizeof *all, "special tokens", err);
    for (size_t i = 0; all && i < s->nspecials; i++)
        all[i] = s->specials[i];
    for (size_t i = 0; all && i < s->nsymbols; i++)
        all[s->nspecials + i] = s->symbols[i];
    return all;
}

int tsl_trainjob_cut(const struct tsl_trainspec *spec, struct tsl_wordcut *cut,
                     struct tsl_err *err)
{
    if (spec->kind == TSL_TRAIN_WORDPIECE)
        return tsl_wordcut_bert(cut, &spec->norm, err);
    if (spec->kind == TSL_TRAIN_BYTEBPE) {
        const struct tsl_wordcut_bytes_opts o = { .pattern = spec->pattern,
                                                  .prefix_space = spec->prefix_space,

                                                  .keep_bad = spec->keep_bad };
        int rc = tsl_wordcut_bytes(cut, &o, err);
        if (rc == 0 && spec->line_ends)
            tsl_wordcut_keep_line_ends(cut);
        return rc;
    }
    struct tsl_slice *all = all_specials(spec, err);
    if (!all)
        return TSL_ENOMEM;
    const struct tsl_wordcut_spm_opts o = {
        .normalizer = spec->spm.normalizer,
        .whitespace_suffix = spec->spm.whitespace_suffix,
        .whitespace_only = spec->whitespace_only,
        .whole = !spec->spm.split_by_whitespace,
        .line_max = spec->line_max,
        .text_ends = spec->kind == TSL_TRAIN_UNIGRAM && !spec->whole_words,
        .symbols = all,
        .nsymbols = spec->nspecials + spec->nsymbols,
    };
    int rc = tsl_wordcut_spm(cut, &o, err);
    tsl_mem_free(all);
    return rc;
}

struct job {
    const struct tsl_trainjob_opts *o;
    struct tsl_trainjob_stats *st;
    struct tsl_wordcount *wc; /* while words are asked for */
    struct tsl_wordlist list; /* Unigram's */
    struct tsl_bpetrain *bpe;
    struct tsl_unitrain *uni;
};

static void step(const struct tsl_trainjob_opts *o, enum tsl_trainjob_step s)
{
    if (o->progress)
        atomic_store(&o->progress->step, (int)s);
}

/* ---- words ---- */

/* What words and training may take together: the memory, less what was held before. */
static size_t room_bytes(const struct tsl_trainjob_opts *o)
{
    size_t all = o->count.memory + PROGRAM_BYTES;
    return all > o->count.held ? all - o->count.held : 0;
}

#define WAY_OUT "(-m gives more memory, --min-count leaves words out)"

static int too_many_words(const struct tsl_trainjob_opts *o, size_t n,
                          struct tsl_err *err)
{
    return tsl_err_set(err, TSL_ENOMEM,
                       "%zu different words and more fill the memory of %zu MiB " WAY_OUT,
                       n, o->count.memory >> 20);
}

/* 1 and a word that is not too rare, 0 behind the last one, and then the count's memory is
 * free. */
static int next_word(void *ctx, struct tsl_slice *word, uint64_t *count,
                     struct tsl_err *err)
{
    struct job *j = ctx;
    const struct tsl_trainjob_opts *o = j->o;
    int rc;
    while ((rc = tsl_wordcount_next(j->wc, word, count, err)) > 0) {
        if (*count < o->min_count) {
            j->st->rare_words++;
            continue;
        }
        if (o->progress && j->st->words % 1024 == 0)
            atomic_store(&o->progress->words, j->st->words);
        j->st->words++;
        return 1;
    }
    if (rc < 0)
        return rc;
    j->st->sort = tsl_wordcount_stats(j->wc);
    tsl_wordcount_destroy(j->wc);
    j->wc = NULL;
    if (o->progress)
        atomic_store(&o->progress->words, j->st->words);
    step(o, TSL_TRAINJOB_TRAIN);
    if (j->st->words)
        return 0;
    return tsl_err_set(err, TSL_EUSAGE,
                       j->st->rare_words ? "no word is left: all came fewer than %" PRIu64
                                           " times"
                                         : "no words to train on",
                       o->min_count);
}

/* All words, while they fit: Unigram looks at them again and again. */
static int list_words(struct job *j, struct tsl_err *err)
{
    struct tsl_wordlist_maker m = { 0 };
    struct tsl_slice word;
    uint64_t count;
    size_t most = room_bytes(j->o) / 2;
    int rc;
    while ((rc = next_word(j, &word, &count, err)) > 0) {
        if (m.nbytes + 16 * m.n > most)
            rc = too_many_words(j->o, m.n, err);
        else
            rc = tsl_wordlist_put(&m, word, count, err);
        if (rc < 0)
            break;
    }
    if (rc < 0) {
        tsl_wordlist_drop(&m);
        return rc;
    }
    tsl_wordlist_finish(&m, &j->list);
    j->st->list_bytes = tsl_wordlist_bytes(&j->list);
    return 0;
}

static int count_words(struct job *j, struct tsl_err *err)
{
    const struct tsl_trainjob_opts *o = j->o;
    struct tsl_countjob_opts c = o->count;
    struct tsl_wordcut cut;
    int rc = tsl_trainjob_cut(&o->spec, &cut, err);
    if (rc < 0)
        return rc;
    /* While the words become a list, they are there twice. */
    struct tsl_countjob_plan plan;
    c.cut = &cut;
    c.memory /= 2;
    if (tsl_countjob_plan(&c, &plan, NULL) < 0)
        c.memory = o->count.memory;
    c.progress = o->progress ? &o->progress->count : NULL;
    rc = tsl_countjob_run(&c, &j->wc, &j->st->count, err);
    tsl_wordcut_fini(&cut);
    return rc;
}

/* ---- training ---- */

static struct tsl_piecerule piecerule(const struct tsl_trainspec *s)
{
    return (struct tsl_piecerule){
        .max_chars = (size_t)s->spm.max_piece_chars,
        .split_by_unicode_script = s->spm.split_by_unicode_script,
        .split_by_number = s->spm.split_by_number,
        .split_digits = s->spm.split_digits,
        .split_by_whitespace = s->spm.split_by_whitespace,
        .whitespace_suffix = s->spm.whitespace_suffix,
        .whitespace_only_pieces = s->whitespace_only,
    };
}

static int too_few(const struct tsl_trainjob_opts *o, uint64_t n, struct tsl_err *err)
{
    return tsl_err_set(err, TSL_EUSAGE,
                       "--size=%zu is too large: the words give %" PRIu64 " tokens",
                       o->size, n);
}

static int run_bpe(struct job *j, const struct tsl_slice *specials, size_t memory,
                   struct tsl_err *err)
{
    static const uint8_t prefix[] = "##";
    const struct tsl_trainjob_opts *o = j->o;
    const struct tsl_spm_options *spm = &o->spec.spm;
    struct tsl_piecerule rule = piecerule(&o->spec);
    struct tsl_bpetrain_opts b = tsl_bpetrain_defaults();
    b.size = o->size;
    b.min_frequency = o->min_frequency;
    b.specials = specials;
    b.nspecials = o->spec.nspecials + o->spec.nsymbols;
    b.alphabet_limit = o->alphabet_limit;
    b.coverage = o->coverage;
    b.nthreads = o->count.nthreads;
    b.progress = o->progress ? &o->progress->bpe : NULL;
    b.max_token_length = o->max_token_length;
    if (o->likelihood)
        b.score = TSL_BPETRAIN_LIKELIHOOD;
    if (o->spec.kind == TSL_TRAIN_WORDPIECE) {
        b.prefix = (struct tsl_slice){ prefix, 2 };
    } else if (o->spec.kind == TSL_TRAIN_BYTEBPE) {
        b.symbols = TSL_BPETRAIN_LETTERS;
        b.all_bytes = true;
    } else {
        b.ties = TSL_BPETRAIN_SPM;
        b.byte_pieces = spm->byte_fallback;
        b.initial_alphabet = o->spec.required_chars;
        b.rule = &rule;
        b.max_token_length = 0;
    }
    b.memory = memory;
    b.dirs = o->count.dirs;
    b.ndirs = o->count.ndirs;
    const struct tsl_bpetrain_words words = { next_word, j };
    int rc = tsl_bpetrain_stream(&j->bpe, &words, &b, err);
    if (rc < 0)
        return rc;
    const struct tsl_bpetrain *t = j->bpe;
    j->st->alphabet = t->stats.alphabet;
    j->st->alphabet_all = t->stats.alphabet_all;
    j->st->covered = t->stats.symbols_all
                         ? (double)t->stats.symbols_covered / (double)t->stats.symbols_all
                         : 1;
    j->st->tokens = t->n;
    j->st->merges = t->nmerges;
    j->st->last_count = t->nmerges ? t->merges[t->nmerges - 1].count : 0;
    j->st->train_bytes = t->stats.peak_bytes;
    if (t->n > o->size)
        return tsl_err_set(err, TSL_EUSAGE,
                           "--size=%zu has no room for %zu special tokens and %" PRIu64
                           " characters: a larger one, --alphabet-limit or --coverage",
                           o->size, t->nspecials, t->stats.alphabet);
    if (o->hard_limit && t->n < o->size)
        return too_few(o, t->n, err);
    return 0;
}

static int run_unigram(struct job *j, const struct tsl_slice *specials, size_t memory,
                       struct tsl_err *err)
{
    const struct tsl_trainjob_opts *o = j->o;
    const struct tsl_piecerule rule = piecerule(&o->spec);
    struct tsl_unitrain_opts u = tsl_unitrain_defaults();
    u.size = o->size;
    u.max_piece_chars = (size_t)o->spec.spm.max_piece_chars;
    u.coverage = o->coverage;
    u.specials = specials;
    u.nspecials = o->spec.nspecials + o->spec.nsymbols;
    u.byte_fallback = o->spec.spm.byte_fallback;
    u.split_digits = rule.split_digits;
    u.split_by_number = rule.split_by_number;
    u.split_by_unicode_script = rule.split_by_unicode_script;
    u.split_by_whitespace = rule.split_by_whitespace;
    u.whitespace_suffix = rule.whitespace_suffix;
    u.whitespace_only_pieces = rule.whitespace_only_pieces;
    u.required_chars = o->spec.required_chars;
    u.line_ends = !o->spec.whole_words;
    u.whole_words = o->spec.whole_words || rule.whitespace_suffix;
    u.hard_vocab_limit = o->hard_limit;
    u.seed_size = o->seed_size ? o->seed_size : u.seed_size;
    u.shrink = o->shrink > 0 ? o->shrink : u.shrink;
    u.em_steps = o->em_steps ? o->em_steps : u.em_steps;
    u.nthreads = o->count.nthreads;
    u.progress = o->progress ? &o->progress->uni : NULL;
    u.memory = memory;
    int rc = tsl_unitrain_run(&j->uni, &j->list, &u, err);
    if (rc < 0)
        return rc;
    const struct tsl_unitrain_stats *s = &j->uni->stats;
    j->st->alphabet = s->chars;
    j->st->covered = s->covered;
    j->st->tokens = j->uni->n + u.nspecials + (u.byte_fallback ? 256 : 0);
    j->st->seeds = s->seeds;
    j->st->rounds = s->rounds;
    j->st->train_bytes = s->peak_bytes;
    return 0;
}

static int train(struct job *j, struct tsl_err *err)
{
    double start = tsl_seconds();
    bool unigram = j->o->spec.kind == TSL_TRAIN_UNIGRAM;
    struct tsl_err why = { 0 };
    struct tsl_slice *specials = all_specials(&j->o->spec, err);
    int rc = specials ? 0 : TSL_ENOMEM;
    step(j->o, TSL_TRAINJOB_MERGE);
    if (rc == 0 && unigram)
        rc = list_words(j, err);
    size_t room = room_bytes(j->o), words = (size_t)j->st->list_bytes;
    if (rc == 0 && room <= words)
        rc = too_many_words(j->o, j->list.n, err);
    if (rc == 0)
        rc = unigram ? run_unigram(j, specials, room - words, &why)
                     : run_bpe(j, specials, room, &why);
    tsl_mem_free(specials);
    if (rc < 0)
        tsl_err_set(err, rc, "%s%s", why.msg, rc == TSL_ENOMEM ? " " WAY_OUT : "");
    j->st->train_seconds = tsl_seconds() - start;
    return rc;
}

static int write_files(const struct job *j, struct tsl_err *err)
{
    struct tsl_trainfiles f = { 0 };
    int rc = tsl_trainfiles_make(&f, &j->o->spec, j->bpe, j->uni, err);
    if (rc == 0)
        rc = tsl_outfolder_write(j->o->dir, f.file, f.n, err);
    tsl_trainfiles_fini(&f);
    return rc;
}

int tsl_trainjob_run(const struct tsl_trainjob_opts *o, struct tsl_trainjob_stats *st,
                     struct tsl_err *err)
{
    struct job j = { .o = o, .st = st };
    double start = tsl_seconds();
    *st = (struct tsl_trainjob_stats){ 0 };
    step(o, TSL_TRAINJOB_COUNT);
    int rc = tsl_trainfiles_check(o->dir, &o->spec, err);
    if (rc == 0)
        rc = count_words(&j, err);
    if (rc == 0)
        rc = train(&j, err);
    step(o, TSL_TRAINJOB_WRITE);
    if (rc == 0)
        rc = write_files(&j, err);
    tsl_bpetrain_destroy(j.bpe);
    tsl_unitrain_destroy(j.uni);
    tsl_wordlist_fini(&j.list);
    tsl_wordcount_destroy(j.wc);
    st->seconds = tsl_seconds() - start;
    return rc;
}

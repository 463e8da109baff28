/* fixture-masking DIR...: do the instances come out as each folder's files say?  Exit 0
 * when every case agrees, 1 when one does not, 2 when that could not be found out.  The
 * first differences are printed.
 *
 * A folder is laid out as shared/data/formats/bert-instances: docs.jsonl (else that of
 * ../bert-instances is taken) and files of expected instances, whose names tell the
 * options: seqN, dupeN, predN, probN and shortN (hundredths), seedN, npseedN, ngramN,
 * wwm, nowwm, py2, longer (no favor_shorter_ngram), perm (do_permutation), joined (no
 * blanks_separate_docs).  A name that begins with sop or nsp is ALBERT's,
 * with electra ELECTRA's; t5-vectors/vectors.json, too, is known.  Which ids continue a
 * word tells vocab.txt in the folder, else bert-base-uncased's. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prep/compat_albert.h"
#include "prep/compat_bert.h"
#include "prep/compat_electra.h"
#include "prep/span.h"
#include "support/memdocs.h"

typedef const struct tsl_jsonval *json;

enum { SHOWN_MAX = 3, IDS_MAX = 1 << 20 };

static struct {
    const char *file;
    size_t cases, wrong;
} now;

static size_t all_wrong;
static bool broken; /* something could not be tried */
static uint8_t continues[IDS_MAX / 8];
static uint32_t vocab_size;

static void cannot(const char *what, const char *why)
{
    printf("%s: %s\n", what, why);
    broken = true;
}

/* What a file's name says. */
struct setting {
    enum { BERT, ALBERT, ELECTRA } script;
    bool sop, wwm, py2, longer, permute, joined;
    uint32_t seq, dupe, pred, ngram;
    uint64_t seed, npseed;
    double prob, shorts;
};

static bool take(const char *word, const char *name, double *value)
{
    size_t n = strlen(name);
    char *end;
    if (strncmp(word, name, n) != 0)
        return false;
    double v = strtod(word + n, &end);
    if (end == word + n || *end)
        return false;
    *value = v;
    return true;
}

/* NULL, or the word that means nothing. */
static const char *parse_name(const char *file, struct setting *s)
{
    static char name[256];
    double v, pred = -1, seed = -1;
    *s = (struct setting){
        .seq = 128, .npseed = 12345, .prob = .15, .shorts = .1, .ngram = 3, .dupe = 10
    };
    snprintf(name, sizeof name, "%.*s", (int)strcspn(file, "."), file);
    for (char *w = strtok(name, "-"); w; w = strtok(NULL, "-")) {
        if (!strcmp(w, "sop") || !strcmp(w, "nsp")) {
            s->script = ALBERT;
            s->sop = w[0] == 's';
            s->wwm = true;
        } else if (!strcmp(w, "electra"))
            s->script = ELECTRA;
        else if (!strcmp(w, "wwm") || !strcmp(w, "nowwm"))
            s->wwm = w[0] == 'w';
        else if (!strcmp(w, "py2") || !strcmp(w, "python2"))
            s->py2 = true;
        else if (!strcmp(w, "longer") || !strcmp(w, "nofavor") ||
                 !strcmp(w, "nofavorshorter"))
            s->longer = true;
        else if (!strcmp(w, "perm") || !strcmp(w, "permute") || !strcmp(w, "permutation"))
            s->permute = true;
        else if (!strcmp(w, "joined") || !strcmp(w, "noblanks"))
            s->joined = true;
        else if (take(w, "seq", &v))
            s->seq = (uint32_t)v;
        else if (take(w, "dupe", &v))
            s->dupe = (uint32_t)v;
        else if (take(w, "pred", &v))
            pred = v;
        else if (take(w, "prob", &v))
            s->prob = v / 100;
        else if (take(w, "short", &v))
            s->shorts = v / 100;
        else if (take(w, "seed", &v))
            seed = v;
        else if (take(w, "npseed", &v))
            s->npseed = (uint64_t)v;
        else if (take(w, "ngram", &v))
            s->ngram = (uint32_t)v;
        else if (strcmp(w, "bert") != 0 && strcmp(w, "albert") != 0)
            return w;
    }
    /* SOURCES.md has these two in a sentence */
    s->pred = (uint32_t)(pred >= 0 ? pred : s->seq == 64 ? 10 : s->seq == 32 ? 8 : 20);
    s->seed = seed >= 0 ? (uint64_t)seed : s->seq == 32 && s->script == BERT ? 99 : 12345;
    return NULL;
}

static bool same_ints(json want, const uint32_t *a, size_t n)
{
    if (tsl_jsonread_size(want) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t v = -1;
        tsl_jsonread_int(tsl_jsonread_at(want, i), &v);
        if (v != (int64_t)a[i])
            return false;
    }
    return true;
}

static void print_ints(const uint32_t *a, size_t n)
{
    for (size_t i = 0; i < n && i < 60; i++)
        printf(" %" PRIu32, a[i]);
    printf(n > 60 ? " ...\n" : "\n");
}

static void print_json(json v)
{
    size_t n = tsl_jsonread_size(v);
    for (size_t i = 0; i < n && i < 60; i++) {
        int64_t x = -1;
        tsl_jsonread_int(tsl_jsonread_at(v, i), &x);
        printf(" %" PRId64, x);
    }
    printf(n > 60 ? " ...\n" : "\n");
}

static void compare_ints(json row, const char *key, const uint32_t *a, size_t n,
                         bool *same)
{
    json want = tsl_jsonread_get(row, key);
    if (!*same || !want || same_ints(want, a, n))
        return;
    *same = false;
    if (++now.wrong > SHOWN_MAX)
        return;
    printf("%s:%zu: %s\n  expected", now.file, now.cases, key);
    print_json(want);
    printf("  got     ");
    print_ints(a, n);
}

static void compare_row(json row, const struct tsl_sample *s)
{
    static uint32_t flags[TSL_SAMPLE_TOKENS_MAX];
    bool same = true;
    int64_t label = s->label;
    now.cases++;
    compare_ints(row, "input_ids", s->ids, s->n, &same);
    for (uint32_t i = 0; i < s->n; i++)
        flags[i] = i >= s->first;
    compare_ints(row, "segment_ids", flags, s->n, &same);
    compare_ints(row, "masked_lm_positions", s->places, s->nmasked, &same);
    compare_ints(row, "masked_lm_ids", s->targets, s->nmasked, &same);
    for (uint32_t i = 0; i < s->n; i++)
        flags[i] = s->starts[i];
    compare_ints(row, "token_boundary", flags, s->n, &same);
    tsl_jsonread_int(tsl_jsonread_get(row, "next_sentence_labels"), &label);
    if (same && label != s->label && ++now.wrong <= SHOWN_MAX)
        printf("%s:%zu: label is %d, not %" PRId64 "\n", now.file, now.cases, s->label,
               label);
}

/* next gives the samples one after the other: 1, 0 at the end, or an error. */
static void compare_file(const char *path,
                         int (*next)(void *ctx, struct tsl_sample *s,
                                     struct tsl_err *err),
                         void *ctx, uint32_t tokens_max)
{
    struct tsl_err err = { 0 };
    struct tsl_sample s;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int rc;
    FILE *f = fopen(path, "r");
    if (!f || tsl_sample_init(&s, tokens_max, &err) < 0) {
        cannot(path, "cannot be read");
        return;
    }
    while ((rc = next(ctx, &s, &err)) > 0 && (len = getline(&line, &cap, f)) > 0) {
        struct tsl_jsonread *doc = NULL;
        struct tsl_slice text = { (const uint8_t *)line, (size_t)len };
        if (tsl_jsonread_parse(&doc, text, path, &err) < 0)
            break;
        compare_row(tsl_jsonread_root(doc), &s);
        tsl_jsonread_destroy(doc);
    }
    if (err.code)
        cannot(path, err.msg);
    else if (rc > 0 || getline(&line, &cap, f) > 0) {
        now.wrong++;
        printf("%s: %s instances than the %zu compared\n", path,
               rc > 0 ? "more" : "fewer", now.cases);
    }
    tsl_sample_fini(&s);
    free(line);
    fclose(f);
}

struct pairs {
    struct tsl_compat_pair *c;
    const struct tsl_docs *docs;
    uint64_t i;
};

static int next_pair(void *ctx, struct tsl_sample *s, struct tsl_err *err)
{
    struct pairs *p = ctx;
    if (p->i == tsl_compat_pair_count(p->c))
        return 0;
    int rc = tsl_compat_pair_at(p->c, p->i++, p->docs, s, err);
    return rc < 0 ? rc : 1;
}

static struct tsl_special_ids special(void)
{
    return (struct tsl_special_ids){ .pad = 0,
                                     .unk = 100,
                                     .cls = 101,
                                     .sep = 102,
                                     .mask = 103,
                                     .bos = -1,
                                     .eos = -1,
                                     .vocab_size = vocab_size };
}

static void run_pairs(const char *path, const struct setting *s, struct memdocs *m)
{
    struct tsl_err err = { 0 };
    struct pairs p = { .docs = &m->docs };
    struct tsl_compat_pair_opts o = {
        .special = special(),
        .seed = s->seed,
        .tokens_max = s->seq,
        .masks_max = s->pred,
        .dupes = s->dupe,
        .mask_rate = s->prob,
        .short_rate = s->shorts,
        .whole_words = s->wwm,
        .python2 = s->py2,
    };
    struct tsl_compat_albert_opts a = {
        .pair = o,
        .np_seed = (uint32_t)s->npseed,
        .ngram = s->ngram,
        .favor_longer = s->longer,
        .random_next = !s->sop,
        .permute = s->permute,
    };
    int rc = s->script == BERT ? tsl_compat_bert_create(&p.c, &o, &m->docs, &err)
                               : tsl_compat_albert_create(&p.c, &a, &m->docs, &err);
    if (rc < 0)
        cannot(path, err.msg);
    else
        compare_file(path, next_pair, &p, s->seq);
    tsl_compat_pair_destroy(p.c);
}

static int next_electra(void *ctx, struct tsl_sample *s, struct tsl_err *err)
{
    return tsl_compat_electra_next(ctx, s, err);
}

static void run_electra(const char *path, const struct setting *s, struct memdocs *m)
{
    struct tsl_err err = { 0 };
    struct tsl_compat_electra *c = NULL;
    struct tsl_compat_electra_opts o = {
        .special = special(), .seed = s->seed, .tokens_max = s->seq, .join = s->joined
    };
    if (tsl_compat_electra_create(&c, &o, &m->docs, &err) < 0)
        cannot(path, err.msg);
    else
        compare_file(path, next_electra, c, s->seq);
    tsl_compat_electra_destroy(c);
}

static void run_file(const char *dir, const char *file, struct memdocs *m)
{
    char path[4096];
    struct setting s;
    const char *odd = parse_name(file, &s);
    snprintf(path, sizeof path, "%s/%s", dir, file);
    if (odd) {
        printf("%s: what does \"%s\" mean?\n", path, odd);
        broken = true;
        return;
    }
    now.file = path;
    now.cases = now.wrong = 0;
    if (s.script == ELECTRA)
        run_electra(path, &s, m);
    else
        run_pairs(path, &s, m);
    printf("%s: %zu of %zu agree\n", path,
           now.cases - (now.wrong < now.cases ? now.wrong : now.cases), now.cases);
    all_wrong += now.wrong;
}

static bool read_vocab(const char *path)
{
    FILE *f = fopen(path, "r");
    char *line = NULL;
    size_t cap = 0;
    if (!f)
        return false;
    memset(continues, 0, sizeof continues);
    for (vocab_size = 0; getline(&line, &cap, f) > 0 && vocab_size < IDS_MAX;
         vocab_size++)
        if (line[0] == '#' && line[1] == '#')
            continues[vocab_size / 8] |= (uint8_t)(1 << vocab_size % 8);
    free(line);
    fclose(f);
    return true;
}

static bool read_any_vocab(const char *dir)
{
    static const char *const places[] = {
        "/vocab.txt", "/../../tokenizers/bert-base-uncased/vocab.txt",
        "tests/data/tokenizers/bert-base-uncased/vocab.txt"
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s%s", places[i][0] == '/' ? dir : "", places[i]);
        if (read_vocab(path))
            return true;
    }
    return false;
}

static const struct {
    const char *name;
    bool not ;
    enum tsl_span_style style;
} replacements[] = {
    { "noise_token_to_sentinel", false, TSL_SPAN_EACH_TOKEN },
    { "noise_span_to_sentinel", false, TSL_SPAN_SAME },
    { "nonnoise_span_to_sentinel", true, TSL_SPAN_SAME },
    { "noise_span_to_unique_sentinel", false, TSL_SPAN_UNIQUE },
    { "nonnoise_span_to_unique_sentinel", true, TSL_SPAN_UNIQUE },
    { "drop_noise_tokens", false, TSL_SPAN_DROP },
    { "drop_nonnoise_tokens", true, TSL_SPAN_DROP },
};

static int64_t int_at(json array, size_t i)
{
    int64_t v = -1;
    tsl_jsonread_int(tsl_jsonread_at(array, i), &v);
    return v;
}

static int64_t int_of(json row, const char *key)
{
    int64_t v = -1;
    tsl_jsonread_int(tsl_jsonread_get(row, key), &v);
    return v;
}

static void run_replacements(json v)
{
    json tokens = tsl_jsonread_get(v, "tokens"), mask = tsl_jsonread_get(v, "noise_mask");
    uint32_t ids[64], out[64], n = (uint32_t)tsl_jsonread_size(tokens);
    uint64_t set = 0;
    for (uint32_t i = 0; i < n && i < 64; i++) {
        ids[i] = (uint32_t)int_at(tokens, i);
        set |= (uint64_t)int_at(mask, i) << i;
    }
    for (size_t r = 0; r < sizeof replacements / sizeof *replacements; r++) {
        bool same = true;
        uint32_t k = tsl_span_replace(ids, n < 64 ? n : 64, &set, replacements[r].not,
                                      replacements[r].style,
                                      (uint32_t)int_of(v, "vocab_size") - 1, -1, out);
        now.cases++;
        compare_ints(v, replacements[r].name, out, k, &same);
    }
}

static void run_lengths(json rows)
{
    for (size_t i = 0; i < tsl_jsonread_size(rows); i++) {
        json row = tsl_jsonread_at(rows, i);
        double density = 0, mean = 0;
        uint32_t tokens, targets;
        tsl_jsonread_num(tsl_jsonread_get(row, "noise_density"), &density);
        tsl_jsonread_num(tsl_jsonread_get(row, "mean_span"), &mean);
        tsl_span_lengths((uint32_t)int_of(row, "inputs_length"), density, mean, &tokens,
                         &targets);
        now.cases++;
        if (tokens == int_of(row, "tokens_length") &&
            targets == int_of(row, "targets_length"))
            continue;
        now.wrong++;
        printf("%s: lengths %zu: got %u and %u\n", now.file, i, tokens, targets);
    }
}

/* T5's vectors; false: the folder has none. */
static bool run_vectors(const char *dir)
{
    static char text[1 << 16];
    char path[4096];
    struct tsl_jsonread *doc = NULL;
    struct tsl_err err = { 0 };
    snprintf(path, sizeof path, "%s/vectors.json", dir);
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t n = fread(text, 1, sizeof text, f);
    fclose(f);
    now.file = path;
    now.cases = now.wrong = 0;
    if (tsl_jsonread_parse(&doc, (struct tsl_slice){ (uint8_t *)text, n }, path, &err) <
        0)
        cannot(path, err.msg);
    else {
        run_replacements(tsl_jsonread_root(doc));
        run_lengths(tsl_jsonread_get(tsl_jsonread_root(doc), "random_spans_helper"));
    }
    tsl_jsonread_destroy(doc);
    printf("%s: %zu of %zu agree\n", path, now.cases - now.wrong, now.cases);
    all_wrong += now.wrong;
    return true;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_case(const struct dirent *e)
{
    size_t n = strlen(e->d_name);
    return n > 6 && strcmp(e->d_name + n - 6, ".jsonl") == 0 &&
           strcmp(e->d_name, "docs.jsonl") != 0;
}

static void run_folder(const char *dir)
{
    char path[4096];
    struct dirent **names = NULL;
    struct memdocs m;
    if (run_vectors(dir))
        return;
    memdocs_init(&m);
    if (!read_any_vocab(dir))
        cannot(dir, "no vocab.txt, and bert-base-uncased's was not found either");
    snprintf(path, sizeof path, "%s/docs.jsonl", dir);
    if (!memdocs_read(&m, path, continues, vocab_size)) {
        memdocs_fini(&m);
        memdocs_init(&m);
        snprintf(path, sizeof path, "%s/../bert-instances/docs.jsonl", dir);
        if (!memdocs_read(&m, path, continues, vocab_size))
            cannot(dir, "docs.jsonl cannot be read");
    }
    int n = scandir(dir, &names, is_case, by_name);
    if (n <= 0)
        cannot(dir, "no instances in it");
    for (int i = 0; i < n; i++) {
        run_file(dir, names[i]->d_name, &m);
        free(names[i]);
    }
    free(names);
    memdocs_fini(&m);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: fixture-masking DIR...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        run_folder(argv[i]);
    return broken ? 2 : all_wrong ? 1 : 0;
}

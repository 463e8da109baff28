/* bench_bpetrain - seconds that byte pair encoding takes to train on a list of counted words.
 *   bench_bpetrain WORDS [size=30000] [ties=hf|spm] [symbols=chars|bytes|letters] [min=0]
 *       [prefix=] [suffix=] [max=0] [limit=0] [coverage=1] [score=count|likelihood]
 *       [rules=] [initial=] [special=]... [memory=0] [pairs=0] [threads=1] [rounds=1] [print=0]
 * WORDS: lines of a count, a blank and the word.  rules: letters of d (split_digits), n (not
 * by_number), s (not by_unicode_script), w (not by_whitespace), x (whitespace_suffix), o
 * (whitespace_only_pieces).  print: the merges and tokens. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text/bpetrain.h"

struct word {
    struct tsl_slice text;
    uint64_t count;
};

static int by_text(const void *a, const void *b)
{
    const struct word *x = a, *y = b;
    size_t n = x->text.len < y->text.len ? x->text.len : y->text.len;
    int c = memcmp(x->text.data, y->text.data, n);
    return c ? c : (x->text.len > y->text.len) - (x->text.len < y->text.len);
}

static void fail(const char *what)
{
    fprintf(stderr, "bench_bpetrain: %s\n", what);
    exit(1);
}

static void load(const char *path, struct tsl_wordlist_maker *m)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        fail("cannot read the words");
    fseek(f, 0, SEEK_END);
    size_t n = (size_t)ftell(f), nwords = 0, cap = 0;
    rewind(f);
    char *p = malloc(n + 1);
    struct word *words = NULL;
    if (!p || fread(p, 1, n, f) != n)
        fail("cannot read the words");
    p[n] = 0;
    fclose(f);
    for (char *at = p; at < p + n;) {
        char *end = memchr(at, '\n', (size_t)(p + n - at)), *word;
        if (!end)
            end = p + n;
        if (nwords == cap)
            words = realloc(words, (cap = 2 * cap + 1024) * sizeof *words);
        uint64_t count = strtoull(at, &word, 10);
        if (!words || *word++ != ' ')
            fail("not a list of words");
        words[nwords++] =
            (struct word){ { (const uint8_t *)word, (size_t)(end - word) }, count };
        at = end + 1;
    }
    qsort(words, nwords, sizeof *words, by_text);
    for (size_t i = 0; i < nwords; i++)
        if (tsl_wordlist_put(m, words[i].text, words[i].count, NULL) < 0)
            fail("no memory");
    free(words);
    free(p);
}

static struct tsl_slice str(const char *s)
{
    return (struct tsl_slice){ (const uint8_t *)s, strlen(s) };
}

static void rules(struct tsl_piecerule *r, const char *letters)
{
    *r = tsl_piecerule_defaults();
    r->split_digits = strchr(letters, 'd');
    r->split_by_number = !strchr(letters, 'n');
    r->split_by_unicode_script = !strchr(letters, 's');
    r->split_by_whitespace = !strchr(letters, 'w');
    r->whitespace_suffix = strchr(letters, 'x');
    r->whitespace_only_pieces = strchr(letters, 'o');
}

static void print(const struct tsl_bpetrain *t)
{
    for (size_t i = 0; i < t->n; i++) {
        struct tsl_slice s = tsl_bpetrain_token(t, i);
        printf("T %" PRIu64 " %.*s\n", t->count[i], (int)s.len, (const char *)s.data);
    }
    for (size_t i = 0; i < t->nmerges; i++)
        printf("M %" PRIu64 " %u %u %u\n", t->merges[i].count, t->merges[i].left,
               t->merges[i].right, t->merges[i].id);
}

int main(int argc, char **argv)
{
    struct tsl_bpetrain_opts o = tsl_bpetrain_defaults();
    struct tsl_piecerule rule;
    struct tsl_slice special[64];
    struct tsl_wordlist_maker maker = { 0 };
    struct tsl_wordlist list;
    unsigned rounds = 1;
    bool show = false;
    if (argc < 2)
        fail("which words?");
    for (int i = 2; i < argc; i++) {
        char *v = strchr(argv[i], '=');
        if (!v)
            fail(argv[i]);
        *v++ = 0;
        const char *k = argv[i];
        if (!strcmp(k, "size"))
            o.size = strtoull(v, NULL, 10);
        else if (!strcmp(k, "ties"))
            o.ties = *v == 'h' ? TSL_BPETRAIN_HF : TSL_BPETRAIN_SPM;
        else if (!strcmp(k, "symbols"))
            o.symbols = *v == 'c'   ? TSL_BPETRAIN_CHARS
                        : *v == 'b' ? TSL_BPETRAIN_BYTES
                                    : TSL_BPETRAIN_LETTERS;
        else if (!strcmp(k, "min"))
            o.min_frequency = strtoull(v, NULL, 10);
        else if (!strcmp(k, "prefix"))
            o.prefix = str(v);
        else if (!strcmp(k, "suffix"))
            o.suffix = str(v);
        else if (!strcmp(k, "max"))
            o.max_token_length = strtoull(v, NULL, 10);
        else if (!strcmp(k, "limit"))
            o.alphabet_limit = strtoull(v, NULL, 10);
        else if (!strcmp(k, "coverage"))
            o.coverage = strtod(v, NULL);
        else if (!strcmp(k, "score"))
            o.score = *v == 'l' ? TSL_BPETRAIN_LIKELIHOOD : TSL_BPETRAIN_COUNT;
        else if (!strcmp(k, "rules"))
            rules(&rule, v), o.rule = &rule;
        else if (!strcmp(k, "initial"))
            o.initial_alphabet = str(v);
        else if (!strcmp(k, "special") && o.nspecials < 64)
            special[o.nspecials++] = str(v);
        else if (!strcmp(k, "memory"))
            o.memory = strtoull(v, NULL, 10);
        else if (!strcmp(k, "pairs"))
            o.pairs_max = strtoull(v, NULL, 10);
        else if (!strcmp(k, "threads"))
            o.nthreads = (unsigned)strtoul(v, NULL, 10);
        else if (!strcmp(k, "rounds"))
            rounds = (unsigned)strtoul(v, NULL, 10);
        else if (!strcmp(k, "print"))
            show = *v == '1';
        else
            fail(k);
    }
    o.specials = special;
    load(argv[1], &maker);
    tsl_wordlist_finish(&maker, &list);
    for (unsigned i = 0; i < rounds; i++) {
        struct tsl_bpetrain *t = NULL;
        struct tsl_err err = { 0 };
        clock_t began = clock();
        if (tsl_bpetrain_run(&t, &list, &o, &err) < 0)
            fail(err.msg);
        double cpu = (double)(clock() - began) / CLOCKS_PER_SEC;
        fprintf(stderr,
                "%zu words: %zu tokens, %zu merges, %" PRIu64 " pairs, %" PRIu64
                " symbols, %" PRIu64
                " rounds, %.1f MB; count %.3f s, merge %.3f s; CPU %.3f s\n",
                list.n, t->n, t->nmerges, t->stats.pairs, t->stats.symbols,
                t->stats.rounds, 1e-6 * (double)t->stats.peak_bytes,
                t->stats.count_seconds, t->stats.merge_seconds, cpu);
        if (show && i == 0)
            print(t);
        tsl_bpetrain_destroy(t);
    }
    tsl_wordlist_fini(&list);
    return 0;
}

/* slowunitrain.h - Unigram training in the most obvious way: every substring is looked up
 * in a list, probabilities are logarithms, nothing is remembered.
 *
 * Words are ASCII; '~' stands for U+2581.  For small lists, and counts among which there
 * are hardly any ties. */
#ifndef TSL_SLOWUNITRAIN_H
#define TSL_SLOWUNITRAIN_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { SLOW_WORDS = 64, SLOW_LEN = 32, SLOW_PIECES = 4096 };

struct slow_word {
    char text[SLOW_LEN];
    uint64_t count, last;
};

struct slow_piece {
    char text[SLOW_LEN];
    double score, expected, loss;
    uint64_t key; /* orders pieces: characters first */
};

struct slow_trainer {
    struct slow_word words[SLOW_WORDS];
    size_t nwords;
    size_t size, max_chars; /* options */
    double coverage;
    bool whole_words;
    char chars[128]; /* those that are covered, by falling count */
    uint64_t char_count[128];
    struct slow_piece pieces[SLOW_PIECES];
    size_t n;
};

static inline double slow_digamma(double x)
{
    double sum = 0;
    for (; x < 30; x++)
        sum -= 1 / x;
    return sum + log(x) - 1 / (2 * x) - 1 / (12 * x * x) + 1 / (120 * x * x * x * x);
}

static inline bool slow_covered(const struct slow_trainer *t, char c)
{
    return c && strchr(t->chars, c) != NULL;
}

static inline void slow_alphabet(struct slow_trainer *t)
{
    double all = 0, sum = 0;
    size_t n = 0;
    for (size_t w = 0; w < t->nwords; w++)
        for (const char *p = t->words[w].text; *p; p++) {
            t->char_count[(int)*p] += t->words[w].count;
            all += (double)t->words[w].count;
        }
    while (sum / all < t->coverage) {
        int best = 0;
        for (int c = 1; c < 128; c++)
            if (!slow_covered(t, (char)c) && t->char_count[c] > t->char_count[best])
                best = c;
        if (!best)
            break;
        t->chars[n++] = (char)best;
        sum += (double)t->char_count[best];
    }
}

static inline struct slow_piece *slow_find(struct slow_trainer *t, const char *s,
                                           size_t len)
{
    for (size_t i = 0; i < t->n; i++)
        if (strlen(t->pieces[i].text) == len && memcmp(t->pieces[i].text, s, len) == 0)
            return &t->pieces[i];
    return NULL;
}

/* How often s comes, 0 if only one thing follows it. */
static inline uint64_t slow_freq(const struct slow_trainer *t, const char *s, size_t len)
{
    uint64_t freq = 0, ends = 0, lasts = 0;
    bool after[129] = { 0 };
    size_t follow = 0;
    for (size_t w = 0; w < t->nwords; w++)
        for (const char *p = t->words[w].text; strlen(p) >= len; p++) {
            if (memcmp(p, s, len) != 0)
                continue;
            freq += t->words[w].count;
            if (!p[len]) {
                ends += t->words[w].count;
                lasts += t->words[w].last;
            } else {
                after[slow_covered(t, p[len]) ? p[len] : 128] = true;
            }
        }
    for (size_t i = 0; i < 129; i++)
        follow += after[i];
    if (t->whole_words)
        follow += ends > 1 ? 2 : ends;
    else
        follow += (ends > lasts) + (lasts > 0);
    return follow > 1 ? freq : 0;
}

static inline int slow_by_key(const void *a, const void *b)
{
    const struct slow_piece *x = a, *y = b;
    if ((x->text[1] == 0) != (y->text[1] == 0))
        return x->text[1] == 0 ? -1 : 1;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return strcmp(x->text, y->text);
}

static inline void slow_seeds(struct slow_trainer *t)
{
    double sum = 0;
    for (size_t w = 0; w < t->nwords; w++)
        for (const char *p = t->words[w].text; *p; p++)
            for (size_t len = 1; len <= t->max_chars && p[len - 1]; len++) {
                if (!slow_covered(t, p[len - 1]) || (len > 1 && p[len - 1] == '~'))
                    break;
                uint64_t key =
                    len == 1 ? t->char_count[(int)*p] : slow_freq(t, p, len) * len;
                if (!key || slow_find(t, p, len))
                    continue;
                struct slow_piece *new = &t->pieces[t->n++];
                *new = (struct slow_piece){ .key = key };
                memcpy(new->text, p, len);
                sum += (double)key;
            }
    qsort(t->pieces, t->n, sizeof *t->pieces, slow_by_key);
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].score = log((double)t->pieces[i].key / sum);
}

/* The piece from i to j of s; one that stands for an unknown character is first, the
 * piece that it is counted for. */
static inline struct slow_piece *slow_step(struct slow_trainer *t, const char *s,
                                           size_t i, size_t j, double *score)
{
    struct slow_piece *p = slow_find(t, s + i, j - i);
    double min = 0;
    if (p) {
        *score = p->score;
        return p;
    }
    if (j - i > 1)
        return NULL;
    for (size_t k = 0; k < t->n; k++)
        min = t->pieces[k].score < min ? t->pieces[k].score : min;
    *score = min - 10;
    return &t->pieces[0];
}

static inline double slow_add(double x, double y)
{
    return x < y ? y + log1p(exp(x - y)) : x == -INFINITY ? x : x + log1p(exp(y - x));
}

static inline void slow_em(struct slow_trainer *t)
{
    double a[SLOW_LEN + 1], b[SLOW_LEN + 1], score, sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].expected = 0;
    for (size_t w = 0; w < t->nwords; w++) {
        const char *s = t->words[w].text;
        size_t len = strlen(s);
        for (size_t i = 0; i <= len; i++)
            a[i] = b[i] = -INFINITY;
        a[0] = b[len] = 0;
        for (size_t j = 1; j <= len; j++)
            for (size_t i = 0; i < j; i++)
                if (slow_step(t, s, i, j, &score))
                    a[j] = slow_add(a[j], a[i] + score);
        for (size_t i = len; i-- > 0;)
            for (size_t j = i + 1; j <= len; j++)
                if (slow_step(t, s, i, j, &score))
                    b[i] = slow_add(b[i], b[j] + score);
        for (size_t i = 0; i < len; i++)
            for (size_t j = i + 1; j <= len; j++) {
                struct slow_piece *p = slow_step(t, s, i, j, &score);
                if (p)
                    p->expected +=
                        (double)t->words[w].count * exp(a[i] + score + b[j] - a[len]);
            }
    }
    for (size_t i = 0; i < t->n; i++)
        if (t->pieces[i].expected >= 0.5) {
            t->pieces[n] = t->pieces[i];
            sum += t->pieces[n++].expected;
        }
    t->n = n;
    for (size_t i = 0; i < n; i++)
        t->pieces[i].score = slow_digamma(t->pieces[i].expected) - slow_digamma(sum);
}

/* The best way to cut s, no_whole: into two or more; its score, and its steps in way. */
static inline double slow_best(struct slow_trainer *t, const char *s, bool no_whole,
                               struct slow_piece **way, size_t *nsteps)
{
    double best[SLOW_LEN + 1], score;
    struct slow_piece *with[SLOW_LEN + 1];
    size_t from[SLOW_LEN + 1], len = strlen(s);
    best[0] = 0;
    for (size_t j = 1; j <= len; j++) {
        best[j] = -INFINITY;
        for (size_t i = 0; i < j; i++) {
            struct slow_piece *p = slow_step(t, s, i, j, &score);
            if (!p || (no_whole && j - i == len) || best[i] + score <= best[j])
                continue;
            best[j] = best[i] + score;
            with[j] = p;
            from[j] = i;
        }
    }
    *nsteps = 0;
    for (size_t j = len; j; j = from[j])
        way[(*nsteps)++] = with[j];
    return best[len];
}

static inline int slow_by_loss(const void *a, const void *b)
{
    const struct slow_piece *x = a, *y = b;
    return x->loss > y->loss ? -1 : x->loss < y->loss;
}

static inline void slow_prune(struct slow_trainer *t, size_t desired)
{
    struct slow_piece *way[SLOW_LEN];
    size_t nsteps, keep = (size_t)(0.75 * (double)t->n);
    double all = 0, words = 0;
    for (size_t i = 0; i < t->n; i++)
        t->pieces[i].expected = 0;
    for (size_t w = 0; w < t->nwords; w++) {
        (void)slow_best(t, t->words[w].text, false, way, &nsteps);
        for (size_t i = 0; i < nsteps; i++)
            way[i]->expected += (double)t->words[w].count;
        all += (double)nsteps * (double)t->words[w].count;
        words += (double)t->words[w].count;
    }
    for (size_t i = 0; i < t->n; i++) {
        struct slow_piece *p = &t->pieces[i];
        double count = p->expected, other = 0;
        p->loss = count > 0 ? INFINITY : -INFINITY;
        if (count == 0 || !p->text[1])
            continue;
        if (slow_best(t, p->text, true, way, &nsteps) > p->score)
            p->loss = -INFINITY;
        if (p->loss == -INFINITY)
            continue;
        for (size_t k = 0; k < nsteps; k++)
            other += log(way[k]->expected + count) -
                     log(all + count * ((double)t->n - 1)); /* sic: 0.1.97 */
        p->loss = count / words * (log(count / all) - other);
    }
    /* Characters keep their order: none of qsort's, which is not stable. */
    struct slow_piece *old = malloc(t->n * sizeof *old);
    size_t n = 0, nold = 0;
    if (!old)
        abort();
    for (size_t i = 0; i < t->n; i++) {
        if (t->pieces[i].loss == INFINITY)
            t->pieces[n++] = t->pieces[i];
        else if (t->pieces[i].loss > -INFINITY)
            old[nold++] = t->pieces[i];
    }
    qsort(old, nold, sizeof *old, slow_by_loss);
    if (keep < desired)
        keep = desired;
    for (size_t i = 0; i < nold && n < keep; i++)
        t->pieces[n++] = old[i];
    free(old);
    t->n = n;
}

static inline int slow_by_score(const void *a, const void *b)
{
    const struct slow_piece *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return strcmp(x->text, y->text);
}

/* The final cut: n of t->pieces, sorted. */
static inline void slow_finish(struct slow_trainer *t)
{
    double min = 0, penalty = 0;
    size_t n = 0;
    struct slow_piece *out = calloc(t->n + 128, sizeof *out);
    if (!out)
        abort();
    for (size_t i = 0; i < t->n; i++)
        min = t->pieces[i].score < min ? t->pieces[i].score : min;
    for (const char *c = t->chars; *c; c++) {
        struct slow_piece *p = slow_find(t, c, 1);
        out[n].text[0] = *c;
        out[n++].score = p ? p->score : min + penalty;
        penalty += p ? 0 : 0.0001;
    }
    qsort(t->pieces, t->n, sizeof *t->pieces, slow_by_score);
    for (size_t i = 0; i < t->n && n < t->size; i++)
        if (t->pieces[i].text[1])
            out[n++] = t->pieces[i];
    for (size_t i = 0; i < n; i++) /* what is equal when it is written is equal */
        out[i].score = (double)(float)out[i].score;
    qsort(out, n, sizeof *out, slow_by_score);
    memcpy(t->pieces, out, n * sizeof *out);
    t->n = n;
    free(out);
}

/* words, nwords and the options are set, all else is zero. */
static inline void slow_train(struct slow_trainer *t)
{
    size_t desired = (size_t)((double)t->size * 1.1);
    slow_alphabet(t);
    slow_seeds(t);
    for (;; slow_prune(t, desired)) {
        slow_em(t);
        slow_em(t);
        if (t->n <= desired)
            break;
    }
    slow_finish(t);
}

#endif

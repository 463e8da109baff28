/* slowbpetrain.h - byte pair encoding as its definition reads: all pairs counted anew for
 * each merge.  What bpetrain.h is compared with.  Header only.
 *
 * Left out is what Hugging Face's trainer does where a merge gives a token that stands in
 * the words already: there its counts are not those of the words.
 * Allocation failures end the program. */
#ifndef TSL_SLOWBPETRAIN_H
#define TSL_SLOWBPETRAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/bpetrain.h"
#include "text/bytealpha.h"

enum { SLOW_TOKENS = 3000, SLOW_TOKEN_BYTES = 1000, SLOW_SYMBOLS = 400 };

struct slow_token {
    char text[SLOW_TOKEN_BYTES];
    size_t len;
    uint64_t count;
};

struct slow_word {
    int id[SLOW_SYMBOLS]; /* -1: nothing is merged across */
    size_t nsymbols[SLOW_SYMBOLS];
    size_t n;
    uint64_t count;
};

struct slow_train {
    const struct tsl_bpetrain_opts *o;
    struct slow_token token[SLOW_TOKENS];
    size_t ntokens, nspecials, nalphabet;
    struct slow_word *words;
    size_t nwords;
    struct tsl_bpetrain_merge merge[SLOW_TOKENS];
    size_t nmerges;
};

static inline int slow_train_find(const struct slow_train *t, const char *text,
                                  size_t len)
{
    for (size_t i = 0; i < t->ntokens; i++)
        if (t->token[i].len == len && memcmp(t->token[i].text, text, len) == 0)
            return (int)i;
    return -1;
}

static inline int slow_train_add(struct slow_train *t, const char *text, size_t len)
{
    int id = slow_train_find(t, text, len);
    if (id >= 0)
        return id;
    if (t->ntokens == SLOW_TOKENS || len > SLOW_TOKEN_BYTES)
        abort();
    struct slow_token *x = &t->token[t->ntokens];
    memcpy(x->text, text, len);
    x->len = len;
    return (int)t->ntokens++;
}

/* The symbols of a word as strings; returns how many. */
static inline size_t slow_symbols(const struct slow_train *t, struct tsl_slice word,
                                  char (*out)[8])
{
    size_t n = 0;
    for (size_t i = 0; i < word.len; n++) {
        uint32_t cp = 0;
        size_t len = 1;
        memset(out[n], 0, 8);
        if (t->o->symbols == TSL_BPETRAIN_CHARS)
            len = tsl_utf8_decode(word.data + i, word.data + word.len, &cp);
        if (t->o->symbols == TSL_BPETRAIN_LETTERS)
            tsl_utf8_encode((uint8_t *)out[n], tsl_bytealpha_char(word.data[i]));
        else
            memcpy(out[n], word.data + i, len);
        i += len;
    }
    return n;
}

struct slow_code {
    char text[8];
    uint64_t count;
    bool initial;
};

static inline int slow_by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static inline int slow_by_count(const void *a, const void *b)
{
    const struct slow_code *x = a, *y = b;
    if (x->initial != y->initial)
        return y->initial - x->initial;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->text, y->text);
}

static inline void slow_code_put(struct slow_code *c, size_t *n, const char *text,
                                 uint64_t count, bool initial)
{
    size_t i = 0;
    while (i < *n && strcmp(c[i].text, text) != 0)
        i++;
    if (i == *n) {
        memset(&c[i], 0, sizeof c[i]);
        strcpy(c[(*n)++].text, text);
    }
    c[i].count += count;
    c[i].initial |= initial;
}

/* The alphabet's tokens.  Characters have no NUL here. */
static inline void slow_alphabet(struct slow_train *t, const struct tsl_wordlist *list)
{
    static struct slow_code c[2000];
    static char s[SLOW_SYMBOLS][8];
    size_t n = 0, taken = 0;
    uint64_t all = 0, covered = 0;
    for (size_t i = 0; i < t->o->initial_alphabet.len;) {
        char text[8] = "";
        uint32_t cp;
        const uint8_t *p = t->o->initial_alphabet.data + i;
        size_t len = tsl_utf8_decode(
            p, t->o->initial_alphabet.data + t->o->initial_alphabet.len, &cp);
        memcpy(text, p, len);
        slow_code_put(c, &n, text, 0, true);
        i += len;
    }
    for (size_t w = 0; w < list->n; w++) {
        size_t k = slow_symbols(t, tsl_wordlist_at(list, w), s);
        for (size_t i = 0; i < k; i++) {
            uint32_t cp = 'a';
            if (t->o->ties == TSL_BPETRAIN_SPM && t->o->symbols == TSL_BPETRAIN_CHARS)
                tsl_utf8_decode((uint8_t *)s[i], (uint8_t *)s[i] + strlen(s[i]), &cp);
            if (tsl_piecerule_reserved(cp))
                continue;
            slow_code_put(c, &n, s[i], list->count[w], false);
            all += list->count[w];
        }
    }
    qsort(c, n, sizeof *c, slow_by_count);
    for (; taken < n; taken++) {
        if (t->o->alphabet_limit && taken == t->o->alphabet_limit)
            break;
        if (!c[taken].initial && t->o->coverage < 1 &&
            (float)((double)covered / (double)all) >= (float)t->o->coverage)
            break;
        covered += c[taken].count;
    }
    for (size_t i = 0; i < taken; i++)
        c[i].initial = false;
    qsort(c, taken, sizeof *c,
          t->o->ties == TSL_BPETRAIN_SPM ? slow_by_count : slow_by_text);
    for (size_t i = 0; i < taken; i++)
        slow_train_add(t, c[i].text, strlen(c[i].text));
    t->nalphabet = t->ntokens - t->nspecials;
}

/* The words' symbols: with prefix and suffix, if they are in the alphabet.  add: those that
 * are new become tokens at once, in any order. */
static inline void slow_words(struct slow_train *t, const struct tsl_wordlist *list)
{
    static char s[SLOW_SYMBOLS][8];
    static char text[SLOW_SYMBOLS * 10][32];
    size_t ntext = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t w = 0; w < list->n; w++) {
            size_t k = slow_symbols(t, tsl_wordlist_at(list, w), s);
            struct slow_word *x = &t->words[w];
            x->n = 0;
            x->count = list->count[w];
            for (size_t i = 0; i < k; i++) {
                char name[32] = "";
                if (slow_train_find(t, s[i], strlen(s[i])) < 0) {
                    if (t->o->ties == TSL_BPETRAIN_SPM)
                        x->id[x->n++] = -1;
                    continue;
                }
                if (i > 0 && t->o->prefix.len)
                    strncat(name, (const char *)t->o->prefix.data, t->o->prefix.len);
                strcat(name, s[i]);
                if (i + 1 == k && t->o->suffix.len)
                    strncat(name, (const char *)t->o->suffix.data, t->o->suffix.len);
                if (pass == 0) {
                    size_t j = 0;
                    while (j < ntext && strcmp(text[j], name) != 0)
                        j++;
                    if (j == ntext)
                        strcpy(text[ntext++], name);
                    continue;
                }
                x->id[x->n] = slow_train_find(t, name, strlen(name));
                t->token[x->id[x->n]].count += x->count;
                x->nsymbols[x->n++] = 1;
            }
        }
        if (pass == 0) {
            qsort(text, ntext, sizeof *text, slow_by_text);
            for (size_t i = 0; i < ntext; i++)
                slow_train_add(t, text[i], strlen(text[i]));
        }
    }
}

struct slow_pair {
    int left, right;
    uint64_t count;
    double score;
    char text[2 * SLOW_TOKEN_BYTES];
    size_t len, nchars;
};

static inline void slow_join(const struct slow_train *t, struct slow_pair *p)
{
    const struct slow_token *a = &t->token[p->left], *b = &t->token[p->right];
    size_t skip = t->o->prefix.len;
    if (b->len < skip || (skip && memcmp(b->text, t->o->prefix.data, skip) != 0))
        skip = 0;
    memcpy(p->text, a->text, a->len);
    memcpy(p->text + a->len, b->text + skip, b->len - skip);
    p->len = a->len + b->len - skip;
    p->nchars = 0;
    for (size_t i = 0; i < p->len; i++)
        p->nchars += (p->text[i] & 0xc0) != 0x80;
}

static inline bool slow_allowed(const struct slow_train *t, const struct slow_pair *p)
{
    uint32_t cp[2 * SLOW_TOKEN_BYTES];
    size_t n = 0;
    const uint8_t *at = (const uint8_t *)p->text, *end = at + p->len;
    if (t->o->ties == TSL_BPETRAIN_SPM && slow_train_find(t, p->text, p->len) >= 0)
        return false;
    while (t->o->rule && at < end)
        at += tsl_utf8_decode(at, end, &cp[n++]);
    return !t->o->rule || tsl_piecerule_allows(t->o->rule, cp, n);
}

static inline bool slow_better(const struct slow_train *t, const struct slow_pair *a,
                               const struct slow_pair *b)
{
    if (t->o->score == TSL_BPETRAIN_LIKELIHOOD) {
        if (a->score != b->score)
            return a->score > b->score;
    } else if (a->count != b->count) {
        return a->count > b->count;
    }
    if (t->o->ties == TSL_BPETRAIN_HF)
        return a->left != b->left ? a->left < b->left : a->right < b->right;
    if (a->nchars != b->nchars)
        return a->nchars < b->nchars;
    int c = memcmp(a->text, b->text, a->len < b->len ? a->len : b->len);
    if (c || a->len != b->len)
        return c ? c < 0 : a->len < b->len;
    return t->token[a->left].len > t->token[b->left].len;
}

static inline uint64_t slow_count(const struct slow_train *t, int id)
{
    uint64_t n = 0;
    for (size_t w = 0; w < t->nwords; w++)
        for (size_t i = 0; i < t->words[w].n; i++)
            n += t->words[w].id[i] == id ? t->words[w].count : 0;
    return n;
}

/* Every pair with its count. */
static inline size_t slow_pairs(const struct slow_train *t, struct slow_pair *p)
{
    size_t n = 0;
    for (size_t w = 0; w < t->nwords; w++) {
        const struct slow_word *x = &t->words[w];
        for (size_t i = 0; i + 1 < x->n; i++) {
            size_t k = 0, len = x->nsymbols[i] + x->nsymbols[i + 1];
            if (x->id[i] < 0 || x->id[i + 1] < 0)
                continue;
            if (t->o->max_token_length && len > 2 && len >= t->o->max_token_length)
                continue;
            while (k < n && (p[k].left != x->id[i] || p[k].right != x->id[i + 1]))
                k++;
            if (k == n) {
                if (n == SLOW_TOKENS)
                    abort();
                p[n] = (struct slow_pair){ .left = x->id[i], .right = x->id[i + 1] };
                slow_join(t, &p[n++]);
            }
            p[k].count += x->count;
        }
    }
    for (size_t k = 0; k < n && t->o->score == TSL_BPETRAIN_LIKELIHOOD; k++)
        p[k].score = (double)p[k].count / ((double)slow_count(t, p[k].left) *
                                           (double)slow_count(t, p[k].right));
    return n;
}

static inline void slow_merge(struct slow_train *t, const struct slow_pair *p, int id)
{
    for (size_t w = 0; w < t->nwords; w++) {
        struct slow_word *x = &t->words[w];
        size_t to = 0;
        for (size_t i = 0; i < x->n; i++, to++) {
            x->id[to] = x->id[i];
            x->nsymbols[to] = x->nsymbols[i];
            if (i + 1 < x->n && x->id[i] == p->left && x->id[i + 1] == p->right) {
                x->id[to] = id;
                x->nsymbols[to] += x->nsymbols[++i];
            }
        }
        x->n = to;
    }
}

/* Trains; to be freed with slow_train_end.  Ids are as while it goes on: with
 * SentencePiece's ties the alphabet stands before the merges. */
static inline struct slow_train *slow_train(const struct tsl_wordlist *list,
                                            const struct tsl_bpetrain_opts *o)
{
    struct slow_train *t = calloc(1, sizeof *t);
    struct slow_pair *p = calloc(SLOW_TOKENS, sizeof *p);
    if (!t || !p || !(t->words = calloc(list->n + 1, sizeof *t->words)))
        abort();
    t->o = o;
    t->nwords = list->n;
    for (size_t i = 0; i < o->nspecials; i++)
        slow_train_add(t, (const char *)o->specials[i].data, o->specials[i].len);
    t->nspecials = t->ntokens;
    slow_alphabet(t, list);
    slow_words(t, list);
    while (t->ntokens < o->size) {
        const struct slow_pair *best = NULL;
        size_t n = slow_pairs(t, p);
        for (size_t k = 0; k < n; k++)
            if (p[k].count >= (o->min_frequency ? o->min_frequency : 1) &&
                slow_allowed(t, &p[k]) && (!best || slow_better(t, &p[k], best)))
                best = &p[k];
        if (!best)
            break;
        int id = slow_train_find(t, best->text, best->len);
        if (id < 0) {
            id = slow_train_add(t, best->text, best->len);
            t->token[id].count = best->count;
        }
        t->merge[t->nmerges++] =
            (struct tsl_bpetrain_merge){ (uint32_t)best->left, (uint32_t)best->right,
                                         (uint32_t)id, best->count };
        slow_merge(t, best, id);
    }
    free(p);
    return t;
}

static inline void slow_train_end(struct slow_train *t)
{
    free(t->words);
    free(t);
}

#endif

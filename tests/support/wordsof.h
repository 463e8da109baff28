/* wordsof.h - lists of counted words for tests of training. */
#ifndef TSL_WORDSOF_H
#define TSL_WORDSOF_H

#include "support/test.h"

#include <stdlib.h>
#include <string.h>

#include "text/wordlist.h"

struct wordsof {
    struct wordsof_word {
        uint8_t *bytes;
        size_t len;
        uint64_t count;
    } * words;
    size_t n, cap;
};

static inline void wordsof_add(struct wordsof *o, const void *bytes, size_t len,
                               uint64_t count)
{
    if (o->n == o->cap) {
        o->cap = 2 * o->cap + 64;
        o->words = realloc(o->words, o->cap * sizeof *o->words);
        assert_non_null(o->words);
    }
    struct wordsof_word *w = &o->words[o->n++];
    *w = (struct wordsof_word){ malloc(len + 1), len, count };
    assert_non_null(w->bytes);
    memcpy(w->bytes, bytes, len);
}

/* text: '~' stands for U+2581, '|' at the end for a text's end. */
static inline void wordsof_add_text(struct wordsof *o, const char *text, uint64_t count)
{
    uint8_t buf[1000];
    size_t n = 0;
    for (const char *p = text; *p; p++) {
        assert_true(n + 3 < sizeof buf);
        if (*p == '~') {
            memcpy(buf + n, "\xe2\x96\x81", 3);
            n += 3;
        } else {
            buf[n++] = *p == '|' ? 0 : (uint8_t)*p;
        }
    }
    wordsof_add(o, buf, n, count);
}

static inline int wordsof_compare(const void *a, const void *b)
{
    const struct wordsof_word *x = a, *y = b;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = memcmp(x->bytes, y->bytes, n);
    return c ? c : x->len < y->len ? -1 : x->len > y->len;
}

/* Sorts them, adds equal ones, and leaves *o empty; to be freed with tsl_wordlist_fini. */
static inline struct tsl_wordlist wordsof_list(struct wordsof *o)
{
    struct tsl_wordlist_maker m = { 0 };
    struct tsl_wordlist l;
    if (o->n)
        qsort(o->words, o->n, sizeof *o->words, wordsof_compare);
    for (size_t i = 0, j; i < o->n; i = j) {
        uint64_t count = 0;
        for (j = i; j < o->n && wordsof_compare(&o->words[i], &o->words[j]) == 0; j++)
            count += o->words[j].count;
        struct tsl_slice w = { o->words[i].bytes, o->words[i].len };
        assert_int_equal(tsl_wordlist_put(&m, w, count, NULL), 0);
    }
    for (size_t i = 0; i < o->n; i++)
        free(o->words[i].bytes);
    free(o->words);
    *o = (struct wordsof){ 0 };
    tsl_wordlist_finish(&m, &l);
    return l;
}

#endif
